#!/usr/bin/env bats
# examples/demo.sh on a whole tiny unCLIP of random weights: what it runs, prints and writes.

bats_require_minimum_version 1.5.0

setup_file() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export ROOT BIN=${BIN:-$ROOT/build/bin} AID=${AID:-$ROOT/build/tests}
    export UNCLIP_MODEL=$BATS_FILE_TMPDIR/model DEMO=$BATS_FILE_TMPDIR/demo
    "$AID/make_karlo" -t -e 64 -d f32 "$UNCLIP_MODEL" >/dev/null
    "$AID/make_model" -d f32 -l split tiny "$UNCLIP_MODEL" >/dev/null
    cp -r "$ROOT/examples/emoji/tokenizer" "$UNCLIP_MODEL/"
    "$ROOT/examples/demo.sh" >"$BATS_FILE_TMPDIR/said"
}

setup() { cd "$BATS_FILE_TMPDIR" || return 1; }

# Width and height of a PNG.
size() { od -An -tu1 -j16 -N8 "$1" | awk '{ print $3 * 256 + $4, $7 * 256 + $8 }'; }

@test "demo: four pictures of sentences, of variations, on two ways, two of one part, all on one sheet" {
    for s in text variations interpolation textdiff inpainting; do
        [ "$("${BIN}/record-json" "demo/$s.clip" | wc -l)" -eq "$([ $s = inpainting ] && echo 2 || echo 4)" ]
        [ -s "demo/$s.png" ]
    done
    [ "$("${BIN}/record-json" demo/candidates.clip | wc -l)" -eq 8 ]
    [ "$("${BIN}/image-out" --read demo/contact.png | wc -l)" -eq 18 ]
    [ "$(size demo/contact.png | cut -d' ' -f1)" -ge 192 ]
    [ "$("${BIN}/record-json" demo/text.clip | jq -r .data.text | cmp - demo/prompts.txt)" = "" ]
}

@test "demo: every command that it prints is on the page, with its pictures in it" {
    grep -c '^\$ ' said >printed
    [ "$(cat printed)" -ge 23 ]
    [ "$(grep -c '^<pre class="command">' demo/index.html)" -eq "$(cat printed)" ]
    [ "$(grep -c '<img ' demo/index.html)" -eq 8 ]
    run ! grep -E '(src|href)="([^d]|d[^a])' demo/index.html
    run ! grep -E 'https?:' demo/index.html
    # a picture on the page is the file
    sed -n 's/.*alt="contact.png" src="data:image\/png;base64,\([^"]*\)".*/\1/p' demo/index.html | base64 -d | cmp - demo/contact.png
}

@test "demo: classifies the folder" {
    [ "$(grep -c '^examples/emoji/demo/.*\.png	' said)" -eq 32 ]    # 26 labels, 3 and 3 ranked
}
