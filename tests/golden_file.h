/* golden_file.h - reads reference tensors from tests/golden
 *
 *      golden_open(path, a)             opens a file of weights or reference tensors
 *      golden_tensor(ws, name)          returns the tensor `name` of the file
 *      golden_floats(ws, name, n, a)    returns the tensor's elements as f32 in C order; sets *n to their number unless
 *                                       n is NULL
 *      golden_room(a, n, size)          returns memory for n elements
 *
 * The test program ends if a file, a tensor or memory is missing.
 */
#ifndef UNCLIP_GOLDEN_FILE_H
#define UNCLIP_GOLDEN_FILE_H

#include "formats/checkpoint/weights.h"

#include "tests/tap.h"

__attribute__((unused))
static struct weights golden_open(const char *path, struct arena *a) {
    struct weights ws;
    struct err e = {0};

    if (weights_open(&ws, path, a, &e) < 0)
        printf("Bail out! %s: %s\n", path, e.msg), exit(1);
    return ws;
}

__attribute__((unused))
static const struct tensor *golden_tensor(const struct weights *ws, const char *name) {
    struct weight *w = weights_find(ws, name);

    if (!w)
        printf("Bail out! no tensor %s\n", name), exit(1);
    return &w->t;
}

__attribute__((unused))
static const float *golden_floats(const struct weights *ws, const char *name, size_t *n, struct arena *a) {
    const struct tensor *t = golden_tensor(ws, name);
    const float *v = tensor_all_f32(t, a);

    if (!v)
        printf("Bail out! out of memory\n"), exit(1);
    if (n)
        tensor_count(t, n);
    return v;
}

__attribute__((unused))
static void *golden_room(struct arena *a, size_t n, size_t size) {
    void *p = arena_take(a, n, size);

    if (!p)
        printf("Bail out! out of memory\n"), exit(1);
    return p;
}

#endif
