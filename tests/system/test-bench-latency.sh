#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC2086
# The figures of sc-bench against a server whose delays are known. Lower bounds hold on a machine of any speed; the other bounds compare
# figures of one run.
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
make_certs

# slow_server EVERY MS: the first of every EVERY requests is answered after MS milliseconds. Connections are served one after the other.
slow_server() {
    rm -f odd-port
    background odd-server slow server.crt server.key odd-port "$1 $2"
    wait-for 20 "$background_pid" exists odd-port || fail "odd-server did not start"
    bench="sc-bench --connect 127.0.0.1:$(cat odd-port) --pin server.crt"
}

# measured OPTION...: $out has the JSON of the run.
measured() {
    run 0 $bench "$@" --json
    cp out json
}

json() { json-get "$1" <json || fail "not JSON, or without $1"; }

# holds FIGURE OPERATOR FIGURE: of the last run; a figure is a number or a path of the JSON.
holds() {
    left=$1 right=$3
    case $left in [!0-9]*) left=$(json "$1") ;; esac
    case $right in [!0-9]*) right=$(json "$3") ;; esac
    awk -v a="$left" -v b="$right" -v op="$2" 'BEGIN {
        exit !(op == "<" ? a < b : op == ">=" ? a >= b : a == b) }' || fail "$1 is $left, expected $2 $3 ($right)"
}

pass "percentiles: one of ten requests takes 100 ms"
slow_server 10 100
measured -n 100
holds latency_ns.count = 100
for figure in p95 p99 p99.9 p99.99 max; do
    holds "latency_ns.$figure" '>=' 100000000
done
holds latency_ns.mean '>=' 10000000
holds latency_ns.min '<' latency_ns.mean
holds latency_ns.p50 '<' latency_ns.p95
holds latency_ns.p75 '<' latency_ns.p95
holds latency_ns.min '<' 100000000
holds rate '<' 100 # a second at least
run 0 $bench -n 100 --expect 'p95>=100ms,p99>=100ms,max>=0.1s,mean>=10ms,p99.9>=100000us'
run 99 $bench -n 10 --expect 'max<100ms'
grep -q '^MISSED max<100ms: it was [0-9.]* m\{0,1\}s$' out || fail "the report does not say what was missed"

pass "the columns of the report are those of the JSON"
run 0 $bench -n 100
# In nanoseconds, a line "NAME VALUE" for each column.
awk '
    /^latency / { for (i = 2; i <= NF; i++) name[i - 1] = $i }
    /^request / { for (i = 2; i <= NF; i += 2) {
        value = $i * ($(i + 1) == "s" ? 1e9 : $(i + 1) == "ms" ? 1e6 : $(i + 1) == "us" ? 1e3 : 1)
        printf("%s %.0f\n", name[i / 2], value) } }' out >columns
[ "$(cut -d ' ' -f 1 columns | tr '\n' ' ')" = "min mean p50 p75 p90 p95 p99 p99.9 p99.99 max " ] || fail "the columns are: $(cat columns)"
while read -r name value; do
    case $name in
    p95 | p99* | max) [ "$value" -ge 99000000 ] || fail "$name is $value in the report" ;;
    mean) [ "$value" -ge 9900000 ] || fail "$name is $value in the report" ;;
    esac
done <columns
awk '{ v[$1] = $2 } END { exit !(v["min"] <= v["p50"] && v["p50"] < v["p95"] && v["p75"] < v["p95"] && v["p99"] <= v["max"]) }' columns ||
    fail "the columns of the report are not in order"

# 100 requests a second, and every tenth stalls the connection for 200 ms: requests are due while it stalls. Half of the 40 are answered
# 300 ms or more after they were due, but only 4 of them take long from when they were sent.
pass "an open loop counts from when a request was due (coordinated omission)"
slow_server 10 200
measured -n 40 --rate 100
holds latency_ns.count = 40
holds latency_raw_ns.count = 40
holds latency_ns.p50 '>=' 200000000
holds latency_ns.max '>=' 400000000
holds latency_raw_ns.max '>=' 200000000
holds latency_raw_ns.p50 '<' latency_ns.p50
holds latency_raw_ns.p75 '<' latency_ns.p50
holds schedule_lag_ns.count '>=' 1
holds schedule_lag_ns.count '<' 40 # not of those that had to wait for the connection
run 0 $bench -n 40 --rate 100
awk '/^intended / { intended = $6 * ($7 == "s" ? 1000 : 1) } /^raw / { raw = $6 * ($7 == "ms" ? 1 : $7 == "s" ? 1000 : 0.001) }
    END { exit !(intended >= 200 && raw < intended) }' out || fail "the rows of the report"

pass "operations that are due and never sent"
slow_server 1 1000
measured --rate 100 --duration 700ms
holds never_sent '>=' 40
json generator.limit | grep -q '^the server did not keep up with the rate: ' || fail "the report does not say so"

pass "replies after the measured time are in the latencies and not in the rate"
slow_server 1 1500
measured --duration 100ms
holds operations = 0
holds rate = 0
holds latency_ns.count = 1
holds latency_ns.min '>=' 1500000000

pass "what the warm-up has sent is not measured"
slow_server 1000000 $((2000 * slow))
measured --warm-up 100ms -n 5
holds operations = 5
holds latency_ns.count = 5
holds latency_ns.max '<' $((2000 * slow))000000

pass "handshakes"
slow_server 1 50
measured --handshakes -n 4
holds operations = 4
holds handshakes = 4
holds latency_ns.min '>=' 50000000
holds handshake_ns.min '<' latency_ns.min
