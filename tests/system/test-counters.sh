#!/bin/sh
# SPDX-License-Identifier: MIT
# Under random load, with reloads and several workers, connections end in every state in every way: while their PROXY header is waited for, in
# the middle of a ClientHello, while they wait for their turn, in a handshake, in a request, idle, with replies that they do not read, in a drain.
# Every look at the metrics adds up, and nothing ever goes back.
test_seconds=90
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs curl

metrics() { curl -sS -m 10 "http://$admin/metrics" >"$1"; }
sum() { awk -v name="$1" 'index($1, name) == 1 { sum += $2 } END { printf "%d\n", sum }' "$2"; }
# look: the next one, and what must hold in it.
look() {
    metrics now
    awk -v P=spacecaptain '
        FNR == 1 { file++ }
        /^#/ { if ($2 == "TYPE") type[$3] = $4; next }
        { name = $1; sub(/[{].*/, "", name); base = name; sub(/_(bucket|sum|count)$/, "", base) }
        file == 1 { was[$1] = $2; next }
        { total[name] += $2; all[$1] = $2 }
        (type[name] == "counter" || type[base] == "histogram") && $2 + 0 < was[$1] + 0 { print "goes back: " $0 ", it was " was[$1]; bad = 1 }
        $2 < 0 || $2 > 1e18 { print "impossible: " $0; bad = 1 }
        END {
            if (total[P "_handshakes_started_total"] != total[P "_handshakes_completed_total"] + total[P "_handshakes_failed_total"] + total[P "_handshakes_in_progress"]) {
                print "started is not completed + failed + under way"; bad = 1
            }
            # Of all that are open, those that wait for their PROXY header are not accepted yet, and no worker has them.
            with_a_worker = total[P "_connections"] - total[P "_connections_waiting"]
            if (total[P "_connections_accepted_total"] != total[P "_connections_closed_total"] + with_a_worker) { print "accepted is not ended + open"; bad = 1 }
            if (with_a_worker != total[P "_worker_connections"]) { print "open is not that of all workers"; bad = 1 }
            if (total[P "_handshakes_in_progress"] > with_a_worker) { print "more handshakes than connections"; bad = 1 }
            exit bad
        }' before now >broken || fail "$(cat broken)"
    [ "$(sum spacecaptain_connections_waiting now)" = 0 ] || waited=yes
    mv now before
    looks=$((looks + 1))
}

make_certs
# settings RATE [TIME]: the time that each state may take
settings() {
    printf '[server]\nproxy-protocol-from = 127.0.0.2\nreload-interval = 0\nhandshake-rate = %s\n' "$1" >sc.new
    printf '%s = %s\n' handshake-timeout "${2-1s}" frame-timeout "${2-1s}" write-timeout "${2-1s}" idle-timeout "${2-2s}" >>sc.new
    mv sc.new sc.conf
}
settings 60
start_server -c sc.conf --metrics-listen 127.0.0.1:0 --workers 3 --output-limit 16K --drain-timeout 60s
looks=0 waited=
metrics before

# --- Load that goes on, and connections that end anyhow ---
background_seconds=80 background sc-bench --connect "$address" --pin server.crt -c 6 --rate 300 --duration 1h
load=$background_pid
# Its handshakes are not to wait behind those of others.
until=$(($(date +%s) + 10 * slow))
while metrics now && [ "$(sum spacecaptain_requests_total now)" -lt 20 ]; do
    [ "$(date +%s)" -lt $until ] || fail "there is no load"
done
random() { echo $(($(od -An -N2 -tu2 /dev/urandom) % $1)); }
# chaos: until `calm` is there. What these clients see is not the point; most of them are cut.
chaos() {
    while [ ! -e calm ]; do
        case $(random 11) in
        0 | 1) how=silent from=127.0.0.2 ;;
        2) how=part-of-proxy-header from=127.0.0.2 ;;
        3) how=silent from=127.0.0.1 ;;
        4) how=part-of-hello from=127.0.0.1 ;;
        5 | 6) how=hello from=127.0.0.1 ;;
        7) how=idle from=127.0.0.1 ;;
        8) how=frame from=127.0.0.1 ;;
        9) how=replies from=127.0.0.1 ;;
        *) how='' ;;
        esac
        # With a reset at once; with whatever the kernel does for a process that is killed; by the server, whose time is up.
        case $(random 4) in
        0 | 1) go=ready-$1 give_up=2 ;;
        2) go=never give_up=0.$((1 + $(random 9))) ;;
        3) go=never give_up=1.3 ;;
        esac
        if [ -n "$how" ]; then
            timeout -s KILL "$give_up" hostile --source "$from" --count $((1 + $(random 6))) --how "$how" --ready-file "ready-$1" --go-file "$go" hold "$address" || :
            rm -f "ready-$1"
        else
            case $(random 5) in
            0) timeout 2 sc-client --connect "$address" --no-retry --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= echo x || : ;;
            1) timeout 2 hostile --how 'GET / HTTP/1.0' plain "$address" || : ;;
            2) timeout 2 hostile --count 1 reset "$address" || : ;;
            3) timeout 2 hostile --bytes 5 --how shutdown truncate "$address" || : ;;
            4) timeout 2 sc-client --connect "$address" --no-retry --pin server.crt pins || : ;;
            esac
        fi
    done >/dev/null 2>&1
}
# Some are cut by the server in any case.
for how in part-of-proxy-header part-of-hello frame idle; do
    from=127.0.0.1
    [ $how != part-of-proxy-header ] || from=127.0.0.2
    background hostile --deadline-ms $((40000 * slow)) --source $from --count 2 --how $how --ready-file "cut-$how" --go-file calm hold "$address"
done
chaotic=
for number in 1 2 3 4; do
    chaos $number &
    chaotic="$chaotic $!"
done
own_pids="$own_pids$chaotic"
# Until all that is to be seen was seen, and for three seconds.
cat >expected <<'END'
connections_refused_total{reason="proxy_header"}
handshakes_delayed_total
handshakes_failed_total{reason="timeout"}
handshakes_failed_total{reason="reset"}
handshakes_failed_total{reason="eof"}
handshakes_failed_total{reason="probe"}
output_pauses_total
connections_closed_total{reason="handshake_failed"}
connections_closed_total{reason="peer_closed"}
connections_closed_total{reason="reset"}
connections_closed_total{reason="frame_timeout"}
connections_closed_total{reason="idle_timeout"}
reloads_total{result="success"}
END
unseen() {
    [ -n "$waited" ] || echo "connections_waiting"
    awk 'FNR == NR { wanted["spacecaptain_" $0]; next } ($1 in wanted) && $2 > 0 { delete wanted[$1] } END { for (name in wanted) print name }' expected before
}
reloads=0
soonest=$(($(date +%s) + 3)) until=$(($(date +%s) + 40 * slow))
while [ "$(date +%s)" -lt $soonest ] || [ $looks -lt 10 ] || [ -n "$(unseen)" ]; do
    [ "$(date +%s)" -lt $until ] || fail "never seen: $(unseen)"
    kill -0 "$load" || fail "the load has ended"
    look
    [ $((looks % 4)) != 0 ] || {
        reloads=$((reloads + 1))
        settings $((40 + reloads % 2 * 30))
        kill -HUP "$server_pid"
    }
done
: >calm
for pid in $chaotic; do finish "$pid" 0; done
kill -INT "$load"
finish "$load" 130
# What is open is the difference of what was counted: with nobody there it is nothing.
until=$(($(date +%s) + 10 * slow))
while look && [ "$(sed -n 's/^spacecaptain_connections //p' before)" != 0 ]; do
    [ "$(date +%s)" -lt $until ] || fail "nobody is there, and $(grep '^spacecaptain_connections ' before)"
done
pass "$looks looks under load: nothing is lost"

# --- A drain, with connections in each state, which nothing else is to end ---
settings 1000 1h
kill -HUP "$server_pid"
wait_log ' reload_changed key=idle-timeout before=2s after=1h'
background hostile --count 3 --how replies --ready-file held-replies --go-file go hold "$address"
wait-for 10 "$background_pid" exists held-replies || fail "nobody does not read"
for how in silent part-of-hello hello idle frame; do
    background hostile --count 3 --how $how --ready-file "held-$how" --go-file go hold "$address"
    wait-for 10 "$background_pid" exists "held-$how" || fail "$how is not held"
done
background hostile --source 127.0.0.2 --count 3 --how silent --ready-file held-proxy --go-file go hold "$address"
wait-for 10 "$background_pid" exists held-proxy || fail "no PROXY header is waited for"
kill -TERM "$server_pid"
wait_log ' stopping '
looks=0
while kill -0 "$server_pid" 2>/dev/null && curl -sS -m 10 -o /dev/null "http://$admin/healthz" 2>/dev/null && [ $looks -lt 8 ]; do look; done
: >go
end_server 0
grep ' stopped ' "$server_log" | tr ' ' '\n' | awk -F= '
    $1 == "connections_accepted" { accepted = $2 } $1 ~ /^closed_/ { closed += $2 }
    $1 == "handshakes_started" { started = $2 } $1 ~ /^handshakes_(full|resumed|failed)/ { ended += $2 }
    END { print accepted " accepted, " closed " ended; " started " handshakes, " ended " ended"; exit accepted != closed || started != ended || accepted < 50 }' >totals ||
    fail "not every connection has one end: $(cat totals)"
grep -q ' closed_drained=[1-9]' "$server_log" || fail "nobody got GOING AWAY"
pass "a drain: $(cat totals)"
