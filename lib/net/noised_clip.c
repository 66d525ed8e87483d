#include "lib/net/noised_clip.h"

#include <limits.h>
#include <math.h>
#include <string.h>

#include "lib/net/clip_bind.h"
#include "lib/net/vit_back.h"

struct noised_clip {
    struct clip_config image, text;
    const float *times;          /* [steps, D]: row t is token 0 at timestep t */
    size_t steps;
    struct vit vit;
    struct vit_turned turned;
    struct clip_text *words;
};

/* The tensor names after plain_names, which puts .weight for the files' .w and .g, and .bias for .b. */
static const struct clip_family NAMES = {
    .name = "GLIDE's",
    .layer = {.ln1 = "f_attn.ln", .q = "f_attn.f_q", .k = "f_attn.f_k", .v = "f_attn.f_v", .out = "f_attn.f_c",
              .ln2 = "f_mlp.ln", .fc = "f_mlp.f_1", .proj = "f_mlp.f_2"},
    .text = {.token = "blocks.input.w_voc", .position = "blocks.input.w_pos", .layers = "blocks.block_",
             .ln_final = "blocks.output.ln", .projection = "blocks.output.f.weight"},
    .vision = {.class_token = "blocks.input.w_0", .patch = "blocks.input.patch_proj", .position = "blocks.input.w_pos",
               .ln_pre = "blocks.input.ln", .layers = "blocks.block_", .ln_post = "blocks.output.ln",
               .projection = "blocks.output.f.weight"},
};
static const char TIMES[] = "blocks.input.w_t", VOCABULARY[] = "blocks.input.w_voc", KEY[] = ".f_attn.f_k.weight";
static const float pixel_mean[3] = {122.77093945f, 116.74601272f, 104.09373519f};
static const float pixel_std[3] = {68.50053285f, 66.63215831f, 70.32316309f};

bool noised_clip_is_image(const struct weights *ws) {
    return weights_find(ws, TIMES) && weights_find(ws, "blocks.input.patch_proj");
}

bool noised_clip_is_text(const struct weights *ws) {
    return weights_find(ws, VOCABULARY) && weights_find(ws, "blocks.input.w_pos");
}

static bool ends(const char *s, const char *end) {
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

/* Returns `name` with the ending that transformer_bind and bind_gain expect, or NULL when memory runs out. */
static const char *plain_name(const char *name, struct arena *keep) {
    const char *more = ends(name, ".w") || ends(name, ".g") ? ".weight" : ends(name, ".b") ? ".bias" : NULL;
    size_t n = strlen(name);
    char *to;

    if (!more)
        return name;
    if (!(to = arena_take(keep, n - 2 + strlen(more) + 1, 1)))
        return NULL;
    memcpy(to, name, n - 2);
    memcpy(to + n - 2, more, strlen(more) + 1);
    return to;
}

/* Fills *out with the tensors of ws under their plain names.  Adds a bias of zeros for each matrix of keys, and row 0
 * of the table of timesteps as the class token. */
static int plain_names(struct weights *out, const struct weights *ws, struct arena *keep, struct err *e) {
    struct weight *to = arena_take(keep, 2 * ws->n + 1, sizeof *to);
    size_t n = 0;

    if (!to)
        return err_set(e, "out of memory for weights");
    for (size_t i = 0; i < ws->n; i++) {
        struct weight w = ws->w[i];
        size_t rows = w.t.nd > 0 ? w.t.shape[0] : 0;

        if (!(w.name = plain_name(w.name, keep)))
            return err_set(e, "out of memory for weights");
        to[n++] = w;
        if (ends(w.name, KEY) && rows) {
            struct weight bias = {.t = {.dtype = DT_F32, .nd = 1, .shape = {rows}, .stride = {1}}};
            size_t stem = strlen(w.name) - strlen("weight");
            char *name = arena_take(keep, stem + sizeof "bias", 1);

            bias.t.data = arena_zero(keep, rows, sizeof(float));
            if (!name || !bias.t.data)
                return err_set(e, "out of memory for weights");
            memcpy(name, w.name, stem);
            memcpy(name + stem, "bias", sizeof "bias");
            bias.name = name;
            to[n++] = bias;
        }
        if (!strcmp(w.name, TIMES) && w.t.nd == 2 && rows) {
            struct weight first = {.name = NAMES.vision.class_token, .t = tensor_rows(&w.t, 0, 1)};

            first.t.nd = 1;
            first.t.shape[0] = w.t.shape[1];
            first.t.stride[0] = w.t.stride[1];
            to[n++] = first;
        }
    }
    *out = (struct weights){.w = to, .n = n};
    return weights_sort(out, e);
}

/* Refuses weights without the tensor `name` and weights in which this tensor does not have nd dimensions. */
static int need(const struct weights *ws, const char *name, int nd, struct err *e) {
    const struct weight *w = weights_find(ws, name);

    if (w && w->t.nd == nd)
        return 0;
    return err_set(e, w ? "tensor %s has %d dimensions, expected %d" : "tensor %s is missing", name, w ? w->t.nd : 0, nd);
}

static size_t heads_of(size_t width, size_t head) {
    return width / (head ? head : size_max(size_min(width, 64), 1));
}

/* Fills the config from the shapes of the tensors, which have plain names. */
static int config_of(struct clip_config *c, const struct weights *ws, size_t head, struct err *e) {
    *c = (struct clip_config){.family = &NAMES};
    if (clip_config_from_weights(c, ws, e) < 0)
        return -1;
    c->act_known = true;
    c->text.act = c->vision.act = ACT_GELU;
    c->text.heads = heads_of(c->text.width, head);
    c->vision.heads = heads_of(c->vision.width, head);
    c->text.eos = INT_MAX;    /* no token has this id, so a text is pooled at its last token */
    return 0;
}

/* Binds the image tower and its transposed matrices. */
static int bind_image(struct noised_clip *c, const struct weights *ws, const struct compute *k, struct arena *keep,
                      struct err *e) {
    const struct weight *times = weights_find(ws, TIMES);
    struct bind b = {.ws = ws, .c = k, .keep = keep, .e = e};

    c->steps = times->t.shape[0];
    c->times = bind_table(&b, TIMES, c->steps, c->image.vision.width);
    vit_bind(&c->vit, &c->image.vision, &NAMES, &b);
    bind_refuse_unused(&b, "image encoder");
    return b.bad ? -1 : vit_turn(&c->turned, &c->vit, k, keep, e);
}

struct noised_clip *noised_clip_bind(const struct weights *image, const struct weights *text, size_t head, const struct compute *k,
                                     struct arena *keep, struct err *e) {
    struct noised_clip *c = arena_take(keep, 1, sizeof *c);
    struct weights plain_image, plain_text;

    if (!c) {
        err_set(e, "out of memory for weights");
        return NULL;
    }
    if (plain_names(&plain_image, image, keep, e) < 0 || need(&plain_image, TIMES, 2, e) < 0 ||
        need(&plain_image, NAMES.vision.patch, 4, e) < 0 || config_of(&c->image, &plain_image, head, e) < 0 ||
        clip_check_vision(&c->image, e) < 0)
        return NULL;
    if (plain_names(&plain_text, text, keep, e) < 0 || need(&plain_text, VOCABULARY, 2, e) < 0 ||
        config_of(&c->text, &plain_text, head, e) < 0 || clip_check_text(&c->text, e) < 0)
        return NULL;
    if (c->image.vision.embed != c->text.text.embed) {
        err_set(e, "the image encoder makes %zu numbers, and the text encoder %zu", c->image.vision.embed, c->text.text.embed);
        return NULL;
    }
    if (bind_image(c, &plain_image, k, keep, e) < 0 || !(c->words = clip_bind_text(&c->text, &plain_text, k, keep, e)))
        return NULL;
    return c;
}

size_t noised_clip_side(const struct noised_clip *c) {
    return c->vit.image;
}

size_t noised_clip_embed(const struct noised_clip *c) {
    return c->vit.embed;
}

size_t noised_clip_steps(const struct noised_clip *c) {
    return c->steps;
}

size_t noised_clip_vocab(const struct noised_clip *c) {
    return c->text.text.vocab;
}

size_t noised_clip_context(const struct noised_clip *c) {
    return c->text.text.context;
}

size_t noised_clip_text_scratch(const struct noised_clip *c, size_t n) {
    return clip_text_scratch(c->words, n, c->text.text.context);
}

void noised_clip_text(const struct noised_clip *c, const struct compute *k, size_t n, const int *const tokens[],
                      const size_t len[], float *embed, void *scratch) {
    clip_text_run(c->words, k, n, tokens, len, embed, NULL, scratch);
}

/* Scratch of one pass of n pictures. */
struct work {
    float *pixels, *de;      /* [n, 3, S, S], [n, E] */
    struct vit_keep kept;
    void *rest;
};

static struct work plan(const struct noised_clip *c, const struct compute *k, size_t n, struct scratch *s) {
    const struct vit *v = &c->vit;
    struct work w;

    w.pixels = scratch_cut(s, n * 3 * v->image * v->image, sizeof(float));
    w.de = scratch_cut(s, n * v->embed, sizeof(float));
    w.kept = vit_keep_cut(v, n, KEEP_ALL, s);
    w.rest = scratch_cut(s, size_max(vit_scratch(v, k, n), vit_back_scratch(v, &c->turned, k, n, KEEP_ALL)), 1);
    return w;
}

size_t noised_clip_scratch(const struct noised_clip *c, const struct compute *k, size_t n) {
    struct scratch s = {0};

    if (n)
        plan(c, k, vit_pass(&c->vit, n), &s);
    return s.used;
}

/* Returns cos, and writes the gradient of 100 cos by z into dz.  cos = t . z / ((|t| + eps) (|z| + eps)). */
static float cosine_back(size_t n, const float *t, const float *z, float *dz) {
    const double eps = 1e-12;
    double tt = 0, zz = 0, tz = 0, length, whole;

    for (size_t i = 0; i < n; i++) {
        tt += (double)t[i] * (double)t[i];
        zz += (double)z[i] * (double)z[i];
        tz += (double)t[i] * (double)z[i];
    }
    length = sqrt(zz);
    whole = (sqrt(tt) + eps) * (length + eps);
    for (size_t i = 0; i < n; i++) {
        double along = length > 0 ? tz * (double)z[i] / (length * (length + eps)) : 0;

        dz[i] = (float)(100 * ((double)t[i] - along) / whole);
    }
    return (float)(tz / whole);
}

void noised_clip_gradient(const struct noised_clip *c, const struct compute *k, size_t n, const float *x, size_t t,
                          const float *texts, float scale, float *gradient, float *embed, float *cosines, void *scratch) {
    struct vit v = c->vit;
    size_t step = vit_pass(&v, n), plane = v.image * v.image, e = v.embed;

    v.class_token = c->times + t * v.width;
    for (size_t i = 0, m; i < n; i += m) {
        struct scratch s = {scratch, 0};
        struct work w;
        size_t all, at = i * 3 * plane;

        m = size_min(step, n - i);
        all = m * 3 * plane;
        w = plan(c, k, m, &s);
        for (size_t j = 0; j < all; j++) {
            size_t ch = j / plane % 3;

            w.pixels[j] = ((x[at + j] + 1) * 127.5f - pixel_mean[ch]) / pixel_std[ch];
        }
        vit_run_keep(&v, k, m, w.pixels, embed + i * e, &w.kept, w.rest);
        for (size_t j = 0; j < m; j++)
            cosines[i + j] = cosine_back(e, texts + (i + j) * e, embed + (i + j) * e, w.de + j * e);
        vit_back(&v, &c->turned, k, m, &w.kept, w.de, gradient + at, w.rest);
        for (size_t j = 0; j < all; j++)
            gradient[at + j] *= scale * 127.5f / pixel_std[j / plane % 3];
    }
}
