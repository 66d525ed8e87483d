#include "tools/stage/vocabulary.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/checkpoint/bpe_files.h"
#include "formats/checkpoint/dalle_model.h"
#include "formats/checkpoint/glide_tok.h"

enum { CLIP_CONTEXT = 77, GLIDE_CONTEXT = 128, WORD_CONTEXT = 1 << 20 };

static int open_clip(struct vocabulary *v, const struct model_paths *one, struct arena *a, struct err *e) {
    struct tok_files f;

    if (model_find_tokenizer(&f, one, a, e) < 0 || bpe_open(&v->bpe, &f, a, e) < 0)
        return -1;
    v->context = f.context ? f.context : CLIP_CONTEXT;
    v->path = f.merges ? f.merges : f.tokenizer_json;
    snprintf(v->hash, sizeof v->hash, "%016" PRIx64, bpe_hash(&v->bpe));
    return 0;
}

static int open_words(struct vocabulary *v, const struct model_paths *one, struct arena *a) {
    struct dalle_model m;
    struct err quiet = {0};

    if (dalle_open(&m, true, one, NULL, a, &quiet) < 0)
        return -1;
    v->words = true;
    v->word = m.bpe;
    v->context = WORD_CONTEXT;
    v->path = one->v[0];
    memcpy(v->hash, m.bpe_hash, sizeof v->hash);
    return 0;
}

static int open_glide(struct vocabulary *v, const struct model_paths *one, struct arena *a, struct err *e) {
    const char *path;
    int r = glide_tok_at(&v->word, one->v[0], &path, a, e);

    if (r <= 0)
        return r;
    v->words = true;
    v->context = GLIDE_CONTEXT;
    v->path = path;
    snprintf(v->hash, sizeof v->hash, "%016" PRIx64, word_bpe_hash(&v->word));
    return 1;
}

int vocabulary_open(struct vocabulary *v, const struct model_paths *p, struct arena *a, struct err *e) {
    struct err all = {0};

    *v = (struct vocabulary){.words = false};
    for (size_t i = 0; i < p->n; i++) {
        struct model_paths one = {.v = &p->v[i], .n = 1, .host = p->host};
        struct err inner = {0};
        struct arena before = *a;
        int r = open_glide(v, &one, a, e);

        if (r)
            return r < 0 ? -1 : 0;
        if (open_clip(v, &one, a, &inner) == 0)
            return 0;
        *a = before;
        if (open_words(v, &one, a) == 0)
            return 0;
        *a = before;
    }
    /* no path has a tokenizer by itself: search all paths together for CLIP's, and report that search's error */
    if (open_clip(v, p, a, &all) < 0)
        return err_set(e, "%s", all.msg);
    return 0;
}

int vocabulary_encode(const struct vocabulary *v, struct span text, bool special, size_t limit, struct bpe_tokens *t,
                      struct span *clean, struct arena *a, struct err *e) {
    const struct word_bpe *b = &v->word;
    size_t n, k = 0;
    struct bpe_text s;
    int *raw;

    if (!v->words) {
        if (bpe_prepare(&v->bpe, text.p, text.n, &s, a, e) < 0)
            return -1;
        *clean = span_bytes(s.s, s.n);
        return bpe_encode(&v->bpe, &s, special, limit, t, a, e);
    }
    *clean = text;
    if (word_bpe_encode(b, (const char *)text.p, text.n, &raw, &n, a, e) < 0)
        return -1;
    if (!(t->id = arena_take(a, n + 2, sizeof *t->id)))
        return err_set(e, "no memory for %zu tokens", n);
    if (b->bos >= 0)
        t->id[k++] = b->bos;
    for (size_t i = 0; i < n; i++)
        t->id[k++] = raw[i];
    if (b->eos >= 0)
        t->id[k++] = b->eos;
    t->n = k;
    t->cut = text.n;
    return 0;
}

void vocabulary_truncate(const struct vocabulary *v, struct bpe_tokens *t, size_t limit) {
    if (!v->words)
        bpe_truncate(&v->bpe, t, limit);
    else if (t->n > limit)
        t->n = limit;
}

char *vocabulary_decode(const struct vocabulary *v, const int64_t *id, size_t n, bool special, size_t *len, struct arena *a,
                        struct err *e) {
    return v->words ? word_bpe_decode(&v->word, id, n, len, a, e) : bpe_decode(&v->bpe, id, n, special, len, a, e);
}
