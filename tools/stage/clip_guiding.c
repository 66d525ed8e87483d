#include "tools/stage/clip_guiding.h"

int clip_guiding_open(struct clip_guiding *g, const struct model_paths *p, size_t side, const struct compute *c,
                      struct arena *keep, struct err *e) {
    if (!(g->scale > 0))
        return 0;
    if (noised_model_open(&g->m, p, c, keep, e) < 0)
        return -1;
    if (noised_clip_side(g->m.clip) != side)
        return err_set(e, "%s: pictures of %zu, the decoder makes pictures of %zu", g->m.file, noised_clip_side(g->m.clip), side);
    g->guide = (struct clip_guide){g->m.clip, c, NULL, (float)g->scale};
    g->of = (struct decoder_guide){clip_guide_gradient, &g->guide};
    return 0;
}

int clip_guiding_text(struct clip_guiding *g, const struct record *r, struct arena *a, struct err *e) {
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

void clip_guiding_params(const struct clip_guiding *g, struct mp *m) {
    if (!(g->scale > 0))
        return;
    mp_cstr(m, "clip_guidance"), mp_float(m, g->scale);
    mp_cstr(m, "clip_guidance_model"), mp_cstr(m, g->m.fingerprint);
}
