/* allocates: a row */
/* Reads PBM, PGM and PPM, plain and raw (netpbm's P1 to P6).  A sample v of any maxval becomes
 * round-half-even(255 v / maxval), as in Pillow. */
#include <stdlib.h>
#include <string.h>

#include "formats/image/image_codec.h"

struct text {
    const unsigned char *p;
    size_t n, at;
};

static bool blank(int c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Reads the next number, after white space and comments.  Returns -1 at the end of the file, or if no number
 * follows. */
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

/* Reads a sample of a raw or plain file and returns it scaled to 0 to 255, or -1 if a plain file has no such number.
 * pnm_read has checked the size of raw data. */
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

static void bitmap_row(struct text *t, unsigned char *row, size_t w) {
    for (size_t x = 0; x < w; x++)
        memset(row + 3 * x, t->p[t->at + x / 8] >> (7 - x % 8) & 1 ? 0 : 255, 3);
    t->at += (w + 7) / 8;
}

static int sample_row(struct text *t, int kind, unsigned max, unsigned char *row, size_t w, struct err *e) {
    size_t each = kind % 3 ? 1 : 3;

    for (size_t i = 0; i < w; i++)
        for (size_t c = 0; c < each; c++) {
            int v = sample(t, kind, max);

            if (v < 0)
                return err_set(e, "broken PNM data at byte %zu", t->at);
            memset(row + 3 * i + c, kind == 1 ? 255 - v : v, each == 1 ? 3 : 1);
        }
    return 0;
}

static bool probe(const unsigned char *p, size_t n) {
    return n >= 3 && p[0] == 'P' && p[1] >= '1' && p[1] <= '6' && strchr(" \t\r\n#", p[2]) && p[2];
}

static int pnm_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *to, struct err *e) {
    struct text t = {p, n, 2};
    int kind = p[1] - '0', r = 0;
    long w = number(&t, false), h = number(&t, false), max = kind % 3 == 1 ? 1 : number(&t, false);
    size_t line;    /* the fewest bytes that a row takes */
    unsigned char *row;

    if (w < 0 || h < 0 || max < 1 || max > 65535 ||
        (kind > 3 && (t.at >= n || !blank(p[t.at++]))))
        return err_set(e, "broken PNM header");
    if (image_size((uint64_t)w, (uint64_t)h, o, e) < 0)
        return -1;
    line = kind == 4 ? ((size_t)w + 7) / 8 : (size_t)w * (kind % 3 ? 1 : 3) * (kind < 4 || max < 256 ? 1 : 2);
    if ((n - t.at) / line < (size_t)h)
        return err_set(e, "the PNM data ends early");
    if (!(row = malloc((size_t)w * 3)))
        return err_set(e, "no memory for a row of %ld pixels", w);
    r = image_begin(im, (uint64_t)w, (uint64_t)h, o, to, e);
    for (long y = 0; r == 0 && y < h; y++) {
        if (kind == 4)
            bitmap_row(&t, row, im->w);
        else
            r = sample_row(&t, kind, (unsigned)max, row, im->w, e);
        if (r == 0)
            to->row(to->of, row);
    }
    free(row);
    return r;
}

const struct image_codec image_codec_pnm = {"PNM", probe, pnm_read, NULL, false};
