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

/* Processor time of a process, all its threads. -1: there is none. */
int sc_bench_usage_cpu(pid_t pid, uint64_t *cpu_ns) SC_NODISCARD;

/*
 * Of a process, all its threads; its resident memory too. EX_NOINPUT when there is none, or it is
 * a zombie.
 */
int sc_bench_usage_process(pid_t pid, uint64_t *cpu_ns, uint64_t *rss_bytes,
                           struct sc_err *err) SC_NODISCARD;

#endif
