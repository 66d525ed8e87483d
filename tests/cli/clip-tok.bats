#!/usr/bin/env bats
# clip-tok: exact status, exact messages, both ways.  The small merges are those of tests/golden/tok.

bats_require_minimum_version 1.5.0

setup() {
    PATH=$BIN:$PATH
    export UNCLIP_MODEL=$BATS_TEST_DIRNAME/../golden/tok/small_merges.txt
    GOLDEN=$BATS_TEST_DIRNAME/../golden/tok
    cd "$BATS_TEST_TMPDIR" || return
}

@test "ids of operands, lines, files and NUL-ended items agree" {
    run -0 clip-tok --ids 'a red apple' "it's"
    want=$output
    [ "$want" = "715 320 610 622 716
715 563 569 716" ]
    printf "a red apple\nit's" >texts
    run -0 clip-tok --ids <texts
    [ "$output" = "$want" ]
    run -0 clip-tok --ids -f texts
    [ "$output" = "$want" ]
    printf "a red apple\r\nit's\r\n" >texts
    run -0 clip-tok --ids -f - <texts
    [ "$output" = "$want" ]
    printf "\357\273\277a red\napple\0it's\0" >texts
    tr -d '\357\273\277' <texts >nul
    clip-tok -0 --ids <nul | tr '\0' '\n' >got
    [ "$(cat got)" = "$want" ]
}

@test "records hold id, text, tokens, truncated, and the hash of the merges" {
    clip-tok 'A red apple' >got
    printf '\203\246unclip\001\242id\253A red apple\244data\205\244text\253A red apple\246tokens' >want
    printf '\225\315\002\313\315\001\100\315\002\142\315\002\156\315\002\314\251truncated\302\245model\201' >>want
    printf '\246tokens\260d3e498237a9db880' >>want
    head -c "$(wc -c <want)" got | cmp - want
}

@test "an empty line is the empty prompt; nothing is nothing" {
    run -0 --separate-stderr clip-tok --ids <<<""
    [ "$output" = "715 716" ]
    [ -z "$stderr" ]
    run -0 clip-tok --ids </dev/null
    [ -z "$output" ]
    run -0 clip-tok </dev/null
    [ -z "$output" ]
}

@test "records and ids decode to the same text" {
    printf 'A  red&nbsp;apple!\n\nit\342\200\231s 12\n' >texts
    run -0 clip-tok --decode < <(clip-tok <texts)
    [ "$output" = "a red apple !

it 's 1 2" ]
    want=$output
    clip-tok --ids <texts >ids
    run -0 clip-tok --decode --ids ids
    [ "$output" = "$want" ]
    clip-tok -o records <texts
    run -0 clip-tok --decode records records
    [ "$output" = "$want"$'\n'"$want" ]
}

@test "what is cut off is named, refused, or left silently" {
    run -0 --separate-stderr clip-tok --ids --context 4 'a red apple'
    [ "$output" = "715 320 610 716" ]
    [ "$stderr" = "clip-tok: text 1: 5 tokens, the limit is 4: 'apple' is cut off" ]
    printf 'a\na red  APPLE\n' >texts
    run -1 --separate-stderr clip-tok --ids --context 4 --truncate error -f texts
    [ "$output" = "715 320 716" ]
    [ "$stderr" = "clip-tok: texts: line 2: 5 tokens, the limit is 4: 'apple' is cut off" ]
    run -0 --separate-stderr clip-tok --ids --context 4 --truncate=silent -f texts
    [ -z "$stderr" ]
    [ "${lines[1]}" = "715 320 610 716" ]
    run -0 --separate-stderr clip-tok --ids --context 4 -q -f texts
    [ -z "$stderr" ]
    run -0 --separate-stderr clip-tok --ids --context 3 "1 $(printf 'red %.0s' {1..40})"
    [ "$stderr" = "clip-tok: text 1: 43 tokens, the limit is 3: 'red red red red red red red red red red red red red red red ...' is cut off" ]
}

@test "special tokens only when asked" {
    run -0 clip-tok --ids --special 'a<|endoftext|>'
    [ "$output" = "715 320 716 716" ]
    run -0 clip-tok --decode --ids --special <<<"$output"
    [ "$output" = "a <|endoftext|> <|endoftext|>" ] || [ "$output" = "<|startoftext|> a <|endoftext|> <|endoftext|>" ]
    run -0 clip-tok --ids 'a<|endoftext|>'
    [[ $output != *716*716* ]]
}

@test "a bad text is named and skipped, the rest is done, the status is 1" {
    printf 'a\nb\377\na\n' >texts
    run -1 --separate-stderr clip-tok --ids -f texts
    [ "$output" = "715 320 716
715 320 716" ]
    [ "$stderr" = "clip-tok: texts: line 2: not UTF-8 at byte 1" ]
    run -1 --separate-stderr clip-tok --ids --strict -f texts
    [ "$output" = "715 320 716" ]
    run -1 --separate-stderr clip-tok --ids -f nothing -f texts
    [[ $stderr = "clip-tok: nothing: No such file or directory"* ]]
    [ "${#lines[@]}" = 2 ]
    run -1 --separate-stderr clip-tok --decode --ids <<<"320 x"
    [ "$stderr" = "clip-tok: -: line 1: not a line of token ids: byte 4" ]
    run -1 --separate-stderr clip-tok --decode --ids <<<"717"
    [ "$stderr" = "clip-tok: -: line 1: token 0 is 717, the vocabulary has 717" ]
    clip-tok --keep-errors -f texts >got 2>messages && return 1
    run -1 --separate-stderr clip-tok --decode got
    [ "$output" = "a
a" ]
    [ "$stderr" = 'clip-tok: got: record 2 (b\xff): not UTF-8 at byte 1' ]
}

@test "tokens of another vocabulary are not decoded" {
    printf '#version: 0.2\na b\n' >other
    run -1 --separate-stderr clip-tok -m other --decode < <(clip-tok a)
    [ "$stderr" = "clip-tok: -: record 1 (a): its tokens are of another vocabulary" ]
}

@test "a text of a megabyte, one of too many" {
    head -c 1000000 /dev/zero | tr '\0' a >long
    run -0 --separate-stderr clip-tok --ids --truncate silent -f long
    [ -z "$stderr" ]
    head -c 17000000 /dev/zero | tr '\0' a >long
    printf '\na\n' >>long
    run -1 --separate-stderr clip-tok --ids -f long -f long
    [ "$stderr" = "clip-tok: long: line 1: longer than 16777216 bytes
clip-tok: long: line 1: longer than 16777216 bytes" ]
    [ "$output" = "715 320 716
715 320 716" ]
}

@test "files that are not models" {
    run -2 --separate-stderr clip-tok -m nothing x
    [ "$stderr" = "clip-tok: no tokenizer (merges.txt, bpe_simple_vocab_16e6.txt.gz or tokenizer.json) in nothing (no such file or directory); 'unclip help overview' names models and what they hold" ]
    mkdir -p empty
    run -2 --separate-stderr clip-tok -m empty -m nothing x
    [ "$stderr" = "clip-tok: no tokenizer (merges.txt, bpe_simple_vocab_16e6.txt.gz or tokenizer.json) in empty, nothing (no such file or directory); 'unclip help overview' names models and what they hold" ]
    echo 'a b c' >bad
    run -2 --separate-stderr clip-tok -m bad x
    [ "$stderr" = "clip-tok: bad: line 1 is not a merge: two tokens separated by a space" ]
}

@test "folders: merges, tokenizer/, a limit of the model's own, gzip" {
    mkdir -p model/tokenizer
    gzip -c "$GOLDEN/small_merges.txt" >model/tokenizer/bpe_simple_vocab_16e6.txt.gz
    echo '{"text_config": {"max_position_embeddings": 4}}' >model/config.json
    : >model/model.safetensors
    run -0 --separate-stderr clip-tok -m model --ids 'a red apple'
    [ "$output" = "715 320 610 716" ]
    run -0 --separate-stderr clip-tok -m model/model.safetensors --ids 'a red apple'
    [ "$output" = "715 320 610 716" ]
    echo '{"model_max_length": 5}' >model/tokenizer/tokenizer_config.json
    run -0 --separate-stderr clip-tok -m model --ids 'a red apple'
    [ "$output" = "715 320 610 622 716" ]
    [ -z "$stderr" ]
    # transformers' "no limit" has more than 64 bits
    echo '{"model_max_length": 1000000000000000019884624838656}' >model/tokenizer/tokenizer_config.json
    run -0 --separate-stderr clip-tok -m model --ids 'a red apple'
    [ "$output" = "715 320 610 716" ]
    cp "$GOLDEN/small_merges.txt" model/merges.txt
    echo '{"!": 1}' >model/vocab.json
    run -2 --separate-stderr clip-tok -m model x
    [ "$stderr" = "clip-tok: model/vocab.json: token '!' has id 1, which the merges give to another" ]
}

@test "shards are disjoint and complete; --skip-from goes on where it stopped" {
    seq 1 50 | clip-tok --shard 1/3 -o s1
    seq 1 50 | clip-tok --shard 2/3 -o s2
    seq 1 50 | clip-tok --shard 3/3 -o s3
    cat s1 s2 s3 | clip-tok --decode | tr -d ' ' | sort -n >got
    seq 1 50 | cmp - got
    seq 1 50 | clip-tok -o all
    seq 1 20 | clip-tok -o part
    seq 1 50 | clip-tok --skip-from part -o part
    cmp all part
}

@test "what comes several times is skipped as often as it was made" {
    printf '%s\n' a b a a c >in
    clip-tok -f in -o all
    [ "$(record-json all | wc -l)" = 5 ]
    for done in 0 1 2 3 4 5; do
        head -n "$done" in | clip-tok -o part
        clip-tok -f in --skip-from part -o part
        cmp all part
    done
}

@test "wrong usage" {
    run -2 clip-tok --context 1 x
    run -2 clip-tok --truncate maybe x
    run -2 --separate-stderr clip-tok --ids --keep-errors x
    [ "$stderr" = "clip-tok: --keep-errors needs records, not lines" ]
    run -2 clip-tok --decode -f x
}

@test "GLIDE's tokenizer: ids without start and end, and back" {
    glide=$BATS_TEST_DIRNAME/../golden/glide
    mkdir -p glide/tokenizer
    cp "$glide"/vocab.bpe glide/tokenizer
    run -0 clip-tok -m glide --ids 'An oil painting' ''
    [ "$output" = "$(clip-tok -m "$glide" --ids 'an oil painting' '')" ]
    n=$(set -- ${lines[0]}; echo $#)
    [ "$n" -gt 2 ]
    [ "$n" -lt 15 ]
    [ "$(clip-tok -m glide --ids "It's  12" | clip-tok -m glide --decode --ids)" = "it's  12" ]
    clip-tok -m glide 'a corgi' | clip-tok -m glide --decode | grep -qx 'a corgi'
    "$AID/make_glide" -t glide base >/dev/null
    run -0 clip-tok -m glide/base.safetensors --ids 'an oil painting'
    [ "$output" = "$(clip-tok -m glide --ids 'an oil painting')" ]
    run -0 --separate-stderr clip-tok -m glide --context 2 --ids 'an oil painting'
    [[ "$stderr" = *"the limit is 2: "*"is cut off" ]]
    head -c 60 "$glide"/encoder.json >glide/tokenizer/encoder.json
    run -2 clip-tok -m glide x
    [[ "$output" = "clip-tok: glide/tokenizer/vocab.bpe: "* ]]
}

@test "a full disk is noticed" {
    [ -w /dev/full ] || skip "no /dev/full"
    run -2 sh -c 'clip-tok x >/dev/full'
    run -2 sh -c 'clip-tok --ids x >/dev/full'
}

@test "every option is in the manual page" {
    page=$BATS_TEST_DIRNAME/../../man/clip-tok.1
    for o in $(clip-tok -h | grep -oE '^ +(-., )?--[a-z-]+' | grep -oE -- '--[a-z-]+'); do
        grep -qE "^\.It.* Fl Fl ${o#--}( |$)" "$page" || { echo "$o is not in the page"; return 1; }
    done
}

@test "the examples of the manual page run as written" {
    echo 'a red apple' >prompts.txt
    [ "$(clip-tok --ids 'a red apple')" = "715 320 610 622 716" ]
    [ "$(clip-tok --ids 'A  red&nbsp;apple' | clip-tok --decode --ids)" = "a red apple" ]
    clip-tok --truncate error -f prompts.txt -o /dev/null
}
