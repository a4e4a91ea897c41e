#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC3045  # every sh that we know has ulimit -H
# make bench-restart: what a restart costs a fleet. Clients that are connected and idle lose their server and come back, with their sessions,
# to sc-server and, where they are installed, to TLS proxies before a bare server. All are restarted as systemd does it: SIGTERM, and a start
# when the old process has ended; sc-server with a socket and a descriptor store of systemd, the others with their own port.
#
# Seconds are from the restart until each client has had a reply; handshakes and attempts are those of the clients, processor time is that of
# the new server. Beside them, on the same processor, another sc-server has one client that is never disconnected, with 500
# requests a second: its latency while they come back, corrected for coordinated omission.
#
# One process plays all the clients, so that each of 10,000 handshakes takes it longer than a client of its own would need: sc-server has a
# handshake-timeout of 60s here, as nginx has by default. With its 5s it would end handshakes whose client is alone in being slow.
#
#   BENCH_CLIENTS  how many (10000, or what the limit of open files allows a proxy, which needs two for each)
#   BENCH_SERVERS  of these: ours advised nginx hitch haproxy (all that are installed). advised: sc-server, and the clients come back when it
#                  has told them to; to the others they come at once
#   BENCH_ROUNDS   restarts of each (3); the median is printed
#
# Each step ends after two minutes at the latest, and then says how far it came. What is done is said on standard error.
. "${SC_SRCDIR:?run this by make bench-restart}/tests/bench/lib.sh"

files=$(ulimit -Hn)
most=$(((files - 400) / 2)) # two for each client, and what a proxy needs beside them
clients=${BENCH_CLIENTS:-$((most < 10000 ? most : 10000))}
rounds=${BENCH_ROUNDS:-3}
limit=120
ulimit -n "$files"

# In place of that of lib.sh: what is restarted runs below a tool that does it.
spawn() {
    what=$1
    shift
    case $what in
    ours) set -- as-systemd --sockets 1 "$tmp/messages" "$tmp/port" "$@" ;;
    nginx | hitch | haproxy) set -- as-systemd "$tmp/messages" "$tmp/addresses" "$@" ;;
    esac
    : >"$tmp/$what.log" # what waits for a line must not find that of the process before
    "$@" >"$tmp/$what.log" 2>&1 </dev/null &
    started="$started $!"
    pids=$!
}

# shellcheck disable=SC2086
start_beside() {
    rm -f "$tmp/beside"
    spawn beside $on_server sc-server -c /dev/null --listen 127.0.0.1:0 --port-file "$tmp/beside" --certificate "$tmp/server.crt" \
        --private-key "$tmp/server.key" --workers 1 --log-level error
    wait-for 10 "$pids" exists "$tmp/beside" || give_up "the other server did not start"
}

# shellcheck disable=SC2086
start_restarted() {
    case $1 in
    ours | advised)
        rm -f "$tmp/port" "$tmp/messages"
        spawn ours $on_server sc-server -c /dev/null --certificate "$tmp/server.crt" --private-key "$tmp/server.key" --workers 1 \
            --log-level error --max-connections 19000 --handshake-timeout 60s
        wait-for 10 "$pids" contains "$tmp/messages" READY=1 || give_up "sc-server did not start"
        address=$(cat "$tmp/port")
        ;;
    *)
        start_proxy "$1"
        answers || give_up "$1 does not answer"
        ;;
    esac
    supervisor=$pids
}

# Clock ticks of the server that runs now and of its children.
processor_ticks() {
    sum=0
    for main in $(pgrep -P "$supervisor"); do
        for one in $main $(pgrep -P "$main"); do
            sum=$((sum + $(sed 's/.*) //' "/proc/$one/stat" | cut -d ' ' -f 12,13 | sed 's/ /+/')))
        done
    done
    echo "$sum"
}

# all_clients TEXT WHAT: until the log of the clients has TEXT, which comes when each has been served.
all_clients() {
    wait-for $limit $fleet contains "$tmp/fleet.log" "$1" && return 0
    kill -TERM $fleet 2>/dev/null || :
    wait $fleet || :
    give_up "$2 within $limit s: $(sed -n 's/^not over: //p' "$tmp/fleet.log")"
}

field() { sed -n "s/^round $round: .*$1=\([0-9.]*\).*/\1/p" "$tmp/fleet.log"; }

# restart_once SERVER: a line "SERVER seconds full resumed refused failed processor-seconds p99-ms".
# shellcheck disable=SC2086
restart_once() {
    $on_client sc-bench --connect "$(cat "$tmp/beside")" --pin "$tmp/server.crt" -c 1 -s 64 --rate 500 --duration "${limit}s" --json \
        >"$tmp/json" 2>"$tmp/sc-bench.log" &
    beside=$!
    started="$started $beside"
    sleep 0.3 # of its own start
    kill -USR1 $fleet
    wait-for 30 $fleet contains "$tmp/fleet.log" "begun: $round" || give_up "the clients do not expect a restart"
    kill -USR2 "$supervisor"
    all_clients "round $round:" "not all clients came back to $1"
    kill -INT $beside
    wait $beside || :
    echo "$1 $(field seconds) $(field full) $(field resumed) $(field refused) $(field failed)" \
        "$(processor_ticks)e-2 $(value latency_ns.p99 | awk '{ print $1 / 1e6 }')" >>"$tmp/results"
    echo "bench-restart: $1, restart $round of $rounds: $clients clients are back after $(field seconds) s" >&2
}

column() { awk -v s="$1" -v n="$2" '$1 == s { print $n + 0 }' "$tmp/results" | median; }

: >"$tmp/results"
for server in ${BENCH_SERVERS:-ours advised nginx hitch haproxy}; do
    advice=
    case $server in
    ours) ;;
    advised) advice=--advice ;;
    *)
        have "$server" || { echo "bench-restart: $server is not installed, left out" >&2; continue; }
        [ "$clients" -le "$most" ] || give_up "$server can't have $clients clients: it needs two files for each, and may open $files"
        ;;
    esac
    stop
    start_beside
    start_restarted "$server"
    # shellcheck disable=SC2086
    spawn fleet $on_client fleet --clients "$clients" $advice "$address" "$tmp/server.crt"
    fleet=$pids
    all_clients connected "not all clients could connect to $server"
    round=0
    echo "bench-restart: $server: $(sed -n 's/^connected: seconds=\([0-9.]*\) .*/'"$clients"' clients are connected after \1 s/p' "$tmp/fleet.log")" >&2
    while [ "$round" -lt "$rounds" ]; do
        round=$((round + 1))
        restart_once "$server"
    done
    servers="${servers-} $server"
done
stop

describe
echo
echo "$clients clients come back after a restart (median of $rounds; a process may open $files files here, and a proxy needs two for each client)"
echo
echo "| server | seconds until all are served | full handshakes | resumed | refused | failed | processor seconds | p99 of another client, ms |"
echo "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
for server in ${servers-}; do
    case $server in
    ours) name=sc-server ;;
    advised) name="sc-server, when it has asked to" ;;
    *) name=$server ;;
    esac
    printf '| %s |' "$name"
    for n in 2 3 4 5 6 7 8; do
        printf ' %s |' "$(column "$server" $n)"
    done
    printf '\n'
done
