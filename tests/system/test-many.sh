#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC3045  # every sh that we know has ulimit -H
# 500 clients at once (5,000 with SC_TEST_ALL=yes) with the default configuration, each with right replies, while a hundred hostile ones
# cost them nothing.
test_seconds=170
run_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

clients=500
[ -z "${SC_TEST_ALL-}" ] || clients=5000
# The default max-connections is 10,000: the limit of open files must allow that, for server and clients.
[ "$(ulimit -H -n)" = unlimited ] || [ "$(ulimit -H -n)" -ge 10100 ] || skip "the limit of open files is $(ulimit -H -n): less than 10,100"

start_server
empty=$(memory_kib "$server_pid")
hostile_pids=
hostile_clients() {
    background hostile --peers 20 --give-up-ms $((160000 * slow)) --deadline-ms $((170000 * slow)) "$@" "$address"
    hostile_pids="$hostile_pids $background_pid"
}
hostile_clients silent
hostile_clients drip-frame --interval-ms 1000
hostile_clients never-read --bytes 50000000
hostile_clients never-read --bytes 50000000 --tls12
hostile_clients reset --count 10

ulimit -S -n "$(ulimit -H -n)"
run 0 hostile --deadline-ms $((100000 * slow)) --at-most-ms $((1000 * slow)) many --count $clients --piece 3 "$address"
pass "$(cat out)"
highest=$(memory_kib "$server_pid" VmHWM)
pass "memory of the server: $empty KiB when empty, $highest KiB at its highest, with $clients clients and 100 hostile ones"
# 24 KiB a client, 17 of them when it is idle, and for each of the 40 that never read output-limit and what is being answered.
bound=$((empty + clients * 24 + 40 * 512))
if grep -q 'define SC_SANITIZED' "$SC_BUILDDIR/config.h"; then
    skip_part "memory is not bounded in a build with sanitizers"
else
    [ "$highest" -le $bound ] || fail "more than $bound KiB"
fi
# Those that never read would be waited for until drain-timeout.
for pid in $hostile_pids; do
    kill "$pid" 2>/dev/null || :
done
stop_server
