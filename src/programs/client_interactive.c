#include "config.h"

#include "programs/client.h"

#ifdef HAVE_LIBEDIT

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include "programs/client_output.h"
#include "base/program.h"
#include "proto/handler.h"

#define HISTORY_LINES 1000

/*
 * A prompt with line editing and history. While a person thinks, the event loop runs: a server
 * that goes away is told at once.
 */
struct interactive {
    EditLine *editor;
    History *history;
    struct event *input;
    bool typed; /* standard input can be read */
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
    interactive->typed = true;
}

/* The next character for the editor; 0 is the end, -1 an error. */
static int get_character(EditLine *editor, wchar_t *out)
{
    struct sc_client *client = NULL;
    mbstate_t shift = {0};
    size_t status = (size_t)-2;
    (void)el_get(editor, EL_CLIENTDATA, &client);
    struct interactive *interactive = client->state;
    while (status == (size_t)-2) {
        char byte;
        interactive->typed = false;
        (void)event_add(interactive->input, NULL);
        while (!interactive->typed) {
            if (!sc_client_iterate(client)) {
                return 0;
            }
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

static int start(struct sc_client *client, struct sc_err *err)
{
    struct interactive *interactive = calloc(1, sizeof(*interactive));
    client->state = interactive;
    (void)setlocale(LC_CTYPE, "");
    if (interactive) {
        interactive->editor = el_init(SC_CLIENT_PROGRAM, stdin, stdout, stderr);
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
    (void)el_source(interactive->editor, NULL);
    return 0;
}

/*
 * The next line, NULL at the end. libedit prepares the terminal only after it has printed the
 * prompt, and undoes that when it has the line; what is typed meanwhile would be the terminal's to
 * interpret: a ^D would be lost. So it stays prepared, also while a reply is waited for.
 */
static const char *read_line(EditLine *editor, int *length)
{
    (void)el_set(editor, EL_PREP_TERM, 1);
    const char *line = el_gets(editor, length);
    (void)el_set(editor, EL_PREP_TERM, 1);
    return line;
}

/* Returns false for quit. */
static bool take_line(struct sc_client *client, const char *line, size_t length)
{
    const char *text;
    size_t text_length;
    const struct sc_handler *command = sc_client_parse_line(line, length, &text, &text_length);
    if (!command) {
        return !sc_client_wants_to_quit(line, length);
    }
    sc_session_send(client->session, command->type, text, text_length);
    while (sc_session_unanswered(client->session) > 0 && sc_client_iterate(client)) {
    }
    return true;
}

static void converse(struct sc_client *client)
{
    struct interactive *interactive = client->state;
    HistEvent event;
    sc_client_greet(client);
    while (!client->ended) {
        int count = 0;
        const char *line = read_line(interactive->editor, &count);
        if (!line || count <= 0) {
            (void)putchar('\n');
            break;
        }
        size_t length = (size_t)count;
        if (line[length - 1] == '\n') {
            length--;
        }
        if (length == 0) {
            continue;
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

static void stop(struct sc_client *client)
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

const struct sc_client_mode sc_client_interactive = {
    .start = start,
    .on_reply = sc_client_take_reply,
    .converse = converse,
    .stop = stop,
};

#endif
