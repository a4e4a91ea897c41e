/* SPDX-License-Identifier: MIT */
/*
 * Pins: what a peer's certificate must be. A set holds one or more, any one match is enough (that
 * is how backup pins work).
 *
 *   FILE                    the certificates of a PEM file: the peer's leaf must be one of them,
 *                           byte for byte; or a public key in PEM form
 *   sha256//BASE64          SHA-256 of the leaf's public key (SubjectPublicKeyInfo), curl's
 *                           form; several pins of text may be joined by ';'
 *                           also read: sha256:B64, sha256/B64, pin-sha256="B64" (RFC 7469),
 *                           SHA256:B64 without padding (ssh), 3 1 1 HEX (TLSA, RFC 6698)
 *   cert-sha256:HEX         SHA-256 of the leaf, colons optional
 *                           also read: sha256 Fingerprint=HEX (openssl x509), 3 0 1 HEX
 *   HEX, sha256:HEX         SHA-256 of one or the other, colons optional: nobody can make a key
 *                           whose digest is that of a given certificate, nor the reverse
 *   ca:FILE                 a root or intermediate: chain validation up to it, host name and
 *                           validity included
 *
 * The words are read in any case. A file whose name looks like a pin is ./NAME.
 *
 * The check is made on the certificate of a finished handshake, resumed ones included: a resumed
 * handshake never calls a verify callback, so a check made in one is silently skipped there.
 *
 * Thread: a set is immutable once built; matching is safe from any thread.
 */
#ifndef SC_TLS_PIN_H
#define SC_TLS_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <openssl/ssl.h>

#include "base/err.h"

#define SC_PIN_BYTES 32U /* SHA-256 */

/* The forms for --help, and what a PIN can begin with, for completion. */
#define SC_PIN_HELP \
    "A PIN is what the server must show; one match is enough:\n" \
    "  FILE             a certificate in a PEM file\n" \
    "  sha256//BASE64   its public key; several with ';'\n" \
    "  cert-sha256:HEX  its certificate\n" \
    "  ca:FILE          its issuer; name and dates must be right too\n"
extern const char *const sc_pin_words[];

struct sc_pin_set;

/* No pin was given for a server: SC_EXIT_UNTRUSTED, and how to get one. Always returns -1. */
int sc_pin_missing(struct sc_err *err, const char *target);

struct sc_pin_set *sc_pin_set_new(void); /* NULL: out of memory */
void sc_pin_set_free(struct sc_pin_set *set); /* NULL is fine */

/*
 * Adds what one PIN argument names. On failure (EX_USAGE not a pin, EX_NOINPUT no such
 * file, EX_DATAERR no certificate in it) the set is as before. A pin that is there already is not
 * added twice.
 */
int sc_pin_set_add(struct sc_pin_set *set, const char *spec, struct sc_err *err) SC_NODISCARD;

/* Adds the pin of a key; `where` says what it comes from, as a file does. Fails with EX_OSERR. */
int sc_pin_set_add_key(struct sc_pin_set *set, const uint8_t pin[SC_PIN_BYTES], const char *where,
                       struct sc_err *err) SC_NODISCARD;

/* Adds what the other one has. Fails with EX_OSERR; then a part of it may be in the set. */
int sc_pin_set_add_all(struct sc_pin_set *set, const struct sc_pin_set *from,
                       struct sc_err *err) SC_NODISCARD;

/*
 * As sc_pin_set_add(), for the clients of a server: a FILE without PEM in it is a list of their
 * pins, a line each, "PIN NAME", PIN in a form without a file. Empty lines and those that begin
 * with # are left out. A name has up to SC_PIN_NAME_MAX letters, digits and ._@+-, and may have
 * several pins; a pin has one name, and there are at most 4096. EX_DATAERR with the file and the
 * number of the line.
 */
#define SC_PIN_NAME_MAX 64U
int sc_pin_set_add_clients(struct sc_pin_set *set, const char *spec,
                           struct sc_err *err) SC_NODISCARD;

/* The file that a PIN argument names, in the argument; NULL: it names none. */
const char *sc_pin_path(const char *spec);

/* -1: EX_USAGE, a pin was given where only a file is taken, or nothing. */
int sc_pin_check_file(const char *path, struct sc_err *err) SC_NODISCARD;

size_t sc_pin_set_count(const struct sc_pin_set *set);

/* The pins that are known to be of keys, in order, at most `room`. Returns how many. */
size_t sc_pin_set_keys(const struct sc_pin_set *set, uint8_t out[][SC_PIN_BYTES], size_t room);

/* The first that is known to be of a certificate. False: there is none. */
bool sc_pin_set_fingerprint(const struct sc_pin_set *set, uint8_t out[SC_PIN_BYTES]);

/* Whether a server with this key and this certificate would match, ca: pins aside. */
bool sc_pin_set_has(const struct sc_pin_set *set, const uint8_t key[SC_PIN_BYTES],
                    const uint8_t fingerprint[SC_PIN_BYTES]);

/*
 * Whether a server with this key matches: 1, 0, or -1 when that depends on its certificate or its
 * issuer, which a pin names instead.
 */
int sc_pin_set_takes_key(const struct sc_pin_set *set, const uint8_t key[SC_PIN_BYTES]);

/* The pins, human-readable, "PIN (FILE) or PIN or ...", cut to fit. */
void sc_pin_set_describe(const struct sc_pin_set *set, char *out, size_t out_size);

/*
 * SHA-256 over the sorted pins and their names: names a set, so that a saved session is used only
 * with the pins it was made under.
 */
void sc_pin_set_digest(const struct sc_pin_set *set, uint8_t out[SC_PIN_BYTES]);

/*
 * Why nothing matched. UNCHECKED: out of memory, and so it is not known. EXPIRED, NOT_YET_VALID and
 * WRONG_NAME: the pinned issuer of a ca: pin has issued the certificate, and this alone is wrong
 * with it.
 */
enum sc_pin_cause {
    SC_PIN_OTHER,
    SC_PIN_UNCHECKED,
    SC_PIN_EXPIRED,
    SC_PIN_NOT_YET_VALID,
    SC_PIN_WRONG_NAME
};

struct sc_pin_result {
    bool matched;
    enum sc_pin_cause cause; /* when it is not */
    char pin[128]; /* the pin that matched, in a form that can be given again (a path that does
                      not fit is cut) */
    bool by_issuer; /* it is a ca: pin */
    const char *name; /* of the pin that matched, in the set; NULL: it has none */
    bool expired; /* the leaf is outside its validity; a match by key or certificate stands all the
                     same */
    char reason[256]; /* why a ca: pin did not match, in plain words: that of `cause`, or else of
                         the last one; empty: there is no ca: pin */
};

/*
 * Holds the peer's certificate against the set. `host`, a name or an address, is checked for ca:
 * pins only, against subjectAltName and never against the CN (NULL: the name is not checked; an
 * empty one never matches). Returns 0 when one matches, -1 when none does or the set is empty. No
 * peer certificate: no match.
 *
 * A session that was saved to a file holds the leaf but not the intermediates. A ca: pin is then
 * checked with the leaf alone: it matches when the pinned certificate issued the leaf directly,
 * and else the reason says so; a full handshake helps.
 */
int sc_pin_set_match(const struct sc_pin_set *set, const SSL *ssl, const char *host,
                     struct sc_pin_result *result) SC_NODISCARD;

/*
 * The same for a certificate that the handshake of `ssl` has not accepted yet, with what the peer
 * sent along to build its chain. `ssl` NULL: that of a server, by another TLS library.
 */
int sc_pin_set_match_certificate(const struct sc_pin_set *set, const SSL *ssl, X509 *leaf,
                                 STACK_OF(X509) * chain, const char *host,
                                 struct sc_pin_result *result) SC_NODISCARD;

/*
 * SHA-256 of the SubjectPublicKeyInfo (not X509_pubkey_digest(), which leaves out the algorithm).
 */
int sc_pin_of_certificate(const X509 *certificate, uint8_t out[SC_PIN_BYTES],
                          struct sc_err *err) SC_NODISCARD;
int sc_pin_of_key(const EVP_PKEY *key, uint8_t out[SC_PIN_BYTES], struct sc_err *err) SC_NODISCARD;

/* SHA-256 of the whole certificate. */
int sc_pin_fingerprint(const X509 *certificate, uint8_t out[SC_PIN_BYTES],
                       struct sc_err *err) SC_NODISCARD;

/* Reads "sha256//BASE64", as sc_pin_format() writes it. */
int sc_pin_from_text(const char *text, uint8_t out[SC_PIN_BYTES]) SC_NODISCARD;

/*
 * Every form of a pin, ready to print. `fingerprint` may be NULL (a key alone has none): then
 * cert_sha256 is empty.
 */
struct sc_pin_formats {
    char curl[64]; /* sha256//BASE64 */
    char rfc7469[80]; /* pin-sha256="BASE64" */
    char ssh[64]; /* SHA256:BASE64 without padding */
    char dane[80]; /* 3 1 1 HEX (TLSA record) */
    char cert_sha256[120]; /* cert-sha256:AA:BB:... */
};
void sc_pin_format(const uint8_t pin[SC_PIN_BYTES], const uint8_t *fingerprint,
                   struct sc_pin_formats *out);

/* The first of these alone, "sha256//BASE64", which is in `buffer`. */
const char *sc_pin_text(const uint8_t pin[SC_PIN_BYTES], struct sc_pin_formats *buffer);

/* A line for each form, with what takes it. */
void sc_pin_print(FILE *out, const struct sc_pin_formats *as);

#endif
