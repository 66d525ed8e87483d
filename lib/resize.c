#include "lib/resize.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum { BITS = 32 - 8 - 2, PAD = 32 };

/* ---- the filters, in Pillow's words and number ---- */

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
    return sin(x) / x * ((double)0.54f + (double)0.46f * cos(x));    /* f32 constants */
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
    return (int32_t)(w < 0 ? w * (1 << BITS) - 0.5 : w * (1 << BITS) + 0.5);
}

/* Output i of the whole axis: its range, and its weights where w is not NULL. */
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
        /* Pillow subtracts the centre from an integer: the same roundings */
        w[j - *lo] = filters[f].f(((double)j - centre + 0.5) * inv);
        total += w[j - *lo];
    }
    for (size_t j = 0; j < *hi - *lo; j++)
        weight[j] = fixed(total != 0 ? w[j] / total : w[j]);
}

/* Nearest is one tap of weight 1.  Pillow adds the step up from output to output, which
 * rounds differently from a product. */
static void weigh_nearest(struct resize_axis *x) {
    double step = (double)x->in / (double)x->out, at = step * 0.5;
    /* beyond this no Pillow could hold the picture, and adding up would take for ever */
    size_t skip = x->first < (size_t)1 << 28 ? 0 : x->first;

    at += (double)skip * step;
    for (size_t i = skip; i < x->first; i++)
        at += step;
    for (size_t i = 0; i < x->n; i++, at += step) {
        x->lo[i] = at < (double)x->in ? (size_t)at : x->in - 1;
        x->hi[i] = x->lo[i] + 1;
        x->weight[i * x->taps] = 1 << BITS;
    }
}

static void split(struct resize_axis *x) {
    for (size_t i = 0; i < x->n * x->taps; i++) {
        size_t at = i / 4 * 8 + (i & 2) * 2 + (i & 1);

        x->split[at] = (int16_t)(x->weight[i] & 0xfff);
        x->split[at + 2] = (int16_t)(x->weight[i] >> 12);
    }
}

static int axis_plan(struct resize_axis *x, enum prep_filter f, bool with_split, struct arena *a,
                     struct err *e) {
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
    x->taps = (x->taps + 3) / 4 * 4;
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
    if (with_split && !x->copy) {
        x->split = arena_take(a, x->n * x->taps, 2 * sizeof *x->split);
        if (!x->split)
            goto full;
        split(x);
    }
    return 0;
full:
    return err_set(e, "no memory to resize %zu pixels to %zu", x->in, x->out);
}

/* How many output rows one input row can belong to at most. */
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

int resize_plan(struct resize *r, enum prep_filter f, size_t h, size_t w, size_t out_h,
                size_t out_w, const struct resize_window *win, const struct resize_kernel *k,
                struct arena *a, struct err *e) {
    assert(h && w && win->h && win->w && win->y + win->h <= out_h && win->x + win->w <= out_w);
    *r = (struct resize){
        .x = {.in = w, .out = out_w, .first = win->x, .n = win->w},
        .y = {.in = h, .out = out_h, .first = win->y, .n = win->h},
        .kernel = k,
    };
    if (axis_plan(&r->x, f, k->split, a, e) < 0 || axis_plan(&r->y, f, false, a, e) < 0)
        return -1;
    r->slots = overlap(&r->y);
    if (win->w > SIZE_MAX / 12 || w > SIZE_MAX / 4)
        return err_set(e, "no memory to resize");
    r->sum = arena_take(a, r->slots, 3 * win->w * sizeof *r->sum);
    r->row = arena_take(a, 3 * win->w + PAD, 1);
    r->last = arena_take(a, 3 * w + PAD, 1);
    if (!r->sum || !r->row || !r->last)
        return err_set(e, "no memory to resize");
    return 0;
}

/* ---- the passes ---- */

static unsigned char clip8(int32_t sum) {
    int32_t v = sum >> BITS;

    return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
}

static void row_c(const struct resize_axis *x, const unsigned char *in, unsigned char *out) {
    for (size_t i = 0; i < x->n; i++, out += 3) {
        const int32_t *c = x->weight + i * x->taps;
        const unsigned char *p = in + 3 * x->lo[i];
        uint32_t s0 = 1u << (BITS - 1), s1 = s0, s2 = s0;    /* unsigned: may wrap */

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

const struct resize_kernel resize_kernel_c = {row_c, add_c, false};

const struct resize_kernel *resize_kernel_best(void) {
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx2"))
        return &resize_kernel_avx2;
#endif
    return &resize_kernel_c;
}

/* Row y of the input after the horizontal pass. */
static const unsigned char *horizontal(const struct resize *r, const unsigned char *rgb, size_t y) {
    const unsigned char *in = rgb + y * r->x.in * 3;

    if (r->x.copy)
        return in + 3 * r->x.first;
    /* a kernel may read a little beyond the row: near the end nothing lies there */
    if (r->y.in - y - 1 < PAD && (r->y.in - y - 1) * r->x.in * 3 < PAD)
        in = memcpy(r->last, in, 3 * r->x.in);
    r->kernel->row(&r->x, in, r->row);
    return r->row;
}

void resize_run(const struct resize *r, const unsigned char *rgb, unsigned char *out,
                size_t stride) {
    const struct resize_axis *y = &r->y;
    size_t n = 3 * r->x.n, done = 0, begun = 0;

    if (y->copy) {
        for (size_t i = 0; i < y->n; i++)
            memcpy(out + i * stride, horizontal(r, rgb, y->first + i), n);
        return;
    }
    for (size_t in = y->lo[0]; done < y->n; in++) {
        const unsigned char *row = NULL;

        for (; begun < y->n && y->lo[begun] <= in; begun++)
            for (size_t i = 0; i < n; i++)
                r->sum[begun % r->slots * n + i] = 1 << (BITS - 1);
        if (done < begun && in < r->y.in)
            row = horizontal(r, rgb, in);
        for (size_t o = done; row && o < begun; o++)
            if (in < y->hi[o])
                r->kernel->add(r->sum + o % r->slots * n, row,
                               y->weight[o * y->taps + in - y->lo[o]], n);
        for (; done < begun && y->hi[done] <= in + 1; done++)
            for (size_t i = 0; i < n; i++)
                out[done * stride + i] = clip8(r->sum[done % r->slots * n + i]);
    }
}
