/* Added and special tokens in all files that name them.  The ids are those that transformers 5.24's CLIPTokenizer
 * gives with the files of the model in the box (3000 tokens; start 2998, end 2999) and the file written here. */
#define _DEFAULT_SOURCE    /* mkdtemp */

#include "formats/checkpoint/bpe_files.h"

#include <unistd.h>

#include "tests/tap.h"

#define BOX "examples/emoji/tokenizer/"
#define TOKEN(flags) "{\"content\": \"<cat-toy>\", \"lstrip\": false, \"rstrip\": false, \"single_word\": false, " flags "}"

static char dir[64];

/* Open the box's merges with one more file of that name. */
static int open_with(struct bpe *b, const char *name, const char *json, struct arena *a, struct err *e) {
    struct tok_files f = {.merges = BOX "merges.txt", .vocab = BOX "vocab.json"};
    char path[128];
    FILE *out;
    int r;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    out = fopen(path, "wb");
    if (!out || fputs(json, out) < 0 || fclose(out))
        return ok(0, "cannot write %s", path);
    *(!strcmp(name, "added_tokens.json") ? &f.added_tokens : !strcmp(name, "tokenizer.json") ? &f.tokenizer_json
      : !strcmp(name, "tokenizer_config.json") ? &f.config : &f.special_tokens) = path;
    r = bpe_open(b, &f, a, e);
    remove(path);
    return r;
}

/* The ids between start and end as text, "320 615". */
static const char *ids(const struct bpe *b, const char *s, struct arena a) {
    static char out[512];
    struct bpe_tokens t;
    struct bpe_text text;
    struct err e = {0};
    size_t k = 0;

    if (bpe_prepare(b, s, strlen(s), &text, &a, &e) < 0 || bpe_encode(b, &text, false, 77, &t, &a, &e) < 0)
        return e.msg[0] ? "error" : "?";
    for (size_t i = 1; i + 1 < t.n; i++)
        k += (size_t)snprintf(out + k, sizeof out - k, "%s%d", i > 1 ? " " : "", t.id[i]);
    out[k] = 0;
    return t.id[0] == 2998 && t.id[t.n - 1] == 2999 ? out : "?";
}

/* What the four texts become. */
static const char *const texts[4] = {"a red <cat-toy> flag!", "A RED<Cat-Toy>flag! <CAT-TOY> x", "<cat-toy><cat-toy>",
                                    "flag ! flag"};
static const char split0[] = "320 615 283 804 268 576 344 285 529 256";
static const char split1[] = "320 615 283 804 268 576 344 285 529 256 283 804 268 576 344 285 343";
static const char split2[] = "283 804 268 576 344 29 283 804 268 576 344 285";
static const char one0[] = "320 615 3000 529 256", one1[] = "320 615 3000 529 256 3000 343", one2[] = "3000 3000";
static const char word[] = "529 256 529", pad0[] = "320 615 283 804 268 576 344 285 529 0", pad3[] = "529 0 529";
static const char pad1[] = "320 615 283 804 268 576 344 285 529 0 283 804 268 576 344 285 343";

static const struct {
    const char *file, *json, *want[4];
} cases[] = {
    {"special_tokens_map.json", "{}", {split0, split1, split2, word}},
    {"added_tokens.json", "{\"<cat-toy>\": 3000}", {one0, one1, one2, word}},
    {"added_tokens.json", "{\"<Cat-Toy>\": 3000}", {one0, one1, one2, word}},
    {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"3000\": " TOKEN("\"normalized\": false, \"special\": true") "}}",
     {one0, split1, one2, word}},
    {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"3000\": " TOKEN("\"normalized\": true, \"special\": false") "}}",
     {one0, one1, one2, word}},
    {"tokenizer.json", "{\"version\": \"1.0\", \"x\": [{\"added_tokens\": [\"]\"]}], \"added_tokens\": [{\"id\": 3000, \"content\": "
     "\"<cat-toy>\", \"normalized\": true}], \"model\": {", {one0, one1, one2, word}},
    {"special_tokens_map.json", "{\"pad_token\": \"!\"}", {pad0, pad1, split2, pad3}},
    {"tokenizer_config.json", "{\"pad_token\": {\"content\": \"!\"}}", {pad0, pad1, split2, pad3}},
    {"special_tokens_map.json", "{\"additional_special_tokens\": [\"<no-id>\", \"!\"]}", {pad0, pad1, split2, pad3}},
    {"tokenizer_config.json", "{\"bos_token\": \"<|startoftext|>\", \"eos_token\": \"<|endoftext|>\", \"pad_token\": \"<|endoftext|>\"}",
     {split0, split1, split2, word}},
};

static void golden(struct arena a) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena mine = a;
        struct err e = {0};
        struct bpe b;

        if (!ok(open_with(&b, cases[i].file, cases[i].json, &mine, &e) == 0, "%s %.60s %s", cases[i].file, cases[i].json, e.msg))
            continue;
        for (int k = 0; k < 4; k++) {
            const char *got = ids(&b, texts[k], mine);
            ok(!strcmp(got, cases[i].want[k]), "'%s': %s", texts[k], got);
        }
    }
}

static void refusals(struct arena a) {
    static const struct { const char *file, *json, *why; } bad[] = {
        {"added_tokens.json", "{\"<cat>\": 2999}", "added token '<cat>' has the id of another token"},
        {"added_tokens.json", "{\"<cat>\": 5}", "added token '<cat>' has the id of another token"},
        {"added_tokens.json", "{\"<|endoftext|>\": 3000}", "added token '<|endoftext|>' has another id in the merges"},
        {"added_tokens.json", "{\"<cat>\": 3000, \"<dog>\": 3000}", "has the id of another token"},
        {"added_tokens.json", "{\"<cat>\": 3000, \"<CAT>\": 3001}", "added token '<cat>' has two ids"},
        {"added_tokens.json", "{\"<cat>\": -1}", "added token '<cat>' has the id -1"},
        {"added_tokens.json", "{\"<cat>\": 2000000}", "added token '<cat>' has an id out of range"},
        {"added_tokens.json", "{\"<cat>\": \"3000\"}", "added token '<cat>' has no id"},
        {"added_tokens.json", "{\" \": 3000}", "is white space"},
        {"added_tokens.json", "{\"\": 3000}", "is empty"},
        {"added_tokens.json", "[]", "not a JSON object"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"x\": {}}}", "added_tokens_decoder: 'x' is not an id"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"3000\": \"<cat>\"}}", "an added token has no content"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\": []}", "added_tokens_decoder is not an object"},
        {"tokenizer_config.json", "{\"added_tokens_decoder\": {\"3000\": {\"content\": \"cat\", \"single_word\": true}}}",
         "added token 'cat' is a single_word, which is not supported"},
        {"tokenizer.json", "{\"added_tokens\": [{\"content\": \"<cat>\"}]}", "added token 1 has no content or no id"},
        {"tokenizer.json", "{\"added_tokens\": [{\"content\": \"<cat>\"}", "not valid JSON"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena mine = a;
        struct err e = {0};
        struct bpe b;
        int r = open_with(&b, bad[i].file, bad[i].json, &mine, &e);

        ok(r < 0 && strstr(e.msg, bad[i].why), "refused: %s", r < 0 ? e.msg : bad[i].json);
    }
    /* with 65,536 added tokens a list of 500,000 entries took an hour */
    static char list[8192] = "{\"additional_special_tokens\": [\"!\"";
    for (int i = 0; i < 1024; i++)
        strcat(list, ",\"!\"");
    strcat(list, "]}");
    for (int i = 0; i < 2; i++) {
        struct arena mine = a;
        struct err e = {0};
        struct bpe b;
        int r = open_with(&b, i ? "tokenizer_config.json" : "special_tokens_map.json", list, &mine, &e);

        ok(r < 0 && strstr(e.msg, "more than 1024 entries"), "refused: %s", r < 0 ? e.msg : "a long list of special tokens");
    }
}

/* The longest of several, places in the text, the way back, and the hash. */
static void properties(struct arena a) {
    struct bpe plain, pad, b;
    struct bpe_tokens t;
    struct bpe_text text;
    struct err e = {0};
    const char *s = "Red  <a><ab><AB> <q> flag";
    int64_t back[16], gap = 3002;
    size_t len = 0;
    char *out;

    if (!ok(open_with(&plain, "special_tokens_map.json", "{}", &a, &e) == 0, "the box's own %s", e.msg))
        return;
    ok(bpe_hash(&plain) == 0x5aba166f3d0c1b0b, "its hash is %016llx", (unsigned long long)bpe_hash(&plain));
    ok(open_with(&pad, "special_tokens_map.json", "{\"pad_token\": \"!\"}", &a, &e) == 0 && bpe_hash(&pad) == bpe_hash(&plain) &&
       pad.vocab == 3000, "a special token of the merges does not change it");
    ok(open_with(&b, "tokenizer_config.json", "{\"added_tokens_decoder\": {\"3000\": {\"content\": \"<a>\"}, \"3001\": {\"content\": "
       "\"<a><ab\"}, \"3004\": {\"content\": \"<AB>\", \"special\": true}, \"3003\": {\"content\": \"<q>\"}}}", &a, &e) == 0 &&
       b.vocab == 3005, "four added tokens %s", e.msg);
    ok(bpe_hash(&b) != bpe_hash(&plain), "others do");
    ok(!strcmp(ids(&b, s, a), "615 3001 285 3004 3003 529"), "the longest is taken, a raw one by its own letters: %s", ids(&b, s, a));
    bpe_prepare(&b, s, strlen(s), &text, &a, &e);
    ok(!strcmp(text.s, "red <a><ab> <AB> <q> flag") && text.n == strlen(text.s), "the text is '%s'", text.s);
    ok(bpe_encode(&b, &text, false, 4, &t, &a, &e) == 0 && t.n == 8, "eight tokens %s", e.msg);
    ok(!strcmp(text.s + t.cut, "> <AB> <q> flag"), "a limit of 4 cuts at '%s'", text.s + t.cut);
    for (size_t i = 0; i < t.n; i++)
        back[i] = t.id[i];
    out = bpe_decode(&b, back, t.n, false, &len, &a, &e);
    ok(out && !strcmp(out, "red <a><ab > <q> flag"), "back: '%s'", out);
    out = bpe_decode(&b, back, t.n, true, &len, &a, &e);
    ok(out && strstr(out, "<AB> <q> flag"), "with special ones: '%s'", out);
    ok(!bpe_decode(&b, &gap, 1, true, &len, &a, &e) && !strcmp(e.msg, "token 0 is 3002, which the vocabulary does not have"),
       "%s", e.msg);
    e.msg[0] = 0;
    ok(bpe_prepare(&b, "ab <AB> \xff", 9, &text, &a, &e) < 0 && strstr(e.msg, "8"), "not UTF-8: %s", e.msg);
}

int main(void) {
    const char *tmp = getenv("TMPDIR");

    TAP_ARENA(a, 64);
    snprintf(dir, sizeof dir, "%.30s/unclip-added-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(dir))
        return ok(0, "no folder for the test");
    golden(a);
    refusals(a);
    properties(a);
    rmdir(dir);
    free(a_mem.base);
    return done();
}
