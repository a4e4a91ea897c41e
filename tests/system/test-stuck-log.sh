#!/bin/sh
# SPDX-License-Identifier: MIT
# Nobody reads the log any more, and its pipe is full: the server goes on serving, reloading and stopping, and says how much was lost as soon
# as somebody reads again. A start that fails ends, too. A log file that may not grow holds up nothing either.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

# The log of the first server is a pipe, which this shell keeps open at both ends.
mkfifo server-1.log
exec 9<>server-1.log
start_server -c /dev/null --workers 2 --log-level debug
echo_over() {
    run 0 sc-client --connect "$address" --pin server.crt echo "$1"
    expect_out "$1"
}
sed '/ ready /q' <server-1.log >lines # it may be written after the port file
echo_over before
dd if=/dev/zero bs=4096 oflag=nonblock 2>/dev/null >server-1.log || : # until it is full

# Each of these is worth a line or two of a worker, and the first would be the last.
for i in 1 2 3 4 5 6; do
    run 0 hostile --how 'GET / HTTP/1.0' plain "$address"
    echo_over "$i"
done

# Somebody reads again.
dd if=server-1.log bs=65536 count=40 iflag=nonblock 2>/dev/null | tr -d '\0' >lines || :
kill -HUP "$server_pid"
sed '/ reloaded /q' <server-1.log >>lines
grep -q ' connected ' lines || fail "what was in the pipe before is not there: $(cat lines)"
grep -Eq ' warning log_lost lines=[1-9][0-9]* ' lines || fail "nothing says that lines were lost: $(cat lines)"
sed '/ log_lost /q' lines | grep ' tls_handshake_failed ' && fail "a full pipe took a line"
echo_over again

# Full again, and the end: it is not waited for a reader.
dd if=/dev/zero bs=4096 oflag=nonblock 2>/dev/null >server-1.log || :
stop_server

# A file that may not grow: in blocks of 512 bytes, and the line "ready" is in it.
sh -c 'ulimit -f 4; exec "$@"' sh sc-server -c /dev/null --certificate server.crt --private-key server.key --listen 127.0.0.1:0 --port-file port \
    >file.log 2>&1 </dev/null &
server_pid=$!
own_pids="$own_pids $server_pid"
wait-for 20 $server_pid exists port || fail "no server whose log is a file"
address=$(sed -n 1p port)
for i in 1 2 3 4 5 6; do
    run 0 hostile --how 'GET / HTTP/1.0' plain "$address"
    echo_over "$i"
done
[ "$(wc -c <file.log)" = 2048 ] || fail "the log is not full: $(wc -c <file.log) bytes"
stop_server
sed '$d' file.log >whole.log && mv whole.log file.log # its last line is cut

# Three errors, and nobody to read them.
status=0
timeout --foreground -k 5 "$run_seconds" sc-server -c /dev/null --workers none --max-body none --idle-timeout none 2>server-1.log || status=$?
[ "$status" = 64 ] || fail "exit status $status of a start that fails, not 64"

pass "$(sed -n 's/.*log_lost \(lines=[0-9]*\).*/\1/p' lines) lost, and every request answered"
