/* SPDX-License-Identifier: MIT */
/*
 * The text of a pin store: nothing is read beyond its end; what is taken is edited, and the result
 * is taken again and has the pins that it was meant to have.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "lib/pin_store_text.h"

#define SERVER "::1 4242"

const uint8_t fuzz_seed[] =
    "# mine\n::1 4242 sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= 2026-11-22T00:12:43Z "
    "given\n::1 4242 sha256//AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE= 2026-11-22T00:12:43Z a\n"
    "unix:/a - sha256//AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI= 2026-11-22T00:12:43Z b";
const size_t fuzz_seed_bytes = sizeof(fuzz_seed) - 1;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t current[SC_PINS_PIN_BYTES] = {0}, next[SC_PINS_PIN_BYTES] = {7};
    struct sc_pin_store_pins pins, again;
    struct sc_err err = {0};
    size_t length;
    /* Memory of its own, so that a sanitizer sees what is read beyond it. */
    char *text = malloc(size + (size == 0));
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    if (sc_pin_store_find(text, size, "f", SERVER, &pins, &err) != 0) {
        FUZZ_CHECK(err.status != 0 && strncmp(err.text, "f:", 2) == 0);
        free(text);
        return 0;
    }
    FUZZ_CHECK(pins.count <= SC_PINS_MAX_ACCEPTED);
    (void)sc_pin_store_learn(&pins, current, next, true);
    char *edited = sc_pin_store_edit(text, size, SERVER, &pins, "2026-11-22T00:12:43Z", &length);
    FUZZ_CHECK(edited != NULL);
    FUZZ_CHECK(sc_pin_store_find(edited, length, "f", SERVER, &again, &err) == 0);
    sc_pin_store_remove_dropped(&pins);
    FUZZ_CHECK(again.count == pins.count);
    for (size_t i = 0; i < pins.count; i++) {
        FUZZ_CHECK(sc_pin_store_index(&again, pins.list[i].pin) < again.count);
    }
    free(edited);
    free(text);
    return 0;
}
