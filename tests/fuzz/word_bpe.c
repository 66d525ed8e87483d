/* Tokenizers of the DALL-E 1 family and of GLIDE from hostile files, and hostile texts through them: no id is negative, and decoding
 * gives UTF-8. */
#include "formats/checkpoint/word_bpe_files.h"

#include <stdlib.h>

#include "lib/base/utf8.h"

static char base[64 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena_mem mem = {.base = base, .reserved = sizeof base};
    struct arena a = arena_open(&mem);
    /* the file, a NUL, merges, a NUL, a text; merges that begin with '#' are GPT-2's, which need no vocabulary */
    const uint8_t *first = memchr(data, 0, size), *second = first ? memchr(first + 1, 0, (size_t)(data + size - first - 1)) : NULL;
    struct span file = {data, first ? (size_t)(first - data) : size}, merges = {data, 0}, text = file;
    struct word_bpe b;
    struct err e = {0};
    int64_t *wide;
    size_t n, len;
    int *ids;
    char *back;

    if (first)
        merges = span_bytes(first + 1, second ? (size_t)(second - first - 1) : (size_t)(data + size - first - 1));
    if (second)
        text = span_bytes(second + 1, (size_t)(data + size - second - 1));
    if ((merges.n && *merges.p == '#' ? word_bpe_read_bytes(&b, merges, file, &a, &e)
         : file.n && *file.p == '{' ? word_bpe_read_vocab(&b, file, merges, &a, &e) : word_bpe_read_yttm(&b, file, &a, &e)) < 0) {
        if (!e.msg[0])
            abort();
        return 0;
    }
    word_bpe_hash(&b);
    if (word_bpe_encode(&b, (const char *)text.p, text.n, &ids, &n, &a, &e) < 0)
        return 0;
    if (!(wide = arena_take(&a, n, sizeof *wide)))
        return 0;
    for (size_t i = 0; i < n; i++) {
        if (ids[i] < 0)
            abort();
        wide[i] = ids[i];
    }
    back = word_bpe_decode(&b, wide, n, &len, &a, &e);
    if (back && b.kind != WORD_YTTM && utf8_valid(file.p, file.n) && !utf8_valid(back, len))
        abort();
    return 0;
}
