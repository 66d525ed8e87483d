/* look.h - how CLIPs see a picture: the loss over views of it, and the gradient by the picture
 *
 * What     Each eye is an image tower with its targets.  look_run makes the views of the picture for each eye, embeds
 *          them, and computes the loss.  CLIPDraw's loss (LOSS_COSINE) is the sum over the views, VQGAN-CLIP's
 *          (LOSS_SPHERICAL) their mean.  The loss of several eyes is the mean of their losses.
 * Shapes   picture, d_picture: [3, h, w]; views: [eyes][views].
 * Memory   look_open takes memory for `pass` views at a time.  Gradients of views are added in the order of the views.
 *          So no byte depends on `pass`.
 * Threads  Those of the pool and the towers.  No byte depends on their number.
 */
#ifndef UNCLIP_LOOK_H
#define UNCLIP_LOOK_H

#include "lib/base/compute.h"
#include "lib/draw/objective.h"
#include "lib/draw/view.h"

/* An image tower with its backward pass.  look embeds n <= pass inputs [n, 3, S, S] and keeps what back needs; back
 * replaces the gradient d_embed [n, D] by that of the inputs. */
struct eye {
    const struct prep *prep;
    size_t embed;              /* D */
    void *tower;
    void (*look)(void *tower, size_t n, const float *planes, float *embed);
    void (*back)(void *tower, size_t n, const float *d_embed, float *d_planes);
    struct target *target;     /* [targets] */
    size_t targets;
};

struct look {
    const struct compute *k;
    const struct eye *eye;
    size_t eyes, h, w, views, pass;
    enum loss_kind loss;
    float *raw, *planes, *embed, *d_embed;    /* of the views of one pass */
    float *d_view;             /* [pass, 3, h, w] */
    void **scratch;            /* [threads] */
    /* what the current call of look_run works on */
    const struct eye *now;
    const struct view *view;
    const float *picture;
};

int look_open(struct look *l, const struct compute *k, const struct eye *eye, size_t eyes, size_t h, size_t w, size_t views, size_t pass,
              enum loss_kind loss, struct arena *a, struct err *e);

/* Returns the bytes that look_open takes for each view of a pass. */
size_t look_view_bytes(const struct eye *eye, size_t eyes, size_t h, size_t w);

/* Returns the loss of n <= l->views views for each eye.  *cos receives the mean cosine of the views with the first target.
 * d_picture and cos may be NULL. */
double look_run(struct look *l, const float *picture, const struct view *view, size_t n, float *d_picture, double *cos);

#endif
