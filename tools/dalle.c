/* dalle - draw picture tokens for texts: the transformers of the DALL-E 1 family
 *
 * Reads: records with text (or tokens of the model's own vocabulary).
 * Writes: each record with image_tokens, grid and logp; with -n N, N such records for each.
 * Memory: the weights; the keys and values of a prompt and of the candidates that are drawn at the same time.
 */
#include <string.h>

#include "lib/base/size.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/progress.h"
#include "tools/common/samples.h"
#include "tools/common/tool.h"
#include "tools/stage/codes.h"
#include "tools/stage/draw.h"
#include "tools/stage/missing.h"
#include "tools/stage/new_picture.h"

#define SYNOPSIS "[-n N] [-g SCALE] [-s SEED] [option ...] [file ...]"

static const char *const FIELDS[] = {"image_tokens"};

enum { RULE_DEFAULT = -1 };
#define ROOM ((size_t)4 << 30)    /* bytes for the candidates that are drawn together, if -b is not given */

struct job {
    struct tool t;
    struct dalle_model m;
    double temperature, top_p, guidance;      /* below 0: not given, the model's default counts */
    int64_t top_k, every, keep_top;
    int rule;
    struct strs keep;
    bool *kept;               /* [side, side] the tokens that keep_top and keep name */
    struct span fp;
    /* the record at hand */
    struct record *r;
    struct sample s;
    struct span map;
    struct arena *a;
};

/* ---- the prompt ---- */

static bool keeps(const struct job *j) {
    return j->keep_top >= 0 || j->keep.n;
}

/* The prompt's ids: the record's tokens if they are of the model's vocabulary, else the tokens of its text.  If an
 * option keeps tokens, a record without text and tokens (from vq) gets the ids of the empty text. */
static int prompt(struct job *j, struct record *r, int **ids, size_t *n, struct arena *a, struct err *e) {
    struct span text, model = {0};
    int64_t *own;
    bool cut;
    int got = record_sub_str(r, "model", "tokens", &model, e);

    if (got > 0 && span_is(model, j->m.bpe_hash) && record_has(r, "tokens")) {
        if (record_ints(r, "tokens", &own, n, a, e) < 0 || !(*ids = arena_take(a, *n, sizeof **ids)))
            return err_set(e, "out of memory");
        if (!*n)
            return err_set(e, "no tokens: its text is empty");
        cut = *n > j->m.text;
        *n = cut ? j->m.text : *n;
        for (size_t i = 0; i < *n; i++) {
            if (own[i] < 0 || own[i] >= (int64_t)draw_vocabulary(&j->m))
                return err_set(e, "token %lld; the model knows 0 to %zu", (long long)own[i], draw_vocabulary(&j->m) - 1);
            (*ids)[i] = (int)own[i];
        }
    } else {
        if ((got = record_str(r, "text", &text, e)) < 0)
            return -1;
        if (!got && (!keeps(j) || record_has(r, "tokens")))
            return field_missing(r, "text", e);
        if (!got)
            text = span_of("");
        if (dalle_tokens(&j->m, (const char *)text.p, text.n, ids, n, &cut, a, e) < 0)
            return -1;
    }
    if (cut && !j->t.quiet)
        warn("%s: record %llu: the text is longer than the model's %zu tokens", j->t.input.name, (unsigned long long)j->t.input.number,
             j->m.text);
    return 0;
}

/* ---- picture prompts ---- */

/* Set the part "X,Y,W,H" of kept to true.  The numbers count tokens. */
static void keep_part(const char *text, size_t side, bool *kept) {
    double v[5];    /* one more than there must be, so that a fifth number is seen */
    const size_t n = tool_numbers("keep", text, (double)side, v, 5);
    size_t p[4];
    bool fits = n == 4;

    for (size_t i = 0; i < 4 && fits; i++) {
        p[i] = (size_t)v[i];
        fits = (double)p[i] == v[i];
    }
    if (!fits || !p[2] || !p[3] || p[0] + p[2] > side || p[1] + p[3] > side)
        die("--keep: '%s' is not X,Y,W,H in whole tokens, a part of a picture of %zu x %zu tokens", text, side, side);
    for (size_t y = p[1]; y < p[1] + p[3]; y++)
        for (size_t x = p[0]; x < p[0] + p[2]; x++)
            kept[y * side + x] = true;
}

/* Read --keep-top and --keep once, before a record is read. */
static void keep_parts(struct job *j) {
    const size_t side = j->m.side;

    if (j->keep_top > (int64_t)side)
        die("--keep-top: the model draws %zu rows", side);
    if (!(j->kept = arena_zero(&j->t.arena, side * side, sizeof *j->kept)))
        die("out of memory");
    for (size_t i = 0; i < side * side && (int64_t)(i / side) < j->keep_top; i++)
        j->kept[i] = true;
    for (size_t i = 0; i < j->keep.n; i++)
        keep_part(j->keep.v[i], side, j->kept);
}

/* Sets *tokens to the tokens that are kept, with -1 for each one to be drawn, or to NULL if no option keeps tokens. */
static int given(struct job *j, const struct record *r, int **tokens, struct arena *a, struct err *e) {
    const size_t side = j->m.side, n = side * side;
    size_t h, w;
    int *own, got;

    *tokens = NULL;
    if (!keeps(j))
        return 0;
    if ((got = codes_tokens(r, j->m.codes, &own, &h, &w, a, e)) <= 0)
        return got < 0 ? -1 : field_missing(r, "image_tokens", e);
    if (h != side || w != side)
        return err_set(e, "grid: %zu x %zu tokens; the model draws %zu x %zu", h, w, side, side);
    for (size_t i = 0; i < n; i++)
        own[i] = j->kept[i] ? own[i] : -1;
    *tokens = own;
    return 0;
}

/* ---- results ---- */

/* Write the parameters as a map.  *drawn is how many tokens of a partial result were drawn; NULL: all were drawn. */
static int params(struct job *j, const size_t *drawn, struct span *out, struct arena *a, struct err *e) {
    static const char *const rule[] = {"hf", "mindalle", "cfg"};
    const struct token_rules *k = &j->m.rules;
    struct mp m;
    size_t begin;

    mp_open(&m, a);
    begin = mp_map_begin(&m);
    tool_params(&j->t, &m);
    mp_cstr(&m, "temperature"), mp_float(&m, k->temperature);
    mp_cstr(&m, "top_k"), mp_int(&m, (int64_t)k->top_k);
    mp_cstr(&m, "top_p"), mp_float(&m, k->top_p);
    mp_cstr(&m, "rule"), mp_cstr(&m, rule[k->rule]);
    mp_cstr(&m, "guidance"), mp_float(&m, j->guidance);
    if (j->keep_top >= 0)
        mp_cstr(&m, "keep_top"), mp_int(&m, j->keep_top);
    if (j->keep.n) {
        mp_cstr(&m, "keep"), mp_array(&m, j->keep.n);
        for (size_t i = 0; i < j->keep.n; i++)
            mp_cstr(&m, j->keep.v[i]);
    }
    /* PyTorch's generator serves all candidates in turn, so their number decides what each is.  It is not called rng_rows,
     * because a later run that draws from these records is another call. */
    if (j->t.noise.rng)
        mp_cstr(&m, "count"), mp_int(&m, j->t.noise.n);
    if (drawn)
        mp_cstr(&m, "drawn"), mp_uint(&m, *drawn);
    mp_map_end(&m, begin);
    *out = mp_span(&m);
    return m.full ? err_set(e, "out of memory") : 0;
}

/* Write candidate i with its first `done` tokens; the other places hold 0.  drawn: see params. */
static int write_one(struct job *j, const struct draw *d, size_t i, size_t done, const size_t *drawn, struct arena a,
                     struct err *e) {
    const double logp = !drawn ? d->logp[i] : *drawn ? d->logp[i] / (double)*drawn : 0;
    const size_t side = j->m.side, n = side * side;
    int *tokens = arena_take(&a, n, sizeof *tokens), got;
    struct span map = j->map;
    struct record c;

    if (!tokens || (drawn && params(j, drawn, &map, &a, e) < 0))
        return err_set(e, "out of memory");
    for (size_t k = 0; k < n; k++)
        tokens[k] = k < done ? d->tokens[i * n + k] : 0;
    if ((got = tool_sample(&j->t, &c, j->r, &j->s, i, map, "image_tokens", j->fp, &a, e)) <= 0)
        return got;
    if (new_picture(&c, PICTURE_FORETOLD, e) < 0 || codes_set(&c, tokens, side, side, j->m.fingerprint, e) < 0 ||
        record_set_float(&c, "logp", logp, e) < 0)
        return -1;
    tool_write(&j->t, &c, a);
    return 0;
}

static bool watch(void *ctx, const struct draw *d, size_t first, size_t count, size_t done, size_t drawn) {
    struct job *j = ctx;
    const size_t n = draw_tokens(d->m);
    struct err e = {0};

    tool_step(&j->t, done, n);
    if (j->every && done % (size_t)j->every == 0 && done < n)
        for (size_t i = first; i < first + count && !tool_stopped(); i++)
            if (write_one(j, d, i, done, &drawn, *j->a, &e) < 0)
                die("%s", e.msg);
    return !tool_stopped();
}

static int run(void *job, struct record *r, struct arena *a, struct err *e) {
    struct job *j = job;
    const size_t n = (size_t)j->t.noise.n, all = draw_tokens(&j->m);
    struct draw d = {.m = &j->m, .c = &j->t.compute, .guidance = j->guidance, .n = n, .watch = watch, .ctx = j};
    struct torch_rows rows;
    int *ids, *keep;

    d.rules = j->m.rules;
    if (tool_noise_id(&j->t, r, e) < 0 || sample_of(&j->s, r, a, e) < 0 ||
        (j->t.noise.rng && torch_rows_open(&rows, r, &j->s, (uint64_t)j->t.noise.seed, n, e) < 0) ||
        params(j, NULL, &j->map, a, e) < 0)
        return -1;
    if (tool_samples_done(&j->t, r, &j->s, j->map, j->fp, *a))
        return 0;
    if (j->t.noise.rng && rows.rows != n)
        return err_set(e, "--rng torch draws all of a root's candidates in one call");
    if (prompt(j, r, &ids, &d.nids, a, e) < 0 || given(j, r, &keep, a, e) < 0)
        return -1;
    d.ids = ids, d.given = keep;
    d.key = sample_key(&j->s, (uint64_t)j->t.noise.seed, NOISE_TOKENS, 0);
    d.torch = j->t.noise.rng ? &rows.g : NULL;
    d.chunk = j->t.input.batch ? (size_t)j->t.input.batch
                               : size_max(1, size_min(64, ROOM / draw_bytes(&j->m, d.c, j->guidance != 1)));
    d.tokens = arena_take(a, n * all, sizeof *d.tokens);
    d.logp = arena_take(a, n, sizeof *d.logp);
    if (!d.tokens || !d.logp)
        return err_set(e, "out of memory");
    j->r = r, j->a = a;
    if (draw_run(&d, *a, e) < 0)
        return -1;
    for (size_t i = 0; i < n && !tool_stopped(); i++)
        if (write_one(j, &d, i, all, NULL, *a, e) < 0)
            return -1;
    return 1;
}

/* ---- options ---- */

static void open_model(struct job *j) {
    struct model_paths p = tool_models(&j->t);
    struct err e = {0};

    if (dalle_open(&j->m, false, &p, &j->t.compute, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    j->fp = span_of(j->m.fingerprint);
    if (j->temperature >= 0)
        j->m.rules.temperature = j->temperature;
    if (j->top_k >= 0)
        j->m.rules.top_k = (size_t)j->top_k;
    if (j->top_p >= 0)
        j->m.rules.top_p = j->top_p;
    if (j->rule != RULE_DEFAULT)
        j->m.rules.rule = (enum token_rule)j->rule;
    if (j->guidance < 0)
        j->guidance = j->m.guidance;
    keep_parts(j);
    if (j->t.verbose)
        warn("%s: %s, %zu x %zu tokens of %zu codes; temperature %g, top-k %zu, top-p %g, guidance %g", j->m.file, j->m.family,
             j->m.side, j->m.side, j->m.codes, j->m.rules.temperature, j->m.rules.top_k, j->m.rules.top_p, j->guidance);
}

int main(int argc, char *argv[]) {
    static struct job j = {.t = {.machine = {.precision = -1}}, .temperature = -1, .top_p = -1, .guidance = -1, .top_k = -1, .keep_top = -1,
                           .rule = RULE_DEFAULT};
    const struct opt own[] = {
        {'g', "guidance", OPT_FLOAT, &j.guidance, "X", "uncond + X (cond - uncond); 1: none; default: the model's", 0, 100, NULL},
        {0, "temperature", OPT_FLOAT, &j.temperature, "X", "scores are divided by X; default: the model's", 1e-3, 1e3, NULL},
        {0, "top-k", OPT_INT, &j.top_k, "N", "only the N likeliest tokens; 0: all", 0, 1 << 20, NULL},
        {0, "top-p", OPT_FLOAT, &j.top_p, "X", "only the likeliest tokens that make up X", 1e-6, 1, NULL},
        {0, "rule", OPT_CHOICE, &j.rule, "NAME", "order and comparison of these", 0, 0, "hf|mindalle|cfg"},
        {0, "keep-top", OPT_INT, &j.keep_top, "ROWS", "keep that many rows of the record's image_tokens", 0, 64, NULL},
        {0, "keep", OPT_LIST, &j.keep, "X,Y,W,H", "keep that part of them, in tokens; may be repeated", 0, 0, NULL},
        {0, "every", OPT_INT, &j.every, "N", "write what is drawn after every N tokens, too", 1, 1 << 20, NULL},
    };
    int i = tool_start(&j.t, "dalle", argc, argv, SYNOPSIS,
                       TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_BATCH | TOOL_PROGRESS | TOOL_NOISE, own,
                       sizeof own / sizeof *own);

    j.t.model.activation = 0;    /* it has no effect, so it is not in params either */
    tool_reads_all(&j.t, argc - i, argv + i);
    tool_output(&j.t, 1, FIELDS);
    tool_compute(&j.t);
    open_model(&j);
    tool_streams(&j.t, argc - i, argv + i, run, &j);
    return tool_finish(&j.t);
}
