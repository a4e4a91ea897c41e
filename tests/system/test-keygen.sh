#!/bin/sh
# SPDX-License-Identifier: MIT
# sc-keygen from outside: files, modes, statuses, and pins that other programs agree with.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

mode() { stat -c %a "$1"; }
public_key_hash() { openssl pkey -pubin -outform der | openssl dgst -sha256 -binary; }
one_line() { expect_err "^sc-keygen: $1"; }
# The value of a line that --show printed.
shown() { sed -n "s/^  $1  *//p" "$tmp/out"; }

pass "each kind of key, and what openssl says about it"
for kind in --ec --ed25519 "--rsa 2048"; do
    # shellcheck disable=SC2086
    run 0 sc-keygen $kind --out "$tmp/k" --force
    cp out made
    [ "$(mode k.key) $(mode k.crt)" = "600 644" ] || fail "modes of the files: $(mode k.key) $(mode k.crt)"
    run 0 sc-keygen --show k.crt
    grep -Fqx "$tmp/k.key: private key, $(sed -n '1s/.*: certificate, //p' out)" made || fail "the kind of key is not printed: $(cat made)"
    hash=$(openssl x509 -in k.crt -noout -pubkey | public_key_hash | base64)
    [ "$(sed -n 's/^  sc-client, curl  *//p' made)" = "sha256//$hash" ] || fail "the pin of the new key is not printed: $(cat made)"
    [ "$(shown 'sc-client, curl')" = "sha256//$hash" ] || fail "curl's spelling"
    [ "$(shown 'RFC 7469')" = "pin-sha256=\"$hash\"" ] || fail "RFC 7469's spelling"
    [ "$(shown ssh)" = "SHA256:${hash%=}" ] || fail "ssh's spelling"
    hex=$(openssl x509 -in k.crt -noout -pubkey | openssl pkey -pubin -outform der | openssl dgst -sha256 | sed 's/.* //' | tr a-f A-F)
    [ "$(shown 'DANE (TLSA)' | tr a-f A-F)" = "3 1 1 $hex" ] || fail "DANE's spelling"
    fingerprint=$(openssl x509 -in k.crt -noout -fingerprint -sha256 | sed 's/.*=//')
    [ "$(shown certificate)" = "cert-sha256:$fingerprint" ] || fail "the fingerprint"
    run 0 sc-keygen --show k.key
    [ "$(shown 'sc-client, curl')" = "sha256//$hash" ] || fail "the pin of the key is not that of its certificate"
    run 0 sc-keygen --check k
done

pass "--show: kind of key, names and dates"
show_is() { grep -Eqx -e "$1" "$tmp/out" || fail "--show does not print: $1"; }
run 0 sc-keygen --rsa 2048 --out s --days 10 --name example.org --name 192.0.2.7
run 0 sc-keygen --show s.crt
show_is 's.crt: certificate, RSA 2048'
show_is '  names            example.org, 192.0.2.7'
dated() { date -u -d "$(openssl x509 -in s.crt -noout "$1" | sed 's/.*=//')" +%F; }
show_is "  dates            from $(dated -startdate); valid until $(dated -enddate), (9|10) more days"
run 0 sc-keygen --show s.key
show_is 's.key: private key, RSA 2048'
! grep -q '^  \(names\|dates\) ' out || fail "--show prints dates of a key"

pass "names and days"
run 0 sc-keygen --out n --name example.org --name 192.0.2.7 --name 2001:db8::7 --days 2
names=$(openssl x509 -in n.crt -noout -ext subjectAltName | tail -n 1 | sed 's/^ *//')
[ "$names" = "DNS:example.org, IP Address:192.0.2.7, IP Address:2001:DB8:0:0:0:0:0:7" ] || fail "names: $names"
[ "$(openssl x509 -in n.crt -noout -subject | tr -d ' ')" = "subject=CN=example.org" ] || fail "subject"
openssl x509 -in n.crt -noout -checkend 172000 >/dev/null || fail "it ends before two days are over"
! openssl x509 -in n.crt -noout -checkend 172900 >/dev/null || fail "it ends after more than two days"
run 0 sc-keygen
[ -s server.key ] && [ -s server.crt ] || fail "BASE is not server unless told"
openssl x509 -in server.crt -noout -ext subjectAltName | grep -q 'DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1$' ||
    fail "localhost and its addresses are not in the default names"
# The host's full name, from the line of /etc/hosts that names it, wherever it stands there; nothing of another line. A host name that is
# full is taken as it is, one that no certificate can hold is left out, and no name is there twice.
printf '%s\n' '192.0.2.8 other.example.org other' '192.0.2.7 Captain cap captain.example.org space.example.org' >short-first
printf '%s\n' '192.0.2.7 captain.example.org captain' '192.0.2.8 captain.other.example' >full-first
while read -r host hosts wanted; do
    status=77
    if unshare -rmu true 2>/dev/null; then
        status=0
        # hostname(1) does not take every name.
        # shellcheck disable=SC2016
        unshare -rmu sh -c '{ hostname "$1" || echo "$1" >/proc/sys/kernel/hostname; } && mount --bind "$2" /etc/hosts || exit 77
            exec sc-keygen --force --out named' sh "$host" "$hosts" >out 2>err || status=$?
    fi
    if [ "$status" = 77 ]; then
        skip_part "no name space for a host name can be made here (unshare -rmu, hostname)"
        continue
    fi
    [ "$status" = 0 ] || fail "exit status $status on the host $host with $hosts"
    names=$(openssl x509 -in named.crt -noout -ext subjectAltName | tail -n 1 | sed 's/^ *//')
    [ "$names" = "$wanted, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1" ] || fail "names of the host $host with $hosts: $names"
done <<'END'
captain short-first DNS:captain.example.org, DNS:captain, DNS:localhost
captain full-first DNS:captain.example.org, DNS:captain, DNS:localhost
space.example.org short-first DNS:space.example.org, DNS:localhost
LocalHost short-first DNS:LocalHost
cap!tain short-first DNS:localhost
END

# Whom the commands that are printed connect to.
connects_to() {
    host=$1
    shift
    run 0 sc-keygen --force --out n "$@"
    grep -Fq "  sc-client --connect $host:4242 " out || fail "not to $host: $(cat out)"
}
connects_to '[2001:db8::7]' --name '*.example.org' --name 2001:db8::7 --name example.org
connects_to localhost --name example.org --name localhost --name 192.0.2.7
connects_to localhost --name '*.example.org'

pass "nothing is overwritten"
cp server.key before
run 73 sc-keygen
one_line 'server.key already exists; .*--force'
cmp -s server.key before || fail "the key was overwritten"
rm server.key
run 73 sc-keygen
one_line 'server.crt already exists; --force'
[ ! -e server.key ] || fail "half of a pair was made"
run 0 sc-keygen --force
run 73 sc-keygen --out missing/server
one_line "can't create missing/server.key: "
mkdir -p keys/inner
(cd keys/inner && sc-keygen --out . && sc-keygen --out .. && sc-keygen --check . && sc-keygen --check ..) >out 2>err || fail "a directory as the place: $(cat err)"
run 73 sc-keygen --out keys/
[ "$(ls -A keys keys/inner | tr '\n' ' ')" = 'keys: inner server.crt server.key  keys/inner: server.crt server.key ' ] || fail "the pairs of directories: $(ls -A keys keys/inner)"

pass "--check"
for base in server server.crt server.key ./server; do
    run 0 sc-keygen --check $base
    [ "$(cat out)" = "all is well: ${base%.???}.key and ${base%.???}.crt are a pair, the dates and permissions are right" ] ||
        fail "--check $base does not say that all is well"
done
run 0 sc-keygen --check .
[ "$(grep -c 'all is well: ./server.key and ./server.crt' out)" = 1 ] || fail "--check of a directory"
run 0 sc-keygen --out suffix.crt
[ -s suffix.key ] && [ -s suffix.crt ] && [ ! -e suffix.crt.crt ] || fail "the suffix is doubled"
run 66 sc-keygen --check nothing
one_line "can't read nothing.crt"
chmod 644 server.key
run 78 sc-keygen --check server
one_line 'server.key: .*mode 0644.*chmod 600'
! grep -q 'all is well' out || fail "all is well, and there is a problem"
chmod 640 server.key
run 0 sc-keygen --check server
[ "$(sed -n 1p out)" = 'server.key: note: the group of the file can read the key (mode 0640)' ] || fail "--check prints: $(cat out)"
for group_can in 660 610; do
    chmod $group_can server.key
    run 78 sc-keygen --check server
    one_line "server.key: the key can be changed by its group \(mode 0$group_can\); chmod 640 or 600 closes it\$"
done
chmod 600 server.key
for others_can in 664 646; do
    chmod $others_can server.crt
    run 78 sc-keygen --check server
    one_line "server.crt: the certificate can be changed by others \(mode 0$others_can\); chmod 644 closes it\$"
done
chmod 644 server.crt
cp n.crt server.crt
run 78 sc-keygen --check server
one_line 'server.key: the certificate server.crt is not of this key'
echo nonsense >server.crt
run 78 sc-keygen --check server
one_line 'server.crt: holds no PEM certificate'
openssl req -x509 -newkey rsa:1024 -nodes -keyout weak.key -out weak.crt -days 3 -subj /CN=weak >/dev/null 2>&1
run 78 sc-keygen --check weak
one_line 'weak.key: RSA 1024 is too weak'
grep -qx 'weak.crt: note: it has no names; only a pin of the key or of the certificate can match' out || fail "no names, and nothing is said of it"
dated_certificate k 20200101000000Z 20210101000000Z k.crt
run 78 sc-keygen --check k
one_line 'k.crt: the certificate expired on 2021-01-01; "sc-keygen --renew --out k" makes a new one for the same key$'
[ "$(sed -n 1p out)" = 'k.crt: problem: the certificate expired on 2021-01-01; "sc-keygen --renew --out k" makes a new one for the same key' ] || fail "--check prints: $(cat out)"
chmod 604 k.key
run 78 sc-keygen --check k
one_line 'k.crt: the certificate expired on 2021-01-01; .*; there are 2 problems$'
chmod 600 k.key
dated_certificate k 20480101000000Z 20490101000000Z k.crt
run 78 sc-keygen --check k
one_line 'k.crt: the certificate is not valid before 2048-01-01; is the clock right'
dated_certificate k 20200101000000Z "$(date -u -d '+10 days' +%Y%m%d%H%M%SZ)" k.crt
run 0 sc-keygen --check k
grep -Eq '^k.crt: note: valid until .*, (9|10) more days; "sc-keygen --renew --out k" makes' out || fail "--check does not say that a certificate ends soon"

# A key of no use is a problem of the pair, and its mode is looked at too; one that can't be read ends the check.
cp n.crt lost.crt
run 66 sc-keygen --check lost
one_line "can't read lost.key: No such file or directory\$"
echo nonsense >lost.key
chmod 600 lost.key
run 78 sc-keygen --check lost
one_line 'lost.key: holds no PEM private key$'
chmod 604 lost.key
run 78 sc-keygen --check lost
one_line 'lost.key: holds no PEM private key; there are 2 problems$'

pass "a certificate that says it is encrypted asks nobody"
{
    echo '-----BEGIN CERTIFICATE-----'
    printf 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00112233445566778899AABBCCDDEEFF\n\n'
    openssl x509 -in n.crt | sed 1d
} >asks.crt
status=0
terminal 10 -- sc-keygen --show asks.crt >asked || status=$?
[ "$status" = 65 ] || fail "--show of it ends with $status: $(cat asked)"
! grep -qi 'pass *phrase' asked || fail "a passphrase is asked for: $(cat asked)"

pass "--show of other files"
run 66 sc-keygen --show nothing
one_line "can't read nothing"
run 66 sc-keygen --show .
one_line "can't read \."
: >empty
run 65 sc-keygen --show empty
one_line 'empty: holds neither'
run 0 sc-keygen --show weak.crt
show_is '  names            none'
# The algorithm of its key is one that nobody knows; only that is changed.
openssl x509 -in n.crt -outform der | LC_ALL=C sed 's/\x2a\x86\x48\xce\x3d\x02\x01/\x2a\x86\x48\xce\x3d\x02\x7f/' |
    openssl x509 -inform der -out unknown.crt 2>>openssl.log || fail "openssl x509"
run 65 sc-keygen --show unknown.crt
one_line "unknown.crt: the public key in it can't be read"
[ ! -s out ] || fail "something is printed of a key that can't be read: $(cat out)"
openssl ec -in before -aes128 -passout pass:secret -out locked.key 2>/dev/null
# Without a terminal the passphrase is not asked for, and standard input is not read for it.
echo secret | run 65 setsid sc-keygen --show locked.key
one_line 'locked.key: the key is encrypted'

pass "usage errors"
for wrong in "--bogus" "-x" "extra" "--rsa" "--rsa 1024" "--rsa 2048x" "--rsa 99999999999999999999" "--days 0" "--days 36501" "--days -1" \
    "--ec --ed25519" "--force=yes" "--name -" "--name 1.2.3" "--name a..b" "--out=" "--show" "--show k.crt --check k" "--show k.crt --force" \
    "--check k --name a" "--next --promote" "--status --status" "--next --show k.crt" \
    "--status --force" "--promote --force" "--promote --days 3" "--renew --ec" "--ticket-keys" "--ticket-keys t --out k" "--next=1" "--"; do
    [ "$wrong" = "--" ] && wrong="-- extra"
    # shellcheck disable=SC2086
    run 64 sc-keygen $wrong
    one_line ".*; try 'sc-keygen --help'\$"
done
for option in --out --check; do
    run 64 sc-keygen $option "$(printf %04092d 0)"
    one_line '0*\.\.\.: the name is too long'
done
run 64 sc-keygen --name "two
lines"
one_line 'name "two.x0alines"'
set --
while [ $# -lt 202 ]; do set -- "$@" --name a; done
run 64 sc-keygen --out many "$@"
one_line '.*at most 100'

pass "--help and --version"
run 0 sc-keygen --help
grep -q '^Usage: sc-keygen ' out || fail "no usage in --help"
[ "$(awk 'length > 80' out)" = "" ] || fail "--help has long lines"
run 0 sc-keygen --version
grep -q '^sc-keygen (Space Captain) [0-9]' out && grep -q '^OpenSSL 3' out && grep -q '^libevent 2' out || fail "--version"
[ ! -s err ] || fail "--version writes to stderr"
if [ -w /dev/full ]; then
    for what in --help --version "--show n.crt"; do
        status=0
        # shellcheck disable=SC2086
        sc-keygen $what >/dev/full 2>err || status=$?
        [ "$status" = 74 ] || fail "$what to a full disk ends with $status"
        one_line 'standard output: No space left on device'
    done
fi

# The commands that sc-keygen prints must succeed on a server that has the key, and those for another key must not.
# check_commands PORT PROGRAM...
check_commands() {
    port=$1
    shift
    for program in "$@"; do
        command -v "$program" >/dev/null || {
            skip_part "there is no $program here"
            continue
        }
        for which in right wrong; do
            sed -n "s/^  \($program .*\)/\1/p" "$which.txt" | sed "s/4242/$port/g" >command
            [ "$(wc -l <command)" -eq 1 ] || fail "not one command for $program"
            status=0
            HOME=$tmp timeout --foreground $((20 * slow)) sh ./command >command.log 2>&1 </dev/null || status=$?
            case $which:$program:$status in
            right:*:0 | wrong:sc-client:90 | wrong:curl:90 | wrong:openssl:1 | wrong:gnutls-cli:1) ;;
            *)
                cat command
                fail "$program ends with $status for the $which key"
                ;;
            esac
        done
    done
}
run 0 sc-keygen --out "$tmp/it's right"
cp out right.txt
run 0 sc-keygen --out wrong
cp out wrong.txt

pass "the next steps, in their order and as they are printed"
grep -n '^  sc-' right.txt | sed 's/^\([0-9]*\):  \(sc-[a-z]*\) .*/\2/' | tail -n 2 | tr '\n' ' ' | grep -qx 'sc-server sc-client ' || fail "the steps are not in order: $(cat right.txt)"
step=$(sed -n 's/^  \(sc-server .*\)/\1/p' right.txt)
background sh -c "exec $step --listen 127.0.0.1:0 --port-file step-port"
wait-for 20 "$background_pid" exists step-port || fail "the server does not start as printed: $step"
step_port=$(sed 's/.*://' step-port)
sed -n 's/^  \(sc-client .*\)/\1/p' right.txt | sed "s/4242/$step_port/" >step
run 0 sh ./step
grep -Eqx '20[0-9-]*T[0-9:.]*Z' out || fail "the client does not work as printed: $(cat step)"
sed -n 's/^  \(sc-client .*\)/\1/p' wrong.txt | sed "s/4242/$step_port/" >step
run 90 sh ./step
kill -TERM "$background_pid"
finish "$background_pid" 0

pass "other programs tell the right key from a wrong one, with openssl s_server"
background openssl s_server -accept 127.0.0.1:0 -cert "it's right.crt" -key "it's right.key" -www
log=$tmp/background-$background_count.log
wait-for 20 "$background_pid" contains "$log" ACCEPT || fail "openssl s_server does not start"
check_commands "$(sed -n 's/^ACCEPT .*:\([0-9][0-9]*\)$/\1/p' "$log")" curl openssl gnutls-cli

pass "and with sc-server"
cp "it's right.key" server.key
cp "it's right.crt" server.crt
start_server
check_commands "$port" sc-client curl openssl gnutls-cli
stop_server
