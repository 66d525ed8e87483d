/* Tokens from scores: three rules against their references, uniforms, torch's generator; then whole pictures of ruDALL-E
 * and minDALL-E drawn token by token, equal to what their own programs drew. */
#include "lib/diffusion/token_draw.h"

#include <jansson.h>

#include "lib/base/cpu.h"
#include "lib/net/gpt.h"

#include "tests/golden_file.h"

#define GOLD "tests/golden/dalle/"

static void rules(struct arena a) {
    static const char *const name[] = {"hf", "mindalle", "cfg"};
    struct weights io = golden_open(GOLD "sampling.safetensors", &a);
    json_t *all = json_load_file(GOLD "sampling.json", 0, NULL), *c;
    size_t i, cases = 0, right = 0;
    double worst = 0;

    json_array_foreach(all, i, c) {
        double temperature = json_number_value(json_object_get(c, "temperature")), p = json_number_value(json_object_get(c, "top_p"));
        size_t k = (size_t)json_integer_value(json_object_get(c, "top_k")), n = (size_t)json_integer_value(json_object_get(c, "vocab"));

        for (int rule = 0; rule < 3; rule++) {
            struct arena b = a;
            struct token_rules r = {(enum token_rule)rule, temperature, p, k};
            double *w = golden_room(&b, n, sizeof *w), total;
            uint32_t *order = golden_room(&b, n, sizeof *order);
            float *scores = golden_room(&b, n, sizeof *scores);
            const float *want;
            char key[64];

            snprintf(key, sizeof key, "%02zu.logits", i);
            memcpy(scores, tensor_all_f32(golden_tensor(&io, key), &b), n * sizeof *scores);
            snprintf(key, sizeof key, "%02zu.uncond", i);
            if (rule == TOKEN_CFG)
                token_guide(n, tensor_all_f32(golden_tensor(&io, key), &b),
                            json_number_value(json_object_get(c, "condition_scale")), scores);
            snprintf(key, sizeof key, "%02zu.probs_%s", i, name[rule]);
            want = tensor_all_f32(golden_tensor(&io, key), &b);
            total = token_weights(&r, n, scores, w, order);
            for (size_t j = 0; j < n; j++)
                worst = fmax(worst, fabs(w[j] / total - (double)want[j]));
            for (size_t j = 0; j < json_array_size(json_object_get(c, "u")); j++, cases++)
                right += token_pick(n, w, json_number_value(json_array_get(json_object_get(c, "u"), j))) ==
                         (size_t)json_integer_value(json_array_get(json_object_get(c, name[rule]), j));
        }
    }
    json_decref(all);
    ok(cases == 24 * 3 * 6 && right == cases, "%zu of %zu tokens", right, cases);
    ok(worst < 2e-6, "probabilities within %.1e", worst);
}

static void properties(struct arena a) {
    enum { N = 1000 };
    float s[N];
    double w[N], sum = 0, least = 1, most = 0;
    uint32_t order[N];
    struct token_rules r = {TOKEN_HF, 1, 1, 0};
    size_t kept = 0, seen = 0;
    int zero = 0;

    (void)a;
    for (size_t i = 0; i < N; i++)
        s[i] = (float)((i * 7919) % 1009) / 100;
    token_weights(&r, N, s, w, order);
    for (size_t i = 0; i < N; i++)
        seen += w[i] > 0;
    ok(seen == N, "nothing is dropped with k = 0 and p = 1");
    for (r.top_k = 1; r.top_k <= N; r.top_k += 37) {
        token_weights(&r, N, s, w, order);
        kept = 0;
        for (size_t i = 0; i < N; i++)
            kept += w[i] > 0;
        if (kept != r.top_k)
            ok(0, "top-k %zu keeps %zu", r.top_k, kept);
    }
    r.top_k = 0;
    r.top_p = 1e-9;
    token_weights(&r, N, s, w, order);
    for (size_t i = 0, k = 0; i < N; i++)
        kept = k += w[i] > 0;
    ok(kept == 1, "the smallest p keeps one");
    s[5] = NAN, s[6] = INFINITY;
    r.top_p = 1;
    token_weights(&r, N, s, w, order);
    ok(w[5] == 0 && w[6] == 0, "scores that are not finite are never drawn");
    for (size_t i = 0; i < N; i++)
        s[i] = (float[]){NAN, INFINITY, -INFINITY}[i % 3];
    for (int i = 0; i < 12; i++) {
        double total;

        r = (struct token_rules){(enum token_rule)(i % 3), 1, i / 3 % 2 ? 0.9 : 1, i / 6 ? 7 : 0};
        total = token_weights(&r, N, s, w, order);
        zero += total == 0;
        for (size_t k = 0; k < N; k++)
            zero -= !(w[k] == 0);
    }
    ok(zero == 12, "without a finite score all weights are 0, for every rule, top-k and top-p");
    for (unsigned t = 0; t < 20000; t++) {
        double u = token_uniform(7, 9, t / 1000, t % 1000);

        sum += u / 20000;
        least = fmin(least, u);
        most = fmax(most, u);
    }
    ok(fabs(sum - 0.5) < 0.01 && least >= 0 && least < 1e-3 && most < 1 && most > 0.999, "uniforms: mean %.4f, %.1e to %.5f", sum,
       least, most);
    ok(token_uniform(7, 9, 3, 5) == token_uniform(7, 9, 3, 5) && token_uniform(7, 9, 3, 5) != token_uniform(7, 9, 5, 3) &&
       token_uniform(8, 9, 3, 5) != token_uniform(7, 9, 3, 5) && token_uniform(7, 8, 3, 5) != token_uniform(7, 9, 3, 5),
       "a number for each seed, id, sample and token");
}

struct model {
    const char *weights, *io, *ids;
    size_t heads;
    enum token_rule rule;
    struct gpt_config c;
};

static const struct model models[] = {
    {GOLD "rudalle/pytorch_model_v3.bin", GOLD "rudalle/io_v3.safetensors", "input_ids", 4, TOKEN_HF,
     {.act = ACT_GELU_TANH, .sparse = true, .pads = true, .kernel = 11}},
    {GOLD "rudalle/pytorch_model_v2.bin", GOLD "rudalle/io_v2.safetensors", "input_ids", 2, TOKEN_HF,
     {.act = ACT_GELU_TANH, .sparse = true, .pads = true, .kernel = 11, .shifted = true, .wrap = true, .first = 2}},
    {GOLD "mindalle/stage2_last.ckpt", GOLD "mindalle/draw.safetensors", "text_ids", 4, TOKEN_MINDALLE, {.act = ACT_GELU}},
};

struct net {
    const struct gpt *g;
    const struct compute *k;
    struct token_rules rules;
    const int *ids;
    struct arena a;
};

/* How many of `rows` pictures come out as `want`; u: uniforms, or NULL: torch's generator; keep and given: a picture prompt. */
static size_t draw(const struct net *n, size_t rows, const float *u, struct torch_rng *rng, const unsigned char *keep,
                   const int *given, const int *want) {
    const struct gpt_config *c = gpt_config_of(n->g);
    const size_t all = c->side * c->side, v = c->codes;
    struct arena a = n->a;
    struct gpt_candidate *cand = golden_room(&a, rows, sizeof *cand);
    float *prompt = golden_room(&a, gpt_prompt_floats(n->g), sizeof *prompt), *scores = golden_room(&a, rows * v, sizeof *scores);
    double *w = golden_room(&a, v, sizeof *w);
    uint32_t *order = golden_room(&a, v, sizeof *order);
    void *s = golden_room(&a, gpt_scratch(n->g, n->k, rows), 1);
    size_t right = 0;

    gpt_prefill(n->g, n->k, n->ids, prompt, scores, s);
    for (size_t i = 0; i < rows; i++) {
        cand[i] = (struct gpt_candidate){prompt, golden_room(&a, gpt_candidate_floats(n->g), sizeof(float)), 0};
        memmove(scores + i * v, scores, v * sizeof *scores);
    }
    for (size_t at = 0; at < all; at++) {
        for (size_t i = 0; i < rows; i++) {
            double total = token_weights(&n->rules, v, scores + i * v, w, order);

            cand[i].token = (int)(u ? token_pick(v, w, (double)u[i * all + at]) : token_multinomial(rng, v, w, total));
            if (keep && keep[at])
                cand[i].token = given[at];
            right += cand[i].token == want[i * all + at];
        }
        if (at + 1 < all)
            gpt_step(n->g, n->k, at, rows, cand, scores, s);
    }
    return right;
}

static void pictures(const struct model *m, struct arena a) {
    struct err e = {0};
    struct compute k = {kern_choose(NULL, PREC_F32, cpu_flags(), &e), NULL};
    struct weights ws = golden_open(m->weights, &a), io = golden_open(m->io, &a);
    struct gpt_config c = m->c;
    struct net n = {.k = &k, .rules = {.rule = m->rule, .top_p = 1}};
    struct torch_rng rng;
    int64_t seed, top_k;
    size_t all, rows, got;

    c.heads = m->heads;
    if (gpt_config_from_weights(&c, &ws, &e) < 0 || !(n.g = gpt_bind(&c, &ws, &k, &a, &e)))
        printf("Bail out! %s\n", e.msg), exit(1);
    all = c.side * c.side;
    memcpy(&top_k, golden_tensor(&io, "sample.top_k")->data, 8);
    n.rules.top_k = (size_t)top_k;
    n.rules.temperature = (double)*tensor_all_f32(golden_tensor(&io, "sample.temperature"), &a);
    n.rules.top_p = (double)*tensor_all_f32(golden_tensor(&io, "sample.top_p"), &a);
    n.ids = memcpy(golden_room(&a, c.text, sizeof(int)), golden_tensor(&io, m->ids)->data, c.text * sizeof(int));
    n.a = a;
    rows = golden_tensor(&io, "sample.tokens")->shape[0];
    got = draw(&n, rows, tensor_all_f32(golden_tensor(&io, "sample.u"), &n.a), NULL, NULL, NULL, golden_tensor(&io, "sample.tokens")->data);
    ok(got == rows * all, "%s: %zu of %zu tokens from uniforms", m->weights, got, rows * all);
    memcpy(&seed, golden_tensor(&io, "torch.seed")->data, 8);
    torch_rng_seed(&rng, (uint64_t)seed);
    rows = golden_tensor(&io, "torch.tokens")->shape[0];
    got = draw(&n, rows, NULL, &rng, NULL, NULL, golden_tensor(&io, "torch.tokens")->data);
    ok(got == rows * all, "%s: %zu of %zu tokens from torch's generator", m->weights, got, rows * all);
    if (!weights_find(&io, "prompt.mask"))
        return;
    n.ids = golden_tensor(&io, "prompt.input_ids")->data;
    rows = golden_tensor(&io, "prompt.result")->shape[0];
    got = draw(&n, rows, tensor_all_f32(golden_tensor(&io, "prompt.u"), &n.a), NULL, golden_tensor(&io, "prompt.mask")->data,
               golden_tensor(&io, "prompt.tokens")->data, golden_tensor(&io, "prompt.result")->data);
    ok(got == rows * all, "%s: %zu of %zu tokens of a continued picture", m->weights, got, rows * all);
}

int main(void) {
    TAP_ARENA(a, 256);

    rules(a);
    properties(a);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        pictures(&models[i], a);
    free(a_mem.base);
    return done();
}
