#!/bin/sh
# SPDX-License-Identifier: MIT
# libspacecaptain as a stranger uses it: installed into a scratch prefix, found with pkg-config, in C and C++, against the real server.
test_seconds=120
# shellcheck source=tests/system/lib.sh
. "${SC_SRCDIR:?is set by make check}/tests/system/lib.sh"

[ -e "$SC_BUILDDIR/src/.libs/libspacecaptain.so" ] || skip "no shared library in this build"
needs pkg-config

# Its symbols are those of the map, and those of the header.
nm -D --defined-only "$SC_BUILDDIR/src/.libs/libspacecaptain.so" | sed -n 's/.* T \(.*\)@@SPACECAPTAIN_0$/\1/p' | sort >exported
sed -n 's/^    \(sc_[a-z_0-9]*\);$/\1/p' "$SC_SRCDIR/src/lib/libspacecaptain.map" | sort >mapped
tr '\n' ' ' <"$SC_SRCDIR/src/spacecaptain/client.h" | grep -o 'SC_CLIENT_API[^;]*;' | sed -n 's/.*[ *]\(sc_client_[a-z_0-9]*\)(.*/\1/p' | sort >declared
cmp exported mapped || fail "the library exports other symbols than its map names: $(comm -3 exported mapped)"
cmp declared mapped || fail "the header declares other functions than the map names: $(comm -3 declared mapped)"
[ "$(wc -l <mapped)" -gt 30 ] || fail "the lists are too short to be right"

# Every function has its page.
for name in $(cat mapped); do
    grep -q "^\.Nm $name" "$SC_SRCDIR"/man/sc_client*.3 || fail "$name is on no manual page"
done

# A stranger's build knows nothing but pkg-config. What the build adds for itself (sanitizers) must be added here too.
root=$tmp/root
(unset MAKEFLAGS MFLAGS MAKELEVEL && make -s -C "$SC_BUILDDIR" DESTDIR="$root" install-libLTLIBRARIES install-spacecaptainincludeHEADERS \
    install-pkgconfigDATA) >install.log 2>&1 || fail "the library cannot be installed"
pc=$(find "$root" -name space-captain.pc)
flags=$(PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$root pkg-config --cflags --libs space-captain) || fail "pkg-config does not find it"
lib=$(dirname "$(find "$root" -name libspacecaptain.so)")
build() { # SOURCE PROGRAM FLAGS...
    source=$1 program=$2
    shift 2
    # shellcheck disable=SC2086  # lists of flags
    ${SC_CC:?is set by make check} $SC_TEST_CFLAGS -o "$program" "$source" $flags "$@" $SC_TEST_LDFLAGS >build.log 2>&1 ||
        fail "$source is not built with: $flags $*"
}

start_server
# The program that the header shows, to the letter, but for port and pin.
sed -n '/^ \*     #include <stdio.h>/,/^ \*     }$/p' "$SC_SRCDIR/src/spacecaptain/client.h" | sed 's/^ \*     //; s/^ \*$//' >shown.c
grep -v SPDX-License-Identifier "$SC_SRCDIR/examples/blocking.c" | cmp shown.c - || fail "the header shows another program than examples/blocking.c"
[ "$(wc -l <shown.c)" -le 25 ] || fail "the program is longer than 25 lines"
# over SOURCE COPY: the same program over the TLS library that $library names.
over() { sed "s/sc_client_settings_new(NULL/sc_client_settings_new($library/; s/localhost:4242/$address/" "$1" >"$2"; }
libraries='"openssl"'
if grep -q 'define HAVE_MBEDTLS' "$SC_BUILDDIR/config.h"; then
    libraries="$libraries \"mbedtls\""
else
    skip_part "no Mbed TLS in this build"
fi
run 0 sc-keygen --out other
wrong_pins=0
for library in NULL $libraries; do
    over shown.c blocking.c
    build blocking.c blocking
    run 0 env LD_LIBRARY_PATH="$lib" ./blocking
    expect_out hello

    over "$SC_SRCDIR/examples/own-loop.c" own-loop.c
    build own-loop.c own-loop
    run 0 env LD_LIBRARY_PATH="$lib" ./own-loop "$address" server.crt
    printf 'eno\nowt\neerht\n' | cmp - out || fail "own-loop has printed something else"
    # A wrong pin and no server: one line and the status of sc-client.
    run 90 env LD_LIBRARY_PATH="$lib" ./own-loop "$address" other.crt
    expect_err '^127\.0\.0\.1:[0-9]+ is not the server that was pinned'
    wrong_pins=$((wrong_pins + 1))
    wait_log 'alert_received="bad certificate"' 10 $wrong_pins
    run 69 env LD_LIBRARY_PATH="$lib" ./own-loop unix:/nonexistent server.crt
    expect_err "can't connect to unix:/nonexistent"

    over "$SC_SRCDIR/examples/libevent.c" libevent.c
    # shellcheck disable=SC2046
    build libevent.c with-libevent $(pkg-config --cflags --libs libevent_core)
    run 0 env LD_LIBRARY_PATH="$lib" ./with-libevent "$address" server.crt
    grep -Eq '^20[0-9]{2}-[0-9-]+T[0-9:.]+Z$' out || fail "that is not a time: $(cat out)"
done

# Statically, too: then nothing of ours is looked for at run time.
# shellcheck disable=SC2046
(flags="-I$root$(PKG_CONFIG_PATH=${pc%/*} pkg-config --variable=includedir space-captain)" &&
    build blocking.c static-blocking "$lib/libspacecaptain.a" \
        $(PKG_CONFIG_PATH=${pc%/*} pkg-config --static --libs space-captain | sed 's/-L[^ ]* //; s/-lspacecaptain //'))
run 0 ./static-blocking
expect_out hello

if command -v c++ >/dev/null; then
    cat >plain.cc <<'END'
#include <iostream>
#include <string>
#include <spacecaptain/client.h>
int main(int, char **argv)
{
    sc_client_error error = SC_CLIENT_ERROR_INIT;
    sc_client_reply reply = SC_CLIENT_REPLY_INIT;
    sc_client_event event = SC_CLIENT_EVENT_INIT;
    sc_client_pins pins = SC_CLIENT_PINS_INIT;
    struct sc_client_info info = SC_CLIENT_INFO_INIT;
    struct sc_client_stored_pin stored = SC_CLIENT_STORED_PIN_INIT;
    sc_client_settings *settings = sc_client_settings_new(nullptr, &error);
    if (sc_client_settings_add_pin(settings, argv[2], &error) != 0) {
        return error.code;
    }
    sc_client *client = sc_client_connect(settings, argv[1], &error);
    sc_client_settings_free(settings);
    if (!client || sc_client_call(client, SC_CLIENT_ECHO, "hello", 5, &reply, &error) != 0 || sc_client_info(client, &info) != 0) {
        return error.code;
    }
    std::cout << std::string(reinterpret_cast<const char *>(reply.body), reply.length) << std::endl;
    sc_client_free(client);
    return event.type + pins.proven + static_cast<int>(stored.line);
}
END
    # shellcheck disable=SC2086
    c++ -std=c++11 -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror $flags -fsyntax-only plain.cc 2>build.log || fail "the header is not for C++"
    case $SC_TEST_CFLAGS in
    *sanitize*) skip_part "C++ and a library with sanitizers" ;;
    *)
        # shellcheck disable=SC2086
        c++ -std=c++11 -o plain plain.cc $flags 2>build.log || fail "a program in C++ is not linked"
        run 0 env LD_LIBRARY_PATH="$lib" ./plain "$address" server.crt
        expect_out hello
        ;;
    esac
    printf '#include <spacecaptain/client_libevent.h>\nint main() { return 0; }\n' >libevent.cc
    # shellcheck disable=SC2086
    c++ -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror $flags -fsyntax-only libevent.cc 2>build.log || fail "the adapter is not for C++"
else
    skip_part "no C++ compiler"
fi

case $SC_TEST_CFLAGS in
*sanitize*) skip_part "Python cannot load a library with sanitizers" ;;
*)
    if command -v python3 >/dev/null; then
        run 0 env LD_LIBRARY_PATH="$lib" python3 "$SC_SRCDIR/examples/ctypes_client.py" "$address" server.crt 'from Python'
        expect_out 'from Python'
        run 1 env LD_LIBRARY_PATH="$lib" python3 "$SC_SRCDIR/examples/ctypes_client.py" "$address"
        expect_err '^usage: ctypes_client\.py ADDRESS PIN TEXT$'
    else
        skip_part "no Python"
    fi
    ;;
esac
stop_server
