#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-client and sc-server together: bodies of all sizes, limits, sockets of all kinds, and a server that leaves or dies.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

start_server --max-body 16M --listen "unix:$tmp/socket"
run 0 sc-client --connect "$address" --pin server.crt echo hello
expect_out hello
run 0 sc-client --connect "unix:$tmp/socket" --pin server.crt --pin ca:server.crt reverse hello
expect_out olleh
run 0 sc-client --connect "$address" --pin server.crt time
run 0 sc-client --connect "$address" --pin ca:server.crt --verbose </dev/null
run 90 sc-client --connect "$address" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= echo hello

# A path is bytes, and JSON is text.
path=unix:$tmp/$(printf 'so\377cket')
kept=$server_pid kept_address=$address
start_server --listen "$path"
timeout "$run_seconds" sc-client --connect "$path" --show-pin --json | head -c 4000 >out
[ "$(json-get address <out | grep -c xffcket)" = 1 ] && [ "$(json-get peer <out | grep -c xffcket)" = 1 ] || fail "a path that is not UTF-8 in JSON: $(head -c 200 out)"
timeout "$run_seconds" sc-client --connect "$path" --pin server.crt --verbose --json time 2>&1 >/dev/null | head -c 4000 >out
json-get connected <out | grep -q xffcket || fail "a path that is not UTF-8 in JSON: $(head -c 200 out)"
stop_server
server_pid=$kept address=$kept_address

# The largest body there is, and one more.
head -c 16777216 /dev/zero | tr '\0' 'x' >largest
timeout $((50 * slow)) sc-client --timeout $((40 * slow)) --connect "$address" --pin server.crt echo <largest >largest.out || fail "a body of 16 MiB"
cmp largest largest.out || fail "a body of 16 MiB came back as something else"
printf x >>largest
run 65 sc-client --connect "$address" --pin server.crt echo <largest
expect_err 'longer than 16M'
(printf 'echo ' && cat largest) >commands
run 65 sc-client --connect "$address" --pin server.crt <commands
expect_err 'standard input, line 1: TEXT is longer than 16M'
# A line is not kept beyond that, even when it never ends.
cat largest largest >>commands
run 65 sc-client --connect "$address" --pin server.crt <commands
expect_err 'standard input, line 1: longer than 16M'
rm -f largest largest.out commands

# What does not fit into the sockets on the way, in both directions at once.
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "reverse %d%03000d\n", i, i }' >commands
timeout $((50 * slow)) sc-client --connect "$address" --pin server.crt <commands >out || fail "9 MB of commands"
timeout $((50 * slow)) sc-client --connect "$address" --pin server.crt <commands | cmp - out || fail "9 MB of commands into a pipe"
awk '{ print "reverse " $0 }' out >again
timeout $((50 * slow)) sc-client --connect "$address" --pin server.crt <again >out || fail "9 MB of commands again"
sed 's/^reverse //' commands | cmp - out || fail "9 MB of commands were answered wrongly"
# A reader that takes its time is not the server's fault: more than --timeout passes before the first line is read.
mkfifo slow
awk 'BEGIN { for (i = 0; i < 300000; i++) print "echo line", i }' >commands
timeout $((50 * slow)) sc-client --connect "$address" --pin server.crt --timeout $short <commands >slow 2>slow.log &
slow_pid=$!
own_pids="$own_pids $slow_pid"
{
    wait-for 2 "$slow_pid" exists never 2>/dev/null || :
    sed 's/^/echo /' >slow.out
} <slow
finish "$slow_pid" 0
cmp commands slow.out || fail "output into a slow pipe is not whole"

run 0 sc-client --connect "$address" --pin server.crt --count 200 --interval 0 reverse abc
[ "$(tail -n 1 out | cut -d , -f 1,2)" = "$address: 200 sent, 200 answered" ] || fail "a summary that is wrong"
stop_server

if grep -qs 00000000000000000000000000000001 /proc/net/if_inet6; then
    start_server --listen '[::1]:0'
    address=$(grep -F '[::1]' "$port_file")
    run 0 sc-client --connect "$address" --pin server.crt --pin ca:server.crt --verbose echo hello
    grep -Fq "connected to $address ($address)" err || fail "not connected over IPv6"
    stop_server
else
    skip_part "this host has no IPv6"
fi

# A limit of the server's is an ERROR, and then the end of the connection.
start_server --max-body 100
head -c 101 /dev/zero | run 1 sc-client --connect "$address" --pin server.crt echo
expect_err 'the server answered ERROR 2 \(body too large\)'
{ printf 'echo ' && head -c 101 /dev/zero | tr '\0' x && printf '\necho two\necho three\n'; } >commands
run 1 sc-client --connect "$address" --pin server.crt --no-retry <commands
grep -q "$address went away with 2 requests unanswered: body too large" err || fail "the requests that were lost are not reported"
# Without --no-retry they are sent again over another connection.
run 1 sc-client --connect "$address" --pin server.crt <commands
printf 'two\nthree\n' | cmp - out || fail "what stood after a refused request is not answered"
expect_err 'the server answered ERROR 2'
head -c 101 /dev/zero | run 1 sc-client --connect "$address" --pin server.crt --count 3 --interval 0 echo
expect_err 'the server answered ERROR 2 \(body too large\)'
expect_out "$address: 1 sent, 1 answered, 0 lost"
head -c 100 /dev/zero | run 0 sc-client --connect "$address" --pin server.crt --count 3 --interval 0 echo
grep -q ': echo 3, 100 bytes, ' out && grep -q ': 3 sent, 3 answered, 0 lost, ' out || fail "a body from standard input is not sent each time"
stop_server

# A server that stops announces it; one that is killed does not. Standard input stays open all the time.
for signal in TERM KILL; do
    start_server
    mkfifo "commands-$signal"
    # shellcheck disable=SC2016
    background sh -c 'exec sc-client --connect "$1" --pin server.crt --no-retry <"$2"' sh "$address" "commands-$signal"
    exec 9>"commands-$signal"
    echo 'reverse ereht si eh' >&9
    wait-for 10 "$background_pid" contains "$tmp/background-$background_count.log" 'he is there' || fail "no reply before the end"
    kill -"$signal" "$server_pid"
    finish "$background_pid" 69
    exec 9>&-
    grep -Eq 'going away|went away' "background-$background_count.log" || fail "nothing was printed about the end"
    case $signal in
    TERM) end_server 0 ;;
    KILL) end_server 137 ;;
    esac
done
