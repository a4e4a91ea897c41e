/* SPDX-License-Identifier: MIT */
/* A connection of the generator with an OpenSSL server in a thread of the test. */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "bench/conn.h"
#include "bench/thread.h"
#include "proto/frame.h"
#include "suite.h"
#include "tls/pin.h"
#include "tls_fixture.h"

enum behaviour {
    ECHO,
    WRONG_BODY,
    WRONG_TYPE,
    NOT_A_FRAME,
    ANSWER_ERROR,
    SECOND_REPLY,
    CLOSE, /* with close_notify, instead of a reply */
    CUT, /* without */
    REFUSE, /* wants a client certificate */
    LEAVE, /* says why, and resets the connection */
    NO_HANDSHAKE, /* closes at once */
    PLAIN,
    SILENT
};

static struct {
    int listener;
    enum behaviour behaviour;
    SSL_CTX *ctx;
    pthread_t thread;
    char name[64]; /* that the last client asked for (SNI) */
} server;

static void answer(SSL *ssl)
{
    uint8_t frame[4096], extra[SC_FRAME_ERROR_MAX_BYTES];
    size_t length, written;
    while (SSL_read_ex(ssl, frame, sizeof(frame), &length) == 1) {
        switch (server.behaviour) {
        case WRONG_BODY: frame[length - 1] ^= 1; break;
        case WRONG_TYPE: sc_put_u32(frame, SC_FRAME_REVERSE); break;
        case NOT_A_FRAME: memcpy(frame, "HTTP/1.1", 8); break;
        case ANSWER_ERROR:
            length = sc_frame_put_error(extra, SC_ERROR_INTERNAL, 0, "sorry");
            memcpy(frame, extra, length);
            break;
        case CLOSE: (void)SSL_shutdown(ssl); return;
        case CUT: return;
        default: break;
        }
        (void)SSL_write_ex(ssl, frame, length, &written);
        if (server.behaviour == SECOND_REPLY) {
            (void)SSL_write_ex(ssl, frame, length, &written);
        }
    }
    (void)SSL_shutdown(ssl);
}

static void leave(SSL *ssl)
{
    const struct linger reset = {.l_onoff = 1};
    const int on = 1;
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    size_t written;
    const size_t length = sc_frame_put_error(frame, SC_ERROR_INTERNAL, 0, "sorry");
    (void)setsockopt(SSL_get_fd(ssl), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* it leaves */
    (void)SSL_write_ex(ssl, frame, length, &written);
    (void)setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
}

static void serve(int fd)
{
    char bytes[1024];
    if (server.behaviour == PLAIN) {
        (void)send(fd, "HTTP/1.1 400 Bad Request\r\n", 26, MSG_NOSIGNAL);
    }
    if (server.behaviour == PLAIN || server.behaviour == SILENT) {
        while (recv(fd, bytes, sizeof(bytes), 0) > 0) {
        }
    }
    if (server.behaviour < NO_HANDSHAKE) {
        SSL *ssl = SSL_new(server.ctx);
        (void)SSL_set_fd(ssl, fd);
        if (server.behaviour == REFUSE) {
            SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
        }
        if (SSL_accept(ssl) == 1) {
            const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
            (void)snprintf(server.name, sizeof(server.name), "%s", name ? name : "none");
            if (server.behaviour == LEAVE) {
                leave(ssl);
            } else {
                answer(ssl);
            }
        }
        SSL_free(ssl);
    }
    (void)close(fd);
}

static void *run_server(void *arg)
{
    for (int fd; (fd = accept(server.listener, NULL, NULL)) >= 0;) {
        serve(fd);
    }
    OPENSSL_thread_stop();
    return arg;
}

/* --- The connection, and what it reported --- */

static struct sc_bench_plan plan = {.depth = 4, .timeout_ms = 1000};
static struct sc_bench_target target;
static struct sc_bench_io io;
static struct sc_bench_conn conn;
static struct sc_tls_context *client;
static struct sc_pin_set *pins, *other_pins;
static unsigned ready, replies, closed;
static bool resumed, has_failed;
static struct sc_bench_failure last;

static void on_ready(struct sc_bench_conn *one)
{
    const uint64_t now = sc_clock_ns();
    const struct sc_bench_start start = {.intended_ns = now, .real_ns = now};
    ready++;
    resumed = SSL_session_reused(one->ssl) == 1;
    if (server.behaviour != LEAVE) {
        sc_bench_conn_request(one, 1, &start);
    }
}

static void on_replies(struct sc_bench_conn *one, size_t count, uint64_t now_ns)
{
    ck_assert_uint_ge(now_ns, one->ready_ns);
    replies += (unsigned)count;
    one->in_flight -= (unsigned)count;
    if (server.behaviour == ECHO) {
        sc_bench_conn_close(one, true);
    }
}

static void on_closed(struct sc_bench_conn *one, const struct sc_bench_failure *failure)
{
    ck_assert_int_eq(one->state, SC_BENCH_CONN_CLOSED);
    closed++;
    has_failed = failure != NULL;
    if (failure) {
        last = *failure;
    }
}

static struct sc_pin_set *pins_of(const char *name)
{
    struct sc_err err;
    struct sc_pin_set *set = sc_pin_set_new();
    ck_assert_int_eq(sc_pin_set_add(set, fixture_path(name), &err), 0);
    return set;
}

static void begin(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sc_err err;
    (void)signal(SIGPIPE, SIG_IGN); /* as sc-bench does */
    fixture_write_pair("server", "P-256");
    fixture_write_pair("other", "P-256");
    server.ctx = SSL_CTX_new(TLS_server_method());
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(server.ctx, fixture_path("server.crt")), 1);
    ck_assert_int_eq(
        SSL_CTX_use_PrivateKey_file(server.ctx, fixture_path("server.key"), SSL_FILETYPE_PEM), 1);
    (void)SSL_CTX_set_session_id_context(server.ctx, (const uint8_t *)"t", 1);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    target.length = sizeof(address);
    ck_assert_int_eq(bind(server.listener, (struct sockaddr *)&address, sizeof(address)), 0);
    ck_assert_int_eq(listen(server.listener, 8), 0);
    ck_assert_int_eq(
        getsockname(server.listener, (struct sockaddr *)&target.address, &target.length), 0);
    (void)snprintf(target.name, sizeof(target.name), "the-server");
    target.host = "127.0.0.1";
    ck_assert_int_eq(pthread_create(&server.thread, NULL, run_server, NULL), 0);

    client = fixture_client();
    pins = pins_of("server.crt");
    other_pins = pins_of("other.crt");
    plan.pins = pins;
    plan.size_bytes = 40;
    static uint8_t scratch[17 << 10];
    io = (struct sc_bench_io){.plan = &plan,
                              .stream = sc_bench_stream_new(sc_bench_type_at(0), 40, 4, &err),
                              .target = &target,
                              .base = event_base_new(),
                              .ssl_ctx = sc_tls_context_ssl_ctx(client),
                              .scratch = scratch,
                              .scratch_bytes = sizeof(scratch),
                              .on_ready = on_ready,
                              .on_replies = on_replies,
                              .on_closed = on_closed};
    ck_assert_ptr_nonnull(io.stream);
    sc_tls_verify_install(io.ssl_ctx);
    ck_assert_int_eq(sc_bench_conn_init(&conn, &io, 0), 0);
}

static void stop_server(void)
{
    if (server.listener >= 0) {
        (void)shutdown(server.listener, SHUT_RDWR);
        ck_assert_int_eq(pthread_join(server.thread, NULL), 0);
        (void)close(server.listener);
        server.listener = -1;
    }
}

static void end(void)
{
    sc_bench_conn_fini(&conn);
    stop_server();
    event_base_free(io.base);
    sc_bench_stream_free((struct sc_bench_stream *)(uintptr_t)io.stream);
    sc_pin_set_free(pins);
    sc_pin_set_free(other_pins);
    sc_tls_context_unref(client);
    SSL_CTX_free(server.ctx);
}

/* One connection, until it is closed. */
static void connect_once(enum behaviour behaviour, bool resume)
{
    server.behaviour = behaviour;
    ready = replies = closed = 0;
    has_failed = resumed = false;
    last = (struct sc_bench_failure){.kind = SC_BENCH_ERROR_COUNT};
    sc_bench_conn_open(&conn, NULL, resume);
    while (closed == 0) {
        ck_assert_int_ge(event_base_loop(io.base, EVLOOP_ONCE), 0);
    }
    ck_assert_uint_eq(closed, 1);
}

START_TEST(an_exchange)
{
    begin();
    connect_once(ECHO, false);
    ck_assert(!has_failed);
    ck_assert_uint_eq(ready, 1);
    ck_assert_uint_eq(replies, 1);
    ck_assert(!resumed);
    ck_assert_ptr_nonnull(conn.session);
    ck_assert_uint_ge(conn.ready_ns, conn.opened_ns);
    ck_assert(strncmp(io.verify.pin.pin, "cert-sha256:", 12) == 0 ||
              strstr(io.verify.pin.pin, "server.crt") != NULL);

    connect_once(ECHO, true);
    ck_assert(!has_failed && resumed);
    ck_assert_str_eq(server.name, "none");
    (void)snprintf(target.sni, sizeof(target.sni), "captain.example");
    /* Offered only when asked for. */
    connect_once(ECHO, false);
    ck_assert(!has_failed && !resumed);
    stop_server();
    ck_assert_str_eq(server.name, "captain.example");
    end();
}
END_TEST

static void assert_failure(enum sc_bench_error kind, const char *text)
{
    ck_assert(has_failed);
    ck_assert_msg(strstr(last.text, text) != NULL, "\"%s\" is not in: %s", text, last.text);
    ck_assert_int_eq(last.kind, kind);
}

START_TEST(a_pin_is_checked_after_every_handshake)
{
    begin();
    plan.pins = other_pins;
    connect_once(ECHO, false);
    ck_assert_uint_eq(ready, 0);
    assert_failure(SC_BENCH_ERROR_PIN, "the-server is not the server that was pinned");

    /* The session of a server that was good is not good for other pins. */
    plan.pins = pins;
    connect_once(ECHO, false);
    ck_assert(!has_failed);
    connect_once(ECHO, true);
    ck_assert(!has_failed && resumed);
    plan.pins = other_pins;
    connect_once(ECHO, true);
    ck_assert_uint_eq(ready, 0);
    assert_failure(SC_BENCH_ERROR_PIN, "is not the server that was pinned, nothing was sent");
    end();
}
END_TEST

START_TEST(each_failure_has_its_kind)
{
    static const struct {
        enum behaviour behaviour;
        enum sc_bench_error kind;
        unsigned ready;
        const char *text;
    } rows[] = {
        {WRONG_BODY, SC_BENCH_ERROR_WRONG_REPLY, 1, "wrong content"},
        {WRONG_TYPE, SC_BENCH_ERROR_WRONG_REPLY, 1, "reverse of 40 bytes where echo"},
        {NOT_A_FRAME, SC_BENCH_ERROR_PROTOCOL, 1, "not a reply of this protocol"},
        {ANSWER_ERROR, SC_BENCH_ERROR_SERVER, 1, "ERROR 5 (internal error): sorry"},
        {SECOND_REPLY, SC_BENCH_ERROR_WRONG_REPLY, 1, "a reply to nothing"},
        {CLOSE, SC_BENCH_ERROR_CLOSED, 1, "the server closed the connection"},
        {CUT, SC_BENCH_ERROR_CLOSED, 1, "without close_notify"},
        {REFUSE, SC_BENCH_ERROR_TLS, 1, "the server requires a client certificate"},
        {NO_HANDSHAKE, SC_BENCH_ERROR_TLS, 0, "the TLS handshake with the-server failed: "},
        {PLAIN, SC_BENCH_ERROR_TLS, 0, "an HTTP server answered"},
    };
    begin();
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        connect_once(rows[i].behaviour, false);
        assert_failure(rows[i].kind, rows[i].text);
        ck_assert_uint_eq(ready, rows[i].ready);
    }
    stop_server();
    connect_once(ECHO, false);
    assert_failure(SC_BENCH_ERROR_CONNECT, "can't connect to the-server: Connection refused");
    end();
}
END_TEST

/* The server has gone before a request is written, which fails: what it sent last is read. */
START_TEST(why_a_server_has_left_is_read)
{
    static const int errors[] = {ECONNRESET, EPIPE};
    for (size_t i = 0; i < SC_COUNT_OF(errors); i++) {
        const struct sc_bench_start start = {.intended_ns = 1, .real_ns = 1};
        int error;
        socklen_t length = sizeof(error);
        begin();
        server.behaviour = LEAVE;
        closed = 0;
        sc_bench_conn_open(&conn, NULL, false);
        while (conn.state != SC_BENCH_CONN_READY) {
            ck_assert_int_ge(event_base_loop(io.base, EVLOOP_ONCE), 0);
        }
        stop_server();
        if (errors[i] == EPIPE) { /* what send(2) says once the error was fetched */
            ck_assert_int_eq(getsockopt(conn.fd, SOL_SOCKET, SO_ERROR, &error, &length), 0);
            ck_assert_int_eq(error, ECONNRESET);
        }
        sc_bench_conn_request(&conn, 1, &start);
        sc_bench_conn_flush(&conn);
        ck_assert_uint_eq(closed, 1);
        assert_failure(SC_BENCH_ERROR_SERVER, "ERROR 5 (internal error): sorry");
        end();
    }
}
END_TEST

START_TEST(each_state_can_time_out)
{
    begin();
    server.behaviour = SILENT;
    sc_bench_conn_open(&conn, NULL, false);
    while (conn.state == SC_BENCH_CONN_CONNECTING) {
        ck_assert_int_ge(event_base_loop(io.base, EVLOOP_ONCE), 0);
    }
    ck_assert_int_eq(conn.state, SC_BENCH_CONN_HANDSHAKE);
    sc_bench_conn_time_out(&conn);
    assert_failure(SC_BENCH_ERROR_TIMEOUT, "the TLS handshake with the-server timed out after 1s");
    ck_assert_uint_eq(closed, 1);
    sc_bench_conn_time_out(&conn); /* closed: nothing */
    ck_assert_uint_eq(closed, 1);

    server.behaviour = WRONG_BODY;
    sc_bench_conn_open(&conn, NULL, false);
    while (conn.state != SC_BENCH_CONN_READY) {
        ck_assert_int_ge(event_base_loop(io.base, EVLOOP_ONCE), 0);
    }
    sc_bench_conn_time_out(&conn);
    assert_failure(SC_BENCH_ERROR_TIMEOUT, "no reply from the-server within 1s, 1 unanswered");
    ck_assert_uint_eq(conn.lost, 1);
    end();
}
END_TEST

static void find(const char *host, const char *sni)
{
    const struct sockaddr_in *bound = (const struct sockaddr_in *)&target.address;
    struct sc_address address = {.is_unix = false};
    struct sc_bench_target found;
    struct sc_err err;
    char text[64];
    (void)snprintf(address.host, sizeof(address.host), "%s", host);
    (void)snprintf(address.port, sizeof(address.port), "%u", ntohs(bound->sin_port));
    (void)snprintf(text, sizeof(text), "127.0.0.1:%s", address.port);
    plan.address = &address;
    ck_assert_msg(sc_bench_target_find(&found, &plan, NULL, &err) == 0, "%s: %s", host, err.text);
    ck_assert_str_eq(found.sni, sni);
    ck_assert_str_eq(found.host, host);
    ck_assert_str_eq(found.text, text);
    ck_assert_uint_eq(found.source_count, plan.source_count);
    plan.address = NULL;
}

START_TEST(a_target)
{
    begin();
    server.behaviour = NO_HANDSHAKE;
    find("127.0.0.1", "");
    find("localhost", "localhost");
    struct addrinfo *list;
    if (getaddrinfo("localhost.", NULL, NULL, &list) == 0) { /* not every resolver knows it */
        freeaddrinfo(list);
        find("localhost.", "localhost");
    }
    plan.sources[plan.source_count++] = "127.0.0.3";
    find("127.0.0.1", "");

    /* One loopback address has not ports enough. */
    struct sc_address address = {.host = "127.0.0.1"};
    struct sc_bench_target found;
    struct sc_err err;
    (void)snprintf(address.port, sizeof(address.port), "%u",
                   ntohs(((const struct sockaddr_in *)&target.address)->sin_port));
    plan.address = &address;
    plan.source_count = 0;
    plan.connections = 50000;
    ck_assert_int_eq(sc_bench_target_find(&found, &plan, NULL, &err), 0);
    ck_assert_uint_eq(found.source_count, 3);
    plan.connections = 1;
    plan.mode = SC_BENCH_HANDSHAKES;
    ck_assert_int_eq(sc_bench_target_find(&found, &plan, NULL, &err), 0);
    ck_assert_uint_eq(found.source_count, 8);

    plan.sources[plan.source_count++] = "::1";
    ck_assert_int_eq(sc_bench_target_find(&found, &plan, NULL, &err), -1);
    ck_assert_int_eq(err.status, EX_USAGE);
    stop_server();
    ck_assert_int_eq(sc_bench_target_find(&found, &plan, NULL, &err), -1);
    ck_assert_int_eq(err.status, EX_UNAVAILABLE);
    end();
}
END_TEST

/* --- A thread of the generator --- */

static struct sc_bench_shared shared;
static struct sc_bench_thread thread;

static void wait_done(enum sc_bench_phase phase)
{
    (void)pthread_mutex_lock(&shared.lock);
    while (atomic_load(&thread.done_phase) != (int)phase) {
        ck_assert_msg(!shared.failed, "%s", shared.err.text);
        (void)pthread_cond_wait(&shared.changed, &shared.lock);
    }
    (void)pthread_mutex_unlock(&shared.lock);
}

static void go_to(enum sc_bench_phase phase)
{
    atomic_store(&shared.phase, (int)phase);
    sc_bench_thread_wake(&thread);
}

/* It sees the end of the measured time before it has seen its beginning. */
START_TEST(a_thread_that_is_late_has_measured)
{
    struct sc_bench_plan late = {.mode = SC_BENCH_HOLD,
                                 .connections = 1,
                                 .threads = 1,
                                 .depth = 1,
                                 .size_bytes = 40,
                                 .timeout_ms = 60000};
    begin();
    server.behaviour = ECHO;
    late.context = client;
    late.pins = pins;
    shared = (struct sc_bench_shared){.plan = &late, .stream = io.stream, .target = target};
    ck_assert_int_eq(pthread_mutex_init(&shared.lock, NULL), 0);
    ck_assert_int_eq(pthread_cond_init(&shared.changed, NULL), 0);
    thread = (struct sc_bench_thread){.shared = &shared, .connections = 1};
    atomic_init(&thread.done_phase, -1);
    ck_assert_int_eq(sc_bench_thread_start(&thread), 0);
    wait_done(SC_BENCH_CONNECT);
    go_to(SC_BENCH_FINISH);
    wait_done(SC_BENCH_FINISH);
    go_to(SC_BENCH_STOP);
    ck_assert_int_eq(pthread_join(thread.id, NULL), 0);
    (void)close(thread.wakeup_fd);
    ck_assert_uint_eq(thread.open_at_end, 1);
    ck_assert_uint_gt(thread.measure_ns, 0);
    ck_assert_uint_ge(thread.measured_ns, thread.measure_ns);
    ck_assert_uint_eq(thread.stats.errors[SC_BENCH_ERROR_CLOSED], 0);
    end();
}
END_TEST

SUITE_MAIN("bench_conn", an_exchange, a_target, a_pin_is_checked_after_every_handshake,
           each_failure_has_its_kind, why_a_server_has_left_is_read, each_state_can_time_out,
           a_thread_that_is_late_has_measured)
