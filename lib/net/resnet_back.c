#include "lib/net/resnet_back.h"

#include <math.h>

#include "lib/layer/activation.h"
#include "lib/layer/attention_back.h"

int resnet_turn(struct resnet_turned *u, const struct resnet *r, const struct compute *c, struct arena *keep, struct err *e) {
    u->block = arena_take(keep, r->blocks, sizeof *u->block);
    if (!u->block)
        return err_set(e, "out of memory for weights");
    if (conv_turn_window(&u->window, &r->stem[0], c, keep, e) < 0 || conv_turn(&u->stem[0], &r->stem[1], c, keep, e) < 0 ||
        conv_turn(&u->stem[1], &r->stem[2], c, keep, e) < 0)
        return -1;
    for (size_t i = 0; i < r->blocks; i++) {
        const struct bottleneck *k = &r->block[i];
        struct bottleneck_turned *b = &u->block[i];

        if (conv_turn(&b->conv1, &k->conv1, c, keep, e) < 0 || conv_turn(&b->conv2, &k->conv2, c, keep, e) < 0 ||
            conv_turn(&b->conv3, &k->conv3, c, keep, e) < 0 || (k->shortcut && conv_turn(&b->down, &k->down, c, keep, e) < 0))
            return -1;
    }
    if (linear_transpose(&u->q, &r->q, 1, c, keep, e) < 0 || linear_transpose(&u->kv, &r->kv, 1, c, keep, e) < 0 ||
        linear_transpose(&u->c, &r->c, 1, c, keep, e) < 0)
        return -1;
    return 0;
}

/* Returns the number of bytes that hold the bits of one ReLU's result. */
static size_t bits_of(size_t n, size_t side, size_t channels) {
    return div_up(n * side * side * channels, 8);
}

/* Returns the number of bytes that hold all bits of a pass of n images.  *last receives the side of the last maps. */
static size_t all_bits(const struct resnet *r, size_t n, size_t *last) {
    size_t side = r->image / 2, bytes = 0;

    for (int i = 0; i < 3; i++)
        bytes += bits_of(n, side, r->stem[i].out);
    side /= 2;
    for (size_t i = 0; i < r->blocks; i++) {
        const struct bottleneck *b = &r->block[i];

        bytes += 2 * bits_of(n, side, b->planes);
        side /= b->stride;
        bytes += bits_of(n, side, 4 * b->planes);
    }
    *last = side;
    return bytes;
}

struct resnet_keep resnet_keep_cut(const struct resnet *r, size_t n, struct scratch *s) {
    size_t d = 32 * r->width, side;
    struct resnet_keep k;

    k.bits = scratch_cut(s, all_bits(r, n, &side), 1);
    k.q = scratch_cut(s, n * d, sizeof(float));
    k.kv = scratch_cut(s, n * (side * side + 1) * 2 * d, sizeof(float));
    return k;
}

/* The scratch that the largest step needs, and the floats of the arrays x, y and s, t. */
struct sizes {
    size_t large, small, rest;
};

static void at_least(struct sizes *z, size_t large, size_t small, size_t rest) {
    z->large = size_max(z->large, large);
    z->small = size_max(z->small, small);
    z->rest = size_max(z->rest, rest);
}

/* Returns the sizes for the largest step.  The steps are those of the functions below. */
static struct sizes sizes_of(const struct resnet *r, const struct resnet_turned *u, const struct compute *c, size_t n) {
    size_t side = r->image / 2, d = 32 * r->width, rows, m = n * side * side;
    struct attention a = {r->heads, d / r->heads, 0, false};
    struct sizes z = {0};

    at_least(&z, m * r->width, m * r->width / 2, linear_scratch(&u->window, c, m));
    at_least(&z, m * u->window.n, 0, conv_scratch(&u->stem[0], c, n, side, side));
    at_least(&z, 0, 0, conv_scratch(&u->stem[1], c, n, side, side));
    side /= 2;
    for (size_t i = 0; i < r->blocks; i++) {
        const struct bottleneck *k = &r->block[i];
        const struct bottleneck_turned *b = &u->block[i];

        m = n * side * side;
        at_least(&z, m * k->in, m * k->planes, conv_scratch(&b->conv1, c, n, side, side));
        at_least(&z, 0, 0, conv_scratch(&b->conv2, c, n, side, side));
        side /= k->stride;
        m = n * side * side;
        at_least(&z, m * 4 * k->planes, m * (k->stride == 2 ? k->in : k->planes), conv_scratch(&b->conv3, c, n, side, side));
        if (k->shortcut)
            at_least(&z, 0, 0, conv_scratch(&b->down, c, n, side, side));
    }
    rows = side * side + 1;
    at_least(&z, n * rows * 2 * d, n * d, attention_back_scratch(&a, c, rows) + round_up(n * sizeof(struct attention_back_seq), ARENA_ALIGN));
    at_least(&z, 0, 0, size_max(linear_scratch(&u->q, c, n), linear_scratch(&u->c, c, n)));
    at_least(&z, 0, 0, linear_scratch(&u->kv, c, n * rows));
    return z;
}

static struct resnet_gradient plan(const struct resnet *r, const struct resnet_turned *u, const struct compute *c,
                                   size_t n, struct scratch *s) {
    struct sizes z = sizes_of(r, u, c, n);
    struct resnet_gradient g = {.r = r, .u = u, .c = c, .n = n};

    g.x = scratch_cut(s, z.large, sizeof(float));
    g.y = scratch_cut(s, z.large, sizeof(float));
    g.s = scratch_cut(s, z.small, sizeof(float));
    g.t = scratch_cut(s, z.small, sizeof(float));
    g.rest = scratch_cut(s, z.rest, 1);
    return g;
}

size_t resnet_back_scratch(const struct resnet *r, const struct resnet_turned *u, const struct compute *c, size_t n) {
    struct scratch s = {0};

    plan(r, u, c, n, &s);
    return s.used;
}

static void swap(float **a, float **b) {
    float *t = *a;

    *a = *b;
    *b = t;
}

/* Applies the ReLU whose bits come before g->bits to the gradient x of maps of side x side. */
static void relu(struct resnet_gradient *g, size_t side, size_t channels, float *x) {
    g->bits -= bits_of(g->n, side, channels);
    relu_back(g->c, g->n * side * side * channels, g->bits, x, x);
}

static void conv(const struct resnet_gradient *g, const struct conv *k, size_t side, const float *in, float *out,
                 const float *residual) {
    conv_run(k, g->c, g->n, side, side, in, out, ACT_NONE, residual, g->rest);
}

struct spreading {
    const float *in;
    float *out;
    size_t side, channels;    /* of in */
    bool add;
};

/* Computes two lines of out from one line of in. */
static void spread_line(void *ctx, size_t task, int thread) {
    const struct spreading *p = ctx;
    size_t s = p->side, ch = p->channels;
    const float *in = p->in + task * s * ch;
    float *out = p->out + task * 4 * s * ch;

    (void)thread;
    for (size_t x = 0; x < 4 * s; x++) {
        const float *from = in + x % (2 * s) / 2 * ch;
        float *to = out + x * ch;

        if (p->add)
            for (size_t j = 0; j < ch; j++)
                to[j] += (float)0.25 * from[j];
        else
            for (size_t j = 0; j < ch; j++)
                to[j] = (float)0.25 * from[j];
    }
}

/* The gradient of the average pool of 2 x 2 pixels, from maps of side x side: out = (add ? out : 0) + in / 4. */
static void spread(const struct resnet_gradient *g, size_t side, size_t channels, const float *in, float *out, bool add) {
    struct spreading p = {in, out, side, channels, add};

    pool_run(g->c->pool, g->n * side, spread_line, &p);
}

/* dx of pixel i = dz_(i + 1) + dz_0 / pixels, for one image. */
static void share_mean(size_t d, size_t pixels, const float *dz, float *dx) {
    for (size_t i = 0; i < pixels; i++)
        for (size_t j = 0; j < d; j++)
            dx[i * d + j] = dz[(i + 1) * d + j] + dz[j] / (float)pixels;
}

struct resnet_gradient resnet_back_pool(const struct resnet *r, const struct resnet_turned *u, const struct compute *c,
                                        size_t n, const struct resnet_keep *k, const float *d_embed, void *scratch) {
    struct scratch s = {scratch, 0};
    struct resnet_gradient g = plan(r, u, c, n, &s);
    size_t d = 32 * r->width, bits = all_bits(r, n, &g.side), rows = g.side * g.side + 1;
    struct attention a = {r->heads, d / r->heads, 1 / sqrtf((float)(d / r->heads)), false};
    struct attention_back_seq *seq = g.rest;
    void *rest = (char *)g.rest + round_up(n * sizeof *seq, ARENA_ALIGN);

    g.block = r->blocks;
    g.bits = k->bits + bits;
    linear_run(&u->c, c, n, d_embed, r->embed, g.s, d, ACT_NONE, NULL, g.rest);
    for (size_t i = 0; i < n; i++) {
        size_t at = i * rows * 2 * d;

        seq[i] = (struct attention_back_seq){.q = k->q + i * d, .k = k->kv + at, .v = k->kv + at + d, .dout = g.s + i * d,
                                             .dq = g.s + i * d, .dk = g.x + at, .dv = g.x + at + d, .nq = 1, .nk = rows,
                                             .ldq = d, .ldk = 2 * d};
    }
    attention_back(&a, c, n, seq, rest);
    linear_run(&u->kv, c, n * rows, g.x, 2 * d, g.y, d, ACT_NONE, NULL, g.rest);
    linear_run(&u->q, c, n, g.s, d, g.y, rows * d, ACT_NONE, g.y, g.rest);    /* adds to the rows of the means */
    for (size_t i = 0; i < n; i++)
        share_mean(d, rows - 1, g.y + i * rows * d, g.x + i * (rows - 1) * d);
    return g;
}

void resnet_back_block(struct resnet_gradient *g) {
    const struct bottleneck *k = &g->r->block[--g->block];
    const struct bottleneck_turned *u = &g->u->block[g->block];
    size_t side = g->side, before = side * k->stride;

    relu(g, side, 4 * k->planes, g->x);
    conv(g, &u->conv3, side, g->x, g->s, NULL);
    if (k->stride == 2) {
        spread(g, side, k->planes, g->s, g->t, false);
        swap(&g->s, &g->t);
    }
    relu(g, before, k->planes, g->s);
    conv(g, &u->conv2, before, g->s, g->t, NULL);
    relu(g, before, k->planes, g->t);
    g->side = before;
    if (!k->shortcut) {
        conv(g, &u->conv1, before, g->t, g->x, g->x);
        return;
    }
    conv(g, &u->conv1, before, g->t, g->y, NULL);
    if (k->stride == 2) {
        conv(g, &u->down, side, g->x, g->s, NULL);
        spread(g, side, k->in, g->s, g->y, true);
    } else {
        conv(g, &u->down, side, g->x, g->y, g->y);
    }
    swap(&g->x, &g->y);
}

struct window {
    const struct conv *k;
    const float *in;    /* [n, side, side, window, 3]: what each pixel of the result adds to its window */
    float *images;      /* [n, 3, S, S] */
    size_t side, image;
};

/* Computes one line of one image: each pixel is the sum over the windows that it is in. */
static void add_windows(void *ctx, size_t task, int thread) {
    const struct window *w = ctx;
    const struct conv *k = w->k;
    size_t s = w->image, i = task / s, y = task % s, cols = k->side * k->side * 3;
    float *out = w->images + i * 3 * s * s + y * s;

    (void)thread;
    for (size_t x = 0; x < s; x++) {
        float sum[3] = {0};

        for (size_t dy = (y + k->pad) % k->stride; dy < k->side; dy += k->stride)
            for (size_t dx = (x + k->pad) % k->stride; dx < k->side; dx += k->stride) {
                size_t oy = (y + k->pad - dy) / k->stride, ox = (x + k->pad - dx) / k->stride;
                const float *from = w->in + ((i * w->side + oy) * w->side + ox) * cols + (dy * k->side + dx) * 3;

                if (y + k->pad < dy || x + k->pad < dx || oy >= w->side || ox >= w->side)
                    continue;
                for (size_t ch = 0; ch < 3; ch++)
                    sum[ch] += from[ch];
            }
        for (size_t ch = 0; ch < 3; ch++)
            out[ch * s * s + x] = sum[ch];
    }
}

void resnet_back_stem(struct resnet_gradient *g, float *d_images) {
    const struct resnet *r = g->r;
    size_t side = 2 * g->side, m = g->n * side * side;
    struct window w = {&r->stem[0], g->x, d_images, side, r->image};

    spread(g, g->side, r->width, g->x, g->y, false);
    relu(g, side, r->width, g->y);
    conv(g, &g->u->stem[1], side, g->y, g->s, NULL);
    relu(g, side, r->stem[1].out, g->s);
    conv(g, &g->u->stem[0], side, g->s, g->t, NULL);
    relu(g, side, r->stem[0].out, g->t);
    linear_run(&g->u->window, g->c, m, g->t, r->stem[0].out, g->x, g->u->window.n, ACT_NONE, NULL, g->rest);
    pool_run(g->c->pool, g->n * r->image, add_windows, &w);
}

void resnet_back(const struct resnet *r, const struct resnet_turned *u, const struct compute *c, size_t n,
                 const struct resnet_keep *k, const float *d_embed, float *d_images, void *scratch) {
    struct resnet_gradient g = resnet_back_pool(r, u, c, n, k, d_embed, scratch);

    while (g.block)
        resnet_back_block(&g);
    resnet_back_stem(&g, d_images);
}
