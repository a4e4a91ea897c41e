#include "config.h"

#include "server/settle.h"

#include <sysexits.h>

#include "base/pool.h"

#define CROWD 256U /* connections; after fewer it is not worth a look */

static void on_timer(evutil_socket_t fd, short what, void *arg)
{
    struct sc_settle *settle = arg;
    const bool is_low = settle->crowd >= CROWD && settle->open <= settle->crowd / 4;
    (void)fd;
    (void)what;
    settle->is_set = false;
    if (is_low && settle->was_low) {
        settle->crowd = settle->open;
        settle->was_low = false;
        settle->give_all();
        return;
    }
    settle->was_low = is_low;
    settle->give_some();
    if (is_low) {
        sc_settle_later(settle);
    }
}

int sc_settle_init(struct sc_settle *settle, struct event_base *base, struct sc_err *err)
{
    *settle = (struct sc_settle){.timer = evtimer_new(base, on_timer, settle),
                                 .give_some = sc_pool_settle,
                                 .give_all = sc_pool_trim};
    return settle->timer ? 0 : sc_err_set(err, EX_OSERR, "cannot start a worker: out of memory");
}

void sc_settle_fini(struct sc_settle *settle)
{
    if (settle->timer) {
        event_free(settle->timer);
        settle->timer = NULL;
    }
}

void sc_settle_opened(struct sc_settle *settle)
{
    settle->open++;
    settle->crowd = settle->open > settle->crowd ? settle->open : settle->crowd;
}

void sc_settle_closed(struct sc_settle *settle)
{
    settle->open--;
    sc_settle_later(settle);
}

void sc_settle_later(struct sc_settle *settle)
{
    static const struct timeval second = {1, 0};
    if (!settle->is_set) {
        settle->is_set = event_add(settle->timer, &second) == 0;
    }
}
