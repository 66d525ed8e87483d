/* widen.h - converts the f32 and f16 tensors of a file to f64, for tests that are compiled with tests/double.h
 *
 * In these tests `float` means double and DT_F32 means `float`, so the networks cannot read an f32 tensor as it is in the
 * file.  In other tests widen() does nothing.
 */
#ifndef UNCLIP_WIDEN_H
#define UNCLIP_WIDEN_H

#include "lib/base/tensor.h"

#include "tests/tap.h"

#ifdef UNCLIP_DOUBLE
static double widen_half(unsigned h) {
    int e = h >> 10 & 31;
    double m = e ? ldexp(1024 + (h & 1023), e - 25) : ldexp(h & 1023, -24);

    return h >> 15 ? -m : m;
}

static void widen(struct weights *ws, struct arena *a) {
    for (size_t i = 0; i < ws->n; i++) {
        struct tensor *t = &ws->w[i].t;
        size_t n;
        double *to;

        if ((t->dtype != DT_F32 && t->dtype != DT_F16) || tensor_count(t, &n) < 0)
            continue;
        if (!(to = arena_take(a, n, sizeof *to)))
            printf("Bail out! out of memory\n"), exit(1);
        for (size_t j = 0; j < n; j++)
            to[j] = t->dtype == DT_F32 ? ((const single *)t->data)[j] : widen_half(((const unsigned short *)t->data)[j]);
        t->data = to;
        t->dtype = DT_F64;
    }
}
#else
static void widen(struct weights *ws, struct arena *a) {
    (void)ws, (void)a;
}
#endif

#endif
