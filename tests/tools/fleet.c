/* SPDX-License-Identifier: MIT */
/*
 * Clients that come back after a server was restarted, over libspacecaptain:
 *
 *   fleet [--clients N] [--every MS] [--advice] ADDRESS PIN
 *
 * connects N clients, each of which sends an ECHO as soon as it can, and with --every one each MS
 * after that; prints "connected" when all have a reply. A client whose connection ends makes
 * another one, with its session: after 50 to 100 ms, twice that and so on up to 3 s while it fails,
 * and with --advice not before the time that the server asked for. What was not answered is sent
 * again.
 *
 *   SIGUSR1   a round, "begun: NUMBER": when each client has had a reply over a connection that was
 *             made since, a line "round NUMBER: ..." says after how many seconds, and how:
 *             handshakes, full and resumed; attempts that were refused, and that failed otherwise;
 *             requests that were sent again
 *   SIGTERM   the end; a line "total: ..." of all rounds, before it "not over: ..." when a round
 * was under way
 *
 * Exit status: 1 when a reply was wrong or an error cannot be temporary, else 0.
 */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <spacecaptain/client_libevent.h>

#include "base/backoff.h"
#include "base/clock.h"
#include "base/parse.h"

#define MAX_CLIENTS 20000U
#define CONNECTING 50U /* at a time, before all are connected */
#define TIMEOUT_MS 60000U

struct tally {
    uint64_t full, resumed, refused, failed, again;
};

struct one {
    struct fleet *fleet;
    struct sc_client *client;
    struct sc_client_libevent *driver;
    struct event *timer; /* the next attempt, or the next request */
    struct sc_backoff backoff;
    uint8_t *session;
    size_t session_bytes;
    uint32_t sent; /* body of the last request */
    unsigned connected_in; /* the round in which its connection was made */
    unsigned served_in;
    bool waits; /* for a reply */
};

struct fleet {
    struct event_base *base;
    struct sc_client_settings *settings;
    const char *address;
    struct one *ones;
    uint64_t count, started, every_ms;
    bool advice;
    unsigned round; /* 1 while they connect for the first time */
    bool in_round;
    uint64_t served, began_ns;
    struct tally tally, total;
    struct event *signals[2];
};

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "fleet: %s\n", what);
    exit(EXIT_FAILURE);
}

static void on_event(struct sc_client *client, const struct sc_client_event *event, void *arg);

static void set_timer(struct one *one, uint64_t ms)
{
    const struct timeval delay = sc_clock_timeval(ms);
    (void)event_add(one->timer, &delay);
}

static void connect_one(struct one *one)
{
    struct fleet *fleet = one->fleet;
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    one->connected_in = fleet->round;
    if (sc_client_settings_set_session(fleet->settings, one->session, one->session_bytes, &error) !=
            0 ||
        !(one->client = sc_client_start(fleet->settings, fleet->address, &error))) {
        die(error.text);
    }
    one->driver = sc_client_libevent_new(fleet->base, one->client, on_event, one);
    if (!one->driver) {
        die("out of memory");
    }
}

static void print_tally(const char *what, const struct tally *tally)
{
    printf("%s full=%llu resumed=%llu refused=%llu failed=%llu again=%llu\n", what,
           (unsigned long long)tally->full, (unsigned long long)tally->resumed,
           (unsigned long long)tally->refused, (unsigned long long)tally->failed,
           (unsigned long long)tally->again);
    (void)fflush(stdout);
}

static void end_round(struct fleet *fleet)
{
    char text[96];
    const double seconds = (double)(sc_clock_ns() - fleet->began_ns) / 1e9;
    fleet->in_round = false;
    if (fleet->round == 1) {
        (void)snprintf(text, sizeof(text), "connected: seconds=%.3f", seconds);
        print_tally(text, &fleet->tally);
        return;
    }
    (void)snprintf(text, sizeof(text), "round %u: seconds=%.3f", fleet->round - 1, seconds);
    print_tally(text, &fleet->tally);
    fleet->total.full += fleet->tally.full;
    fleet->total.resumed += fleet->tally.resumed;
    fleet->total.refused += fleet->tally.refused;
    fleet->total.failed += fleet->tally.failed;
    fleet->total.again += fleet->tally.again;
}

static void begin_round(struct fleet *fleet)
{
    fleet->round++;
    fleet->in_round = true;
    fleet->served = 0;
    fleet->began_ns = sc_clock_ns();
    fleet->tally = (struct tally){0};
}

static void send_one(struct one *one)
{
    one->sent++;
    one->waits = true;
    if (sc_client_send(one->client, SC_CLIENT_ECHO, &one->sent, sizeof(one->sent), NULL) < 0) {
        die("a request was not taken");
    }
}

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct one *one = arg;
    (void)fd;
    (void)what;
    if (!one->client) {
        connect_one(one);
    } else if (!one->waits) {
        send_one(one);
        (void)sc_client_libevent_update(one->driver);
    }
}

static void start_next(struct fleet *fleet)
{
    if (fleet->started < fleet->count) {
        connect_one(&fleet->ones[fleet->started++]);
    }
}

static void on_ready(struct one *one)
{
    struct sc_client_info info = SC_CLIENT_INFO_INIT;
    if (sc_client_info(one->client, &info) != 0) {
        die("no information about a connection");
    }
    one->fleet->tally.resumed += info.resumed ? 1 : 0;
    one->fleet->tally.full += info.resumed ? 0 : 1;
    one->sent -= one->waits ? 1 : 0; /* again */
    send_one(one);
}

/* Servers send sessions after the handshake: by the first reply it is there. */
static void keep_session(struct one *one)
{
    const size_t room = sc_client_session(one->client, NULL, 0);
    if (room > 0) {
        free(one->session);
        one->session = malloc(room);
        one->session_bytes = one->session ? sc_client_session(one->client, one->session, room) : 0;
    }
}

static void on_reply(struct one *one, const struct sc_client_reply *reply)
{
    struct fleet *fleet = one->fleet;
    if (reply->error_code == SC_CLIENT_ERROR_GOING_AWAY) {
        return;
    }
    if (reply->error_code != 0 || reply->length != sizeof(one->sent) ||
        memcmp(reply->body, &one->sent, sizeof(one->sent)) != 0) {
        die("a wrong reply");
    }
    one->waits = false;
    sc_backoff_reset(&one->backoff);
    if (one->served_in != one->connected_in) {
        keep_session(one);
    }
    if (fleet->in_round && one->connected_in == fleet->round && one->served_in != fleet->round) {
        one->served_in = fleet->round;
        start_next(fleet);
        if (++fleet->served == fleet->count) {
            end_round(fleet);
        }
    }
    if (fleet->every_ms > 0) {
        set_timer(one, fleet->every_ms);
    }
}

static void on_end(struct one *one, const struct sc_client_event *event)
{
    struct fleet *fleet = one->fleet;
    const struct sc_client_error *error = event->error;
    const bool was_ready = one->served_in == one->connected_in || one->waits;
    if (error->code != SC_CLIENT_OK && !error->temporary && error->code != SC_CLIENT_REFUSED) {
        die(error->text);
    }
    if (strstr(error->text, "refused")) {
        fleet->tally.refused++;
    } else if (!was_ready) {
        fleet->tally.failed++;
    }
    fleet->tally.again += event->unanswered;
    uint64_t wait_ms = sc_backoff_next_ms(&one->backoff, 0);
    if (fleet->advice && error->retry_after_ms > wait_ms) {
        wait_ms = error->retry_after_ms;
    }
    sc_client_libevent_free(one->driver);
    sc_client_free(one->client);
    one->driver = NULL;
    one->client = NULL;
    set_timer(one, wait_ms);
}

static void on_event(struct sc_client *client, const struct sc_client_event *event, void *arg)
{
    (void)client;
    switch (event->type) {
    case SC_CLIENT_EVENT_READY: on_ready(arg); break;
    case SC_CLIENT_EVENT_REPLY: on_reply(arg, event->reply); break;
    case SC_CLIENT_EVENT_END: on_end(arg, event); break;
    default: break;
    }
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct fleet *fleet = arg;
    (void)what;
    if (number == SIGUSR1) {
        begin_round(fleet);
        printf("begun: %u\n", fleet->round - 1);
        (void)fflush(stdout);
    } else {
        if (fleet->in_round) {
            printf("not over: %llu of %llu have been served\n", (unsigned long long)fleet->served,
                   (unsigned long long)fleet->count);
        }
        print_tally("total:", &fleet->total);
        (void)event_base_loopbreak(fleet->base);
    }
}

static struct event *watch(struct fleet *fleet, int number)
{
    struct event *event = evsignal_new(fleet->base, number, on_signal, fleet);
    if (!event || event_add(event, NULL) != 0) {
        die("out of memory");
    }
    return event;
}

static void start(struct fleet *fleet, const char *pin)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    fleet->base = event_base_new();
    fleet->ones = calloc(fleet->count, sizeof(*fleet->ones));
    fleet->settings = sc_client_settings_new(NULL, &error);
    if (!fleet->base || !fleet->ones || !fleet->settings ||
        sc_client_settings_add_pin(fleet->settings, pin, &error) != 0 ||
        sc_client_settings_set_timeout(fleet->settings, TIMEOUT_MS, &error) != 0) {
        die(error.text);
    }
    for (size_t i = 0; i < fleet->count; i++) {
        fleet->ones[i].fleet = fleet;
        fleet->ones[i].timer = evtimer_new(fleet->base, on_timer, &fleet->ones[i]);
    }
    fleet->signals[0] = watch(fleet, SIGUSR1);
    fleet->signals[1] = watch(fleet, SIGTERM);
    begin_round(fleet);
    for (unsigned i = 0; i < CONNECTING; i++) {
        start_next(fleet);
    }
}

static void finish(struct fleet *fleet)
{
    for (size_t i = 0; i < fleet->count; i++) {
        sc_client_libevent_free(fleet->ones[i].driver);
        sc_client_free(fleet->ones[i].client);
        event_free(fleet->ones[i].timer);
        free(fleet->ones[i].session);
    }
    event_free(fleet->signals[0]);
    event_free(fleet->signals[1]);
    free(fleet->ones);
    sc_client_settings_free(fleet->settings);
    event_base_free(fleet->base);
}

static uint64_t number(const char *text, uint64_t max)
{
    uint64_t value;
    if (sc_parse_u64(text, 1, max, &value, NULL) != 0) {
        die("a wrong number");
    }
    return value;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {{"clients", required_argument, NULL, 'c'},
                                            {"every", required_argument, NULL, 'e'},
                                            {"advice", no_argument, NULL, 'a'},
                                            {NULL, 0, NULL, 0}};
    struct fleet fleet = {.count = 1};
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c': fleet.count = number(optarg, MAX_CLIENTS); break;
        case 'e': fleet.every_ms = number(optarg, 60000); break;
        case 'a': fleet.advice = true; break;
        default: return EX_USAGE;
        }
    }
    if (argc - optind != 2) {
        return EX_USAGE;
    }
    fleet.address = argv[optind];
    start(&fleet, argv[optind + 1]);
    (void)event_base_dispatch(fleet.base);
    finish(&fleet);
    return 0;
}
