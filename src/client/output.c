/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/output.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/program.h"
#include "client/output_pins.h"
#include "proto/frame.h"
#include "proto/handler.h"
#include "tls/certificate.h"
#include "tls/pin.h"

#define PROGRAM SC_CLI_PROGRAM

static double to_ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static const char *name_of(uint32_t type)
{
    const struct sc_handler *handler = sc_handler_find(type);
    return handler ? handler->name : "error";
}

/* ,"KEY":VALUE, where the value is text if it can be, and else base64 under KEY_base64. */
static void put_bytes(const char *key, const uint8_t *bytes, size_t length)
{
    if (sc_escape_is_utf8(bytes, length)) {
        printf(",\"%s\":", key);
        sc_escape_json(stdout, bytes, length);
    } else {
        printf(",\"%s_base64\":\"", key);
        sc_escape_base64(stdout, bytes, length);
        (void)putchar('"');
    }
}

void sc_cli_put_text(const char *key, const char *text)
{
    printf(",\"%s\":", key);
    sc_escape_json(stdout, text, strlen(text));
}

/* The members that every object about a reply starts with. */
static void open_reply(const struct sc_session_reply *reply)
{
    printf("{\"request\":\"%s\",\"reply\":\"%s\",\"bytes\":%zu,\"seconds\":%.9f",
           name_of(reply->type), reply->error_code != 0 ? "error" : name_of(reply->type),
           reply->length, (double)reply->elapsed_ns / 1e9);
}

static void put_error_members(const struct sc_session_reply *reply)
{
    printf(",\"code\":%" PRIu32 ",\"retry_after_ms\":%" PRIu32, reply->error_code,
           reply->retry_after_ms);
    sc_cli_put_text("name", sc_error_code_name(reply->error_code));
    put_bytes("text", reply->body, reply->length);
}

static void print_error(const struct sc_session_reply *reply)
{
    struct sc_err err;
    char wait[32], advice[64] = "";
    if (reply->retry_after_ms > 0) {
        sc_format_duration_ms(reply->retry_after_ms, wait);
        (void)snprintf(advice, sizeof(advice), "; try again in %s", wait);
    }
    (void)sc_err_set(&err, 1, "the server answered ERROR %" PRIu32 " (%s): %s%s", reply->error_code,
                     sc_error_code_name(reply->error_code), reply->error_text, advice);
    (void)sc_program_fail(PROGRAM, &err);
}

void sc_cli_print_reply(const struct sc_cli_options *options, const struct sc_client_info *info,
                        const struct sc_session_reply *reply, bool newline)
{
    if (options->json) {
        open_reply(reply);
        if (reply->error_code != 0) {
            put_error_members(reply);
        } else if (reply->pins) {
            sc_cli_print_pins_json(options, info, reply->pins);
        } else {
            put_bytes("body", reply->body, reply->length);
        }
        (void)puts("}");
    } else if (reply->error_code != 0) {
        print_error(reply);
    } else if (reply->pins) {
        sc_cli_print_pins_text(options, info, reply->pins);
    } else {
        if (isatty(STDOUT_FILENO)) {
            sc_escape_terminal(stdout, reply->body, reply->length);
        } else {
            (void)fwrite(reply->body, 1, reply->length, stdout);
        }
        if (newline) {
            (void)putchar('\n');
        }
    }
}

void sc_cli_print_ping(const struct sc_cli_options *options, const struct sc_client_info *info,
                       const struct sc_session_reply *reply, uint64_t number)
{
    if (options->json) {
        open_reply(reply);
        printf(",\"number\":%" PRIu64, number);
        if (reply->error_code != 0) {
            put_error_members(reply);
        }
        (void)puts("}");
    } else if (reply->error_code != 0) {
        print_error(reply);
    } else {
        printf("%s: %s %" PRIu64 ", %zu bytes, %.3f ms\n", info->peer, name_of(reply->type), number,
               reply->length, to_ms(reply->elapsed_ns));
    }
}

void sc_cli_print_loss(const struct sc_cli_options *options, const struct sc_err *err,
                       uint64_t lost)
{
    if (!options->json) {
        (void)sc_program_fail(PROGRAM, err);
        return;
    }
    printf("{\"request\":\"%s\",\"lost\":%" PRIu64 ",\"status\":%d", options->command->name, lost,
           err->status);
    sc_cli_put_text("error", err->text);
    (void)puts("}");
}

void sc_cli_print_summary(const struct sc_cli_options *options, uint64_t sent, uint64_t answered,
                          const struct sc_hist *times)
{
    const double mean = sc_hist_mean(times);
    const double p50 = (double)sc_hist_percentile(times, 50),
                 p99 = (double)sc_hist_percentile(times, 99);
    const double min = (double)sc_hist_min(times), max = (double)sc_hist_max(times);
    if (options->json) {
        printf("{\"sent\":%" PRIu64 ",\"answered\":%" PRIu64 ",\"lost\":%" PRIu64, sent, answered,
               sent - answered);
        if (times->count > 0) {
            printf(",\"min_seconds\":%.9f,\"avg_seconds\":%.9f,\"max_seconds\":%.9f,\"p50_"
                   "seconds\":%.9f,\"p99_seconds\":%.9f",
                   min / 1e9, mean / 1e9, max / 1e9, p50 / 1e9, p99 / 1e9);
        }
        (void)puts("}");
        return;
    }
    printf("%s: %" PRIu64 " sent, %" PRIu64 " answered, %" PRIu64 " lost", options->target, sent,
           answered, sent - answered);
    if (times->count > 0) {
        printf(", min/avg/max/p50/p99 %.3f/%.3f/%.3f/%.3f/%.3f ms", min / 1e6, mean / 1e6,
               max / 1e6, p50 / 1e6, p99 / 1e6);
    }
    (void)putchar('\n');
}

/* ,"KEY":["LINE",...] */
static void put_lines(const char *key, const char *lines)
{
    const char *comma = "";
    printf(",\"%s\":[", key);
    while (*lines) {
        char escaped[1024];
        const size_t length = strcspn(lines, "\n");
        (void)fputs(comma, stdout);
        sc_escape_json(stdout, escaped, sc_escape_line(escaped, sizeof(escaped), lines, length));
        comma = ",";
        lines += length + (lines[length] == '\n');
    }
    (void)putchar(']');
}

void sc_cli_store_option(const struct sc_cli_options *options, char out[SC_CLI_STORE_OPTION_BYTES])
{
    FILE *text = options->pin_store ? fmemopen(out, SC_CLI_STORE_OPTION_BYTES, "w") : NULL;
    *out = '\0';
    if (text) {
        (void)fputs(" --pin-store ", text);
        sc_escape_shell(text, options->pin_store);
        if (fclose(text) != 0) {
            *out = '\0';
        }
    }
}

/* How to check a stored pin that does not match any more, and then how to replace it. */
static const char check_command[] =
    "sc-keygen --show /etc/space-captain/server.crt (on the server)";

static void repair_command(const struct sc_cli_options *options,
                           const struct sc_pin_mismatch *mismatch,
                           char out[SC_CLI_STORE_OPTION_BYTES + 512])
{
    char store[SC_CLI_STORE_OPTION_BYTES];
    sc_cli_store_option(options, store);
    (void)snprintf(out, SC_CLI_STORE_OPTION_BYTES + 512,
                   "sc-client --connect %s%s --tofu=strict --pin %.*s time", options->target, store,
                   (int)strcspn(mismatch->got, "\n"), mismatch->got);
}

static void print_failure_json(const struct sc_err *err, const struct sc_pin_mismatch *mismatch,
                               const char *repair)
{
    char escaped[1024];
    printf("{\"error\":");
    sc_escape_json(stdout, escaped,
                   sc_escape_line(escaped, sizeof(escaped), err->text, strlen(err->text)));
    printf(",\"status\":%d", err->status);
    if (mismatch && *mismatch->got) {
        put_lines("expected", mismatch->expected);
        put_lines("got", mismatch->got);
    }
    if (repair) {
        sc_cli_put_text("check", check_command);
        sc_cli_put_text("repair", repair);
    }
    (void)puts("}");
}

int sc_cli_fail(const struct sc_cli_options *options, const struct sc_err *err,
                const struct sc_pin_mismatch *mismatch)
{
    char command[SC_CLI_STORE_OPTION_BYTES + 512];
    const char *repair = NULL;
    const bool sides = mismatch && *mismatch->got && err->status == SC_EXIT_PIN;
    if (sides && options->tofu != SC_CLI_TOFU_OFF) {
        repair_command(options, mismatch, command);
        repair = command;
    }
    if (options->json && *err->text) {
        print_failure_json(err, mismatch, repair);
        return err->status;
    }
    if (sides) {
        (void)fflush(stdout);
        sc_pin_mismatch_print(stderr, PROGRAM, options->target, mismatch, check_command, repair);
        return err->status;
    }
    return sc_program_fail(PROGRAM, err);
}

int sc_cli_usage(const struct sc_cli_options *options, const char *fmt, ...)
{
    char text[700];
    struct sc_err err;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    (void)sc_err_set(&err, EX_USAGE, "%s" SC_PROGRAM_TRY, text, PROGRAM);
    return sc_cli_fail(options, &err, NULL);
}

void sc_cli_print_pins(const struct sc_cli_options *options, const struct sc_client_info *info)
{
    struct sc_pin_formats as;
    sc_pin_format(info->key_pin, info->fingerprint, &as);
    if (options->json) {
        printf("{\"address\":");
        sc_escape_json(stdout, options->target, strlen(options->target));
        sc_cli_put_text("peer", info->peer);
        sc_cli_put_text("curl", as.curl);
        sc_cli_put_text("rfc7469", as.rfc7469);
        sc_cli_put_text("ssh", as.ssh);
        sc_cli_put_text("dane", as.dane);
        sc_cli_put_text("certificate", as.cert_sha256);
        printf(",\"not_before\":%" PRId64 ",\"not_after\":%" PRId64 "}\n",
               (int64_t)info->not_before, (int64_t)info->not_after);
        return;
    }
    char from[SC_CERTIFICATE_DATE_BYTES], to[SC_CERTIFICATE_DATE_BYTES];
    sc_certificate_date(info->not_before, from);
    sc_certificate_date(info->not_after, to);
    printf("%s has a certificate that is valid from %s to %s\n", options->target, from, to);
    sc_pin_print(stdout, &as);
    printf("Nothing is verified yet: compare the pins with those that 'sc-keygen --show' prints on "
           "the server.\n");
}

static void print_status_json(const struct sc_cli_options *options,
                              const struct sc_client_info *info)
{
    printf("{\"connected\":%s", info ? "true" : "false");
    sc_cli_put_text("address", options->target);
    if (info) {
        sc_cli_put_text("peer", info->peer);
        sc_cli_put_text("tls", info->tls_version);
        sc_cli_put_text("cipher", info->cipher);
        sc_cli_put_text("group", info->group);
        printf(",\"resumed\":%s", info->resumed ? "true" : "false");
        sc_cli_put_text("pin", info->pin);
        printf(",\"not_before\":%" PRId64 ",\"not_after\":%" PRId64, info->not_before,
               info->not_after);
    }
    (void)puts("}");
}

void sc_cli_print_status(const struct sc_cli_options *options, const struct sc_client_info *info)
{
    char validity[SC_CERTIFICATE_VALIDITY_BYTES];
    if (options->json) {
        print_status_json(options, info);
        return;
    }
    if (!info) {
        printf("not connected to %s; the next command connects\n", options->target);
        return;
    }
    sc_certificate_describe_validity(info->not_before, info->not_after, sc_clock_wall().tv_sec,
                                     validity);
    printf("connected to %s (%s)\n", options->target, info->peer);
    printf("%s, cipher %s, group %s, %s session\n", info->tls_version, info->cipher,
           *info->group ? info->group : "none", info->resumed ? "resumed" : "new");
    printf("pin matched: %s\n", info->pin);
    printf("the certificate: %s\n", validity);
}

static void print_connection_text(const struct sc_cli_options *options,
                                  const struct sc_client_info *info, const char *validity)
{
    (void)fprintf(stderr, "%s: connected to %s (%s) in %.3f ms\n", PROGRAM, options->target,
                  info->peer, to_ms(info->connect_ns));
    (void)fprintf(stderr, "%s: %s, cipher %s, group %s, %s handshake in %.3f ms, TLS library %s\n",
                  PROGRAM, info->tls_version, info->cipher, *info->group ? info->group : "none",
                  info->resumed ? "resumed" : "full", to_ms(info->handshake_ns), info->tls_library);
    if (!options->show_pin && !info->first_use) {
        (void)fprintf(stderr, "%s: pin matched: %s\n", PROGRAM, info->pin);
    }
    (void)fprintf(stderr, "%s: the certificate: %s\n", PROGRAM, validity);
}

/* A member of an object on stderr: standard output is for replies. */
static void write_text(const char *before, const char *key, const char *text)
{
    (void)fprintf(stderr, "%s\"%s\":", before, key);
    sc_escape_json(stderr, text, strlen(text));
}

static void print_connection_json(const struct sc_cli_options *options,
                                  const struct sc_client_info *info, const char *validity)
{
    const struct {
        const char *key, *text;
    } members[] = {{"peer", info->peer},
                   {"tls_library", info->tls_library},
                   {"tls_version", info->tls_version},
                   {"cipher", info->cipher},
                   {"group", info->group},
                   {"pin", options->show_pin ? "" : info->pin},
                   {"certificate", validity}};
    write_text("{", "connected", options->target);
    for (size_t i = 0; i < SC_COUNT_OF(members); i++) {
        write_text(",", members[i].key, members[i].text);
    }
    (void)fprintf(stderr, ",\"resumed\":%s,\"connect_seconds\":%.9f,\"handshake_seconds\":%.9f}\n",
                  info->resumed ? "true" : "false", to_ms(info->connect_ns) / 1e3,
                  to_ms(info->handshake_ns) / 1e3);
}

void sc_cli_print_connection(const struct sc_cli_options *options,
                             const struct sc_client_info *info, bool is_first)
{
    char validity[SC_CERTIFICATE_VALIDITY_BYTES];
    sc_certificate_describe_validity(info->not_before, info->not_after, sc_clock_wall().tv_sec,
                                     validity);
    if (options->verbose && options->json) {
        print_connection_json(options, info, validity);
    } else if (options->verbose) {
        print_connection_text(options, info, validity);
    }
    if (info->first_use) {
        sc_program_warn(PROGRAM, "%s is new, and is stored with the pin %s, which was not verified",
                        options->target, info->pin);
    }
    if (info->expired && is_first) {
        sc_program_warn(PROGRAM, "the certificate of %s: %s; it is accepted because it is pinned",
                        options->target, validity);
    }
}

void sc_cli_print_learnt(const struct sc_cli_options *options, const struct sc_err *result)
{
    if (result->status != SC_CLIENT_OK) {
        sc_program_warn(PROGRAM, "%s", result->text);
    } else if (options->json) {
        write_text("{", "learnt", options->target);
        write_text(",", "text", result->text);
        (void)fputs("}\n", stderr);
    } else {
        (void)fprintf(stderr, "%s: %s\n", PROGRAM, result->text);
    }
}

void sc_cli_print_lost(const struct sc_cli_options *options, const struct sc_session_end *end)
{
    char wait[32];
    if (!options->verbose) {
        return;
    }
    if (options->json) {
        write_text("{", "lost", options->target);
        write_text(",", "error", end->err.text);
        (void)fprintf(stderr, ",\"status\":%d,\"wait_seconds\":%.3f,\"unanswered\":%zu}\n",
                      end->err.status, end->wait_ms / 1e3, end->unanswered);
        return;
    }
    sc_format_duration_ms(end->wait_ms, wait);
    (void)fprintf(stderr, "%s: no connection: %s; ", PROGRAM, end->err.text);
    if (end->unanswered > 0) {
        (void)fprintf(stderr, "connecting again in %s, %zu to be sent again\n", wait,
                      end->unanswered);
    } else {
        (void)fprintf(stderr, "the next request connects again\n");
    }
}
