/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/account.h"
#include "base/log.h"
#include "base/sysd.h"
#include "net/loop.h"
#include "base/program.h"
#include "server/configuration.h"
#include "server/memory_trim.h"
#include "server/snapshot.h"
#include "server/server.h"
#include "server/status_client.h"
#include "programs/version.h"

#define PROGRAM "sc-server"

/* What keeps the server from running is an error to the journal too. */
static int fail_one(const struct sc_err *err)
{
    char program[32];
    (void)snprintf(program, sizeof(program), "%s" PROGRAM, sc_log_error_prefix());
    return sc_program_fail(program, err);
}

static int fail(const struct sc_config_errors *errors)
{
    struct sc_err err = {.status = errors->status};
    for (size_t i = 0; i < errors->count; i++) {
        (void)snprintf(err.text, sizeof(err.text), "%s", errors->text[i]);
        (void)fail_one(&err);
    }
    return errors->status;
}

static int serve(const struct sc_cmdline *cmdline, struct sc_sysd *sysd,
                 const struct sc_snapshot *snapshot, struct sc_tickets *tickets,
                 struct sc_passphrase *passphrase)
{
    struct sc_err err = {0};
    sc_log_init(snapshot->config->log_level, snapshot->config->log_format);
    struct sc_server *server = sc_server_new(cmdline, sysd, snapshot, tickets, passphrase, &err);
    const int status = server && sc_server_run(server, &err) == 0 ? 0 : fail_one(&err);
    sc_server_free(server);
    return status;
}

/*
 * A check by root would see files that the service can't read: it looks as the account that the
 * configuration belongs to, and says so when something is wrong.
 */
static int load_to_check(const struct sc_cmdline *cmdline, struct sc_passphrase *passphrase,
                         struct sc_tickets *tickets, struct sc_snapshot *snapshot,
                         struct sc_config_errors *errors)
{
    struct sc_account account;
    struct sc_err err;
    const bool other = sc_account_of_directory(sc_cmdline_config_file(cmdline), &account);
    if (other && sc_account_become(&account, &err) != 0) {
        return sc_config_error(errors, err.status, "%s", err.text);
    }
    const int result = sc_snapshot_load(cmdline, passphrase, NULL, tickets, snapshot, errors);
    for (size_t i = 0; result != 0 && other && i < errors->count; i++) {
        const size_t length = strlen(errors->text[i]);
        (void)snprintf(errors->text[i] + length, sizeof(errors->text[i]) - length,
                       " (read as the user %s)", account.name);
    }
    return result;
}

/* RUN and CHECK: both read everything. */
static int load_and_serve(const struct sc_cmdline *cmdline)
{
    struct sc_sysd sysd;
    struct sc_config_errors errors = {0};
    struct sc_snapshot snapshot = {0};
    struct sc_passphrase passphrase = {.sysd = &sysd, .may_ask = true};
    struct sc_err err = {0};
    int status;
    struct sc_tickets *tickets = sc_sysd_init(&sysd, &err) == 0 ? sc_tickets_new(&err) : NULL;
    if (!tickets) {
        return fail_one(&err);
    }
    const bool check_only = sc_cmdline_action(cmdline) == SC_CMDLINE_CHECK;
    const int loaded =
        check_only ? load_to_check(cmdline, &passphrase, tickets, &snapshot, &errors)
                   : sc_snapshot_load(cmdline, &passphrase, NULL, tickets, &snapshot, &errors);
    if (loaded != 0) {
        status = fail(&errors);
        if (check_only && status != EX_USAGE) {
            status = EX_CONFIG;
        }
    } else if (check_only) {
        sc_log_init(SC_LOG_WARNING, SC_LOG_TEXT);
        sc_snapshot_log_warnings(&snapshot);
        (void)puts("configuration ok");
        status = 0;
    } else {
        passphrase.may_ask = false; /* a reload must not wait for an answer */
        status = serve(cmdline, &sysd, &snapshot, tickets, &passphrase);
    }
    sc_snapshot_unref(&snapshot);
    sc_tickets_unref(tickets);
    sc_passphrase_erase(&passphrase);
    return status;
}

static int dump(const struct sc_cmdline *cmdline)
{
    struct sc_config_errors errors = {0};
    struct sc_config *config = sc_config_load(cmdline, &errors);
    if (!config) {
        return fail(&errors);
    }
    sc_config_write(config, stdout);
    sc_config_unref(config);
    return 0;
}

static int ask_status(const struct sc_address *address)
{
    struct sc_err err;
    return sc_status_client_print(address, stdout, &err) == 0 ? 0 : fail_one(&err);
}

static int fail_address(const struct sc_err *why)
{
    struct sc_err err;
    (void)sc_err_set(&err, EX_USAGE, "--status: %s", why->text);
    return fail_one(&err);
}

static int print_status(const struct sc_cmdline *cmdline)
{
    const char *text = sc_cmdline_status_address(cmdline);
    struct sc_config_errors errors = {0};
    struct sc_address address;
    struct sc_err err;
    if (text) {
        return sc_parse_address(text, NULL, &address, &err) == 0 ? ask_status(&address)
                                                                 : fail_address(&err);
    }
    struct sc_config *config = sc_config_load(cmdline, &errors);
    if (!config) {
        return fail(&errors);
    }
    int status;
    if (config->metrics_listen.count > 0) {
        status = ask_status(&config->metrics_listen.items[0]);
    } else {
        (void)sc_err_set(&err, EX_CONFIG,
                         "--status: metrics-listen is off in %s; set it and restart the server, or "
                         "name the address: --status ADDR",
                         sc_cmdline_config_file(cmdline));
        status = fail_one(&err);
    }
    sc_config_unref(config);
    return status;
}

static int run(const struct sc_cmdline *cmdline)
{
    switch (sc_cmdline_action(cmdline)) {
    case SC_CMDLINE_HELP: sc_opt_help(stdout, sc_config_option_table()); return 0;
    case SC_CMDLINE_VERSION: sc_version_print(PROGRAM); return 0;
    case SC_CMDLINE_SAMPLE: sc_config_write_sample(stdout); return 0;
    case SC_CMDLINE_DUMP: return dump(cmdline);
    case SC_CMDLINE_STATUS: return print_status(cmdline);
    case SC_CMDLINE_RUN:
    case SC_CMDLINE_CHECK: break;
    }
    return load_and_serve(cmdline);
}

int main(int argc, char **argv)
{
    struct sc_config_errors errors = {0};
    int status;
    sc_program_start();
    sc_memory_trim_setup();
    sc_loop_init();
    struct sc_cmdline *cmdline = sc_cmdline_parse(argc, argv, &errors);
    status = cmdline ? run(cmdline) : fail(&errors);
    sc_cmdline_free(cmdline);
    sc_loop_fini();
    return sc_program_end(PROGRAM, status);
}
