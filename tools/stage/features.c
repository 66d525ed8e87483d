#define _GNU_SOURCE    /* madvise */
#include "tools/stage/features.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

#include "lib/vector/similarity.h"
#include "tools/stage/vector.h"

enum { LABEL_MAX = 1 << 20, FIRST_SLOTS = 1 << 10 };

int features_open(struct features *f, const char *field, struct arena *keep, struct err *e) {
    const size_t room = (size_t)(keep->end - keep->at) / 4;

    *f = (struct features){.field = field, .keep = keep, .slots = FIRST_SLOTS};
    if (arena_split(keep, room, &f->rows_mem, &f->rows) < 0 || arena_split(keep, room / 4, &f->labels_mem, &f->labels) < 0 ||
        !(f->row = arena_take(&f->rows, 0, 1)) || !(f->label = arena_take(&f->labels, 0, 1)) ||
        !(f->slot = arena_zero(keep, f->slots, sizeof *f->slot)))
        return err_set(e, "no memory for the vectors");
    return 0;
}

/* ---- labels ---- */

static void place(struct features *f, uint32_t i) {
    size_t at = XXH64(f->label[i].p, f->label[i].n, 0) % f->slots;

    while (f->slot[at])
        at = (at + 1) % f->slots;
    f->slot[at] = i + 1;
}

/* Returns the number of a label; adds the label if it is new.  Returns -1 if memory runs out or there are too many
 * labels. */
static int64_t number_of(struct features *f, struct span label, struct err *e) {
    size_t at = XXH64(label.p, label.n, 0) % f->slots;

    for (; f->slot[at]; at = (at + 1) % f->slots)
        if (span_equal(f->label[f->slot[at] - 1], label))
            return f->slot[at] - 1;
    if (f->classes == LABEL_MAX)
        return err_set(e, "more than %d labels", LABEL_MAX);
    if (f->classes == f->label_room) {
        size_t more = f->label_room ? 2 * f->label_room : 64;

        if (arena_grow(&f->labels, f->label, f->label_room * sizeof *f->label, more * sizeof *f->label) < 0)
            return err_set(e, "no memory for %zu labels", more);
        f->label_room = more;
    }
    if (2 * (f->classes + 1) > f->slots) {
        f->slots *= 2;
        if (!(f->slot = arena_zero(f->keep, f->slots, sizeof *f->slot)))
            return err_set(e, "no memory for %zu labels", f->classes);
        for (size_t i = 0; i < f->classes; i++)
            place(f, (uint32_t)i);
    }
    f->label[f->classes] = arena_span(f->keep, label);
    if (!f->label[f->classes].p)
        return err_set(e, "no memory for %zu labels", f->classes);
    place(f, (uint32_t)f->classes);
    return (int64_t)f->classes++;
}

struct name {
    struct span s;
    int32_t old;
};

static int by_name(const void *a, const void *b) {
    return span_compare(((const struct name *)a)->s, ((const struct name *)b)->s);
}

int features_end(struct features *f, struct arena scratch, struct err *e) {
    struct name *v = arena_take(&scratch, f->classes, sizeof *v);
    int32_t *now = arena_take(&scratch, f->classes, sizeof *now);

    if (!v || !now)
        return err_set(e, "no memory for %zu labels", f->classes);
    for (size_t i = 0; i < f->classes; i++)
        v[i] = (struct name){f->label[i], (int32_t)i};
    qsort(v, f->classes, sizeof *v, by_name);
    for (size_t i = 0; i < f->classes; i++) {
        f->label[i] = v[i].s;
        now[v[i].old] = (int32_t)i;
    }
    for (size_t i = 0; i < f->n; i++)
        f->row[i].label = now[f->row[i].label];
    return 0;
}

/* ---- vectors ---- */

int features_add(struct features *f, const struct record *r, struct span label, int mapped, struct arena scratch,
                 struct err *e) {
    struct feature row = {.key = XXH64(r->id.p, r->id.n, 0)};
    struct vector v, first = {.field = f->field, .d = f->d, .model = f->model};
    const size_t more = f->row_room ? 2 * f->row_room : 1024;
    const char *room = scratch.at;
    int64_t number;
    size_t bytes;
    bool inside;
    void *copy;

    if (vector_find(&v, r, f->field, &scratch, e) < 0)
        return -1;
    if (f->n && vector_fits(&v, &first, false, f->force, e) < 0)
        return -1;
    if (f->n >= UINT32_MAX)
        return err_set(e, "more than %u vectors", UINT32_MAX);
    if (f->n == f->row_room) {
        if (arena_grow(&f->rows, f->row, f->row_room * sizeof *f->row, more * sizeof *f->row) < 0)
            return err_set(e, "no memory for %zu vectors", more);
        f->row_room = more;
    }
    if ((number = number_of(f, label, e)) < 0)
        return -1;
    bytes = v.d * dtype_size(v.dtype);
    row.x = v.data;
    row.f16 = v.dtype == DT_F16;
    row.label = (int32_t)number;
    inside = mapped >= 0 && !((const char *)v.data >= room && (const char *)v.data < scratch.end);
    if (inside) {
        row.stream = (uint16_t)(mapped + 1);
    } else {
        if (!(copy = arena_take(f->keep, bytes, 1)))
            return err_set(e, "no memory for %zu vectors", f->n);
        row.x = memcpy(copy, v.data, bytes);
    }
    if (!f->n) {
        f->d = v.d;
        if (v.model.n && !(f->model.p = (const unsigned char *)arena_str(f->keep, v.model.p, v.model.n)))
            return err_set(e, "out of memory");
        f->model.n = v.model.n;
    }
    f->row[f->n++] = row;
    return 0;
}

int feature_row(const struct features *f, size_t i, float *out) {
    const struct feature *r = &f->row[i];
    struct tensor t = {.dtype = r->f16 ? DT_F16 : DT_F32, .nd = 1, .shape = {f->d}, .stride = {1}, .data = r->x};

    tensor_f32(&t, 0, f->d, out);
    if (f->normalise)
        return sim_normalise(out, f->d);
    for (size_t j = 0; j < f->d; j++)
        if (!isfinite(out[j]))
            return SIM_NOT_FINITE;
    return SIM_OK;
}

uint64_t features_hash(const struct features *f) {
    uint64_t h = f->d;

    for (size_t i = 0; i < f->n; i++) {
        const struct feature *r = &f->row[i];
        const struct span label = f->label[r->label];

        h = XXH64(&r->key, sizeof r->key, h);
        h = XXH64(label.p, label.n, h);
        h = XXH64(r->x, f->d * (r->f16 ? 2 : 4), h);
    }
    return h;
}

/* Removes the pages between two rows of a mapped file from the resident set.  They are read from the file again if
 * they are needed. */
static void give_back(const struct feature *first, const struct feature *last) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)first->x + page - 1) / page * page, to = (uintptr_t)last->x / page * page;

    if (first->stream && first->stream == last->stream && from < to)
        madvise((void *)from, to - from, MADV_DONTNEED);
}

const float *features_get(void *view, size_t from, size_t n, float *room) {
    const struct feature_view *v = view;
    const struct features *f = v->f;

    for (size_t i = 0; i < n; i++)
        if (feature_row(f, v->index ? v->index[from + i] : from + i, room + i * f->d) != SIM_OK)
            return NULL;
    if (f->bounded && n)
        give_back(&f->row[v->index ? v->index[from] : from], &f->row[v->index ? v->index[from + n - 1] : from + n - 1]);
    return room;
}
