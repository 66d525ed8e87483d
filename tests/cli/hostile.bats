#!/usr/bin/env bats
# hostile: records, names and surroundings that mean harm.  One of them costs itself alone.
# shellcheck disable=SC2002,SC2016,SC2030,SC2031,SC2154,SC2314

bats_require_minimum_version 1.5.0

setup_file() {
    BIN=${BIN:-$(cd "$BATS_TEST_DIRNAME/../../build/bin" && pwd)}
    EMOJI=$(cd "$BATS_TEST_DIRNAME/../../examples/emoji" && pwd)
    export BIN EMOJI PATH="$BIN:$PATH" LC_ALL=C UNCLIP_CACHE=none
    export UNCLIP_MODEL=box
    cd "$BATS_FILE_TMPDIR" || return 1
    echo fish | clip-tok | clip-embed >text
    clip-embed --keep-image=64 "$EMOJI"/demo/fish.png "$EMOJI"/demo/star.png >pictures
    # three of each: the second has params that are a map; or 1,024 fields, the most there may be
    for s in text pictures; do
        r=$(record-json $s | head -n 1)
        extra=$(seq -f '"f%.0f":1' $((1024 - $(record-json $s | head -n 1 | jq '.data | length'))) | paste -sd,)
        {
            jq -c '.id = "first"' <<<"$r"
            jq -c '.id = "map" | .data.params = {"a": 1}' <<<"$r"
            jq -c '.id = "third"' <<<"$r"
        } | record-json --from-json >map.$s
        {
            jq -c '.id = "first"' <<<"$r"
            jq -c --argjson x "{$extra}" '.id = "full" | .data += $x' <<<"$r"
            jq -c '.id = "third"' <<<"$r"
        } | record-json --from-json >full.$s
    done
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

ids() {
    record-json --fields none "$1" | jq -r .id | paste -sd' '
}

@test "params that are not an array, or a record without room: it fails, the others are done" {
    for s in map full; do
        for c in "rank --text x:pictures" "rank --text x --min-cos=-1:pictures" "rank --labels $EMOJI/demo/labels.txt:pictures" \
                 "prior --steps 2:text" "decode64 --steps 2:text" "decode64 --steps 4 --emit-steps 2:text" "upsample --steps 2:pictures" \
                 "ddim-invert --steps 2:pictures" "clip-embed -o got:pictures" "embed-mix slerp --frames 1 - fish:pictures"; do
            clip-embed "$EMOJI"/demo/fish.png >fish
            # the model in the box draws too slowly under a sanitizer; unclip.bats has a tiny one there
            case "${SAN:+slow} $c" in slow\ prior* | slow\ decode64* | slow\ upsample* | slow\ ddim*) continue ;; esac
            case "$s $c" in full\ upsample* | full\ clip-embed*) continue ;; esac    # they add no field
            cp "$s.${c##*:}" in
            rm -f got
            # shellcheck disable=SC2086
            run --separate-stderr ${c%:*} -o got <in
            case $c in *min-cos*) [ $status = 3 ] ;; *) [ $status = 1 ] ;; esac
            [[ "$stderr" == *": record 2 ($s): "* ]]
            case $c in
            *emit*) [ "$(ids got)" = "first first third third" ] ;;
            *rank*) [ "$(ids got | tr ' ' '\n' | sort | paste -sd' ')" = "first third" ] ;;
            *) [ "$(ids got)" = "first third" ] ;;
            esac
            # its place is kept where that was asked for
            case $c in
            *embed-mix* | *emit* | *rank*) continue ;;
            esac
            # shellcheck disable=SC2086
            run -1 ${c%:*} --keep-errors -o got <in
            [ "$(ids got)" = "first $s third" ]
            record-json got | sed -n 2p | jq -e '.data.error | length > 0'
        done
    done
    # through the fast way over a file, and as text, which needs no field
    run -1 --separate-stderr rank --text x -o got map.pictures
    [ "$stderr" = "rank: map.pictures: record 2 (map): field params is not an array" ]
    run -0 rank --text x --tsv map.pictures
    [ "${#lines[@]}" = 3 ]
    run -1 rank --text x --keep-errors -o got full.pictures
}

@test "the reference case" {
    run -1 --separate-stderr rank --text heart -o got "$BATS_TEST_DIRNAME/../golden/cases/params_map.clip"
    [[ "$stderr" == *": record 2 (rec1): field params is not an array" ]]
    [ "$(ids got)" = "rec2 rec0" ]
}

@test "image-out: an id that makes no name of a file costs its own picture" {
    mkdir -p out/folder.png
    long=$(printf 'x%.0s' $(seq 120))
    {
        record-json pictures | head -n 1 | jq -c '.id = "folder"'
        record-json pictures | head -n 1 | jq -c ".id = \"$long\""
        record-json pictures | head -n 1 | jq -c '.id = "good"'
    } | record-json --from-json >in
    run -1 --separate-stderr image-out -o 'out/%i.png' in
    [ "$stderr" = "image-out: in: record 1 (folder): out/folder.png: Is a directory" ]
    [ -s out/good.png ]
    [ -s "out/$long.png" ]
    rm out/good.png
    run -1 --separate-stderr image-out -o 'out/%i%i%i.png' in
    [[ "$stderr" == *": record 2 ($long): out/$long$long$long.png: File name too long" ]]
    [ -s out/goodgoodgood.png ]
    [ -s out/folderfolderfolder.png ]
    # a name that is an input's
    cp in out/good.png
    run -1 --separate-stderr image-out -o 'out/%i.png' out/good.png
    [[ "$stderr" == *": record 3 (good): out/good.png: input file is output file" ]]
    cmp in out/good.png
    # no disk, no folder: the next would fail, too
    run -2 image-out -o nowhere/%d.png in
}

@test "descriptors 0 to 2 that are closed: nothing lands in the results" {
    clip-embed "$EMOJI/demo/fish.png" >want
    clip-embed "$EMOJI/demo/fish.png" nope.png -o got 2>&- || [ $? = 1 ]
    cmp got want
    clip-embed "$EMOJI/demo/fish.png" -o got <&-
    cmp got want
    clip-embed "$EMOJI/demo/fish.png" -o got >&-
    cmp got want
    clip-embed "$EMOJI/demo/fish.png" nope.png -o got <&- >&- 2>&- || [ $? = 1 ]
    cmp got want
    run -2 bash -c 'clip-embed "$EMOJI/demo/fish.png" 2>err >&-'
    [ "$(cat err)" = "clip-embed: write error: Bad file descriptor" ]
    run -1 bash -c 'rank --text x 2>err <&-'
    [ "$(cat err)" = "rank: -: Bad file descriptor" ]
}

@test "a name longer than any file's is not cut to another's" {
    long=$(printf 'd/%.0s' $(seq 2046))
    mkdir -p d
    run -1 --separate-stderr clip-embed -o got "$long/fish.png.jpeg" "$EMOJI/demo/fish.png"
    [[ "$stderr" == *": File name too long" ]]
    clip-embed "$EMOJI/demo/fish.png" | cmp - got
}

# Waits until the process sleeps in the kernel's open of a FIFO, for at most 10 seconds: not every kernel tells.
opens_fifo() {
    for _ in $(seq 200); do
        grep -qs 'partner\|fifo' "/proc/$1/wchan" && return
        sleep 0.05
    done
}

@test "a signal while a FIFO is opened ends the program by that signal, without a message" {
    mkfifo fifo
    for c in 'clip-embed --files0-from=fifo' 'record-json fifo' 'rank --text x fifo' 'clip-tok -f fifo' 'embed-mix slerp pictures fifo' \
             'embed-mix mean fifo' 'image-out -o x.png fifo' 'record-json --from-json fifo' "clip-embed -o fifo $EMOJI/demo/fish.png"; do
        for s in TERM INT; do
            # shellcheck disable=SC2086
            bash -c 'trap - INT TERM; exec "$@"' - env --default-signal=INT,TERM $c 2>err &
            pid=$!
            opens_fifo $pid
            kill -$s $pid
            status=0
            wait $pid || status=$?
            [ $status = $((s = $(kill -l $s), 128 + s)) ]
            [ ! -s err ]
        done
    done
}

# Nothing that a terminal takes for an order: C0 except tab and line ends, DEL, C1 in UTF-8.
harmless() {
    ! LC_ALL=C grep -qP '[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\xc2[\x80-\x9f]' "$1"
}

@test "names with orders for a terminal arrive as text" {
    name=$(printf 'a\033[31m\302\233\61m\302\205b')
    for c in clip-embed 'clip-embed -m' 'rank --text x' 'rank --labels' 'record-json' 'image-out' 'clip-tok -f' 'record-json --from-json' 'prior -m' \
             'embed-mix slerp' 'clip-embed --skip-from'; do
        # shellcheck disable=SC2086
        $c "$name" pictures 2>err >shown && [ "$c" = 'clip-embed -m' ]
        [ -s err ]
        harmless err
    done
    # shown by programs that write text: the id, a field, a label
    record-json pictures | head -n 1 | jq -c --arg n "$name" '.id = $n | .data[$n] = 1 | .data.model[$n] = $n | .data.text = $n' | record-json --from-json >in
    rank --text x --tsv in >shown
    harmless shown
    [ "$(cut -f 1 shown)" = 'a\x1b[31m\xc2\x9b1m\xc2\x85b' ]
    rank --text x --json in >shown
    harmless shown
    [ "$(jq -r .id shown)" = "$name" ]
    record-json in >shown
    harmless shown
    [ "$(jq -r .id shown)" = "$name" ]
    record-json --info in >shown
    harmless shown
}

# what FILE COMMAND: how COMMAND calls what FILE holds
what() {
    run -1 --separate-stderr bash -c '"${@:2}" <"$1"' - "$@"
    what=${stderr_lines[0]#*: -: }
}

@test "what is on standard input instead of records is called by its name" {
    for c in "rank --text x" prior decode64 upsample ddim-invert record-json image-out "embed-mix mean" "clip-tok --decode -" clip-embed; do
        # shellcheck disable=SC2086
        what "$EMOJI/demo/fish.png" $c
        [ "$what" = "a PNG picture, not records (clip-embed FILE makes records of pictures)" ]
    done
    what "$EMOJI/demo/jpeg/fish.jpg" prior
    [[ "$what" == "a JPEG picture"* ]]
    what "$EMOJI/demo/labels.txt" prior
    [ "$what" = "text, not records (clip-tok makes records of lines of text, clip-embed FILE of pictures)" ]
    what "$EMOJI/prior/config.json" prior
    [ "$what" = "JSON, not records (record-json --from-json makes records of it)" ]
    # what begins as a picture's file is not always a picture
    echo 'BMW cars are red, and Volvo cars are blue' >bmw
    what bmw prior
    [[ "$what" == "text, not records"* ]]
    printf 'RIFF\44\0\0\0WAVEfmt \20\0\0\0' >wave
    what wave prior
    [[ "$what" != *picture* ]]
    what "$BATS_TEST_DIRNAME/../golden/images/rgb.bmp" prior
    [[ "$what" == "a BMP picture"* ]]
    printf 'a.png\0b c.png\0' >names
    what names prior
    [ "$what" = "names that end in NUL, not records (clip-embed --files0-from=- makes records of pictures)" ]
    gzip -c pictures >gz
    what gz prior
    [[ "$what" == "compressed by gzip"* ]]
    printf '\377\376a\0\n\0' >utf16
    what utf16 prior
    [[ "$what" == "text in UTF-16"* ]]
    for c in "clip-tok -f utf16" "clip-tok -f -" "rank --labels utf16 $here/f.clip" "record-json --from-json utf16"; do
        # shellcheck disable=SC2086
        run ! --separate-stderr $c <utf16
        [[ "$stderr" == *"text in UTF-16, where UTF-8 is expected (iconv -f UTF-16 -t UTF-8)" ]]
        [ "$(wc -l <<<"$stderr")" -eq 1 ]
    done
    printf 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n' >pointer.png
    run -1 --separate-stderr clip-embed pointer.png
    [[ "$stderr" == "clip-embed: pointer.png: a Git LFS pointer: "* ]]
    what pointer.png prior
    [[ "$what" == "a Git LFS pointer: "* ]]
    echo '<!DOCTYPE html>' >page.png
    run -1 --separate-stderr clip-embed page.png
    [[ "$stderr" == "clip-embed: page.png: an HTML page, "* ]]
    # damage at the beginning of a stream is damage
    { echo text; cat pictures; } >late
    run -1 --separate-stderr record-json --info late
    [ "$stderr" = "record-json: late: garbage at byte 0" ]
    head -c 100 /dev/zero >zeros
    what zeros prior
    [ "$what" = "garbage at byte 0" ]
}

@test "decode64 says once that records never saw a prior" {
    cat text text >two
    run -0 --separate-stderr decode64 --steps 2 -o got two
    [ "$stderr" = "decode64: records without image_embed are drawn from their text alone (prior makes image_embed; --embed=none means this)" ]
    for c in "decode64 -q --steps 2 two" "decode64 --embed=none --steps 2 two" "decode64 --embed=text --steps 2 two" "decode64 --steps 2 pictures"; do
        # shellcheck disable=SC2086
        run -0 --separate-stderr $c -o got
        [ -z "$stderr" ]
    done
}

@test "one factor of logits: of the model that made the vectors, whatever rank compares them with" {
    record-json text | jq -c --argjson v "$(record-json pictures | head -n 1 | jq .data.image_embed)" '.data.image_embed = $v' | record-json --from-json >own
    rank --tsv own | cut -f 3,4 >want                             # each with its own text: columns id root cos logit
    record-json pictures | head -n 1 | record-json --from-json >fish
    [ "$(rank --query text --tsv fish | cut -f 2,3)" = "$(cat want)" ]
    [ "$(rank --text fish --tsv fish | cut -f 2,3)" = "$(cat want)" ]
    echo fish >labels
    [ "$(rank --labels labels --templates none --tsv fish | cut -f 3,4)" = "$(cat want)" ]
    [ "$(rank --labels text --tsv fish | cut -f 3,4)" = "$(cat want)" ]
    cos=$(cut -f 1 want) logit=$(cut -f 2 want)
    awk -v c="$cos" -v l="$logit" 'BEGIN { f = l / c; exit !(f > 37.50 && f < 37.51) }'    # the model in the box
    factor() { awk -v least="$1" -v most="$2" '{ bad += !($4 / $3 > least && $4 / $3 < most) } END { exit !NR || bad }'; }
    rank --tsv --logit-scale 10 own | factor 9.999 10.001
    # records that do not say
    record-json own | jq -c 'del(.data.params)' | record-json --from-json | rank --tsv | factor 99.999 100.001
}
