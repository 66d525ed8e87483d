#!/usr/bin/env bats
# Packed weights that are kept: where, when not, and that no byte depends on it.

bats_require_minimum_version 1.5.0

setup() {
    BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
    EMOJI=$BATS_TEST_DIRNAME/../../examples/emoji
    G=$BATS_TEST_DIRNAME/../golden/karlo
    PATH=$BIN:$PATH
    unset UNCLIP_CACHE XDG_CACHE_HOME
    export HOME=$BATS_TEST_TMPDIR/home UNCLIP_MODEL=$EMOJI
    mkdir "$HOME"
    cd "$BATS_TEST_TMPDIR" || return 1
    clip-tok 'a red apple' >apple.tok
    clip-embed -h | grep -q -- --cache
    clip-embed -V | grep -qE '^kernels:.* (avx2|avx512) ' || skip "no kernel that packs on this machine"
}

files() { find "$1" -type f | wc -l; }

# Is there a file of this network in c?
has() { [ -n "$(find c -name "$1.*.packed")" ]; }

@test "cache: in ~/.cache/unclip, in XDG_CACHE_HOME, in UNCLIP_CACHE, in --cache, or nowhere" {
    clip-embed <apple.tok >want
    [ "$(files home/.cache/unclip)" -eq 1 ]
    XDG_CACHE_HOME=$PWD/xdg clip-embed <apple.tok | cmp - want
    [ "$(files xdg/unclip)" -eq 1 ]
    UNCLIP_CACHE=env XDG_CACHE_HOME=$PWD/xdg2 clip-embed <apple.tok | cmp - want
    [ "$(files env)" -eq 1 ]
    UNCLIP_CACHE=env2 clip-embed --cache=opt <apple.tok | cmp - want
    [ "$(files opt)" -eq 1 ]
    [ ! -e xdg2 ]
    [ ! -e env2 ]
    rm -r home/.cache
    clip-embed --cache=none <apple.tok | cmp - want
    UNCLIP_CACHE=none clip-embed <apple.tok | cmp - want
    XDG_CACHE_HOME=relative HOME='' clip-embed <apple.tok | cmp - want
    [ ! -e home/.cache ] && [ ! -e none ] && [ ! -e relative ]
}

@test "cache: kept at the first start, found at the second, said with -v only" {
    run --separate-stderr clip-embed -v --precision f32 --cache=c -o one.clip <apple.tok
    [ "$status" -eq 0 ]
    [[ $stderr == *"clip-embed: cache: text: packed anew ("*".packed: No such file or directory), kept"* ]]
    run --separate-stderr clip-embed -v --precision f32 --cache=c -o two.clip <apple.tok
    [ "$status" -eq 0 ]
    [[ $stderr == *"clip-embed: cache: text: "*" MiB found in text."*".packed"* ]]
    run --separate-stderr clip-embed --precision f32 --cache=c -o three.clip <apple.tok
    [ "$status" -eq 0 ]
    [ -z "$stderr" ]
    cmp one.clip two.clip
    cmp one.clip three.clip
}

@test "cache: what cannot be kept or found changes nothing, and nothing is said" {
    clip-embed --cache=none <apple.tok >want
    echo text >plain
    for c in /nonexistent/a/b plain /dev/null /proc; do
        run --separate-stderr clip-embed --cache="$c" -o got <apple.tok
        [ "$status" -eq 0 ]
        [ -z "$stderr" ]
        cmp got want
    done
    mkdir open && chmod 777 open
    clip-embed --cache=open <apple.tok | cmp - want
    [ "$(files open)" -eq 0 ]
    (ulimit -f 64; clip-embed --cache=full <apple.tok | cmp - want)
    [ "$(files full)" -eq 0 ]
    clip-embed --cache=bad <apple.tok | cmp - want
    for f in bad/*; do head -c 5000 "$f" >short; cp short "$f"; done
    clip-embed --cache=bad <apple.tok | cmp - want
    clip-embed -v --cache=bad 2>&1 >/dev/null <apple.tok | grep -q "MiB found in"
}

@test "cache: pictures, texts and labels: the same bytes with it and without" {
    for p in f32 bf16; do
        clip-embed --cache=none --precision $p "$EMOJI"/demo/*.png >want || skip "no $p here"
        for _ in 1 2 3; do clip-embed --cache=c --precision $p "$EMOJI"/demo/*.png | cmp - want; done
        rank --cache=none --precision $p --labels "$EMOJI/demo/labels.txt" --tsv want >want.tsv
        for _ in 1 2; do rank --cache=c --precision $p --labels "$EMOJI/demo/labels.txt" --tsv want | cmp - want.tsv; done
    done
    has image && has text
}

# chain PRECISION CACHE: noise of a picture, prior, decoder, upsampler
chain() {
    prior --cache="$2" --precision "$1" "$U" --steps 2 "$G/text.clip" | decode64 --cache="$2" --precision "$1" "$U" --steps 2 |
        tee 64.clip | upsample --cache="$2" --precision "$1" --steps 2
    ddim-invert --cache="$2" --precision "$1" "$U" --steps 2 64.clip
}

@test "cache: prior, decode64, upsample, ddim-invert: the same bytes with it and without" {
    export UNCLIP_MODEL=$G
    U=--uncond=$G/empty.clip
    chain f32 none >want
    for _ in 1 2 3; do chain f32 "$PWD/c" | cmp - want; done
    has decoder && has super_res_first && has super_res_last
    decode64 -v --cache=c --precision f32 "$U" --steps 2 64.clip 2>&1 >/dev/null | grep -q "cache: decoder: .* found in decoder"
}

@test "cache: a kernel that packs nothing keeps nothing" {
    clip-embed --cache=c --kernel c <apple.tok >/dev/null
    [ ! -e c ]
}

@test "cache: eight starts at once, the same bytes" {
    clip-embed --cache=none <apple.tok >want
    for i in 1 2 3 4 5 6 7 8; do clip-embed --cache=c -j 1 <apple.tok >"got$i" & done
    wait
    for i in 1 2 3 4 5 6 7 8; do cmp "got$i" want; done
    [ "$(files c)" -eq 1 ]
}
