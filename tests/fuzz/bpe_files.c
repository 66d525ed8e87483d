/* A merges file (plain or gzip'd), a tokenizer.json or a vocab.json: read or refused. */
#include "formats/checkpoint/bpe_files.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 128 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *s, size_t n);

static const char text[] = "a red apple aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa <c>12!<C>";

/* The JSON as each of the files that name added tokens: with what is taken of it every text can be encoded, and
 * every token decoded. */
static void added(struct bpe *b, const uint8_t *s, size_t n, struct arena a) {
    json_t *j = json_loadb((const char *)s, n, JSON_REJECT_DUPLICATES, NULL);

    for (int i = 0; j && i < 4; i++) {
        struct arena mine = a;
        struct tok_texts f = {.list = i == 0 ? json_object_get(j, "added_tokens") : NULL, .added_tokens = i == 1 ? j : NULL,
                              .config = i == 2 ? j : NULL, .special_tokens = i == 3 ? j : NULL};
        struct bpe_tokens t;
        struct bpe_text p;
        struct err e = {0};
        size_t len;

        if (bpe_build(b, NULL, 0, &mine, &e) < 0 || bpe_read_added(b, &f, &mine, &e) < 0)
            continue;
        if (bpe_prepare(b, text, sizeof text - 1, &p, &mine, &e) < 0 || bpe_encode(b, &p, true, 77, &t, &mine, &e) < 0)
            abort();
        for (size_t k = 0; k < t.n; k++) {
            int64_t id = t.id[k];
            if (!bpe_decode(b, &id, 1, true, &len, &mine, &e))
                abort();
        }
    }
    json_decref(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *s, size_t n) {
    static char *mem;
    struct arena_mem region;
    struct bpe_tokens t;
    struct bpe_text p;
    struct err e = {0};
    struct arena a;
    struct bpe b;
    size_t len;
    int r;

    if (!mem)
        mem = malloc(ROOM);
    region = (struct arena_mem){.base = mem, .reserved = ROOM};
    a = arena_open(&region);
    if (n > 0 && s[0] == '{') {
        r = bpe_read_json(&b, s, n, &a, &e);
        if (bpe_build(&b, NULL, 0, &a, &e) == 0)
            (void)bpe_check_vocab(&b, s, n, &e);
        if (r == 0 && b.merges > n)
            abort();
        added(&b, s, n, a);
        return 0;
    }
    if (bpe_read_merges(&b, s, n, &a, &e) < 0) {
        if (!e.msg[0])
            abort();
        return 0;
    }
    if (bpe_prepare(&b, text, sizeof text - 1, &p, &a, &e) < 0 || bpe_encode(&b, &p, true, 77, &t, &a, &e) < 0 || t.n < 2)
        abort();
    for (size_t i = 0; i < t.n; i++) {
        int64_t id = t.id[i];
        if (!bpe_decode(&b, &id, 1, true, &len, &a, &e))
            abort();
    }
    return 0;
}
