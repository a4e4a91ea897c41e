/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/json.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "suite.h"

static char values[4096];
static struct sc_err err;

static void on_value(void *arg, const char *path, const char *text, size_t length)
{
    (void)arg;
    const size_t used = strlen(values);
    (void)snprintf(values + used, sizeof(values) - used, "%s=%.*s\n", path, (int)length, text);
}

static int read_text(const char *text)
{
    values[0] = '\0';
    return sc_json_read(text, strlen(text), on_value, NULL, &err);
}

START_TEST(values_come_with_their_paths)
{
    ck_assert_int_eq(read_text(" {\"a\": [1, -2.5e+3, {\"b\" : \"x\\\"y\"}], \"c\":{}, \"d\":[ ],"
                               "\"e\":true,\"f\":null }\n"),
                     0);
    ck_assert_str_eq(values, "a.0=1\n"
                             "a.1=-2.5e+3\n"
                             "a.2.b=x\\\"y\n"
                             "a.2={\"b\" : \"x\\\"y\"}\n"
                             "a=[1, -2.5e+3, {\"b\" : \"x\\\"y\"}]\n"
                             "c={}\n"
                             "d=[ ]\n"
                             "e=true\n"
                             "f=null\n"
                             "={\"a\": [1, -2.5e+3, {\"b\" : \"x\\\"y\"}], \"c\":{}, \"d\":[ ],"
                             "\"e\":true,\"f\":null }\n");
}
END_TEST

START_TEST(what_is_not_json_is_refused)
{
    static const char *const bad[] = {
        "",           " ",       "{",         "[1",       "[1,]",    "{\"a\"}",   "{\"a\":}",
        "{a:1}",      "01",      "1.",        ".5",       "-",       "1e",        "+1",
        "tru",        "nul",     "\"a",       "\"\t\"",   "\"\\x\"", "\"\\u12\"", "[1] 2",
        "{\"a\":1,}", "'a'",     "[1 2]",     "\"\xff\"", "NaN",     "{\"a\" 1}", "]",
        "\"\\",       "{a\":1}", "{\"a\";1}", "[1}",      "[1x",     "{\"a\":1]", "{\"a\":1x",
        "1ex5",       "1e+",
    };
    for (size_t i = 0; i < SC_COUNT_OF(bad); i++) {
        ck_assert_msg(read_text(bad[i]) == -1, "%s was taken", bad[i]);
        ck_assert_int_eq(err.status, EX_DATAERR);
        ck_assert_msg(strncmp(err.text, "not JSON: ", 10) == 0, "%s", err.text);
    }
    ck_assert_int_eq(read_text("[1, x]"), -1);
    ck_assert_str_eq(err.text, "not JSON: byte 4: a value is missing");
    /* The NUL that ends the text is not in it. */
    ck_assert_int_eq(sc_json_read("1\0", 2, on_value, NULL, &err), -1);
}
END_TEST

START_TEST(depth_and_paths_have_bounds)
{
    char text[3 * SC_JSON_PATH_BYTES];
    for (unsigned depth = SC_JSON_MAX_DEPTH - 1; depth <= SC_JSON_MAX_DEPTH + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        text[2 * depth] = '\0';
        ck_assert_int_eq(read_text(text), depth <= SC_JSON_MAX_DEPTH ? 0 : -1);
    }
    for (unsigned length = SC_JSON_PATH_BYTES - 3; length < SC_JSON_PATH_BYTES + 2; length++) {
        char key[2 * SC_JSON_PATH_BYTES];
        memset(key, 'k', length);
        key[length] = '\0';
        (void)snprintf(text, sizeof(text), "{\"%s\":1}", key);
        ck_assert_int_eq(read_text(text), length <= SC_JSON_PATH_BYTES - 2 ? 0 : -1);
    }
}
END_TEST

SUITE_MAIN("json", values_come_with_their_paths, what_is_not_json_is_refused,
           depth_and_paths_have_bounds)
