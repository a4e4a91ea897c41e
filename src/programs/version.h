/* SPDX-License-Identifier: MIT */
/* --version. */
#ifndef SC_PROGRAMS_VERSION_H
#define SC_PROGRAMS_VERSION_H

/* Prints version, and those of the OpenSSL and libevent that it runs on, to stdout. */
void sc_version_print(const char *program);

#endif
