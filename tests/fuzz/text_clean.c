/* Any bytes: cleaned or refused; UTF-8 within its bound; stable where nothing is an entity;
 * and tokens hold every byte of it but the spaces. */
#include "lib/text/text_clean.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/utf8.h"
#include "lib/text/bpe.h"

enum { ROOM = 64 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *s, size_t n);

static void check(int good) {
    if (!good)
        abort();
}

static void check_utf8(const char *s, size_t n) {
    uint32_t c;
    int k;

    for (size_t i = 0; i < n; i += (size_t)k) {
        k = utf8_get((const unsigned char *)s + i, n - i, &c);
        check(k > 0);
        check(text_class(c) != TEXT_SPACE || (c == ' ' && i > 0 && i + 1 < n && s[i + 1] != ' '));
    }
}

static void check_tokens(const struct bpe *b, char *s, size_t n, struct arena a) {
    const struct bpe_text text = {.s = s, .n = n};
    struct err e = {0};
    struct bpe_tokens t;
    size_t at = 0;

    check(bpe_encode(b, &text, false, 77, &t, &a, &e) == 0 && t.n >= 2);
    for (size_t i = 1; i + 1 < t.n; i++) {
        size_t id = (size_t)t.id[i], len = b->at[id + 1] - b->at[id];
        at += s[at] == ' ';
        check(t.n <= 77 || i != 76 || at == t.cut);    /* the first that does not fit */
        check(len <= n - at && !memcmp(s + at, b->text + b->at[id], len));
        at += len;
    }
    check(at == n);
    check((t.n <= 77) == (t.cut == n));
}

int LLVMFuzzerTestOneInput(const uint8_t *s, size_t n) {
    static const struct bpe_merge m[] = {{"a", "a", 1, 1}, {"aa", "aa", 2, 2}, {"a", "b</w>", 1, 5},
                                         {"aa", "ab</w>", 2, 6}};
    static char *mem;
    struct arena_mem region;
    struct arena a;
    struct err e = {0};
    struct bpe b;
    char *x, *y, *z;
    size_t nx, ny, nz;

    if (!mem)
        mem = malloc(ROOM);
    if (n > 1 << 16)
        return 0;
    region = (struct arena_mem){.base = mem, .reserved = ROOM};
    a = arena_open(&region);
    if (bpe_build(&b, m, sizeof m / sizeof *m, &a, &e) < 0)
        abort();
    x = text_clean(s, n, &nx, &a, &e);
    if (!x) {
        check(!strncmp(e.msg, "not UTF-8 at byte ", 18));
        return 0;
    }
    check(nx <= TEXT_GROWTH * n && x[nx] == 0);
    check_utf8(x, nx);
    check_tokens(&b, x, nx, a);
    if (memchr(s, '&', n) || memchr(s, 0xef, n))
        return 0;
    /* lower case may have made letters that compose: the second time is the last */
    y = text_clean(x, nx, &ny, &a, &e);
    check(y != NULL);
    z = text_clean(y, ny, &nz, &a, &e);
    check(z && ny == nz && !memcmp(y, z, ny));
    return 0;
}
