#!/bin/sh
# SPDX-License-Identifier: MIT
# What [tls] promises, with openssl s_client as the client: client certificates, shared and surviving tickets, OCSP.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

needs openssl

# An ECHO of "hello", then a header that the server ends the connection for, so that the client ends too.
printf '\0\0\0\1\0\0\0\5hello\0\0\0\1\377\377\377\377' >request
printf '\0\0\0\1\0\0\0\5hello\0\0\0\0' >reply

visit() {
    run 0 openssl s_client -connect "$address" -ign_eof "$@" <request
}

served() {
    visit -quiet "$@"
    head -c 17 out | cmp -s - reply || fail "no right reply: $*"
}

# In TLS 1.3 the client is done before the server has looked at its certificate: it learns of the refusal when it reads.
refused() {
    timeout --foreground -k 5 "$run_seconds" openssl s_client -connect "$address" -ign_eof -quiet "$@" <request >out 2>err || :
    [ ! -s out ] || fail "was served: $*"
}

new_session() {
    visit "$@" -sess_out session
    grep -aq '^New, TLSv' out || fail "not a new session: $*"
}

resumes() {
    visit "$@" -sess_in session -sess_out session
    grep -aq '^Reused, TLSv' out || fail "not resumed: $*"
}

client_certificate() {
    run 0 sc-keygen --out "$1" --name "$1"
}

# --- Client certificates, pinned --------------------------------------------------------------------------------------------------------
client_certificate alice
client_certificate mallory
mallory_pin=sha256//$(openssl pkey -in mallory.key -pubout -outform der | openssl dgst -sha256 -binary | openssl base64)
start_server --client-auth require --client-pin alice.crt
for version in 1_2 1_3; do
    served -tls$version -cert alice.crt -key alice.key
    new_session -tls$version -cert alice.crt -key alice.key
    resumes -tls$version
    refused -tls$version -cert mallory.crt -key mallory.key
    refused -tls$version
done
wait_log "client_pin=\"$mallory_pin\""
! grep ' client_pin=' "$server_log" | grep -v ' trace=' >&2 || fail "a refused client's line has no trace"
wait_log reason=client_certificate
wait_log reason=no_client_certificate
wait_log 'alert_sent="certificate required"'
stop_server
start_server --client-auth optional --client-pin alice.crt
served
served -cert alice.crt -key alice.key
refused -cert mallory.crt -key mallory.key
stop_server
sees client-auth client-pin
pass "client-auth with client-pin: the pinned client is served and resumes, others are not and their pin is logged"

# --- Client certificates of a CA, and OCSP ------------------------------------------------------------------------------------------------
issue() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -subj "/CN=$1" -out "$1.csr" 2>/dev/null
    openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -set_serial "$2" -days 2 -out "$1.crt" 2>/dev/null
}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -subj /CN=ca -days 2 -out ca.crt 2>/dev/null
issue bob 16
rm -f server.key server.crt
issue server 17
cat ca.crt >>server.crt
printf '[tls]\nclient-auth = require\nVerifyCAFile = %s\n' "$tmp/ca.crt" >ca.conf
start_server -c ca.conf
served -cert bob.crt -key bob.key
new_session -cert bob.crt -key bob.key
resumes
refused -cert alice.crt -key alice.key
refused
stop_server
pass "client-auth with VerifyCAFile: the CA's client is served and resumes, others are not"

printf 'V\t%s\t\t11\tunknown\t/CN=server\n' "$(date -u -d @$(($(date +%s) + 100000)) +%y%m%d%H%M%SZ)" >index.txt
ocsp() {
    openssl ocsp -index index.txt -rsigner ca.crt -rkey ca.key -CA ca.crt -issuer ca.crt -cert "$1" -respout "$2" -ndays 1 >ocsp.log 2>&1 ||
        fail "openssl ocsp made no response"
}
ocsp server.crt good.der
ocsp bob.crt other.der
start_server --ocsp-response good.der
visit -status
grep -aq 'OCSP Response Status: successful' out || fail "no OCSP response was stapled"
sees ocsp-response
grep -aq 'Cert Status: good' out || fail "the stapled response does not say good"
stop_server
run 78 sc-server --check-config --certificate server.crt --private-key server.key --ocsp-response other.der
expect_err 'other\.der.*another certificate'
pass "ocsp-response: stapled, and refused for another certificate"

# --- Tickets outlive a reload, and are shared by hosts ---------------------------------------------------------------------------------------
rm -f server.key server.crt
start_server
for version in 1_2 1_3; do
    new_session -tls$version
    mv session session-$version
done
run 0 sc-keygen --out "$tmp/server" --force
kill -HUP "$server_pid"
wait_log reloaded
for version in 1_2 1_3; do
    mv session-$version session
    resumes -tls$version
    resumes -tls$version
done
stop_server
pass "a reload with a new certificate and key: sessions of before are resumed"

openssl rand 80 >keys
openssl rand 80 >old
start_server --ticket-keys keys
new_session
stop_server
start_server --ticket-keys keys
resumes
sees ticket-keys
stop_server
cat old keys >both
mv both keys
start_server --ticket-keys keys
resumes
cp old keys
kill -HUP "$server_pid"
wait_log reloaded
if grep -q 'nothing has changed' "$server_log"; then
    fail "new ticket keys are called no change"
fi
resumes
stop_server
printf 'short' >keys
run 78 sc-server --check-config --certificate server.crt --private-key server.key --ticket-keys keys
expect_err 'ticket keys.*80 bytes'
pass "ticket-keys: a session of one host is resumed by another, also while the keys rotate"
