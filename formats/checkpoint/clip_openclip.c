/* open_clip_config.json: clip_config_openclip of clip_config.h.  Every known key is in a table that says whether it
 * is read, changes nothing in inference, or is implemented for some of its values only. */
#include <math.h>
#include <string.h>

#include "formats/checkpoint/clip_config.h"
#include "formats/io/json_text.h"

enum { SIZE_LIMIT = 1 << 24 };

enum rule {
    READ,       /* its value is read below */
    ANY,        /* may have any value, which changes nothing here */
    ABSENT,     /* must be absent, null, false or {}: the feature is not implemented */
    ONLY        /* must be absent or one of the strings `only` */
};

struct key {
    const char *name;
    enum rule rule;
    const char *only[2];
};

static const struct key model_keys[] = {
    {"embed_dim", READ, {0}}, {"vision_cfg", READ, {0}}, {"text_cfg", READ, {0}},
    {"quick_gelu", READ, {0}}, {"custom_text", ANY, {0}}, {"init_logit_scale", ANY, {0}},
    {"nonscalar_logit_scale", ANY, {0}}, {"cast_dtype", ANY, {0}}, {"output_dict", ANY, {0}},
    {"init_logit_bias", ABSENT, {0}}, {"multimodal_cfg", ABSENT, {0}},
};

static const struct key vision_keys[] = {
    {"layers", READ, {0}}, {"width", READ, {0}}, {"head_width", READ, {0}}, {"mlp_ratio", READ, {0}},
    {"patch_size", READ, {0}}, {"image_size", READ, {0}}, {"norm_kwargs", READ, {0}},
    {"patch_dropout", ANY, {0}}, {"output_tokens", ANY, {0}}, {"attn_pooler_queries", ANY, {0}},
    {"attn_pooler_heads", ANY, {0}}, {"n_queries", ANY, {0}}, {"timm_model_pretrained", ANY, {0}},
    {"timm_pool", ANY, {0}}, {"timm_proj", ANY, {0}}, {"timm_proj_bias", ANY, {0}},
    {"timm_drop", ANY, {0}}, {"timm_drop_path", ANY, {0}},
    {"pool_type", ONLY, {"tok"}}, {"pos_embed_type", ONLY, {"learnable", "sin_cos_2d"}},
};

static const struct key text_keys[] = {
    {"context_length", READ, {0}}, {"vocab_size", READ, {0}}, {"width", READ, {0}}, {"heads", READ, {0}},
    {"layers", READ, {0}}, {"mlp_ratio", READ, {0}}, {"norm_kwargs", READ, {0}},
    {"pad_id", ANY, {0}}, {"eos_id", READ, {0}}, {"output_tokens", ANY, {0}},
    {"hf_model_pretrained", ANY, {0}}, {"hf_proj_type", ANY, {0}}, {"hf_pooler_type", ANY, {0}},
    {"pool_type", ONLY, {"argmax", "eos"}}, {"proj_type", ONLY, {"linear"}},
};

/* A key that is not in a table counts as ABSENT. */
static int check_key(const char *where, const char *name, const json_t *v, const struct key *k,
                     size_t n, struct err *e) {
    const char *s = json_string_value(v);
    size_t i = 0;

    while (i < n && strcmp(k[i].name, name))
        i++;
    if (i < n && (k[i].rule == READ || k[i].rule == ANY))
        return 0;
    if (json_is_null(v) || json_is_false(v) || (json_is_object(v) && json_object_size(v) == 0))
        return 0;
    if (i < n && k[i].rule == ONLY && s)
        for (size_t j = 0; j < 2 && k[i].only[j]; j++)
            if (!strcmp(s, k[i].only[j]))
                return 0;
    return err_set(e, "%s: %.60s is set to what is not implemented%s%.40s", where, name,
                   s ? ": " : "", s ? s : "");
}

static int check_keys(const char *where, json_t *o, const struct key *k, size_t n, struct err *e) {
    const char *name;
    json_t *v;

    if (!json_is_object(o))
        return err_set(e, "%s is missing", where);
    json_object_foreach(o, name, v)
        if (check_key(where, name, v, k, n, e) < 0)
            return -1;
    return 0;
}

static int get_size(const json_t *o, const char *where, const char *key, size_t *v, struct err *e) {
    const json_t *x = json_object_get(o, key);

    if (!x || json_is_null(x))
        return 0;
    if (!json_is_integer(x) || json_integer_value(x) < 1 || json_integer_value(x) > SIZE_LIMIT)
        return err_set(e, "%s: %s is not a number from 1 to %d", where, key, SIZE_LIMIT);
    *v = (size_t)json_integer_value(x);
    return 0;
}

/* Sets *mlp to width * mlp_ratio, rounded towards zero as Python's int() does. */
static int get_mlp(const json_t *o, const char *where, size_t width, size_t *mlp, struct err *e) {
    const json_t *x = json_object_get(o, "mlp_ratio");
    double ratio = x && !json_is_null(x) ? json_number_value(x) : 4;

    if ((x && !json_is_null(x) && !json_is_number(x)) || !(ratio > 0 && ratio <= 64))
        return err_set(e, "%s: mlp_ratio is not a number up to 64", where);
    *mlp = (size_t)((double)width * ratio);
    return 0;
}

static int get_eps(json_t *o, const char *where, float *eps, struct err *e) {
    json_t *k = json_object_get(o, "norm_kwargs"), *v;
    const char *name;

    *eps = 1e-5f;
    if (!k || json_is_null(k))
        return 0;
    json_object_foreach(k, name, v) {
        double f = json_number_value(v);

        if (strcmp(name, "eps") || !(f >= 1e-12 && f <= 1e-2))
            return err_set(e, "%s: norm_kwargs: %.40s is not implemented", where, name);
        *eps = (float)f;
    }
    return json_is_object(k) ? 0 : err_set(e, "%s: norm_kwargs is not an object", where);
}

/* Reads a side, which is a number, or [h, w] with h equal to w. */
static int get_side(const json_t *o, const char *where, const char *key, size_t *v, struct err *e) {
    const json_t *x = json_object_get(o, key);
    json_int_t h, w;

    if (!json_is_array(x))
        return get_size(o, where, key, v, e);
    h = json_integer_value(json_array_get(x, 0));
    w = json_integer_value(json_array_get(x, 1));
    if (json_array_size(x) != 2 || h != w || h < 1 || h > SIZE_LIMIT)
        return err_set(e, "%s: %s is not a square", where, key);
    *v = (size_t)h;
    return 0;
}

/* Reads the numbers of blocks of a ResNet, for example [3, 4, 6, 3]. */
static int get_blocks(struct clip_vision_config *v, const json_t *x, struct err *e) {
    if (json_array_size(x) != 4)
        return err_set(e, "vision_cfg: layers is not four numbers");
    for (size_t i = 0; i < 4; i++) {
        json_int_t n = json_integer_value(json_array_get(x, i));

        if (n < 1 || n > 1000)
            return err_set(e, "vision_cfg: layers is not four numbers");
        v->blocks[i] = (size_t)n;
    }
    v->kind = VISION_RESNET;
    return 0;
}

static int read_vision(struct clip_vision_config *v, json_t *o, struct err *e) {
    static const char where[] = "vision_cfg";
    const json_t *layers = json_object_get(o, "layers");
    size_t head = 64, patch = 16, count = 12;

    *v = (struct clip_vision_config){.kind = VISION_VIT, .image = 224, .width = 768};
    if (check_keys(where, o, vision_keys, sizeof vision_keys / sizeof *vision_keys, e) < 0 ||
        (json_is_array(layers) ? get_blocks(v, layers, e) : get_size(o, where, "layers", &count, e)) < 0 ||
        get_size(o, where, "width", &v->width, e) < 0 ||
        get_size(o, where, "head_width", &head, e) < 0 ||
        get_side(o, where, "patch_size", &patch, e) < 0 ||
        get_side(o, where, "image_size", &v->image, e) < 0 || get_eps(o, where, &v->eps, e) < 0)
        return -1;
    if (v->kind == VISION_RESNET) {
        v->heads = v->width * 32 / head;
        return v->heads && v->width * 32 % head == 0
                   ? 0 : err_set(e, "%s: width and head_width do not fit", where);
    }
    v->layers = count;
    v->patch = patch;
    v->heads = v->width / head;
    if (v->heads == 0 || v->width % head)
        return err_set(e, "%s: width %zu is not a multiple of head_width %zu", where, v->width, head);
    if (v->image % patch)
        return err_set(e, "%s: image_size %zu is not a multiple of patch_size %zu", where, v->image, patch);
    return get_mlp(o, where, v->width, &v->mlp, e);
}

/* With pool_type "eos" the text is pooled at the first token equal to eos_id, even if that is 2, for which transformers
 * would take the largest token.  If pool_type is absent or "argmax", the text is pooled at its largest token. */
static int get_eos(const json_t *o, struct clip_text_config *t, struct err *e) {
    const char *pool = json_string_value(json_object_get(o, "pool_type"));
    const json_t *x = json_object_get(o, "eos_id");
    json_int_t id = x && !json_is_null(x) ? json_integer_value(x) : 2;

    t->eos = CLIP_LARGEST;
    if (!pool || strcmp(pool, "eos") != 0)
        return 0;
    if ((x && !json_is_null(x) && !json_is_integer(x)) || id < 0 || (size_t)id >= t->vocab)
        return err_set(e, "text_cfg: eos_id is not the id of a token");
    t->eos = (int)id;
    return 0;
}

static int read_text(struct clip_text_config *t, json_t *o, struct err *e) {
    static const char where[] = "text_cfg";

    *t = (struct clip_text_config){.context = 77, .vocab = 49408, .width = 512, .heads = 8,
                                   .layers = 12};
    if (check_keys(where, o, text_keys, sizeof text_keys / sizeof *text_keys, e) < 0 ||
        get_size(o, where, "context_length", &t->context, e) < 0 ||
        get_size(o, where, "vocab_size", &t->vocab, e) < 0 ||
        get_size(o, where, "width", &t->width, e) < 0 ||
        get_size(o, where, "heads", &t->heads, e) < 0 ||
        get_size(o, where, "layers", &t->layers, e) < 0 || get_eps(o, where, &t->eps, e) < 0 ||
        get_eos(o, t, e) < 0)
        return -1;
    if (t->width % t->heads)
        return err_set(e, "%s: width %zu is not a multiple of %zu heads", where, t->width, t->heads);
    return get_mlp(o, where, t->width, &t->mlp, e);
}

static int read_model(struct clip_config *c, json_t *m, struct err *e) {
    const json_t *quick;
    size_t embed = 0;
    enum act act;
    const char *timm = json_string_value(json_object_get(json_object_get(m, "vision_cfg"), "timm_model_name"));

    if (timm && strstr(timm, "siglip"))
        return err_set(e, "vision_cfg: timm_model_name %.60s is a SigLIP, which is not supported", timm);
    if (check_keys("model_cfg", m, model_keys, sizeof model_keys / sizeof *model_keys, e) < 0 ||
        get_size(m, "model_cfg", "embed_dim", &embed, e) < 0 ||
        read_vision(&c->vision, json_object_get(m, "vision_cfg"), e) < 0 ||
        read_text(&c->text, json_object_get(m, "text_cfg"), e) < 0)
        return -1;
    if (!embed)
        return err_set(e, "model_cfg: embed_dim is missing");
    quick = json_object_get(m, "quick_gelu");
    if (quick && !json_is_boolean(quick) && !json_is_null(quick))
        return err_set(e, "model_cfg: quick_gelu is neither true nor false");
    act = json_is_true(quick) ? ACT_QUICK_GELU : ACT_GELU;
    c->text.act = c->vision.act = act;
    c->text.embed = c->vision.embed = embed;
    c->has_text = c->has_vision = c->act_known = true;
    return 0;
}

/* ---- preprocess_cfg ---- */

static int read_triple(const json_t *o, const char *key, float v[3], double min, struct err *e) {
    const json_t *x = json_object_get(o, key);

    if (!x || json_is_null(x))
        return 0;
    for (size_t i = 0; i < 3; i++) {
        const json_t *y = json_is_array(x) ? json_array_get(x, i) : x;
        double f = json_number_value(y);

        if (!json_is_number(y) || !(f >= min && f <= 1e3) ||
            (json_is_array(x) && json_array_size(x) != 3))
            return err_set(e, "preprocess_cfg: %s is not three numbers", key);
        v[i] = (float)f;
    }
    return 0;
}

/* Sets *v to the index in `names` of the value of `key`.  If the key is absent, *v does not change. */
static int read_choice(const json_t *o, const char *key, const char *const *names, size_t n, int *v,
                       struct err *e) {
    const json_t *x = json_object_get(o, key);

    if (!x || json_is_null(x))
        return 0;
    for (size_t i = 0; i < n && json_is_string(x); i++)
        if (names[i] && !strcmp(names[i], json_string_value(x))) {
            *v = (int)i;
            return 0;
        }
    return err_set(e, "preprocess_cfg: %s is set to what is not implemented", key);
}

static int read_prep(struct prep *p, size_t image, json_t *o, struct err *e) {
    static const char *const filters[] = {"nearest", NULL, "bilinear", "bicubic"};
    static const char *const modes[] = {"shortest", "squash", "longest"};
    static const struct key keys[] = {
        {"mean", READ, {0}}, {"std", READ, {0}}, {"interpolation", READ, {0}},
        {"resize_mode", READ, {0}}, {"size", READ, {0}}, {"fill_color", READ, {0}},
        {"mode", ONLY, {"RGB"}},
    };
    int filter = FILTER_BICUBIC, mode = RESIZE_SHORTEST;
    float fill[3] = {0};
    size_t side = image;

    *p = clip_prep_default(image, CROP_TORCHVISION);
    if (!o || json_is_null(o))
        return 0;
    if (check_keys("preprocess_cfg", o, keys, sizeof keys / sizeof *keys, e) < 0 ||
        read_triple(o, "mean", p->mean, -1e3, e) < 0 || read_triple(o, "std", p->std, 1e-6, e) < 0 ||
        read_triple(o, "fill_color", fill, 0, e) < 0 ||
        read_choice(o, "interpolation", filters, 4, &filter, e) < 0 ||
        read_choice(o, "resize_mode", modes, 3, &mode, e) < 0 ||
        get_side(o, "preprocess_cfg", "size", &side, e) < 0)
        return -1;
    p->filter = (enum prep_filter)filter;
    p->resize = (enum prep_resize)mode;
    p->size = p->crop = side;
    for (int i = 0; i < 3; i++)
        p->fill[i] = (unsigned char)fminf(fill[i], 255);
    return 0;
}

int clip_config_openclip(struct clip_config *c, struct prep *p, const void *json, size_t n,
                         struct err *e) {
    json_t *j = json_text_load(json, n, e), *m = json_object_get(j, "model_cfg");
    int r;

    if (!j)
        return -1;
    r = json_is_object(m) ? read_model(c, m, e) : err_set(e, "model_cfg is missing");
    if (r == 0)
        r = read_prep(p, c->vision.image, json_object_get(j, "preprocess_cfg"), e);
    json_decref(j);
    return r;
}
