#include "formats/checkpoint/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formats/checkpoint/clip_config.h"
#include "formats/checkpoint/file_kind.h"
#include "formats/checkpoint/find.h"
#include "formats/checkpoint/model_about.h"
#include "formats/io/pathname.h"

struct clip_find {
    struct find *f;
    struct clip_model *m;
    unsigned want;
    struct weights_file file;
    bool clip;                   /* the weights that were opened last are those of a CLIP */
    struct clip_config config;   /* from a config file, if one was read; then has_text or has_vision is set */
    struct model_source from;
};

/* ---- what files say ---- */

static int read_config(struct clip_find *c, const char *path) {
    struct err inner = {0};
    struct mapfile m;
    int r;

    if (find_map(c->f, path, &m) < 0)
        return FAILED;
    r = clip_config_hf(&c->config, m.p, m.n, &inner);
    if (r < 0)
        return find_failed(c->f, path, &inner);
    if (r == 0) {
        char type[64];
        clip_config_type(type, m.p, m.n);
        err_set(&c->f->why, "%s is not the config of a CLIP%s%s", path_base(path),
                *type ? ": its model_type is " : "", type);
        return NOT_HERE;
    }
    c->from.config = c->from.act = path_base(path);
    return FOUND;
}

static int read_openclip(struct clip_find *c, const char *path) {
    struct err inner = {0};
    struct mapfile m;

    if (find_map(c->f, path, &m) < 0)
        return FAILED;
    if (clip_config_openclip(&c->config, &c->m->prep, m.p, m.n, &inner) < 0)
        return find_failed(c->f, path, &inner);
    c->from.config = c->from.act = c->from.prep = path_base(path);
    return FOUND;
}

/* Read the preprocessing that a directory gives in processor_config.json, which transformers takes first, or in
 * preprocessor_config.json. */
static int prep_in(struct clip_find *c, const char *dir) {
    static const char *const names[] = {"processor_config.json", "preprocessor_config.json"};

    for (int i = 0; i < 2; i++) {
        const char *path = path_first(c->f->a, dir, &names[i], 1);
        struct err inner = {0};
        struct mapfile m;
        int r;

        if (!path)
            continue;
        if (find_map(c->f, path, &m) < 0)
            return FAILED;
        if (i == 0)
            r = clip_prep_processor(&c->m->prep, m.p, m.n, &inner);
        else
            r = clip_prep_hf(&c->m->prep, m.p, m.n, &inner) < 0 ? -1 : 1;
        if (r < 0)
            return find_failed(c->f, path, &inner);
        if (r > 0) {
            c->from.prep = names[i];
            return FOUND;
        }
    }
    return NOT_HERE;
}

/* Read the preprocessing of Hugging Face's layout: from dir, or from the directories that a pipeline has for it.  If
 * they do not give it, open_clip's preprocess_cfg is read, and if that file is missing, the defaults are used. */
static int read_prep(struct clip_find *c, const char *dir) {
    static const char *const folders[] = {"", "feature_extractor", "image_processor", "../feature_extractor",
                                          "../image_processor"};
    const char *open = path_join(c->f->a, dir, "open_clip_config.json");
    struct clip_config unused = {.family = NULL};
    struct err inner = {0};
    struct mapfile m;

    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        int r = prep_in(c, i ? path_join(c->f->a, dir, folders[i]) : dir);
        if (r != NOT_HERE)
            return r;
    }
    if (path_is_file(open)) {
        if (find_map(c->f, open, &m) < 0)
            return FAILED;
        if (clip_config_openclip(&unused, &c->m->prep, m.p, m.n, &inner) < 0)
            return find_failed(c->f, open, &inner);
        c->from.prep = "open_clip_config.json";
        return FOUND;
    }
    c->m->prep = clip_prep_default(c->m->config.vision.image, CROP_HF);
    c->from.prep = "Hugging Face's defaults: no preprocessor_config.json";
    return FOUND;
}

/* ---- weights ---- */

static bool from_openai(const struct weights_file *f) {
    return f->kind == WEIGHTS_TORCHSCRIPT && weights_find(&f->weights, "input_resolution") &&
           weights_find(&f->weights, "context_length") && weights_find(&f->weights, "vocab_size");
}

/* Compute the fingerprint of the weights, and drop the pages that were read for it. */
static int fingerprint(struct clip_find *c) {
    struct clip_model *m = c->m;
    uint64_t h;

    m->mapped = c->file;
    weights_scattered(&c->file);
    h = clip_fingerprint(&m->config, &m->weights, *c->f->a);
    weights_forget(&c->file);
    snprintf(m->fingerprint, sizeof m->fingerprint, "%016" PRIx64, h);
    return h ? 0 : -1;
}

static int choose_activation(struct clip_find *c, bool openai, struct err *e) {
    struct clip_config *g = &c->m->config;
    bool vit = g->has_vision && g->vision.kind == VISION_VIT;

    if (c->f->paths->activation >= 0) {
        g->text.act = g->vision.act = (enum act)c->f->paths->activation;
        c->from.act = "--activation";
    } else if (!g->act_known && openai) {
        c->from.act = "a TorchScript archive of OpenAI's";    /* all of OpenAI's models use QuickGELU */
    } else if (!g->act_known && (g->has_text || vit)) {
        return err_set(e, "nothing says which activation it was trained with: use --activation");
    }
    g->act_known = true;
    return 0;
}

/* Join what the tensors and the config file tell, and refuse a tensor that does not belong to this network. */
static int settle(struct clip_find *c, bool openai, struct err *e) {
    struct clip_model *m = c->m;

    if (clip_config_from_weights(&m->config, &m->weights, e) < 0)
        return -1;
    if (!c->from.config && ((m->config.has_text && !m->config.text.heads) ||
                            (m->config.has_vision && !m->config.vision.heads)))
        return err_set(e, "heads are not 64 wide, and no config gives their width");
    if (!c->from.config)
        c->from.config = "the rules for widths";
    else if (clip_config_merge(&m->config, &c->config, e) < 0)
        return -1;
    if (clip_check_names(&m->config, &m->weights, e) < 0 || choose_activation(c, openai, e) < 0)
        return -1;
    return 0;
}

static bool wanted(const struct clip_find *c) {
    return (c->m->config.has_text || !(c->want & MODEL_TEXT)) &&
           (c->m->config.has_vision || !(c->want & MODEL_VISION));
}

/* Open the weights at `path`; the caller has read their config, if they have one.  `dir` is the directory in which the
 * preprocessing of Hugging Face's layout is looked for, or NULL for other layouts. */
static int open_weights(struct clip_find *c, const char *path, const char *layout, const char *dir) {
    struct clip_model *m = c->m;
    struct err inner = {0};
    bool openai;

    m->path = c->f->path;
    m->file = path;
    c->from.layout = layout;
    if (weights_load(&c->file, path, c->f->a, &inner) < 0)
        return find_failed(c->f, path, &inner);
    openai = from_openai(&c->file);
    m->weights = c->file.weights;
    if (clip_canonical_names(&m->weights, &m->config.family, &c->f->why) < 0)
        return NOT_HERE;
    c->clip = true;
    if (settle(c, openai, &inner) < 0)
        return find_failed(c->f, path, &inner);
    if (!wanted(c)) {
        err_set(&c->f->why, "only the %s tower", m->config.has_text ? "text" : "image");
        return NOT_HERE;
    }
    if (m->config.has_vision && dir && read_prep(c, dir) < 0)
        return FAILED;
    if (m->config.has_vision && !dir && !c->from.prep) {
        const char *folder = path_folder(c->f->a, path);
        int r = folder ? prep_in(c, folder) : NOT_HERE;

        if (r == FAILED)
            return FAILED;
        if (r == NOT_HERE) {
            m->prep = clip_prep_default(m->config.vision.image, CROP_TORCHVISION);
            c->from.prep = "OpenAI's";
        }
    }
    if (m->config.has_vision && m->prep.crop != m->config.vision.image) {
        err_set(&inner, "%s crops to %zu, but the tower sees %zu", c->from.prep, m->prep.crop,
                m->config.vision.image);
        return find_failed(c->f, path, &inner);
    }
    if (fingerprint(c) < 0 || !(m->about = model_about_clip(m, c->file.kind, &c->from, c->f->a)))
        return err_set(c->f->e, "%.400s: out of memory", path);
    return FOUND;
}

/* ---- layouts ---- */

static void start(struct clip_find *c) {
    c->config = (struct clip_config){0};
    c->from = (struct model_source){0};
    err_clear(&c->f->why);
    c->clip = false;
}

static const char *in(struct clip_find *c, const char *dir, const char *name) {
    return path_join(c->f->a, dir, name);
}

static int try_hf(struct clip_find *c, const char *dir, const char *layout) {
    const char *config = in(c, dir, "config.json"), *weights;
    int r;

    start(c);
    if (!path_is_file(config)) {
        err_set(&c->f->why, "no config.json");
        return NOT_HERE;
    }
    r = read_config(c, config);
    if (r != FOUND)
        return r;
    weights = find_weights(c->f, dir, WEIGHTS_TRANSFORMERS);
    if (!weights) {
        err_set(&c->f->why, "no model.safetensors or pytorch_model.bin");
        return NOT_HERE;
    }
    return open_weights(c, weights, layout, dir);
}

/* Try open_clip's layout, or weights without a config under one of open_clip's names. */
static int try_openclip(struct clip_find *c, const char *dir) {
    const char *weights = find_weights(c->f, dir, WEIGHTS_OPENCLIP);
    const char *config = in(c, dir, "open_clip_config.json");

    start(c);
    if (!weights) {
        err_set(&c->f->why, "no config.json, open_clip_config.json or weights");
        return NOT_HERE;
    }
    if (path_is_file(config) ? read_openclip(c, config) < 0 : path_is_file(in(c, dir, "config.json")))
        return path_is_file(config) ? FAILED : NOT_HERE;    /* NOT_HERE: config.json is for another kind of model */
    return open_weights(c, weights, c->from.config ? "open_clip folder" : "weights without a config", NULL);
}

/* Try a file under the name under which OpenAI published it. */
static int try_openai(struct clip_find *c, const char *dir) {
    const char *weights = find_weights(c->f, dir, WEIGHTS_OPENAI);

    start(c);
    if (!weights) {
        err_set(&c->f->why, "no file of OpenAI's");
        return NOT_HERE;
    }
    return open_weights(c, weights, "file under a name of OpenAI's", NULL);
}

static int try_folder(struct clip_find *c, const char *dir) {
    struct err why;
    int r = NOT_HERE;

    if (c->want == MODEL_TEXT)
        r = try_hf(c, in(c, dir, "text_encoder"), "diffusers pipeline: text_encoder");
    if (c->want == MODEL_VISION)
        r = try_hf(c, in(c, dir, "image_encoder"), "diffusers pipeline: image_encoder");
    if (r == NOT_HERE)
        r = try_hf(c, dir, "Hugging Face folder");
    why = c->f->why;
    if (r == NOT_HERE && !c->from.config)
        r = try_openclip(c, dir);
    if (r == NOT_HERE && !c->clip)
        r = try_openai(c, dir);
    if (r == NOT_HERE && !c->clip)
        c->f->why = why;    /* the reason from Hugging Face's layout, which is the likeliest */
    return r;
}

/* Read the config next to a single file, if its layout has a config. */
static int beside(struct clip_find *c, const char *path, const char *dir, bool *hf) {
    const char *config = in(c, dir, "config.json"), *open = in(c, dir, "open_clip_config.json");
    int r = NOT_HERE;

    if (path_is_file(config) && strncmp(path_base(path), "open_clip", 9))
        r = read_config(c, config);
    *hf = r == FOUND;
    if (r == NOT_HERE && path_is_file(open))
        r = read_openclip(c, open);
    err_clear(&c->f->why);
    return r;
}

static int try_file(struct clip_find *c, const char *path) {
    const char *dir = path_folder(c->f->a, path);
    struct err inner = {0};
    struct mapfile m;
    bool hf = false;
    int r;

    start(c);
    if (!dir)
        return err_set(c->f->e, "out of memory");
    if (find_map(c->f, path, &m) < 0)
        return FAILED;
    if (!weights_sniff(m.p, m.n) && !strstr(path_base(path), ".index.")) {
        err_set(&c->f->why, "%s", file_kind(m.p, m.n) ? file_kind(m.p, m.n) : "neither safetensors nor a PyTorch file");
        return NOT_HERE;
    }
    if (weights_load(&c->file, path, c->f->a, &inner) < 0)
        return find_failed(c->f, path, &inner);
    if (!from_openai(&c->file) && beside(c, path, dir, &hf) < 0)
        return FAILED;
    r = open_weights(c, path, "single file", hf ? dir : NULL);
    if (r == NOT_HERE && !c->clip) {
        struct err why = c->f->why;
        r = try_openai(c, dir);    /* a Karlo checkpoint: its CLIP is in the checkpoint's directory */
        if (r == NOT_HERE && !c->clip)
            c->f->why = why;
    }
    return r;
}

static int look(void *ctx, struct find *f) {
    struct clip_find *c = ctx;

    *c->m = (struct clip_model){0};
    return path_is_dir(f->path) ? try_folder(c, f->path) : try_file(c, f->path);
}

int model_open_clip(struct clip_model *m, unsigned want, const struct model_paths *p, struct arena *a,
                    struct err *e) {
    static const char *const what[] = {"CLIP", "text tower", "image tower", "CLIP of both towers"};
    struct find f = {.paths = p, .a = a, .e = e};
    struct clip_find c = {.f = &f, .m = m, .want = want};

    return find_component(&f, what[want & 3], look, &c);
}
