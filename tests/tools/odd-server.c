/* SPDX-License-Identifier: MIT */
/*
 * A server that does one thing wrong, for the tests of the client programs: odd-server MODE
 * CERTIFICATE KEY PORT-FILE [TEXT]
 *
 * It listens on a free port of 127.0.0.1, writes the port to PORT-FILE, serves one connection
 * after the other, and prints for each how many bytes of application data it got. Nothing waits
 * for ever: alarm(2) ends the process.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/compiler.h"
#include "listen_anywhere.h"
#include "odd_server.h"
#include "proto/frame.h"
#include "proto/handler.h"
#include "test_factor.h"

#define LIFE_SECONDS 120

const char *odd_text = "";

_Noreturn static void die(const char *what)
{
    perror(what);
    exit(EX_OSERR);
}

static void send_frame(struct connection *connection, uint32_t type, uint32_t length,
                       const void *body, size_t sent)
{
    uint8_t header[SC_FRAME_HEADER_BYTES];
    sc_frame_put_header(header, type, length);
    (void)SSL_write(connection->ssl, header, sizeof(header));
    if (sent > 0) {
        (void)SSL_write(connection->ssl, body, (int)sent);
    }
}

static void send_error(struct connection *connection, enum sc_error_code code,
                       uint32_t retry_after_ms, const char *text)
{
    uint8_t frame[SC_FRAME_ERROR_MAX_BYTES];
    (void)SSL_write(connection->ssl, frame,
                    (int)sc_frame_put_error(frame, code, retry_after_ms, text));
}

static bool read_exactly(struct connection *connection, uint8_t *out, size_t length)
{
    while (length > 0) {
        const int got = SSL_read(connection->ssl, out, length > 16384 ? 16384 : (int)length);
        if (got <= 0) {
            return false;
        }
        connection->got += (size_t)got;
        out += got;
        length -= (size_t)got;
    }
    return true;
}

/* The next request; its body is in *body until the next call. */
static bool read_request(struct connection *connection, struct sc_frame_header *header,
                         uint8_t **body)
{
    static uint8_t storage[1U << 20];
    uint8_t bytes[SC_FRAME_HEADER_BYTES];
    if (!read_exactly(connection, bytes, sizeof(bytes))) {
        return false;
    }
    *header = sc_frame_get_header(bytes);
    *body = storage;
    return header->length <= sizeof(storage) && read_exactly(connection, storage, header->length);
}

void odd_read_all(struct connection *connection)
{
    uint8_t byte;
    while (read_exactly(connection, &byte, 1)) {
    }
}

static void mode_serve(struct connection *connection)
{
    static uint8_t reply[(1U << 20) + 64];
    struct sc_frame_header header;
    uint8_t *body;
    while (read_request(connection, &header, &body)) {
        const struct sc_handler *handler = sc_handler_find(header.type);
        if (handler) {
            const size_t length = handler->run(body, header.length, reply);
            send_frame(connection, header.type, (uint32_t)length, reply, length);
        } else {
            send_error(connection, SC_ERROR_UNKNOWN_TYPE, 0, "no such type");
        }
    }
}

/* TEXT is "N MS": the first of every N requests is answered after MS milliseconds. */
static void mode_slow(struct connection *connection)
{
    unsigned every = 1;
    int delay_ms = 0;
    struct sc_frame_header header;
    uint8_t *body;
    (void)sscanf(odd_text, "%u %d", &every, &delay_ms);
    for (unsigned i = 0; read_request(connection, &header, &body); i++) {
        if (every > 0 && i % every == 0) {
            (void)poll(NULL, 0, delay_ms);
        }
        send_frame(connection, header.type, header.length, body, header.length);
    }
}

static void mode_mute(struct connection *connection)
{
    odd_read_all(connection);
}

void odd_answer_one(struct connection *connection, uint32_t type_change, int length_change,
                    size_t cut)
{
    struct sc_frame_header header;
    uint8_t *body;
    if (read_request(connection, &header, &body)) {
        const uint32_t length = (uint32_t)((int)header.length + length_change);
        send_frame(connection, header.type + type_change, length, body, length - cut);
    }
}

/* Answers one request, and then neither reads nor closes. */
static void mode_hang(struct connection *connection)
{
    odd_answer_one(connection, 0, 0, 0);
    (void)poll(NULL, 0, 60000);
}

static void mode_wrong_type(struct connection *connection)
{
    odd_answer_one(connection, 1, 0, 0);
    odd_read_all(connection);
}

static void mode_wrong_length(struct connection *connection)
{
    odd_answer_one(connection, 0, 1, 0);
    odd_read_all(connection);
}

static void mode_half_reply(struct connection *connection)
{
    odd_answer_one(connection, 0, 0, 2);
    (void)SSL_shutdown(connection->ssl);
    odd_read_all(connection); /* a close with unread bytes would take what was sent with it */
}

static void mode_cut(struct connection *connection)
{
    odd_answer_one(connection, 0, 0, 2);
}

/* Reads two requests and answers the second one first. */
static void mode_wrong_order(struct connection *connection)
{
    struct sc_frame_header header;
    uint8_t *body;
    bool both = read_request(connection, &header, &body);
    both = both && read_request(connection, &header, &body);
    if (both) {
        send_frame(connection, header.type, header.length, body, header.length);
    }
    odd_read_all(connection);
}

static void mode_long_error(struct connection *connection)
{
    struct sc_frame_header header;
    uint8_t *body;
    if (read_request(connection, &header, &body)) {
        send_frame(connection, SC_FRAME_ERROR, 65537, NULL, 0);
    }
    odd_read_all(connection);
}

/* One byte of a reply after the other, so that something arrives all the time. */
static void mode_drip(struct connection *connection)
{
    struct sc_frame_header header;
    uint8_t *body;
    int delay_ms = 50;
    (void)sscanf(odd_text, "%d", &delay_ms);
    while (read_request(connection, &header, &body)) {
        send_frame(connection, header.type, header.length, NULL, 0);
        for (uint32_t i = 0; i < header.length && SSL_write(connection->ssl, body + i, 1) == 1;
             i++) {
            /* The next client does not wait for a byte to one that has gone. */
            struct pollfd gone = {.fd = connection->fd, .events = POLLRDHUP};
            if (poll(&gone, 1, delay_ms) > 0) {
                return;
            }
        }
    }
}

static void mode_long_reply(struct connection *connection)
{
    struct sc_frame_header header;
    uint8_t *body;
    if (read_request(connection, &header, &body)) {
        send_frame(connection, header.type, SC_FRAME_MAX_BODY_BYTES + 1, NULL, 0);
    }
    odd_read_all(connection);
}

static void mode_stray(struct connection *connection)
{
    send_frame(connection, SC_FRAME_ECHO, 2, "hi", 2);
    odd_read_all(connection);
}

static void mode_short_error(struct connection *connection)
{
    struct sc_frame_header header;
    uint8_t *body;
    if (read_request(connection, &header, &body)) {
        send_frame(connection, SC_FRAME_ERROR, 3, "abc", 3);
    }
    odd_read_all(connection);
}

/* Every second request. */
static void mode_error(struct connection *connection)
{
    struct sc_frame_header header;
    uint8_t *body;
    for (unsigned i = 0; read_request(connection, &header, &body); i++) {
        if (i % 2 == 0) {
            send_error(connection, SC_ERROR_INTERNAL, 1500, odd_text);
        } else {
            send_frame(connection, header.type, header.length, body, header.length);
        }
    }
}

/* TEXT is when to come back, in milliseconds. */
static void mode_going_away(struct connection *connection)
{
    unsigned retry_after_ms = 2500;
    (void)sscanf(odd_text, "%u", &retry_after_ms);
    odd_answer_one(connection, 0, 0, 0);
    send_error(connection, SC_ERROR_GOING_AWAY, retry_after_ms, "restart");
    (void)SSL_shutdown(connection->ssl);
    odd_read_all(connection);
}

static void mode_over_limit(struct connection *connection)
{
    send_error(connection, SC_ERROR_OVER_LIMIT, 0, "too many");
    (void)SSL_shutdown(connection->ssl);
    odd_read_all(connection);
}

/*
 * The first request is not answered before another one comes over its connection; TEXT is a file
 * that is made when it has come. All others are answered at once.
 */
static void mode_late(struct connection *connection)
{
    static bool has_held;
    struct sc_frame_header header;
    uint8_t *body;
    if (!has_held && read_request(connection, &header, &body)) {
        const uint32_t type = header.type, length = header.length;
        uint8_t *held = malloc(length + 1U);
        FILE *file = fopen(odd_text, "w");
        if (!held || !file || fclose(file) != 0) {
            die(odd_text);
        }
        has_held = true;
        memcpy(held, body, length);
        if (read_request(connection, &header, &body)) {
            send_frame(connection, type, length, held, length);
            send_frame(connection, header.type, header.length, body, header.length);
        }
        free(held);
    }
    mode_serve(connection);
}

/* TEXT, or with @FILE what is in it, is the reply to every request. */
static void mode_answer(struct connection *connection)
{
    char content[65536];
    const char *reply = odd_text;
    size_t length = strlen(odd_text);
    struct sc_frame_header header;
    uint8_t *body;
    if (*odd_text == '@') {
        FILE *file = fopen(odd_text + 1, "r");
        if (!file) {
            die(odd_text);
        }
        reply = content;
        length = fread(content, 1, sizeof(content), file);
        (void)fclose(file);
    }
    while (read_request(connection, &header, &body)) {
        send_frame(connection, header.type, (uint32_t)length, reply, length);
    }
}

static const struct {
    const char *name;
    void (*run)(struct connection *connection);
} modes[] = {
    {"serve", mode_serve},
    {"slow", mode_slow},
    {"hang", mode_hang},
    {"mute", mode_mute},
    {"part", odd_part},
    {"wrong-type", mode_wrong_type},
    {"wrong-length", mode_wrong_length},
    {"half-reply", mode_half_reply},
    {"cut", mode_cut},
    {"drip", mode_drip},
    {"wrong-order", mode_wrong_order},
    {"garbage", odd_garbage},
    {"long-record", odd_long_record},
    {"after-close", odd_after_close},
    {"key-updates", odd_key_updates},
    {"tickets", odd_tickets},
    {"protocol", odd_read_all},
    {"long-error", mode_long_error},
    {"trickle", odd_trickle},
    {"long-reply", mode_long_reply},
    {"stray", mode_stray},
    {"short-error", mode_short_error},
    {"error", mode_error},
    {"going-away", mode_going_away},
    {"over-limit", mode_over_limit},
    {"plain", odd_plain},
    {"plain-end", odd_plain_end},
    {"plain-echo", odd_plain_echo},
    {"answer", mode_answer},
    {"late", mode_late},
};

/* Accepts any name, so that OpenSSL keeps it. */
static int on_server_name(SSL *ssl, int *alert, void *arg)
{
    (void)ssl;
    (void)alert;
    (void)arg;
    return SSL_TLSEXT_ERR_OK;
}

int main(int argc, char *argv[])
{
    size_t mode = 0;
    if (argc < 5) {
        fputs("usage: odd-server MODE CERTIFICATE KEY PORT-FILE [TEXT]\n", stderr);
        return EX_USAGE;
    }
    while (mode < SC_COUNT_OF(modes) && strcmp(modes[mode].name, argv[1]) != 0) {
        mode++;
    }
    if (mode == SC_COUNT_OF(modes)) {
        fprintf(stderr, "odd-server: %s: no such mode\n", argv[1]);
        return EX_USAGE;
    }
    odd_text = argc > 5 ? argv[5] : "";
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (SSL_CTX_use_certificate_chain_file(ctx, argv[2]) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, argv[3], SSL_FILETYPE_PEM) != 1) {
        ERR_print_errors_fp(stderr);
        return EX_NOINPUT;
    }
    SSL_CTX_set_tlsext_servername_callback(ctx, on_server_name);
    if (strcmp(modes[mode].name, "protocol") == 0) {
        odd_choose_protocol(ctx);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    (void)alarm((unsigned)(LIFE_SECONDS * test_factor()));
    const int listener = listen_anywhere(argv[4]);
    for (unsigned number = 1;; number++) {
        struct connection connection = {.fd = accept(listener, NULL, NULL), .ssl = SSL_new(ctx)};
        if (connection.fd < 0 || SSL_set_fd(connection.ssl, connection.fd) != 1) {
            die("accept");
        }
        if (strncmp(modes[mode].name, "plain", 5) == 0 || modes[mode].run == odd_trickle ||
            SSL_accept(connection.ssl) == 1) {
            modes[mode].run(&connection);
        }
        const char *name = SSL_get_servername(connection.ssl, TLSEXT_NAMETYPE_host_name);
        if (name) {
            printf("connection %u: server name %s\n", number, name);
        }
        const bool notified = SSL_get_shutdown(connection.ssl) & SSL_RECEIVED_SHUTDOWN;
        SSL_free(connection.ssl);
        (void)close(connection.fd);
        printf("connection %u: %zu bytes of application data%s\n", number, connection.got,
               notified ? ", close_notify" : "");
        (void)fflush(stdout);
    }
}
