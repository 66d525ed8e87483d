/* embed-mix - arithmetic on the vectors of records: between two, along a difference, means, components
 *
 * Reads: streams with embeddings and noises.  Writes: records with new embeddings and noises.
 * Memory: two records; for mean and sum one vector; for pca-fit all vectors and, in f64, their covariance.
 */
#include <limits.h>
#include <string.h>

#include "formats/record/beside.h"
#include "tools/common/input.h"
#include "tools/common/output.h"
#include "tools/common/tool.h"
#include "tools/stage/pca_record.h"

#define SYNOPSIS "slerp|lerp|diff|mean|sum|pca-fit|pca-project|pca-reconstruct [option ...] file ..."

enum { THETAS = 1024 };

struct job {
    struct tool t;
    const char *mode, *field, *theta_list, *pca_file, *k_list;
    int64_t frames, components;
    struct beside second;      /* the second of two streams */
    struct mix_texts texts;
    struct mix_total total;
    double theta[THETAS];
    size_t n;                  /* numbers in theta: thetas, or counts of components */
    bool told;                 /* that text_states are left out */
    struct pca_record pca;
    struct pca_rows rows;
    struct span map;
    struct arena room;
    struct arena_mem rows_mem, room_mem;
};

/* Write r, a new record that was made from `from`, unless the file of --skip-from holds it. */
static int put(struct job *j, const struct record *from, struct record *r, const struct arena *mem, struct err *e) {
    char id[300];

    if (tool_skip(&j->t, r->id, resume_stamp(r), j->map, 0, NULL))
        return 0;
    if (!j->told && !j->t.quiet && record_has(from, "text_states") && !record_has(r, "text_states")) {
        warn("%s: record %llu (%s): its text_states do not fit the new text_embed and are left out, and prior needs them (see embed-mix(1))",
             j->t.input.name, (unsigned long long)j->t.input.number, tool_quote(from->id, id, sizeof id));
        j->told = true;
    }
    if (record_add_params(r, j->t.name, j->map, e) < 0)
        return -1;
    tool_write(&j->t, r, *mem);    /* *mem begins after what record_add_params took */
    return 0;
}

/* ---- between two vectors ---- */

static int frames(struct job *j, const struct mix_way *w, struct arena mem, struct err *e) {
    for (size_t i = 0; i < j->n; i++) {
        struct arena a = mem;
        struct record r;
        if (mix_frame(&r, w, *j->mode == 'l', i, j->n, j->theta[i], &a, e) < 0 || put(j, w->a, &r, &a, e) < 0)
            return -1;
    }
    return 1;
}

static int pair(void *ctx, struct record *a, struct arena *mem, struct err *e) {
    struct job *j = ctx;
    const char *name = j->second.s.name;
    struct record b;
    struct mix_way w;
    int got = beside_get(&j->second, j->t.input.number, &b, mem, e);

    if (!got)
        die("%s: fewer records than in the first stream", name);
    if (got < 0 || mix_between(&w, a, &b, name, j->field, j->total.force, mem, e) < 0)
        return -1;
    return frames(j, &w, *mem, e);
}

static void pairs(struct job *j, int n, char *file[]) {
    struct err e = {0};

    if (!strcmp(file[0], "-") && !strcmp(file[1], "-"))
        die("standard input cannot be both streams");
    if (beside_open(&j->second, file[1], &j->t.arena, (size_t)(j->t.arena.end - j->t.arena.at) / 4, &e) < 0)
        die("%s", e.msg);
    tool_streams(&j->t, n - 1, file, pair, j);
}

static int along(void *ctx, struct record *r, struct arena *mem, struct err *e) {
    struct job *j = ctx;
    struct mix_way w;

    return mix_along(&w, r, &j->texts, mem, e) < 0 ? -1 : frames(j, &w, *mem, e);
}

/* Mode "diff IMAGES NEW OLD": move images along the difference of two texts. */
static void difference(struct job *j, int n, char *file[]) {
    struct err e = {0};

    if (mix_texts_read(&j->texts, file[1], file[2], j->total.force, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    tool_streams(&j->t, n - 2, file, along, j);
}

/* ---- sums ---- */

static void write_total(struct job *j, const struct mix_total *t, const char *id, double scale) {
    struct arena a = j->t.arena;
    struct record r;
    struct err e = {0};

    if (mix_total_record(&r, t, id, scale, &a, &e) < 0 || record_add_params(&r, j->t.name, j->map, &e) < 0)
        die("%s", e.msg);
    tool_write(&j->t, &r, a);
}

static int add_record(void *ctx, struct record *r, struct arena *a, struct err *e) {
    struct job *j = ctx;

    return mix_total_add(&j->total, r, j->field, 1, &j->room, *a, e) < 0 ? -1 : 1;
}

static void mean(struct job *j, int n, char *file[]) {
    tool_streams(&j->t, n, file, add_record, j);
    if (j->total.n && !tool_stopped())
        write_total(j, &j->total, "mean", 1 / (double)j->total.n);
}

/* Mode sum, such as "sum a.clip + b.clip - c.clip". */
static void sum(struct job *j, int n, char *word[]) {
    struct arena *a = &j->t.arena;
    struct err e = {0};
    double sign = 1;

    for (int i = 0; i < n; i++) {
        struct record r;
        if (i % 2) {
            if (strcmp(word[i], "+") != 0 && strcmp(word[i], "-") != 0)
                die("sum: '%s' stands where + or - is wanted", word[i]);
            sign = *word[i] == '+' ? 1 : -1;
            continue;
        }
        if (stream_first(word[i], &r, a, &e) < 0)
            die("%s", e.msg);
        if (mix_total_add(&j->total, &r, j->field, sign, &j->room, *a, &e) < 0)
            die("%s: %s", word[i], e.msg);
    }
    if (n % 2 == 0)
        die("sum: a file is wanted after each + and -");
    write_total(j, &j->total, "sum", 1);
    j->t.done++;
}

/* ---- principal components ---- */

static int add_row(void *ctx, struct record *r, struct arena *a, struct err *e) {
    struct job *j = ctx;

    return pca_rows_add(&j->rows, r, j->field, j->total.force, *a, e);
}

static void pca_write(struct job *j, int n, char *file[]) {
    struct record r;
    struct err e = {0};
    struct arena a;

    j->rows.names = j->room;
    tool_streams(&j->t, n, file, add_row, j);
    if (tool_stopped())
        return;
    a = j->t.arena;
    if (pca_rows_record(&r, &j->rows, (size_t)j->components, &a, &e) < 0 || record_add_params(&r, j->t.name, j->map, &e) < 0)
        die("%s", e.msg);
    tool_write(&j->t, &r, a);
}

/* For each input record pca-project writes one record, and pca-reconstruct one record for each count. */
static int project(void *ctx, struct record *r, struct arena *a, struct err *e) {
    struct job *j = ctx;
    struct pca_job p = {&j->pca, j->field, j->total.force};

    for (size_t i = 0; i < (j->n ? j->n : 1); i++) {
        struct arena b = *a;
        struct record o;
        if (pca_apply(&o, r, &p, i, j->n, j->n ? (size_t)j->theta[i] : 0, &b, e) < 0 || put(j, r, &o, &b, e) < 0)
            return -1;
    }
    return 1;
}

static void pca_run(struct job *j, int n, char *file[]) {
    struct err e = {0};

    if (!j->pca_file)
        die("--pca FILE is wanted: what pca-fit wrote");
    if (pca_record_load(&j->pca, j->pca_file, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    tool_streams(&j->t, n, file, project, j);
}

/* ---- modes and options ---- */

struct mode {
    int least, most;     /* files */
    const char *files;   /* the message if the number of files is wrong */
    double theta;        /* the last theta by default; 0: the mode has no thetas */
    void (*run)(struct job *j, int n, char *file[]);
};

/* The modes, their names, and their bits in `uses`. */
static const struct mode modes[] = {
    {2, 2, "two streams are wanted", 1, pairs},
    {2, 2, "two streams are wanted", 1, pairs},
    {3, 3, "pictures, new text and old text are wanted", 0.5, difference},
    {0, INT_MAX, NULL, 0, mean},
    {1, INT_MAX, "files are wanted", 0, sum},
    {0, INT_MAX, NULL, 0, pca_write},
    {0, INT_MAX, NULL, 0, pca_run},
    {0, INT_MAX, NULL, 0, pca_run},
};
static const char *const names[] = {"slerp", "lerp", "diff", "mean", "sum", "pca-fit", "pca-project", "pca-reconstruct"};
enum { MODES = sizeof names / sizeof *names, SLERP = 1, LERP = 2, DIFF = 4, MEAN = 8, SUM = 16, FIT = 32, PROJECT = 64, RECONSTRUCT = 128 };

static const struct opt_use uses[] = {
    {SLERP | LERP | DIFF, "frames theta"}, {MEAN | SUM, "raw"}, {FIT, "components"}, {RECONSTRUCT, "counts"},
    {PROJECT | RECONSTRUCT, "pca"}, {SLERP | LERP | DIFF | MEAN | FIT | PROJECT | RECONSTRUCT, "shard keep-errors"},
    {SLERP | LERP | DIFF | PROJECT | RECONSTRUCT, "skip-from"}, {SLERP | LERP | MEAN | SUM | FIT | PROJECT | RECONSTRUCT, "field"},
};

static int mode_of(const char *name, int n) {
    int i = 0;

    while (i < MODES && strcmp(names[i], name) != 0)
        i++;
    if (i == MODES)
        die("'%s' is not one of slerp, lerp, diff, mean, sum, pca-fit, pca-project, pca-reconstruct", name);
    if (n < modes[i].least || n > modes[i].most)
        die("%s: %s", name, modes[i].files);
    return i;
}

/* Fill j->theta with thetas, or for pca-reconstruct with counts of components. */
static void steps(struct job *j, const struct mode *m) {
    if (!strcmp(j->mode, "pca-reconstruct")) {
        j->n = tool_numbers("counts", j->k_list ? j->k_list : "20,40,80,160,320", 65536, j->theta, THETAS);
    } else if (m->theta > 0 && j->theta_list) {
        j->n = tool_numbers("theta", j->theta_list, 1, j->theta, THETAS);
    } else if (m->theta > 0) {
        j->n = j->frames ? (size_t)j->frames : 5;
        for (size_t i = 0; i < j->n; i++)
            j->theta[i] = j->n == 1 ? m->theta : m->theta * (double)i / (double)(j->n - 1);
    }
}

/* Make regions for what grows from record to record: the rest of the arena is used again for each record. */
static void make_rooms(struct job *j) {
    size_t all = (size_t)(j->t.arena.end - j->t.arena.at);

    if (arena_split(&j->t.arena, all / 4, &j->rows_mem, &j->rows.rows) < 0 ||
        arena_split(&j->t.arena, all / 16, &j->room_mem, &j->room) < 0)
        die("out of memory");
}

int main(int argc, char *argv[]) {
    static struct job j = {.components = 1024};
    const struct opt own[] = {
        {'k', "components", OPT_INT, &j.components, "N", "components that pca-fit keeps at most (1024)", 1, 65536, NULL},
        {0, "counts", OPT_STR, &j.k_list, "LIST", "pca-reconstruct: from how many components, with commas", 0, 0, NULL},
        {0, "field", OPT_STR, &j.field, "NAME", "the vector (image_embed, else text_embed)", 0, 0, NULL},
        {0, "force", OPT_FLAG, &j.total.force, NULL, "mix vectors of different models", 0, 0, NULL},
        {0, "frames", OPT_INT, &j.frames, "N", "evenly spaced thetas (5)", 1, THETAS, NULL},
        {0, "pca", OPT_STR, &j.pca_file, "FILE", "what pca-fit wrote", 0, 0, NULL},
        {0, "raw", OPT_FLAG, &j.total.raw, NULL, "mean and sum of the vectors, not of their directions", 0, 0, NULL},
        {0, "theta", OPT_STR, &j.theta_list, "LIST", "how far to go, 0 to 1, with commas", 0, 0, NULL},
    };
    int i = tool_start(&j.t, "embed-mix", argc, argv, SYNOPSIS, TOOL_STREAM | TOOL_RECORDS | TOOL_PROGRESS, own,
                       sizeof own / sizeof *own), n = argc - i - 1;
    int m = mode_of(i < argc ? argv[i] : "", n);
    struct mix_options o;
    struct err e = {0};

    TOOL_CHECK_USES(&j.t, uses, names, 1U << m);
    if (j.theta_list && j.frames)
        die("one of --theta and --frames");
    j.mode = names[m];
    make_rooms(&j);
    steps(&j, &modes[m]);
    o = (struct mix_options){j.mode, j.field, j.pca_file, NULL, NULL, j.theta, j.n};
    if (1U << m == DIFF)
        o.fresh = argv[i + 2], o.old = argv[i + 3];
    if (mix_params(&j.map, &o, &j.t.arena, &e) < 0)
        die("%s", e.msg);
    tool_reads_all(&j.t, n, argv + i + 1);
    tool_reads(&j.t, j.pca_file);
    tool_output(&j.t, 0, NULL);
    modes[m].run(&j, n, argv + i + 1);
    return tool_finish(&j.t);
}
