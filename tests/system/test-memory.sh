#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC3045  # every sh that we know has ulimit -H
# What an idle connection costs: resident memory for each of 2,000, that never sent a request and that did.
test_seconds=170
run_seconds=80
# shellcheck source=tests/system/lib.sh disable=SC2034  # rest
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

grep -q 'define SC_SANITIZED' "$SC_BUILDDIR/config.h" && skip "a build with sanitizers has memory of its own"

connections=2000
# 17,000 where this was written.
bound=17408
[ "$(ulimit -H -n)" = unlimited ] || [ "$(ulimit -H -n)" -ge 2100 ] || skip "the limit of open files is $(ulimit -H -n): less than 2,100"

measure() {
    what=$1
    shift
    # What handshakes held goes back when they are over; on a busy machine, whose last trim took long, some seconds later.
    for seconds in 3 $((25 * slow)); do
        start_server --workers 1 --handshake-timeout $((20 * slow))s # all come at once
        run 0 sc-bench --connect "$address" --pin server.crt -c $connections --json --server-pid "$server_pid" --duration ${seconds}s "$@"
        each=$(json-get server.rss_per_connection_bytes <out)
        [ "$each" -gt $bound ] && [ $seconds -eq 3 ] || break
        stop_server
    done
    pass "$what: $each bytes"
    [ "$each" -le $bound ] || fail "more than $bound bytes"
    # All have left: what they held goes back to the system, after a second without a handshake.
    deadline=$(($(milliseconds) + 30000 * slow))
    empty=$(json-get server.rss_before_bytes <out)
    until [ $(($(memory_kib "$server_pid") * 1024)) -le $((empty * 3 / 2)) ]; do
        [ "$(milliseconds)" -lt $deadline ] || fail "$(memory_kib "$server_pid") KiB after the peak, $((empty / 1024)) before"
        sc-client --connect "$address" --pin server.crt --count 8 --interval 0.2 echo hello >/dev/null || fail "it does not answer"
    done
    pass "$(memory_kib "$server_pid") KiB after the peak, $((empty / 1024)) before"
    stop_server
}

measure "an idle connection that never sent a request" --hold
measure "one that sends a request each second" --rate $connections
