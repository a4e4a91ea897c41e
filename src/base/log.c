/* SPDX-License-Identifier: MIT */
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
#include "base/journal.h"

const char *const sc_log_level_names[] = {"error", "warning", "info", "debug", NULL};
const char *const sc_log_format_names[] = {"auto", "text", "json", "journal", NULL};

/* syslog(3) priorities, as the journal wants them. */
static const int priorities[] = {3, 4, 6, 7};
#define PRIORITY_OF_ERROR "<3>"
#define PRIORITY_BYTES (sizeof(PRIORITY_OF_ERROR) - 1)

static const struct {
    const char *name;
    enum sc_log_level level;
} events[] = {
#define SC_EVENT(enumerator, level, event, fields, meaning, remedy) {event, SC_LOG_##level},
#include "base/log_events.def"
};

#define VALUE_MAX_BYTES 512U /* of one value, before escaping */
#define TAIL_BYTES 8U /* always free: closing quote, brace, newline */

static _Atomic int sink_level = SC_LOG_INFO;
static enum sc_log_format sink_format = SC_LOG_TEXT;
static struct sc_journal sink_journal = {.fd = -1};
static const char *sink_journal_socket = SC_JOURNAL_SOCKET;
static void (*sink_redirect)(const char *line, size_t length);
static _Atomic uint64_t sink_lost; /* lines that were not taken since one was */
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
    return stderr_is_journal() ? PRIORITY_OF_ERROR : "";
}

void sc_log_init(enum sc_log_level level, enum sc_log_format format)
{
    const bool journal = stderr_is_journal();
    sc_log_set_level(level);
    sc_journal_close(&sink_journal);
    sink_format = format != SC_LOG_AUTO ? format : journal ? SC_LOG_JOURNAL : SC_LOG_TEXT;
    if (sink_format == SC_LOG_JOURNAL && !sc_journal_open(&sink_journal, sink_journal_socket) &&
        !journal) {
        sink_format = SC_LOG_TEXT;
    }
}

void sc_log_use_journal_socket(const char *path)
{
    sink_journal_socket = path;
}

void sc_log_redirect(void (*sink)(const char *line, size_t length))
{
    sink_redirect = sink;
}

void sc_log_set_level(enum sc_log_level level)
{
    atomic_store_explicit(&sink_level, (int)level, memory_order_relaxed);
}

static bool is_enabled(enum sc_log_level level)
{
    return (int)level <= atomic_load_explicit(&sink_level, memory_order_relaxed);
}

enum sc_log_level sc_log_level_of(enum sc_event event)
{
    return events[event].level;
}

static void put(struct sc_log_text *text, const char *bytes, size_t length)
{
    if (text->full || length > sizeof(text->bytes) - TAIL_BYTES - text->used) {
        text->full = true;
        return;
    }
    memcpy(text->bytes + text->used, bytes, length);
    text->used += length;
}

static void put_str(struct sc_log_text *text, const char *string)
{
    put(text, string, strlen(string));
}

/*
 * Control characters and bytes that are not ASCII as \xNN, in json as \u00NN; a backslash before
 * backslashes, and before quotes where the value stands in quotes.
 */
static void put_escaped(struct sc_log_text *text, const unsigned char *value, size_t length,
                        enum sc_log_format format)
{
    const size_t shown = length > VALUE_MAX_BYTES ? VALUE_MAX_BYTES : length;
    for (size_t i = 0; i < shown; i++) {
        char escape[8];
        const unsigned char c = value[i];
        if (c == '\\' || (c == '"' && format != SC_LOG_JOURNAL)) {
            escape[0] = '\\';
            escape[1] = (char)c;
            put(text, escape, 2);
        } else if (c >= 0x20 && c < 0x7f) {
            put(text, (const char *)&value[i], 1);
        } else {
            put(text, escape,
                (size_t)snprintf(escape, sizeof(escape),
                                 format == SC_LOG_JSON ? "\\u%04x" : "\\x%02x", (unsigned)c));
        }
    }
    if (shown < length) {
        put(text, "...", 3);
    }
}

static void put_key(struct sc_log_line *line, const char *key)
{
    const bool json = line->format == SC_LOG_JSON;
    put_str(&line->text, json ? ",\"" : " ");
    put_str(&line->text, key);
    put_str(&line->text, json ? "\":" : "=");
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

/* "SC_CONN=" for "conn". */
static void put_field_name(struct sc_log_text *fields, const char *key)
{
    put(fields, "SC_", 3);
    for (; *key; key++) {
        const char c = *key >= 'a' && *key <= 'z' ? (char)(*key - 'a' + 'A') : *key;
        put(fields, &c, 1);
    }
    put(fields, "=", 1);
}

/* "<4>": what stderr needs where it is the journal; its own socket has a field for it. */
static void begin_entry(struct sc_log_line *line, enum sc_event event)
{
    char head[64];
    const int priority = priorities[events[event].level];
    put(&line->text, head, (size_t)snprintf(head, sizeof(head), "<%d>", priority));
    put_str(&line->text, events[event].name);
    line->fields.used = 0;
    line->fields.full = false;
    put(&line->fields, head, (size_t)snprintf(head, sizeof(head), "PRIORITY=%d\n", priority));
    put_str(&line->fields, "SYSLOG_IDENTIFIER=");
    put_str(&line->fields, program_invocation_short_name);
    put_str(&line->fields, "\nSC_EVENT=");
    put_str(&line->fields, events[event].name);
    put_str(&line->fields, "\n");
}

static void begin_line(struct sc_log_line *line, enum sc_event event)
{
    char head[96];
    char now[SC_CLOCK_RFC3339_BYTES + 1];
    const char *level = sc_log_level_names[events[event].level];
    line->format = sink_format;
    line->text.used = 0;
    line->text.full = false;
    if (line->format == SC_LOG_JOURNAL) {
        begin_entry(line, event);
        return;
    }
    sc_clock_rfc3339(sc_clock_wall(), now);
    const bool json = line->format == SC_LOG_JSON;
    const int length = json ? snprintf(head, sizeof(head),
                                       "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"", now, level)
                            : snprintf(head, sizeof(head), "%s %s ", now, level);
    put(&line->text, head, (size_t)length);
    put_str(&line->text, events[event].name);
    put_str(&line->text, json ? "\"" : "");
}

bool sc_log_begin(struct sc_log_line *line, enum sc_event event)
{
    if (!is_enabled(events[event].level)) {
        return false;
    }
    begin_line(line, event);
    return true;
}

/* A key goes in with its whole value or not at all; what comes after it may fit. */
static void drop_if_cut(struct sc_log_text *text, size_t before)
{
    if (text->full) {
        text->used = before;
        text->full = false;
    }
}

/* `bare`: without quotes, and free of what needs escaping. */
static void put_pair(struct sc_log_line *line, const char *key, const void *value, size_t length,
                     bool bare)
{
    const size_t text_before = line->text.used;
    put_key(line, key);
    if (bare) {
        put(&line->text, value, length);
    } else {
        put(&line->text, "\"", 1);
        put_escaped(&line->text, value, length,
                    line->format == SC_LOG_JSON ? SC_LOG_JSON : SC_LOG_TEXT);
        put(&line->text, "\"", 1);
    }
    drop_if_cut(&line->text, text_before);
    if (line->format == SC_LOG_JOURNAL) {
        const size_t fields_before = line->fields.used;
        put_field_name(&line->fields, key);
        put_escaped(&line->fields, value, length, SC_LOG_JOURNAL);
        put(&line->fields, "\n", 1);
        drop_if_cut(&line->fields, fields_before);
    }
}

void sc_log_bytes(struct sc_log_line *line, const char *key, const void *value, size_t length)
{
    put_pair(line, key, value, length, line->format != SC_LOG_JSON && is_plain(value, length));
}

void sc_log_str(struct sc_log_line *line, const char *key, const char *value)
{
    sc_log_bytes(line, key, value, strlen(value));
}

void sc_log_u64(struct sc_log_line *line, const char *key, uint64_t value)
{
    char digits[24];
    const int length = snprintf(digits, sizeof(digits), "%" PRIu64, value);
    put_pair(line, key, digits, (size_t)length, true);
}

bool sc_log_begin_limited(struct sc_log_line *line, struct sc_log_rate *rate, uint32_t per_second,
                          enum sc_event event)
{
    if (!is_enabled(events[event].level)) {
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
    begin_line(line, event);
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
    struct sc_log_text *text = &line->text;
    if (line->format == SC_LOG_JSON) {
        text->bytes[text->used++] = '}';
    }
    text->bytes[text->used++] = '\n';
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

/* To where lines go. */
static bool write_line(struct sc_log_line *line)
{
    if (sink_journal.fd < 0) {
        return sc_log_write(line->text.bytes, line->text.used);
    }
    static char name[] = "MESSAGE=";
    struct iovec parts[] = {
        {.iov_base = name, .iov_len = sizeof(name) - 1},
        {.iov_base = line->text.bytes + PRIORITY_BYTES,
         .iov_len = line->text.used - PRIORITY_BYTES},
        {.iov_base = line->fields.bytes, .iov_len = line->fields.used},
    };
    return sc_journal_send(&sink_journal, parts, SC_COUNT_OF(parts));
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
    begin_line(&line, SC_EVENT_LOG_LOST);
    sc_log_u64(&line, "lines", lost);
    sc_log_str(&line, "hint",
               "the reader of this log did not keep up, or there was no room for it");
    end_line(&line);
    return write_line(&line);
}

void sc_log_end(struct sc_log_line *line)
{
    end_line(line);
    if (sink_redirect) {
        sink_redirect(line->text.bytes, line->text.used);
        return;
    }
    const uint64_t lost = atomic_exchange_explicit(&sink_lost, 0, memory_order_relaxed);
    if (lost > 0 && !write_loss(lost)) {
        atomic_fetch_add_explicit(&sink_lost, lost + 1, memory_order_relaxed);
    } else if (!write_line(line)) {
        atomic_fetch_add_explicit(&sink_lost, 1, memory_order_relaxed);
    }
}

void sc_log_message(enum sc_event event, const char *fmt, ...)
{
    struct sc_log_line line;
    if (!sc_log_begin(&line, event)) {
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
