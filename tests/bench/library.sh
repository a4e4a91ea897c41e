#!/bin/sh
# SPDX-License-Identifier: MIT
# make bench-library: what libspacecaptain costs beside its TLS library alone. Needs valgrind (callgrind) for the instructions.
set -eu
: "${SC_SRCDIR:?run this by make bench-library}" "${SC_BUILDDIR:?}"
work=$(mktemp -d)
server=
trap 'kill $server 2>/dev/null || :; rm -rf "$work"' EXIT
cd "$work"
"$SC_BUILDDIR/src/sc-keygen" --out server >/dev/null
"$SC_BUILDDIR/src/sc-server" --listen 127.0.0.1:0 --certificate server.crt --private-key server.key --port-file port --workers 1 2>server.log &
server=$!
"$SC_BUILDDIR/tests/tools/wait-for" 10 $server exists port
address=$(head -n 1 port)
run() { "$SC_BUILDDIR/tests/bench/sc-library" "$1" "$2" "$address" server.crt "$3"; }

# rate DRIVER LIBRARY: requests for each second of processor time, the best of ten: other work on the machine only takes from it.
rate() {
    for _ in 1 2 3 4 5 6 7 8 9 10; do run "$1" "$2" "${BENCH_COUNT:-10000}" 2>/dev/null; done | sort -n | tail -n 1
}

# instructions DRIVER LIBRARY: of one request, without those of the connection; the least of three, for a reply that is late costs another
# iteration of the loop.
instructions() {
    for n in 100 1100 100 1100 100 1100; do
        valgrind --tool=callgrind --callgrind-out-file=/dev/null "$SC_BUILDDIR/tests/bench/sc-library" "$1" "$2" "$address" server.crt "$n" \
            2>&1 >/dev/null | sed -n 's/.*Collected : //p'
    done | awk 'NR % 2 { first = $1; next } { now = ($1 - first) / 1000; least = NR == 2 || now < least ? now : least } END { printf "%d", least }'
}

echo '| driver, TLS library | instructions a request | requests a second of processor time |'
echo '| --- | ---: | ---: |'
for case in 'bare openssl' 'blocking openssl' 'poll openssl' 'libevent openssl' 'bare mbedtls' 'blocking mbedtls' 'poll mbedtls' 'libevent mbedtls'; do
    # shellcheck disable=SC2086
    set -- $case
    rate=$(rate "$1" "$2")
    [ -n "$rate" ] || continue # a library that is not built in
    counted=-
    if command -v valgrind >/dev/null; then counted=$(instructions "$1" "$2"); fi
    echo "| $1, $2 | $counted | ${rate%% *} |"
done
echo
for library in openssl mbedtls; do
    memory=$(run idle "$library" 200 2>/dev/null) || continue
    echo "Resident memory of an idle connection, $library: $memory"
done
echo "Size of the library (text): $(size "$SC_BUILDDIR/src/.libs/libspacecaptain.so" | awk 'NR == 2 { print $1 }') bytes"
