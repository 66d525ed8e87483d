#include "lib/net/vit_back.h"

#include <string.h>

#include "lib/layer/norm.h"

int vit_turn(struct vit_turned *u, const struct vit *v, const struct compute *c, struct arena *keep, struct err *e) {
    if (linear_transpose(&u->patches, &v->patches, 1, c, keep, e) < 0 ||
        linear_transpose(&u->projection, &v->projection, 1, c, keep, e) < 0)
        return -1;
    return transformer_turn(&u->blocks, &v->blocks, c, keep, e);
}

struct vit_keep vit_keep_cut(const struct vit *v, size_t n, enum keep_mode mode, struct scratch *s) {
    struct vit_keep k;

    k.pre = scratch_cut(s, n * v->tokens * v->width, sizeof(float));
    k.post = scratch_cut(s, n * v->width, sizeof(float));
    k.blocks = transformer_keep_cut(&v->blocks, n, v->tokens, true, mode, s);
    return k;
}

struct work {
    float *dy, *dx;      /* [n, D], [n * T, D] */
    float *patches;      /* [n * T, 3 p p] */
    size_t *len, *row;   /* [n] */
    void *rest;
};

static struct work plan(const struct vit *v, const struct vit_turned *u, const struct compute *c, size_t n,
                        enum keep_mode mode, struct scratch *s) {
    size_t d = v->width, rows = n * v->tokens, most;
    struct work w;

    w.dy = scratch_cut(s, n * d, sizeof(float));
    w.dx = scratch_cut(s, rows * d, sizeof(float));
    w.patches = scratch_cut(s, rows * u->patches.n, sizeof(float));
    w.len = scratch_cut(s, n, sizeof *w.len);
    w.row = scratch_cut(s, n, sizeof *w.row);
    most = transformer_back_scratch(&v->blocks, u->blocks, c, n, v->tokens, mode);
    most = size_max(most, linear_scratch(&u->patches, c, rows));
    most = size_max(most, linear_scratch(&u->projection, c, n));
    w.rest = scratch_cut(s, most, 1);
    return w;
}

size_t vit_back_scratch(const struct vit *v, const struct vit_turned *u, const struct compute *c, size_t n,
                        enum keep_mode mode) {
    struct scratch s = {0};

    plan(v, u, c, n, mode, &s);
    return s.used;
}

struct scattering {
    const struct vit *v;
    const float *patches;
    float *images;
};

/* Copies one row of patches of one image to its pixels. */
static void scatter(void *ctx, size_t task, int thread) {
    const struct scattering *g = ctx;
    size_t s = g->v->image, p = g->v->patch, grid = s / p, cols = 3 * p * p;
    size_t i = task / grid, gy = task % grid;
    const float *from = g->patches + (i * g->v->tokens + 1 + gy * grid) * cols;

    (void)thread;
    for (size_t ch = 0; ch < 3; ch++)
        for (size_t y = 0; y < p; y++) {
            float *line = g->images + ((i * 3 + ch) * s + gy * p + y) * s;

            for (size_t gx = 0; gx < grid; gx++)
                memcpy(line + gx * p, from + gx * cols + (ch * p + y) * p, p * sizeof *line);
        }
}

void vit_back(const struct vit *v, const struct vit_turned *u, const struct compute *c, size_t n,
              const struct vit_keep *k, const float *d_embed, float *d_images, void *scratch) {
    struct scratch s = {scratch, 0};
    struct work w = plan(v, u, c, n, k->blocks.again ? KEEP_INPUTS : KEEP_ALL, &s);
    struct transformer_run r = {.n = n, .len = w.len, .x = k->blocks.x, .row = w.row, .y = k->post, .keep = &k->blocks};
    struct scattering g = {v, w.patches, d_images};
    size_t d = v->width, rows = n * v->tokens;

    for (size_t i = 0; i < n; i++)
        w.len[i] = v->tokens, w.row[i] = 0;
    linear_run(&u->projection, c, n, d_embed, v->embed, w.dy, d, ACT_NONE, NULL, w.rest);
    layer_norm_back(c, n, d, k->post, v->ln_post.g, v->eps, w.dy, NULL, w.dy);
    transformer_back(&v->blocks, u->blocks, c, &r, w.dy, w.dx, w.rest);
    layer_norm_back(c, rows, d, k->pre, v->ln_pre.g, v->eps, w.dx, NULL, w.dx);
    linear_run(&u->patches, c, rows, w.dx, d, w.patches, u->patches.n, ACT_NONE, NULL, w.rest);
    pool_run(c->pool, n * (v->image / v->patch), scatter, &g);
}
