/* SPDX-License-Identifier: MIT */
/* A fuzz target without libFuzzer: the same mutations of its seed every time. */
#include "config.h"

#include <string.h>

#include "fuzz.h"

#ifndef FUZZ_ROUNDS
#define FUZZ_ROUNDS 20000U
#endif
#define MAX_BYTES 512U

/* xorshift64 (Marsaglia, 2003): the same on every machine. */
static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

int main(void)
{
    static const uint8_t interesting[] = {0,   1,   7,   8,   9,   0x7f, 0x80, 0xff,
                                          ':', '[', ']', ';', '/', '.',  '=',  '"'};
    uint64_t state = 0x5bd1e995U;
    uint8_t input[MAX_BYTES];
    const size_t seed = fuzz_seed_bytes < MAX_BYTES ? fuzz_seed_bytes : MAX_BYTES;
    for (unsigned round = 0; round < FUZZ_ROUNDS; round++) {
        memcpy(input, fuzz_seed, seed);
        for (uint64_t changes = next(&state) % 6; changes > 0; changes--) {
            const uint64_t random = next(&state);
            input[random % seed] = random & 0x10000U
                                       ? interesting[(random >> 20) % sizeof(interesting)]
                                       : (uint8_t)(random >> 24);
            input[(random >> 32) % seed] = input[(random >> 44) % seed];
        }
        (void)LLVMFuzzerTestOneInput(input, next(&state) % (seed + 1));
    }
    return 0;
}
