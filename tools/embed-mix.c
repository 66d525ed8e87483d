/* embed-mix - arithmetic on the vectors of records: between two, along a difference, means, components
 *
 * Reads: streams with embeddings and noises.  Writes: records with new ones.
 * Memory: two records; for mean a vector; for pca-fit all vectors and, in f64, their covariance.
 */
#include <stdlib.h>
#include <string.h>

#include "formats/pca_record.h"
#include "tools/tool.h"

#define SYNOPSIS "slerp|lerp|diff|mean|sum|pca-fit|pca-project|pca-reconstruct [option ...] file ..."

enum { THETAS = 1024 };

struct job {
    struct tool t;
    const char *field, *theta_list, *pca_file, *k_list;
    int64_t frames, components;
    bool force, raw;
    double theta[THETAS];
    size_t n;                  /* thetas, or counts of components */
    struct pca_record pca;
    struct pca_rows rows;
    struct span map;
    struct arena room;
    struct arena_mem rows_mem, room_mem;
};

/* ---- between two records ---- */

/* Write what was made, unless --skip-from holds it. */
static int put(struct job *j, struct record *r, const struct arena *mem, struct err *e) {
    if (tool_skip(&j->t, r->id, j->map, 0, NULL))
        return 0;
    if (record_add_params(r, j->t.name, j->map, e) < 0)
        return -1;
    tool_write(&j->t, r, *mem);    /* behind what add_params took */
    return 0;
}

static int emit(struct job *j, const struct mix_frame *f, struct arena mem, struct err *e) {
    struct record r;

    if (mix_frame(&r, f, &mem, e) < 0)
        return -1;
    return put(j, &r, &mem, e);
}

/* Two streams side by side; where the second has one record, it goes with all of the first. */
static void pairs(struct job *j, char *file[], bool lerp) {
    struct stream sa, sb;
    struct record a, b, keep;
    struct arena mem = j->t.arena;
    struct err e = {{0}};
    bool one;

    if (stream_first(file[1], &keep, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    tool_stream(&j->t, &sa, file[0]);
    tool_stream(&j->t, &sb, file[1]);
    mem = j->t.arena;
    one = stream_next(&sb, &b, &mem, &e) == 1 && stream_next(&sb, &b, &mem, &e) == 0;
    stream_close(&sb);
    if (!one)
        tool_stream(&j->t, &sb, file[1]);
    for (;;) {
        const char *field;
        struct mix_vec va, vb;
        struct sample s;
        int bad = 0;
        mem = j->t.arena;
        e.msg[0] = 0;
        if (!tool_next(&j->t, &sa, &a, &mem))
            break;
        if (one)
            b = keep;
        else if (stream_next(&sb, &b, &mem, &e) != 1)
            die("%s: fewer records than %s", file[1], file[0]);
        bad = mix_get_any(&a, j->field, &field, &va, &mem, &e) < 0 || (mix_get(&b, field, &vb, &mem, &e) <= 0 && err_set(&e, "no %s in %s", field, file[1])) ||
              mix_fits(&va, &vb, j->force, &e) < 0 || sample_of(&s, &a, &mem, &e) < 0;
        for (size_t i = 0; !bad && i < j->n; i++)
            bad = emit(j, &(struct mix_frame){&a, &b, &s, &va, vb.v, field, lerp, i, j->n, j->theta[i]}, mem, &e) < 0;
        if (bad)
            tool_record_failed(&j->t, file[0], sa.number, &a, e.msg, mem);
        j->t.done += !bad;
    }
    stream_close(&sa);
}

/* diff IMAGES NEW OLD: along the difference of two texts. */
static void difference(struct job *j, char *file[]) {
    struct record fresh, old, r;
    struct mix_vec vn, vo, v;
    struct stream s;
    struct err e = {{0}};

    if (stream_first(file[1], &fresh, &j->t.arena, &e) < 0 || stream_first(file[2], &old, &j->t.arena, &e) < 0 ||
        (mix_get(&fresh, "text_embed", &vn, &j->t.arena, &e) <= 0 && err_set(&e, "%s: no text_embed", file[1])) ||
        (mix_get(&old, "text_embed", &vo, &j->t.arena, &e) <= 0 && err_set(&e, "%s: no text_embed", file[2])) ||
        mix_fits(&vn, &vo, j->force, &e) < 0)
        die("%s", e.msg);
    tool_stream(&j->t, &s, file[0]);
    for (;;) {
        struct arena mem = j->t.arena;
        struct sample at;
        float *d;
        int bad;
        e.msg[0] = 0;
        if (!tool_next(&j->t, &s, &r, &mem))
            break;
        d = arena_take(&mem, vn.d, sizeof *d);
        bad = !d || (mix_get(&r, "image_embed", &v, &mem, &e) <= 0 && err_set(&e, "no image_embed")) ||
              (v.d != vn.d && err_set(&e, "an image_embed of %zu, texts of %zu", v.d, vn.d)) ||
              mix_difference(vo.v, vn.v, v.v, v.d, d, &e) < 0 || sample_of(&at, &r, &mem, &e) < 0;
        for (size_t i = 0; !bad && i < j->n; i++)
            bad = emit(j, &(struct mix_frame){&r, NULL, &at, &v, d, "image_embed", false, i, j->n, j->theta[i]}, mem, &e) < 0;
        if (bad)
            tool_record_failed(&j->t, s.name, s.number, &r, e.msg, mem);
        j->t.done += !bad;
    }
    stream_close(&s);
}

/* ---- sums ---- */

static void write_vector(struct job *j, const char *id, const char *field, const double *sum, double scale, const struct mix_vec *like) {
    struct arena a = j->t.arena;
    float *v = arena_take(&a, like->d, sizeof *v);
    struct record r;
    struct err e = {{0}};
    bool bin;
    struct span name = {(const unsigned char *)id, strlen(id)};

    for (size_t i = 0; v && i < like->d; i++)
        v[i] = (float)(sum[i] * scale);
    if (!v || record_id(name, &name, &bin, &a, &e) < 0 || record_new(&r, name, bin, &a, &e) < 0 || mix_set(&r, field, v, like->d, &e) < 0 ||
        (like->model.n && record_set_sub_text(&r, "model", field, like->model, &e) < 0) ||
        record_add_params(&r, j->t.name, j->map, &e) < 0)
        die("%s", e.msg[0] ? e.msg : "out of memory");
    tool_write(&j->t, &r, a);
}

struct total {
    struct job *j;
    double *sum;
    size_t count;
    const char *field;
    struct mix_vec like;
};

/* A region apart: records pass through the rest of the arena while this one fills. */
static void split(struct job *j, struct arena_mem *m, struct arena *a) {
    if (arena_split(&j->t.arena, (size_t)(j->t.arena.end - j->t.arena.at) / 4, m, a) < 0)
        die("out of memory");
}

static int add_record(void *ctx, struct record *r, struct arena a, struct err *e) {
    struct total *t = ctx;
    const char *field;
    struct mix_vec v;

    if (mix_get_any(r, t->j->field, &field, &v, &a, e) < 0)
        return -1;
    if (!t->sum) {
        t->field = field;
        t->like = v;
        t->like.model = (struct span){(const unsigned char *)arena_str(&t->j->room, v.model.p, v.model.n), v.model.n};
        t->sum = arena_zero(&t->j->room, v.d, sizeof *t->sum);
        if (!t->sum || !t->like.model.p)
            die("out of memory");
    }
    if (mix_fits(&t->like, &v, t->j->force, e) < 0 || mix_add(&v, 1, t->j->raw, t->sum, e) < 0)
        return -1;
    t->count++;
    return 1;
}

static void mean(struct job *j, int n, char *file[]) {
    struct total t = {.j = j};

    split(j, &j->room_mem, &j->room);
    tool_streams(&j->t, n, file, add_record, &t);
    if (t.count)
        write_vector(j, "mean", t.field, t.sum, 1 / (double)t.count, &t.like);
}

/* sum a.clip + b.clip - c.clip */
static void sum(struct job *j, int n, char *word[]) {
    struct total t = {.j = j};
    struct err e = {{0}};
    double sign = 1;

    for (int i = 0; i < n; i++) {
        struct record r;
        const char *field;
        struct mix_vec v;
        if (i % 2) {
            if (strcmp(word[i], "+") != 0 && strcmp(word[i], "-") != 0)
                die("sum: '%s' stands where + or - is wanted", word[i]);
            sign = *word[i] == '+' ? 1 : -1;
            continue;
        }
        if (stream_first(word[i], &r, &j->t.arena, &e) < 0 || mix_get_any(&r, j->field, &field, &v, &j->t.arena, &e) < 0)
            die("%s", e.msg);
        if (!t.sum) {
            t.field = field, t.like = v;
            t.sum = arena_zero(&j->t.arena, v.d, sizeof *t.sum);
        }
        if (!t.sum || mix_fits(&t.like, &v, j->force, &e) < 0 || mix_add(&v, sign, j->raw, t.sum, &e) < 0)
            die("%s: %s", word[i], e.msg[0] ? e.msg : "out of memory");
    }
    if (n % 2 == 0)
        die("sum: a file is wanted after each + and -");
    write_vector(j, "sum", t.field, t.sum, 1, &t.like);
    j->t.done++;
}

/* ---- principal components ---- */

static int add_row(void *ctx, struct record *r, struct arena a, struct err *e) {
    struct job *j = ctx;

    return pca_rows_add(&j->rows, r, j->field, j->force, a, e);
}

static void pca_write(struct job *j, int n, char *file[]) {
    struct record r;
    struct err e = {{0}};
    struct arena a;

    split(j, &j->rows_mem, &j->rows.rows);
    split(j, &j->room_mem, &j->rows.names);
    tool_streams(&j->t, n, file, add_row, j);
    if (pca_fit(&j->pca.p, j->rows.x, j->rows.n, j->rows.d, (size_t)j->components, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    j->pca.model = j->rows.model;
    a = j->t.arena;
    if (pca_record_make(&r, &j->pca, &a, &e) < 0 || record_add_params(&r, j->t.name, j->map, &e) < 0)
        die("%s", e.msg);
    tool_write(&j->t, &r, a);
}

static void pca_read(struct job *j) {
    struct record r;
    struct err e = {{0}};

    if (!j->pca_file)
        die("--pca FILE is wanted: what pca-fit wrote");
    if (stream_first(j->pca_file, &r, &j->t.arena, &e) < 0)
        die("%s", e.msg);
    if (pca_record_read(&j->pca, &r, &j->t.arena, &e) < 0)
        die("%s: %s", j->pca_file, e.msg);
}

/* pca-project: one record; pca-reconstruct: one for each count. */
static int project(void *ctx, struct record *r, struct arena a, struct err *e) {
    struct job *j = ctx;
    struct pca_job p = {&j->pca, j->field, j->force};

    for (size_t i = 0; i < (j->n ? j->n : 1); i++) {
        struct arena b = a;
        struct record o;
        if (pca_apply(&o, r, &p, i, j->n, j->n ? (size_t)j->theta[i] : 0, &b, e) < 0 || put(j, &o, &b, e) < 0)
            return -1;
    }
    return 1;
}

/* ---- options ---- */

/* "0,0.25,1": numbers from 0 to max. */
static void numbers(struct job *j, const char *option, const char *list, double max) {
    const char *p = list;
    char *end;

    for (j->n = 0; *p; p = *end ? end + 1 : end) {
        double v = strtod(p, &end);
        if (end == p || (*end && *end != ',') || !(v >= 0 && v <= max) || j->n == THETAS)
            die("--%s: '%s' is not a list of numbers from 0 to %g", option, list, max);
        j->theta[j->n++] = v;
    }
}

static void thetas(struct job *j, double last) {
    if (j->theta_list) {
        numbers(j, "theta", j->theta_list, 1);
        return;
    }
    j->n = (size_t)j->frames;
    for (size_t i = 0; i < j->n; i++)
        j->theta[i] = j->n == 1 ? last : last * (double)i / (double)(j->n - 1);
}

static void params(struct job *j, const char *mode) {
    struct mp m;

    mp_open(&m, &j->t.arena);
    mp_map(&m, j->n ? 3 : 2);
    mp_cstr(&m, "version"), mp_cstr(&m, UNCLIP_VERSION);
    mp_cstr(&m, "mode"), mp_cstr(&m, mode);
    if (j->n) {    /* thetas, or counts of components */
        mp_cstr(&m, "steps"), mp_array(&m, j->n);
        for (size_t i = 0; i < j->n; i++)
            mp_float(&m, j->theta[i]);
    }
    j->map = mp_span(&m);
    if (m.full)
        die("out of memory");
}

int main(int argc, char *argv[]) {
    static struct job j = {.frames = 5, .components = 1024};
    const struct opt own[] = {
        {'k', "components", OPT_INT, &j.components, "N", "components that pca-fit keeps at most (1024)", 1, 65536, NULL},
        {0, "counts", OPT_STR, &j.k_list, "LIST", "pca-reconstruct: from how many components, with commas", 0, 0, NULL},
        {0, "field", OPT_STR, &j.field, "NAME", "the vector (image_embed, else text_embed)", 0, 0, NULL},
        {0, "force", OPT_FLAG, &j.force, NULL, "mix vectors of different models", 0, 0, NULL},
        {0, "frames", OPT_INT, &j.frames, "N", "evenly spaced thetas (5)", 1, THETAS, NULL},
        {0, "pca", OPT_STR, &j.pca_file, "FILE", "what pca-fit wrote", 0, 0, NULL},
        {0, "raw", OPT_FLAG, &j.raw, NULL, "mean and sum of the vectors, not of their directions", 0, 0, NULL},
        {0, "theta", OPT_STR, &j.theta_list, "LIST", "how far to go, 0 to 1, with commas", 0, 0, NULL},
    };
    int i = tool_start(&j.t, "embed-mix", argc, argv, SYNOPSIS, TOOL_STREAM | TOOL_RECORDS | TOOL_PROGRESS, own,
                       sizeof own / sizeof *own), n = argc - i - 1;
    const char *mode = i < argc ? argv[i] : "";
    char **file = argv + i + 1;
    bool two = !strcmp(mode, "slerp") || !strcmp(mode, "lerp"), three = !strcmp(mode, "diff");

    if ((two && n != 2) || (three && n != 3) || (!strcmp(mode, "sum") && n < 1))
        die("%s: %s", mode, two ? "two streams are wanted" : three ? "pictures, new text and old text are wanted" : "files are wanted");
    if (two || three)
        thetas(&j, three ? 0.5 : 1);
    if (!strcmp(mode, "pca-reconstruct"))
        numbers(&j, "counts", j.k_list ? j.k_list : "20,40,80,160,320", 65536);
    params(&j, mode);
    tool_not_outputs(&j.t, n, file);
    tool_output(&j.t, 0, NULL);
    if (two)
        pairs(&j, file, *mode == 'l');
    else if (three)
        difference(&j, file);
    else if (!strcmp(mode, "mean"))
        mean(&j, n, file);
    else if (!strcmp(mode, "sum"))
        sum(&j, n, file);
    else if (!strcmp(mode, "pca-fit"))
        pca_write(&j, n, file);
    else if (!strcmp(mode, "pca-project") || !strcmp(mode, "pca-reconstruct"))
        pca_read(&j), tool_streams(&j.t, n, file, project, &j);
    else
        die("'%s' is not one of %s", mode, "slerp, lerp, diff, mean, sum, pca-fit, pca-project, pca-reconstruct");
    return tool_finish(&j.t);
}
