/* Files of packed weights: as they come, and with the length and the sum that their bytes should have; what is accepted
 * lies within the file. */
#include "formats/checkpoint/pack_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/little64.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try(const unsigned char *p, size_t n) {
    static struct packed_block block[64];
    struct packed got = {.block = block, .room = 64};
    struct err e = {0};
    unsigned sum = 0;

    if (pack_file_read(&got, p, n, "key", 3, &e) < 0) {
        if (!e.msg[0])
            abort();
        return;
    }
    for (size_t i = 0; i < got.n; i++) {
        if ((uintptr_t)block[i].p % PACK_ALIGN)
            abort();
        for (size_t j = 0; j < block[i].n; j++)
            sum += ((const unsigned char *)block[i].p)[j];
    }
    if (sum == 1u << 31)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned char *p = aligned_alloc(PACK_ALIGN, (size + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN);
    size_t head;
    uint64_t k, n;

    if (!p || !size)
        return free(p), 0;
    memcpy(p, data, size);
    try(p, size);
    if (size >= 48 && (k = little64_get(p + 32)) <= PACK_KEY_MAX && (n = little64_get(p + 40)) <= 64 &&
        (head = (48 + (k + 7) / 8 * 8 + 8 * n + PACK_ALIGN - 1) / PACK_ALIGN * PACK_ALIGN) <= size) {
        XXH64_state_t h;
        memcpy(p, "unclip packed 1\n", 16);
        little64_put(p + 16, size);
        XXH64_reset(&h, 0);
        XXH64_update(&h, p, 24);
        XXH64_update(&h, p + 32, head - 32);
        little64_put(p + 24, XXH64_digest(&h));
        try(p, size);
    }
    free(p);
    return 0;
}
