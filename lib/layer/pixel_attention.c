#include "lib/layer/pixel_attention.h"

#include <math.h>

#include "lib/base/size.h"
#include "lib/layer/feature_conv.h"

static int linear(const struct linear *l, const struct compute *k, size_t m, const float *x, float *y,
                  const float *residual, struct arena a) {
    void *s = arena_take(&a, linear_scratch(l, k, m), 1);

    if (!s)
        return -1;
    linear_run(l, k, m, x, l->k, y, l->n, ACT_NONE, residual, s);
    return 0;
}

int pixel_attention_run(const struct pixel_attention *b, const struct compute *k, size_t n, size_t y, size_t x, float *h,
                        const struct attention_keys *context, struct arena a) {
    const size_t pixels = y * x, c = b->c, head = c / b->heads;
    const struct attention att = {b->heads, head, (float)(1 / sqrt((double)head)), false};
    const struct feature_map p = {{h, NULL}, {c, 0}, n, y, x};
    const struct feature_map_norm g = {.g = b->norm.g, .b = b->norm.b, .groups = b->groups, .eps = b->eps};
    struct feature_source in = feature_source(&p, ACT_NONE, RESAMPLE_NONE);
    float *tok = arena_take(&a, n * pixels * c, sizeof *tok), *qkv = arena_take(&a, n * pixels * 3 * c, sizeof *qkv);
    struct attention_seq *seq = arena_zero(&a, n, sizeof *seq);
    size_t most = 0;
    struct arena s;
    void *w;

    if (!tok || !qkv || !seq || feature_source_norm(&in, &g, k, &a) < 0)
        return -1;
    feature_map_apply(&p, in.mul, in.add, ACT_NONE, RESAMPLE_NONE, k, tok);
    if (linear(&b->qkv, k, n * pixels, tok, qkv, NULL, a) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        float *q = qkv + i * pixels * 3 * c;
        seq[i] = (struct attention_seq){.q = q, .o = tok + i * pixels * c, .nq = pixels, .ldq = 3 * c, .ldo = c};
        if (context)
            seq[i].keys[0] = context[i];
        most = size_max(most, seq[i].keys[0].n);
        seq[i].keys[1] = (struct attention_keys){q + c, q + 2 * c, pixels, 3 * c};
    }
    s = a;
    w = arena_take(&s, attention_scratch(&att, k, most + pixels), 1);
    if (!w)
        return -1;
    attention_run(&att, k, n, seq, w);
    return linear(&b->out, k, n * pixels, tok, h, h, a);
}
