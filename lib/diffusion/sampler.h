/* sampler.h - the loops of unCLIP: prior, decoder, upsampler, and the decoder run backwards
 *
 * What     A sampler draws the initial noise and goes down its timesteps; inversion goes up from a picture.  At each
 *          timestep the network is called once for all samples of one input; the prior is called once for the samples
 *          of several texts, and the upsampler once for each sample.  With guidance, the conditional and the
 *          unconditional rows are in one batch.
 * Source   Ramesh et al. 2022, arXiv:2204.06125; diffusers' UnCLIPPipeline and UnCLIPImageVariationPipeline
 *          (order of the draws, clamps); Ho and Salimans 2022, arXiv:2207.12598 (guidance);
 *          openai/glide-text2im @69b5307 notebooks/text2im.ipynb, inpaint.ipynb.
 * Inpaint  With a source and a mask (inpaint.h) the samplers of pictures paint only what is not known.  In ancestral
 *          sampling the known part of the state becomes the noised source after each step (RePaint).  In DDIM, and with
 *          a network that has input channels for the known part, the known part of x0 becomes the source.
 *          With resample = N the decoder does each step N times, except the last.  Between two repetitions, noise takes
 *          the state back up to the timestep where the step began (RePaint's jumps, one step long).
 * Shapes   Images [n, C, Y, X] f32, channels first as in records; embeddings [n, E].
 * EASY TO GET WRONG
 *          The prior's guidance acts on x0, the decoder's on eps; the decoder's variance channels are taken
 *          from the conditional branch.  The last step adds no noise.  Images are clamped between decoder and
 *          upsampler, not between the resize and the network; GLIDE's are not clamped.
 * Numbers  The whole recorded pipeline is within 1e-3 of diffusers (tests/unit/sampler.c has the figures).
 * Errors   The functions return -1 if scratch is too small or the network does not fit the job (err is filled), and
 *          if the step callback returned false (err is empty).
 * Threads  The networks split their work over threads.
 */
#ifndef UNCLIP_SAMPLER_H
#define UNCLIP_SAMPLER_H

#include "lib/diffusion/inpaint.h"
#include "lib/diffusion/noise_source.h"
#include "lib/diffusion/scheduler.h"
#include "lib/net/prior.h"
#include "lib/net/unet.h"

/* A sampler calls step after each of its steps.  x is the state [n, ..]; x0 is the predicted clean data, or NULL if the
 * sampler does not keep this prediction.  If step returns false, the sampler stops and returns -1. */
struct sampler_watch {
    bool (*step)(void *ctx, size_t done, size_t steps, const float *x, const float *x0);
    void *ctx;
};

/* The request for n samples of one text. */
struct prior_text {
    size_t n;
    const struct transformer_cache *prefix;
    struct noise_source noise;
    const float *init;                  /* initial noise [n, E]; if NULL, the sampler draws it */
};

struct prior_job {
    const struct prior *prior;
    const struct sched *sched;
    size_t steps, ntexts;
    const struct prior_text *text;      /* [ntexts]; a text's samples have the same bits whatever the other texts are */
    float guidance;                     /* scale; at <= 1 the unconditional branch is not computed */
    const struct transformer_cache *empty;    /* prefix of unconditional rows; may be NULL without guidance */
};

/* Writes the samples of all texts, in the order of the texts, into out [N, E], N being the sum of all n.  A sample is
 * an image embedding, de-normalised, and not scaled to unit length. */
int sample_prior(const struct prior_job *j, const struct compute *c, size_t embed, float *out,
                 const struct sampler_watch *w, struct arena scratch, struct err *e);

/* What the decoder is told in one branch of the guidance, as text_proj.h computes it: the time vector [4 C0], and the
 * keys and values of the context rows. */
struct decoder_branch {
    const float *time;
    const struct unet_context *context;
};

/* What guides a decoder in addition to the guidance of its branches.  gradient computes g [n, 3, S, S], the gradient of
 * the logarithm of a density at the states x [n, 3, S, S] of timestep t, and returns 0, or -1 with a message in e.
 *   With `predicted`, x is instead the clean data that the decoder predicts at t, not clamped, and g is the gradient with
 * respect to these data.  The sampler treats the predicted noise as a constant, so the gradient with respect to the state is
 * g / sqrt(abar), without a backward pass through the network.  Where abar is at most 0.2, the prediction is too inexact,
 * and gradient is not called. */
struct decoder_guide {
    int (*gradient)(void *ctx, size_t n, const float *x, int t, float *g, struct arena scratch, struct err *e);
    void *ctx;
    bool predicted;
};

enum { SAMPLER_DRAWS = 4096 };    /* the noise has 12 bits for the number of a draw (noise.h) */

struct decoder_job {
    const struct unet *unet;
    const struct sched *sched;
    size_t side, n, steps;
    const int *timesteps;            /* [steps], descending */
    bool ddim;
    double eta;                      /* noise of DDIM (scheduler.h); read if ddim */
    float guidance;                  /* scale; at <= 1 the unconditional branch is not computed */
    const struct decoder_branch *cond;     /* [n] */
    const struct decoder_branch *uncond;   /* one branch, which all samples share */
    struct noise_source noise;
    const float *init;               /* x_T [n, 3, S, S]; if NULL, the sampler draws it */
    bool clip;                       /* clamp x0 in DDIM */
    const struct inpaint *inpaint;   /* the known part of all samples, or NULL */
    size_t resample;                 /* how often each step is done, except the last; 0 means 1 */
    const struct decoder_guide *guide;     /* a further guide, or NULL */
};

/* Returns how often sample_decoder draws noise.  Unless numbers is NULL, *numbers becomes 1 + the highest number that a
 * draw may have.  Number 0 is the initial noise.  If each of T steps is done N times, repetition u of step k draws
 * number k N + u + 1.  The noise that takes the state back up after it is number T N + k (N - 1) + u + 1. */
size_t decoder_draws(const struct decoder_job *j, size_t *numbers);

/* Writes n images into out [n, 3, S, S].  Their values are not clamped. */
int sample_decoder(const struct decoder_job *j, const struct compute *c, float *out, const struct sampler_watch *w,
                   struct arena scratch, struct err *e);

/* Replaces the images x [n, 3, S, S], in [-1, 1], by their x_T (DDIM inversion).  j->timesteps are descending, as for
 * sample_decoder.  The images count as the states at the last timestep, and x_T is the state at the first. */
int invert_decoder(const struct decoder_job *j, const struct compute *c, float *x, const struct sampler_watch *w,
                   struct arena scratch, struct err *e);

/* What is done to the small images before the network sees them.  Karlo's are clamped to [-1, 1] and enlarged bicubically.
 * GLIDE's are rounded to the 256 levels of a byte, but not clamped, and enlarged bilinearly. */
enum enlarge { ENLARGE_CLAMPED_BICUBIC, ENLARGE_ROUNDED_BILINEAR };

/* A network's input channels are x, then the known part if it was trained for inpainting, then the enlarged image. */
struct upsample_job {
    const struct unet *first, *last;    /* last runs the final step, first all steps before it; both have the same channels */
    const struct sched *sched;
    size_t n, in, out;                  /* sides of the small and of the large images, in pixels */
    size_t steps;
    const int *timesteps;
    struct noise_source noise;
    const float *init;                  /* initial noise [n, 3, out, out]; if NULL, the sampler draws it */
    float temperature;                  /* factor of the initial noise if the sampler draws it */
    bool ddim;
    double eta;                         /* noise of DDIM; read if ddim */
    enum enlarge enlarge;
    const struct decoder_branch *text;  /* what the network is told about the text (GLIDE), or NULL */
    const struct inpaint *inpaint;      /* the known part of all large images, or NULL */
};

/* Returns how often sample_upsampler draws noise. */
size_t upsampler_draws(const struct upsample_job *j);

/* Enlarges the images small [n, 3, in, in] and writes the results into big [n, 3, out, out]. */
int sample_upsampler(const struct upsample_job *j, const struct compute *c, const float *small, float *big,
                     const struct sampler_watch *w, struct arena scratch, struct err *e);

#endif
