#include "lib/layer/winograd.h"

#include <string.h>

#include "lib/base/size.h"
#include "lib/kernel/panel.h"

/* A task is a block of tiles with all panels of output channels, or with a group of them.  The transformed input of a
 * task, 16 matrices [tiles, in], stays in or near the second-level cache while the weights are read.  The products of
 * one panel, [16][tiles][panel], are transformed into pixels at once. */
enum { PLACES = 16, MAX_TILES = 96, SOME_TILES = 48, FEW_TILES = 24, INPUT_BYTES = 1 << 19, CHUNK = 4096 };
enum { LEAST_SIDE = 16, LEAST_IN = 32, LEAST_OUT = 16 };

/* The number of bytes of weights that are transformed at once.  Most of these weights are then read from the
 * third-level cache. */
#define WEIGHTS ((size_t)36 << 20)

/* The number of unused items between the 16 matrices, so that the matrices do not fall on the same cache sets. */
enum { GAP = 32 };

bool winograd_fits(const struct conv *k, const struct compute *c, size_t x) {
    return k->winograd && c->kern->panel && k->side == 3 && k->stride == 1 && k->pad == 1 && !k->behind &&
           k->in >= LEAST_IN && k->in % c->kern->group == 0 && k->out >= LEAST_OUT && x >= LEAST_SIDE;
}

struct plan {
    size_t ty, tx, tiles;         /* rows and columns of tiles in a feature map; number of all tiles */
    size_t block, blocks;         /* tiles of a task; number of such blocks */
    size_t panels, some;          /* panels of output channels; those whose weights are transformed at once */
    size_t group, groups;         /* panels of a task; number of tasks for `some` panels */
    size_t ldv, ldm;              /* items from one of the 16 matrices of input, or of products, to the next */
    size_t weights, zeros;        /* bytes of scratch that all threads share */
    size_t input, products, pixels, thread;    /* bytes for each thread, and their sum */
};

static struct plan make_plan(const struct conv *k, const struct compute *c, const struct winograd_area *a) {
    const struct kern *kern = c->kern;
    const size_t want = 3 * (size_t)pool_threads(c->pool), unit = kern->rows, row = kern_size(kern->row);
    size_t most = INPUT_BYTES / PLACES / (k->in * row), rows;
    struct plan p = {.ty = (a->y + 2 * a->pad_y - 1) / 2, .tx = (a->x + 1) / 2, .panels = div_up(k->out, kern->panel)};

    p.tiles = a->n * p.ty * p.tx;
    most = (most < SOME_TILES ? SOME_TILES : size_min(most, MAX_TILES)) / unit * unit;
    for (rows = most; rows > FEW_TILES && div_up(p.tiles, rows) < want;)
        rows = round_up(rows / 2, unit);
    p.blocks = div_up(p.tiles, rows);
    p.block = size_min(round_up(div_up(p.tiles, p.blocks), unit), most);
    p.blocks = div_up(p.tiles, p.block);
    p.some = WEIGHTS / (PLACES * panel_bytes(kern, k->in));
    p.some = p.some < 1 ? 1 : size_min(p.some, p.panels);
    p.groups = size_min(p.some, div_up(want, p.blocks));
    p.group = div_up(p.some, p.groups);
    p.groups = div_up(p.some, p.group);
    p.ldv = most * k->in + GAP;
    p.ldm = most * kern->panel + GAP;
    p.weights = p.some * PLACES * panel_bytes(kern, k->in);
    p.zeros = round_up(k->in * sizeof(float), ARENA_ALIGN);
    p.input = round_up(PLACES * p.ldv * row, ARENA_ALIGN);
    p.products = round_up(PLACES * p.ldm * sizeof(float), ARENA_ALIGN);
    p.pixels = round_up(4 * most * kern->panel * sizeof(float), ARENA_ALIGN);
    p.thread = p.input + p.products + p.pixels;
    return p;
}

struct job {
    const struct conv *k;
    const struct kern *kern;
    struct plan plan;
    const struct winograd_area *a;
    const float *in, *zeros;
    const struct kern_out *out;
    size_t from, to;    /* the panels [from, to) have their weights transformed */
    char *weights, *threads;
};

/* One thread's part of the scratch. */
struct mem {
    char *input;
    float *products, *pixels;
};

static struct mem mem_of(const struct job *j, int thread) {
    char *at = j->threads + (size_t)thread * j->plan.thread;

    return (struct mem){at, (float *)(void *)(at + j->plan.input),
                        (float *)(void *)(at + j->plan.input + j->plan.products)};
}

/* ---- weights ---- */

static void transform_weights(void *ctx, size_t i, int thread) {
    const struct job *j = ctx;
    const size_t items = j->k->in * j->kern->panel, chunks = div_up(items, CHUNK);
    const size_t panel = i / chunks, at = i % chunks * CHUNK;
    const size_t elem = kern_size(j->kern->weight);

    (void)thread;
    j->kern->win_weights(size_min(CHUNK, items - at),
                         (const char *)j->k->packed + ((j->from + panel) * 9 * items + at) * elem, items,
                         j->weights + (panel * PLACES * items + at) * elem, items);
}

/* ---- running ---- */

/* Sets x to the 4 x 4 input pixels of a tile; pixels outside the feature map are zeros. */
static void window(const struct job *j, size_t tile, const float *x[PLACES]) {
    const struct winograd_area *a = j->a;
    const struct plan *p = &j->plan;
    size_t in_map = tile % (p->ty * p->tx), map = tile / (p->ty * p->tx);
    size_t y0 = in_map / p->tx * 2 - a->pad_y, x0 = in_map % p->tx * 2 - 1;    /* -1 becomes a huge number */

    for (size_t k = 0; k < PLACES; k++) {
        size_t y = y0 + k / 4, u = x0 + k % 4;

        x[k] = y < a->y && u < a->x ? j->in + ((map * a->y + y) * a->x + u) * j->k->in : j->zeros;
    }
}

/* Writes the pixels of m tiles from tile `first` on, [2][2 m][panel], to the output, for one row of tiles at a time. */
static void put(const struct job *j, size_t first, size_t m, size_t c0, size_t n, const float *pixels) {
    const struct plan *p = &j->plan;
    const size_t rows = j->a->y + 2 * j->a->pad_y - 2, panel = j->kern->panel;

    for (size_t t = 0, run; t < m; t += run) {
        size_t row = (first + t) / p->tx, col = (first + t) % p->tx, y = row % p->ty * 2, wide;

        run = size_min(m - t, p->tx - col);
        wide = size_min(2 * run, j->a->x - 2 * col);
        for (size_t k = 0; k < 2 && y + k < rows; k++) {
            size_t at = ((row / p->ty * rows + y + k) * j->a->x + 2 * col) * j->k->out + c0;
            struct kern_out o = *j->out;

            o.y += at;
            if (o.bias)
                o.bias += c0;
            if (o.residual)
                o.residual += at;
            j->kern->finish(&o, wide, n, pixels + (2 * m * k + 2 * t) * panel, panel);
        }
    }
}

static void run_block(void *ctx, size_t i, int thread) {
    const struct job *j = ctx;
    const struct plan *p = &j->plan;
    const struct kern *kern = j->kern;
    const size_t in = j->k->in, panel = kern->panel, bytes = panel_bytes(kern, in), row = kern_size(kern->row);
    const size_t first = i / p->groups * p->block, m = size_min(p->block, p->tiles - first);
    const size_t g0 = j->from + i % p->groups * p->group, g1 = size_min(g0 + p->group, j->to);
    const struct mem mem = mem_of(j, thread);
    const void *rows[PLACES][MAX_TILES];

    for (size_t t = 0; t < m && g0 < g1; t++) {
        const float *x[PLACES];

        window(j, first + t, x);
        kern->win_in(in, x, mem.input + t * in * row, p->ldv);
        for (size_t k = 0; k < PLACES; k++)
            rows[k][t] = mem.input + (k * p->ldv + t * in) * row;
    }
    for (size_t g = g0; g < g1; g++) {
        const char *w = j->weights + (g - j->from) * PLACES * bytes;
        const size_t c0 = g * panel, n = size_min(panel, j->k->out - c0);

        for (size_t k = 0; k < PLACES; k++, w += bytes)
            panel_times(kern, m, n, rows[k], in, w, mem.products + k * p->ldm, panel, false,
                        k + 1 < PLACES || g + 1 < g1 ? w + bytes : NULL);
        for (size_t t = 0; t < m; t++) {
            float *y = mem.pixels + 2 * t * panel, *below = y + 2 * m * panel;
            float *const to[4] = {y, y + panel, below, below + panel};

            kern->win_out(n, mem.products + t * panel, p->ldm, to);
        }
        put(j, first, m, c0, n, mem.pixels);
    }
}

size_t winograd_scratch(const struct conv *k, const struct compute *c, const struct winograd_area *a) {
    struct plan p = make_plan(k, c, a);

    return p.weights + p.zeros + (size_t)pool_threads(c->pool) * p.thread;
}

void winograd_run(const struct conv *k, const struct compute *c, const struct winograd_area *a, const float *in,
                  const struct kern_out *out, bool again, void *scratch) {
    struct job j = {.k = k, .kern = c->kern, .plan = make_plan(k, c, a), .a = a, .in = in, .out = out, .weights = scratch};
    const struct plan *p = &j.plan;
    char *zeros = j.weights + p->weights;

    j.zeros = memset(zeros, 0, p->zeros);
    j.threads = zeros + p->zeros;
    for (; j.from < p->panels; j.from = j.to) {
        j.to = size_min(j.from + p->some, p->panels);
        if (!again || p->some < p->panels)
            pool_run(c->pool, (j.to - j.from) * div_up(k->in * j.kern->panel, CHUNK), transform_weights, &j);
        pool_run(c->pool, p->blocks * p->groups, run_block, &j);
    }
}
