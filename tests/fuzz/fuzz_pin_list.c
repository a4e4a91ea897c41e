/* SPDX-License-Identifier: MIT */
/*
 * A list of pins with names, as client-pin takes it: nothing is read beyond its end, each pin that
 * is taken has a name that needs no escape in a log, and what is refused is refused in one line.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "tls/pin_set.h"

const uint8_t fuzz_seed[] = "# a\nsha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= a-1\r\n\n"
                            "3 1 1 00112233445566778899aabbccddeeff"
                            "00112233445566778899aabbccddeeff\tb@c\n"
                            "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= a-1";
const size_t fuzz_seed_bytes = sizeof(fuzz_seed) - 1;

static void check_pin(const struct sc_pin *pin)
{
    const size_t length = pin->name ? strlen(pin->name) : 0;
    FUZZ_CHECK(length > 0 && length <= SC_PIN_NAME_MAX && !pin->path && !pin->store);
    FUZZ_CHECK(strcspn(pin->name, " \t\r\n\"=\\\x7f") == length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    struct sc_pin_set *set = sc_pin_set_new();
    struct sc_err err = {0};
    FUZZ_CHECK(text && set);
    memcpy(text, data, size);
    text[size] = '\0';
    if (sc_pin_set_add_list(set, "list", text, size, &err) == 0) {
        FUZZ_CHECK(set->count > 0);
    } else {
        FUZZ_CHECK(err.status != 0 && strncmp(err.text, "list", 4) == 0);
        FUZZ_CHECK(!strchr(err.text, '\n'));
    }
    for (size_t i = 0; i < set->count; i++) {
        check_pin(&set->pins[i]);
    }
    sc_pin_set_free(set);
    free(text);
    return 0;
}
