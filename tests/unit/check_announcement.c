/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/announcement.h"

#include <string.h>
#include <sysexits.h>

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/param_build.h>

#include "base/compiler.h"
#include "suite.h"
#include "tls/pins_message.h"
#include "tls_fixture.h"

/* A public key of so many bits, which nobody can sign with. */
static EVP_PKEY *rsa_of(int bits)
{
    EVP_PKEY *key = NULL;
    BIGNUM *modulus = BN_new(), *exponent = BN_new();
    OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    ck_assert_int_eq(BN_rand(modulus, bits, BN_RAND_TOP_TWO, BN_RAND_BOTTOM_ODD), 1);
    ck_assert_int_eq(BN_set_word(exponent, 65537), 1);
    ck_assert_int_eq(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, modulus), 1);
    ck_assert_int_eq(OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, exponent), 1);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
    ck_assert_int_eq(EVP_PKEY_fromdata_init(ctx), 1);
    ck_assert_int_eq(EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params), 1);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(builder);
    EVP_PKEY_CTX_free(ctx);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

START_TEST(which_rsa_keys_can_prove_themselves)
{
    static const int good[] = {2048, 3072, 8192, 16384}, bad[] = {2047, 16385};
    for (size_t i = 0; i < SC_COUNT_OF(good); i++) {
        EVP_PKEY *key = rsa_of(good[i]);
        ck_assert_uint_eq(sc_pins_scheme_of(key), SC_PINS_RSA_PSS_RSAE_SHA256);
        EVP_PKEY_free(key);
    }
    for (size_t i = 0; i < SC_COUNT_OF(bad); i++) {
        EVP_PKEY *key = rsa_of(bad[i]);
        ck_assert_uint_eq(sc_pins_scheme_of(key), SC_PINS_NO_PROOF);
        EVP_PKEY_free(key);
    }
}
END_TEST

/* Replies to PINS have room for no longer one. */
START_TEST(a_key_fits_or_is_refused)
{
    struct sc_announcement announcement;
    struct sc_err err = {0};
    bool same;
    EVP_PKEY *longest = rsa_of(16384), *longer = rsa_of(17000);
    ck_assert_int_eq(sc_announcement_init(&announcement, longest, NULL, NULL, NULL, &same, &err),
                     0);
    ck_assert_uint_le(announcement.current.spki_bytes, SC_PINS_MAX_SPKI_BYTES);
    ck_assert_ptr_null(announcement.next.key);
    sc_announcement_fini(&announcement);
    ck_assert_int_eq(sc_announcement_init(&announcement, longer, NULL, NULL, NULL, &same, &err),
                     -1);
    ck_assert_int_eq(err.status, EX_CONFIG);
    ck_assert_ptr_nonnull(strstr(err.text, "at most 2112 can be announced"));
    EVP_PKEY_free(longest);
    EVP_PKEY_free(longer);
}
END_TEST

SUITE_MAIN("announcement", which_rsa_keys_can_prove_themselves, a_key_fits_or_is_refused)
