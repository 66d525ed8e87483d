#include "formats/checkpoint/weights.h"

#include <stdlib.h>
#include <string.h>

#include "formats/checkpoint/file_kind.h"
#include "formats/checkpoint/safetensors.h"
#include "formats/checkpoint/torch_file.h"
#include "formats/io/json_text.h"

enum { SHARDS = 1024, INDEX_MAX = 64 << 20 };

bool weights_sniff(const unsigned char *p, size_t n) {
    return safetensors_sniff(p, n) || torch_sniff(p, n);
}

const char *weights_kind_name(enum weights_kind k) {
    static const char *const name[] = {"safetensors", "torch.save", "TorchScript", "sharded"};

    return name[k];
}

int weights_read(struct weights *ws, enum weights_kind *kind, const unsigned char *p, size_t n,
                 struct arena *a, struct err *e) {
    bool script;

    if (safetensors_sniff(p, n)) {
        *kind = WEIGHTS_SAFETENSORS;
        return safetensors_read(ws, p, n, a, e);
    }
    if (!torch_sniff(p, n))
        return err_set(e, "%s", file_kind(p, n) ? file_kind(p, n) : "neither safetensors nor a PyTorch file");
    if (torch_read(ws, &script, p, n, a, e) < 0)
        return -1;
    *kind = script ? WEIGHTS_TORCHSCRIPT : WEIGHTS_TORCH;
    return 0;
}

static bool plain_name(const char *s) {
    if (!*s || *s == '.' || strchr(s, '/') || strchr(s, '\\') || strlen(s) > 255)
        return false;
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 127)
            return false;
    return true;
}

/* ---- shards ---- */

struct shards {
    struct weights_file *f;
    struct weights part[SHARDS];
    const char *name[SHARDS];    /* jansson owns the names while the index is open */
    const char *dir;             /* the directory of the index: "", or a path that ends in "/" */
    struct arena *a;
    struct err *e;
};

static int load_shard(struct shards *s, const char *name) {
    size_t dir = strlen(s->dir), n = strlen(name);
    struct err inner = {0};
    enum weights_kind kind;
    struct mapfile *m = &s->f->map[s->f->nmap];
    char *path = arena_take(s->a, dir + n + 1, 1);

    if (!path)
        return err_set(s->e, "out of memory");
    memcpy(path, s->dir, dir);
    memcpy(path + dir, name, n + 1);
    if (mapfile_open(m, path, &inner) < 0 || mapfile_keep(m, s->a, &inner) < 0 ||
        weights_read(&s->part[s->f->nmap], &kind, m->p, m->n, s->a, &inner) < 0)
        return err_set(s->e, "shard %.80s: %s", name, inner.msg);
    s->name[s->f->nmap++] = name;
    return 0;
}

static int find_shard(struct shards *s, const char *name, size_t *i) {
    for (*i = 0; *i < s->f->nmap; ++*i)
        if (!strcmp(s->name[*i], name))
            return 0;
    if (!plain_name(name))
        return err_set(s->e, "index: a shard's name is not that of a file in the same folder");
    if (*i == SHARDS)
        return err_set(s->e, "index: more than %d shards", SHARDS);
    return load_shard(s, name);
}

static int read_map(struct shards *s, json_t *map) {
    struct weights *ws = &s->f->weights;
    size_t i, total = 0;
    const char *key;
    json_t *v;

    ws->n = 0;
    ws->w = arena_take(s->a, json_object_size(map), sizeof *ws->w);
    s->f->map = arena_take(s->a, SHARDS, sizeof *s->f->map);
    if (!ws->w || !s->f->map)
        return err_set(s->e, "out of memory");
    json_object_foreach(map, key, v) {
        const struct weight *w;

        if (!json_is_string(v))
            return err_set(s->e, "index: weight_map has a value that is not a file name");
        if (find_shard(s, json_string_value(v), &i) < 0)
            return -1;
        w = weights_find(&s->part[i], key);
        if (!w)
            return err_set(s->e, "shard %.80s has no tensor %.200s", s->name[i], key);
        ws->w[ws->n++] = *w;
    }
    for (i = 0; i < s->f->nmap; i++)
        total += s->part[i].n;
    if (total != ws->n)
        return err_set(s->e, "the shards hold %zu tensors, the index names %zu", total, ws->n);
    return weights_sort(ws, s->e);
}

static int read_index(struct weights_file *f, const char *path, const struct mapfile *m,
                      struct arena *a, struct err *e) {
    struct shards s = {.f = f, .a = a, .e = e};
    const char *slash = strrchr(path, '/');
    json_t *j, *map;
    int r;

    if (m->n > INDEX_MAX)
        return err_set(e, "index of %zu bytes is too long", m->n);
    s.dir = arena_str(a, path, slash ? (size_t)(slash + 1 - path) : 0);
    if (!s.dir)
        return err_set(e, "out of memory");
    j = json_text_load(m->p, m->n, e);
    if (!j)
        return -1;
    map = json_object_get(j, "weight_map");
    r = json_is_object(map) ? read_map(&s, map) : err_set(e, "neither weights nor an index of shards");
    json_decref(j);
    return r;
}

int weights_load(struct weights_file *f, const char *path, struct arena *a, struct err *e) {
    struct mapfile m;

    *f = (struct weights_file){0};
    if (mapfile_open(&m, path, e) < 0 || mapfile_keep(&m, a, e) < 0)
        return -1;
    if (!safetensors_sniff(m.p, m.n) && m.n && m.p[0] == '{') {
        f->kind = WEIGHTS_INDEX;
        return read_index(f, path, &m, a, e);
    }
    f->map = arena_take(a, 1, sizeof *f->map);
    if (!f->map)
        return err_set(e, "out of memory");
    *f->map = m;
    f->nmap = 1;
    return weights_read(&f->weights, &f->kind, m.p, m.n, a, e);
}

void weights_scattered(const struct weights_file *f) {
    for (size_t i = 0; i < f->nmap; i++)
        mapfile_random(&f->map[i]);
}

void weights_forget(const struct weights_file *f) {
    for (size_t i = 0; i < f->nmap; i++)
        mapfile_forget(&f->map[i]);
}

int weights_join(struct weights_file *f, const struct weights_file *g, struct arena *a) {
    struct mapfile *m = arena_take(a, f->nmap + g->nmap, sizeof *m);

    if (!m)
        return -1;
    memcpy(m, f->map, f->nmap * sizeof *m);
    memcpy(m + f->nmap, g->map, g->nmap * sizeof *m);
    f->map = m;
    f->nmap += g->nmap;
    return 0;
}

int weights_open(struct weights *ws, const char *path, struct arena *a, struct err *e) {
    struct weights_file f;

    if (weights_load(&f, path, a, e) < 0)
        return -1;
    *ws = f.weights;
    return 0;
}
