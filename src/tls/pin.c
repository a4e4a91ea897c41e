#include "config.h"

#include "tls/pin.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "base/file.h"
#include "tls/error.h"
#include "tls/pin_set.h"

#define MAX_FILE_BYTES (1U << 20)

const char *const sc_pin_words[] = {"sha256//", "cert-sha256:", "ca:", NULL};

struct sc_pin_set *sc_pin_set_new(void)
{
    return calloc(1, sizeof(struct sc_pin_set));
}

static void pin_fini(struct sc_pin *pin)
{
    X509_STORE_free(pin->store);
    free(pin->path);
}

static void set_clear(struct sc_pin_set *set)
{
    for (size_t i = 0; i < set->count; i++) {
        pin_fini(&set->pins[i]);
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

static int out_of_memory(struct sc_err *err)
{
    return sc_err_set(err, EX_OSERR, "out of memory");
}

/* Takes over what `pin` points to, also on failure. A pin that is there already is dropped. */
static int set_append(struct sc_pin_set *set, struct sc_pin *pin, struct sc_err *err)
{
    for (size_t i = 0; i < set->count; i++) {
        if (set->pins[i].kind == pin->kind &&
            memcmp(set->pins[i].digest, pin->digest, SC_PIN_BYTES) == 0) {
            pin_fini(pin);
            return 0;
        }
    }
    struct sc_pin *pins = realloc(set->pins, (set->count + 1) * sizeof(*pins));
    if (!pins) {
        pin_fini(pin);
        return out_of_memory(err);
    }
    set->pins = pins;
    set->pins[set->count++] = *pin;
    return 0;
}

/* --- Pins given as text --- */

/* The value of a base64 digit (RFC 4648 section 4), -1: none. */
static int base64_value(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c ? strchr(digits, c) : NULL;
    return found ? (int)(found - digits) : -1;
}

/* Exactly 32 bytes: 43 digits, the last one carrying 4 bits, and one '=' that may be missing. */
static int take_base64(const char *text, size_t length, uint8_t out[SC_PIN_BYTES])
{
    if (length == 44 && text[43] == '=') {
        length--;
    }
    if (length != 43) {
        return -1;
    }
    uint32_t bits = 0;
    unsigned count = 0;
    for (size_t i = 0; i < length; i++) {
        const int value = base64_value(text[i]);
        if (value < 0) {
            return -1;
        }
        bits = bits << 6 | (uint32_t)value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            *out++ = (uint8_t)(bits >> count);
        }
    }
    return (bits & 3U) == 0 ? 0 : -1;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly 32 bytes of hexadecimal digits, with a colon between all bytes or none. */
static int take_hex(const char *text, size_t length, uint8_t out[SC_PIN_BYTES])
{
    const bool colons = length == 3 * SC_PIN_BYTES - 1;
    if (!colons && length != 2 * SC_PIN_BYTES) {
        return -1;
    }
    for (size_t i = 0; i < SC_PIN_BYTES; i++) {
        const int high = hex_value(text[0]), low = hex_value(text[1]);
        if (high < 0 || low < 0 || (colons && i + 1 < SC_PIN_BYTES && text[2] != ':')) {
            return -1;
        }
        out[i] = (uint8_t)(high << 4 | low);
        text += colons ? 3 : 2;
    }
    return 0;
}

/* A form of a pin that is not a file: how it starts. */
struct form {
    const char *prefix;
    enum sc_pin_kind kind;
};

/* A longer prefix comes before the one that it starts with. */
static const struct form forms[] = {
    {"sha256//", SC_PIN_KEY},    {"sha256/", SC_PIN_KEY},     {"sha256:", SC_PIN_KEY},
    {"pin-sha256=", SC_PIN_KEY}, {"pin-sha256:", SC_PIN_KEY}, {"cert-sha256:", SC_PIN_CERTIFICATE},
};

/*
 * The prefix is read in any case: ssh writes SHA256:, ghostunnel both. NULL: the text starts like
 * none of them.
 */
static const struct form *find_form(const char *text)
{
    for (size_t i = 0; i < SC_COUNT_OF(forms); i++) {
        if (strncasecmp(text, forms[i].prefix, strlen(forms[i].prefix)) == 0) {
            return &forms[i];
        }
    }
    return NULL;
}

/* One pin of a list, without the ';'. */
static int add_text(struct sc_pin_set *set, const char *text, size_t length, struct sc_err *err)
{
    const struct form *form = find_form(text);
    const size_t prefix = form ? strlen(form->prefix) : 0;
    if (!form || length < prefix) {
        return sc_err_set(err, EX_USAGE,
                          "\"%.*s\" is not a pin: expected sha256//BASE64 or cert-sha256:HEX",
                          (int)(length < 160 ? length : 160), text);
    }
    const char *value = text + prefix;
    size_t value_length = length - prefix;
    struct sc_pin pin = {.kind = form->kind};
    if (value_length >= 2 && value[0] == '"' && value[value_length - 1] == '"') {
        value++;
        value_length -= 2;
    }
    const bool key = form->kind == SC_PIN_KEY;
    int rc = (key ? take_base64 : take_hex)(value, value_length, pin.digest);
    if (rc != 0 && form == &forms[0]) {
        /*
         * "sha256/" and a digest whose base64 begins with a slash: a character is missing after
         * "sha256//".
         */
        rc = take_base64(value - 1, value_length + 1, pin.digest);
    }
    if (rc != 0) {
        return sc_err_set(err, EX_USAGE, "\"%.*s\" is not a pin: %s",
                          (int)(length < 160 ? length : 160), text,
                          key ? "32 bytes of base64, 44 characters, must follow (the hexadecimal "
                                "fingerprint of a certificate is cert-sha256:HEX)"
                              : "32 bytes of hexadecimal digits must follow");
    }
    return set_append(set, &pin, err);
}

static int add_list(struct sc_pin_set *set, const char *spec, struct sc_err *err)
{
    for (;;) {
        spec += strspn(spec, " ");
        const size_t length = strcspn(spec, ";");
        size_t trimmed = length;
        while (trimmed > 0 && spec[trimmed - 1] == ' ') {
            trimmed--;
        }
        if (add_text(set, spec, trimmed, err) != 0) {
            return -1;
        }
        if (spec[length] == '\0' || spec[length + 1] == '\0') {
            return 0;
        }
        spec += length + 1;
    }
}

/* --- Pins given as files --- */

/*
 * The next certificate of a PEM file; NULL at the end, and then *bad says whether it was a clean
 * end.
 */
static X509 *next_certificate(BIO *bio, bool *bad)
{
    ERR_clear_error();
    /* An empty passphrase for one that is encrypted: nobody is asked. */
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, (void *)(uintptr_t) "");
    if (!certificate) {
        const unsigned long code = ERR_peek_last_error();
        *bad = ERR_GET_LIB(code) != ERR_LIB_PEM || ERR_GET_REASON(code) != PEM_R_NO_START_LINE;
    }
    return certificate;
}

/* A pin for each certificate of the file. */
static int read_certificates(struct sc_pin_set *set, BIO *bio, const char *path, X509_STORE *store,
                             struct sc_err *err)
{
    bool bad = false;
    X509 *certificate;
    while ((certificate = next_certificate(bio, &bad))) {
        struct sc_pin pin = {.kind = SC_PIN_CERTIFICATE, .path = strdup(path)};
        int rc = pin.path ? sc_pin_fingerprint(certificate, pin.digest, err) : out_of_memory(err);
        if (rc == 0 && store && X509_STORE_add_cert(store, certificate) != 1) {
            rc = sc_tls_err(err, EX_DATAERR, "%s", path);
        }
        X509_free(certificate);
        if (rc != 0) {
            pin_fini(&pin);
            return -1;
        }
        if (set_append(set, &pin, err) != 0) {
            return -1;
        }
    }
    if (bad) {
        return sc_tls_err(err, EX_DATAERR, "%s holds a certificate that can't be read", path);
    }
    ERR_clear_error();
    if (set->count == 0) {
        return sc_err_set(err, EX_DATAERR,
                          "%s holds no certificate in PEM form (-----BEGIN CERTIFICATE-----)",
                          path);
    }
    return 0;
}

static int add_file(struct sc_pin_set *set, const char *path, X509_STORE *store, struct sc_err *err)
{
    struct sc_file file;
    if (sc_file_read(path, MAX_FILE_BYTES, &file, err) != 0) {
        return sc_err_prefix(err, "pinned certificate");
    }
    BIO *bio = BIO_new_mem_buf(file.bytes, (int)file.length);
    const int rc = bio ? read_certificates(set, bio, path, store, err) : out_of_memory(err);
    BIO_free(bio);
    sc_file_fini(&file);
    return rc;
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
        ok = EVP_DigestUpdate(ctx, &kind, 1) == 1 &&
             EVP_DigestUpdate(ctx, sorted[i].digest, SC_PIN_BYTES) == 1;
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
        out_of_memory(err);
    } else {
        rc = add_file(&files, path, pin.store, err);
    }
    if (rc == 0) {
        qsort(files.pins, files.count, sizeof(*files.pins), compare_digests);
        hash_pins(files.pins, files.count, pin.digest);
    }
    set_clear(&files);
    if (rc != 0) {
        pin_fini(&pin);
        return -1;
    }
    return set_append(set, &pin, err);
}

int sc_pin_set_add(struct sc_pin_set *set, const char *spec, struct sc_err *err)
{
    struct sc_pin_set added = {0};
    int rc;
    if (*spec == '\0') {
        rc = sc_err_set(err, EX_USAGE,
                        "empty pin: expected a certificate file, sha256//BASE64, cert-sha256:HEX "
                        "or ca:FILE");
    } else if (strncmp(spec, "ca:", 3) == 0) {
        rc = add_ca(&added, spec + 3, err);
    } else if (find_form(spec)) {
        rc = add_list(&added, spec, err);
    } else {
        rc = add_file(&added, spec, NULL, err);
    }
    for (size_t i = 0; i < added.count; i++) {
        if (rc == 0) {
            rc = set_append(set, &added.pins[i], err);
        } else {
            pin_fini(&added.pins[i]);
        }
    }
    free(added.pins);
    return rc;
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
