/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/limits.h"

#include <sys/resource.h>

#include "base/log.h"

/*
 * Standard streams, listening sockets, the main loop, files of a reload and a reserve; and epoll,
 * mailbox and signals of each worker.
 */
#define OWN_FILES 64U
#define FILES_PER_WORKER 8U

/*
 * Memory of a connection, rounded up: an idle one; beside output-limit and the replies of one
 * cycle, which are more than max-body and 46 KiB of an unfinished request
 * (docs/architecture.md, What bounds the memory of a connection).
 */
#define IDLE_BYTES (20U << 10)
#define REPLIES_BYTES (96U << 10)
#define BESIDE_REPLIES_BYTES (98U << 10)

uint32_t sc_limits_raise_files(uint32_t max_connections, uint32_t workers)
{
    const rlim_t own = OWN_FILES + (rlim_t)FILES_PER_WORKER * workers;
    const rlim_t needed = own + max_connections;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        limit.rlim_cur >= needed) {
        return max_connections;
    }
    limit.rlim_cur =
        limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= needed ? needed : limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        (void)getrlimit(RLIMIT_NOFILE, &limit); /* a seccomp filter may forbid raising it */
    }
    if (limit.rlim_cur >= needed) {
        return max_connections;
    }
    const uint32_t fit = limit.rlim_cur > own ? (uint32_t)(limit.rlim_cur - own) : 1U;
    sc_log_message(SC_EVENT_FILE_LIMIT,
                   "max-connections %u needs %llu files (%llu of them for the server itself), and "
                   "only %llu are allowed: "
                   "at most %u connections are taken; raise the limit (LimitNOFILE=, ulimit -Hn) "
                   "or lower max-connections",
                   max_connections, (unsigned long long)needed, (unsigned long long)own,
                   (unsigned long long)limit.rlim_cur, fit);
    return fit;
}

uint64_t sc_limits_files(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? (uint64_t)limit.rlim_cur : 0;
}

struct sc_limits_memory sc_limits_memory(uint32_t connections, size_t max_body_bytes,
                                         size_t output_limit_bytes)
{
    const uint64_t cycle = max_body_bytes > REPLIES_BYTES ? max_body_bytes : REPLIES_BYTES;
    const uint64_t replies = output_limit_bytes + cycle + BESIDE_REPLIES_BYTES;
    return (struct sc_limits_memory){
        .idle_bytes = connections * (uint64_t)IDLE_BYTES,
        .most_bytes = connections * replies,
    };
}
