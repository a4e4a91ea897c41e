/* SPDX-License-Identifier: MIT */
/*
 * Requests whose bodies follow from a number, and the check of their replies. A script is sent in
 * any pieces while its replies are read and compared, so it never deadlocks against a server that
 * holds back.
 */
#ifndef SC_TESTS_SCRIPT_H
#define SC_TESTS_SCRIPT_H

#include <stddef.h>
#include <stdint.h>

#include "peer.h"

struct script_item {
    uint32_t type; /* of the request */
    uint32_t length;
    uint32_t seed;
    uint32_t error; /* expected ERROR code, 0: the reply of the type */
};

struct script {
    struct script_item *items;
    size_t count, capacity;
};

/* How the sender's side ends after the last request. */
enum script_close {
    SCRIPT_STAY_OPEN,
    SCRIPT_CLOSE_NOTIFY, /* TLS close_notify at once */
    SCRIPT_HALF_CLOSE, /* TCP half-close at once, without close_notify */
};

void script_add(struct script *script, uint32_t type, uint32_t length, uint32_t expected_error);
void script_free(struct script *script);

/* ECHO, REVERSE, TIME and unknown types of all the sizes at which something may go wrong. */
struct script script_of_borders(uint32_t max_body);
/* `count` requests of mixed types, up to `max_length` bytes each. */
struct script script_of_mix(unsigned count, uint32_t max_length);

/*
 * Sends all of it in records of `piece` bytes (0: of changing sizes), reads and checks every
 * reply. The process fails if one is wrong.
 */
void script_play(struct peer *peer, const struct script *script, size_t piece,
                 enum script_close close);

/* Only the one half. */
void script_send(struct peer *peer, const struct script *script);
void script_check(struct peer *peer, const struct script *script);

/*
 * Checks replies until the server goes away (ERROR 3) and ends the connection. Returns how many
 * requests were answered.
 */
size_t script_check_to_end(struct peer *peer, const struct script *script,
                           struct peer_ending *ending);

/* One request, header and body; `bytes` takes 8 + length. */
void script_request(const struct script_item *item, uint8_t *bytes);

#endif
