#!/bin/bash
# arm64.sh: cross-builds all programs and the library for arm64 in a bare chroot of Debian 12, against Debian's arm64 libraries,
# and runs them under qemu-user.  (make check-arm64 needs no chroot, and builds only what needs nothing beyond the C library.)
#
# usage: tests/stress/arm64.sh [DIR]        (as root, with debootstrap and a Debian mirror in reach; about ten minutes)
#
# DIR is kept, and its chroot is used again by the next run.  Without DIR all is done in a temporary directory.
# MIRROR is the first of apt's own sources unless it is set.  Prints "N passed, N failed".
# shellcheck source=tests/stress/chroot.sh
. "$(dirname "$0")/chroot.sh"
root=$dir/arm64 log=$dir/arm64.log

leave() {
    if mountpoint -q "$root/proc"; then umount "$root/proc"; fi
    [ "$kept" ] || rm -rf "$dir"
}
trap leave EXIT

# inside COMMAND: a command line of bash in the tree, with the arm64 programs by their names
inside() {
    chroot "$root" bash -eu -o pipefail -c "cd /unclip
        export LC_ALL=C UNCLIP_MODEL=box UNCLIP_CACHE=none
        for p in build-arm64/bin/*; do p=\${p##*/}; eval \"\$p() { qemu-aarch64 build-arm64/bin/\$p \\\"\\\$@\\\"; }\"; done
        $1"
}

chrooted() {
    rm -rf "$root"
    debootstrap --variant=minbase bookworm "$root" "$MIRROR"
    echo force-unsafe-io >"$root/etc/dpkg/dpkg.cfg.d/quick"
    echo "deb $MIRROR bookworm main" >"$root/etc/apt/sources.list"
    # shellcheck disable=SC2046
    chroot "$root" dpkg --add-architecture arm64 && chroot "$root" apt-get -q update &&
        chroot "$root" apt-get -q -y install --no-install-recommends make pkgconf:arm64 crossbuild-essential-arm64 qemu-user fonts-dejavu-core \
            $("$top/.ci/needs" -l build image | tr ' ' '\n' | grep -E '^(lib|zlib).*-dev$' | grep -v '^libc6' | sed 's/$/:arm64/') &&
        touch "$root/complete"
}
copy() { rm -rf "$root/unclip"; mkdir "$root/unclip" && (cd "$top" && git ls-files -z | tar cf - --null -T -) | tar xf - -C "$root/unclip"; }
# one object, one program and one library for another machine
foreign() { inside 'for f in build-arm64/bin/* build-arm64/library/libunclip.so.0.*; do readelf -h $f | grep -q AArch64; done; ls build-arm64/bin | wc -l'; }

[ -e "$root/complete" ] || ok 'a chroot with the arm64 libraries' chrooted || finish
mount -t proc proc "$root/proc"
copy
MAKE='make B=build-arm64 CC=aarch64-linux-gnu-gcc AR=aarch64-linux-gnu-ar OBJCOPY=aarch64-linux-gnu-objcopy PKG_CONFIG=aarch64-linux-gnu-pkg-config'
# linear and clip_golden take long under qemu; make check-arm64 runs linear
UNITS='base record stream kern safetensors api'
ok 'all programs and the library are built' inside "$MAKE -j2 all" || finish
ok 'they are for arm64' foreign
ok 'WebP, HEIF, TIFF and FreeType are in' inside 'clip-embed -V | tee /dev/stderr | grep -i webp | grep -i heif | grep -i tiff | grep -i freetype'
ok 'unclip lists the programs' inside '[ "$(unclip | grep -cE "^  [a-z0-9-]+ +[a-z]")" -ge 14 ]'
ok 'clip-tok, record-json' inside 'echo "a red heart" | clip-tok | record-json | tee /dev/stderr | grep "\"text\":\"a red heart\""'
ok 'clip-embed and rank: each drawing of five has its label' inside '
    clip-embed examples/emoji/demo/{fish,house,pizza,key,red-heart}.png >photos.clip
    rank --labels examples/emoji/demo/labels.txt --columns id,label photos.clip | tee /dev/stderr |
        awk -F "\t" "{ sub(/.*\//, \"\", \$1); sub(/\.png\$/, \"\", \$1); gsub(/ /, \"-\", \$2); n += \$1 == \$2 } END { exit n != 5 }"'
# the decoder takes minutes under qemu
ok 'prior: an embedding of a picture for a sentence' inside 'echo "a red heart" | clip-tok | clip-embed | prior --steps 3 | record-json | tee /dev/stderr | grep image_embed'
ok 'the library: unclip-label' inside "$MAKE build-arm64/tests/unclip-label >/dev/null
    qemu-aarch64 build-arm64/tests/unclip-label examples/emoji house,fish,pizza examples/emoji/demo/fish.png | tee /dev/stderr | grep -w fish"
ok 'unit tests of the parsers, the kernels and the library' inside "$MAKE -j2 $(printf 'build-arm64/unit/%s ' $UNITS) >/dev/null
    UNDER=qemu-aarch64 tests/run build-arm64/tap $(printf 'build-arm64/unit/%s ' $UNITS)"
tail -n 1 "$log"
finish
