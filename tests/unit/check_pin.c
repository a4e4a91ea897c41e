/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/pem.h>
#include <openssl/sha.h>

#include "leaks.h"
#include "pin_fixture.h"
#include "scratch.h"
#include "suite.h"
#include "tls/pin.h"
#include "tls/pin_set.h"

#define HEX64 "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

/* The result of holding one PIN against the certificate; its names do not matter. */
static struct sc_pin_result match(const struct identity *leaf, const char *spec)
{
    struct sc_pin_result result;
    struct sc_pin_set *set = set_of(spec);
    const int rc = sc_pin_set_match_certificate(set, NULL, leaf->certificate, NULL,
                                                "elsewhere.example", &result);
    ck_assert_int_eq(rc, result.matched ? 0 : -1);
    sc_pin_set_free(set);
    return result;
}

START_TEST(every_spelling_pins_and_a_changed_digit_does_not)
{
    struct identity leaf = make("localhost", "DNS:localhost", NULL, 0, 10);
    struct identity other = make("localhost", "DNS:localhost", NULL, 0, 10);
    const struct sc_pin_formats spellings = spell(&leaf), others = spell(&other);
    const char *base64 = spellings.curl + strlen("sha256//");
    char text[512];

    ck_assert_str_eq(match(&leaf, spellings.curl).pin, spellings.curl);
    ck_assert(match(&leaf, spellings.rfc7469).matched);
    ck_assert(match(&leaf, spellings.ssh).matched);
    ck_assert_str_eq(match(&leaf, spellings.cert_sha256).pin, spellings.cert_sha256);
    static const char *const around[][2] = {
        {"sha256:", ""},
        {"sha256/", ""},
        {"Sha256:", ""},
        {"pin-sha256=", ""},
        {"pin-sha256:", ""},
        {"sha256//", ";"},
        {"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; sha256//", ""},
    };
    for (size_t i = 0; i < SC_COUNT_OF(around); i++) {
        (void)snprintf(text, sizeof(text), "%s%s%s", around[i][0], base64, around[i][1]);
        ck_assert_msg(match(&leaf, text).matched, "%s", text);
    }
    /* Fingerprints without colons and in small letters. */
    size_t used = 0;
    for (const char *p = spellings.cert_sha256; *p; p++) {
        if (p < spellings.cert_sha256 + strlen("cert-sha256:") || *p != ':') {
            text[used++] = (char)(*p >= 'A' && *p <= 'F' ? *p + 32 : *p);
        }
    }
    text[used] = '\0';
    ck_assert(match(&leaf, text).matched);

    ck_assert(!match(&leaf, others.curl).matched);
    ck_assert(!match(&leaf, others.cert_sha256).matched);
    /* A key's digest is not a certificate's and the other way round. */
    (void)snprintf(text, sizeof(text), "cert-sha256:%s", spellings.dane + strlen("3 1 1 "));
    ck_assert(!match(&leaf, text).matched);
    drop(&leaf);
    drop(&other);
}
END_TEST

START_TEST(what_other_programs_print_is_taken)
{
    struct identity leaf = make("localhost", "DNS:localhost", NULL, 0, 10);
    struct identity other = make("localhost", "DNS:localhost", NULL, 0, 10);
    const struct sc_pin_formats spellings = spell(&leaf), others = spell(&other);
    const char *key = spellings.dane + strlen("3 1 1 ");
    const char *certificate = spellings.cert_sha256 + strlen("cert-sha256:");
    const char *no_key = others.dane + strlen("3 1 1 ");
    const char *no_certificate = others.cert_sha256 + strlen("cert-sha256:");
    /* Before the digits, of the key or of the certificate, and after them. */
    static const struct {
        const char *before;
        bool is_key;
        const char *after;
    } around[] = {
        {"3 1 1 ", true, ""},
        {" 3 1 1 ", true, "\n"},
        {"_4242._tcp.captain.example. 3600 IN TLSA 3 1 1 ", true, ""},
        {"3 0 1 ", false, ""},
        {"SHA256 Fingerprint=", false, "\n"},
        {"sha256 Fingerprint=", false, ""},
        {"", true, ""},
        {"", false, ""},
        {"sha256:", true, ""},
        {"SHA256:", false, ""},
    };
    char text[512];
    for (size_t i = 0; i < SC_COUNT_OF(around); i++) {
        (void)snprintf(text, sizeof(text), "%s%s%s", around[i].before,
                       around[i].is_key ? key : certificate, around[i].after);
        ck_assert_msg(match(&leaf, text).matched, "not taken: %s", text);
        ck_assert_ptr_null(sc_pin_path(text));
        (void)snprintf(text, sizeof(text), "%s%s%s", around[i].before,
                       around[i].is_key ? no_key : no_certificate, around[i].after);
        ck_assert_msg(!match(&leaf, text).matched, "matched: %s", text);
        /* Where the text says what it is, the other digest is not taken for it. */
        (void)snprintf(text, sizeof(text), "%s%s%s", around[i].before,
                       around[i].is_key ? certificate : key, around[i].after);
        ck_assert_int_eq(match(&leaf, text).matched,
                         !around[i].before[0] ||
                             around[i].before[strlen(around[i].before) - 1] == ':');
    }
    /* As dig prints a record. */
    (void)snprintf(text, sizeof(text), "3 1 1 %.56s %s", key, key + 56);
    ck_assert(match(&leaf, text).matched);
    /* Bare digits come back as they are. */
    ck_assert_str_eq(match(&leaf, key).pin, key);
    drop(&leaf);
    drop(&other);
}
END_TEST

/* Text that cannot be taken, and what its error says to write instead. */
START_TEST(what_is_ambiguous_is_named)
{
    static const struct {
        const char *spec;
        int status;
        const char *named;
    } cases[] = {
        {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", EX_USAGE,
         "the pin of a key is sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"sha256//" HEX64, EX_USAGE, "3 1 1 " HEX64 " for a key and cert-sha256:" HEX64},
        {"cert-sha256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", EX_USAGE,
         "the pin of a key is sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="},
        {"3 1 2 " HEX64, EX_USAGE, "3 1 1 HEX (the key) and 3 0 1 HEX (the certificate)"},
        {"2 1 1 " HEX64, EX_USAGE, "an issuer is ca:FILE"},
        {"sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAA=", EX_USAGE, "its digest is not SHA-256"},
        {"SHA1 Fingerprint=AA:BB", EX_USAGE, "its digest is not SHA-256"},
        {"MD5:aa:bb", EX_USAGE, "its digest is not SHA-256"},
        {"ca:sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", EX_USAGE,
         "a file must follow ca:"},
        {"sha256///dev/null", EX_USAGE, "for a file give its name alone, /dev/null"},
        {"cert-sha256:/dev/null", EX_USAGE, "for a file give its name alone, /dev/null"},
        {"3 1 1 00", EX_USAGE, "64 hexadecimal digits"},
    };
    struct sc_err err;
    struct sc_pin_set *set = sc_pin_set_new();
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        ck_assert_msg(sc_pin_set_add(set, cases[i].spec, &err) == -1, "taken: %s", cases[i].spec);
        ck_assert_int_eq(err.status, cases[i].status);
        ck_assert_msg(strstr(err.text, cases[i].named) != NULL, "%s", err.text);
    }
    ck_assert_uint_eq(sc_pin_set_count(set), 0);
    sc_pin_set_free(set);
    ck_assert_str_eq(sc_pin_path("ca:a/b.crt"), "a/b.crt");
    ck_assert_str_eq(sc_pin_path("./" HEX64), "./" HEX64);
    /* A file whose name could be a digest is a file. */
    static const char name[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    scratch_enter();
    ck_assert_ptr_null(sc_pin_path(name));
    scratch_write(name, "");
    ck_assert_ptr_eq(sc_pin_path(name), name);
    ck_assert_int_eq(sc_pin_check_file(name, &err), 0);
    ck_assert_int_eq(sc_pin_check_file("3 1 1 " HEX64, &err), -1);
    ck_assert_int_eq(err.status, EX_USAGE);
    scratch_leave();
}
END_TEST

/* A key in PEM form pins itself when it is public, and is refused when it is not. */
START_TEST(keys_in_files)
{
    struct identity leaf = make("localhost", "DNS:localhost", NULL, 0, 10);
    char path[] = "/tmp/check_pin.XXXXXX", ca[64];
    struct sc_err err;
    struct sc_pin_set *set = sc_pin_set_new();
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    FILE *file = fdopen(fd, "w");
    ck_assert_int_eq(PEM_write_PUBKEY(file, leaf.key), 1);
    ck_assert_int_eq(fflush(file), 0);
    ck_assert_str_eq(match(&leaf, path).pin, spell(&leaf).curl);
    (void)snprintf(ca, sizeof(ca), "ca:%s", path);
    ck_assert_int_eq(sc_pin_set_add(set, ca, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_int_eq(fputs("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
                           freopen(path, "w", file)) > 0,
                     1);
    ck_assert_int_eq(fflush(file), 0);
    ck_assert_int_eq(sc_pin_set_add(set, path, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "holds a key that can't be read"));
    file = freopen(path, "w", file);
    ck_assert_int_eq(PEM_write_PrivateKey(file, leaf.key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(sc_pin_set_add(set, path, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_ptr_nonnull(strstr(err.text, "holds no certificate but a private key"));
    ck_assert_uint_eq(sc_pin_set_count(set), 0);
    ck_assert_int_eq(unlink(path), 0);
    sc_pin_set_free(set);
    drop(&leaf);
}
END_TEST

START_TEST(what_is_no_pin_is_refused_and_the_set_stays)
{
    static const char *const bad[] = {
        "",
        "sha256//",
        "sha256//AAAA",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=", /* bits after the end */
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==", /* too long */
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA-AAAAA=",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;junk",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;;",
        "pin-sha256=\"\"",
        "pin-sha256=\"",
        "pin-sha256=\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "pin-sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"",
        "cert-sha256:",
        "cert-sha256:00",
        ("cert-sha256:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:"
         "99:"
         "AA:BB:CC:DD:EE-FF"),
        "cert-sha256:g0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "cert-sha256:0g112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "cert-sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddee0:",
        "cert-sha256:@0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "cert-sha256:`0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
        "3 1 1 ", /* of which the blank is not a part */
        "3 0 1 ;",
        "sha256 Fingerprint=",
    };
    static const char *const no_text[] = {"md5sums.pem", "sha1", "sha512/ca.crt", "SHA384.pem",
                                          "sha224 Fingerprint.crt"};
    struct sc_err err;
    struct sc_pin_set *set = set_of("sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    for (size_t i = 0; i < SC_COUNT_OF(bad); i++) {
        ck_assert_msg(sc_pin_set_add(set, bad[i], &err) == -1, "taken: %s", bad[i]);
        ck_assert_int_eq(err.status, EX_USAGE);
        ck_assert_uint_eq(sc_pin_set_count(set), 1);
    }
    /* Files, whatever their names begin with. */
    for (size_t i = 0; i < SC_COUNT_OF(no_text); i++) {
        ck_assert_msg(!sc_pin_is_text(no_text[i]), "%s", no_text[i]);
    }
    /* The same pin in another spelling is the same pin. */
    ck_assert_int_eq(
        sc_pin_set_add(set, "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &err), 0);
    ck_assert_uint_eq(sc_pin_set_count(set), 1);
    ck_assert_int_eq(sc_pin_set_add(set, "/nonexistent/server.crt", &err), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
    ck_assert_int_eq(sc_pin_set_add(set, "ca:/nonexistent/ca.crt", &err), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
    ck_assert_int_eq(sc_pin_set_add(set, "/tmp", &err), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
    ck_assert_int_eq(sc_pin_set_add(set, "ca:/dev/null", &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_uint_eq(sc_pin_set_count(set), 1);
    sc_pin_set_free(set);
}
END_TEST

START_TEST(a_file_pins_each_of_its_certificates)
{
    struct identity leaf = make("localhost", "DNS:localhost", NULL, 0, 10);
    struct identity other = make("localhost", "DNS:localhost", NULL, 0, 10);
    char path[32];
    struct sc_err err;

    write_pem(path, 2, (X509 *const[]){other.certificate, leaf.certificate});
    const struct sc_pin_result result = match(&leaf, path);
    ck_assert(result.matched);
    ck_assert_str_eq(result.pin, spell(&leaf).cert_sha256);
    ck_assert_int_eq(unlink(path), 0);

    write_pem(path, 1, &other.certificate);
    ck_assert(!match(&leaf, path).matched);
    /* A broken second certificate is an error, not a shorter set. */
    FILE *file = fopen(path, "a");
    ck_assert_int_gt(fputs("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", file),
                     0);
    ck_assert_int_eq(fclose(file), 0);
    struct sc_pin_set *set = sc_pin_set_new();
    ck_assert_int_eq(sc_pin_set_add(set, path, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
    ck_assert_uint_eq(sc_pin_set_count(set), 0);
    ck_assert_int_eq(unlink(path), 0);

    struct sc_pin_result empty;
    ck_assert_int_eq(sc_pin_set_match_certificate(set, NULL, leaf.certificate, NULL, NULL, &empty),
                     -1);
    ck_assert(!empty.matched);
    sc_pin_set_free(set);
    drop(&leaf);
    drop(&other);
}
END_TEST

START_TEST(a_digest_names_the_set_and_not_its_order)
{
    const char *a = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    uint8_t ab[SC_PIN_BYTES], ba[SC_PIN_BYTES], only_a[SC_PIN_BYTES], as_certificate[SC_PIN_BYTES];
    char both[256];
    const char *second = "SHA256:BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    struct sc_pin_set *set = set_of(a);
    sc_pin_set_digest(set, only_a);
    ck_assert_int_eq(sc_pin_set_add(set, second, NULL), 0);
    sc_pin_set_digest(set, ab);
    sc_pin_set_describe(set, both, sizeof(both));
    ck_assert_str_eq(both, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= or "
                           "sha256//BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    sc_pin_set_describe(set, both, 10);
    ck_assert_str_eq(both, "sha256//A");
    ck_assert_int_eq(
        sc_pin_set_add(set, "sha256//CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NULL), 0);
    sc_pin_set_describe(set, both, sizeof(both));
    ck_assert_str_eq(both, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= or "
                           "sha256//BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= or "
                           "sha256//CAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    sc_pin_set_free(set);
    set = set_of(second);
    ck_assert_int_eq(sc_pin_set_add(set, a, NULL), 0);
    sc_pin_set_digest(set, ba);
    sc_pin_set_free(set);
    set = set_of("cert-sha256:0000000000000000000000000000000000000000000000000000000000000000");
    sc_pin_set_digest(set, as_certificate);
    sc_pin_set_free(set);
    ck_assert_mem_eq(ab, ba, sizeof(ab));
    ck_assert_mem_ne(ab, only_a, sizeof(ab));
    ck_assert_mem_ne(as_certificate, only_a, sizeof(only_a));
}
END_TEST

/* Two that begin alike are two, and a key's is not a certificate's. */
START_TEST(a_pin_is_all_of_its_bytes_and_its_kind)
{
    static const char *const same[] = {
        "cert-sha256:0000000000000000000000000000000000000000000000000000000000000001",
        "cert-sha256:0000000000000000000000000000000000000000000000000000000000000002",
        "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=",
    };
    uint8_t digests[SC_COUNT_OF(same)][SC_PIN_BYTES];
    struct sc_pin_set *all = sc_pin_set_new();
    for (size_t i = 0; i < SC_COUNT_OF(same); i++) {
        struct sc_pin_set *one = set_of(same[i]);
        sc_pin_set_digest(one, digests[i]);
        sc_pin_set_free(one);
        ck_assert_int_eq(sc_pin_set_add(all, same[i], NULL), 0);
        ck_assert_uint_eq(sc_pin_set_count(all), i + 1);
    }
    uint8_t keys[SC_COUNT_OF(same)][SC_PIN_BYTES];
    ck_assert_uint_eq(sc_pin_set_keys(all, keys, SC_COUNT_OF(keys)), 1);
    ck_assert_uint_eq(keys[0][SC_PIN_BYTES - 1], 1);
    /* No more than there is room for. */
    const uint8_t untouched[SC_PIN_BYTES] = {0xee};
    memcpy(keys[1], untouched, SC_PIN_BYTES);
    ck_assert_int_eq(
        sc_pin_set_add(all, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI=", NULL), 0);
    ck_assert_uint_eq(sc_pin_set_keys(all, keys, 1), 1);
    ck_assert_mem_eq(keys[1], untouched, SC_PIN_BYTES);
    ck_assert_uint_eq(sc_pin_set_keys(all, keys, 2), 2);
    sc_pin_set_free(all);
    ck_assert_mem_ne(digests[0], digests[1], SC_PIN_BYTES);
    ck_assert_mem_ne(digests[0], digests[2], SC_PIN_BYTES);
}
END_TEST

START_TEST(whether_a_key_is_taken)
{
    static const char one[] = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=";
    static const struct {
        const char *specs[2];
        int takes; /* the key of `one` */
    } rows[] = {
        {{one, NULL}, 1},
        {{"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NULL}, 0},
        {{"cert-sha256:" HEX64, NULL}, -1},
        {{"cert-sha256:" HEX64, one}, 1},
        {{one, "cert-sha256:" HEX64}, 1},
        {{"cert-sha256:0000000000000000000000000000000000000000000000000000000000000001", NULL},
         -1},
        {{"0000000000000000000000000000000000000000000000000000000000000001", NULL}, 1},
        {{HEX64, NULL}, -1},
    };
    const uint8_t key[SC_PIN_BYTES] = {[SC_PIN_BYTES - 1] = 1};
    struct identity leaf = make("localhost", "DNS:localhost", NULL, 0, 10);
    char path[32];
    struct sc_pin_set *set = sc_pin_set_new();
    ck_assert_int_eq(sc_pin_set_takes_key(set, key), 0);
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        sc_pin_set_free(set);
        set = sc_pin_set_new();
        for (size_t j = 0; j < 2 && rows[i].specs[j]; j++) {
            ck_assert_int_eq(sc_pin_set_add(set, rows[i].specs[j], NULL), 0);
        }
        ck_assert_int_eq(sc_pin_set_takes_key(set, key), rows[i].takes);
    }
    sc_pin_set_free(set);
    /* The key of a certificate that is there is known. */
    uint8_t its_key[SC_PIN_BYTES];
    write_pem(path, 1, &leaf.certificate);
    set = set_of(path);
    ck_assert_int_eq(sc_pin_of_certificate(leaf.certificate, its_key, NULL), 0);
    ck_assert_int_eq(sc_pin_set_takes_key(set, its_key), 1);
    ck_assert_int_eq(sc_pin_set_takes_key(set, key), 0);
    ck_assert_int_eq(unlink(path), 0);
    sc_pin_set_free(set);
    drop(&leaf);
}
END_TEST

START_TEST(the_same_authorities_are_the_same_pin)
{
    struct identity a = make("a", NULL, NULL, 0, 10), b = make("b", NULL, NULL, 0, 10);
    char ab[32], ba[32], only_a[32], only_b[32], specs[4][40];
    write_pem(ab, 2, (X509 *const[]){a.certificate, b.certificate});
    write_pem(ba, 2, (X509 *const[]){b.certificate, a.certificate});
    write_pem(only_a, 1, &a.certificate);
    write_pem(only_b, 1, &b.certificate);
    (void)snprintf(specs[0], sizeof(specs[0]), "ca:%s", ab);
    (void)snprintf(specs[1], sizeof(specs[1]), "ca:%s", ba);
    (void)snprintf(specs[2], sizeof(specs[2]), "ca:%s", only_b);
    (void)snprintf(specs[3], sizeof(specs[3]), "ca:%s", only_a);
    struct sc_pin_set *set = set_of(specs[0]);
    ck_assert_int_eq(sc_pin_set_add(set, specs[1], NULL), 0);
    ck_assert_uint_eq(sc_pin_set_count(set), 1);
    ck_assert_int_eq(sc_pin_set_add(set, specs[2], NULL), 0);
    ck_assert_int_eq(sc_pin_set_add(set, specs[3], NULL), 0);
    ck_assert_uint_eq(sc_pin_set_count(set), 3);
    sc_pin_set_free(set);

    /* A set says where its pins come from. */
    char text[256], expected[256];
    set = set_of(specs[2]);
    ck_assert_int_eq(sc_pin_set_add(set, only_b, NULL), 0);
    sc_pin_set_describe(set, text, sizeof(text));
    (void)snprintf(expected, sizeof(expected), "%s or %s (%s)", specs[2], spell(&b).cert_sha256,
                   only_b);
    ck_assert_str_eq(text, expected);
    sc_pin_set_free(set);

    ASSERT_KEEPS_NOTHING(sc_pin_set_free(set_of(specs[0])));
    ASSERT_KEEPS_NOTHING(sc_pin_set_free(set_of(ab)));
    ck_assert_int_eq(unlink(ab) | unlink(ba) | unlink(only_a) | unlink(only_b), 0);
    drop(&a);
    drop(&b);
}
END_TEST

START_TEST(spellings_of_a_known_digest)
{
    uint8_t digest[SC_PIN_BYTES];
    struct sc_pin_formats out;
    for (size_t i = 0; i < sizeof(digest); i++) {
        digest[i] = (uint8_t)(224 + i);
    }
    sc_pin_format(digest, digest, &out);
    ck_assert_str_eq(out.curl, "sha256//4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=");
    ck_assert_str_eq(out.rfc7469, "pin-sha256=\"4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8=\"");
    ck_assert_str_eq(out.ssh, "SHA256:4OHi4+Tl5ufo6err7O3u7/Dx8vP09fb3+Pn6+/z9/v8");
    ck_assert_str_eq(out.dane,
                     "3 1 1 E0E1E2E3E4E5E6E7E8E9EAEBECEDEEEFF0F1F2F3F4F5F6F7F8F9FAFBFCFDFEFF");
    ck_assert_str_eq(out.cert_sha256, "cert-sha256:E0:E1:E2:E3:E4:E5:E6:E7:E8:E9:EA:EB:EC:ED:EE:EF:"
                                      "F0:F1:F2:F3:F4:F5:F6:F7:F8:F9:FA:FB:FC:FD:FE:FF");
    sc_pin_format(digest, NULL, &out);
    ck_assert_str_eq(out.cert_sha256, "");
}
END_TEST

/* SHA-256 of what a certificate and its key are in DER. */
START_TEST(digests_are_of_the_encoded_bytes)
{
    struct identity leaf = make("a", "DNS:a", NULL, 0, 10);
    unsigned char *der = NULL;
    uint8_t expected[SHA256_DIGEST_LENGTH], got[SC_PIN_BYTES];
    int length = i2d_X509(leaf.certificate, &der);
    (void)SHA256(der, (size_t)length, expected);
    ck_assert_int_eq(sc_pin_fingerprint(leaf.certificate, got, NULL), 0);
    ck_assert_mem_eq(got, expected, sizeof(got));
    OPENSSL_free(der);
    der = NULL;
    length = i2d_PUBKEY(leaf.key, &der);
    (void)SHA256(der, (size_t)length, expected);
    ck_assert_int_eq(sc_pin_of_certificate(leaf.certificate, got, NULL), 0);
    ck_assert_mem_eq(got, expected, sizeof(got));
    OPENSSL_free(der);
    ASSERT_KEEPS_NOTHING(ck_assert_int_eq(sc_pin_of_certificate(leaf.certificate, got, NULL), 0));
    ASSERT_KEEPS_NOTHING(ck_assert_int_eq(sc_pin_of_key(leaf.key, got, NULL), 0));
    drop(&leaf);
}
END_TEST

START_TEST(a_digest_may_begin_with_a_slash)
{
    static const char *const specs[] = {
        "sha256////////////////////////////////////////////8=",
        "sha256///////////////////////////////////////////8=",
        "SHA256://////////////////////////////////////////8",
    };
    struct sc_pin_set *set = sc_pin_set_new();
    struct sc_err err = {0};
    for (size_t i = 0; i < SC_COUNT_OF(specs); i++) {
        ck_assert_msg(sc_pin_set_add(set, specs[i], &err) == 0, "%s: %s", specs[i], err.text);
        ck_assert_uint_eq(sc_pin_set_count(set), 1);
    }
    sc_pin_set_free(set);
}
END_TEST

SUITE_MAIN("pin", what_other_programs_print_is_taken, what_is_ambiguous_is_named, keys_in_files,
           a_digest_may_begin_with_a_slash, every_spelling_pins_and_a_changed_digit_does_not,
           what_is_no_pin_is_refused_and_the_set_stays, a_file_pins_each_of_its_certificates,
           a_digest_names_the_set_and_not_its_order, a_pin_is_all_of_its_bytes_and_its_kind,
           whether_a_key_is_taken, the_same_authorities_are_the_same_pin,
           spellings_of_a_known_digest, digests_are_of_the_encoded_bytes)
