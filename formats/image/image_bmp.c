/* allocates: a row, and the palette indices of a run-length picture */
/* Reads BMP files as Pillow does: headers of 12 to 124 bytes, rows from the bottom or from the top, palettes, 16,
 * 24 and 32 bits with or without masks, RLE8 and RLE4.  Source: Microsoft's BITMAPV5HEADER; Pillow 13
 * BmpImagePlugin.py, read for what it accepts and for the values it gives. */
#include <stdlib.h>
#include <string.h>

#include "formats/image/bytes.h"
#include "formats/image/image_codec.h"
#include "lib/base/size.h"

enum { RAW, RLE8, RLE4, MASKS };    /* values of biCompression */

struct bmp {
    const unsigned char *p;
    size_t n;
    uint32_t w, h, bits, compression;
    size_t pixels;                 /* offset of the pixels in the file */
    bool top_down;
    uint32_t mask[3];              /* the bits of red, green and blue in a pixel of 16 or 32 bits */
    unsigned char colour[256][3];  /* the palette; an entry that the file lacks is black */
};

static int ends(struct err *e) {
    return err_set(e, "the BMP data ends early");
}

/* ---- the header ---- */

static const uint32_t rgb555[] = {0x7c00, 0x3e0, 0x1f}, rgb888[] = {0xff0000, 0xff00, 0xff};

static bool header_known(uint32_t size) {
    return size == 12 || size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124;
}

static void read_sizes(struct bmp *b, const unsigned char *head, uint32_t size) {
    if (size == 12) {
        b->w = little16(head + 4), b->h = little16(head + 6), b->bits = little16(head + 10);
        return;
    }
    b->w = little32(head + 4), b->h = little32(head + 8);
    b->top_down = b->h >> 31;
    b->h = b->top_down ? -b->h : b->h;
    b->bits = little16(head + 14);
    b->compression = little32(head + 16);
}

/* Reads the three colour masks at offset `at`.  They follow a header of 40 bytes, and are a part of longer headers.
 * The ones of a mask must be adjacent.  For pixels of 32 bits all three masks may be zero; b->mask then becomes
 * rgb888. */
static int read_masks(struct bmp *b, size_t at, struct err *e) {
    uint32_t all = 0;
    bool known = true;

    if (b->n < at + 12)
        return ends(e);
    for (int c = 0; c < 3; c++) {
        uint32_t m = little32(b->p + at + 4 * (size_t)c), low = m & -m;

        b->mask[c] = m;
        m /= low ? low : 1;
        known &= !(m & (m + 1)) && (b->bits != 16 || b->mask[c] <= 0xffff);
        known &= b->bits != 24 || b->mask[c] == rgb888[c];
        all |= m;
    }
    if (!known || (b->bits == 16 && !all))
        return err_set(e, "a BMP with masks of an unknown form");
    if (!all)    /* all masks of 32-bit pixels are zero */
        memcpy(b->mask, rgb888, sizeof b->mask);
    return 0;
}

/* Reads the palette at offset `at`, in entries of `each` bytes, blue first.  Entries that the file lacks are black.  If
 * each entry is the grey of its own number, Pillow takes the indices for levels of grey.  If the palette is black, or
 * black and white, Pillow takes them for black and white.  The indices beyond the palette are then the grey of their
 * own number, or white. */
static int read_palette(struct bmp *b, size_t at, size_t each, size_t colours, struct err *e) {
    size_t n = size_min(size_min(colours, 256), (b->n - at) / each);
    bool ramp = n == colours;

    if (!colours || colours > 65536)
        return err_set(e, "a BMP with a palette of %zu colours", colours);
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < 3; c++) {
            b->colour[i][c] = b->p[at + i * each + 2 - c];
            ramp &= b->colour[i][c] == (colours == 2 ? 255 * i : i);
        }
    for (size_t i = n; ramp && i < 256; i++)
        memset(b->colour[i], colours <= 2 ? 255 : (int)i, 3);
    return 0;
}

static int read_header(struct bmp *b, struct err *e) {
    uint32_t size = little32(b->p + 14), colours = 0;
    size_t at = 14 + (size_t)size, each = size == 12 ? 3 : 4;

    if (!header_known(size))
        return err_set(e, "broken BMP header");
    if (b->n < at)
        return ends(e);
    read_sizes(b, b->p + 14, size);
    if (b->bits != 1 && b->bits != 4 && b->bits != 8 && b->bits != 16 && b->bits != 24 && b->bits != 32)
        return err_set(e, "a BMP of %u bits a pixel", (unsigned)b->bits);
    if (b->compression > MASKS)
        return err_set(e, "a BMP of compression %u", (unsigned)b->compression);
    if ((b->compression == RLE8 || b->compression == RLE4) && b->bits > 8)
        return err_set(e, "broken BMP header");
    if (b->compression == MASKS && b->bits < 16)
        return err_set(e, "broken BMP header");
    if (size != 12)
        colours = little32(b->p + 14 + 32);
    if (!colours && b->bits <= 8)
        colours = 1u << b->bits;
    memcpy(b->mask, b->bits == 16 ? rgb555 : rgb888, sizeof b->mask);
    if (b->compression == MASKS && read_masks(b, size < 52 ? at : 14 + 40, e) < 0)
        return -1;
    if (b->compression == MASKS && size < 52)
        at += 12;
    b->pixels = little32(b->p + 10);
    if (b->bits <= 8) {
        if (read_palette(b, at, each, colours, e) < 0)
            return -1;
        if (!b->pixels || b->pixels == at)    /* some writers do not count the palette in the offset of the pixels */
            b->pixels = at + each * colours;
    } else if (!b->pixels) {
        b->pixels = at;
    }
    return b->pixels > b->n ? ends(e) : 0;
}

/* ---- rows as they are ---- */

/* Converts a pixel v of 16 or 32 bits to RGB with the masks.  A sample s of 5 bits gives s * 255 / 31, rounded down. */
static void masked(const struct bmp *b, uint32_t v, unsigned char *out) {
    for (int c = 0; c < 3; c++) {
        uint32_t m = b->mask[c], low = m & -m;

        out[c] = (unsigned char)(m ? (uint64_t)((v & m) / low) * 255 / (m / low) : 0);
    }
}

static void raw_row(const struct bmp *b, const unsigned char *in, unsigned char *out) {
    bool plain = !memcmp(b->mask, rgb888, sizeof rgb888);

    for (size_t x = 0; x < b->w; x++, out += 3)
        if (b->bits == 24 || (b->bits == 32 && plain)) {
            const unsigned char *q = in + x * (b->bits / 8);

            out[0] = q[2], out[1] = q[1], out[2] = q[0];
        } else if (b->bits > 8) {
            masked(b, b->bits == 16 ? little16(in + 2 * x) : little32(in + 4 * x), out);
        } else {
            size_t bit = x * b->bits;

            memcpy(out, b->colour[(unsigned)in[bit / 8] >> (8 - b->bits - bit % 8) & ((1u << b->bits) - 1)], 3);
        }
}

static int raw_rows(const struct bmp *b, struct image *im, const struct image_options *o, const struct image_rows *to,
                    struct err *e) {
    uint64_t bits = (uint64_t)b->w * b->bits, stride = (bits + 31) / 32 * 4, need;
    unsigned char *row;

    if (image_size(b->w, b->h, o, e) < 0)
        return -1;
    need = stride * (b->h - 1) + (bits + 7) / 8;    /* the last row may miss its padding */
    if (b->n - b->pixels < need)
        return ends(e);
    if (!(row = malloc((size_t)b->w * 3)))
        return err_set(e, "no memory for a row of %u pixels", (unsigned)b->w);
    if (image_begin(im, b->w, b->h, o, to, e) < 0)
        return free(row), -1;
    for (uint32_t y = 0; y < b->h; y++) {
        raw_row(b, b->p + b->pixels + (b->top_down ? y : b->h - 1 - y) * stride, row);
        to->row(to->of, row);
    }
    free(row);
    return 0;
}

/* ---- run lengths ---- */

/* Receives the palette indices of the picture, row after row.  If `index` is NULL, the indices are only counted. */
struct plane {
    unsigned char *index;
    size_t at, n;    /* how many indices were received; how many the picture has */
};

static void put(struct plane *to, unsigned first, unsigned second, size_t n) {
    for (size_t i = 0; to->index && i < n && to->at + i < to->n; i++)
        to->index[to->at + i] = (unsigned char)(i % 2 ? second : first);
    to->at += n;
}

/* Copies `count` indices that are not run-length coded.  Returns how many bytes they took, or 0 if the data ends. */
static size_t literal(struct plane *to, const struct bmp *b, size_t at, size_t count) {
    bool four = b->compression == RLE4;
    size_t bytes;

    count = size_min(count, to->n - to->at);
    bytes = four ? (count + 1) / 2 : count;
    if (b->n - at < bytes)
        return 0;
    for (size_t i = 0; i < count; i++) {
        unsigned v = four ? (unsigned)b->p[at + i / 2] >> (i % 2 ? 0 : 4) & 15u : b->p[at + i];

        put(to, v, v, 1);
    }
    return bytes;
}

/* Decodes RLE8 or RLE4 data into `to` by Pillow's rules: a run stops at the end of its row, and pixels that an end of
 * row or a jump leaves out get index 0.  Returns true if the data holds the whole picture. */
static bool unpack(const struct bmp *b, struct plane *to) {
    size_t at = b->pixels, x = 0;

    while (to->at < to->n && b->n - at >= 2) {
        size_t run = b->p[at], v = b->p[at + 1];

        at += 2;
        if (run) {
            run = x + run > b->w ? (x < b->w ? b->w - x : 0) : run;
            if (b->compression == RLE4)
                put(to, (unsigned)v >> 4, v & 15, run);
            else
                put(to, (unsigned)v, (unsigned)v, run);
            x += run;
        } else if (v == 0) {
            put(to, 0, 0, (b->w - to->at % b->w) % b->w);
            x = 0;
        } else if (v == 1) {
            break;
        } else if (v == 2) {
            if (b->n - at < 2)
                break;
            run = b->p[at] + (size_t)b->p[at + 1] * b->w;
            put(to, 0, 0, size_min(run, to->n - to->at));
            x = to->at % b->w;
            at += 2;
        } else {
            size_t bytes = literal(to, b, at, v);

            if (!bytes)
                break;
            at += bytes;
            at += at & 1;    /* the next code is at an even offset */
            at = size_min(at, b->n);
            x += v;
        }
    }
    return to->at >= to->n;
}

static int packed_rows(const struct bmp *b, struct image *im, const struct image_options *o,
                       const struct image_rows *to, struct err *e) {
    struct plane all;
    unsigned char *row;

    if (image_size(b->w, b->h, o, e) < 0)
        return -1;
    all = (struct plane){.n = (size_t)b->w * b->h};
    if (!unpack(b, &all))    /* this call only counts, before memory is taken for the picture */
        return ends(e);
    all.at = 0;
    all.index = malloc(all.n);
    row = malloc((size_t)b->w * 3);
    if (!all.index || !row || image_begin(im, b->w, b->h, o, to, e) < 0) {
        if (!all.index || !row)
            err_set(e, "no memory for %u x %u pixels", (unsigned)b->w, (unsigned)b->h);
        free(all.index);
        free(row);
        return -1;
    }
    unpack(b, &all);
    for (uint32_t y = 0; y < b->h; y++) {
        const unsigned char *index = all.index + (size_t)(b->top_down ? y : b->h - 1 - y) * b->w;

        for (size_t x = 0; x < b->w; x++)
            memcpy(row + 3 * x, b->colour[index[x]], 3);
        to->row(to->of, row);
    }
    free(all.index);
    free(row);
    return 0;
}

static bool probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "BM") && n >= 26;
}

static int bmp_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *to, struct err *e) {
    struct bmp b = {.p = p, .n = n};

    if (read_header(&b, e) < 0)
        return -1;
    return b.compression == RLE8 || b.compression == RLE4 ? packed_rows(&b, im, o, to, e) : raw_rows(&b, im, o, to, e);
}

const struct image_codec image_codec_bmp = {"BMP", probe, bmp_read, NULL, false};
