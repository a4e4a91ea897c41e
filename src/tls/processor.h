/* SPDX-License-Identifier: MIT */
/*
 * Which features of the processor OpenSSL's cryptography uses: what it found, less what
 * OPENSSL_ia32cap or OPENSSL_armcap in the environment has taken away. Thread: any.
 */
#ifndef SC_TLS_PROCESSOR_H
#define SC_TLS_PROCESSOR_H

#include <stddef.h>

/*
 * "aes,pclmulqdq,avx,...", in the words of /proc/cpuinfo; "none"; "unknown" where OpenSSL does not
 * say. 128 bytes take all.
 */
void sc_processor_features(char *out, size_t out_size);

/* The same of what OPENSSL_info(OPENSSL_INFO_CPU_SETTINGS) says; NULL: nothing. */
void sc_processor_describe(const char *settings, char *out, size_t out_size);

#endif
