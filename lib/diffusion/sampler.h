/* sampler.h - the loops of unCLIP: prior, decoder, upsampler, and the decoder run backwards
 *
 * What     Each takes the noise, walks down (or up) its timesteps and calls the network for all samples of
 *          one input (the prior: of several texts) at once, both branches of the guidance in the same pass over the weights.
 * Source   Ramesh et al. 2022, arXiv:2204.06125; diffusers' UnCLIPPipeline and UnCLIPImageVariationPipeline
 *          (order of the draws, clamps); Ho and Salimans 2022, arXiv:2207.12598 (guidance).
 * Shapes   pictures [n, C, Y, X] f32 as in records (channels first); embeddings [n, E].
 * EASY TO GET WRONG
 *          The prior's guidance acts on x0, the decoder's on eps; the decoder's variance channels are the
 *          conditional branch's.  The last step draws no noise.  Pictures are clamped between decoder and
 *          upsampler, not between the resize and the network.
 * Numbers  The whole recorded pipeline within 1e-3 of diffusers (tests/unit/sampler.c has the figures).
 * Errors   -1: scratch is too small (err), or the step callback said stop (err empty).
 * Threads  Those of the networks.
 */
#ifndef UNCLIP_SAMPLER_H
#define UNCLIP_SAMPLER_H

#include "lib/diffusion/noise_source.h"
#include "lib/diffusion/scheduler.h"
#include "lib/net/prior.h"
#include "lib/net/unet.h"

/* Called after each step, with the state [n, ..] and the predicted clean data (NULL where a sampler has
 * none).  false: stop. */
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

/* out [N, E], the samples of the texts one behind the other: image embeddings, de-normalised, not of unit length. */
int sample_prior(const struct prior_job *j, const struct compute *c, size_t embed, float *out,
                 const struct sampler_watch *w, struct arena scratch, struct err *e);

/* What the decoder is told in one branch (text_proj.h): time [4 C0] and the context's keys and values. */
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
    const struct decoder_branch *uncond;   /* one for all */
    struct noise_source noise;
    const float *init;               /* x_T [n, 3, S, S] or NULL: drawn */
    bool clip;                       /* clamp x0 in DDIM */
};

/* out [n, 3, S, S], not clamped. */
int sample_decoder(const struct decoder_job *j, const struct compute *c, float *out, const struct sampler_watch *w,
                   struct arena scratch, struct err *e);

/* DDIM backwards from the picture x [n, 3, S, S] (in [-1, 1]) to x_T, in place; j->timesteps descending as
 * for sampling, the picture taken as the state at the last of them. */
int invert_decoder(const struct decoder_job *j, const struct compute *c, float *x, const struct sampler_watch *w,
                   struct arena scratch, struct err *e);

struct upsample_job {
    const struct unet *first, *last;    /* last: the final step's network */
    const struct sched *sched;
    size_t n, in, out;                  /* sides */
    size_t steps;
    const int *timesteps;
    struct noise_source noise;
    const float *init;                  /* [n, 3, out, out] or NULL */
};

/* small [n, 3, in, in], clamped here -> big [n, 3, out, out]. */
int sample_upsampler(const struct upsample_job *j, const struct compute *c, const float *small, float *big,
                     const struct sampler_watch *w, struct arena scratch, struct err *e);

#endif
