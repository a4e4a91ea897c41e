/* SPDX-License-Identifier: MIT */
#include "config.h"

#include "tls/processor.h"

#include <string.h>

#include "suite.h"

static const char *describe(const char *settings)
{
    static char text[128];
    sc_processor_describe(settings, text, sizeof(text));
    return text;
}

START_TEST(bits_have_names)
{
    ck_assert_str_eq(describe("OPENSSL_ia32cap=0xfffa3203078bffff:0x405fc6f1bf07ab"),
                     "aes,pclmulqdq,ssse3,avx,avx2,avx512f,bmi2,adx,vaes,vpclmulqdq,sha_ni");
    /* OPENSSL_ia32cap=~0x200000200000000 takes AES and PCLMULQDQ away. */
    ck_assert_str_eq(describe("OPENSSL_ia32cap=0xfdfa3201078bffff:0x0 env:~0x200000200000000"),
                     "ssse3,avx");
    ck_assert_str_eq(describe("OPENSSL_ia32cap=0x0:0x0"), "none");
    ck_assert_str_eq(describe("OPENSSL_armcap=0x3d"), "neon,aes,sha1,sha2,pmull");
    ck_assert_str_eq(describe("OPENSSL_armcap=0x0"), "none");
    ck_assert_str_eq(describe("OPENSSL_ia32cap=x"), "unknown");
    ck_assert_str_eq(describe(NULL), "unknown");
}
END_TEST

START_TEST(a_small_buffer_is_enough_for_a_part)
{
    char text[8];
    sc_processor_describe("OPENSSL_ia32cap=0xffffffffffffffff:0xffffffffffffffff", text,
                          sizeof(text));
    ck_assert_str_eq(text, "aes,pcl");
    sc_processor_features(text, sizeof(text));
    ck_assert_uint_gt(strlen(text), 0);
}
END_TEST

SUITE_MAIN("processor", bits_have_names, a_small_buffer_is_enough_for_a_part)
