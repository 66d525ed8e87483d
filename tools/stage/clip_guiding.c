#include "tools/stage/clip_guiding.h"

#include <math.h>

#include "lib/draw/pooled.h"

/* ---- GUIDE_X0: a CLIP that sees the predicted pictures ---- */

static const size_t MEMORY = (size_t)1 << 30;    /* bytes that a pass over some views may keep for their gradient */

static int open_looking(struct clip_looking *l, const struct model_paths *p, size_t views, size_t side,
                        const struct compute *c,
                        struct arena *keep, struct err *e) {
    l->exact = (struct compute){c->kern->f32, c->pool};
    if (arena_split(keep, arena_share(keep, 4, (size_t)1 << 33), &l->mem, &l->late) < 0)
        return err_set(e, "out of memory");
    if (sight_open(&l->sight, p, &l->exact, keep, &l->late, e) < 0)
        return -1;
    l->d = (struct drawing){.compute = &l->exact, .sight = &l->sight, .sights = 1, .h = side, .w = side, .views = views,
                            .loss = LOSS_COSINE, .memory = MEMORY};
    return drawing_open(&l->d, keep, e);
}

/* Computes the gradient of the guidance with respect to one predicted picture x0 [3, S, S] into out.  The CLIP sees x0
 * clamped to [-1, 1].  p and d are scratch memory of the size of x0. */
static void look_at(struct clip_guiding *g, struct view *v, const struct noise_key *key, const float *x0, int t, float *p,
                    float *d,
                    float *out) {
    struct drawing *w = &g->look.d;
    const size_t n = 3 * w->h * w->w;
    const double scale = -g->scale * 100 / (double)w->views / 2;    /* minus: the loss is -cos; / 2: a pixel is (x0 + 1) / 2 */

    for (size_t i = 0; i < w->views; i++) {
        uint32_t first = (uint32_t)t * (uint32_t)w->views;
        struct draws s = draws_open(key, first + (uint32_t)i), box = draws_open(key, first);

        view_draw(&v[i], VIEW_POOLED, w->h, w->w, &g->look.sight.prep, &s);
        box.at = POOLED_BOX;
        pooled_box(&v[i], &box);
    }
    for (size_t i = 0; i < n; i++)
        p[i] = fminf(fmaxf(0.5f * x0[i] + 0.5f, 0), 1);
    look_run(&w->look, p, v, w->views, d, NULL);
    for (size_t i = 0; i < n; i++)
        out[i] = (float)(scale * (double)view_clamp_back(d[i], 0.5f * x0[i] + 0.5f));
}

static int look_gradient(void *ctx, size_t n, const float *x, int t, float *out, struct arena a, struct err *e) {
    struct clip_guiding *g = ctx;
    struct clip_looking *l = &g->look;
    const size_t one = 3 * l->d.h * l->d.w;
    float *p = arena_take(&a, one, sizeof *p), *d = arena_take(&a, one, sizeof *d);
    struct view *v = arena_take(&a, l->d.views, sizeof *v);

    if (!p || !d || !v)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < n; i++) {
        struct noise_key key = sample_key(l->s, l->seed, NOISE_VIEWS, i);

        look_at(g, v, &key, x + i * one, t, p, d, out + i * one);
    }
    return 0;
}

/* Sets the target to the record's vector, or else to the embedding of its text, or else to that of the empty text. */
static int look_for(struct clip_looking *l, const struct record *r, struct arena *a, struct err *e) {
    struct span text = SPAN("");
    int got = sight_target(&l->sight, 0, 1, r, NULL, false, a, e);

    if (got == 0 && record_str(r, "text", &text, e) >= 0)
        got = sight_target_text(&l->sight, 0, 1, text, a, e);
    l->d.eye[0].targets = 1;
    return got > 0 ? 0 : -1;
}

/* ---- GUIDE_NOISY and GUIDE_X0 ---- */

int clip_guiding_open(struct clip_guiding *g, const struct model_paths *p, size_t side, const struct compute *c,
                      struct arena *keep, struct err *e) {
    if (!(g->scale > 0))
        return 0;
    if (g->on == GUIDE_X0) {
        g->of = (struct decoder_guide){look_gradient, g, true};
        return open_looking(&g->look, p, (size_t)g->views, side, c, keep, e);
    }
    if (noised_model_open(&g->m, p, c, keep, e) < 0)
        return -1;
    if (noised_clip_side(g->m.clip) != side)
        return err_set(e, "%s: pictures of %zu, the decoder makes pictures of %zu", g->m.file,
                       noised_clip_side(g->m.clip), side);
    g->guide = (struct clip_guide){g->m.clip, c, NULL, (float)g->scale};
    g->of = (struct decoder_guide){clip_guide_gradient, &g->guide, false};
    return 0;
}

static int noised_text(struct clip_guiding *g, const struct record *r, struct arena *a, struct err *e) {
    size_t limit = noised_clip_context(g->m.clip), n;
    float *embed = arena_take(a, noised_clip_embed(g->m.clip), sizeof *embed);
    struct span text = SPAN("");
    struct bpe_tokens t;
    struct bpe_text clean;
    const int *ids;
    struct arena s;
    void *scratch;

    if (!embed)
        return err_set(e, "out of memory");
    if (record_str(r, "text", &text, e) < 0 || bpe_prepare(&g->m.bpe, text.p, text.n, &clean, a, e) < 0 ||
        bpe_encode(&g->m.bpe, &clean, false, limit, &t, a, e) < 0)
        return -1;
    bpe_truncate(&g->m.bpe, &t, limit);
    s = *a;
    scratch = arena_take(&s, noised_clip_text_scratch(g->m.clip, 1), 1);
    if (!scratch)
        return err_set(e, "out of memory");
    ids = t.id;
    n = t.n;
    noised_clip_text(g->m.clip, g->guide.c, 1, &ids, &n, embed, scratch);
    g->guide.text = embed;
    return 0;
}

int clip_guiding_target(struct clip_guiding *g, const struct record *r, const struct sample *s, uint64_t seed,
                        struct arena *a,
                        struct err *e) {
    g->look.s = s, g->look.seed = seed;
    return g->on == GUIDE_X0 ? look_for(&g->look, r, a, e) : noised_text(g, r, a, e);
}

void clip_guiding_params(const struct clip_guiding *g, struct mp *m) {
    if (!(g->scale > 0))
        return;
    mp_cstr(m, "clip_guidance"), mp_float(m, g->scale);
    mp_cstr(m, "clip_guidance_model");
    mp_cstr(m, g->on == GUIDE_X0 ? g->look.sight.vision.model->fingerprint : g->m.fingerprint);
    if (g->on == GUIDE_X0) {
        mp_cstr(m, "clip_guidance_on"), mp_cstr(m, "x0");
        mp_cstr(m, "cutouts"), mp_int(m, g->views);
    }
}
