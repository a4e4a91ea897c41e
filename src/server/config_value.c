/* Values of options: text into fields and back, by kind. */
#include "config.h"

#include "server/config_table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static const char *const client_auth_names[] = {"none", "optional", "require", NULL};

static void *field_of(struct sc_config *config, const struct sc_option *option)
{
    return (char *)config + option->offset;
}

static const void *const_field_of(const struct sc_config *config, const struct sc_option *option)
{
    return (const char *)config + option->offset;
}

static bool is_list(const struct sc_option *option)
{
    return option->kind == SC_OPTION_STRINGS || option->kind == SC_OPTION_ADDRESSES;
}

static int out_of_memory(struct sc_err *err)
{
    return sc_err_set(err, EX_OSERR, "out of memory");
}

/* The index of a word; -1, with the words in the error, when it is none. */
static int find_word(const char *const *words, const char *text, struct sc_err *err)
{
    char allowed[128] = "";
    size_t used = 0;
    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            return i;
        }
        const char *between = i == 0 ? "" : words[i + 1] ? ", " : " and ";
        used += (size_t)snprintf(allowed + used, sizeof(allowed) - used, "%s%s", between, words[i]);
    }
    return sc_err_set(err, EX_USAGE, "\"%.64s\" is not allowed: %s are", text, allowed);
}

static int check_text(const struct sc_option *option, const char *text, size_t length,
                      struct sc_err *err)
{
    for (size_t i = 0; i < length; i++) {
        if (iscntrl((unsigned char)text[i])) {
            return sc_err_set(err, EX_USAGE, "a control character (byte %zu) is not allowed",
                              i + 1);
        }
    }
    if (length > option->max) {
        return sc_err_set(err, EX_USAGE, "%zu bytes are too long: up to %u are allowed", length,
                          (unsigned)option->max);
    }
    return 0;
}

static int set_string(char **field, const struct sc_option *option, const char *text,
                      struct sc_err *err)
{
    const size_t length = strlen(text);
    if (length < option->min) {
        return sc_err_set(err, EX_USAGE, "a value is needed: %s", option->argument);
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

static int add_string(void *list, const struct sc_option *option, const char *item,
                      struct sc_err *err)
{
    struct sc_config_strings *strings = list;
    if (check_text(option, item, strlen(item), err) != 0) {
        return -1;
    }
    char **items = realloc(strings->items, (strings->count + 1) * sizeof(*items));
    if (!items) {
        return out_of_memory(err);
    }
    strings->items = items;
    items[strings->count] = strdup(item);
    if (!items[strings->count]) {
        return out_of_memory(err);
    }
    strings->count++;
    return 0;
}

static int add_address(void *list, const struct sc_option *option, const char *item,
                       struct sc_err *err)
{
    struct sc_config_addresses *addresses = list;
    struct sc_address address;
    if (sc_parse_address(item, NULL, &address, err) != 0) {
        return -1;
    }
    if (addresses->count >= option->max) {
        return sc_err_set(err, EX_USAGE, "too many addresses: up to %u are allowed",
                          (unsigned)option->max);
    }
    struct sc_address *items = realloc(addresses->items, (addresses->count + 1) * sizeof(*items));
    if (!items) {
        return out_of_memory(err);
    }
    addresses->items = items;
    items[addresses->count++] = address;
    return 0;
}

/*
 * Hands the comma separated items of a list on, without the blanks around them. An empty item is
 * an error, an empty list may be one.
 */
static int set_list(void *list, const struct sc_option *option, const char *text,
                    int (*add)(void *list, const struct sc_option *option, const char *item,
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
        result = option->min > 0
                     ? sc_err_set(err, EX_USAGE, "a value is needed: %s", option->argument)
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
        result = length > 0 ? add(list, option, item, err)
                            : sc_err_set(err, EX_USAGE, "\"%.128s\" has an empty item", text);
    }
    free(copy);
    return result;
}

static int set_number(uint32_t *field, const struct sc_option *option, const char *text,
                      struct sc_err *err)
{
    uint64_t value;
    if (sc_parse_u64(text, option->min, option->max, &value, err) != 0) {
        return -1;
    }
    *field = (uint32_t)value;
    return 0;
}

static int set_size(size_t *field, const struct sc_option *option, const char *text,
                    struct sc_err *err)
{
    uint64_t value;
    if (sc_parse_size(text, option->min, option->max, &value, err) != 0) {
        return -1;
    }
    *field = (size_t)value;
    return 0;
}

int sc_option_set(struct sc_config *config, const struct sc_option *option, const char *text,
                  bool append, struct sc_err *err)
{
    void *field = field_of(config, option);
    int word;
    if (is_list(option) && !append) {
        sc_option_clear(config, option);
    }
    switch (option->kind) {
    case SC_OPTION_DURATION:
        return sc_parse_duration_ms(text, option->min, option->max, field, err);
    case SC_OPTION_SIZE: return set_size(field, option, text, err);
    case SC_OPTION_NUMBER: return set_number(field, option, text, err);
    case SC_OPTION_STRING: return set_string(field, option, text, err);
    case SC_OPTION_STRINGS: return set_list(field, option, text, add_string, err);
    case SC_OPTION_ADDRESSES: return set_list(field, option, text, add_address, err);
    case SC_OPTION_LOG_LEVEL:
        if ((word = find_word(sc_log_level_names, text, err)) >= 0) {
            *(enum sc_log_level *)field = (enum sc_log_level)word;
        }
        return word < 0 ? -1 : 0;
    case SC_OPTION_LOG_FORMAT:
        if ((word = find_word(sc_log_format_names, text, err)) >= 0) {
            *(enum sc_log_format *)field = (enum sc_log_format)word;
        }
        return word < 0 ? -1 : 0;
    case SC_OPTION_CLIENT_AUTH:
        if ((word = find_word(client_auth_names, text, err)) >= 0) {
            *(enum sc_client_auth *)field = (enum sc_client_auth)word;
        }
        return word < 0 ? -1 : 0;
    }
    return sc_err_set(err, EX_SOFTWARE, "option of unknown kind %d", (int)option->kind);
}

char *sc_config_join(const void *items, size_t count, sc_config_write_item *write_item)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        return NULL;
    }
    for (size_t i = 0; i < count; i++) {
        (void)fputs(i > 0 ? ", " : "", out);
        write_item(out, items, i);
    }
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void write_string(FILE *out, const void *items, size_t i)
{
    (void)fputs(((char *const *)items)[i], out);
}

static void write_address(FILE *out, const void *items, size_t i)
{
    char text[300];
    sc_format_address(&((const struct sc_address *)items)[i], text, sizeof(text));
    (void)fputs(text, out);
}

char *sc_option_get(const struct sc_config *config, const struct sc_option *option)
{
    const void *field = const_field_of(config, option);
    char text[32];
    switch (option->kind) {
    case SC_OPTION_DURATION:
        sc_format_duration_ms(*(const uint64_t *)field, text);
        return strdup(text);
    case SC_OPTION_SIZE: sc_format_size(*(const size_t *)field, text); return strdup(text);
    case SC_OPTION_NUMBER:
        (void)snprintf(text, sizeof(text), "%u", (unsigned)*(const uint32_t *)field);
        return strdup(text);
    case SC_OPTION_STRING: {
        const char *string = *(char *const *)field;
        return strdup(string ? string : "");
    }
    case SC_OPTION_STRINGS: {
        const struct sc_config_strings *strings = field;
        return sc_config_join(strings->items, strings->count, write_string);
    }
    case SC_OPTION_ADDRESSES: {
        const struct sc_config_addresses *addresses = field;
        return sc_config_join(addresses->items, addresses->count, write_address);
    }
    case SC_OPTION_LOG_LEVEL: return strdup(sc_log_level_names[*(const enum sc_log_level *)field]);
    case SC_OPTION_LOG_FORMAT:
        return strdup(sc_log_format_names[*(const enum sc_log_format *)field]);
    case SC_OPTION_CLIENT_AUTH:
        return strdup(client_auth_names[*(const enum sc_client_auth *)field]);
    }
    return NULL;
}

void sc_option_clear(struct sc_config *config, const struct sc_option *option)
{
    void *field = field_of(config, option);
    if (option->kind == SC_OPTION_STRING) {
        free(*(char **)field);
        *(char **)field = NULL;
    } else if (option->kind == SC_OPTION_STRINGS) {
        struct sc_config_strings *strings = field;
        for (size_t i = 0; i < strings->count; i++) {
            free(strings->items[i]);
        }
        free(strings->items);
        *strings = (struct sc_config_strings){0};
    } else if (option->kind == SC_OPTION_ADDRESSES) {
        struct sc_config_addresses *addresses = field;
        free(addresses->items);
        *addresses = (struct sc_config_addresses){0};
    }
}
