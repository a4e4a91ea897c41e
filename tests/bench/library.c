/* SPDX-License-Identifier: MIT */
/*
 * What a request costs a client, for "make bench-library": ECHO of 64 bytes, one after the other,
 * over each driver of libspacecaptain and over its TLS library on the same socket with nothing
 * else.
 *
 *   sc-library DRIVER LIBRARY ADDRESS PIN COUNT
 *
 * DRIVER: bare (blocking, the TLS library alone), blocking, poll, libevent; or idle: then COUNT
 * connections are opened, and the resident memory that each has taken is printed. ADDRESS is IPv4.
 */
#include "config.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#ifdef HAVE_MBEDTLS
#include <mbedtls/ssl.h>
#endif
#include <openssl/ssl.h>
#include <spacecaptain/client_libevent.h>

#include "base/parse.h"
#include "proto/frame.h"

#define BODY_BYTES 64U
#define MAX_IDLE 1000U

static struct sc_client_settings *settings;
static const char *tls_library, *address;
static unsigned long count;
static const uint8_t body[BODY_BYTES];

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "sc-library: %s\n", what);
    exit(EX_SOFTWARE);
}

static void expect(int condition, const char *what)
{
    if (!condition) {
        die(what);
    }
}

static int open_socket(void)
{
    struct sc_address parsed;
    struct sockaddr_in to = {.sin_family = AF_INET};
    const int on = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
    expect(sc_parse_address(address, NULL, &parsed, NULL) == 0 &&
               inet_pton(AF_INET, parsed.host, &to.sin_addr) == 1,
           "not an IPv4 address");
    to.sin_port = htons((uint16_t)atoi(parsed.port));
    expect(connect(fd, (const struct sockaddr *)&to, sizeof(to)) == 0, "cannot connect");
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return fd;
}

static void run_bare_openssl(void)
{
    uint8_t frame[SC_FRAME_HEADER_BYTES + BODY_BYTES] = {0}, reply[sizeof(frame)];
    SSL *ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
    const int fd = open_socket();
    expect(SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1, "the handshake failed");
    sc_frame_put_header(frame, SC_FRAME_ECHO, BODY_BYTES);
    for (unsigned long i = 0; i < count; i++) {
        expect(SSL_write(ssl, frame, sizeof(frame)) == sizeof(frame), "SSL_write");
        for (int have = 0, got; have < (int)sizeof(reply); have += got) {
            got = SSL_read(ssl, reply + have, (int)sizeof(reply) - have);
            expect(got > 0, "SSL_read");
        }
        expect(memcmp(frame, reply, sizeof(frame)) == 0, "a wrong reply");
    }
}

#ifdef HAVE_MBEDTLS
static int take_random(void *arg, unsigned char *out, size_t length)
{
    (void)arg;
    return getrandom(out, length, 0) == (ssize_t)length ? 0 : -1;
}

static int send_bytes(void *arg, const unsigned char *bytes, size_t length)
{
    return (int)send(*(const int *)arg, bytes, length, MSG_NOSIGNAL);
}

static int receive_bytes(void *arg, unsigned char *to, size_t length)
{
    return (int)recv(*(const int *)arg, to, length, 0);
}

static void run_bare_mbedtls(void)
{
    uint8_t frame[SC_FRAME_HEADER_BYTES + BODY_BYTES] = {0}, reply[sizeof(frame)];
    int fd = open_socket();
    mbedtls_ssl_context ssl;
    mbedtls_ssl_config config;
    mbedtls_ssl_init(&ssl);
    mbedtls_ssl_config_init(&config);
    expect(mbedtls_ssl_config_defaults(&config, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                       MBEDTLS_SSL_PRESET_DEFAULT) == 0,
           "out of memory");
    mbedtls_ssl_conf_rng(&config, take_random, NULL);
    mbedtls_ssl_conf_authmode(&config, MBEDTLS_SSL_VERIFY_NONE);
    expect(mbedtls_ssl_setup(&ssl, &config) == 0, "out of memory");
    mbedtls_ssl_set_bio(&ssl, &fd, send_bytes, receive_bytes, NULL);
    expect(mbedtls_ssl_handshake(&ssl) == 0, "the handshake failed");
    sc_frame_put_header(frame, SC_FRAME_ECHO, BODY_BYTES);
    for (unsigned long i = 0; i < count; i++) {
        expect(mbedtls_ssl_write(&ssl, frame, sizeof(frame)) == sizeof(frame), "mbedtls_ssl_write");
        for (size_t have = 0; have < sizeof(reply);) {
            const int got = mbedtls_ssl_read(&ssl, reply + have, sizeof(reply) - have);
            expect(got > 0, "mbedtls_ssl_read");
            have += (size_t)got;
        }
        expect(memcmp(frame, reply, sizeof(frame)) == 0, "a wrong reply");
    }
    mbedtls_ssl_free(&ssl);
    mbedtls_ssl_config_free(&config);
}
#endif

static void run_bare(void)
{
#ifdef HAVE_MBEDTLS
    if (strcmp(tls_library, "mbedtls") == 0) {
        run_bare_mbedtls();
        return;
    }
#endif
    run_bare_openssl();
}

static void run_blocking(void)
{
    struct sc_client_reply reply = SC_CLIENT_REPLY_INIT;
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client *client = sc_client_connect(settings, address, &error);
    expect(client != NULL, error.text);
    for (unsigned long i = 0; i < count; i++) {
        expect(sc_client_call(client, SC_CLIENT_ECHO, body, BODY_BYTES, &reply, &error) == 0,
               error.text);
    }
    sc_client_free(client);
}

/* Sends the next request; false: all are answered. */
static int next_request(struct sc_client *client, const struct sc_client_event *event)
{
    static unsigned long sent;
    if (event->type == SC_CLIENT_EVENT_END) {
        die(event->error->text);
    }
    if (event->type != SC_CLIENT_EVENT_READY && event->type != SC_CLIENT_EVENT_REPLY) {
        return 1;
    }
    return sent++ < count && sc_client_send(client, SC_CLIENT_ECHO, body, BODY_BYTES, NULL) > 0;
}

static void run_poll(void)
{
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    struct sc_client *client = sc_client_start(settings, address, NULL);
    for (int more = 1; more;) {
        struct pollfd ready = {.fd = sc_client_fd(client), .events = sc_client_events(client)};
        (void)poll(&ready, 1, sc_client_timeout_ms(client));
        sc_client_process(client);
        while (more && sc_client_next_event(client, &event)) {
            more = next_request(client, &event);
        }
    }
    sc_client_free(client);
}

static void on_event(struct sc_client *client, const struct sc_client_event *event, void *arg)
{
    if (!next_request(client, event)) {
        (void)event_base_loopbreak(arg);
    }
}

static void run_libevent(void)
{
    struct event_base *base = event_base_new();
    struct sc_client *client = sc_client_start(settings, address, NULL);
    struct sc_client_libevent *driver = sc_client_libevent_new(base, client, on_event, base);
    expect(driver != NULL, "out of memory");
    (void)event_base_dispatch(base);
    sc_client_libevent_free(driver);
    sc_client_free(client);
    event_base_free(base);
}

static long resident_kib(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    expect(file && fscanf(file, "%*d %ld", &pages) == 1, "/proc/self/statm");
    (void)fclose(file);
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

static void run_idle(void)
{
    static struct sc_client *clients[MAX_IDLE];
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_event event = SC_CLIENT_EVENT_INIT;
    long before = 0;
    expect(count >= 20 && count <= MAX_IDLE, "COUNT: 20 to 1000");
    for (unsigned long i = 0; i < count; i++) {
        before = i == 10 ? resident_kib() : before; /* the first ones fill caches */
        clients[i] = sc_client_connect(settings, address, &error);
        expect(clients[i] != NULL, error.text);
        (void)sc_client_wait(clients[i], 20, &event); /* session tickets */
    }
    printf("%.1f KiB\n", (double)(resident_kib() - before) / (double)(count - 10));
    for (unsigned long i = 0; i < count; i++) {
        sc_client_free(clients[i]);
    }
}

int main(int argc, char *argv[])
{
    static const struct {
        const char *name;
        void (*run)(void);
    } drivers[] = {{"bare", run_bare},
                   {"blocking", run_blocking},
                   {"poll", run_poll},
                   {"libevent", run_libevent},
                   {"idle", run_idle}};
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct rusage usage;
    expect(argc == 6, "usage: sc-library DRIVER LIBRARY ADDRESS PIN COUNT");
    tls_library = argv[2];
    address = argv[3];
    count = strtoul(argv[5], NULL, 10);
    settings = sc_client_settings_new(tls_library, &error);
    expect(settings && sc_client_settings_add_pin(settings, argv[4], &error) == 0, error.text);
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++) {
        if (strcmp(drivers[i].name, argv[1]) == 0) {
            drivers[i].run();
            (void)getrusage(RUSAGE_SELF, &usage);
            if (drivers[i].run != run_idle) {
                const double seconds =
                    (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                    (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
                printf("%.0f requests a second of processor time\n", (double)count / seconds);
            }
            sc_client_settings_free(settings);
            return EX_OK;
        }
    }
    die("no such driver");
}
