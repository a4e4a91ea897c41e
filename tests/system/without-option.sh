#!/bin/sh
# SPDX-License-Identifier: MIT
# Are the keys of the configuration tested by what says that it tests them? Every script with a line "sees KEY" is run with a server that is
# never told of KEY: it must fail before it comes to that line. Run in a build directory after `make check TESTS=`; some minutes.
#
#   SRCDIR/tests/system/without-option.sh [KEY]...
set -u
SC_SRCDIR=${SC_SRCDIR:-$(cd "$(dirname "$0")/../.." && pwd)}
SC_BUILDDIR=${SC_BUILDDIR:-$PWD}
export SC_SRCDIR SC_BUILDDIR
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $("$SC_BUILDDIR/src/sc-server" --sample-config | sed -n -e '/^# Every other key/q' -e 's/^#\([a-z-]*\) = .*/\1/p')
log=$(mktemp "${TMPDIR:-/tmp}/sc-without-option.XXXXXX")
bad=0
for key; do
    for script in $(grep -lE "^[[:space:]]*sees ([a-z-]+ )*$key( |\$)" "$SC_SRCDIR"/tests/system/test-*.sh); do
        if SC_TEST_WITHOUT=$key "$script" >"$log" 2>&1 || [ $? -eq 77 ]; then
            verdict="NOT SEEN: it passes without the key"
        elif grep -q 'NOT SEEN' "$log"; then
            verdict="NOT SEEN: it comes to its line \"sees\""
        else
            verdict="seen: $(grep -a -m 1 'FAILED' "$log")"
        fi
        case $verdict in NOT*) bad=1 ;; esac
        echo "$key, ${script##*/}: $verdict"
    done
done
rm -f "$log"
exit $bad
