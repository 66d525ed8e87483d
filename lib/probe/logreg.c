#include "lib/probe/logreg.h"

#include <math.h>
#include <string.h>

#include "lib/base/pool.h"
#include "lib/base/size.h"
#include "lib/base/tensor.h"
#include "lib/kernel/kern.h"
#include "lib/layer/linear.h"
#include "lib/probe/f64.h"
#include "lib/probe/inverse.h"
#include "lib/probe/lbfgs.h"
#include "lib/probe/softmax.h"
#include "lib/vector/similarity.h"

enum { CHUNK = 64 };                    /* rows, or columns, in one task of the pool */
enum { REFRESH = 4 };                   /* after so many steps the preconditioner is computed again */
enum { SAMPLE = 16 };                   /* the second moments are those of at least this times d rows, if there are so many */
static const double NOISE_F32 = 1e-6;   /* relative error of an objective whose products are f32 */
static const double RIDGE = 1e-6;       /* this times the mean diagonal is added, because the inverse is kept in f32 */

struct block {
    const float *x;                     /* [n, d] */
    const float *xt;                    /* [d, n], in exact problems only */
    struct linear rows, columns;        /* x and its transpose, packed; in other problems only */
    size_t from, n;
};

struct logreg {
    const struct logreg_problem *p;
    const struct sim_kern *sim;
    size_t n, d, k, nblock;
    double total;                       /* sum of the weights */
    bool exact;
    struct block *block;                /* [nblock]; NULL: each gradient makes the blocks again */
    /* the preconditioner; moments is NULL if the fit uses no preconditioner */
    double *moments;                    /* [d + 1, d + 1], second moments of [x, 1] */
    double *mean;                       /* [k, d + 1], the mean of [x, 1] in each class; for 3 classes or more */
    float *inverse;                     /* [d + 1, d + 1], of what all classes share */
    double *along, *pull;               /* [k, d + 1], the inverse times the mean; [k], how much of it is taken away */
    double *own, curve;                 /* [classes] sums of s p (1 - p), p: the probability of the row's own class; */
    bool watch;                         /* sum of s (1 - |p|^2), p: all probabilities; summed up if watch is set */
    /* of the current fit */
    double penalty;                     /* 1 / (C S) */
    struct arena *scratch;              /* memory that a gradient may use */
    bool (*go_on)(void *, size_t, double);
    void *ctx;
    bool failed;
    struct err err;
};

size_t logreg_vectors(size_t classes) {
    return classes == 2 ? 1 : classes;
}

/* ---- rows ---- */

static int transpose(const float *x, size_t n, size_t d, const float **out, struct arena *a, struct err *e) {
    float *t = arena_take(a, n * d, sizeof *t);

    if (!t)
        return err_set(e, "no memory for %zu rows of %zu", n, d);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < d; j++)
            t[j * n + i] = x[i * d + j];
    *out = t;
    return 0;
}

static int block_open(const struct logreg *l, size_t i, struct block *b, struct arena *a, struct err *e) {
    const struct logreg_problem *p = l->p;
    float *room;

    b->from = i * LOGREG_BLOCK;
    b->n = size_min(LOGREG_BLOCK, l->n - b->from);
    if (!(room = arena_take(a, b->n * l->d, sizeof *room)))
        return err_set(e, "no memory for %zu rows of %zu", b->n, l->d);
    if (!(b->x = p->x.get(p->x.ctx, b->from, b->n, room)))
        return err_set(e, "the rows cannot be read");
    if (l->exact)
        return transpose(b->x, b->n, l->d, &b->xt, a, e);

    struct tensor t = {.dtype = DT_F32, .nd = 2, .shape = {b->n, l->d}, .data = b->x}, u;

    tensor_contiguous(&t);
    u = tensor_transposed(&t);
    if (linear_pack(&b->rows, 1, &t, NULL, p->compute, a, e) < 0 ||
        linear_pack(&b->columns, 1, &u, NULL, p->compute, a, e) < 0)
        return -1;
    return 0;
}

static const struct block *block_of(struct logreg *l, size_t i, struct block *room, struct arena *scratch) {
    if (l->block)
        return &l->block[i];
    if (block_open(l, i, room, scratch, &l->err) < 0) {
        l->failed = true;
        return NULL;
    }
    return room;
}

/* ---- one gradient ---- */

struct pass {
    struct logreg *l;
    const struct block *b;
    const double *theta;
    float *w;                  /* [k, d]: theta without its biases */
    float *s32, *xy;           /* [k, n]: scores, then residuals; [k, d]: the residuals times x */
    double *s64;               /* [k, n]: as s32, in exact problems */
    double *loss, *curve;      /* of each chunk */
    double *own;               /* [n]: each row's part of l->own */
    double *gradient;
    float *rows;               /* scratch of each thread: [CHUNK, k] f32, or [k] f64 in exact problems */
};

static void exact_scores(void *ctx, size_t i, int thread) {
    const struct pass *q = ctx;
    const size_t d = q->l->d, j = i / div_up(q->b->n, CHUNK), lo = i % div_up(q->b->n, CHUNK) * CHUNK;

    (void)thread;
    for (size_t r = lo; r < size_min(lo + CHUNK, q->b->n); r++)
        q->s64[j * q->b->n + r] = q->l->sim->dot(q->theta + j * (d + 1), q->b->x + r * d, d);
}

/* Replace a row's scores by their residuals, which are probabilities minus the true class, times the row's weight.
 * Returns the row's loss times its weight.  *own becomes the probability of the true class, and *square the sum of the
 * squares of all probabilities. */
static double residual(double *s, size_t k, size_t y, double weight, double *own, double *square) {
    double top = s[0], sum = 0, loss;

    *square = 0;
    if (k == 1) {
        double t = y ? 1 : -1, m = t * s[0], q = exp(-fabs(m));

        loss = log1p(q) + (m < 0 ? -m : 0);
        *own = (m > 0 ? 1 : q) / (1 + q);
        *square = *own * *own + (1 - *own) * (1 - *own);
        s[0] = -t * weight * (m > 0 ? q : 1) / (1 + q);
        return weight * loss;
    }
    for (size_t j = 1; j < k; j++)
        top = s[j] > top ? s[j] : top;
    loss = top - s[y];
    for (size_t j = 0; j < k; j++)
        sum += s[j] = exp(s[j] - top);
    for (size_t j = 0; j < k; j++)
        *square += s[j] / sum * (s[j] / sum);
    *own = s[y] / sum;
    for (size_t j = 0; j < k; j++)
        s[j] *= weight / sum;
    s[y] -= weight;
    return weight * (loss + log(sum));
}

static void exact_residuals(void *ctx, size_t i, int thread) {
    const struct pass *q = ctx;
    const struct logreg *l = q->l;
    const size_t lo = i * CHUNK, n = q->b->n, k = l->k;
    double *s = (double *)(void *)q->rows + (size_t)thread * k, loss = 0, curve = 0, own, square;

    for (size_t r = lo; r < size_min(lo + CHUNK, n); r++) {
        const size_t row = q->b->from + r;
        const double weight = l->p->weight ? (double)l->p->weight[row] : 1;

        for (size_t j = 0; j < k; j++)
            s[j] = q->s64[j * n + r] + q->theta[j * (l->d + 1) + l->d];
        loss += residual(s, k, (size_t)l->p->y[row], weight, &own, &square);
        curve += weight * (1 - square);
        q->own[r] = weight * own * (1 - own);
        for (size_t j = 0; j < k; j++)
            q->s64[j * n + r] = s[j];
    }
    q->loss[i] = loss;
    q->curve[i] = curve;
}

static void exact_gradient(void *ctx, size_t i, int thread) {
    const struct pass *q = ctx;
    const size_t d = q->l->d, n = q->b->n, j = i / div_up(d, CHUNK), lo = i % div_up(d, CHUNK) * CHUNK;
    double *g = q->gradient + j * (d + 1);

    (void)thread;
    for (size_t c = lo; c < size_min(lo + CHUNK, d); c++)
        g[c] += q->l->sim->dot(q->s64 + j * n, q->b->xt + c * n, n);
    if (!lo)
        for (size_t r = 0; r < n; r++)
            g[d] += q->s64[j * n + r];
}

static float top(size_t n, const float *x) {
    float m = x[0];

    for (size_t i = 1; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

/* Does what exact_residuals does, in f32.  The scores of a chunk of rows are transposed first, so that the scores of a
 * row are contiguous. */
static void fast_residuals(void *ctx, size_t i, int thread) {
    const struct pass *q = ctx;
    const struct logreg *l = q->l;
    const struct kern *kern = l->p->compute->kern;
    const size_t lo = i * CHUNK, n = q->b->n, k = l->k, m = size_min(CHUNK, n - lo);
    float *rows = q->rows + (size_t)thread * CHUNK * k;
    double loss = 0, curve = 0;

    for (size_t j = 0; j < k; j++) {
        float bias = (float)q->theta[j * (l->d + 1) + l->d];

        for (size_t r = 0; r < m; r++)
            rows[r * k + j] = q->s32[j * n + lo + r] + bias;
    }
    for (size_t r = 0; r < m; r++) {
        const size_t row = q->b->from + lo + r, y = (size_t)l->p->y[row];
        const double weight = l->p->weight ? (double)l->p->weight[row] : 1;
        float *s = rows + r * k;

        if (k == 1) {
            double one = (double)s[0], own, square;

            loss += residual(&one, 1, y, weight, &own, &square);
            s[0] = (float)one;
            curve += weight * (1 - square);
            q->own[lo + r] = weight * own * (1 - own);
        } else {
            double margin = (double)top(k, s) - (double)s[y], sum = (double)kern->exps(k, 1, s), square = 0;
            double own = (double)s[y] / sum;

            loss += weight * (margin + log(sum));
            for (size_t j = 0; l->watch && j < k; j++)
                square += (double)s[j] * (double)s[j];
            curve += weight * (1 - square / sum / sum);
            q->own[lo + r] = weight * own * (1 - own);
            kern->scale(k, (float)(weight / sum), s);
            s[y] -= (float)weight;
        }
    }
    for (size_t j = 0; j < k; j++)
        for (size_t r = 0; r < m; r++)
            q->s32[j * n + lo + r] = rows[r * k + j];
    q->loss[i] = loss;
    q->curve[i] = curve;
}

static void fast_add(void *ctx, size_t j, int thread) {
    const struct pass *q = ctx;
    const size_t d = q->l->d, n = q->b->n;
    double *g = q->gradient + j * (d + 1), sum = 0;

    (void)thread;
    for (size_t c = 0; c < d; c++)
        g[c] += (double)q->xy[j * d + c];
    for (size_t r = 0; r < n; r++)
        sum += (double)q->s32[j * n + r];
    g[d] += sum;
}

static int pass_open(struct pass *q, struct arena *a) {
    const struct logreg *l = q->l;
    const size_t n = size_min(l->n, LOGREG_BLOCK), threads = (size_t)pool_threads(l->p->compute->pool);

    q->loss = arena_take(a, div_up(n, CHUNK), sizeof *q->loss);
    q->curve = arena_take(a, div_up(n, CHUNK), sizeof *q->curve);
    q->own = arena_take(a, n, sizeof *q->own);
    if (!q->loss || !q->curve || !q->own)
        return -1;
    if (l->exact) {
        q->s64 = arena_take(a, l->k * n, sizeof *q->s64);
        q->rows = arena_take(a, threads * l->k, sizeof(double));
        return q->s64 && q->rows ? 0 : -1;
    }
    q->w = arena_take(a, l->k * l->d, sizeof *q->w);
    q->s32 = arena_take(a, l->k * n, sizeof *q->s32);
    q->xy = arena_take(a, l->k * l->d, sizeof *q->xy);
    q->rows = arena_take(a, threads * CHUNK * l->k, sizeof *q->rows);
    return q->w && q->s32 && q->xy && q->rows ? 0 : -1;
}

/* Add the gradient of the block q->b to q->gradient.  Returns the block's loss, or NaN when memory is exhausted. */
static double block_pass(struct pass *q, struct arena scratch) {
    struct logreg *l = q->l;
    const struct compute *c = l->p->compute;
    const size_t chunks = div_up(q->b->n, CHUNK);
    double loss = 0;

    if (l->exact) {
        pool_run(c->pool, l->k * chunks, exact_scores, q);
        pool_run(c->pool, chunks, exact_residuals, q);
        pool_run(c->pool, l->k * div_up(l->d, CHUNK), exact_gradient, q);
    } else {
        size_t need = size_max(linear_scratch(&q->b->rows, c, l->k), linear_scratch(&q->b->columns, c, l->k));
        void *room = arena_take(&scratch, need, 1);

        if (!room)
            return (double)NAN;
        linear_run(&q->b->rows, c, l->k, q->w, l->d, q->s32, q->b->n, ACT_NONE, NULL, room);
        pool_run(c->pool, chunks, fast_residuals, q);
        linear_run(&q->b->columns, c, l->k, q->s32, q->b->n, q->xy, l->d, ACT_NONE, NULL, room);
        pool_run(c->pool, l->k, fast_add, q);
    }
    for (size_t i = 0; i < chunks; i++) {
        loss += q->loss[i];
        l->curve += q->curve[i];
    }
    for (size_t i = 0; l->watch && i < q->b->n; i++)
        l->own[l->p->y[q->b->from + i]] += q->own[i];
    return loss;
}

static double objective(void *ctx, const double *theta, double *gradient) {
    struct logreg *l = ctx;
    struct arena a = *l->scratch;
    struct pass q = {.l = l, .theta = theta, .gradient = gradient};
    const size_t d = l->d;
    double loss = 0, square = 0;

    if (l->failed || pass_open(&q, &a) < 0) {
        err_set(&l->err, "no memory for the gradient");
        l->failed = true;
        return (double)NAN;
    }
    memset(gradient, 0, l->k * (d + 1) * sizeof *gradient);
    l->curve = 0;
    if (l->watch)
        memset(l->own, 0, l->p->classes * sizeof *l->own);
    if (q.w)
        for (size_t j = 0; j < l->k; j++)
            for (size_t c = 0; c < d; c++)
                q.w[j * d + c] = (float)theta[j * (d + 1) + c];
    for (size_t i = 0; i < l->nblock; i++) {
        struct arena scratch = a;
        struct block room;

        if (!(q.b = block_of(l, i, &room, &scratch)))
            return (double)NAN;
        loss += block_pass(&q, scratch);
    }
    for (size_t j = 0; j < l->k; j++) {
        const double *w = theta + j * (d + 1);
        double *g = gradient + j * (d + 1);

        for (size_t c = 0; c < d; c++) {
            g[c] = g[c] / l->total + l->penalty * w[c];
            square += w[c] * w[c];
        }
        g[d] /= l->total;
    }
    return loss / l->total + 0.5 * l->penalty * square;
}

/* ---- the preconditioner ----
 *
 * The block of the Hessian that belongs to class j is the mean over the rows of p_j (1 - p_j) x x^T, plus the penalty.
 * Two terms stand for it.  What p_j (1 - p_j) is on average over rows and classes, times the second moments of all
 * rows, is shared by the classes, so that one inverse is enough.  The rows of class j itself are less certain than
 * others, and their x have much in common: the mean of their p_j (1 - p_j) times the square of their mean x, a matrix
 * of rank one, is added to the block, by the formula of Sherman and Morrison to the inverse.
 * Gradients sum up to zero over the classes, and so must the steps: the mean over the classes is subtracted.
 */

struct product {
    const struct logreg *l;
    const double *g;
    double *out;
};

static void inverse_times(void *ctx, size_t i, int thread) {
    const struct product *p = ctx;
    const size_t m = p->l->d + 1, j = i / div_up(m, CHUNK), lo = i % div_up(m, CHUNK) * CHUNK;

    (void)thread;
    for (size_t c = lo; c < size_min(lo + CHUNK, m); c++)
        p->out[j * m + c] = p->l->sim->dot(p->g + j * m, p->l->inverse + c * m, m);
}

static void precondition(void *ctx, const double *g, double *out) {
    const struct logreg *l = ctx;
    const size_t side = l->d + 1;
    struct product p = {l, g, out};

    pool_run(l->p->compute->pool, l->k * div_up(side, CHUNK), inverse_times, &p);
    for (size_t j = 0; l->mean && j < l->k; j++) {
        const double *along = l->along + j * side, f = l->pull[j] * f64_dot(side, along, g + j * side);

        f64_axpy(side, -f, along, out + j * side);
    }
    for (size_t c = 0; l->mean && c < side; c++) {
        double sum = 0;

        for (size_t j = 0; j < l->k; j++)
            sum += out[j * side + c];
        for (size_t j = 0; j < l->k; j++)
            out[j * side + c] -= sum / (double)l->k;
    }
}

/* Copy every step'th row of the block, transposed, to out [d, m], and add the block's rows to the sums by class.
 * Returns m. */
static size_t sample(const struct logreg *l, const struct block *b, size_t step, float *out) {
    const size_t d = l->d, first = div_up(b->from, step) * step - b->from;
    const size_t m = first < b->n ? div_up(b->n - first, step) : 0;

    for (size_t i = 0; i < m; i++)
        for (size_t c = 0; c < d; c++)
            out[c * m + i] = b->x[(first + i * step) * d + c];
    for (size_t i = 0; l->mean && i < b->n; i++) {
        double *sum = l->mean + (size_t)l->p->y[b->from + i] * (d + 1);

        for (size_t c = 0; c < d; c++)
            sum[c] += (double)b->x[i * d + c];
        sum[d]++;
    }
    return m;
}

/* Add x^T x to the moments, where xt [d, m] holds the transposed x; and in the last column the sum of x. */
static int add_moments(struct logreg *l, const float *xt, size_t m, float *xx, struct arena a) {
    const size_t d = l->d, side = d + 1;
    const struct compute *c = l->p->compute;
    struct tensor t = {.dtype = DT_F32, .nd = 2, .shape = {d, m}, .data = xt};
    struct linear columns;
    void *work;

    tensor_contiguous(&t);
    if (linear_pack(&columns, 1, &t, NULL, c, &a, &l->err) < 0)
        return -1;
    if (!(work = arena_take(&a, linear_scratch(&columns, c, d), 1)))
        return err_set(&l->err, "no memory for %zu x %zu moments", d, d);
    linear_run(&columns, c, d, xt, m, xx, d, ACT_NONE, NULL, work);
    for (size_t r = 0; r < d; r++) {
        for (size_t j = 0; j < d; j++)
            l->moments[r * side + j] += (double)xx[r * d + j];
        for (size_t j = 0; j < m; j++)
            l->moments[r * side + d] += (double)xt[r * m + j];
    }
    return 0;
}

/* Compute the moments of a sample of the rows, and the mean of each class. */
static int moments(struct logreg *l, struct arena scratch) {
    const size_t d = l->d, side = d + 1, step = div_up(l->n, SAMPLE * d);
    float *xx = arena_take(&scratch, d * d, sizeof *xx);

    if (!xx)
        return err_set(&l->err, "no memory for %zu x %zu moments", d, d);
    memset(l->moments, 0, side * side * sizeof *l->moments);
    if (l->mean)
        memset(l->mean, 0, l->k * side * sizeof *l->mean);
    for (size_t i = 0; i < l->nblock; i++) {
        struct arena a = scratch;
        const struct block *b;
        struct block room;
        float *xt;
        size_t m;

        if (!(b = block_of(l, i, &room, &a)))
            return -1;
        if (!(xt = arena_take(&a, div_up(b->n, step) * d, sizeof *xt)))
            return err_set(&l->err, "no memory for %zu rows of %zu", b->n, d);
        m = sample(l, b, step, xt);
        if (m && add_moments(l, xt, m, xx, a) < 0)
            return -1;
    }
    for (size_t i = 0; i < side * side; i++)
        l->moments[i] /= (double)div_up(l->n, step);
    for (size_t r = 0; r < d; r++)
        l->moments[d * side + r] = l->moments[r * side + d];
    l->moments[d * side + d] = 1;
    for (size_t j = 0; l->mean && j < l->k; j++) {
        double *mean = l->mean + j * side, n = mean[d];

        for (size_t c = 0; n > 0 && c < side; c++)
            mean[c] /= n;
    }
    return 0;
}

/* Compute the preconditioner for the theta of the last gradient. */
static int preconditioner(struct logreg *l, struct arena scratch) {
    const size_t side = l->d + 1;
    const double curve = l->curve / l->total / (double)l->p->classes;
    double *m = arena_take(&scratch, side * side, sizeof *m), *room = arena_take(&scratch, side, sizeof *room), mean = 0;
    struct product p = {l, l->mean, l->along};

    if (!m || !room)
        return err_set(&l->err, "no memory for %zu x %zu moments", side, side);
    for (size_t i = 0; i < side * side; i++)
        m[i] = curve * l->moments[i];
    for (size_t i = 0; i < side; i++)
        mean += m[i * side + i] / (double)side;
    for (size_t i = 0; i < side; i++)
        m[i * side + i] += RIDGE * mean + (i < l->d ? l->penalty : 0);
    if (inverse_spd(side, m, room) < 0)
        return err_set(&l->err, "the rows hold numbers that are not finite");
    for (size_t i = 0; i < side * side; i++)
        l->inverse[i] = (float)m[i];
    if (!l->mean)
        return 0;
    pool_run(l->p->compute->pool, l->k * div_up(side, CHUNK), inverse_times, &p);
    for (size_t j = 0; j < l->k; j++) {
        const double own = l->own[j] / l->total;

        l->pull[j] = own / (1 + own * f64_dot(side, l->along + j * side, l->mean + j * side));
    }
    return 0;
}

static int preconditioner_open(struct logreg *l, struct arena *keep) {
    const size_t side = l->d + 1, classes = l->p->classes;

    l->moments = arena_take(keep, side * side, sizeof *l->moments);
    l->inverse = arena_take(keep, side * side, sizeof *l->inverse);
    l->own = arena_take(keep, classes, sizeof *l->own);
    if (l->k > 1) {
        l->mean = arena_take(keep, classes * side, sizeof *l->mean);
        l->along = arena_take(keep, classes * side, sizeof *l->along);
        l->pull = arena_take(keep, classes, sizeof *l->pull);
    }
    if (!l->moments || !l->inverse || !l->own || (l->k > 1 && (!l->mean || !l->along || !l->pull)))
        return err_set(&l->err, "no memory for %zu x %zu moments", side, side);
    return moments(l, *keep);
}

/* ---- fitting ---- */

/* Returns true if the preconditioner, which costs d^3 operations, costs less than fifty gradients of 4 n d k operations
 * each. */
static bool worth_it(const struct logreg *l) {
    const double d = (double)l->d;

    return 200 * (double)l->n * d * (double)l->k > d * d * d;
}

struct logreg *logreg_open(const struct logreg_problem *p, struct arena *keep, struct err *e) {
    struct logreg *l = arena_zero(keep, 1, sizeof *l);
    double work;
    size_t bytes;

    if (!l)
        return err_set(e, "no memory"), NULL;
    l->p = p;
    l->n = p->x.n;
    l->d = p->x.d;
    l->k = logreg_vectors(p->classes);
    l->sim = sim_kern_choose(p->compute->kern->name);
    l->nblock = div_up(l->n, LOGREG_BLOCK);
    work = 4 * (double)l->n * (double)l->d * (double)l->k;
    l->exact = p->exact < 0 ? work <= LOGREG_EXACT : p->exact;
    for (size_t i = 0; i < l->n; i++)
        l->total += p->weight ? (double)p->weight[i] : 1;
    if (!__builtin_mul_overflow(l->n, l->d * 3 * sizeof(float), &bytes) && bytes <= p->budget) {
        if (!(l->block = arena_take(keep, l->nblock, sizeof *l->block)))
            return err_set(e, "no memory for %zu blocks", l->nblock), NULL;
        for (size_t i = 0; i < l->nblock; i++)
            if (block_open(l, i, &l->block[i], keep, e) < 0)
                return NULL;
    }
    if (worth_it(l) && preconditioner_open(l, keep) < 0)
        return err_set(e, "%s", l->err.msg), NULL;
    return l;
}

static bool go_on(void *ctx, size_t iteration, double gradient) {
    struct logreg *l = ctx;

    if (!l->failed && l->moments && (iteration == 0 || iteration == REFRESH)) {
        l->failed = preconditioner(l, *l->scratch) < 0;
        l->watch = iteration < REFRESH;
    }
    return !l->failed && (!l->go_on || l->go_on(l->ctx, iteration, gradient));
}

int logreg_fit(struct logreg *l, double c, double tol, size_t max_iter, bool (*more)(void *, size_t, double),
               void *ctx, double *theta, struct logreg_result *r, struct arena scratch, struct err *e) {
    struct lbfgs o = {.n = l->k * (l->d + 1), .f = objective, .go_on = go_on, .ctx = l, .tol = tol, .max_iter = max_iter};
    struct arena a = scratch, rest;
    size_t vectors = (2 * LBFGS_PAIRS + 8) * (o.n * sizeof(double) + 2 * ARENA_ALIGN);

    o.noise = l->exact ? 1e-12 : NOISE_F32;
    if (!(tol > 0))
        o.tol = l->exact ? fmax(fmin(LOGREG_TOL, LOGREG_TOL_EXACT / (c * l->total)), LOGREG_TOL_LEAST) : LOGREG_TOL;
    l->go_on = more;
    l->ctx = ctx;
    l->penalty = 1 / (c * l->total);
    l->failed = false;
    err_clear(&l->err);
    l->watch = l->moments;
    if (l->moments)
        o.precondition = precondition;
    /* the solver takes its vectors from the front of the scratch, and a gradient uses the memory behind these
     * vectors */
    rest = a;
    if (!arena_take(&rest, vectors, 1))
        return err_set(e, "no memory for %zu variables", o.n);
    l->scratch = &rest;
    if (lbfgs_run(&o, theta, a, e) < 0 || l->failed)
        return err_set(e, "%s", l->err.msg[0] ? l->err.msg : "the fit failed");
    *r = (struct logreg_result){o.iterations, o.calls, o.value * c * l->total, o.gradient, o.converged};
    return 0;
}

/* ---- using a result ---- */

void logreg_scores(const double *theta, size_t k, size_t d, const float *x, double *scores) {
    for (size_t j = 0; j < k; j++) {
        const double *w = theta + j * (d + 1);
        double s[4] = {0};
        size_t c;

        for (c = 0; c + 4 <= d; c += 4)
            for (size_t i = 0; i < 4; i++)
                s[i] += w[c + i] * (double)x[c + i];
        for (; c < d; c++)
            s[0] += w[c] * (double)x[c];
        scores[j] = (s[0] + s[1]) + (s[2] + s[3]) + w[d];
    }
}

void logreg_probabilities(const double *scores, size_t classes, double *prob) {
    if (classes == 2) {
        double z = scores[0], q = exp(-fabs(z));

        prob[1] = (z > 0 ? 1 : q) / (1 + q);
        prob[0] = (z > 0 ? q : 1) / (1 + q);
        return;
    }
    softmax(scores, classes, 1, prob);
}

double logreg_cross_entropy(const double *scores, size_t classes, size_t y) {
    double top, sum = 0;

    if (classes == 2) {
        double m = y ? scores[0] : -scores[0];

        return log1p(exp(-fabs(m))) + (m < 0 ? -m : 0);
    }
    top = scores[0];
    for (size_t j = 1; j < classes; j++)
        top = scores[j] > top ? scores[j] : top;
    for (size_t j = 0; j < classes; j++)
        sum += exp(scores[j] - top);
    return top + log(sum) - scores[y];
}

size_t logreg_predict(const double *scores, size_t classes) {
    size_t best = 0;

    if (classes == 2)
        return scores[0] > 0;
    for (size_t j = 1; j < classes; j++)
        if (scores[j] > scores[best])
            best = j;
    return best;
}
