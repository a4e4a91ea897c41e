/*
 * json-get [PATH] <FILE: strict JSON (RFC 8259) or exit status 1 with the place of the fault. With
 * a PATH, "errors.total" or "list.0.name", also prints the value found there (a string without its
 * quotes); not there is exit status 2.
 */
#include "config.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_DEPTH 64

static char text[4 << 20];
static const char *at = text;
static const char *found, *found_end;

static void fault(const char *what)
{
    (void)fprintf(stderr, "json-get: byte %ld: %s\n", (long)(at - text), what);
    exit(1);
}

static void skip_space(void)
{
    at += strspn(at, " \t\r\n");
}

static void take_digits(void)
{
    const size_t count = strspn(at, "0123456789");
    if (count == 0) {
        fault("a digit is missing");
    }
    at += count;
}

static void take_number(void)
{
    at += *at == '-';
    if (*at == '0') {
        at++;
    } else {
        take_digits();
    }
    if (*at == '.') {
        at++;
        take_digits();
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        at += *at == '+' || *at == '-';
        take_digits();
    }
}

static void take_string(void)
{
    if (*at++ != '"') {
        fault("a string is missing");
    }
    for (; *at != '"'; at++) {
        if ((unsigned char)*at < 0x20) {
            fault("a control character, or the end, in a string");
        }
        if (*at == '\\') {
            at++;
            if (*at == 'u' && strspn(at + 1, "0123456789abcdefABCDEF") < 4) {
                fault("bad \\u");
            }
            if (*at == '\0' || !strchr("\"\\/bfnrtu", *at)) {
                fault("bad escape");
            }
        }
    }
    at++;
}

/* The rest of the path behind this key; NULL: the path goes another way. */
static const char *below(const char *path, const char *key, size_t length)
{
    if (!path || *path == '\0' || strncmp(path, key, length) != 0) {
        return NULL;
    }
    return path[length] == '\0' ? path + length : path[length] == '.' ? path + length + 1 : NULL;
}

static void take_value(const char *path, int depth);

static void take_members(const char *path, int depth, bool is_object)
{
    const char close = is_object ? '}' : ']';
    at++;
    skip_space();
    if (*at == close) {
        at++;
        return;
    }
    for (unsigned index = 0;; index++) {
        char number[16];
        const char *key = number, *end = number + snprintf(number, sizeof(number), "%u", index);
        skip_space();
        if (is_object) {
            key = at + 1;
            take_string();
            end = at - 1;
            skip_space();
            if (*at++ != ':') {
                fault("a colon is missing");
            }
        }
        take_value(below(path, key, (size_t)(end - key)), depth + 1);
        if (*at == close) {
            at++;
            return;
        }
        if (*at++ != ',') {
            fault("a comma is missing");
        }
    }
}

/* `path`: what is looked for from here on; empty: this is it. */
static void take_value(const char *path, int depth)
{
    static const char *const words[] = {"true", "false", "null"};
    skip_space();
    const char *start = at;
    if (depth > MOST_DEPTH) {
        fault("too deep");
    }
    if (*at == '{' || *at == '[') {
        take_members(path, depth, *at == '{');
    } else if (*at == '"') {
        take_string();
    } else if (*at == '-' || (*at >= '0' && *at <= '9')) {
        take_number();
    } else {
        size_t i = 0;
        while (i < 3 && strncmp(at, words[i], strlen(words[i])) != 0) {
            i++;
        }
        if (i == 3) {
            fault("a value is missing");
        }
        at += strlen(words[i]);
    }
    if (path && *path == '\0') {
        found = *start == '"' ? start + 1 : start;
        found_end = *start == '"' ? at - 1 : at;
    }
    skip_space();
}

int main(int argc, char **argv)
{
    const size_t size = fread(text, 1, sizeof(text) - 1, stdin);
    if (strlen(text) != size || size == sizeof(text) - 1) {
        fault("a NUL byte, or too large");
    }
    take_value(argc > 1 ? argv[1] : NULL, 0);
    if (*at != '\0') {
        fault("something behind the end");
    }
    if (argc > 1 && !found) {
        return 2;
    }
    if (found) {
        printf("%.*s\n", (int)(found_end - found), found);
    }
    return 0;
}
