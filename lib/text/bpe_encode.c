#include <string.h>

#include "lib/base/utf8.h"
#include "lib/text/bpe_table.h"
#include "lib/text/pair_merge.h"
#include "lib/text/text_clean.h"

enum { SHORT = 48 };    /* a piece of at most SHORT bytes is merged without a heap */

/* ---- one piece ---- */

/* Returns the id to which two neighbours merge, or UINT32_MAX. */
static uint32_t merge_of(const struct bpe *b, uint32_t left, uint32_t right) {
    uint32_t id = *bpe_slot(b, left, right);

    return id ? id : UINT32_MAX;
}

/* Merge the n ids of a short piece in place, by a new search for the best pair after each merge.  Returns how many ids
 * are left. */
static size_t merge_short(const struct bpe *b, uint32_t *w, size_t n) {
    uint32_t m[SHORT], best;    /* m[i]: the merge of w[i] and w[i + 1] */
    size_t at = 0;

    for (size_t i = 0; i + 1 < n; i++)
        m[i] = merge_of(b, w[i], w[i + 1]);
    while (n > 1) {
        best = UINT32_MAX;
        for (size_t i = 0; i + 1 < n; i++)
            if (m[i] < best)
                best = m[i], at = i;
        if (best == UINT32_MAX)
            break;
        w[at] = best;
        n--;
        memmove(w + at + 1, w + at + 2, (n - at - 1) * sizeof *w);
        if (at + 1 < n) {
            memmove(m + at + 1, m + at + 2, (n - at - 2) * sizeof *m);
            m[at] = merge_of(b, best, w[at + 1]);
        }
        if (at > 0)
            m[at - 1] = merge_of(b, w[at - 1], best);
    }
    return n;
}

static bool find_merge(const void *table, uint32_t left, uint32_t right, struct merge *m) {
    m->rank = m->id = merge_of(table, left, right);    /* ids are given in the order of the merges */
    return m->id != UINT32_MAX;
}

/* ---- splitting ---- */

/* Returns the length of the special token's name with which s begins, or 0.  The reference ignores case here, so U+017F
 * counts as an s.  A name that is spelled with U+017F is one piece, but it is not a special token. */
static size_t special_at(const char *s, size_t n) {
    static const char *const name[] = {BPE_SOT, BPE_EOT};

    for (int k = 0; k < 2; k++) {
        size_t i = 0, j = 0;
        while (name[k][j] && i < n) {
            if (s[i] == name[k][j])
                i++;
            else if (name[k][j] == 's' && n - i > 1 && !memcmp(s + i, "\xc5\xbf", 2))
                i += 2;
            else
                break;
            j++;
        }
        if (!name[k][j])
            return i;
    }
    return 0;
}

static size_t contraction_at(const char *s, size_t n) {
    static const char *const tail[] = {"s", "\xc5\xbf", "t", "re", "ve", "m", "ll", "d"};

    if (s[0] != '\'')
        return 0;
    for (size_t k = 0; k < sizeof tail / sizeof *tail; k++) {
        size_t len = strlen(tail[k]);
        if (n - 1 >= len && !memcmp(s + 1, tail[k], len))
            return 1 + len;
    }
    return 0;
}

/* Returns the class of the character at s, where n > 0 bytes may be read, and its length in *len. */
static enum text_class class_at(const char *s, size_t n, size_t *len) {
    uint32_t c;
    int k = utf8_get((const unsigned char *)s, n, &c);

    *len = (size_t)(k < 0 ? -k : k);
    return k < 0 ? TEXT_OTHER : text_class(c);
}

/* Returns the length of the piece with which s begins, or 0 if s begins with white space. */
static size_t piece_at(const char *s, size_t n, bool special) {
    size_t len = special && s[0] == '<' ? special_at(s, n) : 0, step;
    enum text_class c;

    if (len == 0)
        len = contraction_at(s, n);
    if (len > 0)
        return len;
    c = class_at(s, n, &len);
    if (c == TEXT_SPACE)
        return 0;
    while (c != TEXT_NUMBER && len < n && class_at(s + len, n - len, &step) == c)
        len += step;
    return len;
}

/* Encode the piece s into w.  Returns the number of ids, or 0 when memory is exhausted. */
static size_t encode_piece(const struct bpe *b, const char *s, size_t n,
                           bool special, uint32_t *w, struct arena scratch) {
    if (special && n == strlen(BPE_SOT) && !memcmp(s, BPE_SOT, n)) {
        w[0] = b->sot;
        return 1;
    }
    if (special && n == strlen(BPE_EOT) && !memcmp(s, BPE_EOT, n)) {
        w[0] = b->eot;
        return 1;
    }
    for (size_t i = 0; i < n; i++)
        w[i] = b->alphabet.id[(unsigned char)s[i]];
    w[n - 1] += 256;
    return n <= SHORT ? merge_short(b, w, n) : pair_merge(b, find_merge, w, n, scratch);
}

/* Returns the place in the text, in bytes, at which token k of a piece begins.  w holds the ids of the piece, and the
 * piece begins at `at`. */
static size_t token_start(const struct bpe *b, const uint32_t *w, size_t k, size_t at) {
    for (size_t i = 0; i < k; i++)
        at += w[i] < b->sot ? b->at[w[i] + 1] - b->at[w[i]] : 0;
    return at;
}

int bpe_encode(const struct bpe *b, const struct bpe_text *text, bool special, size_t limit,
               struct bpe_tokens *t, struct arena *a, struct err *e) {
    size_t n = text->n, at, len, k, marks = 0;
    uint32_t *w = NULL;

    t->cut = n;
    t->n = 0;
    /* places in a longer text could not be counted in 32 bits */
    if (n < UINT32_MAX / 2)
        w = arena_take(a, n + 2, sizeof *w);
    if (!w)
        return err_set(e, "no memory for a text of %zu bytes", n);
    w[t->n++] = b->sot;
    for (size_t i = 0; i < n; i += len) {
        at = marks < text->marks ? text->mark[marks].at : n;    /* the place of the next added token */
        len = i == at ? text->mark[marks].n : piece_at(text->s + i, at - i, special);
        if (len == 0) {
            len = 1;
            continue;
        }
        if (i == at)
            w[t->n] = text->mark[marks++].id, k = 1;
        else
            k = encode_piece(b, text->s + i, len, special, w + t->n, *a);
        if (k == 0)
            return err_set(e, "no memory for a word of %zu bytes", len);
        if (t->n + k + 1 > limit && t->cut == n)
            t->cut = token_start(b, w + t->n, limit - 1 - t->n, i);
        t->n += k;
    }
    w[t->n++] = b->eot;
    t->id = (int *)w;
    return 0;
}

void bpe_truncate(const struct bpe *b, struct bpe_tokens *t, size_t limit) {
    if (t->n <= limit)
        return;
    t->n = limit;
    t->id[limit - 1] = (int)b->eot;
}
