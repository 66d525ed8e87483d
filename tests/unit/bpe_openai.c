/* With OpenAI's own merges, which are not ours to pass on: $UNCLIP_MERGES names bpe_simple_vocab_16e6.txt.gz, and
 * $UNCLIP_TOK_CASES a directory of recorded cases.  Skipped without them. */
#include <jansson.h>

#include "formats/checkpoint/bpe_files.h"
#include "lib/text/text_clean.h"
#include "tests/tap.h"

static const struct {
    const char *text, *ids;    /* without start and end */
} known[] = {
    {"a photo of a cat", "320 1125 539 320 2368"},
    {"a photo of a cat.", "320 1125 539 320 2368 269"},
    {"hello world", "3306 1002"},
    {"a diagram", "320 22697"},
    {"! !! !!!", "256 748 995"},
    {"it's", "585 568"},
    {"'tis 'twas", "713 533 713 739"},
    {"1234567890", "272 273 274 275 276 277 278 279 280 271"},
    {"caf\xc3\xa9 na\xc3\xafve", "15304 1097 35689 563"},
    {"cafe\xcc\x81 nai\xcc\x88ve", "15304 1097 35689 563"},
    {"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80!!!", "12832 12832 12832 995"},
    {"tom &amp; jerry", "2435 261 9164"},
    {"<|startoftext|>", "49406"},
    {"", ""},
};

static int encode(const struct bpe *b, const char *s, size_t n, struct bpe_tokens *t, struct arena *a) {
    struct err e = {0};
    struct bpe_text text;

    return bpe_prepare(b, s, n, &text, a, &e) < 0 ? -1 : bpe_encode(b, &text, true, 77, t, a, &e);
}

static void by_hand(const struct bpe *b, struct arena a) {
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct arena copy = a;
        struct bpe_tokens t = {0};
        char got[256] = "";
        size_t k = 0;
        encode(b, known[i].text, strlen(known[i].text), &t, &copy);
        for (size_t j = 1; j + 1 < t.n && k < 240; j++)
            k += (size_t)sprintf(got + k, "%s%d", j > 1 ? " " : "", t.id[j]);
        ok(t.n >= 2 && t.id[0] == 49406 && t.id[t.n - 1] == 49407 && !strcmp(got, known[i].ids), "%s: %s",
           known[i].text, got);
    }
}

static int same(const struct bpe *b, json_t *text, json_t *want, struct arena a) {
    struct bpe_tokens t;

    if (encode(b, json_string_value(text), json_string_length(text), &t, &a) < 0 || t.n != json_array_size(want))
        return 0;
    for (size_t i = 0; i < t.n; i++)
        if (t.id[i] != json_integer_value(json_array_get(want, i)))
            return 0;
    return 1;
}

static void cases(const struct bpe *b, const char *dir, struct arena a) {
    char path[4200];
    json_t *j, *list, *c;
    size_t i, bad = 0, mojibake = 0, n = 0, lines = 0, wrong = 0, cut = 0;
    FILE *f;
    char line[65536];

    snprintf(path, sizeof path, "%s/tok_cases.json", dir);
    j = json_load_file(path, JSON_ALLOW_NUL, NULL);
    list = json_object_get(j, "cases");
    json_array_foreach(list, i, c) {
        json_t *want = json_object_get(c, "ftfy_without_mojibake"), *short_ = json_object_get(c, "truncated_77");
        struct arena copy = a;
        struct bpe_tokens t;
        int good;
        mojibake += want != NULL;
        good = same(b, json_object_get(c, "text"), want ? want : json_object_get(c, "openai"), a);
        if (good && short_) {
            json_t *text = json_object_get(c, "text");
            cut++;
            good = encode(b, json_string_value(text), json_string_length(text), &t, &copy) == 0;
            bpe_truncate(b, &t, 77);
            for (size_t k = 0; good && k < 77; k++)
                good = t.n == 77 && t.id[k] == json_integer_value(json_array_get(short_, k));
        }
        if (!good)
            printf("# %s\n", json_string_value(json_object_get(c, "id")));
        bad += !good;
        n++;
    }
    json_decref(j);
    ok(n > 0 && bad == 0, "%zu of %zu cases (%zu of them without the repair of mojibake, %zu cut to 77)", n - bad,
       n, mojibake, cut);
    snprintf(path, sizeof path, "%s/tok_fuzz.jsonl", dir);
    f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f)) {
        j = json_loads(line, JSON_ALLOW_NUL, NULL);
        wrong += !same(b, json_array_get(j, 0), json_array_get(j, 1), a);
        lines++;
        json_decref(j);
    }
    if (f)
        fclose(f);
    ok(lines > 0 && wrong == 0, "%zu of %zu random lines", lines - wrong, lines);
}

/* What lies behind the merges that count is not read; before, nothing may be wrong. */
static void damaged(const char *path, struct arena a) {
    FILE *f = fopen(path, "rb");
    unsigned char *z = malloc(4 << 20);
    size_t n = f ? fread(z, 1, 4 << 20, f) : 0, wrong = 0, tries = 0;
    struct arena copy = a;
    struct err e = {0};
    struct bpe b;

    if (f)
        fclose(f);
    if (n < 2 || memcmp(z, "\x1f\x8b", 2)) {
        skip("the merges are not gzip'd");
        free(z);
        return;
    }
    ok(bpe_read_merges(&b, z, n / 2, &copy, &e) == 0 && bpe_hash(&b) == 0xd9b255737dd40c6e, "half of the file is enough %s", e.msg);
    for (size_t at = 100; at < n / 8; at += n / 100, tries++) {
        z[at] ^= 4;
        copy = a;
        e.msg[0] = 0;
        wrong += bpe_read_merges(&b, z, n, &copy, &e) == 0;
        z[at] ^= 4;
    }
    ok(!wrong, "a bit in what is used: refused in %zu places (%s)", tries, e.msg);
    free(z);
}

int main(void) {
    const char *merges = getenv("UNCLIP_MERGES");
    struct tok_files f = {.merges = merges && *merges ? merges : NULL};
    const char *dir = getenv("UNCLIP_TOK_CASES");
    struct err e = {0};
    struct bpe b;
    TAP_ARENA(a, 64);

    if (!f.merges) {
        skip("OpenAI's merges are not here: set UNCLIP_MERGES");
        return done();
    }
    if (!ok(bpe_open(&b, &f, &a, &e) == 0, "%s opens %s", f.merges, e.msg))
        return done();
    ok(b.merges == 48894 && b.sot == 49406 && bpe_hash(&b) == 0xd9b255737dd40c6e, "48,894 merges, %016llx",
       (unsigned long long)bpe_hash(&b));
    by_hand(&b, a);
    damaged(f.merges, a);
    if (dir && *dir)
        cases(&b, dir, a);
    else
        skip("the golden cases are not here: set UNCLIP_TOK_CASES");
    free(a_mem.base);
    return done();
}
