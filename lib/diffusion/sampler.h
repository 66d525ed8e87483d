/* sampler.h - the loops of unCLIP: prior, decoder, upsampler, and the decoder run backwards
 *
 * What     A sampler draws the noise, goes down (inversion: up) its timesteps and calls the network for all samples of
 *          one input (the prior: of several texts) at once.  Both branches of the guidance are one batch.
 * Source   Ramesh et al. 2022, arXiv:2204.06125; diffusers' UnCLIPPipeline and UnCLIPImageVariationPipeline
 *          (order of the draws, clamps); Ho and Salimans 2022, arXiv:2207.12598 (guidance).
 * Shapes   Images [n, C, Y, X] f32, channels first as in records; embeddings [n, E].
 * EASY TO GET WRONG
 *          The prior's guidance acts on x0, the decoder's on eps; the decoder's variance channels are the
 *          conditional branch's.  The last step draws no noise.  Images are clamped between decoder and
 *          upsampler, not between the resize and the network.
 * Numbers  The whole recorded pipeline within 1e-3 of diffusers (tests/unit/sampler.c has the figures).
 * Errors   -1: scratch is too small (err is filled), or the step callback returned false (err is empty).
 * Threads  Split by the networks.
 */
#ifndef UNCLIP_SAMPLER_H
#define UNCLIP_SAMPLER_H

#include "lib/diffusion/noise_source.h"
#include "lib/diffusion/scheduler.h"
#include "lib/net/prior.h"
#include "lib/net/unet.h"

/* Called after each step, with the state [n, ..] and the predicted clean data (NULL from samplers that do not
 * keep it).  The sampler stops when it returns false. */
struct sampler_watch {
    bool (*step)(void *ctx, size_t done, size_t steps, const float *x, const float *x0);
    void *ctx;
};

/* n samples of one text */
struct prior_text {
    size_t n;
    const struct transformer_cache *prefix;
    struct noise_source noise;
    const float *init;                  /* [n, E] or NULL: drawn */
};

struct prior_job {
    const struct prior *prior;
    const struct sched *sched;
    size_t steps, ntexts;
    const struct prior_text *text;      /* [ntexts]; no bit of a text's samples depends on the others */
    float guidance;                     /* <= 1: no unconditional branch */
    const struct transformer_cache *empty;    /* prefix; may be NULL without guidance */
};

/* out [N, E], the samples of all texts in order: image embeddings, de-normalised, not of unit length. */
int sample_prior(const struct prior_job *j, const struct compute *c, size_t embed, float *out,
                 const struct sampler_watch *w, struct arena scratch, struct err *e);

/* The decoder's conditions in one branch (text_proj.h): time [4 C0], and the keys and values of the context. */
struct decoder_branch {
    const float *time;
    const struct unet_context *context;
};

struct decoder_job {
    const struct unet *unet;
    const struct sched *sched;
    size_t side, n, steps;
    const int *timesteps;            /* [steps], descending */
    bool ddim;
    double eta;                      /* DDIM */
    float guidance;                  /* <= 1: no unconditional branch */
    const struct decoder_branch *cond;     /* [n] */
    const struct decoder_branch *uncond;   /* one for all samples */
    struct noise_source noise;
    const float *init;               /* x_T [n, 3, S, S] or NULL: drawn */
    bool clip;                       /* clamp x0 in DDIM */
};

/* out [n, 3, S, S], not clamped. */
int sample_decoder(const struct decoder_job *j, const struct compute *c, float *out, const struct sampler_watch *w,
                   struct arena scratch, struct err *e);

/* DDIM inversion of the image x [n, 3, S, S] (in [-1, 1]) to x_T, in place.  j->timesteps are descending as for
 * sampling; the image is taken as the state at the last of them. */
int invert_decoder(const struct decoder_job *j, const struct compute *c, float *x, const struct sampler_watch *w,
                   struct arena scratch, struct err *e);

struct upsample_job {
    const struct unet *first, *last;    /* last: the network of the final step */
    const struct sched *sched;
    size_t n, in, out;                  /* sides */
    size_t steps;
    const int *timesteps;
    struct noise_source noise;
    const float *init;                  /* [n, 3, out, out] or NULL */
};

/* From small [n, 3, in, in], which is clamped here, to big [n, 3, out, out]. */
int sample_upsampler(const struct upsample_job *j, const struct compute *c, const float *small, float *big,
                     const struct sampler_watch *w, struct arena scratch, struct err *e);

#endif
