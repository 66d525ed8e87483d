/* The towers against the reference's own numbers: tests/golden/clip, made by openai/CLIP's
 * model.py with random weights under torch 1.13 (f32, CPU).
 *
 * Tolerances are at most 4 times the largest difference seen with any kernel, relative to the
 * largest value of the tensor. */
#include "formats/checkpoint/weights.h"
#include "lib/base/cpu.h"
#include "lib/net/clip.h"

#include "tests/tap.h"

enum { TEXTS = 3, IMAGES = 2 };

/* One golden model: what its files hold. */
struct golden {
    const char *name;
    struct weights ws, io;
    struct clip_config config;
    const float *image, *image_features, *text_features, *logits, *probs, *ln_final;
    int token[TEXTS][16];
    size_t len[TEXTS];        /* up to the first of the largest id, that one included */
};

static const struct tensor *io(const struct golden *g, const char *name) {
    const struct weight *w = weights_find(&g->io, name);

    if (!w) {
        printf("Bail out! %s_io has no %s\n", g->name, name);
        exit(1);
    }
    return &w->t;
}

static struct weights read_file(const char *name, const char *suffix, struct arena *a) {
    char path[256];
    struct err e = {0};
    struct weights_file f;

    snprintf(path, sizeof path, "tests/golden/clip/%s%s", name, suffix);
    if (weights_load(&f, path, a, &e) < 0) {
        printf("Bail out! %s: %s\n", path, e.msg);
        exit(1);
    }
    return f.weights;
}

static void load(struct golden *g, const char *name, struct arena *a) {
    struct err e = {0};
    size_t n, context;
    float row[16];

    g->name = name;
    g->ws = read_file(name, ".safetensors", a);
    g->io = read_file(name, "_io.safetensors", a);
    if (clip_canonical_names(&g->ws, &g->config.family, &e) < 0 ||
        clip_config_from_weights(&g->config, &g->ws, &e) < 0) {
        printf("Bail out! %s: %s\n", name, e.msg);
        exit(1);
    }
    g->image = tensor_all_f32(io(g, "image"), a);
    g->image_features = tensor_all_f32(io(g, "image_features"), a);
    g->text_features = tensor_all_f32(io(g, "text_features"), a);
    g->logits = tensor_all_f32(io(g, "logits_per_image"), a);
    g->probs = tensor_all_f32(io(g, "probs_per_image"), a);
    g->ln_final = tensor_all_f32(io(g, "t.ln_final"), a);
    context = g->config.text.context;
    for (int i = 0; i < TEXTS; i++) {
        n = 0;
        tensor_f32(io(g, "tokens"), (size_t)i * context, (size_t)(i + 1) * context, row);
        for (size_t j = 0; j < context; j++) {
            g->token[i][j] = (int)row[j];
            n = row[j] > row[n] ? j : n;
        }
        g->len[i] = n + 1;
    }
}

/* What one kernel with some threads makes of it. */
struct made {
    float image[8 * 64], text[8 * 64], states[TEXTS * 16 * 128];
};

static void *need(void *p, const char *what, const struct err *e) {
    if (!p) {
        printf("Bail out! %s: %s\n", what, e->msg[0] ? e->msg : "no memory");
        exit(1);
    }
    return p;
}

static void images(const struct golden *g, const struct compute *c, struct arena a, size_t n,
                   const float *in, float *embed) {
    struct err e = {0};
    struct clip_vision *v = need(clip_bind_vision(&g->config, &g->ws, c, &a, &e), g->name, &e);
    void *s = need(arena_take(&a, clip_image_scratch(v, n), 1), "scratch", &e);

    memset(s, 0xff, clip_image_scratch(v, n));
    clip_image_run(v, c, n, in, embed, NULL, s);
}

/* A ViT's vector before the projection; a ResNet has none. */
static void features(const struct golden *g, const struct kern *k, struct arena a) {
    struct compute c = {k, NULL};
    struct err e = {0};
    struct clip_vision *v = need(clip_bind_vision(&g->config, &g->ws, &c, &a, &e), g->name, &e);
    size_t width = clip_image_features(v), embed = g->config.vision.embed;
    void *s = need(arena_take(&a, clip_image_scratch(v, IMAGES), 1), "scratch", &e);
    float *out = need(arena_take(&a, IMAGES * (width + embed), sizeof *out), "features", &e);

    if (g->config.vision.kind == VISION_RESNET) {
        ok(width == 0, "a ResNet's feature is its embedding");
        return;
    }
    ok(width == g->config.vision.width, "features are as wide as the tower");
    if (!weights_find(&g->io, "v.ln_post"))
        return;
    clip_image_run(v, &c, IMAGES, g->image, out + IMAGES * width, out, s);
    close_to(out, tensor_all_f32(io(g, "v.ln_post"), &a), IMAGES * width, 0, k->precision == PREC_BF16 ? 0.04 : 4e-6,
             "features before the projection");
    close_to(out + IMAGES * width, g->image_features, IMAGES * embed, 0, k->precision == PREC_BF16 ? 0.04 : 4e-6,
             "embeddings beside them");
}

/* Texts order[0 .. n); states may be NULL. */
static void texts(const struct golden *g, const struct compute *c, struct arena a, size_t n,
                  const int *order, float *embed, float *const states[]) {
    struct err e = {0};
    struct clip_text *t = need(clip_bind_text(&g->config, &g->ws, c, &a, &e), g->name, &e);
    const int *tokens[16];
    size_t len[16], longest = 0;
    void *s;

    for (size_t i = 0; i < n; i++) {
        tokens[i] = g->token[order[i]];
        len[i] = g->len[order[i]];
        longest = len[i] > longest ? len[i] : longest;
    }
    s = need(arena_take(&a, clip_text_scratch(t, n, longest), 1), "scratch", &e);
    memset(s, 0xff, clip_text_scratch(t, n, longest));
    clip_text_run(t, c, n, tokens, len, embed, states, s);
}

/* Relative to the largest value, by precision.  Seen: f32 1.4e-6 (embeddings), 1.1e-6 (states),
 * 4.7e-6 absolute (probabilities); bf16 0.018, but for the pictures of rn: the scores of its
 * attention pool are so large that the softmax is a hard choice, and 0.9 % in the last
 * stage's result become 27 % of the embedding. */
static double tolerance(const struct kern *k, double f32) {
    return k->precision == PREC_BF16 ? 0.04 : f32;
}

static double image_tolerance(const struct golden *g, const struct kern *k, double f32) {
    bool hard = k->precision == PREC_BF16 && g->config.vision.kind == VISION_RESNET;

    return hard ? 0.5 : tolerance(k, f32);
}

static void states_match(const struct golden *g, const struct kern *k, const float *states) {
    size_t d = g->config.text.width, context = g->config.text.context;
    static float got[TEXTS * 16 * 128], want[TEXTS * 16 * 128];
    size_t n = 0;

    for (size_t i = 0; i < TEXTS; i++) {
        memcpy(got + n, states + i * context * d, g->len[i] * d * sizeof *got);
        memcpy(want + n, g->ln_final + i * context * d, g->len[i] * d * sizeof *want);
        n += g->len[i] * d;
    }
    close_to(got, want, n, 0, tolerance(k, 2e-6), "text states");
}

/* scale * cos(image, text), and its softmax over the texts */
static void logits(const struct golden *g, const struct made *m, float *l, float *p) {
    size_t d = g->config.text.embed;

    for (size_t i = 0; i < IMAGES; i++) {
        double sum = 0, top = -1e9;
        for (size_t j = 0; j < TEXTS; j++) {
            const float *a = m->image + i * d, *b = m->text + j * d;
            double ab = 0, aa = 0, bb = 0;
            for (size_t x = 0; x < d; x++)
                ab += (double)a[x] * (double)b[x], aa += (double)a[x] * (double)a[x],
                    bb += (double)b[x] * (double)b[x];
            ab = (double)g->config.scale * ab / sqrt(aa * bb);
            l[i * TEXTS + j] = (float)ab;
            top = fmax(top, ab);
        }
        for (size_t j = 0; j < TEXTS; j++)
            sum += exp((double)l[i * TEXTS + j] - top);
        for (size_t j = 0; j < TEXTS; j++)
            p[i * TEXTS + j] = (float)(exp((double)l[i * TEXTS + j] - top) / sum);
    }
}

static void parity(const struct golden *g, const struct kern *k, struct arena a) {
    static const int order[] = {0, 1, 2};
    struct compute c = {k, NULL};
    size_t embed = g->config.text.embed, d = g->config.text.width, context = g->config.text.context;
    struct made m;
    float *states[TEXTS], l[IMAGES * TEXTS], p[IMAGES * TEXTS];

    printf("# %s, kernel %s, %s\n", g->name, k->name, precision_name(k->precision));
    for (size_t i = 0; i < TEXTS; i++)
        states[i] = m.states + i * context * d;
    images(g, &c, a, IMAGES, g->image, m.image);
    texts(g, &c, a, TEXTS, order, m.text, states);
    close_to(m.image, g->image_features, IMAGES * embed, 0, image_tolerance(g, k, 4e-6),
             "image embeddings");
    close_to(m.text, g->text_features, TEXTS * embed, 0, tolerance(k, 4e-6), "text embeddings");
    states_match(g, k, m.states);
    features(g, k, a);
    logits(g, &m, l, p);
    close_to(l, g->logits, IMAGES * TEXTS, 0, image_tolerance(g, k, 4e-6), "logits");
    close_to(p, g->probs, IMAGES * TEXTS, tolerance(k, 1e-5), 0, "probabilities");
}

/* y = x - the mean of the two vectors of x, [2, n]: what tells two pictures apart */
static void centred(const float *x, size_t n, float *y) {
    for (size_t i = 0; i < n; i++) {
        float mean = (x[i] + x[n + i]) / 2;
        y[i] = x[i] - mean;
        y[n + i] = x[n + i] - mean;
    }
}

static double cosine(const float *a, const float *b, size_t n) {
    double ab = 0, aa = 0, bb = 0;

    for (size_t i = 0; i < n; i++)
        ab += (double)a[i] * (double)b[i], aa += (double)a[i] * (double)a[i],
            bb += (double)b[i] * (double)b[i];
    return ab / sqrt(aa * bb);
}

/* Random towers give nearly one vector for every picture; the difference must be right too. */
static void mirrored(const struct golden *g, const struct compute *c, struct arena a) {
    size_t s = g->config.vision.image, n = 2 * g->config.vision.embed, lines = IMAGES * 3 * s;
    float *flip = need(arena_take(&a, lines * s, sizeof *flip), "pictures", NULL);
    float got[128], want[128], other[128];
    double same, not;

    for (size_t i = 0; i < lines; i++)
        for (size_t x = 0; x < s; x++)
            flip[i * s + x] = g->image[i * s + s - 1 - x];
    images(g, c, a, IMAGES, g->image, got);
    images(g, c, a, IMAGES, flip, other);
    centred(got, n / 2, got);
    centred(other, n / 2, other);
    centred(g->image_features, n / 2, want);
    same = cosine(got, want, n);
    not = cosine(other, want, n);
    ok(same > 1 - 1e-10, "%s: the difference of the pictures is right", g->name);
    ok(not < 0.99, "%s: that of the mirrored pictures is not", g->name);
    printf("# cosine of the centred embeddings: 1 - %.2g; mirrored %.4f\n", 1 - same, not);
}

/* The same bytes for any batch and any number of threads. */
static void invariance(const struct golden *g, const struct kern *k, struct arena a) {
    static const int order[] = {0, 1, 2, 1, 0, 2, 2, 1}, threads[] = {1, 2, 4};
    size_t embed = g->config.text.embed, size = 3 * g->config.vision.image * g->config.vision.image;
    struct compute one = {k, NULL};
    struct err e = {0};
    float *in = need(arena_take(&a, 8 * size, sizeof *in), "pictures", &e);
    float single[8 * 64], out[8 * 64];
    int bad_image = 0, bad_text = 0;

    for (size_t i = 0; i < 8; i++) {
        for (size_t j = 0; j < size; j++)
            in[i * size + j] = g->image[i % 2 * size + j] * (1 - 0.1f * (float)(i / 2));
        images(g, &one, a, 1, in + i * size, single + i * embed);
    }
    for (size_t t = 0; t < 3; t++) {
        struct compute c = {k, need(pool_start(&a, threads[t], &e), "pool", &e)};
        for (size_t n = 1; n <= 8; n += n == 1 ? 2 : 5) {
            images(g, &c, a, n, in, out);
            bad_image += !!memcmp(out, single, n * embed * sizeof *out);
        }
        pool_stop(c.pool);
    }
    ok(!bad_image, "%s, kernel %s: images in batches of 1, 3, 8 with 1, 2, 4 threads", g->name, k->name);
    for (size_t i = 0; i < 8; i++)
        texts(g, &one, a, 1, order + i, single + i * embed, NULL);
    for (size_t t = 0; t < 3; t++) {
        struct compute c = {k, need(pool_start(&a, threads[t], &e), "pool", &e)};
        float *states[8] = {0};
        for (size_t n = 1; n <= 8; n += n == 1 ? 2 : 5) {
            texts(g, &c, a, n, order, out, NULL);
            bad_text += !!memcmp(out, single, n * embed * sizeof *out);
            texts(g, &c, a, n, order, out, states);    /* the long way: all rows of all layers */
            bad_text += !!memcmp(out, single, n * embed * sizeof *out);
        }
        pool_stop(c.pool);
    }
    ok(!bad_text, "%s, kernel %s: texts likewise, with and without states", g->name, k->name);
}

/* Transformers pads texts with the id of their end: its first place counts, and what follows is
 * not seen. */
static void padded(const struct golden *g, const struct compute *c, struct arena a) {
    static const int order[] = {0, 1, 2};
    struct golden pad = *g;
    size_t context = g->config.text.context, embed = g->config.text.embed;
    float want[TEXTS * 64], got[TEXTS * 64], states[TEXTS * 16 * 128];
    float *at[TEXTS];
    int same;

    for (size_t i = 0; i < TEXTS; i++) {
        at[i] = states + i * context * g->config.text.width;
        for (size_t j = g->len[i]; j < context; j++)
            pad.token[i][j] = g->token[i][g->len[i] - 1];
        pad.len[i] = context;
    }
    texts(g, c, a, TEXTS, order, want, NULL);
    texts(&pad, c, a, TEXTS, order, got, NULL);
    same = !memcmp(got, want, TEXTS * embed * sizeof *got);
    texts(&pad, c, a, TEXTS, order, got, at);
    ok(same && !memcmp(got, want, TEXTS * embed * sizeof *got), "%s: texts padded with their end", g->name);
}

/* Scratch for the longest texts serves shorter ones, of which a pass takes more. */
static void scratch_grows(const struct golden *g, struct arena a) {
    struct compute c = {&kern_c, NULL};
    struct err e = {0};
    struct clip_text *t = need(clip_bind_text(&g->config, &g->ws, &c, &a, &e), g->name, &e);
    int bad = 0;

    for (size_t n = 1; n < 3000; n = n < 8 ? n + 1 : n * 5 / 4)
        for (size_t len = 1; len <= g->config.text.context; len++)
            bad += clip_text_scratch(t, n, len) < clip_text_scratch(t, n, len - 1) ||
                   clip_text_scratch(t, n, len) < clip_text_scratch(t, n - 1, len);
    ok(!bad, "scratch grows with the texts and with their length");
}

static int refuses(const struct golden *g, const struct weights *ws, struct arena a, bool vision,
                   const char *want) {
    struct compute c = {&kern_c, NULL};
    struct err e = {0};
    void *p = vision ? (void *)clip_bind_vision(&g->config, ws, &c, &a, &e)
                     : (void *)clip_bind_text(&g->config, ws, &c, &a, &e);

    if (p || strcmp(e.msg, want))
        printf("# said \"%s\", expected \"%s\"\n", e.msg, want);
    return !p && !strcmp(e.msg, want);
}

/* A checkpoint that does not fit is refused by the name of the tensor. */
static void refusals(const struct golden *g, struct arena a) {
    struct weights ws = {.w = need(arena_take(&a, g->ws.n + 1, sizeof *ws.w), "table", NULL), .n = g->ws.n};
    struct weight *w;
    struct tensor keep;
    struct golden odd = *g;
    static float nan16[16 * 64];

#define FRESH (memcpy(ws.w, g->ws.w, g->ws.n * sizeof *ws.w), ws.n = g->ws.n)
#define AT(name) (w = weights_find(&ws, name))
    FRESH;
    ws.w[ws.n++] = (struct weight){.name = "zebra", .t = ws.w[0].t};
    ok(refuses(g, &ws, a, true, "tensor zebra is not part of the image tower that its config describes") &&
       refuses(g, &ws, a, false, "tensor zebra is not part of the text tower that its config describes"),
       "a tensor that nothing uses");
    FRESH;
    AT("visual.ln_post.bias")->name = "visual.ln_post.bias2";
    ok(refuses(g, &ws, a, true, "tensor visual.ln_post.bias is missing, expected [64]"), "a missing tensor");
    FRESH;
    keep = AT("visual.proj")->t;
    w->t.shape[1] = 15;
    ok(refuses(g, &ws, a, true, "tensor visual.proj is [64, 15], expected [64, 16]"), "a wrong shape");
    FRESH;
    memset(nan16, 0, sizeof nan16);
    nan16[777] = (float)NAN;
    AT("visual.proj")->t = (struct tensor){DT_F32, 2, {64, 16}, {16, 1}, nan16};
    ok(refuses(g, &ws, a, true, "tensor visual.proj holds a number that is not finite"), "NaN in a weight");
    w->t = keep;
    odd.config.vision.heads = 3;
    ok(refuses(&odd, &ws, a, true, "image tower: width 64 is not a multiple of 3 heads"), "odd heads");
    odd.config.has_text = false;
    ok(refuses(&odd, &ws, a, false, "the checkpoint has no text tower"), "no tower");
    FRESH;
    a.end = a.at + 4096;
    ok(refuses(g, &ws, a, false, "no memory for a matrix of 64 x 64"), "no room");
}

/* Less and less room: a message or a tower, nothing else (kernels that pack and that do not). */
static void little_room(const struct golden *g, const struct kern *k, struct arena a) {
    struct compute c = {k, NULL};
    size_t all = (size_t)(a.end - a.at), fits[2] = {0};
    int bad = 0;

    for (size_t room = 256; room < all && room < (size_t)16 << 20; room += room / 24)
        for (int vision = 0; vision < 2; vision++) {
            struct arena b = a;
            struct err e = {0};
            void *p;
            b.end = b.at + room;
            p = vision ? (void *)clip_bind_vision(&g->config, &g->ws, &c, &b, &e)
                       : (void *)clip_bind_text(&g->config, &g->ws, &c, &b, &e);
            bad += !p == !e.msg[0] || (fits[vision] && !p);
            if (p && !fits[vision])
                fits[vision] = room;
        }
    ok(!bad && fits[0] && fits[1], "%s, kernel %s: too little room is refused", g->name, k->name);
}

/* Pooled at the first eos_token_id, which is not the largest id here, or, where a config has the 2 of old files,
 * at the largest.  The vectors are transformers 5.24's CLIPModel's, with eos_token_id 9 and 2 in its config. */
static void end_token(const struct compute *c, struct arena a) {
    static const int ids[] = {62, 5, 63, 7, 9, 3}, *const tokens = ids;
    static const float want[2][16] = {
        {4.038556f, 0.60831f, 4.761862f, -3.109851f, -6.61383f, 2.282015f, -0.5942293f, 4.421444f, -4.146924f, 3.457676f,
         -0.5763741f, 2.942817f, 1.781022f, 0.06912933f, -2.306518f, 0.4341888f},
        {-0.4666769f, -1.059235f, 1.891799f, 1.807595f, 0.8433719f, -1.18675f, -2.679503f, -4.116633f, 1.019875f,
         0.9358929f, 3.782169f, 1.643337f, 4.277171f, -0.8527844f, -4.543311f, 2.234752f}};
    const size_t len = 6;
    struct clip_config g = {.family = NULL};
    struct weights ws;
    struct err e = {0};

    if (!ok(weights_open(&ws, "tests/golden/clip/micro_hf.safetensors", &a, &e) == 0 &&
            clip_canonical_names(&ws, &g.family, &e) == 0 && clip_config_from_weights(&g, &ws, &e) == 0, "micro_hf %s", e.msg))
        return;
    for (int i = 0; i < 2; i++) {
        float got[2][16], states[6 * 64], *at = states;
        struct clip_text *t;

        g.text.eos = i ? CLIP_LARGEST : 9;
        t = need(clip_bind_text(&g, &ws, c, &a, &e), "text tower", &e);
        for (int k = 0; k < 2; k++)
            clip_text_run(t, c, 1, &tokens, &len, got[k], k ? &at : NULL, need(arena_take(&a, clip_text_scratch(t, 1, len), 1), "scratch", NULL));
        close_to(got[0], want[i], 16, 2e-6, 2e-6, i ? "pooled at the largest id" : "pooled at eos_token_id");
        ok(!memcmp(got[0], got[1], sizeof got[0]), "with states, too");
    }
}

int main(void) {
    static const char *const names[] = {"vit", "rn", "micro"};
    static struct golden g[3];
    unsigned cpu = cpu_flags();
    TAP_ARENA(a, 192);

    for (int i = 0; i < 3; i++) {
        load(&g[i], names[i], &a);
        for (size_t j = 0; kern_list(j, cpu); j++) {
            parity(&g[i], kern_list(j, cpu), a);
            invariance(&g[i], kern_list(j, cpu), a);
            little_room(&g[i], kern_list(j, cpu), a);
        }
        mirrored(&g[i], &(struct compute){&kern_c, NULL}, a);
        padded(&g[i], &(struct compute){&kern_c, NULL}, a);
    }
    end_token(&(struct compute){&kern_c, NULL}, a);
    scratch_grows(&g[2], a);
    refusals(&g[2], a);
    free(a_mem.base);
    return done();
}
