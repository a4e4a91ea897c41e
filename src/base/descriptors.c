/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/descriptors.h"

#include <fcntl.h>
#include <stddef.h>
#include <unistd.h>

#include "base/compiler.h"

bool sc_descriptors_are_left_for_loop(void)
{
    int fds[4]; /* the backend's, its timer's, and a pipe */
    bool enough = true;
    for (size_t i = 0; i < SC_COUNT_OF(fds); i++) {
        fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        enough = enough && fds[i] >= 0;
    }
    for (size_t i = 0; i < SC_COUNT_OF(fds); i++) {
        if (fds[i] >= 0) {
            (void)close(fds[i]);
        }
    }
    return enough;
}
