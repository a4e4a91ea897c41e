/* SPDX-License-Identifier: MIT */
/*
 * The modes of tests/tools/hostile: each is one connection (or many) that misbehaves in one way
 * and says what it saw.
 */
#ifndef SC_TESTS_MODES_H
#define SC_TESTS_MODES_H

#include <stdbool.h>
#include <stdint.h>

struct mode_options {
    uint64_t at_least_ms; /* the server may end the connection no sooner */
    uint64_t at_most_ms; /* and must by then; 0: the peer itself gives up after give_up_ms, and that
                            is right */
    uint64_t give_up_ms;
    uint64_t interval_ms; /* between the drops of a drip */
    uint64_t bytes; /* to send, or to announce */
    uint64_t count; /* connections, requests, updates */
    uint64_t piece;
    uint64_t max_body;
    bool expect_end; /* key-update, early-data: the server must end it */
    const char *how;
    const char *ready_file; /* made when the peer has reached its state */
    const char *go_file; /* drain, record-flood: nothing is read, or sent, before it is there */
};

/* Below TLS (modes_tcp.c). */
void mode_silent(const struct mode_options *options);
void mode_drip_hello(const struct mode_options *options);
void mode_plain(const struct mode_options *options);
void mode_reset(const struct mode_options *options);
void mode_refused(const struct mode_options *options);

/* Frames (modes_frame.c). */
void mode_split(const struct mode_options *options);
void mode_half_close(const struct mode_options *options);
void mode_truncate(const struct mode_options *options);
void mode_too_large(const struct mode_options *options);
void mode_alpn(const struct mode_options *options);
void mode_key_update(const struct mode_options *options);

/* Records and messages of TLS (modes_tls.c). */
void mode_split_message(const struct mode_options *options);
void mode_early_data(const struct mode_options *options);
void mode_record_flood(const struct mode_options *options);

/* ClientHellos (modes_hello.c). */
void mode_replay(const struct mode_options *options);
void mode_resume(const struct mode_options *options);
void mode_hello_reset(const struct mode_options *options);
void mode_long_hello(const struct mode_options *options);
void mode_split_hello(const struct mode_options *options);

/* What a connection holds of the server (modes_hold.c). */
void mode_hold(const struct mode_options *options);

/* Time and load (modes_slow.c). */
void mode_drip_frame(const struct mode_options *options);
void mode_idle(const struct mode_options *options);
void mode_never_read(const struct mode_options *options);
void mode_slow_read(const struct mode_options *options);

/* Many connections (modes_many.c). */
void mode_many(const struct mode_options *options);
void mode_drain(const struct mode_options *options);

struct peer;
/* Waits for the end that the server makes and checks its time; prints what was seen. */
void mode_expect_end(struct peer *peer, const struct mode_options *options, const char *after);
void mode_announce_ready(const struct mode_options *options);
/* Returns when the go file is there; at once when there is to be none. */
void mode_wait_for_go(const struct mode_options *options);

#endif
