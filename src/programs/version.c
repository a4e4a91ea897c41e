/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "programs/version.h"

#include <stdio.h>

#include <event2/event.h>
#include <openssl/crypto.h>

void sc_version_print(const char *program)
{
    printf("%s (Space Captain) %s\n", program, VERSION);
    printf("%s\n", OpenSSL_version(OPENSSL_VERSION));
    printf("libevent %s\n", event_get_version());
}
