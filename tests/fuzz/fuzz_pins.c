/* SPDX-License-Identifier: MIT */
/*
 * The body of a PINS reply: nothing is read beyond its end, what is taken is written again to the
 * same bytes, and no proof is good, because nobody has signed for this exporter.
 */
#include "config.h"

#include <string.h>

#include "fuzz.h"
#include "tls/pins_message.h"

/* A current key of two bytes, and a next one on P-256 (the generator of the curve). */
const uint8_t fuzz_seed[] =
    "\1\2\1\0\2\5\0\0\0\0\0"
    "\2\0\133\60\131\60\23\6\7\52\206\110\316\75\2\1\6\10\52\206\110\316\75\3\1\7\3\102\0\4"
    "\153\27\321\362\341\54\102\107\370\274\346\345\143\244\100\362\167\3\175\201\55\353\63\240"
    "\364\241\71\105\330\230\302\226\117\343\102\342\376\32\177\233\216\347\353\112\174\17\236"
    "\26\53\316\63\127\153\61\136\316\313\266\100\150\67\277\121\365"
    "\4\3\0\10\60\6\2\1\1\2\1\1";
const size_t fuzz_seed_bytes = sizeof(fuzz_seed) - 1;

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t exporter[SC_PINS_EXPORTER_BYTES];
    struct sc_pins_message message;
    struct sc_err err = {0};
    uint8_t again[SC_PINS_MAX_BYTES];
    if (sc_pins_parse(data, size, &message, &err) != 0) {
        FUZZ_CHECK(err.status != 0 && err.text[0] != '\0');
        return 0;
    }
    FUZZ_CHECK(sc_pins_build(&message, again) == size && memcmp(again, data, size) == 0);
    if (message.next.spki) {
        FUZZ_CHECK(sc_pins_verify(&message.next, exporter, &err) != 0);
    }
    return 0;
}
