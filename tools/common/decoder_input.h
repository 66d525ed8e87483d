/* decoder_input.h - what a decoder is told about a record: embedding and text, and what guidance leads away from
 *
 * What     An unCLIP decoder gets the picture's embedding and the text as clip-embed wrote them.  In place of an
 *          embedding or text that the record lacks, the decoder gets unCLIP's empty condition.
 *          A GLIDE decoder gets the record's `text`, or "" if the record has none, and reads it with the tokenizer and
 *          the transformer of its own file.
 *          The first embedding of another CLIP than the decoder's causes a warning (same_clip.h), and so does the first noise
 *          that was inverted under another text than that of the run.
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
    struct span uncond_text;            /* the text of `uncond`, or ""; p is NULL if it is unknown */
    struct span own;                    /* for a GLIDE: what a record without text, or whose text is not wanted, is drawn from */
    bool told;                          /* true after the warning about records without image_embed was printed */
    bool told_text;                     /* true after the warning about a noise of another text was printed */
};

/* Fills the other fields of d, among them the unconditional branch of the guidance.  The caller has set d->uncond and
 * d->embed.  The program ends on failure. */
void tool_open_decoder_input(struct tool *t, struct decoder_input *d, const struct decoder_model *m, const struct model_paths *p);

/* Prepares d for the record r, whose noise was inverted without the record's text, as q says.  A GLIDE then draws the record
 * from the text of the inversion.  An unCLIP decoder would need the embedding of that text, so it has to be the text of
 * `uncond`.  If it is another text, a warning is printed once in a run.  Returns 0.  With --strict, returns -1 if it is
 * another text. */
int tool_inverted_text(struct tool *t, struct decoder_input *d, const struct record *r, const struct decode_recipe *q,
                       struct err *e);

/* Makes *b the guidance's conditional branch for the record r.  If `text` is false, r's text is ignored.  Unless `same`
 * is NULL, *same becomes true if b is known to be the unconditional branch (guidance would then change nothing), else
 * false. */
int tool_decoder_branch(struct tool *t, struct decoder_input *d, const struct record *r, bool text, struct decode_branch *b,
                        bool *same, struct arena *a, struct err *e);

#endif
