#!/bin/sh
# SPDX-License-Identifier: MIT
# 20 clients (50 with SC_TEST_ALL=yes) with pin stores, which connect again and again, through three changes of the server's key: not one is
# refused. Then somebody with a valid certificate of his own stands in between, and gets nothing out of any of them.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

clients=20
[ -z "${SC_TEST_ALL-}" ] || clients=50
pin() { sc-keygen --show "$1" | sed -n 's/^  sc-client, curl  //p'; }
reload() {
    reloads=$(grep -c ' reload' "$server_log" || :)
    kill -HUP "$server_pid"
    wait_log ' reload' 20 $((reloads + 1))
}

start_server
current=$(pin server.crt)
mkdir stores sessions

# A client: one request after the other, each over a connection of its own, half of them resumed where they can be, until there is a file
# "stop". Whenever its store changes, "events" says what is in it, and the client waits for the next change of the server, whose gate is
# opened before the reload; but each tenth goes on, so that there are connections in every moment.
gate=0
mkfifo gate-1 gate-2 gate-3 gate-4 gate-5 gate-6 gate-7
open_gate() {
    gate=$((gate + 1))
    eval "exec 7<>gate-$gate"
}
cat >client.sh <<'END'
session= before= served=0 gate=0
[ $(($1 % 2)) = 0 ] || session="--session sessions/$1"
while [ ! -e stop ]; do
    # shellcheck disable=SC2086
    reply=$(sc-client --connect "$2" --timeout "$3" --pin-store "stores/$1" --tofu=strict $session echo "$1 $served" 2>&1) || exit
    [ "$reply" = "$1 $served" ] || { echo "client $1, request $served: $reply"; exit 1; }
    served=$((served + 1))
    pins=
    while read -r _ _ pin _; do
        pins=$pins$pin,
    done <"stores/$1"
    if [ "$pins" != "$before" ]; then
        before=$pins gate=$((gate + 1))
        echo "client $1 accepts $pins." >>events
        [ $(($1 % 10)) = 0 ] || : <gate-$gate
    fi
done
echo "$served served"
END
pids=
i=0
while [ $i -lt $clients ]; do
    i=$((i + 1))
    printf '127.0.0.1 %s %s 2026-11-22T00:00:00Z given\n' "$port" "$current" >stores/$i
    background_seconds=100 background sh client.sh $i "$address" $((20 * slow))
    pids="$pids $background_pid"
done
background_seconds=100 background sc-bench --connect "$address" --pin "$current" -c 4 --rate 100 --duration 1h
busy=$background_pid

# all_accept PINS: until every client has said so.
all_accept() {
    wait-for 30 "$server_pid" contains events " accepts $1." $clients ||
        fail "$(grep -c " accepts $1\." events) of $clients accept $1: $(cat background-*.log)"
}
all_accept "$current,"
for rotation in 1 2 3; do
    run 0 sc-keygen --next
    next=$(pin server.next.key)
    open_gate
    reload
    all_accept "$current,$next,"
    run 0 sc-keygen --promote
    open_gate
    reload
    all_accept "$next,"
    current=$next
    pass "rotation $rotation"
done
: >stop
open_gate
for pid in $pids; do
    finish "$pid" 0
done
kill -INT "$busy"
finish "$busy" 130
stop_server
! grep -q 'handshakes_failed_\(bad_certificate\|certificate_refused\)\|never_announced' "$server_log" || fail "somebody was refused"
pass "$(sed -n 's/ served$//p' background-*.log | awk '{ n += $1 } END { print n }') connections of $clients clients"

# An authority has made a certificate for this address, for another key.
run 0 sc-keygen --out mitm --name 127.0.0.1
printf 'basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n' >leaf.cnf
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.crt -subj /CN=Authority -days 9 2>openssl.log &&
    openssl req -new -key mitm.key -subj /CN=mitm -out mitm.csr 2>>openssl.log &&
    openssl x509 -req -in mitm.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 9 -extfile leaf.cnf -out mitm.crt 2>>openssl.log ||
    fail "no certificate"
cat stores/* >before
start_server --listen "$address" --certificate "$tmp/mitm.crt" --private-key "$tmp/mitm.key"
run 0 sc-client --connect "$address" --pin ca:ca.crt echo 'it is valid'
pids=
i=0
while [ $i -lt $clients ]; do
    i=$((i + 1))
    mode=$(echo strict new ask | cut -d ' ' -f $((i % 3 + 1)))
    session=
    [ $((i % 2)) = 0 ] || session="--session sessions/$i"
    # shellcheck disable=SC2086
    background sc-client --connect "$address" --timeout $((20 * slow)) --pin-store stores/$i --tofu=$mode $session echo secret
    pids="$pids $background_pid"
done
for pid in $pids; do
    finish "$pid" 90
done
stop_server
counted handshakes_failed_bad_certificate $clients
counted requests_echo 1
! grep -q 'requests_pins' "$server_log" || fail "it was asked for pins"
cat stores/* | cmp - before || fail "a store has changed"
pass "somebody in between"


# One who passes on what both sides say: a proof of the real server, too. A client whose pin store knows that server sends him no pins.
start_server
run 0 sc-keygen --next
reload
background tls-relay mitm.crt mitm.key relay-port "$port"
relay_log=$tmp/background-$background_count.log relay_pid=$background_pid
wait-for 20 "$relay_pid" exists relay-port || fail "tls-relay did not start"
relayed=127.0.0.1:$(cat relay-port)
printf '127.0.0.1 %s %s 2026-11-22T00:00:00Z given\n' "${relayed##*:}" "$(pin server.crt)" >store
cp store before
run 90 sc-client --connect "$relayed" --pin-store store --tofu=new echo secret
wait-for 20 "$relay_pid" contains "$relay_log" 'connection 1: the client has said 0 bytes, the server 0' || fail "it got something"
# One that takes his certificate, because of its authority, learns nothing from the pins that he passes on.
run 0 sc-client --connect "$relayed" --pin-store store --pin ca:ca.crt echo hello
expect_out hello
cmp store before || fail "a store has learnt something"
# One that has met him first, and asks him for the next key: it is that of another server.
run 0 sc-client --connect "$relayed" --pin-store met --tofu=new echo hello
cp met before
run 0 sc-client --connect "$relayed" --pin-store met echo hello
expect_out hello
expect_err 'warning: .*the current key that it announces is not the one of this connection; no pin was stored$'
cmp met before || fail "a store has learnt something"
kill "$relay_pid"
finish "$relay_pid" 143
stop_server
pass "somebody in between who passes everything on"
