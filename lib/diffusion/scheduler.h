/* scheduler.h - noise schedules: the respaced ancestral step, DDIM, and DDIM inversion
 *
 * What     Tables of a noise schedule and one step of each sampler.
 *          abar_t (alpha-bar) is the share of signal left at t; A = abar_t, P = abar of the next, lower t.
 *            x0   = model                       (sample),  or
 *                   (x - sqrt(1-A) eps)/sqrt(A) (epsilon),  clamped to +-range
 *            ancestral   x' = c_x0 x0 + c_x x + sigma noise           (Ho et al. 2020, eq. 7, respaced)
 *            DDIM        x' = sqrt(P) x0 + sqrt(1-P-s^2) eps' + s noise   (Song et al. 2021, eq. 12)
 *            inversion   the DDIM step with eta = 0 from t upwards: P is that of the larger t
 * Source   Ho et al. 2020, arXiv:2006.11239; Nichol and Dhariwal 2021, arXiv:2102.09672 (cosine
 *          schedule, learned range); Song et al. 2021, arXiv:2010.02502; diffusers' UnCLIPScheduler,
 *          whose f32 tables and f32 scalars are reproduced.
 * Shapes   x, model, noise: [n], in any layout that all three share.  v: [n], the variance channels.
 * EASY TO GET WRONG
 *          The last step goes to abar = 1 and draws no noise; its c_x0 is 0.99947 in f32, not 1.
 *          fixed_small_log gives a standard deviation.  v is not clamped.  beta is that of the respaced schedule.
 * Numbers  Given the same inputs, steps are within 1.2e-7 of diffusers' (tests/unit/scheduler.c).
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_SCHEDULER_H
#define UNCLIP_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum sched_betas { BETAS_COSINE, BETAS_LINEAR };    /* squaredcos_cap_v2; 1e-4 .. 0.02 */
enum sched_predict { PREDICT_EPSILON, PREDICT_SAMPLE };
enum sched_variance { VARIANCE_FIXED_SMALL_LOG, VARIANCE_LEARNED_RANGE };

struct sched_config {
    size_t train_steps;           /* 1000 */
    enum sched_betas betas;
    enum sched_predict predict;
    enum sched_variance variance;
    bool clip;
    float range;                  /* of the clamp: 5 in the prior, 1 for images */
};

struct sched {
    struct sched_config c;
    float *beta, *abar;           /* [train_steps] */
};

enum { SCHED_STEPS_MAX = 4095 };

int sched_init(struct sched *s, const struct sched_config *c, struct arena *a, struct err *e);

/* N timesteps, descending: round_half_even(k (train-1)/(N-1)), k = N-1 .. 0; N = 1 gives {0}.  1 <= N <= train. */
void sched_timesteps(const struct sched *s, size_t n, int *t);

/* DDIM's timesteps, descending: the multiples of train/N from (N-1) train/N down to 0, without those above `top`
 * (inversion: 980, below the singular end).  Returns their number. */
size_t sched_timesteps_ddim(const struct sched *s, size_t n, int top, int *t);

/* One ancestral step of x from t to prev (-1: data), in place.  v: the variance channels (learned range), else
 * NULL.  noise may be NULL at t = 0, where it is not read.  x0 receives the clamped prediction unless it is NULL. */
void sched_step(const struct sched *s, int t, int prev, float *x, const float *model, const float *v,
                const float *noise, float *x0, size_t n);

/* One DDIM step of x from t to prev (-1: data) in either direction, in place; eta > 0 needs noise. */
void sched_ddim(const struct sched *s, int t, int prev, float *x, const float *model, double eta, bool clip,
                const float *noise, size_t n);

/* Classifier-free guidance: out = u + scale (c - u). */
void sched_guide(float *out, const float *u, const float *c, float scale, size_t n);

#endif
