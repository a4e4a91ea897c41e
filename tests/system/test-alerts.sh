#!/bin/sh
# SPDX-License-Identifier: MIT
# contrib/prometheus and contrib/grafana: they name only metrics and label values that a real server has, every alert rule has a unit test, and
# promtool(1) finds nothing wrong. With SC_TEST_PROMETHEUS=yes a real Prometheus scrapes real servers, and every rule fires when its failure is
# caused, and not before; that takes a minute.
test_seconds=180
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs curl
rules=$SC_SRCDIR/contrib/prometheus/space-captain.rules.yml
rule_tests=$SC_SRCDIR/contrib/prometheus/space-captain.test.yml
dashboard=$SC_SRCDIR/contrib/grafana/space-captain.json

# --- Names ---
start_server -c /dev/null --metrics-listen 127.0.0.1:0
curl -sS -m 10 "http://$admin/metrics" >metrics || fail "no metrics"
# What is only there with a stapled OCSP response or a next key.
grep -e ocsp -e 'certificate="next"' "$SC_SRCDIR/tests/unit/golden/metrics.txt" >>metrics
json-get title <"$dashboard" >title || fail "the dashboard is not JSON"
for file in "$rules" "$dashboard"; do
    sed 's/\\"/"/g' "$file" | grep -Eo '\b(spacecaptain|process)_[a-z_]+(\{[^}]*\})?' | sort -u >named
    [ "$(wc -l <named)" -gt 15 ] || fail "no metrics are found in $file"
    while read -r selector; do
        name=${selector%%\{*}
        grep -q "^${name}[{ ]" metrics || fail "$file: there is no metric $name"
        # A line for each value of each label: label="value", label=~"value|value".
        printf '%s\n' "$selector" | grep -Eo '[a-z]+[=!]~?"[^"]*"' | while IFS='=!~"' read -r label values; do
            case $label in job | instance) continue ;; esac
            printf '%s\n' "$values" | tr -d '=~"' | tr '|' '\n' | while read -r value; do
                grep -q "^${name}{.*\b$label=\"$value\"" metrics || fail "$file: $name never has $label=\"$value\""
            done || exit 1
        done || exit 1
    done <named
done
stop_server

# --- Every rule has a test ---
sed -n 's/^ *- alert: //p' "$rules" | sort >alerts
[ "$(wc -l <alerts)" -gt 20 ] || fail "no rules are found"
sed -n 's/.*alertname="\([A-Za-z]*\)".*/\1/p' "$rule_tests" | sort -u >tested
diff alerts tested >&2 || fail "rules (<) and those with a test (>) differ"
pass "rules and dashboard name what there is"

if command -v promtool >/dev/null; then
    promtool check rules "$rules" >promtool.log 2>&1 || fail "promtool check rules"
    promtool test rules "$rule_tests" >promtool.log 2>&1 || fail "promtool test rules"
    pass "promtool agrees"
else
    skip_part "there is no promtool to test the rules"
fi

# --- A real Prometheus ---
[ -n "${SC_TEST_PROMETHEUS-}" ] || {
    skip_part "real Prometheus: SC_TEST_PROMETHEUS is not set"
    exit 0
}
needs prometheus openssl cc
all=yes

# `failing` is what fails; `spare` gets a certificate that has ended, and goes away; `third` has an OCSP response, a next key that is slow to
# sign, and a disk that stops to answer while there is a FIFO `disk`.
run 0 sc-keygen --next --out server
mkdir other
run 0 sc-keygen --out other/server
dated_certificate other/server 20200101000000Z 20210101000000Z expired.crt

run 0 sc-keygen --out third
run 0 sc-keygen --next --out third --rsa 2048
printf 'V\t%s\t\t%s\tunknown\t/CN=third\n' "$(date -u -d '+2 days' +%y%m%d%H%M%SZ)" "$(openssl x509 -in third.crt -noout -serial | sed 's/.*=//')" >third.index
openssl ocsp -index third.index -rsigner third.crt -rkey third.key -CA third.crt -issuer third.crt -cert third.crt -respout third.der -ndays 1 \
    >>openssl.log 2>&1 || fail "openssl ocsp"
cc -shared -fPIC -o disk.so -x c - <<END || fail "no library for a disk that does not answer"
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>
int rename(const char *from, const char *to)
{
    close(open("$tmp/disk", O_RDONLY)); /* until somebody writes to it */
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
END

# serve NAME FILES OPTION...: $address $admin $service; the server's own process is $server_pid. Its address of /metrics survives a restart.
serve() {
    name=$1 files=$2
    shift 2
    as-systemd --watchdog 600000 --sockets 1 --names metrics "messages-$name" "addresses-$name" env ${preload:+"LD_PRELOAD=$preload"} sc-server -c /dev/null \
        --certificate "$tmp/$files.crt" --private-key "$tmp/$files.key" --listen 127.0.0.1:0 --reload-interval 0 "$@" >"$name.log" 2>&1 </dev/null &
    service=$!
    own_pids="$own_pids $service"
    wait-for 20 $service contains "messages-$name" READY=1 || fail "$name did not get ready"
    address=$(sed -n 's/.* ready listen=\([^ ]*\) .*/\1/p' "$name.log")
    admin=$(sed -n 's/.* ready .*metrics=\([^ ]*\) .*/\1/p' "$name.log")
    server_pid=$(cut -d ' ' -f 1 "/proc/$service/task/$service/children")
}
serve spare other/server --handshake-rate 1 --workers 1
spare=$server_pid spare_service=$service spare_address=$address spare_admin=$admin
preload=$tmp/disk.so
serve third third --workers 2 --max-body 16M --max-connections 200 --ocsp-response "$tmp/third.der" --key-continuity off --port-file "$tmp/third-port"
third=$server_pid third_service=$service third_address=$address third_admin=$admin
preload=
serve failing server --workers 2 --max-connections 20 --max-body 16M --write-timeout 1s --drain-timeout 60s

# The same rules, seconds in the place of minutes, and 20 of them in the place of two days.
sed -E "s/\[[0-9]+m\]/[6s]/g; s/^( *for:) .*/\1 1s/; s/> 2 \* 86400/> $((20 * slow))/" "$rules" >short.yml
cat >prometheus.yml <<END
global: {scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}
rule_files: [short.yml]
scrape_configs:
  - job_name: space-captain
    static_configs:
      - {targets: ['$admin'], labels: {instance: failing}}
      - {targets: ['$spare_admin'], labels: {instance: spare}}
      - {targets: ['$third_admin'], labels: {instance: third}}
END
# GOMAXPROCS: beside other tests.
GOMAXPROCS=1 prometheus --config.file=prometheus.yml --storage.tsdb.path=data --web.listen-address=127.0.0.1:0 >prometheus.log 2>&1 </dev/null &
prometheus_pid=$!
own_pids="$own_pids $prometheus_pid"
wait-for 30 $prometheus_pid contains prometheus.log 'Server is ready' || fail "Prometheus did not start"
prometheus=$(sed -n 's/.*msg="Listening on" address=\([^ ]*\).*/\1/p' prometheus.log)

ask() { curl -sS -m 10 "http://$prometheus/api/v1/query" --data-urlencode "query=$1" >answer || fail "Prometheus does not answer"; }
# fires ALERT INSTANCE: it does, or did since nothing was wrong, in time
fires() {
    until=$(($(date +%s) + 15 * slow))
    while ask "count_over_time(ALERTS{alertname=\"SpaceCaptain$1\",alertstate=\"firing\",instance=\"$2\"}[1h])" && ! grep -q '"value"' answer; do
        [ "$(date +%s)" -lt $until ] || {
            ask ALERTS
            fail "$1 does not fire for $2; these do: $(cat answer)"
        }
    done
    echo "fires: $1 for $2" | tee -a fired
}

# Nothing fires while nothing is wrong, but that `spare` has no next key.
until=$(($(date +%s) + 30 * slow))
while ask 'min(count_over_time(up{job="space-captain"}[1m])) >= 5' && ! grep -q '"value"' answer; do
    [ "$(date +%s)" -lt $until ] || fail "Prometheus does not scrape"
done
fires NextKeyMissing spare
# On a busy machine a scrape may come too late for a moment.
until=$(($(date +%s) + 15 * slow))
while ask 'ALERTS{alertname!="SpaceCaptainNextKeyMissing"}' && grep -q '"value"' answer; do
    [ "$(date +%s)" -lt $until ] || fail "these fire before anything is wrong: $(cat answer)"
done
ask 'ALERTS{alertname="SpaceCaptainNextKeyMissing",instance="failing"}'
! grep -q '"value"' answer || fail "a next key is reported as missing that is there"

# The expressions of the dashboard mean something to Prometheus.
grep -Eo '"expr": ".*"' "$dashboard" | sed 's/^"expr": "//; s/"$//; s/\\"/"/g; s/\$__rate_interval/10s/g; s/\$instance/.*/g' >expressions
[ "$(wc -l <expressions)" -gt 30 ] || fail "no expressions are found in the dashboard"
while read -r expression; do
    ask "$expression"
    grep -q '"status":"success"' answer || fail "the dashboard asks $expression: $(cat answer)"
    # What is compared may be empty now.
    case $expression in *'> 0') continue ;; esac
    grep -q '"value"' answer || fail "there is nothing to see of $expression"
done <expressions

# Clients that do not get in, and those that do not read.
run 90 sc-client --connect "$address" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= echo x
run 0 hostile --peers 10 --how 'GET / HTTP/1.0' plain "$address"
run 0 hostile --peers 8 --count 65 --expect-end key-update "$address"
background hostile --peers 8 --give-up-ms $((20000 * slow)) --deadline-ms $((25000 * slow)) --bytes 1000000000 never-read "$address"
background sc-bench --connect "$spare_address" --pin other/server.crt -c 8 --handshakes --duration 1h
flood=$background_pid
run 0 hostile --count 100 --how pins hold "$third_address"
fires ClientsLockedOut failing
fires HandshakesFail failing
fires HostileClients failing
fires ClientsDoNotRead failing
fires HandshakeFlood spare
fires HandshakesSlow spare
kill -INT "$flood"
finish "$flood" 130
fires ProofsMissing third

# Files.
cp server.crt good.crt
run 0 sc-keygen --renew --days 20 --out server
run 0 sc-keygen --renew --days 3 --out other/server
rm server.next.key server.next.crt
run 0 sc-keygen --next --days 20 --out server
# Its end is moved; the signature is the client's business.
ends=$(grep -ao '[0-9]\{14\}Z' third.der | sort | tail -1)
sed "s/$ends/$(date -u -d "+$((4 * slow)) seconds" +%Y%m%d%H%M%SZ)/" third.der >third.new && mv third.new third.der
kill -HUP "$server_pid" "$spare" "$third"
fires CertificateExpiresSoon failing
fires CertificateExpiresNow spare
fires NextCertificateExpires failing
fires OcspResponseEnded third
rm server.next.key server.next.crt
cp expired.crt other/server.crt
kill -HUP "$server_pid" "$spare"
fires NextKeyMissing failing
fires CertificateExpired spare
echo rubbish >server.crt
kill -HUP "$server_pid"
fires ReloadFailed failing
cp good.crt server.crt

# Requests of 16 MiB that all lack their end, for more memory than so few connections need.
holders=
for _ in 1 2 3 4 5 6 7 8 9 10; do
    { printf '\0\0\0\1\0\377\377\377' && head -c 16777000 /dev/zero; } | openssl s_client -quiet -connect "$address" >/dev/null 2>&1 &
    holders="$holders $!"
done
own_pids="$own_pids$holders"
fires Memory failing
for holder in $holders; do
    kill "$holder" 2>/dev/null || :
    wait-for 10 "$holder" ends || fail "a client does not end"
    forget_pid "$holder"
done

# Enough memory for a request, and too little for its reply.
if command -v prlimit >/dev/null; then
    { printf '\0\0\0\2\1\0\0\0' && head -c 16777216 /dev/zero && printf '\0\0\0\1\377\377\377\377'; } >large
    for mib in 40 32 24 16 8; do
        curl -sS -m 10 "http://$third_admin/metrics" >metrics || fail "no metrics"
        ! grep -q 'error_replies_total{code="internal_error"} [1-9]' metrics || break
        prlimit --pid "$third" --as=$(($(sed -n 's/^VmSize:[^0-9]*\([0-9]*\) kB/\1/p' "/proc/$third/status") * 1024 + mib * 1048576)): || fail "can't lower the limit"
        timeout $((10 * slow)) openssl s_client -quiet -connect "$third_address" <large >/dev/null 2>&1 || :
    done
    prlimit --pid "$third" --as=unlimited: || fail "can't raise the limit"
    fires InternalErrors third
fi

# Too few descriptors, and too many connections.
if command -v prlimit >/dev/null; then
    prlimit --pid "$server_pid" --nofile=$(($(find "/proc/$server_pid/fd" -mindepth 1 | wc -l) + 2)): || fail "can't lower the limit"
    background hostile --peers 12 --give-up-ms 1000 --deadline-ms $((20000 * slow)) silent "$address"
    fires OutOfResources failing
    fires DescriptorsNearlyGone failing
    finish "$background_pid" 0
    prlimit --pid "$server_pid" --nofile=1000: || fail "can't raise the limit"
else
    all=
    skip_part "no prlimit(1) to take memory and descriptors away"
fi
fill_server 20
fires ConnectionsRefused failing
fires NearlyFull failing

# A worker that does not run, and so cannot leave its clients; and nobody at all.
kill -USR1 "$service"
wait-for 10 "$service" contains messages-failing 'thread' || fail "nobody stops a thread"
if grep -q 'a thread is stopped' messages-failing; then
    fires EventLoopBlocked failing
    kill -USR1 "$service"
    fires EventLoopSlow failing
    kill -USR1 "$service"
    wait-for 10 "$service" contains messages-failing 'a thread is stopped' 2 || fail "nobody stops a thread again"
    kill -TERM "$server_pid"
    fires DrainStuck failing
else
    all=
    skip_part "ptrace(2) is not allowed here: no event loop can be blocked"
fi

# A server that is started again and again, one that is gone, and nobody to watch.
fires TicketKeyOld spare
starts=1
until=$(($(date +%s) + 20 * slow))
while ask 'ALERTS{alertname="SpaceCaptainRestarts",alertstate="firing",instance="spare"}' && ! grep -q '"value"' answer; do
    [ "$(date +%s)" -lt $until ] || fail "Restarts does not fire after $starts starts"
    kill -USR2 "$spare_service"
    starts=$((starts + 1))
    wait-for 10 "$spare_service" contains messages-spare READY=1 $starts || fail "the service is not started again"
done
echo "fires: Restarts for spare" | tee -a fired
kill -TERM "$spare_service"
mkfifo disk
kill -USR2 "$third_service"
fires Down spare
fires NotReady third
: >disk
wait-for 10 "$third_service" contains messages-third READY=1 2 || fail "the server does not get ready when the disk answers"
sed '/targets:/d; s/static_configs:/& []/' prometheus.yml >nobody.yml && mv nobody.yml prometheus.yml
kill -HUP "$prometheus_pid"
fires NotScraped ''
[ -z "$all" ] || { sed -n 's/^fires: \([A-Za-z]*\) .*/SpaceCaptain\1/p' fired | sort -u | diff alerts - >&2; } || fail "these rules (<) have not fired"
kill -KILL "$service"
pass "rules fire when their failures are caused"
