#!/usr/bin/env bats
# The scripts of examples/ on a whole tiny unCLIP of random weights: its CLIP has the tokenizer in the box.

bats_require_minimum_version 1.5.0

setup_file() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export ROOT BIN=${BIN:-$ROOT/build/bin} AID=${AID:-$ROOT/build/tests}
    export PATH=$BIN:$PATH UNCLIP_MODEL=$BATS_FILE_TMPDIR/model DEMO=$ROOT/examples/emoji/demo
    "$AID/make_karlo" -t -e 64 -d f32 "$UNCLIP_MODEL" >/dev/null
    "$AID/make_model" -d f32 -l split tiny "$UNCLIP_MODEL" >/dev/null
    cp -r "$ROOT/examples/emoji/tokenizer" "$UNCLIP_MODEL/"
}

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }

# Width and height of a PNG.
size() { od -An -tu1 -j16 -N8 "$1" | awk '{ print $3 * 256 + $4, $7 * 256 + $8 }'; }

@test "examples: a sentence to a picture" {
    "$ROOT/examples/text2im.sh" 'a red apple' out.png
    [ "$(size out.png)" = '32 32' ]
    image-out --read out.png | jq -e '.data.text == "a red apple"'
}

@test "examples: a sentence to an SVG file" {
    "$ROOT/examples/clipdraw.sh" -s 4 -i 2 -b 2 'a red apple' out.svg
    grep -c '<path d="M ' out.svg | grep -qx 4
    run -2 "$ROOT/examples/clipdraw.sh" 'a red apple'
}

@test "examples: twelve drawings, named by the CLIP" {
    [ -z "${SAN-}" ] || skip "not under a sanitizer: the model in the box takes minutes"
    run -0 --separate-stderr "$ROOT/examples/strokes.sh" -s 2 -i 1 out.jpg
    [ "${#lines[@]}" = 13 ]
    [[ "${lines[0]}" = "a banana"$'\t'*$'\t'0.* ]]
    [[ "${lines[12]}" = *" of 12 named rightly" ]]
    [ "$(head -c 2 out.jpg | od -An -tx1)" = ' ff d8' ]
    run -2 "$ROOT/examples/strokes.sh"
}

@test "examples: a sentence in the codes of a VQGAN" {
    "$AID"/make_vq -t gumbel vq >/dev/null
    "$ROOT/examples/vqganclip.sh" -i 2 -s 48x32 vq 'a red apple' out.png
    [ "$(size out.png)" = '48 32' ]
    "$ROOT/examples/vqganclip.sh" -i 1 -s 32 -p "$DEMO/key.png" vq 'a red apple' out.png
    [ "$(size out.png)" = '32 32' ]
    run -2 "$ROOT/examples/vqganclip.sh" 'a red apple' out.png
}

@test "examples: variations, an interpolation, a text difference, components" {
    "$ROOT/examples/variations.sh" "$DEMO/key.png" 2 0.5 v.png
    "$ROOT/examples/interpolate.sh" "$DEMO/key.png" "$DEMO/sun.png" 3 i.png
    "$ROOT/examples/textdiff.sh" "$DEMO/key.png" 'a key' 'a red key' 2 t.png
    COUNTS=2,5 OUT=p.png "$ROOT/examples/pca.sh" "$DEMO/key.png" "$DEMO"/[a-h]*.png
    for f in v i t p; do [ "$(size $f.png | cut -d' ' -f1)" -ge 64 ]; done
}

@test "examples: a typographic attack; ddim-invert does not take the plain file for an attacked picture" {
    clip-embed -V | grep -q FreeType || skip "built without FreeType"
    "$ROOT/examples/typographic.sh" "$DEMO/green-apple.png" iPod "$DEMO/labels.txt" a.png >out
    [ "$(cut -f1 out | uniq -c | sed 's/^ *//; s/ .*demo/ /')" = '3 /green-apple.png
3 /green-apple.png+iPod' ]
    [ "$(image-out --read a.png | wc -l)" -eq 12 ]
    clip-embed --overlay iPod "$DEMO/green-apple.png" >attacked
    run -1 --separate-stderr ddim-invert -o x attacked
    [ "$stderr" = "ddim-invert: attacked: record 1 ($DEMO/green-apple.png+iPod): no image, and its file lacks the text of --overlay: clip-embed --keep-image stores the picture" ]
    clip-embed --keep-image --overlay iPod "$DEMO/green-apple.png" | ddim-invert --steps 2 -o x
}

@test "examples: two edits of one picture" {
    SIDE=32 CANDIDATES=2 "$ROOT/examples/inpaint.sh" "$DEMO/house.png" e.png 16,0,16,16 'a yellow sun' 0,12,10,20 'a green tree'
    [ "$(image-out --read e.png | jq -c '[.data.text, (.data.params[] | select(.[0] == "decode64") | .[1].erase)]' | tr -d '\n')" = \
      '[null]["a yellow sun",[[16,0,16,16]]]["a green tree",[[0,12,10,20]]]' ]
}

@test "examples: the best of four for each of ten prompts, by what the pictures show" {
    for w in apple sun house fish key star tulip moon heart cat; do echo "a red $w"; done >prompts
    "$ROOT/examples/rerank-candidates.sh" prompts 4 'best-%d.png'
    [ "$(find . -name 'best-*.png' | wc -l)" -eq 10 ]
    # each is the one of its group that lies nearest to its own prompt
    clip-tok -f prompts | clip-embed | prior -n 4 --steps 4 | decode64 --steps 3 | upsample --steps 2 | clip-embed >all.clip
    rank -k 1 all.clip | record-json | jq -r '[.data.root, .data.rank] | @tsv' >got
    [ "$(cut -f1 got | sort -u | wc -l)" -eq 10 ]
    [ "$(cut -f2 got | sort -u)" = 1 ]
    rank -k 1 all.clip | record-json --arrays | jq -c '[.data.root, .data.cos]' | sort >best
    rank -k 4 all.clip | record-json --arrays | jq -s -c 'group_by(.data.root)[] | [.[0].data.root, (map(.data.cos) | max)]' | sort >most
    cmp best most
}
