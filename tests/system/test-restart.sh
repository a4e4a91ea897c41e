#!/bin/sh
# SPDX-License-Identifier: MIT
# A restart under systemd leaves no trace: the keys of session tickets wait in its descriptor store, clients wait at its socket, and everybody
# resumes. A tool of the tests plays systemd; test-service.sh shows the same with the real one.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
starts=0
wait_ready() {
    starts=$((starts + 1))
    wait-for 20 $service contains messages READY=1 $starts || fail "the service did not get ready: $(cat service.log)"
}
start() {
    start_service --sockets 1 "$@"
    starts=1
    address=$(cat addresses)
}
restart() {
    kill -USR2 $service
    wait_ready
}
# An ECHO of "hello", then a header that the server ends the connection for, so that the client ends too.
printf '\0\0\0\1\0\0\0\5hello\0\0\0\1\377\377\377\377' >request
# visit VERSION full|resumed: one handshake of that version with its ticket, a request, and the next ticket.
visit() {
    ticket=
    [ ! -e "ticket-$1" ] || ticket="-sess_in ticket-$1"
    # shellcheck disable=SC2086
    timeout $((20 * slow)) openssl s_client -connect "$address" "-tls1_$1" $ticket -sess_out "ticket-$1" -ign_eof <request >out 2>err || :
    grep -aq hello out || fail "TLS 1.$1: not served"
    case $2 in
    full) grep -aq '^New, TLSv' out ;;
    resumed) grep -aq '^Reused, TLSv' out ;;
    esac || fail "TLS 1.$1: not a $2 handshake"
}
all() {
    visit 2 "$1"
    visit 3 "$1"
}

# --- Under load: nobody is refused, no reply is lost, nobody makes a full handshake ------------------------------------------------------
start --
fleet --clients 60 --every 50 "$address" server.crt >fleet.log 2>&1 &
fleet=$!
own_pids="$own_pids $fleet"
wait-for 30 $fleet contains fleet.log connected || fail "not all clients could connect"
for round in 1 2 3; do
    kill -USR1 $fleet
    wait-for 30 $fleet contains fleet.log "begun: $round" || fail "the clients do not expect restart $round"
    restart
    wait-for 30 $fleet contains fleet.log "round $round:" || fail "not everybody came back from restart $round"
    grep -q "round $round: .* full=0 resumed=[0-9]* refused=0 failed=0 " fleet.log || fail "restart $round has left a trace: $(tail -n 1 fleet.log)"
done
kill -TERM $fleet
finish $fleet 0
stop_service

# --- The keys of session tickets in the descriptor store --------------------------------------------------------------------------------
start --
wait-for 10 $service contains messages 'FDSTORE=1 FDNAME=ticket-keys' || fail "the keys were not stored"
all full
restart
grep -q ' ticket_keys_restored ' service.log || fail "the log does not say that the keys were taken"
all resumed
restart
all resumed
[ "$(grep -c 'FDSTORE=1 ' messages)" = 3 ] || fail "not one FDSTORE for each start"
stop_service
# The socket was the only descriptor that was listened on, and the log holds no line about the other one but that.
grep 'inherited_socket' service.log | grep -q 'ticket-keys' && fail "the keys were taken for a socket"
rm -f ticket-*

# Keys of a file outlast the process by themselves, and are not stored; a reload to them takes away what is.
run 0 sc-keygen --ticket-keys shared
cat >server.conf <<END
[server]
certificate = $tmp/server.crt
private-key = $tmp/server.key
END
start -- -c server.conf
all full
cp server.conf memory.conf
printf '[tls]\nticket-keys = %s/shared\n' "$tmp" >>server.conf
restart
! grep 'ticket_keys_' service.log || fail "stored keys in place of those of the file"
all full
restart
all resumed
[ "$(grep -c ' FDSTORE=1 ' messages)" = 1 ] || fail "keys of a file were stored"
# A reload back to keys in memory stores them, one to the file again takes them away.
cp server.conf file.conf
cp memory.conf server.conf
kill -HUP $service
wait-for 10 $service contains messages ' FDSTORE=1 ' 2 || fail "the keys are not stored after a reload"
removed=$(grep -c FDSTOREREMOVE=1 messages)
cp file.conf server.conf
kill -HUP $service
wait-for 10 $service contains messages FDSTOREREMOVE=1 $((removed + 1)) || fail "the keys stay stored"
stop_service
rm -f ticket-*

# What is no sealed file of ours is not used: new keys, one warning, and the service runs.
openssl rand 104 >forged
start --stored ticket-keys forged --
[ "$(grep -c ' warning ' service.log)" = 1 ] || fail "not one warning"
grep -q ' ticket_keys_not_restored .*it is not a sealed file in memory; the keys of session tickets are new' service.log || fail "another warning"
all full
restart
all resumed
stop_service

# What another version of the server may have stored is no socket: it is closed, and leaves its place in the store to the keys.
for name in other metrics; do
    start --stored $name forged --
    grep -q " inherited_discarded .*descriptor 4, which was passed on under the name $name, is closed: it is not a socket" service.log || fail "not logged"
    server=$(cut -d " " -f 1 "/proc/$service/task/$service/children")
    [ -e "/proc/$server/fd/0" ] || fail "the server is not found"
    for fd in "/proc/$server/fd"/*; do
        case $(readlink "$fd") in */forged) fail "it is not closed" ;; esac
    done
    rm -f ticket-*
    all full
    restart
    all resumed
    [ "$(grep -c ' warning ' service.log)" = 1 ] || fail "not one warning"
    stop_service
done
pass "sessions are resumed after a restart"

# --- make bench-restart, with a few clients ---------------------------------------------------------------------------------------------
if command -v pgrep >/dev/null; then
    run 0 env BENCH_PIN=no BENCH_CLIENTS=20 BENCH_ROUNDS=1 BENCH_SERVERS='ours advised' sh "$SC_SRCDIR/tests/bench/restart.sh"
    [ "$(grep -c '^| sc-server.* | [0-9.]* | 0 | 20 | 0 | 0 | [0-9.]* | [0-9.]* |$' out)" = 2 ] || fail "no row for each of two"
else
    skip_part "no pgrep here"
fi
# Clients that nobody serves say so when their time is up.
fleet --clients 3 127.0.0.1:1 server.crt >fleet.log 2>&1 &
fleet=$!
own_pids="$own_pids $fleet"
handles $fleet fleet 15
kill -TERM $fleet
finish $fleet 0
grep -qx 'not over: 0 of 3 have been served' fleet.log || fail "the clients do not say how far they came"
pass "bench-restart measures"
