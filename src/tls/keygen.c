/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/keygen.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/asn1.h>
#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "tls/error.h"

#define MAX_NAME_BYTES 253U /* RFC 1035, without the final dot */
#define MAX_LABEL_BYTES 63U
#define MAX_COMMON_NAME_BYTES 64U /* RFC 5280, ub-common-name */
#define CLOCK_SKEW_S 3600L
#define SERIAL_BITS 128
#define KEY_ID_BYTES 20 /* RFC 7093: the leftmost 160 bits of a SHA-256 */

EVP_PKEY *sc_keygen_key(enum sc_key_kind kind, unsigned rsa_bits, struct sc_err *err)
{
    EVP_PKEY *key = NULL;

    ERR_clear_error();
    switch (kind) {
    case SC_KEY_EC_P256: key = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256"); break;
    case SC_KEY_ED25519: key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"); break;
    case SC_KEY_RSA:
        if (rsa_bits < SC_KEYGEN_MIN_RSA_BITS || rsa_bits > SC_KEYGEN_MAX_RSA_BITS) {
            (void)sc_err_set(err, EX_USAGE, "RSA %u: from %u to %u bits are possible", rsa_bits,
                             SC_KEYGEN_MIN_RSA_BITS, SC_KEYGEN_MAX_RSA_BITS);
            return NULL;
        }
        key = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)rsa_bits);
        break;
    }
    if (!key) {
        (void)sc_tls_err(err, EX_SOFTWARE, "can't make a key");
    }
    return key;
}

/* --- Names --- */

/* The bytes of an address, 4 or 16; 0: it is not one. */
static size_t read_address(const char *name, unsigned char out[16])
{
    if (inet_pton(AF_INET, name, out) == 1) {
        return 4;
    }
    return inet_pton(AF_INET6, name, out) == 1 ? 16 : 0;
}

static bool is_name_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Why a text is not a host name; NULL: it is one. */
static const char *refuse_host_name(const char *name)
{
    const size_t length = strlen(name);
    if (length == 0 || length > MAX_NAME_BYTES) {
        return "a host name has 1 to 253 characters";
    }
    const char *label = strncmp(name, "*.", 2) == 0 ? name + 2 : name;
    bool digits = true;
    for (;;) {
        size_t size = 0;
        for (digits = true; is_name_char(label[size]); size++) {
            digits = digits && label[size] >= '0' && label[size] <= '9';
        }
        const char end = label[size];
        if (end != '.' && end != '\0') {
            return (unsigned char)end >= 0x80
                       ? "write it in ASCII (xn--...)"
                       : "a host name has only letters, digits, '-', '_' and dots";
        }
        if (size == 0 || size > MAX_LABEL_BYTES || label[0] == '-' || label[size - 1] == '-') {
            return "between the dots there are 1 to 63 characters, with no '-' at either end";
        }
        if (end == '\0') {
            /* No top level domain is a number: this was meant to be an address. */
            return digits ? "neither an IPv4 address nor a host name" : NULL;
        }
        label += size + 1;
    }
}

int sc_keygen_check_name(const char *name, struct sc_err *err)
{
    unsigned char address[16];
    if (read_address(name, address) > 0) {
        return 0;
    }
    const char *why = refuse_host_name(name);
    return why ? sc_err_set(err, EX_USAGE, "name \"%.300s\": %s", name, why) : 0;
}

static bool is_repeated(const char *const *names, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (strcmp(names[i], names[index]) == 0) {
            return true;
        }
    }
    return false;
}

/* NULL: out of memory. */
static GENERAL_NAME *make_general_name(const char *name)
{
    unsigned char address[16];
    const size_t address_size = read_address(name, address);
    const bool is_address = address_size > 0;
    const void *bytes = is_address ? (const void *)address : name;
    const size_t size = is_address ? address_size : strlen(name);
    GENERAL_NAME *general = GENERAL_NAME_new();
    ASN1_STRING *value = ASN1_STRING_type_new(is_address ? V_ASN1_OCTET_STRING : V_ASN1_IA5STRING);

    if (!general || !value || !ASN1_STRING_set(value, bytes, (int)size)) {
        GENERAL_NAME_free(general);
        ASN1_STRING_free(value);
        return NULL;
    }
    GENERAL_NAME_set0_value(general, is_address ? GEN_IPADD : GEN_DNS, value);
    return general;
}

static bool add_names(X509 *certificate, const char *const *names, size_t name_count)
{
    GENERAL_NAMES *list = sk_GENERAL_NAME_new_null();
    bool ok = list != NULL;

    for (size_t i = 0; ok && i < name_count; i++) {
        if (is_repeated(names, i)) {
            continue;
        }
        GENERAL_NAME *general = make_general_name(names[i]);
        ok = general && sk_GENERAL_NAME_push(list, general) > 0;
        if (!ok) {
            GENERAL_NAME_free(general);
        }
    }
    ok = ok &&
         X509_add1_ext_i2d(certificate, NID_subject_alt_name, list, 0, X509V3_ADD_DEFAULT) == 1;
    sk_GENERAL_NAME_pop_free(list, GENERAL_NAME_free);
    return ok;
}

/* --- The certificate --- */

static bool add_constant_extension(X509 *certificate, int nid, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    const bool ok = extension && X509_add_ext(certificate, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

static bool add_key_identifier(X509 *certificate)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    unsigned size;
    ASN1_OCTET_STRING *id = ASN1_OCTET_STRING_new();
    const bool ok =
        id && X509_pubkey_digest(certificate, EVP_sha256(), digest, &size) == 1 &&
        ASN1_OCTET_STRING_set(id, digest, KEY_ID_BYTES) == 1 &&
        X509_add1_ext_i2d(certificate, NID_subject_key_identifier, id, 0, X509V3_ADD_DEFAULT) == 1;
    ASN1_OCTET_STRING_free(id);
    return ok;
}

/*
 * Not a CA, although it stands at the top of its own chain: OpenSSL, curl and GnuTLS take such a
 * certificate as its own trust anchor (all were tried; GnuTLS remarks on it), and in
 * a trust store its key can't sign certificates for other names.
 */
static bool add_extensions(X509 *certificate, const char *const *names, size_t name_count)
{
    return add_constant_extension(certificate, NID_basic_constraints, "critical,CA:FALSE") &&
           add_constant_extension(certificate, NID_key_usage, "critical,digitalSignature") &&
           add_constant_extension(certificate, NID_ext_key_usage, "serverAuth") &&
           add_key_identifier(certificate) && add_names(certificate, names, name_count);
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *serial = BN_new();
    const bool ok = serial &&
                    BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                    BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL;
    BN_free(serial);
    return ok;
}

static bool set_subject(X509 *certificate, const char *name)
{
    /* Programs look for names in subjectAltName only; this one is for humans. */
    const char *common = strlen(name) <= MAX_COMMON_NAME_BYTES ? name : "space-captain";
    X509_NAME *to = X509_get_subject_name(certificate);
    return X509_NAME_add_entry_by_NID(to, NID_commonName, MBSTRING_ASC,
                                      (const unsigned char *)common, -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, to) == 1;
}

static bool set_dates(X509 *certificate, unsigned days)
{
    time_t now = sc_clock_wall().tv_sec;
    return X509_time_adj_ex(X509_getm_notBefore(certificate), 0, -CLOCK_SKEW_S, &now) &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), (int)days, 0, &now);
}

X509 *sc_keygen_certificate(EVP_PKEY *key, const char *const *names, size_t name_count,
                            unsigned days, struct sc_err *err)
{
    if (days < 1 || days > SC_KEYGEN_MAX_DAYS) {
        (void)sc_err_set(err, EX_USAGE, "%u days: from 1 to %u are possible", days,
                         SC_KEYGEN_MAX_DAYS);
        return NULL;
    }
    if (name_count < 1 || name_count > SC_KEYGEN_MAX_NAMES) {
        (void)sc_err_set(err, EX_USAGE, "%zu names: a certificate takes 1 to %u", name_count,
                         SC_KEYGEN_MAX_NAMES);
        return NULL;
    }
    for (size_t i = 0; i < name_count; i++) {
        if (sc_keygen_check_name(names[i], err) != 0) {
            return NULL;
        }
    }

    ERR_clear_error();
    /* Ed25519 and Ed448 hash by themselves. */
    const int id = EVP_PKEY_get_base_id(key);
    const EVP_MD *digest = id == EVP_PKEY_ED25519 || id == EVP_PKEY_ED448 ? NULL : EVP_sha256();
    X509 *made = X509_new();
    if (made && X509_set_version(made, X509_VERSION_3) == 1 && set_serial(made) &&
        set_subject(made, names[0]) && set_dates(made, days) && X509_set_pubkey(made, key) == 1 &&
        add_extensions(made, names, name_count) && X509_sign(made, key, digest) > 0) {
        return made;
    }
    X509_free(made);
    (void)sc_tls_err(err, EX_SOFTWARE, "can't make a certificate");
    return NULL;
}

void sc_keygen_describe_key(const EVP_PKEY *key, char *out, size_t out_size)
{
    char group[64] = "";
    const char *type = EVP_PKEY_get0_type_name(key);

    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_EC: {
        (void)EVP_PKEY_get_group_name(key, group, sizeof(group), NULL);
        const char *nist = EC_curve_nid2nist(OBJ_txt2nid(group));
        (void)snprintf(out, out_size, "EC %s",
                       nist       ? nist
                       : group[0] ? group
                                  : "of a curve without a name");
        break;
    }
    case EVP_PKEY_ED25519: (void)snprintf(out, out_size, "Ed25519"); break;
    case EVP_PKEY_ED448: (void)snprintf(out, out_size, "Ed448"); break;
    case EVP_PKEY_RSA: (void)snprintf(out, out_size, "RSA %d", EVP_PKEY_get_bits(key)); break;
    default:
        (void)snprintf(out, out_size, "%s %d", type ? type : "unknown", EVP_PKEY_get_bits(key));
    }
    (void)sc_tls_take_errors(group, sizeof(group));
}
