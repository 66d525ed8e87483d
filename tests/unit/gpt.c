/* threads */
/* The transformers of ruDALL-E (both versions) and minDALL-E against their own classes' numbers (tests/golden/dalle),
 * step by step through the cache; and what may not depend on the number of candidates. */
#include "lib/net/gpt.h"

#include "lib/base/pool.h"

#include "tests/golden_file.h"
#include "tests/kernels.h"

#define GOLD "tests/golden/dalle/"

static int *ints(const struct weights *ws, const char *name, struct arena *a) {
    const struct tensor *t = golden_tensor(ws, name);
    size_t n;

    tensor_count(t, &n);
    return memcpy(golden_room(a, n, sizeof(int)), t->data, n * sizeof(int));
}

struct model {
    const char *weights, *io;
    struct gpt_config c;    /* what shapes do not say */
};

static const struct model models[] = {
    {GOLD "rudalle/pytorch_model_v3.bin", GOLD "rudalle/io_v3.safetensors",
     {.heads = 0, .act = ACT_GELU_TANH, .sparse = true, .pads = true, .kernel = 11}},
    {GOLD "rudalle/pytorch_model_v2.bin", GOLD "rudalle/io_v2.safetensors",
     {.heads = 0, .act = ACT_GELU_TANH, .sparse = true, .pads = true, .kernel = 11, .shifted = true, .wrap = true, .first = 2}},
    {GOLD "mindalle/stage2_last.ckpt", GOLD "mindalle/draw.safetensors", {.heads = 0, .act = ACT_GELU}},
};
static const size_t heads[] = {4, 2, 4};

struct net {
    struct gpt *g;
    struct weights io;
    size_t candidate, prompt;
};

static struct net open_net(size_t i, const struct compute *k, struct arena *a) {
    struct weights ws = golden_open(models[i].weights, a);
    struct net n = {.io = golden_open(models[i].io, a)};
    struct gpt_config c = models[i].c;
    struct err e = {0};

    c.heads = heads[i];
    if (gpt_config_from_weights(&c, &ws, &e) < 0 || !(n.g = gpt_bind(&c, &ws, k, a, &e)))
        printf("Bail out! %s\n", e.msg), exit(1);
    n.candidate = gpt_candidate_floats(n.g);
    n.prompt = gpt_prompt_floats(n.g);
    return n;
}

/* The scores of every token of `rows` sequences at once: out [rows, N, V]. */
static void run(const struct net *n, const struct compute *k, size_t rows, const int *ids, const int *tokens, float *out,
                struct arena a) {
    const struct gpt_config *c = gpt_config_of(n->g);
    const size_t all = c->side * c->side, v = c->codes;
    struct gpt_candidate *cand = golden_room(&a, rows, sizeof *cand);
    float *step = golden_room(&a, rows * v, sizeof *step);
    void *s = golden_room(&a, gpt_scratch(n->g, k, rows), 1);

    for (size_t i = 0; i < rows; i++) {
        float *prompt = golden_room(&a, n->prompt, sizeof *prompt);

        cand[i] = (struct gpt_candidate){prompt, golden_room(&a, n->candidate, sizeof(float)), 0};
        gpt_prefill(n->g, k, ids + i * c->text, prompt, out + i * all * v, s);
    }
    for (size_t at = 0; at + 1 < all; at++) {
        for (size_t i = 0; i < rows; i++)
            cand[i].token = tokens[i * all + at];
        gpt_step(n->g, k, at, rows, cand, step, s);
        for (size_t i = 0; i < rows; i++)
            memcpy(out + (i * all + at + 1) * v, step + i * v, v * sizeof *step);
    }
}

static void golden(size_t i, const struct kern *kern, struct arena a) {
    struct compute k = {kern, NULL};
    struct net n = open_net(i, &k, &a);
    const struct gpt_config *c = gpt_config_of(n.g);
    const size_t all = c->side * c->side, rows = 2, v = c->codes;
    const int *ids = ints(&n.io, i == 2 ? "text_ids" : "input_ids", &a), *tokens = ints(&n.io, "image_tokens", &a);
    float *out = golden_room(&a, rows * all * v, sizeof *out), *one, *three;
    const float *want = tensor_all_f32(golden_tensor(&n.io, i == 2 ? "logits_img" : "image_logits"), &a);
    const double tolerance = kern->precision == PREC_BF16 ? 0.1 : 1e-5;
    char what[96];

    run(&n, &k, rows, ids, tokens, out, a);
    snprintf(what, sizeof what, "%s, %s %s: scores of prompt 0", models[i].weights, kern->name, precision_name(kern->precision));
    close_to(out, want, all * v, 0, tolerance, what);
    if (i < 2) {    /* both prompts, the whole vocabulary, at some positions */
        const struct tensor *lt = golden_tensor(&n.io, "logits");
        const float *l = tensor_all_f32(lt, &a);
        const int *at = ints(&n.io, "positions", &a);
        const size_t width = lt->shape[2], places = lt->shape[1], prefix = gpt_prefix(n.g);
        float *got = golden_room(&a, rows * places * v, sizeof *got), *w = golden_room(&a, rows * places * v, sizeof *w);
        size_t m = 0;

        for (size_t r = 0; r < rows; r++)
            for (size_t p = 0; p < places; p++) {
                size_t token = (size_t)at[p] + 1 - prefix;

                if ((size_t)at[p] + 1 < prefix || token >= all)
                    continue;
                memcpy(got + m * v, out + (r * all + token) * v, v * sizeof *got);
                memcpy(w + m++ * v, l + (r * places + p) * width + width - v, v * sizeof *w);
            }
        snprintf(what, sizeof what, "both prompts at %zu places", m);
        ok(m > 0, "golden places");
        close_to(got, w, m * v, 0, tolerance, what);
    }
    /* one candidate alone, and three of which two are the same: the same bits */
    one = golden_room(&a, all * v, sizeof *one);
    run(&n, &k, 1, ids + c->text, tokens + all, one, a);
    ok(!memcmp(one, out + all * v, all * v * sizeof *one), "alone as beside another");
    int ids3[3 * 64], *tokens3 = golden_room(&a, 3 * all, sizeof(int));
    for (size_t r = 0; r < 3; r++) {
        memcpy(ids3 + r * c->text, ids + (r == 1) * c->text, c->text * sizeof *ids3);
        memcpy(tokens3 + r * all, tokens + (r == 1) * all, all * sizeof *tokens3);
    }
    three = golden_room(&a, 3 * all * v, sizeof *three);
    struct err e = {0};
    struct arena room = a;
    struct compute threads = {kern, pool_start(&room, 3, &e)};
    run(&n, &threads, 3, ids3, tokens3, three, room);
    pool_stop(threads.pool);
    ok(!memcmp(three, out, 2 * all * v * sizeof *out) && !memcmp(three + 2 * all * v, out, all * v * sizeof *out),
       "three on three threads as two on one");
}

static void refused(struct arena a) {
    struct weights ws = golden_open(models[0].weights, &a);
    struct compute k = {&kern_c, NULL};
    struct gpt_config c = models[0].c;
    struct err e = {0};

    c.heads = 7;
    gpt_config_from_weights(&c, &ws, &e);
    ok(!gpt_bind(&c, &ws, &k, &a, &e) && strstr(e.msg, "7 heads do not divide"), "refused: %s", e.msg);
    e.msg[0] = 0;
    c.heads = heads[0];
    c.width *= 2;
    ok(!gpt_bind(&c, &ws, &k, &a, &e) && e.msg[0], "refused: %s", e.msg);
    ws = golden_open(GOLD "vqgan/vq/io.safetensors", &a);
    e.msg[0] = 0;
    ok(gpt_config_from_weights(&c, &ws, &e) == -1 && strstr(e.msg, "not those of a text-to-picture"), "refused: %s", e.msg);
}

int main(void) {
    TAP_ARENA(a, 256);

    for (size_t i = 0; kern_tried(i); i++)
        for (size_t m = 0; m < sizeof models / sizeof *models; m++)
            golden(m, kern_tried(i), a);
    refused(a);
    free(a_mem.base);
    return done();
}
