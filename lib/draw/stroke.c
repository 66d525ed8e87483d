#include "lib/draw/stroke.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "lib/base/size.h"

enum { SAMPLES = 24, TILE = 8, TILE_PIXELS = TILE * TILE };

/* A cubic segment with its samples. */
struct segment {
    double p[4][2];
    double x[SAMPLES + 1], y[SAMPLES + 1];
    double lo[2], hi[2];     /* the box of its control points */
    double slack;            /* no point of the curve is farther than this from the nearest sample */
};

/* A stroke, as one call prepares it. */
struct outline {
    size_t segment, segments;
    double reach;            /* radius + 1: pixels at this distance and beyond are not covered */
    double lo[2], hi[2];     /* the box of its segments, grown by reach */
};

/* A pixel that a stroke covers, with the stroke's nearest point (t, d, segment) and the colour below the stroke. */
struct touch {
    double t, d, below[3];
    unsigned char pixel, segment;
};

/* The touches [from, to) of one stroke in a tile. */
struct run {
    size_t stroke, from, to;
};

struct tape {
    struct touch *touch;     /* [TILE_PIXELS n] */
    struct run *run;         /* [n] */
    size_t ntouch, nrun;
};

struct raster {
    size_t h, w, across, tiles, groups, count;
    struct pool *pool;
    struct segment *segment;
    struct outline *outline;
    struct tape *tape;       /* [threads] */
    double *sum;             /* [groups, count] */
    /* what the current call works on */
    const struct strokes *s;
    float *picture;
    const float *d_picture;
    float *d_param;
};

struct raster *raster_open(const struct strokes *s, size_t h, size_t w, struct pool *pool, struct arena *a, struct err *e) {
    struct raster *g = arena_zero(a, 1, sizeof *g);
    size_t threads = (size_t)pool_threads(pool), segments = 0;

    for (size_t k = 0; k < s->n; k++) {
        size_t points = s->first[k + 1] - s->first[k];

        if (points < 4 || points % 3 != 1 || points / 3 > STROKE_SEGMENTS) {
            err_set(e, "a stroke of %zu points", points);
            return NULL;
        }
        segments += points / 3;
    }
    if (!g) {
        err_set(e, "out of memory");
        return NULL;
    }
    g->h = h, g->w = w, g->pool = pool, g->count = strokes_count(s);
    g->across = div_up(w, TILE);
    g->tiles = g->across * div_up(h, TILE);
    g->groups = size_min(g->tiles, STROKE_GROUPS);
    g->segment = arena_take(a, segments, sizeof *g->segment);
    g->outline = arena_take(a, s->n, sizeof *g->outline);
    g->sum = arena_take(a, g->groups, g->count * sizeof *g->sum);
    g->tape = arena_take(a, threads, sizeof *g->tape);
    for (size_t i = 0; g->tape && i < threads; i++) {
        g->tape[i].touch = arena_take(a, s->n, TILE_PIXELS * sizeof *g->tape[i].touch);
        g->tape[i].run = arena_take(a, s->n, sizeof *g->tape[i].run);
        if (!g->tape[i].touch || !g->tape[i].run)
            g->tape = NULL;
    }
    if (!g->segment || !g->outline || !g->sum || !g->tape) {
        err_set(e, "no memory for %zu strokes on %zu x %zu pixels", s->n, w, h);
        return NULL;
    }
    return g;
}

/* ---- the curve ---- */

static double cubic(double a, double b, double c, double d, double t) {
    double u = 1 - t;

    return u * u * u * a + 3 * t * u * u * b + 3 * t * t * u * c + t * t * t * d;
}

static void set_segment(struct segment *c, const float *point) {
    double fastest = 0;

    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++)
            c->p[i][k] = (double)point[2 * i + k];
    for (int k = 0; k < 2; k++) {
        c->lo[k] = fmin(fmin(c->p[0][k], c->p[1][k]), fmin(c->p[2][k], c->p[3][k]));
        c->hi[k] = fmax(fmax(c->p[0][k], c->p[1][k]), fmax(c->p[2][k], c->p[3][k]));
    }
    for (int i = 0; i <= SAMPLES; i++) {
        double t = (double)i / SAMPLES;

        c->x[i] = cubic(c->p[0][0], c->p[1][0], c->p[2][0], c->p[3][0], t);
        c->y[i] = cubic(c->p[0][1], c->p[1][1], c->p[2][1], c->p[3][1], t);
    }
    for (int i = 0; i < 3; i++)
        fastest = fmax(fastest, hypot(c->p[i + 1][0] - c->p[i][0], c->p[i + 1][1] - c->p[i][1]));
    c->slack = 3 * fastest / SAMPLES / 2;    /* |B'| is at most 3 max |p_(i+1) - p_i| */
}

static void set_outlines(struct raster *g, const struct strokes *s) {
    struct segment *c = g->segment;
    const float *radius = strokes_radius(s, s->param);

    for (size_t k = 0; k < s->n; k++) {
        struct outline *o = &g->outline[k];

        *o = (struct outline){(size_t)(c - g->segment), (s->first[k + 1] - s->first[k]) / 3, (double)radius[k] + 1,
                              {HUGE_VAL, HUGE_VAL}, {-HUGE_VAL, -HUGE_VAL}};
        for (size_t i = 0; i < o->segments; i++, c++) {
            set_segment(c, s->param + 2 * (s->first[k] + 3 * i));
            for (int j = 0; j < 2; j++) {
                o->lo[j] = fmin(o->lo[j], c->lo[j] - o->reach);
                o->hi[j] = fmax(o->hi[j], c->hi[j] + o->reach);
            }
        }
    }
}

/* Returns the square of the distance from q to the curve at t.  *f receives half the derivative of the square, and
 * *slope the derivative of f. */
static double distance2(const struct segment *c, double qx, double qy, double t, double *f, double *slope) {
    double u = 1 - t, q[2] = {qx, qy}, d2 = 0;

    *f = *slope = 0;
    for (int k = 0; k < 2; k++) {
        double a = c->p[0][k], b = c->p[1][k], m = c->p[2][k], n = c->p[3][k];
        double r = cubic(a, b, m, n, t) - q[k];
        double v = 3 * (u * u * (b - a) + 2 * t * u * (m - b) + t * t * (n - m));
        double w = 6 * (u * (m - 2 * b + a) + t * (n - 2 * m + b));

        d2 += r * r;
        *f += r * v;
        *slope += v * v + r * w;
    }
    return d2;
}

/* Finds the local minimum of the distance between the neighbours of sample i, and returns its square.  A step of
 * Newton's method that would leave the bracket or go uphill is replaced by halving the bracket. */
static double refine(const struct segment *c, double qx, double qy, int i, double *at) {
    double lo = i ? (double)(i - 1) / SAMPLES : 0, hi = i < SAMPLES ? (double)(i + 1) / SAMPLES : 1, t = (double)i / SAMPLES;
    double f, slope, d2 = distance2(c, qx, qy, t, &f, &slope), step = 1;

    *at = t;
    if ((i == 0 && f >= 0) || (i == SAMPLES && f <= 0))
        return d2;
    for (int n = 0; n < 60 && fabs(step) > 1e-12 && f != 0; n++) {
        double next = t - f / slope;

        if (f > 0)
            hi = t;
        else
            lo = t;
        if (!(slope > 0 && next > lo && next < hi))
            next = (lo + hi) / 2;
        step = next - t;
        t = next;
        d2 = distance2(c, qx, qy, t, &f, &slope);
    }
    *at = t;
    return d2;
}

/* Finds the nearest point of the stroke.  Returns false if no point is nearer than o->reach. */
static bool nearest(const struct raster *g, const struct outline *o, double qx, double qy, struct touch *h) {
    double best = o->reach * o->reach, d2[SAMPLES + 3];

    h->d = -1;
    for (size_t s = 0; s < o->segments; s++) {
        const struct segment *c = &g->segment[o->segment + s];
        double reach = sqrt(best), most = (reach + c->slack) * (reach + c->slack), least = HUGE_VAL;

        if (qx < c->lo[0] - reach || qx > c->hi[0] + reach || qy < c->lo[1] - reach || qy > c->hi[1] + reach)
            continue;
        for (int i = 0; i <= SAMPLES; i++) {
            double x = c->x[i] - qx, y = c->y[i] - qy;

            d2[i + 1] = x * x + y * y;
        }
        for (int i = 1; i <= SAMPLES + 1; i++)
            least = d2[i] < least ? d2[i] : least;
        if (least >= most)
            continue;
        d2[0] = d2[SAMPLES + 2] = HUGE_VAL;
        for (int i = 0; i <= SAMPLES; i++) {
            double t, at;

            if (d2[i + 1] > d2[i] || d2[i + 1] > d2[i + 2] || d2[i + 1] >= most)
                continue;
            at = refine(c, qx, qy, i, &t);
            if (at < best) {
                best = at;
                reach = sqrt(best);
                most = (reach + c->slack) * (reach + c->slack);
                h->t = t, h->d = reach, h->segment = (unsigned char)s;
            }
        }
    }
    return h->d >= 0;
}

/* ---- coverage ---- */

static double smooth(double u) {
    double t = u <= -1 ? 0 : u >= 1 ? 1 : (u + 1) / 2;

    return t * t * (3 - 2 * t);
}

static double smooth_slope(double u) {
    return u > -1 && u < 1 ? 0.75 * (1 - u * u) : 0;
}

static double coverage(double d, double r) {
    return smooth(d + r) - smooth(d - r);
}

/* ---- a tile ---- */

/* Draws the tile into colour [TILE_PIXELS][3].  The tape, unless it is NULL, receives what the backward pass needs. */
static void draw_tile(const struct raster *g, size_t tile, double (*colour)[3], struct tape *tape) {
    size_t x0 = tile % g->across * TILE, y0 = tile / g->across * TILE;
    size_t x1 = size_min(x0 + TILE, g->w), y1 = size_min(y0 + TILE, g->h);
    const float *radius = strokes_radius(g->s, g->s->param), *rgba = strokes_rgba(g->s, g->s->param);

    for (size_t i = 0; i < TILE_PIXELS; i++)
        colour[i][0] = colour[i][1] = colour[i][2] = 1;
    for (size_t k = 0; k < g->s->n; k++) {
        const struct outline *o = &g->outline[k];
        size_t from = tape ? tape->ntouch : 0;

        if (o->hi[0] < (double)x0 || o->lo[0] > (double)x1 || o->hi[1] < (double)y0 || o->lo[1] > (double)y1)
            continue;
        for (size_t y = y0; y < y1; y++) {
            if ((double)y + 0.5 < o->lo[1] || (double)y + 0.5 > o->hi[1])
                continue;
            for (size_t x = x0; x < x1; x++) {
                double qx = (double)x + 0.5, qy = (double)y + 0.5, a;
                struct touch h = {.pixel = (unsigned char)((y - y0) * TILE + x - x0)};
                double *c = colour[h.pixel];

                if (qx < o->lo[0] || qx > o->hi[0] || !nearest(g, o, qx, qy, &h))
                    continue;
                memcpy(h.below, c, sizeof h.below);
                a = (double)rgba[4 * k + 3] * coverage(h.d, (double)radius[k]);
                for (int i = 0; i < 3; i++)
                    c[i] = c[i] * (1 - a) + a * (double)rgba[4 * k + (size_t)i];
                if (tape)
                    tape->touch[tape->ntouch++] = h;
            }
        }
        if (tape && tape->ntouch > from)
            tape->run[tape->nrun++] = (struct run){k, from, tape->ntouch};
    }
}

static void draw_task(void *ctx, size_t tile, int thread) {
    struct raster *g = ctx;
    size_t x0 = tile % g->across * TILE, y0 = tile / g->across * TILE, plane = g->h * g->w;
    double colour[TILE_PIXELS][3];

    (void)thread;
    draw_tile(g, tile, colour, NULL);
    for (size_t y = y0; y < size_min(y0 + TILE, g->h); y++)
        for (size_t x = x0; x < size_min(x0 + TILE, g->w); x++)
            for (size_t c = 0; c < 3; c++)
                g->picture[c * plane + y * g->w + x] = (float)colour[(y - y0) * TILE + x - x0][c];
}

void raster_draw(struct raster *g, const struct strokes *s, float *picture) {
    g->s = s;
    g->picture = picture;
    set_outlines(g, s);
    pool_run(g->pool, g->tiles, draw_task, g);
}

/* ---- the gradient ---- */

/* Adds a touch's part to the stroke's gradient, and turns dc, the gradient by the pixel's colour, into that by the
 * colour below the stroke. */
static void back_touch(const struct raster *g, size_t k, const struct touch *h, double qx, double qy, double dc[3], double *sum) {
    const struct strokes *s = g->s;
    size_t points = s->first[s->n];
    double r = (double)s->param[2 * points + k];
    const float *rgba = s->param + 2 * points + s->n + 4 * k;
    double *d_radius = sum + 2 * points + k, *d_rgba = sum + 2 * points + s->n + 4 * k;
    double alpha = (double)rgba[3], cov = coverage(h->d, r), a = alpha * cov, da = 0, d_cov, dd;

    for (int i = 0; i < 3; i++) {
        d_rgba[i] += a * dc[i];
        da += dc[i] * ((double)rgba[i] - h->below[i]);
        dc[i] *= 1 - a;
    }
    d_rgba[3] += da * cov;
    d_cov = da * alpha;
    *d_radius += d_cov * (smooth_slope(h->d + r) + smooth_slope(h->d - r));
    dd = d_cov * (smooth_slope(h->d + r) - smooth_slope(h->d - r));
    if (h->d > 1e-12 && dd != 0) {
        const struct segment *c = &g->segment[g->outline[k].segment + h->segment];
        double t = h->t, u = 1 - t, b[4] = {u * u * u, 3 * t * u * u, 3 * t * t * u, t * t * t};
        double nx = (cubic(c->p[0][0], c->p[1][0], c->p[2][0], c->p[3][0], t) - qx) / h->d * dd;
        double ny = (cubic(c->p[0][1], c->p[1][1], c->p[2][1], c->p[3][1], t) - qy) / h->d * dd;
        double *d_point = sum + 2 * (s->first[k] + 3 * (size_t)h->segment);

        for (int i = 0; i < 4; i++) {
            d_point[2 * i] += b[i] * nx;
            d_point[2 * i + 1] += b[i] * ny;
        }
    }
}

static void back_tile(const struct raster *g, size_t tile, struct tape *tape, double *sum) {
    size_t x0 = tile % g->across * TILE, y0 = tile / g->across * TILE, plane = g->h * g->w;
    double dc[TILE_PIXELS][3];

    tape->ntouch = tape->nrun = 0;
    draw_tile(g, tile, dc, tape);
    for (size_t y = y0; y < size_min(y0 + TILE, g->h); y++)
        for (size_t x = x0; x < size_min(x0 + TILE, g->w); x++)
            for (size_t c = 0; c < 3; c++)
                dc[(y - y0) * TILE + x - x0][c] = (double)g->d_picture[c * plane + y * g->w + x];
    for (size_t i = tape->nrun; i-- > 0;)
        for (size_t k = tape->run[i].from; k < tape->run[i].to; k++) {
            const struct touch *h = &tape->touch[k];

            back_touch(g, tape->run[i].stroke, h, (double)(x0 + h->pixel % TILE) + 0.5, (double)(y0 + h->pixel / TILE) + 0.5,
                       dc[h->pixel], sum);
        }
}

/* Adds up the gradients of one group's tiles, in order, in the group's own sums. */
static void back_task(void *ctx, size_t group, int thread) {
    struct raster *g = ctx;
    double *sum = g->sum + group * g->count;

    for (size_t i = 0; i < g->count; i++)
        sum[i] = 0;
    for (size_t tile = group * g->tiles / g->groups; tile < (group + 1) * g->tiles / g->groups; tile++)
        back_tile(g, tile, &g->tape[thread], sum);
}

void raster_back(struct raster *g, const struct strokes *s, const float *d_picture, float *d_param) {
    g->s = s;
    g->d_picture = d_picture;
    set_outlines(g, s);
    pool_run(g->pool, g->groups, back_task, g);
    for (size_t i = 0; i < g->count; i++) {
        double all = 0;

        for (size_t k = 0; k < g->groups; k++)
            all += g->sum[k * g->count + i];
        d_param[i] = (float)all;
    }
}
