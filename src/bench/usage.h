/* SPDX-License-Identifier: MIT */
/* Processor time and memory of threads and processes, from /proc. Thread: any. */
#ifndef SC_BENCH_USAGE_H
#define SC_BENCH_USAGE_H

#include <stdint.h>
#include <sys/types.h>

#include "base/err.h"

struct sc_bench_usage {
    uint64_t cpu_ns; /* user and system */
    uint64_t wait_ns; /* ready to run, but without a processor; 0 where the kernel does not say */
};

/* Of the calling thread. */
void sc_bench_usage_thread(struct sc_bench_usage *usage);

/* Processor time of a process, all its threads. -1: it does not exist. */
int sc_bench_usage_cpu(pid_t pid, uint64_t *cpu_ns) SC_NODISCARD;

/* Resident memory of a process. EX_NOINPUT when it does not exist or is a zombie. */
int sc_bench_usage_rss(pid_t pid, uint64_t *rss_bytes, struct sc_err *err) SC_NODISCARD;

#endif
