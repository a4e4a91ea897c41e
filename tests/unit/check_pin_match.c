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

static struct sc_pin_formats spell_flipped(const struct identity *identity, unsigned bit)
{
    uint8_t key[SC_PIN_BYTES], fingerprint[SC_PIN_BYTES];
    struct sc_pin_formats out;
    ck_assert_int_eq(sc_pin_of_certificate(identity->certificate, key, NULL), 0);
    ck_assert_int_eq(sc_pin_fingerprint(identity->certificate, fingerprint, NULL), 0);
    key[bit / 8] ^= (uint8_t)(1U << bit % 8);
    fingerprint[bit / 8] ^= (uint8_t)(1U << bit % 8);
    sc_pin_format(key, fingerprint, &out);
    return out;
}

/* A pin is all of its 256 bits. */
START_TEST(one_wrong_bit_is_another_pin)
{
    struct identity leaf = make("a.example", "DNS:a.example", NULL, 0, 10);
    SSL *ssl = connection(false, 2);
    struct sc_pin_formats right = spell(&leaf);
    ck_assert(MATCH(ssl, &leaf, NULL, right.curl).matched);
    ck_assert(MATCH(ssl, &leaf, NULL, right.cert_sha256).matched);
    for (unsigned bit = 0; bit < 8 * SC_PIN_BYTES; bit++) {
        const struct sc_pin_formats wrong = spell_flipped(&leaf, bit);
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
    struct sc_pin_formats right = spell(&leaf), wrong = spell_flipped(&leaf, 0);
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

START_TEST(outside_of_its_dates_is_reported_at_both_ends)
{
    struct identity early = make("a.example", "DNS:a.example", NULL, 5, 10);
    struct identity good = make("a.example", "DNS:a.example", NULL, -5, 5);
    struct identity late = make("a.example", "DNS:a.example", NULL, -10, -5);
    SSL *ssl = connection(false, 2);
    ck_assert(MATCH(ssl, &early, NULL, spell(&early).curl).expired);
    ck_assert(!MATCH(ssl, &good, NULL, spell(&good).curl).expired);
    ck_assert(MATCH(ssl, &late, NULL, spell(&late).curl).expired);
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
    ck_assert(!MATCH(NULL, &weak, NULL, root_spec).matched); /* as over Mbed TLS */
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

/* --- With a handshake --- */

/* A finished handshake between two SSLs in memory. */
struct link {
    SSL_CTX *server_ctx, *client_ctx;
    SSL *server, *client;
};

static void shake(struct link *link, SSL_SESSION *session)
{
    BIO *a = NULL, *b = NULL;
    char byte;
    link->server = SSL_new(link->server_ctx);
    link->client = SSL_new(link->client_ctx);
    ck_assert_int_eq(BIO_new_bio_pair(&a, 0, &b, 0), 1);
    SSL_set_bio(link->server, a, a);
    SSL_set_bio(link->client, b, b);
    SSL_set_accept_state(link->server);
    SSL_set_connect_state(link->client);
    if (session) {
        ck_assert_int_eq(SSL_set_session(link->client, session), 1);
    }
    for (int i = 0;
         i < 20 && (!SSL_is_init_finished(link->server) || !SSL_is_init_finished(link->client));
         i++) {
        (void)SSL_do_handshake(link->client);
        (void)SSL_do_handshake(link->server);
    }
    ck_assert(SSL_is_init_finished(link->client));
    /* TLS 1.3: the ticket is read with the data. */
    ck_assert_int_eq(SSL_write(link->server, "x", 1), 1);
    ck_assert_int_eq(SSL_read(link->client, &byte, 1), 1);
}

static struct link connect_to(const struct identity *leaf, X509 *intermediate, int version)
{
    struct link link = {.server_ctx = SSL_CTX_new(TLS_server_method()),
                        .client_ctx = SSL_CTX_new(TLS_client_method())};
    ck_assert_int_eq(SSL_CTX_use_certificate(link.server_ctx, leaf->certificate), 1);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey(link.server_ctx, leaf->key), 1);
    if (intermediate) {
        ck_assert_int_eq((int)SSL_CTX_add1_chain_cert(link.server_ctx, intermediate), 1);
    } else {
        SSL_CTX_set_mode(link.server_ctx, SSL_MODE_NO_AUTO_CHAIN);
    }
    SSL_CTX_set_max_proto_version(link.client_ctx, version);
    SSL_CTX_set_verify(link.client_ctx, SSL_VERIFY_NONE, NULL);
    shake(&link, NULL);
    return link;
}

static void hang_up(struct link *link)
{
    /* An SSL that is freed without a shutdown takes its session with it. */
    (void)SSL_shutdown(link->client);
    (void)SSL_shutdown(link->server);
    SSL_free(link->server);
    SSL_free(link->client);
}

static void close_link(struct link *link)
{
    hang_up(link);
    SSL_CTX_free(link->server_ctx);
    SSL_CTX_free(link->client_ctx);
}

/* The result of holding one PIN against the connection. */
static struct sc_pin_result match(const struct link *link, const char *spec, const char *host)
{
    struct sc_pin_result result;
    struct sc_pin_set *set = set_of(spec);
    const int rc = sc_pin_set_match(set, link->client, host, &result);
    ck_assert_int_eq(rc, result.matched ? 0 : -1);
    sc_pin_set_free(set);
    return result;
}

static struct sc_pin_result match_ca(const struct link *link, const char *path, const char *host)
{
    char spec[64];
    (void)snprintf(spec, sizeof(spec), "ca:%s", path);
    return match(link, spec, host);
}

START_TEST(a_pinned_authority_means_chain_name_and_dates)
{
    make_root();
    struct identity intermediate = make("intermediate", NULL, &root, 0, 100);
    struct identity leaf = make("cn.example", "DNS:a.example,DNS:*.b.example,IP:127.0.0.1,IP:::1",
                                &intermediate, 0, 10);
    struct identity stranger = make("root", NULL, NULL, 0, 100);
    struct link link = connect_to(&leaf, intermediate.certificate, TLS1_3_VERSION);
    char intermediate_path[32], stranger_path[32], leaf_path[32];
    write_pem(intermediate_path, 1, &intermediate.certificate);
    write_pem(stranger_path, 1, &stranger.certificate);
    write_pem(leaf_path, 1, &leaf.certificate);

    static const char *const good_hosts[] = {"a.example", "A.Example", "a.example.", "x.b.example",
                                             "127.0.0.1", "::1",       NULL};
    for (size_t i = 0; i < SC_COUNT_OF(good_hosts); i++) {
        const struct sc_pin_result result = match_ca(&link, root_path, good_hosts[i]);
        ck_assert_msg(result.matched, "%s: %s", good_hosts[i] ? good_hosts[i] : "no name",
                      result.reason);
    }
    static const char *const bad_hosts[] = {
        "cn.example", "b.example", "x.y.b.example", "127.0.0.2", "::2", "", ".", "%eth0"};
    for (size_t i = 0; i < SC_COUNT_OF(bad_hosts); i++) {
        const struct sc_pin_result result = match_ca(&link, root_path, bad_hosts[i]);
        ck_assert_msg(!result.matched, "matched: %s", bad_hosts[i]);
        ck_assert_str_ne(result.reason, "");
    }
    ck_assert(match_ca(&link, intermediate_path, "a.example").matched);
    ck_assert(match_ca(&link, leaf_path, "a.example").matched);
    ck_assert(!match_ca(&link, stranger_path, "a.example").matched);
    /* The stranger has the root's name: what else is wrong does not make it the issuer. */
    ck_assert_int_eq(match_ca(&link, stranger_path, "a.example").cause, SC_PIN_OTHER);
    ck_assert_int_eq(match_ca(&link, stranger_path, "x.example").cause, SC_PIN_OTHER);
    ck_assert_int_eq(match_ca(&link, root_path, "x.example").cause, SC_PIN_WRONG_NAME);
    /* Of more authorities the one that issued it has the reason, whichever is last. */
    char stranger_spec[40];
    (void)snprintf(stranger_spec, sizeof(stranger_spec), "ca:%s", stranger_path);
    struct identity child = make("x", "DNS:a.example", &root, 0, 10);
    ck_assert_int_eq(MATCH(NULL, &child, "x.example", root_spec, stranger_spec).cause,
                     SC_PIN_WRONG_NAME);
    ck_assert_int_eq(MATCH(NULL, &child, "x.example", stranger_spec, root_spec).cause,
                     SC_PIN_WRONG_NAME);
    drop(&child);
    ck_assert_ptr_nonnull(strstr(match_ca(&link, root_path, "x.example").reason,
                                 "is for a.example, *.b.example, 127.0.0.1, ::1, not for x.exam"));

    /*
     * Dates: the chain is refused, while the certificate itself as a pin is good and reported as
     * expired.
     */
    const struct timespec later = {.tv_sec = sc_clock_wall().tv_sec + 11 * DAY};
    sc_clock_fake(NULL, &later);
    ck_assert(!match_ca(&link, root_path, "a.example").matched);
    ck_assert_int_eq(match_ca(&link, root_path, "a.example").cause, SC_PIN_EXPIRED);
    ck_assert_int_eq(match_ca(&link, stranger_path, "a.example").cause, SC_PIN_OTHER);
    const struct timespec before = {.tv_sec = later.tv_sec - 20 * DAY};
    sc_clock_fake(NULL, &before);
    ck_assert_int_eq(match_ca(&link, intermediate_path, "a.example").cause, SC_PIN_NOT_YET_VALID);
    sc_clock_fake(NULL, &later);
    const struct sc_pin_result expired = match(&link, leaf_path, NULL);
    ck_assert(expired.matched);
    ck_assert(expired.expired);
    sc_clock_fake(NULL, NULL);
    ck_assert(!match(&link, leaf_path, NULL).expired);

    ck_assert_int_eq(unlink(intermediate_path) | unlink(stranger_path) | unlink(leaf_path), 0);
    close_link(&link);
    drop_root();
    drop(&intermediate);
    drop(&leaf);
    drop(&stranger);
}
END_TEST

/* The session as a file would keep it: without the chain. */
static SSL_SESSION *through_a_file(SSL_SESSION *session)
{
    unsigned char *der = NULL;
    const int length = i2d_SSL_SESSION(session, &der);
    ck_assert_int_gt(length, 0);
    const unsigned char *p = der;
    SSL_SESSION *loaded = d2i_SSL_SESSION(NULL, &p, length);
    OPENSSL_free(der);
    ck_assert_ptr_nonnull(loaded);
    return loaded;
}

static void check_resumption(int version)
{
    make_root();
    struct identity intermediate = make("intermediate", NULL, &root, 0, 100);
    struct identity leaf = make("a.example", "DNS:a.example", &intermediate, 0, 10);
    struct identity other = make("a.example", "DNS:a.example", NULL, 0, 10);
    struct link link = connect_to(&leaf, intermediate.certificate, version);
    char intermediate_path[32];
    write_pem(intermediate_path, 1, &intermediate.certificate);
    ck_assert(match_ca(&link, root_path, "a.example").matched);

    SSL_SESSION *session = SSL_get1_session(link.client);
    SSL_SESSION *saved = through_a_file(session);
    for (int i = 0; i < 2; i++) {
        hang_up(&link);
        shake(&link, i == 0 ? session : saved);
        ck_assert_int_eq(SSL_session_reused(link.client), 1);
        ck_assert(match(&link, spell(&leaf).curl, NULL).matched);
        ck_assert(!match(&link, spell(&other).curl, NULL).matched);
        ck_assert(match_ca(&link, intermediate_path, "a.example").matched);
        ck_assert(!match_ca(&link, intermediate_path, "b.example").matched);
        const struct sc_pin_result by_root = match_ca(&link, root_path, "a.example");
        ck_assert(by_root.matched == (i == 0));
        ck_assert(i == 0 || strstr(by_root.reason, "full handshake"));
    }
    SSL_SESSION_free(session);
    SSL_SESSION_free(saved);
    ck_assert_int_eq(unlink(intermediate_path), 0);
    close_link(&link);
    drop_root();
    drop(&intermediate);
    drop(&leaf);
    drop(&other);
}

START_TEST(resumed_handshakes_are_checked_like_full_ones)
{
    check_resumption(TLS1_2_VERSION);
    check_resumption(TLS1_3_VERSION);
}
END_TEST

SUITE_MAIN("pin_match", one_wrong_bit_is_another_pin, any_pin_of_a_set_is_enough,
           outside_of_its_dates_is_reported_at_both_ends,
           names_are_whole_labels_of_subject_alt_name, a_host_that_is_longer_than_any_is_refused,
           the_purpose_counts, the_strength_of_the_chain_counts, matching_keeps_nothing,
           a_pinned_authority_means_chain_name_and_dates,
           resumed_handshakes_are_checked_like_full_ones)
