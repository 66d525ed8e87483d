#include "tools/stage/encode.h"

#include <string.h>

#include "formats/checkpoint/bpe_files.h"
#include "formats/image/image_read.h"
#include "lib/vector/similarity.h"

enum { BATCH = 32 };    /* sentences in one run of the tower */

/* How much of a text a message shows. */
static int shown(struct span s) {
    return s.n < 80 ? (int)s.n : 80;
}

static int open_text(struct encoder *n, const struct model_paths *p, struct arena *keep,
                     struct err *e) {
    struct tok_files files;

    n->bpe = arena_take(keep, 1, sizeof *n->bpe);
    if (!n->bpe)
        return err_set(e, "out of memory");
    if (model_find_tokenizer(&files, p, keep, e) < 0 || bpe_open(n->bpe, &files, keep, e) < 0)
        return -1;
    if (n->bpe->vocab > n->model.config.text.vocab)
        return err_set(e, "%s: %zu tokens, its tokenizer has %u", n->model.path,
                       n->model.config.text.vocab, n->bpe->vocab);
    if (n->model.config.text.eos >= 0 && (uint32_t)n->model.config.text.eos != n->bpe->eot)
        return err_set(e, "%s: texts end with token %d, those of its tokenizer with %u", n->model.path,
                       n->model.config.text.eos, n->bpe->eot);
    n->text = model_bind_text(&n->model, p->cache, n->compute, keep, e);
    n->d = n->model.config.text.embed;
    return n->text ? 0 : -1;
}

int encode_open(struct encoder *n, unsigned want, const struct model_paths *p,
                const struct compute *c, struct arena *keep, struct err *e) {
    *n = (struct encoder){.compute = c};
    if (model_open_clip(&n->model, want, p, keep, e) < 0)
        return -1;
    n->joint = n->model.config.has_text && n->model.config.has_vision;
    if (want & MODEL_TEXT)
        return open_text(n, p, keep, e);
    n->vision = model_bind_vision(&n->model, p->cache, c, keep, e);
    n->d = n->model.config.vision.embed;
    return n->vision ? 0 : -1;
}

static int tokens_of(const struct encoder *n, struct span text, struct bpe_tokens *t,
                     struct arena *a, struct err *e) {
    size_t limit = n->model.config.text.context;
    struct bpe_text s;

    if (bpe_prepare(n->bpe, text.p, text.n, &s, a, e) < 0 || bpe_encode(n->bpe, &s, false, limit, t, a, e) < 0)
        return -1;
    if (t->n > limit)
        return err_set(e, "'%.*s' has %zu tokens, the model takes %zu", shown(text),
                       (const char *)text.p, t->n, limit);
    return 0;
}

/* count <= BATCH texts */
static int encode_texts(const struct encoder *n, const struct span *text, size_t count,
                        float *out, struct arena scratch, struct err *e) {
    const int *ids[BATCH];
    size_t len[BATCH], longest = 0;
    void *room;

    for (size_t i = 0; i < count; i++) {
        struct bpe_tokens t;

        if (tokens_of(n, text[i], &t, &scratch, e) < 0)
            return -1;
        ids[i] = t.id, len[i] = t.n;
        longest = t.n > longest ? t.n : longest;
    }
    room = arena_take(&scratch, clip_text_scratch(n->text, count, longest), 1);
    if (!room)
        return err_set(e, "out of memory");
    clip_text_run(n->text, n->compute, count, ids, len, out, NULL, room);
    return 0;
}

int encode_text(const struct encoder *n, struct span text, float *out, struct arena scratch,
                struct err *e) {
    return encode_texts(n, &text, 1, out, scratch, e);
}

int encode_states(const struct encoder *n, struct span text, float **embed, float **states,
                  size_t *len, struct arena *keep, struct err *e) {
    struct bpe_tokens t;
    const int *ids;
    struct arena a;
    void *room;

    if (tokens_of(n, text, &t, keep, e) < 0)
        return -1;
    ids = t.id, *len = t.n;
    *embed = arena_take(keep, n->d, sizeof **embed);
    *states = arena_take(keep, t.n * n->model.config.text.width, sizeof **states);
    a = *keep;
    room = arena_take(&a, clip_text_scratch(n->text, 1, t.n), 1);
    if (!*embed || !*states || !room)
        return err_set(e, "out of memory");
    clip_text_run(n->text, n->compute, 1, &ids, len, *embed, states, room);
    return 0;
}

/* The square that the tower sees, f32 [3, S, S]. */
static int prepare(const struct encoder *n, const char *file, float *planes,
                   struct arena scratch, struct err *e) {
    const struct image_options o = {0, false};
    struct image im;
    int got;

    if (image_file_open(&im, file, &o, e) < 0)
        return -1;
    got = prep_image(&n->model.prep, im.rgb, im.h, im.w, planes, NULL, scratch, e);
    image_free(&im);
    return got;
}

int encode_image(const struct encoder *n, const char *file, float *out, struct arena scratch,
                 struct err *e) {
    size_t side = n->model.config.vision.image;
    float *planes = arena_take(&scratch, 3 * side * side, sizeof *planes);
    void *room;

    if (!planes)
        return err_set(e, "out of memory");
    if (prepare(n, file, planes, scratch, e) < 0)
        return -1;
    room = arena_take(&scratch, clip_image_scratch(n->vision, 1), 1);
    if (!room)
        return err_set(e, "out of memory");
    clip_image_run(n->vision, n->compute, 1, planes, out, NULL, room);
    return 0;
}

/* The mean of a label's sentences' directions; sum is cleared for the next one. */
static int class_vector(const struct encoder *n, double *sum, size_t count, float *out) {
    for (size_t j = 0; j < n->d; j++) {
        out[j] = (float)(sum[j] / (double)count);
        sum[j] = 0;
    }
    return sim_normalise(out, n->d);
}

/* Sentences s .. s + count - 1 of all labels' sentences, added up label by label. */
static int add_sentences(const struct encoder *n, const struct templates *t, struct labels *l,
                         size_t s, size_t count, double *sum, struct arena scratch,
                         struct err *e) {
    float *v = arena_take(&scratch, BATCH * n->d, sizeof *v);
    struct span text[BATCH];

    if (!v)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < count; i++)
        if (template_fill(&t->v[(s + i) % t->n], l->name[(s + i) / t->n], &text[i], &scratch) < 0)
            return err_set(e, "out of memory");
    if (encode_texts(n, text, count, v, scratch, e) < 0)
        return -1;
    for (size_t i = 0; i < count; i++, v += n->d) {
        size_t label = (s + i) / t->n;
        int got = sim_normalise(v, n->d);

        for (size_t j = 0; j < n->d; j++)
            sum[j] += (double)v[j];
        if (got == SIM_OK && (s + i + 1) % t->n == 0)
            got = class_vector(n, sum, t->n, l->v + label * n->d);
        if (got != SIM_OK)
            return err_set(e, "the vector of '%.*s' %s", shown(l->name[label]),
                           (const char *)l->name[label].p, sim_reason(got));
    }
    return 0;
}

int encode_labels(const struct encoder *n, const struct templates *t, struct labels *l,
                  struct arena *keep, void (*tick)(void *ctx, uint64_t done, uint64_t total),
                  void *ctx, struct err *e) {
    const char *f = arena_str(keep, n->model.fingerprint, strlen(n->model.fingerprint));
    double *sum = arena_zero(keep, n->d, sizeof *sum);

    l->d = n->d;
    l->v = arena_take(keep, l->n * l->d, sizeof *l->v);
    if (!l->v || !f || !sum)
        return err_set(e, "out of memory");
    for (size_t s = 0, all = l->n * t->n, count; s < all; s += count) {
        count = all - s < BATCH ? all - s : BATCH;
        if (add_sentences(n, t, l, s, count, sum, *keep, e) < 0)
            return -1;
        if (tick)
            tick(ctx, s + count, all);
    }
    l->model = span_of(f);
    l->scale = n->model.config.has_scale ? (double)n->model.config.scale : 0;
    return 0;
}
