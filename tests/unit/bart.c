/* threads */
/* DALL-E mini's encoder and decoder against min-dalle's own numbers (tests/golden/dalle/dallemini), and pictures drawn
 * with guidance, equal to what it drew. */
#include "lib/net/bart.h"

#include "lib/base/cpu.h"
#include "lib/base/pool.h"
#include "lib/diffusion/token_draw.h"
#include "lib/kernel/kern.h"

#include "tests/golden_file.h"
#include "tests/kernels.h"

#define GOLD "tests/golden/dalle/dallemini/"

enum { N = 256, V = 96, T = 64, D = 48 };

static struct bart *bind(const struct compute *k, struct arena *a) {
    struct weights enc = golden_open(GOLD "encoder.pt", a), dec = golden_open(GOLD "decoder.pt", a);
    struct bart_config c = {.encoder_heads = 4, .decoder_heads = 4, .codes = V, .start = V};
    struct bart *b = NULL;
    struct err e = {0};

    if (bart_config_from_weights(&c, &enc, &dec, &e) < 0 || !(b = bart_open(&c, a, &e)) ||
        bart_bind_encoder(b, &enc, k, a, &e) < 0 || bart_bind_decoder(b, &dec, k, a, &e) < 0)
        printf("Bail out! %s\n", e.msg), exit(1);
    return b;
}

/* Both rows of text_ids without their pads: unconditional, conditional. */
static size_t ids_of(const struct weights *io, size_t row, int ids[T]) {
    size_t n = 0;

    memcpy(ids, (const int *)golden_tensor(io, "text_ids")->data + row * T, T * sizeof *ids);
    while (n < T && ids[n] != 1)
        n++;
    return n;
}

static void golden(const struct kern *kern, struct arena a) {
    static const size_t at[] = {0, 1, 2, 15, 16, 17, 100, 255};
    struct compute k = {kern, NULL};
    struct bart *b = bind(&k, &a);
    struct weights io = golden_open(GOLD "draw.safetensors", &a);
    const float *states = tensor_all_f32(golden_tensor(&io, "encoder_state"), &a), *logits = tensor_all_f32(golden_tensor(&io, "logits"), &a);
    const int *tokens = golden_tensor(&io, "image_tokens")->data;
    const double tolerance = kern->precision == PREC_BF16 ? 0.1 : 5e-6;
    float *got = golden_room(&a, 2 * 8 * V, sizeof *got), *want = golden_room(&a, 2 * 8 * V, sizeof *want), *out = golden_room(&a, 2 * V, sizeof *out);
    struct bart_candidate c[2];
    void *s = golden_room(&a, bart_scratch(b, &k, 2), 1);
    char what[64];

    for (size_t r = 0; r < 2; r++) {
        int ids[T];
        size_t n = ids_of(&io, r, ids);
        float *mine = golden_room(&a, T * D, sizeof *mine), *prompt = golden_room(&a, bart_prompt_floats(b, n), sizeof *prompt);

        bart_encode(b, &k, n, ids, prompt, mine, s);
        snprintf(what, sizeof what, "%s %s: states of row %zu (%zu tokens)", kern->name, precision_name(kern->precision), r, n);
        close_to(mine, states + r * 8 * D, (n < 8 ? n : 8) * D, 0, tolerance, what);
        c[r] = (struct bart_candidate){prompt, n, golden_room(&a, bart_candidate_floats(b), sizeof(float)), V};
    }
    for (size_t i = 0, m = 0; i < N; i++) {    /* image_tokens: what is given at each place, the start token first */
        c[0].token = c[1].token = tokens[i];
        bart_step(b, &k, i, 2, c, out, s);
        if (m < 8 && i == at[m]) {
            for (size_t r = 0; r < 2; r++) {
                memcpy(got + (r * 8 + m) * V, out + r * V, V * sizeof *out);
                memcpy(want + (r * 8 + m) * V, logits + (r * 8 + m) * 104, V * sizeof *out);
            }
            m++;
        }
    }
    close_to(got, want, 2 * 8 * V, 0, tolerance, "scores at eight places");
    c[0].token = c[1].token = V - 1;
    bart_step(b, &k, 0, 2, c, out, s);
    const float *other = tensor_all_f32(golden_tensor(&io, "first_logits_start_minus_1"), &a);
    close_to(out, other, V, 0, tolerance, "with min-dalle's start token");
}

/* Rows of candidates, each with its unconditional twin behind all of them. */
static size_t draw(const struct bart *b, const struct compute *k, const struct weights *io, size_t rows, const float *u,
                   struct torch_rng *rng, const int *want, struct arena a) {
    const struct token_rules rules = {TOKEN_CFG, (double)*tensor_all_f32(golden_tensor(io, "sample.temperature"), &a), 1,
                                      (size_t)*(const int64_t *)golden_tensor(io, "sample.top_k")->data};
    const double scale = (double)*tensor_all_f32(golden_tensor(io, "sample.condition_scale"), &a);
    struct bart_candidate *c = golden_room(&a, 2 * rows, sizeof *c);
    float *scores = golden_room(&a, 2 * rows * V, sizeof *scores);
    double w[V];
    uint32_t order[V];
    void *s = golden_room(&a, bart_scratch(b, k, 2 * rows), 1);
    size_t right = 0;

    for (size_t half = 0; half < 2; half++) {    /* conditional rows first */
        int ids[T];
        size_t n = ids_of(io, 1 - half, ids);
        float *prompt = golden_room(&a, bart_prompt_floats(b, n), sizeof *prompt);

        bart_encode(b, k, n, ids, prompt, NULL, s);
        for (size_t i = 0; i < rows; i++)
            c[half * rows + i] = (struct bart_candidate){prompt, n, golden_room(&a, bart_candidate_floats(b), sizeof(float)), V};
    }
    for (size_t at = 0; at < N; at++) {
        bart_step(b, k, at, 2 * rows, c, scores, s);
        for (size_t i = 0; i < rows; i++) {
            double total;

            token_guide(V, scores + (rows + i) * V, scale, scores + i * V);
            total = token_weights(&rules, V, scores + i * V, w, order);
            c[i].token = c[rows + i].token = (int)(u ? token_pick(V, w, (double)u[i * N + at])
                                                     : token_multinomial(rng, V, w, total));
            right += c[i].token == want[i * N + at];
        }
    }
    return right;
}

static void pictures(struct arena a) {
    struct err e = {0};
    struct compute k = {kern_choose(NULL, PREC_F32, cpu_flags(), &e), NULL};
    struct bart *b = bind(&k, &a);
    struct weights io = golden_open(GOLD "draw.safetensors", &a);
    struct torch_rng rng;
    size_t got = draw(b, &k, &io, 2, tensor_all_f32(golden_tensor(&io, "sample.u"), &a), NULL, golden_tensor(&io, "sample.tokens")->data, a);

    ok(got == 2 * N, "%zu of %d tokens with guidance from uniforms", got, 2 * N);
    torch_rng_seed(&rng, (uint64_t)*(const int64_t *)golden_tensor(&io, "torch.seed")->data);
    got = draw(b, &k, &io, 2, NULL, &rng, golden_tensor(&io, "torch.tokens")->data, a);
    ok(got == 2 * N, "%zu of %d tokens from torch's generator", got, 2 * N);
}

/* 65 candidates, which are two passes, on three threads: each as the first alone. */
static void many(const struct kern *kern, struct arena a) {
    enum { MANY = 65 };
    struct err e = {0};
    struct compute one = {kern, NULL}, three = {kern, pool_start(&a, 3, &e)};
    struct bart *b = bind(&one, &a);
    struct weights io = golden_open(GOLD "draw.safetensors", &a);
    struct bart_candidate c[MANY];
    float *scores = golden_room(&a, MANY * V, sizeof *scores), alone[V];
    void *s = golden_room(&a, bart_scratch(b, &three, MANY), 1);
    int ids[T], same = 1;
    size_t n = ids_of(&io, 1, ids);
    float *prompt = golden_room(&a, bart_prompt_floats(b, n), sizeof *prompt);

    bart_encode(b, &one, n, ids, prompt, NULL, s);
    for (size_t i = 0; i < MANY; i++)
        c[i] = (struct bart_candidate){prompt, n, golden_room(&a, bart_candidate_floats(b), sizeof(float)), V};
    for (size_t at = 0; at < 3; at++) {
        bart_step(b, &one, at, 1, c, alone, s);
        bart_step(b, &three, at, MANY, c, scores, s);
        for (size_t i = 0; i < MANY; i++)
            same &= !memcmp(alone, scores + i * V, sizeof alone);
    }
    ok(same, "%s: a candidate of 65 on three threads as alone", kern->name);
    pool_stop(three.pool);
}

int main(void) {
    TAP_ARENA(a, 128);

    for (size_t i = 0; kern_tried(i); i++) {
        golden(kern_tried(i), a);
        many(kern_tried(i), a);
    }
    pictures(a);
    free(a_mem.base);
    return done();
}
