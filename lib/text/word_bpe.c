#include "lib/text/word_bpe.h"

#include <string.h>
#include <utf8proc.h>
#include <xxhash.h>

#include "lib/base/size.h"
#include "lib/base/utf8.h"
#include "lib/text/byte_bpe.h"
#include "lib/text/pair_merge.h"
#include "lib/text/text_clean.h"

static const char UNDERLINE[] = "\xe2\x96\x81", BLANK[] = "\xc4\xa0", LAST[] = "</w>";    /* U+2581, U+0120 */

/* ---- building ---- */

int word_bpe_open(struct word_bpe *b, enum word_kind kind, size_t symbols, size_t rules, struct arena *a, struct err *e) {
    *b = (struct word_bpe){.kind = kind, .unknown = -1, .pad = -1, .bos = -1, .eos = -1, .symbol_room = symbols,
                           .rule_room = rules};
    if (symbols > WORD_SYMBOLS_MAX || rules > WORD_SYMBOLS_MAX)
        return err_set(e, "%zu symbols and %zu rules are more than this program handles", symbols, rules);
    b->text_mask = power_of_two(2 * symbols + 16) - 1;
    b->pair_mask = power_of_two(2 * rules + 16) - 1;
    b->symbol = arena_take(a, symbols, sizeof *b->symbol);
    b->rule = arena_take(a, rules, sizeof *b->rule);
    b->by_text = arena_zero(a, b->text_mask + 1, sizeof *b->by_text);
    b->by_pair = arena_zero(a, b->pair_mask + 1, sizeof *b->by_pair);
    return b->symbol && b->rule && b->by_text && b->by_pair ? 0 : err_set(e, "no memory for %zu symbols", symbols);
}

static uint32_t *text_slot(const struct word_bpe *b, const char *text, size_t n) {
    size_t at = XXH64(text, n, 0) & b->text_mask;

    for (; b->by_text[at]; at = (at + 1) & b->text_mask) {
        const struct word_symbol *s = &b->symbol[b->by_text[at] - 1];

        if (s->n == n && !memcmp(s->text, text, n))
            break;
    }
    return &b->by_text[at];
}

int64_t word_bpe_find(const struct word_bpe *b, const char *text, size_t n) {
    return (int64_t)*text_slot(b, text, n) - 1;
}

void word_bpe_index(struct word_bpe *b, uint32_t s) {
    uint32_t *slot = text_slot(b, b->symbol[s].text, b->symbol[s].n);

    if (!*slot)
        *slot = s + 1;
}

int64_t word_bpe_add(struct word_bpe *b, const char *text, size_t n, int id, int findable) {
    if (b->symbols == b->symbol_room || n > UINT32_MAX)
        return -1;
    b->symbol[b->symbols] = (struct word_symbol){text, (uint32_t)n, id};
    if (findable)
        word_bpe_index(b, (uint32_t)b->symbols);
    return (int64_t)b->symbols++;
}

static uint32_t *pair_slot(const struct word_bpe *b, uint32_t left, uint32_t right) {
    uint64_t key = (uint64_t)left << 32 | right;
    size_t at = XXH64(&key, sizeof key, 0) & b->pair_mask;

    for (; b->by_pair[at]; at = (at + 1) & b->pair_mask) {
        const struct word_rule *r = &b->rule[b->by_pair[at] - 1];

        if (r->left == left && r->right == right)
            break;
    }
    return &b->by_pair[at];
}

const uint32_t *word_bpe_pair(const struct word_bpe *b, uint32_t left, uint32_t right) {
    return pair_slot(b, left, right);
}

int word_bpe_rule(struct word_bpe *b, uint32_t left, uint32_t right, uint32_t made, struct err *e) {
    uint32_t *slot;

    if (left >= b->symbols || right >= b->symbols || made >= b->symbols)
        return err_set(e, "rule %zu is about a symbol that does not exist", b->rules + 1);
    if (b->rules == b->rule_room)
        return err_set(e, "more than %zu rules do not fit", b->rule_room);
    slot = pair_slot(b, left, right);
    if (*slot)
        return err_set(e, "rules %u and %zu are about the same pair", *slot, b->rules + 1);
    b->rule[b->rules] = (struct word_rule){left, right, made};
    *slot = (uint32_t)++b->rules;
    return 0;
}

size_t word_bpe_ids(const struct word_bpe *b) {
    int most = -1;

    for (size_t i = 0; i < b->symbols; i++)
        most = b->symbol[i].id > most ? b->symbol[i].id : most;
    return (size_t)(most + 1);
}

uint64_t word_bpe_hash(const struct word_bpe *b) {
    const int head[] = {(int)b->kind, b->unknown, b->pad, b->bos, b->eos};
    uint64_t h = XXH64(head, sizeof head, 0);

    for (size_t i = 0; i < b->symbols; i++) {
        h = XXH64(b->symbol[i].text ? b->symbol[i].text : "", b->symbol[i].n, h);
        h = XXH64(&b->symbol[i].id, sizeof b->symbol[i].id, h);
    }
    return XXH64(b->rule, b->rules * sizeof *b->rule, h);
}

static const uint32_t UNKNOWN = UINT32_MAX - 1;    /* the symbol of a character that is not in the vocabulary */

bool word_bpe_merge(const void *table, uint32_t left, uint32_t right, struct merge *m) {
    const struct word_bpe *b = table;
    uint32_t rule = *pair_slot(b, left, right);

    if (!rule)
        return false;
    *m = (struct merge){rule - 1, b->rule[rule - 1].made};
    return true;
}

/* ---- words ---- */

struct encoding {
    const struct word_bpe *b;
    uint32_t *word;         /* the symbols of the current word */
    size_t n;
    int *ids;
    size_t count;
    bool unknown;           /* true if the last character was unknown */
    struct arena scratch;
    struct err *e;
};

static void put_symbol(struct encoding *t, const char *text, size_t n) {
    int64_t s = word_bpe_find(t->b, text, n);
    bool joins = t->b->kind == WORD_YTTM && s < 0 && t->unknown;

    t->unknown = s < 0;
    if (!joins)
        t->word[t->n++] = s < 0 ? UNKNOWN : (uint32_t)s;
}

static int end_word(struct encoding *t) {
    size_t left;

    if (!t->n)
        return 0;
    left = pair_merge(t->b, word_bpe_merge, t->word, t->n, t->scratch);
    if (!left)
        return err_set(t->e, "no memory for a word of %zu characters", t->n);
    for (size_t i = 0; i < left; i++) {
        int id = t->word[i] == UNKNOWN ? -1 : t->b->symbol[t->word[i]].id;

        t->ids[t->count++] = id < 0 ? t->b->unknown : id;
    }
    t->n = 0;
    t->unknown = false;
    return 0;
}

static bool is_cjk(uint32_t c) {
    return (c >= 0x4e00 && c <= 0x9fff) || (c >= 0x3400 && c <= 0x4dbf) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0x20000 && c <= 0x2fa1f);
}

static bool is_punctuation(uint32_t c) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    bool letter = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');

    return (k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO) || (c > 32 && c < 127 && !letter);
}

/* Returns true if BERT's normaliser drops this character. */
static bool is_dropped(uint32_t c) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);

    if (c == '\t' || c == '\n' || c == '\r')
        return false;
    return c == 0 || c == 0xfffd || k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CN ||
           k == UTF8PROC_CATEGORY_CO;
}

/* Encode bytes [from, to) of s as one word for WORD_CHAR: in lower case, with the last character marked. */
static int char_word(struct encoding *t, const char *s, size_t from, size_t to) {
    char *low;
    size_t n;
    struct arena keep = t->scratch;

    if (from == to)
        return 0;
    if (!(low = text_lower(s + from, to - from, false, &n, &t->scratch, t->e)))
        return -1;
    for (size_t i = 0; i < n;) {
        char marked[16];
        uint32_t c;
        size_t k = (size_t)utf8_get((const unsigned char *)low + i, n - i, &c);

        memcpy(marked, low + i, k);
        memcpy(marked + k, LAST, sizeof LAST);
        put_symbol(t, marked, i + k == n ? k + sizeof LAST - 1 : k);
        i += k;
    }
    if (end_word(t) < 0)
        return -1;
    t->scratch = keep;
    return 0;
}

static int encode_char(struct encoding *t, const char *s, size_t n, char *clean) {
    size_t len = 0;

    for (size_t i = 0; i < n;) {
        uint32_t c;
        size_t k = (size_t)utf8_get((const unsigned char *)s + i, n - i, &c);
        bool alone;

        if (!is_dropped(c)) {
            alone = is_cjk(c) || is_punctuation(c);
            if (alone || text_class(c) == TEXT_SPACE) {
                if (char_word(t, clean, 0, len) < 0 || (alone && char_word(t, s, i, i + k) < 0))
                    return -1;
                len = 0;
            } else {
                memcpy(clean + len, s + i, k);
                len += k;
            }
        }
        i += k;
    }
    return char_word(t, clean, 0, len);
}

static int encode_words(struct encoding *t, const char *s, size_t n) {
    const bool yttm = t->b->kind == WORD_YTTM;
    const char *first = yttm ? UNDERLINE : BLANK;
    bool inside = false;

    for (size_t i = 0; i < n;) {
        uint32_t c;
        size_t k = (size_t)utf8_get((const unsigned char *)s + i, n - i, &c);
        bool ends = yttm ? (c >= 9 && c <= 13) || c == ' ' || c == 0x2581 : c == ' ';

        if (ends) {
            if (end_word(t) < 0)
                return -1;
            inside = false;
        } else if (yttm || c < 0x80) {
            if (!inside)
                put_symbol(t, first, strlen(first));
            inside = true;
            put_symbol(t, s + i, k);
        }
        i += k;
    }
    return end_word(t);
}

int word_bpe_encode(const struct word_bpe *b, const char *text, size_t n, int **ids, size_t *count, struct arena *a,
                    struct err *e) {
    struct encoding t = {.b = b, .e = e};
    char *s = (char *)(void *)(uintptr_t)text, *clean = NULL;
    int r;

    if (!utf8_valid(text, n))
        return err_set(e, "not UTF-8");
    if (b->kind == WORD_BYTES)
        return byte_bpe_encode(b, text, n, ids, count, a, e);
    /* A character of n bytes gives at most n symbols.  Lower case makes at most 3 bytes from 2, and each word adds one
     * symbol. */
    if (!(t.ids = arena_take(a, 3 * n + 2, sizeof *t.ids)))
        return err_set(e, "no memory for a text of %zu bytes", n);
    t.scratch = *a;
    if (b->kind != WORD_CHAR && !(s = text_lower(text, n, true, &n, &t.scratch, e)))
        return -1;
    t.word = arena_take(&t.scratch, 3 * n + 2, sizeof *t.word);
    clean = arena_take(&t.scratch, n + 1, 1);
    if (!t.word || !clean)
        return err_set(e, "no memory for a text of %zu bytes", n);
    r = b->kind == WORD_CHAR ? encode_char(&t, s, n, clean) : encode_words(&t, s, n);
    *ids = t.ids;
    *count = t.count;
    return r;
}

/* ---- decoding ---- */

const struct word_symbol *word_bpe_symbol(const struct word_bpe *b, int64_t id) {
    for (size_t i = 0; i < b->symbols; i++)
        if (b->symbol[i].id == id)
            return &b->symbol[i];
    return NULL;
}

char *word_bpe_decode(const struct word_bpe *b, const int64_t *id, size_t n, size_t *len, struct arena *a, struct err *e) {
    const char *blank = b->kind == WORD_YTTM ? UNDERLINE : b->kind == WORD_MINI ? BLANK : LAST;
    const size_t nblank = strlen(blank);
    size_t room = 1;
    char *out;

    if (b->kind == WORD_BYTES)
        return byte_bpe_decode(b, id, n, len, a, e);
    for (size_t i = 0; i < n; i++) {
        const struct word_symbol *s = word_bpe_symbol(b, id[i]);

        room += s ? s->n + 1 : 3;
    }
    if (!(out = arena_take(a, room, 1)))
        return err_set(e, "no memory for %zu tokens", n), NULL;
    *len = 0;
    for (size_t i = 0; i < n; i++) {
        const struct word_symbol *s = word_bpe_symbol(b, id[i]);

        if (id[i] == b->bos || id[i] == b->eos || id[i] == b->pad)
            continue;
        if (!s || id[i] == b->unknown) {
            *len += (size_t)utf8_put(0xfffd, (unsigned char *)out + *len);
            continue;
        }
        for (size_t j = 0; j < s->n;) {
            if (s->n - j >= nblank && !memcmp(s->text + j, blank, nblank)) {
                if (b->kind == WORD_CHAR || *len)
                    out[(*len)++] = ' ';
                j += nblank;
            } else {
                out[(*len)++] = s->text[j++];
            }
        }
    }
    while (*len && out[*len - 1] == ' ')
        --*len;
    out[*len] = 0;
    return out;
}
