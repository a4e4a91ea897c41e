/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/port_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/new_file.h"

/* The caller frees it. NULL: out of memory. */
static char *format_addresses(const struct sc_listen *listen, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    for (size_t i = 0; out && i < sc_listen_count(listen); i++) {
        (void)fprintf(out, "%s\n", sc_listen_address(listen, i));
    }
    if (out && fclose(out) != 0) {
        free(text);
        text = NULL;
    }
    return text;
}

int sc_port_file_write(const char *path, const struct sc_listen *listen, struct sc_err *err)
{
    const struct sc_new_file_settings settings = {.mode = 0644, .own = true};
    struct sc_new_file file = {0};
    struct stat there;
    size_t size;
    /* A rename would put a file in the place of a device such as /dev/stdout. */
    if (lstat(path, &there) == 0 && !S_ISREG(there.st_mode)) {
        return sc_err_set(
            err, EX_CANTCREAT,
            "port-file: can't create %s: what is there is not a regular file; name another", path);
    }
    char *text = format_addresses(listen, &size);
    if (!text) {
        return sc_err_set(err, EX_OSERR, "port-file: out of memory");
    }
    int rc = sc_new_file_write(&file, path, text, size, &settings, err);
    if (rc == 0 && (rc = sc_new_file_put(&file, true, err)) != 0) {
        sc_new_file_discard(&file);
    }
    free(text);
    return rc == 0 ? 0 : sc_err_prefix(err, "port-file");
}
