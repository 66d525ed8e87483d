#include "lib/net/glide_names.h"

#include <string.h>

enum glide_file glide_file(const struct weights *ws) {
    const struct weight *first = weights_find(ws, "input_blocks.0.0.weight");

    if (!first || first->t.nd != 4 || !weights_find(ws, "token_embedding.weight") || !weights_find(ws, "transformer_proj.weight"))
        return GLIDE_NONE;
    switch (first->t.shape[1]) {
    case 3: return GLIDE_BASE;
    case 7: return GLIDE_BASE_INPAINT;
    case 6: return GLIDE_UPSAMPLE;
    case 10: return GLIDE_UPSAMPLE_INPAINT;
    default: return GLIDE_NONE;
    }
}

static bool is_text(const char *name) {
    static const char *const begin[] = {"token_embedding.", "positional_embedding", "padding_embedding", "transformer.",
                                        "transformer_proj.", "final_ln."};

    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)
        if (!strncmp(name, begin[i], strlen(begin[i])))
            return true;
    return false;
}

int glide_divide(const struct weights *all, struct weights *text, struct weights *unet, struct arena *a, struct err *e) {
    *text = (struct weights){.w = arena_take(a, all->n, sizeof *text->w)};
    *unet = (struct weights){.w = arena_take(a, all->n, sizeof *unet->w)};
    if (!text->w || !unet->w)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < all->n; i++) {
        struct weights *part = is_text(all->w[i].name) ? text : unet;

        part->w[part->n++] = (struct weight){.name = all->w[i].name, .t = all->w[i].t};
    }
    return 0;
}
