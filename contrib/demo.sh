#!/bin/sh
# SPDX-License-Identifier: MIT
# make demo: a throw-away key, the real server on a free port of this machine, the real client with the pin. Stops all of it, leaves nothing.
set -eu
: "${SC_BUILDDIR:?run this by make demo}"
PATH=$SC_BUILDDIR/src:$SC_BUILDDIR/tests/tools:$PATH
unset SSLKEYLOGFILE NOTIFY_SOCKET || :
dir=$(mktemp -d "${TMPDIR:-/tmp}/space-captain-demo.XXXXXX")
cd "$dir"
server_pid=

at_exit() {
    status=$?
    trap - EXIT
    if [ -n "$server_pid" ]; then
        kill "$server_pid" 2>/dev/null || :
        wait "$server_pid" 2>/dev/null || :
    fi
    [ $status -eq 0 ] || { echo "demo: it did not work; the server said:" >&2; cat "$dir/server.log" >&2 || :; }
    rm -rf "$dir"
    exit $status
}
trap at_exit EXIT
trap 'exit 1' HUP INT TERM

say() { printf '\n%s\n' "$*"; }

# ask EXPECTED-STATUS ARGUMENT...: shows the command, runs it, shows what it says.
ask() {
    expected=$1
    shift
    printf '  $ sc-client'
    for word in "$@"; do
        case $word in
        *' '*) printf " '%s'" "$word" ;;
        *) printf ' %s' "$word" ;;
        esac
    done
    echo
    status=0
    timeout 20 sc-client "$@" >out 2>&1 </dev/null || status=$?
    sed 's/^/    /' out
    [ $status -eq "$expected" ] || { echo "demo: exit status $status, not $expected" >&2; exit 1; }
}

say "A key and a self-signed certificate for this demo alone:"
echo "  \$ sc-keygen --out server"
timeout 20 sc-keygen --out server >out
pin=$(sed -n 's|.*\(sha256//[A-Za-z0-9+/=]*\).*|\1|p' out | head -n 1)
echo "    the pin is $pin"

sc-server --listen 127.0.0.1:0 --port-file port --certificate server.crt --private-key server.key >server.log 2>&1 </dev/null &
server_pid=$!
wait-for 20 "$server_pid" exists port
address=$(sed -n 1p port)
say "The server, on a free port of this machine:"
echo "  \$ sc-server --listen $address --certificate server.crt --private-key server.key"

say "A client that knows the certificate:"
ask 0 --connect "$address" --pin server.crt echo 'Hello, Space Captain'
ask 0 --connect "$address" --pin server.crt reverse 'niatpaC ecapS'
ask 0 --connect "$address" --pin "$pin" time

say "One that expects another key is not connected, and sends nothing (exit status 90):"
ask 90 --connect "$address" --pin sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= echo secret

kill -TERM "$server_pid"
wait-for 20 "$server_pid" ends
status=0
wait "$server_pid" || status=$?
server_pid=
[ $status -eq 0 ] || { echo "demo: the server ended with status $status" >&2; exit 1; }
say "Everything worked; server stopped, files removed."
