/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/signer.h"

#include <string.h>

#include <event2/event.h>

#include "base/clock.h"
#include "kept_log.h"
#include "suite.h"
#include "tls/announcement.h"
#include "tls_fixture.h"

static uint64_t now_ns = UINT64_C(1000000000);
static struct event_base *base;
static struct sc_mailbox *mailbox;
static struct sc_signer *signer;
static struct sc_tls_context *tls;
static unsigned posted;
static struct sc_signer_job *last;

static void on_message(struct sc_message *message, void *arg)
{
    (void)arg;
    sc_signer_job_free(last);
    last = (struct sc_signer_job *)(void *)message;
    posted++;
}

static void on_discard(struct sc_message *message)
{
    sc_signer_job_free((struct sc_signer_job *)(void *)message);
}

static void begin(const char *next_kind)
{
    struct sc_err err;
    sc_clock_fake(&now_ns, NULL);
    fixture_write_pair("server", "P-256");
    EVP_PKEY *key = fixture_key(next_kind);
    fixture_write_key("next.key", key, NULL);
    EVP_PKEY_free(key);
    struct sc_tls_server_settings settings = fixture_settings("server");
    settings.next_private_key_path = fixture_path("next.key");
    tls = fixture_server(&settings);
    ck_assert_ptr_nonnull(base = event_base_new());
    ck_assert_ptr_nonnull(mailbox = sc_mailbox_new(base, on_message, NULL, &err));
    ck_assert_ptr_nonnull(signer = sc_signer_new(&err));
}

static void end(void)
{
    sc_signer_free(signer);
    sc_mailbox_free(mailbox, on_discard);
    event_base_free(base);
    sc_signer_job_free(last);
    last = NULL;
    sc_tls_context_unref(tls);
    sc_clock_fake(NULL, NULL);
}

/* True: it was taken. */
static bool submit(uint8_t exporter_byte)
{
    struct sc_signer_job *job =
        sc_signer_job_new(signer, tls, &sc_tls_context_announcement(tls)->next);
    if (!job) {
        return false;
    }
    memset(job->exporter, exporter_byte, sizeof(job->exporter));
    job->done = mailbox;
    if (!sc_signer_submit(signer, job)) {
        sc_signer_job_free(job);
        return false;
    }
    return true;
}

static void wait_for(unsigned count)
{
    while (posted < count) {
        ck_assert_int_ge(event_base_loop(base, EVLOOP_ONCE), 0);
    }
}

START_TEST(a_job_comes_back_with_a_proof)
{
    static const char *const kinds[] = {"P-256", "ED25519", "RSA2048"};
    struct sc_err err;
    for (unsigned i = 0; i < SC_COUNT_OF(kinds); i++) {
        begin(kinds[i]);
        posted = 0;
        ck_assert(submit(7));
        wait_for(1);
        const struct sc_announcement *keys = sc_tls_context_announcement(tls);
        struct sc_pins_key next = {.spki = keys->next.spki,
                                   .spki_bytes = keys->next.spki_bytes,
                                   .scheme = keys->next.scheme,
                                   .signature = last->signature,
                                   .signature_bytes = last->signature_bytes};
        memcpy(next.pin, keys->next.pin, sizeof(next.pin));
        ck_assert_int_eq(sc_pins_verify(&next, last->exporter, &err), 0);
        end();
    }
}
END_TEST

/* A key that can't sign, as often as clients ask: one line a second, and the jobs come back. */
START_TEST(failures_are_logged_once_a_second)
{
    begin("P-256");
    kept_start(SC_LOG_INFO);
    posted = 0;
    struct sc_announced_key broken = sc_tls_context_announcement(tls)->next;
    const unsigned char *spki = broken.spki;
    ck_assert_ptr_nonnull(broken.key = d2i_PUBKEY(NULL, &spki, (long)broken.spki_bytes));
    for (unsigned i = 0; i < 5; i++) {
        struct sc_signer_job *job = sc_signer_job_new(signer, tls, &broken);
        ck_assert_ptr_nonnull(job);
        job->done = mailbox;
        ck_assert(sc_signer_submit(signer, job));
        wait_for(i + 1);
        ck_assert_uint_eq(last->signature_bytes, 0);
    }
    ck_assert_uint_eq(kept_count, 1);
    ASSERT_HAS(kept_last(), " error pins_signature_failed message=");
    end();
    EVP_PKEY_free(broken.key);
}
END_TEST

/* Ten seconds, and a try each millisecond. */
static unsigned accepted_in_ten_seconds(void)
{
    unsigned taken = 0;
    for (unsigned ms = 0; ms < 10000; ms++) {
        struct sc_signer_job *job;
        now_ns += 1000000U;
        sc_clock_fake(&now_ns, NULL);
        while ((job = sc_signer_job_new(signer, tls, &sc_tls_context_announcement(tls)->next)) !=
               NULL) {
            sc_signer_job_free(job);
            taken++;
        }
    }
    return taken;
}

START_TEST(there_are_only_so_many_in_a_second)
{
    begin("RSA2048");
    unsigned taken = accepted_in_ten_seconds();
    ck_assert_uint_ge(taken, 10 * SC_SIGNER_RATE_RSA - 1);
    ck_assert_uint_le(taken, 10 * SC_SIGNER_RATE_RSA + SC_SIGNER_RATE_RSA / 10 + 1);
    end();
    begin("P-256");
    taken = accepted_in_ten_seconds();
    ck_assert_uint_ge(taken, 10 * SC_SIGNER_RATE_FAST - 1);
    ck_assert_uint_le(taken, 10 * SC_SIGNER_RATE_FAST + SC_SIGNER_RATE_FAST / 10 + 1);
    end();
}
END_TEST

START_TEST(only_so_many_wait_and_the_end_drops_them)
{
    begin("RSA2048");
    /* The queue is bounded whatever the rate: RSA takes far longer than this loop. */
    unsigned taken = 0;
    for (unsigned i = 0; i < 3 * SC_SIGNER_MAX_WAITING; i++) {
        now_ns += UINT64_C(10000000);
        sc_clock_fake(&now_ns, NULL);
        taken += submit(1);
    }
    ck_assert_uint_ge(taken, SC_SIGNER_MAX_WAITING);
    ck_assert_uint_lt(taken, 2 * SC_SIGNER_MAX_WAITING);
    sc_signer_stop(signer);
    ck_assert(!submit(1));
    sc_signer_stop(signer);
    end();
}
END_TEST

START_TEST(all_that_wait_come_back)
{
    begin("RSA2048");
    posted = 0;
    for (unsigned i = 0; i < 16; i++) { /* sooner than one is done */
        now_ns += UINT64_C(100000000);
        sc_clock_fake(&now_ns, NULL);
        ck_assert(submit(1));
    }
    wait_for(16);
    end();
}
END_TEST

START_TEST(what_is_done_makes_room)
{
    begin("P-256");
    posted = 0;
    for (unsigned i = 0; i < 2 * SC_SIGNER_MAX_WAITING; i++) {
        now_ns += UINT64_C(10000000);
        sc_clock_fake(&now_ns, NULL);
        ck_assert(submit(1));
        wait_for(i + 1);
    }
    end();
}
END_TEST

SUITE_MAIN("signer", a_job_comes_back_with_a_proof, failures_are_logged_once_a_second,
           there_are_only_so_many_in_a_second, only_so_many_wait_and_the_end_drops_them,
           all_that_wait_come_back, what_is_done_makes_room)
