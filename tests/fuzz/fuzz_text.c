/* SPDX-License-Identifier: MIT */
/*
 * What people write: addresses, sizes, durations, pins. Nothing overflows, and an address that is
 * taken is written and taken again.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "fuzz.h"
#include "tls/pin.h"

const uint8_t fuzz_seed[] =
    "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=;[2001:db8::1]:4242 unix:/a 64K 1.5s "
    "cert-sha256:00:11";
const size_t fuzz_seed_bytes = sizeof(fuzz_seed) - 1;

static void fuzz_address(const char *text)
{
    struct sc_address address, again;
    char written[300];
    /*
     * A host named "unix" can be taken with a port that is not written, and then reads as a path.
     */
    if (sc_parse_address(text, "4242", &address, NULL) == 0 && strcmp(address.host, "unix") != 0) {
        sc_format_address(&address, written, sizeof(written));
        FUZZ_CHECK(sc_parse_address(written, NULL, &again, NULL) == 0);
        FUZZ_CHECK(address.is_unix == again.is_unix && strcmp(address.host, again.host) == 0 &&
                   strcmp(address.port, again.port) == 0);
    }
}

/* Not as a file: what the machine has is not input. */
static void fuzz_pin(const char *text)
{
    static const char prefix[] = "sha256//";
    struct sc_pin_set *set = sc_pin_set_new();
    struct sc_err err = {0};
    if (set && strncmp(text, prefix, sizeof(prefix) - 1) == 0) {
        const int rc = sc_pin_set_add(set, text, &err);
        FUZZ_CHECK((rc == 0) == (sc_pin_set_count(set) > 0));
        FUZZ_CHECK(rc == 0 || (err.status != 0 && err.text[0] != '\0'));
    }
    sc_pin_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    uint64_t value;
    FUZZ_CHECK(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    fuzz_address(text);
    fuzz_pin(text);
    if (sc_parse_size(text, 1, 1000, &value, NULL) == 0) {
        FUZZ_CHECK(value >= 1 && value <= 1000);
    }
    if (sc_parse_duration_ms(text, 5, 7000, &value, NULL) == 0) {
        FUZZ_CHECK(value >= 5 && value <= 7000);
    }
    free(text);
    return 0;
}
