/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/byte_queue.h"

#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES ((size_t)4096)
#define FIRST_BYTES ((size_t)1024)

/* Moves what waits into memory of this size. */
static int move_to(struct sc_byte_queue *queue, size_t room)
{
    uint8_t *memory = malloc(room);
    if (!memory) {
        return -1;
    }
    if (queue->count > 0) {
        memcpy(memory, queue->memory + queue->first, queue->count);
    }
    free(queue->memory);
    queue->memory = memory;
    queue->first = 0;
    queue->room = room;
    return 0;
}

int sc_byte_queue_add(struct sc_byte_queue *queue, const uint8_t *bytes, size_t count)
{
    if (count > queue->room - queue->first - queue->count) {
        const size_t needed = queue->count + count;
        size_t room = FIRST_BYTES;
        /* Half as much again, so that a long queue is not moved for each small piece. */
        while (room < needed + needed / 2) {
            room *= 2;
        }
        if (move_to(queue, room) != 0) {
            return -1;
        }
    }
    memcpy(queue->memory + queue->first + queue->count, bytes, count);
    queue->count += count;
    return 0;
}

void sc_byte_queue_drop(struct sc_byte_queue *queue, size_t count)
{
    if (count < queue->count) {
        queue->first += count;
        queue->count -= count;
        return;
    }
    queue->first = queue->count = 0;
    if (queue->room > KEPT_BYTES) {
        sc_byte_queue_fini(queue);
    }
}

void sc_byte_queue_fini(struct sc_byte_queue *queue)
{
    free(queue->memory);
    *queue = (struct sc_byte_queue){0};
}
