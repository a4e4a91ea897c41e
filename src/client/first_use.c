/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/first_use.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/escape.h"
#include "client/output.h"
#include "tls/pin.h"

#define ANSWERS 3 /* that are not understood, before it is given up */
#define ANSWER_BYTES 256

/* The server's key, as it has shown it. */
struct key {
    uint8_t pin[SC_PIN_BYTES];
    uint8_t fingerprint[SC_PIN_BYTES]; /* of its certificate */
    struct sc_pin_formats as;
};

void sc_first_use_refuse(const struct sc_cli_options *options, const struct sc_session_end *end,
                         struct sc_err *err)
{
    char store[SC_CLI_STORE_OPTION_BYTES];
    sc_cli_store_option(options, store);
    (void)sc_err_set(
        err, end->err.status,
        "%.400s; on a terminal 'sc-client --connect %.200s%.200s --tofu=ask' shows its "
        "key, and stores it when you say so",
        end->err.text, options->target, store);
}

/* The first line is the pin of the key, the second that of the certificate. */
static bool read_key(const struct sc_pin_mismatch *shown, struct key *key)
{
    char line[sizeof(shown->got)];
    struct sc_pin_set *set = sc_pin_set_new();
    const char *second = strchr(shown->got, '\n');
    const size_t length = second ? (size_t)(second - shown->got) : 0;
    memcpy(line, shown->got, length);
    line[length] = '\0';
    bool good = set && second && sc_pin_from_text(line, key->pin) == 0;
    good = good && sc_pin_set_add(set, second + 1, NULL) == 0 &&
           sc_pin_set_fingerprint(set, key->fingerprint);
    sc_pin_set_free(set);
    if (good) {
        sc_pin_format(key->pin, key->fingerprint, &key->as);
    }
    return good;
}

static void show(int terminal, const struct sc_cli_options *options,
                 const struct sc_session_end *end, const struct key *key)
{
    char server[300];
    (void)sc_escape_line(server, sizeof(server), options->target, strlen(options->target));
    (void)dprintf(terminal,
                  "%s is not known. Its key is %s:\n"
                  "  %s\n  %s\n  %s\n  %s\n  %s\n"
                  "Compare it with what 'sc-keygen --show' prints on the server: if it differs, "
                  "this may be a\nman-in-the-middle attack.\n",
                  server, end->key_type, key->as.curl, key->as.rfc7469, key->as.ssh, key->as.dane,
                  key->as.cert_sha256);
}

/* A line as it was typed, without its newline. False: there is none. */
static bool read_answer(int terminal, char out[ANSWER_BYTES])
{
    size_t length = 0;
    char c = '\0';
    while (c != '\n') {
        const ssize_t got = read(terminal, &c, 1);
        if (got == 0 || (got < 0 && errno != EINTR)) {
            return false;
        }
        if (got == 1 && c != '\n' && length < ANSWER_BYTES - 1) {
            out[length++] = c;
        }
    }
    while (length > 0 && (out[length - 1] == ' ' || out[length - 1] == '\r')) {
        length--;
    }
    out[length] = '\0';
    return true;
}

enum answer { NOT_ONE, YES, NO, SAME_PIN, OTHER_PIN };

static enum answer parse_answer(const char *text, const struct key *key)
{
    enum answer answer = NOT_ONE;
    if (strcmp(text, "yes") == 0) {
        return YES;
    }
    if (strcmp(text, "no") == 0) {
        return NO;
    }
    struct sc_pin_set *set = sc_pin_set_new();
    /* Text alone: a file of that name is not read. */
    if (set && *text && !sc_pin_path(text) && sc_pin_set_add(set, text, NULL) == 0) {
        answer = sc_pin_set_has(set, key->pin, key->fingerprint) ? SAME_PIN : OTHER_PIN;
    }
    sc_pin_set_free(set);
    return answer;
}

static enum answer ask(int terminal, const struct key *key)
{
    char text[ANSWER_BYTES];
    (void)dprintf(terminal, "Store it (yes, no, or the pin that it should have)? ");
    for (int i = 0; i < ANSWERS && read_answer(terminal, text); i++) {
        const enum answer answer = parse_answer(text, key);
        if (answer != NOT_ONE) {
            return answer;
        }
        (void)dprintf(terminal, "Type yes, no, or the pin: ");
    }
    (void)dprintf(terminal, "\n");
    return NO;
}

/*
 * In whole lines, and seen, whatever a line editor wants of the terminal; and ^C ends the program,
 * even where it is an event of the loop, with --count. (The prompt has a handler for that, which
 * gives the terminal back.)
 */
static enum answer ask_in_lines(int terminal, const struct key *key, bool repeats)
{
    struct termios before, lines;
    struct sigaction handler;
    const struct sigaction end = {.sa_handler = SIG_DFL};
    const bool known = tcgetattr(terminal, &before) == 0;
    (void)sigaction(SIGINT, repeats ? &end : NULL, &handler);
    if (known) {
        lines = before;
        lines.c_lflag |= ICANON | ECHO | ISIG;
        lines.c_iflag |= ICRNL;
        (void)tcsetattr(terminal, TCSADRAIN, &lines);
    }
    const enum answer answer = ask(terminal, key);
    if (known) {
        (void)tcsetattr(terminal, TCSADRAIN, &before);
    }
    (void)sigaction(SIGINT, &handler, NULL);
    return answer;
}

static bool store(const struct sc_cli_options *options, const struct key *key, const char *how,
                  struct sc_err *err)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    if (sc_client_store_pin(options->pin_store, options->target, key->pin, how, &error) != 0) {
        (void)sc_session_err(err, &error);
        return false;
    }
    return true;
}

bool sc_first_use_ask(const struct sc_cli_options *options, const struct sc_session_end *end,
                      struct sc_err *err)
{
    struct key key;
    const int terminal =
        options->tofu == SC_CLI_TOFU_ASK ? open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY) : -1;
    if (terminal < 0 || !read_key(&end->mismatch, &key)) {
        sc_first_use_refuse(options, end, err);
        if (terminal >= 0) {
            (void)close(terminal);
        }
        return false;
    }
    (void)fflush(stdout);
    show(terminal, options, end, &key);
    const enum answer answer = ask_in_lines(terminal, &key, options->repeat);
    (void)close(terminal);
    switch (answer) {
    case YES: return store(options, &key, "confirmed", err);
    case SAME_PIN: return store(options, &key, "typed", err);
    case OTHER_PIN:
        (void)sc_err_set(
            err, SC_EXIT_PIN,
            "%.300s does not have the pin that was typed, nothing was sent and nothing "
            "is stored: this may be a man-in-the-middle attack",
            options->target);
        return false;
    case NO:
    case NOT_ONE: break;
    }
    (void)sc_err_set(err, SC_EXIT_UNTRUSTED,
                     "%.300s is not trusted, nothing was sent: its key was not confirmed",
                     options->target);
    return false;
}
