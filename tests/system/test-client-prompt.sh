#!/bin/sh
# SPDX-License-Identifier: MIT
# The prompt of sc-client, on a terminal of its own: what it knows, and that it lives through everything that a server and a user do to it.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

export TERM=dumb
export HOME="$tmp/home" && mkdir home
unset XDG_STATE_HOME || :
history=$HOME/.local/state/space-captain/history
make_certs
grep -q 'define HAVE_LIBEDIT' "$SC_BUILDDIR/config.h" && editing=yes || editing=

# odd MODE [TEXT]: as in test-client.sh.
odd() {
    port_file=$tmp/odd-port-$background_count
    background_seconds=100 background odd-server "$1" server.crt server.key "$port_file" "${2-}"
    wait-for 20 "$background_pid" exists "$port_file" || fail "odd-server $1 did not start"
    address=127.0.0.1:$(cat "$port_file")
}

# at_prompt STATUS [EXPECT SEND]... [-- OPTION...]: converses with sc-client; what the terminal has shown is in $tmp/out.
at_prompt() {
    expected=$1
    shift
    steps=0
    for word; do
        [ "$word" != -- ] || break
        steps=$((steps + 1))
    done
    [ $steps -lt $# ] || set -- "$@" --
    # "$@" is STEP... -- OPTION...: the command goes between them.
    i=0
    for word; do
        shift
        set -- "$@" "$word"
        i=$((i + 1))
        [ $i -ne $((steps + 1)) ] || set -- "$@" sc-client --connect "$address" --pin server.crt
    done
    status=0
    terminal 20 "$@" >out 2>err || status=$?
    [ "$status" = "$expected" ] || fail "exit status $status, not $expected, at a prompt: $*"
}

# --- What it knows ---
odd serve
at_prompt 0 "$address> " 'reverse cba\n' 'abc' '' '> ' 'frobnicate\n' '"frobnicate" is not a command; commands are echo TEXT' '' '> ' 'time\n' 'Z' '' \
    '> ' 'help\n' 'commands: echo TEXT, reverse TEXT, time' '' ', quit, help, status' '' '> ' 'quit\n'
tr -d '\r' <out | grep -Fqx "connected to $address ($address), TLSv1.3; help lists the commands, quit ends" || fail "the prompt does not say what it is connected to"
at_prompt 0 '> ' 'status\n' "connected to $address" '' 'TLSv1.3, cipher' '' 'new session' '' 'pin matched: cert-sha256:' '' 'more days' '' '> ' 'exit\n'
at_prompt 0 '> ' "frobnicate$(printf %01500d 0)\\n" '"frobnicate00000' '' '" is not a command' '' '> ' '\x04'
at_prompt 0 '> ' 'reverse cba\n' 'abc' '' '> ' '\x04'
! grep -q 'connected again' out || fail "the first connection is reported as one that was lost"
[ -z "$(tail -c 1 out)" ] || fail "the line of the last prompt is not ended: what comes next stands behind it"
# Standard output is no terminal: what is typed is answered there, and nothing else is.
# shellcheck disable=SC2016
terminal 20 '' 'echo hello\n\x04' -- sh -c 'sc-client --connect "$1" --pin server.crt | cat >piped' sh "$address" >out 2>err || fail "exit status $? with a pipe behind it"
[ "$(cat piped)" = hello ] || fail "a prompt in a pipe: $(cat piped)"
# Blanks and comments as from a pipe.
at_prompt 0 '> ' '  reverse cba\n' '\nabc' '' '> ' '# a comment\n' '> ' '   \n' '> ' 'time \n' 'Z' '' '> ' ' status \n' 'pin matched' '' '> ' 'quit \n'
! grep -q 'not a command' out || fail "blanks or a comment at the prompt are no command"
# An ERROR is an answer, and reported by the status at the end.
odd error 'bad day'
at_prompt 1 '> ' 'echo one\n' 'ERROR 5' '' '> ' 'echo two\n' 'two' '' '> ' '\x04'
# In JSON what is not an object goes to standard error.
odd serve
status=0
# shellcheck disable=SC2016
terminal 20 '> ' 'help\n' 'commands: ' '' '> ' 'status\n' '> ' 'echo "hi"\n' '> ' 'quit\n' -- \
    sh -c 'exec sc-client --connect "$1" --pin server.crt --json >objects' sh "$address" >out 2>err || status=$?
[ "$status" = 0 ] || fail "exit status $status at a prompt with JSON"
if [ "$(wc -l <objects)" != 2 ] || [ "$(sed -n 1p objects | json-get connected)" != true ] || [ "$(sed -n 2p objects | json-get bytes)" != 4 ]; then
    cat objects >&2
    fail "standard output is not two objects"
fi
run 0 sc-client --connect "$address" --show-pin --json
dates=$(sed 's/.*\("not_before":.*\)}/\1/' out) pin=$(json-get certificate <out)
sed -E '1s/"(cipher|group)":"[A-Za-z0-9_]+"/"\1":WORD/g' objects |
    grep -Fqx '{"connected":true,"address":"'"$address"'","peer":"'"$address"'","tls":"TLSv1.3","cipher":WORD,"group":WORD,"resumed":false,"pin":"'"$pin"'",'"$dates}" ||
    fail "status in JSON: $(cat objects)"

# What can't be written ends it, like a command.
status=0
# shellcheck disable=SC2016
[ -z "$editing" ] || terminal 20 '> ' 'echo one\n' -- sh -c 'exec sc-client --connect "$1" --pin server.crt --json >/dev/full' sh "$address" >out 2>err || status=$?
[ -z "$editing" ] || [ "$status" = 74 ] || fail "exit status $status, not 74, at a prompt with a full disk"

# --- A server that leaves: the notice, the line, the next command ---
# Nothing is typed: it stays, and the next command connects again.
start_server --listen "$own_host:0"
at_prompt 0 '> ' 'echo one\n' 'one' '' '> ' "!kill -KILL $server_pid" 'went away' '' 'the next command connects again' '' '> ' '' \
    '' "!sc-server --listen $address --certificate server.crt --private-key server.key >again.log 2>&1 & echo \$! >again.pid; wait-for 20 0 contains again.log ready" \
    '' 'status\n' 'not connected' '' '> ' 'echo two\n' 'connected again, with a new session' '' 'two' '' '> ' 'quit\n'
end_server 137
again=$(cat again.pid)
own_pids="$own_pids $again"
# Nobody is there: it says so, goes on, and is interrupted.
at_prompt 0 '> ' "!kill -TERM $again" 'going away' '' 'the next command connects again' '' '> ' 'echo lost\n' "can't connect" '' "given up after ${short}s" '' '> ' 'echo lost again\n' \
    "can't connect" '' '> ' '\x04' -- --timeout $short
grep -q "can't connect.*; connecting again in [0-9.]*m*s" out || fail "the notice does not say when it connects again"
[ -z "$editing" ] || [ "$(grep -c "can't connect" out)" -le 4 ] || fail "one reason is reported again and again"
wait-for 10 0 contains again.log stopped || fail "the second server did not stop"
# An idle connection: the session is resumed; a second loss is reported, too, though it is for the same reason.
start_server --idle-timeout 1s
at_prompt 0 '> ' '' 'no request for too long' '' '> ' 'echo two\n' 'connected again, the session is resumed' '' 'two' '' '> ' 'status\n' 'resumed session' '' '> ' '' \
    'no request for too long' '' '> ' 'quit\n'
# In JSON, too; --verbose has said already that it connects again.
at_prompt 0 '> ' '' 'no request for too long' '' '> ' 'status\n' '{"connected":false,"address":"'"$address"'"}' '' '> ' 'echo two\nstatus\n' '"body":"two"' '' \
    '"resumed":true,"pin":' '' '> ' 'quit\n' -- --json --verbose
! grep -q 'connected again' out || fail "a connection that --verbose describes is reported twice"
stop_server
# The first connect is not repeated, and with --no-retry a lost connection is the end, but not of a line that is typed.
at_prompt 69 "can't connect" ''
# --verbose says it once, and neither that nor what is learnt for the pin store stands in the line that is typed.
run 0 sc-keygen --next
start_server
at_prompt 0 'the pin of its next key is stored' '' '> ' "!kill -TERM $server_pid" 'going away' '' '> ' '\x04' -- --verbose --pin-store "$tmp/store"
end_server 0
[ "$(grep -c 'going away' out)" = 1 ] || fail "--verbose reports a lost connection twice"
! grep -q '> sc-client: ' out || fail "a notice stands in the line of the prompt"
rm server.next.key server.next.crt
start_server
if [ "$editing" ]; then
    at_prompt 69 '> ' "!kill -KILL $server_pid" '--no-retry: not connecting again' '' -- --no-retry
else
    at_prompt 69 '> ' "!kill -KILL $server_pid" 'press Enter to end' 'echo dropped\n' -- --no-retry
fi
end_server 137

# Killed in the middle of a handshake: a notice, and the command waits for the server that comes then. A server that is stopped reads no
# ClientHello, while the kernel takes the connection.
start_server --listen "$own_host:0"
connections=$(echo "$own_host.$port" | awk -F . '{ printf "%02X%02X%02X%02X:%04X 0100007F:", $4, $3, $2, $1, $5 }')
cat >halfway.sh <<END
sc-server --listen $address --certificate server.crt --private-key server.key >halfway.log 2>&1 &
echo \$! >halfway.pid
wait-for 20 \$! contains halfway.log ready && kill -STOP \$! && grep -c '$connections' /proc/net/tcp >before
[ -s before ]
END
at_prompt 0 '> ' 'echo one\n' 'one' '' '> ' "!kill -KILL $server_pid" 'went away' '' '> ' "!sh halfway.sh" '' 'echo two\n' \
    '' "!wait-for 20 0 contains /proc/net/tcp '$connections' \$((\$(cat before) + 1)) && kill -KILL \$(cat halfway.pid)" "the TLS handshake with $address failed" '' \
    '' "!sc-server --listen $address --certificate server.crt --private-key server.key >after.log 2>&1 & echo \$! >after.pid; wait-for 20 0 contains after.log ready" \
    'connected again, ' '' 'two' '' '> ' 'quit\n'
end_server 137
own_pids="$own_pids $(cat after.pid)"

# --- Requests that are not answered ---
odd drip
at_prompt 0 '> ' 'echo slow reply\n' 'slow reply' '' '\n' '\x04' 'slow reply' ''
odd mute
[ -z "$editing" ] || at_prompt 0 '> ' 'echo hello\n' 'hello' '' '\n' 'ti' 'no reply' '' '> ti' '\x03' '> ' 'quit\n' -- --timeout $short
at_prompt 75 '> ' 'echo hello\n' 'no reply' '' -- --timeout $short --no-retry

if [ "$editing" ]; then
    at_prompt 0 '> ' 'echo hello\n' 'hello' '' '\n' '\x03' 'interrupted, the command is given up' '' '> ' '\x04'
    # At once behind the line, before the terminal has its signals back: what is before ^C is dropped, what follows it is the next line.
    at_prompt 0 '> ' 'echo hello\necho never\n\x03status\n' 'interrupted, the command is given up' '' 'connected to' '' '> ' '\x04'
    ! grep -q '^never\|> echo never' out || fail "a line before ^C was run"
    # ^C while the reply is awaited: it is not waited for any more, nor taken for that of the next command.
    odd late "$tmp/held"
    at_prompt 0 '> ' 'echo one\n' '' "!wait-for 20 0 exists $tmp/held" '' '\x03' 'interrupted, the command is given up' '' '> ' 'echo two\n' '\ntwo' '' '> ' 'quit\n'
    ! tr -d '\r' <out | grep -qx one || fail "a reply that was given up is printed"
    start_server
    at_prompt 0 '> ' "!kill -TERM $server_pid" 'going away' '' '> ' 'echo given up\n' "can't connect" '' '' '\x03' 'interrupted' '' '> ' \
        'echo once more\n' "can't connect" '' '' '\x03' 'interrupted' '' '> ' 'quit\n'
    end_server 0
    # So is one whose handshake is not over: the second time the proxy command reads, and says nothing.
    odd wrong-type
    echo 'trap "" INT; [ -e first ] && { : >second; cat >/dev/null; exit; }; : >first; exec relay "$1"' >turns.sh
    at_prompt 0 '> ' 'echo one\n' 'broke the protocol' '' '> ' 'status\n' 'not connected' '' '> ' 'echo two\n' '' "!wait-for 20 0 exists $tmp/second" '' '\x03' 'interrupted' '' '> ' '\x04' -- \
        --proxy-command 'sh turns.sh %h:%p' --timeout $((100 * slow))
    # What is typed while a command waits is a line, too: with --no-retry it is refused when it is complete, and the shell gets no rest of it.
    for ahead in 'echo par' ''; do
        odd late "$tmp/late$ahead"
        later=${ahead:-echo par}
        at_prompt 69 '> ' "echo hello\\n$ahead" '' "!wait-for 20 0 exists '$tmp/late$ahead'" '' "${later#"$ahead"}" '' "!kill $background_pid" 'went away' '' \
            '> echo par' 'tial\n' 'connection is gone, not sent: echo partial' '' -- --no-retry
        finish "$background_pid" 143
    done

    # What is typed when the server leaves is still there, and is sent to the next one.
    start_server --listen "$own_host:0"
    at_prompt 0 '> ' 'echo par' 'echo par' "!kill -TERM $server_pid" 'going away' '' '> echo par' '' \
        '' "!wait-for 20 $server_pid ends && sc-server --listen $address --certificate server.crt --private-key server.key >later.log 2>&1 & echo \$! >later.pid; wait-for 20 0 contains later.log ready" \
        '' 'tial; rest\n' '\npartial; rest' '' '> ' 'quit\n'
    grep -q "^sc-client: $address ended the connection: going away" out || fail "the notice is not on a line of its own"
    end_server 0
    later=$(cat later.pid)
    own_pids="$own_pids $later"
    at_prompt 69 '> ' 'echo par' 'echo par' "!kill -KILL $later" 'went away' '' '> echo par' 'tial; rest\n' 'connection is gone, not sent: echo partial; rest' '' -- --no-retry
    start_server
    at_prompt 69 '> ' 'echo par' 'echo par' "!kill -KILL $server_pid" 'went away' '' '> echo par' 'tial\n' '{"error":"the connection is gone, not sent: echo partial","status":69}' '' -- --no-retry --json
    end_server 137

    # --- Keys ---
    odd serve
    at_prompt 130 '> ' '\x03'
    # What ends it at once gives the terminal back as well.
    # shellcheck disable=SC3045
    (ulimit -c 0 && at_prompt 131 '> ' '\x1c')
    # shellcheck disable=SC2016
    for signal in TERM-143 HUP-129; do
        run "${signal#*-}" terminal 20 '> ' "!kill -${signal%-*} \$(cat pid)" -- sh -c 'echo $$ >pid; exec sc-client --connect "$1" --pin server.crt' sh "$address"
    done
    # shellcheck disable=SC2016
    run 0 terminal 20 '> ' '!kill -HUP $(cat pid)' '' 'echo stays\n' '\nstays' '' '> ' '\x04' -- sh -c 'trap "" HUP; echo $$ >pid; exec sc-client --connect "$1" --pin server.crt' sh "$address"
    at_prompt 0 '> ' 'echo half a line' 'half a line' '\x03' '> ' 'reverse cba\n' 'abc' '' '> ' '\x04'
    ! grep -q '^half a line' out || fail "a line that was thrown away was sent"
    # What is typed at once is taken in its order: the terminal drops nothing before ^C, and nothing after it.
    at_prompt 0 '> ' 'echo half a line\x03reverse cba\n' '\nabc' '' '> ' '\x04'
    # What is no character of the user's locale is a question mark, and what is one is sent as it is typed.
    LC_ALL=C at_prompt 0 '> ' 'echo \xffd\n' '\n?d' '' '> ' '\x04'
    if locale -a 2>/dev/null | grep -qix 'C.utf-\{0,1\}8'; then
        LC_ALL=C.UTF-8 at_prompt 0 '> ' 'echo \xc3\xa9t\xc3\xa9\n' '\n\xc3\xa9t\xc3\xa9' '' '> ' '\x04'
    else
        skip_part "no locale C.UTF-8 on this machine"
    fi
    # ~/.editrc can give a key another meaning.
    echo 'bind ^G ed-delete-prev-char' >"$HOME/.editrc"
    at_prompt 0 '> ' 'echo onex\x07\n' '\none\x0d' '' '> ' '\x04'
    rm "$HOME/.editrc"
    # Tab: one, several, and words that are not requests; nothing after the first word.
    at_prompt 0 '> ' 'rev\tcba\n' 'reverse cba' '' '\nabc' '' '> ' 's\t\n' 'status' '' 'connected to' '' '> ' '\t' 'echo  reverse  time' '' 'help  status  quit' '' '> ' 'q\t\n'
    # A word that takes no TEXT is not followed by a blank; one that nobody knows stays as it is.
    at_prompt 0 '> ' 'ti\tly\n' '"timely" is not a command' '' '> ' 'frob\t\n' '"frob" is not a command' '' '> ' '\x04'
    # More than a terminal holds, pasted at once: each line is run, in order, once.
    paste() { awk -v from="$1" 'BEGIN { for (i = from; i < from + 60; i++) printf "echo %060d\\n", i }'; }
    at_prompt 0 '> ' "$(paste 100)" '' "$(paste 160)" '' "$(paste 220)" '00279' '\n' '00279' '' '> ' '\x04'
    tr -d '\r' <out | grep -x '[0-9]*' >pasted || :
    awk 'BEGIN { for (i = 100; i < 280; i++) printf "%060d\n", i }' | cmp - pasted || fail "lines that are pasted are lost, doubled or out of order"
    # Where the terminal makes no signals ^C is none; and what is given back, by a signal, too, is the terminal as it was.
    for ends in '\x04' '!kill -TERM $(cat pid)'; do
        # shellcheck disable=SC2016
        terminal 20 '> ' 'echo a\x03b\n' '\nab' '' '> ' "$ends" 'as it was' '' -- sh -c 'mode=$(stty -g); stty -isig; changed=$(stty -g)
            sh -c "echo \$\$ >pid; exec sc-client --connect $1 --pin server.crt"; [ "$(stty -g)" != "$changed" ] || echo as it was; stty "$mode"' \
            sh "$address" >out 2>err || fail "exit status $? on a terminal without isig: $ends"
    done
    # A terminal that gets narrower while a line is typed: the line is drawn again, and goes on below where it is full now.
    if tput -T vt100 cols >/dev/null 2>&1; then
        (export TERM=vt100 && at_prompt 0 '> ' '=100' '' 'echo 0123456789abcdefghijklmnopqrstuvwxyz' 'xyz' "=$((${#address} + 2 + 15))" 'echo 0123456789 ' '' 'abcdef' '\n' \
            '\n0123456789abcdefghijklmnopqrstuvwxyz' '' '> ' '\x04')
    else
        skip_part "no terminfo of a vt100 on this machine"
    fi
    # ^Z gives the terminal back as it was, and fg goes on with the line; the second time, by a signal, as well. bash would mend the terminal.
    shell=
    ! command -v bash >/dev/null || shell='bash --norc --noediting'
    ! command -v dash >/dev/null || shell=dash
    if [ "$shell" ]; then
        status=0
        # shellcheck disable=SC2016,SC2086
        terminal 20 'sh> ' "sh -c 'echo \$\$ >pid; exec sc-client --connect $address --pin server.crt'\n" '> ' 'cho st\x1a' 'sh> ' 'stty -a | grep -o .icanon\n' 'icanon' '' \
            'sh> ' 'fg\n' '> cho st' 'ayed\x01e\n' '\nstayed' '' '> ' '!kill -TSTP $(cat pid)' 'sh> ' 'stty -a | grep -o .icanon\n' ' icanon' '' 'sh> ' 'fg\n' '> ' '\x04' \
            'sh> ' 'exit $?\n' -- env PS1='sh> ' $shell -i >out 2>err || status=$?
        [ "$status" = 0 ] || fail "exit status $status after ^Z and fg"
        ! grep -q '^-icanon' out || fail "the shell got a terminal in another mode"
        ! grep -q '\^A' out || fail "after fg the terminal echoes what is typed, too"
    else
        skip_part "neither dash nor bash on this machine"
    fi
    # Between two lines the terminal is not given back: this sc-client is ended when it is (tests/tools/tty_modes.c).
    (PATH=$SC_BUILDDIR/tests/tools/extended:$PATH && at_prompt 0 '> ' 'echo one\n' 'one' '' '> ' 'echo two\n' 'two' '' '> ' '\x04')

    # --- History ---
    rm -rf "$HOME/.local"
    at_prompt 0 '> ' 'echo first of all\n' 'first' '' '> ' 'reverse cba\n' 'abc' '' '> ' 'quit\n'
    [ "$(cat "$history")" = "$(printf 'echo first of all\nreverse cba\nquit')" ] || fail "the history is not what was entered"
    [ "$(stat -c %a "$history")" = 600 ] || fail "the history can be read by others"
    [ "$(stat -c %a "${history%/*}")" = 700 ] || fail "its directory can be read by others"
    at_prompt 0 '> ' '\x12first' 'first of all' '\n' '\nfirst of all' '' '> ' '\x10\x10\x10\n' 'abc' '' \
        '> ' 'reverse cba\n' '\nabc' '' '> ' '\x10\x10\n' '\nfirst of all' '' '> ' '\x04'
    # A line that is too long for it is sent all the same.
    x=$(printf '%0999d' 0)
    at_prompt 0 '> ' "echo ${x}1" '01' "${x}2" '02' "${x}3" '03' "${x}4" '04' "${x}5\n" '05' '' '05' '' '> ' '\x04'
    ! grep -q 00 "$history" || fail "a line that is too long is in the history"
    # It is bounded, replaced as a whole, and its mode is mended.
    awk 'BEGIN { for (i = 0; i < 1500; i++) print "echo old", i }' >"$history"
    chmod 644 "$history"
    at_prompt 0 '> ' 'echo new\n' 'new' '' '> ' '\x04'
    [ "$(wc -l <"$history")" = 1001 ] && [ "$(sed -n 1p "$history")" = 'echo old 500' ] && [ "$(stat -c %a "$history")" = 600 ] ||
        fail "the history was not cut to its last lines"
    # One that is larger than what is read, with a line that is too long, an empty one, and a last one without its newline.
    awk 'BEGIN { for (i = 10000; i < 100000; i++) printf "echo old %d %0100d\n", i, 0; printf "echo %05000d\n\necho last", 0 }' >"$history"
    at_prompt 0 '> ' '\x10\n' '\nlast' '' '> ' '\x10\x10\x10\n' '\nold 99999 ' '' '> ' '\x04'
    [ "$(sed -n 1p "$history" | cut -c 1-14)" = 'echo old 99002' ] || fail "a large history was not cut to its last lines: $(sed -n 1p "$history")"
    # Without a new line, too: what is replaced, and what is not.
    for mode in 600 640; do
        [ $mode = 640 ] || awk 'BEGIN { for (i = 0; i < 1500; i++) print "echo old", i }' >"$history"
        chmod $mode "$history"
        at_prompt 0 '> ' '\x04'
        [ "$(stat -c %a "$history")" = 600 ] || fail "others can read a history of mode $mode after a prompt"
    done
    if [ "$(id -u)" = 0 ]; then
        chown 12345 "$history"
        at_prompt 0 'is not a regular file of yours' '' '> ' 'echo one\n' 'one' '' '> ' '\x04'
        chown 0 "$history"
    fi
    # Somebody else writes it, and does not come to an end.
    if command -v flock >/dev/null; then
        exec 9<"$history"
        flock 9
        at_prompt 0 'warning: the history is not kept: ' '' '> ' 'echo unwritten\n' '\nunwritten' '' '> ' '\x04'
        exec 9<&-
        ! grep -q unwritten "$history" || fail "a history that somebody else has locked was written"
    else
        skip_part "no flock(1) on this machine"
    fi
    # Two at the same time lose nothing.
    : >"$history"
    start_server
    at_prompt 0 '> ' 'echo one\n' 'one' '' '> ' "!terminal 20 '> ' 'echo other\\n' other '' '> ' '\\x04' -- sc-client --connect $address --pin server.crt >other.out" '' 'echo two\n' 'two' '' '> ' '\x04'
    [ "$(cat "$history")" = "$(printf 'echo one\necho other\necho two')" ] || fail "two clients lost a line of the history"
    # What is not the user's is not touched, and one line says so, as of what can't be made; neither a missing home nor a full disk is a failure.
    rm "$history" && echo precious >"$tmp/target" && ln -s "$tmp/target" "$history"
    at_prompt 0 'warning: the history is not kept: ' '' 'is a symbolic link' '' '> ' 'echo one\n' 'one' '' '> ' '\x04'
    [ "$(cat target)" = precious ] || fail "a symbolic link was followed"
    rm "$history" && mkdir "$history"
    at_prompt 0 'warning: the history is not kept: ' '' 'Is a directory' '' '> ' 'echo one\n' 'one' '' '> ' '\x04'
    rmdir "$history" && mkfifo "$history"
    at_prompt 0 'is not a regular file of yours' '' '> ' 'echo one\n' 'one' '' '> ' '\x04'
    for home in '' relative; do
        HOME=$home at_prompt 0 '> ' 'echo one\n' 'one' '' '> ' '\x04'
        ! grep -q warning out || fail "no home is warned about: $home"
    done
    for home in "$tmp/server.crt/home" /dev/full; do
        HOME=$home at_prompt 0 "warning: the history is not kept: can't make the directory $home" '' 'Not a directory' '' '> ' 'echo one\n' 'one' '' '> ' '\x04'
    done
    (unset HOME && at_prompt 0 '> ' 'echo one\n' 'one' '' '> ' '\x04')
    mkdir state
    XDG_STATE_HOME=$tmp/state at_prompt 0 '> ' 'echo elsewhere\n' 'elsewhere' '' '> ' '\x04'
    grep -qx 'echo elsewhere' state/space-captain/history || fail "XDG_STATE_HOME is ignored"
    # A full disk: one warning, the commands go on, and the file stays as it was.
    if unshare -rm true 2>/dev/null; then
        cat >full.sh <<'END'
mount -t tmpfs -o size=8k none "$XDG_STATE_HOME" || exit 77
mkdir "$XDG_STATE_HOME/space-captain"
awk 'BEGIN { for (i = 0; i < 290; i++) print "echo kept" 1000 + i }' >"$XDG_STATE_HOME/space-captain/history"
dd if=/dev/zero of="$XDG_STATE_HOME/filler" bs=4096 2>/dev/null
cp "$XDG_STATE_HOME/space-captain/history" before
"$@"
status=$?
cmp before "$XDG_STATE_HOME/space-captain/history" && exit $status
END
        mkdir full
        odd serve
        status=0
        line=$(printf '%0200d' 7)
        XDG_STATE_HOME=$tmp/full unshare -rm sh full.sh terminal 20 '> ' "echo $line\n" 'warning: the history is not kept: ' '' 'No space left' '' "$line" '' \
            '> ' "echo 8$line\n" "\n8$line" '' '> ' '\x10\x10\n' "$line" '' '> ' '\x04' -- sc-client --connect "$address" --pin server.crt >out 2>err || status=$?
        if [ "$status" = 77 ]; then
            skip_part "no file system can be mounted in a name space"
        else
            [ "$status" = 0 ] || fail "exit status $status with a full disk: $(cat out err)"
            [ "$(grep -c 'warning: ' out)" = 1 ] || fail "not one warning of a full disk"
        fi
    else
        skip_part "no mount name space can be made here (unshare -rm)"
    fi
fi
