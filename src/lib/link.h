/* SPDX-License-Identifier: MIT */
/*
 * One connection: the socket is connected, then an engine runs over it, until the end. What
 * happens after the end is decided by its owner, client.c. Thread: one.
 */
#ifndef SC_LIB_LINK_H
#define SC_LIB_LINK_H

#include <stdint.h>

#include "base/err.h"
#include "base/parse.h"
#include "lib/saved_session.h"
#include "spacecaptain/client.h"

struct sc_link;

/*
 * Begins to connect. `settings` and `session` are borrowed for the link's life. NULL: out of
 * memory; what else can fail is its END.
 */
struct sc_link *sc_link_start(struct sc_client_settings *settings, const struct sc_address *address,
                              const struct sc_saved_session *session,
                              struct sc_err *err) SC_NODISCARD;

/* Over a connected, non-blocking socket, which it takes over on success. */
struct sc_link *sc_link_start_fd(struct sc_client_settings *settings, int fd, const char *host,
                                 struct sc_err *err) SC_NODISCARD;

/* At once; close_notify is sent if that takes no waiting. NULL is fine. */
void sc_link_free(struct sc_link *link);

/* As sc_client_process() and sc_client_next_event() of one connection: READY, REPLY..., END. */
void sc_link_process(struct sc_link *link);
int sc_link_next_event(struct sc_link *link, struct sc_client_event *event);

int sc_link_fd(const struct sc_link *link);
short sc_link_events(const struct sc_link *link);
/* Of sc_clock_ms(); UINT64_MAX: none. */
uint64_t sc_link_deadline_ms(const struct sc_link *link);

/* NULL until the socket is connected. */
struct sc_client_engine *sc_link_engine(const struct sc_link *link);

void sc_link_close(struct sc_link *link);
int sc_link_info(const struct sc_link *link, struct sc_client_info *info);

#endif
