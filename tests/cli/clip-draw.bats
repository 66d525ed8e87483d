#!/usr/bin/env bats
# clip-draw with the model in the box, a few iterations each.

bats_require_minimum_version 1.5.0

setup() {
    BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
    AID=${AID:-$BATS_TEST_DIRNAME/../../build/tests}
    ROOT=$BATS_TEST_DIRNAME/../..
    PATH=$BIN:$PATH
    export UNCLIP_MODEL=box
    cd "$BATS_TEST_TMPDIR" || return 1
    cp "$ROOT"/examples/emoji/demo/fish.png .
    echo 'a red heart' | clip-tok | clip-embed >in.clip
    few=(--size 32 --strokes 6 --iterations 2)
}

# With a sanitizer the gradient of the CLIP in the box takes seconds for each iteration.
not_sanitized() {
    [ -z "${SAN-}" ] || skip "not under a sanitizer: the other tests run this code"
}

# Fields of all records, as JSON.
field() { record-json --arrays "$1" | jq -c "$2"; }

@test "clip-draw: a text becomes a picture and an SVG file" {
    clip-draw --size 40x24 --strokes 6 --iterations 2 in.clip >o.clip
    [ "$(field o.clip '[.id, (.data.image | length), (.data.image[0] | length), (.data.image[0][0] | length)]')" = '["a red heart",3,24,40]' ]
    [ "$(field o.clip '.data.image | flatten | (min >= -1 and max <= 1)')" = true ]
    [ "$(field o.clip '.data.cos | . > -1 and . < 1')" = true ]
    [ "$(field o.clip '.data.params[-1] | .[0], (.[1] | del(.version, .kernel))' | tr '\n' ' ')" = '"clip-draw" {"precision":"f32","seed":0,"rng":"unclip","canvas":"strokes","size":[40,24],"strokes":6,"iterations":2,"lr":1,"augment":"draw","cutouts":4,"loss":"cosine","best_of":1} ' ]
    image-out -o 'h.svg' o.clip
    image-out --format=svg <o.clip | cmp - h.svg
    image-out --svg <o.clip | cmp - h.svg
    image-out --svg -o '%d' o.clip
    cmp 1 h.svg
    grep -c '<path d="M ' h.svg | grep -qx 6
    grep -q 'viewBox="0 0 40 24"' h.svg
    grep -q '<title>a red heart</title>' h.svg
    python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' h.svg
    image-out -o h.png o.clip
    image-out --read h.png | jq -e '.data.svg == null' >/dev/null
    clip-draw --u8 "${few[@]}" in.clip | record-json --info | grep -qx 'field	image	1	u8\[32,32,3\]'
}

@test "clip-draw: the same bytes for any threads, passes, order of records and shards" {
    not_sanitized
    { cat in.clip; echo 'a fish' | clip-tok | clip-embed; echo 'a star' | clip-tok | clip-embed; } >three.clip
    for o in '--canvas=strokes --strokes=6' '--canvas=pixels --augment=cutout' '--canvas=fourier --augment=none'; do
        # shellcheck disable=SC2086
        clip-draw -j 1 $o --size 80 --iterations 2 three.clip >one
        # shellcheck disable=SC2086
        clip-draw -j 3 $o --size 80 --iterations 2 --memory 8 three.clip >two
        cmp one two
    done
    clip-draw "${few[@]}" three.clip >one
    for i in 1 2; do clip-draw "${few[@]}" --shard=$i/2 three.clip; done >two
    [ "$(record-json one | sort)" = "$(record-json two | sort)" ]
    clip-draw "${few[@]}" -n 2 in.clip >two
    [ "$(field two '[.id, .data.root, .data.sample]')" = '["a red heart#0","a red heart",[0]]
["a red heart#1","a red heart",[1]]' ]
    [ "$(field two '.data.image' | head -1)" = "$(field one '.data.image' | head -1)" ]
    [ "$(field two '.data.image' | head -1)" != "$(field two '.data.image' | tail -1)" ]
    clip-draw "${few[@]}" -s 3 in.clip >two
    [ "$(field two .data.image)" != "$(field one .data.image | head -1)" ]
}

@test "clip-draw: the loss falls, and the best start is kept" {
    not_sanitized
    clip-draw --progress=json --size 64 --strokes 40 --iterations 12 in.clip 2>log >o.clip
    grep step log | jq -s -e '(.[0].loss > .[-1].loss) and .[-1].step == 12 and .[-1].steps == 12' >/dev/null
    clip-draw "${few[@]}" --best-of 3 in.clip >best
    clip-draw "${few[@]}" in.clip >one
    [ "$(cat one best | field - .data.cos | jq -s '.[0] <= .[1]')" = true ]
    # the score is what clip-embed and rank say of the picture
    clip-embed --only=image <o.clip | rank --text 'a red heart' -k 1 >ranked
    [ "$(cat o.clip ranked | field - .data.cos | jq -s '.[0] - .[1] | fabs < 0.003')" = true ]
}

@test "clip-draw: pictures on the way, what to begin with, what to draw, what to avoid" {
    clip-draw "${few[@]}" --iterations 5 --every 2 in.clip >o.clip
    [ "$(field o.clip '[.data.step, (.data.params[-1][1].step == .data.step), (.data.svg | length > 0)]' | tr '\n' ' ')" = '[2,true,true] [4,true,true] [null,true,true] ' ]
    for c in pixels fourier; do
        clip-draw --canvas $c --size 64 --init fish.png --iterations 1 --lr 1e-6 in.clip >o.clip
        image-out -o o.png o.clip
        clip-embed o.png fish.png | field - .data.image_embed | jq -s '. as [$a, $b] |
            ([range(256) | $a[.] * $b[.]] | add) / ([$a[] | . * .] | add | sqrt) / ([$b[] | . * .] | add | sqrt) > 0.9' | grep -qx true
    done
    clip-draw "${few[@]}" --target fish.png in.clip >a
    clip-draw "${few[@]}" --negative in.clip in.clip >b
    clip-draw "${few[@]}" in.clip >c
    [ "$(cat a b c | field - .data.image | sort -u | wc -l)" = 3 ]
    [ "$(cat a b | field - '.data.params[-1][1] | [.target, .negative]' | tr '\n' ' ')" = '["fish.png",null] [null,"in.clip"] ' ]
    clip-embed fish.png | clip-draw "${few[@]}" >image.clip
    [ "$(field image.clip '.data.cos | . > -1 and . < 1')" = true ]
    record-json in.clip | jq -c 'del(.data.text_embed)' | record-json --from-json | clip-draw "${few[@]}" --target fish.png >target.clip
    [ "$(field target.clip .id)" = '"a red heart"' ]
    clip-draw "${few[@]}" --no-normalize --loss spherical in.clip | field - '.data.params[-1][1] | [.normalize, .loss]' | grep -qx '\[false,"spherical"\]'
}

@test "clip-draw: --every has memory for every canvas" {
    not_sanitized
    clip-draw --canvas pixels --size 2800 --augment none --iterations 2 --every 1 in.clip | record-json --info | grep -x 'field	image	2	f32.3,2800,2800.'
}

@test "clip-draw: what describes an earlier picture goes, and cos is of the result" {
    load earlier
    record-json in.clip | jq -c "$earlier" | record-json --from-json >stale.clip
    clip-draw --canvas pixels --size 32 --iterations 2 --every 1 stale.clip >o.clip
    [ "$(left <o.clip)" = '"step label score theta"
"image"
"cos label score theta"
"image"' ]
    [ "$(field o.clip .data.step | head -1)" = 1 ]
    [ "$(field o.clip .data.cos | tail -1)" != 0.5 ]
}

@test "clip-draw: a VQGAN's latents" {
    "$AID"/make_vq -t f16-1024 vq >/dev/null
    "$AID"/make_vq -t detoker detoker >/dev/null
    "$AID"/make_vq -t dvae dvae >/dev/null
    draw=(clip-draw --canvas vqgan --cutouts 3)
    "${draw[@]}" --vq vq --size 50x35 --iterations 4 in.clip >o.clip
    [ "$(field o.clip '.data.params[-1] | .[0], (.[1] | del(.version, .kernel))' | tr '\n' ' ')" = '"clip-draw" {"precision":"f32","seed":0,"rng":"unclip","canvas":"vqgan","size":[48,32],"iterations":4,"lr":0.1,"augment":"pooled","cutouts":3,"loss":"spherical","best_of":1} ' ]
    [ "$(field o.clip '[(.data.image | length), (.data.image[0] | length), (.data.image[0][0] | length), .data.svg, (.data.model.image | length)]')" = '[3,32,48,null,33]' ]
    few=("${draw[@]}" --vq vq --size 32 --iterations 2)
    "${few[@]}" --target fish.png in.clip | field - '.data.image | length' | grep -qx 3
    ln -s "$ROOT"/examples/emoji other
    "${few[@]}" -m box -m other in.clip | field - '.data.model.image | length' | grep -qx 50
    run -2 "${draw[@]}" -m box -m other in.clip
    [ "$output" = "clip-draw: --canvas=vqgan: with several -m, which are CLIPs, --vq says where the VQGAN is" ]
    run -2 clip-draw --vq vq in.clip
    [ "$output" = "clip-draw: --vq is for --canvas=vqgan" ]
    run -2 "${few[@]}" --strokes 5 in.clip
    [ "$output" = "clip-draw: --strokes is for --canvas=strokes" ]
    run -2 "${draw[@]}" --vq vq --size 64x15 in.clip
    [ "$output" = "clip-draw: a canvas of 64 x 15 pixels is too small: the VQGAN makes 16 x 16 of each code" ]
    run -2 "${draw[@]}" --vq dvae in.clip
    [ "$output" = "clip-draw: dvae/decoder.safetensors: a dVAE decoder has no codebook of latents: a VQGAN is needed" ]
    run -2 "${draw[@]}" --vq detoker --init fish.png in.clip
    [ "$output" = "clip-draw: no encoder of pictures to tokens in detoker (model.safetensors: a decoder without its encoder); 'unclip help overview' names models and what they hold" ]
    run -2 "${few[@]}" --init none.png in.clip
    [ "$output" = "clip-draw: none.png: No such file or directory" ]
}

@test "clip-draw: a VQGAN's latents: threads, passes, starts, targets" {
    not_sanitized
    for v in f16-1024 dwt detoker gumbel; do "$AID"/make_vq -t $v $v >/dev/null; done
    mv f16-1024 vq
    draw=(clip-draw --canvas vqgan --cutouts 3)
    "${draw[@]}" --vq vq --size 50x35 --iterations 4 in.clip >o.clip
    for v in vq dwt detoker; do    # the same bytes for any threads, and if blocks are computed again
        "${draw[@]}" --vq $v --size 64 --iterations 2 -j 1 in.clip >one
        "${draw[@]}" --vq $v --size 64 --iterations 2 -j 3 --memory 3 in.clip >two
        cmp <(field one .data.image) <(field two .data.image)
    done
    UNCLIP_MODEL=vq:box "${draw[@]}" --size 48x32 --iterations 4 in.clip >two    # both in the model's paths
    cmp <(field o.clip .data) <(field two .data)
    clip-draw --canvas vqgan --vq gumbel --size 96 --iterations 24 --lr 0.2 --augment none --progress=json in.clip 2>log >/dev/null
    grep step log | jq -s -e '.[0].loss > ([.[-8:][].loss] | max)' >/dev/null
    "${draw[@]}" --vq vq --iterations 1 in.clip | field - '.data.image[0] | length' | grep -qx 256
    # a start that is a picture: what the autoencoder itself makes of it
    "${draw[@]}" --vq vq --size 64 --iterations 1 --lr 1e-6 --init fish.png in.clip >o.clip
    vq -m vq --side 64 fish.png | vq -d -m vq --precision f32 >ref.clip
    [ "$(cat o.clip ref.clip | field - '.data.image | flatten' | jq -s '. as [$a, $b] | [range($a | length) | $a[.] - $b[.] | fabs] | max < 1e-5')" = true ]
    "${draw[@]}" --vq vq --size 32 --iterations 5 --every 2 in.clip | field - '[.data.step, .data.params[-1][1].step == .data.step]' >log
    [ "$(tr '\n' ' ' <log)" = '[2,true] [4,true] [null,true] ' ]
    few=("${draw[@]}" --vq vq --size 32 --iterations 2 --lr 3)    # so that codes change at once
    "${few[@]}" --target fish.png in.clip >a
    echo 'a fish' | clip-tok | clip-embed >fish.clip
    "${few[@]}" --negative fish.clip in.clip >b
    "${few[@]}" -s 1 in.clip >c
    "${few[@]}" in.clip >d
    [ "$(cat a b c d | field - .data.image | sort -u | wc -l)" = 4 ]
    "${few[@]}" --best-of 3 in.clip >best
    [ "$(cat best d | field - .data.cos | jq -s '.[0] >= .[1]')" = true ]
}

@test "clip-draw: several CLIPs, each with its own vector of the text" {
    ln -s "$ROOT"/examples/emoji other
    clip-draw "${few[@]}" -m "$ROOT"/examples/emoji -m other in.clip >o.clip
    [ "$(field o.clip '.data.model.image | length')" = 33 ]
    record-json in.clip | jq -c '.data.model.text_embed = "0123456789abcdef"' | record-json --from-json >foreign.clip
    clip-draw "${few[@]}" foreign.clip >a    # its text is embedded again
    clip-draw "${few[@]}" in.clip >b
    [ "$(field a .data.cos)" = "$(field b .data.cos)" ]
    record-json foreign.clip | jq -c 'del(.data.text)' | record-json --from-json >foreign2.clip
    run -1 --separate-stderr clip-draw "${few[@]}" foreign2.clip -o x.clip
    [[ $stderr == "clip-draw: foreign2.clip: record 1 (a red heart): its vector is of model 0123456789abcdef, the CLIP that draws is "*", and it has no text" ]]
}

@test "clip-draw: what fails is named, the rest is done" {
    record-json in.clip | jq -c '.id = "none" | del(.data.text_embed)' | record-json --from-json >a.clip
    record-json --arrays in.clip | jq -c '.id = "short" | .data.text_embed = [1, 2]' | record-json --from-json >b.clip
    cat a.clip b.clip in.clip >all.clip
    head -c 100 in.clip >>all.clip
    run -1 --separate-stderr clip-draw "${few[@]}" --keep-errors -o o.clip all.clip
    [ "${stderr_lines[0]}" = "clip-draw: all.clip: record 1 (none): neither text_embed nor image_embed (clip-embed makes them)" ]
    [[ ${stderr_lines[1]} == "clip-draw: all.clip: record 2 (short): "* ]]
    [[ ${stderr_lines[2]} == "clip-draw: all.clip: record 4 at byte "*": cut short: the stream ends inside it" ]]
    [ "$(field o.clip '[.id, .data.error != null]' | tr '\n' ' ')" = '["none",true] ["short",true] ["a red heart",false] ' ]
    run -1 --separate-stderr clip-draw "${few[@]}" --embed=image in.clip -o x.clip
    [ "${stderr_lines[0]}" = "clip-draw: in.clip: record 1 (a red heart): no image_embed (clip-embed makes it of a picture, prior of a text)" ]
    record-json in.clip | jq -c '.data.text_embed."$nd".data |= gsub("[A-Za-z0-9+/]"; "A")' | record-json --from-json >zero.clip
    run -1 --separate-stderr clip-draw "${few[@]}" zero.clip -o x.clip
    [ "${stderr_lines[0]}" = "clip-draw: zero.clip: record 1 (a red heart): a vector of length 0 is nothing to draw" ]
    run -2 clip-draw --strokes 3 --canvas pixels in.clip
    [ "$output" = "clip-draw: --strokes is for --canvas=strokes" ]
    run -2 clip-draw --cutouts 8 --augment none in.clip
    [ "$output" = "clip-draw: --cutouts is for random views" ]
    run -2 clip-draw --init fish.png in.clip
    [ "$output" = "clip-draw: --init is for --canvas=pixels, --canvas=fourier and --canvas=vqgan" ]
    for s in 0 5000 3x x3 3x4x5 -1 ''; do
        run -2 clip-draw --size="$s" in.clip
        [ "$output" = "clip-draw: --size: '$s' is neither N nor WxH, from 1 to 4096" ]
    done
    run -2 clip-draw --rng torch in.clip
    [ "$output" = "clip-draw: --rng torch: strokes and views come from unclip's generator" ]
    run -2 clip-draw --target none.png in.clip
    [ "$output" = "clip-draw: none.png: No such file or directory" ]
    run -2 clip-draw --canvas pixels --init none.png in.clip
    [ "$output" = "clip-draw: none.png: No such file or directory" ]
    run -2 clip-draw --negative a.clip in.clip
    [ "$output" = "clip-draw: a.clip: record 1: neither text_embed nor image_embed (clip-embed makes them)" ]
    run -2 clip-draw -o in.clip in.clip
    [ "$output" = "clip-draw: in.clip: input file is output file" ]
    run -2 clip-draw --cutouts 256 --iterations 65535 in.clip
    [ "$output" = "clip-draw: --cutouts times --iterations is more than 1048576" ]
    run -1 --separate-stderr sh -c 'image-out -o x.svg <in.clip'
    [ "${stderr_lines[0]}" = "image-out: -: record 1 (a red heart): no svg (clip-draw makes it of strokes)" ]
    for o in '--sheet -o x.svg' '--sheet --svg -o x'; do
        # shellcheck disable=SC2086
        run -2 image-out $o in.clip
        [ "$output" = "image-out: --sheet: an SVG file has no pixels" ]
    done
    run -2 image-out --svg --format png -o x in.clip
    [ "$output" = "image-out: --svg: --format names another format" ]
    run -2 image-out --svg --html x in.clip
    [ "$output" = "image-out: --svg is for files" ]
}

@test "clip-draw: what is there already is skipped, a full disk is told" {
    { cat in.clip; echo 'a star' | clip-tok | clip-embed; } >two.clip
    clip-draw "${few[@]}" in.clip -o o.clip
    clip-draw "${few[@]}" two.clip >all
    clip-draw "${few[@]}" --skip-from o.clip -o o.clip two.clip
    cmp o.clip all
    head -c -100 all >part.clip
    cp part.clip o.clip
    run -0 --separate-stderr clip-draw "${few[@]}" --skip-from o.clip -o o.clip two.clip
    cmp o.clip all
    clip-draw "${few[@]}" --skip-from all --strokes 7 two.clip | field - .id | wc -l | grep -qx 2
    clip-draw "${few[@]}" --skip-from all --u8 two.clip | field - .id | wc -l | grep -qx 2
    [ -w /dev/full ] || skip "no /dev/full"
    run -2 sh -c "clip-draw --size 32 --strokes 6 --iterations 2 in.clip >/dev/full"
    [ "$output" = "clip-draw: write error: No space left on device" ]
}

@test "clip-draw: a run that was interrupted between two pictures of --every goes on with the second" {
    first() { python3 -c 'import sys; b = sys.stdin.buffer.read(); s = b"\x83\xa6unclip\x01"; sys.stdout.buffer.write(s + b.split(s)[1])'; }
    draw=(clip-draw "${few[@]}" --iterations 5)
    "${draw[@]}" --every 2 in.clip >all
    # --every is not in params, so that the picture after iteration 3 is the record of an interruption there
    { first <all; "${draw[@]}" --every 3 in.clip | first; } >o.clip
    "${draw[@]}" --every 2 --skip-from o.clip -o o.clip in.clip
    [ "$(field o.clip .data.step | tr '\n' ' ')" = '2 3 4 null ' ]
}

@test "clip-draw: an interrupted drawing is written" {
    clip-draw --progress=json --size 32 --strokes 6 --iterations 60000 in.clip >o.clip 2>log &
    pid=$!
    for _ in $(seq 600); do
        grep -q step log && break
        sleep 0.1
    done
    kill -TERM $pid
    s=0
    wait $pid || s=$?
    [ $s = 143 ]
    [ "$(field o.clip '[.id, .data.step > 0, .data.params[-1][1].step == .data.step, (.data.svg | length > 0)]')" = '["a red heart",true,true,true]' ]
    [ "$(clip-draw --size 32 --strokes 6 --iterations 1 --skip-from o.clip in.clip | field - .data.step)" = null ]
}
