/* SPDX-License-Identifier: MIT */
/* Lists of pins with names, which client-pin of a server takes. */
#include "config.h"

#include <string.h>
#include <sysexits.h>

#include "scratch.h"
#include "suite.h"
#include "tls/pin.h"
#include "tls/pin_set.h"

#define ONE "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define TWO "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI="
#define HEX "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static struct sc_err err;

static int add(struct sc_pin_set *set, const char *text)
{
    char copy[4096];
    const size_t length = strlen(text);
    memcpy(copy, text, length + 1);
    memset(&err, 0, sizeof(err));
    return sc_pin_set_add_list(set, "list", copy, length, &err);
}

START_TEST(lines)
{
    static const char text[] = "# our laptops\n"
                               "\n"
                               "  \t \n" ONE " laptop-1\n"
                               "\t" TWO "\t \tlaptop-2 \r\n"
                               "  # the new key of laptop-1\n"
                               "cert-sha256:" HEX " laptop-1\n"
                               "3 1 1 00112233445566778899AABBCCDDEEFF "
                               "00112233445566778899AABBCCDDEEEE a.b_c@d+E-9"; /* no line feed */
    struct sc_pin_set *set = sc_pin_set_new();
    ck_assert_msg(add(set, text) == 0, "%s", err.text);
    ck_assert_uint_eq(set->count, 4);
    ck_assert_str_eq(set->pins[0].name, "laptop-1");
    ck_assert_uint_eq(set->pins[0].digest[31], 1);
    ck_assert_str_eq(set->pins[1].name, "laptop-2");
    ck_assert_uint_eq(set->pins[1].digest[31], 2);
    ck_assert_str_eq(set->pins[2].name, "laptop-1");
    ck_assert_int_eq(set->pins[2].kind, SC_PIN_CERTIFICATE);
    ck_assert_str_eq(set->pins[3].name, "a.b_c@d+E-9");
    sc_pin_set_free(set);
}
END_TEST

START_TEST(bad_lines)
{
    char long_name[200] = ONE " ";
    memset(long_name + strlen(long_name), 'n', 64);
    struct sc_pin_set *longest = sc_pin_set_new();
    ck_assert_int_eq(add(longest, long_name), 0);
    ck_assert_uint_eq(strlen(longest->pins[0].name), 64);
    sc_pin_set_free(longest);
    strcat(long_name, "n");
    const struct {
        const char *text, *error;
    } cases[] = {
        {ONE "\n", "list:1: one word alone: expected a pin and a name, as in sha256//BASE64 lap"},
        {"# x\n" ONE " a\n\nlaptop-1\n", "list:4: one word alone: expected a pin and a name"},
        {ONE " a\n" TWO " b=c", "list:2: a name has up to 64 letters, digits and ._@+-: expected"},
        {ONE " a\"", "list:1: a name has"},
        {ONE " \xc3\xa4", "list:1: a name has"},
        {long_name, "list:1: a name has"},
        {ONE " a\nsha256//AAAA b\n", "list:2: \"sha256//AAAA\" is not a pin: "},
        {"a " ONE, "list:1: a name has"},
        {"friend.pem bob", "list:1: what is before the name is not a pin: expected a pin and a"},
        {"ca:ca.pem bob", "list:1: what is before the name is not a pin: expected"},
        {"correct horse battery", "list:1: what is before the name is not a pin: expected"},
        {ONE " a # a comment", "list:1: \"" ONE " a #"},
        {ONE " a\n" TWO " b\n" ONE " c", "list:3: this pin is listed already, for a"},
        {"", "list holds neither certificates in PEM form nor pins with names"},
        {"\n# nobody\n", "list holds neither certificates in PEM form nor pins with names"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        struct sc_pin_set *set = sc_pin_set_new();
        ck_assert_msg(add(set, cases[i].text) == -1, "%s", cases[i].text);
        ck_assert_int_eq(err.status, EX_DATAERR);
        ck_assert_msg(strncmp(err.text, cases[i].error, strlen(cases[i].error)) == 0, "%s: %s",
                      cases[i].text, err.text);
        ck_assert_ptr_null(strchr(err.text, '\n'));
        sc_pin_set_free(set);
    }
    /* What comes after a NUL is not left out. */
    static char with_nul[] = ONE " a\n\0" TWO " b\n";
    struct sc_pin_set *set = sc_pin_set_new();
    ck_assert_int_eq(sc_pin_set_add_list(set, "list", with_nul, sizeof(with_nul) - 1, &err), -1);
    ck_assert_int_eq(err.status, EX_DATAERR);
    sc_pin_set_free(set);
}
END_TEST

START_TEST(a_pin_twice_is_one)
{
    struct sc_pin_set *set = sc_pin_set_new();
    ck_assert_int_eq(add(set, ONE " a\n" ONE " a\n"), 0);
    ck_assert_uint_eq(set->count, 1);
    sc_pin_set_free(set);
}
END_TEST

START_TEST(not_without_end)
{
    static const char digits[] = "0123456789abcdef";
    static char text[5000 * 80];
    struct sc_pin_set *set = sc_pin_set_new();
    for (unsigned i = 0; i < 4097; i++) {
        char line[80] = "cert-sha256:" HEX " a\n";
        for (unsigned digit = 0; digit < 4; digit++) {
            line[12 + digit] = digits[i >> (4 * digit) & 15];
        }
        (void)strcpy(text + i * strlen(line), line);
    }
    const size_t line = strlen(text) / 4097;
    ck_assert_int_eq(sc_pin_set_add_list(set, "list", text, strlen(text), &err), -1);
    ck_assert_msg(strstr(err.text, "list:4097: more than 4096 pins"), "%s", err.text);
    ck_assert_uint_eq(line, 12 + 64 + 3);
    sc_pin_set_free(set);
}
END_TEST

/* A file of client-pin is a list, or PEM; that of another pin is PEM alone. */
START_TEST(files)
{
    struct sc_pin_set *set = sc_pin_set_new();
    scratch_enter();
    scratch_write("list", ONE " laptop-1\n");
    scratch_write("key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    ck_assert_int_eq(sc_pin_set_add_clients(set, "list", &err), 0);
    ck_assert_int_eq(sc_pin_set_add_clients(set, TWO, &err), 0);
    ck_assert_uint_eq(set->count, 2);
    ck_assert_ptr_null(set->pins[1].name);
    ck_assert_int_eq(sc_pin_set_add(set, "list", &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "holds no certificate in PEM form"));
    ck_assert_int_eq(sc_pin_set_add_clients(set, "key", &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "holds no certificate but a private key"));
    ck_assert_int_eq(sc_pin_set_add_clients(set, "nothing-there", &err), -1);
    ck_assert_int_eq(err.status, EX_NOINPUT);
    ck_assert_uint_eq(set->count, 2);
    sc_pin_set_free(set);
    scratch_leave();
}
END_TEST

/* A session is worth nothing under another name, and a reload sees that a name has changed. */
START_TEST(names_are_part_of_the_digest)
{
    static const char *const lists[] = {ONE " a", ONE " b", ONE " a\n" TWO " a"};
    uint8_t digests[SC_COUNT_OF(lists) + 1][SC_PIN_BYTES];
    struct sc_pin_set *set = sc_pin_set_new();
    ck_assert_int_eq(sc_pin_set_add(set, ONE, &err), 0);
    sc_pin_set_digest(set, digests[SC_COUNT_OF(lists)]);
    sc_pin_set_free(set);
    for (size_t i = 0; i < SC_COUNT_OF(lists); i++) {
        set = sc_pin_set_new();
        ck_assert_int_eq(add(set, lists[i]), 0);
        sc_pin_set_digest(set, digests[i]);
        sc_pin_set_free(set);
    }
    for (size_t i = 0; i < SC_COUNT_OF(digests); i++) {
        for (size_t j = 0; j < i; j++) {
            ck_assert_mem_ne(digests[i], digests[j], SC_PIN_BYTES);
        }
    }
}
END_TEST

SUITE_MAIN("pin_list", lines, bad_lines, a_pin_twice_is_one, not_without_end, files,
           names_are_part_of_the_digest)
