/* Layouts on disk, made of the golden micro model in a folder of their own: what is found,
 * where its facts come from, what is refused and how it is named. */
#define _DEFAULT_SOURCE    /* mkdtemp */

#include "formats/checkpoint/model.h"

#include <sys/stat.h>
#include <unistd.h>

#include "tests/tap.h"

#define GOLD "tests/golden/clip/"

static char top[64], cwd[512];

static const char *at(const char *name) {
    static char path[4][256];
    static int i;

    i = (i + 1) % 4;
    snprintf(path[i], sizeof path[i], "%s/%s", top, name);
    return path[i];
}

static void put(const char *name, const char *text) {
    FILE *f = fopen(at(name), "wb");

    if (!f || fputs(text, f) < 0 || fclose(f) != 0)
        ok(0, "cannot write %s", at(name));
}

static void gold(const char *name, const char *file) {
    char from[600];

    snprintf(from, sizeof from, "%s/" GOLD "%s", cwd, file);
    if (symlink(from, at(name)) < 0)
        ok(0, "cannot link %s", at(name));
}

static void copy_text(const char *name, const char *file) {
    char buf[4096];
    FILE *f = fopen(file, "rb");
    size_t n = f ? fread(buf, 1, sizeof buf - 1, f) : 0;

    buf[n] = 0;
    put(name, buf);
    if (f)
        fclose(f);
}

static const char *integers;    /* the tensor that subset calls I32 */

/* A safetensors file of those tensors of the golden HF file whose names begin so; with an
 * extra scalar where one is named. */
static void subset(const char *name, const char *prefix, const char *prefix2, const char *extra,
                   struct arena a) {
    struct err e = {0};
    struct weights ws;
    size_t off = 0, k = 0, pad;
    char *head = arena_take(&a, 1 << 16, 1);
    FILE *f = fopen(at(name), "wb");
    unsigned char len[8];
    const float one = 4;
    int some = 0;

    if (!f || weights_open(&ws, GOLD "micro_hf.safetensors", &a, &e) < 0) {
        ok(0, "cannot make %s", name);
        return;
    }
    k += (size_t)sprintf(head + k, "{");
    for (size_t i = 0; i < ws.n; i++) {
        const struct weight *w = &ws.w[i];
        size_t n, bytes;

        if (strncmp(w->name, prefix, strlen(prefix)) && (!prefix2 || strcmp(w->name, prefix2)))
            continue;
        tensor_count(&w->t, &n);
        bytes = n * dtype_size(w->t.dtype);
        k += (size_t)sprintf(head + k, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", some++ ? "," : "",
                             w->name, integers && !strcmp(integers, w->name) ? "I32" : dtype_name(w->t.dtype));
        for (int d = 0; d < w->t.nd; d++)
            k += (size_t)sprintf(head + k, "%s%zu", d ? "," : "", w->t.shape[d]);
        k += (size_t)sprintf(head + k, "],\"data_offsets\":[%zu,%zu]}", off, off + bytes);
        off += bytes;
    }
    if (extra)
        k += (size_t)sprintf(head + k, ",\"%s\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[%zu,%zu]}",
                             extra, off, off + 4);
    k += (size_t)sprintf(head + k, "}");
    for (pad = 0; pad < 8; pad++)
        len[pad] = (unsigned char)(k >> (8 * pad));
    fwrite(len, 1, 8, f);
    fwrite(head, 1, k, f);
    for (size_t i = 0; i < ws.n; i++) {
        size_t n;

        if (strncmp(ws.w[i].name, prefix, strlen(prefix)) && (!prefix2 || strcmp(ws.w[i].name, prefix2)))
            continue;
        tensor_count(&ws.w[i].t, &n);
        fwrite(ws.w[i].t.data, dtype_size(ws.w[i].t.dtype), n, f);
    }
    if (extra)
        fwrite(&one, 4, 1, f);
    fclose(f);
}

static int open_one(struct clip_model *m, unsigned want, const char *path, int act, struct arena *a,
                    struct err *e) {
    const struct model_paths p = {&path, 1, act, NULL, NULL};

    e->msg[0] = 0;
    return model_open_clip(m, want, &p, a, e);
}

static void says(const char *about, const char *line) {
    ok(about && strstr(about, line), "--info says: %.*s", (int)strcspn(line, "\n"), line);
}

static void refused(const char *path, unsigned want, const char *why, struct arena a) {
    struct clip_model m;
    struct err e;
    int r = open_one(&m, want, path, -1, &a, &e);

    ok(r < 0 && strstr(e.msg, why), "refused: %s", r < 0 ? e.msg : path);
}

#define HF_PREP "{\"do_resize\":true,\"size\":{\"shortest_edge\":16},\"resample\":3," \
    "\"do_center_crop\":true,\"crop_size\":{\"height\":16,\"width\":16},\"do_normalize\":true," \
    "\"image_mean\":[0.5,0.5,0.5],\"image_std\":[0.5,0.5,0.5]," \
    "\"feature_extractor_type\":\"CLIPFeatureExtractor\"}"

static void hf(struct arena a) {
    struct clip_model m, n;
    struct err e;

    mkdir(at("hf"), 0700);
    copy_text("hf/config.json", GOLD "micro_hf_config.json");
    refused(at("hf"), MODEL_TEXT, "no model.safetensors or pytorch_model.bin", a);
    gold("hf/model.safetensors", "micro_hf.safetensors");
    ok(open_one(&m, MODEL_TEXT, at("hf"), -1, &a, &e) == 0, "a Hugging Face folder %s", e.msg);
    ok(m.config.has_text && m.config.has_vision, "gives both towers");
    ok(m.config.text.act == ACT_QUICK_GELU && m.prep.rule == CROP_HF && m.prep.size == 16 &&
       m.prep.normalize, "with the defaults of its layout");
    says(m.about, "layout: Hugging Face folder\n");
    says(m.about, "activation: quick_gelu (config.json)\n");
    says(m.about, "heads and eps: config.json\n");
    put("hf/preprocessor_config.json", HF_PREP);
    ok(open_one(&n, MODEL_VISION, at("hf"), -1, &a, &e) == 0 && n.prep.mean[0] == 0.5f, "its preprocessor");
    says(n.about, "(preprocessor_config.json)\n");
    ok(!strcmp(m.fingerprint, n.fingerprint) && strlen(m.fingerprint) == 16, "fingerprint %s", m.fingerprint);
    put("hf/preprocessor_config.json", "{\"size\":224,\"crop_size\":224}");
    refused(at("hf"), MODEL_VISION, "crops to 224, but the tower sees 16", a);
    put("hf/preprocessor_config.json", HF_PREP);
    put("hf/config.json", "{\"model_type\":\"clip\"}");
    refused(at("hf"), MODEL_TEXT, "text context length is 77, but the tensors have 8", a);
    put("hf/config.json", "{\"model_type\":\"siglip\"}");
    refused(at("hf"), MODEL_TEXT, "config.json is not the config of a CLIP", a);
    copy_text("hf/config.json", GOLD "micro_hf_config.json");
    ok(open_one(&n, MODEL_TEXT, at("hf/model.safetensors"), -1, &a, &e) == 0, "the file itself");
    says(n.about, "activation: quick_gelu (config.json)\n");
    says(n.about, "layout: single file\n");
}

static void single(struct arena a) {
    struct clip_model m;
    struct err e;

    mkdir(at("one"), 0700);
    gold("one/bare.pt", "micro_zip.pt");
    gold("one/script.pt", "micro_torchscript.pt");
    refused(at("one/bare.pt"), MODEL_TEXT, "use --activation", a);
    ok(open_one(&m, MODEL_TEXT, at("one/bare.pt"), ACT_GELU, &a, &e) == 0 &&
       m.config.text.act == ACT_GELU && m.config.vision.act == ACT_GELU, "--activation decides");
    says(m.about, "activation: gelu (--activation)\n");
    says(m.about, "(OpenAI's)\n");
    ok(m.prep.rule == CROP_TORCHVISION && m.prep.size == 16, "torchvision's crop");
    ok(open_one(&m, MODEL_TEXT, at("one/script.pt"), -1, &a, &e) == 0 &&
       m.config.text.act == ACT_QUICK_GELU, "OpenAI's archive needs no flag");
    says(m.about, "activation: quick_gelu (a TorchScript archive of OpenAI's)\n");
    put("one/notes.txt", "merges\n");
    refused(at("one/notes.txt"), MODEL_TEXT, "notes.txt (neither safetensors nor a PyTorch file)", a);
    put("one/broken.pt", "PK\003\004 and nothing else");
    refused(at("one/broken.pt"), MODEL_TEXT, "broken.pt: ZIP archive without its end record", a);
    refused(at("nowhere"), MODEL_TEXT, "nowhere (no such file or directory)", a);
    mkdir(at("karlo"), 0700);
    subset("karlo/prior.safetensors", "logit", NULL, "model.something", a);
    gold("karlo/ViT-L-14.pt", "micro_torchscript.pt");
    ok(open_one(&m, MODEL_TEXT, at("karlo/prior.safetensors"), -1, &a, &e) == 0 &&
       strstr(m.file, "karlo/ViT-L-14.pt"), "a Karlo checkpoint's CLIP lies beside it %s", e.msg);
    ok(open_one(&m, MODEL_TEXT, at("karlo"), -1, &a, &e) == 0, "in its folder, too");
}

static void openclip(struct arena a) {
    struct clip_model m;
    struct err e;

    mkdir(at("oc"), 0700);
    gold("oc/open_clip_model.safetensors", "micro.safetensors");
    refused(at("oc"), MODEL_TEXT, "use --activation", a);
    put("oc/open_clip_config.json",
        "{\"model_cfg\":{\"embed_dim\":16,\"vision_cfg\":{\"image_size\":16,\"layers\":1,\"width\":64,"
        "\"patch_size\":8},\"text_cfg\":{\"context_length\":8,\"vocab_size\":64,\"width\":64,\"heads\":2,"
        "\"layers\":1}},\"preprocess_cfg\":{\"mean\":[0.5,0.5,0.5],\"std\":[0.25,0.25,0.25]}}");
    ok(open_one(&m, MODEL_TEXT, at("oc"), -1, &a, &e) == 0 && m.config.text.act == ACT_GELU &&
       m.config.text.heads == 2 && m.prep.std[2] == 0.25f && m.prep.rule == CROP_TORCHVISION,
       "an open_clip folder %s", e.msg);
    says(m.about, "layout: open_clip folder\n");
    says(m.about, "activation: gelu (open_clip_config.json)\n");
    put("oc/config.json", "{\"architecture\":\"vit\"}");
    ok(open_one(&m, MODEL_TEXT, at("oc"), -1, &a, &e) == 0, "a config.json of something else changes nothing");
}

static void split(struct arena a) {
    struct clip_model t, v;
    struct err e;

    mkdir(at("pipe"), 0700);
    mkdir(at("pipe/text_encoder"), 0700);
    mkdir(at("pipe/image_encoder"), 0700);
    mkdir(at("pipe/feature_extractor"), 0700);
    subset("pipe/text_encoder/model.safetensors", "text_model.", "text_projection.weight", NULL, a);
    subset("pipe/image_encoder/model.safetensors", "vision_model.", "visual_projection.weight", NULL, a);
    put("pipe/text_encoder/config.json", "{\"model_type\":\"clip_text_model\",\"vocab_size\":64,"
        "\"hidden_size\":64,\"intermediate_size\":256,\"num_hidden_layers\":1,\"num_attention_heads\":1,"
        "\"max_position_embeddings\":8,\"projection_dim\":16}");
    put("pipe/image_encoder/config.json", "{\"model_type\":\"clip_vision_model\",\"hidden_size\":64,"
        "\"intermediate_size\":256,\"num_hidden_layers\":1,\"num_attention_heads\":1,\"image_size\":16,"
        "\"patch_size\":8,\"projection_dim\":16}");
    put("pipe/feature_extractor/preprocessor_config.json", HF_PREP);
    ok(open_one(&t, MODEL_TEXT, at("pipe"), -1, &a, &e) == 0 && !t.config.has_vision && !t.config.has_scale,
       "a pipeline's text tower %s", e.msg);
    ok(open_one(&v, MODEL_VISION, at("pipe"), -1, &a, &e) == 0 && !v.config.has_text &&
       v.prep.mean[0] == 0.5f, "its image tower, and the feature_extractor beside it %s", e.msg);
    ok(strcmp(t.fingerprint, v.fingerprint), "each has its own fingerprint");
    says(t.about, "layout: diffusers pipeline: text_encoder\n");
    ok(open_one(&t, MODEL_TEXT, at("pipe/text_encoder"), -1, &a, &e) == 0, "the tower's own folder, too");
    refused(at("pipe/text_encoder"), MODEL_VISION, "only the text tower", a);
    refused(at("pipe"), MODEL_TEXT | MODEL_VISION, "no CLIP of both towers", a);
    subset("pipe/text_encoder/model.safetensors", "text_model.", "text_projection.weight", "logit_scale", a);
    ok(open_one(&t, MODEL_TEXT, at("pipe"), -1, &a, &e) == 0 && t.config.has_scale &&
       fabsf(t.config.scale - expf(4)) < 1e-4f, "a logit_scale there is the scale %s", e.msg);
    subset("pipe/text_encoder/model.safetensors", "text_model.", "text_projection.weight", "lora.up", a);
    refused(at("pipe"), MODEL_TEXT, "tensor lora.up is not one that such a CLIP has", a);
    subset("pipe/text_encoder/model.safetensors", "text_model.", "text_projection.weight",
           "text_model.encoder.layers.7.mlp.fc1.bias", a);
    refused(at("pipe"), MODEL_TEXT, "there are 1 layers", a);
    subset("pipe/text_encoder/model.safetensors", "text_model.", NULL, NULL, a);
    refused(at("pipe"), MODEL_TEXT, "tensor text_projection.weight is missing", a);
}

/* Where a vector comes from, as far as fingerprints tell. */
static void origin(struct arena a) {
    struct clip_model both, text, image, scaled, other;
    struct err e;
    float scale;

    subset("pipe/text_encoder/model.safetensors", "text_model.", "text_projection.weight", NULL, a);
    ok(open_one(&both, MODEL_TEXT, at("hf"), -1, &a, &e) == 0 && open_one(&text, MODEL_TEXT, at("pipe"), -1, &a, &e) == 0 &&
       open_one(&image, MODEL_VISION, at("pipe"), -1, &a, &e) == 0, "a joint model and its two towers %s", e.msg);
    remove(at("pipe/text_encoder/model.safetensors"));    /* its mapping stays */
    subset("pipe/text_encoder/model.safetensors", "text_model.", "text_projection.weight", "logit_scale", a);
    gold("one/vit.safetensors", "vit.safetensors");
    ok(open_one(&scaled, MODEL_TEXT, at("pipe"), -1, &a, &e) == 0 && strcmp(scaled.fingerprint, text.fingerprint),
       "logit_scale counts %s", e.msg);
    ok(open_one(&other, MODEL_TEXT, at("one/vit.safetensors"), ACT_GELU, &a, &e) == 0 && strcmp(other.fingerprint, both.fingerprint),
       "a model of other weights %s", e.msg);
    scale = logf(both.config.scale);
#define ORIGIN(t, v, m, s) model_origin(t, v, span_of((m).fingerprint), s, a)
    ok(ORIGIN(&both, &both, both, NULL) == ORIGIN_SAME && ORIGIN(&text, NULL, text, NULL) == ORIGIN_SAME, "its own");
    ok(ORIGIN(&both, &both, text, NULL) == ORIGIN_SAME && ORIGIN(&both, &both, image, NULL) == ORIGIN_SAME,
       "a joint model knows the towers' own files");
    ok(ORIGIN(&text, &image, both, &scale) == ORIGIN_SAME, "two towers know the file that joins them, with its logit_scale");
    ok(ORIGIN(&text, &image, both, NULL) == ORIGIN_OTHER && ORIGIN(&text, &image, both, &(float){1}) == ORIGIN_OTHER,
       "which they cannot without that number");
    ok(ORIGIN(&both, &both, scaled, &(float){4}) == ORIGIN_SAME && ORIGIN(&text, &image, scaled, &(float){4}) == ORIGIN_SAME,
       "a tower's own file with a logit_scale, too");
    ok(ORIGIN(&both, &both, other, &scale) == ORIGIN_OTHER && ORIGIN(&text, &image, other, &scale) == ORIGIN_OTHER,
       "another model is another model");
    ok(ORIGIN(&text, NULL, both, &scale) == ORIGIN_UNKNOWN && ORIGIN(NULL, &image, other, &scale) == ORIGIN_UNKNOWN &&
       ORIGIN(NULL, NULL, both, &scale) == ORIGIN_UNKNOWN, "one tower alone cannot tell");
    ok(ORIGIN(NULL, &image, image, NULL) == ORIGIN_SAME, "except of its own file");
    a.end = a.at;
    ok(ORIGIN(&both, &both, other, NULL) == ORIGIN_UNKNOWN, "without memory nothing is told");
}

/* Folders that name their preprocessing in other ways than preprocessor_config.json. */
static void preprocessing(struct arena a) {
    struct clip_model m;
    struct err e;

    mkdir(at("v5"), 0700);
    copy_text("v5/config.json", GOLD "micro_hf_config.json");
    gold("v5/model.safetensors", "micro_hf.safetensors");
    put("v5/processor_config.json", "{\"image_processor\": {\"image_processor_type\": \"CLIPImageProcessorFast\", \"size\": "
        "{\"shortest_edge\": 20}, \"crop_size\": {\"height\": 16, \"width\": 16}, \"image_mean\": [0.25, 0.5, 0.5]}, "
        "\"processor_class\": \"CLIPProcessor\"}");
    ok(open_one(&m, MODEL_VISION, at("v5"), -1, &a, &e) == 0 && m.prep.size == 20 && m.prep.mean[0] == 0.25f,
       "processor_config.json of transformers 5 %s", e.msg);
    says(m.about, "(processor_config.json)\n");
    put("v5/preprocessor_config.json", HF_PREP);
    ok(open_one(&m, MODEL_VISION, at("v5"), -1, &a, &e) == 0 && m.prep.size == 20, "it counts first %s", e.msg);
    put("v5/processor_config.json", "{\"image_processor\": {\"size\": {\"shortest_edge\": 20, \"longest_edge\": 60}, \"crop_size\": 16}}");
    ok(open_one(&m, MODEL_VISION, at("v5"), -1, &a, &e) == 0, "the longer side limited %s", e.msg);
    says(m.about, "preprocessing: shorter side to 20, bicubic, longer side at most 60, centre 16 (floor)");
    put("v5/processor_config.json", "{\"processor_class\": \"CLIPProcessor\"}");
    ok(open_one(&m, MODEL_VISION, at("v5"), -1, &a, &e) == 0 && m.prep.size == 16 && m.prep.mean[0] == 0.5f,
       "without image_processor it says nothing %s", e.msg);
    put("v5/processor_config.json", "{\"image_processor\": {\"do_pad\": true}}");
    refused(at("v5"), MODEL_VISION, "processor_config.json: do_pad is set, which is not supported", a);
    put("v5/processor_config.json", "{\"image_processor\": 3}");
    refused(at("v5"), MODEL_VISION, "image_processor is not an object", a);
    remove(at("v5/processor_config.json"));
    remove(at("v5/preprocessor_config.json"));
    put("v5/open_clip_config.json",
        "{\"model_cfg\":{\"embed_dim\":16,\"vision_cfg\":{\"image_size\":16,\"layers\":1,\"width\":64,"
        "\"patch_size\":8},\"text_cfg\":{\"context_length\":8,\"vocab_size\":64,\"width\":64,\"heads\":2,"
        "\"layers\":1}},\"preprocess_cfg\":{\"mean\":[0.75,0.5,0.5]}}");
    ok(open_one(&m, MODEL_VISION, at("v5"), -1, &a, &e) == 0 && m.prep.mean[0] == 0.75f && m.prep.rule == CROP_TORCHVISION,
       "open_clip's preprocess_cfg where nothing else names it %s", e.msg);
    put("one/preprocessor_config.json", HF_PREP);
    ok(open_one(&m, MODEL_VISION, at("one/script.pt"), -1, &a, &e) == 0 && m.prep.mean[0] == 0.5f && m.prep.rule == CROP_HF,
       "a file of OpenAI's, with a preprocessor_config.json next to it %s", e.msg);
    remove(at("one/preprocessor_config.json"));
}

/* Files that are something else, by name. */
static void kinds(struct arena a) {
    static const struct { const char *file, *begin, *why; } kind[] = {
        {"one/a.gguf", "GGUF\3", "a GGUF file, which is not supported"},
        {"one/a.onnx", "\10\7\22\7pytorch\32\0062.13.0", "an ONNX model, which is not supported"},
        {"one/a.h5", "\x89HDF\r\n", "an HDF5 file (Keras, TensorFlow), which is not supported"},
        {"one/a.pt", "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 3\n", "a Git LFS pointer"},
        {"one/a.html", "<!DOCTYPE html><html>", "an HTML page: the download went wrong"},
        {"one/a.png", "\x89PNG\r\n", "a picture"},
    };

    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++) {
        put(kind[i].file, kind[i].begin);
        refused(at(kind[i].file), MODEL_TEXT, kind[i].why, a);
        remove(at(kind[i].file));
    }
    mkdir(at("lfs"), 0700);
    copy_text("lfs/config.json", GOLD "micro_hf_config.json");
    put("lfs/model.safetensors", kind[3].begin);
    refused(at("lfs"), MODEL_TEXT, "lfs/model.safetensors: a Git LFS pointer: the file that it stands for was not downloaded", a);
    put("lfs/config.json", kind[3].begin);
    refused(at("lfs"), MODEL_TEXT, "lfs/config.json: a Git LFS pointer", a);
    put("lfs/config.json", "{\"model_type\": \"siglip\", \"text_config\": {}}");
    refused(at("lfs"), MODEL_TEXT, "config.json is not the config of a CLIP: its model_type is siglip", a);
    subset("one/siglip.safetensors", "text_model.", "text_projection.weight", "logit_bias", a);
    refused(at("one/siglip.safetensors"), MODEL_TEXT, "siglip.safetensors (a SigLIP, which is not supported)", a);
    remove(at("one/siglip.safetensors"));
}

/* Numbers that are not the weights. */
static void quantised(struct arena a) {
    struct clip_model m;
    struct err e;

    mkdir(at("q"), 0700);
    gold("q/model.safetensors", "micro_hf.safetensors");
    put("q/config.json", "{\"model_type\":\"clip\",\"projection_dim\":16,\"text_config\":{\"vocab_size\":64,\"hidden_size\":64,"
        "\"intermediate_size\":256,\"num_hidden_layers\":1,\"num_attention_heads\":1,\"max_position_embeddings\":8},"
        "\"vision_config\":{\"hidden_size\":64,\"intermediate_size\":256,\"num_hidden_layers\":1,\"num_attention_heads\":1,"
        "\"image_size\":16,\"patch_size\":8},\"quantization_config\":null}");
    ok(open_one(&m, MODEL_TEXT, at("q"), -1, &a, &e) == 0, "quantization_config null says nothing %s", e.msg);
    put("q/config.json", "{\"model_type\":\"clip_text_model\",\"eos_token_id\":63,\"vocab_size\":64,\"hidden_size\":64,"
        "\"projection_dim\":16,\"intermediate_size\":256,\"num_hidden_layers\":1,\"num_attention_heads\":1,\"max_position_embeddings\":8}");
    ok(open_one(&m, MODEL_TEXT, at("q"), -1, &a, &e) == 0 && m.config.text.eos == 63, "eos_token_id is read %s", e.msg);
    says(m.about, "end of text: token 63 (config.json)\n");
    put("q/config.json", "{\"model_type\":\"clip\",\"quantization_config\":{\"quant_method\":\"bitsandbytes\"}}");
    refused(at("q"), MODEL_TEXT, "config.json: quantization_config is set, which is not supported", a);
    remove(at("q/model.safetensors"));
    copy_text("q/config.json", GOLD "micro_hf_config.json");
    integers = "text_model.encoder.layers.0.mlp.fc1.weight";
    subset("q/model.safetensors", "", NULL, NULL, a);
    integers = NULL;
    refused(at("q"), MODEL_TEXT, "tensor text_model.encoder.layers.0.mlp.fc1.weight is I32: quantised weights are not supported", a);
}

static void shards(struct arena a) {
    static const char index[] = "{\"metadata\":{\"total_size\":1},\"weight_map\":{";
    char text[16384], *s = text;
    struct clip_model m, n;
    struct weights ws;
    struct err e = {0};

    mkdir(at("sh"), 0700);
    copy_text("sh/config.json", GOLD "micro_hf_config.json");
    subset("sh/model-00001-of-00002.safetensors", "text", NULL, "logit_scale", a);
    subset("sh/model-00002-of-00002.safetensors", "vis", NULL, NULL, a);
    weights_open(&ws, GOLD "micro_hf.safetensors", &a, &e);
    s += sprintf(s, "%s", index);
    for (size_t i = 0; i < ws.n; i++)
        s += sprintf(s, "%s\"%s\":\"model-0000%d-of-00002.safetensors\"", i ? "," : "", ws.w[i].name,
                     ws.w[i].name[0] == 'v' ? 2 : 1);
    sprintf(s, "}}");
    put("sh/model.safetensors.index.json", text);
    ok(open_one(&m, MODEL_TEXT, at("sh"), -1, &a, &e) == 0 && m.config.has_vision, "shards %s", e.msg);
    open_one(&n, MODEL_TEXT, at("hf"), -1, &a, &e);
    ok(strcmp(m.fingerprint, n.fingerprint), "another logit_scale, another fingerprint");
    says(m.about, "(sharded)\n");
    memcpy(strstr(text, "model-00001"), "../el-00001", 11);
    put("sh/model.safetensors.index.json", text);
    refused(at("sh"), MODEL_TEXT, "a shard's name is not that of a file in the same folder", a);
    memcpy(strstr(text, "../el-00001"), "model-00002", 11);
    put("sh/model.safetensors.index.json", text);
    refused(at("sh"), MODEL_TEXT, "shard model-00002-of-00002.safetensors has no tensor logit_scale", a);
    sprintf(text, "%s\"logit_scale\":\"model-00001-of-00002.safetensors\"}}", index);
    put("sh/model.safetensors.index.json", text);
    refused(at("sh"), MODEL_TEXT, "the index names 1", a);
}

static void several(struct arena a) {
    const char *list[3] = {at("one/notes.txt"), at("pipe/image_encoder"), at("hf")};
    const struct model_paths p = {list, 3, -1, NULL, NULL}, none = {list, 0, -1, NULL, NULL}, two = {list, 2, -1, NULL, NULL};
    struct clip_model m;
    struct err e = {0};

    ok(model_open_clip(&m, MODEL_TEXT, &p, &a, &e) == 0 && !strcmp(m.path, list[2]),
       "the first path that has it is taken");
    ok(model_open_clip(&m, MODEL_VISION, &p, &a, &e) == 0 && !strcmp(m.path, list[1]),
       "for each component");
    ok(model_open_clip(&m, MODEL_TEXT, &two, &a, &e) < 0 && strstr(e.msg, "notes.txt (") &&
       strstr(e.msg, "image_encoder ("), "none: %s", e.msg);
    e.msg[0] = 0;
    ok(model_open_clip(&m, MODEL_TEXT, &none, &a, &e) < 0, "no path: %s", e.msg);
}

/* A repository as huggingface_hub keeps it: refs/main names a folder in snapshots. */
static void cache(struct arena a) {
    static const char *const dirs[] = {"hub", "hub/models--o--clip", "hub/models--o--clip/refs", "hub/models--o--clip/blobs",
        "hub/models--o--clip/snapshots", "hub/models--o--clip/snapshots/0a1b2c", "hub/models--o--clip/snapshots/ffff"};
    const char *repo;
    struct clip_model m;
    struct tok_files t;
    struct err e = {0};

    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        mkdir(at(dirs[i]), 0700);
    put("hub/models--o--clip/refs/main", "0a1b2c");
    copy_text("hub/models--o--clip/snapshots/0a1b2c/config.json", GOLD "micro_hf_config.json");
    gold("hub/models--o--clip/snapshots/0a1b2c/model.safetensors", "micro_hf.safetensors");
    put("hub/models--o--clip/snapshots/0a1b2c/merges.txt", "a b</w>\n");
    repo = at("hub/models--o--clip");
    ok(open_one(&m, MODEL_TEXT, repo, -1, &a, &e) == 0 && strstr(m.file, "models--o--clip/snapshots/0a1b2c/model.safetensors"),
       "a repository in a cache is its main snapshot %s", e.msg);
    ok(model_find_tokenizer(&t, &(struct model_paths){&repo, 1, -1, NULL, NULL}, &a, &e) == 0 &&
       strstr(t.merges, "snapshots/0a1b2c/merges.txt"), "for a tokenizer, too %s", e.msg);
    refused(at("hub"), MODEL_TEXT, "hub (a Hugging Face cache: name one of the repositories in it, models--...)", a);
    refused(top, MODEL_TEXT, "(a Hugging Face cache: name one of the repositories in it, models--...)", a);
    put("hub/models--o--clip/refs/main", "../../..");
    refused(at("hub/models--o--clip"), MODEL_TEXT, "a Hugging Face repository without its main snapshot", a);
    put("hub/models--o--clip/refs/main", "0a1b");
    refused(at("hub/models--o--clip"), MODEL_TEXT, "a Hugging Face repository without its main snapshot", a);
    put("hub/models--o--clip/refs/main", "ffff\n");
    refused(at("hub/models--o--clip"), MODEL_TEXT, "(no config.json)", a);
}

static void verify(void) {
    struct err e = {0};
    const char *name;

    ok(model_verify_sha256(GOLD "micro_zip.pt", &name, &e) < 0 && strstr(e.msg, "SHA-256 is "),
       "not published: %s", e.msg);
}

/* An arena that ends anywhere: an error, never a crash. */
static void short_of_memory(void) {
    int opened = 0, failed = 0;

    for (size_t room = 1024; room < 256 << 10; room += 512) {
        TAP_ARENA(all, 1);
        struct arena a = {all.at, all.at + room, all.mem};
        struct clip_model m;
        struct err e;

        if (open_one(&m, MODEL_TEXT, at("hf"), -1, &a, &e) == 0)
            opened++;
        else
            failed += e.msg[0] != 0;
        free(all_mem.base);
    }
    ok(opened > 0 && failed > 0 && opened + failed == 510, "%d arenas are too small, %d do", failed, opened);
}

int main(void) {
    const char *tmp = getenv("TMPDIR");
    char command[128];

    TAP_ARENA(a, 16);
    snprintf(top, sizeof top, "%.30s/unclip-model-XXXXXX", tmp ? tmp : "/tmp");
    if (!mkdtemp(top) || !getcwd(cwd, sizeof cwd))
        return ok(0, "no folder for the test");
    hf(a);
    single(a);
    openclip(a);
    split(a);
    origin(a);
    preprocessing(a);
    kinds(a);
    quantised(a);
    shards(a);
    several(a);
    cache(a);
    verify();
    short_of_memory();
    snprintf(command, sizeof command, "rm -r '%s'", top);
    ok(system(command) == 0, "cleaned up");
    free(a_mem.base);
    return done();
}
