/* SPDX-License-Identifier: MIT */
/* One handshake, as `sc-client --show-pin` makes it: any certificate is taken, nothing is sent. */
#include "config.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "client/doctor.h"
#include "tls/error.h"
#include "tls/outcome.h"

#define SESSION_MS 1000U

static int make_ssl(const struct sc_doctor *doctor, const struct sc_doctor_try *how,
                    struct sc_doctor_probe *probe)
{
    SSL *ssl = SSL_new(sc_tls_context_ssl_ctx(doctor->context));
    char name[256];
    sc_host_server_name(doctor->host, name);
    probe->ssl = ssl;
    if (!ssl || SSL_set_app_data(ssl, &probe->watch) != 1 || SSL_set_fd(ssl, probe->fd) != 1 ||
        (how->version && (SSL_set_min_proto_version(ssl, how->version) != 1 ||
                          SSL_set_max_proto_version(ssl, how->version) != 1)) ||
        (how->without_alpn && SSL_set_alpn_protos(ssl, NULL, 0) != 0) ||
        (how->session && SSL_set_session(ssl, how->session) != 1) ||
        (*name && SSL_set_tlsext_host_name(ssl, name) != 1)) {
        return sc_tls_err(&probe->err, EX_OSERR, "can't set up TLS");
    }
    sc_tls_watch_socket(ssl);
    SSL_set_connect_state(ssl);
    return 0;
}

/* Waits for what the call wants. 1: call it again; 0: it has failed; -1: the time is up. */
static int wait_more(const struct sc_doctor_probe *probe, const struct sc_tls_outcome *outcome,
                     uint64_t until_ms)
{
    const short events = outcome->kind == SC_TLS_WANTS_WRITE ? POLLOUT : POLLIN;
    if (outcome->kind != SC_TLS_WANTS_READ && outcome->kind != SC_TLS_WANTS_WRITE) {
        return 0;
    }
    return sc_doctor_wait(probe->fd, events, until_ms) == ETIMEDOUT ? -1 : 1;
}

static int run_handshake(const struct sc_doctor *doctor, struct sc_doctor_probe *probe)
{
    char why[256];
    struct sc_tls_outcome outcome;
    int more = 1;
    const uint64_t until_ms = sc_clock_ms() + doctor->options->timeout_ms;
    do {
        ERR_clear_error();
        errno = 0;
        const int result = SSL_do_handshake(probe->ssl);
        if (result == 1) {
            return 0;
        }
        outcome = sc_tls_outcome_of(probe->ssl, result, errno);
        more = wait_more(probe, &outcome, until_ms);
    } while (more > 0);
    sc_tls_describe_failure(&probe->watch, more < 0 ? SC_TLS_END_TIMEOUT : outcome.end,
                            outcome.code, why, sizeof(why));
    return sc_err_set(&probe->err, more < 0 ? EX_TEMPFAIL : SC_EXIT_HANDSHAKE, "%s", why);
}

/* With TLS 1.3 sessions come after the handshake, and so does a refusal. */
static void wait_for_session(const struct sc_doctor *doctor, struct sc_doctor_probe *probe)
{
    const uint64_t timeout_ms = doctor->options->timeout_ms;
    const uint64_t until_ms = sc_clock_ms() + (timeout_ms < SESSION_MS ? timeout_ms : SESSION_MS);
    SSL_SESSION *session = NULL;
    int more = 1;
    while (more > 0 && sc_clock_ms() < until_ms) {
        char byte;
        ERR_clear_error();
        errno = 0;
        const int result = SSL_read(probe->ssl, &byte, 1);
        const int error_number = errno;
        session = SSL_get0_session(probe->ssl);
        if (session && SSL_SESSION_is_resumable(session)) {
            probe->session = SSL_get1_session(probe->ssl);
            break;
        }
        if (result <= 0) {
            const struct sc_tls_outcome outcome =
                sc_tls_outcome_of(probe->ssl, result, error_number);
            more = wait_more(probe, &outcome, until_ms);
        }
    }
    ERR_clear_error();
}

static void take_results(struct sc_doctor_probe *probe)
{
    const unsigned char *alpn = NULL;
    unsigned length = 0;
    sc_tls_info_get(probe->ssl, &probe->info);
    SSL_get0_alpn_selected(probe->ssl, &alpn, &length);
    if (alpn && length < sizeof(probe->alpn)) {
        memcpy(probe->alpn, alpn, length);
    }
}

int sc_doctor_probe(const struct sc_doctor *doctor, const struct sc_doctor_try *how,
                    struct sc_doctor_probe *probe)
{
    *probe = (struct sc_doctor_probe){.fd = -1};
    sc_tls_watch_init(&probe->watch);
    probe->fd = sc_doctor_connect(doctor, &probe->err);
    if (probe->fd < 0 || make_ssl(doctor, how, probe) != 0) {
        return -1;
    }
    const uint64_t start_ns = sc_clock_ns();
    if (run_handshake(doctor, probe) != 0) {
        return -1;
    }
    probe->handshake_ns = sc_clock_ns() - start_ns;
    take_results(probe);
    if (how->wait_for_session) {
        wait_for_session(doctor, probe);
    }
    return 0;
}

void sc_doctor_probe_disconnect(struct sc_doctor_probe *probe)
{
    ERR_clear_error();
    if (probe->fd >= 0 && probe->ssl && SSL_is_init_finished(probe->ssl)) {
        (void)SSL_shutdown(probe->ssl);
    }
    ERR_clear_error();
    if (probe->fd >= 0) {
        (void)close(probe->fd);
        probe->fd = -1;
    }
}

void sc_doctor_probe_fini(struct sc_doctor_probe *probe)
{
    sc_doctor_probe_disconnect(probe);
    SSL_free(probe->ssl);
    SSL_SESSION_free(probe->session);
    sc_tls_watch_fini(&probe->watch);
    *probe = (struct sc_doctor_probe){.fd = -1};
}
