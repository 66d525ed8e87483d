#include "formats/checkpoint/bpe_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/io/file_read.h"
#include "formats/io/gunzip.h"
#include "formats/io/json_text.h"
#include "formats/io/lfs_pointer.h"
#include "lib/base/utf8.h"

/* ---- merges.txt ---- */

/* OpenAI's file has 3,194,984 bytes.  The reference uses its lines [1 : 48895], which end at byte OPENAI_USED.
 * OPENAI_HASH is the bpe_hash of these merges. */
enum { OPENAI_MERGES = 49152 - 256 - 2, OPENAI_USED = 524645 };
#define OPENAI_HASH 0xd9b255737dd40c6eu

/* Return the length of the line at *s, without its line end, and move *s to the next line. */
static size_t take_line(const char **s, const char *end) {
    const char *nl = memchr(*s, '\n', (size_t)(end - *s));
    size_t n = (size_t)((nl ? nl : end) - *s);

    *s = nl ? nl + 1 : end;
    return n;
}

static int has(const char *s, size_t n, const char *word) {
    size_t k = strlen(word);

    for (size_t i = 0; i + k <= n; i++)
        if (!memcmp(s + i, word, k))
            return 1;
    return 0;
}

/* Split the merge "left right". */
static int split(struct bpe_merge *m, const char *s, size_t n) {
    const char *gap = memchr(s, ' ', n);
    size_t left = gap ? (size_t)(gap - s) : 0, right = gap ? n - left - 1 : 0;

    if (left == 0 || right == 0 || memchr(gap + 1, ' ', right))
        return -1;
    *m = (struct bpe_merge){s, gap + 1, (uint32_t)left, (uint32_t)right};
    return 0;
}

static int parse_merges(struct bpe *b, const char *s, size_t n, struct arena *a, struct err *e) {
    const char *end = s + n, *line = s;
    size_t lines = 1, count = 0, max = SIZE_MAX, number = 0;
    struct bpe_merge *m;

    for (size_t i = 0; i < n; i++)
        lines += s[i] == '\n';
    m = arena_take(a, lines, sizeof *m);
    if (!m)
        return err_set(e, "no memory for %zu merges", lines);
    while (s < end && count < max) {
        size_t len;
        line = s;
        len = take_line(&s, end);
        len -= len > 0 && line[len - 1] == '\r';
        if (++number == 1 && has(line, len, "#version:")) {
            if (has(line, len, "bpe_simple_vocab_16e6"))
                max = OPENAI_MERGES;
            continue;
        }
        if (len == 0 && s == end)
            break;
        if (split(&m[count], line, len) < 0)
            return err_set(e, "line %zu is not a merge: two tokens separated by a space",
                           number);
        count++;
    }
    if (count == 0)
        return err_set(e, "no merges in it");
    return bpe_build(b, m, count, a, e);
}

/* Read OpenAI's file, and unpack only the first sixth of it, which is the part that is used.  The hash of the merges
 * proves that they are OpenAI's, so gzip's sum over the whole file is not needed.  Returns false if it is another
 * file. */
static bool openai_file(struct bpe *b, const void *s, size_t n, struct arena *a) {
    struct arena copy = *a;
    struct span raw;
    struct err none = {0};

    if (gunzip(span_bytes(s, n), OPENAI_USED, BPE_FILE_MAX, &raw, &copy, &none) < 0 || raw.n != OPENAI_USED ||
        !has((const char *)raw.p, 64, "bpe_simple_vocab_16e6") || parse_merges(b, (const char *)raw.p, raw.n, &copy, &none) < 0 ||
        bpe_hash(b) != OPENAI_HASH)
        return false;
    *a = copy;
    return true;
}

int bpe_read_merges(struct bpe *b, const void *s, size_t n, struct arena *a, struct err *e) {
    struct span raw;

    if (!gunzip_is(span_bytes(s, n)))
        return parse_merges(b, s, n, a, e);
    if (n <= BPE_FILE_MAX && openai_file(b, s, n, a))
        return 0;
    if (gunzip(span_bytes(s, n), SIZE_MAX, BPE_FILE_MAX, &raw, a, e) < 0)
        return -1;
    return parse_merges(b, (const char *)raw.p, raw.n, a, e);
}

/* ---- JSON ---- */

static json_t *parse_json(const void *s, size_t n, struct err *e) {
    json_t *j = json_text_load_big(s, n, e);

    if (!j || json_is_object(j))
        return j;
    err_set(e, "not a JSON object");
    json_decref(j);
    return NULL;
}

/* Check that vocab gives the name of each token of b the id that the token has in b.  vocab may have higher ids too. */
static int check_vocab(const struct bpe *b, json_t *vocab, struct err *e) {
    const char *name;
    json_t *v;
    size_t same = 0;

    json_object_foreach(vocab, name, v) {
        json_int_t id = json_is_integer(v) ? json_integer_value(v) : -1;
        if (id < 0)
            return err_set(e, "token '%.80s' has no id", name);
        if ((uint64_t)id >= b->vocab)
            continue;
        if (!bpe_is_token(b, (uint64_t)id, name, strlen(name)))
            return err_set(e, "token '%.80s' has id %" JSON_INTEGER_FORMAT
                           ", which the merges give to another", name, id);
        same++;
    }
    if (same != b->vocab)
        return err_set(e, "%zu tokens have ids below %" PRIu32 ", the merges make that many",
                       same, b->vocab);
    return 0;
}

/* ---- vocab.json in the form in which libraries write it ---- */

enum { NAME_MOST = 1024 };    /* the most bytes of a name that is parsed here; jansson parses files with longer names */

struct text {
    const char *at, *end;
};

static void skip(struct text *t) {
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\r' || *t->at == '\t'))
        t->at++;
}

/* Skip blanks and one more byte.  Returns whether that byte is c. */
static bool next(struct text *t, char c) {
    skip(t);
    return t->at < t->end && *t->at++ == c;
}

/* Write the character of an escape as UTF-8; the caller has read the backslash.  Returns the number of bytes written,
 * at most 3, or 0 if the escape is not handled here. */
static size_t unescape(struct text *t, char *out) {
    static const char digits[] = "0123456789abcdef";
    uint32_t c = 0;

    if (t->at == t->end)
        return 0;
    if (*t->at == '"' || *t->at == '\\' || *t->at == '/') {
        *out = *t->at++;
        return 1;
    }
    if (*t->at++ != 'u' || t->end - t->at < 4)
        return 0;
    for (int i = 0; i < 4; i++, t->at++) {
        const char *d = memchr(digits, *t->at >= 'A' && *t->at <= 'F' ? *t->at + 32 : *t->at, 16);
        if (!d)
            return 0;
        c = c << 4 | (uint32_t)(d - digits);
    }
    return c < 0x20 || c >= 0xd800 ? 0 : (size_t)utf8_put(c, (unsigned char *)out);
}

/* Read a name; the caller has read the opening quote.  Returns false if the name is too long, or has a character that
 * is not handled here. */
static bool name_of(struct text *t, char out[NAME_MOST + 4], size_t *n) {
    for (*n = 0; t->at < t->end && *n < NAME_MOST;) {
        char c = *t->at++;
        size_t k;
        if (c == '"')
            return true;
        if ((unsigned char)c < 0x20)
            return false;
        if (c != '\\') {
            out[(*n)++] = c;
            continue;
        }
        k = unescape(t, out + *n);
        if (!k)
            return false;
        *n += k;
    }
    return false;
}

static bool number_is(struct text *t, uint32_t want) {
    const char *from;
    uint64_t v = 0;

    skip(t);
    for (from = t->at; t->at < t->end && *t->at >= '0' && *t->at <= '9' && v <= UINT32_MAX; t->at++)
        v = v * 10 + (uint64_t)(*t->at - '0');
    return v == want && t->at > from && t->at < t->end && (*from != '0' || t->at - from == 1);
}

/* Returns whether the file lists every token once, in the order of the ids, as libraries write it.  Any other file,
 * valid or not, is parsed by jansson, which takes twice as long as all the rest of opening a tokenizer. */
static bool usual_vocab(const struct bpe *b, const char *s, size_t n) {
    struct text t = {s, s + n};
    char name[NAME_MOST + 4];
    size_t len;

    for (uint32_t id = 0; id < b->vocab; id++)
        if (!next(&t, id ? ',' : '{') || !next(&t, '"') || !name_of(&t, name, &len) || !next(&t, ':') ||
            !number_is(&t, id) || !bpe_is_token(b, id, name, len))
            return false;
    if (!next(&t, '}'))
        return false;
    skip(&t);
    return t.at == t.end;
}

/* Skip a string; the caller has read the opening quote.  Sets *text and *n to the characters of the string, with
 * escapes as they are.  Returns false if the closing quote is missing. */
static bool skip_string(struct text *t, const char **text, size_t *n) {
    for (*text = t->at; t->at < t->end && *t->at != '"'; t->at++)
        t->at += *t->at == '\\' && t->end - t->at > 1;
    *n = (size_t)(t->at - *text);
    return t->at < t->end && *t->at++ == '"';
}

/* Skip a value that begins with a bracket or a quote: move to its end, or to the end of the text. */
static void skip_value(struct text *t) {
    const char *text;
    size_t depth = 0, n;

    while (t->at < t->end) {
        char c = *t->at++;

        depth += c == '[' || c == '{';
        depth -= (c == ']' || c == '}') && depth > 0;
        if (c == '"')
            skip_string(t, &text, &n);
        if (depth == 0)
            return;
    }
}

/* Returns the text of the array under the key "added_tokens" of the outermost object, or an empty text when the object
 * lacks it.  The search stops at the array, which stands near the beginning of the files that libraries write. */
static struct text added_tokens_in(const char *s, size_t n) {
    struct text t = {s, s + n}, out = {s, s};
    const char *key;
    size_t len;

    if (!next(&t, '{'))
        return out;
    while (next(&t, '"') && skip_string(&t, &key, &len) && next(&t, ':')) {
        skip(&t);
        out.at = t.at;
        if (t.at < t.end && (*t.at == '[' || *t.at == '{' || *t.at == '"'))
            skip_value(&t);
        else
            while (t.at < t.end && *t.at != ',' && *t.at != '}')
                t.at++;
        out.end = t.at;
        if (len == strlen("added_tokens") && !memcmp(key, "added_tokens", len) && out.at < out.end && *out.at == '[')
            return out;
        if (!next(&t, ','))
            break;
    }
    return (struct text){s, s};
}

int bpe_check_vocab(const struct bpe *b, const void *s, size_t n, struct err *e) {
    json_t *j;
    int r;

    if (usual_vocab(b, s, n))
        return 0;
    j = parse_json(s, n, e);
    r = j ? check_vocab(b, j, e) : -1;
    json_decref(j);
    return r;
}

static int json_merge(struct bpe_merge *m, json_t *v) {
    json_t *l = json_array_get(v, 0), *r = json_array_get(v, 1);

    if (json_is_string(v))
        return split(m, json_string_value(v), json_string_length(v));
    if (json_array_size(v) != 2 || !json_is_string(l) || !json_is_string(r))
        return -1;
    *m = (struct bpe_merge){json_string_value(l), json_string_value(r),
                            (uint32_t)json_string_length(l), (uint32_t)json_string_length(r)};
    return 0;
}

static int json_model(struct bpe *b, json_t *model, struct arena *a, struct err *e) {
    json_t *merges = json_object_get(model, "merges"), *vocab = json_object_get(model, "vocab");
    const char *type = json_string_value(json_object_get(model, "type"));
    const char *mark = json_string_value(json_object_get(model, "end_of_word_suffix"));
    size_t n = json_array_size(merges), i;
    struct bpe_merge *m;
    json_t *v;

    if (type && strcmp(type, "BPE"))
        return err_set(e, "model is %.40s, CLIP's is BPE", type);
    if (!mark || strcmp(mark, "</w>"))
        return err_set(e, "end_of_word_suffix is not </w>: not a tokenizer of CLIP's kind");
    if (n == 0 || !json_is_object(vocab))
        return err_set(e, "no merges or no vocab in its model");
    m = arena_take(a, n, sizeof *m);
    if (!m)
        return err_set(e, "no memory for %zu merges", n);
    json_array_foreach(merges, i, v)
        if (json_merge(&m[i], v) < 0)
            return err_set(e, "merge %zu is not two tokens", i + 1);
    return bpe_build(b, m, n, a, e);
}

/* Put the tokens of `added` into vocab, since special tokens may be in added_tokens only. */
static int add_tokens(json_t *vocab, json_t *added, struct err *e) {
    json_t *v;
    size_t i;

    json_array_foreach(added, i, v) {
        const char *name = json_string_value(json_object_get(v, "content"));
        json_t *id = json_object_get(v, "id"), *old;
        if (!name || !json_is_integer(id))
            return err_set(e, "added token %zu has no content or no id", i + 1);
        old = json_object_get(vocab, name);
        if (old && !json_equal(old, id))
            return err_set(e, "token '%.80s' has two ids", name);
        if (!old && json_object_set(vocab, name, id) < 0)
            return err_set(e, "no memory");
    }
    return 0;
}

int bpe_read_json(struct bpe *b, const void *s, size_t n, struct arena *a, struct err *e) {
    json_t *j = parse_json(s, n, e), *model = json_object_get(j, "model");
    struct tok_texts t = {.list = json_object_get(j, "added_tokens")};
    int r = -1;

    if (j && json_model(b, model, a, e) == 0 &&
        add_tokens(json_object_get(model, "vocab"), json_object_get(j, "added_tokens"), e) == 0 &&
        check_vocab(b, json_object_get(model, "vocab"), e) == 0)
        r = bpe_read_added(b, &t, a, e);
    json_decref(j);
    return r;
}

/* ---- files ---- */

static int open_file(const char *path, struct span *s, struct arena *a, struct err *why) {
    if (file_read(path, BPE_FILE_MAX, s, a, why) < 0)
        return -1;
    return lfs_pointer(s->p, s->n) ? err_set(why, "%s", lfs_pointer(s->p, s->n)) : 0;
}

/* Read a JSON object from a file; *j stays NULL if path is NULL. */
static int open_json(json_t **j, const char *path, struct arena scratch, struct err *e) {
    struct err why = {0};
    struct span s;

    if (!path)
        return 0;
    if (open_file(path, &s, &scratch, &why) < 0 || !(*j = parse_json(s.p, s.n, &why)))
        return err_at(e, path, &why);
    return 0;
}

/* Read only the added_tokens of a tokenizer.json, because the vocabulary, which is most of the file, was read from
 * other files. */
static int open_list(json_t **j, const char *path, struct arena scratch, struct err *e) {
    struct err why = {0};
    struct span s;
    struct text t;

    if (!path)
        return 0;
    if (open_file(path, &s, &scratch, &why) < 0)
        return err_at(e, path, &why);
    t = added_tokens_in((const char *)s.p, s.n);
    if (t.at < t.end && !(*j = json_text_load(t.at, (size_t)(t.end - t.at), &why)))
        return err_at(e, path, &why);
    return 0;
}

static int open_added(struct bpe *b, const struct tok_files *f, struct arena *a, struct err *e) {
    struct tok_texts t = {NULL, NULL, NULL, NULL};
    struct err why = {0};
    int r = -1;

    if (open_list(&t.list, f->tokenizer_json, *a, e) == 0 && open_json(&t.added_tokens, f->added_tokens, *a, e) == 0 &&
        open_json(&t.config, f->config, *a, e) == 0 && open_json(&t.special_tokens, f->special_tokens, *a, e) == 0) {
        r = bpe_read_added(b, &t, a, &why);
        if (r < 0)
            err_at(e, f->merges ? f->merges : f->tokenizer_json, &why);
    }
    json_decref(t.list);
    json_decref(t.added_tokens);
    json_decref(t.config);
    json_decref(t.special_tokens);
    return r;
}

static int open_base(struct bpe *b, const struct tok_files *f, struct arena *a, struct err *e) {
    const char *path = f->merges ? f->merges : f->tokenizer_json;
    struct err why = {0};
    struct arena scratch;
    struct span s;

    if (!path)
        return err_set(e, "no tokenizer");
    if (open_file(path, &s, a, &why) < 0)
        return err_at(e, path, &why);
    if ((f->merges ? bpe_read_merges : bpe_read_json)(b, s.p, s.n, a, &why) < 0)
        return err_at(e, path, &why);
    if (!f->merges || !f->vocab)
        return 0;
    scratch = *a;
    if (open_file(f->vocab, &s, &scratch, &why) < 0 ||
        bpe_check_vocab(b, s.p, s.n, &why) < 0)
        return err_at(e, f->vocab, &why);
    return 0;
}

int bpe_open(struct bpe *b, const struct tok_files *f, struct arena *a, struct err *e) {
    if (open_base(b, f, a, e) < 0)
        return -1;
    if (!(f->merges && f->tokenizer_json) && !f->added_tokens && !f->config && !f->special_tokens)
        return 0;
    b->vocab = b->eot + 1;    /* drop what bpe_read_json added: open_added reads it again, with the other files */
    return open_added(b, f, a, e);
}
