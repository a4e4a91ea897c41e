/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/clock.h"
#include "leaks.h"
#include "pin_fixture.h"
#include "suite.h"
#include "tls/pin.h"

/* A connection as far as matching looks at it: whose side, and how strong a chain must be. */
static SSL *connection(bool server, int security_level)
{
    SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    SSL *ssl = SSL_new(ctx);
    ck_assert_ptr_nonnull(ssl);
    if (server) {
        SSL_set_accept_state(ssl);
    } else {
        SSL_set_connect_state(ssl);
    }
    SSL_set_security_level(ssl, security_level);
    SSL_CTX_free(ctx);
    return ssl;
}

/* Holds a certificate against pins, given one after the other. */
static struct sc_pin_result match_pins(const char *const *specs, const SSL *ssl,
                                       const struct identity *leaf, const char *host)
{
    struct sc_pin_result result;
    struct sc_err err;
    struct sc_pin_set *set = sc_pin_set_new();
    for (; *specs; specs++) {
        ck_assert_msg(sc_pin_set_add(set, *specs, &err) == 0, "%s: %s", *specs, err.text);
    }
    const int rc = sc_pin_set_match_certificate(set, ssl, leaf ? leaf->certificate : NULL, NULL,
                                                host, &result);
    ck_assert_int_eq(rc, result.matched ? 0 : -1);
    ck_assert_uint_eq(ERR_peek_error(), 0);
    sc_pin_set_free(set);
    return result;
}
#define MATCH(ssl, leaf, host, ...) \
    match_pins((const char *const[]){__VA_ARGS__, NULL}, ssl, leaf, host)

static struct sc_pin_formats spell(const struct identity *identity, unsigned flipped)
{
    uint8_t key[SC_PIN_BYTES], fingerprint[SC_PIN_BYTES];
    struct sc_pin_formats out;
    ck_assert_int_eq(sc_pin_of_certificate(identity->certificate, key, NULL), 0);
    ck_assert_int_eq(sc_pin_fingerprint(identity->certificate, fingerprint, NULL), 0);
    if (flipped < 8 * SC_PIN_BYTES) {
        key[flipped / 8] ^= (uint8_t)(1U << flipped % 8);
        fingerprint[flipped / 8] ^= (uint8_t)(1U << flipped % 8);
    }
    sc_pin_format(key, fingerprint, &out);
    return out;
}
#define NOT_FLIPPED 1000U

/* A pin is all of its 256 bits. */
START_TEST(one_wrong_bit_is_another_pin)
{
    struct identity leaf = make("a.example", "DNS:a.example", NULL, 0, 10);
    SSL *ssl = connection(false, 2);
    struct sc_pin_formats right = spell(&leaf, NOT_FLIPPED);
    ck_assert(MATCH(ssl, &leaf, NULL, right.curl).matched);
    ck_assert(MATCH(ssl, &leaf, NULL, right.cert_sha256).matched);
    for (unsigned bit = 0; bit < 8 * SC_PIN_BYTES; bit++) {
        struct sc_pin_formats wrong = spell(&leaf, bit);
        ck_assert_msg(!MATCH(ssl, &leaf, NULL, wrong.curl).matched, "bit %u of the key", bit);
        ck_assert_msg(!MATCH(ssl, &leaf, NULL, wrong.cert_sha256).matched,
                      "bit %u of the certificate", bit);
    }
    SSL_free(ssl);
    drop(&leaf);
}
END_TEST

START_TEST(any_pin_of_a_set_is_enough)
{
    struct identity leaf = make("a.example", "DNS:a.example", NULL, 0, 10);
    struct identity stranger = make("stranger", NULL, NULL, 0, 10);
    char path[32], authority[40];
    SSL *ssl = connection(false, 2);
    write_pem(path, 1, &stranger.certificate);
    (void)snprintf(authority, sizeof(authority), "ca:%s", path);
    struct sc_pin_formats right = spell(&leaf, NOT_FLIPPED), wrong = spell(&leaf, 0);
    ck_assert(MATCH(ssl, &leaf, NULL, right.curl, wrong.curl, wrong.cert_sha256).matched);
    ck_assert(MATCH(ssl, &leaf, NULL, wrong.curl, right.cert_sha256, wrong.cert_sha256).matched);

    /* What an earlier pin found wrong is forgotten. */
    const struct sc_pin_result result = MATCH(ssl, &leaf, NULL, authority, right.curl);
    ck_assert(result.matched);
    ck_assert_str_eq(result.pin, right.curl);
    ck_assert_str_eq(result.reason, "");
    ck_assert_str_ne(MATCH(ssl, &leaf, NULL, authority, wrong.curl).reason, "");

    const struct sc_pin_result none = MATCH(ssl, NULL, NULL, right.curl);
    ck_assert(!none.matched);
    ck_assert_str_eq(none.reason, "the peer has shown no certificate");
    ck_assert_int_eq(unlink(path), 0);
    SSL_free(ssl);
    drop(&leaf);
    drop(&stranger);
}
END_TEST

START_TEST(outside_of_its_dates_is_told_at_both_ends)
{
    struct identity early = make("a.example", "DNS:a.example", NULL, 5, 10);
    struct identity good = make("a.example", "DNS:a.example", NULL, -5, 5);
    struct identity late = make("a.example", "DNS:a.example", NULL, -10, -5);
    SSL *ssl = connection(false, 2);
    ck_assert(MATCH(ssl, &early, NULL, spell(&early, NOT_FLIPPED).curl).expired);
    ck_assert(!MATCH(ssl, &good, NULL, spell(&good, NOT_FLIPPED).curl).expired);
    ck_assert(MATCH(ssl, &late, NULL, spell(&late, NOT_FLIPPED).curl).expired);
    SSL_free(ssl);
    drop(&early);
    drop(&good);
    drop(&late);
}
END_TEST

/* --- ca: --- */

static struct identity root;
static char root_path[32], root_spec[40];

static void make_root(void)
{
    root = make("root", NULL, NULL, -1, 100);
    write_pem(root_path, 1, &root.certificate);
    (void)snprintf(root_spec, sizeof(root_spec), "ca:%s", root_path);
}

static void drop_root(void)
{
    ck_assert_int_eq(unlink(root_path), 0);
    drop(&root);
}

/* A leaf of the root, with its host names. */
static void name_is(const char *names, const char *cn, const char *host, bool matches)
{
    struct identity leaf = make(cn, names, &root, 0, 10);
    SSL *ssl = connection(false, 2);
    const struct sc_pin_result result = MATCH(ssl, &leaf, host, root_spec);
    ck_assert_msg(result.matched == matches, "%s for %s, CN %s: %s", host, names, cn,
                  result.reason);
    ck_assert_str_eq(result.pin, matches ? root_spec : "");
    SSL_free(ssl);
    drop(&leaf);
}

START_TEST(names_are_whole_labels_of_subject_alt_name)
{
    make_root();
    name_is("DNS:foo.a.example", "x", "foo.a.example", true);
    name_is("DNS:*.a.example", "x", "foo.a.example", true);
    name_is("DNS:f*.a.example", "x", "foo.a.example", false);
    name_is("DNS:*o.a.example", "x", "foo.a.example", false);
    name_is("DNS:*.a.example", "x", "foo.bar.a.example", false);
    /* The common name was a host name once. */
    name_is("", "foo.a.example", "foo.a.example", false);
    name_is("IP:192.0.2.1", "foo.a.example", "foo.a.example", false);
    name_is("IP:192.0.2.1", "x", "192.0.2.1", true);
    name_is("DNS:192.0.2.1", "192.0.2.1", "192.0.2.1", false);
    /* The interface is not part of the address. */
    name_is("IP:fe80::1", "x", "fe80::1%eth0", true);
    name_is("IP:fe80::1", "x", "fe80::2%eth0", false);
    drop_root();
}
END_TEST

START_TEST(a_host_that_is_longer_than_any_is_refused)
{
    char host[300];
    make_root();
    struct identity leaf = make("x", "DNS:a.example", &root, 0, 10);
    SSL *ssl = connection(false, 2);
    for (size_t length = 255; length < 258; length++) {
        memset(host, 'h', length);
        host[length] = '\0';
        const struct sc_pin_result result = MATCH(ssl, &leaf, host, root_spec);
        ck_assert(!result.matched);
        ck_assert_int_eq(strstr(result.reason, "no host name to check") != NULL, length >= 256);
    }
    SSL_free(ssl);
    drop(&leaf);
    drop_root();
}
END_TEST

/* A server's certificate is for servers, a client's for clients. */
START_TEST(the_purpose_counts)
{
    static const struct {
        const char *usage;
        bool of_server, of_client;
    } cases[] = {{NULL, true, true},
                 {"serverAuth", true, false},
                 {"clientAuth", false, true},
                 {"serverAuth,clientAuth", true, true},
                 {"codeSigning", false, false}};
    make_root();
    SSL *client = connection(false, 2), *server = connection(true, 2);
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        struct identity leaf = make_wanted(&(struct wanted){
            .cn = "x", .names = "DNS:a", .issuer = &root, .to = 10, .usage = cases[i].usage});
        ck_assert_int_eq(MATCH(client, &leaf, NULL, root_spec).matched, cases[i].of_server);
        ck_assert_int_eq(MATCH(server, &leaf, NULL, root_spec).matched, cases[i].of_client);
        drop(&leaf);
    }
    SSL_free(client);
    SSL_free(server);
    drop_root();
}
END_TEST

START_TEST(the_strength_of_the_chain_counts)
{
    make_root();
    struct identity weak = make_wanted(
        &(struct wanted){.cn = "x", .names = "DNS:a", .issuer = &root, .to = 10, .rsa_bits = 1024});
    struct identity weak_root =
        make_wanted(&(struct wanted){.cn = "weak", .to = 10, .rsa_bits = 1024});
    struct identity leaf = make("x", "DNS:a", &weak_root, 0, 10);
    char path[32], spec[40];
    write_pem(path, 1, &weak_root.certificate);
    (void)snprintf(spec, sizeof(spec), "ca:%s", path);
    SSL *strict = connection(false, 2), *lax = connection(false, 0);
    ck_assert(!MATCH(strict, &weak, NULL, root_spec).matched);
    ck_assert(MATCH(lax, &weak, NULL, root_spec).matched);
    ck_assert(!MATCH(strict, &leaf, NULL, spec).matched);
    ck_assert(MATCH(lax, &leaf, NULL, spec).matched);
    ck_assert_int_eq(unlink(path), 0);
    SSL_free(strict);
    SSL_free(lax);
    drop(&weak);
    drop(&weak_root);
    drop(&leaf);
    drop_root();
}
END_TEST

START_TEST(matching_keeps_nothing)
{
    make_root();
    struct identity leaf = make("x", "DNS:a", &root, 0, 10);
    SSL *ssl = connection(false, 2);
    struct sc_pin_set *set = sc_pin_set_new();
    struct sc_pin_result result;
    ck_assert_int_eq(sc_pin_set_add(set, root_spec, NULL), 0);
    ASSERT_KEEPS_NOTHING(ck_assert_int_eq(
        sc_pin_set_match_certificate(set, ssl, leaf.certificate, NULL, "a", &result), 0));
    ASSERT_KEEPS_NOTHING(ck_assert_int_eq(
        sc_pin_set_match_certificate(set, ssl, leaf.certificate, NULL, "b", &result), -1));
    ck_assert_uint_eq(ERR_peek_error(), 0);
    sc_pin_set_free(set);
    SSL_free(ssl);
    drop(&leaf);
    drop_root();
}
END_TEST

SUITE_MAIN("pin_match", one_wrong_bit_is_another_pin, any_pin_of_a_set_is_enough,
           outside_of_its_dates_is_told_at_both_ends, names_are_whole_labels_of_subject_alt_name,
           a_host_that_is_longer_than_any_is_refused, the_purpose_counts,
           the_strength_of_the_chain_counts, matching_keeps_nothing)
