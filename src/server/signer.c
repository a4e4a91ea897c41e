/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/signer.h"

#include <pthread.h>
#include <stdlib.h>
#include <sysexits.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/thread.h"
#include "server/admission.h"
#include "tls/announcement.h"

struct sc_signer {
    pthread_mutex_t mutex; /* guards all but the budgets */
    pthread_cond_t changed;
    pthread_t thread;
    bool running, stopping;
    unsigned waiting;
    struct sc_message *first, **last; /* a queue */
    struct sc_admission_budget fast, rsa;
};

static struct sc_signer_job *job_of(struct sc_message *message)
{
    return (struct sc_signer_job *)(void *)message;
}

/* --- In its thread --- */

/* The oldest job; NULL: the end. */
static struct sc_signer_job *take(struct sc_signer *signer)
{
    struct sc_message *message = NULL;
    (void)pthread_mutex_lock(&signer->mutex);
    while (!signer->first && !signer->stopping) {
        (void)pthread_cond_wait(&signer->changed, &signer->mutex);
    }
    if (!signer->stopping) {
        message = signer->first;
        signer->first = message->next;
        signer->last = signer->first ? signer->last : &signer->first;
        signer->waiting--;
    }
    (void)pthread_mutex_unlock(&signer->mutex);
    return message ? job_of(message) : NULL;
}

/* Clients ask for proofs: one line a second. */
static void log_failure(struct sc_log_rate *rate, const struct sc_err *err)
{
    struct sc_log_line line;
    if (sc_log_begin_limited(&line, rate, 1, SC_EVENT_PINS_SIGNATURE_FAILED)) {
        sc_log_str(&line, "message", err->text);
        sc_log_end(&line);
    }
}

static void *run(void *arg)
{
    struct sc_signer *signer = arg;
    struct sc_signer_job *job;
    struct sc_log_rate rate = {0};
    while ((job = take(signer)) != NULL) {
        struct sc_err err;
        if (sc_pins_sign(job->key->key, job->exporter, job->signature, &job->signature_bytes,
                         &err) != 0) {
            job->signature_bytes = 0;
            log_failure(&rate, &err);
        }
        sc_mailbox_post(job->done, &job->base);
    }
    OPENSSL_thread_stop();
    return NULL;
}

/* --- In other threads --- */

static bool start(struct sc_signer *signer)
{
    signer->running = sc_thread_start(&signer->thread, "signer", run, signer) == 0;
    return signer->running;
}

struct sc_signer *sc_signer_new(struct sc_err *err)
{
    struct sc_signer *signer = calloc(1, sizeof(*signer));
    if (!signer) {
        (void)sc_err_set(err, EX_OSERR, "can't start: out of memory");
        return NULL;
    }
    (void)pthread_mutex_init(&signer->mutex, NULL);
    (void)pthread_cond_init(&signer->changed, NULL);
    signer->last = &signer->first;
    sc_admission_set_budget(&signer->fast, SC_SIGNER_RATE_FAST);
    sc_admission_set_budget(&signer->rsa, SC_SIGNER_RATE_RSA);
    return signer;
}

struct sc_signer_job *sc_signer_job_new(struct sc_signer *signer, struct sc_tls_context *tls,
                                        const struct sc_announced_key *key)
{
    struct sc_admission_budget *budget =
        key->scheme == SC_PINS_RSA_PSS_RSAE_SHA256 ? &signer->rsa : &signer->fast;
    if (!sc_admission_try(budget)) {
        return NULL;
    }
    struct sc_signer_job *job = calloc(1, sizeof(*job));
    if (job) {
        job->tls = sc_tls_context_ref(tls);
        job->key = key;
    }
    return job;
}

void sc_signer_job_free(struct sc_signer_job *job)
{
    if (job) {
        sc_tls_context_unref(job->tls);
        free(job);
    }
}

bool sc_signer_submit(struct sc_signer *signer, struct sc_signer_job *job)
{
    (void)pthread_mutex_lock(&signer->mutex);
    const bool ok = !signer->stopping && signer->waiting < SC_SIGNER_MAX_WAITING &&
                    (signer->running || start(signer));
    if (ok) {
        job->base.next = NULL;
        *signer->last = &job->base;
        signer->last = &job->base.next;
        signer->waiting++;
        (void)pthread_cond_signal(&signer->changed);
    }
    (void)pthread_mutex_unlock(&signer->mutex);
    return ok;
}

void sc_signer_stop(struct sc_signer *signer)
{
    if (!signer) {
        return;
    }
    (void)pthread_mutex_lock(&signer->mutex);
    const bool running = signer->running;
    signer->stopping = true;
    signer->running = false;
    (void)pthread_cond_signal(&signer->changed);
    (void)pthread_mutex_unlock(&signer->mutex);
    if (running) {
        (void)pthread_join(signer->thread, NULL);
    }
    while (signer->first) {
        struct sc_message *message = signer->first;
        signer->first = message->next;
        sc_signer_job_free(job_of(message));
    }
    signer->last = &signer->first;
}

void sc_signer_free(struct sc_signer *signer)
{
    if (signer) {
        sc_signer_stop(signer);
        (void)pthread_cond_destroy(&signer->changed);
        (void)pthread_mutex_destroy(&signer->mutex);
        free(signer);
    }
}
