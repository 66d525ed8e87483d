#include "lib/net/clip_grad.h"

#include "lib/net/clip_vision.h"
#include "lib/net/vit_back.h"

struct clip_grad {
    const struct clip_vision *v;
    struct vit_turned vit;
};

struct clip_grad *clip_grad_bind(const struct clip_vision *v, const struct compute *k, struct arena *keep, struct err *e) {
    struct clip_grad *g = arena_take(keep, 1, sizeof *g);

    if (!g) {
        err_set(e, "out of memory for weights");
        return NULL;
    }
    if (v->kind == VISION_RESNET) {
        err_set(e, "image tower: the gradient of a ResNet is not supported");
        return NULL;
    }
    g->v = v;
    return vit_turn(&g->vit, &v->of.vit, k, keep, e) < 0 ? NULL : g;
}

/* The memory of a call: scratch that all passes share, then what each pass keeps. */
struct parts {
    void *scratch;
    char *pass;
    size_t bytes;    /* of a pass */
};

static struct parts cut(const struct clip_grad *g, size_t n, enum keep_mode mode, struct scratch *s) {
    const struct vit *v = &g->v->of.vit;
    const struct compute *c = g->v->c;
    size_t step = vit_pass(v, n);
    struct scratch one = {0};
    struct parts p;

    vit_keep_cut(v, step, mode, &one);
    p.bytes = one.used;
    p.scratch = scratch_cut(s, size_max(vit_scratch(v, c, step), vit_back_scratch(v, &g->vit, c, step, mode)), 1);
    p.pass = scratch_cut(s, div_up(n, step) * p.bytes, 1);
    return p;
}

size_t clip_grad_scratch(const struct clip_grad *g, size_t n, enum keep_mode mode) {
    struct scratch s = {0};

    if (n)
        cut(g, n, mode, &s);
    return s.used;
}

void clip_image_keep(const struct clip_grad *g, const struct compute *k, size_t n, enum keep_mode mode,
                     const float *images, float *embed, void *kept) {
    const struct vit *v = &g->v->of.vit;
    struct scratch s = {kept, 0};
    struct parts p;
    size_t step, pixels = 3 * v->image * v->image;

    if (!n)
        return;
    p = cut(g, n, mode, &s);
    step = vit_pass(v, n);
    for (size_t i = 0; i < n; i += step, p.pass += p.bytes) {
        struct scratch one = {p.pass, 0};
        size_t m = size_min(step, n - i);
        struct vit_keep place = vit_keep_cut(v, m, mode, &one);

        vit_run_keep(v, k, m, images + i * pixels, embed + i * v->embed, &place, p.scratch);
    }
}

void clip_image_back(const struct clip_grad *g, const struct compute *k, size_t n, enum keep_mode mode,
                     const float *d_embed, float *d_images, void *kept) {
    const struct vit *v = &g->v->of.vit;
    struct scratch s = {kept, 0};
    struct parts p;
    size_t step, pixels = 3 * v->image * v->image;

    if (!n)
        return;
    p = cut(g, n, mode, &s);
    step = vit_pass(v, n);
    for (size_t i = 0; i < n; i += step, p.pass += p.bytes) {
        struct scratch one = {p.pass, 0};
        size_t m = size_min(step, n - i);
        struct vit_keep place = vit_keep_cut(v, m, mode, &one);

        vit_back(v, &g->vit, k, m, &place, d_embed + i * v->embed, d_images + i * pixels, p.scratch);
    }
}
