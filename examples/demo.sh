#!/bin/sh
# demo.sh: the main uses of unclip on real input, with the small model or with $UNCLIP_MODEL.
#
# Sentences become pictures, a directory of pictures is classified, a picture is varied, two pictures are interpolated, a
# picture is changed by words, and a part of a picture is painted anew.  With the model in the box a DALL-E and a GLIDE draw, too, and
# its other prior, and CLIP alone in strokes.  Each command is printed as a user would type it, and then run.
#
# All output goes to the directory $DEMO (demo): the pictures, contact.png with all of them, and index.html, which shows
# each command with its output and needs no other file.
set -eu
BIN=${BIN:-build/bin}
cd "$(dirname "$0")/.."
PATH=$(cd "$BIN" && pwd):$PATH
UNCLIP_MODEL=${UNCLIP_MODEL:-box}
export PATH UNCLIP_MODEL
demo=${DEMO:-demo}
page=$demo/index.html
mkdir -p "$demo"

escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g'; }

# part HEADING TEXT: begin a part of the page.
part() {
    printf '\n== %s\n' "$1"
    printf '<h2>%s</h2>\n<p>%s</p>\n' "$1" "$2" >>"$page"
}

# show COMMAND: print a command and run it; the page gets the command and its output.
show() {
    printf '\n$ %s\n' "$1"
    sh -eu -c "$1" >"$demo/.out"
    cat "$demo/.out"
    { printf '<pre class="command">$ '; printf '%s\n' "$1" | escape; printf '</pre>\n'; } >>"$page"
    [ ! -s "$demo/.out" ] || { printf '<pre>'; escape <"$demo/.out"; printf '</pre>\n'; } >>"$page"
}

# picture FILE: put a picture on the page.
picture() {
    { printf '<p><img alt="%s" src="data:image/png;base64,' "$(basename "$1")"; base64 -w 0 "$1"; printf '"></p>\n'; } >>"$page"
}

cat >"$demo/prompts.txt" <<'END'
a pizza
a penguin
a frog on a pink background
a rocket
END
cat >"$page" <<'END'
<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<title>unclip: the demo</title>
<style>
body { font: 16px/1.5 sans-serif; max-width: 62em; margin: 2em auto; padding: 0 1em; color: #222; background: #fff }
pre { overflow-x: auto; tab-size: 20; padding: .6em .8em; background: #f4f4f2; font-size: 13px; line-height: 1.4 }
pre.command { white-space: pre-wrap; background: #23272e; color: #e8e8e3 }
img { max-width: 100%; image-rendering: auto; border: 1px solid #ddd }
</style>
<h1>unclip: CLIP and unCLIP as small programs in a pipe</h1>
<p>Made by <code>make demo</code> on a CPU, without a network, with the small model that comes with unclip. This model was trained on
emoji and a little clip art only. Every dark box is a command as a user would type it at the top of the source tree.</p>
END

echo "unclip: CLIP and unCLIP from the shell, with the small model (examples/emoji)"
start=$(date +%s)

part 'Sentences become pictures' 'Two candidates are drawn for each sentence, with less guidance and in fewer steps than a large model needs. The better one, by its embedding, is enlarged.'
show "cat $demo/prompts.txt"
show "clip-tok -f $demo/prompts.txt | clip-embed | prior -g 2.5 -n 2 | decode64 -g 3 --steps 12 | clip-embed >$demo/candidates.clip"
show "image-out --sheet=8 --caption sample -o $demo/candidates.png $demo/candidates.clip"
picture "$demo/candidates.png"
show "rank -k 1 $demo/candidates.clip | upsample --steps 4 >$demo/text.clip"
show "image-out --sheet=4 -o $demo/text.png $demo/text.clip"
picture "$demo/text.png"

part 'What do the pictures of a directory show?' 'Zero-shot classification: the labels are lines of a text file, and nothing was trained on them.'
show "clip-embed --keep-image=64 examples/emoji/demo/*.png >$demo/drawings.clip"
show "rank --labels examples/emoji/demo/labels.txt --tsv $demo/drawings.clip"
show "rank --labels examples/emoji/demo/labels.txt $demo/drawings.clip |
    image-out --sheet=9 --caption label -o $demo/labels.png"
picture "$demo/labels.png"
show "rank --text 'a red heart' -k 3 --tsv $demo/drawings.clip"
show "rank --text 'a yellow fruit' -k 3 --tsv $demo/drawings.clip"
show "record-json --info $demo/drawings.clip"

part 'Variations of a picture' 'The picture is inverted to the noise that the decoder makes it from. Eta says how far the variations leave the picture.'
show "clip-embed examples/emoji/demo/mushroom.png | ddim-invert --steps 12 >$demo/noise.clip"
show "decode64 -g 2 --eta 0.8 -n 4 --steps 12 $demo/noise.clip | upsample --steps 4 >$demo/variations.clip"
show "image-out --sheet=4 --caption none -o $demo/variations.png $demo/variations.clip"
picture "$demo/variations.png"

part 'From one picture to another' 'Embeddings and noises are interpolated together. The first and the last picture are the two drawings.'
show "clip-embed examples/emoji/demo/sun.png | ddim-invert --steps 12 >$demo/from.clip"
show "clip-embed examples/emoji/demo/red-heart.png | ddim-invert --steps 12 >$demo/to.clip"
show "embed-mix slerp --theta 0,0.4,0.55,1 $demo/from.clip $demo/to.clip | decode64 --steps 12 | upsample --steps 4 >$demo/interpolation.clip"
show "image-out --sheet=4 --caption none -o $demo/interpolation.png $demo/interpolation.clip"
picture "$demo/interpolation.png"

part 'A picture changed by words' 'The embedding is turned by the difference of two texts. The noise stays the same for all pictures.'
show "clip-embed examples/emoji/demo/green-apple.png | ddim-invert --steps 12 >$demo/picture.clip"
show "echo 'green apple' | clip-tok | clip-embed >$demo/old.clip"
show "echo 'red apple' | clip-tok | clip-embed >$demo/new.clip"
show "embed-mix diff --theta 0,0.1,0.2,0.3 $demo/picture.clip $demo/new.clip $demo/old.clip | decode64 -g 3 --steps 12 | upsample --steps 4 >$demo/textdiff.clip"
show "image-out --sheet=4 --caption none -o $demo/textdiff.png $demo/textdiff.clip"
picture "$demo/textdiff.png"

part 'A part of a picture painted anew' 'The cone stays as it is, the scoop is painted again, twice.'
show "clip-embed examples/emoji/demo/ice-cream.png >$demo/cone.clip"
show "decode64 -g 3 --steps 12 --erase 0,0,128,70 -n 2 $demo/cone.clip | upsample --steps 4 >$demo/inpainting.clip"
show "image-out --sheet=2 --caption none -o $demo/inpainting.png $demo/inpainting.clip"
picture "$demo/inpainting.png"

rest=
if [ "$UNCLIP_MODEL" = box ]; then
    part 'The other prior' "unCLIP's paper tells of two priors. The autoregressive one draws the embedding code by code."
    show "clip-tok 'a house on a light blue background' | clip-embed | prior -m box/ar_prior |
    decode64 -g 3 --steps 12 | upsample --steps 4 >$demo/codes.clip"
    show "image-out --sheet=1 --caption none -o $demo/codes.png $demo/codes.clip"
    picture "$demo/codes.png"

    part 'DALL-E' 'A transformer draws 16 x 16 tokens for each candidate, one after another. An autoencoder makes pictures of them, and CLIP puts the best first.'
    show "clip-tok 'a butterfly' 'an owl' | clip-embed | dalle -n 8 | vq -d | clip-embed | rank -k 8 >$demo/tokens.clip"
    show "image-out --sheet=8 --caption none -o $demo/tokens.png $demo/tokens.clip"
    picture "$demo/tokens.png"
    show "rank -k 1 $demo/tokens.clip >$demo/dalle.clip"

    part 'GLIDE' 'Text goes straight into this network, without a CLIP embedding and without a prior. CLIP picks the better of two.'
    show "clip-tok 'a crab' 'a lemon on a purple background' | clip-embed | decode64 -m box/glide -g 3 --steps 12 -n 2 |
    clip-embed | rank -k 1 | upsample --steps 4 >$demo/glide.clip"
    show "image-out --sheet=2 --caption none -o $demo/glide.png $demo/glide.clip"
    picture "$demo/glide.png"

    part 'Drawn by CLIP alone' 'No network draws here: strokes are moved along the gradient of the cosine of text and drawing (CLIPDraw).'
    show "clip-tok 'a tulip' | clip-embed |
    clip-draw -q --strokes 64 --iterations 100 >$demo/strokes.clip"
    show "image-out --sheet=1 --caption none -o $demo/strokes.png $demo/strokes.clip"
    picture "$demo/strokes.png"
    rest=" $demo/codes.clip $demo/dalle.clip $demo/glide.clip $demo/strokes.clip"
fi

part 'All of it on one sheet' 'cat merges the streams. Each PNG contains the records that it was made from, and image-out --read prints them.'
show "cat $demo/text.clip $demo/variations.clip $demo/interpolation.clip $demo/textdiff.clip $demo/inpainting.clip$rest |
    image-out --sheet=8 --size 256 --caption none -o $demo/contact.png"
picture "$demo/contact.png"
show "image-out --read $demo/contact.png | head -n 1 | cut -c -300"
rm -f "$demo/.out"

echo
echo "made in $(($(date +%s) - start)) s: $demo/contact.png and the pictures on it. Open $demo/index.html in a browser"
