#!/usr/bin/env bats
# clip-embed: exact status, exact messages, files and records, on the micro model of tests/golden.

bats_require_minimum_version 1.5.0

setup() {
    PATH=$BIN:$PATH
    GOLDEN=$BATS_TEST_DIRNAME/../golden
    IM=$GOLDEN/images
    cd "$BATS_TEST_TMPDIR" || return
    mkdir model
    cp "$GOLDEN/clip/micro_hf.safetensors" model/model.safetensors
    cp "$GOLDEN/clip/micro_hf_config.json" model/config.json
    cp "$GOLDEN/tok/small_merges.txt" model/merges.txt
    export UNCLIP_MODEL=$PWD/model
}

# py CODE <stream: R is the list of records, as msgpack_numpy's users see them
py() {
    python3 -c '
import sys, msgpack, numpy as np
def nd(m):
    if m.get(b"nd") is True:
        return np.frombuffer(m[b"data"], m[b"type"]).reshape(m[b"shape"])
    return {k.decode() if isinstance(k, bytes) else k: v for k, v in m.items()}
R = list(msgpack.Unpacker(sys.stdin.buffer, object_hook=nd, raw=False, unicode_errors="surrogateescape"))
D = [r["data"] for r in R]
'"$1"
}

# rec ID DATA...: a record; DATA is Python for the map, T(type, array) a tensor
rec() {
    python3 -c '
import sys, msgpack, numpy as np
def T(t, a):
    a = np.asarray(a).astype(t)
    return {b"nd": True, b"type": a.dtype.str, b"kind": b"", b"shape": list(a.shape), b"data": a.tobytes()}
sys.stdout.buffer.write(msgpack.packb({"unclip": 1, "id": sys.argv[1], "data": eval(sys.argv[2])}))
' "$@"
}

@test "a picture becomes a record: id, image_embed, model, params" {
    run -0 --separate-stderr clip-embed -o out "$IM/rgb.png"
    [ -z "$stderr$output" ]
    run -0 py '
r, = R
assert r["unclip"] == 1 and r["id"].endswith("/rgb.png") and list(r["data"]) == ["size", "mtime", "image_embed", "model", "params"], r
assert D[0]["image_embed"].shape == (16,) and D[0]["image_embed"].dtype == "<f4"
assert len(D[0]["model"]["image_embed"]) == 16
assert D[0]["params"][0][0] == "clip-embed" and D[0]["params"][0][1]["precision"] == "f32"' <out
}

@test "the same bytes for every batch, thread count and way to name files" {
    clip-embed "$IM"/*.png "$IM"/*.jpg >want
    [ -s want ]
    for opt in "-b 1" "-b 2 -j 1" "-b 64 -j 7" "-j 3"; do
        # shellcheck disable=SC2086
        clip-embed $opt "$IM"/*.png "$IM"/*.jpg | cmp - want
    done
    printf '%s\0' "$IM"/*.png "$IM"/*.jpg >names
    clip-embed --files0-from=names | cmp - want
    clip-embed --files0-from=- <names | cmp - want
    printf '%s\0' "$IM"/*.png "$IM"/*.jpg | head -c -1 | clip-embed --files0-from=- | cmp - want
}

@test "one checkpoint in two containers: the same fingerprint, the same vectors" {
    clip-embed --crop hf "$IM/rgb.png" >a
    clip-embed -m "$GOLDEN/clip/micro.safetensors" --activation quick_gelu --crop hf "$IM/rgb.png" >b
    cat a b | py '
assert D[0]["model"] == D[1]["model"]
assert abs(D[0]["image_embed"] - D[1]["image_embed"]).max() < 2e-6'
}

@test "what cannot be read is named and passed over: status 1, the rest done, in order" {
    mkdir dir
    : >empty
    echo text >text.jpg
    head -c 200 "$IM/rgb.jpg" >cut.jpg
    cp "$IM/rgb.png" good.png
    cp "$IM/rgb.png" $'new\nline.png'
    cp "$IM/rgb.png" $'latin\xe9.png'
    head -c 50 "$IM/rgb.png" >$'cut\xe9.png'
    run -1 --separate-stderr clip-embed -o out none dir empty text.jpg cut.jpg $'cut\xe9.png' \
        good.png $'new\nline.png' /dev/null $'latin\xe9.png' ''
    [ "$stderr" = 'clip-embed: none: No such file or directory
clip-embed: dir: Is a directory (DIR/* names the files in it)
clip-embed: empty: empty file
clip-embed: text.jpg: not a picture in a known format
clip-embed: cut.jpg: the JPEG data ends early
clip-embed: cut\xe9.png: the PNG data ends early
clip-embed: /dev/null: is a device, not a regular file
clip-embed: operands: name 11: an empty file name' ]
    py 'assert [r["id"] for r in R] == ["good.png", "new\nline.png", b"latin\xe9.png"], R' <out
}

@test "HEIF without the library: named, the rest done" {
    clip-embed -V | grep -q libheif || skip "built without libheif"
    mkdir lib
    : >lib/libheif.so.1
    LD_LIBRARY_PATH=$PWD/lib run -1 --separate-stderr clip-embed -o out "$IM/rgb.avif" "$IM/rgb.png"
    [ "$stderr" = "clip-embed: $IM/rgb.avif: HEIF and AVIF files need libheif: $PWD/lib/libheif.so.1: file too short" ]
    clip-embed "$IM/rgb.png" | cmp - out
    run -0 clip-embed -o out "$IM/rgb.avif"
}

@test "TIFF: as PNG of the same pixels, always turned; without the library: named, the rest done" {
    clip-embed -V | grep -q libtiff || skip "built without libtiff"
    run -0 clip-embed -o out "$IM"/rgb.tif "$IM"/turned.tif "$IM"/cmyk.tif
    clip-embed --keep-image=9 "$IM/jpeg.tif" "$IM/422.jpg" | py 'assert (D[0]["image"] == D[1]["image"]).all()'
    clip-embed "$IM/turned.tif" | record-json | jq -c .data.image_embed >plain
    clip-embed --exif "$IM/turned.tif" | record-json | jq -c .data.image_embed | cmp - plain
    mkdir lib
    : >lib/libtiff.so.6
    : >lib/libtiff.so.5
    LD_LIBRARY_PATH=$PWD/lib run -1 --separate-stderr clip-embed -o out "$IM/rgb.tif" "$IM/rgb.png"
    [ "$stderr" = "clip-embed: $IM/rgb.tif: TIFF files need libtiff: $PWD/lib/libtiff.so.5: file too short" ]
    clip-embed "$IM/rgb.png" | cmp - out
}

@test "--keep-errors keeps the places, and another run passes them on" {
    cp "$IM/rgb.png" a.png
    run -1 --separate-stderr clip-embed --keep-errors -o out a.png none a.png
    py 'assert [d.get("error") for d in D] == [None, "No such file or directory", None]' <out
    run -1 --separate-stderr clip-embed --only image -o again <out
    cmp out again
}

@test "--strict stops at the first failure" {
    cp "$IM/rgb.png" a.png
    run -1 --separate-stderr clip-embed --strict -b 1 -o out a.png none a.png
    py 'assert len(R) == 1' <out
    [ "$stderr" = "clip-embed: none: No such file or directory" ]
}

@test "tokens become text_embed and text_states; -S leaves the states out" {
    rec a '{"text": "x", "tokens": [62, 5, 7, 63]}' >in
    run -0 --separate-stderr clip-embed -o out <in
    [ -z "$stderr" ]
    py '
d, = D
assert list(d) == ["text", "tokens", "text_embed", "model", "text_states", "params"], list(d)
assert d["text_embed"].shape == (16,) and d["text_states"].shape == (4, 64)' <out
    clip-embed -S <in | py 'assert "text_states" not in D[0] and D[0]["params"][0][1]["states"] is False'
    clip-embed --only image <in | cmp - in
    # what is there is kept, byte for byte
    clip-embed <out | cmp - out
}

@test "a picture inside a record: u8 or f32, and the prior's vector steps aside" {
    rec a '{"image": T("<f4", np.linspace(-1, 1, 3 * 20 * 20).reshape(3, 20, 20)), "image_embed": T("<f4", np.arange(16)),
            "more": 1, "params": [["prior", {}], ["decode64", {}]], "model": {"image_embed": "0123456789abcdef"}}' >f32
    rec a '{"image": T("u1", np.clip(np.rint(255 * (0.5 * np.linspace(-1, 1, 1200).astype("<f4").astype(float) + 0.5)), 0, 255).reshape(3, 20, 20).transpose(1, 2, 0))}' >u8
    clip-embed <f32 >a
    clip-embed <u8 >b
    cat a b | py '
assert (D[0]["image_embed"] == D[1]["image_embed"]).all()
assert list(D[0]) == ["image", "prior_embed", "more", "params", "model", "image_embed"], list(D[0])
assert (D[0]["prior_embed"] == np.arange(16)).all() and D[0]["model"]["prior_embed"] == "0123456789abcdef"
assert [p[0] for p in D[0]["params"]] == ["prior", "decode64", "clip-embed"]'
    # the second time the vector is clip-embed's own: nothing to set aside
    clip-embed <b | py 'assert "prior_embed" not in D[0]'
    clip-embed --only text <f32 | cmp - f32
}

@test "a vector of clip-embed's own is replaced, whatever ran since, and prior_embed stays the prior's" {
    aside() { rec "$1" '{"image": T("u1", np.arange(1200).reshape(20, 20, 3)), "image_embed": T("<f4", np.arange(16)), '"$2"'
        "params": [[p, {}] for p in sys.argv[1].split()], "model": {"image_embed": "0123456789abcdef"}}'; }
    # prior_embed is 0 to 15 if image_embed was set aside, and 1 to 16 if it was there before
    old='"prior_embed": T("<f4", np.arange(16) + 1),'
    { for p in "" "prior" "clip-embed prior decode64" "clip-embed embed-mix" "clip-embed decode64 upsample" "clip-embed clip-draw"; do aside "$p" ""; done
      for p in "prior decode64 clip-embed prior rank" "clip-embed embed-mix decode64"; do aside "$p" "$old"; done
    } | clip-embed | py 'assert len(D) == 8 and all((d["prior_embed"] == np.arange(16)).all() for d in D), D'
    for p in "clip-embed" "clip-embed rank" "clip-embed upsample" "prior decode64 clip-embed vq vq"; do aside "$p" ""; done | clip-embed |
        py 'assert len(D) == 4 and not any("prior_embed" in d for d in D), D'
    for p in "clip-embed" "prior decode64 clip-embed rank upsample" "prior decode64 clip-embed decode64"; do aside "$p" "$old"; done | clip-embed |
        py 'assert len(D) == 3 and all((d["prior_embed"] == np.arange(16) + 1).all() for d in D), D'
    aside "prior decode64" "" | clip-embed >one
    rank -k 1 --query one one | clip-embed >two
    cat one two | py '
assert (D[1]["prior_embed"] == np.arange(16)).all() and (D[0]["image_embed"] == D[1]["image_embed"]).all()
assert [p[0] for p in D[1]["params"]] == ["prior", "decode64", "clip-embed", "rank", "clip-embed"]'
    # embed-mix may have read image_embed, or made another vector
    for mix in '{mode: "pca-project"}' '{mode: "slerp", field: "text_embed"}' '{mode: "slerp", field: "image_embed"}'; do
        record-json one | jq -c ".data.params += [[\"embed-mix\", $mix]]" | record-json --from-json
    done | clip-embed | py 'assert [d["prior_embed"][1] == 1 for d in D] == [True, True, False]'
}

@test "image_features are of the picture that image_embed is of, or they go" {
    clip-embed --features --keep-image=20 "$IM/rgb.png" >a
    clip-embed <a >b
    clip-embed --features <a >c
    cat a b c | py '
assert [("image_features" in d, "image_features" in d["model"]) for d in D] == [(True, True), (False, False), (True, True)]
assert all("image_embed" in d["model"] for d in D)
assert (D[2]["image_features"] != D[0]["image_features"]).any()'    # 20 pixels wide it is another picture
    rec a '{"image_features": T("<f4", [1]), "tokens": [62, 63]}' | clip-embed | py 'assert "image_features" in D[0]'
}

@test "records that cannot be done are named by number and id" {
    { rec a '{"text": "no tokens"}'
      rec b '{"tokens": [62, 64]}'
      rec c '{"tokens": [62] * 9}'
      rec d '{"tokens": []}'
      rec e '{"image": T("<f4", np.full((3, 4, 4), np.nan))}'
      rec f '{"image": T("u1", np.zeros((4, 4)))}'
      rec g '{"nothing": 1}'; } >in
    run -1 --separate-stderr clip-embed -o out <in
    [ "$stderr" = "clip-embed: -: record 1 (a): text without tokens: clip-tok makes them
clip-embed: -: record 2 (b): token 64, the model knows 0 to 63
clip-embed: -: record 3 (c): 9 tokens, the model takes 1 to 8
clip-embed: -: record 4 (d): 0 tokens, the model takes 1 to 8
clip-embed: -: record 5 (e): image: not finite
clip-embed: -: record 6 (f): image: neither u8 [H, W, 3] nor f32 [3, H, W]" ]
    rec g '{"nothing": 1}' | cmp - out
}

@test "garbage and a cut tail are told in their place, and what is whole is done" {
    { rec a '{"tokens": [62, 63]}'; printf garbage; rec b '{"tokens": [62, 63]}'
      rec c '{"error": "earlier"}'; rec d '{"tokens": [62, 63]}' | head -c 20; } >in
    run -1 --separate-stderr clip-embed -o out <in
    py 'assert [r["id"] for r in R] == ["a", "b", "c"] and "text_embed" in D[1]' <out
    [ "${stderr_lines[0]}" = "clip-embed: -: garbage at byte 30" ]
    [ "${#stderr_lines[@]}" = 2 ]
}

@test "an answer comes before the next question: a pipe is not held back for a full batch" {
    mkfifo q a
    clip-embed -b 100 -o - <q >a &
    exec 7>q 8<a
    rec a '{"tokens": [62, 63]}' >&7
    IFS= read -r -t 20 -n 12 -d '' _ <&8
    exec 7>&- 8<&-
    wait
}

@test "nothing in, nothing out, and no model is looked for" {
    UNCLIP_MODEL=/none run -0 --separate-stderr clip-embed </dev/null
    [ -z "$output$stderr" ]
    run -0 clip-embed --files0-from=/dev/null
    [ -z "$output" ]
}

@test "a model that is not there: status 2" {
    UNCLIP_MODEL=/none run -2 --separate-stderr clip-embed "$IM/rgb.png"
    [[ $stderr == *"/none"* ]]
}

@test "--dtype f16, --keep-image, --id content and long names" {
    clip-embed "$IM/rgb.png" >f32
    clip-embed --dtype f16 "$IM/rgb.png" >f16
    cat f32 f16 | py 'assert D[1]["image_embed"].dtype == "<f2" and (D[0]["image_embed"].astype("<f2") == D[1]["image_embed"]).all()'
    clip-embed --keep-image "$IM/rgb.png" | py 'assert D[0]["image"].shape == (16, 16, 3) and D[0]["image"].dtype == "u1"'
    clip-embed --keep-image=40 "$IM/rgb.png" | py 'assert D[0]["image"].shape == (40, 40, 3)'
    # the stored crop has the vector of the file
    { clip-embed --keep-image "$IM/rgb.png"; clip-embed --keep-image "$IM/rgb.png" | clip-embed; } |
        py 'assert (D[0]["image_embed"] == D[1]["image_embed"]).all()'
    cp "$IM/rgb.png" copy.png
    clip-embed --id content "$IM/rgb.png" copy.png |
        py 'assert R[0]["id"] == R[1]["id"] and len(R[0]["id"]) == 32 and D[1]["path"] == "copy.png"'
    long=$(printf 'x%.0s' {1..240}).png
    mkdir -p "dir/$long" && cp copy.png "dir/$long/pic.png"
    clip-embed "dir/$long/../$long/pic.png" |
        py 'assert len(R[0]["id"].encode()) < 256 and D[0]["path"].endswith("pic.png")'
}

@test "--exif turns, the default does not" {
    clip-embed "$IM/turned.png" >plain
    clip-embed --exif "$IM/turned.png" >turned
    clip-embed "$IM/rgb.png" >same
    cat plain turned same | py '
assert (D[0]["image_embed"] == D[2]["image_embed"]).all() and (D[0]["image_embed"] != D[1]["image_embed"]).any()
assert D[1]["params"][0][1]["exif"] is True'
}

@test "--overlay: one more input for each text; the record, the stored picture and the id name it" {
    clip-embed -V | grep -q FreeType || skip "built without FreeType"
    cp "$BATS_TEST_DIRNAME/../../examples/emoji/demo/jpeg/fish.jpg" a.jpg
    clip-embed --keep-image=40 a.jpg >plain
    clip-embed --keep-image=40 --overlay '' a.jpg | cmp - plain
    clip-embed --keep-image=40 --overlay '' --overlay 'Äpfel' --overlay iPod --overlay-size 0.4 --overlay-at 0.5,0.25 a.jpg >out
    py '
assert [r["id"] for r in R] == ["a.jpg", "a.jpg+Äpfel", "a.jpg+iPod"] and [d.get("path") for d in D] == [None, "a.jpg", "a.jpg"]
p = [d["params"][0][1] for d in D]
assert "overlay" not in p[0] and p[1]["overlay"] == "Äpfel" and p[1]["overlay_size"] == 0.4 and p[1]["overlay_at"] == [0.5, 0.25]
assert p[1]["overlay_font"] == "DejaVu Sans Book"
e, m = [d["image_embed"] for d in D], [d["image"].astype(int) for d in D]
assert (e[0] != e[1]).any() and (e[1] != e[2]).any()
assert (m[1][:18] != m[0][:18]).any() and (m[1][30:] == m[0][30:]).all() and (m[1][:18] >= 200).all(2).sum() > 50' <out
    head -c "$(wc -c <plain)" out | cmp - plain
    clip-embed -b 1 -j 1 --keep-image=40 --overlay '' --overlay 'Äpfel' --overlay iPod --overlay-size 0.4 --overlay-at 0.5,0.25 a.jpg | cmp - out
    # the stored picture has the vector of the file
    clip-embed --keep-image --overlay iPod a.jpg >crop
    { cat crop; clip-embed <crop; } | py 'assert (D[0]["image_embed"] == D[1]["image_embed"]).all()'
    # ids from the content, and a run that goes on
    clip-embed --id content --overlay '' --overlay iPod a.jpg |
        py 'assert len(R[0]["id"]) == 32 and R[1]["id"] == R[0]["id"] + "+iPod"'
    for id in path content; do
        clip-embed --id $id a.jpg >part
        clip-embed --id $id --skip-from part --overlay '' --overlay iPod -o part a.jpg
        clip-embed --id $id --overlay '' --overlay iPod a.jpg | cmp - part
        clip-embed --id $id --skip-from part --overlay iPod a.jpg | cmp - /dev/null
        clip-embed --id $id --skip-from part --overlay iPod --overlay-size 0.3 a.jpg | py 'assert len(R) == 1'
    done
}

@test "--overlay: what is refused, each by one line" {
    clip-embed -V | grep -q FreeType || {
        run -2 --separate-stderr clip-embed --overlay x "$IM/rgb.png"
        [ "$stderr" = "clip-embed: --overlay: text in pictures needs a build with FreeType" ]
        skip "built without FreeType"
    }
    refused() { run -2 --separate-stderr clip-embed "${@:2}"; [ "$stderr" = "clip-embed: $1" ] || { echo "$stderr"; false; }; }
    refused "--overlay: only picture files get text" --overlay x
    refused "--overlay-size: there is no --overlay" --overlay-size 0.5 "$IM/rgb.png"
    refused "--overlay-at: '0.5' is not two numbers from 0 to 1" --overlay x --overlay-at 0.5 "$IM/rgb.png"
    refused "--overlay-at: '0.5,2' is not a list of numbers from 0 to 1" --overlay x --overlay-at 0.5,2 "$IM/rgb.png"
    refused "--overlay: '🍎': the font DejaVu Sans Book has no character U+1F34E" --overlay 🍎 "$IM/rgb.png"
    refused "--overlay: ' ': only spaces" --overlay ' ' "$IM/rgb.png"
    refused "--overlay: none: not a scalable font that FreeType can read" --overlay x --overlay-font none "$IM/rgb.png"
    [[ $(clip-embed --overlay $'caf\xe9' "$IM/rgb.png" 2>&1) == *": not UTF-8" ]]
    refused "--overlay: '$(printf 'x%.0s' {1..1001})': 1001 bytes, the limit is 1000" --overlay "$(printf 'x%.0s' {1..1001})" "$IM/rgb.png"
    run -1 --separate-stderr clip-embed --overlay 'a text without room' "$IM/rgb.png" -o out
    [ "$stderr" = "clip-embed: $IM/rgb.png: the text of the overlay does not fit into 13 x 9 pixels" ]
    mkdir lib
    : >lib/libfreetype.so.6
    LD_LIBRARY_PATH=$PWD/lib run -2 --separate-stderr clip-embed --overlay x "$IM/rgb.png"
    [ "$stderr" = "clip-embed: --overlay: text in pictures needs FreeType: $PWD/lib/libfreetype.so.6: file too short" ]
}

@test "--max-pixels refuses by the header" {
    run -1 --separate-stderr clip-embed --max-pixels 100 "$IM/rgb.png" -o out
    [ "$stderr" = "clip-embed: $IM/rgb.png: 13 x 9 pixels, the limit is 100 in all" ]
}

@test "an interrupted run goes on: the same records as in one go" {
    clip-embed "$IM"/*.png "$IM"/*.jpg >want
    head -c 1000 want >part
    run -0 --separate-stderr clip-embed --skip-from part -o part "$IM"/*.png "$IM"/*.jpg
    [[ $stderr == "clip-embed: part: "*" bytes of an unfinished record are cut off" ]]
    cmp part want
    clip-embed --skip-from part "$IM"/*.png | cmp - /dev/null
    # other options are other results
    clip-embed --skip-from part --exif "$IM"/rgb.png | py 'assert len(R) == 1'
    clip-embed --skip-from part --activation quick_gelu "$IM"/rgb.png | py 'assert len(R) == 1'
    { rec a '{"tokens": [62, 5, 63]}'; rec b '{"tokens": [62, 63]}'; } >in
    clip-embed <in >want
    { rec a '{"tokens": [62, 5, 63]}'; } | clip-embed >part
    clip-embed --skip-from part -o part <in
    cmp part want
}

@test "resumed twice: no failure and nothing that is only passed on is written again" {
    cp "$IM/rgb.png" a.png
    { rec a '{"image_embed": T("f4", [1] * 16)}'; rec b '{"error": "broken"}'; rec c '{"tokens": [62, 63]}'; rec a '{"image_embed": T("f4", [1] * 16)}'; } >in
    run -1 clip-embed -o whole <in
    for i in 1 2 3; do
        run -1 clip-embed -o part --skip-from part <in
        cmp whole part
        run -1 clip-embed --keep-errors -o files --skip-from files a.png none a.png none
        py 'assert [d.get("error") for d in D] == [None, "No such file or directory"] * 2' <files
    done
    head -c 100 whole >short
    run -1 clip-embed -o short --skip-from short <in
    cmp whole short
    # another failure of the same input is told
    echo text >none
    run -1 clip-embed --keep-errors -o files --skip-from files a.png none a.png none
    py 'assert [d.get("error") for d in D][4:] == ["not a picture in a known format"] * 2' <files
}

@test "shards are parts: each file in exactly one" {
    clip-embed "$IM"/*.png "$IM"/*.jpg >all
    for i in 1 2 3; do clip-embed --shard $i/3 "$IM"/*.png "$IM"/*.jpg; done >parts
    cat all parts | py '
ids = [r["id"] for r in R]
n = len(ids) // 2
assert n * 2 == len(ids) and sorted(ids[:n]) == sorted(ids[n:])'
    n=$(printf '%s\n' "$IM"/*.png | wc -l)
    for i in 1 2; do clip-embed --id content --shard $i/2 "$IM"/*.png; done | py "assert len(R) == $n, len(R)"
}

@test "usage" {
    run -2 --separate-stderr clip-embed --files0-from=x y
    [ "$stderr" = "clip-embed: y: files cannot be named together with --files0-from" ]
    run -2 --separate-stderr clip-embed --only text x
    [ "$stderr" = "clip-embed: --only text: files have no text" ]
    run -2 --separate-stderr clip-embed --files0-from=none -o out
    [ "$stderr" = "clip-embed: none: No such file or directory" ]
    run -2 --separate-stderr clip-embed --keep-image=0 x
    run -2 --separate-stderr clip-embed --batch=x
}

@test "a full disk and a closed pipe are noticed" {
    [ -w /dev/full ] || skip "no /dev/full"
    run -2 --separate-stderr sh -c "clip-embed '$IM'/*.png >/dev/full"
    [ "$stderr" = "clip-embed: write error: No space left on device" ]
    run -0 sh -c "clip-embed '$IM'/*.png | head -c 1 | wc -c"
}

@test "--info says what was recognised" {
    run -0 --separate-stderr clip-embed --info
    [[ $output == *"image tower: ViT"* ]] && [[ $output == *"fingerprint: "* ]]
}

@test "every option is in the manual page, in order" {
    page=$BATS_TEST_DIRNAME/../../man/clip-embed.1
    clip-embed -h | sed -n 's/^  *\(-., \)\{0,1\}--\([a-z0-9-]*\).*/\2/p' >have
    sed -n 's/^\.It.* Fl Fl \([a-z0-9-]*\).*/\1/p' "$page" >told
    diff have told
}

@test "the manual's example of a typographic attack" {
    clip-embed -V | grep -q FreeType || skip "built without FreeType"
    ln -s "$BATS_TEST_DIRNAME/../../examples" examples
    sed -n '/^clip-embed --overlay/,/^\.Ed/{/^\./!p}' "$BATS_TEST_DIRNAME/../../man/clip-embed.1" >run.sh
    [ "$(wc -l <run.sh)" -eq 2 ]
    UNCLIP_MODEL=examples/emoji run -0 --separate-stderr sh -eu run.sh
    [ "$(cut -f1 <<<"$output" | sort | uniq -c | tr -s ' ')" = ' 3 examples/emoji/demo/green-apple.png
 3 examples/emoji/demo/green-apple.png+pizza' ]
}

@test "the examples of the manual page run as written" {
    mkdir photos
    cp "$IM"/*.jpg photos
    find photos -type f -print0 | clip-embed --files0-from=- -o photos.clip
    cp "$IM"/*.png photos
    find photos -type f -print0 | clip-embed --files0-from=- --skip-from photos.clip -o photos.clip
    n=$(find photos -type f | wc -l)
    py "assert len(R) == $n and len({r['id'] for r in R}) == $n, len(R)" <photos.clip
    for i in 1 2 3; do
        find photos -type f -print0 | clip-embed --files0-from=- --shard $i/3 -o photos-$i.clip
    done
    [ "$(cat photos-?.clip | wc -c)" = "$(wc -c <photos.clip)" ]
}

@test "pictures through pipes: standard input and <(command)" {
    clip-embed "$IM/rgb.png" | record-json | jq -c .data.image_embed >want
    clip-embed - <"$IM/rgb.png" | record-json >file
    cat "$IM/rgb.png" | clip-embed - | record-json >pipe
    { head -c 50 "$IM/rgb.png"; sleep 0.1; tail -c +51 "$IM/rgb.png"; } | clip-embed - | record-json >slow
    clip-embed <(cat "$IM/rgb.png") | record-json >shell
    for f in file pipe slow shell; do jq -c .data.image_embed $f | diff want -; done
    [ "$(jq -r .id pipe)" = - ]
    [[ "$(jq -r .id shell)" = /dev/fd/* ]]
    run -1 --separate-stderr bash -c ': | clip-embed - '"$IM/rgb.png"' -o x'
    [ "$stderr" = "clip-embed: -: nothing came through the pipe" ]
    [ "$(record-json x | wc -l)" = 1 ]
    # a picture of more than a buffer
    { printf 'P6\n900 600\n255\n'; head -c 1620000 /dev/zero; } >large.ppm
    [ "$(cat large.ppm | clip-embed - | record-json | jq -c .data.image_embed)" = "$(clip-embed large.ppm | record-json | jq -c .data.image_embed)" ]
    # a FIFO in a list of names is not waited for
    mkfifo fifo
    printf 'fifo\0' >names
    run -1 --separate-stderr timeout 10 clip-embed --files0-from=names
    [ "$stderr" = "clip-embed: fifo: is a FIFO, not a regular file" ]
}
