#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-client doctor: every layer that can fail does, is named first, decides the exit status, and says the way out.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
needs openssl

# verdict LAYER VERDICT [PATTERN]: a line of the last run says so.
verdict() {
    grep -Eq -- "^$2 +$1 {1,}.*${3-}" out || fail "the doctor does not say \"$2\" of $1: ${3-}"
}
# odd MODE [TEXT]: $odd is the address of an odd-server.
odd_count=0
odd() {
    odd_count=$((odd_count + 1))
    background_seconds=100 background odd-server "$1" server.crt server.key "odd-port-$odd_count" "${2-}"
    wait-for 20 "$background_pid" exists "odd-port-$odd_count" || fail "odd-server $1 did not start"
    odd=127.0.0.1:$(cat "odd-port-$odd_count")
}
# every LINE of JSON is one object, and so is the last.
all_json() {
    while read -r line; do
        printf '%s\n' "$line" | json-get layer >>layers || fail "not a JSON object with a layer: $line"
    done <out
    [ "$(tail -n 1 out | json-get status)" = "$1" ] || fail "the last object has not the status $1"
    [ "$1" = 0 ] && sum=ok || sum=failed
    [ "$(tail -n 1 out | json-get verdict)" = $sum ] || fail "the last object does not say $sum"
    [ ! -s err ] || fail "there is something on stderr"
}

# --- All is well ---
start_server
doctor() { # STATUS OPTION...
    expected=$1
    shift
    run "$expected" sc-client --connect "$address" --timeout $((15 * slow)) "$@" doctor
}
doctor 0 --pin server.crt
for layer in name connect 'TLS 1.2' 'TLS 1.3' certificate pins pin trust ALPN resumption 'client certificate' request clock 'round trip'; do
    verdict "$layer" ok
done
verdict pin ok 'server.crt matches'
verdict ALPN ok 'space-captain/1'
verdict resumption ok 'resumed the session'
verdict 'client certificate' ok 'not asked for'
verdict clock ok 'error of'
[ "$(tail -n 1 out)" = 'All is well.' ] || fail "it does not sum up"
# The pins are those that --show-pin prints.
for pin in $(grep -Eo 'sha256//[^ ]*|pin-sha256=[^ ]*|SHA256:[^ ]*|cert-sha256:[^ ]*' out | sort -u); do
    run 0 sc-client --connect "$address" --pin "$pin" echo pinned
done
# In JSON each layer has the facts that belong to it, and no others.
starts=$(date +%s%N)
doctor 0 --pin server.crt --json
took=$(($(date +%s%N) - starts))
all_json 0
cp out objects
run 0 sc-client --connect "$address" --show-pin --json
cat >expected <<END
"name" "addresses":"$address","seconds":N
"connect" "address":"$address","seconds":N
"TLS 1.3" "cipher":WORD,"group":WORD,"seconds":N
"TLS 1.2" "cipher":WORD,"group":WORD,"seconds":N
"certificate" "names":WORD,"not_before":DATE,"not_after":DATE
"pins" $(sed 's/.*\("curl":.*\),"not_before".*/\1/' out)
"pin" "given":"server.crt"
"trust"
"ALPN" "chosen":"space-captain/1"
"client certificate" "asked":"no"
"resumption" "seconds":N
"request"
"clock" "ahead_seconds":N,"error_seconds":N
"round trip" "min_seconds":N,"avg_seconds":N,"max_seconds":N
END
sed -E -e '$d' -e 's/^\{"layer":("[^"]+"),"verdict":"ok","text":"([^"\]|\\.)*",?(.*)\}$/\1 \3/; s/ $//' -e 's/"([a-z_]*seconds)":-?[0-9]+\.[0-9]{9}/"\1":N/g' \
    -e 's/"(cipher|group|names)":"[^"]+"/"\1":WORD/g; s/"(not_before|not_after)":"20[0-9]{2}-[0-9]{2}-[0-9]{2}"/"\1":DATE/g' objects | diff expected - ||
    fail "other facts in JSON: $(cat objects)"
# Those of time are in seconds, and parts of the time of the whole run; the clock is compared by the fastest reply, half of whose time is the error.
sed -n 's/.*"\(max_\)\{0,1\}seconds":\([0-9.]*\)}$/\2/p' objects | awk -v took="$took" '{ sum += $1 } END { exit !(NR == 6 && sum * 1e9 < took) }' ||
    fail "the times in JSON are longer than the run: $(cat objects)"
sed -n 's/.*"error_seconds":\(.*\)}/\1/p; s/.*min.avg.max \(.*\) ms","min_seconds":\(.*\),"avg_seconds":\(.*\),"max_seconds":\(.*\)}/\1 \2 \3 \4/p' objects | tr '\n/' '  ' |
    awk 'function same(a, b) { return a - b < 2e-6 && b - a < 2e-6 } { exit !(same(2 * $1, $5) && same($2 / 1e3, $5) && same($3 / 1e3, $6) && same($4 / 1e3, $7) && $5 <= $6 && $6 <= $7) }' ||
    fail "the round trip and the error of the clock are not as they are called: $(cat objects)"
# By a name, by a unix socket.
run 0 sc-client --connect "localhost:$port" --pin ca:server.crt --cert server.crt --key server.key doctor
verdict name ok 'localhost is .*127.0.0.1'
verdict 'client certificate' ok 'not asked for; --cert is of no use here'
# It only looks: nothing is stored, whatever --tofu says.
run 60 sc-client --connect "$address" --timeout $((15 * slow)) --tofu=new --pin-store stored doctor
[ ! -e stored ] || fail "the doctor has stored a pin"
verdict trust FAILED 'no pin was given, and none is stored, so nothing is sent'
# A stored pin is one as any other: it matches, or it does not.
run 0 sc-client --connect "$address" --tofu=new --pin-store stored time
doctor 0 --pin-store stored
verdict pin ok 'sha256//.* \(stored:[0-9]+\) matches'
# Any one of several is enough, wherever it is.
sed -n 's#sha256//[^ ]*#sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=#p' stored >unlike
cat stored unlike >several
doctor 0 --pin-store several
verdict pin ok 'sha256//.* \(several:[0-9]+\) matches'
verdict pin note 'sha256//AAAA.* \(several:[0-9]+\) does not match'
sed -i 's#sha256//[^ ]*#sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=#' stored
doctor 90 --pin-store stored
verdict pin note 'sha256//AAAA.* \(stored:[0-9]+\) does not match'
verdict trust FAILED 'no pin that was given or stored matches'
# All bytes of a stored pin are compared.
run 0 sc-client --connect "$address" --tofu=new --pin-store alike time
sed -i 's#\(sha256//.\{30\}\)[^ ]*#\1AAAAAAAAAAAAA=#' alike
doctor 90 --pin-store alike
verdict pin note 'sha256//.*AAAAAAAAAAAAA= \(alike:[0-9]+\) does not match'
verdict trust FAILED 'no pin that was given or stored matches'
# With a store that can't be used sc-client makes no connection, whatever else matches: nothing is asked for either.
mkdir unusable
run 66 sc-client --connect "$address" --pin server.crt --pin-store unusable time
doctor 66 --pin server.crt --pin-store unusable
verdict pin ok 'server.crt matches'
verdict pin FAILED unusable
verdict request skipped
stop_server
start_server --listen "unix:$tmp/socket" --listen "$own_host:0"
run 0 sc-client --connect "unix:$tmp/socket" --pin ca:server.crt doctor
verdict connect ok
verdict pin ok 'ca:server.crt matches'
# The certificate is not for every address.
run 90 sc-client --connect "$(sed -n 2p "$port_file")" --pin ca:server.crt doctor
verdict pin note 'ca:server.crt does not match: '
stop_server
pass "a good server"

# --- No pin, a wrong one, one of two: nothing is sent without a match ---
start_server --log-level debug
doctor 60
verdict trust FAILED 'no pin was given, so nothing is sent'
verdict request skipped 'the server is not trusted'
doctor 90 --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
verdict pin note 'A= does not match'
verdict trust FAILED 'no pin that was given matches'
verdict request skipped
[ "$(tail -n 1 out)" = 'The first layer that fails: trust (exit status 90).' ] || fail "it does not sum up"
doctor 90 --json --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
all_json 90
[ "$(tail -n 1 out | json-get first)" = trust ] && [ "$(grep '"layer":"trust"' out | json-get status)" = 90 ] || fail "what has failed, in JSON: $(cat out)"
doctor 0 --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= --pin server.crt
verdict pin note 'A= does not match'
verdict pin ok 'server.crt matches'
doctor 0 --pin server.crt --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=
verdict trust ok 'a pin matches'
stop_server
odd serve
run 90 sc-client --connect "localhost:${odd##*:}" --pin "cert-sha256:$(printf '%064d' 0)" doctor
run 0 sc-client --connect "$odd" --show-pin # one connection after the other: this is the last
! grep -v ': 0 bytes' "background-$background_count.log" | grep -q bytes || fail "something was sent to a server that is not trusted"
# Each handshake asks for the server by its name, as sc-client does: it may have another certificate for another name.
[ "$(grep -c 'server name localhost' "background-$background_count.log")" = 4 ] || fail "not each handshake has the name of the server"
pass "pins"

# --- Nothing there, another service there ---
run 69 sc-client --connect 127.0.0.1:1 --pin server.crt doctor
verdict connect FAILED 'Connection refused; nothing listens there'
verdict TLS skipped
run 69 sc-client --connect "unix:$tmp/nothing" --pin server.crt doctor
verdict connect FAILED 'no such socket'
status=0
timeout $((30 * slow)) sc-client --connect nosuchhost.invalid --timeout 5 --pin server.crt doctor >out 2>err || status=$?
[ "$status" = 69 ] || [ "$status" = 75 ] || fail "exit status $status for a name that does not exist"
verdict name FAILED nosuchhost.invalid
odd plain 'HTTP/1.1 400 Bad Request

'
run 35 sc-client --connect "$odd" --pin server.crt doctor
verdict TLS FAILED 'an HTTP server answered; is this the right port'
verdict request skipped 'there is no handshake'
verdict connect ok
odd plain-echo
run 35 sc-client --connect "$odd" --pin server.crt doctor
verdict TLS FAILED 'does it send back what it gets'
odd plain hi
run 75 sc-client --connect "$odd" --pin server.crt --timeout "$short" doctor
verdict TLS FAILED 'the server does not speak TLS on this port'
odd plain
# What is known is printed at once, to a pipe or a file, too.
background sc-client --connect "$odd" --pin server.crt --timeout 1000 doctor
wait-for 10 "$background_pid" contains "background-$background_count.log" "$odd in " || fail "what is known is not printed while the next step takes its time"
kill "$background_pid"
finish "$background_pid" 143
run 75 sc-client --connect "$odd" --pin server.crt --timeout "$short" doctor
verdict TLS FAILED 'no end of the handshake in time'
[ "$(tail -n 1 out)" = 'The first layer that fails: TLS (exit status 75).' ] || fail "it does not sum up"
pass "no server, another server"

# --- TLS: one version only, another ALPN, client certificates, dates ---
printf '[tls]\nMinProtocol = TLSv1.3\n' >tls13.conf
start_server -c tls13.conf
doctor 0 --pin server.crt
verdict 'TLS 1.2' note 'not taken'
verdict 'TLS 1.3' ok
stop_server
run 0 sc-keygen --out alice
run 0 sc-keygen --out bob
for version in 1.2 1.3; do
    printf '[tls]\nMaxProtocol = TLSv%s\n' $version >version.conf
    start_server -c version.conf --client-auth require --client-pin alice.crt
    doctor 35 --pin server.crt
    verdict 'client certificate' FAILED 'required: give one .* with --cert and --key'
    [ $version = 1.2 ] && why='there is no handshake' || why='the connection would be refused'
    verdict request skipped "$why"
    ! grep -q '^[a-z]*  *resumption ' out || fail "it resumes a session where nobody gets in"
    doctor 35 --pin server.crt --json
    [ "$(grep '"layer":"client certificate"' out | json-get asked)" = required ] || fail "that one is required, in JSON: $(cat out)"
    doctor 0 --pin server.crt --cert alice.crt --key alice.key
    verdict 'client certificate' ok 'asked for'
    verdict request ok
    # One that the server does not know.
    doctor 35 --pin server.crt --cert bob.crt --key bob.key
    verdict request FAILED
    # With TLS 1.2 the handshake ends for it; a server that has 1.2 alone does not have 1.3.
    if [ $version = 1.2 ]; then
        verdict 'TLS 1.2' note 'not without a client certificate'
        verdict 'TLS 1.3' note 'not taken'
    else
        # What fails first decides, not what fails last.
        doctor 60
        verdict trust FAILED 'no pin was given'
        verdict 'client certificate' FAILED required
        [ "$(tail -n 1 out)" = 'The first layer that fails: trust (exit status 60).' ] || fail "of two layers that fail it names $(tail -n 1 out)"
    fi
    stop_server
done
start_server --client-auth optional --client-pin alice.crt
doctor 0 --pin server.crt
verdict 'client certificate' note 'not required'
doctor 0 --pin server.crt --json
[ "$(grep '"layer":"client certificate"' out | json-get asked)" = optional ] || fail "that one is optional, in JSON: $(cat out)"
stop_server
mkfifo endless
exec 3<>endless
# A server that gives no sessions is not waited for as long as a reply; and a name that would steer the terminal is none.
openssl req -x509 -key server.key -subj /CN=x -addext "subjectAltName=DNS:a$(printf '\033')[31mb" -days 10 -out steers.crt 2>openssl.log || fail "openssl req"
for tickets in 1 0; do
    openssl s_server -accept 127.0.0.1:0 -cert steers.crt -key server.key -alpn h2 -no_ticket -no_cache -num_tickets $tickets >s_server-$tickets.log 2>&1 <&3 &
    other_pid=$!
    own_pids="$own_pids $other_pid"
    wait-for 10 "$other_pid" contains s_server-$tickets.log ACCEPT || fail "openssl s_server did not start"
    run 35 sc-client --connect "$(sed -n 's/^ACCEPT //p' s_server-$tickets.log | head -n 1)" --pin steers.crt --timeout 1000 doctor
    verdict certificate ok 'for no host; from '
    verdict ALPN FAILED 'does not speak space-captain/1'
    [ $tickets = 0 ] && why='gives no sessions' || why='did not resume its session'
    verdict resumption note "$why"
    verdict 'TLS 1.3' ok
    verdict 'TLS 1.2' ok
    verdict trust ok
    verdict request skipped
    kill "$other_pid"
    wait-for 10 "$other_pid" ends || fail "openssl s_server does not end"
    forget_pid "$other_pid"
done
# A server that ends after four connections: the resumption and the request find nobody.
openssl s_server -accept 127.0.0.1:0 -cert server.crt -key server.key -naccept 4 >s_server-ends.log 2>&1 <&3 &
other_pid=$!
own_pids="$own_pids $other_pid"
wait-for 10 "$other_pid" contains s_server-ends.log ACCEPT || fail "openssl s_server did not start"
run 69 sc-client --connect "$(sed -n 's/^ACCEPT //p' s_server-ends.log | head -n 1)" --pin server.crt --timeout $((15 * slow)) doctor
verdict resumption note 'it failed: '
verdict request FAILED "can't connect"
forget_pid "$other_pid"
run 0 sc-keygen --out old
dated_certificate old 20200101000000Z 20210101000000Z old.crt
cp server.crt right.crt
cp server.key right.key
cp old.crt server.crt
cp old.key server.key
start_server
doctor 0 --pin old.crt
verdict certificate note 'expired'
verdict trust ok
doctor 60 --pin old.crt --strict-expiry
verdict certificate FAILED 'strict-expiry'
verdict request skipped 'the connection would be refused'
doctor 90 --pin ca:old.crt
verdict pin note 'ca:old.crt does not match: .*expired on 2021-01-01'
# One that is not good yet, too.
dated_certificate old 20480101000000Z 20490101000000Z old.crt
cp old.crt server.crt
kill -HUP "$server_pid"
wait_log ' reloaded '
doctor 0 --pin old.crt
verdict certificate note 'not valid before 2048-01-01'
doctor 60 --pin old.crt --strict-expiry
verdict certificate FAILED 'strict-expiry'
stop_server
pass "versions, ALPN, client certificates, dates"

# --- A machine without IPv6, in a name space: the name has an address of it, which is reported and passed over ---
printf '::1 captain.test\n127.0.0.1 captain.test\n' >hosts
run 0 sc-keygen --out other
cat >without-ipv6.sh <<'END'
echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6 && ip link set lo up && mount --bind hosts /etc/hosts || exit 77
sc-server --listen 127.0.0.1:0 --port-file port --certificate right.crt --private-key right.key >without-ipv6.log 2>&1 &
server=$!
wait-for 20 $server exists port || exit 1
port=$(sed 's/.*://' port)
sc-client --connect "captain.test:$port" --pin right.crt doctor >both.out 2>&1
echo "$?" >both.status
sc-client --connect "captain.test:$port" --pin right.crt echo hello >echo.out 2>&1
sc-client --connect "[::1]:$port" --pin right.crt doctor >only.out 2>&1
echo "$?" >only.status
# A network behind the loopback interface: what is sent there is dropped without a word.
if ip route add 192.0.2.0/24 dev lo; then
    sc-client --connect 192.0.2.7:4242 --timeout 0.3 --pin right.crt doctor >silent.out 2>&1
    echo "$?" >silent.status
fi
# Of several addresses that answer it goes on with the one that sc-client takes.
printf '127.0.0.2 captain.test\n127.0.0.1 captain.test\n' >hosts
sc-server --listen "127.0.0.2:$port" --port-file port2 --certificate other.crt --private-key other.key >second.log 2>&1 &
second=$!
wait-for 20 $second exists port2 || exit 1
sc-client --connect "captain.test:$port" --pin other.crt echo hello >first.out 2>&1 && pin=other.crt || pin=right.crt
sc-client --connect "captain.test:$port" --pin $pin doctor >several.out 2>&1
echo "$?" >several.status
kill $second
wait $second
kill $server
wait $server
END
status=77
if unshare -rmn true 2>/dev/null && command -v ip >/dev/null && [ -e /proc/sys/net/ipv6/conf/all/disable_ipv6 ]; then
    status=0
    unshare -rmn sh without-ipv6.sh >out 2>&1 || status=$?
fi
if [ "$status" = 77 ]; then
    skip_part "no name space without IPv6 can be made here (unshare -rmn, ip)"
else
    [ "$status" = 0 ] || fail "the server without IPv6 ended with $status"
    [ "$(cat both.status only.status)" = "$(printf '0\n69')" ] || fail "exit statuses without IPv6: $(cat both.status only.status)"
    [ "$(cat echo.out)" = hello ] || fail "a request without IPv6: $(cat echo.out)"
    cp both.out out
    verdict name ok 'captain.test is [^ ]+:[0-9]+, [^ ]+:[0-9]+, in '
    verdict connect note '\[::1\]:[0-9]+: .*; this host has no route to it'
    verdict connect ok '127.0.0.1:[0-9]+ in '
    verdict request ok
    [ "$(cat several.status)" = 0 ] || fail "of two addresses that answer the doctor goes on with another than sc-client: $(cat several.out)"
    cp only.out out
    verdict connect FAILED '\[::1\]:[0-9]+: .*; this host has no route to it'
    verdict TLS skipped
    pass "a machine without IPv6"
    if [ -e silent.status ]; then
        cp silent.out out
        [ "$(cat silent.status)" = 75 ] || fail "exit status $(cat silent.status) when nobody answers"
        verdict connect FAILED '192.0.2.7:4242: .*a firewall, or no such host'
    else
        skip_part "no route into nowhere can be made here"
    fi
fi

# --- What it answers ---
mv right.crt server.crt
mv right.key server.key
# 19.25 s behind, as seen between the two dates.
second=$(($(date +%s) - 20))
odd answer "$(date -u -d "@$second" +%Y-%m-%dT%H:%M:%S).750000Z"
before=$(date +%s.%N)
run 0 sc-client --connect "$odd" --pin server.crt --json doctor
after=$(date +%s.%N)
grep '"layer":"clock","verdict":"note"' out | json-get ahead_seconds | awk -v then="$second.75" -v before="$before" -v after="$after" \
    '{ exit !($1 > then - after - 0.05 && $1 < then - before + 0.05) }' || fail "the server's clock is not as far behind as it is: $(cat out)"
run 0 sc-client --connect "$odd" --pin server.crt doctor
verdict clock note 's behind this host'
verdict ALPN note 'has chosen no protocol'
odd answer 2199-01-01T00:00:00.000000Z
run 0 sc-client --connect "$odd" --pin server.crt doctor
verdict clock note 's ahead of this host'
for answer in hello abcdefghijklmnopqrstuvwxyz1 2026-01-01T00:00:00+01:0000; do
    odd answer "$answer"
    run 76 sc-client --connect "$odd" --pin server.crt doctor
    verdict request FAILED 'the reply to TIME is not a time'
    ! grep -Eq '^ok  *request |^[a-z]*  *clock ' out || fail "what follows a request that has failed: $(cat out)"
done
# Three to four seconds ahead, less what this takes: what is said of it follows from the figures.
odd answer "$(date -u -d "@$(($(date +%s) + 4))" +%Y-%m-%dT%H:%M:%S).000000Z"
run 0 sc-client --connect "$odd" --pin server.crt --json doctor
grep '"layer":"clock"' out >clock
ahead=$(json-get ahead_seconds <clock) error=$(json-get error_seconds <clock)
awk -v a="$ahead" -v e="$error" 'BEGIN { off = a < 0 ? -a : a; side = a > 0 ? "ahead of" : "behind"
    if (off > 5 + e) print "note"; else if (off > e) printf "the server is %.3f ms %s this host, with an error of %.3f ms\n", off * 1000, side, e * 1000; else print "ok" }' >expected
case $(cat expected) in
note | ok) [ "$(json-get verdict <clock)" = "$(cat expected)" ] || fail "the verdict on the clock: $(cat clock)" ;;
*) json-get text <clock | cmp - expected && [ "$(json-get verdict <clock)" = ok ] || fail "a small difference of the clocks: $(cat clock)" ;;
esac
odd error 'a bad day'
run 1 sc-client --connect "$odd" --pin server.crt doctor
verdict request FAILED 'the server answered ERROR 5 \(internal error\): a bad day'
odd mute
run 75 sc-client --connect "$odd" --pin server.crt --timeout "$short" doctor
verdict request FAILED 'no reply'
# A connection that is lost is what the doctor is to find: it does not connect again.
odd over-limit
run 1 sc-client --connect "$odd" --pin server.crt doctor
verdict request FAILED 'over a limit \(too many\)'
! grep -q 'given up' out || fail "the doctor tries again"
pass "requests"

# --- Usage ---
run 64 sc-client --pin server.crt doctor now
expect_err 'doctor takes no TEXT'
run 64 sc-client --pin server.crt --count 3 doctor
run 64 sc-client --pin server.crt --proxy-command true doctor
