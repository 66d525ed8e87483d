/* allocates: a row, or the picture */
/* Reads TGA files as Pillow does: palettes, grey and true colour, run lengths, any corner as the first pixel.
 * Source: Truevision TGA file format specification 2.0; Pillow 13 TgaImagePlugin.py for 5 bits a colour
 * (v * 255 / 31) and for entries that the palette does not have (black). */
#include <stdlib.h>
#include <string.h>

#include "formats/image/bytes.h"
#include "formats/image/image_codec.h"
#include "lib/base/size.h"

enum { PALETTE = 1, COLOUR, GREY, PACKED = 8 };    /* types of picture; PACKED is added for run lengths */

struct tga {
    const unsigned char *p;
    size_t n;
    size_t w, h, bytes;                /* bytes: number of bytes of a pixel */
    int type;
    const unsigned char *entry;        /* the palette: `entries` colours, of index `first` and up */
    size_t first, entries, entry_bytes;
    size_t pixels;                     /* offset of the pixels in the file */
};

static int ends(struct err *e) {
    return err_set(e, "the TGA data ends early");
}

/* Converts a colour of 2 to 4 bytes, blue first, to RGB. */
static void colour(const unsigned char *p, size_t bytes, unsigned char *rgb) {
    if (bytes == 2) {
        uint32_t v = little16(p);

        for (int c = 0; c < 3; c++)
            rgb[c] = (unsigned char)((v >> (10 - 5 * c) & 31) * 255 / 31);
    } else {
        rgb[0] = p[2], rgb[1] = p[1], rgb[2] = p[0];
    }
}

static void pixel(const struct tga *t, const unsigned char *p, unsigned char *rgb) {
    if (t->type == PALETTE) {
        size_t i = (t->bytes == 1 ? *p : little16(p)) - t->first;    /* an index below t->first becomes huge */

        if (i < t->entries)
            colour(t->entry + i * t->entry_bytes, t->entry_bytes, rgb);
        else
            memset(rgb, 0, 3);
    } else if (t->type == GREY) {
        memset(rgb, *p, 3);    /* a second byte is alpha */
    } else {
        colour(p, t->bytes, rgb);
    }
}

/* ---- run lengths ---- */

/* Decodes run-length packets into n pixels.  If `out` is NULL, only counts the pixels.  Returns false if the data ends
 * before n pixels. */
static bool unpack(const struct tga *t, unsigned char *out, size_t n) {
    size_t at = t->pixels, done = 0, size = t->bytes;

    while (done < n) {
        bool run = at < t->n && t->p[at] & 0x80;
        size_t count = at < t->n ? (t->p[at++] & 0x7fu) + 1u : 0, need;

        count = size_min(count, n - done);
        need = run ? size : count * size;
        if (!count || t->n - at < need)
            return false;
        for (size_t i = 0; out && i < count; i++)
            memcpy(out + (done + i) * size, t->p + at + (run ? 0 : i * size), size);
        done += count;
        at += need;
    }
    return true;
}

/* ---- the file ---- */

/* Returns true if every field of the header makes sense.  TGA does not have a magic number to look for. */
static bool probe(const unsigned char *p, size_t n) {
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

static int read_header(struct tga *t, struct err *e) {
    const unsigned char *p = t->p;
    size_t at = 18 + (size_t)p[0];

    t->type = p[2] & ~PACKED;
    t->w = little16(p + 12), t->h = little16(p + 14);
    t->bytes = (p[16] + 7u) / 8;
    if (p[1]) {
        t->first = little16(p + 3), t->entries = little16(p + 5);
        t->entry_bytes = (p[7] + 7u) / 8;
        t->entry = p + at;
        at += t->entries * t->entry_bytes;
    }
    if (at > t->n)
        return ends(e);
    t->pixels = at;
    return 0;
}

static int tga_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *to, struct err *e) {
    struct tga t = {.p = p, .n = n};
    bool right_to_left = p[17] & 0x10, top_down = p[17] & 0x20;
    unsigned char *plane = NULL, *row;
    const unsigned char *from;

    if (read_header(&t, e) < 0 || image_size(t.w, t.h, o, e) < 0)
        return -1;
    from = p + t.pixels;
    if (p[2] & PACKED ? !unpack(&t, NULL, t.w * t.h) : (n - t.pixels) / t.bytes / t.w < t.h)
        return ends(e);    /* checked before memory is taken for the picture */
    if (p[2] & PACKED)
        from = plane = malloc(t.w * t.h * t.bytes);
    row = malloc(t.w * 3);
    if (!row || !from || image_begin(im, t.w, t.h, o, to, e) < 0) {
        if (!row || !from)
            err_set(e, "no memory for %zu x %zu pixels", t.w, t.h);
        free(plane);
        free(row);
        return -1;
    }
    if (plane)
        unpack(&t, plane, t.w * t.h);
    for (size_t y = 0; y < t.h; y++) {
        const unsigned char *line = from + (top_down ? y : t.h - 1 - y) * t.w * t.bytes;

        for (size_t x = 0; x < t.w; x++)
            pixel(&t, line + (right_to_left ? t.w - 1 - x : x) * t.bytes, row + 3 * x);
        to->row(to->of, row);
    }
    free(plane);
    free(row);
    return 0;
}

const struct image_codec image_codec_tga = {"TGA", probe, tga_read, NULL, false};
