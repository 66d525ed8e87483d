#include "tools/stage/sample.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "formats/record/params.h"
#include "lib/diffusion/token_draw.h"

/* Reads the numbers in the field into at, and how many there are into *levels. */
static int numbers(const struct record *r, const char *field, int64_t at[2], size_t *levels, struct arena *a, struct err *e) {
    int64_t *v;
    size_t n;
    int got = record_ints(r, field, &v, &n, a, e);

    if (got <= 0)
        return got;
    if (n > 2)
        return err_set(e, "%s: samples of samples of samples are not supported", field);
    for (size_t i = 0; i < n; i++) {
        if (v[i] < 0 || v[i] >= SAMPLE_MAX)
            return err_set(e, "%s %" PRId64 " is not from 0 to %d", field, v[i], SAMPLE_MAX - 1);
        at[i] = v[i];
    }
    *levels = n;
    return 0;
}

int sample_of(struct sample *s, const struct record *r, struct arena *a, struct err *e) {
    struct span noise;
    int got;

    *s = (struct sample){.root = record_root(r)};
    got = record_str(r, "noise_id", &noise, e);
    if (got < 0 || numbers(r, "sample", s->at, &s->levels, a, e) < 0)
        return -1;
    s->shared = got;
    s->noise = got ? XXH64(noise.p, noise.n, 0) : XXH64(s->root.p, s->root.n, 0);
    if (got)
        return numbers(r, "noise_sample", s->noise_at, &s->noise_levels, a, e);
    memcpy(s->noise_at, s->at, sizeof s->at);
    s->noise_levels = s->levels;
    return 0;
}

int sample_share_noise(struct record *r, const struct sample *s, struct err *e) {
    if (s->shared)
        return 0;
    if (record_set_text(r, "noise_id", s->root, e) < 0)
        return -1;
    record_drop(r, "noise_sample");
    return s->levels ? record_set_ints(r, "noise_sample", s->at, s->levels, e) : 0;
}

int sample_child(struct record *r, const struct sample *s, size_t i, size_t n, struct err *e) {
    int64_t at[2] = {s->at[0], s->at[1]};
    struct span id;
    char number[24];
    unsigned char *p;
    bool bin;

    if (n == 1)
        return 0;
    if (s->levels == 2)
        return err_set(e, "samples of samples of samples are not supported");
    at[s->levels] = (int64_t)i;
    snprintf(number, sizeof number, "#%zu", i);
    p = arena_take(r->a, r->id.n + strlen(number), 1);
    if (!p)
        return err_set(e, "out of memory");
    memcpy(p, r->id.p, r->id.n);
    memcpy(p + r->id.n, number, strlen(number));
    if (!record_has(r, "root") && record_set_text(r, "root", s->root, e) < 0)
        return -1;
    if (record_id(span_bytes(p, r->id.n + strlen(number)), &id, &bin, r->a, e) < 0 ||
        record_set_id(r, id, bin, e) < 0)
        return -1;
    return record_set_ints(r, "sample", at, s->levels + 1, e);
}

struct noise_key sample_key(const struct sample *s, uint64_t seed, enum noise_stage stage, size_t i) {
    int64_t at[2] = {s->noise_at[0], s->noise_at[1]};

    if (s->noise_levels < 2)
        at[s->noise_levels] = (int64_t)i;
    return (struct noise_key){.seed = seed, .id = s->noise, .stage = (unsigned)stage,
                              .sample = (unsigned)(at[0] + SAMPLE_MAX * at[1]), .stride = s->noise_levels ? SAMPLE_MAX : 1};
}

int torch_rows_open(struct torch_rows *t, const struct record *r, const struct sample *s, uint64_t seed, size_t n,
                    struct err *e) {
    int64_t used = 0, rows = 1;

    params_int(r, NULL, "rng_used", &used);
    params_int(r, NULL, "rng_rows", &rows);
    if (used < 0 || used > (int64_t)1 << 40 || rows < 1 || rows > SAMPLE_MAX)
        return err_set(e, "params: rng_used or rng_rows is out of range");
    if (n > 1 && rows > 1)
        return err_set(e, "--rng torch: samples of samples are no pipeline call");
    torch_rng_seed(&t->g, seed);
    torch_rng_discard(&t->g, (uint64_t)used);
    t->row = rows > 1 && s->levels ? (size_t)s->at[0] : 0;
    t->rows = rows > 1 ? (size_t)rows : n;
    t->n = n;
    t->times = 1;
    if (t->row + n > t->rows)
        return err_set(e, "sample %zu of %zu", t->row, t->rows);
    return 0;
}

/* From a draw of [rows, each] values, writes the n rows of this record into `out` and skips the other rows.  16 values
 * come from 16 outputs of the generator, so rows whose length is a multiple of 16 can be drawn alone. */
void noise_torch_rows(void *ctx, unsigned step, size_t n, size_t each, float *out) {
    struct torch_rows *t = ctx;

    (void)step;
    torch_rng_discard(&t->g, (uint64_t)t->row * each);
    torch_rng_normal(&t->g, out, n * each);
    torch_rng_discard(&t->g, (uint64_t)(t->times * t->rows - t->row - n) * each);
}

int sample_noise_open(struct sample_noise *z, const struct record *r, const struct sample *s, bool torch, uint64_t seed,
                      enum noise_stage stage, size_t n, size_t draws, size_t each, struct err *e) {
    z->is_torch = torch;
    z->key = sample_key(s, seed, stage, 0);
    z->source = (struct noise_source){noise_philox, &z->key};
    if (!torch)
        return 0;
    z->source = (struct noise_source){noise_torch_rows, &z->torch};
    if (torch_rows_open(&z->torch, r, s, seed, n, e) < 0)
        return -1;
    if (each % 16)    /* some blocks of 16 values would belong to two samples */
        return err_set(e, "--rng torch: %zu values are not a multiple of 16", each);
    z->used = z->torch.g.used + draws * z->torch.rows * each;
    return 0;
}

void sample_noise_double(struct sample_noise *z, size_t draws, size_t each) {
    if (!z->is_torch)
        return;
    z->torch.times = 2;
    z->used += draws * z->torch.rows * each;
}

/* ---- tokens ---- */

int sample_tokens_open(struct sample_noise *z, const struct record *r, const struct sample *s, bool torch, uint64_t seed, size_t n,
                       size_t draws, size_t v, struct err *e) {
    *z = (struct sample_noise){.is_torch = torch, .key = sample_key(s, seed, NOISE_TOKENS, 0)};
    if (!torch)
        return 0;
    if (torch_rows_open(&z->torch, r, s, seed, n, e) < 0)
        return -1;
    z->used = z->torch.g.used + draws * z->torch.rows * v * 2;    /* torch takes two outputs for each weight */
    return 0;
}

/* Draws the token of sample i of this record, out of v.  For one token PyTorch's generator gives [rows, v] numbers, a row for
 * each sample of each record of the root.  This function takes the row of sample i, and skips the rows of other records. */
static size_t token_torch(void *ctx, unsigned at, size_t i, size_t v, const double *weight, double total) {
    struct torch_rows *t = ctx;
    size_t token;

    (void)at;
    if (i == 0)
        torch_rng_discard(&t->g, (uint64_t)t->row * v * 2);
    token = token_multinomial(&t->g, v, weight, total);
    if (i + 1 == t->n)
        torch_rng_discard(&t->g, (uint64_t)(t->rows - t->row - t->n) * v * 2);
    return token;
}

struct token_source sample_tokens(const struct sample_noise *z, struct token_rows *state, size_t first, size_t n) {
    state->key = z->key;
    state->key.sample = noise_sample(&z->key, first);
    state->torch = z->torch;
    state->torch.row += first;
    state->torch.n = n;
    return z->is_torch ? (struct token_source){token_torch, &state->torch} : (struct token_source){token_philox, &state->key};
}

void sample_noise_params(const struct sample_noise *z, struct mp *m) {
    if (!z->is_torch)
        return;
    mp_cstr(m, "rng_used");
    mp_int(m, (int64_t)z->used);
    mp_cstr(m, "rng_rows");
    mp_int(m, (int64_t)z->torch.rows);
}
