# SPDX-License-Identifier: MIT
# SC_MBEDTLS: Mbed TLS as a second TLS library of the client. It must be of the 2.28 series (3.x hides what is read here, and changed calls)
# and hold what a client with pins, sessions and key logs needs. --with-mbedtls=yes|no|auto.
AC_DEFUN([SC_MBEDTLS], [
    AC_ARG_WITH([mbedtls],
        [AS_HELP_STRING([--with-mbedtls], [Mbed TLS 2.28 as a second TLS library of the client: yes, no, auto @<:@auto@:>@])],
        [], [with_mbedtls=auto])
    AS_CASE([$with_mbedtls], [yes|no|auto], [],
            [AC_MSG_ERROR([--with-mbedtls=$with_mbedtls: expected yes, no or auto])])
    sc_mbedtls=no
    AS_IF([test "x$with_mbedtls" != xno], [
        AC_MSG_CHECKING([for Mbed TLS 2.28])
        MBEDTLS_LIBS="-lmbedtls -lmbedx509 -lmbedcrypto"
        sc_saved_LIBS=$LIBS
        LIBS="$MBEDTLS_LIBS $LIBS"
        AC_LINK_IFELSE([AC_LANG_PROGRAM([[
            #include <mbedtls/ssl.h>
            #include <mbedtls/version.h>
            #if MBEDTLS_VERSION_NUMBER < 0x021c0000 || MBEDTLS_VERSION_NUMBER >= 0x03000000
            #error another version
            #endif
            #if !defined MBEDTLS_SSL_CLI_C || !defined MBEDTLS_SSL_PROTO_TLS1_2 || !defined MBEDTLS_SSL_ALPN || !defined MBEDTLS_GCM_C \
                || !defined MBEDTLS_SSL_SESSION_TICKETS || !defined MBEDTLS_SSL_KEEP_PEER_CERTIFICATE || !defined MBEDTLS_SSL_EXPORT_KEYS \
                || !defined MBEDTLS_SSL_EXTENDED_MASTER_SECRET || !defined MBEDTLS_SSL_SERVER_NAME_INDICATION || !defined MBEDTLS_VERSION_C \
                || !defined MBEDTLS_ERROR_C || !defined MBEDTLS_ECP_DP_SECP256R1_ENABLED || !defined MBEDTLS_ECP_DP_CURVE25519_ENABLED
            #error something is left out
            #endif
            ]], [[mbedtls_ssl_context ssl; mbedtls_ssl_init(&ssl);]])],
            [sc_mbedtls=yes
             AC_DEFINE([HAVE_MBEDTLS], [1], [Define to 1 if the client can also use Mbed TLS.])])
        LIBS=$sc_saved_LIBS
        AC_MSG_RESULT([$sc_mbedtls])
        AS_IF([test "x$sc_mbedtls$with_mbedtls" = xnoyes],
              [AC_MSG_ERROR([Mbed TLS 2.28 was asked for and is not there; install it: apt-get install libmbedtls-dev])])
    ])
    AS_IF([test "x$sc_mbedtls" = xno], [MBEDTLS_LIBS=])
    AC_SUBST([MBEDTLS_LIBS])
    AM_CONDITIONAL([WITH_MBEDTLS], [test "x$sc_mbedtls" = xyes])
])
