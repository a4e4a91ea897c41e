/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/crypto.h>

#include "base/descriptors.h"
#include "base/program.h"
#include "client/doctor.h"
#include "client/first_use.h"
#include "client/output.h"
#include "client/prompt.h"
#include "client/session_file.h"
#include "programs/key_log_path.h"
#include "programs/version.h"
#include "proto/handler.h"

#define PROGRAM SC_CLI_PROGRAM

/* --- What the session reports --- */

static void on_ready(void *arg, const struct sc_client_info *info)
{
    struct sc_cli *client = arg;
    const bool is_first = !client->is_ready;
    sc_cli_print_connection(client->options, info, !client->was_ready);
    client->info = info;
    client->is_ready = client->was_ready = true;
    void (*const callback)(struct sc_cli * client) =
        is_first ? client->mode->on_ready : client->mode->on_again;
    if (callback) {
        callback(client);
    }
}

static void on_pins(void *arg, const struct sc_err *result)
{
    struct sc_cli *client = arg;
    if (result->status == SC_CLIENT_OK && !client->options->verbose) {
        return;
    }
    if (client->mode->leave_line) {
        client->mode->leave_line(client);
    }
    sc_cli_print_learnt(client->options, result);
    if (client->mode->show_line) {
        client->mode->show_line(client);
    }
}

static void on_lost(void *arg, const struct sc_session_end *end)
{
    struct sc_cli *client = arg;
    client->info = NULL;
    if (client->mode->on_lost) {
        client->mode->on_lost(client, end);
    } else {
        sc_cli_print_lost(client->options, end);
    }
}

static void on_reply(void *arg, const struct sc_session_reply *reply)
{
    struct sc_cli *client = arg;
    client->mode->on_reply(client, reply);
}

/*
 * What was printed is written before more is sent: a reader of standard output may take its time,
 * and the deadline of a request counts from when it is sent.
 */
static void on_progress(void *arg)
{
    struct sc_cli *client = arg;
    struct sc_err err;
    if (sc_program_flush(&err) != 0) {
        sc_session_abort(client->session, &err);
    } else if (client->mode->on_progress) {
        client->mode->on_progress(client);
    }
}

/* For the next session, and the next run. */
static void save_tls_session(struct sc_cli *client)
{
    uint8_t bytes[SC_SESSION_TLS_BYTES];
    const size_t size = client->session ? sc_session_tls(client->session, bytes) : 0;
    if (size > 0) {
        (void)sc_client_settings_set_session(client->options->settings, bytes, size, NULL);
        if (client->saves_session) {
            sc_session_file_save(client->options->session_path, bytes, size);
        }
        OPENSSL_cleanse(bytes, size);
    } else if (client->saves_session && client->session && client->is_ready) {
        sc_session_file_drop(client->options->session_path);
    }
}

/* The mode goes on without a session. */
static void free_session(struct sc_cli *client)
{
    struct sc_err err;
    save_tls_session(client);
    sc_session_free(client->session);
    client->session = NULL;
    if (sc_program_flush(&err) != 0) {
        client->status = sc_cli_fail(client->options, &err, NULL);
        client->ended = true;
    }
}

/* The pin store does not know the server. True: now it does, and there is a new session. */
static bool handle_unknown_server(struct sc_cli *client, const struct sc_session_end *end,
                                  struct sc_err *err)
{
    if (client->was_ready) { /* its line was removed from the store meanwhile */
        sc_first_use_refuse(client->options, end, err);
        return false;
    }
    if (!sc_first_use_ask(client->options, end, err)) {
        return false;
    }
    free_session(client);
    sc_cli_connect(client);
    return true;
}

static void on_end(void *arg, const struct sc_session_end *ended)
{
    struct sc_cli *client = arg;
    struct sc_session_end unknown;
    const struct sc_session_end *end = ended;
    client->info = NULL;
    if (end && *end->key_type) {
        unknown = *end;
        if (handle_unknown_server(client, end, &unknown.err)) {
            return;
        }
        if (unknown.err.status == SC_EXIT_PIN) { /* of the pin that was typed */
            unknown.mismatch = (struct sc_pin_mismatch){{0}, {0}};
        }
        end = &unknown;
    }
    if (client->mode->on_end && client->mode->on_end(client, end)) {
        free_session(client);
        return;
    }
    client->ended = true;
    if (end) {
        client->status = sc_cli_fail(client->options, &end->err, &end->mismatch);
    }
}

static const struct sc_session_callbacks callbacks = {on_ready, on_reply, on_progress,
                                                      on_pins,  on_lost,  on_end};

/* --- What the modes share --- */

void sc_cli_connect(struct sc_cli *client)
{
    struct sc_err err;
    client->is_ready = false;
    client->session =
        sc_session_new(client->base, client->options->settings, client->options->target,
                       client->options->proxy_command, &callbacks, client, &err);
    if (!client->session) {
        client->status = sc_cli_fail(client->options, &err, NULL);
        client->ended = true;
    }
}

void sc_cli_end(struct sc_cli *client)
{
    if (client->session) {
        sc_session_close(client->session);
    } else {
        client->ended = true;
    }
}

bool sc_cli_iterate(struct sc_cli *client)
{
    if (!client->ended) {
        (void)event_base_loop(client->base, EVLOOP_ONCE);
    }
    return !client->ended;
}

void sc_cli_take_reply(struct sc_cli *client, const struct sc_session_reply *reply)
{
    if (reply->error_code != 0) {
        client->status = 1;
    }
    sc_cli_print_reply(client->options, client->info, reply, true);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

bool sc_cli_trim_line(const char **line, size_t *length)
{
    while (*length > 0 && is_blank(**line)) {
        (*line)++;
        (*length)--;
    }
    *length -= *length > 0 && (*line)[*length - 1] == '\r';
    return *length > 0 && **line != '#';
}

const struct sc_handler *sc_cli_parse_line(const char *line, size_t length, const char **text,
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
    if (command && !command->takes_body) {
        while (*text_length > 0 && is_blank((*text)[*text_length - 1])) {
            (*text_length)--;
        }
        return *text_length > 0 ? NULL : command;
    }
    return command;
}

static void show_pin_ready(struct sc_cli *client)
{
    sc_cli_print_pins(client->options, client->info);
    sc_session_close(client->session);
}

static const struct sc_cli_mode show_pin = {.on_ready = show_pin_ready};

/* --- The program --- */

static const struct sc_cli_mode *choose_mode(const struct sc_cli_options *options)
{
    if (options->show_pin) {
        return &show_pin;
    }
    if (options->command) {
        return options->repeat ? &sc_cli_repeat : &sc_cli_oneshot;
    }
#ifdef HAVE_LIBEDIT
    if (sc_prompt_is_wanted(options)) {
        return &sc_cli_interactive;
    }
#endif
    return &sc_cli_lines;
}

static int start(struct sc_cli *client, struct sc_err *err)
{
    if (!sc_descriptors_are_left_for_loop()) {
        return sc_err_set(err, EX_OSERR,
                          "can't make an event loop: out of file descriptors; raise the limit "
                          "(ulimit -n)");
    }
    client->base = event_base_new();
    if (!client->base) {
        return sc_err_set(err, EX_OSERR, "can't make an event loop: out of memory");
    }
    return client->mode->start ? client->mode->start(client, err) : 0;
}

static int run(const struct sc_cli_options *options)
{
    struct sc_cli client = {.options = options, .mode = choose_mode(options), .status = EX_OK};
    struct sc_err err;
    if (start(&client, &err) == 0) {
        client.saves_session = options->session_path && !options->show_pin &&
                               sc_session_file_load(options->session_path, options->settings);
        sc_cli_connect(&client);
        do {
            if (client.info && client.mode->run) {
                client.mode->run(&client);
            }
        } while (sc_cli_iterate(&client));
    } else {
        client.status = sc_cli_fail(options, &err, NULL);
    }
    if (client.mode->stop) {
        client.mode->stop(&client);
    }
    save_tls_session(&client);
    sc_session_free(client.session);
    if (client.base) {
        event_base_free(client.base);
    }
    return client.status;
}

static void print_versions(void)
{
    const char *mbedtls = sc_client_tls_version("mbedtls");
    sc_version_print(PROGRAM);
    if (mbedtls) {
        printf("%s\n", mbedtls);
    }
}

int main(int argc, char *argv[])
{
    struct sc_cli_options options;
    int status;
    sc_program_start();
    (void)signal(SIGPIPE, SIG_IGN);
    if (sc_cli_options_parse(&options, argc, argv, &status) != 0) {
        return sc_program_end(PROGRAM, status);
    }
    if (options.show_version) {
        print_versions();
    } else {
        const char *key_log = sc_key_log_path(PROGRAM);
        struct sc_client_error error = SC_CLIENT_ERROR_INIT;
        if (key_log && sc_client_settings_set_key_log(options.settings, key_log, &error) != 0) {
            sc_program_warn(PROGRAM, "%s", error.text);
        }
        status = options.doctor ? sc_doctor_run(&options, key_log) : run(&options);
    }
    sc_cli_options_fini(&options);
    return sc_program_end(PROGRAM, status);
}
