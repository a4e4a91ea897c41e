/* SPDX-License-Identifier: MIT */
/* Bytes that wait: added at the end, taken from the front, in one piece. Thread: one. */
#ifndef SC_LIB_BYTE_QUEUE_H
#define SC_LIB_BYTE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/compiler.h"

/* Zero-initialised: empty. */
struct sc_byte_queue {
    uint8_t *memory;
    size_t first, count, room;
};

/* Copies; -1: out of memory, and the queue is as before. */
int sc_byte_queue_add(struct sc_byte_queue *queue, const uint8_t *bytes, size_t count) SC_NODISCARD;

/* What waits; valid until something is added or dropped. */
static inline const uint8_t *sc_byte_queue_front(const struct sc_byte_queue *queue)
{
    return queue->count > 0 ? queue->memory + queue->first : NULL;
}

/* At most `count`, from the front. An empty queue keeps no more than 4 KiB of memory. */
void sc_byte_queue_drop(struct sc_byte_queue *queue, size_t count);

void sc_byte_queue_fini(struct sc_byte_queue *queue);

#endif
