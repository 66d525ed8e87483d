#include "formats/checkpoint/unclip_config.h"

#include <string.h>

#include "formats/io/json_text.h"

/* Returns the name under `key`, or `otherwise` if the key is absent. */
static const char *word(const json_t *j, const char *key, const char *otherwise) {
    const json_t *v = json_get(j, key);

    return !v ? otherwise : json_is_string(v) ? json_string_value(v) : "(no name)";
}

/* Returns 0 if the name under `key` is `zero`, 1 if it is `one`, else -1.  If the key is absent, the name is
 * `otherwise`. */
static int one_of(const json_t *j, const char *key, const char *otherwise, const char *zero, const char *one,
                  struct err *e) {
    const char *v = word(j, key, otherwise);

    if (zero && !strcmp(v, zero))
        return 0;
    if (one && !strcmp(v, one))
        return 1;
    return err_set(e, "%s %.60s is not supported", key, v);
}

int unclip_config_plain(const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e);
    int r = j ? 0 : -1;

    if (json_get(j, "quantization_config"))
        r = err_set(e, "quantization_config is set, which is not supported");
    json_decref(j);
    return r;
}

/* Refuse options of the diffusers classes that have another value than the one implemented here. */
static int refuse_options(const json_t *j, struct err *e) {
    static const char *const off[] = {"center_input_sample", "only_cross_attention", "dual_cross_attention",
                                      "use_linear_projection", "addition_embed_type", "encoder_hid_dim",
                                      "time_cond_proj_dim", "num_class_embeds", "time_embedding_act_fn",
                                      "class_embeddings_concat", "resnet_skip_time_act"};

    for (size_t i = 0; i < sizeof off / sizeof *off; i++) {
        const json_t *v = json_get(j, off[i]);
        if (v && !json_is_false(v))
            return err_set(e, "%s is set, which is not supported", off[i]);
    }
    if (one_of(j, "act_fn", "silu", "silu", "swish", e) < 0 ||
        one_of(j, "time_embedding_type", "positional", "positional", NULL, e) < 0)
        return -1;
    if (json_get(j, "flip_sin_to_cos") && !json_is_true(json_get(j, "flip_sin_to_cos")))
        return err_set(e, "flip_sin_to_cos is false, which is not supported");
    if (json_get(j, "freq_shift") && json_number_value(json_get(j, "freq_shift")) != 0)
        return err_set(e, "freq_shift is not 0, which is not supported");
    if (json_get(j, "mid_block_scale_factor") && json_number_value(json_get(j, "mid_block_scale_factor")) != 1)
        return err_set(e, "mid_block_scale_factor is not 1, which is not supported");
    return 0;
}

/* Read the widths of the levels, and which levels have attention.  The names of the block types say which levels have
 * attention.  The names of the way down must agree with the names of the way up. */
static int levels(struct unet_config *c, const json_t *j, struct err *e) {
    const json_t *w = json_get(j, "block_out_channels"), *down = json_get(j, "down_block_types");
    const json_t *up = json_get(j, "up_block_types");

    c->levels = json_array_size(w);
    if (c->levels < 1 || c->levels > UNET_LEVELS || json_array_size(down) != c->levels ||
        json_array_size(up) != c->levels)
        return err_set(e, "block_out_channels, down_block_types and up_block_types: 1 to %d of each are wanted",
                       UNET_LEVELS);
    for (size_t l = 0; l < c->levels; l++) {
        const json_t *v = json_array_get(w, l), *d = json_array_get(down, l);
        const json_t *u = json_array_get(up, c->levels - 1 - l);
        const char *ds = json_is_string(d) ? json_string_value(d) : "?";
        const char *us = json_is_string(u) ? json_string_value(u) : "?";

        if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > 65536)
            return err_set(e, "block_out_channels is not a list of numbers from 1 to 65536");
        c->width[l] = (size_t)json_integer_value(v);
        c->attention[l] = !strcmp(ds, "SimpleCrossAttnDownBlock2D");
        if (!c->attention[l] && strcmp(ds, "ResnetDownsampleBlock2D") != 0)
            return err_set(e, "block %.60s is not supported", ds);
        if (strcmp(us, c->attention[l] ? "SimpleCrossAttnUpBlock2D" : "ResnetUpsampleBlock2D") != 0)
            return err_set(e, "block %.60s does not go with %.60s", us, ds);
    }
    return 0;
}

static int unet(struct unet_config *c, size_t *sample, const json_t *j, struct err *e) {
    int conditional = one_of(j, "_class_name", "?", "UNet2DModel", "UNet2DConditionModel", e), film;
    double eps = 1e-5;

    *c = (struct unet_config){.family = UNET_DIFFUSERS, .prefix = "", .in = 3, .out = 3, .layers = 2, .groups = 32, .head = 8};
    *sample = 0;
    if (conditional < 0 || refuse_options(j, e) < 0 || levels(c, j, e) < 0 ||
        json_get_size(j, "in_channels", &c->in, e) < 0 || json_get_size(j, "out_channels", &c->out, e) < 0 ||
        json_get_size(j, "layers_per_block", &c->layers, e) < 0 || json_get_size(j, "norm_num_groups", &c->groups, e) < 0 ||
        json_get_size(j, "attention_head_dim", &c->head, e) < 0 || json_get_size(j, "sample_size", sample, e) < 0 ||
        json_get_real(j, "norm_eps", &eps, 1e-12, 1e-2, e) < 0)
        return -1;
    c->eps = (float)eps;
    film = one_of(j, "resnet_time_scale_shift", "default", "default", "scale_shift", e);
    if (film < 0)
        return -1;
    c->film = film;
    c->mid_head = c->head;
    if (!conditional) {    /* the middle block of a UNet2DModel has attention unless add_attention is false */
        bool add = true;
        if (json_get_bool(j, "add_attention", &add, e) < 0)
            return -1;
        c->mid_attention = add;
        return 0;
    }
    c->context = 1280;
    c->mid_attention = true;
    if (one_of(j, "class_embed_type", "?", "identity", NULL, e) < 0 ||
        one_of(j, "mid_block_type", "?", "UNetMidBlock2DSimpleCrossAttn", NULL, e) < 0)
        return -1;
    return json_get_size(j, "cross_attention_dim", &c->context, e);
}

int unclip_config_unet(struct unet_config *c, size_t *sample, const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e);
    int r = j ? unet(c, sample, j, e) : -1;

    json_decref(j);
    return r;
}

int unclip_config_glide(struct unet_config *c, const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e);
    int r = !j || json_get_size(j, "num_head_channels", &c->head, e) < 0 || json_get_size(j, "num_groups", &c->groups, e) < 0 ? -1 : 0;

    c->mid_head = c->head;
    json_decref(j);
    return r;
}

/* A newer PriorTransformer can have parts that Karlo's prior does not have.  Options that add such parts must have
 * their defaults. */
static int prior(struct prior_config *c, const json_t *j, struct err *e) {
    static const struct { const char *key, *only; } fixed[] = {
        {"time_embed_act_fn", "silu"}, {"encoder_hid_proj_type", "linear"}, {"added_emb_type", "prd"}};
    static const char *const none[] = {"norm_in_type", "embedding_proj_norm_type", "time_embed_dim",
                                       "embedding_proj_dim", "clip_embed_dim"};
    size_t head = 64, extra = 4;

    c->heads = 32, c->layers = 20, c->embed = 768, c->context = 77;
    if (one_of(j, "_class_name", "?", "PriorTransformer", NULL, e) < 0)
        return -1;
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        if (one_of(j, fixed[i].key, fixed[i].only, fixed[i].only, NULL, e) < 0)
            return -1;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (json_get(j, none[i]))
            return err_set(e, "%s is set, which is not supported", none[i]);
    if (json_get_size(j, "num_attention_heads", &c->heads, e) < 0 || json_get_size(j, "attention_head_dim", &head, e) < 0 ||
        json_get_size(j, "num_layers", &c->layers, e) < 0 || json_get_size(j, "embedding_dim", &c->embed, e) < 0 ||
        json_get_size(j, "num_embeddings", &c->context, e) < 0 || json_get_size(j, "additional_embeddings", &extra, e) < 0)
        return -1;
    if (extra != 4)
        return err_set(e, "additional_embeddings is %zu, and only 4 is supported", extra);
    c->width = c->heads * head;
    return 0;
}

int unclip_config_prior(struct prior_config *c, const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e);
    int r = j ? prior(c, j, e) : -1;

    json_decref(j);
    return r;
}

bool unclip_config_is_ar_prior(const void *json, size_t n) {
    struct err unused = {0};
    json_t *j = json_object_load(json, n, &unused);
    bool is = j && !strcmp(word(j, "_class_name", "?"), "ARPriorTransformer");

    json_decref(j);
    return is;
}

static int ar_prior(struct ar_prior_config *c, const json_t *j, struct err *e) {
    size_t head = 0;
    const struct { const char *key; size_t *to; } keys[] = {
        {"num_attention_heads", &c->heads}, {"attention_head_dim", &head}, {"num_layers", &c->layers},
        {"embedding_dim", &c->embed}, {"num_embeddings", &c->context}, {"num_codes", &c->codes}, {"num_buckets", &c->buckets}};
    enum { KEYS = sizeof keys / sizeof *keys };
    const char *key;
    json_t *v;

    if (one_of(j, "_class_name", "?", "ARPriorTransformer", NULL, e) < 0)
        return -1;
    for (size_t i = 0; i < KEYS; i++) {
        if (!json_get(j, keys[i].key))
            return err_set(e, "%s is missing", keys[i].key);
        if (json_get_size(j, keys[i].key, keys[i].to, e) < 0)
            return -1;
    }
    json_object_foreach((json_t *)(size_t)j, key, v) {
        size_t i = 0;

        while (i < KEYS && strcmp(key, keys[i].key) != 0)
            i++;
        if (i == KEYS && key[0] != '_')
            return err_set(e, "%.60s is set, which is not supported", key);
    }
    c->width = c->heads * head;    /* no overflow: each factor is at most JSON_SIZE_MAX */
    return 0;
}

int unclip_config_ar_prior(struct ar_prior_config *c, const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e);
    int r = j ? ar_prior(c, j, e) : -1;

    json_decref(j);
    return r;
}

static int scheduler(struct sched_config *c, const json_t *j, struct err *e) {
    int betas = one_of(j, "beta_schedule", "squaredcos_cap_v2", "squaredcos_cap_v2", "linear", e);
    int predict = one_of(j, "prediction_type", "epsilon", "epsilon", "sample", e);
    int variance = one_of(j, "variance_type", "fixed_small_log", "fixed_small_log", "learned_range", e);
    double range = 1;

    *c = (struct sched_config){.train_steps = 1000, .clip = true};
    if (one_of(j, "_class_name", "UnCLIPScheduler", "UnCLIPScheduler", NULL, e) < 0 || betas < 0 || predict < 0 ||
        variance < 0 || json_get_size(j, "num_train_timesteps", &c->train_steps, e) < 0 ||
        json_get_bool(j, "clip_sample", &c->clip, e) < 0 || json_get_real(j, "clip_sample_range", &range, 1e-6, 1e6, e) < 0)
        return -1;
    c->betas = betas ? BETAS_LINEAR : BETAS_COSINE;
    c->predict = predict ? PREDICT_SAMPLE : PREDICT_EPSILON;
    c->variance = variance ? VARIANCE_LEARNED_RANGE : VARIANCE_FIXED_SMALL_LOG;
    c->range = (float)range;
    return 0;
}

int unclip_config_scheduler(struct sched_config *c, const void *json, size_t n, struct err *e) {
    json_t *j = json_object_load(json, n, e);
    int r = j ? scheduler(c, j, e) : -1;

    json_decref(j);
    return r;
}
