/* vq_canvas.h - a VQGAN whose latents clip-draw optimises
 *
 * What     vq_canvas_open opens the decoder of a VQGAN and prepares its backward pass.  vq_canvas_fit rounds the sides of a
 *          picture down to multiples of the decoder's pixels per code.  vq_canvas_pass allocates the memory of a forward
 *          and backward pass.  vq_canvas_init computes the codes of a picture file.
 * Errors   No path has the decoder of a VQGAN, or, for vq_canvas_init, its encoder; the network is a dVAE; a side is too
 *          short; the picture cannot be read; memory runs out.
 * Memory   The decoder's filters and the codebook are each held twice.  A pass takes vq_pass_bytes.  The forward pass keeps
 *          all values (KEEP_ALL) if that takes at most half of the `memory` bytes, else only the inputs of the blocks.
 */
#ifndef UNCLIP_VQ_CANVAS_H
#define UNCLIP_VQ_CANVAS_H

#include "formats/checkpoint/vq_model.h"
#include "lib/draw/latents.h"

struct vq_canvas {
    struct vq_model m;
    struct model_paths paths;
    struct latents latents;
    int *tokens;                /* the codes of the picture of --init, or NULL */
    struct arena_mem mem;
};

int vq_canvas_open(struct vq_canvas *v, const struct model_paths *p, const struct compute *c, struct arena *keep, struct err *e);

int vq_canvas_fit(struct vq_canvas *v, size_t *h, size_t *w, struct err *e);

/* Allocates the memory of a pass.  *memory is a limit in bytes, from which the size of the pass is subtracted. */
int vq_canvas_pass(struct vq_canvas *v, size_t *memory, struct arena *keep, struct err *e);

int vq_canvas_init(struct vq_canvas *v, const char *file, struct arena *keep, struct err *e);

#endif
