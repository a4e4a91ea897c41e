#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-client --proxy-command: TLS over standard input and output of a child, and children that do not do what they should.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

start_server --listen 127.0.0.1:0 --listen "unix:$tmp/socket"
host=localhost
proxied=$host:$port

# through STATUS COMMAND ARGUMENT...: sc-client over that command.
through() {
    through_status=$1 command=$2
    shift 2
    run "$through_status" sc-client --connect "$proxied" --pin server.crt --proxy-command "$command" "$@"
}

# A child that says who it is.
with_pid() {
    rm -f pid
    printf "sh -c 'echo \$\$ >pid.new; mv pid.new pid; %s'" "$1"
}

# The child has been ended, and by now.
expect_gone() {
    [ -s pid ] || fail "the command was not run"
    ! kill -0 "$(cat pid)" 2>/dev/null || fail "the command is still there"
}

# --- A child that does what it should ---
through 0 'relay %h:%p' echo hello
expect_out hello
[ ! -s err ] || fail "there is something on stderr"
through 0 "$(with_pid 'echo "%%h is %h, %%p is %p" >expanded; exec relay 127.0.0.1:%p')" --verbose reverse abc
expect_out cba
[ "$(cat expanded)" = "%h is localhost, %p is $port" ] || fail "expanded to: $(cat expanded)"
grep -q "connected to $proxied (proxy command)" err || fail "--verbose does not name the command"
expect_gone
printf 'echo %s\n' one two three >commands
run 0 sc-client --connect "$proxied" --pin server.crt --proxy-command 'relay %h:%p' <commands
printf '%s\n' one two three | cmp - out || fail "commands from a file were answered wrongly"
through 0 'relay %h:%p' --count 3 --interval 0 echo x
grep -q "^$proxied: 3 sent, 3 answered" out || fail "no summary"
run 0 sc-client --connect "$proxied" --proxy-command 'relay %h:%p' --show-pin
grep -q 'sha256//' out || fail "--show-pin shows none"
# Many, so that both directions hold back; nothing.
awk 'BEGIN { for (i = 0; i < 3000; i++) printf "echo line %d %0900d\n", i, i }' >commands
run 0 sc-client --connect "$proxied" --pin server.crt --proxy-command 'relay %h:%p' <commands
sed 's/^echo //' commands | cmp - out || fail "3000 commands were answered wrongly"
run 0 sc-client --connect "$proxied" --pin server.crt --proxy-command 'relay %h:%p' </dev/null
run 0 sc-client --connect "unix:$tmp/socket" --pin server.crt --proxy-command 'relay unix:%h' echo 'to a path'
expect_out 'to a path'
run 0 sc-client --connect "unix:$tmp/socket" --pin ca:server.crt --proxy-command 'relay unix:%h' echo 'a path is localhost'
export TERM=dumb
terminal 20 '> ' 'reverse cba\n' 'abc' '' '> ' 'quit\n' -- sc-client --connect "$proxied" --pin server.crt --proxy-command 'relay %h:%p' >out 2>err ||
    fail "the prompt"
grep -q "^connected to $proxied (proxy command)" out || fail "the prompt does not say where it is connected to"

# One that stays when its input has ended gets a signal, and may tidy up.
cat >stays.sh <<'END'
trap 'echo tidy >tidied; exit 0' HUP
relay "$1"
wait-for 60 0 exists never &
wait
END
through 0 'sh stays.sh %h:%p' echo hello
expect_out hello
[ "$(cat tidied)" = tidy ] || fail "a command that stays gets no signal"
touch never

# What the server is decides, not what carries the bytes.
run 0 sc-keygen --out other
run 90 sc-client --connect "$proxied" --pin other.crt --proxy-command 'relay %h:%p' echo secret
expect_wrong_pin 'cert-sha256:[0-9A-F:]* \(other\.crt\)$'
wait_log 'alert_received="bad certificate"'
run 0 sc-client --connect "$proxied" --pin ca:server.crt --proxy-command 'relay %h:%p' echo hello
run 90 sc-client --connect "other.example:$port" --pin ca:server.crt --proxy-command 'relay 127.0.0.1:%p' echo hello

# The child has standard error, and signals as if there were no sc-client.
through 69 "sh -c 'echo from the child >&2; exit 3'" echo hello
grep -qx 'from the child' err || fail "its standard error is not ours"
grep -qx "sc-client: can't connect to $proxied: the proxy command ended with status 3" err || fail "how it ended is not reported"
through 69 "sh -c 'kill -PIPE \$\$; exit 3'" echo hello
expect_err "^sc-client: can't connect to $proxied: the proxy command was ended by signal 13 \(Broken pipe\)$"
# Also when our parent ignores the end of children.
(
    trap '' CHLD
    through 69 "sh -c 'exit 4'" echo hello
)
expect_err 'the proxy command ended with status 4$'

# --- Children that fail ---
# With its path: a shell that finds a directory in PATH closed to it says 126 of a bare name.
through 69 '/nonexistent/command %h' echo hello
grep -qx "sc-client: can't connect to $proxied: the proxy command ended with status 127 (not found)" err || fail "a command that is not found"
through 69 true echo hello
expect_err 'the proxy command ended with status 0$'
through 69 'relay 127.0.0.1:1' echo hello
grep -q 'the proxy command ended with status 69' err || fail "a relay that cannot connect"
run 0 env SHELL= sc-client --connect "$proxied" --pin server.crt --proxy-command 'relay %h:%p' echo hello
run 69 env SHELL=/nonexistent sc-client --connect "$proxied" --pin server.crt --proxy-command true echo hello
expect_err "can't run the proxy command with the shell \(SHELL\): No such file"
# Enough descriptors for the event loop, and for nothing more. (A script in place of sc-client needs others.)
if [ -z "${SC_TEST_TLS_LIBRARY-}" ]; then
    limit=4
    : >err
    until [ $limit = 40 ] || grep -q 'proxy command' err; do
        limit=$((limit + 1)) status=0
        # shellcheck disable=SC2016
        timeout $((20 * slow)) sh -c 'ulimit -n "$1" && exec sc-client --connect "$2" --pin server.crt --proxy-command true time' sh $limit "$proxied" >out 2>err || status=$?
    done
    [ "$status" = 71 ] || fail "exit status $status, not 71, without descriptors for a proxy command"
    expect_err "can't run the proxy command with the shell \(SHELL\): Too many open files"
fi
# It closes its output and stays.
through 69 "$(with_pid 'exec >&- <&-; exec sleep 1000')" echo hello
expect_err 'the proxy command has closed its output'
expect_gone

# It never answers; the deadline is that of the handshake.
through 75 "$(with_pid 'exec sleep 1000')" --timeout $((2 * slow)) echo hello
expect_err "handshake with .* timed out after $((2 * slow))s"
expect_gone
# It prints what is not TLS, and ends, or does not.
through 35 'echo SSH-2.0-OpenSSH_9.2' echo hello
expect_err 'an SSH server answered'
through 35 "$(with_pid 'echo SSH-2.0-OpenSSH_9.2; exec sleep 1000')" echo hello
expect_gone
# It ignores the end of the connection, and SIGHUP.
through 0 "$(with_pid 'trap "" HUP; relay %h:%p; exec sleep 1000')" echo hello
expect_out hello
expect_gone

# It dies in the middle.
background odd-server mute server.crt server.key "$tmp/odd-port"
wait-for 20 "$background_pid" exists "$tmp/odd-port" || fail "odd-server did not start"
command=$(with_pid 'exec relay %h:%p')
background sc-client --connect "$host:$(cat odd-port)" --pin server.crt --proxy-command "$command" --verbose echo hello
wait-for 20 "$background_pid" contains "$tmp/background-$background_count.log" 'connected to' || fail "no connection over the command"
kill -KILL "$(cat pid)"
finish "$background_pid" 69
grep -Eq "^sc-client: $host went away with 1 request unanswered: .*; the proxy command was ended by signal 9 \(Killed\)$" \
    "background-$background_count.log" || fail "how it ended is not reported"

# The next connection is over another child.
printf '#!/bin/sh\necho $$ >>children\nexec relay "$1"\n' >kept
chmod +x kept
# shellcheck disable=SC2016
terminal 20 '> ' 'reverse cba\n' 'abc' '!kill -KILL $(tail -n 1 children)' 'connects again' 'reverse fed\n' 'def' '' '> ' 'quit\n' -- \
    sc-client --connect "$proxied" --pin server.crt --proxy-command "$tmp/kept %h:%p" >out 2>err || fail "a command that dies at the prompt"
[ "$(wc -l <children)" -eq 2 ] || fail "there were $(wc -l <children) children, not 2"
for child in $(cat children); do
    ! kill -0 "$child" 2>/dev/null || fail "a child is still there"
done

# --- Usage ---
for wrong in '%x' 'relay %' ''; do
    run 64 sc-client --connect "$proxied" --pin server.crt --proxy-command "$wrong" echo hello
    expect_err '^sc-client: --proxy-command: invalid value ".*": expected'
done
# A host that the shell would take for more than a word.
# shellcheck disable=SC2016
for wrong in '$(touch ran)' ';touch ran;' '-oProxyCommand=x' "'"; do
    run 64 sc-client --connect "$wrong:4242" --pin server.crt --proxy-command 'relay %h:%p' echo hello
    grep -q 'not a plain word to a shell\|expected' err || fail "a host for the shell: $wrong"
    [ ! -e ran ] || fail "the shell has run the host"
done
stop_server
