#!/usr/bin/env bats
# Pictures from pipes: several in one stream, FIFOs, and tar archives as webdataset makes them.
# shellcheck disable=SC2154

bats_require_minimum_version 1.5.0

setup() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    IM=$ROOT/tests/golden/images
    PATH=/usr/bin:$PATH    # Debian's Python has msgpack
    export PATH=${BIN:-$ROOT/build/bin}:$PATH UNCLIP_CACHE=none
    cd "$BATS_TEST_TMPDIR" || return 1
    mkdir model
    cp "$ROOT/tests/golden/clip/micro_hf.safetensors" model/model.safetensors
    cp "$ROOT/tests/golden/clip/micro_hf_config.json" model/config.json
    cp "$ROOT/tests/golden/tok/small_merges.txt" model/merges.txt
    export UNCLIP_MODEL=$PWD/model
}

ids() { record-json "$@" | jq -r .id; }
vectors() { record-json "$@" | jq -c .data.image_embed; }

# Waits until the file holds something, 10 s at most, and then makes the file `seen`.
answered() {
    for _ in $(seq 100); do
        if [ -s "$1" ]; then touch seen; break; fi
        sleep 0.1
    done
}

@test "pipes: pictures one after another, of every format that says where it ends" {
    all=("$IM"/{rgb.jpg,prog.jpg,cmyk.jpg,turned.jpg,rgb.png,laced.png,palette.gif,clear.gif,interlaced.gif,animated.webp} \
        "$IM"/{alpha.webp,rgb.bmp,rle8.bmp,rgb.ppm,gray.pgm,bit.pbm,deep.pgm,rgb.psd})    # what does not say it comes last
    clip-embed "${all[@]}" | vectors >want
    cat "${all[@]}" | clip-embed - >out.clip
    vectors out.clip | diff want -
    [ "$(ids out.clip)" = "$({ echo -; seq -f '-:%.0f' 2 ${#all[@]}; })" ]
    record-json out.clip | jq -e '.data | has("size") or has("path") | not' >/dev/null
    # in pieces
    cat "${all[@]}" | dd bs=7 2>/dev/null | clip-embed -j 1 -b 3 - | cmp - out.clip
    # line ends and NULs at the end are nothing; what is not a picture is named
    { cat "${all[@]:0:3}"; printf '\n\n\0\0'; } | clip-embed - | ids | wc -l | grep -qx 3
    { cat "${all[@]:0:2}"; echo 'no picture'; } >x
    run -1 --separate-stderr sh -c 'cat x | clip-embed - -o out.clip'
    [ "$stderr" = 'clip-embed: -:3: not a picture in a known format' ]
    [ "$(ids out.clip | wc -l)" = 2 ]
    # what follows a single picture and does not begin as one belongs to it, as in a file
    { cat "$IM/rgb.jpg"; echo 'more'; } >y
    [ "$(cat y | clip-embed - | vectors)" = "$(clip-embed y | vectors)" ]
    run -1 --separate-stderr sh -c "cat '$IM/rgb.jpg' '$IM/rgb.png' | head -c -9 | clip-embed - -o out.clip"
    [ "$stderr" = 'clip-embed: -:2: the PNG data ends early' ]
}

@test "pipes: NULs and line ends between pictures are passed over, and a rest that is ignored is named" {
    all=("$IM"/{rgb.ppm,gray.pgm,rgb.jpg,rgb.bmp,rgb.png})
    for o in "${all[@]}"; do cat "$o"; echo; done | clip-embed - >out.clip
    vectors out.clip | diff <(clip-embed "${all[@]}" | vectors) -
    [ "$(ids out.clip | tail -1)" = -:5 ]
    # more of it than one read gives; a HEIF file begins with NULs itself
    last=$IM/rgb.png
    clip-embed -V | grep -q libheif && last=$IM/one.heic
    for n in 1 2 3 4 5 61 700000; do
        { cat "${all[0]}"; head -c "$n" /dev/zero; cat "${all[2]}"; printf '\r\n'; head -c "$n" /dev/zero; cat "$last"; } | clip-embed - >out.clip
        vectors out.clip | diff <(clip-embed "${all[0]}" "${all[2]}" "$last" | vectors) -
    done
    # a picture with a trailer before others
    { cat "$IM/rgb.jpg"; printf 'SEFT'; cat "$IM"/rgb.{png,bmp}; } >rest
    { cat "$IM/rgb.jpg"; printf '\n\0more'; } >trailer
    want=$(clip-embed "$IM/rgb.jpg" | vectors)
    run -0 --separate-stderr sh -c 'cat rest | clip-embed -o out.clip -'
    [[ $stderr =~ ^'clip-embed: -: '[0-9]+' bytes or more after the first picture are not a picture: the rest of the pipe is ignored'$ ]]
    [ "$(vectors out.clip)" = "$want" ]
    mkfifo a b
    cat trailer >a & cat rest >b &
    run -0 --separate-stderr clip-embed -o out.clip a b
    [[ ${stderr_lines[0]} == 'clip-embed: a: 4 bytes after the first picture are not a picture: they are ignored' ]]
    [[ ${stderr_lines[1]} == 'clip-embed: b: '*' or more after the first picture'* && ${#stderr_lines[@]} = 2 ]]
    [ "$(vectors out.clip)" = "$want"$'\n'"$want" ]
    cat rest | clip-embed -q - 2>&1 | vectors | grep -qFx "$want"
    # a second picture in a format that is not supported
    run -1 --separate-stderr sh -c "{ cat '$IM/rgb.jpg'; printf '\\377\\012plain'; } | clip-embed -o out.clip -"
    [ "$stderr" = 'clip-embed: -:2: JPEG XL files are not supported' ]
    # a line end does not delay the answer
    {
        cat "$IM/rgb.jpg"; echo
        answered early.clip
        cat "$IM/rgb.png"
    } | clip-embed -b 16 -o early.clip -
    [ -e seen ]
    [ "$(ids early.clip)" = $'-\n-:2' ]
}

@test "pipes: an answer comes before the next picture" {
    {
        cat "$IM/rgb.jpg"
        answered out.clip
        cat "$IM/rgb.png"
    } | clip-embed -b 16 -o out.clip -
    [ -e seen ]
    [ "$(ids out.clip)" = $'-\n-:2' ]
}

@test "pipes: a picture that is skipped is read over, and the next one has its own bytes and name" {
    all=("$IM"/{rgb.jpg,rgb.png,palette.gif,rgb.bmp,422.jpg,rgb.psd})    # what does not say it comes last
    cat "${all[@]}" | clip-embed -o want.clip -
    # an interrupted run goes on
    for n in 1 3; do
        cat "${all[@]:0:n}" | clip-embed -o i.clip -
        cat "${all[@]}" | dd bs=7 2>/dev/null | clip-embed -o i.clip --skip-from=i.clip -
        cmp i.clip want.clip
    done
    cat "${all[@]}" | clip-embed -v -o i.clip --skip-from=i.clip - 2>err
    grep -q '^clip-embed: 0 done, 0 failed, 6 skipped' err
    cmp i.clip want.clip
    for k in 1 2 3; do cat "${all[@]}" | clip-embed --shard $k/3 -; done | record-json | sort >have
    record-json want.clip | sort | diff - have
    # the end of the pipe ends a picture that is skipped
    { cat "${all[0]}"; head -c 100 "${all[1]}"; } | clip-embed --skip-from=want.clip - | wc -c | grep -qx 0
}

@test "pipes: a picture that is skipped does not delay the answer before it" {
    cat "$IM"/rgb.{jpg,png} | clip-embed - | record-json | tail -1 | record-json --from-json >second.clip
    {
        cat "$IM/rgb.jpg"
        head -c 100 "$IM/rgb.png"
        answered out.clip
        tail -c +101 "$IM/rgb.png"
        cat "$IM/rgb.bmp"
    } | clip-embed -b 16 --skip-from=second.clip -o out.clip -
    [ -e seen ]
    [ "$(ids out.clip)" = $'-\n-:3' ]
    [ "$(vectors out.clip)" = "$(clip-embed "$IM"/rgb.{jpg,bmp} | vectors)" ]
}

@test "pipes: FIFOs as operands; in a list of names they are not read" {
    mkfifo a b
    cat "$IM/rgb.jpg" >a &
    cat "$IM/rgb.png" "$IM/rgb.bmp" >b &
    clip-embed a "$IM/444.jpg" b >out.clip
    [ "$(ids out.clip)" = "$(printf '%s\n' a "$IM/444.jpg" b b:2)" ]
    printf 'a\0%s\0' "$IM/rgb.png" >names
    run -1 --separate-stderr timeout 20 clip-embed --files0-from=names -o out.clip
    [ "$stderr" = 'clip-embed: a: is a FIFO, not a regular file' ]
    : >a &
    run -1 --separate-stderr clip-embed -o none.clip a
    [ "$stderr" = 'clip-embed: a: nothing came through the pipe' ]
}

# pictures in ds, with captions before, after, and behind other members of the same key
dataset() {
    mkdir ds
    cp "$IM/rgb.jpg" ds/000.jpg; echo 'a red square' >ds/000.txt; echo '{}' >ds/000.json
    cp "$IM/rgb.png" ds/001.png; echo '{"x": 1}' >ds/001.json
    cp "$IM/444.jpg" ds/002.seg.jpg; printf 'zwei\r\n' >ds/002.txt
    head -c 50 "$IM/rgb.png" >ds/003.png
    echo text >ds/readme
    head -c 5000 /dev/zero | tr '\0' x >ds/004.txt; cp "$IM/rgb.bmp" ds/004.bmp
    printf 'latin \351' >ds/005.txt; cp "$IM/palette.gif" ds/005.gif
    long=$(printf 'n%.0s' $(seq 180))
    cp "$IM/422.jpg" "ds/$long.jpg"
}

@test "pipes: a list that names itself loses one input, and a FIFO in a list of archives is refused" {
    list=("$IM/rgb.jpg" - /dev/stdin "$IM/rgb.png")
    for o in '' --id=content; do
        printf '%s\0' "${list[@]}" | { run -1 --separate-stderr clip-embed $o -o out.clip --files0-from=-
            [ "$stderr" = $'clip-embed: -: is the list itself\nclip-embed: /dev/stdin: is the list itself' ]; }
        [ "$(vectors out.clip)" = "$(clip-embed "$IM"/rgb.{jpg,png} | vectors)" ]
    done
    printf '%s\0' "${list[@]}" >names
    run -1 --separate-stderr clip-embed -o out.clip --files0-from=- <names
    [ "$stderr" = $'clip-embed: -: is the list itself\nclip-embed: /dev/stdin: is the list itself' ]
    printf '%s\0' "$IM/rgb.jpg" /dev/fd/9 "$IM/rgb.png" | { run -1 --separate-stderr clip-embed -o out.clip --files0-from=/dev/fd/9 9<&0
        [ "$stderr" = 'clip-embed: /dev/fd/9: is the list itself' ]; }
    [ "$(vectors out.clip)" = "$(clip-embed "$IM"/rgb.{jpg,png} | vectors)" ]
    # archives
    tar cf a.tar -C "$IM" rgb.jpg
    mkfifo p
    printf '%s\0' - p /dev/stdin a.tar | { run -1 --separate-stderr timeout 20 clip-embed --tar -o out.clip --files0-from=-
        [ "$stderr" = 'clip-embed: -: is the list itself
clip-embed: p: is a FIFO, not a regular file
clip-embed: /dev/stdin: is the list itself' ]; }
    [ "$(ids out.clip)" = a.tar/rgb.jpg ]
    # pipes that the caller has opened
    printf '%s\0' - /dev/fd/9 >names
    [ "$(clip-embed --tar --files0-from=names <a.tar 9< <(cat a.tar) | ids)" = $'rgb.jpg\n/dev/fd/9/rgb.jpg' ]
    cat a.tar >p &
    [ "$(clip-embed --tar p | ids)" = p/rgb.jpg ]
}

# runs a command whose standard input is a pipe that does not block; the two halves of a file come half a second apart
halves() {
    python3 -c '
import os, subprocess, sys, time
data = open(sys.argv[1], "rb").read()
r, w = os.pipe()
os.set_blocking(r, False)
p = subprocess.Popen(sys.argv[2:], stdin=r)
for part in (data[:len(data) // 2], data[len(data) // 2:]):
    time.sleep(0.5)
    os.write(w, part)
os.close(w)
sys.exit(p.wait())' "$@"
}

@test "pipes: a standard input that does not block is read to its end" {
    printf 'a cat\na dog\na red square\n' >texts
    clip-tok <texts >want
    halves texts clip-tok | cmp - want
    record-json want >want.json
    halves want record-json | cmp - want.json
    halves want.json record-json --from-json | cmp - want
    printf '%s\0' "$IM"/rgb.{jpg,png,bmp} >names
    clip-embed --files0-from=names >want
    halves names clip-embed --files0-from=- | cmp - want
    cat "$IM"/rgb.{jpg,png,bmp} >pictures
    [ "$(halves pictures clip-embed - | vectors)" = "$(vectors want)" ]
    tar cf a.tar -C "$IM" rgb.jpg rgb.png rgb.bmp
    [ "$(halves a.tar clip-embed --tar | vectors)" = "$(vectors want)" ]
}

@test "tar: ustar, pax, GNU and old archives; webdataset's captions" {
    dataset
    good=(ds/000.jpg ds/001.png ds/002.seg.jpg ds/004.bmp ds/005.gif "ds/$long.jpg")
    clip-embed "${good[@]}" | vectors >want
    for f in pax gnu oldgnu; do
        tar --format=$f --sort=name -cf $f.tar ds
        run -1 --separate-stderr clip-embed -o out.clip --tar $f.tar
        [ "$stderr" = "clip-embed: $f.tar/ds/003.png: the PNG data ends early" ]
        [ "$(ids out.clip)" = "$(printf "$f.tar/%s\n" "${good[@]}")" ]
        vectors out.clip | diff want -
        [ "$(record-json out.clip | jq -c .data.text | tr '\n' ' ')" = '"a red square" null "zwei" null null null ' ]
        [ "$(record-json out.clip | jq -c '[.data.archive, .data.size, .data.mtime]' | sort -u)" = \
            "$(python3 -c "import json, os; print(json.dumps(['$f.tar', os.path.getsize('$f.tar'), os.path.getmtime('$f.tar')], separators=(',', ':')))")" ]
    done
    rm "ds/$long.jpg" ds/003.png
    for f in ustar v7; do
        tar --format=$f --sort=name -cf $f.tar ds
        clip-embed --tar $f.tar | vectors | diff <(head -5 want) -
    done
    # a name in two parts, and Python's archives, whose captions come first
    deep=$(printf 'd%.0s' $(seq 90)) file=$(printf 'f%.0s' $(seq 60))
    mkdir "$deep"; cp "$IM/rgb.jpg" "$deep/$file.jpg"
    tar --format=ustar -cf deep.tar "$deep/$file.jpg"
    [ "$(clip-embed --tar deep.tar | ids)" = "deep.tar/$deep/$file.jpg" ]
    python3 -c '
import io, sys, tarfile
t = tarfile.open("py.tar", "w", format=tarfile.PAX_FORMAT)
for name, data in (("k.txt", "ein Bäumchen".encode()), ("k.jpg", open(sys.argv[1], "rb").read()), ("ü" * 90 + ".jpg", open(sys.argv[1], "rb").read())):
    i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
t.close()' "$IM/rgb.jpg"
    clip-embed --tar py.tar | record-json | jq -c '[.id, .data.text]' >have
    [ "$(cat have)" = "$(printf '["py.tar/k.jpg","ein Bäumchen"]\n["py.tar/%s.jpg",null]' "$(printf 'ü%.0s' $(seq 90))")" ]
}

@test "tar: from standard input, joined archives, a list of archives, resumed" {
    mkdir ds
    cp "$IM"/{rgb,444}.jpg ds
    tar cf a.tar ds
    tar cf b.tar -C "$IM" rgb.png
    [ "$(tar c --sort=name ds | clip-embed --tar | ids)" = $'ds/444.jpg\nds/rgb.jpg' ]
    [ "$(tar c --sort=name ds | clip-embed --tar - | vectors)" = "$(clip-embed ds/*.jpg | vectors)" ]
    [ "$(cat a.tar b.tar | clip-embed --tar | ids | sort)" = $'ds/444.jpg\nds/rgb.jpg\nrgb.png' ]
    [ "$(printf 'a.tar\0b.tar\0' | clip-embed --tar --files0-from=- | ids | sort)" = $'a.tar/ds/444.jpg\na.tar/ds/rgb.jpg\nb.tar/rgb.png' ]
    clip-embed -o i.clip --skip-from=i.clip --tar a.tar b.tar
    cp i.clip want
    head -c $(($(wc -c <want) - 100)) want >i.clip
    clip-embed -q -o i.clip --skip-from=i.clip --tar a.tar b.tar
    cmp i.clip want
    # a changed archive is read again, and what is gone is pruned
    cp "$IM/422.jpg" ds
    tar cf a.tar ds
    clip-embed -v -o i.clip --skip-from=i.clip --tar a.tar b.tar 2>err
    grep -q '^clip-embed: 3 done, 0 failed, 1 skipped' err
    [ "$(ids i.clip | wc -l)" = 4 ]
    rm b.tar
    clip-embed --prune i.clip
    [ "$(ids i.clip | wc -l)" = 3 ]
    clip-embed --id content --tar a.tar | record-json | jq -r '.data.path' | sort >have
    [ "$(cat have)" = $'a.tar/ds/422.jpg\na.tar/ds/444.jpg\na.tar/ds/rgb.jpg' ]
    for i in 1 2; do clip-embed --shard $i/2 --tar a.tar; done | ids | sort -u | wc -l | grep -qx 3
}

@test "tar: captions that come first belong to their pictures in each shard and after a resumed run" {
    for k in 1 2 3 4 5 6 7 8; do
        cp "$IM/rgb.jpg" $k.jpg
        echo "text $k" >$k.txt
        echo $k.txt; echo $k.jpg
    done >list
    tar -cf a.tar -T list
    clip-embed -o want.clip --tar a.tar
    [ "$(record-json want.clip | jq -r .data.text)" = "$(seq -f 'text %.0f' 8)" ]
    for k in 1 2 3; do clip-embed --shard $k/3 --tar a.tar; done | record-json | sort >have
    record-json want.clip | sort | diff - have
    record-json want.clip | head -3 | record-json --from-json >i.clip
    clip-embed -o i.clip --skip-from=i.clip --tar a.tar
    cmp i.clip want.clip
    # the caption of two pictures lies between them
    printf '%s\n' 1.jpg 1.txt 1.png 2.jpg >list
    cp "$IM/rgb.png" 1.png
    tar -cf b.tar -T list
    clip-embed -o want.clip --tar b.tar
    [ "$(record-json want.clip | jq -r .data.text | tr '\n' ' ')" = 'text 1 text 1 null ' ]
    record-json want.clip | head -1 | record-json --from-json >i.clip
    clip-embed -o i.clip --skip-from=i.clip --tar b.tar
    cmp i.clip want.clip
}

@test "tar: pictures whose names are equal up to the first dot, of every format, named or not; also after a resumed run" {
    local n=0
    mkdir ds
    for f in "$IM"/{rgb.ppm,gray.pgm,rgb.bmp,palette.gif,rgb.psd,rgb.jpg,rgb.png,alpha.webp,bit.pbm}; do
        n=$((n + 1))
        cp "$f" "ds/frame.$n.${f##*.}"
        cp "$f" "ds/plain.$n"
    done
    echo words >ds/plain.3.1.cls    # not a picture, in the middle
    (cd ds && tar cf ../a.tar --sort=name -- *)
    clip-embed --tar a.tar >whole.clip
    [ "$(ids whole.clip)" = "$(tar tf a.tar | grep -v cls | sed 's,^,a.tar/,')" ]
    [ "$(ids whole.clip | wc -l)" = 18 ]
    vectors whole.clip | head -9 | cmp - <(clip-embed ds/frame.* | vectors)
    vectors whole.clip | tail -9 | cmp - <(clip-embed ds/plain.? | vectors)
    record-json whole.clip | sed -n '1p;5p;12p' | record-json --from-json >some.clip
    clip-embed --tar --skip-from some.clip a.tar >rest.clip
    ids rest.clip | sort | cmp - <(ids whole.clip | sed '1d;5d;12d' | sort)
}

@test "tar: captions in .json, which a .txt overrules" {
    cp "$IM/rgb.jpg" a.jpg
    cat >make.py <<'END'
import io, sys, tarfile
t = tarfile.open(sys.argv[1], "w")
picture = open("a.jpg", "rb").read()
def add(name, data=picture):
    data = data.encode() if isinstance(data, str) else data
    i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
exec(sys.stdin.read())
t.close()
END
    python3 make.py a.tar <<'END'
add("1.jpg"); add("1.json", '{"caption": "eins \\u00fc\\n", "text": "no"}')
add("2.json", '{"key": 1, "caption": null, "text": "zwei"}'); add("2.jpg")
add("3.jpg"); add("3.json", '{"caption": "no"}'); add("3.txt", "drei")
add("4.txt", "vier"); add("4.jpg"); add("4.json", '{"caption": "no"}')
add("5.json", '{"caption": "no"}'); add("5.jpg"); add("5.txt", "fünf")
add("6.jpg"); add("6.json", '{"caption": ""}')
add("7.jpg"); add("7.json", '{"other": "x"}')
add("8.jpg"); add("8.json", '{"caption": "of both"}'); add("8.png")
add("9.jpg"); add("x.json", '{"caption": "of no picture"}')
add("9.json", '{"caption": "too late"}'); add("readme", "x"); add("9.png")
END
    clip-embed -o want.clip --tar a.tar 2>err
    [ ! -s err ]
    record-json want.clip | jq -r '.id[6:] + " " + .data.text' | diff - <(printf '%s\n' '1.jpg eins ü' '2.jpg zwei' '3.jpg drei' '4.jpg vier' \
        '5.jpg fünf' '6.jpg ' '7.jpg ' '8.jpg of both' '8.png of both' '9.jpg ' '9.png ')
    for k in 1 2 3; do clip-embed --shard $k/3 --tar a.tar; done | record-json | sort >have
    record-json want.clip | sort | diff - have
    for n in 1 3 8; do
        record-json want.clip | head -$n | record-json --from-json >i.clip
        clip-embed -o i.clip --skip-from=i.clip --tar a.tar
        cmp i.clip want.clip
    done
    # what is hostile costs its picture the caption and one line
    python3 make.py bad.tar <<'END'
add("1.jpg"); add("1.json", '{"caption": "a')
add("2.jpg"); add("2.json", '["caption"]')
add("3.jpg"); add("3.json", '{"caption": ["a"]}')
add("4.jpg"); add("4.json", '[' * 500000)
add("5.jpg"); add("5.json", '{"caption": "' + 'x' * (1 << 20) + '"}')
add("6.jpg"); add("6.json", '{"caption": "' + 'x' * 4096 + '"}')
add("7.jpg"); add("7.json", '{"caption": "a\\u0000b"}')
add("8.jpg"); add("8.json", b'{"caption": "\xff"}')
add("9.jpg"); add("9.json", '')
add("A.json", '{'); add("A.jpg"); add("A.txt", "a text")
add("B.jpg"); add("B.json", '{"caption": "' + 'x' * 4095 + '"}')
END
    clip-embed -o bad.clip --tar bad.tar 2>err
    sed 's/no caption from its .json: //; s/byte [0-9]*: .*/byte/' err | diff - <(printf 'clip-embed: bad.tar/%s\n' '1.jpg: not valid JSON: byte' \
        '2.jpg: not an object' '3.jpg: caption is not a string' '4.jpg: not valid JSON: byte' \
        '5.jpg: 1048591 bytes, the limit is 1048576' '6.jpg: caption has 4096 bytes or more' '7.jpg: not valid JSON: byte' \
        '8.jpg: not valid JSON: byte' '9.jpg: not valid JSON: byte')
    [ "$(record-json bad.clip | jq -r '.data.text // "" | length' | tr '\n' ' ')" = '0 0 0 0 0 0 0 0 0 6 4095 ' ]
    clip-embed -q --tar bad.tar 2>&1 | cmp - bad.clip
    head -c 12800 a.tar >cut.tar
    run -1 --separate-stderr clip-embed -o out.clip --tar cut.tar
    [[ $stderr == 'clip-embed: cut.tar'*': the archive ends early, at byte 12800' ]]
}

@test "tar: pictures in formats that are not supported fail, documents are passed over" {
    mkdir ds
    printf '\377\012plain' >ds/1.jxl
    printf '\0\0\0\014JXL \r\n\207\n' >ds/2
    printf '\0\0\0\014jP  \r\n\207\n' >ds/3.jp2
    printf '\377\117\377\121\0\0' >ds/4.j2k
    printf '%%PDF-1.7\n' >ds/5.pdf
    cp "$IM/rgb.jpg" ds/6.jpg
    tar --sort=name -cf a.tar ds
    run -1 --separate-stderr clip-embed -o out.clip --tar a.tar
    [ "$stderr" = 'clip-embed: a.tar/ds/1.jxl: JPEG XL files are not supported
clip-embed: a.tar/ds/2: JPEG XL files are not supported
clip-embed: a.tar/ds/3.jp2: JPEG 2000 files are not supported
clip-embed: a.tar/ds/4.j2k: JPEG 2000 files are not supported' ]
    [ "$(ids out.clip)" = a.tar/ds/6.jpg ]
}

@test "tar: what macOS writes next to each file is passed over, and captions stay" {
    cp "$IM/rgb.jpg" a.jpg
    python3 - <<'END'
import io, tarfile
t = tarfile.open("mac.tar", "w")
picture, double = open("a.jpg", "rb").read(), bytes.fromhex("0005160700020000") + b"Mac OS X".ljust(155, b"\0")
def add(name, data):
    i = tarfile.TarInfo(name); i.size = len(data); t.addfile(i, io.BytesIO(data))
for name, data in (("ds/0.jpg", picture), ("ds/0.txt", b"null"), ("ds/1.txt", b"eins"), ("ds/1.jpg", picture), ("2", picture)):
    head, slash, base = name.rpartition("/")
    add(head + slash + "._" + base, double)
    add(name, data)
add("._3.jpg", picture)      # a picture after all
add("ds/._4.jpg", b"\0\5")   # cut
t.close()
END
    run -1 --separate-stderr clip-embed -o out.clip --tar mac.tar
    [ "$stderr" = 'clip-embed: mac.tar/ds/._4.jpg: not a picture in a known format' ]
    [ "$(record-json out.clip | jq -c '[.id[8:], .data.text]' | tr '\n' ' ')" = '["ds/0.jpg","null"] ["ds/1.jpg","eins"] ["2",null] ["._3.jpg",null] ' ]
    [ "$(vectors out.clip | sort -u)" = "$(clip-embed a.jpg | vectors)" ]
}

@test "tar: a link that is named like a picture fails, a link in the place of a caption is reported" {
    for i in a c d; do cp "$IM/rgb.jpg" $i.jpg; done
    ln a.jpg b.jpg
    echo eins >a.txt; ln a.txt c.txt
    echo '{"caption": "drei"}' >x.json; ln -s x.json d.json
    ln -s a.jpg e.PNG; ln -s a.jpg latest; ln -s none readme
    for f in pax gnu ustar v7; do
        tar --format=$f -cf $f.tar a.jpg a.txt b.jpg c.jpg c.txt d.jpg d.json e.PNG latest readme
        run -1 --separate-stderr clip-embed -o out.clip --tar $f.tar
        [ "$(sort <<<"$stderr")" = "clip-embed: $f.tar/b.jpg: a link in an archive is not followed
clip-embed: $f.tar/c.jpg: no caption from its .txt: a link in an archive is not followed
clip-embed: $f.tar/d.jpg: no caption from its .json: a link in an archive is not followed
clip-embed: $f.tar/e.PNG: a link in an archive is not followed" ]
        [ "$(record-json out.clip | jq -c '[.id, .data.text]' | tr '\n' ' ')" = "[\"$f.tar/a.jpg\",\"eins\"] [\"$f.tar/c.jpg\",null] [\"$f.tar/d.jpg\",null] " ]
    done
    tar -chf follow.tar --hard-dereference a.jpg b.jpg e.PNG
    clip-embed --tar follow.tar | ids | wc -l | grep -qx 3
}

@test "tar: hostile and damaged archives end in one line each, and the next archive is read" {
    cp "$IM/rgb.jpg" a.jpg
    tar cf good.tar a.jpg
    head -c 700 good.tar >cut.tar
    { head -c 1024 good.tar; tail -c +1101 good.tar; } >short.tar
    gzip -k good.tar
    mkdir dir
    python3 - <<'END'
import tarfile, io
def header(name, size=0, kind=b'0', extra=b''):
    i = tarfile.TarInfo(name); i.size = size; i.type = kind
    return bytearray(i.tobuf(tarfile.GNU_FORMAT))
def mend(h):
    h[148:156] = b' ' * 8
    h[148:156] = b'%06o\0 ' % sum(h)
    return bytes(h)
def put(name, *parts): open(name, 'wb').write(b''.join(parts))
big = header('big.jpg'); big[124:136] = b'77777777777\0'
put('big.tar', mend(big), b'z' * 512)
huge = header('huge.jpg'); huge[124:136] = b'\x80' + b'\x7f' * 11
put('huge.tar', mend(huge))
neg = header('neg.jpg'); neg[124:136] = b'\xff' * 12
put('neg.tar', mend(neg))
put('longname.tar', mend(header('././@LongLink', 1 << 30, b'L')), b'z' * 512)
put('pax.tar', mend(header('p', 12, b'x')), b'99 path=x\n\0\0'.ljust(512, b'\0'))
name = b'n' * 5000
put('name.tar', mend(header('././@LongLink', len(name), b'L')), name.ljust(5120, b'\0'), mend(header('a.jpg', 3)), b'abc'.ljust(512, b'\0'))
put('sum.tar', bytes(header('a.jpg')), b'\1' * 512)
put('sparse.tar', mend(header('s.jpg', 512, b'S')), b'z' * 512)
up = open('a.jpg', 'rb').read()
put('up.tar', mend(header('../../etc/a.jpg', len(up))), up.ljust(-(-len(up) // 512) * 512, b'\0'))
END
    run -1 --separate-stderr clip-embed -o out.clip --tar cut.tar short.tar good.tar.gz a.jpg dir none big.tar huge.tar neg.tar longname.tar \
        pax.tar name.tar sum.tar sparse.tar good.tar
    [ "${stderr//nnnn/}" = 'clip-embed: cut.tar/a.jpg: the archive ends early, at byte 700
clip-embed: short.tar/a.jpg: invalid JPEG file structure: missing SOS marker
clip-embed: short.tar: the archive ends early, at byte 10164
clip-embed: good.tar.gz: a compressed archive: pipe it through gzip -dc
clip-embed: a.jpg: not a tar archive
clip-embed: dir: Is a directory (DIR/* names the files in it)
clip-embed: none: No such file or directory
clip-embed: big.tar/big.jpg: the archive ends early, at byte 1024
clip-embed: huge.tar: not a tar archive
clip-embed: neg.tar: not a tar archive
clip-embed: longname.tar: a header of 1073741824 bytes, the limit is 65536
clip-embed: pax.tar: a broken header of pax before byte 524
clip-embed: name.tar/nn: File name too long
clip-embed: sum.tar/a.jpg: empty file
clip-embed: sum.tar: damaged at byte 512
clip-embed: sparse.tar/s.jpg: sparse files in archives are not supported' ]
    [ "$(ids out.clip | tail -1)" = good.tar/a.jpg ]
    # a name is a name, and nothing is opened by it
    [ "$(clip-embed --tar up.tar | ids)" = up.tar/../../etc/a.jpg ]
    run -2 --separate-stderr clip-embed --tar --only text
    [ "$stderr" = 'clip-embed: --only text: files have no text' ]
}
