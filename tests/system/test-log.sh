#!/bin/sh
# SPDX-License-Identifier: MIT
# What the log says: the line at the start, a line for each handshake that failed with all that explains it, the states of handshakes at level
# debug, and all of it in JSON with the same keys. The lines of every other test are checked against the catalogue of events, too (lib.sh).
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs openssl

# --- The start: what runs, and what fits -------------------------------------------------------------------------------------------------
start_server -c /dev/null --listen 127.0.0.1:0,127.0.0.1:0 --max-connections 300 --handshake-timeout ${slow}s --workers 1 --log-level debug
wait_log ' ready '
ready=$(grep ' ready ' "$server_log")
files=$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' "/proc/$server_pid/limits")
openssl_version=$(sc-server --version | sed -n 's/^OpenSSL \([^ ]*\) .*/\1/p')
for pair in 'listen=127\.0\.0\.1:[0-9]*,127\.0\.0\.1:[0-9]*' "openssl=$openssl_version" 'libevent=2\.[^ ]*' 'crypto=[a-z0-9_,]*' "descriptors=$files" \
    max_connections=300 memory_idle_mib=5 memory_most_mib=131; do
    echo "$ready" | grep -Eq " $pair( |\$)" || fail "no $pair in: $ready"
done
if [ "$(uname -m)" = x86_64 ] && grep -q '^flags.* aes ' /proc/cpuinfo; then
    echo "$ready" | grep -Eq ' crypto=([^ ]*,)?aes[, ]' || fail "the processor has aes: $ready"
    OPENSSL_ia32cap='~0x200000200000000' sc-server --listen 127.0.0.1:0 -c /dev/null --certificate server.crt --private-key server.key \
        --port-file port-without >without.log 2>&1 &
    own_pids="$own_pids $!"
    wait-for 20 $! contains without.log ' ready ' || fail "no server without aes"
    grep -Eq ' crypto=([^ ]*,)?aes[, ]' without.log && fail "what the environment has taken away is listed: $(cat without.log)"
fi

# --- A line for each handshake that failed ------------------------------------------------------------------------------------------------
failures=0
# failed PATTERN...: the next failure has one line, at level warning, that matches all of them.
failed() {
    failures=$((failures + 1))
    wait_log ' warning tls_handshake_failed ' 10 $failures
    grep ' warning tls_handshake_failed ' "$server_log" | sed -n "${failures}p" >line
    for pattern in 'peer=127\.0\.0\.1:[0-9]+ ' ' hint="[a-z][^"]{20}' ' trace="[0-9.]+ ms in 0 out 0 start' ' end"$' "$@"; do
        grep -Eq -e "$pattern" line || fail "no $pattern in: $(cat line)"
    done
}
other_pin=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
run 90 sc-client --connect "$address" --pin $other_pin echo x
failed ' stage=answered ' ' alert_received="bad certificate" ' 'versions_offered="TLS 1.3, TLS 1.2"' ' in [0-9]+ .*read client hello, .*write server hello, '
refused() { openssl s_client -connect "$address" "$@" </dev/null >openssl.log 2>&1 && fail "openssl connected: $*"; true; }
refused -tls1_1 -cipher ALL:@SECLEVEL=0
failed ' stage=hello reason=version ' ' alert_sent="protocol version" ' 'versions_offered="up to TLS 1.1"' ', ([0-9.]+ ms )?out 7 end"$'
refused -tls1_3 -groups P-521
failed ' reason=no_shared_group ' ' alert_sent="handshake failure" ' 'versions_offered="TLS 1.3"'
run 0 hostile --how 'GET / HTTP/1.0' plain "$address"
failed ' stage=hello reason=plaintext '
grep -q versions_offered line && fail "HTTP offers a version: $(cat line)"
run 0 hostile --give-up-ms $((8000 * slow)) --deadline-ms $((15000 * slow)) silent "$address"
failed ' stage=connected reason=timeout ' ' [0-9]{4,}\.[0-9] ms end"$'

# --- States, as they come, at level debug; none of a connection that failed is lost, none at another level ----------------------------------
run 0 sc-client --connect "$address" --pin server.crt echo hello
conn=$(sed -n 's/.* debug connected conn=\([0-9]*\) .*/\1/p' "$server_log")
grep " conn=$conn " "$server_log" | grep -v peer_closed >of-conn
sed -n '$p' of-conn | grep -q ' connected ' || fail "the states do not come before the line connected"
sed -n '1p' of-conn | grep -Eq ' debug handshake_state .* state=start microseconds=[0-9]+ received=0 sent=0$' || fail "not the first state: $(sed -n 1p of-conn)"
[ "$(grep -c ' state="write ' of-conn)" -ge 4 ] || fail "few states: $(cat of-conn)"
grep -q ' trace=' of-conn && fail "a handshake that completed is traced"
stop_server
# A client whose key is refused, in the middle of the handshake.
run 0 sc-keygen --out client
start_server -c /dev/null --client-auth require --client-pin $other_pin
failures=0
run 35 sc-client --connect "$address" --pin server.crt --cert client.crt --key client.key --no-retry echo x
failed ' reason=client_certificate ' ' client_pin="?sha256//' ' in [0-9]+ .*read client hello, .*write server hello, '
stop_server
start_server -c /dev/null
run 90 sc-client --connect "$address" --pin $other_pin echo x
run 0 sc-client --connect "$address" --pin server.crt echo x
wait_log ' warning tls_handshake_failed '
stop_server
grep -q ' debug ' "$server_log" && fail "states at level info"

# --- JSON: the same keys, an object a line, each key once ------------------------------------------------------------------------------------
grep ' tls_handshake_failed ' "$server_log" | grep -o ' [a-z_]*=' | tr -d ' =' | sort >text-keys
start_server -c /dev/null --log-format json --listen 127.0.0.1:0,127.0.0.1:0
run 90 sc-client --connect "$address" --pin $other_pin echo x
wait_log '"tls_handshake_failed"'
stop_server
while read -r line; do
    echo "$line" | json-get >/dev/null || fail "not JSON: $line"
    [ -z "$(echo "$line" | sed 's/\\.//g' | grep -o '"[a-z_]*":' | sort | uniq -d)" ] || fail "a key stands twice: $line"
done <"$server_log"
grep '"tls_handshake_failed"' "$server_log" >line
grep -o '"[a-z_]*":' line | tr -d '":' | grep -Evx 'time|level|event' | sort | diff text-keys - >&2 || fail "text (<) and JSON (>) have other keys"
for pair in level:warning event:tls_handshake_failed stage:answered 'alert_received:bad certificate'; do
    [ "$(json-get "${pair%%:*}" <line)" = "${pair#*:}" ] || fail "no $pair in: $(cat line)"
done

# --- The journal is not there: text ------------------------------------------------------------------------------------------------------------
if [ ! -S /run/systemd/journal/socket ]; then
    start_server -c /dev/null --log-format journal
    wait_log ' info ready '
    stop_server
fi
pass "the start, failures, states, JSON"
