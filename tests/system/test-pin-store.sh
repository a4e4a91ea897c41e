#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-client --tofu and --pin-store: the first use, what is learnt later, what becomes of a changed key, and a file that nothing damages.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

export XDG_STATE_HOME="$tmp/state"
known=$tmp/state/space-captain/known_pins
pin() { sc-keygen --show "$1" | sed -n 's/^  sc-client, curl  //p'; }
client() {
    client_status=$1
    shift
    run "$client_status" sc-client --connect "$address" "$@"
}
# The pins of a store, in its order, and how they were learnt.
pins() { sed -n 's/^[^#][^ ]* [^ ]* \([^ ]*\) 20[0-9-]*T[0-9:]*Z \([a-z-]*\)$/\1 \2/p' "$1"; }
has() { # STORE PIN HOW ...
    store=$1
    shift
    [ "$(pins "$store")" = "$(printf '%s %s\n' "$@")" ] || fail "another store than $*: $(cat "$store")"
}
reload() {
    reloads=$(grep -c ' reload' "$server_log" || :)
    kill -HUP "$server_pid"
    wait_log ' reload' 10 $((reloads + 1))
}
silent() { [ ! -s err ] || fail "something is printed: $(cat err)"; }

pass "the first use"
start_server
current=$(pin server.crt)
client 60 echo secret
for mode in --tofu=strict --tofu=ask "--pin-store $tmp/other"; do
    # Without a terminal ask is strict.
    # shellcheck disable=SC2086
    run 60 setsid -w sc-client --connect "$address" $mode echo secret
    expect_err "^sc-client: $address is not trusted, nothing was sent: no pin of it is stored in $tmp/.*sc-client --connect $address.* --tofu=ask'"
done
expect_err "'sc-client --connect $address --pin-store $tmp/other --tofu=ask'"
[ ! -e state ] && [ ! -e other ] || fail "something was stored"
wait_log 'alert_received="unknown CA"' 10 3
[ "$(grep -c 'alert_received="unknown CA"' "$server_log")" = 3 ] || fail "the server got another alert"
! grep -q 'bad certificate' "$server_log" || fail "a client that knows nothing counts as one that is locked out"
client 0 --tofu=new echo hello
expect_out hello
[ "$(cat err)" = "sc-client: warning: $address is new, and is stored with the pin $current, which was not verified" ] || fail "no word: $(cat err)"
has "$known" "$current" first-use
[ "$(stat -c %a state/space-captain "$known")" = "700
600" ] || fail "others can look into the store"
[ "$(sed -n 2p "$known" | cut -d ' ' -f 1,2)" = "127.0.0.1 $port" ] || fail "the name of the server"
client 0 --tofu=new --pin-store first --verbose echo hello
! grep -q 'pin matched' err || fail "--verbose says that a pin matched where there was none: $(cat err)"
for mode in new ask strict; do
    client 0 --tofu=$mode echo hello
    expect_out hello
    silent
done
client 64 --tofu=yes time
expect_err '^sc-client: --tofu: invalid value "yes": expected ask, new or strict; try'
client 64 --tofu=new --pin-store '' time
expect_err '^sc-client: --pin-store: the path of the pin store is empty'
run 64 env -u XDG_STATE_HOME -u HOME sc-client --connect "$address" --tofu=new time
expect_err 'there is no home directory for the pin store'
run 0 env -u XDG_STATE_HOME -u HOME sc-client --connect "$address" --tofu=new --show-pin

pass "ask, on a terminal"
# asked STATUS ANSWER...: what is typed at the question; the store is $tmp/asked.
asked() {
    asked_status=$1
    shift
    rm -f asked
    status=0
    terminal 20 "$@" -- sc-client --connect "$address" --pin-store asked --tofu=ask echo hello >out 2>err || status=$?
    [ "$status" = "$asked_status" ] || fail "exit status $status, not $asked_status, after: $*"
}
# shown FORM: as sc-keygen --show prints it.
shown() { sc-keygen --show server.crt | sed -n "s/^  $1 *//p" | head -n 1; }
asked 0 "$address is not known. Its key is EC P-256:" '' "$current" '' "$(shown 'RFC 7469')" '' "$(shown ssh)" '' "$(shown 'DANE (TLSA)')" '' "$(shown 'certificate  ')" '' \
    '? ' 'yes  \n' hello ''
has asked "$current" confirmed
silent
asked 0 '? ' 'hm\n' 'the pin: ' "$current\n" hello ''
has asked "$current" typed
for form in 'ssh  ' 'DANE (TLSA)' 'certificate  '; do
    asked 0 '? ' "$(shown "$form")\n" hello ''
    has asked "$current" typed
done
asked 60 '? ' 'no\n' 'its key was not confirmed' ''
[ ! -e asked ] || fail "no is taken for yes"
asked 60 '? ' '\x04' 'its key was not confirmed' ''
asked 60 '? ' 'y\n' 'the pin: ' 'server.crt\n' 'the pin: ' '\n' 'not confirmed' ''
asked 60 '? ' "yes$(printf %0400d 0)\\n" 'the pin: ' 'no\n' 'not confirmed' ''
asked 90 '? ' 'sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n' 'does not have the pin that was typed' ''
[ ! -e asked ] || fail "another pin is taken for yes"
# What is confirmed and can't be stored is not trusted.
terminal 20 '? ' 'yes\n' "can't lock /dev/null/x.lock" '' -- sc-client --connect "$address" --pin-store /dev/null/x --tofu=ask echo secret >out 2>err && status=0 || status=$?
[ $status = 73 ] || fail "exit status $status, not 73, where a key that was confirmed can't be stored: $(cat out)"
# strict does not ask.
terminal 20 'is not trusted, nothing was sent' '' -- sc-client --connect "$address" --pin-store asked --tofu=strict echo hello >out 2>err && status=0 || status=$?
[ $status = 60 ] && [ ! -e asked ] || fail "exit status $status, not 60, on a terminal with --tofu=strict: $(cat out)"
# ^C is no answer, and leaves the terminal as it was, at the prompt's question, too.
asked 130 '? ' '\x03'
for option in --no-retry '--count 3 time'; do
    status=0
    # shellcheck disable=SC2086
    terminal 20 '? ' '\x03' -- sc-client --connect "$address" --pin-store asked --tofu=ask $option >out 2>err || status=$?
    [ $status = 130 ] && [ ! -e asked ] || fail "^C at the question with $option: $status, $(cat err)"
done
# After it ^C ends the repetition again, with a summary.
status=0
terminal 20 '? ' 'yes\n' 'time 1, ' '\x03' -- sc-client --connect "$address" --pin-store asked --tofu=ask --interval 1h time >out 2>err || status=$?
[ $status = 130 ] && grep -Eq '1 sent, 1 answered, 0 lost, min/avg' out || fail "^C after the question: $status, $(cat out)"
# At a prompt, and with commands from a pipe: the question is not for standard input.
rm -f asked
status=0
terminal 20 '? ' 'yes\n' '> ' 'echo typed\n' 'typed' '' '> ' 'quit\n' -- sc-client --connect "$address" --pin-store asked --tofu=ask >out 2>err ||
    fail "the prompt after a question: $?"
rm -f asked
# shellcheck disable=SC2016
terminal 20 '? ' 'yes\n' 'piped' '' -- sh -c 'echo "echo piped" | sc-client --connect "$1" --pin-store asked --tofu=ask' sh "$address" >out 2>err ||
    fail "a pipe after a question: $?"
has asked "$current" confirmed
# Whatever mode the terminal is in, the answer is read in lines and seen; afterwards it is in that mode again.
rm -f asked
# shellcheck disable=SC2016
terminal 20 '? ' 'no\n' 'not confirmed' '' -- sh -c 'mode=$(stty -g); stty -icanon -echo
    sc-client --connect "$1" --pin-store asked --tofu=ask echo hello; stty -a; stty "$mode"' sh "$address" >out 2>err || fail "a terminal in another mode: $?"
grep -q '? no' out || fail "the answer is not seen"
grep -q -e ' -icanon' out && grep -q -e ' -echo ' out || fail "the terminal was not given back as it was"
# Also where Enter is no end of a line and ^C no signal.
for typed in 'yes\x0d' '\x03'; do
    [ "$typed" = '\x03' ] && ends='ended with 130' || ends='ended with 0'
    rm -f asked
    # shellcheck disable=SC2016
    terminal 20 '? ' "$typed" "$ends" '' -- sh -c 'trap : INT; mode=$(stty -g); stty -isig -icrnl
        status=0; sc-client --connect "$1" --pin-store asked --tofu=ask echo hello || status=$?; stty "$mode"; echo "ended with $status"' sh "$address" >out 2>err ||
        fail "a terminal without isig and icrnl: $?, $(cat out err)"
done
stop_server
counted requests_echo 13 # those that were answered above, and no other
# A line that is taken out of the store while the prompt is there: no connection, and no question in the middle.
start_server --idle-timeout 3s
client 0 --tofu=new --pin-store removed echo hello
terminal 20 '> ' '!rm removed' 'no request for too long' '' '> ' 'echo secret\n' 'shows its key, and stores it when you say so' '' \
    '> ' 'echo another\n' 'shows its key, and stores it when you say so' '' '> ' '\x04' -- \
    sc-client --connect "$address" --pin-store removed --tofu=ask >out 2>err || fail "a line that was removed from the store: $?"
stop_server
counted requests_echo 1

pass "the next key is learnt, whatever a client is used for"
start_server
fresh() { printf '127.0.0.1 %s %s 2026-11-22T00:00:00Z given\n' "$port" "$current" >"$1"; }
run 0 sc-keygen --next
next=$(pin server.next.key)
reload
learnt() { has "$1" "$current" given "$next" announced; }
fresh s && client 0 --pin-store s echo hello && expect_out hello && silent && learnt s
fresh s && client 0 --pin-store s --verbose time && learnt s
grep -q "^sc-client: $address, in s: the pin of its next key is stored\$" err || fail "--verbose does not say what was learnt"
fresh s && client 0 --pin-store s --verbose --json time
grep -Fqx "{\"learnt\":\"$address\",\"text\":\"$address, in s: the pin of its next key is stored\"}" err || fail "--verbose --json does not say what was learnt: $(cat err)"
fresh s && run 0 sc-client --connect "$address" --pin-store s </dev/null && learnt s
printf 'echo one\nreverse two\npins\n' >commands
fresh s && run 0 sc-client --connect "$address" --pin-store s <commands && learnt s
[ "$(sed 2q out)" = "$(printf 'one\nowt')" ] || fail "the replies: $(cat out)"
fresh s && client 0 --pin-store s --verbose pins && learnt s
grep -qx 'sc-client: this client accepts the next key: s:2' err || fail "pins --verbose does not say that the next key is stored"
grep -qx "sc-client: this client accepts the current key: $current" err || fail "pins --verbose does not say which pin accepts the current key"
grep -qx "sc-client: this client has reported to the server that it accepts $current (s:1)" err || fail "pins --verbose does not say what was named"
! grep -q "has reported to the server that it accepts $next" err || fail "pins --verbose says that a pin was named before it was known"
grep -qx 'sc-client: how many of all clients accept the next key: sc-keygen --status --connect, or the status page of the server' err || fail "where the figure is"
client 0 --pin-store s -v pins
grep -qx "sc-client: this client has reported to the server that it accepts $next (s:2)" err || fail "the next pin is not named: $(cat err)"
client 0 --pin-store s --json pins
[ "$(json-get next_stored <out)/$(json-get next_accepted <out)/$(json-get current_accepted <out)" = "true/true/$current" ] || fail "pins --json: $(cat out)"
[ "$(json-get reported.0 <out) $(json-get reported.1 <out)" = "$current $next" ] || fail "pins --json does not say what was named: $(cat out)"
json-get all_clients <out >/dev/null || fail "pins --json does not say where the figure of all clients is"
# without ACCEPTED TEXT OPTION...: without a pin store nothing is named, and what is accepted follows from the pins that are given.
without() {
    accepted=$1 text=$2
    shift 2
    client 0 "$@" --json pins
    [ "$(json-get next_accepted <out)/$(json-get reported <out)" = "$accepted/[]" ] || fail "pins --json of $*: $(cat out)"
    ! json-get next_stored <out 2>/dev/null || fail "there is no store"
    client 0 "$@" --verbose pins
    grep -q "^sc-client: $text" err && grep -qx 'sc-client: this client has not reported to the server which pins it accepts: it does so with a pin store' err || fail "pins --verbose of $*: $(cat err)"
}
# The user's own store has the next pin, and is not asked.
mkdir -p state/space-captain
cp s state/space-captain/known_pins
client 0 --tofu=strict --json pins
[ "$(json-get next_stored <out)" = true ] || fail "the user's own store is not used: $(cat out)"
without false 'this client does not accept the next key yet$' --pin server.crt
rm state/space-captain/known_pins
without true 'this client accepts the next key: its pin was given$' --pin server.crt --pin server.next.crt
without true 'this client accepts the next key: its pin was given$' --pin "$current;$next"
without null 'it is not known whether this client accepts the next key: ' --pin "$(sc-keygen --show server.crt | sed -n 's/^  certificate      //p')"
without null 'it is not known whether this client accepts the next key: ' --pin server.crt --pin ca:server.next.crt
fresh s && client 0 --pin-store s --count 3 --interval 0 time && learnt s
grep -q '3 sent, 3 answered, 0 lost' out || fail "what the store asks is counted"
fresh s && client 0 --pin-store s --json echo hello && learnt s
[ "$(wc -l <out)" = 1 ] || fail "what the store asks is printed"
fresh s
terminal 20 '> ' 'echo one\n' 'one' '' '> ' '\x04' -- sc-client --connect "$address" --pin-store s >out 2>err || fail "the prompt: $?"
learnt s
fresh s && client 0 --pin-store s --tls-library openssl doctor && pins s | grep -q "$current given" || fail "the doctor"
grep -q "^ok  *pin  *$current (s:1) matches\$" out || fail "the doctor does not name the stored pin"
printf '[captain]\nconnect = %s\npin-store = s\ntofu = strict\n' "$address" >client.conf
mkdir -p xdg-config/space-captain
mv client.conf xdg-config/space-captain/client.conf
fresh xdg-config/space-captain/s
run 0 sc-client --connect captain echo hello
learnt xdg-config/space-captain/s
fresh s && client 0 --pin-store s --proxy-command 'relay %h:%p' echo hello && learnt s

pass "30000 replies in order, and a reconnect that learns"
fresh s
awk 'BEGIN { for (i = 0; i < 30000; i++) printf "echo line %d\n", i }' >commands
mkfifo lines
# shellcheck disable=SC2016
background sh -c 'exec sc-client --timeout "$2" --connect "$1" --pin-store s <lines' sh "$address" $((15 * slow))
one=$background_pid one_log=$tmp/background-$background_count.log
exec 9>lines
cat commands >&9
wait-for 20 "$one" contains "$one_log" 'line 29999' || fail "the replies do not come"
learnt s
stop_server
fresh s
start_server --listen "$address" 9>&-
echo 'echo again' >&9
wait-for 20 "$one" contains "$one_log" again || fail "no reply after a reconnect"
exec 9>&-
finish "$one" 0
{ sed 's/^echo //' commands && echo again; } | cmp - "$one_log" || fail "replies are missing, doubled or out of order"
learnt s

pass "a rotation, and a key that was never announced"
run 0 sc-keygen --promote
reload
client 0 --pin-store s --tofu=strict echo hello
has s "$next" announced
silent
# Back to the key before: what is there is announced as the next key. A client that has not met the other one yet learns it again.
cp -p server.previous.key server.next.key
cp -p server.previous.crt server.next.crt
reload
printf '127.0.0.1 %s %s 2026-11-22T00:00:00Z %s\n' "$port" "$current" given "$port" "$next" announced >late
for store in s late; do
    client 0 --pin-store $store --verbose echo hello
    [ $store = s ] && learns= || learns='; its key is in use, the pins before it are dropped'
    grep -qx "sc-client: $address, in $store: the pin of its next key is stored$learns" err || fail "not printed what was learnt: $(cat err)"
    has $store "$next" announced "$current" announced
    inode=$(stat -c %i $store)
    client 0 --pin-store $store --verbose echo hello
    ! grep -q ", in $store: " err && [ "$(stat -c %i $store)" = "$inode" ] || fail "a store is written without a change: $(cat err)"
done
run 0 sc-keygen --promote
reload
for store in s late; do
    client 0 --pin-store $store echo hello
    has $store "$current" announced
done
next=$current
run 0 sc-keygen --out server --force
reload
cp s before
client 90 --pin-store s --tofu=new echo secret
expect_wrong_pin "$(printf %s "$next" | sed 's/+/[+]/g') \(s:1\)\$"
new=$(pin server.crt)
grep -qx "  got       $new" err || fail "the new pin is not below the old one"
grep -Eqx "  to check +sc-keygen --show /etc/space-captain/server.crt \(on the server\)" err || fail "no command to check"
repair=$(sed -n 's/^  to repair *//p' err)
cmp s before || fail "it was repaired by itself"
client 90 --pin-store s --json echo secret
[ "$(json-get repair <out)" = "$repair" ] && [ "$(json-get check <out)" = 'sc-keygen --show /etc/space-captain/server.crt (on the server)' ] && [ "$(json-get status <out)" = 90 ] || fail "the repair in JSON: $(cat out)"
cp s "it's s"
client 90 --pin-store "it's s" echo secret
run 0 sh -c "$(sed -n 's/^  to repair *//p' err)"
has "it's s" "$new" given
run 0 sh -c "$repair"
has s "$new" given
client 0 --pin-store s --tofu=strict echo hello
# A given pin that does not match is not a first use.
client 90 --pin-store none --tofu=new --pin "$current" echo secret
[ ! -e none ] || fail "a key is stored that a given pin refuses"
# With a store, too, nothing has been reported at the first use.
client 0 --pin-store unreported --tofu=new --verbose pins
grep -qx 'sc-client: this client has not reported to the server which pins it accepts' err || fail "pins --verbose at the first use: $(cat err)"
client 0 --pin-store "it's none" --tofu=new echo hello

pass "resumption"
cp s s1
client 0 --pin-store s --session session echo hello
client 0 --pin-store s --session session --verbose echo hello
grep -q 'resumed handshake' err || fail "the session is not resumed"
cp session good
# Under another store it is worth nothing: a full handshake, and the key decides.
fresh s && client 90 --pin-store s --session session echo secret
cmp good session || fail "a refused connection has changed the session"
cp s1 s
run 0 sc-keygen --next
reload
client 0 --pin-store s --session session --verbose echo hello
grep -q 'resumed handshake' err || fail "the session is not resumed after a reload"
has s "$new" given
[ ! -e session ] || fail "a session is kept over which there is nothing to learn"
client 0 --pin-store s --session session echo hello
has s "$new" given "$(pin server.next.key)" announced
cp s learnt

# In one run: the connection that is resumed gives its session up, and the one after it learns.
stop_server
mv server.next.key kept.key && mv server.next.crt kept.crt
start_server --listen "$address" --idle-timeout ${slow}s
cp s1 s
# shellcheck disable=SC2016
background sh -c 'exec sc-client --verbose --timeout "$2" --connect "$1" --pin-store s <lines' sh "$address" $((15 * slow))
one=$background_pid one_log=$tmp/background-$background_count.log
exec 9>lines
logged() { wait-for 20 "$one" contains "$one_log" "$1" "$2" || fail "not $2 times: $1"; }
echo 'echo one' >&9
logged 'the next request connects again' 1
mv kept.key server.next.key && mv kept.crt server.next.crt
reload
echo 'echo two' >&9
logged 'the next request connects again' 2
logged 'resumed handshake' 1
has s "$new" given
echo 'echo three' >&9
logged 'the pin of its next key is stored' 1
logged 'full handshake' 2
exec 9>&-
finish "$one" 0
has s "$new" given "$(pin server.next.key)" announced
stop_server
start_server --listen "$address"

pass "a file that is refused"
# refused STATUS PATTERN
refused() {
    client "$1" --pin-store bad --tofu=new echo secret
    expect_err "^sc-client: the pin store: $2"
}
for line in nonsense "127.0.0.1 $port $new 2026-11-22T00:00:00Z" "other 0 $new 2026-11-22T00:00:00Z given" \
    "127.0.0.1 $port sha256//AAAA 2026-11-22T00:00:00Z given" "127.0.0.1 $port $new yesterday given"; do
    { cat learnt && echo "$line"; } >bad
    refused 65 'bad:3: '
done
for bytes in 'x\0y\n' "127.0.0.1\\0x $port $new 2026-11-22T00:00:00Z given\\n" "127.0.0.1 $port $new 2026-11-22T00:00:00Z given\\r\\n"; do
    # shellcheck disable=SC2059
    printf "$bytes" >bad
    refused 65 'bad:1: '
done
for mode in 620 602 666; do
    cp learnt bad
    chmod $mode bad
    refused 65 "bad can be written by others \(mode 0$mode\)"
    chmod 600 bad
done
if [ "$(id -u)" = 0 ]; then
    chown 12345 bad
    refused 65 'bad belongs to another user \(12345\)'
    rm -f bad
else
    skip_part "another user's file: only root can make one"
    rm bad
fi
ln -s learnt bad
refused 65 'bad is a symbolic link$'
rm bad
mkfifo bad
refused 66 "can't read bad: it is not a regular file"
rm bad
mkdir bad
refused 66 "can't read bad: it is a directory"
rmdir bad
client 66 --pin-store /dev/null --tofu=new echo secret
expect_err "^sc-client: the pin store: can't read /dev/null: it is not a regular file"
head -c 1100000 /dev/zero | tr '\0' '#' >bad
refused 66 "can't read bad: it is larger than"
rm bad
client 73 --pin-store /dev/null/x --tofu=new echo secret
expect_err "^sc-client: the pin store: can't lock /dev/null/x.lock: Not a directory"
client 73 --pin-store /dev/null/a/x --tofu=new echo secret
expect_err "^sc-client: the pin store: can't make the directory /dev/null/a: Not a directory"

pass "a full disk"
# shellcheck disable=SC2016
full() { sh -c 'trap "" XFSZ; ulimit -f 0; exec "$@"' sh "$@" 2>&1 | cat >output; }
full sc-client --connect "$address" --pin-store none2 --tofu=new echo secret
[ "$(cat output)" = "sc-client: the pin store: can't write none2: File too large" ] || fail "a first use that cannot be stored: $(cat output)"
cp s1 s
full sc-client --connect "$address" --pin-store s echo hello
cmp s s1 || fail "a full disk has damaged the store"
full sc-client --connect "$address" --pin-store s --verbose pins
grep -qx 'sc-client: this client does not accept the next key yet' output || fail "pins --verbose does not say that the next key is not stored"
full sc-client --connect "$address" --pin-store s echo hello
grep -q '^hello' output && grep -q "warning: the pin store: can't write s: File too large; no pin was stored\$" output || fail "a full disk was not reported: $(cat output)"
[ "$(echo s.* none2*)" = "s.* none2*" ] || fail "something was left: $(echo s.* none2*)"

pass "a reply to PINS that is too long, with nothing else to do"
rm -f odd-port
background odd-server long-reply server.crt server.key odd-port
wait-for 20 "$background_pid" exists odd-port || fail "odd-server did not start"
odd=127.0.0.1:$(cat odd-port)
for commands in '' '# nothing'; do
    echo "$commands" >commands
    run 76 sh -c "sc-client --connect $odd --pin server.crt --pin-store odd-store <commands"
    expect_err "^sc-client: $odd broke the protocol: a reply is longer than 16 MiB\$"
done
run 76 sc-client --connect "$odd" --pin server.crt --pin-store odd-store echo hello
expect_err "^sc-client: $odd broke the protocol: a reply is longer than 16 MiB\$"

pass "two dozen at the same time"
pids=
cp s1 s
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do
    case $i in
    *[02468]) background sc-client --connect "$address" --pin-store s echo hello ;;
    *) background sc-client --connect "localhost:$port" --pin-store s --tofu=new echo hello ;;
    esac
    pids="$pids $background_pid"
done
for pid in $pids; do
    finish "$pid" 0
done
[ "$(grep -h 'is new, and is stored' background-*.log | wc -l)" -ge 1 ] || fail "nobody has stored it"
[ "$(grep -c "^127.0.0.1 $port " s) $(grep -c "^localhost $port .* first-use\$" s)" = "2 1" ] || fail "the store of two dozen: $(cat s)"
[ "$(echo s.*)" = "s.*" ] || fail "something was left: $(echo s.*)"

pass "killed at any system call"
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS
n=1
while :; do
    rm -f s s.*
    cp s1 s
    status=0
    kill-at $n sc-client --connect "$address" --pin-store s echo hello >kill.log 2>&1 || status=$?
    [ $status != 77 ] || { skip_part "nobody may trace here"; break; }
    [ $status -lt 2 ] || fail "it fails when it is traced: $status"
    cmp -s s s1 || [ "$(pins s)" = "$(pins learnt)" ] || fail "call $n: the store is damaged: $(cat s)"
    [ "$(stat -c %a s)" = 600 ] || fail "call $n: others can read the store"
    # What was left keeps nobody from going on.
    [ ! -e s.new ] && [ ! -e s.lock ] || { sc-client --connect "$address" --pin-store s echo hello >out && [ "$(pins s)" = "$(pins learnt)" ]; } ||
        fail "call $n: the next client does not go on"
    [ $status = 0 ] || break
    n=$((n + 1))
done
[ $n -gt 10 ] || [ $status = 77 ] || fail "only $n system calls"
pass "$n times"
unset ASAN_OPTIONS
stop_server

pass "a server whose max-body is less than a pin is asked without one"
start_server --max-body 16
run 0 sc-client --connect "$address" --pin-store small --tofu=new echo hello
run 0 sc-client --connect "$address" --pin-store small echo hello
expect_out hello
expect_err 'did not send its pins: ERROR 2'
stop_server
