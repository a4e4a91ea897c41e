/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/opt.h"

#include <assert.h>
#include <string.h>
#include <sysexits.h>

#include "base/err.h"

enum { COLUMNS = 80, HELP_COLUMN = 26, FIRST_LONG = 0x100 };

const char *const sc_opt_address_words[] = {"unix:FILE", NULL};

/* --- The command line --- */

static bool is_optional(const struct sc_opt *row)
{
    return row->argument && row->argument[0] == '[';
}

void sc_opt_reader_init(struct sc_opt_reader *reader, const struct sc_opt_table *table)
{
    char *letter = reader->letters;
    assert(table->count <= SC_OPT_MAX);
    memset(reader, 0, sizeof(*reader));
    reader->table = table;
    if (table->ends_at_word) {
        *letter++ = '+';
    }
    *letter++ = ':';
    for (size_t i = 0; i < table->count; i++) {
        const struct sc_opt *row = &table->rows[i];
        reader->list[i] = (struct option){.name = row->name,
                                          .has_arg = !row->argument     ? no_argument
                                                     : is_optional(row) ? optional_argument
                                                                        : required_argument,
                                          .val = FIRST_LONG + (int)i};
        if (row->letter) {
            *letter++ = row->letter;
            if (row->argument) {
                *letter++ = ':';
            }
            if (is_optional(row)) {
                *letter++ = ':';
            }
        }
    }
    opterr = 0;
    optind = 0; /* start over, whatever was read before */
}

const struct sc_opt *sc_opt_next(struct sc_opt_reader *reader, int argc, char *argv[], int *refused)
{
    const struct sc_opt_table *table = reader->table;
    const int found = getopt_long(argc, argv, reader->letters, reader->list, NULL);
    *refused = 0;
    if (found >= FIRST_LONG) {
        return &table->rows[found - FIRST_LONG];
    }
    for (size_t i = 0; i < table->count && found != -1; i++) {
        if (table->rows[i].letter == found) {
            return &table->rows[i];
        }
    }
    if (found != -1) {
        *refused = found;
    }
    return NULL;
}

/* --- Help --- */

void sc_opt_wrap(FILE *out, const char *text, const char *prefix, size_t column)
{
    bool first = true;
    while (*text) {
        const size_t word = strcspn(text, " ");
        if (!first && column + 1 + word > COLUMNS) {
            (void)fprintf(out, "\n%s", prefix);
            column = strlen(prefix);
            first = true;
        }
        (void)fprintf(out, "%s%.*s", first ? "" : " ", (int)word, text);
        column += word + (first ? 0 : 1);
        first = false;
        text += word + strspn(text + word, " ");
    }
    (void)fputc('\n', out);
}

static void write_row(FILE *out, const struct sc_opt *row)
{
    char text[512], prefix[HELP_COLUMN + 1];
    const char letter[] = {'-', row->letter, ',', '\0'};
    const int used =
        fprintf(out, "  %3s --%s%s%s", row->letter ? letter : "", row->name,
                row->argument && !is_optional(row) ? " " : "", row->argument ? row->argument : "");
    const bool has_default = row->initial && *row->initial;
    (void)snprintf(prefix, sizeof(prefix), "%*s", HELP_COLUMN, "");
    if (used + 2 > HELP_COLUMN) {
        (void)fprintf(out, "\n%s", prefix);
    } else {
        (void)fprintf(out, "%*s", HELP_COLUMN - used, "");
    }
    (void)snprintf(text, sizeof(text), "%s%s%s%s", row->help, has_default ? " (default: " : "",
                   has_default ? row->initial : "", has_default ? ")" : "");
    sc_opt_wrap(out, text, prefix, HELP_COLUMN);
}

static void write_commands(FILE *out, const struct sc_opt_table *table)
{
    char text[512] = "COMMAND is one of: ";
    size_t used = strlen(text);
    struct sc_opt_command command;
    for (size_t i = 0; used < sizeof(text) && table->command(i, &command); i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s%s", i > 0 ? ", " : "",
                                 command.name, command.argument ? " " : "",
                                 command.argument ? command.argument : "");
    }
    assert(used + 1 < sizeof(text));
    (void)strcpy(text + used, ".");
    (void)fputc('\n', out);
    sc_opt_wrap(out, text, "  ", 0);
}

/* What an exit status means, whichever program ends with it. */
static const struct sc_opt_status statuses[] = {
    {EX_OK, "success"},
    {1, "the server answered ERROR"},
    {SC_EXIT_HANDSHAKE, "the TLS handshake failed"},
    {SC_EXIT_UNTRUSTED, "the server is not trusted"},
    {EX_USAGE, "wrong usage"},
    {EX_DATAERR, "bad data in a file or in standard input"},
    {EX_NOINPUT, "a file can't be read"},
    {EX_UNAVAILABLE, "can't connect, or the server went away"},
    {EX_OSERR, "the system refused something, such as memory or a descriptor"},
    {EX_CANTCREAT, "a file can't be created"},
    {EX_IOERR, "output can't be written"},
    {EX_TEMPFAIL, "timed out"},
    {EX_PROTOCOL, "the server broke the protocol"},
    {EX_CONFIG, "the configuration, the certificate or the key is wrong"},
    {SC_EXIT_PIN, "the server's key matches no pin; nothing was sent"},
    {SC_EXIT_THRESHOLD, "an expectation was missed"},
    {SC_EXIT_INTERRUPTED, "interrupted"},
};

static const char *status_text(const struct sc_opt_status *one)
{
    for (size_t i = 0; !one->text && i < SC_COUNT_OF(statuses); i++) {
        if (statuses[i].status == one->status) {
            return statuses[i].text;
        }
    }
    assert(one->text);
    return one->text;
}

void sc_opt_help(FILE *out, const struct sc_opt_table *table)
{
    const char *group = NULL;
    (void)fputs(table->usage, out);
    if (table->command) {
        write_commands(out, table);
    }
    for (size_t i = 0; i < table->count; i++) {
        const struct sc_opt *row = &table->rows[i];
        const char *next = row->group ? row->group : group ? group : "Options";
        if (!group || strcmp(next, group) != 0) {
            (void)fprintf(out, *next ? "\n%s:\n" : "\n", next);
            group = next;
        }
        write_row(out, row);
    }
    if (table->notes) {
        (void)fprintf(out, "\n%s", table->notes);
    }
    (void)fputs("\nExit status:\n", out);
    const struct sc_opt_status success = {EX_OK, NULL};
    (void)fprintf(out, "  %3d  %s\n", EX_OK, status_text(&success));
    for (const struct sc_opt_status *one = table->statuses; one->status != EX_OK; one++) {
        (void)fprintf(out, "  %3d  ", one->status);
        sc_opt_wrap(out, status_text(one), "       ", 7);
    }
}
