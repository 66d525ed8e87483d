/* make_karlo - writes a Karlo with random weights, in diffusers' layout
 *
 *     make_karlo [-a] [-t] [-d f32|f16|mix] [-e embed] [-s seed] DIR
 *
 * Writes prior/, text_proj/, decoder/, super_res_first/, super_res_last/ and the three schedulers into DIR,
 * as kakaobrain/karlo-v1-alpha has them, with the same names, shapes and counts; the counts are checked.
 * -t writes a tiny model of the same topology, with widths 8, 16, 24, 32 and pictures of 16 and 32 pixels.
 * -e sets the width of the embeddings and of the text's states, which is else 768, or 32 with -t.
 *
 * -a writes only prior/, and in it an autoregressive prior of the unCLIP paper's sizes (prior(1) has the
 * layout): 24 layers of 26 heads of 64, 384 rows of which 64 are text states, 319 codes of 1024 buckets,
 * embeddings of 1024 components.
 *
 * Weights have the variance with which torch initialises layers, so activations stay in a sane range.
 * Tensors are written one by one; f32 needs 14 GB of disk, f16 half of that.
 *
 * The program is not installed.  Its files are for tests that take too long for `make check`.
 */
#define _DEFAULT_SOURCE

#include <getopt.h>

#include "tests/random_weights.h"

enum { LEVELS = 4, LAYERS = 3, EXTRA = 4, CONTEXT = 77 };

struct shape {
    size_t embed;
    size_t heads, head, layers;    /* of the prior; a head has `head` components */
    size_t width[LEVELS], groups, channels, cross;
    size_t small, big;             /* sides of the decoder's and of the upsamplers' pictures */
};

static const struct shape karlo = {768, 32, 64, 20, {320, 640, 960, 1280}, 32, 64, 1536, 64, 256};
static const struct shape tiny = {32, 4, 16, 3, {8, 16, 24, 32}, 8, 8, 48, 16, 32};

/* ---- parts ---- */

static void norm(const char *name, size_t n) {
    add(cat(name, ".weight"), 1, 0.1, 0, 1, n, 0, 0, 0);
    add(cat(name, ".bias"), 0, 0.05, 0, 1, n, 0, 0, 0);
}

static void linear(const char *name, size_t n, size_t k) {
    add(cat(name, ".weight"), 0, 1 / sqrt(3. * (double)k), PRODUCT, 2, n, k, 0, 0);
    add(cat(name, ".bias"), 0, 0.02, PRODUCT, 1, n, 0, 0, 0);
}

static void conv(const char *name, size_t co, size_t ci, size_t side) {
    add(cat(name, ".weight"), 0, 1 / sqrt(3. * (double)(ci * side * side)), PRODUCT, 4, co, ci, side, side);
    add(cat(name, ".bias"), 0, 0.02, PRODUCT, 1, co, 0, 0, 0);
}

static void layers(size_t n, size_t d) {
    static const char *const parts[] = {".attn1.to_q", ".attn1.to_k", ".attn1.to_v", ".attn1.to_out.0"};
    char at[NAME_LEN / 2];

    for (size_t i = 0; i < n; i++) {
        snprintf(at, sizeof at, "transformer_blocks.%zu", i);
        norm(cat(at, ".norm1"), d);
        for (int k = 0; k < 4; k++)
            linear(cat(at, parts[k]), d, d);
        norm(cat(at, ".norm3"), d);
        linear(cat(at, ".ff.net.0.proj"), 4 * d, d);
        linear(cat(at, ".ff.net.2"), d, 4 * d);
    }
}

static void prior(const struct shape *s) {
    size_t d = s->heads * s->head, e = s->embed;

    add("positional_embedding", 0, 0.01, 0, 3, 1, CONTEXT + 4, d, 0);
    add("prd_embedding", 0, 0.01, 0, 3, 1, 1, d, 0);
    add("clip_mean", 0, 0.5, 0, 2, 1, e, 0, 0);
    add("clip_std", 0.4, 0.02, 0, 2, 1, e, 0, 0);
    linear("time_embedding.linear_1", d, d);
    linear("time_embedding.linear_2", d, d);
    linear("proj_in", d, e);
    linear("embedding_proj", d, e);
    linear("encoder_hidden_states_proj", d, e);
    layers(s->layers, d);
    norm("norm_out", d);
    linear("proj_to_clip_embeddings", e, d);
}

/* ---- the autoregressive prior ---- */

enum { AR_HEADS = 26, AR_HEAD = 64, AR_LAYERS = 24, AR_EMBED = 1024, AR_TEXT = 64, AR_CODES = 319, AR_BUCKETS = 1024 };

static void ar_prior(void) {
    const size_t d = AR_HEADS * AR_HEAD;

    linear("encoder_hidden_states_proj", d, AR_EMBED);
    linear("embedding_proj", d, AR_EMBED);
    add("dot_embedding.weight", 0, 0.5, 0, 2, AR_BUCKETS, d, 0, 0);
    add("code_embedding.weight", 0, 0.5, 0, 2, AR_BUCKETS, d, 0, 0);
    add("positional_embedding", 0, 0.01, 0, 3, 1, AR_TEXT + 1 + AR_CODES, d, 0);
    layers(AR_LAYERS, d);
    norm("norm_out", d);
    add("to_logits.weight", 0, 0.05, PRODUCT, 2, AR_BUCKETS, d, 0, 0);
    add("position_logits", 0, 0.5, 0, 2, 1 + AR_CODES, AR_BUCKETS, 0, 0);
    add("pca.mean", 0, 0.5, 0, 1, AR_EMBED, 0, 0, 0);
    add("pca.components", 0, 1 / sqrt((double)AR_EMBED), 0, 2, AR_CODES, AR_EMBED, 0, 0);
    add("code.edges", 3, 0, PAIRS, 2, AR_CODES, 2, 0, 0);
    add("dot.edges", 0.5, 0, PAIRS, 1, 2, 0, 0, 0);
    add("dot.histogram", 1, -1, 0, 1, AR_BUCKETS, 0, 0, 0);
}

static void text_proj(const struct shape *s) {
    size_t e = s->embed, t = 4 * s->width[0];

    add("learned_classifier_free_guidance_embeddings", 0, 0.02, 0, 1, e, 0, 0, 0);
    linear("embedding_proj", t, e);
    linear("clip_image_embeddings_project_to_time_embeddings", t, e);
    linear("clip_extra_context_tokens_proj", EXTRA * s->cross, e);
    linear("encoder_hidden_states_proj", s->cross, e);
    norm("text_encoder_hidden_states_norm", s->cross);
}

static void residual(const struct shape *s, const char *at, size_t ci, size_t co, int film) {
    norm(cat(at, ".norm1"), ci);
    conv(cat(at, ".conv1"), co, ci, 3);
    linear(cat(at, ".time_emb_proj"), film ? 2 * co : co, 4 * s->width[0]);
    norm(cat(at, ".norm2"), co);
    conv(cat(at, ".conv2"), co, co, 3);
    if (ci != co)
        conv(cat(at, ".conv_shortcut"), co, ci, 1);
}

static void attention(const struct shape *s, const char *at, size_t c) {
    static const char *const own[] = {".to_q", ".to_k", ".to_v", ".to_out.0"};

    norm(cat(at, ".group_norm"), c);
    for (int k = 0; k < 4; k++)
        linear(cat(at, own[k]), c, c);
    linear(cat(at, ".add_k_proj"), c, s->cross);
    linear(cat(at, ".add_v_proj"), c, s->cross);
}

/* Adds block j of level l on the way down or up, with attention if `attends` is not 0. */
static void block(const struct shape *s, const char *way, size_t l, size_t j, size_t ci, size_t co, int attends,
                  int film) {
    char at[NAME_LEN / 2];

    snprintf(at, sizeof at, "%s_blocks.%zu.resnets.%zu", way, l, j);
    residual(s, at, ci, co, film);
    if (!attends)
        return;
    snprintf(at, sizeof at, "%s_blocks.%zu.attentions.%zu", way, l, j);
    attention(s, at, co);
}

/* Adds the tensors of the decoder, which has FiLM and attention, or of an upsampler. */
static void unet(const struct shape *s, int decoder) {
    const size_t *w = s->width, low = w[LEVELS - 1];
    char at[NAME_LEN / 2];

    conv("conv_in", w[0], decoder ? 3 : 6, 3);
    linear("time_embedding.linear_1", 4 * w[0], w[0]);
    linear("time_embedding.linear_2", 4 * w[0], 4 * w[0]);
    for (size_t l = 0; l < LEVELS; l++) {
        for (size_t j = 0; j < LAYERS; j++)
            block(s, "down", l, j, j || !l ? w[l] : w[l - 1], w[l], decoder && l, decoder);
        snprintf(at, sizeof at, "down_blocks.%zu.downsamplers.0", l);
        if (l + 1 < LEVELS)
            residual(s, at, w[l], w[l], decoder);
    }
    residual(s, "mid_block.resnets.0", low, low, decoder);
    if (decoder)
        attention(s, "mid_block.attentions.0", low);
    residual(s, "mid_block.resnets.1", low, low, decoder);
    for (size_t u = 0; u < LEVELS; u++) {
        size_t l = LEVELS - 1 - u;

        for (size_t j = 0; j <= LAYERS; j++) {
            size_t h = j || !u ? w[l] : w[l + 1], skip = j < LAYERS || !l ? w[l] : w[l - 1];
            block(s, "up", u, j, h + skip, w[l], decoder && l, decoder);
        }
        snprintf(at, sizeof at, "up_blocks.%zu.upsamplers.0", u);
        if (l > 0)
            residual(s, at, w[l], w[l], decoder);
    }
    norm("conv_norm_out", w[0]);
    conv("conv_out", decoder ? 6 : 3, w[0], 3);
}

/* ---- files ---- */

/* Writes the tensors that were listed.  A full-size component must have the published counts. */
static void component(const char *dir, const char *name, const struct shape *s, size_t tensors, size_t params) {
    size_t all = 0;
    char full[NAME_LEN + 32];

    for (size_t i = 0; i < nitem; i++) {    /* tensors of equal names in two components get different numbers */
        all += count(&items[i]);
        snprintf(full, sizeof full, "%.31s.%.95s", name, items[i].name);
        memcpy(items[i].canon, full, NAME_LEN - 1);
    }
    if (nitem != tensors && s->layers == karlo.layers)
        fail(name, "not as many tensors as were published");
    if (params != all && s->layers == karlo.layers && s->embed == karlo.embed)
        fail(name, "not as many parameters as were published");
    safetensors(sub(dir, name), "diffusion_pytorch_model.safetensors", "", "");
    printf("%s: %zu tensors, %zu parameters\n", name, nitem, all);
    nitem = 0;
}

static FILE *config(const char *dir, const char *name, const char *class) {
    FILE *f = create(sub(dir, name), "config.json");

    fprintf(f, "{\n  \"_class_name\": \"%s\"", class);
    return f;
}

static void end(FILE *f) {
    fprintf(f, "\n}\n");
    finish(f);
}

static void number_of(FILE *f, const char *key, size_t v) {
    fprintf(f, ",\n  \"%s\": %zu", key, v);
}

static void unet_config(FILE *f, const struct shape *s, int decoder, size_t sample) {
    const char *down = decoder ? "SimpleCrossAttnDownBlock2D" : "ResnetDownsampleBlock2D";
    const char *up = decoder ? "SimpleCrossAttnUpBlock2D" : "ResnetUpsampleBlock2D";

    fprintf(f, ",\n  \"block_out_channels\": [%zu, %zu, %zu, %zu]", s->width[0], s->width[1], s->width[2], s->width[3]);
    fprintf(f, ",\n  \"down_block_types\": [\"ResnetDownsampleBlock2D\", \"%s\", \"%s\", \"%s\"]", down, down, down);
    fprintf(f, ",\n  \"up_block_types\": [\"%s\", \"%s\", \"%s\", \"ResnetUpsampleBlock2D\"]", up, up, up);
    number_of(f, "in_channels", decoder ? 3 : 6);
    number_of(f, "out_channels", decoder ? 6 : 3);
    number_of(f, "layers_per_block", LAYERS);
    number_of(f, "norm_num_groups", s->groups);
    if (sample)
        number_of(f, "sample_size", sample);
    else
        fprintf(f, ",\n  \"sample_size\": null");
    if (decoder)
        fprintf(f, ",\n  \"class_embed_type\": \"identity\",\n  \"mid_block_type\": \"UNetMidBlock2DSimpleCrossAttn\""
                   ",\n  \"resnet_time_scale_shift\": \"scale_shift\"");
    else
        fprintf(f, ",\n  \"add_attention\": false");
}

static void configs(const char *dir, const struct shape *s) {
    FILE *f = config(dir, "prior", "PriorTransformer");

    number_of(f, "num_attention_heads", s->heads);
    number_of(f, "attention_head_dim", s->head);
    number_of(f, "num_layers", s->layers);
    number_of(f, "embedding_dim", s->embed);
    number_of(f, "num_embeddings", CONTEXT);
    number_of(f, "additional_embeddings", 4);
    end(f);
    f = config(dir, "text_proj", "UnCLIPTextProjModel");
    number_of(f, "clip_extra_context_tokens", EXTRA);
    number_of(f, "clip_embeddings_dim", s->embed);
    number_of(f, "time_embed_dim", 4 * s->width[0]);
    number_of(f, "cross_attention_dim", s->cross);
    end(f);
    f = config(dir, "decoder", "UNet2DConditionModel");
    unet_config(f, s, 1, s->small);
    number_of(f, "attention_head_dim", s->channels);
    number_of(f, "cross_attention_dim", s->cross);
    end(f);
    f = config(dir, "super_res_first", "UNet2DModel");
    unet_config(f, s, 0, s->big);
    end(f);
    f = config(dir, "super_res_last", "UNet2DModel");    /* sample_size: null in Karlo's file */
    unet_config(f, s, 0, 0);
    end(f);
}

static void write_ar_prior(const char *dir) {
    FILE *f = config(dir, "prior", "ARPriorTransformer");
    size_t all = 0;

    number_of(f, "num_attention_heads", AR_HEADS);
    number_of(f, "attention_head_dim", AR_HEAD);
    number_of(f, "num_layers", AR_LAYERS);
    number_of(f, "embedding_dim", AR_EMBED);
    number_of(f, "num_embeddings", AR_TEXT);
    number_of(f, "num_codes", AR_CODES);
    number_of(f, "num_buckets", AR_BUCKETS);
    end(f);
    ar_prior();
    for (size_t i = 0; i < nitem; i++)
        all += count(&items[i]);
    safetensors(sub(dir, "prior"), "model.safetensors", "", "");
    printf("prior: %zu tensors, %zu parameters\n", nitem, all);
}

static void scheduler(const char *dir, const char *name, const char *prediction, const char *variance, double range) {
    FILE *f = create(sub(dir, name), "scheduler_config.json");

    fprintf(f, "{\n  \"_class_name\": \"UnCLIPScheduler\",\n  \"num_train_timesteps\": 1000,\n  \"clip_sample\": true,\n"
            "  \"clip_sample_range\": %.1f,\n  \"prediction_type\": \"%s\",\n  \"variance_type\": \"%s\"", range,
            prediction, variance);
    end(f);
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: make_karlo [-a] [-t] [-d f32|f16|mix] [-e embed] [-s seed] DIR\n");
    exit(2);
}

int main(int argc, char *argv[]) {
    struct shape s = karlo;
    size_t embed = 0;
    int autoregressive = 0, c;
    const char *dir;

    program = "make_karlo";
    dtype_opt = "f16";
    while ((c = getopt(argc, argv, "ad:e:s:t")) != -1)
        switch (c) {
        case 'a': autoregressive = 1; break;
        case 'd': dtype_opt = optarg; break;
        case 'e': embed = strtoull(optarg, NULL, 10); break;
        case 's': seed = strtoull(optarg, NULL, 10); break;
        case 't': s = tiny; break;
        default: usage();
        }
    if (argc - optind != 1 || embed > 1 << 16 ||
        (strcmp(dtype_opt, "f32") && strcmp(dtype_opt, "f16") && strcmp(dtype_opt, "mix")))
        usage();
    if (embed)
        s.embed = embed;
    dir = argv[optind];
    if (mkdir(dir, 0777) < 0 && errno != EEXIST)
        fail(dir, strerror(errno));
    if (autoregressive) {
        write_ar_prior(dir);
        return 0;
    }
    configs(dir, &s);
    scheduler(dir, "prior_scheduler", "sample", "fixed_small_log", 5);
    scheduler(dir, "decoder_scheduler", "epsilon", "learned_range", 1);
    scheduler(dir, "super_res_scheduler", "epsilon", "fixed_small_log", 1);
    prior(&s);
    component(dir, "prior", &s, 338, 1022030080);
    text_proj(&s);
    component(dir, "text_proj", &s, 11, 7878400);
    unet(&s, 1);
    component(dir, "decoder", &s, 716, 885439686);
    unet(&s, 0);
    component(dir, "super_res_first", &s, 408, 691579523);
    unet(&s, 0);
    component(dir, "super_res_last", &s, 408, 691579523);
    return 0;
}
