#!/bin/sh
# SPDX-License-Identifier: MIT
# Files and configurations that are wrong: one clear line and the right exit status at the start; at a reload the old state stays.
test_seconds=90
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
needs openssl
make_certs
cp server.crt good.crt
cp server.key good.key
run 0 sc-keygen --out other --name localhost
mkdir directory
: >empty
head -c 200 good.crt >half
openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.crt -days 9 -subj /CN=localhost 2>>openssl.log || fail "openssl req"

# Certificate and key: STATUS CERTIFICATE KEY PATTERN.
cat >pairs <<'END'
66 missing good.key certificate: can't read missing: No such file
66 good.crt missing private key: can't read missing: No such file
66 directory good.key can't read directory: it is a directory
66 good.crt directory can't read directory: it is a directory
78 empty good.key certificate empty is empty
78 good.crt empty private key empty is empty
78 half good.key certificate half is damaged
78 good.key good.crt swapped
78 good.crt other.key do not belong together
78 weak.crt weak.key weak.key is too weak: RSA of 1024 bits
END
while read -r status certificate key pattern; do
    run "$status" sc-server -c /dev/null --listen 127.0.0.1:0 --certificate "$certificate" --private-key "$key"
    expect_err "^sc-server: .*$pattern"
    run 78 sc-server --check-config -c /dev/null --certificate "$certificate" --private-key "$key"
    expect_err "^sc-server: .*$pattern"
done <pairs

if [ "$(id -u)" -ne 0 ]; then
    cp good.key closed.key
    chmod 000 closed.key
    run 66 sc-server -c /dev/null --listen 127.0.0.1:0 --certificate good.crt --private-key closed.key
    expect_err '^sc-server: .*closed\.key: Permission denied'
else
    skip_part "root can read every file"
fi

# Every wrong line of a file at once, those for OpenSSL too.
printf '[server]\nbogus-key = 1\n[tls]\nMinProtocol = TLSv9\nColour = blue\n' >tls.conf
run 78 sc-server --check-config -c tls.conf --certificate good.crt --private-key good.key
for line in 2 4 5; do grep "^sc-server: tls.conf:$line: " err >/dev/null || fail "nothing about line $line of tls.conf"; done

# What is not a regular file stays what it is.
run 73 sc-server -c /dev/null --listen 127.0.0.1:0 --certificate good.crt --private-key good.key --port-file directory
expect_err 'directory: what is there is not a regular file'

# A closed standard descriptor must not become a socket: what is logged would go into it.
sc-server -c /dev/null --listen 127.0.0.1:0 --certificate good.crt --private-key good.key --port-file closed.port <&- >&- 2>&- &
closed_pid=$!
own_pids="$own_pids $closed_pid"
wait-for 10 "$closed_pid" exists closed.port
for fd in 0 1 2; do
    link=$(readlink "/proc/$closed_pid/fd/$fd") || fail "descriptor $fd stays closed"
    [ "$link" = /dev/null ] || fail "descriptor $fd became $link"
done
run 0 sc-client --connect "$(cat closed.port)" --pin good.crt echo hello
end_closed=0
kill -TERM "$closed_pid"
wait "$closed_pid" || end_closed=$?
[ "$end_closed" -eq 0 ] || fail "a server without standard descriptors ended with $end_closed"

# Configurations: the file, the line and what is wrong with it.
printf '[server]\nmax-\0body = 1\n' >nul.conf
{ printf '[server]\ncertificate = ' && head -c 1048576 /dev/zero | tr '\0' x && echo; } >long.conf
printf '[server]\nmax-boddy = 1\n' >unknown.conf
printf '[server]\nmax-body = 1\nmax-body = 2\n' >twice.conf
printf '[server]\nmax-body = 1\n[tls]\n[server]\nidle-timeout = 2s\n' >section.conf
{ echo '[server]' && cat good.key; } >pasted.conf
printf '[server]\n\nidle-timeout 5m\n' >no-equal.conf
cat >configurations <<'END'
78 nul.conf nul.conf:1: not a configuration of sc-server: expected text
66 long.conf can't read long.conf: it is larger than 1048576 bytes
78 unknown.conf unknown.conf:2: .*max-boddy: unknown key: max-body is the nearest
78 twice.conf twice.conf:3: .*max-body: given again: .*line 2
78 section.conf section.conf:4: section .server. again
78 good.key good.key:1: not a configuration of sc-server: expected text with .server. or .tls. before anything else$
78 pasted.conf pasted.conf:2: expected KEY = VALUE$
78 no-equal.conf no-equal.conf:3: expected KEY = VALUE$
66 directory can't read .*directory: .*directory
66 missing.conf can't read .*missing.conf: No such file
END
while read -r status file pattern; do
    run "$status" sc-server -c "$file" --listen 127.0.0.1:0 --certificate good.crt --private-key good.key
    expect_err "^sc-server: .*$pattern"
done <configurations

# What keeps the server from starting is an error to the journal: files, configuration, command line, and the socket.
wrong_start() {
    wanted=$1
    shift
    : >err
    run "$wanted" env JOURNAL_STREAM="$(stat -c %d:%i err)" sc-server "$@"
    expect_err '^<3>sc-server: '
}
wrong_start 66 -c /dev/null --certificate missing --private-key good.key
wrong_start 78 -c unknown.conf --certificate good.crt --private-key good.key
wrong_start 64 --no-such-option
wrong_start 69 -c /dev/null --listen 192.0.2.1:0 --certificate good.crt --private-key good.key
run 64 env JOURNAL_STREAM=1:1 sc-server --no-such-option
expect_err '^sc-server: '

# Without a certificate the error has the command that makes one, and it is right.
run 66 sc-server -c /dev/null --certificate "$tmp/made.crt" --private-key "$tmp/made.key"
expect_err "^sc-server: certificate: can't read .*made\.crt: .*: sc-keygen --out "
command=$(sed 's/.*: //' err)
run 0 sh -c "$command"
run 0 sc-server --check-config -c /dev/null --certificate "$tmp/made.crt" --private-key "$tmp/made.key"
expect_out 'configuration ok'

# What is weaker than the defaults is taken, and logged.
printf '[tls]\nMinProtocol = TLSv1\nCipherString = ECDHE+AESGCM:AES128-SHA:@SECLEVEL=0\n' >weak.conf
run 0 sc-server --check-config -c weak.conf --certificate good.crt --private-key good.key
expect_out 'configuration ok'
[ "$(grep -c ' warning weak_tls ' err)" -eq 3 ] || fail "not three warnings about weak settings"

# A key that everybody can read works, and one line says so; for a group of its own it is as the manual advises.
cp good.key open.key
chmod 0644 open.key
run 0 sc-server --check-config -c /dev/null --certificate good.crt --private-key open.key
[ "$(grep -c 'open\.key' err)" -eq 1 ] || fail "not one warning about a key with mode 0644"
chmod 0640 open.key
run 0 sc-server --check-config -c /dev/null --certificate good.crt --private-key open.key
[ ! -s err ] || fail "a warning about a key with mode 0640"

# Addresses.
run 69 sc-server -c /dev/null --listen 192.0.2.1:0 --certificate good.crt --private-key good.key
expect_err "^sc-server: can't listen on 192\.0\.2\.1:0: this machine does not have the address"

# The same at a reload: one line that says it, and the server is as it was.
: >sc.conf
start_server -c sc.conf
sc_conf=$tmp/sc.conf
failures=0
# On a slow machine the server's own retry of the one before may find half of the next files, and says so in a line of its own.
refused_reload() {
    failures=$((failures + 1))
    lines=$(grep -c ' reload_failed ' "$server_log" || :)
    before=$lines
    kill -HUP "$server_pid"
    until grep ' reload_failed ' "$server_log" | tail -n +$((before + 1)) | grep -Eq "$1"; do
        lines=$((lines + 1))
        [ $lines -le $((before + 3)) ] || fail "the log does not say: $1"
        wait_log ' reload_failed ' 10 $lines
    done
    run 0 sc-client --connect "$address" --pin good.crt echo still
    expect_out still
}
while read -r status certificate key pattern; do
    rm -rf server.crt server.key
    [ "$certificate" = missing ] || cp -r "$certificate" server.crt
    [ "$key" = missing ] || cp -r "$key" server.key
    # The names are the active ones.
    pattern=$(echo "$pattern" | sed -e 's/weak\.key//' -e 's/read [a-z]*:/read .*:/' -e 's/certificate [a-z]* is/certificate .* is/' -e 's/key empty/key .*/')
    refused_reload "$pattern"
done <pairs
rm -rf server.crt server.key
cp good.crt server.crt
cp good.key server.key
for file in nul long unknown twice section; do
    cp "$file.conf" "$sc_conf"
    refused_reload 'sc\.conf'
done
: >"$sc_conf"
kill -HUP "$server_pid"
wait_log ' reloaded '
stop_server
pass "all refused: $failures reloads, too"
