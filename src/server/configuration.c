/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/configuration.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "server/config_table.h"

static const char default_path[] = SC_SYSCONFDIR "/space-captain/sc-server.conf";

static uint32_t usable_processors(void)
{
    cpu_set_t set;
    int count = 0;
    if (sched_getaffinity(0, sizeof(set), &set) == 0) {
        count = CPU_COUNT(&set);
    }
    if (count <= 0) {
        count = (int)sysconf(_SC_NPROCESSORS_ONLN); /* more processors than the set has room for */
    }
    return count > 0 ? (uint32_t)count : 1;
}

static bool set_defaults(struct sc_config *config, struct sc_config_errors *errors)
{
    struct sc_err err;
    for (size_t i = 0; i < sc_config_option_count; i++) {
        if (sc_config_option_set(config, &sc_config_options[i], sc_config_options[i].initial, false,
                                 &err) != 0) {
            (void)sc_config_error(errors, err.status, "default of %s: %s", sc_config_options[i].key,
                                  err.text);
            return false;
        }
    }
    return true;
}

static const struct sc_config_option *find_option(const char *key)
{
    for (size_t i = 0; i < sc_config_option_count; i++) {
        if (strcmp(sc_config_options[i].key, key) == 0) {
            return &sc_config_options[i];
        }
    }
    return NULL;
}

static void report_unknown(const char *path, const struct sc_config_entry *entry,
                           struct sc_config_errors *errors)
{
    const struct sc_config_option *elsewhere = find_option(entry->key);
    const char *nearest = sc_config_option_nearest(entry->section, entry->key);
    (void)sc_config_error(errors, EX_CONFIG, "%s:%u: [%s] %s: %s%s%s", path, entry->line,
                          entry->section, entry->key,
                          elsewhere ? "this key belongs in [" : "unknown key: ",
                          elsewhere ? elsewhere->section
                          : nearest ? nearest
                                    : "see sc-server.conf(5) for those that are allowed",
                          elsewhere ? "]"
                          : nearest ? " is the nearest"
                                    : "");
}

/*
 * Every other key of [tls] is a command of OpenSSL's, unless it has a '-', which those do not have.
 */
static bool is_tls_command(const struct sc_config_entry *entry)
{
    return strcmp(entry->section, "tls") == 0 && !strchr(entry->key, '-') &&
           !find_option(entry->key);
}

static void add_tls_command(struct sc_config *config, const char *path,
                            const struct sc_config_entry *entry, struct sc_config_errors *errors)
{
    struct sc_err err;
    const size_t size = (config->tls_command_count + 1) * sizeof(*config->tls_commands);
    struct sc_tls_command *commands = realloc(config->tls_commands, size);
    struct sc_tls_command command = {strdup(entry->key), strdup(entry->value)};
    if (commands) {
        config->tls_commands = commands;
    }
    if (!commands || !command.name || !command.value) {
        (void)sc_config_out_of_memory(errors);
        free((char *)command.name);
        free((char *)command.value);
        return;
    }
    commands[config->tls_command_count++] = command;
    if (sc_tls_command_check(&command, &err) != 0) {
        (void)sc_config_error(errors, err.status, "%s:%u: %s", path, entry->line, err.text);
    }
}

static void take_entry(struct sc_config *config, const char *path,
                       const struct sc_config_entry *entry, struct sc_config_errors *errors)
{
    const struct sc_config_option *option = find_option(entry->key);
    struct sc_err err;
    if (!entry->value) {
        return; /* reported when it was read */
    }
    if (is_tls_command(entry)) {
        add_tls_command(config, path, entry, errors);
    } else if (!option || strcmp(option->section, entry->section) != 0) {
        report_unknown(path, entry, errors);
    } else if (sc_config_option_set(config, option, entry->value, false, &err) != 0) {
        (void)sc_config_error(errors, EX_CONFIG, "%s:%u: [%s] %s: %s", path, entry->line,
                              entry->section, entry->key, err.text);
    }
}

const struct sc_config_syntax sc_config_server_syntax = {
    .program = "sc-server", .sections = (const char *const[]){"server", "tls", NULL}};

static void take_file(struct sc_config *config, const char *path, bool optional,
                      struct sc_config_errors *errors)
{
    struct sc_config_file file;
    (void)!sc_config_file_read(path, optional, &sc_config_server_syntax, &file, errors);
    for (size_t i = 0; i < file.count; i++) {
        take_entry(config, path, &file.entries[i], errors);
    }
    sc_config_file_fini(&file);
}

static bool given_before(const struct sc_cmdline_setting *settings, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (settings[i].option == settings[index].option) {
            return true;
        }
    }
    return false;
}

static void take_cmdline(struct sc_config *config, const struct sc_cmdline *cmdline,
                         struct sc_config_errors *errors)
{
    for (size_t i = 0; i < cmdline->count; i++) {
        const struct sc_cmdline_setting *setting = &cmdline->settings[i];
        struct sc_err err;
        if (sc_config_option_set(config, setting->option, setting->value,
                                 given_before(cmdline->settings, i), &err) != 0) {
            (void)sc_config_error(errors, err.status, "--%s: %s", setting->option->key, err.text);
        }
    }
}

const char *sc_cmdline_config_file(const struct sc_cmdline *cmdline)
{
    return cmdline->config_path ? cmdline->config_path : default_path;
}

struct sc_config *sc_config_load(const struct sc_cmdline *cmdline, struct sc_config_errors *errors)
{
    const size_t before = errors->count;
    struct sc_config *config = calloc(1, sizeof(*config));
    if (!config) {
        (void)sc_config_out_of_memory(errors);
        return NULL;
    }
    atomic_init(&config->references, 1);
    if (set_defaults(config, errors)) {
        take_file(config, sc_cmdline_config_file(cmdline), !cmdline->config_path, errors);
        take_cmdline(config, cmdline, errors);
    }
    if (errors->count != before) {
        sc_config_unref(config);
        return NULL;
    }
    if (config->workers == 0) {
        config->workers = usable_processors();
    }
    return config;
}

struct sc_config *sc_config_ref(struct sc_config *config)
{
    (void)atomic_fetch_add_explicit(&config->references, 1, memory_order_relaxed);
    return config;
}

void sc_config_unref(struct sc_config *config)
{
    if (!config || atomic_fetch_sub_explicit(&config->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < sc_config_option_count; i++) {
        sc_config_option_clear(config, &sc_config_options[i]);
    }
    for (size_t i = 0; i < config->tls_command_count; i++) {
        free((char *)config->tls_commands[i].name);
        free((char *)config->tls_commands[i].value);
    }
    free(config->tls_commands);
    free(config);
}
