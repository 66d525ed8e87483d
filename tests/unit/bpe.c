/* Encoding and decoding with the small merges of tests/golden/tok, whose ids come from
 * reference.py there; files in all spellings; damaged ones. */
#include "lib/text/bpe.h"

#include <jansson.h>
#include <zlib.h>

#include "formats/checkpoint/bpe_files.h"
#include "lib/text/text_clean.h"
#include "tests/tap.h"

#define MERGES "tests/golden/tok/small_merges.txt"

static int encode(const struct bpe *b, const char *s, size_t n, bool special, size_t limit,
                  struct bpe_tokens *t, struct arena *a) {
    struct err e = {0};
    struct bpe_text text;

    return bpe_prepare(b, s, n, &text, a, &e) < 0 ? -1 : bpe_encode(b, &text, special, limit, t, a, &e);
}

static void golden(const struct bpe *b, struct arena a) {
    FILE *f = fopen("tests/golden/tok/cases.jsonl", "r");
    char line[65536];
    int n = 0, bad = 0;

    while (f && fgets(line, sizeof line, f)) {
        json_t *j = json_loads(line, JSON_ALLOW_NUL, NULL), *s = json_array_get(j, 0);
        json_t *want = json_array_get(j, 2);
        struct bpe_tokens t;
        struct arena copy = a;
        int good = encode(b, json_string_value(s), json_string_length(s), true, 77, &t, &copy) == 0 &&
                   t.n == json_array_size(want);
        for (size_t i = 0; good && i < t.n; i++)
            good = t.id[i] == json_integer_value(json_array_get(want, i));
        n++;
        bad += !good;
        if (!good)
            printf("# %s", line);
        json_decref(j);
    }
    if (f)
        fclose(f);
    ok(n > 400 && !bad, "%d of %d golden texts get the reference's ids", n - bad, n);
}

static int ids(const struct bpe *b, const char *s, bool special, const char *want, struct arena a) {
    struct bpe_tokens t;
    char got[512];
    size_t k = 0;

    if (encode(b, s, strlen(s), special, 77, &t, &a) < 0)
        return 0;
    for (size_t i = 1; i + 1 < t.n && k < sizeof got - 16; i++)
        k += (size_t)sprintf(got + k, "%d ", t.id[i]);
    got[k ? k - 1 : 0] = 0;
    if (!strcmp(got, want))
        return 1;
    printf("# got %s\n", got);
    return 0;
}

/* No merges at all: ids are bytes, and show how a text is split. */
static void splitting(struct arena a) {
    struct err e = {0};
    struct bpe b;

    ok(bpe_build(&b, NULL, 0, &a, &e) == 0 && b.sot == 512 && b.eot == 513, "no merges: 514 ids");
    ok(ids(&b, "ab", true, "64 321", a), "the last byte of a word is marked");
    ok(ids(&b, "it's", true, "72 339 6 338", a), "contraction");
    ok(ids(&b, "'tis", true, "6 339 72 338", a), "at the start too");
    ok(ids(&b, "''s", true, "6 262 338", a), "but not after another apostrophe");
    ok(ids(&b, "12\xc2\xb2", true, "272 273 126 366", a), "numbers one by one");
    ok(ids(&b, "a!b-?", true, "320 256 321 12 286", a), "others in runs");
    ok(ids(&b, "a<|endoftext|>", true, "320 513", a), "special");
    ok(ids(&b, "!<|endoftext|>", true, "0 27 347 68 77 67 78 69 83 68 87 339 91 285", a), "swallowed by a run");
    ok(ids(&b, "<|endoftext|>", false, "27 347 68 77 67 78 69 83 68 87 339 91 285", a), "not asked for: text");
    ok(ids(&b, "", true, "", a), "the empty text");
}

/* All occurrences of the best pair, from the left, before any other; whichever way a piece takes. */
static void merging(struct arena a) {
    static const struct bpe_merge m[] = {{"a", "a", 1, 1}, {"aa", "aa", 2, 2}, {"a", "b", 1, 1}};
    struct bpe_tokens t = {0};
    struct err e = {0};
    char s[101];
    struct bpe b;
    int good = 1;

    bpe_build(&b, m, 3, &a, &e);
    ok(ids(&b, "aaaab", true, "513 321", a), "the first merge takes all it finds");
    ok(ids(&b, "aaab", true, "512 64 321", a),
       "from the left; the last byte is another");
    ok(ids(&b, "aaabb", true, "512 514 321", a), "what is over goes on");
    memset(s, 'a', 100);
    memcpy(s + 98, "bb", 3);
    for (size_t n = 4; n <= 100; n++) {    /* n - 2 a's and two b's */
        struct arena copy = a;
        size_t quads = (n - 2) / 4, k = 1;
        encode(&b, s + 100 - n, n, true, 200, &t, &copy);
        for (size_t i = 0; i < quads; i++)
            good &= t.id[k++] == 513;
        if ((n - 2) % 4 >= 2)
            good &= t.id[k++] == 512;
        good &= t.id[k++] == ((n - 2) % 2 ? 514 : 65) && t.id[k++] == 321 && t.n == k + 1;
    }
    ok(good, "runs of 2 to 98");
}

/* Pieces of more than 48 bytes take another way than short ones. */
static void long_words(const struct bpe *b, struct arena a) {
    size_t n = 1 << 20;
    char *s = malloc(n + 1);
    struct bpe_tokens t, u;
    struct arena copy;
    int bad = 0;

    memset(s, 'a', n);
    ok(encode(b, s, n, true, 77, &t, &a) == 0 && t.n > 2, "a word of a megabyte: %zu tokens", t.n);
    ok(t.cut > 0 && t.cut < n, "cut at %zu", t.cut);
    for (size_t i = 0; i < n; i++)
        s[i] = "abdeilnorst"[i * i * 7 % 11];
    ok(encode(b, s, n, true, 77, &u, &a) == 0, "another one");
    /* around a digit, which stands alone */
    for (size_t k = 1; k < 400; k++) {
        struct bpe_tokens x, y;
        copy = a;
        for (size_t i = 0; i < k; i++)
            s[i] = "reding"[i * 5 % 6];
        s[k] = '1';
        memcpy(s + k + 1, s, k);
        if (encode(b, s, k, true, 77, &x, &copy) < 0 || encode(b, s, 2 * k + 1, true, 77, &y, &copy) < 0 ||
            y.n != 2 * (x.n - 2) + 3 || memcmp(x.id + 1, y.id + 1, (x.n - 2) * sizeof *x.id) ||
            memcmp(x.id + 1, y.id + x.n, (x.n - 2) * sizeof *x.id))
            bad++;
    }
    ok(!bad, "a word has the same tokens wherever it stands");
    free(s);
}

static void truncating(const struct bpe *b, struct arena a) {
    struct bpe_tokens t = {0};
    const char *s = "12 34 red";

    encode(b, s, strlen(s), true, 5, &t, &a);
    ok(t.n >= 7 && t.cut == 4, "cut before the 4: at %zu", t.cut);
    bpe_truncate(b, &t, 5);
    ok(t.n == 5 && t.id[4] == (int)b->eot && t.id[0] == (int)b->sot, "the last id is the end");
    encode(b, s, strlen(s), true, 77, &t, &a);
    ok(t.cut == strlen(s), "nothing is cut within the limit");
}

static void decoding(const struct bpe *b, struct arena a) {
    const int64_t odd[] = {b->sot, 127, 320, b->eot}, far[] = {b->vocab};
    struct bpe_tokens t;
    struct err e = {0};
    int64_t id[16];
    size_t len;
    char *s;

    encode(b, "A red  apple!", 13, true, 77, &t, &a);
    for (size_t i = 0; i < t.n; i++)
        id[i] = t.id[i];
    s = bpe_decode(b, id, t.n, false, &len, &a, &e);
    ok(s && !strcmp(s, "a red apple !"), "decoded: %s", s);
    s = bpe_decode(b, odd, 4, true, &len, &a, &e);
    ok(s && !strcmp(s, "<|startoftext|> \xef\xbf\xbd" "a <|endoftext|>"), "what is not UTF-8: %s", s);
    ok(!bpe_decode(b, far, 1, true, &len, &a, &e), "out of range: %s", e.msg);
}

/* ---- files ---- */

static int refused(int r, const char *want, struct err *e) {
    int good = r < 0 && !strcmp(e->msg, want);

    if (!good)
        printf("# %d: %s\n", r, e->msg);
    e->msg[0] = 0;
    return good;
}

static int merges(struct bpe *b, const char *s, struct arena a, struct err *e) {
    return bpe_read_merges(b, s, strlen(s), &a, e);
}

static void merge_files(struct arena a) {
    struct err e = {0};
    struct bpe b;

    ok(merges(&b, "#version: 0.2\na b\nab c</w>\n", a, &e) == 0 && b.merges == 2, "a header and two merges");
    ok(merges(&b, "a b\r\nab c</w>\r\n", a, &e) == 0 && b.merges == 2, "no header, lines of another system");
    ok(refused(merges(&b, "", a, &e), "no merges in it", &e), "empty");
    ok(refused(merges(&b, "#version: 0.2\n", a, &e), "no merges in it", &e), "a header only");
    ok(refused(merges(&b, "a b\n\na c\n", a, &e), "line 2 is not a merge: two tokens separated by a space", &e), "a blank line");
    ok(refused(merges(&b, "a b c\n", a, &e), "line 1 is not a merge: two tokens separated by a space", &e), "three tokens");
    ok(refused(merges(&b, "ab c\n", a, &e), "merge 1: 'ab' is not a token yet", &e), "a token too early");
    ok(refused(merges(&b, "a \xff\n", a, &e), "merge 1: '\xff' is not a token yet", &e), "not UTF-8");
    ok(refused(merges(&b, "a </w>\n", a, &e), "merge 1: '</w>' is not a token yet", &e), "a bare mark");
    ok(refused(merges(&b, "a</w> b\n", a, &e), "merge 1: 'a</w>' ends a word, no token can follow it", &e), "after the end");
    ok(refused(merges(&b, "a b\nb c\nab c\na bc\n", a, &e), "merge 4: 'a' and 'bc' make token 514, which is there already", &e), "a token twice");
}

static void openai_header(struct arena a) {
    char *s = malloc(2 << 20);
    struct err e = {0};
    struct bpe b;
    size_t k = (size_t)sprintf(s, "\"bpe_simple_vocab_16e6.txt#version: 0.2\n");
    int n = 0;

    /* all pairs of letters, then all of those with a letter: 26^2 + 26^3, then 26^2 x 26^2 */
    for (int i = 0; i < 26 * 26; i++, n++)
        k += (size_t)sprintf(s + k, "%c %c\n", 'a' + i / 26, 'a' + i % 26);
    for (int i = 0; i < 26 * 26 * 26; i++, n++)
        k += (size_t)sprintf(s + k, "%c%c %c\n", 'a' + i / 676, 'a' + i / 26 % 26, 'a' + i % 26);
    for (int i = 0; n < 48894 + 100; i++, n++)
        k += (size_t)sprintf(s + k, "%c%c %c%c\n", 'a' + i / 17576, 'a' + i / 676 % 26, 'a' + i / 26 % 26, 'a' + i % 26);
    k += (size_t)sprintf(s + k, "this is not looked at\n");
    ok(bpe_read_merges(&b, s, k, &a, &e) == 0 && b.merges == 48894 && b.eot == 49407,
       "of OpenAI's file 48,894 merges count: %zu %s", b.merges, e.msg);
    memcpy(s, "#_version: 0.2                         ", 39);
    ok(bpe_read_merges(&b, s, k, &a, &e) < 0, "of any other all do: %s", e.msg);
    free(s);
}

static size_t gzip(const void *s, size_t n, unsigned char *out, size_t room) {
    z_stream z = {.next_in = (Bytef *)(uintptr_t)s, .avail_in = (uInt)n, .next_out = out, .avail_out = (uInt)room};

    deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY);
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return room - z.avail_out;
}

static void gz_files(const struct bpe *plain, const char *s, size_t n, struct arena a) {
    unsigned char *z = malloc(1 << 20);
    size_t k = gzip(s, n, z, 1 << 20), cut, bad = 0;
    char *zeros = calloc(40, 1 << 20);
    struct err e = {0};
    struct arena c = a;
    struct bpe b;

    ok(bpe_read_merges(&b, z, k, &c, &e) == 0 && bpe_hash(&b) == bpe_hash(plain), "gzip'd: the same");
    for (cut = 2; cut < k; cut++) {
        c = a;
        e.msg[0] = 0;
        bad += bpe_read_merges(&b, z, cut, &c, &e) == 0 || !strstr(e.msg, "gzip data is");
    }
    ok(!bad, "cut anywhere: refused (%s)", e.msg);
    e.msg[0] = 0;
    c = a;
    k = gzip(s, n / 2, z, 1 << 19);
    k += gzip(s + n / 2, n - n / 2, z + k, 1 << 19);
    ok(bpe_read_merges(&b, z, k, &c, &e) == 0 && bpe_hash(&b) == bpe_hash(plain), "two members: the same");
    c = a;
    k = gzip(zeros, 40 << 20, z, 1 << 20);
    ok(refused(bpe_read_merges(&b, z, k, &c, &e), "more than 32 MiB", &e), "a bomb of %zu bytes", k);
    free(z);
    free(zeros);
}

static json_t *vocab_of(const char *s, size_t n, json_t *merges_out, int pairs) {
    json_t *v = json_object();
    char name[64];
    long id = 0;

    /* the alphabet, in order, by the rule of the header */
    for (int last = 0; last < 2; last++)
        for (int pass = 0, extra = 0; pass < 2; pass++)
            for (int b = 0; b < 256; b++) {
                int prints = (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b != 0xad);
                int c = pass ? 256 + extra : b;
                if (prints == pass)
                    continue;
                extra += pass;
                if (c < 128)
                    sprintf(name, "%c%s", c, last ? "</w>" : "");
                else
                    sprintf(name, "%c%c%s", 0xc0 | c >> 6, 0x80 | (c & 63), last ? "</w>" : "");
                json_object_set_new(v, name, json_integer(id++));
            }
    for (const char *p = s, *q; p < s + n && (q = memchr(p, '\n', (size_t)(s + n - p))); p = q + 1) {
        const char *gap = memchr(p, ' ', (size_t)(q - p));
        if (*p == '#' && p == s)
            continue;
        sprintf(name, "%.*s%.*s", (int)(gap - p), p, (int)(q - gap - 1), gap + 1);
        json_object_set_new(v, name, json_integer(id++));
        json_array_append_new(merges_out, pairs ? json_pack("[s%s%]", p, (size_t)(gap - p), gap + 1, (size_t)(q - gap - 1))
                                                : json_stringn(p, (size_t)(q - p)));
    }
    json_object_set_new(v, "<|startoftext|>", json_integer(id++));
    json_object_set_new(v, "<|endoftext|>", json_integer(id));
    return v;
}

static int read_json(struct bpe *b, json_t *j, struct arena a, struct err *e) {
    char *s = json_dumps(j, 0);
    int r = bpe_read_json(b, s, strlen(s), &a, e);

    free(s);
    return r;
}

/* The same tokens written otherwise, and others. */
static void other_vocabs(const struct bpe *plain, json_t *v, struct err *e) {
    static const struct { size_t flags; const char *what; } way[] = {
        {JSON_SORT_KEYS, "sorted"}, {JSON_ENSURE_ASCII, "escaped"}, {JSON_INDENT(2), "on lines"},
        {JSON_COMPACT | JSON_ESCAPE_SLASH, "without blanks, slashes escaped"},
    };
    char *s;

    for (size_t i = 0; i < sizeof way / sizeof *way; i++) {
        s = json_dumps(v, way[i].flags);
        ok(bpe_check_vocab(plain, s, strlen(s), e) == 0, "vocab.json %s agrees %s", way[i].what, e->msg);
        free(s);
    }
    s = json_dumps(v, 0);
    size_t n = strlen(s), taken = 0;
    for (size_t i = 0; i < n; i++, e->msg[0] = 0)
        taken += bpe_check_vocab(plain, s, i, e) == 0;
    ok(!taken, "cut at each of its %zu bytes it is refused", n);
    for (char *p = s; (p = strchr(p, '"')) && p < s + 400; p++) {    /* a name is another's */
        char c = p[1];
        p[1] = c == 'q' ? 'z' : 'q';
        taken += bpe_check_vocab(plain, s, n, e) == 0;
        p[1] = c, e->msg[0] = 0;
    }
    ok(!taken, "with another name it is refused");
    ok(bpe_check_vocab(plain, s, n + 1, e) < 0, "with a NUL behind it: %s", e->msg);
    e->msg[0] = 0;
    free(s);
}

static void json_files(const struct bpe *plain, const char *s, size_t n, struct arena a) {
    struct err e = {0};
    struct bpe b;

    for (int pairs = 0; pairs < 2; pairs++) {
        json_t *m = json_array(), *v = vocab_of(s, n, m, pairs);
        char *text = json_dumps(v, 0);
        json_t *j = json_pack("{s{sssssoso}}", "model", "type", "BPE", "end_of_word_suffix", "</w>", "vocab", v, "merges", m);
        ok(bpe_check_vocab(plain, text, strlen(text), &e) == 0, "vocab.json agrees %s", e.msg);
        other_vocabs(plain, v, &e);
        ok(read_json(&b, j, a, &e) == 0 && bpe_hash(&b) == bpe_hash(plain), "tokenizer.json with merges as %s: the same %s",
           pairs ? "pairs" : "strings", e.msg);
        json_object_set_new(v, "<extra>", json_integer(plain->vocab));
        ok(read_json(&b, j, a, &e) == 0, "tokens after the last are left alone");
        json_object_set_new(v, "a", json_integer(65));
        ok(refused(read_json(&b, j, a, &e), "token 'a' has id 65, which the merges give to another", &e), "another id");
        json_object_del(v, "a");
        ok(refused(read_json(&b, j, a, &e), "716 tokens have ids below 717, the merges make that many", &e), "a token missing");
        json_object_set_new(json_object_get(j, "model"), "end_of_word_suffix", json_null());
        ok(refused(read_json(&b, j, a, &e), "end_of_word_suffix is not </w>: not a tokenizer of CLIP's kind", &e), "another kind");
        free(text);
        json_decref(j);
    }
    ok(bpe_read_json(&b, "[]", 2, &a, &e) < 0, "no object: %s", e.msg);
    e.msg[0] = 0;
    ok(bpe_read_json(&b, "{\"model\":", 9, &a, &e) < 0, "no JSON: %s", e.msg);
}

int main(void) {
    struct tok_files f = {.merges = MERGES}, none = {.merges = "tests/golden"};
    struct err e = {0};
    struct bpe b;
    char s[65536];
    FILE *in = fopen(MERGES, "r");
    size_t n = in ? fread(s, 1, sizeof s, in) : 0;
    TAP_ARENA(a, 256);

    if (in)
        fclose(in);
    if (!ok(bpe_open(&b, &f, &a, &e) == 0 && b.merges == 203, "%s opens %s", MERGES, e.msg))
        return done();
    ok(bpe_open(&b, &none, &a, &e) < 0 && !strcmp(e.msg, "tests/golden: Is a directory"), "a folder is none: %s", e.msg);
    golden(&b, a);
    splitting(a);
    merging(a);
    long_words(&b, a);
    truncating(&b, a);
    decoding(&b, a);
    merge_files(a);
    openai_header(a);
    gz_files(&b, s, n, a);
    json_files(&b, s, n, a);
    free(a_mem.base);
    return done();
}
