#!/usr/bin/env bats
# -m: the same random CLIP in every layout gives the same vectors and the same fingerprint;
# what cannot be used is named, exit 2.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
    PATH=$BIN:$AID:$PATH
    PICTURE=$BATS_TEST_DIRNAME/../golden/images/rgb.png
    unset UNCLIP_MODEL
    cd "$BATS_TEST_TMPDIR" || return
}

# vectors MODEL: the image_embed and text_embed of one picture and one list of tokens, in hex
vectors() {
    { clip-embed -m "$1" --crop=hf -o - "$PICTURE"
      python3 -c '
import msgpack, sys
sys.stdout.buffer.write(msgpack.packb({"unclip": 1, "id": "t", "data": {"tokens": [62, 3, 9, 63]}}))' |
          clip-embed -m "$1" -S -o -
    } | python3 -c '
import msgpack, sys
for r in msgpack.Unpacker(sys.stdin.buffer, raw=False):
    for k in ("image_embed", "text_embed"):
        if k in r["data"]:
            print(k, r["data"][k][b"data"].hex())'
}

print_of() {
    clip-embed -m "$1" --info | sed -n 's/^fingerprint: //p'
}

@test "one model, six layouts: the same vectors; joint ones have the same fingerprint" {
    for l in hf split openclip openai torch; do make_model -d mix -l $l micro $l; done
    want=$(vectors hf)
    [ "$(wc -l <<<"$want")" = 2 ]
    for m in split openclip openai/micro.pt hf/model.safetensors; do
        [ "$(vectors $m)" = "$want" ]
    done
    [ "$(print_of hf)" = "$(print_of openclip)" ]
    [ "$(print_of hf)" = "$(print_of openai/micro.pt)" ]
    [ "$(print_of split | wc -l)" = 2 ]
}

@test "a ResNet, as OpenAI's archive and as an open_clip folder" {
    make_model -l openai micro-rn a
    make_model -l openclip micro-rn b
    [ "$(clip-embed -m a/micro-rn.pt -o - "$PICTURE" | cksum)" = "$(clip-embed -m b -o - "$PICTURE" | cksum)" ]
}

@test "a bare state dict wants --activation; gelu and quick_gelu differ" {
    make_model -l torch micro t
    run -2 --separate-stderr clip-embed -m t/micro.pt -o x "$PICTURE"
    [ "$stderr" = "clip-embed: t/micro.pt: nothing says which activation it was trained with: use --activation" ]
    clip-embed -m t/micro.pt --activation=gelu -o x "$PICTURE"
    clip-embed -m t/micro.pt --activation=quick_gelu -o y "$PICTURE"
    run -1 cmp -s x y
}

@test "each component comes from the first path that has it" {
    make_model -l split -s 1 micro one
    make_model -l split -s 2 micro two
    rm -r two/text_encoder
    clip-embed -m two -m one --info >out
    grep -q '^weights: one/text_encoder/model.safetensors ' out
    grep -q '^weights: two/image_encoder/model.safetensors ' out
}

@test "no model: every place tried is named" {
    mkdir empty
    echo merges >m.txt
    run -2 --separate-stderr clip-embed -m empty -m m.txt -m gone -o x "$PICTURE"
    [ "$stderr" = "clip-embed: no image tower in empty (no config.json), m.txt (neither safetensors nor a PyTorch file), gone (no such file or directory)" ]
    [ ! -s x ]
}

@test "a broken model is named, whatever comes after it" {
    make_model micro good
    mkdir bad
    cp good/*.json bad
    head -c 3000 good/model.safetensors >bad/model.safetensors
    run -2 --separate-stderr clip-embed -m bad -m good -o x "$PICTURE"
    [[ $stderr = "clip-embed: bad/model.safetensors: header of "*" bytes does not fit into the file of 3000" ]]
    cp good/model.safetensors bad
    sed -i 's/"hidden_size": 64/"hidden_size": 128/' bad/config.json
    run -2 --separate-stderr clip-embed -m bad -o x "$PICTURE"
    [ "$stderr" = "clip-embed: bad/model.safetensors: text width is 128, but the tensors have 64" ]
    sed 's/quick_gelu/swish/' good/config.json >bad/config.json
    run -2 --separate-stderr clip-embed -m bad -o x "$PICTURE"
    [ "$stderr" = "clip-embed: bad/config.json: hidden_act swish is not supported" ]
}

@test "a FIFO is no model, and does not hang" {
    mkfifo fifo
    run -2 --separate-stderr timeout 10 clip-embed -m fifo -o x "$PICTURE"
    [ "$stderr" = "clip-embed: fifo: not a regular file" ]
}

@test "a checkpoint cut anywhere: one line, exit 2, no output" {
    make_model -l openai micro m
    size=$(wc -c <m/micro.pt)
    for k in 0 1 100 $((size / 2)) $((size - 1)); do
        head -c "$k" m/micro.pt >cut.pt
        run -2 --separate-stderr clip-embed -m cut.pt -o x "$PICTURE"
        [ "${#stderr_lines[@]}" = 1 ]
        [[ $stderr = "clip-embed: "*cut.pt* ]]
    done
}
