/* SPDX-License-Identifier: MIT */
/*
 * The keys of session tickets, outlasting the contexts that use them: a reload makes a new
 * context, and the tickets of the old one go on working. The keys are either in memory only and
 * rotate, or come from a file that several hosts share.
 *
 * In memory there are two keys. The current one makes tickets; the previous one still opens them,
 * and a client that comes with one gets a new ticket. Rotating erases the previous key, so that a
 * stolen process image opens no older connections. When the period is not below the session
 * timeout, every ticket can be opened as long as its session is valid.
 *
 * A file (tls/ticket_file) has one or more keys: the first makes tickets, all of them open tickets.
 *
 * Thread: any; the keys are guarded by a mutex that is held for a copy.
 */
#ifndef SC_TLS_TICKETS_H
#define SC_TLS_TICKETS_H

#include <stdbool.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"

struct sc_tickets;
struct sc_session_cache;

/* With random keys in memory. One reference; NULL: no memory, or no randomness. */
struct sc_tickets *sc_tickets_new(struct sc_err *err) SC_NODISCARD;
struct sc_tickets *sc_tickets_ref(struct sc_tickets *tickets);
void sc_tickets_unref(struct sc_tickets *tickets); /* NULL is fine; the last one erases the keys */

/*
 * Takes the keys of a file, or takes them again; sets `*changed` (may be NULL) when they are
 * others. On failure (EX_NOINPUT unreadable, EX_CONFIG not what it should be) the active keys
 * stay. Tickets made before with keys in memory open no more.
 */
int sc_tickets_use_file(struct sc_tickets *tickets, const char *path, bool *changed,
                        struct sc_err *err) SC_NODISCARD;

/*
 * Back to keys in memory: a new one makes tickets, the one of the file that did still opens them.
 * Nothing if they are in memory already.
 */
int sc_tickets_use_memory(struct sc_tickets *tickets, struct sc_err *err) SC_NODISCARD;

/*
 * Rotates keys in memory when `period_ms` has passed since the last time (twice when two have);
 * keys of a file stay. Sets `*next_ms` to how long to wait before asking again. On failure (no
 * randomness) the keys stay, and it is due again at once.
 */
int sc_tickets_rotate(struct sc_tickets *tickets, uint64_t period_ms, uint64_t *next_ms,
                      struct sc_err *err) SC_NODISCARD;

/*
 * Keys in memory as bytes, for a later process on this machine. They are secret: OPENSSL_cleanse()
 * them. Returns how many bytes; 0: the keys are those of a file.
 */
#define SC_TICKETS_SAVED_BYTES 184U
size_t sc_tickets_save(struct sc_tickets *tickets,
                       uint8_t out[SC_TICKETS_SAVED_BYTES]) SC_NODISCARD;

/*
 * Takes the keys that sc_tickets_save() has given, in place of those in memory; they keep their
 * age. -1 (EX_DATAERR): it has not given these bytes, and the keys stay.
 */
int sc_tickets_restore(struct sc_tickets *tickets, const uint8_t *bytes, size_t length,
                       struct sc_err *err) SC_NODISCARD;

/* Another number after each change of the keys; never 0. */
uint64_t sc_tickets_generation(struct sc_tickets *tickets);

/* How long the keys have been as they are: since they were made, rotated, or read from a file. */
uint64_t sc_tickets_age_ms(struct sc_tickets *tickets);

/*
 * Sessions that are resumed by id, which outlast a context as the keys do. Freed with the
 * tickets.
 */
struct sc_session_cache *sc_tickets_session_cache(const struct sc_tickets *tickets);

/*
 * Makes the context use the keys, which must outlast it. Called once for a context, by tls/context,
 * and takes its SSL_CTX_set_app_data(3).
 */
int sc_tickets_install(struct sc_tickets *tickets, SSL_CTX *ssl_ctx,
                       struct sc_err *err) SC_NODISCARD;

#endif
