#include "formats/checkpoint/vq_yaml.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct err e = {0};
    struct vq_yaml v;
    int r = vq_yaml_read(&v, p, n, &e);

    if (r < -1 || r > 1 || (r < 0) != (e.msg[0] != 0) || v.resolution > 1 << 24 || v.codes > 1 << 24 || v.gumbel < -1)
        abort();
    return 0;
}
