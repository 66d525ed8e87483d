#include "tools/stage/query.h"

#include <stdio.h>
#include <string.h>

#include "formats/record/params.h"
#include "formats/record/stream.h"
#include "lib/vector/similarity.h"

static const size_t BUFFER = (size_t)1 << 30;    /* address space for a query that comes through a pipe */

/* Sets *q to the query whose vector is v.  The memory of the query is taken from the arena a. */
static int keep(struct scan_query *q, const struct vector *v, struct arena *a, struct err *e) {
    double *room = arena_take(a, v->d, sizeof *room);
    struct span model = arena_span(a, v->model);
    int got;

    if (!room || !model.p)
        return err_set(e, "out of memory");
    if ((got = sim_query(&q->sim, q->sim.kern, v->dtype, v->data, v->d, room)) != SIM_OK)
        return err_set(e, "the query's %s %s", v->field, sim_reason(got));
    q->from = *v;
    q->from.model = model;
    return 0;
}

static int first_record(struct scan_query *q, struct stream *s, double *scale, struct arena scratch, struct arena *a,
                        struct err *e) {
    struct record r;
    struct vector v;
    int got;

    if ((got = stream_next(s, &r, &scratch, e)) <= 0)
        return got < 0 ? -1 : err_set(e, "no record in it");
    params_float(&r, "clip-embed", "logit_scale", scale);
    if (vector_find(&v, &r, NULL, &scratch, e) < 0 || keep(q, &v, a, e) < 0)
        return -1;
    if (stream_next(s, &r, &scratch, NULL) != 0)
        return err_set(e, "more than one record, and a query is one");
    return 0;
}

static int from_stream(struct scan_query *q, const char *path, double *scale, struct arena *a,
                       struct err *e) {
    struct err why = {0};
    struct arena_mem mem = {.base = NULL};
    struct arena scratch;
    struct stream s;
    int got;

    if (stream_open(&s, path, a, arena_share(a, 4, BUFFER), &why) < 0)
        return err_at(e, path, &why);
    got = arena_split(a, arena_share(a, 4, BUFFER), &mem, &scratch) < 0 ? err_set(&why, "out of memory")
                                                                         : first_record(q, &s, scale, scratch, a, &why);
    arena_join(a, &mem);
    stream_close(&s);
    return got < 0 ? err_at(e, path, &why) : 0;
}

/* Writes the mean of the texts' vectors, each scaled to length one, into x.  If there is only one text, writes its
 * vector without scaling. */
static int mean_of_texts(const struct encoder *n, const struct query_source *from, float *x, struct arena scratch,
                         struct err *e) {
    float *one = arena_take(&scratch, n->d, sizeof *one);

    if (!one)
        return err_set(e, "out of memory");
    if (from->ntext == 1)
        return encode_text(n, span_of(from->text[0]), x, scratch, e);
    memset(x, 0, n->d * sizeof *x);
    for (size_t i = 0; i < from->ntext; i++) {
        if (encode_text(n, span_of(from->text[i]), one, scratch, e) < 0)
            return -1;
        if (sim_normalise(one, n->d) != SIM_OK)
            return err_set(e, "the vector of a text has no direction");
        for (size_t k = 0; k < n->d; k++)
            x[k] += one[k] / (float)from->ntext;
    }
    return 0;
}

/* Tells q which CLIP the tower of n belongs to.  If the tower's file lacks the other tower, that tower is looked for in the
 * paths, because its vectors have another fingerprint. */
static int know_clip(struct scan_query *q, const struct encoder *n, unsigned tower, const struct query_source *from,
                     struct arena *a, struct err *e) {
    const char *own = tower == MODEL_TEXT ? "text_embed" : "image_embed";

    q->joint = n->joint;
    if (n->joint || q->force || (q->field && !strcmp(q->field, own)))
        return 0;
    if (!(q->clip = arena_zero(a, 1, sizeof *q->clip)))
        return err_set(e, "out of memory");
    if (tower == MODEL_TEXT)
        q->clip->origin.text = n->towers.text_model;
    else
        q->clip->origin.vision = n->towers.vision_model;
    origin_open(&q->clip->origin, &from->paths, a);
    return 0;
}

static int from_model(struct scan_query *q, const struct query_source *from, double *scale,
                      struct arena *a, struct err *e) {
    struct vector v = {from->ntext ? "text_embed" : "image_embed", DT_F32, 0, NULL, {NULL, 0}};
    struct err why = {0};
    struct encoder n;
    float *x;
    int got;

    if (encode_open(&n, from->ntext ? MODEL_TEXT : MODEL_VISION, 1, &from->paths, from->compute, a, e) < 0)
        return -1;
    if (!(x = arena_take(a, n.d, sizeof *x)))
        return err_set(e, "out of memory");
    got = from->ntext ? mean_of_texts(&n, from, x, *a, &why) : encode_image(&n, from->image, x, *a, &why);
    v.d = n.d, v.data = x;
    v.model = span_of(n.model->fingerprint);
    if (n.model->config.has_scale)
        *scale = (double)n.model->config.scale;
    if (got < 0 || keep(q, &v, a, &why) < 0 || know_clip(q, &n, from->ntext ? MODEL_TEXT : MODEL_VISION, from, a, &why) < 0)
        return err_at(e, from->ntext ? "--text" : from->image, &why);
    return 0;
}

int query_open(struct scan_query *q, const struct query_source *from, double *scale,
               struct arena *a, struct err *e) {
    return from->stream ? from_stream(q, from->stream, scale, a, e) : from_model(q, from, scale, a, e);
}

/* Reads the vectors of the labels in l from the cache, if the cache is fresh.  Otherwise computes the vectors and
 * writes them to the cache. */
static int embed_labels(struct labels *l, const struct query_source *from,
                        const struct templates *t, struct scan_query *q, char key[LABELS_KEY],
                        struct arena *a, struct err *e) {
    struct err why = {0};
    struct encoder n;
    char of[48];    /* the fingerprint of the weights, the activation if --activation gave it, and bf16 if the weights are */
    int got = 0;

    if (encode_open(&n, MODEL_TEXT, ENCODE_BATCH, &from->paths, from->compute, a, e) < 0 ||
        know_clip(q, &n, MODEL_TEXT, from, a, e) < 0)
        return -1;
    snprintf(of, sizeof of, "%s%s%s", n.model->fingerprint,
             from->paths.activation < 0 ? "" : from->paths.activation == ACT_GELU ? " gelu" : " quick_gelu",
             from->compute->kern->precision == PREC_BF16 ? " bf16" : "");
    labels_key(key, of, l, t);
    if (from->cache && (got = labels_cache_read(l, from->cache, key, a, &why)) != 0)
        return got < 0 ? err_at(e, from->cache, &why) : 0;
    if (encode_labels(&n, t, l, a, from->tick, from->ctx, &why) < 0)
        return err_at(e, from->labels ? from->labels : "--label", &why);
    if (from->cache && labels_cache_write(l, from->cache, key, *a, &why) < 0)
        return err_at(e, from->cache, &why);
    return 0;
}

int query_open_labels(struct labels *l, const struct query_source *from, struct scan_query *q,
                      char key[LABELS_KEY], struct arena *a, struct err *e) {
    struct err why = {0};
    struct templates t;

    q->joint = false, q->clip = NULL;
    key[0] = 0;
    if (from->names && labels_parse(l, span_of(from->names), a, &why) < 0)
        return err_at(e, "--label", &why);
    if (!from->names && labels_open(l, from->labels, a, &why) < 0)
        return err_at(e, from->labels, &why);
    if (l->v && (from->cache || from->templates))
        return err_set(e, "%s: it holds vectors; templates and a cache are for labels in text",
                       from->labels);
    if (l->v)
        return 0;
    if (templates_open(&t, from->templates, a, &why) < 0)
        return err_at(e, from->templates, &why);
    return embed_labels(l, from, &t, q, key, a, e);
}

/* ---- params ---- */

int query_params(struct span *out, const struct query_source *from, const struct ranking *g,
                 const char *key, struct arena *a, struct err *e) {
    const struct { const char *name, *text; } text[] = {
        {"version", UNCLIP_VERSION}, {"text", from->ntext == 1 ? from->text[0] : NULL}, {"image", from->image},
        {"query", from->stream}, {"labels", from->labels}, {"templates", from->templates},
        {"label_names", from->names}, {"labels_key", *key ? key : NULL}, {"field", g->q.field},
    };
    const struct { const char *name; double v; bool on; } number[] = {
        {"logit_scale", g->scale, true}, {"min_cos", g->min_cos, g->min_cos >= -1},
        {"min_prob", g->min_prob, g->min_prob >= 0},
    };
    enum { NTEXT = sizeof text / sizeof *text, NNUMBER = sizeof number / sizeof *number };
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    for (size_t i = 0; i < NTEXT; i++)
        if (text[i].text) {
            mp_cstr(&m, text[i].name);
            mp_text(&m, text[i].text, strlen(text[i].text));
        }
    if (from->ntext > 1) {
        mp_cstr(&m, "text");
        mp_array(&m, from->ntext);
        for (size_t i = 0; i < from->ntext; i++)
            mp_text(&m, from->text[i], strlen(from->text[i]));
    }
    for (size_t i = 0; i < NNUMBER; i++)
        if (number[i].on) {
            mp_cstr(&m, number[i].name);
            mp_float(&m, number[i].v);
        }
    if (g->kind != RESULT_MATCH) {
        mp_cstr(&m, "k");
        mp_int(&m, (int64_t)g->k);
    }
    mp_map_end(&m, begin);
    if (m.full)
        return err_set(e, "out of memory");
    *out = mp_span(&m);
    return 0;
}
