/*
 * The inside of sc-client: one session, and a mode that decides what is asked over it. sc-client.c
 * runs them. Thread: the main one.
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
    void (*on_ready)(struct sc_cli *client);
    void (*on_reply)(struct sc_cli *client, const struct sc_session_reply *reply);
    /* May send more, or be done. */
    void (*on_progress)(struct sc_cli *client);
    /*
     * Takes over from the loop once the session is ready; runs the loop itself with
     * sc_cli_iterate().
     */
    void (*converse)(struct sc_cli *client);
    /* The session is over, well or not. */
    void (*on_end)(struct sc_cli *client);
    void (*stop)(struct sc_cli *client); /* frees client->state */
};

struct sc_cli {
    const struct sc_cli_options *options;
    const struct sc_cli_mode *mode;
    struct event_base *base;
    struct sc_session *session;
    const struct sc_client_info *info; /* NULL: not ready yet */
    int status; /* what the program ends with */
    bool ended; /* on_end was called */
    void *state; /* the mode's */
};

extern const struct sc_cli_mode sc_cli_oneshot; /* a COMMAND, once or repeated */
extern const struct sc_cli_mode sc_cli_lines; /* commands from standard input */
extern const struct sc_cli_mode
    sc_cli_interactive; /* a prompt; without libedit, sc_cli_lines has one */

/* One iteration of the event loop. Returns false once the session is over. */
bool sc_cli_iterate(struct sc_cli *client);

/* A reply to a command from standard input: printed; an ERROR makes the program end with status 1.
 */
void sc_cli_take_reply(struct sc_cli *client, const struct sc_session_reply *reply);

/* What is printed before the first prompt. */
void sc_cli_greet(const struct sc_cli *client);

/*
 * A line at the prompt that is not a command: true for "quit" and "exit", else the commands are
 * listed.
 */
bool sc_cli_wants_to_quit(const char *line, size_t length);

/*
 * "COMMAND TEXT" in a line without its newline; *text points into it. NULL: no such command, or
 * TEXT where none is taken.
 */
const struct sc_handler *sc_cli_parse_line(const char *line, size_t length, const char **text,
                                           size_t *text_length);

#endif
