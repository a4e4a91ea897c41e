#!/bin/sh
# SPDX-License-Identifier: MIT
# Other people's clients against our server, and our client against another server.
test_seconds=90
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

needs openssl
start_server

# An ECHO of "hello", then a header that the server ends the connection for: so a client that waits for the end gets one.
printf '\0\0\0\1\0\0\0\5hello\0\0\0\1\377\377\377\377' >request
printf '\0\0\0\1\0\0\0\5hello\0\0\0\0' >reply

expect_reply() {
    head -c 17 "$1" | cmp -s - reply || fail "$2 did not get the reply"
    pass "$2: right reply"
}

s_client() {
    run 0 openssl s_client -connect "$address" -CAfile server.crt -verify_return_error -ign_eof "$@" <request
}

for version in 1_2 1_3; do
    s_client -quiet -tls$version -alpn space-captain/1
    expect_reply out "openssl s_client -tls$version"
    s_client -tls$version -sess_out session-$version
    grep -aq '^New, TLSv' out || fail "no new session: $version"
    s_client -tls$version -sess_in session-$version
    grep -aq '^Reused, TLSv' out || fail "not resumed: $version"
    s_client -tls$version -no_ticket -sess_out session-$version
    s_client -tls$version -no_ticket -sess_in session-$version
    grep -aq '^Reused, TLSv' out || fail "not resumed without a ticket: $version"
    pass "openssl s_client -tls$version: resumes, with and without a ticket"
done
for refused in -tls1_1 '-tls1_2 -cipher ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0' '-tls1_3 -groups P-521' '-alpn http/1.1'; do
    # shellcheck disable=SC2086
    run 1 openssl s_client -connect "$address" $refused </dev/null
done
pass "openssl s_client: TLS 1.1, CBC, P-521 and another ALPN are refused"

# The examples of docs/protocol.md: in each block a request and its reply, which are the same in the first; then a command.
sed -n '/^### Examples/,/^## PINS/p' "$SC_SRCDIR/docs/protocol.md" >examples
awk '/^```/ { if (n) print line[1] "|" line[n]; n = 0 } /^[0-9a-f][0-9a-f] / { line[++n] = $0 }' examples >blocks
[ "$(wc -l <blocks)" -eq 4 ] || fail "docs/protocol.md has not four examples that can be read, but $(wc -l <blocks)"
binary() { for byte in $1; do printf "\\$(printf %o "0x$byte")"; done; }
cp request last-request
while IFS='|' read -r request reply; do
    { binary "$request" && printf '\0\0\0\1\377\377\377\377'; } >request
    binary "$reply" >example
    compared=$(wc -c <example)
    case $reply in '00 00 00 03 '*) compared=8 ;; esac # a time
    s_client -quiet
    cmp -s -n "$compared" out example || fail "docs/protocol.md: $request is answered with $(od -An -tx1 out)"
done <blocks
mv last-request request
sed -n '/^printf/p' examples | sed "s|certs/server.crt|server.crt|; s|localhost:4242|$address|" >command
run 0 timeout $((10 * slow)) sh command
grep -q ' h   e   l   l   o' out && grep -q ' 002 ' out || fail "the command in docs/protocol.md is not answered: $(cat out)"
pass "the examples of docs/protocol.md"

# What openssl prints of a certificate, as pins.
printed() {
    openssl x509 -in "$1" -noout -fingerprint -sha256
    openssl x509 -in "$1" -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -hex -r | cut -d ' ' -f 1
    openssl x509 -in "$1" -outform der | openssl dgst -sha256 -hex -r | cut -d ' ' -f 1
}
run 0 sc-keygen --out other
printed server.crt >pins
while read -r pin; do
    run 0 sc-client --connect "$address" --pin "$pin" echo pinned
done <pins
printed other.crt >pins
while read -r pin; do
    run 90 sc-client --connect "$address" --pin "$pin" echo secret
done <pins
openssl x509 -in server.crt -pubkey -noout >server.pub
run 0 sc-client --connect "$address" --pin server.pub echo pinned
pass "what openssl prints of a certificate and its key is taken as a pin"
# The other way round: what is printed here is taken there.
run 0 sc-client --connect "$address" --show-pin
dane=$(sed -n 's/^ *DANE (TLSA) *//p' out)
for rrdata in "$dane" "$(printf '%s' "$dane" | tr 0123456789 1234567890)"; do
    [ "$rrdata" = "$dane" ] && expected=0 || expected=1
    run "$expected" openssl s_client -connect "$address" -brief -dane_tlsa_domain localhost -dane_tlsa_rrdata "$rrdata" -dane_ee_no_namechecks \
        -verify_return_error </dev/null
done
pass "openssl s_client -dane_tlsa_rrdata takes the pin that --show-pin prints"

if command -v gnutls-cli >/dev/null; then
    run 0 gnutls-cli --x509cafile server.crt --alpn space-captain/1 -p "$port" 127.0.0.1 --logfile gnutls.log <request
    expect_reply out gnutls-cli
    sed -n 's/^[[:space:]]*\(pin-sha256:.*\)/\1/p; s/^[[:space:]]*\(sha256:.*\)/\1/p' gnutls.log >pins
    [ "$(wc -l <pins)" -eq 2 ] || fail "gnutls-cli prints no pins"
    while read -r pin; do
        run 0 sc-client --connect "$address" --pin "$pin" echo pinned
    done <pins
    pass "what gnutls-cli prints of the key is taken as a pin"
else
    skip_part "no gnutls-cli"
fi

if command -v curl >/dev/null; then
    pin=$(openssl x509 -in server.crt -pubkey -noout | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64)
    # The GET is read as a header with a huge length: the answer is an ERROR frame, which curl takes for HTTP/0.9.
    run 0 curl -sk --no-alpn --http0.9 --pinnedpubkey "sha256//$pin" -o curl.out "https://$address/"
    [ "$(head -c 4 curl.out | od -An -tx1 | tr -d ' ')" = 00000000 ] || fail "curl got no ERROR frame"
    run 90 curl -sk --no-alpn --http0.9 --pinnedpubkey "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=" "https://$address/"
    pass "curl --pinnedpubkey: the pin matches, another one does not (90)"
else
    skip_part "no curl"
fi
stop_server

# Keys of the other kinds.
for kind in --ed25519 '--rsa 2048'; do
    rm -f server.key server.crt
    # shellcheck disable=SC2086
    make_certs $kind
    start_server
    s_client -quiet
    expect_reply out "openssl s_client, key $kind"
    stop_server
done

# Our client, another server: with nothing to do it connects, checks the pin and ends.
# s_server ends with its standard input: it gets one that does not end.
mkfifo endless
exec 3<>endless
openssl_server() {
    rm -f s_server.log
    openssl s_server -accept 127.0.0.1:0 -cert server.crt -key server.key "$@" >s_server.log 2>&1 <&3 &
    other_pid=$!
    own_pids="$own_pids $other_pid"
    wait-for 10 "$other_pid" contains s_server.log ACCEPT || fail "openssl s_server did not start"
    other=$(sed -n 's/^ACCEPT //p' s_server.log | head -n 1)
}
for version in $client_versions; do
    openssl_server -tls$version
    run 0 sc-client --connect "$other" --pin server.crt </dev/null
    run 90 sc-client --connect "$other" --pin "cert-sha256:$(printf '%064d' 0)" </dev/null
    kill "$other_pid"
    wait-for 10 "$other_pid" ends
    pass "sc-client against openssl s_server -tls$version: the pin matches, another one does not (90)"
done
