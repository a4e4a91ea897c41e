/* SPDX-License-Identifier: MIT */
/*
 * Structs of the public header begin with their size. That of a caller may be another one: it was
 * compiled with an older or a newer header. Thread: any.
 */
#ifndef SC_LIB_SIZED_H
#define SC_LIB_SIZED_H

#include <stddef.h>
#include <string.h>

/* Copies as much of `from`, which has `size` bytes, as both have; the size in *out stays. */
static inline void sc_sized_copy(void *out, const void *from, size_t size)
{
    size_t room;
    memcpy(&room, out, sizeof(room));
    memcpy(out, from, room < size ? room : size);
    memcpy(out, &room, sizeof(room));
}

#endif
