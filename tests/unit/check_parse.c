/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/parse.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "suite.h"

typedef int parser(const char *text, uint64_t min, uint64_t max, uint64_t *out, struct sc_err *err);

static void takes(parser *parse, const char *text, uint64_t expected)
{
    struct sc_err err = {0};
    uint64_t value = 12345;
    ck_assert_msg(parse(text, 0, UINT64_MAX, &value, &err) == 0, "\"%s\" is refused: %s", text,
                  err.text);
    ck_assert_msg(value == expected, "\"%s\" is %llu", text, (unsigned long long)value);
}

static void refuses(parser *parse, const char *text)
{
    struct sc_err err = {0};
    uint64_t value = 12345;
    ck_assert_msg(parse(text, 0, UINT64_MAX, &value, &err) == -1, "\"%s\" is taken", text);
    ck_assert_int_eq(err.status, EX_USAGE);
    ck_assert_ptr_nonnull(strstr(err.text, "invalid value"));
    ck_assert_uint_eq(value, 12345); /* untouched */
    ck_assert_int_eq(parse(text, 0, UINT64_MAX, &value, NULL), -1);
}

/* What no number, size or duration is. */
static void refuses_nonsense(parser *parse)
{
    static const char *const texts[] = {"",         " ",    "-1",  "+1",   " 1",
                                        "1 ",       "x",    "1x",  "0x10", "1e3",
                                        "1,5",      "1..5", ".5s", "1.",   "1.s",
                                        "\xd9\xa1", "1\n",  "1K1", "1mss", "18446744073709551616"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        refuses(parse, texts[i]);
    }
}

START_TEST(numbers)
{
    takes(sc_parse_u64, "0", 0);
    takes(sc_parse_u64, "007", 7);
    takes(sc_parse_u64, "4242", 4242);
    takes(sc_parse_u64, "18446744073709551615", UINT64_MAX);
    refuses_nonsense(sc_parse_u64);
    refuses(sc_parse_u64, "18446744073709551620");
    refuses(sc_parse_u64, "99999999999999999999999999");
    refuses(sc_parse_u64, "1K");
}
END_TEST

START_TEST(sizes)
{
    takes(sc_parse_size, "0", 0);
    takes(sc_parse_size, "100", 100);
    takes(sc_parse_size, "64K", 65536);
    takes(sc_parse_size, "16M", 16U << 20);
    takes(sc_parse_size, "3G", UINT64_C(3) << 30);
    takes(sc_parse_size, "17179869183G", UINT64_C(17179869183) << 30);
    refuses_nonsense(sc_parse_size);
    refuses(sc_parse_size, "17179869184G"); /* 2^64 */
    refuses(sc_parse_size, "18446744073709551615K");
    refuses(sc_parse_size, "64k");
    refuses(sc_parse_size, "64KB");
    refuses(sc_parse_size, "64 K");
    refuses(sc_parse_size, "1.5M");
    refuses(sc_parse_size, "K");
}
END_TEST

START_TEST(durations)
{
    takes(sc_parse_duration_ms, "0", 0);
    takes(sc_parse_duration_ms, "0.0s", 0);
    refuses(sc_parse_duration_ms, "0.0");
    refuses(sc_parse_duration_ms, "0.0001");
    refuses(sc_parse_duration_ms, "0.0004s");
    takes(sc_parse_duration_ms, "0ms", 0);
    takes(sc_parse_duration_ms, "0s", 0);
    takes(sc_parse_duration_ms, "300ms", 300);
    takes(sc_parse_duration_ms, "30s", 30000);
    takes(sc_parse_duration_ms, "5m", 300000);
    takes(sc_parse_duration_ms, "2h", 7200000);
    takes(sc_parse_duration_ms, "0.5s", 500);
    takes(sc_parse_duration_ms, "0.05s", 50);
    takes(sc_parse_duration_ms, "0.005s", 5);
    takes(sc_parse_duration_ms, "1.5m", 90000);
    takes(sc_parse_duration_ms, "1.25h", 4500000);
    takes(sc_parse_duration_ms, "18446744073709551615ms", UINT64_MAX);
    refuses_nonsense(sc_parse_duration_ms);
    takes(sc_parse_seconds_ms, "2", 2000);
    takes(sc_parse_seconds_ms, "0.5", 500);
    takes(sc_parse_seconds_ms, "0", 0);
    takes(sc_parse_seconds_ms, "0.0", 0);
    takes(sc_parse_seconds_ms, "2s", 2000);
    takes(sc_parse_seconds_ms, "500ms", 500);
    takes(sc_parse_seconds_ms, "1.5m", 90000);
    refuses(sc_parse_seconds_ms, "0.0004");
    refuses(sc_parse_seconds_ms, "5x");
    refuses(sc_parse_seconds_ms, "5.");
    refuses(sc_parse_seconds_ms, "1e3");
    refuses(sc_parse_seconds_ms, "18446744073709551615");
    refuses(sc_parse_duration_ms, "5");
    refuses(sc_parse_duration_ms, "0.5");
    refuses(sc_parse_duration_ms, "5S");
    refuses(sc_parse_duration_ms, "5d");
    refuses(sc_parse_duration_ms, "5 s");
    refuses(sc_parse_duration_ms, "s");
    refuses(sc_parse_duration_ms, "18446744073709551615s");
    refuses(sc_parse_duration_ms, "18446744073709551.999s"); /* fits without its fraction */
}
END_TEST

START_TEST(limits_are_inclusive_and_named)
{
    struct sc_err err = {0};
    uint64_t value;
    ck_assert_int_eq(sc_parse_u64("10", 10, 20, &value, &err), 0);
    ck_assert_int_eq(sc_parse_u64("20", 10, 20, &value, &err), 0);
    ck_assert_int_eq(sc_parse_u64("9", 10, 20, &value, &err), -1);
    ck_assert_int_eq(sc_parse_u64("21", 10, 20, &value, &err), -1);
    ck_assert_str_eq(err.text, "invalid value \"21\": expected a number, 10 to 20");
    ck_assert_int_eq(sc_parse_size("1K", 1024, 2048, &value, &err), 0);
    ck_assert_int_eq(sc_parse_size("1023", 1024, 2048, &value, &err), -1);
    ck_assert_int_eq(sc_parse_size("2049", 1024, 2048, &value, &err), -1);
    ck_assert_str_eq(err.text, "invalid value \"2049\": expected a size, 1K to 2K");
    ck_assert_int_eq(sc_parse_duration_ms("1s", 1000, 3600000, &value, &err), 0);
    ck_assert_int_eq(sc_parse_duration_ms("0", 1000, 3600000, &value, &err), -1);
    ck_assert_int_eq(sc_parse_duration_ms("3600001ms", 1000, 3600000, &value, &err), -1);
    ck_assert_ptr_nonnull(strstr(err.text, "expected a duration, 1s to 1h"));
}
END_TEST

/* What a person typed is shown, but not all of a very long text. */
START_TEST(an_error_is_bounded)
{
    char text[5000];
    uint64_t value;
    struct sc_err err = {0};
    memset(text, '9', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    ck_assert_int_eq(sc_parse_u64(text, 0, 10, &value, &err), -1);
    ck_assert_uint_lt(strlen(err.text), 200);
    ck_assert_ptr_nonnull(strstr(err.text, "expected a number, 0 to 10"));
}
END_TEST

static void duration_is(uint64_t ms, const char *expected)
{
    char text[32];
    uint64_t back;
    sc_format_duration_ms(ms, text);
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(sc_parse_duration_ms(text, 0, UINT64_MAX, &back, NULL), 0);
    ck_assert_uint_eq(back, ms);
}

static void size_is(uint64_t bytes, const char *expected)
{
    char text[32];
    uint64_t back;
    sc_format_size(bytes, text);
    ck_assert_str_eq(text, expected);
    ck_assert_int_eq(sc_parse_size(text, 0, UINT64_MAX, &back, NULL), 0);
    ck_assert_uint_eq(back, bytes);
}

START_TEST(formats_read_back)
{
    duration_is(0, "0");
    duration_is(1, "1ms");
    duration_is(999, "999ms");
    duration_is(1000, "1s");
    duration_is(1500, "1500ms");
    duration_is(90000, "90s");
    duration_is(60000, "1m");
    duration_is(3600000, "1h");
    duration_is(UINT64_MAX, "18446744073709551615ms");
    size_is(0, "0");
    size_is(1, "1");
    size_is(1000, "1000");
    size_is(65536, "64K");
    size_is(65537, "65537");
    size_is(1U << 20, "1M");
    size_is(UINT64_C(3) << 30, "3G");
    size_is(UINT64_MAX, "18446744073709551615");
}
END_TEST

static void address_is(const char *text, const char *default_port, const char *host,
                       const char *port, const char *formatted)
{
    struct sc_address address;
    struct sc_err err = {0};
    char out[300];
    ck_assert_msg(sc_parse_address(text, default_port, &address, &err) == 0, "%s: %s", text,
                  err.text);
    ck_assert_str_eq(address.host, host);
    ck_assert_str_eq(address.port, port);
    ck_assert_int_eq(address.is_unix, strncmp(text, "unix:", 5) == 0);
    sc_format_address(&address, out, sizeof(out));
    ck_assert_str_eq(out, formatted);
}

static void address_refused(const char *text, const char *default_port, const char *why)
{
    struct sc_address address;
    struct sc_err err = {0};
    ck_assert_msg(sc_parse_address(text, default_port, &address, &err) == -1, "%s is taken", text);
    ck_assert_int_eq(err.status, EX_USAGE);
    ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
}

START_TEST(addresses)
{
    address_is("localhost:4242", NULL, "localhost", "4242", "localhost:4242");
    address_is("localhost", "4242", "localhost", "4242", "localhost:4242");
    address_is("192.0.2.1:0", "4242", "192.0.2.1", "0", "192.0.2.1:0");
    address_is("example.org:65535", NULL, "example.org", "65535", "example.org:65535");
    address_is("*:80", NULL, "*", "80", "*:80");
    address_is("[::]:4242", NULL, "::", "4242", "[::]:4242");
    address_is("[::1]", "4242", "::1", "4242", "[::1]:4242");
    address_is("[fe80::1%eth0]:1", NULL, "fe80::1%eth0", "1", "[fe80::1%eth0]:1");
    address_is("host:0080", NULL, "host", "80", "host:80");
    address_is("[::ffff:192.0.2.1]:1", NULL, "::ffff:192.0.2.1", "1", "[::ffff:192.0.2.1]:1");
    address_is("4242.example:1", NULL, "4242.example", "1", "4242.example:1");
    address_is("0xcafe.org:1", NULL, "0xcafe.org", "1", "0xcafe.org:1");
    address_is("axe:1", NULL, "axe", "1", "axe:1");
    address_is("0abe:1", NULL, "0abe", "1", "0abe:1");
    address_is("host.0abe:1", NULL, "host.0abe", "1", "host.0abe:1");
    address_is("x4:1", NULL, "x4", "1", "x4:1");
    address_is("unix://x", NULL, "//x", "", "unix://x");
    address_is("unix:/run/x.sock", NULL, "/run/x.sock", "", "unix:/run/x.sock");
    address_is("unix:x:1", "4242", "x:1", "", "unix:x:1");
}
END_TEST

START_TEST(no_addresses)
{
    address_refused("", "4242", "host is missing");
    address_refused("localhost", NULL, "port is missing");
    address_refused(":4242", NULL, "host is missing");
    address_refused("localhost:", "4242", "port is not a number");
    address_refused("localhost:x", NULL, "port is not a number");
    address_refused("localhost:65536", NULL, "port is not a number");
    address_refused("localhost:-1", NULL, "port is not a number");
    address_refused("localhost:1 ", NULL, "port is not a number");
    address_refused("::1", "4242", "needs brackets");
    address_refused("::1:4242", NULL, "needs brackets");
    address_refused("[::1", "4242", "']' is missing");
    address_refused("[]:4242", NULL, "host is missing");
    address_refused("[::1]4242", "4242", "port is missing");
    address_refused("[::1]", NULL, "port is missing");
    address_refused("a b:1", NULL, "character that no host has");
    address_refused("a\x7f:1", NULL, "character that no host has");
    address_refused("a/b:1", NULL, "character that no host has");
    address_refused("https://a", "4242", "a URL is not one");
    address_refused("[[::1]:1", NULL, "character that no host has");
    address_refused("[localhost]:1", NULL, "not an IPv6 address");
    address_refused("[127.0.0.1]:1", NULL, "not an IPv6 address");
    address_refused("[::g]:1", NULL, "not an IPv6 address");
    address_refused("[%lo]:1", NULL, "not an IPv6 address");
    address_refused("a]:1", NULL, "character that no host has");
    address_refused("unix:", NULL, "path is missing");
    /* What getaddrinfo(3) would make an address of. */
    address_refused("4242", "4242", "a port alone");
    address_refused("4242", NULL, "a port alone");
    address_refused("0x7f000001", "4242", "a port alone");
    address_refused("4242:80", NULL, "the host is a number");
    address_refused("0X7F:80", NULL, "the host is a number");
    address_refused("127.1:4242", NULL, "neither a name nor an IPv4");
    address_refused("127.0.0.256:4242", NULL, "neither a name nor an IPv4");
    address_refused("127.0.0.0x1:4242", NULL, "neither a name nor an IPv4");
    address_refused("host.123:4242", NULL, "neither a name nor an IPv4");
    address_refused("tls://localhost:4242", "4242", "a URL is not one");
    address_refused("https://localhost", "4242", "a URL is not one");
    address_refused("unix:", "4242", "path is missing");
}
END_TEST

START_TEST(addresses_of_the_longest_kind)
{
    char text[400] = "unix:/";
    struct sc_address address;
    memset(text + 6, 'p', 106);
    ck_assert_int_eq(sc_parse_address(text, NULL, &address, NULL), 0);
    ck_assert_uint_eq(strlen(address.host), 107);
    text[6 + 106] = 'p';
    address_refused(text, NULL, "longer than 107 bytes");
    memset(text, 'h', 255);
    memcpy(text + 255, ":1", 3);
    ck_assert_int_eq(sc_parse_address(text, NULL, &address, NULL), 0);
    ck_assert_uint_eq(strlen(address.host), 255);
    memset(text, 'h', 256);
    memcpy(text + 256, ":1", 3);
    address_refused(text, NULL, "too long");
}
END_TEST

START_TEST(decimals)
{
    static const struct {
        const char *text;
        double value;
        const char *rest;
    } rows[] = {{"0", 0.0, ""},         {"5", 5.0, ""},       {"0.25", 0.25, ""},
                {"12.5ms", 12.5, "ms"}, {"0x10", 0.0, "x10"}, {"1e5", 1.0, "e5"},
                {"1.5.5", 1.5, ".5"},   {"007", 7.0, ""}};
    static const char *const none[] = {
        "",
        "+1",
        "-1",
        " 1",
        ".5",
        "1.",
        "1.x",
        "nan",
        "inf",
        "x",
        "1000000000000000000000000000000000000000000000000000000000000000"};
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        const char *text = rows[i].text;
        double value;
        ck_assert_int_eq(sc_take_decimal(&text, &value), 0);
        ck_assert(value >= rows[i].value && value <= rows[i].value);
        ck_assert_str_eq(text, rows[i].rest);
    }
    for (size_t i = 0; i < SC_COUNT_OF(none); i++) {
        const char *text = none[i];
        double value;
        ck_assert_msg(sc_take_decimal(&text, &value) == -1, "%s is taken", none[i]);
        ck_assert_ptr_eq(text, none[i]);
    }
}
END_TEST

START_TEST(names_for_tls)
{
    static const struct {
        const char *host, *name;
    } rows[] = {{"example.org", "example.org"},
                {"example.org.", "example.org"},
                {".", ""},
                {"", ""},
                {"192.0.2.1", ""},
                {"2001:db8::1", ""},
                {"fe80::1%lo", ""},
                {"192.0.2", "192.0.2"}};
    char name[256];
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        sc_host_server_name(rows[i].host, name);
        ck_assert_str_eq(name, rows[i].name);
    }
}
END_TEST

SUITE_MAIN("parse", numbers, sizes, durations, limits_are_inclusive_and_named, an_error_is_bounded,
           formats_read_back, addresses, no_addresses, addresses_of_the_longest_kind, decimals,
           names_for_tls)
