#include "formats/image/picture_cut.h"

#include <stdint.h>
#include <string.h>

#include "formats/image/bytes.h"
#include "formats/image/image_codec.h"

enum { MORE = PICTURE_CUT_MORE, ALL = PICTURE_CUT_ALL };

static ptrdiff_t jpeg(struct picture_cut *c, const unsigned char *p, size_t n) {
    for (c->at = c->at ? c->at : 2;;) {
        const unsigned char *ff;
        unsigned marker;

        if (c->at >= n)
            return MORE;
        if (!c->inside && p[c->at] != 0xff)
            return ALL;
        if (!(ff = memchr(p + c->at, 0xff, n - c->at))) {
            c->at = n;
            return MORE;
        }
        for (c->at = (size_t)(ff - p); c->at + 1 < n && p[c->at + 1] == 0xff; c->at++)
            ;    /* fill bytes */
        if (n - c->at < 4 && !(n - c->at >= 2 && p[c->at + 1] == 0xd9))
            return MORE;
        marker = p[c->at + 1];
        if (marker == 0xd9)
            return (ptrdiff_t)c->at + 2;
        if (c->inside && (marker == 0 || (marker >= 0xd0 && marker <= 0xd7))) {
            c->at += 2;
            continue;
        }
        c->inside = false;
        if (marker == 0x01) {
            c->at += 2;
            continue;
        }
        if (marker < 0xc0 || marker == 0xd8 || big16(p + c->at + 2) < 2)
            return ALL;
        c->at += 2 + big16(p + c->at + 2);
        c->inside = marker == 0xda;
    }
}

static ptrdiff_t png(struct picture_cut *c, const unsigned char *p, size_t n) {
    for (c->at = c->at ? c->at : 8; c->at < n && n - c->at >= 12; c->at += 12 + (size_t)big32(p + c->at)) {
        if (big32(p + c->at) > INT32_MAX)
            return ALL;
        if (!memcmp(p + c->at + 4, "IEND", 4))
            return n - c->at - 12 < big32(p + c->at) ? MORE : (ptrdiff_t)(c->at + 12 + big32(p + c->at));
    }
    return MORE;
}

/* c->at is the offset of the next block, or 0 before the header was read. */
static ptrdiff_t gif(struct picture_cut *c, const unsigned char *p, size_t n) {
    if (n < 13)
        return MORE;
    if (!c->at)
        c->at = 13 + (p[10] & 0x80 ? (size_t)3 << ((p[10] & 7) + 1) : 0);
    for (;;) {
        size_t at = c->at;

        if (at >= n || n - at < 11)
            return at < n && p[at] == 0x3b ? (ptrdiff_t)at + 1 : MORE;
        if (p[at] == 0x3b)
            return (ptrdiff_t)at + 1;
        if (p[at] == 0x2c)
            at += 11 + (p[at + 9] & 0x80 ? (size_t)3 << ((p[at + 9] & 7) + 1) : 0);
        else if (p[at] == 0x21)
            at += 2;
        else
            return ALL;
        while (at < n && p[at])
            at += 1 + p[at];
        if (at >= n)
            return MORE;
        c->at = at + 1;
    }
}

/* Reads the first `wanted` numbers of a raw PNM's header into v.  Returns how many are complete in the n bytes.  If all are,
 * sets *at to the offset after the white space that follows the last number. */
static int pnm_numbers(const unsigned char *p, size_t n, int wanted, uint64_t v[3], size_t *at) {
    int k = 0;

    for (*at = 2; k < wanted; k++) {
        for (; *at < n && (p[*at] == ' ' || (p[*at] >= 9 && p[*at] <= 13) || p[*at] == '#'); ++*at)
            if (p[*at] == '#')
                while (*at + 1 < n && p[*at + 1] != '\n')
                    ++*at;
        for (v[k] = 0; *at < n && p[*at] >= '0' && p[*at] <= '9' && v[k] < UINT32_MAX; ++*at)
            v[k] = v[k] * 10 + p[*at] - '0';
        if (*at >= n)
            return k;
    }
    ++*at;
    return k;
}

static ptrdiff_t pnm(const unsigned char *p, size_t n) {
    const bool bits = p[1] == '4';
    uint64_t v[3] = {0, 0, 1}, row;
    size_t at;

    if (pnm_numbers(p, n, bits ? 2 : 3, v, &at) < (bits ? 2 : 3))
        return n < 4096 ? MORE : ALL;
    if (v[0] > UINT32_MAX || v[1] > INT32_MAX)
        return ALL;
    row = bits ? (v[0] + 7) / 8 : v[0] * (p[1] == '6' ? 3 : 1) * (v[2] > 255 ? 2 : 1);
    if (row && v[1] > (uint64_t)PTRDIFF_MAX / 2 / row)
        return ALL;
    return n - at < row * v[1] || at > n ? MORE : (ptrdiff_t)(at + row * v[1]);
}

ptrdiff_t picture_cut(struct picture_cut *c, const unsigned char *p, size_t n) {
    uint64_t size;

    if (n < 14)
        return MORE;
    if (IMAGE_MAGIC(p, n, 0, "\xff\xd8\xff"))
        return jpeg(c, p, n);
    if (IMAGE_MAGIC(p, n, 0, "\x89PNG\r\n\x1a\n"))
        return png(c, p, n);
    if (IMAGE_MAGIC(p, n, 0, "GIF8"))
        return gif(c, p, n);
    if (p[0] == 'P' && p[1] >= '4' && p[1] <= '6')
        return pnm(p, n);
    if (IMAGE_MAGIC(p, n, 0, "RIFF") && IMAGE_MAGIC(p, n, 8, "WEBP"))
        size = 8 + (uint64_t)little32(p + 4) + little32(p + 4) % 2;
    else if (IMAGE_MAGIC(p, n, 0, "BM") && little32(p + 2) > 26)
        size = little32(p + 2);
    else
        return ALL;
    return n < size ? MORE : (ptrdiff_t)size;
}
