/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/output_pins.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "client/output.h"
#include "tls/pin.h"

#define PROGRAM SC_CLI_PROGRAM
#define ALL_CLIENTS "sc-keygen --status --connect, or the status page of the server"

/* --- What this client accepts --- */

/* Where the pin store has a pin. */
static bool is_stored(const struct sc_cli_options *options, const uint8_t pin[SC_PIN_BYTES],
                      struct sc_client_stored_pin *out)
{
    for (unsigned i = 0;
         options->tofu != SC_CLI_TOFU_OFF &&
         sc_client_stored_pin(options->pin_store, options->target, i, out, NULL) == 1;
         i++) {
        if (memcmp(out->pin, pin, SC_PIN_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* As sc_pin_set_takes_key(), of the pins that were given. */
static int is_given(const struct sc_cli_options *options, const uint8_t pin[SC_PIN_BYTES])
{
    struct sc_pin_set *set = sc_pin_set_new();
    bool good = set != NULL;
    for (size_t i = 0; good && i < options->given.count; i++) {
        const struct sc_opt_setting *setting = &options->given.list[i];
        if (strcmp(setting->option->name, "pin") == 0) {
            good = sc_pin_set_add(set, setting->value, NULL) == 0;
        }
    }
    const int takes = good ? sc_pin_set_takes_key(set, pin) : -1;
    sc_pin_set_free(set);
    return takes;
}

/* --- Text --- */

static void print_next(const struct sc_cli_options *options, const uint8_t next[SC_PIN_BYTES])
{
    struct sc_client_stored_pin stored = SC_CLIENT_STORED_PIN_INIT;
    if (is_stored(options, next, &stored)) {
        (void)fprintf(stderr, "%s: this client accepts the next key: %s:%u\n", PROGRAM, stored.path,
                      stored.line);
        return;
    }
    switch (is_given(options, next)) {
    case 1:
        (void)fprintf(stderr, "%s: this client accepts the next key: its pin was given\n", PROGRAM);
        break;
    case 0:
        (void)fprintf(stderr, "%s: this client does not accept the next key yet\n", PROGRAM);
        break;
    default:
        (void)fprintf(
            stderr,
            "%s: it is not known whether this client accepts the next key: a pin that was "
            "given names a certificate, or who issues it\n",
            PROGRAM);
    }
}

static void print_reported(const struct sc_cli_options *options, const struct sc_client_info *info)
{
    struct sc_client_stored_pin stored = SC_CLIENT_STORED_PIN_INIT;
    struct sc_pin_formats as;
    if (info->named == 0) {
        (void)fprintf(
            stderr, "%s: this client has not reported to the server which pins it accepts%s\n",
            PROGRAM, options->tofu == SC_CLI_TOFU_OFF ? ": it does so with a pin store" : "");
    }
    for (unsigned i = 0; i < info->named; i++) {
        const uint8_t *named = info->named_pins + (size_t)i * SC_PIN_BYTES;
        const char *pin = sc_pin_text(named, &as);
        if (is_stored(options, named, &stored)) {
            (void)fprintf(stderr,
                          "%s: this client has reported to the server that it accepts %s (%s:%u)\n",
                          PROGRAM, pin, stored.path, stored.line);
        } else {
            (void)fprintf(stderr, "%s: this client has reported to the server that it accepts %s\n",
                          PROGRAM, pin);
        }
    }
}

void sc_cli_print_pins_text(const struct sc_cli_options *options, const struct sc_client_info *info,
                            const struct sc_client_pins *pins)
{
    struct sc_pin_formats as;
    printf("current  %s\n", sc_pin_text(pins->current, &as));
    if (!pins->has_next) {
        printf("next     none is announced\n");
    } else if (pins->proven) {
        printf("next     %s\n         proven: the server has signed with it for this connection "
               "(%s)\n",
               sc_pin_text(pins->next, &as), pins->scheme);
    } else {
        printf("next     %s\n         not proven: %s\n", sc_pin_text(pins->next, &as),
               pins->reason);
    }
    if (!options->verbose || !info) {
        return;
    }
    (void)fprintf(stderr, "%s: this client accepts the current key: %s\n", PROGRAM, info->pin);
    if (pins->has_next) {
        print_next(options, pins->next);
    }
    print_reported(options, info);
    if (pins->has_next) {
        (void)fprintf(stderr, "%s: how many of all clients accept the next key: " ALL_CLIENTS "\n",
                      PROGRAM);
    }
}

/* --- JSON --- */

static void put_next(const struct sc_cli_options *options, const struct sc_client_pins *pins)
{
    struct sc_client_stored_pin stored = SC_CLIENT_STORED_PIN_INIT;
    struct sc_pin_formats as;
    const bool in_store = is_stored(options, pins->next, &stored);
    const int takes = in_store ? 1 : is_given(options, pins->next);
    sc_cli_put_text("next", sc_pin_text(pins->next, &as));
    printf(",\"proven\":%s", pins->proven ? "true" : "false");
    sc_cli_put_text("scheme", pins->scheme);
    sc_cli_put_text("reason", pins->reason);
    if (options->tofu != SC_CLI_TOFU_OFF) {
        printf(",\"next_stored\":%s", in_store ? "true" : "false");
    }
    printf(",\"next_accepted\":%s", takes == 1 ? "true" : takes == 0 ? "false" : "null");
    sc_cli_put_text("all_clients", ALL_CLIENTS);
}

void sc_cli_print_pins_json(const struct sc_cli_options *options, const struct sc_client_info *info,
                            const struct sc_client_pins *pins)
{
    struct sc_pin_formats as;
    sc_cli_put_text("current", sc_pin_text(pins->current, &as));
    if (info) {
        sc_cli_put_text("current_accepted", info->pin);
        printf(",\"reported\":[");
        for (unsigned i = 0; i < info->named; i++) {
            printf("%s\"%s\"", i > 0 ? "," : "",
                   sc_pin_text(info->named_pins + (size_t)i * SC_PIN_BYTES, &as));
        }
        (void)putchar(']');
    }
    if (pins->has_next) {
        put_next(options, pins);
    }
}
