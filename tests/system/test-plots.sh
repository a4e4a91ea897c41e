#!/bin/sh
# SPDX-License-Identifier: MIT
# The drawings of make bench-plots, from small tables: each has what the table has, and a table that cannot be read is one line of error.
# And a flame graph, from a few stacks.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

scripts=$SC_SRCDIR/tests/bench

# draw STATUS FILE...: into an empty directory, plots.
draw() {
    expected=$1
    shift
    rm -rf plots
    mkdir plots
    run "$expected" awk -v out=plots -f "$scripts/svg.awk" -f "$scripts/plot.awk" "$@"
}

# has NAME PATTERN COUNT: so many times in plots/NAME.svg, which is whole.
has() {
    count=$(grep -c -e "$2" "plots/$1.svg") || :
    [ "$count" = "$3" ] || fail "$1.svg has $count of $2, not $3"
    head -n 1 "plots/$1.svg" | grep -q '^<svg xmlns=' || fail "$1.svg is not a drawing"
    tail -n 1 "plots/$1.svg" | grep -qx '</svg>' || fail "$1.svg is cut"
    ! grep -i -q -e '[^a-z]nan[^a-z]' -e '[^a-z]inf[^a-z]' "plots/$1.svg" || fail "$1.svg has what is not a number"
    ! command -v xmllint >/dev/null || run 0 xmllint --noout "plots/$1.svg"
}

cat >bench.md <<'TABLES'
2026-01-31, 2 processors, A & B, Linux 6.1
sc-server (Space Captain) 0.1.0 OpenSSL 3.0.22 25 Aug 2026 libevent 2.1.12-stable

Operations for each second of the server's processor time (median of 3 rounds of 1.5 s; ratio to bare)

| connections x depth x bytes  |               ours |               bare |              nginx |
| --- | ---: | ---: | ---: |
| 64x1x64                      |     135,638 (0.92) |     147,070 (1.00) |      70,480 (0.48) |
| handshake                    |       4,318 (0.89) |       4,830 (1.00) |       3,627 (0.75) |

Operations a second with one generator thread

| connections x depth x bytes  |               ours |
| --- | ---: |
| 64x1x64                      |            whatever |

Resident memory for each idle connection that never sent a request, KiB

| connections                  |               ours |               bare |              nginx |
| --- | ---: | ---: | ---: |
| 4000                         |               17.2 |               14.0 |               39.8 |
| 18000                        |               17.0 |               14.0 |  needs 36300 files |
TABLES
cat >growth.md <<'TABLES'
Bodies (8 connections, 4 in flight on each)

| bytes          | ours, op/CPU s |         op/s |    p99 ms | bare, op/CPU s |         op/s |    p99 ms | ratio |
| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |
| 0              |       574100 |       573411 |     0.097 |       589060 |       588371 |     0.098 | 0.97 |
| 64             |       563100 |       557846 |     0.088 |       610489 |       559985 |     0.100 | 0.92 |
| 1M             |          910 |          865 |    44.565 |          861 |          790 |    43.254 | 1.06 |

A light client (200 requests of 64 bytes a second) beside a heavy one, one worker; milliseconds

| beside                       | server |      p50 |      p99 |      max | timed out |
| --- | --- | ---: | ---: | ---: | ---: |
| nobody                       | ours   |    0.076 |    0.248 |    1.248 |        0 |
| -c 1 -d 256 -s 64            | ours   |    0.100 |    0.207 |    2.207 |        0 |
| nobody                       | bare   |    0.050 |    0.165 |    1.165 |        0 |
| -c 1 -d 256 -s 64            | bare   |    0.094 | 3000.448 | 3000.448 |        7 |
TABLES

pass "a drawing for each table, with all that is in it"
draw 0 bench.md growth.md
[ "$(echo plots/*)" = "plots/bodies.svg plots/fairness.svg plots/memory.svg plots/ratio.svg" ] || fail "it made: $(echo plots/*)"
has ratio 'class="bar"' 4 # the bare server is the line
has ratio 'class="bar".*<title>sc-server, handshake: 4,318 (0.89)</title>' 1
has ratio '>64 connections</text>' 1
has ratio 'A &amp; B, Linux 6.1, OpenSSL 3.0.22</text>' 1
has memory 'class="bar"' 5 # what could not be measured is a dash
has memory '>18,000</text>' 1
has bodies 'class="mark"' 8 # two of them in the legend
has bodies 'class="line"' 4 # the part to the zero is dotted
has bodies '(log)</text>' 2
has fairness 'class="mark"' 15
has fairness '>7 timed out</text>' 1

pass "what cannot be read is reported in one line, and nothing is drawn"
# wrong PATTERN FILE SED-SCRIPT: such a change of that file.
wrong() {
    sed "$3" "$2" >changed.md
    draw 65 changed.md
    expect_err "^plot.awk: $1"
    [ -z "$(ls plots)" ] || fail "it made: $(echo plots/*)"
}
wrong 'changed.md:8: the row has 3 cells, not 4; ' bench.md '8s/70,480 (0.48) |//'
wrong 'changed.md:8: "135,638" is not a number with its ratio' bench.md '8s/(0.92)//'
wrong 'changed.md:21: "frog" is not a number$' bench.md '21s/17\.2/frog/'
wrong 'changed.md:7: no line of dashes' bench.md 7d
wrong 'changed.md: the table of memory has no rows' bench.md 21,22d
wrong 'changed.md: the table of bodies has no column "bare, ' growth.md 's/bare,/nginx,/'
wrong 'changed.md:7: the first column does not grow$' growth.md '6s/64/2M/'
wrong 'changed.md:5: no operations at all$' growth.md '5s/574100/0/'
wrong 'changed.md: no table of ' bench.md '/^|/d'
draw 65 bench.md bench.md
expect_err "^plot.awk: bench.md:[0-9]*: a second table of "

pass "a flame graph"
{
    printf '   6000 program:main\tlibevent:[libevent]\n'
    printf '   3995 program:main\tlibevent:[libevent]\tlibssl:SSL<read>\n'
    printf '      5 program:main\tprogram:seldom\n'
} >stacks
run 0 awk -v svg=plots/flame.svg -v title='A & B' -v program=sc-server -v seconds=2 -v note=today -f "$scripts/svg.awk" \
    -f "$scripts/flame.awk" stacks
has flame '<g class="f">' 3 # what is seldom is left out
has flame '<title>main (sc-server): 100.0 %, 10,000 samples</title>' 1
has flame '<title>SSL&lt;read&gt; (libssl): 40.0 %, 3,995 samples</title>.* d="M718.0 84h471.4v16' 1
has flame '>libevent 60.0 %</text>' 1
