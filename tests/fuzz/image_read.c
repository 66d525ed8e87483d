/* Whatever the bytes say, image_read returns a picture or a message.  Small limits keep it fast; libjpeg, libpng,
 * libwebp and libheif are not instrumented, so this is about our side of them, and the readers of GIF, BMP, TGA, PSD,
 * PNM, EXIF and HEIF's boxes whole.  Pictures that decode go through a crop and all turns. */
#include <stdlib.h>
#include <string.h>

#include "formats/image/exif.h"
#include "formats/image/heif_limit.h"
#include "formats/image/image_read.h"
#include "lib/image/prep.h"
#include "tests/fuzz/mend_png.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

/* libheif 1.15 wraps an empty AV1 item by dav1d_data_wrap, and does not release it when dav1d_send_data refuses it: 40 bytes. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);    /* not hidden from LSan */
const char *__lsan_default_suppressions(void) {
    return "leak:libdav1d\n";
}

static char room[4 << 20];

static void use(const struct image *im) {
    struct arena_mem mem = {.base = room, .reserved = sizeof room};
    struct prep prep = {.size = 16, .crop = 16, .filter = FILTER_BICUBIC, .rule = CROP_HF};
    unsigned char crop[16 * 16 * 3];

    for (int f = 0; f < 6; f++) {
        prep.filter = (enum prep_filter)f;
        prep.resize = (enum prep_resize)(f % 3);
        prep_crop(&prep, im->rgb, im->h, im->w, crop, arena_open(&mem), NULL);
    }
}

static int one(const uint8_t *p, size_t n, bool alpha) {
    const struct image_options o = {.max_pixels = 1 << 16, .alpha = alpha};
    struct err e = {0};
    struct image im;

    exif_tiff(p, n);
    exif_xmp(p, n);
    /* libheif's decoders take 10 ms: one of 16 files that pass our own checks goes to them */
    if (image_format(p, n) && image_format(p, n)[0] == 'H' && (heif_limit(p, n, &o, &e) < 0 || p[n / 2] % 16))
        return 0;
    e.msg[0] = 0;
    if (image_read(&im, p, n, &o, &e) < 0) {
        if (!e.msg[0] || im.rgb)
            abort();
        return 0;
    }
    use(&im);
    for (int t = 2; t <= 8; t++)
        if (image_turn(&im, t, &e) < 0)
            abort();
    image_free(&im);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    uint8_t *q;

    if (n > 1 << 16)
        return 0;
    q = malloc(n + !n);    /* of exactly n bytes */
    memcpy(q, p, n);
    if (n > 8 && q[0] == 0x89)
        mend_png(q, n);
    one(q, n, false);
    one(q, n, true);
    free(q);
    return 0;
}
