/* SPDX-License-Identifier: MIT */
/*
 * Inside sc-client: one session, and a mode that decides which requests are sent over it.
 * sc-client.c runs them. Thread: the main one.
 */
#ifndef SC_CLIENT_CLI_H
#define SC_CLIENT_CLI_H

#include <event2/event.h>

#include "client/session.h"
#include "client/options.h"

struct sc_cli;

/* Every member may be NULL. */
struct sc_cli_mode {
    /* Before the connect. Returns -1 when the program cannot go on. */
    int (*start)(struct sc_cli *client, struct sc_err *err);
    void (*on_ready)(struct sc_cli *client); /* for the first connection of a session */
    void (*on_again)(struct sc_cli *client); /* for each connection after it */
    /* Reports it; NULL: only --verbose does. */
    void (*on_lost)(struct sc_cli *client, const struct sc_session_end *end);
    void (*on_reply)(struct sc_cli *client, const struct sc_session_reply *reply);
    /* May send more, or be done. */
    void (*on_progress)(struct sc_cli *client);
    /*
     * Called once the session is ready; returns when the program is to end, and until then runs
     * the event loop with sc_cli_iterate().
     */
    void (*run)(struct sc_cli *client);
    /*
     * The session has ended, without an error if `end` is NULL. True: the program goes on without
     * one, until sc_cli_connect().
     */
    bool (*on_end)(struct sc_cli *client, const struct sc_session_end *end);
    /* Around a message while a line is typed: it begins below the line, which is shown again. */
    void (*leave_line)(struct sc_cli *client);
    void (*show_line)(struct sc_cli *client);
    void (*stop)(struct sc_cli *client); /* frees client->state */
};

struct sc_cli {
    const struct sc_cli_options *options;
    const struct sc_cli_mode *mode;
    struct event_base *base;
    struct sc_session *session; /* NULL: none */
    const struct sc_client_info *info; /* NULL: there is no connection */
    bool is_ready; /* the session had one */
    bool was_ready; /* there was one in any session */
    bool saves_session; /* --session, and its file may be written */
    int status; /* what the program ends with */
    bool ended; /* the program is to end */
    void *state; /* the mode's */
};

extern const struct sc_cli_mode sc_cli_oneshot; /* a COMMAND, once */
extern const struct sc_cli_mode sc_cli_repeat; /* a COMMAND, again and again */
extern const struct sc_cli_mode sc_cli_lines; /* commands from standard input */
extern const struct sc_cli_mode
    sc_cli_interactive; /* a prompt; without libedit, sc_cli_lines has one */

/* Begins a session. Failure ends the program. */
void sc_cli_connect(struct sc_cli *client);

/* The program ends, with client->status, once the session is closed. */
void sc_cli_end(struct sc_cli *client);

/* One iteration of the event loop. Returns false once the program is to end. */
bool sc_cli_iterate(struct sc_cli *client);

/* Prints a reply to a command from standard input; after an ERROR the exit status is 1. */
void sc_cli_take_reply(struct sc_cli *client, const struct sc_session_reply *reply);

/*
 * Removes the blanks before a command, and a CR at the end of the line. False: nothing is left, or
 * a comment.
 */
bool sc_cli_trim_line(const char **line, size_t *length);

/*
 * "COMMAND TEXT" in such a line, without its newline; *text points into it. NULL: no such command,
 * or TEXT where none is taken.
 */
const struct sc_handler *sc_cli_parse_line(const char *line, size_t length, const char **text,
                                           size_t *text_length);

#endif
