/* small_vqgan.h - the small VQGAN decoder of tests/golden/grad/vqclip
 *
 * This file builds the decoder's layers itself, because the decoder has fewer layers than those that the library opens.
 * The operations are conv_in, r1, attn, up1, r2, up2 and out.  The group norms have 8 groups.
 */
#ifndef UNCLIP_SMALL_VQGAN_H
#define UNCLIP_SMALL_VQGAN_H

#include "lib/net/vq_net.h"

#include "tests/tap.h"

enum { SMALL_OPS = 7, SMALL_GROUPS = 8, SMALL_GRID = 8, SMALL_WIDE = 8 };

static void *small_need(void *p, const char *what) {
    if (!p)
        printf("Bail out! %s\n", what), exit(1);
    return p;
}

static const float *small_golden(const struct weights *z, const char *name, struct arena *a) {
    const struct weight *w = small_need(weights_find(z, name), name);

    return small_need((void *)(uintptr_t)tensor_all_f32(&w->t, a), name);
}

/* Returns a transposed copy of x [C, pixels]: [pixels, C], channels last. */
static float *small_last(const float *x, size_t channels, size_t pixels, struct arena *a) {
    float *y = small_need(arena_take(a, channels * pixels, sizeof *y), "room");

    for (size_t i = 0; i < pixels; i++)
        for (size_t c = 0; c < channels; c++)
            y[i * channels + c] = x[c * pixels + i];
    return y;
}

struct small {
    const struct weights *z;
    const struct compute *k;
    struct arena *a;
};

static const float *small_named(const struct small *b, const char *name, const char *suffix) {
    char full[64];

    snprintf(full, sizeof full, "w.%s.%s", name, suffix);
    return small_golden(b->z, full, b->a);
}

static struct gain small_gain(const struct small *b, const char *name) {
    return (struct gain){small_named(b, name, "weight"), small_named(b, name, "bias")};
}

static struct vq_step small_convolution(const struct small *b, const char *norm, const char *name) {
    struct vq_step s = {.act = norm ? ACT_SILU : ACT_NONE};
    struct err e = {0};
    char full[64];

    snprintf(full, sizeof full, "w.%s.weight", name);
    if (norm)
        s.norm = small_gain(b, norm);
    if (conv_pack(&s.conv, &((struct weight *)small_need(weights_find(b->z, full), full))->t, NULL,
                  small_named(b, name, "bias"), 1, 1, b->k, b->a, &e) < 0)
        small_need(NULL, e.msg);
    s.conv.winograd = true;
    return s;
}

static struct vq_op small_block(const struct small *b, const char *name) {
    char at[4][32];

    for (int i = 0; i < 4; i++)
        snprintf(at[i], sizeof at[i], "%s.%s%d", name, i % 2 ? "conv" : "norm", i / 2 + 1);
    return (struct vq_op){.kind = VQ_CONVS, .steps = 2, .residual = true,
                          .step = {small_convolution(b, at[0], at[1]), small_convolution(b, at[2], at[3])}};
}

static struct vq_op small_one(const struct small *b, const char *norm, const char *name, enum resample r) {
    return (struct vq_op){.kind = VQ_CONVS, .resample = r, .steps = 1, .step = {small_convolution(b, norm, name)}};
}

static struct tensor small_matrix(const struct small *b, const char *name) {
    return (struct tensor){.dtype = sizeof(float) == 8 ? DT_F64 : DT_F32, .nd = 2, .shape = {32, 32}, .stride = {32, 1},
                           .data = small_named(b, name, "weight")};
}

static struct tensor small_vector(const struct small *b, const char *name) {
    return (struct tensor){.dtype = sizeof(float) == 8 ? DT_F64 : DT_F32, .nd = 1, .shape = {32}, .stride = {1},
                           .data = small_named(b, name, "bias")};
}

static struct vq_op small_attention(const struct small *b) {
    struct vq_op o = {.kind = VQ_ATTENTION, .attention = {.c = 32, .heads = 1, .groups = SMALL_GROUPS, .eps = (float)1e-6,
                                                          .norm = small_gain(b, "attn.norm")}};
    struct tensor w[] = {small_matrix(b, "attn.q"), small_matrix(b, "attn.k"), small_matrix(b, "attn.v"),
                         small_matrix(b, "attn.proj_out")};
    struct tensor c[] = {small_vector(b, "attn.q"), small_vector(b, "attn.k"), small_vector(b, "attn.v"),
                         small_vector(b, "attn.proj_out")};
    struct err e = {0};

    if (linear_pack(&o.attention.qkv, 3, w, c, b->k, b->a, &e) < 0 ||
        linear_pack(&o.attention.out, 1, w + 3, c + 3, b->k, b->a, &e) < 0)
        small_need(NULL, e.msg);
    return o;
}

static void small_vqgan(struct vq_decoder *v, const struct weights *z, const struct compute *k, struct arena *a) {
    const struct small b = {z, k, a};
    struct vq_op *o = small_need(arena_zero(a, SMALL_OPS, sizeof *o), "room");

    o[0] = small_one(&b, NULL, "conv_in", RESAMPLE_NONE);
    o[1] = small_block(&b, "r1");
    o[2] = small_attention(&b);
    o[3] = small_one(&b, NULL, "up1", RESAMPLE_UP2);
    o[4] = small_block(&b, "r2");
    o[5] = small_one(&b, NULL, "up2", RESAMPLE_UP2);
    o[6] = small_one(&b, "norm_out", "conv_out", RESAMPLE_NONE);
    *v = (struct vq_decoder){.c = {.pixels = VQ_SIGNED, .decoder = true, .codes = 12, .factor = 4, .ratio = 4},
                             .net = {.op = o, .n = SMALL_OPS, .in = SMALL_WIDE, .out = 3, .groups = SMALL_GROUPS,
                                     .eps = (float)1e-6},
                             .row = small_golden(z, "run.codebook", a)};
}

#endif
