/* SPDX-License-Identifier: MIT */
/*
 * sc-keygen --next, --promote, --renew, --status and --ticket-keys: what they do and what they
 * print, on stdout. Thread: the main one.
 */
#ifndef SC_PROGRAMS_KEYGEN_ROTATE_H
#define SC_PROGRAMS_KEYGEN_ROTATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/parse.h"
#include "tls/keygen.h"

/* Borrowed. */
struct sc_keygen_rotate_request {
    const char *base; /* of the files, without .key and .crt */
    bool kind_given; /* else the kind of the current key */
    enum sc_key_kind kind;
    unsigned rsa_bits;
    unsigned days;
    bool force;
    const char *const *names; /* of the certificate; none: those of the current one */
    size_t name_count;
    const struct sc_address *server; /* of --status: the server to ask about clients; NULL: none */
};

/* Makes the next key and its certificate. */
int sc_keygen_rotate_next(const struct sc_keygen_rotate_request *request,
                          struct sc_err *err) SC_NODISCARD;

/* Makes the next pair current; see tls/rotation.h. */
int sc_keygen_rotate_promote(const struct sc_keygen_rotate_request *request,
                             struct sc_err *err) SC_NODISCARD;

/* Makes a new certificate for the current key. */
int sc_keygen_rotate_renew(const struct sc_keygen_rotate_request *request,
                           struct sc_err *err) SC_NODISCARD;

/*
 * Says what is there, and what to do next. EX_CONFIG: something is wrong with it. With a server
 * EX_TEMPFAIL and EX_UNAVAILABLE, see programs/keygen_server.h.
 */
int sc_keygen_rotate_status(const struct sc_keygen_rotate_request *request,
                            struct sc_err *err) SC_NODISCARD;

/* Makes a file with keys for session tickets, or rotates those in it; see tls/ticket_file.h. */
int sc_keygen_rotate_ticket_keys(const char *path, struct sc_err *err) SC_NODISCARD;

#endif
