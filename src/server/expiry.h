/* SPDX-License-Identifier: MIT */
/*
 * Warns before and after what a server serves with ends: its certificate, that of the next key,
 * the OCSP response. A warning comes once a day, from 30 days ahead on, and for as long as the end
 * is past. An OCSP response may be made for a few days only: for it they begin 30, 7 or 1 days
 * ahead, at the first of these that is not more than half of its time; in the last quarter when it
 * is made for less than two days. Thread: the main one.
 */
#ifndef SC_SERVER_EXPIRY_H
#define SC_SERVER_EXPIRY_H

#include <limits.h>
#include <stdbool.h>
#include <time.h>

#include "server/snapshot.h"
#include "tls/certificate.h"

#define SC_EXPIRY_NOTICE_S SC_CERTIFICATE_RENEW_S /* of a certificate */

/* What was said of one end. Zeros: nothing yet. */
struct sc_expiry {
    time_t until;
    long said; /* a day of it; SC_EXPIRY_FAR: none */
};

#define SC_EXPIRY_FAR LONG_MAX

/*
 * --- The decision, in numbers alone. Times in seconds; `notice`: how long before `until` the
 * warnings begin.
 */

/* For something that is made for so long. */
time_t sc_expiry_notice(time_t lifetime);

/*
 * Which day it is: 30 to 1 before the end (1: the last 24 hours), 0 in the 24 hours after it, then
 * -1, -2, ...; SC_EXPIRY_FAR before the warnings begin.
 */
long sc_expiry_day(time_t until, time_t notice, time_t now);

/* Seconds until that is another; more than 0. */
time_t sc_expiry_next(time_t until, time_t notice, time_t now);

/* Whether a warning is due, which then counts as said: another day than that of the last one. */
bool sc_expiry_is_due(struct sc_expiry *expiry, time_t until, time_t notice, time_t now);

/* --- The ends of a snapshot --- */

struct sc_expiries {
    struct sc_expiry certificate, next_certificate, ocsp;
    time_t next_certificate_until; /* as it was found at the last check; 0: there is none */
};

/*
 * A snapshot is active from now on: that something has ended already is one of its own warnings
 * (sc_snapshot_log_warnings()), and not said again on this day.
 */
void sc_expiries_adopt(struct sc_expiries *expiries, const struct sc_snapshot *snapshot,
                       time_t now);

/* Logs what is due. Returns the seconds until something can be due again. */
time_t sc_expiries_check(struct sc_expiries *expiries, const struct sc_snapshot *snapshot,
                         time_t now);

#endif
