/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/prompt.h"

#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/escape.h"
#include "base/program.h"
#include "client/output.h"
#include "proto/handler.h"

static const char *const words[] = {"help", "status", "quit"};

bool sc_prompt_is_wanted(const struct sc_cli_options *options)
{
    return isatty(STDIN_FILENO) && isatty(options->json ? STDERR_FILENO : STDOUT_FILENO);
}

FILE *sc_prompt_stream(const struct sc_cli_options *options)
{
    return options->json ? stderr : stdout;
}

void sc_prompt_text(const struct sc_cli_options *options, char out[SC_PROMPT_BYTES])
{
    const size_t length =
        sc_escape_line(out, SC_PROMPT_BYTES - 2, options->target, strlen(options->target));
    memcpy(out + length, "> ", 3);
}

const char *sc_prompt_word_at(size_t index)
{
    for (size_t i = 0; sc_handler_at(i); i++) {
        if (i == index) {
            return sc_handler_at(i)->name;
        }
    }
    size_t handlers = 0;
    while (sc_handler_at(handlers)) {
        handlers++;
    }
    return index - handlers < SC_COUNT_OF(words) ? words[index - handlers] : NULL;
}

void sc_prompt_greet(const struct sc_cli *client)
{
    (void)fprintf(sc_prompt_stream(client->options),
                  "connected to %s (%s), %s; help lists the commands, quit ends\n",
                  client->options->target, client->info->peer, client->info->tls_version);
}

static void help(const struct sc_cli *client)
{
    static const char keys[] =
        "status describes the connection; quit, ^D or ^C on an empty line ends\n"
#ifdef HAVE_LIBEDIT
        "Tab completes, ^R searches the history, ^C discards the line\n"
#endif
        "when the connection is lost, the next command connects again\n";
    char commands[SC_HANDLER_LIST_BYTES];
    sc_handler_list(commands);
    (void)fprintf(sc_prompt_stream(client->options), "commands: %s, quit, help, status\n%s",
                  commands, keys);
}

bool sc_prompt_take_word(const struct sc_cli *client, const char *line, size_t length)
{
    char word[16] = "", shown[64];
    struct sc_err err;
    while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t')) {
        length--;
    }
    if (length < sizeof(word)) {
        memcpy(word, line, length);
        word[length] = '\0';
    }
    if (strcmp(word, "quit") == 0 || strcmp(word, "exit") == 0) {
        return false;
    }
    if (strcmp(word, "help") == 0) {
        help(client);
    } else if (strcmp(word, "status") == 0) {
        sc_cli_print_status(client->options, client->info);
    } else {
        char commands[SC_HANDLER_LIST_BYTES];
        sc_handler_list(commands);
        (void)sc_escape_line(shown, sizeof(shown), line, length);
        (void)sc_err_set(&err, EX_DATAERR,
                         "\"%s\" is not a command; commands are %s, quit, help, status", shown,
                         commands);
        (void)sc_cli_fail(client->options, &err, NULL);
    }
    return true;
}

void sc_prompt_report_lost(const struct sc_cli *client, const struct sc_session_end *end)
{
    struct sc_err err;
    char wait[32];
    sc_format_duration_ms(end->wait_ms, wait);
    (void)sc_err_set(&err, end->err.status, "%.600s; %s%s", end->err.text,
                     client->options->no_retry                 ? "--no-retry: not connecting again"
                     : end->wait_ms > 0 && end->unanswered > 0 ? "connecting again in "
                                                               : "the next command connects again",
                     !client->options->no_retry && end->wait_ms > 0 && end->unanswered > 0 ? wait
                                                                                           : "");
    (void)sc_cli_fail(client->options, &err, NULL);
}

void sc_prompt_report_connected(const struct sc_cli *client)
{
    struct sc_err err;
    if (!client->options->verbose) {
        (void)sc_err_set(&err, 0, "connected again, %s",
                         client->info->resumed ? "the session is resumed" : "with a new session");
        (void)sc_program_fail(SC_CLI_PROGRAM, &err);
    }
}
