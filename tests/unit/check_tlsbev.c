/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/buffer.h>

#include "tlsbev_loop.h"

/*
 * Two connections that talk to each other. Each end writes down what it is
 * reported: C connected, d data, D flushed, X closed.
 */
enum over { OVER_UNIX, OVER_TCP, OVER_COUNT };

struct end {
    struct sc_tlsbev *tls;
    struct end *other;
    evutil_socket_t fd; /* of tls */
    struct evbuffer *got;
    struct sc_tlsbev_close close;
    struct sc_tls_watch watch;
    char trace[512];
    size_t traced;
    bool in_callback, leave_input;
    char free_at; /* in this callback */
    void (*on_connected)(struct end *end);
    void (*on_closed)(struct end *end);
};

static struct end client, server;

/* In the trace, runs of the same letter are one. */
static void report(struct end *end, char what)
{
    ck_assert(!end->in_callback); /* never nested */
    if (end->traced == 0 || end->trace[end->traced - 1] != what) {
        ck_assert_uint_lt(end->traced, sizeof(end->trace) - 1);
        end->trace[end->traced++] = what;
    } else {
        ck_assert_int_ne(what, 'C');
        ck_assert_int_ne(what, 'X');
    }
    if (end->free_at == what) {
        sc_tlsbev_free(end->tls);
        end->tls = NULL;
    }
}

static void on_connected(void *arg)
{
    struct end *end = arg;
    report(end, 'C');
    end->in_callback = true;
    if (end->tls && end->on_connected) {
        end->on_connected(end);
    }
    end->in_callback = false;
}

static void on_data(void *arg, struct evbuffer *input)
{
    struct end *end = arg;
    report(end, 'd');
    if (end->tls && !end->leave_input) {
        ck_assert_int_eq(evbuffer_add_buffer(end->got, input), 0);
    }
}

static void on_flushed(void *arg)
{
    report(arg, 'D');
}

static void on_closed(void *arg, const struct sc_tlsbev_close *close)
{
    struct end *end = arg;
    end->close = *close;
    report(end, 'X');
    end->in_callback = true;
    if (end->tls && end->on_closed) {
        end->on_closed(end);
    }
    end->in_callback = false;
}

static const struct sc_tlsbev_callbacks callbacks = {.on_connected = on_connected,
                                                     .on_data = on_data,
                                                     .on_flushed = on_flushed,
                                                     .on_closed = on_closed};

static bool was_reported(const struct end *end, char what)
{
    return strchr(end->trace, what) != NULL;
}

static size_t got(const struct end *end)
{
    return evbuffer_get_length(end->got);
}

static SSL *new_ssl(struct end *end, const struct sc_tls_context *context)
{
    SSL *ssl = SSL_new(sc_tls_context_ssl_ctx(context));
    ck_assert_ptr_nonnull(ssl);
    sc_tls_watch_init(&end->watch);
    ck_assert_int_eq(SSL_set_app_data(ssl, &end->watch), 1);
    return ssl;
}

/* Both ends exist, and nothing has run yet. */
static void begin(enum over over)
{
    struct sc_err err = {0};
    memset(&client, 0, sizeof(client));
    memset(&server, 0, sizeof(server));
    client.got = evbuffer_new();
    server.got = evbuffer_new();
    client.other = &server;
    server.other = &client;
    int fds[2];
    SSL *ssl = new_ssl(&server, server_context);
    socket_pair(over == OVER_TCP, fds);
    server.fd = fds[0];
    server.tls = sc_tlsbev_new(shared, fds[0], ssl, true, &callbacks, &server, &err);
    ssl = new_ssl(&client, client_context);
    client.fd = fds[1];
    client.tls = sc_tlsbev_new(shared, fds[1], ssl, false, &callbacks, &client, &err);
    ck_assert_ptr_nonnull(server.tls);
    ck_assert_ptr_nonnull(client.tls);
}

static void begin_connected(enum over over)
{
    begin(over);
    RUN_UNTIL(base, was_reported(&client, 'C') && was_reported(&server, 'C'));
    run_ready(base);
}

static void finish(void)
{
    sc_tlsbev_free(client.tls);
    sc_tlsbev_free(server.tls);
    run_ready(base);
    evbuffer_free(client.got);
    evbuffer_free(server.got);
}

/* Every test, over every transport. */
#define OVER_ALL(name) \
    static void over_##name(enum over over); \
    START_TEST(name) \
    { \
        test_init(); \
        for (int over = 0; over < OVER_COUNT; over++) { \
            over_##name((enum over)over); \
        } \
        test_fini(); \
    } \
    END_TEST \
    static void over_##name(enum over over)

/* --- Data --- */

OVER_ALL(data_goes_both_ways)
{
    begin_connected(over);
    ck_assert_int_eq(server.trace[0], 'C');
    /* From outside of any cycle. */
    sc_tlsbev_write(client.tls, "request", 7);
    RUN_UNTIL(base, got(&server) == 7);
    sc_tlsbev_write(server.tls, "reply", 5);
    sc_tlsbev_write(server.tls, "", 0);
    RUN_UNTIL(base, got(&client) == 5);
    ck_assert_mem_eq(evbuffer_pullup(server.got, -1), "request", 7);
    ck_assert_mem_eq(evbuffer_pullup(client.got, -1), "reply", 5);
    ck_assert_uint_eq(sc_tlsbev_pending(client.tls), 0);
    ck_assert_uint_gt(sc_tlsbev_sent(client.tls), 7);
    ck_assert(!was_reported(&server, 'X'));
    finish();
}

/* Before the handshake nothing can be written, and it is not kept. */
OVER_ALL(nothing_is_written_early)
{
    begin(over);
    sc_tlsbev_write(client.tls, "early", 5);
    sc_tlsbev_shutdown(client.tls);
    RUN_UNTIL(base, was_reported(&client, 'C') && was_reported(&server, 'C'));
    sc_tlsbev_write(client.tls, "late", 4);
    RUN_UNTIL(base, got(&server) == 4);
    ck_assert_mem_eq(evbuffer_pullup(server.got, -1), "late", 4);
    finish();
}

static size_t records;

static void count_records(int write_p, int version, int type, const void *bytes, size_t length,
                          SSL *ssl, void *arg)
{
    (void)version;
    (void)bytes;
    (void)length;
    (void)ssl;
    (void)arg;
    records += (size_t)(write_p && type == SSL3_RT_HEADER);
}

OVER_ALL(one_append_one_run_of_records)
{
    static const struct {
        size_t bytes, records;
    } table[] = {{1, 1}, {16384, 1}, {16385, 2}, {32768, 2}, {98304, 6}};
    static uint8_t data[98304];
    begin_connected(over);
    SSL_set_msg_callback(sc_tlsbev_ssl(server.tls), count_records);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        records = 0;
        evbuffer_drain(client.got, got(&client));
        sc_tlsbev_write(server.tls, data, table[i].bytes);
        ck_assert_uint_eq(records, table[i].records);
        memset(data, 0xFF, sizeof(data)); /* nothing of it is used after the return */
        RUN_UNTIL(base, got(&client) == table[i].bytes);
        ck_assert_uint_eq(*evbuffer_pullup(client.got, 1), 0);
        memset(data, 0, sizeof(data));
    }
    finish();
}

/* --- Asking for cycles --- */

OVER_ALL(again_calls_without_data)
{
    begin_connected(over);
    server.traced = 0;
    memset(server.trace, 0, sizeof(server.trace));
    sc_tlsbev_again(server.tls);
    ck_assert(!was_reported(&server, 'd')); /* not from inside the call */
    RUN_UNTIL(base, was_reported(&server, 'd'));
    ck_assert_uint_eq(got(&server), 0);
    finish();
}

static void ask_and_write(evutil_socket_t fd, short what, void *arg)
{
    const bool write_first = *(const bool *)arg;
    (void)fd;
    (void)what;
    if (write_first) {
        sc_tlsbev_write(server.tls, "x", 1);
    }
    sc_tlsbev_again(server.tls);
    if (!write_first) {
        sc_tlsbev_write(server.tls, "x", 1);
    }
}

/*
 * Another reason for a cycle in the same iteration must not swallow the one that was asked
 * for.
 */
OVER_ALL(again_survives_a_write)
{
    begin_connected(over);
    for (int i = 0; i < 2; i++) {
        const struct timeval now = {0, 0};
        bool write_first = i == 0;
        server.traced = 0;
        memset(server.trace, 0, sizeof(server.trace));
        ck_assert_int_eq(event_base_once(base, -1, EV_TIMEOUT, ask_and_write, &write_first, &now),
                         0);
        RUN_UNTIL(base, got(&client) == (size_t)i + 1);
        run_ready(base);
        ck_assert(was_reported(&server, 'd'));
    }
    finish();
}

OVER_ALL(what_the_owner_leaves_stays)
{
    begin_connected(over);
    server.leave_input = true;
    sc_tlsbev_write(client.tls, "abc", 3);
    RUN_UNTIL(base, was_reported(&server, 'd'));
    sc_tlsbev_write(client.tls, "def", 3);
    run_ready(base);
    ck_assert_uint_eq(got(&server), 0);
    server.leave_input = false;
    sc_tlsbev_again(server.tls);
    RUN_UNTIL(base, got(&server) == 6);
    ck_assert_mem_eq(evbuffer_pullup(server.got, -1), "abcdef", 6);
    finish();
}

OVER_ALL(pause_and_resume)
{
    begin_connected(over);
    sc_tlsbev_pause(server.tls);
    sc_tlsbev_pause(server.tls);
    sc_tlsbev_write(client.tls, "abc", 3);
    run_ready(base);
    ck_assert_uint_eq(got(&server), 0);
    ck_assert_uint_gt(sc_tlsbev_unread(server.tls), 3);
    sc_tlsbev_resume(server.tls);
    sc_tlsbev_resume(server.tls);
    RUN_UNTIL(base, got(&server) == 3);
    ck_assert_uint_eq(sc_tlsbev_unread(server.tls), 0);
    finish();
}

/* --- The end --- */

static void write_and_shut(struct end *end)
{
    sc_tlsbev_write(end->tls, "last words", 10);
    sc_tlsbev_shutdown(end->tls);
    sc_tlsbev_shutdown(end->tls);
    sc_tlsbev_write(end->tls, "too late", 8);
}

static void answer_and_shut(struct end *end)
{
    sc_tlsbev_write(end->tls, "answer", 6);
    sc_tlsbev_shutdown(end->tls);
}

/* libevent reports the end before the data that came with it. */
OVER_ALL(data_comes_before_the_end)
{
    begin(over);
    client.on_connected = write_and_shut;
    server.on_closed = answer_and_shut;
    RUN_UNTIL(base, was_reported(&server, 'X') && was_reported(&client, 'X'));
    run_ready(base);
    ck_assert_uint_eq(got(&server), 10);
    ck_assert_uint_eq(got(&client), 6); /* the other half was still open */
    ck_assert_int_eq(server.trace[0], 'C');
    ck_assert_ptr_null(strchr(strchr(server.trace, 'X'), 'd'));
    ck_assert_ptr_eq(strchr(client.trace, 'X'), strrchr(client.trace, 'X'));
    ck_assert_ptr_eq(strchr(server.trace, 'X'), strrchr(server.trace, 'X'));
    ck_assert(was_reported(&client, 'D') && was_reported(&server, 'D')); /* close_notify has left */
    ck_assert_int_eq(server.close.end, SC_TLSBEV_CLOSE_NOTIFY);
    ck_assert_int_eq(client.close.end, SC_TLSBEV_CLOSE_NOTIFY);
    ck_assert_uint_eq(server.close.error_code, 0);
    finish();
}

/* The other side has ended the stream of its socket, too. */
static bool has_fin(const struct end *end)
{
    struct pollfd socket = {.fd = end->fd, .events = POLLRDHUP};
    return poll(&socket, 1, 0) == 1 && (socket.revents & POLLRDHUP) != 0;
}

/* The sender closes its side, and goes on reading for as long as the other one likes to talk. */
OVER_ALL(half_closed)
{
    begin_connected(over);
    sc_tlsbev_shutdown(client.tls);
    RUN_UNTIL(base, was_reported(&server, 'X'));
    ck_assert_int_eq(server.close.end, SC_TLSBEV_CLOSE_NOTIFY);
    RUN_UNTIL(base, has_fin(&server));
    for (size_t i = 1; i <= 10; i++) {
        sc_tlsbev_write(server.tls, "more", 4);
        RUN_UNTIL(base, got(&client) == 4 * i);
    }
    ck_assert(!was_reported(&client, 'X'));
    sc_tlsbev_shutdown(server.tls);
    RUN_UNTIL(base, was_reported(&client, 'X'));
    ck_assert_int_eq(client.close.end, SC_TLSBEV_CLOSE_NOTIFY);
    finish();
}

OVER_ALL(freed_inside_each_callback)
{
    static const char letters[] = "CdDX";
    for (const char *letter = letters; *letter; letter++) {
        for (int both = 0; both < 2; both++) {
            begin(over);
            server.free_at = *letter;
            client.free_at = both ? *letter : '\0';
            client.on_connected = write_and_shut;
            server.on_closed = answer_and_shut;
            RUN_UNTIL(base, !server.tls || !client.tls);
            run_ready(base);
            finish();
        }
    }
}

OVER_ALL(freed_at_any_time)
{
    static uint8_t data[1U << 20];
    for (int iterations = 0; iterations < 12; iterations++) {
        begin(over);
        client.on_connected = write_and_shut;
        for (int i = 0; i < iterations; i++) {
            (void)event_base_loop(base, EVLOOP_NONBLOCK);
        }
        sc_tlsbev_write(server.tls, data, sizeof(data)); /* unsent */
        finish();
    }
}

/* --- Backpressure --- */

#define BULK_BYTES ((size_t)4 << 20)

static uint8_t bulk_byte(size_t i)
{
    return (uint8_t)(i * 7U + (i >> 8) * 13U + (i >> 16));
}

static void check_bulk(struct evbuffer *buffer)
{
    ck_assert_uint_eq(evbuffer_get_length(buffer), BULK_BYTES);
    const uint8_t *bytes = evbuffer_pullup(buffer, -1);
    for (size_t i = 0; i < BULK_BYTES; i++) {
        if (bytes[i] != bulk_byte(i)) {
            ck_abort_msg("byte %zu is wrong", i);
        }
    }
}

static void write_bulk(struct sc_tlsbev *tls)
{
    static uint8_t piece[65536];
    for (size_t at = 0; at < BULK_BYTES; at += sizeof(piece)) {
        for (size_t i = 0; i < sizeof(piece); i++) {
            piece[i] = bulk_byte(at + i);
        }
        sc_tlsbev_write(tls, piece, sizeof(piece));
    }
}

OVER_ALL(all_of_much_arrives)
{
    bytes_received = bytes_sent = 0;
    begin_connected(over);
    sc_tlsbev_pause(client.tls);
    write_bulk(server.tls);
    sc_tlsbev_shutdown(server.tls);
    ck_assert_uint_gt(sc_tlsbev_pending(server.tls), BULK_BYTES);
    run_ready(base);
    /* The kernel took what it has room for; the rest waits, and the owner sees how much. */
    ck_assert_uint_gt(sc_tlsbev_pending(server.tls), BULK_BYTES / 4);
    ck_assert_uint_lt(sc_tlsbev_pending(server.tls), BULK_BYTES);
    ck_assert_str_eq(server.trace, "C");
    const size_t pending = sc_tlsbev_pending(server.tls);
    const uint64_t sent = sc_tlsbev_sent(server.tls);
    run_ready(base);
    ck_assert_uint_eq(sc_tlsbev_pending(server.tls), pending);
    ck_assert_uint_eq(sc_tlsbev_sent(server.tls), sent);
    sc_tlsbev_resume(client.tls);
    RUN_UNTIL(base, was_reported(&client, 'X'));
    run_ready(base);
    ck_assert_int_eq(client.close.end, SC_TLSBEV_CLOSE_NOTIFY); /* after all data */
    check_bulk(client.got);
    ck_assert(was_reported(&server, 'D'));
    ck_assert_uint_eq(sc_tlsbev_pending(server.tls), 0);
    ck_assert_uint_eq(sc_tlsbev_received(client.tls), sc_tlsbev_sent(server.tls));
    ck_assert_uint_eq(bytes_received,
                      sc_tlsbev_received(client.tls) + sc_tlsbev_received(server.tls));
    ck_assert_uint_eq(bytes_sent, sc_tlsbev_sent(client.tls) + sc_tlsbev_sent(server.tls));
    finish();
}

/* A paused reader, and then the whole thing is thrown away. */
OVER_ALL(freed_with_pending_output)
{
    begin_connected(over);
    sc_tlsbev_pause(client.tls);
    write_bulk(server.tls);
    run_ready(base);
    sc_tlsbev_free(server.tls);
    server.tls = NULL;
    sc_tlsbev_resume(client.tls);
    RUN_UNTIL(base, was_reported(&client, 'X'));
    ck_assert_int_eq(client.close.end, SC_TLSBEV_EOF);
    ck_assert_uint_lt(got(&client), BULK_BYTES);
    finish();
}

SUITE_MAIN("tlsbev", data_goes_both_ways, nothing_is_written_early, one_append_one_run_of_records,
           again_calls_without_data, again_survives_a_write, what_the_owner_leaves_stays,
           pause_and_resume, data_comes_before_the_end, half_closed, freed_inside_each_callback,
           freed_at_any_time, all_of_much_arrives, freed_with_pending_output)
