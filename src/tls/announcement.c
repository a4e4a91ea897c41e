/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/announcement.h"

#include <string.h>
#include <sysexits.h>

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "tls/error.h"
#include "tls/keygen.h"
#include "tls/pins_message.h"

/* Takes over the reference. On failure it is to be dropped as after success. */
static int set_key(struct sc_announced_key *announced, EVP_PKEY *key, struct sc_err *err)
{
    unsigned char *spki = NULL;
    const int bytes = i2d_PUBKEY(key, &spki);
    announced->key = key;
    announced->spki = spki;
    announced->spki_bytes = bytes > 0 ? (size_t)bytes : 0;
    announced->scheme = sc_pins_scheme_of(key);
    if (bytes <= 0) {
        return sc_tls_err(err, EX_OSERR, "can't encode a public key");
    }
    if (announced->spki_bytes > SC_PINS_MAX_SPKI_BYTES) {
        return sc_err_set(err, EX_CONFIG, "a public key of %zu bytes; at most %u can be announced",
                          announced->spki_bytes, SC_PINS_MAX_SPKI_BYTES);
    }
    (void)SHA256(announced->spki, announced->spki_bytes, announced->pin);
    return 0;
}

static void drop_key(struct sc_announced_key *announced)
{
    OPENSSL_free(announced->spki);
    EVP_PKEY_free(announced->key);
    *announced = (struct sc_announced_key){0};
}

static int load_next(struct sc_announced_key *next, const char *path, pem_password_cb *passphrase,
                     void *passphrase_arg, struct sc_err *err)
{
    char kind[80];
    EVP_PKEY *key = sc_keygen_read_key(path, passphrase, passphrase_arg, err);
    if (!key) {
        if (err && err->status == EX_DATAERR) {
            err->status = EX_CONFIG;
        }
        return sc_err_prefix(err, "next-private-key");
    }
    if (set_key(next, key, err) != 0) {
        return -1;
    }
    if (next->scheme == SC_PINS_NO_PROOF) {
        sc_keygen_describe_key(key, kind, sizeof(kind));
        return sc_err_set(err, EX_CONFIG,
                          "next-private-key %s: a key that can be announced is P-256, Ed25519 or "
                          "RSA of 2048 to 16384 bits, not %s",
                          path, kind);
    }
    return 0;
}

int sc_announcement_init(struct sc_announcement *announcement, EVP_PKEY *current,
                         const char *next_path, pem_password_cb *passphrase, void *passphrase_arg,
                         bool *same, struct sc_err *err)
{
    *announcement = (struct sc_announcement){0};
    (void)EVP_PKEY_up_ref(current);
    if (set_key(&announcement->current, current, err) != 0 ||
        (next_path &&
         load_next(&announcement->next, next_path, passphrase, passphrase_arg, err) != 0)) {
        sc_announcement_fini(announcement);
        return -1;
    }
    *same = next_path &&
            memcmp(announcement->current.pin, announcement->next.pin, SC_PINS_PIN_BYTES) == 0;
    if (*same) {
        drop_key(&announcement->next);
    }
    return 0;
}

void sc_announcement_fini(struct sc_announcement *announcement)
{
    drop_key(&announcement->current);
    drop_key(&announcement->next);
}
