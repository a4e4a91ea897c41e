/* SPDX-License-Identifier: MIT */
/*
 * The modes that the terminal on standard input had before the prompt, for the shell, which gets it
 * back when a signal stops or ends the program. Thread: the main one.
 */
#ifndef SC_CLIENT_TERMINAL_H
#define SC_CLIENT_TERMINAL_H

#include <stddef.h>

/* Saves the modes; from now on a signal that ends the program restores them. */
void sc_terminal_save(void);

/* Stops the program with the saved modes. Returns when it continues, with the modes of before. */
void sc_terminal_suspend(void);

/* The signal that the terminal sends for this character in the saved modes; 0: none. */
int sc_terminal_signal(unsigned char character);

/* How many bytes of standard input can be read without waiting. */
size_t sc_terminal_unread(void);

#endif
