/* The fingerprint of a checkpoint.  Tensors are hashed in the order of their canonical names.  Of each tensor, the name
 * with a NUL is hashed, then the number of axes and each size as 64 bits, then the chosen elements as bf16; all are
 * little-endian.  Query, key and value count as one tensor.  Projections count as [E, D].  logit_scale counts as a
 * scalar. */
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/little64.h"
#include "lib/net/clip.h"

enum { RUN = 16, RUNS = 4, SAMPLE = RUN * RUNS };

struct entry {
    struct clip_name name;
    struct tensor t;
};

static int by_name(const void *a, const void *b) {
    const struct entry *x = a, *y = b;
    int r = strcmp(x->name.canon, y->name.canon);

    return r ? r : x->name.part - y->name.part;
}

static void add_size(XXH64_state_t *h, size_t v) {
    unsigned char b[8];

    little64_put(b, v);
    XXH64_update(h, b, sizeof b);
}

/* Returns element i of up to three tensors, counted as if they followed each other in one tensor. */
static float element(const struct entry *e, size_t parts, const size_t count[3], size_t i) {
    float f = 0;

    for (size_t k = 0; k < parts; k++) {
        if (i < count[k]) {
            tensor_f32(&e[k].t, i, i + 1, &f);
            break;
        }
        i -= count[k];
    }
    return f;
}

static void add_elements(XXH64_state_t *h, const struct entry *e, size_t parts) {
    size_t count[3] = {0}, n = 0;

    for (size_t k = 0; k < parts; k++) {
        if (tensor_count(&e[k].t, &count[k]) < 0)
            return;    /* cannot happen: the readers of checkpoints refuse such a tensor */
        n += count[k];
    }
    for (size_t i = 0; i < SAMPLE && i < n; i++) {
        size_t gap = n > SAMPLE ? (n - RUN) / (RUNS - 1) : RUN;
        unsigned short b = f32_bf16(element(e, parts, count, i / RUN * gap + i % RUN));
        unsigned char bytes[2] = {(unsigned char)b, (unsigned char)(b >> 8)};

        XXH64_update(h, bytes, 2);
    }
}

static void add_tensor(XXH64_state_t *h, const struct entry *e, size_t parts) {
    struct tensor t = e->t;
    size_t rows = 0;

    for (size_t k = 0; k < parts && e->name.part >= 0 && t.nd > 0; k++)
        rows += e[k].t.shape[0];
    if (rows)
        t.shape[0] = rows;
    if (!strcmp(e->name.canon, "logit_scale"))
        t.nd = 0;
    XXH64_update(h, e->name.canon, strlen(e->name.canon) + 1);
    add_size(h, (size_t)t.nd);
    for (int i = 0; i < t.nd; i++)
        add_size(h, t.shape[i]);
    add_elements(h, e, parts);
}

/* Appends the tensors of `tower` in the checkpoint `from` to the *n entries of e. */
static void gather(struct entry *e, size_t *n, const struct clip_part *from, enum clip_tower tower) {
    for (size_t i = 0; i < from->weights->n; i++) {
        struct entry at = {.t = from->weights->w[i].t};

        if (!clip_name_parse(&at.name, from->config->family, from->weights->w[i].name) || at.name.tower != tower)
            continue;
        if (at.name.turned && at.t.nd == 2)
            at.t = tensor_transposed(&at.t);
        e[(*n)++] = at;    /* parsed in `at`, not in e: clip_name_parse writes even if it refuses */
    }
}

static uint64_t hash_entries(struct entry *e, size_t n) {
    XXH64_state_t h;
    uint64_t r;

    if (n)
        qsort(e, n, sizeof *e, by_name);
    XXH64_reset(&h, 0);
    for (size_t i = 0, parts; i < n; i += parts) {
        for (parts = 1; parts < 3 && i + parts < n; parts++)
            if (strcmp(e[i].name.canon, e[i + parts].name.canon))
                break;
        add_tensor(&h, e + i, parts);
    }
    r = XXH64_digest(&h);
    return r ? r : 1;
}

uint64_t clip_fingerprint(const struct clip_config *c, const struct weights *ws, struct arena scratch) {
    static const enum clip_tower all[] = {TOWER_TEXT, TOWER_VISION, TOWER_BOTH};
    struct entry *e = arena_take(&scratch, ws->n, sizeof *e);
    size_t n = 0;

    if (!e)
        return 0;
    for (int i = 0; i < 3; i++)
        gather(e, &n, &(struct clip_part){c, ws}, all[i]);
    return hash_entries(e, n);
}

uint64_t clip_fingerprint_joint(const struct clip_part *text, const struct clip_part *vision, const float *logit_scale,
                                struct arena scratch) {
    size_t most = (text ? text->weights->n : 0) + (vision ? vision->weights->n : 0) + 1, n = 0;
    struct entry *e = arena_take(&scratch, most, sizeof *e);

    if (!e)
        return 0;
    if (text)
        gather(e, &n, text, TOWER_TEXT);
    if (vision)
        gather(e, &n, vision, TOWER_VISION);
    if (logit_scale)
        e[n++] = (struct entry){.name = {.canon = "logit_scale", .part = -1}, .t = {.dtype = DT_F32, .data = logit_scale}};
    return hash_entries(e, n);
}

uint64_t weights_fingerprint(const struct weights *ws, struct arena scratch) {
    struct entry *e = arena_take(&scratch, 1, sizeof *e);
    XXH64_state_t h;

    if (!e)
        return 0;
    XXH64_reset(&h, 0);
    for (size_t i = 0; i < ws->n; i++) {
        *e = (struct entry){.name = {.part = -1}, .t = ws->w[i].t};
        XXH64_update(&h, ws->w[i].name, strlen(ws->w[i].name) + 1);
        add_tensor(&h, e, 1);
    }
    return XXH64_digest(&h);
}
