/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/user_conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/file.h"
#include "base/user_file.h"
#include "tls/config_file.h"
#include "tls/pin.h"

#define MAX_FILE_BYTES (1U << 20)
#define DEFAULT_SECTION "default"

struct conf {
    char path[4096];
    size_t directory; /* how much of the path is the directory, with its slash */
    struct sc_config_file file;
    const struct sc_opt_table *table;
    struct sc_opt_settings *settings;
};

/* False: there is no directory to look in. */
static bool find_path(struct conf *conf)
{
    if (!sc_user_file_path(SC_USER_CONFIG, "client.conf", conf->path, sizeof(conf->path))) {
        return false;
    }
    conf->directory = strlen(conf->path) - strlen("client.conf");
    return access(conf->path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static int read_file(struct conf *conf, struct sc_err *err)
{
    const struct sc_config_syntax syntax = {.program = conf->table->program, .sections = NULL};
    struct sc_config_errors errors = {0};
    struct sc_file bytes;
    if (sc_file_read(conf->path, MAX_FILE_BYTES, &bytes, err) != 0) {
        return -1;
    }
    int rc = sc_user_file_check(conf->path, &bytes.stat, err);
    if (rc == 0 && sc_config_file_parse(conf->path, bytes.bytes, bytes.length, &syntax, &conf->file,
                                        &errors) != 0) {
        rc = sc_err_set(err, errors.status == EX_CONFIG ? EX_DATAERR : errors.status, "%s",
                        errors.text[0]);
    }
    sc_file_fini(&bytes);
    return rc;
}

/* --- Values --- */

static int complain(const struct conf *conf, const struct sc_config_entry *entry, const char *what,
                    struct sc_err *err)
{
    return sc_err_set(err, EX_DATAERR, "%s:%u: [%s] %s: %s", conf->path, entry->line,
                      entry->section, entry->key, what);
}

static const struct sc_opt *find_option(const struct sc_opt_table *table, const char *key)
{
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].conf != SC_OPT_CONF_NEVER && strcmp(table->rows[i].name, key) == 0) {
            return &table->rows[i];
        }
    }
    return NULL;
}

static int refuse_key(const struct conf *conf, const struct sc_config_entry *entry,
                      struct sc_err *err)
{
    char text[512] = "no such key; expected";
    for (size_t i = 0, used = strlen(text); i < conf->table->count && used < sizeof(text); i++) {
        if (conf->table->rows[i].conf != SC_OPT_CONF_NEVER) {
            used += (size_t)snprintf(text + used, sizeof(text) - used, " %s",
                                     conf->table->rows[i].name);
        }
    }
    return complain(conf, entry, text, err);
}

/* The part of a value that names a file, NULL: there is none. */
static const char *file_in(const struct sc_opt *option, const char *value)
{
    static const char local[] = "unix:";
    switch (option->complete) {
    case SC_OPT_FILES: return value;
    case SC_OPT_PEM_FILES: return sc_pin_path(value);
    case SC_OPT_HOSTS:
    case SC_OPT_SERVERS:
        return strncmp(value, local, strlen(local)) == 0 ? value + strlen(local) : NULL;
    case SC_OPT_NOTHING: break;
    }
    return NULL;
}

static int add_setting(const struct conf *conf, const struct sc_config_entry *entry,
                       const struct sc_opt *option, const char *value, struct sc_err *err)
{
    char where[4300];
    (void)snprintf(where, sizeof(where), "%s:%u: [%s] %s", conf->path, entry->line, entry->section,
                   entry->key);
    return sc_opt_settings_add(conf->settings, option, value, where, err);
}

static int add_value(const struct conf *conf, const struct sc_config_entry *entry,
                     const struct sc_opt *option, const char *value, struct sc_err *err)
{
    char text[8192];
    const char *file = file_in(option, value);
    const int before = file ? (int)(file - value) : 0;
    const bool relative = file && *file && *file != '/';
    const int length = snprintf(text, sizeof(text), "%.*s%.*s%s", before, value,
                                relative ? (int)conf->directory : 0, conf->path, value + before);
    return length >= 0 && (size_t)length < sizeof(text)
               ? add_setting(conf, entry, option, text, err)
               : complain(conf, entry, "the value is too long", err);
}

static int add_list(const struct conf *conf, const struct sc_config_entry *entry,
                    const struct sc_opt *option, struct sc_err *err)
{
    char *rest = entry->value;
    int rc = 0;
    while (rc == 0 && rest) {
        char *item = strsep(&rest, ",");
        item += strspn(item, " \t");
        size_t length = strlen(item);
        while (length > 0 && isblank((unsigned char)item[length - 1])) {
            item[--length] = '\0';
        }
        rc = length > 0 ? add_value(conf, entry, option, item, err)
                        : complain(conf, entry, "an empty item in the list", err);
    }
    return rc;
}

static int add_switch(const struct conf *conf, const struct sc_config_entry *entry,
                      const struct sc_opt *option, struct sc_err *err)
{
    char text[128];
    if (strcmp(entry->value, "yes") == 0) {
        return add_setting(conf, entry, option, NULL, err);
    }
    (void)snprintf(text, sizeof(text), "invalid value \"%.64s\": expected yes or no", entry->value);
    return strcmp(entry->value, "no") == 0 ? 0 : complain(conf, entry, text, err);
}

static int take_entry(const struct conf *conf, const struct sc_config_entry *entry,
                      const struct sc_opt *option, struct sc_err *err)
{
    if (!option->argument) {
        return add_switch(conf, entry, option, err);
    }
    return option->conf == SC_OPT_CONF_LIST ? add_list(conf, entry, option, err)
                                            : add_value(conf, entry, option, entry->value, err);
}

/* --- Sections --- */

static const struct sc_config_entry *find_entry(const struct conf *conf, const char *section,
                                                const char *key)
{
    for (size_t i = 0; section && i < conf->file.count; i++) {
        const struct sc_config_entry *entry = &conf->file.entries[i];
        if (strcmp(entry->section, section) == 0 && strcmp(entry->key, key) == 0) {
            return entry;
        }
    }
    return NULL;
}

/* The section that --connect names, or `connect` of [default]; NULL: neither names one. */
static const char *choose_section(const struct conf *conf)
{
    const struct sc_opt_setting *given = sc_opt_settings_find(conf->settings, "connect");
    const struct sc_config_entry *standard = find_entry(conf, DEFAULT_SECTION, "connect");
    const char *name = given ? given->value : standard ? standard->value : NULL;
    return name && strcmp(name, DEFAULT_SECTION) != 0 ? sc_config_file_section(&conf->file, name)
                                                      : NULL;
}

/* Every key of the whole file, also of sections that are not used now. */
static int check_keys(const struct conf *conf, struct sc_err *err)
{
    for (size_t i = 0; i < conf->file.count; i++) {
        if (!find_option(conf->table, conf->file.entries[i].key)) {
            return refuse_key(conf, &conf->file.entries[i], err);
        }
    }
    return 0;
}

/* The name on the command line stands for the address of its section. */
static int replace_name(const struct conf *conf, const char *section, struct sc_err *err)
{
    struct sc_opt_settings *settings = conf->settings;
    const struct sc_opt_setting *given = sc_opt_settings_find(settings, "connect");
    const struct sc_config_entry *entry = find_entry(conf, section, "connect");
    if (!given || !entry) {
        return 0;
    }
    const size_t index = (size_t)(given - settings->list);
    const struct sc_opt *option = given->option;
    if (take_entry(conf, entry, option, err) != 0) {
        return -1;
    }
    const struct sc_opt_setting name = settings->list[index];
    settings->list[index] = settings->list[settings->count - 1];
    settings->list[settings->count - 1] = name;
    sc_opt_settings_drop(settings);
    return 0;
}

static int complete(struct conf *conf, bool rest, struct sc_err *err)
{
    const char *section = choose_section(conf);
    const size_t given = conf->settings->count;
    int rc = rest ? 0 : check_keys(conf, err);
    if (rc == 0) {
        rc = replace_name(conf, section, err);
    }
    for (size_t i = 0; rc == 0 && i < conf->table->count; i++) {
        const struct sc_opt *option = &conf->table->rows[i];
        const struct sc_opt_settings before = {conf->settings->list, given};
        const struct sc_config_entry *entry = find_entry(conf, section, option->name);
        if (!entry) {
            entry = find_entry(conf, DEFAULT_SECTION, option->name);
        }
        if (entry && option->conf != SC_OPT_CONF_NEVER &&
            !sc_opt_settings_find(&before, option->name)) {
            rc = take_entry(conf, entry, option, err);
        }
    }
    return rc;
}

int sc_user_conf_complete(struct sc_opt_settings *settings, const struct sc_opt_table *table,
                          bool rest, struct sc_err *err)
{
    struct conf conf = {.table = table, .settings = settings};
    if (!find_path(&conf)) {
        return 0;
    }
    int rc = read_file(&conf, err);
    if (rc == 0) {
        rc = complete(&conf, rest, err);
    }
    sc_config_file_fini(&conf.file);
    return rc;
}

int sc_user_conf_blame(const struct sc_opt_setting *setting, struct sc_err *err)
{
    if (!setting->is_argument && err->status == EX_USAGE) {
        err->status = EX_DATAERR;
    }
    return sc_err_prefix(err, "%s", setting->where);
}
