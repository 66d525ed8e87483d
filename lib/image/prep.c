#include "lib/image/prep.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "lib/image/resize.h"

/* Returns floor(size * a / b); pictures have fewer than 2^32 pixels a side.  Returns SIZE_MAX / 16 if size * a
 * overflows. */
static size_t ratio(size_t size, size_t a, size_t b) {
    size_t q;

    return __builtin_mul_overflow(size, a, &q) ? SIZE_MAX / 16 : q / b;
}

/* Cuts or pads one axis of `side` pixels to s pixels.  Writes the index of the first pixel of the crop into *at, the
 * number of padding pixels before the crop into *pad, and the number of pixels of the crop into *n. */
static void cut(size_t side, size_t s, enum prep_crop rule, size_t *at, size_t *pad, size_t *n) {
    size_t d = side > s ? side - s : s - side, half = d / 2;

    *at = *pad = 0;
    *n = side < s ? side : s;
    if (side >= s)
        *at = rule == CROP_TORCHVISION && d % 2 ? half + half % 2 : half;
    else
        *pad = rule == CROP_HF ? d - half : half;
}

/* Returns true if RESIZE_SHORTEST would make the longer side exceed p->most, and then writes the limited sides into l.
 * The arithmetic is that of the reference, which may round down where exact arithmetic would not. */
static bool limited(const struct prep *p, size_t h, size_t w, struct prep_place *l) {
    double lo = (double)(h < w ? h : w), hi = (double)(h < w ? w : h), raw = (double)p->most * lo / hi;
    size_t size = (size_t)rint(raw), shorter = size ? size : 1;

    if (!p->most || !(hi / lo * (double)p->size > (double)p->most))
        return false;
    if (size == (size_t)lo)
        return true;    /* l keeps the sides of the picture */
    l->w = w < h ? shorter : (size_t)fmax(1, raw * (double)w / (double)h);
    l->h = w < h ? (size_t)fmax(1, raw * (double)h / (double)w) : shorter;
    return true;
}

struct prep_place prep_where(const struct prep *p, size_t h, size_t w) {
    struct prep_place l = {.h = h, .w = w};

    if (p->size && p->resize == RESIZE_SHORTEST && limited(p, h, w, &l)) {
        ;
    } else if (p->size && p->resize == RESIZE_SHORTEST) {
        l.w = w <= h ? p->size : ratio(p->size, w, h);
        l.h = w <= h ? ratio(p->size, h, w) : p->size;
    } else if (p->size && p->resize == RESIZE_SQUASH) {
        l.h = l.w = p->size;
    } else if (p->size) {
        double r = (double)(h > w ? h : w) / (double)p->size;

        l.h = (size_t)fmax(1, rint((double)h / r));    /* rint rounds half to even, as Python does */
        l.w = (size_t)fmax(1, rint((double)w / r));
    }
    cut(l.h, p->crop, p->rule, &l.cut_y, &l.pad_y, &l.rows);
    cut(l.w, p->crop, p->rule, &l.cut_x, &l.pad_x, &l.cols);
    return l;
}

int prep_begin(const struct prep *p, size_t h, size_t w, unsigned char *out, struct resize *r,
               struct arena *a, struct err *e) {
    struct prep_place l = prep_where(p, h, w);
    struct resize_window win = {l.cut_y, l.cut_x, l.rows, l.cols};

    if (l.rows < p->crop || l.cols < p->crop)
        for (size_t i = 0; i < p->crop * p->crop * 3; i++)
            out[i] = p->fill[i % 3];
    if (resize_plan(r, p->filter, h, w, l.h, l.w, &win, resize_kernel_best(), a, e) < 0)
        return -1;
    resize_begin(r, out + (l.pad_y * p->crop + l.pad_x) * 3, p->crop * 3);
    return 0;
}

int prep_crop(const struct prep *p, const unsigned char *rgb, size_t h, size_t w,
              unsigned char *out, struct arena scratch, struct err *e) {
    struct resize r;

    if (prep_begin(p, h, w, out, &r, &scratch, e) < 0)
        return -1;
    for (size_t y = 0; y < h; y++)
        resize_row(&r, rgb + y * w * 3);
    return 0;
}

void prep_planes(const struct prep *p, const unsigned char *crop, float *out) {
    size_t n = p->crop * p->crop;
    float value[256];

    for (size_t c = 0; c < 3; c++) {
        for (int v = 0; v < 256; v++) {
            value[v] = p->rescale > 0 ? (float)(v * p->rescale) : (float)v / 255;
            if (p->normalize)
                value[v] = (value[v] - p->mean[c]) / p->std[c];
        }
        for (size_t i = 0; i < n; i++)
            out[c * n + i] = value[crop[3 * i + c]];
    }
}

void prep_quantize(const float *planes, size_t h, size_t w, unsigned char *out) {
    size_t n = h * w;

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++) {
            double v = rint(255 * (0.5 * (double)planes[c * n + i] + 0.5));

            out[3 * i + c] = (unsigned char)(v > 0 ? v < 255 ? v : 255 : 0);
        }
}

void prep_widen(const unsigned char *rgb, size_t h, size_t w, float *out) {
    size_t n = h * w;

    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++)
            out[c * n + i] = (float)rgb[3 * i + c] / 127.5f - 1;
}
