#include <string.h>

#include "formats/image/image_codec.h"

/* TGA is probed last, because it has no magic number. */
const struct image_codec *const image_codecs[] = {
    &image_codec_jpeg, &image_codec_png, &image_codec_gif, &image_codec_webp, &image_codec_heif,
    &image_codec_bmp,  &image_codec_psd, &image_codec_pnm, &image_codec_tiff, &image_codec_tga, NULL,
};

int image_size(uint64_t w, uint64_t h, const struct image_options *o, struct err *e) {
    uint64_t max = o->max_pixels ? o->max_pixels : IMAGE_MAX_PIXELS;

    if (!w || !h)
        return err_set(e, "a picture of no pixels");
    if (w > UINT32_MAX || h > UINT32_MAX || w * h > max)
        return err_set(e, "%llu x %llu pixels, the limit is %llu in all", (unsigned long long)w,
                       (unsigned long long)h, (unsigned long long)max);
    return 0;
}

int image_begin(struct image *im, uint64_t w, uint64_t h, const struct image_options *o, const struct image_rows *to,
                struct err *e) {
    if (image_size(w, h, o, e) < 0)
        return -1;
    im->w = (size_t)w;
    im->h = (size_t)h;
    return to->begin(to->of, im->h, im->w, e);
}

void image_give(const struct image *im, const unsigned char *rgb, size_t stride, const struct image_rows *to) {
    for (size_t y = 0; y < im->h; y++)
        to->row(to->of, rgb + y * stride);
}

bool image_magic(const unsigned char *p, size_t n, size_t at, const char *magic, size_t len) {
    return n >= at && n - at >= len && !memcmp(p + at, magic, len);
}
