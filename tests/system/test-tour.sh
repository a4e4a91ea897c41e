#!/bin/sh
# SPDX-License-Identifier: MIT
# docs/client.md: every transcript of it is replayed against a real server, in the order of the page, and prints what the page says.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
# SC_TEST_PAGE: another page, as the part at the end.
page=${SC_TEST_PAGE:-$SC_SRCDIR/docs/client.md}
export TERM=dumb
export XDG_STATE_HOME="$tmp/xdg-state"
grep -q 'define HAVE_LIBEDIT' "$SC_BUILDDIR/config.h" && editing=yes || editing=

make_certs --name captain.example.org
run 0 sc-keygen --out alice --name alice
run 0 sc-keygen --out other --name other
# The page's server is captain.example.org:4242, which is 192.0.2.7.
serve() {
    [ -z "$server_pid" ] || stop_server
    start_server --listen "$own_host:0" "$@"
}
serve

# Addresses and hosts become HOST, and what differs from run to run (pins, times, dates, names of directories) words.
plain() {
    sed -E -e 's/(captain\.example\.org|192\.0\.2\.7|127(\.[0-9]+){3})(:[0-9]+)?/HOST/g' \
        -e 's#sha256//[A-Za-z0-9+/]{43}=#sha256//PIN#g; s#(pin-sha256=)"[A-Za-z0-9+/=]*"#\1PIN#; s#SHA256:[A-Za-z0-9+/]{43}#SHA256:PIN#' \
        -e 's/3 1 1 [0-9A-Fa-f]{64}/3 1 1 PIN/; s/cert-sha256:([0-9A-F]{2}:){31}[0-9A-F]{2}/cert-sha256:PIN/' \
        -e 's#([0-9.]+/)+[0-9.]+ ms#N ms#; s/[0-9]+\.[0-9]+ ms/N ms/g; s/"([a-z_]*seconds)":-?[0-9.]+/"\1":N/g' \
        -e 's/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]{6})?Z/TIME/; s/20[0-9]{2}-[0-9]{2}-[0-9]{2}/DATE/g; s/[0-9]+ more days/N more days/; s/come back in [0-9a-z.]+/come back in TIME/' \
        -e 's/(no difference beyond|the server is N ms) .*$/CLOCK/' \
        -e "s#$tmp/xdg-config#~/.config#g; s#$tmp/xdg-state#~/.local/state#g" -e 's/HOST [0-9]+ sha256/HOST PORT sha256/' -e 's/TLS_[A-Z0-9_]+|ECDHE-[A-Z0-9-]+/CIPHER/g'
}

# Blocks of the kind "console": a line that starts with "$ " is a command, until the next what it prints. "# " is for the test: its words
# start another server.
n=0
# A conversation at a prompt: what follows "> " is typed. Where the page shows that the server goes away, another one takes its place.
converse() {
    set --
    while IFS= read -r text; do
        case $text in
        *"> "?*) set -- "$@" '> ' "${text#*"> "}\n" ;;
        *': going away'*) set -- "$@" '> ' "!kill -TERM $server_pid" 'connects again' \
            "!sc-server --listen $address --certificate server.crt --private-key server.key >again.log 2>&1 & echo \$! >again.pid; wait-for 20 0 contains again.log ready" ;;
        esac
    done <expected
    terminal 60 "$@" -- sh -c "$real" >terminal.out || cat terminal.out >&2
    tr -d '\r' <terminal.out
    if [ -e again.pid ]; then
        own_pids="$own_pids $(cat again.pid)"
        rm again.pid
        end_server 0
    fi
}
replay() {
    [ -n "$command" ] || return 0
    n=$((n + 1))
    real=$(printf '%s\n' "$command" | sed -E "s/captain\.example\.org(:4242)?/$address/g; s#~/\.config#$tmp/xdg-config#g; s#~/\.local/state#$tmp/xdg-state#g")
    if ! grep -q '^captain[^ ]*> ' expected; then
        timeout $((30 * slow)) sh -c "$real" >out 2>&1 </dev/null || :
    elif [ "$editing" ]; then
        converse >out 2>&1
    else
        skip_part "no libedit: the prompt of line $line"
        cp expected out
    fi
    plain <expected >expected.plain
    plain <out >out.plain
    if ! cmp -s expected.plain out.plain; then
        diff expected.plain out.plain >&2 || :
        fail "another output than on the page, line $line: $command"
    fi
    : >expected
    command=
}
awk '/^```console$/ { inside = 1; next } /^```$/ { if (inside) print "0:END"; inside = 0; next } /^<!-- server/ { sub(/^<!-- server */, ""); sub(/ *-->$/, ""); print "0:SERVER " $0; next }
    inside { print NR ":" $0 }' "$page" >lines
: >expected
command=
server=
while IFS= read -r entry; do
    text=${entry#*:}
    case $entry in
    0:END) replay ;;
    0:SERVER*)
        server=${text#SERVER}
        # shellcheck disable=SC2086
        serve $server
        ;;
    *:"$ "*)
        replay
        command=${text#"$ "}
        line=${entry%%:*}
        ;;
    *) printf '%s\n' "$text" >>expected ;;
    esac
done <lines
pass "$n commands"
[ "$n" -ge 15 ] || [ -n "${SC_TEST_PAGE-}" ] || fail "the page has hardly any transcripts"
stop_server

# It does see what is wrong.
if [ -z "${SC_TEST_PAGE-}" ]; then
    printf '```console\n$ echo one\ntwo\n```\n' >wrong.md
    status=0
    SC_TEST_PAGE=$tmp/wrong.md TMPDIR=$tmp sh "$SC_SRCDIR/tests/system/test-tour.sh" >wrong.log 2>&1 || status=$?
    [ "$status" = 1 ] || fail "a page with a wrong output passes: $status"
    grep -q 'another output than on the page, line 2: echo one' wrong.log || fail "the wrong output is not named"
    : >wrong.log
fi
