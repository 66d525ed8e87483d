#include "formats/checkpoint/safetensors.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "formats/io/json_text.h"
#include "lib/base/little64.h"

enum { HEAD_MAX = 100000000, DEPTH = 3 };

bool safetensors_sniff(const unsigned char *p, size_t n) {
    return n > 8 && p[8] == '{' && little64_get(p) <= HEAD_MAX;
}

/* Refuse what jansson would accept (-0), and what would make it allocate far more memory than the header has bytes
 * (deep nesting and long arrays).  Strings are skipped, because jansson checks their contents. */
static int check_tokens(const unsigned char *s, size_t n, struct err *e) {
    char open[DEPTH + 1] = {0};
    int depth = 0, commas = 0;

    for (size_t i = 0; i < n; i++)
        switch (s[i]) {
        case '"':
            for (i++; i < n && s[i] != '"'; i++)
                i += s[i] == '\\';
            break;
        case '-':
            return err_set(e, "header: byte %zu: a negative number", i);
        case '{': case '[':
            if (depth == DEPTH)
                return err_set(e, "header: byte %zu: nested too deeply", i);
            open[++depth] = (char)s[i];
            commas = 0;
            break;
        case '}': case ']':
            depth -= depth > 0;
            break;
        case ',':
            if (open[depth] == '[' && ++commas >= TENSOR_DIMS)
                return err_set(e, "header: byte %zu: more than %d dimensions", i, TENSOR_DIMS);
            break;
        }
    return 0;
}

static int read_dtype(enum dtype *d, const char *name, const json_t *v, struct err *e) {
    const char *s = json_string_value(v);

    if (!s)
        return err_set(e, "tensor %.200s: no dtype", name);
    for (int i = DT_F32; i <= DT_BOOL; i++)
        if (!strcmp(s, dtype_name((enum dtype)i))) {
            *d = (enum dtype)i;
            return 0;
        }
    return err_set(e, "tensor %.200s: dtype %.20s is not supported", name, s);
}

/* Read the integers of an array.  Returns their number, or -1. */
static int read_sizes(size_t *out, int room, const json_t *v) {
    int n = (int)json_array_size(v);    /* at most TENSOR_DIMS, as check_tokens made sure */

    if (!json_is_array(v) || n > room)
        return -1;
    for (int i = 0; i < n; i++) {
        const json_t *x = json_array_get(v, (size_t)i);
        json_int_t k = json_integer_value(x);

        if (!json_is_integer(x) || k < 0 || (uintmax_t)k > SIZE_MAX)
            return -1;
        out[i] = (size_t)k;
    }
    return n;
}

static int check_name(const char *name, struct err *e) {
    if (!*name)
        return err_set(e, "a tensor has no name");
    for (const char *s = name; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            return err_set(e, "a tensor's name has control characters");
    return 0;
}

struct range {
    size_t begin, end;
};

static int read_entry(struct weight *w, struct range *r, const json_t *v,
                      const unsigned char *data, size_t n, struct err *e) {
    const char *name = w->name;
    size_t off[2], count, bytes;

    if (!json_is_object(v) || json_object_size(v) != 3)
        return err_set(e, "tensor %.200s: not {dtype, shape, data_offsets}", name);
    w->used = false;
    if (read_dtype(&w->t.dtype, name, json_object_get(v, "dtype"), e) < 0)
        return -1;
    w->t.nd = read_sizes(w->t.shape, TENSOR_DIMS, json_object_get(v, "shape"));
    if (w->t.nd < 0)
        return err_set(e, "tensor %.200s: shape is not an array of sizes", name);
    if (read_sizes(off, 2, json_object_get(v, "data_offsets")) != 2)
        return err_set(e, "tensor %.200s: data_offsets are not [begin, end]", name);
    if (off[0] > off[1] || off[1] > n)
        return err_set(e, "tensor %.200s: data_offsets [%zu, %zu] are outside the data of %zu bytes",
                       name, off[0], off[1], n);
    if (tensor_count(&w->t, &count) < 0 ||
        __builtin_mul_overflow(count, dtype_size(w->t.dtype), &bytes) || bytes != off[1] - off[0])
        return err_set(e, "tensor %.200s: its shape does not fill its %zu bytes", name,
                       off[1] - off[0]);
    tensor_contiguous(&w->t);
    w->t.data = data + off[0];
    *r = (struct range){off[0], off[1]};
    return 0;
}

static int check_metadata(json_t *v, struct err *e) {
    const char *key;
    json_t *x;

    if (json_is_null(v))
        return 0;
    if (!json_is_object(v))
        return err_set(e, "header: __metadata__ is not an object");
    json_object_foreach(v, key, x)
        if (!json_is_string(x))
            return err_set(e, "header: __metadata__ has a value that is not a string");
    return 0;
}

static int by_begin(const void *a, const void *b) {
    const struct range *x = a, *y = b;

    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static int check_tiling(struct range *r, size_t n, size_t total, struct err *e) {
    size_t at = 0;

    if (n)
        qsort(r, n, sizeof *r, by_begin);
    for (size_t i = 0; i < n; at = r[i++].end)
        if (r[i].begin != at)
            return err_set(e, "data byte %zu: tensors %s", r[i].begin < at ? r[i].begin : at,
                           r[i].begin < at ? "overlap" : "leave a hole");
    if (at != total)
        return err_set(e, "%zu bytes after the last tensor", total - at);
    return 0;
}

static int read_table(struct weights *ws, json_t *head, const unsigned char *data, size_t n,
                      struct arena *a, struct err *e) {
    size_t room = json_object_size(head);
    struct arena scratch;
    struct range *range;
    const char *key;
    json_t *v;

    *ws = (struct weights){.w = arena_take(a, room, sizeof *ws->w)};
    if (!ws->w)
        return err_set(e, "out of memory");
    json_object_foreach(head, key, v) {
        if (!strcmp(key, "__metadata__")) {
            if (check_metadata(v, e) < 0)
                return -1;
            continue;
        }
        ws->w[ws->n].name = arena_str(a, key, strlen(key));
        if (!ws->w[ws->n++].name)
            return err_set(e, "out of memory");
        if (check_name(key, e) < 0)
            return -1;
    }
    scratch = *a;
    range = arena_take(&scratch, ws->n, sizeof *range);
    if (!range)
        return err_set(e, "out of memory");
    for (size_t i = 0; i < ws->n; i++)
        if (read_entry(&ws->w[i], &range[i], json_object_get(head, ws->w[i].name), data, n, e) < 0)
            return -1;
    return check_tiling(range, ws->n, n, e);
}

/* Returns the header as JSON, and sets *size to the header's length in bytes. */
static json_t *read_header(const unsigned char *p, size_t n, size_t *size, struct err *e) {
    uint64_t head;

    if (n < 8)
        return err_set(e, "%zu bytes are too few for a safetensors file", n), NULL;
    head = little64_get(p);
    if (head > HEAD_MAX)
        return err_set(e, "header of %llu bytes is too long", (unsigned long long)head), NULL;
    if (head > n - 8)
        return err_set(e, "header of %llu bytes does not fit into the file of %zu", (unsigned long long)head, n), NULL;
    if (head == 0 || p[8] != '{')
        return err_set(e, "header does not begin with {"), NULL;
    *size = (size_t)head;
    if (check_tokens(p + 8, *size, e) < 0)
        return NULL;
    return json_text_load(p + 8, *size, e);
}

int safetensors_read(struct weights *ws, const unsigned char *p, size_t n, struct arena *a,
                     struct err *e) {
    size_t head;
    json_t *j = read_header(p, n, &head, e);
    int r;

    if (!j)
        return -1;
    r = read_table(ws, j, p + 8 + head, n - 8 - head, a, e);
    json_decref(j);
    return r < 0 ? -1 : weights_sort(ws, e);
}

int safetensors_metadata(const unsigned char *p, size_t n, json_t **metadata, struct err *e) {
    size_t head;
    json_t *j = read_header(p, n, &head, e), *m;

    if (!j)
        return -1;
    m = json_object_get(j, "__metadata__");
    *metadata = json_is_object(m) ? json_incref(m) : json_object();
    json_decref(j);
    return *metadata ? 0 : err_set(e, "no memory for the metadata");
}
