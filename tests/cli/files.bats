#!/usr/bin/env bats
# files: no input is destroyed, no result is lost.  What a run leaves of its output when it fails, what it refuses to
# write to, operands that cannot be opened, two runs on one output.
# shellcheck disable=SC2002,SC2016,SC2030,SC2031,SC2154,SC2314

bats_require_minimum_version 1.5.0

setup_file() {
    BIN=${BIN:-$(cd "$BATS_TEST_DIRNAME/../../build/bin" && pwd)}
    AID=${AID:-$(cd "$BATS_TEST_DIRNAME/../../build/tests" && pwd)}
    EMOJI=$(cd "$BATS_TEST_DIRNAME/../../examples/emoji" && pwd)
    export BIN AID EMOJI PATH="$BIN:$AID:$PATH" LC_ALL=C UNCLIP_CACHE=none
    export UNCLIP_MODEL=box
    cd "$BATS_FILE_TMPDIR" || return 1
    clip-embed "$EMOJI"/demo/*.png >I
    clip-embed "$EMOJI"/demo/fish.png >fish
    clip-embed --keep-image "$EMOJI"/demo/fish.png >shown
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

# An output that a run without a result leaves as it was.
kept() {
    cp I photos.clip
    run -"$1" --separate-stderr "${@:2}" -o photos.clip
    cmp I photos.clip
}

@test "a model or an input that is not there: the output stays as it was" {
    kept 2 clip-embed -m /nope "$EMOJI/demo/fish.png"
    kept 2 clip-tok -m /nope text
    for p in prior decode64 upsample ddim-invert rank\ --text=x embed-mix\ mean; do
        # shellcheck disable=SC2086
        kept 1 $p nope.clip
        [[ "$stderr" == *"nope.clip: No such file or directory"* ]]
    done
    kept 1 embed-mix slerp nope.clip I
    kept 2 embed-mix slerp I nope.clip
    kept 2 clip-embed "$EMOJI/demo/fish.png" --skip-from=typo.clip
    [ "$stderr" = "clip-embed: typo.clip: No such file or directory" ]
    kept 1 clip-embed nope.png
    [ "${stderr_lines[1]}" = "clip-embed: photos.clip: left as it was, for this run has no result" ]
    kept 0 clip-embed </dev/null
    [ "$stderr" = "clip-embed: photos.clip: left as it was, for this run has no result" ]
    kept 2 rank --labels nope
}

@test "a result replaces it, whole" {
    cp I photos.clip
    clip-embed "$EMOJI/demo/fish.png" -o photos.clip
    cmp photos.clip fish
    echo old >photos.tsv
    rank --text x --tsv -o photos.tsv fish
    [ "$(wc -l <photos.tsv)" = 1 ]
    # nothing matched: an empty table is what was asked for, unless something failed
    rank --text x --tsv --min-cos 1 -o photos.tsv fish || [ $? = 1 ]
    [ ! -s photos.tsv ]
    echo old >photos.tsv
    run -3 rank --text x --tsv --min-cos 1 -o photos.tsv fish nope
    [ "$(cat photos.tsv)" = old ]
    # new files are made, with or without a result; a FIFO is closed
    rm -f new
    clip-embed </dev/null -o new
    [ -f new ]
    mkfifo fifo
    wc -c <fifo >bytes &
    clip-embed </dev/null -o fifo
    wait
    [ "$(tr -d ' ' <bytes)" = 0 ]
    run -2 --separate-stderr clip-embed "$EMOJI/demo/fish.png" -o nowhere/x
    [ "$stderr" = "clip-embed: nowhere/x: No such file or directory" ]
    run -2 --separate-stderr clip-embed "$EMOJI/demo/fish.png" -o .
    [ "$stderr" = "clip-embed: .: Is a directory" ]
}

@test "text, numbers, pictures and classifiers do not replace a stream of records" {
    rank --labels "$EMOJI/demo/labels.txt" I >labelled
    for c in "rank --text x --tsv -o photos.clip fish" "rank --labels $EMOJI/demo/labels.txt --csv -o photos.clip fish" "clip-tok --ids -o photos.clip hello" \
        "record-json -o photos.clip fish" "record-json --raw image_embed -o photos.clip fish" "record-json --npy image_embed=photos.clip fish" \
        "record-json --npy image_embed=x.npy --ids photos.clip fish" "probe --train -o photos.clip labelled" "image-out --sheet --format png -o photos.clip shown"; do
        cp I photos.clip
        # shellcheck disable=SC2086
        run -2 --separate-stderr $c
        [[ "$stderr" == *"photos.clip: a stream of records, which "*" do not replace" ]]
        cmp I photos.clip
    done
    run -1 --separate-stderr image-out --format png -o photos.clip shown
    [[ "$stderr" == *"photos.clip: a stream of records, which pictures do not replace" ]]
    cmp I photos.clip
    # JSON replaces JSON
    record-json -o x.json I
    record-json -o x.json fish
    [ "$(wc -l <x.json)" = 1 ]
}

# An input that is named as output, too, and stays as it was.
refused() {
    local file=$1
    cp "$file" before
    run -"${STATUS:-2}" --separate-stderr "${@:2}"
    [[ "$stderr" == *": $file: input file is output file"* ]]
    cmp before "$file"
}

@test "an output that is any of the inputs is refused, under any name" {
    cp "$EMOJI/demo/fish.png" fish.png
    cp "$EMOJI/demo/labels.txt" labels
    printf 'a text\n' >text
    printf 'a photo of {}\n' >templates
    printf '%s\0' fish.png >list
    cp shown in.clip
    clip-tok '' | clip-embed >uncond
    embed-mix pca-fit -k 3 I >pca
    ln -f fish.png hard.png
    refused fish.png clip-embed fish.png -o fish.png
    refused fish.png clip-embed hard.png -o fish.png
    refused list clip-embed --files0-from=list -o list
    refused text clip-tok -f text -o text
    refused text clip-tok -f text --ids -o text
    refused in.clip clip-tok --decode in.clip -o in.clip
    refused labels rank --labels labels --tsv -o labels I
    refused templates rank --labels labels --templates templates --tsv -o templates I
    refused fish.png rank --image fish.png --tsv -o fish.png I
    refused fish rank --query fish -o fish I
    refused in.clip rank --labels labels --label-cache in.clip --tsv in.clip
    refused labels rank --labels labels --label-cache labels --tsv I
    refused uncond prior --uncond uncond -o uncond I
    refused uncond decode64 --uncond uncond -o uncond I
    refused uncond ddim-invert --uncond uncond -o uncond I
    refused pca embed-mix pca-project --pca pca -o pca I
    refused in.clip embed-mix slerp I in.clip -o in.clip
    refused in.clip upsample in.clip -o in.clip
    refused in.clip record-json in.clip -o in.clip
    refused in.clip record-json --npy image_embed=in.clip in.clip
    refused in.clip record-json --npy image_embed=x.npy --ids in.clip in.clip
    STATUS=1 refused in.clip image-out --format png -o in.clip in.clip
    record-json --npy image_embed=x.npy --ids ids I
    refused x.npy record-json --from-npy image_embed=x.npy -o x.npy
    refused ids record-json --from-npy image_embed=x.npy --ids ids -o ids
    # standard input
    refused in.clip bash -c 'rank --text x -o in.clip <in.clip'
    STATUS=1 refused in.clip bash -c 'image-out --format png -o in.clip <in.clip'
    # two outputs in one file
    run -2 --separate-stderr record-json --npy image_embed=y --ids y I
    [ "$stderr" = "record-json: y: named for two outputs" ]
    run -2 rank --labels labels --label-cache y --tsv -o y I
    [ ! -e y ]
}

@test "an output that is part of a model is refused" {
    mkdir model
    cp -R "$EMOJI/text_encoder" "$EMOJI/tokenizer" "$EMOJI/image_encoder" "$EMOJI/feature_extractor" model
    refused model/tokenizer/vocab.json rank -m model --text x --tsv -o model/tokenizer/vocab.json I
    refused model/image_encoder/config.json rank -m model --text x --tsv -o model/image_encoder/config.json I
    refused model/image_encoder/config.json env UNCLIP_MODEL=/nope:model rank --text x --tsv -o model/image_encoder/config.json I
    refused model/image_encoder/config.json rank -m model/image_encoder/model.safetensors --text x --tsv -o model/image_encoder/config.json I
    refused model/image_encoder/model.safetensors clip-embed -m model/image_encoder -o model/image_encoder/model.safetensors fish.png
    rank -m model --text x --tsv -o model/x.tsv I
    rank -m model --text x --tsv -o model/x.tsv I    # what is not a model's may lie in its folder
    for _ in 1 2; do
        rank -m model --text x --json -o model/result.json I
        rank -m model/image_encoder/model.safetensors -m model --text x --json -o model/image_encoder/result.json I
    done
    for f in encoder.pkl encoder.json model.yaml vocab.bpe bpe_simple_vocab_16e6.txt.gz tokenizer_config.json; do
        echo x >model/$f
        refused model/$f rank -m model --text x --tsv -o model/$f I
    done
    rm -r model
}

@test "records replace only records" {
    for f in "$EMOJI/demo/fish.png" "$EMOJI/demo/labels.txt" "$EMOJI/demo/jpeg/fish.jpg"; do
        cp "$f" X
        run -2 --separate-stderr clip-embed "$EMOJI"/demo/*.png -o X
        [ "$stderr" = "clip-embed: X: not a stream of records: it is not replaced" ]
        cmp "$f" X
        # "an unfinished record is cut off" was all of it
        run -2 --separate-stderr clip-embed "$EMOJI"/demo/*.png -o X --skip-from X
        cmp "$f" X
    done
    # a tail that is not the beginning of a record is somebody's
    { cat fish; cat "$EMOJI/demo/labels.txt"; } >X
    cp X before
    run -2 --separate-stderr clip-embed "$EMOJI"/demo/*.png -o X --skip-from X
    [ "$stderr" = "clip-embed: X: what follows its last record, at byte $(wc -c <fish), is not the beginning of one: it is not cut off" ]
    cmp before X
    # one that is, is cut
    { cat fish; head -c 300 I; } >X
    run -0 --separate-stderr clip-embed "$EMOJI"/demo/fish.png "$EMOJI"/demo/star.png -o X --skip-from X
    [ "$stderr" = "clip-embed: X: 300 bytes of an unfinished record are cut off" ]
    clip-embed "$EMOJI"/demo/fish.png "$EMOJI"/demo/star.png | cmp - X
    { cat fish; head -c 3 I; } >X
    clip-embed -q "$EMOJI"/demo/fish.png "$EMOJI"/demo/star.png -o X --skip-from X
    clip-embed "$EMOJI"/demo/fish.png "$EMOJI"/demo/star.png | cmp - X
}

@test "a label cache replaces nothing but a label cache" {
    cp I photos.clip
    run -2 --separate-stderr rank --labels "$EMOJI/demo/labels.txt" --label-cache photos.clip --tsv fish
    [ "$stderr" = "rank: photos.clip: not a cache of labels; it is left as it is" ]
    cmp I photos.clip
}

@test "two runs on one output: the second is refused, and the first loses nothing" {
    rm -f both
    mkfifo slow
    clip-embed --files0-from=slow -o both &
    exec 7>slow
    printf '%s\0' "$EMOJI/demo/fish.png" >&7
    for _ in $(seq 400); do [ -s both ] && break || sleep 0.05; done
    [ -s both ]
    for o in '' '--skip-from both'; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr clip-embed $o -o both "$EMOJI/demo/star.png"
        [ "$stderr" = "clip-embed: both: another run is writing to it" ]
    done
    printf '%s\0' "$EMOJI/demo/star.png" >&7
    exec 7>&-
    wait
    clip-embed "$EMOJI"/demo/fish.png "$EMOJI"/demo/star.png | cmp - both
    # the file was made by another run after this one had begun
    rm both slow
    mkfifo slow
    clip-embed --files0-from=slow -o both 2>err &
    pid=$!
    exec 7>slow
    sleep 0.5
    cp I both
    printf '%s\0' "$EMOJI/demo/fish.png" >&7
    exec 7>&-
    status=0
    wait $pid || status=$?
    [ $status = 2 ]
    [ "$(cat err)" = "clip-embed: both: another run has made it since this one began" ]
    cmp I both
    rm both slow
}

# The others are done, this one is named: status 1.
goes_on() {
    run -1 --separate-stderr "$@"
    [[ "$stderr" == *": nope: No such file or directory"* ]]
    [[ "$stderr" == *": .: Is a directory"* ]]
}

@test "an operand that cannot be opened is named, the others are done" {
    echo fish | clip-tok >tok
    clip-embed tok </dev/null 2>/dev/null || true
    clip-embed <tok >text
    prior --steps 2 text >embed
    decode64 --steps 2 embed >small
    clip-tok --decode tok >want
    goes_on rank --text x --tsv nope I .
    [ "${#lines[@]}" = 10 ]
    goes_on clip-tok --decode nope tok .
    [ "$output" = "$(cat want)" ]
    for o in 'prior --steps 2:text' 'decode64 --steps 2:embed' 'upsample --steps 2:small' 'embed-mix mean:I' 'embed-mix pca-fit:I' \
             'ddim-invert --steps 2:shown' 'record-json:I' 'record-json --info:I' 'record-json --raw image_embed:I' 'image-out --format ppm:small'; do
        # shellcheck disable=SC2086
        ${o%:*} "${o#*:}" >want
        [ -s want ]
        # shellcheck disable=SC2086
        goes_on ${o%:*} -o - nope "${o#*:}" .
        # shellcheck disable=SC2086
        ${o%:*} nope "${o#*:}" . 2>/dev/null | cmp - want
        # shellcheck disable=SC2086
        run -1 ${o%:*} --strict nope "${o#*:}"
    done
    # what was there before it is not lost, whatever buffer it was in
    rank --labels "$EMOJI/demo/labels.txt" --tsv I >want
    rank --labels "$EMOJI/demo/labels.txt" --tsv --strict I nope >got || [ $? = 1 ]
    cmp got want
    record-json I >want
    record-json I nope >got || [ $? = 1 ]
    cmp got want
    record-json I --strict nope >got || [ $? = 1 ]
    cmp got want
    # JSON, too
    head -n 1 want >one.json
    goes_on record-json --from-json -o x.clip nope one.json .
    [ "$(record-json x.clip)" = "$(cat one.json)" ]
}

@test "any number of operands that cannot be mapped" {
    : >empty
    yes empty | head -n 200 | xargs record-json | cmp - /dev/null
    for p in $(seq 60); do mkfifo "fifo$p"; done
    for p in $(seq 60); do cat fish >"fifo$p"; done &
    # shellcheck disable=SC2046
    rank --text x --tsv -k 100 $(seq -f fifo%.0f 60) >got
    wait
    [ "$(wc -l <got)" = 60 ]
    for p in $(seq 60); do cat fish >"fifo$p"; done &
    # shellcheck disable=SC2046
    ([ "${SAN-}" ] || ulimit -v 2000000     # AddressSanitizer maps terabytes
     embed-mix sum --raw $(seq -f fifo%.0f 60 | sed '2,$s/^/+ /') >got)
    wait
    # shellcheck disable=SC2046
    embed-mix sum --raw $(seq 60 | sed 's/.*/fish/;2,$s/^/+ /') | cmp - got
    rm fifo*
}

@test "slerp and lerp: a second stream that comes by a pipe is paired record by record" {
    for _ in $(seq 40); do cat I; done >big    # more than a pipe and a buffer hold
    for m in slerp lerp; do
        embed-mix $m --theta 0.25 I big 2>/dev/null >want || true
        [ "$(record-json want | wc -l)" = 26 ]
        embed-mix $m --theta 0.25 big big >want
        cat big | embed-mix $m --theta 0.25 big - | cmp - want
        cat big | embed-mix $m --theta 0.25 - big | cmp - want
        embed-mix $m --theta 0.25 big <(cat big) | cmp - want
        # one record stands for all
        embed-mix $m --theta 0.25 I fish >want
        embed-mix $m --theta 0.25 I <(cat fish) | cmp - want
        [ "$(record-json want | wc -l)" = 26 ]
    done
    run -2 --separate-stderr embed-mix slerp - - <I
    [ "$stderr" = "embed-mix: standard input cannot be both streams" ]
}

@test "a damaged first record of the second stream costs its own pair alone" {
    { printf '\203\246unclip\001\242id\242\377\377'; tail -c +1 I; } >damaged
    run -1 --separate-stderr embed-mix slerp --theta 1 -o got I damaged
    [[ "${stderr_lines[0]}" == "embed-mix: I: record 1 ("*"automobile.png): damaged: record 1 at byte 0: its id is a str that is not UTF-8" ]]
    # the pairs after it: record k of I with record k - 1 of I
    embed-mix slerp --theta 1 <(record-json I | tail -n 25 | record-json --from-json) <(record-json I | head -n 25 | record-json --from-json) >want
    record-json got | head -n 25 | cmp - <(record-json want)
}

@test "every program runs in 400 MB of address space" {
    [ -z "${SAN-}" ] || skip "a sanitizer needs terabytes of it"
    echo fish | clip-tok >tok
    clip-embed <tok >text
    prior --steps 2 text >embed
    decode64 --steps 2 embed >small
    for c in 'rank -j 2 --text heart --tsv I' 'rank -j 2 --query fish I' 'clip-tok fish' 'prior -j 2 --steps 2 text' 'decode64 -j 2 --steps 2 embed' \
             'upsample -j 2 --steps 2 small' 'ddim-invert -j 2 --steps 2 shown' 'embed-mix slerp I I' 'record-json I' 'image-out small' \
             "rank -j 2 --labels $EMOJI/demo/labels.txt I" "clip-embed -j 2 $EMOJI/demo/fish.png"; do
        # shellcheck disable=SC2086
        $c >want
        # shellcheck disable=SC2086
        (ulimit -v 400000; $c 2>/dev/null || true) | cmp - want
        [ -s want ]
    done
}
