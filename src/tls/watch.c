/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/watch.h"

#include <stdlib.h>
#include <string.h>

#include "tls/handshake_hooks.h"

void sc_tls_watch_init(struct sc_tls_watch *watch)
{
    *watch =
        (struct sc_tls_watch){.alert_received = SC_TLS_NO_ALERT, .alert_sent = SC_TLS_NO_ALERT};
}

void sc_tls_watch_start_trace(struct sc_tls_watch *watch)
{
    watch->trace = sc_tls_trace_new();
}

void sc_tls_watch_end_trace(struct sc_tls_watch *watch)
{
    free(watch->trace);
    watch->trace = NULL;
}

void sc_tls_watch_fini(struct sc_tls_watch *watch)
{
    sc_tls_watch_end_trace(watch);
    free(watch->refused_pin);
    watch->refused_pin = NULL;
}

/* The first alert of a direction counts: it names the cause. */
static void note_alert(uint8_t *slot, int value)
{
    uint8_t description = (uint8_t)(value & 0xff);
    if (*slot == SC_TLS_NO_ALERT && description != SSL_AD_CLOSE_NOTIFY) {
        *slot = description;
    }
}

static void note_state(const struct sc_tls_watch *watch, const SSL *ssl)
{
    const struct sc_tls_state *step = sc_tls_trace_add(watch->trace, ssl);
    if (watch->hooks && watch->hooks->on_state) {
        watch->hooks->on_state(watch->hooks_arg, step);
    }
}

static void on_info(const SSL *ssl, int where, int value)
{
    struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    if (!watch) {
        return;
    }
    if (watch->trace && where & SSL_CB_LOOP) {
        note_state(watch, ssl);
    }
    if (where & SSL_CB_ALERT) {
        note_alert(where & SSL_CB_READ ? &watch->alert_received : &watch->alert_sent, value);
    } else if (where == SSL_CB_HANDSHAKE_START) {
        watch->renegotiates = watch->handshake_done && SSL_version(ssl) != TLS1_3_VERSION;
    } else if (where == SSL_CB_HANDSHAKE_DONE) {
        watch->handshake_done = true;
    } else if (where == SSL_CB_ACCEPT_LOOP && SSL_get_state(ssl) == TLS_ST_SW_SRVR_HELLO) {
        watch->hello_answered = true;
    }
}

/* A HelloRetryRequest is a ServerHello with this random (RFC 8446 section 4.1.3). */
static bool is_retry_request(const uint8_t *hello, size_t length)
{
    static const uint8_t retry_random[] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
                                           0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
                                           0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
                                           0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};
    const size_t before = SSL3_HM_HEADER_LENGTH + 2;
    return length >= before + sizeof(retry_random) &&
           memcmp(hello + before, retry_random, sizeof(retry_random)) == 0;
}

static void note_sent(struct sc_tls_watch *watch, const uint8_t *message, size_t length)
{
    if (!watch || message[0] != SSL3_MT_SERVER_HELLO) {
        return;
    }
    if (is_retry_request(message, length)) {
        sc_hello_peek_start(&watch->hello);
    } else {
        sc_hello_peek_stop(&watch->hello);
    }
}

/* Runs twice for every record: the common cases leave at the first comparisons. */
static void on_message(int write_p, int version, int content_type, const void *bytes, size_t length,
                       SSL *ssl, void *arg)
{
    (void)version;
    (void)arg;
    if (write_p || length == 0) {
        if (write_p && content_type == SSL3_RT_HANDSHAKE && length > 0) {
            note_sent(SSL_get_app_data(ssl), bytes, length);
        }
        return;
    }
    if (content_type == SSL3_RT_HEADER) {
        struct sc_tls_watch *watch = SSL_get_app_data(ssl);
        if (watch && watch->records++ == 0) {
            sc_tls_watch_first_bytes(watch, bytes, length);
        }
        return;
    }
    if (content_type != SSL3_RT_HANDSHAKE) {
        return;
    }
    uint8_t type = *(const uint8_t *)bytes;
    if (type != SSL3_MT_KEY_UPDATE && type != SSL3_MT_HELLO_REQUEST &&
        type != SSL3_MT_NEWSESSION_TICKET && type != SSL3_MT_CERTIFICATE_REQUEST) {
        return;
    }
    struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    if (watch && type == SSL3_MT_CERTIFICATE_REQUEST) {
        watch->certificate_requested = true;
    } else if (watch && watch->handshake_done && watch->key_updates < UINT16_MAX) {
        watch->key_updates++;
    }
}

void sc_tls_watch_install(SSL_CTX *context)
{
    SSL_CTX_set_info_callback(context, on_info);
    SSL_CTX_set_msg_callback(context, on_message);
}

static long on_read(BIO *bio, int operation, const char *bytes, size_t length, int argi, long argl,
                    int result, size_t *count)
{
    (void)length;
    (void)argi;
    (void)argl;
    if (operation == (BIO_CB_READ | BIO_CB_RETURN) && result > 0 && count) {
        struct sc_tls_watch *watch = (struct sc_tls_watch *)(void *)BIO_get_callback_arg(bio);
        sc_tls_watch_first_bytes(watch, bytes, *count);
        if (watch->first_count == sizeof(watch->first_bytes)) {
            BIO_set_callback_ex(bio, NULL); /* it would cost time with every read */
        }
    }
    return result;
}

void sc_tls_watch_socket(SSL *ssl)
{
    BIO *bio = SSL_get_rbio(ssl);
    BIO_set_callback_arg(bio, SSL_get_app_data(ssl));
    BIO_set_callback_ex(bio, on_read);
}

void sc_tls_watch_first_bytes(struct sc_tls_watch *watch, const void *bytes, size_t length)
{
    size_t room = sizeof(watch->first_bytes) - watch->first_count;
    if (room > 0 && length > 0) {
        size_t take = length < room ? length : room;
        memcpy(watch->first_bytes + watch->first_count, bytes, take);
        watch->first_count = (uint8_t)(watch->first_count + take);
    }
}
