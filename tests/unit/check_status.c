/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/status.h"

#include <stdlib.h>
#include <string.h>

#include "suite.h"

static struct sc_metrics metrics;
static struct sc_history history;

static char *write_with(void (*write)(const struct sc_metrics *, const struct sc_history *, FILE *))
{
    static char text[16384];
    FILE *out = fmemopen(text, sizeof(text), "w");
    write(&metrics, &history, out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

static void make(void)
{
    metrics.version = "0.0.1";
    metrics.openssl = "3.0.0";
    metrics.libevent = "2.1.0";
    metrics.now = 1700000000;
    metrics.started_at = 1699999900;
    metrics.facts.max_connections = 10000;
    metrics.facts.certificate_not_after = metrics.now + 86400 * 40 + 5;
    metrics.pins.one_in = 1;
    metrics.process =
        (struct sc_process){.resident_bytes = (5U << 20) + 1, .open_files = 13, .max_files = 14};
    metrics.worker_count = 2;
    metrics.worker_open[1] = 3;
    sc_stats_add(&metrics.stats.connections_accepted, 5);
    sc_stats_add(&metrics.stats.closed[SC_CLOSE_PEER_CLOSED], 2);
    sc_stats_add(&metrics.stats.handshakes_started, 5);
    sc_stats_add(&metrics.stats.handshakes_full[0], 3);
    sc_stats_add(&metrics.stats.handshakes_failed[SC_TLS_REASON_TIMEOUT], 1);
    sc_stats_add(&metrics.stats.requests[0], 40);
    sc_stats_record(&metrics.stats.handshake_time, 2000000);
}

#define ASSERT_HAS(text, part) \
    ck_assert_msg(strstr(text, part) != NULL, "\"%s\" is not in:\n%s", part, text)

START_TEST(facts_in_a_terminal)
{
    make();
    metrics.loop_silent_ms = 999;
    char *text = write_with(sc_status_write_text);
    ASSERT_HAS(text, "state               starting, since 2023-11-14T22:11:40Z\n");
    ASSERT_HAS(text, "\nconnections         3 of 10000, 5 accepted since the start\n");
    ASSERT_HAS(text, "\nby worker           0 3\n");
    ASSERT_HAS(text, "\nrequests            0 a second, 40 in the last minute, "
                     "40 since the start\n");
    ASSERT_HAS(text, "\nhandshakes          1 under way, 3 completed and 1 failed in the last "
                     "minute, 3 and 1 since the start\n");
    ASSERT_HAS(text, "\nfailed handshakes   timeout 1\n");
    ASSERT_HAS(text, "\nlocked out          0 handshakes in the last minute, 0 since the start "
                     "(bad_certificate)\n");
    ASSERT_HAS(text, "\nhandshake time      half below 1.75 ms, 99 % below 2.49 "
                     "ms (last minute)\n");
    ASSERT_HAS(text, "\nevent-loop lag      not measured in the last minute\n");
    ASSERT_HAS(text, "\nended connections   peer_closed 2\n");
    ASSERT_HAS(text, "\ncertificate         ends 2023-12-24T22:13:25Z, 40 days left\n");
    ASSERT_HAS(text, "\nnext key            none\n"
                     "clients             0 have asked for pins in 7 days\n");
    ASSERT_HAS(text, "\nlast reload         none since the start\n");
    ASSERT_HAS(text, "\nrefused connections none\n");
    ASSERT_HAS(text, "\ndelayed handshakes  0 in the last minute, 0 since the start "
                     "(handshake-rate)\n");
    ASSERT_HAS(text, "\noutput pauses       0 in the last minute, 0 since the start\n");
    ASSERT_HAS(text, "\nbytes               0 received, 0 sent\n");
    ASSERT_HAS(text, "\nticket key          0 s old\n");
    ASSERT_HAS(text, "\nprocess             5 MiB resident, 13 of 14 descriptors\n");
    ASSERT_HAS(text, "\nversion             sc-server 0.0.1, OpenSSL 3.0.0, libevent 2.1.0\n");
    ck_assert_ptr_null(strstr(text, "next certificate"));
    ck_assert_ptr_null(strstr(text, "OCSP"));
    ck_assert_ptr_null(strstr(text, "draining"));
    ck_assert_ptr_null(strstr(text, "answered"));
    metrics.loop_silent_ms = 1000;
    ASSERT_HAS(write_with(sc_status_write_text), " one has not answered for 1 s\n");
}
END_TEST

START_TEST(what_is_bad_is_shown)
{
    make();
    metrics.facts.certificate_not_after = metrics.now - 5;
    metrics.facts.reload = SC_RELOAD_FAILURE;
    metrics.facts.reload_at = metrics.now;
    metrics.facts.has_ocsp_response = metrics.facts.has_next_key = true;
    metrics.facts.ocsp_next_update = metrics.now;
    metrics.facts.next_certificate_not_after = metrics.now + 2 * 86400;
    metrics.facts.draining_since = metrics.now - 12;
    metrics.ticket_key_age_s = 9;
    sc_stats_add(&metrics.stats.handshakes_delayed, 5);
    sc_stats_add(&metrics.stats.paused, 6);
    sc_stats_add(&metrics.stats.bytes_received, 7);
    sc_stats_add(&metrics.stats.bytes_sent, 8);
    metrics.waiting = 4;
    metrics.loop_silent_ms = 1999;
    sc_stats_add(&metrics.stats.refused_descriptors, 3);
    sc_stats_add(&metrics.stats.refused_memory, 1);
    (void)strcpy(metrics.facts.reload_failure, "no such file: a\"b\n\033[2J\xff");
    char *text = write_with(sc_status_write_text);
    ASSERT_HAS(text, "\nconnections         7 of 10000, 5 accepted since the start, "
                     "4 wait for a PROXY header\n");
    ASSERT_HAS(text, "\ncertificate         ended 2023-11-14T22:13:15Z, 1 day ago\n");
    ASSERT_HAS(text, "\nOCSP response       ended 2023-11-14T22:13:20Z, 0 days ago\n");
    ASSERT_HAS(text, "\nnext certificate    ends 2023-11-16T22:13:20Z, 2 days left\n");
    ASSERT_HAS(text, "\ndelayed handshakes  5 in the last minute, 5 since the start "
                     "(handshake-rate)\n");
    ASSERT_HAS(text, "\noutput pauses       6 in the last minute, 6 since the start\n");
    ASSERT_HAS(text, "\nbytes               7 received, 8 sent\n");
    ASSERT_HAS(text, "\nticket key          9 s old\n");
    ASSERT_HAS(text, "\nlast reload         2023-11-14T22:13:20Z, failure: no such file: "
                     "a\"b\\x0a\\x1b[2J\\xff\n");
    ASSERT_HAS(text, "\nnext key            announced to clients\n"
                     "clients             0 have asked for pins in 7 days\n");
    ASSERT_HAS(text, "Z, draining since 2023-11-14T22:13:08Z\n");
    ASSERT_HAS(text, " one has not answered for 1 s\n");
    ASSERT_HAS(text, "\nrefused connections descriptors 3, memory 1\n");
    text = write_with(sc_status_write_json);
    ASSERT_HAS(text, "\"connections\":{\"open\":7,\"limit\":10000,"
                     "\"accepted\":5,\"waiting\":4},");
    ASSERT_HAS(text, "\"next_key\":true,");
    ASSERT_HAS(text, ",\"refused\":[{\"name\":\"descriptors\",\"total\":3,\"minute\":3},"
                     "{\"name\":\"memory\",\"total\":1,\"minute\":1}]");
    ASSERT_HAS(text, ",\"bytes\":{\"received\":7,\"sent\":8},\"memory\":5242881,"
                     "\"files\":{\"open\":13,\"limit\":14}");
    ASSERT_HAS(text, ",\"next_certificate\":{\"not_after\":1700172800,\"days_left\":2},");
    ASSERT_HAS(text, "\"days_left\":-1}");
    ASSERT_HAS(text, ",\"draining_since\":1699999988,");
    ASSERT_HAS(text, ",\"silent\":1.999},");
    ASSERT_HAS(text, "\"failure\":\"no such file: a\\\"b\\\\x0a\\\\x1b[2J\\\\xff\"}");
    ASSERT_HAS(text, "\"ocsp\":{\"this_update\":0,\"next_update\":1700000000}");
}
END_TEST

START_TEST(facts_for_the_page)
{
    make();
    for (uint64_t i = 0; i < 3; i++) {
        sc_stats_add(&metrics.stats.requests[0], 10);
        sc_history_add(&history, &metrics.stats, 1000 * i);
    }
    sc_stats_add(&metrics.stats.refused_memory, 4);
    sc_stats_add(&metrics.stats.handshakes_delayed, 5);
    sc_stats_add(&metrics.stats.paused, 6);
    (void)strcpy(metrics.facts.reload_failure, "caf\xc3\xa9 \"x\"\n"); /* as it is */
    char *text = write_with(sc_status_write_json);
    ASSERT_HAS(text, "\"failure\":\"caf\xc3\xa9 \\\"x\\\"\\u000a\"}");
    ASSERT_HAS(text, ",\"closed\":[{\"name\":\"peer_closed\",\"total\":2,\"minute\":2}],");
    ASSERT_HAS(text, ",\"next_key\":false,");
    ck_assert_ptr_null(strstr(text, "\"next\":\""));
    ck_assert_ptr_null(strstr(text, "announced"));
    ck_assert_ptr_null(strstr(text, "ocsp"));
    ASSERT_HAS(text, "\"connections\":{\"open\":3,\"limit\":10000,\"accepted\":5,\"waiting\":0}"
                     ",\"workers\":[0,3]");
    ASSERT_HAS(text, "\"requests\":{\"total\":70,\"minute\":70,\"rate\":10}");
    ASSERT_HAS(
        text,
        "\"handshakes\":{\"in_progress\":1,\"completed\":3,\"completed_minute\":"
        "3,"
        "\"failed\":1,\"failed_minute\":1,\"delayed_minute\":5,\"p50\":0.001750,\"p99\":0.002485}");
    ASSERT_HAS(text, "\"failures\":[{\"name\":\"timeout\",\"total\":1,\"minute\":1}]");
    ASSERT_HAS(text, ",\"locked_out\":{\"total\":0,\"minute\":0},");
    ASSERT_HAS(text, "\"refused\":[{\"name\":\"memory\",\"total\":4,\"minute\":4}]");
    ASSERT_HAS(text, ",\"pauses_minute\":6,");
    ASSERT_HAS(text, "\"rates\":[10,10]}\n");
    metrics.facts.reload = SC_RELOAD_SUCCESS;
    ASSERT_HAS(write_with(sc_status_write_json), "\"reload\":{\"result\":\"success\",");
    metrics.facts.reload = SC_RELOAD_UNCHANGED;
    ASSERT_HAS(write_with(sc_status_write_json), "\"reload\":{\"result\":\"unchanged\",");
}
END_TEST

START_TEST(what_was_before_the_last_minute)
{
    make();
    sc_stats_add(&metrics.stats.handshakes_delayed, 5);
    sc_stats_add(&metrics.stats.paused, 6);
    for (uint64_t second = 0; second <= 65; second++) {
        sc_history_add(&history, &metrics.stats, 1000 * second);
    }
    sc_stats_add(&metrics.stats.handshakes_started, 3);
    sc_stats_add(&metrics.stats.handshakes_full[0], 1);
    sc_stats_add(&metrics.stats.handshakes_failed[SC_TLS_REASON_TIMEOUT], 2);
    sc_stats_add(&metrics.stats.handshakes_delayed, 3);
    sc_stats_add(&metrics.stats.paused, 4);
    sc_stats_add(&metrics.stats.requests[0], 5);
    sc_stats_record(&metrics.stats.handshake_time, 2000000000);
    sc_stats_record(&metrics.stats.loop_lag, 2000000);
    char *text = write_with(sc_status_write_text);
    ASSERT_HAS(text, " 5 in the last minute, 45 since the start\n");
    ASSERT_HAS(text, "\nhandshakes          1 under way, 1 completed and 2 failed in the last "
                     "minute, 4 and 3 since the start\n");
    ASSERT_HAS(text, "\ndelayed handshakes  3 in the last minute, 8 since the start ");
    ASSERT_HAS(text, "\noutput pauses       4 in the last minute, 10 since the start\n");
    ASSERT_HAS(text, "\nhandshake time      half below 1.75 s, 99 % below 2.4");
    text = write_with(sc_status_write_json);
    ASSERT_HAS(text, ",\"p50\":1.750000,\"p99\":2.485000}");
    ASSERT_HAS(text, ",\"loop_lag\":{\"p50\":0.001750,\"p99\":0.002485,\"silent\":0.000}");
    ASSERT_HAS(text, "\"failures\":[{\"name\":\"timeout\",\"total\":3,\"minute\":2}]");
}
END_TEST

START_TEST(who_accepts_the_next_key)
{
    make();
    metrics.facts.has_next_key = true;
    metrics.facts.next_key_since = metrics.started_at;
    metrics.facts.next_pin[31] = 1;
    metrics.pins = (struct sc_pin_meter_figures){
        .said = {51, 2, 3}, .not_since = 4, .clients = 60, .one_in = 1};
    char *text = write_with(sc_status_write_text);
    ASSERT_HAS(text,
               "\nnext key            announced to clients since 2023-11-14T22:11:40Z\n"
               "clients             60 have asked for pins in 7 days: 51 accept the next key, "
               "2 only others, 3 did not say, 4 not since it was announced\n");
    text = write_with(sc_status_write_json);
    ASSERT_HAS(text, ",\"next_key\":true,\"pins\":{"
                     "\"current\":\"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\","
                     "\"next\":\"sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE=\","
                     "\"announced\":1699999900,\"clients\":{\"total\":60,\"next\":51,"
                     "\"others\":2,\"unknown\":3,\"not_asked_since\":4},\"one_in\":1,"
                     "\"days\":7},");
    metrics.pins.one_in = 2;
    ASSERT_HAS(
        write_with(sc_status_write_text),
        "\nclients             about 60 have asked for pins in 7 days: 51 accept the next key, "
        "2 only others, 3 did not say, 4 not since it was announced (estimated from one "
        "address in 2)\n");
    metrics.facts.has_next_key = false;
    ASSERT_HAS(write_with(sc_status_write_text),
               "\nnext key            none\n"
               "clients             about 60 have asked for pins in 7 days (estimated from one "
               "address in 2)\n");
}
END_TEST

/* The alert bad_certificate is what our clients send for a wrong pin, and is counted for itself. */
START_TEST(who_was_locked_out)
{
    make();
    sc_stats_add(&metrics.stats.handshakes_failed[SC_TLS_REASON_BAD_CERTIFICATE], 3);
    sc_stats_add(&metrics.stats.handshakes_failed[SC_TLS_REASON_CERTIFICATE_REFUSED], 7);
    for (uint64_t second = 0; second <= 65; second++) {
        sc_history_add(&history, &metrics.stats, 1000 * second);
    }
    sc_stats_add(&metrics.stats.handshakes_failed[SC_TLS_REASON_BAD_CERTIFICATE], 2);
    ASSERT_HAS(write_with(sc_status_write_text),
               "\nlocked out          2 handshakes in the last minute, 5 since the start "
               "(bad_certificate)\n");
    ASSERT_HAS(write_with(sc_status_write_json), ",\"locked_out\":{\"total\":5,\"minute\":2},");
}
END_TEST

SUITE_MAIN("status", facts_in_a_terminal, what_is_bad_is_shown, facts_for_the_page,
           what_was_before_the_last_minute, who_was_locked_out, who_accepts_the_next_key)
