#!/usr/bin/env bats
# What the Makefile promises of what it builds.

bats_require_minimum_version 1.5.0

setup() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    cd "$BATS_TEST_TMPDIR" || return 1
    unset MAKEFLAGS MAKELEVEL MFLAGS SAN KERNELS B
}

# tests/stress/reproducible.sh compares all programs.
@test "make: objects and archives do not depend on the directory, nor on the way there" {
    objects='build/lib/base/err.o build/tools/common/programs.o build/double/lib/base/tensor.o'
    for d in one 'some where/two'; do
        mkdir -p "$d"
        (cd "$ROOT" && tar cf - Makefile .ci man lib/base tests/double.h tools/common) | tar xf - -C "$d"
    done
    ln -s 'some where' link
    # shellcheck disable=SC2086
    (cd one && TZ=UTC LC_ALL=C make SOURCES='lib/base/err.c lib/base/arena.c' $objects build/core.a >/dev/null)
    # shellcheck disable=SC2086
    (cd link/two && touch lib/base/*.c && TZ=Asia/Tokyo LC_ALL=C.UTF-8 make -j2 SOURCES='lib/base/err.c lib/base/arena.c' $objects build/core.a >/dev/null)
    for f in $objects build/core.a; do
        cmp one/$f "some where/two/$f"
        run -1 grep -qaF "$BATS_TEST_TMPDIR" one/$f
    done
    # a debugger finds the sources from the top of the repository
    readelf --debug-dump=info --dwarf-depth=1 one/build/lib/base/err.o | grep -q 'DW_AT_name.*: lib/base/err.c$'
}
