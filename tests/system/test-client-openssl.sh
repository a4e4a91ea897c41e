#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-client against OpenSSL's own server: handshakes that work and that do not, what is pinned, and dates. Nothing of ours is on the other side.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

needs openssl
zero=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

# s_server OPTION...: $tls is its address, $tls_log what it got and said. It answers nothing, it only shows. At the end of its standard
# input it would leave.
mkfifo never
s_server() {
    # shellcheck disable=SC2016
    background_seconds=100 background sh -c 'exec openssl s_server -accept 127.0.0.1:0 "$@" <>never' s_server "$@"
    tls_log=$tmp/background-$background_count.log
    tls_pid=$background_pid
    wait-for 20 "$tls_pid" contains "$tls_log" ACCEPT || fail "s_server did not start: $*"
    tls=127.0.0.1:$(sed -n 's/^ACCEPT .*://p' "$tls_log" | head -n 1)
}

stop_s_server() {
    kill "$tls_pid"
    wait-for 10 "$tls_pid" ends || fail "s_server did not end"
    forget_pid "$tls_pid"
}

# certificate NAME DAYS-FROM DAYS-TO EXTENSIONS [ISSUER]: NAME.key and NAME.crt, valid between these dates (YYMMDDHHMMSSZ).
certificate() {
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$1" 2>>openssl.log ||
        fail "openssl req"
    : >"$1.index"
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s.index\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nnew_certs_dir=.\n[p]\ncommonName=supplied\n[x]\n%b\n' \
        "$1" "$4" >"$1.cnf"
    if [ $# -gt 4 ]; then
        set -- "$@" -cert "$5.crt" -keyfile "$5.key"
    else
        set -- "$@" "" -selfsign -keyfile "$1.key"
    fi
    name=$1 from=$2 to=$3
    shift 5
    openssl ca -batch -notext -config "$name.cnf" -extensions x -in "$name.csr" -out "$name.crt" -startdate "$from" -enddate "$to" "$@" \
        2>>openssl.log || fail "openssl ca"
}

past=20200101000000Z yesterday=20210101000000Z later=20480101000000Z future=20490101000000Z
certificate root $past $future 'basicConstraints=critical,CA:TRUE'
certificate middle $past $future 'basicConstraints=critical,CA:TRUE' root
certificate leaf $past $future 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1' middle
certificate elsewhere $past $future 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:elsewhere.example' middle
certificate old $past $yesterday 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1'
certificate newleaf $later $future 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1' middle
certificate oldmiddle $past $yesterday 'basicConstraints=critical,CA:TRUE' root
certificate oldissuer $past $future 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1' oldmiddle
certificate oldleaf $past $yesterday 'basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1' middle

# --- Both versions: pins match, the pin that is shown is OpenSSL's own, and with a wrong one no byte of the request arrives. ---
own_pin=$(openssl x509 -in leaf.crt -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl base64)
own_print=$(openssl x509 -in leaf.crt -noout -fingerprint -sha256 | sed 's/.*=//')
for version in $client_versions; do
    s_server -cert leaf.crt -key leaf.key -cert_chain middle.crt "-tls$version" -alpn space-captain/1
    run 0 sc-client --connect "$tls" --pin leaf.crt --verbose </dev/null
    grep -q "TLSv1.${version#1_}," err || fail "not the version that was wanted: $version"
    run 0 sc-client --connect "$tls" --show-pin
    grep -Fq "sha256//$own_pin" out || fail "--show-pin shows another pin than OpenSSL computes"
    grep -Fq "cert-sha256:$own_print" out || fail "--show-pin shows another fingerprint than OpenSSL computes"
    run 0 sc-client --connect "$tls" --pin "sha256//$own_pin" </dev/null
    run 0 sc-client --connect "$tls" --pin "cert-sha256:$own_print" </dev/null
    run 0 sc-client --connect "$tls" --pin "$zero;sha256//$own_pin" </dev/null
    for pin in "$zero" root.crt middle.crt elsewhere.crt; do
        run 90 sc-client --connect "$tls" --pin "$pin" echo the-secret-request
        expect_wrong_pin '(sha256//|cert-sha256:)'
    done
    # A chain up to a root or an intermediate, with the name checked.
    for pin in ca:root.crt ca:middle.crt ca:leaf.crt; do
        run 0 sc-client --connect "$tls" --pin "$pin" </dev/null
        run 0 sc-client --connect "localhost:${tls##*:}" --pin "$pin" </dev/null
    done
    run 90 sc-client --connect "$tls" --pin ca:old.crt </dev/null
    # What the proof rests on: the same request with the right pin does arrive.
    # (The newline is for wait-for, which reads lines: a frame's header has zeroes.)
    run 75 sc-client --connect "$tls" --pin leaf.crt --timeout $short echo "
the-proof"
    wait-for 10 "$tls_pid" contains "$tls_log" the-proof || fail "the request with the right pin did not arrive"
    ! grep -aq the-secret-request "$tls_log" || fail "a request was sent to a server whose pin did not match"
    stop_s_server
done

# A session is of no use to a server that gives none, and is not kept. (Mbed TLS makes one of every handshake.)
if [ "${SC_TEST_TLS_LIBRARY:-}" != mbedtls ]; then
    s_server -cert leaf.crt -key leaf.key -tls1_2 -alpn space-captain/1
    run 0 sc-client --connect "$tls" --pin leaf.crt --session session </dev/null
    [ -s session ] || fail "the session is not saved"
    stop_s_server
    s_server -cert leaf.crt -key leaf.key -no_ticket -num_tickets 0 -no_cache -alpn space-captain/1
    run 0 sc-client --connect "$tls" --pin leaf.crt --session session </dev/null
    [ ! -e session ] || fail "a session of before is kept, and this server gives none"
    stop_s_server
fi

s_server -cert elsewhere.crt -key elsewhere.key -cert_chain middle.crt
run 90 sc-client --connect "$tls" --pin ca:root.crt </dev/null
expect_err 'is refused, nothing was sent: ca:root.crt: the certificate is for elsewhere.example, not for 127.0.0.1; connect'
run 90 sc-client --connect "localhost:${tls##*:}" --pin ca:root.crt </dev/null
expect_err 'is refused, nothing was sent: ca:root.crt: the certificate is for elsewhere.example, not for localhost; connect'
run 0 sc-client --connect "$tls" --pin elsewhere.crt </dev/null
stop_s_server

# --- Past its date: a pinned key or certificate stands, with a warning; a chain does not. ---
s_server -cert old.crt -key old.key
run 0 sc-client --connect "$tls" --pin old.crt </dev/null
expect_err 'warning: .*: expired on 2021-01-01'
run 60 sc-client --connect "$tls" --pin old.crt --strict-expiry echo the-secret-request
expect_err 'strict-expiry, nothing was sent: expired on 2021-01-01'
! grep -aq the-secret-request "$tls_log" || fail "a request was sent although --strict-expiry refused the server"
stop_s_server
s_server -cert oldleaf.crt -key oldleaf.key -cert_chain middle.crt
run 90 sc-client --connect "$tls" --pin ca:root.crt </dev/null
expect_err 'is refused, nothing was sent: ca:root.crt: the certificate expired on 2021-01-01; the server needs a new one'
stop_s_server

s_server -cert newleaf.crt -key newleaf.key -cert_chain middle.crt
run 90 sc-client --connect "$tls" --pin ca:root.crt </dev/null
expect_err 'is refused, nothing was sent: ca:root.crt: the certificate is not valid before 2048-01-01; is the clock'
run 0 sc-client --connect "$tls" --pin newleaf.crt --verbose </dev/null
grep -q 'warning: .*: not valid before 2048-01-01; it is accepted because it is pinned' err || fail "no warning: not valid yet"
grep -q '^sc-client: the certificate: not valid before 2048-01-01$' err || fail "--verbose is wrong about a certificate that is not valid yet"
stop_s_server
s_server -cert oldissuer.crt -key oldissuer.key -cert_chain oldmiddle.crt
run 90 sc-client --connect "$tls" --pin ca:root.crt </dev/null
expect_err 'is refused, nothing was sent: ca:root.crt: the certificate of an issuer expired on 2021-01-01'
stop_s_server
# With a date or a name that is wrong too, the server of another issuer is still another server.
s_server -cert oldleaf.crt -key oldleaf.key -cert_chain middle.crt
run 90 sc-client --connect "$tls" --pin ca:leaf.crt </dev/null
expect_wrong_pin 'ca:leaf\.crt \(the certificate was not issued by it\)$'
stop_s_server
s_server -cert old.crt -key old.key
run 90 sc-client --connect "$tls" --pin ca:root.crt </dev/null
expect_wrong_pin 'ca:root\.crt \(the certificate is self-signed.*\)$'
stop_s_server

# --- Handshakes that cannot work ---
s_server -cert leaf.crt -key leaf.key -alpn h2
run 35 sc-client --connect "$tls" --pin leaf.crt echo hello
expect_err 'handshake with .* failed: .*space-captain/1'
stop_s_server
s_server -cert leaf.crt -key leaf.key -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA
run 35 sc-client --connect "$tls" --pin leaf.crt echo hello
expect_err 'handshake with .* failed'
stop_s_server
s_server -cert leaf.crt -key leaf.key -tls1_1 -cipher DEFAULT@SECLEVEL=0
run 35 sc-client --connect "$tls" --pin leaf.crt echo hello
expect_err 'handshake with .* failed'
stop_s_server
# A certificate of ours is wanted: TLS 1.3 says so only after the handshake.
for version in $client_versions; do
    s_server -cert leaf.crt -key leaf.key -Verify 1 "-tls$version"
    run 35 sc-client --connect "$tls" --pin leaf.crt echo hello
    expect_err ' failed: the server requires a client certificate; give it with --cert and --key \(alert: (certificate required|handshake failure)\)$'
    stop_s_server
done
