#!/bin/sh
# SPDX-License-Identifier: MIT
# max-connections-per-address from outside: an IPv4 address by itself, and all addresses of an IPv6 /64 together. In a network name space of
# its own, since only there are several IPv6 addresses.
if [ -z "${SC_TEST_NETWORK-}" ] && unshare -rn true 2>/dev/null && command -v ip >/dev/null; then
    export SC_TEST_NETWORK=1
    exec unshare -rn /bin/sh "$0" "$@"
fi
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"
[ -n "${SC_TEST_NETWORK-}" ] || skip "no ip(8), or no network name space can be made here (unshare -rn)"

ip link set lo up || skip "the loopback interface cannot be used in a name space"
for address in 2001:db8:0:1::1 2001:db8:0:1::2 2001:db8:0:1:ffff::3 2001:db8:0:2::1; do
    ip -6 addr add $address/128 dev lo nodad 2>/dev/null || skip "no IPv6 in this kernel"
done

start_server --listen '[::]:0' --max-connections-per-address 2
at="[2001:db8:0:1::1]:$port"
holders=
enter() { # FROM TO: a connection that stays
    rm -f ready
    background hostile --source "$1" --give-up-ms $((30000 * slow)) --deadline-ms $((40000 * slow)) idle --ready-file ready "$2"
    wait-for 10 "$background_pid" exists ready || fail "$1 was not served"
    holders="$holders $background_pid"
}
refused() { run 0 hostile --source "$1" refused --at-most-ms $((2000 * slow)) "$2"; }

# Two of one /64, from two addresses: a third is refused, and another network is not.
enter 2001:db8:0:1::1 "$at"
enter 2001:db8:0:1::2 "$at"
refused 2001:db8:0:1:ffff::3 "$at"
enter 2001:db8:0:2::1 "$at"
# An IPv4 client on the same socket is one of its own.
enter 127.0.0.2 "127.0.0.1:$port"
enter 127.0.0.2 "127.0.0.1:$port"
refused 127.0.0.2 "127.0.0.1:$port"
enter 127.0.0.3 "127.0.0.1:$port"
grep -q ' connection_refused conn=[0-9]* peer="\?\[2001:db8:0:1:ffff::3\]:[0-9]*"\? reason=max_connections_per_address ' "$server_log" ||
    fail "the log does not name the IPv6 address"

# One that leaves makes room for another of its network.
first=${holders# }
kill "${first%% *}" || fail "the first has ended before"
until=$(($(milliseconds) + 20000 * slow))
until timeout --foreground $((10 * slow)) hostile --source 2001:db8:0:1:ffff::3 many --count 1 "$at" >/dev/null 2>&1; do
    [ "$(milliseconds)" -lt $until ] || fail "no room after one has left"
done
stop_server
grep -q ' stopped .*refused_per_address=\([2-9]\|[1-9][0-9]\)' "$server_log" || fail "not two refused connections"
pass "two of each IPv4 address and of each IPv6 /64"
