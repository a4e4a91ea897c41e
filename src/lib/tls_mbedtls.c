/* SPDX-License-Identifier: MIT */
/*
 * Mbed TLS 2.28 over byte queues: TLS 1.2 alone, since its TLS 1.3 is an experiment that no
 * distribution builds. Pins are matched by the same code as with OpenSSL, on the certificates as
 * they came.
 */
#include "config.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <mbedtls/platform_util.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_internal.h> /* for what no function returns of a handshake */
#include <mbedtls/version.h>

#include "lib/byte_queue.h"
#include "lib/mbedtls_error.h"
#include "lib/mbedtls_settings.h"
#include "lib/tls_library.h"
#include "tls/explain.h"
#include "tls/key_log.h"
#include "tls/outcome.h"
#include "tls/pins_message.h"
#include "tls/verify.h"
#include "tls/watch.h"

/* Ciphertext that waits to be decrypted: two records. */
#define INPUT_BYTES ((size_t)2 * SSL3_RT_MAX_ENCRYPTED_LENGTH)
/* Of a chain that a server shows: more of the smallest than Mbed TLS takes, 16 KiB of them. */
#define MAX_CERTIFICATES 64

struct conn {
    struct sc_tls_conn base;
    struct sc_tls_watch watch; /* for sc_tls_describe_failure_as(); written here */
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config; /* of its own: the callback for keys is in it */
    mbedtls_pk_context key;
    int key_log_fd; /* borrowed */
    const char *group; /* static */
    struct sc_byte_queue input, output;
    struct sc_tls_verify *verify;
    bool out_of_memory; /* a part of the input is lost */
    bool certificate_shown; /* in this handshake: else it resumes a session */
    bool has_exporter; /* the connection has keying material that is its own */
    uint8_t exporter[SC_PINS_EXPORTER_BYTES];
    int error; /* Mbed TLS's, of a handshake that failed; 0: none */
    uint64_t wasted; /* records without data that came after the handshake */
    uint64_t received;
};

static struct conn *conn_of(struct sc_tls_conn *base)
{
    return (struct conn *)(void *)base;
}

static char version_text[32];

static void make_version(void)
{
    char number[16] = "";
    mbedtls_version_get_string(number);
    (void)snprintf(version_text, sizeof(version_text), "Mbed TLS %s", number);
}

static const char *version(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_version);
    return version_text;
}

/* --- What Mbed TLS calls back --- */

static int on_send(void *arg, const unsigned char *bytes, size_t count)
{
    struct conn *conn = arg;
    const size_t take = count < INT_MAX ? count : INT_MAX;
    if (sc_byte_queue_add(&conn->output, bytes, take) != 0) {
        return MBEDTLS_ERR_SSL_ALLOC_FAILED;
    }
    return (int)take;
}

static int on_receive(void *arg, unsigned char *to, size_t count)
{
    struct conn *conn = arg;
    const size_t take = count < conn->input.count ? count : conn->input.count;
    if (take == 0) {
        return conn->base.input_ended ? 0 : MBEDTLS_ERR_SSL_WANT_READ;
    }
    memcpy(to, sc_byte_queue_front(&conn->input), take);
    sc_byte_queue_drop(&conn->input, take);
    return (int)take;
}

/* The chain that the server has shown, or the leaf that a session remembers. */
static int verify_chain(struct conn *conn, const mbedtls_x509_crt *chain)
{
    struct sc_tls_der certificates[MAX_CERTIFICATES];
    size_t count = 0;
    for (; chain && chain->raw.len > 0 && count < MAX_CERTIFICATES; chain = chain->next) {
        certificates[count++] = (struct sc_tls_der){chain->raw.p, chain->raw.len};
    }
    return sc_tls_verify_der(conn->verify, certificates, count);
}

static void put_hex(char *out, const unsigned char *bytes, size_t count)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
}

/* "CLIENT_RANDOM <its 32 bytes> <the 48 bytes of the master secret>", as NSS has it. */
static void log_keys(int fd, const unsigned char *master, const unsigned char client_random[32])
{
    static const char label[] = "CLIENT_RANDOM ";
    char line[sizeof(label) + 64 + 1 + 96] = {0};
    memcpy(line, label, sizeof(label) - 1);
    put_hex(line + sizeof(label) - 1, client_random, 32);
    line[sizeof(label) - 1 + 64] = ' ';
    put_hex(line + sizeof(label) + 64, master, 48);
    sc_key_log_write(fd, line);
    mbedtls_platform_zeroize(line, sizeof(line));
}

/* The group of the key exchange; "" of a resumed handshake, which has none. */
static const char *group_of(const mbedtls_ssl_context *ssl)
{
#ifdef MBEDTLS_ECDH_LEGACY_CONTEXT
    const mbedtls_ecp_group_id id = ssl->handshake->ecdh_ctx.grp.id;
#else
    const mbedtls_ecp_group_id id = ssl->handshake->ecdh_ctx.grp_id;
#endif
    const mbedtls_ecp_curve_info *curve = mbedtls_ecp_curve_info_from_grp_id(id);
    return curve ? curve->name : "";
}

/*
 * Mbed TLS 2.28 has no exporter (RFC 5705): it is made from the master secret, if that is bound to
 * the handshake (RFC 7627).
 */
static void make_exporter(struct conn *conn, const unsigned char *master,
                          const unsigned char client_random[32],
                          const unsigned char server_random[32], mbedtls_tls_prf_types prf)
{
    unsigned char randoms[64];
    memcpy(randoms, client_random, 32);
    memcpy(randoms + 32, server_random, 32);
    conn->has_exporter =
        conn->ssl.handshake->extended_ms == MBEDTLS_SSL_EXTENDED_MS_ENABLED &&
        mbedtls_ssl_tls_prf(prf, master, 48, SC_PINS_EXPORTER_LABEL, randoms, sizeof(randoms),
                            conn->exporter, sizeof(conn->exporter)) == 0;
}

/* Called when the keys of the connection are made. */
static int on_keys(void *arg, const unsigned char *master, const unsigned char *key_block,
                   size_t mac_size, size_t key_size, size_t iv_size,
                   const unsigned char client_random[32], const unsigned char server_random[32],
                   mbedtls_tls_prf_types prf)
{
    struct conn *conn = arg;
    (void)key_block;
    (void)mac_size;
    (void)key_size;
    (void)iv_size;
    make_exporter(conn, master, client_random, server_random, prf);
    conn->group = group_of(&conn->ssl);
    if (conn->key_log_fd >= 0) {
        log_keys(conn->key_log_fd, master, client_random);
    }
    return 0;
}

/* --- Connection --- */

static void conn_free(struct sc_tls_conn *base)
{
    struct conn *conn = conn_of(base);
    if (conn) {
        mbedtls_ssl_free(&conn->ssl);
        mbedtls_ssl_config_free(&conn->config);
        mbedtls_pk_free(&conn->key);
        sc_byte_queue_fini(&conn->input);
        sc_byte_queue_fini(&conn->output);
        sc_tls_watch_fini(&conn->watch);
        mbedtls_platform_zeroize(conn->exporter, sizeof(conn->exporter));
        free(conn);
    }
}

/* A session that cannot be used is ignored: the handshake is then a full one. */
static int offer_session(mbedtls_ssl_context *ssl, const uint8_t *bytes, size_t size)
{
    mbedtls_ssl_session session;
    int result = 0;
    mbedtls_ssl_session_init(&session);
    if (bytes && mbedtls_ssl_session_load(&session, bytes, size) == 0) {
        result = mbedtls_ssl_set_session(ssl, &session);
    }
    mbedtls_ssl_session_free(&session);
    return result;
}

static int set_up(struct conn *conn, struct sc_mbedtls_shared *shared, const char *name,
                  const uint8_t *session, size_t session_size)
{
    int result = sc_mbedtls_configure(shared, &conn->config, &conn->key);
    if (result == 0) {
        mbedtls_ssl_conf_export_keys_ext_cb(&conn->config, on_keys, conn);
        result = mbedtls_ssl_setup(&conn->ssl, &conn->config);
    }
    if (result == 0 && name) {
        result = mbedtls_ssl_set_hostname(&conn->ssl, name);
    }
    if (result == 0) {
        mbedtls_ssl_set_bio(&conn->ssl, conn, on_send, on_receive, NULL);
        result = offer_session(&conn->ssl, session, session_size);
    }
    return result;
}

static struct sc_tls_conn *conn_new(struct sc_tls_shared *base, struct sc_tls_verify *verify,
                                    const char *name, const uint8_t *session, size_t session_size,
                                    struct sc_err *err)
{
    struct sc_mbedtls_shared *shared = (struct sc_mbedtls_shared *)(void *)base;
    struct conn *conn = calloc(1, sizeof(*conn));
    if (!conn) {
        (void)sc_err_set(err, EX_OSERR, "can't set up TLS: out of memory");
        return NULL;
    }
    conn->verify = verify;
    conn->key_log_fd = shared->key_log_fd;
    sc_tls_watch_init(&conn->watch);
    mbedtls_ssl_init(&conn->ssl);
    mbedtls_ssl_config_init(&conn->config);
    mbedtls_pk_init(&conn->key);
    const int result = set_up(conn, shared, name, session, session_size);
    if (result != 0) {
        const char *reason = sc_mbedtls_is_out_of_memory(result) ? NULL : sc_mbedtls_reason(result);
        (void)sc_err_set(err, EX_OSERR, "can't set up TLS: %s", reason ? reason : "out of memory");
        conn_free(&conn->base);
        return NULL;
    }
    return &conn->base;
}

static size_t room(const struct sc_tls_conn *base)
{
    const size_t waiting = ((const struct conn *)(const void *)base)->input.count;
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
    sc_tls_watch_first_bytes(&conn->watch, bytes, take);
    conn->received += take;
    conn->out_of_memory |= sc_byte_queue_add(&conn->input, bytes, take) != 0;
    return take;
}

static size_t output(struct sc_tls_conn *base, const uint8_t **bytes)
{
    const struct sc_byte_queue *queue = &conn_of(base)->output;
    *bytes = sc_byte_queue_front(queue);
    return queue->count;
}

static void sent(struct sc_tls_conn *base, size_t count)
{
    sc_byte_queue_drop(&conn_of(base)->output, count);
}

/* --- Results --- */

static void explain(struct sc_tls_conn *base, enum sc_tls_end end, char *out, size_t out_size)
{
    struct conn *conn = conn_of(base);
    conn->watch.certificate_requested = conn->ssl.client_auth != 0;
    sc_tls_describe_failure_as(&conn->watch, end, sc_mbedtls_openssl_code(conn->error),
                               conn->error != 0 ? sc_mbedtls_reason(conn->error) : NULL, out,
                               out_size);
}

/* What a result other than success means. */
static enum sc_tls_step step_of(struct conn *conn, int result, bool in_handshake,
                                struct sc_err *err)
{
    char why[256];
    if (conn->out_of_memory || sc_mbedtls_is_out_of_memory(result)) {
        (void)sc_err_set(err, EX_OSERR, "the connection with %s is given up: out of memory",
                         conn->verify->target);
        return SC_TLS_STEP_FAILED;
    }
    switch (result) {
    case 0: /* also of two empty records */
    case MBEDTLS_ERR_SSL_CONN_EOF:
        return conn->base.input_ended ? SC_TLS_STEP_EOF : SC_TLS_STEP_WANT_INPUT;
    case MBEDTLS_ERR_SSL_WANT_READ: return SC_TLS_STEP_WANT_INPUT;
    case MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY: return SC_TLS_STEP_CLOSED;
    case MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE:
        conn->watch.alert_received = conn->ssl.in_msg[1]; /* no function returns it */
        break;
    default: break;
    }
    conn->error = result;
    explain(&conn->base, SC_TLS_END_ERROR, why, sizeof(why));
    (void)sc_tls_failed(err, in_handshake, conn->verify->target, why);
    return SC_TLS_STEP_FAILED;
}

/*
 * A step at a time: one reads the server's certificate, and a later one answers. It is checked in
 * between: Mbed TLS would follow the chain for eight issuers and end the handshake at the ninth,
 * whatever the pins are, and the alert that it sends for a refusal is not bad_certificate.
 */
static enum sc_tls_step handshake(struct sc_tls_conn *base, struct sc_err *err)
{
    struct conn *conn = conn_of(base);
    while (conn->ssl.state != MBEDTLS_SSL_HANDSHAKE_OVER) {
        const int before = conn->ssl.state;
        const int result = conn->out_of_memory ? MBEDTLS_ERR_SSL_ALLOC_FAILED
                                               : mbedtls_ssl_handshake_step(&conn->ssl);
        if (result != 0) {
            return step_of(conn, result, true, err);
        }
        if (before != MBEDTLS_SSL_SERVER_CERTIFICATE || conn->ssl.state == before) {
            continue;
        }
        conn->certificate_shown = true;
        if (verify_chain(conn, conn->ssl.session_negotiate->peer_cert) != 0) {
            (void)mbedtls_ssl_send_alert_message(&conn->ssl, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                                 conn->verify->is_unknown
                                                     ? MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA
                                                     : MBEDTLS_SSL_ALERT_MSG_BAD_CERT);
            *err = conn->verify->err;
            return SC_TLS_STEP_FAILED;
        }
    }
    return SC_TLS_STEP_DONE;
}

/* Records received since the keys changed; Mbed TLS has no function for it. */
static uint64_t records_in(const struct conn *conn)
{
    uint64_t count = 0;
    for (size_t i = 0; i < 8; i++) {
        count = count << 8 | conn->ssl.in_ctr[i];
    }
    return count;
}

static enum sc_tls_step read_plain(struct sc_tls_conn *base, uint8_t *to, size_t room, size_t *got,
                                   struct sc_err *err)
{
    struct conn *conn = conn_of(base);
    const uint64_t before = records_in(conn);
    int result;
    do { /* it also wants to be called again after a warning alert or an empty record */
        result = conn->out_of_memory ? MBEDTLS_ERR_SSL_ALLOC_FAILED
                                     : mbedtls_ssl_read(&conn->ssl, to, room);
    } while ((result == MBEDTLS_ERR_SSL_WANT_READ || result == 0) && conn->input.count > 0);
    /* It takes any number of warnings, and answers each HelloRequest. */
    const uint64_t came = records_in(conn) - before;
    conn->wasted += result > 0 && came > 0 ? came - 1 : came;
    if (sc_tls_is_flood(conn->wasted, conn->received)) {
        (void)sc_tls_flooded(err, conn->verify->target);
        return SC_TLS_STEP_FAILED;
    }
    if (result > 0) {
        *got = (size_t)result;
        return SC_TLS_STEP_DONE;
    }
    return step_of(conn, result, false, err);
}

static int write_plain(struct sc_tls_conn *base, const uint8_t *bytes, size_t count,
                       struct sc_err *err)
{
    struct conn *conn = conn_of(base);
    while (count > 0) { /* a record at a time */
        const int result = mbedtls_ssl_write(&conn->ssl, bytes, count);
        if (result <= 0) {
            const char *reason =
                sc_mbedtls_is_out_of_memory(result) ? "out of memory" : sc_mbedtls_reason(result);
            return sc_err_set(err, EX_OSERR, "can't encrypt a request: %s",
                              reason ? reason : "unknown reason");
        }
        bytes += result;
        count -= (size_t)result;
    }
    return 0;
}

static void shut_down(struct sc_tls_conn *base)
{
    (void)mbedtls_ssl_close_notify(&conn_of(base)->ssl);
}

static int check_peer(struct sc_tls_conn *base)
{
    struct conn *conn = conn_of(base);
    return verify_chain(conn, mbedtls_ssl_get_peer_cert(&conn->ssl));
}

static void params(struct sc_tls_conn *base, struct sc_tls_params *out)
{
    const struct conn *conn = conn_of(base);
    const mbedtls_ssl_session *session = mbedtls_ssl_get_session_pointer(&conn->ssl);
    *out = (struct sc_tls_params){
        .version = mbedtls_ssl_get_version(&conn->ssl),
        .cipher = sc_mbedtls_cipher_name(session ? session->ciphersuite : 0),
        .group = conn->group,
        .resumed = !conn->certificate_shown,
    };
}

static size_t session(struct sc_tls_conn *base, uint8_t *out, size_t room)
{
    const mbedtls_ssl_session *now = mbedtls_ssl_get_session_pointer(&conn_of(base)->ssl);
    size_t size = 0;
    if (!now || (now->id_len == 0 && now->ticket_len == 0)) {
        return 0;
    }
    (void)mbedtls_ssl_session_save(now, NULL, 0, &size); /* how much room it needs */
    if (size > 0 && size <= room && mbedtls_ssl_session_save(now, out, room, &size) != 0) {
        return 0;
    }
    return size;
}

static bool give_exporter(struct sc_tls_conn *base, uint8_t out[SC_PINS_EXPORTER_BYTES])
{
    const struct conn *conn = conn_of(base);
    memcpy(out, conn->exporter, sizeof(conn->exporter));
    return conn->has_exporter;
}

const struct sc_tls_library sc_tls_mbedtls = {
    .name = "mbedtls",
    .version = version,
    .shared_new = sc_mbedtls_shared_new,
    .shared_free = sc_mbedtls_shared_free,
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
    .exporter = give_exporter,
    .explain = explain,
};
