#!/usr/bin/env bats
# vq on the tiny autoencoders of tests/golden/dalle, which the projects' own classes made.

bats_require_minimum_version 1.5.0

setup() {
    BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
    ROOT=$BATS_TEST_DIRNAME/../..
    G=$ROOT/tests/golden/dalle
    PATH=$BIN:$PATH
    export UNCLIP_MODEL=$G/vqgan/vq
    cd "$BATS_TEST_TMPDIR" || return 1
    cp "$ROOT"/examples/emoji/demo/fish.png "$ROOT"/examples/emoji/demo/red-heart.png "$ROOT"/tests/golden/images/rgb.jpg .
}

# Fields of all records, as JSON.
field() { record-json --arrays "$1" | jq -c "$2"; }

@test "vq: files to tokens, tokens to pictures" {
    vq fish.png rgb.jpg >t.clip
    [ "$(field t.clip '[.id, (.data.image_tokens | length), .data.grid]')" = $'["fish.png",256,[16,16]]\n["rgb.jpg",256,[16,16]]' ]
    vq -d t.clip >p.clip
    [ "$(field p.clip '[(.data.image | length), (.data.image[0] | length), (.data.image[0][0] | length)]' | sort -u)" = '[3,64,64]' ]
    [ "$(field p.clip '[.data.params[] | .[0]]' | sort -u)" = '["vq","vq"]' ]
    [ "$(field p.clip '.data.image | flatten | (min >= -1 and max <= 1)' | sort -u)" = true ]
    [ "$(field p.clip '.data.model | keys' | sort -u)" = '["image","image_tokens"]' ]
    vq -d --u8 t.clip | record-json --info | grep -qx 'field	image	2	u8\[64,64,3\]'
    vq -d --precision=f32 p.clip >f.clip
    vq --precision=f32 fish.png | vq -d --precision=f32 >g.clip
    [ "$(field f.clip .data.image | head -1)" = "$(field g.clip .data.image)" ]    # image is replaced, f32 is the default of tokens
}

@test "vq: what describes an earlier picture, or other tokens of it, goes" {
    load earlier
    vq fish.png | record-json | jq -c "$earlier" | record-json --from-json | vq -d >p.clip
    [ "$(left <p.clip)" = '"image_features image_tokens grid logp cos logit prob rank label score theta"
"image image_features image_tokens"' ]
    record-json p.clip | jq -c "$earlier" | record-json --from-json | vq >t.clip
    [ "$(left <t.clip)" = '"svg step source mask image_features image_tokens grid cos logit prob rank label score theta"
"image image_features image_tokens"' ]
}

@test "vq: the recorded tokens of a recorded picture, as records" {
    python3 - "$G/vqgan/vq/io.safetensors" <<'END'
import json, struct, sys
b = open(sys.argv[1], 'rb').read()
n = struct.unpack('<Q', b[:8])[0]
head = json.loads(b[8:8 + n])
def get(key, type):
    lo, hi = head[key]['data_offsets']
    return memoryview(b)[8 + n + lo:8 + n + hi].cast('B').cast(type)
for name, image, tokens in ('square', 'image_u8', 'indices'), ('wide', 'ns.image_u8', 'ns.indices'):
    shape = head[image]['shape'][1:]
    rgb = get(image, 'B').tolist()
    rows = [[rgb[3 * (y * shape[1] + x):3 * (y * shape[1] + x) + 3] for x in range(shape[1])] for y in range(shape[0])]
    with open(name + '.ppm', 'wb') as f:
        f.write(b'P6 %d %d 255\n' % (shape[1], shape[0]) + bytes(rgb))
    print(json.dumps(get(tokens, 'i').tolist(), separators=(',', ':')), file=open(name + '.json', 'w'))
END
    vq square.ppm >t.clip
    [ "$(field t.clip .data.image_tokens)" = "$(cat square.json)" ]
    vq --whole --side 0 wide.ppm >t.clip
    [ "$(field t.clip .data.grid)" = '[12,16]' ]
    [ "$(field t.clip .data.image_tokens)" = "$(cat wide.json)" ]
    vq -d t.clip | record-json --info | grep -qx 'field	image	1	f32\[3,48,64\]'
    vq -d --u8 t.clip | vq >again.clip    # a record's picture is taken as it is
    [ "$(field again.clip .data.grid)" = '[12,16]' ]
}

@test "vq: every family" {
    for m in dvae vqgan/gumbel mindalle; do
        vq -m "$G/$m" fish.png | vq -d -m "$G/$m" | record-json --info >info
        grep -q '^field	image	1	f32' info
    done
    [ "$(vq -m "$G/dvae/encoder_legacy.pkl" --side 64 fish.png | field - .data.grid)" = '[8,8]' ]
    vq -m "$G/vqgan/gumbel_dwt" --side 16 fish.png >t.clip
    [ "$(field t.clip .data.grid)" = '[16,16]' ]
    vq -d -m "$G/vqgan/gumbel_dwt" t.clip | record-json --info | grep -qx 'field	image	1	f32\[3,32,32\]'    # twice as large
    vq -d -m "$G/dallemini" t.clip --force | record-json --info | grep -qx 'field	image	1	f32\[3,32,32\]'
    run -2 vq -m "$G/dallemini" fish.png
    [[ $output == "vq: no encoder of pictures to tokens in $G/dallemini "* ]]
}

@test "vq: the same bytes for any batch, threads, split of the input, and with the cache" {
    vq -b 1 -j 1 --cache=none fish.png rgb.jpg red-heart.png >one.clip
    vq -b 2 -j 2 --cache=none fish.png rgb.jpg red-heart.png >two.clip
    cmp one.clip two.clip
    printf '%s\0' fish.png rgb.jpg red-heart.png | vq -b 5 -j 3 --files0-from=- --cache="$PWD" >two.clip
    cmp one.clip two.clip
    # the list itself is not a picture or an archive, and loses no other name
    printf 'fish.png\0-\0rgb.jpg\0red-heart.png\0' | { run -1 --separate-stderr vq -o two.clip --files0-from=-
        [ "$stderr" = 'vq: -: is the list itself' ]; }
    cmp one.clip two.clip
    for f in fish.png rgb.jpg red-heart.png; do vq --cache="$PWD" $f; done >two.clip
    cmp one.clip two.clip
    # grids of two sizes in one batch
    { cat one.clip; vq --whole --side 32 rgb.jpg; cat one.clip; } >mixed.clip
    vq -d -b 1 -j 1 --cache=none mixed.clip >one.p
    for o in '-b 2 -j 2' '-b 3 -j 2' '-b 7 -j 2' '-j 2' '-j 3' '-j 1'; do
        # shellcheck disable=SC2086
        vq -d $o mixed.clip --cache="$PWD" >two.p
        cmp one.p two.p
    done
    # ten small pictures and one that no thread computes alone, encoded and decoded
    for i in {1..5}; do cp fish.png "f$i.png" && cp red-heart.png "h$i.png"; done
    vq -b 1 -j 1 --cache=none f*.png h*.png >one.clip
    vq -j 3 f*.png h*.png | cmp - one.clip
    { cat one.clip; vq --side 160 fish.png; cat one.clip; } >mixed.clip
    vq -d -b 1 -j 1 mixed.clip >one.p
    vq -d -j 3 mixed.clip | cmp - one.p
    vq -d -j 2 -b 4 mixed.clip | cmp - one.p
}

@test "vq: what fails is named, the rest is done, in order" {
    echo text >bad.png
    run -1 --separate-stderr vq -b 3 fish.png bad.png none.png rgb.jpg -o t.clip
    [ "${stderr_lines[0]}" = "vq: bad.png: not a picture in a known format" ]
    [ "${stderr_lines[1]}" = "vq: none.png: No such file or directory" ]
    [ "$(field t.clip .id)" = $'"fish.png"\n"rgb.jpg"' ]
    record-json t.clip | jq -c '.id = "no grid" | del(.data.grid)' | head -1 | record-json --from-json >a.clip
    record-json t.clip | jq -c '.id = "large" | .data.image_tokens[3] = 96' | head -1 | record-json --from-json >b.clip
    record-json t.clip | jq -c '.id = "none" | del(.data.image_tokens)' | head -1 | record-json --from-json >c.clip
    for b in 1 2 9; do
        cat t.clip a.clip b.clip c.clip t.clip >in.clip
        run -1 --separate-stderr vq -d --keep-errors -b $b -o p.clip in.clip
        [ "$stderr" = "vq: in.clip: record 3 (no grid): image_tokens without their grid
vq: in.clip: record 4 (large): image_tokens: 96, the codebook has 0 to 95
vq: in.clip: record 5 (none): no image_tokens (vq makes them of a picture, dalle of a text)" ]
        [ "$(field p.clip '[.id, .data.error != null]')" = '["fish.png",false]
["rgb.jpg",false]
["no grid",true]
["large",true]
["none",true]
["fish.png",false]
["rgb.jpg",false]' ]
    done
    run -1 --separate-stderr vq --strict none.png fish.png -o strict.clip
    [ ! -s strict.clip ]
    run -1 --separate-stderr sh -c 'vq -o p.clip <t.clip'
    [ "${stderr_lines[0]}" = "vq: -: record 1 (fish.png): no image (decode64, vq -d or clip-draw makes it)" ]
    run -1 --separate-stderr vq --max-pixels=1000 fish.png -o p.clip
    [[ ${stderr_lines[0]} == "vq: fish.png: "* ]]
    run -2 vq --side 30 fish.png
    [ "$output" = "vq: --side: 30 is not a multiple of 4" ]
    run -2 vq --files0-from=x fish.png
    vq fish.png >t.clip
    for o in files0-from=x side=31 side=0 whole id=path id=content exif max-pixels=178956970; do
        run -2 vq -d --$o t.clip
        [ "$output" = "vq: --${o%=*} is for files" ]
        run -2 vq --$o <t.clip
        [ "$output" = "vq: --${o%=*} is for files" ] || [ "${o%=*}" = files0-from ]
    done
    run -2 vq --u8 fish.png
    [ "$output" = "vq: --u8 is for -d" ]
}

@test "vq: tokens of another codebook are refused" {
    vq fish.png >t.clip
    sed 's/n_embed: 96/n_embed: 95/' "$G/vqgan/vq/config.yaml" >config.yaml
    ln -s "$G/vqgan/vq/model.ckpt" model.ckpt
    run -2 vq -m . fish.png
    [ "$output" = "vq: ./config.yaml: n_embed is 95, the codebook has 96 rows" ]
    run -1 vq -d -m "$G/mindalle" t.clip -o p.clip
    [[ $output == "vq: t.clip: record 1 (fish.png): image_tokens are of the codebook "*"(--force decodes them)" ]]
    vq -d -m "$G/mindalle" --force t.clip >p.clip
    vq -m "$G/dvae" --side 64 fish.png >t.clip
    vq -d -m "$G/dvae" t.clip >p.clip
    run -1 vq -d -m "$G/vqgan/vq" t.clip -o p.clip
}

@test "vq: ids, shards, and what is there already" {
    vq --id content fish.png >t.clip
    [ "$(field t.clip .data.path)" = '"fish.png"' ]
    [ "$(field t.clip '.id | length')" = 32 ]
    vq fish.png rgb.jpg red-heart.png >all.clip
    for i in 1 2 3; do vq --shard=$i/3 fish.png rgb.jpg red-heart.png; done | record-json | sort >got
    record-json all.clip | sort | cmp - got
    vq -d all.clip >p.clip
    # cut inside the second record: the first is kept, the others are made again
    head -c 700 all.clip >part.clip
    run -0 --separate-stderr vq -v --skip-from=part.clip -o part.clip fish.png rgb.jpg red-heart.png
    cmp part.clip all.clip
    [[ ${stderr_lines[-1]} == "vq: 2 done, 0 failed, 1 skipped"* ]]
    head -c 70000 p.clip >part.clip
    run -0 --separate-stderr vq -d -v --skip-from=part.clip -o part.clip all.clip
    cmp part.clip p.clip
    [[ ${stderr_lines[-1]} == "vq: 2 done, 0 failed, 1 skipped"* ]]
    vq --side 32 --skip-from=all.clip -o other.clip fish.png    # another option, another result
    [ -s other.clip ]
}

@test "vq: pictures in archives and pipes give the tokens of the files" {
    mkdir ds
    cp fish.png ds/000.png; echo 'a fish' >ds/000.txt
    cp rgb.jpg ds/001.jpg
    echo text >ds/readme
    head -c 50 fish.png >ds/002.png
    tar cf a.tar --sort=name ds
    tar cf b.tar red-heart.png
    vq fish.png rgb.jpg red-heart.png >want.clip
    run -1 --separate-stderr vq -b 2 --tar -o t.clip a.tar none.tar b.tar
    [ "$stderr" = $'vq: a.tar/ds/002.png: the PNG data ends early\nvq: none.tar: No such file or directory' ]
    [ "$(field t.clip '[.id, .data.archive, .data.text]')" = '["a.tar/ds/000.png","a.tar","a fish"]
["a.tar/ds/001.jpg","a.tar",null]
["b.tar/red-heart.png","b.tar",null]' ]
    [ "$(field t.clip .data.image_tokens)" = "$(field want.clip .data.image_tokens)" ]
    [ "$(field t.clip '[.data.size, .data.mtime]' | uniq | wc -l)" = 2 ]
    # on standard input, joined; in a list; in shards; by content
    rm ds/002.png
    tar cf a.tar --sort=name ds
    vq --tar a.tar b.tar >all.clip
    [ "$(cat a.tar b.tar | vq --tar | field - .id)" = $'"ds/000.png"\n"ds/001.jpg"\n"red-heart.png"' ]
    printf 'a.tar\0b.tar\0' | vq -b 3 --tar --files0-from=- | cmp - all.clip
    for i in 1 2 3; do vq --shard=$i/3 --tar a.tar b.tar; done | record-json | sort >got
    record-json all.clip | sort | cmp - got
    vq --id content fish.png rgb.jpg red-heart.png >hash.clip
    vq --id content --tar a.tar b.tar >t.clip
    [ "$(field t.clip .id)" = "$(field hash.clip .id)" ]
    [ "$(field t.clip .data.path | head -1)" = '"a.tar/ds/000.png"' ]
    # an interrupted run goes on, and the pictures of an archive that has changed are done again
    for n in 1 700 1500; do
        head -c $n all.clip >part.clip
        vq -q --skip-from=part.clip -o part.clip --tar a.tar b.tar
        cmp part.clip all.clip
    done
    echo 'another fish' >ds/000.txt
    tar cf a.tar --sort=name --mtime=2020-01-01 ds
    touch -d 2020-01-01 a.tar
    run -0 --separate-stderr vq -v --skip-from=part.clip -o part.clip --tar a.tar b.tar
    [[ ${stderr_lines[-1]} == "vq: 2 done, 0 failed, 1 skipped"* ]]
    [ "$(field part.clip .data.text | sort -u)" = $'"another fish"\nnull' ]
    # several pictures in a pipe
    cat fish.png rgb.jpg | vq - >p.clip
    [ "$(field p.clip .id)" = $'"-"\n"-:2"' ]
    [ "$(field p.clip .data.image_tokens)" = "$(field want.clip .data.image_tokens | head -2)" ]
    mkfifo fifo
    cat fish.png >fifo &
    [ "$(vq fifo | field - .data.image_tokens)" = "$(field want.clip .data.image_tokens | head -1)" ]
    run -2 vq -d --tar all.clip
    [ "$output" = 'vq: --tar is for files' ]
}

@test "vq: --exif and --u8 make other results, which --skip-from does not skip" {
    vq -o all.clip fish.png
    vq --exif --skip-from=all.clip -o turned.clip fish.png
    [ "$(field turned.clip '.data.params[0][1].exif')" = true ]
    run -0 --separate-stderr vq --exif -v --skip-from=turned.clip -o again.clip fish.png
    [[ ${stderr_lines[-1]} == "vq: 0 done, 0 failed, 1 skipped"* ]]
    vq -d -o pixels.clip all.clip
    vq -d --u8 --skip-from=pixels.clip -o bytes.clip all.clip
    [ "$(field bytes.clip '.data.params[-1][1].u8')" = true ]
    run -0 --separate-stderr vq -d --u8 -v --skip-from=bytes.clip -o again.clip all.clip
    [[ ${stderr_lines[-1]} == "vq: 0 done, 0 failed, 1 skipped"* ]]
    # without these options the parameters are as before
    [ "$(field pixels.clip '[.data.params[][1] | has("exif", "u8")] | any')" = false ]
}
