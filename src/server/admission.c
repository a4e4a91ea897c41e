/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admission.h"

#include "base/clock.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define BURST_NS (NS_PER_SECOND / 10)

static void set_interval(struct sc_admission_budget *budget, uint64_t interval_ns)
{
    atomic_store_explicit(&budget->interval_ns, interval_ns, memory_order_relaxed);
}

static uint64_t get_interval(const struct sc_admission_budget *budget)
{
    return atomic_load_explicit(&budget->interval_ns, memory_order_relaxed);
}

void sc_admission_set_rate(struct sc_admission *admission, uint32_t per_second)
{
    const uint64_t interval_ns = per_second == 0 ? 0 : NS_PER_SECOND / per_second;
    set_interval(&admission->full, interval_ns);
    set_interval(&admission->resumed, interval_ns / SC_ADMISSION_RESUMED_PER_FULL);
}

/* When the bucket would be full again after one more token, and until when that may be at most. */
static uint64_t full_after_one(uint64_t full_at, uint64_t interval_ns, uint64_t now)
{
    return (full_at > now ? full_at : now) + interval_ns;
}

static uint64_t latest_full(uint64_t interval_ns, uint64_t now)
{
    return now + (interval_ns > BURST_NS ? interval_ns : BURST_NS);
}

void sc_admission_set_budget(struct sc_admission_budget *budget, uint32_t per_second)
{
    set_interval(budget, per_second == 0 ? 0 : NS_PER_SECOND / per_second);
}

bool sc_admission_try(struct sc_admission_budget *budget)
{
    const uint64_t interval_ns = get_interval(budget), now = sc_clock_ns();
    uint64_t full_at = atomic_load_explicit(&budget->full_at_ns, memory_order_relaxed);
    uint64_t next;
    do {
        next = full_after_one(full_at, interval_ns, now);
        if (interval_ns != 0 && next > latest_full(interval_ns, now)) {
            return false;
        }
    } while (!atomic_compare_exchange_weak_explicit(&budget->full_at_ns, &full_at, next,
                                                    memory_order_relaxed, memory_order_relaxed));
    return true;
}

void sc_admission_give_back(struct sc_admission_budget *budget)
{
    /*
     * Below "now" means full: going too far back gives nothing extra. Never below 0: a reload may
     * have made the interval longer.
     */
    const uint64_t interval_ns = get_interval(budget);
    uint64_t full_at = atomic_load_explicit(&budget->full_at_ns, memory_order_relaxed);
    uint64_t earlier;
    do {
        earlier = full_at > interval_ns ? full_at - interval_ns : 0;
    } while (!atomic_compare_exchange_weak_explicit(&budget->full_at_ns, &full_at, earlier,
                                                    memory_order_relaxed, memory_order_relaxed));
}

uint64_t sc_admission_wait_ns(const struct sc_admission_budget *budget)
{
    const uint64_t interval_ns = get_interval(budget), now = sc_clock_ns();
    const uint64_t next = full_after_one(
        atomic_load_explicit(&budget->full_at_ns, memory_order_relaxed), interval_ns, now);
    const uint64_t latest = latest_full(interval_ns, now);
    return interval_ns != 0 && next > latest ? next - latest : 0;
}
