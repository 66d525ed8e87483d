#!/usr/bin/env bats
# Completions: those of bash are run; those of zsh and fish have every option.
# shellcheck disable=SC1091,SC2154

bats_require_minimum_version 1.5.0

setup() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    BIN=${BIN:-$ROOT/build/bin}
    "$ROOT/.ci/completions" "$BIN" "$BATS_TEST_TMPDIR"
    cd "$BATS_TEST_TMPDIR" || return 1
}

# What bash offers for the words of a command line, of which the last is being typed.
offered() {
    COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
    _unclip
    printf '%s\n' "${COMPREPLY[@]}"
}

@test "completions: every option of every program, in the three shells" {
    for tool in "$BIN"/*; do
        name=$(basename "$tool")
        "$tool" -h | grep -oE '^  (-., |    )--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort -u >want
        sed -n "s/^    $name) options='\(.*\)' ;;/\1/p" bash/unclip | tr ' ' '\n' | sort -u | diff want -
        sed -n "s/^complete -c $name\( -s .\)\{0,1\} -l \([a-z0-9-]*\).*/--\2/p" "fish/$name.fish" | sort -u | diff want -
        sed -n "/^$name) /,/;;/p" zsh/_unclip | sed -n "s/^    '\(--[a-z0-9-]*\).*/\1/p" | sort -u | diff want -
    done
    grep -q "^complete -c rank -s k -l top -r " fish/rank.fish
    grep -q "^complete -c rank -l tsv -d " fish/rank.fish
}

@test "completions: bash offers options, programs and files" {
    . bash/unclip
    [ "$(offered rank --lab)" = $'--label\n--label-cache\n--labels' ]
    [ "$(offered /usr/bin/rank --tsv --hea)" = --header ]
    [ "$(offered unclip clip-e)" = clip-embed ]
    [ "$(offered unclip sea)" = search ]
    [ "$(offered unclip help ran)" = rank ]
    [ "$(offered unclip rank --head)" = --header ]
    [ "$(offered unclip search --op)" = --open ]
    touch photos.clip
    [ "$(offered rank phot)" = photos.clip ]
}
