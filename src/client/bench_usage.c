#include "config.h"

#include "client/bench_usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

void sc_bench_usage_thread(struct sc_bench_usage *usage)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    usage->cpu_ns  = (uint64_t)now.tv_sec * 1000000000U + (uint64_t)now.tv_nsec;
    usage->wait_ns = 0;
    FILE *file     = fopen("/proc/thread-self/schedstat", "re");
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
    out[got]         = '\0';
    (void)fclose(file);
    return got > 0 ? 0 : -1;
}

int sc_bench_usage_process(pid_t pid, uint64_t *cpu_ns, uint64_t *rss_bytes, struct sc_err *err)
{
    char     path[64], text[1024];
    uint64_t user, system, resident;
    (void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    if (read_small(path, text, sizeof(text)) != 0) {
        return sc_err_set(err, EX_NOINPUT, "process %ld: there is none, or it cannot be looked at", (long)pid);
    }
    /* The name may hold anything, also ')': fields are counted from the last one (proc(5)); user and system time are 14 and 15. */
    const char *fields = strrchr(text, ')');
    if (!fields || sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user, &system) != 2) {
        return sc_err_set(err, EX_NOINPUT, "%s: not as proc(5) describes it", path);
    }
    (void)snprintf(path, sizeof(path), "/proc/%ld/statm", (long)pid);
    if (read_small(path, text, sizeof(text)) != 0 || sscanf(text, "%*u %" SCNu64, &resident) != 1) {
        return sc_err_set(err, EX_NOINPUT, "%s: cannot be read", path);
    }
    *cpu_ns    = (user + system) * (UINT64_C(1000000000) / (uint64_t)sysconf(_SC_CLK_TCK));
    *rss_bytes = resident * (uint64_t)sysconf(_SC_PAGESIZE);
    return 0;
}
