#!/bin/sh
# SPDX-License-Identifier: MIT
# make bench-scrape: the latency of a quiet client while somebody scrapes /metrics, beside one while nobody does. One worker, which lives in
# the main loop; idle connections stay open meanwhile.
#
#   BENCH_ROUNDS   rounds (5)             BENCH_SECONDS  of each measurement (4)
#   BENCH_SCRAPES  scrapes a second, a list ("0 10")     BENCH_IDLE  idle connections (2000)
. "${SC_SRCDIR:?run this by make bench-scrape}/tests/bench/lib.sh"

rounds=${BENCH_ROUNDS:-5}
seconds=${BENCH_SECONDS:-4}
rates=${BENCH_SCRAPES:-0 10}
idle=${BENCH_IDLE:-2000}
curl --help all 2>/dev/null | grep -q -e '--rate' || give_up "this needs a curl(1) that has --rate (7.84)"
ulimit -n "$(ulimit -H -n)"

# scrapes A_SECOND: by one process that goes on until it is ended
scrapes() {
    spawn scrapes $on_client curl -sS --rate "$1/s" --unix-socket "$tmp/admin" -o "$tmp/metrics" -w '%{stderr}%{http_code}\n' \
        "http://localhost/metrics?[1-$(($1 * seconds * 20))]"
    scraper=$pids
}

start ours --metrics-listen "unix:$tmp/admin"
server_pids=$pids
if [ "$idle" -gt 0 ]; then
    # shellcheck disable=SC2086
    spawn idle $on_client sc-bench --connect "$address" --pin "$tmp/server.crt" --hold -c "$idle" --duration 10m
    until curl -sS --unix-socket "$tmp/admin" http://localhost/metrics | grep -q "^spacecaptain_connections $idle\$"; do
        kill -0 "$pids" 2>/dev/null || give_up "the idle connections are not there"
    done
fi
pids=$server_pids

describe
printf '\n| scrapes a second | p50 ms, each round | p99 ms, each round | p99, median |\n| --- | --- | --- | ---: |\n'
i=0
while [ $i -lt "$rounds" ]; do
    for rate in $rates; do
        [ "$rate" = 0 ] || scrapes "$rate"
        pids=$server_pids
        bench -c 1 -s 64 --rate 200 --duration "${seconds}s" --warm-up 500ms
        if [ "$rate" != 0 ]; then
            end "$scraper"
            [ "$(grep -c '^200$' "$tmp/scrapes.log")" -ge $((rate * seconds * 8 / 10)) ] || give_up "less than $rate scrapes a second"
        fi
        value latency_ns.p50 | awk '{ printf "%.2f\n", $1 / 1e6 }' >>"$tmp/p50-$rate"
        value latency_ns.p99 | awk '{ printf "%.2f\n", $1 / 1e6 }' >>"$tmp/p99-$rate"
    done
    i=$((i + 1))
done
for rate in $rates; do
    printf '| %s | %s | %s | %s |\n' "$rate" "$(tr '\n' ' ' <"$tmp/p50-$rate")" "$(tr '\n' ' ' <"$tmp/p99-$rate")" "$(median <"$tmp/p99-$rate")"
done
