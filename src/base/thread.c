/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/thread.h"

#include <signal.h>

int sc_thread_start(pthread_t *thread, const char *name, void *(*run)(void *arg), void *arg)
{
    sigset_t all, before;
    pthread_t id;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before); /* a new thread inherits the mask */
    const int error = pthread_create(&id, NULL, run, arg);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (error != 0) {
        return error;
    }
    (void)pthread_setname_np(id, name);
    if (thread) {
        *thread = id;
    } else {
        (void)pthread_detach(id);
    }
    return 0;
}
