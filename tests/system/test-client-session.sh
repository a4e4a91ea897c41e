#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-client --session FILE: a session that is resumed by the next run, under the same pins, from a file of one's own and no other.
test_seconds=60
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

start_server --listen "$own_host:0"
# client STATUS full|resumed [ARGUMENT...]: says over what kind of handshake it has talked.
client() {
    expected_handshake=$2
    client_status=$1
    shift 2
    run "$client_status" sc-client --connect "$address" --pin server.crt --verbose --session session "$@" echo hello
    [ "$client_status" != 0 ] || expect_out hello
    grep -q "$expected_handshake handshake" err || fail "that was not a $expected_handshake handshake"
}
warned() {
    [ "$(grep -c 'warning: ' err)" = 1 ] && grep -q "warning: the session in session is not used: $1" err || fail "no warning, or another one: $1"
}
no_warning() {
    ! grep -q warning err || fail "there is a warning"
}

client 0 full
no_warning
[ "$(stat -c %a session)" = 600 ] || fail "others can read the session"
client 0 resumed
client 0 resumed
no_warning
# What is kept is what the next connection was given: not the same bytes.
cp session before
client 0 resumed
! cmp -s before session || fail "the session was not replaced"
# A command that is repeated, lines, and nothing at all save it as well.
rm session
run 0 sc-client --connect "$address" --pin server.crt --session session </dev/null
client 0 resumed
rm session
run 0 sc-client --connect "$address" --pin server.crt --session session --count 2 --interval 0 time
client 0 resumed

# --show-pin has no part in it: what is not trusted resumes nothing, and leaves the file as it is.
cp session before
run 0 sc-client --connect "$address" --show-pin --session session
grep -q 'sha256//' out || fail "--show-pin shows no pin"
cmp before session || fail "--show-pin has changed the session"

# Only under the pins that it was made under: the same key in another form is a full handshake, another key is refused.
cp session good
pin=$(sc-keygen --show server.crt | grep -o 'sha256//[^ ]*')
run 0 sc-client --connect "$address" --pin "$pin" --verbose --session session time
grep -q 'full handshake' err || fail "a session was resumed under other pins"
run 0 sc-keygen --out other
cp good session
run 90 sc-client --connect "$address" --pin other.crt --session session echo secret
cmp good session || fail "a connection that was refused has changed the session"

# What is not a session, or not to be trusted.
printf 'SCSES1\njunk' >session
chmod 600 session
client 0 full
warned 'it is damaged, or no session'
client 0 resumed
no_warning
# Whole, and all the same of no TLS library.
if command -v openssl >/dev/null; then
    { printf 'no session' && printf 'no session' | openssl dgst -sha256 -binary; } >session
    client 0 full
    warned 'it is damaged, or no session'
    client 0 resumed
else
    skip_part "no openssl(1) on this machine"
fi
# One byte, at every tenth place: the secret of the session is among them.
cp session whole
at=20
while [ "$at" -lt 400 ]; do
    cp whole session
    printf '\252' | dd of=session bs=1 seek="$at" conv=notrunc 2>dd.log
    cmp -s whole session || { client 0 full && warned 'it is damaged'; }
    at=$((at + 20))
done
client 0 resumed
: >session
client 0 full
no_warning
head -c 70000 /dev/zero >session
client 0 full
warned 'it is too large'
for mode in 644 620 660; do
    chmod "$mode" session
    client 0 full
    warned 'others can read or write it'
    [ "$(stat -c %a session)" = 600 ] || fail "the mode was not mended"
    client 0 resumed
done
mv session real
ln -s real session
cp real before
client 0 full
warned 'it is a symbolic link'
[ -L session ] && cmp real before || fail "a symbolic link was followed or replaced"
rm session
mkfifo session
client 0 full
warned 'it is not a regular file'
[ -p session ] || fail "a FIFO was replaced"
rm session
mkdir session
client 0 full
warned 'it is not a regular file'
rmdir session
if [ "$(id -u)" = 0 ]; then
    cp real session
    chmod 600 session
    chown 12345 session
    client 0 full
    warned 'it belongs to another user'
    [ "$(stat -c %u session)" = 12345 ] || fail "another user's file was replaced"
    rm -f session
else
    skip_part "another user's file: only root can make one"
fi
run 0 sc-client --connect "$address" --pin server.crt --session nonexistent/session echo hello
expect_out hello
expect_err "warning: the session is not saved: can't create nonexistent/session: No such file"

# A full disk leaves the old one whole, and nothing else.
cp real session
chmod 600 session
cp session before
# shellcheck disable=SC2016
sh -c 'trap "" XFSZ; ulimit -f 0; exec sc-client --connect "$1" --pin server.crt --session session echo hello' sh "$address" 2>&1 | cat >output
cmp session before || fail "a full disk has damaged the session"
grep -q 'hello' output && grep -q "warning: the session is not saved: can't write session: File too large" output || fail "a full disk was not reported"
[ "$(find . -name 'session.*')" = "" ] || fail "something was left beside the session"

# Two dozen at the same time: each finds a whole session or none, and leaves a whole one.
pids=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
    background sc-client --connect "$address" --pin server.crt --session session echo hello
    pids="$pids $background_pid"
done
for pid in $pids; do
    finish "$pid" 0
done
! grep -l warning background-*.log || fail "a client has found half a session"
client 0 resumed
[ "$(find . -name 'session.*')" = "" ] || fail "something was left beside the session"

# A server with other ticket keys does not know it: a full handshake, and a new session.
stop_server
start_server --listen "$address"
client 0 full
no_warning
client 0 resumed
stop_server
# TLS 1.2.
printf '[tls]\nMaxProtocol = TLSv1.2\n' >tls12.conf
start_server -c tls12.conf
rm session
client 0 full
client 0 resumed
grep -q 'TLSv1.2' err || fail "that was not TLS 1.2"
stop_server

# The key has changed since the session was made: what a resumed connection shows of the keys is not believed, which is logged.
rm session
start_server
client 0 full
run 0 sc-keygen --next
run 0 sc-keygen --promote
kill -HUP "$server_pid"
wait_log ' reloaded '
run 60 sc-client --connect "$address" --pin server.previous.crt --session session pins
expect_err 'has changed its key since; its pins can be read after a full handshake, without the session$'
stop_server
