#!/bin/sh
# SPDX-License-Identifier: MIT
# PINS: what the server announces of its keys, the proof of the next one, and who checks it.
test_seconds=90
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

hex() { od -An -v -tx1 | tr -d ' \n'; }
pin() { sc-keygen --show "$1" | sed -n 's/^  sc-client, curl  //p'; }
spki() { openssl pkey -in "$1" -pubout -outform DER | hex; }
client() {
    client_status=$1
    shift
    run "$client_status" sc-client --connect "$address" --pin "$tmp/server.crt" "$@"
}
reload() {
    reloads=$(grep -c ' reload' "$server_log" || :)
    kill -HUP "$server_pid"
    wait_log ' reload' 10 $((reloads + 1))
}

# ask: sends $request, in the syntax of printf, with openssl; the replies are in $replies in hexadecimal, and the exporter of the
# connection in $exporter.
ask() {
    # shellcheck disable=SC2059
    { printf "$request$last"; } | openssl s_client -quiet -connect "$address" >raw 2>s_client.log || fail "openssl s_client"
    replies=$(hex <raw)
    case $replies in *"$last_reply") replies=${replies%"$last_reply"} ;; *) fail "the last reply is missing: $replies" ;; esac
}
ask_exporter() {
    # Without -quiet it prints the keying material, and its own words around the replies.
    # shellcheck disable=SC2059
    { printf "$request$last"; } | openssl s_client -ign_eof -connect "$address" -keymatexport EXPORTER-space-captain-pins -keymatexportlen 32 \
        "$@" >raw 2>s_client.log || fail "openssl s_client $*"
    exporter=$(LC_ALL=C sed -n 's/^ *Keying material: \([0-9A-F]\{64\}\)$/\1/p' raw | tr A-F a-f)
    [ ${#exporter} -eq 64 ] || fail "no keying material"
    replies=$(hex <raw | sed -n 's/.*\(00000004 *0000[0-9a-f]\{4\}010[12]\)/\1/p')
    [ "$replies" ] || fail "no reply"
}
# The vector that the reply makes is checked by the script that knows the format without us.
# check_reply SCHEME PROOF
check_reply() {
    length=$((0x$(printf %s "$replies" | cut -c 9-16)))
    body=$(printf %s "$replies" | cut -c 17-$((16 + 2 * length)))
    printf 'name reply\nexporter %s\ncurrent %s\nnext %s\nscheme %s\nproof %s\nbody %s\n\n' "$exporter" "$(spki server.key)" \
        "$([ ! -e server.next.key ] && echo - || spki server.next.key)" "$1" "$2" "$body" >vector
    sh "$SC_SRCDIR/tests/vectors/make-pins.sh" check vector || fail "the reply is not what the format says"
}
pins='\0\0\0\4\0\0\0\0'
# A request after which the server closes: openssl can't end its side by itself here.
last='\0\0\0\1\377\377\377\377'
last_reply=00000000000000280000000200000000$(printf 'the body is larger than max-body' | hex)

pass "the vectors, checked by who made them"
sh "$SC_SRCDIR/tests/vectors/make-pins.sh" check "$SC_SRCDIR/tests/vectors/pins.txt" || fail "the vectors"
sed 's/^proof good/proof bad/' "$SC_SRCDIR/tests/vectors/pins.txt" >wrong
! sh "$SC_SRCDIR/tests/vectors/make-pins.sh" check wrong 2>/dev/null || fail "that check says yes to everything"

pass "no next key"
start_server
client 0 pins
[ "$(cat out)" = "current  $(pin server.crt)
next     none is announced" ] || fail "pins without a next key"
client 0 --verbose pins
! grep -q 'next key' err || fail "--verbose says something of a next key: $(cat err)"
client 0 --json pins
! json-get next <out && ! json-get next_accepted <out || fail "a next key in JSON: $(cat out)"
[ "$(json-get current <out)" = "$(pin server.crt)" ] || fail "the current key in JSON: $(cat out)"
request=$pins
ask_exporter
check_reply 0000 none

pass "a next key, announced by a reload to connections that are open, too"
mkfifo commands
sc-client --connect "$address" --pin server.crt <commands >open.log 2>&1 &
open_pid=$!
own_pids="$own_pids $open_pid"
exec 9>commands
echo pins >&9
wait-for 20 "$open_pid" contains open.log 'none is announced' || fail "the open connection has no answer"
run 0 sc-keygen --next
next=$(pin server.next.key)
reload
echo pins >&9
wait-for 20 "$open_pid" contains open.log "next     $next" || fail "the open connection does not get the next key"
wait-for 20 "$open_pid" contains open.log "ecdsa_secp256r1_sha256" || fail "without a proof"
client 0 pins
[ "$(cat out)" = "current  $(pin server.crt)
next     $next
         proven: the server has signed with it for this connection (ecdsa_secp256r1_sha256)" ] || fail "pins with a next key"
client 0 --json pins
[ "$(json-get next <out) $(json-get proven <out) $(json-get scheme <out)" = "$next true ecdsa_secp256r1_sha256" ] || fail "JSON"

# A proof that was made for another connection is not valid, and the text and JSON say so.
request=$pins
ask
length=$((0x$(printf %s "$replies" | cut -c 9-16)))
tail -c +9 raw | head -c "$length" >recorded
background odd-server answer server.crt server.key odd-port @recorded 9>&-
wait-for 20 "$background_pid" exists odd-port || fail "odd-server did not start"
run 0 sc-client --connect "127.0.0.1:$(cat odd-port)" --pin server.crt pins
grep -qx "next     $next" out && grep -q '^         not proven: .*signature' out || fail "a proof of another connection is taken: $(cat out)"
run 0 sc-client --connect "127.0.0.1:$(cat odd-port)" --pin server.crt --json pins
[ "$(json-get next <out) $(json-get proven <out)" = "$next false" ] || fail "a proof of another connection is taken in JSON: $(cat out)"
json-get reason <out | grep -q signature || fail "why it is not taken, in JSON: $(cat out)"

pass "the proof, checked without us, for each kind of key and version of TLS"
for kind in --ec --ed25519 "--rsa 2048"; do
    case $kind in
    --ec) scheme=0403 ;;
    --ed25519) scheme=0807 ;;
    *) scheme=0804 ;;
    esac
    # shellcheck disable=SC2086
    run 0 sc-keygen --next --force $kind
    reload
    for version in -tls1_3 -tls1_2; do
        ask_exporter $version
        check_reply $scheme good
    done
    client 0 pins
    grep -q '^         proven: ' out || fail "our client does not take the proof of a $kind key"
done
# A resumed connection has an exporter of its own.
openssl s_client -tls1_2 -connect "$address" -sess_out session </dev/null >s_client.log 2>&1 || fail "openssl s_client"
first=$exporter
ask_exporter -tls1_2 -sess_in session
grep -aq '^Reused' raw || fail "the session was not resumed"
[ "$exporter" != "$first" ] || fail "two connections with one exporter"
check_reply 0804 good
# TLS 1.2 without the extended master secret: no proof, and no word about it from the server.
printf 'openssl_conf=a\n[a]\nssl_conf=b\n[b]\nsystem_default=c\n[c]\nOptions=-ExtendedMasterSecret\n' >no-ems.cnf
OPENSSL_CONF=$tmp/no-ems.cnf ask_exporter -tls1_2
grep -aq 'Extended master secret: no' raw || fail "it was used all the same"
check_reply 0000 none

pass "replies come in order, and a connection signs once"
run 0 sc-keygen --next --force --rsa 2048
reload
request='\0\0\0\1\0\0\0\1a'$pins'\0\0\0\1\0\0\0\1b'$pins$pins'\0\0\0\1\0\0\0\1c'
ask
one=$(printf %s "$replies" | cut -c 19-)
length=$((0x$(printf %s "$one" | cut -c 9-16)))
reply=$(printf %s "$one" | cut -c 1-$((16 + 2 * length)))
[ "$replies" = "000000010000000161${reply}000000010000000162${reply}${reply}000000010000000163" ] || fail "the order of the replies: $replies"
case $reply in *0804*) ;; *) fail "without a proof: $reply" ;; esac

pass "request bodies"
pin32='abcdefghijklmnopqrstuvwxyz-abcde'
request='\0\0\0\4\0\0\0\40'$pin32'\0\0\0\4\0\0\1\0'$pin32$pin32$pin32$pin32$pin32$pin32$pin32$pin32
ask
[ "$replies" = "$reply$reply" ] || [ ${#replies} -eq $((2 * ${#reply})) ] || fail "one and eight pins: $replies"
request='\0\0\0\4\0\0\0\1x\0\0\0\4\0\0\0\41'${pin32}x'\0\0\0\4\0\0\1\40'$pin32$pin32$pin32$pin32$pin32$pin32$pin32$pin32$pin32'\0\0\0\1\0\0\0\1z'
ask
error=$(printf 'a PINS request has no body, or 1 to 8 pins of 32 bytes' | hex)
error=000000000000003e0000000100000000$error
[ "$replies" = "$error$error${error}00000001000000017a" ] || fail "malformed bodies: $replies"

pass "which keys can be announced"
openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -out p384.key 2>/dev/null
run 78 sc-server --check-config --certificate server.crt --private-key server.key --next-private-key p384.key
expect_err '^sc-server: next-private-key p384.key: a key that can be announced is P-256, Ed25519 or RSA of 2048 to 16384 bits, not EC P-384$'
echo nonsense >nonsense.key
run 78 sc-server --check-config --certificate server.crt --private-key server.key --next-private-key nonsense.key
expect_err '^sc-server: next-private-key: nonsense.key: holds no PEM private key$'
run 78 sc-server --check-config --certificate server.crt --private-key server.key --next-private-key missing.key
expect_err "^sc-server: next-private-key: can't read missing.key: No such file"
# The key of another name has its successor beside it, too.
cp server.key other.key
cp nonsense.key other.next.key
run 78 sc-server --check-config --certificate server.crt --private-key other.key
expect_err 'other.next.key: holds no PEM private key'
cp server.key other.next.key
run 0 sc-server --check-config --certificate server.crt --private-key other.key
cp server.next.key kept.key
cp server.key server.next.key
reload
grep -q "next-private-key .*server.next.key is the current key, and is not announced" "$server_log" || fail "no word about the same key"
client 0 pins
grep -q 'none is announced' out || fail "the current key is announced as the next one"
mv kept.key server.next.key
run 0 sc-keygen --next --force
reload
# The proof of the one before is not given for it.
echo pins >&9
wait-for 20 "$open_pid" contains open.log "next     $(pin server.next.key)" || fail "the open connection does not get another next key"
wait-for 20 "$open_pid" contains open.log 'proven: the server has signed' 2 || fail "the open connection has no proof of another next key"

pass "a promotion: before, in the middle, and after"
old=$(pin server.key) next=$(pin server.next.key)
cp server.crt old.crt
mv server.next.crt server.crt
reload
grep -q 'a promotion was interrupted; sc-keygen --promote finishes it' "$server_log" || fail "no word about the promotion"
[ "$(grep -c 'is not announced' "$server_log")" = 1 ] || fail "the next key is warned about, which is served with" # once, above
run 0 sc-client --connect "$address" --pin "$next" pins
[ "$(cat out)" = "current  $next
next     none is announced" ] || fail "in the middle of a promotion"
# A connection from before gets its own key and its successor.
echo pins >&9
echo pins >&9
echo time >&9
exec 9>&-
finish "$open_pid" 0
[ "$(grep -c "^current  $old\$" open.log)" = 5 ] || fail "an open connection gets another key than its own"
[ "$(grep -c "proven: the server has signed" open.log)" = 4 ] || fail "an open connection has no proof"
stop_server
start_server
run 0 sc-client --connect "$address" --pin "$next" echo served
run 0 sc-keygen --promote
reload
run 0 sc-client --connect "$address" --pin "$next" echo served
run 90 sc-client --connect "$address" --pin "$old" echo refused
wait_log ' stage=answered reason=bad_certificate hint='
grep -q ' warning tls_handshake_failed .*is locked out: .*sc-keygen --show' "$server_log" || fail "the log does not say that a client is locked out"
stop_server

pass "next-private-key"
run 0 sc-keygen --out elsewhere
start_server --next-private-key "$tmp/elsewhere.key"
run 0 sc-client --connect "$address" --pin "$next" pins
grep -qx "next     $(pin elsewhere.key)" out || fail "the next key is not the one that was named"
sees next-private-key
stop_server
