/* SPDX-License-Identifier: MIT */
/*
 * Two workers that take the place of server/worker.c: they answer at once, or never. For one
 * program: everything is static, or has the place of what the archive has.
 */
#ifndef SC_TESTS_WORKER_STAND_IN_H
#define SC_TESTS_WORKER_STAND_IN_H

#include <stdbool.h>
#include <stdint.h>

#include "server/worker.h"

struct sc_worker {
    bool stands_still;
    uint32_t pings, answered;
};

void sc_worker_ping(struct sc_worker *worker)
{
    worker->pings++;
    worker->answered += !worker->stands_still;
}

uint32_t sc_worker_pings_answered(const struct sc_worker *worker)
{
    return worker->answered;
}

static struct sc_worker first, second;
static struct sc_worker *const workers[] = {&first, &second};

#endif
