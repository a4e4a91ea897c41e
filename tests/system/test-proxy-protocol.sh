#!/bin/sh
# SPDX-License-Identifier: MIT
# proxy-protocol-from: PROXY headers of version 2 before TLS, from those that must send one and from those that must not.
test_seconds=90
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

# header NAME FORMAT: $tmp/NAME is a header, all but the signature as printf(1) writes it.
header() { printf '\r\n\r\n\0\r\nQUIT\n'"$2" >"$1"; }
header v4 '\041\021\0\014\300\0\002\007\306\063\144\001\020\222\020\223' # 192.0.2.7:4242 to 198.51.100.1:4243
header other '\041\021\0\014\300\0\002\010\306\063\144\001\020\222\020\223'
header v6 '\041\041\0\044\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\001\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\002\0\007\0\010'
header local '\040\0\0\0'
header unspec '\041\0\0\0'
header unix '\041\061\0\330' && head -c 216 /dev/zero >>unix
header tlvs '\041\021\002\010\300\0\002\011\306\063\144\001\020\222\020\223' && head -c 508 /dev/zero >>tlvs     # 536 bytes
header longest '\041\021\017\360\300\0\002\012\306\063\144\001\020\222\020\223' && head -c 4068 /dev/zero >>longest # 4096
header too-long '\041\021\017\361\300\0\002\013\306\063\144\001\020\222\020\223' && head -c 4069 /dev/zero >>too-long
header datagram '\041\022\0\014\300\0\002\007\306\063\144\001\020\222\020\223'
header version3 '\061\021\0\014\300\0\002\007\306\063\144\001\020\222\020\223'
printf 'PROXY TCP4 192.0.2.7 198.51.100.1 4242 4243\r\n' >version1

# as STATUS HEADER [OPTION]...: a client whose bytes come after that header.
as() {
    as_status=$1 as_header=$2
    shift 2
    run "$as_status" sc-client --connect "$to" --pin server.crt --timeout $((15 * slow)) --no-retry \
        --proxy-command "relay $to $as_header" "$@"
}
logged() { grep -E " $1" "$server_log" >/dev/null || fail "not in the log: $1"; }

settings() {
    printf '[server]\nreload-interval = 0\nlog-level = debug\n%s\n' "$1" >sc.conf
    if [ -n "$server_pid" ]; then
        reloads=$(grep -c ' reloaded ' "$server_log" || :)
        kill -HUP "$server_pid"
        wait_log ' reloaded ' 10 $((reloads + 1))
    fi
}

# --- What a load balancer sends ---
settings 'proxy-protocol-from = 192.0.2.0/24, 127.0.0.1'
start_server -c sc.conf --listen 127.0.0.1:0 --listen '[::1]:0' --listen "unix:$tmp/socket"
to=$address
as 0 v4 echo hello
expect_out hello
sees proxy-protocol-from
logged 'connected conn=1 peer=192.0.2.7:4242 '
for row in v6='"?\[2001:db8::1\]:7"?' unix=unix tlvs=192.0.2.9:4242 longest=192.0.2.10:4242 local=127.0.0.1:[0-9]+ unspec=127.0.0.1:[0-9]+; do
    as 0 "${row%%=*}" echo "${row%%=*}"
    expect_out "${row%%=*}"
    logged "connected conn=[0-9]* peer=${row#*=} "
done
pass "the client's address is that of the header, of every family, with additions"

# --- And what it must not send: each is counted, and logged with a way out ---
run 35 sc-client --connect "$to" --pin server.crt --no-retry echo x
wait_log 'reason=proxy_header hint="TLS without a PROXY header before it: let the load balancer send one (haproxy: send-proxy-v2)'
for wrong in version1 datagram version3 too-long; do
    run 0 relay "$to" $wrong </dev/null
    [ ! -s out ] || fail "$wrong was answered"
done
stop_server
counted refused_proxy_header 5
grep -q ' connections_accepted=7 ' "$server_log" || fail "the refused ones are among those accepted"
pass "without a header, with version 1, with what version 2 does not have: refused and counted"

# --- A header has its time within that for the handshake ---
settings "$(printf 'proxy-protocol-from = 127.0.0.1\nhandshake-timeout = 300ms')"
start_server -c sc.conf
run 0 hostile --at-least-ms 250 --at-most-ms $((10000 * slow)) silent "$address"
wait_log 'reason=proxy_header hint="no PROXY header came within handshake-timeout: '
stop_server
pass "a load balancer that sends nothing"

# --- Those that wait for their header count towards the limit, and are shown ---
if command -v curl >/dev/null; then
    settings "$(printf 'proxy-protocol-from = 127.0.0.1\nhandshake-timeout = 1h')" # nobody leaves before all looks are done
    start_server -c sc.conf --metrics-listen 127.0.0.1:0 --max-connections 3 --workers 2
    to=$address
    # shown OPEN WAITING WORKERS: in the metrics
    shown() {
        until=$(($(date +%s) + 10 * slow))
        while figures=$(curl -sS -m 10 "http://$admin/metrics" | awk '$1 == "spacecaptain_connections" { open = $2 }
            $1 == "spacecaptain_connections_waiting" { waiting = $2 } /^spacecaptain_worker_connections/ { workers += $2 }
            END { print open, waiting, workers }') && [ "$figures" != "$1 $2 $3" ]; do
            [ "$(date +%s)" -lt $until ] || fail "open, waiting, of workers: $figures, not $*"
        done
    }
    background sc-client --connect "$to" --pin server.crt --proxy-command "relay $to v4" --count 100000 --interval 1 echo x
    client=$background_pid
    wait_log ' connected conn=1 '
    background hostile --count 1 --how silent --ready-file one --go-file end hold "$to"
    background hostile --count 1 --how part-of-proxy-header --ready-file two --go-file end hold "$to"
    shown 3 2 1
    run 0 sc-server --status "$admin"
    grep -q '^connections *3 of 3, 1 accepted since the start, 2 wait for a PROXY header$' out || fail "--status: $(grep '^connections' out)"
    run 0 hostile refused --at-most-ms $((2000 * slow)) "$to"
    wait_log ' reason=max_connections '
    : >end
    shown 1 0 1
    kill "$client"
    finish "$client" 143
    shown 0 0 0
    stop_server
    counted refused_max_connections 1
    counted refused_proxy_header 1
    pass "metrics and limit count connections that wait for their header"
else
    skip_part "there is no curl here to look at the metrics"
fi

# --- The limit for an address is one for clients, and not for the load balancer ---
settings "$(printf 'proxy-protocol-from = 127.0.0.0/8\nmax-connections-per-address = 1')"
start_server -c sc.conf --listen 127.0.0.1:0 --listen "unix:$tmp/socket"
to=$address
background sc-client --connect "$to" --pin server.crt --proxy-command "relay $to v4" --count 100000 --interval 1 echo x
holder=$background_pid
wait_log 'connected conn=1 peer=192.0.2.7:4242 '
as 69 v4 echo x
wait_log ' peer=192.0.2.7:4242 reason=max_connections_per_address '
as 0 other echo x
logged 'connected conn=[0-9]* peer=192.0.2.8:4242 '
pass "max-connections-per-address counts clients"

# --- A reload takes another list: from 127.0.0.1 a header is refused now, and on the unix socket it must be ---
settings 'proxy-protocol-from = unix:'
run 0 sc-client --connect "$to" --pin server.crt echo direct
expect_out direct
run 0 relay "$to" v4 </dev/null
wait_log 'reason=plaintext hint="a PROXY protocol header from an address that is not in proxy-protocol-from: '
to=unix:$tmp/socket
as 0 v4 echo hello
expect_out hello
run 35 sc-client --connect "$to" --pin server.crt --no-retry echo x
wait_log ' peer=unix reason=proxy_header '
settings ''
run 0 sc-client --connect "$to" --pin server.crt echo direct
kill "$holder"
finish "$holder" 143
stop_server
pass "a reload changes the list; unix sockets; from others a header is refused"
