/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/client_command.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/escape.h"
#include "base/parse.h"
#include "net/addr.h"
#include "tls/announcement.h"
#include "tls/certificate.h"
#include "tls/pin.h"

static bool is_any(const struct sc_address *address)
{
    return !address->is_unix &&
           (strcmp(address->host, "::") == 0 || strcmp(address->host, "0.0.0.0") == 0);
}

static bool find_address(const struct sc_listen *listen, struct sc_address *out)
{
    bool found = false;
    for (size_t i = 0; i < sc_listen_count(listen); i++) {
        const char *text = sc_listen_address(listen, i);
        struct sc_address address;
        if (sc_parse_address(text, NULL, &address, NULL) != 0) {
            continue;
        }
        if (!sc_addr_is_local(text)) {
            *out = address;
            return true;
        }
        if (!found) {
            *out = address;
            found = true;
        }
    }
    return found;
}

/* In place of "all addresses". */
static void name_host(const struct sc_tls_context *tls, const char *own_address,
                      struct sc_address *address)
{
    const X509 *certificate = SSL_CTX_get0_certificate(sc_tls_context_ssl_ctx(tls));
    char own[256] = "";
    (void)gethostname(own, sizeof(own) - 1);
    if (!sc_certificate_host_name(certificate, own, address->host, sizeof(address->host))) {
        (void)snprintf(address->host, sizeof(address->host), "%s", own_address);
    }
}

void sc_own_address(char out[SC_OWN_ADDRESS_BYTES])
{
    if (!sc_addr_source(AF_INET, out, SC_OWN_ADDRESS_BYTES) &&
        !sc_addr_source(AF_INET6, out, SC_OWN_ADDRESS_BYTES)) {
        (void)snprintf(out, SC_OWN_ADDRESS_BYTES, "localhost");
    }
}

void sc_format_client_command(const struct sc_snapshot *snapshot, const struct sc_listen *listen,
                              const char *own_address, char *out, size_t out_size)
{
    struct sc_address address;
    struct sc_pin_formats pin;
    char text[300];
    out[0] = '\0';
    if (!find_address(listen, &address)) {
        return;
    }
    if (is_any(&address)) {
        name_host(snapshot->tls, own_address, &address);
    }
    sc_format_address(&address, text, sizeof(text));
    sc_pin_format(sc_tls_context_announcement(snapshot->tls)->current.pin, NULL, &pin);
    FILE *command = fmemopen(out, out_size - 1, "w");
    if (!command) {
        return;
    }
    (void)fputs("sc-client --connect ", command);
    sc_escape_shell(command, text);
    (void)fprintf(command, " --pin %s%s echo hello", pin.curl,
                  snapshot->config->client_auth == SC_PEER_AUTH_REQUIRE ? " --cert FILE --key FILE"
                                                                        : "");
    out[out_size - 1] = '\0';
    if (fclose(command) != 0) {
        out[0] = '\0'; /* it does not fit */
    }
}
