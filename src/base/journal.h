/* SPDX-License-Identifier: MIT */
/*
 * The systemd journal's own socket: entries with fields instead of lines. One datagram is one
 * entry, each field of it "NAME=value\n" (Native Journal Protocol, systemd.io). A value must be
 * free of newlines: the form for others is not needed here. An entry of more than the socket's
 * buffer (200 KiB) would have to go by memfd; the log's are below 9 KiB. Thread: any.
 */
#ifndef SC_BASE_JOURNAL_H
#define SC_BASE_JOURNAL_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#define SC_JOURNAL_SOCKET "/run/systemd/journal/socket"

struct sc_journal {
    int fd; /* -1: it is not open */
    struct sockaddr_un address;
};

/* False: the socket is missing or can't be used; `journal` is not open then. */
bool sc_journal_open(struct sc_journal *journal, const char *path);
void sc_journal_close(struct sc_journal *journal); /* fine when it is not open */

/*
 * Sends the parts as one entry. It never waits; false: the journal did not take it. The address
 * goes with each entry, so that a socket which is made anew is found.
 */
bool sc_journal_send(const struct sc_journal *journal, struct iovec *parts, size_t count);

#endif
