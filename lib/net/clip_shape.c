/* What the shapes of a checkpoint's tensors tell about it. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/net/clip.h"

struct family {
    const char *token, *pos, *proj, *block;         /* text */
    const char *conv, *vpos, *vproj, *vblock;       /* ViT */
    const char *fc;
    int embed;                                      /* the axis of proj and vproj that has E */
};

static const struct family families[] = {
    [NAMES_OPENAI] = {"token_embedding.weight", "positional_embedding", "text_projection",
                      "transformer.resblocks", "visual.conv1.weight", "visual.positional_embedding",
                      "visual.proj", "visual.transformer.resblocks", "mlp.c_fc.weight", 1},
    [NAMES_HF] = {"text_model.embeddings.token_embedding.weight",
                  "text_model.embeddings.position_embedding.weight", "text_projection.weight",
                  "text_model.encoder.layers", "vision_model.embeddings.patch_embedding.weight",
                  "vision_model.embeddings.position_embedding.weight", "visual_projection.weight",
                  "vision_model.encoder.layers", "mlp.fc1.weight", 0},
};

/* The shape of a tensor that has to be there with nd axes, none of them empty. */
static int shape(const struct weights *ws, const char *name, int nd, const size_t **s, struct err *e) {
    const struct weight *w = weights_find(ws, name);

    if (!w)
        return err_set(e, "tensor %s is missing", name);
    if (w->t.nd != nd)
        return err_set(e, "tensor %s has %d axes, expected %d", name, w->t.nd, nd);
    for (int i = 0; i < nd; i++)
        if (w->t.shape[i] == 0)
            return err_set(e, "tensor %s is empty", name);
    *s = w->t.shape;
    return 0;
}

static const struct weight *numbered(const struct weights *ws, const char *block, size_t i,
                                     const char *name) {
    char full[160];

    snprintf(full, sizeof full, "%s.%zu.%s", block, i, name);
    return weights_find(ws, full);
}

/* Layers from 0 on until one is missing. */
static int layers(const struct weights *ws, const char *block, const char *fc, size_t *n, size_t *mlp,
                  struct err *e) {
    const struct weight *w = numbered(ws, block, 0, fc);

    if (!w || w->t.nd != 2)
        return err_set(e, "tensor %s.0.%s is missing", block, fc);
    *mlp = w->t.shape[0];
    for (*n = 1; numbered(ws, block, *n, fc); ++*n)
        ;
    return 0;
}

static size_t root(size_t n) {
    size_t r = (size_t)sqrt((double)n);

    while (r * r > n)
        r--;
    while ((r + 1) * (r + 1) <= n)
        r++;
    return r;
}

/* A table of 1 + g * g positions: g, or -1. */
static int grid(const size_t *s, const char *name, size_t *g, struct err *e) {
    *g = root(s[0] - 1);
    if (*g == 0 || *g * *g + 1 != s[0])
        return err_set(e, "tensor %s has %zu rows, which is not 1 + a square", name, s[0]);
    return 0;
}

static int text_shape(struct clip_text_config *t, const struct weights *ws, const struct family *f,
                      struct err *e) {
    const size_t *token = NULL, *pos = NULL, *proj = NULL;

    if (shape(ws, f->token, 2, &token, e) < 0 || shape(ws, f->pos, 2, &pos, e) < 0 ||
        shape(ws, f->proj, 2, &proj, e) < 0 ||
        layers(ws, f->block, f->fc, &t->layers, &t->mlp, e) < 0)
        return -1;
    t->vocab = token[0];
    t->width = token[1];
    t->context = pos[0];
    t->embed = proj[f->embed];
    t->heads = t->width % 64 ? 0 : t->width / 64;
    t->act = ACT_QUICK_GELU;
    t->eps = 1e-5f;
    return 0;
}

static int vit_shape(struct clip_vision_config *v, const struct weights *ws, const struct family *f,
                     struct err *e) {
    const size_t *conv = NULL, *pos = NULL, *proj = NULL;
    size_t g;

    if (shape(ws, f->conv, 4, &conv, e) < 0 || shape(ws, f->vpos, 2, &pos, e) < 0 ||
        shape(ws, f->vproj, 2, &proj, e) < 0 || grid(pos, f->vpos, &g, e) < 0 ||
        layers(ws, f->vblock, f->fc, &v->layers, &v->mlp, e) < 0)
        return -1;
    v->kind = VISION_VIT;
    v->width = conv[0];
    v->patch = conv[3];
    if (__builtin_mul_overflow(g, v->patch, &v->image))
        return err_set(e, "tensor %s is too large", f->conv);
    v->embed = proj[f->embed];
    /* H/14, g/14 and bigG/14 have 16 heads; all others heads of 64 */
    v->heads = v->width == 1280 || v->width == 1408 || v->width == 1664 ? 16
               : v->width % 64 ? 0 : v->width / 64;
    return 0;
}

static int resnet_shape(struct clip_vision_config *v, const struct weights *ws, struct err *e) {
    static const char pool[] = "visual.attnpool.positional_embedding";
    const size_t *conv = NULL, *pos = NULL, *proj = NULL;
    char stage[] = "visual.layer0";
    size_t side;

    if (shape(ws, "visual.layer1.0.conv1.weight", 4, &conv, e) < 0 ||
        shape(ws, pool, 2, &pos, e) < 0 ||
        shape(ws, "visual.attnpool.c_proj.weight", 2, &proj, e) < 0 || grid(pos, pool, &side, e) < 0)
        return -1;
    v->kind = VISION_RESNET;
    v->width = conv[0];
    v->image = side * 32;
    v->embed = proj[0];
    v->heads = v->width / 2;
    if (v->width % 2)
        return err_set(e, "tensor visual.layer1.0.conv1.weight: odd width %zu", v->width);
    for (size_t i = 0; i < 4; i++) {
        stage[sizeof stage - 2] = (char)('1' + i);
        for (v->blocks[i] = 0; numbered(ws, stage, v->blocks[i], "conv1.weight"); v->blocks[i]++)
            ;
        if (v->blocks[i] == 0)
            return err_set(e, "tensor %s.0.conv1.weight is missing", stage);
    }
    return 0;
}

static int read_scale(struct clip_config *c, const struct weights *ws, struct err *e) {
    const struct weight *w = weights_find(ws, "logit_scale");
    size_t n;
    float s;

    if (!w)
        return 0;
    if (tensor_count(&w->t, &n) < 0 || n != 1)
        return err_set(e, "tensor logit_scale is no single number");
    tensor_f32(&w->t, 0, 1, &s);
    c->scale = expf(s);
    if (!isfinite(c->scale) || !(c->scale > 0))
        return err_set(e, "tensor logit_scale is %g", (double)s);
    c->has_scale = true;
    return 0;
}

int clip_config_from_weights(struct clip_config *c, const struct weights *ws, struct err *e) {
    const struct family *f = &families[c->names];
    bool openai = c->names == NAMES_OPENAI;

    *c = (struct clip_config){.names = c->names};
    c->has_text = weights_find(ws, f->token) != NULL;
    c->has_vision = weights_find(ws, f->conv) != NULL;
    if (!c->has_text && !c->has_vision)
        return err_set(e, "tensors %s and %s are missing", f->token, f->conv);
    if (c->has_text && text_shape(&c->text, ws, f, e) < 0)
        return -1;
    if (c->has_vision) {
        bool resnet = openai && weights_find(ws, "visual.layer1.0.conv1.weight");

        c->vision.act = ACT_QUICK_GELU;
        c->vision.eps = 1e-5f;
        if ((resnet ? resnet_shape(&c->vision, ws, e) : vit_shape(&c->vision, ws, f, e)) < 0)
            return -1;
    }
    if (c->has_text && c->has_vision && c->text.embed != c->vision.embed)
        return err_set(e, "texts are embedded in %zu dimensions, images in %zu", c->text.embed,
                       c->vision.embed);
    return read_scale(c, ws, e);
}
