#!/bin/bash
# dockerfile.sh: does the steps of the Dockerfile in chroots of Debian 12, each RUN line as it stands there, for machines without
# Docker: FROM is a fresh chroot (with dpkg's settings of the image debian:12-slim), COPY is cp, and the two commands of the
# Dockerfile's comment are run as docker run would run them.
#
# usage: tests/stress/dockerfile.sh [DIR]        (as root, with debootstrap and a Debian mirror in reach; about ten minutes)
#
# DIR is kept; its chroot "bare" is used again by the next run (package.sh makes the same).  Without DIR all is done in a
# temporary directory.  MIRROR is the first of apt's own sources unless it is set.  Prints "N passed, N failed".
# shellcheck source=tests/stress/chroot.sh
. "$(dirname "$0")/chroot.sh"
unset LC_ALL LANG
export HOME=/root    # as in a container
stages=0 place='' work=/ log=$dir/docker.log

unmount() { for n in 1 2; do if mountpoint -q "$dir/stage$n/proc"; then umount "$dir/stage$n/proc"; fi; done; }
leave() {
    unmount
    if [ "$kept" ]; then rm -rf "$dir/stage1" "$dir/stage2" "$dir/context"; else rm -rf "$dir"; fi
}
trap leave EXIT

# step NAME COMMAND...: the next steps need each one
step() { ok "$@" || finish; }
from() {
    stages=$((stages + 1)) place=$dir/stage$stages work=/
    rm -rf "$place" && cp -a "$dir/bare" "$place" && mount -t proc proc "$place/proc" || return 1
    printf 'path-exclude /usr/share/%s/*\n' doc man info locale groff linda lintian >"$place/etc/dpkg/dpkg.cfg.d/docker"
    printf 'path-include /usr/share/doc/*/copyright\nforce-unsafe-io\n' >>"$place/etc/dpkg/dpkg.cfg.d/docker"
}
inside() { chroot "$place" sh -c "cd '$work' && $1"; }
copy() {
    local from=$dir/context to=${*: -1} f

    case $1 in --from=*) from=$dir/stage1; shift ;; esac
    case $to in /*) to=$place$to ;; *) to=$place$work/$to ;; esac
    case $to in */) mkdir -p "$to" ;; esac
    set -- "${@:1:$#-1}"
    # shellcheck disable=SC2086
    for f; do (cd "$from" && cp -a ./$f "$to") || return 1; done
}

if [ ! -e "$dir/bare/etc/debian_version" ]; then
    rm -rf "$dir/bare"
    step 'a bare chroot' debootstrap --variant=minbase bookworm "$dir/bare" "$MIRROR"
fi
rm -rf "$dir/context" && mkdir "$dir/context" && (cd "$top" && git ls-files -z | tar cf - --null -T -) | tar xf - -C "$dir/context"
while read -r word rest; do
    case $word in
    FROM) step "$word $rest" from ;;
    RUN) step "$word $rest" inside "$rest" ;;
    WORKDIR) work=$rest && mkdir -p "$place$work" ;;
    COPY) read -ra names <<<"$rest" && step "$word $rest" copy "${names[@]}" ;;
    ENTRYPOINT) [ "$rest" = '["unclip"]' ] || { echo "not ok - $word $rest"; exit 1; } ;;
    *) echo "not ok - dockerfile.sh does not know $word"; exit 1 ;;
    esac
done < <(sed -e :a -e '/\\$/{N; s/\\\n *//; ta' -e '}' -e '/^#/d; /^$/d' "$top/Dockerfile")
cp -r "$top/examples/emoji/demo/jpeg" "$place/data/photos"
cp "$top/examples/emoji/demo/labels.txt" "$place/data"
work=/data/photos
step "unclip search 'a red heart' ." inside 'unclip search -k 1 "a red heart" . | tee /dev/stderr | grep red-heart'
work=/data
step 'clip-embed photos/*.jpg | rank --labels labels.txt --tsv' \
    inside 'clip-embed photos/*.jpg | rank --labels labels.txt --tsv | tee /dev/stderr | grep -w "photos/fish.jpg	fish"'
cat "$dir/docker.log"
echo "$passed passed, $failed failed"
