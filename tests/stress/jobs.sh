#!/bin/bash
# jobs.sh: ten jobs that people have, each as the commands that they would type, with the model in the box, in a fresh
# temporary directory.  Each command is shown with the beginning of its output, and what it did is checked.
#
# usage: BIN=build/bin tests/stress/jobs.sh [JOB...]        (all; about a minute)
#
# BIN may be the directory of installed programs, /usr/bin for example.  The script needs bash, coreutils, findutils, grep, sed,
# awk and tar, so it also runs in a chroot.  Where python3 or sqlite3 is missing, the part that needs it is left out, and
# a line says so.  Prints "N passed, N failed".
set -u
BIN=$(cd "${BIN:-build/bin}" && pwd)
top=$(cd "$(dirname "$0")/../.." && pwd)
demo=$top/examples/emoji/demo
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export PATH=$BIN:$PATH XDG_CACHE_HOME=$dir/cache UNCLIP_MODEL=box LC_ALL=C

# do_it COMMAND: shows the command and up to six lines of its output, which is then in the files out and err.  The status is
# that of the command.
do_it() {
    local status=0

    printf '$ %s\n' "$1"
    bash -o pipefail -c "$1" >out 2>err || status=$?
    cat err out | head -n 6 | cut -c1-160 | tr -cd '\11\12\40-\176'
    return $status
}

# fails COMMAND: the command ends with another status than 0.  (set -e does not see what ! turns round.)
fails() {
    if do_it "$1"; then return 1; fi
}

# refused COMMAND TEXT: the command ends with status 2 and one message that holds the text
refused() {
    local status=0

    do_it "$1" || status=$?
    [ $status = 2 ] && grep -qF -- "$2" err && [ ! -s out ]
}

have() {
    command -v "$1" >/dev/null && return
    echo "# $1 is not installed: its part is left out"
    return 1
}

lines() { wc -l <"$1" | tr -d ' '; }

# ---- the jobs; each runs in an empty directory under set -e ----

job_1() {
    echo '1. The way in: what is there, and what a mistake is told'
    cp "$demo"/fish.png .
    do_it unclip
    [ "$(grep -cE '^  [a-z0-9-]+ +[a-z]' out)" -ge 14 ]
    do_it 'env -u UNCLIP_MODEL clip-embed fish.png >fish.clip'
    grep -q 'using the toy model in the box.*unclip help overview' err
    do_it 'clip-embed -m box fish.png >fish.clip'
    [ ! -s err ]
    refused 'clip-embed -m nosuch fish.png >no.clip' 'nosuch'
    refused 'clip-embed --kepe-image fish.png >no.clip' 'did you mean --keep-image?'
    refused 'unclip clip-embde fish.png' 'did you mean clip-embed?'
    fails 'clip-embed fsh.png >no.clip'
    grep -q 'did you mean fish.png?' err
    fails 'echo fish | rank --text fish'
    grep -q 'clip-tok makes records' err
    mkdir other
    cp "$top/tests/golden/clip/micro_hf.safetensors" other/model.safetensors
    cp "$top/tests/golden/clip/micro_hf_config.json" other/config.json
    do_it 'clip-embed -m other fish.png >foreign.clip'
    refused 'rank --text fish foreign.clip' 'foreign.clip'
    [ "$(lines err)" = 1 ]
}

job_2() {
    local right

    echo '2. What do my pictures show?'
    cp -r "$demo" photos
    do_it "find photos -name '*.png' -print0 | clip-embed --files0-from=- -o photos.clip"
    do_it 'rank --labels photos/labels.txt --tsv photos.clip'
    right=$(awk -F '\t' '{ n = $1; sub(/.*\//, "", n); sub(/\.png$/, "", n); l = $2; gsub(/[^a-z]/, "-", l); r += n == l } END { print r + 0 }' out)
    echo "# $right of $(lines out) labels are right"
    [ "$(lines out)" = 26 ]
    [ "$right" -ge 22 ]
    do_it "rank --label fish --label 'red heart' --label pizza --header --columns id,label,prob photos.clip"
    [ "$(head -n 1 out)" = $'id\tlabel\tprob' ]
    grep -q $'^photos/fish.png\tfish\t' out
}

job_3() {
    echo '3. An index that is interrupted and stays true'
    mkdir photos
    for i in 0 1 2 3 4 5 6 7 8 9; do for f in "$demo"/*.png; do cp "$f" "photos/$i ${f##*/}"; done; done
    cp "$demo/fish.png" $'photos/with\nnewline.png'
    local embed='find photos -type f -print0 | sort -z | clip-embed --files0-from=- -o photos.clip --skip-from=photos.clip'
    find photos -type f -print0 | sort -z | clip-embed --files0-from=- -o want.clip
    find photos -type f -print0 | sort -z >list
    clip-embed -b 1 --files0-from=list -o photos.clip &
    while [ "$(stat -c %s photos.clip 2>/dev/null || echo 0)" -lt 20000 ]; do kill -0 $! || break; done
    kill -KILL $! 2>/dev/null || true
    wait $! 2>/dev/null || true
    echo "# killed after $(stat -c %s photos.clip) of $(stat -c %s want.clip) bytes"
    do_it "$embed"
    cmp photos.clip want.clip
    cp "$demo/star.png" 'photos/0 fish.png'
    rm 'photos/1 fish.png'
    mv 'photos/2 fish.png' 'photos/2 moved.png'
    do_it "${embed/clip-embed/clip-embed -v}"
    grep -q '^clip-embed: 2 done, 0 failed, 258 skipped' err
    do_it 'clip-embed --prune photos.clip'
    find photos -type f -print0 | sort -z | clip-embed --files0-from=- -o want.clip
    record-json photos.clip | sort >have
    record-json want.clip | sort | cmp - have
}

job_4() {
    echo '4. Search, in the terminal and on a page'
    cp -r "$demo" photos
    do_it "unclip search -k 3 'a red heart' photos"
    head -n 1 out | grep -q 'red-heart'
    do_it "unclip search -k 1 'a slice of pizza' photos"
    grep -q 'pizza.png' out
    do_it 'clip-embed photos/*.png >photos.clip; rank --text house -k 6 photos.clip | image-out --html hits.html'
    grep -q 'house.png' hits.html
    grep -q 'data:image/' hits.html
    do_it 'clip-embed --keep-image=64 photos/*.png | rank --text house -k 6 | image-out --sheet=3 -o hits.png'
    [ "$(head -c 4 hits.png | tail -c 3)" = PNG ]
    do_it 'clip-embed photos/fish.png >fish.clip; rank --query fish.clip -k 2 --columns id photos.clip'
    [ "$(head -n 1 out)" = photos/fish.png ]
}

job_5() {
    echo '5. Pictures that I have twice'
    cp -r "$demo" photos
    cp photos/key.png 'photos/key (copy).png'
    do_it 'clip-embed photos/*.png photos/jpeg/* >photos.clip'
    do_it "rank --labels photos.clip -k 2 --min-cos 0.9 --columns rank,cos,id,label photos.clip | grep '^2'"
    grep -q $'photos/key (copy).png\tphotos/key.png' out
    for f in photos/jpeg/*.jpg; do grep -qF "$f"$'\t'"photos/$(basename "$f" .jpg).png" out; done
    # and nothing else
    cut -f3,4 out | sed 's/ (copy)//; s/photos\///g; s/jpeg\///g; s/\.[a-z]*//g' | awk -F '\t' '$1 != $2 { exit 1 }'
}

job_6() {
    echo '6. Sort a folder into folders'
    cp -r "$demo" photos
    cp photos/fish.png $'photos/a\nb.png'
    do_it 'clip-embed photos/*.png >photos.clip'
    do_it "rank --label 'red heart' --label 'green apple' --label fish --min-prob 0.9 --columns label,id -0 photos.clip |
    while IFS=\$'\\t' read -r -d '' label file; do mkdir -p \"sorted/\$label\"; cp \"\$file\" \"sorted/\$label\"; done"
    cmp photos/red-heart.png 'sorted/red heart/red-heart.png'
    cmp photos/green-apple.png 'sorted/green apple/green-apple.png'
    cmp photos/fish.png sorted/fish/fish.png
    cmp photos/fish.png $'sorted/fish/a\nb.png'
}

job_7() {
    echo '7. Archives with captions, and pictures from a pipe'
    mkdir shard
    local k=100
    for f in fish house key star; do
        cp "$demo/$f.png" shard/$k.png
        echo "{\"caption\": \"a $f\", \"width\": 128}" >shard/$k.json
        k=$((k + 1))
    done
    tar cf shard.tar --sort=name shard
    cp "$demo/sun.png" shard/100.png
    do_it 'clip-embed --tar -o shard.clip shard.tar'
    do_it 'record-json --fields text shard.clip'
    [ "$(grep -c '"text":"a \(fish\|house\|key\|star\)"' out)" = 4 ]
    do_it 'gzip -c shard.tar | gzip -dc | clip-embed --tar | rank --text star -k 1 --columns id'
    [ "$(cat out)" = shard/103.png ]
    do_it "cat $demo/{fish,sun,key}.png | clip-embed - | rank --label fish --label key --label sun --columns id,label"
    [ "$(cat out)" = $'-\tfish\n-:2\tsun\n-:3\tkey' ]
    do_it 'echo broken >>broken.png; tar cf bad.tar broken.png; ! clip-embed --tar -o two.clip bad.tar shard.tar'
    grep -q 'bad.tar/broken.png: not a picture' err
    [ "$(record-json two.clip | wc -l)" = 4 ]
}

job_8() {
    echo '8. The work of one machine on four'
    do_it "find $demo -type f -name '*.png' -print0 | sort -z >list; clip-embed --files0-from=list -o whole.clip"
    do_it 'for n in 1 2 3 4; do clip-embed --files0-from=list --shard=$n/4 -o part$n.clip --skip-from=part$n.clip & done; wait'
    do_it 'cat part[1-4].clip >photos.clip; rank --text fish -k 1 --columns id photos.clip'
    [ "$(cat out)" = "$demo/fish.png" ]
    record-json photos.clip | sort >have
    record-json whole.clip | sort | cmp - have
    do_it 'clip-embed -j 1 -b 1 --files0-from=list | cmp - whole.clip; clip-embed -j 3 -b 5 --files0-from=list | cmp - whole.clip'
    # the same part again does nothing
    do_it 'clip-embed -v --files0-from=list --shard=2/4 -o part2.clip --skip-from=part2.clip'
    grep -q '^clip-embed: 0 done, 0 failed' err
}

job_9() {
    echo '9. The vectors in other programs'
    cp -r "$demo" photos
    do_it 'clip-embed photos/*.png >photos.clip; record-json photos.clip | record-json --from-json | cmp - photos.clip'
    do_it 'record-json --normalise --npy image_embed=v.npy --ids names.txt photos.clip'
    [ "$(lines names.txt)" = 26 ]
    head -c 128 v.npy | grep -aq "'descr': '<f4', 'fortran_order': False, 'shape': (26, "
    do_it 'rank --labels photos/labels.txt --csv photos.clip >labels.csv'
    [ "$(lines labels.csv)" = 27 ]
    if have sqlite3; then
        do_it "sqlite3 photos.db '.import --csv labels.csv labels' 'select count(*) from labels where label = \"fish\"'"
        [ "$(cat out)" = 1 ]
    fi
    if have python3; then
        do_it "record-json --normalise --arrays photos.clip | python3 -c '
import json, math, sys
for line in sys.stdin:
    r = json.loads(line)
    print(r[\"id\"], round(math.hypot(*r[\"data\"][\"image_embed\"]), 4))'"
        [ "$(awk '{ print $NF }' out | sort -u)" = 1.0 ]
    fi
    do_it "rank --labels photos/labels.txt photos.clip >labelled.clip; probe --train -o photos.probe labelled.clip; probe photos.probe photos.clip | record-json"
    [ "$(lines out)" = 26 ]
}

job_10() {
    echo '10. A picture for a sentence, and what was drawn'
    do_it "echo 'a red heart' | clip-tok | clip-embed | prior -g 2.5 -n 4 | decode64 -g 3 --steps 12 | clip-embed >four.clip"
    [ "$(record-json four.clip | wc -l)" = 4 ]
    do_it 'rank -k 1 four.clip | upsample --steps 5 | image-out -o heart.png'
    do_it "clip-embed heart.png | rank --label 'red heart' --label house --label fish --label 'green apple' --columns label,prob"
    grep -q '^red heart' out
    do_it 'image-out --read heart.png'
    grep -q '"text":"a red heart"' out
    grep -q '"prior"' out
    # the same commands draw the same picture
    do_it "echo 'a red heart' | clip-tok | clip-embed | prior -g 2.5 -n 4 | decode64 -g 3 --steps 12 | clip-embed | cmp - four.clip"
    do_it "clip-embed $demo/green-apple.png | ddim-invert | decode64 -g 2 --eta 0.8 -n 2 | image-out --sheet=2 -o apples.png"
    [ "$(head -c 4 apples.png | tail -c 3)" = PNG ]
}

passed=0 failed=0
[ $# -gt 0 ] || set -- 1 2 3 4 5 6 7 8 9 10
for n; do
    mkdir -p "$dir/$n" && cd "$dir/$n" || exit 2
    begun=$SECONDS
    (
        set -eE
        trap 'echo "# line $LINENO of the script failed: $BASH_COMMAND"' ERR
        "job_$n"
    )
    if [ $? = 0 ]; then
        passed=$((passed + 1))
        echo "ok - job $n, $((SECONDS - begun)) s"
    else
        failed=$((failed + 1))
        echo "not ok - job $n"
    fi
    cd "$dir" && rm -rf "${dir:?}/$n"
    echo
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
