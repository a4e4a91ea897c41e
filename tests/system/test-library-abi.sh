#!/bin/sh
# SPDX-License-Identifier: MIT
# What is in the library's header stays source and binary compatible within a soname: every line of tests/abi/libspacecaptain.so.0 is still so. More
# may come, at the end of structs, and is appended to that file together with it.
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

library=$SC_BUILDDIR/src/.libs/libspacecaptain.so
[ -e "$library" ] || skip "no shared library in this build"
[ "$(getconf LONG_BIT)" = 64 ] || skip "the record has the offsets of a 64-bit machine"
headers="$SC_SRCDIR/src/spacecaptain/client.h $SC_SRCDIR/src/spacecaptain/client_types.h"
adapter=$SC_SRCDIR/src/spacecaptain/client_libevent.h
recorded=$SC_SRCDIR/tests/abi/$(readelf -d "$library" | sed -n 's/.*(SONAME).*\[\(.*\)\]$/\1/p')
[ -e "$recorded" ] || fail "no ${recorded##*/} in tests/abi: another soname needs a record of its own"

# Headers as one line, without comments and directives.
one_line() { sed '/^#/{:a;/\\$/{N;ba};d}' "$@" | tr '\n' ' ' | sed 's:/\*[^*]*\*\+\([^/*][^*]*\*\+\)*/: :g; s/  */ /g'; }
# shellcheck disable=SC2086  # a list of files
text=$(one_line $headers)

# A program that prints a line for each member, value and size.
{
    printf '#include <stddef.h>\n#include <stdio.h>\n#include <spacecaptain/client.h>\nint main(void)\n{\n'
    echo "$text" | grep -o 'struct sc_client_[a-z_]* {[^}]*}' | awk -F '[{}]' '{
        struct = $1
        sub(/ $/, "", struct)
        printf "printf(\"size of %s: %%zu\\n\", sizeof(%s));\n", struct, struct
        count = split($2, members, ";")
        for (i = 1; i < count; i++) {
            parts = split(members[i], names, ",")
            for (j = 1; j <= parts; j++) {
                match(names[j], /[a-z_0-9]+(\[[^]]*\])?[ ]*$/)
                name = substr(names[j], RSTART)
                if (j == 1) { type = substr(names[j], 1, RSTART - 1); gsub(/^ | $/, "", type) }
                sub(/\[.*/, "", name)
                gsub(/ /, "", name)
                printf "printf(\"%s, %s %s: %%zu bytes at %%zu\\n\", sizeof(((%s *)0)->%s), offsetof(%s, %s));\n", struct, type, name, struct, name, struct, name
            }
        }
    }'
    { echo "$text" | grep -o 'enum [a-z_]* *{[^}]*}' | sed 's/.*{//; s/}//' | tr ',' '\n' | sed 's/=.*//' && sed -n 's/^#define \(SC_CLIENT_MAX_[A-Z_]*\) .*/\1/p' $headers; } |
        tr -d ' ' | grep . | sed 's/.*/printf("&: %ld\\n", (long)&);/'
    printf 'return 0;\n}\n'
} >layout.c
# shellcheck disable=SC2086  # lists of flags
${SC_CC:?is set by make check} $SC_TEST_CFLAGS -I"$SC_SRCDIR/src" -o layout layout.c $SC_TEST_LDFLAGS >build.log 2>&1 || fail "the headers are not understood"
./layout >now
echo "$text" | grep -o 'SC_CLIENT_API [^;]*;' | sed 's/SC_CLIENT_API //; s/ *SC_CLIENT_NODISCARD//; s/;$//; s/\([(*]\) /\1/g' >>now
one_line "$adapter" | grep -Eo '(typedef|static inline) [^{;]*sc_client_libevent_[^{;]*' | sed 's/ $//; s/\([(*]\) /\1/g' | grep -v '_give_up(\|_on_ready(' | sort -u >>now
# shellcheck disable=SC2086  # a list of files
sed -n 's/^#define \(SC_CLIENT_[A-Z_]*_INIT\).*/macro \1/p' $headers >>now
nm -D --defined-only --with-symbol-versions "$library" | sed -n 's/^[0-9a-f]* T \(.*\)/symbol \1/p' >>now
for kind in '^size of' ' bytes at ' '^SC_CLIENT_' '^int sc_client_' '^static inline ' '^macro ' '^symbol '; do
    [ "$(grep -c -e "$kind" now)" -ge 3 ] || fail "\"$kind\" is found in too few lines to be right: $(cat now)"
done

# A struct may grow; all else stays as it is.
broken=0
while read -r line; do
    case $line in
    '' | '#'*) continue ;;
    'size of '*)
        size=$(sed -n "s/^${line%: *}: //p" now)
        [ "${size:-0}" -ge "${line##*: }" ] && continue
        ;;
    *) grep -Fqx -e "$line" now && continue ;;
    esac
    echo "not so any more: $line" >&2
    broken=$((broken + 1))
done <"$recorded"
[ "$broken" -eq 0 ] || fail "$broken lines of ${recorded#"$SC_SRCDIR/"} are not so any more: programs that were built before break; undo it, or change the soname (-version-info) and make its own record"
grep -Fvx -f "$recorded" now >new || :
[ ! -s new ] || fail "these lines are to be appended to ${recorded#"$SC_SRCDIR/"}: $(cat new)"
