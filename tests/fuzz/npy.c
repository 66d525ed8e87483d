/* .npy: whatever is accepted can be copied out whole and written again. */
#include "formats/record/npy.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static unsigned char out[1 << 20];
    unsigned char head[NPY_HEAD];
    struct err e = {0};
    struct tensor t, again;
    size_t n, len;

    if (npy_read(data, size, &t, &e) < 0) {
        if (!e.msg[0])
            abort();
        return 0;
    }
    if (tensor_count(&t, &n) < 0 || n * dtype_size(t.dtype) > sizeof out - NPY_HEAD)
        return 0;
    len = npy_head(head, t.dtype, t.nd, t.shape);
    memcpy(out, head, len);
    npy_copy(&t, out + len);
    if (npy_read(out, len + n * dtype_size(t.dtype), &again, &e) < 0 || again.nd != t.nd)
        abort();
    return 0;
}
