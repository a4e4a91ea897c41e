#include "config.h"

#include "base/escape.h"

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

void sc_escape_terminal(FILE *out, const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        uint32_t code = 0;
        const size_t size = take_utf8(bytes, length, &code);
        const bool safe =
            code == '\n' || code == '\t' || (code >= 0x20 && code < 0x7f) || code >= 0xa0;
        if (size > 0 && safe) {
            (void)fwrite(bytes, 1, size, out);
        }
        const size_t taken = size > 0 ? size : 1;
        for (size_t i = 0; i < taken && !(size > 0 && safe); i++) {
            (void)fprintf(out, "\\x%02x", bytes[i]);
        }
        bytes += taken;
        length -= taken;
    }
}

void sc_escape_json(FILE *out, const uint8_t *text, size_t length)
{
    (void)putc('"', out);
    while (length > 0) {
        uint32_t code = 0;
        const size_t size = take_utf8(text, length, &code);
        if (code == '"' || code == '\\') {
            (void)putc('\\', out);
        }
        if (code < 0x20 || (code >= 0x7f && code < 0xa0)) {
            (void)fprintf(out, "\\u%04x", (unsigned)code);
        } else {
            (void)fwrite(text, 1, size, out);
        }
        text += size;
        length -= size;
    }
    (void)putc('"', out);
}

void sc_escape_base64(FILE *out, const uint8_t *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < length; i += 3) {
        const size_t left = length - i;
        const uint32_t bits = (uint32_t)bytes[i] << 16 |
                              (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                              (left > 2 ? bytes[i + 2] : 0);
        (void)putc(digits[bits >> 18], out);
        (void)putc(digits[bits >> 12 & 63], out);
        (void)putc(left > 1 ? digits[bits >> 6 & 63] : '=', out);
        (void)putc(left > 2 ? digits[bits & 63] : '=', out);
    }
}
