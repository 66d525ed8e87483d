/* objective.h - how close the embedding of a view is to the targets: the loss and its gradient
 *
 * What     A target is a unit vector t with a weight w.  With u = e / |e| for the embedding e of a view:
 *
 *              LOSS_COSINE       -w u.t                                   CLIPDraw
 *              LOSS_SPHERICAL    w 2 asin(|u - t| / 2)^2                  VQGAN-CLIP: w / 2 times the angle's square
 *
 *          A negative weight leads away from the target.  The caller scales the loss: by 1 for a sum over the views, as
 *          CLIPDraw has it, or by 1 / K for their mean, as VQGAN-CLIP has it.
 * Source   kvfrans/clipdraw; nerdyrodent/VQGAN-CLIP generate.py (Prompt.forward).
 * Shapes   e, d_e: [D].
 * Numbers  In f64; within 1.3e-7 of the reference in f64 (tests/unit/view.c).  The gradient at an embedding of length 0 is 0.
 */
#ifndef UNCLIP_OBJECTIVE_H
#define UNCLIP_OBJECTIVE_H

#include <stddef.h>

enum loss_kind { LOSS_COSINE, LOSS_SPHERICAL };

struct target {
    const float *unit;         /* [D], of length 1 */
    double weight;
};

/* Returns the loss of one view for n > 0 targets, times scale.  Writes the gradient into d_e, unless d_e is NULL, and u.t
 * for the first target into *cos, unless cos is NULL. */
double objective(enum loss_kind kind, const struct target *target, size_t n, size_t d, const float *e, double scale, float *d_e,
                 double *cos);

/* Scales v to length 1.  Returns -1 if its length is 0 or not finite. */
int objective_unit(float *v, size_t d);

#endif
