#!/usr/bin/env bats
# Every program's options and its manual page name the same options, and each refuses what it must.

bats_require_minimum_version 1.5.0

setup() {
    BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
    MAN=$BATS_TEST_DIRNAME/../../man
}

@test "options: -h and the manual page list the same ones" {
    for tool in "$BIN"/*; do
        name=$(basename "$tool")
        "$tool" -h | grep -oE '^  (-., |    )--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort -u >"$BATS_TEST_TMPDIR/help"
        grep -E '^\.It Fl' "$MAN/$name.1" | sed 's/, -/, Fl -/' |
            grep -oE 'Fl (Fl |-)[a-z0-9-]+' | sed -E 's/Fl (Fl |-)/--/' | sort -u >"$BATS_TEST_TMPDIR/man"
        diff "$BATS_TEST_TMPDIR/help" "$BATS_TEST_TMPDIR/man" || { echo "$name"; false; }
    done
}

@test "options: an unknown one is named, status 2, nothing on standard output" {
    for tool in "$BIN"/*; do
        name=$(basename "$tool")
        run "$tool" --no-such-option </dev/null
        [ "$status" -eq 2 ]
        [ "${lines[0]}" = "$name: unknown option '--no-such-option'" ]
        [ "${lines[1]}" = "try '$name -h'" ]
    done
}

@test "options: what was nearly an option or a file gets a hint" {
    hint() {    # hint MESSAGE COMMAND...
        want=$1 program=$2
        shift 2
        run "$BIN/$program" "$@" </dev/null
        [ "$status" -eq 2 ] || [ "$status" -eq 1 ]
        [ "${lines[0]}" = "$want" ] || { echo "${lines[0]}"; false; }
    }
    hint "rank: unknown option '--lables'; did you mean --labels?" rank --lables x
    hint "rank: unknown option '--fielt=x'; did you mean --field?" rank --fielt=x
    hint "rank: unknown option '-text'; did you mean --text?" rank -text x
    hint "rank: unknown option '-y'" rank -y
    hint "rank: option '--tsv=1' takes no value" rank --tsv=1
    hint "clip-embed: unknown option '--modle'; did you mean --model?" clip-embed --modle x
    cd "$BATS_TEST_TMPDIR"
    mkdir model pictures
    touch photos.clip pictures/beach.jpg labels.txt
    hint "rank: photo.clip: No such file or directory; did you mean photos.clip?" rank --query photo.clip photos.clip
    hint "record-json: phtoos.clip: No such file or directory; did you mean photos.clip?" record-json phtoos.clip
    hint "clip-embed: no image tower in modle (no such file or directory; did you mean model?)" clip-embed -m modle x.png
    hint "rank: label.txt: No such file or directory; did you mean labels.txt?" rank -m box --labels label.txt photos.clip
    hint "clip-embed: pictures/baech.jpg: No such file or directory; did you mean pictures/beach.jpg?" clip-embed -m box pictures/baech.jpg
    hint "record-json: other: No such file or directory" record-json other
}

@test "options: -h begins with what the program does, and names the manual page" {
    for tool in "$BIN"/*; do
        name=$(basename "$tool")
        does=$(sed -n 's/^\.Nd //p' "$MAN/$name.1")
        [ "$("$tool" -h | head -n 1)" = "$name: $does.  Manual page, with examples: unclip help $name" ]
    done
}

@test "options: -h and -V end with status 0, and tell a full disk" {
    [ -w /dev/full ] || skip "no /dev/full"
    for tool in "$BIN"/*; do
        "$tool" -h >/dev/null
        "$tool" -V | grep -q "^$(basename "$tool") (unclip) "
        run sh -c "'$tool' -h >/dev/full"
        [ "$status" -eq 2 ]
    done
}

@test "options: numbers are whole strings within their range" {
    run "$BIN/clip-embed" -b 0
    [ "$status" -eq 2 ]
    [ "${lines[0]}" = "clip-embed: --batch: '0' is not a whole number from 1 to 4096" ]
    run "$BIN/clip-embed" -b 3x
    [ "$status" -eq 2 ]
    run "$BIN/clip-embed" -j ' 2'
    [ "$status" -eq 2 ]
    run "$BIN/rank" --shard=3/2
    [ "$status" -eq 2 ]
    [ "${lines[0]}" = "rank: --shard: '3/2' is not I/N with 1 <= I <= N" ]
}

# Each line: a program with an option that has no meaning in that mode, then ": ", and what it is for.
@test "options: one that has no meaning in a mode is refused" {
    while IFS=: read -r command means; do
        # shellcheck disable=SC2086
        run "$BIN"/$command </dev/null
        [ "$status" -eq 2 ] && [ "$output" = "${command%% *}: ${means# }" ] || { echo "$command: $status $output"; false; }
    done <<'LIST'
clip-tok --decode --truncate=error: --truncate is for texts
clip-tok --decode -f x: --file is for texts
clip-tok --decode --ids --shard 1/2: --shard is for texts and --decode of records
clip-tok --ids --keep-errors x: --keep-errors needs records, not lines
clip-tok --ids --skip-from x x: --skip-from needs records, not lines
clip-embed --keep-image: --keep-image is for files
clip-embed --id content: --id is for files
clip-embed --exif: --exif is for files
clip-embed --info -o x: --output is for files and records
clip-embed --verify x --dtype f16: --dtype is for files and records
rank --text x --templates none: --templates is for --labels
rank --text x --group root: --group is for records with a text of their own
rank --query x -m x: --model is for --labels, --text and --image
rank --precision f32: --precision is for --labels, --text and --image
rank --text x --tsv --keep-errors: --keep-errors needs records, not lines
embed-mix mean --theta 0.5: --theta is for slerp, lerp and diff
embed-mix slerp a b --raw: --raw is for mean and sum
embed-mix pca-project --counts 3: --counts is for pca-reconstruct
embed-mix pca-fit --pca x: --pca is for pca-project and pca-reconstruct
embed-mix mean -k 3: --components is for pca-fit
embed-mix mean --skip-from x: --skip-from is for slerp, lerp, diff, pca-project and pca-reconstruct
embed-mix diff a b c --field x: --field is for slerp, lerp, mean, sum, pca-fit, pca-project and pca-reconstruct
embed-mix sum a --shard 1/2: --shard is for slerp, lerp, diff, mean, pca-fit, pca-project and pca-reconstruct
embed-mix lerp a b --theta 0.5 --frames 3: one of --theta and --frames
image-out --read x -o y.png: --output is for files
image-out --show=sixel --format=png: --format is for files
image-out -o x.png --caption id: --caption is for --sheet, --show and --html
record-json --csv --arrays: --arrays is for JSON
record-json --info --fields id: --fields is for JSON, --csv and --from-json
record-json --ids x: --ids is for --npy and --from-npy
record-json --npy a=x -o y: --output is for JSON, --csv, --info, --raw, --from-json and --from-npy
record-json --from-json -0: --null is for --npy and --from-npy
vq -d --side 32 x: --side is for files
vq --exif: --exif is for files
vq --force x: --force is for -d
probe --knn x -C 1 y: --c is for --train
LIST
}

@test "options: an input is never emptied as the output" {
    G=$BATS_TEST_DIRNAME/../golden/karlo
    cp "$G/text.clip" "$BATS_TEST_TMPDIR/in"
    for tool in prior decode64 upsample ddim-invert record-json; do
        run "$BIN/$tool" -o "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/in"
        [ "$status" -eq 2 ]
        [ "$output" = "$tool: $BATS_TEST_TMPDIR/in: input file is output file" ]
        cmp "$BATS_TEST_TMPDIR/in" "$G/text.clip"
    done
    run "$BIN/embed-mix" mean -o "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/in"
    [ "$status" -eq 2 ]
    cmp "$BATS_TEST_TMPDIR/in" "$G/text.clip"
}

@test "refusals: each says what was perhaps meant, or which program makes what is missing" {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    BIN=$(cd "$BIN" && pwd)
    PATH=$BIN:$PATH
    cd "$BATS_TEST_TMPDIR"
    mkdir d
    says() {    # a status, what standard error ends in, and the command
        run "-$1" --separate-stderr "${@:3}"
        [[ "$stderr" = *"$2" ]]
    }
    export UNCLIP_MODEL=box
    echo hello | clip-tok | clip-embed >t.clip
    clip-embed "$ROOT/examples/emoji/demo/fish.png" >p.clip
    says 2 "no program 'serch'; did you mean search? ('unclip' lists the programs)" unclip serch
    says 2 "in bxo (no such file or directory; did you mean box?)" clip-embed -m bxo x.png
    says 2 "in bxo/vqgan (no such file or directory; did you mean box/vqgan?)" vq -m bxo/vqgan x.png
    says 2 "in nosuch (no such file or directory); 'unclip help overview' names models and what they hold" clip-embed -m nosuch x.png
    says 2 "in p.clip (a stream of records, where weights are wanted); 'unclip help overview' names models and what they hold" clip-embed -m p.clip x.png
    says 2 "p.clip: a stream of records, where weights are wanted" probe p.clip
    says 1 "t.clip: record 1 (hello): no image (decode64, vq -d or clip-draw makes it)" upsample t.clip
    says 1 "t.clip: record 1 (hello): no image_tokens (vq makes them of a picture, dalle of a text)" vq -d t.clip
    says 1 "p.clip: record 1 ($ROOT/examples/emoji/demo/fish.png): no text (clip-tok makes it of a line of text)" dalle p.clip
    says 1 "t.clip: record 1 (hello): no image, and the file of the path or id: No such file or directory" ddim-invert t.clip
    # the name of a member of an archive is not that of a file here
    cp "$ROOT/examples/emoji/demo/fish.png" fish.png
    tar c fish.png | clip-embed --tar -o tar.clip
    says 1 "tar.clip: record 1 (fish.png): no image, and the picture is in an archive: clip-embed --keep-image=SIDE stores it" ddim-invert tar.clip
    says 1 "tar.clip: record 1 (fish.png): no image, and the picture is in an archive: clip-embed --keep-image=SIDE stores it" image-out -o x.png tar.clip
    for p in "rank --text a" "embed-mix mean"; do
        # shellcheck disable=SC2086
        says 1 ": no image_embd; did you mean image_embed?" $p --field image_embd p.clip
    done
    says 1 "d: Is a directory (DIR/* names the files in it)" clip-embed d
    says 1 "d: Is a directory (DIR/* names the files in it)" vq d
    says 1 "d: Is a directory (a stream is a file; clip-embed DIR/* makes one of pictures)" rank --text a d
    says 1 "a safetensors file, not records (a classifier comes before the streams: probe FILE STREAM; a model: -m FILE)" \
        image-out "$ROOT/tests/golden/clip/micro_hf.safetensors"
}
