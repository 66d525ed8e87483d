#!/bin/bash
# reproducible.sh: builds the programs and the library from two copies of the tree, in two directories, at two times, in two
# locales and time zones, with one job and with several, and compares every file that is built and installed.
#
# usage: tests/stress/reproducible.sh        (two full builds: some minutes)
#
# Prints "N passed, N failed": a file that is equal has passed.  A file that differs is named, and the first strings that differ are shown.
set -u
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
unset MAKEFLAGS MAKELEVEL MFLAGS

# build NAME TREE MAKE-OPTION...: also installs, to NAME.installed
build() {
    local name=$1 tree=$2

    shift 2
    mkdir -p "$tree"
    (cd "$top" && git ls-files -z | tar cf - --null -T -) | tar xf - -C "$tree"
    make -C "$tree" "$@" all >"$dir/log" 2>&1 && make -C "$tree" DESTDIR="$dir/$name.installed" install >>"$dir/log" 2>&1 ||
        { tail -n 20 "$dir/log"; echo '0 passed, 1 failed'; return 1; }
    mkdir "$dir/$name" && mv "$tree"/build/{bin,library,core.a} "$dir/$name.installed" "$dir/$name" && mv "$dir/$name/$name.installed" "$dir/$name/installed"
}

(umask 022 && TZ=UTC LC_ALL=C build one "$dir/src" -j1) || exit 1
(umask 002 && cd / && TZ=Asia/Tokyo LC_ALL=C.UTF-8 HOME=/nowhere build two "$dir/a longer/way to/it" -j3) || exit 1
passed=0 failed=0
while IFS= read -r f; do
    if cmp -s "$dir/one/$f" "$dir/two/$f"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "differs: $f"
        diff <(strings -n 4 "$dir/one/$f") <(strings -n 4 "$dir/two/$f" 2>/dev/null) | head -n 4 | cut -c1-150
    fi
    if grep -qaF "$dir" "$dir/one/$f"; then
        failed=$((failed + 1))
        echo "names the directory: $f"
    fi
done < <(cd "$dir/one" && find . -type f | LC_ALL=C sort)
[ "$(cd "$dir/one" && find . | LC_ALL=C sort)" = "$(cd "$dir/two" && find . | LC_ALL=C sort)" ] ||
    { failed=$((failed + 1)); echo 'the lists of files differ'; }
echo "$passed passed, $failed failed"
[ $failed = 0 ]
