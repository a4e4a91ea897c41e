#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC3045  # every sh that we know has ulimit -H
# make bench: sc-server, a bare server on epoll and OpenSSL and, where they are installed, TLS proxies, in rounds on this machine.
#
# What is compared is operations for each second of processor time of the server (all its processes; of a proxy without its backend), so
# that neither the generator nor other load on the machine decides. Each figure is the median of the rounds, in brackets that of the
# ratios to the bare server in the same round. Idle connections: resident memory for each, with a server that was just started.
#
#   BENCH_ROUNDS   rounds (3)             BENCH_SECONDS  of each measurement (1.5)
#   BENCH_SERVERS  of these: ours bare nginx hitch stunnel haproxy
#   BENCH_LOADS    of these: 64x1x64 64x16x64 8x4x16K handshake resume (connections x in flight x bytes)
#   BENCH_IDLE     numbers of idle connections (4000 18000)
. "${SC_SRCDIR:?run this by make bench}/tests/bench/lib.sh"

rounds=${BENCH_ROUNDS:-3}
seconds=${BENCH_SECONDS:-1.5}
loads=${BENCH_LOADS-64x1x64 64x16x64 8x4x16K handshake resume}
idle=${BENCH_IDLE-4000 18000}
servers=
for server in ${BENCH_SERVERS:-ours bare nginx hitch stunnel haproxy}; do
    if have "$server"; then
        servers="$servers $server"
    else
        echo "bench: $server is not installed, left out" >&2
    fi
done

# Hardware counters are often hidden from virtual machines.
perf=
if command -v perf >/dev/null && perf stat -x, -e instructions:u true 2>&1 | grep -q '^[0-9]'; then
    perf=yes
fi

say() {
    [ ! -t 2 ] || printf '\r\033[K%s' "$*" >&2
}

# measure LOAD SERVER: a line "LOAD SERVER operations-per-CPU-second rate p99 instructions-per-operation".
measure() {
    options=$(load "$1")
    counter=
    if [ -n "$perf" ]; then
        # shellcheck disable=SC2086
        perf stat -x, -o "$tmp/perf" -e instructions:u -p "$(echo $pids | tr ' ' ,)" &
        counter=$!
    fi
    # shellcheck disable=SC2086
    bench $options --duration "${seconds}s" --warm-up 200ms
    instructions=-
    if [ -n "$counter" ]; then
        { kill -INT "$counter" && wait "$counter"; } || :
        instructions=$(awk -F, -v n="$(value operations)" '/instructions/ { printf "%.0f", $1 / n }' "$tmp/perf")
    fi
    echo "$1 $2 $(value server.operations_per_cpu_second) $(value rate) $(value latency_ns.p99) $instructions" >>"$tmp/results"
}

# column LOAD SERVER NUMBER: the median of a column of the results.
column() {
    awk -v l="$1" -v s="$2" -v n="$3" '$1 == l && $2 == s { print $n }' "$tmp/results" | median
}

# ratio LOAD SERVER NUMBER: to the bare server's in the same round, the median of the rounds; nothing without a bare server.
ratio() {
    awk -v l="$1" -v s="$2" -v n="$3" '
        $1 == l && $2 == s { ours[++i] = $n }
        $1 == l && $2 == "bare" { bare[++k] = $n }
        END { for (r = 1; r <= i && r <= k; r++) if (bare[r] > 0) print ours[r] / bare[r] }' "$tmp/results" | median
}

head_row() {
    printf '| %-28s |' "$1"
    # shellcheck disable=SC2086
    printf ' %18s |' $servers
    printf '\n| --- |'
    for server in $servers; do
        printf ' ---: |'
    done
    printf '\n'
}

# rows NUMBER WHAT: a row for each load.
rows() {
    for one in $loads; do
        printf '| %-28s |' "$one"
        for server in $servers; do
            column "$one" "$server" "$1" | awk -v ratio="$(ratio "$one" "$server" "$1")" '
                function grouped(n, s, out) {
                    s = sprintf("%.0f", n)
                    while (length(s) > 3) {
                        out = "," substr(s, length(s) - 2) out
                        s = substr(s, 1, length(s) - 3)
                    }
                    return s out
                }
                { printf(" %18s |", (ratio != "" ? sprintf("%s (%.2f)", grouped($1), ratio) : grouped($1))) }'
        done
        printf '\n'
    done
}

: >"$tmp/results"
round=0
while [ "$round" -lt "$rounds" ] && [ -n "$loads" ]; do
    round=$((round + 1))
    for one in $loads; do
        for server in $servers; do
            say "round $round of $rounds: $one, $server"
            start "$server"
            measure "$one" "$server"
        done
    done
done
stop
say ""

describe
echo
if [ -n "$loads" ]; then
    echo "Operations for each second of the server's processor time (median of $rounds rounds of $seconds s; ratio to bare)"
    echo
    head_row "connections x depth x bytes"
    rows 3
    echo
    echo "Operations a second with one generator thread"
    echo
    head_row "connections x depth x bytes"
    rows 4
    if [ -n "$perf" ]; then
        echo
        echo "User instructions for each operation"
        echo
        head_row "connections x depth x bytes"
        rows 6
    fi
fi

[ -n "$idle" ] || exit 0
echo
echo "Resident memory for each idle connection that has not sent a request, KiB"
echo
head_row "connections"
for count in $idle; do
    printf '| %-28s |' "$count"
    for server in $servers; do
        say "$server, $count idle connections"
        need=$((count + 100))
        case $server in
        ours | bare) ;;
        *) need=$((2 * count + 300)) ;; # a proxy needs two for each
        esac
        limit=$(ulimit -Hn)
        if [ "$limit" != unlimited ] && [ "$limit" -lt "$need" ]; then
            printf ' %18s |' "needs $need files"
            continue
        fi
        start "$server"
        bench --hold -c "$count" --duration 2s
        printf ' %18s |' "$(awk -v b="$(value server.rss_per_connection_bytes)" 'BEGIN { printf "%.1f", b / 1024 }')"
    done
    printf '\n'
done
say ""
