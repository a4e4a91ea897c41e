/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls_peer.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <openssl/bio.h>
#include <openssl/err.h>

#include "net/loop.h"

/* --- The loop --- */

static struct event *guard;
static const char *guarded;

static void on_guard(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
    ck_abort_msg("waited too long for: %s", guarded);
}

struct event_base *run_base_new(void)
{
    struct sc_err err = {0};
    sc_loop_init();
    struct event_base *base = sc_loop_new_base(&err);
    ck_assert_msg(base != NULL, "%s", err.text);
    guard = evtimer_new(base, on_guard, NULL);
    ck_assert_ptr_nonnull(guard);
    return base;
}

void run_base_free(struct event_base *base)
{
    run_ready(base); /* libevent frees bufferevents in the next passes */
    event_free(guard);
    event_base_free(base);
}

void run_guard(struct event_base *base, const char *what)
{
    const struct timeval limit = {.tv_sec = 40, .tv_usec = 0};
    (void)base;
    guarded = what;
    ck_assert_int_eq(event_add(guard, &limit), 0);
}

void run_once(struct event_base *base)
{
    ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
}

void run_ready(struct event_base *base)
{
    for (int i = 0; i < 20; i++) {
        (void)event_base_loop(base, EVLOOP_NONBLOCK);
    }
}

void socket_pair(bool tcp, int ends[2])
{
    if (tcp) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t length = sizeof(address);
        const int listener = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_ge(listener, 0);
        ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
        ck_assert_int_eq(listen(listener, 1), 0);
        ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &length), 0);
        ends[0] = socket(AF_INET, SOCK_STREAM, 0);
        ck_assert_int_eq(connect(ends[0], (struct sockaddr *)&address, sizeof(address)), 0);
        ends[1] = accept(listener, NULL, NULL);
        ck_assert_int_ge(ends[1], 0);
        (void)close(listener);
    } else {
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    }
    for (int i = 0; i < 2; i++) {
        const int bytes =
            64 << 10; /* else the kernel takes megabytes from a peer that is not read */
        ck_assert_int_eq(setsockopt(ends[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes)), 0);
        ck_assert_int_eq(setsockopt(ends[i], SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes)), 0);
        ck_assert_int_eq(evutil_make_socket_nonblocking(ends[i]), 0);
    }
}

/* --- The peer --- */

static void send_some(struct tls_peer *peer)
{
    if (peer->held) {
        return;
    }
    while (peer->fd >= 0 && peer->error == 0 && evbuffer_get_length(peer->unsent) > 0) {
        const int written = evbuffer_write_atmost(peer->unsent, peer->fd,
                                                  peer->at_once ? (ev_ssize_t)peer->at_once : -1);
        if (written < 0 && errno != EAGAIN) {
            peer->error = errno;
            return;
        }
        if (written < 0 || peer->at_once) {
            break;
        }
    }
    if (peer->fd >= 0 && evbuffer_get_length(peer->unsent) > 0) {
        ck_assert_int_eq(event_add(peer->writable, NULL), 0);
    }
}

static void take_ciphertext(struct tls_peer *peer)
{
    char *bytes;
    long length = BIO_get_mem_data(peer->out, &bytes);
    ck_assert_int_eq(evbuffer_add(peer->unsent, bytes, (size_t)length), 0);
    (void)BIO_reset(peer->out);
}

/* Whatever TLS can do with what has arrived. */
static void drive(struct tls_peer *peer)
{
    char bytes[16384];
    int got = 0;
    ERR_clear_error();
    if (!peer->connected && !peer->failed) {
        got = SSL_do_handshake(peer->ssl);
        peer->connected = got == 1;
    }
    while (peer->connected && !peer->failed && !peer->closed &&
           (got = SSL_read(peer->ssl, bytes, sizeof(bytes))) > 0) {
        ck_assert_int_eq(evbuffer_add(peer->got, bytes, (size_t)got), 0);
    }
    if (got <= 0 && !peer->failed && !peer->closed) {
        const int why = SSL_get_error(peer->ssl, got);
        peer->closed = why == SSL_ERROR_ZERO_RETURN;
        peer->failed = why != SSL_ERROR_ZERO_RETURN && why != SSL_ERROR_WANT_READ;
    }
    ERR_clear_error();
    take_ciphertext(peer);
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
    struct tls_peer *peer = arg;
    char bytes[65536];
    (void)what;
    const ssize_t got = recv(fd, bytes, sizeof(bytes), 0);
    if (got > 0) {
        ck_assert_int_eq(BIO_write(peer->in, bytes, (int)got), (int)got);
        drive(peer);
        send_some(peer);
    } else if (got == 0) {
        peer->eof = true;
        event_del(peer->readable);
    } else if (errno != EAGAIN) {
        peer->error = errno;
        event_del(peer->readable);
    }
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    send_some(arg);
}

void tls_peer_init(struct tls_peer *peer, struct event_base *base,
                   const struct sc_tls_context *client, int fd)
{
    tls_peer_init_with(peer, base, client, fd, NULL);
}

void tls_peer_flush(struct tls_peer *peer)
{
    send_some(peer);
}

void tls_peer_init_with(struct tls_peer *peer, struct event_base *base,
                        const struct sc_tls_context *client, int fd, SSL_SESSION *session)
{
    *peer = (struct tls_peer){.fd = fd};
    peer->ssl = SSL_new(sc_tls_context_ssl_ctx(client));
    ck_assert_ptr_nonnull(peer->ssl);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    ck_assert_int_eq((int)BIO_set_mem_eof_return(peer->in, -1), 1);
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_connect_state(peer->ssl);
    if (session) {
        ck_assert_int_eq(SSL_set_session(peer->ssl, session), 1);
    }
    sc_tls_watch_init(&peer->watch);
    ck_assert_int_eq(SSL_set_app_data(peer->ssl, &peer->watch), 1);
    peer->unsent = evbuffer_new();
    peer->got = evbuffer_new();
    peer->readable = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, peer);
    peer->writable = event_new(base, fd, EV_WRITE, on_writable, peer);
    ck_assert_int_eq(event_add(peer->readable, NULL), 0);
    drive(peer);
    ck_assert_int_eq(event_add(peer->writable, NULL), 0);
}

void tls_peer_fini(struct tls_peer *peer)
{
    event_free(peer->readable);
    event_free(peer->writable);
    if (peer->fd >= 0) {
        (void)close(peer->fd);
    }
    evbuffer_free(peer->unsent);
    evbuffer_free(peer->got);
    SSL_free(peer->ssl);
}

void tls_peer_write(struct tls_peer *peer, const void *bytes, size_t length)
{
    ck_assert_int_eq(SSL_write(peer->ssl, bytes, (int)length), (int)length);
    take_ciphertext(peer);
    send_some(peer);
}

void tls_peer_close_notify(struct tls_peer *peer)
{
    ck_assert_int_ge(SSL_shutdown(peer->ssl), 0);
    take_ciphertext(peer);
    send_some(peer);
}

void tls_peer_key_update(struct tls_peer *peer, int type)
{
    ck_assert_int_eq(SSL_key_update(peer->ssl, type), 1);
    ck_assert_int_eq(SSL_do_handshake(peer->ssl), 1);
    take_ciphertext(peer);
    send_some(peer);
}

void tls_peer_take(struct tls_peer *peer)
{
    take_ciphertext(peer);
    send_some(peer);
}

void tls_peer_write_raw(struct tls_peer *peer, const void *bytes, size_t length)
{
    ck_assert_int_eq(evbuffer_add(peer->unsent, bytes, length), 0);
    send_some(peer);
}

void tls_peer_hold(struct tls_peer *peer)
{
    peer->held = true;
}

void tls_peer_release(struct tls_peer *peer)
{
    peer->held = false;
    send_some(peer);
}

void tls_peer_stop_reading(struct tls_peer *peer)
{
    ck_assert_int_eq(event_del(peer->readable), 0);
}

void tls_peer_start_reading(struct tls_peer *peer)
{
    ck_assert_int_eq(event_add(peer->readable, NULL), 0);
}

void tls_peer_shut_write(struct tls_peer *peer)
{
    ck_assert(tls_peer_all_sent(peer));
    ck_assert_int_eq(shutdown(peer->fd, SHUT_WR), 0);
}

void tls_peer_reset(struct tls_peer *peer)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    ck_assert_int_eq(setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once)), 0);
    (void)event_del(peer->readable);
    (void)event_del(peer->writable);
    (void)close(peer->fd);
    peer->fd = -1;
}

bool tls_peer_all_sent(const struct tls_peer *peer)
{
    return evbuffer_get_length(peer->unsent) == 0;
}
