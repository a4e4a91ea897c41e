/* SPDX-License-Identifier: MIT */
/* OpenSSL over memory BIOs: the connection never sees a socket. */
#include "config.h"

#include <stdlib.h>
#include <sysexits.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "lib/tls_library.h"
#include "tls/context.h"
#include "tls/error.h"
#include "tls/explain.h"
#include "tls/info.h"
#include "tls/outcome.h"
#include "tls/pins_message.h"
#include "tls/verify.h"
#include "tls/watch.h"

/* Ciphertext that waits to be decrypted: two records. */
#define INPUT_BYTES ((size_t)2 * SSL3_RT_MAX_ENCRYPTED_LENGTH)
/* Of memory that an empty BIO keeps. */
#define KEPT_BYTES ((size_t)4096)

struct conn {
    struct sc_tls_conn base;
    struct sc_tls_watch watch; /* the application data of the SSL */
    SSL *ssl;
    BIO *input, *output; /* of the SSL */
    struct sc_tls_verify *verify;
    bool input_large; /* its BIO has taken more memory than an empty one keeps */
    uint64_t received;
};

static struct conn *conn_of(struct sc_tls_conn *base)
{
    return (struct conn *)(void *)base;
}

static const char *version(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}

/* --- Shared --- */

/* A context. */
static struct sc_tls_context *context_of(struct sc_tls_shared *shared)
{
    return (struct sc_tls_context *)(void *)shared;
}

static void shared_free(struct sc_tls_shared *shared)
{
    sc_tls_context_unref(context_of(shared));
}

static struct sc_tls_shared *shared_new(const struct sc_tls_options *options, struct sc_err *err)
{
    struct sc_tls_context *context = sc_tls_context_new_client(
        &(struct sc_tls_client_settings){.keylog_path = options->key_log_path,
                                         .certificate_path = options->certificate_path,
                                         .private_key_path = options->key_path,
                                         .passphrase = options->passphrase},
        err);
    if (context) {
        sc_tls_verify_install(sc_tls_context_ssl_ctx(context));
    }
    return (struct sc_tls_shared *)(void *)context;
}

/* --- Connection --- */

static void conn_free(struct sc_tls_conn *base)
{
    struct conn *conn = conn_of(base);
    if (conn) {
        SSL_free(conn->ssl);
        sc_tls_watch_fini(&conn->watch);
        free(conn);
    }
}

/* A session that cannot be used is ignored: the handshake is then a full one. */
static void offer_session(SSL *ssl, const uint8_t *bytes, size_t size)
{
    if (bytes && size <= LONG_MAX) {
        const unsigned char *at = bytes;
        SSL_SESSION *session = d2i_SSL_SESSION(NULL, &at, (long)size);
        if (session) {
            (void)SSL_set_session(ssl, session);
        }
        SSL_SESSION_free(session);
        ERR_clear_error();
    }
}

static struct sc_tls_conn *conn_new(struct sc_tls_shared *shared, struct sc_tls_verify *verify,
                                    const char *name, const uint8_t *session, size_t session_size,
                                    struct sc_err *err)
{
    ERR_clear_error();
    struct conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        (void)sc_err_set(err, EX_OSERR, "can't set up TLS: out of memory");
        return NULL;
    }
    conn->verify = verify;
    sc_tls_watch_init(&conn->watch);
    conn->watch.verify = verify;
    conn->ssl = SSL_new(sc_tls_context_ssl_ctx(context_of(shared)));
    BIO *input = BIO_new(BIO_s_mem());
    BIO *output = BIO_new(BIO_s_mem());
    if (!conn->ssl || !input || !output || SSL_set_app_data(conn->ssl, &conn->watch) != 1 ||
        (name && SSL_set_tlsext_host_name(conn->ssl, name) != 1)) {
        (void)sc_tls_err(err, EX_OSERR, "can't set up TLS");
        BIO_free(input);
        BIO_free(output);
        conn_free(&conn->base);
        return NULL;
    }
    (void)BIO_set_mem_eof_return(input, -1); /* empty: try again later */
    SSL_set_bio(conn->ssl, input, output);
    conn->input = input;
    conn->output = output;
    SSL_set_connect_state(conn->ssl);
    offer_session(conn->ssl, session, session_size);
    return &conn->base;
}

static size_t room(const struct sc_tls_conn *base)
{
    const size_t waiting = BIO_ctrl_pending(((const struct conn *)(const void *)base)->input);
    return waiting < INPUT_BYTES ? INPUT_BYTES - waiting : 0;
}

static size_t receive(struct sc_tls_conn *base, const uint8_t *bytes, size_t count)
{
    struct conn *conn = conn_of(base);
    const size_t most = room(base);
    const size_t take = count < most ? count : most;
    if (take == 0) {
        return 0;
    }
    conn->input_large |= INPUT_BYTES - most + take > KEPT_BYTES;
    sc_tls_watch_first_bytes(&conn->watch, bytes, take);
    const int taken = BIO_write(conn->input, bytes, (int)take);
    if (taken > 0) {
        conn->received += (uint64_t)taken;
    }
    return taken > 0 ? (size_t)taken : 0;
}

static BUF_MEM *memory_of(BIO *bio)
{
    BUF_MEM *memory = NULL;
    (void)BIO_get_mem_ptr(bio, &memory);
    return memory;
}

static size_t output(struct sc_tls_conn *base, const uint8_t **bytes)
{
    const BUF_MEM *memory = memory_of(conn_of(base)->output);
    *bytes = memory ? (const uint8_t *)memory->data : NULL;
    return memory ? memory->length : 0;
}

/* An empty BIO keeps the memory of all that it ever held, and BIO_reset() overwrites all of it. */
static void empty(BIO *bio, BUF_MEM *memory)
{
    if (memory && memory->max > KEPT_BYTES && (memory = BUF_MEM_new()) != NULL) {
        (void)BIO_set_mem_buf(bio, memory, BIO_CLOSE);
    } else {
        (void)BIO_reset(bio);
    }
}

static void sent(struct sc_tls_conn *base, size_t count)
{
    struct conn *conn = conn_of(base);
    uint8_t scratch[4096];
    BUF_MEM *memory = memory_of(conn->output);
    if (!memory || count >= memory->length) {
        empty(conn->output, memory);
        return;
    }
    while (count > 0) {
        const int read = BIO_read(conn->output, scratch,
                                  (int)(count < sizeof(scratch) ? count : sizeof(scratch)));
        if (read <= 0) {
            return;
        }
        count -= (size_t)read;
    }
}

static void explain(struct sc_tls_conn *base, enum sc_tls_end end, char *out, size_t out_size)
{
    sc_tls_describe_failure(&conn_of(base)->watch, end, 0, out, out_size);
}

/* All that has come is decrypted: OpenSSL asks for more only when its BIO is empty. */
static enum sc_tls_step out_of_input(struct conn *conn)
{
    if (conn->input_large) {
        empty(conn->input, memory_of(conn->input));
        conn->input_large = false;
    }
    return conn->base.input_ended ? SC_TLS_STEP_EOF : SC_TLS_STEP_WANT_INPUT;
}

/* What a call that did not succeed means. */
static enum sc_tls_step step_of(struct conn *conn, int result, bool in_handshake,
                                struct sc_err *err)
{
    const struct sc_tls_outcome outcome = sc_tls_outcome_of(conn->ssl, result, 0);
    switch (outcome.kind) {
    case SC_TLS_WANTS_READ:
        if (!in_handshake) {
            (void)SSL_free_buffers(conn->ssl); /* a session ticket leaves one for writing */
        }
        return out_of_input(conn);
    case SC_TLS_CLOSED: return SC_TLS_STEP_CLOSED;
    default: break;
    }
    if (conn->verify->refused) {
        *err = conn->verify->err;
    } else {
        (void)sc_tls_outcome_err(err, &outcome, &conn->watch, in_handshake, conn->verify->target);
    }
    return SC_TLS_STEP_FAILED;
}

static enum sc_tls_step handshake(struct sc_tls_conn *base, struct sc_err *err)
{
    struct conn *conn = conn_of(base);
    sc_tls_forget_errors();
    const int result = SSL_do_handshake(conn->ssl);
    if (result != 1) {
        return step_of(conn, result, true, err);
    }
    (void)SSL_free_buffers(conn->ssl);
    return SC_TLS_STEP_DONE;
}

static enum sc_tls_step read_plain(struct sc_tls_conn *base, uint8_t *to, size_t room, size_t *got,
                                   struct sc_err *err)
{
    struct conn *conn = conn_of(base);
    if (!SSL_has_pending(conn->ssl) && BIO_ctrl_pending(conn->input) == 0) {
        return out_of_input(conn); /* SSL_read_ex() would take far longer to say so */
    }
    sc_tls_forget_errors();
    const int result = SSL_read_ex(conn->ssl, to, room, got);
    if (sc_tls_is_flood(conn->watch.key_updates, conn->received)) {
        (void)sc_tls_flooded(err, conn->verify->target);
        return SC_TLS_STEP_FAILED;
    }
    return result == 1 ? SC_TLS_STEP_DONE : step_of(conn, result, false, err);
}

static int write_plain(struct sc_tls_conn *base, const uint8_t *bytes, size_t count,
                       struct sc_err *err)
{
    struct conn *conn = conn_of(base);
    size_t written;
    sc_tls_forget_errors();
    if (SSL_write_ex(conn->ssl, bytes, count, &written) != 1) {
        return sc_tls_err(err, EX_OSERR, "can't encrypt a request");
    }
    return 0;
}

static void shut_down(struct sc_tls_conn *base)
{
    ERR_clear_error();
    (void)SSL_shutdown(conn_of(base)->ssl);
    ERR_clear_error();
}

static int check_peer(struct sc_tls_conn *base)
{
    const struct conn *conn = conn_of(base);
    return sc_tls_verify_peer(conn->verify, conn->ssl);
}

static void params(struct sc_tls_conn *base, struct sc_tls_params *out)
{
    struct sc_tls_info info;
    sc_tls_info_get(conn_of(base)->ssl, &info);
    *out = (struct sc_tls_params){.version = info.version,
                                  .cipher = info.cipher,
                                  .group = info.group,
                                  .resumed = info.resumed};
}

static size_t session(struct sc_tls_conn *base, uint8_t *out, size_t room)
{
    SSL_SESSION *now = SSL_get0_session(conn_of(base)->ssl);
    const int size = now && SSL_SESSION_is_resumable(now) ? i2d_SSL_SESSION(now, NULL) : 0;
    if (size > 0 && (size_t)size <= room) {
        unsigned char *at = out;
        (void)i2d_SSL_SESSION(now, &at);
    }
    return size > 0 ? (size_t)size : 0;
}

static bool make_exporter(struct sc_tls_conn *base, uint8_t out[SC_PINS_EXPORTER_BYTES])
{
    return sc_pins_exporter(conn_of(base)->ssl, out);
}

const struct sc_tls_library sc_tls_openssl = {
    .name = "openssl",
    .version = version,
    .shared_new = shared_new,
    .shared_free = shared_free,
    .conn_new = conn_new,
    .conn_free = conn_free,
    .room = room,
    .receive = receive,
    .output = output,
    .sent = sent,
    .handshake = handshake,
    .read = read_plain,
    .write = write_plain,
    .shutdown = shut_down,
    .check_peer = check_peer,
    .params = params,
    .session = session,
    .exporter = make_exporter,
    .explain = explain,
};
