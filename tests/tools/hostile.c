/* SPDX-License-Identifier: MIT */
/*
 * Hostile and odd peers, for the end-to-end tests. Each mode checks what a peer may rely on
 * (docs/protocol.md), prints one line that says what it saw, and exits 0 when that was right, 1
 * when not. Nothing waits for ever: alarm(2) ends the process in any case.
 */
#include "config.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "modes.h"
#include "peer.h"
#include "proto/frame.h"
#include "test_factor.h"

static const struct {
    const char *name;
    void (*run)(const struct mode_options *options);
    const char *what;
} modes[] = {
    {"silent", mode_silent, "connects and says nothing"},
    {"drip-hello", mode_drip_hello, "one byte of a ClientHello every --interval-ms"},
    {"plain", mode_plain, "speaks no TLS (--how TEXT)"},
    {"reset", mode_reset,
     "TCP resets (--how connect, hello, handshake, frame, reply; all unless given), --count times"},
    {"refused", mode_refused, "is closed before any TLS, within --at-most-ms"},
    {"split", mode_split, "many requests in records of --piece bytes (0: of changing sizes)"},
    {"half-close", mode_half_close,
     "--count requests of up to --bytes, and its end at once (--how close-notify, shutdown)"},
    {"truncate", mode_truncate, "ends after --bytes of a frame (--how close-notify, shutdown)"},
    {"too-large", mode_too_large,
     "announces a body of --bytes (--how unknown-type), sends --piece bytes of it"},
    {"alpn", mode_alpn, "offers other protocols"},
    {"key-update", mode_key_update,
     "--count key updates (--expect-end: the last of them is too many)"},
    {"split-message", mode_split_message,
     "a part of a KeyUpdate, then --bytes of data, which must not be taken"},
    {"early-data", mode_early_data,
     "--bytes of early data are skipped (--how foreign: the ticket is of another server; "
     "--expect-end: they are too many)"},
    {"record-flood", mode_record_flood,
     "--count records: a request in pieces of a byte (--how empty: with empty ones between), or "
     "KeyUpdates (--how key-update), which must be ended"},
    {"replay", mode_replay,
     "one ClientHello (--how: client_hello.h) again and again for --give-up-ms, --count at once"},
    {"resume", mode_resume,
     "whole handshakes with one session (--how: client_hello.h), one after the other for "
     "--give-up-ms"},
    {"hello-reset", mode_hello_reset,
     "a ClientHello and a reset every --interval-ms, for --give-up-ms"},
    {"long-hello", mode_long_hello, "announces a ClientHello of --bytes, and is refused"},
    {"split-hello", mode_split_hello,
     "a ClientHello in records of --piece bytes (--expect-end: is refused)"},
    {"hold", mode_hold,
     "--count connections that stay in a state until --go-file (--how silent, "
     "part-of-proxy-header, "
     "part-of-hello, hello, idle, pins, frame, replies, renegotiation)"},
    {"drip-frame", mode_drip_frame, "one byte of a frame every --interval-ms"},
    {"idle", mode_idle, "is served, then says nothing"},
    {"never-read", mode_never_read,
     "sends requests and reads nothing; fails if --bytes of them are taken"},
    {"slow-read", mode_slow_read,
     "sends requests as fast as they are taken, and reads --piece bytes every --interval-ms"},
    {"many", mode_many,
     "--count right clients at once, --piece rounds of requests; none waits longer than "
     "--at-most-ms for a reply"},
    {"drain", mode_drain,
     "--count clients with --piece requests of up to --bytes each, which the server then leaves"},
};

static void usage(FILE *to)
{
    fputs("usage: hostile [--peers N] [--deadline-ms N] [--tls12] [--source ADDRESS] [OPTION]... "
          "MODE "
          "ADDRESS\n",
          to);
    for (size_t i = 0; i < SC_COUNT_OF(modes); i++) {
        fprintf(to, "  %-12s %s\n", modes[i].name, modes[i].what);
    }
}

enum {
    OPTION_NUMBER = 256,
    OPTION_HOW,
    OPTION_READY,
    OPTION_GO,
    OPTION_TLS12,
    OPTION_EXPECT_END,
    OPTION_SOURCE
};

struct arguments {
    struct mode_options options;
    uint64_t peers, deadline_ms;
    bool tls12;
};

static uint64_t *number_of(struct arguments *arguments, const char *name)
{
    const struct {
        const char *name;
        uint64_t *number;
    } numbers[] = {
        {"peers", &arguments->peers},
        {"deadline-ms", &arguments->deadline_ms},
        {"at-least-ms", &arguments->options.at_least_ms},
        {"at-most-ms", &arguments->options.at_most_ms},
        {"give-up-ms", &arguments->options.give_up_ms},
        {"interval-ms", &arguments->options.interval_ms},
        {"bytes", &arguments->options.bytes},
        {"count", &arguments->options.count},
        {"piece", &arguments->options.piece},
        {"max-body", &arguments->options.max_body},
    };
    for (size_t i = 0; i < SC_COUNT_OF(numbers); i++) {
        if (strcmp(numbers[i].name, name) == 0) {
            return numbers[i].number;
        }
    }
    return NULL;
}

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
    static const struct option options[] = {
        {"peers", required_argument, NULL, OPTION_NUMBER},
        {"deadline-ms", required_argument, NULL, OPTION_NUMBER},
        {"at-least-ms", required_argument, NULL, OPTION_NUMBER},
        {"at-most-ms", required_argument, NULL, OPTION_NUMBER},
        {"give-up-ms", required_argument, NULL, OPTION_NUMBER},
        {"interval-ms", required_argument, NULL, OPTION_NUMBER},
        {"bytes", required_argument, NULL, OPTION_NUMBER},
        {"count", required_argument, NULL, OPTION_NUMBER},
        {"piece", required_argument, NULL, OPTION_NUMBER},
        {"max-body", required_argument, NULL, OPTION_NUMBER},
        {"how", required_argument, NULL, OPTION_HOW},
        {"ready-file", required_argument, NULL, OPTION_READY},
        {"go-file", required_argument, NULL, OPTION_GO},
        {"tls12", no_argument, NULL, OPTION_TLS12},
        {"expect-end", no_argument, NULL, OPTION_EXPECT_END},
        {"source", required_argument, NULL, OPTION_SOURCE},
        {NULL, 0, NULL, 0},
    };
    struct sc_err err;
    int index = 0;
    for (int option; (option = getopt_long(argc, argv, "", options, &index)) != -1;) {
        switch (option) {
        case OPTION_NUMBER:
            if (sc_parse_u64(optarg, 0, UINT32_MAX, number_of(arguments, options[index].name),
                             &err) != 0) {
                fprintf(stderr, "hostile: --%s: %s\n", options[index].name, err.text);
                return false;
            }
            break;
        case OPTION_HOW: arguments->options.how = optarg; break;
        case OPTION_READY: arguments->options.ready_file = optarg; break;
        case OPTION_GO: arguments->options.go_file = optarg; break;
        case OPTION_TLS12: arguments->tls12 = true; break;
        case OPTION_SOURCE: peer_settings.source = optarg; break;
        case OPTION_EXPECT_END: arguments->options.expect_end = true; break;
        default: return false;
        }
    }
    if (argc - optind != 2 ||
        sc_parse_address(argv[optind + 1], NULL, &peer_settings.address, &err) != 0) {
        return false;
    }
    peer_settings.mode = argv[optind];
    peer_settings.deadline_ms = arguments->deadline_ms;
    return true;
}

/* Each in a process of its own. Only failures print more than the summary. */
static int run_peers(size_t mode, const struct arguments *arguments)
{
    uint64_t failed = 0;
    for (uint64_t i = 0; i < arguments->peers; i++) {
        const pid_t child = fork();
        if (child < 0) {
            peer_fail("can't fork");
        }
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGTERM);
            if (!freopen("/dev/null", "w", stdout)) {
                exit(EX_OSERR);
            }
            alarm((unsigned)(arguments->deadline_ms / 1000 + 5));
            modes[mode].run(&arguments->options);
            exit(EXIT_SUCCESS);
        }
    }
    for (int status; wait(&status) > 0;) {
        failed += !WIFEXITED(status) || WEXITSTATUS(status) != EXIT_SUCCESS;
    }
    printf("%s: %llu peers, %llu of them saw something wrong\n", modes[mode].name,
           (unsigned long long)arguments->peers, (unsigned long long)failed);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static const unsigned char alpn[] = "\x0f" SC_PROTOCOL_ALPN;
    struct arguments arguments = {
        .options = {.interval_ms = 1000, .count = 1, .piece = 1, .bytes = 1, .max_body = 65536},
        .peers = 1,
        .deadline_ms = 20000 * test_factor(),
    };
    if (!read_arguments(argc, argv, &arguments)) {
        usage(stderr);
        return EX_USAGE;
    }
    signal(SIGPIPE, SIG_IGN);
    peer_settings.context = peer_context(arguments.tls12, alpn, sizeof(alpn) - 1);
    for (size_t i = 0; i < SC_COUNT_OF(modes); i++) {
        if (strcmp(modes[i].name, peer_settings.mode) == 0) {
            if (arguments.peers > 1) {
                return run_peers(i, &arguments);
            }
            alarm((unsigned)(arguments.deadline_ms / 1000 * 2 + 5));
            modes[i].run(&arguments.options);
            SSL_CTX_free(peer_settings.context);
            return EXIT_SUCCESS;
        }
    }
    usage(stderr);
    return EX_USAGE;
}
