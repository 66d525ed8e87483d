#include "lib/unet.h"

#include <math.h>
#include <string.h>

#include "lib/kern.h"
#include "lib/timestep.h"
#include "lib/unet_net.h"

/* One forward: what every block needs. */
struct run {
    const struct unet *u;
    const struct compute *k;
    size_t n;
    const float *time;                                /* [N, 4 C0]: SiLU of the time embedding */
    const struct unet_context *const *context;        /* [N] or NULL */
    bool full;                                        /* scratch ran out */
};

/* A picture in memory. */
struct map {
    float *x;
    size_t c, y, w;
};

static float *take(struct run *r, struct arena *a, size_t n) {
    float *p = r->full ? NULL : arena_take(a, n, sizeof *p);

    r->full |= !p;
    return p;
}

static struct map map_take(struct run *r, struct arena *a, size_t c, size_t y, size_t w) {
    return (struct map){take(r, a, r->n * y * w * c), c, y, w};
}

static struct picture pair(const struct run *r, const struct map *h, const struct map *skip) {
    return (struct picture){{h->x, skip ? skip->x : NULL}, {h->c, skip ? skip->c : 0}, r->n, h->y, h->w};
}

/* GroupNorm (and SiLU) of one or two pictures into out. */
static void norm_load(struct run *r, const struct picture *p, const struct picture_norm *g, enum act act,
                      enum resample resample, float *out, struct arena a) {
    size_t ch = p->c[0] + p->c[1];
    float *mul = take(r, &a, r->n * ch), *add = take(r, &a, r->n * ch);
    void *sums = r->full ? NULL : arena_take(&a, picture_norm_scratch(p), 1);

    r->full |= !sums;
    if (r->full)
        return;
    picture_norm(p, g, r->k, mul, add, sums);
    picture_load(p, mul, add, act, resample, r->k, out);
}

static struct picture_norm norm_of(const struct run *r, struct gain g) {
    return (struct picture_norm){.g = g.g, .b = g.b, .groups = r->u->c.groups, .eps = r->u->c.eps};
}

static void conv(struct run *r, const struct conv *v, const struct map *in, float *out, const float *residual,
                 struct arena a) {
    void *s = r->full ? NULL : arena_take(&a, conv_scratch(v, r->k, r->n, in->y, in->w), 1);

    r->full |= !s;
    if (!r->full)
        conv_run(v, r->k, r->n, in->y, in->w, in->x, out, ACT_NONE, residual, s);
}

static void linear(struct run *r, const struct linear *l, size_t m, const float *x, float *y,
                   const float *residual, struct arena a) {
    void *s = r->full ? NULL : arena_take(&a, linear_scratch(l, r->k, m), 1);

    r->full |= !s;
    if (!r->full)
        linear_run(l, r->k, m, x, l->k, y, l->n, ACT_NONE, residual, s);
}

/* out [N, Y', X', Co] = shortcut(s) + conv2(norm2(conv1(SiLU(norm1 h)))): guided-diffusion's ResBlock. */
static void res_run(struct run *r, const struct unet_res *b, const struct map *h, const struct map *skip,
                    struct map *out, struct arena a) {
    struct picture p = pair(r, h, skip);
    struct picture_norm g = norm_of(r, b->norm1);
    struct map mid = map_take(r, &a, b->co, out->y, out->w);
    float *t = take(r, &a, r->n * b->time.n);

    {
        struct arena s = a;
        struct map act = map_take(r, &s, b->ci, out->y, out->w);
        norm_load(r, &p, &g, ACT_SILU, b->resample, act.x, s);
        conv(r, &b->conv1, &act, mid.x, NULL, s);
    }
    linear(r, &b->time, r->n, r->time, t, NULL, a);
    g = norm_of(r, b->norm2);
    if (r->u->c.film)
        g.film = t;
    else
        g.before = t;
    if (b->has_shortcut || b->resample != RESAMPLE_NONE) {
        struct arena s = a;
        struct map raw = b->has_shortcut ? map_take(r, &s, b->ci, out->y, out->w) : *out;
        if (r->full)
            return;
        picture_load(&p, NULL, NULL, ACT_NONE, b->resample, r->k, raw.x);
        if (b->has_shortcut)
            conv(r, &b->shortcut, &raw, out->x, NULL, s);
    }
    {
        struct map act = map_take(r, &a, b->co, out->y, out->w);
        struct picture q = pair(r, &mid, NULL);
        norm_load(r, &q, &g, ACT_SILU, RESAMPLE_NONE, act.x, a);
        conv(r, &b->conv2, &act, out->x,
             b->has_shortcut || b->resample != RESAMPLE_NONE ? out->x : h->x, a);
    }
}

/* h += out(attention(q, [context; k], [context; v])) of norm(h), pixels in row-major order. */
static void attention_block(struct run *r, const struct unet_attention *b, struct map *h, struct arena a) {
    size_t pixels = h->y * h->w, ctx = 0;
    struct attention att = {b->heads, b->c / b->heads, (float)(1 / sqrt((double)(b->c / b->heads))), false};
    struct picture p = pair(r, h, NULL);
    struct picture_norm g = norm_of(r, b->norm);
    float *tok = take(r, &a, r->n * pixels * b->c), *qkv = take(r, &a, r->n * pixels * 3 * b->c);
    struct attention_seq *seq = r->full ? NULL : arena_zero(&a, r->n, sizeof *seq);

    r->full |= !seq;
    if (r->full)
        return;
    norm_load(r, &p, &g, ACT_NONE, RESAMPLE_NONE, tok, a);
    linear(r, &b->qkv, r->n * pixels, tok, qkv, NULL, a);
    for (size_t i = 0; i < r->n; i++) {
        float *q = qkv + i * pixels * 3 * b->c;
        seq[i] = (struct attention_seq){.q = q, .o = tok + i * pixels * b->c, .nq = pixels, .ldq = 3 * b->c, .ldo = b->c};
        if (r->context && b->context.n) {
            const float *kv = r->context[i]->kv[b->index];
            seq[i].keys[0] = (struct attention_keys){kv, kv + b->c, r->context[i]->len, 2 * b->c};
            ctx = r->context[i]->len > ctx ? r->context[i]->len : ctx;
        }
        seq[i].keys[1] = (struct attention_keys){q + b->c, q + 2 * b->c, pixels, 3 * b->c};
    }
    {
        struct arena s = a;
        void *w = arena_take(&s, attention_scratch(&att, r->k, pixels, ctx + pixels), 1);
        r->full |= !w;
        if (!r->full)
            attention_run(&att, r->k, r->n, seq, w);
    }
    linear(r, &b->out, r->n * pixels, tok, h->x, h->x, a);
}

/* e = time2(SiLU(time1(embedding(t)))) + class; what the blocks take is SiLU(e). */
static float *embed_time(struct run *r, int t, const float *class_add, struct arena *keep) {
    const struct unet *u = r->u;
    size_t d = u->c.width[0], wide = 4 * d;
    float *out = take(r, keep, r->n * wide);
    struct arena a = *keep;
    float *emb = take(r, &a, d), *mid = take(r, &a, wide), *e = take(r, &a, wide);

    if (r->full)
        return NULL;
    timestep_embedding((float)t, d, emb);
    linear(r, &u->time1, 1, emb, mid, NULL, a);
    r->k->kern->act(wide, ACT_SILU, mid, mid);
    linear(r, &u->time2, 1, mid, e, NULL, a);
    for (size_t i = 0; i < r->n; i++) {
        for (size_t j = 0; j < wide; j++)
            out[i * wide + j] = e[j] + (class_add ? class_add[i * wide + j] : 0);
        r->k->kern->act(wide, ACT_SILU, out + i * wide, out + i * wide);
    }
    return out;
}

struct stack {
    struct map skip[UNET_LEVELS * 17];
    size_t n;
};

static struct map down_path(struct run *r, struct map h, struct stack *s, struct arena *a) {
    const struct unet_config *c = &r->u->c;

    s->skip[s->n++] = h;
    for (size_t l = 0; l < c->levels; l++) {
        const struct unet_level *v = &r->u->level[l];
        for (size_t j = 0; j < c->layers; j++) {
            struct map o = map_take(r, a, c->width[l], h.y, h.w);
            res_run(r, &v->down[j], &h, NULL, &o, *a);
            if (v->down_att)
                attention_block(r, &v->down_att[j], &o, *a);
            s->skip[s->n++] = h = o;
        }
        if (l + 1 < c->levels) {
            struct map o = map_take(r, a, c->width[l], h.y / 2, h.w / 2);
            res_run(r, &v->halve, &h, NULL, &o, *a);
            s->skip[s->n++] = h = o;
        }
    }
    return h;
}

/* Two places that the pictures of the way up take in turns. */
struct swing {
    float *x[2];
    int next;
};

static struct map swing_take(struct swing *s, size_t c, size_t y, size_t w) {
    struct map m = {s->x[s->next], c, y, w};

    s->next ^= 1;
    return m;
}

static struct map up_path(struct run *r, struct map h, struct stack *s, struct swing *sw, struct arena a) {
    const struct unet_config *c = &r->u->c;

    for (size_t l = c->levels; l-- > 0;) {
        const struct unet_level *v = &r->u->level[l];
        for (size_t j = 0; j <= c->layers; j++) {
            struct map o = swing_take(sw, c->width[l], h.y, h.w);
            res_run(r, &v->up[j], &h, &s->skip[--s->n], &o, a);
            if (v->up_att)
                attention_block(r, &v->up_att[j], &o, a);
            h = o;
        }
        if (l > 0) {
            struct map o = swing_take(sw, c->width[l], 2 * h.y, 2 * h.w);
            res_run(r, &v->twice, &h, NULL, &o, a);
            h = o;
        }
    }
    return h;
}

/* The largest picture of the middle and the way up, in elements. */
static size_t swing_size(const struct unet_config *c, size_t y, size_t x) {
    size_t most = 0;

    for (size_t l = 0; l < c->levels; l++) {
        size_t w = l + 1 < c->levels && c->width[l + 1] > c->width[l] ? c->width[l + 1] : c->width[l];
        size_t n = (y >> l) * (x >> l) * w;
        most = n > most ? n : most;
    }
    return most;
}

int unet_run(const struct unet *u, const struct compute *k, size_t n, size_t y, size_t x, const float *in, int t,
             const float *class_add, const struct unet_context *const *context, float *out, struct arena scratch,
             struct err *e) {
    struct run r = {.u = u, .k = k, .n = n, .context = context};
    struct map h = {.c = u->c.width[0], .y = y, .w = x}, input = {.c = u->c.in, .y = y, .w = x};
    struct stack s = {.n = 0};
    struct swing sw = {.next = 0};
    union { const float *c; float *p; } src = {in};
    size_t unit = (size_t)1 << (u->c.levels - 1), most = swing_size(&u->c, y, x);
    struct picture_norm g = norm_of(&r, u->norm_out);
    struct picture p;

    if (!y || !x || y % unit || x % unit)
        return err_set(e, "a picture of %zux%zu: its sides must be multiples of %zu", x, y, unit);
    input.x = src.p;
    h.x = take(&r, &scratch, n * y * x * h.c);
    r.time = embed_time(&r, t, class_add, &scratch);
    conv(&r, &u->conv_in, &input, h.x, NULL, scratch);
    h = down_path(&r, h, &s, &scratch);
    for (int i = 0; i < 2; i++)
        sw.x[i] = take(&r, &scratch, n * most);
    if (r.full)
        return err_set(e, "out of memory");
    for (int i = 0; i < 2; i++) {
        struct map o = swing_take(&sw, h.c, h.y, h.w);
        res_run(&r, &u->mid[i], &h, NULL, &o, scratch);
        h = o;
        if (i == 0 && u->c.mid_attention)
            attention_block(&r, &u->mid_att, &h, scratch);
    }
    h = up_path(&r, h, &s, &sw, scratch);
    p = pair(&r, &h, NULL);
    input = map_take(&r, &scratch, h.c, y, x);
    norm_load(&r, &p, &g, ACT_SILU, RESAMPLE_NONE, input.x, scratch);
    conv(&r, &u->conv_out, &input, out, NULL, scratch);
    return r.full ? err_set(e, "out of memory") : 0;
}

/* ---- context ---- */

static int context_of(const struct unet_attention *b, const struct compute *k, const float *context, size_t len,
                      float **kv, struct arena *keep) {
    float *o = arena_take(keep, len * 2 * b->c, sizeof *o);
    struct arena scratch = *keep;
    void *s = o ? arena_take(&scratch, linear_scratch(&b->context, k, len), 1) : NULL;
    if (!s)
        return -1;
    linear_run(&b->context, k, len, context, b->context.k, o, b->context.n, ACT_NONE, NULL, s);
    kv[b->index] = o;
    return 0;
}

int unet_context(const struct unet *u, const struct compute *k, const float *context, size_t len,
                 struct unet_context *out, struct arena *keep, struct err *e) {
    float **kv = arena_zero(keep, u->attentions + 1, sizeof *kv);
    int bad = kv == NULL;

    for (size_t l = 0; !bad && l < u->c.levels; l++) {
        for (size_t j = 0; !bad && u->level[l].down_att && j < u->c.layers; j++)
            bad = context_of(&u->level[l].down_att[j], k, context, len, kv, keep);
        for (size_t j = 0; !bad && u->level[l].up_att && j <= u->c.layers; j++)
            bad = context_of(&u->level[l].up_att[j], k, context, len, kv, keep);
    }
    if (!bad && u->c.mid_attention && u->mid_att.context.n)
        bad = context_of(&u->mid_att, k, context, len, kv, keep);
    if (bad)
        return err_set(e, "out of memory");
    out->len = len;
    out->kv = kv;
    return 0;
}
