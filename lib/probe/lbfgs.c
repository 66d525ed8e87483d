#include "lib/probe/lbfgs.h"

#include <math.h>
#include <string.h>

#include "lib/probe/f64.h"

static const double DECREASE = 1e-4, CURVATURE = 0.9;
enum { SEARCH_MAX = 50 };    /* the most calls of f in one line search */

struct pair {
    double *s, *y, sy;    /* s: step of x; y: change of the gradient; sy: s . y */
};

struct state {
    struct lbfgs *o;
    double *x, *g, *at, *g_at, *p, *q;    /* [n]: point, gradient; trial point, its gradient; direction; scratch */
    struct pair pair[LBFGS_PAIRS];        /* oldest first */
    size_t pairs;
    double value;                         /* the value of f at x */
};

static double largest(size_t n, const double *g) {
    double m = 0;

    for (size_t i = 0; i < n; i++)
        if (!(fabs(g[i]) <= m))
            m = fabs(g[i]);
    return m;
}

/* Compute p = -H g by the two-loop recursion, where H approximates the inverse Hessian. */
static void direction(struct state *s) {
    const size_t n = s->o->n;
    double alpha[LBFGS_PAIRS], scale = 1, *q = s->q;

    memcpy(q, s->g, n * sizeof *q);
    for (size_t i = s->pairs; i-- > 0;) {
        alpha[i] = f64_dot(n, s->pair[i].s, q) / s->pair[i].sy;
        f64_axpy(n, -alpha[i], s->pair[i].y, q);
    }
    if (s->pairs) {
        const struct pair *last = &s->pair[s->pairs - 1];
        const double *hy = last->y;

        if (s->o->precondition) {
            s->o->precondition(s->o->ctx, last->y, s->p);
            hy = s->p;
        }
        scale = last->sy / f64_dot(n, last->y, hy);
    }
    if (s->o->precondition)
        s->o->precondition(s->o->ctx, q, s->p);
    else
        memcpy(s->p, q, n * sizeof *q);
    if (!s->pairs && !s->o->precondition)
        scale = 1 / fmax(1, sqrt(f64_dot(n, q, q)));
    for (size_t i = 0; i < n; i++)
        s->p[i] *= scale;
    for (size_t i = 0; i < s->pairs; i++)
        f64_axpy(n, alpha[i] - f64_dot(n, s->pair[i].y, s->p) / s->pair[i].sy, s->pair[i].s, s->p);
    for (size_t i = 0; i < n; i++)
        s->p[i] = -s->p[i];
}

struct point {
    double t, v, d;    /* step, value, slope along p */
};

static struct point look(struct state *s, double t) {
    struct point q = {.t = t};

    for (size_t i = 0; i < s->o->n; i++)
        s->at[i] = s->x[i] + t * s->p[i];
    q.v = s->o->f(s->o->ctx, s->at, s->g_at);
    s->o->calls++;
    q.d = f64_dot(s->o->n, s->g_at, s->p);
    return q;
}

/* Returns where the cubic through the points a and b has its minimum, moved to be at least a tenth of their distance
 * away from both. */
static double between(struct point a, struct point b) {
    double d1 = a.d + b.d - 3 * (a.v - b.v) / (a.t - b.t), r = d1 * d1 - a.d * b.d, t, lo, hi;

    lo = fmin(a.t, b.t);
    hi = fmax(a.t, b.t);
    t = (lo + hi) / 2;
    if (r >= 0 && isfinite(r)) {
        double d2 = copysign(sqrt(r), b.t - a.t);
        double c = b.t - (b.t - a.t) * ((b.d + d2 - d1) / (b.d - a.d + 2 * d2));

        if (isfinite(c))
            t = c;
    }
    return fmin(fmax(t, lo + 0.1 * (hi - lo)), hi - 0.1 * (hi - lo));
}

/* Search a step from x along p.  On success returns 0; s->at and s->g_at hold the new point and its gradient, and
 * *value is the value of f there.  Returns -1 if no lower point is found. */
static int search(struct state *s, double *value) {
    const struct point start = {0, s->value, f64_dot(s->o->n, s->g, s->p)};
    const double noise = s->o->noise * fabs(start.v);
    struct point lo = start, hi = {.t = HUGE_VAL}, q;
    double t = 1;

    if (!(start.d < 0))
        return -1;
    for (int i = 0; i < SEARCH_MAX; i++) {
        bool low, flat;

        q = look(s, t);
        low = q.v <= start.v + DECREASE * t * start.d;
        flat = q.v <= start.v + noise && (2 * DECREASE - 1) * start.d >= q.d;
        if (isfinite(q.v) && (low || flat) && fabs(q.d) <= -CURVATURE * start.d) {
            *value = q.v;
            return 0;
        }
        if (!isfinite(q.v) || !(low || flat) || (q.v > lo.v + noise))
            hi = q;
        else if (q.d >= 0)
            hi = q;
        else
            lo = q;
        if (!isfinite(hi.t))
            t = 2 * t;
        else if (!isfinite(hi.v))
            t = (lo.t + hi.t) / 2;
        else
            t = between(lo, hi);
        if (isfinite(hi.t) && fabs(hi.t - lo.t) <= 1e-14 * hi.t)
            break;
    }
    /* rounding has ended the search: take its best point if this point is lower than the start */
    if (lo.t > 0 && lo.v < start.v) {
        q = look(s, lo.t);
        *value = q.v;
        return 0;
    }
    return -1;
}

/* Make the new point the current one.  The step to this point is remembered if the curvature along the step is
 * positive. */
static void move(struct state *s, double value) {
    const size_t n = s->o->n;
    struct pair k = s->pair[s->pairs == LBFGS_PAIRS ? 0 : s->pairs];
    double yy, *swap;

    if (s->pairs == LBFGS_PAIRS)
        memmove(s->pair, s->pair + 1, (LBFGS_PAIRS - 1) * sizeof *s->pair);
    else
        s->pairs++;
    for (size_t i = 0; i < n; i++) {
        k.s[i] = s->at[i] - s->x[i];
        k.y[i] = s->g_at[i] - s->g[i];
    }
    k.sy = f64_dot(n, k.s, k.y);
    yy = f64_dot(n, k.y, k.y);
    s->pair[s->pairs - 1] = k;
    if (!(k.sy > 1e-300 && k.sy > 1e-16 * yy * 1e-16))
        s->pairs--;
    memcpy(s->x, s->at, n * sizeof *s->x);
    swap = s->g;
    s->g = s->g_at;
    s->g_at = swap;
    s->value = value;
}

int lbfgs_run(struct lbfgs *o, double *x, struct arena scratch, struct err *e) {
    struct state s = {.o = o, .x = x};
    double **room[] = {&s.g, &s.at, &s.g_at, &s.p, &s.q};
    double value;
    bool again = true;

    for (size_t i = 0; i < sizeof room / sizeof *room; i++)
        if (!(*room[i] = arena_take(&scratch, o->n, sizeof(double))))
            return err_set(e, "no memory for %zu variables", o->n);
    for (size_t i = 0; i < LBFGS_PAIRS; i++)
        if (!(s.pair[i].s = arena_take(&scratch, o->n, sizeof(double))) ||
            !(s.pair[i].y = arena_take(&scratch, o->n, sizeof(double))))
            return err_set(e, "no memory for %zu variables", o->n);
    o->iterations = 0;
    o->calls = 1;
    o->converged = false;
    s.value = o->f(o->ctx, x, s.g);
    if (!isfinite(s.value))
        return err_set(e, "the objective is not finite at the start");
    for (;;) {
        o->gradient = largest(o->n, s.g);
        o->converged = o->gradient <= o->tol;
        if (o->converged || o->iterations >= o->max_iter ||
            (o->go_on && !o->go_on(o->ctx, o->iterations, o->gradient)))
            break;
        direction(&s);
        if (search(&s, &value) < 0) {
            if (!again)    /* steepest descent found no lower point either, so only rounding errors are left */
                break;
            s.pairs = 0;
            again = false;
            continue;
        }
        again = true;
        move(&s, value);
        o->iterations++;
    }
    o->value = s.value;
    return 0;
}
