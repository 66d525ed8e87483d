/* inpaint.h - the part of a picture that is known while the rest of it is sampled
 *
 * What     A mask tells which pixels of a source picture are known.  A network that was trained for inpainting (GLIDE's)
 *          sees the known part in further input channels, and the known part of its x0 is replaced (struct sched_known).
 *          For any other network the known part of the state is replaced after each step by the source with the noise
 *          of the timestep reached (inpaint_keep).
 * Source   Lugmayr et al. 2022, arXiv:2201.09865 (RePaint), equation 8a; openai/glide-text2im notebooks/inpaint.ipynb
 *          (the channels and denoised_fn).
 * Shapes   source [3, S, S] in [-1, 1]; mask [S, S].  Several samples share one source.
 * EASY TO GET WRONG
 *          1 in the mask means known, 0 means that the pixel is painted anew.  In picture files that people paint for
 *          this, it is the other way round.
 * Numbers  When the last step is done, the known pixels are the source's, bit for bit.
 * Threads  Re-entrant.
 */
#ifndef UNCLIP_INPAINT_H
#define UNCLIP_INPAINT_H

#include "lib/diffusion/scheduler.h"

enum { INPAINT_CHANNELS = 4 };    /* a network's input channels for the known part: source * mask, mask */

struct inpaint {
    const float *source, *mask;   /* every element of mask is 0 or 1 */
};

/* Writes the known part of the sample x [3, pixels] as it is at timestep t (-1: the clean data): sqrt(abar_t) source +
 * sqrt(1 - abar_t) noise.  noise [3, pixels] is not read if t is -1.  Unless x0 [3, pixels], the prediction of the
 * clean data, is NULL, its known part becomes the source. */
void inpaint_keep(const struct inpaint *p, const struct sched *s, int t, const float *noise, size_t pixels, float *x,
                  float *x0);

/* Writes source * mask and mask into the channels [at, at + 4) of in [pixels, channels].  If p is NULL, everything is
 * unknown, and the channels become 0. */
void inpaint_channels(const struct inpaint *p, size_t pixels, float *in, size_t channels, size_t at);

/* Fills in *k for the three planes of a sample.  mask3 is memory for [3, pixels] floats, which *k points to. */
void inpaint_known(const struct inpaint *p, size_t pixels, float *mask3, struct sched_known *k);

#endif
