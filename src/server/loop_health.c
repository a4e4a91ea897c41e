/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/loop_health.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/mailbox.h"

#define BLOCKED_MS 1000U /* a loop that has not answered for so long is worth a line */

/* What the thread that asks knows of a loop. */
struct asked {
    bool waits;
    bool reported; /* the log says that it does not answer */
    uint32_t answered_before;
    uint64_t at_ms;
};

struct sc_loop_health {
    struct sc_worker *const *workers; /* with a loop of their own */
    size_t worker_count;
    struct asked *asked; /* of the workers, and last of the main loop */

    struct sc_mailbox *mailbox; /* of the main loop */
    struct sc_message question; /* the only one in it */
    uint64_t question_ns;
    struct sc_stats *main_stats;
    _Atomic uint32_t main_answered;
};

static void on_question(struct sc_message *message, void *arg)
{
    struct sc_loop_health *health = arg;
    (void)message;
    sc_stats_record(&health->main_stats->loop_lag, sc_clock_ns() - health->question_ns);
    atomic_fetch_add_explicit(&health->main_answered, 1, memory_order_release);
}

struct sc_loop_health *sc_loop_health_new(struct event_base *main_base, struct sc_stats *main_stats,
                                          struct sc_worker *const *workers, size_t worker_count,
                                          struct sc_err *err)
{
    struct sc_loop_health *health = calloc(1, sizeof(*health));
    if (health) {
        health->workers = workers;
        health->worker_count = worker_count > 1 ? worker_count : 0; /* one runs in the main loop */
        health->main_stats = main_stats;
        health->asked = calloc(health->worker_count + 1, sizeof(*health->asked));
    }
    if (!health || !health->asked) {
        (void)sc_err_set(err, EX_OSERR, "can't watch the event loops: out of memory");
        sc_loop_health_free(health);
        return NULL;
    }
    health->mailbox = sc_mailbox_new(main_base, on_question, health, err);
    if (!health->mailbox) {
        sc_loop_health_free(health);
        return NULL;
    }
    return health;
}

static uint32_t answered(const struct sc_loop_health *health, size_t i)
{
    return i < health->worker_count
               ? sc_worker_pings_answered(health->workers[i])
               : atomic_load_explicit(&health->main_answered, memory_order_acquire);
}

static void ask(struct sc_loop_health *health, size_t i)
{
    if (i < health->worker_count) {
        sc_worker_ping(health->workers[i]);
    } else {
        health->question_ns = sc_clock_ns();
        sc_mailbox_post(health->mailbox, &health->question);
    }
}

static void log_loop(const struct sc_loop_health *health, size_t i, bool blocked, uint64_t ms)
{
    struct sc_log_line line;
    if (!sc_log_begin(&line, blocked ? SC_EVENT_EVENT_LOOP_BLOCKED : SC_EVENT_EVENT_LOOP_RUNS)) {
        return;
    }
    if (i < health->worker_count) {
        sc_log_fmt(&line, "loop", "worker-%zu", i);
    } else {
        sc_log_str(&line, "loop", "main");
    }
    sc_log_u64(&line, "ms", ms);
    sc_log_str(&line, "hint",
               blocked ? "an event loop does not run, and its clients wait; its thread has this "
                         "name in top -H and gdb -p"
                       : "the event loop runs again");
    sc_log_end(&line);
}

void sc_loop_health_ask(struct sc_loop_health *health)
{
    const uint64_t now_ms = sc_clock_ms();
    for (size_t i = 0; i <= health->worker_count; i++) {
        struct asked *asked = &health->asked[i];
        const uint32_t so_far = answered(health, i);
        const uint64_t since_ms = now_ms - asked->at_ms;
        if (!asked->waits || so_far != asked->answered_before) {
            if (asked->reported) {
                log_loop(health, i, false, since_ms);
            }
            *asked = (struct asked){.waits = true, .answered_before = so_far, .at_ms = now_ms};
            ask(health, i);
        } else if (!asked->reported && since_ms >= BLOCKED_MS) {
            log_loop(health, i, true, since_ms);
            asked->reported = true;
        }
    }
}

uint64_t sc_loop_health_silent_ms(const struct sc_loop_health *health)
{
    const uint64_t now_ms = sc_clock_ms();
    uint64_t longest_ms = 0;
    for (size_t i = 0; i <= health->worker_count; i++) {
        const struct asked *asked = &health->asked[i];
        if (asked->waits && answered(health, i) == asked->answered_before &&
            now_ms - asked->at_ms > longest_ms) {
            longest_ms = now_ms - asked->at_ms;
        }
    }
    return longest_ms;
}

void sc_loop_health_free(struct sc_loop_health *health)
{
    if (health) {
        sc_mailbox_free(health->mailbox, NULL);
        free(health->asked);
        free(health);
    }
}
