/* Opening the diffusion side of a model: tests/golden/karlo, the same with parts missing, configs that are not ours,
 * and the original Karlo layout, made here from the golden weights. */
#include "formats/checkpoint/unclip_model.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/checkpoint/unclip_config.h"
#include "formats/io/mapfile.h"
#include "lib/net/karlo_names.h"
#include "tests/tap.h"

#define GOLDEN "tests/golden/karlo"

static const struct compute one_thread = {&kern_c, NULL};

static void *need(void *p, const char *what, const struct err *e) {
    if (!p) {
        printf("Bail out! %s: %s\n", what, e && e->msg[0] ? e->msg : "no memory");
        exit(1);
    }
    return p;
}

static void refused(int r, struct err *e, const char *want) {
    ok(r < 0 && !strcmp(e->msg, want), "refused: %s", want);
    if (r >= 0 || strcmp(e->msg, want) != 0)
        printf("# said \"%s\"\n", e->msg);
    e->msg[0] = 0;
}

/* ---- folders ---- */

static int open_prior(const char *const *v, size_t n, struct arena a, struct err *e) {
    struct prior_model m;

    return unclip_open_prior(&m, &(struct model_paths){v, n, -1, NULL, NULL}, &one_thread, &a, e);
}

static int open_decoder(const char *const *v, size_t n, struct arena a, struct err *e) {
    struct decoder_model m;

    return unclip_open_decoder(&m, &(struct model_paths){v, n, -1, NULL, NULL}, false, &one_thread, &a, e);
}

static int open_upsampler(const char *const *v, size_t n, struct arena a, struct err *e) {
    struct upsampler_model m;

    return unclip_open_upsampler(&m, &(struct model_paths){v, n, -1, NULL, NULL}, &one_thread, &a, e);
}

static void golden(struct arena a) {
    static const char *const path[] = {GOLDEN};
    const struct model_paths paths = {path, 1, -1, NULL, NULL};
    struct prior_model p;
    struct decoder_model d;
    struct upsampler_model u;
    struct err e = {0};

    ok(unclip_open_prior(&p, &paths, &one_thread, &a, &e) == 0, "prior %s", e.msg);
    ok(p.config.heads == 4 && p.config.width == 64 && p.config.layers == 3 && p.config.embed == 32 &&
       p.config.context == 77 && p.steps == 25 && strlen(p.fingerprint) == 16, "as its config says");
    ok(p.sched.c.predict == PREDICT_SAMPLE && p.sched.c.variance == VARIANCE_FIXED_SMALL_LOG &&
       p.sched.c.range == 5, "with its scheduler");
    ok(unclip_open_decoder(&d, &paths, false, &one_thread, &a, &e) == 0, "decoder %s", e.msg);
    ok(d.side == 16 && d.steps == 25 && d.config.film && d.config.context == 48 && d.config.in == 3 && d.config.out == 6 &&
       d.proj.config.cross == 48 && d.proj.config.extra == 4, "as its config says, with text_proj");
    ok(d.sched.c.predict == PREDICT_EPSILON && d.sched.c.variance == VARIANCE_LEARNED_RANGE &&
       d.sched.c.range == 1, "with its scheduler");
    ok(unclip_open_upsampler(&u, &paths, &one_thread, &a, &e) == 0, "upsampler %s", e.msg);
    ok(u.ratio == 2 && u.steps == 7 && u.first != u.last && !unet_config(u.first)->film &&
       unet_config(u.last)->in == 6, "two networks, twice the decoder's side");
    ok(strcmp(p.fingerprint, d.fingerprint) && strcmp(d.fingerprint, u.fingerprint), "each with a fingerprint of its own");
}

/* A folder with links to all components but one. */
static void missing(const char *name, const char *dir, int (*open)(const char *const *, size_t, struct arena, struct err *),
                    struct arena a) {
    static const char *const all[] = {"prior", "text_proj", "decoder", "super_res_first", "super_res_last"};
    const char *const two[] = {dir, "tests/golden/clip"};
    char here[PATH_MAX], from[2 * PATH_MAX], to[PATH_MAX], want[2 * PATH_MAX];
    struct err e = {0};
    int bad = 0;

    need(getcwd(here, sizeof here), "getcwd", NULL);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(from, sizeof from, "%s/" GOLDEN "/%s", here, all[i]);
        snprintf(to, sizeof to, "%s/%s", dir, all[i]);
        bad += strcmp(all[i], name) && symlink(from, to) < 0;
    }
    ok(!bad, "a pipeline without %s", name);
    snprintf(want, sizeof want, "no %s in %s", name, dir);
    refused(open(&dir, 1, a, &e), &e, want);
    snprintf(want, sizeof want, "no %s in %s, tests/golden/clip", name, dir);
    refused(open(two, 2, a, &e), &e, want);
    {
        const char *const and[] = {dir, GOLDEN};
        ok(open(and, 2, a, &e) == 0, "from another path it is taken %s", e.msg);
    }
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        snprintf(to, sizeof to, "%s/%s", dir, all[i]);
        unlink(to);
    }
}

/* The prior's weights under each name that diffusers gives one file of weights; the content tells what the file is. */
static void names(struct arena a) {
    static const char *const name[] = {"diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.bin",
                                       "diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.fp16.bin"};
    char dir[] = "/tmp/unclip-names-XXXXXX", here[PATH_MAX], from[2 * PATH_MAX], to[PATH_MAX];
    const char *const path = need(mkdtemp(dir), "mkdtemp", NULL);
    struct err e = {0};

    need(getcwd(here, sizeof here), "getcwd", NULL);
    snprintf(to, sizeof to, "%s/prior", dir);
    ok(mkdir(to, 0700) == 0, "a folder");
    snprintf(from, sizeof from, "%s/" GOLDEN "/prior/config.json", here);
    snprintf(to, sizeof to, "%s/prior/config.json", dir);
    ok(symlink(from, to) == 0, "with a config.json");
    snprintf(from, sizeof from, "%s/" GOLDEN "/prior/diffusion_pytorch_model.safetensors", here);
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        snprintf(to, sizeof to, "%s/prior/%s", dir, name[i]);
        ok(symlink(from, to) == 0 && open_prior(&path, 1, a, &e) == 0, "the weights as %s %s", name[i], e.msg);
        unlink(to);
    }
    ok(open_prior(&path, 1, a, &e) < 0, "refused without weights: %s", e.msg);
    snprintf(to, sizeof to, "%s/prior/config.json", dir);
    unlink(to);
    snprintf(to, sizeof to, "%s/prior", dir);
    rmdir(to);
    ok(rmdir(dir) == 0, "removed");
}

static void folders(struct arena a) {
    static const char *const parts[] = {GOLDEN "/prior"};
    char dir[] = "/tmp/unclip-model-XXXXXX";
    struct err e = {0};

    need(mkdtemp(dir), "mkdtemp", NULL);
    missing("prior", dir, open_prior, a);
    missing("decoder", dir, open_decoder, a);
    missing("text_proj", dir, open_decoder, a);
    missing("super_res_first", dir, open_upsampler, a);
    missing("super_res_last", dir, open_upsampler, a);
    rmdir(dir);
    refused(open_prior(NULL, 0, a, &e), &e, "no prior in an empty list of models");
    ok(open_prior(parts, 1, a, &e) == 0, "the component's own folder is a path, too %s", e.msg);
}

/* ---- configs ---- */

/* The golden file with `from` replaced, NUL-terminated. */
static char *edited(const char *file, const char *from, const char *to, struct arena *a) {
    char path[256], *s, *p;
    struct err e = {0};
    struct mapfile m;

    snprintf(path, sizeof path, GOLDEN "/%s", file);
    need(mapfile_open(&m, path, &e) < 0 ? NULL : &m, path, &e);
    s = need(arena_str(a, m.p, m.n), "config", NULL);
    p = need(strstr(s, from), from, NULL);
    {
        char *out = need(arena_zero(a, m.n + strlen(to) + 1, 1), "config", NULL);
        memcpy(out, s, (size_t)(p - s));
        strcat(strcat(out, to), p + strlen(from));
        return out;
    }
}

static void unet_configs(struct arena a) {
    static const struct { const char *from, *to, *want; } bad[] = {
        {"\"UNet2DConditionModel\"", "\"UNet3DConditionModel\"", "_class_name UNet3DConditionModel is not supported"},
        {"\"_class_name\": \"UNet2DConditionModel\",", "", "_class_name ? is not supported"},
        {"\"ResnetDownsampleBlock2D\"", "\"DownBlock2D\"", "block DownBlock2D is not supported"},
        {"\"ResnetDownsampleBlock2D\"", "7", "block ? is not supported"},
        {"\"ResnetUpsampleBlock2D\"", "\"UpBlock2D\"", "block UpBlock2D does not go with ResnetDownsampleBlock2D"},
        {"\"SimpleCrossAttnUpBlock2D\"", "\"ResnetUpsampleBlock2D\"",
         "block ResnetUpsampleBlock2D does not go with SimpleCrossAttnDownBlock2D"},
        {"\"in_channels\"", "\"act_fn\": \"gelu\", \"in_channels\"", "act_fn gelu is not supported"},
        {"\"in_channels\"", "\"act_fn\": [1], \"in_channels\"", "act_fn (no name) is not supported"},
        {"\"identity\"", "\"timestep\"", "class_embed_type timestep is not supported"},
        {"\"class_embed_type\": \"identity\",", "", "class_embed_type ? is not supported"},
        {"\"UNetMidBlock2DSimpleCrossAttn\"", "\"UNetMidBlock2DCrossAttn\"",
         "mid_block_type UNetMidBlock2DCrossAttn is not supported"},
        {"\"scale_shift\"", "\"spatial\"", "resnet_time_scale_shift spatial is not supported"},
        {"\"in_channels\"", "\"only_cross_attention\": true, \"in_channels\"",
         "only_cross_attention is set, which is not supported"},
        {"\"in_channels\"", "\"flip_sin_to_cos\": false, \"in_channels\"", "flip_sin_to_cos is false, which is not supported"},
        {"\"in_channels\"", "\"freq_shift\": 1, \"in_channels\"", "freq_shift is not 0, which is not supported"},
        {"\"in_channels\"", "\"mid_block_scale_factor\": 1.4, \"in_channels\"",
         "mid_block_scale_factor is not 1, which is not supported"},
        {"\"in_channels\"", "\"norm_eps\": 0, \"in_channels\"", "norm_eps is not a number from 1e-12 to 0.01"},
        {"  8,\n", "", "block_out_channels, down_block_types and up_block_types: 1 to 8 of each are wanted"},
        {"  8,\n", "0,", "block_out_channels is not a list of numbers from 1 to 65536"},
        {"  8,\n", "8.5,", "block_out_channels is not a list of numbers from 1 to 65536"},
        {"  8,\n", "65537,", "block_out_channels is not a list of numbers from 1 to 65536"},
        {"\"layers_per_block\": 3", "\"layers_per_block\": -3", "layers_per_block is not a number from 1 to 16777216"},
        {"\"cross_attention_dim\": 48", "\"cross_attention_dim\": \"48\"",
         "cross_attention_dim is not a number from 1 to 16777216"},
        {"\"in_channels\"", "\"out_channels\"", "not valid JSON: byte 465: duplicate object key"},
    };
    struct unet_config c;
    struct err e = {0};
    size_t sample;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena b = a;
        const char *s = edited("decoder/config.json", bad[i].from, bad[i].to, &b);
        refused(unclip_config_unet(&c, &sample, s, strlen(s), &e), &e, bad[i].want);
    }
    refused(unclip_config_unet(&c, &sample, "[1]", 3, &e), &e, "not an object");
    refused(unclip_config_unet(&c, &sample, "", 0, &e), &e, "not valid JSON: byte 0: '[' or '{' expected");
}

/* What a config says and the network cannot be: told when it is bound. */
static void unet_shapes(struct arena a) {
    static const struct { const char *from, *to, *want; } bad[] = {
        {"\"norm_num_groups\": 8", "\"norm_num_groups\": 5", "8 channels do not fit 5 groups"},
        {"\"attention_head_dim\": 8", "\"attention_head_dim\": 7", "16 channels do not fit heads of 7"},
        {"\"layers_per_block\": 3", "\"layers_per_block\": 17",
         "a U-Net of 4 levels with 17 blocks each: 1 to 8 and 1 to 16 are possible"},
        {"\"in_channels\": 3", "\"in_channels\": 4", "tensor conv_in.weight is [8, 3, 3, 3], expected [8, 4, 3, 3]"},
        {"\"cross_attention_dim\": 48", "\"cross_attention_dim\": 40",
         "tensor down_blocks.1.attentions.0.add_k_proj.weight is [16, 48], expected [16, 40]"},
        {"\"layers_per_block\": 3", "\"layers_per_block\": 2", NULL},
        {"\"scale_shift\"", "\"default\"", NULL},
    };
    struct unet_config c;
    struct weights ws;
    struct err e = {0};
    size_t sample;

    need(weights_open(&ws, GOLDEN "/decoder/diffusion_pytorch_model.safetensors", &a, &e) < 0 ? NULL : &ws, "decoder", &e);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena b = a;
        const char *s = edited("decoder/config.json", bad[i].from, bad[i].to, &b);
        struct unet *u = NULL;
        if (ok(unclip_config_unet(&c, &sample, s, strlen(s), &e) == 0, "read: %s %s", bad[i].to, e.msg))
            u = unet_bind(&c, &ws, &one_thread, &b, &e);
        if (bad[i].want)
            refused(u ? 0 : -1, &e, bad[i].want);
        else
            ok(!u && !strncmp(e.msg, "tensor ", 7), "refused: %s", e.msg);
        e.msg[0] = 0;
    }
}

static void other_configs(struct arena a) {
    static const struct { const char *file, *from, *to, *want; } bad[] = {
        {"prior/config.json", "\"PriorTransformer\"", "\"UNet2DModel\"", "_class_name UNet2DModel is not supported"},
        {"prior/config.json", "\"additional_embeddings\": 4", "\"additional_embeddings\": 3",
         "additional_embeddings is 3, and only 4 is supported"},
        {"prior/config.json", "\"dropout\": 0.0", "\"norm_in_type\": \"layer\"", "norm_in_type is set, which is not supported"},
        {"prior/config.json", "\"dropout\": 0.0", "\"added_emb_type\": \"other\"", "added_emb_type other is not supported"},
        {"prior/config.json", "\"dropout\": 0.0", "\"time_embed_act_fn\": \"gelu\"", "time_embed_act_fn gelu is not supported"},
        {"prior/config.json", "\"num_attention_heads\": 4", "\"num_attention_heads\": 0",
         "num_attention_heads is not a number from 1 to 16777216"},
        {"prior_scheduler/scheduler_config.json", "\"UnCLIPScheduler\"", "\"DDPMScheduler\"",
         "_class_name DDPMScheduler is not supported"},
        {"prior_scheduler/scheduler_config.json", "\"sample\"", "\"v_prediction\"",
         "prediction_type v_prediction is not supported"},
        {"prior_scheduler/scheduler_config.json", "\"fixed_small_log\"", "\"fixed_large\"",
         "variance_type fixed_large is not supported"},
        {"prior_scheduler/scheduler_config.json", "5.0", "\"beta_schedule\"", "clip_sample_range is not a number from 1e-06 to 1e+06"},
        {"prior_scheduler/scheduler_config.json", "5.0", "5.0, \"beta_schedule\": \"scaled_linear\"",
         "beta_schedule scaled_linear is not supported"},
        {"prior_scheduler/scheduler_config.json", "true", "1", "clip_sample is neither true nor false"},
        {"prior_scheduler/scheduler_config.json", "1000", "1e3", "num_train_timesteps is not a number from 1 to 16777216"},
    };
    struct prior_config p;
    struct sched_config s;
    struct err e = {0};

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct arena b = a;
        const char *t = edited(bad[i].file, bad[i].from, bad[i].to, &b);
        refused(strstr(bad[i].file, "scheduler") ? unclip_config_scheduler(&s, t, strlen(t), &e)
                                                 : unclip_config_prior(&p, t, strlen(t), &e), &e, bad[i].want);
    }
    refused(unclip_config_prior(&p, "7", 1, &e), &e, "not valid JSON: byte 1: '[' or '{' expected");
    refused(unclip_config_scheduler(&s, "[]", 2, &e), &e, "not an object");
}

/* ---- the original layout ---- */

static struct weights read_file(const char *name, struct arena *a) {
    char path[256];
    struct err e = {0};
    struct weights ws;

    snprintf(path, sizeof path, GOLDEN "/%s/diffusion_pytorch_model.safetensors", name);
    need(weights_open(&ws, path, a, &e) < 0 ? NULL : &ws, path, &e);
    return ws;
}

static void add(struct weights *ws, const char *name, const struct tensor *t, struct arena *a) {
    ws->w[ws->n++] = (struct weight){.name = arena_str(a, name, strlen(name)), .t = *t};
}

struct rename {
    const char *ours, *theirs;
};

static bool renamed(const struct rename *t, size_t n, const char *name, char *out, size_t room) {
    for (size_t i = 0; i < n; i++)
        if (!strncmp(name, t[i].ours, strlen(t[i].ours))) {
            snprintf(out, room, "%s%s", t[i].theirs, name + strlen(t[i].ours));
            return true;
        }
    return false;
}

/* "down_blocks.1.resnets.0." as the original says it, for three blocks a level; *rest: what follows. */
static bool block(const char *name, bool attends, char *out, size_t room, const char **rest) {
    int l, j, n = 0;

    if (sscanf(name, "down_blocks.%d.resnets.%d.%n", &l, &j, &n) == 2 && n)
        snprintf(out, room, "input_blocks.%d.0.", 1 + 4 * l + j);
    else if (sscanf(name, "down_blocks.%d.attentions.%d.%n", &l, &j, &n) == 2 && n)
        snprintf(out, room, "input_blocks.%d.1.", 1 + 4 * l + j);
    else if (sscanf(name, "down_blocks.%d.downsamplers.0.%n", &l, &n) == 1 && n)
        snprintf(out, room, "input_blocks.%d.0.", 4 + 4 * l);
    else if (sscanf(name, "mid_block.resnets.%d.%n", &j, &n) == 1 && n)
        snprintf(out, room, "middle_block.%d.", j ? 1 + attends : 0);
    else if (!strncmp(name, "mid_block.attentions.0.", 23) && (n = 23))
        snprintf(out, room, "middle_block.1.");
    else if (sscanf(name, "up_blocks.%d.resnets.%d.%n", &l, &j, &n) == 2 && n)
        snprintf(out, room, "output_blocks.%d.0.", 4 * l + j);
    else if (sscanf(name, "up_blocks.%d.attentions.%d.%n", &l, &j, &n) == 2 && n)
        snprintf(out, room, "output_blocks.%d.1.", 4 * l + j);
    else if (sscanf(name, "up_blocks.%d.upsamplers.0.%n", &l, &n) == 1 && n)
        snprintf(out, room, "output_blocks.%d.%d.", 4 * l + 3, attends ? 2 : 1);
    *rest = name + n;
    return n > 0;
}

/* The rows of `parts` (to_q, to_k, to_v) of the attention `base` one head under the other; weights get a last
 * axis of one. */
static struct tensor interleaved(const struct weights *ws, const char *base, size_t n, const char *const *parts,
                                 const char *what, struct arena *a) {
    enum { HEAD = 8 };
    struct tensor out = {.dtype = DT_F32, .nd = 0};
    float *all = NULL;
    char name[160];

    for (size_t p = 0; p < n; p++) {
        struct weight *w;
        const float *rows;
        size_t heads, cols;
        snprintf(name, sizeof name, "%s%s%s", base, parts[p], what);
        w = need(weights_find(ws, name), name, NULL);
        rows = need((void *)(size_t)tensor_all_f32(&w->t, a), name, NULL);
        heads = w->t.shape[0] / HEAD, cols = w->t.nd == 2 ? w->t.shape[1] : 1;
        if (!all) {
            all = need(arena_take(a, n * heads * HEAD * cols, sizeof *all), name, NULL);
            out = (struct tensor){.dtype = DT_F32, .nd = w->t.nd == 2 ? 3 : 1, .shape = {n * heads * HEAD, cols, 1}, .data = all};
        }
        for (size_t h = 0; h < heads; h++)
            memcpy(all + (h * n + p) * HEAD * cols, rows + h * HEAD * cols, HEAD * cols * sizeof *all);
    }
    tensor_contiguous(&out);
    return out;
}

static void attention(const struct weights *ws, size_t i, const char *base, const char *rest, const char *at,
                      struct weights *out, struct arena *a) {
    static const char *const own[] = {"to_q.", "to_k.", "to_v."}, *const context[] = {"add_k_proj.", "add_v_proj."};
    static const struct rename table[] = {{"group_norm.", "norm."}, {"to_out.0.", "proj_out."}};
    struct tensor t = ws->w[i].t;
    char name[256], last[64];

    if (!strncmp(rest, "to_q.", 5)) {
        t = interleaved(ws, base, 3, own, rest + 5, a);
        snprintf(last, sizeof last, "qkv.%s", rest + 5);
    } else if (!strncmp(rest, "add_k_proj.", 11)) {
        t = interleaved(ws, base, 2, context, rest + 11, a);
        snprintf(last, sizeof last, "encoder_kv.%s", rest + 11);
    } else if (!renamed(table, 2, rest, last, sizeof last)) {
        return;    /* k, v: with q */
    } else if (!strcmp(last, "proj_out.weight")) {
        t.nd = 3, t.shape[2] = 1, t.stride[2] = 1;
    }
    snprintf(name, sizeof name, "%.180s%.64s", at, last);
    add(out, name, &t, a);
}

/* A U-Net of diffusers' under original names behind `prefix`. */
static void original_unet(const struct weights *ws, const char *prefix, struct weights *out, struct arena *a) {
    static const struct rename whole[] = {
        {"conv_in.", "input_blocks.0.0."}, {"time_embedding.linear_1.", "time_embed.0."},
        {"time_embedding.linear_2.", "time_embed.2."}, {"conv_norm_out.", "out.0."}, {"conv_out.", "out.2."}};
    static const struct rename res[] = {
        {"norm1.", "in_layers.0."}, {"conv1.", "in_layers.2."}, {"time_emb_proj.", "emb_layers.1."},
        {"norm2.", "out_layers.0."}, {"conv2.", "out_layers.3."}, {"conv_shortcut.", "skip_connection."}};
    bool attends = weights_find(ws, "mid_block.attentions.0.to_q.weight") != NULL;

    for (size_t i = 0; i < ws->n; i++) {
        char name[256], at[64], base[96], last[96];
        const char *rest, *from = ws->w[i].name;
        if (!block(from, attends, at, sizeof at, &rest)) {
            if (!renamed(whole, 5, from, last, sizeof last))
                need(NULL, from, NULL);
            snprintf(name, sizeof name, "%s%s", prefix, last);
            add(out, name, &ws->w[i].t, a);
        } else if (strstr(from, "attentions.")) {
            snprintf(name, sizeof name, "%s%s", prefix, at);
            snprintf(base, sizeof base, "%.*s", (int)(rest - from), from);
            attention(ws, i, base, rest, name, out, a);
        } else {
            if (!renamed(res, 6, rest, last, sizeof last))
                need(NULL, from, NULL);
            snprintf(name, sizeof name, "%s%s%s", prefix, at, last);
            add(out, name, &ws->w[i].t, a);
        }
    }
}

static void original_text_proj(const struct weights *ws, struct weights *out, struct arena *a) {
    static const struct rename table[] = {
        {"learned_classifier_free_guidance_embeddings", "model.cf_param"}, {"embedding_proj.", "model.text_feat_proj."},
        {"clip_image_embeddings_project_to_time_embeddings.", "model.clip_emb."},
        {"clip_extra_context_tokens_proj.", "model.clip_tok_proj."},
        {"encoder_hidden_states_proj.", "model.text_seq_proj.0."},
        {"text_encoder_hidden_states_norm.", "model.text_seq_proj.1."}};

    for (size_t i = 0; i < ws->n; i++) {
        struct tensor t = ws->w[i].t;
        char name[160];
        if (!renamed(table, 6, ws->w[i].name, name, sizeof name))
            need(NULL, ws->w[i].name, NULL);
        if (t.nd == 1 && !strcmp(name, "model.cf_param")) {    /* [1, E] there */
            t.nd = 2, t.shape[1] = t.shape[0], t.stride[1] = t.stride[0];
            t.shape[0] = t.stride[0] = 1;
        }
        add(out, name, &t, a);
    }
}

static struct weights table(size_t n, struct arena *a) {
    return (struct weights){.w = need(arena_take(a, n, sizeof(struct weight)), "table", NULL)};
}

static void random_floats(float *x, size_t n) {
    unsigned long long s = 7;

    for (size_t i = 0; i < n; i++) {
        s = s * 6364136223846793005ULL + 1442695040888963407ULL;
        x[i] = (float)((double)(s >> 40) / (1 << 23) - 1);
    }
}

enum { E = 32, CROSS = 48, STATES = 77, ROWS = 81 };

/* text_proj of random embeddings: time and context. */
static void project(const struct weights *ws, float *time, float *context, struct arena a) {
    float in[2 * E + STATES * E];
    struct text_proj_config g;
    struct text_proj p;
    struct err e = {0};
    void *s;

    random_floats(in, sizeof in / sizeof *in);
    if (text_proj_config_from_weights(&g, ws, &e) < 0 || text_proj_bind(&p, &g, ws, &one_thread, &a, &e) < 0)
        need(NULL, "text_proj", &e);
    s = need(arena_take(&a, text_proj_scratch(&p, &one_thread, STATES), 1), "scratch", NULL);
    text_proj_run(&p, &one_thread, NULL, in + E, STATES, in + 2 * E, time, context, s);
    for (size_t i = 0; i < E; i++)    /* both with and without an image in one sum */
        time[E + i] = time[i];
    text_proj_run(&p, &one_thread, in, in + E, STATES, in + 2 * E, time, context, s);
}

/* A forward of random pixels; context NULL: an upsampler's. */
static void forward(const struct unet_config *c, const struct weights *ws, size_t side, const float *time,
                    const float *context, float *out, struct arena a) {
    float *in = need(arena_take(&a, side * side * c->in, sizeof *in), "pixels", NULL);
    const struct unet_context *one;
    struct unet_context ctx;
    struct err e = {0};
    struct unet *u;

    random_floats(in, side * side * c->in);
    u = need(unet_bind(c, ws, &one_thread, &a, &e), "unet_bind", &e);
    if (context && unet_context(u, &one_thread, context, ROWS, &ctx, &a, &e) < 0)
        need(NULL, "unet_context", &e);
    one = &ctx;
    if (unet_run(u, &one_thread, 1, side, side, in, 333, time, context ? &one : NULL, out, a, &e) < 0)
        need(NULL, "unet_run", &e);
}

static struct unet_config config_of(const char *name, struct arena a) {
    const char *s = edited(name, "{", "{", &a);
    struct unet_config c;
    struct err e = {0};
    size_t sample;

    need(unclip_config_unet(&c, &sample, s, strlen(s), &e) < 0 ? NULL : &c, name, &e);
    return c;
}

/* What the original tensors tell is what diffusers' config says, except what shapes cannot tell. */
static void same_shape(const struct unet_config *want, const struct weights *ws, const char *prefix) {
    struct unet_config c;
    struct err e = {0};
    int bad;

    ok(unet_config_from_weights(&c, ws, prefix, &e) == 0 && c.family == UNET_ORIGINAL && !strcmp(c.prefix, prefix),
       "%s: its shapes %s", prefix, e.msg);
    bad = memcmp(c.width, want->width, sizeof c.width) || memcmp(c.attention, want->attention, sizeof c.attention);
    ok(!bad && c.levels == want->levels && c.layers == want->layers && c.in == want->in && c.out == want->out,
       "%zu levels of %zu blocks, %zu channels in, %zu out", c.levels, c.layers, c.in, c.out);
    ok(c.mid_attention == want->mid_attention && c.context == want->context && c.film == want->film,
       "attention, context of %zu and film", c.context);
}

/* In an arena that is too small no tensor of text_proj is lost, and the U-Net takes no tensor of text_proj. */
static void original_little_room(const struct weights *theirs, size_t proj, struct arena a) {
    int bad = 0, fits = 0;

    for (size_t room = 0; room < (size_t)1 << 18; room += 64) {
        struct weights w[2];
        struct err e[2] = {0};
        int got[2];

        for (int i = 0; i < 2; i++) {
            struct arena b = a;

            b.end = b.at + room;
            got[i] = i ? karlo_unet(theirs, "model.", &w[i], &b, &e[i]) : karlo_text_proj(theirs, &w[i], &b, &e[i]);
            if (got[i] < 0)
                bad += strcmp(e[i].msg, "out of memory") != 0;
            else
                bad += w[i].n != (i ? theirs->n - proj : proj);
        }
        fits |= got[0] == 0 && got[1] == 0;
    }
    ok(!bad && fits, "too little room for an original file's tensors is an error");
}

static void original_decoder(struct arena a) {
    enum { SIDE = 16, N = SIDE * SIDE * 6 };
    struct weights unet = read_file("decoder", &a), proj = read_file("text_proj", &a), theirs = table(unet.n + proj.n, &a), w;
    struct unet_config c = config_of("decoder/config.json", a);
    float *time = arena_take(&a, 4 * E, sizeof *time), *context = arena_take(&a, 2 * ROWS * CROSS, sizeof *context);
    float *out = arena_take(&a, 2 * N, sizeof *out);
    struct err e = {0};

    original_unet(&unet, "model.", &theirs, &a);
    original_text_proj(&proj, &theirs, &a);
    ok(weights_sort(&theirs, &e) == 0 && karlo_file(&theirs) == KARLO_DECODER, "%zu tensors are a decoder's file %s",
       theirs.n, e.msg);
    ok(karlo_text_proj(&theirs, &w, &a, &e) == 0 && w.n == proj.n, "text_proj is in it %s", e.msg);
    project(&proj, time, context, a);
    project(&w, time + 2 * E, context + ROWS * CROSS, a);
    ok(!memcmp(time, time + 2 * E, 2 * E * sizeof *time) && !memcmp(context, context + ROWS * CROSS, ROWS * CROSS * sizeof *context),
       "text_proj: the same bytes");
    ok(karlo_unet(&theirs, "model.", &w, &a, &e) == 0 && w.n == theirs.n - proj.n, "the U-Net is the rest %s", e.msg);
    original_little_room(&theirs, proj.n, a);
    forward(&c, &unet, SIDE, time, context, out, a);
    same_shape(&c, &w, "model.");
    c.family = UNET_ORIGINAL, c.prefix = "model.";
    forward(&c, &w, SIDE, time, context, out + N, a);
    ok(!memcmp(out, out + N, N * sizeof *out), "decoder: the same bytes");
}

static void original_upsamplers(struct arena a) {
    enum { SIDE = 32, N = SIDE * SIDE * 3 };
    static const char *const names[] = {"super_res_first", "super_res_last"};
    static const char *const prefix[] = {"model_first_steps.", "model_last_step."};
    struct weights ws[2] = {read_file(names[0], &a), read_file(names[1], &a)}, theirs = table(ws[0].n + ws[1].n, &a), w;
    float *out = arena_take(&a, 3 * N, sizeof *out);
    struct err e = {0};

    for (int i = 0; i < 2; i++)
        original_unet(&ws[i], prefix[i], &theirs, &a);
    ok(weights_sort(&theirs, &e) == 0 && karlo_file(&theirs) == KARLO_UPSAMPLERS, "%zu tensors are the upsamplers' file %s",
       theirs.n, e.msg);
    for (int i = 0; i < 2; i++) {
        struct unet_config c = config_of("super_res_first/config.json", a);
        forward(&c, &ws[i], SIDE, NULL, NULL, out, a);
        ok(karlo_unet(&theirs, prefix[i], &w, &a, &e) == 0 && w.n == ws[i].n, "%s is in it %s", names[i], e.msg);
        same_shape(&c, &w, prefix[i]);
        c.family = UNET_ORIGINAL, c.prefix = prefix[i];
        forward(&c, &w, SIDE, NULL, NULL, out + N, a);
        ok(!memcmp(out, out + N, N * sizeof *out), "%s: the same bytes", names[i]);
        if (i == 0)
            memcpy(out + 2 * N, out, N * sizeof *out);
    }
    ok(memcmp(out, out + 2 * N, N * sizeof *out) != 0, "and the two differ");
}

int main(void) {
    TAP_ARENA(a, 192);

    golden(a);
    folders(a);
    names(a);
    unet_configs(a);
    unet_shapes(a);
    other_configs(a);
    original_decoder(a);
    original_upsamplers(a);
    free(a_mem.base);
    return done();
}
