/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/ocsp.h"

#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "base/file.h"
#include "tls/certificate.h"
#include "tls/error.h"

#define MAX_BYTES (64U * 1024U)
#define CLOCK_SKEW_S 300
#define MAX_AGE_S (7 * 24 * 3600) /* of a response that does not say until when it is good */

static X509 *find_issuer(X509 *leaf, STACK_OF(X509) * chain)
{
    if (X509_check_issued(leaf, leaf) == X509_V_OK) {
        return leaf;
    }
    for (int i = 0; i < sk_X509_num(chain); i++) {
        if (X509_check_issued(sk_X509_value(chain, i), leaf) == X509_V_OK) {
            return sk_X509_value(chain, i);
        }
    }
    return NULL;
}

/*
 * Is this answer about the leaf? With the hash that the responder chose; without the issuer its
 * name and the serial number decide.
 */
static bool is_about(const OCSP_SINGLERESP *single, X509 *leaf, X509 *issuer)
{
    const OCSP_CERTID *theirs = OCSP_SINGLERESP_get0_id(single);
    ASN1_OBJECT *algorithm;
    ASN1_OCTET_STRING *name_hash;
    ASN1_INTEGER *serial;
    if (OCSP_id_get0_info(&name_hash, &algorithm, NULL, &serial,
                          (OCSP_CERTID *)(uintptr_t)theirs) != 1) {
        return false;
    }
    const EVP_MD *md = EVP_get_digestbyobj(algorithm);
    if (!md) {
        return false;
    }
    if (issuer) {
        OCSP_CERTID *ours = OCSP_cert_to_id(md, leaf, issuer);
        bool same = ours && OCSP_id_cmp(ours, theirs) == 0;
        OCSP_CERTID_free(ours);
        return same;
    }
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned int length;
    return ASN1_INTEGER_cmp(serial, X509_get0_serialNumber(leaf)) == 0 &&
           X509_NAME_digest(X509_get_issuer_name(leaf), md, hash, &length) == 1 &&
           ASN1_STRING_length(name_hash) == (int)length &&
           memcmp(ASN1_STRING_get0_data(name_hash), hash, length) == 0;
}

static int check_answer(const char *path, const OCSP_BASICRESP *basic, X509 *leaf,
                        STACK_OF(X509) * chain, struct sc_ocsp *out, struct sc_err *err)
{
    X509 *issuer = find_issuer(leaf, chain);
    OCSP_SINGLERESP *single = NULL;
    for (int i = 0; i < OCSP_resp_count((OCSP_BASICRESP *)(uintptr_t)basic) && !single; i++) {
        OCSP_SINGLERESP *candidate = OCSP_resp_get0((OCSP_BASICRESP *)(uintptr_t)basic, i);
        single = is_about(candidate, leaf, issuer) ? candidate : NULL;
    }
    if (!single) {
        return sc_err_set(
            err, EX_CONFIG,
            "OCSP response %s is for another certificate; fetch the one for this certificate",
            path);
    }
    ASN1_GENERALIZEDTIME *this_update, *next_update;
    int status = OCSP_single_get0_status(single, NULL, NULL, &this_update, &next_update);
    if (status != V_OCSP_CERTSTATUS_GOOD) {
        return sc_err_set(err, EX_CONFIG, "OCSP response %s says that the certificate is %s", path,
                          OCSP_cert_status_str(status));
    }
    out->this_update = sc_certificate_time(this_update);
    out->next_update =
        next_update ? sc_certificate_time(next_update) : out->this_update + MAX_AGE_S;
    return 0;
}

static int parse(const char *path, const struct sc_file *file, X509 *leaf, STACK_OF(X509) * chain,
                 struct sc_ocsp *out, struct sc_err *err)
{
    const unsigned char *cursor = (const unsigned char *)file->bytes;
    OCSP_RESPONSE *response = d2i_OCSP_RESPONSE(NULL, &cursor, (long)file->length);
    OCSP_BASICRESP *basic = NULL;
    int rc = -1;
    if (!response || cursor != (const unsigned char *)file->bytes + file->length) {
        (void)sc_err_set(err, EX_CONFIG,
                         "OCSP response %s is not one in DER; openssl ocsp -respout writes it",
                         path);
    } else if (OCSP_response_status(response) != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
        (void)sc_err_set(err, EX_CONFIG, "OCSP response %s says \"%s\"; ask the responder again",
                         path, OCSP_response_status_str(OCSP_response_status(response)));
    } else if (!(basic = OCSP_response_get1_basic(response))) {
        (void)sc_err_set(err, EX_CONFIG, "OCSP response %s is not of the type id-pkix-ocsp-basic",
                         path);
    } else if (check_answer(path, basic, leaf, chain, out, err) == 0) {
        out->der = OPENSSL_memdup(file->bytes, file->length);
        out->length = file->length;
        rc = out->der ? 0 : sc_err_set(err, EX_OSERR, "OCSP response %s: out of memory", path);
    }
    OCSP_BASICRESP_free(basic);
    OCSP_RESPONSE_free(response);
    ERR_clear_error();
    return rc;
}

int sc_ocsp_load(const char *path, X509 *leaf, STACK_OF(X509) * chain, struct sc_ocsp *out,
                 struct sc_err *err)
{
    struct sc_file file;
    memset(out, 0, sizeof(*out));
    if (sc_file_read(path, MAX_BYTES, &file, err) != 0) {
        return sc_err_prefix(err, "OCSP response");
    }
    int rc = parse(path, &file, leaf, chain, out, err);
    sc_file_fini(&file);
    if (rc != 0) {
        sc_ocsp_fini(out);
    }
    return rc;
}

void sc_ocsp_fini(struct sc_ocsp *ocsp)
{
    OPENSSL_free(ocsp->der);
    memset(ocsp, 0, sizeof(*ocsp));
}

bool sc_ocsp_is_current(const struct sc_ocsp *ocsp)
{
    time_t now = sc_clock_wall().tv_sec;
    return ocsp->der && now >= ocsp->this_update - CLOCK_SKEW_S && now < ocsp->next_update;
}

/* OpenSSL frees the copy with the connection. */
static int on_status(SSL *ssl, void *arg)
{
    const struct sc_ocsp *ocsp = arg;
    if (!sc_ocsp_is_current(ocsp)) {
        return SSL_TLSEXT_ERR_NOACK;
    }
    unsigned char *copy = OPENSSL_memdup(ocsp->der, ocsp->length);
    if (!copy || SSL_set_tlsext_status_ocsp_resp(ssl, copy, (long)ocsp->length) != 1) {
        OPENSSL_free(copy);
        return SSL_TLSEXT_ERR_NOACK;
    }
    return SSL_TLSEXT_ERR_OK;
}

int sc_ocsp_install(const struct sc_ocsp *ocsp, SSL_CTX *ssl_ctx, struct sc_err *err)
{
    ERR_clear_error();
    if (SSL_CTX_set_tlsext_status_cb(ssl_ctx, on_status) != 1 ||
        SSL_CTX_set_tlsext_status_arg(ssl_ctx, (void *)(uintptr_t)ocsp) != 1) {
        return sc_tls_err(err, EX_SOFTWARE, "can't staple the OCSP response");
    }
    return 0;
}
