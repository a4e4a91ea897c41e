/* SPDX-License-Identifier: MIT */
/* What differs from shell to shell. */
#include "config.h"

#include <string.h>

#include "programs/completion.h"

#define PEM_SUFFIXES "pem|crt|cer|key"

/* --- bash --- */

void sc_completion_bash_arguments(FILE *out, const struct sc_opt_table *table)
{
    static const char *const variables[] = {
        [SC_OPT_NOTHING] = "",
        [SC_OPT_FILES] = " files=all",
        [SC_OPT_PEM_FILES] = " files=pem",
        [SC_OPT_HOSTS] = " hosts=1",
        [SC_OPT_SERVERS] = " hosts=1 sections=1",
    };
    for (size_t i = 0; i < table->count; i++) {
        const struct sc_opt *row = &table->rows[i];
        const char *prefix = sc_completion_prefix(row);
        if (!row->argument || (!row->words && row->complete == SC_OPT_NOTHING)) {
            continue;
        }
        (void)fprintf(out, "--%s,*", row->name);
        if (row->letter) {
            (void)fprintf(out, " | -%c,*", row->letter);
        }
        (void)fputs(") offer='", out);
        sc_completion_words(out, row);
        (void)fprintf(out, "'%s", variables[row->complete]);
        if (prefix) {
            (void)fprintf(out, " under=%.*s", (int)sc_completion_fixed(prefix), prefix);
        }
        (void)fputs(" ;;\n    ", out);
    }
}

/* --- zsh --- */

/* `text` up to its first ';', with a backslash before each of `special`. */
static void write_short(FILE *out, const char *text, const char *special)
{
    for (; *text && *text != ';'; text++) {
        if (*text == '\'') {
            (void)fputs(strchr(special, '\'') ? "\\'" : "'\\''", out);
            continue;
        }
        if (strchr(special, *text)) {
            (void)fputc('\\', out);
        }
        (void)fputc(*text, out);
    }
}

static const char *zsh_action(const struct sc_opt *row)
{
    switch (row->complete) {
    case SC_OPT_FILES: return "_files";
    case SC_OPT_PEM_FILES: return "_files -g \"*.(" PEM_SUFFIXES ")(-.)\"";
    case SC_OPT_HOSTS: return "_hosts";
    case SC_OPT_SERVERS:
    case SC_OPT_NOTHING: break;
    }
    return " ";
}

/* A row whose argument is words or one other thing needs no function. */
static bool needs_function(const struct sc_opt *row)
{
    return row->argument &&
           (row->complete == SC_OPT_SERVERS || (row->words && row->complete != SC_OPT_NOTHING));
}

static void write_zsh_function_name(FILE *out, const struct sc_opt_table *table,
                                    const struct sc_opt *row)
{
    sc_completion_function(out, table);
    (void)fprintf(out, "_%s", row->name);
}

void sc_completion_zsh_functions(FILE *out, const struct sc_opt_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        const struct sc_opt *row = &table->rows[i];
        const char *prefix = sc_completion_prefix(row);
        if (!needs_function(row)) {
            continue;
        }
        write_zsh_function_name(out, table, row);
        (void)fputs("() {\n", out);
        if (prefix) {
            (void)fprintf(out, "    if compset -P '%.*s'; then _files; return; fi\n",
                          (int)sc_completion_fixed(prefix), prefix);
        }
        (void)fputs("    local -a forms=(", out);
        sc_completion_words(out, row);
        (void)fputs(")\n    _alternative 'forms:form:compadd -S \"\" -a forms'", out);
        if (row->complete == SC_OPT_SERVERS) {
            (void)fputs(" 'hosts:host:_hosts' 'sections:section of client.conf:", out);
            sc_completion_function(out, table);
            (void)fputs("_sections'", out);
        } else {
            (void)fprintf(out, " 'values:%s:%s'", row->argument, zsh_action(row));
        }
        (void)fputs("\n}\n\n", out);
    }
}

static void write_zsh_spec(FILE *out, const struct sc_opt_table *table, const struct sc_opt *row)
{
    const char *suffix = !row->argument ? "" : sc_completion_is_optional(row) ? "=-" : "=";
    (void)fputs("    ", out);
    if (row->letter) {
        if (row->repeatable) {
            (void)fputs("'*'", out);
        } else {
            (void)fprintf(out, "'(-%c --%s)'", row->letter, row->name);
        }
        (void)fprintf(out, "{-%c%s,--%s%s}'[", row->letter, row->argument ? "+" : "", row->name,
                      suffix);
    } else {
        (void)fprintf(out, "'%s--%s%s[", row->repeatable ? "*" : "", row->name, suffix);
    }
    write_short(out, row->help, "[]\\");
    (void)fputc(']', out);
    if (row->argument) {
        (void)fputs(sc_completion_is_optional(row) ? "::" : ":", out);
        write_short(out, row->argument + strspn(row->argument, "[="), ":\\");
        (void)fputc(':', out);
        if (needs_function(row)) {
            write_zsh_function_name(out, table, row);
        } else if (row->words) {
            (void)fputc('(', out);
            sc_completion_words(out, row);
            (void)fputc(')', out);
        } else {
            (void)fputs(zsh_action(row), out);
        }
    }
    (void)fputc('\'', out);
}

void sc_completion_zsh_specs(FILE *out, const struct sc_opt_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        write_zsh_spec(out, table, &table->rows[i]);
        const bool is_last = i + 1 == table->count && !table->command && !table->takes_files;
        (void)fputs(is_last ? "" : " \\\n", out);
    }
    if (table->takes_files) {
        (void)fputs("    '*:file:_files'", out);
    }
    if (table->command) {
        struct sc_opt_command command;
        (void)fputs("    '1:command:((", out);
        for (size_t i = 0; table->command(i, &command); i++) {
            (void)fprintf(out, "%s%s\\:\"", i > 0 ? " " : "", command.name);
            write_short(out, command.help, ":\"\\");
            (void)fputc('"', out);
        }
        (void)fputs("))' \\\n    '*:text: '", out);
    }
}

/* --- fish --- */

static void write_fish_helper(FILE *out, const struct sc_opt_table *table, const char *name)
{
    (void)fputs(" (_", out);
    sc_completion_function(out, table);
    (void)fprintf(out, "_%s)", name);
}

static void write_fish_argument(FILE *out, const struct sc_opt_table *table,
                                const struct sc_opt *row)
{
    const char *prefix = sc_completion_prefix(row);
    if (row->complete == SC_OPT_FILES) {
        (void)fputs(" -r -F", out);
        return;
    }
    (void)fputs(sc_completion_is_optional(row) ? " -f" : " -x", out);
    if (!row->words && row->complete == SC_OPT_NOTHING) {
        return;
    }
    (void)fputs(" -a '", out);
    sc_completion_words(out, row);
    if (row->complete == SC_OPT_PEM_FILES) {
        write_fish_helper(out, table, "pem");
    }
    if (row->complete == SC_OPT_HOSTS || row->complete == SC_OPT_SERVERS) {
        (void)fputs(" (__fish_print_hostnames)", out);
    }
    if (row->complete == SC_OPT_SERVERS) {
        write_fish_helper(out, table, "sections");
    }
    if (prefix) {
        char helper[64];
        (void)snprintf(helper, sizeof(helper), "files %.*s", (int)sc_completion_fixed(prefix),
                       prefix);
        write_fish_helper(out, table, helper);
    }
    (void)fputc('\'', out);
}

static void write_fish_row(FILE *out, const struct sc_opt_table *table, const struct sc_opt *row)
{
    (void)fprintf(out, "complete -c %s -n _", table->program);
    sc_completion_function(out, table);
    (void)fprintf(out, "_no_command -l %s", row->name);
    if (row->letter) {
        (void)fprintf(out, " -s %c", row->letter);
    }
    if (row->argument) {
        write_fish_argument(out, table, row);
    }
    (void)fputs(" -d '", out);
    write_short(out, row->help, "'\\");
    (void)fputc('\'', out);
}

void sc_completion_fish_rows(FILE *out, const struct sc_opt_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        write_fish_row(out, table, &table->rows[i]);
        (void)fputs(i + 1 < table->count || table->command ? "\n" : "", out);
    }
    struct sc_opt_command command;
    for (size_t i = 0; table->command && table->command(i, &command); i++) {
        (void)fprintf(out, "%scomplete -c %s -n _", i > 0 ? "\n" : "", table->program);
        sc_completion_function(out, table);
        (void)fprintf(out, "_no_command -a %s -d '", command.name);
        write_short(out, command.help, "'\\");
        (void)fputc('\'', out);
    }
}
