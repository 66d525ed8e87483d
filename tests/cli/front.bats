#!/usr/bin/env bats
# unclip, the front program: it lists the programs, shows their pages, runs one, and searches folders.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export PATH=${BIN:-$ROOT/build/bin}:$PATH UNCLIP_MODEL=box XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache
    cd "$BATS_TEST_TMPDIR" || return 1
}

@test "unclip: lists every program with what it does" {
    unclip >list
    unclip help >again
    cmp list again
    for page in "$ROOT"/man/*.1; do
        name=$(basename "$page" .1)
        [ "$name" = unclip ] || grep -qE "^  $name +$(sed -n 's/^\.Nd //p' "$page")$" list
    done
}

@test "unclip: help shows the page of this tree, or of this installation" {
    mkdir bin
    printf '#!/bin/sh\necho "$@"\n' >bin/man
    chmod +x bin/man
    PATH=$PWD/bin:$PATH
    [ "$(realpath "$(unclip help rank)")" = "$ROOT/man/rank.1" ]
    [ "$(realpath "$(unclip help overview)")" = "$ROOT/man/unclip.7" ]
    [ "$(realpath "$(unclip help records)")" = "$ROOT/man/unclip.5" ]
    mkdir -p usr/bin usr/share/man/man1 usr/share/man/man7 bare
    cp "$(command -v unclip)" usr/bin
    cp "$(command -v unclip)" bare
    touch usr/share/man/man1/rank.1 usr/share/man/man7/unclip.7
    [ "$(realpath "$(usr/bin/unclip help rank)")" = "$PWD/usr/share/man/man1/rank.1" ]
    [ "$(realpath "$(usr/bin/unclip help overview)")" = "$PWD/usr/share/man/man7/unclip.7" ]
    [ "$(bare/unclip help rank)" = '1 rank' ]
    run -2 --separate-stderr unclip help rnak
    [ "$stderr" = "unclip: no program 'rnak'; did you mean rank? ('unclip' lists the programs)" ]
}

@test "unclip: runs a program with its arguments and its status" {
    [ "$(unclip clip-tok --ids 'a cat')" = "$(clip-tok --ids 'a cat')" ]
    run -2 --separate-stderr unclip rank --no-such
    [ "${stderr_lines[0]}" = "rank: unknown option '--no-such'" ]
    run -2 --separate-stderr unclip clip-embde x.png
    [ "$stderr" = "unclip: no program 'clip-embde'; did you mean clip-embed? ('unclip' lists the programs)" ]
    run -2 --separate-stderr unclip nothing
    [ "$stderr" = "unclip: no program 'nothing' ('unclip' lists the programs)" ]
}

@test "unclip: search embeds what is new and prints the best" {
    mkdir -p p/sub
    cp "$ROOT"/examples/emoji/demo/{fish,star,red-heart}.png p
    cp "$ROOT"/examples/emoji/demo/house.png "p/sub/my house.PNG"
    cp "$ROOT"/examples/emoji/demo/labels.txt p
    run -0 --separate-stderr unclip search -k 2 'a red heart' p
    [ "$stderr" = "" ]
    [ "${#lines[@]}" = 2 ]
    [ "$(cut -f2 <<<"${lines[0]}")" = "$PWD/p/red-heart.png" ]
    want=$(clip-embed "$PWD/p/red-heart.png" | rank --text 'a red heart' --tsv | cut -f2)
    [ "$(cut -f1 <<<"${lines[0]}")" = "$(printf %.4f "$want")" ]
    index=$(echo cache/unclip/search/*.clip)
    [ "$(record-json "$index" | wc -l)" = 4 ]
    # a new picture is added to the same index; a picture that is gone is removed from it
    cp "$ROOT"/examples/emoji/demo/tulip.png p/sub
    rm p/red-heart.png
    run -0 --separate-stderr unclip search 'a red heart' "$PWD/p/"
    [ "$stderr" = "" ]
    [ "${#lines[@]}" = 4 ]
    [ "$(echo cache/unclip/search/*.clip)" = "$index" ]
    [ "$(record-json "$index" | wc -l)" = 4 ]
    [[ "$output" != *red-heart* ]]
    [[ "$output" = *"$PWD/p/sub/my house.PNG"* ]]
    # a picture whose record is there twice is shown once
    cp "$index" twice
    cat twice >>"$index"
    [ "$(unclip search 'a red heart' p | wc -l)" = 4 ]
    mv twice "$index"
    # another model has an index of its own, under whatever name of its directory
    (cd "$ROOT" && XDG_CACHE_HOME=$OLDPWD/other unclip search -m examples/emoji 'a red heart' "$OLDPWD/p" >/dev/null)
    XDG_CACHE_HOME=$PWD/other unclip search -m "$ROOT/examples/emoji/" 'a red heart' p >/dev/null
    [ "$(echo other/unclip/search/*.clip | wc -w)" = 1 ]
    unclip search -m "$ROOT/examples/emoji" 'a red heart' p >/dev/null
    [ "$(echo cache/unclip/search/*.clip | wc -w)" = 2 ]
    # a page with the pictures that are there
    printf '#!/bin/sh\necho "$1" >opened\n' >xdg-open
    chmod +x xdg-open
    PATH=$PWD:$PATH unclip search -k 3 --open 'a red heart' p >/dev/null
    page=${index%clip}html
    [ "$(realpath "$(cat opened)")" = "$PWD/$page" ]
    [ "$(grep -c '<figure>' "$page")" = 3 ]
    unclip search -k 1 --html page.html 'a tulip' p >out
    grep -q "href=\"file://$(cut -f2 out)\"" page.html
    # a picture that cannot be read is named
    echo not a picture >p/bad.jpg
    run -1 --separate-stderr unclip search 'a red heart' p
    [[ "$stderr" = "clip-embed: $PWD/p/bad.jpg: "* ]]
    [ "${#lines[@]}" = 4 ]
}

@test "unclip: search finds pictures of every ending, with tabs in their names and paths that are longer than an id" {
    long=p/$(printf 'd%.0s' {1..150})/$(printf 'e%.0s' {1..150})
    mkdir -p "$long"
    cp "$ROOT/examples/emoji/demo/star.png" "$long/star.png"
    cp "$ROOT/examples/emoji/demo/fish.png" "$long/a	tab.png"
    cp "$ROOT/tests/golden/images/rgb.bmp" "$ROOT/tests/golden/images/palette.gif" p
    echo no picture >p/notes.txt
    run -0 --separate-stderr unclip search -k 9 'a star' p
    [ "${#lines[@]}" = 4 ]
    [ "$(cut -f 2- <<<"${lines[0]}")" = "$PWD/$long/star.png" ]
    [[ "$output" == *"/palette.gif"* && "$output" == *"/rgb.bmp"* && "$output" == *'tab.png'* ]]
    [ "$(unclip search -k 9 'a star' p)" = "$output" ]
}

@test "unclip: search names a folder that it may not read, and prints the rest" {
    [ "$(id -u)" != 0 ] || skip "root may read everything"
    mkdir -p p/closed
    cp "$ROOT/examples/emoji/demo/star.png" p
    chmod 0 p/closed
    run -1 --separate-stderr unclip search 'a star' p
    chmod 755 p/closed
    [ "$stderr" = "unclip: $PWD/p/closed: Permission denied" ]
    [ "${#lines[@]}" = 1 ]
}

@test "unclip: search without a browser prints each result once; an image-out that ends early is status 2" {
    mkdir p bin
    cp "$ROOT"/examples/emoji/demo/{fish,star}.png p
    run -0 --separate-stderr env PATH="$BIN" unclip search --open 'a star' p
    [ "${#lines[@]}" = 2 ]
    [ "${stderr_lines[0]}" = "unclip: --open: xdg-open is not installed (Debian: apt-get install xdg-utils); the page is $(echo "$PWD"/cache/unclip/search/*.html)" ]
    cp "$BIN/unclip" bin
    ln -s "$(cd "$BIN" && pwd)"/{rank,clip-embed} bin
    printf '#!/bin/sh\nexec <&-\necho no >&2\nexit 2\n' >bin/image-out
    chmod +x bin/image-out
    UNCLIP_MODEL=$ROOT/examples/emoji run -2 --separate-stderr bin/unclip search --html page.html 'a star' p
    [ "${#lines[@]}" = 2 ]
    [ "$stderr" = no ]
}

@test "unclip: the options of search do nothing elsewhere, and are refused there" {
    for o in '-k 3' '-m box' '--html x' --open -q; do
        # shellcheck disable=SC2086
        run -2 unclip $o
        [[ "$output" = "unclip: --"*" is for search" ]]
    done
    [ ! -e x ]
}

@test "unclip: search refuses what cannot be, and says what to do" {
    mkdir -p empty photos
    run -2 --separate-stderr unclip search 'a dog'
    [ "$stderr" = "unclip: search: a text and a folder are wanted, as in: unclip search 'a dog' ~/photos" ]
    run -2 --separate-stderr unclip search 'a dog' phtoos
    [ "$stderr" = "unclip: phtoos: No such file or directory; did you mean photos?" ]
    run -2 --separate-stderr unclip search 'a dog' "$ROOT/README.md"
    [ "$stderr" = "unclip: $ROOT/README.md: not a folder" ]
    run -2 --separate-stderr unclip search 'a dog' empty
    [ "$stderr" = "unclip: empty: no pictures in it" ]
    XDG_CACHE_HOME='' HOME='' run -2 --separate-stderr unclip search 'a dog' empty
    [ "$stderr" = 'unclip: neither $XDG_CACHE_HOME nor $HOME names a directory for the index' ]
    cp "$ROOT"/examples/emoji/demo/star.png photos
    for f in "$PWD"/photos/*; do
        run -2 --separate-stderr unclip search --html "$f" 'a dog' photos
        [ "$stderr" = "unclip: $f: a picture, which a page does not replace" ]
    done
    cmp photos/star.png "$ROOT/examples/emoji/demo/star.png"
    [ -z "$(find . -name '*.clip' -size +0)" ]
    run -2 --separate-stderr unclip search -m gone 'a dog' photos
    [ "$stderr" = "clip-embed: no image tower in gone (no such file or directory); 'unclip help overview' names models and what they hold" ]
}
