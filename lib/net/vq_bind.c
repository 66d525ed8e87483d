/* The tensor names of each family, the config that a checkpoint's tensors give, and the binding of both halves. */
#include <stdio.h>
#include <string.h>

#include "lib/kernel/packed.h"
#include "lib/net/vq_net.h"

/* What a family calls its parts.  Levels and blocks count from `base`. */
struct vq_names {
    const char *weight, *bias;
    const char *encoder, *decoder;           /* the prefixes of each half's names */
    size_t base;
    const char *in, *out, *norm_out;
    const char *down, *up;                   /* patterns of a block's name: level, then number */
    const char *conv[VQ_STEPS], *norm[VQ_STEPS], *skip;    /* names within a block */
    const char *down_attention, *up_attention;             /* NULL: no attention */
    const char *halve, *twice;               /* convolutions between levels; if NULL, maximum of 2x2; repeated pixels */
    const char *mid[3];                      /* block, attention, block; NULL: no middle */
    enum act act;
    bool fine_first;                         /* the decoder's level 0 is the finest */
    bool scaled;                             /* branches are multiplied by 1 / blocks^2 */
};

static const struct vq_names taming = {
    .weight = ".weight", .bias = ".bias", .encoder = "encoder.", .decoder = "decoder.", .base = 0, .in = "conv_in",
    .out = "conv_out", .norm_out = "norm_out", .down = "down.%zu.block.%zu", .up = "up.%zu.block.%zu",
    .conv = {"conv1", "conv2"}, .norm = {"norm1", "norm2"}, .skip = "nin_shortcut", .down_attention = "down.%zu.attn.%zu",
    .up_attention = "up.%zu.attn.%zu", .halve = "down.%zu.downsample.conv", .twice = "up.%zu.upsample.conv",
    .mid = {"mid.block_1", "mid.attn_1", "mid.block_2"}, .act = ACT_SILU, .fine_first = true,
};

static const struct vq_names openai = {
    .weight = ".w", .bias = ".b", .encoder = "blocks.", .decoder = "blocks.", .base = 1, .in = "input", .out = "output.conv",
    .down = "group_%zu.block_%zu", .up = "group_%zu.block_%zu",
    .conv = {"res_path.conv_1", "res_path.conv_2", "res_path.conv_3", "res_path.conv_4"}, .skip = "id_path", .act = ACT_RELU,
    .scaled = true,
};

/* ---- looking ---- */

/* Returns the prefix of the names of one half. */
static const char *half_of(const struct vq_config *c, bool up) {
    return !up ? c->names->encoder : c->wavelet ? "decoder.decoder." : c->names->decoder;
}

/* Returns the tensor whose name consists of these parts, or NULL. */
static const struct weight *find(const struct weights *ws, const char *prefix, const char *half, const char *name,
                                 const char *suffix) {
    char full[256];

    snprintf(full, sizeof full, "%.60s%.60s%.100s%.20s", prefix, half, name, suffix);
    return weights_find(ws, full);
}

/* Writes a pattern into room, with the level for its first "%zu" and the block for its second.  Returns room. */
static const char *numbered(char room[96], const char *pattern, size_t level, size_t block) {
    char *at = room;

    for (const char *p = pattern; *p && at < room + 64; p++)
        if (!strncmp(p, "%zu", 3)) {
            at += snprintf(at, 24, "%zu", level);
            level = block;
            p += 2;
        } else {
            *at++ = *p;
        }
    *at = 0;
    return room;
}

/* Returns the weights of the first convolution of a block, or NULL. */
static const struct weight *block(const struct vq_config *c, const struct weights *ws, bool up, size_t level, size_t j) {
    const struct vq_names *f = c->names;
    char at[96], name[160];

    numbered(at, up ? f->up : f->down, f->base + level, f->base + j);
    snprintf(name, sizeof name, "%s.%s", at, f->conv[0]);
    return find(ws, c->prefix, half_of(c, up), name, f->weight);
}

static size_t count_levels(const struct vq_config *c, const struct weights *ws, bool up) {
    size_t n = 0;

    while (n <= VQ_LEVELS && block(c, ws, up, n, 0))
        n++;
    return n;
}

static size_t count_blocks(const struct vq_config *c, const struct weights *ws, bool up, size_t level) {
    size_t n = 0;

    while (n <= VQ_BLOCKS && block(c, ws, up, level, n))
        n++;
    return n;
}

static const char *const prefixes[] = {"", "model.", "first_stage_model."};

/* Finds the family and the prefix of the tensors.  Returns false if no family fits. */
static bool recognise(struct vq_config *c, const struct weights *ws) {
    const struct weight *w = weights_find(ws, "blocks.input.w");

    if (w) {
        c->names = &openai;
        return w->t.nd == 4 && block(c, ws, false, 0, 0) != NULL;
    }
    c->names = &taming;
    for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++) {
        c->prefix = prefixes[i];
        c->wavelet = find(ws, c->prefix, "decoder.decoder.", taming.in, taming.weight) != NULL;
        if (block(c, ws, false, 0, 0) || block(c, ws, true, 0, 0))
            return true;
    }
    return false;
}

static bool has(const struct vq_config *c, const struct weights *ws, const char *name) {
    return find(ws, c->prefix, "", name, "") != NULL;
}

bool vq_sniff(const struct weights *ws) {
    struct vq_config c = {.prefix = ""};

    return recognise(&c, ws) && (c.names == &openai || has(&c, ws, "quantize.embedding.weight") ||
                                 has(&c, ws, "quantize.embed.weight") || has(&c, ws, "embedding.weight"));
}

const char *vq_config_name(const struct vq_config *c) {
    if (c->names == &openai)
        return c->encoder ? "dVAE encoder" : "dVAE decoder";
    if (c->wavelet)
        return "Gumbel VQGAN with wavelets";
    return c->pixels == VQ_UNIT ? "VQGAN decoder of min-dalle" : c->nearest ? "VQGAN" : "Gumbel VQGAN";
}

const struct weight *vq_codebook(const struct vq_config *c, const struct weights *ws) {
    return find(ws, c->prefix, "", c->table, "");
}

/* The two halves of a dVAE use equal names.  A block of the encoder begins with a convolution larger than 1x1. */
static int dvae_config(struct vq_config *c, const struct weights *ws, struct err *e) {
    const struct weight *first = block(c, ws, false, 0, 0), *codes;

    c->encoder = first->t.nd == 4 && first->t.shape[2] > 1;
    c->decoder = !c->encoder;
    c->pixels = VQ_LAPLACE;
    c->table = c->encoder ? "blocks.output.conv.w" : "blocks.input.w";
    codes = vq_codebook(c, ws);
    if (!codes || codes->t.nd != 4 || codes->t.shape[2] != 1 || codes->t.shape[3] != 1)
        return err_set(e, "tensor %s is missing or no 1x1 convolution", c->table);
    c->codes = codes->t.shape[c->encoder ? 0 : 1];
    return 0;
}

static int vqgan_config(struct vq_config *c, const struct weights *ws, struct err *e) {
    static const char *const tables[] = {"quantize.embedding.weight", "quantize.embed.weight", "embedding.weight"};
    const struct weight *codes;
    size_t i = 0;

    while (i < 3 && !has(c, ws, tables[i]))
        i++;
    if (i == 3)
        return err_set(e, "no codebook: neither quantize.embedding.weight nor quantize.embed.weight");
    if (has(c, ws, "quantize.used"))
        return err_set(e, "a codebook that is used in part (quantize.used) is not supported");
    c->table = tables[i];
    c->nearest = i == 0;
    c->pixels = i == 2 ? VQ_UNIT : VQ_SIGNED;
    c->eps = i == 2 ? 1e-5f : 1e-6f;
    c->encoder = i < 2 && block(c, ws, false, 0, 0);
    c->decoder = block(c, ws, true, 0, 0) != NULL;
    if (!c->encoder && !c->decoder)
        return err_set(e, "no decoder: %s%s is the codebook of min-dalle's, which has no encoder", c->prefix, c->table);
    codes = vq_codebook(c, ws);
    if (codes->t.nd != 2)
        return err_set(e, "tensor %s%s is not a matrix", c->prefix, c->table);
    c->codes = codes->t.shape[0];
    return 0;
}

int vq_config_from_weights(struct vq_config *c, const struct weights *ws, struct err *e) {
    size_t down, up;

    *c = (struct vq_config){.prefix = "", .eps = 1e-6f};
    if (!recognise(c, ws))
        return err_set(e, "not a discrete autoencoder: it has neither a VQGAN's tensors nor a dVAE's");
    if ((c->names == &openai ? dvae_config(c, ws, e) : vqgan_config(c, ws, e)) < 0)
        return -1;
    if (c->codes < 1 || c->codes > VQ_CODES)
        return err_set(e, "%zu codes are not supported: there must be 1 to %d", c->codes, VQ_CODES);
    down = c->encoder ? count_levels(c, ws, false) : 0;
    up = c->decoder ? count_levels(c, ws, true) : 0;
    if (down > VQ_LEVELS || up > VQ_LEVELS)
        return err_set(e, "more than %d levels are not supported", VQ_LEVELS);
    if (down && up && down != up)
        return err_set(e, "the encoder has %zu levels, but the decoder has %zu", down, up);
    c->factor = (size_t)1 << ((down ? down : up) - 1);
    c->ratio = c->factor << c->wavelet;
    return 0;
}

/* ---- binding ---- */

struct binder {
    struct bind b;
    const struct vq_config *c;
    const struct vq_names *f;
    const char *half;
    struct vq_net *net;
    struct vq_op nowhere;    /* takes what is bound after an error */
    size_t channels;    /* of the feature map that the next operation reads */
    float scale;        /* the factor of each block's branch */
};

static void refuse(struct binder *s, const char *what, const char *name) {
    if (!s->b.bad)
        err_set(s->b.e, "tensor %.200s %s", name, what);
    s->b.bad = true;
}

/* Writes a tensor's name into b.name: prefix, half, `at`, a dot, `name` and suffix.  `at` or `name` may be "". */
static const char *full(struct binder *s, const char *at, const char *name, const char *suffix) {
    return bind_name(&s->b, "%.60s%.60s%.80s%s%.40s%.20s", s->c->prefix, s->half, at, *at && *name ? "." : "", name, suffix);
}

/* Returns the numbers x times a scale.  If the scale is 1, the result is x itself. */
static const float *scaled(struct binder *s, const float *x, size_t n, float scale) {
    float *o = scale == 1 ? NULL : bind_take(&s->b, n, sizeof *o);

    for (size_t i = 0; o && i < n; i++)
        o[i] = x[i] * scale;
    return o ? o : x;
}

/* Bind a convolution that reads ci channels.  The tensor's shape gives its size and the channels that it writes. */
static void bind_named(struct binder *s, struct conv *v, const char *at, const char *name, size_t ci, size_t stride,
                       float scale) {
    const struct weight *w = weights_find(s->b.ws, full(s, at, name, s->f->weight));
    size_t co, side;
    const float *bias, *scales = NULL;
    struct tensor t;

    if (s->b.bad)
        return;
    if (!w || w->t.nd != 4) {
        refuse(s, w ? "is not a convolution" : "is missing", s->b.name);
        return;
    }
    co = w->t.shape[0], side = w->t.shape[2];
    if (!co || co > VQ_WIDTH || side % 2 == 0 || side > 15) {
        refuse(s, "has a shape that is not supported", s->b.name);
        return;
    }
    t = bind_filters(&s->b, s->b.name, co, ci, side, side);
    bias = bind_floats(&s->b, full(s, at, name, s->f->bias), co);
    if (scale != 1) {
        float *p = bind_take(&s->b, co, sizeof *p);
        for (size_t i = 0; p && i < co; i++)
            p[i] = scale;
        scales = p;
    }
    if (s->b.bad)
        return;
    bind_conv(&s->b, v, &t, scales, scaled(s, bias, co, scale), stride, side / 2);
    v->winograd = true;
    v->behind = stride == 2;
}

static struct vq_op *next(struct binder *s) {
    if (s->b.bad || s->net->n == VQ_OPS) {
        refuse(s, "is followed by more layers than are supported", s->b.name);
        return &s->nowhere;
    }
    return &s->net->op[s->net->n++];
}

static void group_norm(struct binder *s, struct gain *g, const char *at, const char *name, size_t n) {
    if (n % VQ_GROUPS) {
        refuse(s, "has a number of channels that is not a multiple of 32", full(s, at, name, ""));
        return;
    }
    *g = bind_gain(&s->b, full(s, at, name, ""), n);
}

/* Bind a convolution before, between or after the levels as one operation. */
static struct vq_op *bind_one(struct binder *s, const char *at, size_t stride) {
    struct vq_op *o = next(s);

    o->kind = VQ_CONVS;
    o->steps = 1;
    bind_named(s, &o->step[0].conv, at, "", s->channels, stride, 1);
    s->channels = o->step[0].conv.out;
    return o;
}

static void bind_block(struct binder *s, const char *at) {
    const struct vq_names *f = s->f;
    struct vq_op *o = next(s);
    size_t ci = s->channels;

    o->kind = VQ_CONVS;
    o->residual = true;
    for (size_t i = 0; i < VQ_STEPS && f->conv[i] && !s->b.bad; i++) {
        struct vq_step *p = &o->step[o->steps++];
        p->act = f->act;
        if (f->norm[i])
            group_norm(s, &p->norm, at, f->norm[i], ci);
        bind_named(s, &p->conv, at, f->conv[i], ci, 1, i + 1 < VQ_STEPS && f->conv[i + 1] ? 1 : s->scale);
        ci = p->conv.out;
    }
    o->has_skip = weights_find(s->b.ws, full(s, at, f->skip, f->weight)) != NULL;
    if (o->has_skip) {
        bind_named(s, &o->skip, at, f->skip, s->channels, 1, 1);
        if (o->skip.out != ci)
            refuse(s, "does not have as many channels as its block", full(s, at, f->skip, f->weight));
    } else if (ci != s->channels) {
        refuse(s, "is missing", full(s, at, f->skip, f->weight));
    }
    s->channels = ci;
}

/* Takes a matrix that is stored as a 1x1 convolution. */
static struct tensor matrix(struct binder *s, const char *at, const char *name, size_t n, size_t k) {
    return bind_filter_rows(&s->b, full(s, at, name, s->f->weight), n, k, 1, 1);
}

static void bind_attention(struct binder *s, const char *at) {
    static const char *const names[] = {"q", "k", "v"};
    struct vq_op *o = next(s);
    struct pixel_attention *p = &o->attention;
    struct tensor w[3], b[3], wo, bo;
    size_t c = s->channels;

    if (s->b.bad)
        return;
    o->kind = VQ_ATTENTION;
    *p = (struct pixel_attention){.c = c, .heads = 1, .groups = VQ_GROUPS, .eps = s->c->eps};
    group_norm(s, &p->norm, at, "norm", c);
    for (int i = 0; i < 3; i++) {
        w[i] = matrix(s, at, names[i], c, c);
        b[i] = bind_vector(&s->b, full(s, at, names[i], s->f->bias), c);
    }
    bind_parts(&s->b, &p->qkv, 3, w, b);
    wo = matrix(s, at, "proj_out", c, c);
    bo = bind_vector(&s->b, full(s, at, "proj_out", s->f->bias), c);
    bind_parts(&s->b, &p->out, 1, &wo, &bo);
}

/* Bind an attention if the file has its tensors. */
static void bind_attention_if(struct binder *s, const char *at) {
    if (weights_find(s->b.ws, full(s, at, "q", s->f->weight)))
        bind_attention(s, at);
}

static void bind_mid(struct binder *s) {
    if (!s->f->mid[0])
        return;
    bind_block(s, s->f->mid[0]);
    bind_attention_if(s, s->f->mid[1]);
    bind_block(s, s->f->mid[2]);
}

/* Bind the blocks of one level.  The first block resamples its input by `resample`. */
static void bind_level(struct binder *s, bool up, size_t level, enum resample resample) {
    const struct vq_names *f = s->f;
    size_t n = count_blocks(s->c, s->b.ws, up, level), first = s->net->n;
    char at[96];

    if (n > VQ_BLOCKS) {
        refuse(s, "is in a level with too many blocks",
               numbered(at, up ? f->up : f->down, f->base + level, f->base + VQ_BLOCKS));
        return;
    }
    for (size_t j = 0; j < n && !s->b.bad; j++) {
        bind_block(s, numbered(at, up ? f->up : f->down, f->base + level, f->base + j));
        if (f->down_attention)
            bind_attention_if(s, numbered(at, up ? f->up_attention : f->down_attention, level, j));
    }
    if (!s->b.bad && first < s->net->n)
        s->net->op[first].resample = resample;
}

static void bind_out(struct binder *s) {
    struct vq_op *o = bind_one(s, s->f->out, 1);

    o->step[0].act = s->f->act;
    if (s->f->norm_out && !s->b.bad)
        group_norm(s, &o->step[0].norm, s->f->norm_out, "", o->step[0].conv.in);
}

/* Bind a convolution whose name is outside the two halves, such as quant_conv. */
static void bind_outside(struct binder *s, const char *name) {
    const char *half = s->half;

    s->half = "";
    bind_one(s, name, 1);
    s->half = half;
}

/* Is this a tensor of one of the halves, of the layers between them, or of what only training needs? */
static bool known(const char *name) {
    static const char *const begin[] = {"loss.", "colorize", "quantize.", "embedding.", "quant_conv.",
                                        "post_quant_conv.", "decoder.idwt.", "decoder.post_quant_conv.", "encoder.", "decoder."};

    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++)
        if (!strncmp(name, begin[i], strlen(begin[i])))
            return true;
    return false;
}

/* Refuse an unused tensor of the half that is being bound, and one whose name is not known at all. */
static void refuse_unused(struct binder *s) {
    const size_t n = strlen(s->c->prefix), half = strlen(s->half);

    for (size_t i = 0; i < s->b.ws->n && !s->b.bad; i++) {
        const struct weight *w = &s->b.ws->w[i];
        const char *name = w->name + n;
        bool mine;

        if (w->used || strncmp(w->name, s->c->prefix, n))
            continue;
        mine = !strncmp(name, s->half, half) && strncmp(name, "decoder.idwt.", 13) && strncmp(name, "decoder.post_quant_conv.", 24);
        if (mine || !known(name))
            refuse(s, "is not part of such a network", w->name);
    }
}

/* Begin to bind one half, with room for its operations. */
static int begin(struct binder *s, struct vq_net *net, bool up) {
    size_t blocks = 0;

    *net = (struct vq_net){.groups = VQ_GROUPS, .eps = s->c->eps, .band = s->c->band};
    s->f = s->c->names;
    s->half = half_of(s->c, up);
    s->net = net;
    for (size_t l = 0; l < count_levels(s->c, s->b.ws, up) && l < VQ_LEVELS; l++)
        blocks += count_blocks(s->c, s->b.ws, up, l);
    s->scale = s->f->scaled ? (float)(1 / ((double)blocks * (double)blocks)) : 1;
    net->op = bind_take(&s->b, VQ_OPS, sizeof *net->op);
    if (net->op)
        memset(net->op, 0, VQ_OPS * sizeof *net->op);
    return s->b.bad ? -1 : 0;
}

/* ---- the encoder ---- */

/* Returns -|e|^2 / 2 of each row e of w. */
static const float *half_squares(struct binder *s, const struct tensor *w) {
    float *o = bind_take(&s->b, w->shape[0], sizeof *o), some[256];

    if (!o || packed_finding(s->b.ws->packed))
        return o;
    for (size_t i = 0; i < w->shape[0]; i++) {
        double sum = 0;
        for (size_t j = 0, m; j < w->shape[1]; j += m) {
            m = w->shape[1] - j < 256 ? w->shape[1] - j : 256;
            tensor_f32(w, i * w->shape[1] + j, i * w->shape[1] + j + m, some);
            for (size_t k = 0; k < m; k++)
                sum += (double)some[k] * (double)some[k];
        }
        o[i] = (float)(-sum / 2);
    }
    return o;
}

static void bind_scores(struct binder *s, struct vq_encoder *v) {
    const struct vq_config *c = s->c;
    struct tensor w, b = {.dtype = DT_F32, .nd = 1, .shape = {c->codes}, .stride = {1}};

    if (s->b.bad)
        return;
    if (c->nearest) {
        s->half = "";
        w = bind_matrix(&s->b, full(s, c->table, "", ""), c->codes, s->channels);
        b.data = s->b.bad ? NULL : half_squares(s, &w);
    } else if (c->names == &openai) {
        w = matrix(s, s->f->out, "", c->codes, s->channels);
        b = bind_vector(&s->b, full(s, s->f->out, "", s->f->bias), c->codes);
    } else {
        s->half = "";
        w = matrix(s, "quantize.proj", "", c->codes, s->channels);
        b = bind_vector(&s->b, full(s, "quantize.proj", "", s->f->bias), c->codes);
    }
    bind_parts(&s->b, &v->scores, 1, &w, &b);
}

struct vq_encoder *vq_bind_encoder(const struct vq_config *c, const struct weights *ws, const struct compute *k,
                                   struct arena *keep, struct err *e) {
    struct binder s = {.b = {.ws = ws, .c = k, .keep = keep, .e = e}, .c = c, .channels = 3};
    struct vq_encoder *v = bind_take(&s.b, 1, sizeof *v);
    const struct vq_names *f = c->names;
    size_t levels = count_levels(c, ws, false);
    char at[96];

    if (!v || begin(&s, &v->net, false) < 0)
        return NULL;
    v->c = *c;
    v->act = ACT_NONE;
    v->net.in = 3;
    bind_one(&s, f->in, 1);
    for (size_t l = 0; l < levels; l++) {
        bind_level(&s, false, l, RESAMPLE_NONE);
        if (l + 1 < levels && f->halve)
            bind_one(&s, numbered(at, f->halve, l, 0), 2);
        else if (l + 1 < levels)
            next(&s)->kind = VQ_POOL;
    }
    bind_mid(&s);
    if (c->names == &openai) {
        v->act = f->act;    /* the last convolution of a dVAE's encoder gives the scores */
    } else {
        bind_out(&s);
        bind_outside(&s, "quant_conv");
    }
    v->net.out = s.channels;
    bind_scores(&s, v);
    s.half = half_of(c, false);
    refuse_unused(&s);
    return s.b.bad ? NULL : v;
}

/* ---- the decoder ---- */

/* Bind the rows of the codebook.  A dVAE stores them as the columns of its decoder's first convolution. */
static void bind_table_of_codes(struct binder *s, struct vq_decoder *v) {
    const struct vq_config *c = s->c;
    const struct weight *t = vq_codebook(c, s->b.ws);
    size_t wide = c->names == &openai ? t->t.shape[0] : t->t.shape[1];

    if (!wide || wide > VQ_WIDTH) {
        refuse(s, "has a shape that is not supported", t->name);
        return;
    }
    if (c->names == &openai) {
        struct tensor w = bind_filters(&s->b, t->name, wide, c->codes, 1, 1);
        w.nd = 2;
        if (s->b.bad)
            return;
        w = tensor_transposed(&w);
        v->row = bind_view(&s->b, t->name, &w);
        v->bias = bind_floats(&s->b, full(s, s->f->in, "", s->f->bias), wide);
    } else {
        v->row = bind_table(&s->b, t->name, c->codes, wide);
        v->bias = NULL;
    }
    s->channels = v->net.in = wide;
}

struct vq_decoder *vq_bind_decoder(const struct vq_config *c, const struct weights *ws, const struct compute *k,
                                   struct arena *keep, struct err *e) {
    struct binder s = {.b = {.ws = ws, .c = k, .keep = keep, .e = e}, .c = c};
    struct vq_decoder *v = bind_take(&s.b, 1, sizeof *v);
    const struct vq_names *f = c->names;
    size_t levels = count_levels(c, ws, true);
    char at[96];

    if (!v || begin(&s, &v->net, true) < 0)
        return NULL;
    v->c = *c;
    bind_table_of_codes(&s, v);
    if (c->names != &openai) {
        bind_outside(&s, c->wavelet ? "decoder.post_quant_conv" : "post_quant_conv");
        bind_one(&s, f->in, 1);
    }
    bind_mid(&s);
    for (size_t i = 0; i < levels; i++) {
        size_t l = f->fine_first ? levels - 1 - i : i;
        bind_level(&s, true, l, i && !f->twice ? RESAMPLE_UP2 : RESAMPLE_NONE);
        if (i + 1 < levels && f->twice)
            bind_one(&s, numbered(at, f->twice, l, 0), 1)->resample = RESAMPLE_UP2;
    }
    bind_out(&s);
    v->net.out = s.channels;
    if (!s.b.bad && s.channels != (c->wavelet ? 12u : c->names == &openai ? 6u : 3u))
        refuse(&s, "does not give as many channels as a picture needs", full(&s, f->out, "", f->weight));
    refuse_unused(&s);
    return s.b.bad ? NULL : v;
}
