/* Where a tokenizer's files are: model_find_tokenizer of model.h. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "formats/checkpoint/model.h"
#include "formats/io/json_text.h"
#include "formats/io/mapfile.h"

enum { LIMIT_MAX = 1 << 20, CONFIG_MAX = 1 << 20 };    /* "no limit" is written as 10^30 */

/* "folder/name" if such a file is there, else NULL (or when memory is out). */
static const char *file_in(const char *folder, size_t n, const char *name, struct arena *a) {
    size_t len = strlen(name);
    char *path = arena_take(a, n + len + 2, 1);
    struct stat st;

    if (!path)
        return NULL;
    sprintf(path, "%.*s%s%s", (int)n, folder, n > 0 && folder[n - 1] != '/' ? "/" : "", name);
    return stat(path, &st) == 0 && !S_ISDIR(st.st_mode) ? path : NULL;
}

/* The integer at this place of a small JSON file; 0 where there is none that makes sense. */
static size_t number_in(const char *path, const char *const key[3]) {
    struct mapfile f;
    size_t v = 0;
    json_t *j, *x;

    if (!path || mapfile_open(&f, path, NULL) < 0 || f.n > CONFIG_MAX)
        return 0;
    x = j = json_text_load(f.p, f.n, NULL);
    for (int i = 0; i < 3 && key[i]; i++)
        x = json_object_get(x, key[i]);
    if (json_is_integer(x) && json_integer_value(x) >= 2 && json_integer_value(x) <= LIMIT_MAX)
        v = (size_t)json_integer_value(x);
    json_decref(j);
    return v;
}

/* How many tokens the model in this folder takes; 0 if nothing says so. */
static size_t limit_in(const char *folder, size_t n, struct arena scratch) {
    static const struct {
        const char *file, *key[3];
    } place[] = {
        {"tokenizer_config.json", {"model_max_length"}},
        {"config.json", {"text_config", "max_position_embeddings"}},
        {"config.json", {"max_position_embeddings"}},
        {"text_encoder/config.json", {"max_position_embeddings"}},
        {"open_clip_config.json", {"model_cfg", "text_cfg", "context_length"}},
    };
    size_t v = 0;

    for (size_t i = 0; v == 0 && i < sizeof place / sizeof *place; i++)
        v = number_in(file_in(folder, n, place[i].file, &scratch), place[i].key);
    return v;
}

/* Look in one folder.  1 found. */
static int in_folder(struct tok_files *t, const char *folder, size_t n, struct arena *a) {
    t->merges = file_in(folder, n, "merges.txt", a);
    if (!t->merges)
        t->merges = file_in(folder, n, "bpe_simple_vocab_16e6.txt.gz", a);
    t->tokenizer_json = file_in(folder, n, "tokenizer.json", a);
    if (!t->merges && !t->tokenizer_json)
        return 0;
    t->vocab = t->merges ? file_in(folder, n, "vocab.json", a) : NULL;
    t->context = limit_in(folder, n, *a);
    return 1;
}

/* path/, path/tokenizer/; the limit may be told in either. */
static int in_model(struct tok_files *t, const char *path, size_t n, struct arena *a) {
    char *sub = arena_take(a, n + 16, 1);

    if (!sub)
        return 0;
    sprintf(sub, "%.*s%stokenizer", (int)n, path, n > 0 && path[n - 1] != '/' ? "/" : "");
    if (!in_folder(t, path, n, a) && !in_folder(t, sub, strlen(sub), a))
        return 0;
    if (t->context == 0)
        t->context = limit_in(path, n, *a);
    return 1;
}

static bool ends(const char *s, const char *tail) {
    size_t n = strlen(s), k = strlen(tail);

    return n >= k && !strcmp(s + n - k, tail);
}

/* A file is the tokenizer itself, unless it is a checkpoint: then look beside it. */
static int at_path(struct tok_files *t, const char *path, struct arena *a) {
    static const char *const weights[] = {".safetensors", ".pt", ".pth", ".bin", ".ckpt", ".th"};
    const char *slash = strrchr(path, '/');
    struct stat st;

    if (stat(path, &st) < 0)
        return 0;
    if (S_ISDIR(st.st_mode))
        return in_model(t, path, strlen(path), a);
    for (size_t i = 0; i < sizeof weights / sizeof *weights; i++)
        if (ends(path, weights[i]))
            return in_model(t, slash ? path : ".", slash ? (size_t)(slash - path) + (slash == path) : 1, a);
    if (ends(path, ".json"))
        t->tokenizer_json = path;
    else
        t->merges = path;
    return 1;
}

int model_find_tokenizer(struct tok_files *t, const struct model_paths *p, struct arena *a, struct err *e) {
    char tried[400] = "";
    size_t n = 0;

    *t = (struct tok_files){NULL, NULL, NULL, 0};
    for (size_t i = 0; i < p->n; i++) {
        if (at_path(t, p->v[i], a))
            return 0;
        if (n < sizeof tried)
            n += (size_t)snprintf(tried + n, sizeof tried - n, "%s%s", i ? ", " : "", p->v[i]);
    }
    return err_set(e, "no tokenizer (merges.txt, bpe_simple_vocab_16e6.txt.gz or tokenizer.json) in %s", tried);
}
