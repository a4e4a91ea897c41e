/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/config_errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <sysexits.h>

int sc_config_error(struct sc_config_errors *errors, int status, const char *fmt, ...)
{
    const size_t index =
        errors->count < SC_CONFIG_MAX_ERRORS ? errors->count : SC_CONFIG_MAX_ERRORS;
    char *text = errors->text[index];
    if (errors->status == 0) {
        errors->status = status;
    }
    errors->count = index + 1;
    if (index == SC_CONFIG_MAX_ERRORS) {
        errors->dropped++;
        (void)snprintf(text, sizeof(errors->text[0]), "errors beyond the first %u: %zu more",
                       SC_CONFIG_MAX_ERRORS, errors->dropped);
        return -1;
    }
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(errors->text[0]), fmt, args);
    va_end(args);
    for (; *text; text++) {
        *text = (unsigned char)*text < ' ' || *text == 0x7f ? '?' : *text;
    }
    return -1;
}

int sc_config_out_of_memory(struct sc_config_errors *errors)
{
    return sc_config_error(errors, EX_OSERR, "out of memory");
}
