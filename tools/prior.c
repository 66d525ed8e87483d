/* prior - from the embedding of a text to that of an image: unCLIP's diffusion prior and its autoregressive prior
 *
 * Reads: records with text_embed and text_states.
 * Writes: each record with image_embed; with -n N, N such records for each.
 * Memory: the weights, the records of one batch, and the keys and values of their texts and of the empty text; with the
 * autoregressive prior also those of the candidates that are drawn at the same time.
 */
#include <stdio.h>
#include <string.h>

#include "formats/checkpoint/unclip_model.h"
#include "lib/kernel/kern.h"
#include "lib/vector/similarity.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/progress.h"
#include "tools/common/same_clip.h"
#include "tools/common/samples.h"
#include "tools/common/tool.h"
#include "tools/stage/missing.h"
#include "tools/stage/prior_draw.h"

#define SYNOPSIS "[-n N] [-g SCALE] [-s SEED] [option ...] [file ...]"

static const char *const FIELDS[] = {"image_embed"};

enum { BATCH = 16 };

struct item {
    struct record r;
    const char *file;
    uint64_t number;
    struct sample s;
    struct condition c;
    struct prior_want want;
    struct span map;
};

/* The kinds of prior that a checkpoint may hold.  Some options have a meaning only for one kind. */
enum { DIFFUSION = 1, CODES = 2 };
static const char *const mode[] = {"the diffusion prior", "the autoregressive prior"};
static const struct opt_use uses[] = {{DIFFUSION, "steps"}, {CODES, "temperature dot-quantile"}};

struct job {
    struct tool t;
    struct prior_model m;
    struct same_clip clip;
    struct prior_draw draw;
    const char *uncond;
    int64_t steps, best_of;
    struct span fp;
    /* records that are held to be drawn together */
    struct item *item;         /* [most] */
    struct prior_want **want;  /* [most] */
    size_t n, most;
    struct arena_mem mem;
    struct arena room, empty_room;
};

static void open_model(struct job *j) {
    struct model_paths p = tool_models(&j->t);
    struct condition c = {.n = 0};
    struct err e = {0};

    if (unclip_open_prior(&j->m, &p, &j->t.compute, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    tool_check_uses(&j->t, uses, sizeof uses / sizeof *uses, mode, j->m.ar ? CODES : DIFFUSION);
    j->draw.m = &j->m, j->draw.c = &j->t.compute;
    if (j->draw.guidance < 0)
        j->draw.guidance = j->m.ar ? 1 : 4;
    if (j->uncond && j->draw.guidance <= 1)
        die("--uncond is for -g above 1");
    j->draw.steps = j->steps ? (size_t)j->steps : j->m.steps;
    j->draw.group = (size_t)j->t.input.batch;
    if (j->draw.guidance > 1 && (condition_empty(&c, j->uncond, &p, &j->t.compute, &j->t.arena, &e) < 0 ||
                                 prior_draw_prefix(&j->draw, &c, &j->draw.empty, &j->t.arena, &e) < 0))
        die("%s", e.msg);
    origin_open(&j->clip.origin, &p, &j->t.arena);
    tool_same_uncond(&j->t, &j->clip, j->uncond, &c.from);
    if (j->t.verbose && j->m.ar)
        warn("%s: %zu layers of %zu, %zu codes of %zu buckets", j->m.file, j->m.config.layers, j->m.config.width, j->m.codes.codes,
             j->m.codes.buckets);
    else if (j->t.verbose)
        warn("%s: %zu layers of %zu, %zu steps", j->m.file, j->m.config.layers, j->m.config.width, j->draw.steps);
}

/* ---- one record ---- */

static int params(struct job *j, const struct sample_noise *z, struct span *out, struct arena *a, struct err *e) {
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    tool_params(&j->t, &m);
    if (j->m.ar) {
        mp_cstr(&m, "temperature"), mp_float(&m, j->draw.temperature);
        mp_cstr(&m, "dot_quantile"), mp_float(&m, j->draw.quantile);
    } else {
        mp_cstr(&m, "steps"), mp_uint(&m, j->draw.steps);
    }
    mp_cstr(&m, "guidance"), mp_float(&m, j->draw.guidance);
    if (j->best_of > 1)
        mp_cstr(&m, "best_of"), mp_int(&m, j->best_of);
    if (j->uncond)
        mp_cstr(&m, "uncond"), mp_cstr(&m, j->uncond);
    sample_noise_params(z, &m);
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

/* Of every best_of candidates keep the candidate with the largest cosine to the text: v [n * best_of, E] becomes
 * v [n, E]. */
static int keep_best(const struct job *j, const float *text, float *v, size_t n, struct arena a, struct err *e) {
    size_t d = j->m.config.embed, k = (size_t)j->best_of;
    double *room = arena_take(&a, d, sizeof *room);
    struct sim_query q;
    int got;

    if (k == 1)
        return 0;
    if (!room)
        return err_set(e, "out of memory");
    got = sim_query(&q, sim_kern_choose(j->t.compute.kern->name), DT_F32, text, d, room);
    for (size_t i = 0; got == SIM_OK && i < n; i++) {
        double top = -2, c = -2;
        size_t best = 0;
        for (size_t m = 0; got == SIM_OK && m < k; m++) {
            got = sim_cosine(&q, DT_F32, v + (i * k + m) * d, &c);
            if (c > top)
                top = c, best = m;
        }
        memmove(v + i * d, v + (i * k + best) * d, d * sizeof *v);
    }
    return got == SIM_OK ? 0 : err_set(e, "an embedding %s", sim_reason(got));
}

/* ---- records ---- */

/* Hold a copy of the record for the next batch: the stream uses the record's memory again for the next record. */
static int hold(struct job *j, struct item *it, const struct record *r, struct err *e) {
    size_t all = (size_t)(j->t.noise.n * j->best_of);
    struct arena *a = &j->room;
    int got;

    it->file = j->t.input.name;
    it->number = j->t.input.number;
    if (record_clone(&it->r, r, a, e) < 0 || tool_noise_id(&j->t, &it->r, e) < 0 || sample_of(&it->s, &it->r, a, e) < 0 ||
        prior_draw_noise(&j->draw, &it->r, &it->s, j->t.noise.rng, (uint64_t)j->t.noise.seed, all, &it->want.noise, e) < 0 ||
        params(j, &it->want.noise, &it->map, a, e) < 0)
        return -1;
    if (tool_samples_done(&j->t, &it->r, &it->s, it->map, j->fp, *a))
        return 0;
    got = condition_of(&it->c, &it->r, a, e);
    if (got <= 0)
        return got ? -1 : field_missing(&it->r, "text_embed", e);
    if (tool_same_clip(&j->t, &j->clip, &it->r, "text_embed", *a, e) < 0 ||
        prior_draw_prefix(&j->draw, &it->c, &it->want.prefix, a, e) < 0)
        return -1;
    it->want.n = all;
    j->want[j->n] = &it->want;
    return 1;
}

/* Write the results of one record.  v [n * best_of, E] are the embeddings that were drawn for the record. */
static int write_item(struct job *j, struct item *it, float *v, struct arena a, struct err *e) {
    size_t n = (size_t)j->t.noise.n, d = j->m.config.embed;

    if (keep_best(j, it->c.embed, v, n, a, e) < 0)
        return -1;
    for (size_t i = 0; i < n; i++) {
        struct arena b = a;
        struct record out;
        int got = tool_sample(&j->t, &out, &it->r, &it->s, i, it->map, "image_embed", j->fp, &b, e);

        if (got < 0 || (got && record_set_tensor(&out, "image_embed", DT_F32, v + i * d, 1, &d, e) < 0))
            return -1;
        if (got)
            tool_write(&j->t, &out, b);
    }
    return 0;
}

/* Draw for all records that are held, and write them in the order in which they came. */
static void flush(void *job) {
    struct job *j = job;
    size_t one = (size_t)(j->t.noise.n * j->best_of) * j->m.config.embed, n = j->n;
    struct sampler_watch w = {tool_watch, &j->t};
    struct arena *a = &j->room;    /* the memory of the batch */
    struct err e = {0};
    float *v = arena_take(a, n * one, sizeof *v);

    j->n = 0;
    if (n && (!v || prior_draw_run(&j->draw, n, j->want, v, &w, *a, &e) < 0) && !tool_stopped())
        die("%s", v ? e.msg : "out of memory");
    for (size_t i = 0; i < n && !tool_stopped(); i++) {
        struct item *it = &j->item[i];
        err_clear(&e);
        if (write_item(j, it, v + i * one, *a, &e) < 0)
            tool_record_failed(&j->t, it->file, it->number, &it->r, e.msg);
        else
            j->t.done++;
        tool_progress(&j->t, 0);
    }
    j->room = j->empty_room;
}

static int run(void *job, struct record *r, struct arena *scratch, struct err *e) {
    struct job *j = job;
    struct arena before = j->room;
    int got = hold(j, &j->item[j->n], r, e);

    (void)scratch;
    j->n += got > 0;
    if (got <= 0)
        j->room = before;
    else if (j->n == j->most)
        flush(j);
    return got < 0 ? -1 : 0;
}

static void make_room(struct job *j) {
    struct arena *a = &j->t.arena;
    size_t each = (size_t)(j->t.noise.n * j->best_of);

    j->fp = span_of(j->m.fingerprint);
    j->most = (size_t)j->t.input.batch > each ? (size_t)j->t.input.batch / each : 1;
    j->item = arena_take(a, j->most, sizeof *j->item);
    j->want = arena_take(a, j->most, sizeof *j->want);
    if (!j->item || !j->want || arena_split(a, (size_t)(a->end - a->at) / 4, &j->mem, &j->room) < 0)
        die("out of memory");
    j->empty_room = j->room;
    j->t.input.flush = flush, j->t.input.flush_of = j;
}

int main(int argc, char *argv[]) {
    static struct job j = {.t = {.machine = {.precision = -1}, .input = {.batch = BATCH}}, .best_of = 1,
                           .draw = {.guidance = -1, .temperature = 1, .quantile = 0.5}};
    const struct opt own[] = {
        {'g', "guidance", OPT_FLOAT, &j.draw.guidance, "SCALE", "of the text over the empty one; 1: none; default: 4 (diffusion), 1", 0, 1000, NULL},
        {0, "steps", OPT_INT, &j.steps, "N", "sampling steps; default: the model's, 25 (diffusion)", 1, 1000, NULL},
        {0, "temperature", OPT_FLOAT, &j.draw.temperature, "X", "scores are divided by X (1; autoregressive)", 1e-3, 1e3, NULL},
        {0, "dot-quantile", OPT_FLOAT, &j.draw.quantile, "Q", "draw the dot product from above Q (0.5; autoregressive)", 0, 0.9999, NULL},
        {0, "best-of", OPT_INT, &j.best_of, "K", "draw K for each result, keep the one most like the text", 1, 64, NULL},
        {0, "uncond", OPT_STR, &j.uncond, "FILE", "a record with the text to lead away from (\"\")", 0, 0, NULL},
    };
    int i = tool_start(&j.t, "prior", argc, argv, SYNOPSIS,
                       TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_BATCH | TOOL_PROGRESS | TOOL_NOISE, own,
                       sizeof own / sizeof *own);

    if (j.t.noise.n * j.best_of > SAMPLE_MAX)
        die("-n times --best-of is more than %d", SAMPLE_MAX);
    tool_reads_all(&j.t, argc - i, argv + i);
    tool_reads(&j.t, j.uncond);
    tool_output(&j.t, 1, FIELDS);
    tool_compute(&j.t);
    open_model(&j);
    make_room(&j);
    tool_streams(&j.t, argc - i, argv + i, run, &j);
    return tool_finish(&j.t);
}
