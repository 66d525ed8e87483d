#include "lib/text/bpe.h"

#include <string.h>
#include <xxhash.h>

#include "lib/base/size.h"
#include "lib/base/utf8.h"
#include "lib/text/bpe_table.h"

#define MARK "</w>"

enum { MARK_LEN = 4 };

/* ---- bytes and their printable stand-ins ---- */

static bool prints(unsigned b) {
    return (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad);
}

static void alphabet(struct bpe_alphabet *t) {
    unsigned k = 0;

    for (int pass = 0; pass < 2; pass++)
        for (unsigned b = 0; b < 256; b++)
            if (prints(b) == !pass) {
                t->byte[k] = (unsigned char)b;
                t->id[b] = (unsigned char)k++;
            }
}

enum { PRINTING = 188 };    /* the number of bytes that stand for themselves */

/* Returns the byte that code point c stands for, or -1. */
static int byte_of(const struct bpe_alphabet *t, uint32_t c) {
    if (c < 0x100)
        return prints(c) ? (int)c : -1;
    return c < 0x100 + 256 - PRINTING ? t->byte[PRINTING + c - 0x100] : -1;
}

/* Turn the spelled token s into bytes in out, which has room for n bytes.  *last tells whether s ends a word.  Returns
 * the number of bytes, or -1. */
static long unspell(const struct bpe_alphabet *t, const char *s, size_t n, unsigned char *out, bool *last) {
    long k = 0;
    uint32_t c;
    int len, b;

    *last = n >= MARK_LEN && !memcmp(s + n - MARK_LEN, MARK, MARK_LEN);
    if (*last)
        n -= MARK_LEN;
    for (size_t i = 0; i < n; i += (size_t)len) {
        len = utf8_get((const unsigned char *)s + i, n - i, &c);
        if (len < 0 || (b = byte_of(t, c)) < 0)
            return -1;
        out[k++] = (unsigned char)b;
    }
    return k;
}

/* ---- building ---- */

/* A table from token text to id, needed only while merges are read. */
struct names {
    const struct bpe *b;
    uint32_t *slot;    /* id + 1; 0 is free */
    size_t mask;
};

/* Returns the slot that holds the token, or the free slot where the token belongs. */
static uint32_t *name_slot(const struct names *t, const unsigned char *s, size_t n, bool last) {
    const struct bpe *b = t->b;
    size_t h = (size_t)XXH64(s, n, last);

    for (;; h++) {
        uint32_t *p = &t->slot[h & t->mask], id = *p - 1;
        if (*p == 0)
            return p;
        if (b->last[id] == last && b->at[id + 1] - b->at[id] == n &&
            !memcmp(b->text + b->at[id], s, n))
            return p;
    }
}

static void build_bytes(struct bpe *b, const struct names *t) {
    b->at[0] = 0;
    for (uint32_t id = 0; id < BPE_BYTES; id++) {
        b->text[id] = b->alphabet.byte[id & 255];
        b->last[id] = id >= 256;
        b->at[id + 1] = id + 1;
        *name_slot(t, b->text + id, 1, id >= 256) = id + 1;
    }
}

/* Returns the id of a spelled token, or -1.  tmp has room for n bytes. */
static int64_t lookup(const struct names *t, const char *s, size_t n, unsigned char *tmp) {
    bool last;
    long k = unspell(&t->b->alphabet, s, n, tmp, &last);

    return k < 0 ? -1 : (int64_t)*name_slot(t, tmp, (size_t)k, last) - 1;
}

static int build_merge(struct bpe *b, const struct names *t,
                       const struct bpe_merge *m, size_t i, struct err *e) {
    uint32_t id = (uint32_t)(BPE_BYTES + i), *slot;
    unsigned char *end = b->text + b->at[id];
    int64_t l = lookup(t, m->left, m->nleft, end);
    int64_t r = lookup(t, m->right, m->nright, end);
    size_t nl, nr;

    if (l < 0 || r < 0)
        return err_set(e, "merge %zu: '%.*s' is not a token yet", i + 1,
                       (int)(l < 0 ? m->nleft : m->nright) & 127, l < 0 ? m->left : m->right);
    if (b->last[l])
        return err_set(e, "merge %zu: '%.*s' ends a word, no token can follow it", i + 1,
                       (int)m->nleft & 127, m->left);
    nl = b->at[l + 1] - b->at[l];
    nr = b->at[r + 1] - b->at[r];
    memcpy(end, b->text + b->at[l], nl);
    memcpy(end + nl, b->text + b->at[r], nr);
    b->at[id + 1] = b->at[id] + (uint32_t)(nl + nr);
    b->last[id] = b->last[r];
    slot = name_slot(t, end, nl + nr, b->last[r]);
    if (*slot)
        return err_set(e, "merge %zu: '%.*s' and '%.*s' make token %u, which is there already",
                       i + 1, (int)m->nleft & 127, m->left, (int)m->nright & 127, m->right, *slot - 1);
    *slot = id + 1;
    b->pair[i] = (struct bpe_pair){(uint32_t)l, (uint32_t)r};
    *bpe_slot(b, (uint32_t)l, (uint32_t)r) = id;
    return 0;
}

int bpe_build(struct bpe *b, const struct bpe_merge *m, size_t n, struct arena *a, struct err *e) {
    size_t ids = BPE_BYTES + n, text = BPE_BYTES, slots;
    struct arena scratch;
    struct names t;

    if (n > BPE_MERGES_MAX)
        return err_set(e, "%zu merges are more than %d", n, BPE_MERGES_MAX);
    for (size_t i = 0; i < n; i++)
        text += (size_t)m[i].nleft + m[i].nright;
    if (text > UINT32_MAX)
        return err_set(e, "merges of %zu bytes are too long", text);
    slots = power_of_two(size_max(2 * ids, 1024));
    *b = (struct bpe){.merges = n, .mask = slots - 1};
    alphabet(&b->alphabet);
    b->pair = arena_take(a, n + 1, sizeof *b->pair);
    b->slot = arena_zero(a, slots, sizeof *b->slot);
    b->text = arena_take(a, text, 1);
    b->at = arena_take(a, ids + 1, sizeof *b->at);
    b->last = arena_take(a, ids, 1);
    scratch = *a;
    t = (struct names){b, arena_zero(&scratch, slots, sizeof *t.slot), slots - 1};
    if (!b->pair || !b->slot || !b->text || !b->at || !b->last || !t.slot)
        return err_set(e, "no memory for %zu merges", n);
    build_bytes(b, &t);
    for (size_t i = 0; i < n; i++)
        if (build_merge(b, &t, &m[i], i, e) < 0)
            return -1;
    b->sot = (uint32_t)ids;
    b->eot = b->sot + 1;
    b->vocab = b->sot + 2;
    b->pair[n] = (struct bpe_pair){b->sot, b->eot};
    return 0;
}

uint64_t bpe_hash(const struct bpe *b) {
    uint64_t h = XXH64(b->pair, (b->merges + 1) * sizeof *b->pair, 0);

    for (uint32_t id = b->eot + 1; id < b->vocab; id++)
        if (b->by_id[id - b->eot - 1] != UINT32_MAX) {
            const struct bpe_added *t = &b->added[b->by_id[id - b->eot - 1]];
            h = XXH64(t->text, t->n, h + id);
        }
    return h;
}

bool bpe_is_token(const struct bpe *b, uint64_t id, const char *s, size_t n) {
    size_t k = 0, len;
    uint32_t c;
    int step;

    if (id == b->sot)
        return n == strlen(BPE_SOT) && !memcmp(s, BPE_SOT, n);
    if (id == b->eot)
        return n == strlen(BPE_EOT) && !memcmp(s, BPE_EOT, n);
    if (id > b->eot)
        return false;
    if (b->last[id]) {
        if (n < MARK_LEN || memcmp(s + n - MARK_LEN, MARK, MARK_LEN))
            return false;
        n -= MARK_LEN;
    }
    len = b->at[id + 1] - b->at[id];
    for (size_t i = 0; i < n; i += (size_t)step, k++) {
        step = utf8_get((const unsigned char *)s + i, n - i, &c);
        if (step < 0 || k >= len || byte_of(&b->alphabet, c) != b->text[b->at[id] + k])
            return false;
    }
    return k == len;
}

/* ---- decoding ---- */

/* Copy s to out, with U+FFFD in place of ill-formed parts.  Returns the new length.  If out is NULL, only counts. */
static size_t mend(const unsigned char *s, size_t n, char *out) {
    size_t k = 0;
    uint32_t c;
    int len;

    for (size_t i = 0; i < n; i += (size_t)(len < 0 ? -len : len)) {
        len = utf8_get(s + i, n - i, &c);
        if (out && len > 0)
            memcpy(out + k, s + i, (size_t)len);
        else if (out)
            memcpy(out + k, "\xef\xbf\xbd", 3);
        k += len > 0 ? (size_t)len : 3;
    }
    return k;
}

/* Write the bytes of n ids to out.  Returns the number of bytes.  If out is NULL, only counts. */
static size_t join(const struct bpe *b, const int64_t *id, size_t n, bool special,
                   unsigned char *out) {
    size_t k = 0;

    for (size_t i = 0; i < n; i++) {
        const unsigned char *s;
        size_t len = 0;
        bool last = true;
        if (id[i] > b->eot) {
            const struct bpe_added *t = &b->added[b->by_id[id[i] - b->eot - 1]];
            if (t->special && !special)
                continue;
            s = (const unsigned char *)t->text;
            len = t->n;
        } else if (id[i] < b->sot) {
            s = b->text + b->at[id[i]];
            len = b->at[id[i] + 1] - b->at[id[i]];
            last = b->last[id[i]];
        } else if (special) {
            s = (const unsigned char *)(id[i] == b->sot ? BPE_SOT : BPE_EOT);
            len = id[i] == b->sot ? strlen(BPE_SOT) : strlen(BPE_EOT);
        } else {
            continue;
        }
        if (out)
            memcpy(out + k, s, len);
        k += len;
        if (out && last)
            out[k] = ' ';
        k += last;
    }
    return k;
}

char *bpe_decode(const struct bpe *b, const int64_t *id, size_t n, bool special, size_t *len,
                 struct arena *a, struct err *e) {
    unsigned char *raw;
    char *out;
    size_t k;

    for (size_t i = 0; i < n; i++)
        if (id[i] < 0 || id[i] >= b->vocab) {
            err_set(e, "token %zu is %lld, the vocabulary has %u", i, (long long)id[i], b->vocab);
            return NULL;
        } else if (id[i] > b->eot && b->by_id[id[i] - b->eot - 1] == UINT32_MAX) {
            err_set(e, "token %zu is %lld, which the vocabulary does not have", i, (long long)id[i]);
            return NULL;
        }
    k = join(b, id, n, special, NULL);
    raw = arena_take(a, k + 1, 1);
    if (raw) {
        k = join(b, id, n, special, raw);
        if (k > 0 && raw[k - 1] == ' ')
            k--;
        *len = mend(raw, k, NULL);
        out = arena_take(a, *len + 1, 1);
        if (out) {
            mend(raw, k, out);
            out[*len] = 0;
            return out;
        }
    }
    err_set(e, "no memory for the text of %zu tokens", n);
    return NULL;
}
