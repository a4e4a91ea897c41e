/* SPDX-License-Identifier: MIT */
/* The pin store: its text, what is learnt, and the file. */
#include "config.h"

#include "lib/pin_store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "scratch.h"
#include "spacecaptain/client.h"
#include "suite.h"
#include "tls/pin.h"

#define SERVER "captain.example.org 4242"
#define PIN_A "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define PIN_LIKE_A "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=" /* but its last byte */
#define PIN_B "sha256//AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
#define PIN_C "sha256//AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
#define DATE "2026-11-22T00:12:43Z"
#define LINE(pin) SERVER " " pin " " DATE " first-use\n"

/* The pin whose bytes are all `value`: 0 is PIN_A, 1 PIN_B, 2 PIN_C. */
static const uint8_t *pin(uint8_t value)
{
    static uint8_t pins[16][SC_PINS_PIN_BYTES];
    memset(pins[value], value, SC_PINS_PIN_BYTES);
    return pins[value];
}

/* --- Lines --- */

static const char *const good[] = {
    SERVER " " PIN_A " " DATE " announced",
    "  CAPTAIN.example.org.\t4242  " PIN_A " " DATE " announced ",
    "::1 1 " PIN_B " " DATE " first-use",
    "unix:/run/x - " PIN_B " " DATE " given",
};

static const char *const bad[] = {
    "x",
    SERVER " " PIN_A " " DATE,
    SERVER " " PIN_A " " DATE " given more",
    "captain 0 " PIN_A " " DATE " given",
    "captain 65536 " PIN_A " " DATE " given",
    "captain 042 " PIN_A " " DATE " given",
    "captain - " PIN_A " " DATE " given",
    "unix: - " PIN_A " " DATE " given",
    SERVER " sha256//AAAA " DATE " given",
    SERVER " cert-sha256:AA " DATE " given",
    SERVER " " PIN_A "A " DATE " given",
    SERVER " " PIN_A " 2026-11-22 given",
    SERVER " " PIN_A " 2026-11-22T00:12:43ZZ given",
    SERVER " " PIN_A " 2026-11-22T00:12:4xZ given",
    SERVER " " PIN_A " " DATE " Given",
    SERVER " " PIN_A " " DATE " sixteen-letters-",
    SERVER " " PIN_A " " DATE " given\r",
    "\x01 4242 " PIN_A " " DATE " given",
};

START_TEST(lines)
{
    struct sc_pin_store_line line;
    char text[SC_PIN_STORE_LINE_BYTES];
    bool is_remark;
    for (size_t i = 0; i < SC_COUNT_OF(good); i++) {
        const char *why = sc_pin_store_parse_line(good[i], strlen(good[i]), &line, &is_remark);
        ck_assert_msg(!why && !is_remark, "%s: %s", good[i], why);
        const size_t length = sc_pin_store_format_line(&line, text);
        ck_assert_uint_eq(length, strlen(text));
        ck_assert_int_eq(text[length - 1], '\n');
        if (i == 1) {
            ck_assert_str_eq(text, SERVER " " PIN_A " " DATE " announced\n");
        }
    }
    for (size_t i = 0; i < SC_COUNT_OF(bad); i++) {
        const char *why = sc_pin_store_parse_line(bad[i], strlen(bad[i]), &line, &is_remark);
        ck_assert_msg(why && !is_remark, "%s is taken", bad[i]);
    }
    ck_assert_ptr_null(sc_pin_store_parse_line("", 0, &line, &is_remark));
    ck_assert(is_remark);
    ck_assert_ptr_null(sc_pin_store_parse_line(" # x", 4, &line, &is_remark));
    ck_assert(is_remark);
    static const char nul[] = "captain\0x 4242 " PIN_A " " DATE " given";
    ck_assert_str_eq(sc_pin_store_parse_line(nul, sizeof(nul) - 1, &line, &is_remark),
                     "there is a NUL byte in it");
}
END_TEST

START_TEST(one_name_for_a_server)
{
    static const struct {
        const char *address, *name;
    } rows[] = {{"Captain.Example.org.:4242", SERVER},
                {"[0:0:0:0:0:0:0:1]:4242", "::1 4242"},
                {"unix:/Run/x", "unix:/Run/x -"}};
    struct sc_address address;
    char name[SC_PIN_STORE_SERVER_BYTES];
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        ck_assert_int_eq(sc_parse_address(rows[i].address, NULL, &address, NULL), 0);
        ck_assert_int_eq(sc_pin_store_server(&address, name, NULL), 0);
        ck_assert_str_eq(name, rows[i].name);
    }
    struct sc_err err;
    ck_assert_int_eq(sc_parse_address("unix:/a b", NULL, &address, NULL), 0);
    ck_assert_int_eq(sc_pin_store_server(&address, name, &err), -1);
    ck_assert_int_eq(err.status, EX_USAGE);
}
END_TEST

/* --- What is learnt --- */

/* The pins 'a', 'b' ... of the text, in order; capitals are to be added. */
static void have(struct sc_pin_store_pins *pins, const char *text)
{
    memset(pins, 0, sizeof(*pins));
    for (; *text; text++) {
        sc_pin_store_add(pins, pin((uint8_t)(*text - 'a')), NULL);
        pins->list[pins->count - 1].line = (unsigned)pins->count;
    }
}

static const char *left(struct sc_pin_store_pins *pins)
{
    static char text[32];
    char *to = text;
    sc_pin_store_remove_dropped(pins);
    for (size_t i = 0; i < pins->count; i++) {
        *to++ = (char)((pins->list[i].line ? 'a' : 'A') + pins->list[i].pin[0]);
    }
    *to = '\0';
    return text;
}

static const struct {
    const char *before;
    char current, next; /* ' ': none is announced */
    bool proven;
    const char *after;
} learning[] = {
    {"a", 'a', ' ', false, "a"},
    {"a", 'a', 'b', true, "aB"},
    {"a", 'a', 'b', false, "a"}, /* without a proof nothing is learnt */
    {"ab", 'a', 'b', true, "ab"},
    {"ab", 'a', ' ', false, "ab"}, /* not announced any more: it may be used all the same */
    {"ab", 'a', 'c', true, "abC"}, /* another one instead: until one of them is in use */
    {"abc", 'b', ' ', false, "b"}, /* the successor is in use */
    {"abc", 'c', 'd', true, "cD"},
    {"abc", 'b', 'c', false, "bc"}, /* it was proven when it was learnt */
    {"abc", 'b', 'd', false, "b"},
    {"ab", 'b', 'a', true, "bA"}, /* back to the key before: it is the next one now */
    {"ab", 'b', 'a', false, "ab"}, /* until that is proven, nothing */
    {"abc", 'c', 'a', true, "cA"},
    {"abcdefgh", 'a', 'i', true, "acdefghI"}, /* as many as there may be */
    {"abcdefgh", 'h', 'a', true, "hA"},
    {"b", 'a', 'c', true, "b"}, /* taken out meanwhile: not put back */
};

START_TEST(what_is_learnt)
{
    for (size_t i = 0; i < SC_COUNT_OF(learning); i++) {
        struct sc_pin_store_pins pins;
        have(&pins, learning[i].before);
        const bool changed = sc_pin_store_learn(
            &pins, pin((uint8_t)(learning[i].current - 'a')),
            learning[i].next == ' ' ? NULL : pin((uint8_t)(learning[i].next - 'a')),
            learning[i].proven);
        ck_assert_msg(strcmp(left(&pins), learning[i].after) == 0, "row %zu: %s", i, left(&pins));
        ck_assert_int_eq(changed, strcmp(learning[i].before, learning[i].after) != 0);
    }
}
END_TEST

START_TEST(a_pin_that_was_given_replaces_the_others)
{
    struct sc_pin_store_pins pins;
    have(&pins, "ab");
    ck_assert(!sc_pin_store_replace(&pins, pin(1)));
    ck_assert_str_eq(left(&pins), "ab");
    ck_assert(sc_pin_store_replace(&pins, pin(2)));
    ck_assert_str_eq(left(&pins), "C");
}
END_TEST

START_TEST(the_text_keeps_what_is_not_ours)
{
    static const char before[] = "# mine\n\nother 1 " PIN_A " " DATE " given\n" LINE(PIN_A)
        LINE(PIN_A) "  # indented\n" LINE(PIN_B) "x 1 " PIN_C " " DATE " given";
    struct sc_pin_store_pins pins;
    size_t length;
    ck_assert_int_eq(sc_pin_store_find(before, strlen(before), "f", SERVER, &pins, NULL), 0);
    ck_assert_uint_eq(pins.count, 2); /* one is there twice */
    ck_assert_uint_eq(pins.list[1].line, 7);
    ck_assert(sc_pin_store_learn(&pins, pin(1), pin(2), true));
    char *text = sc_pin_store_edit(before, strlen(before), SERVER, &pins, DATE, &length);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(length, strlen("# mine\n\nother 1 " PIN_A " " DATE
                                     " given\n  # indented\n" LINE(PIN_B) "x 1 " PIN_C " " DATE
                                                                          " given\n" LINE(PIN_C)));
    ck_assert_int_eq(strncmp(text + length - strlen(LINE(PIN_C)),
                             SERVER " " PIN_C " " DATE " announced\n", strlen(LINE(PIN_C))),
                     0);
    free(text);
}
END_TEST

START_TEST(pins_and_names_are_compared_whole)
{
    static const char before[] =
        LINE(PIN_A) LINE(PIN_LIKE_A) "captain.example.org 42420 " PIN_B " " DATE " given\n";
    static const char after[] =
        LINE(PIN_LIKE_A) "captain.example.org 42420 " PIN_B " " DATE " given\n";
    struct sc_pin_store_pins pins;
    size_t length;
    ck_assert_int_eq(sc_pin_store_find(before, strlen(before), "f", SERVER, &pins, NULL), 0);
    ck_assert_uint_eq(pins.count, 2);
    ck_assert(sc_pin_store_learn(&pins, pins.list[1].pin, NULL, false));
    char *text = sc_pin_store_edit(before, strlen(before), SERVER, &pins, DATE, &length);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(length, strlen(after));
    ck_assert_mem_eq(text, after, length);
    free(text);
}
END_TEST

START_TEST(a_server_has_at_most_eight_pins)
{
    char text[9 * SC_PIN_STORE_LINE_BYTES], *to = text;
    struct sc_pin_store_line line = {.server = SERVER, .date = DATE, .how = "given"};
    struct sc_pin_store_pins pins;
    struct sc_err err;
    for (uint8_t i = 0; i < 9; i++) {
        memcpy(line.pin, pin(i), sizeof(line.pin));
        to += sc_pin_store_format_line(&line, to);
    }
    ck_assert_int_eq(sc_pin_store_find(text, (size_t)(to - text), "f", SERVER, &pins, &err), -1);
    ck_assert_str_eq(err.text, "f:9: a server has at most 8 pins");
    ck_assert_int_eq(sc_pin_store_find(text, (size_t)(to - text), "f", "o 1", &pins, &err), 0);
}
END_TEST

/* --- The file --- */

START_TEST(the_file_is_refused_for_its_rights)
{
    struct sc_pin_store store;
    struct sc_err err;
    scratch_enter();
    ck_assert_int_eq(sc_pin_store_read(&store, "none", SERVER, &err), 0);
    ck_assert_uint_eq(store.pins.count, 0);
    scratch_write("pins", LINE(PIN_A));
    ck_assert_int_eq(chmod("pins", 0644), 0);
    ck_assert_int_eq(sc_pin_store_read(&store, "pins", SERVER, &err), 0);
    ck_assert_uint_eq(store.pins.count, 1);
    sc_pin_store_fini(&store);
    for (mode_t mode = 0622; mode > 0600; mode -= 2) {
        const bool others = (mode & 022) != 0;
        ck_assert_int_eq(chmod("pins", mode), 0);
        ck_assert_int_eq(sc_pin_store_read(&store, "pins", SERVER, &err), others ? -1 : 0);
        ck_assert(!others || (err.status == EX_DATAERR && strstr(err.text, "pins can be written")));
        sc_pin_store_fini(&store);
    }
    if (geteuid() == 0) {
        ck_assert_int_eq(chown("pins", 12345, 12345), 0);
        ck_assert_int_eq(sc_pin_store_read(&store, "pins", SERVER, &err), -1);
        ck_assert_int_eq(err.status, EX_DATAERR);
        ck_assert_ptr_nonnull(strstr(err.text, "pins belongs to another user (12345)"));
        sc_pin_store_fini(&store);
    }
    ck_assert_int_eq(symlink("pins", "link"), 0);
    ck_assert_int_eq(sc_pin_store_read(&store, "link", SERVER, &err), -1);
    ck_assert_str_eq(err.text, "the pin store: link is a symbolic link");
    ck_assert_int_eq(err.status, EX_DATAERR);
    scratch_leave();
}
END_TEST

/* Root's own store, in a directory of another account, stays root's: else it would refuse it. */
START_TEST(it_belongs_to_who_makes_it)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_pin_store store;
    struct stat stat_;
    struct sc_err err;
    scratch_enter();
    ck_assert_int_eq(mkdir("d", 0755), 0);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown("d", 12345, 12345), 0);
    }
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(
            sc_client_store_pin("d/pins", "captain.example.org", pin(0), "typed", &error), 0);
        ck_assert_int_eq(sc_pin_store_read(&store, "d/pins", SERVER, &err), 0);
        ck_assert_uint_eq(store.pins.count, 1);
        sc_pin_store_fini(&store);
    }
    ck_assert_int_eq(stat("d/pins", &stat_), 0);
    ck_assert_uint_eq(stat_.st_uid, geteuid());
    ck_assert_uint_eq(stat_.st_mode & 07777, 0600);
    ck_assert_int_eq(unlink("d/pins"), 0);
    ck_assert_int_eq(rmdir("d"), 0);
    scratch_leave();
}
END_TEST

START_TEST(a_change_waits_for_the_lock_and_leaves_nothing_else)
{
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct sc_client_stored_pin found = SC_CLIENT_STORED_PIN_INIT;
    const struct timespec wall = {.tv_sec = 1795306363};
    scratch_enter();
    sc_clock_fake(NULL, &wall);
    ck_assert_int_eq(
        sc_client_store_pin("a/b/pins", "captain.example.org", pin(0), "typed", &error), 0);
    ck_assert_str_eq(strchr(scratch_read("a/b/pins"), '\n') + 1,
                     SERVER " " PIN_A " " DATE " typed\n");
    struct stat stat_;
    ck_assert_int_eq(stat("a/b", &stat_), 0);
    ck_assert_uint_eq(stat_.st_mode & 07777, 0700);
    ck_assert_int_eq(stat("a/b/pins", &stat_), 0);
    ck_assert_uint_eq(stat_.st_mode & 07777, 0600);
    /* Once more is no change, and another one is refused. */
    ck_assert_int_eq(
        sc_client_store_pin("a/b/pins", "captain.example.org", pin(0), "typed", &error), 0);
    ck_assert_int_eq(
        sc_client_store_pin("a/b/pins", "captain.example.org", pin(1), "typed", &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_PIN);
    ck_assert_int_eq(
        sc_client_store_pin("a/b/pins", "captain.example.org", pin(1), "Two words", &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(sc_client_store_pin("a/b/pins", "captain.example.org", pin(1),
                                         "a-word-that-is-too-long", &error),
                     -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    ck_assert_int_eq(sc_client_stored_pin("a/b/pins", "captain.example.org", 0, &found, &error), 1);
    ck_assert_uint_eq(found.line, 2);
    ck_assert_str_eq(found.path, "a/b/pins");
    ck_assert_mem_eq(found.pin, pin(0), SC_PINS_PIN_BYTES);
    ck_assert_int_eq(sc_client_stored_pin("a/b/pins", "captain.example.org", 1, &found, &error), 0);
    ck_assert_int_eq(sc_client_stored_pin("a", "captain.example.org", 0, &found, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_NO_INPUT);
    ck_assert_int_eq(sc_client_stored_pin("a/b/pins", "a:b:c", 0, &found, &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_USAGE);
    /* A server at a path is found again by it. */
    ck_assert_int_eq(sc_client_store_pin("unix", "unix:/run/x", pin(2), "typed", &error), 0);
    ck_assert_int_eq(sc_client_stored_pin("unix", "unix:/run/x", 0, &found, &error), 1);
    ck_assert_mem_eq(found.pin, pin(2), SC_PINS_PIN_BYTES);
    ck_assert_int_eq(sc_client_stored_pin("unix", "unix:/run/X", 0, &found, &error), 0);
    ck_assert_int_eq(chdir("a/b"), 0);
    ck_assert_uint_eq(scratch_files(true), 1);
    ck_assert_int_eq(chdir("../.."), 0);
    ck_assert_int_eq(rmdir("a/b"), 0);
    sc_clock_fake(NULL, NULL);
    scratch_leave();
}
END_TEST

/* One that nobody could read again is not written. */
START_TEST(what_cannot_be_written_changes_nothing)
{
    static char large[(1 << 20) + 1];
    struct sc_client_error error = SC_CLIENT_ERROR_INIT;
    struct stat stat_;
    scratch_enter();
    memset(large, '#', sizeof(large) - 1);
    scratch_write("pins", large);
    ck_assert_int_eq(sc_client_store_pin("pins", "captain", pin(0), "typed", &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_CANT_CREATE);
    ck_assert_str_eq(error.text, "the pin store: pins has no room");
    ck_assert_int_eq(stat("pins", &stat_), 0);
    ck_assert_int_eq(stat_.st_size, 1 << 20);
    ck_assert_int_eq(unlink("pins"), 0);
    ck_assert_int_eq(mkdir("pins.lock", 0700), 0);
    ck_assert_int_eq(sc_client_store_pin("pins", "captain", pin(0), "typed", &error), -1);
    ck_assert_int_eq(error.code, SC_CLIENT_CANT_CREATE);
    ck_assert_int_eq(rmdir("pins.lock"), 0);
    ck_assert_int_eq(symlink("elsewhere", "pins.lock"), 0);
    ck_assert_int_eq(sc_client_store_pin("pins", "captain", pin(0), "typed", &error), -1);
    ck_assert_int_ne(access("elsewhere", F_OK), 0);
    ck_assert_int_eq(unlink("pins.lock"), 0);
    ck_assert_uint_eq(scratch_files(true), 0);
    /* Nobody else can hold the lock. */
    struct sc_pin_store store;
    const mode_t mask = umask(0);
    ck_assert_int_eq(sc_pin_store_lock(&store, "pins", SERVER, NULL), 0);
    (void)umask(mask);
    ck_assert_int_eq(stat("pins.lock", &stat_), 0);
    ck_assert_uint_eq(stat_.st_mode & 07777, 0600);
    sc_pin_store_fini(&store);
    scratch_leave();
}
END_TEST

START_TEST(where_it_is)
{
    char path[SC_PIN_STORE_PATH_BYTES];
    struct sc_err err;
    ck_assert_int_eq(setenv("HOME", "/home/u", 1), 0);
    ck_assert_int_eq(setenv("XDG_STATE_HOME", "relative", 1), 0);
    ck_assert_int_eq(sc_pin_store_path(NULL, path, &err), 0);
    ck_assert_str_eq(path, "/home/u/.local/state/space-captain/known_pins");
    ck_assert_int_eq(setenv("XDG_STATE_HOME", "/state", 1), 0);
    ck_assert_int_eq(sc_pin_store_path(NULL, path, &err), 0);
    ck_assert_str_eq(path, "/state/space-captain/known_pins");
    ck_assert_int_eq(sc_pin_store_path("mine", path, &err), 0);
    ck_assert_str_eq(path, "mine");
    ck_assert_int_eq(sc_pin_store_path("", path, &err), -1);
    ck_assert_int_eq(unsetenv("XDG_STATE_HOME"), 0);
    ck_assert_int_eq(unsetenv("HOME"), 0);
    ck_assert_int_eq(sc_pin_store_path(NULL, path, &err), -1);
    ck_assert_int_eq(err.status, EX_USAGE);
}
END_TEST

SUITE_MAIN("pin_store", lines, one_name_for_a_server, what_is_learnt,
           a_pin_that_was_given_replaces_the_others, the_text_keeps_what_is_not_ours,
           pins_and_names_are_compared_whole, a_server_has_at_most_eight_pins,
           the_file_is_refused_for_its_rights, it_belongs_to_who_makes_it,
           a_change_waits_for_the_lock_and_leaves_nothing_else,
           what_cannot_be_written_changes_nothing, where_it_is)
