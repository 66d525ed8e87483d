#include "formats/checkpoint/clip_config.h"

#include <math.h>
#include <string.h>

#include "formats/io/json_text.h"

struct prep clip_prep_default(size_t side, enum prep_crop rule) {
    return (struct prep){
        .size = side, .crop = side, .resize = RESIZE_SHORTEST, .rule = rule,
        .filter = FILTER_BICUBIC, .normalize = true,
        .mean = {0.48145466f, 0.4578275f, 0.40821073f},
        .std = {0.26862954f, 0.26130258f, 0.27577711f},
        .rescale = rule == CROP_HF ? 1 / 255. : 0,
    };
}

static int get_eps(const json_t *o, const char *key, float *eps, struct err *e) {
    double v = 1e-5;

    if (json_get_real(o, key, &v, 1e-12, 1e-2, e) < 0)
        return -1;
    *eps = (float)v;
    return 0;
}

static int get_triple(const json_t *o, const char *key, float v[3], double min, double max,
                      struct err *e) {
    const json_t *x = json_get(o, key);

    if (!x)
        return 0;
    if (json_array_size(x) != 3)
        return err_set(e, "%s is not three numbers", key);
    for (size_t i = 0; i < 3; i++) {
        double f = json_number_value(json_array_get(x, i));

        if (!json_is_number(json_array_get(x, i)) || !(f >= min && f <= max))
            return err_set(e, "%s: %g is out of range", key, f);
        v[i] = (float)f;
    }
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
        return err_set(e, "%s width %zu is no multiple of its %zu heads", what, width, heads);
    return 0;
}

/* ---- Hugging Face ---- */

/* transformers pools at the first eos_token_id, but for 2, which is what files of before 2023 have: then at the
 * largest id.  An id that the vocabulary does not have (the default of small models) means that, too. */
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
        return err_set(e, "image_size %zu is no multiple of patch_size %zu", v->image, v->patch);
    return heads_fit(v->width, v->heads, "image", e);
}

/* text_config_dict of old files, where it is there, is what counts. */
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
    json_decref(j);
    return r;
}

/* {"shortest_edge": n}, {"height": n, "width": n} or n */
static int hf_side(const json_t *o, const char *key, size_t *n, bool *shortest, struct err *e) {
    const json_t *v = json_get(o, key);
    size_t h = 0, w = 0;

    *shortest = !json_is_object(v) || json_get(v, "shortest_edge");
    if (!json_is_object(v))
        return json_get_size(o, key, n, e);
    if (*shortest && json_object_size(v) == 1)
        return json_get_size(v, "shortest_edge", n, e);
    if (json_get_size(v, "height", &h, e) < 0 || json_get_size(v, "width", &w, e) < 0)
        return -1;
    if (h == 0 || h != w || json_object_size(v) != 2)
        return err_set(e, "%s is neither a shortest edge nor a square", key);
    *n = h;
    return 0;
}

/* Which processor wrote it: CLIP's, or none said. */
static int hf_processor(const json_t *j, struct err *e) {
    static const char *const key[] = {"image_processor_type", "feature_extractor_type"};

    for (size_t i = 0; i < 2; i++) {
        const char *s = json_string_value(json_get(j, key[i]));

        if (s && strncmp(s, "CLIPImageProcessor", 18) && strcmp(s, "CLIPFeatureExtractor"))
            return err_set(e, "%s %.60s is not supported", key[i], s);
    }
    return 0;
}

static int hf_prep(struct prep *p, const json_t *j, struct err *e) {
    size_t filter = FILTER_BICUBIC, crop = 224;
    bool resize = true, center = true, scale = true, shortest, square;
    const json_t *r = json_get(j, "resample");

    *p = clip_prep_default(224, CROP_HF);
    if (hf_processor(j, e) < 0 || json_get_bool(j, "do_resize", &resize, e) < 0 ||
        json_get_bool(j, "do_center_crop", &center, e) < 0 || json_get_bool(j, "do_rescale", &scale, e) < 0 ||
        json_get_bool(j, "do_normalize", &p->normalize, e) < 0 ||
        json_get_real(j, "rescale_factor", &p->rescale, 1e-6, 1e6, e) < 0 ||
        hf_side(j, "size", &p->size, &shortest, e) < 0 ||
        hf_side(j, "crop_size", &crop, &square, e) < 0 ||
        get_triple(j, "image_mean", p->mean, -1e3, 1e3, e) < 0 ||
        get_triple(j, "image_std", p->std, 1e-6, 1e6, e) < 0)
        return -1;
    if (r && (!json_is_integer(r) || json_integer_value(r) < 0 || json_integer_value(r) > FILTER_HAMMING))
        return err_set(e, "resample is none of Pillow's filters 0 to %d", FILTER_HAMMING);
    if (r)
        filter = (size_t)json_integer_value(r);
    p->filter = (enum prep_filter)filter;
    p->resize = shortest ? RESIZE_SHORTEST : RESIZE_SQUASH;
    if (!center && (shortest || !resize))
        return err_set(e, "without do_center_crop pictures would not be square");
    p->crop = center ? crop : p->size;
    if (!resize)
        p->size = 0;
    if (!scale)
        p->rescale = 1;
    return 0;
}

int clip_prep_hf(struct prep *p, const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e);
    int r;

    if (!j)
        return -1;
    r = hf_prep(p, j, e);
    json_decref(j);
    return r;
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
