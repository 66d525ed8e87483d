#include "formats/checkpoint/vq_model.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/checkpoint/find.h"
#include "formats/checkpoint/vq_yaml.h"
#include "formats/checkpoint/weights.h"
#include "formats/io/pathname.h"

enum { FILES = 256 };

/* The half that is looked for, and its file once it was found. */
struct part {
    enum vq_half half;
    struct weights_file mapped;
    struct vq_config config;
    const char *file;
    bool seen;    /* f->why is about an autoencoder, not about another file in the directory */
};

/* ---- finding the half ---- */

/* Returns FOUND if the file has the half.  Else returns NOT_HERE, and f->why has the reason. */
static int try_file(struct find *f, const char *file, struct part *p) {
    struct arena before = *f->a;
    struct err inner = {0};
    const char *what = NULL;
    bool vq = false;

    if (weights_load(&p->mapped, file, f->a, &inner) < 0)
        what = inner.msg;
    else if (!(vq = vq_sniff(&p->mapped.weights)))
        what = "no discrete autoencoder";
    else if (vq_config_from_weights(&p->config, &p->mapped.weights, &inner) < 0)
        what = inner.msg;
    else if (!(p->half == VQ_ENCODER ? p->config.encoder : p->config.decoder))
        what = p->half == VQ_ENCODER ? "a decoder without its encoder" : "an encoder without its decoder";
    p->file = file;
    if (!what)
        return FOUND;
    if (!p->seen) {
        err_clear(&f->why);
        err_set(&f->why, "%.80s: %.300s", path_base(file), what);
    }
    p->seen |= vq;
    for (size_t i = 0; i < p->mapped.nmap; i++)
        mapfile_close(&p->mapped.map[i]);
    *f->a = before;
    return NOT_HERE;
}

static int by_name(const void *a, const void *b) {
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    int last = !strcmp(y, "last.ckpt") - !strcmp(x, "last.ckpt");

    return last ? last : strcmp(x, y);
}

static int in_folder(struct find *f, const char *dir, struct part *p) {
    const char **name = arena_take(f->a, FILES, sizeof *name);
    DIR *d = opendir(*dir ? dir : ".");
    struct dirent *e;
    size_t n = 0;
    int r = NOT_HERE;

    if (name)
        while (d && n < FILES && (e = readdir(d)))
            if (find_is_weights(e->d_name) && (name[n] = arena_str(f->a, e->d_name, strlen(e->d_name))))
                n++;
    if (d)
        closedir(d);
    if (n)
        qsort(name, n, sizeof *name, by_name);
    for (size_t i = 0; i < n && r == NOT_HERE; i++)
        r = try_file(f, path_join(f->a, dir, name[i]), p);
    return r;
}

static int look(void *ctx, struct find *f) {
    static const char *const sub[] = {"vqgan", "vq", "dvae", "checkpoints"};
    struct part *p = ctx;
    int r;

    p->seen = false;
    if (path_is_file(f->path))
        return try_file(f, f->path, p);
    r = in_folder(f, f->path, p);
    for (size_t i = 0; i < sizeof sub / sizeof *sub && r == NOT_HERE; i++) {
        const char *dir = path_join(f->a, f->path, sub[i]);

        if (path_is_dir(dir))
            r = in_folder(f, dir, p);
    }
    if (r == NOT_HERE && !f->why.msg[0])
        err_set(&f->why, "no weights in it");
    return r;
}

/* ---- the yaml next to a file ---- */

/* Returns the name of the file with another ending. */
static const char *renamed(struct arena *a, const char *file, const char *ending) {
    const char *base = path_base(file), *dot = strrchr(base, '.');
    size_t stem = dot && dot > base ? (size_t)(dot - file) : strlen(file);
    char *s = arena_take(a, stem + strlen(ending) + 1, 1);

    if (!s)
        return "";
    memcpy(s, file, stem);
    strcpy(s + stem, ending);
    return s;
}

/* Reads a yaml.  Returns 1 and fills *v.  Returns 0 if the file does not exist or does not describe an autoencoder.
 * Returns FAILED, with the error in f, if the file cannot be read or is not yaml. */
static int yaml_in(struct find *f, const char *file, struct vq_yaml *v) {
    struct err inner = {0};
    struct mapfile m;
    int r;

    if (!path_is_file(file))
        return 0;
    if (find_map(f, file, &m) < 0)
        return FAILED;
    r = vq_yaml_read(v, m.p, m.n, &inner);
    mapfile_close(&m);
    return r < 0 ? find_failed(f, file, &inner) : r;
}

static int yaml_next_to(struct find *f, const struct part *p, struct vq_yaml *v, const char **file) {
    static const char *const names[] = {"model.yaml", "config.yaml", "model.yml", "config.yml", "vqgan.gumbelf8-sber.config.yml",
                                        "../configs/model.yaml", "../config.yaml"};
    const char *dir = path_folder(f->a, p->file);
    int r = 0;

    *v = (struct vq_yaml){.gumbel = -1};
    for (int i = 0; i < 2 && r == 0; i++)
        r = yaml_in(f, *file = renamed(f->a, p->file, i ? ".yml" : ".yaml"), v);
    for (size_t i = 0; i < sizeof names / sizeof *names && r == 0; i++)
        r = yaml_in(f, *file = path_join(f->a, dir, names[i]), v);
    if (r == 0)
        *file = NULL;
    return r;
}

/* Checks that the numbers that the yaml and the tensors both give are equal. */
static int agree(const struct vq_yaml *v, const struct vq_config *c, const struct weights *ws, struct err *e) {
    const struct weight *codes = vq_codebook(c, ws);
    size_t levels = 1;

    while ((size_t)1 << (levels - 1) < c->factor)
        levels++;
    if (v->codes && v->codes != c->codes)
        return err_set(e, "n_embed is %zu, the codebook has %zu rows", v->codes, c->codes);
    if (v->width && codes->t.nd == 2 && v->width != codes->t.shape[1])
        return err_set(e, "embed_dim is %zu, the codebook has %zu columns", v->width, codes->t.shape[1]);
    if (v->levels && v->levels != levels)
        return err_set(e, "ch_mult has %zu levels, the tensors have %zu", v->levels, levels);
    if (v->gumbel >= 0 && c->encoder && v->gumbel == c->nearest)
        return err_set(e, "target is %s, the tensors are those of the other", v->gumbel ? "GumbelVQ" : "VQModel");
    return 0;
}

/* ---- fingerprints ---- */

/* Writes the fingerprint of the codebook into `out`.  The codebook gets the name "codes" in all families. */
static void codes_of(const struct vq_config *c, const struct weights *ws, const struct arena *a, char out[17]) {
    struct weight w = *vq_codebook(c, ws);
    const struct weights one = {.w = &w, .n = 1};

    w.name = "codes";
    snprintf(out, 17, "%016" PRIx64, weights_fingerprint(&one, *a));
}

/* Sets the fingerprint of all tensors except those of the training loss, under their names without the prefix, and the
 * fingerprint of the codebook. */
static int fingerprints(struct vq_model *m, const struct part *p, struct arena *a, struct err *e) {
    const struct weights *ws = &p->mapped.weights;
    const size_t n = strlen(p->config.prefix);
    struct arena scratch = *a;
    struct weight *w = arena_take(&scratch, ws->n, sizeof *w);
    struct weights some = {.w = w, .n = 0};

    if (!w)
        return err_set(e, "out of memory");
    weights_scattered(&p->mapped);
    for (size_t i = 0; i < ws->n; i++) {
        const char *name = ws->w[i].name;
        if (strncmp(name, p->config.prefix, n) || !strncmp(name + n, "loss.", 5))
            continue;
        w[some.n] = ws->w[i];
        w[some.n++].name = name + n;
    }
    snprintf(m->fingerprint, 17, "%016" PRIx64, weights_fingerprint(&some, scratch));
    codes_of(&p->config, ws, &scratch, m->codes);
    weights_forget(&p->mapped);
    return 0;
}

/* Sets the codebook's fingerprint for a dVAE's decoder.  Tokens come from the last layer of the encoder, which the
 * decoder's file does not have, so the encoder is looked for in the paths. */
static void codes_of_dvae(struct vq_model *m, const struct model_paths *paths, const struct arena *a) {
    struct arena scratch = *a;
    struct err none = {0};
    struct find f = {.paths = paths, .a = &scratch, .e = &none};
    struct part p = {.half = VQ_ENCODER};

    m->codes[0] = 0;
    if (find_component(&f, "encoder", look, &p) < 0)
        return;
    if (p.config.names == m->config.names && p.config.codes == m->config.codes)
        codes_of(&p.config, &p.mapped.weights, &scratch, m->codes);
    for (size_t i = 0; i < p.mapped.nmap; i++)
        mapfile_close(&p.mapped.map[i]);
}

/* ---- binding ---- */

struct binding {
    struct vq_model *m;
    const struct weights *w;
    const struct compute *c;
};

static int bind_encoder(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    b->m->encoder = vq_bind_encoder(&b->m->config, b->w, b->c, a, e);
    return b->m->encoder ? 0 : -1;
}

static int bind_decoder(void *ctx, struct arena *a, struct err *e) {
    struct binding *b = ctx;

    b->m->decoder = vq_bind_decoder(&b->m->config, b->w, b->c, a, e);
    return b->m->decoder ? 0 : -1;
}

int vq_open(struct vq_model *m, enum vq_half half, const struct model_paths *paths, const struct compute *c, struct arena *a,
            struct err *e) {
    struct find f = {.paths = paths, .a = a, .e = e};
    struct part p = {.half = half};
    struct binding b = {m, &p.mapped.weights, c};
    struct pack_of what = {.part = half == VQ_ENCODER ? "vq_encoder" : "vq_decoder", .weights = &p.mapped.weights,
                           .source = &p.mapped, .fingerprint = m->fingerprint,
                           .bind = half == VQ_ENCODER ? bind_encoder : bind_decoder, .ctx = &b};
    struct err inner = {0};
    struct vq_yaml v;
    int r;

    *m = (struct vq_model){.side = 256};
    if (find_component(&f, half == VQ_ENCODER ? "encoder of pictures to tokens" : "decoder of tokens to pictures", look, &p) < 0)
        return -1;
    m->config = p.config;
    m->file = what.file = p.file;
    r = yaml_next_to(&f, &p, &v, &m->yaml);
    if (r < 0)
        return -1;
    if (r && agree(&v, &m->config, &p.mapped.weights, &inner) < 0)
        return find_failed(&f, m->yaml, &inner);
    if (v.resolution && v.resolution % m->config.factor == 0)
        m->side = v.resolution;
    if (fingerprints(m, &p, a, e) < 0)
        return -1;
    if (half == VQ_DECODER && m->config.pixels == VQ_LAPLACE)
        codes_of_dvae(m, paths, a);
    r = pack_cache_bind(paths->cache, &what, c->kern, a, &inner);
    weights_forget(&p.mapped);
    return r < 0 ? find_failed(&f, m->file, &inner) : 0;
}
