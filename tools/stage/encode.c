#include "tools/stage/encode.h"

#include <string.h>

#include "formats/checkpoint/bpe_files.h"
#include "formats/image/image_read.h"
#include "lib/vector/similarity.h"

/* Returns how many bytes of the text s a message shows. */
static int shown(struct span s) {
    return s.n < 80 ? (int)s.n : 80;
}

int encode_open_text(struct encoder *n, struct err *e) {
    struct arena *keep = n->towers.keep;
    struct tok_files files;

    n->bpe = arena_take(keep, 1, sizeof *n->bpe);
    if (!n->bpe)
        return err_set(e, "out of memory");
    if (towers_text(&n->towers, e) < 0 || model_find_tokenizer(&files, &n->towers.paths, keep, e) < 0 ||
        bpe_open(n->bpe, &files, keep, e) < 0)
        return -1;
    n->model = n->towers.text_model;
    n->d = n->model->config.text.embed;
    if (n->bpe->vocab > n->model->config.text.vocab)
        return err_set(e, "%s: %zu tokens, its tokenizer has %u", n->model->path, n->model->config.text.vocab, n->bpe->vocab);
    n->joint = n->model->config.has_vision;
    return 0;
}

int encode_open(struct encoder *n, unsigned want, size_t batch, const struct model_paths *p,
                const struct compute *c, struct arena *keep, struct err *e) {
    *n = (struct encoder){.towers = {.paths = *p, .compute = c, .keep = keep, .batch = batch}};
    if (want & MODEL_TEXT)
        return encode_open_text(n, e);
    if (towers_vision(&n->towers, e) < 0)
        return -1;
    n->model = n->towers.vision_model;
    n->d = n->model->config.vision.embed;
    n->joint = n->model->config.has_text;
    return 0;
}

static int tokens_of(const struct encoder *n, struct span text, struct bpe_tokens *t,
                     struct arena *a, struct err *e) {
    size_t limit = n->model->config.text.context;
    struct bpe_text s;

    if (bpe_prepare(n->bpe, text.p, text.n, &s, a, e) < 0 || bpe_encode(n->bpe, &s, false, limit, t, a, e) < 0)
        return -1;
    if (t->n > limit)
        return err_set(e, "'%.*s' has %zu tokens, the model takes %zu", shown(text),
                       (const char *)text.p, t->n, limit);
    return 0;
}

/* Writes the vectors of `count` texts, at most as many as the towers' batch, into out [count, n->d]. */
static int encode_texts(const struct encoder *n, const struct span *text, size_t count,
                        float *out, struct arena scratch, struct err *e) {
    const int *ids[ENCODE_BATCH];
    size_t len[ENCODE_BATCH];

    for (size_t i = 0; i < count; i++) {
        struct bpe_tokens t;

        if (tokens_of(n, text[i], &t, &scratch, e) < 0)
            return -1;
        ids[i] = t.id, len[i] = t.n;
    }
    towers_texts(&n->towers, count, ids, len, out, NULL);
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

    if (tokens_of(n, text, &t, keep, e) < 0)
        return -1;
    ids = t.id, *len = t.n;
    *embed = arena_take(keep, n->d, sizeof **embed);
    *states = arena_take(keep, t.n * n->model->config.text.width, sizeof **states);
    if (!*embed || !*states)
        return err_set(e, "out of memory");
    towers_texts(&n->towers, 1, &ids, len, *embed, states);
    return 0;
}

int encode_image(const struct encoder *n, const char *file, float *out, struct arena scratch,
                 struct err *e) {
    const struct prep *p = &n->model->prep;
    const unsigned char *crop;
    unsigned char *room = arena_take(&scratch, p->crop * p->crop, 3);
    struct image_options o = {0};
    struct image im;
    int got;

    if (!room)
        return err_set(e, "out of memory");
    if (image_file_open(&im, file, &o, e) < 0)
        return -1;
    got = prep_crop(p, im.rgb, im.h, im.w, room, scratch, e);
    image_free(&im);
    if (got < 0)
        return -1;
    crop = room;
    towers_images(&n->towers, 1, &crop, out, NULL);
    return 0;
}

/* Writes the mean of the `count` sentence vectors that were added to `sum` into `out`, scaled to length one, and clears
 * `sum` for the next label.  Returns SIM_OK, or what is wrong with the mean. */
static int class_vector(const struct encoder *n, double *sum, size_t count, float *out) {
    for (size_t j = 0; j < n->d; j++) {
        out[j] = (float)(sum[j] / (double)count);
        sum[j] = 0;
    }
    return sim_normalise(out, n->d);
}

/* The sentences of all labels are numbered, label by label.  Encodes sentences s .. s + count - 1 and adds their
 * vectors, scaled to length one, to `sum`.  After the last sentence of a label, writes the label's vector into l->v. */
static int add_sentences(const struct encoder *n, const struct templates *t, struct labels *l,
                         size_t s, size_t count, double *sum, struct arena scratch,
                         struct err *e) {
    float *v = arena_take(&scratch, ENCODE_BATCH * n->d, sizeof *v);
    struct span text[ENCODE_BATCH];

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
    double *sum = arena_zero(keep, n->d, sizeof *sum);

    l->d = n->d;
    l->v = arena_take(keep, l->n * l->d, sizeof *l->v);
    l->model = arena_span(keep, span_of(n->model->fingerprint));
    if (!l->v || !l->model.p || !sum)
        return err_set(e, "out of memory");
    for (size_t s = 0, all = l->n * t->n, count; s < all; s += count) {
        count = size_min(all - s, ENCODE_BATCH);
        if (add_sentences(n, t, l, s, count, sum, *keep, e) < 0)
            return -1;
        if (tick)
            tick(ctx, s + count, all);
    }
    l->scale = n->model->config.has_scale ? (double)n->model->config.scale : 0;
    return 0;
}
