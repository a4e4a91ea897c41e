/*
 * The log sink: one line an event, on stderr, written with one write(2) that never waits: lines
 * that stderr does not take are lost, and counted in a line "log_lost" before the next that it
 * takes. A line is time, level, event, and key=value pairs:
 *
 *   2026-11-21T01:22:03.123456Z warning tls_handshake_failed conn=17 peer=192.0.2.1:53122
 *   stage=hello reason=plaintext hint="..."
 *
 * Formats: text as above; json, the same keys, one object a line; journal, "<4>" in front and no
 * time, as the journal wants it; auto, journal when stderr is the journal (JOURNAL_STREAM,
 * systemd.exec(5)), else text. Values are escaped and cut here, so a caller may pass what a peer
 * sent. Values of numbers and plain words need no quotes, others get them.
 *
 * Building a line:
 *
 *   struct sc_log_line line;
 *   if (sc_log_begin(&line, SC_LOG_INFO, "listening")) {
 *       sc_log_str(&line, "address", text);
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

/* The words of the options, in the order of the enumerators, NULL at the end. */
extern const char *const sc_log_level_names[];
extern const char *const sc_log_format_names[];

void sc_log_init(enum sc_log_level level, enum sc_log_format format);

/* Changes the level alone. Thread: any. */
void sc_log_set_level(enum sc_log_level level);

/*
 * Sends finished lines (with their newline) here instead of to stderr; NULL: to stderr again. For
 * tests.
 */
void sc_log_redirect(void (*sink)(const char *line, size_t length));

/*
 * What a line that a program prints on stderr for an error starts with: the journal's priority, or
 * nothing where nobody reads it. Also before sc_log_init().
 */
const char *sc_log_error_prefix(void);

bool sc_log_enabled(enum sc_log_level level);

struct sc_log_line {
    bool json;
    bool full; /* the key at hand does not fit */
    size_t used;
    char text[4096]; /* the largest value, each byte escaped, and others; what a pipe takes in one
                        piece */
};

/* False: this level is not logged, do not build the line. Starts with time, level and event. */
bool sc_log_begin(struct sc_log_line *line, enum sc_log_level level,
                  const char *event) SC_NODISCARD;
void sc_log_str(struct sc_log_line *line, const char *key, const char *value);
void sc_log_bytes(struct sc_log_line *line, const char *key, const void *value, size_t length);
void sc_log_u64(struct sc_log_line *line, const char *key, uint64_t value);
void sc_log_fmt(struct sc_log_line *line, const char *key, const char *fmt, ...) SC_PRINTF(3, 4);
void sc_log_end(struct sc_log_line *line);

/* A line with one key, "message". */
void sc_log_message(enum sc_log_level level, const char *event, const char *fmt, ...)
    SC_PRINTF(3, 4);

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
                          enum sc_log_level level, const char *event) SC_NODISCARD;

#endif
