/* The handle of libunclip: memory, paths, options, threads, and facts about the model. */
#include <jansson.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "api/api_inside.h"
#include "formats/io/cores.h"
#include "formats/io/near.h"
#include "formats/io/pathname.h"
#include "formats/io/region.h"
#include "formats/record/json_record.h"
#include "lib/base/cpu.h"
#include "lib/base/pool.h"
#include "lib/kernel/kern.h"
#include "lib/vector/similarity.h"

static const size_t ROOM = (size_t)1 << 37;    /* bytes of address space that a handle reserves */

static const struct api_options DEFAULTS = {
    .draw_precision = -1, .prior_steps = -1, .decode_steps = -1, .upsample_steps = -1, .prior_guidance = -1, .decode_guidance = -1,
    .decode_eta = -1,
};

/* ---- beginning and end ---- */

const char *unclip_version(void) {
    return UNCLIP_VERSION;
}

struct unclip *unclip_new(void) {
    struct arena_mem mem;
    struct arena a;
    struct unclip *u;

    if (region_reserve(&mem, ROOM, NULL) < 0)
        return NULL;
    a = arena_open(&mem);
    u = arena_zero(&a, 1, sizeof *u);
    if (!u) {
        region_release(&mem);
        return NULL;
    }
    u->mem = mem, u->arena = a;
    u->arena.mem = &u->mem;
    u->mem.files = &u->files;
    u->o = DEFAULTS;
    return u;
}

static bool go_on(void) {
    return false;
}

void unclip_free(struct unclip *u) {
    struct arena_mem mem;

    if (!u)
        return;
    pool_stop(u->look.pool);
    if (u->cache.dir)
        pack_cache_save(&u->cache, go_on);
    mapfile_close_list(&u->files, 0);
    mem = u->mem;
    region_release(&mem);
}

/* ---- errors ---- */

const char *unclip_error(const struct unclip *u) {
    return u ? u->err.msg : "no handle: memory is lacking, or the handle is NULL";
}

int api_enter(struct unclip *u) {
    if (!u)
        return -1;
    err_clear(&u->err);
    return 0;
}

int api_failed(struct unclip *u, const char *where, const struct err *why) {
    return err_at(&u->err, where, why);
}

int api_failed_at(struct unclip *u, const char *where, size_t i, const struct err *why) {
    return err_set(&u->err, "%s %zu: %s", where, i + 1, why->msg);
}

int api_need(struct unclip *u, const void *p, const char *name) {
    return p ? 0 : err_set(&u->err, "%s is NULL", name);
}

int api_finite(struct unclip *u, const float *v, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (!isfinite(v[i]))
            return err_set(&u->err, "%s: number %zu is not finite", name, i + 1);
    return 0;
}

/* ---- paths and options ---- */

int unclip_open(struct unclip *u, const char *path) {
    struct err why = {0};

    if (api_enter(u) < 0 || api_need(u, path, "path") < 0)
        return -1;
    if (u->fixed)
        return err_set(&u->err, "%s: the model is in use, so that no path can be added", path);
    if (u->paths == API_PATHS)
        return err_set(&u->err, "%s: more than %d paths", path, API_PATHS);
    if (!path_is_dir(path) && !path_is_file(path)) {
        near_open_failed(path, &why);
        return api_failed(u, path, &why);
    }
    u->path[u->paths] = arena_str(&u->arena, path, strlen(path));
    if (!u->path[u->paths])
        return err_set(&u->err, "out of memory");
    u->paths++;
    return 0;
}

enum kind { INT, REAL, TEXT, CHOICE };

#define AT(member) offsetof(struct api_options, member)

static const struct option {
    const char *name;
    enum kind kind;
    size_t at;
    double min, max;
    bool early;               /* the option can be set only before the first component is opened */
    const char *choice[4];    /* the option's value is min + i for choice[i] */
} options[] = {
    {"threads", INT, AT(threads), 1, POOL_MAX, true, {0}},
    {"kernel", TEXT, AT(kernel), 0, 0, true, {0}},
    {"precision", CHOICE, AT(precision), 0, 0, true, {"f32", "bf16"}},
    {"draw-precision", CHOICE, AT(draw_precision), -1, 0, true, {"auto", "f32", "bf16"}},
    {"cache", TEXT, AT(cache), 0, 0, true, {0}},
    {"activation", CHOICE, AT(activation), 0, 0, true, {"auto", "quick_gelu", "gelu"}},
    {"truncate", CHOICE, AT(truncate), 0, 0, false, {"no", "yes"}},
    {"exif", CHOICE, AT(exif), 0, 0, false, {"no", "yes"}},
    {"templates", TEXT, AT(templates), 0, 0, false, {0}},
    {"seed", INT, AT(seed), 0, 0x1p53, false, {0}},
    {"noise-id", TEXT, AT(noise_id), 0, 0, false, {0}},
    {"sample", INT, AT(sample), 0, SAMPLE_MAX - 1, false, {0}},
    {"prior-steps", INT, AT(prior_steps), 1, 1000, false, {0}},
    {"prior-guidance", REAL, AT(prior_guidance), 0, 1000, false, {0}},
    {"decode-steps", INT, AT(decode_steps), 1, 1000, false, {0}},
    {"decode-guidance", REAL, AT(decode_guidance), 0, 1000, false, {0}},
    {"decode-eta", REAL, AT(decode_eta), 0, 1, false, {0}},
    {"upsample-steps", INT, AT(upsample_steps), 1, 1000, false, {0}},
};

/* The number is parsed as JSON, because jansson expects '.' as the decimal separator in every locale. */
static int set_number(struct unclip *u, const struct option *o, const char *value) {
    json_t *j = json_loads(value, JSON_DECODE_ANY, NULL);
    bool right = o->kind == INT ? json_is_integer(j) : json_is_number(j);
    double v = right ? json_number_value(j) : 0;
    int64_t i = json_is_integer(j) ? json_integer_value(j) : 0;

    json_decref(j);
    if (!right || !(v >= o->min && v <= o->max) || (o->kind == INT && i > (int64_t)o->max))
        return err_set(&u->err, "%s: '%.80s' is not %s from %g to %g", o->name, value, o->kind == INT ? "an integer" : "a number",
                       o->min, o->max);
    if (o->kind == INT)
        memcpy((char *)&u->o + o->at, &i, sizeof i);
    else
        memcpy((char *)&u->o + o->at, &v, sizeof v);
    return 0;
}

static int set_choice(struct unclip *u, const struct option *o, const char *value) {
    for (int i = 0; i < 4 && o->choice[i]; i++)
        if (!strcmp(value, o->choice[i])) {
            const int64_t v = (int64_t)o->min + i;

            memcpy((char *)&u->o + o->at, &v, sizeof v);
            return 0;
        }
    return err_set(&u->err, "%s: '%.80s' is not %s, %s%s%s", o->name, value, o->choice[0], o->choice[1],
                   o->choice[2] ? " or " : "", o->choice[2] ? o->choice[2] : "");
}

static int set_text(struct unclip *u, const struct option *o, const char *value) {
    if (strlen(value) >= API_NAME)
        return err_set(&u->err, "%s: more than %d bytes", o->name, API_NAME - 1);
    memcpy((char *)&u->o + o->at, value, strlen(value) + 1);
    return 0;
}

int unclip_set(struct unclip *u, const char *option, const char *value) {
    const struct option *o = NULL;

    if (api_enter(u) < 0 || api_need(u, option, "option") < 0)
        return -1;
    for (size_t i = 0; i < sizeof options / sizeof *options && !o; i++)
        o = strcmp(options[i].name, option) ? NULL : &options[i];
    if (!o)
        return err_set(&u->err, "no option is called '%.80s'", option);
    if (o->early && u->fixed)
        return err_set(&u->err, "%s: the model is in use, so that this option cannot change", option);
    if (!value) {
        memcpy((char *)&u->o + o->at, (const char *)&DEFAULTS + o->at, o->kind == TEXT ? API_NAME : sizeof(int64_t));
        return 0;
    }
    return o->kind == TEXT ? set_text(u, o, value) : o->kind == CHOICE ? set_choice(u, o, value) : set_number(u, o, value);
}

void unclip_watch(struct unclip *u, int (*step)(void *ctx, size_t done, size_t steps), void *ctx) {
    if (u)
        u->step = step, u->ctx = ctx;
}

/* ---- threads, kernels, components ---- */

struct model_paths api_paths(struct unclip *u) {
    return (struct model_paths){.v = u->path, .n = u->paths,
                                .activation = u->o.activation == 1 ? ACT_QUICK_GELU : u->o.activation == 2 ? ACT_GELU : -1,
                                .cache = &u->cache};
}

/* Prepares the cache.  Returns -1 with a message if unclip_open has named no path. */
static int use_paths(struct unclip *u) {
    if (!u->paths)
        return err_set(&u->err, "no model: unclip_open names it");
    u->cache = (struct pack_cache){.dir = u->o.cache[0] && strcmp(u->o.cache, "none") != 0 ? u->o.cache : NULL, .least = PACK_LEAST,
                                   .entry = u->cache.entry};
    return 0;
}

static int start_kernels(struct unclip *u) {
    const char *kernel = u->o.kernel[0] ? u->o.kernel : NULL;
    int64_t draw = u->o.draw_precision;

    if (draw < 0)    /* auto: bf16 if the CPU can run a bf16 kernel (with the name in the option "kernel", if set) */
        draw = kern_choose(kernel, PREC_BF16, cpu_flags(), NULL) != NULL;
    u->look.kern = kern_choose(kernel, u->o.precision ? PREC_BF16 : PREC_F32, cpu_flags(), &u->err);
    u->draw.kern = kern_choose(kernel, draw ? PREC_BF16 : PREC_F32, cpu_flags(), &u->err);
    return u->look.kern && u->draw.kern ? 0 : -1;
}

static int start_threads(struct unclip *u) {
    int64_t n = u->o.threads ? u->o.threads : cores_available();

    u->look.pool = u->draw.pool = pool_start(&u->arena, (int)(n < POOL_MAX ? n : POOL_MAX), &u->err);
    return u->look.pool ? 0 : -1;
}

static void stop_threads(struct unclip *u) {
    if (!u->look.pool)
        return;
    pool_stop(u->look.pool);
    u->look.pool = u->draw.pool = NULL;
    u->arena = u->unstarted;
}

int api_part(struct unclip *u, int (*open)(struct unclip *u)) {
    const struct arena before = u->arena;
    struct pack_entry *entry = u->cache.entry;
    const size_t files = u->files.n;
    const bool had_none = u->has_none;

    if (open(u) == 0) {
        u->fixed = true;
        return 0;
    }
    u->arena = before;
    u->cache.entry = entry;
    u->has_none = had_none;
    mapfile_close_list(&u->files, files);
    if (!u->fixed)
        stop_threads(u);    /* the next call may come with other paths and options */
    return -1;
}

int api_start(struct unclip *u) {
    if (u->look.pool)
        return 0;
    u->unstarted = u->arena;
    if (start_kernels(u) < 0 || use_paths(u) < 0)
        return -1;
    if (start_threads(u) < 0) {
        u->arena = u->unstarted;
        return -1;
    }
    u->clip.towers = (struct towers){.paths = api_paths(u), .compute = &u->look, .keep = &u->arena, .batch = API_BATCH};
    return 0;
}

static int open_words(struct unclip *u) {
    const struct model_paths p = api_paths(u);

    return vocabulary_open(&u->words, &p, &u->arena, &u->err);
}

int api_words(struct unclip *u) {
    if (u->has_words)
        return 0;
    if (use_paths(u) < 0 || api_part(u, open_words) < 0)
        return -1;
    u->has_words = true;
    return 0;
}

static int open_text(struct unclip *u) {
    const struct encoder before = u->clip;

    if (encode_open_text(&u->clip, &u->err) == 0)
        return 0;
    u->clip = before;
    return -1;
}

int api_text(struct unclip *u) {
    if (u->clip.bpe)
        return 0;
    return api_start(u) < 0 ? -1 : api_part(u, open_text);
}

static int open_vision(struct unclip *u) {
    const struct encoder before = u->clip;

    if (towers_vision(&u->clip.towers, &u->err) == 0)
        return 0;
    u->clip = before;
    return -1;
}

int api_vision(struct unclip *u) {
    if (u->clip.towers.vision)
        return 0;
    return api_start(u) < 0 ? -1 : api_part(u, open_vision);
}

/* ---- what the model is ---- */

static int open_header(struct unclip *u, unsigned want, struct clip_model *m, struct err *e) {
    const struct model_paths p = api_paths(u);
    struct arena a = u->arena;    /* a copy, so that the memory of the headers is free again when this function returns */
    const size_t files = u->files.n;
    int got = use_paths(u) < 0 ? -1 : model_open_clip(m, want, &p, &a, e);

    u->fixed |= got == 0;
    mapfile_close_list(&u->files, files);
    return got;
}

int api_clip(struct unclip *u, unsigned want, struct clip_model *m) {
    const struct towers *t = &u->clip.towers;
    struct err first = {0};

    if (want & MODEL_TEXT && t->text)
        *m = *t->text_model;
    else if (want & MODEL_VISION && t->vision)
        *m = *t->vision_model;
    else if (open_header(u, want & MODEL_TEXT ? MODEL_TEXT : MODEL_VISION, m, &first) < 0 &&
             (want != (MODEL_TEXT | MODEL_VISION) || open_header(u, MODEL_VISION, m, &u->err) < 0))
        return err_set(&u->err, "%s", first.msg);
    return 0;
}

/* Sets u->width and u->scale from the config of a CLIP, unless they are already set. */
static int measure(struct unclip *u) {
    struct clip_model m;

    if (u->width)
        return 0;
    if (api_clip(u, MODEL_TEXT | MODEL_VISION, &m) < 0)
        return -1;
    u->width = m.config.has_text ? m.config.text.embed : m.config.vision.embed;
    u->scale = m.config.has_scale ? (double)m.config.scale : 100;
    return 0;
}

size_t api_width(struct unclip *u) {
    return measure(u) < 0 ? 0 : u->width;
}

int api_scale(struct unclip *u, double *scale) {
    if (measure(u) < 0)
        return -1;
    *scale = u->scale;
    return 0;
}

const struct sim_kern *api_similarity(void) {
    const struct kern *k = kern_choose(NULL, PREC_F32, cpu_flags(), NULL);

    return sim_kern_choose(k->name);
}

size_t unclip_size(struct unclip *u, enum unclip_size what) {
    if (api_enter(u) < 0)
        return 0;
    switch (what) {
    case UNCLIP_EMBED:
        return api_width(u);
    case UNCLIP_CONTEXT:
        return api_words(u) < 0 ? 0 : u->words.context;
    case UNCLIP_SIDE:
        return api_decoder(u) < 0 ? 0 : u->decoder.side;
    case UNCLIP_RATIO:
        return api_upsampler(u) < 0 ? 0 : u->upsampler.ratio;
    }
    err_set(&u->err, "no size has the number %d", (int)what);
    return 0;
}

/* The facts of unclip_get.  Each function writes a fact into u->fact. */

static int fact(struct unclip *u, const char *text) {
    snprintf(u->fact, sizeof u->fact, "%s", text);
    return 0;
}

static int fact_version(struct unclip *u) {
    return fact(u, UNCLIP_VERSION);
}

static int fact_kernel(struct unclip *u) {
    return start_kernels(u) < 0 ? -1 : fact(u, u->look.kern->name);
}

static int fact_draw_kernel(struct unclip *u) {
    return start_kernels(u) < 0 ? -1 : fact(u, u->draw.kern->name);
}

static int fact_draw_precision(struct unclip *u) {
    return start_kernels(u) < 0 ? -1 : fact(u, precision_name(u->draw.kern->precision));
}

static int fact_text(struct unclip *u) {
    struct clip_model m;

    return api_clip(u, MODEL_TEXT, &m) < 0 ? -1 : fact(u, m.fingerprint);
}

static int fact_image(struct unclip *u) {
    struct clip_model m;

    return api_clip(u, MODEL_VISION, &m) < 0 ? -1 : fact(u, m.fingerprint);
}

static int fact_vocabulary(struct unclip *u) {
    return api_words(u) < 0 ? -1 : fact(u, u->words.hash);
}

static int fact_prior(struct unclip *u) {
    return api_prior(u) < 0 ? -1 : fact(u, u->prior.fingerprint);
}

static int fact_decoder(struct unclip *u) {
    return api_decoder(u) < 0 ? -1 : fact(u, u->decoder.fingerprint);
}

static int fact_upsampler(struct unclip *u) {
    return api_upsampler(u) < 0 ? -1 : fact(u, u->upsampler.fingerprint);
}

static int fact_scale(struct unclip *u) {
    double v;

    if (api_scale(u, &v) < 0)
        return -1;
    u->fact[json_float(u->fact, v, true)] = 0;
    return 0;
}

static const struct {
    const char *name;
    int (*get)(struct unclip *u);
} facts[] = {
    {"version", fact_version}, {"kernel", fact_kernel}, {"draw-kernel", fact_draw_kernel}, {"draw-precision", fact_draw_precision},
    {"text-model", fact_text}, {"image-model", fact_image}, {"vocabulary", fact_vocabulary}, {"prior-model", fact_prior},
    {"decoder-model", fact_decoder}, {"upsampler-model", fact_upsampler}, {"logit-scale", fact_scale},
};

const char *unclip_get(struct unclip *u, const char *name) {
    if (api_enter(u) < 0 || api_need(u, name, "fact") < 0)
        return NULL;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        if (!strcmp(facts[i].name, name))
            return facts[i].get(u) < 0 ? NULL : u->fact;
    err_set(&u->err, "no fact is called '%.80s'", name);
    return NULL;
}
