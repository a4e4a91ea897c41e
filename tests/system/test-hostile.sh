#!/bin/sh
# SPDX-License-Identifier: MIT
# Peers that misbehave are ended in time, leave nothing behind, and are told apart in the log.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

# Other times than the defaults, so that a limit that is not taken is seen.
start_server --handshake-timeout 6s --frame-timeout 3s --idle-timeout 6s --write-timeout 3s --log-level debug
descriptors() { find "/proc/$server_pid/fd" -mindepth 1 | wc -l; }
run 0 hostile many --count 1 "$address"
before=$(descriptors)

pids=
peer() {
    background hostile --at-most-ms $((20000 * slow)) --deadline-ms $((30000 * slow)) "$@" "$address"
    pids="$pids $background_pid"
}
peer --at-least-ms 5900 silent
peer --at-least-ms 5900 drip-hello --interval-ms 50
peer --at-least-ms 2900 drip-frame --interval-ms 50
peer --at-least-ms 5900 idle
peer --at-least-ms 2900 never-read --bytes 50000000
peer --at-least-ms 2900 --tls12 never-read --bytes 50000000
peer --peers 20 --at-least-ms 5900 silent
peer --peers 10 --at-least-ms 2900 never-read --bytes 50000000
peer plain
peer plain --how 'SSH-2.0-OpenSSH_9.2 and some more of it'
peer split-message --bytes 50000000
peer split-message --bytes 100
peer --peers 3 record-flood --how key-update --count 20000
# Meanwhile everybody else is served.
run 0 hostile many --count 50 --piece 20 "$address"
pass "$(cat out)"
for pid in $pids; do
    finish "$pid" 0
done
sees handshake-timeout frame-timeout idle-timeout write-timeout
# After the others: failed handshakes are logged up to a rate, and those of above are looked for below.
run 0 hostile reset --count 20 "$address"
pass "$(cat out)"
run 0 hostile --tls12 reset --count 5 "$address"
cat "$tmp"/background-*.log

for reason in plaintext timeout; do
    grep "tls_handshake_failed .*peer=127\.0\.0\.1:.*stage=[a-z]* reason=$reason .*hint=" "$server_log" >/dev/null || fail "no log line with reason=$reason"
done
[ "$(grep -c 'peer_closed .*how=tls_error' "$server_log")" -eq 2 ] || fail "a TLS error inside of a message was not logged"
if grep -q 'SSH-2\.0' "$server_log"; then
    fail "what a peer sent is in the log"
fi

# The last closings may be an iteration of the loop away.
run 0 hostile many --count 1 "$address"
tries=100
while [ "$(descriptors)" -gt "$before" ] && [ $tries -gt 0 ]; do
    run 0 hostile many --count 1 "$address"
    tries=$((tries - 1))
done
after=$(descriptors)
[ "$after" -le "$before" ] || fail "$before descriptors before, $after after"
pass "memory at the end: $(memory_kib "$server_pid") KiB, at its highest $(memory_kib "$server_pid" VmHWM) KiB"
stop_server
# Each end is counted as what it was: those of the peers above.
counted handshakes_failed_plaintext 2
counted handshakes_failed_timeout 22
counted closed_tls_error 2
counted closed_key_update_flood 3
counted closed_frame_timeout 1
counted closed_idle_timeout 1
counted closed_write_timeout 12

# Lines that peers provoke are limited: 120 at once are 20 in a second, and the next one says how many were left out.
start_server --workers 1 --frame-timeout 1s
run 0 hostile --peers 120 --at-most-ms $((20000 * slow)) drip-frame --interval-ms 200 "$address"
run 0 hostile --at-most-ms $((20000 * slow)) drip-frame --interval-ms 200 "$address"
stop_server
lines=$(grep -c ' frame_timeout ' "$server_log")
left_out=$(sed -n 's/.* frame_timeout suppressed=\([0-9]*\) .*/\1/p' "$server_log" | awk '{ n += $1 } END { print n + 0 }')
[ $((lines + left_out)) -eq 121 ] || fail "$lines lines and $left_out left out, of 121"
[ "$left_out" -gt 0 ] || fail "121 lines that peers provoked, and none was left out"
pass "$lines lines of 121 that peers provoked, and the number of the others"

# Limits: what is above them is closed before any TLS, and served again when there is room.
limited() {
    start_server "$@"
    peers=
    for peer in 1 2 3; do
        background hostile --give-up-ms $((4000 * slow)) --deadline-ms $((20000 * slow)) idle --ready-file ready-$peer "$address"
        peers="$peers $background_pid"
        wait-for 10 "$background_pid" exists ready-$peer || fail "client $peer was not served"
    done
    tries=200
    until timeout --foreground 10 hostile refused --at-most-ms 300 "$address" >/dev/null 2>&1; do
        tries=$((tries - 1))
        [ $tries -gt 0 ] || fail "not refused: $*"
    done
    for peer in $peers; do
        finish "$peer" 0
    done
    run 0 hostile many --count 2 --piece 2 "$address"
    stop_server
    rm -f ready-*
}
limited --max-connections 3
sees max-connections
limited --max-connections-per-address 3

# A little read from time to time is progress, but ten times write-timeout is the end. On a unix socket, where the kernel holds little.
start_server --listen "unix:$tmp/socket" --write-timeout 300ms --output-limit 16M
run 0 hostile --at-most-ms $((9000 * slow)) --deadline-ms $((20000 * slow)) slow-read --piece 65536 --interval-ms 50 "unix:$tmp/socket"
pass "$(cat out)"
wait_log " write_timeout "
stop_server
