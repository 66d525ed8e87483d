#!/usr/bin/env bats
# An index that stays true: changed, missing and renamed pictures, and indexes of other versions and machines.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    IM=$ROOT/tests/golden/images
    PATH=/usr/bin:$PATH    # Debian's Python has msgpack
    export PATH=${BIN:-$ROOT/build/bin}:$PATH XDG_CACHE_HOME=$BATS_TEST_TMPDIR/cache UNCLIP_CACHE=none
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir model
    cp "$ROOT/tests/golden/clip/micro_hf.safetensors" model/model.safetensors
    cp "$ROOT/tests/golden/clip/micro_hf_config.json" model/config.json
    cp "$ROOT/tests/golden/tok/small_merges.txt" model/merges.txt
    export UNCLIP_MODEL=$PWD/model
    cp "$IM"/{rgb,la,palette}.png "$IM"/{422,444}.jpg .
    touch -d '2020-02-03 04:05:06.123456789 UTC' -- *.png *.jpg
}

update() { clip-embed -o i.clip --skip-from=i.clip "$@" -- *.png *.jpg; }
ids() { record-json "$1" | jq -r .id; }

# strip FILE: the stream without size and mtime, as earlier versions wrote it
strip() {
    python3 -c '
import msgpack, sys
for r in msgpack.Unpacker(open(sys.argv[1], "rb"), raw=True, use_list=True, strict_map_key=False):
    for k in (b"size", b"mtime"):
        r[b"data"].pop(k, None)
    def enc(v):     # as unclip writes: keys and texts are str; of a tensor, keys and data are bin
        if isinstance(v, dict) and b"nd" in v:
            return {k: (str(x, "ascii") if k == b"type" else x) for k, x in v.items()}
        if isinstance(v, dict):
            return {str(k, "ascii"): enc(x) for k, x in v.items()}
        return [enc(x) for x in v] if isinstance(v, list) else str(v, "utf8") if isinstance(v, bytes) else v
    sys.stdout.buffer.write(msgpack.packb({"unclip": r[b"unclip"], "id": str(r[b"id"], "utf8"), "data": enc(r[b"data"])}))
' "$1"
}

@test "index: the record of a file has its size and its time, as Python gives them" {
    clip-embed rgb.png 422.jpg | record-json >have
    [ "$(jq -c '.data | keys_unsorted' have | sort -u)" = '["size","mtime","image_embed","model","params"]' ]
    jq -c '[.id, .data.size, .data.mtime]' have | python3 -c '
import json, os, sys
for line in sys.stdin:
    id, size, mtime = json.loads(line)
    assert size == os.path.getsize(id) and mtime == os.path.getmtime(id), (id, size, mtime)'
    clip-embed - <rgb.png | record-json | jq -e '.data | has("size") or has("mtime") | not'
    clip-embed <(cat rgb.png) | record-json | jq -e '.data | has("size") or has("mtime") | not'
    ln -s rgb.png link.png
    [ "$(clip-embed link.png | record-json | jq .data.size)" = "$(stat -c %s rgb.png)" ]
}

@test "index: a changed picture is embedded again, and its old record is not a hit" {
    update
    cp i.clip before
    update -v 2>err
    grep -q '^clip-embed: 0 done, 0 failed, 5 skipped' err
    cmp i.clip before
    # another size
    cp palette.png rgb.png
    touch -d '2020-02-03 04:05:06.123456789 UTC' rgb.png
    update -v 2>err
    grep -q '^clip-embed: i.clip: of 5 records, those of 1 changed and 0 missing files are removed$' err
    grep -q '^clip-embed: 1 done, 0 failed, 4 skipped' err
    [ "$(ids i.clip | sort)" = "$(printf '%s\n' *.png *.jpg | sort)" ]
    [ "$(ids i.clip | tail -1)" = rgb.png ]
    rank --query <(clip-embed palette.png) --columns id,cos -k 9 i.clip >hits
    [ "$(grep -c 'rgb.png	1$' hits)" = 1 ]
    # the size is the same, the time is not
    touch rgb.png
    update -v 2>err
    grep -q '^clip-embed: 1 done, 0 failed, 4 skipped' err
    # another output: the records there were not are written, and the index stays as it was
    touch 422.jpg
    cp i.clip before
    clip-embed --skip-from=i.clip -o new.clip -- *.png *.jpg
    cmp i.clip before
    [ "$(ids new.clip)" = 422.jpg ]
    cat i.clip new.clip >both.clip
    clip-embed --prune both.clip
    [ "$(ids both.clip | sort)" = "$(printf '%s\n' *.png *.jpg | sort)" ]
}

@test "index: --skip-from is another link to the file of -o" {
    update
    cp 422.jpg rgb.png    # its record is removed
    cp i.clip hard.clip; ln hard.clip link.clip
    update
    clip-embed -v -o hard.clip --skip-from=link.clip -- *.png *.jpg 2>err
    grep -q '^clip-embed: 1 done, 0 failed, 4 skipped' err
    cmp hard.clip i.clip
    # a symbolic link, and no record to remove
    ln -s i.clip soft.clip
    clip-embed -o i.clip --skip-from=soft.clip -- *.png *.jpg
    cmp hard.clip i.clip
}

@test "index: the records of another directory are not removed without a word" {
    mkdir other
    cp palette.png other/rgb.png
    clip-embed -o i.clip rgb.png la.png
    cp i.clip quiet.clip
    cd other
    run -0 --separate-stderr clip-embed -o ../i.clip --skip-from=../i.clip rgb.png
    [ "$stderr" = 'clip-embed: ../i.clip: of 2 records, those of 1 changed and 0 missing files are removed' ]
    run -0 --separate-stderr clip-embed -q -o ../quiet.clip --skip-from=../quiet.clip rgb.png
    [ "$stderr" = '' ]
    cmp ../i.clip ../quiet.clip
    cp ../la.png .
    touch la.png
    run -0 --separate-stderr clip-embed --prune ../i.clip
    [ "$stderr" = 'clip-embed: ../i.clip: of 2 records, those of 1 changed and 0 missing files are removed' ]
    # an absolute name is that of the same file in each directory
    clip-embed -o i.clip "$PWD/la.png"
    touch "$PWD/la.png"
    cd ..
    run -0 --separate-stderr clip-embed -o other/i.clip --skip-from=other/i.clip "$PWD/other/la.png"
    [ "$stderr" = '' ]
    [ "$(ids other/i.clip)" = "$PWD/other/la.png" ]
}

@test "index: a changed picture that cannot be read leaves no record" {
    update
    echo no picture >rgb.png
    run -1 --separate-stderr update
    [ "$stderr" = $'clip-embed: i.clip: of 5 records, those of 1 changed and 0 missing files are removed\nclip-embed: rgb.png: not a picture in a known format' ]
    [[ "$(ids i.clip)" != *rgb.png* ]]
    [ "$(ids i.clip | wc -l)" = 4 ]
}

@test "index: --prune removes what is gone and what has changed, and leaves every other byte" {
    update
    echo '{"unclip":1,"id":"la.png","data":{"text":"x","tokens":[62,5,63]}}' | record-json --from-json | clip-embed >>i.clip    # not a file
    cp i.clip whole
    clip-embed --prune i.clip
    cmp i.clip whole
    rm la.png
    mv 422.jpg renamed.jpg
    touch 444.jpg
    chmod 640 i.clip
    ln -s i.clip name.clip
    run -0 --separate-stderr clip-embed --prune -v name.clip
    [ "${stderr_lines[0]}" = 'clip-embed: name.clip: of 6 records, those of 1 changed and 2 missing files are removed' ]
    [ -L name.clip ]
    [ "$(stat -c %a i.clip)" = 640 ]
    { record-json whole | jq -c 'select(.id == "palette.png" or .id == "rgb.png" or .data.text)' | record-json --from-json; } >want
    cmp want i.clip
    [ "$(echo .unclip-*)" = '.unclip-*' ]
    update
    [ "$(ids i.clip | sort)" = "$({ printf '%s\n' *.png *.jpg; echo la.png; } | sort)" ]
}

@test "index: --prune copies damage and a cut tail as they are" {
    for f in rgb la palette; do clip-embed $f.png >$f.clip; done
    head -c 200 rgb.clip >cut.clip
    { cat rgb.clip; printf 'noise'; cat la.clip palette.clip cut.clip; } >d.clip
    { cat rgb.clip; printf 'noise'; cat palette.clip cut.clip; } >want
    rm la.png
    clip-embed --prune d.clip
    cmp d.clip want
}

@test "index: --prune touches nothing that is not an index" {
    cp rgb.png keep
    mkdir dir
    : >empty
    run -2 --separate-stderr clip-embed --prune
    [ "$stderr" = 'clip-embed: --prune: an index is wanted' ]
    run -2 --separate-stderr clip-embed --prune rgb.png
    [ "$stderr" = 'clip-embed: rgb.png: not a stream of records: it is not pruned' ]
    cmp rgb.png keep
    run -2 --separate-stderr clip-embed --prune dir
    [ "$stderr" = 'clip-embed: dir: not a regular file' ]
    run -2 --separate-stderr clip-embed --prune none
    [ "$stderr" = 'clip-embed: none: No such file or directory' ]
    run -0 --separate-stderr clip-embed --prune empty
    [ ! -s empty ]
    for o in '-o x' '--skip-from x' '-S' '--exif' '--shard 1/2'; do
        # shellcheck disable=SC2086
        run -2 clip-embed --prune $o empty
    done
    # in another directory no picture is there: the index is not emptied
    update
    cp i.clip dir/i.clip
    cd dir
    run -2 --separate-stderr clip-embed --prune i.clip
    [ "$stderr" = 'clip-embed: i.clip: no file of its 5 records is here, so nothing is removed (names are relative to the directory where clip-embed ran)' ]
    cmp i.clip ../i.clip
    # another run is writing to it
    run -2 --separate-stderr flock i.clip clip-embed --prune i.clip
    [ "$stderr" = 'clip-embed: i.clip: another run is writing to it' ]
}

@test "index: without size and mtime, of another version or other kernels, it goes on as it is" {
    update
    strip i.clip >old.clip
    [ "$(record-json old.clip | jq -c '.data | keys_unsorted' | sort -u)" = '["image_embed","model","params"]' ]
    cp old.clip want
    touch rgb.png
    clip-embed -o old.clip --skip-from=old.clip -v -- *.png *.jpg 2>err
    grep -q '^clip-embed: 0 done, 0 failed, 5 skipped' err
    rm la.png
    clip-embed --prune old.clip
    cmp old.clip want
    touch -d '2020-02-03 04:05:06.123456789 UTC' rgb.png
    for change in 's/"version":"[^"]*"/"version":"9.9"/' 's/"kernel":"[^"]*"/"kernel":"other"/'; do
        record-json i.clip | sed "$change" | record-json --from-json >other.clip
        run ! cmp -s i.clip other.clip
        [ "$(clip-embed --skip-from=other.clip -- *.png *.jpg | wc -c)" = 0 ]
    done
    record-json i.clip | sed 's/"precision":"f32"/"precision":"bf16"/' | record-json --from-json >other.clip
    [ "$(clip-embed --skip-from=other.clip -- *.png *.jpg | record-json | wc -l)" = 4 ]
}

@test "index: content ids follow the content" {
    clip-embed --id content -o i.clip --skip-from=i.clip -- *.png
    cp i.clip before
    touch rgb.png       # the same bytes at another time are the same picture
    clip-embed --id content -o i.clip --skip-from=i.clip -- *.png
    clip-embed --prune i.clip
    cmp i.clip before
    cp 444.jpg rgb.png
    clip-embed --id content -o i.clip --skip-from=i.clip -- *.png
    [ "$(record-json i.clip | jq -r .data.path | sort)" = "$(printf '%s\n' *.png | sort)" ]
    rm la.png
    clip-embed --prune i.clip
    [ "$(record-json i.clip | jq -r .data.path | sort)" = "$(printf '%s\n' *.png | sort)" ]
}

@test "index: a picture that cannot be examined keeps its record, and an emptied one does not" {
    for id in path content; do
        clip-embed --id $id -- *.png >i.clip
        cp i.clip want
        mv rgb.png keep
        mkfifo rgb.png
        run -0 timeout 20 clip-embed --prune i.clip
        cmp i.clip want
        rm rgb.png
        mkdir rgb.png
        clip-embed --prune i.clip
        cmp i.clip want
        rmdir rgb.png
        : >rgb.png
        clip-embed --prune i.clip
        record-json want | jq -c 'select(.id != "rgb.png" and .data.path != "rgb.png")' | record-json --from-json | cmp - i.clip
        mv keep rgb.png
    done
}

@test "index: a record whose picture may not be read is kept if the picture can have the same content" {
    as=()
    [ "$(id -u)" != 0 ] || as=(setpriv '--bounding-set=-dac_override,-dac_read_search')
    chmod 0 rgb.png
    ! "${as[@]}" head -c 1 rgb.png 2>/dev/null || skip "every file can be read"
    chmod 644 rgb.png
    clip-embed --id content -- *.png >i.clip
    cp i.clip want
    touch rgb.png
    chmod 0 rgb.png
    "${as[@]}" clip-embed --prune i.clip
    cmp i.clip want
    : >rgb.png
    "${as[@]}" clip-embed --prune i.clip
    record-json want | jq -c 'select(.data.path != "rgb.png")' | record-json --from-json | cmp - i.clip
}

@test "index: the content of an archive is not that of its member" {
    tar cf a.tar rgb.png
    clip-embed --id content --tar a.tar >i.clip
    cp i.clip want
    clip-embed --prune i.clip
    cmp i.clip want
    # the archive is replaced by the very picture that it held
    cp rgb.png a.tar
    clip-embed --prune i.clip
    [ ! -s i.clip ]
}

@test "index: each text output has the path of a content id" {
    clip-embed --id content rgb.png la.png 422.jpg >c.clip
    clip-embed rgb.png la.png 422.jpg >p.clip
    clip-embed rgb.png >q.clip
    rgb=$(record-json c.clip | jq -r .id | head -1)
    rank --query q.clip --tsv -k 1 c.clip | cut -f 1,5 >have
    [ "$(cat have)" = "$rgb	rgb.png" ]
    rank --query q.clip --header -k 3 c.clip | head -1 | grep -qx 'id	cos	logit	rank	path'
    rank --query q.clip --csv -k 3 c.clip | tr -d '\r' | sed -n '1p;2p' | cut -d , -f 1,5 >have
    [ "$(cat have)" = $'id,path\n'"$rgb,rgb.png" ]
    [ "$(rank --query q.clip --json -k 1 c.clip | jq -c '[.id, .path]')" = "[\"$rgb\",\"rgb.png\"]" ]
    [ "$(rank --query q.clip --tsv -k 1 p.clip | awk -F '\t' '{print NF}')" = 4 ]
    [ "$(rank --query q.clip --columns cos,id -k 1 c.clip | awk -F '\t' '{print NF}')" = 2 ]
    # near-duplicates are named by their paths
    [ "$(rank --labels c.clip --columns label c.clip)" = $'rgb.png\nla.png\n422.jpg' ]
    [ "$(record-json --csv c.clip | tr -d '\r' | head -1)" = id,path,size,mtime ]
    image-out --html page.html c.clip
    grep -q "href=\"file://$PWD/rgb.png\"" page.html
    [[ "$(cat page.html)" = *"<figcaption>rgb.png<"* ]]
    [[ "$(cat page.html)" != *"<figcaption>$rgb"* ]]
}

@test "index: killed in the middle, it goes on" {
    mkdir many
    for i in $(seq 60); do cp 422.jpg many/$i.jpg; touch -d @$((1600000000 + i)) many/$i.jpg; done
    clip-embed -o want.clip many/*.jpg
    clip-embed -o i.clip many/*.jpg
    touch -d @1700000000 many/{7,8,9}.jpg
    for i in 1 2 3; do
        timeout -s KILL 0.0$((i * 2)) clip-embed -b 1 -o i.clip --skip-from=i.clip many/*.jpg 2>err || true
    done
    clip-embed -q -o i.clip --skip-from=i.clip many/*.jpg
    [ "$(ids i.clip | sort)" = "$(ids want.clip | sort)" ]
    [ "$(record-json i.clip | jq -c 'select(.data.mtime == 1700000000) | .id' | sort)" = "$(printf '"many/%d.jpg"\n' 7 8 9)" ]
    [ "$(record-json i.clip | jq .data.mtime | sort -u | wc -l)" = 58 ]
}

@test "index: vq follows its files, too" {
    export UNCLIP_MODEL=$ROOT/tests/golden/dalle/vqgan/vq
    vq -o t.clip rgb.png palette.png
    touch rgb.png
    vq -v -o t.clip --skip-from=t.clip rgb.png palette.png 2>err
    grep -q '^vq: 1 done, 0 failed, 1 skipped' err
    [ "$(ids t.clip)" = $'palette.png\nrgb.png' ]
}

@test "index: what is made from a record of a changed file is made again, and nothing made is pruned" {
    clip-embed -o i.clip -- *.png
    cp i.clip labels
    rank --labels labels -o l.clip i.clip
    touch rgb.png
    clip-embed -o i.clip --skip-from=i.clip -- *.png
    rank --labels labels -v -o l.clip --skip-from=l.clip i.clip 2>err
    grep -q '^rank: 1 done, 0 failed, 2 skipped' err
    clip-embed --prune l.clip
    [ "$(ids l.clip | sort)" = "$(printf '%s\n' *.png | sort)" ]
    record-json i.clip | jq -c '.data.root = "gone.png" | .id = "gone.png#1"' | record-json --from-json >made.clip
    cp made.clip want
    clip-embed --prune made.clip
    cmp made.clip want
}

@test "index: unclip search notices a changed, a missing and a renamed picture" {
    mkdir p
    cp "$ROOT"/examples/emoji/demo/{fish,star,red-heart,tulip}.png p
    export UNCLIP_MODEL=box
    unclip search 'a red heart' p >first
    [ "$(head -1 first | cut -f2)" = "$PWD/p/red-heart.png" ]
    cp p/red-heart.png p/star.png
    cp p/fish.png p/red-heart.png
    rm p/fish.png
    mv p/tulip.png p/flower.png
    run -0 --separate-stderr unclip search 'a red heart' p
    [ "$stderr" = "" ]
    [ "$(cut -f2 <<<"${lines[0]}")" = "$PWD/p/star.png" ]
    [ "${#lines[@]}" = 3 ]
    [ "$(ids cache/unclip/search/*.clip | sort)" = "$(printf '%s\n' "$PWD"/p/*.png | sort)" ]
    # all are renamed at once
    for f in p/*.png; do mv "$f" "p/new-${f#p/}"; done
    run -0 --separate-stderr unclip search 'a red heart' p
    [ "$stderr" = "" ]
    [ "$(ids cache/unclip/search/*.clip | sort)" = "$(printf '%s\n' "$PWD"/p/*.png | sort)" ]
}
