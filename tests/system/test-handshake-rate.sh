#!/bin/sh
# SPDX-License-Identifier: MIT
# What handshake-rate promises against clients that want more than their share: one ticket again and again, tickets that do not fit, clients
# that are gone already; ClientHellos that only want to cost something; and that a reload takes the limits that it says it takes.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

number() { sed -n "s/.*$1=\([0-9]*\).*/\1/p" "$tmp/out"; }
# --- Nobody gets more handshakes than the budgets allow, whatever is replayed ---
# The budgets hold one and two tokens; the time is the client's own, and a token may come just before it ends.
rate=5
start_server -c /dev/null --handshake-rate $rate --handshake-timeout 20s
hellos() { # MODE HOW
    for give_up in 1000 $((4000 * slow)); do # once more when the machine was too busy for the first
        run 0 hostile --give-up-ms $give_up --deadline-ms $((20000 * slow)) --count 16 --how "$2" "$1" "$address"
        full=$(number full) resumed=$(number resumed) ms=$(number ms)
        [ $((full + resumed)) -eq 0 ] && [ "$2" != modes ] || break # to that one nobody answers
    done
    [ "$full" -le $((rate * ms / 1000 + 3)) ] || fail "$1 $2: $full full handshakes in $ms ms at a rate of $rate"
    [ "$resumed" -le $((4 * rate * ms / 1000 + 4)) ] || fail "$1 $2: $resumed resumed handshakes in $ms ms at a rate of $rate"
}
for how in none ticket ticket12 id12 hash ems12 modes binder no-binder; do
    hellos replay $how
    case $how in
    none | hash | ems12) [ "$full" -ge 1 ] || fail "replay $how: nobody got in" ;;
    ticket | ticket12 | id12) [ "$resumed" -ge 1 ] || fail "replay $how: nobody was resumed" ;;
    esac
    pass "replay $how: $(cat "$tmp/out")"
done
# The same with handshakes that are finished: what one has taken does not come back.
for how in ticket ticket12 id12; do
    hellos resume $how
    [ "$resumed" -ge 1 ] || fail "resume $how: nobody was resumed"
    pass "resume $how: $(cat "$tmp/out")"
done
stop_server

# --- Clients that are dead already take nothing from the others ---
# From the same address, so that taking turns does not help.
start_server -c /dev/null --handshake-rate 50 --handshake-timeout 20s
background hostile --interval-ms 10 --give-up-ms $((20000 * slow)) --deadline-ms $((50000 * slow)) --ready-file dying hello-reset "$address"
dying=$background_pid
wait-for 10 "$dying" exists dying || fail "hello-reset did not begin"
start=$(milliseconds)
run 0 hostile --deadline-ms $((20000 * slow)) many --count 20 "$address"
took=$(($(milliseconds) - start))
[ $took -le $((6000 * slow)) ] || fail "beside dead clients 20 living ones needed $took ms at a rate of 50"
kill -0 "$dying" || fail "hello-reset ended before the others were served"
stop_server
pass "beside a hundred dead clients a second: $(cat "$tmp/out")"

# --- One address does not keep the others waiting ---
# 200 of one address stand in line, for 20 seconds; one of another address is next, or next but one.
start_server -c /dev/null --handshake-rate 10 --handshake-timeout $((30 * slow))s
background hostile --source 127.0.0.2 --count 200 --give-up-ms $((30000 * slow)) --deadline-ms $((60000 * slow)) --how none --ready-file others replay "$address"
others=$background_pid
wait-for 20 "$others" exists others || fail "the others did not begin"
run 0 hostile --source 127.0.0.1 --deadline-ms $((8000 * slow)) many --count 3 "$address"
kill -0 "$others" || fail "the others ended first"
stop_server
pass "after 200 of another address: $(cat "$tmp/out")"

# --- ClientHellos that only want to cost memory or time, whatever the rate ---
for rate in 0 1000; do
    start_server -c /dev/null --handshake-rate $rate --handshake-timeout 60s
    for bytes in 16385 131000 16777215; do
        run 0 hostile --deadline-ms $((20000 * slow)) --bytes $bytes long-hello "$address"
    done
    for piece in 1 7; do
        run 0 hostile --deadline-ms $((20000 * slow)) --piece $piece --expect-end split-hello "$address"
    done
    for piece in 32 100 16384; do
        run 0 hostile --deadline-ms $((20000 * slow)) --piece $piece split-hello "$address"
    done
    run 0 hostile many --count 2 "$address"
    stop_server
    [ "$(grep -c ' tls_handshake_failed .* stage=hello reason=hello_refused hint=' "$server_log")" -eq 5 ] ||
        fail "five refused ClientHellos are not five lines"
done
pass "ClientHellos that are too long or in too many records are refused by their headers, and say why"

# --- A reload takes the limits that it says it takes ---
config() { printf '[server]\nreload-interval = 0\n%s\n' "$1" >sc.conf; }
reload() { # LINE KEY
    config "$1"
    reloads=$((reloads + 1))
    kill -HUP "$server_pid"
    wait_log ' reloaded ' 10 $reloads
    grep -q " reload_changed key=$2 " "$server_log" || fail "the log does not say that $2 has changed"
}
reloads=0
config ''
start_server -c sc.conf
run 0 hostile many --count 30 "$address"
reload 'handshake-rate = 2' handshake-rate
run 0 hostile --count 16 --give-up-ms 1500 --deadline-ms $((20000 * slow)) --how none replay "$address"
full=$(number full) ms=$(number ms)
[ "$full" -le $((2 * ms / 1000 + 2)) ] || fail "handshake-rate of a reload: $full in $ms ms at a rate of 2"
reload 'max-connections = 2' max-connections
run 0 hostile many --count 2 "$address"
two() { # with two connections open, a third one is refused
    rm -f open go
    background hostile --deadline-ms $((20000 * slow)) --count 2 --how idle --ready-file open --go-file go hold "$address"
    wait-for 10 "$background_pid" exists open || fail "two clients were not served"
    run 0 hostile refused --at-most-ms $((2000 * slow)) "$address"
    : >go
    finish "$background_pid" 0
}
two
reload 'max-connections-per-address = 2' max-connections-per-address
two
reload '' max-connections-per-address
run 0 hostile many --count 30 "$address"
stop_server
counted refused_max_connections '[1-9]'
counted refused_per_address '[1-9]'
pass "a reload takes handshake-rate, max-connections and max-connections-per-address, and takes them away"
