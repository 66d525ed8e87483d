#!/bin/bash
# package.sh: builds the Debian packages in a bare chroot of Debian 12 as an ordinary user, examines them with lintian, installs
# them in a second bare chroot, uses what they installed, and removes them.
#
# usage: tests/stress/package.sh [DIR]        (as root, with debootstrap and a Debian mirror in reach; about ten minutes)
#
# What is used: each program's -V and -h, the three commands of README's first screen, the demo, the examples in C and in Python
# on the installed libunclip-dev, and the ten jobs of jobs.sh with python3 and sqlite3, as root and as an ordinary user.
#
# DIR is kept: its bare chroot is used again by the next run, and it then holds the packages, lintian's output in lintian.txt
# and the demo.  Without DIR all is done in a temporary directory.  MIRROR is the first of apt's own sources unless it is set.
# Prints "N passed, N failed".
# shellcheck source=tests/stress/chroot.sh
. "$(dirname "$0")/chroot.sh"
log=$dir/log

leave() {
    for c in build place; do if mountpoint -q "$dir/$c/proc"; then umount "$dir/$c/proc"; fi; done
    if [ "$kept" ]; then rm -rf "$dir/build" "$dir/place"; else rm -rf "$dir"; fi
}
trap leave EXIT

# a fresh chroot with /proc, in which programs find where they lie
fresh() {
    rm -rf "${dir:?}/$1" && cp -a "$dir/bare" "$dir/$1" && mount -t proc proc "$dir/$1/proc"
    echo "deb $MIRROR bookworm main" >"$dir/$1/etc/apt/sources.list"
    echo force-unsafe-io >"$dir/$1/etc/dpkg/dpkg.cfg.d/quick"
    chroot "$dir/$1" apt-get -q update
    chroot "$dir/$1" useradd -m -u 1000 -s /bin/bash user
}
# in_build USER COMMAND, in_place USER COMMAND: a command line of bash, in /home/user, or in /root
in_build() { chroot "$dir/build" su -l "$1" -c "export LC_ALL=C; $2"; }
in_place() { chroot "$dir/place" su -l "$1" -c "export LC_ALL=C; $2"; }
get() { chroot "$dir/$1" apt-get -q -y install --no-install-recommends "${@:2}"; }
if [ ! -e "$dir/bare/etc/debian_version" ]; then
    rm -rf "$dir/bare"
    debootstrap --variant=minbase bookworm "$dir/bare" "$MIRROR" >"$log" 2>&1 || { tail "$log"; failed=1; finish; }
fi

# ---- the packages ----

copy() { (cd "$top" && git ls-files -z | tar cf - --null -T -) | tar xf - -C "$dir/$1/home/user/unclip" && chroot "$dir/$1" chown -R user: /home/user; }
tools() {
    fresh build && get build build-essential lintian && mkdir "$dir/build/home/user/unclip" && copy build &&
        chroot "$dir/build" sh -c 'cd /home/user/unclip && apt-get -q -y build-dep --no-install-recommends ./'
}
examine() {
    in_build user 'lintian -EI --pedantic --tag-display-limit 0 unclip_*.changes' >"$dir/lintian.txt" 2>&1
    cat "$dir/lintian.txt"
    [ ! -s "$dir/lintian.txt" ]
}
ok 'what the packages need to build is installed' tools || finish
ok 'dpkg-buildpackage -us -uc -b, as an ordinary user' in_build user 'cd unclip && dpkg-buildpackage -us -uc -b' || finish
rm -f "$dir"/*.deb
cp "$dir"/build/home/user/*.deb "$dir"
ok 'four packages and their debug information' test "$(cd "$dir" && echo *.deb | sed 's/_[^ ]*//g')" = \
    'libunclip-dev libunclip0-dbgsym libunclip0 unclip-dbgsym unclip-models unclip'
ok 'lintian -EI --pedantic says nothing' examine
ok 'debian/rules clean leaves the tree as it was' in_build user 'cd unclip && debian/rules clean && [ ! -e build ] && [ ! -e debian/unclip ]'

# ---- the programs, in a system that has nothing else ----

each() {
    in_place user 'n=0; for p in $(dpkg -L unclip | grep "^/usr/bin/"); do
        $p -V </dev/null | grep "0\.[0-9]" && $p -h | grep -q "^usage\|man\|help" || exit 1; n=$((n + 1)); done; [ $n -ge 15 ]'
}
screen() {
    sed -n '/^## In two minutes/,/^## A CLIP/s/^    //p' "$top/README.md" | grep -E '^(unclip|clip-embed|echo) ' >"$dir/place/home/user/screen.sh"
    in_place user 'export UNCLIP_MODEL=box; mkdir examples; ln -s /usr/share/unclip/emoji examples/emoji; bash -eux -o pipefail screen.sh &&
        unclip search -k 1 "a red heart" examples/emoji/demo | grep red-heart && [ "$(head -c 4 heart.png | tail -c 3)" = PNG ]'
}
demo() {
    in_place user 'cd unclip && BIN=/usr/bin DEMO=/home/user/demo sh examples/demo.sh' && cp -r "$dir/place/home/user/demo" "$dir"
}
whole() { ! grep 'is left out' "$1"; }
removed() {
    local left

    in_place root 'apt-get -q -y purge --autoremove unclip unclip-models libunclip0 libunclip-dev' || return 1
    # a directory in which another package has files stays
    left=$(cd "$dir/place" && while read -r f; do
        if [ -f ".$f" ] || [ -L ".$f" ] || { [ -d ".$f" ] && [ -z "$(ls -A ".$f")" ]; }; then echo "$f"; fi; done <"$dir/new")
    left+=$(cd "$dir/place" && find . -xdev -iname '*unclip*' | grep -vE '^./(home|root|tmp|proc|var/cache/apt)(/|$)')
    [ -z "$left" ] || { echo "left: $left"; return 1; }
}

packages='unclip unclip-models libunclip0 libunclip-dev'
ok 'a bare chroot' fresh place || finish
mkdir "$dir/place/home/user/unclip" && copy place
cp "$dir"/*.deb "$dir/place/tmp"
(cd "$dir/place" && find . -xdev | sed 's/^\.//') | sort >"$dir/before"
ok 'unclip and unclip-models install' get place "/tmp/$(cd "$dir" && echo unclip_*.deb)" "/tmp/$(cd "$dir" && echo unclip-models_*.deb)" || finish
ok 'each program says its version and its options' each
ok "README's first screen, as a user" screen
ok 'completions for bash load' in_place user 'bash -c ". /usr/share/bash-completion/completions/clip-embed && complete -p clip-embed"'
ok 'libunclip0 and libunclip-dev install' get place "/tmp/$(cd "$dir" && echo libunclip0_*.deb)" "/tmp/$(cd "$dir" && echo libunclip-dev_*.deb)" \
    gcc libc6-dev pkg-config python3 sqlite3 || finish
ok 'the example in C' in_place user 'D=/usr/share/doc/libunclip-dev/examples; cc -o label $D/unclip-label.c $(pkg-config --cflags --libs unclip) &&
    ./label "$(pkg-config --variable=box unclip)" house,fish,pizza /usr/share/unclip/emoji/demo/fish.png | tee /dev/stderr | grep -w fish'
ok 'the example in Python' in_place user 'python3 /usr/share/doc/libunclip-dev/examples/unclip_lib.py /usr/share/unclip/emoji "a red heart" heart.ppm &&
    [ "$(head -c 2 heart.ppm)" = P6 ]'
# The lists of dpkg: what is new.  Python's cache of a module that the examples import is not a part of a package.
in_place user "dpkg -L $packages" | grep . | sort -u | comm -13 "$dir/before" - >"$dir/new"
ok 'the demo' demo
for u in root user; do
    ok "the ten jobs, as $u" in_place $u 'BIN=/usr/bin bash /home/user/unclip/tests/stress/jobs.sh'
    cp "$log" "$dir/jobs.$u"
    tail -n 1 "$dir/jobs.$u"
    ok 'no part of a job was left out' whole "$dir/jobs.$u"
done
ok 'purge leaves nothing' removed
finish
