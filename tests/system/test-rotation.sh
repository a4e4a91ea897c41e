#!/bin/sh
# SPDX-License-Identifier: MIT
# Keys that come after one another: sc-keygen --next, --promote, --renew, --status and --ticket-keys.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

one_line() { expect_err "^sc-keygen: $1"; }
# The pin in a certificate or a key.
pin() {
    sc-keygen --show "$1" >shown || fail "can't show $1"
    sed -n 's/^  sc-client, curl  //p' shown
}
names() { openssl x509 -in "$1" -noout -ext subjectAltName | tail -n 1 | sed 's/^ *//'; }
rights() { stat -c %U:%G:%a "$1"; }
# prints TEXT KEY: the last run did, as a line, and the pin of this key.
prints() {
    grep -Eqx -e "$1" out || fail "not printed: $1"
    grep -Fqx "  sc-client, curl  $(pin "$2")" out || fail "the pin of $2 is not printed"
}
# No file can grow: status and what is printed go through a pipe.
on_full_disk() {
    # shellcheck disable=SC2016
    {
        sh -c 'trap "" XFSZ && ulimit -f 0 && exec sc-keygen "$@"' sh "$@" 2>&1 || echo "status $?"
    } | cat >out
    [ "$(sed -n '$p' out)" = 'status 74' ] && grep -q '^sc-keygen: can.t write .*: File too large$' out ||
        fail "on a full disk: $*: $(cat out)"
}

pass "--next: of the same kind and for the same names, unless told"
for kind in --ec --ed25519 "--rsa 2304"; do
    # shellcheck disable=SC2086
    run 0 sc-keygen $kind --out k --force --name one.example --name 192.0.2.9
    rm -f k.next.*
    run 0 sc-keygen --next --out k
    grep -Eqx 'k\.next\.key: private key, [A-Za-z0-9 -]+' out || fail "the next key is not printed: $(cat out)"
    prints 'k\.next\.crt: certificate, valid until 20[0-9-]{8}, for one\.example, 192\.0\.2\.9' k.next.key
    run 0 sc-keygen --check k.next
    sc-keygen --show k.key | sed -n '1s/.*, //p' >kind.now
    sc-keygen --show k.next.key | sed -n '1s/.*, //p' | cmp -s - kind.now || fail "the next key is of another kind"
done
[ "$(names k.next.crt)" = "$(names k.crt)" ] || fail "the next certificate has other names: $(names k.next.crt)"
[ "$(rights k.next.key | sed 's/.*://') $(rights k.next.crt | sed 's/.*://')" = "600 644" ] || fail "modes of the next pair"
[ "$(pin k.next.key)" != "$(pin k.key)" ] || fail "the next key is the current one"
cp k.next.key before
run 73 sc-keygen --next --out k
one_line 'k.next.key already exists.*--force'
cmp -s k.next.key before || fail "the next key was overwritten"
run 0 sc-keygen --next --ec --name two.example --days 9 --force --out k
[ "$(names k.next.crt)" = DNS:two.example ] || fail "names of the next certificate"
sc-keygen --show k.next.key | grep -q 'private key, EC P-256' || fail "--next --ec"
openssl x509 -in k.next.crt -noout -checkend 770000 >/dev/null && ! openssl x509 -in k.next.crt -noout -checkend 800000 >/dev/null ||
    fail "--next --days"
rm k.next.crt
cp k.next.key before
run 0 sc-keygen --next --out k
cmp -s k.next.key before || fail "a next key without a certificate was replaced"
grep -q '^k.next.key: private key, EC P-256, which was there$' out || fail "it does not say that the key was there"
run 0 sc-keygen --check k.next
rm k.next.crt
run 0 sc-keygen --next --force --out k
! cmp -s k.next.key before || fail "--force keeps a next key without a certificate"
run 0 sc-keygen --check k.next
run 66 sc-keygen --next --out none
one_line "none.key does not exist; sc-keygen --out makes the first pair"
run 66 sc-keygen --next --out missing/k
one_line "can't open the directory missing"
run 64 sc-keygen --next --out "$(printf %04090d 0)"
one_line '0*\.\.\.: the name is too long'

# A name that a shell would take apart is quoted in the commands that are printed.
mkdir 'a b'
run 0 sc-keygen --out 'a b/server'
run 0 sc-keygen --next --out 'a b'
grep -Fqx "  sc-keygen --promote --out 'a b/server'" out || fail "the next command is not quoted: $(cat out)"

pass "--promote"
run 0 sc-keygen --out p --force
run 66 sc-keygen --promote --out p
one_line "p.next.key does not exist; sc-keygen --next makes it"
run 0 sc-keygen --next --out p
old=$(pin p.key) new=$(pin p.next.key)
cp p.key p.was.key
run 0 sc-keygen --promote --out p
prints 'p\.crt: certificate, valid until 20[0-9-]{8}, for .*localhost, 127\.0\.0\.1, ::1' p.key
[ "$(pin p.key) $(pin p.crt) $(pin p.previous.key) $(pin p.previous.crt)" = "$new $new $old $old" ] || fail "who is what after --promote"
[ ! -e p.next.key ] && [ ! -e p.next.crt ] || fail "the next key is still there"
cmp -s p.previous.key p.was.key || fail "the previous key is not the one that was, to the byte"
run 0 sc-keygen --check p
run 0 sc-keygen --promote --out p
grep -q "^p.next.key does not exist: nothing is left to promote" out || fail "a promotion twice"
prints 'p\.crt: certificate, valid until 20[0-9-]{8}, for .*localhost, 127\.0\.0\.1, ::1' p.key
[ "$(pin p.key)" = "$new" ] || fail "a promotion twice changes the key"
mv p.crt p.saved
echo nonsense >p.crt
run 65 sc-keygen --promote --out p
one_line 'p.crt: holds no PEM certificate$'
mv p.saved p.crt
run 0 sc-keygen --next --out p
cp p.next.key saved
cp p.key p.next.key
run 65 sc-keygen --promote --out p
one_line 'p.next.crt: the certificate is not of the key p.next.key'
cp p.crt p.next.crt
run 65 sc-keygen --promote --out p
one_line 'p.next.key is the current key'
cp saved p.next.key
rm p.next.crt
run 66 sc-keygen --promote --out p
one_line "p.next.crt does not exist; sc-keygen --next makes it"
run 0 sc-keygen --next --out p
mv p.crt p.saved
run 66 sc-keygen --promote --out p
one_line 'p.crt does not exist: there is no current pair to replace'
cp k.crt p.crt
run 65 sc-keygen --promote --out p
one_line 'p.crt: the certificate is not of the key p.key'
mv p.saved p.crt
echo nonsense >p.next.key
run 65 sc-keygen --promote --out p
one_line 'p.next.key: holds no PEM private key'
run 65 sc-keygen --status --out p
one_line 'p.next.key: holds no PEM private key'
run 65 sc-keygen --next --out p
one_line 'p.next.key: holds no PEM private key'
cp saved p.next.key
echo nonsense >p.next.crt
for change in --status --next --promote; do
    run 65 sc-keygen $change --out p
    one_line 'p.next.crt: holds no PEM certificate$'
done
run 0 sc-keygen --check p
# The current pair is not replaced before it is kept.
rm p.next.*
run 0 sc-keygen --next --out p
old=$(cat p.key p.crt p.next.key p.next.crt | cksum)
for taken in key crt; do
    rm -f p.previous.*
    mkdir p.previous.$taken
    run 73 sc-keygen --promote --out p
    one_line "can't .*p.previous.$taken"
    [ "$(cat p.key p.crt p.next.key p.next.crt | cksum)" = "$old" ] || fail "a promotion that keeps no p.previous.$taken changes the pairs"
    rmdir p.previous.$taken
done
on_full_disk --promote --out p
[ "$(cat p.key p.crt p.next.key p.next.crt | cksum)" = "$old" ] || fail "a promotion on a full disk changes the pairs"
mv p.key p.saved
echo nonsense >p.key
for change in --status --next --promote --renew; do
    run 65 sc-keygen $change --out p
    one_line 'p.key: holds no PEM private key$'
done
mv p.saved p.key

pass "--renew"
run 66 sc-keygen --renew --out none
one_line "none.key does not exist; sc-keygen --out makes the first pair$"
run 0 sc-keygen --out r --name one.example --days 20
old=$(cksum <r.crt)
on_full_disk --renew --out r
on_full_disk --next --out r
[ "$(cksum <r.crt) $(echo r.*)" = "$old r.crt r.key" ] || fail "a full disk changes the files: $(echo r.*)"
old=$(pin r.key)
serial=$(openssl x509 -in r.crt -noout -serial)
run 0 sc-keygen --renew --out r
prints 'r\.crt: certificate, valid until 20[0-9-]{8}, for one\.example' r.key
[ "$(pin r.key) $(pin r.crt)" = "$old $old" ] || fail "--renew changes the key"
[ "$(names r.crt)" = DNS:one.example ] && [ "$(openssl x509 -in r.crt -noout -serial)" != "$serial" ] || fail "the renewed certificate"
openssl x509 -in r.crt -noout -checkend 300000000 >/dev/null || fail "--renew is for 3650 days"
run 0 sc-keygen --renew --out r --name two.example --days 40
[ "$(names r.crt)" = DNS:two.example ] || fail "--renew --name"
rm r.crt
run 0 sc-keygen --renew --out r
run 0 sc-keygen --check r
cp p.crt r.crt
run 65 sc-keygen --renew --out r
one_line 'r.crt: the certificate is not of the key r.key; --force'
run 0 sc-keygen --renew --out r --force --name three.example
run 0 sc-keygen --check r
# A certificate without names gives none to the next one: it is for this host, as the first of a key.
openssl req -x509 -new -key r.key -subj /CN=r -out r.crt 2>>openssl.log || fail "openssl req"
run 0 sc-keygen --renew --out r
[ "$(names r.crt)" = "$(names p.crt)" ] || fail "names of the renewed certificate: $(names r.crt)"
# Of another one the host names and addresses are taken, once each and at most 100; no other kind of name.
names=email:captain@example.org,DNS:a.example,IP:192.0.2.9,URI:http://b.example,DNS:A.example
wanted='DNS:a.example, IP Address:192.0.2.9'
for i in $(seq 99); do
    names=$names,DNS:n$i.example
    [ "$i" = 99 ] || wanted="$wanted, DNS:n$i.example"
done
openssl req -x509 -new -key r.key -subj /CN=r -addext "subjectAltName=$names" -out r.crt 2>>openssl.log || fail "openssl req"
run 0 sc-keygen --renew --out r
[ "$(names r.crt)" = "$wanted" ] || fail "names of the renewed certificate: $(names r.crt)"
openssl req -new -key r.key -subj /CN=three.example -out r.csr 2>>openssl.log
openssl x509 -req -in r.csr -CA k.crt -CAkey k.key -CAcreateserial -days 99 -out r.crt 2>>openssl.log || fail "openssl x509"
run 65 sc-keygen --renew --out r
one_line 'r.crt: an authority has issued this certificate'

pass "--status says what is there and what to do next"
status_is() { grep -Eq -e "$1" out || fail "--status does not print: $1"; }
mkdir s
run 66 sc-keygen --status --out s
one_line "s/server.key does not exist"
run 66 sc-keygen --status --out p.crt/server
one_line "can't read p.crt/server.key: Not a directory"
run 0 sc-keygen --out s/
run 0 sc-keygen --status --out s
status_is '^current: s/server.key$'
status_is '^  key              EC P-256, made 20[0-9-]+$'
status_is '^next: none$'
status_is '^next step: sc-keygen --next --out s/server makes'
run 0 sc-keygen --next --out s
run 0 sc-keygen --status --out s/server.crt
status_is '^next: s/server.next.key$'
status_is '^sc-keygen --promote --out s/server, '
[ "$(sed -n 's/^  sc-client, curl  //p' out)" = "$(pin s/server.key)
$(pin s/server.next.key)" ] || fail "the pins of --status"
touch -d 2026-01-02T12:00:00Z s/server.key
run 0 sc-keygen --promote --out s
run 0 sc-keygen --status --out s
status_is '^previous: s/server.previous.key$'
status_is '^  key              EC P-256, made 2026-01-02$'
mkdir "it's s"
run 0 sc-keygen --out "it's s/"
run 0 sc-keygen --next --out "it's s"
status_is "^  sc-keygen --promote --out 'it'.''s s/server'\$"
run 0 sc-keygen --renew --days 20 --out s
run 0 sc-keygen --status --out s
status_is '^next step: sc-keygen --renew --out s/server makes'
run 0 sc-keygen --next --out s
cp s/server.next.key s/server.key
run 78 sc-keygen --status --out s
one_line 's/server.key: the certificate beside it is of another key'
run 0 sc-keygen --renew --force --out s
run 78 sc-keygen --status --out s
one_line 's/server.next.key: it is the current key; sc-keygen --next --force makes another$'
run 0 sc-keygen --next --force --out s
cp s/server.crt s/server.next.crt
run 78 sc-keygen --status --out s
one_line 's/server.next.key: the certificate beside it is of another key; sc-keygen --next --force makes a new pair$'
rm s/server.next.crt
run 0 sc-keygen --status --out s
status_is '^next step: sc-keygen --next --out s/server makes'
mv s/server.key s/kept.key
run 78 sc-keygen --status --out s
one_line 's/server.key: it does not exist$'
mv s/kept.key s/server.key
rm s/server.crt
run 78 sc-keygen --status --out s
one_line 's/server.crt: it does not exist$'

pass "one process at a time"
mkdir busy
run 0 sc-keygen --out busy/
for change in --next --renew --promote; do
    status=0
    flock busy sc-keygen $change --out busy/server >out 2>err || status=$?
    [ $status = 75 ] || fail "a locked directory: $change: $status"
    one_line 'busy: another process changes keys in this directory; try again'
done

pass "killed at any system call, and run again"
ASAN_OPTIONS=detect_leaks=0
export ASAN_OPTIONS
mkdir a b kept
run 0 sc-keygen --out kept/server
cp kept/server.key kept/first.key
# Killed in --next: there is a next key or not, and --next makes or completes it. Killed in --promote: one of both is current, the pair in
# use can always be served with, and --promote completes it.
run 0 sc-keygen --next --out kept
now=$(pin kept/server.key) next=$(pin kept/server.next.key)
sum() { cat "$@" 2>/dev/null | cksum; }
done_sum() { (cd b && cat server.crt server.key server.previous.crt server.previous.key && ls) | cksum; }
cp kept/server.* b
run 0 sc-keygen --promote --out b
wanted=$(done_sum)
[ "$(pin b/server.key) $(pin b/server.previous.key)" = "$next $now" ] || fail "the promotion that all others are compared with"
n=1
while :; do
    rm -f b/* && cp -p kept/server.* b
    status=0
    kill-at $n sc-keygen --promote --out b >kill.log 2>&1 || status=$?
    [ $status != 77 ] || { skip_part "nobody may trace here"; break; }
    [ $status -lt 2 ] || fail "--promote fails when it is traced: $status"
    # What a server would find: the certificate is of the key, or of the next key.
    if cmp -s b/server.crt kept/server.crt; then
        cmp -s b/server.key kept/server.key || fail "call $n: the old certificate with another key"
    else
        cmp -s b/server.crt kept/server.next.crt || fail "call $n: the certificate is damaged"
        cmp -s b/server.key kept/server.next.key || cmp -s b/server.next.key kept/server.next.key || fail "call $n: the new key is lost"
        cmp -s b/server.previous.key kept/server.key || fail "call $n: the old key is lost"
    fi
    [ "$(stat -c %a b/*.key* | sort -u)" = 600 ] || fail "call $n: a key that others can read"
    [ $status = 0 ] || break
    sc-keygen --promote --out b >out 2>err || fail "call $n: a second --promote fails"
    [ "$(done_sum)" = "$wanted" ] || fail "call $n: after a second --promote the files are others"
    n=$((n + 1))
done
[ $n -gt 20 ] || [ $status = 77 ] || fail "only $n system calls"
pass "$n times, --promote"
n=1
while [ $status != 77 ]; do
    rm -f a/* && cp -p kept/server.key kept/server.crt a
    status=0
    kill-at $n sc-keygen --next --out a >kill.log 2>&1 || status=$?
    [ $status -lt 2 ] || fail "--next fails when it is traced: $status"
    [ "$(sum a/server.key a/server.crt)" = "$(sum kept/server.key kept/server.crt)" ] || fail "call $n: --next changes the current pair"
    [ $status = 0 ] || break
    if [ ! -e a/server.next.crt ]; then
        sc-keygen --next --out a >out 2>err || fail "call $n: a second --next fails"
    fi
    [ "$(cd a && echo *)" = "server.crt server.key server.next.crt server.next.key" ] || fail "call $n: left behind: $(ls a)"
    n=$((n + 1))
done
pass "$n times, --next"
n=1
run 0 sc-keygen --ticket-keys kept/tickets
mkdir c
while [ $status != 77 ]; do
    rm -f c/* && cp kept/tickets c
    status=0
    kill-at $n sc-keygen --ticket-keys c/tickets >kill.log 2>&1 || status=$?
    [ $status -lt 2 ] || fail "--ticket-keys fails when it is traced: $status"
    [ $status = 0 ] || break
    [ "$(sed -n 1p c/tickets)" = "$(sed -n 1p kept/tickets)" ] || [ "$(sed -n 3p c/tickets)" = "$(sed -n 1p kept/tickets)" ] ||
        fail "call $n: neither the keys of before nor those after"
    [ "$(stat -c %a c/* | sort -u)" = 600 ] || fail "call $n: keys that others can read"
    sc-keygen --ticket-keys c/tickets >out 2>err || fail "call $n: a second --ticket-keys fails"
    [ "$(echo c/*)" = c/tickets ] || fail "call $n: left behind: $(ls c)"
    n=$((n + 1))
done
[ $n -gt 3 ] || [ $status = 77 ] || fail "only $n system calls"
pass "$n times, --ticket-keys"
unset ASAN_OPTIONS

pass "a server in the middle of a promotion"
cp kept/server.* .
mv server.next.crt server.crt
run 78 sc-keygen --status
one_line 'server.next.key: its promotion was interrupted'
run 65 sc-keygen --next
one_line 'server.next.key is half promoted'
run 65 sc-keygen --renew
one_line 'server.next.key is half promoted; sc-keygen --promote finishes that'
run 0 sc-keygen --promote
grep -q 'after a promotion that was interrupted' out || fail "it does not say that it was interrupted"
[ "$(pin server.key) $(pin server.crt)" = "$next $next" ] || fail "the promotion is not finished"

pass "--ticket-keys"
head -c 80 /dev/urandom >one
run 0 sc-keygen --ticket-keys one
grep -q '^one: three keys: current, next, previous$' out || fail "one key is reported as rotated: $(cat out)"
run 0 sc-keygen --ticket-keys t
[ "$(stat -c %a t) $(wc -l <t)" = "600 3" ] || fail "not a file of three keys"
cp t t1
run 0 sc-keygen --ticket-keys t
[ "$(sed -n 1p t)" = "$(sed -n 2p t1)" ] && [ "$(sed -n 3p t)" = "$(sed -n 1p t1)" ] && ! grep -qFx "$(sed -n 2p t)" t1 || fail "how it rotates"
openssl rand 80 >t
base64 -w 0 <t >t1
chmod 640 t
run 0 sc-keygen --ticket-keys t
[ "$(sed -n 1p t)" = "$(cat t1)" ] && [ "$(wc -l <t)" = 3 ] || fail "a file of one key"
[ "$(stat -c %a t)" = 640 ] || fail "its group can't read it any more"
head -n 2 t >t2
cp t2 t1
run 0 sc-keygen --ticket-keys t2
[ "$(sed -n 1p t2)" = "$(sed -n 1p t1)" ] && [ "$(sed -n 3p t2)" = "$(sed -n 2p t1)" ] && [ "$(wc -l <t2)" = 3 ] || fail "a file of two keys"
cat t t >t5
run 78 sc-keygen --ticket-keys t5
one_line 'ticket keys t5: keys 1 and 4 start with the same name'
openssl rand 320 >t5
run 78 sc-keygen --ticket-keys t5
one_line 'ticket keys t5: 4 keys'
: >t5
run 78 sc-keygen --ticket-keys t5
one_line 'ticket keys t5: no key in it'
! grep -l AAAAAAAAAAAAAAAAAAAA one t t2 kept/tickets || fail "keys that everybody knows"
cp t t5
on_full_disk --ticket-keys t5
cmp -s t t5 || fail "a full disk changes the keys"
run 73 sc-keygen --ticket-keys missing/t
one_line "can't open the directory missing: No such file or directory"
# A session outlives a rotation of the file, and not two of them.
make_certs
run 0 sc-keygen --ticket-keys tickets
start_server --ticket-keys "$tmp/tickets"
# Whether the session in the file is resumed.
resumed() {
    openssl s_client -connect "$address" -tls1_2 -sess_in "$1" </dev/null >s_client.log 2>&1 || fail "openssl s_client"
    grep -c '^Reused' s_client.log || :
}
openssl s_client -connect "$address" -tls1_2 -sess_out session </dev/null >s_client.log 2>&1 || fail "openssl s_client"
[ "$(resumed session)" = 1 ] || fail "sessions are not resumed"
reload() {
    kill -HUP "$server_pid"
    wait_log ' reloaded ' 10 "$1"
}
run 0 sc-keygen --ticket-keys tickets
reload 1
[ "$(resumed session)" = 1 ] || fail "a session is lost in a rotation"
run 0 sc-keygen --ticket-keys tickets
reload 2
[ "$(resumed session)" = 0 ] || fail "a session of two rotations ago is resumed"
stop_server

if [ "$(id -u)" -eq 0 ]; then
    pass "what root makes, the service can read"
    chmod 711 .
    user=nobody
    mkdir conf
    chown $user conf
    run 0 sc-keygen --out conf/
    # The first pair root has given to the group; the rest follows it.
    chown "root:$(id -gn $user)" conf/server.key
    chmod 640 conf/server.key
    run 0 sc-keygen --next --out conf
    [ "$(rights conf/server.next.key)" = "$(rights conf/server.key)" ] || fail "the next key is $(rights conf/server.next.key)"
    run 0 sc-keygen --promote --out conf
    run 0 sc-keygen --renew --out conf
    for file in server.key server.previous.key; do
        [ "$(rights conf/$file)" = "root:$(id -gn $user):640" ] || fail "$file is $(rights conf/$file)"
    done
    [ "$(rights conf/server.crt)" = "$user:$(id -gn $user):644" ] || fail "the certificate is $(rights conf/server.crt)"
    run 0 sc-keygen --ticket-keys conf/tickets
    [ "$(rights conf/tickets)" = "$user:$(id -gn $user):600" ] || fail "the ticket keys are $(rights conf/tickets)"
fi
