#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/size.h"
#include "lib/net/gpt_net.h"

/* What one family calls its tensors.  NULL: the family has no such tensor. */
struct gpt_names {
    const char *family;
    const char *text, *codes, *text_pos, *row, *column, *place;
    const char *layer;                             /* what comes before a layer's number in its tensors' names */
    const char *in, *after_attention, *post, *after_mlp;
    const char *qkv, *q, *k, *v, *out, *fc, *proj;
    const char *final, *head_norm, *head;
    bool head_has_text;                            /* the head scores text tokens too, in its first text_vocab rows */
    const char *ignored;                           /* endings of the names of ignored tensors, separated by "|" */
};

static const struct gpt_names families[] = {
    {
        .family = "ruDALL-E", .text = "text_embeddings.weight", .codes = "image_embeddings.weight",
        .text_pos = "text_pos_embeddings.weight", .row = "image_row_embeddings.weight",
        .column = "image_col_embeddings.weight", .layer = "transformer.layers.", .in = "input_layernorm",
        .after_attention = "before_first_addition_layernorm", .post = "post_attention_layernorm",
        .after_mlp = "before_second_addition_layernorm", .qkv = "attention.query_key_value", .out = "attention.dense",
        .fc = "mlp.dense_h_to_4h", .proj = "mlp.dense_4h_to_h", .final = "transformer.final_layernorm",
        .head_norm = "to_logits.0", .head = "to_logits.1", .head_has_text = true, .ignored = "_mask",
    },
    {
        .family = "minDALL-E", .text = "tok_emb_txt.weight", .codes = "tok_emb_img.weight",
        .text_pos = "pos_emb_txt.weight", .place = "pos_emb_img.weight", .layer = "blocks.", .in = "ln1", .post = "ln2",
        .q = "attn.query", .k = "attn.key", .v = "attn.value", .out = "attn.proj", .fc = "mlp.0", .proj = "mlp.2",
        .final = "ln_f", .head = "head_img", .ignored = "attn.mask|head_txt.weight|head_txt.bias",
    },
};

const struct gpt_names *const gpt_rudalle = &families[0], *const gpt_mindalle = &families[1];

static const struct tensor *find(const struct weights *ws, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static const struct tensor *find(const struct weights *ws, const char *fmt, ...) {
    const struct weight *w;
    char name[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    w = weights_find(ws, name);
    return w ? &w->t : NULL;
}

static bool is_matrix(const struct tensor *t) {
    return t && t->nd == 2 && t->shape[0] && t->shape[1];
}

int gpt_config_from_weights(struct gpt_config *c, const struct weights *ws, struct err *e) {
    const struct gpt_names *f = NULL;
    const struct tensor *text, *codes, *pos, *grid, *fc;

    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        if (find(ws, "%s", families[i].text) && find(ws, "%s", families[i].codes))
            f = &families[i];
    if (!f)
        return err_set(e, "the tensors are not those of a text-to-picture transformer that this program knows");
    text = find(ws, "%s", f->text);
    codes = find(ws, "%s", f->codes);
    pos = find(ws, "%s", f->text_pos);
    grid = find(ws, "%s", f->place ? f->place : f->row);
    fc = find(ws, "%s0.%s.weight", f->layer, f->fc);
    if (!is_matrix(text) || !is_matrix(codes) || !is_matrix(pos) || !is_matrix(grid) || !is_matrix(fc))
        return err_set(e, "%s: embeddings or layer 0 are missing or are not matrices", f->family);
    c->names = f;
    c->width = text->shape[1];
    c->text_vocab = text->shape[0];
    c->codes = codes->shape[0];
    c->mlp = fc->shape[0];
    c->text = pos->shape[0] - !f->place;
    c->side = f->place ? square_root(grid->shape[0]) : grid->shape[0];
    if (f->place && c->side * c->side != grid->shape[0])
        c->side = 0;
    c->sandwich = f->after_attention && find(ws, "%s0.%s.weight", f->layer, f->after_attention);
    for (c->layers = 0; find(ws, "%s%zu.%s.weight", f->layer, c->layers, f->fc);)
        c->layers++;
    if (!c->text || !c->side)
        return err_set(e, "%s: %zu text positions are too few, or %zu picture positions are not a square", f->family,
                       pos->shape[0], grid->shape[0]);
    return 0;
}

static bool sane(const struct gpt_config *c, struct err *e) {
    enum { SIDE_MAX = 64, LAYERS_MAX = 1024, KERNEL_MAX = 13 };

    if (!c->heads || c->width % c->heads)
        return err_set(e, "%zu heads do not divide a width of %zu", c->heads, c->width), false;
    if (c->side > SIDE_MAX || c->layers > LAYERS_MAX)
        return err_set(e, "%zu layers and a grid of %zu tokens a side are more than this program handles", c->layers,
                       c->side), false;
    if (c->sparse && (c->kernel > KERNEL_MAX || c->kernel % 2 == 0))
        return err_set(e, "a window of %zu tokens is not supported: it must be odd and at most %d", c->kernel,
                       KERNEL_MAX), false;
    if (c->pads && c->text_vocab < c->text)
        return err_set(e, "%zu text ids are fewer than the %zu pad ids", c->text_vocab, c->text), false;
    if (c->shifted && (c->first < 0 || (uint64_t)c->first >= c->text_vocab))
        return err_set(e, "the first token is %lld, which is not one of %zu text ids", (long long)c->first,
                       c->text_vocab), false;
    return true;
}

/* Bind `name`.weight and, if the file has it, `name`.bias. */
static void bind_maybe(struct bind *b, struct linear *l, const char *name, size_t n, size_t k) {
    struct tensor w, v;
    char base[200];

    snprintf(base, sizeof base, "%s", name);
    w = bind_matrix(b, bind_name(b, "%s.weight", base), n, k);
    if (!find(b->ws, "%s.bias", base)) {
        bind_parts(b, l, 1, &w, NULL);
        return;
    }
    v = bind_vector(b, bind_name(b, "%s.bias", base), n);
    bind_parts(b, l, 1, &w, &v);
}

static void bind_qkv(struct bind *b, struct gpt_layer *l, const struct gpt_config *c, const char *at) {
    const struct gpt_names *f = c->names;
    const char *const part[3] = {f->q, f->k, f->v};
    struct tensor w[3], v[3];
    bool bias;

    if (f->qkv) {
        bind_maybe(b, &l->qkv, bind_name(b, "%s.%s", at, f->qkv), 3 * c->width, c->width);
        return;
    }
    bias = find(b->ws, "%s.%s.bias", at, f->q);
    for (size_t i = 0; i < 3; i++) {
        w[i] = bind_matrix(b, bind_name(b, "%s.%s.weight", at, part[i]), c->width, c->width);
        if (bias)
            v[i] = bind_vector(b, bind_name(b, "%s.%s.bias", at, part[i]), c->width);
    }
    bind_parts(b, &l->qkv, 3, w, bias ? v : NULL);
}

static void bind_layer(struct bind *b, struct gpt_layer *l, const struct gpt_config *c, size_t i) {
    const struct gpt_names *f = c->names;
    const size_t d = c->width;
    char at[160];

    snprintf(at, sizeof at, "%s%zu", f->layer, i);
    *l = (struct gpt_layer){.in = bind_gain(b, bind_name(b, "%s.%s", at, f->in), d)};
    l->post = bind_gain(b, bind_name(b, "%s.%s", at, f->post), d);
    if (c->sandwich) {
        l->after_attention = bind_gain(b, bind_name(b, "%s.%s", at, f->after_attention), d);
        l->after_mlp = bind_gain(b, bind_name(b, "%s.%s", at, f->after_mlp), d);
    }
    bind_qkv(b, l, c, at);
    bind_maybe(b, &l->out, bind_name(b, "%s.%s", at, f->out), d, d);
    bind_maybe(b, &l->fc, bind_name(b, "%s.%s", at, f->fc), c->mlp, d);
    bind_maybe(b, &l->proj, bind_name(b, "%s.%s", at, f->proj), d, c->mlp);
}

/* Bind the rows of the head that score picture tokens. */
static void bind_head(struct bind *b, struct gpt *g) {
    const struct gpt_config *c = &g->c;
    const size_t before = c->names->head_has_text ? c->text_vocab : 0, rows = before + c->codes;
    struct tensor w = bind_matrix(b, bind_name(b, "%s.weight", c->names->head), rows, c->width), v;
    bool bias = find(b->ws, "%s.bias", c->names->head);

    if (bias)
        v = bind_vector(b, bind_name(b, "%s.bias", c->names->head), rows);
    if (b->bad)
        return;
    w = tensor_rows(&w, before, rows);
    if (bias)
        v = tensor_rows(&v, before, rows);
    bind_parts(b, &g->head, 1, &w, bias ? &v : NULL);
}

static bool ends_in(const char *name, const char *ends) {
    for (size_t n; *ends; ends += n + (ends[n] == '|')) {
        n = strcspn(ends, "|");
        if (strlen(name) >= n && !strncmp(name + strlen(name) - n, ends, n))
            return true;
    }
    return false;
}

struct gpt *gpt_bind(const struct gpt_config *c, const struct weights *ws, const struct compute *k, struct arena *keep,
                     struct err *e) {
    const struct gpt_names *f = c->names;
    struct bind b = {.ws = ws, .c = k, .keep = keep, .e = e};
    const size_t d = c->width;
    struct gpt *g;

    if (!sane(c, e) || !(g = bind_take(&b, 1, sizeof *g)))
        return NULL;
    *g = (struct gpt){.c = *c};
    g->text = bind_rows(&b, f->text, c->text_vocab, d);
    g->codes = bind_rows(&b, f->codes, c->codes, d);
    g->text_pos = bind_table(&b, f->text_pos, c->text + !f->place, d);
    if (f->place) {
        g->place = bind_table(&b, f->place, c->side * c->side, d);
    } else {
        g->row = bind_table(&b, f->row, c->side, d);
        g->column = bind_table(&b, f->column, c->side, d);
    }
    g->layer = bind_take(&b, c->layers, sizeof *g->layer);
    for (size_t i = 0; i < c->layers && !b.bad; i++)
        bind_layer(&b, &g->layer[i], c, i);
    g->final = bind_gain(&b, f->final, d);
    if (f->head_norm)
        g->head_norm = bind_gain(&b, f->head_norm, d);
    bind_head(&b, g);
    for (size_t i = 0; i < ws->n; i++)
        if (ends_in(ws->w[i].name, f->ignored))
            ws->w[i].used = true;
    bind_refuse_unused(&b, f->family);
    return b.bad ? NULL : g;
}
