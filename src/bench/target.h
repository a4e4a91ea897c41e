/* SPDX-License-Identifier: MIT */
/*
 * Where the connections of a run go and where they come from, and the descriptors they need.
 * Thread: that of sc_bench_run(). Blocks, at most for the plan's timeout.
 */
#ifndef SC_BENCH_TARGET_H
#define SC_BENCH_TARGET_H

#include <signal.h>
#include <stddef.h>
#include <sys/socket.h>

#include "base/err.h"
#include "bench/plan.h"

struct sc_bench_target {
    struct sockaddr_storage address; /* that accepted a connection */
    socklen_t length;
    char text[300]; /* the same, numeric, "127.0.0.1:4242" */
    char name[300]; /* the plan's address as it was given, for errors */
    const char *host; /* that a certificate must name (for ca: pins); the plan's */
    char sni[256]; /* empty: none, as for a numeric address (RFC 6066 section 3) */
    struct sockaddr_storage sources[SC_BENCH_MAX_SOURCES]; /* to connect from, in rotation */
    size_t source_count; /* 0: the system chooses */
};

/*
 * Looks the plan's address up and takes the first of its addresses that accepts a connection; then
 * the source addresses: the plan's, or, towards 127.0.0.0/8, as many loopback addresses as the
 * ports of one do not suffice. -1: as sc_connect_wait(), with its `stop`, or EX_USAGE for a source
 * address that does not fit.
 */
int sc_bench_target_find(struct sc_bench_target *target, const struct sc_bench_plan *plan,
                         const volatile sig_atomic_t *stop, struct sc_err *err) SC_NODISCARD;

/*
 * Raises the limit of open files to what the plan needs; EX_OSERR with the figures when that is
 * not allowed.
 */
int sc_bench_target_raise_limit(const struct sc_bench_plan *plan, struct sc_err *err) SC_NODISCARD;

#endif
