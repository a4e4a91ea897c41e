/* SPDX-License-Identifier: MIT */
/*
 * The table and a configuration as text: a file to load again, the sample file, and what changed.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "server/config_table.h"

/* A value in the syntax of config(5): quoted where a character has a meaning of its own. */
static void write_value(FILE *out, const char *value)
{
    const size_t length = strlen(value);
    const bool bare = strpbrk(value, "\"'`\\$#") == NULL &&
                      (length == 0 || (value[0] != ' ' && value[length - 1] != ' '));
    if (bare) {
        (void)fputs(value, out);
        return;
    }
    (void)fputc('"', out);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') {
            (void)fputc('\\', out);
        }
        (void)fputc(*value, out);
    }
    (void)fputc('"', out);
}

/* Calls `write` for every key, section by section. */
static void write_sections(FILE *out, const struct sc_config *config,
                           void (*write)(FILE *out, const struct sc_config *config,
                                         const struct sc_config_option *option))
{
    static const char *const sections[] = {"server", "tls"};
    for (size_t s = 0; s < SC_COUNT_OF(sections); s++) {
        (void)fprintf(out, "%s[%s]\n", s > 0 ? "\n" : "", sections[s]);
        for (size_t i = 0; i < sc_config_option_count; i++) {
            if (strcmp(sc_config_options[i].section, sections[s]) == 0) {
                write(out, config, &sc_config_options[i]);
            }
        }
    }
}

/* What `write` writes, as a string. free() it; NULL: out of memory. */
static char *text_of(const struct sc_config *config, const struct sc_config_option *option,
                     void (*write)(const struct sc_config *config,
                                   const struct sc_config_option *option, FILE *out))
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out) {
        return NULL;
    }
    write(config, option, out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    return text;
}

static void write_key(FILE *out, const struct sc_config *config,
                      const struct sc_config_option *option)
{
    char *value = text_of(config, option, sc_config_option_write);
    if (value && (*value || *option->initial)) {
        (void)fprintf(out, "%s = ", option->key);
        write_value(out, value);
        (void)fputc('\n', out);
    }
    free(value);
}

void sc_config_write(const struct sc_config *config, FILE *out)
{
    write_sections(out, config, write_key);
    for (size_t i = 0; i < config->tls_command_count; i++) {
        (void)fprintf(out, "%s = ", config->tls_commands[i].name);
        write_value(out, config->tls_commands[i].value);
        (void)fputc('\n', out);
    }
}

static void write_sample_key(FILE *out, const struct sc_config *config,
                             const struct sc_config_option *option)
{
    (void)config;
    (void)fputs("\n# ", out);
    sc_opt_wrap(out, option->help, "# ", 2);
    if (option->effect == SC_CONFIG_OPTION_RESTART) {
        (void)fputs("# A change needs a restart.\n", out);
    }
    (void)fprintf(out, "#%s = %s\n", option->key,
                  *option->initial ? option->initial : option->argument);
}

void sc_config_write_sample(FILE *out)
{
    (void)fputs(
        "# Configuration of sc-server, in the syntax of OpenSSL's config(5); sc-server.conf(5)\n"
        "# explains it. A key after a # shows its default, or the form of its value if it\n"
        "# is not set. After a change: sc-server --check-config -c FILE, then reload.\n\n",
        out);
    write_sections(out, NULL, write_sample_key);
    (void)fputs("\n# Every other key is a command of SSL_CONF_cmd(3), for example:\n"
                "#MinProtocol = TLSv1.3\n"
                "#Groups = X25519:P-256:P-384\n",
                out);
}

static void write_tls_commands(const struct sc_config *config,
                               const struct sc_config_option *option, FILE *out)
{
    (void)option;
    for (size_t i = 0; i < config->tls_command_count; i++) {
        (void)fprintf(out, "%s%s = %s", i > 0 ? ", " : "", config->tls_commands[i].name,
                      config->tls_commands[i].value);
    }
}

size_t sc_config_diff(const struct sc_config *started, const struct sc_config *active,
                      const struct sc_config *fresh, sc_config_on_change *on_change, void *arg)
{
    size_t changes = 0;
    for (size_t i = 0; i <= sc_config_option_count; i++) {
        const struct sc_config_option *option =
            i < sc_config_option_count ? &sc_config_options[i] : NULL;
        const bool needs_restart = option && option->effect == SC_CONFIG_OPTION_RESTART;
        char *before = text_of(needs_restart ? started : active, option,
                               option ? sc_config_option_write : write_tls_commands);
        char *after = text_of(fresh, option, option ? sc_config_option_write : write_tls_commands);
        if (before && after && strcmp(before, after) != 0) {
            changes++;
            if (on_change) {
                on_change(arg, option ? option->key : "[tls] commands", needs_restart, before,
                          after);
            }
        }
        free(before);
        free(after);
    }
    return changes;
}
