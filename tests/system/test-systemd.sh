#!/bin/sh
# SPDX-License-Identifier: MIT
# What sc-server and systemd say to each other: readiness, reloads, the watchdog, the end, inherited sockets, credentials. A tool of the
# tests plays systemd; systemd's own socket activation has a turn where it is installed.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs openssl
make_certs
certs="-c /dev/null --certificate $tmp/server.crt --private-key $tmp/server.key"

wait_message() { # TEXT [N]
    wait-for 10 $service contains messages "$@" || fail "no such message: $1; there were: $(cat messages)"
}

echo_over() {
    run 0 sc-client --connect "$1" --pin server.crt echo "$2"
    expect_out "$2"
}

# READY comes when the server serves, RELOADING and READY frame a reload, STOPPING begins the end; all from the main process.
start_service -- --listen 127.0.0.1:0 --port-file port
[ -s port ] || fail "READY came before the port file"
echo_over "$(cat port)" ready
grep -Eq ': READY=1 STATUS=serving, (0 connections|1 connection), certificate ends in 36(49|50) days' messages || fail "READY has no status, or a wrong one"
kill -HUP $service
wait_message RELOADING=1
grep -Eq ': RELOADING=1 MONOTONIC_USEC=[1-9][0-9]*( |$)' messages || fail "RELOADING has no time"
wait-for 10 $service contains service.log reloaded || fail "no reload in the log"
stop_service
grep -q ': STOPPING=1' messages || fail "no STOPPING"
grep -q ': EXTEND_TIMEOUT_USEC=[1-9]' messages || fail "no time is asked for while it drains"
grep -q 'not the main process' messages && fail "a message came from another process"
sed -n 's/^[0-9]*: \(READY\|RELOADING\|STOPPING\)=1.*/\1/p' messages | tr '\n' ' ' >order
[ "$(cat order)" = "READY RELOADING READY STOPPING " ] || fail "wrong order: $(cat order)"

# A reload of something wrong ends with READY too, or systemd would wait for it for ever.
start_service -- --listen 127.0.0.1:0
mv server.crt good.crt
echo nonsense >server.crt
kill -HUP $service
wait-for 10 $service contains service.log reload_failed || fail "no reload_failed in the log"
wait_message 'the last reload failed, the previous configuration is active: '
grep -q 'READY=1 STATUS=serving, 0 connections.*reload failed.*server.crt' messages || fail "the status does not say what failed"
mv good.crt server.crt
kill -HUP $service
# In the log the server's own next attempt may say so before.
wait-for 10 $service contains messages READY=1 3 || fail "no reload after one that failed"
grep -q reloaded service.log || fail "no reload in the log"
# The command of the status is one for the key that is served with by now.
run 0 sc-keygen --force --out server
kill -HUP $service
wait_message "try it: sc-client --connect 127.0.0.1:$(sed -n 's/.* ready listen=127\.0\.0\.1:\([0-9]*\) .*/\1/p' service.log) --pin $(sc-keygen --show server.key | sed -n 's/^  sc-client, curl  //p') echo"
stop_service
[ "$(grep -c ': READY=1' messages)" -eq 4 ] || fail "not one READY for each reload"
sed -n 's/.*READY=1 STATUS=//p' messages | tail -n 1 | grep -q failed && fail "the failure stays in the status"

# The last day of a certificate is no day after it.
run 0 sc-keygen --days 1 --out today
start_service -- --listen 127.0.0.1:0 --certificate today.crt --private-key today.key
wait_message 'STATUS=serving, 0 connections, certificate ends in 0 days; try it: '
dated_certificate today 20200101000000Z 20210101000000Z today.crt
kill -HUP $service
wait_message READY=1 2
grep -Eq ': READY=1 STATUS=serving, 0 connections, certificate ended [0-9]{4} days ago' messages || fail "the status does not say that the certificate has ended"
stop_service

# The watchdog is pinged in less than its time, and not when there is none.
start_service --watchdog 400 -- --listen 127.0.0.1:0
wait_message WATCHDOG=1
wait_message '8: ' # beside READY, two about the descriptor store, and a STATUS or two
[ "$(grep -c ': WATCHDOG=1' messages)" -ge 3 ] || fail "the watchdog is not pinged"
stop_service

# While it drains, the status says so, and time is asked for again and again.
start_service --watchdog 400 -- --listen 127.0.0.1:0 --port-file port --drain-timeout 30s --write-timeout 60s
background hostile --give-up-ms $((30000 * slow)) --deadline-ms $((40000 * slow)) never-read --bytes 4000000000 --ready-file held "$(cat port)"
wait-for 10 "$background_pid" exists held || fail "no client that holds the service"
kill -TERM $service
wait_message 'STATUS=draining, 1 connection, certificate ends in '
grep 'STATUS=draining' messages | grep -q 'try it' && fail "the status offers a command that will be refused"
wait-for 10 $service contains messages EXTEND_TIMEOUT_USEC 3 || fail "time is asked for only once"
kill "$background_pid"
finish $service 0

start_service -- --listen 127.0.0.1:0
stop_service
grep -q WATCHDOG messages && fail "WATCHDOG without a watchdog"

# It is about every loop: when one worker stands still it is fed no more, although the main thread could, and systemd ends the service.
ulimit -c 0
start_service --watchdog $((600 * slow)) -- --listen 127.0.0.1:0 --workers 2
wait_message WATCHDOG=1
kill -USR1 $service
wait-for 10 $service contains messages ' stopped' || fail "no thread was stopped"
if grep -q 'a thread is stopped' messages; then
    finish $service 134
    grep -q 'watchdog timeout' messages || fail "it ended, and not because of the watchdog: $(cat messages)"
    grep -q ' worker_stuck ' service.log || fail "the log does not say that a worker is stuck"
else
    skip_part "ptrace(2) is not allowed here"
    stop_service
fi

# Sockets that are handed over take the place of listen, which is not even opened: this address is not of this machine.
start_service --sockets 2 --names main:spare -- --listen 192.0.2.1:1 --port-file port
cmp -s addresses port || fail "it does not listen on the sockets that were handed over"
grep -q " inherited_socket name=main listen=$(sed -n 1p addresses)\$" service.log || fail "the first socket has lost its name"
grep -q " inherited_socket name=spare listen=$(sed -n 2p addresses)\$" service.log || fail "the second socket has lost its name"
echo_over "$(sed -n 1p addresses)" first
echo_over "$(sed -n 2p addresses)" second
stop_service
# A socket of the name "metrics" is for the admin interface, in place of metrics-listen.
start_service --sockets 2 --names main:metrics -- --listen 192.0.2.1:1 --metrics-listen 192.0.2.1:2 --port-file port
[ "$(cat port)" = "$(sed -n 1p addresses)" ] || fail "it does not listen on the first socket alone"
echo_over "$(sed -n 1p addresses)" main
run 0 sc-server --status "$(sed -n 2p addresses)"
grep -q '^state  *ready,' out || fail "the second socket is not that of the admin interface"
stop_service
start_service --sockets 1 --names metrics -- --listen 127.0.0.1:0 --port-file port
echo_over "$(cat port)" listen
run 0 sc-server --status "$(sed -n 1p addresses)"
stop_service

start_service --sockets 2 -- --listen 192.0.2.1:1
[ "$(grep -c ' inherited_socket name=unknown ' service.log)" -eq 2 ] || fail "sockets without names have some"
stop_service

# A passphrase that comes as a credential, at the start and at a reload.
mkdir credentials
echo secret >credentials/passphrase
mv server.key plain.key
openssl pkcs8 -topk8 -in plain.key -passout pass:secret -out server.key 2>/dev/null
chmod 600 server.key
export CREDENTIALS_DIRECTORY="$tmp/credentials"
start_service -- --listen 127.0.0.1:0 --port-file port
unset CREDENTIALS_DIRECTORY
echo_over "$(cat port)" credential
kill -HUP $service
wait-for 10 $service contains service.log reloaded || fail "no reload with a credential"
stop_service
# shellcheck disable=SC2086
run 78 sc-server --check-config $certs
expect_err '^sc-server: .*encrypted'
mv plain.key server.key

# systemd's own program hands over its socket when the first client comes.
if command -v systemd-socket-activate >/dev/null; then
    # shellcheck disable=SC2086
    systemd-socket-activate -l "$tmp/activated" --fdname=sc-server -E PATH -E ASAN_OPTIONS "$SC_BUILDDIR/src/sc-server" $certs >activated.log 2>&1 &
    server_pid=$!
    own_pids="$own_pids $server_pid"
    wait-for 10 $server_pid contains activated.log Listening || fail "systemd-socket-activate does not listen"
    echo_over "unix:$tmp/activated" activated
    kill -TERM $server_pid
    end_server 0
else
    skip_part "no systemd-socket-activate here"
fi
# With NoNewPrivileges=, as in the unit, the server gives up what it does not need any more, in each of its threads.
if setpriv --no-new-privs true 2>/dev/null && grep -q '^Seccomp_filters:' /proc/self/status; then
    before=$(sed -n 's/^Seccomp_filters:[[:space:]]*//p' /proc/self/status)
    # shellcheck disable=SC2086
    setpriv --no-new-privs sc-server -c /dev/null $certs --listen 127.0.0.1:0 --workers 2 >confined.log 2>&1 &
    server_pid=$!
    own_pids="$own_pids $server_pid"
    wait-for 20 $server_pid contains confined.log ' ready ' || fail "the server did not become ready"
    for status in /proc/$server_pid/task/*/status; do
        [ "$(sed -n 's/^Seccomp_filters:[[:space:]]*//p' "$status")" -gt "$before" ] || fail "a thread can do what it need not"
    done
    kill -TERM $server_pid
    end_server 0
else
    skip_part "no setpriv here, or a kernel that does not count filters"
fi
pass "all sent"
