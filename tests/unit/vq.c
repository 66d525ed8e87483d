/* threads */
/* The discrete autoencoders against golden forwards of the projects' own classes (torch 2.13 in f32, tests/golden/dalle):
 * OpenAI's dVAE, taming's VQModel and GumbelVQ, ruDALL-E's wavelet decoder, min-dalle's decoder, minDALL-E's first
 * stage; and that nothing depends on batches, bands and threads. */
#include "lib/net/vq.h"

#include "formats/checkpoint/weights.h"
#include "lib/base/cpu.h"
#include "lib/base/pool.h"
#include "lib/kernel/kern.h"
#include "lib/layer/feature_map.h"
#include "tests/kernels.h"
#include "tests/tap.h"

#define GOLDEN "tests/golden/dalle/"

/* One checkpoint, bound. */
struct net {
    struct weights w;
    struct vq_config c;
    struct vq_encoder *enc;
    struct vq_decoder *dec;
};

static int open_net(struct net *n, const char *file, size_t band, const struct compute *k, struct arena *a) {
    struct err e = {0};
    char path[128];

    memset(n, 0, sizeof *n);
    snprintf(path, sizeof path, GOLDEN "%s", file);
    if (!ok(weights_open(&n->w, path, a, &e) == 0 && vq_sniff(&n->w) && vq_config_from_weights(&n->c, &n->w, &e) == 0,
            "%s is recognised %s", file, e.msg))
        return 0;
    n->c.band = band;
    n->enc = n->c.encoder ? vq_bind_encoder(&n->c, &n->w, k, a, &e) : NULL;
    n->dec = n->c.decoder ? vq_bind_decoder(&n->c, &n->w, k, a, &e) : NULL;
    return ok((n->enc || !n->c.encoder) && (n->dec || !n->c.decoder), "%s: %s of %zu codes, f %zu, binds %s", file,
              vq_config_name(&n->c), n->c.codes, n->c.factor, e.msg);
}

/* A golden tensor as f32, and its last two sides. */
static const float *get(const struct weights *io, struct arena *a, const char *name, size_t *y, size_t *x) {
    struct weight *w = weights_find(io, name);

    if (!w) {
        ok(0, "golden %s", name);
        exit(1);
    }
    if (y && w->t.nd >= 2)
        *y = w->t.shape[w->t.nd - 2], *x = w->t.shape[w->t.nd - 1];
    return tensor_all_f32(&w->t, a);
}

/* image_u8 [1, y, x, 3] as records have it. */
static float *picture(const struct weights *io, struct arena *a, const char *name, size_t *y, size_t *x) {
    const struct weight *w = weights_find(io, name);
    const float *p = get(io, a, name, NULL, NULL);
    float *o;

    *y = w->t.shape[1], *x = w->t.shape[2];
    o = arena_take(a, 3 * *y * *x, sizeof *o);
    feature_map_channels_first(p, 1, 3, *y * *x, o);
    for (size_t i = 0; i < 3 * *y * *x; i++)
        o[i] = o[i] / 127.5f - 1;
    return o;
}

static void load(struct weights *io, const char *file, struct arena *a) {
    struct err e = {0};
    char path[128];

    snprintf(path, sizeof path, GOLDEN "%s/io.safetensors", file);
    ok(weights_open(io, path, a, &e) == 0, "%s %s", path, e.msg);
}

/* Tokens of a picture equal; logits [1, V, h, w] within rel of their largest, where scores are given. */
static void encodes(const struct net *n, const struct compute *k, const struct weights *io, const char *image, const char *want,
                    const char *scores, double rel, struct arena a) {
    size_t y, x, f = n->c.factor, cells;
    const float *p = picture(io, &a, image, &y, &x), *t = get(io, &a, want, NULL, NULL);
    float *raw, *first;
    struct err e = {0};
    int *tokens, same = 1;
    char what[120];

    cells = y / f * (x / f);
    tokens = arena_take(&a, cells, sizeof *tokens);
    ok(vq_encode(n->enc, k, 1, y, x, p, tokens, a, &e) == 0, "%s encodes %s", image, e.msg);
    for (size_t i = 0; i < cells; i++)
        same &= tokens[i] == (int)t[i];
    ok(same, "%s: the tokens of %zux%zu pixels are equal, %s", want, x, y, k->kern->name);
    if (!scores)
        return;
    raw = arena_take(&a, cells * n->c.codes, sizeof *raw);
    first = arena_take(&a, cells * n->c.codes, sizeof *raw);
    vq_encode_raw(n->enc, k, 1, y, x, p, raw, a, &e);
    feature_map_channels_first(raw, 1, n->c.codes, cells, first);
    snprintf(what, sizeof what, "%s, %s", scores, k->kern->name);
    close_to(first, get(io, &a, scores, NULL, NULL), cells * n->c.codes, 0, rel, what);
}

/* Pictures of tokens: what the network gives [n, c, y, x] where it is named, and the pictures, which are stored in [0, 1]. */
static void decodes(const struct net *n, const struct compute *k, const struct weights *io, const char *tokens, size_t h,
                    const char *raw, double rel, const char *image, double unit, struct arena a) {
    const float *t = get(io, &a, tokens, NULL, NULL);
    size_t count, cells, ch, pixels;
    float *out, *first;
    struct err e = {0};
    char what[120];
    int *id;

    tensor_count(&weights_find(io, tokens)->t, &cells);
    count = weights_find(io, tokens)->t.shape[0];
    id = arena_take(&a, cells, sizeof *id);
    for (size_t i = 0; i < cells; i++)
        id[i] = (int)t[i];
    cells /= count;
    if (raw) {
        struct weight *w = weights_find(io, raw);
        ch = w->t.shape[1], pixels = w->t.shape[2] * w->t.shape[3];
        out = arena_take(&a, count * ch * pixels, sizeof *out), first = arena_take(&a, count * ch * pixels, sizeof *out);
        ok(vq_decode_raw(n->dec, k, count, h, cells / h, id, out, a, &e) == 0, "%s decodes %s", tokens, e.msg);
        feature_map_channels_first(out, count, ch, pixels, first);
        snprintf(what, sizeof what, "%s of %s, %s", raw, tokens, k->kern->name);
        close_to(first, get(io, &a, raw, NULL, NULL), count * ch * pixels, 0, rel, what);
    }
    if (!image)
        return;
    pixels = cells * n->c.ratio * n->c.ratio;
    out = arena_take(&a, count * 3 * pixels, sizeof *out);
    ok(vq_decode(n->dec, k, count, h, cells / h, id, out, a, &e) == 0, "%s decodes %s", tokens, e.msg);
    for (size_t i = 0; i < count * 3 * pixels; i++)
        out[i] = 0.5f * out[i] + 0.5f;
    snprintf(what, sizeof what, "%s of %s, %s", image, tokens, k->kern->name);
    close_to(out, get(io, &a, image, NULL, NULL), count * 3 * pixels, 0, unit, what);
}

/* Bounds: at most four times what was observed with the tables of c, blis and avx2, and at most what torch itself differs
 * by from f64: 3e-6 (dVAE), 1e-5 (VQGAN). */
static void golden(const struct compute *k, struct arena a) {
    struct weights io;
    struct net n, d;

    load(&io, "dvae", &a);
    if (open_net(&n, "dvae/encoder.pkl", 0, k, &a) && open_net(&d, "dvae/decoder.pkl", 0, k, &a)) {
        ok(!tensor_is_contiguous(&weights_find(&n.w, "blocks.group_1.block_1.res_path.conv_1.w")->t), "its weights are permuted");
        encodes(&n, k, &io, "image_u8", "tokens", "z_logits", 1.8e-6, a);
        encodes(&n, k, &io, "ns.image_u8", "ns.tokens", NULL, 0, a);
        decodes(&d, k, &io, "tokens", 8, "x_stats", 1.8e-6, "rec", 2.8e-6, a);
        decodes(&d, k, &io, "ns.tokens", 5, NULL, 0, "ns.rec", 2.8e-6, a);
    }
    if (open_net(&n, "dvae/encoder_legacy.pkl", 0, k, &a))
        encodes(&n, k, &io, "image_u8", "legacy.tokens", "legacy.z_logits", 1.5e-6, a);
    if (open_net(&n, "dvae/encoder.safetensors", 0, k, &a))
        encodes(&n, k, &io, "image_u8", "tokens", NULL, 0, a);
    load(&io, "vqgan/vq", &a);
    if (open_net(&n, "vqgan/vq/model.ckpt", 0, k, &a)) {
        encodes(&n, k, &io, "image_u8", "indices", NULL, 0, a);
        encodes(&n, k, &io, "ns.image_u8", "ns.indices", NULL, 0, a);
        decodes(&n, k, &io, "indices", 16, "dec.out", 1e-5, "rec", 1e-5, a);
        decodes(&n, k, &io, "ns.codes", 6, "ns.out", 7e-6, NULL, 0, a);
    }
    load(&io, "vqgan/gumbel", &a);
    if (open_net(&n, "vqgan/gumbel/model.ckpt", 0, k, &a)) {
        encodes(&n, k, &io, "image_u8", "indices", "proj_logits", 1e-5, a);
        decodes(&n, k, &io, "indices", 16, NULL, 0, "rec", 5e-6, a);
        decodes(&n, k, &io, "codes", 16, NULL, 0, "codes_out", 6e-6, a);
    }
    load(&io, "vqgan/gumbel_dwt", &a);
    if (open_net(&n, "vqgan/gumbel_dwt/model.ckpt", 0, k, &a)) {
        ok(n.c.ratio == 2 * n.c.factor, "the wavelet decoder doubles the side");
        decodes(&n, k, &io, "codes", 16, "freq", 3e-6, "out", 4e-6, a);
    }
    load(&io, "dallemini", &a);
    if (open_net(&n, "dallemini/detoker.pt", 0, k, &a)) {
        ok(!n.enc && n.c.pixels == VQ_UNIT, "min-dalle's file has no encoder, and pixels in [0, 1]");
        decodes(&n, k, &io, "sample.tokens", 16, "sample.decoded", 3.2e-6, "sample.picture", 3.8e-6, a);
    }
    load(&io, "mindalle", &a);
    if (open_net(&n, "mindalle/stage1_last.ckpt", 0, k, &a)) {
        encodes(&n, k, &io, "codes.image_u8", "codes", NULL, 0, a);
        decodes(&n, k, &io, "sample.tokens", 16, NULL, 0, "sample.picture", 3.6e-6, a);
    }
}

/* Two pictures that are no squares, at once, by themselves, in bands, on one thread: the same bytes. */
static void same(const struct compute *k, const char *file, struct arena a) {
    enum { N = 2 };
    struct compute one = {.kern = k->kern, .pool = NULL};
    struct err e = {0};
    struct net n;
    size_t f, y, x, cells, pixels;
    float *in, *out, *got;
    int *t, *u;

    if (!open_net(&n, file, 0, k, &a))
        return;
    f = n.c.factor, y = 5 * f, x = 10 * f, cells = 50, pixels = 3 * cells * n.c.ratio * n.c.ratio;
    in = arena_take(&a, N * 3 * y * x, 4), out = arena_take(&a, N * pixels, 4), got = arena_take(&a, N * pixels, 4);
    t = arena_take(&a, N * cells, 4), u = arena_take(&a, N * cells, 4);
    for (size_t i = 0; i < N * 3 * y * x; i++)
        in[i] = (float)((i * 37 + i / 50 * 11) % 101) / 50 - 1;
    for (size_t i = 0; i < N * cells; i++)
        t[i] = (int)(i * 7 % n.c.codes);
    if (n.enc)
        ok(vq_encode(n.enc, k, N, y, x, in, t, a, &e) == 0, "%s encodes, %s %s", file, k->kern->name, e.msg);
    if (n.dec)
        ok(vq_decode(n.dec, k, N, 5, 10, t, out, a, &e) == 0, "%s decodes, %s %s", file, k->kern->name, e.msg);
    for (size_t i = 0; i < N; i++) {
        if (n.enc)
            ok(vq_encode(n.enc, &one, 1, y, x, in + i * 3 * y * x, u, a, &e) == 0 && !memcmp(u, t + i * cells, cells * sizeof *t),
               "alone it gives the same tokens");
        if (n.dec)
            ok(vq_decode(n.dec, &one, 1, 5, 10, t + i * cells, got, a, &e) == 0 && !memcmp(got, out + i * pixels, pixels * sizeof *got),
               "alone it gives the same bytes");
    }
    for (size_t band = 1; band < 10000; band += 4000) {
        struct arena b = a;
        struct net m;
        if (!open_net(&m, file, band, k, &b))
            return;
        if (n.enc)
            ok(vq_encode(m.enc, k, N, y, x, in, u, b, &e) == 0 && !memcmp(u, t, N * cells * sizeof *t),
               "bands of %zu floats give the same tokens", band);
        if (n.dec)
            ok(vq_decode(m.dec, k, N, 5, 10, t, got, b, &e) == 0 && !memcmp(got, out, N * pixels * sizeof *got),
               "bands of %zu floats give the same bytes", band);
    }
    a.end = a.at + 100000;
    e.msg[0] = 0;
    if (n.enc) {
        ok(vq_encode(n.enc, k, 1, y, x + 1, in, u, a, &e) < 0, "a side that does not divide is refused: %s", e.msg);
        ok(vq_encode(n.enc, k, 1, y, x, in, u, a, &e) < 0, "too little scratch: %s", e.msg);
    } else {
        ok(vq_decode(n.dec, k, 1, 5, 10, t, got, a, &e) < 0, "too little scratch: %s", e.msg);
    }
}

/* What must be refused, by name: tensors that are missing, too many, of other shapes. */
static void refusals(const struct compute *k, struct arena a) {
    static const struct {
        const char *file, *from, *to, *say;    /* a tensor's name, and what it is called instead */
    } cases[] = {
        {"vqgan/vq/model.ckpt", "encoder.mid.block_1.conv1.weight", "loss.x", "tensor encoder.mid.block_1.conv1.weight is missing"},
        {"vqgan/vq/model.ckpt", "encoder.mid.block_1.norm1.bias", "loss.x", "tensor encoder.mid.block_1.norm1.bias is missing, expected [64]"},
        {"vqgan/vq/model.ckpt", "loss.logvar", "encoder.temb.weight", "tensor encoder.temb.weight is not part of such a network"},
        {"vqgan/vq/model.ckpt", "loss.logvar", "temb.weight", "tensor temb.weight is not part of such a network"},
        {"vqgan/vq/model.ckpt", "loss.logvar", "quantize.used", "a codebook that is used in part (quantize.used) is not supported"},
        {"vqgan/vq/model.ckpt", "quantize.embedding.weight", "loss.x",
         "no codebook: neither quantize.embedding.weight nor quantize.embed.weight"},
        {"vqgan/vq/model.ckpt", "encoder.down.2.block.0.nin_shortcut.weight", "loss.x",
         "tensor encoder.down.2.block.0.nin_shortcut.weight is missing"},
        {"vqgan/vq/model.ckpt", "encoder.conv_in.weight", "encoder.conv_in.bias", "tensor encoder.conv_in.bias occurs twice"},
        {"dvae/encoder.pkl", "blocks.group_2.block_1.id_path.b", "blocks.x",
         "tensor blocks.group_2.block_1.id_path.b is missing, expected [24]"},
        {"dvae/encoder.pkl", "blocks.output.conv.w", "blocks.x", "tensor blocks.output.conv.w is missing or no 1x1 convolution"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct arena b = a;
        struct weights w;
        struct weight *t;
        struct vq_config c;
        struct err e = {0};
        char path[128];

        snprintf(path, sizeof path, GOLDEN "%s", cases[i].file);
        if (weights_open(&w, path, &b, &e) < 0 || !(t = weights_find(&w, cases[i].from))) {
            ok(0, "%s has %s %s", path, cases[i].from, e.msg);
            continue;
        }
        t->name = cases[i].to;
        if (weights_sort(&w, &e) == 0 && vq_config_from_weights(&c, &w, &e) == 0)
            ok(!vq_bind_encoder(&c, &w, k, &b, &e), "%s", e.msg);
        ok(!strcmp(e.msg, cases[i].say), "refused: %s (%s)", cases[i].say, e.msg);
    }
}

/* A file with blocks of an encoder only, and with the codebook of a family that has no encoder. */
static void no_half(void) {
    struct weight w[] = {
        {.name = "embedding.weight", .t = {.nd = 2, .shape = {16, 4}}},
        {.name = "encoder.down.0.block.0.conv1.weight", .t = {.nd = 4, .shape = {32, 32, 3, 3}}},
    };
    struct weights ws = {.w = w, .n = 2};
    struct vq_config c;
    struct err e = {0};

    ok(weights_sort(&ws, &e) == 0 && vq_sniff(&ws), "an encoder with embedding.weight looks like a VQGAN %s", e.msg);
    ok(vq_config_from_weights(&c, &ws, &e) < 0 &&
           !strcmp(e.msg, "no decoder: embedding.weight is the codebook of min-dalle's, which has no encoder"),
       "refused: %s", e.msg);
}

int main(void) {
    const char *arch = cpu_blis_arch();    /* as programs do */
    TAP_ARENA(a, 256);
    struct err e = {0};
    struct compute k = {.kern = &kern_c, .pool = pool_start(&a, 2, &e)};
    const struct kern *list;

    if (arch)
        setenv("BLIS_ARCH_TYPE", arch, 0);
    refusals(&k, a);
    no_half();
    for (size_t i = 0; (list = kern_tried(i)); i++) {
        k.kern = list;
        same(&k, "vqgan/vq/model.ckpt", a);
        same(&k, "dvae/decoder.pkl", a);
        if (i == 0) {
            same(&k, "vqgan/gumbel_dwt/model.ckpt", a);
            same(&k, "dvae/encoder_legacy.pkl", a);
        }
        if (list->precision == PREC_F32)
            golden(&k, a);
    }
    pool_stop(k.pool);
    free(a_mem.base);
    return done();
}
