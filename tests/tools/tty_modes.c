/* SPDX-License-Identifier: MIT */
/*
 * For a program that edits lines itself: ends it when it gives the terminal back between two lines.
 * What is typed then is the terminal's to interpret, and a ^D is lost. Linked into a program, this
 * is called in place of tcsetattr(3), by libraries too.
 */
#include "config.h"

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

int tcsetattr(int fd, int actions, const struct termios *modes)
{
    typedef int set_function(int, int, const struct termios *);
    static bool edited, given_back;
    const bool edits = !(modes->c_lflag & ICANON);
    set_function *set = NULL;
    void *symbol = dlsym(RTLD_NEXT, "tcsetattr");
    if (edits && given_back) {
        static const char text[] = "the terminal was given back between two lines\n";
        (void)!write(STDERR_FILENO, text, sizeof(text) - 1);
        abort();
    }
    given_back = edited && !edits;
    edited = edited || edits;
    *(void **)(&set) = symbol; /* POSIX's way to make a function of it */
    return set(fd, actions, modes);
}
