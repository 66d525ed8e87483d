#!/usr/bin/env bats
# decode64 and upsample with a mask, on the tiny Karlo of tests/golden/karlo: pictures of 16 pixels, enlarged to 32.

bats_require_minimum_version 1.5.0

setup() {
    BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
    G=$BATS_TEST_DIRNAME/../golden/karlo
    I=$BATS_TEST_DIRNAME/../golden/images
    PATH=$BIN:$PATH
    export UNCLIP_MODEL=$G
    U="--uncond=$G/empty.clip"
    cd "$BATS_TEST_TMPDIR" || return 1
    prior "$U" --steps 2 "$G/text.clip" >p.clip
    # a picture in which every pixel differs from its neighbours, 16 and 32 pixels a side
    for s in 16 32; do
        awk -v s=$s 'BEGIN { print "P3", s, s, 255; for (i = 0; i < s * s * 3; i++) print (i * 37 + int(i / 7) * 11) % 256 }' >$s.ppm
        # the left half is to be painted: white
        awk -v s=$s 'BEGIN { print "P2", s, s, 255; for (i = 0; i < s * s; i++) print i % s < s / 2 ? 255 : 0 }' >left$s.pgm
        awk -v s=$s 'BEGIN { print "P2", s, s, 255; for (i = 0; i < s * s; i++) print 255 }' >white$s.pgm
        awk -v s=$s 'BEGIN { print "P2", s, s, 255; for (i = 0; i < s * s; i++) print 0 }' >black$s.pgm
    done
}

draw() { decode64 "$U" --steps 3 "$@"; }

# Python with the records of standard input as R: maps whose tensors are lists.
py() { record-json --arrays | python3 -c "
import json, sys
R = [json.loads(l) for l in sys.stdin]
D = [r['data'] for r in R]
def pixels(name):
    v = list(map(int, open(name).read().split()[1:]))
    s = v[0]
    return [[[v[3 + (y * s + x) * 3 + c] / 127.5 - 1 for x in range(s)] for y in range(s)] for c in range(3)]
def known(image, name, right=True):
    p, n = pixels(name), len(image[0])
    return all(abs(image[c][y][x] - p[c][y][x]) < 1e-6 for c in range(3) for y in range(n) for x in range(n // 2 if right else 0, n))
def painted(image, name):
    p, n = pixels(name), len(image[0])
    return sum(abs(image[c][y][x] - p[c][y][x]) < 1e-3 for c in range(3) for y in range(n) for x in range(n // 2)) < n * n * 3 / 20
$1"; }
# A record with the field mask as a tensor of this type and shape, with bytes of this value; or with this row, repeated.
# shellcheck disable=SC2016
masked() { python3 -c '
import base64, json, subprocess, sys
kind, shape, byte, file = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
row = sys.argv[5].encode().decode("unicode_escape").encode("latin-1") if sys.argv[5:] else bytes([byte])
n = {"|u1": 1, "<f4": 4, "<i8": 8, "|b1": 1}[kind]
for s in shape: n *= s
r = json.loads(subprocess.run(["record-json", file], capture_output=True, check=True).stdout.splitlines()[0])
r["data"]["mask"] = {"$nd": {"type": kind, "shape": shape, "data": base64.b64encode((row * n)[:n]).decode()}}
print(json.dumps(r))' "$@" | record-json --from-json; }
image() { record-json --arrays "$1" | jq -c .data.image; }

@test "inpaint: the known part is the source's, the rest is painted, in every way of sampling" {
    for how in "" "--ddim" "--eta 0.5" "--resample 3" "--ddim --resample 2" "-g 1" "-n 2" "--no-text --emit-steps 1"; do
        # shellcheck disable=SC2086
        draw $how --source 16.ppm --mask left16.pgm p.clip >o.clip
        py 'assert D and all(known(d["image"], "16.ppm") and painted(d["image"], "16.ppm") for d in D if "step" not in d), R' <o.clip
    done
    draw --emit-steps 1 --source 16.ppm --mask left16.pgm p.clip | py 'assert [d.get("step") for d in D] == [1, 2, None]
assert all(known(d["image"], "16.ppm") for d in D)'
}

@test "inpaint: all white is a picture without a mask, all black the source" {
    for how in "" "--ddim" "--rng torch"; do
        # shellcheck disable=SC2086
        draw $how p.clip >plain.clip
        # shellcheck disable=SC2086
        draw $how --source 16.ppm --mask white16.pgm p.clip >white.clip
        cmp <(image plain.clip) <(image white.clip)
        # shellcheck disable=SC2086
        draw $how --source 16.ppm --mask black16.pgm p.clip | py 'assert known(D[0]["image"], "16.ppm", False)'
    done
    [ "$(record-json plain.clip | jq '.data.params[-1][1].rng_used')" = "$(record-json white.clip | jq '.data.params[-1][1].rng_used')" ]
}

@test "inpaint: upsample keeps the known part of a larger source" {
    draw --source 32.ppm --mask left32.pgm p.clip >small.clip
    upsample --steps 2 small.clip >big.clip
    py 'd = D[0]; assert len(d["image"][0]) == 32 and known(d["image"], "32.ppm") and painted(d["image"], "32.ppm")
assert d["params"][-1][1]["mask"] is True' <big.clip
    # at 16 pixels the source knows no more than the small picture
    draw --source 16.ppm --mask left16.pgm p.clip | upsample --steps 2 >big.clip
    py 'assert "mask" not in D[0]["params"][-1][1]; assert not known(D[0]["image"], "32.ppm")' <big.clip
}

@test "inpaint: what is known of the source follows the definition" {
    # one pixel of 32 is unknown: at 16 it is the pixel that covers it
    draw --source 32.ppm --erase 20,9,1,1 p.clip >one.clip
    draw --source 32.ppm --mask black32.pgm p.clip >none.clip
    py 'a, b = D[0]["image"], D[1]["image"]
assert {(x, y) for c in range(3) for y in range(16) for x in range(16) if a[c][y][x] != b[c][y][x]} == {(10, 4)}' < <(cat one.clip none.clip)
    # the record has the mask and a source without what was erased
    py 'd = D[0]; m = d["mask"]
assert [(x, y) for y in range(32) for x in range(32) if not m[y][x]] == [(20, 9)]
p = pixels("32.ppm"); q = [[[d["source"][y][x][c] / 127.5 - 1 for x in range(32)] for y in range(32)] for c in range(3)]
assert {(x, y) for c in range(3) for y in range(32) for x in range(32) if abs(p[c][y][x] - q[c][y][x]) > 1e-6} == {(20, 9)}' <one.clip
}

@test "inpaint: --mask, --erase and the field mask are three ways to say the same" {
    draw --source 16.ppm --mask left16.pgm p.clip >a.clip
    draw --source 16.ppm --erase 0,0,8,16 p.clip >b.clip
    draw --source 16.ppm --erase 0,0,4,99 --erase 4,0,4,16 p.clip >c.clip
    masked '|u1' '[16,16]' 1 p.clip '\0\0\0\0\0\0\0\0\1\1\1\1\1\1\1\1' >m.clip
    draw --source 16.ppm m.clip >d.clip
    for f in b c d; do cmp <(image a.clip) <(image $f.clip); done
    # params name what was asked for
    [ "$(for f in a b c d; do record-json $f.clip; done | jq -c '.data.params[-1][1] | [.mask, .erase, .source, .resample]' | tr -d '\n')" = \
      '["left16.pgm",null,"16.ppm",null][null,[[0,0,8,16]],"16.ppm",null][null,[[0,0,4,99],[4,0,4,16]],"16.ppm",null][true,null,"16.ppm",null]' ]
    # an option counts more than the field
    draw --source 16.ppm --mask black16.pgm m.clip | py 'assert known(D[0]["image"], "16.ppm", False)'
    draw --source 16.ppm --resample 2 --mask left16.pgm m.clip | py 'assert D[0]["params"][-1][1]["resample"] == 2'
}

@test "inpaint: the picture is --source, the field image, or the file of path or id" {
    draw --source 16.ppm --mask left16.pgm p.clip >a.clip
    record-json p.clip | jq -c '.data.path = "16.ppm"' | record-json --from-json >path.clip
    draw --mask left16.pgm path.clip | cmp <(image -) <(image a.clip)
    record-json p.clip | jq -c '.data.noise_id = .id | .id = "16.ppm"' | record-json --from-json >id.clip
    draw --mask left16.pgm id.clip | cmp <(image -) <(image a.clip)
    # a result as the next source: its image, in full precision
    draw --erase 8,0,8,16 a.clip >two.clip
    py 'a, b = (d["image"] for d in D); assert all(a[c][y][x] == b[c][y][x] for c in range(3) for y in range(16) for x in range(8))' < <(cat a.clip two.clip)
    # without an option, the result's own mask and source: another sample of the same
    draw -s 1 a.clip >again.clip
    py 'assert all(known(d["image"], "16.ppm") for d in D) and D[0]["image"] != D[1]["image"]
assert all(D[0][k] == D[1][k] for k in ("mask", "source"))' < <(cat a.clip again.clip)
}

@test "inpaint: an edit of an edit keeps every byte that no box covers" {
    cp 32.ppm now.ppm
    for box in 0,0,16,16 20,9,12,12; do
        draw --source now.ppm --erase $box p.clip | upsample --steps 2 | image-out --format ppm -o next.ppm
        mv next.ppm now.ppm
    done
    python3 - <<'E'
a = list(map(int, open("32.ppm").read().split()[4:]))
b = open("now.ppm", "rb").read()[-len(a):]
painted = lambda x, y: x < 16 and y < 16 or 20 <= x and 9 <= y < 21
off = {(i // 3 % 32, i // 96) for i in range(len(a)) if a[i] != b[i]}
assert all(painted(*at) for at in off) and len(off) > 350, len(off)
E
}

@test "inpaint: a picture that is not square gives its centre, with its mask" {
    # 32 x 16: 32.ppm's upper half; its central square are columns 8 to 23
    awk 'NR == 1 { print "P3 32 16 255" } NR > 1 && NR <= 1 + 32 * 16 * 3' 32.ppm >wide.ppm
    draw --source wide.ppm --erase 8,0,8,16 p.clip | py 'p = pixels("32.ppm"); i = D[0]["image"]
assert all(abs(i[c][y][x] - p[c][y][8 + x]) < 1e-6 for c in range(3) for y in range(16) for x in range(8, 16))
assert D[0]["mask"] == [[0] * 8 + [1] * 8] * 16'
}

@test "inpaint: a picture with alpha is its own mask" {
    # 13 x 9 pixels, alpha from 19 to 227
    draw --source "$I/rgba.png" --mask "$I/rgba.png" p.clip >a.clip
    py 'm = [v for row in D[0]["mask"] for v in row]; assert len(m) == 81 and 0 < sum(m) < 81' <a.clip
    draw --source "$I/rgba.png" --mask "$I/rgb.png" p.clip >b.clip
    [ "$(record-json a.clip | jq -c .data.mask)" != "$(record-json b.clip | jq -c .data.mask)" ]
}

@test "inpaint: the same bytes for any number of threads and any split of the stream" {
    for i in 1 2 3; do record-json p.clip | jq -c ".id = \"text $i\"" | record-json --from-json; done >three.clip
    draw -j 1 --resample 2 --source 32.ppm --erase 3,4,9,9 -n 2 three.clip | upsample -j 1 --steps 2 >one.clip
    for i in 1 2 3; do
        record-json three.clip | sed -n "${i}p" | record-json --from-json | draw -j 2 --resample 2 --source 32.ppm --erase 3,4,9,9 -n 2
    done | upsample -j 3 --steps 2 >two.clip
    cmp one.clip two.clip
    for i in 1 2 3; do draw --shard $i/3 --resample 2 --source 32.ppm --erase 3,4,9,9 -n 2 three.clip; done | upsample --steps 2 >shards.clip
    cmp <(record-json one.clip | sort) <(record-json shards.clip | sort)
}

@test "inpaint: --skip-from tells masks apart, and goes on where a run ended" {
    draw --source 16.ppm --erase 0,0,8,8 -n 3 p.clip >whole.clip
    draw --source 16.ppm --erase 0,0,8,8 -n 3 --skip-from whole.clip p.clip >none.clip
    [ ! -s none.clip ]
    for other in "--erase 0,0,8,9" "--erase 0,0,8,8 --exif" "--erase 0,0,8,8 --resample 2" "--mask left16.pgm" "--erase 0,0,8,8 --erase 1,1,1,1"; do
        # shellcheck disable=SC2086
        draw --source 16.ppm $other -n 3 --skip-from whole.clip p.clip >all.clip
        [ "$(record-json all.clip | wc -l)" -eq 3 ]
    done
    head -c 12000 whole.clip >part.clip
    draw -q --source 16.ppm --erase 0,0,8,8 -n 3 -o part.clip --skip-from part.clip p.clip
    cmp part.clip whole.clip
}

@test "inpaint: an inverted noise and a mask" {
    draw p.clip | ddim-invert "$U" --steps 4 >i.clip
    decode64 "$U" --erase 0,0,8,16 i.clip >o.clip
    py 'a, b = (d["image"] for d in D); clamp = lambda v: min(1, max(-1, v))
assert all(abs(clamp(a[c][y][x]) - b[c][y][x]) < 1e-6 for c in range(3) for y in range(16) for x in range(8, 16))
assert D[1]["params"][-1][1]["sampler"] == "ddim"' < <(cat i.clip o.clip)
}

# $1: the message; the rest: options of decode64.
refused() {
    local want=$1
    shift
    run -1 --separate-stderr draw -o out.clip "$@"
    [ "$stderr" = "decode64: $want" ] || { echo "$stderr"; return 1; }
}
fatal() {
    local want=$1
    shift
    run -2 --separate-stderr draw -o out.clip "$@"
    [ "${stderr_lines[0]}" = "decode64: $want" ] || { echo "$stderr"; return 1; }
}

@test "inpaint: what does not fit is named" {
    R="p.clip: record 1 (text):"
    refused "$R left32.pgm: 32 x 32 pixels, the picture has 16 x 16" --source 16.ppm --mask left32.pgm p.clip
    refused "$R --erase 16,0,4,4: outside the picture, which has 16 x 16 pixels" --source 16.ppm --erase 16,0,4,4 p.clip
    refused "$R --source: no --mask, no --erase and no field mask say what to paint" --source 16.ppm p.clip
    refused "$R no picture to inpaint: no field image, and the file of the path or id: No such file or directory" --erase 0,0,4,4 p.clip
    refused "$R 3 steps, done 1000 times each: the draws of noise have no more than 4096 numbers" --resample 1000 --source 16.ppm --erase 0,0,4,4 p.clip
    record-json p.clip | jq -c '.data.path = "16.ppm" | .data.archive = "-"' | record-json --from-json >tar.clip
    refused "tar.clip: record 1 (text): no picture to inpaint: no image, and the picture is in an archive: clip-embed --keep-image=SIDE stores it" \
        --erase 0,0,4,4 tar.clip
    for name in - /dev/fd/0 /dev/null; do    # reading them would eat the stream itself
        record-json p.clip | jq -c --arg n "$name" '.data.path = $n' | record-json --from-json >stdin.clip
        refused "stdin.clip: record 1 (text): no picture to inpaint: no field image, and the file of the path or id: '$name' is not a file" --erase 0,0,4,4 stdin.clip
    done
    fatal "none.png: No such file or directory" --source none.png --erase 0,0,4,4 p.clip
    fatal "none.png: No such file or directory" --source 16.ppm --mask none.png p.clip
    fatal "p.clip: a stream of records, not a picture: give it on standard input" --source 16.ppm --mask p.clip p.clip
    for bad in "" 1 1,2,3 1,2,3,4,5 "1,2,3," -1,2,3,4 " 1,2,3,4" 1,2,3,x 1,2,3,99999999999 1.5,2,3,4; do
        fatal "--erase: '$bad' is not X,Y,WIDTH,HEIGHT in pixels" --source 16.ppm --erase="$bad" p.clip
    done
    fatal "--erase: '1,2,0,4' is an empty box" --source 16.ppm --erase 1,2,0,4 p.clip
    # shellcheck disable=SC2046
    fatal "--erase may be given 16 times at most" --source 16.ppm $(yes -- "--erase 0,0,1,1" | head -n 17) p.clip
    fatal "--resample: '0' is not a whole number from 1 to 1000" --resample 0 p.clip
    fatal "left16.pgm: input file is output file" --source 16.ppm --mask left16.pgm -o left16.pgm p.clip
}

@test "inpaint: hostile masks in records" {
    M="m.clip: record 1 (text): mask:"
    masked '|u1' '[16,16]' 255 p.clip >m.clip
    refused "$M an element is neither 0 nor 1" --source 16.ppm m.clip
    for s in '[16,16,1]' '[256]' '[]'; do
        masked '|u1' "$s" 1 p.clip >m.clip
        refused "$M not u8 [H, W]" --source 16.ppm m.clip
    done
    for t in '<f4' '<i8' '|b1'; do
        masked "$t" '[16,16]' 0 p.clip >m.clip
        refused "$M not u8 [H, W]" --source 16.ppm m.clip
    done
    masked '|u1' '[16,17]' 1 p.clip >m.clip
    refused "$M 17 x 16 pixels, the picture has 16 x 16" --source 16.ppm m.clip
    masked '|u1' '[0,16]' 1 p.clip >m.clip
    refused "$M 16 x 0 pixels, the picture has 16 x 16" --source 16.ppm m.clip
    record-json p.clip | jq -c '.data.mask = "left"' | record-json --from-json >m.clip
    refused "m.clip: record 1 (text): field mask: not a tensor" --source 16.ppm m.clip
    # upsample: a mask that does not belong to the source; without a source it is not read
    draw --source 32.ppm --mask left32.pgm p.clip >s.clip
    masked '|u1' '[16,16]' 1 s.clip >m.clip
    run -1 --separate-stderr upsample --steps 2 -o out.clip m.clip
    [ "$stderr" = "upsample: m.clip: record 1 (text): mask: 16 x 16 pixels, source: 32 x 32; equal squares are wanted" ]
    record-json m.clip | jq -c 'del(.data.source)' | record-json --from-json | upsample --steps 2 | py 'assert "mask" not in D[0]["params"][-1][1]'
}
