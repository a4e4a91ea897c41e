/* SPDX-License-Identifier: MIT */
/*
 * A hash table of client addresses (sc_addr_key()). What is kept for an address begins with a
 * struct sc_address_node. Thread: its owner's.
 */
#ifndef SC_SERVER_ADDRESS_TABLE_H
#define SC_SERVER_ADDRESS_TABLE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct sc_address_table;

struct sc_address_node {
    LIST_ENTRY(sc_address_node) link;
    uint64_t key;
};

struct sc_address_table *sc_address_table_new(void); /* NULL: no memory, or no randomness */

/* Frees every node that is left with free(3), and the table. NULL is fine. */
void sc_address_table_free(struct sc_address_table *table);

/*
 * The node of that key; a new one of `size` bytes, all zero but the key, if there is none. NULL:
 * out of memory.
 */
void *sc_address_table_add(struct sc_address_table *table, uint64_t key, size_t size);

/* Takes it out and frees it. */
void sc_address_table_remove(struct sc_address_node *node);

#endif
