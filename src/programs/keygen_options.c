/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "programs/keygen_options.h"

#include <sysexits.h>

#define STRING(number) #number
#define STRING_OF(macro) STRING(macro)

static const struct sc_opt rows[] = {
    SC_OPT("ec", 0, OPT_EC, NULL, "a key on the curve P-256 (the default)"),
    SC_OPT("rsa", 0, OPT_RSA, "BITS", "an RSA key of 2048 to 16384 bits"),
    SC_OPT("ed25519", 0, OPT_ED25519, NULL, "an Ed25519 key"),
    SC_OPT("name", 0, OPT_NAME, "NAME",
           "a host name or an address that the certificate is for; repeatable",
           .initial = "this host's names, localhost, 127.0.0.1, ::1", .repeatable = true,
           .complete = SC_OPT_HOSTS),
    SC_OPT("days", 0, OPT_DAYS, "N", "the certificate is valid for N days, 1 to 36500",
           .initial = STRING_OF(SC_KEYGEN_DEFAULT_DAYS)),
    SC_OPT("force", 0, OPT_FORCE, NULL, "replace files that are there"),
    SC_OPT("out", 0, OPT_OUT, "BASE", "where the files go, without .key and .crt",
           .initial = "server", .complete = SC_OPT_FILES),
    SC_OPT("connect", 0, OPT_CONNECT, "ADDR",
           "with --status: the metrics-listen of a running server, to say whether it is safe to "
           "promote",
           .complete = SC_OPT_HOSTS),
    SC_OPT("show", 0, OPT_SHOW, "FILE",
           "print what is in a certificate or a private key: its kind, names, dates, and pins",
           .complete = SC_OPT_PEM_FILES),
    SC_OPT("check", 0, OPT_CHECK, "BASE",
           "say whether pair, dates and permissions are right; of a directory: DIRECTORY/server",
           .complete = SC_OPT_PEM_FILES),
    SC_OPT("next", 0, OPT_NEXT, NULL,
           "make the key that comes after BASE.key, BASE.next.key and BASE.next.crt, for the "
           "server to announce"),
    SC_OPT("promote", 0, OPT_PROMOTE, NULL,
           "make the next key the current one, and keep that one as BASE.previous.key and "
           "BASE.previous.crt"),
    SC_OPT("renew", 0, OPT_RENEW, NULL, "make a new certificate for the same key"),
    SC_OPT("status", 0, OPT_STATUS, NULL, "say what is there, and what to do next"),
    SC_OPT("ticket-keys", 0, OPT_TICKET_KEYS, "FILE",
           "make a file with keys for session tickets, or rotate those in it: current, next, "
           "previous",
           .complete = SC_OPT_FILES),
    SC_OPT_HELP_ROW(OPT_HELP),
    SC_OPT_VERSION_ROW(OPT_VERSION),
};

static const struct sc_opt_status statuses[] = {
    {.status = EX_USAGE},
    {.status = EX_DATAERR, .text = "bad data in a file"},
    {.status = EX_NOINPUT},
    {.status = EX_UNAVAILABLE, .text = "no server answers at ADDR"},
    {.status = EX_SOFTWARE, .text = "a key can't be made"},
    {.status = EX_OSERR},
    {.status = EX_CANTCREAT},
    {.status = EX_IOERR},
    {.status = EX_TEMPFAIL,
     .text = "another process works on the files, or it is not known to be safe to promote"},
    {.status = EX_CONFIG,
     .text = "--check or --status found a problem, or FILE has no ticket keys"},
    {.status = EX_OK}};

const struct sc_opt_table sc_keygen_option_table = {
    .program = SC_KEYGEN_NAME,
    .usage = "Usage: sc-keygen [--ec | --rsa BITS | --ed25519] [--name NAME]... [--days N]\n"
             "                 [--force] [--out BASE]\n"
             "       sc-keygen --show FILE\n"
             "       sc-keygen --check BASE\n"
             "       sc-keygen --next | --promote | --renew | --status [OPTION]...\n"
             "       sc-keygen --status --connect ADDR [--out BASE]\n"
             "       sc-keygen --ticket-keys FILE\n"
             "Makes a private key and a self-signed certificate, BASE.key and BASE.crt, and\n"
             "prints the pins that clients need.\n",
    .rows = rows,
    .count = SC_COUNT_OF(rows),
    .statuses = statuses,
    .ends_at_word = true,
};
