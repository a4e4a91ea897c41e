/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "lib/byte_queue.h"
#include "suite.h"

/* Bytes that tell where they were in the stream. */
static void add(struct sc_byte_queue *queue, size_t *at, size_t count)
{
    uint8_t bytes[70000];
    for (size_t i = 0; i < count; i++) {
        bytes[i] = (uint8_t)((*at + i) * 31 >> 3);
    }
    ck_assert_int_eq(sc_byte_queue_add(queue, bytes, count), 0);
    *at += count;
}

static void take(struct sc_byte_queue *queue, size_t *at, size_t count)
{
    const uint8_t *front = sc_byte_queue_front(queue);
    for (size_t i = 0; i < count; i++) {
        if (front[i] != (uint8_t)((*at + i) * 31 >> 3)) {
            ck_abort_msg("byte %zu is another one", *at + i);
        }
    }
    *at += count;
    sc_byte_queue_drop(queue, count);
}

START_TEST(bytes_come_out_as_they_went_in)
{
    static const size_t in[] = {1, 1023, 4096, 70000, 3, 16384, 900},
                        out[] = {1, 500, 5000, 60000, 1, 9, 20000};
    struct sc_byte_queue queue = {0};
    size_t added = 0, taken = 0;
    for (size_t i = 0; i < 2000; i++) {
        add(&queue, &added, in[i % 7]);
        const size_t want = out[(i * 3) % 7];
        take(&queue, &taken, want < queue.count ? want : queue.count);
        ck_assert_uint_eq(queue.count, added - taken);
        ck_assert_uint_le(queue.first + queue.count, queue.room);
        ck_assert_uint_le(queue.room, 3 * (queue.first + queue.count) + 70000 * 3);
    }
    take(&queue, &taken, queue.count);
    ck_assert_ptr_null(sc_byte_queue_front(&queue));
    sc_byte_queue_fini(&queue);
}
END_TEST

START_TEST(an_empty_queue_keeps_little_memory)
{
    struct sc_byte_queue queue = {0};
    size_t at = 0;
    ck_assert_ptr_null(sc_byte_queue_front(&queue));
    add(&queue, &at, 100);
    sc_byte_queue_drop(&queue, 100);
    ck_assert_uint_le(queue.room, 4096);
    ck_assert_uint_gt(queue.room, 0);
    add(&queue, &at, 60000);
    sc_byte_queue_drop(&queue, 70000); /* more than there is: all of it */
    ck_assert_uint_eq(queue.count, 0);
    ck_assert_uint_eq(queue.room, 0);
    sc_byte_queue_fini(&queue);
}
END_TEST

SUITE_MAIN("byte_queue", bytes_come_out_as_they_went_in, an_empty_queue_keeps_little_memory)
