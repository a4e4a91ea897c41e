#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "suite.h"
#include "tls/keygen.h"

static const char *const two_names[] = {"localhost", "127.0.0.1"};

/* --- Helpers ------------------------------------------------------------------------------------------------------------------------ */

/* A directory that is the working directory until leave(). */
static char directory[64];

static void enter(void)
{
    (void)snprintf(directory, sizeof(directory), "/tmp/check_keygen.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    ck_assert_int_eq(chdir(directory), 0);
}

static unsigned count_files(void)
{
    unsigned       count = 0;
    struct dirent *entry;
    DIR           *here = opendir(".");
    ck_assert_ptr_nonnull(here);
    while ((entry = readdir(here))) {
        count += entry->d_name[0] != '.';
    }
    closedir(here);
    return count;
}

static void leave(void)
{
    struct dirent *entry;
    DIR           *here = opendir(".");
    ck_assert_ptr_nonnull(here);
    while ((entry = readdir(here))) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            ck_assert_int_eq(remove(entry->d_name), 0);
        }
    }
    closedir(here);
    ck_assert_int_eq(chdir("/"), 0);
    ck_assert_int_eq(rmdir(directory), 0);
}

static unsigned mode_of(const char *path)
{
    struct stat there;
    ck_assert_int_eq(stat(path, &there), 0);
    return (unsigned)there.st_mode & 07777U;
}

static void put_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static EVP_PKEY *make_key(void)
{
    struct sc_err err;
    EVP_PKEY     *key = sc_keygen_key(SC_KEY_EC_P256, 0, &err);
    ck_assert_ptr_nonnull(key);
    return key;
}

static X509 *make_certificate(EVP_PKEY *key)
{
    struct sc_err err;
    X509         *certificate = sc_keygen_certificate(key, two_names, 2, 30, &err);
    ck_assert_ptr_nonnull(certificate);
    return certificate;
}

static void assert_failed(const struct sc_err *err, int status, const char *text)
{
    ck_assert_int_eq(err->status, status);
    ck_assert_msg(strstr(err->text, text) != NULL, "\"%s\" is not in: %s", text, err->text);
    ck_assert_ptr_null(strchr(err->text, '\n'));
    ck_assert_uint_eq(ERR_peek_error(), 0);
}

/* --- Keys and certificates ---------------------------------------------------------------------------------------------------------- */

START_TEST(every_kind_signs_its_own_certificate)
{
    static const struct {
        enum sc_key_kind kind;
        unsigned         bits;
        const char      *what;
        int              signature;
    } kinds[] = {
        {SC_KEY_EC_P256, 0, "EC P-256", NID_ecdsa_with_SHA256},
        {SC_KEY_ED25519, 0, "Ed25519", NID_ED25519},
        {SC_KEY_RSA, 2048, "RSA 2048", NID_sha256WithRSAEncryption},
    };
    for (size_t i = 0; i < SC_COUNT_OF(kinds); i++) {
        struct sc_err err;
        char          what[40];
        EVP_PKEY     *key = sc_keygen_key(kinds[i].kind, kinds[i].bits, &err);
        ck_assert_ptr_nonnull(key);
        sc_keygen_describe_key(key, what, sizeof(what));
        ck_assert_str_eq(what, kinds[i].what);

        X509 *certificate = make_certificate(key);
        ck_assert_int_eq(X509_get_version(certificate), X509_VERSION_3);
        ck_assert_int_eq(X509_get_signature_nid(certificate), kinds[i].signature);
        ck_assert_int_eq(X509_verify(certificate, key), 1);
        ck_assert_int_eq(X509_check_private_key(certificate, key), 1);
        X509_free(certificate);
        EVP_PKEY_free(key);
    }
}
END_TEST

START_TEST(sizes_days_and_counts_have_bounds)
{
    struct sc_err err;
    const char   *many[SC_KEYGEN_MAX_NAMES + 1];
    EVP_PKEY     *key = make_key();

    ck_assert_ptr_null(sc_keygen_key(SC_KEY_RSA, 2047, &err));
    assert_failed(&err, EX_USAGE, "2048 to 16384");
    ck_assert_ptr_null(sc_keygen_key(SC_KEY_RSA, 16385, &err));
    assert_failed(&err, EX_USAGE, "2048 to 16384");
    ck_assert_ptr_null(sc_keygen_certificate(key, two_names, 2, 0, &err));
    assert_failed(&err, EX_USAGE, "1 to 36500");
    ck_assert_ptr_null(sc_keygen_certificate(key, two_names, 2, 36501, &err));
    assert_failed(&err, EX_USAGE, "1 to 36500");
    ck_assert_ptr_null(sc_keygen_certificate(key, two_names, 0, 1, &err));
    assert_failed(&err, EX_USAGE, "0 names");
    for (size_t i = 0; i < SC_COUNT_OF(many); i++) {
        many[i] = "localhost";
    }
    ck_assert_ptr_null(sc_keygen_certificate(key, many, SC_COUNT_OF(many), 1, &err));
    assert_failed(&err, EX_USAGE, "101 names");
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(names_are_checked)
{
    char label[65], long_name[256];
    memset(label, 'a', 64);
    label[64] = '\0';
    /* Four labels of 63 with their dots are 255, two too many. */
    (void)snprintf(long_name, sizeof(long_name), "%.63s.%.63s.%.63s.%.61s", label, label, label, label);

    const char *const good[] = {"localhost", "a",       "a.b",         "*.example.com", "x_y.example", "xn--bcher-kva.example",
                                "127.0.0.1", "::1",     "2001:db8::1", "A-1.Example",   "1.example",   "::ffff:192.0.2.1",
                                label + 1,   long_name, "3com.example"};
    for (size_t i = 0; i < SC_COUNT_OF(good); i++) {
        struct sc_err err = {0};
        ck_assert_msg(sc_keygen_check_name(good[i], &err) == 0, "%s: %s", good[i], err.text);
    }

    const char *const bad[] = {
        "",      ".", "a.",           "a..b",  "-a",        "a-",  "a b", "a\nb", "a\x7f",           "*",  "*.", "a.*", "300.1.1.1",
        "1.2.3", "1", "fe80::1%eth0", "[::1]", "b\xc3\xbc", "a/b", "a,b", label,  "*.*.example.com", "a=b"};
    for (size_t i = 0; i < SC_COUNT_OF(bad); i++) {
        struct sc_err err = {0};
        ck_assert_msg(sc_keygen_check_name(bad[i], &err) == -1, "\"%s\" was taken", bad[i]);
        ck_assert_int_eq(err.status, EX_USAGE);
    }
    strcat(long_name, "b");
    ck_assert_int_eq(sc_keygen_check_name(long_name, NULL), -1);
}
END_TEST

START_TEST(alternative_names_hold_what_was_asked_for_once)
{
    static const char *const names[] = {"a.example", "127.0.0.1", "2001:db8::1", "*.b.example", "a.example"};
    struct sc_err            err;
    char                     subject[64];
    EVP_PKEY                *key         = make_key();
    X509                    *certificate = sc_keygen_certificate(key, names, SC_COUNT_OF(names), 30, &err);
    ck_assert_ptr_nonnull(certificate);

    GENERAL_NAMES *list = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    ck_assert_int_eq(sk_GENERAL_NAME_num(list), 4);
    GENERAL_NAMES_free(list);
    ck_assert_int_eq(X509_check_host(certificate, "a.example", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(certificate, "x.b.example", 0, 0, NULL), 1);
    ck_assert_int_eq(X509_check_host(certificate, "b.example", 0, 0, NULL), 0);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "127.0.0.1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "2001:db8:0::1", 0), 1);
    ck_assert_int_eq(X509_check_ip_asc(certificate, "127.0.0.2", 0), 0);
    ck_assert_int_gt(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, subject, sizeof(subject)), 0);
    ck_assert_str_eq(subject, "a.example");
    X509_free(certificate);

    /* 65 characters are a host name, and too many for a CN. */
    const char *const one[] = {"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"};
    certificate             = sc_keygen_certificate(key, one, 1, 30, &err);
    ck_assert_ptr_nonnull(certificate);
    ck_assert_int_eq(X509_check_host(certificate, one[0], 0, 0, NULL), 1);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(it_is_its_own_trust_anchor_and_nobody_elses)
{
    EVP_PKEY *key         = make_key();
    X509     *certificate = make_certificate(key);
    ck_assert_int_eq(X509_check_ca(certificate), 0);
    ck_assert_uint_eq(X509_get_key_usage(certificate), KU_DIGITAL_SIGNATURE);
    ck_assert_uint_eq(X509_get_extended_key_usage(certificate), XKU_SSL_SERVER);
    ck_assert_ptr_nonnull(X509_get0_subject_key_id(certificate));

    X509_STORE     *store  = X509_STORE_new();
    X509_STORE_CTX *verify = X509_STORE_CTX_new();
    ck_assert_int_eq(X509_STORE_add_cert(store, certificate), 1);
    ck_assert_int_eq(X509_STORE_CTX_init(verify, store, certificate, NULL), 1);
    X509_VERIFY_PARAM *how = X509_STORE_CTX_get0_param(verify);
    ck_assert_int_eq(X509_VERIFY_PARAM_set_flags(how, X509_V_FLAG_X509_STRICT), 1);
    ck_assert_int_eq(X509_VERIFY_PARAM_set_purpose(how, X509_PURPOSE_SSL_SERVER), 1);
    ck_assert_int_eq(X509_VERIFY_PARAM_set1_host(how, "localhost", 0), 1);
    ck_assert_msg(X509_verify_cert(verify) == 1, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(verify)));
    X509_STORE_CTX_free(verify);
    X509_STORE_free(store);
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(serials_are_positive_long_and_different)
{
    EVP_PKEY *key  = make_key();
    X509     *one  = make_certificate(key);
    X509     *two  = make_certificate(key);
    BIGNUM   *bits = ASN1_INTEGER_to_BN(X509_get0_serialNumber(one), NULL);
    ck_assert_int_eq(BN_is_negative(bits), 0);
    ck_assert_int_eq(BN_num_bits(bits), 128);
    ck_assert_int_ne(ASN1_INTEGER_cmp(X509_get0_serialNumber(one), X509_get0_serialNumber(two)), 0);
    BN_free(bits);
    X509_free(one);
    X509_free(two);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(dates_are_one_hour_ago_and_so_many_days_ahead)
{
    /* Across the year 2050, where X.509 changes the type of its dates. */
    static const struct {
        time_t   now;
        unsigned days;
    } cases[]     = {{1795224123, 1}, {1795224123, 3650}, {1795224123, 36500}, {2524607999, 1}, {4102444800, 36500}};
    EVP_PKEY *key = make_key();
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        const struct timespec wall = {.tv_sec = cases[i].now};
        sc_clock_fake(NULL, &wall);
        struct sc_err err;
        int           days, seconds;
        X509         *certificate = sc_keygen_certificate(key, two_names, 2, cases[i].days, &err);
        ASN1_TIME    *now         = ASN1_TIME_set(NULL, cases[i].now);
        ck_assert_ptr_nonnull(certificate);
        ck_assert_int_eq(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(certificate), now), 1);
        ck_assert_int_eq(days * 86400 + seconds, 3600);
        ck_assert_int_eq(ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(certificate)), 1);
        ck_assert_int_eq(days, (int)cases[i].days);
        ck_assert_int_eq(seconds, 0);
        ASN1_TIME_free(now);
        X509_free(certificate);
    }
    sc_clock_fake(NULL, NULL);
    EVP_PKEY_free(key);
}
END_TEST

/* --- Writing ------------------------------------------------------------------------------------------------------------------------ */

START_TEST(modes_do_not_depend_on_the_umask)
{
    static const mode_t masks[]     = {0000, 0022, 0077, 0777};
    EVP_PKEY           *key         = make_key();
    X509               *certificate = make_certificate(key);
    for (size_t i = 0; i < SC_COUNT_OF(masks); i++) {
        struct sc_err err;
        enter();
        const mode_t before = umask(masks[i]);
        const int    status = sc_keygen_write_pair("a.key", key, "a.crt", certificate, false, &err);
        umask(before);
        ck_assert_int_eq(status, 0);
        ck_assert_uint_eq(mode_of("a.key"), 0600);
        ck_assert_uint_eq(mode_of("a.crt"), 0644);
        ck_assert_uint_eq(count_files(), 2);
        leave();
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(what_was_written_is_read_again)
{
    struct sc_err err;
    EVP_PKEY     *key         = make_key();
    X509         *certificate = make_certificate(key);
    X509         *read_certificate, *other;
    EVP_PKEY     *read_key, *none;
    enter();
    ck_assert_int_eq(sc_keygen_write_key("a.key", key, false, &err), 0);
    ck_assert_int_eq(sc_keygen_write_certificate("a.crt", certificate, false, &err), 0);
    ck_assert_ptr_nonnull(read_key = sc_keygen_read_key("a.key", NULL, NULL, &err));
    ck_assert_ptr_nonnull(read_certificate = sc_keygen_read_certificate("a.crt", &err));
    ck_assert_int_eq(EVP_PKEY_eq(key, read_key), 1);
    ck_assert_int_eq(X509_cmp(certificate, read_certificate), 0);
    EVP_PKEY_free(read_key);
    X509_free(read_certificate);

    ck_assert_int_eq(sc_keygen_read_either("a.key", NULL, NULL, &other, &read_key, &err), 0);
    ck_assert_ptr_null(other);
    ck_assert_int_eq(EVP_PKEY_eq(key, read_key), 1);
    EVP_PKEY_free(read_key);
    ck_assert_int_eq(sc_keygen_read_either("a.crt", NULL, NULL, &read_certificate, &none, &err), 0);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(X509_cmp(certificate, read_certificate), 0);
    X509_free(read_certificate);
    leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(nothing_is_replaced_unless_told)
{
    struct sc_err err;
    EVP_PKEY     *key         = make_key();
    EVP_PKEY     *other       = make_key();
    X509         *certificate = make_certificate(key);
    EVP_PKEY     *now;
    enter();
    ck_assert_int_eq(sc_keygen_write_key("a.key", key, false, &err), 0);
    ck_assert_int_eq(sc_keygen_write_key("a.key", other, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "--force");
    ck_assert_ptr_nonnull(now = sc_keygen_read_key("a.key", NULL, NULL, &err));
    ck_assert_int_eq(EVP_PKEY_eq(now, key), 1);
    EVP_PKEY_free(now);

    /* A pair stops at either of its files, and leaves nothing of the other. */
    ck_assert_int_eq(sc_keygen_write_pair("a.key", other, "a.crt", certificate, false, &err), -1);
    ck_assert_uint_eq(count_files(), 1);
    ck_assert_int_eq(sc_keygen_write_pair("b.key", other, "a.key", certificate, false, &err), -1);
    ck_assert_uint_eq(count_files(), 1);

    /* Neither is a link, also one that leads nowhere, and told to replace it is the link that goes. */
    ck_assert_int_eq(symlink("a.key", "link.key"), 0);
    ck_assert_int_eq(symlink("nowhere", "dangling.key"), 0);
    ck_assert_int_eq(sc_keygen_write_key("link.key", other, false, &err), -1);
    ck_assert_int_eq(sc_keygen_write_key("dangling.key", other, false, &err), -1);
    ck_assert_int_eq(sc_keygen_write_key("link.key", other, true, &err), 0);
    ck_assert_ptr_nonnull(now = sc_keygen_read_key("a.key", NULL, NULL, &err));
    ck_assert_int_eq(EVP_PKEY_eq(now, key), 1);
    EVP_PKEY_free(now);

    ck_assert_int_eq(chmod("a.key", 0644), 0);
    ck_assert_int_eq(sc_keygen_write_key("a.key", other, true, &err), 0);
    ck_assert_uint_eq(mode_of("a.key"), 0600);
    ck_assert_ptr_nonnull(now = sc_keygen_read_key("a.key", NULL, NULL, &err));
    ck_assert_int_eq(EVP_PKEY_eq(now, other), 1);
    EVP_PKEY_free(now);
    leave();
    X509_free(certificate);
    EVP_PKEY_free(other);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(of_many_at_once_one_wins)
{
    enum { CHILDREN = 8, ROUNDS = 5 };
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct sc_err err;
        int           start[2], winners = 0;
        pid_t         child[CHILDREN];
        EVP_PKEY     *keys[CHILDREN], *there;
        enter();
        ck_assert_int_eq(pipe(start), 0);
        for (int i = 0; i < CHILDREN; i++) {
            keys[i]  = make_key();
            child[i] = fork();
            ck_assert_int_ge(child[i], 0);
            if (child[i] == 0) {
                char byte;
                (void)close(start[1]);
                /* The end of the pipe starts all of them. */
                (void)!read(start[0], &byte, 1);
                _exit(sc_keygen_write_key("a.key", keys[i], false, &err) == 0 ? 0 : err.status);
            }
        }
        (void)close(start[0]);
        (void)close(start[1]);
        int winner = -1;
        for (int i = 0; i < CHILDREN; i++) {
            int status;
            ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
            ck_assert(WIFEXITED(status));
            ck_assert(WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == EX_CANTCREAT);
            if (WEXITSTATUS(status) == 0) {
                winners++;
                winner = i;
            }
        }
        ck_assert_int_eq(winners, 1);
        ck_assert_uint_eq(count_files(), 1);
        ck_assert_ptr_nonnull(there = sc_keygen_read_key("a.key", NULL, NULL, &err));
        ck_assert_int_eq(EVP_PKEY_eq(there, keys[winner]), 1);
        EVP_PKEY_free(there);
        for (int i = 0; i < CHILDREN; i++) {
            EVP_PKEY_free(keys[i]);
        }
        leave();
    }
}
END_TEST

START_TEST(a_full_disk_leaves_what_was_there)
{
    struct sc_err       err;
    struct rlimit       before, small;
    const struct rlimit none        = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    EVP_PKEY           *key         = make_key();
    X509               *certificate = make_certificate(key);
    enter();
    put_text("a.key", "old");
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small          = none;
    small.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int one  = sc_keygen_write_key("b.key", key, false, &err);
    const int pair = sc_keygen_write_pair("a.key", key, "a.crt", certificate, true, &err);
    /* Room for the key and not for the certificate. */
    small.rlim_cur = 300;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int half = sc_keygen_write_pair("a.key", key, "a.crt", certificate, true, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(one, -1);
    ck_assert_int_eq(pair, -1);
    ck_assert_int_eq(half, -1);
    assert_failed(&err, EX_IOERR, "can't write a.crt: File too large");
    ck_assert_uint_eq(count_files(), 1);
    ck_assert_ptr_null(sc_keygen_read_key("a.key", NULL, NULL, &err));
    leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(places_where_nothing_can_be_made)
{
    struct sc_err err;
    char          path[5000];
    EVP_PKEY     *key         = make_key();
    X509         *certificate = make_certificate(key);
    enter();
    ck_assert_int_eq(sc_keygen_write_key("no/a.key", key, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "no/a.key: No such file or directory");
    put_text("file", "");
    ck_assert_int_eq(sc_keygen_write_key("file/a.key", key, true, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "file/a.key: Not a directory");
    ck_assert_int_eq(mkdir("a.crt", 0700), 0);
    ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, true, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "a.crt: a directory has this name");
    ck_assert_uint_eq(count_files(), 2);
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(sc_keygen_write_key(path, key, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "name too long");
    path[300] = '\0';
    ck_assert_int_eq(sc_keygen_write_key(path, key, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "name too long");
    if (geteuid() != 0) {
        ck_assert_int_eq(chmod(".", 0500), 0);
        ck_assert_int_eq(sc_keygen_write_key("b.key", key, false, &err), -1);
        ck_assert_int_eq(chmod(".", 0700), 0);
        assert_failed(&err, EX_CANTCREAT, "b.key: Permission denied");
    }
    leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

/* --- Reading ------------------------------------------------------------------------------------------------------------------------ */

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
        "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: NONE,00\n\nAAAA\n-----END RSA PRIVATE KEY-----\n",
        "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    };
    X509     *certificate;
    EVP_PKEY *key;
    enter();
    for (size_t i = 0; i < SC_COUNT_OF(texts); i++) {
        struct sc_err err = {0};
        put_text("a", texts[i]);
        ck_assert_ptr_null(sc_keygen_read_certificate("a", &err));
        assert_failed(&err, EX_DATAERR, "a: ");
        ck_assert_ptr_null(sc_keygen_read_key("a", NULL, NULL, &err));
        assert_failed(&err, EX_DATAERR, "a: ");
        ck_assert_int_eq(sc_keygen_read_either("a", NULL, NULL, &certificate, &key, &err), -1);
        assert_failed(&err, EX_DATAERR, "a: ");
    }
    struct sc_err err;
    ck_assert_ptr_null(sc_keygen_read_certificate("none", &err));
    assert_failed(&err, EX_NOINPUT, "none");
    ck_assert_ptr_null(sc_keygen_read_key(".", NULL, NULL, &err));
    assert_failed(&err, EX_NOINPUT, ".");
    leave();
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

START_TEST(an_encrypted_key_asks_once)
{
    EVP_PKEY *key = make_key();
    enter();
    for (int traditional = 0; traditional < 2; traditional++) {
        struct sc_err err;
        EVP_PKEY     *read_key;
        const char   *right[] = {"secret", NULL}, *wrong[] = {"guess", NULL}, *empty[] = {"", NULL};
        BIO          *file = BIO_new_file("a.key", "w");
        ck_assert_int_eq(
            traditional ? PEM_write_bio_PrivateKey_traditional(file, key, EVP_aes_128_cbc(), NULL, 0, NULL, (void *)(uintptr_t) "secret")
                        : PEM_write_bio_PKCS8PrivateKey(file, key, EVP_aes_128_cbc(), NULL, 0, NULL, (void *)(uintptr_t) "secret"),
            1);
        BIO_free(file);
        ck_assert_ptr_null(sc_keygen_read_key("a.key", NULL, NULL, &err));
        assert_failed(&err, EX_DATAERR, "encrypted");
        ck_assert_ptr_null(sc_keygen_read_key("a.key", answer, wrong, &err));
        assert_failed(&err, EX_DATAERR, "passphrase");
        ck_assert_str_eq(wrong[1], "asked");
        ck_assert_ptr_null(sc_keygen_read_key("a.key", answer, empty, &err));
        assert_failed(&err, EX_DATAERR, "passphrase");
        ck_assert_ptr_nonnull(read_key = sc_keygen_read_key("a.key", answer, right, &err));
        ck_assert_str_eq(right[1], "asked");
        ck_assert_int_eq(EVP_PKEY_eq(key, read_key), 1);
        EVP_PKEY_free(read_key);
    }
    leave();
    EVP_PKEY_free(key);
}
END_TEST

SUITE_MAIN("keygen", every_kind_signs_its_own_certificate, sizes_days_and_counts_have_bounds, names_are_checked,
           alternative_names_hold_what_was_asked_for_once, it_is_its_own_trust_anchor_and_nobody_elses,
           serials_are_positive_long_and_different, dates_are_one_hour_ago_and_so_many_days_ahead, modes_do_not_depend_on_the_umask,
           what_was_written_is_read_again, nothing_is_replaced_unless_told, of_many_at_once_one_wins, a_full_disk_leaves_what_was_there,
           places_where_nothing_can_be_made, files_that_hold_nothing_of_use, an_encrypted_key_asks_once)
