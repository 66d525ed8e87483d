#include "lib/net/resnet.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/scratch.h"
#include "lib/layer/activation.h"
#include "lib/layer/attention.h"

static const double bn_eps = 1e-5;

/* ---- binding ---- */

/* Bind a convolution and the BatchNorm after it.  Their names are `at` followed by `conv` and by `bn`. */
static void bind_block_conv(struct bind *b, struct conv *k, const char *at, const char *conv,
                            const char *bn, size_t in, size_t out, size_t side, size_t stride) {
    float *bias = bind_take(b, out, sizeof *bias);
    float *scale = bind_take(b, out, sizeof *scale);
    const float *gamma = bind_floats(b, bind_name(b, "%s%s.weight", at, bn), out);
    const float *beta = bind_floats(b, bind_name(b, "%s%s.bias", at, bn), out);
    const float *mean = bind_floats(b, bind_name(b, "%s%s.running_mean", at, bn), out);
    const float *var = bind_floats(b, bind_name(b, "%s%s.running_var", at, bn), out);
    struct tensor w = bind_filters(b, bind_name(b, "%s%s.weight", at, conv), out, in, side, side);

    for (size_t i = 0; i < out && !b->bad; i++) {
        double f = (double)gamma[i] / sqrt((double)var[i] + bn_eps);
        scale[i] = (float)f;
        bias[i] = (float)((double)beta[i] - (double)mean[i] * f);
        if (!isfinite(scale[i]) || !isfinite(bias[i])) {
            b->bad = true;
            err_set(b->e, "tensor %.64s%.64s.running_var holds %g, which is not a usable variance", at, bn,
                    (double)var[i]);
        }
    }
    bind_conv(b, k, &w, scale, bias, stride, side / 2);
}

/* Bind convolution i, 1 to 3, of the stem or of a block, with its BatchNorm. */
static void bind_numbered(struct bind *b, struct conv *k, const struct resnet_names *names, const char *at, int i,
                          size_t in, size_t out, size_t side, size_t stride) {
    char conv[32], bn[32];

    snprintf(conv, sizeof conv, "%.20s%d", names->conv, i);
    snprintf(bn, sizeof bn, "%.20s%d", names->bn, i);
    bind_block_conv(b, k, at, conv, bn, in, out, side, stride);
}

static void bind_block(struct bind *b, struct bottleneck *k, const struct resnet_names *names, const char *at) {
    size_t p = k->planes, in = k->in;

    bind_numbered(b, &k->conv1, names, at, 1, in, p, 1, 1);
    bind_numbered(b, &k->conv2, names, at, 2, p, p, 3, 1);
    bind_numbered(b, &k->conv3, names, at, 3, p, 4 * p, 1, 1);
    if (k->shortcut)
        bind_block_conv(b, &k->down, at, names->shortcut, names->shortcut_bn, in, 4 * p, 1, 1);
}

static void bind_pool(struct resnet *r, const struct resnet_names *names, struct bind *b) {
    size_t d = 32 * r->width, side = r->image / 32;
    const char *const part[2] = {names->k, names->v};
    struct tensor w[2], v[2];
    char name[96];

    r->position = bind_table(b, bind_name(b, "%s%s", names->prefix, names->position), side * side + 1, d);
    snprintf(name, sizeof name, "%.40s%.50s", names->prefix, names->q);
    bind_linear(b, &r->q, name, d, d);
    for (int i = 0; i < 2; i++) {
        w[i] = bind_matrix(b, bind_name(b, "%s%s.weight", names->prefix, part[i]), d, d);
        v[i] = bind_vector(b, bind_name(b, "%s%s.bias", names->prefix, part[i]), d);
    }
    bind_parts(b, &r->kv, 2, w, v);
    snprintf(name, sizeof name, "%.40s%.50s", names->prefix, names->c);
    bind_linear(b, &r->c, name, r->embed, d);
}

void resnet_bind(struct resnet *r, const struct clip_vision_config *config, const struct resnet_names *names,
                 struct bind *b) {
    size_t w = config->width, in = w, at = 0;
    char name[64];

    r->image = config->image;
    r->width = w;
    r->embed = config->embed;
    r->heads = config->heads;
    bind_numbered(b, &r->stem[0], names, names->prefix, 1, 3, w / 2, 3, 2);
    bind_numbered(b, &r->stem[1], names, names->prefix, 2, w / 2, w / 2, 3, 1);
    bind_numbered(b, &r->stem[2], names, names->prefix, 3, w / 2, w, 3, 1);
    r->blocks = config->blocks[0] + config->blocks[1] + config->blocks[2] + config->blocks[3];
    r->block = bind_take(b, r->blocks, sizeof *r->block);
    for (size_t stage = 0; stage < 4; stage++)
        for (size_t i = 0; i < config->blocks[stage] && !b->bad; i++, at++) {
            struct bottleneck *k = &r->block[at];
            k->in = in;
            k->planes = w << stage;
            k->stride = stage && i == 0 ? 2 : 1;
            k->shortcut = i == 0;
            snprintf(name, sizeof name, "%.20s%.20s%zu.%zu.", names->prefix, names->stage, stage + 1, i);
            bind_block(b, k, names, name);
            in = 4 * k->planes;
        }
    bind_pool(r, names, b);
}

/* ---- running ---- */

/* Two large feature maps, two small ones, and the scratch of convolutions.  Let u = S^2 w / 8 floats for each image.
 * The result of the stem's last convolution and those of layer1 have 2 u floats.  All others have u or fewer. */
struct work {
    float *x, *y;      /* 2 u */
    float *s, *t;      /* max(u, 3 S^2) */
    float *q, *kv;     /* of the attention pool */
    unsigned char *bits;    /* the place of the next ReLU's bits, or NULL */
    struct attention_seq *seq;
    void *rest;
};

static size_t unit(const struct resnet *r) {
    return r->image * r->image / 8 * r->width;
}

/* The number is small because large feature maps should stay in the CPU's caches. */
size_t resnet_pass(const struct resnet *r, size_t n) {
    size_t most = ((size_t)4 << 20) / unit(r);

    return n < most ? n : most ? most : 1;
}

/* Returns the scratch that the largest step needs.  The steps are those of run_stem, run_block and attention_pool. */
static size_t rest_of(const struct resnet *r, const struct compute *c, size_t n) {
    size_t side = r->image, most, d = 32 * r->width, rows;
    struct attention a = {r->heads, d / r->heads, 0, false};

    most = conv_scratch(&r->stem[0], c, n, side, side);
    side /= 2;
    most = size_max(most, conv_scratch(&r->stem[1], c, n, side, side));
    most = size_max(most, conv_scratch(&r->stem[2], c, n, side, side));
    side /= 2;
    for (size_t i = 0; i < r->blocks; i++) {
        const struct bottleneck *k = &r->block[i];
        most = size_max(most, conv_scratch(&k->conv1, c, n, side, side));
        most = size_max(most, conv_scratch(&k->conv2, c, n, side, side));
        side /= k->stride;
        most = size_max(most, conv_scratch(&k->conv3, c, n, side, side));
        if (k->shortcut)
            most = size_max(most, conv_scratch(&k->down, c, n, side, side));
    }
    rows = side * side + 1;
    most = size_max(most, linear_scratch(&r->q, c, n));
    most = size_max(most, linear_scratch(&r->kv, c, n * rows));
    most = size_max(most, linear_scratch(&r->c, c, n));
    return size_max(most, attention_scratch(&a, c, rows));
}

static struct work plan(const struct resnet *r, const struct compute *c, size_t n, struct scratch *s) {
    size_t u = n * unit(r), pixels = n * 3 * r->image * r->image;
    struct work w = {0};

    w.x = scratch_cut(s, 2 * u, sizeof(float));
    w.y = scratch_cut(s, 2 * u, sizeof(float));
    w.s = scratch_cut(s, size_max(u, pixels), sizeof(float));
    w.t = scratch_cut(s, size_max(u, pixels), sizeof(float));
    w.q = w.t;
    w.kv = w.s;
    w.seq = scratch_cut(s, n, sizeof *w.seq);
    w.rest = scratch_cut(s, rest_of(r, c, n), 1);
    return w;
}

size_t resnet_scratch(const struct resnet *r, const struct compute *c, size_t n) {
    struct scratch s = {0};

    if (n == 0)
        return 0;
    plan(r, c, resnet_pass(r, n), &s);
    return s.used;
}

struct feature_map {
    const float *in;
    float *out;
    size_t side, channels;    /* of the result */
};

/* Copy one line of [n, 3, S, S] to [n, S, S, 3]. */
static void interleave(void *ctx, size_t task, int thread) {
    const struct feature_map *p = ctx;
    size_t s = p->side, i = task / s, y = task % s;
    float *out = p->out + task * s * 3;

    (void)thread;
    for (size_t ch = 0; ch < 3; ch++) {
        const float *in = p->in + ((i * 3 + ch) * s + y) * s;
        for (size_t x = 0; x < s; x++)
            out[x * 3 + ch] = in[x];
    }
}

/* Compute one line of the means of 2 x 2 pixels. */
static void halve_line(void *ctx, size_t task, int thread) {
    const struct feature_map *p = ctx;
    size_t s = p->side, ch = p->channels;
    const float *in = p->in + task * 4 * s * ch;    /* two lines of 2 s pixels */

    (void)thread;
    for (size_t x = 0; x < s; x++) {
        const float *a = in + x * 2 * ch, *b = a + 2 * s * ch;
        float *out = p->out + (task * s + x) * ch;
        for (size_t j = 0; j < ch; j++)
            out[j] = 0.25f * (a[j] + a[ch + j] + b[j] + b[ch + j]);
    }
}

/* Computes an average pool of 2 x 2 pixels.  The result is n feature maps of side x side. */
static void halve(const struct compute *c, size_t n, size_t side, size_t channels, const float *in,
                  float *out) {
    struct feature_map p = {in, out, side, channels};

    pool_run(c->pool, n * side, halve_line, &p);
}

/* Computes a convolution of n maps of side x side, with ReLU. */
static void conv_relu(const struct conv *k, const struct compute *c, size_t n, size_t side, const float *in, float *out,
                      const float *residual, struct work *w) {
    size_t to = side / k->stride, count = n * to * to * k->out;

    conv_run(k, c, n, side, side, in, out, ACT_RELU, residual, w->rest);
    if (!w->bits)
        return;
    relu_keep(c, count, out, w->bits);
    w->bits += div_up(count, 8);
}

/* Compute the stem's result, w->x [n, S / 4, S / 4, w], from the images. */
static void run_stem(const struct resnet *r, const struct compute *c, size_t n, const float *images,
                     struct work *w) {
    struct feature_map p = {images, w->s, r->image, 3};
    size_t s = r->image;

    pool_run(c->pool, n * s, interleave, &p);
    conv_relu(&r->stem[0], c, n, s, w->s, w->t, NULL, w);
    s /= 2;
    conv_relu(&r->stem[1], c, n, s, w->t, w->s, NULL, w);
    conv_relu(&r->stem[2], c, n, s, w->s, w->y, NULL, w);
    halve(c, n, s / 2, r->width, w->y, w->x);
}

static void swap(float **a, float **b) {
    float *t = *a;

    *a = *b;
    *b = t;
}

/* Replace w->x by the block's result.  Returns the side of the result. */
static size_t run_block(const struct bottleneck *k, const struct compute *c, size_t n, size_t side,
                        struct work *w) {
    const float *x = w->x;

    conv_relu(&k->conv1, c, n, side, x, w->s, NULL, w);
    conv_relu(&k->conv2, c, n, side, w->s, w->t, NULL, w);
    if (k->stride == 2) {
        side /= 2;
        halve(c, n, side, k->planes, w->t, w->s);
        swap(&w->s, &w->t);
        halve(c, n, side, k->in, x, w->s);
        x = w->s;
    }
    if (k->shortcut) {
        conv_run(&k->down, c, n, side, side, x, w->y, ACT_NONE, NULL, w->rest);
        swap(&w->x, &w->y);
    }
    conv_relu(&k->conv3, c, n, side, w->t, w->x, w->x, w);
    return side;
}

/* z = [mean of the pixels; pixels] + position, for one image. */
static void prepend_mean(const struct resnet *r, size_t pixels, const float *x, float *z) {
    size_t d = 32 * r->width;

    memset(z, 0, d * sizeof *z);
    for (size_t i = 0; i < pixels; i++)
        for (size_t j = 0; j < d; j++)
            z[j] += x[i * d + j];
    for (size_t j = 0; j < d; j++)
        z[j] = z[j] / (float)pixels + r->position[j];
    for (size_t i = d; i < (pixels + 1) * d; i++)
        z[i] = x[i - d] + r->position[i];
}

static void attention_pool(const struct resnet *r, const struct compute *c, size_t n, size_t pixels,
                           float *embed, const struct work *w) {
    size_t d = 32 * r->width, rows = pixels + 1;
    struct attention a = {r->heads, d / r->heads, 1 / sqrtf((float)(d / r->heads)), false};
    float *z = w->y, *o = w->x;    /* x is not read after z is made */

    for (size_t i = 0; i < n; i++)
        prepend_mean(r, pixels, w->x + i * pixels * d, z + i * rows * d);
    linear_run(&r->q, c, n, z, rows * d, w->q, d, ACT_NONE, NULL, w->rest);
    linear_run(&r->kv, c, n * rows, z, d, w->kv, 2 * d, ACT_NONE, NULL, w->rest);
    for (size_t i = 0; i < n; i++) {
        const float *k = w->kv + i * rows * 2 * d;
        w->seq[i] = (struct attention_seq){.q = w->q + i * d, .o = o + i * d, .nq = 1, .ldq = d,
                                           .ldo = d, .keys = {{0}, {k, k + d, rows, 2 * d}}};
    }
    attention_run(&a, c, n, w->seq, w->rest);
    linear_run(&r->c, c, n, o, d, embed, r->embed, ACT_NONE, NULL, w->rest);
}

static void pass(const struct resnet *r, const struct compute *c, size_t n, const float *images,
                 float *embed, const struct resnet_keep *k, void *scratch) {
    struct scratch s = {scratch, 0};
    struct work w = plan(r, c, n, &s);
    size_t side = r->image / 4;

    if (k)
        w.bits = k->bits, w.q = k->q, w.kv = k->kv;
    run_stem(r, c, n, images, &w);
    for (size_t i = 0; i < r->blocks; i++)
        side = run_block(&r->block[i], c, n, side, &w);
    attention_pool(r, c, n, side * side, embed, &w);
}

void resnet_run_keep(const struct resnet *r, const struct compute *c, size_t n, const float *images, float *embed,
                     const struct resnet_keep *k, void *scratch) {
    pass(r, c, n, images, embed, k, scratch);
}

void resnet_run(const struct resnet *r, const struct compute *c, size_t n, const float *images,
                float *embed, void *scratch) {
    size_t step = resnet_pass(r, n), pixels = 3 * r->image * r->image;

    for (size_t i = 0; i < n; i += step)
        pass(r, c, n - i < step ? n - i : step, images + i * pixels, embed + i * r->embed, NULL, scratch);
}
