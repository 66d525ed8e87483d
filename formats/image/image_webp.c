/* WebP by libwebp.  Of an animation the first frame is decoded, which is a picture of its own
 * inside an ANMF chunk, at some place on the canvas; the rest of the canvas is black. */
#include <string.h>

#include "formats/image/image_codec.h"

#ifdef HAVE_LIBWEBP
#include <webp/decode.h>

static size_t little(const unsigned char *p, int bytes) {
    size_t v = 0;

    while (bytes--)
        v = v << 8 | p[bytes];
    return v;
}

/* The payload of the first chunk of that name, or NULL. */
static const unsigned char *chunk(const unsigned char *p, size_t n, const char *name, size_t *len) {
    for (size_t at = 12; at <= n && n - at >= 8;) {
        *len = little(p + at + 4, 4);
        if (*len > n - at - 8)
            return NULL;
        if (!memcmp(p + at, name, 4))
            return p + at + 8;
        if (*len + (*len & 1) > n - at - 8)
            return NULL;
        at += 8 + *len + (*len & 1);
    }
    return NULL;
}

static int frame(struct image *im, const unsigned char *p, size_t n, size_t x, size_t y,
                 struct err *e) {
    int w, h;
    size_t at;

    if (!WebPGetInfo(p, n, &w, &h) || x + (size_t)w > im->w || y + (size_t)h > im->h)
        return err_set(e, "broken WebP frame");
    at = (y * im->w + x) * 3;
    if (!WebPDecodeRGBInto(p, n, im->rgb + at, im->w * im->h * 3 - at, (int)(im->w * 3)))
        return err_set(e, "broken WebP data, or it ends early");
    return 0;
}

int webp_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
              struct err *e) {
    WebPBitstreamFeatures f;
    VP8StatusCode status = WebPGetFeatures(p, n, &f);
    size_t len;

    if (status != VP8_STATUS_OK)
        return err_set(e, status == VP8_STATUS_NOT_ENOUGH_DATA ? "the WebP data ends early"
                                                               : "broken WebP header");
    if (little(p + 4, 4) > n - 8)
        return err_set(e, "the WebP data ends early");
    if (f.width <= 0 || f.height <= 0)
        return err_set(e, "broken WebP header");
    if (image_alloc(im, (uint64_t)f.width, (uint64_t)f.height, o, e) < 0)
        return -1;
    if (!f.has_animation)
        return frame(im, p, n, 0, 0, e);
    p = chunk(p, n, "ANMF", &len);
    if (!p || len < 16)
        return err_set(e, "a WebP animation without frames");
    memset(im->rgb, 0, im->w * im->h * 3);
    return frame(im, p + 16, len - 16, 2 * little(p, 3), 2 * little(p + 3, 3), e);
}
#else
int webp_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
              struct err *e) {
    (void)im, (void)p, (void)n, (void)o;
    return err_set(e, "WebP files need a build with libwebp");
}
#endif
