/* SPDX-License-Identifier: MIT */
/*
 * The key of a server, the one that comes after it, and the one that came before, as files beside
 * each other:
 *
 *   BASE.key           BASE.crt            current: what the server serves with
 *   BASE.next.key      BASE.next.crt       announced to clients, not served with yet
 *   BASE.previous.key  BASE.previous.crt   kept, to go back
 *
 * All that writes holds a lock on the directory, so one process at a time does, and can be killed
 * at any moment: no key is lost, what is there can be served with, and the same call again
 * finishes what was begun. The certificate is what decides: as soon as BASE.crt is the one of the
 * next key, that key is the current one (a server takes the one of the two that fits), and what is
 * left to do is to rename it.
 *
 * Thread: one.
 */
#ifndef SC_TLS_ROTATION_H
#define SC_TLS_ROTATION_H

#include <stdbool.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/err.h"

#define SC_ROTATION_PATH_BYTES 4096U

enum sc_rotation_slot { SC_ROTATION_CURRENT, SC_ROTATION_NEXT, SC_ROTATION_PREVIOUS };
#define SC_ROTATION_SLOTS 3U

/* The length of BASE in the path of a key: without .key, if it ends in that. */
size_t sc_rotation_base_length(const char *key_path);

/* "current", "next", "previous". */
const char *sc_rotation_slot_name(enum sc_rotation_slot slot);

struct sc_rotation_paths {
    char key[SC_ROTATION_PATH_BYTES], certificate[SC_ROTATION_PATH_BYTES];
};

struct sc_rotation {
    struct sc_rotation_paths paths[SC_ROTATION_SLOTS];
    int lock; /* a descriptor; -1: not locked */

    /* For keys that are encrypted; the argument is the path of the key. NULL: they are refused. */
    pem_password_cb *password;
};

/*
 * `base` is without .key and .crt. EX_USAGE too long. On success sc_rotation_fini() it, locked or
 * not.
 */
int sc_rotation_init(struct sc_rotation *rotation, const char *base, size_t base_length,
                     pem_password_cb *password, struct sc_err *err) SC_NODISCARD;
void sc_rotation_fini(struct sc_rotation *rotation);

/* EX_TEMPFAIL: another process is at it. EX_NOINPUT: there is no such directory. */
int sc_rotation_lock(struct sc_rotation *rotation, struct sc_err *err) SC_NODISCARD;

/*
 * What is in one place; what is not there is NULL. EX_NOINPUT unreadable, EX_DATAERR damaged, or
 * an encrypted key that was not opened.
 */
struct sc_rotation_pair {
    EVP_PKEY *key;
    X509 *certificate;
};
int sc_rotation_read(const struct sc_rotation *rotation, enum sc_rotation_slot slot,
                     struct sc_rotation_pair *out, struct sc_err *err) SC_NODISCARD;
void sc_rotation_pair_fini(struct sc_rotation_pair *pair); /* fine on zeros */

/* Whether the certificate is of the key; false without one of them. */
bool sc_rotation_fits(const X509 *certificate, const EVP_PKEY *key);

/* The following need the lock. */

/*
 * Puts a next key and its certificate there, in place of those that are. `key` NULL: the key that
 * is there stays.
 */
int sc_rotation_write_next(const struct sc_rotation *rotation, const EVP_PKEY *key,
                           const X509 *certificate, struct sc_err *err) SC_NODISCARD;

/* Replaces the current certificate. */
int sc_rotation_write_certificate(const struct sc_rotation *rotation, const X509 *certificate,
                                  struct sc_err *err) SC_NODISCARD;

enum sc_rotation_promoted {
    SC_ROTATION_PROMOTED,
    SC_ROTATION_FINISHED, /* one that was interrupted */
    SC_ROTATION_NOTHING, /* there is no next key: it has been made current already */
};

/*
 * Makes the next pair current and keeps the current one as previous, which it replaces. -1 and
 * nothing is changed: EX_NOINPUT no next key, and none was ever promoted; EX_DATAERR files that do
 * not belong together, or a next key that is the current one; EX_CANTCREAT, EX_IOERR.
 */
int sc_rotation_promote(const struct sc_rotation *rotation, enum sc_rotation_promoted *done,
                        struct sc_err *err) SC_NODISCARD;

#endif
