/* PBM, PGM and PPM, plain and raw (netpbm's P1 to P6); and the walk over PNG chunks that
 * stb_image does not do.  Samples of any maxval become round-half-even(255 v / maxval), as in
 * Pillow. */
#include <string.h>
#include <zlib.h>

#include "formats/image/image_codec.h"

struct text {
    const unsigned char *p;
    size_t n, at;
};

static bool blank(int c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next number, after white space and comments; -1 at the end or at anything else. */
static long number(struct text *t, bool one_digit) {
    long v = 0;
    size_t from;

    for (; t->at < t->n && (blank(t->p[t->at]) || t->p[t->at] == '#'); t->at++)
        if (t->p[t->at] == '#')
            while (t->at < t->n && t->p[t->at] != '\n')
                t->at++;
    for (from = t->at; t->at < t->n && t->p[t->at] >= '0' && t->p[t->at] <= '9'; t->at++) {
        v = v * 10 + t->p[t->at] - '0';
        if (v > 1000000000)
            return -1;
        if (one_digit) {
            t->at++;
            return v;
        }
    }
    return t->at > from ? v : -1;
}

static unsigned char scaled(unsigned v, unsigned max) {
    unsigned twice, q;

    if (v >= max)
        return 255;
    q = v * 255 / max;
    twice = v * 255 % max * 2;
    return (unsigned char)(q + (twice > max || (twice == max && q & 1)));
}

/* One sample of a raw or plain file; the size of raw data has been checked. */
static int sample(struct text *t, int kind, unsigned max) {
    long v;

    if (kind > 3) {
        v = t->p[t->at++];
        if (max > 255)
            v = v * 256 + t->p[t->at++];
    } else {
        v = number(t, kind == 1);
        if (v < 0 || (unsigned)v > max)
            return -1;
    }
    return scaled((unsigned)v, max);
}

static int bitmap(struct image *im, struct text *t, struct err *e) {
    size_t row = (im->w + 7) / 8;

    if ((t->n - t->at) / row < im->h)
        return err_set(e, "the PNM data ends early");
    for (size_t i = 0; i < im->w * im->h; i++) {
        size_t x = i % im->w, y = i / im->w;
        bool black = t->p[t->at + y * row + x / 8] >> (7 - x % 8) & 1;

        memset(im->rgb + 3 * i, black ? 0 : 255, 3);
    }
    return 0;
}

int pnm_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
             struct err *e) {
    struct text t = {p, n, 2};
    int kind = p[1] - '0', bytes;
    long w = number(&t, false), h = number(&t, false), max = kind % 3 == 1 ? 1 : number(&t, false);
    size_t each = kind % 3 ? 1 : 3;

    if (w < 0 || h < 0 || max < 1 || max > 65535 ||
        (kind > 3 && (t.at >= n || !blank(p[t.at++]))))
        return err_set(e, "broken PNM header");
    if (image_alloc(im, (uint64_t)w, (uint64_t)h, o, e) < 0)
        return -1;
    if (kind == 4)
        return bitmap(im, &t, e);
    bytes = kind < 4 || max < 256 ? 1 : 2;
    if ((n - t.at) / each / (size_t)bytes / im->w < im->h)
        return err_set(e, "the PNM data ends early");
    for (size_t i = 0; i < im->w * im->h; i++)
        for (size_t c = 0; c < each; c++) {
            int v = sample(&t, kind, (unsigned)max);

            if (v < 0)
                return err_set(e, "broken PNM data at byte %zu", t.at);
            memset(im->rgb + 3 * i + c, kind == 1 ? 255 - v : v, each == 1 ? 3 : 1);
        }
    return 0;
}

static uint32_t big32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

int png_check(const unsigned char *p, size_t n, struct err *e) {
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
