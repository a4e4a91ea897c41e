/* SPDX-License-Identifier: MIT */
/*
 * Makes the proofs of the next key (PINS) in a thread of its own: a signature with RSA takes
 * milliseconds, and the requests of other clients do not wait for it. How many there are in a
 * second is bounded, and how many wait. The thread starts with the first.
 *
 * Thread: any, except where it says so.
 */
#ifndef SC_SERVER_SIGNER_H
#define SC_SERVER_SIGNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/mailbox.h"
#include "proto/pins.h"
#include "tls/context.h"
#include "tls/pins_message.h"

/*
 * Signatures a second: what they take is less than a third of a processor, for keys of up to
 * 4096 bits. A client that gets none asks again when it connects next.
 */
#define SC_SIGNER_RATE_FAST 2000U /* P-256, Ed25519 */
#define SC_SIGNER_RATE_RSA 100U
#define SC_SIGNER_MAX_WAITING 256U

struct sc_announced_key;
struct sc_signer;

/* A proof to be made. */
struct sc_signer_job {
    struct sc_message base; /* the first member, see net/mailbox.h */
    struct sc_tls_context *tls; /* a reference, which the job owns */
    const struct sc_announced_key *key; /* of its announcement: the one that signs */
    uint8_t exporter[SC_PINS_EXPORTER_BYTES];
    struct sc_mailbox *done; /* where it goes then */
    void *owner; /* of the poster; the signer does not look at it */

    size_t signature_bytes; /* 0: it could not be made */
    uint8_t signature[SC_PINS_MAX_SIGNATURE_BYTES];
};

struct sc_signer *sc_signer_new(struct sc_err *err) SC_NODISCARD; /* NULL: out of memory */

/*
 * Ends the thread and drops what waits; nothing is posted after this. Before the mailboxes are
 * freed. Safe to call twice; thread: the one that freed it. NULL is fine.
 */
void sc_signer_stop(struct sc_signer *signer);
void sc_signer_free(struct sc_signer *signer); /* stops first; NULL is fine */

/*
 * A job for a key of the announcement of `tls`, to which it takes a reference. NULL: there are too
 * many in this second, too many wait, or there is no memory. sc_signer_submit() or
 * sc_signer_job_free() it.
 */
struct sc_signer_job *sc_signer_job_new(struct sc_signer *signer, struct sc_tls_context *tls,
                                        const struct sc_announced_key *key);
void sc_signer_job_free(struct sc_signer_job *job);

/* Posts the job to its mailbox when it is done. False: it can't be, and stays the caller's. */
bool sc_signer_submit(struct sc_signer *signer, struct sc_signer_job *job);

#endif
