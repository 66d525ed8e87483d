/* weights.h - what is done with a checkpoint once it is read: names, shapes, fingerprint; and how much memory reading
 * it may take
 *
 * Memory   From the arena and from jansson, each: 256 KiB, and FILE_FACTOR bytes for each of the file's.  More is
 *          a crash (jansson) or an error (arena).
 */
#ifndef UNCLIP_FUZZ_WEIGHTS_H
#define UNCLIP_FUZZ_WEIGHTS_H

#include <jansson.h>
#include <stdlib.h>

#include "lib/net/clip.h"

enum { ROOM = 64 << 20, FILE_FACTOR = 512, HEAD = 16 };

static size_t fuzz_limit(size_t file) {
    size_t n = ((size_t)256 << 10) + FILE_FACTOR * file;

    return n < ROOM ? n : ROOM;
}

static size_t json_held, json_most;

static void *json_take(size_t n) {
    char *p = malloc(n + HEAD);

    if (!p)
        return NULL;
    *(size_t *)(void *)p = n;
    json_held += n;
    if (json_held > json_most)
        abort();    /* more than the file justifies */
    return p + HEAD;
}

static void json_give(void *p) {
    if (!p)
        return;
    json_held -= *(size_t *)(void *)((char *)p - HEAD);
    free((char *)p - HEAD);
}

/* The memory for reading a file of n bytes. */
static struct arena fuzz_arena(size_t n) {
    static char room[ROOM];    /* not from malloc, whose blocks the fuzzer limits */
    static struct arena_mem mem;
    struct arena a;

    json_set_alloc_funcs(json_take, json_give);
    json_held = 0;
    json_most = fuzz_limit(n);
    mem = (struct arena_mem){.base = room, .reserved = ROOM};
    a = arena_open(&mem);
    a.end = a.at + fuzz_limit(n);
    return a;
}

/* Every element of every tensor can be read. */
static void touch(const struct weights *ws) {
    float x[64], sum = 0;

    for (size_t i = 0; i < ws->n; i++) {
        size_t n, some;

        if (tensor_count(&ws->w[i].t, &n) < 0)
            abort();
        some = n < 64 ? n : 64;
        tensor_f32(&ws->w[i].t, 0, some, x);
        tensor_f32(&ws->w[i].t, n - some, n, x);
        for (size_t k = 0; k < some; k++)
            sum += x[k];
    }
    if (sum == 0.123456f)
        abort();
}

static void use(struct weights *ws, struct arena a) {
    struct clip_config c = {0};
    struct err e = {0};

    touch(ws);
    a.end = a.mem->base + ROOM;    /* a fingerprint takes some 400 bytes a tensor, whatever the file's size */
    if (clip_canonical_names(ws, &c.family, &e) == 0 && clip_config_from_weights(&c, ws, &e) == 0 &&
        clip_check_names(&c, ws, &e) == 0 && !clip_fingerprint(&c, ws, a))
        abort();
}

#endif
