/* Every format against Pillow 13.0.0's pixels (CRC-32 of the RGB bytes of tests/golden/images),
 * each file cut at every byte and with every byte changed, hostile headers, EXIF, files that
 * are not pictures. */
#include "formats/image/image_read.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "formats/image/exif.h"
#include "tests/tap.h"

/* `spare`: bytes at the end that are not needed (a TGA's footer, a GIF's last two). */
static const struct {
    const char *name, *format;
    size_t w, h;
    unsigned long crc;
    size_t spare;
    int orientation;
} files[] = {
    {"422.jpg", "JPEG", 13, 9, 0x94cdfc6a, 0, 1},
    {"444.jpg", "JPEG", 13, 9, 0x8eadde35, 0, 1},
    {"alpha.webp", "WebP", 13, 9, 0x986b94a3, 0, 1},
    {"animated.webp", "WebP", 13, 9, 0x986b94a3, 0, 1},
    {"bit.pbm", "PNM", 13, 9, 0xa7c93c36, 0, 1},
    {"bit.png", "PNG", 13, 9, 0xa7c93c36, 0, 1},
    {"cmyk.jpg", "JPEG", 13, 9, 0xb328ada8, 0, 1},
    {"deep.pgm", "PNM", 3, 2, 0, 0, 1},    /* Pillow saturates 16 bits */
    {"alpha.psd", "PSD", 5, 3, 0x0dbdd653, 15, 1},    /* colours as they are under any alpha */
    {"alpha_rle.psd", "PSD", 5, 3, 0x0dbdd653, 18, 1},
    {"gray.jpg", "JPEG", 13, 9, 0x0b601581, 0, 1},
    {"gray.pgm", "PNM", 13, 9, 0x7b41c973, 0, 1},
    {"gray.tga", "TGA", 13, 9, 0x7b41c973, 26, 1},
    {"clear.gif", "GIF", 9, 9, 0x27c25f52, 2, 1},    /* transparent, smaller than the screen */
    {"interlaced.gif", "GIF", 13, 9, 0x749dcc37, 2, 1},
    {"la.png", "PNG", 13, 9, 0x7b41c973, 0, 1},
    {"lossy.webp", "WebP", 13, 9, 0x71dc82a4, 0, 1},
    {"one.heic", "HEIF", 64, 64, 0, 0, 1},
    {"palette.gif", "GIF", 13, 9, 0x749dcc37, 2, 1},
    {"palette.png", "PNG", 13, 9, 0x749dcc37, 0, 1},
    {"plain.pbm", "PNM", 5, 3, 0x739bbc3a, 1, 1},
    {"plain.ppm", "PNM", 4, 2, 0xf66da3b0, 2, 1},    /* its last number may lose a digit */
    {"prog.jpg", "JPEG", 13, 9, 0x69744d1e, 0, 1},
    {"rgb.avif", "HEIF", 13, 9, 0, 0, 1},    /* another decoder than Pillow's */
    {"rgb.bmp", "BMP", 13, 9, 0x986b94a3, 1, 1},
    {"rgb.jpg", "JPEG", 13, 9, 0xb8256003, 0, 1},
    {"rgb.png", "PNG", 13, 9, 0x986b94a3, 0, 1},
    {"rgb.ppm", "PNM", 13, 9, 0x986b94a3, 0, 1},
    {"rgb.psd", "PSD", 5, 3, 0xf7d6c2ba, 0, 1},
    {"rgba.png", "PNG", 13, 9, 0x986b94a3, 0, 1},
    {"rle.tga", "TGA", 13, 9, 0x986b94a3, 26, 1},
    {"555.bmp", "BMP", 13, 9, 0xe093d4e0, 2, 1},
    {"555.tga", "TGA", 13, 9, 0xda4a9932, 0, 1},
    {"565.bmp", "BMP", 13, 9, 0x2329e3b1, 2, 1},
    {"both.jpg", "JPEG", 13, 9, 0x8eadde35, 0, 2},    /* EXIF goes before XMP */
    {"cmyk.psd", "PSD", 13, 9, 0x864cb0b4, 0, 1},
    {"duotone.psd", "PSD", 13, 9, 0x3ce304d4, 0, 1},
    {"four.bmp", "BMP", 13, 9, 0x1c45b8ed, 1, 1},     /* 9 colours: the other indices are black */
    {"gap.bmp", "BMP", 13, 9, 0x6938f055, 1, 1},
    {"gray.psd", "PSD", 13, 9, 0x10e73496, 0, 1},
    {"indexed.psd", "PSD", 13, 9, 0x55ea7dbf, 0, 1},
    {"laced.png", "PNG", 13, 9, 0x79051b61, 0, 1},
    {"laced4.png", "PNG", 13, 9, 0xa66d8dea, 0, 1},
    {"long.jpg", "JPEG", 13, 9, 0x8eadde35, 0, 5},    /* the orientation is a LONG */
    {"one.bmp", "BMP", 13, 9, 0x6a15f7c3, 2, 1},
    {"os2.bmp", "BMP", 13, 9, 0x5c4d67e2, 1, 1},      /* a header of 12 bytes */
    {"raw.png", "PNG", 13, 9, 0x8c39b390, 0, 6},      /* EXIF in a "Raw profile type exif" text */
    {"right.tga", "TGA", 13, 9, 0xb7f73dbe, 0, 1},    /* from right to left */
    {"rle32.tga", "TGA", 13, 9, 0xf3eccb0e, 0, 1},
    {"rle4.bmp", "BMP", 13, 9, 0xaedbe883, 4, 1},
    {"rle8.bmp", "BMP", 13, 9, 0x42162902, 4, 1},
    {"short.bmp", "BMP", 13, 9, 0xb01d8b38, 3, 1},    /* palettes that lack indices which are used */
    {"short.png", "PNG", 13, 9, 0xa1177a30, 0, 1},
    {"short.tga", "TGA", 13, 9, 0x9dfebda8, 0, 1},
    {"short2.png", "PNG", 13, 9, 0x1d21dc10, 0, 1},
    {"topdown.bmp", "BMP", 13, 9, 0xab67c100, 1, 1},
    {"v3.bmp", "BMP", 13, 9, 0x1ec2e688, 0, 1},       /* a header of 56 bytes */
    {"v5.bmp", "BMP", 13, 9, 0xaa9f1176, 0, 1},
    {"xmp.jpg", "JPEG", 13, 9, 0x8eadde35, 0, 8},
    {"xmp.png", "PNG", 13, 9, 0x8c39b390, 0, 8},
    {"big.tif", "TIFF", 13, 9, 0x9f3da152, 8, 1},     /* BigTIFF */
    {"bit.tif", "TIFF", 13, 9, 0x1bb90219, 4, 1},     /* 0 is white, the lowest bit is left */
    {"cmyk.tif", "TIFF", 13, 9, 0x31d09084, 0, 1},    /* a tile for each colour */
    {"deep.tif", "TIFF", 13, 9, 0xc2ecea7c, 0, 1},
    {"four.tif", "TIFF", 13, 9, 0x263f7d7a, 4, 1},
    {"gray16.tif", "TIFF", 13, 9, 0xf2738dc4, 4, 1},  /* the high byte, as of PNG */
    {"jpeg.tif", "TIFF", 13, 9, 0x94cdfc6a, 0, 1},    /* 422.jpg as a strip */
    {"palette.tif", "TIFF", 13, 9, 0x4fd16009, 0, 1},
    {"premultiplied.tif", "TIFF", 13, 9, 0x00722ad1, 0, 1},
    {"rgb.tif", "TIFF", 13, 9, 0x85c027aa, 0, 1},
    {"tiles.tif", "TIFF", 19, 21, 0xcef0e74f, 0, 1},
    {"turned.tif", "TIFF", 9, 13, 0xa6dfe50a, 0, 1},  /* Pillow always turns TIFF */
    {"turned.jpg", "JPEG", 13, 9, 0x69744d1e, 0, 6},
    {"turned.png", "PNG", 13, 9, 0x986b94a3, 0, 6},
    {"turned.webp", "WebP", 13, 9, 0x986b94a3, 0, 6},
};

static const struct image_options defaults = {0};
static int quiet, loud;    /* where standard error goes */

static bool missing(const char *format) {
#ifndef HAVE_LIBWEBP
    if (!strcmp(format, "WebP"))
        return true;
#endif
#ifndef HAVE_LIBHEIF
    if (!strcmp(format, "HEIF"))
        return true;
#endif
#ifndef HAVE_LIBTIFF_4
    if (!strcmp(format, "TIFF"))
        return true;
#endif
    (void)format;
    return false;
}

/* In a block of exactly n bytes, so that AddressSanitizer sees one byte too many. */
static int try(const unsigned char *p, size_t n, struct image *im, struct err *e) {
    unsigned char *q = malloc(n ? n : 1);
    int r;

    memcpy(q, p, n);
    e->msg[0] = 0;
    r = image_read(im, q, n, &defaults, e);
    free(q);
    return r;
}

/* ---- row by row ---- */

struct rows {
    unsigned char *rgb;
    size_t h, w, at;
};

static int begin(void *of, size_t h, size_t w, struct err *e) {
    struct rows *r = of;

    *r = (struct rows){.rgb = malloc(h * w * 3), .h = h, .w = w};
    return h == 1 && w == 1 ? err_set(e, "not wanted") : 0;
}

static void row(void *of, const unsigned char *rgb) {
    struct rows *r = of;

    memcpy(r->rgb + r->at++ * r->w * 3, rgb, r->w * 3);
}

/* The rows are the picture, turned or not; what ends early is refused this way too. */
static bool rows_equal(const unsigned char *p, size_t n, bool exif) {
    const struct image_options o = {.exif = exif};
    struct image im, none;
    struct err e = {0};
    struct rows r = {0};
    const struct image_rows to = {begin, row, &r};
    bool same, cut;

    if (image_read(&im, p, n, &o, &e) < 0)
        return false;
    same = image_read_rows(&none, p, n, &o, &to, &e) == 0 && !none.rgb && none.w == im.w && none.h == im.h &&
           none.orientation == im.orientation && r.h == im.h && r.w == im.w && r.at == im.h &&
           !memcmp(r.rgb, im.rgb, im.h * im.w * 3);
    free(r.rgb);
    r.rgb = NULL;
    cut = image_read_rows(&none, p, n / 2, &o, &to, &e) < 0 && e.msg[0] && !none.rgb;
    free(r.rgb);
    image_free(&im);
    return same && cut;
}

/* The alpha as Pillow's convert("RGBA") gives it, in all three channels. */
static void alpha(void) {
    static const struct { const char *name, *format; unsigned long crc; } made[] = {
        {"rgba.png", "PNG", 0x7b41c973}, {"la.png", "PNG", 0x7b41c973}, {"palette.png", "PNG", 0x78f5c5b0},
        {"bit.png", "PNG", 0x16f848ee}, {"laced.png", "PNG", 0x16f848ee}, {"laced4.png", "PNG", 0x16f848ee},
        {"rgb.png", "PNG", 0x16f848ee}, {"turned.png", "PNG", 0x16f848ee}, {"alpha.webp", "WebP", 0x7b41c973},
        {"lossy.webp", "WebP", 0x16f848ee}, {"animated.webp", "WebP", 0x16f848ee}, {"clear.gif", "GIF", 0x83c119f0},
        {"palette.gif", "GIF", 0x16f848ee}, {"rgb.jpg", "JPEG", 0x16f848ee}, {"alpha.psd", "PSD", 0}};
    const struct image_options o = {.alpha = true};

    for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
        struct err e = {0};
        struct image im;
        struct rows r = {0};
        const struct image_rows to = {begin, row, &r};
        unsigned char *p;
        char name[200];
        size_t n;

        snprintf(name, sizeof name, "tests/golden/images/%s", made[i].name);
        if (missing(made[i].format)) {
            skip(name);
            continue;
        }
        if (!ok(image_file_read(name, &p, &n, &e) == 0 && image_read(&im, p, n, &o, &e) == 0, "%s: alpha %s", made[i].name,
                e.msg))
            continue;
        if (made[i].crc)
            ok(crc32(0, im.rgb, (unsigned)(im.w * im.h * 3)) == made[i].crc, "it is Pillow's");
        else
            ok(im.rgb[0] == 255 && !memcmp(im.rgb, im.rgb + 1, im.w * im.h * 3 - 1), "a format whose alpha is not read is opaque");
        ok(image_read_rows(&(struct image){0}, p, n, &o, &to, &e) == 0 && !memcmp(r.rgb, im.rgb, im.w * im.h * 3),
           "row by row, too");
        free(r.rgb);
        image_free(&im);
        image_file_free(p);
    }
}

static void one(size_t i) {
    unsigned char *p;
    size_t n, passed = 0, first = 0;
    struct err e = {0};
    struct image im;
    char name[200];

    if (missing(files[i].format)) {
        skip(files[i].name);
        return;
    }
    snprintf(name, sizeof name, "tests/golden/images/%s", files[i].name);
    if (!ok(image_file_read(name, &p, &n, &e) == 0, "%s is there", name))
        return;
    if (ok(try(p, n, &im, &e) == 0, "%s: decoded", files[i].name)) {
        unsigned long crc = crc32(0, im.rgb, (unsigned)(im.w * im.h * 3));

        ok(im.w == files[i].w && im.h == files[i].h && im.orientation == files[i].orientation &&
           !strcmp(im.format, files[i].format), "size, format, orientation");
        ok(!files[i].crc || crc == files[i].crc, "Pillow's pixels (%08lx)", crc);
        ok(rows_equal(p, n, false) && rows_equal(p, n, true), "the same row by row, as it is and turned");
        image_free(&im);
    }
    if (!strcmp(files[i].format, "HEIF"))    /* libheif's decoders talk */
        dup2(quiet, 2);
    for (size_t cut = 0; cut < n; cut++)
        if (try(p, cut, &im, &e) == 0) {
            first = passed++ ? first : cut;
            image_free(&im);
        } else if (!e.msg[0]) {
            ok(0, "cut at %zu: an error without a message", cut);
        }
    ok(passed <= files[i].spare, "cut at every byte: refused (passed: %zu, from %zu of %zu)",
       passed, first, n);
    for (size_t at = 0; at < n; at++)
        for (int bit = 0; bit < 8; bit += 3) {
            p[at] = (unsigned char)(p[at] ^ 1 << bit);
            if (try(p, n, &im, &e) == 0)
                image_free(&im);
            p[at] = (unsigned char)(p[at] ^ 1 << bit);
        }
    ok(1, "every byte changed: no harm");
    dup2(loud, 2);
    image_file_free(p);
}

static void refused(const void *p, size_t n, const struct image_options *o, const char *why) {
    struct err e = {0};
    struct image im;

    int r = image_read(&im, p, n, o, &e);

    if (!ok(r < 0 && !strcmp(e.msg, why) && !im.rgb, "%s", why))
        printf("# got %d: %s\n", r, e.msg);
}

#define REFUSED(s, why) refused(s, sizeof(s) - 1, &defaults, why)

/* Files of some bytes that announce the largest pictures allowed, 13000 x 13000 pixels, or nearly: refused before
 * there is memory for them. */
static void tiny(void) {
#define Q "\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1\1"
    static const struct {
        const char *what, *file;
        size_t n;
        const char *why;
    } small[] = {
#define FILE_OF(s) s, sizeof(s) - 1
        {"PSD", FILE_OF("8BPS\0\1\0\0\0\0\0\0\0\3\0\0\x32\xc8\0\0\x32\xc8\0\x08\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0zzzzzzzz"),
         "the PSD data ends early"},
        {"packed PSD", FILE_OF("8BPS\0\1\0\0\0\0\0\0\0\3\0\0\0\2\0\x98\x96\x80\0\x08\0\3\0\0\0\0\0\0\0\0\0\0\0\0\0\1\0\1\0\1\0\1\0\1\0\1\0\1zzzzzz"),
         "the PSD data ends early"},
        {"TGA", FILE_OF("\0\0\2\0\0\0\0\0\0\0\0\0\xc8\x32\xc8\x32\x18\0zzzzzzzzzz"), "the TGA data ends early"},
        {"packed TGA", FILE_OF("\0\0\x0a\0\0\0\0\0\0\0\0\0\xc8\x32\xc8\x32\x18\0\xffzzz\xffzzz"), "the TGA data ends early"},
        {"BMP", FILE_OF("BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\xc8\x32\0\0\xc8\x32\0\0\1\0\x18\0\0\0\0\0\0\0\0\0"
                        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0zzzzzzzzzz"), "the BMP data ends early"},
        {"packed BMP", FILE_OF("BM\0\0\0\0\0\0\0\0\x3a\0\0\0\x28\0\0\0\xc8\x32\0\0\xc8\x32\0\0\1\0\x08\0\1\0\0\0\0\0\0\0"
                               "\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0zzz\0\xffzzz\0\1"), "the BMP data ends early"},
        {"PNG", FILE_OF("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x32\xc8\0\0\x32\xc8\x08\2\0\0\0\x6d\xc0\x7f\x6f"
                        "\0\0\0\4IDAT\x78\x9c\3\0\x9b\x8c\x7d\x23\0\0\0\0IEND\xae\x42\x60\x82"), "the PNG data ends early"},
        {"PNM", FILE_OF("P6 13000 13000 255 zzzzzz"), "the PNM data ends early"},
        {"plain PNM", FILE_OF("P3 13000 13000 255 1 2 3 4"), "the PNM data ends early"},
        {"GIF", FILE_OF("GIF89a\xc8\x32\xc8\x32\0\0\0,\0\0\0\0\xc8\x32\xc8\x32\0\2\4\4\0\0\0\0;"), "the GIF data ends early"},
        {"JPEG", FILE_OF("\xff\xd8\xff\xdb\0\x43\0" Q Q Q Q "\xff\xc2\0\x11\x08\x32\xc8\x32\xc8\3\1\x11\0\2\x11\0\3\x11\0\xff\xda\0\x0c\3\1\0\2\0\3\0\0\0\0zz\xff\xd9"),
         "the JPEG data ends early"},
    };
    struct rusage before, after;

    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < sizeof small / sizeof *small; i++) {
        struct err e = {0};
        struct image im;
        int r = image_read(&im, (const unsigned char *)small[i].file, small[i].n, &defaults, &e);

        if (!ok(r < 0 && !strcmp(e.msg, small[i].why), "a tiny %s: %s", small[i].what, small[i].why))
            printf("# got %d: %s\n", r, e.msg);
    }
    getrusage(RUSAGE_SELF, &after);
    ok(after.ru_maxrss - before.ru_maxrss < 32 << 10, "they took %ld kB", after.ru_maxrss - before.ru_maxrss);
}

/* A grey progressive JPEG of `scans` scans: the first has the mean of each block, each of the others one more
 * coefficient of all blocks, which is 0.  Returns the file's size. */
static size_t many_scans(unsigned char *p, size_t h, size_t w, size_t scans) {
    const size_t blocks = h / 8 * (w / 8);
    unsigned char head[] = "\xff\xd8\xff\xdb\0\x43\0" Q Q Q Q "\xff\xc2\0\x0b\x08hhww\1\1\x11\0"
                           "\xff\xc4\0\x14\0\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"           /* the bit 0: no change of the mean */
                           "\xff\xc4\0\x14\x10\1\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xe0";    /* 0 and 14 bits: 2^14 blocks and more end */
    unsigned char scan[] = "\xff\xda\0\x08\1\1\0\0\0\0";
    size_t n = sizeof head - 1;

    memcpy(p, head, n);
    for (size_t i = 0; i < 2; i++)
        p[76 + i] = (unsigned char)(h >> (8 - 8 * i)), p[78 + i] = (unsigned char)(w >> (8 - 8 * i));
    for (size_t i = 0; i < scans; i++) {
        size_t bits = i ? blocks / (1 << 14) * 15 : blocks;

        scan[7] = scan[8] = (unsigned char)i;
        memcpy(p + n, scan, sizeof scan - 1), n += sizeof scan - 1;
        memset(p + n, 0, (bits + 7) / 8), n += (bits + 7) / 8;
    }
    memcpy(p + n, "\xff\xd9", 2);
    return n + 2;
}

/* Each scan is a pass over all blocks, so their number is bounded by the picture's size. */
static void jpeg_scans(void) {
    static const struct { size_t h, w, scans; const char *why; } file[] = {
        {2048, 4096, 32, NULL}, {2048, 4096, 33, "more than 32 scans"}, {2048, 4096, 64, "more than 32 scans"}, {2048, 2048, 64, NULL}};
    static unsigned char p[32 << 10];

    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        const size_t n = many_scans(p, file[i].h, file[i].w, file[i].scans);
        struct err e = {0};
        struct image im;

        if (file[i].why) {
            refused(p, n, &defaults, file[i].why);
            continue;
        }
        ok(image_read(&im, p, n, &defaults, &e) == 0 && im.h == file[i].h && im.w == file[i].w && im.rgb[0] == 128 && !im.note[0],
           "%zu scans of %zu x %zu %s%s", file[i].scans, file[i].w, file[i].h, e.msg, im.note);
        image_free(&im);
    }
}

/* TIFF files of some bytes whose headers are hostile or say what is not supported. */
static void tiff(void) {
    struct rusage before, after;

    if (missing("TIFF")) {
        skip("TIFF");
        return;
    }
    getrusage(RUSAGE_SELF, &before);
    /* one strip */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x09\x00\x00\x01\x04\x00\x01\x00\x00\x00\xc8" "2\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00\xc8" "2\x00\x00\x02\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00\x01\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00"
            "\x08\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\xc8" "2"
            "\x00\x00\x17\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
            "the TIFF data ends early");
    /* deflate */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x09\x00\x00\x01\x04\x00\x01\x00\x00\x00\xc8" "2\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00\xc8" "2\x00\x00\x02\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00\x08\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00"
            "\x08\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\xc8" "2"
            "\x00\x00\x17\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
            "the TIFF data ends early");
    /* many strips */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x09\x00\x00\x01\x04\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00\x80\xfe!\x0a\x02\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00\x04\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x11\x01\x04\x00\x80\xfe!\x0a"
            "\x08\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\x01\x00"
            "\x00\x00\x17\x01\x04\x00\x80\xfe!\x0a\x08\x00\x00\x00\x00\x00\x00\x00",
            "the TIFF data ends early");
    /* g4 */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x09\x00\x00\x01\x04\x00\x01\x00\x00\x00\xc8" "2\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00\xc8" "2\x00\x00\x02\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00\x04\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x00\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00"
            "\x08\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\xc8" "2"
            "\x00\x00\x17\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
            "broken TIFF data, or it ends early");
    /* wide tile */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x0a\x00\x00\x01\x04\x00\x01\x00\x00\x00" "d\x00\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00" "d\x00\x00\x00\x02\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00\x01\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00"
            "\x01\x00\x00\x00" "B\x01\x04\x00\x01\x00\x00\x00\x00\x00\x00@C\x01\x04\x00\x01\x00\x00\x00\x00\x00\x00@D"
            "\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00" "E\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00"
            "\x00",
            "1073741824 x 1073741824 pixels, the limit is 178956970 in all");
    /* lzma */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x09\x00\x00\x01\x04\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00\x04\x00\x00\x00\x02\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00m\x88\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00"
            "\x08\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\x04\x00"
            "\x00\x00\x17\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
            "TIFF: compression 34925 is not supported");
    /* float */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x0a\x00\x00\x01\x04\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00\x04\x00\x00\x00\x02\x01\x03\x00\x01\x00\x00\x00 \x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00\x01\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00"
            "\x08\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\x04\x00"
            "\x00\x00\x17\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00S\x01\x03\x00\x01\x00\x00\x00\x03\x00\x00\x00"
            "\x00\x00\x00\x00",
            "TIFF: samples of 32 bits are not supported");
    /* lab */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x09\x00\x00\x01\x04\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00\x04\x00\x00\x00\x02\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00\x01\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00"
            "\x08\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00\x03\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\x04\x00"
            "\x00\x00\x17\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
            "TIFF: CIELAB colours are not supported");
    /* huge */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x09\x00\x00\x01\x04\x00\x01\x00\x00\x00p\x11\x01\x00\x01\x01\x04\x00\x01"
            "\x00\x00\x00p\x11\x01\x00\x02\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x01\x03\x00\x01\x00\x00"
            "\x00\x01\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00\x08"
            "\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00\x01\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\x04\x00\x00"
            "\x00\x17\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
            "70000 x 70000 pixels, the limit is 178956970 in all");
    /* ycc */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x09\x00\x00\x01\x04\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00\x04\x00\x00\x00\x02\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00\x01\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x06\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00"
            "\x08\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00\x03\x00\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\x04\x00"
            "\x00\x00\x17\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
            "TIFF: YCbCr without JPEG is not supported");
    /* spp */
    REFUSED("II*\x00\x10\x00\x00\x00zzzzzzzz\x09\x00\x00\x01\x04\x00\x01\x00\x00\x00\x04\x00\x00\x00\x01\x01\x04\x00"
            "\x01\x00\x00\x00\x04\x00\x00\x00\x02\x01\x03\x00\x01\x00\x00\x00\x08\x00\x00\x00\x03\x01\x03\x00\x01\x00"
            "\x00\x00\x01\x00\x00\x00\x06\x01\x03\x00\x01\x00\x00\x00\x02\x00\x00\x00\x11\x01\x04\x00\x01\x00\x00\x00"
            "\x08\x00\x00\x00\x15\x01\x03\x00\x01\x00\x00\x00`\xea\x00\x00\x16\x01\x04\x00\x01\x00\x00\x00\x04\x00"
            "\x00\x00\x17\x01\x04\x00\x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00",
            "TIFF: RGB of 60000 samples");
    getrusage(RUSAGE_SELF, &after);
    ok(after.ru_maxrss - before.ru_maxrss < 32 << 10, "they took %ld kB", after.ru_maxrss - before.ru_maxrss);
}

/* HEIF: what several coded pictures make, and files whose headers say less than their data holds. */
static void heif(void) {
    static const struct {
        const char *name;
        uint64_t max;
        const char *why;
    } forged[] = {
        {"size.heic", 0, "HEIF: a coded picture of 8192 x 4096 pixels, where its header says 64 x 64"},
        {"size.avif", 0, "HEIF: a coded picture of 6000 x 6000 pixels, where its header says 10 x 10"},
        {"size.heic", 1000000, "HEIF: a coded picture of 8192 x 4096 pixels, the limit is 1000000 in all"},
        {"limit.heic", 0, "HEIF: a coded picture of 16384 x 16384 pixels, the limit is 178956970 in all"},
        {"alpha.heic", 0, "HEIF: a coded picture of 8192 x 4096 pixels, where its header says 64 x 64"},
        {"canvas.heic", 0, "HEIF: a canvas of 30000 x 30000 pixels, the limit is 178956970 in all"},
        {"many.heic", 4096, "HEIF: coded pictures of more than 4 times 4096 pixels in all"},
        {"self.heic", 0, "HEIF: a picture made of itself, or of too many layers"},
        {"loop.heic", 0, "HEIF: a picture made of itself, or of too many layers"},
        {"part.heic", 0, "HEIF: a picture made of what is not a picture"},
        {"missing.heic", 0, "HEIF: a picture made of what is not a picture"},
        {"crop.heic", 0, "HEIF: an impossible crop"},
        {"tiny.heic", 0, "HEIF: a coded picture of 64 x 64 pixels, where its header says 1000 x 1000"},
        {"deep.heic", 0, "HEIF: a picture made of itself, or of too many layers"},
    };
    struct image tile, grid;
    struct rusage before, after;
    struct err e = {0};
    size_t bad = 0;

    if (missing("HEIF")) {
        skip("HEIF");
        return;
    }
    if (!ok(image_file_open(&tile, "tests/golden/images/one.heic", &defaults, &e) == 0 &&
            image_file_open(&grid, "tests/golden/images/grid.heic", &defaults, &e) == 0, "a tile, and a grid of it"))
        return;
    for (size_t y = 0; y < grid.h; y++)
        for (size_t x = 0; x < grid.w; x++)
            bad += memcmp(grid.rgb + 3 * (y * grid.w + x), tile.rgb + 3 * (y % 64 * 64 + x % 64), 3) != 0;
    ok(grid.w == 190 && grid.h == 100 && !bad, "the grid is made of tiles: %zu pixels differ", bad);
    image_free(&grid);
    ok(image_file_open(&grid, "tests/golden/images/alpha.heic", &defaults, &e) == 0 &&
       !memcmp(grid.rgb, tile.rgb, 64 * 64 * 3), "alpha is dropped");
    image_free(&grid);
    image_free(&tile);
    getrusage(RUSAGE_SELF, &before);
    for (size_t i = 0; i < sizeof forged / sizeof *forged; i++) {
        const struct image_options o = {.max_pixels = forged[i].max};
        char name[100];
        int r;

        snprintf(name, sizeof name, "tests/golden/images/forged/%s", forged[i].name);
        e.msg[0] = 0;
        r = image_file_open(&tile, name, &o, &e);
        if (!ok(r < 0 && !strcmp(e.msg, forged[i].why), "%s: %s", forged[i].name, forged[i].why))
            printf("# got %d: %s\n", r, e.msg);
    }
    getrusage(RUSAGE_SELF, &after);
    ok(after.ru_maxrss - before.ru_maxrss < 32 << 10, "they took %ld kB", after.ru_maxrss - before.ru_maxrss);
}

static void hostile(void) {
    unsigned char bmp[54] = "BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\0\0\1\0\0\0\1\0\1\0\x18";
    struct image_options small = {.max_pixels = 10};

    REFUSED("", "empty file");
    REFUSED("hello world, this is a text", "not a picture in a known format");
    REFUSED("\x83\xa6unclip\x01\xa2id\xa1x",
            "a stream of records, not a picture: give it on standard input");
    REFUSED("P6 100000 100000 255\n", "100000 x 100000 pixels, the limit is 178956970 in all");
    REFUSED("P6 99999999999 1 255\n", "broken PNM header");
    REFUSED("P6 1 0 255\nabc", "a picture of no pixels");
    REFUSED("P5 2 1 0\nab", "broken PNM header");
    REFUSED("P2 2 1 9\n3 10", "broken PNM data at byte 13");
    REFUSED("GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\1\0\1\0\0", "65535 x 65535 pixels, the limit is 178956970 in all");
    REFUSED("GIF89a\4\0\3\0\0\0\0", "the GIF data ends early");
    REFUSED("GIF89a\4\0\3\0\0\0\0;", "a GIF without a frame");
    REFUSED("GIF89a\2\0\1\0\0\0\0,\0\0\0\0\2\0\1\0\0\14", "broken GIF data: codes of 12 bits");
    REFUSED("GIF89a\2\0\1\0\0\0\0,\0\0\0\0\2\0\1\0\0\2\1\7", "broken GIF data: a code that means nothing");
    REFUSED("GIF89a\2\0\1\0\0\0\0,\0\0\0\0\2\0\1\0\0\2\1\5", "the GIF data ends early");
    refused(bmp, sizeof bmp, &defaults, "65536 x 65536 pixels, the limit is 178956970 in all");
    refused("P5 4 3 255\n0123456789ab", 23, &small, "4 x 3 pixels, the limit is 10 in all");
    REFUSED("\xff\xd8\xff\xc0\0\x0b\x08\xfd\xe8\xfd\xe8\1\1\x11\0\xff\xda\0\x08\1\1\0\0\x3f\0",
            "65000 x 65000 pixels, the limit is 178956970 in all");
    REFUSED("\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\1\0\0\0\1\x08\2\0\0\0zzzz",
            "a checksum of the PNG data is wrong");
    REFUSED("\x89PNG\r\n\x1a\n\xff\xff\xff\xffIHDR", "the PNG data ends early");
    REFUSED("\0\0\0\x18" "ftypheic", "not a picture in a known format");
}

static void turning(void) {
    /* a b c / d e f, as each orientation shows it, row by row */
    static const char *const want[] = {"3abcdef", "3abcdef", "3cbafed", "3fedcba", "3defabc",
                                       "2adbecf", "2daebfc", "2fcebda", "2cfbead"};
    const char *src = "abcdef";

    for (int o = 0; o <= 9; o++) {
        struct image im = {.rgb = malloc(18), .w = 3, .h = 2};
        const char *w = want[o < 9 ? o : 0];
        int bad = 0;

        for (int i = 0; i < 18; i++)
            im.rgb[i] = (unsigned char)src[i / 3];
        image_turn(&im, o, NULL);
        for (int i = 0; i < 18; i++)
            bad += im.rgb[i] != (unsigned char)w[1 + i / 3];
        ok(!bad && im.w == (size_t)(w[0] - '0'), "orientation %d", o);
        image_free(&im);
    }
}

static void exif(void) {
#define TIFF(s) exif_tiff((const unsigned char *)(s), sizeof(s) - 1)
#define XMP(s) exif_xmp((const unsigned char *)(s), sizeof(s) - 1)
    ok(TIFF("MM\0*\0\0\0\10\0\1\1\x12\0\3\0\0\0\1\0\5\0\0") == 5, "big endian");
    ok(TIFF("II*\0\10\0\0\0\2\0\1\1\3\0\1\0\0\0\7\0\0\0\x12\1\3\0\1\0\0\0\6\0\0\0") == 6,
       "little endian, second entry");
    ok(TIFF("Exif\0\0MM\0*\0\0\0\10\0\1\1\x12\0\3\0\0\0\1\0\5\0\0") == 5, "behind the word Exif");
    ok(TIFF("MM\0*\0\0\0\10\0\1\1\x12\0\3\0\0\0\1\0\11\0\0") == 1, "9 is not an orientation");
    ok(TIFF("MM\0*\0\0\0\10\0\1\1\x12\0\4\0\0\0\1\0\0\0\5") == 5, "a LONG");
    ok(TIFF("II*\0\10\0\0\0\1\0\x12\1\x9\0\1\0\0\0\3\0\0\0") == 3, "a signed LONG");
    ok(TIFF("II*\0\10\0\0\0\1\0\x12\1\5\0\1\0\0\0\x1a\0\0\0\0\0\0\0\20\0\0\0\2\0\0\0") == 8, "a fraction of 16 / 2");
    ok(TIFF("II*\0\10\0\0\0\1\0\x12\1\x0b\0\1\0\0\0\0\0\xc0\x40") == 6, "a float");
    ok(TIFF("II*\0\10\0\0\0\1\0\x12\1\2\0\2\0\0\0" "6\0\0\0") == 1, "a text is not a number, but it is there: XMP does not count");
    ok(TIFF("MM\0*\0\0\0\10\0\1\1\x12\0\3\0\0\0\1\0\5") == 0, "an entry that is cut");
    ok(TIFF("MM\0*\xff\xff\xff\xff\0\1") == 0 && TIFF("MM\0*") == 0, "offsets beyond the end");
    ok(TIFF("MM\0*\0\0\0\10\xff\xff") == 0, "more entries than bytes");
    ok(XMP("<a tiff:Orientation=\"6\"/>") == 6 && XMP("<tiff:Orientation>8</tiff:Orientation>") == 8,
       "XMP: an attribute, an element");
    ok(XMP("tiff:Orientation='6' tiff:Orientation=\"3\"") == 3, "XMP: single quotes are passed over, as Pillow does");
    ok(XMP("tiff:Orientation=\"9\"") == 1 && XMP("tiff:Orientation=\"") == 0 && XMP("tiff") == 0, "XMP: nonsense");
}

static void no_files(void) {
    char dir[] = "/tmp/unclip-image-XXXXXX", name[64];
    unsigned char *p;
    struct err e = {0};
    size_t n;

    if (!ok(mkdtemp(dir) != NULL, "a directory to try in"))
        return;
    ok(image_file_read(dir, &p, &n, &e) < 0 && !p && !strcmp(e.msg, "Is a directory (DIR/* names the files in it)"), "a directory");
    snprintf(name, sizeof name, "%s/fifo", dir);
    e.msg[0] = 0;
    ok(mkfifo(name, 0600) == 0 && image_file_read(name, &p, &n, &e) < 0 &&
       !strcmp(e.msg, "is a FIFO, not a regular file"), "a FIFO, and nothing waits for it");
    unlink(name);
    e.msg[0] = 0;
    ok(image_file_read(name, &p, &n, &e) < 0 && !strcmp(e.msg, "No such file or directory"), "nothing");
    e.msg[0] = 0;
    ok(image_file_read("/dev/zero", &p, &n, &e) < 0 && !strcmp(e.msg, "is a device, not a regular file"),
       "a device");
    rmdir(dir);
}

/* libheif's AV1 decoder leaks memory on broken files, which cannot be mended here. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);    /* not hidden from LSan */
const char *__lsan_default_suppressions(void) {
    return "leak:libdav1d\nleak:libheif\n";
}

int main(void) {
    quiet = open("/dev/null", O_WRONLY);
    loud = dup(2);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        one(i);
    tiny();
    jpeg_scans();
    tiff();
    heif();
    alpha();
    hostile();
    turning();
    exif();
    no_files();
    return done();
}
