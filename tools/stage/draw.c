#include "tools/stage/draw.h"

#include <math.h>
#include <string.h>

#include "lib/base/pool.h"
#include "lib/base/size.h"

size_t draw_tokens(const struct dalle_model *m) {
    return m->bart ? bart_config_of(m->bart)->tokens : m->side * m->side;
}

size_t draw_vocabulary(const struct dalle_model *m) {
    return m->bart ? bart_config_of(m->bart)->text_vocab : gpt_config_of(m->gpt)->text_vocab;
}

static size_t cache_floats(const struct dalle_model *m) {
    return m->bart ? bart_candidate_floats(m->bart) : gpt_candidate_floats(m->gpt);
}

static size_t scratch_of(const struct dalle_model *m, const struct compute *c, size_t n) {
    return m->bart ? bart_scratch(m->bart, c, n) : gpt_scratch(m->gpt, c, n);
}

size_t draw_bytes(const struct dalle_model *m, const struct compute *c, bool guided) {
    const size_t rows = guided ? 2 : 1, two = scratch_of(m, c, 2), one = scratch_of(m, c, 1);

    return rows * ((cache_floats(m) + m->codes) * sizeof(float) + (two - one) + 512) + draw_tokens(m) * sizeof(int);
}

/* A prompt's keys and values, and, with a GPT, the scores of the first picture token, which gpt_prefill computes. */
struct prompt {
    float *kv;
    size_t keys;
    float *first;    /* [V] the scores of the first picture token; NULL with BART */
};

/* One chunk of `count` candidates.  An array of [rows] has a row for each candidate and then, with guidance, a row for
 * each candidate's twin. */
struct chunk {
    struct draw *d;
    struct prompt prompt[2];         /* the text, and the empty prompt */
    size_t first, count, rows;
    float **cache;                   /* [rows] */
    int *token;                      /* [count] the last token of each candidate */
    bool *lost;                      /* [count] true: the candidate has no finite score for token `at` */
    float *scores;                   /* [rows, V] */
    struct gpt_candidate *gpt;
    struct bart_candidate *bart;
    double *weight;                  /* [threads, V] */
    uint32_t *order;
    void *scratch;
    size_t at;                       /* number of the token that is computed */
};

static bool guided(const struct draw *d) {
    return d->guidance != 1;
}

/* ---- prompts ---- */

static int run_prompt(const struct draw *d, const int *ids, size_t n, struct prompt *p, struct arena *a, void *scratch,
                      struct err *e) {
    const struct dalle_model *m = d->m;
    const size_t v = m->codes;

    p->keys = n;
    if (!n && m->bart)
        return err_set(e, "the tokenizer has no start and end, and an empty prompt has no tokens");
    if (m->bart) {
        if (!(p->kv = arena_take(a, bart_prompt_floats(m->bart, n), sizeof(float))))
            return err_set(e, "no memory for a prompt");
        bart_encode(m->bart, d->c, n, ids, p->kv, NULL, scratch);
        p->first = NULL;
        return 0;
    }
    const int pad = m->bpe.pad > 0 ? m->bpe.pad : 0;
    int *padded = arena_take(a, m->text, sizeof *padded);

    p->kv = arena_take(a, gpt_prompt_floats(m->gpt), sizeof(float));
    p->first = arena_take(a, v, sizeof(float));
    if (!padded || !p->kv || !p->first)
        return err_set(e, "no memory for a prompt");
    for (size_t i = 0; i < m->text; i++)
        padded[i] = i < n ? ids[i] : pad;
    gpt_prefill(m->gpt, d->c, padded, p->kv, p->first, scratch);
    return 0;
}

static int run_prompts(struct chunk *k, struct arena *a, void *scratch, struct err *e) {
    const struct draw *d = k->d;
    size_t n;
    int *empty;
    bool cut;

    if (run_prompt(d, d->ids, d->nids, &k->prompt[0], a, scratch, e) < 0)
        return -1;
    if (!guided(d))
        return 0;
    if (dalle_tokens(d->m, "", 0, &empty, &n, &cut, a, e) < 0)
        return -1;
    return run_prompt(d, empty, n, &k->prompt[1], a, scratch, e);
}

/* ---- one token ---- */

/* Computes the scores of token k->at for the first `rows` candidates.  With guidance, also runs their twins, and the
 * scores are the guided ones. */
static void step(struct chunk *k, size_t rows) {
    const struct draw *d = k->d;
    const size_t at = k->at, v = d->m->codes, twins = guided(d) ? rows : 0;

    for (size_t i = 0; i < rows + twins; i++) {
        const size_t one = i < rows ? i : i - rows;
        const struct prompt *p = &k->prompt[i >= rows];
        float *cache = k->cache[i < rows ? one : k->count + one];

        if (d->m->bart)
            k->bart[i] = (struct bart_candidate){p->kv, p->keys, cache,
                                                 at ? k->token[one] : (int)bart_config_of(d->m->bart)->start};
        else if (at)
            k->gpt[i] = (struct gpt_candidate){p->kv, cache, k->token[one]};
        else
            memcpy(k->scores + i * v, p->first, v * sizeof *k->scores);
    }
    if (d->m->bart)
        bart_step(d->m->bart, d->c, at, rows + twins, k->bart, k->scores, k->scratch);
    else if (at)
        gpt_step(d->m->gpt, d->c, at - 1, rows + twins, k->gpt, k->scores, k->scratch);
    for (size_t i = 0; i < twins; i++)
        token_guide(v, k->scores + (rows + i) * v, d->guidance, k->scores + i * v);
}

/* Returns ln of the token's probability under the softmax of the n scores. */
static double log_p(const float *s, size_t n, int token) {
    double top = (double)s[0], sum = 0;

    for (size_t i = 1; i < n; i++)
        top = (double)s[i] > top ? (double)s[i] : top;
    for (size_t i = 0; i < n; i++)
        sum += exp((double)s[i] - top);
    return (double)s[token] - top - log(sum);
}

static void keep_token(struct chunk *k, size_t i, int token) {
    k->token[i] = token;
    k->d->tokens[(k->first + i) * draw_tokens(k->d->m) + k->at] = token;
}

static void choose(void *ctx, size_t i, int thread) {
    struct chunk *k = ctx;
    const struct draw *d = k->d;
    const size_t v = d->m->codes;
    double *w = k->weight + (size_t)thread * v;
    const float *s = k->scores + i * v;
    double total = token_weights(&d->rules, v, s, w, k->order + (size_t)thread * v);
    size_t token;

    if ((k->lost[i] = !(total > 0)))
        return;
    token = d->torch ? token_multinomial(d->torch, v, w, total)
                     : token_pick(v, w, token_uniform(d->key.seed, d->key.id, noise_sample(&d->key, k->first + i), (unsigned)k->at));
    keep_token(k, i, (int)token);
    d->logp[k->first + i] += log_p(s, v, (int)token);
}

/* ---- a chunk ---- */

static int chunk_open(struct chunk *k, struct arena *a, struct err *e) {
    const struct draw *d = k->d;
    const size_t v = d->m->codes, threads = (size_t)pool_threads(d->c->pool), floats = cache_floats(d->m);

    k->rows = k->count * (guided(d) ? 2 : 1);
    k->cache = arena_take(a, k->rows, sizeof *k->cache);
    k->token = arena_take(a, k->count, sizeof *k->token);
    k->lost = arena_take(a, k->count, sizeof *k->lost);
    k->scores = arena_take(a, k->rows * v, sizeof *k->scores);
    k->gpt = arena_take(a, k->rows, sizeof *k->gpt);
    k->bart = arena_take(a, k->rows, sizeof *k->bart);
    k->weight = arena_take(a, threads * v, sizeof *k->weight);
    k->order = arena_take(a, threads * v, sizeof *k->order);
    k->scratch = arena_take(a, scratch_of(d->m, d->c, k->rows), 1);
    if (!k->cache || !k->token || !k->lost || !k->scores || !k->gpt || !k->bart || !k->weight || !k->order ||
        !k->scratch)
        return err_set(e, "no memory for %zu candidates", k->count);
    for (size_t i = 0; i < k->rows; i++)
        if (!(k->cache[i] = arena_take(a, floats, sizeof(float))))
            return err_set(e, "no memory for %zu candidates", k->count);
    return 0;
}

/* Copies the cache and the last token of the first candidate, and its twin's cache, to all other candidates. */
static void spread(struct chunk *k) {
    const size_t bytes = cache_floats(k->d->m) * sizeof(float);

    for (size_t i = 1; i < k->count; i++) {
        memcpy(k->cache[i], k->cache[0], bytes);
        if (guided(k->d))
            memcpy(k->cache[k->count + i], k->cache[k->count], bytes);
        k->token[i] = k->token[0];
    }
}

/* Returns how many tokens at the beginning of the picture the caller has given. */
static size_t given_first(const struct draw *d) {
    size_t n = 0;

    while (d->given && n < draw_tokens(d->m) && d->given[n] >= 0)
        n++;
    return n;
}

static int run_chunk(struct chunk *k, struct arena scratch, struct err *e) {
    struct draw *d = k->d;
    const size_t all = draw_tokens(d->m), head = given_first(d);
    size_t drawn = 0;

    if (chunk_open(k, &scratch, e) < 0)
        return -1;
    for (size_t i = 0; i < k->count; i++)
        d->logp[k->first + i] = 0;
    for (k->at = 0; k->at < all; k->at++) {
        const bool keep = d->given && d->given[k->at] >= 0;

        if (k->at == head && head)
            spread(k);
        if (k->at < head) {    /* the given tokens are equal for all candidates, so one candidate is run */
            step(k, 1);
            for (size_t i = k->count; i-- > 0;)
                keep_token(k, i, d->given[k->at]);
        } else {
            step(k, k->count);
            for (size_t i = 0; keep && i < k->count; i++)
                keep_token(k, i, d->given[k->at]);
            if (!keep) {
                struct compute one = {d->c->kern, d->torch ? NULL : d->c->pool};    /* torch: in order, on one thread */

                pool_run(one.pool, k->count, choose, k);
                for (size_t i = 0; i < k->count; i++)
                    if (k->lost[i])
                        return err_set(e, "candidate %zu, token %zu: scores that are not numbers", k->first + i, k->at);
                drawn++;
            }
        }
        if (d->watch && !d->watch(d->ctx, d, k->first, k->count, k->at + 1, drawn))
            return -1;
    }
    for (size_t i = 0; i < k->count && drawn; i++)
        d->logp[k->first + i] /= (double)drawn;
    return 0;
}

int draw_run(struct draw *d, struct arena a, struct err *e) {
    struct chunk k = {.d = d};
    struct arena room;
    void *scratch;

    room = a;
    if (!(scratch = arena_take(&room, scratch_of(d->m, d->c, 1), 1)))
        return err_set(e, "no memory for a prompt");
    if (run_prompts(&k, &room, scratch, e) < 0)
        return -1;
    for (k.first = 0; k.first < d->n; k.first += k.count) {
        k.count = size_min(d->torch ? d->n : d->chunk, d->n - k.first);
        if (run_chunk(&k, room, e) < 0)
            return -1;
    }
    return 0;
}
