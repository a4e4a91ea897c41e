/* SPDX-License-Identifier: MIT */
/*
 * The reference of "make bench": the same protocol on an epoll loop and OpenSSL by hand, written
 * for speed and nothing else. One thread, no limits, no logs, no timers, no graceful shutdown; a
 * client that stops half-way keeps its connection. Not for any other use.
 *
 *   sc-bare --certificate FILE --private-key FILE --port-file FILE
 *   sc-bare --clear --port-file FILE
 *
 * It listens on a free port of 127.0.0.1 and writes the address to the port file. --clear leaves
 * TLS out: the backend of a TLS proxy.
 *
 * OpenSSL reads and writes the socket itself (SSL_set_fd), with read-ahead of 64 KiB: without it
 * each record costs two reads. Measured on 64x1x64, 64x16x64 and 8x4x16K (connections x depth x
 * bytes), best of six, operations a CPU second: off 148,000, 2,070,000 and 43,000; 17 KiB 153,000,
 * 2,230,000 and 59,000; 64 KiB 151,000, 2,150,000 and 62,000, and in the median 64 KiB is ahead by
 * 40 % on the last. All replies to one read leave in one SSL_write. A read is not repeated when
 * OpenSSL holds no more bytes: level-triggered epoll reports what comes later. Buffers are freed
 * when a connection is idle.
 */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "proto/frame.h"
#include "proto/handler.h"

enum {
    IN_BYTES = 256 << 10,
    OUT_BYTES = 256 << 10,
    LARGE_BYTES = 64 << 10,
    READ_AHEAD_BYTES = 64 << 10,
    EVENTS = 256
};

struct conn {
    int fd;
    SSL *ssl; /* NULL: in clear */
    bool eof; /* close when the output is gone */
    uint8_t *in; /* the start of a frame whose rest has not come; NULL: none */
    size_t in_used, in_size; /* in_size above in_used: it has room for the whole frame */
    uint8_t *out; /* what the socket did not take; NULL: nothing */
    size_t out_used, out_sent;
};

struct server {
    int epoll_fd, listen_fd;
    SSL_CTX *context; /* NULL: in clear */
    uint8_t *in; /* shared by all connections */
    uint8_t *out;
    size_t out_used, out_size;
};

static void die(int status, const char *what)
{
    (void)fprintf(stderr, "sc-bare: %s: %s\n", what, strerror(errno));
    exit(status);
}

static void *checked(void *memory)
{
    if (!memory) {
        errno = ENOMEM;
        die(EX_OSERR, "memory");
    }
    return memory;
}

/* Returns bytes, 0 for the end (or a failure), -1 when it would block. */
static ssize_t read_some(struct conn *conn, uint8_t *to, size_t room)
{
    if (!conn->ssl) {
        const ssize_t got = read(conn->fd, to, room);
        return got >= 0 ? got : errno == EAGAIN ? -1 : 0;
    }
    const int got = SSL_read(conn->ssl, to, (int)room);
    if (got > 0) {
        return got;
    }
    const int why = SSL_get_error(conn->ssl, got);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

static ssize_t write_some(struct conn *conn, const uint8_t *from, size_t count)
{
    if (!conn->ssl) {
        const ssize_t sent = write(conn->fd, from, count);
        return sent >= 0 ? sent : errno == EAGAIN ? -1 : 0;
    }
    const int sent = SSL_write(conn->ssl, from, (int)count);
    if (sent > 0) {
        return sent;
    }
    const int why = SSL_get_error(conn->ssl, sent);
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? -1 : 0;
}

static void close_conn(struct conn *conn)
{
    if (conn->ssl) {
        (void)SSL_shutdown(conn->ssl);
        SSL_free(conn->ssl);
    }
    (void)close(conn->fd);
    free(conn->in);
    free(conn->out);
    free(conn);
    ERR_clear_error();
}

static void set_events(struct server *server, struct conn *conn, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = conn};
    (void)epoll_ctl(server->epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
}

/* Writes until the socket is full; keeps the rest. False: the connection failed. */
static bool flush(struct server *server, struct conn *conn)
{
    size_t sent = 0;
    while (sent < server->out_used) {
        const ssize_t n = write_some(conn, server->out + sent, server->out_used - sent);
        if (n == 0) {
            server->out_used = 0; /* the buffer is shared by all connections */
            return false;
        }
        if (n < 0) {
            conn->out_used = server->out_used - sent;
            conn->out_sent = 0;
            conn->out = checked(malloc(conn->out_used));
            memcpy(conn->out, server->out + sent, conn->out_used);
            set_events(server, conn, EPOLLOUT);
            break;
        }
        sent += (size_t)n;
    }
    server->out_used = 0;
    return true;
}

static uint8_t *reserve(struct server *server, size_t room)
{
    if (server->out_size - server->out_used < room) {
        server->out_size = server->out_used + room + OUT_BYTES;
        server->out = checked(realloc(server->out, server->out_size));
    }
    return server->out + server->out_used;
}

/* Answers the complete frames; returns how many bytes they were. */
static size_t answer(struct server *server, const uint8_t *bytes, size_t count)
{
    size_t at = 0;
    struct sc_frame_header header;
    while (sc_frame_peek(bytes + at, count - at, SC_FRAME_MAX_BODY_BYTES, &header) ==
           SC_FRAME_COMPLETE) {
        const uint8_t *body = bytes + at + SC_FRAME_HEADER_BYTES;
        const struct sc_handler *handler = sc_handler_find(header.type);
        if (handler) {
            uint8_t *to = reserve(server, SC_FRAME_HEADER_BYTES +
                                              sc_handler_reply_max(handler, header.length));
            const size_t length = handler->run(body, header.length, to + SC_FRAME_HEADER_BYTES);
            sc_frame_put_header(to, header.type, (uint32_t)length);
            server->out_used += SC_FRAME_HEADER_BYTES + length;
        } else {
            server->out_used += sc_frame_put_error(reserve(server, SC_FRAME_ERROR_MAX_BYTES),
                                                   SC_ERROR_UNKNOWN_TYPE, 0, "unknown type");
        }
        at += SC_FRAME_HEADER_BYTES + header.length;
    }
    return at;
}

/*
 * Keeps the start of a frame. A large one gets a buffer of its own for all of it, a small one is
 * read through the shared buffer again.
 */
static void keep_partial(struct conn *conn, const uint8_t *bytes, size_t count)
{
    conn->in_used = conn->in_size = count;
    if (count >= SC_FRAME_HEADER_BYTES && sc_get_u32(bytes + 4) > LARGE_BYTES) {
        conn->in_size = SC_FRAME_HEADER_BYTES + (size_t)sc_get_u32(bytes + 4);
    }
    conn->in = checked(malloc(conn->in_size));
    memcpy(conn->in, bytes, count);
}

static void free_partial(struct conn *conn)
{
    free(conn->in);
    conn->in = NULL;
    conn->in_used = 0;
}

/* OpenSSL holds no more bytes: what comes later, epoll reports. */
static bool is_exhausted(const struct conn *conn, size_t got, size_t room)
{
    return conn->ssl ? !SSL_has_pending(conn->ssl) : got < room;
}

/* Reads until there is no more, or the buffer is full. Returns whether there may be more. */
static bool fill(struct conn *conn, uint8_t *in, size_t size, size_t *used)
{
    while (*used < size) {
        const size_t room = size - *used;
        const ssize_t got = read_some(conn, in + *used, room);
        if (got <= 0) {
            conn->eof = got == 0;
            return false;
        }
        *used += (size_t)got;
        if (is_exhausted(conn, (size_t)got, room)) {
            return false;
        }
    }
    return true;
}

static void on_readable(struct server *server, struct conn *conn)
{
    bool more = true;
    while (more && !conn->out) {
        const bool own = conn->in && conn->in_size > conn->in_used;
        uint8_t *in = own ? conn->in : server->in;
        size_t used = conn->in_used;
        if (conn->in && !own) {
            memcpy(in, conn->in, used);
            free_partial(conn);
        }
        more = fill(conn, in, own ? conn->in_size : IN_BYTES, &used);
        const size_t done = answer(server, in, used);
        if (own && done == 0) {
            conn->in_used = used;
        } else {
            free_partial(conn);
        }
        if (!own && done < used) {
            keep_partial(conn, in + done, used - done);
        }
        if (!flush(server, conn)) {
            close_conn(conn);
            return;
        }
    }
    if (conn->eof && !conn->out) {
        close_conn(conn);
    }
}

static void on_writable(struct server *server, struct conn *conn)
{
    while (conn->out_sent < conn->out_used) {
        const ssize_t n =
            write_some(conn, conn->out + conn->out_sent, conn->out_used - conn->out_sent);
        if (n == 0) {
            close_conn(conn);
            return;
        }
        if (n < 0) {
            return;
        }
        conn->out_sent += (size_t)n;
    }
    free(conn->out);
    conn->out = NULL;
    set_events(server, conn, EPOLLIN);
    on_readable(server, conn);
}

static void on_acceptable(struct server *server)
{
    for (;;) {
        const int fd = accept4(server->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) {
            return;
        }
        const int on = 1;
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct conn *conn = checked(calloc(1, sizeof(*conn)));
        conn->fd = fd;
        if (server->context) {
            conn->ssl = checked(SSL_new(server->context));
            (void)SSL_set_fd(conn->ssl, fd);
            SSL_set_accept_state(conn->ssl);
        }
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = conn};
        if (epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0) {
            close_conn(conn);
        }
    }
}

static void serve(struct server *server)
{
    struct epoll_event events[EVENTS];
    for (;;) {
        const int count = epoll_wait(server->epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == server) {
                on_acceptable(server);
            } else if (((struct conn *)events[i].data.ptr)->out) {
                on_writable(server, events[i].data.ptr);
            } else {
                on_readable(server, events[i].data.ptr);
            }
        }
    }
}

static int select_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                       const unsigned char *in, unsigned in_length, void *arg)
{
    static const unsigned char ours[] = "\017" SC_PROTOCOL_ALPN;
    (void)ssl;
    (void)arg;
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_length, ours,
                                 sizeof(ours) - 1, in, in_length) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *make_context(const char *certificate, const char *key)
{
    SSL_CTX *context = checked(SSL_CTX_new(TLS_server_method()));
    (void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(context, 1);
    (void)SSL_CTX_set1_groups_list(context, "X25519:P-256:P-384");
    SSL_CTX_set_alpn_select_cb(context, select_alpn, NULL);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD_BYTES);
    if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) != 1) {
        errno = EINVAL;
        die(EX_NOINPUT, "certificate and key");
    }
    return context;
}

static int listen_on_free_port(const char *port_file)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 4096) != 0 || getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        die(EX_UNAVAILABLE, "listen on 127.0.0.1");
    }
    char temporary[4096];
    (void)snprintf(temporary, sizeof(temporary), "%s.new", port_file);
    FILE *file = fopen(temporary, "w");
    if (!file || fprintf(file, "127.0.0.1:%d\n", ntohs(address.sin_port)) < 0 ||
        fclose(file) != 0 || rename(temporary, port_file) != 0) {
        die(EX_CANTCREAT, port_file);
    }
    return fd;
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"certificate", required_argument, NULL, 'c'},
                                            {"private-key", required_argument, NULL, 'k'},
                                            {"port-file", required_argument, NULL, 'p'},
                                            {"clear", no_argument, NULL, 'C'},
                                            {NULL, 0, NULL, 0}};
    const char *certificate = NULL, *key = NULL, *port_file = NULL;
    bool clear = false;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 'c': certificate = optarg; break;
        case 'k': key = optarg; break;
        case 'p': port_file = optarg; break;
        case 'C': clear = true; break;
        default: return EX_USAGE;
        }
    }
    if (!port_file || (!clear && (!certificate || !key))) {
        (void)fprintf(
            stderr,
            "sc-bare: --port-file, and --certificate and --private-key or --clear, are needed\n");
        return EX_USAGE;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    raise_descriptor_limit();
    struct server server = {.out_size = OUT_BYTES};
    server.in = checked(malloc(IN_BYTES));
    server.out = checked(malloc(OUT_BYTES));
    server.context = clear ? NULL : make_context(certificate, key);
    server.epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    server.listen_fd = listen_on_free_port(port_file);
    /* The entry of the listener has the server as its data, all others a connection. */
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &server};
    if (server.epoll_fd < 0 ||
        epoll_ctl(server.epoll_fd, EPOLL_CTL_ADD, server.listen_fd, &event) != 0) {
        die(EX_OSERR, "epoll");
    }
    serve(&server);
    return 0;
}
