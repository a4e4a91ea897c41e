/* SPDX-License-Identifier: MIT */
/*
 * A PROXY header in pieces of every size: the verdict does not depend on how it is cut, no byte
 * beyond it is asked for, and it is never longer than the limit.
 */
#include "config.h"

#include <stdbool.h>
#include <string.h>

#include "fuzz.h"
#include "net/proxy_header.h"

const uint8_t fuzz_seed[] =
    "\3\r\n\r\n\0\r\nQUIT\n\41\21\0\27\300\0\2\1\306\63\144\2\60\71\20\222\2\0\10"
    "a.example\26\3\1\2\0\1\0\1\374\3\3..................................";
const size_t fuzz_seed_bytes = sizeof(fuzz_seed) - 1;

struct result {
    enum sc_proxy_verdict verdict;
    size_t taken;
    struct sc_addr client;
};

static struct result read_in_pieces(const uint8_t *bytes, size_t length, size_t piece)
{
    struct sc_proxy_header header = {0};
    struct result result = {.verdict = SC_PROXY_INCOMPLETE};
    while (result.verdict == SC_PROXY_INCOMPLETE && result.taken < length) {
        const size_t wants = sc_proxy_header_wants(&header);
        size_t count = wants < piece ? wants : piece;
        count = count < length - result.taken ? count : length - result.taken;
        FUZZ_CHECK(wants > 0 && wants <= SC_PROXY_HEADER_MAX_BYTES);
        result.verdict = sc_proxy_header_take(&header, bytes + result.taken, count, &result.client);
        result.taken += count;
    }
    FUZZ_CHECK(result.taken <= SC_PROXY_HEADER_MAX_BYTES);
    if (result.verdict == SC_PROXY_CLIENT || result.verdict == SC_PROXY_NO_CLIENT) {
        FUZZ_CHECK(sc_proxy_header_wants(&header) == 0);
    }
    return result;
}

static bool same(const struct sc_addr *a, const struct sc_addr *b)
{
    return memcmp(a->host, b->host, sizeof(a->host)) == 0 && a->scope == b->scope &&
           a->port == b->port && a->family == b->family;
}

/* The first byte is the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    const struct result whole = read_in_pieces(data + 1, size - 1, size);
    const struct result pieces = read_in_pieces(data + 1, size - 1, 1U + data[0] % 32U);
    FUZZ_CHECK(pieces.verdict == whole.verdict);
    FUZZ_CHECK(whole.verdict > SC_PROXY_NO_CLIENT || pieces.taken == whole.taken);
    FUZZ_CHECK(whole.verdict != SC_PROXY_CLIENT || same(&pieces.client, &whole.client));
    return 0;
}
