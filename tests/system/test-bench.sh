#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-bench in every mode against sc-server, for some hundred operations; what it counts, what it prints, and how it ends.
# shellcheck disable=SC2086
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

start_server --workers 1 --handshake-timeout $((10 * slow))s
bench="sc-bench --connect $address --pin server.crt"

# json PATH: of the last run.
json() {
    json-get "$1" <out || fail "not JSON, or without $1"
}

# expect_json PATH VALUE...
expect_json() {
    while [ $# -gt 0 ]; do
        value=$(json "$1")
        [ "$value" = "$2" ] || fail "$1 is $value, not $2"
        shift 2
    done
}

pass "requests of every type, with and without depth"
for type in echo reverse time mix; do
    run 0 $bench -t $type -c 3 -d 5 -s 100 -n 400 --threads 2 --json
    expect_json schema space-captain-bench/1 operations 400 latency_ns.count 400 errors.total 0 plan.type $type plan.depth 5 \
        open_connections 3 tls.version TLSv1.3 server null no_server null latency_raw_ns null schedule_lag_ns null never_sent 0 interrupted false
done
for size in 0 1 16384 65536; do
    run 0 $bench -t mix -c 2 -d 3 -s $size -n 60 --json
    expect_json operations 60 errors.total 0
done

pass "a duration is in seconds, or has its unit"
for spelling in 0.2 0.2s 200ms; do
    run 0 $bench --rate 50 --duration $spelling --warm-up $spelling --timeout $((5 * slow)) --json
    expect_json plan.duration_ms 200 plan.warm_up_ms 200
done

pass "handshakes, full and resumed"
run 0 $bench --handshakes -c 4 -n 100 --json
expect_json operations 100 handshakes 100 resumed 0 errors.total 0 handshake_ns.count 100
run 0 $bench --resume -c 1 -n 50 --json
expect_json handshakes 50 resumed 49 errors.total 0
run 0 $bench --resume=40 -c 1 -n 50 --json
expect_json handshakes 50 resumed 20 errors.total 0

pass "an open loop has both figures"
run 0 $bench -c 4 --rate 1K -n 300 --json
expect_json operations 300 latency_ns.count 300 latency_raw_ns.count 300 plan.rate 1000
run 0 $bench -c 4 --rate 500 --handshakes -n 50 --json
expect_json latency_raw_ns.count 50 errors.total 0

run 0 $bench --rate 50 -n 5
grep -Eq '^5 requests in [0-9.]+ s: (50\.0|[0-4]?[0-9]\.[0-9]+) a second of 50 wanted,' out || fail "the report does not have the rate: $(grep second out)"
# Ten operations at 50 a second are 0.2 s of them, and no machine makes more than it was asked for.
for load in "--rate 50 -n 10" "--rate 50 -n 10 --handshakes -c 2" "--rate 50 -n 10 -c 2 --threads 2"; do
    run 0 $bench $load --json
    expect_json operations 10 latency_ns.count 10
    json rate | awk '{ exit !($1 > 0 && $1 < 50.01) }' || fail "$load: the rate was $(json rate)"
    json elapsed_s | awk '{ exit !($1 > 0.1999) }' || fail "$load: it took $(json elapsed_s) s"
done

before=$(date +%s%N)
run 0 $bench -c 4 --threads 4 --rate 100 --duration 500ms --json
after=$(date +%s%N)
json elapsed_s | awk -v wall="$((after - before))" '{ exit !($1 > 0 && $1 * 1e9 <= wall) }' || fail "threads add up to $(json elapsed_s) s"

pass "what the warm-up leaves undone is not counted, and takes nothing from what is"
run 0 $bench --rate 1M --warm-up 200ms -n 300 --json
expect_json operations 300 latency_ns.count 300 errors.total 0
run 0 $bench --rate 1M --warm-up 200ms --duration "$slow" --json
[ "$(json latency_ns.count)" -gt 0 ] || fail "nothing was measured after a warm-up that owed requests"
run 0 $bench --handshakes -c 8 --warm-up 200ms -n 40 --json
expect_json operations 40 handshakes 40 handshake_ns.count 40

# Of a server that was just started: one that has served before has memory left over for them.
pass "idle connections, and what they cost the server"
stop_server
start_server --workers 1 --handshake-timeout $((10 * slow))s
bench="sc-bench --connect $address --pin server.crt"
run 0 $bench --hold -c 100 --duration 200ms --server-pid $server_pid --json
expect_json open_connections 100 handshakes 100 errors.total 0 plan.mode hold
[ "$(json server.rss_per_connection_bytes)" -gt 0 ] || fail "no memory for each connection"
expect_json no_server null
run 0 $bench -n 1 --server-pid $$ --json
alone=$(json server.rss_bytes)
run 0 $bench -n 1 --server-pid $server_pid --server-pid $$ --json
[ "$(json server.rss_bytes)" -gt $((alone + 1000000)) ] || fail "the memory of two processes is not added up: $(json server.rss_bytes), and one has $alone"

# Of the measured time only: two requests cost next to nothing beside the handshakes of 100 connections before them.
pass "processor time, of the server and of the generator"
run 0 $bench --handshakes -n 100 --server-pid $server_pid --json
json server.cpu_s >server_cpu
json generator.cpu | awk -v s="$(json elapsed_s)" '{ print $1 * s }' >generator_cpu
run 0 $bench -c 100 --rate 10 -n 2 --server-pid $server_pid --json
json server.cpu_s | awk -v all="$(cat server_cpu)" '{ exit !($1 > 0 && $1 < all / 2) }' || fail "the server: $(json server.cpu_s) s, and $(cat server_cpu) s for 100 handshakes"
json generator.cpu | awk -v s="$(json elapsed_s)" -v all="$(cat generator_cpu)" '{ exit !($1 > 0 && $1 * s < all / 2) }' ||
    fail "the generator: $(json generator.cpu) of $(json elapsed_s) s, and $(cat generator_cpu) s for 100 handshakes"

pass "text, a drawing, a warm-up, a duration"
run 0 $bench -c 2 --duration "$slow" --warm-up 100ms --svg plot.svg --server-pid $server_pid
for text in "$address, TLSv1.3" "errors: none" "p99.99" "for each second of it" "generator:"; do
    grep -q -e "$text" out || fail "the report lacks \"$text\""
done
head -n 1 plot.svg | grep -q '^<svg xmlns=' || fail "no drawing"
tail -n 1 plot.svg | grep -q '^</svg>$' || fail "the drawing is cut"
# texts FILE: the texts of a drawing, a line each.
texts() { grep -o '<text[^>]*>[^<]*</text>' "$1" | sed 's/<[^>]*>//g'; }
texts plot.svg >texts
for text in "$address, TLSv1\.3 .*, $(date -u +%Y)-[0-9-]* [0-9:]* UTC" "2 connections, 1 in flight on each, echo of 64 bytes" "[0-9.]* requests a second for [0-9]*\.[0-9][0-9] s, 0 errors" \
    'Latency by percentile' p50 p90 p99 'p99\.9'; do
    grep -q "^$text\$" texts || fail "the drawing lacks \"$text\": $(cat texts)"
done
[ "$(grep -c '<circle class="point"' plot.svg)" = 4 ] || fail "the ticks have no values"
run 0 $bench -n 1 --svg one.svg
texts one.svg | grep -qx 'p99\.9' || fail "one request has no ticks"
[ ! -s err ] || fail "something on stderr without a terminal"
run 73 $bench --svg nowhere/plot.svg
expect_err "^sc-bench: --svg nowhere/plot.svg: "
[ ! -s out ] || fail "it ran before it said so"
run 73 $bench --svg "$tmp"
if [ -w /dev/full ]; then
    run 74 $bench -n 1 --svg /dev/full
    expect_err '^sc-bench: --svg /dev/full: No space left on device$'
fi
[ "$(sed -n 's/.*<text[^>]*>\(.*\)<.text>.*/\1/p' plot.svg | wc -L)" -lt 120 ] || fail "a line of the drawing is wider than it"
run 0 $bench --handshakes -n 2 --json --server-pid $server_pid
expect_json server.rss_per_connection_bytes null
run 0 $bench -t time -s 1K -n 20
grep -q " to the server, .* from it$" out || fail "what times need in each direction is not printed"

pass "one is not several"
run 0 $bench -n 1 --svg one.svg --server-pid "$server_pid"
grep -Eq '^1 request in ' out || fail "the report of one request: $(cat out)"
grep -q '>percentile of 1 request<' one.svg && grep -q '>0 errors<\|, 0 errors<' one.svg || fail "the drawing of one request"
run 0 $bench -n 1 --handshakes --svg one.svg
grep -Eq '^1 handshake in ' out || fail "the report of one handshake: $(cat out)"
grep -q '>percentile of 1 handshake<' one.svg || fail "the drawing of one handshake"
run 0 $bench --hold --duration 10ms
grep -Eq '^1 connection open after ' out && grep -qx '1 connection, idle, 1 thread' out || fail "the report of one connection: $(cat out)"
! grep -q '^request\|^generator' out || fail "a connection without a request has the figures of one: $(cat out)"

pass "progress on a terminal, and a figure for each second"
# Each phase goes on until the line has been seen, and is ended from the keyboard.
progress() { # TEXT OPTION...: what is on a terminal until TEXT is, as lines
    seen=$1
    shift
    status=0
    terminal 40 "$seen" '' ' 0 errors' '\x03' -- sh -c "exec $bench $* >out" >shown || status=$?
    [ $status = 130 ] || fail "on a terminal: status $status: $(cat shown)"
    [ "$(tail -c 4 shown | od -An -c | tr -d ' ')" = '\r033[K' ] || fail "the progress stays on the terminal: $(tail -c 40 shown | od -c)"
    grep -qx 'note: interrupted; these are the figures until then' out || fail "the report does not say that it was interrupted: $(cat out)"
    tr '\r' '\n' <shown | sed 's/\x1b\[K//; s/\^C$//' >lines
}
expect_progress() { grep -Eqx "$1" lines || fail "no progress like $1: $(cat lines)"; }
fits() { [ "$(wc -L <lines)" -le 79 ] || fail "the progress is wider than a terminal: $(cat lines)"; }
load="-c 2 --threads 2 --rate 1K"
progress ' of 1000 a second' $load --duration 5 --warm-up 30.5
expect_progress 'warming up: [0-9.]+ of 30\.5 s, [0-9.]+ of 1000 a second, 0 errors'
fits
progress ' a second, p99 ' $load --duration 30.5
expect_progress 'measuring: [0-9.]+ of 30\.5 s, [0-9.]+ of 1000 a second, p99 [0-9.]+ [mnu]?s, 0 errors'
fits
progress ' of 1000 requests, ' --rate 20 -n 1000
expect_progress 'measuring: [0-9]+ of 1000 requests, [0-9.]+ s, .*, 0 errors'
run 0 $bench $load --duration $((2 * slow)).1 --json
for second in 0 1; do
    expect_json seconds.$second.p50_ns "$(json seconds.$second.p50_ns)"
    json seconds.$second.rate
done >rates
awk '{ rate += $1 } END { exit !(rate > 0) }' rates || fail "the rates of two seconds are $(cat rates)"
json-get seconds.$((2 * slow + 1)).rate <out && fail "$((2 * slow)).1 seconds have one more than that"
run 0 $bench --duration 100ms --json
expect_json seconds '[]'

pass "expectations"
run 0 $bench -n 10 --expect 'p99<60s,errors=0' --expect 'requests>=10'
run 99 $bench -n 10 --expect 'p99<60s,p50<1ns'
grep -q '^MISSED p50<1ns' out || fail "the report does not say what was missed"
run 99 $bench -n 10 --expect 'rate>100M' --json
expect_json expectations.0.met false expectations.0.text 'rate>100M'

pass "pins"
zero=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
run 90 sc-bench --connect "$address" --pin $zero -n 10
wait_log 'alert_received="bad certificate"'
# alike STATUS OPTION...: sc-bench and sc-client say the same.
alike() {
    alike_status=$1
    shift
    run "$alike_status" sc-bench "$@" -n 10
    sed 's/^sc-bench/sc-client/' err >bench.err
    run "$alike_status" sc-client "$@" --no-retry time
    cmp err bench.err || fail "sc-bench says otherwise than sc-client: $(cat bench.err)"
}
alike 90 --connect "$address" --pin $zero
run 90 sc-bench --connect "$address" --pin $zero --resume -n 10
run 0 sc-bench --connect "$address" --pin $zero --pin server.crt -n 10
alike 60 --connect "$address"

pass "wrong usage and nothing there"
run 0 sc-bench --help
run 0 sc-bench --version
grep -q OpenSSL out || fail "--version names no OpenSSL"
for wrong in "-c 0" "-d 0" "-s 17M" "-t frog" "-n 0" "--rate 0" "--rate 5x" "--duration 5x" "--threads 2" "--expect frog=1" \
    "--timeout 0" "--handshakes --depth 2" "--hold -n 5" "--hold --resume" "--hold --depth 2" "--hold --warm-up 1s" "--hold --rate 5" "--hold --expect p99<1s" "--expect cpu-rate>1" "-n 5 --duration 1s" "--frog" "frog" "--resume=101" "--source frog" "--connect frog:frog" "--connect localhost:0"; do
    run 64 $bench $wrong
    expect_err "^sc-bench: "
done
for wrong in "--rate 0x10" "--rate 1e3" "--rate +5" "--rate nan" "--rate 1." "--rate 0.0001" "--rate 101M" "-c +1" "-c 0x1" "--duration 0x1s" "--duration 1e1" \
    "--expect rate>0x1" "--expect rate>1e3" "--expect p9e1<1s" "--expect rate>inf" "--connect [localhost]:4242" "--resume=1e1" "--size 1e1"; do
    run 64 $bench $wrong
    expect_err "^sc-bench: --[a-z]*: invalid "
done
run 64 $bench --handshakes --hold
expect_err '^sc-bench: --hold: it excludes --handshakes and --resume'
run 64 $bench --hold --resume
expect_err '^sc-bench: --resume: it excludes --hold'
run 66 $bench --pin nowhere.crt -n 1
expect_err "nowhere.crt"
run 66 $bench -n 1 --server-pid 2147483647
expect_err "server-pid"
alike 69 --connect 127.0.0.1:1 --pin server.crt
alike 69 --connect unix:"$tmp/nothing" --pin server.crt
alike 69 --connect nowhere.invalid:4242 --pin server.crt --timeout 3

# odd MODE [TEXT]: a server that does one thing wrong: $odd is its address.
odd() {
    rm -f odd-port
    background odd-server "$1" server.crt server.key odd-port "${2-}"
    wait-for 20 "$background_pid" exists odd-port || fail "odd-server $1 did not start"
    odd=127.0.0.1:$(cat odd-port)
}

# counts MODE STATUS KIND [SECONDS]: the errors of that run are all of that kind.
counts() {
    odd "$1"
    run "$2" sc-bench --connect "$odd" --pin server.crt -n 1 --timeout ${4-$((10 * slow))}s --json
    kind=$3
    [ "$(json "errors.$kind")" -ge 1 ] || fail "$1: no error of kind $kind"
    [ "$(json "errors.$kind")" = "$(json errors.total)" ] || fail "$1: errors of other kinds than $kind"
}

pass "every wrong reply is found, and named by its kind"
counts wrong-type 76 wrong_reply
counts wrong-length 76 wrong_reply
counts error 1 server
counts cut 69 closed
counts mute 75 timeout $short
# TLS messages without data, again and again: as sc-client says. They may come before the run begins, or in it.
for flood in key-updates tickets; do
    odd $flood
    run 76 sc-client --connect "$odd" --pin server.crt echo hello
    sed 's/^sc-client: //' err >words
    run 76 sc-bench --connect "$odd" --pin server.crt -n 1 --timeout $((10 * slow))s
    cat out err | grep -qF "$(cat words)" || fail "sc-client says: $(cat words)"
done
odd mute
run 75 sc-bench --connect "$odd" --pin server.crt --hold --duration 100ms --timeout ${short}s --json
expect_json errors.timeout 1 errors.total 1 open_connections 1
odd plain 'HTTP/1.1 400 Bad Request'
run 35 sc-bench --connect "$odd" --pin server.crt -n 1
expect_err "the TLS handshake with .* failed: an HTTP server answered"

pass "a drawing into a FIFO"
mkfifo fifo
cat fifo >drawing &
own_pids="$own_pids $!"
run 0 $bench -n 5 --svg fifo
finish "${own_pids##* }" 0
tail -n 1 drawing | grep -q '^</svg>$' || fail "the reader of a FIFO has no drawing"

pass "what a server says moves no cursor"
odd error "$(printf 'first\033[2J\nsecond')"
run 1 sc-bench --connect "$odd" --pin server.crt -n 1
grep -q 'first\\x1b\[2J\\x0asecond$' out || fail "the text of the server is not escaped"
grep -q 'nothing was measured' out || fail "it does not say that nothing was measured"
green=$(printf 'gr\303\274n')
odd error "$green"
run 1 sc-bench --connect "$odd" --pin server.crt -n 1 --json
json first_errors.server | grep -q ": $green\$" || fail "the text of the server is not what it was"
odd error "$(printf 'bad \377')"
run 1 sc-bench --connect "$odd" --pin server.crt -n 1 --json
json first_errors.server | grep -q ': bad \\\\xff$' || fail "a byte that is not UTF-8: $(json first_errors.server)"

run 1 sc-bench --connect "$odd" --pin server.crt -n 1 --svg nothing.svg
texts nothing.svg | grep -qx 'There is nothing to draw: no request was answered' || fail "an empty drawing does not say so"
! grep -q '<circle\|class="grid"' nothing.svg || fail "a drawing of nothing"
mkdir 'a<b&c'
start_server --workers 1 --listen "unix:$tmp/a<b&c/s"
run 0 sc-bench --connect "unix:$tmp/a<b&c/s" --pin server.crt -n 1 --svg unix.svg
grep -q "unix:$tmp/a&lt;b&amp;c/s, TLS" unix.svg || fail "the address is not escaped: $(texts unix.svg)"
stop_server

pass "errors that are expected are not a failure"
odd error
run 0 sc-bench --connect "$odd" --pin server.crt -n 1 --expect 'errors.server>=1'

pass "a server that goes away in the middle, and an interruption"
# As by timeout(1) and by terminals, which signal the process and its group: twice at the same time is one interruption. Only when this
# script is so late that it looks like a second one, once more.
for _ in 1 2 3; do
    start_server --workers 1 --log-level debug
    sc-bench --connect "$address" --pin server.crt -c 2 --rate 100 --duration 60s --json >out 2>&1 &
    bench_pid=$!
    own_pids="$own_pids $bench_pid"
    wait_log " connected " 10 2 # the first of all only looks whether the port is open
    kill -INT "$bench_pid"
    while grep -qs '^ShdPnd:.*[1-9a-f]' "/proc/$bench_pid/status"; do :; done
    kill -INT "$bench_pid" || :
    finish "$bench_pid" 130
    [ ! -s out ] || break
done
expect_json interrupted true
# Source addresses take turns.
run 0 sc-bench --connect "$address" --pin server.crt -c 4 -n 4 --source 127.0.0.8 --source 127.0.0.9
[ "$(grep -c ' connected .* peer=127\.0\.0\.8:' "$server_log") $(grep -c ' connected .* peer=127\.0\.0\.9:' "$server_log")" = '2 2' ] ||
    fail "source addresses are not used in rotation"

# away SIGNAL OPTION...: runs sc-bench, of which the output becomes $tmp/out, and ends its server in the middle.
# If the server ends before the second handshake is done at the client, the run fails without a result: once more.
away() {
    signal=$1
    shift
    for _ in 1 2 3 4 5; do
        start_server --workers 1 --log-level debug
        background sc-bench --connect "$address" --pin server.crt -c 2 --timeout ${short}s --json "$@" ${with_pid:+--server-pid $server_pid}
        bench_pid=$background_pid
        wait_log " connected conn=3 " # both; the first of all only looked whether the port is open
        kill -"$signal" "$server_pid"
        case $signal in
        KILL) end_server 137 ;;
        *) end_server 0 ;;
        esac
        wait-for 20 "$bench_pid" ends || fail "it does not end: $*"
        status=0
        wait "$bench_pid" || status=$?
        forget_pid "$bench_pid"
        mv "background-$background_count.log" out
        grep -q '^sc-bench: connection . of 2: ' out || return 0
    done
    fail "it was never faster than the server's end"
}

with_pid=
away TERM --rate 50 --duration 2s
[ "$status" != 0 ] || fail "a server that went away is a success"
[ "$(json errors.total)" -gt 0 ] || fail "no error is counted for a server that went away"

pass "a server that is gone for good"
away KILL -n 1000000000
[ "$status" = 69 ] || fail "the exit status is $status"
json generator.limit | grep -q "^the server was gone for longer than ${short}s: " || fail "it does not say why it ended"

# That errors are expected does not make it whole.
away KILL -n 1000000000 --expect 'errors>0'
[ "$status" = 69 ] || fail "the exit status is $status with errors that are expected"

pass "the figures stay when the process of the server has ended"
with_pid=yes
away KILL --duration 1s --expect 'errors>0'
expect_json server null
json no_server | grep -Eq '^--server-pid: process [0-9]* (has ended|does not exist)' || fail "it does not say why: $(json no_server)"
away KILL --duration 1s --expect 'cpu-rate<1M'
[ "$status" = 99 ] || fail "what was not measured is good enough"
expect_json expectations.0.figure null
