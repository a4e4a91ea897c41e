#!/bin/sh
# SPDX-License-Identifier: MIT
# A client's own certificate: --cert and --key of sc-client and sc-bench, keys that are encrypted, and servers that want one.
test_seconds=90
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
needs openssl

run 0 sc-keygen --out alice
run 0 sc-keygen --out bob
cat alice.key alice.crt >both.pem
openssl pkey -in alice.key -aes128 -passout pass:'open sesame' -out locked.key 2>openssl.log || fail "openssl pkey"
openssl ec -in alice.key -aes128 -passout pass:'open sesame' -out old-locked.key 2>>openssl.log || fail "openssl ec"

start_server --client-auth require --client-pin alice.crt
client="sc-client --connect $address --pin server.crt"
bench="sc-bench --connect $address --pin server.crt -n 10"
for program in "$client --cert alice.crt --key alice.key echo hello" "$client --cert both.pem echo hello" \
    "$bench --cert alice.crt --key alice.key" "$bench --cert both.pem"; do
    # shellcheck disable=SC2086
    run 0 $program
done
# Not for a server that is not trusted: --show-pin does not read it. With TLS 1.2 (Mbed TLS) that server ends the handshake.
[ "${SC_TEST_TLS_LIBRARY:-}" = mbedtls ] || run 0 sc-client --connect "$address" --show-pin --cert nonexistent.crt --key nonexistent.key
mkdir -p xdg-config/space-captain
cp both.pem xdg-config/space-captain/
printf '[here]\nconnect = %s\npin = %s/server.crt\ncert = both.pem\n' "$address" "$tmp" >xdg-config/space-captain/client.conf
run 0 sc-client --connect here echo hello
run 0 sc-bench --connect here -n 10
# None, in plain words; another one.
for version in 1.2 1.3; do
    stop_server
    printf '[tls]\nMaxProtocol = TLSv%s\n' "$version" >version.conf
    start_server -c version.conf --client-auth require --client-pin alice.crt
    for program in "sc-client --connect $address --pin server.crt" "sc-bench -n 1 --connect $address --pin server.crt"; do
        case $program in *sc-client*) command='time' ;; *) command= ;; esac
        # shellcheck disable=SC2086
        run 35 $program $command
        expect_err 'the server requires a client certificate; give it with --cert and --key \('
        # shellcheck disable=SC2086
        run 35 $program --cert bob.crt --key bob.key $command
        expect_err 'the server refused our certificate'
    done
    # Nothing is asked: with TLS 1.3 the alert comes after the client's handshake.
    run 35 sc-client --connect "$address" --pin server.crt </dev/null
    expect_err 'the server requires a client certificate; give it with --cert and --key \('
done
pass "a certificate that is wanted, none, another one"

# --- Encrypted keys: the terminal is asked, and nothing else ---
client="sc-client --connect $address --pin server.crt"
export TERM=dumb
for key in locked.key old-locked.key; do
    # shellcheck disable=SC2086
    run 0 terminal 20 "Passphrase of $key: " 'open sesame\n' -- $client --cert alice.crt --key $key echo hello
    grep -q hello out || fail "no reply with $key"
done
run 0 terminal 20 'Passphrase of locked.key: ' 'open sesame\n' -- \
    sc-bench -n 1 --connect "$address" --pin server.crt --cert alice.crt --key locked.key
# The body comes from a pipe, the passphrase from the terminal.
# shellcheck disable=SC2016
run 0 terminal 20 'Passphrase of locked.key: ' 'open sesame\n' -- \
    sh -c 'printf hello | exec sc-client --connect "$1" --pin server.crt --cert alice.crt --key locked.key reverse' sh "$address"
grep -q olleh out || fail "no reply to a body from a pipe"
# shellcheck disable=SC2086
run 65 terminal 20 'Passphrase of locked.key: ' 'wrong\n' -- $client --cert alice.crt --key locked.key time
grep -q "private key locked.key can't be decrypted: wrong passphrase" out || fail "a wrong passphrase is not called that"
# shellcheck disable=SC2086
run 66 terminal 20 'Passphrase of locked.key: ' '\n' -- $client --cert alice.crt --key locked.key time
grep -q 'locked.key: no passphrase was entered' out || fail "an empty passphrase is not called that"
# ^C ends each program as it would without the question; it is typed when OpenSSL has set its handler. One that comes before OpenSSL reads is
# noticed with the next one.
# shellcheck disable=SC2016
caught='until grep -q "^SigCgt:.*[2367abef]$" "/proc/$(cat pid)/status"; do :; done'
# shellcheck disable=SC2016
again='until wait-for 1 "$(cat pid)" ends; do kill -INT "$(cat pid)"; done'
for program in "$client --cert alice.crt --key locked.key time" "sc-keygen --show locked.key" \
    "sc-server -c /dev/null --listen 127.0.0.1:0 --certificate alice.crt --private-key locked.key"; do
    # shellcheck disable=SC2016,SC2086
    run 130 terminal 20 'Passphrase of ' "!$caught" '' '\x03' '' "!$again" -- sh -c 'echo $$ >pid; exec "$@"' sh $program
    if grep 'sc-[a-z]*:' out; then
        fail "an error after ^C: $program"
    fi
done
for program in "$client --cert alice.crt --key locked.key time" "sc-bench -n 1 --connect $address --pin server.crt --cert alice.crt --key locked.key"; do
    echo 'open sesame' >passphrase
    status=0
    # shellcheck disable=SC2086
    setsid -w timeout $((20 * slow)) $program <passphrase >out 2>err || status=$?
    [ "$status" = 66 ] || fail "exit status $status without a terminal: $program"
    expect_err 'private key locked.key is encrypted, and there is no terminal to ask for its passphrase'
done
pass "encrypted keys"

# --- What is wrong with the files ---
# shellcheck disable=SC2086
{
    run 64 $client --key alice.key time
    expect_err '^sc-client: --key: it goes with --cert; try'
    run 64 sc-bench -n 1 --connect "$address" --pin server.crt --key alice.key
    run 66 $client --cert nothing.crt --key alice.key time
    expect_err 'nothing.crt: No such file'
    run 65 $client --cert alice.crt --key bob.key time
    expect_err 'alice.crt|bob.key'
    run 66 sc-bench -n 1 --connect "$address" --pin server.crt --cert nothing.crt --key alice.key
    expect_err '^sc-bench: .*nothing.crt: No such file'
    run 65 sc-bench -n 1 --connect "$address" --pin server.crt --cert alice.crt --key bob.key
    expect_err '^sc-bench: .*(alice.crt|bob.key)'
    run 65 $client --cert alice.key --key alice.crt time
    run 65 $client --cert alice.crt time
    expect_err 'alice.crt holds a certificate and no private key; name the file that holds its key$'
    run 64 $client --cert '' time
    expect_err '^sc-client: --cert: the name of the file is empty'
    run 64 $client --cert alice.crt --key '' time
    expect_err '^sc-client: --key: the name of the file is empty'
    run 64 $client --cert sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= time
    expect_err '^sc-client: --cert: "sha256//A.*=" is a pin: a file is expected'
    run 64 $client --cert alice.crt --key "3 1 1 $(printf '%064d' 0)" time
    expect_err '^sc-client: --key: ".*" is a pin: a file is expected'
}
stop_server
