#!/bin/sh
# SPDX-License-Identifier: MIT
# --help and the manual page of each program: the same options and exit statuses, two dashes where there are two, and lines that fit.
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

# render PAGE: as text, without overstrikes, in $tmp/page; fails when there is nothing to do it with.
render() {
    if command -v mandoc >/dev/null; then
        mandoc -T ascii "$1" | sed 's/.\x08//g' >page
    elif command -v groff >/dev/null; then
        groff -P -c -mdoc -T ascii "$1" 2>/dev/null | sed 's/.\x08//g' >page
    else
        return 1
    fi
}

for program in sc-server sc-client sc-keygen sc-bench; do
    page=$(ls "$SC_SRCDIR/man/$program".[18])
    run 0 "$program" --help
    cp out help
    run 0 "$program" --version
    # A default is as long as the directory of the installation makes it.
    long=$(awk 'length > 80 && !/^ +\/.*\/space-captain\/server\.(crt|key)\)$/' help)
    [ -z "$long" ] || fail "$program --help has lines of more than 80 columns: $long"

    # What --help has, the page has; of sc-server's, the keys of the configuration are in sc-server.conf(5).
    sed -n 's/^ \{2,6\}\(-[a-zA-Z], \)\{0,1\}--\([a-z][a-z0-9-]*\).*/\2/p' help >options
    [ "$(wc -l <options)" -ge 10 ] || fail "$program --help has few options"
    while read -r option; do
        grep -Eq "Fl Fl $option( |\$)" "$page" || { [ "$program" = sc-server ] && grep -q "^\.It Cm $option " "$SC_SRCDIR/man/sc-server.conf.5"; } ||
            fail "$page does not have --$option"
    done <options
    for option in $(sed -n 's/^\.It .*Fl Fl \([a-z][a-z0-9-]*\).*/\1/p' "$page"); do
        grep -qx -e "$option" options || fail "$program --help does not have --$option"
    done
    sed -n '/^Exit status:$/,$s/^ *\([0-9][0-9]*\)  [a-z-].*/\1/p' help >statuses
    [ "$(wc -l <statuses)" -ge 8 ] || fail "$program --help has few exit statuses"
    sed -n '/^\.Sh EXIT STATUS/,/^\.Sh EX[^I]/s/^\.It \([0-9]*\)$/\1/p' "$page" >of-page
    diff statuses of-page >&2 || fail "$program: --help (<) and the page (>) have other exit statuses"

    if render "$page"; then
        for option in $(sed -n 's/.*Fl Fl \([a-z][a-z0-9-]*\).*/\1/p' "$page") $(cat options); do
            ! grep -Eq "(^|[^-a-z])-$option([^a-z-]|\$)" page || fail "$page shows --$option with one dash"
        done
    else
        skip_part "there is no mandoc and no groff to show $page"
    fi
done

# The manual of the log has every row of the table that it is made from, and nothing is left of the places for them.
log_page=$SC_BUILDDIR/man/sc-server.log.7
for kind in EVENT:EVENTS FIELD:FIELDS; do
    sed -n "s/^SC_${kind%:*}(\([A-Z_]*, [A-Z]*, \)\{0,1\}\"\([a-z_]*\)\".*/\2/p" "$SC_SRCDIR/src/base/log_events.def" >of-table
    sed -n "/^\.Sh ${kind#*:}/,/^\.El/s/^\.It Sy \([a-z_]*\).*/\1/p" "$log_page" >of-page
    [ "$(wc -l <of-table)" -ge 30 ] || fail "few rows: $(cat of-table)"
    diff of-table of-page >&2 || fail "the table of events (<) and sc-server.log(7) (>) differ"
done
! grep -q '@' "$log_page" || fail "a place in sc-server.log(7) is not filled in"
# README and NEWS are read in terminals, too.
for page in README NEWS; do
    awk 'length > 140 { print FILENAME ":" FNR ": " length " columns"; bad = 1 } END { exit bad }' "$SC_SRCDIR/$page" >&2 || fail "$page has a line of more than 140 columns"
done
pass "--help and manuals agree"
