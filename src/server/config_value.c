/* SPDX-License-Identifier: MIT */
/* The table, and values of options: text into fields and back, by kind. */
#include "config.h"

#include "server/config_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

const struct sc_config_option sc_config_options[] = {
#define SC_OPTION(kind, section, key, field, initial, min, max, effect, argument, group, help) \
    {SC_CONFIG_OPTION_##kind, \
     SC_CONFIG_OPTION_##effect, \
     #section, \
     key, \
     offsetof(struct sc_config, field), \
     initial, \
     min, \
     max, \
     argument, \
     group, \
     help},
#define SC_PROGRAM_OPTION(key, letter, argument, action, help)
#include "server/options.def"
};
const size_t sc_config_option_count = SC_COUNT_OF(sc_config_options);

const struct sc_cmdline_option sc_cmdline_options[] = {
#define SC_OPTION(kind, section, key, field, initial, min, max, effect, argument, group, help)
#define SC_PROGRAM_OPTION(key, letter, argument, action, help) \
    {key, letter, argument, SC_CMDLINE_##action, help},
#include "server/options.def"
};
const size_t sc_cmdline_option_count = SC_COUNT_OF(sc_cmdline_options);

static const char *const client_auth_names[] = {"none", "optional", "require", NULL};
static const char *const key_continuity_names[] = {"warn", "enforce", "off", NULL};

const char *const *sc_config_option_words(const struct sc_config_option *option)
{
    switch (option->kind) {
    case SC_CONFIG_OPTION_LOG_LEVEL: return sc_log_level_names;
    case SC_CONFIG_OPTION_LOG_FORMAT: return sc_log_format_names;
    case SC_CONFIG_OPTION_CLIENT_AUTH: return client_auth_names;
    case SC_CONFIG_OPTION_KEY_CONTINUITY: return key_continuity_names;
    default: return NULL;
    }
}

static const void *field_of(const struct sc_config *config, const struct sc_config_option *option)
{
    return (const char *)config + option->offset;
}

static int out_of_memory(struct sc_err *err)
{
    return sc_err_set(err, EX_OSERR, "out of memory");
}

/* The fields are enums, read and written as the integers that they are. */
_Static_assert(sizeof(enum sc_log_level) == sizeof(int) &&
                   sizeof(enum sc_log_format) == sizeof(int) &&
                   sizeof(enum sc_peer_auth) == sizeof(int) &&
                   sizeof(enum sc_key_continuity) == sizeof(int),
               "one setter for all words");

static int set_word(int *field, const char *const *words, const char *text, struct sc_err *err)
{
    char expected[128] = "";
    size_t used = 0;
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            *field = i;
            return 0;
        }
        const char *between = i == 0 ? "" : words[i + 1] ? ", " : " or ";
        used +=
            (size_t)snprintf(expected + used, sizeof(expected) - used, "%s%s", between, words[i]);
    }
    return sc_err_set(err, EX_USAGE, "invalid value \"%.64s\": expected %s", text, expected);
}

static int check_text(const struct sc_config_option *option, const char *text, size_t length,
                      struct sc_err *err)
{
    for (size_t i = 0; i < length; i++) {
        if (iscntrl((unsigned char)text[i])) {
            return sc_err_set(err, EX_USAGE, "invalid value: byte %zu is a control character",
                              i + 1);
        }
    }
    if (length > option->max) {
        return sc_err_set(err, EX_USAGE, "invalid value: %zu bytes: expected up to %u", length,
                          (unsigned)option->max);
    }
    return 0;
}

static int set_string(char **field, const struct sc_config_option *option, const char *text,
                      struct sc_err *err)
{
    const size_t length = strlen(text);
    if (length < option->min) {
        return sc_err_set(err, EX_USAGE, "invalid value \"\": expected %s", option->argument);
    }
    if (check_text(option, text, length, err) != 0) {
        return -1;
    }
    char *copy = NULL;
    if (length > 0 && !(copy = strdup(text))) {
        return out_of_memory(err);
    }
    free(*field);
    *field = copy;
    return 0;
}

/* Returns the items with room for one more, to be stored; NULL and they stay. */
static void *grow(void *items, size_t count, size_t size, uint64_t max, const char *what,
                  struct sc_err *err)
{
    if (count >= max) {
        (void)sc_err_set(err, EX_USAGE, "too many %s: expected up to %u", what, (unsigned)max);
        return NULL;
    }
    void *more = realloc(items, (count + 1) * size);
    if (!more) {
        (void)out_of_memory(err);
    }
    return more;
}

static int add_string(void *list, const struct sc_config_option *option, const char *item,
                      struct sc_err *err)
{
    struct sc_config_strings *strings = list;
    if (check_text(option, item, strlen(item), err) != 0) {
        return -1;
    }
    char **items = realloc(strings->items, (strings->count + 1) * sizeof(*items));
    if (items) {
        strings->items = items;
        items[strings->count] = strdup(item);
    }
    if (!items || !items[strings->count]) {
        return out_of_memory(err);
    }
    strings->count++;
    return 0;
}

static int add_address(void *list, const struct sc_config_option *option, const char *item,
                       struct sc_err *err)
{
    struct sc_config_addresses *addresses = list;
    struct sc_address address, *items;
    if (sc_parse_address(item, NULL, &address, err) != 0 ||
        !(items = grow(addresses->items, addresses->count, sizeof(*items), option->max, "addresses",
                       err))) {
        return -1;
    }
    addresses->items = items;
    items[addresses->count++] = address;
    return 0;
}

static int add_network(void *list, const struct sc_config_option *option, const char *item,
                       struct sc_err *err)
{
    struct sc_config_networks *networks = list;
    struct sc_network network, *items;
    if (sc_network_parse(item, &network, err) != 0 ||
        !(items = grow(networks->items, networks->count, sizeof(*items), option->max, "networks",
                       err))) {
        return -1;
    }
    networks->items = items;
    items[networks->count++] = network;
    return 0;
}

/*
 * Calls `add` for each comma separated item of a list, without the blanks around it. An empty item
 * is an error, an empty list may be one.
 */
static int set_list(void *list, const struct sc_config_option *option, const char *text,
                    int (*add)(void *list, const struct sc_config_option *option, const char *item,
                               struct sc_err *err),
                    struct sc_err *err)
{
    char *copy = strdup(text);
    if (!copy) {
        return out_of_memory(err);
    }
    int result = 0;
    const bool empty = text[strspn(text, " \t")] == '\0';
    char *rest = copy;
    if (empty) {
        result = option->min > 0 ? sc_err_set(err, EX_USAGE, "invalid value \"\": expected %s",
                                              option->argument)
                                 : 0;
        rest = NULL;
    }
    while (result == 0 && rest) {
        char *item = strsep(&rest, ",");
        item += strspn(item, " \t");
        size_t length = strlen(item);
        while (length > 0 && isblank((unsigned char)item[length - 1])) {
            item[--length] = '\0';
        }
        result = length > 0
                     ? add(list, option, item, err)
                     : sc_err_set(err, EX_USAGE,
                                  "invalid value \"%.128s\": an item of the list is empty", text);
    }
    free(copy);
    return result;
}

static int set_number(uint32_t *field, const struct sc_config_option *option, const char *text,
                      struct sc_err *err)
{
    uint64_t value;
    if (sc_parse_u64(text, option->min, option->max, &value, err) != 0) {
        return -1;
    }
    *field = (uint32_t)value;
    return 0;
}

static int set_size(size_t *field, const struct sc_config_option *option, const char *text,
                    struct sc_err *err)
{
    uint64_t value;
    if (sc_parse_size(text, option->min, option->max, &value, err) != 0) {
        return -1;
    }
    *field = (size_t)value;
    return 0;
}

int sc_config_option_set(struct sc_config *config, const struct sc_config_option *option,
                         const char *text, bool append, struct sc_err *err)
{
    void *field = (char *)config + option->offset;
    switch (option->kind) {
    case SC_CONFIG_OPTION_DURATION:
        return sc_parse_duration_ms(text, option->min, option->max, field, err);
    case SC_CONFIG_OPTION_SIZE: return set_size(field, option, text, err);
    case SC_CONFIG_OPTION_NUMBER: return set_number(field, option, text, err);
    case SC_CONFIG_OPTION_STRING: return set_string(field, option, text, err);
    case SC_CONFIG_OPTION_STRINGS:
    case SC_CONFIG_OPTION_ADDRESSES:
    case SC_CONFIG_OPTION_NETWORKS:
        if (!append) {
            sc_config_option_clear(config, option);
        }
        return set_list(field, option, text,
                        option->kind == SC_CONFIG_OPTION_STRINGS     ? add_string
                        : option->kind == SC_CONFIG_OPTION_ADDRESSES ? add_address
                                                                     : add_network,
                        err);
    case SC_CONFIG_OPTION_LOG_LEVEL:
    case SC_CONFIG_OPTION_LOG_FORMAT:
    case SC_CONFIG_OPTION_CLIENT_AUTH:
    case SC_CONFIG_OPTION_KEY_CONTINUITY:
        return set_word(field, sc_config_option_words(option), text, err);
    }
    return sc_err_set(err, EX_SOFTWARE, "option of unknown kind %d", (int)option->kind);
}

static void write_strings(const struct sc_config_strings *strings, FILE *out)
{
    for (size_t i = 0; i < strings->count; i++) {
        (void)fprintf(out, "%s%s", i > 0 ? ", " : "", strings->items[i]);
    }
}

static void write_addresses(const struct sc_config_addresses *addresses, FILE *out)
{
    for (size_t i = 0; i < addresses->count; i++) {
        char text[300];
        sc_format_address(&addresses->items[i], text, sizeof(text));
        (void)fprintf(out, "%s%s", i > 0 ? ", " : "", text);
    }
}

static void write_networks(const struct sc_config_networks *networks, FILE *out)
{
    for (size_t i = 0; i < networks->count; i++) {
        char text[SC_NETWORK_TEXT_BYTES];
        sc_network_format(&networks->items[i], text);
        (void)fprintf(out, "%s%s", i > 0 ? ", " : "", text);
    }
}

void sc_config_option_write(const struct sc_config *config, const struct sc_config_option *option,
                            FILE *out)
{
    const void *field = field_of(config, option);
    const char *string = NULL;
    char text[32];
    switch (option->kind) {
    case SC_CONFIG_OPTION_DURATION:
        sc_format_duration_ms(*(const uint64_t *)field, text);
        string = text;
        break;
    case SC_CONFIG_OPTION_SIZE:
        sc_format_size(*(const size_t *)field, text);
        string = text;
        break;
    case SC_CONFIG_OPTION_NUMBER:
        (void)snprintf(text, sizeof(text), "%u", (unsigned)*(const uint32_t *)field);
        string = text;
        break;
    case SC_CONFIG_OPTION_STRING: string = *(char *const *)field; break;
    case SC_CONFIG_OPTION_STRINGS: write_strings(field, out); break;
    case SC_CONFIG_OPTION_ADDRESSES: write_addresses(field, out); break;
    case SC_CONFIG_OPTION_NETWORKS: write_networks(field, out); break;
    case SC_CONFIG_OPTION_LOG_LEVEL:
    case SC_CONFIG_OPTION_LOG_FORMAT:
    case SC_CONFIG_OPTION_CLIENT_AUTH:
    case SC_CONFIG_OPTION_KEY_CONTINUITY:
        string = sc_config_option_words(option)[*(const int *)field];
        break;
    }
    (void)fputs(string ? string : "", out);
}

void sc_config_option_clear(struct sc_config *config, const struct sc_config_option *option)
{
    void *field = (char *)config + option->offset;
    if (option->kind == SC_CONFIG_OPTION_STRING) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (option->kind == SC_CONFIG_OPTION_STRINGS) {
        struct sc_config_strings *strings = field;
        for (size_t i = 0; i < strings->count; i++) {
            free(strings->items[i]);
        }
        free(strings->items);
        *strings = (struct sc_config_strings){0};
    } else if (option->kind == SC_CONFIG_OPTION_ADDRESSES) {
        struct sc_config_addresses *addresses = field;
        free(addresses->items);
        *addresses = (struct sc_config_addresses){0};
    } else if (option->kind == SC_CONFIG_OPTION_NETWORKS) {
        struct sc_config_networks *networks = field;
        free(networks->items);
        *networks = (struct sc_config_networks){0};
    }
}
