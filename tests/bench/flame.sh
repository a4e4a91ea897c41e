#!/bin/sh
# SPDX-License-Identifier: MIT
# make bench-flame: where a server spends its processor time under a load, as a flame graph.
#
#   flame.sh SERVER LOAD OUT.svg     (SC_SRCDIR and SC_BUILDDIR as make bench sets them)
#
# SERVER and LOAD are those of make bench: ours bare nginx hitch stunnel haproxy; 64x1x64 64x16x64 8x4x16K handshake resume. perf(1) samples
# the server by a clock, which every virtual machine has, and needs root or a kernel.perf_event_paranoid of at most 1.
#
#   BENCH_SECONDS  of sampling (2)
. "${SC_SRCDIR:?run this by make bench-flame}/tests/bench/lib.sh"

[ $# -eq 3 ] || give_up "usage: flame.sh SERVER LOAD OUT.svg"
out=$3
seconds=${BENCH_SECONDS:-2}
hertz=4000
command -v perf >/dev/null || give_up "perf is not installed; on Debian: linux-perf"
have "$1" || give_up "$1 is not installed"
options=$(load "$2")

start "$1"
program=$(basename "$(readlink "/proc/${pids%% *}/exe")")
# shellcheck disable=SC2086
timeout 120 $on_client sc-bench --connect "$address" --pin "$tmp/server.crt" $options --duration 100s >"$tmp/load.log" 2>&1 &
load_pid=$!
# Its connections are there.
sleep 0.5
# shellcheck disable=SC2086
perf record -e cpu-clock -F $hertz --call-graph dwarf,16384 -o "$tmp/perf.data" -p "$(echo $pids | tr ' ' ,)" -- \
    sleep "$seconds" >"$tmp/perf.log" 2>&1 || give_up "perf record failed"
kill -0 "$load_pid" 2>/dev/null || give_up "the load ended early"
end "$load_pid"
stop

perf script -i "$tmp/perf.data" --no-inline -F ip,sym,dso >"$tmp/script" 2>"$tmp/perf.log" || give_up "perf script failed"
# One line for each sample, its frames from the outermost in, LIBRARY:FUNCTION, tabs between them. A tab sorts before all that is in a name,
# so that what has the same callers stands together.
awk -v program="$program" '
    function library(path) {
        if (path == program) return "program"
        if (path ~ /^libevent/) return "libevent"
        if (path ~ /^libssl/) return "libssl"
        if (path ~ /^libcrypto/) return "libcrypto"
        if (path ~ /^(libc[.-]|ld-linux|\[vdso\])/) return "libc"
        return path ~ /^\[/ && path != "[unknown]" ? "kernel" : "other"
    }
    function finish() {
        if (stack != "") print stack
        stack = last = ""
        whole = 0
    }
    NF == 0 { finish(); next }
    whole || $1 == "ffffffffffffffff" { next }
    {
        path = $NF
        gsub(/^\(|.*\/|\)$/, "", path)
        lib = library(path)
        name = $2 != "[unknown]" ? $2 : "[" (lib ~ /^(program|other)$/ ? path : lib) "]"
        sub(/\+0x[0-9a-f]+$/, "", name)
        # Functions of a library without symbols, one calling the other, are one frame.
        if (name ~ /^\[/ && name == last) next
        last = name
        stack = lib ":" name (stack == "" ? "" : "\t" stack)
        whole = lib == "program" && name == "main"
    }
    END { finish() }' "$tmp/script" | sort | uniq -c >"$tmp/stacks"
[ -s "$tmp/stacks" ] || give_up "perf took no sample"

case $1 in
ours) title=sc-server ;;
bare) title="the bare server" ;;
*) title=$1 ;;
esac
note=$(describe | sed -n '1{N;s/\n/, /;s/ *$//;p;}')
awk -v program="$program" -v title="Processor time of $title: $2 (sc-bench $options)" -v seconds="$seconds" -v note="$note" \
    -v svg="$tmp/flame.svg" -f "$SC_SRCDIR/tests/bench/svg.awk" -f "$SC_SRCDIR/tests/bench/flame.awk" "$tmp/stacks"
cp "$tmp/flame.svg" "$out"
