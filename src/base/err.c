#include "config.h"

#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int sc_err_set(struct sc_err *err, int status, const char *fmt, ...)
{
    if (err) {
        va_list args;
        va_start(args, fmt);
        err->status = status;
        (void)vsnprintf(err->text, sizeof(err->text), fmt, args);
        va_end(args);
    }
    return -1;
}

int sc_err_set_errno(struct sc_err *err, int status, int errnum, const char *fmt, ...)
{
    if (err) {
        char    what[sizeof(err->text)];
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(what, sizeof(what), fmt, args);
        va_end(args);
        char reason[128];
        if (strerror_r(errnum, reason, sizeof(reason)) != 0) {
            (void)snprintf(reason, sizeof(reason), "error %d", errnum);
        }
        sc_err_set(err, status, "%.*s: %s", (int)(sizeof(err->text) - sizeof(reason)), what, reason);
    }
    return -1;
}

int sc_err_prefix(struct sc_err *err, const char *fmt, ...)
{
    if (err) {
        char    prefix[sizeof(err->text)];
        char    text[sizeof(err->text)];
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(prefix, sizeof(prefix), fmt, args);
        va_end(args);
        memcpy(text, err->text, sizeof(text));
        (void)snprintf(err->text, sizeof(err->text), "%.*s: %.*s", (int)sizeof(err->text) / 2, prefix, (int)sizeof(err->text) / 2 - 4,
                       text);
    }
    return -1;
}
