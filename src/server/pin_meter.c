/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "server/pin_meter.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/evp.h>
#include <openssl/rand.h>

#include "base/clock.h"

#define SETS 1024U /* powers of two */
#define WAYS 16U
#define HOUR_MS UINT64_C(3600000)
#define LIFE_HOURS (24U * SC_PIN_METER_DAYS)
#define MAX_DEPTH 16U /* 12 bits of the tag still tell addresses apart */
#define SECRET_BYTES 32U

/*
 * An entry, 0: free. From the top: 28 bits of the client's hash, its tag (10 more choose the set);
 * 16 bits that name the next key; 17 bits for the hour since the start, which are 14 years; 3 bits
 * for what was said, plus one.
 */
#define TAG_BITS 28U
#define KEY_BITS 16U
#define HOUR_BITS 17U
#define SAID_BITS 3U
_Static_assert(TAG_BITS + KEY_BITS + HOUR_BITS + SAID_BITS == 64, "an entry is one word");

struct sc_pin_meter {
    uint8_t secret[SECRET_BYTES];
    uint64_t start_ms;
    _Atomic uint32_t depth; /* only tags that end in so many zero bits have an entry */
    _Atomic uint64_t entries[SETS][WAYS];
};

struct entry {
    uint32_t tag, key, hour, said; /* `said`: plus one */
};

static struct entry unpack(uint64_t word)
{
    return (struct entry){
        .tag = (uint32_t)(word >> (KEY_BITS + HOUR_BITS + SAID_BITS)),
        .key = (uint32_t)(word >> (HOUR_BITS + SAID_BITS)) & ((1U << KEY_BITS) - 1),
        .hour = (uint32_t)(word >> SAID_BITS) & ((1U << HOUR_BITS) - 1),
        .said = (uint32_t)word & ((1U << SAID_BITS) - 1),
    };
}

static uint64_t pack(const struct entry *entry)
{
    return (uint64_t)entry->tag << (KEY_BITS + HOUR_BITS + SAID_BITS) |
           (uint64_t)entry->key << (HOUR_BITS + SAID_BITS) | (uint64_t)entry->hour << SAID_BITS |
           entry->said;
}

static uint32_t hour_now(const struct sc_pin_meter *meter)
{
    return (uint32_t)((sc_clock_ms() - meter->start_ms) / HOUR_MS) & ((1U << HOUR_BITS) - 1);
}

/* 0: there is no next key. Two keys have the same name once in 65,535. */
static uint32_t key_name(const uint8_t *next)
{
    const uint32_t name = next ? (uint32_t)next[0] << 8 | next[1] : 0;
    return next && name == 0 ? 1 : name;
}

static bool is_in_sample(uint32_t tag, uint32_t depth)
{
    return (tag & ((1U << depth) - 1)) == 0;
}

static bool counts(const struct entry *entry, uint32_t hour, uint32_t depth)
{
    const int32_t age = (int32_t)(hour - entry->hour); /* another thread may be an hour ahead */
    return entry->said != 0 && age < (int32_t)LIFE_HOURS && is_in_sample(entry->tag, depth);
}

/* --- What was said --- */

const char *sc_pin_said_word(size_t said)
{
    static const char *const words[] = {"next", "others", "unknown"};
    return said < SC_COUNT_OF(words) ? words[said] : NULL;
}

enum sc_pin_said sc_pin_said(const uint8_t *next, const uint8_t *pins, size_t count)
{
    for (size_t i = 0; next && i < count; i++) {
        if (memcmp(pins + i * SC_PINS_PIN_BYTES, next, SC_PINS_PIN_BYTES) == 0) {
            return SC_PIN_SAID_NEXT;
        }
    }
    return count > 0 ? SC_PIN_SAID_OTHERS : SC_PIN_SAID_NOTHING;
}

uint64_t sc_pin_meter_client(const struct sc_pin_meter *meter, const struct sc_addr *peer)
{
    const uint64_t key = sc_addr_key(peer);
    uint8_t input[SECRET_BYTES + sizeof(key)], digest[EVP_MAX_MD_SIZE];
    uint64_t client = 0;
    memcpy(input, meter->secret, SECRET_BYTES);
    memcpy(input + SECRET_BYTES, &key, sizeof(key));
    if (EVP_Digest(input, sizeof(input), digest, NULL, EVP_sha256(), NULL) == 1) {
        memcpy(&client, digest, sizeof(client));
    }
    return client == 0 ? 1 : client;
}

/* The entry of this tag, else one that may be overwritten. NULL: all others count. */
static _Atomic uint64_t *find(_Atomic uint64_t *set, uint32_t tag, uint32_t hour, uint32_t depth,
                              uint64_t *word)
{
    _Atomic uint64_t *place = NULL;
    for (unsigned i = 0; i < WAYS; i++) {
        const uint64_t there = atomic_load_explicit(&set[i], memory_order_relaxed);
        const struct entry entry = unpack(there);
        const bool live = counts(&entry, hour, depth);
        if ((live && entry.tag == tag) || (!live && !place)) {
            place = &set[i];
            *word = there;
        }
        if (live && entry.tag == tag) {
            break;
        }
    }
    return place;
}

void sc_pin_meter_note(struct sc_pin_meter *meter, uint64_t client, const uint8_t *next,
                       enum sc_pin_said said)
{
    struct entry fresh = {.tag = (uint32_t)(client >> (64 - TAG_BITS)),
                          .key = key_name(next),
                          .hour = hour_now(meter),
                          .said = (uint32_t)said + 1};
    _Atomic uint64_t *set = meter->entries[client % SETS];
    for (;;) {
        uint32_t depth = atomic_load_explicit(&meter->depth, memory_order_relaxed);
        uint64_t before = 0;
        if (!is_in_sample(fresh.tag, depth)) {
            return;
        }
        _Atomic uint64_t *place = find(set, fresh.tag, fresh.hour, depth, &before);
        if (!place && depth == MAX_DEPTH) {
            return;
        }
        if (!place) { /* another thread may have done the same: then look again */
            (void)atomic_compare_exchange_strong(&meter->depth, &depth, depth + 1);
            continue;
        }
        const struct entry old = unpack(before);
        struct entry word = fresh;
        if (said == SC_PIN_SAID_NOTHING && counts(&old, fresh.hour, depth) &&
            old.tag == fresh.tag && old.key == fresh.key) {
            word.said = old.said;
        }
        if (pack(&word) == before || atomic_compare_exchange_strong(place, &before, pack(&word))) {
            return;
        }
    }
}

void sc_pin_meter_read(const struct sc_pin_meter *meter, const uint8_t *next,
                       struct sc_pin_meter_figures *out)
{
    const uint32_t hour = hour_now(meter), key = key_name(next);
    const uint32_t depth = atomic_load_explicit(&meter->depth, memory_order_relaxed);
    *out = (struct sc_pin_meter_figures){.one_in = 1U << depth};
    for (size_t i = 0; i < (size_t)SETS * WAYS; i++) {
        const struct entry entry =
            unpack(atomic_load_explicit(&meter->entries[i / WAYS][i % WAYS], memory_order_relaxed));
        if (!counts(&entry, hour, depth)) {
            continue;
        }
        out->clients += out->one_in;
        if (next && entry.key != key) {
            out->not_since += out->one_in;
        } else if (!next && entry.said == SC_PIN_SAID_NEXT + 1) {
            out->said[SC_PIN_SAID_OTHERS] +=
                out->one_in; /* of a key that is not the next one now */
        } else {
            out->said[entry.said - 1] += out->one_in;
        }
    }
}

/* --- Creating and freeing --- */

struct sc_pin_meter *sc_pin_meter_new(struct sc_err *err)
{
    struct sc_pin_meter *meter = calloc(1, sizeof(*meter));
    if (!meter || RAND_bytes(meter->secret, sizeof(meter->secret)) != 1) {
        free(meter);
        (void)sc_err_set(err, EX_OSERR, "can't start: out of memory, or no randomness");
        return NULL;
    }
    meter->start_ms = sc_clock_ms();
    return meter;
}

void sc_pin_meter_free(struct sc_pin_meter *meter)
{
    free(meter);
}
