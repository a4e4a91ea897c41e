/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "proto/frame.h"

#include <string.h>

size_t sc_frame_put_error(uint8_t to[SC_FRAME_ERROR_MAX_BYTES], enum sc_error_code code,
                          uint32_t retry_after_ms, const char *text)
{
    const size_t room = SC_FRAME_ERROR_MAX_BYTES - SC_FRAME_HEADER_BYTES - 8U;
    size_t length = strlen(text);
    if (length > room) {
        length = room;
    }
    sc_frame_put_header(to, SC_FRAME_ERROR, (uint32_t)(8U + length));
    sc_put_u32(to + 8, (uint32_t)code);
    sc_put_u32(to + 12, retry_after_ms);
    memcpy(to + 16, text, length);
    return SC_FRAME_HEADER_BYTES + 8U + length;
}

int sc_frame_get_error(const uint8_t *body, size_t length, struct sc_frame_error *out)
{
    if (length < 8U) {
        return -1;
    }
    out->code = sc_get_u32(body);
    out->retry_after_ms = sc_get_u32(body + 4);
    out->text = (const char *)body + 8;
    out->text_length = length - 8U;
    return 0;
}

const char *sc_error_code_name(uint32_t code)
{
    switch (code) {
    case SC_ERROR_UNKNOWN_TYPE: return "unknown type";
    case SC_ERROR_BODY_TOO_LARGE: return "body too large";
    case SC_ERROR_GOING_AWAY: return "going away";
    case SC_ERROR_OVER_LIMIT: return "over a limit";
    case SC_ERROR_INTERNAL: return "internal error";
    default: return "error";
    }
}
