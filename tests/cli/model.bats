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
    [ "$stderr" = "clip-embed: no image tower in empty (no config.json), m.txt (neither safetensors nor a PyTorch file), gone (no such file or directory); 'unclip help overview' names models and what they hold" ]
    [ ! -s x ]
}

@test "\$UNCLIP_MODEL: no path is lost; more than 16 are refused, as with -m" {
    make_model -d mix -l hf micro m
    paths=$(printf 'none%.0s:' $(seq 15))
    UNCLIP_MODEL=$paths:m: clip-embed "$PICTURE" >have    # empty paths do not count
    clip-embed -m m "$PICTURE" | cmp - have
    UNCLIP_MODEL=none:$paths:m run -2 --separate-stderr clip-embed "$PICTURE"
    [ "$stderr" = 'clip-embed: $UNCLIP_MODEL may name 16 models at most' ]
    # shellcheck disable=SC2046
    run -2 --separate-stderr clip-embed $(printf -- '-m none%.0s ' $(seq 16)) -m m "$PICTURE"
    [ "$stderr" = 'clip-embed: --model may be given 16 times at most' ]
}

@test "a repository of the Hugging Face cache is found by its name" {
    make_model micro good
    for home in hub xdg/huggingface/hub home/.cache/huggingface/hub; do
        mkdir -p $home/models--openai--clip-micro/refs $home/models--openai--clip-micro/snapshots
        cp -r good $home/models--openai--clip-micro/snapshots/abc
        printf abc >$home/models--openai--clip-micro/refs/main
    done
    unset HF_HOME HF_HUB_CACHE XDG_CACHE_HOME
    clip-embed -m good -o want "$PICTURE"
    HF_HUB_CACHE=$PWD/hub clip-embed -m openai/clip-micro -o a "$PICTURE"
    HF_HOME=$PWD UNCLIP_MODEL=openai/clip-micro clip-embed -v -o b "$PICTURE" 2>said
    grep -qxF "clip-embed: image tower: $PWD/hub/models--openai--clip-micro/snapshots/abc" said
    XDG_CACHE_HOME=$PWD/xdg clip-embed -m openai/clip-micro -o c "$PICTURE"
    HOME=$PWD/home clip-embed -m openai/clip-micro -o d "$PICTURE"
    HOME=$PWD/home clip-embed -m home/.cache/huggingface/hub/models--openai--clip-micro -o e "$PICTURE"
    for f in a b c d e; do cmp $f want; done
    HF_HOME=$PWD run -2 --separate-stderr clip-embed -m openai/clip-giant "$PICTURE" -o x
    [ "$stderr" = "clip-embed: no image tower in openai/clip-giant (no such directory, and not in the Hugging Face cache $PWD/hub); 'unclip help overview' names models and what they hold" ]
    # a path of that name comes first
    mkdir -p openai/clip-micro
    HF_HOME=$PWD run -2 --separate-stderr clip-embed -m openai/clip-micro "$PICTURE" -o x
    [[ $stderr = "clip-embed: no image tower in openai/clip-micro (no config.json"* ]]
}

@test "weights without a vocabulary: what to put where, and the vocabulary of a Python package" {
    compgen -G '/usr/*/python3*/*-packages/*clip/bpe_simple_vocab_16e6.txt.gz' && skip "a Python of this machine has OpenAI's vocabulary"
    export HOME=$PWD/home
    unset XDG_DATA_HOME VIRTUAL_ENV CONDA_PREFIX
    make_model -l openai micro m
    put="put OpenAI's bpe_simple_vocab_16e6.txt.gz next to"
    run -0 --separate-stderr clip-embed -m m/micro.pt -o x "$PICTURE"
    [ "$stderr" = "clip-embed: m/micro.pt: it has no vocabulary, so clip-tok and rank --text will not work with it: $put it ('make vocab' fetches it)" ]
    run -0 --separate-stderr clip-embed -q -m m/micro.pt -o x "$PICTURE"
    [ "$stderr" = "" ]
    run -2 --separate-stderr clip-tok -m m/micro.pt 'a cat'
    [ "$stderr" = "clip-tok: no tokenizer (merges.txt, bpe_simple_vocab_16e6.txt.gz or tokenizer.json) in m/micro.pt; $put the weights, or name it with another -m ('make vocab' fetches it)" ]
    run -2 --separate-stderr clip-tok -m gone 'a cat'
    [ "$stderr" = "clip-tok: no tokenizer (merges.txt, bpe_simple_vocab_16e6.txt.gz or tokenizer.json) in gone (no such file or directory); 'unclip help overview' names models and what they hold" ]
    gzip -c "$BATS_TEST_DIRNAME/../golden/tok/small_merges.txt" >v.gz
    for d in venv/lib/python3.11/site-packages/clip conda/lib/python3.12/site-packages/open_clip home/.local/lib/python3.9/site-packages/clip \
        home/.local/share/unclip xdg/unclip; do
        mkdir -p $d
        cp v.gz $d/bpe_simple_vocab_16e6.txt.gz
        VIRTUAL_ENV=$PWD/venv CONDA_PREFIX=$PWD/conda XDG_DATA_HOME=$PWD/xdg clip-tok -v -m m/micro.pt 'a cat' 2>said >tok
        grep -qxF "clip-tok: vocabulary: $PWD/$d/bpe_simple_vocab_16e6.txt.gz" said
        [ "$(record-json tok | jq -c .data.tokens)" = "$(clip-tok -m v.gz 'a cat' | record-json | jq -c .data.tokens)" ]
        VIRTUAL_ENV=$PWD/venv CONDA_PREFIX=$PWD/conda XDG_DATA_HOME=$PWD/xdg run -0 --separate-stderr clip-embed -m m/micro.pt -o x "$PICTURE"
        [ "$stderr" = "" ]
        [ $d = home/.local/share/unclip ] || rm -r "${d%%/*}"
    done
    # the vocabulary is for weights only
    VIRTUAL_ENV=$PWD/venv run -2 --separate-stderr clip-tok -m gone 'a cat'
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

@test "a FIFO is not a model, and does not hang" {
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
