#!/bin/sh
# SPDX-License-Identifier: MIT
# With several workers: a reload reaches the connections of each, new ones and open ones; counters are the sum; the end waits for all.
test_seconds=60
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

clients=6
# The deadline of a handshake is long, since the timer that is set for it looks at all deadlines when it fires.
configure() {
    printf '[server]\nreload-interval = 0\nhandshake-timeout = 60s\nidle-timeout = %s\n' "$1" >sc.conf
}

make_certs
configure 5m
start_server -c sc.conf --workers 3
cp server.crt old.crt
threads=$(cat /proc/"$server_pid"/task/*/comm | sort -u | tr '\n' ' ') # as ps -L and gdb show them
case " $threads" in
*" worker-0 worker-1 worker-2 "*) ;;
*) fail "the threads are called $threads" ;;
esac
holders=
i=0
while [ $i -lt $clients ]; do
    i=$((i + 1))
    background hostile --give-up-ms $((20000 * slow)) --deadline-ms $((30000 * slow)) idle --ready-file "ready-$i" "$address"
    holders="$holders $background_pid"
done
i=0
for holder in $holders; do
    i=$((i + 1))
    wait-for 10 "$holder" exists "ready-$i" || fail "client $i was not served"
done

# Another key, a deadline that is over for those who wait: all are closed, and new ones get the new key from each worker.
run 0 sc-keygen --force --out server --name localhost --name 127.0.0.1
configure 300ms
kill -HUP "$server_pid"
wait_log " reloaded "
for holder in $holders; do
    finish "$holder" 0
done
configure 5m # not over for those of sc-bench, who wait until all are there
kill -HUP "$server_pid"
wait_log " reload_changed key=idle-timeout before=300ms after=5m"
run 0 sc-bench --connect "$address" --pin server.crt -c $clients -n 60 -t time
run 90 sc-client --connect "$address" --pin old.crt time

stop_server
# Those that wait, those of sc-bench and the one before them, and the one that was refused.
counted connections_accepted $((2 * clients + 2))
counted handshakes_started $((2 * clients + 2))
counted handshakes_full_tlsv1_3 $((2 * clients))
counted handshakes_failed_bad_certificate 1
counted closed_idle_timeout $clients
counted requests_echo $clients
counted requests_reverse $clients
counted requests_time $((clients + 60))

# It leaves when the last client of the last worker has left, and not before; then at once.
configure 5m
start_server -c sc.conf --workers 3 --drain-timeout 50s
background hostile --deadline-ms $((20000 * slow)) drain --count $clients --piece 20 --bytes 3000 --ready-file ready "$address"
wait-for 20 "$background_pid" exists ready || fail "the clients did not connect"
kill -TERM "$server_pid"
finish "$background_pid" 0
end_server 0
grep -q drain_timeout "$server_log" && fail "it waited for drain-timeout"
counted errors_going_away $clients

# One that does not read holds its worker, and so the server, until drain-timeout.
start_server -c sc.conf --workers 3 --drain-timeout 1s --write-timeout 60s
background hostile --give-up-ms $((30000 * slow)) --deadline-ms $((40000 * slow)) never-read --bytes 4000000000 --ready-file held "$address"
wait-for 20 "$background_pid" exists held || fail "no client holds the server"
stop_server
grep -q ' drain_timeout .*"1 connection did not end' "$server_log" || fail "it did not wait for the last client"
finish "$background_pid" 0
