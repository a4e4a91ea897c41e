/* SPDX-License-Identifier: MIT */
/*
 * Rate limits of handshakes (handshake-rate): budgets that all workers share. A budget is a bucket
 * of tokens that fills at its rate and holds those of a tenth of a second, at least one (GCRA);
 * taking a token is one compare-and-swap. Thread: any. Zero-initialised: no limit.
 */
#ifndef SC_SERVER_ADMISSION_H
#define SC_SERVER_ADMISSION_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

struct sc_admission_budget {
    _Atomic uint64_t interval_ns; /* between two tokens; 0: no limit */
    _Atomic uint64_t full_at_ns; /* when the bucket is full again if nothing more is taken */
};

/*
 * Resumed handshakes that are allowed for each full one: in TLS 1.3 they save the signature, but
 * not the key exchange (docs/operations.md).
 */
#define SC_ADMISSION_RESUMED_PER_FULL 4U

struct sc_admission {
    struct sc_admission_budget full, resumed;
};

/* Full handshakes a second, 0: no limit, also for resumed ones. */
void sc_admission_set_rate(struct sc_admission *admission, uint32_t per_second);

static inline bool sc_admission_is_limited(const struct sc_admission *admission)
{
    return atomic_load_explicit(&admission->full.interval_ns, memory_order_relaxed) != 0;
}

/* The same for a budget by itself. */
void sc_admission_set_budget(struct sc_admission_budget *budget, uint32_t per_second);

/* Takes a token if there is one. */
bool sc_admission_try(struct sc_admission_budget *budget) SC_NODISCARD;

/* A token that was taken was not needed. */
void sc_admission_give_back(struct sc_admission_budget *budget);

/* How long until there is a token; 0: there is one. */
uint64_t sc_admission_wait_ns(const struct sc_admission_budget *budget);

#endif
