/* Opening the transformers of the DALL-E 1 family: what a config.json says of ruDALL-E's engine, in scores that the
 * reference gives for it (tests/golden/dalle/rudalle/io_config.safetensors); the files of version 1; mega's config. */
#define _DEFAULT_SOURCE    /* mkdtemp */
#include "formats/checkpoint/dalle_model.h"

#include <limits.h>
#include <unistd.h>

#include "lib/kernel/kern.h"
#include "tests/golden_file.h"

#define GOLD "tests/golden/dalle/"

static const struct compute compute = {&kern_c, NULL};

/* ---- a directory with a model ---- */

static FILE *create(const char *dir, const char *name) {
    char path[PATH_MAX];
    FILE *f;

    snprintf(path, sizeof path, "%.300s/%s", dir, name);
    if (!(f = fopen(path, "wb")))
        printf("Bail out! %s\n", path), exit(1);
    return f;
}

static void done_with(FILE *f, const char *name) {
    bool good = !ferror(f);

    if (fclose(f) != 0 || !good)
        printf("Bail out! %s\n", name), exit(1);
}

static void text(const char *dir, const char *name, const char *s) {
    FILE *f = create(dir, name);

    fputs(s, f);
    done_with(f, name);
}

static void copy(const char *dir, const char *name, const char *from) {
    struct err e = {0};
    struct mapfile m;
    FILE *f = create(dir, name);

    if (mapfile_open(&m, from, &e) < 0)
        printf("Bail out! %s: %s\n", from, e.msg), exit(1);
    fwrite(m.p, 1, m.n, f);
    done_with(f, name);
    mapfile_close(&m);
}

/* Writes the tensors of the file `from` as safetensors.  Tensors whose names contain `without` are left out; `prefix` is
 * taken off the names of the masks. */
static void rewrite(const char *dir, const char *name, const char *from, const char *without, const char *prefix,
                    struct arena a) {
    struct weights ws = golden_open(from, &a);
    char *head = golden_room(&a, ws.n, 256);
    unsigned char size[8];
    size_t n = 0, at = 0, count;
    FILE *f = create(dir, name);

    for (size_t i = 0; i < ws.n; i++) {
        const struct tensor *t = &ws.w[i].t;
        const char *own = ws.w[i].name;

        if (without && strstr(own, without))
            continue;
        if (prefix && strstr(own, "_mask") && !strncmp(own, prefix, strlen(prefix)))
            own += strlen(prefix);
        tensor_count(t, &count);
        n += (size_t)sprintf(head + n, "%c\"%s\":{\"dtype\":\"%s\",\"shape\":[%zu", n ? ',' : '{', own, dtype_name(t->dtype), t->shape[0]);
        if (t->nd > 1)
            n += (size_t)sprintf(head + n, ",%zu", t->shape[1]);
        n += (size_t)sprintf(head + n, "],\"data_offsets\":[%zu,%zu]}", at, at + count * dtype_size(t->dtype));
        at += count * dtype_size(t->dtype);
    }
    head[n++] = '}';
    while (n % 8)
        head[n++] = ' ';
    for (size_t i = 0; i < 8; i++)
        size[i] = (unsigned char)(n >> 8 * i);
    fwrite(size, 1, 8, f);
    fwrite(head, 1, n, f);
    for (size_t i = 0; i < ws.n; i++) {
        if (without && strstr(ws.w[i].name, without))
            continue;
        tensor_count(&ws.w[i].t, &count);
        if (!tensor_is_contiguous(&ws.w[i].t))
            ok(0, "%s is contiguous", ws.w[i].name);
        fwrite(ws.w[i].t.data, dtype_size(ws.w[i].t.dtype), count, f);
    }
    done_with(f, name);
}

static int opens(struct dalle_model *m, const char *dir, struct arena *a, struct err *e) {
    const struct model_paths p = {.v = &dir, .n = 1};

    e->msg[0] = 0;
    return dalle_open(m, false, &p, &compute, a, e);
}

static void refused(const char *dir, const char *why, struct arena a) {
    struct dalle_model m;
    struct err e;

    ok(opens(&m, dir, &a, &e) < 0 && strstr(e.msg, why), "refused: %s (%s)", why, e.msg);
}

/* ---- ruDALL-E's engine ---- */

/* The scores of the picture tokens `at`, when the earlier tokens are those of the golden file `io`. */
static void scores(const struct gpt *g, const struct weights *io, const int *at, size_t n, float *out, struct arena a) {
    const struct gpt_config *c = gpt_config_of(g);
    const int *ids = golden_tensor(io, "input_ids")->data, *tokens = golden_tensor(io, "image_tokens")->data;
    float *prompt = golden_room(&a, gpt_prompt_floats(g), sizeof *prompt), *step = golden_room(&a, c->codes, sizeof *step);
    struct gpt_candidate one = {prompt, golden_room(&a, gpt_candidate_floats(g), sizeof(float)), 0};
    void *s = golden_room(&a, gpt_scratch(g, &compute, 1), 1);

    gpt_prefill(g, &compute, ids, prompt, step, s);
    for (size_t i = 0, m = 0; m < n; i++) {
        if (i == (size_t)at[m])
            memcpy(out + m++ * c->codes, step, c->codes * sizeof *out);
        one.token = tokens[i];
        gpt_step(g, &compute, i, 1, &one, step, s);
    }
}

struct config {
    const char *name, *version, *without, *json;    /* without: the sandwich's norms, which the paper does not have */
    bool wrap, shifted;
    enum act act;
    int64_t first;
    size_t kernel;
};

static void configs(const char *dir, struct arena all) {
    static const struct config cases[] = {
        {"wrap", "v3", NULL, "{\"hf_version\":\"v3\",\"num_attention_heads\":4,\"conv_wrap\":true}", true, false, ACT_GELU_TANH, 2, 11},
        {"bos", "v2", NULL, "{\"hf_version\":\"v2\",\"num_attention_heads\":2,\"conv_wrap\":false,\"bos_token_id\":5}", false, true,
         ACT_GELU_TANH, 5, 11},
        {"paper", "v3", "before_", "{\"num_attention_heads\":4,\"conv_wrap\":true,\"bos_token_id\":7,\"activation\":\"gelu\",\"kernel\":5}",
         true, true, ACT_GELU, 7, 5},
    };
    struct weights want = golden_open(GOLD "rudalle/io_config.safetensors", &all);

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena a = all;
        char file[64], what[64];
        struct dalle_model m;
        struct err e;
        size_t n;

        snprintf(file, sizeof file, GOLD "rudalle/pytorch_model_%s.bin", cases[i].version);
        rewrite(dir, "model.safetensors", file, cases[i].without, NULL, a);
        text(dir, "config.json", cases[i].json);
        if (!ok(opens(&m, dir, &a, &e) == 0, "%s: opened %s", cases[i].name, e.msg))
            continue;
        const struct gpt_config *c = gpt_config_of(m.gpt);
        ok(c->wrap == cases[i].wrap && c->shifted == cases[i].shifted && c->act == cases[i].act && c->kernel == cases[i].kernel &&
           c->sandwich == !cases[i].without && (!c->shifted || c->first == cases[i].first), "%s: what the config says", cases[i].name);
        snprintf(file, sizeof file, GOLD "rudalle/io_%s.safetensors", cases[i].version);
        struct weights io = golden_open(file, &a);
        snprintf(what, sizeof what, "%s.at", cases[i].name);
        const struct tensor *at = golden_tensor(&want, what);
        tensor_count(at, &n);
        float *got = golden_room(&a, n * c->codes, sizeof *got);
        scores(m.gpt, &io, at->data, n, got, a);
        snprintf(what, sizeof what, "%s.scores", cases[i].name);
        close_to(got, golden_floats(&want, what, NULL, &a), n * c->codes, 0, 6e-6, what);
    }
    static const char *const bad[][2] = {
        {"{\"num_attention_heads\":4,\"bos_token_id\":-1}", "bos_token_id is not a number from 0"},
        {"{\"num_attention_heads\":4,\"bos_token_id\":224}", "the first token is 224, which is not one of 224 text ids"},
        {"{\"num_attention_heads\":4,\"conv_wrap\":1}", "conv_wrap is neither true nor false"},
        {"{\"num_attention_heads\":4,\"kernel\":4}", "a window of 4 tokens is not supported"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        text(dir, "config.json", bad[i][0]);
        refused(dir, bad[i][1], all);
    }
}

/* Version 1 of ruDALL-E computes as version 2 does.  Its masks are at the top level of the file. */
static void first_version(const char *dir, struct arena all) {
    static const char *const json[] = {"{\"num_attention_heads\":2}", "{\"hf_version\":\"v1\",\"num_attention_heads\":2}"};
    struct weights want = golden_open(GOLD "rudalle/io_v2.safetensors", &all);
    const int at[] = {0, 1, 11, 12, 77, 143};

    for (size_t i = 0; i < 2; i++) {
        struct arena a = all;
        struct dalle_model m;
        struct err e;

        rewrite(dir, "model.safetensors", GOLD "rudalle/pytorch_model_v2.bin", i ? "_mask" : NULL, "transformer.", a);
        text(dir, "config.json", json[i]);
        if (!ok(opens(&m, dir, &a, &e) == 0, "version 1 opened %s", e.msg))
            continue;
        const struct gpt_config *c = gpt_config_of(m.gpt);
        ok(c->wrap && c->shifted && c->first == 2, "version 1, %s, computes as version 2", i ? "named by its config" : "by its masks");
        float *got = golden_room(&a, 6 * c->codes, sizeof *got), *w = golden_room(&a, 6 * c->codes, sizeof *w);
        const float *logits = golden_floats(&want, "image_logits", NULL, &a);
        for (size_t k = 0; k < 6; k++)
            memcpy(w + k * c->codes, logits + (size_t)at[k] * c->codes, c->codes * sizeof *w);
        scores(m.gpt, &want, at, 6, got, a);
        close_to(got, w, 6 * c->codes, 0, 4e-6, "version 1: scores");
    }
}

/* ---- DALL-E mega ---- */

/* The config of dalle-mini/dalle-mega with the sizes of the tiny model, and with another value of one key. */
static const char *mega_config(const char *key, const char *value) {
    static const char whole[] =
             "{\"model_type\":\"dallebart\",\"activation_function\":\"gelu\",\"d_model\":48,\"encoder_layers\":2,\"decoder_layers\":2,"
             "\"encoder_attention_heads\":4,\"decoder_attention_heads\":4,\"encoder_ffn_dim\":40,\"decoder_ffn_dim\":40,"
             "\"encoder_vocab_size\":380,\"image_vocab_size\":103,\"image_length\":256,\"max_text_length\":64,\"bos_token_id\":97,"
             "\"eos_token_id\":97,\"pad_token_id\":97,\"decoder_start_token_id\":96,\"normalize_text\":true,\"tie_word_embeddings\":false,"
             "\"scale_embedding\":false,\"force_ln_scale\":false,\"use_bias\":false,\"use_scan\":true,\"use_deepnet_scaling\":false,"
             "\"use_cosine_attention\":false,\"use_head_scale\":false,\"use_alibi\":false,\"use_glu\":true,\"ln_type\":\"layernorm\","
             "\"ln_positions\":\"normformer\"}";
    static char s[2 * sizeof whole];
    const char *at = key ? strstr(whole, key) + strlen(key) + 2 : whole;

    snprintf(s, sizeof s, "%.*s%s%s", (int)(at - whole), whole, value, key ? at + strcspn(at, ",}") : at);
    return s;
}

static void mega(const char *dir, struct arena a) {
    static const char *const names[] = {"encoder.pt", "decoder.pt", "vocab.json", "merges.txt"};
    char sub[PATH_MAX], cmd[PATH_MAX + 8];
    struct arena before = a;
    struct dalle_model m;
    struct err e;

    snprintf(sub, sizeof sub, "%s/dalle_bart_mega", dir);
    snprintf(cmd, sizeof cmd, "mkdir %s", sub);
    ok(system(cmd) == 0, "%s", cmd);
    for (size_t i = 0; i < 4; i++) {
        snprintf(cmd, sizeof cmd, GOLD "dallemini/%s", names[i]);
        copy(sub, names[i], cmd);
    }
    text(sub, "config.json", mega_config(NULL, ""));
    if (ok(opens(&m, dir, &a, &e) == 0, "dalle_bart_mega in a directory %s", e.msg)) {
        const struct bart_config *c = bart_config_of(m.bart);

        ok(c->codes == 96 && c->start == 96 && c->picture_vocab == 104 && c->encoder_heads == 4 && c->decoder_heads == 4,
           "the codes end where decoder_start_token_id begins, before the %zu rows do", c->picture_vocab);
        ok(m.guidance == 16 && m.side == 16 && m.text == 64 && m.has_bpe, "mega's grid, texts and guidance");
    }
    static const char *const bad[][3] = {
        {"ln_positions", "\"swinv2\"", "ln_positions is not normformer, and only normformer is supported"},
        {"ln_type", "\"rmsnorm\"", "ln_type is not layernorm, and only layernorm is supported"},
        {"use_glu", "false", "use_glu is false, and only true is supported"},
        {"use_deepnet_scaling", "true", "use_deepnet_scaling is true, and only false is supported"},
        {"use_cosine_attention", "true", "use_cosine_attention is true"}, {"use_head_scale", "true", "use_head_scale is true"},
        {"use_alibi", "true", "use_alibi is true"}, {"scale_embedding", "true", "scale_embedding is true"},
        {"use_bias", "1", "use_bias is neither true nor false"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        text(sub, "config.json", mega_config(bad[i][0], bad[i][1]));
        refused(dir, bad[i][2], before);
    }
}

int main(void) {
    TAP_ARENA(a, 128);
    char dir[] = "/tmp/dalle_model.XXXXXX", cmd[64];

    if (!mkdtemp(dir))
        printf("Bail out! mkdtemp\n"), exit(1);
    copy(dir, "bpe.model", GOLD "rudalle/bpe.model");
    configs(dir, a);
    first_version(dir, a);
    snprintf(cmd, sizeof cmd, "rm %s/*", dir);
    ok(system(cmd) == 0, "removed");
    mega(dir, a);
    snprintf(cmd, sizeof cmd, "rm -r %s", dir);
    ok(system(cmd) == 0, "removed");
    free(a_mem.base);
    return done();
}
