#!/usr/bin/env bats
# prior with the tiny autoregressive prior of tests/golden/ar_prior, on the texts of tests/golden/karlo.  What both priors
# share is in unclip.bats.

bats_require_minimum_version 1.5.0

setup() {
    BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
    G=$BATS_TEST_DIRNAME/../golden
    PATH=$BIN:$PATH
    export UNCLIP_MODEL=$G/ar_prior
    U="--uncond=$G/karlo/empty.clip"
    T=$G/karlo/text.clip
    cd "$BATS_TEST_TMPDIR" || return 1
    # 4 texts: the same embedding under other ids
    for i in 1 2 3 4; do record-json "$T" | jq -c ".id = \"text $i\"" | record-json --from-json; done >four.clip
}

# Fields of all records, as JSON.
field() { record-json --arrays "$1" | jq -c "$2"; }

# A copy of the model in DIR, with the config changed by a jq program.
edited() { mkdir -p "$1/prior" && jq "$2" "$G/ar_prior/prior/config.json" >"$1/prior/config.json" && cp "$G/ar_prior/prior/model.safetensors" "$1/prior"; }

@test "prior: codes drawn as torch draws them" {
    # draw.one and draw.four of tests/golden/ar_prior/io.safetensors, the first two components of each embedding
    prior --rng torch --precision f32 "$U" -g 4 "$T" >one.clip
    [ "$(field one.clip '.data.image_embed[:2] | map(. * 1000 | round)')" = '[-1118,-1649]' ]
    prior --rng torch --precision f32 "$U" -n 4 -g 3 --temperature 0.7 --dot-quantile 0.85 -s 7 -b 3 "$T" >four.clip
    [ "$(field four.clip '.data.image_embed[:2] | map(. * 1000 | round)' | tr -d '\n')" = '[-2506,-1358][-1101,-2480][-3499,-2683][-1871,-146]' ]
    # 13 tokens of 64 buckets, two outputs of the generator for each weight
    [ "$(field one.clip '.data.params[0][1] | [.rng_used, .rng_rows, .temperature, .dot_quantile, .guidance, .steps]')" = '[1664,1,1,0.5,4,null]' ]
    [ "$(field four.clip '.data.params[0][1] | [.rng_used, .rng_rows, .temperature, .dot_quantile, .guidance]' | sort -u)" = '[6656,4,0.7,0.85,3]' ]
}

@test "prior: codes, the same bytes for any threads, batch and split" {
    prior "$U" -g 2 -n 3 --best-of 2 -j 1 -b 1 four.clip >one.clip
    [ "$(record-json one.clip | wc -l)" -eq 12 ]
    for b in 2 5 16 100; do
        prior "$U" -g 2 -n 3 --best-of 2 -j 3 -b $b four.clip | cmp - one.clip
    done
    for i in 1 2 3 4; do
        record-json four.clip | sed -n "${i}p" | record-json --from-json | prior "$U" -g 2 -n 3 --best-of 2
    done | cmp - one.clip
    [ "$(field one.clip .data.image_embed | sort -u | wc -l)" -eq 12 ]
}

@test "prior: codes, the same for torch's generator in any batch, and by samples of samples" {
    prior --rng torch -n 5 -b 2 four.clip >a.clip
    prior --rng torch -n 5 -b 16 four.clip | cmp - a.clip
    # the rows of a sample go on where the samples before stopped: decode64 reads rng_used and rng_rows
    prior --rng torch -n 2 "$T" >two.clip
    prior --rng torch two.clip >again.clip
    [ "$(field again.clip '[.id, .data.params[-1][1].rng_used, .data.params[-1][1].rng_rows]' | tr -d '\n')" = '["text#0",6656,2]["text#1",6656,2]' ]
    [ "$(field again.clip .data.image_embed | sort -u | wc -l)" -eq 2 ]
}

@test "prior: codes, seeds, samples and noise ids decide, places in the stream do not" {
    prior four.clip >a.clip
    [ "$(field a.clip .data.image_embed | sort -u | wc -l)" -eq 4 ]
    prior --noise-id same four.clip >b.clip
    [ "$(field b.clip .data.image_embed | sort -u | wc -l)" -eq 1 ]
    prior -s 1 four.clip >c.clip
    [ "$(field c.clip .data.image_embed | sed -n 1p)" != "$(field a.clip .data.image_embed | sed -n 1p)" ]
    prior -n 3 "$T" >three.clip
    prior "$T" >one.clip    # without guidance no empty text is needed
    [ "$(field one.clip .data.params[0][1].guidance)" = 1 ]
    [ "$(field one.clip .data.image_embed)" = "$(field three.clip .data.image_embed | sed -n 1p)" ]
}

@test "prior: best of two is the nearer one of the two" {
    prior -n 2 four.clip >all.clip
    prior --best-of 2 four.clip >best.clip
    cos='.data | (.image_embed as $a | .text_embed as $b | [range($a | length)] | map($a[.] * $b[.]) | add) / ((.image_embed | map(. * .) | add | sqrt) * (.text_embed | map(. * .) | add | sqrt))'
    field all.clip "$cos" | paste - - | awk '{ print ($1 > $2 ? $1 : $2) }' >want
    field best.clip "$cos" | paste want - | awk '{ d = $1 - $2; if (d < -1e-5 || d > 1e-5) exit 1; n++ } END { exit n != 4 }'
    [ "$(field best.clip '.data.params[0][1].best_of' | sort -u)" = 2 ]
}

@test "prior: temperature, dot quantile and guidance change the draw" {
    { prior -g 1 "$T"
      for o in "-g 4" "-g 4 --temperature 3" "-g 4 --dot-quantile 0" "-g 2"; do
        # shellcheck disable=SC2086
        prior "$U" $o "$T"
      done; } >all.clip
    [ "$(field all.clip .data.image_embed | sort -u | wc -l)" -eq 5 ]
    # the coldest draw takes the best code everywhere, so only the dot product is left to chance
    prior "$U" -g 4 --temperature 0.001 -n 64 "$T" >cold.clip
    prior "$U" -g 4 --temperature 0.001 -n 64 --dot-quantile 0.999 "$T" >high.clip
    [ "$(field high.clip .data.image_embed | sort -u | wc -l)" -lt "$(field cold.clip .data.image_embed | sort -u | wc -l)" ]
}

@test "prior: an option of the other prior is refused" {
    run -2 prior --steps 5 "$T"
    [ "$output" = "prior: --steps is for the diffusion prior" ]
    for o in temperature dot-quantile; do
        run -2 prior -m "$G/karlo" --$o 0.5 "$U" "$T"
        [ "$output" = "prior: --$o is for the autoregressive prior" ]
    done
    # without guidance nothing reads the text to lead away from
    for o in "" "-g 1" "-g 0.5" "-m $G/karlo -g 1"; do
        # shellcheck disable=SC2086
        run -2 prior $o --uncond none.clip "$T"
        [ "$output" = "prior: --uncond is for -g above 1" ]
    done
    run -2 prior --dot-quantile 1 "$T"
    [[ "$output" == *"--dot-quantile"*"0.9999"* ]]
    run -2 prior --temperature 0 "$T"
    [[ "$output" == *"--temperature"* ]]
}

@test "prior: the first path that has a prior counts, and its config says which" {
    prior -v -m "$G/karlo" -m "$G/ar_prior" "$U" "$T" 2>said >d.clip
    grep -q 'karlo/prior/diffusion_pytorch_model.safetensors: 3 layers of 64, 25 steps' said
    prior -v -m "$G/clip" -m "$G/ar_prior" -m "$G/karlo" "$T" 2>said >a.clip
    grep -q 'ar_prior/prior/model.safetensors: 3 layers of 32, 12 codes of 64 buckets' said
    prior -m "$G/ar_prior/prior" "$T" | cmp - a.clip
    # each with a fingerprint of its own, and what one made goes on to the decoder
    [ "$(field a.clip .data.model.image_embed)" != "$(field d.clip .data.model.image_embed)" ]
    decode64 -m "$G/karlo" "$U" --steps 2 a.clip >image.clip
    [ "$(field image.clip '.data.image | length')" -eq 3 ]
}

@test "prior: a hostile folder is named with what is wrong" {
    refuse() {
        run -2 prior -m ./m "$T"
        [ "$output" = "prior: $1" ]
        rm -r m
    }
    edited m '.num_codes = 13'
    refuse "./m/prior/model.safetensors: tensor positional_embedding is [1, 90, 32], expected [1, 91, 32]"
    edited m 'del(.num_buckets)'
    refuse "./m/prior/config.json: num_buckets is missing"
    edited m '.num_layers = 16777217'
    refuse "./m/prior/config.json: num_layers is not a number from 1 to 16777216"
    edited m '.num_attention_heads = 16777216 | .attention_head_dim = 16777216'
    refuse "./m/prior/model.safetensors: autoregressive prior of 3 layers, width 281474976710656, embedding 32, context 77 is out of range"
    edited m '.num_layers = 2'
    refuse "./m/prior/model.safetensors: tensor transformer_blocks.2.attn1.to_k.bias is not part of the autoregressive prior that its config describes"
    edited m '.rotary = true'
    refuse "./m/prior/config.json: rotary is set, which is not supported"
    edited m '._class_name = "PriorTransformer"'    # a diffusion prior has its weights in another file
    refuse "no prior in ./m; 'unclip help overview' names models and what they hold"
    edited m . && rm m/prior/model.safetensors
    refuse "no prior in ./m (prior/config.json is there, and model.safetensors is not); 'unclip help overview' names models and what they hold"
    edited m . && head -c 100000 "$G/ar_prior/prior/model.safetensors" >m/prior/model.safetensors
    run -2 prior -m ./m "$T"
    [[ "$output" == "prior: ./m/prior/model.safetensors: "* ]]
}

@test "prior: a record without text_states is named" {
    record-json "$T" | jq -c 'del(.data.text_states)' | record-json --from-json >bare.clip
    run -1 --separate-stderr prior bare.clip
    [ "$stderr" = "prior: bare.clip: record 1 (text): text_embed without text_states (clip-embed -S leaves them out, and embed-mix does where it cannot mix them)" ]
}

@test "prior: codes, a run that was cut goes on to the same records" {
    prior -n 3 four.clip >whole.clip
    head -c 9000 whole.clip >part.clip
    prior -q -n 3 -o part.clip --skip-from part.clip four.clip
    cmp part.clip whole.clip
}

@test "prior: codes from packed weights are those from the checkpoint" {
    export UNCLIP_CACHE=$PWD/cache
    prior four.clip >a.clip
    prior four.clip | cmp - a.clip
    prior --cache none four.clip | cmp - a.clip
}
