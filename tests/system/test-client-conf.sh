#!/bin/sh
# SPDX-License-Identifier: MIT
# client.conf: names for servers, what holds for all, what the command line replaces, and what is refused.
test_seconds=90
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

mkdir -p config/space-captain/pins
export XDG_CONFIG_HOME="$tmp/config"
conf=$tmp/config/space-captain/client.conf
start_server
run 0 sc-keygen --out other
cp server.crt config/space-captain/pins/right.crt
cp other.crt config/space-captain/pins/wrong.crt
zeros=sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=

# settings: client.conf is standard input.
settings() {
    cat >"$conf"
    chmod 600 "$conf"
}
# refused STATUS PATTERN: sc-client's error with what is in client.conf.
refused() {
    run "$1" sc-client time
    expect_err "$2"
}

# --- A name stands for an address and all that belongs to it; the file names are those of its directory, wherever one is ---
settings <<END
timeout = 5
[home]
connect = $address
pin     = pins/right.crt
[other-1.example]
connect = $address
pin     = $zeros, pins/wrong.crt
[both]
connect = $address
pin     = $zeros , pins/right.crt
[authority]
connect = $address
pin     = ca:pins/right.crt
[odd]
connect = unix:socket
pin     = pins/right.crt
END
run 0 sc-client --connect home echo hello
expect_out hello
(cd / && run 0 sc-client --connect home echo hello)
run 0 sc-client --connect both echo hello
run 0 sc-client --connect authority echo hello
run 90 sc-client --connect other-1.example echo secret
run 69 sc-client --connect odd echo hello
expect_err "can't connect to unix:$tmp/config/space-captain/socket: No such file"
# The command line replaces what the file says, option by option.
run 0 sc-client --connect other-1.example --pin server.crt echo hello
run 90 sc-client --connect home --pin other.crt echo secret
run 0 sc-client --connect "$address" --pin server.crt echo hello
# Of two names the last one counts.
run 0 sc-client --connect other-1.example --connect home echo hello
run 90 sc-client --connect home --connect other-1.example echo secret
# What is not a name is a host.
run 60 sc-client --connect "$address" echo hello
run 60 sc-client --connect homer echo hello
expect_err '^sc-client: homer:4242 is not trusted'
# sc-bench knows the same names.
run 0 sc-bench --connect both -n 10
run 90 sc-bench --connect other-1.example -n 10
pass "names"

# --- [default] holds for all, and may itself choose a server; a section replaces what it says ---
settings <<END
[default]
connect = $address
pin     = pins/wrong.crt
json    = yes
verbose = no
[127.0.0.1]
connect = $address
pin     = pins/right.crt
json    = no
END
run 90 sc-client echo secret
run 0 sc-client --pin server.crt echo hello
grep -q '^{"request":"echo"' out || fail "json = yes of [default] is not seen"
[ ! -s err ] || fail "verbose = no says something"
run 0 sc-client --connect 127.0.0.1 echo hello
expect_out hello
settings <<END
connect = home
[home]
connect = $address
pin     = pins/right.crt
strict-expiry = yes
timeout = 500ms
verbose = yes
END
run 0 sc-client echo hello
expect_out hello
grep -q 'pin matched' err || fail "verbose = yes is not seen"
# [default] is no name of a server.
run 60 sc-client --connect default echo hello
expect_err '^sc-client: default:4242 is not trusted'
# A section without connect is itself the host.
settings <<END
[localhost]
pin = pins/right.crt
[192.0.2.7]
timeout = 1
END
run 60 sc-client --connect 192.0.2.7 time
expect_err '^sc-client: 192.0.2.7:4242 is not trusted'
pass "[default]"

# --- No file, no directory, ~/.config without XDG_CONFIG_HOME ---
run 60 env XDG_CONFIG_HOME="$tmp/nowhere" sc-client time
run 60 env -u XDG_CONFIG_HOME -u HOME sc-client time
run 60 env -u XDG_CONFIG_HOME HOME=/dev/null sc-client time # as users of services have it
mkdir -p user/.config
ln -s "$tmp/config/space-captain" user/.config/space-captain
settings <<END
connect = $address
pin     = pins/right.crt
END
run 0 env -u XDG_CONFIG_HOME HOME="$tmp/user" sc-client echo hello
run 0 env XDG_CONFIG_HOME=relative HOME="$tmp/user" sc-client echo hello
# --help and --version need none of it.
echo junk >"$conf"
run 0 sc-client --help
run 0 sc-bench --version
pass "where the file is"

# --- What is wrong is reported with file, line, key, and what is allowed ---
refused 65 "^sc-client: $conf:1: not a configuration of sc-client: expected text with \[SECTION\] and KEY = VALUE$"
settings <server.key
refused 65 "$conf:1: not a configuration of sc-client"
! grep -q "$(sed -n 2p server.key)" err || fail "another file is quoted"
printf '[home]\nconect = a\n' | settings
refused 65 "$conf:2: \[home\] conect: no such key; expected connect "
# Those that are allowed are those of the manual.
sed 's/.*expected //' err | tr ' ' '\n' | sort >allowed
sed -n '/^The keys are/,/^Those/p' "$SC_SRCDIR/man/sc-client.1" | grep -v '^T' | tr -d , | tr ' ' '\n' | grep -Ev '^(\.Cm|and|\.|)$' | sort | cmp - allowed ||
    fail "the manual lists other keys: $(cat allowed)"
run 69 sc-bench --connect localhost:1 --pin server.crt -n 1
printf '[default]\n\ntimeout = soon\n' | settings
refused 65 "$conf:3: \[default\] timeout: .*soon.*expected"
printf 'json = maybe\n' | settings
refused 65 "$conf:1: \[default\] json: invalid value \"maybe\": expected yes or no"
printf 'pin = a,,b\n' | settings
refused 65 "$conf:1: \[default\] pin: an empty item"
printf 'pin = nowhere.crt\n' | settings
refused 66 "$conf:1: \[default\] pin: .*$tmp/config/space-captain/nowhere.crt: No such file"
printf 'pin = %s\n' sha256//AAAA | settings
refused 65 "$conf:1: \[default\] pin: .*not a pin"
printf 'help = yes\n' | settings
refused 65 "$conf:1: \[default\] help: no such key"
printf 'show-pin = yes\n' | settings
refused 65 "$conf:1: \[default\] show-pin: no such key"
printf '[a]\n[a]\n' | settings
refused 65 "$conf:2: section \[a\] again"
printf 'pin = server.crt\npin = other.crt\n' | settings
refused 65 "$conf:2: \[default\] pin: given again"
printf 'timeout = 5\n' | settings
chmod 620 "$conf"
refused 65 "^sc-client: $conf can be written by others \(mode 0620\), .*, then chmod go-w $conf$"
run 65 sc-bench --pin server.crt -n 1
chmod 602 "$conf"
refused 65 'can be written by others'
rm "$conf"
mkdir "$conf"
refused 66 "$conf.*directory"
rmdir "$conf"
pass "errors"

# --- The sample of the manual page is taken ---
sed -n '/^\.Sh FILES/,/^\.Sh/p' "$SC_SRCDIR/man/sc-client.1" | sed -n '/^\.Bd/,/^\.Ed/p' | grep -v '^\.' >sample
grep -q '^\[captain\]' sample || fail "there is no sample in the manual page"
sed "s/^connect *=.*/connect = $address/; s#^pin .*captain.crt#pin = pins/right.crt#" sample | settings
run 0 sc-client --connect captain echo hello
grep -q hello out || fail "the sample does not work"
stop_server
