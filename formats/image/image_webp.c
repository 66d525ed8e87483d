/* allocates: the canvas */
/* Decodes WebP with libwebp.  Of an animation only the first frame is decoded.  That frame is a picture inside an ANMF
 * chunk and has a place on the canvas; the rest of the canvas is black, and transparent if the animation has alpha. */
#include <stdlib.h>
#include <string.h>

#include "formats/image/bytes.h"
#include "formats/image/exif.h"
#include "formats/image/image_codec.h"

static bool probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "RIFF") && IMAGE_MAGIC(p, n, 8, "WEBP");
}

#ifdef HAVE_LIBWEBP
#include <webp/decode.h>

/* Returns the payload of the first chunk called `name`, and its length in *len, or NULL. */
static const unsigned char *chunk(const unsigned char *p, size_t n, const char *name, size_t *len) {
    for (size_t at = 12; at <= n && n - at >= 8;) {
        *len = little32(p + at + 4);
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

/* Decodes a frame into its place (x, y) on the canvas, which has 3 bytes for each pixel, or 4 with alpha. */
static int frame(const struct image *im, unsigned char *to, bool alpha, const unsigned char *p, size_t n, size_t x, size_t y,
                 struct err *e) {
    const size_t each = alpha ? 4 : 3, stride = im->w * each;
    size_t at;
    int w, h;

    if (!WebPGetInfo(p, n, &w, &h) || x + (size_t)w > im->w || y + (size_t)h > im->h)
        return err_set(e, "broken WebP frame");
    at = y * stride + x * each;
    if (!(alpha ? WebPDecodeRGBAInto : WebPDecodeRGBInto)(p, n, to + at, im->h * stride - at, (int)stride))
        return err_set(e, "broken WebP data, or it ends early");
    return 0;
}

static int webp_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                     const struct image_rows *to, struct err *e) {
    WebPBitstreamFeatures f;
    VP8StatusCode status = WebPGetFeatures(p, n, &f);
    unsigned char *rgb;
    size_t len = n, x = 0, y = 0;
    int r;

    if (status != VP8_STATUS_OK)
        return err_set(e, status == VP8_STATUS_NOT_ENOUGH_DATA ? "the WebP data ends early"
                                                               : "broken WebP header");
    if (little32(p + 4) > n - 8)
        return err_set(e, "the WebP data ends early");
    if (f.width <= 0 || f.height <= 0)
        return err_set(e, "broken WebP header");
    if (image_size((uint64_t)f.width, (uint64_t)f.height, o, e) < 0)
        return -1;
    im->w = (size_t)f.width, im->h = (size_t)f.height;
    if (f.has_animation) {
        p = chunk(p, n, "ANMF", &len);
        if (!p || len < 16)
            return err_set(e, "a WebP animation without frames");
        x = 2 * little24(p), y = 2 * little24(p + 3);
        p += 16, len -= 16;
    }
    if (!(rgb = calloc(im->w * im->h, o->alpha ? 4 : 3)))
        return err_set(e, "no memory for %zu x %zu pixels", im->w, im->h);
    if (o->alpha && !f.has_alpha)
        memset(rgb, 255, im->w * im->h * 4);
    r = frame(im, rgb, o->alpha, p, len, x, y, e);
    if (r == 0 && o->alpha)
        image_alpha(rgb, im->w * im->h);
    if (r == 0)
        r = image_begin(im, im->w, im->h, o, to, e);
    if (r == 0)
        image_give(im, rgb, im->w * 3, to);
    free(rgb);
    return r;
}
#else
static int webp_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                     const struct image_rows *to, struct err *e) {
    (void)im, (void)p, (void)n, (void)o, (void)to;
    return err_set(e, "WebP files need a build with libwebp");
}
#endif

const struct image_codec image_codec_webp = {"WebP", probe, webp_read, exif_webp, true};
