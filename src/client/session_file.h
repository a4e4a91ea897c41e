/* SPDX-License-Identifier: MIT */
/*
 * The TLS session in a file (--session), to be resumed by the next run. It holds secrets, and
 * who can write it can pretend to be the server: the file must be the user's own and of mode
 * 0600. What is wrong with it is a warning, and never keeps a connection from being made. Thread:
 * the main one.
 */
#ifndef SC_CLIENT_SESSION_FILE_H
#define SC_CLIENT_SESSION_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include <spacecaptain/client.h>

/*
 * Offers what is in the file to the connections of these settings; no file is fine. False: the file
 * is not one that may be replaced, so sc_session_file_save() is not to be called.
 */
bool sc_session_file_load(const char *path, struct sc_client_settings *settings);

/* What is in the file is of no use any more: no file. */
void sc_session_file_drop(const char *path);

/* Replaces the file as a whole, or leaves it as it is. */
void sc_session_file_save(const char *path, const void *bytes, size_t size);

#endif
