/* SPDX-License-Identifier: MIT */
/* File descriptors that must be there before they are asked for. Thread: any. */
#ifndef SC_BASE_DESCRIPTORS_H
#define SC_BASE_DESCRIPTORS_H

#include <stdbool.h>

/*
 * Whether there are as many as an event loop takes: libevent ends the whole process, with words of
 * its own, when it gets none for its pipe.
 */
bool sc_descriptors_are_left_for_loop(void);

#endif
