#!/bin/sh
# SPDX-License-Identifier: MIT
# Who misbehaves on the admin interface keeps neither other scrapers out nor the service from its work: a thousand connections that stay, headers
# that never end or are too long, clients that do not read, pipelines, odd versions, line ends in the path. Memory and descriptors are bounded.
test_seconds=60
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs curl

start_server -c /dev/null --metrics-listen 127.0.0.1:0 --workers 1

descriptors() { find "/proc/$server_pid/fd" -mindepth 1 | wc -l; }

# What goes in is stdin, byte for byte; what comes out until the server closes is $tmp/out.
raw() {
    status=0
    timeout --foreground $((12 * slow)) curl -sS -m $((11 * slow)) "telnet://$admin" >out 2>err || status=$?
}
first_line() { tr -d '\r' <out | head -1; }
answers() { tr -d '\r' <out | grep -c '^HTTP/1' || :; }

# everybody_else_is_served WHILE
everybody_else_is_served() {
    for i in 1 2 3 4 5; do
        status=$(curl -sS -m $((5 * slow)) -o /dev/null -w '%{http_code}' "http://$admin/metrics") || fail "no scrape while $1"
        [ "$status" = 200 ] || fail "a scrape got $status while $1"
        run 0 sc-client --connect "$address" --pin server.crt echo "$i"
        expect_out "$i"
    done
}

everybody_else_is_served "nothing is wrong"
descriptors_before=$(descriptors)
most=0
memory_before=$(memory_kib "$server_pid")

# --- A thousand that stay: silent, in the middle of headers that go on for ever, and with requests whose answers they do not read ---
attack() { # NAME TEXT
    background_seconds=40 background connections "$admin" 1000 "$2" "$1.ready" "$1.go"
    wait-for 30 "$background_pid" exists "$1.ready" || fail "$1: the connections are not accepted"
    everybody_else_is_served "$1"
    now=$(descriptors)
    [ "$now" -le $((descriptors_before + 40)) ] || fail "$1: $descriptors_before descriptors have become $now"
    [ "$now" -le "$most" ] || most=$now
    : >"$1.go"
    finish "$background_pid" 0
    closed=$(sed -n 's/ of 1000 were closed$//p' "background-$background_count.log")
    [ "$closed" -ge 960 ] || fail "$1: only $closed of 1000 were closed"
}
attack silent ''
attack slow-headers 'GET /metrics HTTP/1.1
Host: localhost
X-Header: '
attack never-reads 'GET /metrics HTTP/1.1
Host: localhost

GET / HTTP/1.1
Host: localhost

'
memory=$(memory_kib "$server_pid")
grep -q 'define SC_SANITIZED' "$SC_BUILDDIR/config.h" || [ $((memory - memory_before)) -lt 8000 ] || fail "memory grew from $memory_before to $memory KiB"
pass "1,000 connections at once: $descriptors_before descriptors became at most $most, $memory_before KiB became $memory"

# --- Malformed requests ---
{ printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: '; head -c 100000 /dev/zero | tr '\0' a; printf '\r\n\r\n'; } | raw
case $(first_line) in *' 200 '*) fail "a header of 100,000 bytes is taken" ;; esac
{ printf 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n'; yes 'X: y' | head -20000; printf '\r\n\r\n'; } | raw
case $(first_line) in *' 200 '*) fail "20,000 headers are taken" ;; esac
{ printf 'POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000000\r\n\r\n'; head -c 100000 /dev/zero; } | raw
case $(first_line) in *' 413 '*) ;; *) fail "a body of 100 MB is waited for: $(first_line)" ;; esac
printf 'POST /metrics HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello' | raw
[ "$(first_line)" = 'HTTP/1.1 405 Method Not Allowed' ] || fail "a POST with a body: $(first_line)"
printf 'BREW /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n' | raw
case $(first_line) in *' 200 '*) fail "an unknown method is taken" ;; esac
for target in '/metrics%0d%0aX-Evil:%20yes' '/%0d%0aSet-Cookie:a=b' '/metrics%00' '//metrics' '/metrics/' '/../metrics' '/%2e%2e/%2e%2e/etc/passwd' \
    '/metrics;x' '*' 'metrics' 'http://localhost/nothing'; do
    printf 'GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n' "$target" | raw
    case $(first_line) in *' 200 '*) fail "$target is taken for a page" ;; esac
    ! tr -d '\r' <out | grep -qi '^\(x-evil\|set-cookie\)' || fail "$target has made a header"
done
printf 'GET /metrics\r\n\r\n' | raw
case $(first_line) in *' 200 '*) fail "a request without a version is taken" ;; esac
printf 'GET /healthz HTTP/9.9\r\nHost: localhost\r\n\r\n' | raw
printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n' | raw
case $(first_line) in *' 200 '*) fail "two Host headers are taken" ;; esac
printf '\r\n\r\n\0\1\2\3\r\n\r\n' | raw
everybody_else_is_served "there was rubbish"
pass "malformed requests"

# --- Requests that are right ---
printf 'GET /healthz HTTP/1.0\r\n\r\n' | raw
[ "$(first_line)" = 'HTTP/1.0 200 OK' ] || [ "$(first_line)" = 'HTTP/1.1 200 OK' ] || fail "HTTP/1.0: $(first_line)"
printf 'GET /healthz?x=y HTTP/1.1\r\nHost: localhost\r\n\r\n' | raw
[ "$(first_line)" = 'HTTP/1.1 200 OK' ] || fail "a query: $(first_line)"
for i in 1 2 3 4 5; do printf 'GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n'; done | raw
[ "$(answers)" = 1 ] || fail "a pipeline of five has $(answers) answers, not one"

everybody_else_is_served "all is over"
until=$(($(date +%s) + 10 * slow)) # those of closed connections are given back four times a second
while left=$(descriptors) && [ "$left" -gt $((descriptors_before + 3)) ]; do
    [ "$(date +%s)" -lt $until ] || fail "$descriptors_before descriptors before, $left after"
done
stop_server
grep -Eq ' (error|warning) ' "$server_log" && fail "the log complains"
pass "the admin interface holds"
