/* SPDX-License-Identifier: MIT */
/*
 * A fuzz target: LLVMFuzzerTestOneInput() as libFuzzer calls it, and an input to start from.
 * ./configure CC=clang --enable-fuzzing links it with libFuzzer, and `make fuzz` runs it; any
 * other build links tests/fuzz_replay.c, and `make check` runs it on a fixed sequence of
 * mutations.
 */
#ifndef SC_TESTS_FUZZ_H
#define SC_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

extern const uint8_t fuzz_seed[];
extern const size_t fuzz_seed_bytes;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What must hold, whatever the input. */
#define FUZZ_CHECK(condition) ((condition) ? (void)0 : __builtin_trap())

#endif
