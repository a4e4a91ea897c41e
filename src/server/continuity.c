/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/continuity.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/new_file.h"
#include "tls/pin.h"
#include "tls/rotation.h"

#define PATH_BYTES (4096U + 16U) /* too long a path is to fail, not to name another file */
#define MAX_FILE_BYTES 8192U
#define MAX_ANNOUNCED 16U /* the oldest is forgotten */
#define FILE_MODE 0644 /* public keys' pins */
#define DATE_BYTES 32U
#define DAY_S 86400

struct known_key {
    uint8_t pin[SC_PIN_BYTES];
    time_t since;
};

struct sc_continuity {
    char path[PATH_BYTES];
    bool has_current;
    struct known_key current; /* what is served with, and since when */
    struct known_key announced[MAX_ANNOUNCED]; /* as next ones, the newest last */
    size_t announced_count;
    bool write_failed; /* said already */
    bool had_next, no_next_said; /* of what was adopted last */
};

/* --- What is known --- */

static const struct known_key *find_announced(const struct sc_continuity *continuity,
                                              const uint8_t pin[SC_PIN_BYTES])
{
    for (size_t i = continuity->announced_count; i-- > 0;) {
        if (memcmp(continuity->announced[i].pin, pin, SC_PIN_BYTES) == 0) {
            return &continuity->announced[i];
        }
    }
    return NULL;
}

static void add_announced(struct sc_continuity *continuity, const struct known_key *key)
{
    if (continuity->announced_count == MAX_ANNOUNCED) {
        continuity->announced_count--;
        memmove(continuity->announced, continuity->announced + 1,
                continuity->announced_count * sizeof(continuity->announced[0]));
    }
    continuity->announced[continuity->announced_count++] = *key;
}

/*
 * Clients that have followed to an announced key have dropped all others but the next one, so a
 * change to one of those would lock them out.
 */
static void forget_all_but_next(struct sc_continuity *continuity,
                                const struct sc_announcement *keys)
{
    const struct known_key *next =
        keys->next.key ? find_announced(continuity, keys->next.pin) : NULL;
    if (next) {
        continuity->announced[0] = *next;
    }
    continuity->announced_count = next ? 1 : 0;
}

static bool is_current(const struct sc_continuity *continuity, const struct sc_announcement *keys)
{
    return memcmp(continuity->current.pin, keys->current.pin, SC_PIN_BYTES) == 0;
}

/* --- The file --- */

static void find_path(struct sc_continuity *continuity, const char *private_key)
{
    const char *directory = getenv("STATE_DIRECTORY"); /* a list, with colons */
    if (directory && directory[0] == '/') {
        (void)snprintf(continuity->path, PATH_BYTES, "%.*s/announced", (int)strcspn(directory, ":"),
                       directory);
    } else {
        (void)snprintf(continuity->path, PATH_BYTES, "%.*s.announced",
                       (int)sc_rotation_base_length(private_key), private_key);
    }
}

static void format_date(time_t at, char out[DATE_BYTES])
{
    struct tm utc;
    if (!gmtime_r(&at, &utc) || strftime(out, DATE_BYTES, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0) {
        out[0] = '\0';
    }
}

/* "current sha256//... 2026-11-21T01:22:03Z" */
static bool read_line(const char *line, char role[8], struct known_key *key)
{
    char pin[64], date[DATE_BYTES];
    struct tm utc = {0};
    int end = 0;
    if (sscanf(line, "%7s %63s %31s%n", role, pin, date, &end) != 3 || line[end] != '\0' ||
        sc_pin_from_text(pin, key->pin) != 0) {
        return false;
    }
    const char *rest = strptime(date, "%Y-%m-%dT%H:%M:%SZ", &utc);
    key->since = rest && *rest == '\0' ? timegm(&utc) : 0;
    return key->since > 0;
}

static bool parse(struct sc_continuity *continuity, char *text)
{
    char role[8], *next = NULL;
    struct known_key key;
    for (char *line = strtok_r(text, "\n", &next); line; line = strtok_r(NULL, "\n", &next)) {
        if (line[0] == '#') {
            continue;
        }
        if (!read_line(line, role, &key)) {
            return false;
        }
        if (strcmp(role, "current") == 0 && !continuity->has_current) {
            continuity->current = key;
            continuity->has_current = true;
        } else if (strcmp(role, "next") == 0) {
            add_announced(continuity, &key);
        } else {
            return false;
        }
    }
    return continuity->has_current;
}

static void read_file(struct sc_continuity *continuity)
{
    struct stat there;
    struct sc_file file;
    struct sc_err err;
    if (stat(continuity->path, &there) != 0 && errno == ENOENT) {
        return;
    }
    if (sc_file_read(continuity->path, MAX_FILE_BYTES, &file, &err) != 0) {
        sc_log_message(SC_EVENT_KEY_HISTORY, "which keys were announced is not known: %s",
                       err.text);
        return;
    }
    if (memchr(file.bytes, '\0', file.length) || !parse(continuity, file.bytes)) {
        sc_log_message(SC_EVENT_KEY_HISTORY,
                       "which keys were announced is not known: %s is damaged, and is written anew",
                       continuity->path);
        continuity->has_current = false;
        continuity->announced_count = 0;
    }
    sc_file_fini(&file);
}

static size_t put_line(char *out, size_t room, const char *role, const struct known_key *key)
{
    struct sc_pin_formats as;
    char date[DATE_BYTES];
    format_date(key->since, date);
    const int length = snprintf(out, room, "%s %s %s\n", role, sc_pin_text(key->pin, &as), date);
    return length > 0 && (size_t)length < room ? (size_t)length : 0;
}

static void write_file(struct sc_continuity *continuity)
{
    const struct sc_new_file_settings settings = {.mode = FILE_MODE};
    char text[MAX_FILE_BYTES] =
        "# sc-server: the key that it serves with, and those that it has announced as next ones\n"
        "# (key-continuity in sc-server.conf(5)). Without this file it knows of no announcement.\n";
    struct sc_new_file file = {0};
    struct sc_err err;
    size_t used = strlen(text);
    used += put_line(text + used, sizeof(text) - used, "current", &continuity->current);
    for (size_t i = 0; i < continuity->announced_count; i++) {
        used += put_line(text + used, sizeof(text) - used, "next", &continuity->announced[i]);
    }
    const bool written =
        sc_new_file_write(&file, continuity->path, text, used, &settings, &err) == 0 &&
        sc_new_file_put(&file, true, &err) == 0;
    sc_new_file_discard(&file);
    if (!written && !continuity->write_failed) {
        sc_log_message(SC_EVENT_KEY_HISTORY,
                       "after a restart it will not be known which keys were announced: %s",
                       err.text);
    }
    continuity->write_failed = !written;
}

/* --- What changes --- */

int sc_continuity_check(const struct sc_continuity *continuity, const struct sc_config *config,
                        const struct sc_announcement *keys, struct sc_err *err)
{
    struct sc_pin_formats now, fresh;
    if (config->key_continuity != SC_KEY_CONTINUITY_ENFORCE || !continuity->has_current ||
        is_current(continuity, keys) || find_announced(continuity, keys->current.pin)) {
        return 0;
    }
    return sc_err_set(
        err, EX_CONFIG,
        "private-key %s: its key %s was never announced as the next one, and clients "
        "that have pinned %s would be locked out (key-continuity = enforce); announce "
        "it first: next-private-key",
        config->private_key, sc_pin_text(keys->current.pin, &fresh),
        sc_pin_text(continuity->current.pin, &now));
}

static void log_change(const struct sc_continuity *continuity, const struct sc_announcement *keys,
                       const struct known_key *announced, time_t now)
{
    struct sc_log_line line;
    struct sc_pin_formats before, after;
    char since[DATE_BYTES];
    if (!sc_log_begin(&line, announced ? SC_EVENT_KEY_CHANGED : SC_EVENT_KEY_NEVER_ANNOUNCED)) {
        return;
    }
    sc_log_str(&line, "before", sc_pin_text(continuity->current.pin, &before));
    sc_log_str(&line, "after", sc_pin_text(keys->current.pin, &after));
    if (announced) {
        format_date(announced->since, since);
        sc_log_str(&line, "announced_since", since);
        sc_log_u64(&line, "announced_days",
                   now > announced->since ? (uint64_t)(now - announced->since) / DAY_S : 0);
    } else {
        sc_log_str(&line, "hint",
                   "clients that have pinned the key before, and not this one, are locked out: go "
                   "back to it, or give them the new pin; sc-keygen --next and --promote change a "
                   "key without that");
    }
    sc_log_end(&line);
}

static void log_announced(const struct known_key *next)
{
    struct sc_log_line line;
    struct sc_pin_formats as;
    if (sc_log_begin(&line, SC_EVENT_KEY_ANNOUNCED)) {
        sc_log_str(&line, "next", sc_pin_text(next->pin, &as));
        sc_log_end(&line);
    }
}

/* A promotion makes it the current one; otherwise it was removed. */
static void note_next(struct sc_continuity *continuity, bool has_next, bool promoted)
{
    if (!has_next && !continuity->no_next_said) {
        sc_log_message(continuity->had_next && !promoted ? SC_EVENT_NEXT_KEY_GONE
                                                         : SC_EVENT_NO_NEXT_KEY,
                       "no next key is announced: a change of the key would lock out the clients "
                       "that have pinned it; sc-keygen --next makes one");
    }
    continuity->no_next_said = !has_next;
    continuity->had_next = has_next;
}

void sc_continuity_adopt(struct sc_continuity *continuity, const struct sc_config *config,
                         const struct sc_announcement *keys)
{
    const time_t now = sc_clock_wall().tv_sec;
    bool changed = false;
    if (config->key_continuity == SC_KEY_CONTINUITY_OFF) {
        return;
    }
    note_next(continuity, keys->next.key != NULL,
              continuity->has_current && !is_current(continuity, keys));
    if (!continuity->has_current || !is_current(continuity, keys)) {
        const struct known_key *announced = find_announced(continuity, keys->current.pin);
        if (continuity->has_current) {
            log_change(continuity, keys, announced, now);
        }
        if (announced) {
            forget_all_but_next(continuity, keys);
        }
        memcpy(continuity->current.pin, keys->current.pin, SC_PIN_BYTES);
        continuity->current.since = now;
        continuity->has_current = changed = true;
    }
    if (keys->next.key && !find_announced(continuity, keys->next.pin)) {
        struct known_key next = {.since = now};
        memcpy(next.pin, keys->next.pin, SC_PIN_BYTES);
        add_announced(continuity, &next);
        log_announced(&next);
        changed = true;
    }
    if (changed || continuity->write_failed) {
        write_file(continuity);
    }
}

time_t sc_continuity_next_key_since(const struct sc_continuity *continuity,
                                    const struct sc_announcement *keys)
{
    const struct known_key *known =
        keys->next.key ? find_announced(continuity, keys->next.pin) : NULL;
    return known ? known->since : 0;
}

/* --- Creating and freeing --- */

struct sc_continuity *sc_continuity_new(const struct sc_config *config, struct sc_err *err)
{
    struct sc_continuity *continuity = calloc(1, sizeof(*continuity));
    if (!continuity) {
        (void)sc_err_set(err, EX_OSERR, "can't remember keys: out of memory");
        return NULL;
    }
    find_path(continuity, config->private_key);
    if (config->key_continuity != SC_KEY_CONTINUITY_OFF) {
        read_file(continuity);
    }
    return continuity;
}

void sc_continuity_free(struct sc_continuity *continuity)
{
    free(continuity);
}
