#include "lib/base/tensor.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t dtype_size(enum dtype d) {
    static const unsigned char size[] = {[DT_F32] = 4, [DT_F16] = 2, [DT_BF16] = 2, [DT_F64] = 8,
                                         [DT_I64] = 8, [DT_I32] = 4, [DT_I16] = 2, [DT_I8] = 1,
                                         [DT_U8] = 1,  [DT_BOOL] = 1};
    return size[d];
}

const char *dtype_name(enum dtype d) {
    static const char *const name[] = {[DT_F32] = "F32", [DT_F16] = "F16", [DT_BF16] = "BF16",
                                       [DT_F64] = "F64", [DT_I64] = "I64", [DT_I32] = "I32",
                                       [DT_I16] = "I16", [DT_I8] = "I8",   [DT_U8] = "U8",
                                       [DT_BOOL] = "BOOL"};
    return name[d];
}

bool dtype_is_float(enum dtype d) {
    return d == DT_F32 || d == DT_F16 || d == DT_BF16 || d == DT_F64;
}

void tensor_contiguous(struct tensor *t) {
    size_t s = 1;

    for (int i = t->nd; i-- > 0; s *= t->shape[i])
        t->stride[i] = s;
}

bool tensor_is_contiguous(const struct tensor *t) {
    size_t s = 1;

    for (int i = t->nd; i-- > 0; s *= t->shape[i])
        if (t->shape[i] != 1 && t->stride[i] != s)
            return false;
    return true;
}

int tensor_count(const struct tensor *t, size_t *n) {
    size_t c = 1;

    for (int i = 0; i < t->nd; i++)
        if (t->shape[i] == 0) {
            *n = 0;
            return 0;
        }
    for (int i = 0; i < t->nd; i++)
        if (__builtin_mul_overflow(c, t->shape[i], &c))
            return -1;
    *n = c;
    return 0;
}

struct tensor tensor_transposed(const struct tensor *t) {
    struct tensor r = *t;

    r.shape[0] = t->shape[1], r.shape[1] = t->shape[0];
    r.stride[0] = t->stride[1], r.stride[1] = t->stride[0];
    return r;
}

struct tensor tensor_rows(const struct tensor *t, size_t lo, size_t hi) {
    struct tensor r = *t;

    r.shape[0] = hi - lo;
    r.data = (const char *)t->data + lo * t->stride[0] * dtype_size(t->dtype);
    return r;
}

float f16_f32(unsigned short h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exp = h >> 10 & 31, man = h & 1023, u;
    float f;

    if (exp == 0) {
        f = (float)man * 0x1p-24f;    /* zero and subnormals; the product is exact */
        memcpy(&u, &f, 4);
        u |= sign;
    } else {
        u = sign | (exp == 31 ? 255u << 23 : (exp + 112) << 23) | man << 13;
    }
    memcpy(&f, &u, 4);
    return f;
}

unsigned short f32_f16(float f) {
    uint32_t u, sign, a, man, shift, half, rest;

    memcpy(&u, &f, 4);
    sign = u >> 16 & 0x8000;
    a = u & 0x7fffffff;
    if (a > 0x7f800000)
        return (unsigned short)(sign | 0x7e00);
    if (a >= 0x477ff000)                    /* 65520 and more round to infinity */
        return (unsigned short)(sign | 0x7c00);
    if (a < 0x33000001)                     /* 2^-25 and less round to zero */
        return (unsigned short)sign;
    if (a < 0x38800000) {                   /* subnormal half */
        shift = 126 - (a >> 23);
        man = (a & 0x7fffff) | 0x800000;
    } else {
        shift = 13;
        man = a - (112u << 23);
    }
    half = man >> shift;
    rest = man & ((1u << shift) - 1);
    half += rest > 1u << (shift - 1) || (rest == 1u << (shift - 1) && (half & 1));
    return (unsigned short)(sign | half);
}

float bf16_f32(unsigned short h) {
    uint32_t u = (uint32_t)h << 16;
    float f;

    memcpy(&f, &u, 4);
    return f;
}

unsigned short f32_bf16(float f) {
    uint32_t u;

    memcpy(&u, &f, 4);
    if ((u & 0x7fffffff) > 0x7f800000)
        return (unsigned short)(u >> 16 | 0x40);
    return (unsigned short)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

#define LOAD(type, p, v) type v; memcpy(&v, p, sizeof v)

static float element(enum dtype d, const char *p) {
    switch (d) {
    case DT_F32: { LOAD(float, p, v); return v; }
    case DT_F16: { LOAD(unsigned short, p, v); return f16_f32(v); }
    case DT_BF16: { LOAD(unsigned short, p, v); return bf16_f32(v); }
    case DT_F64: { LOAD(double, p, v); return (float)v; }
    case DT_I64: { LOAD(int64_t, p, v); return (float)v; }
    case DT_I32: { LOAD(int32_t, p, v); return (float)v; }
    case DT_I16: { LOAD(int16_t, p, v); return (float)v; }
    case DT_I8: return (float)*(const signed char *)p;
    case DT_U8: case DT_BOOL: return (float)*(const unsigned char *)p;
    }
    return 0;
}

static void widen_row(enum dtype d, const char *p, size_t stride, size_t n, float *out) {
    size_t step = stride * dtype_size(d);

    if (d == DT_F32 && stride == 1) {
        memcpy(out, p, n * 4);
        return;
    }
    for (size_t i = 0; i < n; i++)
        out[i] = element(d, p + i * step);
}

void tensor_f32(const struct tensor *t, size_t lo, size_t hi, float *out) {
    size_t size = dtype_size(t->dtype), last, stride;

    if (tensor_is_contiguous(t)) {
        widen_row(t->dtype, (const char *)t->data + lo * size, 1, hi - lo, out);
        return;
    }
    last = t->shape[t->nd - 1];
    stride = t->stride[t->nd - 1];
    while (lo < hi) {
        size_t row = lo / last, col = lo % last, n = last - col < hi - lo ? last - col : hi - lo;
        size_t off = col * stride;

        for (int i = t->nd - 1; i-- > 0; row /= t->shape[i])
            off += row % t->shape[i] * t->stride[i];
        widen_row(t->dtype, (const char *)t->data + off * size, stride, n, out);
        out += n;
        lo += n;
    }
}

const float *tensor_all_f32(const struct tensor *t, struct arena *a) {
    size_t n;
    float *out;

    if (tensor_count(t, &n) < 0)
        return NULL;
    if (t->dtype == DT_F32 && (uintptr_t)t->data % 4 == 0 && tensor_is_contiguous(t))
        return t->data;
    out = arena_take(a, n, sizeof *out);
    if (out)
        tensor_f32(t, 0, n, out);
    return out;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct weight *)a)->name, ((const struct weight *)b)->name);
}

int weights_sort(struct weights *ws, struct err *e) {
    if (ws->n)
        qsort(ws->w, ws->n, sizeof *ws->w, by_name);
    for (size_t i = 1; i < ws->n; i++)
        if (!strcmp(ws->w[i - 1].name, ws->w[i].name))
            return err_set(e, "tensor %.200s occurs twice", ws->w[i].name);
    return 0;
}

struct weight *weights_find(const struct weights *ws, const char *name) {
    struct weight key = {.name = name};

    return ws->n ? bsearch(&key, ws->w, ws->n, sizeof *ws->w, by_name) : NULL;
}

static void shape_text(char *s, size_t room, int nd, const size_t *shape) {
    size_t at = 0;

    s[0] = 0;
    for (int i = 0; i < nd && at + 24 < room; i++)
        at += (size_t)snprintf(s + at, room - at, "%s%zu", i ? ", " : "", shape[i]);
}

int weights_take(const struct weights *ws, const char *name, struct tensor *out, struct err *e,
                 int nd, ...) {
    struct weight *w = weights_find(ws, name);
    size_t want[TENSOR_DIMS] = {0};
    char has[160], need[160];
    va_list ap;
    bool same;

    va_start(ap, nd);
    for (int i = 0; i < nd; i++)
        want[i] = va_arg(ap, size_t);
    va_end(ap);
    shape_text(need, sizeof need, nd, want);
    if (!w)
        return err_set(e, "tensor %.200s is missing, expected [%s]", name, need);
    same = w->t.nd == nd;
    for (int i = 0; same && i < nd; i++)
        same = w->t.shape[i] == want[i];
    if (!same) {
        shape_text(has, sizeof has, w->t.nd, w->t.shape);
        return err_set(e, "tensor %.200s is [%s], expected [%s]", name, has, need);
    }
    if (!dtype_is_float(w->t.dtype))
        return err_set(e, "tensor %.200s is %s: quantised weights are not supported", name, dtype_name(w->t.dtype));
    w->used = true;
    *out = w->t;
    return 0;
}
