/* SPDX-License-Identifier: MIT */
/* PINS: the server's keys as a connection gets them, and the proof that is made for it alone. */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "server/conn_state.h"
#include "server/pin_meter.h"
#include "server/signer.h"
#include "tls/announcement.h"
#include "tls/context.h"
#include "tls/pins_message.h"

/*
 * A proof, which holds for as long as the connection and the key do: no connection makes the
 * server sign twice with a key.
 */
struct sc_conn_proof {
    struct sc_tls_context *tls; /* a reference */
    const struct sc_announced_key *key; /* of its announcement */
    size_t signature_bytes;
    uint8_t signature[];
};

static void proof_free(struct sc_conn_proof *proof)
{
    if (proof) {
        sc_tls_context_unref(proof->tls);
        free(proof);
    }
}

/* That of what new connections get. */
static struct sc_tls_context *newest_tls(const struct sc_conn *conn)
{
    return conn->context->newest_tls ? *conn->context->newest_tls : conn->tls_context;
}

/* A key that comes after that of the connection, and what it is of. */
struct successor {
    struct sc_tls_context *tls;
    const struct sc_announced_key *key; /* its `key` NULL: there is none */
};

/*
 * The next key of the newest configuration; and for a connection that has outlived the key that it
 * was made with, the one that is served with by now.
 */
static struct successor successor_for(const struct sc_conn *conn)
{
    struct sc_tls_context *own = conn->tls_context;
    struct sc_tls_context *newest = newest_tls(conn);
    const struct sc_announcement *ours = sc_tls_context_announcement(own);
    const struct sc_announcement *theirs = sc_tls_context_announcement(newest);
    if (memcmp(ours->current.pin, theirs->current.pin, SC_PINS_PIN_BYTES) == 0) {
        return (struct successor){newest, &theirs->next};
    }
    return theirs->current.scheme != SC_PINS_NO_PROOF ? (struct successor){newest, &theirs->current}
                                                      : (struct successor){own, &ours->next};
}

static bool has_proof(const struct sc_conn *conn, const struct successor *next)
{
    return conn->proof && memcmp(conn->proof->key->pin, next->key->pin, SC_PINS_PIN_BYTES) == 0;
}

/* --- Proofs --- */

static struct sc_conn_proof *proof_of(const struct sc_signer_job *job)
{
    struct sc_conn_proof *proof = malloc(sizeof(*proof) + job->signature_bytes);
    if (proof) {
        proof->tls = sc_tls_context_ref(job->tls);
        proof->key = job->key;
        proof->signature_bytes = job->signature_bytes;
        memcpy(proof->signature, job->signature, job->signature_bytes);
    }
    return proof;
}

/* The connection may be gone: then the job has no owner. */
static void on_signed(struct sc_message *message, void *arg)
{
    struct sc_signer_job *job = (struct sc_signer_job *)(void *)message;
    struct sc_conn *conn = job->owner;
    (void)arg;
    if (conn) {
        conn->proof_job = NULL;
        proof_free(conn->proof);
        conn->proof = job->signature_bytes > 0 ? proof_of(job) : NULL;
        sc_tlsbev_again(conn->tls);
    }
    sc_signer_job_free(job);
}

static void discard(struct sc_message *message)
{
    sc_signer_job_free((struct sc_signer_job *)(void *)message);
}

void sc_conn_pins_context_fini(struct sc_conn_context *context)
{
    sc_mailbox_free(context->proofs, discard);
    context->proofs = NULL;
}

/* True: the signer has it, and on_signed() goes on. */
static bool ask_for_proof(struct sc_conn *conn, const struct successor *next)
{
    struct sc_conn_context *context = conn->context;
    struct sc_err err;
    uint8_t exporter[SC_PINS_EXPORTER_BYTES];
    if (!context->signer || !sc_pins_exporter(sc_tlsbev_ssl(conn->tls), exporter)) {
        return false;
    }
    if (!context->proofs) {
        context->proofs = sc_mailbox_new(context->base, on_signed, NULL, &err);
    }
    struct sc_signer_job *job =
        context->proofs ? sc_signer_job_new(context->signer, next->tls, next->key) : NULL;
    if (job) {
        memcpy(job->exporter, exporter, sizeof(exporter));
        job->done = context->proofs;
        job->owner = conn;
        if (sc_signer_submit(context->signer, job)) {
            conn->proof_job = job;
            return true;
        }
        sc_signer_job_free(job);
    }
    sc_stats_add(&context->stats->pins_without_proof, 1);
    return false;
}

/* --- Replies --- */

static struct sc_pins_key key_of(const struct sc_announced_key *announced)
{
    return (struct sc_pins_key){.spki = announced->spki, .spki_bytes = announced->spki_bytes};
}

static size_t build(const struct sc_conn *conn, const struct successor *next, uint8_t *reply)
{
    const struct sc_announcement *own = sc_tls_context_announcement(conn->tls_context);
    struct sc_pins_message message = {.current = key_of(&own->current)};
    if (next->key->key) {
        message.next = key_of(next->key);
        if (has_proof(conn, next)) {
            message.next.scheme = next->key->scheme;
            message.next.signature = conn->proof->signature;
            message.next.signature_bytes = conn->proof->signature_bytes;
        }
    }
    return sc_pins_build(&message, reply);
}

/* What the client says that it accepts, which decides whether the key can be changed. */
static void count_client(struct sc_conn *conn, const uint8_t *pins, size_t count)
{
    struct sc_conn_context *context = conn->context;
    const struct sc_announced_key *key = &sc_tls_context_announcement(newest_tls(conn))->next;
    const uint8_t *next = key->key ? key->pin : NULL;
    const enum sc_pin_said said = sc_pin_said(next, pins, count);
    sc_stats_add(&context->stats->pins_requests[said], 1);
    if (!context->pin_meter) {
        return;
    }
    if (conn->meter_client == 0) {
        conn->meter_client = sc_pin_meter_client(context->pin_meter, &conn->origin.peer);
    }
    sc_pin_meter_note(context->pin_meter, conn->meter_client, next, said);
}

enum sc_conn_pins sc_conn_pins_answer(struct sc_conn *conn, const uint8_t *body, size_t body_length,
                                      uint8_t *reply, size_t *reply_length)
{
    const struct successor next = successor_for(conn);
    if (body_length % SC_PINS_PIN_BYTES != 0 ||
        body_length / SC_PINS_PIN_BYTES > SC_PINS_MAX_ACCEPTED) {
        return SC_CONN_PINS_MALFORMED;
    }
    count_client(conn, body, body_length / SC_PINS_PIN_BYTES);
    if (next.key->key && !has_proof(conn, &next) && ask_for_proof(conn, &next)) {
        conn->pins_are_due = true;
        return SC_CONN_PINS_LATER;
    }
    *reply_length = build(conn, &next, reply);
    return SC_CONN_PINS_NOW;
}

size_t sc_conn_pins_late(struct sc_conn *conn, uint8_t *reply)
{
    struct successor next = successor_for(conn);
    conn->pins_are_due = false;
    if (conn->proof) {
        next = (struct successor){conn->proof->tls, conn->proof->key}; /* whatever was reloaded */
    }
    return build(conn, &next, reply);
}

void sc_conn_pins_fini(struct sc_conn *conn)
{
    if (conn->proof_job) {
        conn->proof_job->owner = NULL;
        conn->proof_job = NULL;
    }
    proof_free(conn->proof);
    conn->proof = NULL;
}
