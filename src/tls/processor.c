/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/processor.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

#include <openssl/crypto.h>

#include "base/compiler.h"

struct feature {
    unsigned word, bit;
    const char *name;
};

/* OPENSSL_ia32cap(3): CPUID 1 in the first word, CPUID 7 in the second. */
static const struct feature x86[] = {
    {0, 57, "aes"},  {0, 33, "pclmulqdq"},  {0, 41, "ssse3"},  {0, 60, "avx"},
    {1, 5, "avx2"},  {1, 16, "avx512f"},    {1, 8, "bmi2"},    {1, 19, "adx"},
    {1, 41, "vaes"}, {1, 42, "vpclmulqdq"}, {1, 29, "sha_ni"},
};

/* OpenSSL's crypto/arm_arch.h. */
static const struct feature arm[] = {
    {0, 0, "neon"}, {0, 2, "aes"},   {0, 3, "sha1"},
    {0, 4, "sha2"}, {0, 5, "pmull"}, {0, 6, "sha512"},
};

static void put_names(const struct feature *features, size_t count, const uint64_t words[2],
                      char *out, size_t out_size)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (words[features[i].word] >> features[i].bit & 1 && used < out_size) {
            used += (size_t)snprintf(out + used, out_size - used, "%s%s", used > 0 ? "," : "",
                                     features[i].name);
        }
    }
}

void sc_processor_describe(const char *settings, char *out, size_t out_size)
{
    uint64_t words[2] = {0, 0};
    (void)snprintf(out, out_size, "none");
    if (settings &&
        sscanf(settings, "OPENSSL_ia32cap=%" SCNx64 ":%" SCNx64, &words[0], &words[1]) == 2) {
        put_names(x86, SC_COUNT_OF(x86), words, out, out_size);
    } else if (settings && sscanf(settings, "OPENSSL_armcap=%" SCNx64, &words[0]) == 1) {
        put_names(arm, SC_COUNT_OF(arm), words, out, out_size);
    } else {
        (void)snprintf(out, out_size, "unknown");
    }
}

void sc_processor_features(char *out, size_t out_size)
{
    sc_processor_describe(OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS), out, out_size);
}
