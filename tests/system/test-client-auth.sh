#!/bin/sh
# SPDX-License-Identifier: MIT
# Clients with certificates: a CA that is taken away, by a signal or found by the interval, ends its clients' connecting and resuming, and a
# reload that is about something else ends nothing; a resumed client is checked again; and no reload waits for a file or a passphrase.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
needs openssl
make_certs

# ca NAME, issue CA NAME SECONDS: authorities and client certificates that are good for so long.
ca() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.crt" -days 9 -subj "/CN=$1" \
        2>>openssl.log || fail "openssl req"
}
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nnew_certs_dir=.\n[p]\ncommonName=supplied\n' >ca.cnf
issue() {
    : >index
    openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$2.key" -subj "/CN=$2" -out "$2.csr" 2>>openssl.log &&
        openssl ca -batch -notext -config ca.cnf -in "$2.csr" -cert "$1.crt" -keyfile "$1.key" -startdate 20200101000000Z \
            -enddate "$(date -u -d "+$3 seconds" +%Y%m%d%H%M%SZ)" -out "$2.crt" 2>>openssl.log || fail "openssl ca"
}
ca red
ca blue
issue red rose 86400
issue blue sky 86400

# An ECHO of "hello", then a header that the server ends the connection for, so that the client ends too.
printf '\0\0\0\1\0\0\0\5hello\0\0\0\1\377\377\377\377' >request
# visit CLIENT [OPTION]...: out has what openssl said; false: it was not served.
visit() {
    who=$1
    shift
    timeout $((20 * slow)) openssl s_client -connect "$address" -cert "$who.crt" -key "$who.key" -ign_eof "$@" <request >out 2>err || :
    grep -aq hello out
}
resumes() { visit "$@" && grep -aq '^Reused, TLSv' out; }

# Three sessions: a ticket of each version, and one by its id.
save() {
    visit "$1" -tls1_2 -sess_out ticket12 && visit "$1" -tls1_3 -sess_out ticket13 && visit "$1" -tls1_2 -no_ticket -sess_out id12
}
all_resume() {
    resumes "$1" -tls1_2 -sess_in ticket12 && resumes "$1" -tls1_3 -sess_in ticket13 && resumes "$1" -tls1_2 -no_ticket -sess_in id12
}
none_served() {
    ! visit "$1" -tls1_2 -sess_in ticket12 && ! visit "$1" -tls1_3 -sess_in ticket13 && ! visit "$1" -tls1_2 -no_ticket -sess_in id12 &&
        ! visit "$1"
}
reload() { # and how many lines say so
    reloads=$(grep -c " reloaded " "$server_log" || :)
    kill -HUP "$server_pid"
    wait_log ' reloaded ' 10 $((reloads + 1))
}

# --- A directory of CAs ---
mkdir cas
for name in red blue; do
    cp $name.crt "cas/$(openssl x509 -in $name.crt -noout -hash).0"
done
settings() { printf '[server]\nreload-interval = %s\nidle-timeout = %s\n[tls]\nclient-auth = require\n%s\n' "$@" >sc.conf; }
settings 0 5m 'VerifyCAPath = cas'
start_server -c sc.conf
visit sky || fail "a client of blue is not served"
save rose || fail "a client of red is not served"
all_resume rose || fail "a session is not resumed"
reload
all_resume rose || fail "a reload of the same ends sessions"
settings 0 6m 'VerifyCAPath = cas'
reload
grep -q 'reload_changed key=idle-timeout before=5m after=6m' "$server_log" || fail "idle-timeout has not changed"
all_resume rose || fail "a reload for idle-timeout ends sessions"
rm "cas/$(openssl x509 -in red.crt -noout -hash).0"
reload
none_served rose || fail "the CA is gone, and its client is served"
visit sky || fail "a client of the CA that is left is not served"
stop_server
pass "VerifyCAPath: a CA that is removed ends its clients, sessions included; other reloads end nothing"

# --- A file, found by the interval ---
cp red.crt ca.crt
settings 50ms 5m 'VerifyCAFile = ca.crt'
start_server -c sc.conf
save rose || fail "a client of red is not served"
all_resume rose || fail "a session is not resumed"
cp blue.crt ca.new && mv ca.new ca.crt
wait_log ' reloaded '
none_served rose || fail "VerifyCAFile is another, and a client of the old one is served"
visit sky || fail "a client of the new one is not served"
stop_server
pass "VerifyCAFile: the interval finds that the content has changed"

# --- A certificate that ends, and a session that does not ---
# It has to be served before: on a busy machine with one that lives longer.
lifetime=$((3 * slow))
settings 0 5m 'VerifyCAFile = red.crt'
start_server -c sc.conf --session-timeout 1h
until issue red mayfly $lifetime && save mayfly; do
    lifetime=$((2 * lifetime))
    [ $lifetime -lt $((30 * slow)) ] || fail "a client of red is not served"
done
until=$(($(milliseconds) + (lifetime + 20 * slow) * 1000))
while resumes mayfly -tls1_2 -sess_in ticket12 || resumes mayfly -tls1_3 -sess_in ticket13 || resumes mayfly -tls1_2 -no_ticket -sess_in id12; do
    [ "$(milliseconds)" -lt $until ] || fail "a client resumes for ever with a certificate that has ended"
done
grep -q ' client_refused .*outside its dates' "$server_log" || fail "the log does not say why"
stop_server
pass "a resumed client's certificate is checked again"

# --- No reload waits ---
mkfifo fifo
cp rose.crt pin.crt
printf '[server]\nreload-interval = 0\n[tls]\nclient-auth = require\nclient-pin = pin.crt\n' >sc.conf
start_server -c sc.conf
refused_reload() {
    failures=$(grep -c ' reload_failed ' "$server_log" || :)
    kill -HUP "$server_pid"
    wait-for 10 "$server_pid" contains "$server_log" ' reload_failed ' $((failures + 1)) || fail "no line about the reload: $1"
    grep ' reload_failed ' "$server_log" | tail -n 1 | grep -q "$1" || fail "the line is another one than: $1"
    visit rose || fail "the server does not go on: $1"
}
echo secret >secret
rm pin.crt
mkfifo pin.crt
refused_reload 'pin\.crt: it is not a regular file'
rm pin.crt
cp rose.crt pin.crt
for command in ChainCAFile RequestCAFile ChainCAStore DHParameters; do
    printf '[server]\nreload-interval = 0\n[tls]\nclient-auth = require\nclient-pin = pin.crt\n%s = fifo\n' $command >sc.conf
    refused_reload "$command: can't read fifo: it is not a regular file"
done
openssl pkcs8 -topk8 -in server.key -passout pass:secret -out locked.key 2>>openssl.log || fail "openssl pkcs8"
chmod 600 locked.key
for key in certificate private-key passphrase-file ticket-keys ocsp-response; do
    run 78 sc-server --check-config -c /dev/null --certificate server.crt --private-key locked.key --client-auth require --client-pin pin.crt \
        --passphrase-file secret "--$key" fifo
    expect_err '^sc-server: .*: can.t read fifo: it is not a regular file$'
done
kill -TERM "$server_pid"
end_server 0
pass "a FIFO as any file is refused, and waited for never"

# --- Nobody is asked after the start ---
openssl pkcs8 -topk8 -in server.key -passout pass:first -out first.key 2>>openssl.log || fail "openssl pkcs8"
openssl pkcs8 -topk8 -in server.key -passout pass:second -out second.key 2>>openssl.log || fail "openssl pkcs8"
chmod 600 first.key second.key
# on_terminal KEY [EXPECT SEND]...: a server that runs on a terminal with a copy of this key.
on_terminal() {
    cp "$1" terminal.key
    shift
    rm -f terminal.port reloaded
    terminal 30 "$@" ' ready ' '' ' reload_failed ' '!touch reloaded' -- sh -c 'echo $$ >terminal.pid; exec "$@"' sh sc-server -c /dev/null --listen 127.0.0.1:0 \
        --port-file terminal.port --certificate server.crt --private-key terminal.key --reload-interval 0 >terminal.log 2>&1 </dev/null &
    terminal_pid=$!
    own_pids="$own_pids $terminal_pid"
    wait-for 20 "$terminal_pid" exists terminal.port || fail "the server on a terminal did not become ready"
    server_pid=$(cat terminal.pid)
}
# end_on_terminal QUESTIONS PATTERN: a reload with a key that needs another passphrase, and the end.
end_on_terminal() {
    mv second.key terminal.key
    kill -HUP "$server_pid"
    run 0 sc-client --connect "$(cat terminal.port)" --pin server.crt --timeout $((10 * slow)) echo hello
    wait-for 20 "$terminal_pid" exists reloaded || fail "the reload has not failed"
    kill -TERM "$server_pid"
    finish "$terminal_pid" 0
    [ "$(grep -c 'Passphrase of the private key: ' terminal.log)" -eq "$1" ] || fail "not asked $1 times for a passphrase"
    grep -q " reload_failed .*terminal\.key $2" terminal.log || fail "the log does not say why the reload failed"
}
cp second.key again.key
on_terminal first.key 'Passphrase of the private key: ' 'first\n'
end_on_terminal 1 'can.t be decrypted: wrong passphrase'
cp again.key second.key
on_terminal server.key
end_on_terminal 0 'is encrypted, .* passphrase-file'
pass "a passphrase is asked for at the start and never again"
