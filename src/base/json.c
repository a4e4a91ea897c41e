/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/json.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/escape.h"

struct reader {
    const char *text, *at;
    sc_json_on_value *on_value;
    void *arg;
    char path[SC_JSON_PATH_BYTES];
    struct sc_err *err;
};

static int fault(const struct reader *reader, const char *what)
{
    return sc_err_set(reader->err, EX_DATAERR, "not JSON: byte %zu: %s",
                      (size_t)(reader->at - reader->text), what);
}

static void skip_space(struct reader *reader)
{
    reader->at += strspn(reader->at, " \t\r\n");
}

static int take_digits(struct reader *reader)
{
    const size_t count = strspn(reader->at, "0123456789");
    reader->at += count;
    return count > 0 ? 0 : fault(reader, "a digit is missing");
}

static int take_number(struct reader *reader)
{
    reader->at += *reader->at == '-';
    if (*reader->at == '0') {
        reader->at++;
    } else if (take_digits(reader) != 0) {
        return -1;
    }
    if (*reader->at == '.') {
        reader->at++;
        if (take_digits(reader) != 0) {
            return -1;
        }
    }
    if (*reader->at == 'e' || *reader->at == 'E') {
        reader->at++;
        reader->at += *reader->at == '+' || *reader->at == '-';
        return take_digits(reader);
    }
    return 0;
}

static int take_string(struct reader *reader)
{
    if (*reader->at != '"') {
        return fault(reader, "a string is missing");
    }
    for (reader->at++; *reader->at != '"'; reader->at++) {
        if ((unsigned char)*reader->at < 0x20) {
            return fault(reader, "a control character, or the end, in a string");
        }
        if (*reader->at == '\\') {
            reader->at++;
            if (*reader->at == '\0' || !strchr("\"\\/bfnrtu", *reader->at)) {
                return fault(reader, "an escape that there is not");
            }
            if (*reader->at == 'u' && strspn(reader->at + 1, "0123456789abcdefABCDEF") < 4) {
                return fault(reader, "\\u without four digits");
            }
        }
    }
    reader->at++;
    return 0;
}

static int take_word(struct reader *reader)
{
    static const char *const words[] = {"true", "false", "null"};
    for (size_t i = 0; i < SC_COUNT_OF(words); i++) {
        if (strncmp(reader->at, words[i], strlen(words[i])) == 0) {
            reader->at += strlen(words[i]);
            return 0;
        }
    }
    return fault(reader, "a value is missing");
}

/* Adds a key to the path. */
static int enter(struct reader *reader, const char *key, size_t length)
{
    const size_t used = strlen(reader->path);
    if (length + 2 > sizeof(reader->path) - used) {
        return fault(reader, "the path is too long");
    }
    (void)snprintf(reader->path + used, sizeof(reader->path) - used, "%s%.*s", used > 0 ? "." : "",
                   (int)length, key);
    return 0;
}

static int take_value(struct reader *reader, unsigned depth);

/* One member of an object, or element of an array, with its comma. 1: it was the last. */
static int take_member(struct reader *reader, unsigned depth, bool is_object, size_t index)
{
    const size_t outer = strlen(reader->path);
    char number[24];
    const char *key = number;
    size_t length = (size_t)snprintf(number, sizeof(number), "%zu", index);
    skip_space(reader);
    if (is_object) {
        key = reader->at + 1;
        if (take_string(reader) != 0) {
            return -1;
        }
        length = (size_t)(reader->at - 1 - key);
        skip_space(reader);
        if (*reader->at != ':') {
            return fault(reader, "a colon is missing");
        }
        reader->at++;
    }
    if (enter(reader, key, length) != 0 || take_value(reader, depth + 1) != 0) {
        return -1;
    }
    reader->path[outer] = '\0';
    if (*reader->at == ',') {
        reader->at++;
        return 0;
    }
    if (*reader->at != (is_object ? '}' : ']')) {
        return fault(reader, "a comma is missing");
    }
    reader->at++;
    return 1;
}

static int take_members(struct reader *reader, unsigned depth, bool is_object)
{
    int result = 0;
    if (depth >= SC_JSON_MAX_DEPTH) {
        return fault(reader, "nested too deep");
    }
    reader->at++;
    skip_space(reader);
    if (*reader->at == (is_object ? '}' : ']')) {
        reader->at++;
        return 0;
    }
    for (size_t index = 0; result == 0; index++) {
        result = take_member(reader, depth, is_object, index);
    }
    return result < 0 ? -1 : 0;
}

static int take_value(struct reader *reader, unsigned depth)
{
    skip_space(reader);
    const char *start = reader->at;
    const bool is_string = *start == '"';
    const bool is_number = *start == '-' || (*start >= '0' && *start <= '9');
    const bool is_object = *start == '{';
    const int result = is_object || *start == '[' ? take_members(reader, depth, is_object)
                       : is_string                ? take_string(reader)
                       : is_number                ? take_number(reader)
                                                  : take_word(reader);
    if (result != 0) {
        return -1;
    }
    reader->on_value(reader->arg, reader->path, start + is_string,
                     (size_t)(reader->at - start) - (is_string ? 2U : 0U));
    skip_space(reader);
    return 0;
}

int sc_json_read(const char *text, size_t length, sc_json_on_value *on_value, void *arg,
                 struct sc_err *err)
{
    struct reader reader = {.text = text, .at = text, .on_value = on_value, .arg = arg, .err = err};
    if (!sc_escape_is_utf8((const uint8_t *)text, length)) {
        return sc_err_set(err, EX_DATAERR, "not JSON: not UTF-8");
    }
    if (take_value(&reader, 0) != 0) {
        return -1;
    }
    return reader.at == text + length ? 0 : fault(&reader, "text after the end");
}
