#!/bin/sh
# SPDX-License-Identifier: MIT
# Links a test in the place of libtool, which takes longer than the linker: link.sh [OPTION]... --mode=link COMMAND...
# The .la files of src/local.mk are archives of ours, each in .libs beside it; COMMAND gets these.
set -eu
while [ "$1" != --mode=link ]; do
    shift
done
shift
for argument; do
    shift
    case $argument in
    *.la)
        name=${argument##*/}
        argument=${argument%"$name"}.libs/${name%.la}.a
        ;;
    esac
    set -- "$@" "$argument"
done
exec "$@"
