#include "formats/checkpoint/clip_config.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/io/json_text.h"

static int get_eps(const json_t *o, const char *key, float *eps, struct err *e) {
    double v = 1e-5;

    if (json_get_real(o, key, &v, 1e-12, 1e-2, e) < 0)
        return -1;
    *eps = (float)v;
    return 0;
}

static int get_act(const json_t *o, enum act *act, struct err *e) {
    static const struct { const char *name; enum act act; } known[] = {
        {"quick_gelu", ACT_QUICK_GELU}, {"gelu", ACT_GELU}, {"gelu_pytorch_tanh", ACT_GELU_TANH},
        {"gelu_new", ACT_GELU_TANH}, {"relu", ACT_RELU},
    };
    const json_t *x = json_get(o, "hidden_act");

    *act = ACT_QUICK_GELU;
    if (!x)
        return 0;
    if (!json_is_string(x))
        return err_set(e, "hidden_act is not a name");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].name, json_string_value(x))) {
            *act = known[i].act;
            return 0;
        }
    return err_set(e, "hidden_act %.40s is not supported", json_string_value(x));
}

static int heads_fit(size_t width, size_t heads, const char *what, struct err *e) {
    if (heads == 0 || width % heads)
        return err_set(e, "%s width %zu is not a multiple of its %zu heads", what, width, heads);
    return 0;
}

/* ---- Hugging Face ---- */

/* transformers pools at the first eos_token_id.  The value 2, which files from before 2023 have, stands for the
 * largest id.  So does an id that the vocabulary does not have (the default id in small models). */
static int get_eos(const json_t *o, struct clip_text_config *t, struct err *e) {
    const json_t *x = json_get(o, "eos_token_id");
    json_int_t id = x ? json_integer_value(x) : 49407;

    if (x && (!json_is_integer(x) || id < 0))
        return err_set(e, "eos_token_id is not the id of a token");
    t->eos = id == 2 || (size_t)id >= t->vocab ? CLIP_LARGEST : (int)id;
    return 0;
}

static int hf_text(struct clip_text_config *t, const json_t *o, struct err *e) {
    *t = (struct clip_text_config){.context = 77, .vocab = 49408, .width = 512, .heads = 8,
                                   .layers = 12, .mlp = 2048, .embed = 512};
    if (json_get_size(o, "vocab_size", &t->vocab, e) < 0 || json_get_size(o, "hidden_size", &t->width, e) < 0 ||
        json_get_size(o, "intermediate_size", &t->mlp, e) < 0 ||
        json_get_size(o, "num_hidden_layers", &t->layers, e) < 0 ||
        json_get_size(o, "num_attention_heads", &t->heads, e) < 0 ||
        json_get_size(o, "max_position_embeddings", &t->context, e) < 0 ||
        json_get_size(o, "projection_dim", &t->embed, e) < 0 || get_act(o, &t->act, e) < 0 ||
        get_eps(o, "layer_norm_eps", &t->eps, e) < 0 || get_eos(o, t, e) < 0)
        return -1;
    return heads_fit(t->width, t->heads, "text", e);
}

static int hf_vision(struct clip_vision_config *v, const json_t *o, struct err *e) {
    size_t channels = 3;

    *v = (struct clip_vision_config){.kind = VISION_VIT, .image = 224, .width = 768, .heads = 12,
                                     .embed = 512, .layers = 12, .patch = 32, .mlp = 3072};
    if (json_get_size(o, "hidden_size", &v->width, e) < 0 ||
        json_get_size(o, "intermediate_size", &v->mlp, e) < 0 ||
        json_get_size(o, "num_hidden_layers", &v->layers, e) < 0 ||
        json_get_size(o, "num_attention_heads", &v->heads, e) < 0 ||
        json_get_size(o, "image_size", &v->image, e) < 0 || json_get_size(o, "patch_size", &v->patch, e) < 0 ||
        json_get_size(o, "projection_dim", &v->embed, e) < 0 ||
        json_get_size(o, "num_channels", &channels, e) < 0 || get_act(o, &v->act, e) < 0 ||
        get_eps(o, "layer_norm_eps", &v->eps, e) < 0)
        return -1;
    if (channels != 3)
        return err_set(e, "num_channels is %zu, not 3", channels);
    if (v->image % v->patch)
        return err_set(e, "image_size %zu is not a multiple of patch_size %zu", v->image, v->patch);
    return heads_fit(v->width, v->heads, "image", e);
}

/* If an old file has text_config_dict, it is used instead of text_config. */
static const json_t *section(const json_t *j, const char *key, const char *dict) {
    const json_t *v = json_get(j, dict);

    return json_is_object(v) ? v : json_get(j, key);
}

static int hf_joint(struct clip_config *c, const json_t *j, struct err *e) {
    size_t embed = 512;

    c->has_text = c->has_vision = true;
    if (json_get_size(j, "projection_dim", &embed, e) < 0)
        return -1;
    if (hf_text(&c->text, section(j, "text_config", "text_config_dict"), e) < 0 ||
        hf_vision(&c->vision, section(j, "vision_config", "vision_config_dict"), e) < 0)
        return -1;
    c->text.embed = c->vision.embed = embed;
    return 0;
}

int clip_config_hf(struct clip_config *c, const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e);
    const char *type;
    int r;

    if (!j)
        return -1;
    c->has_text = c->has_vision = false;
    c->act_known = true;
    type = json_string_value(json_get(j, "model_type"));
    if (type && !strcmp(type, "clip"))
        r = hf_joint(c, j, e) < 0 ? -1 : 1;
    else if (type && (c->has_text = !strcmp(type, "clip_text_model")))
        r = hf_text(&c->text, j, e) < 0 ? -1 : 1;
    else if (type && (c->has_vision = !strcmp(type, "clip_vision_model")))
        r = hf_vision(&c->vision, j, e) < 0 ? -1 : 1;
    else
        r = 0;
    if (r == 1 && json_get(j, "quantization_config"))
        r = err_set(e, "quantization_config is set, which is not supported");
    json_decref(j);
    return r;
}

void clip_config_type(char type[64], const void *json, size_t n) {
    json_t *j = json_object_load(json, n, NULL);
    const char *s = json_string_value(json_get(j, "model_type"));

    snprintf(type, 64, "%.63s", s ? s : "");
    json_decref(j);
}

/* ---- merging with the shapes ---- */

struct pair {
    const char *what;
    size_t file, shape;
};

static int agree(const struct pair *p, size_t n, struct err *e) {
    for (size_t i = 0; i < n; i++)
        if (p[i].file != p[i].shape)
            return err_set(e, "%s is %zu, but the tensors have %zu", p[i].what, p[i].file, p[i].shape);
    return 0;
}

static int merge_text(struct clip_text_config *c, const struct clip_text_config *f, struct err *e) {
    const struct pair p[] = {
        {"text context length", f->context, c->context}, {"vocabulary size", f->vocab, c->vocab},
        {"text width", f->width, c->width}, {"number of text layers", f->layers, c->layers},
        {"text MLP width", f->mlp, c->mlp}, {"embedding width", f->embed, c->embed},
    };

    if (agree(p, sizeof p / sizeof *p, e) < 0)
        return -1;
    *c = *f;
    return 0;
}

static int merge_vision(struct clip_vision_config *c, const struct clip_vision_config *f,
                        struct err *e) {
    const struct pair p[] = {
        {"kind of image tower", f->kind, c->kind}, {"image size", f->image, c->image},
        {"image width", f->width, c->width}, {"embedding width", f->embed, c->embed},
        {"number of image layers", f->layers, c->layers}, {"patch size", f->patch, c->patch},
        {"image MLP width", f->mlp, c->mlp},
        {"number of blocks in layer1", f->blocks[0], c->blocks[0]},
        {"number of blocks in layer2", f->blocks[1], c->blocks[1]},
        {"number of blocks in layer3", f->blocks[2], c->blocks[2]},
        {"number of blocks in layer4", f->blocks[3], c->blocks[3]},
    };

    if (agree(p, sizeof p / sizeof *p, e) < 0)
        return -1;
    *c = *f;
    return 0;
}

int clip_config_merge(struct clip_config *c, const struct clip_config *file, struct err *e) {
    if (c->has_text && file->has_text && merge_text(&c->text, &file->text, e) < 0)
        return -1;
    if (c->has_vision && file->has_vision && merge_vision(&c->vision, &file->vision, e) < 0)
        return -1;
    c->act_known = file->act_known;
    return 0;
}
