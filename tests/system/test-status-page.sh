#!/bin/sh
# SPDX-License-Identifier: MIT
# The status page in a real browser, while the server is under load: it shows what happens, in both themes, on a phone and on a wall, nothing
# sticks out, the console stays empty; it says when the server is gone, and asks for nothing while nobody looks.
test_seconds=90
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
. "$SC_SRCDIR/tests/system/browser.sh"

find_browser
[ -n "$browser" ] || skip "there is no chromium here to show the page"

# The widest facts: a next key, and who accepts it.
make_certs
run 0 sc-keygen --next --out server
start_server -c /dev/null --workers 2 --metrics-listen 127.0.0.1:0
page=http://$admin
background sc-bench --connect "$address" --pin server.crt -c 20 --rate 400 --duration 40s
run 0 sc-client --connect "$address" --pin server.crt pins
run 90 sc-client --connect "$address" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= echo x

start_browser
open_page "$page/"

until_true "document.readyState === 'complete' && document.getElementById('state').textContent === 'ready'" "the page does not become ready"
until_true "Number(document.getElementById('rate').textContent.replace(',', '')) > 100" "the page shows no requests"
until_true "document.getElementById('open').textContent === '20'" "the page does not show 20 connections"
until_true "document.getElementById('graph-line').getAttribute('d').length > 10" "the page draws no graph"
until_true "[...document.querySelectorAll('#failures th')].some((cell) => cell.textContent === 'bad certificate')" \
    "the page does not show the failed handshake"
until_true "document.getElementById('locked-out-total').textContent === '1'" "the page does not show who was locked out"
until_true "document.querySelectorAll('#workers tr').length === 2" "the page does not show two workers"
until_true "/^3,6[0-9][0-9]\$/.test(document.getElementById('days').textContent)" "the page does not show the days until the certificate ends"
until_true "/^next key: 3,6[0-9][0-9] days left\$/.test(document.getElementById('next-certificate').textContent)" "the page does not show the days of the next key"
until_true "document.getElementById('pins-clients').textContent === '1 in 7 days, 0 accept the next key'" "the page does not show who asks for pins"
until_true "document.getElementById('version').textContent.startsWith('sc-server ')" "the page does not show the version"

evaluate "fetch('/status.json').then((answer) => answer.json()).then((status) => { status.connections.waiting = 3; showConnections(status); return document.getElementById('waiting-note').textContent; })"
[ "$(cat value)" = '3 wait for a PROXY header' ] || fail "the page does not show who waits for a PROXY header: $(cat value)"
until_true "document.getElementById('waiting-note').textContent === ''" "the page goes on showing who waits for a PROXY header"

kill -HUP "$server_pid"
until_true "document.getElementById('reload-result').textContent === 'Unchanged'" "the page does not show the reload"

for theme in light dark; do
    devtools Emulation.setEmulatedMedia "{\"features\":[{\"name\":\"prefers-color-scheme\",\"value\":\"$theme\"}]}"
    evaluate "getComputedStyle(document.body).backgroundColor"
    cp value "background-$theme"
    for width in 360 768 1440 1920; do
        devtools Emulation.setDeviceMetricsOverride "{\"width\":$width,\"height\":$((width == 360 ? 740 : 1080)),\"deviceScaleFactor\":1,\"mobile\":$([ $width -gt 1000 ] && echo false || echo true)}"
        evaluate "String(document.documentElement.scrollWidth)"
        [ "$(cat value)" -le "$width" ] || fail "$theme, $width pixels: the page is $(cat value) wide"
        # Text that is cut: what an element holds is wider than the element.
        evaluate "[...document.querySelectorAll('section, p, td, th, h2')].filter((e) => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0).map((e) => e.id || e.textContent).join('; ')"
        [ ! -s value ] || [ "$(cat value)" = '' ] || fail "$theme, $width pixels: these are wider than their place: $(cat value)"
        # On a wall nobody scrolls.
        [ $width != 1920 ] || {
            evaluate "String(document.documentElement.scrollHeight)"
            [ "$(cat value)" -le 1080 ] || fail "$theme, 1920 pixels: the page is $(cat value) high"
            # What is only sometimes shown moves nothing.
            evaluate "((locked, delayed, waiting, height) => { const note = [locked, delayed, waiting].map((e) => e.textContent); locked.textContent = delayed.textContent = waiting.textContent = ''; const without = height(); locked.textContent = ', 12 in the last minute'; delayed.textContent = '12 waited for their turn'; waiting.textContent = '12 wait for a PROXY header'; const more = height() - without; [locked, delayed, waiting].forEach((e, i) => { e.textContent = note[i]; }); return String(more); })(document.getElementById('locked-out-note'), document.getElementById('delayed-note'), document.getElementById('waiting-note'), () => document.querySelector('main').getBoundingClientRect().height)"
            [ "$(cat value)" = 0 ] || fail "$theme, 1920 pixels: a note makes the page $(cat value) pixels higher"
        }
    done
done
! cmp -s background-light background-dark || fail "the two themes look the same"

# The words for screen readers: a heading for each section, headings for each table, one live region for the state.
evaluate "[...document.querySelectorAll('section')].filter((e) => !document.getElementById(e.getAttribute('aria-labelledby'))).length + [...document.querySelectorAll('table')].filter((e) => !e.querySelector('th')).length + ' ' + document.querySelectorAll('[role=status], [role=alert], [aria-live]').length"
[ "$(cat value)" = '0 2' ] || fail "sections without a heading and tables without headings, live regions: $(cat value)"

# Numbers do not jump: their width is that of their digits.
evaluate "getComputedStyle(document.getElementById('rate')).fontVariantNumeric"
[ "$(cat value)" = tabular-nums ] || fail "the numbers are not tabular"

# Nobody looks: nothing is asked for. An answer that is under way may still come.
devtools Target.createTarget '{"url":"about:blank"}'
evaluate "document.hidden = true, Object.defineProperty(document, 'hidden', {value: true, configurable: true}), document.dispatchEvent(new Event('visibilitychange')), new Promise((done) => setTimeout(() => { performance.clearResourceTimings(); setTimeout(() => done(String(performance.getEntriesByType('resource').length)), 1500); }, 300))"
[ "$(cat value)" = 0 ] || fail "the page goes on asking while it is hidden: $(cat value) times"
evaluate "Object.defineProperty(document, 'hidden', {value: false}), document.dispatchEvent(new Event('visibilitychange')), 'x'"
until_true "performance.getEntriesByType('resource').length > 1" "the page does not go on when it is seen again"

# Nothing but the page itself and its data was asked for, and the console is empty.
grep -o '"method":"Network.requestWillBeSent".*' messages | grep -o '"request":{"url":"[^"]*' | sed 's/.*"url":"//' | sort -u >urls
printf '%s\n' "$page/" "$page/status.json" 'data:,' | sort >expected
grep -v '^data:,$' urls >asked
grep -v '^data:,$' expected | diff - asked >&2 || fail "other things are asked for than the page and its data"
! grep -E '"method":"(Runtime.consoleAPICalled|Runtime.exceptionThrown|Log.entryAdded)"' messages >console || fail "the console says: $(cut -c 1-400 console)"

# The server is gone.
kill -KILL "$server_pid"
until_true "!document.getElementById('trouble').hidden && document.getElementById('state').textContent === 'no answer'" "the page does not say that the server is gone"
pass "the page shows a server under load, and says when it is gone"
