/* SPDX-License-Identifier: MIT */
/*
 * What a service and systemd say to each other, without its library: notifications (sd_notify(3)),
 * inherited sockets (sd_listen_fds(3)), the watchdog (sd_watchdog_enabled(3)), credentials
 * (systemd.exec(5)), and the descriptor store (sd_pid_notify_with_fds(3)). Everything comes from
 * the environment, which is read once; without systemd there is nothing in it, and every function
 * does nothing.
 *
 * Thread: sc_sysd_init() before there are others; the rest any.
 */
#ifndef SC_BASE_SYSD_H
#define SC_BASE_SYSD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/compiler.h"
#include "base/err.h"

#define SC_SYSD_MAX_SOCKETS 64U
#define SC_SYSD_STATUS_BYTES 896U /* enough for any status line, with its NUL */

struct sc_sysd {
    struct sockaddr_un notify;
    socklen_t notify_length; /* 0: no notifications */
    uint64_t
        watchdog_ms; /* the service is killed when it is silent for that long; 0: no watchdog */

    /* Inherited descriptors, close-on-exec, not checked further: those that
     * sc_sysd_take_stored() has not taken, most of them sockets. */
    size_t socket_count;
    int sockets[SC_SYSD_MAX_SOCKETS];
    char names[SC_SYSD_MAX_SOCKETS]
              [64]; /* FileDescriptorName= of each; "unknown" when none was passed on */

    char credentials[1024]; /* directory; empty: none */
};

/* -1: the environment is not as systemd makes it. */
int sc_sysd_init(struct sc_sysd *sysd, struct sc_err *err) SC_NODISCARD;

/*
 * The start is done, or a reload. `status` is what systemctl status shows. A failure does not
 * concern the service, so there is no result.
 */
void sc_sysd_ready(const struct sc_sysd *sysd, const char *status);

/*
 * A reload begins: with the time, as Type=notify-reload wants it. sc_sysd_ready() must follow,
 * also when the reload fails.
 */
void sc_sysd_reloading(const struct sc_sysd *sysd);

void sc_sysd_stopping(const struct sc_sysd *sysd, const char *status);
void sc_sysd_status(const struct sc_sysd *sysd, const char *status);

/*
 * Asks for `ms` more than TimeoutStopSec=, counted from now; again before they are over, for as
 * long as the stop makes progress (EXTEND_TIMEOUT_USEC). Never blocks.
 */
void sc_sysd_extend_timeout(const struct sc_sysd *sysd, uint64_t ms);

/* Pings the watchdog; call it every watchdog_ms / 2 or sooner. Never blocks. */
void sc_sysd_watchdog(const struct sc_sysd *sysd);

/*
 * The descriptor store (FileDescriptorStoreMax=) keeps a few bytes in memory over a restart, in a
 * sealed file of memfd_create(2): it cannot be changed, and is on no disk.
 */
#define SC_SYSD_STORED_BYTES 1024U

/*
 * Stores a copy of these bytes under `name`, in place of what was stored there; `length` 0: only
 * removes that. -1: EX_OSERR, and what was stored stays. A manager without a store is not noticed.
 */
int sc_sysd_store(const struct sc_sysd *sysd, const char *name, const void *bytes, size_t length,
                  struct sc_err *err) SC_NODISCARD;

/*
 * Takes what an earlier process of the service has stored under `name` from among the inherited
 * descriptors; it stays stored. `*length` 0: nothing. -1 (EX_DATAERR): not a file that
 * sc_sysd_store() has made. `out` may hold secrets then, too.
 */
int sc_sysd_take_stored(struct sc_sysd *sysd, const char *name, uint8_t out[SC_SYSD_STORED_BYTES],
                        size_t *length, struct sc_err *err) SC_NODISCARD;

/* The path of a credential (LoadCredential=). -1: there is none of this name. */
int sc_sysd_credential(const struct sc_sysd *sysd, const char *name, char *path,
                       size_t path_size) SC_NODISCARD;

#endif
