#include "formats/record/npy_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "formats/io/mapfile.h"
#include "formats/record/npy.h"

/* Opens a temporary file for the file `name`.  Returns NULL on an error. */
static FILE *open_new(struct file_new *to, const char *name, struct err *e) {
    FILE *f;
    int fd;

    if (file_new_open(to, name, e) < 0)
        return NULL;
    fd = fcntl(to->fd, F_DUPFD_CLOEXEC, 0);
    if (fd >= 0 && (f = fdopen(fd, "wb")))
        return f;
    err_set(e, "%s", strerror(errno));
    if (fd >= 0)
        close(fd);
    file_new_drop(to);
    return NULL;
}

static int out_open(struct npy_out *o, struct err *e) {
    if (!(o->f = open_new(&o->to, o->file, e)))
        return -1;
    return fseek(o->f, 0, SEEK_SET) < 0 ? err_set(e, "%s", strerror(errno)) : 0;
}

/* Sets o->row to the field's value v.  A number or bool becomes a tensor with nd = 0. */
static int read_row(struct npy_out *o, struct span v, struct err *e) {
    struct tensor *t = &o->row;
    struct mp_item it;

    mp_item(v.p, v.n, &it);
    *t = (struct tensor){.dtype = it.kind == MP_FLOAT ? DT_F64 : it.kind == MP_BOOL ? DT_BOOL : DT_I64,
                         .data = o->number};
    switch (it.kind) {
    case MP_MAP: return record_tensor_of(v, o->field, t, e);
    case MP_BOOL: o->number[0] = it.b; return 1;
    case MP_FLOAT: memcpy(o->number, &it.f, 8); return 1;
    case MP_INT: memcpy(o->number, &it.i, 8); return 1;
    default: return err_set(e, "field %s is neither a tensor nor a number", o->field);
    }
}

/* Sets o->row to the record's value of the field.  Returns 0, or -1 if the record does not have the field, or if its
 * type or shape is not that of the earlier rows. */
static int out_check(struct npy_out *o, const struct record *r, struct err *e) {
    struct span v;
    bool same;

    if (record_raw(r, o->field, &v) != 1)
        return err_set(e, "no field %s", o->field);
    if (read_row(o, v, e) < 0)
        return -1;
    if (!o->rows)
        o->form = o->row;
    same = o->row.dtype == o->form.dtype && o->row.nd == o->form.nd;
    for (int i = 0; same && i < o->row.nd; i++)
        same = o->row.shape[i] == o->form.shape[i];
    if (!same)
        return err_set(e, "field %s has not the type and shape of the first one", o->field);
    if (o->row.nd == TENSOR_DIMS)
        return err_set(e, "field %s has %d sizes already", o->field, TENSOR_DIMS);
    return 0;
}

/* Writes the .npy head at the file's current offset, with the number of rows so far. */
static int head(struct npy_out *o, struct err *e) {
    unsigned char text[NPY_HEAD];
    size_t shape[TENSOR_DIMS + 1] = {o->rows}, n;

    memcpy(shape + 1, o->form.shape, sizeof o->form.shape);
    n = npy_head(text, o->form.dtype, o->rows ? o->form.nd + 1 : 1, shape);
    return fwrite(text, 1, n, o->f) == n ? 0 : err_set(e, "%s", strerror(errno));
}

/* Writes o->row, which out_check set, to the file. */
static int out_add(struct npy_out *o, struct err *e) {
    size_t n;

    if (o->rows++ == 0 && head(o, e) < 0)
        return -1;
    if (tensor_count(&o->row, &n) < 0)
        return err_set(e, "overflow");
    n *= dtype_size(o->row.dtype);
    return fwrite(o->row.data, 1, n, o->f) == n ? 0 : err_set(e, "%s", strerror(errno));
}

static int flush(FILE *f, struct err *e) {
    return fflush(f) != 0 ? err_set(e, "%s", strerror(errno)) : 0;
}

/* Writes the head again, now with the final number of rows. */
static int out_end(struct npy_out *o, struct err *e) {
    if (fseek(o->f, 0, SEEK_SET) < 0)
        return err_set(e, "%s", strerror(errno));
    return head(o, e) < 0 ? -1 : flush(o->f, e);
}

static void drop(FILE **f, struct file_new *to) {
    if (!*f)
        return;
    fclose(*f);
    *f = NULL;
    file_new_drop(to);
}

/* Gives the file its name.  It was flushed. */
static int keep(FILE **f, struct file_new *to, struct err *e) {
    FILE *was = *f;

    *f = NULL;
    if (fclose(was) == 0)
        return file_new_keep(to, false, e);
    err_set(e, "%s", strerror(errno));
    file_new_drop(to);
    return -1;
}

void npy_writer_drop(struct npy_writer *w) {
    for (size_t i = 0; i < w->n; i++)
        drop(&w->out[i].f, &w->out[i].to);
    drop(&w->id_file, &w->id_to);
}

/* Removes the temporary files and fills e.  `file` could not be written. */
static int write_failed(struct npy_writer *w, const char *file, const struct err *why, struct err *e) {
    struct err whole = {0};

    npy_writer_drop(w);
    err_set(&whole, "%.300s: %.300s", file, why->msg);
    *e = whole;
    return -2;
}

/* Opens every output file, if that is not done yet. */
static int open_all(struct npy_writer *w, struct err *e) {
    struct err why = {0};

    for (size_t i = 0; i < w->n && !w->open; i++)
        if (out_open(&w->out[i], &why) < 0)
            return write_failed(w, w->out[i].file, &why, e);
    if (w->ids && !w->open && !(w->id_file = open_new(&w->id_to, w->ids, &why)))
        return write_failed(w, w->ids, &why, e);
    w->open = true;
    return 0;
}

/* If the id, written as a line, would be read back as another id (lines.h), returns the reason.  Else returns NULL. */
static const char *no_line(const struct npy_writer *w, struct span id) {
    if (memchr(id.p, w->end, id.n))
        return w->end ? "its id holds a newline (use -0)" : "its id holds a NUL";
    if (w->end && id.n && id.p[id.n - 1] == '\r')
        return "its id ends in a carriage return (use -0)";
    if (w->end && !w->out[0].rows && id.n >= 3 && !memcmp(id.p, "\xef\xbb\xbf", 3))
        return "its id begins with a byte order mark (use -0)";
    return NULL;
}

int npy_writer_add(struct npy_writer *w, const struct record *r, struct err *e) {
    const char *no = w->ids ? no_line(w, r->id) : NULL;
    struct err why = {0};

    for (size_t i = 0; i < w->n; i++)
        if (out_check(&w->out[i], r, e) < 0)
            return -1;
    if (no)
        return err_set(e, "%s", no);
    if (open_all(w, e) < 0)
        return -2;
    for (size_t i = 0; i < w->n; i++)
        if (out_add(&w->out[i], &why) < 0)
            return write_failed(w, w->out[i].file, &why, e);
    if (w->ids && (fwrite(r->id.p, 1, r->id.n, w->id_file) != r->id.n || putc(w->end, w->id_file) == EOF)) {
        err_set(&why, "%s", strerror(errno));
        return write_failed(w, w->ids, &why, e);
    }
    return 0;
}

int npy_writer_close(struct npy_writer *w, struct err *e) {
    struct err why = {0};

    if (open_all(w, e) < 0)
        return -2;
    for (size_t i = 0; i < w->n; i++)
        if (out_end(&w->out[i], &why) < 0)
            return write_failed(w, w->out[i].file, &why, e);
    if (w->ids && flush(w->id_file, &why) < 0)
        return write_failed(w, w->ids, &why, e);
    for (size_t i = 0; i < w->n; i++)
        if (keep(&w->out[i].f, &w->out[i].to, &why) < 0)
            return write_failed(w, w->out[i].file, &why, e);
    return w->ids && keep(&w->id_file, &w->id_to, &why) < 0 ? write_failed(w, w->ids, &why, e) : 0;
}

/* Maps the file and parses its head.  The file stays mapped. */
static int in_open(struct npy_in *in, const char *field, const char *file, struct err *e) {
    struct mapfile m;
    size_t n;

    *in = (struct npy_in){.field = field, .file = file};
    if (mapfile_open(&m, file, e) < 0 || npy_read(m.p, m.n, &in->t, e) < 0)
        return -1;
    if (!in->t.nd)
        return err_set(e, "one number, not rows");
    if (in->t.shape[0] && tensor_count(&in->t, &n) == 0 && !n)    /* a file without data may claim 2^62 rows */
        return err_set(e, "%zu rows without numbers", in->t.shape[0]);
    return 0;
}

static int set_number(const char *field, enum dtype dt, const unsigned char *p, struct record *r,
                      struct err *e) {
    struct tensor t = {.dtype = dt, .data = p};
    uint64_t u = 0;
    double d;
    float f;

    if (dt == DT_F64) {
        memcpy(&d, p, 8);
        return record_set_float(r, field, d, e);
    }
    if (dt == DT_F32 || dt == DT_F16) {
        tensor_f32(&t, 0, 1, &f);
        return record_set_float(r, field, (double)f, e);
    }
    if (dt == DT_BOOL)
        return record_set_bool(r, field, *p, e);
    memcpy(&u, p, dtype_size(dt));
    return record_set_int(r, field, dt == DT_I32 ? (int32_t)u : dt == DT_I16 ? (int16_t)u :
                          dt == DT_I8 ? (int8_t)u : (int64_t)u, e);
}

/* Sets the record's field to row i of the file.  If the array has one axis, the row is a number. */
static int in_set(const struct npy_in *in, size_t i, struct record *r, struct arena scratch, struct err *e) {
    struct tensor row = tensor_rows(&in->t, i, i + 1);
    bool half = row.dtype == DT_F16 && row.nd > 1;
    size_t n;
    void *p;

    if (tensor_count(&row, &n) < 0 || !(p = arena_take(&scratch, n, half ? 4 : dtype_size(row.dtype))))
        return err_set(e, "out of memory");
    if (half)    /* record_set_tensor takes f32, which holds every f16 exactly */
        tensor_f32(&row, 0, n, p);
    else
        npy_copy(&row, p);
    if (row.nd == 1)
        return set_number(in->field, row.dtype, p, r, e);
    return record_set_tensor(r, in->field, row.dtype, p, row.nd - 1, row.shape + 1, e);
}

int npy_reader_add(struct npy_reader *p, const char *field, const char *file, struct err *e) {
    struct npy_in *in = &p->in[p->n];
    struct err why = {0};

    if (in_open(in, field, file, &why) < 0)
        return err_at(e, file, &why);
    if (in->t.shape[0] != p->in[0].t.shape[0])
        return err_set(e, "%.300s: %zu rows, %.300s has %zu", file, in->t.shape[0], p->in[0].file, p->in[0].t.shape[0]);
    p->n++;
    return 0;
}

/* Reads the next id.  Returns 1 for an id, 0 at the end of the list, or -2 for an error. */
static int next_id(struct npy_reader *p, struct span *id, struct err *e) {
    struct err why = {0};
    int got = lines_next(p->lines, id, &why);

    return got >= 0 ? got : (err_at(e, p->ids, &why), -2);
}

int npy_reader_next(struct npy_reader *p, struct record *r, struct arena *a, struct arena scratch, struct err *e) {
    size_t rows = p->in[0].t.shape[0];
    struct span id = {0};
    int got = 1;

    if (p->ids && (got = next_id(p, &id, e)) < 0)
        return got;
    if (p->ids && (got == 1) != (p->row < rows)) {
        err_set(e, "%.300s: %s ids than there are rows", p->ids, got ? "more" : "fewer");
        return -2;
    }
    if (p->row == rows)
        return 0;
    if (!p->ids)
        id = span_bytes(p->number, (size_t)snprintf(p->number, sizeof p->number, "%zu", p->row));
    if (record_new(r, id, !utf8_valid(id.p, id.n), a, e) < 0)
        return -2;
    for (size_t i = 0; i < p->n; i++)
        if (in_set(&p->in[i], p->row, r, scratch, e) < 0)
            break;
    p->row++;
    return e->msg[0] ? -1 : 1;
}
