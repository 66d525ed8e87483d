/* The tokenizers of ruDALL-E, minDALL-E and DALL-E mini against the ids of their own programs (tests/golden/dalle), and
 * files that are not tokenizers. */
#include "formats/checkpoint/word_bpe_files.h"

#include <jansson.h>

#include "tests/tap.h"

#define GOLD "tests/golden/dalle/"

/* Ids with start and end as the family adds them, cut to `most` and padded where the cases are. */
static size_t prepare(const struct word_bpe *b, const int *ids, size_t n, size_t most, bool pad, int *out) {
    size_t k = 0;

    if (b->kind != WORD_CHAR)
        out[k++] = b->bos;
    for (size_t i = 0; i < n; i++)
        out[k++] = ids[i];
    if (b->kind != WORD_CHAR)
        out[k++] = b->eos;
    if (k > most)
        k = most;
    while (pad && k < most)
        out[k++] = b->pad;
    return k;
}

static void cases(const char *dir, const char *file, const char *key, size_t most, bool pad, struct arena a) {
    struct word_bpe b;
    struct err e = {0};
    json_t *all = json_load_file(file, 0, NULL), *c;
    size_t i, right = 0, back = 0;

    if (!ok(word_bpe_open_dir(&b, dir, &a, &e) == 1, "%s opens %s", dir, e.msg))
        return;
    json_array_foreach(all, i, c) {
        struct arena room = a;
        const char *text = json_string_value(json_object_get(c, "text"));
        const json_t *want = json_object_get(c, key);
        int *ids, out[4096];
        size_t n, k, same = 0;

        if (word_bpe_encode(&b, text, strlen(text), &ids, &n, &room, &e) < 0) {
            ok(0, "%s: %s", text, e.msg);
            continue;
        }
        k = prepare(&b, ids, n, most, pad, out);
        for (size_t j = 0; j < k && j < json_array_size(want); j++)
            same += out[j] == json_integer_value(json_array_get(want, j));
        right += same == k && k == json_array_size(want);
        if (same != k || k != json_array_size(want))
            printf("# %s: %zu ids, %zu of %zu the same\n", text, k, same, json_array_size(want));
        int64_t wide[4096];
        size_t len;
        for (size_t j = 0; j < n; j++)
            wide[j] = ids[j];
        char *s = word_bpe_decode(&b, wide, n, &len, &room, &e);
        int *again;
        size_t m;
        back += s && word_bpe_encode(&b, s, len, &again, &m, &room, &e) == 0 && m == n && !memcmp(again, ids, n * sizeof *ids);
    }
    ok(right && right == json_array_size(all), "%s: %zu of %zu texts", dir, right, json_array_size(all));
    printf("# %s: %zu of %zu texts have the same ids again after decoding\n", dir, back, json_array_size(all));
    if (b.kind != WORD_CHAR)    /* where unknown characters are dropped or separated */
        ok(back && back == json_array_size(all), "the same ids again after decoding");
    json_decref(all);
}

static void refused(struct arena a) {
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "line 1: the file ends too early"},
        {"x", "line 1: 2 numbers are expected"},
        {"1000 1000\n1 1\n", "line 1: 1000 characters and 1000 rules in a file of 14 bytes"},
        {"1 0\n97 9\n1 0 2 3", "line 2: id 9 of 5"},
        {"2 0\n97 4\n98 4\n1 0 2 3", "line 3: id 4 occurs twice"},
        {"1 1\n97 4\n4 9 5\n1 0 2 3", "line 3: ids 4 and 9 of 6"},
        {"1 1\n97 4\n4 5 5\n1 0 2 3", "line 3: a rule of a symbol that comes later"},
        {"2 2\n97 4\n98 5\n4 5 6\n4 5 7\n1 0 2 3", "rules 1 and 2 are about the same pair"},
        {"1 0\n55296 4\n1 0 2 3", "line 2: 55296 is not a character"},
        {"1 0\n97 4\n4 0 2 3", "line 3: id 4 is not free for a special token"},
        {"1 0\n97 4\n", "line 3: the file ends too early"},
    };
    struct word_bpe b;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena room = a;
        struct err e = {0};

        ok(word_bpe_read_yttm(&b, span_of(bad[i].text), &room, &e) == -1 && !strcmp(e.msg, bad[i].why), "refused: %s", e.msg);
    }
    struct err e = {0};
    ok(word_bpe_read_vocab(&b, span_of("{\"a\": 1}"), span_of(""), &a, &e) == -1 && strstr(e.msg, "neither [UNK] nor <unk>"),
       "refused: %s", e.msg);
    e.msg[0] = 0;
    ok(word_bpe_read_vocab(&b, span_of("{\"[UNK]\": 0}"), span_of("a b c\n"), &a, &e) == -1 && strstr(e.msg, "line 1"),
       "refused: %s", e.msg);
    ok(word_bpe_open_dir(&b, "tests/golden/clip", &a, &e) == 0, "a directory without a tokenizer");
}

/* A word of many characters: no quadratic time, the same ids as in pieces. */
static void long_word(struct arena a) {
    enum { N = 200000 };
    struct word_bpe b;
    struct err e = {0};
    char *text = arena_take(&a, N, 1);
    int *ids;
    size_t n = 0;

    memset(text, 'a', N);
    ok(word_bpe_open_dir(&b, GOLD "rudalle", &a, &e) == 1 && word_bpe_encode(&b, text, N, &ids, &n, &a, &e) == 0 && n > 0 && n <= N + 1,
       "a word of %d characters is %zu tokens", N, n);
}

int main(void) {
    TAP_ARENA(a, 256);

    cases(GOLD "rudalle", GOLD "rudalle/tok_cases.json", "prepared", 24, true, a);
    cases(GOLD "mindalle/tokenizer", GOLD "mindalle/tokenizer/tok_cases.json", "ids", 16, true, a);
    cases(GOLD "dallemini", GOLD "dallemini/tok_cases.json", "ids", 64, false, a);
    refused(a);
    long_word(a);
    free(a_mem.base);
    return done();
}
