/* SPDX-License-Identifier: MIT */
/* Threads beside the main one, which alone takes the signals of the process. Thread: any. */
#ifndef SC_BASE_THREAD_H
#define SC_BASE_THREAD_H

#include <pthread.h>

#include "base/compiler.h"

/*
 * Starts a thread with all signals blocked; `name`, up to 15 bytes, is what top -H and gdb(1) show.
 * `*thread` is to be joined; NULL: it is detached. 0, or an errno value.
 */
int sc_thread_start(pthread_t *thread, const char *name, void *(*run)(void *arg),
                    void *arg) SC_NODISCARD;

#endif
