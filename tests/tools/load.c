/* SPDX-License-Identifier: MIT */
/*
 * Load on a server while a test reloads or stops it: many clients, half of them with TLS 1.2, each
 * with up to 32 requests of every kind and size in flight; each reply is checked.
 *
 * A client pauses between its batches of requests; a round and the end are begun with one of each.
 *
 *   load [--clients N] [--reconnect-every N] --server-pid PID ADDRESS
 *
 *   SIGUSR1   a round: every N-th client reconnects with its session as soon as all its requests
 *             are answered, every other one gets at least one reply; then a line "round NUMBER:
 *             ..." is printed
 *   SIGUSR2   the server gets SIGTERM. What had arrived there must be answered, then ERROR 3 and
 *             close_notify must come. Every other client goes on sending until then.
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
#include "load_client.h"
#include "test_factor.h"

#define MAX_CLIENTS 2000U
#define STALLED_NS (UINT64_C(20) * 1000000000U)
#define TOTAL_S 300U
#define LOOK_EVERY_MS 20 /* whether the pause of a client is over */

struct load {
    struct load_client clients[MAX_CLIENTS];
    struct pollfd polled[MAX_CLIENTS + 1]; /* the last: signals */
    struct load_tally tally, before; /* before: at the start of the round */
    uint64_t count, reconnect_every, server_pid;
    unsigned rounds;
    bool in_round, stopping;
};

static bool reconnects(const struct load *load, size_t index)
{
    return load->reconnect_every > 0 && index % load->reconnect_every == 0;
}

static void begin_round(struct load *load)
{
    load->in_round = true;
    load->before = load->tally;
    for (size_t i = 0; i < load->count; i++) {
        load->clients[i].has_progressed = false;
        load->clients[i].due_ns = 0;
        load->clients[i].reconnects = reconnects(load, i);
    }
}

static void end_round(struct load *load)
{
    for (size_t i = 0; i < load->count; i++) {
        if (load->clients[i].reconnects || !load->clients[i].has_progressed) {
            return;
        }
    }
    load->in_round = false;
    printf("round %u: %llu replies, %llu clients reconnected, %llu of them resumed\n",
           ++load->rounds, (unsigned long long)(load->tally.replies - load->before.replies),
           (unsigned long long)(load->tally.reconnected - load->before.reconnected),
           (unsigned long long)(load->tally.resumed - load->before.resumed));
    fflush(stdout);
}

static void stop_server(struct load *load)
{
    load->stopping = true;
    for (size_t i = 0; i < load->count; i++) {
        load->clients[i].due_ns = 0;
        if (load->clients[i].open) {
            load_client_run(&load->clients[i]);
        }
    }
    for (size_t i = 0; i < load->count; i++) {
        load_client_expect_end(&load->clients[i]);
        load->clients[i].silent = i % 2 == 0;
        load->clients[i].reconnects = false;
    }
    if (kill((pid_t)load->server_pid, SIGTERM) != 0) {
        peer_fail("cannot signal the server: %s", strerror(errno));
    }
}

static void take_signal(struct load *load, int signals)
{
    struct signalfd_siginfo info;
    if (read(signals, &info, sizeof(info)) != (ssize_t)sizeof(info)) {
        peer_fail("signalfd: %s", strerror(errno));
    }
    if (info.ssi_signo == SIGUSR1) {
        begin_round(load);
    } else if (!load->stopping) {
        stop_server(load);
    }
}

/* Each client that waits for a reply gets one in time. */
static void check_stalls(const struct load *load)
{
    const uint64_t now = sc_clock_ns();
    for (size_t i = 0; i < load->count; i++) {
        const struct load_client *client = &load->clients[i];
        if (client->open && (client->count > 0 || client->stopping) &&
            now > client->replied_ns + STALLED_NS) {
            peer_fail("client %zu has waited for a reply for %llu s, %u requests are unanswered", i,
                      (unsigned long long)(STALLED_NS / 1000000000U), client->count);
        }
    }
}

/* One pass over all clients; returns how many are still connected. */
static size_t run_once(struct load *load, int signals)
{
    size_t open = 0;
    for (size_t i = 0; i < load->count; i++) {
        const struct load_client *client = &load->clients[i];
        const short events = (short)(POLLIN | (load_client_wants_to_write(client) ? POLLOUT : 0));
        load->polled[i] =
            (struct pollfd){.fd = client->open ? client->peer.fd : -1, .events = events};
    }
    load->polled[load->count] = (struct pollfd){.fd = signals, .events = POLLIN};
    if (poll(load->polled, load->count + 1, LOOK_EVERY_MS) < 0 && errno != EINTR) {
        peer_fail("poll: %s", strerror(errno));
    }
    for (size_t i = 0; i < load->count; i++) {
        struct load_client *client = &load->clients[i];
        if (client->open && (load->polled[i].revents != 0 || SSL_pending(client->peer.ssl) > 0 ||
                             client->reconnects || load_client_is_due(client))) {
            load_client_run(client);
        }
        open += client->open;
    }
    if (load->polled[load->count].revents != 0) {
        take_signal(load, signals);
    }
    check_stalls(load);
    if (load->in_round) {
        end_round(load);
    }
    return open;
}

static int report(const struct load *load)
{
    const struct load_tally *tally = &load->tally;
    const bool right = tally->lost + tally->doubled + tally->wrong == 0 &&
                       tally->goodbyes == load->count && tally->clean_ends == load->count &&
                       tally->resumed == tally->reconnected && tally->arrived > 0;
    printf("%llu clients, %llu replies with %llu bytes: %llu lost, %llu doubled, %llu wrong\n",
           (unsigned long long)load->count, (unsigned long long)tally->replies,
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

static bool parse(int argc, char **argv, struct load *load)
{
    static const struct option options[] = {
        {"clients", required_argument, NULL, 'c'},
        {"reconnect-every", required_argument, NULL, 'r'},
        {"server-pid", required_argument, NULL, 'p'},
        {NULL, 0, NULL, 0},
    };
    struct sc_err err;
    int option;
    load->count = 200;
    load->reconnect_every = 4;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        uint64_t *number = option == 'c'   ? &load->count
                           : option == 'r' ? &load->reconnect_every
                           : option == 'p' ? &load->server_pid
                                           : NULL;
        if (!number ||
            sc_parse_u64(optarg, 1, option == 'p' ? INT32_MAX : MAX_CLIENTS, number, &err) != 0) {
            return false;
        }
    }
    return optind + 1 == argc && load->server_pid > 0 &&
           sc_parse_address(argv[optind], NULL, &peer_settings.address, &err) == 0;
}

int main(int argc, char **argv)
{
    struct load *load = calloc(1, sizeof(*load));
    if (!load || !parse(argc, argv, load)) {
        fputs("usage: load [--clients N] [--reconnect-every N] --server-pid PID ADDRESS\n", stderr);
        free(load);
        return EX_USAGE;
    }
    alarm((unsigned)(TOTAL_S * test_factor()));
    peer_settings.mode = "load";
    peer_settings.deadline_ms = 20000;
    SSL_CTX *contexts[2] = {load_context(true), load_context(false)};
    const int signals = watch_signals();
    for (size_t i = 0; i < load->count; i++) {
        load_client_init(&load->clients[i], (unsigned)i, contexts[i / 4 % 2], &load->tally);
        load_client_run(&load->clients[i]);
    }
    puts("connected");
    fflush(stdout);
    while (run_once(load, signals) > 0) {
    }
    const int status = report(load);
    for (size_t i = 0; i < load->count; i++) {
        load_client_fini(&load->clients[i]);
    }
    close(signals);
    SSL_CTX_free(contexts[0]);
    SSL_CTX_free(contexts[1]);
    free(load);
    return status;
}
