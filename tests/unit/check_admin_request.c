/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/admin_request.h"

#include <string.h>

#include "suite.h"

START_TEST(addresses_and_names_of_ours_may_be_asked_for)
{
    static const char *const ours[] = {"127.0.0.1",
                                       "127.0.0.1:9100",
                                       "192.0.2.1:80",
                                       "[::1]",
                                       "[::1]:9100",
                                       "[fe80::1]:1",
                                       "localhost",
                                       "LocalHost:9100",
                                       "localhost.:80",
                                       "captain.example.org",
                                       "Captain.Example.ORG:9100"};
    static const char *const others[] = {"",
                                         ":80",
                                         "evil.example",
                                         "evil.example:9100",
                                         "127.0.0.1.evil.example",
                                         "localhost.evil.example",
                                         "captain.example.org.evil",
                                         "localhost:9100:80",
                                         "localhost:x",
                                         "localhost/",
                                         "localhost evil",
                                         "[::1",
                                         "[::1]x",
                                         "[evil.example]",
                                         "[127.0.0.1]",
                                         "::1",
                                         "2130706433",
                                         "/run/metrics"};
    static const struct sc_address names[] = {{.is_unix = true, .host = "/run/metrics"},
                                              {.host = "captain.example.org", .port = "9100"}};
    char longest[600];
    for (size_t i = 0; i < SC_COUNT_OF(ours); i++) {
        ck_assert_msg(sc_admin_host_is_ours(ours[i], names, SC_COUNT_OF(names)), "%s", ours[i]);
    }
    for (size_t i = 0; i < SC_COUNT_OF(others); i++) {
        ck_assert_msg(!sc_admin_host_is_ours(others[i], names, SC_COUNT_OF(names)), "%s",
                      others[i]);
    }
    ck_assert(!sc_admin_host_is_ours("captain.example.org", NULL, 0));
    /* What is not a host is not the one that was asked for before. */
    const bool before = sc_admin_host_is_ours("localhost", NULL, 0);
    const bool malformed = sc_admin_host_is_ours("localhost:x", NULL, 0);
    ck_assert(before && !malformed);
    memset(longest, 'a', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    ck_assert(!sc_admin_host_is_ours(longest, names, SC_COUNT_OF(names)));
}
END_TEST

START_TEST(openmetrics_is_for_those_who_name_it)
{
    static const char *const openmetrics[] = {
        "application/openmetrics-text",
        "application/openmetrics-text; version=1.0.0",
        "application/openmetrics-text\t;\tversion\t=\t1.0.0\t",
        "Application/OpenMetrics-Text ; charset=utf-8 ; Version=1.0.0",
        "text/html, application/openmetrics-text;q=0.1",
        "application/openmetrics-text;q=0.5,application/openmetrics-text;q=0.1,text/plain;q=0.3",
        "application/openmetrics-text;flag;version=1.0.0;more",
        "application/openmetrics-text;version=1.0.0;q=0.5,text/"
        "plain;version=0.0.4;q=0.5",
        /* what Prometheus 2.42 sends */
        "application/openmetrics-text;version=1.0.0,application/"
        "openmetrics-text;version=0.0.1;q="
        "0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
        /* what Prometheus 3 sends */
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
        "application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;q=0.3,"
        "text/plain;version=0.0.4;q=0.2,*/*;q=0.1",
    };
    static const char *const text[] = {
        "",
        "*/*",
        "text/plain",
        "text/html,application/xhtml+xml,*/*;q=0.8",
        "application/openmetrics-text;q=0",
        "application/openmetrics-text;version=0.0.1",
        "application/openmetrics-text;version=2.0.0",
        "application/openmetrics-text;q=0.4,text/plain;q=0.5",
        "text/plain;q=0.5,text/plain;q=0.1,application/openmetrics-text;q=0.3",
        "application/openmetrics-text;flag;q=0",
        "application/openmetrics-text; ;q=0",
        "text/plain,application/openmetrics-text;q=0.9",
        "application/openmetrics-text-and-more",
        ",,;;,=;q=,",
    };
    for (size_t i = 0; i < SC_COUNT_OF(openmetrics); i++) {
        ck_assert_msg(sc_admin_accepted_format(openmetrics[i]) == SC_PROMETHEUS_OPENMETRICS, "%s",
                      openmetrics[i]);
    }
    for (size_t i = 0; i < SC_COUNT_OF(text); i++) {
        ck_assert_msg(sc_admin_accepted_format(text[i]) == SC_PROMETHEUS_TEXT, "%s", text[i]);
    }
    ck_assert_int_eq(sc_admin_accepted_format(NULL), SC_PROMETHEUS_TEXT);
}
END_TEST

/* So long that copies of it that are not bounded would leave the stack. */
START_TEST(words_without_an_end)
{
    static const char *const begins[] = {"", "text/plain;", "text/plain;q="};
    static char accept[1U << 24];
    for (size_t i = 0; i < SC_COUNT_OF(begins); i++) {
        memset(accept, 'a', sizeof(accept) - 1);
        memcpy(accept, begins[i], strlen(begins[i]));
        ck_assert_int_eq(sc_admin_accepted_format(accept), SC_PROMETHEUS_TEXT);
    }
    ck_assert(!sc_admin_host_is_ours(accept, NULL, 0));
}
END_TEST

SUITE_MAIN("admin_request", addresses_and_names_of_ours_may_be_asked_for,
           openmetrics_is_for_those_who_name_it, words_without_an_end)
