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

# Each module stands in the table of its layer, and what stands there is a file. One header is made by the build.
sed -n '/^| layer | file/,/^Where does it go/p' ../docs/architecture.md | awk -F '|' -v files="$(find base proto tls net server lib client bench -name '*.[ch]' ! -name page_files.h | tr '\n' ' ')" '
    { gsub(/ /, "", $2); if ($2) layer = $2 }
    {
        count = split($3, words, "`")
        for (i = 2; i <= count; i += 2) if (words[i] !~ /[.\/]/) listed[layer "/" words[i]]
    }
    END {
        total = split(files, paths, " ")
        for (i = 1; i <= total; i++) {
            module = paths[i]
            sub(/\.[ch]$/, "", module)
            found = module in listed
            if (found) used[module]
            for (row in listed) {
                prefix = row
                if (sub(/\*$/, "", prefix) && index(module, prefix) == 1) { found = 1; used[row] }
            }
            if (!found) { print "layers: docs/architecture.md does not have src/" paths[i]; bad = 1 }
        }
        for (row in listed) if (row !~ /^(spacecaptain|layer)\// && !(row in used)) { print "layers: docs/architecture.md has src/" row ", which is not there"; bad = 1 }
        exit bad
    }' >&2 || failed=1

# Each file says what license it has, on its first line, or on the second below #!, #compdef or <!doctype. The macros of others keep their
# notices.
cd ..
if ! awk '
    FNR == 1 { without[FILENAME] = 1 }
    FNR <= 2 && /SPDX-License-Identifier: MIT/ { delete without[FILENAME] }
    END {
        for (file in without) {
            print "layers: " file ": its first line is to be a comment: SPDX-License-Identifier: MIT"
            bad = 1
        }
        exit bad
    }' bootstrap configure.ac Makefile.am debian/rules debian/tests/library debian/tests/service \
    $(find src tests examples contrib debian man m4 -type f \( -name '*.[ch]' -o -name '*.def' -o -name '*.sh' -o -name '*.awk' -o -name '*.mk' -o \
        -name '*.py' -o -name '*.in' -o -name '*.[1358]' -o -name '*.map' -o -name '*.supp' -o -name '*.js' -o -name '*.css' -o -name '*.html' -o \
        -name '*.cfg' -o -name '*.yml' -o -name '*.socket' -o -name '*.p*rm' -o -name 'sc_*.m4' \) ! -name page_files.h) >&2; then
    failed=1
fi
exit $failed
