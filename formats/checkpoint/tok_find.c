/* Find the files of a tokenizer: model_find_tokenizer of model.h. */
#include <string.h>

#include "formats/checkpoint/find.h"
#include "formats/io/json_text.h"
#include "formats/io/mapfile.h"
#include "formats/io/pathname.h"

enum { LIMIT_MAX = 1 << 20, CONFIG_MAX = 1 << 20 };    /* LIMIT_MAX: files write 10^30 for "no limit" */

/* Returns the path of the file `name` in the directory `folder`, or NULL when the directory lacks it. */
static const char *file_in(const char *folder, const char *name, struct arena *a) {
    return path_first(a, folder, &name, 1);
}

/* Returns the integer under the nested keys `key` of a small JSON file, or 0 if the integer is missing or out of
 * range. */
static size_t number_in(const char *path, const char *const key[3]) {
    struct mapfile f;
    size_t v = 0;
    json_t *j, *x;

    if (!path || mapfile_open(&f, path, NULL) < 0)
        return 0;
    x = j = f.n <= CONFIG_MAX ? json_text_load_big(f.p, f.n, NULL) : NULL;
    mapfile_close(&f);
    for (int i = 0; i < 3 && key[i]; i++)
        x = json_object_get(x, key[i]);
    if (json_is_integer(x) && json_integer_value(x) >= 2 && json_integer_value(x) <= LIMIT_MAX)
        v = (size_t)json_integer_value(x);
    json_decref(j);
    return v;
}

/* Returns how many tokens the model in this directory takes, or 0 if no file says it. */
static size_t limit_in(const char *folder, struct arena scratch) {
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
        v = number_in(file_in(folder, place[i].file, &scratch), place[i].key);
    return v;
}

/* Look for a tokenizer in one directory. */
static int in_folder(struct tok_files *t, const char *folder, struct arena *a) {
    static const char *const merges[] = {"merges.txt", "bpe_simple_vocab_16e6.txt.gz"};

    t->merges = path_first(a, folder, merges, 2);
    t->tokenizer_json = file_in(folder, "tokenizer.json", a);
    if (!t->merges && !t->tokenizer_json)
        return NOT_HERE;
    t->vocab = t->merges ? file_in(folder, "vocab.json", a) : NULL;
    t->added_tokens = file_in(folder, "added_tokens.json", a);
    t->config = file_in(folder, "tokenizer_config.json", a);
    t->special_tokens = file_in(folder, "special_tokens_map.json", a);
    t->context = limit_in(folder, *a);
    return FOUND;
}

/* Look for a tokenizer in path/ and path/tokenizer/; the limit of tokens may be in either directory. */
static int in_model(struct tok_files *t, const char *path, struct arena *a) {
    if (in_folder(t, path, a) == NOT_HERE && in_folder(t, path_join(a, path, "tokenizer"), a) == NOT_HERE)
        return NOT_HERE;
    if (t->context == 0)
        t->context = limit_in(path, *a);
    return FOUND;
}

struct tok_find {
    struct tok_files *t;
    bool weights;    /* a path has weights, whose vocabulary may be elsewhere */
};

static bool has_weights(struct find *f, const char *dir) {
    return find_weights(f, dir, WEIGHTS_TRANSFORMERS) || find_weights(f, dir, WEIGHTS_OPENCLIP) ||
           find_weights(f, dir, WEIGHTS_OPENAI);
}

/* If the path is a checkpoint, the tokenizer is looked for in the checkpoint's directory.  Any other file is the
 * tokenizer itself. */
static int look(void *ctx, struct find *f) {
    struct tok_find *k = ctx;
    struct tok_files *t = k->t;
    const char *dir = path_is_dir(f->path) ? f->path : find_is_weights(f->path) ? path_folder(f->a, f->path) : NULL;

    if (dir) {
        k->weights |= dir != f->path || has_weights(f, dir);
        return in_model(t, dir, f->a);
    }
    if (path_ends(f->path, ".json"))
        t->tokenizer_json = f->path;
    else
        t->merges = f->path;
    return FOUND;
}

/* Take the vocabulary of OpenAI's that the host has, for weights that came without one.  All of OpenAI's models and
 * most of open_clip's use this vocabulary. */
static int of_host(struct tok_files *t, const struct model_paths *p, struct arena *a) {
    const char *path = p->host && p->host->vocabulary ? p->host->vocabulary(p->host->of, a) : NULL;

    if (!path)
        return -1;
    *t = (struct tok_files){.merges = path};
    if (p->host->found)
        p->host->found(p->host->of, "vocabulary", path);
    return 0;
}

int model_find_tokenizer(struct tok_files *t, const struct model_paths *p, struct arena *a, struct err *e) {
    static const char what[] = "tokenizer (merges.txt, bpe_simple_vocab_16e6.txt.gz or tokenizer.json)";
    struct err why = {0};
    struct find f = {.paths = p, .a = a, .e = &why};
    struct tok_find k = {.t = t};

    *t = (struct tok_files){.merges = NULL};
    if (find_component(&f, what, look, &k) == 0 ||
        (k.weights && of_host(t, p, a) == 0))
        return 0;
    if (!k.weights)
        return err_set(e, "%s", why.msg);
    return err_set(e, "no %s in %.800s; put OpenAI's bpe_simple_vocab_16e6.txt.gz next to the weights, or name it with another -m "
                      "('make vocab' fetches it)", what, f.tried.msg);
}
