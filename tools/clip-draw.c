/* clip-draw - draw a picture that fits an embedding, by the gradient of a CLIP
 *
 * Reads: records with text_embed or image_embed.
 * Writes: each record with image, f32 [3, H, W], and, if the canvas is strokes, with svg.  With -n N, N records for each
 *         record that was read.
 * Memory: twice the weights, the activations that are kept for the backward pass (--memory), one record.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "formats/image/record_image.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/progress.h"
#include "tools/common/samples.h"
#include "tools/stage/drawing.h"
#include "tools/stage/missing.h"
#include "tools/stage/new_picture.h"

#define SYNOPSIS "[-m PATH]... [-n N] [-s SEED] [--canvas NAME] [option ...] [file ...]"

static const char *const FIELDS[] = {"image"};
static const char *const EMBEDS[] = {NULL, "text_embed", "image_embed"};

/* SIDE_LEAST: the least side of a canvas without --size, because strokes should be fine for a small CLIP, too. */
enum { SIDE_LEAST = 128, SIDE_MOST = 4096 };

struct job {
    struct tool t;
    struct drawing d;
    struct vq_canvas vq;
    int canvas, augment, loss, embed;
    int64_t strokes, views, iterations, best_of, every, memory;
    double lr;
    const char *negative, *init, *target, *size, *vq_path;
    bool raw, u8, each;        /* each: -m was repeated, and each -m names a CLIP */
    char fp[(DRAWING_SIGHTS + 1) * 17];
    /* the record that is being drawn */
    const struct record *r;
    const struct sample *s;
    size_t i;
    struct span map;
    struct arena_mem room_mem, late_mem;
    struct arena room, late;   /* room: for emit(); late: for text towers that a record needs */
    struct err why;            /* why emit() failed */
};

/* ---- options ---- */

static void size_option(struct job *j) {
    const char *p = j->size;
    size_t side[2] = {0};

    for (int i = 0; i < 2 && p; i++) {
        char *end;
        unsigned long v = *p >= '0' && *p <= '9' ? strtoul(p, &end, 10) : 0;

        if (v < 1 || v > SIDE_MOST || (*end && (i || *end != 'x')))
            die("--size: '%s' is neither N nor WxH, from 1 to %d", j->size, SIDE_MOST);
        side[i] = v;
        p = *end ? end + 1 : NULL;
    }
    j->d.w = side[0], j->d.h = side[1] ? side[1] : side[0];
}

static const struct opt_use USES[] = {
    {1 << CANVAS_STROKES, "strokes"}, {1 << CANVAS_PIXELS | 1 << CANVAS_FOURIER | 1 << CANVAS_VQGAN, "init"}, {1 << CANVAS_VQGAN, "vq"},
    {2 << CANVAS_VQGAN, "cutouts"}};
static const char *const MODES[] = {"--canvas=strokes", "--canvas=pixels", "--canvas=fourier", "--canvas=vqgan", "random views"};

static void defaults(struct job *j) {
    struct drawing *d = &j->d;

    d->kind = j->augment >= 0 ? (enum view_kind)j->augment : j->canvas == CANVAS_VQGAN ? VIEW_POOLED : VIEW_DRAW;
    TOOL_CHECK_USES(&j->t, USES, MODES, 1U << j->canvas | (d->kind == VIEW_WHOLE ? 0 : 2U << CANVAS_VQGAN));
    if (j->t.noise.rng)
        die("--rng torch: strokes and views come from unclip's generator");
    if (j->t.machine.precision < 0)
        j->t.machine.precision = PREC_F32;
    size_option(j);
    d->canvas = (enum canvas_kind)j->canvas;
    d->loss = j->loss < 0 ? j->canvas == CANVAS_STROKES ? LOSS_COSINE : LOSS_SPHERICAL : (enum loss_kind)j->loss;
    d->strokes = (size_t)j->strokes, d->iterations = (size_t)j->iterations, d->best_of = (size_t)j->best_of;
    d->views = d->kind == VIEW_WHOLE ? 1 : (size_t)(j->views ? j->views : j->canvas == CANVAS_VQGAN ? 32 : 4);
    d->memory = (size_t)j->memory << 20, d->every = (size_t)j->every, d->seed = (uint64_t)j->t.noise.seed;
    d->lr = j->lr > 0 ? j->lr : j->canvas == CANVAS_STROKES ? 1 : j->canvas == CANVAS_VQGAN ? 0.1 : 0.05;
    if (d->views * d->iterations > DRAWS_NUMBERS / DRAWING_SIGHTS)
        die("--cutouts times --iterations is more than %d", DRAWS_NUMBERS / DRAWING_SIGHTS);
}

/* ---- params and results ---- */

/* Write the parameters as a map.  step is the iterations that a partial picture has had; 0: a result. */
static int params(struct job *j, size_t step, struct span *out, struct arena *a, struct err *e) {
    const struct { const char *name, *text; } given[] = {
        {"embed", EMBEDS[j->embed]}, {"negative", j->negative}, {"target", j->target}, {"init", j->init}};
    const struct drawing *d = &j->d;
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    tool_params(&j->t, &m);
    drawing_params(d, &m);
    for (size_t i = 0; i < sizeof given / sizeof *given; i++)
        if (given[i].text)
            mp_cstr(&m, given[i].name), mp_text(&m, given[i].text, strlen(given[i].text));
    if (j->raw)
        mp_cstr(&m, "normalize"), mp_bool(&m, false);
    if (d->again)    /* computing again changes the last bits */
        mp_cstr(&m, "memory"), mp_int(&m, j->memory);
    if (j->u8)
        mp_cstr(&m, "u8"), mp_bool(&m, true);
    if (step)    /* --skip-from must not take a partial picture for a result, or for a picture of another step */
        mp_cstr(&m, "step"), mp_uint(&m, step);
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

/* Returns the iterations that were done for sample j->i, in all starts of --best-of. */
static size_t steps_done(const struct job *j) {
    return j->d.start * j->d.iterations + j->d.done;
}

/* Write the canvas of sample j->i as a record.  step: see params. */
static int write_picture(struct job *j, size_t step, struct arena a, struct err *e) {
    const struct drawing *d = &j->d;
    size_t n = 3 * d->h * d->w;
    float *x = arena_take(&a, n, sizeof *x);
    struct span map = j->map;
    struct record out;
    int got;

    if (!x || (step && params(j, step, &map, &a, e) < 0))
        return err_set(e, "out of memory");
    if ((got = tool_sample(&j->t, &out, j->r, j->s, j->i, map, "image", span_of(j->fp), &a, e)) <= 0)
        return got;
    for (size_t i = 0; i < n; i++)
        x[i] = 2 * d->o.picture[i] - 1;
    if (new_picture(&out, step ? PICTURE_SKETCHED : PICTURE_DRAWN, e) < 0 || record_set_picture(&out, x, d->h, d->w, j->u8, &a, e) < 0 ||
        (step ? record_set_int(&out, "step", (int64_t)step, e) : record_set_float(&out, "cos", fmin(fmax(d->cos, -1), 1), e)) < 0 ||
        (d->canvas == CANVAS_STROKES && drawing_svg(d, &out, &a, e) < 0))
        return err_set(e, "out of memory");
    tool_write(&j->t, &out, a);
    return 0;
}

static bool watch(void *ctx, size_t done, double loss) {
    struct job *j = ctx;

    tool_step_loss(&j->t, done, j->d.iterations * j->d.best_of, loss);
    return !tool_stopped();
}

static bool emit(void *ctx) {
    struct job *j = ctx;

    return write_picture(j, steps_done(j), j->room, &j->why) == 0;
}

/* ---- records ---- */

static int targets(struct job *j, const struct record *r, struct arena *a, struct err *e) {
    for (size_t i = 0; i < j->d.sights; i++) {
        int got = sight_target(&j->d.sight[i], 0, 1, r, EMBEDS[j->embed], j->d.sights > 1, a, e);

        if (got < 0)
            return -1;
        if (!got && !j->target)
            return j->embed ? field_missing(r, EMBEDS[j->embed], e) : err_set(e, "neither text_embed nor image_embed (clip-embed makes them)");
        j->d.first = got ? 0 : 1;
    }
    return 0;
}

static int run(void *job, struct record *r, struct arena *a, struct err *e) {
    struct job *j = job;
    struct sample s;

    if (tool_noise_id(&j->t, r, e) < 0 || sample_of(&s, r, a, e) < 0 || params(j, 0, &j->map, a, e) < 0)
        return -1;
    if (tool_samples_done(&j->t, r, &s, j->map, span_of(j->fp), *a))
        return 0;
    if (targets(j, r, a, e) < 0)
        return -1;
    j->r = r, j->s = &s;
    for (j->i = 0; j->i < (size_t)j->t.noise.n && !tool_stopped(); j->i++) {
        struct arena b = *a;

        err_clear(&j->why);
        if (drawing_run(&j->d, &s, j->i, &b, e) < 0)
            return -1;
        if (j->why.msg[0])
            return err_set(e, "%s", j->why.msg);
        if ((j->d.done || !j->d.stopped) && write_picture(j, j->d.stopped ? steps_done(j) : 0, b, e) < 0)
            return -1;
    }
    return 1;
}

/* ---- the model ---- */

/* Opens the VQGAN of --vq, or else the one in the model's paths.  Rounds the canvas down to sides that it can make. */
static void open_vqgan(struct job *j, const struct model_paths *p) {
    struct model_paths at = j->vq_path ? tool_model_at(&j->t, *p, &j->vq_path) : *p;
    struct drawing *d = &j->d;
    struct err e = {0};

    if (j->each && !j->vq_path)
        die("--canvas=vqgan: with several -m, which are CLIPs, --vq says where the VQGAN is");
    if (vq_canvas_open(&j->vq, &at, &j->t.compute, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    d->w = d->w ? d->w : j->vq.m.side, d->h = d->h ? d->h : j->vq.m.side;
    if (vq_canvas_fit(&j->vq, &d->h, &d->w, &e) < 0)
        die("%s", e.msg);
    strcat(strcat(j->fp, "+"), j->vq.m.fingerprint);
    d->vq = &j->vq;
}

static void open_model(struct job *j) {
    struct model_paths p = tool_models(&j->t);
    struct arena *a = &j->t.arena;
    struct drawing *d = &j->d;
    size_t side = 0;
    struct err e = {0};

    if (arena_split(a, arena_share(a, 4, (size_t)1 << 34), &j->late_mem, &j->late) < 0)
        die("out of memory");
    d->sights = j->each ? p.n : 1;
    d->sight = arena_take(a, d->sights, sizeof *d->sight);
    if (!d->sight)
        die("out of memory");
    for (size_t i = 0; i < d->sights; i++) {
        struct model_paths one = p;

        if (j->each)
            one.v = p.v + i, one.n = 1;
        if (sight_open(&d->sight[i], &one, &j->t.compute, a, &j->late, &e) < 0 ||
            (j->target && sight_target_image(&d->sight[i], 1, 1, j->target, a, &e) < 0))
            die("%s", e.msg);
        d->sight[i].prep.normalize &= !j->raw;
        side = size_max(side, d->sight[i].prep.crop);
        strcat(strcat(j->fp, i ? "+" : ""), d->sight[i].vision.model->fingerprint);
    }
    if (j->canvas == CANVAS_VQGAN)
        open_vqgan(j, &p);
    d->w = d->w ? d->w : size_max(side, SIDE_LEAST), d->h = d->h ? d->h : size_max(side, SIDE_LEAST);
    d->compute = &j->t.compute, d->watch = watch, d->emit = emit, d->ctx = j;
    if (drawing_open(d, a, &e) < 0 ||
        (j->init && (d->vq ? vq_canvas_init(d->vq, j->init, a, &e) : drawing_picture(j->init, d->h, d->w, &d->init, a, &e)) < 0) ||
        (j->negative && drawing_negatives(d, j->negative, 1 + (j->target != NULL), a, &e) < 0))
        die("%s", e.msg);
    if (j->t.verbose)
        warn("%zu CLIP%s, %zu views at a time", d->sights, d->sights > 1 ? "s" : "", d->look.pass);
    /* emit() takes the picture as numbers, as a field that grows, and as a part of the encoded record, 12 bytes a pixel each */
    if (d->every && arena_split(a, arena_share(a, 4, 48 * d->h * d->w + ((size_t)256 << 20)), &j->room_mem, &j->room) < 0)
        die("out of memory");
}

int main(int argc, char *argv[]) {
    static struct job j = {.t = {.machine = {.precision = -1}}, .loss = -1, .augment = -1, .strokes = 256, .iterations = 250, .best_of = 1,
                           .memory = 1024, .lr = -1};
    const struct opt own[] = {
        {0, "augment", OPT_CHOICE, &j.augment, "NAME", "views: warped crops (strokes, pixels, fourier), square cutouts, none: the whole, or pooled (vqgan)", 0, 0, "draw|cutout|none|pooled"},
        {0, "best-of", OPT_INT, &j.best_of, "K", "draw K for each result, keep the one with the highest cosine", 1, 64, NULL},
        {0, "canvas", OPT_CHOICE, &j.canvas, "NAME", "what is changed (strokes)", 0, 0, "strokes|pixels|fourier|vqgan"},
        {0, "cutouts", OPT_INT, &j.views, "K", "views in each iteration (4; of a VQGAN: 32)", 1, 256, NULL},
        {0, "embed", OPT_CHOICE, &j.embed, "WHAT", "the record's vector: text, image, or what it has (auto)", 0, 0, "auto|text|image"},
        {0, "every", OPT_INT, &j.every, "K", "write a record with the picture so far after every K iterations, too", 1, 65535, NULL},
        {0, "init", OPT_STR, &j.init, "IMAGE", "begin with this picture", 0, 0, NULL},
        {0, "iterations", OPT_INT, &j.iterations, "N", "steps of the optimiser (250)", 1, 65535, NULL},
        {0, "loss", OPT_CHOICE, &j.loss, "NAME", "of CLIPDraw (strokes) or VQGAN-CLIP (others)", 0, 0, "cosine|spherical"},
        {0, "lr", OPT_FLOAT, &j.lr, "RATE", "learning rate (1 pixel for strokes, 0.1 for a VQGAN, else 0.05)", 1e-6, 1000, NULL},
        {0, "memory", OPT_INT, &j.memory, "MIB", "for the gradient of a pass (1024)", 1, 1 << 20, NULL},
        {0, "negative", OPT_STR, &j.negative, "FILE", "records to lead away from, with weight 0.3 each", 0, 0, NULL},
        {0, "no-normalize", OPT_FLAG, &j.raw, NULL, "do not normalise by mean and std", 0, 0, NULL},
        {0, "size", OPT_STR, &j.size, "WxH", "pixels of the canvas (what the CLIP sees, at least 128; the VQGAN's)", 0, 0, NULL},
        {0, "strokes", OPT_INT, &j.strokes, "N", "strokes (256)", 1, 4096, NULL},
        {0, "target", OPT_STR, &j.target, "IMAGE", "draw this picture, too", 0, 0, NULL},
        {0, "u8", OPT_FLAG, &j.u8, NULL, "write pictures as bytes", 0, 0, NULL},
        {0, "vq", OPT_STR, &j.vq_path, "PATH", "the VQGAN of --canvas=vqgan (one in the model's paths)", 0, 0, NULL},
    };
    int i = tool_start(&j.t, "clip-draw", argc, argv, SYNOPSIS,
                       TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_PROGRESS | TOOL_NOISE, own,
                       sizeof own / sizeof *own);

    j.each = j.t.model.paths.n > 1;
    defaults(&j);
    tool_reads_all(&j.t, argc - i, argv + i);
    tool_reads(&j.t, j.negative), tool_reads(&j.t, j.init), tool_reads(&j.t, j.target);
    tool_output(&j.t, 1, FIELDS);
    tool_compute(&j.t);
    open_model(&j);
    tool_streams(&j.t, argc - i, argv + i, run, &j);
    return tool_finish(&j.t);
}
