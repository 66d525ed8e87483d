#include "formats/checkpoint/model.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "formats/checkpoint/clip_config.h"
#include "formats/checkpoint/model_about.h"
#include "formats/io/pathname.h"

/* What each step returns: opened, not here (why is in `why`), or an error. */
enum { OPENED = 1, NOT_HERE = 0, FAILED = -1 };

struct find {
    struct clip_model *m;
    const struct model_paths *paths;
    const char *path;            /* of the list, now */
    unsigned want;
    struct weights_file f;
    bool clip;                   /* the weights looked at last were those of a CLIP */
    struct clip_config file;     /* what a config file said; has_* all false: there was none */
    struct model_source from;
    struct err why, tried;
    struct arena *a;
    struct err *e;
};

/* dir/name */
static const char *join(struct find *f, const char *dir, const char *name) {
    return path_join(f->a, dir, name);
}

static const char *first_file(struct find *f, const char *dir, const char *const *names, size_t n) {
    return path_first(f->a, dir, names, n);
}

/* An error in a file: named, and final. */
static int bad_file(struct find *f, const char *path, const struct err *inner) {
    return err_set(f->e, "%.400s: %s", path, inner->msg);
}

/* ---- what files say ---- */

static int read_config(struct find *f, const char *path) {
    struct err inner = {0};
    struct mapfile m;
    int r;

    if (mapfile_open(&m, path, &inner) < 0)
        return bad_file(f, path, &inner);
    r = clip_config_hf(&f->file, m.p, m.n, &inner);
    if (r < 0)
        return bad_file(f, path, &inner);
    if (r == 0) {
        err_set(&f->why, "%s is not the config of a CLIP", path_base(path));
        return NOT_HERE;
    }
    f->from.config = f->from.act = path_base(path);
    return OPENED;
}

static int read_openclip(struct find *f, const char *path) {
    struct err inner = {0};
    struct mapfile m;

    if (mapfile_open(&m, path, &inner) < 0 ||
        clip_config_openclip(&f->file, &f->m->prep, m.p, m.n, &inner) < 0)
        return bad_file(f, path, &inner);
    f->from.config = f->from.act = f->from.prep = path_base(path);
    return OPENED;
}

/* preprocessor_config.json beside the weights, or in the folder of that name in a pipeline. */
static int read_prep(struct find *f, const char *dir) {
    static const char *const names[] = {"preprocessor_config.json",
                                        "feature_extractor/preprocessor_config.json",
                                        "../feature_extractor/preprocessor_config.json"};
    const char *path = first_file(f, dir, names, 3);
    struct err inner = {0};
    struct mapfile m;

    if (!path) {
        f->m->prep = clip_prep_default(f->m->config.vision.image, CROP_HF);
        f->from.prep = "Hugging Face's defaults: no preprocessor_config.json";
        return OPENED;
    }
    if (mapfile_open(&m, path, &inner) < 0 || clip_prep_hf(&f->m->prep, m.p, m.n, &inner) < 0)
        return bad_file(f, path, &inner);
    f->from.prep = path_base(path);
    return OPENED;
}

/* ---- weights ---- */

static bool from_openai(const struct weights_file *f) {
    return f->kind == WEIGHTS_TORCHSCRIPT && weights_find(&f->weights, "input_resolution") &&
           weights_find(&f->weights, "context_length") && weights_find(&f->weights, "vocab_size");
}

/* Fingerprint without leaving what it touched in memory. */
static int print(struct find *f) {
    struct clip_model *m = f->m;
    uint64_t h;

    m->mapped = f->f;
    weights_scattered(&f->f);
    h = clip_fingerprint(&m->config, &m->weights, *f->a);
    weights_forget(&f->f);
    snprintf(m->fingerprint, sizeof m->fingerprint, "%016" PRIx64, h);
    return h ? 0 : -1;
}

static int choose_activation(struct find *f, bool openai, struct err *e) {
    struct clip_config *c = &f->m->config;
    bool vit = c->has_vision && c->vision.kind == VISION_VIT;

    if (f->paths->activation >= 0) {
        c->text.act = c->vision.act = (enum act)f->paths->activation;
        f->from.act = "--activation";
    } else if (!c->act_known && openai) {
        f->from.act = "a TorchScript archive of OpenAI's";    /* QuickGELU, all of them */
    } else if (!c->act_known && (c->has_text || vit)) {
        return err_set(e, "nothing says which activation it was trained with: use --activation");
    }
    c->act_known = true;
    return 0;
}

/* The config as tensors and file together give it, and nothing in the file that it does not
 * explain. */
static int settle(struct find *f, bool openai, struct err *e) {
    struct clip_model *m = f->m;

    if (clip_config_from_weights(&m->config, &m->weights, e) < 0)
        return -1;
    if (!f->from.config && ((m->config.has_text && !m->config.text.heads) ||
                            (m->config.has_vision && !m->config.vision.heads)))
        return err_set(e, "heads are not 64 wide, and no config says how wide");
    if (!f->from.config)
        f->from.config = "the rules for widths";
    else if (clip_config_merge(&m->config, &f->file, e) < 0)
        return -1;
    if (clip_check_names(&m->config, &m->weights, e) < 0 || choose_activation(f, openai, e) < 0)
        return -1;
    return 0;
}

static bool wanted(const struct find *f) {
    return (f->m->config.has_text || !(f->want & MODEL_TEXT)) &&
           (f->m->config.has_vision || !(f->want & MODEL_VISION));
}

/* Weights whose config, if there is one, was read.  dir: where to look for the preprocessing
 * of Hugging Face's layout, NULL for torchvision's or open_clip's. */
static int open_weights(struct find *f, const char *path, const char *layout, const char *dir) {
    struct clip_model *m = f->m;
    struct err inner = {0};
    bool openai;

    m->path = f->path;
    m->file = path;
    f->from.layout = layout;
    if (weights_load(&f->f, path, f->a, &inner) < 0)
        return bad_file(f, path, &inner);
    openai = from_openai(&f->f);
    m->weights = f->f.weights;
    if (clip_canonical_names(&m->weights, &m->config.family, &f->why) < 0)
        return NOT_HERE;
    f->clip = true;
    if (settle(f, openai, &inner) < 0)
        return bad_file(f, path, &inner);
    if (!wanted(f)) {
        err_set(&f->why, "only the %s tower", m->config.has_text ? "text" : "image");
        return NOT_HERE;
    }
    if (m->config.has_vision && dir && read_prep(f, dir) < 0)
        return FAILED;
    if (m->config.has_vision && !dir && !f->from.prep) {
        m->prep = clip_prep_default(m->config.vision.image, CROP_TORCHVISION);
        f->from.prep = "OpenAI's";
    }
    if (m->config.has_vision && m->prep.crop != m->config.vision.image) {
        err_set(&inner, "%s crops to %zu, but the tower sees %zu", f->from.prep, m->prep.crop,
                m->config.vision.image);
        return bad_file(f, path, &inner);
    }
    if (print(f) < 0 || !(m->about = model_about_clip(m, f->f.kind, &f->from, f->a)))
        return err_set(f->e, "%.400s: out of memory", path);
    return OPENED;
}

/* ---- layouts ---- */

static void start(struct find *f) {
    f->file = (struct clip_config){0};
    f->from = (struct model_source){0};
    f->why = (struct err){0};
    f->clip = false;
}

static int try_hf(struct find *f, const char *dir, const char *layout) {
    static const char *const names[] = {
        "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin",
        "pytorch_model.bin.index.json", "model.fp16.safetensors",
        "model.safetensors.index.fp16.json", "pytorch_model.fp16.bin"
    };
    const char *config = join(f, dir, "config.json"), *weights;
    int r;

    start(f);
    if (!path_is_file(config)) {
        err_set(&f->why, "no config.json");
        return NOT_HERE;
    }
    r = read_config(f, config);
    if (r != OPENED)
        return r;
    weights = first_file(f, dir, names, sizeof names / sizeof *names);
    if (!weights) {
        err_set(&f->why, "no model.safetensors or pytorch_model.bin");
        return NOT_HERE;
    }
    return open_weights(f, weights, layout, dir);
}

static const char *const openclip_names[] = {
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors",
    "open_clip_model.safetensors.index.json", "open_clip_pytorch_model.bin",
    "open_clip_pytorch_model.pth", "model.safetensors", "model.safetensors.index.json",
    "pytorch_model.bin", "pytorch_model.pth", "model.pth"
};

/* Also weights under such a name without any config. */
static int try_openclip(struct find *f, const char *dir) {
    const char *weights = first_file(f, dir, openclip_names,
                                     sizeof openclip_names / sizeof *openclip_names);
    const char *config = join(f, dir, "open_clip_config.json");

    start(f);
    if (!weights) {
        err_set(&f->why, "no config.json, open_clip_config.json or weights");
        return NOT_HERE;
    }
    if (path_is_file(config) ? read_openclip(f, config) < 0 : path_is_file(join(f, dir, "config.json")))
        return path_is_file(config) ? FAILED : NOT_HERE;    /* a model of another kind */
    return open_weights(f, weights, f->from.config ? "open_clip folder" : "weights without a config",
                        NULL);
}

/* A file that OpenAI published, under its name. */
static int try_openai(struct find *f, const char *dir) {
    static const char *const names[] = {
        "ViT-L-14.pt", "ViT-L-14-336px.pt", "ViT-B-16.pt", "ViT-B-32.pt", "RN50.pt", "RN101.pt",
        "RN50x4.pt", "RN50x16.pt", "RN50x64.pt"
    };
    const char *weights = first_file(f, dir, names, sizeof names / sizeof *names);

    start(f);
    if (!weights) {
        err_set(&f->why, "no file of OpenAI's");
        return NOT_HERE;
    }
    return open_weights(f, weights, "file under a name of OpenAI's", NULL);
}

static int try_folder(struct find *f, const char *dir) {
    struct err why;
    int r = NOT_HERE;

    if (f->want == MODEL_TEXT)
        r = try_hf(f, join(f, dir, "text_encoder"), "diffusers pipeline: text_encoder");
    if (f->want == MODEL_VISION)
        r = try_hf(f, join(f, dir, "image_encoder"), "diffusers pipeline: image_encoder");
    if (r == NOT_HERE)
        r = try_hf(f, dir, "Hugging Face folder");
    why = f->why;
    if (r == NOT_HERE && !f->from.config)
        r = try_openclip(f, dir);
    if (r == NOT_HERE && !f->clip)
        r = try_openai(f, dir);
    if (r == NOT_HERE && !f->clip)
        f->why = why;    /* what the likeliest layout lacked */
    return r;
}

/* The config that lies beside a single file, if its layout has one. */
static int beside(struct find *f, const char *path, const char *dir, bool *hf) {
    const char *config = join(f, dir, "config.json"), *open = join(f, dir, "open_clip_config.json");
    int r = NOT_HERE;

    if (path_is_file(config) && strncmp(path_base(path), "open_clip", 9))
        r = read_config(f, config);
    *hf = r == OPENED;
    if (r == NOT_HERE && path_is_file(open))
        r = read_openclip(f, open);
    f->why.msg[0] = 0;
    return r;
}

static int try_file(struct find *f, const char *path) {
    const char *dir = path_folder(f->a, path);
    struct err inner = {0};
    struct mapfile m;
    bool hf = false;
    int r;

    start(f);
    if (!dir)
        return err_set(f->e, "out of memory");
    if (mapfile_open(&m, path, &inner) < 0)
        return bad_file(f, path, &inner);
    if (!weights_sniff(m.p, m.n) && !strstr(path_base(path), ".index.")) {
        err_set(&f->why, "neither safetensors nor a PyTorch file");
        return NOT_HERE;
    }
    if (weights_load(&f->f, path, f->a, &inner) < 0)
        return bad_file(f, path, &inner);
    if (!from_openai(&f->f) && beside(f, path, dir, &hf) < 0)
        return FAILED;
    r = open_weights(f, path, "single file", hf ? dir : NULL);
    if (r == NOT_HERE && !f->clip)
        return try_openai(f, dir);    /* a Karlo checkpoint: its CLIP lies beside it */
    return r;
}

/* ---- the list ---- */

static void note(struct find *f) {
    size_t n = strlen(f->tried.msg);

    snprintf(f->tried.msg + n, sizeof f->tried.msg - n, "%s%.300s (%s)", n ? ", " : "", f->path,
             f->why.msg[0] ? f->why.msg : "not found");
}

int model_open_clip(struct clip_model *m, unsigned want, const struct model_paths *p, struct arena *a,
                    struct err *e) {
    struct find f = {.m = m, .paths = p, .want = want, .a = a, .e = e};
    static const char *const what[] = {"CLIP", "text tower", "image tower", "CLIP of both towers"};

    for (size_t i = 0; i < p->n; i++) {
        int r = NOT_HERE;

        *m = (struct clip_model){0};
        f.path = p->v[i];
        if (path_is_dir(f.path))
            r = try_folder(&f, f.path);
        else if (path_is_file(f.path))
            r = try_file(&f, f.path);
        else
            f.why = (struct err){"no such file or directory"};
        if (r != NOT_HERE)
            return r == OPENED ? 0 : -1;
        note(&f);
    }
    return err_set(e, "no %s in %s", what[want & 3], p->n ? f.tried.msg : "an empty list of models");
}
