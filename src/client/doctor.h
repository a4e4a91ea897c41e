/* SPDX-License-Identifier: MIT */
/*
 * sc-client doctor: checks every layer between this host and a server, from the name to the clock,
 * and reports for each whether it works and what to do if not. Thread: the main one.
 *
 *   doctor_find.c     name, addresses
 *   doctor_probe.c    handshakes with chosen versions, ALPN and session; trusts and sends nothing
 *   doctor_server.c   what the handshakes show: versions, certificate, pins, resumption
 *   doctor_request.c  requests over the library: only to a server that a pin has matched
 *   doctor_report.c   a line for each layer, text or JSON
 */
#ifndef SC_CLIENT_DOCTOR_H
#define SC_CLIENT_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <openssl/ssl.h>

#include "base/err.h"
#include "client/options.h"
#include "tls/context.h"
#include "tls/info.h"
#include "tls/watch.h"

/*
 * Examines the server. `key_log`: a file for the secrets of the connections; NULL: none. Returns
 * the exit status: that of the first layer that fails, or 0.
 */
int sc_doctor_run(const struct sc_cli_options *options, const char *key_log);

/* --- Internal: between the files of the doctor --- */

enum sc_doctor_verdict {
    SC_DOCTOR_OK,
    SC_DOCTOR_NOTE, /* works, and should be known */
    SC_DOCTOR_FAILED,
    SC_DOCTOR_SKIPPED, /* a layer before it failed, or it must not be tried */
};

#define SC_DOCTOR_FACTS 10U

struct sc_doctor {
    const struct sc_cli_options *options;
    const char *host; /* for names in certificates and server_name; a unix socket is on localhost */
    struct sc_tls_context *context;
    struct sockaddr_storage address; /* the first that answers */
    socklen_t address_length; /* 0: none does */
    char address_text[300];
    bool trusted; /* a pin has matched */

    int status; /* of the first layer that failed, 0: none has */
    const char *failed_layer;
    struct sc_err output; /* why standard output can't be written; status 0: it can */

    /* Members of the next JSON object. */
    struct {
        const char *key;
        char text[256];
        bool is_number;
    } facts[SC_DOCTOR_FACTS];
    size_t fact_count;
};

/* A member of the JSON object of the report that follows. */
void sc_doctor_fact(struct sc_doctor *doctor, const char *key, const char *fmt, ...)
    SC_PRINTF(3, 4);
void sc_doctor_number(struct sc_doctor *doctor, const char *key, double value);

/* One line. `status` is that of a failure, and else not looked at. */
void sc_doctor_report(struct sc_doctor *doctor, const char *layer, enum sc_doctor_verdict verdict,
                      int status, const char *fmt, ...) SC_PRINTF(5, 6);

/* The last line. */
void sc_doctor_sum_up(struct sc_doctor *doctor);

/* Name and addresses. -1: there is nothing to connect to. */
int sc_doctor_find(struct sc_doctor *doctor);

/* A connected, non-blocking socket to doctor->address within the timeout, -1: err says why. */
int sc_doctor_connect(const struct sc_doctor *doctor, struct sc_err *err);

/* Until poll(2) reports something of it: 0, or an errno value, such as ETIMEDOUT. */
int sc_doctor_wait(int fd, short events, uint64_t until_ms);

/* One handshake, zeros before it. sc_doctor_probe_fini() it. */
struct sc_doctor_probe {
    SSL *ssl;
    struct sc_tls_watch watch; /* of the SSL */
    int fd;
    struct sc_tls_info info;
    char alpn[32]; /* that the server has chosen; "": none */
    uint64_t handshake_ns;
    SSL_SESSION *session; /* that can be resumed; NULL: none came */
    struct sc_err err; /* when it failed */
};

struct sc_doctor_try {
    int version; /* TLS1_2_VERSION, TLS1_3_VERSION, 0: either */
    bool without_alpn;
    SSL_SESSION *session; /* to resume; NULL: a full handshake */
    bool wait_for_session; /* until a session or an alert comes, a second at the most */
};

/*
 * 0: the handshake is done; the server is not trusted for it, nothing was sent, and no certificate
 * of ours was shown. -1: probe->err (SC_EXIT_HANDSHAKE, EX_TEMPFAIL, EX_UNAVAILABLE, EX_OSERR).
 */
int sc_doctor_probe(const struct sc_doctor *doctor, const struct sc_doctor_try *how,
                    struct sc_doctor_probe *probe) SC_NODISCARD;
/* Closes the connection; the results stay. Some servers take one connection at a time. */
void sc_doctor_probe_disconnect(struct sc_doctor_probe *probe);
void sc_doctor_probe_fini(struct sc_doctor_probe *probe);

/* TLS, certificate, pins, ALPN, resumption, client certificate. -1: do not try a request. */
int sc_doctor_server(struct sc_doctor *doctor);

/* Requests: answer, clock, round-trip times. */
void sc_doctor_request(struct sc_doctor *doctor);

#endif
