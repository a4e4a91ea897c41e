/* SPDX-License-Identifier: MIT */
/* The options of sc-keygen. */
#ifndef SC_PROGRAMS_KEYGEN_OPTIONS_H
#define SC_PROGRAMS_KEYGEN_OPTIONS_H

#include "base/opt.h"

#define SC_KEYGEN_NAME "sc-keygen"
#define SC_KEYGEN_DEFAULT_DAYS 3650

/* `value` of the rows. */
enum {
    OPT_EC,
    OPT_RSA,
    OPT_ED25519,
    OPT_NAME,
    OPT_DAYS,
    OPT_FORCE,
    OPT_OUT,
    OPT_CONNECT,
    OPT_SHOW,
    OPT_CHECK,
    OPT_TICKET_KEYS,
    OPT_NEXT,
    OPT_PROMOTE,
    OPT_RENEW,
    OPT_STATUS,
    OPT_HELP,
    OPT_VERSION,
};

extern const struct sc_opt_table sc_keygen_option_table;

#endif
