#!/bin/sh
# SPDX-License-Identifier: MIT
# What a reload says that it takes it takes: settings of a running server, each seen from outside before and after.
test_seconds=90
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
needs openssl
make_certs

# settings SERVER-LINE [TLS-LINE]: the configuration, and a reload when a server runs.
settings() {
    printf '[server]\nreload-interval = 0\nworkers = 2\n%s\n[tls]\n%s\n' "$1" "${2-}" >sc.conf
    if [ -n "$server_pid" ]; then
        reloads=$(grep -c ' reloaded ' "$server_log" || :)
        kill -HUP "$server_pid"
        wait_log ' reloaded ' 10 $((reloads + 1))
    fi
}
begin() {
    settings "$@"
    start_server -c sc.conf
}

# An ECHO of "hello", then a header that the server ends the connection for, so that the client ends too.
printf '\0\0\0\1\0\0\0\5hello\0\0\0\1\377\377\377\377' >request
visit() { run 0 openssl s_client -connect "$address" -ign_eof "$@" <request; }

# hold: a connection that stays until the server ends it; $holder.
hold() {
    background openssl s_client -connect "$address" -ign_eof
    holder=$background_pid
    wait-for 10 "$holder" contains "$tmp/background-$background_count.log" 'SSL handshake has read' || fail "not let in"
}

# --- max-connections, up and down, and the deadlines of a connection that is open ---
# Without the long handshake-timeout its deadline would be the next look at the connection.
begin "$(printf 'max-connections = 1\nhandshake-timeout = 1h')"
hold
run 0 hostile refused --at-most-ms $((2000 * slow)) "$address"
settings 'max-connections = 2'
run 0 sc-client --connect "$address" --pin server.crt echo hello
settings 'max-connections = 1'
run 0 hostile refused --at-most-ms $((2000 * slow)) "$address"
settings 'idle-timeout = 200ms'
finish "$holder" 0
settings 'max-connections-per-address = 1'
hold
run 0 hostile refused --at-most-ms $((2000 * slow)) "$address"
settings 'idle-timeout = 200ms'
finish "$holder" 0
stop_server
pass "max-connections, max-connections-per-address, and idle-timeout for a connection that is open"

# --- handshake-rate: with a burst of one, four of five strangers wait ---
begin 'handshake-rate = 0'
visit
settings "$(printf 'handshake-rate = 2\nhandshake-timeout = 60s')"
visitors=
for _ in 1 2 3 4 5; do # at once: on a slow machine the next one would come when its token is there
    # shellcheck disable=SC2016  # its own $0
    background sh -c 'exec openssl s_client -connect "$0" -ign_eof <request' "$address"
    visitors="$visitors $background_pid"
done
for visitor in $visitors; do finish "$visitor" 0; done
stop_server
grep -q ' stopped .*handshakes_delayed=[1-9]' "$server_log" || fail "handshake-rate is not what the reload said"
pass "handshake-rate"

# --- log-level ---
begin 'log-level = info'
visit
! grep -q ' debug ' "$server_log" || fail "log-level is not info"
settings 'log-level = debug'
visit
wait_log ' debug '
stop_server
pass "log-level"

# --- session-timeout: the lifetime that a ticket says it has ---
begin '' 'session-timeout = 100s'
for seconds in 100 200; do
    for version in 1_2 1_3; do
        visit -tls$version
        grep -aq "TLS session ticket lifetime hint: $seconds (seconds)" out || fail "session-timeout is not $seconds s, TLS $version"
    done
    [ $seconds -eq 200 ] || settings '' 'session-timeout = 200s'
done
stop_server
pass "session-timeout"

# --- A new OCSP response under the same name, by a signal and by the interval ---
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -subj /CN=ca -days 2 -out ca.crt 2>/dev/null || fail "openssl req"
openssl req -new -key server.key -subj /CN=server -out server.csr 2>/dev/null &&
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key \
    -set_serial 17 -days 2 -out leaf.crt 2>/dev/null || fail "openssl x509"
cat leaf.crt ca.crt >server.crt
printf 'V\t%s\t\t11\tunknown\t/CN=server\n' "$(date -u -d @$(($(date +%s) + 100000)) +%y%m%d%H%M%SZ)" >index.txt
respond() { # MINUTES: how long the response is good
    openssl ocsp -index index.txt -rsigner ca.crt -rkey ca.key -CA ca.crt -issuer ca.crt -cert leaf.crt -respout new.der -nmin "$1" >ocsp.log 2>&1 ||
        fail "openssl ocsp made no response"
    mv new.der ocsp.der
    openssl ocsp -respin ocsp.der -noverify -text >response
    until_time=$(sed -n 's/^ *Next Update: //p' response)
}
stapled() { # the one that was made last
    visit -status
    grep -aq "Next Update: $until_time" out || fail "the stapled response is not the new one"
}
respond 600
begin 'metrics-listen = 127.0.0.1:0' 'ocsp-response = ocsp.der'
stapled
run 0 sc-server --status "$admin"
grep -q "^OCSP response  *ends $(date -u -d "$until_time" '+%Y-%m-%d')" out || fail "--status does not show until when the response is good: $(cat out)"
if command -v curl >command; then
    run 0 curl -sS "http://$admin/metrics"
    for what in This Next; do
        name=spacecaptain_ocsp_response_$(printf %s $what | tr TN tn)_update_timestamp_seconds
        at=$(date -u -d "$(sed -n "s/^ *$what Update: //p" response)" +%s)
        grep -qx "$name $at" out || fail "not the $what Update of the response: $(grep "$name" out)"
    done
else
    skip_part "curl is not installed"
fi
respond 700
kill -HUP "$server_pid"
wait_log ' reloaded '
stapled
printf '[server]\nreload-interval = 50ms\n[tls]\nocsp-response = ocsp.der\n' >sc.conf
kill -HUP "$server_pid"
wait_log ' reload_changed key=reload-interval '
wait_log ' reloaded ' 10 2
respond 800
wait_log ' reloaded ' 10 3
stapled
# Revoked: the old one stays, and the log says why.
printf 'R\t%s\t%s\t11\tunknown\t/CN=server\n' "$(date -u -d @$(($(date +%s) + 100000)) +%y%m%d%H%M%SZ)" "$(date -u +%y%m%d%H%M%SZ)" >index.txt
kept=$until_time
respond 900
wait_log 'OCSP response ocsp.der says that the certificate is revoked'
until_time=$kept
stapled
stop_server
counted reloads_done 3 # by the main thread; the line at the end has what all threads count
pass "ocsp-response and reload-interval"
