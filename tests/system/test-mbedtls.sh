#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-client over Mbed TLS: tests of the client once more with it (all with SC_TEST_ALL=yes), and what is its own.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

# A build without it says which there are.
run 64 sc-client --tls-library nonesuch --pin x time
expect_err '^sc-client: --tls-library: no TLS library "nonesuch": this build has openssl(, mbedtls)?; try '"'sc-client --help'\$"
if ! grep -q 'define HAVE_MBEDTLS' "$SC_BUILDDIR/config.h"; then
    run 64 sc-client --tls-library mbedtls --pin x time
    expect_err 'no TLS library "mbedtls": this build has openssl; try '
    skip "this build does not have Mbed TLS"
fi

tests='client-server client-openssl client-cert'
[ -z "${SC_TEST_ALL-}" ] || tests="$tests client interop client-retry expiry handlers proxy-command"
pids=
for test in $tests; do
    background_seconds=110 background env SC_TEST_TLS_LIBRARY=mbedtls /bin/sh "$SC_SRCDIR/tests/system/test-$test.sh"
    pids="$pids $background_pid"
done

run 0 sc-client --version
grep -Eq '^Mbed TLS 2\.28\.[0-9]+$' out || fail "--version does not name it"

# The option holds for what comes before it, too; what the handshake agreed on has OpenSSL's names.
start_server
run 0 sc-client --connect "$address" --pin server.crt --tls-library mbedtls --verbose echo hello
expect_out hello
grep -Eq 'TLSv1\.2, cipher ECDHE-ECDSA-AES128-GCM-SHA256, group x25519, full handshake in [0-9.]+ ms, TLS library mbedtls$' err ||
    fail "--verbose does not say what was agreed on"
run 0 sc-client --connect "$address" --pin server.crt --verbose echo hello
grep -q 'TLS library openssl$' err || fail "the default is another library"

stop_server

# The key log is right: that of OpenSSL's server has the same line.
if command -v openssl >/dev/null; then
    mkfifo endless
    # shellcheck disable=SC2016
    background sh -c 'exec openssl s_server -accept 127.0.0.1:0 -cert server.crt -key server.key -keylogfile server.keys <>endless'
    other_log=$tmp/background-$background_count.log
    wait-for 20 "$background_pid" contains "$other_log" ACCEPT || fail "s_server did not start"
    other=$(sed -n 's/^ACCEPT //p' "$other_log" | head -n 1)
    run 0 env SSLKEYLOGFILE="$tmp/keys" sc-client --tls-library mbedtls --connect "$other" --pin server.crt </dev/null
    expect_err 'warning: SSLKEYLOGFILE'
    grep -Eqx 'CLIENT_RANDOM [0-9a-f]{64} [0-9a-f]{96}' keys || fail "the key log is of another form"
    grep -Fqx "$(cat keys)" server.keys || fail "the key log holds another secret than that of the server"
    kill "$background_pid"
    wait-for 10 "$background_pid" ends || fail "s_server did not end"
    forget_pid "$background_pid"
else
    skip_part "no openssl(1) on this machine"
fi

# Who is locked out is told why: TLS 1.3 alone, and a key that it does not take.
printf '[tls]\nMinProtocol = TLSv1.3\n' >new.conf
start_server -c new.conf
run 35 sc-client --tls-library mbedtls --connect "$address" --pin server.crt echo hello
expect_err 'the server takes no TLS version that this client has \(1\.2 and 1\.3; with Mbed TLS 1\.2 alone\) \(alert: protocol version\)$'
stop_server
rm -f server.crt server.key
make_certs --ed25519
start_server
run 35 sc-client --tls-library mbedtls --connect "$address" --pin server.crt echo hello
expect_err 'the server found nothing in common with us'
stop_server

finish_seconds=110
for pid in $pids; do
    finish "$pid" 0
done
