#include "formats/checkpoint/unclip_model.h"

#include <dirent.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "formats/checkpoint/file_kind.h"
#include "formats/checkpoint/find.h"
#include "formats/checkpoint/glide_tok.h"
#include "formats/checkpoint/unclip_config.h"
#include "formats/checkpoint/weights.h"
#include "formats/io/pathname.h"
#include "lib/base/size.h"
#include "lib/net/glide_names.h"
#include "lib/net/karlo_names.h"

/* One component: its weights, and the config that goes with them in diffusers' layout. */
struct part {
    struct weights w;
    struct weights_file mapped;    /* the files that hold w */
    const char *file;
    const char *folder;       /* the pipeline's directory, which holds the schedulers and the other components */
    struct mapfile config;
    const char *config_file;
    bool ar;                  /* the config's class is ARPriorTransformer */
    enum karlo_file original;
    enum glide_file glide;
};

static const struct sched_config karlo_prior_sched = {1000, BETAS_COSINE, PREDICT_SAMPLE, VARIANCE_FIXED_SMALL_LOG, true, 5, false};
static const struct sched_config karlo_decoder_sched = {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_LEARNED_RANGE, true, 1, false};
static const struct sched_config karlo_upsampler_sched = {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_FIXED_SMALL_LOG, true, 1, false};
static const struct sched_config glide_base_sched = {1000, BETAS_COSINE, PREDICT_EPSILON, VARIANCE_LEARNED_RANGE, true, 1, true};
static const struct sched_config glide_upsampler_sched = {1000, BETAS_LINEAR, PREDICT_EPSILON, VARIANCE_LEARNED_RANGE, true, 1, true};

/* ---- where a component is ---- */

/* Open the diffusers component in dir, if dir holds its config.json and weights. */
static int open_component(struct find *f, const char *dir, const char *folder, struct part *p) {
    const char *weights;
    struct err inner = {0};

    p->config_file = path_join(f->a, dir, "config.json");
    if (!path_is_file(p->config_file))
        return NOT_HERE;
    if (find_map(f, p->config_file, &p->config) < 0)
        return FAILED;
    p->ar = unclip_config_is_ar_prior(p->config.p, p->config.n);
    weights = find_weights(f, dir, p->ar ? WEIGHTS_TRANSFORMERS : WEIGHTS_DIFFUSERS);
    if (!weights) {
        if (p->ar)
            err_set(&f->why, "%.80s/config.json is there, and model.safetensors is not", path_base(dir));
        p->ar = false;
        mapfile_close(&p->config);
        return NOT_HERE;
    }
    p->file = weights;
    p->folder = folder;
    p->original = KARLO_NONE;
    p->glide = GLIDE_NONE;
    if (unclip_config_plain(p->config.p, p->config.n, &inner) < 0)
        return find_failed(f, p->config_file, &inner);
    if (weights_load(&p->mapped, weights, f->a, &inner) < 0)
        return find_failed(f, weights, &inner);
    p->w = p->mapped.weights;
    return FOUND;
}

/* The component that is looked for: the name of its directory, and the original files that have it. */
struct wanted {
    const char *name;
    enum karlo_file original;
    enum glide_file glide[2];    /* the preferred file first; GLIDE_NONE for no file */
    struct part *part;
};

static int open_original(struct find *f, const char *path, const struct wanted *w) {
    struct part *p = w->part;
    struct err inner = {0};
    struct mapfile m;

    if (find_map(f, path, &m) < 0)
        return FAILED;
    if (!weights_sniff(m.p, m.n)) {
        if (file_kind(m.p, m.n))
            err_set(&f->why, "%s", file_kind(m.p, m.n));
        return NOT_HERE;
    }
    if (weights_load(&p->mapped, path, f->a, &inner) < 0)
        return find_failed(f, path, &inner);
    p->w = p->mapped.weights;
    p->original = karlo_file(&p->w);
    p->glide = p->original ? GLIDE_NONE : glide_file(&p->w);
    p->file = path;
    p->folder = path_folder(f->a, path);
    if (p->glide)
        return p->glide == w->glide[0] || p->glide == w->glide[1] ? FOUND : NOT_HERE;
    return p->original && p->original == w->original ? FOUND : NOT_HERE;
}

/* Open an original Karlo file in dir.  Such a file has a number of steps in its name: of the names that begin as
 * expected, the first in alphabetical order is taken. */
static int original_in(struct find *f, const char *dir, const struct wanted *w) {
    static const char *const begin[] = {"", "prior-ckpt", "decoder-ckpt", "improved-sr-ckpt"};
    DIR *d = opendir(*dir ? dir : ".");
    const char *best = NULL;
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (w->original && !strncmp(e->d_name, begin[w->original], strlen(begin[w->original])) && (!best || strcmp(e->d_name, best) < 0))
            best = arena_str(f->a, e->d_name, strlen(e->d_name));
    if (d)
        closedir(d);
    return best ? open_original(f, path_join(f->a, dir, best), w) : NOT_HERE;
}

/* Open a file of GLIDE in dir. */
static int glide_in(struct find *f, const char *dir, const struct wanted *w) {
    static const char *const name[][2] = {
        [GLIDE_BASE] = {"base.pt", "base.safetensors"},
        [GLIDE_BASE_INPAINT] = {"base_inpaint.pt", "base_inpaint.safetensors"},
        [GLIDE_UPSAMPLE] = {"upsample.pt", "upsample.safetensors"},
        [GLIDE_UPSAMPLE_INPAINT] = {"upsample_inpaint.pt", "upsample_inpaint.safetensors"},
    };

    for (int i = 0; i < 2; i++) {
        const char *file = w->glide[i] ? path_first(f->a, dir, name[w->glide[i]], 2) : NULL;
        int r = file ? open_original(f, file, w) : NOT_HERE;

        if (r != NOT_HERE)
            return r;
    }
    return NOT_HERE;
}

static int look(void *ctx, struct find *f) {
    const struct wanted *w = ctx;
    const char *path = f->path;
    int r;

    if (path_is_file(path))
        return open_original(f, path, w);
    r = w->original ? open_component(f, path_join(f->a, path, w->name), path, w->part) : NOT_HERE;
    if (r == NOT_HERE && w->original && !strcmp(path_base(path), w->name))
        r = open_component(f, path, path_folder(f->a, path), w->part);
    if (r == NOT_HERE)
        r = original_in(f, path, w);
    return r == NOT_HERE ? glide_in(f, path, w) : r;
}

static int find_part(struct find *f, const char *name, enum karlo_file original, struct part *p) {
    struct wanted w = {.name = name, .original = original, .part = p};

    return find_component(f, name, look, &w);
}

/* Finds a component of an unCLIP, or GLIDE's network in its place.  If the network of GLIDE that is found is not of the
 * preferred kind, another path may have that kind. */
static int find_network(struct find *f, const char *name, enum karlo_file original, enum glide_file best, enum glide_file next,
                        struct part *p) {
    struct wanted w = {name, original, {best, next}, p};
    struct err unused = {0};
    struct find quiet = {.paths = f->paths, .a = f->a, .e = &unused};
    struct part better = {.file = NULL};

    if (find_component(f, name, look, &w) < 0)
        return -1;
    if (p->glide != next)
        return 0;
    w = (struct wanted){name, KARLO_NONE, {best, GLIDE_NONE}, &better};
    if (find_component(&quiet, name, look, &w) == 0)
        *p = better;
    return 0;
}

static int scheduler(struct find *f, const char *folder, const char *name, const struct sched_config *otherwise,
                     struct sched *s) {
    const char *file = path_join(f->a, path_join(f->a, folder, name), "scheduler_config.json");
    struct sched_config c = *otherwise;
    struct err inner = {0};
    struct mapfile m;

    if (path_is_file(file)) {
        if (find_map(f, file, &m) < 0)
            return -1;
        if (unclip_config_scheduler(&c, m.p, m.n, &inner) < 0)
            return find_failed(f, file, &inner);
    }
    if (sched_init(s, &c, f->a, &inner) < 0)
        return find_failed(f, file, &inner);
    return 0;
}

static void fingerprint(const struct part *p, const struct arena *a, char out[17]) {
    weights_scattered(&p->mapped);
    snprintf(out, 17, "%016" PRIx64, weights_fingerprint(&p->w, *a));
    weights_forget(&p->mapped);
}

/* ---- binding ---- */

/* What the functions below bind a component from, and the network that they bind. */
struct binding {
    const struct compute *c;
    const struct weights *w;
    const void *config;
    struct prior *prior;
    struct ar_prior *ar;
    struct unet *unet;
    struct text_proj *proj;
    struct glide_text *text;
};

static int bind_prior(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    b->prior = prior_bind(b->config, b->w, b->c, a, e);
    return b->prior ? 0 : -1;
}

static int bind_ar_prior(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    b->ar = ar_prior_bind(b->config, b->w, b->c, a, e);
    return b->ar ? 0 : -1;
}

static int bind_unet(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    b->unet = unet_bind(b->config, b->w, b->c, a, e);
    return b->unet ? 0 : -1;
}

static int bind_text_proj(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    return text_proj_bind(b->proj, b->config, b->w, b->c, a, e);
}

static int bind_glide_text(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    return glide_text_bind(b->text, b->config, b->w, b->c, a, e);
}

/* Bind the tensors w of a part, through the cache. */
static int bind(struct find *f, const char *name, const struct part *p, struct weights *w, const char *fingerprint,
                uint64_t cut, struct binding *b, int (*fn)(void *, struct arena *, struct err *)) {
    const struct pack_of what = {.part = name, .weights = w, .source = &p->mapped, .file = p->file,
                                 .fingerprint = fingerprint, .cut = cut, .bind = fn, .ctx = b};
    struct err inner = {0};
    int r;

    b->w = w;
    r = pack_cache_bind(f->paths->cache, &what, b->c->kern, f->a, &inner);
    weights_forget(&p->mapped);
    return r < 0 ? find_failed(f, p->file, &inner) : 0;
}

/* ---- prior ---- */

/* Add the tensors of ViT-L-14_stats.th, in the directory of the original checkpoint: the pair (mean, std) of image
 * embeddings. */
static int add_stats(struct find *f, struct part *p) {
    const char *file = path_join(f->a, p->folder, "ViT-L-14_stats.th");
    static const char *const from[] = {"0", "1"}, *const to[] = {"clip_mean", "clip_std"};
    struct weight *w = arena_take(f->a, p->w.n + 2, sizeof *w);
    struct weights_file stats;
    struct err inner = {0};

    if (!w)
        return err_set(f->e, "out of memory");
    if (weights_load(&stats, file, f->a, &inner) < 0)
        return find_failed(f, file, &inner);
    if (weights_join(&p->mapped, &stats, f->a) < 0)
        return err_set(f->e, "out of memory");
    memcpy(w, p->w.w, p->w.n * sizeof *w);
    p->w.w = w;
    for (int i = 0; i < 2; i++) {
        struct weight *s = weights_find(&stats.weights, from[i]);
        if (!s || s->t.nd < 1 || s->t.nd > 2)
            return err_set(f->e, "%.400s: not a pair of vectors", file);
        w[p->w.n] = (struct weight){.name = to[i], .t = s->t};
        if (s->t.nd == 1) {
            w[p->w.n].t.nd = 2;
            w[p->w.n].t.shape[1] = s->t.shape[0], w[p->w.n].t.stride[1] = s->t.stride[0];
            w[p->w.n].t.shape[0] = w[p->w.n].t.stride[0] = 1;
        }
        p->w.n++;
    }
    return weights_sort(&p->w, f->e);
}

static int open_ar_prior(struct find *f, struct prior_model *m, const struct part *p, struct binding *b, const struct arena *a) {
    struct ar_prior_config *g = &m->codes;
    struct weights w = p->w;
    struct err inner = {0};

    if (unclip_config_ar_prior(g, p->config.p, p->config.n, &inner) < 0)
        return find_failed(f, p->config_file, &inner);
    fingerprint(p, a, m->fingerprint);
    b->config = g;
    if (bind(f, "prior", p, &w, m->fingerprint, g->heads, b, bind_ar_prior) < 0)
        return -1;
    m->ar = b->ar;
    m->config = (struct prior_config){g->embed, g->width, g->heads, g->layers, g->context};
    m->file = p->file;
    return 0;
}

int unclip_open_prior(struct prior_model *m, const struct model_paths *paths, const struct compute *c,
                      struct arena *a, struct err *e) {
    struct find f = {.paths = paths, .a = a, .e = e};
    struct part p = {.file = NULL};
    struct binding b = {.c = c, .config = &m->config};
    struct err inner = {0};
    size_t heads = 0;

    *m = (struct prior_model){.steps = 25};
    if (find_part(&f, "prior", KARLO_PRIOR, &p) < 0)
        return -1;
    if (p.ar)
        return open_ar_prior(&f, m, &p, &b, a);
    if (p.original) {
        struct weight *w = weights_find(&p.w, "model.final_ln.weight");
        heads = w && w->t.nd == 1 ? w->t.shape[0] / 64 : 0;
        if (karlo_prior(&p.w, &p.w, a, &inner) < 0)
            return find_failed(&f, p.file, &inner);
        if (add_stats(&f, &p) < 0)
            return -1;
    } else if (unclip_config_prior(&m->config, p.config.p, p.config.n, &inner) < 0) {
        return find_failed(&f, p.config_file, &inner);
    } else {
        heads = m->config.heads;
    }
    if (p.original && prior_config_from_weights(&m->config, heads, &p.w, &inner) < 0)
        return find_failed(&f, p.file, &inner);
    if (scheduler(&f, p.folder, "prior_scheduler", &karlo_prior_sched, &m->sched) < 0)
        return -1;
    fingerprint(&p, a, m->fingerprint);
    if (bind(&f, "prior", &p, &p.w, m->fingerprint, m->config.heads, &b, bind_prior) < 0)
        return -1;
    m->prior = b.prior;
    m->file = p.file;
    return 0;
}

/* ---- U-Nets ---- */

/* Get the config and the tensors of one U-Net of a component. */
static int unet_of(struct find *f, const struct part *p, const char *prefix, struct unet_config *c, size_t *sample,
                   struct weights *w) {
    struct err inner = {0};

    if (!p->original) {
        *w = p->w;
        return unclip_config_unet(c, sample, p->config.p, p->config.n, &inner) < 0 ? find_failed(f, p->config_file, &inner) : 0;
    }
    *sample = 0;
    if (karlo_unet(&p->w, prefix, w, f->a, &inner) < 0 || unet_config_from_weights(c, w, prefix, &inner) < 0)
        return find_failed(f, p->file, &inner);
    return 0;
}

static struct unet *open_unet(struct find *f, const char *name, const struct part *p, const char *fingerprint,
                              const char *prefix, struct unet_config *c, size_t *sample, const struct compute *k) {
    struct binding b = {.c = k, .config = c};
    struct weights w;

    if (unet_of(f, p, prefix, c, sample, &w) < 0 ||
        bind(f, name, p, &w, fingerprint, (uint64_t)c->head << 32 | c->mid_head, &b, bind_unet) < 0)
        return NULL;
    return b.unet;
}

/* ---- GLIDE ---- */

/* Read the config.json next to a GLIDE, if there is one. */
static int glide_config(struct find *f, struct part *p, struct unet_config *c) {
    struct err inner = {0};

    p->config_file = path_join(f->a, p->folder, "config.json");
    if (!path_is_file(p->config_file))
        return 0;
    if (find_map(f, p->config_file, &p->config) < 0)
        return -1;
    return unclip_config_glide(c, p->config.p, p->config.n, &inner) < 0 ? find_failed(f, p->config_file, &inner) : 0;
}

/* Open the two networks of a GLIDE file, and the tokenizer. */
static struct unet *open_glide(struct find *f, const char *name, struct part *p, const char *fingerprint, struct unet_config *c,
                               const struct glide_side **side, const struct compute *k) {
    struct glide_side *g = arena_take(f->a, 1, sizeof *g);
    struct glide_text_config tc;
    struct weights text, unet;
    struct binding bt = {.c = k, .config = &tc}, bu = {.c = k, .config = c};
    struct err inner = {0};
    char part[40];

    if (!g || glide_divide(&p->w, &text, &unet, f->a, &inner) < 0 || glide_text_config_from_weights(&tc, &text, &inner) < 0 ||
        unet_config_from_weights(c, &unet, "", &inner) < 0)
        return find_failed(f, p->file, &inner), NULL;
    if (glide_config(f, p, c) < 0)
        return NULL;
    if (tc.time != 4 * c->width[0] || tc.width != c->context || c->out != 6 || !c->film)
        err_set(&inner, "not a GLIDE: a U-Net with times of %zu, contexts of %zu and %zu channels out, and a text of %zu and %zu",
                4 * c->width[0], c->context, c->out, tc.time, tc.width);
    if (inner.msg[0])
        return find_failed(f, p->file, &inner), NULL;
    bt.text = &g->text;
    snprintf(part, sizeof part, "%.20s-text", name);
    if (bind(f, part, p, &text, fingerprint, tc.head, &bt, bind_glide_text) < 0 ||
        bind(f, name, p, &unet, fingerprint, (uint64_t)c->head << 32 | c->mid_head, &bu, bind_unet) < 0 ||
        glide_tok_open(&g->words, f->paths, f->a, f->e) < 0)
        return NULL;
    if (word_bpe_ids(&g->words) > tc.vocab) {
        err_set(f->e, "%.300s: the text transformer has %zu tokens, the tokenizer %zu", p->file, tc.vocab, word_bpe_ids(&g->words));
        return NULL;
    }
    *side = g;
    return bu.unet;
}

static int open_base(struct find *f, struct decoder_model *m, struct part *p, const struct compute *c) {
    fingerprint(p, f->a, m->fingerprint);
    m->unet = open_glide(f, "base", p, m->fingerprint, &m->config, &m->glide, c);
    if (!m->unet || sched_init(&m->sched, &glide_base_sched, f->a, f->e) < 0)
        return -1;
    m->side = (size_t)8 << (m->config.levels - 1);
    m->file = p->file;
    m->steps = 100;
    m->guidance = 3;
    return 0;
}

static int open_upsample(struct find *f, struct upsampler_model *m, struct part *p, const struct compute *c) {
    struct unet_config u;

    fingerprint(p, f->a, m->fingerprint);
    m->first = m->last = open_glide(f, "upsample", p, m->fingerprint, &u, &m->glide, c);
    if (!m->first || sched_init(&m->sched, &glide_upsampler_sched, f->a, f->e) < 0)
        return -1;
    m->ratio = 4;
    m->unit = (size_t)1 << (u.levels - 1);
    m->file = p->file;
    m->spacing = "fast27";
    m->steps = 27;
    m->ddim = true;
    m->temperature = 0.997;
    return 0;
}

/* ---- decoder and upsamplers ---- */

int unclip_open_decoder(struct decoder_model *m, const struct model_paths *paths, bool inpaint, const struct compute *c,
                        struct arena *a, struct err *e) {
    struct find f = {.paths = paths, .a = a, .e = e};
    struct part d = {.file = NULL}, t = {.file = NULL};
    struct text_proj_config tc;
    struct binding b = {.c = c, .config = &tc, .proj = &m->proj};
    struct err inner = {0};

    m->glide = NULL;
    if (find_network(&f, "decoder", KARLO_DECODER, inpaint ? GLIDE_BASE_INPAINT : GLIDE_BASE,
                     inpaint ? GLIDE_BASE : GLIDE_BASE_INPAINT, &d) < 0)
        return -1;
    if (d.glide)
        return open_base(&f, m, &d, c);
    if (!d.original && find_part(&f, "text_proj", KARLO_DECODER, &t) < 0)
        return -1;
    if (d.original) {
        t.file = d.file;
        t.mapped = d.mapped;
        if (karlo_text_proj(&d.w, &t.w, a, &inner) < 0)
            return find_failed(&f, d.file, &inner);
    }
    if (scheduler(&f, d.folder, "decoder_scheduler", &karlo_decoder_sched, &m->sched) < 0)
        return -1;
    fingerprint(&d, a, m->fingerprint);
    m->unet = open_unet(&f, "decoder", &d, m->fingerprint, "model.", &m->config, &m->side, c);
    if (!m->unet)
        return -1;
    if (text_proj_config_from_weights(&tc, &t.w, &inner) < 0)
        return find_failed(&f, t.file, &inner);
    if (bind(&f, "text_proj", &t, &t.w, m->fingerprint, 0, &b, bind_text_proj) < 0)
        return -1;
    if (tc.time != 4 * m->config.width[0] || tc.cross != m->config.context)
        return err_set(e, "%.400s: made for a decoder with times of %zu and contexts of %zu, this one takes %zu and %zu",
                       t.file, tc.time, tc.cross, 4 * m->config.width[0], m->config.context);
    m->side = m->side ? m->side : 64;
    m->file = d.file;
    m->steps = 25;
    m->guidance = 8;
    return 0;
}

/* Returns how many times as long the sides become.  This is `big`, the side from the upsampler's config, divided by the
 * side from the decoder's config, or 4 if one of the sides is not known. */
static size_t ratio_of(struct find *f, size_t big) {
    struct err unused = {0};
    struct find quiet = {.paths = f->paths, .a = f->a, .e = &unused};
    struct part d = {.file = NULL};
    struct unet_config c;
    struct err none = {0};
    size_t small = 0;

    if (big && find_part(&quiet, "decoder", KARLO_DECODER, &d) == 0 && !d.original &&
        unclip_config_unet(&c, &small, d.config.p, d.config.n, &none) == 0 && small && big % small == 0)
        return big / small;
    return 4;
}

int unclip_open_upsampler(struct upsampler_model *m, const struct model_paths *paths, const struct compute *c,
                          struct arena *a, struct err *e) {
    struct find f = {.paths = paths, .a = a, .e = e};
    struct part first = {.file = NULL}, last = {.file = NULL};
    struct unet_config cf, cl;
    size_t big = 0, none;

    *m = (struct upsampler_model){.temperature = 1};
    if (find_network(&f, "super_res_first", KARLO_UPSAMPLERS, GLIDE_UPSAMPLE, GLIDE_UPSAMPLE_INPAINT, &first) < 0)
        return -1;
    if (first.glide)
        return open_upsample(&f, m, &first, c);
    if (first.original)
        last = first;
    else if (find_part(&f, "super_res_last", KARLO_UPSAMPLERS, &last) < 0)
        return -1;
    if (scheduler(&f, first.folder, "super_res_scheduler", &karlo_upsampler_sched, &m->sched) < 0)
        return -1;
    fingerprint(&first, a, m->fingerprint);
    m->first = open_unet(&f, "super_res_first", &first, m->fingerprint, "model_first_steps.", &cf, &big, c);
    m->last = m->first ? open_unet(&f, "super_res_last", &last, m->fingerprint, "model_last_step.", &cl, &none, c) : NULL;
    if (!m->last)
        return -1;
    if (cf.in != 6 || cf.out != 3 || cl.in != 6 || cl.out != 3)
        return err_set(e, "%.400s: an upsampler takes 6 channels and gives 3", first.file);
    m->ratio = ratio_of(&f, big);
    m->unit = (size_t)1 << (size_max(cf.levels, cl.levels) - 1);
    m->file = first.file;
    m->steps = 7;
    return 0;
}

int unclip_open_painter(struct upsampler_model *m, const struct model_paths *paths, const struct compute *c, struct arena *a,
                        struct err *e) {
    struct find f = {.paths = paths, .a = a, .e = e};
    struct part p = {.file = NULL};
    struct wanted w = {"upsample_inpaint", KARLO_NONE, {GLIDE_UPSAMPLE_INPAINT, GLIDE_NONE}, &p};

    *m = (struct upsampler_model){.temperature = 1};
    return find_component(&f, w.name, look, &w) < 0 ? -1 : open_upsample(&f, m, &p, c);
}
