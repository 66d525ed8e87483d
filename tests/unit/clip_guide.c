/* Steps guided by the noised CLIP against openai/glide-text2im (tests/golden/glide/guided, PyTorch 2.13, f32): from each
 * recorded state and the recorded output of the U-Net to the next state, ancestral and by DDIM. */
#include "lib/diffusion/clip_guide.h"

#include "lib/base/cpu.h"
#include "lib/kernel/kern.h"
#include "tests/golden_file.h"
#include "tests/tap.h"

enum { STEPS = 5, N = 2, MOST = 64, HEAD = 16 };

#define GOLD "tests/golden/glide/"

static void steps(const struct weights *io, struct noised_clip *c, const struct compute *k, const struct sched *s, bool ddim,
                  const float *texts, struct arena a) {
    const char *run = ddim ? "ddim5" : "p5";
    size_t one = 3 * noised_clip_side(c) * noised_clip_side(c), embed = noised_clip_embed(c);
    const float *x = tensor_all_f32(golden_tensor(io, "init"), &a), *noise = tensor_all_f32(golden_tensor(io, "noise"), &a);
    float *got = golden_room(&a, N * one, sizeof *got), *g = golden_room(&a, N * one, sizeof *g);
    const float *want, *grad, *out, *times;
    struct err e = {0};
    char name[32], what[64];

#define PART(of) (snprintf(name, sizeof name, "%s.%s", run, of), tensor_all_f32(golden_tensor(io, name), &a))
    want = PART("samples"), grad = PART("grad"), out = PART("out"), times = PART("timesteps");
    for (size_t i = 0; i < STEPS; i++) {
        size_t at = STEPS - 1 - i;
        int t = (int)times[at], prev = at ? (int)times[at - 1] : -1;
        const struct sched_taken taken = {i ? (int)times[at + 1] : -1, t, prev, ddim, 0};

        for (size_t b = 0; b < N; b++) {
            struct clip_guide guide = {c, k, texts + b * embed, 3};
            const float *model = out + (i * N + b) * 2 * one, *z = noise + (i * N + b) * one;

            memcpy(got + b * one, x + b * one, one * sizeof *got);
            if (clip_guide_gradient(&guide, 1, got + b * one, t, g + b * one, a, &e) < 0)
                ok(0, "%s", e.msg);
            if (ddim)
                sched_ddim(s, t, prev, got + b * one, model, 0, true, z, NULL, NULL, one);
            else
                sched_step(s, t, prev, got + b * one, model, model + one, z, NULL, NULL, one);
            sched_pull(s, &taken, got + b * one, model + one, g + b * one, NULL, one);
        }
        snprintf(what, sizeof what, "%s %s, step %zu: gradient", k->kern->name, run, i);
        close_to(g, grad + i * N * one, N * one, 0, 4e-6, what);
        snprintf(what, sizeof what, "%s %s, step %zu: state", k->kern->name, run, i);
        close_to(got, want + i * N * one, N * one, 0, ddim ? 2e-5 : 4e-6, what);    /* 6.5e-6 was seen: DDIM in f32 loses digits where A is near 1 */
        x = want + i * N * one;
    }
}

/* Known elements stay, and an unknown timestep is refused. */
static void limits(struct noised_clip *c, const struct compute *k, const struct sched *s, const float *text, struct arena a) {
    const float mask[3] = {0, 1, 0}, zero[3] = {0}, g[3] = {1, 1, 1}, v[3] = {0};
    const struct sched_known known = {zero, mask};
    size_t one = 3 * noised_clip_side(c) * noised_clip_side(c);
    float *x = golden_room(&a, one, sizeof *x), y[3] = {2, 2, 2};
    struct clip_guide guide = {c, k, text, 3};
    struct err e = {0};

    memset(x, 0, one * sizeof *x);
    sched_pull(s, &(struct sched_taken){-1, 999, 500, false, 0}, y, v, g, &known, 3);
    ok(y[0] > 2 && y[1] == 2 && y[2] == y[0], "a known element is not pulled");
    ok(clip_guide_gradient(&guide, 1, x, 1000, x, a, &e) < 0 && !strcmp(e.msg, "timestep 1000: the noised CLIP knows 1000"),
       "a timestep that the table does not have");
    err_clear(&e);
    a.end = a.at + 4096;
    ok(clip_guide_gradient(&guide, 1, x, 1, x, a, &e) < 0 && !strcmp(e.msg, "out of memory"), "no room");
}

int main(void) {
    const struct sched_config config = {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_LEARNED_RANGE, true, 1, true};
    const struct kern *k;
    struct weights image, text, io;
    struct sched s;
    struct err e = {0};
    TAP_ARENA(a, 64);

    image = golden_open(GOLD "clip_image_enc.safetensors", &a);
    text = golden_open(GOLD "clip_text_enc.safetensors", &a);
    io = golden_open(GOLD "guided.safetensors", &a);
    if (sched_init(&s, &config, &a, &e) < 0)
        return 1;
    for (size_t i = 0; (k = kern_list(i, cpu_flags())); i++) {
        struct compute c = {k, NULL};
        struct arena b = a;
        struct noised_clip *n = noised_clip_bind(&image, &text, HEAD, &c, &b, &e);
        float texts[N * MOST];
        const float *ids = tensor_all_f32(golden_tensor(&io, "clip_tokens"), &b), *len = tensor_all_f32(golden_tensor(&io, "clip_lens"), &b);
        int tokens[N][MOST];
        const int *at[N] = {tokens[0], tokens[1]};
        size_t lens[N];

        if (!n || k->precision == PREC_BF16) {
            ok(n != NULL, "%s %s", k->name, e.msg);
            continue;
        }
        for (size_t j = 0; j < N; j++) {
            lens[j] = (size_t)len[j];
            for (size_t q = 0; q < noised_clip_context(n); q++)
                tokens[j][q] = (int)ids[j * noised_clip_context(n) + q];
        }
        noised_clip_text(n, &c, N, at, lens, texts, golden_room(&b, noised_clip_text_scratch(n, N), 1));
        steps(&io, n, &c, &s, false, texts, b);
        steps(&io, n, &c, &s, true, texts, b);
        limits(n, &c, &s, texts, b);
    }
    free(a_mem.base);
    return done();
}
