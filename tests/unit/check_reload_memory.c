/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/reload.h"

#include "leaks.h"
#include "reload_fixture.h"

/* One reload that is taken, and one that is not. */
static void reload_both(const char *good, const char *bad)
{
    configure(good);
    (void)raise(SIGHUP);
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
    configure(bad);
    (void)raise(SIGHUP);
    (void)event_base_loop(base, EVLOOP_NONBLOCK);
}

START_TEST(reloads_keep_nothing)
{
    EVP_PKEY *next = fixture_key("P-256");
    X509 *of_next = fixture_certificate(next, "next", -3600, 365 * 86400, NULL, NULL);
    fixture_write_key("server.next.key", next, NULL);
    fixture_write_certificate("server.next.crt", of_next, false);
    X509_free(of_next);
    EVP_PKEY_free(next);
    begin("[server]\nreload-interval = 0\n");
    char good[4096], bad[4096 + 32];
    (void)snprintf(good, sizeof(good),
                   "[server]\nreload-interval = 0\nlisten = 127.0.0.1:1, [::1]:2\n"
                   "key-continuity = warn\nproxy-protocol-from = 10.0.0.0/8, ::1\n"
                   "[tls]\nclient-auth = require\nclient-pin = %s, ca:%s\n"
                   "Groups = X25519:P-256\n",
                   fixture_path("server.crt"), fixture_path("server.crt"));
    (void)snprintf(bad, sizeof(bad), "%sMinProtocol = none such\n", good);
    reload_both(good, bad);
    ck_assert_uint_eq(published, 1);
    ck_assert_int_eq(sc_reload_last(reload)->result, SC_RELOAD_FAILURE);
    ASSERT_KEEPS_NOTHING(reload_both(good, bad));
    ck_assert_uint_ge(published, 200);
    ck_assert_int_eq(sc_reload_last(reload)->result, SC_RELOAD_FAILURE);
    finish();
}
END_TEST

SUITE_MAIN("reload_memory", reloads_keep_nothing)
