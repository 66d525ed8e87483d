/* Names, wrappings, shapes and fingerprints of tables made by hand: what the golden files, which
 * are all well-formed CLIPs, do not show. */
#include "lib/net/clip.h"

#include "tests/tap.h"

enum { N = 64 };

struct table {
    struct weight w[N];
    char name[N][128];
    struct weights ws;
};

static float zeros[1 << 16];

static void add(struct table *t, const char *prefix, const char *name, int nd, size_t a, size_t b,
                size_t c, size_t d) {
    struct weight *w = &t->w[t->ws.n];

    snprintf(t->name[t->ws.n], sizeof t->name[0], "%s%s", prefix, name);
    *w = (struct weight){.name = t->name[t->ws.n++],
                         .t = {.nd = nd, .shape = {a, b, c, d}, .data = zeros}};
    tensor_contiguous(&w->t);
}

static void block(struct table *t, const char *prefix, const char *inner) {
    static const char *const name[] = {"ln_1.weight", "ln_1.bias", "attn.in_proj_weight", "attn.in_proj_bias",
        "attn.out_proj.weight", "attn.out_proj.bias", "ln_2.weight", "ln_2.bias", "mlp.c_fc.bias",
        "mlp.c_proj.weight", "mlp.c_proj.bias"};
    char p[128];

    snprintf(p, sizeof p, "%s%stransformer.resblocks.0.", prefix, inner);
    add(t, p, "mlp.c_fc.weight", 2, 256, 64, 0, 0);
    for (size_t i = 0; i < sizeof name / sizeof *name; i++)
        add(t, p, name[i], 1, 64, 0, 0, 0);
}

static void text(struct table *t, const char *prefix) {
    memset(t, 0, sizeof *t);
    t->ws.w = t->w;
    add(t, prefix, "token_embedding.weight", 2, 9, 64, 0, 0);
    add(t, prefix, "positional_embedding", 2, 7, 64, 0, 0);
    add(t, prefix, "ln_final.weight", 1, 64, 0, 0, 0);
    add(t, prefix, "ln_final.bias", 1, 64, 0, 0, 0);
    block(t, prefix, "");
}

static void vision(struct table *t, size_t width) {
    add(t, "", "visual.class_embedding", 1, width, 0, 0, 0);
    add(t, "", "visual.conv1.weight", 4, width, 3, 2, 2);
    add(t, "", "visual.positional_embedding", 2, 10, width, 0, 0);
    add(t, "", "visual.proj", 2, width, 5, 0, 0);
    block(t, "", "visual.");
}

static int read_table(struct table *t, struct clip_config *c, struct err *e) {
    *e = (struct err){0};
    *c = (struct clip_config){0};
    weights_sort(&t->ws, e);
    if (clip_canonical_names(&t->ws, &c->family, e) < 0 ||
        clip_config_from_weights(c, &t->ws, e) < 0)
        return -1;
    return clip_check_names(c, &t->ws, e);
}

static void refused(struct table *t, const char *why) {
    struct clip_config c;
    struct err e;
    int r = read_table(t, &c, &e);

    ok(r < 0 && strstr(e.msg, why), "refused: %s", r < 0 ? e.msg : why);
}

static void wrappings(void) {
    static const char *const prefix[] = {"", "module.", "_orig_mod.", "module._orig_mod.",
                                         "cond_stage_model.model.", "conditioner.embedders.1.model."};
    struct clip_config c;
    struct table t;
    struct err e;

    for (size_t i = 0; i < sizeof prefix / sizeof *prefix; i++) {
        text(&t, prefix[i]);
        add(&t, prefix[i], "text_projection", 2, 64, 5, 0, 0);
        add(&t, prefix[i], "attn_mask", 2, 7, 7, 0, 0);
        if (strlen(prefix[i]) > 20)
            add(&t, "", "first_stage_model.decoder.conv_in.weight", 1, 3, 0, 0, 0);
        ok(read_table(&t, &c, &e) == 0 && c.has_text && !c.has_vision && c.text.embed == 5 &&
           c.text.vocab == 9 && c.text.context == 7, "behind \"%s\": %s", prefix[i], e.msg);
    }
    text(&t, "text.");
    add(&t, "text.", "text_projection.weight", 2, 5, 64, 0, 0);
    add(&t, "", "logit_scale", 1, 1, 0, 0, 0);
    vision(&t, 64);
    ok(read_table(&t, &c, &e) == 0 && c.text.embed == 5 && c.has_vision && c.vision.image == 6 && c.has_scale,
       "CustomTextCLIP with a Linear for its projection: %s", e.msg);
    ok(weights_find(&t.ws, "text_projection")->t.shape[0] == 64, "which is turned");
}

static void refusals(void) {
    struct clip_config c;
    struct table t;
    struct err e;

#define FRESH (text(&t, ""), add(&t, "", "text_projection", 2, 64, 5, 0, 0))
    text(&t, "");
    refused(&t, "tensor text_projection is missing");
    FRESH;
    add(&t, "", "lora.up", 1, 3, 0, 0, 0);
    refused(&t, "tensor lora.up is not one that such a CLIP has");
    FRESH;
    add(&t, "", "transformer.resblocks.01.ln_1.weight", 1, 64, 0, 0, 0);
    refused(&t, "resblocks.01.ln_1.weight is not one");
    FRESH;
    add(&t, "", "transformer.resblocks.2.ln_1.weight", 1, 64, 0, 0, 0);
    refused(&t, "there are 1 layers");
    FRESH;
    add(&t, "", "visual.ln_pre.weight", 1, 64, 0, 0, 0);
    refused(&t, "visual.ln_pre.weight is not one");
    FRESH;
    add(&t, "", "logit_scale", 1, 2, 0, 0, 0);
    refused(&t, "logit_scale is not a single number");
    FRESH;
    vision(&t, 64);
    t.w[t.ws.n - 14].t.shape[0] = 11;    /* visual.positional_embedding */
    refused(&t, "11 rows, which is not 1 + a square");
    FRESH;
    vision(&t, 64);
    t.w[t.ws.n - 13].t.shape[1] = 6;    /* visual.proj */
    refused(&t, "texts are embedded in 5 dimensions, images in 6");
    FRESH;
    vision(&t, 96);
    ok(read_table(&t, &c, &e) == 0 && c.vision.heads == 0, "heads of width 96 are for a config to tell");
    memset(&t, 0, sizeof t);
    t.ws.w = t.w;
    add(&t, "", "model.diffusion_model.input_blocks.0.0.weight", 1, 3, 0, 0, 0);
    refused(&t, "not a CLIP");
    FRESH;
    vision(&t, 1280);
    ok(read_table(&t, &c, &e) == 0 && c.vision.heads == 16, "width 1280 means 16 heads of 80");
}

/* One element, one axis, one name: another fingerprint.  What containers may change: the same. */
static void fingerprints(struct arena a) {
    static float x[64 * 5], y[64 * 5];
    struct clip_config c;
    struct table t;
    struct err e;
    uint64_t first, second;

    for (int i = 0; i < 64 * 5; i++)
        x[i] = (float)i, y[i % 5 * 64 + i / 5] = (float)i;
    FRESH;
    t.w[t.ws.n - 1].t.data = x;
    read_table(&t, &c, &e);
    first = clip_fingerprint(&c, &t.ws, a);
    text(&t, "");
    add(&t, "", "text_projection.weight", 2, 5, 64, 0, 0);
    t.w[t.ws.n - 1].t.data = y;
    read_table(&t, &c, &e);
    ok(first == clip_fingerprint(&c, &t.ws, a), "a projection kept the other way round is the same");
    y[0] = 1;
    second = clip_fingerprint(&c, &t.ws, a);
    ok(first != second, "another first element is another model");
    y[0] = 0.001953125f * 0.001953125f;
    ok(clip_fingerprint(&c, &t.ws, a) != first, "be it ever so small");
    y[0] = 0;
    weights_find(&t.ws, "positional_embedding")->t.shape[0] = 8;
    ok(clip_fingerprint(&c, &t.ws, a) != first, "so is another shape");
    a.end = a.at;
    ok(clip_fingerprint(&c, &t.ws, a) == 0, "0 where there is no memory");
}

int main(void) {
    TAP_ARENA(a, 1);
    wrappings();
    refusals();
    fingerprints(a);
    free(a_mem.base);
    return done();
}
