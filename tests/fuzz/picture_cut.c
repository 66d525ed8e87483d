/* A cut is found at the same place whether the bytes come at once or in pieces, and it is inside the bytes. */
#include <stdlib.h>
#include <string.h>

#include "formats/image/picture_cut.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct picture_cut whole = {0}, parts = {0};
    const ptrdiff_t want = picture_cut(&whole, p, n);
    ptrdiff_t got = PICTURE_CUT_MORE;

    if (want > (ptrdiff_t)n || want < PICTURE_CUT_ALL)
        abort();
    for (size_t k = 0, step = 1; got == PICTURE_CUT_MORE && k < n; step = step % 7 + 1) {
        uint8_t *q;

        k = k + step < n ? k + step : n;
        q = malloc(k);    /* of exactly k bytes */
        memcpy(q, p, k);
        got = picture_cut(&parts, q, k);
        free(q);
    }
    if (got != want)
        abort();
    return 0;
}
