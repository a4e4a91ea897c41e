#!/bin/sh
# SPDX-License-Identifier: MIT
# The sandbox of the installed unit under a real systemd: what it denies is tried in it, and, as a control, outside of it, where it must be
# possible to prove anything.
# SC_TEST_ALL=yes: each directive of the sandbox is left out in turn, which takes half a minute: a probe sees that, or the unit says that another
# directive does the same.
test_seconds=${SC_TEST_ALL:+180}
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
. "$SC_SRCDIR/tests/system/box.sh"
box_needs

box_install
mkdir -p "$layer/usr/local/bin" "$layer/usr/lib/modules" "$layer/home"
cp "$SC_BUILDDIR/tests/tools/probe" "$layer/usr/local/bin/"
box_start
# For the probe to find.
run 0 box sh -c 'touch /tmp/seen && mknod -m 666 /dev/seen c 1 3 && ipcmk -M 4096 -p 0666'
unit() {
    cat >"$box_share/unit"
    run 0 box mkdir -p "/etc/systemd/system/$(dirname "$1")"
    run 0 box cp /box/unit "/etc/systemd/system/$1"
}
run 0 box systemd-sysusers
run 0 box systemd-tmpfiles --create

# The unit as it is, with another program; and that program alone.
box_units=$(box sh -c 'for d in /lib/systemd/system /usr/lib/systemd/system /usr/local/lib/systemd/system; do [ ! -e $d/sc-server.service ] || echo $d; done | head -n 1')
run 0 box cp "$box_units/sc-server.service" /etc/systemd/system/inside.service
unit inside.service.d/probe.conf <<END
[Service]
Type=oneshot
Restart=no
ExecStart=
ExecStart=/usr/local/bin/probe $box_conf
ExecPaths=/usr/local/bin/probe
StandardOutput=truncate:/box/inside
END
unit outside.service <<END
[Service]
Type=oneshot
ExecStart=/usr/local/bin/probe $box_conf
StandardOutput=truncate:/box/outside
END
# D-Bus, where it is not installed.
unit bus.socket <<END
[Socket]
ListenStream=/run/dbus/system_bus_socket
Accept=yes
END
unit bus@.service <<END
[Service]
ExecStart=/bin/true
END
run 0 box systemctl daemon-reload
box test -S /run/dbus/system_bus_socket || run 0 box systemctl start bus.socket
run 0 box systemctl start outside.service
run 0 box systemctl start inside.service
cat "$box_share/outside" >outside.log
cat "$box_share/inside" >inside.log

# Possible outside, denied inside. What the service needs is possible in both.
for what in write-etc write-usr write-configuration read-homes see-process-1 see-tmp open-device see-shared-memory read-kernel-facts read-kernel-modules \
    see-other-accounts gain-privileges capabilities leave-core make-open-file change-owner lower-priority run-shell run-from-tmp run-from-var-tmp run-from-shm run-from-state run-from-runtime run-memory-file map-write-and-execute \
    make-executable read-key-ring add-key user-namespace trace-parent make-setuid personality netlink raw-packets dbus; do
    grep -qx "$what yes" outside.log || fail "$what is not possible without the sandbox, so it proves nothing: $(grep "^$what " outside.log)"
    grep -q "^$what no: " inside.log || fail "the sandbox does not deny: $(grep "^$what " inside.log)"
done
# What a kernel may lack, or a machine forbid.
for what in io-uring aio userfaultfd realtime host-name other-abi; do
    grep -qx "$what yes" outside.log || pass "not judged, since this machine itself denies it: $(grep "^$what " outside.log)"
    grep -q "^$what \(no: \|killed\)" inside.log || fail "the sandbox does not deny: $(grep "^$what " inside.log)"
done
for what in may-make-memory-file may-use-tcp; do
    grep -qx "$what yes" inside.log || fail "the sandbox denies what the server needs: $(grep "^$what " inside.log)"
done
# The server adds its own filter to those of the unit: see tests/unit/check_confine.c for what that denies.
run 0 box systemctl start sc-server.service
run 0 box sh -c "cat /proc/$(box systemctl show -P MainPID sc-server.service)/task/*/status"
filters=$(sed -n 's/^filters //p' inside.log)
sed -n 's/^Seccomp_filters:[[:space:]]*//p' out | sort -u >filters
[ "$(cat filters)" = $((filters + 1)) ] || fail "threads of the server have $(cat filters) filters, the unit $filters"
! grep ' not_confined ' journal.log || fail "not confined"
run 0 box sc-client --timeout 20 --pin "$box_conf/server.crt" echo hello
expect_out hello
run 0 box systemctl reload sc-server.service
pass "$(grep -c ' no: ' inside.log) attempts denied"

# Where the kernel or something around the service refuses what it gives up by itself, and files in memory, it says so and serves.
unit sc-server.service.d/poor.conf <<END
[Service]
SystemCallFilter=~seccomp memfd_create
END
run 0 box systemctl daemon-reload
run 0 box systemctl restart sc-server.service
box_journal ' not_confined '
box_journal ' ticket_keys_not_stored '
run 0 box sc-client --timeout 20 --pin "$box_conf/server.crt" echo hello
expect_out hello
run 0 box systemctl stop sc-server.service
pass "it serves without seccomp(2) and memfd_create(2)"

# A small machine has no kill(1), which reloads need: the server starts all the same.
run 0 box sh -c 'for kill in /bin/kill /usr/bin/kill; do [ ! -e $kill ] || mv $kill $kill.away; done'
run 0 box systemctl restart sc-server.service
run 0 box sc-client --timeout 20 --pin "$box_conf/server.crt" echo hello
expect_out hello
run 0 box systemctl stop sc-server.service
run 0 box sh -c 'for kill in /bin/kill /usr/bin/kill; do [ ! -e $kill.away ] || mv $kill.away $kill; done'
pass "it starts without kill(1)"
[ "${SC_TEST_ALL-}" ] || exit 0

# --- Each directive left out in turn ----------------------------------------------------------------------------------------------------
run 0 box cat "$box_units/sc-server.service"
cp out whole
awk '/^NoNewPrivileges=/ { inside = 1 } inside && /^[A-Z]/ { print NR } /^LimitCORE=/ { exit } /^UMask=/ { print NR }' whole >lines
[ "$(wc -l <lines)" -gt 30 ] || fail "only $(wc -l <lines) directives in the sandbox"
: >unseen
while read -r line; do
    directive=$(sed -n "${line}s/=.*//p" whole)
    sed "${line}d" whole | unit inside.service
    run 0 box systemctl daemon-reload
    rm -f "$box_share/inside"
    if box systemctl start inside.service </dev/null >/dev/null 2>&1; then
        diff inside.log "$box_share/inside" | sed -n 's/^> \(.*\) yes$/\1/p; s/^> \(.* killed\)$/\1/p' | tr '\n' ' ' >seen
    else
        echo 'it does not start' >seen
    fi
    [ -s seen ] || echo "$directive" >>unseen
    echo "without $(sed -n "${line}p" whole): $(cat seen)"
done <lines
sed -n '/^# Second locks/,/^$/s/^# *\(.*\)$/\1/p' whole | tr -s ' ,' '\n' | sed -n 's/=[.]*$//p' | sort -u >explained
sort -u unseen | diff - explained >&2 || fail "no probe sees (<), or the unit says that none does (>)"
pass "$(wc -l <lines) directives left out: a probe sees it, or another directive does the same"
