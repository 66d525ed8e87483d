/* golden.h - the tensors of a golden file, for unit tests */
#ifndef UNCLIP_TESTS_GOLDEN_H
#define UNCLIP_TESTS_GOLDEN_H

#include "formats/checkpoint/weights.h"
#include "tests/tap.h"

__attribute__((unused))
static struct weights golden_open(const char *file, struct arena *a) {
    struct weights w;
    struct err e = {0};

    if (weights_open(&w, file, a, &e) < 0) {
        printf("Bail out! %s: %s\n", file, e.msg);
        exit(1);
    }
    return w;
}

/* The tensor as f32 in C order, and its elements where n is not NULL. */
__attribute__((unused))
static const float *golden(const struct weights *w, const char *name, size_t *n, struct arena *a) {
    const struct weight *t = weights_find(w, name);
    const float *v = t ? tensor_all_f32(&t->t, a) : NULL;

    if (!v) {
        printf("Bail out! golden tensor %s\n", name);
        exit(1);
    }
    if (n)
        tensor_count(&t->t, n);
    return v;
}

#endif
