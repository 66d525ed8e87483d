/* probe - train classifiers on embeddings, and apply them or published heads to records
 *
 * Reads: streams with vectors.
 * Writes: a classifier; or each record with label, prob and logit, or with score; or these fields as text.
 * Memory: training keeps up to 2 GiB of vectors, in three copies.  Of a larger set it keeps 24 bytes for each vector,
 * and reads the vectors again in each step.  k-NN keeps its labelled vectors.  Applying a head keeps one record.
 */
#include <stdio.h>
#include <string.h>
#include <xxhash.h>

#include "formats/io/mapfile.h"
#include "formats/io/write_all.h"
#include "tools/common/gather.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/progress.h"
#include "tools/common/result_table.h"
#include "tools/stage/classify.h"
#include "tools/stage/probe_report.h"
#include "tools/stage/query.h"

#define SYNOPSIS "--train|--head FILE|--knn STREAM|--tip STREAM|FILE [option ...] [stream ...]"

#define DEFAULT_C 0.316    /* openai/CLIP README */

struct job {
    struct tool t;
    bool train, exact, report, tsv, csv, json, plain;
    const char *head, *knn, *tip, *labels, *label_from, *file, *field;
    struct query_source names;
    int normalise, hidden;      /* -1: not given, the head's file decides */
    int64_t k, nearest, folds, max_iter;
    double alpha, beta;
    struct probe_fit fit;
    struct features features;
    struct head_file model;
    struct neighbours near;
    struct classify c;
    struct result_table table;
    struct span params;
    uint64_t matched;
    char hash[17];
};

/* ---- labelled vectors ---- */

static void gather(struct job *j, int n, char *name[]) {
    struct features *f = &j->features;
    struct err e = {0};

    if (features_open(f, j->field ? j->field : "image_embed", &j->t.arena, &e) < 0)
        die("%s", e.msg);
    f->force = j->c.force;
    f->normalise = j->normalise > 0;
    tool_gather(&j->t, f, j->labels, j->label_from, n, name);
}

/* ---- training ---- */

static bool go_on(void *ctx, size_t iteration, double gradient) {
    (void)gradient;
    tool_step(ctx, iteration, 0);
    return !tool_stopped();
}

static void train(struct job *j, int n, char *name[]) {
    struct probe_fit *p = &j->fit;
    struct err e = {0};
    struct span text;

    if (!j->t.output.name || !strcmp(j->t.output.name, "-"))
        die("--train needs -o FILE for the classifier");
    tool_check_files(&j->t);
    tool_keep_records(j->t.output.name);
    gather(j, n, name);
    if (tool_stopped())
        return;
    p->x = &j->features, p->compute = &j->t.compute;
    p->exact = j->exact ? 1 : -1;
    p->folds = (size_t)j->folds, p->max_iter = (size_t)j->max_iter;
    p->hold_out = j->report || p->folds > 0;
    p->go_on = go_on, p->ctx = &j->t;
    if (probe_fit_run(p, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    if (tool_stopped())
        return;
    if (!p->result.converged) {
        if (!j->t.quiet)
            warn("not at the optimum after %zu steps: the largest gradient is %.1e (--max-iter, --tol)", p->result.iterations,
                 p->result.gradient);
        j->t.failed++;
    }
    if (j->t.verbose)
        warn("%zu vectors of %zu, %zu classes, C %g: %zu steps, objective %.8g, largest gradient %.1e", j->features.n,
             j->features.d, j->features.classes, p->c, p->result.iterations, p->result.objective, p->result.gradient);
    if (probe_fit_write(j->t.output.name, p, j->t.arena, &e) < 0)
        die("%s: %s", j->t.output.name, e.msg);
    if (j->report && probe_report(&text, p, j->json, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    if (j->report && write_all(1, text.p, text.n) < 0)
        die_errno("write error");
}

/* ---- applying ---- */

static void open_head(struct job *j) {
    struct mapfile m;
    struct err e = {0};

    if (mapfile_open(&m, j->file, &e) < 0 ||
        head_file_parse(&j->model, m.p, m.n, (enum head_activation)(j->hidden + 1), &j->t.arena, &e) < 0)
        die("%s: %s", j->file, e.msg);
    snprintf(j->hash, sizeof j->hash, "%016llx", (unsigned long long)XXH64(m.p, m.n, 0));
    if (j->normalise >= 0) {
        j->model.head.normalise = j->normalise > 0;
        j->c.normalise = j->normalise ? "yes" : "no";
    }
    if (j->hidden >= 0)
        j->c.hidden = j->hidden ? "relu" : "none";
    j->c.head = &j->model;
    j->c.field = j->field ? j->field : j->model.pre_proj ? "image_features" : "image_embed";
    j->c.model = span_of(j->model.model);
    if (!(j->c.temperature > 0))
        j->c.temperature = j->model.temperature;
    if (j->t.verbose)
        warn("%s: %s, %zu numbers of %s%s, %zu %s", j->file, j->model.kind, head_in(&j->model.head), j->c.field,
             j->model.head.normalise ? " scaled to length one" : "", j->model.classes ? j->model.classes : head_out(&j->model.head),
             j->model.classes ? "labels" : "scores");
}

static void open_near(struct job *j) {
    char *name[] = {(char *)(uintptr_t)j->file};
    struct err e = {0};
    const uint64_t shards = j->t.input.shard_n;

    j->t.input.shard_n = 0;    /* --shard does not divide the labelled vectors, only the records to label */
    gather(j, 1, name);
    j->t.input.shard_n = shards;
    if (tool_stopped())
        return;
    j->t.done = 0;
    j->near = (struct neighbours){.f = &j->features, .sim = j->c.sim, .pool = j->t.compute.pool, .k = (size_t)j->nearest,
                                  .plain = j->plain, .alpha = j->alpha, .beta = j->beta};
    if (j->tip) {
        j->names.paths = tool_models(&j->t);
        j->names.compute = &j->t.compute;
        if (neighbours_classes(&j->near, &j->names, &j->t.arena, &e) < 0)
            die("%s", e.msg);
    }
    if (neighbours_open(&j->near, &j->t.arena, &e) < 0)
        die("%s: %s", j->file, e.msg);
    j->c.near = &j->near, j->c.field = j->features.field, j->c.model = j->features.model;
    snprintf(j->hash, sizeof j->hash, "%016llx", (unsigned long long)features_hash(&j->features));
    if (!(j->c.temperature > 0))
        j->c.temperature = 1;
}

static int apply(void *job, struct record *r, struct arena *a, struct err *e) {
    struct job *j = job;
    int n;

    if (tool_skip(&j->t, r->id, resume_stamp(r), j->params, 0, NULL))
        return 0;
    n = classify_run(&j->c, r, *a, e);
    if (n == -2 && !j->t.done && !j->t.failed && !j->t.input.keep_errors)
        die("%s: %s", j->file, e->msg);    /* no record of the stream will fit: one message is enough */
    if (n < 0)
        return -1;
    if (j->c.classes && j->c.verdict[0].prob < j->c.min_prob)
        return 1;
    j->matched++;
    if (j->table.table.format) {
        tool_table_begin(&j->table, r);
        classify_rows(&j->c, &j->table.table, r, (size_t)n);
        tool_table_row(&j->table);
        return 1;
    }
    if (classify_set(&j->c, r, (size_t)n, a, e) < 0 || record_add_params(r, "probe", j->params, e) < 0)
        return -1;
    tool_write(&j->t, r, *a);
    return 1;
}

static void run(struct job *j, int n, char *name[]) {
    static const char *const kinds[] = {"a head with labels", "scores"};
    static const struct opt_use of_labels[] = {{1, "top min-prob temperature"}};
    struct err e = {0};
    const char *const *column;
    size_t columns;

    j->c.sim = sim_kern_choose(j->t.compute.kern->name), j->c.k = (size_t)j->k;
    j->t.status = j->c.min_prob >= 0 ? 3 : 0;    /* 3 until the result is known */
    (j->knn || j->tip ? open_near : open_head)(j);
    if (tool_stopped())
        return;
    TOOL_CHECK_USES(&j->t, of_labels, kinds, j->c.near || j->model.classes ? 1 : 2);
    if (classify_open(&j->c, &j->t.arena, &e) < 0 ||
        classify_params(&j->c, j->hash, &j->params, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    column = classify_columns(&j->c, &columns);
    j->table.by_path = true, tool_table(&j->t, &j->table, column, columns);
    tool_streams(&j->t, n, name, apply, j);
    tool_table_end(&j->table);
    if (j->t.status)
        j->t.status = j->t.failed ? 3 : j->matched == 0;
}

/* ---- options ---- */

enum { TRAIN = 1, OPERAND = 2, HEAD = 4, KNN = 8, TIP = 16, APPLY = OPERAND | HEAD | KNN | TIP };

static const char *const mode[] = {"--train", "FILE", "--head", "--knn", "--tip"};

static const struct opt_use uses[] = {
    {TRAIN, "c sweep validation folds balanced calibrate report tol max-iter exact"},
    {TRAIN | OPERAND | HEAD, "normalise"},
    {TRAIN | KNN | TIP, "labels label-from"},
    {TRAIN | TIP, "precision"},
    {OPERAND | HEAD, "hidden"}, {OPERAND | HEAD | TIP, "temperature"},
    {KNN, "neighbours plain"},
    {TIP, "classes templates alpha beta model activation cache"},
    {APPLY, "top min-prob tsv csv skip-from keep-errors"},
};

static void decide(struct job *j) {
    const unsigned now = j->train ? TRAIN : j->head ? HEAD : j->knn ? KNN : j->tip ? TIP : OPERAND;

    if (j->train + !!j->head + !!j->knn + !!j->tip > 1)
        die("one of --train, --head, --knn and --tip");
    TOOL_CHECK_USES(&j->t, uses, mode, now);
    if (j->labels && j->label_from)
        die("one of --labels and --label-from");
    if (j->tip && !j->names.labels)
        die("--tip needs --classes");
    if (j->train && j->json && !j->report)
        die("--json is for --report with --train");
    j->table.table.format = tool_table_format(j->tsv, j->csv, j->json);
    if (j->fit.sweep && j->fit.c != DEFAULT_C)
        die("one of -C and --sweep");
}

int main(int argc, char *argv[]) {
    static struct job j = {.k = 1, .nearest = 20, .max_iter = 1000, .normalise = -1, .hidden = -1, .c = {.min_prob = -1},
                           .alpha = 1.17, .beta = 1, .fit = {.c = DEFAULT_C, .validation = 0.2}};
    const struct opt own[] = {
        {0, "train", OPT_FLAG, &j.train, NULL, "fit a classifier and write it to -o FILE", 0, 0, NULL},
        {0, "head", OPT_STR, &j.head, "FILE", "apply a published head, or a classifier", 0, 0, NULL},
        {0, "knn", OPT_STR, &j.knn, "STREAM", "labels from the nearest vectors of a labelled stream", 0, 0, NULL},
        {0, "tip", OPT_STR, &j.tip, "STREAM", "the same together with the labels' texts (Tip-Adapter)", 0, 0, NULL},
        {0, "labels", OPT_STR, &j.labels, "FILE", "lines of id, tab, label; default: the field label", 0, 0, NULL},
        {0, "label-from", OPT_STR, &j.label_from, "REGEX", "the label is what the first group matches in the path", 0, 0, NULL},
        {0, "classes", OPT_STR, &j.names.labels, "FILE", "texts or vectors of the labels, for --tip", 0, 0, NULL},
        {0, "templates", OPT_STR, &j.names.templates, "FILE", "sentences for --classes, as in rank", 0, 0, NULL},
        {'C', "c", OPT_FLOAT, &j.fit.c, "X", "weight of the losses against the penalty (0.316)", 1e-12, 1e12, NULL},
        {0, "sweep", OPT_FLAG, &j.fit.sweep, NULL, "search for C on held-out vectors", 0, 0, NULL},
        {0, "validation", OPT_FLOAT, &j.fit.validation, "X", "share of the vectors that is held out (0.2)", 0.001, 0.999, NULL},
        {0, "folds", OPT_INT, &j.folds, "K", "hold out each of K parts in turn for the report", 2, 1000, NULL},
        {0, "balanced", OPT_FLAG, &j.fit.balanced, NULL, "all classes weigh the same", 0, 0, NULL},
        {0, "calibrate", OPT_FLAG, &j.fit.calibrate, NULL, "fit a temperature on held-out vectors", 0, 0, NULL},
        {0, "report", OPT_FLAG, &j.report, NULL, "print how good it is on held-out vectors", 0, 0, NULL},
        {0, "tol", OPT_FLOAT, &j.fit.tol, "X", "largest gradient at the end (1e-7, or less)", 1e-14, 1, NULL},
        {0, "max-iter", OPT_INT, &j.max_iter, "N", "steps of the solver at most (1000)", 1, 1000000, NULL},
        {0, "exact", OPT_FLAG, &j.exact, NULL, "multiply in f64; small problems always do", 0, 0, NULL},
        {0, "field", OPT_STR, &j.field, "NAME", "the vectors: image_embed, image_features (before the projection)", 0, 0, NULL},
        {0, "normalise", OPT_MAYBE_CHOICE, &j.normalise, "WHAT", "scale vectors to length one; no: do not", 0, 0, "yes|no"},
        {0, "hidden", OPT_CHOICE, &j.hidden, "WHAT", "what stands behind a head's hidden layers", 0, 0, "none|relu"},
        {0, "temperature", OPT_FLOAT, &j.c.temperature, "X", "probabilities from logits / X", 1e-3, 1e3, NULL},
        {'k', "top", OPT_INT, &j.k, "N", "labels of each record (1)", 1, 1000000, NULL},
        {0, "neighbours", OPT_INT, &j.nearest, "N", "how many vectors vote with --knn (20)", 1, 1000000, NULL},
        {0, "plain", OPT_FLAG, &j.plain, NULL, "all votes count the same", 0, 0, NULL},
        {0, "alpha", OPT_FLOAT, &j.alpha, "X", "weight of the vectors with --tip (1.17)", 0, 1e6, NULL},
        {0, "beta", OPT_FLOAT, &j.beta, "X", "how fast it falls with the distance (1)", 0, 1e6, NULL},
        {0, "min-prob", OPT_FLOAT, &j.c.min_prob, "X", "only what has at least this probability", 0, 1, NULL},
        {0, "force", OPT_FLAG, &j.c.force, NULL, "take vectors of other models", 0, 0, NULL},
        {0, "tsv", OPT_FLAG, &j.tsv, NULL, "write tab-separated text, not records", 0, 0, NULL},
        {0, "csv", OPT_FLAG, &j.csv, NULL, "write comma-separated text", 0, 0, NULL},
        {0, "json", OPT_FLAG, &j.json, NULL, "write JSON, a line for each result", 0, 0, NULL},
    };
    int i = tool_start(&j.t, "probe", argc, argv, SYNOPSIS,
                       TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_PROGRESS, own, sizeof own / sizeof *own);

    decide(&j);
    if (j.normalise >= 0)
        j.normalise = !j.normalise;    /* the index of "yes" is 0 */
    tool_compute(&j.t);
    j.file = j.head ? j.head : j.knn ? j.knn : j.tip;
    if (!j.train && !j.file) {
        if (i == argc)
            die("a classifier is needed: FILE, --head, --knn, --tip, or --train to make one");
        j.file = argv[i++];
    }
    tool_reads_all(&j.t, argc - i, argv + i);
    for (size_t k = 0; k < 4; k++)
        tool_reads(&j.t, (const char *[]){j.file, j.labels, j.names.labels, j.names.templates}[k]);
    (j.train ? train : run)(&j, argc - i, argv + i);
    return tool_finish(&j.t);
}
