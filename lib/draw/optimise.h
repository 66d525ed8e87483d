/* optimise.h - the loop that draws: look, go back, step
 *
 * What     optimise moves a canvas for a number of iterations so that its views come nearer to the eyes' targets.  The
 *          learning rate of points falls to 0.4 lr after half of the iterations, and to 0.1 lr after three quarters.
 *          optimise_score looks at the whole picture once.
 * Source   kvfrans/clipdraw; nerdyrodent/VQGAN-CLIP generate.py.
 * Draws    View k of eye i in iteration t is sequence (t eyes + i) views + k of the key (draws.h).
 * Errors   optimise_open fails if memory runs out.  A run ends early if the canvas fails (canvas_failed).
 */
#ifndef UNCLIP_OPTIMISE_H
#define UNCLIP_OPTIMISE_H

#include "lib/draw/canvas.h"
#include "lib/draw/look.h"

struct optimise {
    struct canvas *canvas;
    struct look *look;
    enum view_kind kind;
    struct noise_key key;
    size_t iterations;
    double lr;
    /* Called after each iteration with the number of iterations done, and with the loss of the picture before the step.
     * `picture` holds that picture.  If watch returns false, the run ends.  watch may be NULL. */
    bool (*watch)(void *ctx, size_t done, double loss);
    void *ctx;
    float *picture, *d_picture;    /* [3, h, w] */
    struct view *view;             /* [eyes, views] */
};

int optimise_open(struct optimise *o, struct arena *a, struct err *e);

/* Runs the iterations, and leaves the picture of the canvas in o->picture.  Returns the number of iterations done. */
size_t optimise_run(struct optimise *o);

/* Returns the mean cosine of the whole of o->picture with the first target of each eye. */
double optimise_score(struct optimise *o);

#endif
