/* SPDX-License-Identifier: MIT */
/* Inside of completion*.c: what the templates of contrib/completion have between two @. */
#ifndef SC_PROGRAMS_COMPLETION_H
#define SC_PROGRAMS_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/opt.h"

/* The length of what is typed as it stands: of "ca:FILE" that of "ca:". */
size_t sc_completion_fixed(const char *word);

/* The word of the row that a file name follows, "ca:FILE"; NULL: there is none. */
const char *sc_completion_prefix(const struct sc_opt *row);

/* The words of a row, those that go on without what follows. */
void sc_completion_words(FILE *out, const struct sc_opt *row);

bool sc_completion_is_optional(const struct sc_opt *row);

/* The program as part of the name of a function: "_sc_client". */
void sc_completion_function(FILE *out, const struct sc_opt_table *table);

/* The names of the commands. */
void sc_completion_commands(FILE *out, const struct sc_opt_table *table);

/* bash: patterns of a `case` with what an option's argument can be. */
void sc_completion_bash_arguments(FILE *out, const struct sc_opt_table *table);

/* zsh: functions for arguments of more than one kind, and the arguments of _arguments. */
void sc_completion_zsh_functions(FILE *out, const struct sc_opt_table *table);
void sc_completion_zsh_specs(FILE *out, const struct sc_opt_table *table);

/* fish: a `complete` for each row. */
void sc_completion_fish_rows(FILE *out, const struct sc_opt_table *table);

#endif
