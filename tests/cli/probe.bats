#!/usr/bin/env bats
# probe: training, applying, heads, neighbours, reports, and inputs that do not belong.
# shellcheck disable=SC2016,SC2030,SC2031,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    BIN=${BIN:-$ROOT/build/bin}
    AID=${AID:-$ROOT/build/tests}
    export ROOT BIN AID PATH="$BIN:$AID:$PATH" LC_ALL=C UNCLIP_MODEL=box
    cd "$BATS_FILE_TMPDIR" || return 1
    # three classes around three directions, told by the beginning of the id
    for c in ant bee cat; do
        make_records -n 60 -d 24 -p "$c/x" -s "$(printf %d "'$c")" -e 0.9 >"$c"
        make_records -n 20 -d 24 -p "$c/y" -s "$(printf %d "'$c")" -e 0.95 >"$c.new"
    done
    cat ant bee cat >all
    cat ant.new bee.new cat.new >new
    probe --train --label-from '^([^/]+)/' -o p.probe all
    # texts of the classes, first under other names
    for c in ant bee cat; do
        make_records -n 1 -d 24 -s "$(printf %d "'$c")" -e 0.01 -f text_embed -p "$c"
    done >misnamed
    record-json misnamed | sed 's/"id":"\(...\)0"/"id":"\1"/' | record-json --from-json >texts
}

setup() {
    cd "$BATS_FILE_TMPDIR" || return 1
}

# the share of records whose label is the beginning of their id
right() {
    awk -F '\t' '{ n++; split($1, p, "/"); if (p[1] == $2) r++ } END { printf "%.2f\n", r / n }'
}

@test "class folders to a classifier to labels in two commands" {
    run -0 --separate-stderr probe p.probe --tsv new
    [ -z "$stderr" ]
    [ "${#lines[@]}" = 60 ]
    [ "$(right <<<"$output" | cut -c1-3)" = 1.0 ]
    [ "$(head -1 <<<"$output" | awk -F '\t' '{ print NF }')" = 5 ]
}

@test "the same classifier from a file, a pipe, pieces, and any number of threads" {
    cat all | probe --train --label-from '^([^/]+)/' -o q.probe
    cmp p.probe q.probe
    probe --train --label-from '^([^/]+)/' -o q.probe -j 1 ant bee cat
    cmp p.probe q.probe
    probe --train --label-from '^([^/]+)/' -o q.probe -j 5 --exact - <all
    cmp p.probe q.probe
}

@test "the default tolerance falls with C: 1e-5 / (C n) where that is below 1e-7" {
    largest() { probe -v --progress=none --train --label-from '^([^/]+)/' -o q.probe "$@" all 2>&1 | sed -n 's/.*largest gradient //p'; }
    awk -v g="$(largest -C 1000)" 'BEGIN { exit !(g > 0 && g <= 1e-5 / 180000) }'
    awk -v g="$(largest -C 0.1)" 'BEGIN { exit !(g > 1e-9 && g <= 1e-7) }'
    awk -v g="$(largest -C 1000 --tol 1e-3)" 'BEGIN { exit !(g > 1e-7 && g <= 1e-3) }'
}

@test "more streams than a process may hold open" {
    cut() { record-json "$1" | sed -n "$2p" | record-json --from-json; }
    mkdir -p parts
    for i in $(seq 80); do
        cut all "$i" >parts/$i.a
        cut all "$((100 + i))" >parts/$i.b
    done
    (ulimit -n 40; probe --train --label-from '^([^/]+)/' -o parts.probe parts/*)
    cat parts/* | probe --train --label-from '^([^/]+)/' -o whole.probe
    cmp parts.probe whole.probe
}

@test "labels from a file, from the field label, and records without one" {
    for c in ant bee cat; do for i in 0 1 2 3 4 5 6 7 8 9; do printf '%s/x%d\t%s\n' $c $i $c; done; done >labels.tsv
    run -0 --separate-stderr probe --train --labels labels.tsv -o q.probe all
    [ "$stderr" = "probe: 150 records without a label were passed over" ]
    probe q.probe all >labelled
    probe --train -o r.probe labelled
    [ "$(probe r.probe --tsv new | right | cut -c1-3)" = 1.0 ]
    run -2 --separate-stderr probe --train -o r.probe all
    [ "$stderr" = "probe: no vector has a label (--labels FILE, --label-from REGEX, or the field label)" ]
    head -10 labels.tsv >one.tsv
    run -2 --separate-stderr probe -q --train --labels one.tsv -o r.probe all
    [ "$stderr" = "probe: all vectors have one label, and a classifier needs two" ]
}

@test "a classifier is safetensors, or JSON with scikit-learn's names; both say the same" {
    probe --train --label-from '^([^/]+)/' -o p.json all
    jq -e '.classes == ["ant", "bee", "cat"] and (.coef | length) == 3 and (.coef[0] | length) == 24 and .n_features_in == 24 and .C == 0.316' p.json
    probe p.probe --tsv new >a
    probe p.json --tsv new >b
    cmp a b
    python3 - <<'PY'
import json, struct
b = open('p.probe', 'rb').read()
n, = struct.unpack('<Q', b[:8])
h = json.loads(b[8:8 + n])
assert h['weight']['shape'] == [3, 24] and h['bias']['shape'] == [3] and json.loads(h['__metadata__']['labels']) == ['ant', 'bee', 'cat']
assert h['__metadata__']['format'] == 'unclip-probe' and h['__metadata__']['normalize'] == 'false'
PY
}

@test "records: label, prob and logit; arrays with -k; prob sums to one" {
    probe p.probe new | record-json >one
    [ "$(jq -r .data.label one | sort | uniq -c | awk '{ print $1 }' | tr '\n' ' ')" = "20 20 20 " ]
    probe p.probe -k 3 new | record-json >three
    jq -se 'length == 60 and all(.[].data.prob; length == 3 and (add - 1 | fabs) < 1e-9 and .[0] >= .[1])' three >/dev/null
    jq -se 'all(.[].data.params[-1]; .[0] == "probe" and .[1].head)' three >/dev/null
    [ "$(jq -r '.data.label[0]' three | cksum)" = "$(jq -r .data.label one | cksum)" ]
}

@test "two classes: one row of weights, probabilities that sum to one" {
    cat ant bee >two
    probe --train --label-from '^([^/]+)/' -o two.json two
    jq -e '(.coef | length) == 1 and .link == "sigmoid"' two.json
    probe two.json -k 2 --tsv new | awk -F '\t' '{ p[$1] += $3; z[$1] += $4 } END { for (i in p) bad += p[i] < 0.999999 || p[i] > 1.000001 || z[i] != 0; exit NR != 120 || bad }'
}

@test "a threshold: 0 something passed, 1 nothing did, 3 some failed" {
    run -0 probe p.probe --min-prob 0.5 --tsv new
    run -1 probe p.probe --min-prob 1 --temperature 50 --tsv new
    make_records -n 1 -d 24 -p ok >bad
    make_records -n 1 -d 24 -f text_embed -p none >>bad
    run -3 --separate-stderr probe p.probe --min-prob 0.01 --tsv bad
    [ "$stderr" = "probe: bad: record 2 (none0): no image_embed (clip-embed makes it of a picture, prior of a text)" ]
}

@test "a threshold and --strict: 3 when a record failed" {
    { make_records -n 1 -d 24 -p ok; make_records -n 1 -d 24 -f text_embed -p none; cat new; } >bad
    for o in 0.01 1; do
        run -3 --separate-stderr probe p.probe --strict --min-prob $o --tsv bad
        [ "$stderr" = "probe: bad: record 2 (none0): no image_embed (clip-embed makes it of a picture, prior of a text)" ]
    done
    { cat all; make_records -n 1 -d 24 -f text_embed -p ant/none; } >failing
    run -3 --separate-stderr probe --knn failing --label-from '^([^/]+)/' --strict --min-prob 0.01 --tsv new
    run -1 --separate-stderr probe p.probe --strict --tsv bad
    run -2 --separate-stderr probe none.probe --min-prob 0.01 --tsv bad
    run -3 --separate-stderr probe p.probe --min-prob 0.01 --tsv none.clip
}

@test "a report on what was held out, a sweep, folds, a temperature" {
    run -0 --separate-stderr probe --train --label-from '^([^/]+)/' -o q.probe --sweep --calibrate --report --json all
    jq -e '.vectors == 180 and .held_out > 20 and .held_out < 50 and (.sweep | length) == 15 and (.confusion | length) == 3' <<<"$output"
    [ "$(jq '[.confusion[][]] | add' <<<"$output")" = "$(jq .held_out <<<"$output")" ]
    run -0 --separate-stderr probe --train --label-from '^([^/]+)/' -o q.probe --folds 5 --report all
    [ "${lines[0]}" = "held out: 180 vectors in 5 folds" ]
    grep -q '^accuracy 1.0000\|^accuracy 0.9' <<<"$output"
}

@test "k-NN and Tip-Adapter" {
    [ "$(probe --knn all --label-from '^([^/]+)/' --tsv new | right | cut -c1-3)" = 1.0 ]
    probe --knn all --label-from '^([^/]+)/' --plain --neighbours 7 -k 3 new | record-json | jq -se 'length == 60 and all(.[].data.logit; add == 7)' >/dev/null
    run -2 --separate-stderr probe --tip all --label-from '^([^/]+)/' --classes misnamed --tsv new
    [ "$stderr" = "probe: misnamed: no text for the label ant" ]
    [ "$(probe --tip all --label-from '^([^/]+)/' --classes texts --tsv new | right | cut -c1-3)" = 1.0 ]
}

@test "k-NN and Tip-Adapter with one label: its probability is 1, and its logit is what it is among several" {
    sole() { awk -F '\t' '{ bad += $2 != "ant" || $3 != 1 || !($4 > 0) || $5 != 1 } END { print NR, bad + 0 }'; }
    [ "$(probe --knn ant --label-from '^([^/]+)/' --tsv new | sole)" = "60 0" ]
    [ "$(probe --knn ant --label-from '^([^/]+)/' -k 3 --min-prob 1 --tsv new | sole)" = "60 0" ]
    probe --tip ant --label-from '^([^/]+)/' --classes texts --tsv new | sort >sole
    probe --tip all --label-from '^([^/]+)/' --classes texts -k 3 --tsv new | awk -F '\t' '$2 == "ant"' | sort >among
    [ "$(cut -f 2,3 sole | sort -u)" = "$(printf 'ant\t1')" ]
    [ "$(cut -f 1,4 sole)" = "$(cut -f 1,4 among)" ]
}

@test "--shard parts the records to label, not the labelled vectors" {
    for mode in knn tip; do
        way=(--"$mode" all --label-from '^([^/]+)/' --tsv)
        [ $mode = knn ] || way+=(--classes texts)
        probe "${way[@]}" new | sort >unsharded
        for i in 1 2; do probe "${way[@]}" --shard $i/2 new; done | sort >sharded
        cmp unsharded sharded
    done
}

@test "--keep-errors writes no record for a labelled vector that fails" {
    { cat all; make_records -n 1 -d 24 -f text_embed -p ant/none; } >failing
    run -1 --separate-stderr probe --knn failing --label-from '^([^/]+)/' --keep-errors -o got new
    [ "$stderr" = "probe: failing: record 181 (ant/none0): no image_embed (clip-embed makes it of a picture, prior of a text)" ]
    [ -z "$output" ]
    probe --knn all --label-from '^([^/]+)/' new | record-json | jq -c '[.id, .data.label, .data.logit]' >want
    record-json got | jq -c '[.id, .data.label, .data.logit]' | cmp - want
    run -1 --separate-stderr probe --train --label-from '^([^/]+)/' -o q.probe failing
    [ -z "$output" ]
    cmp p.probe q.probe
}

@test "published heads give scores" {
    make_records -n 3 -d 24 >x
    for h in linear mlp_linear mlp_relu h14_nsfw; do
        probe --head "$ROOT/tests/golden/probe/head_$h.pth" x | record-json | jq -se 'length == 3 and all(.[].data.score; type == "number")' >/dev/null
    done
    run -0 probe --head "$ROOT/tests/golden/probe/head_linear.pth" --csv x
    [ "${lines[0]}" = $'id,score\r' ]
}

@test "a head that gives a score takes no option for labels" {
    for o in "--min-prob 0.5" "-k 1" "--temperature 1"; do
        name=${o%% *}
        [ "$name" != -k ] || name=--top
        # shellcheck disable=SC2086
        run -2 --separate-stderr probe --head "$ROOT/tests/golden/probe/head_linear.pth" $o --tsv new
        [ "$stderr" = "probe: $name is for a head with labels" ]
        [ -z "$output" ]
        # shellcheck disable=SC2086
        probe --head p.probe $o --tsv new >labelled
        [ -s labelled ]
    done
    probe --knn all --label-from '^([^/]+)/' -k 2 --min-prob 0.1 --tsv new >labelled
    [ -s labelled ]
}

@test "an option that has no meaning in a mode is refused" {
    refused() {
        local want=$1

        shift
        run -2 --separate-stderr probe "$@" new
        [ "$stderr" = "probe: $want" ]
        [ -z "$output" ]
    }
    for o in "-k 1" --tsv --csv "--min-prob 0.5" "--skip-from p.probe" --keep-errors; do
        name=${o%% *}
        [ "$name" != -k ] || name=--top
        # shellcheck disable=SC2086
        refused "$name is for FILE, --head, --knn and --tip" --train -o q.probe $o
    done
    refused '--temperature is for FILE, --head and --tip' --train -o q.probe --temperature 1
    refused '--json is for --report with --train' --train -o q.probe --json
    for o in "-C 0.316" --sweep "--validation 0.2" "--folds 3" --balanced --calibrate --report "--tol 1e-7" "--max-iter 9" --exact; do
        name=${o%% *}
        [ "$name" != -C ] || name=--c
        # shellcheck disable=SC2086
        refused "$name is for --train" --knn all $o
    done
    for o in "--alpha 1" "--beta 1" "--classes texts" "--templates none" "-m ." "--activation gelu" "--cache none"; do
        name=${o%% *}
        [ "$name" != -m ] || name=--model
        # shellcheck disable=SC2086
        refused "$name is for --tip" --knn all $o
    done
    refused '--temperature is for FILE, --head and --tip' --knn all --temperature 1
    refused '--normalise is for --train, FILE and --head' --knn all --normalise
    refused '--hidden is for FILE and --head' --knn all --hidden none
    refused '--precision is for --train and --tip' p.probe --precision f32
    refused '--plain is for --knn' p.probe --plain
    refused '--neighbours is for --knn' --tip all --classes texts --neighbours 20
    refused '--labels is for --train, --knn and --tip' p.probe --labels all
    refused '--tip needs --classes' --tip all
}

@test "a stream of another width or model: one line, status 2" {
    make_records -n 100 -d 25 >wide
    run -2 --separate-stderr probe p.probe --tsv wide
    [ "$stderr" = "probe: p.probe: its image_embed has 25 elements, the image_embed that it is compared with 24" ]
    [ -z "$output" ]
}

@test "a first record of another width is one of those that failed with --keep-errors" {
    { make_records -n 1 -d 25 -p wide; make_records -n 1 -d 24 -p ok; } >mixed
    run -1 --separate-stderr probe p.probe --keep-errors -o got mixed
    [ "$stderr" = "probe: mixed: record 1 (wide0): its image_embed has 25 elements, the image_embed that it is compared with 24" ]
    [ "$(record-json got | jq -c '[.id, .data.error != null, .data.label != null]')" = '["wide0",true,false]
["ok0",false,true]' ]
}

@test "files that are not classifiers are refused by name" {
    echo hello >text
    run -2 --separate-stderr probe text all
    [ "$stderr" = "probe: text: neither safetensors nor a PyTorch file" ]
    run -2 --separate-stderr probe all.none all
    [ "$stderr" = "probe: all.none: No such file or directory" ]
    run -2 --separate-stderr probe
    [ "$stderr" = "probe: a classifier is needed: FILE, --head, --knn, --tip, or --train to make one" ]
    run -2 --separate-stderr probe --train --label-from x all
    [ "$stderr" = "probe: --train needs -o FILE for the classifier" ]
    cp p.probe before
    run -2 --separate-stderr probe --train --label-from '^nothing' -o p.probe all
    cmp before p.probe
}

@test "resuming with --skip-from gives what an uninterrupted run gives" {
    probe p.probe new -o whole
    head -c 3000 whole >part
    probe -q p.probe new -o part --skip-from part
    cmp whole part
}

# probe with these options and --skip-from the results of other options labels every record of the stream again
again() {
    local from=$1 stream=$2 n

    shift 2
    n=$(record-json "$stream" | wc -l)
    rm -f more
    probe "$@" -o more --skip-from "$from" "$stream"
    [ "$(record-json more | wc -l)" = "$n" ]
    [ "$(probe -q "$@" --skip-from more -o - "$stream" | wc -c)" = 0 ]
}

@test "--skip-from skips no result that other options gave" {
    probe p.probe new -o plain
    again plain new p.probe --normalise
    again plain new p.probe --min-prob 0
    head=$ROOT/tests/golden/probe/head_mlp_relu.pth
    probe --head "$head" new -o scored
    again scored new --head "$head" --hidden none
    again scored new --head "$head" --normalise=no
    tip=(--tip all --label-from '^([^/]+)/' --classes)
    probe "${tip[@]}" texts new -o tipped
    for c in ant bee cat; do make_records -n 1 -d 24 -s 5 -e 0.5 -f text_embed -p "$c"; done |
        record-json | sed 's/"id":"\(...\)0"/"id":"\1"/' | record-json --from-json >others
    again tipped new "${tip[@]}" others
    clip-embed "$ROOT"/examples/emoji/demo/[a-f]*.png -o drawn
    tip=(--tip drawn --label-from '/([a-z])[^/]*$' --classes letters)
    printf '%s\n' a b c d e f >letters
    probe "${tip[@]}" drawn -o tipped
    again tipped drawn "${tip[@]}" --templates openai7
}

@test "clip-embed --features adds the vector before the projection, and probe learns from it" {
    clip-embed --features "$ROOT"/examples/emoji/demo/[a-f]*.png -o f
    record-json --info f | grep -q '^field.image_features.*f32.256.$'
    probe -q --train --field image_features --label-from '/([a-z])[^/]*$' -o f.json f
    jq -e '.features == "pre-proj"' f.json
    [ "$(probe f.json --tsv f | awk -F '\t' '{ n = split($1, p, "/"); if (substr(p[n], 1, 1) != $2) print }' | wc -l)" = 0 ]
}
