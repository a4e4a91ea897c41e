# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154  # what lib.sh sets
# A headless Chromium, for the tests of the status page; after lib.sh: . "$SC_SRCDIR/tests/system/browser.sh"
#
#   find_browser             its name is in $browser; empty: there is none here
#   start_browser            starts it, with one empty page
#   open_page URL            the page goes there, and has loaded
#   devtools METHOD PARAMETERS   one message of its DevTools protocol; the answer is in $tmp/answer
#   evaluate SCRIPT          a promise is waited for; its value, a string, is in $tmp/value
#   until_true SCRIPT WHAT   until it is true, else the test fails with WHAT

find_browser() {
    browser=
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && {
            browser=$name
            break
        }
    done
}

# By two pipes: messages are JSON with a NUL after each.
start_browser() {
    mkfifo to-browser from-browser
    exec 8<>to-browser 9<>from-browser
    HOME=$tmp "$browser" --headless --hide-scrollbars --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run \
        --disable-background-networking --user-data-dir="$tmp/profile" --remote-debugging-pipe about:blank 3<&8 4>&9 >browser.log 2>&1 8<&- 9<&- &
    browser_pid=$!
    own_pids="$own_pids $browser_pid"
    stdbuf -o0 tr '\0' '\n' <&9 >messages 8<&- 9<&- &
    own_pids="$own_pids $!"
    message_id=0
    session=
    devtools Target.createTarget '{"url":"about:blank"}'
    target=$(json-get result.targetId <answer)
    devtools Target.attachToTarget "{\"targetId\":\"$target\",\"flatten\":true}"
    session=$(json-get result.sessionId <answer)
    for domain in Page Runtime Log Network; do
        devtools $domain.enable '{}'
    done
}

open_page() {
    loads=$(grep -c '"method":"Page.loadEventFired"' messages || :)
    devtools Page.navigate "{\"url\":\"$1\"}"
    wait-for 20 "$browser_pid" contains messages '"method":"Page.loadEventFired"' $((loads + 1)) || fail "the browser does not load $1"
}

devtools() {
    message_id=$((message_id + 1))
    printf '{"id":%d,%s"method":"%s","params":%s}\0' "$message_id" "${session:+\"sessionId\":\"$session\",}" "$1" "$2" >&8
    wait-for 20 "$browser_pid" contains messages "\"id\":$message_id," || fail "the browser does not answer $1"
    grep -F "\"id\":$message_id," messages >answer
    ! grep -q '"error":{' answer || fail "the browser refuses $1: $(cut -c 1-300 answer)"
}

evaluate() {
    devtools Runtime.evaluate "{\"expression\":\"$1\",\"awaitPromise\":true,\"returnByValue\":true}"
    ! grep -q '"exceptionDetails"' answer || fail "in the page: $(cut -c 1-600 answer)"
    json-get result.result.value <answer >value || fail "no value of $1"
}

until_true() {
    evaluate "new Promise((done) => { const end = Date.now() + $((8000 * slow)); const look = () => ($1) ? done('yes') : Date.now() > end ? done('no') : setTimeout(look, 20); look(); })"
    [ "$(cat value)" = yes ] || fail "$2"
}
