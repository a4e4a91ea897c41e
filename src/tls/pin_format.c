/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/pin.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "tls/error.h"
#include "tls/pin_set.h"

#define BASE64_BYTES 44 /* of 32 bytes, the '=' at the end included */

/* Takes over `der`, what an i2d function made. */
static int hash_der(unsigned char *der, int length, uint8_t out[SC_PIN_BYTES], struct sc_err *err)
{
    int rc = 0;
    if (length <= 0 || EVP_Digest(der, (size_t)length, out, NULL, EVP_sha256(), NULL) != 1) {
        rc = sc_tls_err(err, EX_OSERR, "can't hash the public key");
    }
    OPENSSL_free(der);
    return rc;
}

int sc_pin_of_certificate(const X509 *certificate, uint8_t out[SC_PIN_BYTES], struct sc_err *err)
{
    /* X509_pubkey_digest() would hash the bit string only. */
    unsigned char *der = NULL;
    const int length = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    return hash_der(der, length, out, err);
}

int sc_pin_of_key(const EVP_PKEY *key, uint8_t out[SC_PIN_BYTES], struct sc_err *err)
{
    unsigned char *der = NULL;
    const int length = i2d_PUBKEY(key, &der);
    return hash_der(der, length, out, err);
}

int sc_pin_fingerprint(const X509 *certificate, uint8_t out[SC_PIN_BYTES], struct sc_err *err)
{
    if (X509_digest(certificate, EVP_sha256(), out, NULL) != 1) {
        return sc_tls_err(err, EX_OSERR, "can't hash the certificate");
    }
    return 0;
}

/*
 * Hexadecimal digits, with `separator` between the bytes (0: none). `out` takes 3 * SC_PIN_BYTES
 * bytes.
 */
static void put_hex(const uint8_t bytes[SC_PIN_BYTES], char separator, char *out)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < SC_PIN_BYTES; i++) {
        if (i > 0 && separator) {
            *out++ = separator;
        }
        *out++ = digits[bytes[i] >> 4];
        *out++ = digits[bytes[i] & 15];
    }
    *out = '\0';
}

void sc_pin_format(const uint8_t pin[SC_PIN_BYTES], const uint8_t *fingerprint,
                   struct sc_pin_formats *out)
{
    char base64[BASE64_BYTES + 1];
    char hex[3 * SC_PIN_BYTES];
    (void)EVP_EncodeBlock((unsigned char *)base64, pin, SC_PIN_BYTES);
    (void)snprintf(out->curl, sizeof(out->curl), "sha256//%s", base64);
    (void)snprintf(out->rfc7469, sizeof(out->rfc7469), "pin-sha256=\"%s\"", base64);
    (void)snprintf(out->ssh, sizeof(out->ssh), "SHA256:%.*s", BASE64_BYTES - 1, base64);
    put_hex(pin, '\0', hex);
    (void)snprintf(out->dane, sizeof(out->dane), "3 1 1 %.64s", hex);
    out->cert_sha256[0] = '\0';
    if (fingerprint) {
        put_hex(fingerprint, ':', hex);
        (void)snprintf(out->cert_sha256, sizeof(out->cert_sha256), "cert-sha256:%s", hex);
    }
}

const char *sc_pin_text(const uint8_t pin[SC_PIN_BYTES], struct sc_pin_formats *buffer)
{
    sc_pin_format(pin, NULL, buffer);
    return buffer->curl;
}

void sc_pin_format_one(const struct sc_pin *pin, char *out, size_t out_size)
{
    struct sc_pin_formats forms;
    sc_pin_format(pin->digest, pin->digest, &forms);
    switch (pin->kind) {
    case SC_PIN_KEY: (void)snprintf(out, out_size, "%s", forms.curl); break;
    case SC_PIN_CERTIFICATE: (void)snprintf(out, out_size, "%s", forms.cert_sha256); break;
    case SC_PIN_DIGEST: (void)snprintf(out, out_size, "%s", forms.dane + strlen("3 1 1 ")); break;
    case SC_PIN_CA: (void)snprintf(out, out_size, "ca:%s", pin->path); break;
    }
}

void sc_pin_set_describe(const struct sc_pin_set *set, char *out, size_t out_size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < set->count && used < out_size; i++) {
        const struct sc_pin *pin = &set->pins[i];
        const bool file = pin->kind != SC_PIN_CA && pin->path;
        char form[128];
        sc_pin_format_one(pin, form, sizeof(form));
        const int length = snprintf(out + used, out_size - used, "%s%s%s%s%s", i > 0 ? " or " : "",
                                    form, file ? " (" : "", file ? pin->path : "", file ? ")" : "");
        used += length > 0 ? (size_t)length : 0;
    }
}

void sc_pin_print(FILE *out, const struct sc_pin_formats *as)
{
    (void)fprintf(out, "  sc-client, curl  %s\n", as->curl);
    (void)fprintf(out, "  RFC 7469         %s\n", as->rfc7469);
    (void)fprintf(out, "  ssh              %s\n", as->ssh);
    (void)fprintf(out, "  DANE (TLSA)      %s\n", as->dane);
    if (*as->cert_sha256) {
        (void)fprintf(out, "  certificate      %s\n", as->cert_sha256);
    }
}
