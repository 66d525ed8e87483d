#!/usr/bin/env bats
# rank: the ranking against sort(1), ties, groups, labels, thresholds, streams that are broken.
# shellcheck disable=SC2002,SC2016,SC2030,SC2031,SC2129,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    BIN=${BIN:-$(cd "$BATS_TEST_DIRNAME/../../build/bin" && pwd)}
    AID=${AID:-$(cd "$BATS_TEST_DIRNAME/../../build/tests" && pwd)}
    export BIN AID PATH="$BIN:$AID:$PATH" LC_ALL=C UNCLIP_MODEL=box
    cd "$BATS_FILE_TMPDIR" || return 1
    make_records -n 2000 -d 40 >a
    make_records -n 2000 -d 40 -t f16 >h
    make_records -n 3000 -d 3 -l 2 >ties
    make_records -n 1 -d 40 -s 7 -f text_embed >q
    make_records -n 1 -d 3 -s 8 >q3
    make_records -n 5 -d 40 -s 7 -f text_embed -p label >labels
    make_records -n 30 -d 40 -g 4 >groups
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

@test "a ranking is a stable sort: ties keep the order of the stream, for every k" {
    rank --query q3 --min-cos=-1 --tsv ties | sort -s -t "$(printf '\t')" -k 2,2gr | cut -f 1,2 >want
    [ "$(wc -l <want)" = 3000 ]
    [ "$(cut -f 2 want | uniq | wc -l)" -lt 40 ]
    for k in 1 2 10 333 2999 3000 5000; do
        rank --query q3 -k $k --tsv ties | cut -f 1,2 >got
        head -n $k want | cmp - got
    done
}

@test "the default is 10 results; rank counts from 1" {
    run -0 --separate-stderr rank --query q --tsv a
    [ "${#lines[@]}" = 10 ]
    [ "$(cut -f 4 <<<"$output" | tr '\n' ' ')" = "1 2 3 4 5 6 7 8 9 10 " ]
    [ -z "$stderr" ]
}

@test "a file, a pipe, several files, any number of threads, any kernel: the same bytes" {
    rank --query q -k 50 a h >want
    rank --query q -k 50 -j 1 a h | cmp - want
    rank --query q -k 50 -j 5 a h | cmp - want
    rank --query q -k 50 --kernel c a h | cmp - want
    cat a h | rank --query q -k 50 | cmp - want
    cat a h >ah
    rank --query q -k 50 <ah | cmp - want
    # in small pieces, so that records are cut anywhere
    cat a h | dd bs=1000 2>/dev/null | rank --query q -k 50 | cmp - want
}

@test "long streams go through many stretches, with records of any length between" {
    make_records -n 3000 -d 768 -p x >long
    make_records -n 20 -d 768 -i 700000 -p image >>long
    make_records -n 3000 -d 768 -p y -s 3 >>long
    make_records -n 3000 -d 700 -p narrow >>long
    make_records -n 3000 -d 768 -p z -s 4 >>long
    make_records -n 1 -d 768 -s 7 >q768
    run -1 rank --query q768 -k 100 --tsv long
    run -1 bash -c 'rank --query q768 -k 100 --tsv long 2>err >got; s=$?; cat long | rank --query q768 -k 100 --tsv 2>err2 >got2; exit $s'
    cmp got got2
    cmp <(sed 's/^rank: long: /rank: -: /' err) err2
    [ "$(wc -l <err)" = 4 ]
    [ "$(sed -n 4p err)" = "rank: long: 2997 more records (6024 to 9020): its image_embed has 700 elements, the image_embed that it is compared with 768" ]
    [ "$(sed -n 1p err)" = "rank: long: record 6021 (narrow0): its image_embed has 700 elements, the image_embed that it is compared with 768" ]
    rm long
}

@test "cosines that f32 cannot tell apart, huge and tiny values, f16, any width: the same as without a filter" {
    # a list that is never full needs every cosine; the second and third file meet a full one
    for d in 1 2 3 7 15 16 17 31 32 33 63 64 65 67 768; do
        make_records -n 1 -d $d -s 9 >qd
        for o in "-e 1e-6" "-e 1e-8 -x 1e30" "-e 0.5 -x 1e-12" "-x 1e-38" "-x 1e-43" "-e 0.001 -t f16" "-t f16 -x 6e4" "-t f16 -x 1e-5"; do
            make_records -n 200 -d $d $o >x
            make_records -n 200 -d $d $o -s 9 -p y >y
            rank --query qd -k 9999 --tsv x y x 2>err | head -n 9 >want
            [ -s want ]
            rank --query qd -k 9 --tsv x y x 2>err2 | cmp - want
            cmp err err2
        done
    done
    cut -f 1 want | grep -q y
}

@test "a threshold: what has exactly that cosine stays, whatever f32 says of it" {
    make_records -n 1 -d 768 -s 7 >qd
    make_records -n 500 -d 768 -e 1e-6 >x
    rank --query qd -k 500 x | record-json | sed 's/.*"cos":\([^,]*\),.*/\1/' >all
    [ "$(wc -l <all)" = 500 ]
    for i in 1 2 101 377 500; do
        c=$(sed -n ${i}p all)
        rank --query qd --min-cos="$c" --tsv x >got
        [ "$(wc -l <got)" = "$(awk -v c="$c" '$1 >= c' all | wc -l)" ]
    done
}

@test "shards, then the ranks of the shards ranked: the same as the whole" {
    rank --query q -k 7 --tsv a >want
    for i in 1 2 3; do rank --query q -k 7 --shard $i/3 a >s$i; done
    cat s1 s2 s3 | rank --query q -k 7 --tsv | cmp - want
    rank --query q -k 7 --tsv s3 s1 s2 | cmp - want
}

@test "records: what was there is kept byte for byte, and nothing is there twice" {
    rank --query q -k 3 a | rank --query q -k 3 >twice
    [ "$(grep -ac 'cos' twice)" -ge 1 ]
    rank --query q -k 3 --tsv a | cmp - <(rank --query q --tsv twice)
    rank --query q -k 1 a >one
    [ "$(grep -ao 'logit_scale' one | wc -l)" = 1 ]
    [ "$(rank --query q -k 1 one | grep -ao 'logit_scale' | wc -l)" = 2 ]
}

@test "f16 and f32 vectors of the same numbers have nearly the same cosines" {
    paste <(rank --query q --min-cos=-1 --tsv a) <(rank --query q --min-cos=-1 --tsv h) |
        awk -F '\t' '{ d = $2 - $5; if (d < 0) d = -d; if (d > m) m = d } END { exit !(NR == 2000 && m < 4e-4) }'
}

@test "a threshold: like grep, in the order of the stream, status 0, 1, 3" {
    run -0 --separate-stderr rank --query q --min-cos 0.4 --tsv a
    [ "$output" = "$(sort -s -t r -k 2,2n <<<"$output")" ]
    [ "${#lines[@]}" -gt 3 ]
    run -1 --separate-stderr rank --query q --min-cos 0.99 a
    [ -z "$output" ]
    [ -z "$stderr" ]
    cat a labels >mixed
    run -3 --separate-stderr rank --query q --field image_embed --min-cos 0.4 --tsv mixed
    [ "${stderr_lines[0]}" = "rank: mixed: record 2001 (label0): no image_embed (clip-embed makes it of a picture, prior of a text)" ]
    run -2 rank --query missing --min-cos 0.4 a
    # with -k it is a ranking of what passes
    rank --query q --min-cos 0.4 --tsv a | wc -l >n
    [ "$(rank --query q --min-cos 0.4 -k 1000 --tsv a | wc -l)" = "$(cat n)" ]
    rank --query q --min-cos 0.4 -k 2 --tsv a | cmp - <(rank --query q -k 2 --tsv a)
}

@test "without a query: each record against its own text, best of each root" {
    rank -k 2 --tsv groups >got
    [ "$(cut -f 2 got | uniq -c | awk '{ print $1 }' | tr '\n' ' ')" = "2 2 2 2 2 2 2 2 " ]
    [ "$(cut -f 2 got | uniq | head -3 | tr '\n' ' ')" = "p0 p1 p2 " ]
    rank -k 4 --tsv groups | awk -F '\t' '{ s[$2] += $5; if ($6 == 1) n++ } END { for (i in s) if (s[i] < 0.999999 || s[i] > 1.000001) exit 1; exit n != 8 }'
    # the roots are ended by the next one: a root that comes back is another group
    cat groups groups | rank -k 1 --tsv | wc -l >n
    [ "$(cat n)" = 16 ]
    rank --group none -k 3 --tsv groups | cmp - <(rank --group none --min-cos=-1 --tsv groups | sort -s -t "$(printf '\t')" -k 2,2gr | head -3 | awk '{ print $0 "\t" NR }')
}

@test "--min-prob keeps what is likely within its group" {
    run -0 rank --min-prob 0.5 --tsv groups
    [ "${#lines[@]}" -le 8 ]
    run -1 rank --min-prob 1 --min-cos 1 --tsv groups
}

@test "labels: each record keeps its place; one label is a string, several are arrays" {
    rank --labels labels --tsv a >got
    [ "$(wc -l <got)" = 2000 ]
    cut -f 1 got | cmp - <(seq 0 1999 | sed 's/^/r/')
    rank --labels labels -k 5 --tsv a >all
    [ "$(wc -l <all)" = 10000 ]
    awk -F '\t' '$6 == 1' all | cmp - got
    awk -F '\t' '{ s[$1] += $5 } END { for (i in s) if (s[i] < 0.999999 || s[i] > 1.000001) exit 1 }' all
    rank --labels labels -k 5 -j 1 --kernel c --tsv a | cmp - all
    rank --labels labels -k 99 --tsv a | cmp - all
    cat a | rank --labels labels -k 5 --tsv | cmp - all
    rank --labels labels -k 2 a | head -c 2000 | grep -aq 'label'
}

@test "labels: the winner of a label is the winner of a query for it" {
    rank --labels labels -k 5 --tsv a | awk -F '\t' '$2 == "label0"' | cut -f 1,3 | sort -t "$(printf '\t')" -s -k 2,2gr | head -5 >want
    rank --query q -k 5 --tsv a | cut -f 1,2 >got
    # labels' vectors are rounded to f32 at length one: the seventh digit may differ
    cmp <(cut -f 1 want) <(cut -f 1 got)
}

@test "labels: thresholds leave out labels, and records that have none left" {
    run -0 --separate-stderr rank --labels labels -k 5 --min-prob 0.99 --tsv a
    awk -F '\t' '$5 < 0.99 { exit 1 }' <<<"$output"
    [ "${#lines[@]}" -lt 2000 ]
    run -1 rank --labels labels --min-prob 1 --min-cos 1 a
}

@test "labels: --skip-from goes on where a run stopped" {
    rank --labels labels -o all.clip a
    head -c 100000 all.clip >part
    rank --labels labels --skip-from part -o part a 2>err
    cmp part all.clip
    run -2 rank --query q --skip-from part a
}

@test "scores: logit is scale x cos, and the scale is recorded" {
    rank --query q -k 1 --logit-scale 2.5 --json a | grep -q '^{"id":"r[0-9]*","cos":\([0-9.]*\),"logit":[0-9.]*,"rank":1}$'
    rank --query q -k 1 --logit-scale 2.5 --tsv a | awk -F '\t' '{ d = $3 - 2.5 * $2; exit !(d < 1e-6 && d > -1e-6) }'
    rank --query q -k 1 --logit-scale 2.5 a | grep -aq logit_scale
}

@test "names: a tab, a newline, a quote, bytes that are not UTF-8" {
    make_records -n 1 -d 40 -p "$(printf 'a\tb\nc"\\,')" >odd
    run -0 rank --query q --tsv odd
    [ "${output%%$'\t'*}" = 'a\tb\nc"\\,0' ]
    rank --query q --csv odd | head -3 | tr -d '\r' >got
    [ "$(sed -n 3p got | cut -d, -f 1-3)" = 'c""\,0",'"$(rank --query q --tsv odd | cut -f 2)" ]
    run -0 rank --query q --json odd
    [[ "$output" == '{"id":"a\tb\nc\"\\,0",'* ]]
    make_records -n 1 -d 40 -p "$(printf 'caf\351')" >latin
    run -0 rank --query q --json latin
    [[ "$output" == '{"id":{"$bytes":"Y2Fm6TA="},'* ]]
    rank --query q --tsv latin | cut -f 1 | cmp - <(printf 'caf\3510\n')
}

@test "vectors of different models or widths are not compared" {
    make_records -n 2 -d 40 -m ffffffffffffffff >other
    run -2 --separate-stderr rank --query <(make_records -n 1 -d 40) --tsv other
    [ -z "$output" ]
    [ "$stderr" = "rank: other: made by another model: its image_embed is of model ffffffffffffffff, the image_embed that it is compared with of 00112233445566aa (--force); make the query with the model that made it" ]
    # among records of the query's model, only the records of the other model fail
    run -1 --separate-stderr rank --query <(make_records -n 1 -d 40) --tsv <(make_records -n 3 -d 40; cat other)
    [ "${#lines[@]}" = 3 ]
    [ "${#stderr_lines[@]}" = 2 ]
    [[ "${stderr_lines[1]}" = "rank: /dev/fd/"*": record 5 (r1): its image_embed is of model ffffffffffffffff, the image_embed that it is compared with of 00112233445566aa (--force)" ]]
    run -0 rank --query <(make_records -n 1 -d 40) --force --tsv other
    [ "${#lines[@]}" = 2 ]
    make_records -n 1 -d 41 >wide
    run -2 --separate-stderr rank --query q --force wide
    [ "$stderr" = "rank: wide: made by another model: its image_embed has 41 elements, the text_embed that it is compared with 40; make the query with the model that made it" ]
    run -2 --separate-stderr rank --text 'a cat' wide
    [[ "$stderr" = "rank: wide: made by another model: its image_embed has 41 elements, the text_embed that it is compared with "*"; name the model that made it with -m" ]]
}

@test "towers in files of their own: an index of another CLIP of the same width is refused, in one line" {
    EMOJI=$BATS_TEST_DIRNAME/../../examples/emoji
    for n in 1 2; do
        make_model -l split -s $n tiny split$n >/dev/null
        clip-embed -m split$n "$EMOJI"/demo/{fish,sun}.png >split$n.clip
    done
    make_model -l hf -s 1 tiny joint1 >/dev/null
    clip-embed -m joint1 "$EMOJI"/demo/{fish,sun}.png >joint1.clip
    one=$(record-json split1.clip | jq -rs '.[0].data.model.image_embed')
    two=$(record-json split2.clip | jq -rs '.[0].data.model.image_embed')
    vocab=$EMOJI/tokenizer
    for o in "--text dog" "--label dog --label cat" "--label dog --label-cache cache"; do
        # shellcheck disable=SC2086
        run -2 --separate-stderr rank -m split1 -m "$vocab" $o --tsv split2.clip
        [ -z "$output" ]
        [ "$stderr" = "rank: split2.clip: made by another model: its image_embed is of model $two, the image tower of the CLIP that it is compared with is $one (--force); name the model that made it with -m" ]
        # shellcheck disable=SC2086
        cat split2.clip | run -2 rank -m split1 -m "$vocab" $o --tsv
        # shellcheck disable=SC2086
        [ "$(rank -m split1 -m "$vocab" $o --force --tsv split2.clip | wc -l)" = 2 ]
        # the same CLIP in one file is the same CLIP; among its records, those of the other CLIP fail
        # shellcheck disable=SC2086
        [ "$(cat split1.clip joint1.clip split1.clip | rank -m split1 -m "$vocab" $o --tsv | wc -l)" = 6 ]
        # shellcheck disable=SC2086
        run -1 --separate-stderr rank -m split1 -m "$vocab" $o --tsv <(cat split1.clip split2.clip joint1.clip)
        [ "${#lines[@]}" = 4 ]
        [ "${#stderr_lines[@]}" = 2 ]
    done
    # a text index and a picture as the query
    printf 'dog\n' | clip-tok -m "$vocab" | clip-embed -m split2 >texts
    run -2 --separate-stderr rank -m split1 --image "$EMOJI/demo/fish.png" texts
    [[ "$stderr" = *": its text_embed is of model "*", the text tower of the CLIP that it is compared with is "* ]]
    run -0 rank -m split2 --image "$EMOJI/demo/fish.png" texts
    # without the image tower there is nothing to compare with
    rm -r split1/image_encoder
    [ "$(rank -m split1 -m "$vocab" --text dog --tsv split2.clip | wc -l)" = 2 ]
}

@test "records that all fail for one reason are counted in one line, in every program; names are not lost" {
    make_records -n 900 -d 40 >many
    for p in "rank --text a --field image_embd" "embed-mix mean --field image_embd" "prior" "decode64" "upsample" "vq -d" "ddim-invert"; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr $p -o out many
        [ "${#stderr_lines[@]}" = 4 ]
        why=${stderr_lines[0]#*": record 1 (r0): "}
        [ "${stderr_lines[0]}" = "${p%% *}: many: record 1 (r0): $why" ]
        [ "${stderr_lines[2]}" = "${p%% *}: many: record 3 (r2): $why" ]
        [ "${stderr_lines[3]}" = "${p%% *}: many: 897 more records (4 to 900): $why" ]
        # with --keep-errors each record says why
        # shellcheck disable=SC2086
        [ "$($p --keep-errors many 2>err | record-json | jq -r .data.error | uniq -c | xargs)" = "900 $why" ]
        [ "$(wc -l <err)" = 4 ]
        # shellcheck disable=SC2086
        run -1 --separate-stderr $p --strict many
        [ "${#stderr_lines[@]}" = 1 ]
    done
    # a fourth record is named too; a file that is read a second time begins anew
    make_records -n 4 -d 40 >four
    run -1 --separate-stderr rank --text a --field x --tsv four four
    [ "${#stderr_lines[@]}" = 8 ]
    [ "${stderr_lines[7]}" = "rank: four: record 4 (r3): no x" ]
    # other reasons, and records between them that are done: each failure is named
    for i in 1 2 3 4 5 6; do
        make_records -n 2 -d 40
        make_records -n 1 -d $((40 + i % 3))
        make_records -n 1 -d 39
    done >mixed
    run -1 --separate-stderr rank --query q --tsv mixed
    [ "${#stderr_lines[@]}" = 10 ]
    [[ "$stderr" != *more* ]]
    # the count comes before what is said next, and before the end
    run -1 --separate-stderr rank --query q --tsv <(make_records -n 1 -d 40; make_records -n 5 -d 39) gone
    [ "${#stderr_lines[@]}" = 5 ]
    [[ "${stderr_lines[3]}" = *": 2 more records (5 to 6): "* ]]
}

@test "vectors of zeros, of NaN, and records without one: named, the rest is ranked" {
    make_records -n 5 -d 40 -z 3 >zeros
    run -1 --separate-stderr rank --query q -k 9 --tsv zeros
    [ "${#lines[@]}" = 4 ]
    [ "$stderr" = "rank: zeros: record 4 (r3): its image_embed is all zeros" ]
    make_records -n 1 -d 3 -l 1 | perl -pe 's/\x00\x00\x80\x3f/\x00\x00\xc0\x7f/' >nan
    run -1 --separate-stderr rank --query q3 nan
    [ "$stderr" = "rank: nan: record 1 (r0): its image_embed has a value that is not finite" ]
    run -2 --separate-stderr rank --query nan a
    [ "$stderr" = "rank: nan: the query's image_embed has a value that is not finite" ]
    run -1 --separate-stderr rank --query q --field prior_embed zeros
    [ "${stderr_lines[0]}" = "rank: zeros: record 1 (r0): no prior_embed" ]
    run -1 --separate-stderr rank zeros
    [ "${stderr_lines[0]}" = "rank: zeros: record 1 (r0): no text_embed (clip-tok | clip-embed makes it of a text)" ]
}

@test "--strict stops at the first; --keep-errors writes failures, and they pass through" {
    run -1 --separate-stderr rank --query q --strict zeros
    [ -z "$output" ]
    run -1 bash -c 'rank --query q -k 9 --keep-errors zeros >kept 2>err'
    run -1 bash -c 'rank --query q -k 9 --keep-errors kept >again 2>err'
    [ ! -s err ]
    [ "$(grep -ao 'is all zeros' again | wc -l)" = 1 ]
    # no records among text
    run -1 --separate-stderr rank --query q -k 9 --tsv kept
    [ "${#lines[@]}" = 4 ]
}

@test "a stream that is cut or has garbage in it: named by its byte, the rest is ranked" {
    head -c "$(($(wc -c <a) - 5))" a >short
    run -1 --separate-stderr rank --query q -k 3 --tsv short
    [ "${#lines[@]}" = 3 ]
    [[ "$stderr" == "rank: short: record 2000 at byte "*": cut short"* ]]
    { cat a; printf 'garbage'; cat h; } >garbage
    run -1 --separate-stderr rank --query q -k 30 --tsv garbage
    [ "$stderr" = "rank: garbage: garbage at byte $(wc -c <a)" ]
    [ "$output" = "$(rank --query q -k 30 --tsv a h)" ]
    for n in $(seq 1 37 1300); do
        head -c "$n" groups >short
        rank --tsv short >/dev/null 2>&1 && [ "$(rank --tsv short | wc -l)" -gt 3 ] && return 1
        [ $? -le 1 ]
    done
}

@test "an empty stream is an empty ranking" {
    run -0 --separate-stderr rank --query q - </dev/null
    [ -z "$output$stderr" ]
    run -0 rank - </dev/null
    run -0 rank --labels labels --csv - </dev/null
    [ "$output" = "$(printf 'id,label,cos,logit,prob,rank\r')" ]
    run -1 rank --query q --min-cos 0 - </dev/null
}

@test "what cannot be a query or a label is refused" {
    run -2 --separate-stderr rank --query a a
    [ "$stderr" = "rank: a: more than one record, and a query is one" ]
    run -2 --separate-stderr rank --query /dev/null a
    [ "$stderr" = "rank: /dev/null: no record in it" ]
    run -2 --separate-stderr rank --query nowhere a
    [ "$stderr" = "rank: nowhere: No such file or directory" ]
    run -2 --separate-stderr rank --labels nowhere a
    [ "$stderr" = "rank: nowhere: No such file or directory" ]
    : >empty
    run -2 --separate-stderr rank --labels empty a
    [ "$stderr" = "rank: empty: no label in it" ]
    printf 'a\nb\377\n' >bad
    run -2 --separate-stderr rank --labels bad a
    [ "$stderr" = "rank: bad: line 2: not UTF-8" ]
    echo '{"id":"x","data":{"text":"cat"}}' | record-json --from-json >bare
    run -2 --separate-stderr rank --labels bare a
    [ "$stderr" = "rank: bare: record 1: no text_embed (clip-tok | clip-embed makes it of a text)" ]
    cat q a >mixed
    run -2 --separate-stderr rank --labels mixed a
    [ "$stderr" = "rank: mixed: record 2: no text_embed (clip-tok | clip-embed makes it of a text)" ]
    run -2 --separate-stderr rank --labels labels --templates none a
    [ "$stderr" = "rank: labels: it holds vectors; templates and a cache are for labels in text" ]
}

@test "options that do not go together are refused" {
    run -2 --separate-stderr rank --query q --labels labels a
    [ "$stderr" = "rank: one of --text, --image, --query, --labels and --label" ]
    run -2 rank --query q --templates openai80 a
    run -2 rank --query q --group none a
    run -2 rank --query q --min-prob 0.5 a
    run -2 rank --group none --min-prob 0.5 groups
    run -2 rank --query q --tsv --csv a
    run -2 rank --query q -k 0 a
    run -2 rank --query q -k ten a
    run -2 rank --query q --min-cos nan a
    run -2 rank --query q --min-cos 1.5 a
    run -2 rank --query q --logit-scale 0 a
    run -2 rank --query q --no-such-option a
    run -1 rank --query q missing
}

@test "the output is never an input" {
    cp a copy
    run -2 --separate-stderr rank --query q -o copy h copy
    [ "$stderr" = "rank: copy: input file is output file" ]
    run -2 --separate-stderr bash -c 'rank --query q -o copy <copy'
    [ "$stderr" = "rank: copy: input file is output file" ]
    cmp a copy
}

@test "an interrupt ends it, and no part of a ranking is written" {
    mkfifo waiting
    { cat a; sleep 3; } >waiting &
    rank --query q -k 3 --tsv waiting >part &
    pid=$!
    sleep 0.5
    kill -TERM $pid
    status=0
    wait $pid || status=$?
    [ $status = 143 ]
    [ ! -s part ]
    wait
}

@test "a full disk is noticed" {
    [ -w /dev/full ] || skip "no /dev/full"
    for f in '' --tsv --csv --json; do
        run -2 --separate-stderr bash -c "rank --query q $f a >/dev/full"
        [ "$stderr" = "rank: write error: No space left on device" ]
    done
}

@test "a closed pipe ends it quietly" {
    run -0 --separate-stderr bash -c 'rank --labels labels --tsv a | head -n 1; [ "${PIPESTATUS[0]}" = 141 ]'
    [ -z "$stderr" ]
}

@test "records are not for a terminal" {
    script -qec true /dev/null >/dev/null 2>&1 </dev/null || skip "no terminal to be had: script(1) or /dev/pts is missing"
    run -0 script -qec 'rank --query q a; echo status $?' /dev/null
    [[ "$output" == *"rank: records are not for a terminal: use --tsv, --csv or --json"* ]]
    [[ "$output" == *"status 2"* ]]
    run -0 script -qec 'rank --query q -k 1 --tsv a' /dev/null
    [[ "$output" == r[0-9]* ]]
}

# ---- with the model in the box ----

box() {
    EMOJI=$BATS_TEST_DIRNAME/../../examples/emoji
    [ -e "$EMOJI/text_encoder" ] || skip "the model in the box is not built yet"
    [ -e pictures ] || clip-embed "$EMOJI"/demo/*.png >pictures
}

@test "--text is clip-tok | clip-embed, --image is clip-embed: two pipelines that must agree" {
    box
    clip-tok 'a red heart' | clip-embed >text
    rank --text 'a red heart' -k 5 --tsv pictures | cut -f 1,2 >want
    rank --query text -k 5 --tsv pictures | cut -f 1,2 | cmp - want
    clip-embed "$EMOJI/demo/key.png" | rank --query - -k 3 --tsv pictures | cut -f 1,2 >want
    rank --image "$EMOJI/demo/key.png" -k 3 --tsv pictures | cut -f 1,2 | cmp - want
    [ "$(head -n 1 want)" = "$(printf '%s\t1' "$EMOJI/demo/key.png")" ]
}

@test "labels in text without a template are the labels' own embeddings" {
    box
    rank --labels "$EMOJI/demo/labels.txt" --templates none -k 3 --tsv pictures | cut -f 1-3,6 >want
    clip-tok -f "$EMOJI/demo/labels.txt" | clip-embed >vectors
    rank --labels vectors -k 3 --tsv pictures | cut -f 1-3,6 | cmp - want
    printf '{}\n' >plain
    rank --labels "$EMOJI/demo/labels.txt" --templates plain -k 3 --tsv pictures | cut -f 1-3,6 | cmp - want
}

@test "the label cache: the same results, and stale, cut or foreign files are noticed" {
    box
    l=$EMOJI/demo/labels.txt
    rm -f cache
    rank --labels "$l" --templates openai7 -k 4 --tsv pictures >want
    rank --labels "$l" --templates openai7 -k 4 --label-cache cache --tsv pictures | cmp - want
    cp cache real
    inode=$(stat -c %i cache)
    rank --labels "$l" --templates openai7 -k 4 --label-cache cache --tsv pictures | cmp - want
    [ "$(stat -c %i cache)" = "$inode" ]    # used, not made anew
    # other templates: made anew
    rank --labels "$l" --label-cache cache --tsv pictures >other
    run ! cmp -s cache real
    rank --labels "$l" --tsv pictures | cmp - other
    # other labels
    head -n 3 "$l" >three
    rank --labels three --templates openai7 --label-cache cache --tsv pictures | cmp - <(rank --labels three --templates openai7 --tsv pictures)
    # another activation
    cp real cache
    gelu=(--labels "$l" --templates openai7 -k 4 --activation gelu --tsv pictures)
    rank "${gelu[@]}" --label-cache cache | cmp - <(rank "${gelu[@]}")
    # cut, empty
    head -c 1000 real >cache
    rank --labels "$l" --templates openai7 -k 4 --label-cache cache --tsv pictures | cmp - want
    cmp cache real
    : >cache
    rank --labels "$l" --templates openai7 -k 4 --label-cache cache --tsv pictures | cmp - want
    # not ours
    echo precious >cache
    run -2 --separate-stderr rank --labels "$l" --label-cache cache --tsv pictures
    [ "$stderr" = "rank: cache: not a cache of labels; it is left as it is" ]
    [ "$(cat cache)" = precious ]
    [ -z "$(find . -name 'cache.*')" ]
    # a cache is labels too
    rank --labels real -k 4 --tsv pictures | cmp - want
}

@test "a text that is too long for the model, a file that is not a picture, a model that is not there" {
    box
    run -2 --separate-stderr rank --text "$(seq 200)" pictures
    [[ "$stderr" == "rank: --text: "*"has "*" tokens, the model takes "* ]]
    run -2 --separate-stderr rank --image "$EMOJI/demo/labels.txt" pictures
    [[ "$stderr" == "rank: $EMOJI/demo/labels.txt: "* ]]
    run -2 --separate-stderr rank -m /nowhere --text x pictures
    [[ "$stderr" == "rank: "*"/nowhere"* ]]
    printf 'a\n\377\n' >badlabels
    run -2 --separate-stderr rank --labels "$EMOJI/demo/labels.txt" --templates badlabels pictures
    [ "$stderr" = "rank: badlabels: line 2: not UTF-8" ]
}

@test "the manual's examples run" {
    root=$BATS_TEST_DIRNAME/../..
    mkdir examples.d && cd examples.d
    ln -s "$(cd "$root" && pwd)/examples" examples
    sed -n '/^\.Sh EXAMPLES/,/^\.Sh SEE/{/^\.Bd/,/^\.Ed/{/^\./!p}}' "$root/man/rank.1" >examples.sh
    [ "$(wc -l <examples.sh)" -gt 8 ]
    run -0 --separate-stderr sh -e examples.sh
    [ -z "$stderr" ]
    [ "$(ls hearts)" = $'balloon.png\nred-heart.png' ]
}

@test "GNU parallel ranks the pieces of a stream, rank ranks what they found" {
    command -v parallel >/dev/null || skip "GNU parallel is not installed"
    export PARALLEL_HOME=$BATS_TEST_TMPDIR
    rank --query q -k 7 --tsv a >want
    start=$(printf '\203\246unclip\001\242id')
    parallel --will-cite -j2 -k --pipe --block 50k --recstart "$start" rank --query q -k 7 <a | rank --query q -k 7 --tsv | cmp - want
    parallel --will-cite -j2 -k --pipe-part -a a --block 50k --recstart "$start" rank --query q -k 7 | rank --query q -k 7 --tsv | cmp - want
    parallel --will-cite -j2 rank --query q -k 7 --shard '{}/5' a ::: 1 2 3 4 5 | rank --query q -k 7 --tsv | cmp - want
}

@test "every option is in the manual page, in order" {
    page=$BATS_TEST_DIRNAME/../../man/rank.1
    rank -h | sed -n 's/^  -\([a-zA-Z0-9]\), --.*/\1/p' | while read -r o; do grep -q "^\.It Fl $o\b" "$page" || { echo "-$o"; exit 1; }; done
    rank -h | sed -n 's/^.* --\([a-z0-9-]*\).*/\1/p' | while read -r o; do
        grep -q "Fl Fl $o\b" "$page" || { echo "--$o"; exit 1; }
    done
}

@test "--label, --columns, --header, -0" {
    EMOJI=$BATS_TEST_DIRNAME/../../examples/emoji
    clip-embed "$EMOJI"/demo/{fish,house}.png >two
    printf 'fish\na house\n' >labels.txt
    rank --labels labels.txt -k 2 --tsv two >want
    rank --label fish --label 'a house' -k 2 --tsv two | cmp - want
    rank --label fish --label 'a house' two | record-json | jq -c .data.params >params
    grep -q '"label_names":"fish\\na house\\n"' params
    run -2 rank --label fish --labels labels.txt two
    [ "$output" = "rank: one of --text, --image, --query, --labels and --label" ]
    run -2 rank --label $'fish\nhouse' two
    [ "$output" = "rank: --label: the value has several lines" ]
    { printf 'id\tlabel\tcos\tlogit\tprob\trank\n'; cat want; } >headed
    rank --labels labels.txt -k 2 --header two | cmp - headed
    rank --labels labels.txt -k 2 --columns cos,id,rank two | diff - <(awk -F '\t' -v OFS='\t' '{ print $3, $1, $6 }' want)
    [ "$(rank --label fish --columns label,prob --csv two)" = $'label,prob\r\nfish,1\r\nfish,1\r' ]
    # fields of the record; what is not there is empty
    record-json two | jq -c '.id = "a\tb\nc" | .data += {path: "p\tq", n: 7, x: 0.5, yes: true, none: [1]}' | record-json --from-json >fields
    rank --label fish --columns path,n,x,yes,none,gone fields >out
    [ "$(head -n 1 out)" = $'p\\tq\t7\t0.5\ttrue\t\t' ]
    rank --text fish -k 1 -0 --columns id fields | cmp - <(printf 'a\tb\nc\0')
    [ "$(rank --text fish -k 1 --columns prob,label fields)" = $'\t' ]
    # a column's name is escaped as its values are
    rank --text fish --json --columns 'id,a"b\c' two | jq -se 'length == 2 and all(.[]; has("a\"b\\c"))'
    [ "$(rank --text fish --csv --columns 'a"b' two | head -n 1)" = $'"a""b"\r' ]
    run -2 rank --text fish --json -0 two
    [ "$output" = "rank: --header and -0 are for --tsv" ]
    run -2 rank --text fish --columns id,,cos two
}

@test "several --text: the mean of their directions" {
    EMOJI=$BATS_TEST_DIRNAME/../../examples/emoji
    clip-embed "$EMOJI"/demo/{fish,house,sun}.png >three
    printf '%s\n' 'a fish' 'a red house' | clip-tok | clip-embed -S | record-json --normalise | record-json --from-json | embed-mix mean - >mean
    rank --query mean -k 3 --columns id,cos three >want
    rank --text 'a fish' --text 'a red house' -k 3 --columns id,cos three >got
    diff <(cut -f1 want) <(cut -f1 got)
    paste want got | awk -F '\t' '{ d = $2 - $4; bad += d * d > 1e-12 } END { exit NR != 3 || bad }'
    rank --text 'a fish' --text 'a red house' three | record-json |
        jq -se 'length == 3 and all(.[]; .data.params[-1][1].text == ["a fish", "a red house"])'
}

@test "--labels with pictures: near-duplicates" {
    EMOJI=$BATS_TEST_DIRNAME/../../examples/emoji
    clip-embed "$EMOJI"/demo/{fish,house}.png "$EMOJI"/demo/jpeg/fish.jpg >pictures
    rank --labels pictures -k 2 --min-cos 0.99 --columns rank,id,label pictures >out
    [ "$(grep -c '^1' out)" = 3 ]
    [ "$(grep '^2' out | sed "s|$EMOJI/demo/||g")" = $'2\tfish.png\tjpeg/fish.jpg\n2\tjpeg/fish.jpg\tfish.png' ]
    run -2 --separate-stderr rank --labels pictures <(make_records -n 1 -d 40 -m ffffffffffffffff)
    [[ "$stderr" = *"made by another model: its image_embed has 40 elements, the image_embed that it is compared with"* ]]
}
