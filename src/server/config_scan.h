/*
 * Where things are in a configuration file: OpenSSL's parser keeps neither lines nor what was
 * given twice, so this finds the start of every section and key, by the same rules (config(5)),
 * and leaves the values to OpenSSL. Thread: any.
 */
#ifndef SC_SERVER_CONFIG_SCAN_H
#define SC_SERVER_CONFIG_SCAN_H

#include "server/config_table.h"

/* A longer line is an accident; OpenSSL itself takes any. */
#define SC_CONFIG_MAX_LINE_BYTES 16384U

/*
 * Adds sections and keys (without values) to *file; what is wrong is in errors. Returns -1 when
 * the text must not be given to OpenSSL: a NUL byte, a line that is too long, or an .include.
 */
int sc_config_scan(const char *path, const char *text, size_t length, struct sc_config_file *file,
                   struct sc_config_errors *errors) SC_NODISCARD;

#endif
