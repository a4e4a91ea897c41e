/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/trace.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/compiler.h"
#include "tls/watch.h"

static const struct {
    unsigned version;
    const char *name;
} versions[] = {
    {TLS1_3_VERSION, "TLS 1.3"}, {TLS1_2_VERSION, "TLS 1.2"}, {TLS1_1_VERSION, "TLS 1.1"},
    {TLS1_VERSION, "TLS 1.0"},   {SSL3_VERSION, "SSL 3.0"},
};

struct sc_tls_trace *sc_tls_trace_new(void)
{
    struct sc_tls_trace *trace = calloc(1, sizeof(*trace));
    if (trace) {
        trace->started_ns = sc_clock_ns();
    }
    return trace;
}

/* --- The versions --- */

/* The list (RFC 8446 section 4.2.1): a byte of length, and two for each version. */
static void note_list(struct sc_tls_trace *trace, const unsigned char *list, size_t length)
{
    for (size_t i = 1; i + 1 < length; i += 2) {
        const unsigned version = (unsigned)list[i] << 8 | list[i + 1];
        for (size_t j = 0; j < SC_COUNT_OF(versions); j++) {
            if (versions[j].version == version) {
                trace->offered = (uint8_t)(trace->offered | 1U << j);
            }
        }
    }
}

static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    const struct sc_tls_watch *watch = SSL_get_app_data(ssl);
    const unsigned char *list;
    size_t length;
    (void)alert;
    (void)arg;
    if (watch && watch->trace) {
        watch->trace->newest = (uint16_t)SSL_client_hello_get0_legacy_version(ssl);
        if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_versions, &list, &length) == 1) {
            note_list(watch->trace, list, length);
        }
    }
    return SSL_CLIENT_HELLO_SUCCESS;
}

void sc_tls_trace_install(SSL_CTX *context)
{
    SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
}

/* Appends as much as there is room for. */
static void append(char out[SC_TLS_TRACE_TEXT_BYTES], const char *before, const char *text)
{
    const size_t used = strlen(out);
    (void)snprintf(out + used, SC_TLS_TRACE_TEXT_BYTES - used, "%s%s", used > 0 ? before : "",
                   text);
}

void sc_tls_trace_format_versions(const struct sc_tls_trace *trace,
                                  char out[SC_TLS_TRACE_TEXT_BYTES])
{
    out[0] = '\0';
    for (size_t i = 0; i < SC_COUNT_OF(versions); i++) {
        if (trace->offered & 1U << i) {
            append(out, ", ", versions[i].name);
        } else if (trace->offered == 0 && versions[i].version == trace->newest) {
            append(out, "", "up to ");
            append(out, "", versions[i].name);
        }
    }
}

/* --- The states --- */

static struct sc_tls_state *next_step(struct sc_tls_trace *trace)
{
    struct sc_tls_state *step =
        &trace->steps[trace->count < SC_TLS_TRACE_STEPS ? trace->count++ : SC_TLS_TRACE_STEPS - 1];
    step->microseconds = (uint32_t)((sc_clock_ns() - trace->started_ns) / 1000U);
    return step;
}

/* "SSLv3/TLS read client hello", "TLSv1.3 write encrypted extensions": without the first word. */
static const char *state_of(const SSL *ssl)
{
    const char *state = SSL_state_string_long(ssl);
    const char *blank = strchr(state, ' ');
    if (SSL_get_state(ssl) == TLS_ST_BEFORE) {
        return "start";
    }
    const bool protocol = strncmp(state, "SSLv3", 5) == 0 || strncmp(state, "TLSv1", 5) == 0;
    return protocol && blank ? blank + 1 : state;
}

const struct sc_tls_state *sc_tls_trace_add(struct sc_tls_trace *trace, const SSL *ssl)
{
    struct sc_tls_state *step = next_step(trace);
    step->state = state_of(ssl);
    step->received = (uint32_t)BIO_number_read(SSL_get_rbio(ssl));
    step->sent = (uint32_t)BIO_number_written(SSL_get_wbio(ssl));
    return step;
}

void sc_tls_trace_end(struct sc_tls_trace *trace, uint64_t received, uint64_t sent)
{
    struct sc_tls_state *step = next_step(trace);
    step->state = "end";
    step->received = (uint32_t)received;
    step->sent = (uint32_t)sent;
}

/* What is the same as in the state before is left out, "write" and "read" too. */
static void format_state(const struct sc_tls_state *state, const struct sc_tls_state *before,
                         uint32_t *said_us, char *out, size_t out_size)
{
    const char *words = state->state;
    char time[24] = "", received[24] = "", sent[24] = "";
    if (!before || state->microseconds >= *said_us + 100U) {
        (void)snprintf(time, sizeof(time), "%u.%u ms ", state->microseconds / 1000U,
                       state->microseconds / 100U % 10U);
        *said_us = state->microseconds;
    }
    if (!before || state->received != before->received) {
        (void)snprintf(received, sizeof(received), "in %u ", state->received);
    }
    if (!before || state->sent != before->sent) {
        (void)snprintf(sent, sizeof(sent), "out %u ", state->sent);
    }
    const size_t verb = strcspn(words, " ");
    if (before && words[verb] && strncmp(before->state, words, verb + 1) == 0) {
        words += verb + 1;
    }
    (void)snprintf(out, out_size, "%s%s%s%s", time, received, sent, words);
}

void sc_tls_trace_format(const struct sc_tls_trace *trace, char out[SC_TLS_TRACE_TEXT_BYTES])
{
    const size_t for_the_last = 80;
    uint32_t said_us = 0;
    out[0] = '\0';
    for (size_t i = 0; i < trace->count; i++) {
        const bool last = i + 1U == trace->count;
        char text[128];
        format_state(&trace->steps[i], i > 0 ? &trace->steps[i - 1] : NULL, &said_us, text,
                     sizeof(text));
        if (last || strlen(out) + strlen(text) + for_the_last < SC_TLS_TRACE_TEXT_BYTES) {
            append(out, ", ", text);
        }
    }
}
