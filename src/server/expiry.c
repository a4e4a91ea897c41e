/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/expiry.h"

#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/parse.h"
#include "tls/announcement.h"
#include "tls/certificate.h"
#include "tls/keygen.h"
#include "tls/ocsp.h"
#include "tls/rotation.h"

#define DAY_S ((time_t)86400)
#define CHECK_S ((time_t)3600) /* the wall clock may be set, and files be replaced */

/* --- The decision --- */

time_t sc_expiry_notice(time_t lifetime)
{
    static const time_t days[] = {30, 7, 1};
    for (size_t i = 0; i < SC_COUNT_OF(days); i++) {
        if (days[i] * DAY_S <= lifetime / 2) {
            return days[i] * DAY_S;
        }
    }
    return lifetime / 4;
}

long sc_expiry_day(time_t until, time_t notice, time_t now)
{
    if (now >= until) {
        return -(long)((now - until) / DAY_S);
    }
    return until - now > notice ? SC_EXPIRY_FAR : (long)((until - now + DAY_S - 1) / DAY_S);
}

time_t sc_expiry_next(time_t until, time_t notice, time_t now)
{
    if (now >= until) {
        return DAY_S - (now - until) % DAY_S;
    }
    const time_t left = until - now;
    return left > notice ? left - notice : (left - 1) % DAY_S + 1;
}

bool sc_expiry_is_due(struct sc_expiry *expiry, time_t until, time_t notice, time_t now)
{
    const long day = sc_expiry_day(until, notice, now);
    const long said = expiry->until == until ? expiry->said : SC_EXPIRY_FAR;
    expiry->until = until;
    expiry->said = day;
    return day != SC_EXPIRY_FAR && day != said;
}

/* --- The ends of a snapshot --- */

/* "in 29 days", "in 9 minutes", "3 days ago". */
static void format_end(time_t until, time_t now, char *out, size_t out_size)
{
    const long left = (long)(until - now);
    const long days = sc_expiry_day(until, left, now);
    if (left <= 0) {
        (void)snprintf(out, out_size, "ended %ld day%s ago", -days, sc_plural((uint64_t)-days));
    } else if (days > 2) {
        (void)snprintf(out, out_size, "ends in %ld days", days);
    } else if (left > 2L * 3600) {
        (void)snprintf(out, out_size, "ends in %ld hours", (left + 3599) / 3600);
    } else {
        (void)snprintf(out, out_size, "ends in %ld minute%s", (left + 59) / 60,
                       sc_plural((uint64_t)(left + 59) / 60));
    }
}

static time_t check_certificate(struct sc_expiry *expiry, const struct sc_snapshot *snapshot,
                                time_t now)
{
    const time_t until = sc_tls_context_not_after(snapshot->tls);
    if (sc_expiry_is_due(expiry, until, SC_EXPIRY_NOTICE_S, now)) {
        char end[64];
        format_end(until, now, end, sizeof(end));
        sc_log_message(SC_EVENT_CERTIFICATE_EXPIRY,
                       "the certificate %s %s: put a new one for the same key in its place, then "
                       "reload",
                       snapshot->config->certificate, end);
    }
    return sc_expiry_next(until, SC_EXPIRY_NOTICE_S, now);
}

/* "server.next.crt" beside the next key. False: there is none that is of this key. */
static bool next_certificate(const struct sc_snapshot *snapshot, char path[SC_SNAPSHOT_PATH_BYTES],
                             time_t *until)
{
    const EVP_PKEY *key = sc_tls_context_announcement(snapshot->tls)->next.key;
    char *suffix = key && sc_snapshot_next_key(snapshot->config, path) ? strrchr(path, '.') : NULL;
    struct sc_err err;
    if (!suffix || strcmp(suffix, ".key") != 0) {
        return false;
    }
    memcpy(suffix, ".crt", sizeof(".crt"));
    X509 *certificate = sc_keygen_read_certificate(path, &err);
    const bool fits = sc_rotation_fits(certificate, key);
    if (fits) {
        time_t from;
        sc_certificate_dates(certificate, &from, until);
    }
    X509_free(certificate);
    return fits;
}

static time_t check_next_certificate(struct sc_expiry *expiry, const struct sc_snapshot *snapshot,
                                     time_t now, time_t *next_until)
{
    char path[SC_SNAPSHOT_PATH_BYTES];
    time_t until;
    const bool found = next_certificate(snapshot, path, &until);
    *next_until = found ? until : 0;
    if (!found) {
        return CHECK_S;
    }
    if (sc_expiry_is_due(expiry, until, SC_EXPIRY_NOTICE_S, now)) {
        char end[64];
        format_end(until, now, end, sizeof(end));
        sc_log_message(SC_EVENT_NEXT_CERTIFICATE_EXPIRY,
                       "the certificate %s of the next key %s: remove it and make another for the "
                       "same key with sc-keygen --next",
                       path, end);
    }
    return sc_expiry_next(until, SC_EXPIRY_NOTICE_S, now);
}

static time_t check_ocsp(struct sc_expiry *expiry, const struct sc_snapshot *snapshot, time_t now)
{
    const struct sc_ocsp *ocsp = sc_tls_context_ocsp(snapshot->tls);
    const time_t until = ocsp->next_update;
    const time_t notice = sc_expiry_notice(until - ocsp->this_update);
    if (!ocsp->der) {
        return CHECK_S;
    }
    if (sc_expiry_is_due(expiry, until, notice, now)) {
        const char *path = snapshot->config->ocsp_response;
        char end[64];
        format_end(until, now, end, sizeof(end));
        if (now >= until) {
            sc_log_message(SC_EVENT_OCSP_RESPONSE_ENDED,
                           "the OCSP response %s is out of date and is not sent any more: put a "
                           "new one in its place, then reload",
                           path);
        } else {
            sc_log_message(SC_EVENT_OCSP_RESPONSE_EXPIRY,
                           "the OCSP response %s %s: put a new one in its place, then reload", path,
                           end);
        }
    }
    return sc_expiry_next(until, notice, now);
}

void sc_expiries_adopt(struct sc_expiries *expiries, const struct sc_snapshot *snapshot, time_t now)
{
    const time_t until = sc_tls_context_not_after(snapshot->tls);
    const time_t response_until = sc_tls_context_ocsp(snapshot->tls)->next_update;
    if (now >= until) {
        (void)sc_expiry_is_due(&expiries->certificate, until, 0, now);
    }
    if (now >= response_until) { /* or there is none */
        (void)sc_expiry_is_due(&expiries->ocsp, response_until, 0, now);
    }
}

static time_t sooner(time_t a, time_t b)
{
    return a < b ? a : b;
}

time_t sc_expiries_check(struct sc_expiries *expiries, const struct sc_snapshot *snapshot,
                         time_t now)
{
    time_t again = CHECK_S;
    again = sooner(again, check_certificate(&expiries->certificate, snapshot, now));
    again = sooner(again, check_next_certificate(&expiries->next_certificate, snapshot, now,
                                                 &expiries->next_certificate_until));
    return sooner(again, check_ocsp(&expiries->ocsp, snapshot, now));
}
