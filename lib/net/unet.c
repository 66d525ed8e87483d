#include "lib/net/unet.h"

#include <string.h>

#include "lib/kernel/kern.h"
#include "lib/layer/feature_conv.h"
#include "lib/layer/timestep.h"
#include "lib/net/unet_net.h"

/* What every block needs in one forward pass. */
struct run {
    const struct unet *u;
    const struct compute *k;
    size_t n;
    const float *time;                                /* [N, 4 C0]: SiLU of the time embedding */
    const struct unet_context *const *context;        /* [N] or NULL */
    bool full;                                        /* set when scratch runs out */
};

/* A feature map in memory. */
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

static struct feature_map pair(const struct run *r, const struct map *h, const struct map *skip) {
    return (struct feature_map){{h->x, skip ? skip->x : NULL}, {h->c, skip ? skip->c : 0}, r->n, h->y, h->w};
}

static void norm(struct run *r, struct feature_source *s, const struct feature_map_norm *g, struct arena *a) {
    r->full = r->full || feature_source_norm(s, g, r->k, a) < 0;
}

static struct feature_map_norm norm_of(const struct run *r, struct gain g) {
    return (struct feature_map_norm){.g = g.g, .b = g.b, .groups = r->u->c.groups, .eps = r->u->c.eps};
}

static void conv(struct run *r, const struct conv *v, const struct feature_source *s, float *out, const float *residual,
                 struct arena a) {
    r->full = r->full || feature_conv(v, s, r->u->c.band, r->k, out, residual, a) < 0;
}

static void linear(struct run *r, const struct linear *l, size_t m, const float *x, float *y,
                   const float *residual, struct arena a) {
    void *s = r->full ? NULL : arena_take(&a, linear_scratch(l, r->k, m), 1);

    r->full |= !s;
    if (!r->full)
        linear_run(l, r->k, m, x, l->k, y, l->n, ACT_NONE, residual, s);
}

/* Runs guided-diffusion's ResBlock.  With x = [h, skip], which is h and skip joined by channels (skip may be NULL),
 *     out = shortcut(resample(x)) + conv2(SiLU(norm2(conv1(resample(SiLU(norm1(x)))))))
 * The time embedding scales and shifts the output of norm2 (film), or is added to its input.  The caller has set
 * the size of out to the size after resampling. */
static void res_run(struct run *r, const struct unet_res *b, const struct map *h, const struct map *skip,
                    struct map *out, struct arena a) {
    struct feature_map p = pair(r, h, skip), q;
    struct feature_map_norm g = norm_of(r, b->norm1);
    struct map mid = map_take(r, &a, b->co, out->y, out->w);
    float *t = take(r, &a, r->n * b->time.n);
    struct feature_source s = feature_source(&p, ACT_SILU, b->resample);
    const float *residual = h->x;
    struct arena first = a;

    norm(r, &s, &g, &first);
    conv(r, &b->conv1, &s, mid.x, NULL, first);
    linear(r, &b->time, r->n, r->time, t, NULL, a);
    if (b->has_shortcut || b->resample != RESAMPLE_NONE) {
        s = feature_source(&p, ACT_NONE, b->resample);
        residual = out->x;
        if (b->has_shortcut)
            conv(r, &b->shortcut, &s, out->x, NULL, a);
        else if (!r->full)
            feature_map_apply(&p, NULL, NULL, ACT_NONE, b->resample, r->k, out->x);
    }
    g = norm_of(r, b->norm2);
    if (r->u->c.film)
        g.film = t;
    else
        g.before = t;
    q = pair(r, &mid, NULL);
    s = feature_source(&q, ACT_SILU, RESAMPLE_NONE);
    norm(r, &s, &g, &a);
    conv(r, &b->conv2, &s, out->x, residual, a);
}

/* Runs the attention of each feature map's pixels to each other and to the context. */
static void attention_block(struct run *r, const struct unet_attention *b, struct map *h, struct arena a) {
    struct attention_keys *context = NULL;

    if (r->context && b->context.n) {
        context = r->full ? NULL : arena_take(&a, r->n, sizeof *context);
        r->full |= !context;
    }
    for (size_t i = 0; context && i < r->n; i++) {
        const float *kv = r->context[i]->kv[b->index];
        context[i] = (struct attention_keys){kv, kv + b->a.c, r->context[i]->len, 2 * b->a.c};
    }
    r->full = r->full || pixel_attention_run(&b->a, r->k, r->n, h->y, h->w, h->x, context, a) < 0;
}

/* Returns SiLU(e), which the blocks take, for each feature map: e = time2(SiLU(time1(embedding(t)))) + class_add. */
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

/* The feature maps that the way up will read, as a stack in memory of its own.  Popping frees the last map's memory. */
struct stack {
    struct map skip[UNET_LEVELS * 17];
    struct arena before[UNET_LEVELS * 17];    /* the arena before that feature map was pushed */
    size_t n;
    struct arena a;
};

static struct map push(struct run *r, struct stack *s, size_t c, size_t y, size_t w) {
    s->before[s->n] = s->a;
    return s->skip[s->n++] = map_take(r, &s->a, c, y, w);
}

static void pop(struct stack *s) {
    s->a = s->before[--s->n];
}

static struct map down_path(struct run *r, struct map h, struct stack *s) {
    const struct unet_config *c = &r->u->c;

    for (size_t l = 0; l < c->levels; l++) {
        const struct unet_level *v = &r->u->level[l];
        for (size_t j = 0; j < c->layers; j++) {
            struct map o = push(r, s, c->width[l], h.y, h.w);
            res_run(r, &v->down[j], &h, NULL, &o, s->a);
            if (v->down_att)
                attention_block(r, &v->down_att[j], &o, s->a);
            h = o;
        }
        if (l + 1 < c->levels) {
            struct map o = push(r, s, c->width[l], h.y / 2, h.w / 2);
            res_run(r, &v->halve, &h, NULL, &o, s->a);
            h = o;
        }
    }
    return h;
}

/* Two blocks of memory that the feature maps of the middle and the way up use in turns. */
struct swing {
    float *x[2];
    int next;
};

static struct map swing_take(struct swing *s, size_t c, size_t y, size_t w) {
    struct map m = {s->x[s->next], c, y, w};

    s->next ^= 1;
    return m;
}

static struct map up_path(struct run *r, struct map h, struct stack *s, struct swing *sw) {
    const struct unet_config *c = &r->u->c;

    for (size_t l = c->levels; l-- > 0;) {
        const struct unet_level *v = &r->u->level[l];
        for (size_t j = 0; j <= c->layers; j++) {
            struct map o = swing_take(sw, c->width[l], h.y, h.w), skip = s->skip[s->n - 1];
            res_run(r, &v->up[j], &h, &skip, &o, s->a);
            pop(s);
            if (v->up_att)
                attention_block(r, &v->up_att[j], &o, s->a);
            h = o;
        }
        if (l > 0) {
            struct map o = swing_take(sw, c->width[l], 2 * h.y, 2 * h.w);
            res_run(r, &v->twice, &h, NULL, &o, s->a);
            h = o;
        }
    }
    return h;
}

/* Returns the number of elements of the largest feature map of the middle and the way up. */
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
    struct feature_map p = {{in, NULL}, {u->c.in, 0}, n, y, x};
    struct stack s = {.n = 0};
    struct swing sw = {.next = 0};
    size_t unit = (size_t)1 << (u->c.levels - 1), most = swing_size(&u->c, y, x);
    struct feature_map_norm g = norm_of(&r, u->norm_out);
    struct feature_source from = feature_source(&p, ACT_NONE, RESAMPLE_NONE);
    struct map h;

    if (!y || !x || y % unit || x % unit)
        return err_set(e, "the sides of a %zux%zu feature map must be multiples of %zu", x, y, unit);
    r.time = embed_time(&r, t, class_add, &scratch);
    for (int i = 0; i < 2; i++)
        sw.x[i] = take(&r, &scratch, n * most);
    s.a = scratch;
    h = push(&r, &s, u->c.width[0], y, x);
    conv(&r, &u->conv_in, &from, h.x, NULL, s.a);
    h = down_path(&r, h, &s);
    for (int i = 0; i < 2; i++) {
        struct map o = swing_take(&sw, h.c, h.y, h.w);
        res_run(&r, &u->mid[i], &h, NULL, &o, s.a);
        h = o;
        if (i == 0 && u->c.mid_attention)
            attention_block(&r, &u->mid_att, &h, s.a);
    }
    h = up_path(&r, h, &s, &sw);
    p = pair(&r, &h, NULL);
    from = feature_source(&p, ACT_SILU, RESAMPLE_NONE);
    norm(&r, &from, &g, &s.a);
    conv(&r, &u->conv_out, &from, out, NULL, s.a);
    return r.full ? err_set(e, "out of memory") : 0;
}

/* ---- context ---- */

static int context_of(const struct unet_attention *b, const struct compute *k, const float *context, size_t len,
                      float **kv, struct arena *keep) {
    float *o = arena_take(keep, len * 2 * b->a.c, sizeof *o);
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
