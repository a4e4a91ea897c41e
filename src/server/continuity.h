/* SPDX-License-Identifier: MIT */
/*
 * Which keys this server has served with and announced, and since when, across restarts: a change
 * to a key that was never announced locks out the clients that have pinned the one before, and is
 * called that (key-continuity). An announcement holds until another announced key is served with:
 * clients drop what they have learnt before it.
 *
 * It is remembered in a small file of text, in the directory that systemd gives the service
 * (StateDirectory=, in $STATE_DIRECTORY), else beside the private key: "server.announced" for
 * "server.key". A file that can't be read or written is a warning: then the next start knows less.
 *
 * Thread: the main one.
 */
#ifndef SC_SERVER_CONTINUITY_H
#define SC_SERVER_CONTINUITY_H

#include <time.h>

#include "base/err.h"
#include "server/configuration.h"
#include "tls/announcement.h"

struct sc_continuity;

/*
 * Reads the file of that configuration. NULL: out of memory. A file that is damaged, or can't be
 * read, is logged, and counts as none.
 */
struct sc_continuity *sc_continuity_new(const struct sc_config *config,
                                        struct sc_err *err) SC_NODISCARD;
void sc_continuity_free(struct sc_continuity *continuity); /* NULL is fine */

/*
 * Whether what a reload has read may be served with: with `enforce` not when its key is another one
 * than now and was never announced. EX_CONFIG.
 */
int sc_continuity_check(const struct sc_continuity *continuity, const struct sc_config *config,
                        const struct sc_announcement *keys, struct sc_err *err) SC_NODISCARD;

/*
 * These keys are what is served with from now on: logs what has changed, a lock-out of clients
 * too, and remembers it. With key-continuity off nothing is logged or written.
 */
void sc_continuity_adopt(struct sc_continuity *continuity, const struct sc_config *config,
                         const struct sc_announcement *keys);

/* When the next of these keys was announced first. 0: there is none, or it was not remembered. */
time_t sc_continuity_next_key_since(const struct sc_continuity *continuity,
                                    const struct sc_announcement *keys);

#endif
