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
#include <sys/ioctl.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "client/output.h"
#include "base/escape.h"
#include "base/program.h"
#include "proto/handler.h"

#define HISTORY_LINES 1000

/*
 * A prompt with line editing and history. While a line is typed the event loop runs: a server that
 * goes away is reported at once, on a line of its own. The program ends then only when nothing is
 * typed, because a shell would run the rest of the line.
 */
struct interactive {
    EditLine *editor;
    History *history;
    struct event *input;
    bool is_readable; /* standard input */
    bool at_prompt; /* a line is being read */
    bool is_told; /* the session has ended, and the line stands below the notice */
};

/* As it was before us. */
static struct termios terminal;

/* libedit does the same, but only while it waits for a line. */
static void on_fatal_signal(int number)
{
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &terminal);
    (void)raise(number); /* SA_RESETHAND: it ends the program this time */
}

static void watch_fatal_signals(void)
{
    static const int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    const struct sigaction restore = {.sa_handler = on_fatal_signal, .sa_flags = (int)SA_RESETHAND};
    struct sigaction before;
    if (tcgetattr(STDIN_FILENO, &terminal) != 0) {
        return;
    }
    for (size_t i = 0; i < SC_COUNT_OF(fatal); i++) {
        if (sigaction(fatal[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
            (void)sigaction(fatal[i], &restore, NULL);
        }
    }
}

static char *prompt(EditLine *editor)
{
    static char text[] = "> ";
    (void)editor;
    return text;
}

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
    int unread = 0;
    return (line && line->lastchar > line->buffer) ||
           (ioctl(STDIN_FILENO, FIONREAD, &unread) == 0 && unread > 0);
}

/* Until standard input can be read. False: the session has ended, and nothing is typed. */
static bool wait_for_input(struct sc_cli *client)
{
    struct interactive *interactive = client->state;
    interactive->is_readable = false;
    (void)event_add(interactive->input, NULL);
    while (!interactive->is_readable) {
        if (client->ended && !is_typing(interactive)) {
            return false;
        }
        if (client->ended && !interactive->is_told) {
            interactive->is_told = true;
            (void)el_set(interactive->editor, EL_REFRESH); /* below the notice */
        }
        (void)event_base_loop(client->base, EVLOOP_ONCE);
    }
    return true;
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
        if (!wait_for_input(client)) {
            return 0;
        }
        const ssize_t got = read(STDIN_FILENO, &byte, 1);
        if (got == 0) {
            return 0;
        }
        if (got < 0 && errno != EINTR && errno != EAGAIN) {
            return -1;
        }
        if (got == 1) {
            status = mbrtowc(out, &byte, 1, &shift);
        }
    }
    if (status == (size_t)-1) {
        *out = L'?'; /* no character of this locale */
    }
    return 1;
}

static int start(struct sc_cli *client, struct sc_err *err)
{
    struct interactive *interactive = calloc(1, sizeof(*interactive));
    client->state = interactive;
    (void)setlocale(LC_CTYPE, "");
    if (interactive) {
        interactive->editor = el_init(SC_CLI_PROGRAM, stdin, stdout, stderr);
        interactive->history = history_init();
        interactive->input = event_new(client->base, STDIN_FILENO, EV_READ, on_input, interactive);
    }
    if (!interactive || !interactive->editor || !interactive->history || !interactive->input) {
        return sc_err_set(err, EX_OSERR, "can't make a line editor");
    }
    watch_fatal_signals();
    HistEvent event;
    (void)history(interactive->history, &event, H_SETSIZE, HISTORY_LINES);
    (void)history(interactive->history, &event, H_SETUNIQUE, 1);
    (void)el_set(interactive->editor, EL_CLIENTDATA, client);
    (void)el_set(interactive->editor, EL_PROMPT, prompt);
    (void)el_set(interactive->editor, EL_EDITOR, "emacs");
    (void)el_set(interactive->editor, EL_SIGNAL, 1);
    (void)el_set(interactive->editor, EL_HIST, history, interactive->history);
    (void)el_set(interactive->editor, EL_GETCFN, get_character);
    /*
     * Between two lines libedit gives the terminal back, and a ^D that is typed then would be the
     * terminal's to interpret, and lost: the modes for "execution" are those of editing.
     */
    (void)el_set(interactive->editor, EL_SETTY, "-x", "-icanon", "-echo", "-iexten", NULL);
    (void)el_source(interactive->editor, NULL);
    return 0;
}

/* The next line, NULL at the end. */
static const char *read_line(struct interactive *interactive, int *length)
{
    interactive->at_prompt = true;
    const char *line = el_gets(interactive->editor, length);
    interactive->at_prompt = false;
    return line;
}

/* The notice about the end of the session must not stand in the line that is typed. */
static void on_end(struct sc_cli *client)
{
    const struct interactive *interactive = client->state;
    if (interactive->at_prompt) {
        (void)putchar('\n');
        (void)fflush(stdout);
    }
}

/*
 * A line that was typed while the session ended is not run, neither here nor by the shell: el_end()
 * discards what else is typed.
 */
static void drop_line(const char *line, size_t length)
{
    char shown[256];
    struct sc_err err;
    (void)sc_escape_line(shown, sizeof(shown), line, length);
    (void)sc_err_set(&err, EX_UNAVAILABLE, "the connection is gone, not sent: %s", shown);
    (void)sc_program_fail(SC_CLI_PROGRAM, &err);
}

/* Returns false for quit. */
static bool take_line(struct sc_cli *client, const char *line, size_t length)
{
    const char *text;
    size_t text_length;
    const struct sc_handler *command = sc_cli_parse_line(line, length, &text, &text_length);
    if (!command) {
        return !sc_cli_wants_to_quit(line, length);
    }
    sc_session_send(client->session, command->type, text, text_length);
    while (sc_session_unanswered(client->session) > 0 && sc_cli_iterate(client)) {
    }
    return true;
}

static void converse(struct sc_cli *client)
{
    struct interactive *interactive = client->state;
    HistEvent event;
    sc_cli_greet(client);
    while (!client->ended || is_typing(interactive)) {
        int count = 0;
        const char *line = read_line(interactive, &count);
        if (!line || count <= 0) {
            if (!client->ended) {
                (void)putchar('\n');
            }
            break;
        }
        size_t length = (size_t)count;
        if (line[length - 1] == '\n') {
            length--;
        }
        if (length == 0) {
            continue;
        }
        if (client->ended) {
            drop_line(line, length);
            break;
        }
        (void)history(interactive->history, &event, H_ENTER, line);
        if (!take_line(client, line, length)) {
            break;
        }
    }
    if (!client->ended) {
        sc_session_close(client->session);
    }
    client->info = NULL;
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
    free(interactive);
}

const struct sc_cli_mode sc_cli_interactive = {
    .start = start,
    .on_reply = sc_cli_take_reply,
    .converse = converse,
    .on_end = on_end,
    .stop = stop,
};

#endif
