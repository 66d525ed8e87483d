/* clip_guiding.h - a decoder's guidance by a noised CLIP and the record's text
 *
 * What     Opens the noised CLIP, embeds the text of a record, and notes in params how the decoder was guided.
 * Source   openai/glide-text2im @69b5307 notebooks/clip_guided.ipynb.  A text that is too long is cut, as the notebook
 *          cuts it.
 * Errors   There is no noised CLIP; its pictures have another side than the decoder's; a text is not UTF-8.
 */
#ifndef UNCLIP_CLIP_GUIDING_H
#define UNCLIP_CLIP_GUIDING_H

#include "formats/checkpoint/noised_model.h"
#include "formats/record/record.h"
#include "lib/diffusion/clip_guide.h"

struct clip_guiding {
    double scale;              /* strength of the guidance; 0: none, and no CLIP is opened */
    struct noised_model m;
    struct clip_guide guide;   /* guides towards the text of the record that is being sampled */
    struct decoder_guide of;   /* passed to the sampler; calls `guide` */
};

int clip_guiding_open(struct clip_guiding *g, const struct model_paths *p, size_t side, const struct compute *c,
                      struct arena *keep, struct err *e);

/* Embeds the text of r, or the empty text if r has none.  Then g->of can guide a decoder towards this text. */
int clip_guiding_text(struct clip_guiding *g, const struct record *r, struct arena *a, struct err *e);

/* Writes the pairs clip_guidance and clip_guidance_model into a params map. */
void clip_guiding_params(const struct clip_guiding *g, struct mp *m);

#endif
