/* SPDX-License-Identifier: MIT */
/* Lists of pins with names, for the clients of a server. */
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tls/pin_set.h"

#define BLANKS " \t"
#define MAX_PINS 4096U /* each handshake looks at all of them */

static int refuse(const char *path, unsigned number, const char *why, struct sc_err *err)
{
    return sc_err_set(err, EX_DATAERR,
                      "%s:%u: %s: expected a pin and a name, as in sha256//BASE64 laptop-1", path,
                      number, why);
}

/* The last word of a line, and the NUL that ends what is before it. NULL: one word alone. */
static char *cut_name(char *line)
{
    char *name = line + strlen(line);
    while (name > line && !strchr(BLANKS, name[-1])) {
        name--;
    }
    char *end = name;
    while (end > line && strchr(BLANKS, end[-1])) {
        end--;
    }
    *end = '\0';
    return end > line ? name : NULL;
}

/* What needs no quotes and no escapes in a log. */
static bool is_name(const char *text)
{
    static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "._@+-";
    const size_t length = strlen(text);
    return length <= SC_PIN_NAME_MAX && strspn(text, good) == length;
}

static const char *name_of(const struct sc_pin_set *set, const struct sc_pin *wanted)
{
    for (size_t i = 0; i < set->count; i++) {
        if (memcmp(set->pins[i].digest, wanted->digest, SC_PIN_BYTES) == 0) {
            return set->pins[i].name;
        }
    }
    return NULL;
}

/* One pin of a line, which it takes over. */
static int add_pin(struct sc_pin_set *set, struct sc_pin *pin, const char *name, const char *path,
                   unsigned number, struct sc_err *err)
{
    const char *there = name_of(set, pin);
    if (there && strcmp(there, name) != 0) {
        sc_pin_fini(pin);
        return sc_err_set(err, EX_DATAERR, "%s:%u: this pin is listed already, for %s", path,
                          number, there);
    }
    if (set->count == MAX_PINS) {
        sc_pin_fini(pin);
        return sc_err_set(err, EX_DATAERR,
                          "%s:%u: more than %u pins: let a CA issue the certificates of so many "
                          "clients, and use ca:FILE",
                          path, number, MAX_PINS);
    }
    pin->name = strdup(name);
    if (!pin->name) {
        sc_pin_fini(pin);
        return sc_err_set(err, EX_OSERR, "out of memory");
    }
    return sc_pin_set_append(set, pin, err);
}

static int add_line(struct sc_pin_set *set, char *line, const char *path, unsigned number,
                    struct sc_err *err)
{
    struct sc_pin_set added = {0};
    struct sc_err why = {0};
    line += strspn(line, BLANKS);
    for (char *end = line + strlen(line); end > line && strchr(BLANKS "\r", end[-1]);) {
        *--end = '\0';
    }
    if (*line == '\0' || *line == '#') {
        return 0;
    }
    const char *name = cut_name(line);
    if (!name) {
        return refuse(path, number, "one word alone", err);
    }
    if (!is_name(name)) {
        return refuse(path, number, "a name has up to 64 letters, digits and ._@+-", err);
    }
    if (!sc_pin_is_text(line)) { /* perhaps the file is another one: what it holds is not shown */
        return refuse(path, number, "what is before the name is not a pin", err);
    }
    int rc = sc_pin_set_add_text(&added, line, &why);
    if (rc != 0 && why.status == EX_USAGE) {
        rc = sc_err_set(err, EX_DATAERR, "%s:%u: %s", path, number, why.text);
    } else if (rc != 0 && err) {
        *err = why;
    }
    for (size_t i = 0; i < added.count; i++) {
        if (rc == 0) {
            rc = add_pin(set, &added.pins[i], name, path, number, err);
        } else {
            sc_pin_fini(&added.pins[i]);
        }
    }
    free(added.pins);
    return rc;
}

int sc_pin_set_add_list(struct sc_pin_set *set, const char *path, char *text, size_t length,
                        struct sc_err *err)
{
    unsigned number = 0;
    if (memchr(text, '\0', length)) {
        return sc_err_set(err, EX_DATAERR,
                          "%s holds neither certificates in PEM form nor pins with names", path);
    }
    for (char *line = text; line;) {
        char *next = strchr(line, '\n');
        if (next) {
            *next++ = '\0';
        }
        if (add_line(set, line, path, ++number, err) != 0) {
            return -1;
        }
        line = next;
    }
    return set->count > 0
               ? 0
               : sc_err_set(err, EX_DATAERR,
                            "%s holds neither certificates in PEM form nor pins with names", path);
}
