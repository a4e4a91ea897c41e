/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/err.h>

#include "base/escape.h"

/* Appends what fits. OpenSSL's data may hold a file name or what a peer sent: it is escaped. */
static void append(char *out, size_t out_size, const char *text)
{
    const size_t used = strlen(out);
    (void)sc_escape_line(out + used, out_size - used, text, strlen(text));
}

static void append_reason(char *out, size_t out_size, unsigned long code)
{
    char buffer[128];
    const char *reason = ERR_reason_error_string(code);
    if (!reason && ERR_SYSTEM_ERROR(code)) {
        reason = sc_err_errno_text(ERR_GET_REASON(code), buffer, sizeof(buffer));
    }
    if (!reason) {
        (void)snprintf(buffer, sizeof(buffer), "error %lX", code);
        reason = buffer;
    }
    append(out, out_size, reason);
}

unsigned sc_tls_take_errors(char *out, size_t out_size)
{
    unsigned count = 0;
    unsigned long code, previous = 0;
    const char *data;
    int flags;

    if (out_size > 0) {
        out[0] = '\0';
    }
    while ((code = ERR_get_error_all(NULL, NULL, NULL, &data, &flags)) != 0) {
        count++;
        const char *extra = (flags & ERR_TXT_STRING) && data && data[0] ? data : NULL;
        /* Layers of OpenSSL often report the same reason one after the other. */
        if (out_size == 0 || (code == previous && !extra)) {
            continue;
        }
        if (count > 1) {
            append(out, out_size, ", ");
        }
        append_reason(out, out_size, code);
        if (extra) {
            append(out, out_size, " (");
            append(out, out_size, extra);
            append(out, out_size, ")");
        }
        previous = code;
    }
    return count;
}

bool sc_tls_is_out_of_memory(void)
{
    return ERR_GET_REASON(ERR_peek_error()) == ERR_R_MALLOC_FAILURE ||
           ERR_GET_REASON(ERR_peek_last_error()) == ERR_R_MALLOC_FAILURE;
}

void sc_tls_forget_errors(void)
{
    if (ERR_peek_error() != 0) {
        ERR_clear_error();
    }
}

int sc_tls_err(struct sc_err *err, int status, const char *fmt, ...)
{
    char what[384];
    char reasons[sizeof(err->text) - sizeof(what)];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    if (sc_tls_is_out_of_memory()) {
        ERR_clear_error();
        return sc_err_set(err, EX_OSERR, "%s: out of memory", what);
    }
    if (sc_tls_take_errors(reasons, sizeof(reasons)) == 0) {
        (void)snprintf(reasons, sizeof(reasons), "unknown reason");
    }
    return sc_err_set(err, status, "%s: %s", what, reasons);
}
