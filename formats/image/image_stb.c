/* stb_image, compiled here and nowhere else: PNG, BMP, TGA, PSD, and JPEG where
 * libjpeg-turbo is missing.  Its malloc is counted against a budget that the size in the
 * header sets, per thread, and cleared, because it shows what it did not read.  It reads
 * through callbacks, since only they can tell that it wanted more than the file holds: by
 * itself it fills what is missing with zeros. */
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "formats/image/exif.h"
#include "formats/image/image_codec.h"
#include "formats/image/image_stb.h"

static _Thread_local size_t budget;

union head {
    size_t n;
    max_align_t align;
};

static void *stb_malloc(size_t n) {
    union head *h;

    if (n > budget || !(h = calloc(1, n + sizeof *h)))
        return NULL;
    budget -= n;
    h->n = n;
    return h + 1;
}

static void stb_free(void *p) {
    union head *h = p;

    if (!h)
        return;
    budget += h[-1].n;
    free(h - 1);
}

static void *stb_realloc(void *p, size_t n) {
    union head *h = p;
    void *q = stb_malloc(n);

    if (q && h)
        memcpy(q, p, h[-1].n < n ? h[-1].n : n);
    if (q)
        stb_free(p);
    return q;
}

#pragma GCC diagnostic push
#include "formats/image/stb_quiet.h"
#define STBI_MALLOC stb_malloc
#define STBI_REALLOC stb_realloc
#define STBI_FREE stb_free
#define STBI_NO_STDIO
#define STBI_NO_HDR
#define STBI_NO_LINEAR
#define STBI_NO_PIC
#define STBI_NO_PNM
#define STBI_NO_GIF
#ifdef HAVE_LIBJPEG
#define STBI_NO_JPEG
#endif
#define STB_IMAGE_IMPLEMENTATION
#include <stb/stb_image.h>
#pragma GCC diagnostic pop

struct source {
    const unsigned char *p;
    size_t n, at;
    const char *buffer;    /* stb_image's own, which it fills ahead of need */
    bool cut;              /* more was needed than there is */
};

static int source_read(void *user, char *to, int n) {
    struct source *s = user;
    size_t want = (size_t)(n > 0 ? n : 0), have = s->n - s->at;

    if (!s->buffer)    /* the first thing that is read */
        s->buffer = to;
    s->cut |= want > have && (to != s->buffer || !have);
    if (want > have)
        want = have;
    memcpy(to, s->p + s->at, want);
    s->at += want;
    return (int)want;
}

static void source_skip(void *user, int n) {
    struct source *s = user;

    if (n < 0) {
        s->cut = true;    /* stb_image never goes back; a hostile length may try */
    } else if ((size_t)n > s->n - s->at) {
        s->cut = true;
        s->at = s->n;
    } else {
        s->at += (size_t)n;
    }
}

static int source_eof(void *user) {
    const struct source *s = user;

    return s->at == s->n;
}

static size_t be(const unsigned char *p, int n) {
    size_t v = 0;

    for (int i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

/* *copy: of a PSD with an alpha channel, the file without it, to be freed; NULL if there is none.
 * stb_image would take white out of what is half transparent, by floats that leave the range of a
 * byte; the colours as they are is what Pillow shows. */
static int psd_opaque(const unsigned char *p, size_t *n, unsigned char **copy, struct err *e) {
    size_t at = 26, channels, table = 0, gap = 0;
    unsigned char *q;

    *copy = NULL;
    if (*n < at || memcmp(p, "8BPS", 4) || (channels = be(p + 12, 2)) < 4)
        return 0;
    for (int i = 0; i < 3; i++) {    /* mode data, resources, layers */
        if (*n - at < 4 || be(p + at, 4) > *n - at - 4)
            return err_set(e, "the PSD data ends early");
        at += 4 + be(p + at, 4);
    }
    if (*n - at < 2)
        return err_set(e, "the PSD data ends early");
    if (be(p + at, 2) == 1) {    /* packed: a length of two bytes for each row of each channel */
        table = 3 * 2 * be(p + 14, 4);
        gap = (channels - 3) * 2 * be(p + 14, 4);
    }
    at += 2;
    if (*n - at < table + gap)
        return err_set(e, "the PSD data ends early");
    if (!(q = malloc(*n)))
        return err_set(e, "no memory for %zu bytes", *n);
    at += table;
    memcpy(q, p, at);
    memcpy(q + at, p + at + gap, *n - at - gap);
    q[12] = 0;
    q[13] = 3;
    *n -= gap;
    *copy = q;
    return 0;
}

static int read_bytes(struct image *im, const unsigned char *p, size_t n,
                      const struct image_options *o, const struct image_rows *to, struct err *e) {
    static const stbi_io_callbacks io = {source_read, source_skip, source_eof};
    struct source s = {.p = p, .n = n};
    int w, h, c, w2, h2;
    unsigned char *px;

    if (n > INT_MAX)
        return err_set(e, "too large a file");
    budget = 1 << 20;
    if (!stbi_info_from_callbacks(&io, &s, &w, &h, &c) || w <= 0 || h <= 0)
        return err_set(e, s.cut ? "the %s data ends early" : "broken %s header", im->format);
    if (image_size((uint64_t)w, (uint64_t)h, o, e) < 0)
        return -1;
    s = (struct source){.p = p, .n = n};
    budget = 32 * (size_t)w * (size_t)h + 2 * n + (1 << 20);
    px = stbi_load_from_callbacks(&io, &s, &w2, &h2, &c, 3);
    if (!px || w2 != w || h2 != h || s.cut) {
        const char *why = stbi_failure_reason();

        stb_free(px);
        if (s.cut)
            return err_set(e, "the %s data ends early", im->format);
        return err_set(e, "the %s data cannot be decoded (%s)", im->format, px ? "two sizes" : why ? why : "?");
    }
    if (image_begin(im, (uint64_t)w, (uint64_t)h, o, to, e) < 0)
        return stb_free(px), -1;
    image_give(im, px, im->w * 3, to);
    stb_free(px);
    return 0;
}

int stb_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
             const struct image_rows *to, struct err *e) {
    unsigned char *q;
    int r;

    if (psd_opaque(p, &n, &q, e) < 0)
        return -1;
    r = read_bytes(im, q ? q : p, n, o, to, e);
    free(q);
    return r;
}

/* ---- PNG: a walk over the chunks, which stb_image does not check ---- */

static uint32_t big32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int png_check(const unsigned char *p, size_t n, struct err *e) {
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
        if (!memcmp(type, "IEND", 4))
            return 0;
        at += 12 + len;
    }
    return err_set(e, "the PNG data ends early");
}

static int png_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *to, struct err *e) {
    return png_check(p, n, e) < 0 ? -1 : stb_read(im, p, n, o, to, e);
}

/* ---- what the formats look like ---- */

static bool png_probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "\x89PNG\r\n\x1a\n");
}

static bool bmp_probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "BM") && n >= 26;
}

static bool psd_probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "8BPS");
}

/* TGA has no magic: every field of its header must make sense. */
static bool tga_probe(const unsigned char *p, size_t n) {
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

const struct image_codec image_codec_png = {"PNG", png_probe, png_read, exif_png},
    image_codec_bmp = {"BMP", bmp_probe, stb_read, NULL}, image_codec_psd = {"PSD", psd_probe, stb_read, NULL},
    image_codec_tga = {"TGA", tga_probe, stb_read, NULL};
