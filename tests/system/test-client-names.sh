#!/bin/sh
# SPDX-License-Identifier: MIT
# client-pin with a list of pins and names: the name is in the log; clients come and go by a reload, or when the interval finds another
# content, sessions included; a bad list is one error, and the old one stays.
test_seconds=60
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

make_certs
pin() { sc-keygen --show "$1" | sed -n 's/^  sc-client, curl  //p'; }
for name in rose iris rose2; do
    run 0 sc-keygen --out $name
done
# visit STATUS NAME [OPTION]...: that client
visit() {
    visit_status=$1 who=$2
    shift 2
    run "$visit_status" sc-client --connect "$address" --pin server.crt --cert "$who.crt" --key "$who.key" "$@" echo hello
}
connected() { grep -c " info connected conn=[0-9]* peer=[^ ]* client=$1 tls=.* resumed=$2" "$server_log" || :; }
# seen NAME RESUMED NUMBER
seen() {
    wait_log " client=$1 tls=" 10 "$3"
    [ "$(connected "$1" "$2")" = "$3" ] || fail "$1 is not $3 times in the log with resumed=$2"
}
reload() {
    lines=$(grep -c " $1 " "$server_log" || :)
    kill -HUP "$server_pid"
    wait_log " $1 " 10 $((lines + 1))
}

printf '# flowers\n\n%s  rose@garden\r\n%s iris\n' "$(pin rose.crt)" "$(pin iris.crt)" >clients
printf '[server]\nreload-interval = 0\n[tls]\nclient-auth = require\nclient-pin = clients\n' >sc.conf
start_server -c sc.conf
visit 0 rose --session rose.session
seen rose@garden no 1
visit 0 iris
seen iris no 1
visit 35 rose2
wait_log " client_pin=\"$(pin rose2.crt)\""
visit 0 rose --session rose.session
wait_log ' client=rose@garden tls=' 10 2
[ "$(connected rose@garden yes)" = 1 ] || fail "the session of rose is not resumed with its name"
pass "clients by pin, with their names in the log"

# The next key of rose beside the first, then the first is taken away; iris goes.
printf '%s rose@garden\n%s rose@garden\n' "$(pin rose.crt)" "$(pin rose2.crt)" >clients
reload reloaded
visit 0 rose2
visit 35 iris
visit 0 rose --session rose.session
printf '%s rose@garden\n' "$(pin rose2.crt)" >clients
reload reloaded
visit 0 rose2
visit 35 rose
visit 35 rose --session rose.session
[ "$(connected iris no)" = 1 ] || fail "iris was let in again"
pass "a client's key changes as a server's does; one that is removed is out, with its sessions"

# bad LINE ERROR: after a good line
bad() {
    printf '%s rose@garden\n%s\n' "$(pin rose2.crt)" "$1" >clients
    reload reload_failed
    grep ' reload_failed ' "$server_log" | tail -n 1 | grep -F 'client-pin: clients:2: ' | grep -qF "$2" || fail "another error than: $2"
    visit 0 rose2
    visit 35 rose
    run 78 sc-server --check-config -c sc.conf --certificate server.crt --private-key server.key
    expect_err "^sc-server: client-pin: clients:2: "
}
bad "$(pin rose.crt)" 'one word alone: expected a pin and a name'
bad "sha256//AAAA rose" 'is not a pin: 32 bytes of base64'
bad "$(pin rose.crt) ro=se" 'a name has up to 64 letters, digits and ._@+-'
bad "$(pin rose2.crt) iris" 'this pin is listed already, for rose@garden'
echo '# nobody' >clients
reload reload_failed
grep ' reload_failed ' "$server_log" | tail -n 1 | grep -q 'client-pin: clients holds neither certificates in PEM form nor pins with names' || fail "an empty list"
visit 0 rose2
stop_server
pass "a bad list: one line, and the old one stays"

# The interval finds another content, and a name alone is one; a PEM file beside the list is as before.
printf '%s first\n' "$(pin rose.crt)" >clients
printf '[server]\nreload-interval = 50ms\n[tls]\nclient-auth = optional\nclient-pin = clients, iris.crt\n' >sc.conf
start_server -c sc.conf --log-level debug
visit 0 rose
seen first no 1
visit 0 iris
run 0 sc-client --connect "$address" --pin server.crt echo hello
wait_log ' debug connected ' 10 2
printf '%s second\n' "$(pin rose.crt)" >clients.new && mv clients.new clients
wait_log ' reloaded '
visit 0 rose
seen second no 1
wait_log ' peer_closed ' 10 4
grep -q ' peer_closed conn=[0-9]* peer=[^ ]* client=second ' "$server_log" || fail "the name is not in the other lines of the connection"
stop_server
pass "the interval sees another name; certificates in PEM form have none"
