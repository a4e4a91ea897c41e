/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admin.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sysexits.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>

#include "base/clock.h"
#include "base/thread.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "server/admin_connections.h"
#include "server/admin_page.h"
#include "server/admin_request.h"
#include "server/history.h"
#include "server/prometheus.h"
#include "server/status.h"

#define MAX_HEADER_BYTES 8192
#define MAX_BODY_BYTES 4096 /* of a request; it is not read */
#define TICK_MS 250U
#define TICKS_A_SECOND 4U
#define STUCK_MS 5000U /* an event loop that has not answered for so long does not run */

struct sc_admin {
    struct sc_listen *listen;
    const struct sc_address *names;
    size_t name_count;
    struct sc_metrics_source *source;
    struct sc_loop_health *health;
    struct sc_admin_page page;

    pthread_t thread;
    bool running;
    struct event_base *base;
    struct sc_mailbox *mailbox; /* any message: end */
    struct sc_message end;

    /* The thread's. */
    struct evhttp *http;
    struct sc_admin_connections *connections;
    struct event *tick;
    unsigned ticks;
    struct sc_metrics metrics; /* of the request at hand */
    struct sc_history history;
};

/* --- Replies --- */

static void add_headers(const struct sc_admin *admin, struct evhttp_request *request,
                        const char *type)
{
    struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
    evhttp_add_header(headers, "Content-Type", type);
    evhttp_add_header(headers, "Content-Security-Policy", admin->page.policy);
    evhttp_add_header(headers, "X-Content-Type-Options", "nosniff");
    evhttp_add_header(headers, "X-Frame-Options", "DENY");
    evhttp_add_header(headers, "Referrer-Policy", "no-referrer");
    evhttp_add_header(headers, "Cross-Origin-Resource-Policy", "same-origin");
    evhttp_add_header(headers, "Cache-Control", "no-store");
    evhttp_add_header(headers, "Connection", "close");
}

/* What is in `body` leaves, or only its length for HEAD; without memory for it, an error. */
static void send_body(const struct sc_admin *admin, struct evhttp_request *request, int status,
                      const char *reason, const char *type, struct evbuffer *body, bool is_whole)
{
    char length[32];
    if (!is_whole) {
        evhttp_send_error(request, HTTP_INTERNAL, NULL);
    } else {
        (void)snprintf(length, sizeof(length), "%zu", evbuffer_get_length(body));
        add_headers(admin, request, type);
        evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Length", length);
        if (evhttp_request_get_command(request) == EVHTTP_REQ_HEAD) {
            evbuffer_drain(body, evbuffer_get_length(body));
        }
        evhttp_send_reply(request, status, reason, body);
    }
    if (body) {
        evbuffer_free(body);
    }
}

static void send_text(const struct sc_admin *admin, struct evhttp_request *request, int status,
                      const char *reason, const char *text)
{
    struct evbuffer *body = evbuffer_new();
    const bool is_whole = body && evbuffer_add_printf(body, "%s\n", text) >= 0;
    send_body(admin, request, status, reason, "text/plain; charset=utf-8", body, is_whole);
}

static void free_text(const void *text, size_t length, void *arg)
{
    (void)text;
    (void)length;
    free(arg);
}

/* Sends what write() makes of the metrics as they are now. */
static void send_written(struct sc_admin *admin, struct evhttp_request *request, const char *type,
                         void (*write)(const struct sc_admin *admin, FILE *out))
{
    char *text = NULL;
    size_t length = 0;
    struct evbuffer *body = evbuffer_new();
    FILE *out = open_memstream(&text, &length);
    if (out) {
        sc_metrics_get(admin->source, &admin->metrics);
        admin->metrics.loop_silent_ms = sc_loop_health_silent_ms(admin->health);
        write(admin, out);
    }
    const bool is_whole = out && fclose(out) == 0 && body &&
                          evbuffer_add_reference(body, text, length, free_text, text) == 0;
    if (!is_whole) {
        free(text);
    }
    send_body(admin, request, HTTP_OK, "OK", type, body, is_whole);
}

/* --- What there is --- */

static void write_text(const struct sc_admin *admin, FILE *out)
{
    sc_prometheus_write(&admin->metrics, SC_PROMETHEUS_TEXT, out);
}

static void write_openmetrics(const struct sc_admin *admin, FILE *out)
{
    sc_prometheus_write(&admin->metrics, SC_PROMETHEUS_OPENMETRICS, out);
}

static void write_status_json(const struct sc_admin *admin, FILE *out)
{
    sc_status_write_json(&admin->metrics, &admin->history, out);
}

static void write_status_text(const struct sc_admin *admin, FILE *out)
{
    sc_status_write_text(&admin->metrics, &admin->history, out);
}

static void send_metrics(struct sc_admin *admin, struct evhttp_request *request)
{
    const enum sc_prometheus_format format = sc_admin_accepted_format(
        evhttp_find_header(evhttp_request_get_input_headers(request), "Accept"));
    evhttp_add_header(evhttp_request_get_output_headers(request), "Vary", "Accept");
    send_written(admin, request, sc_prometheus_content_type(format),
                 format == SC_PROMETHEUS_OPENMETRICS ? write_openmetrics : write_text);
}

static void send_health(struct sc_admin *admin, struct evhttp_request *request)
{
    const uint64_t silent_ms = sc_loop_health_silent_ms(admin->health);
    if (silent_ms < STUCK_MS) {
        send_text(admin, request, HTTP_OK, "OK", "ok");
    } else {
        char text[128];
        (void)snprintf(text, sizeof(text), "an event loop has not answered for %" PRIu64 " seconds",
                       silent_ms / 1000);
        send_text(admin, request, HTTP_SERVUNAVAIL, "Service Unavailable", text);
    }
}

static void send_readiness(struct sc_admin *admin, struct evhttp_request *request)
{
    const enum sc_metrics_state state = sc_metrics_source_state(admin->source);
    if (state == SC_METRICS_READY) {
        send_text(admin, request, HTTP_OK, "OK", "ready");
    } else {
        send_text(admin, request, HTTP_SERVUNAVAIL, "Service Unavailable",
                  sc_metrics_state_word(state));
    }
}

static void send_page(struct sc_admin *admin, struct evhttp_request *request)
{
    struct evbuffer *body = evbuffer_new();
    const bool is_whole =
        body && evbuffer_add_reference(body, admin->page.html, admin->page.length, NULL, NULL) == 0;
    send_body(admin, request, HTTP_OK, "OK", "text/html; charset=utf-8", body, is_whole);
}

static void send_status_json(struct sc_admin *admin, struct evhttp_request *request)
{
    send_written(admin, request, "application/json", write_status_json);
}

static void send_status_text(struct sc_admin *admin, struct evhttp_request *request)
{
    send_written(admin, request, "text/plain; charset=utf-8", write_status_text);
}

static const struct {
    const char *path;
    void (*send)(struct sc_admin *admin, struct evhttp_request *request);
} routes[] = {
    {"/", send_page},
    {"/metrics", send_metrics},
    {"/healthz", send_health},
    {"/readyz", send_readiness},
    {"/status.json", send_status_json},
    {"/status.txt", send_status_text},
};

/* --- Requests --- */

/* Only processes of this machine use a unix socket, and no browser does. */
static bool came_by_unix_socket(struct evhttp_request *request)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof(address);
    struct bufferevent *transport =
        evhttp_connection_get_bufferevent(evhttp_request_get_connection(request));
    return getsockname(bufferevent_getfd(transport), (struct sockaddr *)&address, &length) == 0 &&
           address.ss_family == AF_UNIX;
}

/* Every Host header, and that of an absolute URI. A request without any is not a browser's. */
static bool may_ask(const struct sc_admin *admin, struct evhttp_request *request)
{
    const char *authority = evhttp_uri_get_host(evhttp_request_get_evhttp_uri(request));
    const struct evkeyvalq *headers = evhttp_request_get_input_headers(request);
    const struct evkeyval *header;
    if (came_by_unix_socket(request)) {
        return true;
    }
    TAILQ_FOREACH(header, headers, next)
    {
        if (strcasecmp(header->key, "Host") == 0 &&
            !sc_admin_host_is_ours(header->value, admin->names, admin->name_count)) {
            return false;
        }
    }
    return !authority || sc_admin_host_is_ours(authority, admin->names, admin->name_count);
}

static void on_request(struct evhttp_request *request, void *arg)
{
    struct sc_admin *admin = arg;
    const enum evhttp_cmd_type command = evhttp_request_get_command(request);
    const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(request));
    if (!may_ask(admin, request)) {
        send_text(admin, request, 421, "Misdirected Request",
                  "the Host header is not an address, localhost, or a name of metrics-listen");
        return;
    }
    if (command != EVHTTP_REQ_GET && command != EVHTTP_REQ_HEAD) {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Allow", "GET, HEAD");
        send_text(admin, request, HTTP_BADMETHOD, "Method Not Allowed", "GET and HEAD only");
        return;
    }
    for (size_t i = 0; path && i < SC_COUNT_OF(routes); i++) {
        if (strcmp(path, routes[i].path) == 0) {
            routes[i].send(admin, request);
            return;
        }
    }
    send_text(admin, request, HTTP_NOTFOUND, "Not Found",
              "there are /, /metrics, /healthz, /readyz, /status.json and /status.txt");
}

/* --- The thread --- */

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    struct sc_admin *admin = arg;
    (void)fd;
    (void)what;
    sc_loop_health_ask(admin->health);
    sc_admin_connections_look(admin->connections);
    if (admin->ticks++ % TICKS_A_SECOND == 0) {
        struct sc_stats sum = {0};
        sc_metrics_source_sum(admin->source, &sum);
        sc_history_add(&admin->history, &sum, sc_clock_ns() / 1000000);
    }
}

static void on_end(struct sc_message *message, void *arg)
{
    struct sc_admin *admin = arg;
    (void)message;
    event_base_loopbreak(admin->base);
}

static void *run(void *arg)
{
    struct sc_admin *admin = arg;
    event_base_dispatch(admin->base);
    return NULL;
}

/* --- Creating and freeing --- */

static int start_http(struct sc_admin *admin, struct sc_err *err)
{
    const struct timeval period = sc_clock_timeval(TICK_MS);
    const struct timeval timeout = sc_clock_timeval(SC_ADMIN_CONNECTION_MS);
    admin->http = evhttp_new(admin->base);
    admin->tick = event_new(admin->base, -1, EV_PERSIST, on_tick, admin);
    if (!admin->http || !admin->tick || event_add(admin->tick, &period) != 0) {
        return sc_err_set(err, EX_OSERR, "can't serve metrics-listen: out of memory");
    }
    evhttp_set_max_headers_size(admin->http, MAX_HEADER_BYTES);
    evhttp_set_max_body_size(admin->http, MAX_BODY_BYTES);
    evhttp_set_timeout_tv(admin->http, &timeout);
    /* All that evhttp knows: those that we refuse get an answer of ours. */
    evhttp_set_allowed_methods(admin->http, UINT16_MAX);
    evhttp_set_gencb(admin->http, on_request, admin);
    admin->connections = sc_admin_connections_new(admin->base, admin->http, admin->listen, err);
    return admin->connections ? 0 : -1;
}

struct sc_admin *sc_admin_new(struct sc_listen *listen, const struct sc_address *names,
                              size_t name_count, struct sc_metrics_source *source,
                              struct sc_loop_health *health, struct sc_err *err)
{
    struct sc_admin *admin = calloc(1, sizeof(*admin));
    if (!admin) {
        sc_listen_close(listen);
        (void)sc_err_set(err, EX_OSERR, "can't serve metrics-listen: out of memory");
        return NULL;
    }
    admin->listen = listen;
    admin->names = names;
    admin->name_count = name_count;
    admin->source = source;
    admin->health = health;
    admin->base = sc_loop_new_base(err);
    if (!admin->base || sc_admin_page_init(&admin->page, err) != 0 ||
        !(admin->mailbox = sc_mailbox_new(admin->base, on_end, admin, err)) ||
        start_http(admin, err) != 0) {
        sc_admin_free(admin);
        return NULL;
    }
    const int failed_errno = sc_thread_start(&admin->thread, "admin", run, admin);
    if (failed_errno != 0) {
        (void)sc_err_set_errno(err, EX_OSERR, failed_errno,
                               "can't start the thread for metrics-listen");
        sc_admin_free(admin);
        return NULL;
    }
    admin->running = true;
    return admin;
}

const struct sc_listen *sc_admin_listen(const struct sc_admin *admin)
{
    return admin->listen;
}

void sc_admin_free(struct sc_admin *admin)
{
    if (!admin) {
        return;
    }
    if (admin->running) {
        sc_mailbox_post(admin->mailbox, &admin->end);
        (void)pthread_join(admin->thread, NULL);
    }
    if (admin->http) {
        evhttp_free(admin->http);
    }
    sc_admin_connections_free(admin->connections);
    sc_loop_free_event(admin->tick);
    sc_mailbox_free(admin->mailbox, NULL);
    if (admin->base) {
        event_base_loop(admin->base, EVLOOP_NONBLOCK); /* libevent frees them in an iteration */
        event_base_free(admin->base);
    }
    sc_admin_page_fini(&admin->page);
    sc_listen_close(admin->listen);
    free(admin);
}
