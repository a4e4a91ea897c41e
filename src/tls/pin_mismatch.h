/* SPDX-License-Identifier: MIT */
/*
 * A server that no pin matches: what was expected and what it has shown, for people to compare.
 * Thread: any.
 */
#ifndef SC_TLS_PIN_MISMATCH_H
#define SC_TLS_PIN_MISMATCH_H

#include <stdio.h>

#include <openssl/x509.h>

#include "tls/pin.h"

/* Lines, with a newline between two. Empty: the server was refused for something else, or not. */
struct sc_pin_mismatch {
    char expected[1024]; /* "PIN", "PIN (FILE)", "ca:FILE (WHY)"; the last one may be how many more
                            there are */
    char got[192]; /* the pin of the key, and that of the certificate */
};

/*
 * `leaf` NULL: it has shown none, and *out is empty. `reason` is that of the sc_pin_result; it is
 * printed after the ca: pin that it names.
 */
void sc_pin_mismatch_find(const struct sc_pin_set *set, const X509 *leaf, const char *reason,
                          struct sc_pin_mismatch *out);

/*
 * As ssh(1) shows a key that has changed: who it was, both sides under each other, and what to do.
 * `repair` is the command that stores the new pin, and `check` the one to be run before it; NULL:
 * pins are given, not stored. Every line is escaped.
 */
void sc_pin_mismatch_print(FILE *out, const char *program, const char *target,
                           const struct sc_pin_mismatch *mismatch, const char *check,
                           const char *repair);

#endif
