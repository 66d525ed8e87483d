/* ddim-invert - the noise from which the decoder makes a given picture
 *
 * Reads: records with image_embed and a picture: the field image, or the file that path or the id names.
 * Writes: each record with the field noise, which is x_T: decode64 without options makes the picture from it again.
 * Memory: the weights, the network's activations for one picture, the picture.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/kernel/kern.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/progress.h"
#include "tools/common/same_clip.h"
#include "tools/common/tool.h"
#include "tools/stage/decode.h"
#include "tools/stage/missing.h"
#include "tools/stage/picture.h"

#define SYNOPSIS "[--steps N] [option ...] [file ...]"

static const char *const FIELDS[] = {"noise"};

enum { TOP = 980 };    /* above this timestep the cosine schedule leaves almost no signal */

struct job {
    struct tool t;
    struct decoder_model m;
    struct same_clip clip;
    int64_t steps, top;
    bool text, exif;
    const char *uncond;
    struct condition empty;
    struct span uncond_text;    /* the text of `uncond`, or ""; p is NULL if it is unknown */
    int timesteps[SCHED_STEPS_MAX];
    size_t count;
};

/* `text` is true if the record's own text is used, `file` if the picture comes from a file and not from the record. */
static int params(struct job *j, bool text, bool file, struct span *out, struct arena *a, struct err *e) {
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    mp_cstr(&m, "version"), mp_cstr(&m, UNCLIP_VERSION);
    mp_cstr(&m, "kernel"), mp_cstr(&m, j->t.compute.kern->name);
    mp_cstr(&m, "precision"), mp_cstr(&m, precision_name(j->t.compute.kern->precision));
    mp_cstr(&m, "guidance"), mp_float(&m, 1);
    mp_cstr(&m, "text"), mp_int(&m, text);
    mp_cstr(&m, "timesteps"), mp_array(&m, j->count);
    for (size_t i = 0; i < j->count; i++)
        mp_int(&m, j->timesteps[i]);
    if (j->uncond && !text)
        mp_cstr(&m, "uncond"), mp_cstr(&m, j->uncond);
    if (j->uncond && !text && j->uncond_text.p)    /* for decode64 (decode_recipe) */
        mp_cstr(&m, "uncond_text"), mp_text(&m, j->uncond_text.p, j->uncond_text.n);
    if (j->t.model.activation && !text && !j->uncond && !j->m.glide)    /* only then a tower computes: that of the empty text */
        mp_cstr(&m, "activation"), mp_cstr(&m, j->t.model.activation == 1 ? "quick_gelu" : "gelu");
    if (file && j->exif)
        mp_cstr(&m, "exif"), mp_bool(&m, true);
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

/* Read the record's picture into x [3, S, S].  An image field of S x S pixels, the decoder's size, is not scaled. */
static int picture(const struct job *j, const struct record *r, float *x, struct arena a, struct err *e) {
    struct picture p;
    struct err why = {0};
    int got = picture_field(&p, r, "image", &a, e);

    if (got < 0)
        return -1;
    if (!got && picture_file(&p, r, j->exif, a, &why) < 0)
        return err_set(e, "%s%s", strncmp(why.msg, "no image", 8) ? "no image, and the file of the path or id: " : "", why.msg);
    got = picture_square(&p, j->m.side, x, a, e);
    picture_free(&p);
    return got;
}

/* ---- one record ---- */

static int unclip_branch(struct job *j, const struct record *r, bool text, const struct condition *c, struct decode_branch *b,
                         struct arena *a, struct err *e) {
    const float *image;
    int got = decode_embed(&j->m, r, "image_embed", &image, a, e);

    if (got <= 0)
        return got ? -1 : field_missing(r, "image_embed", e);
    if (tool_same_clip(&j->t, &j->clip, r, "image_embed", *a, e) < 0 ||
        (text && tool_same_clip(&j->t, &j->clip, r, "text_embed", *a, e) < 0))
        return -1;
    return decode_branch(b, &j->m, &j->t.compute, image, c, a, e);
}

static int run(void *job, struct record *r, struct arena *a, struct err *e) {
    struct job *j = job;
    const size_t shape[] = {3, j->m.side, j->m.side};
    struct span map, fp = span_of(j->m.fingerprint);
    float *x = arena_take(a, 3 * j->m.side * j->m.side, sizeof *x);
    struct sampler_watch w = {tool_watch, &j->t};
    struct decode_branch b;
    struct condition c = j->empty;
    struct span words = j->uncond_text;
    bool text;
    int got;

    if (!x)
        return err_set(e, "out of memory");
    got = !j->text ? 0 : j->m.glide ? record_str(r, "text", &words, e) : condition_of(&c, r, a, e);
    text = got > 0;
    if (got < 0 || params(j, text, !record_has(r, "image"), &map, a, e) < 0)
        return -1;
    if (!text)
        c = j->empty;
    if (tool_skip(&j->t, r->id, resume_stamp(r), map, 1, &fp))
        return 0;
    if (picture(j, r, x, *a, e) < 0 ||
        (j->m.glide ? decode_text(&b, j->m.glide, j->m.unet, &j->t.compute, words, NULL, a, e)
                    : unclip_branch(j, r, text, &c, &b, a, e)) < 0)
        return -1;
    {
        struct decoder_job d = {.unet = j->m.unet, .sched = &j->m.sched, .side = j->m.side, .n = 1, .steps = j->count,
                                .timesteps = j->timesteps, .ddim = true, .guidance = 1, .cond = &b.b};
        if (invert_decoder(&d, &j->t.compute, x, &w, *a, e) < 0)
            return -1;
    }
    if (record_set_tensor(r, "noise", DT_F32, x, 3, shape, e) < 0 || record_set_sub_text(r, "model", "noise", fp, e) < 0 ||
        record_add_params(r, j->t.name, map, e) < 0)
        return -1;
    tool_write(&j->t, r, *a);
    return 1;
}

int main(int argc, char *argv[]) {
    static struct job j = {.steps = 50, .top = TOP};
    const struct opt own[] = {
        {0, "steps", OPT_INT, &j.steps, "N", "timesteps from the picture to the noise (50)", 2, 1000, NULL},
        {0, "top", OPT_INT, &j.top, "T", "the highest timestep (980)", 1, 999, NULL},
        {0, "text", OPT_FLAG, &j.text, NULL, "under the record's text, not the empty one", 0, 0, NULL},
        {0, "uncond", OPT_STR, &j.uncond, "FILE", "a record with the text that stands for none (\"\")", 0, 0, NULL},
        {0, "exif", OPT_FLAG, &j.exif, NULL, "turn files as their EXIF says", 0, 0, NULL},
    };
    int i = tool_start(&j.t, "ddim-invert", argc, argv, SYNOPSIS,
                       TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_PROGRESS, own,
                       sizeof own / sizeof *own);
    struct err e = {0};
    struct model_paths p;

    tool_reads_all(&j.t, argc - i, argv + i);
    tool_reads(&j.t, j.uncond);
    tool_output(&j.t, 1, FIELDS);
    tool_compute(&j.t);
    p = tool_models(&j.t);
    if (unclip_open_decoder(&j.m, &p, false, &j.t.compute, &j.t.arena, &e) < 0 ||
        (j.m.glide ? decode_uncond_text(j.uncond, &j.uncond_text, &j.t.arena, &e)
                   : condition_empty(&j.empty, j.uncond, &p, &j.t.compute, &j.t.arena, &e)) < 0)
        die("%s", e.msg);
    if (!j.m.glide) {
        j.uncond_text = j.empty.text;
        origin_open(&j.clip.origin, &p, &j.t.arena);
        tool_same_uncond(&j.t, &j.clip, j.uncond, &j.empty.from);
    }
    if ((size_t)j.steps > j.m.sched.c.train_steps)
        die("--steps: the schedule has %zu", j.m.sched.c.train_steps);
    j.count = sched_timesteps_ddim(&j.m.sched, (size_t)j.steps, (int)j.top, j.timesteps);
    if (j.count < 2)
        die("--top %" PRId64 ": with %" PRId64 " steps the first timestep above 0 is %zu", j.top, j.steps,
            j.m.sched.c.train_steps / (size_t)j.steps);
    if (j.t.verbose)
        warn("%s: %zu timesteps up to %d", j.m.file, j.count, j.timesteps[0]);
    tool_streams(&j.t, argc - i, argv + i, run, &j);
    return tool_finish(&j.t);
}
