/* weights.h - what is done with a checkpoint once it is read: names, shapes, fingerprint */
#ifndef UNCLIP_FUZZ_WEIGHTS_H
#define UNCLIP_FUZZ_WEIGHTS_H

#include <stdlib.h>

#include "lib/net/clip.h"

enum { ROOM = 64 << 20 };

static struct arena fuzz_arena(void) {
    static struct arena_mem mem;

    if (!mem.base)
        mem = (struct arena_mem){malloc(ROOM), ROOM, 0, 0, NULL};
    return arena_open(&mem);
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
    if (clip_canonical_names(ws, &c.family, &e) == 0 && clip_config_from_weights(&c, ws, &e) == 0 &&
        clip_check_names(&c, ws, &e) == 0 && !clip_fingerprint(&c, ws, a))
        abort();
}

#endif
