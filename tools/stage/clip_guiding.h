/* clip_guiding.h - guidance of a decoder by the gradient of a CLIP
 *
 * What     GUIDE_NOISY: a CLIP that was trained on noised pictures sees the sampler's state at each step (clip_guide.h).
 *          GUIDE_X0: any CLIP sees K random views (lib/draw/pooled.h) of the clean picture x0 that the decoder predicts at
 *          each step.  The gradient with respect to x0 is that of scale * 100 * m, where m is the mean over the views of
 *          cos(embedding of the view, target).  sampler.h says, at `predicted`, how the sampler uses this gradient.  The
 *          target is the record's text_embed; or, without a text_embed, its image_embed; or, without either, the embedding
 *          of its text.
 * Source   GUIDE_NOISY: openai/glide-text2im @69b5307 notebooks/clip_guided.ipynb; a text that is too long is cut, as in the
 *          notebook.  GUIDE_X0: Crowson's notebooks of CLIP-guided diffusion.
 * Draws    View k of K at timestep t takes its random numbers from sequence t K + k of the key that the sample has for the
 *          stage NOISE_VIEWS.
 * Errors   The functions fail if the model's paths hold no CLIP of the kind that is asked for, if the noised CLIP and the
 *          decoder have pictures of different sides, if a text is not UTF-8, and if a record without text has a vector of
 *          another CLIP.
 */
#ifndef UNCLIP_CLIP_GUIDING_H
#define UNCLIP_CLIP_GUIDING_H

#include "formats/checkpoint/noised_model.h"
#include "lib/diffusion/clip_guide.h"
#include "tools/stage/drawing.h"

enum guide_on { GUIDE_NOISY, GUIDE_X0 };

/* The state of GUIDE_X0. */
struct clip_looking {
    struct compute exact;      /* f32 kernels, whatever the precision of the decoder is */
    struct sight sight;
    struct drawing d;          /* computes the views of a picture and their gradient; drawing_run is not called */
    struct arena_mem mem;
    struct arena late;         /* memory of the text tower, which is opened when a record first needs it */
    const struct sample *s;    /* of the record that is being sampled */
    uint64_t seed;
};

struct clip_guiding {
    double scale;              /* strength of the guidance; 0: no guidance, and no CLIP is opened */
    int on;                    /* an enum guide_on */
    int64_t views;             /* K, the number of views of each predicted picture; only for GUIDE_X0 */
    struct noised_model m;
    struct clip_guide guide;   /* guides towards the text of the record that is being sampled */
    struct clip_looking look;
    struct decoder_guide of;   /* passed to the sampler; computes the gradient with `guide` or with `look` */
};

int clip_guiding_open(struct clip_guiding *g, const struct model_paths *p, size_t side, const struct compute *c,
                      struct arena *keep, struct err *e);

/* Sets the target for the record r.  Afterwards g->of can guide a decoder that samples r.  The random views come from the
 * keys of s, the record's struct sample, with this seed; s must stay valid while r is sampled.  If r has neither a vector nor
 * a text, the target is the empty text. */
int clip_guiding_target(struct clip_guiding *g, const struct record *r, const struct sample *s, uint64_t seed, struct arena *a,
                        struct err *e);

/* Writes the pairs clip_guidance, clip_guidance_model and, for GUIDE_X0, clip_guidance_on and cutouts into a params map. */
void clip_guiding_params(const struct clip_guiding *g, struct mp *m);

#endif
