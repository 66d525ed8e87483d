/* decode64 - from image embeddings or texts to small pictures: unCLIP's decoder, GLIDE
 *
 * Reads: records with image_embed and, unless they are variations of a picture, text_embed and text_states; with a GLIDE,
 *        records with text.
 * Writes: each record with image, f32 [3, S, S]; with -n N, N such records for each.  A record that is inpainted also gets
 *         source and mask.
 * Memory: the weights, the network's activations for the samples of one record, one record.
 */
#include <string.h>

#include "formats/image/record_image.h"
#include "lib/kernel/kern.h"
#include "tools/common/decoder_input.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/progress.h"
#include "tools/common/samples.h"
#include "tools/common/tool.h"
#include "tools/stage/clip_guiding.h"
#include "tools/stage/inpainting.h"
#include "tools/stage/new_picture.h"

#define SYNOPSIS "[-n N] [-g SCALE] [-s SEED] [--eta ETA] [option ...] [file ...]"

static const char *const FIELDS[] = {"image"};

static const char *const EMBEDS[] = {"image", "text", "none"};

struct job {
    struct tool t;
    struct decoder_model m;
    struct decoder_input input;
    const char *spacing;      /* NULL: `steps` counts */
    double guidance, eta;     /* negative: not given */
    int64_t steps, emit, resample;
    bool ddim, no_text, u8;
    struct strs erase;
    struct inpainting inpainting;
    struct clip_guiding clip;
    /* the record that is being sampled, for watch() */
    const struct record *r;
    const struct sample *s;
    const struct known *known;    /* NULL if the record is not inpainted */
    const struct plan *p;
    const struct sample_noise *z;
    struct span map;
    struct arena room;
    struct arena_mem room_mem;
    struct err why;           /* why watch() failed */
};

/* How one record is sampled.  An option comes first, then what the record says about its noise (decode_recipe), then
 * the model's default. */
struct plan {
    struct decode_recipe recipe;
    bool ddim, text, clip, inpaint;
    double eta, guidance;
    size_t steps, resample;
    int timesteps[SCHED_STEPS_MAX];
};

static int plan(struct job *j, const struct record *r, struct plan *p, struct err *e) {
    const struct sched *s = &j->m.sched;
    bool known;

    if (decode_recipe(&p->recipe, r, s->c.train_steps, e) < 0)
        return -1;
    known = p->recipe.known;
    p->ddim = j->ddim || j->eta >= 0 || known;
    p->eta = j->eta >= 0 ? j->eta : 0;
    p->guidance = j->guidance >= 0 ? j->guidance : known || (j->clip.scale > 0 && j->clip.on == GUIDE_NOISY) ? 1 : j->m.guidance;
    p->text = !j->no_text && (!known || p->recipe.text);
    p->inpaint = inpainting_asked(&j->inpainting, r);
    p->resample = p->inpaint ? (size_t)j->resample : 1;
    if (j->inpainting.source && !p->inpaint)
        return err_set(e, "--source: no --mask, no --erase and no field mask say what to paint");
    p->clip = !known;    /* the inversion did not clamp x_0 either */
    p->steps = (size_t)(j->steps ? j->steps : known ? (int64_t)p->recipe.steps : (int64_t)j->m.steps);
    if (!known || j->spacing)
        return decode_timesteps(s, j->spacing, p->steps, p->timesteps, &p->steps, e);
    if (p->steps > s->c.train_steps)
        return err_set(e, "%zu steps, the schedule has %zu", p->steps, s->c.train_steps);
    if (!j->steps)
        memcpy(p->timesteps, p->recipe.timesteps, p->steps * sizeof *p->timesteps);
    else
        p->steps = sched_timesteps_ddim(s, p->steps, p->recipe.timesteps[0], p->timesteps);
    return 0;
}

/* Returns the sampler's job for this plan, except what the record's conditions and pictures give. */
static struct decoder_job sampler_job(const struct job *j, const struct plan *p) {
    return (struct decoder_job){.unet = j->m.unet, .sched = &j->m.sched, .side = j->m.side, .n = (size_t)j->t.noise.n,
                                .steps = p->steps, .timesteps = p->timesteps, .ddim = p->ddim, .eta = p->eta,
                                .guidance = (float)p->guidance, .uncond = &j->input.uncond_branch.b, .clip = p->clip, .resample = p->resample};
}

/* Returns how many times the sampler draws noise. */
static size_t draws(const struct job *j, const struct plan *p, const struct record *r) {
    const struct decoder_job d = sampler_job(j, p);

    return decoder_draws(&d, NULL) - record_has(r, "noise");    /* the field noise is the initial noise */
}

/* step is the number of steps that a partial picture has had, and 0 for a result. */
static int params(struct job *j, const struct plan *p, const struct sample_noise *z, size_t step, struct span *out,
                  struct arena *a, struct err *e) {
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    tool_params(&j->t, &m);
    mp_cstr(&m, "sampler"), mp_cstr(&m, p->ddim ? "ddim" : "ancestral");
    mp_cstr(&m, "steps"), mp_int(&m, (int64_t)p->steps);
    if (j->spacing)
        mp_cstr(&m, "spacing"), mp_cstr(&m, j->spacing);
    mp_cstr(&m, "guidance"), mp_float(&m, p->guidance);
    mp_cstr(&m, "text"), mp_int(&m, p->text);
    if (p->ddim)
        mp_cstr(&m, "eta"), mp_float(&m, p->eta);
    if (j->input.embed != EMBED_IMAGE)
        mp_cstr(&m, "embed"), mp_cstr(&m, EMBEDS[j->input.embed]);
    if (j->input.uncond)
        mp_cstr(&m, "uncond"), mp_cstr(&m, j->input.uncond);
    clip_guiding_params(&j->clip, &m);
    if (p->inpaint)
        inpainting_params(&j->inpainting, &m);
    if (p->resample > 1)
        mp_cstr(&m, "resample"), mp_int(&m, (int64_t)p->resample);
    if (j->u8)
        mp_cstr(&m, "u8"), mp_bool(&m, true);
    if (step)    /* --skip-from must not take a partial picture for a result, or for that of another step */
        mp_cstr(&m, "step"), mp_uint(&m, step);
    sample_noise_params(z, &m);
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

/* Write picture i as a record.  step: see params. */
static int write_picture(struct job *j, size_t i, const float *x, size_t step, struct arena a, struct err *e) {
    struct span fp = span_of(j->m.fingerprint);
    struct span map = j->map;
    struct record out;
    int got;

    if (step && params(j, j->p, j->z, step, &map, &a, e) < 0)
        return -1;
    if ((got = tool_sample(&j->t, &out, j->r, j->s, i, map, "image", fp, &a, e)) <= 0)
        return got;
    if (new_picture(&out, PICTURE_MADE, e) < 0 || record_set_picture(&out, x, j->m.side, j->m.side, j->u8, &a, e) < 0 ||
        (j->known && inpainting_set(&out, j->known, e) < 0) || (step && record_set_int(&out, "step", (int64_t)step, e) < 0))
        return -1;
    tool_write(&j->t, &out, a);
    return 0;
}

static bool watch(void *ctx, size_t done, size_t steps, const float *x, const float *x0) {
    struct job *j = ctx;
    size_t one = 3 * j->m.side * j->m.side;

    (void)x;
    tool_step(&j->t, done, steps);
    if (j->emit && done < steps && done % (size_t)j->emit == 0 && !tool_stopped())
        for (size_t i = 0; i < (size_t)j->t.noise.n; i++)
            if (write_picture(j, i, x0 + i * one, done, j->room, &j->why) < 0)
                return false;
    return !tool_stopped();
}

static int run(void *job, struct record *r, struct arena *a, struct err *e) {
    struct job *j = job;
    size_t n = (size_t)j->t.noise.n, one = 3 * j->m.side * j->m.side;
    struct decoder_branch *cond = arena_take(a, n, sizeof *cond);
    float *x = arena_take(a, n * one, sizeof *x), *init = NULL;
    struct plan *p = arena_take(a, 1, sizeof *p);
    struct decode_branch b;
    struct sample s;
    struct sample_noise z;
    struct known known;
    struct decoder_job d;
    struct sampler_watch w = {watch, j};
    const float *noise;
    struct span fp = span_of(j->m.fingerprint);
    bool same;
    int got;

    if (!cond || !x || !p)
        return err_set(e, "out of memory");
    if (tool_noise_id(&j->t, r, e) < 0 || sample_of(&s, r, a, e) < 0 || plan(j, r, p, e) < 0 ||
        sample_noise_open(&z, r, &s, j->t.noise.rng, (uint64_t)j->t.noise.seed, NOISE_DECODER, n, draws(j, p, r), one, e) < 0)
        return -1;
    if (j->m.glide && p->guidance > 1)
        sample_noise_double(&z, draws(j, p, r), one);
    if (params(j, p, &z, 0, &j->map, a, e) < 0)
        return -1;
    if (tool_samples_done(&j->t, r, &s, j->map, fp, *a))
        return 0;
    j->input.own = SPAN("");
    if (p->recipe.known && !p->recipe.text && !j->no_text && tool_inverted_text(&j->t, &j->input, r, &p->recipe, e) < 0)
        return -1;
    if (tool_decoder_branch(&j->t, &j->input, r, p->text, &b, &same, a, e) < 0)
        return -1;
    got = decode_noise(r, j->m.side, &noise, a, e);
    if (got < 0)
        return -1;
    if (got) {
        init = arena_take(a, n * one, sizeof *init);
        for (size_t i = 0; init && i < n; i++)
            memcpy(init + i * one, noise, one * sizeof *init);
    }
    for (size_t i = 0; i < n; i++)
        cond[i] = b.b;
    if (p->inpaint && inpainting_known(&j->inpainting, r, j->m.side, &known, a, e) < 0)
        return -1;
    if (j->clip.scale > 0 && clip_guiding_target(&j->clip, r, &s, (uint64_t)j->t.noise.seed, a, e) < 0)
        return -1;
    d = sampler_job(j, p);
    d.guide = j->clip.scale > 0 ? &j->clip.of : NULL;
    d.guidance = same ? 1 : d.guidance;
    d.cond = cond, d.noise = z.source, d.init = init, d.inpaint = p->inpaint ? &known.at : NULL;
    j->r = r, j->s = &s, j->p = p, j->z = &z, j->known = p->inpaint ? &known : NULL, err_clear(&j->why);
    if (sample_decoder(&d, &j->t.compute, x, &w, *a, e) < 0)
        return j->why.msg[0] ? err_set(e, "%s", j->why.msg) : -1;
    for (size_t i = 0; i < n; i++)
        if (write_picture(j, i, x + i * one, 0, *a, e) < 0)
            return -1;
    return 1;
}

static void open_model(struct job *j) {
    static const char *const modes[] = {"an unCLIP decoder", "a GLIDE"};
    static const char *const guides[] = {"no guidance", "--clip-guidance", "--clip-guidance-on=x0"};
    static const struct opt_use uses[] = {{1, "embed"}}, of_clip[] = {{2, "clip-guidance-on"}, {4, "cutouts"}};
    struct model_paths p = tool_models(&j->t);
    struct err e = {0};

    if (unclip_open_decoder(&j->m, &p, j->inpainting.mask || j->erase.n, &j->t.compute, &j->t.arena, &e) < 0 ||
        inpainting_open(&j->inpainting, j->erase.v, j->erase.n, &j->t.arena, &e) < 0 ||
        clip_guiding_open(&j->clip, &p, j->m.side, &j->t.compute, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    TOOL_CHECK_USES(&j->t, uses, modes, j->m.glide ? 2 : 1);
    TOOL_CHECK_USES(&j->t, of_clip, guides, j->clip.scale > 0 ? 2U << j->clip.on | 2U : 1U);
    if (j->m.glide && j->input.uncond && (j->guidance >= 0 ? j->guidance <= 1 : j->clip.scale > 0 && j->clip.on == GUIDE_NOISY))
        die("--uncond is for -g above 1");    /* an unCLIP decoder also uses --uncond for records without text */
    tool_open_decoder_input(&j->t, &j->input, &j->m, &p);
    if (j->emit && arena_split(&j->t.arena, arena_share(&j->t.arena, 8, (size_t)64 << 20), &j->room_mem, &j->room) < 0)
        die("out of memory");
    if (j->t.verbose)
        warn("%s: pictures of %zu, %zu levels", j->m.file, j->m.side, j->m.config.levels);
}

int main(int argc, char *argv[]) {
    static struct job j = {.t = {.machine = {.precision = -1}}, .guidance = -1, .eta = -1, .resample = 1, .clip = {.views = 8}};
    const struct opt own[] = {
        {'g', "guidance", OPT_FLOAT, &j.guidance, "SCALE", "of text and image over none (8; GLIDE: 3; 1 for an inverted noise)", 0, 1000, NULL},
        {0, "clip-guidance", OPT_FLOAT, &j.clip.scale, "SCALE", "follow a CLIP's gradient (0: none; GLIDE's 3)", 0, 1000, NULL},
        {0, "clip-guidance-on", OPT_CHOICE, &j.clip.on, "WHAT", "the noisy picture, by a noised CLIP, or x0, the predicted one, by any CLIP", 0, 0, "noisy|x0"},
        {0, "cutouts", OPT_INT, &j.clip.views, "K", "views of each predicted picture (8)", 1, 256, NULL},
        {0, "steps", OPT_INT, &j.steps, "N", "sampling steps (25; GLIDE: 100; those of an inverted noise)", 1, 1000, NULL},
        {0, "spacing", OPT_STR, &j.spacing, "SPEC", "which timesteps: N, N,N,..., ddimN or fast27", 0, 0, NULL},
        {0, "eta", OPT_FLOAT, &j.eta, "ETA", "sample by DDIM with this much noise: 0 none, 1 as much as ancestral", 0, 1, NULL},
        {0, "ddim", OPT_FLAG, &j.ddim, NULL, "sample by DDIM, eta 0", 0, 0, NULL},
        {0, "uncond", OPT_STR, &j.input.uncond, "FILE", "a record with the text to lead away from (\"\")", 0, 0, NULL},
        {0, "embed", OPT_CHOICE, &j.input.embed, "WHAT", "what stands for the picture: its embedding, that of the text, or none", 0, 0,
         "image|text|none"},
        {0, "source", OPT_STR, &j.inpainting.source, "FILE", "the picture to inpaint, for all records; default: theirs", 0, 0, NULL},
        {0, "mask", OPT_STR, &j.inpainting.mask, "FILE", "paint anew what is white in this picture, or transparent", 0, 0, NULL},
        {0, "erase", OPT_LIST, &j.erase, "X,Y,W,H", "paint this box of the picture anew; may be repeated", 0, 0, NULL},
        {0, "resample", OPT_INT, &j.resample, "N", "when inpainting, do each step N times (1)", 1, 1000, NULL},
        {0, "exif", OPT_FLAG, &j.inpainting.exif, NULL, "turn files as their EXIF says", 0, 0, NULL},
        {0, "no-text", OPT_FLAG, &j.no_text, NULL, "leave the text out: a variation of the image", 0, 0, NULL},
        {0, "emit-steps", OPT_INT, &j.emit, "K", "write a record with the picture so far after every K steps, too", 1, 1000, NULL},
        {0, "u8", OPT_FLAG, &j.u8, NULL, "write pictures as bytes", 0, 0, NULL},
    };
    int i = tool_start(&j.t, "decode64", argc, argv, SYNOPSIS,
                       TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_PROGRESS | TOOL_NOISE, own,
                       sizeof own / sizeof *own);

    if (j.steps && j.spacing)
        die("--steps and --spacing exclude each other");
    tool_reads_all(&j.t, argc - i, argv + i);
    tool_reads(&j.t, j.input.uncond), tool_reads(&j.t, j.inpainting.source), tool_reads(&j.t, j.inpainting.mask);
    tool_output(&j.t, 1, FIELDS);
    tool_compute(&j.t);
    open_model(&j);
    tool_streams(&j.t, argc - i, argv + i, run, &j);
    return tool_finish(&j.t);
}
