/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/account.h"

#include <grp.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "scratch.h"
#include "suite.h"

#define NOBODYS_UID 47110U /* no user and no group has these */
#define NOBODYS_GID 47111U

static struct sc_account account;

static void make_directory(uid_t uid, gid_t gid)
{
    scratch_enter();
    ck_assert_int_eq(mkdir("keys", 0755), 0);
    ck_assert_int_eq(chown("keys", uid, gid), 0);
}

START_TEST(without_need_there_is_none)
{
    scratch_enter();
    ck_assert_int_eq(mkdir("keys", 0755), 0);
    ck_assert(!sc_account_of_directory("keys/server.key", &account)); /* this process's own */
    ck_assert(!sc_account_of_directory("missing/server.key", &account));
    scratch_leave();
}
END_TEST

START_TEST(it_is_who_owns_the_directory)
{
    if (geteuid() != 0 || getpwuid(NOBODYS_UID)) {
        return; /* nobody else looks for an account, or there is this user */
    }
    make_directory(NOBODYS_UID, NOBODYS_GID);
    ck_assert(sc_account_of_directory("keys/server.key", &account));
    ck_assert_uint_eq(account.uid, NOBODYS_UID);
    ck_assert_uint_eq(account.gid, NOBODYS_GID);
    ck_assert_str_eq(account.name, "47110");
    ck_assert(!sc_account_of_directory("server.key", &account)); /* in a directory of root */
    scratch_leave();
}
END_TEST

START_TEST(a_user_has_a_name_and_a_group)
{
    const struct passwd *user = getpwnam("nobody");
    if (geteuid() != 0 || !user) {
        return;
    }
    const gid_t group = user->pw_gid;
    make_directory(user->pw_uid, NOBODYS_GID);
    ck_assert(sc_account_of_directory("keys/server.key", &account));
    ck_assert_uint_eq(account.gid, group);
    ck_assert_str_eq(account.name, "nobody");
    scratch_leave();
}
END_TEST

/* In place of the C library's: nobody is in any other group than the one that is given. */
static unsigned asked_for_groups;

int initgroups(const char *user, gid_t group)
{
    asked_for_groups++;
    return strcmp(user, "nobody") == 0 ? setgroups(1, &group) : -1;
}

/* Whether all three of both are those of the account, with no other group, and for good. */
static bool becomes(const struct sc_account *who)
{
    uid_t uids[3];
    gid_t gids[3], groups[8];
    struct sc_err err;
    if (sc_account_become(who, &err) != 0 || getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
        getresgid(&gids[0], &gids[1], &gids[2]) != 0) {
        return false;
    }
    for (size_t i = 0; i < 3; i++) {
        if (uids[i] != who->uid || gids[i] != who->gid) {
            return false;
        }
    }
    return getgroups(8, groups) == 1 && groups[0] == who->gid && seteuid(0) != 0 && setegid(0) != 0;
}

START_TEST(there_is_no_way_back)
{
    int status;
    const gid_t more[] = {0, NOBODYS_GID + 1};
    const struct sc_account who = {.uid = NOBODYS_UID, .gid = NOBODYS_GID, .name = "47110"};
    const pid_t child = fork();
    if (child == 0) {
        if (geteuid() != 0) {
            struct sc_err err;
            _exit(sc_account_become(&who, &err) == -1 && strstr(err.text, "47110") ? 0 : 1);
        }
        _exit(setgroups(2, more) == 0 && becomes(&who) && asked_for_groups == 0 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_user_has_the_groups_of_the_system)
{
    int status;
    const gid_t more[] = {0, NOBODYS_GID + 1};
    const struct passwd *user = getpwnam("nobody");
    if (geteuid() != 0 || !user) {
        return;
    }
    const struct sc_account who = {.uid = user->pw_uid, .gid = user->pw_gid, .name = "nobody"};
    const pid_t child = fork();
    if (child == 0) {
        _exit(setgroups(2, more) == 0 && becomes(&who) && asked_for_groups == 1 ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

SUITE_MAIN("account", without_need_there_is_none, it_is_who_owns_the_directory,
           a_user_has_a_name_and_a_group, there_is_no_way_back, a_user_has_the_groups_of_the_system)
