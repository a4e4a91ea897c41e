/* SPDX-License-Identifier: MIT */
/* Files that sc-keygen is given: what is no key and no certificate, and keys that are encrypted. */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/pem.h>

#include "keygen_fixture.h"
#include "scratch.h"
#include "suite.h"
#include "tls/keygen.h"

START_TEST(files_that_hold_nothing_of_use)
{
    static const char *const texts[] = {
        "",
        "hello\n",
        "-----BEGIN CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
        ("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: "
         "NONE,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"),
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    };
    X509 *certificate;
    EVP_PKEY *key;
    scratch_enter();
    for (size_t i = 0; i < SC_COUNT_OF(texts); i++) {
        struct sc_err err = {0};
        scratch_write("a", texts[i]);
        ck_assert_ptr_null(sc_keygen_read_certificate("a", &err));
        assert_failed(&err, EX_DATAERR, "a: ");
        ck_assert_ptr_null(sc_keygen_read_key("a", NULL, NULL, &err));
        assert_failed(&err, EX_DATAERR, "a: ");
        ck_assert_int_eq(sc_keygen_read_either("a", NULL, NULL, &certificate, &key, &err), -1);
        assert_failed(&err, EX_DATAERR, "a: ");
    }
    struct sc_err err;
    scratch_write("a", texts[5]);
    ck_assert_ptr_null(sc_keygen_read_key("a", NULL, NULL, &err));
    assert_failed(&err, EX_DATAERR, "a: the private key in it is damaged, or of an unknown kind");
    ck_assert_int_eq(truncate("a", (1 << 20) + 1), 0);
    ck_assert_ptr_null(sc_keygen_read_key("a", NULL, NULL, &err));
    assert_failed(&err, EX_NOINPUT, "larger than 1048576 bytes");
    ck_assert_ptr_null(sc_keygen_read_certificate("none", &err));
    assert_failed(&err, EX_NOINPUT, "none");
    ck_assert_ptr_null(sc_keygen_read_key(".", NULL, NULL, &err));
    assert_failed(&err, EX_NOINPUT, ".");
    scratch_leave();
}
END_TEST

static int answer(char *out, int size, int writing, void *arg)
{
    const char **text = arg;
    (void)writing;
    (void)snprintf(out, (size_t)size, "%s", text[0]);
    text[1] = text[1] ? "asked again" : "asked";
    return (int)strlen(out);
}

/* Ctrl-C at the prompt. */
static int give_up(char *out, int size, int writing, void *arg)
{
    (void)answer(out, size, writing, arg);
    return -1;
}

START_TEST(an_encrypted_key_asks_once)
{
    EVP_PKEY *key = make_key();
    scratch_enter();
    for (int traditional = 0; traditional < 2; traditional++) {
        struct sc_err err;
        EVP_PKEY *read_key;
        const char *right[] = {"secret", NULL}, *wrong[] = {"guess", NULL}, *empty[] = {"", NULL};
        const char *given_up[] = {"", NULL};
        BIO *file = BIO_new_file("a.key", "w");
        ck_assert_int_eq(traditional
                             ? PEM_write_bio_PrivateKey_traditional(file, key, EVP_aes_128_cbc(),
                                                                    NULL, 0, NULL,
                                                                    (void *)(uintptr_t) "secret")
                             : PEM_write_bio_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), NULL, 0,
                                                             NULL, (void *)(uintptr_t) "secret"),
                         1);
        BIO_free(file);
        ck_assert_ptr_null(sc_keygen_read_key("a.key", NULL, NULL, &err));
        assert_failed(&err, EX_DATAERR, "encrypted");
        ck_assert_ptr_null(sc_keygen_read_key("a.key", answer, wrong, &err));
        assert_failed(&err, EX_DATAERR, "passphrase");
        ck_assert_str_eq(wrong[1], "asked");
        ck_assert_ptr_null(sc_keygen_read_key("a.key", answer, empty, &err));
        assert_failed(&err, EX_DATAERR, "passphrase");
        ck_assert_str_eq(empty[1], "asked");
        ck_assert_ptr_null(sc_keygen_read_key("a.key", give_up, given_up, &err));
        ck_assert_str_eq(given_up[1], "asked");
        ck_assert_ptr_nonnull(read_key = sc_keygen_read_key("a.key", answer, right, &err));
        ck_assert_str_eq(right[1], "asked");
        ck_assert_int_eq(EVP_PKEY_eq(key, read_key), 1);
        EVP_PKEY_free(read_key);
    }
    scratch_leave();
    EVP_PKEY_free(key);
}
END_TEST

SUITE_MAIN("keygen_read", files_that_hold_nothing_of_use, an_encrypted_key_asks_once)
