#!/bin/sh
# SPDX-License-Identifier: MIT
# A connection that is lost: sc-client connects again, resumes the session, checks the pin, and sends exactly what was not answered.
test_seconds=60
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

# A server that ends while a client waits between two lines of a pipe; the next one listens on the same port.
start_server --listen "$own_host:0"
mkfifo lines
# shellcheck disable=SC2016
background sh -c 'exec sc-client --verbose --timeout "$2" --connect "$1" --pin server.crt <lines' sh "$address" $((15 * slow))
client=$background_pid client_log=$tmp/background-$background_count.log
exec 9>lines
logged() { wait-for 20 "$client" contains "$client_log" "$1" "${2-1}" || fail "the client never printed: $1"; }
echo 'echo first' >&9
logged first
kill -TERM "$server_pid"
logged 'come back in 250ms; the next request connects again'
end_server 0
# The next line finds nobody, and is sent when somebody is there.
echo 'echo second' >&9
logged ', 1 to be sent again'
grep -Eq '; connecting again in [0-9.]+m?s, 1 to be sent again$' "$client_log" || fail "--verbose does not say when it connects again"
exec 7>&9 9>&- # the server does not keep it
start_server --listen "$address" 7>&-
logged second
logged 'pin matched' 2
# Without a word, and with nothing to be answered: nothing is lost.
kill -KILL "$server_pid"
end_server 137
logged 'went away: '
exec 7>&-
finish "$client" 0
[ "$(grep -cx 'first\|second' "$client_log")" = 2 ] || fail "a line is not answered exactly once"
pass "a restart costs no line"

# What has been sent and not answered, many of them, through servers that are killed: each reply once, in order, exit 0.
start_server --listen "$address"
awk 'BEGIN { for (i = 0; i < 30000; i++) printf "echo line %d %0300d\n", i, i }' >commands
mkfifo replies
# shellcheck disable=SC2016
background sh -c 'exec sc-client --timeout "$2" --connect "$1" --pin server.crt <commands >replies' sh "$address" $((15 * slow))
client=$background_pid
exec 8<replies
: >got
for _ in 1 2 3; do
    head -c 1000000 <&8 >>got
    kill -KILL "$server_pid"
    end_server 137
    start_server --listen "$address" 8<&-
done
cat <&8 >>got
exec 8<&-
finish "$client" 0
sed 's/^echo //' commands | cmp - got || fail "replies are missing, doubled or out of order"
pass "three servers killed, 30000 requests answered once each"

# The same server, which ends idle connections: the session is resumed.
stop_server
start_server --listen "$own_host:0" --idle-timeout 1s
# shellcheck disable=SC2016
background sh -c 'exec sc-client --verbose --connect "$1" --pin server.crt <lines' sh "$address"
client=$background_pid client_log=$tmp/background-$background_count.log
exec 9>lines
echo 'echo before' >&9
logged before
logged 'over a limit (no request for too long (idle-timeout)); the next request connects again'
echo 'echo after' >&9
exec 9>&-
finish "$client" 0
logged after
logged 'full handshake'
logged 'resumed handshake'


# The time of a reply begins when its request was sent for the last time: the wait for a server is not the server's.
mkfifo timed
# shellcheck disable=SC2016
background sh -c 'exec sc-client --verbose --json --timeout "$2" --connect "$1" --pin server.crt <timed' sh "$address" $((15 * slow))
client=$background_pid client_log=$tmp/background-$background_count.log
exec 9>timed
echo 'echo before' >&9
logged '"body":"before"'
kill -KILL "$server_pid"
end_server 137
logged '"unanswered":0'
echo 'echo after' >&9
logged '"unanswered":1' 3 # each wait longer than the one before
starts=$(date +%s%N)
exec 7>&9 9>&-
start_server --listen "$address" 7>&-
exec 7>&-
finish "$client" 0
most=$(($(date +%s%N) - starts))
took=$(sed -n 's/.*"seconds":0*\([0-9]*\)\.\([0-9]*\),"body":"after".*/\1\2/p' "$client_log")
[ "$took" -le $most ] || fail "the reply took $took ns, and its server has run for $most ns"

# Another key on the same address is not the server that was lost.
mkfifo wrong
# shellcheck disable=SC2016
background sh -c 'exec sc-client --verbose --connect "$1" --pin server.crt <wrong' sh "$address"
client=$background_pid client_log=$tmp/background-$background_count.log
exec 9>wrong
echo 'echo before' >&9
logged before
stop_server
logged 'the next request connects again'
echo 'echo secret' >&9
logged ', 1 to be sent again'
run 0 sc-keygen --out other
exec 7>&9 9>&-
start_server --listen "$address" --certificate other.crt --private-key other.key 7>&-
finish "$client" 90
exec 7>&-
stop_server

# Nobody comes back: the end after --timeout, with the last reason, and --no-retry at once.
start_server --listen "$own_host:0"
# shellcheck disable=SC2016
background sh -c 'exec sc-client --timeout "$2" --connect "$1" --pin server.crt <lines' sh "$address" $short
client=$background_pid client_log=$tmp/background-$background_count.log
exec 9>lines
echo 'echo before' >&9
logged before
kill -KILL "$server_pid"
end_server 137
echo 'echo lost' >&9
finish "$client" 69
exec 9>&-
logged 'is the server running there?; given up after '

# --- Repeated: a lost connection is a lost reply ---
start_server --listen "$address"
background sc-client --connect "$address" --pin server.crt --interval 0.05 --timeout $((5 * slow)) time
client=$background_pid client_log=$tmp/background-$background_count.log
logged 'time 3, 27 bytes'
kill -KILL "$server_pid"
end_server 137
logged "can't connect to $address"
start_server --listen "$address"
count=$(grep -c ' bytes, ' "$client_log")
logged "time $((count + 2)), 27 bytes"
kill -INT "$client"
finish "$client" 130
tail -n 1 "$client_log" | grep -Eq "^$address: [0-9]+ sent, [0-9]+ answered, [1-9][0-9]* lost, min/avg/max/p50/p99 " || fail "no summary of what was lost"

# In JSON, until the count is full: what was lost is an object of its own, and the status says that something was. The server has to be gone
# before.
count=$((25 * slow))
background sc-client --connect "$address" --pin server.crt --json --count $count --interval 0.1 --timeout $((5 * slow)) time
client=$background_pid client_log=$tmp/background-$background_count.log
logged '"number":2'
kill -KILL "$server_pid"
end_server 137
logged '"lost":1,"status":69'
start_server --listen "$address"
finish "$client" 69
[ "$(grep -vc '^{.*}$' "$client_log")" = 0 ] || fail "a line is not a JSON object"
sent=$(tail -n 1 "$client_log" | json-get sent) answered=$(tail -n 1 "$client_log" | json-get answered)
[ "$sent" = $count ] && [ "$answered" -lt $count ] && [ "$(tail -n 1 "$client_log" | json-get lost)" = $((count - answered)) ] || fail "the summary is wrong"
stop_server
# An interrupt while there is no server sums up, too.
start_server --listen "$address"
background sc-client --connect "$address" --pin server.crt --interval 0.05 time
client=$background_pid client_log=$tmp/background-$background_count.log
logged 'time 1, 27 bytes'
stop_server
logged "can't connect to $address"
kill -INT "$client"
finish "$client" 130
logged ' lost, min/avg'
# What was sent and not answered is lost, each time.
background odd-server cut server.crt server.key cut-port
wait-for 20 "$background_pid" exists cut-port || fail "odd-server cut did not start"
run 69 sc-client --connect "127.0.0.1:$(cat cut-port)" --pin server.crt --count 3 --interval 0 --timeout $((5 * slow)) --json echo hello
[ "$(grep -c '^{"request":"echo","lost":1,"status":69,"error":".* 1 request unanswered' out)" = 2 ] && grep -qx '{"sent":3,"answered":0,"lost":3}' out ||
    fail "not each lost request is reported"
pass "repeated commands go on"
