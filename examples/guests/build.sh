#!/bin/sh
# Builds the C guests to WebAssembly. The result depends on the tools alone, not on time or place.
#
#   ./build.sh           rebuild word-index.wasm and misbehave.wasm beside their sources
#   ./build.sh --check   build elsewhere and compare with the committed files, byte for byte
#
# The committed files come from Debian 12: clang-14 lld-14 wasi-libc libclang-rt-14-dev-wasm32.
# Another compiler or libc builds them too (set CC and SYSROOT), to other bytes.
set -eu
cd "$(dirname "$0")"

CC=${CC:-clang-14}
SYSROOT=${SYSROOT:-/usr}
out=.
case "${1:-}" in
'') ;;
--check)
    out=$(mktemp -d)
    trap 'rm -rf "$out"' EXIT
    ;;
*)
    echo "usage: build.sh [--check]" >&2
    exit 2
    ;;
esac

# A data stack of 64 KiB at the bottom of memory: small, and its overflow traps instead of
# running into the program's variables. Function names stay in, for readable backtraces.
for guest in word-index misbehave; do
    "$CC" --target=wasm32-wasi --sysroot="$SYSROOT" -std=c11 -O2 -g0 -Wall -Wextra -Werror \
        -Wl,--strip-debug -Wl,--stack-first -Wl,-z,stack-size=65536 \
        -o "$out/$guest.wasm" "$guest.c"
    chmod 644 "$out/$guest.wasm"
    if [ "$out" != . ]; then
        cmp "$guest.wasm" "$out/$guest.wasm"
        echo "$guest.wasm is what its source builds to"
    fi
done
