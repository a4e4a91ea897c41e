/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/stored_tickets.h"

#include <openssl/crypto.h>

#include "base/log.h"

#define NAME "ticket-keys" /* FDNAME= */

static bool keys_are_in_memory(struct sc_tickets *tickets)
{
    uint8_t saved[SC_TICKETS_SAVED_BYTES];
    const size_t length = sc_tickets_save(tickets, saved);
    OPENSSL_cleanse(saved, sizeof(saved));
    return length > 0;
}

void sc_stored_tickets_restore(struct sc_sysd *sysd, struct sc_tickets *tickets)
{
    uint8_t stored[SC_SYSD_STORED_BYTES];
    size_t length;
    struct sc_err err;
    const int status = sc_sysd_take_stored(sysd, NAME, stored, &length, &err);
    const bool there = status != 0 || length > 0;
    if (there && keys_are_in_memory(tickets)) {
        if (status == 0 && sc_tickets_restore(tickets, stored, length, &err) == 0) {
            sc_log_message(SC_EVENT_TICKET_KEYS_RESTORED,
                           "sessions from before the restart can be resumed");
        } else {
            sc_log_message(SC_EVENT_TICKET_KEYS_NOT_RESTORED,
                           "what systemd kept under the name " NAME
                           " is not used: %s; the keys of session tickets are new, and each client "
                           "makes a full handshake",
                           err.text);
        }
    }
    OPENSSL_cleanse(stored, sizeof(stored));
}

void sc_stored_tickets_update(const struct sc_sysd *sysd, struct sc_tickets *tickets,
                              uint64_t *generation)
{
    const uint64_t now = sc_tickets_generation(tickets);
    uint8_t saved[SC_TICKETS_SAVED_BYTES];
    struct sc_err err;
    if (now == *generation) {
        return;
    }
    *generation = now;
    if (sc_sysd_store(sysd, NAME, saved, sc_tickets_save(tickets, saved), &err) != 0) {
        sc_log_message(SC_EVENT_TICKET_KEYS_NOT_STORED,
                       "after a restart each client makes a full handshake: %s", err.text);
    }
    OPENSSL_cleanse(saved, sizeof(saved));
}
