/* record-json - write records as JSON, CSV, .npy or raw numbers, and make records from JSON or .npy
 *
 * Reads: streams (unclip(5)) from the files named, or from standard input; with --from-json, JSON; with --from-npy, numpy's files.
 * Writes: JSON lines, CSV, counts (--info), vectors; or records.
 * Memory: one record and its text.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "formats/io/json_lines.h"
#include "formats/record/json_record.h"
#include "formats/record/npy_rows.h"
#include "formats/record/record_csv.h"
#include "formats/record/record_info.h"
#include "tools/common/input.h"
#include "tools/common/output.h"
#include "tools/common/text_out.h"
#include "tools/common/tool.h"
#include "tools/stage/missing.h"
#include "tools/stage/unit_vectors.h"

#define SYNOPSIS "[-0] [-o FILE] [--arrays | --csv | --info | --npy FIELD=FILE | --raw FIELD] [--fields LIST] [--ids FILE] [--normalise] [FILE ...]\n" \
                 "       record-json --from-json [-o FILE] [FILE ...]\n"                                       \
                 "       record-json --from-npy FIELD=FILE [-0] [--ids FILE] [-o FILE]"

struct job {
    struct tool t;
    bool arrays, as_csv, info, from_json, normalise, strict;
    const char *fields, *ids, *raw;
    struct strs npy, from_npy;
    /* ---- */
    struct span name[RECORD_FIELDS];    /* [nnames] --fields */
    size_t nnames, longest;             /* longest: the most bytes of a JSON value or an id */
    struct text_out out;                /* what is to be written */
    struct arena_mem text_mem, keep_mem;
    struct arena text_room, keep;
    struct json_lines json;
    struct lines id_lines;
    struct csv csv;
    struct info counts;
    struct npy_out columns[TOOL_LIST];
    struct npy_writer rows;
};

/* ---- options ---- */

enum { JSON = 1, CSV = 2, INFO = 4, NPY = 8, RAW = 16, FROM_JSON = 32, FROM_NPY = 64, ALL = 127 };

static const char *const mode[] = {"JSON", "--csv", "--info", "--npy", "--raw", "--from-json", "--from-npy"};
static const struct opt_use uses[] = {{JSON, "arrays"}, {JSON | NPY | RAW, "normalise"}, {JSON | CSV | FROM_JSON, "fields"}, {NPY | FROM_NPY, "ids null"}, {ALL - NPY, "output"}};

static int parse(struct job *j, int argc, char *argv[]) {
    const struct opt own[] = {
        {0, "arrays", OPT_FLAG, &j->arrays, NULL, "tensors as plain arrays of numbers", 0, 0, NULL},
        {0, "csv", OPT_FLAG, &j->as_csv, NULL, "CSV: the id and the fields that are strings, numbers or bools", 0, 0, NULL},
        {0, "fields", OPT_STR, &j->fields, "LIST", "only these fields, separated by commas", 0, 0, NULL},
        {0, "from-json", OPT_FLAG, &j->from_json, NULL, "read JSON, write records", 0, 0, NULL},
        {0, "from-npy", OPT_LIST, &j->from_npy, "FIELD=FILE", "read the rows of FILE as that field, write records", 0, 0, NULL},
        {0, "ids", OPT_STR, &j->ids, "FILE", "with --npy write, with --from-npy read, one id a line", 0, 0, NULL},
        {0, "info", OPT_FLAG, &j->info, NULL, "count records, fields, sizes, models, programs", 0, 0, NULL},
        {0, "normalise", OPT_FLAG, &j->normalise, NULL, "scale embeddings to length one", 0, 0, NULL},
        {0, "npy", OPT_LIST, &j->npy, "FIELD=FILE", "write that field to FILE, one row a record", 0, 0, NULL},
        {0, "raw", OPT_STR, &j->raw, "FIELD", "write that field's numbers as f32, nothing between", 0, 0, NULL},
        {0, "strict", OPT_FLAG, &j->strict, NULL, "stop at the first record that fails", 0, 0, NULL},
    };
    int first = tool_start(&j->t, "record-json", argc, argv, SYNOPSIS, TOOL_RECORDS | TOOL_NUL, own, sizeof own / sizeof *own);

    if (j->as_csv + j->info + j->from_json + (j->npy.n > 0) + (j->from_npy.n > 0) + (j->raw != NULL) > 1)
        die("only one of --csv, --info, --npy, --raw, --from-json and --from-npy");
    TOOL_CHECK_USES(&j->t, uses, mode, j->as_csv ? CSV : j->info ? INFO : j->npy.n ? NPY : j->raw ? RAW : j->from_json ? FROM_JSON :
                                       j->from_npy.n ? FROM_NPY : JSON);
    if (j->from_npy.n && first < argc)
        die("--from-npy reads no stream: '%s'", argv[first]);
    j->t.output.text = !j->from_json && !j->from_npy.n;
    if (j->raw && !j->t.output.name && isatty(1))
        die("numbers in bytes are not for a terminal: use -o FILE, a pipe, or -o -");
    if (j->fields)
        j->nnames = tool_names("fields", j->fields, j->name, RECORD_FIELDS);
    return first;
}

/* ---- output ---- */

static int show_raw(struct job *j, const struct record *r, struct arena scratch, struct err *e) {
    const float *v;
    size_t n;

    if (!record_has(r, j->raw))
        return field_missing(r, j->raw, e);
    if (record_numbers(r, j->raw, &v, &n, &scratch, e) < 0)
        return -1;
    mp_raw(&j->out.text, span_bytes(v, n * sizeof *v));
    return 0;
}

static int show(struct job *j, struct record *r, struct arena scratch, struct err *e) {
    if (j->info)
        return info_add(&j->counts, r), 0;
    if (j->npy.n)
        return npy_writer_add(&j->rows, r, e);
    if (j->as_csv)
        return csv_add(&j->csv, &j->out.text, r, scratch, e);
    if (j->raw)
        return show_raw(j, r, scratch, e);
    if (j->fields)
        record_keep(r, j->name, j->nnames);
    return json_write(&j->out.text, r, j->arrays ? JSON_ARRAYS : 0, scratch, e);
}

/* ---- streams to something else ---- */

/* Print and count a failure.  Returns true if the run ends here (--strict). */
static bool failed(struct job *j, const char *file, const char *why) {
    text_out_flush(&j->out);
    if (!tool_stopped())
        warn("%s: %s", file, why);
    j->t.failed++;
    return j->strict;
}

/* Show one stream.  Returns true if the run goes on with the next stream. */
static bool show_stream(struct job *j, const char *name) {
    struct stream s;
    struct record r;
    bool stop = false;
    int got = 1, rc;

    if (tool_stream(&j->t, &s, name) < 0)
        return !j->strict;
    while (!stop && got != -2 && !tool_stopped()) {
        struct arena scratch = j->t.arena;
        struct err e = {0};
        size_t before = j->out.text.n;

        if (!(got = stream_next(&s, &r, &scratch, &e)))
            break;
        if (got < 0) {
            stop = failed(j, name, e.msg);
        } else if ((rc = j->normalise ? unit_vectors(&r, &e) : 0) < 0 || (rc = show(j, &r, scratch, &e)) < 0) {
            if (rc == -2)
                die("%s", e.msg);
            j->out.text.n = before;
            text_out_flush(&j->out);
            tool_record_failed(&j->t, name, s.number, &r, e.msg);
            stop = j->strict;
        } else {
            j->t.done++;
        }
        if (!s.map || j->out.text.n > TEXT_AHEAD)
            text_out_flush(&j->out);
    }
    j->counts.bytes += stream_offset(&s);
    stream_close(&s);
    return !stop;
}

static void open_outputs(struct job *j) {
    const char *file, *field;

    if (info_open(&j->counts, &j->keep) < 0)
        die("out of memory");
    j->csv = (struct csv){.name = j->fields ? j->name : NULL, .n = j->nnames, .given = j->fields != NULL, .keep = &j->keep};
    j->rows.out = j->columns;
    for (; j->rows.n < j->npy.n; j->rows.n++) {
        field = tool_pair(&j->t, "npy", j->npy.v[j->rows.n], &file);
        tool_keep_records(file);
        j->rows.out[j->rows.n] = (struct npy_out){.field = field, .file = file};
    }
    if (j->npy.n)
        tool_keep_records(j->ids);
    j->rows.ids = j->ids, j->rows.end = j->t.input.nul ? 0 : '\n';
}

/* If every record failed, --info prints no counts, and the files of --npy stay as they are. */
static void close_outputs(struct job *j) {
    struct err e = {0};
    char field[100];

    if (j->info && (j->t.done || !j->t.failed || j->t.output.open))
        info_print(&j->counts, &j->out.text);
    text_out_flush(&j->out);
    if (j->csv.extra.p)
        warn("no column for the field %s, which the first record has not (name it with --fields)",
             tool_quote(j->csv.extra, field, sizeof field));
    if (tool_stopped())
        npy_writer_drop(&j->rows);
    else if ((j->rows.open || !j->t.failed) && npy_writer_close(&j->rows, &e) < 0)
        die("%s", e.msg);
}

/* ---- something else to records ---- */

static void write_record(struct job *j, struct record *r, struct arena scratch) {
    if (j->fields)
        record_keep(r, j->name, j->nnames);
    tool_write(&j->t, r, scratch);
    j->t.done++;
}

static bool read_json(struct job *j, const char *name) {
    struct err e = {0};
    struct span s;
    uint64_t line;
    char why[sizeof e.msg + 32];
    bool stop = false;
    int got = 1;

    if (json_lines_open(&j->json, name, j->longest, &j->t.arena, &e) < 0)
        return !failed(j, name, e.msg);
    while (!stop && got != -2 && !tool_stopped() && (got = json_lines_next(&j->json, &s, &line, &e)) != 0) {
        struct arena a = j->t.arena;
        struct record r;

        if (got == 1 && json_read(&r, (const char *)s.p, s.n, &a, j->text_room, &e) == 0) {
            write_record(j, &r, a);
            continue;
        }
        snprintf(why, sizeof why, "line %llu: %s", (unsigned long long)line, e.msg);
        stop = failed(j, name, got == -2 ? e.msg : why);
        err_clear(&e);
    }
    json_lines_close(&j->json);
    return !stop;
}

static void read_npy(struct job *j) {
    struct npy_in in[TOOL_LIST];
    struct npy_reader p = {.in = in, .ids = j->ids, .lines = &j->id_lines};
    struct err e = {0};
    const char *file, *field;
    int got = 1;

    while (p.n < j->from_npy.n) {
        field = tool_pair(&j->t, "from-npy", j->from_npy.v[p.n], &file);
        if (npy_reader_add(&p, field, file, &e) < 0)
            die("%s", e.msg);
    }
    if (j->ids && lines_open(&j->id_lines, j->ids, j->t.input.nul ? 0 : '\n', j->longest, &j->t.arena, &e) < 0)
        die("%s: %s", j->ids, e.msg);
    while (!tool_stopped()) {
        struct arena a = j->t.arena;
        struct record r;

        err_clear(&e);
        got = npy_reader_next(&p, &r, &a, j->text_room, &e);
        if (got == 0)
            break;
        if (got == -2)
            die("%s", e.msg);
        if (got == 1)
            write_record(j, &r, a);
        else
            tool_record_failed(&j->t, in[0].file, p.row, &r, e.msg);
        if (got < 0 && j->strict)
            break;
    }
}

/* Make regions for what grows from record to record. */
static void make_rooms(struct job *j) {
    size_t all = (size_t)(j->t.arena.end - j->t.arena.at);

    if (arena_split(&j->t.arena, all / 4, &j->text_mem, &j->text_room) < 0 ||
        arena_split(&j->t.arena, all / 16, &j->keep_mem, &j->keep) < 0)
        die("out of memory");
    text_out_open(&j->out, &j->t, &j->text_room);
    j->longest = all / 16 < (size_t)1 << 31 ? all / 16 : (size_t)1 << 31;
}

static void name_files(struct job *j, int n, char *file[]) {
    const char *name;

    tool_reads_all(&j->t, n, file);
    for (size_t i = 0; i < j->from_npy.n; i++)
        tool_pair(&j->t, "from-npy", j->from_npy.v[i], &name), tool_reads(&j->t, name);
    for (size_t i = 0; i < j->npy.n; i++)
        tool_pair(&j->t, "npy", j->npy.v[i], &name), tool_writes(&j->t, name);
    (j->npy.n ? tool_writes : tool_reads)(&j->t, j->ids);
}

int main(int argc, char *argv[]) {
    static struct job j;
    int first = parse(&j, argc, argv);

    name_files(&j, argc - first, argv + first);
    tool_output(&j.t, 0, NULL);
    make_rooms(&j);
    if (j.from_npy.n)
        return read_npy(&j), tool_finish(&j.t);
    if (!j.from_json)
        open_outputs(&j);
    for (int i = first; i < argc || i == first; i++)
        if (!(j.from_json ? read_json : show_stream)(&j, i < argc ? argv[i] : "-"))
            break;
    if (!j.from_json)
        close_outputs(&j);
    return tool_finish(&j.t);
}
