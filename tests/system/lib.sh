# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034  # what a test uses
# For the end-to-end tests: . "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
#
# Each test gets a directory of its own ($tmp, also the working directory) and a deadline for all of it. At its end, however it comes, the
# processes that it started are ended by their number, and when it failed every *.log and the last output are shown. It has also failed when
# the log of a server has a line that is not in the catalogue of events (src/base/log_events.def).
#
#   fail TEXT...               the test has failed
#   skip TEXT...               nothing can be tested here; automake counts it as skipped
#   needs COMMAND...           skips the test where one of them is not installed
#   run STATUS COMMAND...      runs it under a deadline; its exit status must be STATUS; stdout goes to $tmp/out, stderr to $tmp/err
#   expect_out TEXT            the stdout of the last run is TEXT and a newline
#   expect_err PATTERN         the stderr of the last run is one line that matches
#   expect_wrong_pin PATTERN   it shows a wrong pin: the one that was expected matches
#   make_certs [OPTION]...     makes $tmp/server.key and $tmp/server.crt, once
#   dated_certificate BASE FROM TO FILE  a certificate for localhost and BASE.key that is valid between these dates (YYYYMMDDHHMMSSZ)
#   start_server [OPTION]...   starts sc-server on a free port of 127.0.0.1 and returns when it is ready: $server_pid $server_log, $port_file with
#                              all addresses, $address the first of them, $port its port, $admin that of --metrics-listen; a --listen among
#                              the options replaces 127.0.0.1:0
#   stop_server                SIGTERM; it must end in time, with status 0
#   end_server STATUS          waits for a server that was told to end; its status must be STATUS
#   start_service [OPTION OF as-systemd]... -- [OPTION OF sc-server]...
#                              sc-server under as-systemd, ready: $service; the files messages, addresses and service.log are what they say
#   stop_service               SIGTERM to it; it must end in time, with status 0
#   wait_log TEXT [SECONDS [N]]  until the server's log contains TEXT, in N lines
#   counted NAME PATTERN       a counter of the server that has stopped has this value
#   sees KEY...                what went before would have failed if the server had not been given these keys; see without-option.sh
#   fill_server N              N clients are all that the server takes; they leave when the file `go` is made: $holder
#   background COMMAND...      starts it, its output in $tmp/background-N.log: $background_pid
#   finish PID STATUS          waits for it; its exit status must be STATUS
#   handles PID NAME SIGNAL    until the process is the program NAME, and no copy of this shell any more, and has a handler for this signal (a
#                              number): one that is sent before is lost
#   $own_host                  an address of this machine that no other test listens on: where a server is to come back on its port, or nobody is
#                              to listen any more, which might be the port of another test meanwhile
#
# Set by what builds on it: at_end, a function that is called at the end, however it comes.
# Set before sourcing: test_seconds, the deadline of the whole test (60). SC_TEST_FACTOR in the environment multiplies it, for
# slow builds ($slow; also to be used for upper bounds of times, but those of wait-for, wait_log, terminal and background, which do that). SC_TEST_KEEP=1 keeps $tmp. SC_TEST_TLS_LIBRARY=mbedtls makes sc-client one
# over that TLS library: test-mbedtls.sh runs the tests of the client with it.

: "${SC_SRCDIR:?is set by make check}" "${SC_BUILDDIR:?is set by make check}"
set -eu
export LC_ALL=C
unset http_proxy HTTP_PROXY SSLKEYLOGFILE NOTIFY_SOCKET WATCHDOG_USEC WATCHDOG_PID LISTEN_FDS LISTEN_PID LISTEN_FDNAMES JOURNAL_STREAM STATE_DIRECTORY || :

# SC_TEST_SHELL: another shell, with its options.
# The deadline is kept by timeout(1) around the whole script; its signal reaches every process of the group, so the inner ones stay in it.
if [ -z "${SC_TEST_GUARDED-}" ]; then
    export SC_TEST_GUARDED=1
    # shellcheck disable=SC2086
    exec timeout -k 10 "$((${test_seconds:-60} * ${SC_TEST_FACTOR:-1}))" ${SC_TEST_SHELL:-/bin/sh} "$0" "$@"
fi
unset SC_TEST_GUARDED

test_name=$(basename "$0" .sh)
# The programs of the build, never installed ones: their directories come first, and they are asked for by name.
PATH=$SC_BUILDDIR/src:$SC_BUILDDIR/tests/tools:$PATH
export PATH
own_pids=
server_pid=
server_count=0
background_count=0
slow=${SC_TEST_FACTOR:-1}
short=$slow # seconds: what is to be waited for in vain, after a handshake that has to be made in time
own_host=127.$((($$ >> 15 & 127) + 1)).$(($$ >> 8 & 127)).$(($$ & 255))
run_seconds=$((${run_seconds:-20} * slow))

tmp=$(mktemp -d "${TMPDIR:-/tmp}/sc-$test_name.XXXXXX")
cd "$tmp"
export XDG_CONFIG_HOME="$tmp/xdg-config" # not the user's

dump() {
    for log in "$tmp"/*.log "$tmp/out" "$tmp/err"; do
        [ -s "$log" ] || continue
        echo "--- $test_name: ${log##*/} (the last 60 lines)" >&2
        tail -n 60 "$log" | cut -c 1-400 >&2
    done
}

# Only what this test started and has not waited for.
end_own() {
    for pid in $own_pids; do
        kill -TERM "$pid" 2>/dev/null || continue
        wait-for 8 "$pid" ends 2>/dev/null || kill -KILL "$pid" 2>/dev/null || :
        wait "$pid" 2>/dev/null || :
    done
    own_pids=
}

at_exit() {
    status=$?
    trap - EXIT
    trap '' HUP INT TERM
    set +e
    case $status in
    0) check-log "$tmp"/*.log || status=1 ;;
    77) ;;
    *) dump ;;
    esac
    end_own
    ${at_end:-:}
    cd /
    if [ -n "${SC_TEST_KEEP-}" ]; then
        echo "$test_name: the directory of the test is kept: $tmp" >&2
    else
        rm -rf "$tmp"
    fi
    exit $status
}
trap at_exit EXIT
trap 'echo "$test_name: the time for the whole test was up, or it was interrupted" >&2; exit 1' HUP INT TERM

fail() {
    echo "$test_name: FAILED: $*" >&2
    exit 1
}

# With $SC_TEST_WITHOUT the server is one that is never told of that key (tests/system/without-option.sh).
sees() {
    for seen; do
        [ "$seen" != "${SC_TEST_WITHOUT-}" ] || fail "NOT SEEN: $seen is declared as tested up to here"
    done
}

skip() {
    echo "$test_name: skipped: $*"
    exit 77
}

needs() {
    for needed; do
        command -v "$needed" >/dev/null || skip "there is no $needed here"
    done
}

# A part of a test that cannot run here is named, and the rest goes on.
skip_part() {
    echo "$test_name: part skipped: $*"
}

pass() {
    echo "$test_name: $*"
}

if [ -n "${SC_TEST_WITHOUT-}" ]; then
    mkdir -p "$tmp/bin"
    real_server=$(command -v sc-server)
    cat >"$tmp/bin/sc-server" <<END
#!/bin/sh
for argument; do
    shift
    [ -z "\${drop-}" ] || { drop=; continue; }
    case \$argument in
    "--$SC_TEST_WITHOUT") drop=1; continue ;;
    "--$SC_TEST_WITHOUT="*) continue ;;
    esac
    [ ! -f "\$argument" ] || case \$argument in *.conf) sed -i "/^$SC_TEST_WITHOUT *=/d" "\$argument" ;; esac
    set -- "\$@" "\$argument"
done
exec $real_server "\$@"
END
    chmod +x "$tmp/bin/sc-server"
    PATH=$tmp/bin:$PATH
fi

# sc-client over another TLS library. client_versions: those of TLS that it has.
client_versions='1_2 1_3'
if [ -n "${SC_TEST_TLS_LIBRARY-}" ]; then
    sc-client --tls-library "$SC_TEST_TLS_LIBRARY" --version >/dev/null 2>&1 || skip "this build does not have $SC_TEST_TLS_LIBRARY"
    mkdir -p "$tmp/bin"
    printf '#!/bin/sh\nexec %s --tls-library %s "$@"\n' "$(command -v sc-client)" "$SC_TEST_TLS_LIBRARY" >"$tmp/bin/sc-client"
    chmod +x "$tmp/bin/sc-client"
    PATH=$tmp/bin:$PATH
    test_name=$test_name-$SC_TEST_TLS_LIBRARY
    client_versions=1_2
fi

forget_pid() {
    left=
    for pid in $own_pids; do
        [ "$pid" = "$1" ] || left="$left $pid"
    done
    own_pids=$left
}

run() {
    expected=$1
    shift
    status=0
    timeout --foreground -k 5 "$run_seconds" "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
    [ "$status" = "$expected" ] || fail "exit status $status, not $expected: $*"
}

expect_out() {
    printf '%s\n' "$1" | cmp -s - "$tmp/out" || fail "stdout is not \"$1\""
}

expect_wrong_pin() {
    sed -n 1p "$tmp/err" | grep -q 'is not the server that was pinned, nothing was sent:$' || fail "no wrong pin is shown"
    sed -n 2p "$tmp/err" | grep -Eq -e "^  expected  $1" || fail "another pin was expected: $1"
    sed -n '$p' "$tmp/err" | grep -q '^Trust the new key only if' || fail "not printed what to do about a wrong pin"
}

expect_err() {
    { read -r _ && ! read -r _; } <"$tmp/err" || fail "stderr is not one line"
    grep -Eq -e "$1" "$tmp/err" || fail "stderr does not match: $1"
}

# shellcheck disable=SC2120
make_certs() {
    [ -e "$tmp/server.key" ] || run 0 sc-keygen --out "$tmp/server" "$@"
}

# openssl ca takes dates; the other commands of openssl take days from now.
dated_certificate() {
    : >index
    printf '[ca]\ndefault_ca=d\n[d]\ndatabase=index\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nnew_certs_dir=.\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n' >ca.cnf
    openssl req -new -key "$1.key" -subj /CN=localhost -out dated.csr 2>>openssl.log || fail "openssl req"
    openssl ca -batch -notext -config ca.cnf -extensions x -in dated.csr -selfsign -keyfile "$1.key" -startdate "$2" -enddate "$3" -out "$4" \
        2>>openssl.log || fail "openssl ca"
}

# Since the machine was started.
milliseconds() { read -r up rest </proc/uptime; echo "${up%.*}${up#*.}0"; }

# Waits for the port file or for the end of the server, whichever comes first.
start_server() {
    # shellcheck disable=SC2119
    make_certs
    server_count=$((server_count + 1))
    server_log=$tmp/server-$server_count.log
    port_file=$tmp/port-$server_count
    rm -f "$port_file"
    case " $* " in
    *" --listen "*) ;;
    *) set -- --listen 127.0.0.1:0 "$@" ;;
    esac
    sc-server --port-file "$port_file" --certificate "$tmp/server.crt" --private-key "$tmp/server.key" "$@" \
        >"$server_log" 2>&1 </dev/null &
    server_pid=$!
    own_pids="$own_pids $server_pid"
    wait-for 30 "$server_pid" exists "$port_file" || fail "the server did not become ready: $*"
    # What the log says of a start comes after the port file; `crypto` is in the line ready, in each format.
    [ -p "$server_log" ] || wait-for 30 "$server_pid" contains "$server_log" crypto || fail "the server's log does not say ready: $*"
    address=$(sed -n 1p "$port_file")
    port=${address##*:}
    [ -p "$server_log" ] || admin=$(sed -n 's/.* ready .*metrics=\([^ ]*\) .*/\1/p' "$server_log")
}

end_server() {
    finish "$server_pid" "$1"
    server_pid=
}

stop_server() {
    kill -TERM "$server_pid" || fail "the server has ended before it was stopped"
    end_server 0
}

start_service() {
    make_certs
    options=
    while [ "$1" != -- ]; do
        options="$options $1"
        shift
    done
    shift
    rm -f messages addresses
    # shellcheck disable=SC2086
    as-systemd $options messages addresses sc-server -c /dev/null --certificate "$tmp/server.crt" --private-key "$tmp/server.key" "$@" \
        >service.log 2>&1 </dev/null &
    service=$!
    own_pids="$own_pids $service"
    wait-for 30 $service contains messages READY=1 || fail "the service did not get ready: $(cat service.log)"
}

stop_service() {
    kill -TERM "$service" || fail "the service has ended before it was stopped"
    finish "$service" 0
}

wait_log() {
    wait-for "${2:-20}" "$server_pid" contains "$server_log" "$1" "${3:-1}" || fail "the server's log never had: $1"
}

counted() {
    grep -Eq " stopped (.* )?$1=$2( |\$)" "$server_log" || fail "$1 is not $2: $(grep ' stopped ' "$server_log")"
}

fill_server() {
    background hostile --count "$1" --deadline-ms $((60000 * slow)) --go-file go --how idle --ready-file full hold "$address"
    holder=$background_pid
    wait-for 20 "$holder" exists full || fail "$1 clients do not get in"
    run 0 hostile refused --at-most-ms $((2000 * slow)) "$address"
}

background() {
    background_count=$((background_count + 1))
    timeout --foreground -k 5 "$((${background_seconds:-50} * slow))" "$@" >"$tmp/background-$background_count.log" 2>&1 </dev/null &
    background_pid=$!
    own_pids="$own_pids $background_pid"
}

finish() {
    wait-for "${finish_seconds:-30}" "$1" ends || fail "process $1 did not end in time"
    status=0
    wait "$1" || status=$?
    forget_pid "$1"
    [ "$status" = "$2" ] || fail "a process ended with status $status, not $2"
}

handles() {
    handles_until=$(($(milliseconds) + 20000 * slow))
    until [ "$(sed -n 's/^Name:[[:space:]]*//p' "/proc/$1/status")" = "$2" ] &&
        [ $((0x$(sed -n 's/^SigCgt:[[:space:]]*//p' "/proc/$1/status") >> ($3 - 1) & 1)) = 1 ]; do
        [ "$(milliseconds)" -lt "$handles_until" ] || fail "$2 has no handler for signal $3"
    done
}

# Clock ticks (1/100 s) of processor time that a process has used.
cpu_ticks() {
    sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 12,13 | { read -r user system; echo $((user + system)); }
}

# Resident memory of a process, KiB; its peak with VmHWM.
memory_kib() {
    sed -n "s/^${2:-VmRSS}:[[:space:]]*\([0-9]*\) kB/\1/p" "/proc/$1/status"
}
