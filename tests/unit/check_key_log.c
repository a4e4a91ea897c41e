/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/key_log.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "suite.h"
#include "tls/context.h"
#include "tls_fixture.h"

START_TEST(secrets_are_appended)
{
    struct sc_err err = {0};
    char line[512];
    fixture_write_pair("server", "P-256");
    const struct sc_tls_server_settings settings = fixture_settings("server");
    struct sc_tls_context *server = fixture_server(&settings);
    for (int i = 0; i < 2; i++) { /* another program adds to it */
        struct sc_tls_context *client = sc_tls_context_new_client(
            &(struct sc_tls_client_settings){.keylog_path = fixture_path("keylog")}, &err);
        struct tls_pair pair;
        ck_assert_msg(client != NULL, "%s", err.text);
        tls_pair_init(&pair, client, server);
        ck_assert(tls_pair_handshake(&pair));
        tls_pair_fini(&pair);
        sc_tls_context_unref(client);
    }
    FILE *file = fopen(fixture_path("keylog"), "r");
    ck_assert_ptr_nonnull(file);
    unsigned lines = 0;
    while (fgets(line, sizeof(line), file)) {
        lines += strstr(line, "_SECRET") != NULL || strstr(line, "_SECRET_0") != NULL;
        ck_assert_ptr_nonnull(strchr(line, '\n'));
    }
    ck_assert_uint_ge(lines, 8);
    struct stat stat;
    ck_assert_int_eq(fstat(fileno(file), &stat), 0);
    ck_assert_uint_eq(stat.st_mode & 0777, 0600);
    (void)fclose(file);
    ck_assert_ptr_null(sc_tls_context_new_client(
        &(struct sc_tls_client_settings){.keylog_path = "/nonexistent/keylog"}, &err));
    ck_assert_int_eq(err.status, EX_CANTCREAT);
    ck_assert_ptr_nonnull(strstr(err.text, "SSLKEYLOGFILE"));
    sc_tls_context_unref(server);
}
END_TEST

SUITE_MAIN("key_log", secrets_are_appended)
