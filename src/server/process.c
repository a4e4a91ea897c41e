/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/process.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Since Linux 6.2 the size of the directory is the number; before that it is counted. */
static uint64_t count_open_files(void)
{
    struct stat status;
    uint64_t count = 0;
    if (stat("/proc/self/fd", &status) == 0 && status.st_size > 0) {
        return (uint64_t)status.st_size;
    }
    DIR *directory = opendir("/proc/self/fd");
    if (!directory) {
        return 0;
    }
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        count += entry->d_name[0] != '.';
    }
    (void)closedir(directory);
    return count - 1; /* its own */
}

static void read_memory(struct sc_process *out)
{
    unsigned long long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file) {
        return;
    }
    if (fscanf(file, "%20llu %20llu", &pages, &resident) == 2) {
        const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
        out->virtual_bytes = pages * page_bytes;
        out->resident_bytes = resident * page_bytes;
    }
    (void)fclose(file);
}

static uint64_t count_threads(void)
{
    char line[128];
    unsigned long long count = 0;
    FILE *file = fopen("/proc/self/status", "re");
    while (file && count == 0 && fgets(line, sizeof(line), file)) {
        (void)sscanf(line, "Threads: %20llu", &count);
    }
    if (file) {
        (void)fclose(file);
    }
    return count;
}

void sc_process_get(struct sc_process *out)
{
    struct timespec cpu;
    struct rlimit files;
    *out = (struct sc_process){0};
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
        out->cpu_seconds = (double)cpu.tv_sec + (double)cpu.tv_nsec / 1e9;
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        out->max_files = files.rlim_cur;
    }
    read_memory(out);
    out->open_files = count_open_files();
    out->threads = count_threads();
}
