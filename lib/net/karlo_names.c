#include "lib/net/karlo_names.h"

#include <stdio.h>
#include <string.h>

struct rename {
    const char *from, *to;    /* complete names, or names without ".weight" or ".bias" */
};

static const struct rename prior[] = {
    {"model.time_embed.0", "time_embedding.linear_1"}, {"model.time_embed.2", "time_embedding.linear_2"},
    {"model.clip_img_proj", "proj_in"}, {"model.text_emb_proj", "embedding_proj"},
    {"model.text_enc_proj", "encoder_hidden_states_proj"}, {"model.positional_embedding", "positional_embedding"},
    {"model.prd_emb", "prd_embedding"}, {"model.final_ln", "norm_out"}, {"model.out_proj", "proj_to_clip_embeddings"},
};

/* What follows "model.transformer.resblocks.N." in old names (from) and "transformer_blocks.N." in new names (to). */
static const struct rename layer[] = {
    {"ln_1", "norm1"}, {"ln_2", "norm3"}, {"attn.c_qkv", "attn1.qkv"}, {"attn.c_proj", "attn1.to_out.0"},
    {"mlp.c_fc", "ff.net.0.proj"}, {"mlp.c_proj", "ff.net.2"},
};

static const struct rename text_proj[] = {
    {"model.cf_param", "learned_classifier_free_guidance_embeddings"}, {"model.text_feat_proj", "embedding_proj"},
    {"model.clip_emb", "clip_image_embeddings_project_to_time_embeddings"},
    {"model.clip_tok_proj", "clip_extra_context_tokens_proj"},
    {"model.text_seq_proj.0", "encoder_hidden_states_proj"},
    {"model.text_seq_proj.1", "text_encoder_hidden_states_norm"},
};

#define COUNT(t) (sizeof(t) / sizeof *(t))

enum karlo_file karlo_file(const struct weights *ws) {
    if (weights_find(ws, "model.prd_emb"))
        return KARLO_PRIOR;
    if (weights_find(ws, "model.cf_param"))
        return KARLO_DECODER;
    if (weights_find(ws, "model_first_steps.input_blocks.0.0.weight"))
        return KARLO_UPSAMPLERS;
    return KARLO_NONE;
}

/* Looks for the old name of a tensor in the table.  *to receives the new name: `before`, then the table's `to`, then the
 * end of the old name (".weight", ".bias" or nothing).  If `to` is NULL, no name is made.  Returns 1, or 0 if the table
 * does not have the old name, or -1 if the arena is full. */
static int apply(const struct rename *t, size_t n, const char *before, const char *name, const char **to, struct arena *a) {
    char out[256];

    for (size_t i = 0; i < n; i++) {
        size_t k = strlen(t[i].from);
        const char *rest = name + k;
        if (strncmp(name, t[i].from, k) != 0 || (*rest && strcmp(rest, ".weight") != 0 && strcmp(rest, ".bias") != 0))
            continue;
        if (!to)
            return 1;
        snprintf(out, sizeof out, "%s%s%s", before, t[i].to, rest);
        *to = arena_str(a, out, strlen(out));
        return *to ? 1 : -1;
    }
    return 0;
}

static int prior_name(const char *name, const char **to, struct arena *a) {
    static const char blocks[] = "model.transformer.resblocks.";
    char before[64];
    size_t n = sizeof blocks - 1, digits;

    if (strncmp(name, blocks, n) != 0)
        return apply(prior, COUNT(prior), "", name, to, a);
    digits = strspn(name + n, "0123456789");
    if (!digits || digits > 6 || name[n + digits] != '.')
        return 0;
    snprintf(before, sizeof before, "transformer_blocks.%.*s.", (int)digits, name + n);
    return apply(layer, COUNT(layer), before, name + n + digits + 1, to, a);
}

static int text_proj_name(const char *name, const char **to, struct arena *a) {
    return apply(text_proj, COUNT(text_proj), "", name, to, a);
}

/* Fills *out with the tensors of *in for whose names `name_of` returns 1.  In *out they have their new names. */
static int pick(const struct weights *in, struct weights *out, int (*name_of)(const char *, const char **, struct arena *),
                struct arena *a, struct err *e) {
    const struct weights all = *in;    /* out may be in */

    *out = (struct weights){.w = arena_take(a, all.n, sizeof *out->w)};
    if (!out->w)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < all.n; i++) {
        const char *name;
        int got = name_of(all.w[i].name, &name, a);

        if (got < 0)
            return err_set(e, "out of memory");
        if (got)
            out->w[out->n++] = (struct weight){.name = name, .t = all.w[i].t};
    }
    return weights_sort(out, e);
}

/* Put axes of length 1 in front of a tensor until it has nd axes: diffusers stores these tensors with more leading axes
 * than Karlo's files do. */
static void lead(struct weights *ws, const char *name, int nd) {
    struct weight *w = weights_find(ws, name);

    for (; w && w->t.nd > 0 && w->t.nd < nd; w->t.nd++) {
        memmove(w->t.shape + 1, w->t.shape, (size_t)w->t.nd * sizeof *w->t.shape);
        memmove(w->t.stride + 1, w->t.stride, (size_t)w->t.nd * sizeof *w->t.stride);
        w->t.stride[0] = w->t.shape[0] = 1;
    }
}

int karlo_prior(const struct weights *in, struct weights *out, struct arena *a, struct err *e) {
    if (pick(in, out, prior_name, a, e) < 0)
        return -1;
    lead(out, "positional_embedding", 3);
    lead(out, "prd_embedding", 3);
    return 0;
}

int karlo_text_proj(const struct weights *in, struct weights *out, struct arena *a, struct err *e) {
    if (pick(in, out, text_proj_name, a, e) < 0)
        return -1;
    for (size_t i = 0; i < out->n; i++)    /* this tensor is [1, E] in some original files, [E] in diffusers' */
        if (!strcmp(out->w[i].name, text_proj[0].to) && out->w[i].t.nd == 2 && out->w[i].t.shape[0] == 1) {
            out->w[i].t.shape[0] = out->w[i].t.shape[1];
            out->w[i].t.stride[0] = out->w[i].t.stride[1];
            out->w[i].t.nd = 1;
        }
    return 0;
}

int karlo_unet(const struct weights *in, const char *prefix, struct weights *out, struct arena *a, struct err *e) {
    *out = (struct weights){.w = arena_take(a, in->n, sizeof *out->w)};
    if (!out->w)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < in->n; i++)    /* a decoder's file holds text_proj too */
        if (!strncmp(in->w[i].name, prefix, strlen(prefix)) && !text_proj_name(in->w[i].name, NULL, NULL))
            out->w[out->n++] = (struct weight){.name = in->w[i].name, .t = in->w[i].t};
    return 0;
}
