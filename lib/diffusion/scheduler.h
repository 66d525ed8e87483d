/* scheduler.h - noise schedules: the respaced ancestral step, DDIM, and DDIM inversion
 *
 * What     Tables of a noise schedule and one step of each sampler.
 *          abar_t (alpha-bar) is the share of signal left at t; A = abar_t, P = abar of the next, lower t.
 *            x0   = model                       (sample),  or
 *                   (x - sqrt(1-A) eps)/sqrt(A) (epsilon),  clamped to +-range
 *            ancestral   x' = c_x0 x0 + c_x x + sigma noise           (Ho et al. 2020, eq. 7, respaced)
 *            DDIM        x' = sqrt(P) x0 + sqrt(1-P-s^2) eps' + s noise   (Song et al. 2021, eq. 12)
 *            inversion   the DDIM step with eta = 0 from t upwards: P is abar of the larger t
 *            climb       x' = sqrt(A/P) x + sqrt(1-A/P) noise, from P up to A: what the forward process adds
 * Source   Ho et al. 2020, arXiv:2006.11239; Nichol and Dhariwal 2021, arXiv:2102.09672 (cosine
 *          schedule, learned range); Song et al. 2021, arXiv:2010.02502; diffusers' UnCLIPScheduler,
 *          whose f32 tables and f32 scalars are reproduced; openai/glide-text2im @69b5307 gaussian_diffusion.py,
 *          respace.py, whose f64 tables are reproduced if `guided`.
 * Shapes   x, model, noise: [n], in any layout that all three share.  v: [n], the variance channels.
 * EASY TO GET WRONG
 *          The last step goes to abar = 1 and adds no noise; its c_x0 is 0.99947 in f32, not 1.
 *          The variance that scales a gradient at the last step is not 0: the lower bound of the step before is used.
 *          fixed_small_log gives a standard deviation.  v is not clamped.  beta belongs to the respaced schedule.
 * Numbers  Given the same inputs, steps are within 1.2e-7 of diffusers' (tests/unit/scheduler.c).
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_SCHEDULER_H
#define UNCLIP_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum sched_betas { BETAS_COSINE, BETAS_LINEAR };    /* diffusers' squaredcos_cap_v2; a line from 1e-4 to 0.02 */
enum sched_predict { PREDICT_EPSILON, PREDICT_SAMPLE };
enum sched_variance { VARIANCE_FIXED_SMALL_LOG, VARIANCE_LEARNED_RANGE };

struct sched_config {
    size_t train_steps;           /* 1000 */
    enum sched_betas betas;
    enum sched_predict predict;
    enum sched_variance variance;
    bool clip;
    float range;                  /* if clip, x0 is clamped to +-range: 5 in the prior, 1 for images */
    bool guided;                  /* as guided-diffusion (GLIDE) computes: tables in f64, and noise is drawn in every step */
};

struct sched {
    struct sched_config c;
    float *beta, *abar;           /* [train_steps] */
    double *exact;                /* [train_steps] if guided: abar in f64, which is used instead of beta and abar */
};

enum { SCHED_STEPS_MAX = 4095 };

int sched_init(struct sched *s, const struct sched_config *c, struct arena *a, struct err *e);

/* Writes n timesteps into t in descending order: round_half_even(k (train_steps - 1) / (n - 1)) for k = n - 1 .. 0;
 * n = 1 gives {0}.  The caller has checked that 1 <= n <= train_steps. */
void sched_timesteps(const struct sched *s, size_t n, int *t);

/* Writes the timesteps of DDIM into t in descending order: the multiples of train_steps / n from the (n - 1)-fold down
 * to 0, except multiples above `top` (980 in inversion, below the singular end).  Returns the number of timesteps. */
size_t sched_timesteps_ddim(const struct sched *s, size_t n, int top, int *t);

/* Elements whose clean value is known (inpainting).  If an element's mask is not 0, the steps take x0 from here and not
 * from the model's prediction.  Clamping comes after this. */
struct sched_known {
    const float *x0, *mask;       /* [n] each */
};

/* Takes x one ancestral step from t to prev (-1: the clean data), in place.  v holds the variance channels; it is read
 * only for VARIANCE_LEARNED_RANGE and may be NULL otherwise.  noise may be NULL at t = 0, where it is not read.
 * known may be NULL.  x0, unless it is NULL, receives the clamped prediction of the clean data. */
void sched_step(const struct sched *s, int t, int prev, float *x, const float *model, const float *v,
                const float *noise, const struct sched_known *known, float *x0, size_t n);

/* Takes x one DDIM step from t to prev (-1: the clean data), in place; prev may be below or above t.  noise is read
 * only if eta > 0.  known may be NULL.  The noise of a known element is the part of x that is not its clean value.
 * x0, unless it is NULL, receives the prediction of the clean data, which is clamped if clip is true. */
void sched_ddim(const struct sched *s, int t, int prev, float *x, const float *model, double eta, bool clip,
                const float *noise, const struct sched_known *known, float *x0, size_t n);

/* Writes the clean data that the model predicts at t into x0, not clamped.  known may be NULL. */
void sched_predict(const struct sched *s, int t, const float *x, const float *model, const struct sched_known *known, float *x0,
                   size_t n);

/* The step that was taken, for sched_pull.  `above` is the timestep of the step before, or -1 for the first step. */
struct sched_taken {
    int above, t, prev;
    bool ddim;
    double eta;                   /* of DDIM */
};

/* Classifier guidance (Dhariwal and Nichol 2021, arXiv:2105.05233, algorithms 1 and 2).  x is the result of a step, and
 * g the gradient of the logarithm of a density at the x before that step.  Adds to x what g changes in the result.  In
 * an ancestral step this is the variance of the step times g.  In DDIM it is the effect of eps' = eps - sqrt(1-A) g,
 * from which x0 follows and is not clamped again.  v is that of sched_step.  Known elements do not change. */
void sched_pull(const struct sched *s, const struct sched_taken *k, float *x, const float *v, const float *g,
                const struct sched_known *known, size_t n);

/* Sets *data and *noise to the factors of the clean data and of the noise in the state at t (-1: the clean data), which
 * are sqrt(abar) and sqrt(1 - abar). */
void sched_level(const struct sched *s, int t, float *data, float *noise);

/* Adds the noise that lies between the timesteps `from` (-1: the clean data) and `to`, the larger one, to x:
 * x' = sqrt(A/P) x + sqrt(1 - A/P) noise, where A is abar of `to` and P that of `from`. */
void sched_climb(const struct sched *s, int from, int to, float *x, const float *noise, size_t n);

/* Writes u + scale (c - u) into out: classifier-free guidance, where u is the unconditional and c the conditional
 * prediction. */
void sched_guide(float *out, const float *u, const float *c, float scale, size_t n);

#endif
