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
