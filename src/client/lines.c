/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "client/output.h"
#include "client/prompt.h"
#include "base/escape.h"
#include "proto/frame.h"
#include "proto/handler.h"

#define READ_BYTES (64U << 10)
#define LINE_MAX_BYTES (SC_FRAME_MAX_BODY_BYTES + 16U)

/*
 * One command per line of standard input, sent as they come and without waiting for replies. Input
 * is read only while the session takes requests, so that neither the input nor the replies pile up
 * here. On a terminal there is a prompt, and a bad line does not end the program.
 */
struct lines {
    struct event *input;
    bool
        pollable; /* a pipe, a socket, a terminal; files are always ready, and epoll refuses them */
    bool prompt;
    bool asked; /* the prompt is shown */
    bool end_of_input;
    char *buffer;
    size_t room, start, end; /* what is not parsed yet lies from start to end */
    uint64_t number; /* of the line, for messages */
};

static void want_input(struct sc_cli *client)
{
    struct lines *lines = client->state;
    if (lines->prompt && !lines->asked) {
        FILE *stream = sc_prompt_stream(client->options);
        char text[SC_PROMPT_BYTES];
        sc_prompt_text(client->options, text);
        lines->asked = true;
        (void)fputs(text, stream);
        (void)fflush(stream);
    }
    if (lines->pollable) {
        (void)event_add(lines->input, NULL);
    } else {
        event_active(lines->input, EV_READ, 0);
    }
}

/* Returns -1 when no more lines are to be taken. */
static int take_line(struct sc_cli *client, const char *line, size_t length)
{
    struct lines *lines = client->state;
    struct sc_err err;
    const char *text;
    size_t text_length;
    lines->number++;
    lines->asked = false;
    if (!sc_cli_trim_line(&line, &length)) {
        return 0;
    }
    const struct sc_handler *command = sc_cli_parse_line(line, length, &text, &text_length);
    if (command && text_length <= SC_FRAME_MAX_BODY_BYTES) {
        sc_session_send(client->session, command->type, text, text_length);
        return 0;
    }
    if (lines->prompt && !command) {
        return sc_prompt_take_word(client, line, length) ? 0 : -1;
    }
    if (command) {
        (void)sc_err_set(&err, EX_DATAERR, "standard input, line %llu: TEXT is longer than 16M",
                         (unsigned long long)lines->number);
    } else {
        char commands[SC_HANDLER_LIST_BYTES], shown[64];
        sc_handler_list(commands);
        (void)sc_escape_line(shown, sizeof(shown), line, length);
        (void)sc_err_set(&err, EX_DATAERR,
                         "standard input, line %llu: \"%s\" is not a command; commands are %s",
                         (unsigned long long)lines->number, shown, commands);
    }
    client->status = sc_cli_fail(client->options, &err, NULL);
    return -1;
}

/* At a prompt one line is taken at a time, so that the next prompt comes after the reply. */
static bool can_take(const struct sc_cli *client)
{
    const struct lines *lines = client->state;
    return lines->prompt ? sc_session_unanswered(client->session) == 0
                         : !sc_session_is_full(client->session);
}

/* Sends what is there, as far as the session takes it. */
static void take_lines(struct sc_cli *client)
{
    struct lines *lines = client->state;
    if (!client->session && lines->start < lines->end) {
        sc_cli_connect(client); /* on_ready goes on */
    }
    if (client->session && !client->is_ready) {
        return;
    }
    while (client->session && lines->start < lines->end && can_take(client)) {
        const char *line = lines->buffer + lines->start;
        const size_t left = lines->end - lines->start;
        const char *newline = memchr(line, '\n', left);
        if (!newline && !lines->end_of_input) {
            break;
        }
        const size_t length = newline ? (size_t)(newline - line) : left;
        lines->start += length + (newline ? 1 : 0);
        if (take_line(client, line, length) != 0) {
            lines->end_of_input = true;
            lines->start = lines->end;
        }
    }
    if (client->session && !can_take(client)) {
        return;
    }
    if (!lines->end_of_input) {
        want_input(client);
    } else if (!client->session || sc_session_unanswered(client->session) == 0) {
        sc_cli_end(client);
    }
}

static void on_ready(struct sc_cli *client)
{
    const struct lines *lines = client->state;
    if (lines->prompt && lines->number == 0) {
        sc_prompt_greet(client);
    } else if (lines->prompt) {
        sc_prompt_report_connected(client);
    }
}

/* Room for one more read. */
static int make_room(struct lines *lines, struct sc_err *err)
{
    if (lines->start > 0) {
        memmove(lines->buffer, lines->buffer + lines->start, lines->end - lines->start);
        lines->end -= lines->start;
        lines->start = 0;
    }
    if (lines->end > LINE_MAX_BYTES) {
        return sc_err_set(err, EX_DATAERR, "standard input, line %llu: longer than 16M",
                          (unsigned long long)lines->number + 1);
    }
    if (lines->room - lines->end < READ_BYTES) {
        const size_t room = lines->room > 0 ? 2 * lines->room : 2 * READ_BYTES;
        char *buffer = realloc(lines->buffer, room);
        if (!buffer) {
            return sc_err_set(err, EX_OSERR, "standard input: out of memory");
        }
        lines->buffer = buffer;
        lines->room = room;
    }
    return 0;
}

static void give_up(struct sc_cli *client, const struct sc_err *err)
{
    if (client->session) {
        sc_session_abort(client->session, err);
    } else {
        client->status = sc_cli_fail(client->options, err, NULL);
        sc_cli_end(client);
    }
}

/* What comes next, a notice or the end, begins below the line of the prompt. */
static void leave_line(struct sc_cli *client)
{
    const struct lines *lines = client->state;
    if (lines->prompt && lines->asked && !lines->end_of_input) {
        (void)fputc('\n', sc_prompt_stream(client->options));
        (void)fflush(sc_prompt_stream(client->options));
    }
}

static void on_input(evutil_socket_t fd, short what, void *arg)
{
    (void)what;
    struct sc_cli *client = arg;
    struct lines *lines = client->state;
    struct sc_err err;
    if (make_room(lines, &err) != 0) {
        give_up(client, &err);
        return;
    }
    const ssize_t got = read(fd, lines->buffer + lines->end, READ_BYTES);
    if (got < 0 && errno != EINTR && errno != EAGAIN) {
        (void)sc_err_set_errno(&err, EX_NOINPUT, errno, "can't read standard input");
        give_up(client, &err);
        return;
    }
    if (got == 0) {
        leave_line(client);
    }
    lines->end_of_input = got == 0;
    lines->end += got > 0 ? (size_t)got : 0;
    take_lines(client);
}

static int start(struct sc_cli *client, struct sc_err *err)
{
    struct stat status;
    struct lines *lines = calloc(1, sizeof(*lines));
    client->state = lines;
    if (lines) {
        lines->input = event_new(client->base, STDIN_FILENO, EV_READ, on_input, client);
    }
    if (!lines || !lines->input) {
        return sc_err_set(err, EX_OSERR, "out of memory");
    }
    const bool terminal = isatty(STDIN_FILENO) == 1;
    lines->prompt = sc_prompt_is_wanted(client->options);
    lines->pollable = terminal || (fstat(STDIN_FILENO, &status) == 0 &&
                                   (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode)));
    return 0;
}

/* The prompt is shown again below the notice. */
static void show_line(struct sc_cli *client)
{
    struct lines *lines = client->state;
    if (lines->prompt && lines->asked && !lines->end_of_input) {
        lines->asked = false;
        want_input(client);
    }
}

static void on_lost(struct sc_cli *client, const struct sc_session_end *end)
{
    const struct lines *lines = client->state;
    if (!lines->prompt) {
        sc_cli_print_lost(client->options, end);
        return;
    }
    leave_line(client);
    sc_prompt_report_lost(client, end);
    show_line(client);
}

/* At a prompt the next line connects again, except with --no-retry. */
static bool on_end(struct sc_cli *client, const struct sc_session_end *end)
{
    struct lines *lines = client->state;
    leave_line(client);
    if (!end || !lines->prompt || !client->was_ready || client->options->no_retry ||
        lines->end_of_input) {
        return false;
    }
    sc_prompt_report_lost(client, end);
    lines->asked = false;
    lines->start = lines->end; /* what was typed after it was meant for that connection */
    want_input(client);
    return true;
}

/*
 * The session has ended while a line may be typed: the rest of it would be run by the shell. What
 * is typed stands in the terminal until Enter is pressed, and is dropped here.
 */
static void drop_line(void)
{
    char bytes[256];
    ssize_t got;
    (void)fputs("press Enter to end\n", stderr);
    do {
        got = read(STDIN_FILENO, bytes, sizeof(bytes));
    } while ((got < 0 && errno == EINTR) || (got > 0 && bytes[got - 1] != '\n'));
    (void)tcflush(STDIN_FILENO, TCIFLUSH);
}

static void stop(struct sc_cli *client)
{
    struct lines *lines = client->state;
    if (lines) {
        if (lines->asked && !lines->end_of_input) {
            drop_line();
        }
        if (lines->input) {
            event_free(lines->input);
        }
        free(lines->buffer);
        free(lines);
    }
}

const struct sc_cli_mode sc_cli_lines = {.start = start,
                                         .on_ready = on_ready,
                                         .on_again = on_ready,
                                         .on_lost = on_lost,
                                         .on_reply = sc_cli_take_reply,
                                         .on_progress = take_lines,
                                         .on_end = on_end,
                                         .leave_line = leave_line,
                                         .show_line = show_line,
                                         .stop = stop};
