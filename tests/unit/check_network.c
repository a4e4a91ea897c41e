/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/network.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sysexits.h>

#include "base/compiler.h"
#include "kept_log.h"
#include "suite.h"

static struct sc_addr address(const char *text)
{
    struct sc_addr out = {.family = AF_UNIX};
    if (inet_pton(AF_INET, text, out.host) == 1) {
        out.family = AF_INET;
    } else if (inet_pton(AF_INET6, text, out.host) == 1) {
        out.family = AF_INET6;
    }
    return out;
}

START_TEST(texts_that_are_networks)
{
    static const struct {
        const char *text, *written;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1"},
        {"192.0.2.1/32", "192.0.2.1"},
        {"192.0.2.0/24", "192.0.2.0/24"},
        {"192.0.2.128/25", "192.0.2.128/25"},
        {"0.0.0.0/0", "0.0.0.0/0"},
        {"2001:db8::/32", "2001:db8::/32"},
        {"2001:DB8:0::1", "2001:db8::1"},
        {"::/0", "::/0"},
        {"::1", "::1"},
        {"fe80::/10", "fe80::/10"},
        {"::ffff:192.0.2.1", "192.0.2.1"},
        {"::ffff:192.0.2.0/120", "192.0.2.0/24"},
        {"::ffff:0:0/96", "0.0.0.0/0"},
        {"::/95", "::/95"},
        {"unix:", "unix:"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        struct sc_network network, again;
        struct sc_err err;
        char text[SC_NETWORK_TEXT_BYTES];
        ck_assert_msg(sc_network_parse(rows[i].text, &network, &err) == 0, "%s", rows[i].text);
        sc_network_format(&network, text);
        ck_assert_str_eq(text, rows[i].written);
        ck_assert_int_eq(sc_network_parse(text, &again, &err), 0);
        ck_assert_mem_eq(&again, &network, sizeof(network));
    }
}
END_TEST

START_TEST(texts_that_are_not)
{
    static const struct {
        const char *text, *why;
    } rows[] = {
        {"", "expected an address (192.0.2.1), a network (192.0.2.0/24, 2001:db8::/32) or unix:"},
        {"balancer.example.org", "expected an address"},
        {"192.0.2.1:80", "expected an address"},
        {"[::1]", "expected an address"},
        {"192.0.2", "expected an address"},
        {"fe80::1%eth0", "expected an address"},
        {"unix:/run/haproxy", "expected an address"},
        {"192.0.2.0/", "expected /0 to /32"},
        {"192.0.2.0/33", "expected /0 to /32"},
        {"192.0.2.0/-1", "expected /0 to /32"},
        {"192.0.2.0/255.255.255.0", "expected /0 to /32"},
        {"2001:db8::/129", "expected /0 to /128"},
        {"/8", "expected an address"},
        {"192.0.2.1/24", "longer than its network: expected 192.0.2.0/24"},
        {"2001:db8::1/64", "longer than its network: expected 2001:db8::/64"},
        {"192.0.2.255/31", "longer than its network: expected 192.0.2.254/31"},
        {"::ffff:192.0.2.1/120", "longer than its network: expected 192.0.2.0/24"},
        {"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb", "expected an address"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        struct sc_network network;
        struct sc_err err;
        ck_assert_msg(sc_network_parse(rows[i].text, &network, &err) == -1, "%s", rows[i].text);
        ck_assert_int_eq(err.status, EX_USAGE);
        ASSERT_HAS(err.text, "invalid value \"");
        ASSERT_HAS(err.text, rows[i].why);
    }
}
END_TEST

/* So long that a copy of it that is not bounded would leave the stack. */
START_TEST(a_text_without_an_end)
{
    static char text[1U << 24];
    struct sc_network network;
    struct sc_err err;
    memset(text, '1', sizeof(text) - 1);
    ck_assert_int_eq(sc_network_parse(text, &network, &err), -1);
    ASSERT_HAS(err.text, "expected an address");
}
END_TEST

START_TEST(who_is_in)
{
    static const struct {
        const char *network, *in, *out;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.3"},
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.128/25", "192.0.2.128", "192.0.2.127"},
        {"192.0.2.8/29", "192.0.2.15", "192.0.2.16"},
        {"0.0.0.0/0", "255.255.255.255", "::1"},
        {"0.0.0.0/0", "::ffff:1.2.3.4", "unix"},
        {"::/0", "2001:db8::1", "192.0.2.1"},
        {"::/0", "::1", "::ffff:192.0.2.1"},
        {"2001:db8::/33", "2001:db8:7fff::", "2001:db8:8000::"},
        {"2001:db8::1", "2001:db8::1", "2001:db8::1:1"},
        {"c000:200::/32", "c000:200::1", "192.0.2.0"}, /* the same first bytes */
        {"unix:", "unix", "0.0.0.0"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(rows); i++) {
        struct sc_network networks[2];
        struct sc_err err;
        const struct sc_addr in = address(rows[i].in), out = address(rows[i].out);
        ck_assert_int_eq(sc_network_parse("203.0.113.7", &networks[0], &err), 0);
        ck_assert_int_eq(sc_network_parse(rows[i].network, &networks[1], &err), 0);
        ck_assert_msg(sc_networks_have(networks, 2, &in), "%s has not %s", rows[i].network,
                      rows[i].in);
        ck_assert_msg(!sc_networks_have(networks, 2, &out), "%s has %s", rows[i].network,
                      rows[i].out);
        ck_assert(!sc_networks_have(networks, 1, &in));
    }
    const struct sc_addr unknown = {.family = 0};
    struct sc_network everything;
    struct sc_err err;
    ck_assert_int_eq(sc_network_parse("::/0", &everything, &err), 0);
    ck_assert(!sc_networks_have(&everything, 1, &unknown));
    ck_assert(!sc_networks_have(NULL, 0, &unknown));
}
END_TEST

SUITE_MAIN("network", texts_that_are_networks, texts_that_are_not, a_text_without_an_end, who_is_in)
