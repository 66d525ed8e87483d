/* make_model - writes a CLIP of any published shape, with random weights, in any layout
 *
 *     make_model [-d f32|f16|mix] [-l layout] [-s seed] NAME DIR
 *
 * Layouts: hf (config.json, model.safetensors, preprocessor_config.json), split (text_encoder/,
 * image_encoder/, feature_extractor/ as in a diffusers pipeline), openclip
 * (open_clip_config.json, open_clip_model.safetensors), openai (NAME.pt, a TorchScript archive as
 * OpenAI's are), torch (NAME.pt, a state dict by torch.save).  `mix` is OpenAI's: f16 for the
 * weights of products, f32 for the rest.
 *
 * The value of an element depends only on the seed, OpenAI's name of the tensor and the element's place
 * in the tensor, so every layout holds the same numbers and has the same fingerprint.  Scales are those
 * of OpenAI's initialisation, so activations stay in a sane range.  Tensors are written one by one, in
 * pieces, so little memory is needed.
 *
 * The program is not installed.  Its files are for tests that take too long for `make check`.
 */
#define _DEFAULT_SOURCE

#include <getopt.h>

#include "tests/random_weights.h"

struct shape {
    const char *name;
    size_t embed, image;
    size_t layers, width, heads, patch, mlp;    /* image tower; patch 0: a ResNet of `blocks` */
    size_t blocks[4];
    size_t t_layers, t_width, t_heads, t_mlp, context, vocab;
    int quick;
};

#define TEXT(l, w) l, w, (w) / 64, 4 * (w), 77, 49408
static const struct shape shapes[] = {
    {"RN50", 1024, 224, 0, 64, 32, 0, 0, {3, 4, 6, 3}, TEXT(12, 512), 1},
    {"RN101", 512, 224, 0, 64, 32, 0, 0, {3, 4, 23, 3}, TEXT(12, 512), 1},
    {"RN50x4", 640, 288, 0, 80, 40, 0, 0, {4, 6, 10, 6}, TEXT(12, 640), 1},
    {"RN50x16", 768, 384, 0, 96, 48, 0, 0, {6, 8, 18, 8}, TEXT(12, 768), 1},
    {"RN50x64", 1024, 448, 0, 128, 64, 0, 0, {3, 15, 36, 10}, TEXT(12, 1024), 1},
    {"ViT-B-32", 512, 224, 12, 768, 12, 32, 3072, {0}, TEXT(12, 512), 1},
    {"ViT-B-16", 512, 224, 12, 768, 12, 16, 3072, {0}, TEXT(12, 512), 1},
    {"ViT-L-14", 768, 224, 24, 1024, 16, 14, 4096, {0}, TEXT(12, 768), 1},
    {"ViT-L-14-336px", 768, 336, 24, 1024, 16, 14, 4096, {0}, TEXT(12, 768), 1},
    {"ViT-B-16-plus-240", 640, 240, 12, 896, 14, 16, 3584, {0}, TEXT(12, 640), 0},
    {"ViT-H-14", 1024, 224, 32, 1280, 16, 14, 5120, {0}, TEXT(24, 1024), 0},
    {"ViT-g-14", 1024, 224, 40, 1408, 16, 14, 6144, {0}, TEXT(24, 1024), 0},
    {"ViT-bigG-14", 1280, 224, 48, 1664, 16, 14, 8192, {0}, TEXT(32, 1280), 0},
    {"glance", 64, 224, 1, 64, 1, 56, 256, {0}, 1, 64, 1, 256, 77, 3000, 1},    /* for bench/peers.py: little to do */
    {"micro", 16, 16, 1, 64, 1, 8, 256, {0}, 1, 64, 1, 256, 8, 64, 1},
    {"tiny", 64, 32, 1, 64, 1, 8, 256, {0}, 1, 64, 1, 256, 77, 3000, 1},    /* for make_karlo -t -e 64 and the merges in the box */
    {"micro-rn", 40, 64, 0, 16, 8, 0, 0, {1, 2, 1, 2}, 1, 64, 1, 256, 12, 300, 1},
};

/* ---- the tensors, under OpenAI's names ---- */

static void norm(const char *name, size_t n) {
    add(cat(name, ".weight"), 1, 0.1, 0, 1, n, 0, 0, 0);
    add(cat(name, ".bias"), 0, 0.05, 0, 1, n, 0, 0, 0);
}

static void linear(const char *name, size_t n, size_t k, double std) {
    add(cat(name, ".weight"), 0, std, PRODUCT, 2, n, k, 0, 0);
    add(cat(name, ".bias"), 0, 0.02, PRODUCT, 1, n, 0, 0, 0);
}

static void blocks(const char *prefix, size_t layers, size_t d, size_t mlp) {
    double attn = 1 / sqrt((double)d), proj = attn / sqrt(2. * (double)layers), fc = 1 / sqrt(2. * (double)d);
    char p[NAME_LEN / 2];

    for (size_t i = 0; i < layers; i++) {
        snprintf(p, sizeof p, "%stransformer.resblocks.%zu", prefix, i);
        norm(cat(p, ".ln_1"), d);
        add(cat(p, ".attn.in_proj_weight"), 0, attn, PRODUCT, 2, 3 * d, d, 0, 0);
        add(cat(p, ".attn.in_proj_bias"), 0, 0.02, PRODUCT, 1, 3 * d, 0, 0, 0);
        linear(cat(p, ".attn.out_proj"), d, d, proj);
        norm(cat(p, ".ln_2"), d);
        linear(cat(p, ".mlp.c_fc"), mlp, d, fc);
        linear(cat(p, ".mlp.c_proj"), d, mlp, proj);
    }
}

static void text(const struct shape *s) {
    size_t d = s->t_width;

    add("logit_scale", log(100), -1, 0, 0, 0, 0, 0, 0);
    add("token_embedding.weight", 0, 0.02, 0, 2, s->vocab, d, 0, 0);
    add("positional_embedding", 0, 0.01, 0, 2, s->context, d, 0, 0);
    blocks("", s->t_layers, d, s->t_mlp);
    norm("ln_final", d);
    add("text_projection", 0, 1 / sqrt((double)d), PRODUCT, 2, d, s->embed, 0, 0);
}

static void vit(const struct shape *s) {
    size_t d = s->width, g = s->image / s->patch;
    double scale = 1 / sqrt((double)d);

    add("visual.class_embedding", 0, scale, 0, 1, d, 0, 0, 0);
    add("visual.positional_embedding", 0, scale, 0, 2, g * g + 1, d, 0, 0);
    add("visual.conv1.weight", 0, 1 / sqrt(3. * (double)(s->patch * s->patch)), PRODUCT, 4, d, 3,
        s->patch, s->patch);
    norm("visual.ln_pre", d);
    blocks("visual.", s->layers, d, s->mlp);
    norm("visual.ln_post", d);
    add("visual.proj", 0, scale, PRODUCT, 2, d, s->embed, 0, 0);
}

static void conv(const char *prefix, const char *conv_name, const char *bn, size_t co, size_t ci,
                 size_t k, double gain) {
    char full[NAME_LEN / 2];

    add(cat(cat(prefix, conv_name), ".weight"), 0, sqrt(2. / (double)(ci * k * k)), PRODUCT, 4, co, ci, k, k);
    snprintf(full, sizeof full, "%s%s", prefix, bn);
    add(cat(full, ".weight"), gain, 0.1, 0, 1, co, 0, 0, 0);
    add(cat(full, ".bias"), 0, 0.05, 0, 1, co, 0, 0, 0);
    add(cat(full, ".running_mean"), 0, 0.1, 0, 1, co, 0, 0, 0);
    add(cat(full, ".running_var"), 1, 0.1, 0, 1, co, 0, 0, 0);
}

static void resnet(const struct shape *s) {
    size_t w = s->width, in = w, d = 32 * w, side = s->image / 32;
    static const char *const qkv[] = {"q_proj", "k_proj", "v_proj"};
    char p[NAME_LEN / 2];

    conv("visual.", "conv1", "bn1", w / 2, 3, 3, 1);
    conv("visual.", "conv2", "bn2", w / 2, w / 2, 3, 1);
    conv("visual.", "conv3", "bn3", w, w / 2, 3, 1);
    for (size_t k = 0; k < 4; k++)
        for (size_t b = 0; b < s->blocks[k]; b++) {
            size_t planes = w << k;

            snprintf(p, sizeof p, "visual.layer%zu.%zu.", k + 1, b);
            conv(p, "conv1", "bn1", planes, in, 1, 1);
            conv(p, "conv2", "bn2", planes, planes, 3, 1);
            conv(p, "conv3", "bn3", 4 * planes, planes, 1, 0.3);
            if (b == 0)
                conv(p, "downsample.0", "downsample.1", 4 * planes, in, 1, 1);
            in = 4 * planes;
        }
    add("visual.attnpool.positional_embedding", 0, 1 / sqrt((double)d), 0, 2, side * side + 1, d, 0, 0);
    for (int i = 0; i < 3; i++)
        linear(cat("visual.attnpool.", qkv[i]), d, d, 1 / sqrt((double)d));
    linear("visual.attnpool.c_proj", s->embed, d, 1 / sqrt((double)d));
}

/* ---- the same tensors under Hugging Face's names ---- */

static void replace(char *s, const char *from, const char *to) {
    char *at = strstr(s, from), rest[NAME_LEN];

    if (!at)
        return;
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, NAME_LEN - (size_t)(at - s), "%s%s", to, rest);
}

static void hf_name(struct item *t) {
    static const char *const map[][2] = {
        {"visual.class_embedding", "vision_model.embeddings.class_embedding"},
        {"visual.conv1.weight", "vision_model.embeddings.patch_embedding.weight"},
        {"visual.positional_embedding", "vision_model.embeddings.position_embedding.weight"},
        {"visual.ln_pre", "vision_model.pre_layrnorm"},
        {"visual.ln_post", "vision_model.post_layernorm"},
        {"visual.transformer.resblocks", "vision_model.encoder.layers"},
        {"visual.proj", "visual_projection.weight"},
        {"token_embedding.weight", "text_model.embeddings.token_embedding.weight"},
        {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
        {"transformer.resblocks", "text_model.encoder.layers"},
        {"ln_final", "text_model.final_layer_norm"},
        {"text_projection", "text_projection.weight"},
    };
    static const char *const inner[][2] = {
        {".ln_1.", ".layer_norm1."}, {".ln_2.", ".layer_norm2."}, {".attn.", ".self_attn."},
        {".c_fc.", ".fc1."}, {".c_proj.", ".fc2."},
    };

    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        if (!strncmp(t->name, map[i][0], strlen(map[i][0]))) {
            replace(t->name, map[i][0], map[i][1]);
            break;
        }
    for (size_t i = 0; i < sizeof inner / sizeof *inner; i++)
        replace(t->name, inner[i][0], inner[i][1]);
    if (!strcmp(t->canon, "text_projection") || !strcmp(t->canon, "visual.proj")) {
        size_t d = t->shape[0];

        t->shape[0] = t->shape[1], t->shape[1] = d;
        t->flags |= TURN;
    }
}

static void to_hf(void) {
    size_t n = nitem;

    for (size_t i = 0; i < n; i++) {
        struct item *t = &items[i];
        char *fused = strstr(t->name, ".attn.in_proj_");
        char kind[16];

        if (fused) {    /* the query stays here; key and value are added at the end of the list */
            size_t third = t->shape[0] / 3, row = t->nd == 2 ? t->shape[1] : 1;

            snprintf(kind, sizeof kind, "%s", fused + 14);
            t->shape[0] = third;
            for (int k = 1; k < 3; k++) {
                struct item *u = add(t->name, t->mean, t->std, t->flags, t->nd, third, t->shape[1], 0, 0);

                snprintf(u->canon, NAME_LEN, "%s", t->canon);
                snprintf(strstr(u->name, ".attn.") + 6, 24, "%s_proj.%s", k == 1 ? "k" : "v", kind);
                u->first = (size_t)k * third * row;
                hf_name(u);
            }
            snprintf(fused + 6, 24, "q_proj.%s", kind);
        }
        hf_name(t);
    }
}

/* ---- PyTorch archives ---- */

static struct { unsigned char *p; size_t n; } pkl;

static void put(const void *p, size_t n) {
    memcpy(pkl.p + pkl.n, p, n);
    pkl.n += n;
}

static void op(const char *s) {
    put(s, strlen(s));
}

static void le(uint64_t v, int bytes) {
    for (; bytes-- > 0; v >>= 8)
        pkl.p[pkl.n++] = (unsigned char)v;
}

static void p_str(const char *s, size_t n) {
    op("X");
    le(n, 4);
    put(s, n);
}

static void p_int(size_t v) {
    op("\x8a\x08");
    le(v, 8);
}

static void p_tensor(size_t i, const char *storage, int nd, const size_t *shape) {
    size_t stride[4] = {1, 1, 1, 1}, n = 1;
    char key[24];

    for (int d = nd; d-- > 0; n *= shape[d])
        stride[d] = n;
    op("ctorch._utils\n_rebuild_tensor_v2\n((");
    p_str("storage", 7);
    op("ctorch\n");
    op(storage);
    op("\n");
    p_str(key, (size_t)snprintf(key, sizeof key, "%zu", i));
    p_str("cpu", 3);
    p_int(n);
    op("tQ");
    p_int(0);
    op("(");
    for (int d = 0; d < nd; d++)
        p_int(shape[d]);
    op("t(");
    for (int d = 0; d < nd; d++)
        p_int(stride[d]);
    op("t\x89" "ccollections\nOrderedDict\n)RtR");
}

static void p_item(size_t i) {
    p_tensor(i, is_f16(&items[i]) ? "HalfStorage" : "FloatStorage", items[i].nd, items[i].shape);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct item *)a)->name, ((const struct item *)b)->name);
}

/* Pickles items[lo, hi), whose names share the first `skip` characters, as one module.  Items whose
 * names go on with the same word and a dot become a module within it. */
static void p_module(size_t lo, size_t hi, size_t skip) {
    static int mangle;
    char class[64];

    snprintf(class, sizeof class, "c__torch__.___torch_mangle_%d\nModule\n)\x81}(", mangle++);
    op(class);
    p_str("training", 8);
    op("\x89");
    for (size_t i = lo, j; i < hi; i = j) {
        const char *s = items[i].name + skip;
        size_t n = strcspn(s, ".");

        p_str(s, n);
        for (j = i + 1; s[n] && j < hi && !strncmp(items[j].name + skip, s, n + 1); j++)
            ;
        if (s[n])
            p_module(i, j, skip + n + 1);
        else
            p_item(i);
    }
    if (skip == 0)    /* the three integers of OpenAI's files come after the tensors */
        for (size_t k = 0; k < 3; k++) {
            static const char *const name[] = {"input_resolution", "context_length", "vocab_size"};

            p_str(name[k], strlen(name[k]));
            p_tensor(nitem + k, "LongStorage", 0, NULL);
        }
    op("ub");
}

static void p_state_dict(void) {
    op("ccollections\nOrderedDict\n)R(");
    for (size_t i = 0; i < nitem; i++) {
        p_str(items[i].name, strlen(items[i].name));
        p_item(i);
    }
    op("u");
}

/* An entry of the archive's directory.  The checksums and sizes in the local headers are 0, as in torch's archives, so
 * only the directory has them. */
struct entry {
    char name[160];
    uint64_t at, size;
    uint32_t crc;
};

static struct entry dir_entry[4200];
static size_t ndir;
static uint64_t zip_at;

static void z_flush(FILE *f) {
    out(f, pkl.p, pkl.n);
    zip_at += pkl.n;
    pkl.n = 0;
}

static void z_begin(FILE *f, const char *name) {
    struct entry *z = &dir_entry[ndir++];
    size_t len = strlen(name), pad = (64 - (zip_at + 30 + len + 4) % 64) % 64;

    snprintf(z->name, sizeof z->name, "%s", name);
    z->at = zip_at;
    le(0x04034b50, 4), le(0, 2), le(8, 2), le(0, 2), le(0, 4), le(0, 4), le(0, 4), le(0, 4);
    le(len, 2), le(pad + 4, 2);
    put(name, len);
    op("FB");
    le(pad, 2);
    while (pad--)
        op("Z");
    z_flush(f);
}

static void z_end(uint64_t size, uint32_t crc) {
    dir_entry[ndir - 1].size = size;
    dir_entry[ndir - 1].crc = crc;
    zip_at += size;
}

static void z_bytes(FILE *f, const char *name, const void *p, size_t n) {
    z_begin(f, name);
    out(f, p, n);
    z_end(n, (uint32_t)crc32(crc32(0, NULL, 0), p, (uInt)n));
}

static void z_directory(FILE *f) {
    uint64_t from = zip_at, size;

    for (size_t i = 0; i < ndir; i++) {
        const struct entry *z = &dir_entry[i];
        int far = z->at >= UINT32_MAX;

        le(0x02014b50, 4), le(45, 2), le(45, 2), le(8, 2), le(0, 2), le(0, 4), le(z->crc, 4);
        le(z->size, 4), le(z->size, 4), le(strlen(z->name), 2), le(far ? 12 : 0, 2), le(0, 2);
        le(0, 2), le(0, 2), le(0, 4), le(far ? UINT32_MAX : z->at, 4);
        op(z->name);
        if (far)
            le(1, 2), le(8, 2), le(z->at, 8);
        z_flush(f);
    }
    size = zip_at - from;
    le(0x06064b50, 4), le(44, 8), le(45, 2), le(45, 2), le(0, 4), le(0, 4), le(ndir, 8), le(ndir, 8);
    le(size, 8), le(from, 8);
    le(0x07064b50, 4), le(0, 4), le(zip_at + 0, 8), le(1, 4);
    le(0x06054b50, 4), le(0, 4), le(ndir, 2), le(ndir, 2), le(size, 4);
    le(from >= UINT32_MAX ? UINT32_MAX : from, 4), le(0, 2);
    z_flush(f);
}

static void archive(const char *dir, const struct shape *s, int script) {
    const size_t three[] = {s->image, s->context, s->vocab};
    char name[160];
    FILE *f;
    void *data;
    size_t n;

    snprintf(name, sizeof name, "%s.pt", s->name);
    f = create(dir, name);
    pkl.p = malloc(4 << 20);
    if (!pkl.p)
        fail(name, "out of memory");
    qsort(items, nitem, sizeof *items, by_name);
    op("\x80\x02");
    if (script)
        p_module(0, nitem, 0);
    else
        p_state_dict();
    op(".");
    data = malloc(n = pkl.n);
    if (!data)
        fail(name, "out of memory");
    memcpy(data, pkl.p, n);
    pkl.n = 0;
    z_bytes(f, "archive/data.pkl", data, n);
    for (size_t i = 0; i < nitem; i++) {
        snprintf(name, sizeof name, "archive/data/%zu", i);
        z_begin(f, name);
        z_end(size_of(&items[i]), write_numbers(f, &items[i]));
    }
    for (size_t i = 0; script && i < 3; i++) {
        int64_t v = (int64_t)three[i];

        snprintf(name, sizeof name, "archive/data/%zu", nitem + i);
        z_bytes(f, name, &v, sizeof v);
    }
    if (script)
        z_bytes(f, "archive/constants.pkl", "\x80\x02).", 4);
    z_bytes(f, "archive/version", "3\n", 2);
    z_directory(f);
    finish(f);
    free(data);
    free(pkl.p);
}

/* ---- configs ---- */

static void text_json(FILE *f, const struct shape *s) {
    fprintf(f, "\"model_type\": \"clip_text_model\", \"vocab_size\": %zu, \"hidden_size\": %zu, "
            "\"intermediate_size\": %zu, \"num_hidden_layers\": %zu, \"num_attention_heads\": %zu, "
            "\"max_position_embeddings\": %zu, \"projection_dim\": %zu, \"hidden_act\": \"%s\", "
            "\"bos_token_id\": %zu, \"eos_token_id\": %zu, \"pad_token_id\": %zu", s->vocab, s->t_width,
            s->t_mlp, s->t_layers, s->t_heads, s->context, s->embed, s->quick ? "quick_gelu" : "gelu",
            s->vocab - 2, s->vocab - 1, s->vocab - 1);
}

static void vision_json(FILE *f, const struct shape *s) {
    fprintf(f, "\"model_type\": \"clip_vision_model\", \"hidden_size\": %zu, \"intermediate_size\": %zu, "
            "\"num_hidden_layers\": %zu, \"num_attention_heads\": %zu, \"image_size\": %zu, "
            "\"patch_size\": %zu, \"projection_dim\": %zu, \"hidden_act\": \"%s\"", s->width, s->mlp,
            s->layers, s->heads, s->image, s->patch, s->embed, s->quick ? "quick_gelu" : "gelu");
}

static void prep_json(const char *dir, const struct shape *s) {
    FILE *f = create(dir, "preprocessor_config.json");

    fprintf(f, "{\"do_resize\": true, \"size\": {\"shortest_edge\": %zu}, \"resample\": 3, "
            "\"do_center_crop\": true, \"crop_size\": {\"height\": %zu, \"width\": %zu}, "
            "\"do_rescale\": true, \"rescale_factor\": 0.00392156862745098, \"do_normalize\": true, "
            "\"image_mean\": [0.48145466, 0.4578275, 0.40821073], "
            "\"image_std\": [0.26862954, 0.26130258, 0.27577711], \"do_convert_rgb\": true, "
            "\"image_processor_type\": \"CLIPImageProcessor\"}\n", s->image, s->image, s->image);
    finish(f);
}

static void hf(const char *dir, const struct shape *s) {
    FILE *f = create(dir, "config.json");

    fprintf(f, "{\"architectures\": [\"CLIPModel\"], \"model_type\": \"clip\", \"projection_dim\": %zu,\n"
            " \"text_config\": {", s->embed);
    text_json(f, s);
    fprintf(f, "},\n \"vision_config\": {");
    vision_json(f, s);
    fprintf(f, "}}\n");
    finish(f);
    prep_json(dir, s);
    to_hf();
    safetensors(dir, "model.safetensors", "", "");
}

static void split(const char *dir, const struct shape *s) {
    FILE *f;

    to_hf();
    f = create(sub(dir, "text_encoder"), "config.json");
    fprintf(f, "{");
    text_json(f, s);
    fprintf(f, "}\n");
    finish(f);
    safetensors(sub(dir, "text_encoder"), "model.safetensors", "text_", "");
    f = create(sub(dir, "image_encoder"), "config.json");
    fprintf(f, "{");
    vision_json(f, s);
    fprintf(f, "}\n");
    finish(f);
    safetensors(sub(dir, "image_encoder"), "model.safetensors", "vision_", "visual_projection.weight");
    prep_json(sub(dir, "feature_extractor"), s);
}

static void openclip(const char *dir, const struct shape *s) {
    FILE *f = create(dir, "open_clip_config.json");

    fprintf(f, "{\"model_cfg\": {\"embed_dim\": %zu, \"quick_gelu\": %s,\n", s->embed,
            s->quick ? "true" : "false");
    if (s->patch)
        fprintf(f, " \"vision_cfg\": {\"image_size\": %zu, \"layers\": %zu, \"width\": %zu, "
                "\"head_width\": %zu, \"mlp_ratio\": %.9g, \"patch_size\": %zu},\n", s->image, s->layers,
                s->width, s->width / s->heads, ((double)s->mlp + 0.5) / (double)s->width, s->patch);
    else
        fprintf(f, " \"vision_cfg\": {\"image_size\": %zu, \"layers\": [%zu, %zu, %zu, %zu], "
                "\"width\": %zu, \"patch_size\": null},\n", s->image, s->blocks[0], s->blocks[1],
                s->blocks[2], s->blocks[3], s->width);
    fprintf(f, " \"text_cfg\": {\"context_length\": %zu, \"vocab_size\": %zu, \"width\": %zu, "
            "\"heads\": %zu, \"layers\": %zu}},\n", s->context, s->vocab, s->t_width, s->t_heads, s->t_layers);
    fprintf(f, " \"preprocess_cfg\": {\"mean\": [0.48145466, 0.4578275, 0.40821073], "
            "\"std\": [0.26862954, 0.26130258, 0.27577711]}}\n");
    finish(f);
    safetensors(dir, "open_clip_model.safetensors", "", "");
}

static _Noreturn void usage(void) {
    fprintf(stderr, "usage: make_model [-d f32|f16|mix] [-l hf|split|openclip|openai|torch] [-s seed] "
            "NAME DIR\nnames:");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        fprintf(stderr, " %s", shapes[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

int main(int argc, char *argv[]) {
    const char *layout = "hf";
    const struct shape *s = NULL;
    int c;

    while ((c = getopt(argc, argv, "d:l:s:")) != -1)
        switch (c) {
        case 'd': dtype_opt = optarg; break;
        case 'l': layout = optarg; break;
        case 's': seed = strtoull(optarg, NULL, 10); break;
        default: usage();
        }
    for (size_t i = 0; argc - optind == 2 && i < sizeof shapes / sizeof *shapes; i++)
        if (!strcmp(shapes[i].name, argv[optind]))
            s = &shapes[i];
    if (!s || (strcmp(dtype_opt, "f32") && strcmp(dtype_opt, "f16") && strcmp(dtype_opt, "mix")))
        usage();
    if (mkdir(argv[optind + 1], 0777) < 0 && errno != EEXIST)
        fail(argv[optind + 1], strerror(errno));
    text(s);
    if (s->patch)
        vit(s);
    else
        resnet(s);
    if (!s->patch && (!strcmp(layout, "hf") || !strcmp(layout, "split")))
        fail(s->name, "Hugging Face's CLIP has no ResNet");
    if (!strcmp(layout, "hf"))
        hf(argv[optind + 1], s);
    else if (!strcmp(layout, "split"))
        split(argv[optind + 1], s);
    else if (!strcmp(layout, "openclip"))
        openclip(argv[optind + 1], s);
    else if (!strcmp(layout, "openai") || !strcmp(layout, "torch"))
        archive(argv[optind + 1], s, layout[0] == 'o');
    else
        usage();
    return 0;
}
