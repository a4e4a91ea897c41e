#!/bin/sh
# SPDX-License-Identifier: MIT
# Connections of libspacecaptain in several threads at once, over each TLS library; CI runs it with ThreadSanitizer, too.
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

start_server --workers 2
for library in $(driver libraries); do
    run 0 threads "$library" "${address##*:}" server.crt "$tmp/pins-$library"
    expect_out 480
    [ "$(grep -c '^127\.0\.0\.1 ' "pins-$library")" -eq 1 ] || fail "the pin store of several threads has other lines than one: $(cat "pins-$library")"
done
stop_server
