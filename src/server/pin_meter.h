/* SPDX-License-Identifier: MIT */
/*
 * How many clients accept the next key: of those that have asked for PINS in the last seven days,
 * by what they have said of the pins that they accept.
 *
 * A client is an address (IPv6: a /64). No address is kept: an entry has bits of a hash, with a key
 * that is random for each process and is never written anywhere, and the hour of the last request.
 * So the clients behind one address count as one, and what one of them said last stands for all;
 * made-up clients take an address each. Nothing is kept over a restart of the server.
 *
 * The structure has a fixed size, 128 KiB: a table of 1024 sets of 16 entries. Up to some 5,000
 * clients every one has an entry, and the figures are exact (but for addresses that hash alike: one
 * in many millions). When a set is full the table becomes a sample (Wegman's adaptive sampling: P.
 * Flajolet, "On adaptive sampling", Computing 43, 1990): from then on only addresses whose hash
 * ends in one more zero bit are kept, and each stands for twice as many. There are then 2,500 to
 * 7,500 entries, and the standard error of a figure is at most 2 % of all clients. The sample stays
 * as sparse as it once had to become.
 *
 * Thread: any. An entry is one atomic word, so that workers neither wait for each other nor for
 * readers.
 */
#ifndef SC_SERVER_PIN_METER_H
#define SC_SERVER_PIN_METER_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "net/addr.h"
#include "proto/pins.h"

#define SC_PIN_METER_DAYS 7U

/* What a request says: the pins in its body, or none. */
enum sc_pin_said {
    SC_PIN_SAID_NEXT, /* the next key's is among them */
    SC_PIN_SAID_OTHERS, /* it is not, or there is no next key */
    SC_PIN_SAID_NOTHING,
    SC_PIN_SAID_COUNT
};
const char *sc_pin_said_word(size_t said); /* NULL: there is no such value */

/* `next` NULL: there is no next key. */
enum sc_pin_said sc_pin_said(const uint8_t *next, const uint8_t *pins, size_t count);

struct sc_pin_meter;

struct sc_pin_meter *sc_pin_meter_new(struct sc_err *err) SC_NODISCARD;
void sc_pin_meter_free(struct sc_pin_meter *meter); /* NULL is fine */

/* A number for the client at this address, the same for the life of the meter; never 0. */
uint64_t sc_pin_meter_client(const struct sc_pin_meter *meter, const struct sc_addr *peer);

/*
 * What a client has said while `next` (32 bytes, NULL: none) was the pin of the next key. The last
 * word counts, but that it said nothing does not take back what it has said of this key.
 */
void sc_pin_meter_note(struct sc_pin_meter *meter, uint64_t client, const uint8_t *next,
                       enum sc_pin_said said);

/* Numbers of clients. `clients` is about that when one_in is not 1. */
struct sc_pin_meter_figures {
    uint64_t said[SC_PIN_SAID_COUNT];
    uint64_t not_since; /* have asked, but not since this next key was announced */
    uint64_t clients; /* all of these */
    uint32_t one_in; /* the share of addresses that is looked at */
};
void sc_pin_meter_read(const struct sc_pin_meter *meter, const uint8_t *next,
                       struct sc_pin_meter_figures *out);

#endif
