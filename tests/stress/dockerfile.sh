#!/bin/bash
# dockerfile.sh: does the steps of the Dockerfile in chroots of Debian 12, each RUN line as it stands there, for machines without
# Docker: FROM is a fresh chroot (with dpkg's settings of the image debian:12-slim), COPY is cp, and the two commands of the
# Dockerfile's comment are run as docker run would run them.
#
# usage: tests/stress/dockerfile.sh [DIR]        (as root, with debootstrap and a Debian mirror in reach; about ten minutes)
#
# DIR is kept; its chroot "bare" is used again by the next run (package.sh makes the same).  Without DIR all is done in a
# temporary directory.  MIRROR is http://deb.debian.org/debian unless it is set.  Prints "N passed, N failed".
set -u
MIRROR=${MIRROR:-http://deb.debian.org/debian}
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=${1:-$(mktemp -d)}
mkdir -p "$dir" && dir=$(cd "$dir" && pwd) || exit 2
[ "$(id -u)" = 0 ] || { echo 'dockerfile.sh: it makes chroots, which needs root' >&2; exit 2; }
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive
unset UNCLIP_MODEL XDG_CACHE_HOME LC_ALL LANG
export HOME=/root    # as in a container
stages=0 passed=0 failed=0 place='' work=/

unmount() { for n in 1 2; do if mountpoint -q "$dir/stage$n/proc"; then umount "$dir/stage$n/proc"; fi; done; }
leave() {
    unmount
    if [ "${kept:-}" ]; then rm -rf "$dir/stage1" "$dir/stage2" "$dir/context"; else rm -rf "$dir"; fi
}
[ $# = 0 ] || kept=yes
trap leave EXIT

# step NAME COMMAND...
step() {
    local name=$1

    shift
    if "$@" >"$dir/docker.log" 2>&1 </dev/null; then
        passed=$((passed + 1))
        echo "ok - $name"
        return
    fi
    tail -n 30 "$dir/docker.log" | cut -c1-200 | sed 's/^/# /'
    echo "not ok - $name"
    echo "$passed passed, $((failed + 1)) failed"
    exit 1
}
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
