/* upsample - enlarge pictures by the model's upsamplers: unCLIP's or GLIDE's 64 to 256
 *
 * Reads: records with image, with text for GLIDE, and with source and mask if they were inpainted.  Writes: each record
 * with a larger image; with -n N, N such records for each.
 * Memory: the weights, and the network's activations for one picture, which grow with its area.
 */
#include <string.h>

#include "formats/checkpoint/unclip_model.h"
#include "formats/image/record_image.h"
#include "lib/kernel/kern.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/progress.h"
#include "tools/common/samples.h"
#include "tools/common/tool.h"
#include "tools/stage/decode.h"
#include "tools/stage/inpainting.h"
#include "tools/stage/missing.h"
#include "tools/stage/new_picture.h"

#define SYNOPSIS "[-n N] [-s SEED] [option ...] [file ...]"

static const char *const FIELDS[] = {"image"};

struct job {
    struct tool t;
    struct upsampler_model m;
    struct upsampler_model painter;    /* GLIDE's network for inpainting, opened when a record needs it */
    int paints;               /* 1: painter is open; -1: it could not be opened */
    struct model_paths paths;
    struct arena keep;        /* for painter */
    struct arena_mem keep_mem;
    int64_t steps;
    const char *spacing;      /* NULL: `steps` steps if that is not 0, otherwise the model's own spacing */
    int sampler;              /* index in SAMPLERS; 0: the model's sampler */
    double temperature;       /* negative: the model's temperature */
    bool u8;
    size_t count;
    int timesteps[SCHED_STEPS_MAX];
};

static const char *const SAMPLERS[] = {"model", "ancestral", "ddim"};

static int params(struct job *j, const struct upsample_job *u, const struct sample_noise *z, size_t side, bool known,
                  struct span *out, struct arena *a, struct err *e) {
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    tool_params(&j->t, &m);
    mp_cstr(&m, "steps"), mp_int(&m, (int64_t)j->count);
    if (j->spacing)
        mp_cstr(&m, "spacing"), mp_cstr(&m, j->spacing);
    if (j->m.glide || u->ddim)
        mp_cstr(&m, "sampler"), mp_cstr(&m, SAMPLERS[1 + u->ddim]);
    if (j->temperature != 1)
        mp_cstr(&m, "temperature"), mp_float(&m, j->temperature);
    mp_cstr(&m, "side"), mp_int(&m, (int64_t)side);
    if (known)
        mp_cstr(&m, "mask"), mp_bool(&m, true);
    if (j->u8)
        mp_cstr(&m, "u8"), mp_bool(&m, true);
    sample_noise_params(z, &m);
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

/* Sets *x to the record's picture [3, S, S].  It must be square, and `ratio` times S must be a multiple of `unit`. */
static int input(const struct record *r, size_t ratio, size_t unit, const float **x, size_t *side, struct arena *a, struct err *e) {
    size_t h, w;
    int got = record_picture(r, "image", x, &h, &w, a, e);

    if (got <= 0)
        return got < 0 ? -1 : field_missing(r, "image", e);
    if (h != w || h * ratio % unit)
        return err_set(e, "image: %zu x %zu pixels; a square is wanted, with a side that is %zu times as large a multiple of %zu",
                       w, h, ratio, unit);
    *side = h;
    return 0;
}

/* Fill *b with what GLIDE's network is told about the record's text.  No text counts as the empty text. */
static int text_of(struct job *j, const struct upsampler_model *m, const struct record *r, struct decode_branch *b,
                   struct arena *a, struct err *e) {
    struct span text = SPAN("");
    bool cut;

    if (record_str(r, "text", &text, e) < 0 || decode_text(b, m->glide, m->first, &j->t.compute, text, &cut, a, e) < 0)
        return -1;
    if (cut && !j->t.quiet)
        warn("%s: record %llu: the text has more than %zu tokens: its end is cut off", j->t.input.name,
             (unsigned long long)j->t.input.number, m->glide->text.config.places);
    return 0;
}

/* Returns the network for records of which a part is known.  GLIDE has a network of its own for them.  If the
 * file of that network is missing, the usual one is used, and only the sampler keeps what is known. */
static const struct upsampler_model *for_painting(struct job *j) {
    struct err e = {0};

    if (!j->m.glide || unet_config(j->m.first)->in > 6)
        return &j->m;
    if (!j->paints) {
        j->paints = unclip_open_painter(&j->painter, &j->paths, &j->t.compute, &j->keep, &e) < 0 ? -1 : 1;
        if (j->paints < 0 && !j->t.quiet)
            warn("the part that is known is kept, but the network does not see it: %s", e.msg);
    }
    return j->paints > 0 ? &j->painter : &j->m;
}

/* Returns the sampler's job, except what the record gives. */
static struct upsample_job sampler_job(const struct job *j, const struct upsampler_model *m, bool keeps) {
    bool paints = keeps && unet_config(m->first)->in > 6;    /* GLIDE paints in ancestral steps */

    return (struct upsample_job){.first = m->first, .last = m->last, .sched = &m->sched, .n = (size_t)j->t.noise.n,
                                 .steps = j->count, .timesteps = j->timesteps, .temperature = (float)j->temperature,
                                 .ddim = j->sampler ? j->sampler == 2 : m->ddim && !paints,
                                 .enlarge = m->glide ? ENLARGE_ROUNDED_BILINEAR : ENLARGE_CLAMPED_BICUBIC};
}

static int run(void *job, struct record *r, struct arena *a, struct err *e) {
    struct job *j = job;
    size_t n = (size_t)j->t.noise.n, in = 0, out, one;
    const float *small = NULL;
    struct span map, fp;
    struct sampler_watch w = {tool_watch, &j->t};
    struct inpaint known;
    struct decode_branch text;
    const struct upsampler_model *m;
    struct upsample_job u;
    struct sample_noise z;
    struct sample s;
    float *x, *big;
    int keeps;

    if (input(r, j->m.ratio, j->m.unit, &small, &in, a, e) < 0)
        return -1;
    out = in * j->m.ratio;
    keeps = inpainting_larger(r, in, out, &known, a, e);
    if (keeps < 0)
        return -1;
    one = 3 * out * out;
    if (tool_noise_id(&j->t, r, e) < 0 || sample_of(&s, r, a, e) < 0)
        return -1;
    m = keeps ? for_painting(j) : &j->m;
    fp = span_of(m->fingerprint);
    u = sampler_job(j, m, keeps);
    if (sample_noise_open(&z, r, &s, j->t.noise.rng, (uint64_t)j->t.noise.seed, NOISE_UPSAMPLE, n, upsampler_draws(&u), one, e) < 0 ||
        params(j, &u, &z, out, keeps > 0, &map, a, e) < 0)
        return -1;
    if (tool_samples_done(&j->t, r, &s, map, fp, *a))
        return 0;
    x = arena_take(a, n * 3 * in * in, sizeof *x);
    big = arena_take(a, n * one, sizeof *big);
    if (!x || !big)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < n; i++)
        memcpy(x + i * 3 * in * in, small, 3 * in * in * sizeof *x);
    if (m->glide && text_of(j, m, r, &text, a, e) < 0)
        return -1;
    u.in = in, u.out = out, u.noise = z.source, u.text = m->glide ? &text.b : NULL, u.inpaint = keeps ? &known : NULL;
    if (sample_upsampler(&u, &j->t.compute, x, big, &w, *a, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct arena b = *a;
        struct record c;
        int got = tool_sample(&j->t, &c, r, &s, i, map, "image", fp, &b, e);

        if (got < 0 || (got && (new_picture(&c, PICTURE_ENLARGED, e) < 0 ||
                                record_set_picture(&c, big + i * one, out, out, j->u8, &b, e) < 0)))
            return -1;
        if (got)
            tool_write(&j->t, &c, b);
    }
    return 1;
}

int main(int argc, char *argv[]) {
    static struct job j = {.t = {.machine = {.precision = -1}}, .temperature = -1};
    const struct opt own[] = {
        {0, "steps", OPT_INT, &j.steps, "N", "sampling steps; default: the model's, 7 (GLIDE: 27)", 1, 1000, NULL},
        {0, "spacing", OPT_STR, &j.spacing, "SPEC", "which timesteps: N, N,N,..., ddimN or fast27 (GLIDE: fast27)", 0, 0, NULL},
        {0, "sampler", OPT_CHOICE, &j.sampler, "NAME", "ancestral or DDIM, eta 0; default: the model's (GLIDE: ddim)", 0, 0,
         "model|ancestral|ddim"},
        {0, "temperature", OPT_FLOAT, &j.temperature, "T", "of the initial noise; 1 (GLIDE: 0.997)", 0, 2, NULL},
        {0, "u8", OPT_FLAG, &j.u8, NULL, "write pictures as bytes", 0, 0, NULL},
    };
    int i = tool_start(&j.t, "upsample", argc, argv, SYNOPSIS,
                       TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_PROGRESS | TOOL_NOISE, own,
                       sizeof own / sizeof *own);
    struct err e = {0};

    j.t.model.activation = 0;    /* it has no effect, so it is not in params either */
    tool_reads_all(&j.t, argc - i, argv + i);
    tool_output(&j.t, 1, FIELDS);
    tool_compute(&j.t);
    j.paths = tool_models(&j.t);
    if (unclip_open_upsampler(&j.m, &j.paths, &j.t.compute, &j.t.arena, &e) < 0)
        die("%s", e.msg);
    if (j.steps && j.spacing)
        die("--steps and --spacing exclude each other");
    if (!j.steps && !j.spacing)
        j.spacing = j.m.spacing, j.steps = (int64_t)j.m.steps;
    if (decode_timesteps(&j.m.sched, j.spacing, (size_t)j.steps, j.timesteps, &j.count, &e) < 0)
        die("--%s: %s", j.spacing ? "spacing" : "steps", e.msg);
    j.temperature = j.temperature >= 0 ? j.temperature : j.m.temperature;
    if (j.t.verbose)
        warn("%s: %zu times as large, %zu steps", j.m.file, j.m.ratio, j.count);
    if (j.m.glide && arena_split(&j.t.arena, arena_share(&j.t.arena, 3, (size_t)8 << 30), &j.keep_mem, &j.keep) < 0)
        die("out of memory");
    tool_streams(&j.t, argc - i, argv + i, run, &j);
    return tool_finish(&j.t);
}
