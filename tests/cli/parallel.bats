#!/usr/bin/env bats
# The stock GNU parallel splits a stream at records, loses nothing, and needs to know 12 bytes.

bats_require_minimum_version 1.5.0

setup_file() {
    cd "$BATS_FILE_TMPDIR" || return
    # 2,000 records of many lengths, with bytes in them that look nearly like a start
    awk 'BEGIN { for (i = 0; i < 2000; i++) { s = ""; for (k = 0; k < i % 37; k++) s = s "unclip\\u0001"
        printf "{\"id\":\"r%d\",\"data\":{\"n\":%d,\"text\":\"%s\"}}\n", i, i, s } }' >many.json
    "$BIN/record-json" --from-json many.json >many.clip
    "$BIN/record-json" many.clip | sort >want
}

setup() {
    PATH=$BIN:$PATH
    command -v parallel >/dev/null || skip "GNU parallel is not installed"
    export PARALLEL_HOME=$BATS_TEST_TMPDIR
    cd "$BATS_FILE_TMPDIR" || return
    start=$(printf '\203\246unclip\001\242id')
}

@test "--pipe --recstart: every record once, whole, in several jobs" {
    parallel --will-cite -j2 --pipe --block 20k --recstart "$start" record-json <many.clip | sort >got
    cmp got want
    parallel --will-cite -j2 -k --pipe --block 20k --recstart "$start" 'cat; echo >>pieces' <many.clip >got
    cmp got many.clip
    [ "$(wc -l <pieces)" -gt 3 ]
}

@test "--pipe -N: so many records to a job" {
    parallel --will-cite -j2 -k --pipe -N 300 --recstart "$start" 'record-json --info | head -n 1' <many.clip >got
    [ "$(tr '\t\n' '  ' <got)" = "records 300 records 300 records 300 records 300 records 300 records 300 records 200 " ]
}

@test "--pipe-part: a file is split where records begin" {
    parallel --will-cite -j2 --pipe-part -a many.clip --block 20k --recstart "$start" record-json | sort >got
    cmp got want
    parallel --will-cite -j2 -k --pipe-part -a many.clip --block -1 --recstart "$start" cat >got
    cmp got many.clip
}
