/* threads */
/* GLIDE's noised CLIP and its gradient against openai/glide-text2im (tests/golden/glide, PyTorch 2.13, f32). */
#include "lib/net/noised_clip.h"

#include "lib/base/pool.h"
#include "lib/kernel/kern.h"
#include "tests/golden_file.h"
#include "tests/kernels.h"
#include "tests/tap.h"

enum { N = 2, HEAD = 16, MOST = 64 };

#define GOLD "tests/golden/glide/"

static struct weights image, text, io;

static void *need(void *p, const char *what) {
    if (!p) {
        printf("Bail out! %s\n", what);
        exit(1);
    }
    return p;
}

static struct noised_clip *bind(const struct compute *k, struct arena *a) {
    struct err e = {0};

    return need(noised_clip_bind(&image, &text, HEAD, k, a, &e), e.msg);
}

static const float *get(const char *name, struct arena *a) {
    return tensor_all_f32(golden_tensor(&io, name), a);
}

static void embed_texts(const struct noised_clip *c, const struct compute *k, float *z, struct arena a) {
    const float *from = get("tokens", &a), *len = get("lens", &a);
    size_t context = noised_clip_context(c), n[N];
    int ids[N * MOST];
    const int *tokens[N];

    for (size_t i = 0; i < N * context; i++)
        ids[i] = (int)from[i];
    for (size_t i = 0; i < N; i++)
        tokens[i] = ids + i * context, n[i] = (size_t)len[i];
    noised_clip_text(c, k, N, tokens, n, z, need(arena_take(&a, noised_clip_text_scratch(c, N), 1), "scratch"));
}

static void run(const struct noised_clip *c, const struct compute *k, size_t n, const float *x, size_t t, const float *texts,
                float *gradient, float *z, float *cosines, struct arena a) {
    size_t size = noised_clip_scratch(c, k, n);
    void *scratch = need(arena_take(&a, size, 1), "scratch");

    memset(scratch, 0xff, size);
    noised_clip_gradient(c, k, n, x, t, texts, 3, gradient, z, cosines, scratch);
}

static void compare(const struct kern *kern, const float *got, const char *what, size_t n, double tolerance, struct arena a) {
    char claim[64];

    snprintf(claim, sizeof claim, "%s %s: %s", kern->name, precision_name(kern->precision), what);
    close_to(got, get(what, &a), n, 0, kern->precision == PREC_BF16 ? 0.03 : tolerance, claim);
}

static void parity(const struct kern *kern, struct arena a) {
    struct compute k = {kern, NULL};
    struct noised_clip *c = bind(&k, &a);
    size_t embed = noised_clip_embed(c), size = 3 * noised_clip_side(c) * noised_clip_side(c);
    const float *x = get("x", &a), *t = get("t", &a);
    float texts[N * MOST], z[N * MOST], cosines[N], *g = need(arena_take(&a, N * size, sizeof *g), "room"), sum = 0;

    embed_texts(c, &k, texts, a);
    for (size_t i = 0; i < N; i++) {
        run(c, &k, 1, x + i * size, (size_t)t[i], texts + i * embed, g + i * size, z + i * embed, cosines + i, a);
        sum += 100 * cosines[i];
    }
    compare(kern, texts, "z_t", N * embed, 2e-6, a);
    compare(kern, z, "z_i", N * embed, 2e-6, a);
    compare(kern, &sum, "loss", 1, 2e-6, a);
    compare(kern, g, "grad", N * size, 4e-6, a);
}

/* The same bytes for any batch and any number of threads; another timestep has another gradient. */
static void invariance(const struct kern *kern, struct arena a) {
    enum { MANY = 5 };
    struct err e = {0};
    struct compute one = {kern, NULL}, three = {kern, need(pool_start(&a, 3, &e), e.msg)};
    struct noised_clip *c = bind(&one, &a), *d = bind(&three, &a);
    size_t embed = noised_clip_embed(c), size = 3 * noised_clip_side(c) * noised_clip_side(c);
    const float *x = get("x", &a);
    float texts[MANY * MOST], z[MANY * MOST], z2[MANY * MOST], cosines[MANY];
    float *in = need(arena_take(&a, MANY * size, sizeof *in), "room"), *g = need(arena_take(&a, MANY * size, sizeof *g), "room");
    float *g2 = need(arena_take(&a, MANY * size, sizeof *g2), "room");

    embed_texts(c, &one, texts, a);
    for (size_t i = 0; i < MANY; i++)
        memcpy(texts + i * embed, texts + i % N * embed, embed * sizeof *texts);
    for (size_t i = 0; i < MANY * size; i++)
        in[i] = x[i % (N * size)] * (1 - 0.1f * (float)(i / (N * size)));
    for (size_t i = 0; i < MANY; i++)
        run(c, &one, 1, in + i * size, 7, texts + i * embed, g + i * size, z + i * embed, cosines, a);
    run(d, &three, MANY, in, 7, texts, g2, z2, cosines, a);
    ok(!memcmp(g, g2, MANY * size * sizeof *g) && !memcmp(z, z2, MANY * embed * sizeof *z),
       "%s: the same bytes for any batch and any number of threads", kern->name);
    run(c, &one, 1, in, noised_clip_steps(c) - 1, texts, g2, z2, cosines, a);
    ok(memcmp(g, g2, size * sizeof *g) != 0, "%s: another timestep has another gradient", kern->name);
    pool_stop(three.pool);
}

static bool refuses(const struct weights *i, const struct weights *t, size_t head, const char *want, struct arena a) {
    struct compute k = {&kern_c, NULL};
    struct err e = {0};
    bool refused = !noised_clip_bind(i, t, head, &k, &a, &e);

    if (!refused || strcmp(e.msg, want))
        printf("# said \"%s\", expected \"%s\"\n", e.msg, want);
    return refused && !strcmp(e.msg, want);
}

static void refusals(struct arena a) {
    struct weights some = {.w = need(arena_take(&a, image.n + 1, sizeof *some.w), "room"), .n = image.n};

    ok(noised_clip_is_image(&image) && !noised_clip_is_image(&text) && noised_clip_is_text(&text) && !noised_clip_is_text(&image),
       "the encoders are told apart");
    ok(refuses(&text, &image, HEAD, "tensor blocks.input.w_t is missing", a), "files that were swapped");
    ok(refuses(&image, &text, 5, "image tower: width 32 is not a multiple of 6 heads", a), "heads that do not fit");
    for (size_t i = 0; i < image.n; i++) {
        struct compute k = {&kern_c, NULL};
        struct arena b = a;
        struct err e = {0};

        memcpy(some.w, image.w, image.n * sizeof *some.w);
        memmove(some.w + i, some.w + i + 1, (image.n - i - 1) * sizeof *some.w);
        some.n = image.n - 1;
        if (noised_clip_bind(&some, &text, HEAD, &k, &b, &e) || !strstr(e.msg, "tensor"))
            ok(0, "without %s: %s", image.w[i].name, e.msg);
    }
    memcpy(some.w, image.w, image.n * sizeof *some.w);
    some.w[image.n] = (struct weight){.name = "zebra", .t = image.w[0].t};
    some.n = image.n + 1;
    ok(refuses(&some, &text, HEAD, "tensor zebra is not part of the image encoder that its config describes", a),
       "a tensor that nothing uses, and each tensor that is missing");
}

static void little_room(struct arena a) {
    struct compute k = {&kern_c, NULL};
    int bad = 0, fits = 0;

    for (size_t room = 64; room < (size_t)4 << 20; room += room / 16) {
        struct arena b = a;
        struct err e = {0};
        void *p;

        b.end = b.at + room;
        p = noised_clip_bind(&image, &text, HEAD, &k, &b, &e);
        bad += !p == !e.msg[0] || (fits && !p);
        fits |= !!p;
    }
    ok(!bad && fits, "too little room is refused");
}

int main(void) {
    const struct kern *k;
    TAP_ARENA(a, 64);

    image = golden_open(GOLD "clip_image_enc.safetensors", &a);
    text = golden_open(GOLD "clip_text_enc.safetensors", &a);
    io = golden_open(GOLD "io_clip.safetensors", &a);
    for (size_t i = 0; (k = kern_tried(i)); i++) {
        parity(k, a);
        invariance(k, a);
    }
    refusals(a);
    little_room(a);
    free(a_mem.base);
    return done();
}
