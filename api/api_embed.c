/* Tokens, embeddings, cosines and probabilities. */
#include <math.h>
#include <string.h>

#include "api/api_inside.h"
#include "formats/image/image_queue.h"
#include "lib/base/pool.h"
#include "lib/base/size.h"
#include "lib/kernel/kern.h"
#include "lib/vector/zero_shot.h"

/* ---- tokens ---- */

int unclip_tokens(struct unclip *u, const char *text, size_t room, int *token, size_t *n) {
    struct bpe_tokens t;
    struct arena a;
    struct span clean;

    if (api_enter(u) < 0 || api_need(u, text, "text") < 0 || api_need(u, n, "n") < 0 || (room && api_need(u, token, "token") < 0) ||
        api_words(u) < 0)
        return -1;
    a = u->arena;
    if (vocabulary_encode(&u->words, span_of(text), false, u->words.context, &t, &clean, &a, &u->err) < 0)
        return -1;
    *n = t.n;
    if (room)
        memcpy(token, t.id, size_min(room, t.n) * sizeof *token);
    return 0;
}

/* Sets *t to the tokens of a text, as input of the text tower.  A text with too many tokens is cut if the option truncate
 * is set; otherwise it is an error. */
static int tokens_of(const struct unclip *u, const char *text, struct bpe_tokens *t, struct arena *a, struct err *e) {
    const size_t limit = u->clip.model->config.text.context;
    struct bpe_text s;

    if (!text)
        return err_set(e, "it is NULL");
    if (bpe_prepare(u->clip.bpe, text, strlen(text), &s, a, e) < 0 || bpe_encode(u->clip.bpe, &s, false, limit, t, a, e) < 0)
        return -1;
    if (t->n > limit && !u->o.truncate)
        return err_set(e, "it has %zu tokens, the model takes %zu", t->n, limit);
    bpe_truncate(u->clip.bpe, t, limit);
    return 0;
}

/* ---- a batch ---- */

/* The inputs of one pass through a tower.  Inputs that could not be read are left out. */
struct batch {
    size_t n;
    size_t row[API_BATCH];    /* row[i]: the row of input i in the caller's array */
    const int *token[API_BATCH];
    size_t len[API_BATCH];
    const unsigned char *crop[API_BATCH];
    struct arena a;
};

static void fail_row(float *row, size_t d) {
    for (size_t i = 0; i < d; i++)
        row[i] = NAN;
}

/* Runs the batch through the text tower or the image tower, and writes each embedding into its row of embed [.., d]. */
static int run(struct unclip *u, struct batch *b, bool text, float *embed, size_t d) {
    float *v = arena_take(&b->a, b->n * d, sizeof *v);

    if (!v)
        return err_set(&u->err, "out of memory");
    if (b->n && text)
        towers_texts(&u->clip.towers, b->n, b->token, b->len, v, NULL);
    else if (b->n)
        towers_images(&u->clip.towers, b->n, b->crop, v, NULL);
    for (size_t i = 0; i < b->n; i++)
        memcpy(embed + b->row[i] * d, v + i * d, d * sizeof *v);
    return 0;
}

/* Begins a call that writes n embeddings: checks the arguments `in` and `embed`, and opens what the call needs with `open`.
 * Returns 1, or 0 if n is 0, or -1 for an error. */
static int begin(struct unclip *u, size_t n, const void *in, const char *name, const float *embed, int (*open)(struct unclip *u)) {
    if (api_enter(u) < 0)
        return -1;
    if (n == 0)
        return 0;
    return api_need(u, in, name) < 0 || api_need(u, embed, "embed") < 0 || open(u) < 0 ? -1 : 1;
}

int unclip_embed_texts(struct unclip *u, size_t n, const char *const text[], float *embed) {
    int got = begin(u, n, text, "text", embed, api_text);
    size_t d, bad = 0;

    if (got <= 0)
        return got;
    d = u->clip.d;
    for (size_t at = 0; at < n; at += API_BATCH) {
        struct batch b = {.n = 0, .a = u->arena};

        for (size_t i = at; i < n && i < at + API_BATCH; i++) {
            struct bpe_tokens t;
            struct err why = {0};

            if (tokens_of(u, text[i], &t, &b.a, &why) < 0) {
                api_failed_at(u, "text", i, &why);
                fail_row(embed + i * d, d), bad++;
                continue;
            }
            b.row[b.n] = i, b.token[b.n] = t.id, b.len[b.n++] = t.n;
        }
        if (run(u, &b, true, embed, d) < 0)
            return -1;
    }
    return bad ? -1 : 0;
}

/* ---- pictures ---- */

static size_t width(const struct unclip *u) {
    return u->clip.towers.vision_model->config.vision.embed;
}

int unclip_embed_rgb(struct unclip *u, size_t n, size_t height, size_t width_, const unsigned char *rgb, float *embed) {
    int got = begin(u, n, rgb, "rgb", embed, api_vision);
    const struct prep *prep;
    size_t bad = 0;

    if (got <= 0)
        return got;
    if (!height || !width_ || height > IMAGE_MAX_PIXELS / width_)
        return err_set(&u->err, "pictures of %zu x %zu pixels: not between 1 and %d pixels", width_, height, IMAGE_MAX_PIXELS);
    prep = &u->clip.towers.vision_model->prep;
    for (size_t at = 0; at < n; at += API_BATCH) {
        struct batch b = {.n = 0, .a = u->arena};

        for (size_t i = at; i < n && i < at + API_BATCH; i++) {
            unsigned char *crop = arena_take(&b.a, prep->crop * prep->crop, 3);
            struct err why = {0};

            if (!crop)
                return err_set(&u->err, "out of memory");
            if (prep_crop(prep, rgb + i * height * width_ * 3, height, width_, crop, b.a, &why) < 0) {
                api_failed_at(u, "picture", i, &why);
                fail_row(embed + i * width(u), width(u)), bad++;
                continue;
            }
            b.row[b.n] = i, b.crop[b.n++] = crop;
        }
        if (run(u, &b, false, embed, width(u)) < 0)
            return -1;
    }
    return bad ? -1 : 0;
}

/* ---- picture files, which threads decode while the tower computes ---- */

/* The files of a call: their names, or, if path is NULL, their content. */
struct files {
    const char *const *path;
    const void *const *content;
    const size_t *length;
};

static void push(struct image_queue *q, const struct files *f, size_t i) {
    const char *path = f->path ? f->path[i] : NULL;
    const bool usable = path && strlen(path) < NAMES_MAX;

    if (!f->path)
        image_queue_push_bytes(q, f->content[i], f->length[i], f->content[i] ? "" : "it is NULL");
    else
        image_queue_push(q, &(struct picture){.name = usable ? path : "", .file = true}, NULL,
                         usable ? "" : path ? "the name is too long" : "it is NULL");
}

/* Embeds the m oldest pictures of the queue into rows at to at + m - 1 of embed [.., d].  `what` names an input without a
 * name.  Returns the number of pictures that could not be read, or -1 for an error. */
static int take(struct unclip *u, struct image_queue *q, const char *what, size_t at, size_t m, float *embed, size_t d, struct arena a) {
    struct batch b = {.n = 0, .a = a};
    int bad = 0;

    for (size_t i = 0; i < m; i++) {
        const struct image_item *it = image_queue_at(q, i);

        if (!it->err.msg[0]) {
            b.row[b.n] = at + i, b.crop[b.n++] = it->crop;
            continue;
        }
        if (it->name[0])
            api_failed(u, it->name, &it->err);
        else
            api_failed_at(u, what, at + i, &it->err);
        fail_row(embed + (at + i) * d, d), bad++;
    }
    return run(u, &b, false, embed, d) < 0 ? -1 : bad;
}

static int embed_files(struct unclip *u, const struct files *f, size_t n, float *embed) {
    const size_t threads = size_min((size_t)pool_threads(u->look.pool), n);
    struct image_queue_options o = {.slots = size_min(n, 2 * API_BATCH + threads), .threads = threads};
    struct image_queue *q;
    struct arena a;
    size_t pushed = 0;
    int got = 0, bad = 0;

    o.prep = u->clip.towers.vision_model->prep;
    o.read.exif = u->o.exif;
    a = u->arena;
    q = image_queue_start(&o, &a, &u->err);
    for (size_t at = 0, m; q && got >= 0 && at < n; at += m) {
        m = size_min(n - at, API_BATCH);
        for (; pushed < n && image_queue_count(q) < o.slots; pushed++)
            push(q, f, pushed);
        got = take(u, q, f->path ? "path" : "picture", at, m, embed, width(u), a);
        image_queue_pop(q, m);
        bad |= got;
    }
    if (q)
        image_queue_stop(q);
    return !q || bad ? -1 : 0;
}

int unclip_embed_files(struct unclip *u, size_t n, const char *const path[], float *embed) {
    const struct files f = {.path = path};
    int got = begin(u, n, path, "path", embed, api_vision);

    return got <= 0 ? got : embed_files(u, &f, n, embed);
}

int unclip_embed_bytes(struct unclip *u, size_t n, const void *const file[], const size_t length[], float *embed) {
    const struct files f = {.content = file, .length = length};
    int got = begin(u, n, file, "file", embed, api_vision);

    if (got <= 0)
        return got;
    return api_need(u, length, "length") < 0 ? -1 : embed_files(u, &f, n, embed);
}

/* ---- labels, similarity ---- */

static int labels_of(struct unclip *u, struct labels *l, size_t n, const char *const label[], struct arena *a) {
    struct err why = {0};

    *l = (struct labels){.n = n, .name = arena_take(a, n, sizeof *l->name)};
    if (!l->name)
        return err_set(&u->err, "out of memory");
    for (size_t i = 0; i < n; i++) {
        if (!label[i] || !label[i][0]) {
            err_set(&why, "it is %s", label[i] ? "empty" : "NULL");
            return api_failed_at(u, "label", i, &why);
        }
        l->name[i] = span_of(label[i]);
    }
    return 0;
}

int unclip_embed_labels(struct unclip *u, size_t n, const char *const label[], float *embed) {
    int got = begin(u, n, label, "label", embed, api_text);
    const char *name = got > 0 && u->o.templates[0] ? u->o.templates : NULL;
    struct templates t;
    struct err why = {0};
    struct labels l;
    struct arena a;

    if (got <= 0)
        return got;
    a = u->arena;
    if (templates_open(&t, name, &a, &why) < 0)
        return api_failed(u, name, &why);
    if (labels_of(u, &l, n, label, &a) < 0 || encode_labels(&u->clip, &t, &l, &a, NULL, NULL, &u->err) < 0)
        return -1;
    memcpy(embed, l.v, n * l.d * sizeof *embed);
    return 0;
}

/* unclip_cosines splits the rows into tasks for the threads.  A task has ROWS rows. */
enum { ROWS = 1024 };

struct comparison {
    struct sim_query q;
    const float *row;
    size_t n;
    double *cosine;
};

static void compare(void *ctx, size_t task, int thread) {
    const struct comparison *c = ctx;

    (void)thread;
    for (size_t i = task * ROWS; i < c->n && i < (task + 1) * ROWS; i++)
        if (sim_cosine(&c->q, DT_F32, c->row + i * c->q.d, &c->cosine[i]) != SIM_OK)
            c->cosine[i] = (double)NAN;
}

int unclip_cosines(struct unclip *u, size_t width_, const float *query, size_t n, const float *rows, double *cosine) {
    struct comparison c = {.row = rows, .n = n, .cosine = cosine};
    struct arena a;
    double *v;
    int got;

    if (api_enter(u) < 0 || api_need(u, query, "query") < 0 || (n && (api_need(u, rows, "rows") < 0 || api_need(u, cosine, "cosine") < 0)))
        return -1;
    if (!width_)
        return err_set(&u->err, "the width is 0");
    a = u->arena;
    if (!(v = arena_take(&a, width_, sizeof *v)))
        return err_set(&u->err, "out of memory");
    got = sim_query(&c.q, api_similarity(), DT_F32, query, width_, v);
    if (got != SIM_OK)
        return err_set(&u->err, "the query %s", sim_reason(got));
    pool_run(u->look.pool, div_up(n, ROWS), compare, &c);
    for (size_t i = 0; i < n; i++)
        if (isnan(cosine[i]))
            return err_set(&u->err, "row %zu %s", i + 1, sim_reason(sim_cosine(&c.q, DT_F32, rows + i * width_, &cosine[i])));
    return 0;
}

/* Prepares z to classify with n label vectors, label [n, d].  z uses a copy of these vectors, each scaled to length 1. */
static int start_labels(struct unclip *u, struct zero_shot *z, size_t n, size_t d, const float *label, struct arena *a) {
    float *v = arena_take(a, n, d * sizeof *v);

    if (!v)
        return err_set(&u->err, "out of memory");
    memcpy(v, label, n * d * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        int got = sim_normalise(v + i * d, d);

        if (got != SIM_OK)
            return err_set(&u->err, "label %zu %s", i + 1, sim_reason(got));
    }
    *z = (struct zero_shot){.labels = v, .n = n, .d = d, .k = n, .min_cos = -2, .min_prob = -1, .kern = api_similarity(), .pool = u->look.pool};
    return api_scale(u, &z->scale) < 0 ? -1 : zero_shot_start(z, a) < 0 ? err_set(&u->err, "out of memory") : 0;
}

int unclip_classify(struct unclip *u, size_t n, const float *embed, size_t labels, const float *label, double *prob) {
    struct zero_shot z;
    struct arena a;
    size_t d, hits;

    if (api_enter(u) < 0 || (n && (api_need(u, embed, "embed") < 0 || api_need(u, prob, "prob") < 0)) || api_need(u, label, "label") < 0)
        return -1;
    if (!labels)
        return err_set(&u->err, "no labels");
    if (!(d = api_width(u)))
        return -1;
    a = u->arena;
    if (start_labels(u, &z, labels, d, label, &a) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        int got = zero_shot_run(&z, DT_F32, embed + i * d, &hits);

        if (got != SIM_OK)
            err_set(&u->err, "row %zu %s", i + 1, sim_reason(got));
        for (size_t k = 0; k < labels; k++)
            prob[i * labels + (got == SIM_OK ? z.hit[k].label : k)] = got == SIM_OK ? z.hit[k].prob : (double)NAN;
    }
    return u->err.msg[0] ? -1 : 0;
}
