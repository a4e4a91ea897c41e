/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/conn_log.h"

#include <errno.h>
#include <sys/un.h>

#include <openssl/err.h>

#include "base/clock.h"
#include "kept_log.h"
#include "server/conn.h"
#include "suite.h"

static const struct sc_conn_origin origin = {
    .id = 17, .peer = {.host = {192, 0, 2, 1}, .port = 53122, .family = AF_INET}};
static struct sc_conn_log conn_log;

static struct sc_tls_watch start(enum sc_log_level level)
{
    struct sc_tls_watch watch;
    kept_start(level);
    memset(&conn_log, 0, sizeof(conn_log));
    sc_tls_watch_init(&watch);
    return watch;
}

static void at_second(uint64_t second)
{
    const uint64_t ns = second * 1000000000U;
    sc_clock_fake(&ns, NULL);
}

START_TEST(every_line_has_the_connection_and_its_peer)
{
    struct sc_tls_watch watch = start(SC_LOG_DEBUG);
    const struct sc_tlsbev_close close = {.end = SC_TLSBEV_RESET, .error_number = ECONNRESET};
    const struct sc_tls_info info = {.version = "TLSv1.3",
                                     .cipher = "TLS_AES_256_GCM_SHA384",
                                     .group = "X25519",
                                     .resumed = true};
    sc_tls_watch_first_bytes(&watch, "\x16\x03\x01", 3);
    sc_conn_log_event(&conn_log, SC_CONN_WRITE_TIMEOUT, &origin, "it was idle");
    sc_conn_log_connected(&conn_log, &origin, &info);
    sc_conn_log_handshake_failed(&conn_log, &origin, &watch, &close);
    sc_conn_log_closed(&conn_log, &origin, &close);
    ck_assert_uint_eq(kept_count, 4);
    for (unsigned i = 0; i < kept_count; i++) {
        ASSERT_HAS(kept_lines[i], " conn=17 peer=192.0.2.1:53122 ");
    }
    ASSERT_HAS(kept_lines[0],
               " info write_timeout conn=17 peer=192.0.2.1:53122 message=\"it was idle\"");
    ASSERT_HAS(kept_lines[1], " debug connected ");
    ASSERT_HAS(kept_lines[1],
               " tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 group=X25519 resumed=yes");
    ASSERT_HAS(kept_lines[2], " warning tls_handshake_failed ");
    ASSERT_HAS(kept_lines[2], " stage=hello reason=reset hint=");
    ASSERT_HAS(kept_lines[2], " error=\"Connection reset by peer\"");
    ASSERT_HAS(kept_lines[3], " debug peer_closed ");
    ASSERT_HAS(kept_lines[3], " how=reset ");
}
END_TEST

/* Those with a name in a list of pins are logged at level info, and in all lines that follow. */
START_TEST(clients_with_a_name)
{
    const struct sc_tls_info info = {.version = "TLSv1.3", .cipher = "x", .group = "y"};
    const struct sc_tlsbev_close close = {.end = SC_TLSBEV_EOF};
    struct sc_conn_origin known = origin;
    known.client = "laptop-1";
    (void)start(SC_LOG_DEBUG);
    sc_conn_log_connected(&conn_log, &known, &info);
    ASSERT_HAS(kept_last(), " info connected conn=17 peer=192.0.2.1:53122 client=laptop-1 tls=");
    sc_conn_log_closed(&conn_log, &known, &close);
    ASSERT_HAS(kept_last(), " peer=192.0.2.1:53122 client=laptop-1 how=eof");
    ck_assert_str_eq(strstr(kept_last(), " how="), " how=eof"); /* no error */
    sc_conn_log_event(&conn_log, SC_CONN_WRITE_TIMEOUT, &known, "x");
    ASSERT_HAS(kept_last(), " client=laptop-1 message=");
    sc_conn_log_connected(&conn_log, &origin, &info);
    ASSERT_HAS(kept_last(), " debug connected conn=17 peer=192.0.2.1:53122 tls=");
    ck_assert_str_eq(strstr(kept_last(), " resumed="), " resumed=no");
}
END_TEST

/* A client on a unix socket chooses the name of its own end: that is not kept. */
START_TEST(a_peer_on_a_unix_socket_has_no_name)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX,
                                  .sun_path = "/x\n2026 info reloaded a=\"b"};
    struct sc_conn_origin evil = {
        .id = 18, .peer = sc_addr_pack((struct sockaddr *)&address, sizeof(address))};
    (void)start(SC_LOG_INFO);
    sc_conn_log_event(&conn_log, SC_CONN_WRITE_TIMEOUT, &evil, "it was idle");
    ASSERT_HAS(kept_lines[0], " conn=18 peer=unix message=");
}
END_TEST

START_TEST(failures_say_what_is_known)
{
    struct sc_tls_watch watch = start(SC_LOG_WARNING);
    const struct sc_tlsbev_close close = {
        .end = SC_TLSBEV_TLS, .error_code = ERR_PACK(ERR_LIB_SSL, 0, SSL_R_NO_SHARED_CIPHER)};
    ck_assert_int_eq(OPENSSL_init_ssl(OPENSSL_INIT_LOAD_SSL_STRINGS, NULL), 1);
    sc_conn_log_handshake_failed(&conn_log, &origin, &watch, NULL);
    ASSERT_HAS(kept_last(), " stage=connected reason=timeout hint=");
    ck_assert_ptr_null(strstr(kept_last(), "alert_"));
    ck_assert_ptr_null(strstr(kept_last(), "client_pin"));
    ck_assert_ptr_null(strstr(kept_last(), "detail"));

    sc_tls_watch_first_bytes(&watch, "\x16\x03\x01\x02\x03", 5);
    watch.alert_sent = SSL_AD_HANDSHAKE_FAILURE;
    watch.alert_received = SSL_AD_UNKNOWN_CA;
    char pin[] = "sha256//AAAA";
    watch.refused_pin = pin;
    sc_conn_log_handshake_failed(&conn_log, &origin, &watch, &close);
    ASSERT_HAS(kept_last(), " client_pin=sha256//AAAA ");
    ASSERT_HAS(kept_last(), " alert_received=\"unknown CA\" alert_sent=\"handshake failure\"");
    ASSERT_HAS(kept_last(), " detail=\"no shared cipher\"");
    watch.alert_received = SC_TLS_NO_ALERT;
    sc_conn_log_handshake_failed(&conn_log, &origin, &watch, &close);
    ASSERT_HAS(kept_last(), " reason=no_shared_cipher ");
}
END_TEST

/* The states of a handshake: each in a line of its own at level debug, all in the one of a failure.
 */
START_TEST(states_are_logged)
{
    struct sc_tls_watch watch = start(SC_LOG_DEBUG);
    const struct sc_tls_state state = {
        .state = "read client hello", .microseconds = 1500, .received = 517, .sent = 3};
    sc_conn_log_state(&conn_log, &origin, &state);
    ASSERT_HAS(kept_last(), " debug handshake_state conn=17 peer=192.0.2.1:53122 "
                            "state=\"read client hello\" microseconds=1500 received=517 sent=3");
    sc_tls_watch_start_trace(&watch);
    ck_assert_ptr_nonnull(watch.trace);
    watch.trace->steps[0] = state;
    watch.trace->count = 1;
    sc_conn_log_handshake_failed(&conn_log, &origin, &watch, NULL);
    ASSERT_HAS(kept_last(), " trace=\"1.5 ms in 517 out 3 read client hello\"");
    ck_assert_ptr_null(strstr(kept_last(), "versions_offered"));
    watch.trace->newest = TLS1_1_VERSION;
    sc_conn_log_handshake_failed(&conn_log, &origin, &watch, NULL);
    ASSERT_HAS(kept_last(), " versions_offered=\"up to TLS 1.1\" trace=");
    sc_tls_watch_fini(&watch);
    (void)start(SC_LOG_INFO);
    sc_conn_log_state(&conn_log, &origin, &state);
    ck_assert_uint_eq(kept_count, 0);
}
END_TEST

/*
 * Load balancers connect and close, every second, for ever: that is not warned about, and takes
 * nothing from the bound on warnings.
 */
START_TEST(probes_are_no_warnings)
{
    const struct sc_tlsbev_close eof = {.end = SC_TLSBEV_EOF};
    const struct sc_tlsbev_close notified = {.end = SC_TLSBEV_CLOSE_NOTIFY};
    const struct sc_tls_watch watch = start(SC_LOG_INFO);
    at_second(5);
    for (int i = 0; i < 100; i++) {
        sc_conn_log_handshake_failed(&conn_log, &origin, &watch, i % 2 ? &eof : &notified);
    }
    ck_assert_uint_eq(kept_count, 0);
    sc_conn_log_handshake_failed(&conn_log, &origin, &watch, NULL);
    ck_assert_uint_eq(kept_count, 1);
    ck_assert_ptr_null(strstr(kept_last(), "suppressed"));
}
END_TEST

/* Who wants to hide the lock-out of clients behind other failures can't. */
START_TEST(clients_that_are_locked_out_are_always_logged)
{
    const struct sc_tlsbev_close close = {.end = SC_TLSBEV_TLS};
    struct sc_tls_watch watch = start(SC_LOG_WARNING);
    sc_tls_watch_first_bytes(&watch, "\x16\x03\x01", 3);
    at_second(5);
    for (int i = 0; i < 100; i++) {
        sc_conn_log_handshake_failed(&conn_log, &origin, &watch, NULL);
    }
    watch.alert_received = SSL_AD_BAD_CERTIFICATE;
    ck_assert_int_eq(sc_conn_log_handshake_failed(&conn_log, &origin, &watch, &close),
                     SC_TLS_REASON_BAD_CERTIFICATE);
    ASSERT_HAS(kept_last(), " warning tls_handshake_failed ");
    ASSERT_HAS(kept_last(), " reason=bad_certificate hint=");
    ASSERT_HAS(kept_last(), " alert_received=\"bad certificate\"");
}
END_TEST

static void log_kind(enum sc_conn_event event, const struct sc_tls_watch *watch)
{
    static const struct sc_tls_info info = {.version = "TLSv1.3", .cipher = "x", .group = "x"};
    static const struct sc_tls_state state = {.state = "start"};
    static const struct sc_tlsbev_close eof = {.end = SC_TLSBEV_EOF}, tls = {.end = SC_TLSBEV_TLS};
    switch (event) {
    case SC_CONN_STATE: sc_conn_log_state(&conn_log, &origin, &state); break;
    case SC_CONN_CONNECTED: sc_conn_log_connected(&conn_log, &origin, &info); break;
    case SC_CONN_KNOWN_CLIENT: {
        struct sc_conn_origin known = origin;
        known.client = "laptop-1";
        sc_conn_log_connected(&conn_log, &known, &info);
        break;
    }
    case SC_CONN_HANDSHAKE_FAILED:
        sc_conn_log_handshake_failed(&conn_log, &origin, watch, NULL);
        break;
    case SC_CONN_LOCKED_OUT: {
        struct sc_tls_watch refused = *watch;
        refused.alert_received = SSL_AD_BAD_CERTIFICATE;
        sc_conn_log_handshake_failed(&conn_log, &origin, &refused, &tls);
        break;
    }
    case SC_CONN_LEFT_SILENTLY:
        sc_conn_log_handshake_failed(&conn_log, &origin, watch, &eof);
        break;
    case SC_CONN_CLIENT_REFUSED: sc_conn_log_client_refused(&conn_log, &origin, watch, "x"); break;
    case SC_CONN_PEER_CLOSED: sc_conn_log_closed(&conn_log, &origin, &eof); break;
    case SC_CONN_PEER_MISBEHAVED: sc_conn_log_closed(&conn_log, &origin, &tls); break;
    default: sc_conn_log_event(&conn_log, event, &origin, "x"); break;
    }
}

/* Each kind of line has its limit, and none of them uses up another's. */
START_TEST(a_flood_is_counted_instead)
{
    const struct sc_tls_watch watch = start(SC_LOG_DEBUG);
    at_second(5);
    for (unsigned event = 0; event < SC_CONN_EVENT_COUNT; event++) {
        kept_start(SC_LOG_DEBUG);
        log_kind(event, &watch);
        const unsigned limit =
            strstr(kept_last(), " debug ") ? SC_CONN_LOG_DEBUG_PER_SECOND : SC_CONN_LOG_PER_SECOND;
        ck_assert_ptr_null(strstr(kept_last(), "suppressed"));
        for (unsigned i = 0; i < limit + 29; i++) {
            log_kind(event, &watch);
        }
        ck_assert_uint_eq(kept_count, limit);
    }
    at_second(6);
    for (unsigned event = 0; event < SC_CONN_EVENT_COUNT; event++) {
        kept_start(SC_LOG_DEBUG);
        log_kind(event, &watch);
        ASSERT_HAS(kept_last(), " suppressed=30 conn=17 peer=");
        log_kind(event, &watch);
        ck_assert_ptr_null(strstr(kept_last(), "suppressed"));
        ck_assert_uint_eq(kept_count, 2);
    }
}
END_TEST

/* How a connection ended matters to nobody, unless the peer broke the rules. */
START_TEST(only_hostile_ends_are_worth_a_line)
{
    static const struct {
        enum sc_tlsbev_end end;
        const char *words;
    } cases[] = {{SC_TLSBEV_CLOSE_NOTIFY, NULL},
                 {SC_TLSBEV_EOF, NULL},
                 {SC_TLSBEV_RESET, NULL},
                 {SC_TLSBEV_TLS, " how=tls_error"},
                 {SC_TLSBEV_KEY_UPDATES, " how=key_update_flood"}};
    (void)start(SC_LOG_INFO);
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        const struct sc_tlsbev_close close = {.end = cases[i].end};
        const unsigned before = kept_count;
        sc_conn_log_closed(&conn_log, &origin, &close);
        ck_assert_uint_eq(kept_count - before, cases[i].words != NULL);
        if (cases[i].words) {
            ASSERT_HAS(kept_last(), cases[i].words);
        }
    }
}
END_TEST

SUITE_MAIN("conn_log", clients_with_a_name, every_line_has_the_connection_and_its_peer,
           a_peer_on_a_unix_socket_has_no_name, failures_say_what_is_known, states_are_logged,
           probes_are_no_warnings, clients_that_are_locked_out_are_always_logged,
           a_flood_is_counted_instead, only_hostile_ends_are_worth_a_line)
