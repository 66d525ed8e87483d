#include "lib/layer/feature_conv.h"

/* The number of floats of a band.  A band is so large that its halo costs little, but small compared with feature
 * maps. */
enum { BAND = 2 << 20 };

struct feature_source feature_source(const struct feature_map *p, enum act act, enum resample resample) {
    struct feature_source s = {.p = *p, .act = act, .resample = resample, .c = p->c[0] + p->c[1], .y = p->y, .w = p->w};

    if (resample == RESAMPLE_UP2)
        s.y *= 2, s.w *= 2;
    if (resample == RESAMPLE_DOWN2)
        s.y /= 2, s.w /= 2;
    return s;
}

int feature_source_norm(struct feature_source *s, const struct feature_map_norm *g, const struct compute *k,
                        struct arena *a) {
    struct arena b;
    void *sums;

    s->mul = arena_take(a, s->p.n * s->c, sizeof *s->mul);
    s->add = arena_take(a, s->p.n * s->c, sizeof *s->add);
    b = *a;
    sums = arena_take(&b, feature_map_norm_scratch(&s->p), 1);
    if (!s->mul || !s->add || !sums)
        return -1;
    feature_map_norm(&s->p, g, k, s->mul, s->add, sums);
    return 0;
}

/* Returns the number of rows of a band, or 0 if all feature maps are computed at once. */
static size_t band_rows(const struct feature_source *s, size_t band, size_t halo) {
    size_t most = band ? band : BAND, rows = most / (s->w * s->c);

    if (s->p.n * s->y * s->w * s->c <= most)
        return 0;
    return rows > 2 * halo + 2 ? (rows - 2 * halo) / 2 * 2 : 2;    /* an even number, as conv_run_band needs */
}

int feature_conv(const struct conv *v, const struct feature_source *s, size_t band, const struct compute *k,
                 float *out, const float *residual, struct arena scratch) {
    const size_t halo = v->pad, rows = band_rows(s, band, halo), row = s->w * s->c, n = s->p.n;
    const size_t skip = v->behind ? halo : 0;    /* rows of the halo that no window reads */
    const size_t wide = s->w / v->stride * v->out;
    float *in = arena_take(&scratch, (rows ? rows + 2 * halo : n * s->y) * row, sizeof *in);
    size_t bytes = rows ? conv_band_scratch(v, k, rows + 2 * halo - skip, s->w) : conv_scratch(v, k, n, s->y, s->w);
    void *work = arena_take(&scratch, bytes, 1);

    if (!in || !work)
        return -1;
    if (!rows) {
        feature_map_apply(&s->p, s->mul, s->add, s->act, s->resample, k, in);
        conv_run(v, k, n, s->y, s->w, in, out, ACT_NONE, residual, work);
        return 0;
    }
    for (size_t i = 0; i < n; i++)
        for (size_t y = 0; y < s->y; y += rows) {
            size_t to = y + rows < s->y ? y + rows : s->y, at = (i * s->y + y) / v->stride * wide;
            feature_map_apply_band(&s->p, s->mul, s->add, s->act, s->resample, k, i, y, to, halo, in);
            conv_run_band(v, k, to - y + 2 * halo - skip, s->w, in + skip * row, out + at, ACT_NONE,
                          residual ? residual + at : NULL, i + y > 0, work);
        }
    return 0;
}
