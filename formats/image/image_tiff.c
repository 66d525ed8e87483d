/* allocates: a row of tiles, or a strip */
/* Decodes the first picture of a TIFF file with libtiff, and turns it as its orientation tag says, because Pillow always
 * does.  A band is a strip, or a row of tiles.  One band is decoded at a time, and its samples become RGB row by row.
 *
 * libtiff is opened with dlopen when the first TIFF file comes, as libheif is in image_heif.c, because loading its codecs
 * would slow down every start of the program. */
#include <stdlib.h>
#include <string.h>

#include "formats/image/exif.h"
#include "formats/image/image_codec.h"
#include "formats/image/image_read.h"

static bool probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "II*\0") || IMAGE_MAGIC(p, n, 0, "MM\0*") || IMAGE_MAGIC(p, n, 0, "II+\0\10\0\0\0") ||
           IMAGE_MAGIC(p, n, 0, "MM\0+\0\10\0\0");
}

#ifdef HAVE_LIBTIFF_4
#include <dlfcn.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <tiffio.h>

#define LIBTIFF "libtiff.so.6"    /* the name of the library since version 4.5; libtiff.so.5 is tried after it */

/* The functions of libtiff that this file calls. */
#define FUNCTIONS(F)                                                                                         \
    F(SetErrorHandler) F(SetWarningHandler) F(ClientOpen) F(Close) F(GetField) F(GetFieldDefaulted) F(SetField) \
    F(IsTiled) F(NumberOfStrips) F(NumberOfTiles) F(ReadEncodedStrip) F(ReadEncodedTile)

#define POINTER(f) __typeof__(TIFF##f) *f;
static struct {
    FUNCTIONS(POINTER)
    struct err missing;    /* says why libtiff cannot be used, or "" */
} lib;

static pthread_once_t opened = PTHREAD_ONCE_INIT;
static _Thread_local char said[160];    /* libtiff's first message about this file */
static _Thread_local bool warned;       /* libtiff has warned about this file */

__attribute__((format(printf, 2, 0)))
static void hear(const char *module, const char *fmt, va_list ap) {
    (void)module;
    if (!*said)
        vsnprintf(said, sizeof said, fmt, ap);
}

static void hear_warning(const char *module, const char *fmt, va_list ap) {
    (void)module, (void)fmt, (void)ap;
    warned = true;
}

/* Stores the address of a function of the library in *to (see image_heif.c for the reason for memcpy). */
static void find(void *library, const char *name, void *to) {
    void *p = library ? dlsym(library, name) : NULL;

    if (!p && !lib.missing.msg[0])
        err_set(&lib.missing, "TIFF files need libtiff: %s", dlerror());
    memcpy(to, &p, sizeof p);
}

static void open_library(void) {
    void *library = dlopen(LIBTIFF, RTLD_NOW | RTLD_LOCAL);

    if (!library)
        library = dlopen("libtiff.so.5", RTLD_NOW | RTLD_LOCAL);
#define FIND(f) find(library, "TIFF" #f, &lib.f);
    FUNCTIONS(FIND)
    if (lib.missing.msg[0])
        return;
    lib.SetErrorHandler(hear);
    lib.SetWarningHandler(hear_warning);
}

/* ---- the file in memory ---- */

struct memory {
    const unsigned char *p;
    size_t n;
    uint64_t at;
};

static tmsize_t memory_read(thandle_t h, void *to, tmsize_t want) {
    struct memory *m = h;
    uint64_t left = m->at < m->n ? m->n - m->at : 0, n = (uint64_t)want < left ? (uint64_t)want : left;

    memcpy(to, m->p + m->n - left, (size_t)n);
    m->at += n;
    return (tmsize_t)n;
}

static tmsize_t memory_write(thandle_t h, void *from, tmsize_t n) {
    (void)h, (void)from, (void)n;
    return -1;
}

static toff_t memory_seek(thandle_t h, toff_t to, int whence) {
    struct memory *m = h;

    m->at = whence == SEEK_CUR ? m->at + to : whence == SEEK_END ? m->n + to : to;
    return m->at;
}

static int memory_close(thandle_t h) {
    (void)h;
    return 0;
}

static toff_t memory_size(thandle_t h) {
    return ((struct memory *)h)->n;
}

/* ---- what the picture is ---- */

enum { SAMPLES_MAX = 8 };

struct tiff {
    TIFF *t;
    size_t w, h;
    uint16_t bits, samples, photo, compression;
    bool tiled, separate, premultiplied;    /* separate: planar, each sample has strips or tiles of its own */
    size_t wanted;                 /* number of used samples of a pixel: 1, 3 or 4 (CMYK, or RGB and alpha if premultiplied) */
    size_t tw, th, across, down;   /* size of a tile (or strip); numbers of tiles in a row and in a column */
    size_t line, tile;             /* bytes of one row of a tile (or strip), and of the whole tile */
    uint16_t *red, *green, *blue;  /* the palette */
    unsigned char shade[256][3];   /* the RGB of each sample if `wanted` is 1 */
    unsigned char *band;           /* [used planes, 1 unless `separate`][across][tile] */
};

static uint16_t field16(const struct tiff *f, uint32_t tag, uint16_t absent) {
    uint16_t v;

    return lib.GetFieldDefaulted(f->t, tag, &v) ? v : absent;
}

/* Returns the largest number of bytes of pixels that one compressed byte of this compression can become.  Returns 0 if the
 * compression has no such limit, and -1 if it is not supported. */
static int64_t expansion(uint16_t compression) {
    switch (compression) {
    case COMPRESSION_NONE: return 1;
    case COMPRESSION_PACKBITS: return 64;
    case COMPRESSION_LZW: return 4096;
    case COMPRESSION_JPEG: return 4096;
    case COMPRESSION_ADOBE_DEFLATE: case COMPRESSION_DEFLATE: return 1032;
    case COMPRESSION_CCITTRLE: case COMPRESSION_CCITTRLEW: case COMPRESSION_CCITTFAX3: case COMPRESSION_CCITTFAX4:
    case COMPRESSION_ZSTD: case COMPRESSION_WEBP: return 0;
    }
    return -1;
}

/* Sets f->wanted, the number of samples that make the colour of a pixel, and refuses pictures that are not supported. */
static int colours(struct tiff *f, struct err *e) {
    static const char *const photos[] = {"grey", "grey", "RGB", "a palette", "a mask", "CMYK", "YCbCr"};
    uint16_t nextra = 0, *extra = NULL, format = field16(f, TIFFTAG_SAMPLEFORMAT, 1);

    if (f->photo == PHOTOMETRIC_YCBCR && f->samples > 1) {
        if (f->compression != COMPRESSION_JPEG || f->separate)
            return err_set(e, "TIFF: YCbCr without JPEG is not supported");
        lib.SetField(f->t, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);
    }
    if (f->photo > PHOTOMETRIC_YCBCR || f->photo == PHOTOMETRIC_MASK)
        return err_set(e, "TIFF: %s are not supported", f->photo == PHOTOMETRIC_CIELAB ? "CIELAB colours" : "masks and rare colours");
    f->wanted = f->photo == PHOTOMETRIC_RGB || (f->photo == PHOTOMETRIC_YCBCR && f->samples > 1) ? 3
                : f->photo == PHOTOMETRIC_SEPARATED ? 4 : 1;
    if (f->samples < f->wanted || f->samples > SAMPLES_MAX)
        return err_set(e, "TIFF: %s of %d samples", photos[f->photo], f->samples);
    if (f->bits != 1 && f->bits != 2 && f->bits != 4 && f->bits != 8 && f->bits != 16)
        return err_set(e, "TIFF: samples of %d bits are not supported", f->bits);
    if (f->bits < 8 && (f->wanted > 1 || f->samples > 1))
        return err_set(e, "TIFF: %s of %d bits is not supported", photos[f->photo], f->bits);
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID && !(format == SAMPLEFORMAT_INT && f->bits <= 8))
        return err_set(e, "TIFF: samples that are %s are not supported", format == SAMPLEFORMAT_INT ? "signed" : "not integers");
    if (f->photo == PHOTOMETRIC_PALETTE &&
        (f->bits > 8 || !lib.GetField(f->t, TIFFTAG_COLORMAP, &f->red, &f->green, &f->blue)))
        return err_set(e, "TIFF: a palette is missing");
    if (lib.GetField(f->t, TIFFTAG_EXTRASAMPLES, &nextra, &extra) && nextra && extra[0] == EXTRASAMPLE_ASSOCALPHA &&
        f->wanted == 3 && f->samples > 3)
        f->premultiplied = true, f->wanted = 4;
    return 0;
}

/* Sets the sizes of the strips or tiles, and allocates a band.  n is the length of the file. */
static int layout(struct tiff *f, size_t n, const struct image_options *o, struct err *e) {
    const size_t each = f->separate ? 1 : f->samples;
    uint32_t tw = 0, th = 0;
    int64_t factor = expansion(f->compression);

    f->tiled = lib.IsTiled(f->t);
    if (f->tiled) {
        lib.GetField(f->t, TIFFTAG_TILEWIDTH, &tw), lib.GetField(f->t, TIFFTAG_TILELENGTH, &th);
    } else {
        lib.GetFieldDefaulted(f->t, TIFFTAG_ROWSPERSTRIP, &th);
        tw = (uint32_t)f->w, th = th < f->h ? th : (uint32_t)f->h;
    }
    if (!tw || !th)
        return err_set(e, "TIFF: tiles of no pixels");
    f->tw = tw, f->th = th;
    f->across = (f->w + tw - 1) / tw, f->down = (f->h + th - 1) / th;
    if (image_size(f->across * tw, th, o, e) < 0)
        return -1;
    f->line = (f->tw * each * f->bits + 7) / 8;
    f->tile = f->line * f->th;
    if (f->across * f->down * (f->separate ? f->samples : 1) != (f->tiled ? lib.NumberOfTiles : lib.NumberOfStrips)(f->t))
        return err_set(e, "TIFF: its strips do not make up the picture");
    /* The table of strips has at least 2 bytes for each strip, so a file of n bytes has fewer than n strips. */
    if (f->across * f->down > n || (factor && f->line * f->across * f->h > n * (uint64_t)factor))
        return err_set(e, "the TIFF data ends early");
    f->band = malloc((f->separate ? f->wanted : 1) * f->across * f->tile);
    return f->band ? 0 : err_set(e, "no memory for %zu x %zu pixels", f->across * f->tw, f->th);
}

/* ---- pixels ---- */

/* If fax data are broken or end early, libtiff only warns.  So a warning about fax data is taken as an error. */
static bool is_fax(const struct tiff *f) {
    return f->compression >= COMPRESSION_CCITTRLE && f->compression <= COMPRESSION_CCITTFAX4;
}

/* Decodes the band that begins at row y. */
static int decode_band(const struct tiff *f, size_t y, struct err *e) {
    const size_t planes = f->separate ? f->wanted : 1, rows = f->h - y < f->th ? f->h - y : f->th;

    for (size_t p = 0; p < planes; p++)
        for (size_t c = 0; c < f->across; c++) {
            const uint32_t k = (uint32_t)((p * f->down + y / f->th) * f->across + c);
            const tmsize_t want = (tmsize_t)(f->tiled ? f->tile : rows * f->line);
            unsigned char *to = f->band + (p * f->across + c) * f->tile;

            warned = false;
            if ((f->tiled ? lib.ReadEncodedTile : lib.ReadEncodedStrip)(f->t, k, to, want) != want || (warned && is_fax(f)))
                return err_set(e, *said ? "TIFF: %s" : "broken TIFF data, or it ends early", said);
        }
    return 0;
}

/* Returns sample i of a row.  Of a sample of 16 bits, returns the high byte. */
static unsigned sample(const unsigned char *line, size_t i, unsigned bits) {
    uint16_t v;

    if (bits == 8)
        return line[i];
    if (bits < 8)
        return (unsigned)line[i * bits / 8] >> (8 - bits - i * bits % 8) & ((1u << bits) - 1);
    memcpy(&v, line + 2 * i, 2);
    return (unsigned)v >> 8;
}

static unsigned char clip(unsigned v) {
    return (unsigned char)(v < 255 ? v : 255);
}

/* Converts the samples v [f->wanted] of a pixel to RGB. */
static void colour(const struct tiff *f, const unsigned *v, unsigned char *rgb) {
    switch (f->photo) {
    case PHOTOMETRIC_PALETTE:
        rgb[0] = (unsigned char)(f->red[*v] >> 8), rgb[1] = (unsigned char)(f->green[*v] >> 8);
        rgb[2] = (unsigned char)(f->blue[*v] >> 8);
        break;
    case PHOTOMETRIC_SEPARATED:
        for (int k = 0; k < 3; k++)
            rgb[k] = image_cmyk(255 - v[k], 255 - v[3]);
        break;
    case PHOTOMETRIC_MINISWHITE: case PHOTOMETRIC_MINISBLACK:
        memset(rgb, (int)(f->bits < 8 ? *v * 255 / ((1u << f->bits) - 1) : *v) ^ (f->photo ? 0 : 255), 3);
        break;
    default:    /* RGB, or YCbCr with only the luma */
        for (int k = 0; k < 3; k++)
            rgb[k] = (unsigned char)(f->wanted == 1 ? v[0] : v[k]);
        if (f->premultiplied)
            for (int k = 0; k < 3; k++)
                rgb[k] = v[3] ? clip(v[k] * 255 / v[3]) : 0;
    }
}

static void shades(struct tiff *f) {
    for (unsigned v = 0; v < (f->bits < 8 ? 1u << f->bits : 256); v++)
        colour(f, &v, f->shade[v]);
}

/* Writes row y of the band as RGB. */
static void band_row(const struct tiff *f, size_t y, unsigned char *rgb) {
    const size_t step = f->separate ? 1 : f->samples;
    const bool plain = f->bits == 8 && f->wanted == 3 && f->samples == 3 && !f->separate;

    for (size_t c = 0; c < f->across; c++) {
        const unsigned char *line = f->band + c * f->tile + y * f->line;
        const size_t n = f->w - c * f->tw < f->tw ? f->w - c * f->tw : f->tw;

        if (plain) {
            memcpy(rgb + c * f->tw * 3, line, n * 3);
            continue;
        }
        if (f->wanted == 1) {    /* if there are several planes, the first is used */
            for (size_t x = 0; x < n; x++)
                memcpy(rgb + (c * f->tw + x) * 3, f->shade[sample(line, x * step, f->bits)], 3);
            continue;
        }
        for (size_t x = 0; x < n; x++) {
            unsigned v[4];

            for (size_t s = 0; s < f->wanted; s++)
                v[s] = f->separate ? sample(line + s * f->across * f->tile, x, f->bits) : sample(line, x * step + s, f->bits);
            colour(f, v, rgb + (c * f->tw + x) * 3);
        }
    }
}

/* Decodes all rows.  Writes row y to rgb + y * stride, and then passes it to `to` unless `to` is NULL. */
static int rows(const struct tiff *f, unsigned char *rgb, size_t stride, const struct image_rows *to, struct err *e) {
    for (size_t y = 0; y < f->h; y++) {
        if (y % f->th == 0 && decode_band(f, y, e) < 0)
            return -1;
        band_row(f, y % f->th, rgb + y * stride);
        if (to)
            to->row(to->of, rgb + y * stride);
    }
    return 0;
}

static int turned(const struct tiff *f, int orientation, struct image *im, const struct image_options *o,
                  const struct image_rows *to, struct err *e) {
    struct image own = {.w = f->w, .h = f->h};    /* separate from *im, because `to` may write to the pixels of *im */
    const size_t wide = f->w * 3;
    int r = -1;

    if (!(own.rgb = malloc(wide * f->h)))
        return err_set(e, "no memory for %zu x %zu pixels", f->w, f->h);
    if (rows(f, own.rgb, wide, NULL, e) == 0 && image_turn(&own, orientation, e) == 0 &&
        (r = image_begin(im, own.w, own.h, o, to, e)) == 0)
        image_give(im, own.rgb, own.w * 3, to);
    image_free(&own);
    return r;
}

static int upright(const struct tiff *f, struct image *im, const struct image_options *o, const struct image_rows *to,
                   struct err *e) {
    unsigned char *row = malloc(f->w * 3);
    int r = row ? image_begin(im, f->w, f->h, o, to, e) : err_set(e, "no memory for a row of %zu pixels", f->w);

    if (r == 0)
        r = rows(f, row, 0, to, e);
    free(row);
    return r;
}

static int orientation_of(const struct tiff *f) {
    uint16_t v;
    uint32_t n;
    void *xmp;

    if (lib.GetField(f->t, TIFFTAG_ORIENTATION, &v))
        return v;
    return lib.GetField(f->t, TIFFTAG_XMLPACKET, &n, &xmp) ? exif_xmp(xmp, n) : 1;
}

static int picture(struct tiff *f, size_t n, struct image *im, const struct image_options *o, const struct image_rows *to,
                   struct err *e) {
    uint32_t w = 0, h = 0;
    int way;

    lib.GetField(f->t, TIFFTAG_IMAGEWIDTH, &w), lib.GetField(f->t, TIFFTAG_IMAGELENGTH, &h);
    if (image_size(w, h, o, e) < 0)
        return -1;
    f->w = w, f->h = h;
    f->bits = field16(f, TIFFTAG_BITSPERSAMPLE, 1);
    f->samples = field16(f, TIFFTAG_SAMPLESPERPIXEL, 1);
    f->photo = field16(f, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    f->compression = field16(f, TIFFTAG_COMPRESSION, COMPRESSION_NONE);
    f->separate = field16(f, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) == PLANARCONFIG_SEPARATE && f->samples > 1;
    if (expansion(f->compression) < 0)
        return err_set(e, "TIFF: compression %d is not supported", f->compression);
    if (colours(f, e) < 0 || layout(f, n, o, e) < 0)
        return -1;
    if (f->wanted == 1)
        shades(f);
    way = orientation_of(f);
    return way >= 2 && way <= 8 ? turned(f, way, im, o, to, e) : upright(f, im, o, to, e);
}

static int tiff_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                     const struct image_rows *to, struct err *e) {
    struct memory m = {p, n, 0};
    struct tiff f = {0};
    int r;

    pthread_once(&opened, open_library);
    if (lib.missing.msg[0])
        return err_set(e, "%s", lib.missing.msg);
    *said = 0;
    /* r: open for reading.  m: libtiff does not map the file.  D and O: libtiff reads the table of strips later and in parts,
     * because a damaged file may claim any length for the table. */
    f.t = lib.ClientOpen("", "rmDO", &m, memory_read, memory_write, memory_seek, memory_close, memory_size, NULL, NULL);
    if (!f.t)
        return err_set(e, *said ? "TIFF: %s" : "broken TIFF header", said);
    r = picture(&f, n, im, o, to, e);
    free(f.band);
    lib.Close(f.t);
    return r;
}
#else
static int tiff_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                     const struct image_rows *to, struct err *e) {
    (void)im, (void)p, (void)n, (void)o, (void)to;
    return err_set(e, "TIFF files need a build with libtiff");
}
#endif

const struct image_codec image_codec_tiff = {"TIFF", probe, tiff_read, NULL, false};
