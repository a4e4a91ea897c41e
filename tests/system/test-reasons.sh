#!/bin/sh
# SPDX-License-Identifier: MIT
# Every reason for the end of a connection that /metrics has, and nearly every one for a failed handshake, is caused on purpose and counted
# there under that name.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs curl openssl

start() {
    start_server -c /dev/null --metrics-listen 127.0.0.1:0 --workers 2 "$@"
}
metrics() { curl -sS -m 10 "http://$admin/metrics" >metrics || fail "no metrics"; }
value() { sed -n "s/^spacecaptain_$1 //p" metrics; }
# counts FAMILY REASON COMMAND...: one more of this reason. What the command says is its own affair. Once more when nothing was counted: a client
# that gets no processor in time has another end.
counts() {
    family=$1 reason=$2
    shift 2
    metrics
    before=$(value "${family}_total{reason=\"$reason\"}")
    for attempt in 1 2 3; do
        timeout -k 5 "$run_seconds" "$@" >out 2>err </dev/null || :
        until=$(($(date +%s) + 5 * slow))
        while metrics && [ "$(value "${family}_total{reason=\"$reason\"}")" = "$before" ] && [ "$(date +%s)" -lt $until ]; do :; done
        [ "$(value "${family}_total{reason=\"$reason\"}")" = "$before" ] || break
        [ $attempt -lt 3 ] || fail "$family is not counted as $reason: $*"
    done
    echo "$family $reason" >>seen
}
closed() { counts connections_closed "$@"; }
failed() { counts handshakes_failed "$@"; }
# all FAMILY REASON...: the reasons of /metrics are those that were seen, and these.
all() {
    family=$1
    shift
    {
        for reason; do echo "$family $reason"; done
        grep "^$family " seen
    } | sort -u >expected
    sed -n "s/^spacecaptain_${family}_total{reason=\"\([a-z_]*\)\"} .*/$family \1/p" metrics | sort >there
    diff expected there >&2 || fail "reasons that were caused (<) and those that there are (>)"
}

: >seen
start --handshake-timeout $((2 * slow))s --frame-timeout 500ms --idle-timeout 500ms --write-timeout 500ms

closed handshake_failed hostile --how 'GET / HTTP/1.0' plain "$address"
closed peer_closed sc-client --connect "$address" --pin server.crt echo x
closed truncated hostile --bytes 5 --how shutdown truncate "$address"
closed reset hostile --how reply --count 1 reset "$address"
closed tls_error hostile --bytes 100 split-message "$address"
closed key_update_flood hostile --count 65 --expect-end key-update "$address"
closed renegotiation sh -c "printf 'R\n' | openssl s_client -connect $address -tls1_2"
closed body_too_large hostile --bytes 100000 --piece 10 too-large "$address"
closed frame_timeout hostile --interval-ms 300 drip-frame "$address"
closed idle_timeout hostile --at-most-ms $((8000 * slow)) idle "$address"
closed write_timeout hostile --give-up-ms $((10000 * slow)) --bytes 1000000000 never-read "$address"

failed plaintext hostile --how 'GET / HTTP/1.0' plain "$address"
failed probe hostile --give-up-ms 10 silent "$address"
failed eof sh -c "printf '\026\003\001' | timeout $slow curl -sS telnet://$address"
failed reset hostile --how hello --count 1 reset "$address"
failed timeout hostile --at-most-ms $((8000 * slow)) silent "$address"
failed hello_refused hostile --bytes 20000 long-hello "$address"
failed version openssl s_client -connect "$address" -tls1_1 -cipher DEFAULT@SECLEVEL=0
failed no_shared_cipher openssl s_client -connect "$address" -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0
failed no_shared_group openssl s_client -connect "$address" -tls1_3 -groups P-521
failed no_shared_signature openssl s_client -connect "$address" -tls1_3 -sigalgs RSA-PSS+SHA256
failed alpn openssl s_client -connect "$address" -alpn http/1.1
failed bad_certificate sc-client --connect "$address" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= echo x
failed certificate_refused curl -sS -m 10 --no-alpn "https://$address/"

# A client that leaves in the drain, one that is cut at the end of it, and a handshake that is under way then.
stop_server
start --drain-timeout 60s
background hostile --give-up-ms $((40000 * slow)) --deadline-ms $((45000 * slow)) --bytes 1000000000 never-read "$address"
until=$(($(date +%s) + 10 * slow))
while metrics && [ "$(value output_pauses_total)" = 0 ]; do
    [ "$(date +%s)" -lt $until ] || fail "nobody holds up the drain"
done
background hostile --give-up-ms $((40000 * slow)) --deadline-ms $((45000 * slow)) --ready-file idle idle "$address"
wait-for 10 "$background_pid" exists idle || fail "no idle client"
closed drained kill -TERM "$server_pid"
kill -TERM "$server_pid"
end_server 0
counted closed_server_stopped 1
all connections_closed server_stopped

start --client-auth require --client-pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
run 0 sc-keygen --out client
failed no_client_certificate sc-client --connect "$address" --pin server.crt echo x
failed client_certificate sc-client --connect "$address" --pin server.crt --cert client.crt --key client.key echo x
# Seen by tests/unit/check_explain: what it takes is not at hand here.
all handshakes_failed alert_received server_stopped other
stop_server
pass "$(wc -l <seen) reasons are counted as what they are"
