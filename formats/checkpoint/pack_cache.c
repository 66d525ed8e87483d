/* _XOPEN_SOURCE: realpath. */
#define _XOPEN_SOURCE 700
#include "formats/checkpoint/pack_cache.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "formats/checkpoint/pack_file.h"

enum { SETTLED = 2 };    /* seconds; a file that did not change for so long gets another time at its next change */

/* ---- the key ---- */

static void add(XXH3_state_t *h, uint64_t v) {
    XXH3_128bits_update(h, &v, sizeof v);
}

/* Sets *file to the number of the file that holds t, and *at to the offset of t in that file.  Returns 0, or -1 if no
 * file holds t. */
static int place(const struct weights_file *f, const struct tensor *t, uint64_t *file, uint64_t *at) {
    uintptr_t p = (uintptr_t)t->data;

    for (size_t i = 0; i < f->nmap; i++) {
        uintptr_t base = (uintptr_t)f->map[i].p;
        if (p >= base && p - base <= f->map[i].n) {
            *file = i;
            *at = p - base;
            return 0;
        }
    }
    return -1;
}

static int hash_source(XXH128_hash_t *out, const struct pack_of *w) {
    XXH3_state_t h;

    XXH3_128bits_reset(&h);
    for (size_t i = 0; i < w->source->nmap; i++) {
        const struct file_state *s = &w->source->map[i].state;
        add(&h, s->inode), add(&h, s->size);
        add(&h, (uint64_t)s->mtime), add(&h, (uint64_t)s->mtime_ns);
        add(&h, (uint64_t)s->ctime), add(&h, (uint64_t)s->ctime_ns);
    }
    for (size_t i = 0; i < w->weights->n; i++) {
        const struct weight *v = &w->weights->w[i];
        uint64_t file, at;

        if (place(w->source, &v->t, &file, &at) < 0)
            return -1;
        XXH3_128bits_update(&h, v->name, strlen(v->name) + 1);
        add(&h, file), add(&h, at), add(&h, v->t.dtype), add(&h, (uint64_t)v->t.nd);
        for (int d = 0; d < v->t.nd; d++)
            add(&h, v->t.shape[d]), add(&h, v->t.stride[d]);
    }
    *out = XXH3_128bits_digest(&h);
    return 0;
}

static int make_key(struct pack_entry *n, const struct pack_of *w, const struct kern *kern) {
    char path[PATH_MAX];
    XXH128_hash_t h;
    int key, name;

    if (hash_source(&h, w) < 0) {
        snprintf(n->say, sizeof n->say, "not kept: a tensor is not in any of the files");
        return -1;
    }
    if (!realpath(w->file, path)) {
        snprintf(n->say, sizeof n->say, "not kept: %.300s: %s", w->file, strerror(errno));
        return -1;
    }
    key = snprintf(n->key, sizeof n->key,
                   "part %.32s\nkernel %.16s %zu %zu\nlayout %d %" PRIu64 "\nmodel %.16s\n"
                   "source %016" PRIx64 "%016" PRIx64 "\n",
                   w->part, kern->name, kern->panel, dtype_size(kern->weight), PACKED_LAYOUT, w->cut, w->fingerprint,
                   (uint64_t)h.high64, (uint64_t)h.low64);
    name = snprintf(n->file, sizeof n->file, "%.32s.%.16s%s.%016" PRIx64 PACK_SUFFIX, w->part, kern->name,
                    kern->weight == DT_BF16 && kern->row == DT_F32 ? "-bf16" : "",    /* kern->name is as for f32 */
                    (uint64_t)XXH64(path, strlen(path), 0));
    n->nkey = (size_t)key;
    return key < (int)sizeof n->key && name < (int)sizeof n->file ? 0 : -1;
}

/* ---- finding ---- */

/* Maps the entry's file, and reads the file's header into n->packed.  The file stays mapped until the region of the arena a
 * ends. */
static int find(const struct pack_cache *k, struct pack_entry *n, struct mapfile *m, const struct arena *a, struct err *e) {
    int dir = pack_dir_open(k->dir, false, e), fd, r;

    if (dir < 0)
        return -1;
    fd = pack_dir_file(dir, n->file, e);
    close(dir);
    if (fd < 0)
        return -1;
    r = mapfile_of(m, fd, n->file, e) < 0 ? -1 : mapfile_keep(m, a, e);
    if (r == 0 && pack_file_read(&n->packed, m->p, m->n, n->key, n->nkey, e) < 0) {
        mapfile_close(m);
        r = -1;
    }
    if (r == 0) {
        mapfile_large(m);
        pack_dir_used(fd);
    }
    close(fd);
    return r;
}

static int bind_found(const struct pack_cache *k, struct pack_entry *n, const struct pack_of *w, struct arena *a) {
    const struct arena before = *a;
    struct err why = {0};
    struct mapfile m;
    int r;

    if (find(k, n, &m, a, &why) < 0) {
        snprintf(n->say, sizeof n->say, "packed anew (%.200s: %.200s)", n->file, why.msg);
        return -1;
    }
    w->weights->packed = &n->packed;
    r = w->bind(w->ctx, a, &why);
    w->weights->packed = NULL;
    if (r == 0 && packed_used_up(&n->packed)) {
        snprintf(n->say, sizeof n->say, "%.1f MiB found in %.300s", (double)m.n / 1048576, n->file);
        return 0;
    }
    snprintf(n->say, sizeof n->say, "packed anew (%.200s: it belongs to another network)", n->file);
    mapfile_close(&m);
    *a = before;
    return -1;
}

/* ---- noting ---- */

/* Returns whether no file changed while it was read, and every file is old enough that its times would tell a
 * change. */
static bool settled(const struct weights_file *f) {
    time_t now = time(NULL);

    for (size_t i = 0; i < f->nmap; i++) {
        const struct file_state *s = &f->map[i].state;
        if (!mapfile_unchanged(&f->map[i]) || now - s->ctime < SETTLED)
            return false;
    }
    return true;
}

static int bind_noting(const struct pack_cache *k, struct pack_entry *n, const struct pack_of *w, struct arena *a,
                       struct err *e) {
    size_t head, bytes = 0, said;
    int r;

    n->packed.n = 0;
    n->packed.finding = false;
    w->weights->packed = &n->packed;
    r = w->bind(w->ctx, a, e);
    w->weights->packed = NULL;
    if (r < 0)
        return -1;
    said = strlen(n->say);
    if (n->packed.lost || pack_file_size(&n->packed, n->nkey, &head, &bytes) < 0)
        snprintf(n->say + said, sizeof n->say - said, ", not kept: too many tensors");
    else if (bytes < k->least)
        snprintf(n->say + said, sizeof n->say - said, ", not kept: too small");
    else if (!settled(w->source))
        snprintf(n->say + said, sizeof n->say - said, ", not kept: the model has just changed");
    else
        n->pending = true;
    return 0;
}

static struct pack_entry *new_entry(struct pack_cache *k, const char *part, struct arena *a) {
    struct pack_entry *n = arena_zero(a, 1, sizeof *n), **last = &k->entry;

    if (!n || !(n->packed.block = arena_take(a, PACKED_MOST, sizeof *n->packed.block)))
        return NULL;
    n->packed.room = PACKED_MOST;
    n->part = part;
    while (*last)
        last = &(*last)->next;
    return *last = n;
}

int pack_cache_bind(struct pack_cache *k, const struct pack_of *w, const struct kern *kern, struct arena *a,
                    struct err *e) {
    struct pack_entry *n;

    if (!k || !k->dir || !packed_useful(kern))
        return w->bind(w->ctx, a, e);
    if (!(n = new_entry(k, w->part, a)))
        return err_set(e, "out of memory");
    if (make_key(n, w, kern) < 0)
        return w->bind(w->ctx, a, e);
    return bind_found(k, n, w, a) == 0 ? 0 : bind_noting(k, n, w, a, e);
}

/* ---- keeping ---- */

static int save(const struct pack_cache *k, struct pack_entry *n, bool (*stop)(void), struct err *e) {
    unsigned char head[PACK_KEY_MAX + 8 * PACKED_MOST];
    static const char zeros[PACK_ALIGN];
    size_t size, bytes;
    struct pack_new f;

    if (pack_file_size(&n->packed, n->nkey, &size, &bytes) < 0 || size > sizeof head)
        return err_set(e, "too many tensors");
    if (pack_dir_create(&f, k->dir, n->file, bytes, stop, e) < 0)
        return -1;
    pack_file_head(head, &n->packed, n->key, n->nkey, size, bytes);
    pack_dir_write(&f, head, size);
    for (size_t i = 0; i < n->packed.n; i++) {
        const struct packed_block *b = &n->packed.block[i];
        pack_dir_write(&f, b->p, b->n);
        pack_dir_write(&f, zeros, pack_file_gap(b->n));
    }
    return pack_dir_publish(&f, e);
}

void pack_cache_save(struct pack_cache *k, bool (*stop)(void)) {
    for (struct pack_entry *n = k->entry; n; n = n->next) {
        size_t said = strlen(n->say);
        struct err e = {0};

        if (!n->pending)
            continue;
        n->pending = false;
        if (save(k, n, stop, &e) < 0)
            snprintf(n->say + said, sizeof n->say - said, ", not kept: %.200s", e.msg);
        else
            snprintf(n->say + said, sizeof n->say - said, ", kept");
    }
}
