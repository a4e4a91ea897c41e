#include "config.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"

const char *const sc_log_level_names[] = {"error", "warning", "info", "debug", NULL};
const char *const sc_log_format_names[] = {"auto", "text", "json", "journal", NULL};

/* syslog(3) priorities, as the journal wants them. */
static const int priorities[] = {3, 4, 6, 7};

#define VALUE_MAX_BYTES 512U /* of one value, before escaping */
#define TAIL_BYTES 8U /* always free: closing quote, brace, newline */

static _Atomic int sink_level = SC_LOG_INFO;
static enum sc_log_format sink_format = SC_LOG_TEXT;
static void (*sink_redirect)(const char *line, size_t length);
static _Atomic uint64_t sink_lost; /* lines that stderr did not take since it last took one */
static atomic_bool sink_is_cut; /* the last line that it took is not whole */
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;

/* JOURNAL_STREAM is "DEVICE:INODE" of the stream that leads to the journal (systemd.exec(5)). */
static bool stderr_is_journal(void)
{
    const char *text = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat info;
    return text && sscanf(text, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &info) == 0 && info.st_dev == device && info.st_ino == inode;
}

const char *sc_log_error_prefix(void)
{
    return sink_format == SC_LOG_JOURNAL || stderr_is_journal() ? "<3>" : "";
}

void sc_log_init(enum sc_log_level level, enum sc_log_format format)
{
    sc_log_set_level(level);
    sink_format =
        format == SC_LOG_AUTO ? (stderr_is_journal() ? SC_LOG_JOURNAL : SC_LOG_TEXT) : format;
}

void sc_log_redirect(void (*sink)(const char *line, size_t length))
{
    sink_redirect = sink;
}

void sc_log_set_level(enum sc_log_level level)
{
    atomic_store_explicit(&sink_level, (int)level, memory_order_relaxed);
}

bool sc_log_enabled(enum sc_log_level level)
{
    return (int)level <= atomic_load_explicit(&sink_level, memory_order_relaxed);
}

static void put(struct sc_log_line *line, const char *bytes, size_t length)
{
    if (line->full || length > sizeof(line->text) - TAIL_BYTES - line->used) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->used, bytes, length);
    line->used += length;
}

/*
 * Control characters, quotes and backslashes as \xNN and friends; bytes that are not ASCII as \xNN
 * (text) or \u00NN (json).
 */
static void put_escaped(struct sc_log_line *line, const unsigned char *value, size_t length)
{
    const size_t shown = length > VALUE_MAX_BYTES ? VALUE_MAX_BYTES : length;
    for (size_t i = 0; i < shown; i++) {
        char escape[8];
        const unsigned char c = value[i];
        if (c == '"' || c == '\\') {
            escape[0] = '\\';
            escape[1] = (char)c;
            put(line, escape, 2);
        } else if (c >= 0x20 && c < 0x7f) {
            put(line, (const char *)&value[i], 1);
        } else {
            put(line, escape,
                (size_t)snprintf(escape, sizeof(escape), line->json ? "\\u%04x" : "\\x%02x",
                                 (unsigned)c));
        }
    }
    if (shown < length) {
        put(line, "...", 3);
    }
}

static void put_key(struct sc_log_line *line, const char *key)
{
    if (line->json) {
        put(line, ",\"", 2);
        put(line, key, strlen(key));
        put(line, "\":", 2);
    } else {
        put(line, " ", 1);
        put(line, key, strlen(key));
        put(line, "=", 1);
    }
}

/* Words that need no quotes in the text format. */
static bool is_plain(const unsigned char *value, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (value[i] <= ' ' || value[i] >= 0x7f || value[i] == '"' || value[i] == '\\' ||
            value[i] == '=') {
            return false;
        }
    }
    return length > 0 && length <= VALUE_MAX_BYTES;
}

static void begin_line(struct sc_log_line *line, enum sc_log_level level, const char *event)
{
    line->json = sink_format == SC_LOG_JSON;
    line->full = false;
    line->used = 0;
    char head[96];
    if (sink_format == SC_LOG_JOURNAL) {
        put(line, head, (size_t)snprintf(head, sizeof(head), "<%d>", priorities[level]));
        put(line, event, strlen(event));
        return;
    }
    char now[SC_CLOCK_RFC3339_BYTES + 1];
    sc_clock_rfc3339(sc_clock_wall(), now);
    const char *name = sc_log_level_names[level];
    const int length = line->json
                           ? snprintf(head, sizeof(head),
                                      "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"", now, name)
                           : snprintf(head, sizeof(head), "%s %s ", now, name);
    put(line, head, (size_t)length);
    put(line, event, strlen(event));
    if (line->json) {
        put(line, "\"", 1);
    }
}

bool sc_log_begin(struct sc_log_line *line, enum sc_log_level level, const char *event)
{
    if (!sc_log_enabled(level)) {
        return false;
    }
    begin_line(line, level, event);
    return true;
}

/* A key goes in with its whole value or not at all; what comes after it may fit. */
static void drop_if_cut(struct sc_log_line *line, size_t before)
{
    if (line->full) {
        line->used = before;
        line->full = false;
    }
}

void sc_log_bytes(struct sc_log_line *line, const char *key, const void *value, size_t length)
{
    const size_t before = line->used;
    put_key(line, key);
    if (!line->json && is_plain(value, length)) {
        put(line, value, length);
    } else {
        put(line, "\"", 1);
        put_escaped(line, value, length);
        put(line, "\"", 1);
    }
    drop_if_cut(line, before);
}

void sc_log_str(struct sc_log_line *line, const char *key, const char *value)
{
    sc_log_bytes(line, key, value, strlen(value));
}

void sc_log_u64(struct sc_log_line *line, const char *key, uint64_t value)
{
    char digits[24];
    const size_t before = line->used;
    put_key(line, key);
    put(line, digits, (size_t)snprintf(digits, sizeof(digits), "%" PRIu64, value));
    drop_if_cut(line, before);
}

bool sc_log_begin_limited(struct sc_log_line *line, struct sc_log_rate *rate, uint32_t per_second,
                          enum sc_log_level level, const char *event)
{
    if (!sc_log_enabled(level)) {
        return false;
    }
    const uint64_t second = sc_clock_ms() / 1000U;
    if (second != rate->second) {
        rate->second = second;
        rate->written = 0;
    }
    if (rate->written >= per_second) {
        rate->suppressed++;
        return false;
    }
    rate->written++;
    begin_line(line, level, event);
    if (rate->suppressed > 0) {
        sc_log_u64(line, "suppressed", rate->suppressed);
        rate->suppressed = 0;
    }
    return true;
}

void sc_log_fmt(struct sc_log_line *line, const char *key, const char *fmt, ...)
{
    char text[VALUE_MAX_BYTES + 64];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    sc_log_str(line, key, text);
}

static void end_line(struct sc_log_line *line)
{
    if (line->json) {
        line->text[line->used++] = '}';
    }
    line->text[line->used++] = '\n';
}

/*
 * Where stderr cannot be opened once more (no right to, no descriptor left): it does not wait for
 * the moment of the write. The lock, because another thread could take the flag away in between.
 */
static ssize_t write_without_waiting(const char *bytes, size_t length)
{
    ssize_t written = -1;
    (void)pthread_mutex_lock(&sink_lock);
    const int flags = fcntl(STDERR_FILENO, F_GETFL);
    if (flags >= 0 && fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK) == 0) {
        written = write(STDERR_FILENO, bytes, length);
        (void)fcntl(STDERR_FILENO, F_SETFL, flags);
    }
    (void)pthread_mutex_unlock(&sink_lock);
    return written;
}

/*
 * One write, so that lines of several threads never mix, and one that never waits: a reader that
 * has stopped must not stop the service. O_NONBLOCK belongs to the open file, which we share with
 * the process that started us, so a pipe or a terminal is opened once more for it. (Not a regular
 * file: that would be written from its beginning.)
 */
bool sc_log_write(const char *bytes, size_t length)
{
    struct stat info;
    ssize_t written = -1;
    if (fstat(STDERR_FILENO, &info) != 0) {
        return false;
    }
    if (S_ISSOCK(info.st_mode)) {
        written = send(STDERR_FILENO, bytes, length, MSG_DONTWAIT | MSG_NOSIGNAL);
    } else if (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode)) {
        const int own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        written = own >= 0 ? write(own, bytes, length) : write_without_waiting(bytes, length);
        if (own >= 0) {
            (void)close(own);
        }
    } else {
        written = write(STDERR_FILENO, bytes, length);
    }
    if (written > 0 && (size_t)written < length) {
        atomic_store_explicit(&sink_is_cut, true, memory_order_relaxed); /* a terminal */
    }
    return written == (ssize_t)length;
}

/* What was lost is said before the first line that is not. */
static bool write_loss(uint64_t lost)
{
    struct sc_log_line line;
    if (atomic_load_explicit(&sink_is_cut, memory_order_relaxed)) {
        if (!sc_log_write("\n", 1)) {
            return false;
        }
        atomic_store_explicit(&sink_is_cut, false, memory_order_relaxed);
    }
    begin_line(&line, SC_LOG_WARNING, "log_lost");
    sc_log_u64(&line, "lines", lost);
    sc_log_str(&line, "hint", "the reader of this log did not keep up");
    end_line(&line);
    return sc_log_write(line.text, line.used);
}

void sc_log_end(struct sc_log_line *line)
{
    end_line(line);
    if (sink_redirect) {
        sink_redirect(line->text, line->used);
        return;
    }
    const uint64_t lost = atomic_exchange_explicit(&sink_lost, 0, memory_order_relaxed);
    if (lost > 0 && !write_loss(lost)) {
        atomic_fetch_add_explicit(&sink_lost, lost + 1, memory_order_relaxed);
    } else if (!sc_log_write(line->text, line->used)) {
        atomic_fetch_add_explicit(&sink_lost, 1, memory_order_relaxed);
    }
}

void sc_log_message(enum sc_log_level level, const char *event, const char *fmt, ...)
{
    struct sc_log_line line;
    if (!sc_log_begin(&line, level, event)) {
        return;
    }
    char text[1024];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    sc_log_str(&line, "message", text);
    sc_log_end(&line);
}
