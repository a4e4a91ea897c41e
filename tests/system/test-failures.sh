#!/bin/sh
# SPDX-License-Identifier: MIT
# The table "Twelve failures" of docs/watching.md: each is caused on purpose, and the log alone, the metrics alone and the page alone show its
# row and no other. The patterns are those of the table.
test_seconds=150
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
. "$SC_SRCDIR/tests/system/browser.sh"
needs curl openssl

# --- The table: rows/NAME.log and .page; "…" stands for anything ---

mkdir rows
sed -n '/^## Twelve failures/,/^## W/s/^| \*\*\(.*\)\*\* | `\(.*\)` | `\(.*\)` \(.*\) | `\(.*\)` |$/\1\t\2\t\3\t\4\t\5/p' "$SC_SRCDIR/docs/watching.md" >table
[ "$(wc -l <table)" -eq 12 ] || fail "the table has not twelve rows that can be read, but $(wc -l <table)"
while IFS='	' read -r name log _ _ page; do
    printf '%s\n' "$log" | sed 's/[]*.[]/\\&/g; s/…/.*/g' >"rows/$name.log"
    printf '%s\n' "$page" | sed 's/[]*.[]/\\&/g; s/…/.*/g; s/^/^/' >"rows/$name.page"
done <table
cut -f 1 table >names

# --- What there is to see: NAME.log is what was logged since the look before, NAME.metrics, NAME.page ---

# A line for each line of the page: "SECTION: TEXT".
page_lines="[...document.querySelectorAll('section'), document.querySelector('header')].flatMap((part) => part.innerText.split('\\\\n').filter((line) => line.trim()).map((line) => (part.querySelector('h2, h1').innerText + ': ' + line.replace(/\\\\s+/g, ' ').trim()))).join('\\\\n')"
look() {
    curl -sS -m 10 "http://$admin/metrics" >"$1.metrics" || fail "no metrics"
    [ -z "$browser" ] || {
        evaluate "refresh().then(() => $page_lines)"
        # Without the counts of the last minute, which fall by themselves.
        sed 's/\\n/\n/g' value | sed 's/ [0-9,]* \([0-9,]*\)$/ \1/' >"$1.page"
    }
}

# The rows that one source shows, and did not show before.
shown_by_log() {
    while read -r name; do
        ! grep -q -f "rows/$name.log" new.log || echo "$name"
    done <names
}
shown_by_metrics() {
    awk -F '\t' -v time="$(date +%s)" '
        function holds(when, now, before) {
            if (when == "rises") return now + 0 > before + 0
            if (when == "is past") return now + 0 < time
            if (when ~ /^is [0-9]$/) return now + 0 == substr(when, 4) + 0
            if (when ~ /^is above [0-9]$/) return now + 0 > substr(when, 10) + 0
            print "no such condition: " when >"/dev/stderr"; exit 2
        }
        FILENAME == "table" { name[FNR] = $1; metric[FNR] = $3; when[FNR] = $4; rows = FNR; next }
        split($0, sample, " ") == 2 { if (FILENAME == "before.metrics") was[sample[1]] = sample[2]; else is[sample[1]] = sample[2] }
        END {
            for (row = 1; row <= rows; row++) {
                if (!(metric[row] in is)) { print "there is no metric " metric[row] >"/dev/stderr"; exit 2 }
                before = was[metric[row]]
                if (holds(when[row], is[metric[row]], before) && (when[row] == "rises" || !holds(when[row], before, before))) print name[row]
            }
        }' table before.metrics now.metrics
}
shown_by_page() {
    while read -r name; do
        grep -f "rows/$name.page" now.page >is || continue
        grep -f "rows/$name.page" before.page >was || :
        cmp -s is was || echo "$name"
    done <names
}

# watch: before a failure. sees NAME: it is shown in all three, and nothing else is.
watch() {
    failure=$1
    log_lines=$(wc -l <"$server_log")
    look before
}
# Without the loops that did not run for a while and run again: a busy machine keeps a whole server from running.
standing() {
    awk '$3 == "event_loop_blocked" { blocked[$4] = NR } $3 == "event_loop_runs" { delete line[blocked[$4]]; next } { line[NR] = $0 }
        END { for (i = 1; i <= NR; i++) if (i in line) print line[i] }'
}
only() {
    [ "$2" = "$failure" ] || fail "$failure: $1 shows: $(printf '%s' "$2" | tr '\n' ',')"
}
caused() {
    until=$(($(date +%s) + 10 * slow))
    while :; do
        look now
        tail -n "+$((log_lines + 1))" "$server_log" | standing >new.log
        log=$(shown_by_log) page=$failure
        metrics=$(shown_by_metrics) || fail "the metrics do not fit the table"
        [ -z "$browser" ] || page=$(shown_by_page)
        [ "$log,$metrics,$page" != "$failure,$failure,$failure" ] && [ "$(date +%s)" -lt $until ] || break
    done
    only "the log" "$log"
    only "/metrics" "$metrics"
    only "the page" "$page"
    echo "told apart: $failure"
}
# reload LINE: a reload with another file, which is whole at once: a server whose reload has failed looks by itself, too.
reload() {
    reloads=$(grep -c " $1 " "$server_log" || :)
    kill -HUP "$server_pid"
    wait_log " $1 " 20 $((reloads + 1))
}
replace() { cp "$1" new && mv new server.crt; }
# start OPTION...: and the page of that server
start() {
    start_server -c /dev/null --metrics-listen 127.0.0.1:0 --reload-interval 0 "$@"
    wait_log ' ready '
    # The first descriptor that a connection gets: none is open yet.
    free=0
    while [ -h "/proc/$server_pid/fd/$free" ]; do free=$((free + 1)); done
    show
}
show() {
    [ -z "$browser" ] || {
        open_page "http://$admin/"
        until_true "document.readyState === 'complete' && document.getElementById('state').textContent === 'ready'" "the page does not become ready"
    }
}

find_browser
[ -n "$browser" ] && start_browser || skip_part "there is no chromium here to show the page"

make_certs
run 0 sc-keygen --next --out server
cp server.crt good.crt
dated_certificate server 20200101000000Z 20210101000000Z expired.crt

start --workers 2 --handshake-timeout $((2 * slow))s --write-timeout 1s --max-connections 8

watch "wrong pin"
run 90 sc-client --connect "$address" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= echo x
caused

watch "plain HTTP"
curl -sS -m 10 "http://$address/" >/dev/null 2>&1 || :
caused

watch "old TLS"
openssl s_client -connect "$address" -tls1_1 -cipher DEFAULT@SECLEVEL=0 </dev/null >openssl.log 2>&1 || :
caused

watch "handshake timeout"
run 0 hostile --at-most-ms $((8000 * slow)) silent "$address"
caused

watch "never-reader"
run 0 hostile --give-up-ms $((15000 * slow)) --deadline-ms $((18000 * slow)) --bytes 1000000000 never-read "$address"
caused

watch "flood"
fill_server 8
caused
touch go
finish "$holder" 0

if command -v prlimit >/dev/null; then
    watch "out of descriptors"
    prlimit --pid "$server_pid" --nofile=$free: || fail "can't lower the limit"
    run 0 hostile refused --at-most-ms $((2000 * slow)) "$address"
    prlimit --pid "$server_pid" --nofile=1000: || fail "can't raise the limit"
    caused
else
    skip_part "no prlimit(1) to take descriptors away"
fi

watch "bad reload"
echo rubbish >rubbish
replace rubbish
reload reload_failed
caused
replace good.crt
reload reloaded

watch "next key missing"
rm server.next.key server.next.crt
reload reloaded
caused

watch "expired certificate"
replace expired.crt
reload reloaded
caused
replace good.crt
stop_server

# A client that does not read, and time to look between the line and the end.
start --drain-timeout 10m
background hostile --give-up-ms $((40000 * slow)) --deadline-ms $((45000 * slow)) --bytes 1000000000 never-read "$address"
until=$(($(date +%s) + 10 * slow))
until curl -sS -m 10 "http://$admin/metrics" | grep -q '^spacecaptain_output_pauses_total [1-9]'; do
    [ "$(date +%s)" -lt $until ] || fail "nobody holds up the drain"
done
watch "drain stuck"
kill -TERM "$server_pid"
wait_log ' drain_slow ' 10
caused
kill -TERM "$server_pid"
end_server 0

# One thread of the server stands still.
as-systemd --watchdog 600000 service-messages addresses sc-server -c /dev/null --certificate "$tmp/server.crt" --private-key "$tmp/server.key" \
    --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 --workers 2 --reload-interval 0 >service.log 2>&1 </dev/null &
server_pid=$!
own_pids="$own_pids $server_pid"
server_log=$tmp/service.log
wait-for 20 "$server_pid" contains service-messages READY=1 || fail "the service did not get ready"
admin=$(sed -n 's/.* ready .*metrics=\([^ ]*\) .*/\1/p' service.log)
show
watch "loop blocked"
kill -USR1 "$server_pid"
wait-for 10 "$server_pid" contains service-messages ' thread ' || fail "nobody stops a thread"
if grep -q 'a thread is stopped' service-messages; then
    caused
else
    skip_part "ptrace(2) is not allowed here: no event loop can be blocked"
fi
kill -TERM "$server_pid" # its thread goes on when the one who has stopped it ends
kill -KILL "$server_pid"
pass "the log, the metrics and the page each tell them apart"
