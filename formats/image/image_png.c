/* allocates: a row, or all rows of an interlaced picture */
/* Decodes PNG with libpng, row by row if the file is not interlaced.  All chunks are checked first.  A file that ends
 * early, has a wrong checksum or announces more pixels than its data can hold is refused before libpng starts.  Entries
 * that a palette does not have are black, as in Pillow (libpng clears the table). */
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "formats/image/bytes.h"
#include "formats/image/exif.h"
#include "formats/image/image_codec.h"

enum { RATIO = 1032 };    /* the most bytes that one byte of deflate data gives, as two bits give up to 258 */

static bool probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "\x89PNG\r\n\x1a\n");
}

/* Checks all chunks: their lengths and checksums, and that IHDR is the first and IEND the last.  Writes the number of
 * bytes of all IDAT chunks into *data. */
static int check(const unsigned char *p, size_t n, size_t *data, struct err *e) {
    *data = 0;
    for (size_t at = 8; n - at >= 12;) {
        size_t len = big32(p + at);
        const unsigned char *type = p + at + 4;
        bool critical = !(type[0] & 0x20);

        if (len > n - at - 12)
            break;
        if (critical && crc32(0, type, (uInt)len + 4) != big32(type + 4 + len))
            return err_set(e, "a checksum of the PNG data is wrong");
        if (!memcmp(type, "CgBI", 4))
            return err_set(e, "PNG files made for iOS by Xcode are not supported");
        if (at == 8 && (memcmp(type, "IHDR", 4) || len != 13))
            return err_set(e, "broken PNG header");
        if (!memcmp(type, "IDAT", 4))
            *data += len;
        if (!memcmp(type, "IEND", 4))
            return 0;
        at += 12 + len;
    }
    return err_set(e, "the PNG data ends early");
}

/* ---- libpng ---- */

struct png {
    png_structp png;
    png_infop info;
    const unsigned char *at;
    size_t left;
    unsigned char *pixels;    /* a row, or the whole picture if the file is interlaced */
    bool alpha;
    struct err *e;
};

static void failed(png_structp png, const char *why) {
    struct png *x = png_get_error_ptr(png);

    err_set(x->e, "the PNG data cannot be decoded (%s)", why);
    png_longjmp(png, 1);
}

static void no_warning(png_structp png, const char *why) {
    (void)png, (void)why;
}

static void more(png_structp png, png_bytep to, size_t n) {
    struct png *x = png_get_io_ptr(png);

    if (n > x->left)
        png_error(png, "it ends early");
    memcpy(to, x->at, n);
    x->at += n;
    x->left -= n;
}

/* Read the header, and ask libpng for RGB of 8 bits, or for RGBA. */
static void start(struct png *x) {
    png_set_read_fn(x->png, x, more);
    png_set_crc_action(x->png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);    /* `check` has compared the checksums */
    png_set_user_limits(x->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);       /* image_size has checked the sides */
    png_set_keep_unknown_chunks(x->png, PNG_HANDLE_CHUNK_NEVER, NULL, -1);
    if (!x->alpha)
        png_set_keep_unknown_chunks(x->png, PNG_HANDLE_CHUNK_NEVER, (png_const_bytep)"tRNS", 1);
    png_read_info(x->png, x->info);
    png_set_palette_to_rgb(x->png);
    png_set_expand_gray_1_2_4_to_8(x->png);
    png_set_strip_16(x->png);
    png_set_gray_to_rgb(x->png);
    if (x->alpha && png_get_valid(x->png, x->info, PNG_INFO_tRNS))
        png_set_tRNS_to_alpha(x->png);
    if (x->alpha)
        png_set_add_alpha(x->png, 255, PNG_FILLER_AFTER);    /* libpng does this only if the file has no alpha */
    else
        png_set_strip_alpha(x->png);
}

/* x belongs to the caller, so no local variable changes between setjmp and longjmp. */
static int decode(struct png *x, struct image *im, uint64_t w, uint64_t h, const struct image_options *o,
                  const struct image_rows *to) {
    const size_t each = x->alpha ? 4 : 3;
    int passes;

    if (setjmp(png_jmpbuf(x->png)))
        return -1;
    start(x);
    passes = png_set_interlace_handling(x->png);
    png_read_update_info(x->png, x->info);
    if (png_get_rowbytes(x->png, x->info) != w * each)
        return err_set(x->e, "broken PNG header");
    x->pixels = malloc((size_t)((passes > 1 ? h : 1) * w) * each);
    if (!x->pixels)
        return err_set(x->e, "no memory for %llu x %llu pixels", (unsigned long long)w, (unsigned long long)h);
    if (passes == 1) {
        if (image_begin(im, w, h, o, to, x->e) < 0)
            return -1;
        for (size_t y = 0; y < im->h; y++) {
            png_read_row(x->png, x->pixels, NULL);
            if (x->alpha)
                image_alpha(x->pixels, im->w);
            to->row(to->of, x->pixels);
        }
        return 0;
    }
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < h; y++)
            png_read_row(x->png, x->pixels + y * w * each, NULL);
    if (x->alpha)
        image_alpha(x->pixels, (size_t)(w * h));
    if (image_begin(im, w, h, o, to, x->e) < 0)
        return -1;
    image_give(im, x->pixels, im->w * 3, to);
    return 0;
}

static int png_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *to, struct err *e) {
    static const unsigned samples[] = {1, 0, 3, 1, 2, 0, 4};    /* of a pixel, by the colour type */
    struct png x = {.at = p, .left = n, .e = e, .alpha = o->alpha};
    uint64_t w, h;
    size_t data;
    int r;

    if (check(p, n, &data, e) < 0)
        return -1;
    w = big32(p + 16), h = big32(p + 20);
    if (image_size(w, h, o, e) < 0)
        return -1;
    if (p[25] > 6 || !samples[p[25]] || p[24] > 16)
        return err_set(e, "broken PNG header");
    if (w * h * samples[p[25]] * p[24] / 8 / RATIO > data)
        return err_set(e, "the PNG data ends early");
    x.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &x, failed, no_warning);
    x.info = x.png ? png_create_info_struct(x.png) : NULL;
    r = x.info ? decode(&x, im, w, h, o, to) : err_set(e, "no memory for libpng");
    png_destroy_read_struct(&x.png, &x.info, NULL);
    free(x.pixels);
    return r;
}

const struct image_codec image_codec_png = {"PNG", probe, png_read, exif_png, true};
