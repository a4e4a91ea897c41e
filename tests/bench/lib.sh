# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC3045  # every sh that we know has ulimit -H
# For the scripts of make bench: . "$SC_SRCDIR/tests/bench/lib.sh"
#
#   start SERVER [OPTION]...   starts ours, bare, nginx, hitch, stunnel or haproxy on a free port of 127.0.0.1, and waits until it answers:
#                              $address, and $pids, the processes that count. A proxy gets the bare server, in clear, as its backend.
#   stop                       ends what start has started
#   have SERVER                whether it is installed
#   load NAME                  the options of sc-bench for one of the loads
#   bench OPTION...            sc-bench with --json against $address; the result is in $tmp/json; its failure ends everything
#   value PATH                 of that result
#   median                     of the numbers on standard input, one a line
#   describe                   the day, the machine and the versions, in two lines
#
# With two processors or more, servers run on the first and the generator (and a proxy's backend) on the second, unless BENCH_PIN=no.

: "${SC_SRCDIR:?is set by make bench}" "${SC_BUILDDIR:?is set by make bench}"
set -eu
export LC_ALL=C
PATH=$SC_BUILDDIR/src:$SC_BUILDDIR/tests/bench:$SC_BUILDDIR/tests/tools:$PATH:/usr/sbin:/sbin
export PATH

name=$(basename "$0" .sh)
tmp=$(mktemp -d "${TMPDIR:-/tmp}/sc-bench-$name.XXXXXX")
started=
pids=

give_up() {
    echo "bench: $*" >&2
    for log in "$tmp"/*.log; do
        [ -s "$log" ] && { echo "--- ${log##*/}"; tail -n 20 "$log"; } >&2
    done
    exit 1
}

# Ends processes by their number, and waits for them.
end() {
    for pid in "$@"; do
        kill "$pid" 2>/dev/null || :
    done
    for pid in "$@"; do
        wait-for 5 "$pid" ends 2>/dev/null || kill -KILL "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    done
}

stop() {
    # shellcheck disable=SC2086
    end $started
    started=
    pids=
    }

at_exit() {
    status=$?
    trap - EXIT
    set +e
    stop
    rm -rf "$tmp"
    exit $status
}
trap at_exit EXIT
trap 'exit 130' HUP INT TERM

on_server=
on_client=
if [ "${BENCH_PIN:-yes}" = yes ] && [ "$(nproc)" -ge 2 ] && command -v taskset >/dev/null; then
    on_server="taskset -c 0"
    on_client="taskset -c 1"
fi

sc-keygen --out "$tmp/server" --name localhost --name 127.0.0.1 >/dev/null
cat "$tmp/server.key" "$tmp/server.crt" >"$tmp/both.pem"
# Proxies that start as root change to a user that must be able to read these.
chmod 755 "$tmp"
chmod 644 "$tmp/both.pem" "$tmp/server.key"

have() {
    case $1 in
    ours | bare) return 0 ;;
    nginx) command -v nginx >/dev/null && [ -e /usr/lib/nginx/modules/ngx_stream_module.so ] ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

# A port that was free a moment ago.
free_port() {
    rm -f "$tmp/free"
    sc-bare --clear --port-file "$tmp/free" &
    free_pid=$!
    wait-for 5 "$free_pid" exists "$tmp/free" || give_up "no free port"
    end "$free_pid"
    sed 's/.*://' "$tmp/free"
}

spawn() {
    log=$tmp/$1.log
    shift
    "$@" >"$log" 2>&1 </dev/null &
    started="$started $!"
    pids=$!
}

start_backend() {
    rm -f "$tmp/backend"
    # shellcheck disable=SC2086
    spawn backend $on_client sc-bare --clear --port-file "$tmp/backend"
    wait-for 5 "$pids" exists "$tmp/backend" || give_up "the backend did not start"
    backend=$(cat "$tmp/backend")
}

# shellcheck disable=SC2086
start_proxy() {
    start_backend
    port=$(free_port)
    address=127.0.0.1:$port
    as_root=
    [ "$(id -u)" != 0 ] || as_root=yes
    case $1 in
    nginx)
        cat >"$tmp/nginx.conf" <<CONF
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
${as_root:+user root;}
daemon off;
worker_processes 1;
worker_rlimit_nofile $(ulimit -Hn);
pid $tmp/nginx.pid;
error_log $tmp/nginx-error.log warn;
events { worker_connections $(ulimit -Hn); }
stream {
    server {
        listen 127.0.0.1:$port ssl backlog=4096;
        ssl_certificate $tmp/server.crt;
        ssl_certificate_key $tmp/server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_ecdh_curve X25519:P-256:P-384;
        proxy_pass $backend;
    }
}
CONF
        spawn nginx $on_server nginx -c "$tmp/nginx.conf" -e "$tmp/nginx-error.log"
        ;;
    hitch)
        cat >"$tmp/hitch.conf" <<CONF
frontend = "[127.0.0.1]:$port"
backend = "[127.0.0.1]:${backend#*:}"
pem-file = "$tmp/both.pem"
tls-protos = TLSv1.2 TLSv1.3
workers = 1
backlog = 4096
daemon = off
${as_root:+user = \"root\"}
CONF
        spawn hitch $on_server hitch --config="$tmp/hitch.conf"
        ;;
    haproxy)
        cat >"$tmp/haproxy.conf" <<CONF
global
    nbthread 1
    maxconn $((($(ulimit -Hn) - 200) / 2))
defaults
    mode tcp
    timeout connect 10s
    timeout client 5m
    timeout server 5m
frontend f
    bind 127.0.0.1:$port backlog 4096 ssl crt $tmp/both.pem ssl-min-ver TLSv1.2 curves X25519:P-256:P-384
    default_backend b
backend b
    server s $backend
CONF
        spawn haproxy $on_server haproxy -db -f "$tmp/haproxy.conf"
        ;;
    stunnel)
        cat >"$tmp/stunnel.conf" <<CONF
foreground = yes
pid =
syslog = no
debug = 4
[s]
accept = 127.0.0.1:$port
connect = $backend
cert = $tmp/both.pem
sslVersionMin = TLSv1.2
socket = l:TCP_NODELAY=1
socket = r:TCP_NODELAY=1
CONF
        spawn stunnel $on_server stunnel "$tmp/stunnel.conf"
        ;;
    esac
}

# Waits until it answers one request: proxies do not say when they are ready.
answers() {
    tries=0
    until sc-bench --connect "$address" --pin "$tmp/server.crt" -n 1 >"$tmp/first.log" 2>&1; do
        tries=$((tries + 1))
        [ "$tries" -lt 100 ] && kill -0 "$pids" 2>/dev/null || return 1
        sleep 0.05
    done
    return 0
}

# shellcheck disable=SC2086
start() {
    stop
    server=$1
    shift
    rm -f "$tmp/port"
    case $server in
    ours)
        spawn ours $on_server sc-server --listen 127.0.0.1:0 --port-file "$tmp/port" --certificate "$tmp/server.crt" \
            --private-key "$tmp/server.key" --log-level error --max-connections 19000 ${workers:---workers 1} "$@"
        wait-for 10 "$pids" exists "$tmp/port" || give_up "sc-server did not start"
        address=127.0.0.1:$(sed 's/.*://' "$tmp/port")
        ;;
    bare)
        spawn bare $on_server sc-bare --certificate "$tmp/server.crt" --private-key "$tmp/server.key" --port-file "$tmp/port"
        wait-for 10 "$pids" exists "$tmp/port" || give_up "sc-bare did not start"
        address=$(cat "$tmp/port")
        ;;
    *) start_proxy "$server" ;;
    esac
    answers || give_up "$server does not answer"
    # Its children count too, and they are ended with it.
    children=$(pgrep -P "$pids" | tr '\n' ' ') || :
    pids="$pids $children"
}

load() {
    case $1 in
    64x1x64) echo "-c 64 -d 1 -s 64" ;;
    64x16x64) echo "-c 64 -d 16 -s 64" ;;
    8x4x16K) echo "-c 8 -d 4 -s 16K" ;;
    handshake) echo "-c 32 --handshakes -s 64" ;;
    resume) echo "-c 32 --resume -s 64" ;;
    *) give_up "no such load: $1" ;;
    esac
}

# shellcheck disable=SC2086
bench() {
    set -- sc-bench --connect "$address" --pin "$tmp/server.crt" --json "$@"
    for pid in $pids; do
        set -- "$@" --server-pid "$pid"
    done
    timeout 120 $on_client "$@" >"$tmp/json" 2>"$tmp/sc-bench.log" ||
        give_up "failed: $*: $(json-get first_errors <"$tmp/json" 2>/dev/null)"
}

value() {
    json-get "$1" <"$tmp/json"
}

median() {
    sort -g | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'
}

describe() {
    echo "$(date -u +%Y-%m-%d), $(nproc) processors, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), Linux $(uname -r)"
    sc-server --version | tr '\n' ' '
    echo
}
