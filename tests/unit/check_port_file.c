/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/port_file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/parse.h"
#include "scratch.h"
#include "suite.h"

static struct sc_err err;
static struct sc_listen *sockets;
static char expected[2 * 320]; /* their addresses, as the file has them */

static void start(void)
{
    struct sc_address addresses[2];
    scratch_enter();
    ck_assert_int_eq(sc_parse_address("127.0.0.1:0", NULL, &addresses[0], &err), 0);
    ck_assert_int_eq(sc_parse_address("unix:socket", NULL, &addresses[1], &err), 0);
    ck_assert_ptr_nonnull(sockets = sc_listen_open(addresses, 2, &err));
    (void)snprintf(expected, sizeof(expected), "%s\nunix:socket\n", sc_listen_address(sockets, 0));
}

static void finish(void)
{
    sc_listen_close(sockets);
    scratch_leave();
}

static void fails(const char *path, int status, const char *words)
{
    const size_t before = scratch_files(false);
    memset(&err, 0, sizeof(err));
    ck_assert_int_eq(sc_port_file_write(path, sockets, &err), -1);
    ck_assert_int_eq(err.status, status);
    ck_assert_msg(strstr(err.text, words) != NULL, "\"%s\" is not in: %s", words, err.text);
    ck_assert_uint_eq(scratch_files(false), before); /* nothing half-written is left */
}

START_TEST(it_holds_the_real_addresses)
{
    struct stat status;
    start();
    (void)!chown(".", 65534, 65534); /* for root: the file is its own all the same */
    ck_assert_int_eq(sc_port_file_write("port", sockets, &err), 0);
    ck_assert_int_eq(stat("port", &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFREG | 0644);
    ck_assert_uint_eq(status.st_uid, geteuid());
    ck_assert_str_eq(scratch_read("port"), expected);
    ck_assert_ptr_null(strstr(expected, ":0\n"));
    ck_assert_uint_eq(scratch_files(false), 2); /* and the socket */
    finish();
}
END_TEST

/* A reader sees the old file whole, or the new one. */
START_TEST(an_old_one_is_replaced_at_once)
{
    struct stat before, after;
    char old[16] = "";
    start();
    scratch_write("port", "old\n");
    const int fd = open("port", O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(fstat(fd, &before), 0);
    ck_assert_int_eq(sc_port_file_write("port", sockets, &err), 0);
    ck_assert_int_eq(stat("port", &after), 0);
    ck_assert_uint_ne(before.st_ino, after.st_ino);
    ck_assert_int_eq((int)read(fd, old, sizeof(old) - 1), 4);
    ck_assert_str_eq(old, "old\n");
    ck_assert_str_eq(scratch_read("port"), expected);
    (void)close(fd);
    finish();
}
END_TEST

START_TEST(only_a_regular_file_is_replaced)
{
    struct stat now;
    start();
    scratch_write("file", "mine");
    ck_assert_int_eq(mkdir("directory", 0700), 0);
    ck_assert_int_eq(mkfifo("fifo", 0600), 0);
    ck_assert_int_eq(symlink("file", "link"), 0);
    ck_assert_int_eq(symlink("nowhere", "dangling"), 0);
    fails("directory", EX_CANTCREAT,
          "port-file: can't create directory: what is there is not a regular file; name another");
    fails("fifo", EX_CANTCREAT, "not a regular file");
    fails("link", EX_CANTCREAT, "not a regular file");
    fails("dangling", EX_CANTCREAT, "not a regular file");
    fails("socket", EX_CANTCREAT, "not a regular file");
    fails("/dev/null", EX_CANTCREAT, "not a regular file");
    ck_assert_str_eq(scratch_read("file"), "mine");
    ck_assert(lstat("link", &now) == 0 && S_ISLNK(now.st_mode));
    ck_assert(lstat("fifo", &now) == 0 && S_ISFIFO(now.st_mode));
    finish();
}
END_TEST

START_TEST(places_where_nothing_can_be_made)
{
    char path[5000];
    start();
    fails("no/port", EX_CANTCREAT, "port-file: can't create no/port: No such file or directory");
    fails("socket/port", EX_CANTCREAT, "Not a directory");
    memset(path, 'x', sizeof(path));
    path[sizeof(path) - 1] = '\0';
    fails(path, EX_CANTCREAT, "port-file: can't create xxx");
    path[300] = '\0';
    fails(path, EX_CANTCREAT, "File name too long");
    if (geteuid() != 0) {
        ck_assert_int_eq(chmod(".", 0500), 0);
        fails("port", EX_CANTCREAT, "Permission denied");
        ck_assert_int_eq(chmod(".", 0700), 0);
    }
    finish();
}
END_TEST

START_TEST(a_full_disk_leaves_what_was_there)
{
    struct rlimit before, none;
    start();
    scratch_write("port", "old\n");
    (void)signal(SIGXFSZ, SIG_IGN);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = before;
    none.rlim_cur = 3;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
    const int status = sc_port_file_write("port", sockets, &err);
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &before), 0);
    ck_assert_int_eq(status, -1);
    ck_assert_int_eq(err.status, EX_IOERR);
    ck_assert_str_eq(err.text, "port-file: can't write port: File too large");
    ck_assert_str_eq(scratch_read("port"), "old\n");
    ck_assert_uint_eq(scratch_files(false), 2);
    finish();
}
END_TEST

SUITE_MAIN("port_file", it_holds_the_real_addresses, an_old_one_is_replaced_at_once,
           only_a_regular_file_is_replaced, places_where_nothing_can_be_made,
           a_full_disk_leaves_what_was_there)
