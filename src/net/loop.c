/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "net/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>
#include <unistd.h>

#include <event2/event_struct.h>

#include "base/descriptors.h"
#include "base/log.h"

#define LINES_PER_SECOND 20U /* of what libevent says, of each level and thread */
#define RESERVE_DESCRIPTORS 64

/* What it complains about may be a client's doing, and come at any rate. */
static void on_libevent_log(int severity, const char *message)
{
    static _Thread_local struct sc_log_rate of_errors, of_warnings, of_debug;
    struct sc_log_line line;
    const bool begun =
        severity >= EVENT_LOG_ERR
            ? sc_log_begin_limited(&line, &of_errors, LINES_PER_SECOND, SC_EVENT_LIBEVENT_ERROR)
        : severity >= EVENT_LOG_WARN
            ? sc_log_begin_limited(&line, &of_warnings, LINES_PER_SECOND, SC_EVENT_LIBEVENT_WARNING)
            : sc_log_begin_limited(&line, &of_debug, LINES_PER_SECOND, SC_EVENT_LIBEVENT_DEBUG);
    if (begun) {
        sc_log_str(&line, "message", message);
        sc_log_end(&line);
    }
}

void sc_loop_init(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* writev(2) has no MSG_NOSIGNAL */
    (void)signal(SIGXFSZ, SIG_IGN); /* a log that may not grow (ulimit -f) is full, and no more */
    event_set_log_callback(on_libevent_log);
}

void sc_loop_fini(void)
{
    libevent_global_shutdown();
}

struct event_base *sc_loop_new_base(struct sc_err *err)
{
    if (!sc_descriptors_are_left_for_loop()) {
        (void)sc_err_set(err, EX_OSERR,
                         "can't create an event loop: out of file descriptors; raise the limit "
                         "(LimitNOFILE=, ulimit -n)");
        return NULL;
    }
    struct event_config *config = event_config_new();
    struct event_base *base = NULL;
    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0) {
        base = event_base_new_with_config(config);
    }
    if (config) {
        event_config_free(config);
    }
    if (!base) {
        (void)sc_err_set(err, EX_OSERR,
                         "can't create an event loop: libevent has no usable backend, or "
                         "descriptors or memory ran out");
    }
    return base;
}

void sc_loop_free_event(struct event *event)
{
    if (event) {
        event_free(event);
    }
}

static void ignore(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)arg;
}

evutil_socket_t sc_loop_reserve_descriptors(struct event_base *base, evutil_socket_t fd)
{
    const evutil_socket_t end = fd + RESERVE_DESCRIPTORS;
    struct event event;
    int copy = fd;
    /* An entry is made for open descriptors only: copies, which take the numbers that are free. */
    for (int number = fd; number < end; number = copy + 1) {
        copy = fcntl(fd, F_DUPFD_CLOEXEC, number);
        if (copy < 0) {
            break;
        }
        if (copy < end && event_assign(&event, base, copy, EV_READ, ignore, NULL) == 0 &&
            event_add(&event, NULL) == 0) {
            (void)event_del(&event);
        }
        (void)close(copy);
    }
    return end;
}
