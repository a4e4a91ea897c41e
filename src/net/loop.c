#include "config.h"

#include "net/loop.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/log.h"
#include "base/pool.h"

#define DESCRIPTORS_OF_A_BASE 4U /* the backend's, its timer's, and a pipe */

static void on_libevent_log(int severity, const char *message)
{
    const enum sc_log_level level = severity >= EVENT_LOG_ERR    ? SC_LOG_ERROR
                                    : severity >= EVENT_LOG_WARN ? SC_LOG_WARNING
                                                                 : SC_LOG_DEBUG;
    sc_log_message(level, "libevent", "%s", message);
}

void sc_loop_init(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* writev(2) has no MSG_NOSIGNAL */
    sc_pool_start();
    event_set_mem_functions(sc_pool_malloc, sc_pool_realloc, sc_pool_free);
    event_set_log_callback(on_libevent_log);
}

void sc_loop_fini(void)
{
    libevent_global_shutdown();
}

/* libevent ends the whole process when it gets no descriptors for its own pipe: look first. */
static bool descriptors_are_left(void)
{
    int probe[DESCRIPTORS_OF_A_BASE];
    bool enough = true;
    for (size_t i = 0; i < DESCRIPTORS_OF_A_BASE; i++) {
        probe[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
        enough = enough && probe[i] >= 0;
    }
    for (size_t i = 0; i < DESCRIPTORS_OF_A_BASE; i++) {
        if (probe[i] >= 0) {
            (void)close(probe[i]);
        }
    }
    return enough;
}

struct event_base *sc_loop_new_base(struct sc_err *err)
{
    if (!descriptors_are_left()) {
        (void)sc_err_set(err, EX_OSERR,
                         "cannot create an event loop: out of file descriptors; raise the limit "
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
                         "cannot create an event loop: libevent has no usable backend, or "
                         "descriptors or memory ran out");
    }
    return base;
}
