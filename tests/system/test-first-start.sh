#!/bin/sh
# SPDX-License-Identifier: MIT
# A first start: the log and the status line for systemd hold the pin and the command that a client needs, and it works as it stands there; what
# is missing of a key and its certificate is reported with the way out.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

command() { sed -n 's/.* client_command .*command="\(.*\)"$/\1/p' "$server_log"; }
hello() {
    run 0 sh -c "$(command)"
    expect_out hello
}

run 0 sc-keygen --out server --name captain.example.org --name localhost
start_server
pin=$(sc-keygen --show server.crt | grep -o 'sha256//[^ ]*' | head -n 1)
[ "$(command)" = "sc-client --connect $address --pin $pin echo hello" ] || fail "another command: $(command)"
grep -qF " client_command pin=\"$pin\" command=" "$server_log" || fail "no pin in the log"
said='workers=[1-9][0-9]* backend=[a-z]+ version=[^ ]+ openssl=[^ ]+ libevent=[^ ]+ crypto=[^ ].* descriptors=[1-9][0-9]+ max_connections=[1-9][0-9]*'
grep -Eq " info ready listen=$address $said memory_idle_mib=[0-9]+ memory_most_mib=[1-9][0-9]*\$" "$server_log" ||
    fail "not all of it is said: $(grep ' ready ' "$server_log")"
hello
stop_server
# Of several addresses the first that others can reach; for all addresses a name of the certificate stands.
start_server --listen "unix:$tmp/socket" --listen 127.0.0.1:0 --listen 0.0.0.0:0
all=$(sed -n 's/^0\.0\.0\.0:/captain.example.org:/p' "$port_file")
[ "$(command)" = "sc-client --connect $all --pin $pin echo hello" ] || fail "another command for all addresses: $(command)"
stop_server
start_server --listen "unix:$tmp/socket"
[ "$(command)" = "sc-client --connect unix:$tmp/socket --pin $pin echo hello" ] || fail "another command for a unix socket: $(command)"
hello
stop_server
mkdir 'a $(b)'
start_server --listen "unix:$tmp/a \$(b)/socket"
hello
stop_server
start_server --client-auth require --client-pin server.crt
command | grep -q " --pin $pin --cert FILE --key FILE echo hello$" || fail "the command has no certificate: $(command)"
stop_server
# Names without a dot and with "*", and the host's own, may say nothing to a client.
run 0 sc-keygen --force --out server --name "$(hostname)" --name box --name '*.example.org' --name 127.0.0.1
start_server --listen '[::]:0'
command | grep -Eq "^sc-client --connect ([0-9.]+|\[[0-9a-f:]+\]|localhost):$port --pin " || fail "another command: $(command)"
if grep -Eq '^[^[:space:]]+[[:space:]]00000000[[:space:]][0-9A-F]+[[:space:]]000[13][[:space:]]' /proc/net/route 2>/dev/null; then # a way to others
    command | grep -qv ' localhost:' || fail "the command does not name an address: $(command)"
fi
hello
stop_server

# --- What is missing --------------------------------------------------------------------------------------------------------------------
mkdir conf
serve() { run 66 sc-server -c /dev/null --certificate conf/captain.crt --private-key conf/captain.key --listen 127.0.0.1:0; }
serve
expect_err "certificate: can't read conf/captain.crt: No such file or directory; make it and its key: sc-keygen --out conf/captain$"
run 0 sc-keygen --out conf/captain
rm conf/captain.crt
serve
expect_err 'make one for the key that is there: sc-keygen --renew --out conf/captain$'
run 0 sc-keygen --renew --out conf/captain
run 0 sc-server --check-config -c /dev/null --certificate conf/captain.crt --private-key conf/captain.key
mv conf/captain.key conf/backup
serve
expect_err "private key: can't read conf/captain.key: No such file or directory; it belongs to the certificate that is there: get it from a backup"
expect_err 'sc-keygen --force --out conf/captain$'
run 0 sc-keygen --force --out conf/captain
run 0 sc-server --check-config -c /dev/null --certificate conf/captain.crt --private-key conf/captain.key
pass "a client's command, and the way out"
