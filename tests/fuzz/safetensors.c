#include "formats/checkpoint/safetensors.h"

#include <stdint.h>

#include "tests/fuzz/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct arena a = fuzz_arena(n);
    struct err e = {0};
    struct weights ws;

    if (safetensors_read(&ws, p, n, &a, &e) == 0)
        use(&ws, a);
    else if (!e.msg[0])
        abort();
    return 0;
}
