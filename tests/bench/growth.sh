#!/bin/sh
# SPDX-License-Identifier: MIT
# make bench-growth: how the cost of a request grows with connections, with bodies and with depth; what a second worker brings; and the
# latency of a light client beside a heavy one. sc-server and the bare server, operations for each second of the server's processor time.
#
# Figures are medians of the rounds; a ratio is the median of those within each round.
#
#   BENCH_ROUNDS   rounds (3)             BENCH_SECONDS  of each measurement (0.6)
. "${SC_SRCDIR:?run this by make bench-growth}/tests/bench/lib.sh"

rounds=${BENCH_ROUNDS:-3}
seconds=${BENCH_SECONDS:-0.6}
servers="ours bare"

# measure OPTION...: measures both servers, each just started; adds to $tmp/SERVER.cpu, $tmp/SERVER.rate, $tmp/SERVER.p99 and $tmp/ratio.
measure() {
    for server in $servers; do
        # shellcheck disable=SC2086,SC2046
        start $server $([ "$server" = ours ] && echo "$our_options")
        bench "$@" --duration "${seconds}s" --warm-up 300ms
        value server.operations_per_cpu_second >>"$tmp/$server.cpu"
        value rate >>"$tmp/$server.rate"
        value latency_ns.p99 >>"$tmp/$server.p99"
    done
    awk -v a="$(tail -n 1 "$tmp/ours.cpu")" -v b="$(tail -n 1 "$tmp/bare.cpu")" 'BEGIN { print (b > 0 ? a / b : 0) }' >>"$tmp/ratio"
}

# row LABEL OPTION...: medians of the rounds.
row() {
    label=$1
    shift
    rm -f "$tmp"/*.cpu "$tmp"/*.rate "$tmp"/*.p99 "$tmp/ratio"
    i=0
    while [ $i -lt "$rounds" ]; do
        measure "$@"
        i=$((i + 1))
    done
    printf '| %-14s |' "$label"
    for server in $servers; do
        printf ' %12.0f | %12.0f | %9.3f |' "$(median <"$tmp/$server.cpu")" "$(median <"$tmp/$server.rate")" \
            "$(median <"$tmp/$server.p99" | awk '{ print $1 / 1e6 }')"
    done
    printf ' %.2f |\n' "$(median <"$tmp/ratio")"
}

table() {
    printf '\n%s\n\n' "$1"
    printf '| %-14s |' "$2"
    for server in $servers; do
        printf ' %12s | %12s | %9s |' "$server, op/CPU s" "op/s" "p99 ms"
    done
    printf ' ratio |\n| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n'
}

describe

our_options=

table "Connections (1 request of 64 bytes in flight on each)" connections
for count in 1 10 100 1000 5000 15000; do
    row $count -c $count
done

our_options="--max-body 1M --output-limit 4M"
table "Bodies (8 connections, 4 in flight on each)" bytes
for size in 0 64 1K 4K 16K 64K 256K 1M; do
    row $size -c 8 -d 4 -s $size
done

our_options=
table "Depth (16 connections, 64 bytes)" depth
for depth in 1 4 16 64 256; do
    row $depth -c 16 -d $depth
done

# Nothing is bound to a processor, and the generator has as many threads as the server. What a second worker costs shows in the operations
# for each second of the server's processor time.
printf '\nWorkers (64 bytes; server and generator share all processors, with as many threads each)\n\n'
printf '| %-8s | %-18s | %12s | %12s | %14s |\n| --- | --- | ---: | ---: | ---: |\n' workers load "op/s" "op/CPU s" "server, CPUs"
on_server=
on_client=
for load in "-c 64 -d 1" "-c 256 -d 1" "-c 64 -d 16" "-c 64 -d 64" "-c 32 --handshakes"; do
    for count in 1 2; do
        workers="--workers $count"
        start ours
        rm -f "$tmp"/workers.*
        i=0
        while [ $i -lt "$rounds" ]; do
            # shellcheck disable=SC2086
            bench $load --threads $count --duration "${seconds}s" --warm-up 200ms
            value rate >>"$tmp/workers.rate"
            value server.operations_per_cpu_second >>"$tmp/workers.each"
            echo "$(value server.cpu_s) $(value elapsed_s)" | awk '{ print $1 / $2 }' >>"$tmp/workers.cpu"
            i=$((i + 1))
        done
        printf '| %-8s | %-18s | %12.0f | %12.0f | %14.2f |\n' $count "$load" "$(median <"$tmp/workers.rate")" \
            "$(median <"$tmp/workers.each")" "$(median <"$tmp/workers.cpu")"
    done
done
workers="--workers 1"

# light LABEL: the latencies of a client with 200 requests a second. A request that takes 3 s times out and is counted.
light() {
    rm -f "$tmp"/light.*
    i=0
    while [ $i -lt "$rounds" ]; do
        bench -c 1 --rate 200 --duration 2s --timeout 3s --expect 'errors>=0'
        for figure in p50 p99 max; do
            value latency_ns.$figure >>"$tmp/light.$figure"
        done
        value errors.timeout >>"$tmp/light.timeout"
        i=$((i + 1))
    done
    printf '| %-28s | %-6s |' "$1" "$server"
    for figure in p50 p99 max; do
        printf ' %8.3f |' "$(median <"$tmp/light.$figure" | awk '{ print $1 / 1e6 }')"
    done
    printf ' %9s |\n' "$(median <"$tmp/light.timeout")"
}

printf '\nA light client (200 requests of 64 bytes a second) beside a heavy one, one worker; milliseconds\n\n'
printf '| %-28s | %-6s | %8s | %8s | %8s | %9s |\n| --- | --- | ---: | ---: | ---: | ---: |\n' beside server p50 p99 max 'timed out'
for server in $servers; do
    start "$server"
    light "nothing"
    for heavy in "-c 1 -d 256 -s 64" "-c 1 -d 256 -s 16K" "-c 8 -d 256 -s 1K"; do
        # shellcheck disable=SC2086,SC2046
        timeout 60 $on_client sc-bench --connect "$address" --pin "$tmp/server.crt" $heavy --duration 30s >"$tmp/heavy.log" 2>&1 &
        heavy_pid=$!
        light "$heavy"
        end "$heavy_pid"
    done
done
