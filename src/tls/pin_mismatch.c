/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/pin_mismatch.h"

#include <string.h>

#include "base/escape.h"
#include "tls/pin_set.h"

#define MORE_BYTES 40 /* kept for "and N more" */

/* What is said of a pin after it: the file that it is from, or why a chain does not lead to it. */
static const char *remark_on(const struct sc_pin *pin, const char *form, const char *reason)
{
    const size_t length = strlen(form);
    if (pin->kind != SC_PIN_CA) {
        return pin->path;
    }
    return strncmp(reason, form, length) == 0 && strncmp(reason + length, ": ", 2) == 0
               ? reason + length + 2
               : NULL;
}

static void list_expected(const struct sc_pin_set *set, const char *reason, char *out,
                          size_t out_size)
{
    size_t used = 0;
    for (size_t i = 0; i < set->count; i++) {
        const struct sc_pin *pin = &set->pins[i];
        char form[128], line[512];
        sc_pin_format_one(pin, form, sizeof(form));
        const char *remark = remark_on(pin, form, reason);
        const int length = snprintf(line, sizeof(line), "%s%s%s%.300s%s", i > 0 ? "\n" : "", form,
                                    remark ? " (" : "", remark ? remark : "", remark ? ")" : "");
        for (char *p = line + (i > 0); *p; p++) {
            *p = *p == '\n' ? '?' : *p; /* in the name of a file */
        }
        if (used + (size_t)length + MORE_BYTES > out_size) {
            (void)snprintf(out + used, out_size - used, "\nand %zu more", set->count - i);
            return;
        }
        memcpy(out + used, line, (size_t)length + 1);
        used += (size_t)length;
    }
}

void sc_pin_mismatch_find(const struct sc_pin_set *set, const X509 *leaf, const char *reason,
                          struct sc_pin_mismatch *out)
{
    uint8_t key[SC_PIN_BYTES], fingerprint[SC_PIN_BYTES];
    struct sc_pin_formats got;
    *out = (struct sc_pin_mismatch){{0}, {0}};
    if (leaf && sc_pin_of_certificate(leaf, key, NULL) == 0 &&
        sc_pin_fingerprint(leaf, fingerprint, NULL) == 0) {
        sc_pin_format(key, fingerprint, &got);
        list_expected(set, reason, out->expected, sizeof(out->expected));
        (void)snprintf(out->got, sizeof(out->got), "%s\n%s", got.curl, got.cert_sha256);
    }
}

/* Each line after a word of its own. */
static void print_lines(FILE *out, const char *first, const char *next, const char *lines)
{
    while (*lines) {
        char escaped[8192];
        const size_t length = strcspn(lines, "\n");
        (void)sc_escape_line(escaped, sizeof(escaped), lines, length);
        (void)fprintf(out, "  %-10s%s\n", first, escaped);
        first = next;
        lines += length + (lines[length] == '\n');
    }
}

void sc_pin_mismatch_print(FILE *out, const char *program, const char *target,
                           const struct sc_pin_mismatch *mismatch, const char *check,
                           const char *repair)
{
    char escaped[512];
    (void)sc_escape_line(escaped, sizeof(escaped), target, strlen(target));
    (void)fprintf(out, "%s: %s is not the server that was pinned, nothing was sent:\n", program,
                  escaped);
    print_lines(out, "expected", "      or", mismatch->expected);
    print_lines(out, "got", "", mismatch->got);
    if (repair) {
        print_lines(out, "to check", "", check);
        print_lines(out, "to repair", "", repair);
    }
    (void)fprintf(out,
                  "Trust the new key only if the server's owner confirms it: then %s in place of "
                  "the old one.\n",
                  repair ? "the last command stores it" : "give its pin");
}
