/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/conn_log.h"

#include <openssl/err.h>

static const enum sc_event events[] = {
#define SC_CONN_EVENT_ROW(kind, event) SC_EVENT_##event,
    SC_CONN_EVENTS(SC_CONN_EVENT_ROW)
#undef SC_CONN_EVENT_ROW
};

/* The only way to a line: none escapes its limit. */
static bool begin(struct sc_log_line *line, struct sc_conn_log *log, enum sc_conn_event event,
                  const struct sc_conn_origin *origin)
{
    const uint32_t per_second = sc_log_level_of(events[event]) == SC_LOG_DEBUG
                                    ? SC_CONN_LOG_DEBUG_PER_SECOND
                                    : SC_CONN_LOG_PER_SECOND;
    if (!sc_log_begin_limited(line, &log->rates[event], per_second, events[event])) {
        return false;
    }
    char peer[SC_ADDR_TEXT_BYTES];
    sc_addr_format_packed(&origin->peer, peer);
    sc_log_u64(line, "conn", origin->id);
    sc_log_str(line, "peer", peer);
    if (origin->client) {
        sc_log_str(line, "client", origin->client);
    }
    return true;
}

void sc_conn_log_event(struct sc_conn_log *log, enum sc_conn_event event,
                       const struct sc_conn_origin *origin, const char *message)
{
    struct sc_log_line line;
    if (begin(&line, log, event, origin)) {
        sc_log_str(&line, "message", message);
        sc_log_end(&line);
    }
}

void sc_conn_log_state(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                       const struct sc_tls_state *step)
{
    struct sc_log_line line;
    if (begin(&line, log, SC_CONN_STATE, origin)) {
        sc_log_str(&line, "state", step->state);
        sc_log_u64(&line, "microseconds", step->microseconds);
        sc_log_u64(&line, "received", step->received);
        sc_log_u64(&line, "sent", step->sent);
        sc_log_end(&line);
    }
}

void sc_conn_log_connected(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                           const struct sc_tls_info *info)
{
    struct sc_log_line line;
    if (begin(&line, log, origin->client ? SC_CONN_KNOWN_CLIENT : SC_CONN_CONNECTED, origin)) {
        sc_log_str(&line, "tls", info->version);
        sc_log_str(&line, "cipher", info->cipher);
        sc_log_str(&line, "group", info->group);
        sc_log_str(&line, "resumed", info->resumed ? "yes" : "no");
        sc_log_end(&line);
    }
}

/* The rows of one event, see SC_CONN_EVENTS. */
static enum sc_conn_event failure_event(enum sc_tls_reason reason)
{
    switch (reason) {
    case SC_TLS_REASON_PROBE: return SC_CONN_LEFT_SILENTLY;
    case SC_TLS_REASON_BAD_CERTIFICATE: return SC_CONN_LOCKED_OUT;
    default: return SC_CONN_HANDSHAKE_FAILED;
    }
}

/* OpenSSL's reason and the socket's error, when there is one. */
static void add_details(struct sc_log_line *line, const struct sc_tlsbev_close *close)
{
    const char *reason =
        close && close->error_code != 0 ? ERR_reason_error_string(close->error_code) : NULL;
    if (reason) {
        sc_log_str(line, "detail", reason);
    }
    if (close && close->error_number != 0) {
        char text[128];
        sc_log_str(line, "error", sc_err_errno_text(close->error_number, text, sizeof(text)));
    }
}

/* The versions that were offered and the states, when they were kept. */
static void add_trace(struct sc_log_line *line, const struct sc_tls_trace *trace)
{
    char text[SC_TLS_TRACE_TEXT_BYTES];
    if (!trace) {
        return;
    }
    sc_tls_trace_format_versions(trace, text);
    if (text[0]) {
        sc_log_str(line, "versions_offered", text);
    }
    sc_tls_trace_format(trace, text);
    sc_log_str(line, "trace", text);
}

static enum sc_tls_end explain_end(const struct sc_tlsbev_close *close)
{
    if (!close) {
        return SC_TLS_END_TIMEOUT;
    }
    switch (close->end) {
    case SC_TLSBEV_EOF:
    case SC_TLSBEV_CLOSE_NOTIFY: return SC_TLS_END_EOF;
    case SC_TLSBEV_RESET: return SC_TLS_END_RESET;
    case SC_TLSBEV_TLS:
    case SC_TLSBEV_KEY_UPDATES:
    case SC_TLSBEV_RENEGOTIATION: break;
    }
    return SC_TLS_END_ERROR;
}

enum sc_tls_reason sc_conn_log_handshake_failed(struct sc_conn_log *log,
                                                const struct sc_conn_origin *origin,
                                                const struct sc_tls_watch *watch,
                                                const struct sc_tlsbev_close *close)
{
    const struct sc_tls_failure failure =
        sc_tls_explain(watch, explain_end(close), close ? close->error_code : 0, true);
    struct sc_log_line line;
    if (!begin(&line, log, failure_event(failure.kind), origin)) {
        return failure.kind;
    }
    sc_log_str(&line, "stage", sc_tls_stage(watch));
    sc_log_str(&line, "reason", failure.reason);
    sc_log_str(&line, "hint", failure.hint);
    if (watch->refused_pin) {
        sc_log_str(&line, "client_pin", watch->refused_pin);
    }
    if (watch->alert_received != SC_TLS_NO_ALERT) {
        sc_log_str(&line, "alert_received", sc_tls_alert_name(watch->alert_received));
    }
    if (watch->alert_sent != SC_TLS_NO_ALERT) {
        sc_log_str(&line, "alert_sent", sc_tls_alert_name(watch->alert_sent));
    }
    add_details(&line, close);
    add_trace(&line, watch->trace);
    sc_log_end(&line);
    return failure.kind;
}

void sc_conn_log_client_refused(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                                const struct sc_tls_watch *watch, const char *message)
{
    struct sc_log_line line;
    if (begin(&line, log, SC_CONN_CLIENT_REFUSED, origin)) {
        sc_log_str(&line, "message", message);
        sc_log_str(&line, "stage", sc_tls_stage(watch));
        sc_log_str(&line, "reason", sc_tls_reason_name(SC_TLS_REASON_CLIENT_CERTIFICATE));
        add_trace(&line, watch->trace);
        sc_log_end(&line);
    }
}

void sc_conn_log_closed(struct sc_conn_log *log, const struct sc_conn_origin *origin,
                        const struct sc_tlsbev_close *close)
{
    static const char *const words[] = {"close_notify",     "eof",          "reset", "tls_error",
                                        "key_update_flood", "renegotiation"};
    const bool hostile = close->end >= SC_TLSBEV_TLS;
    struct sc_log_line line;
    if (begin(&line, log, hostile ? SC_CONN_PEER_MISBEHAVED : SC_CONN_PEER_CLOSED, origin)) {
        sc_log_str(&line, "how", words[close->end]);
        add_details(&line, close);
        sc_log_end(&line);
    }
}
