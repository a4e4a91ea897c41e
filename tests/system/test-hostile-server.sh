#!/bin/sh
# SPDX-License-Identifier: MIT
# Servers that lie, in every way that a driver of the library and each TLS library can meet: the same events, and one end with one error.
test_seconds=180
. "${SC_SRCDIR:?run this by make check}/tests/system/lib.sh"

make_certs
run 0 sc-keygen --out other
libraries=$(driver libraries)
# Deadlines: those that are waited for, and those that must not be.
short=$((100 * slow))
reply=$((1000 * slow)) # after a handshake that is not to time out
long=$((20000 * slow))

# expect MODE TEXT TIMEOUT PIN LINE...: each line of what a driver prints matches its LINE, whatever the driver and the library.
odd_count=0
expect() {
    mode=$1 text=$2 timeout=$3 pin=$4
    shift 4
    odd_count=$((odd_count + 1))
    background_seconds=100 background odd-server "$mode" server.crt server.key "$tmp/odd-port-$odd_count" "$text"
    wait-for 20 "$background_pid" exists "$tmp/odd-port-$odd_count" || fail "odd-server $mode did not start"
    read -r odd_port <"odd-port-$odd_count"
    for library in $libraries; do
        for driver in blocking poll libevent bytes; do
            what="$mode \"$text\", $driver driver, $library"
            run 0 driver "$driver" "$library" "127.0.0.1:$odd_port" "$pin" "$timeout"
            awk 'BEGIN {
                while ((getline line <"out") > 0)
                    if (++n >= ARGC || line !~ "^(" ARGV[n] ")$") { print "line " n " is not \"" ARGV[n] "\": " line; exit 1 }
                if (n != ARGC - 1) { print n + 0 " lines instead of " ARGC - 1; exit 1 }
            }' "$@" >wrong || fail "$what: $(cat wrong); all: $(cat out)"
        done
    done
    kill "$background_pid"
    finish "$background_pid" 143
}

# The three requests are ECHO of 5 bytes, REVERSE of 3, and TIME.
echo='reply 1, type 1, error 0, 5 bytes'
reverse='reply 2, type 2, error 0, 3 bytes'
time='reply 3, type 3, error 0, 27 bytes'

expect serve '' "$long" server.crt ready "$echo" "$reverse" "$time" 'end 0, 0 unanswered: '
expect serve '' "$long" other.crt 'end 90, .* is not the server that was pinned, nothing was sent: .*'

# Lies about replies.
expect wrong-type '' "$long" server.crt ready 'end 76, 3 unanswered: .* another type than the request'
expect wrong-length '' "$long" server.crt ready 'end 76, 3 unanswered: .* the length of the reply is wrong'
expect wrong-order '' "$long" server.crt ready 'end 76, 3 unanswered: .* another type than the request'
expect long-reply '' "$long" server.crt ready 'end 76, 3 unanswered: .* longer than 16 MiB'
expect short-error '' "$long" server.crt ready 'end 76, 3 unanswered: .* an ERROR frame is too short'
expect long-error '' "$long" server.crt ready 'end 76, 3 unanswered: .* an ERROR frame is longer than 64 KiB'
expect error 'no' "$long" server.crt ready 'reply 1, type 1, error 5, 2 bytes' "$reverse" 'reply 3, type 3, error 5, 2 bytes' 'end 0, 0 unanswered: '
expect going-away '' "$long" server.crt ready "$echo" 'end 69, 2 unanswered: .*going away.*'

# What answers no request: the three of the driver leave after it has come, or before.
expect stray '' "$long" server.crt ready 'end 76, 3 unanswered: .* (answered without a request|was not sent yet|the length of the reply is wrong)'
expect over-limit '' "$long" server.crt ready 'end 1, 3 unanswered: .* over a limit .*'

# The end where there should be none, with close_notify, without it, and with more after it.
expect half-reply '' "$long" server.crt ready 'end 69, 3 unanswered: .* it closed the connection'
expect cut '' "$long" server.crt ready 'end 69, 3 unanswered: .*'
expect after-close '' "$long" server.crt ready "$echo" 'end 69, 2 unanswered: .* it closed the connection'

# What is not TLS, or is not any more.
expect plain 'SSH-2.0-OpenSSH_9.2
' "$long" server.crt 'end 35, 0 unanswered: .* an SSH server answered; .*'
expect garbage '' "$long" server.crt ready "$echo" 'end 35, 2 unanswered: the TLS connection with .* failed: .*'
expect long-record '' "$long" server.crt ready "$echo" 'end 35, 2 unanswered: the TLS connection with .* failed: .*'
expect protocol '' "$long" server.crt 'end 35, 0 unanswered: the TLS handshake with .* failed: what the server sent could not be used .*'
# TLS 1.3 alone has these, and Mbed TLS has no TLS 1.3 here.
all=$libraries libraries=openssl
expect key-updates '' "$long" server.crt ready 'end 76, 3 unanswered: .* keeps sending TLS messages without data'
expect tickets '' "$long" server.crt ready 'end 76, 3 unanswered: .* keeps sending TLS messages without data'
libraries=$all

# The connection is closed after so many bytes of the server: in the first record, between two, in the last one.
for count in 0 1 4 5 100 127 500; do
    expect trickle "$count 0" "$long" server.crt 'end 35, 0 unanswered: the TLS handshake with .* failed: the server .*'
done

# Time is bounded whatever comes: nothing, nothing after the handshake, and a byte from time to time, in the handshake and in a reply.
expect plain '' "$short" server.crt 'end 75, 0 unanswered: the TLS handshake with .* timed out after .*'
expect mute '' "$reply" server.crt ready "end 75, 3 unanswered: no reply from .*"
expect trickle "100000 20" "$short" server.crt 'end 75, 0 unanswered: the TLS handshake with .* timed out after .*'
expect drip "$((reply / 2))" "$reply" server.crt ready 'end 75, 3 unanswered: no reply from .*'
