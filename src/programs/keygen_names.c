/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "programs/keygen_names.h"

#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tls/keygen.h"

/* A name that no certificate can hold is left out: it was not asked for. */
static void add(struct sc_names *names, const char *name)
{
    if (names->count == SC_NAMES_MAX || sc_keygen_check_name(name, NULL) != 0) {
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        if (strcasecmp(names->name[i], name) == 0) {
            return;
        }
    }
    (void)snprintf(names->name[names->count++], sizeof(names->name[0]), "%s", name);
}

/*
 * Of the names in one line of /etc/hosts, the first with a dot; NULL when `host` is not in the
 * line.
 */
static const char *full_name_in(const struct hostent *line, const char *host)
{
    const char *full = strchr(line->h_name, '.') ? line->h_name : NULL;
    bool found = strcasecmp(line->h_name, host) == 0;
    for (char *const *alias = line->h_aliases; *alias; alias++) {
        found = found || strcasecmp(*alias, host) == 0;
        if (!full && strchr(*alias, '.')) {
            full = *alias;
        }
    }
    return found ? full : NULL;
}

void sc_keygen_names_of_host(struct sc_names *names)
{
    char host[256] = "";

    names->count = 0;
    if (gethostname(host, sizeof(host) - 1) == 0 && host[0]) {
        /*
         * gethostent() reads /etc/hosts only; getaddrinfo() would also ask a name server, and may
         * wait for it.
         */
        sethostent(0);
        const struct hostent *line = strchr(host, '.') ? NULL : gethostent();
        for (; line; line = gethostent()) {
            const char *full = full_name_in(line, host);
            if (full) {
                add(names, full);
                break;
            }
        }
        endhostent();
        add(names, host);
    }
    add(names, "localhost");
    add(names, "127.0.0.1");
    add(names, "::1");
}
