/* SPDX-License-Identifier: MIT */
/*
 * Copies of the requests that have no reply yet, oldest first, so that another connection can send
 * them again. The owner bounds them. Thread: one.
 */
#ifndef SC_LIB_KEPT_REQUESTS_H
#define SC_LIB_KEPT_REQUESTS_H

#include <stddef.h>
#include <stdint.h>

struct sc_kept_request {
    struct sc_kept_request *next;
    uint32_t type;
    size_t length;
    uint8_t body[];
};

/* All zeros: none. */
struct sc_kept_requests {
    struct sc_kept_request *first, *last;
    size_t count;
    uint64_t bytes; /* of their bodies */
};

/* A copy, to be appended or free()d. NULL: out of memory. */
struct sc_kept_request *sc_kept_request_new(uint32_t type, const void *body, size_t length);
void sc_kept_requests_append(struct sc_kept_requests *requests, struct sc_kept_request *request);

/* Drops the oldest one; fine without any. */
void sc_kept_requests_drop_first(struct sc_kept_requests *requests);

void sc_kept_requests_drop_all(struct sc_kept_requests *requests);

#endif
