#!/usr/bin/env bats
# libunclip: what it exports, how it is linked, and that it gives what the programs give, bit for bit (tests/lib_equals.py).

bats_require_minimum_version 1.5.0

setup_file() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export ROOT BIN=${BIN:-$ROOT/build/bin} AID=${AID:-$ROOT/build/tests}
    export LIB=$BIN/../library PATH=$BIN:$PATH BOX=$ROOT/examples/emoji DEMO=$ROOT/examples/emoji/demo
    export TINY=$BATS_FILE_TMPDIR/tiny GLIDE=$BATS_FILE_TMPDIR/glide
    export LIBUNCLIP=$LIB/libunclip.so.0 PYTHONDONTWRITEBYTECODE=1
    unset UNCLIP_MODEL
    "$AID/make_karlo" -t -e 64 -d f32 "$TINY" >/dev/null
    "$AID/make_model" -d f32 -l split tiny "$TINY" >/dev/null
    cp -r "$BOX/tokenizer" "$TINY/"
}

setup() { cd "$BATS_TEST_TMPDIR" || return 1; }

sanitised() { nm -D "$LIBUNCLIP" | grep -q __asan_init; }

# A sanitised library needs its runtime before Python starts.
with_library() {
    if sanitised; then
        LD_PRELOAD=$("${CC:-cc}" -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 python3 "$@"
    else
        python3 "$@"
    fi
}

equals() { with_library "$ROOT/tests/lib_equals.py" "$@"; }

@test "lib: exports what unclip.h declares, and nothing else" {
    grep -o '\bunclip_[a-z_]*(' "$ROOT/api/unclip.h" | tr -d '(' | sort -u >declared
    sed -n '/^ \*/d; s/^UNCLIP_API.*\b\(unclip_[a-z_]*\)(.*/\1/p' "$ROOT/api/unclip.h" | sort >functions
    [ "$(wc -l <functions)" -gt 30 ]
    nm -D --defined-only "$LIBUNCLIP" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | grep -v '^__' | sort >exported
    diff functions exported
    sanitised || { nm -g --defined-only "$LIB/libunclip.a" | awk 'NF == 3 { print $3 }' | sort | diff functions -; }
    # each has its place in the manual page, and the manual page has no other
    grep -o '^\.F[nto]* unclip_[a-z_]*\|^\.Fo unclip_[a-z_]*' "$ROOT/man/unclip.3" | awk '{ print $2 }' | sort -u | diff functions -
}

@test "lib: the soname, and no variable of its own that changes" {
    readelf -d "$LIBUNCLIP" | grep -q 'SONAME.*\[libunclip.so.0\]'
    [ "$(readlink "$LIB/libunclip.so")" = libunclip.so.0 ]
    sanitised && skip "a sanitised library has the sanitiser's variables"
    # What changes is whether libheif, libtiff and FreeType were opened, which happens once (formats/image).  Constants that hold
    # addresses are in .data.rel.ro.
    objdump -t "$LIBUNCLIP" | awk '($4 == ".data" || $4 == ".bss") && $3 == "O" { print $6 }' | grep -vE '^(__|completed)' | sort >variables
    printf '%s\n' ft heif lib lock once opened opened opened | comm -13 - variables | cmp - /dev/null
}

@test "lib: never exits, prints or reads the environment" {
    sanitised && skip "a sanitised library does"
    nm -D --undefined-only "$LIBUNCLIP" | awk '{ sub(/@.*/, "", $2); print $2 }' >needs
    run -1 grep -xE 'exit|_exit|abort|printf|fprintf|puts|putchar|stdout|stderr|getenv|setenv|secure_getenv|signal|sigaction|system|fork' needs
}

@test "lib: the header in C99 and in C++" {
    echo '#include <unclip.h>' >a.c
    cc -std=c99 -Wall -Wextra -pedantic -Werror -I"$ROOT/api" -c a.c
    command -v c++ >/dev/null || skip "no C++ compiler"
    c++ -Wall -Wextra -pedantic -Werror -I"$ROOT/api" -x c++ -c a.c
}

@test "lib: unclip.pc, the shared and the static library" {
    command -v pkg-config >/dev/null || skip "no pkg-config"
    export PKG_CONFIG_PATH=$LIB
    [ "$(pkg-config --modversion unclip)" = "$(clip-tok -V | sed -n '1s/.* //p')" ]
    pkg-config --libs unclip | grep -q -- -lunclip
    pkg-config --variable=box unclip | grep -q '/unclip/emoji$'
    sanitised && skip "a sanitised library needs the sanitiser's flags"
    # shellcheck disable=SC2046
    cc -I"$ROOT/api" -o static "$ROOT/examples/unclip-label.c" "$LIB/libunclip.a" $(pkg-config --static --libs-only-l unclip | sed 's/-lunclip//') -pthread
    ./static "$BOX" 'fish,red heart' "$DEMO/fish.png" >out
    cut -f2 out | grep -qx fish
}

@test "lib: unclip.pc is made again for other directories, and for the same ones left as it is" {
    pc=$PWD/b/library/unclip.pc
    # pc_for VARIABLE=VALUE...
    pc_for() { make -s -C "$ROOT" B="$PWD/b" "$pc" "$@"; }
    pc_for PREFIX=/usr
    grep -qx 'libdir=/usr/lib' "$pc"
    touch -d '2020-02-03' "$pc"
    pc_for PREFIX=/usr
    [ "$(date -r "$pc" +%Y)" = 2020 ]
    pc_for PREFIX=/usr LIBDIR=/usr/lib64
    grep -qx 'libdir=/usr/lib64' "$pc"
    pc_for PREFIX=/usr LIBDIR=/usr/lib64 INCDIR=/usr/include/u
    grep -qx 'includedir=/usr/include/u' "$pc"
    pc_for PREFIX=/opt DATADIR=/usr/share LIBDIR=/usr/lib64 INCDIR=/usr/include/u
    grep -qx 'prefix=/opt' "$pc"
    [ "$(ls b/library)" = unclip.pc ]
}

@test "lib: make install and make uninstall have its files" {
    make -n -o completions -o lib -C "$ROOT" install uninstall DESTDIR=/dest PREFIX=/usr >plan
    for f in libunclip.so.0.2 libunclip.a unclip.pc api/unclip.h; do grep -q "^install .*$f" plan; done
    grep -q 'ln -sf libunclip.so.0 /dest/usr/lib/libunclip.so$' plan
    grep -q '^rm -f .*/dest/usr/include/unclip.h' plan
}

@test "lib: debian/ names the version, the functions and the libraries" {
    sed -n 's/^VERSION *= *//p' "$ROOT/Makefile" >version
    sed -n '1s/.*(\(.*\)).*/\1/p' "$ROOT/debian/changelog" | diff version -
    sed -n '/^ \*/d; s/^UNCLIP_API.*\b\(unclip_[a-z_]*\)(.*/\1/p' "$ROOT/api/unclip.h" | sort >functions
    sed -n 's/^ \(unclip_[a-z_]*\)@UNCLIP_0 .*/\1/p' "$ROOT/debian/libunclip0.symbols" | diff functions -
    # what `make deps` installs to build, without the compiler, which each package may use, and a font, which is not read
    "$ROOT/.ci/needs" -l build image | grep -vxE 'gcc|libc6-dev|fonts-.*' | sort >needs
    sed -n '/^Build-Depends/,/^[A-Z]/ { s/,//; s/^ *\([a-z0-9.-]*\)$/\1/p }' "$ROOT/debian/control" | sort | diff needs -
}

@test "lib: the example in C labels as rank does" {
    "$AID/unclip-label" "$BOX" "$(paste -sd, "$DEMO/labels.txt")" "$DEMO"/[fgs]*.png >got
    clip-embed -m box "$DEMO"/[fgs]*.png | rank -m box --labels "$DEMO/labels.txt" --tsv |
        awk -F'\t' -v OFS='\t' '{ printf "%s\t%s\t%.4f\n", $1, $2, $5 }' | diff - got
    head -c 1000 "$DEMO/fish.png" >half.png
    run -1 --separate-stderr "$AID/unclip-label" "$BOX" 'fish,red heart' "$DEMO/fish.png" half.png nothing.png
    [ "${#lines[@]}" = 1 ]
    [ "$stderr" = "unclip-label: half.png: $(clip-embed -m box half.png 2>&1 >/dev/null | sed 's/^clip-embed: half.png: //')" ]
    run -2 "$AID/unclip-label" nothing fish "$DEMO/fish.png"
    [ "$output" = 'unclip-label: nothing: No such file or directory' ]
    run -2 "$AID/unclip-label" "$DEMO/fish.png" fish "$DEMO/fish.png"
    [ "${output#unclip-label: }" != "$output" ]
    run -2 "$AID/unclip-label"
}

@test "lib: tokens and texts" {
    equals tokens "$BOX"
    equals tokens "$TINY"
    equals texts "$BOX" 48
    equals texts "$TINY" 77
}

@test "lib: pictures" {
    equals pictures "$BOX" "$DEMO"/f*.png "$DEMO"/jpeg/[f-m]*.jpg
    equals pictures "$TINY" "$DEMO"/[a-k]*.png
    # EXIF orientation 6, put into a JPEG
    { printf '\377\330\377\341\0\042Exif\0\0MM\0\052\0\0\0\010\0\001\001\022\0\003\0\0\0\001\0\006\0\0\0\0\0\0'
      tail -c +3 "$DEMO/jpeg/red-heart.jpg"; } >turned.jpg
    clip-embed -m box turned.jpg | record-json --arrays | jq -c .data.image_embed >plain
    clip-embed -m box --exif turned.jpg | record-json --arrays | jq -c .data.image_embed >exif
    run ! cmp -s plain exif
    equals turned "$BOX" turned.jpg
}

@test "lib: labels, probabilities, cosines" {
    printf 'a {}\nthe {}.\n' >templates
    equals labels "$BOX" "$DEMO/labels.txt" "$DEMO"/[fgs]*.png
}

@test "lib: prior, decoder, upsampler" {
    equals drawing "$TINY" f32 4 3 '' 0
    equals drawing "$TINY" f32 3 1 0.5 77
    equals variations "$TINY" "$DEMO/fish.png"
    prior --precision bf16 -m "$TINY" </dev/null || skip "no bf16 on this machine"
    equals drawing "$TINY" bf16 4 3 '' 9007199254740992
}

@test "lib: the autoregressive prior in the box" {
    equals codes "$BOX/ar_prior" "$BOX"
}

@test "lib: GLIDE" {
    mkdir "$GLIDE"
    "$AID/make_glide" -t "$GLIDE"
    cp "$ROOT/tests/golden/glide/vocab.bpe" "$GLIDE"
    sanitised && equals glide "$GLIDE" 2
    sanitised || equals glide "$GLIDE"
}

@test "lib: records of the programs are read and written, byte for byte" {
    printf 'a red heart\na fish\n' | clip-tok -m box | clip-embed -m box | prior -m "$BOX" --steps 1 | decode64 -m "$BOX" --steps 1 >drawn.clip
    clip-embed -m box "$DEMO"/[fgs]*.png | rank -m box --labels "$DEMO/labels.txt" -k 2 >ranked.clip
    equals streams drawn.clip ranked.clip
    equals write own.clip "$BOX" "$DEMO"/[fgs]*.png
    rank -m box --text 'a fish' -k 1 --tsv own.clip >out
    clip-embed -m box "$DEMO"/[fgs]*.png | rank -m box --text 'a fish' -k 1 --tsv | diff - out
}

@test "lib: numbers have a point in a locale with a comma" {
    printf '%s\n' LC_NUMERIC 'decimal_point ","' 'thousands_sep "."' 'grouping 3;3' 'END LC_NUMERIC' >comma
    localedef -c -i ./comma -f UTF-8 ./comma.UTF-8 >/dev/null 2>&1 || true
    [ -f comma.UTF-8/LC_NUMERIC ] || skip "localedef cannot make a locale here"
    LOCPATH=$PWD equals comma "$BOX"
}

@test "lib: the example in Python draws what the pipeline draws" {
    echo 'a red heart' | clip-tok -m "$TINY" | clip-embed -m "$TINY" | prior -m "$TINY" -n 4 | decode64 -m "$TINY" | clip-embed -m "$TINY" |
        rank -k 1 | upsample -m "$TINY" | image-out --format=ppm >want.ppm
    with_library "$ROOT/examples/unclip_lib.py" "$TINY" 'a red heart' got.ppm
    run -1 --separate-stderr with_library "$ROOT/examples/unclip_lib.py" nothing 'a red heart' x.ppm
    [ "$stderr" = 'unclip_lib.py: nothing: No such file or directory' ]
    cmp got.ppm want.ppm
}
