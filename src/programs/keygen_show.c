/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "programs/keygen_show.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/escape.h"
#include "tls/certificate.h"
#include "tls/error.h"
#include "tls/keygen.h"
#include "tls/passphrase_prompt.h"
#include "tls/pin.h"

#define PORT "4242"

int sc_keygen_show_pins(const X509 *certificate, const EVP_PKEY *key, struct sc_err *err)
{
    uint8_t pin[SC_PIN_BYTES];
    uint8_t fingerprint[SC_PIN_BYTES];
    struct sc_pin_formats as;

    if ((certificate ? sc_pin_of_certificate(certificate, pin, err)
                     : sc_pin_of_key(key, pin, err)) != 0 ||
        (certificate && sc_pin_fingerprint(certificate, fingerprint, err) != 0)) {
        return -1;
    }
    sc_pin_format(pin, certificate ? fingerprint : NULL, &as);
    sc_pin_print(stdout, &as);
    return 0;
}

/*
 * The name to connect to in an example: localhost when the certificate has it, else its first host
 * name or address.
 */
static void choose_host(const X509 *certificate, char *out, size_t out_size)
{
    char name[256];
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    out[0] = '\0';
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        if (!sc_certificate_name(sk_GENERAL_NAME_value(names, i), name, sizeof(name)) ||
            name[0] == '*') {
            continue;
        }
        const bool local = strcmp(name, "localhost") == 0;
        if (!out[0] || local) {
            (void)snprintf(out, out_size, "%s", name);
        }
        if (local) {
            break;
        }
    }
    GENERAL_NAMES_free(names);
    if (!out[0]) {
        (void)snprintf(out, out_size, "localhost");
    }
}

/* --- Commands --- */

int sc_keygen_show_next_steps(const X509 *certificate, const char *certificate_path,
                              const char *key_path, struct sc_err *err)
{
    uint8_t pin[SC_PIN_BYTES];
    struct sc_pin_formats as;
    char host[256];
    char address[sizeof(host) + sizeof("[]:" PORT)];

    if (sc_pin_of_certificate(certificate, pin, err) != 0) {
        return -1;
    }
    sc_pin_format(pin, NULL, &as);
    choose_host(certificate, host, sizeof(host));
    const bool v6 = strchr(host, ':') != NULL;
    (void)snprintf(address, sizeof(address), "%s%s%s:" PORT, v6 ? "[" : "", host, v6 ? "]" : "");

    printf("\nNext, the server, with this pair:\n  sc-server --certificate ");
    sc_escape_shell(stdout, certificate_path);
    printf(" --private-key ");
    sc_escape_shell(stdout, key_path);
    printf("\nThen a client, which trusts this key and no other:\n");
    printf("  sc-client --connect %s --pin '%s' time\n", address, as.curl);
    printf("Other programs; each ends with status 0 only when the server has this key:\n");
    printf(
        "  curl -sS --insecure --pinnedpubkey '%s' --no-alpn --http0.9 -o /dev/null https://%s/\n",
        as.curl, address);
    printf("  openssl s_client -connect %s -brief -dane_tlsa_domain localhost -dane_tlsa_rrdata "
           "'%s' -dane_ee_no_namechecks "
           "-verify_return_error </dev/null\n",
           address, as.dane);
    printf("  gnutls-cli --x509cafile ");
    sc_escape_shell(stdout, certificate_path);
    printf(" --verify-hostname %s -p " PORT " %s </dev/null\n", host, host);
    return 0;
}

/* --- Files --- */

void sc_keygen_show_certificate(const char *path, const X509 *certificate)
{
    char until[SC_CERTIFICATE_DATE_BYTES], names[1024];
    time_t not_before, not_after;
    sc_certificate_dates(certificate, &not_before, &not_after);
    sc_certificate_date(not_after, until);
    sc_certificate_names(certificate, names, sizeof(names));
    printf("%s: certificate, valid until %s, for %s\n", path, until, names);
}

void sc_keygen_show_names_and_dates(const X509 *certificate)
{
    char names[1024], from[SC_CERTIFICATE_DATE_BYTES], validity[SC_CERTIFICATE_VALIDITY_BYTES];
    time_t not_before, not_after;
    sc_certificate_names(certificate, names, sizeof(names));
    sc_certificate_dates(certificate, &not_before, &not_after);
    sc_certificate_date(not_before, from);
    sc_certificate_describe_validity(not_before, not_after, sc_clock_wall().tv_sec, validity);
    printf("  names            %s\n", names[0] ? names : "none");
    printf("  dates            from %s; %s\n", from, validity);
}

int sc_keygen_show_file(const char *path, struct sc_err *err)
{
    char what[80];
    EVP_PKEY *key;
    X509 *certificate;
    int status = -1;

    if (sc_keygen_read_either(path, sc_passphrase_prompt(), (void *)(uintptr_t)path, &certificate,
                              &key, err) != 0) {
        return -1;
    }
    const EVP_PKEY *described = key ? key : X509_get0_pubkey(certificate);
    if (described) {
        sc_keygen_describe_key(described, what, sizeof(what));
        printf("%s: %s, %s\n", path, certificate ? "certificate" : "private key", what);
        if (certificate) {
            sc_keygen_show_names_and_dates(certificate);
        }
        status = sc_keygen_show_pins(certificate, key, err);
    } else {
        (void)sc_tls_err(err, EX_DATAERR, "%s: the public key in it can't be read", path);
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
    return status;
}
