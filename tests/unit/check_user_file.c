/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/user_file.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "suite.h"

static char path[64];

/* NULL: the variable is not set. */
static void set(const char *name, const char *value)
{
    ck_assert_int_eq(value ? setenv(name, value, 1) : unsetenv(name), 0);
}

static bool find(enum sc_user_directory directory)
{
    return sc_user_file_path(directory, "pins", path, sizeof(path));
}

START_TEST(each_directory_has_its_variable)
{
    set("HOME", "/home/ada");
    set("XDG_CONFIG_HOME", "/c");
    set("XDG_STATE_HOME", "/s");
    ck_assert(find(SC_USER_CONFIG));
    ck_assert_str_eq(path, "/c/space-captain/pins");
    ck_assert(find(SC_USER_STATE));
    ck_assert_str_eq(path, "/s/space-captain/pins");
}
END_TEST

START_TEST(without_it_they_are_below_the_home)
{
    static const char *const ignored[] = {NULL, "", "relative/path"};
    set("HOME", "/home/ada");
    for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++) {
        set("XDG_CONFIG_HOME", ignored[i]);
        set("XDG_STATE_HOME", ignored[i]);
        ck_assert(find(SC_USER_CONFIG));
        ck_assert_str_eq(path, "/home/ada/.config/space-captain/pins");
        ck_assert(find(SC_USER_STATE));
        ck_assert_str_eq(path, "/home/ada/.local/state/space-captain/pins");
    }
}
END_TEST

START_TEST(without_a_home_there_is_none)
{
    set("XDG_STATE_HOME", NULL);
    set("HOME", NULL);
    ck_assert(!find(SC_USER_STATE));
    set("HOME", "");
    ck_assert(!find(SC_USER_STATE));
    set("HOME", "home/ada");
    ck_assert(!find(SC_USER_STATE));
}
END_TEST

START_TEST(a_path_fits_or_is_none)
{
    char state[64] = "/";
    const size_t rest = strlen("/space-captain/pins") + 1;
    memset(state + 1, 's', sizeof(path) - rest - 1);
    set("XDG_STATE_HOME", state);
    ck_assert(find(SC_USER_STATE));
    ck_assert_uint_eq(strlen(path), sizeof(path) - 1);
    strcat(state, "s");
    set("XDG_STATE_HOME", state);
    ck_assert(!find(SC_USER_STATE));
}
END_TEST

/* NULL: it can be believed. Else words of the warning. */
static void check_file(uid_t owner, mode_t mode, const char *words)
{
    struct sc_err err = {0};
    const struct stat status = {.st_uid = owner, .st_mode = S_IFREG | mode};
    const int result = sc_user_file_check("pins", &status, &err);
    ck_assert_int_eq(result, words ? -1 : 0);
    ck_assert_int_eq(err.status, words ? EX_DATAERR : 0);
    ck_assert_msg(!words || strstr(err.text, words), "\"%s\" is not in: %s", words, err.text);
}

START_TEST(who_can_write_it_is_who_it_is_of_or_root)
{
    const uid_t before = geteuid();
    if (before == 0) {
        ck_assert_int_eq(seteuid(47110), 0); /* no user has it */
    }
    check_file(geteuid(), 0600, NULL);
    check_file(geteuid(), 0644, NULL);
    check_file(0, 0644, NULL);
    check_file(geteuid() + 1, 0600, "another user");
    check_file(geteuid(), 0620, "0620");
    check_file(geteuid(), 0602, "chmod go-w pins");
    check_file(0, 0664, "written by others");
    ck_assert_int_eq(seteuid(before), 0); /* a sanitizer may look for leaks at the end */
}
END_TEST

SUITE_MAIN("user_file", each_directory_has_its_variable, without_it_they_are_below_the_home,
           without_a_home_there_is_none, a_path_fits_or_is_none,
           who_can_write_it_is_who_it_is_of_or_root)
