#include "lib/probe/head.h"

#include <math.h>
#include <string.h>

#include "lib/base/size.h"
#include "lib/probe/softmax.h"
#include "lib/vector/similarity.h"

size_t head_in(const struct head *h) {
    return h->layer[0].in;
}

size_t head_out(const struct head *h) {
    return h->layer[h->n - 1].out;
}

static size_t widest(const struct head *h) {
    size_t w = head_in(h);

    for (size_t i = 0; i < h->n; i++)
        w = size_max(w, h->layer[i].out);
    return w;
}

size_t head_scratch(const struct head *h) {
    return 2 * widest(h) * sizeof(double);
}

/* Replace *a by one layer that does what a and then b do: weight = Wb Wa, bias = Wb ba + bb, computed in f64. */
static int join(struct head_layer *a, const struct head_layer *b, struct arena *keep, struct err *e) {
    float *w = arena_take(keep, b->out * a->in, sizeof *w), *bias = arena_take(keep, b->out, sizeof *bias);
    struct arena scratch = *keep;
    double *row = arena_take(&scratch, a->in, sizeof *row);

    if (!w || !bias || !row)
        return err_set(e, "no memory for a layer of %zu x %zu", b->out, a->in);
    for (size_t i = 0; i < b->out; i++) {
        double shift = b->bias ? (double)b->bias[i] : 0;

        memset(row, 0, a->in * sizeof *row);
        for (size_t k = 0; k < a->out; k++) {
            const double f = (double)b->weight[i * b->in + k];
            const float *from = a->weight + k * a->in;

            for (size_t j = 0; j < a->in; j++)
                row[j] += f * (double)from[j];
            shift += a->bias ? f * (double)a->bias[k] : 0;
        }
        for (size_t j = 0; j < a->in; j++)
            w[i * a->in + j] = (float)row[j];
        bias[i] = (float)shift;
    }
    *a = (struct head_layer){a->in, b->out, w, bias, b->relu};
    return 0;
}

int head_fold(struct head *h, struct arena *keep, struct err *e) {
    size_t n = 0;

    if (!h->n)
        return err_set(e, "the head has no layers");
    for (size_t i = 0; i < h->n; i++) {
        const struct head_layer *l = &h->layer[i];

        if (!l->in || !l->out || (i && l->in != h->layer[i - 1].out))
            return err_set(e, "layer %zu takes %zu numbers, but the layer before it gives %zu", i, l->in,
                           i ? h->layer[i - 1].out : 0);
    }
    for (size_t i = 1; i < h->n; i++) {
        struct head_layer *last = &h->layer[n];
        const struct head_layer *next = &h->layer[i];

        /* fold only if the product has no more weights than its two factors together */
        if (!last->relu && last->in * next->out <= last->in * last->out + next->in * next->out) {
            if (join(last, next, keep, e) < 0)
                return -1;
        } else {
            h->layer[++n] = *next;
        }
    }
    h->n = n + 1;
    return 0;
}

/* Write x into out, normalised in the way in which the head was trained. */
static void prepare(const struct head *h, const float *x, double *out) {
    const size_t d = head_in(h);
    double square = 0, scale = 1;

    if (h->normalise) {
        for (size_t i = 0; i < d; i++)
            square += (double)x[i] * (double)x[i];
        scale = square > 0 ? 1 / sqrt(square) : 1;
    }
    for (size_t i = 0; i < d; i++) {
        out[i] = (double)x[i] * scale;
        if (h->mean)
            out[i] = (out[i] - (double)h->mean[i]) / fmax(sqrt((double)h->variance[i]), 1e-7);
    }
}

static void finish(enum head_link link, size_t n, double *y) {
    if (link == HEAD_SIGMOID)
        for (size_t i = 0; i < n; i++)
            y[i] = y[i] >= 0 ? 1 / (1 + exp(-y[i])) : exp(y[i]) / (1 + exp(y[i]));
    if (link == HEAD_SOFTMAX)
        softmax(y, n, 1, y);
}

void head_run(const struct head *h, const struct sim_kern *sim, const float *x, bool raw, double *y, void *scratch) {
    double *from = scratch, *to = from + widest(h);

    prepare(h, x, from);
    for (size_t i = 0; i < h->n; i++) {
        const struct head_layer *l = &h->layer[i];
        double *swap = from;

        for (size_t j = 0; j < l->out; j++) {
            to[j] = sim->dot(from, l->weight + j * l->in, l->in) + (l->bias ? (double)l->bias[j] : 0);
            if (l->relu && !(to[j] > 0))
                to[j] = 0;
        }
        from = to;
        to = swap;
    }
    memcpy(y, from, head_out(h) * sizeof *y);
    if (!raw)
        finish(h->link, head_out(h), y);
}
