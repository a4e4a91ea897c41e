#!/bin/sh
# SPDX-License-Identifier: MIT
# How many clients accept the next key: what they say in their PINS requests, seen in the metrics, in --status and by sc-keygen --status --connect.
test_seconds=60
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs openssl curl

pin() { sc-keygen --show "$1" | sed -n 's/^  sc-client, curl  //p'; }
# The same in an extended regular expression.
pin_expression() { pin "$1" | sed 's/[+]/[+]/g'; }
# The pin of a key as printf(1) writes its bytes.
pin_bytes() { openssl pkey -in "$1" -pubout -outform DER | openssl dgst -sha256 -binary | od -An -v -to1 | tr -d '\n' | sed 's/  */\\/g'; }
# ask ADDRESS [KEY]...: a client there asks for PINS and names these keys. After it a request that the server ends the connection for.
ask() {
    from=$1 body=
    shift
    for key; do
        body=$body$(pin_bytes "$key")
    done
    header=$(printf '\\0\\0\\0\\4\\0\\0\\%o\\%o' $(($# * 32 / 256)) $(($# * 32 % 256)))
    # shellcheck disable=SC2059
    printf "$header$body"'\0\0\0\1\377\377\377\377' | openssl s_client -quiet -bind "$from:0" -connect "$address" >reply 2>s_client.log ||
        fail "openssl s_client: $(cat s_client.log)"
    [ "$(od -An -tx1 -N4 reply | tr -d ' ')" = 00000004 ] || fail "no reply to PINS"
}
# clients NEXT OTHERS UNKNOWN NOT_SINCE: the gauges
clients() {
    curl -sS -m 10 "http://$admin/metrics" >metrics
    figures=$(sed -n 's/^spacecaptain_pins_clients{accepts="\([a-z_]*\)"} /\1=/p' metrics | tr '\n' ' ')
    [ "$figures" = "next=$1 others=$2 unknown=$3 not_asked_since=$4 " ] || fail "the clients are $figures, not $*"
}
metric() { grep -qx "spacecaptain_$1" metrics || fail "not $1: $(grep "^spacecaptain_${1%%[ {]*}" metrics)"; }
status_line() {
    run 0 sc-server --status "$admin"
    grep -qE "^$1\$" out || fail "--status does not say: $1"
}
start() {
    start_server -c /dev/null --reload-interval 0 --metrics-listen 127.0.0.1:0 --workers 2
}
reload() {
    reloads=$(grep -c ' reloaded ' "$server_log" || :)
    kill -HUP "$server_pid"
    wait_log ' reloaded ' 10 $((reloads + 1))
}

# safe STATUS PATTERN: of sc-keygen --status --connect; the pattern is on stdout, or on stderr
safe() {
    run "$1" sc-keygen --status --connect "$admin"
    if [ "$1" = 0 ]; then grep -qE "$2" out || fail "not printed: $2"; else expect_err "^sc-keygen: $2"; fi
}

make_certs
run 0 sc-keygen --out other
start
safe 0 '^  announces        no next key$'
grep -q '^next step: sc-keygen --next' out || fail "the next step"
clients 0 0 0 0
status_line 'next key            none'
status_line 'clients             0 have asked for pins in 7 days'
ask 127.0.0.2 server.key
ask 127.0.0.3
ask 127.0.0.4 server.key
ask 127.0.0.4 server.key other.key
clients 0 2 1 0
pass "without a next key: who asks, and says which pins"

run 0 sc-keygen --next
safe 75 "not safe to promote: the server does not announce the next key here, $(pin_expression server.next.key); reload it\$"
reload
clients 0 0 0 3
safe 75 'not safe to promote: 3 of 3 clients that asked for pins are not known to accept the next key; wait, or give them its pin$'
grep -q "^  serves with      $(pin server.key)\$" out || fail "the current key"
grep -q "^  announces        $(pin server.next.key)\$" out || fail "the next key"
grep -q "^  announced since  $(date -u +%Y)-..-.., 0 days\$" out || fail "since when it is announced"
metric 'next_key 1'
grep -q "^spacecaptain_next_key_announced_timestamp_seconds [0-9]" metrics || fail "since when it is announced"
ask 127.0.0.2 server.key
clients 0 1 0 2
ask 127.0.0.2 server.key server.next.key
ask 127.0.0.3 server.next.key
ask 127.0.0.4
ask 127.0.0.5 other.key server.key other.key server.key other.key server.key other.key server.next.key
ask 127.0.0.6
clients 3 0 2 0
ask 127.0.0.2 # asks without a store from the same address
clients 3 0 2 0
status_line 'next key            announced to clients since 20..-..-..T..:..:..Z'
status_line 'clients             5 have asked for pins in 7 days: 3 accept the next key, 0 only others, 2 did not say, 0 not since it was announced'
metric 'pins_requests_total{accepts="next"} 3'
metric 'pins_requests_total{accepts="others"} 4'
metric 'pins_requests_total{accepts="unknown"} 4'
safe 75 'not safe to promote: 2 of 5 clients that asked for pins are not known'
grep -A3 '^  of these         3 accept the next key$' out | sed 1d | tr -s ' ' | tr '\n' ';' | grep -qx \
    ' 0 accept only others; 2 did not say what they accept; 0 have not asked since it was announced;' || fail "the clients"
grep -q '^Clients that never ask for pins are not counted' out || fail "who is not counted"
pass "a next key: who accepts it"

ask 127.0.0.4 server.next.key
ask 127.0.0.6 server.next.key server.key
# A client with a pin store: its first connection learns the next pin, and its second one names it.
store() { run 0 sc-client --connect "$address" --pin server.crt --pin-store store echo hello; }
store
clients 5 1 0 0
safe 75 'not safe to promote: 1 of 6 clients'
store
clients 6 0 0 0
safe 0 '^safe to promote: all clients that asked for pins in the last 7 days accept the next key$'
grep -q '^next step: sc-keygen --promote --out server, and reload the server$' out || fail "the next step"
grep -qx '  clients          6 asked for pins in the last 7 days' out || fail "the number of clients: $(cat out)"
! grep -q 'about\|estimate' out || fail "all clients are reported as an estimate: $(cat out)"
pass "sc-keygen says when it is safe to promote"

# sampled JSON: a server that looks at one address in four reports that.
sampled() {
    background odd-server plain-end server.crt server.key "$1.port" "$(printf 'HTTP/1.0 200 OK\r\n\r\n'; cat "$1")"
    wait-for 20 "$background_pid" exists "$1.port"
    admin_of_all=$admin admin=127.0.0.1:$(cat "$1.port")
}
curl -sS -m 10 "http://$admin/status.json" >status.json
day_ago=$(($(date +%s) - 100000))
sed 's/"one_in":1,/"one_in":4,/; s/"announced":[0-9]*/"announced":'$day_ago/ status.json >sample.json
sampled sample.json
safe 0 '^safe to promote, by a sample: all clients in it, from one address in 4, accept the next key$'
grep -qx '  clients          about 6 asked for pins in the last 7 days' out || fail "the clients of a sample"
grep -qx '                   these are estimates, from one address in 4' out || fail "the sample is not named"
grep -qx "  announced since  $(date -u -d @$day_ago +%F), 1 day" out || fail "since when it is announced"
admin=$admin_of_all
sed 's/"one_in":1,/"one_in":4,/; s/"others":0,/"others":4,/; s/"total":6,/"total":10,/' status.json >not-safe.json
sampled not-safe.json
safe 75 'not safe to promote: about 4 of 10 clients that asked for pins are not known to accept the next key; '
admin=$admin_of_all
pass "a sample is not reported as all clients"

# Without a number, without the current pin, with one that is longer than any pin, with one that is none; cut.
number=0
for change in 's/"one_in":1,//' 's/"not_asked_since":[0-9]*/"not_asked_since":-1/' 's/"current":"[^"]*",//' \
    "s|\"current\":\"[^\"]*\"|\"current\":\"sha256//$(printf %02000d 0)\"|" 's/"current":"[^"]*"/"current":"none"/' 's/}$//'; do
    number=$((number + 1))
    sed "$change" status.json >older-$number.json
    ! cmp -s status.json older-$number.json || fail "nothing was changed by $change"
    sampled older-$number.json
    safe 69 "the server at $admin does not report its pins; is it older than this program\?$"
    admin=$admin_of_all
done
sed 's/"announced":[0-9]*/"announced":null/' status.json >no-date.json
sampled no-date.json
safe 0 '^safe to promote: '
! grep -q 'announced since' out || fail "a date that was not reported: $(cat out)"
admin=$admin_of_all
pass "a server that reports less"

reload
clients 6 0 0 0
run 0 sc-keygen --next --force
safe 75 "not safe to promote: the server does not announce the next key here, $(pin_expression server.next.key); reload it\$"
reload
clients 0 0 0 6
ask 127.0.0.2 server.key server.next.key
clients 1 0 0 5
safe 75 'not safe to promote: 5 of 6 clients'
! grep -rq '127\.0\.0\.[2-6]' metrics || fail "an address in the metrics"
pass "a reload keeps the figures; another next key starts them anew"

run 0 sc-keygen --promote
safe 75 "the server serves with another key than the current one here, $(pin_expression server.key); reload it"
reload
safe 0 '^  announces        no next key$'
clients 0 6 0 0
stop_server
run 0 sc-keygen --next
start
clients 0 0 0 0
safe 75 'it is not known whether it is safe to promote: no client has asked for pins; '
! grep -q 'of these' out || fail "nobody has asked, and it is said what they accept: $(cat out)"
pass "after a promotion there is no next key; after a restart nothing is known"

# The port of the clients, nobody at all, something else, and a wrong address.
run 69 sc-keygen --status --connect "$address"
expect_err "^sc-keygen: can't ask the server at $address: "
stop_server
run 69 sc-keygen --status --connect "$admin"
expect_err "^sc-keygen: can't connect to $admin: Connection refused; is the server running there?"
run 64 sc-keygen --status --connect 127.0.0.1
expect_err '^sc-keygen: --connect: '
run 64 sc-keygen --next --connect "$admin"
expect_err '^sc-keygen: --connect: not with --next'
run 64 sc-keygen --connect "$admin"
expect_err '^sc-keygen: --connect: only with --status'
pass "nobody answers"
