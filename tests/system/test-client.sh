#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-client against servers that do one thing wrong each: every mistake has its exit status and one line that says what it was.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

make_certs

# odd MODE [TEXT]: starts the server of that mode; $odd_log and $odd are its log and its address.
odd_count=0
odd() {
    odd_count=$((odd_count + 1))
    port_file=$tmp/odd-port-$odd_count
    background_seconds=100 background odd-server "$1" server.crt server.key "$port_file" "${2-}"
    odd_log=$tmp/background-$background_count.log
    odd_pid=$background_pid
    wait-for 20 "$odd_pid" exists "$port_file" || fail "odd-server $1 did not start"
    odd=127.0.0.1:$(cat "$port_file")
}

# client STATUS ARGUMENT...: against that server, with its pin.
client() {
    client_status=$1
    shift
    run "$client_status" sc-client --connect "$odd" --pin server.crt "$@"
}

no_err() {
    [ ! -s "$tmp/err" ] || fail "there is something on stderr"
}

# expect_got NUMBER BYTES [END]: what this connection carried, and how it ended (", close_notify").
expect_got() {
    wait-for 10 "$odd_pid" contains "$odd_log" "connection $1: $2 bytes of application data${3-, close_notify}" ||
        fail "connection $1 did not carry $2 bytes and end with \"${3-, close_notify}\""
}

# --- What a good server answers ---
odd serve
client 0 echo hello
expect_out hello
no_err
client 0 echo ''
expect_out ''
client 0 echo -n
expect_out -n
client 0 reverse --json
expect_out nosj--
client 0 reverse 'abc def'
expect_out 'fed cba'
client 0 time
grep -Eqx '20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{6}Z' out || fail "time did not print a time"

expect_got 1 13
expect_got 2 8

# Bytes go through as they are: every value, and no newline at the end.
awk 'BEGIN { for (i = 0; i < 256; i++) printf "%c", i }' >bytes
head -c 300000 "$(command -v sc-client)" >>bytes
for text in '-' ''; do
    # shellcheck disable=SC2086
    timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt echo $text <bytes >bytes.out || fail "echo of standard input failed"
    cmp bytes bytes.out || fail "echo changed the bytes"
done
timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt reverse <bytes >bytes.once || fail "reverse failed"
timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt reverse <bytes.once >bytes.out || fail "reverse failed"
cmp bytes bytes.out || fail "reverse of reverse is something else"
client 0 echo - </dev/null
[ ! -s out ] || fail "an empty body came back with something"

# Lines: one command each, answered in order; blank lines count for nothing, the last newline may be missing.
printf 'echo one\n\nreverse two\necho \necho  three\ntime\necho end' >commands
timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt <commands >out 2>err || fail "commands from a file"
[ "$(sed '5s/^20.*Z$/TIME/' out)" = "$(printf 'one\nowt\n\n three\nTIME\nend')" ] || fail "commands from a file were answered wrongly"
# shellcheck disable=SC2002
cat commands | timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt >out2 2>err || fail "commands from a pipe"
[ "$(wc -l <out)" -eq "$(wc -l <out2)" ] || fail "a pipe is answered unlike a file"
# Many, so that both directions hold back.
awk 'BEGIN { for (i = 0; i < 20000; i++) printf "echo line %d %0200d\n", i, i }' >commands
timeout $((50 * slow)) sc-client --connect "$odd" --pin server.crt <commands >out 2>err || fail "20000 commands"
sed 's/^echo //' commands | cmp - out || fail "20000 commands were answered wrongly"
printf 'echo one\nfrobnicate\necho two\n' >commands
run 65 sc-client --connect "$odd" --pin server.crt <commands
expect_out one
expect_err 'line 2: "frobnicate" is not a command; commands are echo TEXT, reverse TEXT, time, pins$'
# After a line that is wrong, what comes later is not sent either.
: >err
{ printf 'echo one\nfrobnicate\n' && wait-for 10 0 contains err frobnicate && echo echo two; } | timeout $((15 * slow)) sc-client --connect "$odd" --pin server.crt >out 2>err &&
    status=0 || status=$?
[ $status = 65 ] && expect_out one || fail "exit status $status after a bad line in a pipe that stays open: $(cat out err)"
# A word that is longer than any command.
printf 'echo%0500d two\n' 0 >commands
run 65 sc-client --connect "$odd" --pin server.crt <commands
expect_err 'line 1: "echo000.*" is not a command; '
printf '# what this asks for\r\n\r\n  echo one\r\n\t# a comment\n \n\techo  # text \necho two\ntime \t \r' >commands
run 0 sc-client --connect "$odd" --pin server.crt <commands
sed '4s/^20.*Z$/TIME/' out >shown
printf 'one\n # text \ntwo\nTIME\n' | cmp - shown || fail "blank lines, comments, blanks around a command, CR"
printf 'time now\n' >commands
run 65 sc-client --connect "$odd" --pin server.crt <commands
expect_err 'line 1'

# No input: connects, checks the pin, sends nothing.
odd serve
run 0 sc-client --connect "$odd" --pin server.crt </dev/null
expect_got 1 0
run 90 sc-client --connect "$odd" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= </dev/null
expect_got 2 0 ''

# A wrong pin: both are shown, under each other, and what to do; the request never leaves.
zeros=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
run 90 sc-client --connect "$odd" --pin $zeros echo secret
key=$(sc-keygen --show server.crt | sed -n 's/.*\(sha256\/\/[^ ]*\).*/\1/p' | head -n 1)
print=$(sc-keygen --show server.crt | sed -n 's/.*\(cert-sha256:[^ ]*\).*/\1/p' | head -n 1)
cat >expected <<END
sc-client: $odd is not the server that was pinned, nothing was sent:
  expected  $zeros
  got       $key
            $print
Trust the new key only if the server's owner confirms it: then give its pin in place of the old one.
END
cmp expected err || fail "a wrong pin is shown otherwise: $(cat err)"
expect_got 3 0 ''
run 90 sc-client --connect "$odd" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= --count 5 --interval 0 echo secret
expect_got 4 0 ''
# Several, bounded; and as JSON.
run 0 sc-keygen --out "$tmp/another"
run 90 sc-client --connect "$odd" --pin another.crt --pin $zeros time
grep -Eq '^  expected  cert-sha256:[0-9A-F:]{95} \(another.crt\)$' err && grep -q "^        or  $zeros$" err || fail "not every pin is shown"
set --
for i in $(seq 100 140); do set -- "$@" --pin "cert-sha256:$i$(printf '%061d' 0)"; done
run 90 sc-client --connect "$odd" "$@" time
grep -Eq '^        or  and [0-9]+ more$' err && [ "$(wc -l <err)" -lt 20 ] || fail "the list of pins has no bound"
run 90 sc-client --connect "$odd" --pin another.crt --pin $zeros --json time
no_err
[ "$(json-get status <out)" = 90 ] && [ "$(json-get got.0 <out)" = "$key" ] && [ "$(json-get got.1 <out)" = "$print" ] &&
    [ "$(json-get expected.1 <out)" = "$zeros" ] && json-get error <out | grep -q 'is not the server that was pinned' || fail "a wrong pin in JSON: $(cat out)"
run 60 sc-client --connect "$odd" echo secret
expect_err "sc-client --connect $odd --show-pin"

# The pins that it shows are the pins that it takes, one by one; backup pins, any one of them.
run 0 sc-client --connect "$odd" --show-pin
cp out shown
expect_got 5 0
for pin in $(grep -Eo 'sha256//[^ ]*|pin-sha256=[^ ]*|SHA256:[^ ]*|cert-sha256:[^ ]*' shown) ca:server.crt; do
    run 0 sc-client --connect "$odd" --pin "$pin" echo pinned
    expect_out pinned
done
run 0 sc-client --connect "$odd" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= --pin server.crt echo pinned
run 0 sc-client --connect "localhost:${odd##*:}" --pin ca:server.crt echo pinned
run 0 sc-client --connect "localhost:${odd##*:}" --show-pin --json
[ "$(json-get address <out) $(json-get peer <out)" = "localhost:${odd##*:} $odd" ] || fail "--show-pin names another server in JSON: $(cat out)"
for key in curl=sha256// rfc7469=pin-sha256= ssh=SHA256: dane=3 certificate=cert-sha256:; do
    value=$(json-get ${key%%=*} <out | tr -d '\\')
    case $value in "${key#*=}"*) grep -Fq " $value" shown ;; *) false ;; esac || fail "--show-pin has another ${key%%=*} in JSON: $(cat out)"
done
[ "$(grep -c sha256 shown)" -eq 3 ] || fail "--show-pin does not show every spelling"
from=$(json-get not_before <out) to=$(json-get not_after <out)
[ "$from" -lt "$to" ] && grep -q " valid from $(date -u -d "@$from" +%Y-%m-%d) to $(date -u -d "@$to" +%Y-%m-%d)\$" shown || fail "--show-pin has other dates: $(cat shown)"
run 0 sc-client --connect "$odd" --show-pin --verbose
! grep -q 'pin matched' err || fail "--show-pin says that a pin matched"

# The port and the host that are meant when none is given.
for where in '' 'localhost' 'captain.example' '[::1]' '192.0.2.1'; do
    # shellcheck disable=SC2086
    run 60 sc-client ${where:+--connect "$where"} time
    case $where in '') where=localhost ;; esac
    grep -Fq "sc-client: $where:4242 is not trusted: no pin was given; 'sc-client --connect $where:4242 --show-pin'" err ||
        fail "the default port is not 4242: $where"
done

# The name of the server is asked for, an address is not; a certificate inside its dates is good with --strict-expiry too.
odd serve
client 0 --strict-expiry echo hello
run 0 sc-client --connect "localhost:${odd##*:}" --pin server.crt echo hello
wait-for 10 "$odd_pid" contains "$odd_log" 'connection 2: server name localhost' || fail "the server was not asked for by its name"
! grep -q 'connection 1: server name' "$odd_log" || fail "an address was sent as a name"

# --- What a bad server does; what comes after a lost connection is in test-client-retry.sh ---
odd mute
client 75 --timeout $short echo hello
expect_err 'no reply .* within [0-9.]*m?s, 1 unanswered'
# Bytes that trickle in do not put off the end.
odd drip
client 75 --timeout $short echo "$(printf %0400d 0)" # 20 s at this speed
expect_err 'no reply .* within [0-9.]*m?s'
odd wrong-type
client 76 echo hello
expect_err 'broke the protocol: the reply has another type'
odd wrong-length
client 76 echo hello
expect_err 'broke the protocol: the length of the reply is wrong'
odd long-reply
client 76 echo hello
expect_err 'longer than 16 MiB'
odd stray
client 76 --interval 0.5 --count 2 echo hello
expect_err 'without a request|length of the reply'
odd short-error
client 76 echo hello
expect_err 'ERROR frame is too short'
odd half-reply
client 69 --no-retry echo hello
expect_err 'went away with 1 request unanswered: it closed'
# The close has a deadline of its own.
odd hang
client 0 --timeout 1000 echo hello
kill "$odd_pid"
finish "$odd_pid" 143
# --timeout counts from the reply before, and not while nothing is asked.
odd slow "1 300"
printf 'echo %s\n' 1 2 3 4 5 >commands
run 0 sc-client --connect "$odd" --pin server.crt --timeout "$slow" <commands
# The time of a reply counts from its own request, not from the last one.
run 0 sc-client --connect "$odd" --pin server.crt --json --count 3 --interval 0.1 echo hello
sed -n 's/.*"seconds":\([0-9.]*\).*/\1/p' out | awk '$1 < 0.3 { exit 1 } END { exit NR != 3 }' || fail "a reply before its time: $(cat out)"
odd serve
mkfifo thinking
# shellcheck disable=SC2016
background sh -c 'exec sc-client --connect "$1" --pin server.crt --timeout "$2" <thinking' sh "$odd" $short
exec 9>thinking
echo 'echo before' >&9
wait-for 10 "$background_pid" contains "$tmp/background-$background_count.log" before || fail "no reply to a line in a pipe"
wait-for 2 "$background_pid" exists never 2>/dev/null || :
echo 'echo after' >&9
exec 9>&-
finish "$background_pid" 0
grep -q after "background-$background_count.log" || fail "no reply after a pause"
# What is not answered is bounded: a server that takes everything and says nothing does not get all of it.
odd mute
awk 'BEGIN { for (i = 0; i < 200; i++) printf "echo %060000d\n", i }' >commands
run 75 sc-client --connect "$odd" --pin server.crt --timeout "$slow" <commands
wait-for 10 "$odd_pid" contains "$odd_log" 'connection 1: ' || fail "the connection did not end"
got=$(sed -n 's/^connection 1: \([0-9]*\) bytes.*/\1/p' "$odd_log")
[ "$got" -gt 0 ] && [ "$got" -lt 3000000 ] || fail "$got bytes were sent without a reply"
odd cut
client 69 --no-retry echo hello
expect_err 'went away with 1 request unanswered: .*without close_notify'
odd over-limit
client 1 --no-retry --count 3 echo hello
grep -q 'over a limit' err || fail "the reason of the refusal is not printed"
expect_got 1 13


odd error "$(printf 'bad \033[31mday')"
client 1 echo hello
expect_err 'the server answered ERROR 5 \(internal error\): bad \\x1b\[31mday; try again in 1500ms'
[ ! -s out ] || fail "an ERROR was printed as a reply"
client 1 pins
expect_err 'the server answered ERROR 5 \(internal error\)'
printf 'echo one\necho two\n' >commands
run 1 sc-client --connect "$odd" --pin server.crt <commands
expect_out two
run 1 sc-client --connect "$odd" --pin server.crt --json echo hello
grep -q '^{"request":"echo","reply":"error",.*"code":5,"retry_after_ms":1500,"name":"internal error","text":"bad \\u001b\[31mday"}$' out ||
    fail "an ERROR is not a JSON object"
no_err

odd going-away
printf 'echo one\necho two\n' >commands
run 69 sc-client --connect "$odd" --pin server.crt --no-retry <commands
expect_out one
expect_err 'going away \(restart\), 1 unanswered; it asks to come back in 2500ms'

# What would steer the terminal, hide or reorder text is shown by its bytes, on standard error as in JSON.
odd error "$(printf 'a\302\233b\342\200\256c\342\200\213d\303\251\377')"
client 1 echo hello
expect_err '\(internal error\): a\\xc2\\x9bb\\xe2\\x80\\xaec\\xe2\\x80\\x8bd'"$(printf '\303\251')"'\\xff; try again'
odd error "$(printf 'a\302\233b\342\200\256c')"
client 1 --json echo hello
grep -Fq '"text":"a\u009bb\u202ec"' out || fail "JSON reorders the terminal's text"

# Repeated: the status is that of the worst, and the summary comes in any case.
odd error 'bad day'
client 1 --count 3 --interval 0 echo hello
[ "$(grep -c 'the server answered ERROR 5' err)" = 2 ] && [ "$(grep -c ': echo 2, 5 bytes, ' out)" = 1 ] || fail "not every ERROR is printed"
grep -q ': 3 sent, 3 answered, 0 lost, min' out || fail "an ERROR is an answer"
client 1 --count 1 --json echo hello
grep -q '"number":1,"code":5,"retry_after_ms":1500,.*"text":"bad day"}$' out || fail "a repeated command does not say in JSON what the ERROR was"
odd half-reply
client 69 --no-retry --count 3 --interval 0 echo hello
expect_out "$odd: 1 sent, 0 answered, 1 lost"
odd mute
client 75 --no-retry --count 3 --interval 0 --timeout $short --json echo hello
printf '{"sent":1,"answered":0,"lost":1}\n{"error":"no reply from %s within TIME, 1 unanswered","status":75}\n' "$odd" >expected
sed 's/within [0-9.]*m*s,/within TIME,/' out | cmp - expected ||
    fail "a summary and the failure in JSON: $(cat out)"
odd wrong-type
client 76 --count 2 --interval 0 echo hello
expect_out "$odd: 1 sent, 0 answered, 1 lost"
# A server that ends the connection right after its last reply has answered everything.
odd part
client 0 --no-retry echo hello
expect_out hello
no_err
printf 'echo one\n' >commands
run 0 sc-client --connect "$odd" --pin server.crt --no-retry <commands
expect_out one
client 0 --no-retry --count 1 echo hello
grep -q ': 1 sent, 1 answered, 0 lost' out || fail "a reply with which the server closes is not counted"
# It asks to be left alone for a while, and is.
odd going-away 700
started=$(date +%s%N)
client 0 --count 2 --interval 0.3 echo hello
grep -q ': 2 sent, 2 answered, 0 lost' out || fail "a server that went away was not asked again"
[ $(($(date +%s%N) - started)) -ge 700000000 ] || fail "the server was asked again before it wanted to"
# It wants less than the interval, which is kept.
odd going-away 10
started=$(date +%s%N)
client 0 --count 2 --interval 0.7 echo hello
[ $(($(date +%s%N) - started)) -ge 700000000 ] || fail "the server was asked again before the interval was over"
# More than may be unanswered is not sent, until there are replies again.
odd slow '1000 400'
head -c 700000 /dev/zero >body
run 0 sc-client --connect "$odd" --pin server.crt --timeout $((15 * slow)) --count 12 --interval 0.001 echo <body
grep -q ': 12 sent, 12 answered, 0 lost,' out || fail "a repetition ends where nothing more could be sent for a while"
# An ERROR with which the server closes is the last one: the next would be the same.
start_server --max-body 3
run 1 sc-client --connect "$address" --pin server.crt --count 3 --interval 0 echo hello
expect_out "$address: 1 sent, 1 answered, 0 lost"
expect_err 'the server answered ERROR 2 \([^;]*$'
stop_server
# A second passes between two, unless told otherwise.
odd serve
started=$(date +%s%N)
client 0 --count 2 time
[ $(($(date +%s%N) - started)) -ge 1000000000 ] || fail "the interval is not a second"
# One slow reply of ten: minimum, mean, maximum, median and 99th percentile are what they are called.
odd slow "10 $((200 * slow))"
client 0 --count 10 --interval 0 echo hello
tail -n 1 out | sed 's/.* min.avg.max.p50.p99 //; s/ ms$//' | awk -F / '
    $3 < 200 || $5 < 200 || $4 >= $5 / 2 || $1 > $4 || $2 < $3 / 10 || $2 >= $3 { print "not as it was:", $0; exit 1 }' || fail "the summary is wrong"
grep -Eq ': echo 1, 5 bytes, [0-9]{3,}\.[0-9]{3} ms$' out || fail "the time of a slow reply is not in its line"
client 0 --count 10 --interval 0 --json echo hello
sed -n 's/.*"min_seconds":\(.*\),"avg_seconds":\(.*\),"max_seconds":\(.*\),"p50_seconds":\(.*\),"p99_seconds":\(.*\)}/\1 \2 \3 \4 \5/p' out | awk '
    $3 < 0.2 || $5 < 0.2 || $4 >= $5 / 2 || $1 > $4 || $2 < $3 / 10 || $2 >= $3 { print "not as it was:", $0; bad = 1 }
    END { exit bad || NR != 1 }' || fail "the summary in JSON is wrong"
# The longest is that of one of the replies.
grep -Fq "\"seconds\":$(sed -n 's/.*"max_seconds":\([0-9.]*\).*/\1/p' out),\"number\":" out || fail "the times of replies are not those of the summary: $(cat out)"

# --- Servers without TLS ---
odd plain 'SSH-2.0-OpenSSH_9.2
'
client 35 echo hello
expect_err 'an SSH server answered'
odd plain 'HTTP/1.1 400 Bad Request

'
client 35 echo hello
expect_err 'an HTTP server answered'
odd plain
client 75 --timeout $short echo hello
expect_err "handshake with .* timed out after ${short}s"
run 69 sc-client --connect unix:/nonexistent/socket --pin server.crt echo hello
expect_err "can't connect to unix:/nonexistent/socket: No such file or directory; is the server running there\?\$"
kill "$odd_pid"
finish "$odd_pid" 143
run 69 sc-client --connect "$own_host:1" --pin server.crt echo hello
expect_err "can't connect to $own_host:1: Connection refused"
status=0
timeout $((20 * slow)) sc-client --connect nosuchhost.invalid:4242 --pin server.crt --timeout 5 echo hello >out 2>err || status=$?
[ "$status" = 69 ] || [ "$status" = 75 ] || fail "exit status $status for a name that does not exist"
expect_err "can't connect to nosuchhost.invalid:4242"

# What follows has nothing to do with TLS, or is in test-mbedtls.sh.
[ -z "${SC_TEST_TLS_LIBRARY-}" ] || exit 0

# --- Usage, files, output ---
odd serve
for wrong in '--frobnicate' '--timeout' '--timeout x' '--timeout 0' '--timeout 86401' '--count 0 time' '--interval 86401 time' '--connect a:b:c' '--connect localhost:0' 'frobnicate' 'time now' \
    'echo a b' '--show-pin echo' '--pin sha256//x' '--pin ca:' '--session=' '--count 3'; do
    # shellcheck disable=SC2086
    run 64 sc-client --pin server.crt $wrong
    expect_err "^sc-client: .*; try 'sc-client --help'\$"
done
for late in 'echo hello --json' 'time --json' 'doctor --json'; do
    # shellcheck disable=SC2086
    run 64 sc-client --pin server.crt $late
    expect_err '^sc-client: --json: .* options (go )?before'
done
# Too few descriptors for the event loop, and for the connection.
for limit in 5 6; do
    # shellcheck disable=SC2016
    run 71 sh -c 'ulimit -n "$1" && exec sc-client --connect "$2" --pin server.crt time' sh $limit "$odd"
    expect_err '^sc-client: .*(out of file descriptors|Too many open files)'
done
run 66 sc-client --pin nonexistent.crt time
expect_err 'nonexistent.crt: No such file'
run 65 sc-client --pin server.key time
expect_err 'server.key holds no certificate'
for arguments in 'echo hello' '--show-pin' '--help' '--version' '--count 3 --interval 0 echo x' 'doctor' '--json doctor'; do
    status=0
    # shellcheck disable=SC2086
    timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt $arguments >/dev/full 2>err || status=$?
    [ "$status" = 74 ] || fail "exit status $status, not 74, with a full disk: $arguments"
    expect_err 'standard output: No space left'
done
awk 'BEGIN { for (i = 0; i < 100000; i++) print "echo hello" }' >commands
status=0
timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt <commands >/dev/full 2>err || status=$?
[ "$status" = 74 ] || fail "exit status $status, not 74, with a full disk and commands"
for count in '' '--count 2'; do
    status=0
    # shellcheck disable=SC2086
    timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt $count echo <&- >out 2>err || status=$?
    [ "$status" = 66 ] || fail "exit status $status, not 66, with standard input closed: $count"
    expect_err "can't read standard input"
done
run 66 sc-client --connect "$odd" --pin server.crt </
expect_err "can't read standard input"
status=0
timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt echo hello >&- 2>err || status=$?
[ "$status" = 74 ] || fail "exit status $status, not 74, with standard output closed"
run 0 sc-client --help
run 0 sc-client --version
grep -q '^OpenSSL ' out || fail "--version does not name OpenSSL"

# A pipe whose reader has gone ends the program quietly.
mkfifo unread
sh -c 'exec <unread' &
own_pids="$own_pids $!"
exec 8>unread
finish $! 0
awk 'BEGIN { for (i = 0; i < 100000; i++) print "echo a line that fills the buffer of standard output before it is flushed" }' >commands
for arguments in 'echo hello' '--show-pin' '--help' '--version' '--count 100000 --interval 0 echo x' 'doctor' ''; do
    status=0
    # shellcheck disable=SC2086
    timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt $arguments <commands >&8 2>err || status=$?
    [ "$status" = 74 ] || fail "exit status $status, not 74, with a pipe without a reader: $arguments"
    no_err
done
for program in sc-server sc-keygen sc-bench; do
    status=0
    timeout $((20 * slow)) "$program" --help >&8 2>err || status=$?
    [ "$status" = 74 ] || [ "$status" = 141 ] || fail "exit status $status of $program with a pipe without a reader"
    no_err
done
exec 8>&-

# --- Repeated, JSON, verbose, key log ---
client 0 --count 5 --interval 0 echo hello
[ "$(grep -c "^$odd: echo [1-5], 5 bytes, [0-9.]* ms$" out)" -eq 5 ] || fail "no line for every reply"
grep -Eq "^$odd: 5 sent, 5 answered, 0 lost, min/avg/max/p50/p99 ([0-9.]+/){4}[0-9.]+ ms$" out || fail "no summary"
client 0 --count 3 --interval 0.01 --json time
[ "$(grep -c '^{.*}$' out)" -eq 4 ] || fail "not every line is a JSON object"
# shellcheck disable=SC1003
client 0 --json echo 'say "hi"\'
grep -Eq '^\{"request":"echo","reply":"echo","bytes":9,"seconds":[0-9]+\.[0-9]{9},"body":"say \\"hi\\"\\\\"\}$' out || fail "JSON of a reply"
printf '\377\000' | timeout $((20 * slow)) sc-client --connect "$odd" --pin server.crt --json echo >out || fail "JSON of bytes"
grep -q '"body_base64":"/wA="' out || fail "bytes that are not text are not base64 in JSON"
client 0 --verbose echo hello
expect_out hello
for text in "connected to $odd" 'TLSv1.3, cipher TLS_[A-Z0-9_]*, group [^ ]*, full handshake' 'pin matched: cert-sha256:' 'the certificate: valid until 20[0-9-]*, 36[0-9][0-9] more days'; do
    grep -q "$text" err || fail "--verbose does not say: $text"
done
run 0 env SSLKEYLOGFILE="$tmp/keys" sc-client --connect "$odd" --pin server.crt echo hello
expect_err 'warning: SSLKEYLOGFILE'
grep -q '^CLIENT_TRAFFIC_SECRET_0 ' keys || fail "no keys in SSLKEYLOGFILE"

run 0 env SSLKEYLOGFILE="$tmp/nonexistent/keys" sc-client --connect "$odd" --pin server.crt echo hello
expect_err 'warning: .*nonexistent/keys'
run 0 env SSLKEYLOGFILE= sc-client --connect "$odd" --pin server.crt echo hello
no_err
# The doctor and sc-bench likewise; standard output is not touched by it.
run 0 env SSLKEYLOGFILE="$tmp/doctor-keys" sc-client --connect "$odd" --pin server.crt --json doctor
expect_err 'warning: SSLKEYLOGFILE'
grep -q '^CLIENT_TRAFFIC_SECRET_0 ' doctor-keys || fail "the doctor writes no keys"
run 0 env SSLKEYLOGFILE="$tmp/bench-keys" sc-bench --connect "$odd" --pin server.crt -n 1
expect_err 'warning: SSLKEYLOGFILE'
grep -q '^CLIENT_TRAFFIC_SECRET_0 ' bench-keys || fail "sc-bench writes no keys"
run 0 env SSLKEYLOGFILE="$tmp/nonexistent/keys" sc-bench --connect "$odd" --pin server.crt -n 1
expect_err 'warning: .*nonexistent/keys'

# With --json failures are objects on standard output with the same words and the status, wherever they are found.
# failure STATUS ARGUMENT...: the same without --json, for comparison.
failure() {
    expected=$1
    shift
    run "$expected" sc-client "$@"
    words=$(sed 's/^sc-client: //' err)
    run "$expected" sc-client --json "$@"
    no_err
    [ "$(wc -l <out)" -eq 1 ] && [ "$(json-get status <out)" = "$expected" ] && [ "$(json-get error <out | sed 's#\\"#"#g')" = "$words" ] ||
        fail "--json reports it otherwise: $(cat out), and without it: $words"
}
failure 69 --connect unix:/nonexistent --pin server.crt time
failure 60 --connect "$odd" time
failure 66 --pin nonexistent.crt time
failure 64 --frobnicate
failure 64 --pin server.crt frobnicate
failure 64 --pin server.crt --timeout x time
failure 64 --timeout
# As well when the option comes after what is wrong.
run 64 sc-client --frobnicate --json
no_err
[ "$(json-get status <out)" = 64 ] || fail "--json behind a wrong option is not seen: $(cat out)"
run 64 sc-client --frobnicate -- --json
[ ! -s out ] || fail "what stands behind -- is taken for an option: $(cat out)"
failure 66 --connect "$odd" --pin server.crt --cert nonexistent.crt time
echo frobnicate >commands
run 65 sc-client --connect "$odd" --pin server.crt --json <commands
no_err
json-get error <out | grep -q 'line 1: .*frobnicate.* is not a command' || fail "a bad line in JSON: $(cat out)"
# What is printed of the connection is an object, too, and stays on standard error.
client 0 --verbose --json echo hello
[ "$(wc -l <err)" -eq 1 ] && [ "$(json-get tls_version <err)" = TLSv1.3 ] && [ "$(json-get resumed <err)" = false ] &&
    json-get pin <err | grep -q '^cert-sha256:' || fail "--verbose --json: $(cat err)"
[ "$(json-get body <out)" = hello ] || fail "--verbose --json has another reply"
client 0 --session kept time
starts=$(date +%s%N)
run 0 sc-client --connect "localhost:${odd##*:}" --pin server.crt --session kept --verbose --json time
took=$(($(date +%s%N) - starts))
pin=$(sc-keygen --show server.crt | grep -o 'cert-sha256:[^ ]*' | head -n 1)
facts='"peer":"'$odd'","tls_library":"openssl","tls_version":"TLSv1.3","cipher":WORD,"group":WORD'
sed -E 's/"(cipher|group)":"[A-Za-z0-9_]+"/"\1":WORD/g; s/"certificate":"valid until [^"]* more days"/"certificate":DATES/; s/"(connect|handshake)_seconds":[0-9]+\.[0-9]{9}/"\1_seconds":N/g' err >shown
grep -Fqx "{\"connected\":\"localhost:${odd##*:}\",$facts,\"pin\":\"$pin\",\"certificate\":DATES,\"resumed\":true,\"connect_seconds\":N,\"handshake_seconds\":N}" shown ||
    fail "--verbose --json of a resumed connection: $(cat err)"
# In seconds, as parts of the time of the whole run.
sed 's/.*"connect_seconds":\(.*\),"handshake_seconds":\(.*\)}/\1 \2/' err | awk -v took="$took" '{ exit !(($1 + $2) * 1e9 < took) }' ||
    fail "the connect and the handshake take longer than the run, $took ns: $(cat err)"
run 0 sc-client --connect "$odd" --show-pin --verbose --json
[ "$(json-get connected <err)$(json-get pin <err)" = "$odd" ] || fail "--show-pin says in JSON that a pin matched: $(cat err)"
odd going-away 10
printf 'echo one\necho two\n' >commands
run 0 sc-client --connect "$odd" --pin server.crt --verbose --json <commands
while read -r line; do
    printf '%s\n' "$line" | json-get connected >>facts 2>/dev/null || printf '%s\n' "$line" | json-get unanswered >>facts || fail "--verbose --json prints: $line"
done <err
sed -n 2p err >second
[ "$(sed -n 2p facts)" = 1 ] && [ "$(json-get lost <second)" = "$odd" ] && [ "$(json-get status <second)" = 69 ] && json-get error <second | grep -q 'going away' ||
    fail "--verbose --json of a lost connection: $(cat err)"
json-get wait_seconds <second | grep -Eq '^0\.(0[0-9]{2}|100)$' || fail "--verbose --json of the first wait: $(cat err)"
# Repeated, each loss after a reply is a first one again: the wait does not grow to seconds.
(run_seconds=$((8 * slow)) && run 0 sc-client --connect "$odd" --pin server.crt --count 12 --interval 0 time)
grep -q ': 12 sent, 12 answered, 0 lost,' out || fail "--count and a server that goes away after each reply: $(cat out)"
odd serve

# Until interrupted, and then a summary.
background sc-client --connect "$odd" --pin server.crt --interval 0.05 time
wait-for 10 "$background_pid" contains "$tmp/background-$background_count.log" 'time 3, 27 bytes' || fail "--interval without --count"
kill -INT "$background_pid"
finish "$background_pid" 130
grep -Eq 'sent, [0-9]+ answered, [01] lost, min/avg' "background-$background_count.log" || fail "no summary after an interrupt"
# In the first handshake, too.
odd plain
sc-client --connect "$odd" --pin server.crt --count 3 --timeout "$((15 * slow))" time >out 2>err &
client_pid=$!
own_pids="$own_pids $client_pid"
handles "$client_pid" sc-client 2
kill -INT "$client_pid"
finish "$client_pid" 130
expect_out "$odd: 0 sent, 0 answered, 0 lost"
no_err

# --- On a terminal: nothing that steers it. The prompt is in test-client-prompt.sh. ---
export TERM=dumb
odd serve
# Commands from a file, replies on a terminal: control characters, C1 ones and broken UTF-8.
printf 'echo a\033[31mb\302\233c\377\n' >commands
status=0
# shellcheck disable=SC2016
terminal 20 -- sh -c 'exec sc-client --connect "$1" --pin server.crt <commands' sh "$odd" >out 2>err || status=$?
[ "$status" = 0 ] || fail "exit status $status with output on a terminal"
grep -Fq 'a\x1b[31mb\xc2\x9bc\xff' out || fail "control characters reach the terminal"
