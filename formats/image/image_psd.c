/* allocates: a row of each channel, and a row of pixels */
/* Reads the flattened picture of a PSD file, which follows the layers, as Pillow does: grey, duotone, indexed, RGB
 * and CMYK of 8 bits, and grey and RGB of 16 (the high byte).  The file stores each channel as a plane, so a row is
 * gathered from several places and no plane is held.  Alpha is ignored.  Source: Adobe Photoshop file formats
 * specification; Pillow 13 PsdImagePlugin.py. */
#include <stdlib.h>
#include <string.h>

#include "formats/image/bytes.h"
#include "formats/image/image_codec.h"

enum { GREY = 1, INDEXED, RGB, CMYK, MULTICHANNEL = 7, DUOTONE };

struct psd {
    const unsigned char *p;
    size_t n;
    size_t w, h, channels, used;    /* used: how many channels carry colour */
    size_t bytes;                   /* number of bytes of a sample */
    uint32_t mode;
    const unsigned char *palette;   /* 256 reds, greens and blues, or NULL */
    bool packed;
    size_t lengths;                 /* offset of the lengths of the packed rows, of two bytes each */
    size_t at[4];                   /* offset of the next row of each channel */
};

static int ends(struct err *e) {
    return err_set(e, "the PSD data ends early");
}

static int read_header(struct psd *d, struct err *e) {
    const unsigned char *p = d->p;
    uint32_t bits;

    if (d->n < 26)
        return ends(e);
    d->channels = big16(p + 12);
    d->h = big32(p + 14), d->w = big32(p + 18);
    bits = big16(p + 22), d->mode = big16(p + 24);
    d->used = d->mode == RGB ? 3 : d->mode == CMYK ? 4 : 1;
    d->bytes = bits / 8;
    if (big16(p + 4) != 1 || d->channels < d->used)
        return err_set(e, "broken PSD header");
    if (d->mode > DUOTONE || d->mode == 5 || d->mode == 6 || (d->mode == 0 && bits != 8))
        return err_set(e, "PSD files of colour mode %u are not supported", (unsigned)d->mode);
    if (bits != 8 && !(bits == 16 && (d->mode == GREY || d->mode == RGB)))
        return err_set(e, "PSD files of %u bits in colour mode %u are not supported", (unsigned)bits,
                       (unsigned)d->mode);
    return 0;
}

/* Skips three sections, the palette, the resources and the layers.  Each is a length and as many bytes.  Then reads how
 * the picture is packed. */
static int find_pixels(struct psd *d, struct err *e) {
    size_t at = 26;

    for (int i = 0; i < 3; i++) {
        size_t len = d->n - at < 4 ? SIZE_MAX : big32(d->p + at);

        if (d->n - at < 4 || len > d->n - at - 4)
            return ends(e);
        if (i == 0 && d->mode == INDEXED && len != 768)
            return err_set(e, "broken PSD palette");
        if (i == 0 && d->mode == INDEXED)
            d->palette = d->p + at + 4;
        at += 4 + len;
    }
    if (d->n - at < 2)
        return ends(e);
    if (big16(d->p + at) > 1)
        return err_set(e, "a PSD of compression %u", (unsigned)big16(d->p + at));
    d->packed = big16(d->p + at);
    d->lengths = at + 2;
    return 0;
}

/* Sets d->at to the offset of the first row of each channel.  Returns 0, or -1 if the channels do not fit into the
 * file. */
static int find_channels(struct psd *d, struct err *e) {
    size_t at = d->lengths, size = d->w * d->h * d->bytes, rows = d->channels * d->h;

    if (!d->packed) {
        for (size_t c = 0; c < d->used; c++)
            d->at[c] = at + c * size;
        return (d->n - at) / d->used < size ? ends(e) : 0;
    }
    if ((d->n - at) / 2 < rows)
        return ends(e);
    at += 2 * rows;
    for (size_t c = 0, i = 0; c < d->used; c++) {
        d->at[c] = at;
        for (size_t y = 0; y < d->h; y++, i++)
            at += big16(d->p + d->lengths + 2 * i);
    }
    return at > d->n ? ends(e) : 0;
}

/* Decodes a row of PackBits into n bytes.  Returns false if the data gives fewer than n bytes. */
static bool unpack(const unsigned char *in, size_t len, unsigned char *out, size_t n) {
    size_t at = 0;

    for (size_t i = 0; at < n && i < len;) {
        size_t head = in[i++], count = head < 128 ? head + 1 : 257 - head;

        if (head == 128)
            continue;
        if ((head < 128 ? count : 1) > len - i)
            return false;
        for (size_t j = 0; j < count && at < n; j++)
            out[at++] = in[i + (head < 128 ? j : 0)];
        i += head < 128 ? count : 1;
    }
    return at == n;
}

/* Reads row y of channel c into out.  Returns false if the packed row is too short. */
static bool take_row(struct psd *d, size_t c, size_t y, unsigned char *out) {
    size_t n = d->w * d->bytes, len = d->packed ? big16(d->p + d->lengths + 2 * (c * d->h + y)) : n;
    const unsigned char *in = d->p + d->at[c];

    d->at[c] += len;
    if (d->packed)
        return unpack(in, len, out, n);
    memcpy(out, in, n);
    return true;
}

/* Converts a row of samples s [used, w x bytes] to RGB pixels. */
static void combine(const struct psd *d, const unsigned char *s, unsigned char *rgb) {
    size_t n = d->w * d->bytes;

    for (size_t x = 0; x < d->w; x++, s += d->bytes, rgb += 3)
        for (size_t c = 0; c < 3; c++)
            rgb[c] = d->mode == RGB ? s[c * n] : d->mode == CMYK ? image_cmyk(s[c * n], s[3 * n]) :
                     d->palette ? d->palette[c * 256 + *s] : *s;
}

static bool probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "8BPS");
}

static int psd_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *to, struct err *e) {
    struct psd d = {.p = p, .n = n};
    unsigned char *samples, *rgb;
    int r = 0;

    if (read_header(&d, e) < 0 || image_size(d.w, d.h, o, e) < 0 || find_pixels(&d, e) < 0 || find_channels(&d, e) < 0)
        return -1;
    /* 64 pixels of a packed row take at least one byte */
    if (d.packed && d.w > 64 * (n - d.lengths))
        return ends(e);
    samples = malloc(d.used * d.w * d.bytes);
    rgb = malloc(3 * d.w);
    if (!samples || !rgb)
        r = err_set(e, "no memory for a row of %zu pixels", d.w);
    if (r == 0)
        r = image_begin(im, d.w, d.h, o, to, e);
    for (size_t y = 0; r == 0 && y < d.h; y++) {
        for (size_t c = 0; r == 0 && c < d.used; c++)
            if (!take_row(&d, c, y, samples + c * d.w * d.bytes))
                r = err_set(e, "broken PSD data in row %zu", y);
        if (r == 0) {
            combine(&d, samples, rgb);
            to->row(to->of, rgb);
        }
    }
    free(samples);
    free(rgb);
    return r;
}

const struct image_codec image_codec_psd = {"PSD", probe, psd_read, NULL, false};
