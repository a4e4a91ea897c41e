/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/context.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/err.h>

#include "proto/frame.h"
#include "tls/announcement.h"
#include "tls/certificate.h"
#include "tls/command_files.h"
#include "tls/error.h"
#include "tls/cert_files.h"
#include "tls/handshake_hooks.h"
#include "tls/key_log.h"
#include "tls/ocsp.h"
#include "tls/selftest.h"
#include "tls/session_cache.h"
#include "tls/tickets.h"
#include "tls/watch.h"
#include "tls/weak_settings.h"

/*
 * The client's preference between AES and ChaCha20 wins (PRIORITIZE_CHACHA): it knows whether it
 * has AES in hardware. AES-128 comes before AES-256: it is as safe here, and a third faster.
 */
#define CIPHERS_TLS12 \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:" \
    "ECDHE-RSA-AES256-GCM-SHA384:" \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERS_TLS13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define GROUPS "X25519:P-256:P-384"
#define DEFAULT_SESSION_TIMEOUT_S 300
/*
 * Early data is never accepted, but a client whose ticket is of another server may send it: so
 * much is skipped (RFC 8446 section 4.2.10), twice what servers commonly allow. The count is of
 * ciphertext.
 */
#define MAX_SKIPPED_EARLY_DATA (32U << 10)

/* The name as ALPN carries it: a length byte and the text. */
static const unsigned char alpn[] = "\x0f" SC_PROTOCOL_ALPN;
_Static_assert(sizeof(SC_PROTOCOL_ALPN) - 1 == 0x0f, "the length byte of the ALPN name");

/*
 * Attached to its SSL_CTX (ex_data) and freed with it: a reference to one is a reference to the
 * other, and each SSL holds one.
 */
struct sc_tls_context {
    SSL_CTX *ssl_ctx;
    int keylog_fd; /* of a client; -1: none */

    /* Of a server. */
    struct sc_tickets *tickets; /* a reference, or NULL */
    struct sc_cert_files files;
    struct sc_peer_policy policy;
    struct sc_announcement announcement;
    struct sc_ocsp ocsp;
    uint8_t commands[SC_TLS_COMMANDS_DIGEST_BYTES];
    struct sc_weak_settings weak;
    time_t not_after;
    uint8_t digest[SC_TLS_CONTEXT_DIGEST_BYTES];
};

static pthread_once_t index_once = PTHREAD_ONCE_INIT;
static int ex_index = -1;

static void on_ssl_ctx_free(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int index, long argl,
                            void *argp)
{
    (void)parent;
    (void)ad;
    (void)index;
    (void)argl;
    (void)argp;
    struct sc_tls_context *context = ptr;
    if (context) {
        sc_tickets_unref(context->tickets);
        sc_cert_files_fini(&context->files);
        sc_peer_policy_fini(&context->policy);
        sc_announcement_fini(&context->announcement);
        sc_ocsp_fini(&context->ocsp);
        if (context->keylog_fd >= 0) {
            (void)close(context->keylog_fd);
        }
        free(context);
    }
}

static void make_index(void)
{
    ex_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_ctx_free);
}

static struct sc_tls_context *context_of(const SSL_CTX *ssl_ctx)
{
    return SSL_CTX_get_ex_data(ssl_ctx, ex_index);
}

/* With the defaults that both sides share. */
static struct sc_tls_context *context_new(const SSL_METHOD *method, struct sc_err *err)
{
    ERR_clear_error();
    (void)pthread_once(&index_once, make_index);
    struct sc_tls_context *context = calloc(1, sizeof(*context));
    SSL_CTX *ssl_ctx = SSL_CTX_new(method);
    if (!context || !ssl_ctx || ex_index < 0 ||
        SSL_CTX_set_ex_data(ssl_ctx, ex_index, context) != 1) {
        (void)sc_tls_err(err, EX_OSERR, "can't set up TLS");
        SSL_CTX_free(ssl_ctx);
        free(context);
        return NULL;
    }
    context->ssl_ctx = ssl_ctx;
    context->keylog_fd = -1;
    SSL_CTX_set_security_level(ssl_ctx, SC_TLS_SECURITY_LEVEL);
    if (SSL_CTX_set_min_proto_version(ssl_ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ssl_ctx, 0) != 1 ||
        SSL_CTX_set_cipher_list(ssl_ctx, CIPHERS_TLS12) != 1 ||
        SSL_CTX_set_ciphersuites(ssl_ctx, CIPHERS_TLS13) != 1 ||
        SSL_CTX_set1_groups_list(ssl_ctx, GROUPS) != 1) {
        (void)sc_tls_err(err, EX_OSERR, "can't set the TLS versions, ciphers and groups");
        SSL_CTX_free(ssl_ctx);
        return NULL;
    }
    SSL_CTX_set_options(ssl_ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* Never ENABLE_PARTIAL_WRITE: libevent 2.1 loses data with it. */
    SSL_CTX_set_mode(ssl_ctx, SSL_MODE_RELEASE_BUFFERS);
    sc_tls_watch_install(ssl_ctx);
    return context;
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                   const unsigned char *in, unsigned int in_length, void *arg)
{
    (void)arg;
    unsigned char *selected;
    if (SSL_select_next_proto(&selected, out_length, alpn, sizeof(alpn) - 1, in, in_length) ==
        OPENSSL_NPN_NEGOTIATED) {
        *out = selected;
        return SSL_TLSEXT_ERR_OK;
    }
    struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    if (watch) {
        watch->alpn_refused = true;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static int set_sessions(struct sc_tls_context *context,
                        const struct sc_tls_server_settings *settings, struct sc_err *err)
{
    SSL_CTX *ssl_ctx = context->ssl_ctx;
    uint32_t timeout_s =
        settings->session_timeout_s ? settings->session_timeout_s : DEFAULT_SESSION_TIMEOUT_S;
    const uint32_t size = settings->session_cache_size;
    /* OpenSSL reads a size of 0 as "no limit". */
    (void)SSL_CTX_set_session_cache_mode(ssl_ctx,
                                         size ? SSL_SESS_CACHE_SERVER : SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_sess_set_cache_size(ssl_ctx, (long)size);
    (void)SSL_CTX_set_timeout(ssl_ctx, (long)timeout_s);
    /* One ticket: the unread second one turns a client's close into a reset. */
    if (SSL_CTX_set_num_tickets(ssl_ctx, 1) != 1 || SSL_CTX_set_max_early_data(ssl_ctx, 0) != 1 ||
        SSL_CTX_set_recv_max_early_data(ssl_ctx, MAX_SKIPPED_EARLY_DATA) != 1) {
        return sc_tls_err(err, EX_OSERR, "can't set up TLS sessions");
    }
    if (!settings->tickets) {
        return 0;
    }
    context->tickets = sc_tickets_ref(settings->tickets);
    if (size > 0 && sc_session_cache_install(sc_tickets_session_cache(settings->tickets), ssl_ctx,
                                             size, err) != 0) {
        return -1;
    }
    return sc_tickets_install(settings->tickets, ssl_ctx, err);
}

/* NULL: there is none, and there need not be one. */
static const char *next_key_path(const struct sc_tls_server_settings *settings)
{
    const char *path = settings->next_private_key_path;
    struct stat there;
    return path && settings->next_private_key_optional && lstat(path, &there) != 0 &&
                   errno == ENOENT
               ? NULL
               : path;
}

/*
 * The certificate decides which key is the current one: sc-keygen --promote renames it first.
 */
static int load_server_files(struct sc_tls_context *context,
                             const struct sc_tls_server_settings *settings, struct sc_err *err)
{
    struct sc_cert_files *files = &context->files;
    const char *key = settings->private_key_path;
    const char *next = next_key_path(settings);
    bool same = false;
    int status = sc_cert_files_load(settings->certificate_path, key, settings->passphrase,
                                    settings->passphrase_arg, files, err);
    if (status != 0 && next &&
        sc_cert_files_load(settings->certificate_path, next, settings->passphrase,
                           settings->passphrase_arg, files, NULL) == 0) {
        sc_cert_files_warn(files,
                           "certificate %s is of the key %s, which is served with, and not of %s: "
                           "a promotion was interrupted; sc-keygen --promote finishes it",
                           settings->certificate_path, next, key);
        key = next;
        status = 0;
    }
    if (status == 0) {
        status = sc_announcement_init(&context->announcement, files->key, next,
                                      settings->passphrase, settings->passphrase_arg, &same, err);
    }
    if (status == 0 && same && key != next) {
        sc_cert_files_warn(files,
                           "next-private-key %s is the current key, and is not announced; "
                           "sc-keygen --next --force makes another",
                           next);
    }
    return status;
}

static int use_cert_files(struct sc_tls_context *context, const char *certificate_path,
                          const char *key_path, struct sc_err *err)
{
    struct sc_cert_files *files = &context->files;
    /* No chain instead of an empty one: every SSL would have a copy of it. */
    STACK_OF(X509) *chain = sk_X509_num(files->chain) > 0 ? files->chain : NULL;
    if (SSL_CTX_use_cert_and_key(context->ssl_ctx, files->leaf, files->key, chain, 1) != 1) {
        return sc_tls_err(err, EX_CONFIG,
                          "certificate %s with private key %s can't be used for TLS",
                          certificate_path, key_path);
    }
    context->not_after = sc_certificate_time(X509_get0_notAfter(files->leaf));
    return 0;
}

static int use_ocsp(struct sc_tls_context *context, const char *path, struct sc_err *err)
{
    if (!path) {
        return 0;
    }
    if (sc_ocsp_load(path, context->files.leaf, context->files.chain, &context->ocsp, err) != 0) {
        return -1;
    }
    if (!sc_ocsp_is_current(&context->ocsp)) {
        sc_cert_files_warn(&context->files,
                           "OCSP response %s is out of date and is not sent; fetch a new one",
                           path);
    }
    return sc_ocsp_install(&context->ocsp, context->ssl_ctx, err);
}

/* Names everything that two contexts could differ in. */
static int make_digest(struct sc_tls_context *context,
                       const struct sc_tls_server_settings *settings, struct sc_err *err)
{
    const uint32_t sessions[2] = {settings->session_timeout_s, settings->session_cache_size};
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    bool ok = md && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
              EVP_DigestUpdate(md, sessions, sizeof(sessions)) == 1 &&
              EVP_DigestUpdate(md, context->files.digest, sizeof(context->files.digest)) == 1 &&
              EVP_DigestUpdate(md, context->announcement.next.pin, SC_PINS_PIN_BYTES) == 1 &&
              EVP_DigestUpdate(md, context->policy.id, sizeof(context->policy.id)) == 1;
    ok = ok && EVP_DigestUpdate(md, context->commands, sizeof(context->commands)) == 1 &&
         EVP_DigestUpdate(md, context->ocsp.der, context->ocsp.length) == 1 &&
         EVP_DigestFinal_ex(md, context->digest, NULL) == 1;
    EVP_MD_CTX_free(md);
    return ok ? 0 : sc_tls_err(err, EX_OSERR, "can't set up TLS");
}

static int make_server(struct sc_tls_context *context,
                       const struct sc_tls_server_settings *settings, struct sc_err *err)
{
    SSL_CTX *ssl_ctx = context->ssl_ctx;
    SSL_CTX_set_options(ssl_ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_alpn_select_cb(ssl_ctx, on_alpn, NULL);
    if (set_sessions(context, settings, err) != 0 ||
        sc_peer_policy_init(&context->policy, settings->client_auth, settings->client_pins,
                            settings->client_pin_count, settings->commands, settings->command_count,
                            err) != 0 ||
        sc_peer_policy_install(&context->policy, ssl_ctx, err) != 0 ||
        sc_tls_commands_apply(ssl_ctx, settings->commands, settings->command_count,
                              context->commands, err) != 0 ||
        load_server_files(context, settings, err) != 0 ||
        use_cert_files(context, settings->certificate_path, settings->private_key_path, err) != 0 ||
        use_ocsp(context, settings->ocsp_response_path, err) != 0 ||
        make_digest(context, settings, err) != 0 || sc_tls_selftest(ssl_ctx, err) != 0) {
        return -1;
    }
    sc_weak_settings_find(ssl_ctx, settings->commands, settings->command_count, &context->weak);
    sc_tls_trace_install(ssl_ctx);
    return sc_tls_handshake_hooks_install(ssl_ctx) ? 0
                                                   : sc_tls_err(err, EX_OSERR, "can't set up TLS");
}

struct sc_tls_context *sc_tls_context_new_server(const struct sc_tls_server_settings *settings,
                                                 struct sc_err *err)
{
    struct sc_tls_context *context = context_new(TLS_server_method(), err);
    if (context && make_server(context, settings, err) != 0) {
        sc_tls_context_unref(context);
        return NULL;
    }
    return context;
}

static void on_keylog(const SSL *ssl, const char *line)
{
    sc_key_log_write(context_of(SSL_get_SSL_CTX(ssl))->keylog_fd, line);
}

static int open_keylog(struct sc_tls_context *context, const char *path, struct sc_err *err)
{
    context->keylog_fd = sc_key_log_open(path, err);
    if (context->keylog_fd < 0) {
        return -1;
    }
    SSL_CTX_set_keylog_callback(context->ssl_ctx, on_keylog);
    return 0;
}

struct sc_tls_context *sc_tls_context_new_client(const struct sc_tls_client_settings *settings,
                                                 struct sc_err *err)
{
    struct sc_tls_context *context = context_new(TLS_client_method(), err);
    if (!context) {
        return NULL;
    }
    SSL_CTX_set_verify(context->ssl_ctx, SSL_VERIFY_NONE, NULL);
    (void)SSL_CTX_set_session_cache_mode(context->ssl_ctx,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    if (SSL_CTX_set_alpn_protos(context->ssl_ctx, alpn, sizeof(alpn) - 1) != 0) {
        (void)sc_tls_err(err, EX_OSERR, "can't set up TLS");
        sc_tls_context_unref(context);
        return NULL;
    }
    if ((settings->keylog_path && open_keylog(context, settings->keylog_path, err) != 0) ||
        (settings->certificate_path &&
         (sc_cert_files_load(settings->certificate_path, settings->private_key_path,
                             settings->passphrase ? sc_cert_files_passphrase : NULL,
                             (void *)(uintptr_t)settings->passphrase, &context->files, err) != 0 ||
          use_cert_files(context, settings->certificate_path, settings->private_key_path, err) !=
              0))) {
        sc_tls_context_unref(context);
        return NULL;
    }
    return context;
}

struct sc_tls_context *sc_tls_context_ref(struct sc_tls_context *context)
{
    (void)SSL_CTX_up_ref(context->ssl_ctx);
    return context;
}

void sc_tls_context_unref(struct sc_tls_context *context)
{
    if (context) {
        SSL_CTX_free(context->ssl_ctx);
    }
}

SSL_CTX *sc_tls_context_ssl_ctx(const struct sc_tls_context *context)
{
    return context->ssl_ctx;
}

time_t sc_tls_context_not_after(const struct sc_tls_context *context)
{
    return context->not_after;
}

const struct sc_announcement *sc_tls_context_announcement(const struct sc_tls_context *context)
{
    return &context->announcement;
}

const struct sc_ocsp *sc_tls_context_ocsp(const struct sc_tls_context *context)
{
    return &context->ocsp;
}

int sc_tls_context_check_peer(const struct sc_tls_context *context, const SSL *ssl,
                              const char **name, struct sc_err *err)
{
    return sc_peer_policy_check(&context->policy, ssl, name, err);
}

const uint8_t *sc_tls_context_digest(const struct sc_tls_context *context)
{
    return context->digest;
}

const char *sc_tls_context_warning(const struct sc_tls_context *context, unsigned index)
{
    return index < context->files.warning_count ? context->files.warnings[index] : NULL;
}

const char *sc_tls_context_weakness(const struct sc_tls_context *context, unsigned index)
{
    return index < context->weak.count ? context->weak.text[index] : NULL;
}
