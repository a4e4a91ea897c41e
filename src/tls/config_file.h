/* SPDX-License-Identifier: MIT */
/*
 * A configuration file in the syntax of OpenSSL's config(5): that of sc-server, and the client.conf
 * of the client programs. OpenSSL reads the values, with these differences: .include is refused,
 * and so are a section or a key given twice, and a file that looks like something else.
 *
 *   struct sc_config_errors errors = {0};
 *   struct sc_config_file file;
 *   if (sc_config_file_read(path, false, &syntax, &file, &errors) == 0) { file.entries[...] }
 *   sc_config_file_fini(&file);
 *
 * Thread: any.
 */
#ifndef SC_TLS_CONFIG_FILE_H
#define SC_TLS_CONFIG_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/config_errors.h"

/* What makes a file one of this program. */
struct sc_config_syntax {
    const char *program; /* "sc-server" */
    /*
     * The names of the sections, NULL-terminated; a key before the first of them is refused. NULL:
     * any name that a key could have, and a key before the first section belongs to "default".
     */
    const char *const *sections;
};

/* A "[NAME]". */
struct sc_config_section {
    char *name;
    unsigned line; /* from 1 */
};

/* One "KEY = VALUE". */
struct sc_config_entry {
    const char *section; /* the name of one of the sections of the file */
    char *key;
    char *value; /* NULL: it has none, which is in the errors */
    unsigned line; /* where it starts, from 1 */
};

/* Both in the order of the file. */
struct sc_config_file {
    struct sc_config_section *sections;
    size_t section_count;
    struct sc_config_entry *entries;
    size_t count;
};

/*
 * Reads a file whole. A file that is not there is empty when `optional`. Returns -1 when anything
 * was wrong; what could be read is in *out all the same, and sc_config_file_fini() is due.
 */
int sc_config_file_read(const char *path, bool optional, const struct sc_config_syntax *syntax,
                        struct sc_config_file *out, struct sc_config_errors *errors) SC_NODISCARD;

/* The same with its content, which a NUL follows; `path` is for messages. */
int sc_config_file_parse(const char *path, const char *text, size_t length,
                         const struct sc_config_syntax *syntax, struct sc_config_file *out,
                         struct sc_config_errors *errors) SC_NODISCARD;
void sc_config_file_fini(struct sc_config_file *file);

/* The name of that section, as entries have it; NULL: the file has no such section. */
const char *sc_config_file_section(const struct sc_config_file *file, const char *name);

#endif
