#!/usr/bin/env bats
# decode64 --clip-guidance: a tiny GLIDE (make_glide), the tiny noised CLIP of tests/golden/glide and the tokenizer of the model in the
# box.  The text encoder gets more rows, so that it knows the ids of that tokenizer.  With --clip-guidance-on x0, the model in the box.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    mkdir glide
    "$AID/make_glide" -t glide base
    cp "$BATS_TEST_DIRNAME/../golden/glide/vocab.bpe" "$BATS_TEST_DIRNAME/../golden/glide/clip_image_enc.safetensors" glide
    python3 - "$BATS_TEST_DIRNAME/../golden/glide/clip_text_enc.safetensors" glide/clip_text_enc.safetensors <<'P'
import json, struct, sys
b = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", b[:8])[0]
head, data, name, rows = json.loads(b[8:8 + n]), b[8 + n:], "blocks.input.w_voc", 8192
old = head[name]["data_offsets"]
have, width = head[name]["shape"]
table = data[old[0]:old[1]]
table = (table * (rows // have + 1))[:rows * width * 4]
body = data[:old[0]] + data[old[1]:]
for t in head.values():
    if t["data_offsets"][0] > old[0]:
        t["data_offsets"] = [x - len(data[old[0]:old[1]]) for x in t["data_offsets"]]
head[name] = {"dtype": "F32", "shape": [rows, width], "data_offsets": [len(body), len(body) + len(table)]}
j = json.dumps(head).encode()
open(sys.argv[2], "wb").write(struct.pack("<Q", len(j)) + j + body + table)
P
    printf 'a red cat\na blue dog\n' >texts
    UNCLIP_MODEL=glide "$BIN/clip-tok" -m glide -f texts >texts.clip
}

setup() {
    PATH=$BIN:$PATH
    F=$BATS_FILE_TMPDIR
    BOX=$BATS_TEST_DIRNAME/../../examples/emoji
    cd "$BATS_TEST_TMPDIR" || return
}

decode() {
    decode64 -m "$F/glide" -m "$BOX" --steps 4 "$@" "$F/texts.clip"
}

# A tensor of tests/golden/glide/seeded_edit, as bytes.
golden() {
    python3 - "$BATS_TEST_DIRNAME/../golden/glide/seeded_edit.safetensors" "$1" <<'P'
import json, struct, sys
b = open(sys.argv[1], "rb").read()
n = struct.unpack("<Q", b[:8])[0]
at = json.loads(b[8:8 + n])[sys.argv[2]]["data_offsets"]
sys.stdout.buffer.write(b[8 + n + at[0]:8 + n + at[1]])
P
}

# How many bytes of two files differ, and how many by more than 1.
off() {
    paste <(od -An -v -tu1 -w1 "$1") <(od -An -v -tu1 -w1 "$2") |
        awk '$1 != $2 { n++ } $1 - $2 > 1 || $2 - $1 > 1 { far++ } END { print n + 0, far + 0 }'
}

# The pictures alone.
pictures() {
    record-json "$1" | jq -c .data.image
}

@test "the picture follows the text, and params say so" {
    decode -g 1 >plain.clip
    decode --clip-guidance 3 >guided.clip
    decode --clip-guidance 3 --ddim >ddim.clip
    [ "$(record-json guided.clip | jq -c '.data.params[-1][1] | [.clip_guidance, .guidance, (.clip_guidance_model | length)]')" = '[3,1,16]
[3,1,16]' ]
    [ "$(record-json plain.clip | jq -c '.data.params[-1][1].clip_guidance')" = 'null
null' ]
    [ "$(pictures plain.clip)" != "$(pictures guided.clip)" ]
    [ "$(pictures ddim.clip)" != "$(pictures guided.clip)" ]
    decode -g 2 --clip-guidance 3 >both.clip
    [ "$(record-json both.clip | jq -c '.data.params[-1][1].guidance' | head -1)" = 2 ]
    [ "$(pictures both.clip)" != "$(pictures guided.clip)" ]
}

@test "a scale of 0 changes nothing" {
    decode >plain.clip
    decode --clip-guidance 0 >zero.clip
    cmp plain.clip zero.clip
}

@test "the same bytes for any number of threads and any batch" {
    decode --clip-guidance 3 -n 3 -j 1 >a
    decode --clip-guidance 3 -n 3 -j 4 >b
    cmp a b
    decode --clip-guidance 3 >one
    [ "$(pictures a | sed -n '1p;4p')" = "$(pictures one)" ]
}

@test "glide_text2im's guided picture from the same seed: --rng torch" {
    golden guided_u8 >want
    UNCLIP_MODEL=$F/glide clip-tok 'an oil painting of a corgi' >corgi.clip
    decode64 -m "$F/glide" -m "$BOX" --clip-guidance 3 -n 2 --rng torch --seed 7 --steps 5 --precision f32 corgi.clip >s.clip
    mkdir ppm
    image-out -o ppm/%d.ppm s.clip
    for f in ppm/*.ppm; do tail -n +4 "$f"; done >got
    [ "$(wc -c <want)" -eq 1536 ]
    # AVX2, BLIS and C give the very bytes; another draw or another CLIP would change nearly all of them
    run -0 off got want
    [ "${output% *}" -le 4 ] && [ "${output#* }" -eq 0 ] || { echo "$output"; return 1; }
}

@test "what is missing is named" {
    mkdir half
    cp "$F/glide/base.safetensors" "$F/glide/vocab.bpe" half
    run -2 decode64 -m half -m "$BOX" --clip-guidance 3 "$F/texts.clip"
    [[ $output == *'noised CLIP (clip_image_enc and clip_text_enc)'* ]] || { echo "$output"; return 1; }
    cp "$F/glide/clip_image_enc.safetensors" half
    cp "$F/glide/clip_image_enc.safetensors" half/clip_text_enc.safetensors
    run -2 decode64 -m half -m "$BOX" --clip-guidance 3 "$F/texts.clip"
    [ "$output" = 'decode64: half/clip_text_enc.safetensors: not the text encoder of a noised CLIP' ] || { echo "$output"; return 1; }
    run -2 decode64 -m "$BOX" -m "$F/glide" --clip-guidance 3 "$F/texts.clip"
    [[ $output == *'pictures of 16, the decoder makes pictures of '* ]] || { echo "$output"; return 1; }
    run -2 decode64 -m half --clip-guidance -1 "$F/texts.clip"
}

@test "a plain CLIP at the predicted pictures: GLIDE" {
    x0=(--clip-guidance 30 --clip-guidance-on x0 --cutouts 2)
    decode -g 1 >plain.clip
    decode -g 1 "${x0[@]}" >guided.clip
    decode -g 1 "${x0[@]}" --ddim >ddim.clip
    [ "$(record-json guided.clip | jq -c '.data.params[-1][1] | [.clip_guidance, .clip_guidance_on, .cutouts, .guidance, (.clip_guidance_model | length)]' | head -1)" = '[30,"x0",2,1,16]' ]
    [ "$(pictures plain.clip)" != "$(pictures guided.clip)" ]
    [ "$(pictures ddim.clip)" != "$(pictures guided.clip)" ]
    decode "${x0[@]}" | record-json - | jq -c '.data.params[-1][1].guidance' | head -1 | grep -qx 3    # the decoder's own
    decode -g 1 "${x0[@]}" -n 2 -j 1 >a
    decode -g 1 "${x0[@]}" -n 2 -j 3 >b
    cmp a b
    [ "$(pictures a | sed -n '1p;3p')" = "$(pictures guided.clip)" ]
    decode -g 1 "${x0[@]}" --cutouts 3 >a
    [ "$(pictures a)" != "$(pictures guided.clip)" ]
}

@test "a plain CLIP at the predicted pictures: an unCLIP decoder, with text, without, and with what is known" {
    [ -z "${SAN-}" ] || skip "not under a sanitizer: the model in the box takes minutes"
    export UNCLIP_MODEL=box
    echo 'a fish' | clip-tok | clip-embed | prior --steps 2 >fish.clip
    x0=(--steps 6 --clip-guidance 30 --clip-guidance-on x0)
    decode64 --steps 6 fish.clip >plain
    decode64 "${x0[@]}" fish.clip >guided
    decode64 "${x0[@]}" --eta 0.5 fish.clip >ddim
    decode64 "${x0[@]}" --no-text fish.clip >no-text
    [ "$(for f in plain guided ddim no-text; do pictures $f; done | sort -u | wc -l)" -eq 4 ]
    [ "$(record-json guided | jq -c '.data.params[-1][1] | [.guidance, .cutouts]')" = '[8,8]' ]
    # what is known stays
    image-out -o fish.png plain
    decode64 "${x0[@]}" --source fish.png --erase 0,0,20,64 fish.clip >half
    [ "$(cat half plain | record-json - --arrays | jq -c '.data.image | [.[][][20:]] | flatten' | jq -s '. as [$a, $b] | [range($a | length) | $a[.] - $b[.] | fabs] | max < 0.01')" = true ]
    decode64 "${x0[@]}" --skip-from guided fish.clip | wc -c | grep -qx 0
    decode64 "${x0[@]}" --cutouts 2 --skip-from guided fish.clip | record-json - | wc -l | grep -qx 1
}

@test "options of a guidance that is not asked for" {
    run -2 decode64 -m "$F/glide" --clip-guidance-on x0 "$F/texts.clip"
    [ "$output" = 'decode64: --clip-guidance-on is for --clip-guidance' ]
    run -2 decode64 -m "$F/glide" -m "$BOX" --clip-guidance 3 --cutouts 4 "$F/texts.clip"
    [ "$output" = 'decode64: --cutouts is for --clip-guidance-on=x0' ]
    mkdir bare
    cp "$F/glide/base.safetensors" "$F/glide/vocab.bpe" bare
    run -2 decode64 -m bare --clip-guidance 3 --clip-guidance-on x0 "$F/texts.clip"
    [[ $output == *"image tower"* ]] || { echo "$output"; return 1; }
}
