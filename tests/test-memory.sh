#!/bin/sh
# What an idle connection costs: resident memory for each of 2,000, that never sent a request and that did.
test_seconds=60
# shellcheck source=tests/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/lib.sh"

grep -q 'define SC_SANITIZED' "$SC_BUILDDIR/config.h" && skip "a build with sanitizers has memory of its own"

connections=2000
# 16.5 KiB where this was written; 18 with malloc() and a timer for each. With fewer connections the server's own share is larger.
bound=17400

measure() {
    what=$1
    shift
    start_server --max-connections-per-address 0
    run 0 sc-bench --connect "$address" --pin server.crt -c $connections --json --server-pid "$server_pid" "$@"
    each=$(json-get server.rss_per_connection_bytes <out)
    pass "$what: $each bytes"
    [ "$each" -le $bound ] || fail "more than $bound bytes"
    stop_server
}

measure "an idle connection that never sent a request" --hold --duration 2s
measure "one that sends a request each second" --rate $connections --duration 3s
