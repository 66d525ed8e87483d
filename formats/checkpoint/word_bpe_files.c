#define _GNU_SOURCE    /* memmem */
#include "formats/checkpoint/word_bpe_files.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/io/file_read.h"
#include "formats/io/gunzip.h"
#include "formats/io/json_text.h"
#include "formats/io/lines.h"
#include "formats/io/pathname.h"
#include "lib/base/utf8.h"
#include "lib/text/byte_bpe.h"

/* ---- YouTokenToMe ---- */

/* Read the next line, which must have n whole numbers. */
static int numbers(struct lines *l, size_t n, long long v[], struct err *e) {
    struct span line;
    char text[96], *s = text, *end;

    if (text_line(l, &line, e) <= 0)
        return err_set(e, "line %" PRIu64 ": the file ends too early", l->number + 1);
    snprintf(text, sizeof text, "%.*s", (int)(line.n < sizeof text ? line.n : sizeof text - 1), (const char *)line.p);
    for (size_t i = 0; i < n; i++, s = end) {
        v[i] = strtoll(s, &end, 10);
        if (end == s || v[i] < -1 || v[i] > WORD_SYMBOLS_MAX * 2LL)
            return err_set(e, "line %" PRIu64 ": %zu numbers are expected", l->number, n);
    }
    if (*s || line.n >= sizeof text)
        return err_set(e, "line %" PRIu64 ": %zu numbers are expected", l->number, n);
    return 0;
}

/* Give the symbol `id` its text.  In this file a symbol's number is its id, and a symbol that no line names has no
 * text. */
static int put(struct word_bpe *b, long long id, const char *text, size_t n, const struct lines *l, struct err *e) {
    if (id < 0 || (uint64_t)id >= b->symbols)
        return err_set(e, "line %" PRIu64 ": id %lld of %zu", l->number, id, b->symbols);
    if (b->symbol[id].text)
        return err_set(e, "line %" PRIu64 ": id %lld occurs twice", l->number, id);
    b->symbol[id].text = text;
    b->symbol[id].n = (uint32_t)n;
    return 0;
}

static int read_characters(struct word_bpe *b, struct lines *l, size_t n, struct arena *a, struct err *e) {
    for (size_t i = 0; i < n; i++) {
        long long v[2];
        char *text = arena_take(a, 5, 1);

        if (!text)
            return err_set(e, "no memory for %zu characters", n);
        if (numbers(l, 2, v, e) < 0)
            return -1;
        if (v[0] < 0 || v[0] > 0x10ffff || (v[0] >= 0xd800 && v[0] < 0xe000))
            return err_set(e, "line %" PRIu64 ": %lld is not a character", l->number, v[0]);
        if (put(b, v[1], text, (size_t)utf8_put((uint32_t)v[0], (unsigned char *)text), l, e) < 0)
            return -1;
        word_bpe_index(b, (uint32_t)v[1]);
    }
    return 0;
}

static int read_rules(struct word_bpe *b, struct lines *l, size_t n, struct arena *a, struct err *e) {
    for (size_t i = 0; i < n; i++) {
        long long v[3];
        const struct word_symbol *x, *y;
        char *text;

        if (numbers(l, 3, v, e) < 0)
            return -1;
        if (v[0] < 0 || v[1] < 0 || (size_t)v[0] >= b->symbols || (size_t)v[1] >= b->symbols)
            return err_set(e, "line %" PRIu64 ": ids %lld and %lld of %zu", l->number, v[0], v[1], b->symbols);
        x = &b->symbol[v[0]], y = &b->symbol[v[1]];
        if (!x->text || !y->text)
            return err_set(e, "line %" PRIu64 ": a rule of a symbol that comes later", l->number);
        if ((size_t)x->n + y->n > WORD_TEXT_MAX)
            return err_set(e, "line %" PRIu64 ": a symbol of more than %d bytes", l->number, WORD_TEXT_MAX);
        if (!(text = arena_take(a, (size_t)x->n + y->n, 1)))
            return err_set(e, "no memory for %zu rules", n);
        memcpy(text, x->text, x->n);
        memcpy(text + x->n, y->text, y->n);
        if (put(b, v[2], text, (size_t)x->n + y->n, l, e) < 0 ||
            word_bpe_rule(b, (uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2], e) < 0)
            return -1;
    }
    return 0;
}

int word_bpe_read_yttm(struct word_bpe *b, struct span text, struct arena *a, struct err *e) {
    struct lines l = lines_of(text);
    long long v[4];

    if (numbers(&l, 2, v, e) < 0)
        return -1;
    /* every line has at least five bytes, so the file's length bounds the tables */
    if (v[0] < 1 || v[1] < 0 || (uint64_t)(v[0] + v[1]) > text.n / 4)
        return err_set(e, "line 1: %lld characters and %lld rules in a file of %zu bytes", v[0], v[1], text.n);
    if (word_bpe_open(b, WORD_YTTM, (size_t)(v[0] + v[1]) + 4, (size_t)v[1], a, e) < 0)
        return -1;
    for (size_t i = 0; i < b->symbol_room; i++)
        word_bpe_add(b, NULL, 0, (int)i, 0);
    if (read_characters(b, &l, (size_t)v[0], a, e) < 0 || read_rules(b, &l, (size_t)v[1], a, e) < 0 || numbers(&l, 4, v, e) < 0)
        return -1;
    for (int i = 0; i < 4; i++)
        if (v[i] >= (long long)b->symbols || (v[i] >= 0 && b->symbol[v[i]].text))
            return err_set(e, "line %" PRIu64 ": id %lld is not free for a special token", l.number, v[i]);
    b->unknown = (int)v[0], b->pad = (int)v[1], b->bos = (int)v[2], b->eos = (int)v[3];
    if (b->unknown < 0)
        return err_set(e, "line %" PRIu64 ": no unknown token", l.number);
    return 0;
}

/* ---- vocab.json and merges.txt ---- */

static int add_names(struct word_bpe *b, json_t *vocab, struct arena *a, struct err *e) {
    const char *key;
    json_t *v;

    json_object_foreach(vocab, key, v) {
        const json_int_t id = json_integer_value(v);
        const size_t n = strlen(key);
        char *text = arena_str(a, key, n);

        if (!json_is_integer(v) || id < 0 || id >= WORD_SYMBOLS_MAX || n > WORD_TEXT_MAX)
            return err_set(e, "vocabulary: %.100s: not a name with an id", key);
        if (!text || word_bpe_add(b, text, n, (int)id, 1) < 0)
            return err_set(e, "no memory for %zu names", json_object_size(vocab));
    }
    return 0;
}

static int special(const struct word_bpe *b, const char *name) {
    int64_t s = word_bpe_find(b, name, strlen(name));

    return s < 0 ? -1 : b->symbol[s].id;
}

/* Returns the symbol of a text.  A text that is not in the vocabulary becomes a new symbol without an id. */
static int64_t symbol_of(struct word_bpe *b, const char *text, size_t n) {
    int64_t s = word_bpe_find(b, text, n);

    return s < 0 ? word_bpe_add(b, text, n, -1, 1) : s;
}

static int read_merges(struct word_bpe *b, struct span text, struct arena *a, struct err *e) {
    struct lines l = lines_of(text);
    struct span line;
    int got;

    while ((got = text_line(&l, &line, e)) > 0) {
        const char *s = (const char *)line.p, *blank = memchr(s, ' ', line.n);
        int64_t left, right, made;
        size_t nl, nr;
        char *both;

        if (line.n >= 8 && !memcmp(s, "#version", 8))
            continue;
        if (!blank || blank == s || memchr(blank + 1, ' ', (size_t)(s + line.n - blank - 1)) || blank + 1 == s + line.n)
            return err_set(e, "merges: line %" PRIu64 ": two symbols are expected", l.number);
        nl = (size_t)(blank - s);
        nr = line.n - nl - 1;
        if (line.n > WORD_TEXT_MAX || !(both = arena_take(a, nl + nr, 1)))
            return err_set(e, "merges: line %" PRIu64 ": too long", l.number);
        memcpy(both, s, nl);
        memcpy(both + nl, blank + 1, nr);
        left = symbol_of(b, both, nl), right = symbol_of(b, both + nl, nr), made = symbol_of(b, both, nl + nr);
        if (left < 0 || right < 0 || made < 0)
            return err_set(e, "merges: more symbols than lines");
        if (*word_bpe_pair(b, (uint32_t)left, (uint32_t)right))
            continue;    /* if two rules have the same pair, the first counts */
        if (word_bpe_rule(b, (uint32_t)left, (uint32_t)right, (uint32_t)made, e) < 0)
            return -1;
    }
    return got;
}

int word_bpe_read_vocab(struct word_bpe *b, struct span vocab, struct span merges, struct arena *a, struct err *e) {
    json_t *j = json_object_load(vocab.p, vocab.n, e);
    size_t lines = 1;
    bool mini;
    int r;

    if (!j)
        return -1;
    for (size_t i = 0; i < merges.n; i++)
        lines += merges.p[i] == '\n';
    mini = !json_object_get(j, "[UNK]");
    r = word_bpe_open(b, mini ? WORD_MINI : WORD_CHAR, json_object_size(j) + 3 * lines, lines, a, e);
    if (r == 0)
        r = add_names(b, j, a, e);
    json_decref(j);
    if (r < 0 || read_merges(b, merges, a, e) < 0)
        return -1;
    b->unknown = special(b, mini ? "<unk>" : "[UNK]");
    b->pad = special(b, mini ? "<pad>" : "[PAD]");
    b->bos = mini ? special(b, "<s>") : -1;
    b->eos = mini ? special(b, "</s>") : -1;
    return b->unknown < 0 ? err_set(e, "vocabulary: neither [UNK] nor <unk> is in it") : 0;
}

/* ---- GPT-2 ---- */

/* Give the 256 bytes the ids that GPT-2's encoder.json gives them: first the bytes that are written as themselves. */
static int add_bytes(struct word_bpe *b, struct arena *a, struct err *e) {
    for (int pass = 0, id = 0; pass < 2; pass++)
        for (unsigned i = 0; i < 256; i++) {
            char *text = arena_take(a, 4, 1);
            uint32_t c = byte_bpe_char((unsigned char)i);

            if ((c == i) == pass)
                continue;
            if (!text || word_bpe_add(b, text, (size_t)utf8_put(c, (unsigned char *)text), id++, 1) < 0)
                return err_set(e, "no memory for a vocabulary");
        }
    return 0;
}

/* Without an encoder.json, token 256 + r is what merge r makes.  This holds if each merge joins tokens that exist. */
static int number_merges(struct word_bpe *b, struct err *e) {
    static const char end[] = "<|endoftext|>";

    for (size_t r = 0; r < b->rules; r++) {
        const struct word_rule *m = &b->rule[r];

        if (m->left >= 256 + r || m->right >= 256 + r || m->made != 256 + r)
            return err_set(e, "merge %zu joins tokens that no merge before it makes, or makes a token again", r + 1);
        b->symbol[m->made].id = (int)(256 + r);
    }
    return word_bpe_add(b, end, sizeof end - 1, (int)(256 + b->rules), 1) < 0 ? err_set(e, "no memory for a vocabulary") : 0;
}

static int check_bytes(const struct word_bpe *b, struct err *e) {
    for (unsigned i = 0; i < 256; i++) {
        char text[4];
        int64_t s = word_bpe_find(b, text, (size_t)utf8_put(byte_bpe_char((unsigned char)i), (unsigned char *)text));

        if (s < 0 || b->symbol[s].id < 0)
            return err_set(e, "vocabulary: no token for byte %u", i);
    }
    for (size_t r = 0; r < b->rules; r++)
        if (b->symbol[b->rule[r].made].id < 0)
            return err_set(e, "vocabulary: no token for what merge %zu makes", r + 1);
    return 0;
}

int word_bpe_read_bytes(struct word_bpe *b, struct span merges, struct span vocab, struct arena *a, struct err *e) {
    json_t *j = vocab.n ? json_object_load(vocab.p, vocab.n, e) : NULL;
    size_t lines = 1;
    int r;

    if (vocab.n && !j)
        return -1;
    for (size_t i = 0; i < merges.n; i++)
        lines += merges.p[i] == '\n';
    r = word_bpe_open(b, WORD_BYTES, (j ? json_object_size(j) : 257) + 3 * lines, lines, a, e);
    if (r == 0)
        r = j ? add_names(b, j, a, e) : add_bytes(b, a, e);
    json_decref(j);
    if (r < 0 || read_merges(b, merges, a, e) < 0 || (!j && number_merges(b, e) < 0) || check_bytes(b, e) < 0)
        return -1;
    b->pad = special(b, "<|endoftext|>");
    return b->pad < 0 ? err_set(e, "vocabulary: no <|endoftext|> in it") : 0;
}

/* ---- files ---- */

/* Returns the first file by name in dir whose name contains `part` and ends in `end`, or NULL. */
static const char *file_like(const char *dir, const char *part, const char *end, struct arena *a) {
    DIR *d = opendir(dir);
    struct dirent *f;
    char best[256] = "";

    while (d && (f = readdir(d)))
        if (strstr(f->d_name, part) && path_ends(f->d_name, end) && strlen(f->d_name) < sizeof best && (!*best || strcmp(f->d_name, best) < 0))
            strcpy(best, f->d_name);
    if (d)
        closedir(d);
    return *best ? path_join(a, dir, arena_str(a, best, strlen(best))) : NULL;
}

/* Reads a file that may be gzip'd. */
static int read_one(const char *file, struct span *text, struct arena *a, struct err *e) {
    struct err inner = {0};

    if (file_read(file, WORD_FILE_MAX, text, a, &inner) < 0 ||
        (gunzip_is(*text) && gunzip(*text, SIZE_MAX, WORD_FILE_MAX, text, a, &inner) < 0))
        return err_set(e, "%s: %s", file, inner.msg);
    return 0;
}

/* Returns whether `word` is among the bytes of s. */
static bool has(struct span s, const char *word) {
    return memmem(s.p, s.n, word, strlen(word)) != NULL;
}

/* Reads GPT-2's files with one pair of names in dir.  If `shared` is set, CLIP's and BART's files can have these names,
 * too.  CLIP's merges are told by "</w>" in them, BART's vocabulary by "<unk>". */
static int open_bytes_named(struct word_bpe *b, const char *dir, const char *const merges_name[], const char *const vocab_name[],
                            bool shared, struct arena *a, struct err *e) {
    const char *merges = path_first(a, dir, merges_name, 2), *vocab = path_first(a, dir, vocab_name, 2);
    struct span text, json = {.n = 0};
    struct err inner = {0};

    if (!merges || (shared && !vocab))
        return 0;
    if (read_one(merges, &text, a, e) < 0)
        return -1;
    if (shared && has(text, "</w>"))
        return 0;
    if (vocab && read_one(vocab, &json, a, e) < 0)
        return -1;
    if (shared && (!has(json, "\"<|endoftext|>\"") || has(json, "\"<unk>\"") || has(json, "\"[UNK]\"")))
        return 0;
    if (vocab && !json.n)
        return err_set(e, "%s: an empty file", vocab);
    return word_bpe_read_bytes(b, text, json, a, &inner) < 0 ? err_set(e, "%s: %s", merges, inner.msg) : 1;
}

int word_bpe_open_bytes(struct word_bpe *b, const char *dir, struct arena *a, struct err *e) {
    static const char *const own[][2] = {{"vocab.bpe", "vocab.bpe.gz"}, {"encoder.json", "encoder.json.gz"}},
                      *const shared[][2] = {{"merges.txt", "merges.txt.gz"}, {"vocab.json", "vocab.json.gz"}};
    struct arena before = *a;
    int r = open_bytes_named(b, dir, own[0], own[1], false, a, e);

    if (r == 0) {
        *a = before;
        r = open_bytes_named(b, dir, shared[0], shared[1], true, a, e);
    }
    if (r == 0)
        *a = before;
    return r;
}

bool word_bpe_is_mini(const char *dir) {
    static const char *const name[] = {"encoder_mini.pt", "decoder_mini.pt", "vocab_mini.json", "merges_mini.txt", "encoder.pt", "decoder.pt"};
    char path[4200];
    bool there[sizeof name / sizeof *name];

    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        there[i] = snprintf(path, sizeof path, "%s/%s", *dir ? dir : ".", name[i]) < (int)sizeof path && path_is_file(path);
    return there[0] && there[1] && there[2] && there[3] && !(there[4] && there[5]);
}

int word_bpe_open_dir(struct word_bpe *b, const char *dir, struct arena *a, struct err *e) {
    const char *model = path_join(a, dir, "bpe.model"), *vocab, *merges;
    struct span text, other;
    struct err inner = {0};
    bool mini;

    if (path_is_file(dir))
        model = dir;
    if (path_is_file(model)) {
        if (read_one(model, &text, a, e) < 0)
            return -1;
        return word_bpe_read_yttm(b, text, a, &inner) < 0 ? err_set(e, "%s: %s", model, inner.msg) : 1;
    }
    mini = word_bpe_is_mini(dir);
    vocab = file_like(*dir ? dir : ".", mini ? "vocab_mini" : "vocab", ".json", a);
    merges = file_like(*dir ? dir : ".", mini ? "merges_mini" : "merges", ".txt", a);
    if (!vocab || !merges)
        return 0;
    if (read_one(vocab, &text, a, e) < 0 || read_one(merges, &other, a, e) < 0)
        return -1;
    return word_bpe_read_vocab(b, text, other, a, &inner) < 0 ? err_set(e, "%s: %s", vocab, inner.msg) : 1;
}
