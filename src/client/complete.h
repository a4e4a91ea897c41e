/* SPDX-License-Identifier: MIT */
/* Tab at the prompt. The EditLine's client data is the struct sc_cli. Thread: the main one. */
#ifndef SC_CLIENT_COMPLETE_H
#define SC_CLIENT_COMPLETE_H

#ifdef HAVE_LIBEDIT

#include <histedit.h>

/* For EL_ADDFN: the first word, as far as it is certain; else those that it can be are listed. */
unsigned char sc_complete(EditLine *editor, int key);

#endif

#endif
