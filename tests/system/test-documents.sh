#!/bin/sh
# SPDX-License-Identifier: MIT
# Every shell block of README, docs/operations.md and docs/fleet.md is run as it stands, in the order of the page, on a machine with a real systemd.
#
# SC_TEST_BUILD=yes: building and installing is run, too, from a copy of the sources. Without it that takes too long; "./configure" and "make"
# are stand-ins then, and "make install" installs this build.
test_seconds=${SC_TEST_BUILD:+420}
test_seconds=${test_seconds:-120}
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"
. "$SC_SRCDIR/tests/system/box.sh"
box_needs
page_user=/root/space-captain # where the commands are run

# blocks FILE NAME: its blocks as $box_share/NAME-1.sh and so on; prints how many. A block is of the kind sh, or text that is not run.
blocks() {
    awk -v to="$box_share/$2" '
        /^```/ && !inside { inside = 1; sh = $0 == "```sh"; if (sh) n++; else if ($0 != "```text") { print "line " NR ": " $0 >"/dev/stderr"; bad = 1 } next }
        /^```$/ { inside = 0; next }
        inside && sh { print >(to "-" n ".sh") }
        END { print n + 0; exit bad || inside }' "$SC_SRCDIR/$1" || fail "$1: a block is neither sh nor text, or has no end"
}

# What stands in for the two programs that build.
stand_ins() {
    mkdir -p "$layer$page_user" "$layer/usr/local/bin" "$layer/etc" "$box_share"
    printf '#!/bin/sh\ntest "$*" = "--prefix=/usr --sysconfdir=/etc"\n' >"$layer$page_user/configure"
    printf '#!/bin/sh\ncase $* in\n"") ;;\ninstall) cp -a /box/installed/. / ;;\n*) exit 1 ;;\nesac\n' >"$layer/usr/local/bin/make"
    chmod +x "$layer$page_user/configure" "$layer/usr/local/bin/make"
    cp -a installed "$box_share/"
    [ "$box_conf" = /etc/space-captain ] || ln -s "$box_conf" "$layer/etc/space-captain"
}

# What one page has built the next one does not build again.
sources() {
    mkdir -p "$layer$page_user"
    (cd "$built" && tar -cf - --exclude=.git --exclude=autom4te.cache .) | tar -C "$layer$page_user" -xf -
    chmod -R u+w "$layer$page_user"
}

# A new machine for each page.
built=$SC_SRCDIR
new_machine() {
    if [ "${SC_TEST_BUILD-}" ] && [ -d "$layer$page_user" ]; then
        rm -rf built
        mv "$layer$page_user" built
        built=$tmp/built
    fi
    rm -rf "$layer" "$box_share"
    mkdir -p "$layer" "$box_share"
    if [ "${SC_TEST_BUILD-}" ]; then sources; else stand_ins; fi
    box_start
    run 0 box sh -c 'echo 127.0.0.1 captain.example.org >>/etc/hosts'
}

# run_block NAME NUMBER: in a shell of its own, as somebody pastes it. An error in it ends it.
run_block() {
    [ -s "$box_share/$1-$2.sh" ] || fail "$1: no block $2"
    run_seconds=$((${SC_TEST_BUILD:+300} + 30))
    echo "-- $1, block $2:" && sed 's/^/   /' "$box_share/$1-$2.sh"
    run 0 box sh -c "cd $page_user && CFLAGS=-O1 MAKEFLAGS=-j2 exec sh -e /box/$1-$2.sh" </dev/null
}

# The service is up, and will be after the next start, too.
serves() {
    run 0 box systemctl restart sc-server.service
    run 0 box sc-client --timeout 15 --pin /etc/space-captain/server.crt echo "after $1"
    expect_out "after $1"
    run 0 box sc-keygen --check /etc/space-captain
    run 0 box sc-server --check-config
    expect_out "configuration ok"
}

# What "make install" installs, three times.
[ "${SC_TEST_BUILD-}" ] || box_install "$tmp/installed"

# README: the first block is what .ci/run begins with on a fresh machine; its second line is this test itself, and all the others.
new_machine
[ "$(blocks README readme)" -eq 2 ] || fail "README has not two blocks of commands"
run_block readme 2
expect_out_end() { [ "$(tail -n 1 out)" = "$1" ] || fail "it ends with \"$(tail -n 1 out)\", not \"$1\""; }
expect_out_end hello
serves README
box_stop

# run_blocks NAME COUNT
run_blocks() {
    number=0 rotated=
    while [ $number -lt "$2" ]; do
        number=$((number + 1))
        run_block "$1" $number
        case $(cat "$box_share/$1-$number.sh") in
        *'echo hello'*) expect_out_end hello ;;
        *'sc-keygen --promote'*) rotated=yes && serves "the rotation" ;;
        esac
    done
}

# docs/operations.md
new_machine
count=$(blocks docs/operations.md operations)
[ "$count" -ge 10 ] || fail "docs/operations.md has only $count blocks"
run_blocks operations "$count"
[ "$rotated" ] || fail "no block rotates the key"
serves operations.md
run 0 box sc-client --timeout 15 --connect captain.example.org:443 --pin /etc/space-captain/server.crt echo socket
run 0 box tar -tzf /root/space-captain.tar.gz
grep -qx ./server.key out || fail "the backup has no key"
[ "$(box stat -c %a /root/space-captain.tar.gz)" = 600 ] || fail "the backup is open to others"
box_stop

# docs/fleet.md: a host that was set up as docs/operations.md says.
command -v curl >/dev/null || skip "there is no curl for the commands of docs/fleet.md"
new_machine
blocks docs/operations.md operations >/dev/null
run_block operations 1
run_block operations 2
fleet_count=$(blocks docs/fleet.md fleet)
[ "$fleet_count" -ge 7 ] || fail "docs/fleet.md has only $fleet_count blocks"
old_key=$(box cat /etc/space-captain/server.crt | cksum)
run_blocks fleet "$fleet_count"
[ "$(box cat /etc/space-captain/server.crt | cksum)" != "$old_key" ] || fail "docs/fleet.md has not changed the key"
serves fleet.md
pass "$count blocks of docs/operations.md, $fleet_count of docs/fleet.md and those of README do what they say"
