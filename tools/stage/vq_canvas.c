#include "tools/stage/vq_canvas.h"

#include "lib/base/size.h"
#include "tools/stage/drawing.h"

int vq_canvas_open(struct vq_canvas *v, const struct model_paths *p, const struct compute *c, struct arena *keep,
                   struct err *e) {
    struct err why = {0};

    *v = (struct vq_canvas){.paths = *p};
    if (vq_open(&v->m, VQ_DECODER, p, c, keep, e) < 0)
        return -1;
    v->latents = (struct latents){.k = c, .codes = v->m.config.codes, .ratio = v->m.config.ratio};
    v->latents.g = vq_grad_bind(v->m.decoder, c, keep, &why);
    return v->latents.g ? 0 : err_at(e, v->m.file, &why);
}

int vq_canvas_fit(struct vq_canvas *v, size_t *h, size_t *w, struct err *e) {
    struct latents *l = &v->latents;

    l->h = *h / l->ratio, l->w = *w / l->ratio;
    if (!l->h || !l->w)
        return err_set(e, "a canvas of %zu x %zu pixels is too small: the VQGAN makes %zu x %zu of each code", *w, *h,
                       l->ratio, l->ratio);
    *h = l->h * l->ratio, *w = l->w * l->ratio;
    return 0;
}

int vq_canvas_pass(struct vq_canvas *v, size_t *memory, struct arena *keep, struct err *e) {
    struct latents *l = &v->latents;
    enum keep_mode mode = vq_pass_bytes(l->g, l->h, l->w, KEEP_ALL) > *memory / 2 ? KEEP_INPUTS : KEEP_ALL;

    *memory -= size_min(*memory, vq_pass_bytes(l->g, l->h, l->w, mode));
    if (arena_split(keep, arena_share(keep, 4, (size_t)1 << 34), &v->mem, &l->scratch) < 0)
        return err_set(e, "out of memory");
    return latents_open(l, mode, keep, e);
}

int vq_canvas_init(struct vq_canvas *v, const char *file, struct arena *keep, struct err *e) {
    const struct latents *l = &v->latents;
    const size_t f = v->m.config.factor, h = l->h * f, w = l->w * f;
    struct model_paths p = v->paths;
    struct vq_model m;
    struct arena a;
    float *x;

    p.cache = NULL;    /* the cache is written at the end of the program, but the encoder's memory is free again before */
    v->tokens = arena_take(keep, l->h * l->w, sizeof *v->tokens);
    a = *keep;
    if (!v->tokens || drawing_picture(file, h, w, &x, &a, e) < 0 || vq_open(&m, VQ_ENCODER, &p, l->k, &a, e) < 0)
        return v->tokens ? -1 : err_set(e, "out of memory");
    for (size_t i = 0; i < 3 * h * w; i++)
        x[i] = 2 * x[i] - 1;
    return vq_encode(m.encoder, l->k, 1, h, w, x, v->tokens, a, e);
}
