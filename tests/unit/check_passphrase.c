/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/passphrase.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "scratch.h"
#include "suite.h"

/* In place of libc's and OpenSSL's: a terminal where somebody types this; NULL: there is none. */
static const char *typed;
static unsigned questions;

int isatty(int fd)
{
    ck_assert_int_eq(fd, STDIN_FILENO);
    return typed != NULL;
}

int EVP_read_pw_string(char *out, int size, const char *prompt, int verify)
{
    ck_assert_ptr_nonnull(strstr(prompt, "Passphrase"));
    ck_assert_int_eq(verify, 0);
    ck_assert_uint_eq((size_t)size, sizeof(((struct sc_passphrase *)NULL)->asked) - 1U);
    questions++;
    (void)snprintf(out, (size_t)size, "%s", typed);
    return 0;
}

enum { ROOM = 16 }; /* what the key's reader takes, its NUL included */

static char got[ROOM];
static struct sc_sysd sysd;
static struct sc_passphrase passphrase;

static int ask(void)
{
    memset(got, 'x', sizeof(got));
    return sc_passphrase_callback(got, ROOM, 0, &passphrase);
}

static void gives(const char *content, const char *expected)
{
    scratch_write("file", content);
    passphrase = (struct sc_passphrase){.file = "file"};
    ck_assert_int_eq(ask(), (int)strlen(expected));
    ck_assert_str_eq(got, expected);
    ck_assert_int_eq(passphrase.failure.status, 0);
}

static void fails(const char *path, int status, const char *words)
{
    passphrase = (struct sc_passphrase){.file = path};
    ck_assert_int_eq(ask(), -1);
    ck_assert_int_eq(passphrase.failure.status, status);
    ck_assert_msg(strstr(passphrase.failure.text, words) != NULL, "\"%s\" is not in: %s", words,
                  passphrase.failure.text);
}

START_TEST(it_is_the_first_line)
{
    scratch_enter();
    gives("secret", "secret");
    gives("secret\n", "secret");
    gives("secret\r\nnot this\n", "secret");
    gives(" with spaces \n", " with spaces ");
    gives("fifteen_bytes__\n", "fifteen_bytes__");
    scratch_leave();
}
END_TEST

/* A passphrase that is cut would be a wrong one, and nobody would know why. */
START_TEST(a_line_that_does_not_fit_is_refused)
{
    scratch_enter();
    scratch_write("file", "sixteen_bytes___\n");
    fails("file", EX_CONFIG, "the first line of file is longer than 15 bytes");
    ck_assert_ptr_null(strstr(passphrase.failure.text, "sixteen"));
    scratch_leave();
}
END_TEST

START_TEST(files_that_hold_none)
{
    scratch_enter();
    scratch_write("empty", "");
    scratch_write("nothing", "\nsecret\n");
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    fails("empty", EX_CONFIG, "the first line of empty is empty");
    fails("nothing", EX_CONFIG, "the first line of nothing is empty");
    fails("missing", EX_NOINPUT, "missing: No such file");
    fails(".", EX_NOINPUT, "directory");
    fails("fifo", EX_NOINPUT, "not a regular file"); /* and nobody waits for a writer */
    if (geteuid() != 0) {
        ck_assert_int_eq(chmod("nothing", 0), 0);
        fails("nothing", EX_NOINPUT, "nothing: Permission denied");
    }
    scratch_leave();
}
END_TEST

static void use_credentials(void)
{
    memset(&sysd, 0, sizeof(sysd));
    (void)snprintf(sysd.credentials, sizeof(sysd.credentials), "%s", scratch_directory);
    passphrase = (struct sc_passphrase){.sysd = &sysd};
}

START_TEST(a_credential_is_used_without_a_file)
{
    scratch_enter();
    scratch_write("passphrase", "of the service\n");
    scratch_write("file", "of the file\n");
    use_credentials();
    ck_assert_int_eq(ask(), (int)strlen("of the service"));
    ck_assert_str_eq(got, "of the service");
    passphrase.file = "";
    ck_assert_int_gt(ask(), 0);
    ck_assert_str_eq(got, "of the service");
    passphrase.file = "file";
    ck_assert_int_gt(ask(), 0);
    ck_assert_str_eq(got, "of the file");
    /* A file that was asked for and is not there is a mistake: nothing takes its place. */
    passphrase.file = "missing";
    ck_assert_int_eq(ask(), -1);
    scratch_leave();
}
END_TEST

START_TEST(there_is_no_passphrase)
{
    scratch_enter();
    use_credentials();
    ck_assert_int_eq(ask(), -1);
    ck_assert_int_eq(passphrase.failure.status, 0); /* none was promised */
    /* The environment has one reader, base/sysd, at the start. */
    scratch_write("passphrase", "of the environment\n");
    ck_assert_int_eq(setenv("CREDENTIALS_DIRECTORY", scratch_directory, 1), 0);
    passphrase = (struct sc_passphrase){0};
    ck_assert_int_eq(ask(), -1);
    scratch_leave();
}
END_TEST

/* Once, and only at the start: a reload that waited for an answer would stop everything. */
START_TEST(a_terminal_is_asked_at_the_start)
{
    passphrase = (struct sc_passphrase){.may_ask = true};
    ck_assert_int_eq(ask(), -1);
    typed = "typed";
    ck_assert_int_eq(ask(), 5);
    ck_assert_str_eq(got, "typed");
    ck_assert_int_eq(ask(), 5);
    ck_assert_uint_eq(questions, 1);
    passphrase.may_ask = false;
    ck_assert_int_eq(ask(), 5);
    sc_passphrase_erase(&passphrase);
    ck_assert_int_eq(ask(), -1);
    ck_assert_uint_eq(questions, 1);
}
END_TEST

/* What a terminal gave serves the reloads, until it is erased. */
START_TEST(an_answer_is_kept_and_erased)
{
    static const char zeros[sizeof(passphrase.asked)];
    passphrase = (struct sc_passphrase){.asked = "typed"};
    ck_assert_int_eq(ask(), 5);
    ck_assert_str_eq(got, "typed");
    ck_assert_int_eq(ask(), 5);
    (void)snprintf(passphrase.asked, sizeof(passphrase.asked), "sixteen_bytes___");
    ck_assert_int_eq(ask(), -1);
    sc_passphrase_erase(&passphrase);
    ck_assert_mem_eq(passphrase.asked, zeros, sizeof(zeros));
    ck_assert_int_eq(ask(), -1);
}
END_TEST

SUITE_MAIN("passphrase", it_is_the_first_line, a_line_that_does_not_fit_is_refused,
           files_that_hold_none, a_credential_is_used_without_a_file, there_is_no_passphrase,
           a_terminal_is_asked_at_the_start, an_answer_is_kept_and_erased)
