#!/bin/sh
# SPDX-License-Identifier: MIT
# The units are what systemd understands, and shut in: made for systemd 252, checked by its own tools. No unit is started here.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

units=$SC_BUILDDIR/contrib/systemd
[ -e "$units/sc-server.service" ] || skip "configured with --without-systemd"
for file in sc-server.service sc-server-keygen.service space-captain.sysusers space-captain.tmpfiles; do
    grep -n '@[a-z]*@\|\${' "$units/$file" && fail "$file: a directory was not filled in"
done

# Every directive has its reason: a comment stands above it, or above the run of lines that it belongs to.
for unit in "$units/sc-server.service" "$units/sc-server-keygen.service" "$SC_SRCDIR/contrib/systemd/sc-server.socket"; do
    awk '/^$/ { explained = 0 } /^#/ { explained = 1 } /^\[/ { explained = /Install/ } /^[A-Z]/ && !/^(Description|Documentation)=/ && !explained { print; bad = 1 }
        END { exit bad }' "$unit" || fail "${unit##*/}: these have no reason"
done

cp "$SC_SRCDIR/contrib/systemd/sc-server.socket" .
# What the files say about the same thing agrees: the account, the directory of the configuration, the port.
value() { sed -n "s|^$2=||p" "$units/$1"; }
conf=$(value sc-server.service ExecStart)
conf=${conf#* -c }
[ "$(value sc-server.service User):$(value sc-server.service Group)" = sc-server:sc-server ] || fail "sc-server.service: another account"
[ "$(value sc-server-keygen.service User)" = sc-server ] || fail "sc-server-keygen.service: another account"
grep -q '^u sc-server - ' "$units/space-captain.sysusers" || fail "sysusers.d: another account"
grep -qxF "d ${conf%/*} 0750 sc-server sc-server -" "$units/space-captain.tmpfiles" || fail "tmpfiles.d: another directory or account"
[ "$(value sc-server-keygen.service ReadWritePaths)" = "${conf%/*}" ] || fail "sc-server-keygen.service: another directory"
[ "$(sed -n 's/^# *certificate *= *//p' "$SC_BUILDDIR/contrib/sc-server.conf")" = "${conf%/*}/server.crt" ] || fail "the sample has another directory"
port=$(sed -n 's/^ListenStream=//p' sc-server.socket)
grep -q "^# *listen *= .*:$port\$" "$SC_BUILDDIR/contrib/sc-server.conf" || fail "sc-server.socket: port $port is not the default of listen"

command -v systemd-analyze >/dev/null || skip "the files agree; no systemd-analyze here for the rest"

# The programs of the build instead of those that are not installed yet.
for unit in sc-server.service sc-server-keygen.service; do
    sed -e "s|=[^ ]*/sc-server |=$SC_BUILDDIR/src/sc-server |" -e "s|=[^ ]*/sc-keygen |=$SC_BUILDDIR/src/sc-keygen |" "$units/$unit" >$unit
done
timeout $((30 * slow)) systemd-analyze verify --man=no --recursive-errors=one sc-server.service sc-server.socket sc-server-keygen.service >verify.log 2>&1 ||
    fail "systemd-analyze verify complains"

# The threshold is in tenths: an exposure of 1.5 of 10.
for unit in sc-server.service sc-server-keygen.service; do
    timeout $((30 * slow)) systemd-analyze security --offline=true --no-pager --threshold=15 "./$unit" >security.log 2>&1 ||
        fail "$unit: $(tail -n 1 security.log)"
done
pass "the units verify, and their exposure is low"
