#!/bin/sh
# SPDX-License-Identifier: MIT
# The Debian packages on a machine with a real systemd: install, upgrade, downgrade, remove, purge, and what each leaves.
# SC_TEST_BUILD=yes: they are built, which takes minutes.
test_seconds=${SC_TEST_BUILD:+600}
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
. "$SC_SRCDIR/tests/system/box.sh"
box_needs
[ "${SC_TEST_BUILD-}" ] || skip "building the packages takes minutes: SC_TEST_BUILD=yes does it"
for command in dpkg-buildpackage dh lintian; do
    command -v $command >/dev/null || skip "no $command here"
done

run_seconds=500
(unset MAKEFLAGS MFLAGS MAKELEVEL && export DEB_BUILD_OPTIONS='nocheck parallel=2' && run 0 make -C "$SC_BUILDDIR" deb)
run 0 lintian --allow-root --fail-on error,warning "$SC_BUILDDIR"/deb/*.changes
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
pass "packages without a word from lintian"

box_start
run 0 box rm -f /usr/sbin/policy-rc.d # on this machine it may forbid to start services
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
run 0 box sh -c 'cd /root && cp /etc/space-captain/server.crt . &&
    cc -o blocking /usr/share/doc/libspacecaptain-dev/examples/blocking.c $(pkg-config --cflags --libs space-captain) && ./blocking'
expect_out hello
pass "installed"

# --- Upgrade and downgrade: key and changed configuration stay, and the socket that somebody enabled is never closed ---------------------
run 0 box sh -c "echo '# mine' >>$box_conf/sc-server.conf"
run 0 box systemctl stop sc-server.service
run 0 box systemctl enable --now sc-server.socket
hello
before=$(key)
since=$(box systemctl show -P ActiveEnterTimestampMonotonic sc-server.socket)
pid=$(box systemctl show -P MainPID sc-server.service)
install new
run 0 box dpkg-query -W -f '${Version}' sc-server
grep -q '+next$' out || fail "not upgraded: $(cat out)"
hello
[ "$(box systemctl show -P MainPID sc-server.service)" != "$pid" ] || fail "the old server runs after the upgrade"
install old --allow-downgrades
hello
[ "$(box systemctl show -P ActiveEnterTimestampMonotonic sc-server.socket)" = "$since" ] || fail "an upgrade restarted the socket"
[ "$(key)" = "$before" ] || fail "the key has changed"
run 0 box grep -qx '# mine' $box_conf/sc-server.conf
pass "upgraded and downgraded"

# --- Remove keeps configuration and keys; purge leaves nothing but the account ----------------------------------------------------------
run 0 box apt-get remove -y sc-server
! box systemctl is-active -q sc-server.service || fail "the server runs after it was removed"
! box systemctl is-active -q sc-server.socket || fail "the socket is open after the server was removed"
[ "$(key)" = "$before" ] || fail "the key went with the package"
run 0 box apt-get purge -y sc-server space-captain-client libspacecaptain0 libspacecaptain-dev
run 0 box find /etc /lib/systemd /usr/bin /usr/lib /usr/sbin /usr/share /var/lib '(' -name '*space-captain*' -o -name 'sc-server*' -o -name 'sc-keygen*' ')' \
    ! -path '/var/lib/dpkg/*' ! -path '/var/lib/apt/*'
[ ! -s out ] || fail "left by purge: $(cat out)"
pass "removed and purged"
