/* clip_guiding.h - a decoder's guidance by a CLIP: a noised CLIP at the noisy pictures, or any CLIP at the predicted ones
 *
 * What     GUIDE_NOISY: a noised CLIP looks at the state of each step (clip_guide.h).
 *          GUIDE_X0: a plain CLIP looks at several random views (lib/draw/pooled.h) of the clean picture that the decoder
 *          predicts in each step.  The gradient is scale * d(100 mean cos)/dx0, with cos between a view and the target, and
 *          the sampler does with it what sampler.h says of `predicted`.  The target is the record's text_embed, or its
 *          image_embed if it has no text_embed, or else its text.
 *          The functions open the CLIP, set the target of a record, and note in params how the decoder was guided.
 * Source   openai/glide-text2im @69b5307 notebooks/clip_guided.ipynb for the noised CLIP.  A text that is too long is cut, as
 *          the notebook cuts it.  Crowson's notebooks of CLIP-guided diffusion for x0.
 * Draws    The views of sample i at timestep t are sequences t K to t K + K - 1 of the sample's key of stage NOISE_VIEWS.
 * Errors   The functions fail if the model's paths hold no CLIP of the kind that is asked for, if the noised CLIP and the decoder
 *          have pictures of different sides, if a text is not UTF-8, and if a record without text has a vector of another CLIP.
 */
#ifndef UNCLIP_CLIP_GUIDING_H
#define UNCLIP_CLIP_GUIDING_H

#include "formats/checkpoint/noised_model.h"
#include "lib/diffusion/clip_guide.h"
#include "tools/stage/drawing.h"

enum guide_on { GUIDE_NOISY, GUIDE_X0 };

/* A plain CLIP that looks at predicted pictures. */
struct clip_looking {
    struct compute exact;      /* f32 */
    struct sight sight;
    struct drawing d;          /* the views of one picture, and the memory of their gradient */
    struct arena_mem mem;
    struct arena late;         /* for the text tower, if a record needs it */
    const struct sample *s;    /* the record that is being sampled */
    uint64_t seed;
};

struct clip_guiding {
    double scale;              /* strength of the guidance; 0: none, and no CLIP is opened */
    int on;                    /* enum guide_on */
    int64_t views;             /* of each predicted picture */
    struct noised_model m;
    struct clip_guide guide;   /* guides towards the text of the record that is being sampled */
    struct clip_looking look;
    struct decoder_guide of;   /* passed to the sampler; calls `guide`, or looks */
};

int clip_guiding_open(struct clip_guiding *g, const struct model_paths *p, size_t side, const struct compute *c,
                      struct arena *keep, struct err *e);

/* Sets the target of r, whose place among its samples is s.  Then g->of can guide a decoder.  A record without a target is
 * guided towards the empty text. */
int clip_guiding_target(struct clip_guiding *g, const struct record *r, const struct sample *s, uint64_t seed, struct arena *a,
                        struct err *e);

/* Writes the pairs clip_guidance, clip_guidance_model and, for x0, clip_guidance_on and cutouts into a params map. */
void clip_guiding_params(const struct clip_guiding *g, struct mp *m);

#endif
