/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "client/terminal.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "base/compiler.h"

static struct termios saved;

/* libedit does the same, but only while it waits for a line. */
static void on_fatal_signal(int number)
{
    (void)tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    (void)raise(number); /* SA_RESETHAND: it ends the program this time */
}

void sc_terminal_save(void)
{
    /* The loop has SIGINT from the first prompt on: before, --tofu=ask may ask. */
    static const int fatal[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};
    const struct sigaction restore = {.sa_handler = on_fatal_signal, .sa_flags = (int)SA_RESETHAND};
    struct sigaction before;
    if (tcgetattr(STDIN_FILENO, &saved) != 0) {
        return;
    }
    for (size_t i = 0; i < SC_COUNT_OF(fatal); i++) {
        if (sigaction(fatal[i], NULL, &before) == 0 && before.sa_handler == SIG_DFL) {
            (void)sigaction(fatal[i], &restore, NULL);
        }
    }
}

void sc_terminal_suspend(void)
{
    struct termios ours;
    struct sigaction handler;
    const struct sigaction stop = {.sa_handler = SIG_DFL};
    const bool known = tcgetattr(STDIN_FILENO, &ours) == 0;
    (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
    (void)sigaction(SIGTSTP, &stop, &handler);
    (void)raise(SIGTSTP);
    (void)sigaction(SIGTSTP, &handler, NULL);
    if (known) {
        (void)tcsetattr(STDIN_FILENO, TCSADRAIN, &ours);
    }
}

int sc_terminal_signal(unsigned char character)
{
    if (!(saved.c_lflag & ISIG) || character == _POSIX_VDISABLE) {
        return 0;
    }
    return character == saved.c_cc[VINTR]   ? SIGINT
           : character == saved.c_cc[VSUSP] ? SIGTSTP
           : character == saved.c_cc[VQUIT] ? SIGQUIT
                                            : 0;
}

size_t sc_terminal_unread(void)
{
    int unread = 0;
    return ioctl(STDIN_FILENO, FIONREAD, &unread) == 0 && unread > 0 ? (size_t)unread : 0;
}
