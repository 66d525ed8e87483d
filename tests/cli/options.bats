#!/usr/bin/env bats
# Every program's options and its manual page name the same options, and each refuses what it must.

setup() {
    BIN=${BIN:-$BATS_TEST_DIRNAME/../../build/bin}
    MAN=$BATS_TEST_DIRNAME/../../man
}

@test "options: -h and the manual page list the same ones" {
    for tool in "$BIN"/*; do
        name=$(basename "$tool")
        "$tool" -h | grep -oE '^  (-., |    )--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort -u >"$BATS_TEST_TMPDIR/help"
        grep -E '^\.It Fl' "$MAN/$name.1" | sed 's/, -/, Fl -/' |
            grep -oE 'Fl (Fl |-)[a-z0-9-]+' | sed -E 's/Fl (Fl |-)/--/' | sort -u >"$BATS_TEST_TMPDIR/man"
        diff "$BATS_TEST_TMPDIR/help" "$BATS_TEST_TMPDIR/man" || { echo "$name"; false; }
    done
}

@test "options: an unknown one is named, status 2, nothing on standard output" {
    for tool in "$BIN"/*; do
        name=$(basename "$tool")
        run "$tool" --no-such-option </dev/null
        [ "$status" -eq 2 ]
        [ "${lines[0]}" = "$name: unknown option '--no-such-option'" ]
        [ "${lines[1]}" = "try '$name -h'" ]
    done
}

@test "options: -h and -V end with status 0, and tell a full disk" {
    [ -w /dev/full ] || skip "no /dev/full"
    for tool in "$BIN"/*; do
        "$tool" -h >/dev/null
        "$tool" -V | grep -q "^$(basename "$tool") (unclip) "
        run sh -c "'$tool' -h >/dev/full"
        [ "$status" -eq 2 ]
    done
}

@test "options: numbers are whole strings within their range" {
    run "$BIN/clip-embed" -b 0
    [ "$status" -eq 2 ]
    [ "${lines[0]}" = "clip-embed: --batch: '0' is not a whole number from 1 to 4096" ]
    run "$BIN/clip-embed" -b 3x
    [ "$status" -eq 2 ]
    run "$BIN/clip-embed" -j ' 2'
    [ "$status" -eq 2 ]
    run "$BIN/rank" --shard=3/2
    [ "$status" -eq 2 ]
    [ "${lines[0]}" = "rank: --shard: '3/2' is not I/N with 1 <= I <= N" ]
}

@test "options: an input is never emptied as the output" {
    G=$BATS_TEST_DIRNAME/../golden/karlo
    cp "$G/text.clip" "$BATS_TEST_TMPDIR/in"
    for tool in prior decode64 upsample ddim-invert record-json; do
        run "$BIN/$tool" -o "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/in"
        [ "$status" -eq 2 ]
        [ "$output" = "$tool: $BATS_TEST_TMPDIR/in: input file is output file" ]
        cmp "$BATS_TEST_TMPDIR/in" "$G/text.clip"
    done
    run "$BIN/embed-mix" mean -o "$BATS_TEST_TMPDIR/in" "$BATS_TEST_TMPDIR/in"
    [ "$status" -eq 2 ]
    cmp "$BATS_TEST_TMPDIR/in" "$G/text.clip"
}
