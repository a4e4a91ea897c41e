#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2046  # our file names have no spaces, and each is an argument
# Arrows point one way: a layer includes only what is below it, and the libraries are known only where they belong.
set -eu
cd "${SC_SRCDIR:-$(dirname "$0")/../..}/src"
failed=0

# refuse WHAT PATTERN FILE...: no file may have an #include that matches.
refuse() {
    what=$1 pattern=$2
    shift 2
    if grep -nE "^ *# *include +[<\"]($pattern)" "$@" /dev/null; then
        echo "layers: $what" >&2
        failed=1
    fi
}

sources() { find "$@" -name '*.[ch]'; }

refuse "base includes only base and libc" 'proto/|tls/|net/|server/|client/|bench/|lib/|spacecaptain/|programs/|openssl/|event2/' $(sources base)
refuse "proto knows bytes only" 'tls/|net/|server/|client/|bench/|lib/|spacecaptain/|programs/|openssl/|event2/' $(sources proto)
refuse "tls knows neither libevent nor what is above it" 'proto/handler|net/|server/|client/|bench/|lib/|spacecaptain/|programs/|event2/' $(sources tls)
refuse "net knows nothing above it" 'proto/handler|server/|client/|bench/|lib/|spacecaptain/|programs/' $(sources net)
refuse "the library knows neither libevent nor what is above it" 'event2/|net/|server/|client/|bench/|programs/' $(sources lib)
refuse "server, client and bench never include each other" 'client/|bench/|lib/|spacecaptain/|programs/' $(sources server)
refuse "server, client and bench never include each other" 'server/|bench/|lib/|net/|programs/' $(sources client)
refuse "bench knows neither the others nor net: it is lighter than what it measures" 'net/|server/|client/|lib/|programs/' $(sources bench)
refuse "only net/tlsbev.c knows libevent's TLS filter" 'event2/bufferevent_ssl' $(sources . | grep -v '^./net/tlsbev\.c$')
refuse "Mbed TLS stays in the library" 'mbedtls/' $(sources . | grep -v '^./lib/\(tls_mbedtls\.c\|mbedtls_[a-z]*\.[ch]\)$')
refuse "OpenSSL's TLS stays in tls and net/tlsbev" 'openssl/ssl\.h' $(sources proto server net | grep -v '^net/tlsbev\.[ch]$')

# No circle of includes; tsort(1) names the files of one.
if ! grep -E '^ *# *include "' $(sources .) | sed -n 's|^\./\([^:]*\):.*"\(.*\)".*|\1 \2|p' | tsort >/dev/null; then
    echo "layers: these include each other" >&2
    failed=1
fi
exit $failed
