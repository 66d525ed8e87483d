/* A family of names is a table and nothing else: the golden models under names that only this test knows have
 * the shapes, the fingerprint and the results that they have under their own.  Fingerprints are pinned: records
 * that were written years ago carry them. */
#include "formats/checkpoint/weights.h"
#include "lib/net/clip.h"
#include "tests/tap.h"

static const struct resnet_names other_resnet = {
    .prefix = "eye.", .conv = "filter", .bn = "scale", .stage = "stage", .shortcut = "side.conv",
    .shortcut_bn = "side.scale", .position = "pool.places", .q = "pool.query", .k = "pool.key", .v = "pool.value",
    .c = "pool.mix",
};

static const struct clip_family other = {
    .name = "nobody's",
    .layer = {.ln1 = "first", .fused = "att.qkv", .out = "att.mix", .ln2 = "second", .fc = "up", .proj = "down"},
    .text = {.token = "word.table", .position = "word.places", .layers = "word.", .ln_final = "word.last",
             .projection = "word.to_shared"},
    .vision = {.class_token = "eye.class", .patch = "eye.filter1.weight", .position = "eye.places",
               .ln_pre = "eye.before", .layers = "eye.", .ln_post = "eye.after", .projection = "eye.to_shared"},
    .resnet = &other_resnet,
    .transposed = true,
};

/* What a golden file's name becomes: the first row that matches at a dot or at the beginning. */
static const char *const renamed[][2] = {
    {"token_embedding.weight", "word.table"}, {"visual.attnpool.positional_embedding", "eye.pool.places"},
    {"visual.positional_embedding", "eye.places"}, {"positional_embedding", "word.places"},
    {"ln_final", "word.last"}, {"text_projection", "word.to_shared"}, {"visual.class_embedding", "eye.class"},
    {"visual.conv", "eye.filter"}, {"visual.bn", "eye.scale"}, {"visual.ln_pre", "eye.before"},
    {"visual.ln_post", "eye.after"}, {"visual.proj", "eye.to_shared"},
    {"visual.transformer.resblocks", "eye"}, {"transformer.resblocks", "word"}, {"visual.layer", "eye.stage"},
    {"visual.attnpool.q_proj", "eye.pool.query"}, {"visual.attnpool.k_proj", "eye.pool.key"},
    {"visual.attnpool.v_proj", "eye.pool.value"}, {"visual.attnpool.c_proj", "eye.pool.mix"},
};
static const char *const inside[][2] = {
    {".ln_1.", ".first."}, {".ln_2.", ".second."}, {".attn.in_proj_", ".att.qkv_"}, {".attn.out_proj.", ".att.mix."},
    {".mlp.c_fc.", ".up."}, {".mlp.c_proj.", ".down."}, {".conv", ".filter"}, {".bn", ".scale"},
    {".downsample.0.", ".side.conv."}, {".downsample.1.", ".side.scale."},
};

static const char *rename_one(const char *name, struct arena *a) {
    char half[256], out[320];
    size_t i = 0, k = 0;
    char *p = NULL;

    while (i < sizeof renamed / sizeof *renamed && strncmp(name, renamed[i][0], strlen(renamed[i][0])))
        i++;
    if (i == sizeof renamed / sizeof *renamed)
        return name;    /* logit_scale */
    snprintf(half, sizeof half, "%s%s", renamed[i][1], name + strlen(renamed[i][0]));
    while (k < sizeof inside / sizeof *inside && !(p = strstr(half, inside[k][0])))
        k++;
    if (p)
        snprintf(out, sizeof out, "%.*s%s%s", (int)(p - half), half, inside[k][1], p + strlen(inside[k][0]));
    else
        snprintf(out, sizeof out, "%s", half);
    return arena_str(a, out, strlen(out));
}

static struct weights rename_all(const struct weights *ws, struct arena *a) {
    struct weights out = {.w = arena_take(a, ws->n, sizeof *out.w), .n = ws->n};
    struct err e = {0};

    for (size_t i = 0; i < ws->n; i++)
        out.w[i] = (struct weight){.name = rename_one(ws->w[i].name, a), .t = ws->w[i].t};
    ok(weights_sort(&out, &e) == 0, "%zu tensors have other names %s", out.n, e.msg);
    return out;
}

enum { EMBED = 64 };

/* The embeddings of a text and of an image that is 0.01 i everywhere. */
static int run(const struct clip_config *c, const struct weights *ws, float *out, struct arena a, struct err *e) {
    static const int ids[] = {3, 1, 4, 1, 63}, *const tokens = ids;
    const struct compute k = {&kern_c, NULL};
    const size_t len = 5, pixels = 3 * c->vision.image * c->vision.image;
    struct clip_text *t = clip_bind_text(c, ws, &k, &a, e);
    struct clip_vision *v = t ? clip_bind_vision(c, ws, &k, &a, e) : NULL;
    float *image = arena_take(&a, pixels, sizeof *image);

    if (!v || c->text.embed > EMBED)
        return -1;
    for (size_t i = 0; i < pixels; i++)
        image[i] = 0.01f * (float)(i % 199);
    clip_text_run(t, &k, 1, &tokens, &len, out, NULL, arena_take(&a, clip_text_scratch(t, 1, len), 1));
    clip_image_run(v, &k, 1, image, out + EMBED, NULL, arena_take(&a, clip_image_scratch(v, 1), 1));
    return 0;
}

static void model(const char *name, uint64_t fingerprint, struct arena a) {
    struct clip_config c = {0}, d = {.family = &other};
    float want[2 * EMBED] = {0}, got[2 * EMBED] = {0};
    struct weights ws, theirs;
    struct err e = {0};
    char path[128];
    size_t same = 0;

    snprintf(path, sizeof path, "tests/golden/clip/%s.safetensors", name);
    if (!ok(weights_open(&ws, path, &a, &e) == 0, "%s %s", path, e.msg))
        return;
    ok(clip_canonical_names(&ws, &c.family, &e) == 0 && clip_config_from_weights(&c, &ws, &e) == 0 &&
       clip_check_names(&c, &ws, &e) == 0, "%s has %s names %s", name, c.family ? c.family->name : "no", e.msg);
    ok(clip_fingerprint(&c, &ws, a) == fingerprint, "its fingerprint is %016llx", (unsigned long long)fingerprint);
    theirs = rename_all(&ws, &a);    /* without what no network reads */
    ok(clip_config_from_weights(&d, &theirs, &e) == 0 && !memcmp(&c.text, &d.text, sizeof c.text) &&
       !memcmp(&c.vision, &d.vision, sizeof c.vision), "the other names tell the same shapes %s", e.msg);
    ok(clip_check_names(&d, &theirs, &e) == 0, "each is known %s", e.msg);
    ok(clip_fingerprint(&d, &theirs, a) == fingerprint, "the fingerprint does not depend on them");
    for (size_t i = 0; i < theirs.n; i++)
        same += weights_find(&ws, theirs.w[i].name) != NULL;
    ok(same <= 1, "%zu of %zu names are equal", same, theirs.n);
    ok(run(&c, &ws, want, a, &e) == 0 && run(&d, &theirs, got, a, &e) == 0 && !memcmp(want, got, sizeof want),
       "equal embeddings %s", e.msg);
}

int main(void) {
    TAP_ARENA(a, 64);
    model("micro", 0xe49d9c354981ceb5, a);
    model("vit", 0xa1dd3f59c56ad978, a);
    model("rn", 0xff9898c41555090c, a);
    free(a_mem.base);
    return done();
}
