#!/usr/bin/env bats
# prior, decode64, upsample, ddim-invert and embed-mix on the tiny Karlo of tests/golden/karlo, which has no text
# tower: text.clip and empty.clip hold the recorded embeddings of a prompt and of the empty one.

bats_require_minimum_version 1.5.0

setup() {
    BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
    G=$BATS_TEST_DIRNAME/../golden/karlo
    PATH=$BIN:$PATH
    export UNCLIP_MODEL=$G
    U="--uncond=$G/empty.clip"
    cd "$BATS_TEST_TMPDIR" || return 1
    # 4 texts: the same embedding under other ids
    for i in 1 2 3 4; do record-json "$G/text.clip" | jq -c ".id = \"text $i\"" | record-json --from-json; done >four.clip
}

# Fields of all records, as JSON.
field() { record-json --arrays "$1" | jq -c "$2"; }

@test "unclip: text to picture, through three programs" {
    prior "$U" "$G/text.clip" | decode64 "$U" | upsample >out.clip
    [ "$(field out.clip '[.id, (.data.image_embed | length), (.data.image | length), (.data.image[0] | length), (.data.image[0][0] | length)]')" = '["text",32,3,32,32]' ]
    [ "$(field out.clip '[.data.params[][0]]')" = '["prior","decode64","upsample"]' ]
    [ "$(field out.clip '[.data.params[] | .[1].steps]')" = '[25,25,7]' ]
}

@test "unclip: the same bytes for any number of threads and any split of the stream" {
    prior "$U" -j 1 four.clip | decode64 "$U" -j 1 --steps 4 | upsample -j 1 --steps 3 >one.clip
    prior "$U" -j 2 four.clip >p.clip
    for i in 1 2 3 4; do
        record-json p.clip | sed -n "${i}p" | record-json --from-json | decode64 "$U" -j 2 --steps 4
    done | upsample -j 3 --steps 3 >two.clip
    cmp one.clip two.clip
}

@test "prior: the same bytes for any batch, also around records that fail" {
    { cat four.clip; echo garbage; record-json four.clip | jq -c 'select(.id == "text 3") | .id = "bad" | del(.data.text_states)' |
        record-json --from-json; cat four.clip; } >some.clip
    run -1 --separate-stderr prior "$U" --steps 3 -n 2 --best-of 2 --keep-errors -b 1 -o one.clip some.clip
    said=$stderr
    [ "$(field one.clip 'select(.data.error) | .id')" = '"bad"' ]
    for b in 3 8 9 64; do
        run -1 --separate-stderr prior "$U" --steps 3 -n 2 --best-of 2 --keep-errors -b $b -o two.clip some.clip
        cmp one.clip two.clip
        [ "$stderr" = "$said" ]
    done
    run -1 --separate-stderr prior "$U" --steps 3 --strict -o two.clip some.clip
    [ "$(field two.clip .id | wc -l)" -eq 4 ]
}

@test "prior: a record that is alone does not wait for others" {
    : >out.clip
    { cat "$G/text.clip"; until [ -s out.clip ]; do sleep 0.05; done; cat four.clip; } |
        timeout 20 prior "$U" --steps 2 -b 64 >out.clip
    [ "$(field out.clip .id | wc -l)" -eq 5 ]
}

@test "unclip: sample 0 of any -n is what -n 1 makes, and the others differ" {
    prior "$U" --steps 3 "$G/text.clip" | decode64 "$U" --steps 3 >one.clip
    prior "$U" --steps 3 -n 3 "$G/text.clip" | decode64 "$U" --steps 3 >three.clip
    [ "$(field three.clip '[.id, .data.root, .data.sample]' | tr -d '\n')" = '["text#0","text",[0]]["text#1","text",[1]]["text#2","text",[2]]' ]
    [ "$(field one.clip .data.image)" = "$(field three.clip .data.image | sed -n 1p)" ]
    [ "$(field three.clip .data.image | sort -u | wc -l)" -eq 3 ]
    prior "$U" --steps 3 "$G/text.clip" | decode64 "$U" --steps 3 -n 2 >two.clip
    [ "$(field one.clip .data.image)" = "$(field two.clip .data.image | sed -n 1p)" ]
    # samples of samples: no two have the same noise, which alone decides where nothing is told
    prior "$U" --steps 3 -n 3 "$G/text.clip" | decode64 "$U" --steps 3 --embed none --no-text -n 3 >nine.clip
    [ "$(field nine.clip .data.image | sort -u | wc -l)" -eq 9 ]
}

@test "unclip: seeds and noise ids decide the noise, places in the stream do not" {
    prior "$U" --steps 2 four.clip >a.clip
    [ "$(field a.clip .data.image_embed | sort -u | wc -l)" -eq 4 ]
    prior "$U" --steps 2 --noise-id same four.clip >b.clip
    [ "$(field b.clip .data.image_embed | sort -u | wc -l)" -eq 1 ]
    prior "$U" --steps 2 -s 1 four.clip >c.clip
    [ "$(field c.clip .data.image_embed | sed -n 1p)" != "$(field a.clip .data.image_embed | sed -n 1p)" ]
    prior "$U" --steps 2 -s random "$G/text.clip" >d.clip
    prior "$U" --steps 2 -s "$(field d.clip '.data.params[0][1].seed')" "$G/text.clip" >e.clip
    [ "$(field d.clip .data.image_embed)" = "$(field e.clip .data.image_embed)" ]
}

@test "unclip: torch's noise goes on from program to program" {
    prior "$U" --rng torch --steps 3 "$G/text.clip" | decode64 "$U" --rng torch --steps 2 | upsample --rng torch --steps 2 >t.clip
    # prior: 3 draws of 32; decoder: 2 of 768; upsampler: 2 of 3072
    [ "$(field t.clip '[.data.params[][1].rng_used]')" = '[96,1632,7776]' ]
    prior "$U" --rng torch --steps 3 -n 2 "$G/text.clip" | decode64 "$U" --rng torch --steps 2 >n.clip
    [ "$(field n.clip '[.data.params[][1].rng_used]' | sort -u)" = '[192,3264]' ]
}

@test "unclip: a noise of ddim-invert brings its timesteps, without guidance" {
    prior "$U" --steps 2 "$G/text.clip" | decode64 "$U" --steps 2 >p.clip
    ddim-invert "$U" --steps 5 --top 600 p.clip >i.clip
    [ "$(field i.clip '.data.params[-1][1].timesteps')" = '[600,400,200,0]' ]
    decode64 "$U" i.clip >back.clip
    [ "$(field back.clip '.data.params[-1][1] | [.sampler, .steps, .guidance, .eta, .text]')" = '["ddim",4,1,0,0]' ]
    decode64 "$U" --eta 0.5 -g 2 i.clip >other.clip
    [ "$(field other.clip '.data.params[-1][1] | [.sampler, .steps, .guidance, .eta]')" = '["ddim",4,2,0.5]' ]
}

@test "unclip: a noise that was inverted under another text than the decoder's is told, once" {
    record-json "$G/text.clip" | jq -c '.data.text = "a dog"' | record-json --from-json >dog.clip
    record-json dog.clip | jq -c 'del(.data.text)' | record-json --from-json >bare.clip
    cp dog.clip copy.clip
    prior "$U" --steps 2 -n 2 "$G/text.clip" | decode64 "$U" --steps 2 >p.clip
    ddim-invert --uncond dog.clip --steps 4 p.clip >dog.noise
    ddim-invert --uncond bare.clip --steps 4 p.clip >bare.noise
    ddim-invert "$U" --text --steps 4 p.clip >own.noise
    [ "$(field dog.noise '.data.params[-1][1] | [.uncond, .uncond_text]' | uniq)" = '["dog.clip","a dog"]' ]
    [ "$(field bare.noise '.data.params[-1][1] | [.uncond, .uncond_text]' | uniq)" = '["bare.clip",null]' ]
    [ "$(field own.noise '.data.params[-1][1] | [.uncond, .uncond_text]' | uniq)" = '[null,null]' ]
    # the same text, whatever the file; the record's own text; --no-text overrides
    for c in "--uncond dog.clip dog.noise" "--uncond copy.clip dog.noise" "--uncond bare.clip bare.noise" "$U own.noise" "$U --no-text dog.noise" "$U p.clip"; do
        # shellcheck disable=SC2086
        run -0 --separate-stderr decode64 --strict --steps 2 -o out.clip $c
        [ "$stderr" = "" ]
    done
    run -0 --separate-stderr decode64 "$U" --steps 2 -o out.clip dog.noise
    [ "$stderr" = "decode64: dog.noise: record 1 (text#0): its noise was inverted under the text 'a dog', and it is decoded under the text 'empty' (see --uncond)" ]
    [ "$(field out.clip .id | wc -l)" -eq 2 ]
    run -0 --separate-stderr decode64 -q "$U" --steps 2 -o out.clip dog.noise
    [ "$stderr" = "" ]
    run -0 --separate-stderr decode64 --uncond dog.clip --steps 2 -o out.clip bare.noise
    [ "$stderr" = "decode64: bare.noise: record 1 (text#0): its noise was inverted under the text of bare.clip, and it is decoded under the text 'a dog' (see --uncond)" ]
    rm out.clip
    run -1 --separate-stderr decode64 --strict "$U" --steps 2 -o out.clip dog.noise
    [ "$stderr" = "decode64: dog.noise: record 1 (text#0): its noise was inverted under the text 'a dog', and it is decoded under the text 'empty' (see --uncond)" ]
    [ ! -s out.clip ]
    # params of the last inversion count
    ddim-invert "$U" --steps 4 dog.noise >again.noise
    run -0 --separate-stderr decode64 --strict "$U" --steps 2 -o out.clip again.noise
    [ "$stderr" = "" ]
}

@test "ddim-invert: --activation counts where it has an effect" {
    "$AID/make_karlo" -t -e 64 pipe >list
    "$AID/make_model" -l split -s 1 tiny pipe
    cp -r "$BATS_TEST_DIRNAME/../../examples/emoji/tokenizer" pipe/tokenizer
    clip-tok -m pipe fish | clip-embed -m pipe >uncond
    clip-tok -m pipe 'a red apple' | clip-embed -m pipe | prior -m pipe --steps 2 | decode64 -m pipe --steps 2 >p
    ddim-invert -m pipe --steps 2 p >i
    again i ddim-invert -m pipe --steps 2 --activation gelu p
    [ "$(field again.clip .data.params[-1][1].activation)" = '"gelu"' ]
    cmp -s <(field i .data.noise) <(field all.clip .data.noise) && return 1
    for o in --text --uncond=uncond; do    # no tower computes
        ddim-invert -m pipe --steps 2 $o p >i
        ddim-invert -m pipe --steps 2 $o --activation gelu --skip-from i p >none.clip
        [ ! -s none.clip ]
    done
}

@test "unclip: what stands for the picture: its embedding, the text's, or none" {
    prior "$U" --steps 2 "$G/text.clip" >p.clip
    image() { field "$1" .data.image; }
    decode64 "$U" --steps 2 p.clip >image.clip
    decode64 "$U" --steps 2 --embed text p.clip >text.clip
    decode64 "$U" --steps 2 --embed none p.clip >none.clip
    [ "$(for f in image text none; do image $f.clip; done | sort -u | wc -l)" -eq 3 ]
    [ "$(field none.clip '[.data.params[][1].embed]')" = '[null,"none"]' ]
    # none is what a record without an image embedding gets; text is the same as to write it there
    decode64 "$U" --steps 2 "$G/text.clip" | cmp <(image -) <(image none.clip)
    record-json p.clip | jq -c '.data.image_embed = .data.text_embed' | record-json --from-json |
        decode64 "$U" --steps 2 | cmp <(image -) <(image text.clip)
    record-json p.clip | jq -c 'del(.data.text_embed, .data.text_states)' | record-json --from-json >bare.clip
    run -1 decode64 "$U" --steps 2 --embed text bare.clip
    [[ "$output" == *": no text_embed (clip-tok | clip-embed makes it of a text)" ]]
}

@test "unclip: partial pictures come first, and are never taken for results" {
    prior "$U" --steps 2 "$G/text.clip" >p.clip
    decode64 "$U" --steps 4 --emit-steps 2 p.clip >e.clip
    [ "$(field e.clip '.data.step' | tr '\n' ' ')" = '2 null ' ]
    record-json e.clip | sed -n 1p | record-json --from-json >half.clip
    decode64 "$U" --steps 4 --skip-from half.clip p.clip >rest.clip
    [ "$(field rest.clip .id)" = '"text"' ]
}

@test "unclip: what describes an earlier picture goes" {
    load earlier
    prior "$U" --steps 2 "$G/text.clip" | record-json | jq -c "$earlier | del(.data.mask)" | record-json --from-json >p.clip
    decode64 "$U" --steps 2 --emit-steps 1 p.clip >d.clip
    [ "$(left <d.clip)" = '"step cos logit prob rank label score theta"
"image image_embed"
"cos logit prob rank label score theta"
"image image_embed"' ]
    [ "$(field d.clip '.data.step' | head -1)" = 1 ]
    # an enlarged picture is the same picture: its mask stays, and so does that it is partial
    record-json d.clip | sed -n 2p | jq -c "$earlier | del(.data.mask)" | record-json --from-json | upsample --steps 2 >u.clip
    [ "$(left <u.clip)" = '"step source image_features image_tokens grid logp cos logit prob rank label score theta"
"image image_embed image_features image_tokens"' ]
}

@test "unclip: a partial picture of another step is not taken for one of this step" {
    prior "$U" --steps 2 "$G/text.clip" >p.clip
    decode64 "$U" --steps 6 --emit-steps 3 -n 2 p.clip >threes.clip
    decode64 "$U" --steps 6 --emit-steps 2 -n 2 p.clip >twos.clip
    record-json twos.clip | head -n 2 | record-json --from-json >part.clip
    [ "$(field part.clip '[.data.step, .data.params[-1][1].step]' | sort -u)" = '[2,2]' ]
    # interrupted after step 2, then on with another K
    decode64 "$U" --steps 6 --emit-steps 3 -n 2 --skip-from part.clip p.clip | cmp - threes.clip
    decode64 "$U" --steps 6 --emit-steps 2 -n 2 -o part.clip --skip-from part.clip p.clip
    cmp part.clip twos.clip
    [ "$(field twos.clip '[.data.step, .data.params[-1][1].step]' | tr -d '\n')" = '[2,2][2,2][4,4][4,4][null,null][null,null]' ]
}

@test "unclip: a partial picture is the predicted one, by DDIM, too, and not the noisy state" {
    local how
    prior "$U" --steps 2 "$G/text.clip" >p.clip
    for how in --eta=1 --ddim --ancestral; do
        decode64 "$U" --steps 20 --emit-steps 1 ${how/--ancestral/} p.clip >e.clip
        # Karlo's decoder clamps what it predicts to [-1, 1], and noise goes beyond
        [ "$(record-json --arrays e.clip | jq -c 'select(.data.step == 1) | .data.image | flatten | max <= 1 and min >= -1')" = true ]
    done
}

@test "unclip: what was killed goes on, to the same records" {
    prior "$U" --steps 3 four.clip | decode64 "$U" --steps 3 >whole.clip
    prior "$U" --steps 3 four.clip >p.clip
    decode64 "$U" --steps 3 p.clip | head -c 11000 >part.clip
    run decode64 "$U" --steps 3 -o part.clip --skip-from part.clip p.clip
    [ "$status" -eq 0 ]
    [[ "$output" == *"of an unfinished record are cut off"* ]]
    cmp part.clip whole.clip
    run decode64 -q "$U" --steps 3 -o part.clip --skip-from part.clip p.clip
    [ "$status" -eq 0 ]
    [ -z "$output" ]
    cmp part.clip whole.clip
}

@test "unclip: a run that ended between the samples of a record makes the rest of them" {
    prior "$U" --steps 2 "$G/text.clip" >p.clip
    for run in "prior $U --steps 2 -n 3 $G/text.clip" "decode64 $U --steps 2 -n 3 p.clip"; do
        $run >whole.clip
        [ "$(record-json whole.clip | wc -l)" -eq 3 ]
        record-json whole.clip | sed -n '1p;2p' | record-json --from-json >part.clip
        $run -o part.clip --skip-from part.clip
        cmp part.clip whole.clip
    done
}

# The command makes all records again although FILE, its first argument, holds the results of other options.
again() {
    local held=$1
    shift
    "$@" >all.clip
    "$@" --skip-from "$held" >again.clip
    [ -s all.clip ]
    cmp all.clip again.clip
    "$@" --skip-from all.clip >none.clip
    [ ! -s none.clip ]
}

@test "unclip: --skip-from skips no result that other options gave" {
    prior "$U" --steps 2 "$G/text.clip" >p.clip
    again p.clip prior "$U" --steps 2 --noise-id other "$G/text.clip"
    decode64 "$U" --steps 2 p.clip >d.clip
    again d.clip decode64 "$U" --steps 2 --u8 p.clip
    again d.clip decode64 "$U" --steps 2 --noise-id other p.clip
    upsample --steps 2 d.clip >u.clip
    again u.clip upsample --steps 2 --u8 d.clip
    upsample --steps 2 --activation gelu --skip-from u.clip d.clip >none.clip
    [ ! -s none.clip ]    # the option has no effect
    ddim-invert "$U" --steps 2 d.clip >i.clip
    again i.clip ddim-invert "--uncond=$G/text.clip" --steps 2 d.clip
    ddim-invert "$U" --text --steps 2 d.clip >t.clip
    ddim-invert "--uncond=$G/text.clip" --text --steps 2 --skip-from t.clip d.clip >none.clip
    [ ! -s none.clip ]    # with its own text, a record does not meet that of --uncond
    ddim-invert "$U" --steps 2 --exif --skip-from i.clip d.clip >none.clip
    [ ! -s none.clip ]    # no file is read
    image-out -o d.ppm d.clip
    record-json d.clip | jq -c 'del(.data.image) | .data.path = "d.ppm"' | record-json --from-json >f.clip
    ddim-invert "$U" --steps 2 f.clip >i.clip
    again i.clip ddim-invert "$U" --steps 2 --exif f.clip
    embed-mix slerp --theta 0.5 p.clip p.clip >m.clip
    again m.clip embed-mix slerp --theta 0.5 --field text_embed p.clip p.clip
    embed-mix diff --theta 0.5 p.clip "$G/text.clip" "$G/empty.clip" >m.clip
    again m.clip embed-mix diff --theta 0.5 p.clip "$G/empty.clip" "$G/text.clip"
    prior "$U" --steps 2 four.clip >v.clip
    embed-mix pca-fit -o a.pca v.clip
    cp a.pca b.pca
    embed-mix pca-project --pca a.pca v.clip >m.clip
    again m.clip embed-mix pca-project --pca b.pca v.clip
}

# decode64 of 8 records; the signal $1 comes when the first is written.
stopped_by() {
    local i=0 status=0
    env --default-signal=INT decode64 "$U" --steps 300 -o out.clip p.clip 2>err &
    until [ -s out.clip ] || [ $((i += 1)) -gt 1000 ]; do sleep 0.05; done
    sleep 0.1    # amid the second
    kill -s "$1" $!
    wait $! || status=$?
    [ "$status" -eq "$2" ]
    [ ! -s err ]
    record-json out.clip >out.json
    [ "$(wc -l <out.json)" -ge 1 ]
    [ "$(wc -l <out.json)" -lt 8 ]
}

@test "unclip: SIGINT and SIGTERM leave whole records, and the program dies of them" {
    prior "$U" --steps 2 -n 2 four.clip >p.clip
    stopped_by INT 130
    rm out.clip
    stopped_by TERM 143
}

@test "unclip: variations have no text; a text without states is refused, and so is nothing at all" {
    prior "$U" --steps 2 "$G/text.clip" >p.clip
    record-json p.clip | jq -c 'del(.data.text_embed, .data.text_states)' | record-json --from-json >v.clip
    decode64 "$U" --steps 2 v.clip >a.clip
    decode64 "$U" --steps 2 --no-text p.clip >b.clip
    [ "$(field a.clip .data.image)" = "$(field b.clip .data.image)" ]
    record-json p.clip | jq -c 'del(.data.text_states)' | record-json --from-json >s.clip
    run decode64 "$U" --steps 2 s.clip
    [ "$status" -eq 1 ]
    [ "$output" = "decode64: s.clip: record 1 (text): text_embed without text_states (clip-embed -S leaves them out, and embed-mix does where it cannot mix them)" ]
    record-json p.clip | jq -c '.data = {}' | record-json --from-json >n.clip
    run decode64 "$U" --steps 2 n.clip
    [ "$status" -eq 1 ]
    [ "$output" = "decode64: n.clip: record 1 (text): neither image_embed (prior makes it) nor text_embed (clip-tok | clip-embed)" ]
    run upsample p.clip
    [ "$status" -eq 1 ]
    [ "$output" = "upsample: p.clip: record 1 (text): no image (decode64, vq -d or clip-draw makes it)" ]
}

@test "unclip: a model without the component names the places tried" {
    run prior -m "$BATS_TEST_DIRNAME" four.clip
    [ "$status" -eq 2 ]
    [ "$output" = "prior: no prior in $BATS_TEST_DIRNAME; 'unclip help overview' names models and what they hold" ]
}

@test "embed-mix: end points are exact, and frames share one noise" {
    prior "$U" --steps 2 four.clip >p.clip
    record-json p.clip | sed -n 1p | record-json --from-json >a.clip
    record-json p.clip | sed -n 2p | record-json --from-json >b.clip
    for mode in slerp lerp; do
        embed-mix $mode --frames 3 a.clip b.clip >m.clip
        [ "$(field m.clip .data.image_embed | sed -n 1p)" = "$(field a.clip .data.image_embed)" ]
        [ "$(field m.clip .data.image_embed | sed -n 3p)" = "$(field b.clip .data.image_embed)" ]
        [ "$(field m.clip '[.data.theta, .data.noise_id]' | tr -d '\n')" = '[0,"text 1"][0.5,"text 1"][1,"text 1"]' ]
    done
    # frames of one vector are one picture, at each stage, also as one of several results
    embed-mix lerp --frames 3 a.clip a.clip | decode64 "$U" --steps 2 -n 2 | upsample --steps 2 >same.clip
    [ "$(field same.clip .data.sample | wc -l)" = 6 ]
    [ "$(field same.clip .data.image | sort -u | wc -l)" = 2 ]
    # the frames of one of several samples have its noise: theta 0 is the picture itself
    prior "$U" --steps 2 -n 3 "$G/text.clip" | decode64 "$U" --steps 2 >three.clip
    record-json three.clip | sed -n 3p | record-json --from-json >third.clip
    embed-mix lerp --theta 0,1 third.clip third.clip | decode64 "$U" --steps 2 >frames.clip
    [ "$(field frames.clip .data.image | sort -u)" = "$(field third.clip .data.image)" ]
    embed-mix lerp --theta 0.5 third.clip third.clip | decode64 "$U" --steps 2 | field - .data.image | cmp - <(field third.clip .data.image)
    # so is what --noise-id names, whatever the numbers of the records
    record-json a.clip | jq -c '.data.sample = [1], (.data.sample = [0, 3] | .id = "other")' | record-json --from-json >numbered.clip
    [ "$(decode64 "$U" --steps 2 --noise-id x numbered.clip | field - .data.image | sort -u | wc -l)" = 1 ]
    [ "$(decode64 "$U" --steps 2 numbered.clip | field - .data.image | sort -u | wc -l)" = 2 ]
    embed-mix diff --theta 0,0.25 a.clip "$G/text.clip" "$G/empty.clip" >d.clip
    [ "$(field d.clip .data.image_embed | sed -n 1p)" = "$(field a.clip .data.image_embed)" ]
}

@test "embed-mix: between two texts, their states are mixed, too, and nothing is left of one text" {
    "$AID/make_karlo" -t -e 64 pipe >list
    "$AID/make_model" -l split -s 1 tiny pipe
    cp -r "$BATS_TEST_DIRNAME/../../examples/emoji/tokenizer" pipe/tokenizer
    export UNCLIP_MODEL=pipe
    for w in fish star 'a big red apple'; do clip-tok "$w" | clip-embed >"${w##* }.clip"; done
    part() { field "$1" "[.data.text, .data.tokens, .data.truncated, .data.text_states, .data.model.tokens]"; }
    for mode in slerp lerp; do
        run -0 --separate-stderr embed-mix $mode --strict --theta 0,0.25,1 -o m.clip fish.clip star.clip
        [ "$stderr" = "" ]
        [ "$(part m.clip | sed -n 1p)" = "$(part fish.clip)" ]
        [ "$(part m.clip | sed -n 3p)" = "$(part star.clip)" ]
        [ "$(record-json m.clip | jq -c '.data | keys_unsorted[:3]' | sed -n 3p)" = "$(record-json fish.clip | jq -c '.data | keys_unsorted[:3]')" ]    # in place
        [ "$(field m.clip .data.text_embed | sed -n 3p)" = "$(field star.clip .data.text_embed)" ]
        [ "$(part m.clip | sed -n 2p | jq -c 'del(.[3])')" = '[null,null,null,null]' ]
        record-json --arrays fish.clip star.clip m.clip | jq -s '[.[0], .[1], .[3] | .data.text_states | flatten] | transpose |
            (length > 100) and (map((0.75 * .[0] + 0.25 * .[1] - .[2]) | fabs) | max < 1e-6)' | grep -qx true
        prior --steps 2 m.clip >p.clip    # all three are texts for prior
        # the last one is the second text, and no longer the first
        prior --steps 2 --noise-id fish star.clip >want.clip
        [ "$(field p.clip .data.image_embed | sed -n 3p)" = "$(field want.clip .data.image_embed)" ]
        [ "$(field p.clip .data.image_embed | sort -u | wc -l)" -eq 3 ]
    done
    # texts of different lengths: the ends are whole, and between them prior has nothing to go by
    cat star.clip star.clip >two.clip
    cat apple.clip apple.clip >apples.clip
    run -0 --separate-stderr embed-mix slerp --theta 0,0.5,1 -o m.clip two.clip apples.clip
    [ "$stderr" = "embed-mix: two.clip: record 1 (star): its text_states do not fit the new text_embed and are left out, and prior needs them (see embed-mix(1))" ]
    [ "$(part m.clip | sed -n '1p;3p')" = "$(part star.clip; part apple.clip)" ]
    [ "$(part m.clip | sed -n 2p)" = '[null,null,null,null,null]' ]
    run -0 --separate-stderr embed-mix slerp -q --theta 0.5 -o q.clip two.clip apples.clip
    [ "$stderr" = "" ]
    run -0 --separate-stderr embed-mix slerp --theta 0,1 -o q.clip two.clip apples.clip
    [ "$stderr" = "" ]
    run -1 --separate-stderr prior --steps 2 -o p.clip m.clip
    [ "${stderr_lines[0]}" = "prior: m.clip: record 2 (star#1): text_embed without text_states (clip-embed -S leaves them out, and embed-mix does where it cannot mix them)" ]
    [ "$(field p.clip .id | wc -l)" -eq 4 ]
    decode64 --embed text --no-text --steps 2 m.clip >d.clip
    # a vector of components
    cat fish.clip star.clip apple.clip >three.clip
    embed-mix pca-fit three.clip >pca.clip
    run -0 --separate-stderr embed-mix pca-reconstruct --pca pca.clip --counts 1,2 -o r.clip three.clip
    [ "$stderr" = "embed-mix: three.clip: record 1 (fish): its text_states do not fit the new text_embed and are left out, and prior needs them (see embed-mix(1))" ]
    [ "$(part r.clip | sort -u)" = '[null,null,null,null,null]' ]
    run -0 --separate-stderr embed-mix pca-project --pca pca.clip -o r.clip three.clip
    [ "$stderr" = "" ]
    [ "$(part r.clip)" = "$(part three.clip)" ]
    # another field: the text stays
    prior --steps 2 three.clip >p.clip
    embed-mix slerp --theta 0.5 p.clip p.clip >m.clip
    [ "$(part m.clip)" = "$(part p.clip)" ]
}

@test "embed-mix: diff refuses pictures of another CLIP than the texts', where that is known" {
    "$AID/make_karlo" -t -e 64 pipe >list
    "$AID/make_model" -l split -s 1 tiny pipe
    cp -r "$BATS_TEST_DIRNAME/../../examples/emoji/tokenizer" pipe/tokenizer
    "$AID/make_model" -l hf -s 1 tiny joint
    "$AID/make_model" -l hf -s 2 tiny other
    clip-tok -m pipe fish >new.tok
    clip-tok -m pipe star >old.tok
    for m in pipe joint other; do
        clip-embed -m $m <new.tok >$m.new
        clip-embed -m $m <old.tok >$m.old
        clip-embed -m $m "$G/../images/rgb.png" "$G/../images/la.png" >$m.picture
    done
    # the same weights in one file or in two, and a CLIP in two files, whose towers have a fingerprint each
    for m in "joint joint" "pipe pipe" "pipe joint" "joint pipe" "other other"; do
        run -0 --separate-stderr embed-mix diff --strict -o out.clip "${m% *}.picture" "${m#* }.new" "${m#* }.old"
        [ "$stderr" = "" ]
    done
    run -1 --separate-stderr embed-mix diff -o none.clip joint.picture other.new other.old
    fp() { record-json "$1" | jq -r "first(.data.model.$2)" | head -n 1; }
    [ "${stderr_lines[0]}" = "embed-mix: joint.picture: record 1 ($G/../images/rgb.png): vectors of different models, $(fp joint.picture image_embed) and $(fp other.new text_embed) (--force mixes them)" ]
    [ "${#stderr_lines[@]}" -eq 2 ]
    run -0 --separate-stderr embed-mix diff --force --frames 2 -o out.clip joint.picture other.new other.old
    [ "$(field out.clip .id | wc -l)" -eq 4 ]
    # a prior's picture is compared by the text it was made from
    prior -m pipe --steps 1 pipe.new >p.clip
    embed-mix diff --frames 2 p.clip pipe.new pipe.old >out.clip
    run -1 --separate-stderr embed-mix diff -o none.clip p.clip other.new other.old
    [ "$stderr" = "embed-mix: p.clip: record 1 (fish): vectors of different models, $(fp pipe.new text_embed) and $(fp other.new text_embed) (--force mixes them)" ]
    # texts
    run -2 --separate-stderr embed-mix diff -o out.clip p.clip pipe.new other.old
    [[ "$stderr" == "embed-mix: vectors of different models, "* ]]
    run -2 --separate-stderr embed-mix diff -o out.clip p.clip joint.picture other.old
    [ "$stderr" = "embed-mix: joint.picture: no text_embed (clip-tok | clip-embed makes it of a text)" ]
}

@test "embed-mix: records stay beside each other where some are passed over" {
    prior "$U" --steps 2 four.clip >a.clip
    prior "$U" --steps 2 -s 1 four.clip >b.clip
    embed-mix slerp --theta 0.5 a.clip b.clip >all.clip
    for i in 1 2 3; do embed-mix slerp --theta 0.5 --shard $i/3 a.clip b.clip; done >parts.clip
    cmp <(record-json all.clip | sort) <(record-json parts.clip | sort)
    record-json a.clip | jq -c 'if .id == "text 2" then .data = {error: "no"} else . end' | record-json --from-json >some.clip
    run -1 --separate-stderr embed-mix slerp --theta 0.5 -o m.clip some.clip b.clip
    cmp <(field all.clip '[.id, .data.image_embed]' | grep -v '"text 2"') <(field m.clip '[.id, .data.image_embed]' | grep -v null)
    head -c -9 b.clip >cut.clip
    run -1 --separate-stderr embed-mix slerp --theta 0.5 -o m.clip a.clip cut.clip
    [[ $stderr == 'embed-mix: a.clip: record 4 (text 4): cut.clip: record 4 at byte '* ]]
    cmp <(record-json all.clip | head -n 3) <(record-json m.clip)
    record-json b.clip | head -n 2 | record-json --from-json >two.clip
    run -2 --separate-stderr embed-mix slerp -o m.clip a.clip two.clip
    [ "$stderr" = "embed-mix: two.clip: fewer records than in the first stream" ]
}

@test "embed-mix: a wrong word does not empty the output" {
    echo kept >out
    run -2 --separate-stderr embed-mix men -o out four.clip
    [ "$stderr" = "embed-mix: 'men' is not one of slerp, lerp, diff, mean, sum, pca-fit, pca-project, pca-reconstruct" ]
    run -2 --separate-stderr embed-mix slerp -o out four.clip
    [ "$stderr" = "embed-mix: slerp: two streams are wanted" ]
    run -2 --separate-stderr embed-mix slerp --theta 0,,1 -o out four.clip four.clip
    [ "$stderr" = "embed-mix: --theta: '0,,1' is not a list of numbers from 0 to 1" ]
    [ "$(cat out)" = kept ]
}

@test "embed-mix: noises of different timesteps are refused" {
    prior "$U" --steps 2 four.clip | decode64 "$U" --steps 2 >p.clip
    ddim-invert "$U" --steps 4 p.clip | record-json | sed -n 1p | record-json --from-json >a.clip
    ddim-invert "$U" --steps 5 p.clip | record-json | sed -n 2p | record-json --from-json >b.clip
    run embed-mix slerp a.clip b.clip
    [ "$status" -eq 1 ]
    [ "${lines[-1]}" = "embed-mix: a.clip: record 1 (text 1): noises of different timesteps" ]
}

@test "embed-mix: all components bring a vector back, sums and means are directions" {
    prior "$U" --steps 2 -n 3 four.clip >p.clip
    embed-mix pca-fit -o pca.clip p.clip
    embed-mix pca-reconstruct --pca pca.clip --counts 11 p.clip >r.clip
    [ "$(paste <(field p.clip '.data.image_embed[]') <(field r.clip '.data.image_embed[]') |
         awk '{ d = $1 - $2; if (d < 0) d = -d; if (d > m) m = d } END { print (m < 1e-5) }')" = 1 ]
    embed-mix sum p.clip + p.clip - p.clip >s.clip
    embed-mix mean p.clip >m.clip
    rank --query s.clip -k 1 --tsv p.clip | grep -q '^text 1#0	1	'
    [ "$(field m.clip .id)" = '"mean"' ]
}

@test "unclip: a Karlo of random weights, of any embedding width" {
    AID=${AID:-$BATS_TEST_DIRNAME/../../build/tests}
    "$AID/make_karlo" -t -e 48 -d f32 karlo >list
    [ "$(wc -l <list)" -eq 5 ]
    grep -qx 'decoder: 716 tensors, .* parameters' list
    # floats of bytes 0x3f: 0.747; two rows of states
    x=$(head -c 192 /dev/zero | tr '\0' '?' | base64 -w 0) y=$(head -c 384 /dev/zero | tr '\0' '?' | base64 -w 0)
    # shellcheck disable=SC2016
    printf '{"unclip":1,"id":"a","data":{"text_embed":{"$nd":{"type":"<f4","shape":[48],"data":"%s"}},"text_states":{"$nd":{"type":"<f4","shape":[2,48],"data":"%s"}}}}\n' "$x" "$y" |
        record-json --from-json >a.clip
    UNCLIP_MODEL=karlo
    prior --uncond=a.clip --steps 3 a.clip | decode64 --uncond=a.clip --steps 2 | upsample --steps 2 >out.clip
    [ "$(field out.clip '[(.data.image_embed | length), (.data.image[0] | length)]')" = '[48,32]' ]
}

@test "unclip: kill -9 amid twenty records, and a rerun on the same file" {
    for i in 1 2 3 4 5; do sed "s/^/$i /" <<<"$(record-json four.clip | jq -c .)"; done |
        sed -E 's/^([0-9]) (.*)"id":"text/\2"id":"\1 text/' | record-json --from-json | prior "$U" --steps 2 >p.clip
    [ "$(record-json p.clip | wc -l)" -eq 20 ]
    decode64 "$U" --steps 20 p.clip >whole.clip
    decode64 "$U" --steps 20 -o part.clip --skip-from part.clip p.clip &
    pid=$!
    while [ ! -s part.clip ]; do sleep 0.02; done
    kill -9 $pid
    wait $pid || true
    [ "$(stat -c %s part.clip)" -lt "$(stat -c %s whole.clip)" ]
    decode64 -q "$U" --steps 20 -o part.clip --skip-from part.clip p.clip
    cmp part.clip whole.clip
}

@test "unclip: vectors of another CLIP of the same width are told, once" {
    export UNCLIP_CACHE=none
    "$AID/make_karlo" -t -e 64 pipe >list
    "$AID/make_model" -l split -s 1 tiny pipe
    cp -r "$BATS_TEST_DIRNAME/../../examples/emoji/tokenizer" pipe/tokenizer
    "$AID/make_model" -l hf -s 1 tiny joint
    "$AID/make_model" -l hf -s 2 tiny other
    clip-tok -m pipe 'a red apple' fish >tok.clip
    for m in pipe joint other; do
        clip-embed -m $m <tok.clip >$m.text
        clip-embed -m $m --keep-image=16 "$G/../images/rgb.png" "$G/../images/la.png" >$m.picture
    done
    # the same weights, in one file or in two: nothing is said
    for m in pipe joint; do
        for c in "prior --steps 1 $m.text" "decode64 --embed text --steps 1 $m.text" "decode64 --steps 1 --no-text $m.picture" "ddim-invert --steps 2 $m.picture" \
            "prior --steps 1 --uncond $m.text $m.text"; do
            # shellcheck disable=SC2086
            run -0 --separate-stderr $c -m pipe --strict -o out.clip
            [ "$stderr" = "" ]
        done
    done
    theirs=$(record-json other.text | jq -r .data.model.text_embed | head -n 1)
    run -0 --separate-stderr prior -m pipe --steps 1 -o out.clip other.text
    [ "$stderr" = "prior: other.text: record 1 (a red apple): its text_embed is of the CLIP $theirs, the model has $(record-json pipe.text | jq -r .data.model.text_embed | head -n 1) (see unclip(7))" ]
    [ "$(field out.clip .id | wc -l)" -eq 2 ]
    run -1 --separate-stderr prior -m pipe --steps 1 --strict -o none.clip other.text
    [[ "$stderr" == "prior: other.text: record 1 (a red apple): its text_embed is of the CLIP $theirs, "* ]]
    run -2 --separate-stderr prior -m pipe --steps 1 --strict -o none.clip --uncond other.text pipe.text
    [[ "$stderr" == "prior: other.text: its text_embed is of the CLIP $theirs, "* ]]
    for c in "decode64 --embed text --steps 1 other.text" "decode64 --no-text --steps 1 other.picture" "ddim-invert --steps 2 other.picture"; do
        # shellcheck disable=SC2086
        run -0 --separate-stderr $c -m pipe -o out.clip
        [ "$(grep -c "is of the CLIP $theirs, the model has" <<<"$stderr")" -eq 1 ]
        # shellcheck disable=SC2086
        run -0 --separate-stderr $c -m pipe -q -o out.clip
        [ "$stderr" = "" ]
        # shellcheck disable=SC2086
        run -1 --separate-stderr $c -m pipe --strict -o out.clip
    done
    # a prior's image_embed is of the prior, whose text was told of
    prior -q -m pipe --steps 1 other.text | decode64 -m pipe --no-text --steps 1 >out.clip 2>err
    [ ! -s err ]
    # without an image tower nothing is certain
    mv pipe/image_encoder gone
    run -0 --separate-stderr prior -m pipe --steps 1 -o out.clip other.text
    [ "$stderr" = "" ]
}
