#include "lib/image/resize.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* ---- the six filters, with Pillow's names ---- */

static double box(double x) {
    return x > -0.5 && x <= 0.5 ? 1 : 0;
}

static double bilinear(double x) {
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double hamming(double x) {
    x = fabs(x);
    if (x == 0)
        return 1;
    if (x >= 1)
        return 0;
    x *= 3.14159265358979323846;
    return sin(x) / x * ((double)0.54f + (double)0.46f * cos(x));    /* Pillow's constants are f32 */
}

static double bicubic(double x) {
    const double a = -0.5;

    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static double sinc(double x) {
    if (x == 0)
        return 1;
    x *= 3.14159265358979323846;
    return sin(x) / x;
}

static double lanczos(double x) {
    return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static const struct {
    double (*f)(double);
    double support;
} filters[] = {
    [FILTER_NEAREST] = {NULL, 0},     [FILTER_LANCZOS] = {lanczos, 3},
    [FILTER_BILINEAR] = {bilinear, 1}, [FILTER_BICUBIC] = {bicubic, 2},
    [FILTER_BOX] = {box, 0.5},        [FILTER_HAMMING] = {hamming, 1},
};

/* ---- weights ---- */

static int32_t fixed(double w) {
    return (int32_t)(w < 0 ? w * (1 << RESIZE_BITS) - 0.5 : w * (1 << RESIZE_BITS) + 0.5);
}

/* Writes the input range of output i, counted on the whole axis, into *lo and *hi and, unless w is NULL, the weights of
 * that range into weight.  w is scratch. */
static void weigh(const struct resize_axis *x, enum prep_filter f, size_t i, size_t *lo,
                  size_t *hi, int32_t *weight, double *w) {
    double scale = (double)x->in / (double)x->out, wide = scale > 1 ? scale : 1;
    double support = filters[f].support * wide, inv = 1 / wide, total = 0;
    double centre = ((double)i + 0.5) * scale;
    double from = centre - support + 0.5, to = centre + support + 0.5;

    *lo = from > 0 ? (size_t)from : 0;
    *hi = to < (double)x->in ? (size_t)to : x->in;
    if (!w)
        return;
    for (size_t j = *lo; j < *hi; j++) {
        /* the operations are in Pillow's order, because another order rounds differently */
        w[j - *lo] = filters[f].f(((double)j - centre + 0.5) * inv);
        total += w[j - *lo];
    }
    for (size_t j = 0; j < *hi - *lo; j++)
        weight[j] = fixed(total != 0 ? w[j] / total : w[j]);
}

/* Fills in the axis x for the nearest filter: each output has one tap of weight 1.  Pillow adds up the step from output
 * to output, which rounds differently from a product. */
static void weigh_nearest(struct resize_axis *x) {
    double step = (double)x->in / (double)x->out, at = step * 0.5;
    /* Pillow cannot hold a larger picture, and adding up would take for ever */
    size_t skip = x->first < (size_t)1 << 28 ? 0 : x->first;

    at += (double)skip * step;
    for (size_t i = skip; i < x->first; i++)
        at += step;
    for (size_t i = 0; i < x->n; i++, at += step) {
        x->lo[i] = at < (double)x->in ? (size_t)at : x->in - 1;
        x->hi[i] = x->lo[i] + 1;
        x->weight[i * x->taps] = 1 << RESIZE_BITS;
    }
}

/* Computes the ranges and weights of the axis x.  k is the kernel whose `row` will read the weights, or NULL. */
static int axis_plan(struct resize_axis *x, enum prep_filter f, const struct resize_kernel *k,
                     struct arena *a, struct err *e) {
    size_t group = k ? k->group : 1;
    struct arena scratch;
    double *w;

    x->copy = x->in == x->out;
    x->taps = 1;
    x->lo = arena_take(a, x->n, sizeof *x->lo);
    x->hi = arena_take(a, x->n, sizeof *x->hi);
    if (!x->lo || !x->hi)
        goto full;
    if (f != FILTER_NEAREST && !x->copy)
        for (size_t i = 0; i < x->n; i++) {
            weigh(x, f, x->first + i, &x->lo[i], &x->hi[i], NULL, NULL);
            if (x->hi[i] - x->lo[i] > x->taps)
                x->taps = x->hi[i] - x->lo[i];
        }
    x->taps = (x->taps + group - 1) / group * group;
    if (x->n > SIZE_MAX / 16 / x->taps || !(x->weight = arena_zero(a, x->n * x->taps, 4)))
        goto full;
    scratch = *a;
    if (f == FILTER_NEAREST || x->copy) {
        weigh_nearest(x);
    } else {
        w = arena_take(&scratch, x->taps, sizeof *w);
        if (!w)
            goto full;
        for (size_t i = 0; i < x->n; i++)
            weigh(x, f, x->first + i, &x->lo[i], &x->hi[i], x->weight + i * x->taps, w);
    }
    if (k && k->split && !x->copy) {
        x->split = arena_take(a, x->n * x->taps, k->bytes);
        if (!x->split)
            goto full;
        k->split(x);
    }
    return 0;
full:
    return err_set(e, "no memory to resize %zu pixels to %zu", x->in, x->out);
}

/* Returns how many output rows one input row can belong to at most. */
static size_t overlap(const struct resize_axis *y) {
    size_t most = 1;

    for (size_t i = 0, j = 0; i < y->n; i++) {
        while (j < y->n && y->lo[j] < y->hi[i])
            j++;
        if (j > i && j - i > most)
            most = j - i;
    }
    return most;
}

/* Returns true if Pillow 13 does the vertical pass first.  It does so if the height loses more than twice as many
 * pixels as the width, because the horizontal pass then has fewer rows.  The order changes the result, because values
 * are rounded between the passes. */
static bool down_first(const struct resize_axis *x, const struct resize_axis *y) {
    return !x->copy && y->out < y->in && (int64_t)(y->in - y->out) > 2 * ((int64_t)x->in - (int64_t)x->out);
}

int resize_plan(struct resize *r, enum prep_filter f, size_t h, size_t w, size_t out_h,
                size_t out_w, const struct resize_window *win, const struct resize_kernel *k,
                struct arena *a, struct err *e) {
    assert(h && w && win->h && win->w && win->y + win->h <= out_h && win->x + win->w <= out_w);
    *r = (struct resize){
        .x = {.in = w, .out = out_w, .first = win->x, .n = win->w},
        .y = {.in = h, .out = out_h, .first = win->y, .n = win->h},
        .kernel = k,
    };
    if (axis_plan(&r->x, f, k, a, e) < 0 || axis_plan(&r->y, f, NULL, a, e) < 0)
        return -1;
    r->slots = overlap(&r->y);
    if (win->w > SIZE_MAX / 12 || w > SIZE_MAX / 12)
        return err_set(e, "no memory to resize");
    r->down_first = f != FILTER_NEAREST && down_first(&r->x, &r->y);
    r->from = r->down_first ? 3 * r->x.lo[0] : 0;
    r->cols = r->down_first ? 3 * r->x.hi[r->x.n - 1] - r->from : 3 * win->w;
    r->sum = arena_take(a, r->slots, r->cols * sizeof *r->sum);
    r->row = arena_take(a, 3 * win->w + RESIZE_PAD, 1);
    r->in = arena_zero(a, 3 * w + RESIZE_PAD, 1);    /* kernels read beyond the row, with weights of 0 */
    if (!r->sum || !r->row || !r->in)
        return err_set(e, "no memory to resize");
    return 0;
}

/* ---- the passes ---- */

static unsigned char clip8(int32_t sum) {
    int32_t v = sum >> RESIZE_BITS;

    return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void row_c(const struct resize_axis *x, const unsigned char *in, unsigned char *out) {
    for (size_t i = 0; i < x->n; i++, out += 3) {
        const int32_t *c = x->weight + i * x->taps;
        const unsigned char *p = in + 3 * x->lo[i];
        uint32_t s0 = RESIZE_HALF, s1 = s0, s2 = s0;    /* unsigned, because sums may wrap around */

        for (size_t j = 0; j < x->hi[i] - x->lo[i]; j++, p += 3) {
            uint32_t v = (uint32_t)c[j];

            s0 += v * p[0];
            s1 += v * p[1];
            s2 += v * p[2];
        }
        out[0] = clip8((int32_t)s0);
        out[1] = clip8((int32_t)s1);
        out[2] = clip8((int32_t)s2);
    }
}

static void add_c(int32_t *sum, const unsigned char *row, int32_t weight, size_t n) {
    for (size_t i = 0; i < n; i++)
        sum[i] = (int32_t)((uint32_t)sum[i] + (uint32_t)weight * row[i]);
}

static void clip_c(int32_t *sum, unsigned char *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        out[i] = clip8(sum[i]);
        sum[i] = RESIZE_HALF;
    }
}

const struct resize_kernel resize_kernel_c = {"c", row_c, add_c, clip_c, NULL, 1, 0};

const struct resize_kernel *resize_kernel_at(size_t i) {
    const struct resize_kernel *have[3] = {&resize_kernel_c};
    size_t n = 1;

#ifdef KERNELS_x86_64
    if (__builtin_cpu_supports("avx2"))
        have[n++] = &resize_kernel_avx2;
    if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni"))
        have[n++] = &resize_kernel_vnni;
#endif
    return i < n ? have[i] : NULL;
}

const struct resize_kernel *resize_kernel_best(void) {
    size_t n = 1;

    while (resize_kernel_at(n))
        n++;
    return resize_kernel_at(n - 1);
}

/* Returns the row rgb of the input after the horizontal pass. */
static const unsigned char *horizontal(struct resize *r, const unsigned char *rgb) {
    size_t lo = r->x.lo[0], hi = r->x.hi[r->x.n - 1];

    if (r->x.copy)
        return rgb + 3 * r->x.first;
    memcpy(r->in + 3 * lo, rgb + 3 * lo, 3 * (hi - lo));
    r->kernel->row(&r->x, r->in, r->row);
    return r->row;
}

void resize_begin(struct resize *r, unsigned char *out, size_t stride) {
    r->out = out;
    r->stride = stride;
    r->at = r->begun = r->done = 0;
    for (size_t i = 0; i < r->slots * r->cols; i++)
        r->sum[i] = RESIZE_HALF;
}

/* Writes an output row whose sums are complete into out, through the horizontal pass if that comes second. */
static void finish(struct resize *r, int32_t *sum, unsigned char *out) {
    if (!r->down_first) {
        r->kernel->clip(sum, out, r->cols);
        return;
    }
    r->kernel->clip(sum, r->in + r->from, r->cols);
    r->kernel->row(&r->x, r->in, r->row);
    memcpy(out, r->row, 3 * r->x.n);
}

/* Adds input row `at` to every output row that it belongs to, and writes the rows that are complete then. */
static void vertical(struct resize *r, const unsigned char *rgb, size_t at) {
    const struct resize_axis *y = &r->y;
    const unsigned char *row;
    size_t n = r->cols;

    while (r->begun < y->n && y->lo[r->begun] <= at)
        r->begun++;
    if (r->done == r->begun)
        return;
    row = r->down_first ? rgb + r->from : horizontal(r, rgb);
    for (size_t o = r->done; o < r->begun; o++)
        if (at < y->hi[o])
            r->kernel->add(r->sum + o % r->slots * n, row, y->weight[o * y->taps + at - y->lo[o]], n);
    for (; r->done < r->begun && y->hi[r->done] <= at + 1; r->done++)
        finish(r, r->sum + r->done % r->slots * n, r->out + r->done * r->stride);
}

void resize_row(struct resize *r, const unsigned char *rgb) {
    size_t at = r->at++;

    if (!r->y.copy)
        vertical(r, rgb, at);
    else if (at >= r->y.first && at - r->y.first < r->y.n)
        memcpy(r->out + (at - r->y.first) * r->stride, horizontal(r, rgb), 3 * r->x.n);
}

void resize_run(struct resize *r, const unsigned char *rgb, unsigned char *out, size_t stride) {
    resize_begin(r, out, stride);
    for (size_t y = 0; y < r->y.in; y++)
        resize_row(r, rgb + y * r->x.in * 3);
}
