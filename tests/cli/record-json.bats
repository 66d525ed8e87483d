#!/usr/bin/env bats
# record-json: exact output, exact messages, there and back byte for byte.

# shellcheck disable=SC2016,SC2154
# (JSON's dollars stay as they are; run --separate-stderr sets stderr_lines)

bats_require_minimum_version 1.5.0

setup() {
    PATH=$BIN:$PATH
    examples=$BATS_TEST_DIRNAME/../../examples
    cd "$BATS_TEST_TMPDIR" || return
    cat >two.json <<'END'
{"unclip":1,"id":"a","data":{"text":"say \"hi\", you","cos":0.25,"rank":1,"image_embed":{"$nd":{"type":"<f4","shape":[2],"data":"AACAPwAAAMA="}},"truncated":false}}
{"unclip":1,"id":"b","data":{"text":"zwei","cos":-1.0,"rank":2,"image_embed":{"$nd":{"type":"<f4","shape":[2],"data":"AAAAPwAAAAA="}},"truncated":true}}
END
    record-json --from-json <two.json >two.clip
}

@test "there and back: the same text, the same bytes" {
    record-json two.clip | cmp - two.json
    record-json two.clip | record-json --from-json | cmp - two.clip
    record-json <two.clip | cmp - two.json
    tail -c +1 two.clip | record-json | cmp - two.json    # a pipe
    record-json two.clip two.clip | record-json --from-json | cmp - <(cat two.clip two.clip)
    printf '\203\246unclip\001\242id\304\001\377\244data\201\241x\315\000\007' >odd.clip
    run -0 record-json odd.clip
    [ "$output" = '{"unclip":1,"id":{"$bytes":"/w=="},"data":{"x":{"$as":["uint16",7]}}}' ]
    record-json odd.clip | record-json --from-json | cmp - odd.clip
}

@test "the first bytes are those of unclip(5)" {
    [ "$(head -c 12 two.clip | od -An -c | tr -s ' ')" = ' 203 246 u n c l i p 001 242 i d' ]
}

@test "printed JSON, jq's, is read too" {
    command -v jq >/dev/null || skip "jq is not installed"
    record-json --fields text,rank,image_embed,truncated two.clip >some.json    # jq makes 1 of 1.0
    jq . some.json | record-json --from-json | record-json | cmp - some.json
    [ "$(record-json --arrays two.clip | jq -c '[.id, .data.image_embed]')" = '["a",[1,-2]]
["b",[0.5,0]]' ]
    record-json two.clip | jq -c 'select(.data.cos > 0)' | record-json --from-json | record-json --csv --fields cos >got
    printf 'id,cos\r\na,0.25\r\n' | cmp - got
}

@test "--arrays and --fields" {
    run -0 record-json --arrays --fields image_embed,cos two.clip
    [ "$output" = '{"unclip":1,"id":"a","data":{"cos":0.25,"image_embed":[1.0,-2.0]}}
{"unclip":1,"id":"b","data":{"cos":-1.0,"image_embed":[0.5,0.0]}}' ]
    run -0 record-json --fields none two.clip
    [ "${lines[1]}" = '{"unclip":1,"id":"b","data":{}}' ]
}

@test "--csv quotes what needs it, and says what it leaves out" {
    record-json --csv two.clip >got
    printf 'id,text,cos,rank,truncated\r\na,"say ""hi"", you",0.25,1,false\r\nb,zwei,-1.0,2,true\r\n' | cmp - got
    echo '{"id":"c","data":{"label":"x"}}' | record-json --from-json >c.clip
    run -0 --separate-stderr record-json --csv two.clip c.clip
    [ "$stderr" = "record-json: no column for the field label, which the first record has not (name it with --fields)" ]
    record-json --csv --fields label,image_embed two.clip c.clip >got
    printf 'id,label,image_embed\r\na,,"[1.0,-2.0]"\r\nb,,"[0.5,0.0]"\r\nc,x,\r\n' | cmp - got
}

@test "--info" {
    run -0 record-json --info two.clip
    [ "$output" = "$(printf '%s\t' records; echo 2; printf 'errors\t0\nbytes\t%d\n' "$(wc -c <two.clip)"
        printf 'field\ttext\t2\tstr\nfield\tcos\t2\tfloat -1..0.25\nfield\trank\t2\tint 1..2\nfield\timage_embed\t2\tf32[2]\nfield\ttruncated\t2\tbool')" ]
    run -0 record-json --info /dev/null
    [ "${lines[0]}" = "$(printf 'records\t0')" ]
}

@test "--npy and --from-npy: there and back" {
    record-json --npy image_embed=e.npy --npy cos=c.npy --npy truncated=t.npy --ids ids two.clip
    [ "$(cat ids)" = "a
b" ]
    [ "$(head -c 128 e.npy | tail -c 118 | tr -s ' ')" = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), } " ]
    [ "$(wc -c <e.npy)" -eq 144 ]
    record-json --from-npy image_embed=e.npy --from-npy cos=c.npy --from-npy truncated=t.npy --ids ids |
        record-json --arrays >got
    record-json --arrays --fields cos,image_embed,truncated two.clip >want
    sed 's/"data":{\("cos":[^,]*\),\("image_embed":[^]]*]\)/"data":{\2,\1/' want | cmp - got
    run -0 record-json --from-npy cos=c.npy -o - </dev/null
    record-json --from-npy cos=c.npy >n.clip
    run -0 record-json n.clip
    [ "$output" = '{"unclip":1,"id":"0","data":{"cos":0.25}}
{"unclip":1,"id":"1","data":{"cos":-1.0}}' ]
}

@test "--npy: a record that does not fit is in none of the files" {
    echo '{"id":"c","data":{"image_embed":{"$nd":{"type":"<f4","shape":[1],"data":[1]}},"cos":0.5}}' |
        record-json --from-json | cat two.clip - two.clip >three.clip
    run -1 --separate-stderr record-json --npy cos=c.npy --npy image_embed=e.npy --ids ids three.clip
    [ "$stderr" = "record-json: three.clip: record 3 (c): field image_embed has not the type and shape of the first one" ]
    [ "$(tr '\n' ' ' <ids)" = "a b a b " ]
    head -c 128 c.npy | grep -q '(4,)'
    [ "$(wc -c <c.npy)" -eq 160 ]
    run -1 record-json --strict --npy image_embed=e.npy three.clip
    head -c 128 e.npy | grep -q '(2, 2)'
}

@test "--npy: killed, it leaves what was there; failed, nothing is replaced and nothing is left" {
    head -c 100000 /dev/zero | tr '\0' '\n' | sed 's/.*/{"id":"x","data":{"cos":0.5}}/' | record-json --from-json >many.clip
    record-json --npy cos=c.npy --ids ids two.clip
    chmod 640 c.npy
    cp c.npy was.npy
    cp ids was.ids
    mkfifo fifo
    for how in KILL:c KILL:none TERM:c TERM:none; do    # a file that is there, and none
        c=${how#*:}
        record-json --npy cos=$c.npy --ids ids <fifo 3>&- &
        pid=$!
        exec 9>fifo
        cat many.clip >&9
        for _ in $(seq 400); do
            t=$(find . -name '.unclip-*' -size +100k)
            [ -z "$t" ] || break
            sleep 0.05
        done
        [ -n "$t" ]
        kill -${how%:*} $pid
        wait $pid || true
        exec 9>&-
        cmp c.npy was.npy
        cmp ids was.ids
        [ ! -e none.npy ]
        [ "$(find . -name '.unclip-*' | wc -l)" = "$([ "${how%:*}" = KILL ] && echo 2 || echo 0)" ]
        rm -f .unclip-*
    done
    if [ -w /dev/full ]; then
        run -2 --separate-stderr record-json --npy cos=c.npy --ids /dev/full many.clip
        [ "$stderr" = "record-json: /dev/full: No space left on device" ]
        run -2 record-json --npy cos=/dev/full --ids ids many.clip
    fi
    run -2 --separate-stderr record-json --npy cos=c.npy --ids no/such two.clip
    [ "$stderr" = "record-json: no/such: No such file or directory" ]
    cmp c.npy was.npy
    cmp ids was.ids
    record-json --npy cos=c.npy --ids ids many.clip
    [ "$(wc -l <ids)" -eq 100000 ]
    [ "$(wc -c <c.npy)" -eq 800128 ]
    [ "$(stat -c %a c.npy)" = 640 ]
    record-json --npy cos=/dev/null --ids /dev/stdout two.clip | cmp - was.ids
    [ "$(find . -name '.unclip-*')" = "" ]
}

@test "ids with newlines want -0" {
    printf '{"id":"a\\nb","data":{"cos":1.5}}' | record-json --from-json >n.clip
    run -1 --separate-stderr record-json --npy cos=c.npy --ids ids n.clip
    [ "$stderr" = 'record-json: n.clip: record 1 (a\x0ab): its id holds a newline (use -0)' ]
    record-json -0 --npy cos=c.npy --ids ids n.clip
    [ "$(tr '\0' '!' <ids)" = "a
b!" ]
    record-json -0 --from-npy cos=c.npy --ids ids | cmp - n.clip
}

@test "ids that another system's editor saved: neither a carriage return nor a byte order mark is part of them" {
    printf '{"id":"a","data":{"cos":1.5}}\n{"id":"b","data":{"cos":2.5}}' | record-json --from-json >ab.clip
    record-json --npy cos=c.npy --ids ids ab.clip
    printf '\357\273\277a\r\nb\r\n' >dos
    record-json --from-npy cos=c.npy --ids dos | cmp - <(record-json --from-npy cos=c.npy --ids ids)
    # what is part of an id is not written where it would be lost
    printf '{"id":"a\\r","data":{"cos":1.5}}' | record-json --from-json >cr.clip
    run -1 --separate-stderr record-json --npy cos=c.npy --ids ids cr.clip
    [ "$stderr" = 'record-json: cr.clip: record 1 (a\x0d): its id ends in a carriage return (use -0)' ]
    printf '{"id":"\357\273\277a","data":{"cos":1.5}}' | record-json --from-json >bom.clip
    run -1 record-json --npy cos=c.npy --ids ids bom.clip
    [[ "$output" == *"its id begins with a byte order mark (use -0)" ]]
    for f in cr bom; do
        record-json -0 --npy cos=c.npy --ids ids $f.clip
        record-json -0 --from-npy cos=c.npy --ids ids | cmp - $f.clip
    done
}

@test "--raw: f32 and nothing else" {
    [ "$(record-json --raw image_embed two.clip | od -An -f | tr -s ' ')" = " 1 -2 0.5 0" ]
    run -1 --separate-stderr record-json --raw text two.clip
    [ "${stderr_lines[0]}" = "record-json: two.clip: record 1 (a): field text: not a tensor" ]
}

@test "damage is named with its byte, the rest is done, the status says so" {
    size=$(wc -c <two.clip)
    { echo garbage; cat two.clip; head -c 50 two.clip; } >bad.clip
    run -1 --separate-stderr record-json bad.clip
    [ "$output" = "$(cat two.json)" ]
    [ "$stderr" = "record-json: bad.clip: garbage at byte 0
record-json: bad.clip: record 3 at byte $((8 + size)): cut short: the stream ends inside it" ]
    run -1 --separate-stderr record-json --strict bad.clip
    [ -z "$output" ]
    printf '\203\246unclip\002\242id\241x\244data\200' | cat - two.clip >v2.clip
    run -1 --separate-stderr record-json - <v2.clip
    [ "$output" = "$(cat two.json)" ]
    [ "$stderr" = "record-json: -: record 1 at byte 0: version 2 of the format, this program reads version 1" ]
}

@test "damaged JSON is named with its line, the rest is done" {
    { echo '{"id":"x",'; echo '{"id":"y"}'; cat two.json; echo '{"id":"z","data":{"a":nan}}'; } >bad.json
    run -1 --separate-stderr record-json --from-json -o got.clip bad.json
    cmp got.clip two.clip
    [ "${stderr_lines[1]}" = 'record-json: bad.json: line 2: not a record: it needs an "id", and "data" that is an object' ]
    [ "${stderr_lines[2]}" = "record-json: bad.json: line 5: column 25: invalid token near 'nan'" ]
    [ "${#stderr_lines[@]}" -eq 3 ]
}

@test "hostile .npy files are refused" {
    printf '\223NUMPY\001\000\066\000%-53s\n' "{'descr':'|O','fortran_order':False,'shape':(1,)}" >o.npy
    run -2 --separate-stderr record-json --from-npy x=o.npy
    [ "$stderr" = "record-json: o.npy: type |O: objects are pickles, which are not run" ]
    printf '\223NUMPY\001\000\166\000%-117s\n' "{'descr':'<f4','fortran_order':False,'shape':(4611686018427387904,0)}" >z.npy
    run -2 --separate-stderr record-json --from-npy x=z.npy
    [ "$stderr" = "record-json: z.npy: 4611686018427387904 rows without numbers" ]
    record-json --npy cos=c.npy two.clip
    echo a >ids
    run -2 --separate-stderr record-json --from-npy cos=c.npy --ids ids -o out
    [ "$stderr" = "record-json: ids: fewer ids than there are rows" ]
    printf 'a\nb\nc\n' >ids
    run -2 --separate-stderr record-json --from-npy cos=c.npy --ids ids -o out
    [ "$stderr" = "record-json: ids: more ids than there are rows" ]
}

@test "usage: one thing at a time, known options" {
    run -2 --separate-stderr record-json --csv --info two.clip
    [ "${stderr_lines[0]}" = "record-json: only one of --csv, --info, --npy, --raw, --from-json and --from-npy" ]
    run -2 --separate-stderr record-json --ids x two.clip
    run -2 --separate-stderr record-json --npy cos two.clip
    [ "${stderr_lines[0]}" = "record-json: --npy: 'cos' is not FIELD=FILE" ]
    run -1 --separate-stderr record-json nowhere
    [ "$stderr" = "record-json: nowhere: No such file or directory" ]
    run -2 record-json --fields a,,b two.clip
}

@test "a full disk is noticed" {
    [ -w /dev/full ] || skip "no /dev/full"
    run -2 sh -c 'record-json two.clip >/dev/full'
    run -2 sh -c 'record-json --from-json two.json >/dev/full'
    run -2 record-json --npy cos=/dev/full two.clip
}

@test "a closed pipe ends it quietly" {
    for _ in $(seq 200); do cat two.clip; done >many.clip
    run -0 --separate-stderr bash -c 'record-json many.clip | head -n 1'
    [ -z "$stderr" ]
}

@test "Python reads and writes the same with msgpack_numpy's dialect" {
    python3 -c 'import msgpack, numpy' 2>/dev/null || skip "python3-msgpack or numpy is not installed"
    run -0 python3 "$examples/unclip_read.py" <two.clip
    [ "${lines[0]}" = a ]
    [ "${lines[4]}" = "    image_embed: <f4[2] sum -1" ]
    python3 - >py.clip <<'END'
import sys, msgpack, numpy as np
def encode(x):    # what msgpack_numpy does
    return {b"nd": True, b"type": x.dtype.str, b"kind": b"", b"shape": x.shape, b"data": x.tobytes()}
for i in range(3):
    v = np.arange(4, dtype="f4") + i
    sys.stdout.buffer.write(msgpack.packb({"unclip": 1, "id": f"p{i}", "data": {
        "image_embed": v, "half": v.astype("f2"), "n": -i, "cos": i / 7, "name": b"\xff"}}, default=encode))
END
    run -0 record-json --arrays py.clip
    [ "${lines[1]}" = '{"unclip":1,"id":"p1","data":{"image_embed":[1.0,2.0,3.0,4.0],"half":[1.0,2.0,3.0,4.0],"n":-1,"cos":0.14285714285714285,"name":{"$bytes":"/w=="}}}' ]
    record-json py.clip | record-json --from-json | cmp - py.clip
    record-json --npy half=h.npy py.clip
    [ "$(python3 -c 'import numpy; h = numpy.load("h.npy"); print(h.dtype.str, h.shape, h[2].tolist())')" = "<f2 (3, 4) [2.0, 3.0, 4.0, 5.0]" ]
    python3 -c 'import numpy; numpy.save("f.npy", numpy.asfortranarray(numpy.arange(6, dtype="i4").reshape(2, 3)))'
    run -0 sh -c 'record-json --from-npy x=f.npy | record-json --arrays'
    [ "${lines[1]}" = '{"unclip":1,"id":"1","data":{"x":[3,4,5]}}' ]
}

@test "the reader in unclip(5) is the one in examples, and works" {
    page=$BATS_TEST_DIRNAME/../../man/unclip.5
    sed -n '/^\.\\" begin/,/^\.\\" end/p' "$page" | sed '1,2d' | sed '$d' | sed '$d' | sed 's/\\e/\\/g' >reader.c
    cmp reader.c "$examples/unclip-read.c"
    [ "$(wc -l <reader.c)" -lt 120 ]
    command -v cc >/dev/null || skip "no C compiler"
    cc -std=c11 -o unclip-read reader.c -lm
    [ "$(./unclip-read image_embed <two.clip)" = "$(printf 'a\t1\t-2\nb\t0.5\t0')" ]
    [ "$(echo '{"id":"h","data":{"v":{"$nd":{"type":"<f2","shape":[3],"data":[-1.5,6e-8,65504]}}}}' |
        record-json --from-json | ./unclip-read v)" = "$(printf 'h\t-1.5\t5.96046448e-08\t65504')" ]
    run -1 ./unclip-read x <two.json
    run -1 sh -c 'head -c 100 two.clip | ./unclip-read image_embed'
}

@test "every option is in the manual page, and the other way round" {
    page=$BATS_TEST_DIRNAME/../../man/record-json.1
    record-json -h | sed -n 's/^  \(-., \)\?--\([a-z-]*\).*/\2/p; s/^      --\([a-z-]*\).*/\1/p' | sort -u >has
    sed -n 's/^\.It Fl \(. , \)\?-\([a-z-]*\).*/\2/p' "$page" | sort -u >says
    diff has says
}

@test "the manual page's examples run as written" {
    command -v jq >/dev/null || skip "jq is not installed"
    export UNCLIP_MODEL=box
    sed -n '/^\.Sh EXAMPLES/,$p' "$BATS_TEST_DIRNAME/../../man/record-json.1" |
        awk '/^\.Bd/ { on = 1; next } /^\.Ed/ { on = 0 } on' >examples.sh
    run -0 --separate-stderr bash -eo pipefail examples.sh
    [ -z "$stderr" ]
    [ "${lines[0]}" = '{"unclip":1,"id":"a","data":{"text":"a cat","cos":0.25}}' ]
    [ "$(record-json good.clip)" = '{"unclip":1,"id":"b","data":{"text":"a dog","cos":0.5}}' ]
    [ "$(record-json --fields text_embed texts.clip)" = "$(record-json again.clip)" ]
}

@test "--normalise: embeddings of length one" {
    make=${AID:-$BATS_TEST_DIRNAME/../../build/tests}/make_records
    "$make" -n 5 -d 40 -t f16 >in.clip
    squares='[.data.image_embed[] | . * .] | add'
    record-json --normalise --arrays in.clip | jq -se "length == 5 and all(.[]; $squares | . > 0.999999 and . < 1.000001)"
    record-json --arrays in.clip | jq -se "length == 5 and (.[0] | $squares | . < 0.9 or . > 1.1)"
    record-json --normalise --raw image_embed in.clip >raw
    [ "$(wc -c <raw)" = $((5 * 40 * 4)) ]
    record-json --normalise --npy image_embed=v.npy in.clip
    cmp raw <(tail -c 800 v.npy)
    # the same whether the bytes come at once or one record after another
    record-json --normalise in.clip >at.once
    size=$(($(wc -c <in.clip) / 5))
    for i in 0 1 2 3 4; do tail -c +$((i * size + 1)) in.clip | head -c $size; sleep 0.02; done | record-json --normalise | cmp - at.once
    record-json --normalise in.clip | record-json --from-json | record-json --raw image_embed | cmp - raw
    run -2 record-json --normalise --info in.clip
    "$make" -n 2 -d 40 -z 1 >zero.clip
    run -1 --separate-stderr record-json --normalise zero.clip
    [ "$stderr" = "record-json: zero.clip: record 2 (r1): its image_embed is all zeros" ]
    [ "${#lines[@]}" = 1 ]
}
