# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034,SC2154  # what a test uses, and what lib.sh sets
# A box: a real systemd, as process 1 of name spaces of its own, over a copy-on-write view of this machine. What happens in it stays in
# it: it has its own /etc, accounts, processes, network and control groups, and nothing of it is left. Needs root. After lib.sh:
#
#   box_install [DIRECTORY]  make install into the box that is to be started, or there
#   box_start              boots it, in half a second; skips the test where that is not possible
#   box COMMAND...         a command (a program, not a function) that runs COMMAND in it, as root, in /
#   box_journal TEXT [N]   waits until its journal holds N lines with TEXT; the journal so far is $tmp/journal.log
#   box_journal_count TEXT how many lines with TEXT its journal holds now
#   $layer                 a directory whose files the box has in addition, until it is started
#   $box_share             a directory that the box sees as /box
#
# The files of $box_conf and the units are where this build installs them: $box_conf is the directory of sc-server.conf.

layer=$tmp/layer
box_share=$tmp/share
box_name=sc-box-$$
box_pid=
box_conf=$(sed -n 's|^ExecStart=.* -c \(.*\)/sc-server.conf$|\1|p' "$SC_BUILDDIR/contrib/systemd/sc-server.service" 2>/dev/null) || :

box_needs() {
    [ "$(id -u)" -eq 0 ] || skip "a real systemd needs root"
    [ -n "$box_conf" ] || skip "configured with --without-systemd"
    grep -q 'define SC_SANITIZED' "$SC_BUILDDIR/config.h" && skip "a sanitizer does not work inside the sandbox of the unit"
    case $box_conf in
    /etc/* | /usr/local/etc/*) ;;
    *) skip "configured for another prefix than /usr and /usr/local: systemd does not look there" ;;
    esac
    needs unshare nsenter setpriv pivot_root mount hostname systemctl journalctl
    [ -x /lib/systemd/systemd ] || skip "no systemd here"
}

# shellcheck disable=SC2120
box_install() {
    (unset MAKEFLAGS MFLAGS MAKELEVEL && run_seconds=120 && run 0 make -C "$SC_BUILDDIR" install DESTDIR="${1:-$layer}")
}

box_start() {
    mkdir -p "$layer" "$box_share" bin
    # The death of this shell, however it comes, is that of the box.
    setpriv --pdeathsig KILL sh "$SC_SRCDIR/tests/system/box-boot.sh" enter "$box_name" "$layer" "$box_share" >box.log 2>&1 </dev/null &
    box_pid=$!
    wait-for 30 $box_pid exists "$box_share/up" || {
        box_stop
        cat box.log
        skip "no systemd can be started in name spaces of its own here"
    }
    cat >bin/box <<END
#!/bin/sh
exec nsenter -t $(cat "$box_share/leader") -m -p -n -u -i -C -r env -i HOME=/root LC_ALL=C TERM=dumb \\
    PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin "\$@"
END
    chmod +x bin/box
    PATH=$tmp/bin:$PATH
    box journalctl -f -q -n all -o short-monotonic --no-hostname >journal.log 2>&1 &
    box_journal_pid=$!
    own_pids="$own_pids $box_journal_pid"
}

box_journal() {
    wait-for 30 "$box_journal_pid" contains journal.log "$1" "${2:-1}" || fail "the journal never had ${2:-1} times: $1"
}

box_journal_count() {
    run 0 box journalctl --sync
    run 0 box journalctl -q --no-pager -o cat
    grep -Fc -e "$1" out || :
}

# Process 1 is killed, which ends everything in there. The control groups are empty when its parent has seen that.
box_stop() {
    [ -n "$box_pid" ] || return 0
    kill -KILL "$(cat "$box_share/leader" 2>/dev/null || echo "$box_pid")" 2>/dev/null || :
    wait "$box_pid" 2>/dev/null || :
    box_pid=
    awk '$3 ~ /^cgroup2?$/ { print $2 }' /proc/mounts | while read -r hierarchy; do
        find "$hierarchy/$box_name" -depth -type d -exec rmdir {} \; 2>/dev/null || :
    done
}
at_end=box_stop
