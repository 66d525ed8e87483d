#include "formats/checkpoint/glide_tok.h"

#include "formats/checkpoint/find.h"
#include "formats/checkpoint/weights.h"
#include "formats/checkpoint/word_bpe_files.h"
#include "formats/io/pathname.h"
#include "lib/net/glide_names.h"

static bool holds_glide(const char *file, struct arena scratch) {
    struct weights_file f;
    bool is;

    if (!find_is_weights(file) || weights_load(&f, file, &scratch, NULL) < 0)
        return false;
    is = glide_file(&f.weights) != GLIDE_NONE;
    for (size_t i = 0; i < f.nmap; i++)
        mapfile_close(&f.map[i]);
    return is;
}

int glide_tok_at(struct word_bpe *b, const char *path, const char **dir, struct arena *a, struct err *e) {
    const bool is_dir = path_is_dir(path);
    int r;

    if (!is_dir && !holds_glide(path, *a))
        return 0;
    *dir = is_dir ? path : path_folder(a, path);
    r = word_bpe_open_bytes(b, *dir, a, e);
    if (r == 0) {
        *dir = path_join(a, *dir, "tokenizer");
        r = word_bpe_open_bytes(b, *dir, a, e);
    }
    return r;
}

static int look(void *ctx, struct find *f) {
    const char *dir;
    int r = glide_tok_at(ctx, f->path, &dir, f->a, f->e);

    return r > 0 ? FOUND : r < 0 ? FAILED : NOT_HERE;
}

int glide_tok_open(struct word_bpe *b, const struct model_paths *p, struct arena *a, struct err *e) {
    struct find f = {.paths = p, .a = a, .e = e};

    return find_component(&f, "tokenizer of GLIDE (vocab.bpe, or merges.txt and vocab.json)", look, b);
}
