#include "tools/stage/codes.h"

#include <math.h>

#include "formats/image/record_image.h"
#include "lib/base/pool.h"
#include "lib/base/size.h"
#include "lib/image/resize.h"
#include "tools/stage/missing.h"
#include "tools/stage/new_picture.h"

/* Returns n * side / shorter, rounded half to even as Python's round does. */
static size_t scaled(size_t n, size_t side, size_t shorter) {
    return (size_t)rint((double)side / (double)shorter * (double)n);
}

static size_t middle(size_t all, size_t part) {
    return (size_t)rint((double)(all - part) / 2);
}

int codes_where(const struct codes_fit *f, size_t h, size_t w, struct codes_place *p, struct err *e) {
    const size_t shorter = h < w ? h : w, side = f->side ? f->side : shorter;

    *p = (struct codes_place){.h = scaled(h, side, shorter), .w = scaled(w, side, shorter)};
    p->rows = (f->whole ? p->h : side) / f->factor * f->factor;
    p->cols = (f->whole ? p->w : side) / f->factor * f->factor;
    if (!p->rows || !p->cols)
        return err_set(e, "%zu x %zu pixels are too few: a token stands for %zu x %zu", w, h, f->factor, f->factor);
    if (p->h > IMAGE_MAX_PIXELS / p->w)
        return err_set(e, "%zu x %zu pixels would be enlarged to %zu x %zu", w, h, p->w, p->h);
    p->y = middle(p->h, p->rows);
    p->x = middle(p->w, p->cols);
    return 0;
}

int codes_picture(const struct codes_fit *f, const unsigned char *rgb, size_t h, size_t w, float **x, size_t *rows,
                  size_t *cols, struct arena *a, struct err *e) {
    struct codes_place p;
    struct resize_window win;
    struct resize r;
    struct arena b;
    unsigned char *cut;

    if (codes_where(f, h, w, &p, e) < 0)
        return -1;
    win = (struct resize_window){p.y, p.x, p.rows, p.cols};
    *x = arena_take(a, 3 * p.rows * p.cols, sizeof **x);
    b = *a;
    cut = arena_take(&b, 3 * p.rows * p.cols, 1);
    if (!*x || !cut)
        return err_set(e, "out of memory");
    if (resize_plan(&r, FILTER_LANCZOS, h, w, p.h, p.w, &win, resize_kernel_best(), &b, e) < 0)
        return -1;
    resize_run(&r, rgb, cut, 3 * p.cols);
    for (size_t i = 0; i < p.rows * p.cols; i++)
        for (size_t c = 0; c < 3; c++)
            (*x)[c * p.rows * p.cols + i] = (float)cut[3 * i + c] / 127.5f - 1;
    *rows = p.rows;
    *cols = p.cols;
    return 0;
}

int codes_tokens(const struct record *r, size_t codes, int **tokens, size_t *h, size_t *w, struct arena *a, struct err *e) {
    int64_t *id, *grid;
    size_t n, sides;
    int got = record_ints(r, "image_tokens", &id, &n, a, e);

    if (got <= 0)
        return got;
    got = record_ints(r, "grid", &grid, &sides, a, e);
    if (got < 0)
        return -1;
    if (!got)
        return err_set(e, "image_tokens without their grid");
    if (sides != 2 || grid[0] < 1 || grid[1] < 1 || (uint64_t)grid[0] > n || (uint64_t)grid[1] > n ||
        (uint64_t)grid[0] * (uint64_t)grid[1] != n)
        return err_set(e, "grid: not the [h, w] of %zu image_tokens", n);
    *tokens = arena_take(a, n, sizeof **tokens);
    if (!*tokens)
        return err_set(e, "out of memory");
    *h = (size_t)grid[0];
    *w = (size_t)grid[1];
    for (size_t i = 0; i < n; i++) {
        if (id[i] < 0 || (uint64_t)id[i] >= codes)
            return err_set(e, "image_tokens: %lld, the codebook has 0 to %zu", (long long)id[i], codes - 1);
        (*tokens)[i] = (int)id[i];
    }
    return 1;
}

int codes_set(struct record *r, const int *tokens, size_t h, size_t w, const char *fingerprint, struct err *e) {
    const int64_t grid[] = {(int64_t)h, (int64_t)w};
    int64_t *id = arena_take(r->a, h * w, sizeof *id);

    if (!id)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < h * w; i++)
        id[i] = tokens[i];
    return record_set_ints(r, "image_tokens", id, h * w, e) < 0 || record_set_ints(r, "grid", grid, 2, e) < 0 ||
                   record_set_sub_text(r, "model", "image_tokens", span_of(fingerprint), e) < 0
               ? -1 : 0;
}

bool codes_differ(const struct record *r, const char *fingerprint, struct span *theirs) {
    struct span params, map;

    if (!*fingerprint || record_sub_str(r, "model", "image_tokens", theirs, NULL) <= 0 || record_raw(r, "params", &params) <= 0)
        return false;
    return mp_last_pair(params, "vq", &map) && !mp_last_pair(params, "dalle", &map) &&
           (theirs->n != strlen(fingerprint) || memcmp(theirs->p, fingerprint, theirs->n));
}

/* ---- a batch ---- */

struct span codes_fingerprint(const struct codes_net *n) {
    return span_of(n->decode ? n->m->fingerprint : n->m->codes);
}

void codes_load(struct codes_item *it, const struct codes_net *n, struct arena *a) {
    const struct vq_config *c = &n->m->config;
    struct span theirs;
    int *tokens;
    int got = n->decode ? codes_tokens(&it->r, c->codes, &tokens, &it->h, &it->w, a, &it->err)
                        : record_picture(&it->r, "image", &it->x, &it->h, &it->w, a, &it->err);

    if (got == 0)
        field_missing(&it->r, n->decode ? "image_tokens" : "image", &it->err);
    if (got <= 0)
        return;
    if (!n->decode) {
        if (it->h % c->factor || it->w % c->factor)
            err_set(&it->err, "image: %zu x %zu pixels; its sides must be multiples of %zu", it->w, it->h, c->factor);
        return;
    }
    it->tokens = tokens;
    if (!n->force && codes_differ(&it->r, n->m->codes, &theirs))
        err_set(&it->err, "image_tokens are of the codebook %.*s, the model has %s (--force decodes them)", (int)theirs.n,
                (const char *)theirs.p, n->m->codes);
    else if (it->h * it->w > IMAGE_MAX_PIXELS / (c->ratio * c->ratio))
        err_set(&it->err, "grid: the picture of %zu x %zu tokens is too large", it->w, it->h);
}

/* What one thread can compute alone: pictures of at most SMALL pixels, in LANE bytes.  With AVX2, taming's f16-16384 needs
 * 26 MiB for them and ruDALL-E's Gumbel f8 35 MiB.  A network that needs more is run by all threads. */
enum { SMALL = 128 * 128 };
#define LANE ((size_t)64 << 20)

void codes_alone(struct codes_net *net, struct arena *a) {
    const size_t threads = (size_t)pool_threads(net->compute->pool);
    struct arena_mem *m = arena_take(a, threads, sizeof *m);
    struct arena *part = arena_take(a, threads, sizeof *part);

    net->alone = NULL;
    if (threads < 2 || !m || !part || (size_t)(a->end - a->at) / 4 / threads < LANE)
        return;
    for (size_t i = 0; i < threads; i++)
        if (arena_split(a, LANE, &m[i], &part[i]) < 0)
            return;
    net->alone = part;
}

size_t codes_pixels(const struct codes_item *it, const struct codes_net *net) {
    const size_t up = net->decode ? net->m->config.ratio : 1;

    return it->h * it->w * up * up;
}

/* Takes memory from the arena a for the results of n items of one size, one after the other. */
static int take_results(struct codes_item *it, size_t n, const struct codes_net *net, float **x, int **t, struct arena *a) {
    const size_t f = net->m->config.factor;

    *x = arena_take(a, net->decode ? n * 3 * codes_pixels(it, net) : 0, sizeof **x);
    *t = arena_take(a, net->decode ? 0 : n * (it->h / f) * (it->w / f), sizeof **t);
    return *x && *t ? 0 : -1;
}

/* Runs n items of one size through the network.  Memory for the results is taken from the arena a. */
static int through(struct codes_item *it, size_t n, const struct codes_net *net, struct arena *a, struct err *e) {
    const size_t h = it->h, w = it->w, f = net->m->config.factor;
    const size_t pixels = 3 * codes_pixels(it, net), cells = net->decode ? h * w : h / f * (w / f);
    struct arena b;
    float *x, *in_x = NULL;
    int *t, *in_t = NULL;

    if (take_results(it, n, net, &x, &t, a) < 0)
        return err_set(e, "out of memory");
    b = *a;
    if (net->decode)
        in_t = arena_take(&b, n * cells, sizeof *in_t);
    else
        in_x = arena_take(&b, n * pixels, sizeof *in_x);
    if (!in_t && !in_x)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (net->decode)
            memcpy(in_t + i * cells, it[i].tokens, cells * sizeof *in_t);
        else
            memcpy(in_x + i * pixels, it[i].x, pixels * sizeof *in_x);
    }
    if ((net->decode ? vq_decode(net->m->decoder, net->compute, n, h, w, in_t, x, b, e)
                     : vq_encode(net->m->encoder, net->compute, n, h, w, in_x, t, b, e)) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        if (net->decode)
            it[i].x = x + i * pixels;
        else
            it[i].tokens = t + i * cells;
    }
    return 0;
}

struct shared {
    struct codes_item *it;
    const struct codes_net *net;
    struct compute one;    /* without threads */
    float *x;
    int *t;
};

/* Computes item i by one thread. */
static void item_alone(void *ctx, size_t i, int thread) {
    const struct shared *s = ctx;
    const struct codes_net *net = s->net;
    const size_t h = s->it->h, w = s->it->w, f = net->m->config.factor;
    struct codes_item *it = &s->it[i];

    if (net->decode) {
        float *x = s->x + i * 3 * codes_pixels(it, net);
        if (vq_decode(net->m->decoder, &s->one, 1, h, w, it->tokens, x, net->alone[thread], &it->err) == 0)
            it->x = x;
    } else {
        int *t = s->t + i * (h / f) * (w / f);
        if (vq_encode(net->m->encoder, &s->one, 1, h, w, it->x, t, net->alone[thread], &it->err) == 0)
            it->tokens = t;
    }
}

/* Shares n items of one size among the threads.  Returns false if they are not for that; nothing has changed then. */
static bool share(struct codes_item *it, size_t n, const struct codes_net *net, struct arena *a) {
    struct shared s = {it, net, *net->compute, NULL, NULL};
    const struct arena before = *a;

    if (!net->alone || n < (size_t)pool_threads(net->compute->pool) || codes_pixels(it, net) > SMALL)
        return false;
    s.one.pool = NULL;
    if (take_results(it, n, net, &s.x, &s.t, a) < 0) {
        *a = before;
        return false;
    }
    pool_run(net->compute->pool, n, item_alone, &s);
    for (size_t i = 0; i < n; i++)
        if (it[i].err.msg[0]) {    /* its lane was too small, or it fails again here */
            it[i].err.msg[0] = '\0';
            through(&it[i], 1, net, a, &it[i].err);
        }
    return true;
}

void codes_run(struct codes_item *it, size_t n, const struct codes_net *net, struct arena *a) {
    for (size_t i = 0, k; i < n; i += k) {
        const struct arena before = *a;
        struct err e = {0};

        k = 1;
        if (it[i].err.msg[0])
            continue;
        while (i + k < n && !it[i + k].err.msg[0] && it[i + k].h == it[i].h && it[i + k].w == it[i].w)
            k++;
        if (share(it + i, k, net, a))
            continue;
        k = size_min(k, net->together);
        if (through(it + i, k, net, a, &e) == 0)
            continue;
        *a = before;
        if (k == 1)
            it[i].err = e;
        for (size_t j = i; k > 1 && j < i + k; j++)
            through(it + j, 1, net, a, &it[j].err);
    }
}

int codes_fill(struct codes_item *it, const struct codes_net *n, struct arena *a, struct err *e) {
    const size_t f = n->m->config.factor, up = n->m->config.ratio;

    if (new_picture(&it->r, n->decode ? PICTURE_DECODED : PICTURE_CODED, e) < 0)
        return -1;
    if (!n->decode)
        return codes_set(&it->r, it->tokens, it->h / f, it->w / f, n->m->codes, e);
    return record_set_picture(&it->r, it->x, it->h * up, it->w * up, n->u8, a, e) < 0 ||
                   record_set_sub_text(&it->r, "model", "image", codes_fingerprint(n), e) < 0
               ? -1 : 0;
}
