#!/bin/sh
# SPDX-License-Identifier: MIT
# What the admin interface says is what has happened: counters by reason, health and readiness, formats,
# and who may ask. sc-server --status prints the same facts.
test_seconds=60
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs curl

# start [OPTION]...: a server with an admin interface at $admin
start() {
    start_server -c /dev/null --metrics-listen 127.0.0.1:0 "$@"
}
get() { run 0 curl -sS -m 10 -i "$@"; }
# http STATUS [CURL ARGUMENT]...
http() {
    wanted=$1
    shift
    get "$@"
    head -1 out | grep -q "^HTTP/1.1 $wanted " || fail "not $wanted: $(head -1 out): $*"
}
header() { tr -d '\r' <out | sed '/^$/q' | grep -qix "$1" || fail "no header $1"; }
metrics() { curl -sS -m 10 "http://$admin/metrics" >metrics; }
value() { awk -v name="$1" '$1 == name { print $2; found = 1 } END { exit !found }' "${2:-metrics}" || fail "no $1"; }
sum() { awk -v name="$1" 'index($1, name) == 1 { sum += $2 } END { printf "%d\n", sum }' "${2:-metrics}"; }
# until_value NAME VALUE
until_value() {
    until=$(($(date +%s) + 10 * slow))
    while metrics && [ "$(value "$1")" != "$2" ]; do
        [ "$(date +%s)" -lt $until ] || fail "$1 is $(value "$1"), not $2"
    done
}

# --- Formats, paths, methods, headers ---
start --workers 2 --drain-timeout 60s
http 200 "http://$admin/metrics"
header 'content-type: text/plain; version=0.0.4; charset=utf-8'
header 'vary: accept'
for line in 'x-content-type-options: nosniff' 'x-frame-options: DENY' 'referrer-policy: no-referrer' 'cache-control: no-store' 'cross-origin-resource-policy: same-origin' \
    "content-security-policy: default-src 'none'; .*"; do
    header "$line"
done
http 200 -H 'Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5' "http://$admin/metrics"
header 'content-type: application/openmetrics-text; version=1.0.0; charset=utf-8'
tail -1 out | grep -qx '# EOF' || fail "OpenMetrics has no end"
http 200 "http://$admin/healthz"
[ "$(tail -1 out)" = ok ] || fail "not healthy"
http 200 "http://$admin/readyz"
[ "$(tail -1 out)" = ready ] || fail "not ready"
http 200 "http://$admin/"
header 'content-type: text/html; charset=utf-8'
http 200 "http://$admin/status.json"
curl -sS "http://$admin/status.json" | json-get >/dev/null || fail "the status is not JSON"
for path in / /metrics /healthz /readyz /status.json /status.txt; do
    http 200 --head "http://$admin$path"
    [ "$(tr -d '\r' <out | sed '1,/^$/d' | wc -c)" = 0 ] || fail "HEAD $path has a body"
    grep -qi '^content-length: [1-9]' out || fail "HEAD $path has no length"
done
http 404 "http://$admin/nothing"
http 404 --path-as-is "http://$admin/../../etc/passwd"
http 404 --path-as-is "http://$admin/%2e%2e/metrics"
for method in POST PUT DELETE OPTIONS PATCH TRACE; do
    http 405 -X $method "http://$admin/metrics"
    header 'allow: GET, HEAD'
done
http 405 -d 'some=body' "http://$admin/metrics"
pass "formats, paths and methods"

# --- Who may ask ---
port_of_admin=${admin##*:}
for host in evil.example 127.0.0.1.evil.example "evil.example:$port_of_admin" 'localhost.evil.example'; do
    http 421 -H "Host: $host" "http://$admin/metrics"
done
for host in localhost "localhost:$port_of_admin" '[::1]' 192.0.2.1; do
    http 200 -H "Host: $host" "http://$admin/metrics"
done
http 421 --request-target http://evil.example/metrics "http://$admin/"
pass "a page of somebody else cannot ask"

# --- Prometheus' own opinion ---
metrics
if command -v promtool >/dev/null; then
    promtool check metrics <metrics >promtool.log 2>&1 || fail "promtool: $(cat promtool.log)"
    [ ! -s promtool.log ] || fail "promtool: $(cat promtool.log)"
    pass "promtool has nothing to say"
else
    skip_part "there is no promtool to check the metrics"
fi

# --- The table of the manual is what there is ---
sed -n 's/^# TYPE \([a-z_]*\) .*/\1/p' metrics | sort >given
sed -n '/^## Metrics and/,/^## /s/^| `\([a-z_]*\)` |.*/\1/p' "$SC_SRCDIR/docs/watching.md" | grep -v -e ocsp_response -e next_key_announced | sort >documented
diff documented given >&2 || fail "docs/watching.md (<) and /metrics (>) have other metrics"
given=$(awk '/^# TYPE/ { print $3 }' metrics | sort | uniq -d)
[ -z "$given" ] || fail "described twice: $given"

# --- Each thing is counted under its reason ---
P=spacecaptain
run 0 sc-client --connect "$address" --pin server.crt echo x
run 90 sc-client --connect "$address" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= echo x
run 0 hostile --how 'GET / HTTP/1.0' plain "$address"
run 0 hostile --bytes 5 --how shutdown truncate "$address"
run 0 hostile --bytes 100000 --piece 10 too-large "$address"
run 0 hostile --how reply --count 1 reset "$address"
until_value "${P}_connections_closed_total{reason=\"peer_closed\"}" 2 # the reset was followed by a right client
until_value "${P}_connections_closed_total{reason=\"truncated\"}" 1
until_value "${P}_connections_closed_total{reason=\"body_too_large\"}" 1
until_value "${P}_connections_closed_total{reason=\"reset\"}" 1
[ "$(value "${P}_error_replies_total{code=\"body_too_large\"}")" = 1 ] || fail "the ERROR reply is not counted"
until_value "${P}_handshakes_failed_total{reason=\"bad_certificate\"}" 1
until_value "${P}_handshakes_failed_total{reason=\"plaintext\"}" 1
[ "$(value "${P}_requests_total{type=\"echo\"}")" -ge 1 ] || fail "the request is not counted"
completed=$(sum "${P}_handshakes_completed_total{")
[ "$(value "${P}_handshake_seconds_count")" = "$completed" ] || fail "the time of the handshake is not counted"
[ "$(value "${P}_handshakes_completed_total{version=\"TLSv1.3\",resumed=\"false\"}")" = "$completed" ] || fail "the handshake is not counted"
[ "$(sum "${P}_handshake_groups_total{")" = "$completed" ] && [ "$(sum "${P}_handshake_ciphers_total{")" = "$completed" ] || fail "its cipher and group are not counted"
[ "$(value "${P}_connections_closed_total{reason=\"handshake_failed\"}")" -ge 2 ] || fail "failed handshakes are not counted as ends"
[ "$(value "${P}_received_bytes_total")" -gt 500 ] && [ "$(value "${P}_sent_bytes_total")" -gt 500 ] || fail "bytes are not counted"
[ "$(value process_open_fds)" -gt 5 ] && [ "$(value process_resident_memory_bytes)" -gt 1000000 ] || fail "the process is not seen"
until_value "${P}_ready" 1
cp server.crt kept.crt && echo rubbish >server.crt
before=$(date +%s)
kill -HUP "$server_pid"
wait_log ' reload_failed '
until_value "${P}_reload_failed" 1
run 0 sc-server --status "$admin"
grep -q '^last reload .*failure: .*server.crt' out || fail "--status does not say that the reload failed"
at=$(date -d "$(sed -n 's/^last reload *\([^ ]*Z\), .*/\1/p' out)" +%s)
[ "$at" -ge "$before" ] && [ "$at" -le "$(date +%s)" ] || fail "--status does not say when the last reload was: $at"
cp kept.crt server.crt
loaded=$(value "${P}_loaded_timestamp_seconds")
kill -HUP "$server_pid"
until_value "${P}_reload_failed" 0
# In whole seconds.
until=$(($(date +%s) + 10 * slow))
until [ "$(value "${P}_loaded_timestamp_seconds")" -gt "$loaded" ]; do
    [ "$(date +%s)" -lt $until ] || fail "a reload does not change when the configuration was loaded"
    kill -HUP "$server_pid"
    metrics
done
[ "$(value "${P}_reloads_total{result=\"failure\"}")" -ge 1 ] || fail "the failed reload is not counted"

# --- The next key, from the reload on that finds it ---
[ "$(value "${P}_next_key")" = 0 ] || fail "there is a next key that nobody made"
! grep 'certificate="next"' metrics || fail "there is a next certificate that nobody made"
run 0 sc-keygen --next --out server
kill -HUP "$server_pid"
until_value "${P}_next_key" 1
[ "$(value "${P}_certificate_not_after_timestamp_seconds{certificate=\"next\"}")" -gt "$(($(date +%s) + 3600 * 86400))" ] || fail "no end of the next certificate"
run 0 sc-server --status "$admin"
grep -q '^next certificate  *ends 20.* days left$' out || fail "--status has no end of the next certificate"

# --- Facts in a terminal: by an address, by the configuration, and what is wrong ---
run 0 sc-server --status "$admin"
grep -q '^state  *ready, since 20' out || fail "--status has no state"
grep -q '^certificate .* days left$' out || fail "--status has no certificate"
run 0 sc-server --status="$admin"
run 0 sc-server --status -c /dev/null --metrics-listen "$admin"
run 78 sc-server --status -c /dev/null
expect_err 'metrics-listen is off in /dev/null'
run 78 sc-server --status --metrics-listen ''
expect_err 'metrics-listen is off in /[^ ]*/space-captain/sc-server\.conf;'
run 64 sc-server --status nonsense
expect_err '^sc-server: --status: '
run 64 sc-server --status "$admin" more
run 69 sc-server --status "$address"
expect_err "^sc-server: can't ask the server at "
run 69 sc-server --status unix:/nonexistent/socket
sees metrics-listen

# --- What was counted adds up; under load test-counters.sh looks ---
until_value "${P}_connections" 0
[ "$(value "${P}_connections_accepted_total")" = "$(sum "${P}_connections_closed_total{")" ] || fail "not every connection has one reason"
[ "$(value "${P}_handshakes_in_progress")" = 0 ] || fail "handshakes are under way without connections"
until=$(($(date +%s) + 10 * slow))
while [ "$(value "${P}_event_loop_lag_seconds_count")" -le 10 ]; do
    [ "$(date +%s)" -lt $until ] || fail "the lag of the event loops is not measured"
    metrics
done

# --- It goes on while the server drains, which a client holds up that does not read ---
background hostile --give-up-ms $((40000 * slow)) --deadline-ms $((45000 * slow)) --bytes 1000000000 never-read "$address"
until=$(($(date +%s) + 10 * slow))
while metrics && [ "$(value "${P}_output_pauses_total")" = 0 ]; do
    [ "$(date +%s)" -lt $until ] || fail "a client that does not read is not counted"
done
kill -TERM "$server_pid"
wait_log ' stopping '
http 503 "http://$admin/readyz"
[ "$(tail -1 out)" = draining ] || fail "/readyz does not say why"
http 200 "http://$admin/healthz"
run 0 sc-server --status "$admin"
grep -q '^state  *draining, since 20.*, draining since 20' out || fail "--status does not say since when it drains"
metrics
[ "$(value "${P}_ready")" = 0 ] || fail "a draining server is ready"
kill -TERM "$server_pid"
end_server 0

# --- Several addresses, a unix socket, one that others can reach ---
start_server -c /dev/null --metrics-listen "127.0.0.1:0,unix:$tmp/admin.sock" --metrics-listen 0.0.0.0:0 --workers 1
[ "$(echo "$admin" | tr , '\n' | wc -l)" = 3 ] || fail "not three addresses"
grep -q ' warning metrics_exposed .*0\.0\.0\.0' "$server_log" || fail "an address for everybody is not warned about"
[ "$(grep -c metrics_exposed "$server_log")" = 1 ] || fail "a loopback address is warned about"
http 200 --unix-socket admin.sock -H 'Host: whatever' http://x/healthz
run 0 sc-server --status unix:admin.sock
stop_server
[ ! -e admin.sock ] || fail "the socket's file is left"
run 69 sc-server -c /dev/null --certificate server.crt --private-key server.key --listen "unix:$tmp/left" --metrics-listen 192.0.2.1:9
expect_err '192.0.2.1:9'
[ ! -e left ] || fail "the file of a socket is left by a server that could not start"
pass "what is counted is what happened"
