#!/bin/sh
# SPDX-License-Identifier: MIT
# The wire protocol (docs/protocol.md) as a client sees it: any pieces, TLS 1.2 and 1.3, every end, every kind of address.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

peer() {
    run 0 hostile "$@" "$address"
    pass "$(cat out)"
}

start_server --max-body 1K # a byte in a record of its own costs much under ThreadSanitizer
peer split --piece 1 --max-body 1024
peer split --piece 1 --max-body 1024 --tls12
peer too-large --bytes 1025
stop_server

start_server --listen 127.0.0.1:0 --listen "unix:$tmp/socket"
for version in '' --tls12; do
    # shellcheck disable=SC2086
    {
        peer split --piece 0 $version
        peer split --piece 16384 $version
        peer split --piece 7 --max-body 2000 $version
        peer half-close --count 400 --bytes 20000 --how close-notify $version
        peer half-close --count 400 --bytes 20000 --how shutdown $version
        peer half-close --count 1 --bytes 1 --how close-notify $version
        peer half-close --count 1 --bytes 1 --how shutdown $version
        peer alpn $version
    }
done
for bytes in 1 4 7 8 12; do
    peer truncate --bytes $bytes --how close-notify
    peer truncate --bytes $bytes --how shutdown
done
peer too-large --bytes 65537
peer too-large --bytes 65537 --piece 65537
peer too-large --bytes 4294967295
peer too-large --bytes 4294967295 --how unknown-type
# 64 in the life of a connection, and one more for each MiB.
peer key-update --count 64
peer key-update --count 65 --expect-end
wait_log 'how=key_update_flood'
[ "$(grep -c 'peer_closed .*how=key_update_flood' "$server_log")" -eq 1 ] || fail "another connection ended for its key updates"
peer record-flood --count 20000
peer record-flood --how empty --count 1000
early_data() {
    for bytes in 1 1000 16384; do
        peer early-data --bytes $bytes
        peer early-data --bytes $bytes --how foreign
    done
    peer early-data --bytes 200000 --expect-end
    peer early-data --bytes 200000 --how foreign --expect-end
}
early_data

[ "$(sed -n 2p "$port_file")" = "unix:$tmp/socket" ] || fail "the port file does not name the unix socket"
address=unix:$tmp/socket
peer split --piece 1000
stop_server
[ ! -e "$tmp/socket" ] || fail "the unix socket was left behind"

# Where a ClientHello may have to wait, early data waits after it.
start_server --handshake-rate 3
early_data
stop_server

if grep -q . /proc/net/if_inet6 2>/dev/null; then
    start_server --listen '[::]:0'
    for address in "127.0.0.1:$port" "[::1]:$port"; do
        peer split --piece 1000
    done
    stop_server
else
    skip_part "no IPv6 on this machine"
fi
