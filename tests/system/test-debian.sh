#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian packages on a machine with a real systemd: install, upgrade, downgrade, remove, purge, and what each leaves.
# SC_TEST_BUILD=yes: they are built, which takes minutes.
test_seconds=${SC_TEST_BUILD:+600}
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
. "$SC_SRCDIR/tests/system/box.sh"
box_needs
[ "${SC_TEST_BUILD-}" ] || skip "building the packages takes minutes: SC_TEST_BUILD=yes does it"
needs dpkg-buildpackage dh lintian

run_seconds=500
(unset MAKEFLAGS MFLAGS MAKELEVEL && export DEB_BUILD_OPTIONS='nocheck parallel=2' && run 0 make -C "$SC_BUILDDIR" deb)
run 0 lintian --allow-root --fail-on error,warning "$SC_BUILDDIR"/deb/*.changes
# Built again, in another directory: the same bytes.
mkdir -p again/deeper
tar -C again/deeper -xf "$SC_BUILDDIR"/deb/space-captain_*.tar.xz
(unset MAKEFLAGS MFLAGS MAKELEVEL && export DEB_BUILD_OPTIONS='nocheck parallel=2' && cd again/deeper/space-captain-* && run 0 dpkg-buildpackage -us -uc -b)
for package in "$SC_BUILDDIR"/deb/*.deb; do
    cmp "$package" "again/deeper/${package##*/}" >&2 || fail "not the same bytes when it is built again: ${package##*/}"
done
rm -rf again
run_seconds=60

# The same packages with other versions, for an upgrade.
mkdir -p "$box_share/old" "$box_share/new"
for package in "$SC_BUILDDIR"/deb/*.deb; do
    name=$(basename "$package")
    case $name in *-dbgsym_*) continue ;; esac
    cp "$package" "$box_share/old/"
    run 0 dpkg-deb -R "$package" unpacked
    sed -i 's/^Version: .*/&+next/; s/(= \([0-9.]*\))/(= \1+next)/' unpacked/DEBIAN/control
    run 0 dpkg-deb --root-owner-group -b unpacked "$box_share/new/$name"
    rm -rf unpacked
done
pass "packages without a word from lintian, the same twice"

mkdir -p "$layer/usr/local/bin"
cp "$SC_BUILDDIR/tests/tools/fleet" "$layer/usr/local/bin/"
box_start
run 0 box rm -f /usr/sbin/policy-rc.d # on this machine it may forbid to start services
files() { # of the configuration all, elsewhere those with our names; not in the lists of apt and dpkg
    run 0 box sh -c "find /etc; find /boot /opt /run /srv /usr /var '(' -path /var/lib/dpkg -o -path /var/lib/apt ')' -prune \
        -o '(' -name '*space*captain*' -o -name '*sc-server*' -o -name '*sc-client*' -o -name '*sc-bench*' -o -name '*sc-keygen*' ')' -print"
    sort out >"$1"
}
files before
install() { # DIRECTORY OPTION...
    directory=$1
    shift
    run 0 box sh -c 'cd "$1" && shift && exec apt-get install -y -o Dpkg::Options::=--force-confold "$@" ./*.deb </dev/null' \
        install "/box/$directory" "$@"
}
hello() {
    run 0 box sc-client --timeout 20 --pin "$box_conf/server.crt" echo hello
    expect_out hello
}
key() { box sha256sum "$box_conf/server.key"; }
box_conf=/etc/space-captain

# --- Install: enabled, started, with a key of its own; the library builds a program -----------------------------------------------------
install old
run 0 box sh -c "journalctl -q -o cat -u sc-server | sed -n 's/.*client_command .*command=\"\(.*\)\"\$/\\1/p' >/box/command && sh /box/command"
expect_out hello
[ "$(box systemctl is-enabled sc-server.service)" = enabled ] || fail "sc-server.service is not enabled"
[ "$(box systemctl is-enabled sc-server.socket)" = disabled ] || fail "sc-server.socket is enabled"
[ "$(box stat -c %U:%G:%a $box_conf)" = sc-server:sc-server:750 ] || fail "wrong owner or mode of $box_conf"
# Programs that its units run come with packages that it depends on, or that are always there.
run 0 box sh -c 'for unit in sc-server.service sc-server-keygen.service; do systemctl cat $unit; done | sed -n "s/^Exec[A-Z][a-zA-Z]*=\(\/[^ ]*\).*/\1/p" | grep -v /sc- | sort -u |
    while read -r program; do dpkg -S "$program" 2>/dev/null || dpkg -S "/usr$program"; done | grep -v ^diversion | sed "s/[:,].*//" | sort -u'
[ -s out ] || fail "no other program in the units"
while read -r package <&3; do
    [ "$(box dpkg-query -W -f '${Essential}' "$package")" = yes ] || box dpkg-query -W -f '${Depends}' sc-server | tr -d ' ' | tr ',' '\n' | grep -qx "$package" ||
        fail "sc-server needs a program of $package, and does not depend on it"
done 3<out
# The packages' own tests, as autopkgtest runs them.
for test in service library; do
    cp "$SC_SRCDIR/debian/tests/$test" "$box_share/"
    run 0 box sh -c "mkdir -p /root/tests && AUTOPKGTEST_TMP=/root/tests sh /box/$test"
done
pass "installed"

# --- Upgrade and downgrade under load: key and changed configuration stay, and the socket that somebody enabled is never closed ----------
run 0 box sh -c "echo '# mine' >>$box_conf/sc-server.conf"
run 0 box systemctl disable --now sc-server.service
run 0 box systemctl enable --now sc-server.socket
hello
background_seconds=300
background box sh -c 'echo $$ >/box/fleet.pid && exec fleet --clients 100 --every 20 localhost:4242 /etc/space-captain/server.crt >/box/fleet.log 2>&1'
fleet=$background_pid
wait-for 30 "$fleet" contains "$box_share/fleet.log" connected || fail "not all clients could connect"
# under_load ROUND COMMAND...: which restarts the server, and no client sees more of it than a new connection.
under_load() {
    round=$1
    shift
    run 0 box kill -USR1 "$(cat "$box_share/fleet.pid")"
    wait-for 30 "$fleet" contains "$box_share/fleet.log" "begun: $round" || fail "the clients do not expect restart $round"
    "$@"
    wait-for 30 "$fleet" contains "$box_share/fleet.log" "round $round:" || fail "not everybody came back: $*"
    grep -q "round $round: .* full=0 resumed=[0-9]* refused=0 failed=0 " "$box_share/fleet.log" ||
        fail "it has left a trace: $*: $(tail -n 1 "$box_share/fleet.log")"
}
before=$(key)
since=$(box systemctl show -P ActiveEnterTimestampMonotonic sc-server.socket)
pid=$(box systemctl show -P MainPID sc-server.service)
under_load 1 install new
run 0 box dpkg-query -W -f '${Version}' sc-server
grep -q '+next$' out || fail "not upgraded: $(cat out)"
hello
[ "$(box systemctl show -P MainPID sc-server.service)" != "$pid" ] || fail "the old server runs after the upgrade"
under_load 2 install old --allow-downgrades
hello
run 0 box kill -TERM "$(cat "$box_share/fleet.pid")"
finish "$fleet" 0
[ "$(box systemctl show -P ActiveEnterTimestampMonotonic sc-server.socket)" = "$since" ] || fail "an upgrade restarted the socket"
[ "$(key)" = "$before" ] || fail "the key has changed"
run 0 box grep -qx '# mine' $box_conf/sc-server.conf
pass "upgraded and downgraded under load"
# The key changes, and changes back, so that every file of a rotation is there.
run 0 box sh -c "cd $box_conf && sc-keygen --next && sc-keygen --promote && sc-keygen --next"
before=$(key)

# --- Remove keeps configuration and keys; purge leaves nothing but the account ----------------------------------------------------------
run 0 box apt-get remove -y sc-server
! box systemctl is-active -q sc-server.service || fail "the server runs after it was removed"
! box systemctl is-active -q sc-server.socket || fail "the socket is open after the server was removed"
[ "$(key)" = "$before" ] || fail "the key went with the package"
run 0 box apt-get purge -y sc-server space-captain-client libspacecaptain0 libspacecaptain-dev
files after
comm -13 before after >left
[ ! -s left ] || fail "left by purge: $(cat left)"
run 0 box getent passwd sc-server
pass "removed and purged: nothing is left but the account"
