#!/bin/sh
# SPDX-License-Identifier: MIT
# The table of options against all that is made from it or written about it: --help, the sample, the dump, and the manual pages.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

conf_page=$SC_SRCDIR/man/sc-server.conf.5
page=$SC_SRCDIR/man/sc-server.8

run 0 sc-server --help
cp out help
run 0 sc-server --sample-config
cp out sample
[ ! -s err ] || fail "--sample-config complains"

grep -q '^# Configuration of sc-server, ' sample || fail "the sample does not say what it is"
sed -n '/^# Every other key/,$p' sample | grep -q '^#Groups = ' || fail "the sample has no command of OpenSSL's"

# Keys of our own: those of the sample but the commands of OpenSSL at its end.
sed -n -e '/^# Every other key/q' -e 's/^#\([a-z-]*\) = .*/\1/p' sample | sort >keys
[ "$(wc -l <keys)" -ge 20 ] || fail "the sample has few keys: $(tr '\n' ' ' <keys)"
sed -n 's/^\.It Cm \([a-z-]*\) No = .*/\1/p' "$conf_page" | sort >documented
diff documented keys >&2 || fail "sc-server.conf(5) (<) and the table (>) have other keys"
sed -n 's/^ \{2,6\}\(-[a-zA-Z], \)\{0,1\}--\([a-z-]*\).*/\2/p' help | sort >options
for key in $(comm -23 keys options); do fail "$key is not in --help"; done

# A new key comes with an end-to-end test that sees what it does, named after it; without-option.sh proves that it is true.
for key in $(cat keys); do
    grep -Eq "^[[:space:]]*sees ([a-z-]+ )*$key( |\$)" "$SC_SRCDIR"/tests/system/test-*.sh || fail "no tests/system/test-*.sh says that it sees $key"
done

# What is not a key is an option of the program, and in sc-server(8).
for option in $(comm -13 keys options); do
    grep -q -e "Fl Fl $option\$" -e "Fl Fl $option " -e "Fl Fl [a-z -]*| $option" "$page" || fail "--$option is not in sc-server(8)"
done

# Defaults, and which keys need a restart, are the same in page and table.
for key in $(cat keys); do
    line=$(grep "^\.It Cm $key No = " "$conf_page")
    value=$(sed -n "s/^#$key = //p" sample)
    case $value in
    */*) value= ;; # a path of the installation
    [A-Z]*) value=none ;;
    esac
    case $line in
    *"Pq default $value" | *"Pq default Li $value" | *"Pq default $value , Sy restart" | *"Pq default Li $value , Sy restart" | *"Pq default Pa "*) ;;
    *) fail "sc-server.conf(5) has another default than \"$value\": $line" ;;
    esac
    restart=$(sed -n "/^\$/h;/^[^\$]/H;/^#$key = /{x;p;}" sample | grep -c 'needs a restart' || :)
    case $line,$restart in
    *"Sy restart",1 | *,0) ;;
    *) fail "whether $key needs a restart: the table says $restart, sc-server.conf(5) says: $line" ;;
    esac
    case $line,$restart in
    *"Sy restart",0) fail "$key: sc-server.conf(5) wants a restart, the table does not" ;;
    esac
done

# The largest duration is one that can be written, and the one that the page names.
for key in $(cat keys); do
    case $(sed -n "s/^#$key = //p" sample) in *[0-9][smh] | 0) ;; *) continue ;; esac
    run 64 sc-server --check-config -c /dev/null "--$key" 99999999h
    grep -q "expected a duration" err || continue
    expect_err "invalid value \"99999999h\": expected a duration, (0|1ms|1s) to [0-9]+h$"
    largest=$(sed 's/.* to //' err)
    sed -n "/^\.It Cm $key No = /,/^\.It Cm [a-z-]* No/p" "$conf_page" | grep -qw -e "$largest" || fail "sc-server.conf(5) does not say that $key is up to $largest"
    durations="${durations-} $key"
done
[ "$(echo "$durations" | wc -w)" -eq 7 ] || fail "not all durations:$durations"

# The sample is the defaults, and a dump loads to the same dump.
run 0 sc-server --dump-config -c /dev/null
cp out defaults
run 0 sc-server --dump-config -c sample
cmp -s out defaults || fail "the sample sets something"
printf '[server]\nfrog = 1\n' >bad
run 78 sc-server --dump-config -c bad
expect_err '^sc-server: bad:2: .*frog'
[ ! -s out ] || fail "a configuration that is wrong is printed: $(cat out)"
run 78 sc-server --status -c bad
expect_err '^sc-server: bad:2: .*frog'
sed -e 's/^#\([a-z-]* = [^A-Z]\)/\1/' sample >uncommented
run 0 sc-server --dump-config -c uncommented --workers "$(sed -n 's/^workers = //p' defaults)"
diff defaults out >&2 || fail "the sample's defaults are not the active ones"
run 0 sc-server --dump-config -c /dev/null --listen 'unix:/tmp/a b#c' --certificate ' "$x' --max-body 1000 --listen '[::1]:1' \
    --client-auth optional --client-pin 'ca:/a\b' --workers 3 --log-level debug
cp out dump
run 0 sc-server --dump-config -c dump
diff dump out >&2 || fail "a dump does not load to itself"

# Installed pages are in the language of mandoc without a complaint, where there is one to ask.
if command -v mandoc >/dev/null; then
    mandoc -T lint -W warning "$SC_SRCDIR"/man/*.[1-9] "$SC_BUILDDIR"/man/*.[1-9] >mandoc.log 2>&1 || fail "mandoc complains"
else
    skip_part "there is no mandoc to ask about the manuals"
fi

# Everything that is wrong with a file, in one go, with the place; and the exit statuses.
make_certs
certs="--certificate $tmp/server.crt --private-key $tmp/server.key"
printf '[server]\nmax-body = 64k\nworker = 2\n' >bad.conf
# shellcheck disable=SC2086
run 78 sc-server --check-config -c bad.conf $certs
[ "$(wc -l <err)" = 2 ] || fail "not two lines"
grep -q '^sc-server: bad.conf:2: \[server\] max-body: invalid value "64k": expected a size, 1 to 16M$' err || fail "max-body is not named"
grep -q '^sc-server: bad.conf:3: \[server\] worker: unknown key: workers' err || fail "worker is not named"
# shellcheck disable=SC2086
run 78 sc-server --check-config -c no.conf $certs
grep -q '^sc-server: .*no.conf: No such file' err || fail "no.conf is not named"
# shellcheck disable=SC2086
run 66 sc-server -c no.conf $certs
run 64 sc-server --max-bdy 3
expect_err '^sc-server: unknown option --max-bdy: --max-body is the nearest'
# shellcheck disable=SC2086
run 0 sc-server --check-config -c /dev/null $certs
expect_out 'configuration ok'
pass "one table, one truth"
