/* threads */
/* The rasteriser and its gradient against a reference in f64 (tests/golden/clipdraw/strokes), against differences of the
 * picture, and for any number of threads. */
#include "lib/draw/stroke.h"

#include "tests/golden_strokes.h"

enum { H = 40, W = 48, PIXELS = 3 * H * W };

/* 0.5 sum (x - T)^2 + sum G x, and its gradient by x. */
static double loss(const float *x, const float *G, const float *T, float *d) {
    double sum = 0;

    for (size_t i = 0; i < PIXELS; i++) {
        double e = (double)x[i] - (double)T[i];

        sum += (double)G[i] * (double)x[i] + 0.5 * e * e;
        if (d)
            d[i] = G[i] + x[i] - T[i];
    }
    return sum;
}

static void reference(struct arena a) {
    struct weights z = golden_open("tests/golden/clipdraw/strokes.safetensors", &a);
    struct strokes s = golden_strokes(&z, "", &a);
    size_t n = strokes_count(&s), points = s.first[s.n];
    const float *G = golden_floats(&z, "G", NULL, &a), *T = golden_floats(&z, "T", NULL, &a);
    struct err e = {0};
    struct raster *r = raster_open(&s, H, W, NULL, &a, &e);
    float *x = arena_take(&a, PIXELS, sizeof *x), *d = arena_take(&a, PIXELS, sizeof *d), *g = arena_take(&a, n, sizeof *g);

    raster_draw(r, &s, x);
    close_to(x, golden_floats(&z, "picture", NULL, &a), PIXELS, 6e-7, 0, "the picture");
    loss(x, G, T, d);
    raster_back(r, &s, d, g);
    close_to(g, golden_floats(&z, "grad.points", NULL, &a), 2 * points, 0, 2e-6, "the gradient by the points");
    close_to(strokes_radius(&s, g), golden_floats(&z, "grad.radius", NULL, &a), s.n, 0, 9e-7, "by the radii");
    close_to(strokes_rgba(&s, g), golden_floats(&z, "grad.rgba", NULL, &a), 4 * s.n, 0, 1.8e-7, "by the colours");
}

/* Random strokes: also of no length, thin, thick, opaque, and outside the picture. */
static float uniform(unsigned *x) {
    *x = *x * 1664525 + 1013904223;
    return (float)(*x >> 8) / (1 << 24);
}

static struct strokes made(size_t n, unsigned seed, struct arena *a) {
    size_t *first = arena_take(a, n + 1, sizeof *first);
    struct strokes s = {n, first, NULL};

    first[0] = 0;
    for (size_t k = 0; k < n; k++)
        first[k + 1] = first[k] + 3 * (1 + (size_t)(3 * uniform(&seed))) + 1;
    s.param = arena_take(a, strokes_count(&s), sizeof *s.param);
    for (size_t k = 0; k < n; k++)
        for (size_t i = first[k]; i < first[k + 1]; i++)
            for (size_t j = 0; j < 2; j++)
                s.param[2 * i + j] = i == first[k] ? 60 * uniform(&seed) - 6
                                     : k % 7 == 3 ? s.param[2 * i + j - 2] : s.param[2 * i + j - 2] + 20 * (uniform(&seed) - 0.5f);
    for (size_t k = 0; k < n; k++) {
        strokes_radius(&s, s.param)[k] = k % 5 ? 0.3f + 4 * uniform(&seed) : 0;
        for (size_t i = 0; i < 4; i++)
            strokes_rgba(&s, s.param)[4 * k + i] = k % 6 == 2 && i == 3 ? 1 : uniform(&seed);
    }
    return s;
}

/* A picture by brute force: the nearest of 1000 points of each segment. */
static void brute(const struct strokes *s, float *x) {
    const float *radius = strokes_radius(s, s->param), *rgba = strokes_rgba(s, s->param);

    for (size_t i = 0; i < H * W; i++) {
        double c[3] = {1, 1, 1}, qx = (double)(i % W) + 0.5, qy = (double)(i / W) + 0.5;

        for (size_t k = 0; k < s->n; k++) {
            double best = 1e9, cov = 0, r = (double)radius[k];

            for (size_t p = s->first[k]; p + 3 < s->first[k + 1]; p += 3)
                for (int j = 0; j <= 1000; j++) {
                    double t = j / 1000.0, u = 1 - t, b[4] = {u * u * u, 3 * t * u * u, 3 * t * t * u, t * t * t}, dx = -qx, dy = -qy;

                    for (size_t m = 0; m < 4; m++)
                        dx += b[m] * (double)s->param[2 * (p + m)], dy += b[m] * (double)s->param[2 * (p + m) + 1];
                    best = fmin(best, dx * dx + dy * dy);
                }
            for (int side = 0; side < 2; side++) {
                double v = (fmax(-1, fmin(1, sqrt(best) + (side ? -r : r))) + 1) / 2;

                cov += (side ? -1 : 1) * v * v * (3 - 2 * v);
            }
            for (size_t m = 0; m < 3; m++)
                c[m] += (double)rgba[4 * k + 3] * cov * ((double)rgba[4 * k + m] - c[m]);
        }
        for (size_t m = 0; m < 3; m++)
            x[m * H * W + i] = (float)c[m];
    }
}

static void other_strokes(struct arena a) {
    struct strokes s = made(20, 7, &a);
    float *x = arena_take(&a, PIXELS, sizeof *x), *y = arena_take(&a, PIXELS, sizeof *y);
    struct err e = {0};

    raster_draw(raster_open(&s, H, W, NULL, &a, &e), &s, x);
    brute(&s, y);
    close_to(x, y, PIXELS, 3e-5, 0, "other strokes: the picture is that of the nearest of 1000 points");
}

/* Differences of the loss for every parameter, at strokes whose distance has one nearest point almost everywhere. */
static void differences(struct arena a) {
    struct strokes s = made(6, 3, &a);
    size_t n = strokes_count(&s), bad = 0, tried = 0;
    float *G = arena_take(&a, PIXELS, sizeof *G), *x = arena_take(&a, PIXELS, sizeof *x), *g = arena_take(&a, n, sizeof *g);
    float *T = arena_zero(&a, PIXELS, sizeof *T), *d = arena_take(&a, PIXELS, sizeof *d), top = 0;
    struct err e = {0};
    struct raster *r = raster_open(&s, H, W, NULL, &a, &e);
    unsigned seed = 11;

    for (size_t i = 0; i < PIXELS; i++)
        G[i] = uniform(&seed) - 0.5f;
    raster_draw(r, &s, x);
    loss(x, G, T, d);
    raster_back(r, &s, d, g);
    for (size_t i = 0; i < n; i++)
        top = fmaxf(top, fabsf(g[i]));
    for (size_t i = 0; i < n; i++) {
        const float was = s.param[i], h = 1e-3f;
        bool point = i < 2 * s.first[s.n];
        float up, down;
        double v;

        if ((!point && was < h) || (point && i / 2 >= s.first[3] && i / 2 < s.first[4]))
            continue;    /* a radius of 0 has no other side, and a stroke without length has no one nearest point */
        s.param[i] = up = was + h;
        raster_draw(r, &s, x);
        v = loss(x, G, T, NULL);
        s.param[i] = down = was - h;
        raster_draw(r, &s, x);
        v = (v - loss(x, G, T, NULL)) / (double)(up - down);
        s.param[i] = was;
        bad += !(fabs(v - (double)g[i]) < 2e-3 * (double)top);
        tried++;
    }
    ok(bad == 0, "the gradient is that of differences in %zu parameters, %zu bad", tried, bad);
}

static void threads(struct arena a) {
    struct strokes s = made(64, 5, &a);
    size_t n = strokes_count(&s);
    float *x[3], *g[3];
    struct err e = {0};

    for (int i = 0; i < 3; i++) {
        const int of[] = {1, 2, 5};
        struct pool *p = pool_start(&a, of[i], &e);
        struct raster *r = raster_open(&s, 61, 67, p, &a, &e);

        x[i] = arena_take(&a, 3 * 61 * 67, sizeof **x), g[i] = arena_take(&a, n, sizeof **g);
        raster_draw(r, &s, x[i]);
        raster_back(r, &s, x[i], g[i]);
        pool_stop(p);
        if (i)
            ok(!memcmp(x[0], x[i], 3 * 61 * 67 * sizeof **x) && !memcmp(g[0], g[i], n * sizeof **g), "the same bytes with %d threads", of[i]);
    }
}

static void refused(struct arena a) {
    const size_t first[] = {0, 6};
    float p[17] = {0};
    struct strokes s = {1, first, p};
    struct err e = {0};
    struct arena_mem m = {.base = a.at, .reserved = 20000};
    struct arena little = arena_open(&m);

    ok(!raster_open(&s, 8, 8, NULL, &a, &e) && !strcmp(e.msg, "a stroke of 6 points"), "%s", e.msg);
    err_clear(&e);
    s = made(64, 5, &a);
    ok(!raster_open(&s, 8, 8, NULL, &little, &e) && !strcmp(e.msg, "no memory for 64 strokes on 8 x 8 pixels"), "%s", e.msg);
}

int main(void) {
    TAP_ARENA(a, 64);

    reference(a);
    other_strokes(a);
    differences(a);
    threads(a);
    refused(a);
    return done();
}
