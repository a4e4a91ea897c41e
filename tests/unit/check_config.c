/* SPDX-License-Identifier: MIT */
#include "config.h"

#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "server/config_table.h"
#include "suite.h"
#include "tls_fixture.h"

static struct sc_config_errors errors;
static struct sc_config *config; /* the last that was loaded */

/* Loads from arguments, NULL-terminated. NULL: see errors. */
static struct sc_config *load(const char *const *arguments)
{
    char *argv[32] = {(char *)"sc-server"};
    int argc = 1;
    for (; arguments[argc - 1]; argc++) {
        argv[argc] = (char *)arguments[argc - 1];
    }
    errors = (struct sc_config_errors){0};
    struct sc_cmdline *cmdline = sc_cmdline_parse(argc, argv, &errors);
    sc_config_unref(config);
    config = cmdline ? sc_config_load(cmdline, &errors) : NULL;
    sc_cmdline_free(cmdline);
    return config;
}
#define LOAD(...) load((const char *const[]){__VA_ARGS__, NULL})

static void must_load(const char *const *arguments)
{
    ck_assert_msg(load(arguments) != NULL, "%s", errors.text[0]);
}
#define MUST_LOAD(...) must_load((const char *const[]){__VA_ARGS__, NULL})

/* The file with the last of the texts. */
#define PATH fixture_path("sc-server.conf")

static struct sc_config *load_bytes(const char *content, size_t length)
{
    fixture_write("sc-server.conf", content, length);
    return LOAD("-c", PATH);
}

static struct sc_config *load_text(const char *content)
{
    return load_bytes(content, strlen(content));
}

static void must_load_text(const char *content)
{
    ck_assert_msg(load_text(content) != NULL, "%s", errors.text[0]);
}

/* Some error line has all of these words. */
static bool complained(const char *a, const char *b, const char *c)
{
    for (size_t i = 0; i < errors.count; i++) {
        if (strstr(errors.text[i], a) && strstr(errors.text[i], b) && strstr(errors.text[i], c)) {
            return true;
        }
    }
    for (size_t i = 0; i < errors.count; i++) {
        fprintf(stderr, "error: %s\n", errors.text[i]);
    }
    return false;
}

static void refuse(const char *content, const char *a, const char *b, const char *c)
{
    ck_assert_ptr_null(load_text(content));
    ck_assert_int_eq(errors.status, EX_CONFIG);
    ck_assert(complained(a, b, c));
}

START_TEST(defaults_are_those_of_the_contract)
{
    MUST_LOAD("-c", "/dev/null");
    ck_assert_uint_eq(config->listen.count, 1);
    ck_assert_uint_eq(config->proxy_protocol_from.count, 0);
    ck_assert_str_eq(config->listen.items[0].host, "::");
    ck_assert_str_eq(config->listen.items[0].port, "4242");
    ck_assert_ptr_nonnull(strstr(config->certificate, "/space-captain/server.crt"));
    ck_assert_ptr_nonnull(strstr(config->private_key, "/space-captain/server.key"));
    ck_assert_uint_eq(config->reload_interval_ms, 60000);
    ck_assert_uint_eq(config->max_connections, 10000);
    ck_assert_uint_eq(config->max_connections_per_address, 0);
    ck_assert_uint_eq(config->handshake_rate, 0);
    ck_assert_uint_eq(config->max_body_bytes, 65536);
    ck_assert_uint_eq(config->handshake_timeout_ms, 5000);
    ck_assert_uint_eq(config->frame_timeout_ms, 30000);
    ck_assert_uint_eq(config->idle_timeout_ms, 300000);
    ck_assert_uint_eq(config->write_timeout_ms, 30000);
    ck_assert_uint_eq(config->output_limit_bytes, 262144);
    ck_assert_uint_eq(config->drain_timeout_ms, 10000);
    ck_assert_int_eq(config->log_level, SC_LOG_INFO);
    ck_assert_int_eq(config->log_format, SC_LOG_AUTO);
    ck_assert_uint_eq(config->session_timeout_ms, 300000);
    ck_assert_uint_eq(config->session_cache_size, 1024);
    ck_assert_ptr_null(config->ticket_keys);
    ck_assert_ptr_null(config->ocsp_response);
    ck_assert_int_eq(config->client_auth, SC_PEER_AUTH_NONE);
    ck_assert_uint_eq(config->client_pin.count, 0);
    ck_assert_uint_eq(config->tls_command_count, 0);
}
END_TEST

START_TEST(file_sets_every_kind_of_value)
{
    must_load_text("\xef\xbb\xbf# a comment that goes on \\\n[nowhere]\n"
                   "[ server ] \r\n"
                   "listen = 127.0.0.1:1 , [::1]:2,\\\nunix:/run/a b\r\n"
                   "max-body=1M   # bytes\n"
                   "handshake-timeout = 0.5s\n"
                   "certificate = \"/a \\\"b\\\" #c\"\n"
                   "log-level = debug\n"
                   "\n[tls]\n"
                   "client-auth = require\n"
                   "client-pin = sha256//AAAA;sha256//BBBB, /etc/x.pem\n"
                   "MinProtocol = TLSv1.3\n"
                   "Groups = X25519:P-256\n");
    ck_assert_uint_eq(config->listen.count, 3);
    ck_assert_str_eq(config->listen.items[0].host, "127.0.0.1");
    ck_assert_str_eq(config->listen.items[1].host, "::1");
    ck_assert(config->listen.items[2].is_unix);
    ck_assert_str_eq(config->listen.items[2].host, "/run/a b");
    ck_assert_uint_eq(config->max_body_bytes, 1U << 20);
    ck_assert_uint_eq(config->handshake_timeout_ms, 500);
    ck_assert_str_eq(config->certificate, "/a \"b\" #c");
    ck_assert_int_eq(config->log_level, SC_LOG_DEBUG);
    ck_assert_int_eq(config->client_auth, SC_PEER_AUTH_REQUIRE);
    ck_assert_uint_eq(config->client_pin.count, 2);
    ck_assert_str_eq(config->client_pin.items[1], "/etc/x.pem");
    ck_assert_uint_eq(config->tls_command_count, 2);
    ck_assert_str_eq(config->tls_commands[0].name, "MinProtocol");
    ck_assert_str_eq(config->tls_commands[1].name, "Groups");
    ck_assert_str_eq(config->tls_commands[1].value, "X25519:P-256");
}
END_TEST

/* As OpenSSL joins them: two backslashes at the end of a line are one, and that is all. */
START_TEST(lines_that_go_on)
{
    must_load_text("[server]\ncertificate = /a\\\\\nworkers = 3\nlisten = "
                   "a:1,\\\r\r\nb:2\nmax-body = 1K\r\r\n");
    ck_assert_str_eq(config->certificate, "/a\\");
    ck_assert_uint_eq(config->workers, 3);
    ck_assert_uint_eq(config->max_body_bytes, 1024);
    ck_assert_uint_eq(config->listen.count, 2);
}
END_TEST

START_TEST(command_line_wins_and_repeats)
{
    must_load_text("[server]\nworkers = 3\nmax-body = 1K\nlisten = 127.0.0.1:9\n");
    MUST_LOAD("--workers", "5", "-c", PATH, "--listen=[::1]:1", "--client-auth", "optional",
              "--listen", "a:2,b:3", "--workers=7");
    ck_assert_uint_eq(config->workers, 7);
    ck_assert_uint_eq(config->max_body_bytes, 1024);
    ck_assert_int_eq(config->client_auth, SC_PEER_AUTH_OPTIONAL);
    ck_assert_uint_eq(config->listen.count, 3);
    ck_assert_str_eq(config->listen.items[2].host, "b");
}
END_TEST

START_TEST(every_error_of_a_file_in_one_go)
{
    ck_assert_ptr_null(load_text("# x\n[server]\nmax-body = 9x\nmax-bdy = 1\nworkers = "
                                 "2\nworkers = 3\nhandshake-timeout = 0\n"
                                 "log-level = loud\nlisten = foo\nclient-auth = "
                                 "none\n[tls]\nsession-timout = 1s\n[foo]\ny = 1\n[tls]\n"));
    ck_assert_int_eq(errors.status, EX_CONFIG);
    ck_assert(complained(":3: [server] max-body", "\"9x\"", "expected a size, 1 to 16M"));
    ck_assert(complained(":4: [server] max-bdy", "unknown key", "max-body"));
    ck_assert(complained(":6: [server] workers", "again", "line 5"));
    ck_assert(complained(":7: [server] handshake-timeout", "\"0\"", "1ms"));
    ck_assert(complained(":8: [server] log-level", "\"loud\"", "error, warning, info or debug"));
    ck_assert(complained(":9: [server] listen", "\"foo\"", "HOST:PORT"));
    ck_assert(complained(":10: [server] client-auth", "belongs", "[tls]"));
    ck_assert(complained(":12: [tls] session-timout", "unknown key", "session-timeout"));
    ck_assert(complained(":13:", "unknown section", "[foo]"));
    ck_assert(complained(":15:", "section [tls] again", "line 11"));
    ck_assert_uint_eq(errors.count, 10);
}
END_TEST

START_TEST(files_that_are_none)
{
    static const char nul[] = "[server]\nworkers = 1\nwork\0ers = 3\n";
    ck_assert_ptr_null(load_bytes(nul, sizeof(nul) - 1));
    ck_assert(complained(":1: not a configuration", "text", ""));
    ck_assert_int_eq(errors.status, EX_CONFIG);

    char *big = malloc(2U << 20);
    memset(big, 'a', 2U << 20);
    memcpy(big, "[server]\nlisten = ", 18);
    ck_assert_ptr_null(load_bytes(big, 2U << 20));
    ck_assert(complained("larger than 1048576 bytes", "", ""));
    ck_assert_ptr_null(load_bytes(big, 1U << 20));
    ck_assert(complained(":2: [server] listen", "too long", ""));
    free(big);

    ck_assert_ptr_null(LOAD("-c", "/"));
    ck_assert(complained("/", "directory", ""));
    ck_assert_int_eq(errors.status, EX_NOINPUT);
    ck_assert_ptr_null(LOAD("--config", "does/not/exist"));
    ck_assert(complained("does/not/exist", "No such file", ""));
    ck_assert_int_eq(errors.status, EX_NOINPUT);
}
END_TEST

START_TEST(syntax_errors_and_traps_of_the_parser)
{
    refuse("[server]\nworkers 3\n", ":2: expected KEY = VALUE", "", "");
    refuse("[server\nworkers = 3\n", ":1:", "expected [SECTION]", "");
    refuse("[server] workers = 3\n", ":1:", "line of its own", "");
    refuse("[server]\n.include = /etc/passwd\n", ":2:", ".include", "");
    refuse("[server]\n.inc\\\nlude /etc/passwd\n", ":2:", ".include", "");
    refuse("[server]\nx::.include /etc/passwd\n", ":2:", ".include", "");
    refuse("[server]\ntls::MinProtocol = TLSv1.2\n", ":2:", "tls::MinProtocol", "");
    refuse("[server]\nworkers = $nothing\n", ":2", "variable", "");
    refuse("[server]\nworkers =\n", ":2", "\"\"", "expected a number, 0 to 1024");
    refuse("[server]\ncertificate =\n", ":2", "certificate", "expected FILE");
    refuse("[server]\nlisten = a:1,,b:2\n", ":2", "listen", "item of the list is empty");
    refuse("[tls]\nclient-pin = a, ,b\n", ":2", "client-pin", "item of the list is empty");
    refuse("[server]\ncertificate = a\\tb\n", ":2", "certificate", "control character");
    refuse("[tls]\nclient-pin = a, b\\tc\n", ":2", "client-pin", "control character");
    refuse("[server]\nlisten =  \n", ":2", "listen", "expected ADDR");
    refuse("[server]\nlisten = a:1\n\nmax-body = $nothing\n\nworkers = 2\n", ":4:", "variable", "");
    refuse("[server]\n"
           "a-key-of-64-characters-is-not-shown-since-it-could-be-of-another-f = 1\n",
           ":2: expected KEY = VALUE", "", "");
    /* A key of the other section is no help. */
    refuse("[tls]\nmax-bdy = 1\n", ":2: [tls] max-bdy: unknown key: see sc-server.conf(5)", "", "");
    ck_assert_ptr_null(strstr(errors.text[0], "nearest"));
    refuse("[server]\n\033[31mred = 1\n", ":2", "expected KEY = VALUE", "");
}
END_TEST

/* A private key, named by mistake, and lines of one in a configuration. */
START_TEST(nothing_of_another_file_is_shown)
{
    static const char *const files[] = {
        "-----BEGIN PRIVATE KEY-----\nc2VjcmV0c2VjcmV0c2VjcmV0\nc2VjcmV0==\n",
        "c2VjcmV0 = c2VjcmV0\n",
        "[c2VjcmV0]\nc2VjcmV0 = 1\n",
        "[c2VjcmV0\n",
        "[server]\nc2VjcmV0\n",
        "[server]\nc2VjcmV0+/c2VjcmV0==\n",
        "[server]\nc2VjcmV0/=\nc2VjcmV0=\n",
        "[server]\n-----BEGIN PRIVATE KEY-----\nc2VjcmV0=\n",
        "[server]\n[tls c2VjcmV0\n",
        "[server] c2VjcmV0\n",
        "[server]\nworkers = $c2VjcmV0\n",
        "[server]\nworkers = ${c2VjcmV0\n",
        "[server]\nworkers = ${c2VjcmV0::x}\n"};
    for (size_t i = 0; i < SC_COUNT_OF(files); i++) {
        ck_assert_ptr_null(load_text(files[i]));
        ck_assert_uint_eq(errors.count, 1);
        ck_assert_int_eq(errors.status, EX_CONFIG);
        ck_assert_msg(!strstr(errors.text[0], "c2Vj"), "%zu: %s", i, errors.text[0]);
        ck_assert_msg(!strstr(errors.text[0], "HERE"), "%zu: %s", i, errors.text[0]);
        ck_assert_msg(strstr(errors.text[0], i < 4 ? ":1: not a configuration" : ":2: ") ||
                          strstr(errors.text[0], ":1: expected [SECTION]"),
                      "%zu: %s", i, errors.text[0]);
    }
}
END_TEST

/* Each of the values, which are separated by '|'. */
static void expect_values(const char *key, const char *values, bool taken)
{
    char text[128], rest[128];
    (void)snprintf(rest, sizeof(rest), "%s", values);
    for (char *value = strtok(rest, "|"); value; value = strtok(NULL, "|")) {
        (void)snprintf(text, sizeof(text), "[server]\n%s = %s\n", key, value);
        (void)load_text(text);
        ck_assert_msg((config != NULL) == taken, "%s = %s: %s", key, value, errors.text[0]);
        ck_assert_uint_eq(errors.count, taken ? 0 : 1);
    }
}

START_TEST(values_at_their_borders)
{
    static const struct {
        const char *key, *good, *bad;
    } cases[] = {
        {"handshake-timeout", "1ms|1h", "0|3601s|5S"},
        {"frame-timeout", "1ms", "0"},
        {"write-timeout", "1ms", "0"},
        {"idle-timeout", "0|8760h", "8761h|5"},
        {"drain-timeout", "0", ""},
        {"reload-interval", "0", ""},
        {"max-body", "1|16M", "0|-1|16777217|99999999999999999999"},
        {"output-limit", "4K", "4095"},
        {"workers", "1024", "1025|1 2|0x2"},
        {"max-connections", "1", "0"},
    };
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        expect_values(cases[i].key, cases[i].good, true);
        expect_values(cases[i].key, cases[i].bad, false);
    }
}
END_TEST

/* What --dump-config prints, in a static buffer. */
static const char *text_of(const struct sc_config *shown)
{
    static char text[16384];
    FILE *out = fmemopen(text, sizeof(text), "w");
    sc_config_write(shown, out);
    ck_assert_int_eq(fclose(out), 0);
    return text;
}

START_TEST(networks)
{
    char list[257 * 13] = "";
    must_load_text("[server]\nproxy-protocol-from = 192.0.2.1 , "
                   "::ffff:198.51.100.0/120,2001:db8::/32, unix:\n");
    ck_assert_uint_eq(config->proxy_protocol_from.count, 4);
    ck_assert_ptr_nonnull(strstr(text_of(config),
                                 "\nproxy-protocol-from = 192.0.2.1, 198.51.100.0/24, "
                                 "2001:db8::/32, unix:\n"));
    refuse("[server]\nproxy-protocol-from = 192.0.2.1, 192.0.2.1/24\n", "proxy-protocol-from",
           "longer than its network", "192.0.2.0/24");
    refuse("[server]\nproxy-protocol-from = 192.0.2.1,,192.0.2.2\n", "proxy-protocol-from",
           "an item of the list is empty", "");
    for (int i = 0; i < 256; i++) {
        (void)strcat(list, i > 0 ? ",192.0.2.1" : "192.0.2.1");
    }
    MUST_LOAD("-c", "/dev/null", "--proxy-protocol-from", list);
    ck_assert_uint_eq(config->proxy_protocol_from.count, 256);
    ck_assert_ptr_null(
        LOAD("-c", "/dev/null", "--proxy-protocol-from", list, "--proxy-protocol-from", "::1"));
    ck_assert(complained("too many networks: expected up to 256", "", ""));
}
END_TEST

/* The longest text, and the most addresses. */
START_TEST(there_is_a_most)
{
    char text[4097] = "", list[65 * 4] = "";
    memset(text, 'a', 4095);
    MUST_LOAD("-c", "/dev/null", "--certificate", text);
    text[4095] = 'a';
    ck_assert_ptr_null(LOAD("-c", "/dev/null", "--certificate", text));
    ck_assert(complained("4096 bytes: expected up to 4095", "", ""));
    for (int i = 0; i < 64; i++) {
        (void)strcat(list, i > 0 ? ",a:1" : "a:1");
    }
    MUST_LOAD("-c", "/dev/null", "--listen", list);
    ck_assert_ptr_null(LOAD("-c", "/dev/null", "--listen", list, "--listen", "a:1"));
    ck_assert(complained("too many addresses: expected up to 64", "", ""));
}
END_TEST

/* 0 workers: one for each processor that this process may use. */
START_TEST(workers_follow_the_processors)
{
    cpu_set_t all, one;
    ck_assert_int_eq(sched_getaffinity(0, sizeof(all), &all), 0);
    MUST_LOAD("-c", "/dev/null");
    ck_assert_uint_eq(config->workers, (unsigned)CPU_COUNT(&all));
    CPU_ZERO(&one);
    for (size_t i = 0; i < CPU_SETSIZE; i++) {
        if (CPU_ISSET(i, &all) && CPU_COUNT(&one) == 0) {
            CPU_SET(i, &one);
        }
    }
    ck_assert_int_eq(sched_setaffinity(0, sizeof(one), &one), 0);
    MUST_LOAD("-c", "/dev/null");
    ck_assert_uint_eq(config->workers, 1);
}
END_TEST

START_TEST(command_lines_that_are_wrong)
{
    static const struct {
        const char *arguments[7], *words[3];
    } cases[] = {
        {{"--wrkers", "3"}, {"--wrkers", "--workers", "--help"}},
        {{"--workers"}, {"--workers needs a value", "", ""}},
        {{"-c"}, {"-c needs a value", "", ""}},
        {{"--max-c", "3"}, {"--max-c", "2 options", ""}},
        {{"--dump-confg"}, {"unknown option --dump-confg: --dump-config is the nearest", "", ""}},
        {{"--check-config=1"}, {"--check-config takes no value", "", ""}},
        {{"-x", "file"}, {"-x", "unknown option", ""}},
        {{"--workers", "3", "file"}, {"\"file\"", "unexpected argument", ""}},
        {{"-c", "/dev/null", "--max-body", "big", "--no-such-key", "x"},
         {"unknown option --no-such-key", "", ""}},
        {{"-c", "/dev/null", "--max-body", "big"}, {"--max-body", "\"big\"", "16M"}},
    };
    for (size_t i = 0; i < SC_COUNT_OF(cases); i++) {
        ck_assert_ptr_null(load(cases[i].arguments));
        ck_assert(complained(cases[i].words[0], cases[i].words[1], cases[i].words[2]));
        ck_assert_int_eq(errors.status, EX_USAGE);
        ck_assert_uint_eq(errors.count, 1);
    }
    /* The first error says with which status the program ends. */
    ck_assert_ptr_null(load_text("[server]\nmax-body = big\n"));
    ck_assert_ptr_null(LOAD("-c", PATH, "--max-body", "big"));
    ck_assert_uint_eq(errors.count, 2);
    ck_assert_int_eq(errors.status, EX_CONFIG);
    ck_assert_ptr_null(LOAD("--frobnicate", "3"));
    ck_assert_str_eq(errors.text[0], "unknown option --frobnicate; see --help");
    ck_assert_ptr_null(LOAD("-xy"));
    ck_assert_uint_eq(errors.count, 2);
    ck_assert_str_eq(errors.text[0], "unknown option -x; see --help");
    ck_assert_str_eq(errors.text[1], "unknown option -y; see --help");
    ck_assert_ptr_null(LOAD("--status=unix:/a", "unix:/b"));
    ck_assert(complained("unexpected argument \"unix:/b\"", "", ""));
    ck_assert_ptr_null(LOAD("--status", "unix:/a", "unix:/b"));
    ck_assert(complained("unexpected argument \"unix:/b\"", "", ""));
}
END_TEST

START_TEST(too_many_errors_are_counted)
{
    char text[4096] = "[server]\n";
    size_t used = strlen(text);
    for (int i = 0; i < 50; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "unheard-of-%d = 1\n", i);
    }
    ck_assert_ptr_null(load_text(text));
    ck_assert_uint_eq(errors.count, SC_CONFIG_MAX_ERRORS + 1);
    ck_assert_uint_eq(errors.dropped, 30);
    ck_assert(complained("30 more", "", ""));
}
END_TEST

static enum sc_cmdline_action action_of(const char *a, const char *b)
{
    char *argv[] = {(char *)"sc-server", (char *)a, (char *)b, NULL};
    errors = (struct sc_config_errors){0};
    struct sc_cmdline *cmdline = sc_cmdline_parse(b ? 3 : 2, argv, &errors);
    ck_assert_ptr_nonnull(cmdline);
    const enum sc_cmdline_action action = sc_cmdline_action(cmdline);
    sc_cmdline_free(cmdline);
    return action;
}

START_TEST(actions)
{
    ck_assert_int_eq(action_of("--help", "--nonsense"), SC_CMDLINE_HELP);
    ck_assert_int_eq(action_of("--nonsense", "--version"), SC_CMDLINE_VERSION);
    ck_assert_uint_eq(errors.count, 0);
    ck_assert_int_eq(action_of("--check-config", NULL), SC_CMDLINE_CHECK);
    ck_assert_int_eq(action_of("--dump-config", NULL), SC_CMDLINE_DUMP);
    ck_assert_int_eq(action_of("--sample-config", "--nonsense"), SC_CMDLINE_SAMPLE);
    ck_assert_uint_eq(errors.count, 0);
    ck_assert_ptr_null(LOAD("--check-config", "a\x7f"
                                              "b\033c"));
    ck_assert(complained("\"a?b?c\"", "", ""));
    ck_assert_int_eq(action_of("--port-file=x", NULL), SC_CMDLINE_RUN);
}
END_TEST

static void count_change(void *arg, const char *key, bool needs_restart, const char *before,
                         const char *after)
{
    (void)before;
    (void)after;
    char *keys = arg;
    (void)snprintf(keys + strlen(keys), 256 - strlen(keys), "%s%s ", key, needs_restart ? "!" : "");
}

static void keep_commands(void *arg, const char *key, bool needs_restart, const char *before,
                          const char *after)
{
    (void)needs_restart;
    if (strcmp(key, "[tls] commands") == 0) {
        (void)snprintf(arg, 256, "%s -> %s", before, after);
    }
}

START_TEST(diff_names_what_needs_a_restart)
{
    must_load_text("[server]\nmax-body = 2K\n[tls]\nMinProtocol = TLSv1.3\n");
    MUST_LOAD("-c", "/dev/null", "--workers", "1");
    struct sc_config *before = sc_config_ref(config);
    MUST_LOAD("-c", PATH, "--workers", "2", "--listen", "127.0.0.1:0", "--log-level", "debug");
    const struct sc_config *after = config;
    char keys[256] = "";
    ck_assert_uint_eq(sc_config_diff(before, before, after, count_change, keys), 5);
    ck_assert_str_eq(keys, "listen! workers! max-body log-level [tls] commands ");
    keys[0] = '\0';
    ck_assert_uint_eq(sc_config_diff(after, after, after, count_change, keys), 0);
    /* What needs a restart is compared with what was started, the rest with what is active. */
    ck_assert_uint_eq(sc_config_diff(after, before, after, count_change, keys), 3);
    ck_assert_str_eq(keys, "max-body log-level [tls] commands ");
    ck_assert_uint_eq(sc_config_diff(before, after, after, NULL, NULL), 2);
    sc_config_unref(before);
    before = config;
    (void)sc_config_ref(config);
    must_load_text("[tls]\nMinProtocol = TLSv1.2\nGroups = X25519\n");
    (void)sc_config_diff(before, before, config, keep_commands, keys);
    ck_assert_str_eq(keys, "MinProtocol = TLSv1.3 -> MinProtocol = TLSv1.2, Groups = X25519");
    sc_config_unref(before);
}
END_TEST

START_TEST(dump_loads_again)
{
    must_load_text(
        "[server]\ncertificate = \"/a \\\"b\\\" \\\\ #c $d 'e'\"\nidle-timeout = "
        "1500ms\nmax-body = 1000\n"
        "[tls]\nocsp-response = \"x#y\"\nMinProtocol = TLSv1.3\nGroups = X25519\nclient-auth = "
        "require\nclient-pin = a, b\n");
    MUST_LOAD("-c", PATH, "--listen", "unix:/a `b", "--listen", "[::1]:0", "--ticket-keys",
              " lead and trail ", "--private-key", "/trail ", "--next-private-key", " lead",
              "--passphrase-file", "$d");
    const char *text = text_of(config);
    ck_assert_ptr_nonnull(strstr(text, "ticket-keys = \" lead and trail \"\n"));
    ck_assert_ptr_nonnull(strstr(text, "private-key = \"/trail \"\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nclient-pin = a, b\n"));
    ck_assert_ptr_null(strstr(text, "metrics-listen")); /* not set, and not by default */
    ck_assert_ptr_nonnull(strstr(text, "next-private-key = \" lead\"\n"));
    ck_assert_ptr_nonnull(strstr(text, "passphrase-file = \"$d\"\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nMinProtocol = TLSv1.3\nGroups = X25519\n"));
    struct sc_config *before = sc_config_ref(config);
    must_load_text(text);
    char keys[256] = "";
    ck_assert_uint_eq(sc_config_diff(before, before, config, count_change, keys), 0);
    ck_assert_str_eq(config->certificate, "/a \"b\" \\ #c $d 'e'");
    sc_config_unref(before);
}
END_TEST

SUITE_MAIN("config", defaults_are_those_of_the_contract, file_sets_every_kind_of_value,
           lines_that_go_on, command_line_wins_and_repeats, every_error_of_a_file_in_one_go,
           files_that_are_none, syntax_errors_and_traps_of_the_parser,
           nothing_of_another_file_is_shown, values_at_their_borders, networks, there_is_a_most,
           workers_follow_the_processors, command_lines_that_are_wrong, too_many_errors_are_counted,
           actions, diff_names_what_needs_a_restart, dump_loads_again)
