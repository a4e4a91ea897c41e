/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/cli.h"

#ifdef HAVE_LIBEDIT

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>
#include <wchar.h>

#include "client/complete.h"
#include "client/prompt_history.h"
#include "client/output.h"
#include "client/prompt.h"
#include "client/terminal.h"
#include "base/escape.h"
#include "base/program.h"
#include "proto/handler.h"

/*
 * A prompt with line editing and history. While a line is typed the event loop runs: a lost
 * connection is reported at once, on a line of its own, and the line that is typed stays. With
 * --no-retry a lost connection ends the program, but only when nothing is typed: a shell would run
 * the rest of the line.
 */
struct interactive {
    EditLine *editor;
    History *history;
    struct sc_prompt_history *history_file; /* NULL: not kept */
    struct event *input;
    struct event *signals[3]; /* SIGINT, SIGTSTP, SIGWINCH */
    char prompt[SC_PROMPT_BYTES];
    struct sc_err reported; /* the last notice */
    bool is_readable; /* standard input */
    bool at_prompt; /* a line is being read */
    bool interrupted; /* by ^C */
    bool warned; /* of a line that could not be added to the history file */
    bool is_over; /* with --no-retry: the session has ended */
    char ahead[4096]; /* typed before a command began to wait: the next lines */
    size_t ahead_count;
};

static char *prompt(EditLine *editor)
{
    struct sc_cli *client = NULL;
    (void)el_get(editor, EL_CLIENTDATA, &client);
    struct interactive *interactive = client->state;
    return interactive->prompt;
}

/* Output begins below the line that is typed, which show_line() shows again. */
static void leave_line(struct sc_cli *client)
{
    const struct interactive *interactive = client->state;
    if (interactive->at_prompt) {
        (void)fputc('\n', sc_prompt_stream(client->options));
        (void)fflush(sc_prompt_stream(client->options));
    }
}

static void show_line(struct sc_cli *client)
{
    const struct interactive *interactive = client->state;
    if (interactive->at_prompt) {
        (void)el_set(interactive->editor, EL_REFRESH);
    }
}

/* Also of the characters that the terminal makes signals of. */
static void on_signal(evutil_socket_t number, short what, void *arg)
{
    struct sc_cli *client = arg;
    struct interactive *interactive = client->state;
    (void)what;
    switch (number) {
    case SIGINT:
        interactive->interrupted = true;
        if (!interactive->at_prompt) { /* as the terminal does with what is not read yet */
            interactive->ahead_count = 0;
        }
        break;
    case SIGTSTP:
        leave_line(client);
        sc_terminal_suspend();
        show_line(client);
        break;
    case SIGWINCH:
        el_resize(interactive->editor);
        show_line(client);
        break;
    default: (void)raise((int)number); break;
    }
}

/* --- Reading a line --- */

static void on_input(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct interactive *interactive = arg;
    interactive->is_readable = true;
}

/* Something is typed: in the line, or not yet read. */
static bool is_typing(const struct interactive *interactive)
{
    const LineInfo *line = interactive->at_prompt ? el_line(interactive->editor) : NULL;
    return (line && line->lastchar > line->buffer) || interactive->ahead_count > 0 ||
           sc_terminal_unread() > 0;
}

/* Until standard input can be read. False: there is to be no line. */
static bool wait_for_input(struct sc_cli *client)
{
    struct interactive *interactive = client->state;
    interactive->is_readable = false;
    (void)event_add(interactive->input, NULL);
    while (!interactive->is_readable) {
        if (interactive->interrupted || client->ended ||
            (interactive->is_over && !is_typing(interactive))) {
            return false;
        }
        (void)event_base_loop(client->base, EVLOOP_ONCE);
    }
    return true;
}

/*
 * While a line is typed the terminal makes no signals, so a ^C that follows the line at once is a
 * character that nobody would read before the next line: it has to end the command.
 */
static void read_ahead(struct sc_cli *client)
{
    struct interactive *interactive = client->state;
    char typed[sizeof(interactive->ahead)];
    const size_t room = sizeof(typed) - interactive->ahead_count, unread = sc_terminal_unread();
    if (room == 0 || unread == 0) {
        return;
    }
    const ssize_t got = read(STDIN_FILENO, typed, unread < room ? unread : room);
    for (ssize_t i = 0; i < got; i++) {
        const int number = sc_terminal_signal((unsigned char)typed[i]);
        if (number != 0) {
            on_signal(number, 0, client);
        } else {
            interactive->ahead[interactive->ahead_count++] = typed[i];
        }
    }
}

/* One byte of the terminal; 0 is the end, -1 an error. */
static ssize_t read_byte(struct sc_cli *client, char *byte)
{
    struct interactive *interactive = client->state;
    if (interactive->ahead_count == 0) {
        return wait_for_input(client) ? read(STDIN_FILENO, byte, 1) : 0;
    }
    *byte = interactive->ahead[0];
    memmove(interactive->ahead, interactive->ahead + 1, --interactive->ahead_count);
    return 1;
}

/* The next character for the editor; 0 is the end, -1 an error. */
static int get_character(EditLine *editor, wchar_t *out)
{
    struct sc_cli *client = NULL;
    mbstate_t shift = {0};
    size_t status = (size_t)-2;
    (void)el_get(editor, EL_CLIENTDATA, &client);
    while (status == (size_t)-2) {
        char byte;
        const ssize_t got = read_byte(client, &byte);
        if (got == 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR && errno != EAGAIN) {
            return -1;
        }
        const int number = got == 1 ? sc_terminal_signal((unsigned char)byte) : 0;
        if (number != 0) {
            on_signal(number, 0, client);
        } else if (got == 1) {
            status = mbrtowc(out, &byte, 1, &shift);
        }
    }
    if (status == (size_t)-1) {
        *out = L'?'; /* no character of this locale */
    }
    return 1;
}

/* --- Start --- */

static void add_line(const char *line, void *arg)
{
    HistEvent event;
    (void)history(arg, &event, H_ENTER, line);
}

static void open_history(struct interactive *interactive)
{
    struct sc_err err;
    HistEvent event;
    (void)history(interactive->history, &event, H_SETSIZE, SC_PROMPT_HISTORY_LINES);
    (void)history(interactive->history, &event, H_SETUNIQUE, 1);
    interactive->history_file = sc_prompt_history_open(add_line, interactive->history, &err);
    if (!interactive->history_file && *err.text) {
        sc_program_warn(SC_CLI_PROGRAM, "%s", err.text);
    }
}

static void set_up_editor(struct sc_cli *client)
{
    const struct interactive *interactive = client->state;
    EditLine *editor = interactive->editor;
    (void)el_set(editor, EL_CLIENTDATA, client);
    (void)el_set(editor, EL_PROMPT, prompt);
    (void)el_set(editor, EL_EDITOR, "emacs");
    (void)el_set(editor, EL_SIGNAL, 0);
    (void)el_set(editor, EL_HIST, history, interactive->history);
    (void)el_set(editor, EL_GETCFN, get_character);
    (void)el_set(editor, EL_ADDFN, "sc-complete", "completes a command", sc_complete);
    (void)el_set(editor, EL_BIND, "^I", "sc-complete", NULL);
    (void)el_set(editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    /*
     * Between two lines libedit gives the terminal back, and a ^D that is typed then would be the
     * terminal's to interpret, and lost: the modes for "execution" are those of editing.
     */
    (void)el_set(editor, EL_SETTY, "-x", "-icanon", "-echo", "-iexten", NULL);
    /* A signal of the terminal would drop what was typed before it and is not read yet. */
    (void)el_set(editor, EL_SETTY, "-d", "-isig", NULL);
    (void)el_source(editor, NULL);
}

static int start(struct sc_cli *client, struct sc_err *err)
{
    static const int numbers[] = {SIGINT, SIGTSTP, SIGWINCH};
    struct interactive *interactive = calloc(1, sizeof(*interactive));
    bool whole = interactive != NULL;
    client->state = interactive;
    (void)setlocale(LC_CTYPE, "");
    sc_terminal_save(); /* before libedit changes the terminal */
    if (interactive) {
        interactive->editor =
            el_init(SC_CLI_PROGRAM, stdin, sc_prompt_stream(client->options), stderr);
        interactive->history = history_init();
        interactive->input = event_new(client->base, STDIN_FILENO, EV_READ, on_input, interactive);
        whole = interactive->editor && interactive->history && interactive->input;
        for (size_t i = 0; i < SC_COUNT_OF(numbers); i++) {
            interactive->signals[i] = evsignal_new(client->base, numbers[i], on_signal, client);
            whole = whole && interactive->signals[i];
        }
    }
    if (!whole) {
        return sc_err_set(err, EX_OSERR, "can't make a line editor");
    }
    sc_prompt_text(client->options, interactive->prompt);
    open_history(interactive);
    set_up_editor(client);
    return 0;
}

/* --- Notices and commands --- */

/* A reason is reported once, however often it occurs. */
static void report_lost(struct sc_cli *client, const struct sc_session_end *end)
{
    struct interactive *interactive = client->state;
    if (strcmp(interactive->reported.text, end->err.text) != 0) {
        interactive->reported = end->err;
        leave_line(client);
        sc_prompt_report_lost(client, end);
        show_line(client);
    }
}

static void on_ready(struct sc_cli *client)
{
    struct interactive *interactive = client->state;
    if (*interactive->reported.text) {
        interactive->reported.text[0] = '\0';
        sc_prompt_report_connected(client);
    }
}

/* The program goes on at its prompt, except after the first connect and with --no-retry. */
static bool on_end(struct sc_cli *client, const struct sc_session_end *end)
{
    struct interactive *interactive = client->state;
    if (!client->was_ready || interactive->is_over) {
        return false;
    }
    if (end) {
        interactive->reported.text[0] = '\0'; /* a command has failed with it */
        report_lost(client, end);
        if (client->options->no_retry) {
            interactive->is_over = true;
            client->status = end->err.status;
        }
    }
    return true;
}

/*
 * A line that was typed while the session ended is run neither here nor by the shell: el_end()
 * discards what else is typed.
 */
static void refuse_line(const struct sc_cli *client, const char *line, size_t length)
{
    char shown[256];
    struct sc_err err;
    (void)sc_escape_line(shown, sizeof(shown), line, length);
    (void)sc_err_set(&err, EX_UNAVAILABLE, "the connection is gone, not sent: %s", shown);
    (void)sc_cli_fail(client->options, &err, NULL);
}

/* ^C while a command waits for a connection or for its reply. */
static void cancel_command(struct sc_cli *client)
{
    struct interactive *interactive = client->state;
    struct sc_err err;
    interactive->interrupted = false;
    interactive->reported.text[0] = '\0';
    if (client->session && client->is_ready) {
        sc_session_cancel(client->session);
    } else if (client->session) {
        sc_session_close(client->session);
        while (client->session && sc_cli_iterate(client)) {
        }
    }
    (void)sc_err_set(&err, SC_EXIT_INTERRUPTED, "interrupted, the command is given up");
    (void)sc_cli_fail(client->options, &err, NULL);
}

static void run_command(struct sc_cli *client, uint32_t type, const char *text, size_t length)
{
    struct interactive *interactive = client->state;
    read_ahead(client);
    if (!client->session && !interactive->interrupted) {
        sc_cli_connect(client);
    }
    while (client->session && !client->is_ready && !interactive->interrupted &&
           sc_cli_iterate(client)) {
    }
    if (client->session && client->is_ready && !interactive->interrupted) {
        (void)sc_session_send(client->session, type, text, length);
    }
    while (client->session && sc_session_unanswered(client->session) > 0 &&
           !interactive->interrupted && sc_cli_iterate(client)) {
    }
    if (interactive->interrupted) {
        cancel_command(client);
    }
}

/* Returns false for quit. */
static bool take_line(struct sc_cli *client, const char *line, size_t length)
{
    const char *text;
    size_t text_length;
    const struct sc_handler *command = sc_cli_parse_line(line, length, &text, &text_length);
    if (!command) {
        return sc_prompt_take_word(client, line, length);
    }
    run_command(client, command->type, text, text_length);
    return true;
}

/* ^C discards a line that has text; an empty one ends the program: false. */
static bool discard_line(struct sc_cli *client, bool had_text)
{
    struct interactive *interactive = client->state;
    interactive->interrupted = false;
    if (!had_text) {
        client->status = SC_EXIT_INTERRUPTED;
    }
    return had_text;
}

/* The next line, NULL at the end, or when it was interrupted: *had_text says whether in a line. */
static const char *read_line(struct interactive *interactive, int *length, bool *had_text)
{
    interactive->at_prompt = true;
    /* el_gets() shows the prompt first, and who sees it may type. */
    (void)el_set(interactive->editor, EL_PREP_TERM, 1);
    const char *line = el_gets(interactive->editor, length);
    const LineInfo *left = el_line(interactive->editor);
    *had_text = left->lastchar > left->buffer;
    interactive->at_prompt = false;
    return *length > 0 ? line : NULL;
}

/* A failed write is reported once; the line is still in the history of this prompt. */
static void add_to_history(struct interactive *interactive, const char *line, size_t length)
{
    struct sc_err err;
    HistEvent event;
    (void)history(interactive->history, &event, H_ENTER, line);
    if (sc_prompt_history_add(interactive->history_file, line, length, &err) != 0 &&
        !interactive->warned) {
        interactive->warned = true;
        sc_program_warn(SC_CLI_PROGRAM, "%s", err.text);
    }
}

/* One line. Returns false when it was the last one. */
static bool run_line(struct sc_cli *client)
{
    struct interactive *interactive = client->state;
    int count = 0;
    bool had_text;
    const char *line = read_line(interactive, &count, &had_text);
    if (!line) {
        (void)fputc('\n', sc_prompt_stream(client->options));
        return interactive->interrupted && discard_line(client, had_text);
    }
    size_t length = (size_t)count;
    if (line[length - 1] == '\n') {
        length--;
    }
    if (!sc_cli_trim_line(&line, &length)) {
        return true;
    }
    if (interactive->is_over) {
        refuse_line(client, line, length);
        return false;
    }
    add_to_history(interactive, line, length);
    return take_line(client, line, length);
}

static void run(struct sc_cli *client)
{
    struct interactive *interactive = client->state;
    struct sc_err err;
    for (size_t i = 0; i < SC_COUNT_OF(interactive->signals); i++) {
        (void)evsignal_add(interactive->signals[i], NULL);
    }
    sc_prompt_greet(client);
    while (!client->ended && (!interactive->is_over || is_typing(interactive)) &&
           run_line(client)) {
        if (sc_program_flush(&err) != 0) {
            client->status = sc_cli_fail(client->options, &err, NULL);
            break;
        }
    }
    interactive->is_over = true;
    client->info = NULL; /* not again */
    sc_cli_end(client);
}

static void stop(struct sc_cli *client)
{
    struct interactive *interactive = client->state;
    if (!interactive) {
        return;
    }
    if (interactive->editor) {
        el_end(interactive->editor);
    }
    if (interactive->history) {
        history_end(interactive->history);
    }
    if (interactive->input) {
        event_free(interactive->input);
    }
    for (size_t i = 0; i < SC_COUNT_OF(interactive->signals); i++) {
        if (interactive->signals[i]) {
            event_free(interactive->signals[i]);
        }
    }
    sc_prompt_history_free(interactive->history_file);
    free(interactive);
}

const struct sc_cli_mode sc_cli_interactive = {
    .start = start,
    .on_ready = on_ready,
    .on_again = on_ready,
    .on_reply = sc_cli_take_reply,
    .on_lost = report_lost,
    .run = run,
    .on_end = on_end,
    .leave_line = leave_line,
    .show_line = show_line,
    .stop = stop,
};

#endif
