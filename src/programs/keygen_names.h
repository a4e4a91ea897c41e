/* SPDX-License-Identifier: MIT */
/*
 * The names of this host, for a certificate that was asked for without any. Asks no name server.
 * Thread: the main one.
 */
#ifndef SC_PROGRAMS_KEYGEN_NAMES_H
#define SC_PROGRAMS_KEYGEN_NAMES_H

#include <stddef.h>

#define SC_NAMES_MAX 6U

struct sc_names {
    size_t count;
    char name[SC_NAMES_MAX][256];
};

/* The host's name, its full name where /etc/hosts has it, localhost, 127.0.0.1, ::1; each once. */
void sc_keygen_names_of_host(struct sc_names *names);

#endif
