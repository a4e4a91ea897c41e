#include "config.h"

#include <string.h>

#include "base/compiler.h"
#include "base/escape.h"
#include "suite.h"

typedef void escape_function(FILE *out, const uint8_t *bytes, size_t length);

/* What the function prints for the bytes, in memory that lasts until the next call. */
static const char *printed(escape_function *escape, const char *bytes, size_t length)
{
    static char text[256];
    memset(text, 0, sizeof(text));
    FILE *out = fmemopen(text, sizeof(text), "w");
    ck_assert_ptr_nonnull(out);
    escape(out, (const uint8_t *)bytes, length);
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
                                      "a\xc2z"};
    for (size_t i = 0; i < SC_COUNT_OF(good); i++) {
        ck_assert_msg(sc_escape_is_utf8((const uint8_t *)good[i], strlen(good[i])), "good %zu", i);
    }
    for (size_t i = 0; i < SC_COUNT_OF(bad); i++) {
        ck_assert_msg(!sc_escape_is_utf8((const uint8_t *)bad[i], strlen(bad[i])), "bad %zu", i);
    }
    ck_assert(sc_escape_is_utf8((const uint8_t *)"a\0b", 3));
}
END_TEST

START_TEST(a_terminal_gets_nothing_that_steers_it)
{
    ck_assert_str_eq(PRINTED(sc_escape_terminal, "a\tb\nc"), "a\tb\nc");
    ck_assert_str_eq(PRINTED(sc_escape_terminal, "\0\033[2J\r\b\x7f"),
                     "\\x00\\x1b[2J\\x0d\\x08\\x7f");
    ck_assert_str_eq(PRINTED(sc_escape_terminal, "\xc2\x9b\xc2\xa0\xe2\x82\xac"),
                     "\\xc2\\x9b\xc2\xa0\xe2\x82\xac");
    ck_assert_str_eq(PRINTED(sc_escape_terminal, "\x9b\xff\xe2\x82"), "\\x9b\\xff\\xe2\\x82");
}
END_TEST

START_TEST(json_strings_are_quoted)
{
    ck_assert_str_eq(PRINTED(sc_escape_json, ""), "\"\"");
    ck_assert_str_eq(PRINTED(sc_escape_json, "say \"hi\" \\ \n\0\x7f\xc2\x85\xe2\x82\xac"),
                     "\"say \\\"hi\\\" \\\\ \\u000a\\u0000\\u007f\\u0085\xe2\x82\xac\"");
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
           json_strings_are_quoted, base64_is_that_of_rfc_4648)
