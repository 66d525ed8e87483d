#include "lib/layer/linear.h"

#include <stdint.h>

#include "lib/base/size.h"
#include "lib/kernel/panel.h"

/* A product is cut into tasks of at most MAX_ROWS rows by one panel (packed kernels) or by at
 * most MAX_COLS columns (kernels with gemm).  The rows of a task stay in the second-level cache
 * while one panel after the other is read. */
enum { MAX_ROWS = 384, MAX_COLS = 512, PACK_COLS = 256, CONVERT = 1 << 14 };

/* ---- packing ---- */

struct pack_job {
    const struct kern *kern;
    const struct tensor *w;    /* [parts] matrices, one above the other, or NULL */
    const struct linear *from; /* NULL, or a packed matrix to transpose, and its taps */
    size_t taps;
    size_t parts, n, k;
    const float *scale;        /* [n] or NULL */
    char *packed;
    float *rows;               /* [threads][panel][PACK_COLS] */
};

/* Writes columns [k0, k0 + kc) of row j, counted through all parts, to out as f32. */
static void fetch_as_is(const struct pack_job *p, size_t j, size_t k0, size_t kc, float *out) {
    const struct tensor *w = p->w;

    for (; j >= w->shape[0]; w++)
        j -= w->shape[0];
    if (w->nd == 2 && w->stride[1] == 1 && (uintptr_t)w->data % 2 == 0) {
        const unsigned short *h = (const unsigned short *)w->data + j * w->stride[0] + k0;

        if (w->dtype == DT_F16) {
            p->kern->f16_f32(kc, h, out);
            return;
        }
        if (w->dtype == DT_BF16) {
            p->kern->bf16_f32(kc, h, out);
            return;
        }
    }
    tensor_f32(w, j * p->k + k0, j * p->k + k0 + kc, out);
}

/* Writes columns [k0, k0 + kc) of row j of the transposed matrix to out. */
static void fetch_turned(const struct pack_job *p, size_t j, size_t k0, size_t kc, float *out) {
    const struct linear *l = p->from;

    while (kc) {
        size_t tap = k0 / l->n, at = k0 % l->n, n = size_min(l->n - at, kc);
        size_t column = (p->taps - 1 - tap) * (l->k / p->taps) + j;

        if (p->kern->panel)
            panel_column(p->kern, l->packed, l->k, column, at, at + n, out);
        else
            for (size_t i = 0; i < n; i++)
                out[i] = ((const float *)l->packed)[(at + i) * l->k + column];
        out += n;
        k0 += n;
        kc -= n;
    }
}

static void fetch(const struct pack_job *p, size_t j, size_t k0, size_t kc, float *out) {
    if (p->from)
        fetch_turned(p, j, k0, kc, out);
    else
        fetch_as_is(p, j, k0, kc, out);
    if (p->scale)
        p->kern->scale(kc, p->scale[j], out);
}

static void pack_panel(void *ctx, size_t i, int thread) {
    const struct pack_job *p = ctx;
    const struct kern *kern = p->kern;
    float *rows = p->rows + (size_t)thread * kern->panel * PACK_COLS;
    size_t j0 = i * kern->panel, nj = size_min(kern->panel, p->n - j0);
    char *to = p->packed + i * panel_bytes(kern, p->k);

    for (size_t k0 = 0; k0 < p->k; k0 += PACK_COLS) {
        size_t kc = size_min(PACK_COLS, p->k - k0);

        for (size_t j = 0; j < nj; j++)
            fetch(p, j0 + j, k0, kc, rows + j * PACK_COLS);
        kern->pack(to, rows, PACK_COLS, 1, nj, kc);
        to += panel_bytes(kern, kc);
    }
}

static void copy_row(void *ctx, size_t i, int thread) {
    const struct pack_job *p = ctx;

    (void)thread;
    fetch(p, i, 0, p->k, (float *)(void *)p->packed + i * p->k);
}

static bool usable_as_is(const struct tensor *w) {
    return w->dtype == DT_F32 && tensor_is_contiguous(w) && (uintptr_t)w->data % 4 == 0;
}

static int pack_weights(struct linear *l, struct pack_job *p, const struct compute *c,
                        struct arena *keep, struct err *e) {
    const struct kern *kern = p->kern;
    size_t bytes;

    if (!kern->panel) {
        if (!p->from && p->parts == 1 && !p->scale && usable_as_is(p->w)) {
            l->packed = p->w->data;
            return 0;
        }
        if (__builtin_mul_overflow(l->n, l->k, &bytes) ||
            !(l->packed = p->packed = arena_take(keep, bytes, sizeof(float))))
            return err_set(e, "no memory for a matrix of %zu x %zu", l->n, l->k);
        pool_run(c->pool, l->n, copy_row, p);
        return 0;
    }
    bytes = packed_bytes(kern, l->n, l->k);
    if (!bytes || !(p->packed = arena_take(keep, bytes, 1)))
        return err_set(e, "no memory for a matrix of %zu x %zu", l->n, l->k);
    l->packed = p->packed;
    struct arena scratch = *keep;
    p->rows = arena_take(&scratch, (size_t)pool_threads(c->pool) * kern->panel * PACK_COLS,
                         sizeof(float));
    if (!p->rows)
        return err_set(e, "no memory to pack a matrix of %zu x %zu", l->n, l->k);
    pool_run(c->pool, div_up(l->n, kern->panel), pack_panel, p);
    return 0;
}

static int join_bias(struct linear *l, size_t parts, const struct tensor w[], const struct tensor b[],
                     struct arena *keep, struct err *e) {
    float *bias;

    for (size_t i = 0; i < parts; i++)
        if (b[i].nd != 1 || b[i].shape[0] != w[i].shape[0])
            return err_set(e, "bias does not have the %zu elements of its matrix", w[i].shape[0]);
    if (parts == 1 && usable_as_is(b)) {
        l->bias = b->data;
        return 0;
    }
    l->bias = bias = arena_take(keep, l->n, sizeof *bias);
    if (!bias)
        return err_set(e, "no memory for a bias of %zu", l->n);
    for (size_t i = 0; i < parts; bias += b[i++].shape[0])
        tensor_f32(&b[i], 0, b[i].shape[0], bias);
    return 0;
}

int linear_shape(struct linear *l, size_t parts, const struct tensor w[], struct err *e) {
    *l = (struct linear){0};
    for (size_t i = 0; i < parts; i++) {
        if (w[i].nd != 2)
            return err_set(e, "a matrix has %d dimensions, not 2", w[i].nd);
        if (i && w[i].shape[1] != w[0].shape[1])
            return err_set(e, "matrices of %zu and %zu columns do not go together", w[0].shape[1],
                           w[i].shape[1]);
        if (__builtin_add_overflow(l->n, w[i].shape[0], &l->n))
            return err_set(e, "a matrix is too large");
    }
    l->k = parts ? w[0].shape[1] : 0;
    if (!l->n || !l->k)
        return err_set(e, "a matrix of %zu x %zu is empty", l->n, l->k);
    return 0;
}

int linear_pack(struct linear *l, size_t parts, const struct tensor w[], const struct tensor b[],
                const struct compute *c, struct arena *keep, struct err *e) {
    struct pack_job p = {.kern = c->kern, .w = w, .parts = parts};

    if (linear_shape(l, parts, w, e) < 0)
        return -1;
    p.n = l->n;
    p.k = l->k;
    if (b && join_bias(l, parts, w, b, keep, e) < 0)
        return -1;
    return pack_weights(l, &p, c, keep, e);
}

int linear_pack_view(struct linear *l, const struct tensor *w, const float *scale, const float *bias,
                     const struct compute *c, struct arena *keep, struct err *e) {
    struct pack_job p = {.kern = c->kern, .w = w, .parts = 1, .scale = scale};
    size_t count;

    if (w->nd < 1 || tensor_count(w, &count) < 0 || !count)
        return err_set(e, "a matrix is empty or too large");
    *l = (struct linear){.n = w->shape[0], .k = count / w->shape[0], .bias = bias};
    p.n = l->n;
    p.k = l->k;
    return pack_weights(l, &p, c, keep, e);
}

int linear_transpose(struct linear *t, const struct linear *l, size_t taps, const struct compute *c,
                     struct arena *keep, struct err *e) {
    struct pack_job p = {.kern = c->kern, .parts = 1, .from = l, .taps = taps};

    *t = (struct linear){.n = l->k / taps};
    if (__builtin_mul_overflow(taps, l->n, &t->k))
        return err_set(e, "a matrix is too large");
    p.n = t->n;
    p.k = t->k;
    return pack_weights(t, &p, c, keep, e);
}

/* ---- running ---- */

struct plan {
    size_t rows, row_tasks;    /* the number of rows of a task, and of tasks for all rows */
    size_t cols, col_tasks;
    size_t converted;          /* bytes of x as bf16 */
    size_t tile;               /* bytes for each thread's block of products */
};

/* Returns how a product of m > 0 rows is cut into tasks. */
static struct plan make_plan(const struct linear *l, const struct compute *c, size_t m) {
    const struct kern *kern = c->kern;
    const size_t want = 3 * (size_t)pool_threads(c->pool), unit = kern->panel ? kern->rows : 16;
    const size_t most = size_min(div_up(m, unit), MAX_ROWS / unit) * unit, floor = kern->panel ? 48 : 96;
    struct plan p = {.cols = kern->panel};
    size_t rows;

    if (!kern->panel) {
        for (p.cols = MAX_COLS; p.cols > 64 && div_up(l->n, p.cols) * div_up(m, most) < want;)
            p.cols /= 2;
        p.tile = round_up(most * MAX_COLS * sizeof(float), ARENA_ALIGN);
    } else {
        p.tile = round_up(most * kern->panel * sizeof(float), ARENA_ALIGN);
        if (kern->row == DT_BF16)
            p.converted = round_up(m * kern_k(kern, l->k) * kern_size(kern->row), ARENA_ALIGN);
    }
    p.col_tasks = div_up(l->n, p.cols);
    for (rows = most; rows > floor && p.col_tasks * div_up(m, rows) < want;)
        rows = div_up(rows / 2, unit) * unit;
    p.row_tasks = div_up(m, rows);
    p.rows = size_min(div_up(div_up(m, p.row_tasks), unit) * unit, most);
    p.row_tasks = div_up(m, p.rows);
    return p;
}

struct run_job {
    const struct linear *l;
    const struct kern *kern;
    struct plan plan;
    size_t m, ldx;             /* ldx: row stride of x */
    size_t some;               /* rows that a task converts */
    const float *x;
    char *converted;           /* x as bf16, or NULL */
    char *tiles;
    struct kern_out out;
};

static void convert_rows(void *ctx, size_t i, int thread) {
    const struct run_job *j = ctx;
    size_t k = j->l->k, ld = kern_k(j->kern, k);

    (void)thread;
    for (size_t r = i * j->some; r < size_min((i + 1) * j->some, j->m); r++) {
        unsigned short *to = (unsigned short *)(void *)j->converted + r * ld;

        j->kern->f32_bf16(k, j->x + r * j->ldx, to);
        for (size_t q = k; q < ld; q++)
            to[q] = 0;
    }
}

static void run_block(void *ctx, size_t i, int thread) {
    const struct run_job *j = ctx;
    const struct kern *kern = j->kern;
    const struct plan *p = &j->plan;
    const size_t r0 = i / p->col_tasks * p->rows, m = size_min(p->rows, j->m - r0);
    const size_t c0 = i % p->col_tasks * p->cols, n = size_min(p->cols, j->l->n - c0), k = j->l->k;
    float *tile = (float *)(void *)(j->tiles + (size_t)thread * p->tile);
    struct kern_out out = j->out;
    size_t ldc = kern->panel ? kern->panel : n;

    if (kern->panel) {
        const size_t bytes = panel_bytes(kern, k), ld = kern_k(kern, k), row = kern_size(kern->row);
        const char *w = (const char *)j->l->packed + c0 / kern->panel * bytes;
        const void *rows[MAX_ROWS];

        for (size_t r = 0; r < m; r++)
            rows[r] = j->converted ? (const void *)(j->converted + (r0 + r) * ld * row)
                                   : (const void *)(j->x + (r0 + r) * j->ldx);
        panel_times(kern, m, n, rows, j->converted ? ld : k, w, tile, ldc, false,
                    c0 + n < j->l->n ? w + bytes : NULL);
    } else {
        kern->gemm(m, n, k, j->x + r0 * j->ldx, j->ldx, (const float *)j->l->packed + c0 * k, k, 1,
                   tile, ldc);
    }
    out.y += r0 * out.ldy + c0;
    if (out.bias)
        out.bias += c0;
    if (out.residual)
        out.residual += r0 * out.ldy + c0;
    kern->finish(&out, m, n, tile, ldc);
}

size_t linear_scratch(const struct linear *l, const struct compute *c, size_t m) {
    struct plan p = make_plan(l, c, m ? m : 1);

    return p.converted + (size_t)pool_threads(c->pool) * p.tile;
}

void linear_run_out(const struct linear *l, const struct compute *c, size_t m, const float *x,
                    size_t ldx, const struct kern_out *out, void *scratch) {
    struct run_job j = {.l = l, .kern = c->kern, .m = m, .x = x, .ldx = ldx, .out = *out};

    if (!m)
        return;
    j.plan = make_plan(l, c, m);
    j.tiles = (char *)scratch + j.plan.converted;
    if (j.plan.converted) {
        j.converted = scratch;
        j.some = div_up(CONVERT, l->k);
        pool_run(c->pool, div_up(m, j.some), convert_rows, &j);
    }
    pool_run(c->pool, j.plan.row_tasks * j.plan.col_tasks, run_block, &j);
}

void linear_run(const struct linear *l, const struct compute *c, size_t m,
                const float *x, size_t ldx, float *y, size_t ldy, enum act act,
                const float *residual, void *scratch) {
    struct kern_out out = {.bias = l->bias, .residual = residual, .y = y, .ldy = ldy, .act = act};

    linear_run_out(l, c, m, x, ldx, &out, scratch);
}
