/*
 * What a server serves with: a configuration and the TLS context that its files make. Loaded as a
 * whole, off to the side; whoever holds the old one is not touched, and nothing is put in force
 * here. Thread: the main one.
 */
#ifndef SC_SERVER_MATERIAL_H
#define SC_SERVER_MATERIAL_H

#include "base/err.h"
#include "server/configuration.h"
#include "server/passphrase.h"
#include "tls/context.h"
#include "tls/tickets.h"

struct sc_material {
    struct sc_config *config;
    struct sc_tls_context *tls;
    bool new_ticket_keys; /* loading it brought other keys from `ticket-keys` */
};

/*
 * Reads everything that the command line and the configuration name: two references in *out.
 * `tickets` live longer than a material: sessions go on after a reload. -1: `errors` says why, a
 * line each, and *out is untouched.
 */
int sc_material_load(const struct sc_cmdline *cmdline, struct sc_passphrase *passphrase,
                     struct sc_tickets *tickets, struct sc_material *out,
                     struct sc_config_errors *errors) SC_NODISCARD;

void sc_material_unref(struct sc_material *material);

/* `fresh` serves the same as the one in force: nothing in the files has changed. */
bool sc_material_equal(const struct sc_material *fresh, const struct sc_material *in_force);

/* Logs what the operator should know of it: warnings of the context, the end of the certificate. */
void sc_material_log_warnings(const struct sc_material *material);

#endif
