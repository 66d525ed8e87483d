#include "tools/stage/drawing.h"

#include <math.h>
#include <string.h>

#include "formats/image/image_read.h"
#include "formats/image/image_write.h"
#include "formats/image/svg.h"
#include "formats/record/stream.h"
#include "lib/image/resize.h"

/* ---- sights ---- */

int sight_open(struct sight *s, const struct model_paths *p, const struct compute *k, struct arena *keep, struct arena *late,
               struct err *e) {
    *s = (struct sight){.paths = *p, .compute = k, .late = late};
    if (encode_open(&s->vision, MODEL_VISION, 1, p, k, keep, e) < 0)
        return -1;
    s->prep = s->vision.towers.vision_model->prep;
    s->grad = clip_grad_bind(s->vision.towers.vision, k, keep, e);
    if (!s->grad)
        return -1;
    origin_open(&s->origin, p, keep);
    return 0;
}

static int set_target(struct sight *s, size_t at, double weight, const float *v, struct arena *a, struct err *e) {
    float *unit = arena_take(a, s->vision.d, sizeof *unit);

    if (!unit || at >= DRAWING_TARGETS)
        return err_set(e, unit ? "more than %d targets" : "out of memory", DRAWING_TARGETS);
    memcpy(unit, v, s->vision.d * sizeof *v);
    if (objective_unit(unit, s->vision.d) < 0) {
        for (size_t i = 0; i < s->vision.d; i++)
            if (!isfinite(v[i]))
                return err_set(e, "element %zu of the vector is not a finite number", i);
        return err_set(e, "a vector of length 0 is nothing to draw");
    }
    s->target[at] = (struct target){unit, weight};
    s->targets = size_max(s->targets, at + 1);
    return 1;
}

int sight_target_text(struct sight *s, size_t at, double weight, struct span text, struct arena *a, struct err *e) {
    float *v = arena_take(a, s->vision.d, sizeof *v);

    if (!v)
        return err_set(e, "out of memory");
    if (!s->has_text && encode_open(&s->text, MODEL_TEXT, 1, &s->paths, s->compute, s->late, e) < 0)
        return -1;
    s->has_text = true;
    if (s->text.d != s->vision.d)
        return err_set(e, "the text tower has %zu dimensions, the image tower %zu", s->text.d, s->vision.d);
    return encode_text(&s->text, text, v, *a, e) < 0 ? -1 : set_target(s, at, weight, v, a, e);
}

/* Sets s->target[at] to the embedding of the record's text.  For the error message, `theirs` is the fingerprint of the CLIP
 * that made the record's vector, and `ours` is that of the CLIP s. */
static int embed_text(struct sight *s, size_t at, double weight, const struct record *r, struct span theirs, struct span ours,
                      struct arena *a, struct err *e) {
    struct span text;
    int got = record_str(r, "text", &text, e);

    if (got < 0)
        return -1;
    if (got == 0)
        return err_set(e, "its vector is of model %.*s, the CLIP that draws is %.*s, and it has no text", (int)size_min(theirs.n, 40),
                       (const char *)theirs.p, (int)size_min(ours.n, 40), (const char *)ours.p);
    return sight_target_text(s, at, weight, text, a, e);
}

int sight_target(struct sight *s, size_t at, double weight, const struct record *r, const char *field, bool others, struct arena *a,
                 struct err *e) {
    struct origin_mark mark;
    enum model_origin from;
    struct span ours = span_of(s->vision.model->fingerprint);
    const float *v;
    size_t d;
    int got;

    if (!field)
        field = record_has(r, "text_embed") ? "text_embed" : "image_embed";
    got = record_floats(r, field, &v, &d, a, e);
    if (got <= 0)
        return got;
    mark = origin_mark(r, field);
    from = origin_of(&s->origin, &mark, field, &ours, *a);
    if (from == ORIGIN_OTHER || (from == ORIGIN_UNKNOWN && others))
        return embed_text(s, at, weight, r, mark.fingerprint, ours, a, e);
    if (d != s->vision.d)
        return err_set(e, "%s has %zu elements, the CLIP that draws %zu", field, d, s->vision.d);
    return set_target(s, at, weight, v, a, e);
}

int sight_target_image(struct sight *s, size_t at, double weight, const char *file, struct arena *a, struct err *e) {
    float *v = arena_take(a, s->vision.d, sizeof *v);
    struct err why = {0};

    if (!v)
        return err_set(e, "out of memory");
    if (encode_image(&s->vision, file, v, *a, &why) < 0)
        return err_at(e, file, &why);
    return set_target(s, at, weight, v, a, e);
}

int drawing_negatives(struct drawing *d, const char *file, size_t at, struct arena *a, struct err *e) {
    const double weight = -0.3;
    struct err why = {0};
    struct stream s;
    struct record r;

    if (stream_open(&s, file, a, arena_share(a, 8, (size_t)1 << 30), &why) < 0)
        return err_at(e, file, &why);
    for (int got; !why.msg[0] && (got = stream_next(&s, &r, a, &why)) != 0; at++)
        for (size_t i = 0; got > 0 && i < d->sights; i++)
            if (!sight_target(&d->sight[i], at, weight, &r, NULL, d->sights > 1, a, &why))
                err_set(&why, "neither text_embed nor image_embed (clip-embed makes them)");
    stream_close(&s);
    return why.msg[0] ? err_set(e, "%s: record %llu: %s", file, (unsigned long long)s.number, why.msg) : 0;
}

static void look(void *tower, size_t n, const float *planes, float *embed) {
    const struct sight *s = tower;

    clip_image_keep(s->grad, s->compute, n, s->mode, planes, embed, s->kept);
}

static void back(void *tower, size_t n, const float *d_embed, float *d_planes) {
    const struct sight *s = tower;

    clip_image_back(s->grad, s->compute, n, s->mode, d_embed, d_planes, s->kept);
}

/* ---- memory ---- */

/* Returns the bytes that a pass of n views takes with the tower that takes the most. */
static size_t pass_bytes(const struct drawing *d, size_t n) {
    size_t most = 0;

    for (size_t i = 0; i < d->sights; i++)
        most = size_max(most, clip_grad_scratch(d->sight[i].grad, n, d->sight[i].mode));
    return most + n * look_view_bytes(d->eye, d->sights, d->h, d->w);
}

int drawing_open(struct drawing *d, struct arena *keep, struct err *e) {
    size_t pass = d->views, most = 0;
    void *kept;

    if (d->vq && vq_canvas_pass(d->vq, &d->memory, keep, e) < 0)
        return -1;
    for (size_t i = 0; i < d->sights; i++) {
        struct sight *s = &d->sight[i];

        s->mode = KEEP_ALL;
        while (s->mode < KEEP_INPUTS && clip_grad_scratch(s->grad, 1, s->mode) > d->memory)
            s->mode++;
        d->again |= s->mode != KEEP_ALL;
        d->eye[i] = (struct eye){&s->prep, s->vision.d, s, look, back, s->target, 0};
    }
    while (pass > 1 && pass_bytes(d, pass) > d->memory)
        pass--;
    for (size_t i = 0; i < d->sights; i++)
        most = size_max(most, clip_grad_scratch(d->sight[i].grad, pass, d->sight[i].mode));
    kept = arena_take(keep, most, 1);
    if (!kept)
        return err_set(e, "no memory for the gradient of %zu views", pass);
    for (size_t i = 0; i < d->sights; i++)
        d->sight[i].kept = kept;
    return look_open(&d->look, d->compute, d->eye, d->sights, d->h, d->w, d->views, pass, d->loss, keep, e);
}

/* ---- a drawing ---- */

void drawing_params(const struct drawing *d, struct mp *m) {
    static const char *const canvas[] = {"strokes", "pixels", "fourier", "vqgan"}, *const kind[] = {"draw", "cutout", "none", "pooled"};

    mp_cstr(m, "canvas"), mp_cstr(m, canvas[d->canvas]);
    mp_cstr(m, "size"), mp_array(m, 2), mp_uint(m, d->w), mp_uint(m, d->h);
    if (d->canvas == CANVAS_STROKES)
        mp_cstr(m, "strokes"), mp_uint(m, d->strokes);
    mp_cstr(m, "iterations"), mp_uint(m, d->iterations);
    mp_cstr(m, "lr"), mp_float(m, d->lr);
    mp_cstr(m, "augment"), mp_cstr(m, kind[d->kind]);
    mp_cstr(m, "cutouts"), mp_uint(m, d->views);
    mp_cstr(m, "loss"), mp_cstr(m, d->loss == LOSS_COSINE ? "cosine" : "spherical");
    mp_cstr(m, "best_of"), mp_uint(m, d->best_of);
}

int drawing_svg(const struct drawing *d, struct record *r, struct arena *a, struct err *e) {
    struct span title = r->id;
    struct arena_mem mem;
    struct arena part;
    struct mp about, svg;
    int got = record_str(r, "text", &title, e);

    if (got < 0 || arena_split(a, arena_share(a, 4, (size_t)16 << 20), &mem, &part) < 0)
        return err_set(e, "out of memory");
    mp_open(&about, &part);
    mp_open(&svg, a);
    if (image_params(&about, r, *a, e) < 0)
        return -1;
    svg_write(&svg, &d->now.strokes, d->h, d->w, title, mp_span(&about));
    return svg.full ? err_set(e, "out of memory") : record_set_text(r, "svg", mp_span(&svg), e);
}

static bool step(void *ctx, size_t done, double loss) {
    struct drawing *d = ctx;

    d->done = done;
    d->stopped = !d->watch(d->ctx, d->start * d->iterations + done, loss);
    if (d->every && done % d->every == 0 && done < d->iterations && !d->stopped) {
        canvas_draw(&d->now, d->o.picture);
        d->stopped = !d->emit(d->ctx);
    }
    return !d->stopped;
}

/* Draws one start, in memory from the arena a. */
static int run_start(struct drawing *d, const struct sample *s, size_t i, struct arena *a, struct err *e) {
    struct noise_key begin = sample_key(s, d->seed, NOISE_STROKES, i), views = sample_key(s, d->seed, NOISE_VIEWS, i);

    begin.step = views.step = (unsigned)d->start;
    d->o = (struct optimise){.canvas = &d->now, .look = &d->look, .kind = d->kind, .key = views, .iterations = d->iterations,
                             .lr = d->lr, .watch = step, .ctx = d};
    if ((d->vq ? canvas_open_latents(&d->now, &d->vq->latents, d->vq->tokens, &begin, a, e)
               : canvas_open(&d->now, d->canvas, d->h, d->w, d->strokes, d->init, &begin, d->compute, a, e)) < 0 ||
        optimise_open(&d->o, a, e) < 0)
        return -1;
    optimise_run(&d->o);
    if (canvas_failed(&d->now))
        return err_set(e, "no memory for the gradient of %zu x %zu pixels", d->w, d->h);
    d->cos = optimise_score(&d->o);
    return 0;
}

int drawing_run(struct drawing *d, const struct sample *s, size_t i, struct arena *a, struct err *e) {
    struct arena from = *a, after = from;
    struct drawing best = *d;

    for (size_t k = 0; k < d->sights; k++)
        d->eye[k].target = d->sight[k].target + d->first, d->eye[k].targets = d->sight[k].targets - d->first;
    d->stopped = false;
    for (d->start = 0; d->start < d->best_of && !d->stopped; d->start++) {
        /* the best start so far stays where it is in memory, and each new start is drawn behind it */
        struct arena b = d->start ? after : from;

        if (run_start(d, s, i, &b, e) < 0)
            return -1;
        if (d->start == 0 || d->cos > best.cos) {
            best = *d;
            after = b;
        }
    }
    best.stopped = d->stopped;
    *d = best;
    *a = after;
    d->o.canvas = &d->now;
    return 0;
}

/* ---- pictures ---- */

int drawing_picture(const char *file, size_t h, size_t w, float **x, struct arena *a, struct err *e) {
    const struct image_options o = {.exif = false};
    struct err why = {0};
    struct image im;
    struct resize_window win = {0, 0, h, w};
    struct resize r;
    struct arena b;
    unsigned char *cut;
    size_t fh = h, fw = w;
    int got = -1;

    *x = arena_take(a, 3 * h, w * sizeof **x);
    b = *a;
    cut = arena_take(&b, 3 * h, w);
    if (!*x || !cut)
        return err_set(e, "out of memory");
    if (image_file_open(&im, file, &o, &why) < 0)
        return err_at(e, file, &why);
    if (im.h * w > im.w * h)    /* the scaled picture covers the canvas; the longer side is cut at both ends */
        fh = size_max((im.h * w + im.w / 2) / im.w, h);
    else
        fw = size_max((im.w * h + im.h / 2) / im.h, w);
    win.y = (fh - h) / 2, win.x = (fw - w) / 2;
    if (resize_plan(&r, FILTER_LANCZOS, im.h, im.w, fh, fw, &win, resize_kernel_best(), &b, &why) == 0) {
        resize_run(&r, im.rgb, cut, 3 * w);
        for (size_t i = 0; i < h * w; i++)
            for (size_t c = 0; c < 3; c++)
                (*x)[c * h * w + i] = (float)cut[3 * i + c] / 255;
        got = 0;
    }
    image_free(&im);
    return got < 0 ? err_at(e, file, &why) : 0;
}
