/* SPDX-License-Identifier: MIT */
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

/*
 * strerror_r() comes in two kinds: POSIX's fills the buffer and returns a number, glibc's returns
 * the text, in the buffer or not.
 */
static const char *errno_text_posix(int result, const char *buffer)
{
    return result == 0 ? buffer : NULL;
}

static const char *errno_text_glibc(const char *result, const char *buffer)
{
    (void)buffer;
    return result;
}

const char *sc_err_errno_text(int errnum, char *buffer, size_t buffer_size)
{
    const char *text = _Generic(strerror_r(errnum, buffer, buffer_size), int: errno_text_posix, char *: errno_text_glibc)(
        strerror_r(errnum, buffer, buffer_size), buffer);
    if (!text) {
        (void)snprintf(buffer, buffer_size, "error %d", errnum);
        text = buffer;
    }
    return text;
}

int sc_err_set_errno(struct sc_err *err, int status, int errnum, const char *fmt, ...)
{
    if (err) {
        char what[sizeof(err->text)];
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(what, sizeof(what), fmt, args);
        va_end(args);
        char reason[128];
        sc_err_set(err, status, "%.*s: %s", (int)(sizeof(err->text) - sizeof(reason)), what,
                   sc_err_errno_text(errnum, reason, sizeof(reason)));
    }
    return -1;
}

int sc_err_prefix(struct sc_err *err, const char *fmt, ...)
{
    if (err) {
        char prefix[sizeof(err->text)];
        char text[sizeof(err->text)];
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(prefix, sizeof(prefix), fmt, args);
        va_end(args);
        memcpy(text, err->text, sizeof(text));
        (void)snprintf(err->text, sizeof(err->text), "%.*s: %.*s", (int)sizeof(err->text) / 2,
                       prefix, (int)sizeof(err->text) / 2 - 4, text);
    }
    return -1;
}
