#include "lib/net/vit.h"

#include <string.h>

#include "lib/base/scratch.h"
#include "lib/layer/norm.h"

void vit_bind(struct vit *v, const struct clip_vision_config *config,
              const struct clip_family *names, struct bind *b) {
    size_t d = config->width, p = config->patch, grid = config->image / p;
    struct transformer_config blocks = {config->layers, d, config->heads, config->mlp,
                                        config->act, config->eps, false};
    struct tensor w;

    v->image = config->image;
    v->patch = p;
    v->tokens = grid * grid + 1;
    v->width = d;
    v->embed = config->embed;
    v->eps = config->eps;
    v->class_token = bind_floats(b, names->vision.class_token, d);
    v->position = bind_table(b, names->vision.position, v->tokens, d);
    w = bind_filter_rows(b, names->vision.patch, d, 3, p, p);
    bind_parts(b, &v->patches, 1, &w, NULL);
    v->sums = b->c->kern->precision == PREC_BF16 ? bind_sums(b, &w, 3) : NULL;
    v->ln_pre = bind_gain(b, names->vision.ln_pre, d);
    transformer_bind(&v->blocks, &blocks, &names->layer, names->vision.layers, b);
    v->ln_post = bind_gain(b, names->vision.ln_post, d);
    clip_bind_projection(b, &v->projection, names, names->vision.projection, v->embed, d);
}

/* The work of a pass should stay in the CPU's caches, and more than 2048 rows do not make the products faster. */
size_t vit_pass(const struct vit *v, size_t n) {
    size_t most = 2048 / v->tokens;

    return n < most ? n : most ? most : 1;
}

struct work {
    float *pre, *x;         /* [n * T, D]: the input and the result of ln_pre; one array, unless both are kept */
    float *pooled;          /* [n, D] */
    float *patches;         /* [n * T, 3 p p]; zero for the class token */
    size_t *len, *row;      /* [n] */
    void *rest;
};

static struct work plan(const struct vit *v, const struct compute *c, size_t n, struct scratch *s) {
    size_t d = v->width, rows = n * v->tokens, cols = 3 * v->patch * v->patch, size[3], most = 0;
    struct work w;

    w.pre = w.x = scratch_cut(s, rows * d, sizeof(float));
    w.pooled = scratch_cut(s, n * d, sizeof(float));
    w.patches = scratch_cut(s, rows * cols, sizeof(float));
    w.len = scratch_cut(s, n, sizeof *w.len);
    w.row = scratch_cut(s, n, sizeof *w.row);
    size[0] = linear_scratch(&v->patches, c, rows);
    size[1] = transformer_scratch(&v->blocks, c, n, rows, v->tokens);
    size[2] = linear_scratch(&v->projection, c, n);
    for (int i = 0; i < 3; i++)
        most = size[i] > most ? size[i] : most;
    w.rest = scratch_cut(s, most, 1);
    return w;
}

size_t vit_scratch(const struct vit *v, const struct compute *c, size_t n) {
    struct scratch s = {0};

    plan(v, c, vit_pass(v, n), &s);
    return s.used;
}

struct gathering {
    const struct vit *v;
    const struct kern *kern;
    const float *images;
    float *patches, *x;
};

static float mean(size_t n, const float *x) {
    float s[4] = {0};
    size_t i = 0;

    for (; i + 4 <= n; i += 4) {
        s[0] += x[i];
        s[1] += x[i + 1];
        s[2] += x[i + 2];
        s[3] += x[i + 3];
    }
    for (; i < n; i++)
        s[0] += x[i];
    return (s[0] + s[1] + (s[2] + s[3])) / (float)n;
}

/* Subtract from each channel of a patch its mean, and add the product of the means and the filters to the row x. */
static void take_means(const struct gathering *g, float *patch, float *x) {
    const size_t n = g->v->patch * g->v->patch, d = g->v->width;

    for (size_t ch = 0; ch < 3; ch++, patch += n) {
        float m = mean(n, patch);

        for (size_t i = 0; i < n; i++)
            patch[i] -= m;
        g->kern->axpy(d, m, g->v->sums + ch * d, x);
    }
}

/* Copy one row of patches of one image.  The task of an image's first row also writes the zeros of its class token. */
static void gather(void *ctx, size_t task, int thread) {
    const struct gathering *g = ctx;
    size_t s = g->v->image, p = g->v->patch, grid = s / p, cols = 3 * p * p;
    size_t i = task / grid, gy = task % grid, row = i * g->v->tokens + 1 + gy * grid;
    float *out = g->patches + row * cols;

    (void)thread;
    if (gy == 0)
        memset(out - cols, 0, cols * sizeof *out);
    for (size_t ch = 0; ch < 3; ch++)
        for (size_t y = 0; y < p; y++) {
            const float *line = g->images + ((i * 3 + ch) * s + gy * p + y) * s;
            for (size_t gx = 0; gx < grid; gx++)
                memcpy(out + gx * cols + (ch * p + y) * p, line + gx * p, p * sizeof *out);
        }
    for (size_t gx = 0; gx < grid && g->v->sums; gx++)
        take_means(g, out + gx * cols, g->x + (row + gx) * g->v->width);
}

/* Computes w->x = ln_pre([class; patches W^T] + position) for n images, with one matrix product for all of them.  In
 * this product the class token is a patch of zeros. */
static void embed_patches(const struct vit *v, const struct compute *c, size_t n,
                          const float *images, const struct work *w) {
    size_t d = v->width, rows = n * v->tokens, cols = v->patches.k;
    struct gathering g = {v, c->kern, images, w->patches, w->pre};

    for (size_t i = 0; i < rows; i++)
        memcpy(w->pre + i * d, v->position + i % v->tokens * d, d * sizeof *w->pre);
    for (size_t i = 0; i < rows; i += v->tokens)
        for (size_t j = 0; j < d; j++)
            w->pre[i * d + j] += v->class_token[j];
    pool_run(c->pool, n * (v->image / v->patch), gather, &g);
    linear_run(&v->patches, c, rows, w->patches, cols, w->pre, d, ACT_NONE, w->pre, w->rest);
    layer_norm(c, rows, d, w->pre, d, v->ln_pre.g, v->ln_pre.b, v->eps, w->x, d);
}

static void pass(const struct vit *v, const struct compute *c, size_t n, const float *images,
                 float *embed, float *features, const struct vit_keep *k, void *scratch) {
    struct scratch s = {scratch, 0};
    struct work w = plan(v, c, n, &s);
    struct transformer_run r = {.n = n, .len = w.len, .row = w.row, .keep = k ? &k->blocks : NULL};
    float *post = k ? k->post : w.pooled;
    size_t d = v->width;

    if (k)
        w.pre = k->pre, w.x = k->blocks.x;
    r.x = w.x;
    r.y = post;
    embed_patches(v, c, n, images, &w);
    for (size_t i = 0; i < n; i++)
        w.len[i] = v->tokens, w.row[i] = 0;
    transformer_run(&v->blocks, c, &r, w.rest);
    layer_norm(c, n, d, post, d, v->ln_post.g, v->ln_post.b, v->eps, w.pooled, d);
    if (features)
        memcpy(features, w.pooled, n * d * sizeof *features);
    linear_run(&v->projection, c, n, w.pooled, d, embed, v->embed, ACT_NONE, NULL, w.rest);
}

void vit_run_keep(const struct vit *v, const struct compute *c, size_t n, const float *images, float *embed,
                  const struct vit_keep *k, void *scratch) {
    pass(v, c, n, images, embed, NULL, k, scratch);
}

void vit_run(const struct vit *v, const struct compute *c, size_t n, const float *images,
             float *embed, float *features, void *scratch) {
    size_t step = vit_pass(v, n), pixels = 3 * v->image * v->image;

    for (size_t i = 0; i < n; i += step)
        pass(v, c, n - i < step ? n - i : step, images + i * pixels, embed + i * v->embed,
             features ? features + i * v->width : NULL, NULL, scratch);
}
