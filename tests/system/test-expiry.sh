#!/bin/sh
# SPDX-License-Identifier: MIT
# A certificate outside its dates, with our own server and client: it is served and logged, who pins it is warned, who goes by dates
# refuses it, and a new one for the same key ends all of that without a restart.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs openssl
make_certs

# dated FROM TO: server.crt for the key that is there, valid between these dates (YYYYMMDDHHMMSSZ).
dated() {
    dated_certificate server "$1" "$2" new.crt
    mv new.crt server.crt
}
past=20200101000000Z yesterday=20210101000000Z future=20490101000000Z later=20480101000000Z

# Past its date.
dated $past $yesterday
run 0 sc-server --check-config -c /dev/null --certificate server.crt --private-key server.key
expect_out 'configuration ok'
expect_err ' warning certificate message=.*server\.crt expired at 2021-01-01 '
run 78 sc-keygen --check "$tmp/server"
grep -q 'expired on 2021-01-01' out || fail "sc-keygen --check does not see it"
start_server -c /dev/null
grep -q ' warning certificate message=.*server\.crt expired at 2021-01-01 .*renew it' "$server_log" || fail "the log does not say it at the start"
[ "$(grep -c 'server\.crt' "$server_log")" -eq 1 ] || fail "it is logged more than once at the start"
run 0 sc-client --connect "$address" --pin server.crt echo hello
expect_out hello
expect_err '^sc-client: warning: .*: expired on 2021-01-01'
run 60 sc-client --connect "$address" --pin server.crt --strict-expiry echo hello
expect_err 'expired on 2021-01-01'
# Once, not with each connection.
background odd-server going-away server.crt server.key odd-port 10
wait-for 20 "$background_pid" exists odd-port || fail "odd-server did not start"
printf 'echo one\necho two\n' >commands
run 0 sc-client --connect "127.0.0.1:$(cat odd-port)" --pin server.crt <commands
expect_err 'warning: .*: expired on 2021-01-01'
run 90 sc-client --connect "$address" --pin ca:server.crt echo hello
expect_err 'ca:server.crt: the certificate expired on 2021-01-01'
# The client ends the handshake itself, and the operator sees whom the certificate keeps out.
wait_log 'stage=answered reason=bad_certificate' 10 2

# A new one for the same key, while it runs: the pin of the key still holds, and nobody has anything to say.
pin=$(openssl pkey -in server.key -pubout -outform der | openssl dgst -sha256 -binary | openssl base64)
lines=$(wc -l <"$server_log")
dated $past $future
kill -HUP "$server_pid"
wait_log ' reloaded '
run 0 sc-client --connect "$address" --pin "sha256//$pin" --strict-expiry echo hello
expect_out hello
[ ! -s err ] || fail "a warning about a certificate that is good"
tail -n +$((lines + 1)) "$server_log" | grep ' warning ' && fail "the server still warns"

# And one that is not good yet, found by a reload.
dated $later $future
kill -HUP "$server_pid"
wait_log 'is not valid before 2048-01-01 '
run 0 sc-client --connect "$address" --pin server.crt echo hello
expect_err '^sc-client: warning: .*: not valid before 2048-01-01'
run 60 sc-client --connect "$address" --pin server.crt --strict-expiry echo hello

# What ends soon is warned about before it does, that of the next key, too: once, however often it is read.
sc-keygen --renew --days 20 --out server >/dev/null || fail "sc-keygen --renew"
sc-keygen --next --days 3 --out server >/dev/null || fail "sc-keygen --next"
for _ in 1 2; do
    before=$(grep -c ' info reloaded ' "$server_log")
    kill -HUP "$server_pid"
    wait_log ' info reloaded ' 10 $((before + 1))
done
stop_server
for line in ' warning certificate_expiry message="the certificate .*server\.crt ends in 20 days: ' \
    ' warning next_certificate_expiry message="the certificate .*server\.next\.crt of the next key ends in 3 days: '; do
    [ "$(grep -c "$line" "$server_log")" = 1 ] || fail "not logged once: $line"
done
pass "reported by both"
