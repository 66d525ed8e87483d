/* Whatever a PNG or JPEG file says: its parameters are found or refused, nothing is longer than it may be, and
 * what image_params_lines prints is printed unchanged when it is read again. */
#include <stdlib.h>
#include <string.h>

#include "formats/image/image_write.h"
#include "tests/fuzz/mend_png.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

enum { ROOM = 16 << 20 };
static char room[4][ROOM];

static void lines(struct span text, struct arena *a) {
    struct err e = {0};
    struct mp once, twice;

    mp_open(&once, &a[1]);
    mp_open(&twice, &a[2]);
    if (image_params_lines(&once, text, a[0], a[3], &e) < 0) {
        if (!e.msg[0])
            abort();
        return;
    }
    if (image_params_lines(&twice, mp_span(&once), a[0], a[3], &e) < 0 || once.n != twice.n ||
        (once.n && memcmp(once.p, twice.p, once.n) != 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    struct arena_mem mem[4];
    struct arena a[4];
    struct err e = {0};
    struct span text;
    uint8_t *q;
    int got;

    if (n > 1 << 16)
        return 0;
    for (int i = 0; i < 4; i++) {
        mem[i] = (struct arena_mem){.base = room[i], .reserved = ROOM};
        a[i] = arena_open(&mem[i]);
    }
    q = malloc(n + !n);    /* of exactly n bytes */
    memcpy(q, p, n);
    if (n > 8 && q[0] == 0x89 && n % 4)    /* each fourth length: as it is */
        mend_png(q, n);
    got = image_params_find(q, n, &text, &a[0], &e);
    if ((got < 0) != (e.msg[0] != 0) || (got > 0 && text.n > 2 * IMAGE_PARAMS_MAX))
        abort();
    if (got > 0)
        lines(text, a);
    free(q);
    return 0;
}
