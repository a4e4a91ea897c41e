/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/pin.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tls/pin_set.h"

static const char ca_prefix[] = "ca:";

const char *const sc_pin_words[] = {"sha256//BASE64", "cert-sha256:HEX", "ca:FILE", NULL};

int sc_pin_missing(struct sc_err *err, const char *target)
{
    return sc_err_set(err, SC_EXIT_UNTRUSTED,
                      "%s is not trusted: no pin was given; 'sc-client --connect %s --show-pin' "
                      "prints the pins, compare them with those that the server's owner names, "
                      "and give one with --pin",
                      target, target);
}

struct sc_pin_set *sc_pin_set_new(void)
{
    return calloc(1, sizeof(struct sc_pin_set));
}

void sc_pin_fini(struct sc_pin *pin)
{
    X509_STORE_free(pin->store);
    free(pin->path);
    free(pin->name);
}

static void set_clear(struct sc_pin_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        sc_pin_fini(&set->pins[i]);
    }
    free(set->pins);
    set->pins = NULL;
    set->count = 0;
}

void sc_pin_set_free(struct sc_pin_set *set)
{
    if (set) {
        set_clear(set);
        free(set);
    }
}

size_t sc_pin_set_count(const struct sc_pin_set *set)
{
    return set->count;
}

int sc_pin_set_append(struct sc_pin_set *set, struct sc_pin *pin, struct sc_err *err)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->pins[i].kind == pin->kind &&
            memcmp(set->pins[i].digest, pin->digest, SC_PIN_BYTES) == 0) {
            sc_pin_fini(pin);
            return 0;
        }
    }
    struct sc_pin *pins = realloc(set->pins, (set->count + 1) * sizeof(*pins));
    if (!pins) {
        sc_pin_fini(pin);
        return sc_err_set(err, EX_OSERR, "out of memory");
    }
    set->pins = pins;
    set->pins[set->count++] = *pin;
    return 0;
}

int sc_pin_set_add_key(struct sc_pin_set *set, const uint8_t pin[SC_PIN_BYTES], const char *where,
                       struct sc_err *err)
{
    struct sc_pin added = {.kind = SC_PIN_KEY, .path = strdup(where)};
    if (!added.path) {
        return sc_err_set(err, EX_OSERR, "out of memory");
    }
    memcpy(added.digest, pin, SC_PIN_BYTES);
    return sc_pin_set_append(set, &added, err);
}

int sc_pin_set_add_all(struct sc_pin_set *set, const struct sc_pin_set *from, struct sc_err *err)
{
    for (size_t i = 0; i < from->count; i++) {
        struct sc_pin copy = from->pins[i];
        copy.path = copy.path ? strdup(copy.path) : NULL;
        copy.name = copy.name ? strdup(copy.name) : NULL;
        if (copy.store) {
            (void)X509_STORE_up_ref(copy.store);
        }
        if (!copy.path != !from->pins[i].path || !copy.name != !from->pins[i].name) {
            sc_pin_fini(&copy);
            return sc_err_set(err, EX_OSERR, "out of memory");
        }
        if (sc_pin_set_append(set, &copy, err) != 0) {
            return -1;
        }
    }
    return 0;
}

size_t sc_pin_set_keys(const struct sc_pin_set *set, uint8_t out[][SC_PIN_BYTES], size_t room)
{
    size_t count = 0;
    for (size_t i = 0; i < set->count && count < room; i++) {
        if (set->pins[i].kind == SC_PIN_KEY) {
            memcpy(out[count++], set->pins[i].digest, SC_PIN_BYTES);
        }
    }
    return count;
}

int sc_pin_set_takes_key(const struct sc_pin_set *set, const uint8_t key[SC_PIN_BYTES])
{
    int takes = 0;
    for (size_t i = 0; i < set->count && takes != 1; i++) {
        const struct sc_pin *pin = &set->pins[i];
        const bool is_of_key = pin->kind == SC_PIN_KEY || pin->has_key;
        const uint8_t *its_key = pin->has_key ? pin->key : pin->digest;
        if ((is_of_key || pin->kind == SC_PIN_DIGEST) && memcmp(its_key, key, SC_PIN_BYTES) == 0) {
            takes = 1;
        } else if (!is_of_key) {
            takes = -1;
        }
    }
    return takes;
}

bool sc_pin_set_fingerprint(const struct sc_pin_set *set, uint8_t out[SC_PIN_BYTES])
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->pins[i].kind == SC_PIN_CERTIFICATE) {
            memcpy(out, set->pins[i].digest, SC_PIN_BYTES);
            return true;
        }
    }
    return false;
}

static int compare_digests(const void *a, const void *b)
{
    const struct sc_pin *left = a, *right = b;
    if (left->kind != right->kind) {
        return left->kind < right->kind ? -1 : 1;
    }
    return memcmp(left->digest, right->digest, SC_PIN_BYTES);
}

static void hash_pins(const struct sc_pin *sorted, size_t count, uint8_t out[SC_PIN_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) == 1;
    for (size_t i = 0; ok && i < count; i++) {
        const uint8_t kind = (uint8_t)sorted[i].kind;
        const char *name = sorted[i].name;
        ok = EVP_DigestUpdate(ctx, &kind, 1) == 1 &&
             EVP_DigestUpdate(ctx, sorted[i].digest, SC_PIN_BYTES) == 1 &&
             (!name || EVP_DigestUpdate(ctx, name, strlen(name) + 1) == 1);
    }
    if (!ok || EVP_DigestFinal_ex(ctx, out, NULL) != 1) {
        /* Only without memory; a digest that names no set keeps a saved session from being used. */
        memset(out, 0, SC_PIN_BYTES);
    }
    EVP_MD_CTX_free(ctx);
}

static int add_ca(struct sc_pin_set *set, const char *path, struct sc_err *err)
{
    struct sc_pin pin = {.kind = SC_PIN_CA, .store = X509_STORE_new(), .path = strdup(path)};
    struct sc_pin_set files = {0};
    int rc = -1;
    if (!pin.store || !pin.path) {
        (void)sc_err_set(err, EX_OSERR, "out of memory");
    } else if (sc_pin_is_text(path)) {
        (void)sc_err_set(err, EX_USAGE,
                         "\"ca:%.160s\" is not a pin: a file must follow ca:; a digest "
                         "is given without it",
                         path);
    } else {
        rc = sc_pin_set_add_file(&files, path, pin.store, err);
    }
    if (rc == 0) {
        qsort(files.pins, files.count, sizeof(*files.pins), compare_digests);
        hash_pins(files.pins, files.count, pin.digest);
    }
    set_clear(&files);
    if (rc != 0) {
        sc_pin_fini(&pin);
        return -1;
    }
    return sc_pin_set_append(set, &pin, err);
}

const char *sc_pin_path(const char *spec)
{
    if (strncmp(spec, ca_prefix, strlen(ca_prefix)) == 0) {
        return spec + strlen(ca_prefix);
    }
    return sc_pin_is_text(spec) ? NULL : spec;
}

int sc_pin_check_file(const char *path, struct sc_err *err)
{
    if (*path == '\0') {
        return sc_err_set(err, EX_USAGE, "the name of the file is empty");
    }
    return sc_pin_path(path) == path
               ? 0
               : sc_err_set(err, EX_USAGE, "\"%.160s\" is a pin: a file is expected", path);
}

/* `add_file`: what a FILE may be. */
static int add(struct sc_pin_set *set, const char *spec,
               int (*add_file)(struct sc_pin_set *, const char *, struct sc_err *),
               struct sc_err *err)
{
    struct sc_pin_set added = {0};
    int rc;
    if (*spec == '\0') {
        rc = sc_err_set(err, EX_USAGE,
                        "empty pin: expected a certificate file, sha256//BASE64, cert-sha256:HEX "
                        "or ca:FILE");
    } else if (strcmp(spec, ca_prefix) == 0) {
        rc = sc_err_set(err, EX_USAGE, "\"ca:\" is not a pin: a file must follow ca:");
    } else if (strncmp(spec, ca_prefix, strlen(ca_prefix)) == 0) {
        rc = add_ca(&added, spec + strlen(ca_prefix), err);
    } else if (sc_pin_is_text(spec)) {
        rc = sc_pin_set_add_text(&added, spec, err);
    } else {
        rc = add_file(&added, spec, err);
    }
    for (size_t i = 0; i < added.count; i++) {
        if (rc == 0) {
            rc = sc_pin_set_append(set, &added.pins[i], err);
        } else {
            sc_pin_fini(&added.pins[i]);
        }
    }
    free(added.pins);
    return rc;
}

static int add_certificates(struct sc_pin_set *set, const char *path, struct sc_err *err)
{
    return sc_pin_set_add_file(set, path, NULL, err);
}

int sc_pin_set_add(struct sc_pin_set *set, const char *spec, struct sc_err *err)
{
    return add(set, spec, add_certificates, err);
}

int sc_pin_set_add_clients(struct sc_pin_set *set, const char *spec, struct sc_err *err)
{
    return add(set, spec, sc_pin_set_add_clients_file, err);
}

void sc_pin_set_digest(const struct sc_pin_set *set, uint8_t out[SC_PIN_BYTES])
{
    struct sc_pin *sorted = malloc((set->count + 1) * sizeof(*sorted));
    if (!sorted) {
        memset(out, 0, SC_PIN_BYTES);
        return;
    }
    if (set->count > 0) {
        memcpy(sorted, set->pins, set->count * sizeof(*sorted));
        qsort(sorted, set->count, sizeof(*sorted), compare_digests);
    }
    hash_pins(sorted, set->count, out);
    free(sorted);
}
