#!/bin/sh
# SPDX-License-Identifier: MIT
# What root makes and checks in a directory of the service's account, the service can read.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
[ "$(id -u)" -eq 0 ] || skip "only root can give files to another user"
chmod 711 .
user=nobody
mkdir conf
chown $user conf
owner() { stat -c %U:%a "$1"; }

# A pair that root makes there, and one that replaces it, belongs to the owner of the directory, and to nobody else.
for force in '' --force; do
    # shellcheck disable=SC2086
    run 0 sc-keygen $force --out conf/server
    [ "$(owner conf/server.key)" = $user:600 ] || fail "the key is $(owner conf/server.key)"
    [ "$(owner conf/server.crt)" = $user:644 ] || fail "the certificate is $(owner conf/server.crt)"
done
# Also where root has made the one before for itself.
chown root:0 conf/server.key
run 0 sc-keygen --force --out conf/server
[ "$(owner conf/server.key)" = $user:600 ] || fail "the key in place of one of root is $(owner conf/server.key)"
run 0 sc-keygen --out own
[ "$(owner own.key)" = root:600 ] || fail "in a directory of root the key is $(owner own.key)"

# A key that is replaced keeps its owner and group, unless root made it for itself in the directory of the service.
replaced() { # BEFORE AFTER BASE: owner:group:mode of BASE.key
    chown "${1%:*}" "$3.key"
    chmod "${1##*:}" "$3.key"
    run 0 sc-keygen --force --out "$3"
    now=$(stat -c %U:%G:%a "$3.key")
    [ "$now" = "$2" ] || fail "$3.key was $1, and is now $now"
}
group=$(id -gn $user)
replaced "root:$group:640" "root:$group:640" conf/server
replaced "root:$group:644" "root:$group:600" conf/server # that all could read it gave the group no right
replaced "root:$group:600" "$user:$group:600" conf/server
replaced "daemon:$group:600" "daemon:$group:600" conf/server
replaced "$user:$group:640" "$user:$group:640" own # in a directory of root
replaced "root:$group:600" "root:$group:600" own
chown "$user:$group" conf/server.key

# Root's check of a configuration there sees what that user sees.
cat >conf/server.conf <<END
[server]
certificate = $tmp/conf/server.crt
private-key = $tmp/conf/server.key
END
chmod 644 conf/server.conf
run 0 sc-keygen --check conf
run 0 sc-server --check-config -c conf/server.conf
expect_out "configuration ok"
chown root conf/server.key
run 78 sc-keygen --check conf
expect_err "^sc-keygen: conf/server.key: the user $user, who owns the directory, can't read it; \"chown $user conf/server.key\" mends that"
run 78 sc-server --check-config -c conf/server.conf
expect_err "^sc-server: .*conf/server.key: Permission denied \(read as the user $user\)"
chown $user conf/server.key
chmod 600 conf/server.crt
chown root conf/server.crt
run 78 sc-keygen --check conf
expect_err "^sc-keygen: conf/server.crt: .*can't read it"
run 78 sc-server --check-config -c conf/server.conf
expect_err "conf/server.crt: Permission denied"

# By group is as good as by owner; without -c, or with the file of root, root is who looks.
chown "root:$(id -gn $user)" conf/server.crt conf/server.key
chmod 640 conf/server.crt conf/server.key
run 0 sc-keygen --check conf
run 0 sc-server --check-config -c conf/server.conf
chown root:0 conf/server.crt conf/server.key
run 78 setpriv --groups 0 sc-server --check-config -c conf/server.conf
expect_err "Permission denied"
chmod 600 conf/server.crt conf/server.key
run 0 sc-server --check-config -c /dev/null --certificate conf/server.crt --private-key conf/server.key
pass "the files are the service's, and the checks see what it sees"

# What root keeps for itself as a client stays its own: a session and a pin store are not given to who owns the directory.
make_certs
start_server
for time in first second; do
    run 0 sc-client --connect "$address" --tofu=new --pin-store conf/pins --session conf/session --verbose echo $time
done
grep -q 'resumed handshake' err || fail "the session in another user's directory is not resumed"
[ "$(owner conf/pins) $(owner conf/session)" = "root:600 root:600" ] || fail "given away: $(owner conf/pins) $(owner conf/session)"
stop_server
pass "what root keeps as a client is its own"
