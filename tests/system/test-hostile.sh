#!/bin/sh
# SPDX-License-Identifier: MIT
# Peers that misbehave are ended in time, leave nothing behind, and are told apart in the log.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

# Other times than the defaults, so that a limit that is not taken is seen. An idle client has a server of its own: on a busy machine those that
# are served beside the others below may have to wait for longer than that.
start_server --idle-timeout 6s
idle_server=$server_pid idle_log=$server_log idle_address=$address
start_server --handshake-timeout 6s --frame-timeout 3s --write-timeout 3s --log-level debug
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
served=$address address=$idle_address
peer --at-least-ms 5900 idle
address=$served
peer --at-least-ms 2900 never-read --bytes 50000000
peer --at-least-ms 2900 --tls12 never-read --bytes 50000000
peer --peers 20 --at-least-ms 5900 silent
peer --peers 10 --at-least-ms 2900 never-read --bytes 50000000
peer plain
peer plain --how 'SSH-2.0-OpenSSH_9.2 and some more of it'
peer split-message --bytes 50000000
peer split-message --bytes 100
peer --peers 3 record-flood --how key-update --count 2000
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
until=$(($(milliseconds) + 20000 * slow))
while [ "$(descriptors)" -gt "$before" ] && [ "$(milliseconds)" -lt $until ]; do
    run 0 hostile many --count 1 "$address"
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
counted closed_write_timeout 12
server_pid=$idle_server server_log=$idle_log
stop_server
counted closed_idle_timeout 1

# Lines that peers provoke are limited: 120 at once are 20 in a second, and the next one says how many were left out. A reload ends them at
# once, however long it took until all were there. Without the long handshake-timeout its deadline would be the next look at them.
settings() { printf '[server]\nreload-interval = 0\nhandshake-timeout = 1h\nframe-timeout = %s\n' "$1" >sc.conf; }
settings 1h
start_server -c sc.conf --workers 1
before=$(descriptors)
background hostile --deadline-ms $((20000 * slow)) --count 120 --how frame --ready-file held --go-file end hold "$address"
wait-for 20 "$background_pid" exists held || fail "120 clients with a part of a frame were not served"
settings 1ms
kill -HUP "$server_pid"
until=$(($(milliseconds) + 20000 * slow))
while [ "$(descriptors)" -gt "$before" ]; do
    [ "$(milliseconds)" -lt $until ] || fail "120 clients with a part of a frame are not ended"
done
settings 1s # later than these lines
kill -HUP "$server_pid"
wait_log ' reloaded ' 10 2
run 0 hostile --at-most-ms $((20000 * slow)) drip-frame --interval-ms 200 "$address"
: >end
finish "$background_pid" 0
stop_server
lines=$(grep -c ' frame_timeout ' "$server_log")
left_out=$(sed -n 's/.* frame_timeout suppressed=\([0-9]*\) .*/\1/p' "$server_log" | awk '{ n += $1 } END { print n + 0 }')
[ $((lines + left_out)) -eq 121 ] || fail "$lines lines and $left_out left out, of 121"
[ "$left_out" -gt 0 ] || fail "121 lines that peers provoked, and none was left out"
pass "$lines lines of 121 that peers provoked, and the number of the others"

# Limits: what is above them is closed before any TLS, and served again when there is room.
limited() {
    start_server "$@"
    rm -f ready go
    background hostile --deadline-ms $((20000 * slow)) --count 3 --how idle --ready-file ready --go-file go hold "$address"
    wait-for 10 "$background_pid" exists ready || fail "three clients were not served"
    run 0 hostile refused --at-most-ms $((2000 * slow)) "$address"
    : >go
    finish "$background_pid" 0
    # The server may see their end a moment later.
    until=$(($(milliseconds) + 20000 * slow))
    until timeout --foreground "$run_seconds" hostile many --count 2 --piece 2 "$address" >many.log 2>&1; do
        [ "$(milliseconds)" -lt $until ] || fail "nobody is served after they have left: $*: $(cat many.log)"
    done
    stop_server
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
