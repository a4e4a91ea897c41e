#!/bin/sh
# SPDX-License-Identifier: MIT
# From start to end: ready, full, told to stop; nobody loses a reply.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"


# Ready: the log has the real address, the port file appears whole.
start_server
grep -q "$address" "$server_log" || fail "the log does not name $address"
[ "$(wc -l <"$port_file")" -eq 1 ] || fail "the port file has not one line"
[ "$(find "$tmp" -name '*port-*' | wc -l)" -eq 1 ] || fail "something was left beside the port file"
# libevent would end the process without a word.
run 71 sh -c 'ulimit -n 30 && exec sc-server "$@"' sh --workers 50 --listen 127.0.0.1:0 --certificate server.crt --private-key server.key
grep "^sc-server: can't create .*: .*ile" err >/dev/null || fail "no line says that descriptors ran out"
run 69 sc-server --listen "$address" --certificate server.crt --private-key server.key
expect_err "^sc-server: .*$port"
stop_server

# SIGTERM, SIGINT: every request that was sent is answered, then ERROR 3 with advice, close_notify, exit 0.
for signal in TERM INT; do
    start_server
    background hostile --deadline-ms $((20000 * slow)) drain --count 60 --piece 20 --bytes 3000 --ready-file ready "$address"
    wait-for 20 "$background_pid" exists ready || fail "the clients did not connect"
    kill -"$signal" "$server_pid"
    finish "$background_pid" 0
    end_server 0
    grep -q " stopping message=\"SIG$signal: draining 60 connections\"" "$server_log" || fail "the log does not say what has stopped it"
    pass "SIG$signal: $(cat "$tmp/background-$background_count.log")"
    rm -f ready
done

# With more under way than the sockets hold: what is not answered comes after what is.
start_server
background hostile --deadline-ms $((20000 * slow)) drain --how partial --count 5 --piece 60 --bytes 60000 --ready-file ready "$address"
wait-for 20 "$background_pid" exists ready || fail "the server did not take the requests"
kill -TERM "$server_pid"
finish "$background_pid" 0
end_server 0
pass "with much under way: $(cat "$tmp/background-$background_count.log")"
rm -f ready

# Requests that wait in the server's socket, because it does not read a client that does not take its replies: they have arrived, and are
# answered. On a unix socket what was sent has arrived.
start_server --listen "unix:$tmp/socket" --workers 1 --output-limit 64K
background hostile --deadline-ms $((20000 * slow)) drain --count 3 --piece 100 --bytes 14500 --ready-file ready --go-file go "unix:$tmp/socket"
wait-for 20 "$background_pid" exists ready || fail "the server did not take the requests"
kill -TERM "$server_pid"
wait_log " stopping "
: >go
finish "$background_pid" 0
end_server 0
pass "with requests that were not read yet: $(cat "$tmp/background-$background_count.log")"
rm -f ready go

# Stopped for longer than idle-timeout, and told to go on: what has come meanwhile is answered first. The time is that of another server, whose
# idle client has twice as long.
start_server --idle-timeout $((4 * slow))s
timer=$server_pid timer_address=$address
start_server --workers 1 --idle-timeout $((2 * slow))s
mkfifo lines
# shellcheck disable=SC2016
background sh -c 'exec sc-client --connect "$1" --pin server.crt --no-retry --timeout "$2" <lines' sh "$address" $((20 * slow))
client_log=$tmp/background-$background_count.log
exec 9>lines
echo 'echo one' >&9
wait-for 20 "$background_pid" contains "$client_log" one || fail "no reply"
kill -STOP "$server_pid"
echo 'echo two' >&9
run 0 hostile --at-least-ms $((3900 * slow)) --give-up-ms $((15000 * slow)) --deadline-ms $((18000 * slow)) idle "$timer_address"
kill -CONT "$server_pid"
wait-for 20 "$background_pid" contains "$client_log" two || fail "a request that came while the server was stopped is not answered: $(cat "$client_log")"
exec 9>&- # its end, or idle-timeout once more
wait-for 20 "$background_pid" ends || fail "the client does not end"
forget_pid "$background_pid"
stop_server
server_pid=$timer
stop_server
pass "stopped and told to go on"

# A client that does not read is waited for until drain-timeout and no longer; one that is silent, until its handshake-timeout.
hold() {
    background hostile --give-up-ms $((30000 * slow)) --deadline-ms $((40000 * slow)) "$@" --ready-file ready "$address"
    holder=$background_pid
    wait-for 10 "$holder" exists ready || fail "no client to hold the server"
    rm -f ready
}
start_server --drain-timeout 1s --write-timeout 60s
hold never-read --bytes 4000000000
start=$(milliseconds)
kill -TERM "$server_pid"
end_server 0
took=$(($(milliseconds) - start))
[ $took -ge 900 ] || fail "drain-timeout of 1s, and it took $took ms"
[ $took -le $((6000 * slow)) ] || fail "drain-timeout of 1s, and it took $took ms"
grep -q ' drain_timeout .*"1 connection did not end' "$server_log" || fail "the log does not say who was cut"
sees drain-timeout
pass "a client that never reads: left after $took ms, drain-timeout 1s"
finish "$holder" 0

start_server --drain-timeout 60s --handshake-timeout 1s
hold silent
start=$(milliseconds)
kill -TERM "$server_pid"
end_server 0
grep -q ' tls_handshake_failed .* reason=timeout ' "$server_log" || fail "it was not waited for"
! grep -q ' drain_timeout ' "$server_log" || fail "drain-timeout of 60s was over"
pass "a client that says nothing: left after $(($(milliseconds) - start)) ms, drain-timeout 60s"
finish "$holder" 0

# A second signal leaves at once.
start_server --drain-timeout 60s --write-timeout 60s
hold never-read --bytes 4000000000
kill -TERM "$server_pid"
wait_log drain
# Nobody else gets in.
run 69 sc-client --connect "$address" --pin server.crt --timeout 10 time
expect_err 'refused'
# Meanwhile there is nothing to reload for.
kill -HUP "$server_pid"
wait_log reload_ignored
start=$(milliseconds)
kill -TERM "$server_pid"
wait-for 10 "$server_pid" ends || fail "a second SIGTERM did not end it"
pass "a second SIGTERM: left after $(($(milliseconds) - start)) ms"
status=0
wait "$server_pid" || status=$?
forget_pid "$server_pid"
[ $status -lt 128 ] || fail "a second SIGTERM: status $status"
finish "$holder" 0

# Out of descriptors: refused and counted, no spinning, no flood of log lines, and all is well when there are some again.
if command -v prlimit >/dev/null; then
    start_server
    run 0 hostile many --count 1 "$address"
    open=$(find "/proc/$server_pid/fd" -mindepth 1 | wc -l)
    prlimit --pid "$server_pid" --nofile=$((open + 4)): || fail "can't lower the limit"
    background hostile --peers 30 --give-up-ms $((2500 * slow)) --deadline-ms $((20000 * slow)) silent "$address"
    before=$(cpu_ticks "$server_pid")
    finish "$background_pid" 0
    used=$(($(cpu_ticks "$server_pid") - before))
    [ $used -le $((60 * slow)) ] || fail "$used clock ticks of processor time in $((2500 * slow)) ms without descriptors"
    lines=$(wc -l <"$server_log")
    [ "$lines" -le $((60 * slow)) ] || fail "$lines log lines without descriptors"
    grep -qi descriptors "$server_log" || fail "the log does not say that descriptors ran out"
    prlimit --pid "$server_pid" --nofile=1000: || fail "can't raise the limit"
    run 0 hostile --deadline-ms $((10000 * slow)) many --count 20 --piece 2 "$address"
    pass "out of descriptors: $used clock ticks and $lines log lines, then $(cat out)"
    stop_server
else
    skip_part "no prlimit(1) to take descriptors away"
fi
