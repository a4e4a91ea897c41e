#!/bin/sh
# SPDX-License-Identifier: MIT
# /healthz says when an event loop does not run any more, and goes back to ok when it does: one thread of the server stands still for a while.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
needs curl

make_certs
as-systemd --watchdog 600000 messages addresses sc-server -c /dev/null --certificate "$tmp/server.crt" --private-key "$tmp/server.key" \
    --listen 127.0.0.1:0 --metrics-listen 127.0.0.1:0 --workers 2 >service.log 2>&1 </dev/null &
service=$!
own_pids="$own_pids $service"
wait-for 20 $service contains messages READY=1 || fail "the service did not get ready"
admin=$(sed -n 's/.* ready .*metrics=\([^ ]*\) .*/\1/p' service.log)

health() { curl -sS -m $((10 * slow)) -o body -w '%{http_code}' "http://$admin/healthz"; }
[ "$(health)" = 200 ] || fail "not healthy at the start"

start=$(milliseconds)
kill -USR1 $service
wait-for 10 $service contains messages 'a thread is stopped' || {
    grep -q 'no thread can be stopped' messages && skip "ptrace(2) is not allowed here"
    fail "no thread was stopped"
}
[ "$(health)" = 200 ] || [ $(($(milliseconds) - start)) -ge 5000 ] || fail "a loop that is late is called dead"
until=$(($(date +%s) + 20 * slow))
while [ "$(health)" = 200 ]; do
    [ "$(date +%s)" -lt $until ] || fail "a loop that does not run is not seen"
done
[ "$(health)" = 503 ] || fail "neither 200 nor 503"
grep -Eq '^an event loop has not answered for ([5-9]|[1-9][0-9]+) seconds$' body || fail "/healthz does not say why: $(cat body)"
curl -sS -m 10 "http://$admin/metrics" >metrics
grep -q '^spacecaptain_build_info' metrics || fail "no metrics while a loop is stuck"
kill -TERM $service # its thread goes on when the one who has stopped it ends
kill -KILL $service
pass "a loop that does not run is seen"
