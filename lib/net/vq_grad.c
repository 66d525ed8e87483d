#include "lib/net/vq_grad.h"

#include <string.h>

#include "lib/base/size.h"
#include "lib/kernel/kern.h"
#include "lib/layer/feature_map_back.h"
#include "lib/net/vq_net.h"

/* The filters of one operation, turned by conv_turn for the backward pass. */
struct turned {
    struct conv step[VQ_STEPS], skip;
    struct pixel_attention_turned attention;
};

struct vq_grad {
    const struct vq_decoder *v;
    struct turned *op;
    struct linear scores;      /* for latent z, codebook row e scores e . z - |e|^2 / 2; the nearest row scores highest */
    float *least, *most;       /* [E] the range of each column of the codebook */
};

struct vq_pass {
    const struct vq_grad *g;
    struct vq_map *map;        /* [n + 1] the inputs of the n operations, and the result of the last */
    struct vq_keep keep;
    int *token;                /* [h, w] for each latent, the index of the nearest row of the codebook */
};

/* ---- binding ---- */

static int turn(struct turned *t, const struct vq_op *o, const struct compute *k, struct arena *keep, struct err *e) {
    if (o->kind == VQ_ATTENTION)
        return pixel_attention_turn(&t->attention, &o->attention, k, keep, e);
    for (size_t s = 0; s < o->steps; s++) {
        if (conv_turn(&t->step[s], &o->step[s].conv, k, keep, e) < 0)
            return -1;
        t->step[s].winograd = o->step[s].conv.winograd;
    }
    return o->has_skip ? conv_turn(&t->skip, &o->skip, k, keep, e) : 0;
}

/* Packs the codebook for the search of the nearest rows, in f32 whatever the precision of the network is. */
static int bind_codebook(struct vq_grad *g, const struct compute *k, struct arena *keep, struct err *e) {
    const struct compute exact = {k->kern->f32, k->pool};
    const size_t n = g->v->c.codes, wide = g->v->net.in;
    const struct tensor w = {.dtype = DT_F32, .nd = 2, .shape = {n, wide}, .stride = {wide, 1}, .data = g->v->row};
    float *half = arena_take(keep, n, sizeof *half);

    g->least = arena_take(keep, wide, sizeof *g->least);
    g->most = arena_take(keep, wide, sizeof *g->most);
    if (!half || !g->least || !g->most)
        return err_set(e, "out of memory for the codebook");
    for (size_t i = 0; i < n; i++) {
        const float *row = g->v->row + i * wide;
        double sum = 0;

        for (size_t j = 0; j < wide; j++) {
            sum += (double)row[j] * (double)row[j];
            g->least[j] = !i || row[j] < g->least[j] ? row[j] : g->least[j];
            g->most[j] = !i || row[j] > g->most[j] ? row[j] : g->most[j];
        }
        half[i] = (float)(-sum / 2);
    }
    if (linear_pack(&g->scores, 1, &w, NULL, &exact, keep, e) < 0)
        return -1;
    g->scores.bias = half;
    return 0;
}

struct vq_grad *vq_grad_bind(const struct vq_decoder *v, const struct compute *k, struct arena *keep, struct err *e) {
    struct vq_grad *g = arena_zero(keep, 1, sizeof *g);

    if (v->c.pixels == VQ_LAPLACE) {
        err_set(e, "a %s has no codebook of latents: a VQGAN is needed", vq_config_name(&v->c));
        return NULL;
    }
    if (!g || !(g->op = arena_zero(keep, v->net.n, sizeof *g->op))) {
        err_set(e, "out of memory for weights");
        return NULL;
    }
    g->v = v;
    for (size_t i = 0; i < v->net.n; i++)
        if (turn(&g->op[i], &v->net.op[i], k, keep, e) < 0)
            return NULL;
    return bind_codebook(g, k, keep, e) < 0 ? NULL : g;
}

size_t vq_grad_width(const struct vq_grad *g) {
    return g->v->net.in;
}

const float *vq_grad_row(const struct vq_grad *g, size_t i) {
    return g->v->row + i * g->v->net.in;
}

const float *vq_grad_least(const struct vq_grad *g) {
    return g->least;
}

const float *vq_grad_most(const struct vq_grad *g) {
    return g->most;
}

/* ---- a pass ---- */

static size_t floats(const struct vq_map *m) {
    return m->y * m->w * m->c;
}

/* Takes the memory of a pass from s, and stores the pointers in p unless p is NULL. */
static void cut(const struct vq_grad *g, size_t h, size_t w, enum keep_mode mode, struct scratch *s, struct vq_pass *p) {
    const struct vq_net *net = &g->v->net;
    struct vq_map m = {NULL, net->in, h, w};

    for (size_t i = 0; i <= net->n; i++) {
        const struct vq_op *o = i < net->n ? &net->op[i] : NULL;
        struct vq_map out = o ? vq_after(o, m) : m;

        m.x = scratch_cut(s, floats(&m), sizeof *m.x);
        if (p)
            p->map[i] = m, p->keep.in[i][0] = m.x;
        for (size_t k = 1; o && mode != KEEP_INPUTS && k < o->steps; k++) {
            float *x = scratch_cut(s, out.y * out.w * o->step[k].conv.in, sizeof *x);

            if (p)
                p->keep.in[i][k] = x;
        }
        m = out;
    }
}

size_t vq_pass_bytes(const struct vq_grad *g, size_t h, size_t w, enum keep_mode mode) {
    struct scratch s = {0};

    cut(g, h, w, mode, &s, NULL);
    return s.used;
}

struct vq_pass *vq_pass_open(const struct vq_grad *g, size_t h, size_t w, enum keep_mode mode, struct arena *keep,
                             struct err *e) {
    const size_t n = g->v->net.n + 1;
    struct vq_pass *p = arena_zero(keep, 1, sizeof *p);
    struct scratch s = {arena_take(keep, vq_pass_bytes(g, h, w, mode), 1), 0};

    if (!p || !s.base || !(p->map = arena_zero(keep, n, sizeof *p->map)) ||
        !(p->keep.in = arena_zero(keep, n, sizeof *p->keep.in)) ||
        !(p->token = arena_take(keep, h * w, sizeof *p->token))) {
        err_set(e, "no memory for the gradient of %zu x %zu latents", w, h);
        return NULL;
    }
    p->g = g;
    cut(g, h, w, mode, &s, p);
    return p;
}

int vq_pass_run(struct vq_pass *p, const struct compute *k, const float *z, float *picture, struct arena a,
                struct err *e) {
    const struct compute exact = {k->kern->f32, k->pool};
    const struct vq_net *net = &p->g->v->net;
    const size_t n = p->map[0].y * p->map[0].w;

    if (vq_choose(&p->g->scores, &exact, n, z, NULL, p->token, a) < 0)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < n; i++)
        memcpy(p->map[0].x + i * net->in, vq_grad_row(p->g, (size_t)p->token[i]), net->in * sizeof *z);
    if (vq_run_keep(net, k, 1, p->map[0], 0, net->n, &p->keep, a) < 0)
        return err_set(e, "out of memory");
    vq_pixels_out(&p->g->v->c, &p->map[net->n], picture);
    return 0;
}

/* ---- backwards ---- */

/* Sets x to the inputs of all steps of operation i.  Computes the inputs that were not kept.  Returns -1 if the arena is too
 * small. */
static int inputs(const struct vq_pass *p, const struct compute *k, size_t i, float *x[VQ_STEPS], struct arena *a) {
    const struct vq_op *o = &p->g->v->net.op[i];
    const struct vq_map *out = &p->map[i + 1];
    bool again = false;

    for (size_t s = 0; s < o->steps; s++) {
        x[s] = p->keep.in[i][s];
        again |= !x[s];
        if (!x[s] && !(x[s] = arena_take(a, out->y * out->w * o->step[s].conv.in, sizeof **x)))
            return -1;
    }
    return again ? vq_run_steps(&p->g->v->net, k, 1, p->map[i], i, x, *a) : 0;
}

/* Sets *add to the part of the gradient with respect to the input of operation i that comes through its shortcut, or to NULL
 * if the operation has no shortcut.  d is the gradient with respect to the result. */
static int shortcut_back(const struct vq_pass *p, const struct compute *k, size_t i, const float *d, const float **add,
                         struct arena *a) {
    const struct vq_net *net = &p->g->v->net;
    const struct vq_op *o = &net->op[i];
    const struct vq_map *in = &p->map[i];
    const struct feature_map m = {{in->x, NULL}, {in->c, 0}, 1, in->y, in->w};
    float *dx;

    *add = o->residual ? d : NULL;
    if (!o->residual || (!o->has_skip && o->resample == RESAMPLE_NONE))
        return 0;
    *add = dx = arena_take(a, floats(in), sizeof *dx);
    if (!dx)
        return -1;
    if (o->has_skip)
        return feature_conv_back(&p->g->op[i].skip, &m, NULL, ACT_NONE, o->resample, net->band, k, d, NULL, dx, *a);
    return feature_map_back(&m, NULL, ACT_NONE, o->resample, k, d, NULL, dx, *a);
}

static int convs_back(const struct vq_pass *p, const struct compute *k, size_t i, const float *d, float *dx,
                      struct arena a) {
    const struct vq_net *net = &p->g->v->net;
    const struct vq_op *o = &net->op[i];
    const struct vq_map *in = &p->map[i], *out = &p->map[i + 1];
    const float *add;
    float *x[VQ_STEPS];

    if (inputs(p, k, i, x, &a) < 0 || shortcut_back(p, k, i, d, &add, &a) < 0)
        return -1;
    for (size_t s = o->steps; s-- > 0;) {
        const struct vq_step *t = &o->step[s];
        const struct feature_map m = {{x[s], NULL}, {t->conv.in, 0}, 1, s ? out->y : in->y, s ? out->w : in->w};
        const struct feature_map_norm g = {.g = t->norm.g, .b = t->norm.b, .groups = net->groups, .eps = net->eps};
        float *to = s ? arena_take(&a, m.y * m.w * t->conv.in, sizeof *to) : dx;

        if (!to || feature_conv_back(&p->g->op[i].step[s], &m, g.g ? &g : NULL, t->act, s ? RESAMPLE_NONE : o->resample,
                                     net->band, k, d, s ? NULL : add, to, a) < 0)
            return -1;
        d = to;
    }
    return 0;
}

size_t vq_pass_operations(const struct vq_pass *p) {
    return p->g->v->net.n;
}

int vq_pass_back_one(const struct vq_pass *p, const struct compute *k, size_t i, const float *d, float *dx,
                     struct arena a) {
    const struct vq_op *o = &p->g->v->net.op[i];
    const struct vq_map *in = &p->map[i];

    if (o->kind == VQ_ATTENTION)
        return pixel_attention_back(&o->attention, &p->g->op[i].attention, k, 1, in->y, in->w, in->x, d, dx, a);
    return convs_back(p, k, i, d, dx, a);
}

int vq_pass_back(const struct vq_pass *p, const struct compute *k, const float *d_picture, float *d_z, struct arena a,
                 struct err *e) {
    const size_t n = p->g->v->net.n;
    size_t most = 0;
    float *d[2];

    for (size_t i = 0; i <= n; i++)
        most = size_max(most, floats(&p->map[i]));
    d[0] = arena_take(&a, most, sizeof **d);
    d[1] = arena_take(&a, most, sizeof **d);
    if (!d[0] || !d[1])
        return err_set(e, "out of memory");
    vq_pixels_back(&p->g->v->c, &p->map[n], d_picture, d[n % 2]);
    for (size_t i = n; i-- > 0;)
        if (vq_pass_back_one(p, k, i, d[(i + 1) % 2], i ? d[i % 2] : d_z, a) < 0)
            return err_set(e, "out of memory");
    return 0;
}
