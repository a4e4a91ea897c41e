/* SPDX-License-Identifier: MIT */
/* Attributes that both gcc and clang understand. */
#ifndef SC_BASE_COMPILER_H
#define SC_BASE_COMPILER_H

/* The caller must look at the result. */
#define SC_NODISCARD __attribute__((warn_unused_result))
/* Argument FMT is a printf format, its values start at argument ARGS. */
#define SC_PRINTF(FMT, ARGS) __attribute__((format(printf, FMT, ARGS)))
#define SC_LIKELY(x) __builtin_expect(!!(x), 1)
#define SC_UNLIKELY(x) __builtin_expect(!!(x), 0)

#define SC_COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#endif
