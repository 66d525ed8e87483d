/* Take a tensor's name apart by the table of its family, and take off the prefixes that training code puts in front. */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lib/net/clip.h"

/* How a field of struct clip_family names tensors. */
enum kind {
    WHOLE,          /* one tensor */
    PROJECTION,     /* one tensor, which some families store [D, E] */
    PAIR            /* two tensors, NAME.weight and NAME.bias */
};

struct role {
    size_t at;      /* the field's offset in struct clip_family */
    enum kind kind;
    enum clip_tower tower;
};

static const struct role roles[] = {
    {offsetof(struct clip_family, text.token), WHOLE, TOWER_TEXT},
    {offsetof(struct clip_family, text.position), WHOLE, TOWER_TEXT},
    {offsetof(struct clip_family, text.ln_final), PAIR, TOWER_TEXT},
    {offsetof(struct clip_family, text.projection), PROJECTION, TOWER_TEXT},
    {offsetof(struct clip_family, vision.class_token), WHOLE, TOWER_VISION},
    {offsetof(struct clip_family, vision.patch), WHOLE, TOWER_VISION},
    {offsetof(struct clip_family, vision.position), WHOLE, TOWER_VISION},
    {offsetof(struct clip_family, vision.ln_pre), PAIR, TOWER_VISION},
    {offsetof(struct clip_family, vision.ln_post), PAIR, TOWER_VISION},
    {offsetof(struct clip_family, vision.projection), PROJECTION, TOWER_VISION},
};

/* The fields of struct transformer_names, each of which names two tensors.  part: 0, 1 or 2 for query, key or value,
 * else -1. */
static const struct {
    size_t at;
    int part;
} layer_roles[] = {
    {offsetof(struct clip_family, layer.ln1), -1},   {offsetof(struct clip_family, layer.q), 0},
    {offsetof(struct clip_family, layer.k), 1},      {offsetof(struct clip_family, layer.v), 2},
    {offsetof(struct clip_family, layer.fused), -1}, {offsetof(struct clip_family, layer.interleaved), -1},
    {offsetof(struct clip_family, layer.out), -1},   {offsetof(struct clip_family, layer.ln2), -1},
    {offsetof(struct clip_family, layer.fc), -1},    {offsetof(struct clip_family, layer.proj), -1},
};

static const char *field(const struct clip_family *f, size_t at) {
    const char *s;

    memcpy(&s, (const char *)f + at, sizeof s);
    return s;
}

/* Returns the canonical family's name for a field, or f's own name if the canonical family has no such tensor. */
static const char *canonical(const struct clip_family *f, size_t at) {
    const char *s = field(clip_families[0], at);

    return s ? s : field(f, at);
}

/* Returns the rest of s after `word`, or NULL if s does not begin with `word`. */
static const char *after(const char *s, const char *word) {
    size_t n = word ? strlen(word) : 0;

    return word && !strncmp(s, word, n) ? s + n : NULL;
}

/* Reads a number of at most five digits, without leading zeros, into *v.  Returns a pointer behind the number, or NULL if
 * s does not begin with a number. */
static const char *number(const char *s, size_t *v) {
    const char *from = s;

    for (*v = 0; *s >= '0' && *s <= '9' && s - from < 5; s++)
        *v = *v * 10 + (size_t)(*s - '0');
    return s == from || (*from == '0' && s - from > 1) ? NULL : s;
}

static bool is(const char *s, const char *a, const char *b) {
    return s && (!strcmp(s, a) || !strcmp(s, b));
}

static void set_canon(struct clip_name *n, const char *prefix, const char *name, const char *end) {
    snprintf(n->canon, sizeof n->canon, "%s%s%s", prefix, name, end);
}

static bool in_roles(struct clip_name *n, const struct clip_family *f, const char *name) {
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
        const struct role *r = &roles[i];
        const char *rest = after(name, field(f, r->at));

        if (r->kind == PAIR ? !is(rest, ".weight", ".bias") : !rest || *rest)
            continue;
        set_canon(n, "", canonical(f, r->at), rest);
        n->tower = r->tower;
        n->turned = r->kind == PROJECTION && f->transposed;
        return true;
    }
    return false;
}

/* Parses the name of a layer's tensor; `name` is the part that follows the layer's number and a dot. */
static bool in_layer(struct clip_name *n, const struct clip_family *f, const char *prefix, const char *name) {
    for (size_t i = 0; i < sizeof layer_roles / sizeof *layer_roles; i++) {
        size_t at = layer_roles[i].at;
        const char *base = field(f, at), *rest = after(name, base);
        bool fused = at == offsetof(struct clip_family, layer.fused);

        if (fused ? !is(rest, "_weight", "_bias") : !is(rest, ".weight", ".bias"))
            continue;
        n->part = layer_roles[i].part;
        if (n->part >= 0 && clip_families[0]->layer.fused) {
            set_canon(n, prefix, clip_families[0]->layer.fused, rest[1] == 'w' ? "_weight" : "_bias");
            return true;
        }
        set_canon(n, prefix, canonical(f, at), rest);
        return true;
    }
    return false;
}

static bool in_layers(struct clip_name *n, const struct clip_family *f, enum clip_tower tower, const char *name) {
    bool vision = tower == TOWER_VISION;
    const char *rest = after(name, vision ? f->vision.layers : f->text.layers);
    char prefix[64];

    if (!rest || !(rest = number(rest, &n->index[0])) || *rest++ != '.')
        return false;
    snprintf(prefix, sizeof prefix, "%.50s%zu.", vision ? clip_families[0]->vision.layers : clip_families[0]->text.layers,
             n->index[0]);
    n->tower = tower;
    return in_layer(n, f, prefix, rest);
}

/* ---- ResNet ---- */

static bool bn_end(const char *s) {
    return is(s, ".weight", ".bias") || is(s, ".running_mean", ".running_var");
}

/* Parses conv1.weight, bn1.* and so on: a block and the stem each have three convolutions and three BatchNorms. */
static bool in_convs(struct clip_name *n, const struct resnet_names *r, const char *prefix, const char *name) {
    const struct resnet_names *c = clip_families[0]->resnet;
    const char *rest = after(name, r->conv);
    bool conv = rest != NULL;
    char base[48];
    size_t i;

    if (!rest && !(rest = after(name, r->bn)))
        return false;
    rest = number(rest, &i);
    if (!rest || i < 1 || i > 3 || (conv ? strcmp(rest, ".weight") != 0 : !bn_end(rest)))
        return false;
    snprintf(base, sizeof base, "%.20s%zu", conv ? c->conv : c->bn, i);
    set_canon(n, prefix, base, rest);
    return true;
}

static bool in_block(struct clip_name *n, const struct resnet_names *r, const char *name) {
    const struct resnet_names *c = clip_families[0]->resnet;
    const char *rest = number(name, &n->index[0]), *end;
    char prefix[64];

    if (!rest || *rest++ != '.' || !(rest = number(rest, &n->index[1])) || *rest++ != '.')
        return false;
    snprintf(prefix, sizeof prefix, "%.20s%.20s%zu.%zu.", c->prefix, c->stage, n->index[0], n->index[1]);
    if (in_convs(n, r, prefix, rest))
        return true;
    if ((end = after(rest, r->shortcut)) && !strcmp(end, ".weight"))
        return set_canon(n, prefix, c->shortcut, end), true;
    if (bn_end(end = after(rest, r->shortcut_bn)))
        return set_canon(n, prefix, c->shortcut_bn, end), true;
    return false;
}

static bool in_resnet(struct clip_name *n, const struct resnet_names *r, const char *name) {
    const struct resnet_names *c = clip_families[0]->resnet;
    const char *const from[] = {r->q, r->k, r->v, r->c}, *const to[] = {c->q, c->k, c->v, c->c};
    const char *rest;

    n->tower = TOWER_VISION;
    if (!(name = after(name, r->prefix)))
        return false;
    if ((rest = after(name, r->stage)))
        return in_block(n, r, rest);
    if (!strcmp(name, r->position))
        return set_canon(n, c->prefix, c->position, ""), true;
    for (size_t i = 0; i < 4; i++)
        if (is(rest = after(name, from[i]), ".weight", ".bias"))
            return set_canon(n, c->prefix, to[i], rest), true;
    return in_convs(n, r, c->prefix, name);
}

bool clip_name_parse(struct clip_name *n, const struct clip_family *f, const char *name) {
    *n = (struct clip_name){.part = -1};
    if (!strcmp(name, "logit_scale")) {
        memcpy(n->canon, "logit_scale", sizeof "logit_scale");
        return true;
    }
    if (in_roles(n, f, name) || in_layers(n, f, TOWER_TEXT, name) || in_layers(n, f, TOWER_VISION, name))
        return true;
    n->index[0] = n->index[1] = 0;
    return f->resnet && in_resnet(n, f->resnet, name);
}

/* ---- prefixes ---- */

static bool has(const struct weights *ws, const char *prefix, const char *inner, const char *name) {
    char full[160];

    if (!name || !inner)
        return false;
    snprintf(full, sizeof full, "%s%s%s", prefix, inner, name);
    return weights_find(ws, full) != NULL;
}

/* Returns the family whose names are found after this prefix, or NULL. */
static const struct clip_family *family_behind(const struct weights *ws, const char *prefix) {
    for (size_t i = 0; clip_families[i]; i++) {
        const struct clip_family *f = clip_families[i];

        if (has(ws, prefix, "", f->text.token) || has(ws, prefix, f->inner, f->text.token) ||
            has(ws, prefix, "", f->vision.patch))
            return f;
    }
    return NULL;
}

static bool ends(const char *s, const char *suffix) {
    size_t n = strlen(s), k = strlen(suffix);

    return n >= k && !strcmp(s + n - k, suffix);
}

/* Is w a buffer that no network reads: a causal mask, a counter, position ids, or an integer of OpenAI's archives? */
static bool ignored(const struct weight *w) {
    if (!strcmp(w->name, "input_resolution") || !strcmp(w->name, "context_length") ||
        !strcmp(w->name, "vocab_size"))
        return w->t.nd == 0;
    return !strcmp(w->name, "attn_mask") || ends(w->name, ".num_batches_tracked") ||
           ends(w->name, ".position_ids");
}

/* Keep only the tensors whose names begin with the prefix, take the prefix off, and drop ignored tensors. */
static void strip(struct weights *ws, const char *prefix, const struct clip_family *f) {
    size_t len = strlen(prefix), n = 0;

    for (size_t i = 0; i < ws->n; i++) {
        struct weight w = ws->w[i];
        const char *rest;

        if (strncmp(w.name, prefix, len))
            continue;
        w.name += len;
        if ((rest = after(w.name, f->inner)))
            w.name = rest;
        if (f->linear && !strcmp(w.name, f->linear) && w.t.nd == 2) {
            w.name = f->text.projection;
            w.t = tensor_transposed(&w.t);
        }
        if (!ignored(&w))
            ws->w[n++] = w;
    }
    ws->n = n;
}

/* Returns what a model is that resembles a CLIP and has a tensor that no CLIP has, or NULL. */
static const char *other_model(const struct weights *ws) {
    static const struct { const char *tensor, *what; } other[] = {
        {"logit_bias", "a SigLIP"},
        {"vision_model.head.probe", "the image tower of a SigLIP"},
        {"text_model.head.weight", "the text tower of a SigLIP"},
        {"vision_model.embeddings.convolution.weight", "an ALIGN"},
        {"visual.trunk.patch_embed.proj.weight", "a CLIP whose image tower is timm's"},
        {"visual.trunk.stem.0.weight", "a CLIP whose image tower is timm's"},
        {"text.transformer.embeddings.word_embeddings.weight", "a CLIP whose text tower is transformers'"},
    };

    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (weights_find(ws, other[i].tensor))
            return other[i].what;
    return NULL;
}

int clip_canonical_names(struct weights *ws, const struct clip_family **family, struct err *e) {
    static const char *const prefix[] = {
        "", "module.", "_orig_mod.", "module._orig_mod.", "model.", "clip.",
        "cond_stage_model.transformer.", "cond_stage_model.model.",
        "conditioner.embedders.0.transformer.", "conditioner.embedders.1.model."
    };

    if (other_model(ws))
        return err_set(e, "%s, which is not supported", other_model(ws));
    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
        *family = family_behind(ws, prefix[i]);
        if (!*family)
            continue;
        strip(ws, prefix[i], *family);
        return weights_sort(ws, e);
    }
    return err_set(e, "not a CLIP: it has neither OpenAI's nor Hugging Face's names");
}

int clip_check_names(const struct clip_config *c, const struct weights *ws, struct err *e) {
    const struct clip_vision_config *v = &c->vision;

    for (size_t i = 0; i < ws->n; i++) {
        const char *name = ws->w[i].name;
        struct clip_name n;
        size_t limit = c->text.layers;

        if (!clip_name_parse(&n, c->family, name) ||
            (n.tower == TOWER_TEXT && !c->has_text) || (n.tower == TOWER_VISION && !c->has_vision))
            return err_set(e, "tensor %.200s is not one that such a CLIP has", name);
        if (!dtype_is_float(ws->w[i].t.dtype))
            return err_set(e, "tensor %.200s is %s: quantised weights are not supported", name,
                           dtype_name(ws->w[i].t.dtype));
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
