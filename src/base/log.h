/* SPDX-License-Identifier: MIT */
/*
 * The log sink. An event is one line, or one entry of the journal. It has a time, a level and
 * key=value pairs:
 *
 *   2026-11-21T01:22:03.123456Z warning tls_handshake_failed conn=17 peer=192.0.2.1:53122
 *   stage=hello reason=plaintext hint="..."
 *
 * Which events there are, their levels and their fields: base/log_events.def. What does not stand
 * there can't be logged.
 *
 * Formats, all with the same keys:
 *
 *   text      as above, on stderr
 *   json      one object a line, on stderr
 *   journal   an entry of the systemd journal with the fields SC_EVENT, SC_CONN, SC_PEER, ... (the
 *             keys in capitals), PRIORITY, and the line without time and level as MESSAGE; where
 *             the journal's socket can't be reached: that line on stderr with "<4>" in front, if
 *             stderr is the journal (JOURNAL_STREAM, systemd.exec(5)), else text
 *   auto      journal when stderr is the journal, else text
 *
 * Writing never waits. What stderr or the journal does not take at once is lost, and counted in a
 * line "log_lost" before the next that it takes. Values are escaped and cut here, so a caller may
 * pass what a peer sent. Values of numbers and plain words need no quotes, others get them.
 *
 * Building a line:
 *
 *   struct sc_log_line line;
 *   if (sc_log_begin(&line, SC_EVENT_KEY_ANNOUNCED)) {
 *       sc_log_str(&line, "next", text);
 *       sc_log_end(&line);
 *   }
 *
 * Thread: any, after sc_log_init().
 */
#ifndef SC_BASE_LOG_H
#define SC_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

enum sc_log_level { SC_LOG_ERROR, SC_LOG_WARNING, SC_LOG_INFO, SC_LOG_DEBUG };
enum sc_log_format { SC_LOG_AUTO, SC_LOG_TEXT, SC_LOG_JSON, SC_LOG_JOURNAL };

enum sc_event {
#define SC_EVENT(enumerator, level, event, fields, meaning, remedy) SC_EVENT_##enumerator,
#include "base/log_events.def"
    SC_EVENT_COUNT
};

/* The words of the options, in the order of the enumerators, NULL at the end. */
extern const char *const sc_log_level_names[];
extern const char *const sc_log_format_names[];

void sc_log_init(enum sc_log_level level, enum sc_log_format format);

/* Changes the level alone. Thread: any. */
void sc_log_set_level(enum sc_log_level level);

/*
 * Sends finished lines (with their newline) here instead of to stderr and the journal; NULL: there
 * again. For tests.
 */
void sc_log_redirect(void (*sink)(const char *line, size_t length));

/*
 * Another socket than the journal's, from the next sc_log_init() on. For tests. Borrowed.
 */
void sc_log_use_journal_socket(const char *path);

/*
 * What a line that a program prints on stderr for an error starts with: the journal's priority, or
 * nothing where stderr is not the journal. Also before sc_log_init().
 */
const char *sc_log_error_prefix(void);

enum sc_log_level sc_log_level_of(enum sc_event event);

struct sc_log_text {
    bool full; /* the key at hand does not fit */
    size_t used;
    char bytes[4096]; /* the largest value, each byte escaped, and others; what a pipe takes in one
                         piece */
};

struct sc_log_line {
    enum sc_log_format format;
    struct sc_log_text text;
    struct sc_log_text fields; /* of an entry of the journal; else not used */
};

/*
 * False: events of its level are not logged, do not build the line. Starts with time, level and
 * event.
 */
bool sc_log_begin(struct sc_log_line *line, enum sc_event event) SC_NODISCARD;
void sc_log_str(struct sc_log_line *line, const char *key, const char *value);
void sc_log_bytes(struct sc_log_line *line, const char *key, const void *value, size_t length);
void sc_log_u64(struct sc_log_line *line, const char *key, uint64_t value);
void sc_log_fmt(struct sc_log_line *line, const char *key, const char *fmt, ...) SC_PRINTF(3, 4);
void sc_log_end(struct sc_log_line *line);

/* A line with one key, "message". */
void sc_log_message(enum sc_event event, const char *fmt, ...) SC_PRINTF(2, 3);

/*
 * A finished line of another kind (with its newline) to stderr, in the same one write that never
 * waits. False: stderr did not take it.
 */
bool sc_log_write(const char *line, size_t length);

/*
 * The rate of one kind of line that a peer can provoke. Zero-initialised; one for each kind of
 * line and thread.
 */
struct sc_log_rate {
    uint64_t second;
    uint32_t written;
    uint64_t suppressed;
};

/*
 * Like sc_log_begin() for such a line: at most `per_second` are begun in a second, the others are
 * counted. The next line that is begun starts with suppressed=N when N were left out before it.
 */
bool sc_log_begin_limited(struct sc_log_line *line, struct sc_log_rate *rate, uint32_t per_second,
                          enum sc_event event) SC_NODISCARD;

#endif
