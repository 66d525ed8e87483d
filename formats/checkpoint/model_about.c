#include "formats/checkpoint/model_about.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ROOM = 16384 };

struct text {
    char s[ROOM];
    size_t n;
};

__attribute__((format(printf, 2, 3)))
static void line(struct text *t, const char *fmt, ...) {
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(t->s + t->n, ROOM - t->n, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->n += (size_t)n < ROOM - t->n ? (size_t)n : ROOM - t->n - 1;
}

static const char *act_name(enum act a) {
    switch (a) {
    case ACT_QUICK_GELU: return "quick_gelu";
    case ACT_GELU: return "gelu";
    case ACT_GELU_TANH: return "gelu_pytorch_tanh";
    case ACT_RELU: return "relu";
    default: return "none";
    }
}

static void weights_lines(struct text *t, const struct clip_model *m, enum weights_kind kind) {
    size_t count[DT_BOOL + 1] = {0}, numbers = 0, n;

    for (size_t i = 0; i < m->weights.n; i++) {
        count[m->weights.w[i].t.dtype]++;
        if (tensor_count(&m->weights.w[i].t, &n) == 0)
            numbers += n;
    }
    line(t, "weights: %s (%s)\n", m->file, weights_kind_name(kind));
    line(t, "tensors: %zu with %zu numbers;", m->weights.n, numbers);
    for (int d = DT_F32; d <= DT_BOOL; d++)
        if (count[d])
            line(t, " %zu %s", count[d], dtype_name((enum dtype)d));
    line(t, "\nnames: %s\n", m->config.family->name);
}

static void tower_lines(struct text *t, const struct clip_config *c) {
    const struct clip_text_config *x = &c->text;
    const struct clip_vision_config *v = &c->vision;

    if (c->has_text)
        line(t, "text tower: %zu layers, width %zu, %zu heads, MLP %zu, context %zu, vocabulary %zu, "
             "embedding %zu\n", x->layers, x->width, x->heads, x->mlp, x->context, x->vocab, x->embed);
    if (c->has_vision && v->kind == VISION_VIT)
        line(t, "image tower: ViT, %zu layers, width %zu, %zu heads, MLP %zu, patches of %zu, image %zu, "
             "embedding %zu\n", v->layers, v->width, v->heads, v->mlp, v->patch, v->image, v->embed);
    if (c->has_vision && v->kind == VISION_RESNET)
        line(t, "image tower: ResNet, blocks %zu %zu %zu %zu, width %zu, %zu heads, image %zu, "
             "embedding %zu\n", v->blocks[0], v->blocks[1], v->blocks[2], v->blocks[3], v->width,
             v->heads, v->image, v->embed);
}

static void act_line(struct text *t, const struct clip_config *c, const char *from) {
    bool vit = c->has_vision && c->vision.kind == VISION_VIT;

    if (!c->has_text && !vit)
        return;
    line(t, "activation: %s", act_name(c->has_text ? c->text.act : c->vision.act));
    if (c->has_text && vit && c->text.act != c->vision.act)
        line(t, " (text), %s (image)", act_name(c->vision.act));
    line(t, " (%s)\n", from);
}

static void prep_line(struct text *t, const struct prep *p, const char *from) {
    static const char *const filter[] = {"nearest", "Lanczos", "bilinear", "bicubic", "box", "Hamming"};
    static const char *const how[] = {"shorter side to", "squashed to", "longer side to"};

    line(t, "preprocessing: ");
    if (p->size)
        line(t, "%s %zu, %s, ", how[p->resize], p->size, filter[p->filter]);
    if (p->size && p->most)
        line(t, "longer side at most %zu, ", p->most);
    line(t, "centre %zu (%s)", p->crop, p->rule == CROP_HF ? "floor" : "half to even");
    if (p->normalize)
        line(t, ", mean %g %g %g, std %g %g %g", (double)p->mean[0], (double)p->mean[1],
             (double)p->mean[2], (double)p->std[0], (double)p->std[1], (double)p->std[2]);
    line(t, " (%s)\n", from);
}

const char *model_about_clip(const struct clip_model *m, enum weights_kind kind,
                             const struct model_source *s, struct arena *a) {
    struct arena scratch = *a;
    struct text *t = arena_take(&scratch, 1, sizeof *t);
    size_t n;
    char *out;

    if (!t)
        return NULL;
    t->n = 0;
    line(t, "model: %s\nlayout: %s\n", m->path, s->layout);
    weights_lines(t, m, kind);
    tower_lines(t, &m->config);
    line(t, "shapes: the tensors; heads and eps: %s\n", s->config);
    if (m->config.has_text && m->config.text.eos >= 0)
        line(t, "end of text: token %d (%s)\n", m->config.text.eos, s->config);
    act_line(t, &m->config, s->act);
    if (m->config.has_vision)
        prep_line(t, &m->prep, s->prep);
    if (m->config.has_scale)
        line(t, "logit scale: %.9g (tensor logit_scale)\n", (double)m->config.scale);
    line(t, "fingerprint: %s\n", m->fingerprint);
    n = t->n;
    out = arena_take(a, n + 1, 1);    /* `out` overlaps t, which was taken from `scratch`, a copy of the arena */
    if (out)
        memmove(out, t->s, n + 1);
    return out;
}
