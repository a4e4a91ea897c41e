/* SPDX-License-Identifier: MIT */
/*
 * What this process uses of the machine, from clock_gettime(2), getrlimit(2) and /proc/self.
 * Thread: any.
 */
#ifndef SC_SERVER_PROCESS_H
#define SC_SERVER_PROCESS_H

#include <stdint.h>

/* What can't be found out is 0. */
struct sc_process {
    double cpu_seconds; /* of all threads, user and system */
    uint64_t resident_bytes, virtual_bytes;
    uint64_t open_files, max_files;
    uint64_t threads;
};

void sc_process_get(struct sc_process *out);

#endif
