#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-bench and sc-client say the same about the same: servers that do not speak TLS, that want a client certificate, and certificates that
# are not what was pinned.
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
needs openssl
make_certs

# same STATUS PATTERN ADDRESS PIN: both programs end with STATUS and one line, the same but for their names, that matches.
same() {
    run "$1" sc-client --connect "$3" --pin "$4" --timeout $((10 * slow)) echo hello
    sed 's/^sc-client: //' err >output
    run "$1" sc-bench --connect "$3" --pin "$4" --timeout $((10 * slow))s -n 1
    expect_err "^sc-bench: .*$2"
    sed 's/^sc-bench: //' err | cmp -s output - || fail "sc-client says: $(cat output)"
    [ ! -s out ] || fail "a report of a run that did not begin"
}

pass "no TLS"
odd() {
    rm -f odd-port
    background odd-server "$1" server.crt server.key odd-port "$2"
    wait-for 20 "$background_pid" exists odd-port || fail "odd-server $1 did not start"
    odd=127.0.0.1:$(cat odd-port)
}
odd plain 'HTTP/1.1 400 Bad Request'
same 35 'failed: an HTTP server answered' "$odd" server.crt
odd plain 'SSH-2.0-OpenSSH_9.2'
same 35 'failed: an SSH server answered' "$odd" server.crt
odd plain-end ''
same 35 'failed: the server closed the connection in the middle of the handshake; it may be full, or not a TLS server$' "$odd" server.crt
odd plain-end hi
same 35 'failed: the server does not speak TLS on this port' "$odd" server.crt

pass "a server that wants a client certificate"
printf '[server]\n[tls]\nclient-auth = require\nclient-pin = %s\n' "$tmp/server.crt" >auth.conf
start_server -c auth.conf --workers 1
same 35 'the TLS connection with .* failed: the server requires a client certificate; give it with --cert and --key \(alert: certificate required\)' "$address" server.crt
stop_server
printf 'MaxProtocol = TLSv1.2\n' >>auth.conf
start_server -c auth.conf --workers 1
same 35 'the TLS handshake with .* failed: the server requires a client certificate' "$address" server.crt
stop_server

pass "another key"
start_server -c /dev/null --workers 1
zero=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
wrong_pin() { # ADDRESS PIN PATTERN: as same(), with both pins shown
    run 90 sc-client --connect "$1" --pin "$2" echo hello
    sed 's/^sc-client: //' err >output
    run 90 sc-bench --connect "$1" --pin "$2" -n 1
    expect_wrong_pin "$3"
    sed 's/^sc-bench: //' err | cmp -s output - || fail "sc-client says: $(cat output)"
}
wrong_pin "$address" $zero "$zero$"
stop_server

# issued NAME FROM TO: NAME.crt for server.key, issued by root, valid between these dates (YYYYMMDDHHMMSSZ), for localhost only.
past=20200101000000Z yesterday=20210101000000Z future=20490101000000Z later=20480101000000Z
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nnew_certs_dir=.\n[p]\ncommonName=supplied\n' >ca.cnf
printf '[x]\nsubjectAltName=DNS:localhost\n[r]\nbasicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign\n' >>ca.cnf
printf '[req]\ndistinguished_name=n\n[n]\n' >>ca.cnf
openssl req -x509 -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout root.key -out root.crt -subj /CN=root -days 30 \
    -config ca.cnf -extensions r 2>openssl.log || fail "openssl req"
openssl req -new -key server.key -subj /CN=localhost -config ca.cnf -out server.csr 2>>openssl.log || fail "openssl req"
issued() {
    : >index
    openssl ca -batch -notext -config ca.cnf -extensions x -in server.csr -cert root.crt -keyfile root.key -startdate "$2" -enddate "$3" \
        -out "$1.crt" 2>>openssl.log || fail "openssl ca"
}
issued good $past $future
issued old $past $yesterday
issued new $later $future

serve() {
    start_server -c /dev/null --workers 1 --certificate "$1.crt" --listen 127.0.0.1:0 --listen unix:"$tmp/socket"
    named=localhost:$port
}
pass "certificates of a pinned issuer"
serve good
run 0 sc-bench --connect "$named" --pin ca:root.crt -n 1 --json
[ "$(json-get tls.pin <out)" = ca:root.crt ] || fail "not the pin that matched"
json-get tls.certificate <out | grep -q '^valid until 2049-01-01, ' || fail "the dates are not in the JSON"
run 0 sc-bench --connect unix:"$tmp/socket" --pin ca:root.crt -n 1
same 90 'is refused, nothing was sent: ca:root.crt: the certificate is for localhost, not for 127.0.0.1' "$address" ca:root.crt
wrong_pin "$named" ca:server.crt 'ca:server\.crt \(the certificate was not issued by it\)$'
stop_server
serve old
same 90 'is refused, nothing was sent: ca:root.crt: the certificate expired on 2021-01-01' "$named" ca:root.crt
run 0 sc-bench --connect "$named" --pin old.crt -n 1
expect_err '^sc-bench: warning: the certificate of .*: expired on 2021-01-01; it is accepted because it is pinned$'
stop_server
serve new
same 90 'is refused, nothing was sent: ca:root.crt: the certificate is not valid before 2048-01-01' "$named" ca:root.crt
run 0 sc-bench --connect "$named" --pin new.crt -n 1 --json
expect_err '^sc-bench: warning: the certificate of .*: not valid before 2048-01-01; it is accepted because it is pinned$'
stop_server

pass "a server that is silent, and one that is not there"
odd plain ''
run 75 sc-client --connect "$odd" --pin server.crt --timeout $short echo hello
sed 's/^sc-client: //' err >output
run 75 sc-bench --connect "$odd" --pin server.crt --timeout ${short}s -n 1
sed 's/^sc-bench: //' err | cmp -s output - || fail "sc-client says: $(cat output); sc-bench: $(cat err)"
