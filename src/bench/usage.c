/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "bench/usage.h"

#include <inttypes.h>
#include <stdio.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

static uint64_t nanoseconds(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * 1000000000U + (uint64_t)time->tv_nsec;
}

void sc_bench_usage_thread(struct sc_bench_usage *usage)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    usage->cpu_ns = nanoseconds(&now);
    usage->wait_ns = 0;
    FILE *file = fopen("/proc/thread-self/schedstat", "re");
    if (file) {
        uint64_t on_cpu;
        if (fscanf(file, "%" SCNu64 " %" SCNu64, &on_cpu, &usage->wait_ns) != 2) {
            usage->wait_ns = 0;
        }
        (void)fclose(file);
    }
}

static int read_small(const char *path, char *out, size_t out_size)
{
    FILE *file = fopen(path, "re");
    if (!file) {
        return -1;
    }
    const size_t got = fread(out, 1, out_size - 1, file);
    out[got] = '\0';
    (void)fclose(file);
    return got > 0 ? 0 : -1;
}

/*
 * The same time as in /proc/PID/stat, but not in ticks of 10 ms: a short run of a fast server takes
 * only a few of them.
 */
int sc_bench_usage_cpu(pid_t pid, uint64_t *cpu_ns)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return -1;
    }
    *cpu_ns = nanoseconds(&used);
    return 0;
}

int sc_bench_usage_rss(pid_t pid, uint64_t *rss_bytes, struct sc_err *err)
{
    char path[64], text[256];
    uint64_t resident;
    (void)snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
    if (read_small(path, text, sizeof(text)) != 0 || sscanf(text, "%*u %" SCNu64, &resident) != 1) {
        return sc_err_set(err, EX_NOINPUT, "process %ld does not exist or can't be read",
                          (long)pid);
    }
    if (resident == 0) { /* a zombie */
        return sc_err_set(err, EX_NOINPUT, "process %ld has ended", (long)pid);
    }
    *rss_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}
