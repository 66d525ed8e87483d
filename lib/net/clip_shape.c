/* Read a CLIP's config from the shapes of its tensors. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/size.h"
#include "lib/net/clip.h"

/* Sets *s to the shape of a tensor.  The tensor must exist and have nd axes, each of length 1 or more. */
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

/* Returns the tensor whose name is `prefix`, i, a dot, `name` and `end`, or NULL if ws has no such tensor. */
static const struct weight *numbered(const struct weights *ws, const char *prefix, size_t i, const char *name,
                                     const char *end) {
    char full[160];

    snprintf(full, sizeof full, "%s%zu.%s%s", prefix, i, name, end);
    return weights_find(ws, full);
}

/* Counts the layers, from 0 until one is missing, into *n.  *mlp receives the width of the MLP. */
static int layers(const struct weights *ws, const char *prefix, const char *fc, size_t *n, size_t *mlp,
                  struct err *e) {
    const struct weight *w = numbered(ws, prefix, 0, fc, ".weight");

    if (!w || w->t.nd != 2)
        return err_set(e, "tensor %s0.%s.weight is missing", prefix, fc);
    *mlp = w->t.shape[0];
    for (*n = 1; numbered(ws, prefix, *n, fc, ".weight"); ++*n)
        ;
    return 0;
}

/* Sets *g to the g of a table of 1 + g * g positions.  Returns -1 if the table's length has another form. */
static int grid(const size_t *s, const char *name, size_t *g, struct err *e) {
    *g = square_root(s[0] - 1);
    if (*g == 0 || *g * *g + 1 != s[0])
        return err_set(e, "tensor %s has %zu rows, which is not 1 + a square", name, s[0]);
    return 0;
}

static int text_shape(struct clip_text_config *t, const struct weights *ws, const struct clip_family *f,
                      struct err *e) {
    const size_t *token = NULL, *pos = NULL, *proj = NULL;

    if (shape(ws, f->text.token, 2, &token, e) < 0 || shape(ws, f->text.position, 2, &pos, e) < 0 ||
        shape(ws, f->text.projection, 2, &proj, e) < 0 ||
        layers(ws, f->text.layers, f->layer.fc, &t->layers, &t->mlp, e) < 0)
        return -1;
    t->vocab = token[0];
    t->width = token[1];
    t->context = pos[0];
    t->embed = proj[f->transposed];
    t->heads = t->width % 64 ? 0 : t->width / 64;
    t->act = ACT_QUICK_GELU;
    t->eps = 1e-5f;
    t->eos = CLIP_LARGEST;
    return 0;
}

static int vit_shape(struct clip_vision_config *v, const struct weights *ws, const struct clip_family *f,
                     struct err *e) {
    const size_t *conv = NULL, *pos = NULL, *proj = NULL;
    size_t g;

    if (shape(ws, f->vision.patch, 4, &conv, e) < 0 || shape(ws, f->vision.position, 2, &pos, e) < 0 ||
        shape(ws, f->vision.projection, 2, &proj, e) < 0 || grid(pos, f->vision.position, &g, e) < 0 ||
        layers(ws, f->vision.layers, f->layer.fc, &v->layers, &v->mlp, e) < 0)
        return -1;
    v->kind = VISION_VIT;
    v->width = conv[0];
    v->patch = conv[3];
    if (__builtin_mul_overflow(g, v->patch, &v->image))
        return err_set(e, "tensor %s is too large", f->vision.patch);
    v->embed = proj[f->transposed];
    /* H/14, g/14 and bigG/14 have 16 heads; in all others a head is 64 wide */
    v->heads = v->width == 1280 || v->width == 1408 || v->width == 1664 ? 16
               : v->width % 64 ? 0 : v->width / 64;
    return 0;
}

/* Writes the prefix of the blocks of stage i, 1 to 4, such as "visual.layer1.". */
static const char *stage(char s[64], const struct resnet_names *r, size_t i) {
    snprintf(s, 64, "%.20s%.20s%zu.", r->prefix, r->stage, i);
    return s;
}

static int resnet_shape(struct clip_vision_config *v, const struct weights *ws, const struct resnet_names *r,
                        struct err *e) {
    const size_t *conv = NULL, *pos = NULL, *proj = NULL;
    char first[160], pool[160], out[160], at[64], conv1[64];
    size_t side;

    snprintf(conv1, sizeof conv1, "%.40s1.weight", r->conv);
    snprintf(first, sizeof first, "%s0.%s", stage(at, r, 1), conv1);
    snprintf(pool, sizeof pool, "%s%s", r->prefix, r->position);
    snprintf(out, sizeof out, "%s%s.weight", r->prefix, r->c);
    if (shape(ws, first, 4, &conv, e) < 0 || shape(ws, pool, 2, &pos, e) < 0 ||
        shape(ws, out, 2, &proj, e) < 0 || grid(pos, pool, &side, e) < 0)
        return -1;
    v->kind = VISION_RESNET;
    v->width = conv[0];
    v->image = side * 32;
    v->embed = proj[0];
    v->heads = v->width / 2;
    if (v->width % 2)
        return err_set(e, "tensor %s has an odd width, %zu", first, v->width);
    for (size_t i = 0; i < 4; i++) {
        stage(at, r, i + 1);
        for (v->blocks[i] = 0; numbered(ws, at, v->blocks[i], conv1, ""); v->blocks[i]++)
            ;
        if (v->blocks[i] == 0)
            return err_set(e, "tensor %s0.%s is missing", at, conv1);
    }
    return 0;
}

static bool is_resnet(const struct weights *ws, const struct resnet_names *r) {
    char conv1[64], at[64];

    if (!r)
        return false;
    snprintf(conv1, sizeof conv1, "%.40s1.weight", r->conv);
    return numbered(ws, stage(at, r, 1), 0, conv1, "") != NULL;
}

static int read_scale(struct clip_config *c, const struct weights *ws, struct err *e) {
    const struct weight *w = weights_find(ws, "logit_scale");
    size_t n;
    float s;

    if (!w)
        return 0;
    if (tensor_count(&w->t, &n) < 0 || n != 1)
        return err_set(e, "tensor logit_scale is not a single number");
    tensor_f32(&w->t, 0, 1, &s);
    c->scale = expf(s);
    if (!isfinite(c->scale) || !(c->scale > 0))
        return err_set(e, "tensor logit_scale is %g", (double)s);
    c->has_scale = true;
    return 0;
}

int clip_config_from_weights(struct clip_config *c, const struct weights *ws, struct err *e) {
    const struct clip_family *f = c->family;

    *c = (struct clip_config){.family = f};
    c->has_text = weights_find(ws, f->text.token) != NULL;
    c->has_vision = weights_find(ws, f->vision.patch) != NULL;
    if (!c->has_text && !c->has_vision)
        return err_set(e, "tensors %s and %s are missing", f->text.token, f->vision.patch);
    if (c->has_text && text_shape(&c->text, ws, f, e) < 0)
        return -1;
    if (c->has_vision) {
        c->vision.act = ACT_QUICK_GELU;
        c->vision.eps = 1e-5f;
        if ((is_resnet(ws, f->resnet) ? resnet_shape(&c->vision, ws, f->resnet, e) : vit_shape(&c->vision, ws, f, e)) < 0)
            return -1;
    }
    if (c->has_text && c->has_vision && c->text.embed != c->vision.embed)
        return err_set(e, "texts are embedded in %zu dimensions, images in %zu", c->text.embed,
                       c->vision.embed);
    return read_scale(c, ws, e);
}
