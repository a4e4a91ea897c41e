/* SPDX-License-Identifier: MIT */
/* Which keys were served with and announced: what is remembered, compared and logged. */
#include "config.h"

#include "server/continuity.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "kept_log.h"
#include "scratch.h"
#include "suite.h"

#define PIN_A "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define DATE "2026-11-22T00:12:43Z"

static char key_path[] = "server.key";
static struct sc_config config = {.key_continuity = SC_KEY_CONTINUITY_ENFORCE,
                                  .private_key = key_path};
static struct sc_continuity *continuity;
static struct sc_announcement keys;
static struct sc_err err;

/* Pins whose bytes are all `current` and `next` (0: there is none), but the last one. */
static void serve(uint8_t current, uint8_t current_last, uint8_t next, uint8_t next_last)
{
    static int somewhere;
    memset(keys.current.pin, current, sizeof(keys.current.pin));
    keys.current.pin[SC_PINS_PIN_BYTES - 1] = current_last;
    memset(keys.next.pin, next, sizeof(keys.next.pin));
    keys.next.pin[SC_PINS_PIN_BYTES - 1] = next_last;
    keys.next.key =
        next != 0 ? (EVP_PKEY *)(void *)&somewhere : NULL; /* only whether there is one */
}

static void begin(const char *file)
{
    scratch_enter();
    kept_start(SC_LOG_INFO);
    ck_assert_int_eq(unsetenv("STATE_DIRECTORY"), 0);
    if (file) {
        scratch_write("server.announced", file);
    }
    ck_assert_ptr_nonnull(continuity = sc_continuity_new(&config, &err));
}

static void again(void)
{
    sc_continuity_free(continuity);
    ck_assert_ptr_nonnull(continuity = sc_continuity_new(&config, &err));
}

static void end(void)
{
    sc_continuity_free(continuity);
    scratch_leave();
}

static bool is_taken(void)
{
    return sc_continuity_check(continuity, &config, &keys, &err) == 0;
}

START_TEST(the_first_key_is_taken_and_remembered)
{
    struct stat status;
    begin(NULL);
    serve(1, 1, 2, 2);
    ck_assert(is_taken());
    sc_continuity_adopt(continuity, &config, &keys);
    ck_assert_int_eq(stat("server.announced", &status), 0);
    ck_assert_uint_eq(status.st_mode, S_IFREG | 0644);
    again();
    ck_assert(is_taken());
    serve(2, 2, 0, 0);
    ck_assert(is_taken());
    serve(3, 3, 0, 0);
    ck_assert(!is_taken());
    ck_assert_int_eq(err.status, EX_CONFIG);
    end();
}
END_TEST

START_TEST(pins_are_compared_whole)
{
    begin(NULL);
    serve(1, 1, 2, 2);
    sc_continuity_adopt(continuity, &config, &keys);
    serve(1, 9, 0, 0);
    ck_assert(!is_taken());
    serve(2, 9, 0, 0);
    ck_assert(!is_taken());
    end();
}
END_TEST

/* Nothing of it counts: else a key that it names halfway would lock the operator out. */
START_TEST(a_damaged_file_is_no_file)
{
    static const char *const files[] = {
        "current " PIN_A " " DATE "\nnext nonsense\n",
        "current " PIN_A " " DATE "\ncurrent " PIN_A " " DATE "\n",
        "current " PIN_A " " DATE " more\n",
        "current " PIN_A " " DATE "more\n",
    };
    begin(NULL);
    for (size_t i = 0; i < SC_COUNT_OF(files); i++) {
        kept_count = 0;
        scratch_write("server.announced", files[i]);
        again();
        ck_assert_uint_eq(kept_count, 1);
        ASSERT_HAS(kept_last(), " key_history message=");
        serve(3, 3, 0, 0);
        ck_assert(is_taken());
        sc_continuity_adopt(continuity, &config, &keys);
        again();
        ck_assert(is_taken());
    }
    static const char nul[] = "current " PIN_A " " DATE "\n\0next nonsense\n";
    FILE *file = fopen("server.announced", "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(nul, 1, sizeof(nul) - 1, file), sizeof(nul) - 1);
    ck_assert_int_eq(fclose(file), 0);
    again();
    ck_assert(is_taken());
    end();
}
END_TEST

/* What stood before the damage neither: clients may have dropped it. */
START_TEST(what_a_damaged_file_announced_is_not_known)
{
    begin("next " PIN_A " " DATE "\ncurrent nonsense\n");
    serve(3, 3, 0, 0);
    sc_continuity_adopt(continuity, &config, &keys);
    serve(0, 0, 0, 0); /* PIN_A */
    ck_assert(!is_taken());
    end();
}
END_TEST

START_TEST(the_sixteen_that_were_announced_last_are_known)
{
    begin(NULL);
    for (uint8_t n = 2; n <= 40; n++) {
        serve(1, 1, n, n);
        sc_continuity_adopt(continuity, &config, &keys);
    }
    for (int restarted = 0; restarted < 2; restarted++) {
        for (uint8_t n = 2; n <= 40; n++) {
            serve(n, n, 0, 0);
            ck_assert_msg(is_taken() == (n > 40 - 16), "%u", n);
        }
        again();
    }
    end();
}
END_TEST

/* Clients that have followed to it know of the key after it, and of no other. */
START_TEST(after_a_promotion_only_the_next_key_is_known)
{
    static const uint8_t announced[] = {4, 2, 5, 3};
    begin(NULL);
    for (size_t i = 0; i < SC_COUNT_OF(announced); i++) {
        serve(1, 1, announced[i], announced[i]);
        sc_continuity_adopt(continuity, &config, &keys);
    }
    serve(2, 2, 3, 3);
    sc_continuity_adopt(continuity, &config, &keys);
    for (uint8_t n = 1; n <= 5; n++) {
        serve(n, n, 0, 0);
        ck_assert_msg(is_taken() == (n == 2 || n == 3), "%u", n);
    }
    end();
}
END_TEST

/* Without one clients have followed nowhere: they still know what was announced. */
START_TEST(after_another_key_all_are_known)
{
    begin(NULL);
    serve(1, 1, 2, 2);
    sc_continuity_adopt(continuity, &config, &keys);
    serve(9, 9, 0, 0);
    sc_continuity_adopt(continuity, &config, &keys);
    serve(2, 2, 0, 0);
    ck_assert(is_taken());
    end();
}
END_TEST

START_TEST(a_promotion_keeps_the_date_of_the_next_key)
{
    struct timespec now = sc_clock_wall();
    begin(NULL);
    for (uint8_t n = 2; n <= 3; n++) {
        sc_clock_fake(NULL, &now);
        serve(1, 1, n, n);
        sc_continuity_adopt(continuity, &config, &keys);
        ck_assert_int_eq(sc_continuity_next_key_since(continuity, &keys), now.tv_sec);
        now.tv_sec += 60;
    }
    const time_t since = now.tv_sec - 60;
    sc_clock_fake(NULL, &now);
    serve(2, 2, 3, 3);
    sc_continuity_adopt(continuity, &config, &keys);
    ck_assert_int_eq(sc_continuity_next_key_since(continuity, &keys), since);
    again();
    ck_assert_int_eq(sc_continuity_next_key_since(continuity, &keys), since);
    sc_clock_fake(NULL, NULL);
    end();
}
END_TEST

START_TEST(it_is_logged_for_how_long_a_key_was_announced)
{
    struct timespec now = sc_clock_wall();
    begin(NULL);
    sc_clock_fake(NULL, &now);
    serve(1, 1, 2, 2);
    sc_continuity_adopt(continuity, &config, &keys);
    now.tv_sec += 3 * 86400 + 86399;
    sc_clock_fake(NULL, &now);
    serve(2, 2, 3, 3);
    sc_continuity_adopt(continuity, &config, &keys);
    sc_clock_fake(NULL, NULL);
    ck_assert_uint_eq(kept_count, 3);
    ASSERT_HAS(kept_lines[1], " key_changed ");
    ck_assert_str_eq(strstr(kept_lines[1], " announced_days="), " announced_days=3");
    end();
}
END_TEST

START_TEST(a_file_that_cannot_be_written_is_logged_once_and_tried_again)
{
    begin(NULL);
    ck_assert_int_eq(setenv("STATE_DIRECTORY", "/nonexistent/state", 1), 0);
    again();
    serve(1, 1, 2, 2);
    for (int i = 0; i < 3; i++) {
        sc_continuity_adopt(continuity, &config, &keys);
    }
    unsigned failures = 0;
    for (unsigned i = 0; i < kept_count; i++) {
        failures += strstr(kept_lines[i], " key_history ") != NULL;
    }
    ck_assert_uint_eq(failures, 1);
    sc_continuity_free(continuity);

    char directory[sizeof(scratch_directory) + sizeof("/state:/nonexistent")];
    (void)snprintf(directory, sizeof(directory), "%s/state:/nonexistent", scratch_directory);
    ck_assert_int_eq(setenv("STATE_DIRECTORY", directory, 1), 0);
    ck_assert_ptr_nonnull(continuity = sc_continuity_new(&config, &err));
    sc_continuity_adopt(continuity, &config, &keys);
    ck_assert_int_eq(mkdir("state", 0700), 0);
    sc_continuity_adopt(continuity, &config, &keys); /* nothing has changed */
    ck_assert_int_eq(access("state/announced", F_OK), 0);
    ck_assert_int_eq(unlink("state/announced"), 0);
    ck_assert_int_eq(rmdir("state"), 0);
    end();
}
END_TEST

/* systemd gives whole paths; any other is somebody's own variable, and relative to anything. */
START_TEST(a_relative_state_directory_is_not_used)
{
    begin(NULL);
    ck_assert_int_eq(mkdir("state", 0700), 0);
    ck_assert_int_eq(setenv("STATE_DIRECTORY", "state", 1), 0);
    again();
    serve(1, 1, 0, 0);
    sc_continuity_adopt(continuity, &config, &keys);
    ck_assert_int_eq(access("server.announced", F_OK), 0);
    ck_assert_int_eq(rmdir("state"), 0); /* empty */
    end();
}
END_TEST

START_TEST(what_is_off_does_not_complain)
{
    config.key_continuity = SC_KEY_CONTINUITY_OFF;
    begin("nonsense\n");
    serve(1, 1, 0, 0);
    sc_continuity_adopt(continuity, &config, &keys);
    ck_assert_uint_eq(kept_count, 0);
    ck_assert_str_eq(scratch_read("server.announced"), "nonsense\n");
    end();
    config.key_continuity = SC_KEY_CONTINUITY_ENFORCE;
}
END_TEST

START_TEST(that_there_is_no_next_key_is_logged_once)
{
    begin(NULL);
    serve(1, 1, 0, 0);
    for (int i = 0; i < 3; i++) {
        sc_continuity_adopt(continuity, &config, &keys);
        ck_assert_uint_eq(kept_count, 1);
    }
    ASSERT_HAS(kept_last(), " no_next_key ");
    end();
}
END_TEST

SUITE_MAIN("continuity", the_first_key_is_taken_and_remembered, pins_are_compared_whole,
           a_damaged_file_is_no_file, what_a_damaged_file_announced_is_not_known,
           the_sixteen_that_were_announced_last_are_known,
           after_a_promotion_only_the_next_key_is_known, after_another_key_all_are_known,
           a_promotion_keeps_the_date_of_the_next_key,
           it_is_logged_for_how_long_a_key_was_announced,
           a_file_that_cannot_be_written_is_logged_once_and_tried_again,
           a_relative_state_directory_is_not_used, what_is_off_does_not_complain,
           that_there_is_no_next_key_is_logged_once)
