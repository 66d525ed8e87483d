#include "formats/torch_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/pickle.h"
#include "formats/zip.h"

enum { KEY_MAX = 64, NAME_MAX_LEN = 240, DEPTH = 32, WRAPPERS = 4 };

/* The bytes behind a storage key. */
struct blob {
    const unsigned char *key, *data;
    size_t len, n;    /* of key, of data */
};

struct torch {
    struct pickle k;
    struct weights *ws;
    struct arena *a;
    struct err *e;
    size_t visits;             /* values looked at: bounded, for the graph may fan out */
    const struct zip *zip;     /* where storages are, in an archive... */
    const char *top;           /* ...below this folder */
    size_t top_len;
    struct blob *blob;         /* ...or in a legacy file, by key */
    size_t nblob;
    bool fill;                 /* second pass: write the table, not only count it */
};

/* ---- storages ---- */

static int blob_order(const void *a, const void *b) {
    const struct blob *x = a, *y = b;
    int r = memcmp(x->key, y->key, x->len < y->len ? x->len : y->len);

    return r ? r : x->len < y->len ? -1 : x->len > y->len;
}

static bool plain_key(const unsigned char *s, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!((s[i] >= '0' && s[i] <= '9') || (s[i] >= 'a' && s[i] <= 'z') ||
              (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_' || s[i] == '-'))
            return false;
    return n > 0 && n <= KEY_MAX;
}

static int find_blob(const struct torch *t, struct blob *b, const unsigned char *key, size_t len) {
    const struct blob want = {.key = key, .len = len}, *got;
    const struct zip_entry *z;
    char path[4096 + 8 + KEY_MAX];

    if (!plain_key(key, len))
        return err_set(t->e, "a storage's key is no plain name");
    if (!t->zip) {
        got = t->nblob ? bsearch(&want, t->blob, t->nblob, sizeof want, blob_order) : NULL;
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

/* "FloatStorage" or "float32", without "Storage": one table for both. */
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

/* The persistent id ("storage", type, key, location, length[, view]). */
struct storage {
    bool typed;
    enum dtype dtype;
    const struct pickle_obj *key;
    size_t numel;    /* elements, or bytes where not typed */
};

static int read_storage(const struct torch *t, uint32_t obj, struct storage *s) {
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

/* One more than the furthest element that the view reaches, from its own start; 0 if empty.
 * -1 on overflow. */
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

/* Place v at element `offset` of the storage, whose element type v has by now. */
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
    /* a stride of 0 could make any size of one element: no state dict needs that */
    if (tensor_count(v, &count) < 0 || count > numel)
        return err_set(t->e, "tensor %s has more elements than its storage", name);
    if (reach(v, &far) < 0 || offset > numel || far > numel - offset)
        return err_set(t->e, "tensor %s reaches beyond its storage", name);
    v->data = b.data + offset * size;
    return 0;
}

/* (storage, offset, size, stride[, requires_grad, hooks[, dtype]]) */
static int read_view(const struct torch *t, struct tensor *v, uint32_t args, bool v3,
                     const char *name) {
    const struct pickle *k = &t->k;
    struct storage s = {0};
    size_t offset;
    int nd;

    if (read_storage(t, pickle_item(k, args, 0), &s) < 0)
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

/* If obj is a tensor, read it: 1, else 0, or -1. */
static int read_tensor(const struct torch *t, struct tensor *v, uint32_t obj, const char *name) {
    const struct pickle *k = &t->k;

    for (int i = 0; i < 4; i++) {    /* a Parameter in a subclass around a tensor, no deeper */
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

/* ---- names ---- */

/* A walk over the keys and values of a mapping. */
struct pairs {
    uint32_t cell;
    bool nested;    /* each cell is a pair: Python 2 gave OrderedDict a list of those */
};

static bool next_pair(const struct pickle *k, struct pairs *it, uint32_t *key, uint32_t *value) {
    uint32_t c = it->cell;

    if (!c)
        return false;
    if (it->nested) {
        *key = pickle_item(k, k->cell[c].obj, 0);
        *value = pickle_item(k, k->cell[c].obj, 1);
    } else {
        *key = k->cell[c].obj;
        c = k->cell[c].next;
        *value = k->cell[c].obj;
    }
    it->cell = k->cell[c].next;
    return true;
}

/* Is obj a dict, an OrderedDict or a TorchScript module?  Then *it walks over it. */
static bool mapping(const struct pickle *k, uint32_t obj, struct pairs *it) {
    const struct pickle_obj *o = &k->obj[obj], *module;
    uint32_t list = pickle_item(k, o->b, 0);

    *it = (struct pairs){o->first, false};
    if (o->kind == PK_DICT)
        return true;
    if (o->kind != PK_CALL || k->obj[o->a].kind != PK_GLOBAL)
        return false;
    if (pickle_is_global(k, o->a, "collections", "OrderedDict")) {
        if (!o->first && k->obj[list].kind == PK_LIST)
            *it = (struct pairs){k->obj[list].first, true};
        return o->count % 2 == 0;
    }
    module = &k->obj[k->obj[o->a].a];
    it->cell = k->obj[o->state].first;
    return module->n >= 9 && !memcmp(module->s, "__torch__", 9) &&
           k->obj[o->state].kind == PK_DICT;
}

static int add(struct torch *t, const char *name, size_t len, const struct tensor *v) {
    struct weight w = {.t = *v};

    if (t->fill) {
        w.name = arena_str(t->a, name, len);
        if (!w.name)
            return err_set(t->e, "out of memory");
        t->ws->w[t->ws->n] = w;
    }
    t->ws->n++;
    return 0;
}

/* Append a key to the path; its new length, or 0 if the key is no name. */
static size_t join(char path[NAME_MAX_LEN + 1], size_t len, const struct pickle_obj *key) {
    size_t at = len ? len + 1 : 0;

    if ((key->kind != PK_STR && key->kind != PK_BYTES) || key->n == 0 || key->n > NAME_MAX_LEN ||
        at + key->n > NAME_MAX_LEN)
        return 0;
    for (size_t i = 0; i < key->n; i++)
        if (key->s[i] < ' ' || key->s[i] == 127)
            return 0;
    if (len)
        path[len] = '.';
    memcpy(path + at, key->s, key->n);
    path[at + key->n] = 0;
    return at + key->n;
}

static int flatten(struct torch *t, struct pairs it, char path[NAME_MAX_LEN + 1], size_t len,
                   int depth) {
    const struct pickle *k = &t->k;
    uint32_t key, value;
    struct pairs sub;
    struct tensor v;

    if (depth == DEPTH)
        return err_set(t->e, "modules are nested too deeply");
    while (next_pair(k, &it, &key, &value)) {
        size_t n = join(path, len, &k->obj[key]);
        int r;

        if (++t->visits > k->nobj)
            return err_set(t->e, "modules share too much");
        if (n == 0)
            continue;
        r = read_tensor(t, &v, value, path);
        if (r > 0)
            r = add(t, path, n, &v);
        else if (r == 0 && mapping(k, value, &sub))
            r = flatten(t, sub, path, n, depth + 1);
        if (r < 0)
            return -1;
    }
    return 0;
}

/* A tuple, list or single tensor at the top. */
static int flatten_sequence(struct torch *t, uint32_t top) {
    const struct pickle *k = &t->k;
    bool alone = k->obj[top].kind != PK_TUPLE && k->obj[top].kind != PK_LIST;
    size_t i = 0;
    struct tensor v;
    char name[24];

    for (uint32_t c = alone ? 1 : pickle_items(k, top); c; c = alone ? 0 : k->cell[c].next, i++) {
        int len = snprintf(name, sizeof name, "%zu", i);
        int r = read_tensor(t, &v, alone ? top : k->cell[c].obj, name);

        if (r < 0 || (r > 0 && add(t, name, (size_t)len, &v) < 0))
            return -1;
    }
    return 0;
}

/* Does the mapping have a key of that name that holds a mapping?  Then enter it. */
static bool enter(const struct pickle *k, struct pairs *it, const char *name) {
    struct pairs walk = *it, sub;
    uint32_t key, value;

    while (next_pair(k, &walk, &key, &value))
        if (pickle_is_text(k, key, name) && mapping(k, value, &sub) && sub.cell) {
            *it = sub;
            return true;
        }
    return false;
}

/* Go down to the state dict inside a training checkpoint. */
static void unwrap(const struct pickle *k, struct pairs *it) {
    static const char *const name[] = {"state_dict", "model_state_dict", "model", "module", "ema"};
    bool found = true;

    for (int depth = 0; depth < WRAPPERS && found; depth++) {
        found = false;
        for (size_t i = 0; i < sizeof name / sizeof *name && !found; i++)
            found = enter(k, it, name[i]);
    }
}

/* Count the tensors, take the table, fill it. */
static int collect(struct torch *t) {
    char path[NAME_MAX_LEN + 1] = "";
    struct pairs it;
    bool map = mapping(&t->k, t->k.top, &it);

    if (map)
        unwrap(&t->k, &it);
    for (int pass = 0; pass < 2; pass++) {
        t->fill = pass;
        t->ws->n = t->visits = 0;
        if (map ? flatten(t, it, path, 0, 0) < 0 : flatten_sequence(t, t->k.top) < 0)
            return -1;
        if (t->ws->n == 0)
            return err_set(t->e, "no tensors in it: not a state dict");
        if (!pass)
            t->ws->w = arena_take(t->a, t->ws->n, sizeof *t->ws->w);
        if (!t->ws->w)
            return err_set(t->e, "out of memory");
    }
    return weights_sort(t->ws, t->e);
}

/* ---- containers ---- */

static const struct zip_entry *top_entry(const struct torch *t, const char *name) {
    char path[4096 + 32];
    size_t n = strlen(name);

    memcpy(path, t->top, t->top_len);
    memcpy(path + t->top_len, name, n);
    return zip_find(t->zip, path, t->top_len + n);
}

static int read_archive(struct torch *t, bool *script, const unsigned char *p, size_t n) {
    const struct zip_entry *pkl, *order;
    const char *slash;
    struct zip z;

    if (zip_open(&z, p, n, t->a, t->e) < 0)
        return -1;
    slash = memchr(z.first, '/', z.first_len);
    t->zip = &z;
    t->top = z.first;
    t->top_len = slash ? (size_t)(slash - z.first) + 1 : 0;
    pkl = top_entry(t, "data.pkl");
    order = top_entry(t, "byteorder");
    if (!pkl)
        return err_set(t->e, "a ZIP archive, but not one of PyTorch: no data.pkl");
    if (order && order->stored && order->size == 3 && !memcmp(order->data, "big", 3))
        return err_set(t->e, "big-endian files are not supported");
    if (!pkl->stored)
        return err_set(t->e, "data.pkl is compressed");
    *script = top_entry(t, "constants.pkl") != NULL;
    if (pickle_parse(&t->k, pkl->data, pkl->size, t->a, t->e) < 0)
        return -1;
    return collect(t);
}

static const unsigned char legacy_magic[] = {0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20,
                                             0x6a, 0xa8, 0x50, 0x19, '.'};

/* The bytes of one element of each storage, from the ids that name it. */
static int blob_sizes(const struct torch *t) {
    for (uint32_t i = 1; i < t->k.nobj; i++) {
        struct storage s = {0};
        struct blob *at, want;

        if (t->k.obj[i].kind != PK_PERSID)
            continue;
        if (read_storage(t, i, &s) < 0)
            return -1;
        want = (struct blob){.key = s.key->s, .len = s.key->n};
        at = t->nblob ? bsearch(&want, t->blob, t->nblob, sizeof want, blob_order) : NULL;
        if (!at || !s.typed)
            return err_set(t->e, "a storage is missing");
        at->n = dtype_size(s.dtype);
    }
    return 0;
}

/* For each key, in the order of the list: a count, and as many elements. */
static int place_blobs(const struct pickle *keys, struct blob *b, size_t n, const unsigned char *p,
                       size_t room, struct err *e) {
    for (uint32_t c = pickle_items(keys, keys->top); c; c = keys->cell[c].next) {
        const struct pickle_obj *key = &keys->obj[keys->cell[c].obj];
        struct blob want = {.key = key->s, .len = key->n}, *at;
        uint64_t count = 0;
        size_t bytes;

        at = bsearch(&want, b, n, sizeof *b, blob_order);
        if (!at || !at->n)
            return err_set(e, "a storage that no tensor uses");
        if (room < 8)
            return err_set(e, "file ends before its last storage");
        for (int i = 8; i-- > 0;)
            count = count << 8 | p[i];
        if (count > SIZE_MAX || __builtin_mul_overflow((size_t)count, at->n, &bytes) ||
            bytes > room - 8)
            return err_set(e, "file ends inside a storage");
        at->data = p + 8;
        at->n = bytes;
        p += 8 + bytes;
        room -= 8 + bytes;
    }
    return room ? err_set(e, "%zu bytes after the last storage", room) : 0;
}

/* The list of keys as blobs without bytes yet, sorted. */
static int list_blobs(struct torch *t, const struct pickle *keys) {
    struct blob *b;
    size_t i = 0;

    if (keys->obj[keys->top].kind != PK_LIST)
        return err_set(t->e, "a legacy PyTorch file without its list of storages");
    t->nblob = keys->obj[keys->top].count;
    t->blob = b = arena_zero(t->a, t->nblob, sizeof *b);
    if (!b)
        return err_set(t->e, "out of memory");
    for (uint32_t c = pickle_items(keys, keys->top); c; c = keys->cell[c].next, i++) {
        const struct pickle_obj *o = &keys->obj[keys->cell[c].obj];

        if ((o->kind != PK_STR && o->kind != PK_BYTES) || !plain_key(o->s, o->n))
            return err_set(t->e, "a storage's key is no plain name");
        b[i] = (struct blob){.key = o->s, .len = o->n};
    }
    if (t->nblob)
        qsort(b, t->nblob, sizeof *b, blob_order);
    for (i = 1; i < t->nblob; i++)
        if (!blob_order(&b[i - 1], &b[i]))
            return err_set(t->e, "storage %.*s occurs twice", (int)b[i].len, (const char *)b[i].key);
    return 0;
}

static int read_blobs(struct torch *t, const unsigned char *p, size_t n) {
    struct pickle keys;

    if (pickle_parse(&keys, p, n, t->a, t->e) < 0 || list_blobs(t, &keys) < 0 || blob_sizes(t) < 0)
        return -1;
    return place_blobs(&keys, t->blob, t->nblob, p + keys.used, n - keys.used, t->e);
}

/* {"protocol_version": ..., "little_endian": True, ...} */
static int check_system(const struct pickle *k, struct err *e) {
    uint32_t key, value;
    struct pairs it;

    if (mapping(k, k->top, &it))
        while (next_pair(k, &it, &key, &value))
            if (pickle_is_text(k, key, "little_endian"))
                return k->obj[value].kind == PK_BOOL && k->obj[value].i
                           ? 0 : err_set(e, "big-endian files are not supported");
    return err_set(e, "a legacy PyTorch file without its system record");
}

static int read_legacy(struct torch *t, const unsigned char *p, size_t n) {
    size_t at = sizeof legacy_magic;
    size_t version;
    struct pickle k;

    if (pickle_parse(&k, p + at, n - at, t->a, t->e) < 0)
        return -1;
    if (!pickle_size(&k, k.top, &version) || version != 1001)
        return err_set(t->e, "a legacy PyTorch file of unknown version");
    at += k.used;
    if (pickle_parse(&k, p + at, n - at, t->a, t->e) < 0 || check_system(&k, t->e) < 0)
        return -1;
    at += k.used;
    if (pickle_parse(&t->k, p + at, n - at, t->a, t->e) < 0)
        return -1;
    at += t->k.used;
    if (read_blobs(t, p + at, n - at) < 0)
        return -1;
    return collect(t);
}

bool torch_sniff(const unsigned char *p, size_t n) {
    return zip_sniff(p, n) || (n >= 4 && !memcmp(p, legacy_magic, 4)) ||
           (n >= 262 && !memcmp(p + 257, "ustar", 5));
}

int torch_read(struct weights *ws, bool *script, const unsigned char *p, size_t n, struct arena *a,
               struct err *e) {
    struct torch t = {.ws = ws, .a = a, .e = e};

    *script = false;
    if (zip_sniff(p, n))
        return read_archive(&t, script, p, n);
    if (n >= sizeof legacy_magic && !memcmp(p, legacy_magic, sizeof legacy_magic))
        return read_legacy(&t, p, n);
    if (n >= 262 && !memcmp(p + 257, "ustar", 5))
        return err_set(e, "tar files of early PyTorch are not supported: save it again");
    return err_set(e, "not a PyTorch file");
}
