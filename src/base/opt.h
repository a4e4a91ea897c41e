/* SPDX-License-Identifier: MIT */
/*
 * The options of a program as one table. getopt_long(3)'s arrays, --help and the completion of the
 * shells are made from it: a new option is a row, and the code that acts on it.
 * Thread: the main one, as getopt_long() has only one state.
 */
#ifndef SC_BASE_OPT_H
#define SC_BASE_OPT_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/compiler.h"

/* What a shell offers for the argument of an option, beside its `words`. */
enum sc_opt_complete {
    SC_OPT_NOTHING, /* it can't be guessed, such as a number */
    SC_OPT_FILES,
    SC_OPT_PEM_FILES, /* certificates and keys */
    SC_OPT_HOSTS, /* names of hosts that the shell knows */
    SC_OPT_SERVERS, /* the same, and the sections of client.conf */
};

/* Whether the user's configuration, client.conf, may set an option, too. */
enum sc_opt_conf {
    SC_OPT_CONF_NEVER,
    SC_OPT_CONF_ONE,
    SC_OPT_CONF_LIST, /* several, separated by commas: of an option that may be repeated */
};

/* A row. What is not said of a member is NULL or 0 when there is none. */
struct sc_opt {
    const char *name; /* the long option, without dashes */
    char letter; /* the short one */
    int value; /* for the program: which option it is */
    const char *argument; /* its name in --help; "[=PERCENT]": it may be left out */
    const char *help; /* wrapped by --help; not capitalized, no full stop */
    const char *initial; /* the default, added to the help */
    const char *group; /* heading, printed where it changes; "": a blank line; NULL: no change */
    bool repeatable; /* completion offers it again */
    enum sc_opt_complete complete;
    enum sc_opt_conf conf;
    /*
     * What the argument can be, NULL ends the list. Capitals at the end stand for more: of
     * "cert-sha256:HEX" the beginning is offered, and after "ca:" of "ca:FILE" a file.
     */
    const char *const *words;
};

/*
 * The first four members, .help, and then designated ones:
 * SC_OPT("out", 0, OUT, "FILE", "where it goes", .complete = SC_OPT_FILES).
 */
#define SC_OPT(row_name, row_letter, row_value, row_argument, ...) \
    { \
        .name = row_name, .letter = row_letter, .value = row_value, .argument = row_argument, \
        .help = __VA_ARGS__ \
    }

/* What an address can be beside HOST:PORT. */
extern const char *const sc_opt_address_words[];

/* The two that every program has. */
#define SC_OPT_HELP_ROW(row_value) \
    SC_OPT("help", 'h', row_value, NULL, "print this, and exit", .group = "")
#define SC_OPT_VERSION_ROW(row_value) \
    SC_OPT("version", 'V', row_value, NULL, "print the versions of program and libraries, and exit")

/* An exit status; `text` NULL: what it means everywhere. */
struct sc_opt_status {
    int status;
    const char *text;
};

struct sc_opt_command {
    const char *name;
    const char *argument; /* NULL: it takes none */
    const char *help; /* not capitalized, no full stop */
};

struct sc_opt_table {
    const char *program;
    const char *usage; /* lines before the options: "Usage: ...", what the program is for */
    /* The commands in order; false after the last. NULL: the program has none. */
    bool (*command)(size_t index, struct sc_opt_command *out);
    const struct sc_opt *rows;
    size_t count; /* at most SC_OPT_MAX */
    const char *notes; /* lines after the options */
    const struct sc_opt_status *statuses; /* those that it ends with; success, 0, ends the list */
    bool takes_files; /* words that are not options can be files */
    bool ends_at_word; /* the first word that is not an option ends the options */
};

#define SC_OPT_MAX 96U

/* Reads a command line. It borrows the table. */
struct sc_opt_reader {
    const struct sc_opt_table *table;
    char letters[3 * SC_OPT_MAX + 3];
    struct option list[SC_OPT_MAX + 1];
};

void sc_opt_reader_init(struct sc_opt_reader *reader, const struct sc_opt_table *table);

/*
 * The next option, with its argument in optarg. NULL: there is none, and *refused is 0 (optind is
 * that of the first word that is not an option), or '?' or ':' as getopt_long() returned it.
 */
const struct sc_opt *sc_opt_next(struct sc_opt_reader *reader, int argc, char *argv[],
                                 int *refused);

/* --help, in lines of at most 80 columns. */
void sc_opt_help(FILE *out, const struct sc_opt_table *table);

/*
 * Writes words in lines of at most 80 columns, and a newline. `column` is where the first line
 * goes on, `prefix` begins every further one. A word that is longer has a line of its own.
 */
void sc_opt_wrap(FILE *out, const char *text, const char *prefix, size_t column);

#endif
