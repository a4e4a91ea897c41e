/*
 * A crowd of clients that never stops asking, for tests of what happens to a running server: half
 * of them speak TLS 1.2, each has up to 32 requests of every kind and size under way, and each
 * reply is checked.
 *
 *   storm [--clients N] [--reconnect-every N] --server-pid PID ADDRESS
 *
 *   SIGUSR1   a round: every N-th client reconnects with its session as soon as nothing is
 *             unanswered, and every other gets at least one
 *             reply; then a line "round NUMBER: ..." is printed
 *   SIGUSR2   the server gets SIGTERM. What had arrived there must be answered, then ERROR 3 and
 *             close_notify must come. Every other client
 *             goes on sending until then.
 *
 * Exit status: 0 when all was right, else 1, and a line for everything that was not.
 */
#include "config.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "storm_client.h"

#define MAX_CLIENTS 2000U
#define STALLED_NS (UINT64_C(20) * 1000000000U)
#define TOTAL_S 300U

struct storm {
    struct storm_client clients[MAX_CLIENTS];
    struct pollfd polled[MAX_CLIENTS + 1]; /* the last: signals */
    struct storm_tally tally, before; /* before: at the begin of the round */
    uint64_t count, reconnect_every, server_pid;
    unsigned rounds;
    bool in_round, stopping;
};

static bool reconnects(const struct storm *storm, size_t index)
{
    return storm->reconnect_every > 0 && index % storm->reconnect_every == 0;
}

static void begin_round(struct storm *storm)
{
    storm->in_round = true;
    storm->before = storm->tally;
    for (size_t i = 0; i < storm->count; i++) {
        storm->clients[i].has_come_on = false;
        storm->clients[i].reconnects = reconnects(storm, i);
    }
}

static void end_round(struct storm *storm)
{
    for (size_t i = 0; i < storm->count; i++) {
        if (storm->clients[i].reconnects || !storm->clients[i].has_come_on) {
            return;
        }
    }
    storm->in_round = false;
    printf("round %u: %llu replies, %llu clients reconnected, %llu of them resumed\n",
           ++storm->rounds, (unsigned long long)(storm->tally.replies - storm->before.replies),
           (unsigned long long)(storm->tally.reconnected - storm->before.reconnected),
           (unsigned long long)(storm->tally.resumed - storm->before.resumed));
    fflush(stdout);
}

static void stop_server(struct storm *storm)
{
    storm->stopping = true;
    for (size_t i = 0; i < storm->count; i++) {
        storm_client_expect_end(&storm->clients[i]);
        storm->clients[i].silent = i % 2 == 0;
        storm->clients[i].reconnects = false;
    }
    if (kill((pid_t)storm->server_pid, SIGTERM) != 0) {
        peer_fail("cannot signal the server: %s", strerror(errno));
    }
}

static void take_signal(struct storm *storm, int signals)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        peer_fail("signalfd: %s", strerror(errno));
    }
    if (info.ssi_signo == SIGUSR1) {
        begin_round(storm);
    } else if (!storm->stopping) {
        stop_server(storm);
    }
}

/* Whoever waits for a reply gets one in time. */
static void look_for_stalls(const struct storm *storm)
{
    const uint64_t now = sc_clock_ns();
    for (size_t i = 0; i < storm->count; i++) {
        const struct storm_client *client = &storm->clients[i];
        if (client->open && (client->count > 0 || client->stopping) &&
            now > client->replied_ns + STALLED_NS) {
            peer_fail("client %zu has waited for a reply for %llu s, %u requests are unanswered", i,
                      (unsigned long long)(STALLED_NS / 1000000000U), client->count);
        }
    }
}

/* One turn for all; the number of those that are still connected. */
static size_t turn(struct storm *storm, int signals)
{
    size_t open = 0;
    for (size_t i = 0; i < storm->count; i++) {
        const struct storm_client *client = &storm->clients[i];
        const short events = (short)(POLLIN | (storm_client_wants_to_write(client) ? POLLOUT : 0));
        storm->polled[i] =
            (struct pollfd){.fd = client->open ? client->peer.fd : -1, .events = events};
    }
    storm->polled[storm->count] = (struct pollfd){.fd = signals, .events = POLLIN};
    if (poll(storm->polled, storm->count + 1, 1000) < 0 && errno != EINTR) {
        peer_fail("poll: %s", strerror(errno));
    }
    for (size_t i = 0; i < storm->count; i++) {
        struct storm_client *client = &storm->clients[i];
        if (client->open && (storm->polled[i].revents != 0 || SSL_pending(client->peer.ssl) > 0 ||
                             client->reconnects)) {
            storm_client_turn(client);
        }
        open += client->open;
    }
    if (storm->polled[storm->count].revents != 0) {
        take_signal(storm, signals);
    }
    look_for_stalls(storm);
    if (storm->in_round) {
        end_round(storm);
    }
    return open;
}

static int report(const struct storm *storm)
{
    const struct storm_tally *tally = &storm->tally;
    const bool right = tally->lost + tally->doubled + tally->wrong == 0 &&
                       tally->goodbyes == storm->count && tally->clean_ends == storm->count &&
                       tally->resumed == tally->reconnected && tally->arrived > 0;
    printf("%llu clients, %llu replies with %llu bytes: %llu lost, %llu doubled, %llu wrong\n",
           (unsigned long long)storm->count, (unsigned long long)tally->replies,
           (unsigned long long)tally->reply_bytes, (unsigned long long)tally->lost,
           (unsigned long long)tally->doubled, (unsigned long long)tally->wrong);
    printf("%llu reconnected, %llu of them resumed\n", (unsigned long long)tally->reconnected,
           (unsigned long long)tally->resumed);
    printf("the end: %llu requests had arrived unanswered, %llu came too late; %llu ERROR 3, %llu "
           "close_notify, retry after %u to %u ms\n",
           (unsigned long long)tally->arrived, (unsigned long long)tally->too_late,
           (unsigned long long)tally->goodbyes, (unsigned long long)tally->clean_ends,
           tally->soonest_ms, tally->latest_ms);
    return right ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int watch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC);
}

static bool parse(int argc, char **argv, struct storm *storm)
{
    static const struct option options[] = {
        {"clients", required_argument, NULL, 'c'},
        {"reconnect-every", required_argument, NULL, 'r'},
        {"server-pid", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    struct sc_err err;
    int option;
    storm->count = 200;
    storm->reconnect_every = 4;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t *number = option == 'c'   ? &storm->count
                           : option == 'r' ? &storm->reconnect_every
                           : option == 'p' ? &storm->server_pid
                                           : NULL;
        if (!number ||
            sc_parse_u64(optarg, 1, option == 'p' ? INT32_MAX : MAX_CLIENTS, number, &err) != 0) {
            return false;
        }
    }
    return optind + 1 == argc && storm->server_pid > 0 &&
           sc_parse_address(argv[optind], NULL, &peer_settings.address, &err) == 0;
}

int main(int argc, char **argv)
{
    struct storm *storm = calloc(1, sizeof(*storm));
    if (!storm || !parse(argc, argv, storm)) {
        fputs("usage: storm [--clients N] [--reconnect-every N] --server-pid PID ADDRESS\n",
              stderr);
        free(storm);
        return EX_USAGE;
    }
    alarm(TOTAL_S);
    peer_settings.mode = "storm";
    peer_settings.deadline_ms = 20000;
    SSL_CTX *contexts[2] = {storm_context(true), storm_context(false)};
    const int signals = watch_signals();
    for (size_t i = 0; i < storm->count; i++) {
        storm_client_init(&storm->clients[i], (unsigned)i, contexts[i / 4 % 2], &storm->tally);
        storm_client_turn(&storm->clients[i]);
    }
    puts("connected");
    fflush(stdout);
    while (turn(storm, signals) > 0) {
    }
    const int status = report(storm);
    for (size_t i = 0; i < storm->count; i++) {
        storm_client_fini(&storm->clients[i]);
    }
    close(signals);
    SSL_CTX_free(contexts[0]);
    SSL_CTX_free(contexts[1]);
    free(storm);
    return status;
}
