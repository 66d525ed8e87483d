#include "formats/image/image_read.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "formats/image/image_codec.h"
#include "formats/record/record.h"

/* ---- what is it? ---- */

static bool starts(const unsigned char *p, size_t n, size_t at, const char *magic, size_t len) {
    return n >= at + len && !memcmp(p + at, magic, len);
}

#define STARTS(at, s) starts(p, n, at, s, sizeof(s) - 1)

/* The major brand or any compatible one; the box was written by the file's maker. */
static bool heif_brand(const unsigned char *p, size_t n) {
    static const char brands[] = "heic heix hevc hevx heim heis mif1 msf1 avif avis ";
    size_t box;

    if (!STARTS(4, "ftyp") || n < 16)
        return false;
    box = (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
    for (size_t i = 8; i + 4 <= box && i + 4 <= n && i < 256; i += 4)
        for (size_t b = 0; i != 12 && b + 5 <= sizeof brands; b += 5)
            if (!memcmp(p + i, brands + b, 4))
                return true;
    return false;
}

/* TGA has no magic: every field of its header must make sense. */
static bool tga_header(const unsigned char *p, size_t n) {
    int type, bits;

    if (n < 18)
        return false;
    type = p[2] & ~8, bits = p[16];
    if (p[1] > 1 || p[2] > 11 || type < 1 || type > 3 || (p[1] == 1) != (type == 1))
        return false;
    if (type == 1 ? bits != 8 && bits != 16 : type == 2 ? bits != 15 && bits != 16 && bits != 24 && bits != 32 :
        bits != 8 && bits != 16)
        return false;
    if (p[1] && p[7] != 15 && p[7] != 16 && p[7] != 24 && p[7] != 32)
        return false;
    return (p[12] || p[13]) && (p[14] || p[15]) && !(p[17] & 0xc0);
}

const char *image_format(const unsigned char *p, size_t n) {
    if (STARTS(0, "\xff\xd8\xff"))
        return "JPEG";
    if (STARTS(0, "\x89PNG\r\n\x1a\n"))
        return "PNG";
    if (STARTS(0, "GIF87a") || STARTS(0, "GIF89a"))
        return "GIF";
    if (STARTS(0, "RIFF") && STARTS(8, "WEBP"))
        return "WebP";
    if (heif_brand(p, n))
        return "HEIF";
    if (STARTS(0, "BM") && n >= 26)
        return "BMP";
    if (STARTS(0, "8BPS"))
        return "PSD";
    if (n >= 3 && p[0] == 'P' && p[1] >= '1' && p[1] <= '6' && strchr(" \t\r\n#", p[2]) && p[2])
        return "PNM";
    return tga_header(p, n) ? "TGA" : NULL;
}

/* Why these bytes are no picture that can be read here. */
static const char *stranger(const unsigned char *p, size_t n) {
    if (!n)
        return "empty file";
    if (STARTS(0, "II*\0") || STARTS(0, "MM\0*"))
        return "TIFF files are not supported";
    if (STARTS(0, "\xff\x0a") || STARTS(0, "\0\0\0\x0cJXL "))
        return "JPEG XL files are not supported";
    if (STARTS(0, "\0\0\0\x0cjP  ") || STARTS(0, "\xff\x4f\xff\x51"))
        return "JPEG 2000 files are not supported";
    if (STARTS(0, "%PDF"))
        return "PDF files are not supported";
    if (STARTS(0, RECORD_START))
        return "a stream of records, not a picture: give it on standard input";
    return "not a picture in a known format";
}

/* ---- reading ---- */

int image_size(struct image *im, uint64_t w, uint64_t h, const struct image_options *o,
               struct err *e) {
    uint64_t max = o->max_pixels ? o->max_pixels : IMAGE_MAX_PIXELS;

    if (!w || !h)
        return err_set(e, "a picture of no pixels");
    if (w > UINT32_MAX || h > UINT32_MAX || w * h > max)
        return err_set(e, "%llu x %llu pixels, the limit is %llu in all", (unsigned long long)w,
                       (unsigned long long)h, (unsigned long long)max);
    im->w = (size_t)w;
    im->h = (size_t)h;
    return 0;
}

int image_alloc(struct image *im, uint64_t w, uint64_t h, const struct image_options *o,
                struct err *e) {
    if (image_size(im, w, h, o, e) < 0)
        return -1;
    if (w * h > SIZE_MAX / 3 || !(im->rgb = malloc((size_t)(w * h) * 3)))
        return err_set(e, "no memory for %llu x %llu pixels", (unsigned long long)w,
                       (unsigned long long)h);
    return 0;
}

void image_free(struct image *im) {
    free(im->rgb);
    im->rgb = NULL;
}

static int decode(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                  struct err *e) {
    switch (im->format[0] * 256 + im->format[1]) {
    case 'G' * 256 + 'I': return gif_read(im, p, n, o, e);
    case 'J' * 256 + 'P': return jpeg_read(im, p, n, o, e);
    case 'W' * 256 + 'e': return webp_read(im, p, n, o, e);
    case 'H' * 256 + 'E': return heif_read(im, p, n, o, e);
    case 'P' * 256 + 'N':
        if (im->format[2] == 'M')
            return pnm_read(im, p, n, o, e);
        if (png_check(p, n, e) < 0)
            return -1;
    }
    return stb_read(im, p, n, o, e);
}

static int identify(struct image *im, const unsigned char *p, size_t n, struct err *e) {
    *im = (struct image){.format = image_format(p, n), .orientation = 1};
    if (!im->format)
        return err_set(e, "%s", stranger(p, n));
    im->orientation = exif_orientation(im->format, p, n);
    return 0;
}

static int whole(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                 struct err *e) {
    if (decode(im, p, n, o, e) < 0 || (o->exif && image_turn(im, im->orientation, e) < 0)) {
        image_free(im);
        return -1;
    }
    return 0;
}

int image_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
               struct err *e) {
    return identify(im, p, n, e) < 0 ? -1 : whole(im, p, n, o, e);
}

int image_read_rows(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *rows, struct err *e) {
    int r;

    if (identify(im, p, n, e) < 0)
        return -1;
    if (!strcmp(im->format, "JPEG") && (!o->exif || im->orientation < 2))
        return jpeg_read_rows(im, p, n, o, rows, e);
    if (whole(im, p, n, o, e) < 0)
        return -1;
    r = rows->begin(rows->of, im->h, im->w, e);
    for (size_t y = 0; r == 0 && y < im->h; y++)
        rows->row(rows->of, im->rgb + y * im->w * 3);
    image_free(im);
    return r;
}

int image_turn(struct image *im, int orientation, struct err *e) {
    bool swap = orientation >= 5, down, right;
    size_t w = swap ? im->h : im->w, h = swap ? im->w : im->h;
    unsigned char *out, *to;

    if (orientation < 2 || orientation > 8)
        return 0;
    to = out = malloc(w * h * 3);
    if (!out)
        return err_set(e, "no memory to turn %zu x %zu pixels", w, h);
    /* right: output columns run against the source; down: output rows do */
    right = orientation == 2 || orientation == 3 || orientation == 6 || orientation == 7;
    down = orientation == 3 || orientation == 4 || orientation == 7 || orientation == 8;
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++, to += 3) {
            size_t u = right ? w - 1 - x : x, v = down ? h - 1 - y : y;

            memcpy(to, im->rgb + (swap ? u * im->w + v : v * im->w + u) * 3, 3);
        }
    free(im->rgb);
    im->rgb = out;
    im->w = w;
    im->h = h;
    return 0;
}

/* ---- files ---- */

static const char *kind(mode_t m) {
    return S_ISDIR(m) ? strerror(EISDIR) : S_ISFIFO(m) ? "is a FIFO, not a regular file" :
           S_ISSOCK(m) ? "is a socket, not a regular file" : "is a device, not a regular file";
}

static int read_all(int fd, unsigned char *p, size_t n, struct err *e) {
    for (size_t at = 0; at < n;) {
        ssize_t r = read(fd, p + at, n - at);

        if (r < 0 && errno == EINTR)
            continue;
        if (r < 0)
            return err_set(e, "%s", strerror(errno));
        if (r == 0)
            return err_set(e, "became shorter while it was read");
        at += (size_t)r;
    }
    return 0;
}

int image_file_read(const char *name, unsigned char **p, size_t *n, struct err *e) {
    /* a FIFO without a writer must not stop the program: O_NONBLOCK does nothing to files */
    int fd = open(name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY), r = -1;
    struct stat s;

    *p = NULL;
    if (fd < 0)
        return err_set(e, "%s", strerror(errno));
    if (fstat(fd, &s) < 0)
        err_set(e, "%s", strerror(errno));
    else if (!S_ISREG(s.st_mode))
        err_set(e, "%s", kind(s.st_mode));
    else if ((uint64_t)s.st_size > IMAGE_MAX_BYTES)
        err_set(e, "%lld bytes, the limit is %llu", (long long)s.st_size,
                (unsigned long long)IMAGE_MAX_BYTES);
    else if (!(*p = malloc((size_t)s.st_size + 1)))
        err_set(e, "no memory for %lld bytes", (long long)s.st_size);
    else
        r = read_all(fd, *p, *n = (size_t)s.st_size, e);
    close(fd);
    if (r < 0)
        image_file_free(*p), *p = NULL;
    return r;
}

int image_file_open(struct image *im, const char *name, const struct image_options *o, struct err *e) {
    unsigned char *p;
    size_t n;
    int r;

    if (image_file_read(name, &p, &n, e) < 0)
        return -1;
    r = image_read(im, p, n, o, e);
    image_file_free(p);
    return r;
}

void image_file_free(unsigned char *p) {
    free(p);
}
