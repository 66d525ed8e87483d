#!/usr/bin/env bats
# The commands of README and of the pages without a test file of their own, as they stand there.  Those that cannot run
# here are skipped, with the reason.

bats_require_minimum_version 1.5.0

setup() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export PATH=${BIN:-$ROOT/build/bin}:$PATH UNCLIP_MODEL=box
    cd "$BATS_TEST_TMPDIR" || return 1
    ln -s "$ROOT/examples" examples
}

# With a sanitizer the model in the box draws for more than a quarter of an hour.
not_sanitized() {
    [ -z "${SAN-}" ] || skip "not under a sanitizer: tests/cli/unclip.bats runs these programs on a tiny model"
}

# The literal blocks under EXAMPLES, without those that need a Karlo, a GLIDE or a VQGAN.
blocks() {
    sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/{/^\.Bd/,/^\.Ed/{/^\.Bd/d;p}}' "$1" |
        awk '/^\.Ed/ { if (b !~ /karlo|glide|vqgan_/) printf "%s", b; b = ""; next } { b = b $0 "\n" }'
}

@test "docs: the examples of unclip(7)" {
    not_sanitized
    blocks "$ROOT/man/unclip.7" >run.sh
    [ "$(wc -l <run.sh)" -ge 8 ]
    sh -eu run.sh >out
    [ "$(cut -f1 out | grep -c '\.png$')" -eq 32 ]    # 26 labels, 3 best, 1, 1, 1
}

# recipe N [PROGRAM]: runs the Nth block under RECIPES of unclip(7), next to the index pictures.clip that the first makes.
# Its output is in the file out.  Where PROGRAM is not installed the test is skipped.
recipe() {
    sed -n '/^\.Sh RECIPES/,/^\.Sh EXAMPLES/p' "$ROOT/man/unclip.7" |
        awk '/^\.Bd/ { n++; on = 1; next } /^\.Ed/ { on = 0 } on { gsub(/\\e/, "\\"); print > ("recipe." n) }'
    [ "$(compgen -G 'recipe.*' | wc -l)" -eq 11 ]
    [ -z "${2-}" ] || grep -q "^ *$2\|[|] $2 " "recipe.$1"
    [ -z "${2-}" ] || command -v "$2" >/dev/null || skip "$2 is not installed"
    if [ "$1" != 1 ]; then bash -eu recipe.1; fi
    bash -eu -o pipefail "recipe.$1" >out
}

@test "docs: the recipe of unclip(7) for an index" {
    recipe 1
    [ "$(record-json pictures.clip | wc -l)" -eq 32 ]
}

@test "docs: the recipe for a search" {
    recipe 2
    grep -q "href=.*red-heart.png" hits.html
}

@test "docs: the recipe for near-duplicates" {
    recipe 3
    grep -q 'demo/fish.png	examples/emoji/demo/jpeg/fish.jpg' out
}

@test "docs: the recipe that sorts into folders" {
    recipe 4
    cmp "sorted/red heart/red-heart.png" examples/emoji/demo/red-heart.png
    cmp sorted/fish/fish.jpg examples/emoji/demo/jpeg/fish.jpg
}

@test "docs: the recipe for Python" {
    recipe 5 python3
    grep -qx '(32, 32)' out
}

@test "docs: the recipe for Node" {
    recipe 6 node
    [ "$(grep -c ' 256$' out)" -eq 32 ]
}

@test "docs: the recipe for SQLite" {
    recipe 7 sqlite3
    [ "$(awk -F '|' '{ n += $2 } END { print n }' out)" -eq 32 ]
}

@test "docs: the recipe for pgvector, without the server: psql is replaced by cat" {
    mkdir bin
    printf '#!/bin/bash\necho "$@"\nexec cat\n' >bin/psql
    chmod +x bin/psql
    PATH=$PWD/bin:$PATH recipe 8 psql
    [ "$(head -n 1 out)" = '-c \copy pictures (path, embedding) from stdin' ]
    sed -n 2p out | grep -qE '^examples/emoji/demo/automobile.png	\[-?[0-9.e-]+,'
    [ "$(wc -l <out)" -eq 33 ]
}

@test "docs: the recipe for Parquet" {
    recipe 9 duckdb
    [ "$(head -c 4 pictures.parquet)" = PAR1 ]
}

@test "docs: the recipes for many machines, by ssh and by Slurm" {
    skip "they need sshd and slurmd: make check-cluster runs them"
}

# Each block of these pages that no test of this file runs, with the reason.
@test "docs: the examples that need a published model" {
    for p in clip-draw.1 ddim-invert.1 decode64.1 embed-mix.1 image-out.1 prior.1 probe.1 unclip.7 upsample.1; do
        sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/{/^\.Bd/,/^\.Ed/{/^\.Bd/d;p}}' "$ROOT/man/$p" |
            awk -v p="${p%.*}(${p#*.})" '/^\.Ed/ { if (match(b, /karlo[^ \n]*|glide[^ \n]*|vqgan_[^ \n]*/)) print p ": " substr(b, RSTART, RLENGTH); b = ""; next }
                { b = b $0 "\n" }'
    done >left
    grep -q '^probe --head' "$ROOT/man/probe.1"
    echo 'probe(1): a published head' >>left
    skip "$(paste -s -d, left | sed 's/,/, /g'); the tests of these programs run such commands on tiny models"
}

@test "docs: the examples of embed-mix(1)" {
    blocks "$ROOT/man/embed-mix.1" >run.sh
    sh -eu run.sh >out
    [ "$(wc -l <out)" -eq 5 ]
    head -1 out | grep -q '^examples/emoji/demo/red-heart.png#0	1	'
}

@test "docs: the examples of prior(1), decode64(1), upsample(1) and ddim-invert(1)" {
    not_sanitized
    for p in prior decode64 upsample ddim-invert; do blocks "$ROOT/man/$p.1"; done >run.sh
    [ "$(wc -l <run.sh)" -ge 9 ]
    sh -eu run.sh
    cat apple.clip fish.clip fishes.clip door.clip prior.clip text.clip caption.clip | record-json --info >info
    grep -qx 'records	9' info
    grep -qx 'field	image	9	.*' info
}

@test "docs: the examples of clip-draw(1), with fewer iterations" {
    not_sanitized
    blocks "$ROOT/man/clip-draw.1" | sed 's/ --iterations [1-9][0-9]*//; s/ clip-draw / clip-draw --iterations 2 /' >run.sh
    [ "$(grep -c 'clip-draw --iterations 2 ' run.sh)" -eq 3 ]
    sh -eu run.sh
    grep -c '<path d="M ' heart.svg | grep -qx 256
    image-out --read starfish.png | jq -e '.data.params[-1][1].init == "examples/emoji/demo/fish.png"'
}

@test "docs: the examples of image-out(1)" {
    blocks "$ROOT/man/image-out.1" >run.sh
    [ "$(wc -l <run.sh)" -ge 6 ]
    sh -eu run.sh >out
    grep -q '"id":"examples/emoji/demo/fish.png"' out
    [ -s labels.jpg ]
    [ "$(ls ./*-small.png | wc -l)" -eq 26 ]
}

@test "docs: the examples of probe(1), without the head" {
    blocks "$ROOT/man/probe.1" | grep -v '^probe --head' >run.sh
    [ "$(wc -l <run.sh)" -ge 4 ]
    mkdir -p birds/food birds/sky new
    for d in banana green-apple pizza ice-cream mushroom; do cp "$ROOT/examples/emoji/demo/$d.png" "birds/food/$d.jpg"; done
    for d in sun star crescent-moon balloon umbrella; do cp "$ROOT/examples/emoji/demo/$d.png" "birds/sky/$d.jpg"; done
    cp birds/food/pizza.jpg birds/sky/sun.jpg new
    sh -eu run.sh >out
    [ "$(grep -c '^new/pizza.jpg	food	' out)" -eq 2 ]
    [ "$(grep -c '^new/sun.jpg	sky	' out)" -eq 2 ]
}

@test "docs: the three commands of README's first screen, and what the first prints" {
    not_sanitized
    sed -n '/^## In two minutes/,/^## A CLIP/p' "$ROOT/README.md" >screen
    sed -n 's/^    //p' screen | grep -E '^(unclip|clip-embed|echo) ' >run.sh
    [ "$(wc -l <run.sh)" -eq 3 ]
    XDG_CACHE_HOME=$PWD sh -eu run.sh >out
    head -n 3 out | sed "s|$ROOT/|.../|" | diff - <(sed -n 's/^    \(0\.\)/\1/p' screen)
    grep -q '^examples/emoji/demo/fish.png	fish	' out
    image-out --read heart.png | jq -e '.data.text == "a red heart"'
}

@test "docs: README's commands with a CLIP of the Hugging Face cache" {
    hub=home/.cache/huggingface/hub/models--openai--clip-vit-base-patch32
    mkdir -p $hub/refs $hub/snapshots photos
    "${AID:-$ROOT/build/tests}/make_model" -d f32 -l hf tiny $hub/snapshots/abc >/dev/null
    cp "$ROOT"/examples/emoji/tokenizer/* $hub/snapshots/abc
    printf abc >$hub/refs/main
    cp "$ROOT"/examples/emoji/demo/jpeg/*.jpg photos
    sed -n '/^## A CLIP/,/^| model/s/^    //p' "$ROOT/README.md" | sed '/^hf download/d' >run.sh
    [ "$(wc -l <run.sh)" -eq 4 ]
    sed -n '/^## What it does/,/^| program/s/^    //p' "$ROOT/README.md" | grep photos >>run.sh
    [ "$(wc -l <run.sh)" -eq 6 ]
    unset UNCLIP_MODEL HF_HOME HF_HUB_CACHE XDG_CACHE_HOME
    HOME=$PWD/home UNCLIP_CACHE=none sh -eu run.sh >out 2>said
    cat said
    [ ! -s said ]
    [ "$(grep -c 'photos/fish.jpg' out)" -eq 3 ]
}

@test "docs: README's commands" {
    not_sanitized
    sed -n '/^## What it does/,/^| program/s/^    //p' "$ROOT/README.md" | grep -v photos >run.sh
    [ "$(wc -l <run.sh)" -ge 3 ]
    sed -n '/^## Text to picture/,/^## Models/s/^    //p' "$ROOT/README.md" | grep -v 'karlo\|dalle\|typographic.sh\|inpaint.sh' >>run.sh
    # the heart is drawn in the test of the first screen, and 250 iterations take half a minute
    sed -i '/heart.png$/d; s/ clip-draw / clip-draw --iterations 10 /' run.sh
    clip-embed -V | grep -q FreeType || { sed -i '/--overlay/d' run.sh; echo '# without FreeType: the commands with --overlay are left out' >&3; }
    [ "$(grep -c 'probe' run.sh)" -eq 2 ]
    mkdir -p birds/food birds/sky new
    for d in banana green-apple pizza ice-cream mushroom; do cp "$ROOT/examples/emoji/demo/$d.png" "birds/food/$d.jpg"; done
    for d in sun star crescent-moon balloon umbrella; do cp "$ROOT/examples/emoji/demo/$d.png" "birds/sky/$d.jpg"; done
    cp birds/food/pizza.jpg birds/sky/sun.jpg new
    sh -eu run.sh >out
    grep -q '^new/pizza.jpg	food	' out
    grep -q '^new/sun.jpg	sky	' out
    rm -r birds new
    grep -q '<path ' fish.svg
    [ "$(image-out --read mushrooms.png | wc -l)" -eq 4 ]
    [ "$(image-out --read scoops.png | wc -l)" -eq 4 ]
    grep -q '^examples/emoji/demo/red-heart.png	red heart	' out
    grep -q '^\[\|^  *[0-9]' out    # the tokens
}

@test "docs: README's commands that need a published model, or minutes" {
    skip 'karlo-v1-alpha, dalle_bart_mini: unclip.bats and dalle.bats run such pipes on tiny models; typographic.sh, inpaint.sh: examples.bats runs them on small pictures'
}

@test "docs: README lists what make deps installs" {
    "$ROOT/.ci/needs" -l build image check lint >deps
    [ "$(wc -l <deps)" -ge 20 ]
    while read -r p; do grep -qw -- "$p" "$ROOT/README.md" || { echo "$p"; false; }; done <deps
}

@test "docs: what is missing is named, and nothing but make deps installs it" {
    mkdir path
    printf '#!/bin/sh\nexit 1\n' >path/pkg-config
    printf '#!/bin/sh\necho "$*" >>apt.log\n' >path/apt-get
    printf '#!/bin/sh\necho 0\n' >path/id
    chmod +x path/*
    unset MAKEFLAGS MAKELEVEL MFLAGS
    for t in all demo check lint; do
        PATH=$PWD/path:$PATH run -2 make -C "$ROOT" B="$PWD/build" "$t"
        grep -q '^missing: .*jansson' <<<"$output"
        grep -q '^Debian.*apt-get install .*libjansson-dev' <<<"$output"
        grep -q '^Fedora.* jansson-devel' <<<"$output"
        [ ! -e apt.log ]
        [ ! -e "$ROOT/apt.log" ]
    done
    PATH=$PWD/path:$PATH run -1 "$ROOT/.ci/needs" -i build    # still missing afterwards: not a success
    grep -q '^install\|install .*libjansson-dev' apt.log
}

@test "docs: the files that ARCHITECTURE, CONTRIBUTING and README name exist" {
    cd "$ROOT" || return 1
    # `lib/text/bpe` stands for bpe.c or bpe.h; NAME, MACHINE for any name; build and demo are made
    grep -ohE '`(lib|formats|tools|tests|bench|man|examples|\.ci)/[A-Za-z0-9_./*-]*' ARCHITECTURE.md CONTRIBUTING.md README.md |
        tr -d '`' | grep -v NAME | sort -u >"$BATS_TEST_TMPDIR/paths"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/paths")" -ge 60 ]
    missing=
    while read -r p; do
        compgen -G "$p" >/dev/null || compgen -G "${p%.}.[ch]" >/dev/null || missing="$missing $p"
    done <"$BATS_TEST_TMPDIR/paths"
    [ -z "$missing" ] || { echo "missing:$missing"; false; }
}

@test "docs: make vocab says what it needs" {
    mkdir path
    printf '#!/bin/sh\nexit 1\n' >path/python3
    chmod +x path/python3
    export XDG_DATA_HOME=$PWD/data
    PATH=$PWD/path:$PATH run -1 --separate-stderr "$ROOT/.ci/vocab"
    [ "${stderr_lines[0]}" = "vocab: Python's pip is missing: install it (Debian: apt-get install python3-pip)," ]
    [ "${stderr_lines[1]}" = "or copy clip/bpe_simple_vocab_16e6.txt.gz out of the repository openai/CLIP to $PWD/data/unclip" ]
    [ ! -e data ]
}
