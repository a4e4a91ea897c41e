/* SPDX-License-Identifier: MIT */
#include "config.h"

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

#include <openssl/pem.h>

#include "base/new_file.h"
#include "keygen_fixture.h"
#include "leaks.h"
#include "scratch.h"
#include "suite.h"
#include "tls/keygen.h"

/*
 * In place of the C library's: how often something was made to last, and a file system without
 * links.
 */
static unsigned synced;
static int link_errno;

int fsync(int fd)
{
    ck_assert_int_ge(fd, 0);
    synced++;
    return 0;
}

int link(const char *from, const char *to)
{
    if (link_errno != 0) {
        errno = link_errno;
        return -1;
    }
    return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

static unsigned mode_of(const char *path)
{
    struct stat there;
    ck_assert_int_eq(stat(path, &there), 0);
    return (unsigned)there.st_mode & 07777U;
}

static const char *not_replaced; /* rename(2) to this name fails; NULL: none */

int rename(const char *from, const char *to)
{
    if (not_replaced && strcmp(to, not_replaced) == 0) {
        errno = EIO;
        return -1;
    }
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

/* --- Writing --- */

START_TEST(modes_do_not_depend_on_the_umask)
{
    static const mode_t masks[] = {0000, 0022, 0077, 0777};
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key);
    for (size_t i = 0; i < SC_COUNT_OF(masks); i++) {
        struct sc_err err;
        scratch_enter();
        const mode_t before = umask(masks[i]);
        const int status = sc_keygen_write_pair("a.key", key, "a.crt", certificate, false, &err);
        umask(before);
        ck_assert_int_eq(status, 0);
        ck_assert_uint_eq(mode_of("a.key"), 0600);
        ck_assert_uint_eq(mode_of("a.crt"), 0644);
        ck_assert_uint_eq(scratch_files(false), 2);
        scratch_leave();
    }
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(what_was_written_is_read_again)
{
    struct sc_err err;
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key);
    X509 *read_certificate, *other;
    EVP_PKEY *read_key, *none;
    scratch_enter();
    ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, false, &err), 0);
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
    scratch_leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

/* A power cut must not leave a name without its file: two files, and the directory for each. */
START_TEST(a_pair_is_made_to_last)
{
    struct sc_err err;
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key);
    scratch_enter();
    synced = 0;
    ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, false, &err), 0);
    ck_assert_uint_eq(synced, 4);
    ck_assert_int_eq(sc_new_file_rename("a.key", "b.key", &err), 0);
    ck_assert_uint_eq(synced, 5);
    scratch_leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(a_file_system_without_links)
{
    static const int none[] = {EPERM, EOPNOTSUPP, ENOSYS};
    struct sc_err err;
    EVP_PKEY *key = make_key(), *now;
    X509 *certificate = make_certificate(key);
    for (size_t i = 0; i < SC_COUNT_OF(none); i++) {
        scratch_enter();
        scratch_write("b.key", "old");
        link_errno = none[i];
        ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, false, &err), 0);
        ck_assert_uint_eq(mode_of("a.key"), 0600);
        ck_assert_ptr_nonnull(now = sc_keygen_read_key("a.key", NULL, NULL, &err));
        EVP_PKEY_free(now);
        ck_assert_uint_eq(scratch_files(false), 3);
        /* The same name for both: the second finds the first there, and neither is left. */
        ck_assert_int_eq(sc_keygen_write_pair("c", key, "c", certificate, false, &err), -1);
        assert_failed(&err, EX_CANTCREAT, "--force");
        ck_assert_uint_eq(scratch_files(false), 3);
        scratch_leave();
    }
    scratch_enter();
    link_errno = EIO;
    ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "can't create a.key: Input/output error");
    ck_assert_uint_eq(scratch_files(false), 0);
    link_errno = 0;
    scratch_leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

/* Of a pair that replaces another the key stays: the one before is gone. */
START_TEST(a_certificate_that_is_not_replaced)
{
    struct sc_err err;
    EVP_PKEY *key = make_key(), *now;
    X509 *certificate = make_certificate(key);
    scratch_enter();
    ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, true, &err), 0);
    not_replaced = "a.crt";
    ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, true, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "can't create a.crt: Input/output error");
    not_replaced = NULL;
    ck_assert_uint_eq(scratch_files(false), 2);
    ck_assert_ptr_nonnull(now = sc_keygen_read_key("a.key", NULL, NULL, &err));
    EVP_PKEY_free(now);
    scratch_leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

static void read_both(void)
{
    struct sc_err err;
    EVP_PKEY_free(sc_keygen_read_key("a.key", NULL, NULL, &err));
    X509_free(sc_keygen_read_certificate("a.crt", &err));
    X509_free(sc_keygen_read_certificate("a.key", &err)); /* not a certificate */
}

START_TEST(nothing_is_kept)
{
    struct sc_err err;
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key);
    scratch_enter();
    ASSERT_KEEPS_NOTHING(
        ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, true, &err), 0));
    ASSERT_KEEPS_NOTHING(ck_assert_int_eq(
        sc_keygen_write_pair("a.key", key, "no/a.crt", certificate, true, &err), -1));
    ck_assert_uint_eq(scratch_files(false), 2);
    ASSERT_KEEPS_NOTHING(read_both());
    scratch_leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

/* A file with a key and its certificate is a certificate. */
START_TEST(a_file_with_both)
{
    struct sc_err err;
    EVP_PKEY *key = make_key(), *none;
    X509 *certificate = make_certificate(key), *there;
    scratch_enter();
    FILE *file = fopen("both", "w");
    ck_assert_int_eq(PEM_write_PrivateKey(file, key, NULL, NULL, 0, NULL, NULL), 1);
    ck_assert_int_eq(PEM_write_X509(file, certificate), 1);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(sc_keygen_read_either("both", NULL, NULL, &there, &none, &err), 0);
    ck_assert_ptr_null(none);
    ck_assert_int_eq(X509_cmp(certificate, there), 0);
    X509_free(there);
    scratch_leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(nothing_is_replaced_without_force)
{
    struct sc_err err;
    EVP_PKEY *key = make_key();
    EVP_PKEY *other = make_key();
    X509 *certificate = make_certificate(key);
    EVP_PKEY *now;
    scratch_enter();
    ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, false, &err), 0);
    ck_assert_int_eq(sc_keygen_write_pair("a.key", other, "a.crt", certificate, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "--force");
    ck_assert_ptr_nonnull(now = sc_keygen_read_key("a.key", NULL, NULL, &err));
    ck_assert_int_eq(EVP_PKEY_eq(now, key), 1);
    EVP_PKEY_free(now);

    /* A pair stops at either of its files, and leaves nothing of the other. */
    ck_assert_int_eq(sc_keygen_write_pair("a.key", other, "b.crt", certificate, false, &err), -1);
    ck_assert_uint_eq(scratch_files(false), 2);
    ck_assert_int_eq(sc_keygen_write_pair("b.key", other, "a.crt", certificate, false, &err), -1);
    ck_assert_uint_eq(scratch_files(false), 2);

    /* The same name for both is seen only when the second is put in place. */
    ck_assert_int_eq(sc_keygen_write_pair("c", other, "c", certificate, false, &err), -1);
    ck_assert_uint_eq(scratch_files(false), 2);

    /*
     * Neither is a link, also one that leads nowhere, and with force it is the link that
     * goes.
     */
    ck_assert_int_eq(symlink("a.key", "link.key"), 0);
    ck_assert_int_eq(symlink("nowhere", "dangling.key"), 0);
    ck_assert_int_eq(sc_keygen_write_pair("link.key", other, "link.crt", certificate, false, &err),
                     -1);
    ck_assert_int_eq(
        sc_keygen_write_pair("dangling.key", other, "dangling.crt", certificate, false, &err), -1);
    ck_assert_int_eq(sc_keygen_write_pair("link.key", other, "link.crt", certificate, true, &err),
                     0);
    ck_assert_ptr_nonnull(now = sc_keygen_read_key("a.key", NULL, NULL, &err));
    ck_assert_int_eq(EVP_PKEY_eq(now, key), 1);
    EVP_PKEY_free(now);

    ck_assert_int_eq(chmod("a.key", 0644), 0);
    ck_assert_int_eq(sc_keygen_write_pair("a.key", other, "a.crt", certificate, true, &err), 0);
    ck_assert_uint_eq(mode_of("a.key"), 0600);
    ck_assert_ptr_nonnull(now = sc_keygen_read_key("a.key", NULL, NULL, &err));
    ck_assert_int_eq(EVP_PKEY_eq(now, other), 1);
    EVP_PKEY_free(now);
    scratch_leave();
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
        int start[2], winners = 0;
        pid_t child[CHILDREN];
        EVP_PKEY *keys[CHILDREN], *there;
        X509 *certificates[CHILDREN], *its;
        scratch_enter();
        ck_assert_int_eq(pipe(start), 0);
        for (int i = 0; i < CHILDREN; i++) {
            keys[i] = make_key();
            certificates[i] = make_certificate(keys[i]);
            child[i] = fork();
            ck_assert_int_ge(child[i], 0);
            if (child[i] == 0) {
                char byte;
                (void)close(start[1]);
                /* The end of the pipe starts all of them. */
                (void)!read(start[0], &byte, 1);
                _exit(sc_keygen_write_pair("a.key", keys[i], "a.crt", certificates[i], false,
                                           &err) == 0
                          ? 0
                          : err.status);
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
        ck_assert_uint_eq(scratch_files(false), 2);
        ck_assert_ptr_nonnull(there = sc_keygen_read_key("a.key", NULL, NULL, &err));
        ck_assert_int_eq(EVP_PKEY_eq(there, keys[winner]), 1);
        EVP_PKEY_free(there);
        ck_assert_ptr_nonnull(its = sc_keygen_read_certificate("a.crt", &err));
        ck_assert_int_eq(X509_cmp(its, certificates[winner]), 0);
        X509_free(its);
        for (int i = 0; i < CHILDREN; i++) {
            X509_free(certificates[i]);
            EVP_PKEY_free(keys[i]);
        }
        scratch_leave();
    }
}
END_TEST

START_TEST(a_full_disk_leaves_what_was_there)
{
    struct sc_err err;
    struct rlimit before, small;
    const struct rlimit none = {.rlim_cur = 100, .rlim_max = RLIM_INFINITY};
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key);
    scratch_enter();
    scratch_write("a.key", "old");
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = none;
    small.rlim_max = before.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    const int one = sc_keygen_write_pair("b.key", key, "b.crt", certificate, false, &err);
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
    ck_assert_uint_eq(scratch_files(false), 1);
    ck_assert_ptr_null(sc_keygen_read_key("a.key", NULL, NULL, &err));
    scratch_leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

START_TEST(places_where_nothing_can_be_made)
{
    struct sc_err err;
    char path[5000];
    EVP_PKEY *key = make_key();
    X509 *certificate = make_certificate(key);
    scratch_enter();
    ck_assert_int_eq(sc_keygen_write_pair("no/a.key", key, "a.crt", certificate, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "no/a.key: No such file or directory");
    ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "no/a.crt", certificate, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "no/a.crt: No such file or directory");
    ck_assert_uint_eq(scratch_files(false), 0);
    scratch_write("file", "");
    ck_assert_int_eq(sc_keygen_write_pair("file/a.key", key, "a.crt", certificate, true, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "file/a.key: Not a directory");
    ck_assert_int_eq(mkdir("a.crt", 0700), 0);
    ck_assert_int_eq(sc_keygen_write_pair("a.key", key, "a.crt", certificate, true, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "a.crt: a directory has this name");
    ck_assert_uint_eq(scratch_files(false), 2);
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    ck_assert_int_eq(sc_keygen_write_pair(path, key, "b.crt", certificate, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "name too long");
    path[300] = '\0';
    ck_assert_int_eq(sc_keygen_write_pair(path, key, "b.crt", certificate, false, &err), -1);
    assert_failed(&err, EX_CANTCREAT, "name too long");
    if (geteuid() != 0) {
        ck_assert_int_eq(chmod(".", 0500), 0);
        ck_assert_int_eq(sc_keygen_write_pair("b.key", key, "b.crt", certificate, false, &err), -1);
        ck_assert_int_eq(chmod(".", 0700), 0);
        assert_failed(&err, EX_CANTCREAT, "b.key: Permission denied");
    }
    scratch_leave();
    X509_free(certificate);
    EVP_PKEY_free(key);
}
END_TEST

SUITE_MAIN("keygen_file", a_pair_is_made_to_last, a_file_system_without_links, nothing_is_kept,
           a_certificate_that_is_not_replaced, a_file_with_both, modes_do_not_depend_on_the_umask,
           what_was_written_is_read_again, nothing_is_replaced_without_force,
           of_many_at_once_one_wins, a_full_disk_leaves_what_was_there,
           places_where_nothing_can_be_made)
