#include "formats/checkpoint/torch_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "formats/checkpoint/torch_part.h"
#include "lib/base/little64.h"

enum { NAME_MAX_LEN = 240, DEPTH = 32, WRAPPERS = 4 };

/* ---- names ---- */

/* Iterates over the keys and values of a mapping. */
struct pairs {
    uint32_t cell;
    bool nested;    /* each cell is a pair (key, value): Python 2 pickled an OrderedDict as a list of pairs */
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

/* Count a value that is looked at.  A container can have many parents, so a small file can describe a huge tree.
 * Therefore the number of visits is bounded. */
static int visit(struct torch *t) {
    return ++t->visits > (size_t)t->k.nobj + t->k.ncell ? err_set(t->e, "modules share too much") : 0;
}

/* Returns whether obj is a dict, an OrderedDict or a TorchScript module.  If it is, *it iterates over the mapping. */
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

/* The parts of a pickled torch.nn.Module. */
struct module {
    struct pairs parameters, buffers, modules;
    uint32_t transient;    /* the names of buffers that are not part of a state dict */
};

/* Returns 1 if obj has the fields of a torch.nn.Module, whatever its class, and 0 if not.  Each field counts as a
 * visit.  Returns -1 if there were too many visits. */
static int module_of(struct torch *t, uint32_t obj, struct module *m) {
    static const char *const name[] = {"_parameters", "_buffers", "_modules"};
    const struct pickle *k = &t->k;
    struct pairs *const part[] = {&m->parameters, &m->buffers, &m->modules};
    struct pairs fields;
    uint32_t key, value;
    int found = 0;

    *m = (struct module){{0}, {0}, {0}, PICKLE_NONE};
    if (k->obj[obj].kind != PK_CALL || k->obj[k->obj[obj].state].kind != PK_DICT || !mapping(k, k->obj[obj].state, &fields))
        return 0;
    while (next_pair(k, &fields, &key, &value)) {
        if (visit(t) < 0)
            return -1;
        for (int i = 0; i < 3; i++)
            found += pickle_is_text(k, key, name[i]) && mapping(k, value, part[i]);
        if (pickle_is_text(k, key, "_non_persistent_buffers_set"))
            m->transient = value;
    }
    return found == 3;
}

/* Returns whether the name is in `set`, which is a set, a list, or a call of set() with a set or list. */
static bool in_set(struct torch *t, uint32_t set, const struct pickle_obj *name) {
    const struct pickle *k = &t->k;

    if (k->obj[set].kind == PK_CALL)
        set = pickle_item(k, k->obj[set].b, 0);
    if (k->obj[set].kind != PK_SET && k->obj[set].kind != PK_LIST)
        return false;
    for (uint32_t c = pickle_items(k, set); c; c = k->cell[c].next) {
        const struct pickle_obj *o = &k->obj[k->cell[c].obj];

        if (visit(t) < 0)
            return false;
        if (o->kind == name->kind && o->n == name->n && !memcmp(o->s, name->s, o->n))
            return true;
    }
    return false;
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

/* Append a key to the path.  Returns the path's new length, or 0 if the key is not a name or the path is too long. */
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

static int flatten_module(struct torch *t, const struct module *m, char path[NAME_MAX_LEN + 1], size_t len, int depth);

/* Add the tensors of a mapping.  `hidden` is a set of names to skip, or PICKLE_NONE. */
static int flatten(struct torch *t, struct pairs it, uint32_t hidden, char path[NAME_MAX_LEN + 1], size_t len,
                   int depth) {
    const struct pickle *k = &t->k;
    uint32_t key, value;
    struct module module;
    struct pairs sub;
    struct tensor v;

    if (depth == DEPTH)
        return err_set(t->e, "modules are nested too deeply");
    while (next_pair(k, &it, &key, &value)) {
        size_t n = join(path, len, &k->obj[key]);
        int r;

        if (visit(t) < 0)
            return -1;
        if (n == 0 || (hidden != PICKLE_NONE && in_set(t, hidden, &k->obj[key])))
            continue;
        r = torch_tensor(t, &v, value, path);
        if (r > 0)
            r = add(t, path, n, &v);
        else if (r == 0 && mapping(k, value, &sub))
            r = flatten(t, sub, PICKLE_NONE, path, n, depth + 1);
        else if (r == 0 && (r = module_of(t, value, &module)) > 0)
            r = flatten_module(t, &module, path, n, depth + 1);
        if (r < 0)
            return -1;
    }
    return 0;
}

static int flatten_module(struct torch *t, const struct module *m, char path[NAME_MAX_LEN + 1], size_t len, int depth) {
    return flatten(t, m->parameters, PICKLE_NONE, path, len, depth) < 0 ||
                   flatten(t, m->buffers, m->transient, path, len, depth) < 0 ||
                   flatten(t, m->modules, PICKLE_NONE, path, len, depth) < 0
               ? -1 : 0;
}

/* Add the tensors of a tuple or list at the top of the pickle, or the single tensor that is the top. */
static int flatten_sequence(struct torch *t, uint32_t top) {
    const struct pickle *k = &t->k;
    bool alone = k->obj[top].kind != PK_TUPLE && k->obj[top].kind != PK_LIST;
    size_t i = 0;
    struct tensor v;
    char name[24];

    for (uint32_t c = alone ? 1 : pickle_items(k, top); c; c = alone ? 0 : k->cell[c].next, i++) {
        int len = snprintf(name, sizeof name, "%zu", i);
        int r = torch_tensor(t, &v, alone ? top : k->cell[c].obj, name);

        if (r < 0 || (r > 0 && add(t, name, (size_t)len, &v) < 0))
            return -1;
    }
    return 0;
}

/* If the mapping has a key `name` whose value is a mapping, makes *it iterate over this value and returns true. */
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

/* Add all tensors of the object at the top of the pickle, which is a mapping, a module, a tuple, a list or a tensor. */
static int flatten_top(struct torch *t) {
    char path[NAME_MAX_LEN + 1] = "";
    struct module module;
    struct pairs it;
    int r;

    if (mapping(&t->k, t->k.top, &it)) {
        unwrap(&t->k, &it);
        return flatten(t, it, PICKLE_NONE, path, 0, 0);
    }
    r = module_of(t, t->k.top, &module);
    if (r)
        return r < 0 ? -1 : flatten_module(t, &module, path, 0, 0);
    return flatten_sequence(t, t->k.top);
}

/* Count the tensors, take memory for the table, and fill it. */
static int collect(struct torch *t) {
    for (int pass = 0; pass < 2; pass++) {
        t->fill = pass;
        t->ws->n = t->visits = 0;
        if (flatten_top(t) < 0)
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

/* Set n of each storage to the bytes of one element, from the persistent ids that name the storage.  Another kind of
 * persistent id holds the source text of a pickled module's class, which is not read. */
static int blob_sizes(const struct torch *t) {
    for (uint32_t i = 1; i < t->k.nobj; i++) {
        struct storage s = {0};
        struct blob *at, want;

        if (t->k.obj[i].kind != PK_PERSID || pickle_is_text(&t->k, pickle_item(&t->k, t->k.obj[i].a, 0), "module"))
            continue;
        if (torch_storage(t, i, &s) < 0)
            return -1;
        want = (struct blob){.key = s.key->s, .len = s.key->n};
        at = t->nblob ? bsearch(&want, t->blob, t->nblob, sizeof want, torch_blob_order) : NULL;
        if (!at || !s.typed)
            return err_set(t->e, "a storage is missing");
        at->n = dtype_size(s.dtype);
    }
    return 0;
}

/* Find the data of each storage of a legacy file.  After the list of keys the file has, for each key in the order of
 * the list, the number of elements and then the elements. */
static int place_blobs(const struct pickle *keys, struct blob *b, size_t n, const unsigned char *p,
                       size_t room, struct err *e) {
    for (uint32_t c = pickle_items(keys, keys->top); c; c = keys->cell[c].next) {
        const struct pickle_obj *key = &keys->obj[keys->cell[c].obj];
        struct blob want = {.key = key->s, .len = key->n}, *at;
        uint64_t count;
        size_t bytes;

        at = bsearch(&want, b, n, sizeof *b, torch_blob_order);
        if (!at || !at->n)
            return err_set(e, "a storage that no tensor uses");
        if (room < 8)
            return err_set(e, "file ends before its last storage");
        count = little64_get(p);
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

/* Make a sorted table of the storages' keys; blob_sizes and place_blobs fill in their bytes. */
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

        if ((o->kind != PK_STR && o->kind != PK_BYTES) || !torch_plain_key(o->s, o->n))
            return err_set(t->e, "a storage's key is not a plain name");
        b[i] = (struct blob){.key = o->s, .len = o->n};
    }
    if (t->nblob)
        qsort(b, t->nblob, sizeof *b, torch_blob_order);
    for (i = 1; i < t->nblob; i++)
        if (!torch_blob_order(&b[i - 1], &b[i]))
            return err_set(t->e, "storage %.*s occurs twice", (int)b[i].len, (const char *)b[i].key);
    return 0;
}

static int read_blobs(struct torch *t, const unsigned char *p, size_t n) {
    struct pickle keys;

    if (pickle_parse(&keys, p, n, t->a, t->e) < 0 || list_blobs(t, &keys) < 0 || blob_sizes(t) < 0)
        return -1;
    return place_blobs(&keys, t->blob, t->nblob, p + keys.used, n - keys.used, t->e);
}

/* Check the system record {"protocol_version": ..., "little_endian": True, ...}. */
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
    *ws = (struct weights){.w = NULL};
    if (zip_sniff(p, n))
        return read_archive(&t, script, p, n);
    if (n >= sizeof legacy_magic && !memcmp(p, legacy_magic, sizeof legacy_magic))
        return read_legacy(&t, p, n);
    if (n >= 262 && !memcmp(p + 257, "ustar", 5))
        return err_set(e, "tar files of early PyTorch are not supported: save it again");
    return err_set(e, "not a PyTorch file");
}
