#!/bin/sh
# SPDX-License-Identifier: MIT
# Makes test vectors for PINS replies (docs/protocol.md) on standard output, with openssl(1), the shell, and nothing of Space
# Captain: the format, written down a second time. `make-pins.sh check FILE` verifies the vectors in a file in the same way.
#
# A vector is lines of "name value" and ends with an empty line; values but those of name, scheme and proof are in hexadecimal:
#   name, exporter, current (SubjectPublicKeyInfo), next (the same; - for none), scheme, proof (good, bad or none), body
# The signatures of ECDSA and RSA-PSS are random, so each run makes others; tests/vectors/pins.txt keeps those of one run.
set -eu
export LC_ALL=C
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

hex() { od -An -v -tx1 | tr -d ' \n'; }
# By octal escapes, which every printf knows.
unhex() { # shellcheck disable=SC2059
    printf "$(printf '%s\n' "$1" | awk '{ for (i = 1; i < length; i += 2)
        printf "\\%03o", 16 * index("123456789abcdef", substr($0, i, 1)) + index("123456789abcdef", substr($0, i + 1, 1)) }')"
}
u16() { printf %04x "$1"; }
# What is signed: the text and a zero byte, the exporter, the hash of the next key.
signed() {
    printf 'space-captain pins v1'
    printf '\000'
    unhex "$1"
    unhex "$2" | openssl dgst -sha256 -binary
}
# entry ROLE SPKI SCHEME SIGNATURE
entry() { printf '%s%s%s%s%s%s' "$1" "$(u16 $((${#2} / 2)))" "$2" "$3" "$(u16 $((${#4} / 2)))" "$4"; }

pss="-pkeyopt rsa_padding_mode:pss -pkeyopt rsa_pss_saltlen:digest"
# sign KEY SCHEME <BYTES, verify PUBLIC SCHEME SIGNATURE BYTES
sign() {
    cat >"$tmp/signed"
    case $2 in
    0403) openssl pkeyutl -sign -rawin -digest sha256 -inkey "$1" -in "$tmp/signed" ;;
    0804) # shellcheck disable=SC2086
        openssl pkeyutl -sign -rawin -digest sha256 $pss -inkey "$1" -in "$tmp/signed" ;;
    0807) openssl pkeyutl -sign -rawin -inkey "$1" -in "$tmp/signed" ;;
    esac
}
verify() {
    case $2 in
    0403) openssl pkeyutl -verify -rawin -digest sha256 -pubin -inkey "$1" -keyform DER -sigfile "$3" -in "$4" ;;
    0804) # shellcheck disable=SC2086
        openssl pkeyutl -verify -rawin -digest sha256 $pss -pubin -inkey "$1" -keyform DER -sigfile "$3" -in "$4" ;;
    0807) openssl pkeyutl -verify -rawin -pubin -inkey "$1" -keyform DER -sigfile "$3" -in "$4" ;;
    *) false ;;
    esac >/dev/null 2>&1
}

spki() { openssl pkey -in "$1" -pubout -outform DER | hex; }
# vector NAME EXPORTER CURRENT NEXT SCHEME PROOF SIGNATURE
vector() {
    case $4 in
    -) body=0101$(entry 01 "$3" 0000 '') ;;
    *) body=0102$(entry 01 "$3" 0000 '')$(entry 02 "$4" "$5" "$7") ;;
    esac
    printf 'name %s\nexporter %s\ncurrent %s\nnext %s\nscheme %s\nproof %s\nbody %s\n\n' "$1" "$2" "$3" "$4" "$5" "$6" "$body"
}

make() {
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$tmp/current" 2>/dev/null
    openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$tmp/0403" 2>/dev/null
    openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out "$tmp/0804" 2>/dev/null
    openssl genpkey -algorithm ED25519 -out "$tmp/0807" 2>/dev/null
    current=$(spki "$tmp/current")
    vector current-only "$(openssl rand -hex 32)" "$current" - 0000 none ''
    for scheme in 0403 0804 0807; do
        exporter=$(openssl rand -hex 32)
        next=$(spki "$tmp/$scheme")
        signature=$(signed "$exporter" "$next" | sign "$tmp/$scheme" $scheme | hex)
        vector good-$scheme "$exporter" "$current" "$next" $scheme good "$signature"
        vector another-connection-$scheme "$(openssl rand -hex 32)" "$current" "$next" $scheme bad "$signature"
        other=$(signed "$exporter" "$current" | sign "$tmp/$scheme" $scheme | hex)
        vector another-key-$scheme "$exporter" "$current" "$next" $scheme bad "$other"
        vector cut-$scheme "$exporter" "$current" "$next" $scheme bad "${signature%??}"
    done
    vector by-the-current-key "$exporter" "$current" "$(spki "$tmp/0403")" 0403 bad \
        "$(signed "$exporter" "$(spki "$tmp/0403")" | sign "$tmp/current" 0403 | hex)"
    vector wrong-scheme "$exporter" "$current" "$next" 0403 bad "$signature"
    vector unknown-scheme "$exporter" "$current" "$next" 0806 bad "$signature"
    vector no-proof "$exporter" "$current" "$next" 0000 none ''
}

fail() {
    echo "make-pins.sh: $name: $*" >&2
    exit 1
}

# check_vector, with $name and its like set: takes the body apart and compares.
check_vector() {
    left=$body
    take() {
        taken=$(printf "%.$((2 * $1))s" "$left")
        [ ${#taken} -eq $((2 * $1)) ] || fail "the body ends early"
        left=${left#"$taken"}
    }
    take_bytes() {
        take 2
        length=$((0x$taken))
        [ $length -gt 0 ] || { taken=; return; }
        take $length
    }
    take 2
    case $next in -) [ "$taken" = 0101 ] ;; *) [ "$taken" = 0102 ] ;; esac || fail "version and count: $taken"
    take 1
    [ "$taken" = 01 ] || fail "the role of the current key"
    take_bytes
    [ "$taken" = "$current" ] || fail "the current key"
    take 4
    [ "$taken" = 00000000 ] || fail "a proof of the current key"
    if [ "$next" != - ]; then
        take 1
        [ "$taken" = 02 ] || fail "the role of the next key"
        take_bytes
        [ "$taken" = "$next" ] || fail "the next key"
        take 2
        [ "$taken" = "$scheme" ] || fail "the scheme"
        take_bytes
        found=none
        if [ "$taken" ]; then
            unhex "$taken" >"$tmp/signature"
            unhex "$next" >"$tmp/public"
            signed "$exporter" "$next" >"$tmp/signed"
            found=bad
            ! verify "$tmp/public" "$scheme" "$tmp/signature" "$tmp/signed" || found=good
        fi
        [ "$found" = "$proof" ] || fail "the proof is $found, not $proof"
    fi
    [ -z "$left" ] || fail "bytes after the end"
}

check() {
    count=0
    while read -r key value; do
        case $key in
        name) name=$value ;;
        exporter) exporter=$value ;;
        current) current=$value ;;
        next) next=$value ;;
        scheme) scheme=$value ;;
        proof) proof=$value ;;
        body) body=$value ;;
        '')
            check_vector
            count=$((count + 1))
            ;;
        esac
    done <"$1"
    [ $count -gt 0 ]
}

case ${1-make} in
make) make ;;
check) check "$2" ;;
*) exit 64 ;;
esac
