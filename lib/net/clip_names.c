/* The names of CLIP's tensors: one table for both families, and the wrappings they come in. */
#include <stdio.h>
#include <string.h>

#include "lib/net/clip.h"

/* "#" stands for a number; a "~" before an OpenAI name says that it is stored [D, E]. */
struct row {
    const char *openai, *hf;
    int part;
};

static const struct row text[] = {
    {"token_embedding.weight", "text_model.embeddings.token_embedding.weight", -1},
    {"positional_embedding", "text_model.embeddings.position_embedding.weight", -1},
    {"ln_final.weight", "text_model.final_layer_norm.weight", -1},
    {"ln_final.bias", "text_model.final_layer_norm.bias", -1},
    {"~text_projection", "text_projection.weight", -1},
    {NULL, NULL, 0}
};

static const struct row vit[] = {
    {"visual.class_embedding", "vision_model.embeddings.class_embedding", -1},
    {"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight", -1},
    {"visual.positional_embedding", "vision_model.embeddings.position_embedding.weight", -1},
    {"visual.ln_pre.weight", "vision_model.pre_layrnorm.weight", -1},
    {"visual.ln_pre.bias", "vision_model.pre_layrnorm.bias", -1},
    {"visual.ln_post.weight", "vision_model.post_layernorm.weight", -1},
    {"visual.ln_post.bias", "vision_model.post_layernorm.bias", -1},
    {"~visual.proj", "visual_projection.weight", -1},
    {NULL, NULL, 0}
};

/* Behind "transformer.resblocks.#." and its kin. */
static const struct row block[] = {
    {"ln_1.weight", "layer_norm1.weight", -1},
    {"ln_1.bias", "layer_norm1.bias", -1},
    {"attn.in_proj_weight", "self_attn.q_proj.weight", 0},
    {"attn.in_proj_weight", "self_attn.k_proj.weight", 1},
    {"attn.in_proj_weight", "self_attn.v_proj.weight", 2},
    {"attn.in_proj_bias", "self_attn.q_proj.bias", 0},
    {"attn.in_proj_bias", "self_attn.k_proj.bias", 1},
    {"attn.in_proj_bias", "self_attn.v_proj.bias", 2},
    {"attn.out_proj.weight", "self_attn.out_proj.weight", -1},
    {"attn.out_proj.bias", "self_attn.out_proj.bias", -1},
    {"ln_2.weight", "layer_norm2.weight", -1},
    {"ln_2.bias", "layer_norm2.bias", -1},
    {"mlp.c_fc.weight", "mlp.fc1.weight", -1},
    {"mlp.c_fc.bias", "mlp.fc1.bias", -1},
    {"mlp.c_proj.weight", "mlp.fc2.weight", -1},
    {"mlp.c_proj.bias", "mlp.fc2.bias", -1},
    {NULL, NULL, 0}
};

static const char *const resnet[] = {
    "visual.conv#.weight",
    "visual.bn#.weight", "visual.bn#.bias", "visual.bn#.running_mean", "visual.bn#.running_var",
    "visual.attnpool.positional_embedding",
    "visual.attnpool.q_proj.weight", "visual.attnpool.q_proj.bias",
    "visual.attnpool.k_proj.weight", "visual.attnpool.k_proj.bias",
    "visual.attnpool.v_proj.weight", "visual.attnpool.v_proj.bias",
    "visual.attnpool.c_proj.weight", "visual.attnpool.c_proj.bias",
    NULL
};

/* Behind "visual.layer#.#.": each for 1 to 3. */
static const char *const bottleneck[] = {
    "conv#.weight", "bn#.weight", "bn#.bias", "bn#.running_mean", "bn#.running_var", NULL
};
static const char *const shortcut[] = {
    "downsample.0.weight", "downsample.1.weight", "downsample.1.bias",
    "downsample.1.running_mean", "downsample.1.running_var", NULL
};

/* Does name match the pattern from its beginning?  Then *v gets the numbers for "#" (at most
 * two) and the rest of name is returned. */
static const char *match(const char *pattern, const char *name, size_t v[2]) {
    size_t k = 0;

    for (; *pattern; pattern++) {
        const char *from = name;
        size_t n = 0;

        if (*pattern != '#') {
            if (*name++ != *pattern)
                return NULL;
            continue;
        }
        while (*name >= '0' && *name <= '9' && name - from < 5)
            n = n * 10 + (size_t)(*name++ - '0');
        if (name == from || (*from == '0' && name - from > 1))
            return NULL;
        v[k++] = n;
    }
    return name;
}

static bool whole(const char *pattern, const char *name, size_t v[2]) {
    const char *rest = match(pattern, name, v);

    return rest && !*rest;
}

static bool in_rows(struct clip_name *n, const struct row *r, enum clip_names family,
                    const char *prefix, const char *name) {
    for (; r->openai; r++) {
        bool turned = *r->openai == '~';
        const char *canon = r->openai + turned;

        if (strcmp(family == NAMES_HF ? r->hf : canon, name))
            continue;
        snprintf(n->canon, sizeof n->canon, "%s%s", prefix, canon);
        n->part = family == NAMES_HF ? r->part : -1;
        n->turned = turned && family == NAMES_OPENAI;
        return true;
    }
    return false;
}

static bool in_block(struct clip_name *n, enum clip_names family, enum clip_tower tower,
                     const char *name) {
    static const char *const lead[2][2] = {
        {"transformer.resblocks.#.", "visual.transformer.resblocks.#."},
        {"text_model.encoder.layers.#.", "vision_model.encoder.layers.#."}
    };
    bool vision = tower == TOWER_VISION;
    const char *rest = match(lead[family == NAMES_HF][vision], name, n->index);
    char prefix[48];

    if (!rest)
        return false;
    snprintf(prefix, sizeof prefix, "%stransformer.resblocks.%zu.", vision ? "visual." : "",
             n->index[0]);
    return in_rows(n, block, family, prefix, rest);
}

static bool in_list(const char *const *list, const char *name, size_t lo, size_t hi) {
    size_t v[2] = {1};

    for (; *list; list++)
        if (whole(*list, name, v) && v[0] >= lo && v[0] <= hi)
            return true;
    return false;
}

static bool in_resnet(struct clip_name *n, const char *name) {
    const char *rest = match("visual.layer#.#.", name, n->index);

    if (rest ? !in_list(bottleneck, rest, 1, 3) && !in_list(shortcut, rest, 0, 1)
             : !in_list(resnet, name, 1, 3))
        return false;
    if (!rest)
        n->index[0] = n->index[1] = 0;
    n->part = -1;
    return (size_t)snprintf(n->canon, sizeof n->canon, "%s", name) < sizeof n->canon;
}

bool clip_name_parse(struct clip_name *n, enum clip_names family, const char *name) {
    *n = (struct clip_name){.part = -1};
    if (!strcmp(name, "logit_scale")) {
        memcpy(n->canon, "logit_scale", sizeof "logit_scale");
        return true;
    }
    n->tower = TOWER_TEXT;
    if (in_rows(n, text, family, "", name) || in_block(n, family, TOWER_TEXT, name))
        return true;
    n->tower = TOWER_VISION;
    return in_rows(n, vit, family, "", name) || in_block(n, family, TOWER_VISION, name) ||
           (family == NAMES_OPENAI && in_resnet(n, name));
}

/* ---- wrappings ---- */

static bool has(const struct weights *ws, const char *prefix, const char *name) {
    char full[160];

    snprintf(full, sizeof full, "%s%s", prefix, name);
    return weights_find(ws, full) != NULL;
}

/* Which family has its names behind this prefix?  -1: none. */
static int family_behind(const struct weights *ws, const char *prefix) {
    if (has(ws, prefix, "text_model.embeddings.token_embedding.weight") ||
        has(ws, prefix, "vision_model.embeddings.class_embedding"))
        return NAMES_HF;
    if (has(ws, prefix, "visual.conv1.weight") || has(ws, prefix, "token_embedding.weight") ||
        has(ws, prefix, "text.token_embedding.weight"))
        return NAMES_OPENAI;
    return -1;
}

static bool ends(const char *s, const char *suffix) {
    size_t n = strlen(s), k = strlen(suffix);

    return n >= k && !strcmp(s + n - k, suffix);
}

/* Buffers that no network reads: causal masks, counters, numbers of positions; the three integers
 * of OpenAI's archives. */
static bool ignored(const struct weight *w) {
    if (!strcmp(w->name, "input_resolution") || !strcmp(w->name, "context_length") ||
        !strcmp(w->name, "vocab_size"))
        return w->t.nd == 0;
    return !strcmp(w->name, "attn_mask") || ends(w->name, ".num_batches_tracked") ||
           ends(w->name, ".position_ids");
}

/* Keep what lies behind the prefix, without it and without what is ignored. */
static void strip(struct weights *ws, const char *prefix, enum clip_names family) {
    size_t len = strlen(prefix), n = 0;

    for (size_t i = 0; i < ws->n; i++) {
        struct weight w = ws->w[i];

        if (strncmp(w.name, prefix, len))
            continue;
        w.name += len;
        if (family == NAMES_OPENAI && !strncmp(w.name, "text.", 5))
            w.name += 5;
        if (family == NAMES_OPENAI && !strcmp(w.name, "text_projection.weight") && w.t.nd == 2) {
            w.name = "text_projection";
            w.t = tensor_transposed(&w.t);
        }
        if (!ignored(&w))
            ws->w[n++] = w;
    }
    ws->n = n;
}

int clip_canonical_names(struct weights *ws, enum clip_names *family, struct arena *a, struct err *e) {
    static const char *const prefix[] = {
        "", "module.", "_orig_mod.", "module._orig_mod.", "model.", "clip.",
        "cond_stage_model.transformer.", "cond_stage_model.model.",
        "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
    };

    (void)a;
    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
        int f = family_behind(ws, prefix[i]);

        if (f < 0)
            continue;
        *family = (enum clip_names)f;
        strip(ws, prefix[i], *family);
        return weights_sort(ws, e);
    }
    return err_set(e, "no CLIP: it has neither OpenAI's nor Hugging Face's names");
}

int clip_check_names(const struct clip_config *c, const struct weights *ws, struct err *e) {
    const struct clip_vision_config *v = &c->vision;

    for (size_t i = 0; i < ws->n; i++) {
        const char *name = ws->w[i].name;
        struct clip_name n;
        size_t limit = c->text.layers;

        if (!clip_name_parse(&n, c->names, name) ||
            (n.tower == TOWER_TEXT && !c->has_text) || (n.tower == TOWER_VISION && !c->has_vision))
            return err_set(e, "tensor %.200s is none that such a CLIP has", name);
        if (n.tower == TOWER_BOTH)
            continue;
        if (n.tower == TOWER_VISION && v->kind == VISION_RESNET) {
            if (n.index[0] > 4)
                return err_set(e, "tensor %.200s: a ResNet has four stages", name);
            if (n.index[0] == 0)
                continue;
            limit = v->blocks[n.index[0] - 1];
            n.index[0] = n.index[1];
        } else if (n.tower == TOWER_VISION) {
            limit = v->layers;
        }
        if (n.index[0] > 0 && n.index[0] >= limit)
            return err_set(e, "tensor %.200s: there are %zu layers", name, limit);
    }
    return 0;
}
