/* SPDX-License-Identifier: MIT */
/*
 * check-log FILE...: every line of a server's log in these files, in the format text or json, is
 * of an event of the catalogue, at its level and with its fields alone. Other lines are passed
 * over. Exit status 1: not so; what is wrong goes to stderr.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "log_catalogue.h"

static int check_file(const char *path)
{
    struct stat info;
    FILE *file = stat(path, &info) == 0 && S_ISREG(info.st_mode) ? fopen(path, "r") : NULL;
    char *line = NULL;
    size_t size = 0;
    int status = 0;
    if (!file) {
        return 0; /* a pipe, or a pattern of the shell that matched nothing */
    }
    while (getline(&line, &size, file) > 0) {
        line[strcspn(line, "\n")] = '\0';
        const char *wrong = fault_in_line(line);
        if (wrong) {
            (void)fprintf(stderr, "check-log: %s: %s: %.300s\n", path, wrong, line);
            status = 1;
        }
    }
    free(line);
    (void)fclose(file);
    return status;
}

int main(int argc, char **argv)
{
    int status = 0;
    for (int i = 1; i < argc; i++) {
        status |= check_file(argv[i]);
    }
    return status;
}
