#!/bin/sh
# SPDX-License-Identifier: MIT
# 200 clients ask again and again, while certificates change under them: ten reloads, good and bad in turn, and then the server is stopped. No
# reply is lost, doubled or wrong; who comes back resumes; what is wrong with new files is one line and changes nothing.
test_seconds=180
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

# One file with certificate and key, so that each replacement is whole. Each pair has its own last day, which the log names.
pair() {
    run 0 sc-keygen --out "pair-$1" --name localhost --days "$((100 + $1))"
    cat "pair-$1.crt" "pair-$1.key" >"pair-$1.pem"
}
replace() {
    cp "$1" server.new
    mv server.new server.pem
}
for i in 0 1 2 3 4 5; do
    pair "$i"
done
chmod 600 ./*.pem

# What goes wrong in practice: the pair does not match, a file is half written, is empty, a weak key, a mistake in the configuration.
cat pair-1.crt pair-2.key >bad-1.pem
head -c 300 pair-2.pem >bad-2.pem
: >bad-3.pem
openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.crt -days 9 -subj /CN=localhost 2>>openssl.log || fail "openssl req"
cat weak.crt weak.key >bad-4.pem

replace pair-0.pem
printf '[server]\nreload-interval = 0\n' >good.conf
printf '[server]\nreload-interval = 0\nmax-boddy = 1K\n' >bad.conf
cp good.conf sc.conf
start_server -c sc.conf --certificate server.pem --private-key server.pem
ready_lines=$(wc -l <"$server_log")
# A retry of a bad reload may find the next good files before the signal does; then the signal finds that nothing has changed.
log_lines() {
    grep -vc 'nothing has changed' "$server_log"
}

load --clients 200 --reconnect-every 4 --server-pid "$server_pid" "$address" >load.log 2>&1 &
load_pid=$!
own_pids="$own_pids $load_pid"
wait-for 30 "$load_pid" contains load.log connected || fail "the load did not start"

# After each reload: every client gets replies, every fourth comes back with a session from before, and new clients see the right certificate.
rounds=0
play_round() {
    rounds=$((rounds + 1))
    kill -USR1 "$load_pid"
    wait-for 30 "$load_pid" contains load.log "round $rounds:" || fail "round $rounds did not end"
    grep -Eq "^round $rounds: .* 50 clients reconnected, 50 of them resumed" load.log || fail "not all resumed in round $rounds"
    run 0 sc-client --connect "$address" --pin "$1" time
}

good_reload() {
    before=$(grep -c reloaded "$server_log" || :)
    replace "pair-$1.pem"
    kill -HUP "$server_pid"
    wait_log " reloaded " 10 "$((before + 1))"
    play_round "pair-$1.crt"
}

# bad_reload NUMBER PATTERN CURRENT: one line that matches the pattern.
bads=0
bad_reload() {
    bads=$((bads + 1))
    before=$(log_lines)
    kill -HUP "$server_pid"
    wait_log " reload_failed " 10 "$bads"
    play_round "$2"
    [ "$(log_lines)" -eq "$((before + 1))" ] || fail "a bad reload is not one line: $1"
    grep reload_failed "$server_log" | tail -n 1 | grep -Eq "error reload_failed .*everything stays as it was.*$1" || fail "the line does not say: $1"
}

play_round pair-0.crt
good_reload 1
replace bad-1.pem
bad_reload 'server\.pem.*(match|belong)' pair-1.crt
good_reload 2
replace bad-2.pem
bad_reload 'server\.pem' pair-2.crt
good_reload 3
replace bad-3.pem
bad_reload 'server\.pem' pair-3.crt
good_reload 4
replace bad-4.pem
bad_reload 'server\.pem.*1024' pair-4.crt
good_reload 5
cp bad.conf sc.conf
bad_reload 'max-boddy.*max-body' pair-5.crt

kill -USR2 "$load_pid"
finish "$load_pid" 0
end_server 0
grep -q '^200 clients, .*: 0 lost, 0 doubled, 0 wrong$' load.log || fail "replies were lost, doubled or wrong"
grep -q '^550 reconnected, 550 of them resumed$' load.log || fail "not all resumed"
grep -q ' 200 ERROR 3, 200 close_notify' load.log || fail "not all got an ERROR"

# Nothing else was worth a line: ready, five good reloads to keys that were not announced, five bad ones, stopping, stopped.
[ "$(log_lines)" -eq "$((ready_lines + 17))" ] || fail "the log has other lines"
sed -n '/^200 clients/,$p' load.log
