/* golden_tower.h - the image tower of a reference checkpoint and its gradient, for the tests that draw with a CLIP */
#ifndef UNCLIP_GOLDEN_TOWER_H
#define UNCLIP_GOLDEN_TOWER_H

#include "lib/draw/look.h"
#include "lib/net/clip_grad.h"

#include "tests/golden_file.h"

struct golden_tower {
    const struct compute *k;
    struct clip_vision *v;
    struct clip_grad *g;
    struct clip_config c;
    void *kept;
};

/* These two functions are the callbacks `look` and `back` of struct eye.  `tower` points to a struct golden_tower. */
static void golden_tower_look(void *tower, size_t n, const float *planes, float *embed) {
    struct golden_tower *t = tower;

    clip_image_keep(t->g, t->k, n, KEEP_ALL, planes, embed, t->kept);
}

static void golden_tower_back(void *tower, size_t n, const float *d_embed, float *d_planes) {
    struct golden_tower *t = tower;

    clip_image_back(t->g, t->k, n, KEEP_ALL, d_embed, d_planes, t->kept);
}

/* Opens the image tower of the checkpoint `file` for passes of at most `pass` pictures.  Ends the test on failure. */
static void golden_tower_open(struct golden_tower *t, const char *file, const struct compute *k, size_t pass, struct arena *a) {
    struct weights w = golden_open(file, a);
    struct err e = {0};

    t->k = k;
    if (clip_canonical_names(&w, &t->c.family, &e) < 0 || clip_config_from_weights(&t->c, &w, &e) < 0 ||
        !(t->v = clip_bind_vision(&t->c, &w, k, a, &e)) || !(t->g = clip_grad_bind(t->v, k, a, &e))) {
        printf("Bail out! %s: %s\n", file, e.msg);
        exit(1);
    }
    t->kept = golden_room(a, clip_grad_scratch(t->g, pass, KEEP_ALL), 1);
}

#endif
