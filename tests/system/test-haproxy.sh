#!/bin/sh
# SPDX-License-Identifier: MIT
# contrib/haproxy/haproxy.cfg with two servers behind it: the client's address, resumption on the other server, health checks that see a
# drain, and a restart of each server under load in which no request goes unanswered.
# shellcheck disable=SC2154 # NAME_pid and others, set by eval
test_seconds=90
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
PATH=$PATH:/usr/sbin:/sbin
needs haproxy

run 0 sc-keygen --ticket-keys tickets
make_certs

# start NAME [OPTION]...: server a or b, whose first start chooses its ports. $NAME_pid, $NAME_log, $NAME_at, $NAME_admin
start() {
    name=$1
    shift
    eval "at=\${${name}_at-$own_host:0} admin=\${${name}_admin-$own_host:0}"
    start_server --listen "$at" --metrics-listen "$admin" --proxy-protocol-from 127.0.0.1 --ticket-keys tickets --log-level debug "$@"
    eval "${name}_pid=\$server_pid ${name}_log=\$server_log ${name}_at=\$address ${name}_admin=\$admin"
}
until_log() { # FILE TEXT [LINES]
    wait-for 15 "$haproxy_pid" contains "$1" "$2" "${3:-1}" || fail "$(basename "$1") never logged: $2"
}
connections() { grep -c " connected conn=.*$2" "$1" || :; }

start a
start b
# The file as it is, with our addresses in the place of those that stand for others, checks that
# follow each other faster and have more time, and fewer descriptors.
sed -e 's/bind :4242$/bind fd@3/' -e 's/^    timeout connect .*/&\n    timeout check 20s/' -e "s/server a 192.0.2.11:4242\$/server a $a_at port ${a_admin##*:}/" \
    -e 's/maxconn 20000/maxconn 200/' -e "s/server b 192.0.2.12:4242\$/server b $b_at port ${b_admin##*:}/" -e 's/inter 1s/inter 200ms/' \
    "$SC_SRCDIR/contrib/haproxy/haproxy.cfg" >haproxy.cfg
[ "$(diff "$SC_SRCDIR/contrib/haproxy/haproxy.cfg" haproxy.cfg | grep -c '^>')" = 6 ] || fail "the example is not what this test knows"
run 0 haproxy -c -f "$SC_SRCDIR/contrib/haproxy/haproxy.cfg"
as-systemd --sockets 1 messages addresses haproxy -db -f haproxy.cfg >haproxy.log 2>&1 </dev/null &
haproxy_pid=$!
own_pids="$own_pids $haproxy_pid"
wait-for 10 "$haproxy_pid" contains addresses 127.0.0.1: || fail "haproxy did not start"
to=$(sed -n 1p addresses)

# --- A session of one server is resumed on the other, and both see where the client is ---
for i in 1 2 3 4; do
    run 0 sc-client --connect "$to" --pin server.crt --session session --timeout $((15 * slow)) echo "$i"
    expect_out "$i"
done
[ $(($(connections "$a_log" resumed=no) + $(connections "$b_log" resumed=no))) -eq 1 ] || fail "more than one handshake was a full one"
for log in "$a_log" "$b_log"; do
    [ "$(connections "$log" resumed=yes)" -ge 1 ] || fail "a server has resumed no session"
done
run 0 hostile --source 127.0.0.5 --deadline-ms $((20000 * slow)) many --count 6 --piece 2 "$to"
for log in "$a_log" "$b_log"; do
    [ "$(connections "$log" 'peer=127\.0\.0\.5:')" -eq 3 ] || fail "not three of six clients at 127.0.0.5 in a log"
    ! grep -q ' connection_refused ' "$log" || fail "haproxy sends something else than a PROXY header"
done
pass "one full handshake and three resumed ones on two servers; both log the address of the client"

# --- Requests all the time, while each server in turn drains, ends and comes back ---
# Each client sends numbers until it is told to stop; each must come back, once and in order.
numbers() {
    number=0
    while [ ! -e stop ]; do
        number=$((number + 1))
        echo "echo $number"
    done
    echo $number >"count-$1"
}
clients='1 2 3 4'
client_pids=
for i in $clients; do
    mkfifo "requests-$i"
    numbers "$i" >"requests-$i" 2>/dev/null &
    own_pids="$own_pids $!"
    sc-client --connect "$to" --pin server.crt --timeout $((30 * slow)) <"requests-$i" >"replies-$i" 2>"client-$i.log" &
    own_pids="$own_pids $!"
    client_pids="$client_pids $!"
done
for i in $clients; do
    wait-for 15 "$haproxy_pid" contains "replies-$i" 100 || fail "client $i is not served"
done

# restart NAME OTHER
restart() {
    eval "leaving=\${$1_pid} leaving_log=\${$1_log} leaving_at=\${$1_at} other_log=\${$2_log}"
    served_before=$(grep -c ' proxy_header ' "$other_log" || :)
    # Somebody who has connected without haproxy and stays silent holds up the drain, so that the checks see it.
    background hostile --source 127.0.0.6 --give-up-ms $((60000 * slow)) --deadline-ms $((70000 * slow)) silent --ready-file "silent-$1" "$leaving_at"
    wait-for 10 "$background_pid" exists "silent-$1" || fail "nobody to hold up the drain"
    kill -TERM "$leaving"
    until_log haproxy.log "Server space-captain/$1 is DOWN, reason: Layer7 wrong status, code: 503"
    kill "$background_pid"
    finish "$background_pid" 143
    finish "$leaving" 0
    grep -q ' stopped ' "$leaving_log" || fail "server $1 has no end"
    # Clients come back when the server has told them to, and go on at the other one.
    until_log "$other_log" ' proxy_header ' $((served_before + 1))
    start "$1"
    until_log haproxy.log "Server space-captain/$1 is UP"
}
restart a b
restart b a
: >stop
for client in $client_pids; do
    finish "$client" 0
done
total=0
for i in $clients; do
    count=$(cat "count-$i")
    seq "$count" | cmp - "replies-$i" >&2 || fail "client $i: not each of $count requests has its reply, once and in order"
    total=$((total + count))
done
kill -TERM "$haproxy_pid" "$a_pid" "$b_pid"
finish "$a_pid" 0
finish "$b_pid" 0
pass "both servers restarted under load: $total requests, each answered"
