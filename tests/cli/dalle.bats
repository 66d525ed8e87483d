#!/usr/bin/env bats
# dalle: candidates that depend on nothing but their own numbers, picture prompts, resuming, and inputs that do not belong.
# The models are tiny, with random weights (tests/golden/dalle).
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    BIN=${BIN:-$ROOT/build/bin}
    export ROOT BIN G=$ROOT/tests/golden/dalle PATH="$BIN:$PATH" LC_ALL=C UNCLIP_CACHE=none
    cd "$BATS_FILE_TMPDIR" || return 1
    mkdir v3 v2
    for v in v2 v3; do
        cp "$G/rudalle/pytorch_model_$v.bin" "$G/rudalle/bpe.model" $v
        cp "$G/rudalle/config_$v.json" $v/config.json
    done
    cp -r "$G/mindalle" "$G/dallemini" .
    printf '%s\n' 'a red cat in a hat' 'the sun' | clip-tok -m v3 >two
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

tokens() {
    record-json "$@" | jq -c .data.image_tokens
}

@test "every family draws, and says how likely each candidate is" {
    for m in v3 v2 mindalle dallemini; do
        dalle -m $m -n 3 two >$m.rec
        [ "$(record-json $m.rec | wc -l)" = 6 ]
        record-json $m.rec | jq -se 'all(.[]; (.data.image_tokens | length) == .data.grid[0] * .data.grid[1] and .data.logp < 0 and .data.root == (.id | sub("#.*"; "")))' >/dev/null
        [ "$(tokens $m.rec | sort -u | wc -l)" = 6 ]
    done
}

@test "a candidate is the same in any batch, on any number of threads, alone and among others" {
    for m in v3 v2 mindalle dallemini; do
        dalle -m $m -n 5 --precision f32 two >want
        for o in '-b 1' '-b 2 -j 1' '-b 5 -j 3' '-j 5'; do
            # shellcheck disable=SC2086
            dalle -m $m -n 5 --precision f32 $o two | cmp - want
        done
        dalle -m $m --precision f32 two | tokens | cmp - <(record-json want | jq -c 'select(.id | endswith("#0")) | .data.image_tokens')
    done
}

@test "text through the model's own tokenizer, or tokens of its vocabulary: the same picture" {
    record-json two | jq -c 'del(.data.tokens, .data.model)' | record-json --from-json >texts
    dalle -m v3 texts | tokens | cmp - <(dalle -m v3 two | tokens)
    # tokens of another vocabulary are not read
    clip-tok -m mindalle 'the sun' | dalle -m v3 | tokens | cmp - <(dalle -m v3 two | tokens | tail -1)
}

@test "a text whose tokens were left out is tokenized" {
    record-json two | jq -c 'del(.data.tokens)' | record-json --from-json >untokened
    [ "$(record-json untokened | jq -c .data.model.tokens | sort -u | wc -l)" = 1 ]
    dalle -m v3 --noise-id one untokened >got
    dalle -m v3 --noise-id one two >want
    cmp <(tokens got) <(tokens want)
}

@test "seeds, temperature and guidance change the picture; top-k 1 does not depend on the seed" {
    [ "$(for s in 0 1 2; do dalle -m v3 -s $s two | tokens; done | sort -u | wc -l)" = 6 ]
    [ "$(for s in 0 1 2; do dalle -m v3 --top-k 1 -s $s two | tokens; done | sort -u | wc -l)" = 2 ]
    dalle -m v3 --top-k 1 two >plain
    dalle -m v3 --top-k 1 -g 4 two >guided
    [ "$(tokens guided | wc -l)" = 2 ]
    [ "$(tokens guided)" != "$(tokens plain)" ]
    dalle -m mindalle two >plain
    dalle -m mindalle --temperature 2 two >warm
    [ "$(tokens warm | wc -l)" = 2 ]
    [ "$(tokens warm)" != "$(tokens plain)" ]
}

@test "picture prompts: what is kept is kept, and the rest is drawn" {
    dalle -m v3 two >first
    dalle -m v3 -s 7 --keep-top 10 first >second
    paste <(tokens first) <(tokens second) | while IFS=$'\t' read -r a b; do
        jq -ne --argjson a "$a" --argjson b "$b" '$a[:160] == $b[:160] and $a[160:] != $b[160:]' >/dev/null || exit 1
    done
    dalle -m v3 -s 7 --keep 0,0,16,2 --keep 4,8,3,8 first >third
    paste <(tokens first) <(tokens third) | while IFS=$'\t' read -r a b; do
        jq -ne --argjson a "$a" --argjson b "$b" '[range(256) | select(. < 32 or (. % 16 >= 4 and . % 16 < 7 and . >= 128)) | $a[.] == $b[.]] | all' >/dev/null || exit 1
    done
    # all of it: the same picture
    dalle -m v3 -s 9 --keep-top 16 first | tokens | cmp - <(tokens first)
    # one candidate stands for all while rows are given
    dalle -m v3 --precision f32 -s 7 -n 3 --keep-top 10 first >many
    dalle -m v3 --precision f32 -s 7 -n 3 -b 1 --keep-top 10 first | cmp - many
}

@test "picture prompts from vq: a record without text and tokens gets the empty text" {
    local m net side kept
    cp "$ROOT/examples/emoji/demo/fish.png" .
    for m in v3:gumbel:32:32 v2:gumbel:24:24 mindalle:vq:64:32 dallemini:vq:64:32; do
        IFS=: read -r m net side kept <<<"$m"
        vq -m "$G/vqgan/$net" --side "$side" fish.png >picture
        record-json picture | jq -c '.data.text = ""' | record-json --from-json >empty-text
        vq -m "$G/vqgan/$net" --side "$side" fish.png | dalle -m "$m" --keep-top 2 --noise-id fish >drawn
        [ "$(tokens drawn | jq -c ".[:$kept]")" = "$(tokens picture | jq -c ".[:$kept]")" ]
        dalle -m "$m" --keep-top 2 --noise-id fish empty-text | tokens | cmp - <(tokens drawn)
    done
    # without an option that keeps tokens a text is needed, and tokens that the model cannot read are not the empty text
    run -1 --separate-stderr dalle -m v3 picture
    [ "${stderr_lines[0]}" = "dalle: picture: record 1 (fish.png): no text (clip-tok makes it of a line of text)" ]
    record-json picture | jq -c '.data.tokens = [1]' | record-json --from-json >foreign
    run -1 --separate-stderr dalle -m v3 --keep-top 2 foreign
    [ "${stderr_lines[0]}" = "dalle: foreign: record 1 (fish.png): no text (clip-tok makes it of a line of text)" ]
}

@test "picture prompts that do not fit" {
    run -1 --separate-stderr dalle -m v3 --keep-top 3 two
    [ "${stderr_lines[0]}" = "dalle: two: record 1 (a red cat in a hat): no image_tokens (vq makes them of a picture, dalle of a text)" ]
    run -2 --separate-stderr dalle -m v3 --keep-top 17 two
    [ "$stderr" = "dalle: --keep-top: the model draws 16 rows" ]
    # --keep is read before the input: the named file does not exist
    for part in 0.5,0,1,1 0,0,1.5,1 0,0,0,0 0,0,1,0 10,0,7,1 0,10,1,7 1,2,3 1,2,3,4,5; do
        run -2 --separate-stderr dalle -m v3 --keep 0,0,1,1 --keep "$part" none.clip
        [ "$stderr" = "dalle: --keep: '$part' is not X,Y,W,H in whole tokens, a part of a picture of 16 x 16 tokens" ]
    done
    for part in a,0,1,1 0,0,17,1; do
        run -2 --separate-stderr dalle -m v3 --keep "$part" none.clip
        [ "$stderr" = "dalle: --keep: '$part' is not a list of numbers from 0 to 16" ]
    done
    dalle -m v2 two >small
    run -1 --separate-stderr dalle -m v3 --keep-top 1 small
    [[ "${stderr_lines[0]}" = *"grid: 12 x 12 tokens; the model draws 16 x 16" ]]
}

@test "what is drawn so far" {
    dalle -m v3 --every 100 two >steps
    [ "$(record-json steps | wc -l)" = 6 ]
    [ "$(tokens steps | head -1 | jq '.[100:] | unique | length')" = 1 ]
    [ "$(tokens steps | head -1 | jq -c '.[:100]')" = "$(tokens steps | sed -n 3p | jq -c '.[:100]')" ]
}

@test "what is drawn so far: tokens that are kept do not count" {
    dalle -m v3 two >first
    dalle -m v3 -s 7 --every 64 --keep-top 10 first >steps    # 160 tokens are kept, 96 are drawn
    record-json steps | jq -c '.data | [.params[-1][1].drawn, .logp == 0]' >got
    [ "$(cat got)" = "$(printf '%s\n' '[0,true]' '[0,true]' '[32,false]' '[null,false]' '[0,true]' '[0,true]' '[32,false]' '[null,false]')" ]
    # logp is the mean over the drawn tokens: with all tokens but one kept, the part and the whole have the same mean
    dalle -m v3 -s 7 --every 255 --keep 0,0,16,15 --keep 1,15,15,1 first | record-json | jq -c '.data.logp' | uniq -c >got
    [ "$(awk '{ print $1 }' got)" = $'2\n2' ]
}

@test "resuming gives what an uninterrupted run gives" {
    dalle -m v3 -n 4 two -o whole
    head -c 4000 whole >part
    dalle -q -m v3 -n 4 two -o part --skip-from part
    record-json whole | sort >a
    record-json part | sort >b
    cmp a b
    dalle -q -m v3 -n 4 --activation gelu --skip-from whole two >none    # an option without effect does not count
    [ ! -s none ]
}

forty_eight() {
    [ ! -s forty-eight ] || return 0
    seq 24 | sed 's/^/a cat /' | clip-tok -m v3 >many
    dalle -m v3 -n 2 many >forty-eight
    [ "$(record-json forty-eight | wc -l)" = 48 ]
}

# A command on `many` in the background, whose output goes to part.  Waits until part has a record; sets pid.  A background
# command would ignore SIGINT.
begin() {
    rm -f part
    env --default-signal=INT "$@" -o part many &
    pid=$!
    for _ in $(seq 1200); do
        [ ! -s part ] || return 0
        sleep 0.05
    done
    return 1
}

@test "Ctrl-C leaves whole records, and the run goes on from there" {
    forty_eight
    begin dalle -m v3 -n 2
    kill -INT $pid
    s=0
    wait $pid || s=$?
    [ $s = 130 ]
    n=$(stat -c %s part)
    [ "$n" -lt "$(stat -c %s forty-eight)" ]
    head -c "$n" forty-eight | cmp - part
    run -0 --separate-stderr record-json part    # a cut record would be told
    [ -z "$stderr" ]
    dalle -q -m v3 -n 2 -o part --skip-from part many
    cmp part forty-eight
}

@test "killed and resumed: the records of a run that was not interrupted" {
    forty_eight
    begin dalle -m v3 -n 2
    for more in 1 20; do
        sleep 0.$more
        kill -9 $pid
        wait $pid || true
        [ "$(stat -c %s part)" -lt "$(stat -c %s forty-eight)" ]
        dalle -q -m v3 -n 2 -o part --skip-from part many &
        pid=$!
    done
    wait $pid
    cmp part forty-eight
}

@test "the cache of packed weights changes no byte" {
    dalle -V | grep -qE '^kernels:.* (avx2|avx512) ' || skip "no kernel that packs on this machine"
    [ -z "${SAN-}" ] || skip "not under a sanitizer: the other tests run this code"
    # the other tiny models are too small for the cache
    mkdir -p wide
    cp dallemini/vocab.json dallemini/merges.txt dallemini/config.json wide
    python3 - <<'END'
import json, struct, numpy as np
r = np.random.default_rng(1)
D, F, VOCAB, CODES = 256, 512, 380, 104

def save(name, shapes):
    head, data = {}, b''
    for k, shape in shapes.items():
        x = r.standard_normal(shape) * (0.02 if 'embed' in k else 1 / 16) + (k.endswith('norm.weight') or 'norm_embedding.weight' in k)
        x = x.astype('<f2').tobytes()
        head[k] = {'dtype': 'F16', 'shape': shape, 'data_offsets': [len(data), len(data) + len(x)]}
        data += x
    head = json.dumps(head).encode()
    open(f'wide/{name}.safetensors', 'wb').write(struct.pack('<Q', len(head)) + head + data)

def half(vocab, places, looks):
    s = {'embed_tokens.weight': [vocab, D], 'embed_positions.weight': [places, D]}
    for i in range(1):
        at = f'layers.{i}.'
        for a, before in looks:
            s[f'{at}{before}_layer_norm.bias'] = [D]
            for w in 'kvq':
                s[f'{at}{a}.{w}_proj.weight'] = [D, D]
            s[f'{at}{a}.out_proj.weight'] = [D, D]
            s[f'{at}{a}_layer_norm.weight'] = s[f'{at}{a}_layer_norm.bias'] = [D]
        s[at + 'glu.ln0.bias'], s[at + 'glu.ln1.bias'] = [D], [F]
        s[at + 'glu.fc0.weight'] = s[at + 'glu.fc1.weight'] = [F, D]
        s[at + 'glu.fc2.weight'] = [D, F]
    s['layernorm_embedding.weight'] = s['layernorm_embedding.bias'] = s['final_ln.bias'] = [D]
    return s

text = [('self_attn', 'pre_self_attn')]
save('encoder', half(VOCAB, 64, text))
save('decoder', {**half(CODES, 256, text + [('encoder_attn', 'pre_encoder_attn')]), 'lm_head.weight': [CODES, D]})
END
    sleep 2.1    # weights that changed less than two seconds ago are not kept
    for p in f32 bf16; do
        for m in "$ROOT/examples/emoji/dalle:gpt" wide:bart_encoder,bart_decoder; do
            dalle -m "${m%:*}" --cache=none --precision $p two >want || skip "no $p here"
            [ "$(tokens want | sort -u | wc -l)" = 2 ]
            dalle -m "${m%:*}" --cache=kept --precision $p two | cmp - want
            run --separate-stderr dalle -v -m "${m%:*}" --cache=kept --precision $p -o drawn two
            for part in $(tr , ' ' <<<"${m#*:}"); do
                [[ "$stderr" = *"cache: $part: "*" MiB found in $part."* ]] || { echo "$stderr"; false; }
            done
            cmp drawn want
            rm drawn
        done
    done
    # 95 and 96 codes take the same room
    dalle -m wide --cache=none two >want
    rm -r kept
    jq -c '.decoder_start_token_id -= 1' dallemini/config.json >wide/config.json
    dalle -m wide --cache=kept two >/dev/null
    cp dallemini/config.json wide
    dalle -m wide --cache=kept two | cmp - want
}

@test "--rng torch repeats a generator, and is another draw" {
    dalle -m v3 -n 2 --rng torch -s 5 --precision f32 two >a
    dalle -m v3 -n 2 --rng torch -s 5 --precision f32 -b 1 two | cmp - a
    dalle -m v3 -n 2 -s 5 --precision f32 two >b
    [ "$(tokens b | wc -l)" = 4 ]
    [ "$(tokens a)" != "$(tokens b)" ]
}

@test "what describes an earlier picture goes" {
    load earlier
    record-json two | head -1 | jq -c "$earlier | .data.image = .data.source | .data.model.image = \"0123456789abcdef\"" | record-json --from-json |
        dalle -m v3 >other
    [ "$(left <other)" = '"image_tokens grid logp cos logit prob rank label score theta"
"image_tokens"' ]
    record-json other | jq -e '.data.image == null and .data.logp != -1' >/dev/null
}

@test "--rng torch: candidates of another -n are not taken for those of this one" {
    dalle -m v3 -n 2 --rng torch -s 5 two >pairs
    dalle -m v3 -n 3 --rng torch -s 5 two >threes
    [ "$(tokens pairs | sed -n 2p)" != "$(tokens threes | sed -n 2p)" ]
    dalle -m v3 -n 3 --rng torch -s 5 --skip-from pairs two | cmp - threes
    head -c 4000 threes >part
    dalle -q -m v3 -n 3 --rng torch -s 5 -o part --skip-from part two
    cmp <(record-json part | sort) <(record-json threes | sort)
    # with the own generator a candidate is the same for each -n
    dalle -m v3 -n 2 -s 5 two >pairs
    dalle -m v3 -n 3 -s 5 --skip-from pairs two >rest
    [ "$(record-json rest | jq -r .data.sample[0] | sort -u)" = 2 ]
    # a picture prompt from such a candidate is drawn on in a call of its own
    dalle -m v3 --rng torch --keep-top 15 threes >again
    [ "$(record-json again | wc -l)" = 6 ]
}

@test "tokens become pictures" {
    dalle -m v3 -n 2 two | vq -d -m "$ROOT/tests/golden/dalle/vqgan/gumbel" | record-json --info >info
    grep -q '^field.image.4.f32' info
}

@test "a network that overflows: the record fails" {
    cp -r mindalle huge
    python3 - mindalle/stage2_last.ckpt huge/stage2_last.ckpt <<'END'
import sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as old, zipfile.ZipFile(sys.argv[2], 'w') as new:
    for i in old.infolist():
        b = old.read(i)
        new.writestr(i.filename, b'\x7f' * len(b) if '/data/' in i.filename and len(b) == 4 * 48 else b)    # gains and biases of 3e38
END
    for o in '' '-n 3 -b 2 -j 2' '--rng torch'; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr dalle -m huge $o -o out two
        [ "${stderr_lines[0]}" = "dalle: two: record 1 (a red cat in a hat): candidate 0, token 0: scores that are not numbers" ]
        [ ! -s out ]
    done
}

@test "a tokenizer with more tokens than the model is refused" {
    local n
    cp -r dallemini vocab_many
    n=$(jq length dallemini/vocab.json)
    jq -c '.["a</w>"] = 4194303' dallemini/vocab.json >vocab_many/vocab.json
    run -2 --separate-stderr dalle -m vocab_many two
    [[ "$stderr" == "dalle: vocab_many/encoder.pt: the model has $n text tokens, its tokenizer 4194304" ]]
    mkdir vocab_other
    cp v3/pytorch_model_v3.bin v3/config.json vocab_other
    cp dallemini/vocab.json dallemini/merges.txt vocab_other
    run -2 --separate-stderr dalle -m vocab_other two
    [[ "$stderr" == "dalle: vocab_other/pytorch_model_v3.bin: the model has "*" text tokens, its tokenizer $n" ]]
}

@test "DALL-E mini's files next to mega's config and vocabulary" {
    mkdir flat_mini
    for f in encoder.pt decoder.pt vocab.json merges.txt config.json; do
        cp "dallemini/$f" "flat_mini/${f%.*}_mini.${f##*.}"
    done
    echo '{"encoder_attention_heads": 1, "decoder_attention_heads": 1, "decoder_start_token_id": 5}' >flat_mini/config.json
    jq -c 'map_values(379 - .)' dallemini/vocab.json >flat_mini/vocab.json
    cp dallemini/merges.txt flat_mini
    dalle -m flat_mini -n 2 --precision f32 two | tokens | cmp - <(dalle -m dallemini -n 2 --precision f32 two | tokens)
    cmp <(clip-tok -m flat_mini --ids 'a red cat') <(clip-tok -m dallemini --ids 'a red cat')
}

@test "what is missing is named" {
    run -2 --separate-stderr dalle -m "$ROOT/tests/golden/dalle/rudalle" two
    [[ "$stderr" = *"a config.json with num_attention_heads is needed next to it: 8 layers of width 48 are not a published model" ]]
    run -2 --separate-stderr dalle -m "$ROOT/tests/golden/clip" two
    [[ "$stderr" = "dalle: no transformer that draws picture tokens in "* ]]
    cp -r "$ROOT/tests/golden/dalle/dallemini" twice
    cp twice/detoker.pt twice/encoder.pt
    run -2 --separate-stderr dalle -m twice two
    [[ "$stderr" = "dalle: no transformer that draws picture tokens in twice (encoder.pt: "* ]]
    cp -r v3 bare && rm bare/bpe.model
    run -2 --separate-stderr dalle -m bare two
    [[ "$stderr" = "dalle: no tokenizer of picture-drawing models in bare"* ]]
    echo '{"unclip":1,"id":"a","data":{}}' | record-json --from-json >empty
    run -1 --separate-stderr dalle -m v3 empty
    [ "${stderr_lines[0]}" = "dalle: empty: record 1 (a): no text (clip-tok makes it of a line of text)" ]
}
