#include "config.h"

#include "tls/watch.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

void sc_tls_watch_init(struct sc_tls_watch *watch)
{
    *watch =
        (struct sc_tls_watch){.alert_received = SC_TLS_NO_ALERT, .alert_sent = SC_TLS_NO_ALERT};
}

void sc_tls_watch_fini(struct sc_tls_watch *watch)
{
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

static void on_info(const SSL *ssl, int where, int value)
{
    struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    if (!watch) {
        return;
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

/* Runs twice for every record: the common cases leave at the first comparisons. */
static void on_message(int write_p, int version, int content_type, const void *bytes, size_t length,
                       SSL *ssl, void *arg)
{
    (void)version;
    (void)arg;
    if (write_p || length == 0) {
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
        type != SSL3_MT_CERTIFICATE_REQUEST) {
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

void sc_tls_watch_first_bytes(struct sc_tls_watch *watch, const void *bytes, size_t length)
{
    size_t room = sizeof(watch->first_bytes) - watch->first_count;
    if (room > 0 && length > 0) {
        size_t take = length < room ? length : room;
        memcpy(watch->first_bytes + watch->first_count, bytes, take);
        watch->first_count = (uint8_t)(watch->first_count + take);
    }
}
