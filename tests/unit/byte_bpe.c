/* GPT-2's byte-pair encoding as GLIDE uses it: the ids of glide_text2im's Encoder (tests/golden/glide/tok_cases.json), files
 * with and without an encoder.json, gzip'd or not, and files that are not GPT-2's.
 *
 *     UNCLIP_GPT2=DIR build/unit/byte_bpe    # also opens OpenAI's own files, encoder.json and vocab.bpe
 */
#define _DEFAULT_SOURCE
#include "formats/checkpoint/word_bpe_files.h"

#include <jansson.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "formats/io/file_read.h"
#include "lib/text/byte_bpe.h"
#include "lib/text/text_clean.h"
#include "tests/tap.h"

#define GOLD "tests/golden/glide"

static bool same_ids(const struct word_bpe *b, const char *text, const json_t *want, struct arena a) {
    struct err e = {0};
    size_t n, len;
    int *ids;
    bool same = word_bpe_encode(b, text, strlen(text), &ids, &n, &a, &e) == 0 && n == json_array_size(want);
    int64_t wide[512];
    char *s, *low;

    for (size_t i = 0; same && i < n; i++)
        same = ids[i] == json_integer_value(json_array_get(want, i));
    if (!same) {
        printf("# %s: %zu ids\n", text, n);
        return false;
    }
    for (size_t i = 0; i < n; i++)
        wide[i] = ids[i];
    s = word_bpe_decode(b, wide, n, &len, &a, &e);
    low = text_lower(text, strlen(text), true, &n, &a, &e);
    return s && low && len == n && !memcmp(s, low, n);
}

static void cases(const struct word_bpe *b, const char *file, struct arena a, const char *what) {
    json_t *all = json_load_file(file, 0, NULL), *c;
    size_t i, right = 0;

    json_array_foreach(all, i, c)
        right += same_ids(b, json_string_value(json_object_get(c, "text")), json_object_get(c, "ids"), a);
    ok(right && right == json_array_size(all), "%s: %zu of %zu texts, and back", what, right, json_array_size(all));
    json_decref(all);
}

static struct span text_of(const char *file, struct arena *a) {
    struct span s = {.n = 0};
    struct err e = {0};

    ok(file_read(file, WORD_FILE_MAX, &s, a, &e) == 0, "%s %s", file, e.msg);
    return s;
}

static void names(struct arena a) {
    char dir[] = "/tmp/byte_bpe.XXXXXX", path[200];
    static const char *const gzipped[] = {"vocab.bpe", "encoder.json"};
    struct word_bpe b;
    struct err e = {0};
    struct span s;

    ok(mkdtemp(dir) != NULL && word_bpe_open_bytes(&b, dir, &a, &e) == 0, "an empty directory has none");
    for (int i = 0; i < 2; i++) {
        gzFile z;

        snprintf(path, sizeof path, GOLD "/%s", gzipped[i]);
        s = text_of(path, &a);
        snprintf(path, sizeof path, "%s/%s.gz", dir, gzipped[i]);
        z = gzopen(path, "wb");
        ok(z && gzwrite(z, s.p, (unsigned)s.n) == (int)s.n && gzclose(z) == Z_OK, "%s", path);
    }
    ok(word_bpe_open_bytes(&b, dir, &a, &e) == 1, "gzip'd files open %s", e.msg);
    cases(&b, GOLD "/tok_cases.json", a, "gzip'd");
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s.gz", dir, gzipped[i]);
        truncate(path, 100);
    }
    ok(word_bpe_open_bytes(&b, dir, &a, &e) == -1 && strstr(e.msg, "vocab.bpe.gz: gzip data is cut short"), "refused: %s", e.msg);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s.gz", dir, gzipped[i]);
        unlink(path);
    }
    rmdir(dir);
    e.msg[0] = 0;
    ok(word_bpe_open_bytes(&b, "tests/golden/dalle/dallemini", &a, &e) == 0, "BART's vocabulary is another one %s", e.msg);
}

static void refused(struct arena a) {
    static const struct {
        const char *merges, *vocab, *why;
    } bad[] = {
        {"a b c\n", "", "merges: line 1: two symbols are expected"},
        {"a bb\n", "", "merge 1 joins tokens that no merge before it makes, or makes a token again"},
        {"a b\nb c\nab c\na bc\n", "", "merge 4 joins tokens that no merge before it makes, or makes a token again"},
        {"a b\n", "{}", "vocabulary: no token for byte 0"},
        {"a b\n", "[]", "not an object"},
        {"a b\n", "{\"a\": -2}", "vocabulary: a: not a name with an id"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct word_bpe b;
        struct err e = {0};
        struct arena room = a;

        ok(word_bpe_read_bytes(&b, span_of(bad[i].merges), span_of(bad[i].vocab), &room, &e) == -1 && !strcmp(e.msg, bad[i].why),
           "refused: %s", e.msg);
    }
}

static void openai(const char *dir, struct arena a) {
    struct word_bpe b;
    struct err e = {0};

    if (!ok(word_bpe_open_bytes(&b, dir, &a, &e) == 1, "%s opens %s", dir, e.msg))
        return;
    ok(word_bpe_ids(&b) == 50257 && b.pad == 50256, "%zu ids, the end is %d", word_bpe_ids(&b), b.pad);
    cases(&b, "tests/golden/glide/tok_openai.json", a, "OpenAI's vocabulary");
}

int main(void) {
    TAP_ARENA(a, 256);
    struct word_bpe with, without;
    struct err e = {0};
    struct span merges = text_of(GOLD "/vocab.bpe", &a), vocab = text_of(GOLD "/encoder.json", &a);
    int *ids;
    size_t n, k;

    ok(word_bpe_read_bytes(&with, merges, vocab, &a, &e) == 0, "with encoder.json %s", e.msg);
    cases(&with, GOLD "/tok_cases.json", a, "with encoder.json");
    ok(word_bpe_read_bytes(&without, merges, span_of(""), &a, &e) == 0, "without %s", e.msg);
    cases(&without, GOLD "/tok_cases.json", a, "vocab.bpe alone");
    ok(word_bpe_ids(&without) == word_bpe_ids(&with) && with.pad == without.pad, "the same %zu ids", word_bpe_ids(&with));
    ok(word_bpe_encode(&with, "\xff", 1, &ids, &n, &a, &e) == -1 && !strcmp(e.msg, "not UTF-8"), "refused: %s", e.msg);
    e.msg[0] = 0;
    {   /* the pieces of a long text, and one long piece */
        enum { N = 100000 };
        char *text = arena_take(&a, N, 1);

        memset(text, ' ', N);
        ok(word_bpe_encode(&with, text, N, &ids, &n, &a, &e) == 0 && n == N, "%zu tokens of white space", n);
        memset(text, 'a', N);
        ok(word_bpe_encode(&with, text, N, &ids, &k, &a, &e) == 0 && k == N, "%zu tokens of letters", k);
    }
    names(a);
    refused(a);
    if (getenv("UNCLIP_GPT2"))
        openai(getenv("UNCLIP_GPT2"), a);
    free(a_mem.base);
    return done();
}
