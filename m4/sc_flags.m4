# SPDX-License-Identifier: MIT
# SC_COMPILE_FLAGS: warnings, probed one by one; --enable-werror makes them errors.
AC_DEFUN([SC_COMPILE_FLAGS], [
    AX_APPEND_COMPILE_FLAGS([-std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes \
                             -Wpointer-arith -Wwrite-strings -Wformat=2 -Wundef -Wvla -fno-common -fvisibility=hidden],
                            [SC_CFLAGS], [-Werror])
    AX_APPEND_LINK_FLAGS([-Wl,--as-needed], [SC_LDFLAGS])
    AC_ARG_ENABLE([werror], [AS_HELP_STRING([--enable-werror], [make warnings errors])], [], [enable_werror=no])
    AS_IF([test "x$enable_werror" = xyes], [AX_APPEND_COMPILE_FLAGS([-Werror], [SC_CFLAGS])])
])

# SC_FILE_NAMES: after SC_COVERAGE, whose tools look for the sources. Files are named from the top of the sources, in debug information and
# __FILE__, and the build directory is ".": where it was built makes no difference to what is installed. The last that fits counts.
AC_DEFUN([SC_FILE_NAMES], [
    AS_IF([test "x$sc_coverage" = xno], [
        AX_CHECK_COMPILE_FLAG([-ffile-prefix-map=/nowhere/=],
            [SC_MAP_CFLAGS="'-ffile-prefix-map=\$(abs_top_builddir)=.' '-ffile-prefix-map=\$(abs_top_srcdir)/=' \
'-ffile-prefix-map=\$(top_srcdir)/=' -ffile-prefix-map=./="],
            [], [-Werror])
    ])
    AC_SUBST([SC_MAP_CFLAGS])
])

# SC_HARDENING: --disable-hardening leaves them out. FORTIFY is added in configure.ac, since sanitizers replace it.
AC_DEFUN([SC_HARDENING], [
    AC_ARG_ENABLE([hardening], [AS_HELP_STRING([--disable-hardening], [do without stack protector, PIE, RELRO and FORTIFY])],
                  [sc_hardening=$enableval], [sc_hardening=yes])
    AS_IF([test "x$sc_hardening" = xyes], [
        AX_APPEND_COMPILE_FLAGS([-fstack-protector-strong -fstack-clash-protection -fcf-protection -fPIE], [SC_CFLAGS], [-Werror])
        AX_APPEND_LINK_FLAGS([-Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack], [SC_SHARED_LDFLAGS])
        AX_APPEND_LINK_FLAGS([-pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack], [SC_LDFLAGS], [-fPIE])
    ])
])

# SC_SANITIZERS: --enable-sanitizers[=LIST], address,undefined unless a list is given.
AC_DEFUN([SC_SANITIZERS], [
    AC_ARG_ENABLE([sanitizers], [AS_HELP_STRING([--enable-sanitizers@<:@=LIST@:>@], [build with these sanitizers @<:@address,undefined@:>@])],
                  [sc_sanitizers=$enableval], [sc_sanitizers=no])
    AS_IF([test "x$sc_sanitizers" = xyes], [sc_sanitizers=address,undefined])
    AS_IF([test "x$sc_sanitizers" != xno], [
        AX_CHECK_LINK_FLAG([-fsanitize=$sc_sanitizers],
            [SC_CFLAGS="$SC_CFLAGS -fsanitize=$sc_sanitizers -fno-sanitize-recover=all -fno-omit-frame-pointer"
             SC_LDFLAGS="$SC_LDFLAGS -fsanitize=$sc_sanitizers"
             AC_DEFINE([SC_SANITIZED], [1], [Define to 1 in a build with sanitizers.])],
            [AC_MSG_ERROR([the compiler has no -fsanitize=$sc_sanitizers])])
    ])
])

# SC_FUZZING: --enable-fuzzing builds tests/fuzz_* with libFuzzer (clang); without it they replay their corpus in make check.
AC_DEFUN([SC_FUZZING], [
    AC_ARG_ENABLE([fuzzing], [AS_HELP_STRING([--enable-fuzzing], [build the fuzzers with libFuzzer (needs clang)])],
                  [sc_fuzzing=$enableval], [sc_fuzzing=no])
    AS_IF([test "x$sc_fuzzing" = xyes], [
        AX_CHECK_COMPILE_FLAG([-fsanitize=fuzzer-no-link],
            [SC_CFLAGS="$SC_CFLAGS -fsanitize=fuzzer-no-link"],
            [AC_MSG_ERROR([--enable-fuzzing needs clang with libFuzzer: ./configure CC=clang --enable-fuzzing])])
    ])
    AM_CONDITIONAL([ENABLE_FUZZING], [test "x$sc_fuzzing" = xyes])
])

# SC_COVERAGE: --enable-coverage, then make check and gcovr.
AC_DEFUN([SC_COVERAGE], [
    AC_ARG_ENABLE([coverage], [AS_HELP_STRING([--enable-coverage], [measure coverage: make check, then make coverage])],
                  [sc_coverage=$enableval], [sc_coverage=no])
    AS_IF([test "x$sc_coverage" = xyes], [
        AX_APPEND_COMPILE_FLAGS([--coverage -O0 -fprofile-update=atomic], [SC_CFLAGS], [-Werror])
        SC_LDFLAGS="$SC_LDFLAGS --coverage"
    ])
    AM_CONDITIONAL([ENABLE_COVERAGE], [test "x$sc_coverage" = xyes])
])

# SC_LINKER_OF_TESTS: after SC_SANITIZERS and SC_FUZZING, of which clang's warn with gold. The tests are linked by gold or lld where they are
# installed, which takes half of the time.
AC_DEFUN([SC_LINKER_OF_TESTS], [
    SC_TEST_LINKER=
    m4_foreach([sc_linker], [[gold], [lld]], [
        AS_IF([test -z "$SC_TEST_LINKER" && test "x$sc_sanitizers$sc_fuzzing" = xnono],
              [AX_CHECK_LINK_FLAG([-fuse-ld=]sc_linker, [SC_TEST_LINKER=-fuse-ld=]sc_linker, [], [$SC_LDFLAGS])])
    ])
    AC_SUBST([SC_TEST_LINKER])
])
