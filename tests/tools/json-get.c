/* SPDX-License-Identifier: MIT */
/*
 * json-get [PATH] <FILE: strict JSON (RFC 8259) or exit status 1 with the place of the fault. With
 * a PATH, "errors.total" or "list.0.name", also prints the value found there (a string without its
 * quotes); not there is exit status 2.
 */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "base/json.h"

static char text[4 << 20];

struct wanted {
    const char *path; /* NULL: nothing */
    const char *value;
    size_t length;
};

static void on_value(void *arg, const char *path, const char *value, size_t length)
{
    struct wanted *wanted = arg;
    if (wanted->path && strcmp(path, wanted->path) == 0) {
        wanted->value = value;
        wanted->length = length;
    }
}

int main(int argc, char **argv)
{
    const size_t size = fread(text, 1, sizeof(text) - 1, stdin);
    struct wanted wanted = {.path = argc > 1 ? argv[1] : NULL};
    struct sc_err err;
    if (size == sizeof(text) - 1 || sc_json_read(text, size, on_value, &wanted, &err) != 0) {
        (void)fprintf(stderr, "json-get: %s\n", size == sizeof(text) - 1 ? "too large" : err.text);
        return 1;
    }
    if (wanted.path && !wanted.value) {
        return 2;
    }
    if (wanted.value) {
        printf("%.*s\n", (int)wanted.length, wanted.value);
    }
    return 0;
}
