/* Bind a U-Net: take each block's tensors, from diffusers' files or from the original ones. */
#include <stdio.h>
#include <string.h>

#include "lib/net/unet_names.h"
#include "lib/net/unet_net.h"

struct binder {
    struct bind b;
    struct unet *u;
    const struct unet_names *f;
    char at[UNET_BLOCK_NAME];    /* the block's name, prefix included */
};

static const char *sub(struct binder *s, const char *name) {
    return bind_name(&s->b, "%.120s.%s", s->at, name);
}

static const char *whole(struct binder *s, const char *name) {
    return bind_name(&s->b, "%.120s%s", s->u->c.prefix, name);
}

/* Bind `name`.weight [co, ci, side, side] and `name`.bias.  `name` may be s->b.name, which this function overwrites. */
static void bind_named_conv(struct binder *s, struct conv *v, const char *name, size_t co, size_t ci, size_t side) {
    char base[256];
    struct tensor w;
    const float *bias;

    snprintf(base, sizeof base, "%.250s", name);
    w = bind_filters(&s->b, bind_name(&s->b, "%.240s.weight", base), co, ci, side, side);
    bias = bind_floats(&s->b, bind_name(&s->b, "%.240s.bias", base), co);
    bind_conv(&s->b, v, &w, NULL, bias, 1, side / 2);
    v->winograd = true;
}

static void bind_res(struct binder *s, struct unet_res *r, size_t ci, size_t co, enum resample resample) {
    const struct unet_config *c = &s->u->c;
    const struct unet_names *f = s->f;

    r->ci = ci;
    r->co = co;
    r->resample = resample;
    r->norm1 = bind_gain(&s->b, sub(s, f->norm1), ci);
    bind_named_conv(s, &r->conv1, sub(s, f->conv1), co, ci, 3);
    bind_linear(&s->b, &r->time, sub(s, f->time), c->film ? 2 * co : co, 4 * c->width[0]);
    r->norm2 = bind_gain(&s->b, sub(s, f->norm2), co);
    bind_named_conv(s, &r->conv2, sub(s, f->conv2), co, co, 3);
    r->has_shortcut = ci != co;
    if (r->has_shortcut)
        bind_named_conv(s, &r->shortcut, sub(s, f->shortcut), co, ci, 1);
}

/* Takes a matrix that the original files store as a convolution over positions, [n, k, 1]. */
static struct tensor matrix1(struct binder *s, const char *name, size_t n, size_t k) {
    struct tensor t = {.dtype = DT_F32, .nd = 0};

    if (!s->b.bad && weights_take(s->b.ws, name, &t, s->b.e, 3, n, k, (size_t)1) < 0)
        s->b.bad = true;
    bind_check(&s->b, name, &t);
    t.nd = 2;
    return t;
}

/* Bind one matrix in which q is above k and k above v (parts = 3), or k above v (parts = 2).  In the file the rows are
 * interleaved per head: row h * parts * d + part * d + c is element c of that part of head h. */
static void bind_interleaved(struct binder *s, struct linear *l, const char *name, size_t parts, size_t heads,
                             size_t d, size_t k) {
    enum { MOST = 3 * 64 };
    struct tensor w, b, ws[MOST], bs[MOST];
    char base[256];
    size_t n = 0;

    snprintf(base, sizeof base, "%.250s", name);
    w = matrix1(s, bind_name(&s->b, "%.240s.weight", base), parts * heads * d, k);
    b = bind_vector(&s->b, bind_name(&s->b, "%.240s.bias", base), parts * heads * d);
    if (s->b.bad)
        return;
    if (parts * heads > MOST) {
        s->b.bad = true;
        err_set(s->b.e, "%.200s: %zu heads are more than this program handles", base, heads);
        return;
    }
    for (size_t p = 0; p < parts; p++)
        for (size_t h = 0; h < heads; h++, n++) {
            size_t row = (h * parts + p) * d;
            ws[n] = tensor_rows(&w, row, row + d);
            bs[n] = tensor_rows(&b, row, row + d);
        }
    bind_parts(&s->b, l, n, ws, bs);
}

static void bind_separate(struct binder *s, struct linear *l, size_t parts, const char *const name[], size_t c,
                          size_t k) {
    struct tensor w[3], b[3];

    for (size_t p = 0; p < parts; p++) {
        w[p] = bind_matrix(&s->b, bind_name(&s->b, "%.120s.%s.weight", s->at, name[p]), c, k);
        b[p] = bind_vector(&s->b, bind_name(&s->b, "%.120s.%s.bias", s->at, name[p]), c);
    }
    bind_parts(&s->b, l, parts, w, b);
}

static void bind_attention(struct binder *s, struct unet_attention *a, size_t c, size_t head) {
    const struct unet_config *cfg = &s->u->c;
    const struct unet_names *f = s->f;
    const char *const own[] = {f->q, f->k, f->v}, *const ctx[] = {f->kc, f->vc};

    a->a.c = c;
    a->a.heads = c / head;
    a->a.groups = cfg->groups;
    a->a.eps = cfg->eps;
    a->index = s->u->attentions++;
    a->a.norm = bind_gain(&s->b, sub(s, f->norm), c);
    if (f->qkv) {
        bind_interleaved(s, &a->a.qkv, sub(s, f->qkv), 3, a->a.heads, head, c);
        if (cfg->context)
            bind_interleaved(s, &a->context, sub(s, f->kv), 2, a->a.heads, head, cfg->context);
    } else {
        bind_separate(s, &a->a.qkv, 3, own, c, c);
        if (cfg->context)
            bind_separate(s, &a->context, 2, ctx, c, cfg->context);
    }
    if (f->qkv) {
        struct tensor w = matrix1(s, bind_name(&s->b, "%.120s.%s.weight", s->at, f->out), c, c);
        struct tensor b = bind_vector(&s->b, bind_name(&s->b, "%.120s.%s.bias", s->at, f->out), c);
        bind_parts(&s->b, &a->a.out, 1, &w, &b);
    } else {
        bind_linear(&s->b, &a->a.out, sub(s, f->out), c, c);
    }
}

static void go(struct binder *s, enum unet_place p, size_t l, size_t j) {
    s->f->block(s->at, &s->u->c, p, l, j);
}

static void bind_down(struct binder *s, size_t l) {
    const struct unet_config *c = &s->u->c;
    struct unet_level *v = &s->u->level[l];
    size_t w = c->width[l];

    v->down = bind_take(&s->b, c->layers, sizeof *v->down);
    v->down_att = c->attention[l] ? bind_take(&s->b, c->layers, sizeof *v->down_att) : NULL;
    for (size_t j = 0; !s->b.bad && j < c->layers; j++) {
        go(s, DOWN_RES, l, j);
        bind_res(s, &v->down[j], j ? w : c->width[l ? l - 1 : 0], w, RESAMPLE_NONE);
        if (v->down_att) {
            go(s, DOWN_ATT, l, j);
            bind_attention(s, &v->down_att[j], w, c->head);
        }
    }
    if (l + 1 < c->levels) {
        go(s, HALVE, l, 0);
        bind_res(s, &v->halve, w, w, RESAMPLE_DOWN2);
    }
}

/* Returns the channels of the feature map that block j of level l pops on the way up. */
static size_t skip_width(const struct unet_config *c, size_t l, size_t j) {
    return j < c->layers ? c->width[l] : c->width[l ? l - 1 : 0];
}

static void bind_up(struct binder *s, size_t u) {
    const struct unet_config *c = &s->u->c;
    size_t l = c->levels - 1 - u, w = c->width[l];
    struct unet_level *v = &s->u->level[l];

    v->up = bind_take(&s->b, c->layers + 1, sizeof *v->up);
    v->up_att = c->attention[l] ? bind_take(&s->b, c->layers + 1, sizeof *v->up_att) : NULL;
    for (size_t j = 0; !s->b.bad && j <= c->layers; j++) {
        size_t h = j ? w : c->width[u ? l + 1 : l];
        go(s, UP_RES, u, j);
        bind_res(s, &v->up[j], h + skip_width(c, l, j), w, RESAMPLE_NONE);
        if (v->up_att) {
            go(s, UP_ATT, u, j);
            bind_attention(s, &v->up_att[j], w, c->head);
        }
    }
    if (u + 1 < c->levels) {
        go(s, TWICE, u, 0);
        bind_res(s, &v->twice, w, w, RESAMPLE_UP2);
    }
}

static int check(const struct unet_config *c, struct err *e) {
    if (c->levels < 1 || c->levels > UNET_LEVELS || c->layers < 1 || c->layers > 16)
        return err_set(e, "a U-Net of %zu levels with %zu blocks each: 1 to %d and 1 to 16 are possible", c->levels,
                       c->layers, UNET_LEVELS);
    for (size_t l = 0; l < c->levels; l++) {
        if (!c->width[l] || c->width[l] > 1 << 16 || !c->groups || c->width[l] % c->groups)
            return err_set(e, "%zu channels do not fit %zu groups", c->width[l], c->groups);
        if (c->attention[l] && (!c->head || c->width[l] % c->head))
            return err_set(e, "%zu channels do not fit heads of %zu", c->width[l], c->head);
    }
    if (c->mid_attention && (!c->mid_head || c->width[c->levels - 1] % c->mid_head))
        return err_set(e, "%zu channels do not fit heads of %zu", c->width[c->levels - 1], c->mid_head);
    if (c->width[0] % 2)
        return err_set(e, "the first level has an odd number of channels, %zu", c->width[0]);
    return 0;
}

struct unet *unet_bind(const struct unet_config *c, const struct weights *ws, const struct compute *k,
                       struct arena *keep, struct err *e) {
    struct binder s = {.b = {.ws = ws, .c = k, .keep = keep, .e = e}, .f = unet_names_of(c->family)};
    size_t top = c->width[0], low;

    if (check(c, e) < 0)
        return NULL;
    low = c->width[c->levels - 1];
    s.u = arena_zero(keep, 1, sizeof *s.u);
    if (!s.u) {
        err_set(e, "out of memory for weights");
        return NULL;
    }
    s.u->c = *c;
    bind_linear(&s.b, &s.u->time1, whole(&s, s.f->time1), 4 * top, top);
    bind_linear(&s.b, &s.u->time2, whole(&s, s.f->time2), 4 * top, 4 * top);
    bind_named_conv(&s, &s.u->conv_in, whole(&s, s.f->conv_in), top, c->in, 3);
    for (size_t l = 0; l < c->levels; l++)
        bind_down(&s, l);
    for (size_t j = 0; j < 2; j++) {
        go(&s, MID_RES, 0, j);
        bind_res(&s, &s.u->mid[j], low, low, RESAMPLE_NONE);
    }
    if (c->mid_attention) {
        go(&s, MID_ATT, 0, 0);
        bind_attention(&s, &s.u->mid_att, low, c->mid_head);
    }
    for (size_t u = 0; u < c->levels; u++)
        bind_up(&s, u);
    s.u->norm_out = bind_gain(&s.b, whole(&s, s.f->norm_out), top);
    bind_named_conv(&s, &s.u->conv_out, whole(&s, s.f->conv_out), c->out, top, 3);
    bind_refuse_unused(&s.b, "U-Net");
    return s.b.bad ? NULL : s.u;
}

const struct unet_config *unet_config(const struct unet *u) {
    return &u->c;
}
