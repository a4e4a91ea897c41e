/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/escape.h"

#include <string.h>

#include "base/compiler.h"

/* The length of the UTF-8 sequence at the start, 0: there is none. *code is its character. */
static size_t take_utf8(const uint8_t *bytes, size_t length, uint32_t *code)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = bytes[0];
    const size_t size = first < 0x80   ? 1
                        : first < 0xc2 ? 0
                        : first < 0xe0 ? 2
                        : first < 0xf0 ? 3
                        : first < 0xf5 ? 4
                                       : 0;
    if (size == 0 || size > length) {
        return 0;
    }
    uint32_t value = size == 1 ? first : first & (0x7fU >> size);
    for (size_t i = 1; i < size; i++) {
        if ((bytes[i] & 0xc0) != 0x80) {
            return 0;
        }
        value = value << 6 | (bytes[i] & 0x3fU);
    }
    if (value < smallest[size] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff)) {
        return 0;
    }
    *code = value;
    return size;
}

bool sc_escape_is_utf8(const uint8_t *bytes, size_t length)
{
    uint32_t code;
    while (length > 0) {
        const size_t size = take_utf8(bytes, length, &code);
        if (size == 0) {
            return false;
        }
        bytes += size;
        length -= size;
    }
    return true;
}

/*
 * Characters that change how others are shown, or are not seen at all: a line with them reads as
 * something that it is not (Unicode Technical Report 36).
 */
static bool is_unsafe(uint32_t code)
{
    static const uint32_t ranges[][2] = {
        {0x0000, 0x001f}, /* C0 */
        {0x007f, 0x009f}, /* DEL, C1 */
        {0x00ad, 0x00ad}, /* soft hyphen */
        {0x034f, 0x034f}, /* combining grapheme joiner */
        {0x061c, 0x061c}, /* Arabic letter mark */
        {0x115f, 0x1160}, /* Hangul fillers */
        {0x17b4, 0x17b5}, /* Khmer inherent vowels */
        {0x180e, 0x180e}, /* Mongolian vowel separator */
        {0x200b, 0x200f}, /* zero width space and joiners, left-to-right and right-to-left marks */
        {0x2028, 0x202e}, /* line and paragraph separators, bidirectional embeddings, overrides */
        {0x2060, 0x206f}, /* word joiner, invisible operators, bidirectional isolates */
        {0x3164, 0x3164}, /* Hangul filler */
        {0xfeff, 0xfeff}, /* zero width no-break space */
        {0xffa0, 0xffa0}, /* halfwidth Hangul filler */
        {0xfff0, 0xfffb}, /* unassigned, interlinear annotation */
        {0xe0000, 0xe007f}, /* tags */
    };
    for (size_t i = 0; i < SC_COUNT_OF(ranges) && code >= ranges[i][0]; i++) {
        if (code <= ranges[i][1]) {
            return true;
        }
    }
    return false;
}

/* The next character: how many bytes it has, and whether they can be printed as they are. */
static size_t take_char(const uint8_t *bytes, size_t length, bool lines, bool *safe)
{
    uint32_t code = 0;
    const size_t size = take_utf8(bytes, length, &code);
    *safe = size > 0 && (!is_unsafe(code) || (lines && (code == '\n' || code == '\t')));
    return size > 0 ? size : 1;
}

void sc_escape_terminal(FILE *out, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    while (length > 0) {
        bool safe;
        const size_t size = take_char(at, length, true, &safe);
        for (size_t i = 0; i < size; i++) {
            (void)fprintf(out, safe ? "%c" : "\\x%02x", at[i]);
        }
        at += size;
        length -= size;
    }
}

size_t sc_escape_line(char *out, size_t out_size, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    size_t used = 0;
    while (length > 0) {
        bool safe;
        const size_t size = take_char(at, length, false, &safe);
        if (used + (safe ? size : 4 * size) >= out_size) {
            break;
        }
        for (size_t i = 0; i < size; i++) {
            used += (size_t)snprintf(out + used, out_size - used, safe ? "%c" : "\\x%02x", at[i]);
        }
        at += size;
        length -= size;
    }
    if (out_size > 0) {
        out[used] = '\0';
    }
    return used;
}

void sc_escape_json(FILE *out, const void *text, size_t length)
{
    const uint8_t *at = text;
    (void)putc('"', out);
    while (length > 0) {
        uint32_t code = 0;
        size_t size = take_utf8(at, length, &code);
        if (code == '"' || code == '\\') {
            (void)putc('\\', out);
        }
        if (size == 0) {
            (void)fprintf(out, "\\\\x%02x", at[0]);
            size = 1;
        } else if (!is_unsafe(code)) {
            (void)fwrite(at, 1, size, out);
        } else if (code < 0x10000) {
            (void)fprintf(out, "\\u%04x", (unsigned)code);
        } else {
            (void)fprintf(out, "\\u%04x\\u%04x", 0xd800U + ((unsigned)(code - 0x10000) >> 10),
                          0xdc00U + ((unsigned)code & 0x3ffU));
        }
        at += size;
        length -= size;
    }
    (void)putc('"', out);
}

void sc_escape_base64(FILE *out, const void *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *at = bytes;
    for (size_t i = 0; i < length; i += 3) {
        const size_t left = length - i;
        const uint32_t bits = (uint32_t)at[i] << 16 | (left > 1 ? (uint32_t)at[i + 1] << 8 : 0) |
                              (left > 2 ? at[i + 2] : 0);
        (void)putc(digits[bits >> 18], out);
        (void)putc(digits[bits >> 12 & 63], out);
        (void)putc(left > 1 ? digits[bits >> 6 & 63] : '=', out);
        (void)putc(left > 2 ? digits[bits & 63] : '=', out);
    }
}

void sc_escape_shell(FILE *out, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=:,./@%";
    if (*text && text[strspn(text, plain)] == '\0') {
        (void)fputs(text, out);
        return;
    }
    (void)putc('\'', out);
    for (; *text; text++) {
        if (*text == '\'') {
            (void)fputs("'\\''", out);
        } else {
            (void)putc(*text, out);
        }
    }
    (void)putc('\'', out);
}
