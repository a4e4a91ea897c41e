/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "modes.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "peer.h"
#include "script.h"
#include "proto/frame.h"

struct group {
    struct peer *peers;
    size_t count;
};

static struct group open_group(uint64_t count)
{
    struct group group = {.peers = calloc(count + 1, sizeof(struct peer)), .count = (size_t)count};
    if (!group.peers) {
        peer_fail("out of memory");
    }
    for (size_t i = 0; i < group.count; i++) {
        group.peers[i] = peer_open_tls();
    }
    return group;
}

/* The peers' deadlines start again. */
static void begin_round(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        group->peers[i].deadline_ns = sc_clock_ns() + peer_settings.deadline_ms * 1000000U;
    }
}

static void close_group(struct group *group)
{
    for (size_t i = 0; i < group->count; i++) {
        peer_close(&group->peers[i]);
    }
    free(group->peers);
}

/* One request to each, then the reply of each. */
static void run_round(struct group *group, const struct script *script)
{
    begin_round(group);
    for (size_t i = 0; i < group->count; i++) {
        script_send(&group->peers[i], script);
    }
    for (size_t i = 0; i < group->count; i++) {
        script_check(&group->peers[i], script);
    }
}

/* The longest time that one client alone waited for its reply, of `samples`. */
static uint64_t longest_wait_us(struct group *group, unsigned samples)
{
    struct script script = {0};
    uint64_t longest = 0;
    script_add(&script, SC_FRAME_ECHO, 64, 0);
    for (unsigned i = 0; i < samples; i++) {
        struct peer *peer = &group->peers[i * 7919U % group->count];
        const uint64_t start = sc_clock_ns();
        peer->deadline_ns = start + peer_settings.deadline_ms * 1000000U;
        script_send(peer, &script);
        script_check(peer, &script);
        const uint64_t took = (sc_clock_ns() - start) / 1000;
        longest = took > longest ? took : longest;
    }
    script_free(&script);
    return longest;
}

/* Many right clients at once, each with right replies; `piece` rounds. */
void mode_many(const struct mode_options *options)
{
    const uint64_t start = sc_clock_ns();
    struct group group = open_group(options->count);
    struct script script = script_of_mix(4, 600);
    const uint64_t opened = sc_clock_ns();
    mode_announce_ready(options);
    for (uint64_t round = 0; round < options->piece; round++) {
        run_round(&group, &script);
    }
    const uint64_t replies = group.count * options->piece * script.count;
    /* On a busy machine each takes its time: many only where they are asserted. */
    const uint64_t longest =
        group.count ? longest_wait_us(&group, options->at_most_ms ? 500 : 20) : 0;
    printf("%zu clients at once: connected in %llu ms, %llu right replies in %llu ms, one alone "
           "waited %llu us at most\n",
           group.count, (unsigned long long)((opened - start) / 1000000U),
           (unsigned long long)replies, (unsigned long long)((sc_clock_ns() - opened) / 1000000U),
           (unsigned long long)longest);
    if (options->at_most_ms && longest > options->at_most_ms * 1000) {
        peer_fail("a client waited %llu us for its reply", (unsigned long long)longest);
    }
    script_free(&script);
    close_group(&group);
}

static void check_goodbye(const struct peer_ending *ending, size_t which)
{
    if (ending->errors != 1 || ending->code != SC_ERROR_GOING_AWAY ||
        ending->end != PEER_CLOSE_NOTIFY || ending->retry_after_ms == 0) {
        peer_fail("client %zu: %u ERROR frames, code %u, retry after %u ms, then %s", which,
                  ending->errors, ending->code, ending->retry_after_ms,
                  peer_end_names[ending->end]);
    }
}

static int compare_advice(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* Up to a thousand clients come back within a second, each at a time of its own. */
static void check_spread(uint32_t *advice, size_t count)
{
    qsort(advice, count, sizeof(*advice), compare_advice);
    const uint32_t spread = advice[count - 1] - advice[0];
    if (spread < 800 || spread > 1200) {
        peer_fail("%zu clients come back within %u ms, not a second", count, spread);
    }
    for (size_t i = 1; i < count; i++) {
        if (advice[i] == advice[i - 1]) {
            peer_fail("two of %zu clients come back after %u ms", count, advice[i]);
        }
    }
}

/*
 * Connections that live through the server's end: every request that has arrived is answered, then
 * ERROR 3 with advice, then close_notify. With a go file nothing is read before the test says so:
 * the requests wait in the server's socket because the replies to the first of them are not taken.
 * With --how partial some requests may still have been on their way, in our own kernel: then the
 * first so many are answered.
 */
void mode_drain(const struct mode_options *options)
{
    const bool partial = options->how && strcmp(options->how, "partial") == 0;
    struct group group = open_group(options->count);
    struct script script = script_of_mix((unsigned)options->piece, (uint32_t)options->bytes);
    uint32_t *advice = calloc(group.count + 1, sizeof(*advice));
    uint32_t soonest = UINT32_MAX;
    uint32_t latest = 0;
    size_t answered = 0;
    if (!advice) {
        peer_fail("out of memory");
    }
    for (size_t i = 0; i < group.count; i++) {
        script_send(&group.peers[i], &script);
    }
    mode_announce_ready(options);
    mode_wait_for_go(options);
    begin_round(&group);
    for (size_t i = 0; i < group.count; i++) {
        struct peer_ending ending;
        const size_t replies = script_check_to_end(&group.peers[i], &script, &ending);
        check_goodbye(&ending, i);
        if (replies < script.count && !partial) {
            peer_fail("client %zu: %zu replies to %zu requests", i, replies, script.count);
        }
        answered += replies;
        advice[i] = ending.retry_after_ms;
        soonest = ending.retry_after_ms < soonest ? ending.retry_after_ms : soonest;
        latest = ending.retry_after_ms > latest ? ending.retry_after_ms : latest;
    }
    printf("%zu clients, %zu replies to %zu requests, then ERROR 3 (retry after %u to %u ms) and "
           "close_notify\n",
           group.count, answered, group.count * script.count, soonest, latest);
    if (group.count >= 20) {
        check_spread(advice, group.count);
    }
    free(advice);
    script_free(&script);
    close_group(&group);
}
