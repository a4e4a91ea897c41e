#include "config.h"

#include "net/loop.h"

#include <signal.h>
#include <sysexits.h>

#include "base/log.h"
#include "base/pool.h"

static void on_libevent_log(int severity, const char *message)
{
    const enum sc_log_level level = severity >= EVENT_LOG_ERR ? SC_LOG_ERROR : severity >= EVENT_LOG_WARN ? SC_LOG_WARNING : SC_LOG_DEBUG;
    sc_log_message(level, "libevent", "%s", message);
}

void sc_loop_init(void)
{
    (void)signal(SIGPIPE, SIG_IGN); /* writev(2) has no MSG_NOSIGNAL */
    event_set_mem_functions(sc_pool_malloc, sc_pool_realloc, sc_pool_free);
    event_set_log_callback(on_libevent_log);
}

void sc_loop_fini(void)
{
    libevent_global_shutdown();
}

struct event_base *sc_loop_new_base(struct sc_err *err)
{
    struct event_config *config = event_config_new();
    struct event_base   *base   = NULL;
    if (config && event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0) {
        base = event_base_new_with_config(config);
    }
    if (config) {
        event_config_free(config);
    }
    if (!base) {
        (void)sc_err_set(err, EX_OSERR, "cannot create an event loop: libevent has no usable backend, or descriptors or memory ran out");
    }
    return base;
}
