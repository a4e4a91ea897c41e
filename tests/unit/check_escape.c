/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <string.h>

#include "base/compiler.h"
#include "base/escape.h"
#include "suite.h"

typedef void escape_function(FILE *out, const void *bytes, size_t length);

/* What the function prints for the bytes, in memory that lasts until the next call. */
static const char *printed(escape_function *escape, const char *bytes, size_t length)
{
    static char text[256];
    memset(text, 0, sizeof(text));
    FILE *out = fmemopen(text, sizeof(text), "w");
    ck_assert_ptr_nonnull(out);
    escape(out, bytes, length);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

#define PRINTED(function, literal) printed(function, literal, sizeof(literal) - 1)

START_TEST(utf8_is_what_rfc_3629_says)
{
    static const char *const good[] = {"",
                                       "a",
                                       "\x7f",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\x82\x80",
                                      "\xbf\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xed\xbf\xbf",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "a\xc2z",
                                      "\xc2\xc2",
                                      "\xc2\xff",
                                      "\xe2\x82\xe2"};
    for (size_t i = 0; i < SC_COUNT_OF(good); i++) {
        ck_assert_msg(sc_escape_is_utf8((const uint8_t *)good[i], strlen(good[i])), "good %zu", i);
    }
    for (size_t i = 0; i < SC_COUNT_OF(bad); i++) {
        ck_assert_msg(!sc_escape_is_utf8((const uint8_t *)bad[i], strlen(bad[i])), "bad %zu", i);
    }
    ck_assert(sc_escape_is_utf8((const uint8_t *)"a\0b", 3));
    /* What comes after the end does not count. */
    ck_assert(!sc_escape_is_utf8((const uint8_t *)"\xe2\x82\xac", 2));
}
END_TEST

START_TEST(a_terminal_gets_nothing_that_steers_it)
{
    ck_assert_str_eq(PRINTED(sc_escape_terminal, "a\tb\nc"), "a\tb\nc");
    ck_assert_str_eq(printed(sc_escape_terminal, "\xe2\x82\xac", 2), "\\xe2\\x82");
    ck_assert_str_eq(PRINTED(sc_escape_terminal, "\0\033[2J\r\b\x7f"),
                     "\\x00\\x1b[2J\\x0d\\x08\\x7f");
    ck_assert_str_eq(PRINTED(sc_escape_terminal, "\xc2\x9b\xc2\xa0\xe2\x82\xac"),
                     "\\xc2\\x9b\xc2\xa0\xe2\x82\xac");
    ck_assert_str_eq(PRINTED(sc_escape_terminal, "\x9b\xff\xe2\x82"), "\\x9b\\xff\\xe2\\x82");
}
END_TEST

/* Every character that the issue names, and the neighbours of each range. */
START_TEST(what_reorders_or_hides_text_is_shown)
{
    static const char *const unsafe[] = {
        "\xc2\x80",         "\xc2\x9b",         "\xc2\x9f",     "\xc2\xad",         "\xd8\x9c",
        "\xe2\x80\x8b",     "\xe2\x80\x8c",     "\xe2\x80\x8d", "\xe2\x80\x8e",     "\xe2\x80\x8f",
        "\xe2\x80\xa8",     "\xe2\x80\xaa",     "\xe2\x80\xab", "\xe2\x80\xac",     "\xe2\x80\xad",
        "\xe2\x80\xae",     "\xe2\x81\xa0",     "\xe2\x81\xa6", "\xe2\x81\xa7",     "\xe2\x81\xa8",
        "\xe2\x81\xa9",     "\xef\xbb\xbf",     "\xe1\xa0\x8e", "\xf3\xa0\x81\x81", "\xcd\x8f",
        "\xe1\x85\x9f",     "\xe1\x85\xa0",     "\xe1\x9e\xb4", "\xe1\x9e\xb5",     "\xe2\x80\xa9",
        "\xe2\x81\xaf",     "\xe3\x85\xa4",     "\xef\xbe\xa0", "\xef\xbf\xb0",     "\xef\xbf\xbb",
        "\xf3\xa0\x80\x80", "\xf3\xa0\x81\xbf",
    };
    static const char *const safe[] = {
        " ",
        "~",
        "\\",
        "\xc2\xa0",
        "\xc2\xac",
        "\xc2\xae",
        "\xd8\x9b",
        "\xd8\x9d",
        "\xe2\x80\x8a",
        "\xe2\x80\x90",
        "\xe2\x80\xa7",
        "\xe2\x80\xaf",
        "\xe2\x81\x9f",
        "\xe2\x81\xb0",
        "\xe2\x82\xac",
        "\xe4\xb8\xad",
        "\xf0\x9f\x98\x80",
        "\xcd\x8e",
        "\xcd\x90",
        "\xe1\x85\x9e",
        "\xe1\x85\xa1",
        "\xe1\x9e\xb3",
        "\xe1\x9e\xb6",
        "\xe1\xa0\x8d",
        "\xe1\xa0\x8f",
        "\xe3\x85\xa3",
        "\xe3\x85\xa5",
        "\xef\xbb\xbe",
        "\xef\xbc\x80",
        "\xef\xbe\x9f",
        "\xef\xbe\xa1",
        "\xef\xbf\xaf",
        "\xef\xbf\xbc",
        "\xf3\x9f\xbf\xbf",
        "\xf3\xa0\x82\x80",
    };
    char line[64], json[64];
    for (size_t i = 0; i < SC_COUNT_OF(unsafe); i++) {
        const size_t length = strlen(unsafe[i]);
        ck_assert_uint_eq(sc_escape_line(line, sizeof(line), unsafe[i], length), 4 * length);
        for (size_t at = 0; at < length; at++) {
            char byte[8];
            (void)snprintf(byte, sizeof(byte), "\\x%02x", (uint8_t)unsafe[i][at]);
            ck_assert_mem_eq(line + 4 * at, byte, 4);
        }
        ck_assert_str_eq(printed(sc_escape_terminal, unsafe[i], length), line);
        ck_assert_mem_eq(printed(sc_escape_json, unsafe[i], length), "\"\\u", 3);
    }
    for (size_t i = 0; i < SC_COUNT_OF(safe); i++) {
        const size_t length = strlen(safe[i]);
        ck_assert_uint_eq(sc_escape_line(line, sizeof(line), safe[i], length), length);
        ck_assert_str_eq(line, safe[i]);
        ck_assert_str_eq(printed(sc_escape_terminal, safe[i], length), safe[i]);
        (void)snprintf(json, sizeof(json), "\"%s%s\"", *safe[i] == '\\' ? "\\" : "", safe[i]);
        ck_assert_str_eq(printed(sc_escape_json, safe[i], length), json);
    }
    ck_assert_str_eq(PRINTED(sc_escape_json, "\xf3\xa0\x81\x81\xf0\x9f\x98\x80"),
                     "\"\\udb40\\udc41\xf0\x9f\x98\x80\"");
}
END_TEST

START_TEST(a_line_stays_one_and_is_cut_at_a_character)
{
    static const char text[] = "a\tb\n\xe2\x82\xac\0z";
    char line[32];
    ck_assert_uint_eq(sc_escape_line(line, sizeof(line), text, sizeof(text) - 1), 18);
    ck_assert_str_eq(line, "a\\x09b\\x0a\xe2\x82\xac\\x00z");
    for (size_t room = 1; room <= 19; room++) {
        static const size_t fits[] = {0,  1,  1,  1,  1,  5,  6,  6,  6, 6,
                                      10, 10, 10, 13, 13, 13, 13, 17, 18};
        memset(line, 'x', sizeof(line));
        ck_assert_uint_eq(sc_escape_line(line, room, text, sizeof(text) - 1), fits[room - 1]);
        ck_assert_uint_eq(strlen(line), fits[room - 1]);
    }
    line[0] = 'x';
    ck_assert_uint_eq(sc_escape_line(line, 0, text, 3), 0);
    ck_assert_int_eq(line[0], 'x');
}
END_TEST

START_TEST(json_strings_are_quoted)
{
    ck_assert_str_eq(PRINTED(sc_escape_json, ""), "\"\"");
    ck_assert_str_eq(PRINTED(sc_escape_json, "say \"hi\" \\ \n\0\x7f\xc2\x85\xe2\x82\xac"),
                     "\"say \\\"hi\\\" \\\\ \\u000a\\u0000\\u007f\\u0085\xe2\x82\xac\"");
    ck_assert_str_eq(PRINTED(sc_escape_json, "z\xffz\xe2\x82"), "\"z\\\\xffz\\\\xe2\\\\x82\"");
}
END_TEST

START_TEST(a_shell_takes_it_as_one_word)
{
    static const struct {
        const char *text, *word;
    } rows[] = {
        {"", "''"},           {"/etc/x-1.crt", "/etc/x-1.crt"}, {"a b", "'a b'"},
        {"$HOME", "'$HOME'"}, {"it's", "'it'\\''s'"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        char word[32] = "";
        FILE *out = fmemopen(word, sizeof(word), "w");
        ck_assert_ptr_nonnull(out);
        sc_escape_shell(out, rows[i].text);
        ck_assert_int_eq(fclose(out), 0);
        ck_assert_str_eq(word, rows[i].word);
    }
}
END_TEST

START_TEST(base64_is_that_of_rfc_4648)
{
    ck_assert_str_eq(PRINTED(sc_escape_base64, ""), "");
    ck_assert_str_eq(PRINTED(sc_escape_base64, "f"), "Zg==");
    ck_assert_str_eq(PRINTED(sc_escape_base64, "fo"), "Zm8=");
    ck_assert_str_eq(PRINTED(sc_escape_base64, "foo"), "Zm9v");
    ck_assert_str_eq(PRINTED(sc_escape_base64, "foobar"), "Zm9vYmFy");
    ck_assert_str_eq(PRINTED(sc_escape_base64, "\xff\xfe\xfd"), "//79");
}
END_TEST

SUITE_MAIN("escape", utf8_is_what_rfc_3629_says, a_terminal_gets_nothing_that_steers_it,
           what_reorders_or_hides_text_is_shown, a_line_stays_one_and_is_cut_at_a_character,
           json_strings_are_quoted, base64_is_that_of_rfc_4648, a_shell_takes_it_as_one_word)
