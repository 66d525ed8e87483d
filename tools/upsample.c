/* upsample - enlarge pictures by the model's upsamplers: unCLIP's 64 to 256
 *
 * Reads: records with image, and source and mask where they were inpainted.  Writes: each record with a larger image; with -n N, N such records for each.
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
#include "tools/stage/inpainting.h"

#define SYNOPSIS "[-n N] [-s SEED] [option ...] [file ...]"

static const char *const FIELDS[] = {"image"};

struct job {
    struct tool t;
    struct upsampler_model m;
    int64_t steps;
    bool u8;
    int timesteps[SCHED_STEPS_MAX];
};

static int params(struct job *j, const struct sample_noise *z, size_t side, bool known, struct span *out, struct arena *a,
                  struct err *e) {
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    tool_params(&j->t, &m);
    mp_cstr(&m, "steps"), mp_int(&m, j->steps);
    mp_cstr(&m, "side"), mp_int(&m, (int64_t)side);
    if (known)
        mp_cstr(&m, "mask"), mp_bool(&m, true);
    sample_noise_params(z, &m);
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

/* The picture x [3, S, S].  It must be square, and `ratio` times S must be a multiple of 8. */
static int input(const struct record *r, size_t ratio, const float **x, size_t *side, struct arena *a, struct err *e) {
    size_t h, w;
    int got = record_picture(r, "image", x, &h, &w, a, e);

    if (got <= 0)
        return got < 0 ? -1 : err_set(e, "no image");
    if (h != w || h * ratio % 8)
        return err_set(e, "image: %zu x %zu pixels; a square is wanted, with a side that is %zu times as large a multiple of 8",
                       w, h, ratio);
    *side = h;
    return 0;
}

static int run(void *job, struct record *r, struct arena *a, struct err *e) {
    struct job *j = job;
    size_t n = (size_t)j->t.noise.n, in = 0, out, one;
    const float *small = NULL;
    struct span map, fp = span_of(j->m.fingerprint);
    struct sampler_watch w = {tool_watch, &j->t};
    struct upsample_job u;
    struct inpaint known;
    struct sample_noise z;
    struct sample s;
    float *x, *big;
    int keeps;

    if (input(r, j->m.ratio, &small, &in, a, e) < 0)
        return -1;
    out = in * j->m.ratio;
    keeps = inpainting_larger(r, in, out, &known, a, e);
    if (keeps < 0)
        return -1;
    one = 3 * out * out;
    if (tool_noise_id(&j->t, r, e) < 0 || sample_of(&s, r, a, e) < 0 ||
        sample_noise_open(&z, r, &s, j->t.noise.rng, (uint64_t)j->t.noise.seed, NOISE_UPSAMPLE, n, (size_t)j->steps, one, e) < 0 ||
        params(j, &z, out, keeps > 0, &map, a, e) < 0)
        return -1;
    if (tool_samples_done(&j->t, r, &s, map, fp, *a))
        return 0;
    x = arena_take(a, n * 3 * in * in, sizeof *x);
    big = arena_take(a, n * one, sizeof *big);
    if (!x || !big)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < n; i++)
        memcpy(x + i * 3 * in * in, small, 3 * in * in * sizeof *x);
    u = (struct upsample_job){.first = j->m.first, .last = j->m.last, .sched = &j->m.sched, .n = n, .in = in, .out = out,
                              .steps = (size_t)j->steps, .timesteps = j->timesteps, .noise = z.source,
                              .inpaint = keeps ? &known : NULL};
    if (sample_upsampler(&u, &j->t.compute, x, big, &w, *a, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct arena b = *a;
        struct record c;
        int got = tool_sample(&j->t, &c, r, &s, i, map, "image", fp, &b, e);

        if (got < 0 || (got && record_set_picture(&c, big + i * one, out, out, j->u8, &b, e) < 0))
            return -1;
        if (got)
            tool_write(&j->t, &c, b);
    }
    return 1;
}

int main(int argc, char *argv[]) {
    static struct job j = {.t = {.machine = {.precision = -1}}};
    const struct opt own[] = {
        {0, "steps", OPT_INT, &j.steps, "N", "sampling steps; default: the model's, 7", 1, 1000, NULL},
        {0, "u8", OPT_FLAG, &j.u8, NULL, "write pictures as bytes", 0, 0, NULL},
    };
    int i = tool_start(&j.t, "upsample", argc, argv, SYNOPSIS,
                       TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_PROGRESS | TOOL_NOISE, own,
                       sizeof own / sizeof *own);
    struct err e = {0};
    struct model_paths p;

    tool_reads_all(&j.t, argc - i, argv + i);
    tool_output(&j.t, 1, FIELDS);
    tool_compute(&j.t);
    p = tool_models(&j.t);
    if (unclip_open_upsampler(&j.m, &p, &j.t.compute, &j.t.arena, &e) < 0)
        die("%s", e.msg);
    if (!j.steps)
        j.steps = (int64_t)j.m.steps;
    if ((size_t)j.steps > j.m.sched.c.train_steps)
        die("--steps: the schedule has %zu", j.m.sched.c.train_steps);
    sched_timesteps(&j.m.sched, (size_t)j.steps, j.timesteps);
    if (j.t.verbose)
        warn("%s: %zu times as large, %lld steps", j.m.file, j.m.ratio, (long long)j.steps);
    tool_streams(&j.t, argc - i, argv + i, run, &j);
    return tool_finish(&j.t);
}
