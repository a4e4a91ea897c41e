#!/bin/sh
# SPDX-License-Identifier: MIT
# shellcheck disable=SC3045  # every sh that we know has ulimit -S
# Keys of the configuration, each seen from outside: in the file, as an option, and changed by a reload.
test_seconds=90
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

echo_to() {
    run 0 sc-client --connect "$1" --pin server.crt echo hello
    expect_out hello
}

# The soft limit of files is raised to what max-connections needs, as far as the hard one allows.
ulimit -S -n 256
start_server -c /dev/null --max-connections 500
files=$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' "/proc/$server_pid/limits")
if [ "$(ulimit -H -n)" = unlimited ] || [ "$(ulimit -H -n)" -ge 1000 ]; then
    [ "$files" -ge 564 ] || fail "max-connections 500, and $files files"
else
    grep -q ' file_limit ' "$server_log" || fail "the log does not say that files are too few"
fi
stop_server

# Where the hard limit allows fewer connections, those are what the status speaks of.
# shellcheck disable=SC2016,SC3045
background sh -c 'ulimit -n 200 && exec sc-server "$@"' sh -c /dev/null --certificate server.crt --private-key server.key --listen 127.0.0.1:0 \
    --metrics-listen "unix:$tmp/admin" --max-connections 500
limited_log=$tmp/background-$background_count.log
wait-for 10 "$background_pid" contains "$limited_log" ' ready ' || fail "200 files are not enough to start"
fit=$(sed -n 's/.* file_limit .* only 200 are allowed: at most \([0-9]*\) connections .*/\1/p' "$limited_log")
run 0 sc-server --status "unix:$tmp/admin"
grep -Eq "^connections +0 of $fit," out || fail "the status does not say that $fit connections are possible: $(grep ^connections out)"
kill -TERM "$background_pid"
finish "$background_pid" 0

# listen: both families, a unix socket, several, by one key and by several; a port that is taken.
start_server -c /dev/null --listen 127.0.0.1:0,unix:"$tmp"/socket --listen 127.0.0.1:0
[ "$(wc -l <"$port_file")" -eq 3 ] || fail "not three addresses: $(cat "$port_file")"
while read -r each; do
    echo_to "$each"
done <"$port_file"
sees listen certificate private-key
run 69 sc-server -c /dev/null --listen "$address" --certificate server.crt --private-key server.key
expect_err "^sc-server: can't listen on $address: "
stop_server
if [ -e /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6; then
    start_server -c /dev/null --listen '[::1]:0'
    echo_to "$(cat "$port_file")"
    stop_server
else
    skip_part "no IPv6 here"
fi

# The file, an option that wins over it, and a reload.
printf '[server]\nmax-body = 100\nlog-level = debug\nworkers = 1\n' >sc.conf
start_server -c sc.conf
head -c 100 /dev/zero | tr '\0' x >body-100
head -c 101 /dev/zero | tr '\0' x >body-101
# shellcheck disable=SC2016
takes() { run 0 sh -c 'sc-client --connect "$0" --pin server.crt echo - <"$1"' "$address" "body-$1"; }
# shellcheck disable=SC2016
refuses() { run 1 sh -c 'sc-client --connect "$0" --pin server.crt echo - <"$1"' "$address" "body-$1"; }
takes 100
refuses 101
wait_log ' debug '
grep -q ' workers=1 ' "$server_log" || fail "not one worker"
sees max-body log-level workers
printf '[server]\nmax-body = 101\nlog-level = info\nworkers = 2\n' >sc.conf
kill -HUP "$server_pid"
wait_log ' reloaded '
takes 101
grep -q 'reload_changed key=max-body before=100 after=101' "$server_log" || fail "the log does not name the change"
grep -q 'warning reload_changed key=workers before=1 after=2 .*restart' "$server_log" || fail "the log does not say that workers needs a restart"
stop_server
start_server -c sc.conf --max-body 100
refuses 101
stop_server

# reload-interval: a new pair is found without a signal.
start_server -c /dev/null --reload-interval 100ms
run 0 sc-keygen --force --out server --name localhost
wait_log ' reloaded '
echo_to "$address"
sees reload-interval
stop_server

# passphrase-file.
if command -v openssl >/dev/null; then
    echo secret >passphrase
    openssl pkcs8 -topk8 -in server.key -passout file:passphrase -out encrypted.key 2>>openssl.log || fail "openssl pkcs8"
    chmod 600 passphrase encrypted.key
    start_server -c /dev/null --private-key encrypted.key --passphrase-file passphrase
    echo_to "$address"
    sees passphrase-file
    stop_server
    echo wrong >passphrase
    run 78 sc-server --check-config -c /dev/null --certificate server.crt --private-key encrypted.key --passphrase-file passphrase
    expect_err '^sc-server: .*encrypted\.key'
else
    skip_part "no openssl(1)"
fi

# handshake-rate: new clients wait; those who resume do not.
if command -v openssl >/dev/null; then
    start_server -c /dev/null --handshake-rate 1 --handshake-timeout 30s
    s_client() { run 0 openssl s_client -connect "$address" -tls1_2 "$@" </dev/null; }
    s_client -sess_out session
    strangers=
    for _ in 1 2 3; do
        background sc-client --connect "$address" --pin server.crt --timeout $((30 * slow)) time
        strangers="$strangers $background_pid"
    done
    s_client -sess_in session
    grep -q '^Reused' out || fail "not resumed"
    for pid in $strangers; do
        finish "$pid" 0
    done
    stop_server
    grep -q 'stopped .*handshakes_delayed=[1-9]' "$server_log" || fail "nobody waited for a turn"
    sees handshake-rate
fi

# Commands of OpenSSL, and log-format.
start_server -c /dev/null --log-format json
grep -q '^{' "$server_log" || fail "the log is not JSON"
sees log-format
stop_server
printf '[tls]\nMaxProtocol = TLSv1.2\nGroups = P-384\nCipherString = ECDHE-ECDSA-AES256-GCM-SHA384\n' >tls.conf
start_server -c tls.conf
run 0 sc-client --connect "$address" --pin server.crt --verbose time
grep -q 'TLSv1\.2' err || fail "not MaxProtocol"
grep -q 'ECDHE-ECDSA-AES256-GCM-SHA384' err || fail "not CipherString"
grep -Eq 'P-384|secp384r1' err || fail "not Groups"
stop_server
pass "every key did what it says"
