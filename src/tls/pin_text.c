/* SPDX-License-Identifier: MIT */
/* Pins that are given as text: what people copy from curl, ssh, openssl, gnutls and the DNS. */
#include "config.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "tls/pin_set.h"

/* --- Digests --- */

#define BASE64_DIGITS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

/* Exactly 32 bytes: 43 digits, the last one carrying 4 bits, and one '=' that may be missing. */
static int take_base64(const char *text, size_t length, uint8_t out[SC_PIN_BYTES])
{
    char digits[45];
    unsigned char bytes[33];
    if (length == 44 && text[43] == '=') {
        length--;
    }
    if (length != 43) {
        return -1;
    }
    (void)snprintf(digits, sizeof(digits), "%.43s=", text);
    if (strspn(digits, BASE64_DIGITS) != 43 || !strchr("AEIMQUYcgkosw048", digits[42]) ||
        EVP_DecodeBlock(bytes, (const unsigned char *)digits, 44) != (int)sizeof(bytes)) {
        return -1;
    }
    memcpy(out, bytes, SC_PIN_BYTES);
    return 0;
}

int sc_pin_from_text(const char *text, uint8_t out[SC_PIN_BYTES])
{
    static const char prefix[] = "sha256//";
    const size_t skip = sizeof(prefix) - 1;
    return strncmp(text, prefix, skip) == 0 ? take_base64(text + skip, strlen(text + skip), out)
                                            : -1;
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

/* --- Forms --- */

enum { BASE64 = 1, HEX = 2 };

struct form {
    const char *prefix; /* read in any case: ssh writes SHA256:, openssl sha256 and SHA256 */
    enum sc_pin_kind kind;
    unsigned digits;
    const char *expected;
};

#define EXPECT_BASE64 "32 bytes of base64, 44 characters, must follow"
#define EXPECT_HEX "32 bytes, 64 hexadecimal digits, must follow"

/* A longer prefix comes before the one that it starts with. */
static const struct form forms[] = {
    {"sha256//", SC_PIN_KEY, BASE64, EXPECT_BASE64},
    {"sha256/", SC_PIN_KEY, BASE64, EXPECT_BASE64},
    /* With hexadecimal digits gnutls-cli means the key and certtool the certificate. */
    {"sha256:", SC_PIN_KEY, BASE64 | HEX, EXPECT_BASE64 ", or 64 hexadecimal digits"},
    {"pin-sha256=", SC_PIN_KEY, BASE64, EXPECT_BASE64},
    {"pin-sha256:", SC_PIN_KEY, BASE64, EXPECT_BASE64},
    {"cert-sha256:", SC_PIN_CERTIFICATE, HEX, EXPECT_HEX},
    {"sha256 Fingerprint=", SC_PIN_CERTIFICATE, HEX, EXPECT_HEX},
    {"3 1 1 ", SC_PIN_KEY, HEX, EXPECT_HEX},
    {"3 0 1 ", SC_PIN_CERTIFICATE, HEX, EXPECT_HEX},
};

/* NULL: the text starts like none of them. */
static const struct form *find_form(const char *text)
{
    for (size_t i = 0; i < SC_COUNT_OF(forms); i++) {
        if (strncasecmp(text, forms[i].prefix, strlen(forms[i].prefix)) == 0) {
            return &forms[i];
        }
    }
    return NULL;
}

/* "U S M " of a TLSA record (RFC 6698 section 2.1). */
static bool is_tlsa(const char *text)
{
    for (int i = 0; i < 3; i++, text += 2) {
        if (text[0] < '0' || text[0] > '9' || text[1] != ' ') {
            return false;
        }
    }
    return true;
}

/* Another digest than SHA-256: its name and what follows it in fingerprints. */
static bool is_other_digest(const char *text)
{
    static const char *const names[] = {"sha1", "sha224", "sha384", "sha512", "md5"};
    for (size_t i = 0; i < SC_COUNT_OF(names); i++) {
        const size_t length = strlen(names[i]);
        if (strncasecmp(text, names[i], length) == 0 &&
            (text[length] == ':' || strncmp(text + length, "//", 2) == 0 ||
             strncasecmp(text + length, " Fingerprint=", 13) == 0)) {
            return true;
        }
    }
    return false;
}

/* What stands in front of the digits of a whole record, "NAME IN TLSA ". */
static const char *skip_record(const char *text)
{
    const char *found = strcasestr(text, " TLSA ");
    return found && is_tlsa(found + 6) ? found + 6 : text;
}

static bool is_bare(const char *text, size_t length)
{
    uint8_t digest[SC_PIN_BYTES];
    return take_hex(text, length, digest) == 0 ||
           (take_base64(text, length, digest) == 0 && access(text, F_OK) != 0);
}

static size_t trim(const char **text, size_t length)
{
    while (length > 0 && isspace((unsigned char)**text)) {
        (*text)++;
        length--;
    }
    while (length > 0 && isspace((unsigned char)(*text)[length - 1])) {
        length--;
    }
    return length;
}

bool sc_pin_is_text(const char *spec)
{
    const char *text = spec;
    const size_t length = trim(&text, strlen(spec));
    text = skip_record(text);
    return find_form(text) || is_tlsa(text) || is_other_digest(text) || is_bare(text, length);
}

/* --- One pin --- */

#define SHOWN(length) (int)((length) < 160 ? (length) : 160)

static int refuse(const char *text, size_t length, const char *why, struct sc_err *err)
{
    return sc_err_set(err, EX_USAGE, "\"%.*s\" is not a pin: %s", SHOWN(length), text, why);
}

/* Text that no form begins. */
static int take_bare(const char *text, size_t length, struct sc_pin *pin, struct sc_err *err)
{
    pin->kind = SC_PIN_DIGEST;
    if (take_hex(text, length, pin->digest) == 0) {
        return 0;
    }
    if (take_base64(text, length, pin->digest) == 0) {
        return sc_err_set(err, EX_USAGE,
                          "\"%.*s\" does not say what it is: the pin of a key is sha256//%.*s",
                          SHOWN(length), text, SHOWN(length), text);
    }
    if (is_tlsa(text)) {
        return refuse(text, length,
                      "of TLSA records 3 1 1 HEX (the key) and 3 0 1 HEX (the certificate) are "
                      "taken; an issuer is ca:FILE",
                      err);
    }
    if (is_other_digest(text)) {
        return refuse(text, length, "its digest is not SHA-256, as in sha256//BASE64", err);
    }
    return refuse(text, length, "expected sha256//BASE64 or cert-sha256:HEX", err);
}

/* The digits of a TLSA record in a zone file may have blanks between them. */
static size_t join_digits(const char *text, size_t length, char out[3 * SC_PIN_BYTES])
{
    size_t used = 0;
    for (size_t i = 0; i < length; i++) {
        if (!isspace((unsigned char)text[i])) {
            if (used == 3 * SC_PIN_BYTES) {
                return 0;
            }
            out[used++] = text[i];
        }
    }
    return used;
}

static int take_value(const struct form *form, const char *value, size_t length, struct sc_pin *pin)
{
    char joined[3 * SC_PIN_BYTES];
    pin->kind = form->kind;
    if (is_tlsa(form->prefix)) {
        length = join_digits(value, length, joined);
        value = joined;
    }
    if (length >= 2 && value[0] == '"' && value[length - 1] == '"') {
        value++;
        length -= 2;
    }
    if ((form->digits & BASE64) && take_base64(value, length, pin->digest) == 0) {
        return 0;
    }
    if ((form->digits & HEX) && take_hex(value, length, pin->digest) == 0) {
        pin->kind = form->digits & BASE64 ? SC_PIN_DIGEST : form->kind;
        return 0;
    }
    /*
     * "sha256/" and a digest whose base64 begins with a slash: a character is missing after
     * "sha256//".
     */
    return form == &forms[0] ? take_base64(value - 1, length + 1, pin->digest) : -1;
}

/* A value that is wrong may be one of another form, or a file. */
static int refuse_value(const struct form *form, const char *text, size_t length, const char *value,
                        size_t value_length, struct sc_err *err)
{
    uint8_t digest[SC_PIN_BYTES];
    char file[256];
    if (take_hex(value, value_length, digest) == 0) {
        return sc_err_set(err, EX_USAGE,
                          "\"%.*s\" is not a pin: hexadecimal digits are written 3 1 1 %.*s for a "
                          "key and cert-sha256:%.*s for a certificate",
                          SHOWN(length), text, SHOWN(value_length), value, SHOWN(value_length),
                          value);
    }
    if (take_base64(value, value_length, digest) == 0) {
        return sc_err_set(err, EX_USAGE,
                          "\"%.*s\" is not a pin: %s; the pin of a key is sha256//%.*s",
                          SHOWN(length), text, form->expected, SHOWN(value_length), value);
    }
    (void)snprintf(file, sizeof(file), "%.*s", (int)value_length, value);
    if (*file && value_length < sizeof(file) && access(file, F_OK) == 0) {
        return sc_err_set(err, EX_USAGE,
                          "\"%.*s\" is not a pin: for a file give its name alone, %.*s",
                          SHOWN(length), text, SHOWN(value_length), value);
    }
    return refuse(text, length, form->expected, err);
}

/* One pin of a list, without the ';'. */
static int take_text(const char *text, size_t length, struct sc_pin *pin, struct sc_err *err)
{
    const char *start = skip_record(text);
    start = start < text + length ? start : text;
    const struct form *form = find_form(start);
    const size_t left = length - (size_t)(start - text);
    const size_t prefix = form ? strlen(form->prefix) : 0;
    if (!form || left < prefix) {
        return take_bare(start, left, pin, err);
    }
    return take_value(form, start + prefix, left - prefix, pin) == 0
               ? 0
               : refuse_value(form, text, length, start + prefix, left - prefix, err);
}

int sc_pin_set_add_text(struct sc_pin_set *set, const char *spec, struct sc_err *err)
{
    for (;;) {
        struct sc_pin pin = {.kind = SC_PIN_KEY};
        const size_t length = strcspn(spec, ";");
        const char *text = spec;
        const size_t trimmed = trim(&text, length);
        if (take_text(text, trimmed, &pin, err) != 0 || sc_pin_set_append(set, &pin, err) != 0) {
            return -1;
        }
        if (spec[length] == '\0' || spec[length + 1] == '\0') {
            return 0;
        }
        spec += length + 1;
    }
}
