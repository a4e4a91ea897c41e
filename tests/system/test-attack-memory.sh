#!/bin/sh
# SPDX-License-Identifier: MIT
# What one hostile connection can hold of the server's memory in each state, and that docs/operations.md says no less.
test_seconds=150
background_seconds=60
# shellcheck source=tests/system/lib.sh disable=SC2034  # rest
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

grep -q 'define SC_SANITIZED' "$SC_BUILDDIR/config.h" && skip "a build with sanitizers has memory of its own"
# Resident memory, when it has not changed for a while: connections may still be arriving.
settled_kib() {
    same=0 last=0
    while [ $same -lt 5 ]; do
        now=$(memory_kib "$server_pid")
        [ "$now" -eq "$last" ] && same=$((same + 1)) || same=0
        last=$now
        run 0 hostile --source 127.0.0.2 plain "$address"
    done
    echo "$last"
}

# hold STATE COUNT WHAT KIB [HOSTILE OPTION]... -- [SERVER OPTION]...: each of COUNT connections holds no more than KIB.
hold() {
    state=$1 count=$2 what=$3 bound=$4
    shift 4
    options=
    while [ "$1" != -- ]; do
        options="$options $1"
        shift
    done
    shift
    start_server -c /dev/null --workers 1 --handshake-timeout 60s --frame-timeout 60s --write-timeout 60s --max-connections 1000 "$@"
    run 0 hostile --source 127.0.0.2 plain "$address"
    before=$(settled_kib)
    # shellcheck disable=SC2086  # the options are words
    background hostile --deadline-ms $((50000 * slow)) --count $count --how "$state" --ready-file "held-$server_count" --go-file "go-$server_count" $options hold "$address"
    holder=$background_pid
    wait-for 50 "$holder" exists "held-$server_count" || fail "$what: the state was not reached"
    each=$((($(settled_kib) - before) / count))
    : >"go-$server_count"
    finish "$holder" 0
    stop_server
    grep -Fq "| $what | $bound |" "$SC_SRCDIR/docs/operations.md" || fail "docs/operations.md does not say that of \"$what\""
    [ $each -le "$bound" ] || fail "$what: $each KiB, more than $bound"
    pass "$what: $each KiB, documented as no more than $bound"
}

hold part-of-hello 100 "a part of a ClientHello" 75 --
hold hello 100 "a ClientHello that waits for its turn (\`handshake-rate\`), and what was sent after it" 80 --piece 2 -- --handshake-rate 1
hold hello 100 "a handshake that the client does not finish" 60 --
hold idle 200 "idle" 20 --
hold renegotiation 200 "a renegotiation, which is refused" 5 --tls12 --
hold frame 100 "an unfinished request of \`max-body\`" 110 --
hold replies 40 "replies that the client does not read" 450 --
