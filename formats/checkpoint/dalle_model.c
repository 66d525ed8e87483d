#include "formats/checkpoint/dalle_model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "formats/checkpoint/find.h"
#include "formats/checkpoint/weights.h"
#include "formats/checkpoint/word_bpe_files.h"
#include "formats/io/json_text.h"
#include "formats/io/pathname.h"
#include "formats/io/yaml_text.h"
#include "lib/net/clip.h"

enum { MINI_CODES = 16384 };

/* The files and settings that were found, before the network is bound. */
struct part {
    struct dalle_model *m;
    bool tokenizer_alone;
    struct weights_file weights, decoder;    /* DALL-E mini: weights is the encoder's file, decoder the decoder's */
    const char *file, *decoder_file, *dir;
    struct gpt_config gpt;
    struct bart_config bart;
    bool is_bart;
};

/* ---- configs ---- */

/* Reads the file `name` in dir, which must be a JSON object.  Returns NULL and sets *r to 0 when the directory lacks the file,
 * and to FAILED when the file cannot be read. */
static json_t *config_json(struct find *f, const char *dir, const char *name, const char **file, int *r) {
    struct err inner = {0};
    struct mapfile m;
    json_t *j;

    *r = 0;
    *file = path_join(f->a, dir, name);
    if (!path_is_file(*file))
        return NULL;
    if ((*r = find_map(f, *file, &m)) < 0)
        return NULL;
    j = json_object_load(m.p, m.n, &inner);
    mapfile_close(&m);
    if (!j)
        *r = find_failed(f, *file, &inner);
    return j;
}

static bool says(const json_t *j, const char *key, const char *value) {
    const char *s = json_string_value(json_get(j, key));

    return s && !strcmp(s, value);
}

/* Returns whether the file has a window mask whose element (q, k) is set. */
static bool masked_in(const struct weights *ws, size_t q, size_t k) {
    const struct weight *w = weights_find(ws, "transformer.conv_mask");
    struct tensor row;
    float v;

    if (!w)
        w = weights_find(ws, "conv_mask");
    if (!w || w->t.nd != 2 || q >= w->t.shape[0] || k >= w->t.shape[1])
        return false;
    row = tensor_rows(&w->t, q, q + 1);
    tensor_f32(&row, k, k + 1, &v);
    return v > 0;
}

/* Returns the number of heads of a published ruDALL-E model, whose file does not give it, or 0 for other models. */
static size_t known_heads(const struct gpt_config *c) {
    static const struct {
        size_t layers, width, heads;
    } known[] = {{24, 2048, 16}, {64, 3840, 60}, {12, 768, 12}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].layers == c->layers && known[i].width == c->width)
            return known[i].heads;
    return 0;
}

static int rudalle(struct find *f, struct part *p) {
    struct gpt_config *c = &p->gpt;
    const size_t window = c->text + 10 * c->side;
    struct err inner = {0};
    const char *file;
    int r;
    json_t *j = config_json(f, p->dir, "config.json", &file, &r);
    /* the mask of a key at the other end of the row is set only if windows wrap (v2) */
    bool v2 = c->side > 10 && masked_in(&p->weights.weights, window + c->side - 1, window);
    double first = 2, kernel = 11;

    if (r < 0)
        return FAILED;
    c->heads = known_heads(c);
    c->act = ACT_GELU_TANH;
    c->sparse = c->pads = true;
    if (j) {
        v2 = says(j, "hf_version", "v2") || says(j, "hf_version", "v1") || (v2 && !says(j, "hf_version", "v3"));
        c->wrap = v2;
        c->shifted = v2 || json_get(j, "bos_token_id");
        if (says(j, "activation", "gelu"))
            c->act = ACT_GELU;
        if (json_get(j, "num_attention_heads"))
            r = json_get_size(j, "num_attention_heads", &c->heads, &inner);
        if (r < 0 || json_get_bool(j, "conv_wrap", &c->wrap, &inner) < 0 ||
            json_get_real(j, "bos_token_id", &first, 0, 1e9, &inner) < 0 ||
            json_get_real(j, "kernel", &kernel, 1, 13, &inner) < 0)
            r = find_failed(f, file, &inner);
        json_decref(j);
        if (r < 0)
            return FAILED;
    } else {
        c->wrap = c->shifted = v2;
    }
    c->first = (int64_t)first;
    c->kernel = (size_t)kernel;
    p->m->family = v2 ? "ruDALL-E v2" : "ruDALL-E v3";
    p->m->rules = (struct token_rules){TOKEN_HF, 1, 0.995, 2048};
    if (c->heads)
        return FOUND;
    err_set(&inner,
            "a config.json with num_attention_heads is needed next to it: "
            "%zu layers of width %zu are not a published model",
            c->layers, c->width);
    return find_failed(f, p->file, &inner);
}

static int mindalle(struct find *f, struct part *p) {
    const char *file = path_join(f->a, p->dir, "config.yaml");
    struct gpt_config *c = &p->gpt;
    struct err inner = {0};
    struct yaml_text y;
    struct mapfile m;
    bool approximate = false;
    int r = 0;

    c->heads = c->width / 64;
    if (path_is_file(file)) {
        const yaml_node_t *h;

        if (find_map(f, file, &m) < 0)
            return FAILED;
        if (yaml_text_load(&y, m.p, m.n, &inner) < 0) {
            mapfile_close(&m);
            return find_failed(f, file, &inner);
        }
        h = yaml_path(&y, yaml_text_root(&y), "stage2.hparams");
        r = yaml_get_size(&y, h, "n_heads", &c->heads, &inner) < 0 ||
                    yaml_get_bool(&y, h, "gelu_use_approx", &approximate, &inner) < 0
                ? -1
                : 0;
        yaml_text_free(&y);
        mapfile_close(&m);
        if (r < 0)
            return find_failed(f, file, &inner);
    }
    c->act = approximate ? ACT_QUICK_GELU : ACT_GELU;
    p->m->family = "minDALL-E";
    p->m->rules = (struct token_rules){TOKEN_MINDALLE, 1, 1, 256};
    return FOUND;
}

/* Checks the keys of dalle-mini's config that change the network and leave no trace in the tensors. */
static int same_network(const json_t *j, struct err *e) {
    static const struct {
        const char *key;
        bool supported;
    } known[] = {{"use_glu", true}, {"use_bias", false}, {"use_deepnet_scaling", false}, {"use_cosine_attention", false},
                 {"use_head_scale", false}, {"use_alibi", false}, {"scale_embedding", false}};

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        bool on = known[i].supported;

        if (json_get_bool(j, known[i].key, &on, e) < 0)
            return -1;
        if (on != known[i].supported)
            return err_set(e, "%s is %s, and only %s is supported", known[i].key, on ? "true" : "false", on ? "false" : "true");
    }
    if (json_get(j, "ln_type") && !says(j, "ln_type", "layernorm"))
        return err_set(e, "ln_type is not layernorm, and only layernorm is supported");
    if (json_get(j, "ln_positions") && !says(j, "ln_positions", "normformer"))
        return err_set(e, "ln_positions is not normformer, and only normformer is supported");
    return 0;
}

static int mini(struct find *f, struct part *p) {
    struct bart_config *c = &p->bart;
    struct err inner = {0};
    const char *file;
    double start = -1;
    int r;
    json_t *j = config_json(f, p->dir, word_bpe_is_mini(p->dir) ? "config_mini.json" : "config.json", &file, &r);

    if (r < 0)
        return FAILED;
    c->encoder_heads = c->decoder_heads = c->width / 64;
    if (j) {
        if ((json_get(j, "encoder_attention_heads") && json_get_size(j, "encoder_attention_heads", &c->encoder_heads, &inner) < 0) ||
            (json_get(j, "decoder_attention_heads") && json_get_size(j, "decoder_attention_heads", &c->decoder_heads, &inner) < 0) ||
            json_get_real(j, "decoder_start_token_id", &start, 0, 1e9, &inner) < 0 || same_network(j, &inner) < 0)
            r = find_failed(f, file, &inner);
        json_decref(j);
        if (r < 0)
            return FAILED;
    }
    c->codes = start > 0 ? (size_t)start : c->picture_vocab > MINI_CODES ? MINI_CODES : c->picture_vocab - 1;
    c->start = c->codes;
    p->m->family = "DALL-E mini";
    p->m->rules = (struct token_rules){TOKEN_CFG, 1, 1, 256};
    p->m->guidance = 16;
    return FOUND;
}

/* ---- files ---- */

static void unload(const struct weights_file *w) {
    for (size_t i = 0; i < w->nmap; i++)
        mapfile_close(&w->map[i]);
}

/* Try a weights file as a decoder-only transformer. */
static int try_gpt(struct find *f, const char *file, struct part *p) {
    struct arena before = *f->a;
    struct err inner = {0};

    if (weights_load(&p->weights, file, f->a, &inner) < 0) {
        err_set(&f->why, "%.80s: %.200s", path_base(file), inner.msg);
        return NOT_HERE;
    }
    p->gpt = (struct gpt_config){.first = 2};
    if (gpt_config_from_weights(&p->gpt, &p->weights.weights, &inner) < 0) {
        unload(&p->weights);
        *f->a = before;
        err_set(&f->why, "%.80s: not a transformer that draws picture tokens", path_base(file));
        return NOT_HERE;
    }
    p->file = file;
    p->dir = path_folder(f->a, file);
    return p->gpt.names == gpt_rudalle ? rudalle(f, p) : mindalle(f, p);
}

static int try_bart(struct find *f, const char *dir, struct part *p) {
    static const char *const names[][2] = {
        {"encoder.pt", "decoder.pt"}, {"encoder_mini.pt", "decoder_mini.pt"},
        {"encoder.safetensors", "decoder.safetensors"},
    };

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct arena before = *f->a;
        struct err inner = {0};
        const char *encoder = path_join(f->a, dir, names[i][0]), *decoder = path_join(f->a, dir, names[i][1]);

        if (!path_is_file(encoder) || !path_is_file(decoder))
            continue;
        if (weights_load(&p->weights, encoder, f->a, &inner) < 0)
            return find_failed(f, encoder, &inner);
        if (weights_load(&p->decoder, decoder, f->a, &inner) < 0)
            return find_failed(f, decoder, &inner);
        if (bart_config_from_weights(&p->bart, &p->weights.weights, &p->decoder.weights, &inner) < 0) {
            err_set(&f->why, "%.80s: %.200s", names[i][0], inner.msg);
            unload(&p->weights);
            unload(&p->decoder);
            *f->a = before;
            continue;
        }
        p->is_bart = true;
        p->file = encoder;
        p->decoder_file = decoder;
        p->dir = dir;
        return mini(f, p);
    }
    return NOT_HERE;
}

static int in_dir(struct find *f, const char *dir, struct part *p) {
    static const char *const names[] = {
        "model.safetensors", "pytorch_model_v3.safetensors", "pytorch_model_v3.bin", "pytorch_model_v2.safetensors",
        "pytorch_model_v2.bin", "pytorch_model.bin", "stage2_last.ckpt",
    };
    int r = try_bart(f, dir, p);

    for (size_t i = 0; i < sizeof names / sizeof *names && r == NOT_HERE; i++) {
        const char *file = path_join(f->a, dir, names[i]);

        if (path_is_file(file))
            r = try_gpt(f, file, p);
    }
    return r;
}

static const char *const subdirs[] = {"dalle", "dalle_bart_mini", "dalle_bart_mega"};

static int look(void *ctx, struct find *f) {
    struct part *p = ctx;
    int r;

    if (path_is_file(f->path))
        return try_gpt(f, f->path, p);
    r = in_dir(f, f->path, p);
    for (size_t i = 0; i < sizeof subdirs / sizeof *subdirs && r == NOT_HERE; i++) {
        const char *dir = path_join(f->a, f->path, subdirs[i]);

        if (path_is_dir(dir))
            r = in_dir(f, dir, p);
    }
    if (r == NOT_HERE && !f->why.msg[0])
        err_set(&f->why, "no weights of such a model in it");
    return r;
}

/* ---- the tokenizer ---- */

static int tokenizer_in(struct find *f, const char *dir, struct dalle_model *m) {
    int r = word_bpe_open_dir(&m->bpe, dir, f->a, f->e);

    return r < 0 ? FAILED : r;
}

static int look_for_tokenizer(void *ctx, struct find *f) {
    struct dalle_model *m = ctx;
    const char *dir = path_is_file(f->path) ? path_folder(f->a, f->path) : f->path;
    int r;

    if (path_is_file(f->path) && !strcmp(path_base(f->path), "bpe.model"))
        return tokenizer_in(f, f->path, m);
    r = tokenizer_in(f, dir, m);
    if (r == NOT_HERE)
        r = tokenizer_in(f, path_join(f->a, dir, "tokenizer"), m);
    for (size_t i = 0; i < sizeof subdirs / sizeof *subdirs && r == NOT_HERE; i++)
        r = tokenizer_in(f, path_join(f->a, dir, subdirs[i]), m);
    return r;
}

static int open_tokenizer(struct dalle_model *m, const char *beside, const struct model_paths *paths, struct arena *a,
                          struct err *e) {
    struct find f = {.paths = paths, .a = a, .e = e};

    m->has_bpe = false;
    if (beside) {
        struct model_paths one = {.v = &beside, .n = 1};
        struct err quiet = {0};

        f.paths = &one;
        f.e = &quiet;
        m->has_bpe = find_component(&f, "tokenizer", look_for_tokenizer, m) == 0;
        f.paths = paths;
        f.e = e;
    }
    if (!m->has_bpe && find_component(&f, "tokenizer of picture-drawing models", look_for_tokenizer, m) < 0)
        return -1;
    m->has_bpe = true;
    snprintf(m->bpe_hash, sizeof m->bpe_hash, "%016" PRIx64, word_bpe_hash(&m->bpe));
    return 0;
}

int dalle_tokens(const struct dalle_model *m, const char *text, size_t n, int **ids, size_t *count, bool *cut,
                 struct arena *a, struct err *e) {
    const struct word_bpe *b = &m->bpe;
    const bool marks = b->bos >= 0 && b->eos >= 0;
    size_t plain, k = 0;
    int *raw, *out;

    if (word_bpe_encode(b, text, n, &raw, &plain, a, e) < 0)
        return -1;
    if (!(*ids = out = arena_take(a, plain + 2, sizeof *out)))
        return err_set(e, "no memory for %zu tokens", plain);
    if (marks)
        out[k++] = b->bos;
    for (size_t i = 0; i < plain; i++)
        out[k++] = raw[i];
    if (marks)
        out[k++] = b->eos;
    *cut = m->text && k > m->text;
    *count = *cut ? m->text : k;
    return 0;
}

/* ---- binding ---- */

struct binding {
    struct part *p;
    const struct compute *c;
};

static int bind_gpt(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    b->p->m->gpt = gpt_bind(&b->p->gpt, &b->p->weights.weights, b->c, a, e);
    return b->p->m->gpt ? 0 : -1;
}

static int bind_encoder(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    return bart_bind_encoder(b->p->m->bart, &b->p->weights.weights, b->c, a, e);
}

static int bind_decoder(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    return bart_bind_decoder(b->p->m->bart, &b->p->decoder.weights, b->c, a, e);
}

static void print_of(const struct weights_file *w, struct arena scratch, char out[17]) {
    weights_scattered(w);
    snprintf(out, 17, "%016" PRIx64, weights_fingerprint(&w->weights, scratch));
    weights_forget(w);
}

static int bind_all(struct part *p, const struct model_paths *paths, const struct compute *c, struct arena *a, struct err *e) {
    struct dalle_model *m = p->m;
    struct binding b = {p, c};
    char other[17];
    struct pack_of what = {.part = p->is_bart ? "bart_encoder" : "gpt", .weights = &p->weights.weights, .source = &p->weights,
                           .file = p->file, .fingerprint = m->fingerprint, .bind = p->is_bart ? bind_encoder : bind_gpt,
                           .ctx = &b};

    print_of(&p->weights, *a, m->fingerprint);
    if (p->is_bart && !(m->bart = bart_open(&p->bart, a, e)))
        return -1;
    if (pack_cache_bind(paths->cache, &what, c->kern, a, e) < 0)
        return -1;
    weights_forget(&p->weights);
    if (!p->is_bart)
        return 0;
    print_of(&p->decoder, *a, other);
    what.part = "bart_decoder", what.weights = &p->decoder.weights, what.source = &p->decoder;
    what.file = p->decoder_file, what.fingerprint = other, what.bind = bind_decoder, what.cut = p->bart.codes;
    if (pack_cache_bind(paths->cache, &what, c->kern, a, e) < 0)
        return -1;
    weights_forget(&p->decoder);
    return 0;
}

/* Checks that the text embedding has a row for each id of the tokenizer. */
static int check_vocabulary(const struct part *p, struct err *e) {
    const size_t all = p->is_bart ? p->bart.text_vocab : p->gpt.text_vocab, pads = !p->is_bart && p->gpt.pads ? p->gpt.text : 0;
    const size_t rows = all > pads ? all - pads : 0;
    const size_t ids = word_bpe_ids(&p->m->bpe);

    return ids > rows ? err_set(e, "%s: the model has %zu text tokens, its tokenizer %zu", p->file, rows, ids) : 0;
}

int dalle_open(struct dalle_model *m, bool tokenizer_alone, const struct model_paths *paths, const struct compute *c,
               struct arena *a, struct err *e) {
    struct find f = {.paths = paths, .a = a, .e = e};
    struct part p = {.m = m};
    struct err inner = {0};

    *m = (struct dalle_model){.guidance = 1, .rules = {TOKEN_HF, 1, 1, 0}};
    if (tokenizer_alone)
        return open_tokenizer(m, NULL, paths, a, e);
    if (find_component(&f, "transformer that draws picture tokens", look, &p) < 0)
        return -1;
    m->file = p.file;
    m->text = p.is_bart ? p.bart.text : p.gpt.text;
    m->codes = p.is_bart ? p.bart.codes : p.gpt.codes;
    m->side = p.gpt.side;
    while (p.is_bart && m->side * m->side < p.bart.tokens)
        m->side++;
    if (bind_all(&p, paths, c, a, &inner) < 0)
        return find_failed(&f, p.file, &inner);
    return open_tokenizer(m, p.dir, paths, a, e) < 0 ? -1 : check_vocabulary(&p, e);
}
