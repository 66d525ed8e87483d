#include "lib/layer/conv.h"

#include <stdint.h>
#include <string.h>

#include "lib/base/size.h"
#include "lib/kernel/panel.h"
#include "lib/layer/winograd.h"

/* A convolution is computed in one of three ways, which the window and the kernel determine:
 *
 * - a window of one pixel is a matrix product over all pixels (linear.c);
 * - by pointers (packed kernels): for each tap of the window, the pixels under the tap are multiplied, where they
 *   are stored, by the weights of the tap.  For pixels outside the feature map the pointer is to a row of zeros;
 * - gathered (kernels with gemm, and feature maps with so few channels that one tap is too short for a
 *   product): the windows of a few pixels are copied next to each other. */
enum { MAX_ROWS = 384, GATHER_FLOATS = 1 << 20, GATHER_CHANNELS = 64, CONVERT = 1 << 14 };

struct plan {
    bool linear, gather;
    size_t pad_y, pad_x;       /* zeros before the first row and column */
    size_t yo, xo, m;          /* output rows and columns; m: output pixels of all feature maps */
    size_t rows, row_tasks;    /* rows: pixels of a task; row_tasks: tasks for all pixels */
    size_t col_tasks;          /* tasks for all output channels: 1, or one for each panel */
    size_t depth;              /* when gathering: the window's elements, filled up to whole groups */
    size_t converted, zeros;   /* converted: bytes of the input as bf16; zeros: bytes of one pixel of zeros */
    size_t tile, window;       /* bytes of each thread's products and gathered windows */
};

/* Plans a convolution.  pad_y is the number of rows of zeros on a padded side that the input does not hold: k->pad, or
 * 0 for a band, whose input holds these rows. */
static struct plan make_plan(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x,
                             size_t pad_y) {
    const struct kern *kern = c->kern;
    const size_t want = 3 * (size_t)pool_threads(c->pool), unit = kern->panel ? kern->rows : 16;
    const size_t sides = k->behind ? 1 : 2;    /* the number of sides that are padded */
    struct plan p = {.yo = (y + sides * pad_y - k->side) / k->stride + 1, .pad_y = k->behind ? 0 : pad_y,
                     .xo = (x + sides * k->pad - k->side) / k->stride + 1, .pad_x = k->behind ? 0 : k->pad};
    const size_t row = kern_size(kern->row);
    size_t most, cols;

    p.linear = k->side == 1 && k->stride == 1 && k->pad == 0;
    p.gather = !kern->panel || k->in < GATHER_CHANNELS || k->in % kern->group;
    p.depth = kern_k(kern, k->side * k->side * k->in);
    p.m = n * p.yo * p.xo;
    cols = kern->panel ? kern->panel : k->out;
    p.col_tasks = p.gather ? 1 : div_up(k->out, cols);
    most = p.gather ? size_min(GATHER_FLOATS / p.depth, MAX_ROWS) / unit * unit : MAX_ROWS / unit * unit;
    if (!most)
        most = unit;
    p.tile = round_up(most * cols * sizeof(float), ARENA_ALIGN);
    if (p.gather)
        p.window = round_up(most * p.depth * row, ARENA_ALIGN);
    else
        p.zeros = round_up(k->in * row, ARENA_ALIGN);
    if (!p.gather && kern->row == DT_BF16)
        p.converted = round_up(n * y * x * k->in * row, ARENA_ALIGN);
    for (p.rows = most; p.rows > 2 * unit && p.col_tasks * div_up(p.m, p.rows) < want;)
        p.rows = round_up(p.rows / 2, unit);
    p.row_tasks = div_up(p.m, p.rows);
    return p;
}

struct conv_job {
    const struct conv *k;
    const struct kern *kern;
    struct plan plan;
    size_t n, y, x;
    const float *in;
    const char *pixels;     /* the input in the type that the kernel reads: `in`, or a copy in bf16 */
    char *converted, *threads;
    const char *zeros;
    struct kern_out out;
};

/* The position of the first pixel of an output pixel's window.  The pixel may be outside the feature map. */
struct corner {
    size_t map;         /* index of the feature map's first pixel */
    ptrdiff_t y, x;
};

static struct corner corner_of(const struct conv_job *j, size_t pixel) {
    const struct plan *p = &j->plan;
    size_t in_map = pixel % (p->yo * p->xo);

    return (struct corner){
        pixel / (p->yo * p->xo) * j->y * j->x,
        (ptrdiff_t)(in_map / p->xo * j->k->stride) - (ptrdiff_t)p->pad_y,
        (ptrdiff_t)(in_map % p->xo * j->k->stride) - (ptrdiff_t)p->pad_x
    };
}

/* Returns the index of the pixel at (dy, dx) of the window, or SIZE_MAX if this pixel is outside the feature map. */
static size_t tap(const struct conv_job *j, const struct corner *c, size_t dy, size_t dx) {
    size_t y = (size_t)c->y + dy, x = (size_t)c->x + dx;    /* a negative sum becomes a huge number */

    return y < j->y && x < j->x ? c->map + y * j->x + x : SIZE_MAX;
}

static void finish(const struct conv_job *j, size_t r0, size_t m, size_t c0, size_t n, const float *tile,
                   size_t ldc) {
    struct kern_out out = j->out;

    out.y += r0 * out.ldy + c0;
    if (out.bias)
        out.bias += c0;
    if (out.residual)
        out.residual += r0 * out.ldy + c0;
    j->kern->finish(&out, m, n, tile, ldc);
}

/* Computes one panel of output channels for one block of pixels. */
static void by_pointers(void *ctx, size_t i, int thread) {
    const struct conv_job *j = ctx;
    const struct conv *k = j->k;
    const struct kern *kern = j->kern;
    const size_t r0 = i / j->plan.col_tasks * j->plan.rows, m = size_min(j->plan.rows, j->plan.m - r0);
    const size_t c0 = i % j->plan.col_tasks * kern->panel, n = size_min(kern->panel, k->out - c0);
    const size_t taps = k->side * k->side, bytes = panel_bytes(kern, k->in), row = kern_size(kern->row);
    const char *w = (const char *)k->packed + c0 / kern->panel * taps * bytes;
    float *tile = (float *)(void *)(j->threads + (size_t)thread * j->plan.tile);
    struct corner corner[MAX_ROWS];
    const void *rows[MAX_ROWS];

    for (size_t r = 0; r < m; r++)
        corner[r] = corner_of(j, r0 + r);
    for (size_t t = 0; t < taps; t++, w += bytes) {
        for (size_t r = 0; r < m; r++) {
            size_t at = tap(j, &corner[r], t / k->side, t % k->side);
            rows[r] = at == SIZE_MAX ? j->zeros : j->pixels + at * k->in * row;
        }
        panel_times(kern, m, n, rows, k->in, w, tile, kern->panel, t > 0, w + bytes);
    }
    finish(j, r0, m, c0, n, tile, kern->panel);
}

static void gather(const struct conv_job *j, size_t pixel, char *to) {
    const struct conv *k = j->k;
    const size_t elem = kern_size(j->kern->row), used = k->side * k->side * k->in;
    struct corner c = corner_of(j, pixel);

    for (size_t t = 0; t < k->side * k->side; t++, to += k->in * elem) {
        size_t at = tap(j, &c, t / k->side, t % k->side);

        if (at == SIZE_MAX)
            memset(to, 0, k->in * elem);
        else if (j->kern->row == DT_BF16)
            j->kern->f32_bf16(k->in, j->in + at * k->in, (unsigned short *)(void *)to);
        else
            memcpy(to, j->in + at * k->in, k->in * elem);
    }
    memset(to, 0, (j->plan.depth - used) * elem);
}

/* Computes all output channels for one block of pixels, from copies of their windows. */
static void by_gathering(void *ctx, size_t i, int thread) {
    const struct conv_job *j = ctx;
    const struct conv *k = j->k;
    const struct kern *kern = j->kern;
    const struct plan *p = &j->plan;
    const size_t r0 = i * p->rows, m = size_min(p->rows, p->m - r0), used = k->side * k->side * k->in;
    const size_t row = kern_size(kern->row);
    char *mem = j->threads + (size_t)thread * (p->tile + p->window), *window = mem + p->tile;
    float *tile = (float *)(void *)mem;
    const void *rows[MAX_ROWS];

    for (size_t r = 0; r < m; r++) {
        rows[r] = window + r * p->depth * row;
        gather(j, r0 + r, window + r * p->depth * row);
    }
    if (!kern->panel) {
        kern->gemm(m, k->out, used, (const float *)(const void *)window, p->depth, k->packed, used, 1,
                   tile, k->out);
        finish(j, r0, m, 0, k->out, tile, k->out);
        return;
    }
    for (size_t c0 = 0; c0 < k->out; c0 += kern->panel) {
        size_t n = size_min(kern->panel, k->out - c0);

        panel_times(kern, m, n, rows, p->depth, (const char *)k->packed + c0 / kern->panel * panel_bytes(kern, used),
                    tile, kern->panel, false, NULL);
        finish(j, r0, m, c0, n, tile, kern->panel);
    }
}

static void convert(void *ctx, size_t i, int thread) {
    const struct conv_job *j = ctx;
    const size_t all = j->n * j->y * j->x * j->k->in, at = i * CONVERT;

    (void)thread;
    j->kern->f32_bf16(size_min(CONVERT, all - at), j->in + at, (unsigned short *)(void *)j->converted + at);
}

int conv_pack(struct conv *k, const struct tensor *w, const float *scale, const float *bias,
              size_t stride, size_t pad, const struct compute *c, struct arena *keep, struct err *e) {
    struct tensor last;    /* the weights with channels last: [co, y, x, ci] */
    struct linear l;

    if (w->nd != 4 || w->shape[2] != w->shape[3])
        return err_set(e, "a convolution's weights are not [out, in, side, side]");
    last = (struct tensor){
        .dtype = w->dtype, .nd = 4, .data = w->data,
        .shape = {w->shape[0], w->shape[2], w->shape[3], w->shape[1]},
        .stride = {w->stride[0], w->stride[2], w->stride[3], w->stride[1]}
    };
    if (linear_pack_view(&l, &last, scale, bias, c, keep, e) < 0)
        return -1;
    *k = conv_packed(w, bias, stride, pad, l.packed);
    return 0;
}

struct conv conv_packed(const struct tensor *w, const float *bias, size_t stride, size_t pad, const void *packed) {
    return (struct conv){.in = w->shape[1], .out = w->shape[0], .side = w->shape[2], .stride = stride, .pad = pad, .bias = bias,
                         .packed = packed};
}

static struct linear as_linear(const struct conv *k) {
    return (struct linear){.n = k->out, .k = k->in, .bias = k->bias, .packed = k->packed};
}

int conv_turn(struct conv *t, const struct conv *k, const struct compute *c, struct arena *keep, struct err *e) {
    struct linear l = {.n = k->out, .k = k->side * k->side * k->in, .packed = k->packed}, turned;

    if (linear_transpose(&turned, &l, k->side * k->side, c, keep, e) < 0)
        return -1;
    *t = (struct conv){.in = k->out, .out = k->in, .side = k->side, .stride = 1, .pad = k->pad, .packed = turned.packed};
    return 0;
}

int conv_turn_window(struct linear *t, const struct conv *k, const struct compute *c, struct arena *keep, struct err *e) {
    struct linear l = {.n = k->out, .k = k->side * k->side * k->in, .packed = k->packed};

    return linear_transpose(t, &l, 1, c, keep, e);
}

static size_t scratch_of(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x, size_t pad_y) {
    struct plan p = make_plan(k, c, n, y, x, pad_y);
    struct linear l = as_linear(k);

    if (winograd_fits(k, c, x))
        return winograd_scratch(k, c, &(struct winograd_area){n, y, x, pad_y});
    if (p.linear)
        return linear_scratch(&l, c, p.m);
    return p.converted + p.zeros + (size_t)pool_threads(c->pool) * (p.tile + p.window);
}

size_t conv_scratch(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x) {
    return scratch_of(k, c, n, y, x, k->pad);
}

size_t conv_band_scratch(const struct conv *k, const struct compute *c, size_t y, size_t x) {
    return scratch_of(k, c, 1, y, x, 0);
}

static void run_plain(struct conv_job *j, const struct compute *c, char *at) {
    const struct conv *k = j->k;
    const size_t all = j->n * j->y * j->x * k->in;

    if (j->plan.linear) {
        struct linear l = as_linear(k);
        linear_run_out(&l, c, j->plan.m, j->in, k->in, &j->out, at);
        return;
    }
    if (j->plan.converted) {
        j->pixels = j->converted = at;
        pool_run(c->pool, div_up(all, CONVERT), convert, j);
        at += j->plan.converted;
    }
    if (j->plan.zeros) {
        j->zeros = memset(at, 0, j->plan.zeros);
        at += j->plan.zeros;
    }
    j->threads = at;
    pool_run(c->pool, j->plan.row_tasks * j->plan.col_tasks, j->plan.gather ? by_gathering : by_pointers, j);
}

static void run(const struct conv *k, const struct compute *c, const struct winograd_area *a, const float *in,
                const struct kern_out *out, bool again, void *scratch) {
    struct conv_job j = {
        .k = k, .kern = c->kern, .n = a->n, .y = a->y, .x = a->x, .in = in, .pixels = (const char *)in, .out = *out
    };

    if (winograd_fits(k, c, a->x)) {
        winograd_run(k, c, a, in, out, again, scratch);
        return;
    }
    j.plan = make_plan(k, c, a->n, a->y, a->x, a->pad_y);
    run_plain(&j, c, scratch);
}

void conv_run(const struct conv *k, const struct compute *c, size_t n, size_t y, size_t x,
              const float *in, float *out, enum act act, const float *residual, void *scratch) {
    struct kern_out o = {.bias = k->bias, .residual = residual, .y = out, .ldy = k->out, .act = act, .act_last = true};

    if (n)
        run(k, c, &(struct winograd_area){n, y, x, k->pad}, in, &o, false, scratch);
}

void conv_run_band(const struct conv *k, const struct compute *c, size_t y, size_t x, const float *in, float *out,
                   enum act act, const float *residual, bool again, void *scratch) {
    struct kern_out o = {.bias = k->bias, .residual = residual, .y = out, .ldy = k->out, .act = act, .act_last = true};

    run(k, c, &(struct winograd_area){1, y, x, 0}, in, &o, again, scratch);
}
