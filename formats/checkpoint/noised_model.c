#include "formats/checkpoint/noised_model.h"

#include <inttypes.h>
#include <stdio.h>

#include "formats/checkpoint/bpe_files.h"
#include "formats/checkpoint/find.h"
#include "formats/checkpoint/weights.h"
#include "formats/io/pathname.h"

struct files {
    const char *image, *text;
};

static int look(void *ctx, struct find *f) {
    static const char *const image[] = {"clip_image_enc.pt", "clip_image_enc.safetensors"};
    static const char *const text[] = {"clip_text_enc.pt", "clip_text_enc.safetensors"};
    struct files *to = ctx;
    const char *dir = path_is_dir(f->path) ? f->path : path_folder(f->a, f->path);

    to->image = path_first(f->a, dir, image, 2);
    to->text = path_first(f->a, dir, text, 2);
    return to->image && to->text ? FOUND : NOT_HERE;
}

static int load(struct find *f, const char *file, bool (*is)(const struct weights *), const char *what, struct weights *w) {
    struct weights_file m;
    struct err inner = {0};

    if (weights_load(&m, file, f->a, &inner) == 0 && !is(&m.weights))
        err_set(&inner, "not the %s of a noised CLIP", what);
    if (inner.msg[0])
        return find_failed(f, file, &inner);
    *w = m.weights;
    return 0;
}

int noised_model_open(struct noised_model *m, const struct model_paths *p, const struct compute *c, struct arena *a,
                      struct err *e) {
    struct find f = {.paths = p, .a = a, .e = e};
    struct err inner = {0};
    struct weights image, text;
    struct tok_files tok;
    struct files at;

    if (find_component(&f, "noised CLIP (clip_image_enc and clip_text_enc)", look, &at) < 0 ||
        load(&f, at.image, noised_clip_is_image, "image encoder", &image) < 0 ||
        load(&f, at.text, noised_clip_is_text, "text encoder", &text) < 0)
        return -1;
    m->file = at.image;
    snprintf(m->fingerprint, sizeof m->fingerprint, "%016" PRIx64, weights_fingerprint(&image, *a) ^ 3 * weights_fingerprint(&text, *a));
    if (!(m->clip = noised_clip_bind(&image, &text, 0, c, a, &inner)))
        return find_failed(&f, at.image, &inner);
    if (model_find_tokenizer(&tok, p, a, e) < 0 || bpe_open(&m->bpe, &tok, a, e) < 0)
        return -1;
    if (m->bpe.vocab > noised_clip_vocab(m->clip))
        return err_set(e, "%.300s: %zu tokens, the tokenizer has %u", at.text, noised_clip_vocab(m->clip), m->bpe.vocab);
    return 0;
}
