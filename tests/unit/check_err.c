/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/err.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>

#include "suite.h"

START_TEST(set_writes_both_and_returns_minus_one)
{
    struct sc_err err = {0};
    ck_assert_int_eq(sc_err_set(&err, EX_NOINPUT, "cannot read %s: %d", "x", 7), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
    ck_assert_str_eq(err.text, "cannot read x: 7");
}
END_TEST

START_TEST(nobody_has_to_listen)
{
    ck_assert_int_eq(sc_err_set(NULL, EX_USAGE, "%s", "x"), -1);
    ck_assert_int_eq(sc_err_set_errno(NULL, EX_USAGE, ENOENT, "%s", "x"), -1);
    ck_assert_int_eq(sc_err_prefix(NULL, "%s", "x"), -1);
}
END_TEST

START_TEST(errno_has_the_last_word)
{
    struct sc_err err = {0};
    char buffer[128];
    ck_assert_int_eq(sc_err_set_errno(&err, EX_NOINPUT, ENOENT, "cannot open %s", "server.crt"),
                     -1);
    ck_assert_str_eq(err.text, "cannot open server.crt: No such file or directory");
    ck_assert_str_eq(sc_err_errno_text(ENOENT, buffer, sizeof(buffer)), strerror(ENOENT));
    /* No such number: some text all the same. */
    ck_assert_uint_gt(strlen(sc_err_errno_text(99999, buffer, sizeof(buffer))), 0);
}
END_TEST

START_TEST(the_reason_survives_a_long_name)
{
    struct sc_err err = {0};
    char name[2000];
    memset(name, 'n', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    sc_err_set(&err, EX_USAGE, "%s", name);
    ck_assert_uint_eq(strlen(err.text), sizeof(err.text) - 1);
    sc_err_set_errno(&err, EX_NOINPUT, EACCES, "cannot open %s", name);
    ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
    ck_assert_str_eq(err.text + strlen(err.text) - strlen(": Permission denied"),
                     ": Permission denied");
}
END_TEST

START_TEST(prefixes_pile_up_in_front)
{
    struct sc_err err = {0};
    sc_err_set(&err, EX_CONFIG, "invalid value \"x\"");
    ck_assert_int_eq(sc_err_prefix(&err, "idle-timeout"), -1);
    ck_assert_int_eq(sc_err_prefix(&err, "%s:%d", "sc-server.conf", 12), -1);
    ck_assert_str_eq(err.text, "sc-server.conf:12: idle-timeout: invalid value \"x\"");
    ck_assert_int_eq(err.status, EX_CONFIG);
}
END_TEST

START_TEST(a_prefix_and_a_text_share_the_room)
{
    struct sc_err err = {0};
    char half[2000];
    memset(half, 'p', sizeof(half) - 1);
    half[sizeof(half) - 1] = '\0';
    memset(err.text, 't', sizeof(err.text) - 1);
    sc_err_prefix(&err, "%s", half);
    ck_assert_uint_lt(strlen(err.text), sizeof(err.text));
    ck_assert_uint_eq(strspn(err.text, "p"), sizeof(err.text) / 2);
    ck_assert_int_eq(strncmp(err.text + sizeof(err.text) / 2, ": ttt", 5), 0);
}
END_TEST

SUITE_MAIN("err", set_writes_both_and_returns_minus_one, nobody_has_to_listen,
           errno_has_the_last_word, the_reason_survives_a_long_name, prefixes_pile_up_in_front,
           a_prefix_and_a_text_share_the_room)
