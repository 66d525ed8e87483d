/* A merges file (plain or gzip'd), a tokenizer.json or a vocab.json: read or refused. */
#include "formats/checkpoint/bpe_files.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 128 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *s, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *s, size_t n) {
    static const char text[] = "a red apple aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa 12!";
    static char *mem;
    struct arena_mem region;
    struct bpe_tokens t;
    struct err e = {0};
    struct arena a;
    struct bpe b;
    size_t len;
    int r;

    if (!mem)
        mem = malloc(ROOM);
    region = (struct arena_mem){mem, ROOM, 0, 0, NULL};
    a = arena_open(&region);
    if (n > 0 && s[0] == '{') {
        r = bpe_read_json(&b, s, n, &a, &e);
        if (bpe_build(&b, NULL, 0, &a, &e) == 0)
            (void)bpe_check_vocab(&b, s, n, &e);
        if (r == 0 && b.merges > n)
            abort();
        return 0;
    }
    if (bpe_read_merges(&b, s, n, &a, &e) < 0) {
        if (!e.msg[0])
            abort();
        return 0;
    }
    if (bpe_encode(&b, text, sizeof text - 1, true, 77, &t, &a, &e) < 0 || t.n < 2)
        abort();
    for (size_t i = 0; i < t.n; i++) {
        int64_t id = t.id[i];
        if (!bpe_decode(&b, &id, 1, true, &len, &a, &e))
            abort();
    }
    return 0;
}
