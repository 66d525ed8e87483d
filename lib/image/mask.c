#include "lib/image/mask.h"

#include <string.h>

#include "lib/base/size.h"

void mask_of_white(const unsigned char *rgb, size_t n, unsigned char *mask) {
    for (size_t i = 0; i < n; i++, rgb += 3)
        mask[i] = (rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 0x8000) >> 16 < 128;
}

bool mask_of_alpha(const unsigned char *alpha, size_t n, unsigned char *mask) {
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        mask[i] = alpha[3 * i] >= 128;
        any = any || !mask[i];
    }
    return any;
}

bool mask_erase(unsigned char *mask, size_t h, size_t w, const struct mask_box *b) {
    if (b->x >= w || b->y >= h || !b->w || !b->h)
        return false;
    for (size_t y = b->y; y < h && y - b->y < b->h; y++)
        memset(mask + y * w + b->x, 0, size_min(b->w, w - b->x));
    return true;
}

void mask_fit(const unsigned char *mask, size_t q, size_t s, unsigned char *out) {
    for (size_t i = 0; i < s * s; i++) {
        size_t y = i / s, x = i % s, bottom = div_up((y + 1) * q, s), right = div_up((x + 1) * q, s);
        unsigned char known = 1;

        for (size_t v = y * q / s; v < bottom; v++)
            for (size_t u = x * q / s; u < right; u++)
                known = known && mask[v * q + u];
        out[i] = known;
    }
}

/* ---- the nearest known pixel: distances are carried from neighbour to neighbour, down and up again ---- */

#define NOWHERE UINT32_MAX

struct field {
    size_t h, w;
    uint32_t *from;
};

/* Returns the square of the distance from (y, x) to pixel `at`. */
static size_t distance(const struct field *f, size_t y, size_t x, uint32_t at) {
    size_t v = at / f->w, u = at % f->w, dy = y > v ? y - v : v - y, dx = x > u ? x - u : u - x;

    return at == NOWHERE ? SIZE_MAX : dy * dy + dx * dx;
}

/* Gives (y, x) the known pixel of its neighbour (y + dy, x + dx) if that pixel is nearer than the pixel found so
 * far. */
static void ask(const struct field *f, size_t y, size_t x, int dy, int dx) {
    size_t v = y + (size_t)dy, u = x + (size_t)dx;    /* beyond the edges these wrap around to large numbers */

    if (v < f->h && u < f->w && distance(f, y, x, f->from[v * f->w + u]) < distance(f, y, x, f->from[y * f->w + x]))
        f->from[y * f->w + x] = f->from[v * f->w + u];
}

/* Updates row y in both directions, and from the row above (dy = -1) or below (dy = 1). */
static void sweep(const struct field *f, size_t y, int dy) {
    for (size_t x = 0; x < f->w; x++) {
        for (int dx = -1; dx <= 1; dx++)
            ask(f, y, x, dy, dx);
        ask(f, y, x, 0, -1);
    }
    for (size_t x = f->w; x-- > 0;)
        ask(f, y, x, 0, 1);
}

bool mask_nearest(const unsigned char *mask, size_t h, size_t w, uint32_t *from) {
    const struct field f = {h, w, from};

    for (size_t i = 0; i < h * w; i++)
        from[i] = mask[i] ? (uint32_t)i : NOWHERE;
    for (size_t y = 0; y < h; y++)
        sweep(&f, y, -1);
    for (size_t y = h; y-- > 0;)
        sweep(&f, y, 1);
    return from[0] != NOWHERE;
}
