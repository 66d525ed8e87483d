#include "lib/diffusion/token_draw.h"

#include <math.h>
#include <stdbool.h>

#include "lib/diffusion/noise.h"

void token_guide(size_t n, const float *uncond, double scale, float *cond) {
    const float s = (float)scale, t = (float)(1 - scale);

    for (size_t i = 0; i < n; i++)
        cond[i] = uncond[i] * t + cond[i] * s;
}

/* ---- the k largest ---- */

/* Returns the k-th largest number of v, 1 <= k <= n.  order [n] is scratch. */
static double kth_largest(size_t n, const double *v, size_t k, uint32_t *order) {
    size_t lo = 0, hi = n - 1;

    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    while (lo < hi) {
        const double pivot = v[order[lo + (hi - lo) / 2]];
        size_t i = lo, j = hi;

        for (;;) {
            while (v[order[i]] > pivot)
                i++;
            while (v[order[j]] < pivot)
                j--;
            if (i >= j)
                break;
            uint32_t swap = order[i];
            order[i++] = order[j];
            order[j--] = swap;
        }
        if (k - 1 <= j)
            hi = j;
        else
            lo = j + 1;
    }
    return v[order[lo]];
}

/* ---- the most probable ---- */

static bool before(const double *v, uint32_t a, uint32_t b) {
    return v[a] > v[b] || (v[a] == v[b] && a < b);
}

static void sink(const double *v, uint32_t *heap, size_t n, size_t i) {
    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        uint32_t swap = heap[i];

        if (child + 1 < n && before(v, heap[child + 1], heap[child]))
            child++;
        if (!before(v, heap[child], heap[i]))
            return;
        heap[i] = heap[child];
        heap[child] = swap;
    }
}

/* Keeps the largest weights until their sum is above p * total (strictly), or at least p * total (otherwise).  The
 * other weights become 0.  Returns the sum of the weights that are kept.  heap [n] is scratch. */
static double keep_nucleus(size_t n, double *weight, double total, double p, bool strictly, uint32_t *heap) {
    size_t left = 0;
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        if (weight[i] > 0)
            heap[left++] = (uint32_t)i;
    for (size_t i = left / 2; i-- > 0;)
        sink(weight, heap, left, i);
    while (left) {
        const uint32_t top = heap[0];

        if (sum > 0 && (strictly ? sum > p * total : sum >= p * total))
            break;
        sum += weight[top];
        heap[0] = heap[--left];
        sink(weight, heap, left, 0);
    }
    for (size_t i = 0; i < left; i++)    /* the tokens left on the heap were not taken */
        weight[heap[i]] = 0;
    return sum;
}

double token_weights(const struct token_rules *r, size_t n, const float *scores, double *weight, uint32_t *order) {
    double top = -HUGE_VAL, least = -HUGE_VAL, total = 0;

    for (size_t i = 0; i < n; i++) {
        weight[i] = r->rule == TOKEN_CFG ? (double)scores[i] : (double)(scores[i] / (float)r->temperature);
        if (!isfinite(weight[i]))
            weight[i] = -HUGE_VAL;
        top = fmax(top, weight[i]);
    }
    if (r->top_k && r->top_k < n)
        least = kth_largest(n, weight, r->top_k, order);
    for (size_t i = 0; i < n; i++) {
        double w = weight[i] - top;

        weight[i] = isfinite(weight[i]) && weight[i] >= least ? exp(r->rule == TOKEN_CFG ? w / r->temperature : w) : 0;
        total += weight[i];
    }
    if (r->rule != TOKEN_CFG && r->top_p < 1)
        total = keep_nucleus(n, weight, total, r->top_p, r->rule == TOKEN_HF, order);
    return total;
}

size_t token_pick(size_t n, const double *weight, double u) {
    double total = 0, sum = 0;
    size_t last = 0;

    for (size_t i = 0; i < n; i++)
        total += weight[i];
    for (size_t i = 0; i < n; i++) {
        sum += weight[i];
        if (weight[i] > 0)
            last = i;
        if (sum > u * total)
            return i;
    }
    return last;
}

double token_uniform(uint64_t seed, uint64_t id, unsigned sample, unsigned token) {
    uint64_t at = (uint64_t)NOISE_TOKENS << 60 | (uint64_t)token << 48 | (uint64_t)sample << 28, x;
    uint32_t w[4] = {(uint32_t)id, (uint32_t)(id >> 32), (uint32_t)at, (uint32_t)(at >> 32)};

    philox4x32(w, (uint32_t)seed, (uint32_t)(seed >> 32));
    x = (uint64_t)w[0] << 32 | w[1];
    return (double)(x >> 11) * 0x1p-53;
}

size_t token_multinomial(struct torch_rng *g, size_t n, const double *weight, double total) {
    size_t best = 0;
    float most = -1;

    for (size_t i = 0; i < n; i++) {
        uint64_t x = (uint64_t)torch_rng_next(g) << 32;

        x |= torch_rng_next(g);
        float q = (float)-log1p(-(double)(x & (((uint64_t)1 << 53) - 1)) * 0x1p-53), v = (float)(weight[i] / total) / q;
        if (v > most) {
            most = v;
            best = i;
        }
    }
    return best;
}
