#!/bin/sh
# SPDX-License-Identifier: MIT
# The installed service under a real systemd, from its first start, which logs the client's command. After restarts sessions can be resumed,
# with the socket unit nobody is refused; and a server that hangs, or takes too much memory, is replaced. Half a minute: with SC_TEST_BUILD=yes.
test_seconds=120
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
. "$SC_SRCDIR/tests/system/box.sh"
box_needs
[ "${SC_TEST_BUILD-}" ] || skip "restarts under a real systemd take half a minute: SC_TEST_BUILD=yes makes them"

box_install
mkdir -p "$layer/usr/local/bin"
cp "$SC_BUILDDIR/tests/tools/fleet" "$layer/usr/local/bin/"
box_start
service() { box systemctl show -P "$1" sc-server.service; }
drop_in() {
    cat >"$box_share/$1.conf"
    run 0 box mkdir -p /etc/systemd/system/sc-server.service.d
    run 0 box cp "/box/$1.conf" "/etc/systemd/system/sc-server.service.d/$1.conf"
    run 0 box systemctl daemon-reload
}
visit() { # full|resumed
    run 0 box sc-client --timeout 20 --pin "$box_conf/server.crt" --session /root/session --verbose echo hello
    expect_out hello
    grep -q "$1 handshake" err || fail "not a $1 handshake"
}
ready_again() {
    ready=$((ready + 1))
    box_journal ' ready listen=' $ready
}

# start_fleet CLIENTS [OPTION]...: in the box, its output in fleet.log.
start_fleet() {
    background box sh -c 'echo $$ >/box/fleet.pid && exec fleet --clients "$@" >/box/fleet.log 2>&1' fleet "$@" localhost:4242 "$box_conf/server.crt"
    fleet=$background_pid
}
signal_fleet() { run 0 box kill "-$1" "$(cat "$box_share/fleet.pid")"; }

run 0 box systemd-sysusers
run 0 box systemd-tmpfiles --create
run 0 box systemctl daemon-reload
drop_in fast <<END
[Service]
RestartSec=100ms
END
ready=0
logged_command() { sed -n 's/.* client_command .*command="\(.*\)"$/\1/p' journal.log | tail -n 1; }
hello() { # what the log says
    box_journal ' client_command ' "$1"
    run 0 box sh -c "$(logged_command)"
    expect_out hello
}

# --- The first start --------------------------------------------------------------------------------------------------------------------
# A configuration that names another key: no unused pair is made, and the log says what to do.
printf '[server]\ncertificate = %s/captain.crt\nprivate-key = %s/captain.key\n' "$box_conf" "$box_conf" >"$box_share/captain.conf"
run 0 box cp -p $box_conf/sc-server.conf $box_conf/sample.conf
run 0 box cp /box/captain.conf $box_conf/sc-server.conf
run 1 box systemctl start sc-server.service
box_journal "make it and its key: sc-keygen --out $box_conf/captain"
run 1 box test -e $box_conf/server.key
run 0 box systemctl stop sc-server.service
run 0 box sc-keygen --out $box_conf/captain
run 0 box systemctl start sc-server.service
hello 1
ready_again
run 1 box test -e $box_conf/server.key
run 0 box systemctl stop sc-server.service
# The one that it comes with: a pair is made, and what the log and the status say works.
run 0 box cp -p $box_conf/sample.conf $box_conf/sc-server.conf
run 0 box systemctl start sc-server.service
hello 2
ready_again
run 0 box systemctl status --no-pager --full sc-server.service
grep -qF "; try it: $(logged_command)\"" out || fail "systemctl status does not show the command"
# The certificate is lost: it is not made again unasked, and the log says how.
run 0 box systemctl stop sc-server.service
run 0 box rm $box_conf/server.crt
run 1 box systemctl start sc-server.service
box_journal "make one for the key that is there: sc-keygen --renew --out $box_conf/server"
run 0 box systemctl stop sc-server.service
run 0 box sc-keygen --renew --out $box_conf/server
run 0 box systemctl start sc-server.service
hello 3
ready_again
pass "the first start"

# --- Sessions outlive a restart and a crash, and not a stop -----------------------------------------------------------------------------
visit full
visit resumed
run 0 box systemctl restart sc-server.service
ready_again
visit resumed
run 0 box systemctl kill --signal KILL --kill-who main sc-server.service
ready_again
visit resumed
[ "$(service NFileDescriptorStore)" = 1 ] || fail "$(service NFileDescriptorStore) descriptors are stored"
run 0 box systemctl stop sc-server.service
run 0 box systemctl start sc-server.service
ready_again
visit full

# --- With the socket unit a restart leaves no trace -------------------------------------------------------------------------------------
run 0 box systemctl stop sc-server.service
run 0 box systemctl start sc-server.socket
start_fleet 300 --every 50
wait-for 30 "$fleet" contains "$box_share/fleet.log" connected || fail "not all clients could connect"
ready_again
for round in 1 2 3 4; do
    signal_fleet USR1
    wait-for 30 "$fleet" contains "$box_share/fleet.log" "begun: $round" || fail "the clients do not expect restart $round"
    case $round in
    1 | 2) run 0 box systemctl restart sc-server.service ;;
    *) run 0 box systemctl kill --signal KILL --kill-who main sc-server.service ;;
    esac
    ready_again
    wait-for 30 "$fleet" contains "$box_share/fleet.log" "round $round:" || fail "not everybody came back from restart $round"
    grep -q "round $round: .* full=0 resumed=[0-9]* refused=0 failed=0 " "$box_share/fleet.log" ||
        fail "restart $round has left a trace: $(tail -n 1 "$box_share/fleet.log")"
done
signal_fleet TERM
finish "$fleet" 0
run 0 box systemctl stop sc-server.socket sc-server.service
pass "restarts without a trace"

# --- A server that hangs is replaced, and so is one that takes too much memory ----------------------------------------------------------
drop_in watchdog <<END
[Service]
WatchdogSec=$((1 + slow))
END
run 0 box systemctl start sc-server.service
ready_again
visit full
run 0 box systemctl kill --signal STOP --kill-who main sc-server.service
box_journal 'Watchdog timeout'
ready_again
visit resumed
run 0 box rm /etc/systemd/system/sc-server.service.d/watchdog.conf
drop_in memory <<END
[Service]
MemoryMax=24M
END
run 0 box systemctl stop sc-server.service
run 0 box systemctl start sc-server.socket
killed='Main process exited, code=killed, status=9/KILL'
before=$(box_journal_count "$killed")
start_fleet 3000
box_journal "$killed" $((before + 1))
signal_fleet TERM
finish "$fleet" 0
# The clients may have made it take too much more than once.
deadline=$(($(milliseconds) + 30000 * slow))
until box sc-client --timeout 20 --pin "$box_conf/server.crt" echo hello >/dev/null 2>&1; do
    [ "$(milliseconds)" -lt $deadline ] || fail "the server was not started again"
done
visit full
run 0 box systemctl stop sc-server.socket sc-server.service
pass "replaced when it hangs, and when it takes too much memory"
