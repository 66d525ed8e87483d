/* rank - order records by similarity, rerank each prompt's pictures, or give records labels
 *
 * Reads: streams with vectors.
 * Writes: the records that were asked for, with cos, logit, prob, label and rank; or these fields as text.
 * Memory: the k best records so far and one more; the stream may be endless.
 */
#include "formats/record/params.h"
#include "tools/common/input.h"
#include "tools/common/machine.h"
#include "tools/common/output.h"
#include "tools/common/paths.h"
#include "tools/common/progress.h"
#include "tools/common/result_table.h"
#include "tools/common/tool.h"
#include "tools/stage/query.h"
#include "tools/stage/ranking.h"

#define SYNOPSIS                                                                             \
    "[-k N] [--text STR ... | --image FILE | --query STREAM | --labels FILE | --label NAME ...] [option ...] [file ...]"

enum { GROUP_ROOT, GROUP_NONE };
enum { DEFAULT_K = 10, MAX_K = 1000000, COLUMNS = 64 };

struct rank {
    struct tool t;
    struct query_source from;
    struct ranking g;
    int64_t k;
    int group;
    double scale;
    bool force, tsv, csv, json;
    struct strs texts, names;    /* --text, --label */
    const char *columns;
    struct result_table table;
    struct span params;
    struct arena_mem params_mem;
    struct arena params_room;
    char key[LABELS_KEY];    /* the labels' key, from query_open_labels */
    bool learnt;             /* the scale is settled, so no record is asked for a scale */
    uint64_t matched;
};

/* ---- output ---- */

static int emit(void *ctx, struct record *r, const struct result *v, size_t n, struct arena *a) {
    struct rank *k = ctx;
    bool list = k->g.kind == RESULT_LABEL && k->k > 1;
    struct err e = {0};

    k->matched++;
    if (k->table.table.format) {
        tool_table_begin(&k->table, r);
        result_rows(&k->table.table, r, v, n);
        tool_table_row(&k->table);
    } else {
        if (result_set(r, k->g.kind, v, n, list, a, &e) < 0 ||
            record_add_params(r, "rank", k->params, &e) < 0)
            die("%s", e.msg);
        tool_write(&k->t, r, *a);
    }
    return tool_stopped() ? -1 : 0;
}

static void open_output(struct rank *k) {
    static const char *name[COLUMNS];
    struct span column[COLUMNS];
    const char *const *all;
    size_t n;

    if (!k->columns) {
        all = result_columns(k->g.kind, &n);
        k->table.by_path = true;
        tool_table(&k->t, &k->table, all, n);
        return;
    }
    n = tool_names("columns", k->columns, column, COLUMNS);
    for (size_t i = 0; i < n; i++)
        if (!(name[i] = arena_str(&k->t.arena, column[i].p, column[i].n)))
            die("out of memory");
    tool_table(&k->t, &k->table, name, n);
}

/* ---- input ---- */

/* Rank the part of the stream that ranking_forward can take, with all threads. */
static void forward(struct rank *k, struct stream *s, struct arena a) {
    uint64_t n = 1;

    while (n && !k->t.input.shard_n && !tool_stopped()) {
        n = ranking_forward(&k->g, s, a);
        k->t.done += n;
        tool_progress(&k->t, 0);
        if (k->g.full)
            die("no memory for the %zu best records", k->g.k);
    }
}

static void set_params(struct rank *k) {
    struct arena room = k->params_room;
    struct err e = {{0}};

    if (query_params(&k->params, &k->from, &k->g, k->key, &room, &e) < 0)
        die("%s", e.msg);
}

/* If no model is opened, the scale of the logits is the logit_scale of the model that made the vectors.  The params of
 * the first record give this scale. */
static void learn_scale(struct rank *k, const struct record *r) {
    if (k->learnt)
        return;
    k->learnt = true;
    if (params_float(r, "clip-embed", "logit_scale", &k->g.scale))
        set_params(k);
}

static void rank_stream(struct rank *k, const char *file) {
    struct tool *t = &k->t;
    const uint64_t before = t->done;
    struct record r;
    struct stream s;

    if (tool_stream(t, &s, file) < 0)
        return;
    ranking_stream(&k->g);
    for (;;) {
        struct arena a = t->arena;
        struct err e = {0}, why = {0};
        int got;

        forward(k, &s, a);
        if (!tool_next(t, &s, &r, &a))
            break;
        if (tool_skip(t, r.id, resume_stamp(&r), k->params, 0, NULL))
            continue;
        learn_scale(k, &r);
        if ((got = ranking_add(&k->g, &r, &a, &e)) == -2)
            die("%s", e.msg);
        /* if no record of the stream was ranked before, the whole stream is of another model, and one line is enough */
        if (got < 0 && t->done == before && !t->input.keep_errors && ranking_foreign(&k->g, &r, a, &why))
            die("%s: made by another model: %s; %s", s.name, why.msg,
                k->from.paths.n ? "name the model that made it with -m" : "make the query with the model that made it");
        if (got < 0)
            tool_record_failed(t, s.name, s.number, &r, e.msg);
        else
            t->done++;
        tool_progress(t, 0);
    }
    stream_close(&s);
}

/* ---- options ---- */

enum { WITH_LABELS = 1, WITH_TEXT = 2, WITH_IMAGE = 4, WITH_QUERY = 8, OWN_TEXT = 16 };

static const char *const mode[] = {"--labels", "--text", "--image", "--query", "records with a text of their own"};
static const struct opt_use uses[] = {
    {WITH_LABELS, "templates label-cache"},
    {WITH_LABELS | WITH_TEXT | WITH_IMAGE, "model activation cache precision"},
    {OWN_TEXT, "group"},
};

/* Choose the kind of result, and refuse options that exclude each other. */
static void decide(struct rank *k) {
    struct query_source *f = &k->from;
    int subjects = !!k->texts.n + !!f->image + !!f->stream + !!f->labels + !!k->names.n;
    bool threshold = k->g.min_cos >= -1 || k->g.min_prob >= 0;

    if (subjects > 1)
        die("one of --text, --image, --query, --labels and --label");
    f->text = k->texts.v, f->ntext = k->texts.n;
    f->names = tool_lines("label", &k->names, &k->t.arena);
    TOOL_CHECK_USES(&k->t, uses, mode, f->labels || f->names ? WITH_LABELS : f->ntext ? WITH_TEXT : f->image ? WITH_IMAGE :
                                       f->stream ? WITH_QUERY : OWN_TEXT);
    k->tsv |= (k->columns || k->table.header || k->t.input.nul) && !k->csv && !k->json;
    if (!k->tsv && (k->table.header || k->t.input.nul))
        die("--header and -0 are for --tsv");
    k->table.table.format = tool_table_format(k->tsv, k->csv, k->json);
    k->g.own_text = !subjects;
    if (f->labels || f->names)
        k->g.kind = RESULT_LABEL;
    else if (!subjects && k->group != GROUP_NONE)
        k->g.kind = RESULT_GROUP;
    else
        k->g.kind = threshold && !k->k ? RESULT_MATCH : RESULT_BEST;
    if (k->g.min_prob >= 0 && k->g.kind != RESULT_LABEL && k->g.kind != RESULT_GROUP)
        die("--min-prob needs labels or groups: a stream's end is not known");
    if (k->t.output.skip_from && k->g.kind != RESULT_LABEL)
        die("--skip-from is for --labels: a ranking needs the whole stream");
    if (!k->k)
        k->k = k->g.kind == RESULT_LABEL ? 1 : DEFAULT_K;
    k->t.status = threshold ? 3 : 0;    /* 3 until main knows the result */
}

static void tick(void *ctx, uint64_t done, uint64_t total) {
    struct tool *t = ctx;

    t->done = done;
    tool_progress(t, total);
    t->done = 0;
}

static void open_subject(struct rank *k) {
    struct arena *a = &k->t.arena;
    double given = k->scale;
    struct err e = {0};

    k->g.q.sim.kern = sim_kern_choose(k->t.compute.kern->name);
    k->g.q.force = k->force;
    k->g.q.into = !k->table.table.format, k->g.q.kind = k->g.kind;
    if (k->from.ntext || k->from.image || k->from.labels || k->from.names)
        k->from.paths = tool_models(&k->t);
    k->from.compute = &k->t.compute;
    k->from.tick = tick, k->from.ctx = &k->t;
    k->scale = 100;
    if (k->from.labels || k->from.names) {
        if (query_open_labels(&k->g.labels, &k->from, &k->g.q, k->key, a, &e) < 0)
            die("%s", e.msg);
        if (k->g.labels.scale > 0)
            k->scale = k->g.labels.scale;
        k->g.q.from = (struct vector){k->g.labels.field, DT_F32, k->g.labels.d, NULL, k->g.labels.model};
    } else if (k->from.ntext || k->from.image || k->from.stream) {
        if (query_open(&k->g.q, &k->from, &k->scale, a, &e) < 0)
            die("%s", e.msg);
    }
    if (given > 0)
        k->scale = given;
    k->g.scale = k->scale, k->g.k = (size_t)k->k;
    k->g.pool = k->t.compute.pool;
    k->g.emit = emit, k->g.ctx = k;
    k->learnt = given > 0 || !k->g.own_text;
    if (ranking_start(&k->g, a, &e) < 0)
        die("%s", e.msg);
    if (arena_split(a, (size_t)1 << 20, &k->params_mem, &k->params_room) < 0)
        die("out of memory");
    set_params(k);
}

static void name_files(struct rank *k, int n, char *file[]) {
    const struct query_source *f = &k->from;

    tool_reads_all(&k->t, n, file);
    tool_reads(&k->t, f->image);
    tool_reads(&k->t, f->stream);
    tool_reads(&k->t, f->labels);
    tool_reads(&k->t, f->templates);
    tool_writes(&k->t, f->cache);
}

int main(int argc, char *argv[]) {
    static struct rank k = {.group = -1, .g = {.min_cos = -2, .min_prob = -1}};
    const struct opt own[] = {
        {'k', "top", OPT_INT, &k.k, "N", "how many results (10), or labels for each record (1)", 1, MAX_K, NULL},
        {0, "text", OPT_LIST, &k.texts, "STR", "rank by likeness to a text, or to the mean of several", 0, 0, NULL},
        {0, "image", OPT_STR, &k.from.image, "FILE", "rank by likeness to a picture", 0, 0, NULL},
        {0, "query", OPT_STR, &k.from.stream, "STREAM", "rank by likeness to the vector of a record", 0, 0, NULL},
        {0, "labels", OPT_STR, &k.from.labels, "FILE", "give each record the labels it is most like", 0, 0, NULL},
        {0, "label", OPT_LIST, &k.names, "NAME", "a label; may be repeated, instead of --labels", 0, 0, NULL},
        {0, "templates", OPT_STR, &k.from.templates, "FILE", "sentences for the labels; or openai80, openai7, none", 0, 0, NULL},
        {0, "label-cache", OPT_STR, &k.from.cache, "FILE", "keep the labels' vectors here", 0, 0, NULL},
        {0, "field", OPT_STR, &k.g.q.field, "NAME", "the vector of the records (image_embed, else text_embed)", 0, 0, NULL},
        {0, "group", OPT_CHOICE, &k.group, "WHAT", "root or none: what is ranked together", 0, 0, "root|none"},
        {0, "min-cos", OPT_FLOAT, &k.g.min_cos, "X", "only what has at least this cosine", -1, 1, NULL},
        {0, "min-prob", OPT_FLOAT, &k.g.min_prob, "X", "only what has at least this probability", 0, 1, NULL},
        {0, "logit-scale", OPT_FLOAT, &k.scale, "X", "logit = X cos; default: the model's, or 100", 1e-6, 1e6, NULL},
        {0, "force", OPT_FLAG, &k.force, NULL, "compare vectors of different models", 0, 0, NULL},
        {0, "tsv", OPT_FLAG, &k.tsv, NULL, "write tab-separated text, not records", 0, 0, NULL},
        {0, "columns", OPT_STR, &k.columns, "LIST", "these columns: of the result, or fields of the record (with --tsv)", 0, 0, NULL},
        {0, "header", OPT_FLAG, &k.table.header, NULL, "begin --tsv with the names of the columns", 0, 0, NULL},
        {0, "csv", OPT_FLAG, &k.csv, NULL, "write comma-separated text", 0, 0, NULL},
        {0, "json", OPT_FLAG, &k.json, NULL, "write JSON, a line for each result", 0, 0, NULL},
    };
    int i = tool_start(&k.t, "rank", argc, argv, SYNOPSIS,
                       TOOL_MODEL | TOOL_STREAM | TOOL_RECORDS | TOOL_COMPUTE | TOOL_PROGRESS | TOOL_NUL, own,
                       sizeof own / sizeof *own);

    decide(&k);
    name_files(&k, argc - i, argv + i);
    open_output(&k);
    tool_compute(&k.t);
    open_subject(&k);
    if (i == argc)
        rank_stream(&k, "-");
    for (; i < argc && !tool_stopped(); i++)
        rank_stream(&k, argv[i]);
    if (!tool_stopped())
        ranking_end(&k.g, k.t.arena), tool_table_end(&k.table);
    if (k.t.status)
        k.t.status = k.t.failed ? 3 : k.matched == 0;
    return tool_finish(&k.t);
}
