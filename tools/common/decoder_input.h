/* decoder_input.h - what a decoder is told about a record: embedding and text, and what guidance leads away from
 *
 * What     An unCLIP decoder gets the picture's embedding and the text as clip-embed wrote them.  In place of an
 *          embedding or text that the record lacks, the decoder gets unCLIP's empty condition.
 *          A GLIDE decoder gets the record's `text`, or "" if the record has none, and reads it with the tokenizer and
 *          the transformer of its own file.
 *          The first embedding of another CLIP than the decoder's causes a warning (same_clip.h).
 */
#ifndef UNCLIP_DECODER_INPUT_H
#define UNCLIP_DECODER_INPUT_H

#include "tools/common/same_clip.h"
#include "tools/common/tool.h"
#include "tools/stage/decode.h"

/* What stands for the picture: the field image_embed, the field text_embed instead, or the learned "no image"
 * embedding. */
enum { EMBED_IMAGE, EMBED_TEXT, EMBED_NONE };

struct decoder_input {
    const char *uncond;                 /* the file of --uncond, or NULL for the empty text */
    int embed;                          /* EMBED_IMAGE, ... */
    const struct decoder_model *m;
    struct same_clip clip;
    struct condition empty;
    struct decode_branch uncond_branch;
    bool told;                          /* true after the warning about records without image_embed was printed */
};

/* Fills the other fields of d, among them the unconditional branch of the guidance.  The caller has set d->uncond and
 * d->embed.  The program ends on failure. */
void tool_open_decoder_input(struct tool *t, struct decoder_input *d, const struct decoder_model *m, const struct model_paths *p);

/* Makes *b the guidance's conditional branch for the record r.  If `text` is false, r's text is ignored.  Unless `same`
 * is NULL, *same becomes true if b is known to be the unconditional branch (guidance would then change nothing), else
 * false. */
int tool_decoder_branch(struct tool *t, struct decoder_input *d, const struct record *r, bool text, struct decode_branch *b,
                        bool *same, struct arena *a, struct err *e);

#endif
