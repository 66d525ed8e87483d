/* Classifiers and heads: whatever is accepted has layers that fit together and gives finite or infinite numbers
 * without reading outside them. */
#include "formats/checkpoint/head_file.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/vector/similarity.h"

static char base[64 << 20];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct arena_mem mem = {.base = base, .reserved = sizeof base};
    struct arena a = arena_open(&mem);
    enum head_activation hidden = size ? (enum head_activation)(data[size - 1] % 3) : HEAD_ACT_UNKNOWN;
    struct head_file f;
    struct err e = {0};
    float *x;
    double *y;
    void *scratch;

    if (head_file_parse(&f, data, size, hidden, &a, &e) < 0) {
        if (!e.msg[0])
            abort();
        return 0;
    }
    if (!f.head.n || (f.classes && !f.label))
        abort();
    for (size_t i = 1; i < f.head.n; i++)
        if (f.head.layer[i].in != f.head.layer[i - 1].out)
            abort();
    x = arena_zero(&a, head_in(&f.head), sizeof *x);
    y = arena_take(&a, head_out(&f.head), sizeof *y);
    scratch = arena_take(&a, head_scratch(&f.head), 1);
    if (x && y && scratch)
        head_run(&f.head, &sim_kern_c, x, false, y, scratch);
    return 0;
}
