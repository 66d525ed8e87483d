/* Added tokens: build their sorted table, and find them in texts. */
#include <stdlib.h>
#include <string.h>

#include "lib/text/bpe_table.h"
#include "lib/text/text_clean.h"

enum { ID_ROOM = 1 << 20 };    /* an added id is at most eot + ID_ROOM */

static int by_text(const void *p, const void *q) {
    const struct bpe_added *x = p, *y = q;
    size_t n = x->n < y->n ? x->n : y->n;
    int r = x->raw != y->raw ? y->raw - x->raw : memcmp(x->text, y->text, n);

    return r ? r : (x->n > y->n) - (x->n < y->n);
}

static int bad(struct err *e, const struct bpe_added *t, const char *what) {
    return err_set(e, "added token '%.*s' %s", (int)(t->n < 80 ? t->n : 80), t->text, what);
}

uint32_t bpe_find(const struct bpe *b, const char *s, size_t n) {
    for (uint32_t id = 0; id <= b->eot; id++)
        if (bpe_is_token(b, id, s, n))
            return id;
    return UINT32_MAX;
}

/* Check one token and add it to the table.  Unless the token is raw, its text is cleaned, like the text in which the
 * token is looked for. */
static int keep(struct bpe *b, const struct bpe_added *from, struct arena *a, struct err *e) {
    struct bpe_added *t = &b->added[b->nadded];

    *t = *from;
    if (!t->n || t->n > BPE_ADDED_TEXT_MAX)
        return bad(e, t, t->n ? "is longer than 256 bytes" : "is empty");
    if (bpe_is_token(b, b->sot, t->text, t->n) || bpe_is_token(b, b->eot, t->text, t->n))
        return t->id == (bpe_is_token(b, b->sot, t->text, t->n) ? b->sot : b->eot)
                   ? 0 : bad(e, t, "has another id in the merges");
    if (t->id <= b->eot && !bpe_is_token(b, t->id, t->text, t->n))
        return bad(e, t, "has the id of another token");
    if (t->id > b->eot && t->id - b->eot > ID_ROOM)
        return bad(e, t, "has an id out of range");
    t->text = t->raw ? arena_str(a, t->text, t->n) : text_clean(t->text, t->n, &t->n, a, e);
    if (!t->text)
        return err_set(e, "no memory for added tokens");
    if (!t->n)
        return bad(e, from, "is white space");
    b->nadded++;
    return 0;
}

/* Return an error if one text has two ids.  The table is sorted, so equal texts are next to each other. */
static int check(struct bpe *b, struct err *e) {
    for (size_t i = 0; i + 1 < b->nadded; i++)
        if (!by_text(&b->added[i], &b->added[i + 1]) && b->added[i].id != b->added[i + 1].id)
            return bad(e, &b->added[i], "has two ids");
    return 0;
}

/* Keep only one of several equal tokens. */
static void drop_twins(struct bpe *b) {
    size_t n = 0;

    for (size_t i = 0; i < b->nadded; i++)
        if (i == 0 || by_text(&b->added[i], &b->added[n - 1]))
            b->added[n++] = b->added[i];
    b->nadded = n;
}

static int index_ids(struct bpe *b, struct arena *a, struct err *e) {
    size_t room;

    for (size_t i = 0; i < b->nadded; i++) {
        b->vocab = b->added[i].id >= b->vocab ? b->added[i].id + 1 : b->vocab;
        b->nraw += b->added[i].raw;
    }
    room = b->vocab - b->eot - 1;
    b->by_id = arena_take(a, room, sizeof *b->by_id);
    if (!b->by_id)
        return err_set(e, "no memory for added tokens");
    memset(b->by_id, 0xff, room * sizeof *b->by_id);
    for (size_t i = 0; i < b->nadded; i++) {
        uint32_t *at = b->added[i].id > b->eot ? &b->by_id[b->added[i].id - b->eot - 1] : NULL;

        if (at && *at != UINT32_MAX)
            return bad(e, &b->added[i], "has the id of another token");
        if (at)
            *at = (uint32_t)i;
    }
    return 0;
}

int bpe_add(struct bpe *b, const struct bpe_added *v, size_t n, struct arena *a, struct err *e) {
    if (n > BPE_ADDED_MAX)
        return err_set(e, "%zu added tokens are more than %d", n, BPE_ADDED_MAX);
    b->added = arena_take(a, n, sizeof *b->added);
    b->nadded = b->nraw = 0;
    if (!b->added)
        return err_set(e, "no memory for added tokens");
    for (size_t i = 0; i < n; i++)
        if (keep(b, &v[i], a, e) < 0)
            return -1;
    if (b->nadded)
        qsort(b->added, b->nadded, sizeof *b->added, by_text);
    if (check(b, e) < 0)
        return -1;
    drop_twins(b);
    return index_ids(b, a, e);
}

/* ---- finding ---- */

/* Returns the index of the first token of v[lo .. hi) whose byte d is c or larger. */
static size_t bound(const struct bpe_added *v, size_t lo, size_t hi, size_t d, int c) {
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if ((unsigned char)v[mid].text[d] < c)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Returns the longest of the n tokens v with which s begins, or NULL.  s has `left` bytes. */
static const struct bpe_added *match_at(const struct bpe_added *v, size_t n, const char *s, size_t left) {
    const struct bpe_added *best = NULL;
    size_t lo = 0, hi = n;

    for (size_t d = 0; lo < hi; d++) {
        if (v[lo].n == d)
            best = &v[lo++];
        if (d == left)
            break;
        lo = bound(v, lo, hi, d, (unsigned char)s[d]);
        hi = bound(v, lo, hi, d, (unsigned char)s[d] + 1);
    }
    return best;
}

/* Find the tokens of v in s, from left to right, and write their places to mark.  Returns the number of tokens found.
 * If mark is NULL, only counts. */
static size_t find_all(const struct bpe_added *v, size_t n, const char *s, size_t len, struct bpe_mark *mark) {
    size_t k = 0;

    for (size_t i = 0; n && i < len;) {
        const struct bpe_added *t = match_at(v, n, s + i, len - i);

        if (t && mark)
            mark[k] = (struct bpe_mark){i, t->n, t->id};
        k += t != NULL;
        i += t ? t->n : 1;
    }
    return k;
}

/* Mark the added tokens of the cleaned text t->s. */
static int find_clean(const struct bpe *b, struct bpe_text *t, struct arena *a, struct err *e) {
    const struct bpe_added *v = b->nadded ? b->added + b->nraw : NULL;
    size_t n = b->nadded - b->nraw;

    t->marks = find_all(v, n, t->s, t->n, NULL);
    t->mark = arena_take(a, t->marks, sizeof *t->mark);
    if (!t->mark)
        return err_set(e, "no memory for a text of %zu bytes", t->n);
    find_all(v, n, t->s, t->n, t->mark);
    return 0;
}

struct joining {
    const struct bpe *b;
    struct bpe_text *t;
};

static void put(struct joining *j, const char *s, size_t n) {
    if (j->t->n && n)
        j->t->s[j->t->n++] = ' ';
    memcpy(j->t->s + j->t->n, s, n);
    j->t->n += n;
}

/* Append the text s between two raw tokens, cleaned, and mark the added tokens in it. */
static int put_between(struct joining *j, const char *s, size_t n, struct arena scratch, struct err *e) {
    const struct bpe_added *v = j->b->added + j->b->nraw;
    size_t len, at, k, nv = j->b->nadded - j->b->nraw;
    char *clean = text_clean(s, n, &len, &scratch, e);

    if (!clean)
        return -1;
    put(j, clean, len);
    at = j->t->n - len;
    k = find_all(v, nv, clean, len, j->t->mark + j->t->marks);
    for (size_t i = 0; i < k; i++)
        j->t->mark[j->t->marks++].at += at;
    return 0;
}

/* Prepare a text that contains raw tokens. */
static int prepare_raw(const struct bpe *b, const char *s, size_t n, struct bpe_text *t, struct arena *a, struct err *e) {
    const size_t room = (TEXT_GROWTH + 1) * n + 1;
    struct joining j = {b, t};
    struct arena scratch;
    struct bpe_mark *raw;
    size_t nraw, at = 0;

    t->n = t->marks = 0;
    t->s = arena_take(a, room, 1);
    t->mark = arena_take(a, room, sizeof *t->mark);
    scratch = *a;
    nraw = find_all(b->added, b->nraw, s, n, NULL);
    raw = arena_take(&scratch, nraw, sizeof *raw);
    if (!t->s || !t->mark || !raw)
        return err_set(e, "no memory for a text of %zu bytes", n);
    find_all(b->added, b->nraw, s, n, raw);
    for (size_t i = 0; i < nraw; i++) {
        if (put_between(&j, s + at, raw[i].at - at, scratch, e) < 0)
            return -1;
        put(&j, s + raw[i].at, raw[i].n);
        t->mark[t->marks++] = (struct bpe_mark){t->n - raw[i].n, raw[i].n, raw[i].id};
        at = raw[i].at + raw[i].n;
    }
    if (put_between(&j, s + at, n - at, scratch, e) < 0)
        return -1;
    t->s[t->n] = 0;
    return 0;
}

int bpe_prepare(const struct bpe *b, const void *s, size_t n, struct bpe_text *t, struct arena *a, struct err *e) {
    struct arena scratch = *a;

    *t = (struct bpe_text){.s = NULL};
    if (!b->nraw || !find_all(b->added, b->nraw, s, n, NULL)) {
        t->s = text_clean(s, n, &t->n, a, e);
        return t->s ? find_clean(b, t, a, e) : -1;
    }
    if (!text_clean(s, n, &t->n, &scratch, e))    /* only so that an error message has the offset in the whole text */
        return -1;
    return prepare_raw(b, s, n, t, a, e);
}
