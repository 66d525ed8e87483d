#!/usr/bin/env bats
# The pages of image-out --html and of the demo in a browser without a window.  Skipped where there is no Chromium.

bats_require_minimum_version 1.5.0

setup() {
    ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
    export PATH=${BIN:-$ROOT/build/bin}:$PATH UNCLIP_MODEL=box
    CHROMIUM=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || skip "no Chromium"
    cd "$BATS_TEST_TMPDIR" || return 1
}

@test "a page of hits: the browser loads every thumbnail, and the page loads nothing else" {
    clip-embed "$ROOT"/examples/emoji/demo/*.png | rank --text 'a red heart' -k 6 | image-out --html page.html
    # the same page, with a script that says what was loaded
    { cat page.html; echo '<script>onload = () => document.title = [...document.images].filter(i => i.complete && i.naturalWidth > 0).length +
        " of " + document.images.length + " " + performance.getEntriesByType("resource").filter(r => !r.name.startsWith("data:")).length</script>'; } |
        sed 's/ loading="lazy"//' >told.html
    HOME=$PWD timeout 60 "$CHROMIUM" --headless --no-sandbox --disable-gpu --dump-dom "file://$PWD/told.html" 2>/dev/null >dom || skip "the browser does not start"
    grep -o '<title>[^<]*' dom
    grep -qF '<title>6 of 6 0' dom
}

# A table of rank --tsv, and a command longer than the page is wide.
@test "the page of the demo: no command runs out of the page, and columns stand below each other" {
    {
        sed -n "/^<!DOCTYPE/,/^<h1>/p" "$ROOT/examples/demo.sh"
        printf '<pre class="command">$ %s</pre>\n<pre>' "$(printf 'clip-embed | %.0s' {1..40})"
        printf '<span>%s\t</span><b>%s\t</b><i>%s\t18.35275\t0.999903\t1</i>\n' examples/emoji/demo/fish.png fish 0.4 examples/emoji/demo/deciduous-tree.png 'deciduous tree' 0.4893462
        echo '</pre><script>onload = () => { const left = t => new Set([...document.querySelectorAll(t)].map(e => e.getBoundingClientRect().left)).size;
            document.title = [...document.querySelectorAll("pre")].filter(e => e.scrollWidth > e.clientWidth).length + " " + left("b") + " " + left("i") }</script>'
    } >page.html
    HOME=$PWD timeout 60 "$CHROMIUM" --headless --no-sandbox --disable-gpu --window-size=1100,900 --dump-dom "file://$PWD/page.html" 2>/dev/null >dom ||
        skip "the browser does not start"
    grep -o '<title>[^<]*' dom
    grep -qF '<title>0 1 1<' dom
}
