/* vq_canvas.h - the VQGAN on whose latents clip-draw draws
 *
 * What     vq_canvas_open opens the decoder of a VQGAN and its gradient.  vq_canvas_fit rounds the sides of a picture down to
 *          those that the decoder can make.  vq_canvas_pass takes the memory of a pass.  vq_canvas_init computes the codes
 *          of a picture file.
 * Errors   No path has a VQGAN's decoder, or its encoder for vq_canvas_init; the network is a dVAE; a side is too short; the
 *          picture cannot be read; memory runs out.
 * Memory   The decoder's filters are held twice, the codebook too.  A pass keeps what vq_pass_bytes says: everything if half
 *          of `memory` bytes hold it, else only the inputs of the blocks.
 */
#ifndef UNCLIP_VQ_CANVAS_H
#define UNCLIP_VQ_CANVAS_H

#include "formats/checkpoint/vq_model.h"
#include "lib/draw/latents.h"

struct vq_canvas {
    struct vq_model m;
    struct model_paths paths;
    struct latents latents;
    int *tokens;                /* of --init, or NULL */
    struct arena_mem mem;
};

int vq_canvas_open(struct vq_canvas *v, const struct model_paths *p, const struct compute *c, struct arena *keep, struct err *e);

int vq_canvas_fit(struct vq_canvas *v, size_t *h, size_t *w, struct err *e);

/* Takes the memory of a pass.  *memory becomes what is left of it. */
int vq_canvas_pass(struct vq_canvas *v, size_t *memory, struct arena *keep, struct err *e);

int vq_canvas_init(struct vq_canvas *v, const char *file, struct arena *keep, struct err *e);

#endif
