#include "config.h"

#include "programs/client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "programs/client_output.h"
#include "base/program.h"
#include "proto/handler.h"

#define PROGRAM SC_CLIENT_PROGRAM

/* --- What the session reports --- */

static void on_ready(void *arg, const struct sc_session_info *info)
{
    struct sc_client *client = arg;
    client->info = info;
    sc_client_print_connection(client->options, info);
    if (client->mode->on_ready) {
        client->mode->on_ready(client);
    }
}

static void on_reply(void *arg, const struct sc_session_reply *reply)
{
    struct sc_client *client = arg;
    client->mode->on_reply(client, reply);
}

/* Writes out what was printed. When it can't be written the session ends with EX_IOERR. */
static void flush_output(struct sc_client *client)
{
    struct sc_err err;
    if (sc_program_flush(&err) != 0) {
        sc_session_abort(client->session, &err);
    }
}

static void on_progress(void *arg)
{
    struct sc_client *client = arg;
    if (client->mode->on_progress) {
        client->mode->on_progress(client);
    }
    flush_output(client);
}

static void on_end(void *arg, const struct sc_err *err)
{
    struct sc_client *client = arg;
    client->ended = true;
    if (client->mode->on_end) {
        client->mode->on_end(client);
    }
    if (err) {
        client->status = sc_program_fail(PROGRAM, err);
    }
}

/* --- What the modes share --- */

bool sc_client_iterate(struct sc_client *client)
{
    if (!client->ended) {
        (void)event_base_loop(client->base, EVLOOP_ONCE);
    }
    return !client->ended;
}

void sc_client_take_reply(struct sc_client *client, const struct sc_session_reply *reply)
{
    if (reply->type == SC_FRAME_ERROR) {
        client->status = 1;
    }
    sc_client_print_reply(client->options, reply, true);
}

const struct sc_handler *sc_client_parse_line(const char *line, size_t length, const char **text,
                                              size_t *text_length)
{
    char name[64];
    const char *space = memchr(line, ' ', length);
    const size_t name_length = space ? (size_t)(space - line) : length;
    if (name_length >= sizeof(name)) {
        return NULL;
    }
    memcpy(name, line, name_length);
    name[name_length] = '\0';
    const struct sc_handler *command = sc_handler_find_name(name);
    *text = space ? space + 1 : line + length;
    *text_length = (size_t)(line + length - *text);
    return command && !command->takes_body && *text_length > 0 ? NULL : command;
}

void sc_client_greet(const struct sc_client *client)
{
    printf("connected to %s (%s), %s; help lists the commands, quit ends\n",
           client->options->target, client->info->peer, client->info->tls.version);
}

bool sc_client_wants_to_quit(const char *line, size_t length)
{
    if (length == 4 && (memcmp(line, "quit", 4) == 0 || memcmp(line, "exit", 4) == 0)) {
        return true;
    }
    char commands[SC_HANDLER_LIST_BYTES];
    sc_handler_list(commands);
    printf("commands: %s, quit\n", commands);
    return false;
}

static void show_pin_ready(struct sc_client *client)
{
    sc_client_print_pins(client->options, client->info);
    sc_session_close(client->session);
}

static const struct sc_client_mode show_pin = {.on_ready = show_pin_ready};

/* --- The program --- */

static const struct sc_client_mode *choose_mode(const struct sc_client_options *options)
{
    if (options->show_pin) {
        return &show_pin;
    }
    if (options->command) {
        return &sc_client_oneshot;
    }
#ifdef HAVE_LIBEDIT
    if (isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
        return &sc_client_interactive;
    }
#endif
    return &sc_client_lines;
}

/*
 * The secrets go where SSLKEYLOGFILE says, unless the program runs with more rights than its
 * caller.
 */
static struct sc_tls_context *make_context(struct sc_err *err)
{
    const char *keylog_path = secure_getenv("SSLKEYLOGFILE");
    if (!keylog_path || !*keylog_path) {
        return sc_tls_context_new_client(&(struct sc_tls_client_settings){0}, err);
    }
    struct sc_tls_context *context = sc_tls_context_new_client(
        &(struct sc_tls_client_settings){.keylog_path = keylog_path}, err);
    if (!context) {
        sc_program_warn(PROGRAM, "%s", err->text);
        return sc_tls_context_new_client(&(struct sc_tls_client_settings){0}, err);
    }
    sc_program_warn(PROGRAM, "SSLKEYLOGFILE is set: who reads %s can read this connection",
                    keylog_path);
    return context;
}

static int start_session(struct sc_client *client, struct sc_err *err)
{
    static const struct sc_session_callbacks callbacks = {on_ready, on_reply, on_progress, on_end};
    const struct sc_client_options *options = client->options;
    struct sc_tls_context *context = make_context(err);
    if (!context) {
        return -1;
    }
    const struct sc_session_settings settings = {
        .address = options->address,
        .context = context,
        .pins = options->pins,
        .strict_expiry = options->strict_expiry,
        .probe = options->show_pin,
        .timeout_ms = options->timeout_ms,
    };
    client->session = sc_session_new(client->base, &settings, &callbacks, client, err);
    sc_tls_context_unref(context);
    return client->session ? 0 : -1;
}

static int start(struct sc_client *client, struct sc_err *err)
{
    client->base = event_base_new();
    if (!client->base) {
        return sc_err_set(err, EX_OSERR, "can't make an event loop");
    }
    if (client->mode->start && client->mode->start(client, err) != 0) {
        return -1;
    }
    return start_session(client, err);
}

static int run(const struct sc_client_options *options)
{
    struct sc_client client = {.options = options, .mode = choose_mode(options), .status = EX_OK};
    struct sc_err err;
    if (start(&client, &err) == 0) {
        do {
            if (client.info && client.mode->converse) {
                client.mode->converse(&client);
            }
        } while (sc_client_iterate(&client));
    } else {
        client.status = sc_program_fail(PROGRAM, &err);
    }
    if (client.mode->stop) {
        client.mode->stop(&client);
    }
    sc_session_free(client.session);
    if (client.base) {
        (void)event_base_loop(client.base,
                              EVLOOP_NONBLOCK); /* bufferevents are freed in the loop's next pass */
        event_base_free(client.base);
    }
    return client.status;
}

int main(int argc, char *argv[])
{
    struct sc_client_options options;
    int status;
    sc_program_start();
    (void)signal(SIGPIPE, SIG_IGN);
    if (sc_client_options_parse(&options, argc, argv, &status) != 0) {
        return status;
    }
    status = run(&options);
    sc_client_options_fini(&options);
    return sc_program_end(PROGRAM, status);
}
