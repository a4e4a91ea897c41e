/* SPDX-License-Identifier: MIT */
/*
 * What a prompt needs with libedit and without: its text, the words that are not requests, and
 * notices. Thread: the main one.
 */
#ifndef SC_CLIENT_PROMPT_H
#define SC_CLIENT_PROMPT_H

#include <stdio.h>

#include "client/cli.h"

/*
 * Whether there is one: standard input is a terminal, and so is what it is shown on, standard
 * output, or with --json, where that is for objects alone, standard error.
 */
bool sc_prompt_is_wanted(const struct sc_cli_options *options);
FILE *sc_prompt_stream(const struct sc_cli_options *options);

/* "localhost:4242> ", escaped. */
#define SC_PROMPT_BYTES 320
void sc_prompt_text(const struct sc_cli_options *options, char out[SC_PROMPT_BYTES]);

/* The words that can begin a line, in order; NULL after the last. */
const char *sc_prompt_word_at(size_t index);

/* Before the first prompt. */
void sc_prompt_greet(const struct sc_cli *client);

/* A line that is not a request: help, status, or an error. False for quit and exit. */
bool sc_prompt_take_word(const struct sc_cli *client, const char *line, size_t length);

/* Notices, each on a line of its own on standard error. */
void sc_prompt_report_lost(const struct sc_cli *client, const struct sc_session_end *end);
void sc_prompt_report_connected(const struct sc_cli *client);

#endif
