/* SPDX-License-Identifier: MIT */
/*
 * The history of the prompt in a file: ${XDG_STATE_HOME:-~/.local/state}/space-captain/history,
 * mode 0600, at most SC_PROMPT_HISTORY_LINES lines. A line is appended when it is entered, in one
 * write under a lock, so that clients at the same time and a kill lose none; a file that has grown
 * too long is replaced as a whole. Without a home there is no file, and that is not a failure.
 * Thread: one.
 */
#ifndef SC_CLIENT_PROMPT_HISTORY_H
#define SC_CLIENT_PROMPT_HISTORY_H

#include <stddef.h>

#include "base/err.h"

#define SC_PROMPT_HISTORY_LINES 1000
#define SC_PROMPT_HISTORY_LINE_BYTES 4096 /* longer lines are not kept */

struct sc_prompt_history;

/*
 * Calls `on_line` for each line of the file, oldest first; each ends in a NUL. NULL: nothing is
 * kept, and *err says why; its text is empty without a home.
 */
struct sc_prompt_history *sc_prompt_history_open(void (*on_line)(const char *line, void *arg),
                                                 void *arg, struct sc_err *err);
void sc_prompt_history_free(struct sc_prompt_history *history); /* NULL is fine */

/*
 * `line` without its newline. `history` NULL: nothing is kept. -1: the line is not kept, as on a
 * full disk, and the file is as it was; the next one is tried again.
 */
int sc_prompt_history_add(struct sc_prompt_history *history, const char *line, size_t length,
                          struct sc_err *err) SC_NODISCARD;

#endif
