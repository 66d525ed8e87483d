/* decoder_input.h - what a decoder is told about a record: embedding and text, and what guidance leads away from
 *
 * What     An unCLIP decoder gets the picture's embedding and the text as clip-embed wrote them.  A GLIDE gets the record's
 *          `text`, which its own tokenizer and transformer read; a record without text has the empty one.
 *          Without embedding or text, unCLIP's empty condition takes its place.
 *          Embeddings of another CLIP than the decoder's are told once (same_clip.h).
 */
#ifndef UNCLIP_DECODER_INPUT_H
#define UNCLIP_DECODER_INPUT_H

#include "tools/common/same_clip.h"
#include "tools/common/tool.h"
#include "tools/stage/decode.h"

/* What stands for the picture: the prior's answer, the text's own embedding in its place, or the learned "no image". */
enum { EMBED_IMAGE, EMBED_TEXT, EMBED_NONE };

struct decoder_input {
    const char *uncond;                 /* --uncond; NULL: the empty text */
    int embed;                          /* EMBED_IMAGE, ... */
    const struct decoder_model *m;
    struct same_clip clip;
    struct condition empty;
    struct decode_branch uncond_branch;
    bool told;                          /* the warning about records without image_embed was printed */
};

/* Fills the rest of d, with the unconditional branch of the guidance.  The caller has set d->uncond and d->embed.  Exits
 * on failure. */
void tool_open_decoder_input(struct tool *t, struct decoder_input *d, const struct decoder_model *m, const struct model_paths *p);

/* Makes the branch *b of a record; without `text` as if the record had none.  *same, unless it is NULL, tells whether
 * b is the unconditional branch, so that guidance would change nothing. */
int tool_decoder_branch(struct tool *t, struct decoder_input *d, const struct record *r, bool text, struct decode_branch *b,
                        bool *same, struct arena *a, struct err *e);

#endif
