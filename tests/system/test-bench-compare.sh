#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-bench --compare: two results side by side, their ratios, what is noise; and files that are not results.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

# result FILE RATE P50 P99 RATES...: a result with these rates of its seconds, whose latencies vary with them.
result() {
    file=$1 rate=$2 p50=$3 p99=$4
    shift 4
    {
        printf '{"schema": "space-captain-bench/1", "finished": "2026-11-21T20:00:00.000000Z", "target": "127.0.0.1:4242",\n'
        printf '"plan": {"mode": "requests", "type": "echo", "size_bytes": %s, "connections": 8, "depth": 4, "threads": 1, "rate": 0,' "${size-64}"
        printf ' "resume_percent": 0, "warm_up_ms": 0},\n"rate": %s, "seconds": [' "$rate"
        comma=
        for second; do
            printf '%s{"length_s": 1.0, "operations": %s, "rate": %s, "p50_ns": %s, "p99_ns": %s}' "$comma" "$second" "$second" "$p50" "$((p99 + second))"
            comma=,
        done
        printf '],\n"latency_ns": {"count": 100, "mean": %s, "p50": %s, "p90": %s, "p99": %s, "p99.9": %s, "max": 5000000},\n' "$p50" "$p50" "$p99" "$p99" "$p99"
        printf '"handshake_ns": null, "errors": {"total": 0}, "generator": {"limit": ""}, "server": null}\n'
    } >"$file"
}

result a.json 50000 18000 48000 50000 50200 49800 50100 49900
result b.json 55000 18000 48100 55000 55200 54800 55100 54900
run 0 sc-bench --compare a.json b.json
cat >expected <<'END'
A  a.json: 127.0.0.1:4242, 2026-11-21T20:00:00.000000Z, 5 seconds
B  b.json: 127.0.0.1:4242, 2026-11-21T20:00:00.000000Z, 5 seconds

                      A            B       B/A
rate              50000        55000     1.100   more than the noise
mean            18.0 us      18.0 us     1.000
p50             18.0 us      18.0 us     1.000   within the noise
p90             48.0 us      48.1 us     1.002
p99             48.0 us      48.1 us     1.002   more than the noise
p99.9           48.0 us      48.1 us     1.002
max             5.00 ms      5.00 ms     1.000
errors                0            0         -
END
diff expected out >&2 || fail "the comparison (>) is not what was expected (<)"

pass "noise, other loads, short runs"
result c.json 55000 18000 48000 30000 80000 45000 70000 50000
run 0 sc-bench --compare a.json c.json
grep -Eq '^rate +50000 +55000 +1\.100   within the noise$' out || fail "seconds that differ more than the runs are not noise: $(cat out)"
size=1024 result d.json 40000 18000 48000 40000 40000
run 0 sc-bench --compare=a.json d.json
grep -q '^note: the loads are not the same: size_bytes is 64 in A and 1024 in B$' out || fail "another load is not named"
grep -q '^note: too short to tell a difference from noise: each run needs 3 seconds or more$' out || fail "two seconds are enough for a verdict"
grep -Eq '^rate +50000 +40000 +0\.800$' out || fail "a verdict without seconds: $(cat out)"

pass "results of sc-bench itself, and of an older one, which has no seconds"
start_server --workers 1
run 0 sc-bench --connect "$address" --pin server.crt -n 50 --json --server-pid "$server_pid"
cp out own.json
run 0 sc-bench --compare own.json own.json
grep -Eq '^p99 .* 1\.000$' out || fail "a run is not like itself: $(cat out)"
sed '/"seconds"/d' own.json >old.json
run 0 sc-bench --compare own.json old.json
grep -Eq '^rate .* 1\.000$' out || fail "a result without seconds"
run 0 sc-bench --connect "$address" --pin server.crt --hold -c 2 --duration 50ms --json
cp out hold.json
run 0 sc-bench --compare hold.json hold.json
grep -q '^handshake ' out || fail "--hold has its handshakes only: $(cat out)"

pass "a file that is not a result is one line, and 65"
bad() {
    run 65 sc-bench --compare a.json "$1"
    expect_err "^sc-bench: $1: $2"
    [ ! -s out ] || fail "something was printed of $1"
}
head -c 400 a.json >cut.json
bad cut.json 'not JSON: byte [0-9]+: '
printf '{"schema": "k6"}' >foreign.json
bad foreign.json 'not a result of sc-bench --json, schema space-captain-bench/1$'
printf '[1, 2]' >list.json
bad list.json 'not a result of sc-bench'
: >empty.json
bad empty.json 'not JSON: byte 0: '
head -c 100000 /dev/zero | tr '\0' '[' >deep.json
bad deep.json 'not JSON: byte [0-9]+: nested too deep$'
head -c 1000 /dev/urandom >random.json
bad random.json 'not JSON: '
sed 's/127.0.0.1:4242/\\u001b[2J/' a.json >escape.json
run 0 sc-bench --compare a.json escape.json
! grep -q "$(printf '\033')" out || fail "the text of a file moves the cursor"
run 66 sc-bench --compare a.json nowhere.json
expect_err '^sc-bench: can.t read nowhere.json: No such file'
run 64 sc-bench --compare a.json
expect_err '^sc-bench: --compare: it takes two files, A.json B.json; try'
run 64 sc-bench --compare a.json b.json c.json
expect_err '^sc-bench: --compare: it takes two files'
run 64 sc-bench --compare a.json b.json -c 3
expect_err '^sc-bench: --compare: it takes no other option; try'
