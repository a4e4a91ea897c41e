#!/bin/sh
# SPDX-License-Identifier: MIT
# A message type is a row of the table: programs with two rows more (tests/tools/handler_ping.c) answer, count, send, check and list them.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

# client STATUS ARGUMENT...
client() {
    client_status=$1
    shift
    run "$client_status" sc-client --connect "$address" --pin server.crt "$@"
}

# The list may take more than a line.
commands() { tr '\n' ' ' <out | sed 's/  */ /g; s/.*COMMAND is one of: \([^.]*\)\..*/\1/'; }
run 0 sc-client --help
plain=$(commands)
list="${plain%, doctor}, ping, upper TEXT"
# sc-bench has those whose replies it can verify.
loads=$(echo "$list" | sed 's/ TEXT//g; s/ pins,//')
PATH=$SC_BUILDDIR/tests/tools/extended:$PATH
run 0 sc-client --help
[ "$(commands)" = "$list, doctor" ] || fail "--help does not list the commands of the table"

start_server
client 0 ping
expect_out pong
client 0 upper 'some text'
expect_out 'SOME TEXT'
printf 'from standard input' | client 0 upper
[ "$(cat out)" = 'FROM STANDARD INPUT' ] || fail "a command that takes a body does not read standard input"
client 0 --count 3 --interval 0 ping
grep -q ": ping 3, 4 bytes, " out || fail "a repeated command is not named"
client 0 --json ping
grep -q '^{"request":"ping","reply":"ping",.*"body":"pong"}$' out || fail "JSON does not name the type"
client 64 ping now
expect_err '^sc-client: now: ping takes no TEXT'
client 64 nonesuch
expect_err "^sc-client: nonesuch: no such command; commands are $list, doctor; try"
printf 'ping\nupper abc\necho x\n' | client 0
[ "$(cat out)" = "$(printf 'pong\nABC\nx')" ] || fail "commands from standard input"
printf 'ping now\n' | client 65
expect_err "line 1: \"ping now\" is not a command; commands are $list\$"
export TERM=dumb
terminal 20 '> ' 'help\n' "commands: $list, quit" '' '> ' 'ping\n' 'pong' '' '> ' 'quit\n' -- sc-client --connect "$address" --pin server.crt >out ||
    fail "the prompt does not know the commands of the table"
# sc-bench: each type whose replies it can verify, all of them in turn as a mix, and their bytes.
for type in ping upper mix; do
    run 0 sc-bench --connect "$address" --pin server.crt -n 30 --size 100 --type $type --json
    [ "$(json-get plan.type <out)" = "$type" ] || fail "sc-bench does not name the type of its load"
    mv out $type.json
done
[ "$(json-get plan.size_bytes <ping.json) $(json-get plan.size_bytes <upper.json)" = "0 100" ] || fail "a body where none is taken, or none where one is"
run 0 sc-bench --connect "$address" --pin server.crt -n 30 -t ping
grep -q ' 0.0 MiB a second to the server, [0-9.]* from it' out || fail "the bytes of a load are not those of the type: $(cat out)"
run 0 sc-bench --help
tr '\n' ' ' <out | sed 's/  */ /g' | grep -q "TYPE $loads or mix " || fail "sc-bench --help does not list the types of the table"
run 64 sc-bench --connect "$address" --pin server.crt -t pins
expect_err '^sc-bench: .*invalid value "pins": expected '"$loads or mix"
stop_server
grep -Eq ' stopped .*requests_ping=[1-9][0-9]* requests_upper=[1-9][0-9]*( |$)' "$server_log" || fail "the server does not count by type"

# A server without these rows says so.
PATH=${PATH#*:}
start_server
PATH=$SC_BUILDDIR/tests/tools/extended:$PATH
client 1 ping
expect_err 'ERROR 1 \(unknown type\)'
stop_server

# What people read lists each command of the table.
PATH=${PATH#*:}
run 0 sc-client --help
for command in $(commands | sed 's/ TEXT//g; s/,//g'); do
    grep -q "^\.It Cm $command\( \|\$\)" "$SC_SRCDIR/man/sc-client.1" || fail "sc-client(1) does not have the command $command"
    [ "$command" != doctor ] || continue # no request
    grep -q -i "| $command |" "$SC_SRCDIR/docs/protocol.md" || fail "docs/protocol.md does not have the type $command"
done
pass "one row, everywhere"
