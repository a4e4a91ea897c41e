#!/bin/sh
# SPDX-License-Identifier: MIT
# The installed service under a real systemd: what it does when it is started, restarted, killed, reloaded and stopped, as the units say.
# SC_TEST_BUILD=yes: restarts and crashes are more often than the five times of StartLimitBurst= each, and not both together.
test_seconds=180
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
. "$SC_SRCDIR/tests/system/box.sh"
box_needs
needs ip

# The drop-ins that the manual and the comments of the unit show are used as they are written there.
unit=$SC_BUILDDIR/contrib/systemd/sc-server.service
commented() { sed -n "s/^#[[:space:]]*\($1\)/\1/p" "$unit"; }

service() { box systemctl show -P "$1" sc-server.service; }
socket() { box systemctl show -P "$1" sc-server.socket; }

# drop_in UNIT NAME: its content from standard input.
drop_in() {
    mkdir -p "$box_share/$1.d"
    cat >"$box_share/$1.d/$2.conf"
    run 0 box mkdir -p "/etc/systemd/system/$1.d"
    run 0 box cp "/box/$1.d/$2.conf" "/etc/systemd/system/$1.d/$2.conf"
    run 0 box systemctl daemon-reload
}

# Until the next drop_in, or daemon-reload, systemd does not know.
no_drop_in() {
    run 0 box rm "/etc/systemd/system/$1.d/$2.conf"
}

# configure LINE...: the [server] section.
configure() {
    { echo '[server]'; printf '%s\n' "$@"; } >"$box_share/sc-server.conf"
    run 0 box cp /box/sc-server.conf "$box_conf/sc-server.conf"
}

# echo_over ADDRESS: the service answers there.
echo_over() {
    run 0 box sc-client --timeout 15 --connect "$1" --pin "$box_conf/server.crt" echo "to $1"
    expect_out "to $1"
}

kill_it() {
    before=$(box_journal_count 'ready listen=')
    run 0 box systemctl kill --signal KILL --kill-who main sc-server.service
}

box_install
mkdir -p "$layer/usr/local/bin"
cp "$SC_BUILDDIR/tests/tools/hostile" "$layer/usr/local/bin/"
box_start

# --- The first start makes the key, and the service can read it ------------------------------------------------------------------------
run 0 box systemd-sysusers
run 0 box systemd-tmpfiles --create
run 0 box systemctl daemon-reload
run 0 box systemctl enable --now sc-server.service
echo_over 127.0.0.1:4242
[ "$(box stat -c %U:%G:%a "$box_conf/server.key")" = sc-server:sc-server:600 ] || fail "wrong owner or mode of the key"
service StatusText | grep -Eq '^serving, (0 connections|1 connection), certificate ends in ' || fail "StatusText: $(service StatusText)"

# Its log are entries with fields, and those of a client that speaks no TLS can be found by them.
run 0 box hostile --how 'GET / HTTP/1.0' plain 127.0.0.1:4242
box_journal 'tls_handshake_failed '
run 0 box journalctl -u sc-server.service -o json SC_EVENT=tls_handshake_failed SC_REASON=plaintext
for field in PRIORITY:4 SYSLOG_IDENTIFIER:sc-server SC_STAGE:hello; do
    grep -q "\"${field%:*}\":\"${field#*:}\"" out || fail "no $field in the entry: $(cat out)"
done
grep -q '"SC_PEER":"127.0.0.1:[0-9]*"' out || fail "no address in the entry: $(cat out)"

# The sandbox is there: the account, no capability, no new privileges, a filter of system calls, and a file system that is read-only.
run 0 box cat "/proc/$(service MainPID)/status"
for line in "Uid:.$(box id -u sc-server)" 'CapEff:.0*$' 'CapBnd:.0*$' 'NoNewPrivs:.1' 'Seccomp:.2'; do
    grep -q "^$line" out || fail "not in the status of the process: $line"
done
run 0 box cat "/proc/$(service MainPID)/mountinfo"
grep -q '^[0-9]* [0-9]* [0-9:]* / / ro[ ,]' out || fail "the server can write to the file system"

# --- Restarts and crashes in quick succession never close the port for good -------------------------------------------------------------
drop_in sc-server.service fast <<END
[Service]
RestartSec=100ms
END
times=${SC_TEST_BUILD:+4 5 6}
restart_and_kill() {
    for _ in 1 2 3 $times; do
        run 0 box systemctl restart sc-server.service
    done
    for _ in 1 2 3 $times; do
        kill_it
        box_journal 'ready listen=' $((before + 1))
    done
    echo_over 127.0.0.1:4242
}
restart_and_kill
run 0 box systemctl disable --now sc-server.service
run 0 box systemctl enable --now sc-server.socket
[ "$(service ActiveState)" = inactive ] || fail "the socket does not wait for the first client"
echo_over 127.0.0.1:4242
box_journal 'inherited_socket name=sc-server listen=[::]:4242'
restart_and_kill
for _ in 1 2 3 4 5 6; do
    run 0 box systemctl stop sc-server.service sc-server.socket
    run 0 box systemctl start sc-server.socket
done
echo_over 127.0.0.1:4242

# A configuration that is wrong is tried again, the socket stays open meanwhile, and who waits there is served when it is right.
run 0 box mv "$box_conf/server.key" "$box_conf/gone.key"
kill_it
box_journal 'server.key: No such file' 8
background box sc-client --timeout 60 --pin "$box_conf/server.crt" echo patience
waiting=$background_pid
box_journal 'server.key: No such file' $(($(box_journal_count 'server.key: No such file') + 3))
[ "$(socket ActiveState)" = active ] || fail "the socket is $(socket ActiveState) ($(socket Result))"
run 0 box mv "$box_conf/gone.key" "$box_conf/server.key"
finish "$waiting" 0
grep -q '^patience$' "background-$background_count.log" || fail "who waited was not served"

# --- An address that appears late -------------------------------------------------------------------------------------------------------
run 0 box systemctl disable --now sc-server.socket
run 0 box systemctl stop sc-server.service
configure 'listen = 10.77.0.7:4242'
run 1 box systemctl start sc-server.service
box_journal "can't listen on 10.77.0.7:4242: this machine does not have the address" 8
run 0 box journalctl -q --no-pager -u sc-server.service -p err -o cat
grep -q "can't listen on 10.77.0.7:4242" out || fail "what keeps it from starting is not an error in the journal"
run 0 box ip address add 10.77.0.7/32 dev lo
box_journal 'ready listen=10.77.0.7:4242'
echo_over 10.77.0.7:4242
run 0 box systemctl stop sc-server.service
drop_in sc-server.socket address <<END
[Socket]
ListenStream=
ListenStream=10.77.0.8:4242
END
run 0 box systemctl start sc-server.socket
run 0 box ip address add 10.77.0.8/32 dev lo
echo_over 10.77.0.8:4242
run 0 box systemctl stop sc-server.socket sc-server.service
no_drop_in sc-server.socket address

# --- A socket of systemd in the runtime directory outlives the service ------------------------------------------------------------------
drop_in sc-server.socket unix <<END
[Socket]
ListenStream=
ListenStream=/run/space-captain/socket
END
run 0 box systemctl start sc-server.socket
echo_over unix:/run/space-captain/socket
run 0 box systemctl restart sc-server.service
echo_over unix:/run/space-captain/socket
run 0 box systemctl stop sc-server.service
echo_over unix:/run/space-captain/socket
run 0 box systemctl stop sc-server.socket sc-server.service
no_drop_in sc-server.socket unix

# --- Ports below 1024 -------------------------------------------------------------------------------------------------------------------
configure 'listen = [::]:443'
run 1 box systemctl start sc-server.service
box_journal "can't listen on [::]:443: permission denied; for a port below 1024 let systemd open it (sc-server.socket), or see"
{ echo '[Service]'; commented 'CapabilityBoundingSet='; commented 'AmbientCapabilities='; commented 'PrivateUsers='; } | drop_in sc-server.service port
run 0 box systemctl restart sc-server.service
echo_over 127.0.0.1:443
run 0 box systemctl stop sc-server.service
no_drop_in sc-server.service port
drop_in sc-server.socket port <<END
[Socket]
ListenStream=
ListenStream=443
END
run 0 box systemctl start sc-server.socket
echo_over 127.0.0.1:443
run 0 box systemctl stop sc-server.socket sc-server.service
no_drop_in sc-server.socket port

# --- A drain takes the time that drain-timeout gives it, whatever TimeoutStopSec= says -------------------------------------------------
configure "drain-timeout = $((4 * slow))s" 'write-timeout = 10m'
drop_in sc-server.service stop <<END
[Service]
TimeoutStopSec=$slow
END
run 0 box systemctl start sc-server.service
background box hostile --ready-file /box/stuck --give-up-ms $((60000 * slow)) never-read --bytes 4000000000 127.0.0.1:4242
wait-for 20 "$background_pid" exists "$box_share/stuck" || fail "no client that does not read"
run 0 box systemctl stop sc-server.service
[ "$(service Result)" = success ] || fail "the stop ended with $(service Result)"
box_journal ' drain_timeout '
box_journal ' stopped '
no_drop_in sc-server.service stop

# --- The server raises its soft limit of files; beyond the hard one it says so ----------------------------------------------------------
configure 'max-connections = 3000'
drop_in sc-server.service files <<END
[Service]
LimitNOFILE=1024:8192
END
run 0 box systemctl start sc-server.service
run 0 box cat "/proc/$(service MainPID)/limits"
[ "$(sed -n 's/^Max open files *\([0-9]*\) .*/\1/p' out)" -ge 3000 ] || fail "$(grep 'open files' out)"
no_drop_in sc-server.service files
run 0 box systemctl stop sc-server.service
run 0 box systemctl daemon-reload

# --- Reloads ----------------------------------------------------------------------------------------------------------------------------
configure 'idle-timeout = 1m'
run 0 box systemctl start sc-server.service
pid=$(service MainPID)
configure 'idle-timeout = 2m'
run 0 box systemctl reload sc-server.service
box_journal 'reload_changed key=idle-timeout before=1m after=2m'
# The check before it finds what is wrong, and the server is not told.
configure 'idle-timeout = soon'
run 1 box systemctl reload sc-server.service
# A server that is told all the same keeps what it has, and says so where an operator looks.
run 0 box systemctl kill --signal HUP --kill-who main sc-server.service
box_journal ' reload_failed '
run 0 box systemctl status --no-pager sc-server.service
grep -q 'Status: "serving, .*the last reload failed, the previous configuration is active: .*soon' out || fail "the failed reload is not in the status"
[ "$(service ActiveState):$(service MainPID)" = "active:$pid" ] || fail "the service has not stayed as it was"
configure 'idle-timeout = 2m'
run 0 box systemctl reload sc-server.service
box_journal 'reloaded message="nothing has changed"'
service StatusText | grep -q failed && fail "the failure stays in the status"

# With a passphrase as a credential, by the drop-in that the unit shows: good reloads succeed, bad ones fail.
run 0 box sh -c "umask 077; printf secret >$box_conf/passphrase; chown root: $box_conf/passphrase; cd $box_conf &&
    mv server.key plain.key && openssl pkcs8 -topk8 -in plain.key -passout file:passphrase -out server.key && chown sc-server: server.key"
{ echo '[Service]'; commented 'LoadCredential='; commented 'ExecReload='; } | drop_in sc-server.service credential
run 0 box systemctl restart sc-server.service
echo_over 127.0.0.1:4242
configure 'idle-timeout = 3m'
run 0 box systemctl reload sc-server.service
box_journal 'reload_changed key=idle-timeout before=2m after=3m'
configure 'idle-timeout = later'
run 1 box systemctl reload sc-server.service
box_journal '"later"'
[ "$(service ActiveState)" = active ] || fail "a reload that failed has ended the service"
echo_over 127.0.0.1:4242

run 0 box systemctl stop sc-server.service
[ "$(service ActiveState):$(service Result)" = inactive:success ] || fail "$(service ActiveState):$(service Result) after a stop"
pass "started, restarted, killed, reloaded and stopped"
