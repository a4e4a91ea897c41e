/* SPDX-License-Identifier: MIT */
/*
 * Makes the completion of a shell for one of the programs: copies a template of contrib/completion
 * from standard input to standard output, with what stands between two @ filled in from the
 * program's table of options. Runs when the programs are built.
 */
#include "config.h"

#include <ctype.h>
#include <string.h>
#include <sysexits.h>

#include "base/program.h"
#include "bench/options.h"
#include "client/options.h"
#include "programs/completion.h"
#include "programs/keygen_options.h"
#include "server/configuration.h"

size_t sc_completion_fixed(const char *word)
{
    const char *colon = strrchr(word, ':');
    const char *slash = strrchr(word, '/');
    const char *last = colon > slash ? colon : slash;
    return last && isupper((unsigned char)last[1]) ? (size_t)(last + 1 - word) : strlen(word);
}

const char *sc_completion_prefix(const struct sc_opt *row)
{
    for (const char *const *word = row->words; word && *word; word++) {
        if (strcmp(*word + sc_completion_fixed(*word), "FILE") == 0) {
            return *word;
        }
    }
    return NULL;
}

void sc_completion_words(FILE *out, const struct sc_opt *row)
{
    for (const char *const *word = row->words; word && *word; word++) {
        (void)fprintf(out, "%s%.*s", word == row->words ? "" : " ", (int)sc_completion_fixed(*word),
                      *word);
    }
}

bool sc_completion_is_optional(const struct sc_opt *row)
{
    return row->argument && row->argument[0] == '[';
}

/* --- What every shell's template can have --- */

static void write_program(FILE *out, const struct sc_opt_table *table)
{
    (void)fputs(table->program, out);
}

void sc_completion_function(FILE *out, const struct sc_opt_table *table)
{
    const char *dash = strchr(table->program, '-');
    (void)fprintf(out, "_%.*s_%s", (int)(dash - table->program), table->program, dash + 1);
}

static void write_options(FILE *out, const struct sc_opt_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        (void)fprintf(out, "%s--%s", i > 0 ? " " : "", table->rows[i].name);
    }
}

static void write_letters(FILE *out, const struct sc_opt_table *table)
{
    const char *separator = "";
    for (size_t i = 0; i < table->count; i++) {
        if (table->rows[i].letter) {
            (void)fprintf(out, "%s-%c", separator, table->rows[i].letter);
            separator = " ";
        }
    }
}

void sc_completion_commands(FILE *out, const struct sc_opt_table *table)
{
    struct sc_opt_command command;
    for (size_t i = 0; table->command && table->command(i, &command); i++) {
        (void)fprintf(out, "%s%s", i > 0 ? " " : "", command.name);
    }
}

/* What a word that is not an option can be, beside a command. */
static void write_bash_words(FILE *out, const struct sc_opt_table *table)
{
    (void)fputs(table->takes_files ? " files=all" : "", out);
}

static void write_fish_words(FILE *out, const struct sc_opt_table *table)
{
    (void)fputs(table->takes_files ? "-F" : "-f", out);
}

/* The options whose argument is the next word. */
static void write_expecting_with(FILE *out, const struct sc_opt_table *table, const char *between)
{
    const char *separator = "";
    for (size_t i = 0; i < table->count; i++) {
        const struct sc_opt *row = &table->rows[i];
        if (row->argument && !sc_completion_is_optional(row)) {
            (void)fprintf(out, "%s--%s", separator, row->name);
            separator = between;
            if (row->letter) {
                (void)fprintf(out, "%s-%c", separator, row->letter);
            }
        }
    }
}

static void write_expecting(FILE *out, const struct sc_opt_table *table)
{
    write_expecting_with(out, table, " | ");
}

static void write_expecting_words(FILE *out, const struct sc_opt_table *table)
{
    write_expecting_with(out, table, " ");
}

/* --- The template --- */

static const struct {
    const char *name;
    void (*write)(FILE *out, const struct sc_opt_table *table);
} fields[] = {
    {"program", write_program},
    {"function", sc_completion_function},
    {"options", write_options},
    {"letters", write_letters},
    {"commands", sc_completion_commands},
    {"bash_words", write_bash_words},
    {"fish_words", write_fish_words},
    {"expecting", write_expecting},
    {"expecting_words", write_expecting_words},
    {"arguments", sc_completion_bash_arguments},
    {"functions", sc_completion_zsh_functions},
    {"specs", sc_completion_zsh_specs},
    {"rows", sc_completion_fish_rows},
};

/* Writes what the field at *text stands for and moves past it; false: it is not one. */
static bool fill(FILE *out, const char **text, const struct sc_opt_table *table)
{
    const char *name = *text + 1;
    const size_t length = strcspn(name, "@");
    for (size_t i = 0; name[length] == '@' && i < SC_COUNT_OF(fields); i++) {
        if (strlen(fields[i].name) == length && strncmp(fields[i].name, name, length) == 0) {
            fields[i].write(out, table);
            *text = name + length + 1;
            return true;
        }
    }
    return false;
}

static void copy(FILE *in, FILE *out, const struct sc_opt_table *table)
{
    char line[512];
    while (fgets(line, sizeof(line), in)) {
        for (const char *text = line; *text;) {
            if (*text != '@' || !fill(out, &text, table)) {
                (void)fputc(*text++, out);
            }
        }
    }
}

int main(int argc, char *argv[])
{
    const struct sc_opt_table *const tables[] = {&sc_cli_option_table, sc_bench_option_table(),
                                                 &sc_keygen_option_table, sc_config_option_table()};
    for (size_t i = 0; argc == 2 && i < SC_COUNT_OF(tables); i++) {
        if (strcmp(tables[i]->program, argv[1]) == 0) {
            copy(stdin, stdout, tables[i]);
            return sc_program_end("completion", EX_OK);
        }
    }
    (void)fputs("Usage: completion PROGRAM <TEMPLATE\n", stderr);
    return EX_USAGE;
}
