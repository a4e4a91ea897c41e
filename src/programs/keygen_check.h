/* SPDX-License-Identifier: MIT */
/* sc-keygen --check: whether a pair on the disk is fit for a server. Thread: the main one. */
#ifndef SC_PROGRAMS_KEYGEN_CHECK_H
#define SC_PROGRAMS_KEYGEN_CHECK_H

#include "base/err.h"

/*
 * Prints what is there and every problem, on stdout. 0: fit. -1: EX_NOINPUT when a file can't be
 * read, EX_CONFIG when there are problems.
 */
int sc_keygen_check_pair(const char *key_path, const char *certificate_path,
                         struct sc_err *err) SC_NODISCARD;

#endif
