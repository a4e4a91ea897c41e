/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "peer.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "proto/frame.h"

struct peer_settings peer_settings;

const char *const peer_end_names[] = {"close_notify", "end of stream", "reset", "alert"};

_Noreturn void peer_fail(const char *fmt, ...)
{
    char text[512];
    va_list values;
    va_start(values, fmt);
    vsnprintf(text, sizeof(text), fmt, values);
    va_end(values);
    fprintf(stderr, "hostile %s: %s\n", peer_settings.mode, text);
    exit(EXIT_FAILURE);
}

SSL_CTX *peer_context(bool tls12, const unsigned char *alpn, unsigned alpn_length)
{
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (!context ||
        !SSL_CTX_set_max_proto_version(context, tls12 ? TLS1_2_VERSION : TLS1_3_VERSION) ||
        (alpn && SSL_CTX_set_alpn_protos(context, alpn, alpn_length) != 0)) {
        peer_fail("no TLS context");
    }
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_verify(context, SSL_VERIFY_NONE, NULL);
    return context;
}

uint64_t peer_age_ms(const struct peer *peer)
{
    return (sc_clock_ns() - peer->started_ns) / 1000000U;
}

bool peer_wait(const struct peer *peer, short events, uint64_t until_ms)
{
    for (;;) {
        const uint64_t now = sc_clock_ns();
        if (now >= peer->deadline_ns) {
            peer_fail("nothing more happened in %llu ms",
                      (unsigned long long)peer_settings.deadline_ms);
        }
        const uint64_t age = peer_age_ms(peer);
        if (age >= until_ms) {
            return false;
        }
        const uint64_t left = (peer->deadline_ns - now) / 1000000U + 1;
        struct pollfd entry = {.fd = peer->fd, .events = events};
        const int ready = poll(&entry, 1, (int)(left < until_ms - age ? left : until_ms - age));
        if (ready > 0) {
            return true;
        }
        if (ready < 0 && errno != EINTR) {
            peer_fail("poll: %s", strerror(errno));
        }
    }
}

static void bind_source(int fd, const struct addrinfo *like)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *info = NULL;
    hints.ai_family = like->ai_family;
    if (getaddrinfo(peer_settings.source, NULL, &hints, &info) != 0 ||
        bind(fd, info->ai_addr, info->ai_addrlen) != 0) {
        peer_fail("can't connect from %s", peer_settings.source);
    }
    freeaddrinfo(info);
}

static int open_socket(void)
{
    const struct sc_address *address = &peer_settings.address;
    if (address->is_unix) {
        struct sockaddr_un name = {.sun_family = AF_UNIX};
        snprintf(name.sun_path, sizeof(name.sun_path), "%.*s", (int)sizeof(name.sun_path) - 1,
                 address->host);
        const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const int most = INT32_MAX / 2; /* poll(2) finds a unix socket writable when a quarter of
                                           its buffer is taken, and no more */
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &most, sizeof(most));
        if (fd < 0 || connect(fd, (const struct sockaddr *)&name, sizeof(name)) != 0) {
            peer_fail("can't connect to %s: %s", address->host, strerror(errno));
        }
        return fd;
    }
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                                   .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *info = NULL;
    if (getaddrinfo(address->host, address->port, &hints, &info) != 0) {
        peer_fail("no address: %s", address->host);
    }
    const int fd = socket(info->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && peer_settings.source) {
        bind_source(fd, info);
    }
    if (fd < 0 || connect(fd, info->ai_addr, info->ai_addrlen) != 0) {
        peer_fail("can't connect to %s port %s: %s", address->host, address->port, strerror(errno));
    }
    freeaddrinfo(info);
    const int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

struct peer peer_open(void)
{
    struct peer peer = {.started_ns = sc_clock_ns()};
    peer.deadline_ns = peer.started_ns + peer_settings.deadline_ms * 1000000U;
    peer.fd = open_socket();
    if (fcntl(peer.fd, F_SETFL, O_NONBLOCK) != 0) {
        peer_fail("fcntl: %s", strerror(errno));
    }
    return peer;
}

/* After a call of OpenSSL that failed: waits and returns true when it is to be tried again. */
static bool wait_for_tls(struct peer *peer, int result, enum peer_end *end)
{
    const int error = errno;
    switch (SSL_get_error(peer->ssl, result)) {
    case SSL_ERROR_WANT_READ: return peer_wait(peer, POLLIN, PEER_FOR_EVER);
    case SSL_ERROR_WANT_WRITE: return peer_wait(peer, POLLOUT, PEER_FOR_EVER);
    case SSL_ERROR_ZERO_RETURN: *end = PEER_CLOSE_NOTIFY; return false;
    case SSL_ERROR_SYSCALL:
        *end = error == ECONNRESET || error == EPIPE ? PEER_RESET : PEER_EOF;
        return false;
    default:
        *end = ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING ? PEER_EOF
                                                                                      : PEER_ALERT;
        return false;
    }
}

bool peer_handshake(struct peer *peer)
{
    peer->ssl = SSL_new(peer_settings.context);
    if (!peer->ssl || !SSL_set_fd(peer->ssl, peer->fd)) {
        peer_fail("no TLS connection");
    }
    if (peer_settings.session) {
        SSL_set_session(peer->ssl, peer_settings.session);
    }
    return peer_finish_handshake(peer);
}

bool peer_finish_handshake(struct peer *peer)
{
    enum peer_end end = PEER_EOF;
    for (;;) {
        ERR_clear_error();
        const int result = SSL_connect(peer->ssl);
        if (result == 1) {
            return true;
        }
        if (!wait_for_tls(peer, result, &end)) {
            return false;
        }
    }
}

struct peer peer_open_tls(void)
{
    struct peer peer = peer_open();
    if (!peer_handshake(&peer)) {
        char reason[256];
        ERR_error_string_n(ERR_peek_error(), reason, sizeof(reason));
        peer_fail("the handshake failed after %llu ms: %s", (unsigned long long)peer_age_ms(&peer),
                  reason);
    }
    return peer;
}

void peer_close(struct peer *peer)
{
    SSL_free(peer->ssl);
    close(peer->fd);
    *peer = (struct peer){.fd = -1};
}

void peer_reset(struct peer *peer)
{
    const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(peer->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    peer_close(peer);
}

int peer_send_some(struct peer *peer, const void *bytes, size_t length)
{
    size_t sent = 0;
    ERR_clear_error();
    const int result = SSL_write_ex(peer->ssl, bytes, length, &sent);
    if (result == 1) {
        return (int)sent;
    }
    const int error = SSL_get_error(peer->ssl, result);
    return error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ ? 0 : -1;
}

bool peer_send(struct peer *peer, const void *bytes, size_t length, size_t piece)
{
    const uint8_t *at = bytes;
    while (length > 0) {
        const int sent = peer_send_some(peer, at, length < piece ? length : piece);
        if (sent < 0) {
            return false;
        }
        if (sent == 0) {
            peer_wait(peer, POLLOUT, PEER_FOR_EVER);
        }
        at += sent;
        length -= (size_t)sent;
    }
    return true;
}

int peer_receive_some(struct peer *peer, void *bytes, size_t size, enum peer_end *end)
{
    size_t got = 0;
    ERR_clear_error();
    errno = 0;
    const int result = SSL_read_ex(peer->ssl, bytes, size, &got);
    if (result == 1) {
        return (int)got;
    }
    const int error = SSL_get_error(peer->ssl, result);
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        return 0;
    }
    wait_for_tls(peer, result, end);
    return -1;
}

void peer_receive(struct peer *peer, void *bytes, size_t length)
{
    uint8_t *at = bytes;
    enum peer_end end = PEER_EOF;
    for (size_t left = length; left > 0;) {
        const int got = peer_receive_some(peer, at, left, &end);
        if (got < 0) {
            peer_fail("the server ended the connection (%s) when %zu of %zu bytes were there",
                      peer_end_names[end], length - left, length);
        }
        if (got == 0) {
            peer_wait(peer, POLLIN, PEER_FOR_EVER);
        }
        at += got;
        left -= (size_t)got;
    }
}

/* Takes whole ERROR frames off the front of the bytes and returns how many bytes are left. */
static size_t take_errors(uint8_t *bytes, size_t length, struct peer_ending *ending)
{
    struct sc_frame_header header;
    while (sc_frame_peek(bytes, length, SC_FRAME_MAX_BODY_BYTES, &header) == SC_FRAME_COMPLETE) {
        struct sc_frame_error error;
        const size_t whole = SC_FRAME_HEADER_BYTES + header.length;
        if (header.type != SC_FRAME_ERROR ||
            sc_frame_get_error(bytes + SC_FRAME_HEADER_BYTES, header.length, &error) != 0) {
            peer_fail("a frame of type %u and %u bytes that nobody asked for", header.type,
                      header.length);
        }
        ending->errors++;
        ending->code = error.code;
        ending->retry_after_ms = error.retry_after_ms;
        length -= whole;
        memmove(bytes, bytes + whole, length);
    }
    return length;
}

struct peer_ending peer_read_end(struct peer *peer)
{
    struct peer_ending ending = {.end = PEER_EOF};
    uint8_t bytes[4096];
    size_t have = 0;
    for (;;) {
        const int got = peer_receive_some(peer, bytes + have, sizeof(bytes) - have, &ending.end);
        if (got < 0) {
            break;
        }
        if (got == 0) {
            peer_wait(peer, POLLIN, PEER_FOR_EVER);
        }
        have = take_errors(bytes, have + (size_t)got, &ending);
        if (have == sizeof(bytes)) {
            peer_fail("bytes that nobody asked for");
        }
    }
    if (have > 0) {
        peer_fail("%zu bytes of a frame, and then %s", have, peer_end_names[ending.end]);
    }
    ending.after_ms = peer_age_ms(peer);
    return ending;
}
