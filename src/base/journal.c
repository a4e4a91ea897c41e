/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "base/journal.h"

#include <string.h>
#include <unistd.h>

bool sc_journal_open(struct sc_journal *journal, const char *path)
{
    journal->fd = -1;
    journal->address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(journal->address.sun_path) || access(path, W_OK) != 0) {
        return false;
    }
    memcpy(journal->address.sun_path, path, strlen(path));
    journal->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    return journal->fd >= 0;
}

void sc_journal_close(struct sc_journal *journal)
{
    if (journal->fd >= 0) {
        (void)close(journal->fd);
        journal->fd = -1;
    }
}

bool sc_journal_send(const struct sc_journal *journal, struct iovec *parts, size_t count)
{
    struct sockaddr_un address = journal->address;
    const struct msghdr message = {
        .msg_name = &address,
        .msg_namelen = sizeof(address),
        .msg_iov = parts,
        .msg_iovlen = count,
    };
    return sendmsg(journal->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0;
}
