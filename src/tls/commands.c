/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/commands.h"

#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include <openssl/err.h>

#include "tls/command_files.h"
#include "tls/error.h"

/* Commands that have a key of their own, which does more than they do. */
static const struct {
    const char *command, *key;
} reserved[] = {
    {"Certificate", "certificate in [server]"},
    {"PrivateKey", "private-key in [server]"},
    {"VerifyMode", "client-auth in [tls]"},
};

static int check_reserved(const struct sc_tls_command *command, struct sc_err *err)
{
    for (size_t i = 0; i < SC_COUNT_OF(reserved); i++) {
        if (strcasecmp(command->name, reserved[i].command) == 0) {
            return sc_err_set(err, EX_CONFIG, "[tls] %s is not taken; use %s", command->name,
                              reserved[i].key);
        }
    }
    return 0;
}

static int apply_one(SSL_CONF_CTX *conf, const struct sc_tls_command *command, struct sc_err *err)
{
    ERR_clear_error();
    int rc = SSL_CONF_cmd(conf, command->name, command->value);
    if (rc > 0) {
        ERR_clear_error();
        return 0;
    }
    if (rc == -2) {
        ERR_clear_error();
        return sc_err_set(err, EX_CONFIG,
                          "[tls] %s is not a key of sc-server, and not a command for servers in "
                          "SSL_CONF_cmd(3); there are MinProtocol, CipherString, "
                          "Ciphersuites, Groups and more",
                          command->name);
    }
    if (rc == -3 || command->value[0] == '\0') {
        ERR_clear_error();
        return sc_err_set(err, EX_CONFIG, "[tls] %s needs a value; see SSL_CONF_cmd(3)",
                          command->name);
    }
    /*
     * For a bad value OpenSSL queues "bad value" with the command and value as data, and sometimes
     * the reason before it.
     */
    char reasons[384];
    (void)sc_tls_take_errors(reasons, sizeof(reasons));
    return sc_err_set(
        err, EX_CONFIG,
        "[tls] %s = %.128s: OpenSSL does not take this value: %s; see SSL_CONF_cmd(3)",
        command->name, command->value, reasons);
}

int sc_tls_commands_apply(SSL_CTX *context, const struct sc_tls_command *commands, size_t count,
                          uint8_t *digest, struct sc_err *err)
{
    uint8_t own[SC_TLS_COMMANDS_DIGEST_BYTES] = {0};
    for (size_t i = 0; i < count; i++) {
        if (check_reserved(&commands[i], err) != 0) {
            return -1;
        }
    }
    if (sc_tls_commands_digest(commands, count, NULL, digest ? digest : own, err) != 0) {
        return -1;
    }
    SSL_CONF_CTX *conf = SSL_CONF_CTX_new();
    if (!conf) {
        return sc_tls_err(err, EX_OSERR, "can't set up TLS");
    }
    (void)SSL_CONF_CTX_set_flags(conf, SC_TLS_COMMAND_FLAGS);
    SSL_CONF_CTX_set_ssl_ctx(conf, context);
    int rc = 0;
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = apply_one(conf, &commands[i], err);
    }
    if (rc == 0 && SSL_CONF_CTX_finish(conf) != 1) {
        rc = sc_tls_err(err, EX_CONFIG, "[tls] the commands do not go together");
    }
    SSL_CONF_CTX_free(conf);
    return rc;
}

int sc_tls_command_check(const struct sc_tls_command *command, struct sc_err *err)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    const int rc = context ? sc_tls_commands_apply(context, command, 1, NULL, err)
                           : sc_tls_err(err, EX_OSERR, "can't set up TLS");
    SSL_CTX_free(context);
    return rc;
}

bool sc_tls_command_is_client_ca(const struct sc_tls_command *command)
{
    return strncasecmp(command->name, "VerifyCA", strlen("VerifyCA")) == 0;
}
