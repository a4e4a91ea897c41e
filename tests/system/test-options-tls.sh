#!/bin/sh
# SPDX-License-Identifier: MIT
# More keys of the configuration, each seen from outside: sessions, TLS itself, and what one client or all strangers together may take.
test_seconds=90
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
needs openssl


# An ECHO of "hello", then a header that the server ends the connection for, so that the client ends too.
printf '\0\0\0\1\0\0\0\5hello\0\0\0\1\377\377\377\377' >request
visit() { run 0 openssl s_client -connect "$address" -ign_eof "$@" <request; }

save() { # FILE [OPTION]...
    file=$1
    shift
    visit "$@" -sess_out "$file"
    grep -aq '^New, TLSv' out || fail "not a new session: $*"
}

is_resumed() {
    file=$1
    shift
    visit "$@" -sess_in "$file"
    grep -aq '^Reused, TLSv' out
}

# --- Sessions ---
# A time that has to pass; slow builds need more of it for the handshakes before, and on a busy machine they are made again.
lifetime=$((2 * slow))
start_server -c /dev/null --session-timeout ${lifetime}s
start=$(milliseconds)
for version in 1_2 1_3; do
    saved=$(milliseconds)
    save session-$version -tls$version
    until is_resumed session-$version -tls$version; do
        [ $(($(milliseconds) - saved)) -ge $((lifetime * 1000 - 1000)) ] || fail "a new session is not resumed, TLS $version"
        saved=$(milliseconds)
        save session-$version -tls$version
    done
done
until=$(($(milliseconds) + (lifetime + 20 * slow) * 1000))
for version in 1_2 1_3; do
    while is_resumed session-$version -tls$version; do
        [ "$(milliseconds)" -lt $until ] || fail "a session is resumed for ever, TLS $version"
    done
    took=$(($(milliseconds) - start))
    [ $took -ge $((lifetime * 1000 - 100)) ] || fail "session-timeout ${lifetime}s, and no resumption after $took ms, TLS $version"
    sees session-timeout
    pass "session-timeout ${lifetime}s: not resumed any more after $took ms, TLS $version"
done
stop_server

# Sessions in the memory of the server: the last one, or all three. The oldest is asked for last, because one that is refused makes a new one.
for size in 1 1024; do
    start_server -c /dev/null --session-cache-size $size
    for name in first second third; do
        save $name -tls1_2 -no_ticket
    done
    kept=
    for name in third first; do
        if is_resumed $name -tls1_2 -no_ticket; then
            kept="$kept$name "
        fi
    done
    case $size,$kept in
    1,"third " | 1024,"third first ") ;;
    *) fail "session-cache-size $size: kept $kept" ;;
    esac
    stop_server
done
sees session-cache-size
pass "session-cache-size: of three sessions, 1 keeps the last"

# --- Commands of OpenSSL ---
printf '[tls]\nMinProtocol = TLSv1.3\nCiphersuites = TLS_CHACHA20_POLY1305_SHA256\n' >tls.conf
start_server -c tls.conf
run 0 sc-client --connect "$address" --pin server.crt --verbose echo hello
expect_out hello
grep -q 'TLSv1\.3, cipher TLS_CHACHA20_POLY1305_SHA256' err || fail "not Ciphersuites"
run 1 openssl s_client -connect "$address" -tls1_2 </dev/null
run 1 openssl s_client -connect "$address" -ciphersuites TLS_AES_256_GCM_SHA384 </dev/null
wait_log ' reason=version '
wait_log ' reason=no_shared_cipher '
stop_server
pass "MinProtocol and Ciphersuites: others are refused, and the log says why"

# --- What one client may take: with a small limit the server stops reading it, with a large one it takes all ---
start_server -c /dev/null --output-limit 4K
run 0 hostile --give-up-ms $((3000 * slow)) --deadline-ms $((20000 * slow)) never-read --bytes 40000000 "$address"
pass "output-limit 4K: $(cat out)"
run 0 hostile --deadline-ms $((20000 * slow)) many --count 2 --piece 2 "$address"
small_kib=$(memory_kib "$server_pid" VmHWM)
stop_server
counted paused '[1-9][0-9]*'
start_server -c /dev/null --output-limit 128M
run 1 hostile --give-up-ms $((15000 * slow)) --deadline-ms $((20000 * slow)) never-read --bytes 40000000 "$address"
grep -q 'the server took 4' err || fail "output-limit 128M, and it did not take 40 MB"
large_kib=$(memory_kib "$server_pid" VmHWM)
stop_server
[ "$large_kib" -gt $((small_kib + 15000)) ] || fail "output-limit: $small_kib KiB with 4K, $large_kib KiB with 128M"
sees output-limit
pass "output-limit: at its highest $small_kib KiB with 4K, $large_kib KiB with 128M"

# --- One connection from each address ---
start_server -c /dev/null --max-connections-per-address 1
for source in 127.0.0.1 127.0.0.2; do
    background openssl s_client -connect "$address" -bind "$source:0" -ign_eof
    wait-for 10 "$background_pid" contains "$tmp/background-$background_count.log" 'SSL handshake has read' || fail "$source is not let in"
done
run 0 hostile refused --at-most-ms $((2000 * slow)) "$address"
stop_server
counted refused_per_address '[1-9]'
counted handshakes_full_tlsv1_3 2
sees max-connections-per-address
pass "max-connections-per-address: two addresses get in, a second connection of one does not"

# --- Strangers wait for their turn, those with tickets of another server too; who resumes does not ---
start_server -c /dev/null
for version in 1_2 1_3; do
    save junk-$version -tls$version
done
stop_server
# The bucket holds one: after it, 250 ms for each.
start_server -c /dev/null --handshake-rate 4 --handshake-timeout 60s
for version in 1_2 1_3; do
    save session-$version -tls$version
done
start=$(milliseconds)
strangers=
for version in 1_2 1_3 1_2 1_3 1_2 1_3; do
    background openssl s_client -connect "$address" -tls$version -sess_in junk-$version
    strangers="$strangers $background_pid"
done
background hostile --deadline-ms $((50000 * slow)) many --count 6 "$address"
strangers="$strangers $background_pid"
for version in 1_2 1_3; do
    is_resumed session-$version -tls$version || fail "not resumed while strangers wait, TLS $version"
done
quick=$(($(milliseconds) - start))
for pid in $strangers; do
    finish "$pid" 0
done
took=$(($(milliseconds) - start))
! grep -aq '^Reused' "$tmp"/background-*.log || fail "a ticket of another server was taken"
[ $took -ge 2700 ] || fail "12 strangers at 4 a second got in within $took ms"
[ $quick -lt $took ] || fail "who resumes waited with the strangers, $quick ms"
stop_server
counted handshakes_delayed '[1-9][0-9]*'
pass "handshake-rate 4: two resumed within $quick ms, while 12 strangers needed $took ms"
