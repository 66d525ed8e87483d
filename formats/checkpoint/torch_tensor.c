/* Read storages, and the tensors that are views of them: torch_storage and torch_tensor of torch_part.h. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "formats/checkpoint/torch_part.h"

/* ---- storages ---- */

int torch_blob_order(const void *a, const void *b) {
    const struct blob *x = a, *y = b;
    int r = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);

    return r ? r : x->len < y->len ? -1 : x->len > y->len;
}

bool torch_plain_key(const unsigned char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') ||
              (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_' || s[i] == '-'))
            return false;
    return n > 0 && n <= TORCH_KEY_MAX;
}

static int find_blob(const struct torch *t, struct blob *b, const unsigned char *key, size_t len) {
    const struct blob want = {.key = key, .len = len}, *got;
    const struct zip_entry *z;
    char path[4096 + 8 + TORCH_KEY_MAX];

    if (!torch_plain_key(key, len))
        return err_set(t->e, "a storage's key is not a plain name");
    if (!t->zip) {
        got = t->nblob ? bsearch(&want, t->blob, t->nblob, sizeof want, torch_blob_order) : NULL;
        if (!got)
            return err_set(t->e, "storage %.*s is missing", (int)len, (const char *)key);
        *b = *got;
        return 0;
    }
    memcpy(path, t->top, t->top_len);
    memcpy(path + t->top_len, "data/", 5);
    memcpy(path + t->top_len + 5, key, len);
    z = zip_find(t->zip, path, t->top_len + 5 + len);
    if (!z || !z->stored)
        return err_set(t->e, "storage %.*s is %s", (int)len, (const char *)key,
                       z ? "compressed" : "missing");
    *b = (struct blob){key, z->data, len, z->size};
    return 0;
}

/* Finds the type that a global names, for example "FloatStorage" or "torch.float32". */
static bool find_dtype(const struct torch *t, uint32_t global, enum dtype *d) {
    static const struct { const char *storage, *dtype; enum dtype d; } known[] = {
        {"FloatStorage", "float32", DT_F32},    {"HalfStorage", "float16", DT_F16},
        {"BFloat16Storage", "bfloat16", DT_BF16}, {"DoubleStorage", "float64", DT_F64},
        {"LongStorage", "int64", DT_I64},       {"IntStorage", "int32", DT_I32},
        {"ShortStorage", "int16", DT_I16},      {"CharStorage", "int8", DT_I8},
        {"ByteStorage", "uint8", DT_U8},        {"BoolStorage", "bool", DT_BOOL},
    };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (pickle_is_global(&t->k, global, NULL, known[i].storage) ||
            pickle_is_global(&t->k, global, "torch", known[i].dtype)) {
            *d = known[i].d;
            return true;
        }
    return false;
}

int torch_storage(const struct torch *t, uint32_t obj, struct storage *s) {
    const struct pickle *k = &t->k;
    uint32_t id = k->obj[obj].a, type = pickle_item(k, id, 1), view = pickle_item(k, id, 5);

    if (k->obj[obj].kind != PK_PERSID || k->obj[id].kind != PK_TUPLE || k->obj[id].count < 5 ||
        !pickle_is_text(k, pickle_item(k, id, 0), "storage"))
        return err_set(t->e, "a tensor without a storage");
    s->key = &k->obj[pickle_item(k, id, 2)];
    s->typed = find_dtype(t, type, &s->dtype);
    if (!s->typed && !pickle_is_global(k, type, NULL, "UntypedStorage"))
        return err_set(t->e, "a storage's type is not supported");
    if ((s->key->kind != PK_STR && s->key->kind != PK_BYTES) ||
        !pickle_size(k, pickle_item(k, id, 4), &s->numel))
        return err_set(t->e, "a storage's id is malformed");
    if (view != PICKLE_NONE)
        return err_set(t->e, "storages that are views of others are not supported");
    return 0;
}

/* ---- tensors ---- */

static int read_sizes(const struct pickle *k, uint32_t tuple, size_t out[TENSOR_DIMS]) {
    int n = 0;

    /* torch.Size((2, 3)) is a call with one tuple */
    if (k->obj[tuple].kind == PK_CALL && pickle_is_global(k, k->obj[tuple].a, "torch", "Size"))
        tuple = pickle_item(k, k->obj[tuple].b, 0);
    if (k->obj[tuple].kind != PK_TUPLE && k->obj[tuple].kind != PK_LIST)
        return -1;
    for (uint32_t c = pickle_items(k, tuple); c; c = k->cell[c].next)
        if (n == TENSOR_DIMS || !pickle_size(k, k->cell[c].obj, &out[n++]))
            return -1;
    return n;
}

/* Sets *n to 1 + the index of the last element of the storage that the view reaches, counted from the view's first
 * element, or to 0 if the view is empty.  Returns -1 on overflow. */
static int reach(const struct tensor *v, size_t *n) {
    size_t step;

    *n = 1;
    for (int i = 0; i < v->nd; i++)
        if (v->shape[i] == 0) {
            *n = 0;
            return 0;
        }
    for (int i = 0; i < v->nd; i++)
        if (__builtin_mul_overflow(v->shape[i] - 1, v->stride[i], &step) ||
            __builtin_add_overflow(*n, step, n))
            return -1;
    return 0;
}

/* Makes v, whose type the caller has set, begin at element `offset` of the storage. */
static int place(const struct torch *t, struct tensor *v, const struct storage *s, size_t offset,
                 const char *name) {
    size_t size = dtype_size(v->dtype), bytes, count, far, numel;
    struct blob b;

    if (find_blob(t, &b, s->key->s, s->key->n) < 0)
        return -1;
    if (__builtin_mul_overflow(s->numel, s->typed ? size : 1, &bytes) || bytes != b.n)
        return err_set(t->e, "tensor %s: its storage should have %zu elements, but has %zu bytes",
                       name, s->numel, b.n);
    numel = bytes / size;
    /* with a stride of 0 a view of one element could have any size; state dicts do not have such views */
    if (tensor_count(v, &count) < 0 || count > numel)
        return err_set(t->e, "tensor %s has more elements than its storage", name);
    if (reach(v, &far) < 0 || offset > numel || far > numel - offset)
        return err_set(t->e, "tensor %s reaches beyond its storage", name);
    v->data = b.data + offset * size;
    return 0;
}

/* Read a view from its arguments (storage, offset, size, stride[, requires_grad, hooks[, dtype]]).  If `v3` is set,
 * dtype is one of the arguments. */
static int read_view(const struct torch *t, struct tensor *v, uint32_t args, bool v3,
                     const char *name) {
    const struct pickle *k = &t->k;
    struct storage s = {0};
    size_t offset;
    int nd;

    if (torch_storage(t, pickle_item(k, args, 0), &s) < 0)
        return -1;
    *v = (struct tensor){.dtype = s.dtype};
    if (v3 && !find_dtype(t, pickle_item(k, args, 6), &v->dtype))
        return err_set(t->e, "tensor %s: its type is not supported", name);
    if ((!v3 && !s.typed) || (v3 && s.typed && v->dtype != s.dtype))
        return err_set(t->e, "tensor %s: its storage has another type", name);
    nd = read_sizes(k, pickle_item(k, args, 2), v->shape);
    v->nd = nd;
    if (!pickle_size(k, pickle_item(k, args, 1), &offset) || nd < 0 ||
        read_sizes(k, pickle_item(k, args, 3), v->stride) != nd)
        return err_set(t->e, "tensor %s: its shape or strides are malformed", name);
    return place(t, v, &s, offset, name);
}

int torch_tensor(const struct torch *t, struct tensor *v, uint32_t obj, const char *name) {
    const struct pickle *k = &t->k;

    for (int i = 0; i < 4; i++) {    /* obj is a tensor, or a tensor inside up to three Parameters */
        const struct pickle_obj *o = &k->obj[obj];
        const char *m = "torch._utils";

        if (o->kind != PK_CALL)
            return 0;
        if (pickle_is_global(k, o->a, m, "_rebuild_tensor_v2") ||
            pickle_is_global(k, o->a, m, "_rebuild_tensor"))
            return read_view(t, v, o->b, false, name) < 0 ? -1 : 1;
        if (pickle_is_global(k, o->a, m, "_rebuild_tensor_v3"))
            return read_view(t, v, o->b, true, name) < 0 ? -1 : 1;
        if (!pickle_is_global(k, o->a, m, "_rebuild_parameter") &&
            !pickle_is_global(k, o->a, m, "_rebuild_parameter_with_state"))
            break;
        obj = pickle_item(k, o->b, 0);
    }
    if (k->obj[k->obj[obj].a].kind == PK_GLOBAL) {
        const struct pickle_obj *f = &k->obj[k->obj[k->obj[obj].a].b];

        if (f->n > 9 && f->n < 64 && !memcmp(f->s, "_rebuild_", 9))
            return err_set(t->e, "tensor %s is stored through %.*s, which is not supported", name,
                           (int)f->n, (const char *)f->s);
    }
    return 0;
}
