/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "lib/saved_session.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/crypto.h>

static const char magic[] = "SCSES1\n";
#define MAGIC_BYTES (sizeof(magic) - 1)

int sc_saved_session_check(const void *bytes, size_t count, struct sc_err *err)
{
    if (count <= SC_SAVED_SESSION_HEADER_BYTES || count > SC_SAVED_SESSION_MAX_BYTES ||
        memcmp(bytes, magic, MAGIC_BYTES) != 0) {
        return sc_err_set(err, EX_DATAERR, "not a saved session");
    }
    return 0;
}

void sc_saved_session_put_header(uint8_t out[SC_SAVED_SESSION_HEADER_BYTES], const char *library,
                                 const struct sc_pin_set *pins)
{
    memcpy(out, magic, MAGIC_BYTES);
    out[MAGIC_BYTES] = (uint8_t)library[0];
    sc_pin_set_digest(pins, out + MAGIC_BYTES + 1);
}

const uint8_t *sc_saved_session_payload(const uint8_t *bytes, size_t count, const char *library,
                                        const struct sc_pin_set *pins, size_t *payload_count)
{
    uint8_t header[SC_SAVED_SESSION_HEADER_BYTES];
    if (!bytes || sc_saved_session_check(bytes, count, NULL) != 0) {
        return NULL;
    }
    sc_saved_session_put_header(header, library, pins);
    if (memcmp(bytes, header, sizeof(header)) != 0) {
        return NULL;
    }
    *payload_count = count - sizeof(header);
    return bytes + sizeof(header);
}

void sc_saved_session_wipe(uint8_t *bytes, size_t count)
{
    if (bytes) {
        OPENSSL_cleanse(bytes, count);
        free(bytes);
    }
}
