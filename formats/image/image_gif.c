/* allocates: a row, and the palette indices of a frame */
/* Reads the first frame of a GIF file.  A transparent pixel gets the colour that the palette has for its
 * index, as in Pillow.  The part of the screen that the frame does not cover gets the colour of the
 * transparent index, or of index 0.  Source: the GIF89a specification. */
#include <stdlib.h>
#include <string.h>

#include "formats/image/bytes.h"
#include "formats/image/image_codec.h"

enum {
    CODES = 4096,
    RATIO = 2731    /* the most pixels that a byte of data gives, as a code of 12 bits gives fewer than 4096 */
};

struct gif {
    const unsigned char *p;
    size_t n, at;
    const unsigned char *palette;    /* [colours, 3] */
    size_t colours;
    int transparent;                 /* the transparent index, or -1 */
    size_t x, y, w, h;               /* place and size of the frame on the screen */
    bool interlaced;
    bool alpha;                      /* hand out 0 for the transparent index, 255 for the others */
};

static int ends(struct err *e) {
    return err_set(e, "the GIF data ends early");
}

/* Returns the next n bytes of the file and moves on, or NULL if fewer are left. */
static const unsigned char *take(struct gif *g, size_t n) {
    const unsigned char *p = g->p + g->at;

    if (n > g->n - g->at)
        return NULL;
    g->at += n;
    return p;
}

/* Skips data blocks, each of which is a length and as many bytes.  Stops after the block of length 0.  Returns 0, or -1
 * if the file ends before. */
static int skip_blocks(struct gif *g) {
    const unsigned char *len;

    while ((len = take(g, 1)) && *len)
        if (!take(g, *len))
            return -1;
    return len ? 0 : -1;
}

static int take_palette(struct gif *g, int flags) {
    if (!(flags & 0x80))
        return 0;
    g->colours = (size_t)2 << (flags & 7);
    g->palette = take(g, g->colours * 3);
    return g->palette ? 0 : -1;
}

/* Reads the file up to and including the descriptor and the palette of the first frame. */
static int find_frame(struct gif *g, struct err *e) {
    for (;;) {
        const unsigned char *q = take(g, 1);

        if (!q)
            return ends(e);
        if (*q == 0x3b)
            return err_set(e, "a GIF without a frame");
        if (*q == 0x2c) {
            if (!(q = take(g, 9)))
                return ends(e);
            g->x = little16(q), g->y = little16(q + 2), g->w = little16(q + 4), g->h = little16(q + 6);
            g->interlaced = q[8] & 0x40;
            return take_palette(g, q[8]) < 0 ? ends(e) : 0;
        }
        if (*q != 0x21)
            return err_set(e, "broken GIF data at byte %zu", g->at - 1);
        if (!(q = take(g, 1)))
            return ends(e);
        if (*q == 0xf9 && g->n - g->at >= 5 && g->p[g->at] == 4)
            g->transparent = g->p[g->at + 1] & 1 ? g->p[g->at + 4] : -1;
        if (skip_blocks(g) < 0)
            return ends(e);
    }
}

/* ---- LZW ---- */

struct lzw {
    struct gif *g;
    const unsigned char *block;
    size_t left;                      /* bytes left in the block */
    uint32_t bits;
    int have;
    uint16_t prefix[CODES];
    unsigned char suffix[CODES], stack[CODES];
};

/* Reads and returns the next code, of `width` bits, or -1 if the data blocks end before it. */
static int next_code(struct lzw *z, int width) {
    int code;

    for (; z->have < width; z->have += 8) {
        if (!z->left) {
            const unsigned char *len = take(z->g, 1);

            z->left = len ? *len : 0;
            z->block = z->left ? take(z->g, z->left) : NULL;
            if (!z->block)
                return -1;
        }
        z->bits |= (uint32_t)*z->block++ << z->have;
        z->left--;
    }
    code = (int)(z->bits & ((1u << width) - 1));
    z->bits >>= width;
    z->have -= width;
    return code;
}

/* Decodes LZW data into n palette indices of the frame, in the order of the data. */
static int unpack(struct lzw *z, unsigned char *out, size_t n, struct err *e) {
    const unsigned char *first = take(z->g, 1);
    int clear, width, next, code, last = -1, head = 0;
    size_t at = 0;

    if (!first)
        return ends(e);
    if (*first < 1 || *first > 11)
        return err_set(e, "broken GIF data: codes of %d bits", *first);
    clear = 1 << *first;
    next = clear + 2, width = *first + 1;
    while (at < n) {
        int c, depth = 0;

        code = next_code(z, width);
        if (code < 0 || code == clear + 1)
            return ends(e);
        if (code == clear) {
            next = clear + 2, width = *first + 1, last = -1;
            continue;
        }
        if (code > next || (code >= clear && last < 0) )
            return err_set(e, "broken GIF data: a code that means nothing");
        c = code;
        if (code == next) {    /* the previous string, and its first byte once more */
            z->stack[depth++] = (unsigned char)head;
            c = last;
        }
        for (; c >= clear; c = z->prefix[c])
            z->stack[depth++] = z->suffix[c];
        head = c;
        z->stack[depth++] = (unsigned char)c;
        if (last >= 0 && next < CODES) {
            z->prefix[next] = (uint16_t)last;
            z->suffix[next++] = (unsigned char)head;
            if (next == 1 << width && width < 12)
                width++;
        }
        last = code;
        while (depth && at < n)
            out[at++] = z->stack[--depth];
    }
    return 0;
}

/* Returns which row of the data is row y of the frame.  An interlaced frame has its rows in four passes. */
static size_t line(const struct gif *g, size_t y) {
    static const unsigned char from[] = {0, 4, 2, 1}, step[] = {8, 8, 4, 2};
    size_t before = 0;

    if (!g->interlaced)
        return y;
    for (int pass = 0; pass < 3; pass++) {
        if (y % step[pass] == from[pass])
            return before + y / step[pass];
        before += g->h > from[pass] ? (g->h - from[pass] - 1) / step[pass] + 1 : 0;
    }
    return before + y / 2;
}

static void colour(const struct gif *g, size_t index, unsigned char *rgb) {
    if (g->alpha)
        memset(rgb, g->transparent == (int)index ? 0 : 255, 3);
    else if (!g->palette)
        memset(rgb, (int)index, 3);    /* without a palette, an index is a level of grey */
    else if (index < g->colours)
        memcpy(rgb, g->palette + 3 * index, 3);
    else
        memset(rgb, 0, 3);
}

/* Hands out each row of the screen: the pixels of the frame, and the background left and right of the frame. */
static void paint(const struct image *im, const struct gif *g, const unsigned char *index, unsigned char *row,
                  const struct image_rows *to) {
    size_t rest = g->transparent >= 0 ? (size_t)g->transparent : 0;

    for (size_t y = 0; y < im->h; y++) {
        bool in = y >= g->y && y - g->y < g->h;
        const unsigned char *from = in ? index + line(g, y - g->y) * g->w : NULL;

        for (size_t x = 0; x < im->w; x++)
            colour(g, in && x >= g->x && x - g->x < g->w ? from[x - g->x] : rest, row + 3 * x);
        to->row(to->of, row);
    }
}

static bool probe(const unsigned char *p, size_t n) {
    return IMAGE_MAGIC(p, n, 0, "GIF87a") || IMAGE_MAGIC(p, n, 0, "GIF89a");
}

static int gif_read(struct image *im, const unsigned char *p, size_t n, const struct image_options *o,
                    const struct image_rows *to, struct err *e) {
    struct gif g = {.p = p, .n = n, .at = 6, .transparent = -1, .alpha = o->alpha};
    const unsigned char *screen = take(&g, 7);
    struct lzw z = {.g = &g};
    unsigned char *index, *row;
    size_t w, h;
    int r;

    if (!screen || take_palette(&g, screen[4]) < 0)
        return ends(e);
    if (find_frame(&g, e) < 0)
        return -1;
    w = little16(screen), h = little16(screen + 2);
    w = g.x + g.w > w ? g.x + g.w : w;    /* a frame that reaches beyond the screen makes the screen larger */
    h = g.y + g.h > h ? g.y + g.h : h;
    if (image_size(w, h, o, e) < 0)
        return -1;
    if (g.w * g.h / RATIO > n - g.at)
        return ends(e);
    index = malloc(g.w * g.h + 1);
    row = malloc(w * 3);
    if (!index || !row)
        r = err_set(e, "no memory for a frame of %zu x %zu pixels", g.w, g.h);
    else
        r = unpack(&z, index, g.w * g.h, e);
    if (r == 0)
        r = image_begin(im, w, h, o, to, e);
    if (r == 0)
        paint(im, &g, index, row, to);
    free(index);
    free(row);
    return r;
}

const struct image_codec image_codec_gif = {"GIF", probe, gif_read, NULL, true};
