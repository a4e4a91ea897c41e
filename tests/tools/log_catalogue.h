/* SPDX-License-Identifier: MIT */
/*
 * Log lines against the catalogue (base/log_events.def): is there such an event, at this level,
 * with these fields?
 */
#ifndef SC_TESTS_LOG_CATALOGUE_H
#define SC_TESTS_LOG_CATALOGUE_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/json.h"
#include "base/log.h"

static const struct catalogued {
    const char *level, *name, *fields;
} catalogue[] = {
#define SC_EVENT(enumerator, level, event, fields, meaning, remedy) {#level, event, fields},
#include "base/log_events.def"
};

static inline bool is_one_of(const char *words, const char *word, size_t length)
{
    for (const char *p = words; *p; p += strspn(p, " ")) {
        const size_t one = strcspn(p, " ");
        if (one == length && memcmp(p, word, length) == 0) {
            return true;
        }
        p += one;
    }
    return false;
}

/* NULL: there is none. */
static inline const struct catalogued *find_event(const char *level, size_t level_length,
                                                  const char *name, size_t name_length)
{
    for (size_t i = 0; i < SC_EVENT_COUNT; i++) {
        if (strlen(catalogue[i].level) == level_length &&
            strncasecmp(catalogue[i].level, level, level_length) == 0 &&
            strlen(catalogue[i].name) == name_length &&
            memcmp(catalogue[i].name, name, name_length) == 0) {
            return &catalogue[i];
        }
    }
    return NULL;
}

static inline bool has_field(const struct catalogued *event, const char *key, size_t length)
{
    return strcmp(event->fields, "*") == 0 || is_one_of(event->fields, key, length) ||
           is_one_of("suppressed", key, length);
}

/* What is wrong, in a static buffer. */
static inline const char *fault(const char *what, const char *word, size_t length)
{
    static char text[256];
    (void)snprintf(text, sizeof(text), "%s \"%.*s\" is not in base/log_events.def", what,
                   (int)(length < 100 ? length : 100), word);
    return text;
}

/* The keys of a line of text, from the space before the first. */
static inline const char *fault_in_keys(const struct catalogued *event, const char *p)
{
    while (*p == ' ') {
        const size_t length = strcspn(++p, "= ");
        if (p[length] != '=' || !has_field(event, p, length)) {
            return fault("field", p, length);
        }
        p += length + 1;
        if (*p != '"') {
            p += strcspn(p, " ");
            continue;
        }
        for (p++; *p && *p != '"'; p++) {
            p += *p == '\\' && p[1];
        }
        p += *p == '"';
    }
    return NULL;
}

struct json_line {
    char level[16];
    const struct catalogued *event;
    const char *fault;
};

static inline void check_json_key(void *arg, const char *path, const char *value, size_t length)
{
    struct json_line *line = arg;
    if (line->fault || strcmp(path, "") == 0 || strcmp(path, "time") == 0) {
        return;
    }
    if (strcmp(path, "level") == 0) {
        (void)snprintf(line->level, sizeof(line->level), "%.*s", (int)length, value);
    } else if (strcmp(path, "event") == 0) {
        line->event = find_event(line->level, strlen(line->level), value, length);
        line->fault = line->event ? NULL : fault("event", value, length);
    } else if (!line->event || !has_field(line->event, path, strlen(path))) {
        line->fault = fault("field", path, strlen(path));
    }
}

/*
 * What is wrong with a line without its newline; NULL: nothing, or it is not a line of the log (of
 * the formats text and json).
 */
static inline const char *fault_in_line(const char *text)
{
    static const char levels[] = "error warning info debug";
    if (strncmp(text, "{\"time\":\"", 9) == 0 && strstr(text, "\"event\":")) {
        struct json_line line = {.level = ""};
        struct sc_err err;
        return sc_json_read(text, strlen(text), check_json_key, &line, &err) == 0
                   ? line.fault
                   : "a line in the format json is not JSON";
    }
    const char *level = text + strlen("2026-11-21T01:22:03.123456Z ");
    if (strlen(text) < 40 || text[10] != 'T' || level[-2] != 'Z' || level[-1] != ' ' ||
        !isdigit((unsigned char)text[0]) || !is_one_of(levels, level, strcspn(level, " "))) {
        return NULL;
    }
    const size_t level_length = strcspn(level, " ");
    const char *name = level + level_length + (level[level_length] == ' ');
    const size_t name_length = strcspn(name, " ");
    const struct catalogued *event = find_event(level, level_length, name, name_length);
    return event ? fault_in_keys(event, name + name_length) : fault("event", name, name_length);
}

#endif
