#include "config.h"

#include "server/config_table.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

const struct sc_option sc_options[] = {
#define SC_OPTION(kind, section, key, field, initial, min, max, effect, argument, group, help) \
    {SC_OPTION_##kind, \
     SC_OPTION_##effect, \
     #section, \
     key, \
     offsetof(struct sc_config, field), \
     initial, \
     min, \
     max, \
     argument, \
     group, \
     help},
#define SC_PROGRAM_OPTION(key, argument, help)
#include "server/options.def"
};
const size_t sc_option_count = SC_COUNT_OF(sc_options);

const struct sc_program_option sc_program_options[] = {
#define SC_OPTION(kind, section, key, field, initial, min, max, effect, argument, group, help)
#define SC_PROGRAM_OPTION(key, argument, help) {key, argument, help},
#include "server/options.def"
};
const size_t sc_program_option_count = SC_COUNT_OF(sc_program_options);

const struct sc_option *sc_option_find(const char *key)
{
    for (size_t i = 0; i < sc_option_count; i++) {
        if (strcmp(sc_options[i].key, key) == 0) {
            return &sc_options[i];
        }
    }
    return NULL;
}

#define KEY_BYTES 64U

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
    const unsigned low = a < b ? a : b;
    return low < c ? low : c;
}

/* Insertions, deletions and replacements from one to the other (Levenshtein). */
static unsigned distance(const char *a, const char *b)
{
    const size_t length = strlen(b);
    unsigned row[KEY_BYTES];
    for (unsigned j = 0; j <= length; j++) {
        row[j] = j;
    }
    for (unsigned i = 1; a[i - 1]; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= length; j++) {
            const unsigned above = row[j];
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1]));
            diagonal = above;
        }
    }
    return row[length];
}

static void keep_nearest(const char *key, const char *candidate, unsigned *best,
                         const char **nearest)
{
    const unsigned found = distance(key, candidate);
    if (found < *best) {
        *best = found;
        *nearest = candidate;
    }
}

const char *sc_option_nearest(const char *section, const char *key)
{
    const size_t length = strlen(key);
    if (length >= KEY_BYTES) {
        return NULL;
    }
    const char *nearest = NULL;
    unsigned best = 2 + (unsigned)length / 4;
    for (size_t i = 0; i < sc_option_count; i++) {
        if (!section || strcmp(sc_options[i].section, section) == 0) {
            keep_nearest(key, sc_options[i].key, &best, &nearest);
        }
    }
    for (size_t i = 0; !section && i < sc_program_option_count; i++) {
        keep_nearest(key, sc_program_options[i].key, &best, &nearest);
    }
    return nearest;
}

static void copy_printable(char *out, size_t out_size, const char *text)
{
    size_t i = 0;
    for (; text[i] && i + 1 < out_size; i++) {
        const unsigned char byte = (unsigned char)text[i];
        out[i] = byte < ' ' || byte == 0x7f ? '?' : text[i];
    }
    out[i] = '\0';
}

void sc_config_error(struct sc_config_errors *errors, int status, const char *fmt, ...)
{
    if (errors->status == 0) {
        errors->status = status;
    }
    if (errors->count >= SC_CONFIG_MAX_ERRORS) {
        errors->dropped++;
        errors->count = SC_CONFIG_MAX_ERRORS + 1;
        (void)snprintf(errors->text[SC_CONFIG_MAX_ERRORS], sizeof(errors->text[0]),
                       "errors beyond the first %u: %zu more", SC_CONFIG_MAX_ERRORS,
                       errors->dropped);
        return;
    }
    char text[sizeof(errors->text[0])];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    copy_printable(errors->text[errors->count++], sizeof(errors->text[0]), text);
}
