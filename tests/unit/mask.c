/* Masks: what is known, after painting, alpha, rectangles, another size, and what stands for the unknown. */
#include "lib/image/mask.h"

#include "tests/tap.h"

enum { SIDE = 12 };

/* Whether the pixels are these, given row by row as digits. */
static int are(const unsigned char *mask, const char *want) {
    for (; *want; want++)
        if (*want != ' ' && *mask++ != *want - '0')
            return 0;
    return 1;
}

static void painted(void) {
    const unsigned char rgb[] = {255, 255, 255, 0,   0, 0, 128, 128, 128, 127, 127, 127,
                                 255, 0,   0,   0, 255, 0, 0,   0,   255, 255, 255, 0};
    const unsigned char alpha[] = {0, 0, 0, 127, 127, 127, 128, 128, 128, 255, 255, 255};
    unsigned char mask[8];

    mask_of_white(rgb, 8, mask);
    ok(are(mask, "01011010"), "white, grey from 128 on, and light colours (green, yellow) are to be painted");
    ok(mask_of_alpha(alpha, 4, mask) && are(mask, "0011"), "so is what is transparent, below 128");
    ok(!mask_of_alpha(alpha + 6, 2, mask) && are(mask, "11"), "in an opaque picture nothing is");
}

static int erased(struct mask_box b, const char *want) {
    unsigned char mask[12];

    memset(mask, 1, sizeof mask);
    return mask_erase(mask, 3, 4, &b) && are(mask, want);
}

static void boxes(void) {
    unsigned char mask[12];
    const struct mask_box out[] = {{4, 0, 1, 1}, {0, 3, 1, 1}, {0, 0, 0, 2}, {0, 0, 2, 0}, {SIZE_MAX, 0, 2, 2}};

    ok(erased((struct mask_box){1, 1, 2, 1}, "1111 1001 1111"), "a box inside");
    ok(erased((struct mask_box){3, 2, 9, 9}, "1111 1111 1110"), "one that reaches beyond the corner");
    ok(erased((struct mask_box){1, 0, SIZE_MAX, SIZE_MAX}, "1000 1000 1000"), "one without an end");
    memset(mask, 1, sizeof mask);
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        ok(!mask_erase(mask, 3, 4, &out[i]) && are(mask, "111111111111"), "one that is outside or empty changes nothing");
}

static void sizes(void) {
    unsigned char mask[SIDE * SIDE], out[SIDE * SIDE];
    int wrong = 0;

    memset(mask, 1, sizeof mask);
    mask[0] = mask[3] = 0;    /* of 4 x 4 */
    mask_fit(mask, 4, 2, out);
    ok(are(out, "00 11"), "a smaller pixel is unknown if one of those below it is");
    mask_fit(mask, 4, 4, out);
    ok(are(out, "0110 1111 1111 1111"), "the same size is a copy");
    mask_fit(mask, 4, 8, out);
    ok(are(out, "00111100 00111100 11111111"), "pixels are repeated in a larger mask");
    mask_fit(mask, 4, 3, out);
    ok(are(out, "010 111 111"), "4 to 3 pixels: an edge pixel covers one and a third");
    /* by the definition: pixel x covers the reals [x q / s, (x + 1) q / s) */
    for (size_t q = 1; q <= SIDE; q++)
        for (size_t s = 1; s <= SIDE; s++)
            for (size_t hole = 0; hole < q; hole++) {
                memset(mask, 1, sizeof mask);
                mask[hole * q + hole] = 0;
                mask_fit(mask, q, s, out);
                for (size_t y = 0; y < s; y++)
                    for (size_t x = 0; x < s; x++) {
                        int by = hole * s < (y + 1) * q && (hole + 1) * s > y * q;
                        int bx = hole * s < (x + 1) * q && (hole + 1) * s > x * q;
                        wrong += out[y * s + x] != !(bx && by);
                    }
            }
    ok(!wrong, "every hole at every size to %d is where it is by the definition", SIDE);
}

static double away(size_t i, size_t k, size_t w) {
    return hypot((double)(i / w) - (double)(k / w), (double)(i % w) - (double)(k % w));
}

static void nearest(void) {
    enum { H = 23, W = 31 };
    unsigned char mask[H * W];
    uint32_t from[H * W];
    unsigned state = 1;
    double worst = 0;
    int wrong = 0;

    for (int run = 0; run < 50; run++) {
        memset(mask, 0, sizeof mask);
        for (int k = 0; k <= run; k++)
            mask[(state = state * 1103515245 + 12345) / 65536 % (H * W)] = 1;
        wrong += !mask_nearest(mask, H, W, from);
        for (size_t i = 0; i < H * W; i++) {
            double best = (double)INFINITY;
            for (size_t k = 0; k < H * W; k++)
                best = mask[k] ? fmin(best, away(i, k, W)) : best;
            wrong += from[i] >= H * W || !mask[from[i]] || (mask[i] && from[i] != i);
            worst = fmax(worst, from[i] < H * W ? away(i, from[i], W) - best : (double)INFINITY);
        }
    }
    ok(!wrong, "a known pixel stands for each, and for itself if it is known");
    ok(worst == 0, "in these masks it is always the nearest (farther by %.3g)", worst);
    memset(mask, 0, sizeof mask);
    ok(!mask_nearest(mask, H, W, from), "nothing is near where nothing is known");
}

int main(void) {
    painted();
    boxes();
    sizes();
    nearest();
    return done();
}
