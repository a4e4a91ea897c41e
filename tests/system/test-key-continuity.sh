#!/bin/sh
# SPDX-License-Identifier: MIT
# key-continuity: what a reload, and a start, do about a key that was never announced.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

pin() { sc-keygen --show "$1" | sed -n 's/^  sc-client, curl  //p'; }
reload() {
    reloads=$(grep -c ' reload' "$server_log" || :)
    kill -HUP "$server_pid"
    wait_log ' reload' 10 $((reloads + 1))
}
logged() { grep -q -e "$1" "$server_log" || fail "the log does not say: $1"; }
silent() { ! grep -q -e "$1" "$server_log" || fail "the log says: $1"; }
served() { run 0 sc-client --connect "$address" --pin "$1" echo hello; }
swap() { cp "$1.key" server.key && cp "$1.crt" server.crt; }

for name in a b c; do
    run 0 sc-keygen --out $name
done

pass "a key that was announced"
swap a
start_server
run 0 sc-keygen --next
next=$(pin server.next.key)
reload
logged " key_announced next=\"$next\"\$"
run 0 sc-keygen --promote
reload
logged " info key_changed before=\"$(pin a.key)\" after=\"$next\" announced_since=20.*Z announced_days=0\$"
silent never_announced
served "$next"
[ "$(grep -c ' info no_next_key ' "$server_log")" = 2 ] || fail "not logged at the start and after the promotion that no next key is announced"
run 0 sc-keygen --next
reload
rm server.next.key
reload
logged ' warning no_next_key '

pass "one that was announced, and that clients have dropped since"
run 0 sc-keygen --next
after=$(pin server.next.key)
reload
run 0 sc-keygen --promote
reload
logged " key_changed before=\"$next\" after=\"$after\""
swap server.previous
reload
logged " warning key_never_announced before=\"$after\" after=\"$next\" hint=\"clients that have pinned the key before"

pass "a key that was not"
swap b
reload
logged " warning key_never_announced before=\"$next\" after=\"$(pin b.key)\" hint=\"clients that have pinned the key before"
served "$(pin b.key)"
reload
[ "$(grep -c key_never_announced "$server_log")" = 2 ] || fail "it is logged twice"
stop_server

pass "enforce keeps the key before"
swap a
start_server --key-continuity enforce
sees key-continuity
# The key has changed since the last start, which has no other one to serve with.
logged " warning key_never_announced before=\"$(pin b.key)\" after=\"$(pin a.key)\" "
swap c
reload
logged " error reload_failed .*server.key: its key $(pin c.key) was never announced as the next one, and clients that have pinned $(pin a.key) would be locked out (key-continuity = enforce)"
served "$(pin a.key)"
cp c.key announced.key
swap a
stop_server
start_server --key-continuity enforce --next-private-key "$tmp/announced.key"
silent never_announced
logged " key_announced next=\"$(pin c.key)\""
stop_server

pass "what was announced is known after a restart"
start_server --key-continuity enforce
swap c
reload
logged ' key_changed '
served "$(pin c.key)"
stop_server
[ "$(sed -n 's/^current \([^ ]*\) 20[0-9-]*T[0-9:]*Z$/\1/p' server.announced)" = "$(pin c.key)" ] || fail "the file: $(cat server.announced)"
[ "$(stat -c %a server.announced)" = 644 ] || fail "who can read the file"

pass "the file: damaged, not to be read, not to be written, off"
for content in nonsense 'current sha256//AAAA 2026-11-21T01:22:03Z' "current $(pin a.key) yesterday" "next $(pin a.key) 2026-11-21T01:22:03Z" ''; do
    printf '%s\n' "$content" >server.announced
    start_server --key-continuity enforce
    logged " warning key_history .*server.announced is damaged, and is written anew"
    silent never_announced
    stop_server
    grep -q "^current $(pin c.key) " server.announced || fail "it was not written anew after: $content"
done
rm server.announced
mkdir server.announced
start_server
logged " warning key_history .*which keys were announced is not known: can't read .*server.announced: it is a directory"
logged " warning key_history .*after a restart it will not be known which keys were announced: can't create .*server.announced"
served "$(pin c.key)"
stop_server
rmdir server.announced
start_server --key-continuity off
swap a
reload
silent key_
stop_server
[ ! -e server.announced ] || fail "it was written all the same"
mkdir state
STATE_DIRECTORY=$tmp/state:/nonexistent
export STATE_DIRECTORY
start_server
stop_server
[ -s state/announced ] && [ ! -e server.announced ] || fail "the state directory is not used"
