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

/* Writes the nearest known column of a row for each of its pixels.  Returns false if the row has no known pixel. */
static bool nearest_in_row(const unsigned char *mask, size_t y, size_t w, uint32_t *from) {
    size_t last = SIZE_MAX;

    for (size_t x = 0; x < w; x++) {    /* to the left */
        if (mask[x])
            last = x;
        from[x] = (uint32_t)(y * w + (last == SIZE_MAX ? 0 : last));
    }
    if (last == SIZE_MAX)
        return false;
    for (size_t x = w, next = SIZE_MAX; x-- > 0;) {    /* to the right, where that is nearer */
        size_t left = from[x] - y * w;
        if (mask[x])
            next = x;
        if (next != SIZE_MAX && (!mask[left] || next - x < x - left))
            from[x] = (uint32_t)(y * w + next);
    }
    return true;
}

bool mask_nearest(const unsigned char *mask, size_t h, size_t w, uint32_t *from) {
    size_t last = SIZE_MAX;

    for (size_t y = 0; y < h; y++) {
        if (nearest_in_row(mask + y * w, y, w, from + y * w)) {
            for (size_t v = last == SIZE_MAX ? 0 : (last + y) / 2 + 1; v < y; v++)
                memcpy(from + v * w, from + y * w, w * sizeof *from);
            last = y;
        } else if (last != SIZE_MAX) {
            memcpy(from + y * w, from + last * w, w * sizeof *from);
        }
    }
    return last != SIZE_MAX;
}
