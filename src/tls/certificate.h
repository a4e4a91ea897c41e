/* SPDX-License-Identifier: MIT */
/* What is in a certificate, as text that is safe to print. Thread: any. */
#ifndef SC_TLS_CERTIFICATE_H
#define SC_TLS_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include <openssl/x509v3.h>

/* "2036-11-18" (UTC). */
#define SC_CERTIFICATE_DATE_BYTES 32
void sc_certificate_date(time_t time, char out[SC_CERTIFICATE_DATE_BYTES]);

/* 0: it can't be read, or is NULL. */
time_t sc_certificate_time(const ASN1_TIME *time);

/* The dates of a certificate; 0 for one that can't be read. */
void sc_certificate_dates(const X509 *certificate, time_t *not_before, time_t *not_after);

/* A certificate that ends within this time is to be renewed. */
#define SC_CERTIFICATE_RENEW_S ((time_t)30 * 86400)

/* Whether it is valid now. False: it is outside of its dates, or they can't be read. */
bool sc_certificate_is_in_date(const X509 *certificate);

/*
 * "valid until 2036-11-18, 3649 more days", "not valid before 2040-01-01" or "expired on
 * 2021-01-01".
 */
#define SC_CERTIFICATE_VALIDITY_BYTES 80
void sc_certificate_describe_validity(time_t not_before, time_t not_after, time_t now,
                                      char out[SC_CERTIFICATE_VALIDITY_BYTES]);

/* A host name or an address of subjectAltName. False: another kind of name, or not a valid one. */
bool sc_certificate_name(const GENERAL_NAME *name, char *out, size_t out_size);

/*
 * The first host name of subjectAltName with a dot in it that is whole (no "*") and not `except`.
 * False: there is none, and `out` is as it was.
 */
bool sc_certificate_host_name(const X509 *certificate, const char *except, char *out,
                              size_t out_size);

/*
 * "localhost, 127.0.0.1, ::1": all of subjectAltName; ends with "..." when not all of it fits.
 * Empty: no names.
 */
void sc_certificate_names(const X509 *certificate, char *out, size_t out_size);

#endif
