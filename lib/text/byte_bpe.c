#include "lib/text/byte_bpe.h"

#include <string.h>

#include "lib/base/utf8.h"
#include "lib/text/pair_merge.h"
#include "lib/text/text_clean.h"

/* ---- bytes as characters ---- */

static bool is_itself(unsigned c) {
    return (c >= '!' && c <= '~') || (c >= 0xa1 && c <= 0xac) || (c >= 0xae && c <= 0xff);
}

/* The bytes that do not stand for themselves become U+0100 and on, in their order. */
uint32_t byte_bpe_char(unsigned char byte) {
    uint32_t c = 0x100;

    if (is_itself(byte))
        return byte;
    for (unsigned i = 0; i < byte; i++)
        c += !is_itself(i);
    return c;
}

/* Returns the byte that a character stands for, or -1. */
static int byte_of(uint32_t c) {
    unsigned k = 0x100;

    if (c < 0x100)
        return is_itself(c) ? (int)c : -1;
    for (unsigned i = 0; i < 0x100; i++)
        if (!is_itself(i) && k++ == c)
            return (int)i;
    return -1;
}

/* ---- splitting ---- */

static enum text_class class_at(const char *s, size_t n, size_t *len) {
    uint32_t c;
    int k = utf8_get((const unsigned char *)s, n, &c);

    *len = (size_t)(k < 0 ? -k : k);
    return k < 0 ? TEXT_OTHER : text_class(c);
}

static size_t contraction_at(const char *s, size_t n) {
    static const char *const tail[] = {"s", "t", "re", "ve", "m", "ll", "d"};

    for (size_t k = 0; s[0] == '\'' && k < sizeof tail / sizeof *tail; k++) {
        size_t len = strlen(tail[k]);

        if (n - 1 >= len && !memcmp(s + 1, tail[k], len))
            return 1 + len;
    }
    return 0;
}

/* Returns the length of the white space at s.  If a word follows and the white space has more than one character, its
 * last character does not count. */
static size_t space_at(const char *s, size_t n) {
    size_t at = 0, step = 0, last = 0;

    while (at < n && class_at(s + at, n - at, &step) == TEXT_SPACE)
        last = at, at += step;
    return at < n && last ? last : at;
}

/* Returns the length of the piece with which s begins; n > 0. */
static size_t piece_at(const char *s, size_t n) {
    size_t len = contraction_at(s, n), step, blank = n > 1 && s[0] == ' ';
    enum text_class c;

    if (len)
        return len;
    c = class_at(s + blank, n - blank, &step);
    if (c == TEXT_SPACE)
        return space_at(s, n);
    for (len = blank + step; len < n && class_at(s + len, n - len, &step) == c; len += step)
        ;
    return len;
}

/* ---- encoding ---- */

int byte_bpe_encode(const struct word_bpe *b, const char *text, size_t n, int **ids, size_t *count, struct arena *a,
                    struct err *e) {
    int *out = arena_take(a, TEXT_GROWTH * n + 1, sizeof *out);
    struct arena scratch = *a;
    uint32_t symbol[256], *word;
    size_t len, k = 0;
    char *s = out ? text_lower(text, n, true, &len, &scratch, e) : NULL;

    if (!s || !(word = arena_take(&scratch, len, sizeof *word)))
        return err_set(e, "no memory for a text of %zu bytes", n);
    for (unsigned i = 0; i < 256; i++) {
        char c[4];

        symbol[i] = (uint32_t)word_bpe_find(b, c, (size_t)utf8_put(byte_bpe_char((unsigned char)i), (unsigned char *)c));
    }
    for (size_t at = 0, step; at < len; at += step) {
        size_t left;

        step = piece_at(s + at, len - at);
        for (size_t i = 0; i < step; i++)
            word[i] = symbol[(unsigned char)s[at + i]];
        left = pair_merge(b, word_bpe_merge, word, step, scratch);
        if (!left)
            return err_set(e, "no memory for a word of %zu bytes", step);
        for (size_t i = 0; i < left; i++)
            out[k++] = b->symbol[word[i]].id;
    }
    *ids = out;
    *count = k;
    return 0;
}

/* ---- decoding ---- */

/* Returns a copy of s in which U+FFFD replaces what is not UTF-8. */
static char *well_formed(const unsigned char *s, size_t n, size_t *len, struct arena *a) {
    unsigned char *out = arena_take(a, 3 * n + 1, 1);

    *len = 0;
    for (size_t i = 0; out && i < n;) {
        uint32_t c;
        int k = utf8_get(s + i, n - i, &c);

        *len += (size_t)utf8_put(k < 0 ? 0xfffd : c, out + *len);
        i += (size_t)(k < 0 ? -k : k);
    }
    if (out)
        out[*len] = 0;
    return (char *)out;
}

char *byte_bpe_decode(const struct word_bpe *b, const int64_t *id, size_t n, size_t *len, struct arena *a, struct err *e) {
    size_t room = 0, k = 0;
    unsigned char *bytes;
    char *out;

    for (size_t i = 0; i < n; i++) {
        const struct word_symbol *s = word_bpe_symbol(b, id[i]);

        room += s ? s->n : 1;
    }
    bytes = arena_take(a, room + 1, 1);
    for (size_t i = 0; bytes && i < n; i++) {
        const struct word_symbol *s = word_bpe_symbol(b, id[i]);

        if (id[i] == b->pad)
            continue;
        if (!s)
            bytes[k++] = 0xff;    /* becomes U+FFFD */
        for (size_t j = 0; s && j < s->n;) {
            uint32_t c;
            int step = utf8_get((const unsigned char *)s->text + j, s->n - j, &c), byte = step < 0 ? -1 : byte_of(c);

            bytes[k++] = byte < 0 ? 0xff : (unsigned char)byte;
            j += (size_t)(step < 0 ? -step : step);
        }
    }
    out = bytes ? well_formed(bytes, k, len, a) : NULL;
    if (!out)
        err_set(e, "no memory for %zu tokens", n);
    return out;
}
