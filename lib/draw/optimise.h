/* optimise.h - the loop that draws: look, go back, step
 *
 * What     optimise moves a canvas for a number of iterations so that its views come nearer to the eyes' targets.  The
 *          learning rate of points becomes 0.4 of what it was after half of the iterations, and 0.1 after three quarters.
 *          optimise_score looks at the whole picture once.
 * Source   kvfrans/clipdraw; nerdyrodent/VQGAN-CLIP generate.py.
 * Draws    View k of eye i in iteration t is sequence (t eyes + i) views + k of the key (draws.h).
 * Errors   optimise_open fails without memory.  The runs cannot fail.
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
    /* Called after each iteration with the number that is done, the loss, and the picture before the step.  false ends the
     * run.  May be NULL. */
    bool (*watch)(void *ctx, size_t done, double loss, double cos);
    void *ctx;
    float *picture, *d_picture;    /* [3, h, w] */
    struct view *view;             /* [eyes, views] */
};

int optimise_open(struct optimise *o, struct arena *a, struct err *e);

/* Runs the iterations.  Then o->picture is the canvas's.  Returns how many were done. */
size_t optimise_run(struct optimise *o);

/* Returns the mean cosine of the whole of o->picture with the first target of each eye. */
double optimise_score(struct optimise *o);

#endif
