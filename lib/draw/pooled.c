#include "lib/draw/pooled.h"

#include <math.h>
#include <string.h>

static const double PI = 3.14159265358979323846, CHANCE = 0.7;

/* ---- drawing the parameters ---- */

/* Returns a uniform random number in [-most, most). */
static double around(struct draws *d, double most) {
    return most * (2 * draws_unit(d) - 1);
}

/* Draws an affine map from coordinates of the view to coordinates of the pooled picture, about its middle.  m receives two
 * rows of three coefficients. */
static void draw_affine(double side, struct draws *d, double m[6]) {
    bool yes = draws_unit(d) < CHANCE;
    double turn = around(d, 15 * PI / 180), x = around(d, side / 10), y = around(d, side / 10);
    double shear = tan(around(d, 5 * PI / 180));
    double c = side / 2, a[4] = {cos(turn), cos(turn) * shear - sin(turn), sin(turn), sin(turn) * shear + cos(turn)};
    const double none[6] = {1, 0, 0, 0, 1, 0};

    for (int i = 0; i < 2; i++) {
        m[3 * i] = a[2 * i], m[3 * i + 1] = a[2 * i + 1];
        m[3 * i + 2] = c + (i ? y : x) - c * (a[2 * i] + a[2 * i + 1]);
    }
    if (!yes)
        memcpy(m, none, sizeof none);
}

static void draw_perspective(int side, struct draws *d, float warp[8]) {
    int start[4][2] = {{0, 0}, {side - 1, 0}, {side - 1, side - 1}, {0, side - 1}}, end[4][2], most = side * 35 / 100;
    const float none[8] = {1, 0, 0, 0, 1, 0, 0, 0};
    bool yes = draws_unit(d) < CHANCE;

    for (int i = 0; i < 4; i++)
        for (int k = 0; k < 2; k++) {
            int in = draws_int(d, 0, most);

            end[i][k] = start[i][k] ? start[i][k] - in : in;
        }
    if (yes && side > 1)
        view_perspective(start, end, warp);
    else
        memcpy(warp, none, sizeof none);
}

static void draw_colour(struct draws *d, float m[3][4]) {
    static const double luma[3] = {0.299, 0.587, 0.114};
    bool yes = draws_unit(d) < CHANCE;
    double bright = 1 + around(d, 0.1), contrast = 1 + around(d, 0.1), full = 1 + around(d, 0.1);
    double hue = around(d, 0.1) * 2 * PI;

    for (int i = 0; i < 3; i++) {
        for (int k = 0; k < 3; k++) {
            double turned = (1 - cos(hue)) / 3 + (i == k ? cos(hue) : ((k - i + 3) % 3 == 1 ? -1 : 1) * sin(hue) / sqrt(3));

            m[i][k] = !yes ? i == k : (float)(bright * contrast * (full * turned + (1 - full) * luma[k]));
        }
        m[i][3] = !yes ? 0 : (float)((1 - contrast) / 2);
    }
}

void pooled_draw(struct view *v, struct draws *d) {
    double m[6], p[9];
    float warp[8];

    draw_affine((double)v->side, d, m);
    draw_perspective((int)v->side, d, warp);
    for (int i = 0; i < 9; i++)
        p[i] = i < 8 ? (double)warp[i] : 1;
    for (int i = 0; i < 8; i++)    /* v->warp maps a view's point p to affine(perspective(p)) in the pooled picture */
        v->warp[i] = (float)(i < 6 ? m[i / 3 * 3] * p[i % 3] + m[i / 3 * 3 + 1] * p[3 + i % 3] + m[i / 3 * 3 + 2] * p[6 + i % 3]
                                   : p[i]);
    draw_colour(d, v->colour);
    v->grain = (float)(0.1 * draws_unit(d));
    v->noise = d->key;
    v->noise.seed = (uint64_t)(draws_unit(d) * 0x1p32) << 32;
    v->noise.seed |= (uint64_t)(draws_unit(d) * 0x1p32);
}

void pooled_box(struct view *v, struct draws *d) {
    double side = (double)v->side, chance = draws_unit(d), area = side * side * (0.1 + 0.3 * draws_unit(d));
    double wide = draws_unit(d);
    double at = draws_unit(d), ratio = wide < 0.5 ? 0.3 + 0.7 * at : 1 + (1 / 0.3 - 1) * at;
    size_t h = (size_t)fmin(fmax(rint(sqrt(area * ratio)), 1), side);
    size_t w = (size_t)fmin(fmax(rint(sqrt(area / ratio)), 1), side);

    v->box[0] = (size_t)draws_int(d, 0, (int)(v->side - h)), v->box[1] = (size_t)draws_int(d, 0, (int)(v->side - w));
    v->box[2] = chance < CHANCE ? h : 0, v->box[3] = w;
}

/* ---- pooling ---- */

/* Divides n pixels into `side` bins.  Returns the first pixel of bin i, and sets *to to the pixel after the bin's
 * last pixel. */
static size_t bin(size_t n, size_t side, size_t i, size_t *to) {
    *to = ((i + 1) * n + side - 1) / side;
    return i * n / side;
}

/* Finds the bin of pixel i of the pooled picture [3, S, S]: its rows [box[0], box[1]), its columns [box[2], box[3]) and the
 * mean of its pixels.  Returns the index in `picture` of the first of its largest pixels. */
static size_t pool_one(const float *picture, size_t h, size_t w, size_t side, size_t i, double *mean, size_t box[4]) {
    const size_t plane = i / (side * side) * h * w;
    double sum = 0;
    size_t best;

    box[0] = bin(h, side, i / side % side, &box[1]), box[2] = bin(w, side, i % side, &box[3]);
    best = plane + box[0] * w + box[2];
    for (size_t y = box[0]; y < box[1]; y++)
        for (size_t x = box[2]; x < box[3]; x++) {
            size_t at = plane + y * w + x;

            sum += (double)picture[at];
            best = picture[at] > picture[best] ? at : best;
        }
    *mean = sum / (double)((box[1] - box[0]) * (box[3] - box[2]));
    return best;
}

void pooled_pool(const float *picture, size_t h, size_t w, size_t side, float *out) {
    for (size_t i = 0; i < 3 * side * side; i++) {
        size_t box[4], best;
        double mean;

        best = pool_one(picture, h, w, side, i, &mean, box);
        out[i] = (float)((mean + (double)picture[best]) / 2);
    }
}

void pooled_pool_back(const float *picture, const float *d_out, size_t h, size_t w, size_t side, float *d_picture) {
    for (size_t i = 0; i < 3 * side * side; i++) {
        size_t box[4], best, plane = i / (side * side) * h * w;
        double mean;
        float part;

        best = pool_one(picture, h, w, side, i, &mean, box);
        part = d_out[i] / (float)(2 * (box[1] - box[0]) * (box[3] - box[2]));
        d_picture[best] += d_out[i] / 2;
        for (size_t y = box[0]; y < box[1]; y++)
            for (size_t x = box[2]; x < box[3]; x++)
                d_picture[plane + y * w + x] += part;
    }
}

/* ---- the view ---- */

static bool erased(const struct view *v, size_t y, size_t x) {
    return y - v->box[0] < v->box[2] && x - v->box[1] < v->box[3];    /* size_t: a difference below 0 is huge */
}

void pooled_run(const struct view *v, const float *picture, size_t h, size_t w, float *out, float *small) {
    const size_t s = v->side, n = s * s;

    pooled_pool(picture, h, w, s, small);
    noise_fill(&v->noise, out, 3 * n);
    for (size_t i = 0; i < n; i++) {
        size_t at[4];
        double weight[4], from[4] = {0, 0, 0, 1};

        view_corners(v, i / s, i % s, s, s, at, weight);
        for (size_t c = 0; c < 3; c++)
            for (int k = 0; k < 4; k++)
                from[c] += weight[k] * (double)small[c * n + at[k]];
        for (size_t c = 0; c < 3; c++) {
            double t = 0;

            for (int k = 0; k < 4 && !erased(v, i / s, i % s); k++)
                t += (double)v->colour[c][k] * from[k];
            out[c * n + i] = (float)(t + (double)v->grain * (double)out[c * n + i]);
        }
    }
}

void pooled_back(const struct view *v, const float *picture, const float *d_out, float *d_picture, size_t h, size_t w,
                 float *small) {
    const size_t s = v->side, n = s * s;

    memset(small, 0, 3 * n * sizeof *small);
    for (size_t i = 0; i < n; i++) {
        size_t at[4];
        double weight[4];

        if (erased(v, i / s, i % s))
            continue;
        view_corners(v, i / s, i % s, s, s, at, weight);
        for (size_t c = 0; c < 3; c++) {
            double d = 0;

            for (size_t k = 0; k < 3; k++)
                d += (double)v->colour[k][c] * (double)d_out[k * n + i];
            for (int k = 0; k < 4; k++)
                small[c * n + at[k]] += (float)(weight[k] * d);
        }
    }
    pooled_pool_back(picture, small, h, w, s, d_picture);
}
