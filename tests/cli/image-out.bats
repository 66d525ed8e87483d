#!/usr/bin/env bats
# image-out: names, unsafe ids, formats, full disks, sheets, terminals, parameters there and back.
# shellcheck disable=SC1003,SC2016,SC2030,SC2031,SC2154

bats_require_minimum_version 1.5.0

setup_file() {
    BIN=${BIN:-$(cd "$BATS_TEST_DIRNAME/../../build/bin" && pwd)}
    export BIN PATH="$BIN:$PATH" LC_ALL=C
}

# Two pixels, red and blue, or one green one.
pixel() {
    local shape='[1,1,3]' data='AP8A'
    [ "${2-}" ] && shape='[1,2,3]' data='/wAAAAD/'
    echo '{"unclip":1,"id":'"$1"',"data":{"text":"some text","image":{"$nd":{"type":"|u1","shape":'"$shape"',"data":"'"$data"'"}},"rank":2,"cos":0.123456}}'
}

setup() {
    cd "$BATS_TEST_TMPDIR" || return
    { pixel '"a"' 2; pixel '"b"'; } | record-json --from-json >two.clip
    pixel '"a"' 2 | record-json --from-json >one.clip
}

@test "PPM: the very bytes, to standard output and to a file" {
    printf 'P6\n2 1\n255\n\377\0\0\0\0\377' >want
    image-out --format=ppm one.clip | cmp - want
    image-out --format=ppm <one.clip | cmp - want
    image-out -o - --format=ppm one.clip | cmp - want
    image-out -o got.ppm one.clip
    cmp got.ppm want
    image-out --format=ppm two.clip | cmp - <(cat want; printf 'P6\n1 1\n255\n\0\377\0')
    run -0 --separate-stderr image-out -o x.png one.clip
    [ -z "$output$stderr" ]
}

@test "floats: halves to even of 255 (x / 2 + 1 / 2), clamped" {
    # -1 0 1; -2 2 and 127.5 / 255: 0.5 / 255 * 2 - 1 is 0.5, to even 0
    echo '{"unclip":1,"id":"f","data":{"image":{"$nd":{"type":"<f4","shape":[3,1,2],"data":[[[-1,0]],[[1,-2]],[[2,0.25]]]}}}}' |
        record-json --from-json | image-out --format=ppm | tail -c 6 | od -An -tu1 >got
    [ "$(tr -s ' ' <got)" = " 0 255 255 128 0 159" ]
}

@test "what was written comes back by --read, as a record without its tensors" {
    image-out -o 'x%d.png' two.clip
    image-out -o 'x%d.jpg' two.clip
    run -0 --separate-stderr image-out --read x1.png x2.jpg
    [ "$output" = '{"unclip":1,"id":"a","data":{"text":"some text","rank":2,"cos":0.123456}}
{"unclip":1,"id":"b","data":{"text":"some text","rank":2,"cos":0.123456}}' ]
    image-out --read x1.png | record-json --from-json | record-json | cmp - <(image-out --read x1.png)
    image-out --sheet -o sheet.png two.clip
    [ "$(image-out --read sheet.png)" = "$output" ]
    grep -aq 'Title' x1.png
}

@test "--read: a file that image-out did not write is named, the rest is done, status 1" {
    image-out -o x.png one.clip
    image-out -o x.ppm one.clip
    head -c 60 x.png >cut.png
    printf '\211PNG\r\n\032\n\0\0\0\0IEND\256B`\202' >none.png
    run -1 --separate-stderr image-out --read none.png x.ppm absent cut.png . x.png
    [ "$output" = '{"unclip":1,"id":"a","data":{"text":"some text","rank":2,"cos":0.123456}}' ]
    [ "$stderr" = "image-out: none.png: no parameters of unclip in it
image-out: x.ppm: neither a PNG nor a JPEG file
image-out: absent: No such file or directory
image-out: cut.png: the PNG data ends early
image-out: .: Is a directory (DIR/* names the files in it)" ]
    run -2 image-out --read
    [ "$output" = "image-out: --read: name the pictures" ]
}

@test "patterns" {
    pixel '"dir/photo.old.jpg"' >in
    pixel '".hidden"' >>in
    echo '{"unclip":1,"id":"r#1","data":{"root":"r/r","sample":[1,3],"image":{"$nd":{"type":"|u1","shape":[1,1,3],"data":"AAAA"}}}}' >>in
    record-json --from-json <in >in.clip
    mkdir out
    image-out -o 'out/%d-%i.ppm' in.clip
    image-out -o 'out/%03d_%b.ppm' in.clip
    image-out -o 'out/%4d%%.ppm' in.clip
    image-out -o 'out/%s %r.ppm' in.clip
    ls -A out >got
    diff got - <<'END'
   1%.ppm
   2%.ppm
   3%.ppm
0 _hidden.ppm
0 dir_photo.old.jpg.ppm
001_photo.old.ppm
002__hidden.ppm
003_r#1.ppm
1-3 r_r.ppm
1-dir_photo.old.jpg.ppm
2-_hidden.ppm
3-r#1.ppm
END
}

@test "ids that would harm: never out of the folder, never hidden, never an option" {
    { pixel '"../../etc/x"'; pixel '"a/b"'; pixel '"-rf"'; pixel '".."'; pixel '""'; pixel '"new\nline\u001b[31m"'
      pixel '{"$bytes":"/y8="}'; pixel '"'"$(printf 'y%.0s' {1..255})"'"'; } | record-json --from-json >in.clip
    mkdir -p d/e
    (cd d/e && image-out -o '%i.ppm' ../../in.clip)
    [ "$(ls -A d)" = e ]
    (cd d/e && printf '%s\n' ./* ./.??*) | sed 's/yyy*/yy/' | sort >got
    sort <<'END' | diff - got
./.??*
./__.ppm
./_..ppm
./_.ppm
./_._.._etc_x.ppm
./_rf.ppm
./a_b.ppm
./new_line_[31m.ppm
./yy-755b4cbd57cbb030.ppm
END
}

@test "two records for one file: an error that names the ways out; the first is kept" {
    run -2 image-out -o x.ppm two.clip
    [ "$output" = "image-out: x.ppm: a second picture for the same file (use %d or %i in its name, --sheet, or -o -)" ]
    printf 'P6\n2 1\n255\n\377\0\0\0\0\377' | cmp - x.ppm
    { pixel '"a/b"'; pixel '"a_b"'; pixel '"c"'; } | record-json --from-json >same.clip
    run -1 image-out -o '%i.ppm' same.clip
    [ "$output" = "image-out: same.clip: record 2 (a_b): 'a_b.ppm' was written already: use %d in its name" ]
    [ -e c.ppm ]
}

@test "a file that is there is replaced whole, keeps its mode, and stays if it may not be written" {
    echo old >x.ppm
    chmod 640 x.ppm
    ln -s x.ppm link.ppm
    image-out -o link.ppm one.clip
    [ -L link.ppm ]
    [ "$(stat -c %a x.ppm)" = 640 ]
    image-out --format=ppm one.clip | cmp - x.ppm
    mkdir dir.ppm
    run -1 image-out -o dir.ppm one.clip
    [[ "$output" = "image-out: one.clip: record 1 ("*"): dir.ppm: Is a directory" ]]
    run -2 image-out -o no/x.ppm one.clip
    [ "$output" = "image-out: no/x.ppm: No such file or directory" ]
    [ -z "$(find . -name '*.tmp')" ]
    if [ "$(id -u)" != 0 ]; then
        chmod 400 x.ppm
        run -2 image-out -o x.ppm one.clip
        [ "$output" = "image-out: x.ppm: Permission denied" ]
    fi
}

@test "a full disk is noticed; a closed pipe ends it" {
    [ -w /dev/full ] || skip "no /dev/full"
    run -2 sh -c 'image-out one.clip >/dev/full'
    [ "$output" = "image-out: write error: No space left on device" ]
    ln -s /dev/full full.png
    run -2 image-out -o full.png one.clip
    [ "$output" = "image-out: full.png: No space left on device" ]
    [ -c /dev/full ]
    run -2 sh -c 'image-out -o x.png one.clip; image-out --read x.png >/dev/full'
    cp two.clip many.clip
    for _ in {1..10}; do cat many.clip many.clip >more.clip; mv more.clip many.clip; done
    run -141 bash -c 'image-out many.clip | head -c 1 >/dev/null; exit "${PIPESTATUS[0]}"'
    [ -z "$output" ]
}

@test "a file that cannot be written whole leaves the old one and nothing else" {
    echo '{"unclip":1,"id":"w","data":{"image":{"$nd":{"type":"|u1","shape":[1,20000,3],"data":"'"$(head -c 60000 /dev/zero | base64 -w 0)"'"}}}}' |
        record-json --from-json >wide.clip
    echo old >x.ppm
    run -1 bash -c 'trap "" XFSZ; ulimit -f 8; image-out -o x.ppm wide.clip'
    [ "$output" = "image-out: wide.clip: record 1 (w): x.ppm: File too large" ]
    [ "$(cat x.ppm)" = old ]
    [ "$(ls -A)" = "$(printf 'one.clip\ntwo.clip\nwide.clip\nx.ppm')" ]
}

@test "records that fail are named, the rest is done" {
    { pixel '"a"'; echo '{"unclip":1,"id":"t","data":{"text":"x"}}'
      echo '{"unclip":1,"id":"e","data":{"error":"it failed"}}'
      echo '{"unclip":1,"id":"w","data":{"image":{"$nd":{"type":"|u1","shape":[1,3],"data":"AAAA"}}}}'; pixel '"z"'; } |
        record-json --from-json >in.clip
    run -1 --separate-stderr image-out -v -o '%i.ppm' in.clip
    [ -z "$output" ]
    [ "$(sed '$d' <<<"$stderr")" = "image-out: a.ppm: 1 x 1 pixels
image-out: in.clip: record 2 (t): no image (decode64, vq -d or clip-draw makes it)
image-out: in.clip: record 3 (e): it failed
image-out: in.clip: record 4 (w): image: neither u8 [H, W, 3] nor f32 [3, H, W]
image-out: z.ppm: 1 x 1 pixels" ]
    rm ./*.ppm
    run -1 image-out --strict -o '%i.ppm' in.clip
    [ ! -e z.ppm ]
    head -c -3 two.clip >cut.clip
    run -1 --separate-stderr image-out -o 'cut-%d.ppm' cut.clip
    [ -e cut-1.ppm ]
    run -0 --separate-stderr image-out -o 'none-%d.ppm' /dev/null
    [ -z "$output$stderr" ]
}

@test "--shard parts the records" {
    for i in {1..20}; do pixel "\"r$i\""; done | record-json --from-json >in.clip
    for i in 1 2 3; do image-out --shard=$i/3 -o "%i.ppm" in.clip; find . -name "*.ppm" | wc -l >>counts; done
    [ "$(tail -n 1 counts)" = 20 ]
    [ "$(head -n 1 counts)" -lt 20 ]
}

@test "usage: what cannot be is told before anything is read" {
    run -2 image-out -o x.gif one.clip
    [ "$output" = "image-out: -o: 'x.gif' ends in none of .png .jpg .jpeg .ppm .svg: use --format" ]
    run -2 image-out -o 'x%q.png' one.clip
    [ "$output" = "image-out: -o: '%q.png' is none of %d %i %b %r %s %%" ]
    run -2 image-out -o 'x%' --format=png one.clip
    run -2 image-out -o '%999999999999d.png' one.clip
    run -2 image-out -o '%4i.png' one.clip
    run -2 image-out --show -o x.png one.clip
    [ "$output" = "image-out: --output is for files" ]
    run -2 image-out -Q 80 -o x.png one.clip
    [ "$output" = "image-out: --quality is for JPEG" ]
    run -2 image-out --show=vt100 one.clip
    [ "${lines[0]}" = "image-out: --show: 'vt100' is not auto|kitty|sixel" ]
    run -2 image-out -Q 0 -o x.jpg one.clip
    run -2 image-out --sheet=0 -o x.jpg one.clip
    run -0 image-out --format=png -o name one.clip
    [ "$(head -c 4 name | tail -c 3)" = PNG ]
}

@test "a sheet: cells as large as the largest picture, captions below; refused when absurd" {
    image-out --sheet=1 --caption none -o s.ppm two.clip
    [ "$(head -n 2 s.ppm | tail -n 1)" = "$((8 + 6 + 8)) $((2 * (1 + 8) + 8))" ]
    image-out --sheet=2 --caption none -o s.ppm two.clip
    [ "$(head -n 2 s.ppm | tail -n 1)" = "$((8 + 6 + 8 + 6 + 8)) $((8 + 1 + 8))" ]
    image-out --sheet=9 --caption none --format ppm two.clip | cmp - s.ppm
    image-out --sheet=2 --caption id -o t.ppm two.clip
    [ "$(head -n 2 t.ppm | tail -n 1)" = "$((8 + 6 + 8 + 6 + 8)) $((8 + 1 + 15 + 8))" ]
    image-out --sheet=2 --caption nosuch,rank -o t.ppm two.clip
    image-out --sheet=2 -o '%i-%d.png' two.clip
    [ -e sheet-1.png ]
    run -0 image-out --sheet -o none.png /dev/null
    [ ! -e none.png ]
    wide=$(head -c 60000 /dev/zero | base64 -w 0)
    { echo '{"unclip":1,"id":"w","data":{"image":{"$nd":{"type":"|u1","shape":[1,20000,3],"data":"'"$wide"'"}}}}'
      echo '{"unclip":1,"id":"h","data":{"image":{"$nd":{"type":"|u1","shape":[20000,1,3],"data":"'"$wide"'"}}}}'; } |
        record-json --from-json >absurd.clip
    # what does not fit fails alone
    run -1 image-out --sheet --caption none -o x.ppm absurd.clip
    [ "$output" = "image-out: absurd.clip: record 2 (h): the sheet would have more than 67108864 pixels" ]
    [ "$(head -n 2 x.ppm | tail -n 1)" = "20016 17" ]
}

@test "--size: the longer side, bicubically as Pillow, smaller and larger; on a sheet cells of one size" {
    # Pillow 13: 2 x 1, red and blue, to 4 x 2
    printf 'P6\n4 2\n255\n' >want
    for _ in 1 2; do printf '\377\0\0\312\0\065\065\0\312\0\0\377' >>want; done
    image-out --size 4 --format=ppm one.clip | cmp - want
    image-out --size 2 --format=ppm one.clip | cmp - <(image-out --format=ppm one.clip)
    image-out --size 1 --format=ppm one.clip | head -c 6 | cmp - <(printf 'P6\n1 1')
    image-out --size 40 --sheet --caption none --format=ppm two.clip >sheet
    image-out --size 40 --format=ppm two.clip | head -c 9 | cmp - <(printf 'P6\n40 20\n')
    [ "$(head -n 2 sheet | tail -n 1 | cut -d' ' -f1)" -ge 80 ]
    # the picture of a file is resized once, not first to the 256 pixels of a sheet
    awk 'BEGIN { printf "P6\n600 400\n255\n"; for (i = 0; i < 240000; i++) printf "%c%c%c", 32 + i % 90, 32 + i % 71, 40 }' >busy.ppm
    echo '{"unclip":1,"id":"busy.ppm","data":{}}' | record-json --from-json >file.clip
    image-out --size 600 --format=ppm file.clip | cmp - busy.ppm
    image-out --size 600 --sheet --caption none --format=ppm file.clip >sheet
    [ "$(head -n 2 sheet | tail -n 1 | cut -d' ' -f1)" -ge 600 ]
    grep -qaF "$(tail -c +5000 busy.ppm | head -c 60)" sheet
    run -2 image-out --size 0 -o x.png one.clip
    run -2 image-out --size 4 -o x.svg one.clip
    [ "$output" = "image-out: --size: an SVG file has no pixels" ]
    run -2 image-out --size 4 --read x.png
}

@test "captions outside ASCII: by FreeType, else question marks; --font" {
    pixel '"café"' 2 | record-json --from-json >cafe.clip
    pixel '"caf?"' 2 | record-json --from-json >ascii.clip
    image-out -V | grep -q FreeType || skip "built without FreeType"
    run -0 --separate-stderr image-out --sheet --caption id -o s.ppm cafe.clip
    [ -z "$stderr" ]
    image-out --sheet --caption id -o a.ppm ascii.clip
    cmp -s s.ppm a.ppm && false
    run -0 --separate-stderr image-out --sheet --caption id --font /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf -o f.ppm ascii.clip
    [ -z "$stderr" ]
    cmp -s f.ppm a.ppm && false
    # a letter that the font lacks is a box, and is named once
    { pixel '"日"' 2; pixel '"本"' 2; } | record-json --from-json >two.clip
    run -0 --separate-stderr image-out --sheet --caption id -o b.ppm two.clip
    [ "$stderr" = "image-out: captions with boxes: the font DejaVu Sans Book has no character U+65E5" ]
    run -2 --separate-stderr image-out --sheet --font none -o f.ppm ascii.clip
    [ "$stderr" = "image-out: --font: none: not a scalable font that FreeType can read" ]
    mkdir lib
    : >lib/libfreetype.so.6
    LD_LIBRARY_PATH=$PWD/lib run -0 --separate-stderr image-out --sheet --caption id -o s.ppm cafe.clip
    [ "$stderr" = "image-out: captions in ASCII: text in pictures needs FreeType: $PWD/lib/libfreetype.so.6: file too short" ]
    cmp s.ppm a.ppm
}

@test "--show: kitty's chunks hold a PNG, sixel begins and ends; no terminal, no pictures" {
    run -2 image-out --show one.clip
    [ "$output" = "image-out: --show: standard output is not a terminal; --show=kitty and --show=sixel write anyway" ]
    image-out --show=kitty one.clip >got
    sed -n 1p got | tr -d '\n' | sed 's/.*;//; s/\x1b\\$//' | base64 -d >got.png
    [ "$(sed -n 2p got)" = "some text" ]
    image-out -o want.png one.clip
    head -c 33 want.png | cmp - <(head -c 33 got.png)
    image-out --show=sixel --caption cos,rank one.clip >got
    [ "$(head -c 18 got | tr '\033' E)" = 'EP0;1q"1;1;2;1#0;2' ]
    [ "$(sed -n 1p got | tail -c 3 | tr '\033\\' EB)" = EB ]
    [ "$(sed -n 2p got)" = "0.1235 2" ]
    { pixel '"\u001b]0;evil\u0007"' | sed 's/"text":"some text",//'; } | record-json --from-json >evil.clip
    [ "$(image-out --show=kitty evil.clip | tail -n 1)" = '\x1b]0;evil\x07' ]
    script -qec true /dev/null >/dev/null 2>&1 </dev/null || skip "no terminal to be had: script(1) or /dev/pts is missing"
    TERM=foot script -qec 'image-out --show one.clip' /dev/null </dev/null | grep -aq 'P0;1q'
    KITTY_WINDOW_ID=1 script -qec 'image-out --show one.clip' /dev/null </dev/null | grep -aq '_Ga=T'
    TERM=dumb script -qec 'image-out --show one.clip' /dev/null </dev/null | grep -aq 'not known to draw pictures'
    script -qec 'image-out one.clip' /dev/null </dev/null | grep -aq 'image-out: pictures are not for a terminal'
}

@test "standard input from a terminal, or records that are not a stream" {
    run -1 --separate-stderr bash -c 'echo garbage | image-out'
    [ -z "$output" ]
    grep -q '^image-out: -: ' <<<"$stderr"
}

# A picture of 300 x 200 pixels, red and blue halves.
photo() {
    awk 'BEGIN { printf "P3 300 200 255\n"; for (y = 0; y < 200; y++) for (x = 0; x < 300; x++) print x < 150 ? "255 0 0" : "0 0 255" }' >"$1"
}

@test "a record that names a picture file: the file's picture, reduced on sheets" {
    photo far.ppm
    printf '{"id":"far.ppm","data":{"cos":0.5}}\n{"id":"4be1","data":{"path":"far.ppm","label":"a <b>"}}\n' | record-json --from-json >named.clip
    image-out -o 'whole-%d.ppm' named.clip
    [ "$(head -c 15 whole-2.ppm | tr '\n' ' ')" = "P6 300 200 255 " ]
    [ "$(tail -c +16 whole-1.ppm | head -c 3 | od -An -tu1)" = " 255   0   0" ]
    image-out --sheet=2 --caption none -o sheet.ppm named.clip
    w=$(sed -n 2p sheet.ppm | cut -d" " -f1)
    [ "$w" -ge 512 ]
    [ "$w" -lt 600 ]
    echo '{"id":"gone.png","data":{"cos":0.5}}' | record-json --from-json >gone.clip
    run -1 --separate-stderr image-out -o x.png gone.clip
    [ "$stderr" = "image-out: gone.clip: record 1 (gone.png): no image (decode64, vq -d or clip-draw makes it)" ]
    # a member of an archive has the name of a file that is here
    printf '{"id":"far.ppm","data":{"archive":"-"}}\n{"id":"4be1","data":{"path":"far.ppm","archive":"a.tar"}}\n' | record-json --from-json >tar.clip
    for o in '-o x-%d.png' '--sheet -o sheet.png' '--html page.html'; do
        # shellcheck disable=SC2086
        run -1 --separate-stderr image-out $o tar.clip
        [ "${stderr_lines[0]}" = "image-out: tar.clip: record 1 (far.ppm): no image, and the picture is in an archive: clip-embed --keep-image=SIDE stores it" ]
        [[ "${stderr_lines[1]}" = "image-out: tar.clip: record 2 (4be1): no image, and the picture is in an archive: "* ]]
    done
    echo broken >gone.png
    run -1 --separate-stderr image-out -o x.png gone.clip
    [[ "$stderr" = "image-out: gone.clip: record 1 (gone.png): gone.png: "* ]]
    mkdir -p dir.png
    # somebody else's picture is not replaced by one that a record names; image-out's own is, and so is what is not a picture
    cp far.ppm photo.ppm
    run -1 --separate-stderr image-out -o photo.ppm <(head -c 1000000 named.clip | record-json | head -n 1 | record-json --from-json)
    [[ "$stderr" = *": photo.ppm: a picture in which image-out stored no record is not replaced" ]] || { echo "$stderr"; return 1; }
    cmp far.ppm photo.ppm
    record-json named.clip | head -n 1 | record-json --from-json >first.clip
    run -1 --separate-stderr image-out -o '%i' --format=ppm first.clip
    [[ "$stderr" = *": far.ppm: a picture in which image-out stored no record is not replaced" ]] || { echo "$stderr"; return 1; }
    run -2 image-out --sheet -o photo.ppm named.clip
    cmp far.ppm photo.ppm
    image-out -o mine.png first.clip
    image-out -o mine.png first.clip
    : >mine.png
    image-out -o mine.png first.clip
    # nor by a record that holds a crop of the picture that it names
    cp far.ppm shot.ppm
    record-json one.clip | jq -c '.id = "x/shot.ppm" | .data.path = "shot.ppm"' | record-json --from-json >crop.clip
    run -1 --separate-stderr image-out -o %b.ppm crop.clip
    [[ "$stderr" = *": shot.ppm: a picture in which image-out stored no record is not replaced" ]] || { echo "$stderr"; return 1; }
    cmp far.ppm shot.ppm
    image-out -o %b.png crop.clip
    image-out -o %b.png crop.clip    # its own picture
    echo '{"id":"dir.png","data":{}}' | record-json --from-json | { run -1 image-out -o x.png; [[ "$output" = *"no image (decode64, vq -d or clip-draw makes it)" ]]; }
}

@test "--html: one file with thumbnails, captions and links, in which nothing of a record is markup" {
    photo far.ppm
    cp far.ppm "a<b & 'c'.ppm"
    printf '%s\n' '{"id":"far.ppm","data":{"cos":0.5,"label":"<script>alert(1)</script>","prob":0.25,"text":"x & \"y\""}}' \
        "{\"id\":\"a<b & 'c'.ppm\",\"data\":{\"cos\":0.125}}" | record-json --from-json >named.clip
    cat two.clip >>named.clip
    image-out --html page.html named.clip
    python3 - "$PWD" <<'END'
import base64, html.parser, io, struct, sys, urllib.parse
class Page(html.parser.HTMLParser):
    tags, hrefs, sources, text = [], [], [], []
    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        d = dict(attrs)
        if tag == "a": self.hrefs.append(urllib.parse.unquote(d["href"]))
        if tag == "img": self.sources.append(d["src"])
    def handle_data(self, data): self.text.append(data)
p = Page()
p.feed(open("page.html").read())
assert "script" not in p.tags, p.tags
assert p.tags.count("figure") == 4 and len(p.sources) == 4
assert p.hrefs == [f"file://{sys.argv[1]}/far.ppm", f"file://{sys.argv[1]}/a<b & 'c'.ppm"], p.hrefs
assert "<script>alert(1)</script> 0.25 0.5" in p.text and 'x & "y"' in p.text and "0.125" in p.text, p.text
for s in p.sources:
    assert s.startswith("data:image/jpeg;base64,")
    assert base64.b64decode(s[23:], validate=True)[:3] == b"\xff\xd8\xff"
END
    image-out --html named.html --caption id named.clip
    grep -q 'far.ppm<br></figcaption>' named.html
    grep -q '<a href=' named.html
    # the picture of a member of an archive has no link to a file that has the member's name
    cp "$BATS_TEST_DIRNAME/../../examples/emoji/demo/fish.png" far.png
    tar c far.png | clip-embed -m box --keep-image=64 --tar | image-out --html tar.html
    grep -q 'data:image/jpeg' tar.html
    [ "$(grep -c '<a href=' tar.html)" = 0 ]
    run -2 image-out --html named.clip named.clip
    [ "$(head -c 1 named.clip | od -An -tx1)" = " 83" ]
    for f in far.ppm mine.png; do
        [ -e $f ] || image-out -o $f one.clip
        cp $f before
        run -2 image-out --html $f named.clip
        [ "$output" = "image-out: $f: a picture, which a page does not replace" ]
        cmp $f before
    done
    run -2 image-out --html x.html -o y.png named.clip
    [ "$output" = "image-out: --output is for files" ]
    run -2 image-out --html no/x.html named.clip
    run -2 image-out --html - named.clip
    [ "$output" = "image-out: --html: a page needs a file name" ]
    [ ! -e - ]
}
