#include "lib/net/clip_grad.h"

#include "lib/net/clip_vision.h"
#include "lib/net/resnet_back.h"
#include "lib/net/vit_back.h"

struct clip_grad {
    const struct clip_vision *v;
    union {
        struct vit_turned vit;
        struct resnet_turned resnet;
    } of;
};

struct clip_grad *clip_grad_bind(const struct clip_vision *v, const struct compute *k, struct arena *keep, struct err *e) {
    struct clip_grad *g;

    if (v->kind == VISION_RESNET && k->kern->precision != PREC_F32) {
        err_set(e, "image tower: the gradient of a ResNet is computed with f32 weights only, not with %s",
                precision_name(k->kern->precision));
        return NULL;
    }
    if (!(g = arena_take(keep, 1, sizeof *g))) {
        err_set(e, "out of memory for weights");
        return NULL;
    }
    g->v = v;
    if ((v->kind == VISION_RESNET ? resnet_turn(&g->of.resnet, &v->of.resnet, k, keep, e)
                                  : vit_turn(&g->of.vit, &v->of.vit, k, keep, e)) < 0)
        return NULL;
    return g;
}

/* The memory of a call: scratch that all passes share, then what each pass keeps. */
struct parts {
    size_t step;              /* images of a pass */
    size_t embed, pixels;     /* floats of one image's embedding and pixels */
    void *scratch;
    char *pass;
    size_t bytes;             /* that a pass keeps */
};

static struct parts cut(const struct clip_grad *g, size_t n, enum keep_mode mode, struct scratch *s) {
    const struct compute *c = g->v->c;
    struct scratch one = {0};
    struct parts p;
    size_t side, bytes;

    if (g->v->kind == VISION_RESNET) {
        const struct resnet *r = &g->v->of.resnet;

        p.step = resnet_pass(r, n);
        p.embed = r->embed;
        side = r->image;
        resnet_keep_cut(r, p.step, &one);
        bytes = size_max(resnet_scratch(r, c, p.step), resnet_back_scratch(r, &g->of.resnet, c, p.step));
    } else {
        const struct vit *v = &g->v->of.vit;

        p.step = vit_pass(v, n);
        p.embed = v->embed;
        side = v->image;
        vit_keep_cut(v, p.step, mode, &one);
        bytes = size_max(vit_scratch(v, c, p.step), vit_back_scratch(v, &g->of.vit, c, p.step, mode));
    }
    p.pixels = 3 * side * side;
    p.bytes = one.used;
    p.scratch = scratch_cut(s, bytes, 1);
    p.pass = scratch_cut(s, div_up(n, p.step) * p.bytes, 1);
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
    struct scratch s = {kept, 0};
    struct parts p;

    if (!n)
        return;
    p = cut(g, n, mode, &s);
    for (size_t i = 0, m; i < n; i += m, p.pass += p.bytes) {
        struct scratch one = {p.pass, 0};

        m = size_min(p.step, n - i);
        if (g->v->kind == VISION_RESNET) {
            struct resnet_keep to = resnet_keep_cut(&g->v->of.resnet, m, &one);

            resnet_run_keep(&g->v->of.resnet, k, m, images + i * p.pixels, embed + i * p.embed, &to, p.scratch);
        } else {
            struct vit_keep to = vit_keep_cut(&g->v->of.vit, m, mode, &one);

            vit_run_keep(&g->v->of.vit, k, m, images + i * p.pixels, embed + i * p.embed, &to, p.scratch);
        }
    }
}

void clip_image_back(const struct clip_grad *g, const struct compute *k, size_t n, enum keep_mode mode,
                     const float *d_embed, float *d_images, void *kept) {
    struct scratch s = {kept, 0};
    struct parts p;

    if (!n)
        return;
    p = cut(g, n, mode, &s);
    for (size_t i = 0, m; i < n; i += m, p.pass += p.bytes) {
        const float *de = d_embed + i * p.embed;
        float *dx = d_images + i * p.pixels;
        struct scratch one = {p.pass, 0};

        m = size_min(p.step, n - i);
        if (g->v->kind == VISION_RESNET) {
            struct resnet_keep from = resnet_keep_cut(&g->v->of.resnet, m, &one);

            resnet_back(&g->v->of.resnet, &g->of.resnet, k, m, &from, de, dx, p.scratch);
        } else {
            struct vit_keep from = vit_keep_cut(&g->v->of.vit, m, mode, &one);

            vit_back(&g->v->of.vit, &g->of.vit, k, m, &from, de, dx, p.scratch);
        }
    }
}
