#include "lib/draw/view.h"

#include <math.h>
#include <string.h>

#include "lib/base/scratch.h"
#include "lib/draw/pooled.h"

void view_perspective(int start[4][2], int end[4][2], float warp[8]) {
    double a[8][9];

    for (int i = 0; i < 4; i++) {
        double x = end[i][0], y = end[i][1];

        for (int k = 0; k < 2; k++) {
            double to = start[i][k], row[9] = {x, y, 1, 0, 0, 0, -to * x, -to * y, to};

            if (k)
                memmove(row + 3, row, 3 * sizeof *row), row[0] = row[1] = row[2] = 0;
            memcpy(a[2 * i + k], row, sizeof row);
        }
    }
    for (int c = 0; c < 8; c++) {    /* Gaussian elimination with pivots */
        int p = c;

        for (int r = c + 1; r < 8; r++)
            if (fabs(a[r][c]) > fabs(a[p][c]))
                p = r;
        for (int k = 0; k < 9; k++) {
            double t = a[c][k];

            a[c][k] = a[p][k], a[p][k] = t;
        }
        for (int r = 0; r < 8; r++)
            for (int k = 8; r != c && k >= c; k--)
                a[r][k] -= a[c][k] * (a[r][c] / a[c][c]);
    }
    for (int c = 0; c < 8; c++)
        warp[c] = (float)(a[c][8] / a[c][c]);
}

/* ---- draws ---- */

static void draw_perspective(struct view *v, int h, int w, struct draws *d) {
    int start[4][2] = {{0, 0}, {w - 1, 0}, {w - 1, h - 1}, {0, h - 1}};
    const int dx = w / 4, dy = h / 4;    /* torchvision's int(distortion * (w / 2)), distortion 0.5 */
    int end[4][2];

    for (int i = 0; i < 4; i++) {
        bool right = i == 1 || i == 2, below = i >= 2;

        end[i][0] = right ? draws_int(d, w - dx - 1, w - 1) : draws_int(d, 0, dx);
        end[i][1] = below ? draws_int(d, h - dy - 1, h - 1) : draws_int(d, 0, dy);
    }
    view_perspective(start, end, v->warp);
}

static void draw_crop(struct view *v, size_t h, size_t w, struct draws *d) {
    const double lo = log(3.0 / 4), hi = log(4.0 / 3);

    for (int tries = 0; tries < 10; tries++) {
        double area = (double)(h * w) * (0.7 + 0.2 * draws_unit(d)), ratio = exp(lo + (hi - lo) * draws_unit(d));
        double cw = rint(sqrt(area * ratio)), ch = rint(sqrt(area / ratio));

        if (cw < 1 || ch < 1 || cw > (double)w || ch > (double)h)
            continue;
        v->h = (size_t)ch, v->w = (size_t)cw;
        v->y = (size_t)draws_int(d, 0, (int)(h - v->h));
        v->x = (size_t)draws_int(d, 0, (int)(w - v->w));
        return;
    }
    v->h = h, v->w = w;    /* no try fitted: the middle, with the ratio clamped */
    if (3 * w < 4 * h && 4 * w < 3 * h)
        v->h = size_min(h, (size_t)rint((double)w * 4 / 3));
    else if (3 * w > 4 * h)
        v->w = size_min(w, (size_t)rint((double)h * 4 / 3));
    v->y = (h - v->h) / 2, v->x = (w - v->w) / 2;
}

static void draw_cutout(struct view *v, size_t h, size_t w, struct draws *d) {
    size_t most = size_min(h, w), least = size_min(most, v->side);

    v->h = v->w = least + (size_t)(draws_unit(d) * (double)(most - least));
    v->x = (size_t)draws_int(d, 0, (int)(w - v->w));
    v->y = (size_t)draws_int(d, 0, (int)(h - v->h));
}

void view_draw(struct view *v, enum view_kind kind, size_t h, size_t w, const struct prep *p, struct draws *d) {
    *v = (struct view){.kind = kind, .side = p->crop, .h = h, .w = w};
    if (kind == VIEW_DRAW) {
        draw_perspective(v, (int)h, (int)w, d);
        draw_crop(v, h, w, d);
    } else if (kind == VIEW_CUTOUT) {
        draw_cutout(v, h, w, d);
    } else if (kind == VIEW_POOLED) {
        pooled_draw(v, d);
    } else {
        struct prep whole = *p;
        struct prep_place at;

        whole.size = whole.resize == RESIZE_LONGEST ? p->crop : size_max(whole.size, p->crop);
        whole.resize = whole.resize == RESIZE_SQUASH ? RESIZE_SQUASH : RESIZE_SHORTEST;    /* a canvas is never padded */
        whole.most = 0;
        at = prep_where(&whole, h, w);
        v->full_y = at.h, v->full_x = at.w, v->cut_y = at.cut_y, v->cut_x = at.cut_x;
    }
}

/* ---- the map ---- */

struct parts {
    void *ym, *xm;
    float *warped, *between, *small;
};

static size_t cut_parts(struct parts *p, size_t h, size_t w, size_t side, void *memory) {
    struct scratch s = {memory, 0};

    p->ym = scratch_cut(&s, axis_bytes(h, side), 1);
    p->xm = scratch_cut(&s, axis_bytes(w, side), 1);
    p->warped = scratch_cut(&s, 3 * h * w, sizeof *p->warped);
    p->between = scratch_cut(&s, h * side, sizeof *p->between);
    p->small = scratch_cut(&s, 3 * side * side, sizeof *p->small);
    return s.used;
}

size_t view_scratch(size_t h, size_t w, size_t side) {
    struct parts p;

    return cut_parts(&p, h, w, side, NULL);
}

static void make_axes(const struct view *v, const struct parts *p, struct axis *y, struct axis *x) {
    if (v->kind == VIEW_WHOLE) {
        axis_make(y, AXIS_CUBIC, v->h, v->full_y, v->cut_y, v->side, p->ym);
        axis_make(x, AXIS_CUBIC, v->w, v->full_x, v->cut_x, v->side, p->xm);
    } else {
        axis_make(y, v->kind == VIEW_DRAW ? AXIS_TRIANGLE : AXIS_CUTOUT, v->h, v->side, 0, v->side, p->ym);
        axis_make(x, v->kind == VIEW_DRAW ? AXIS_TRIANGLE : AXIS_CUTOUT, v->w, v->side, 0, v->side, p->xm);
    }
}

double view_corners(const struct view *v, size_t py, size_t px, size_t h, size_t w, size_t at[4], double weight[4]) {
    double X = (double)px + 0.5, Y = (double)py + 0.5, k[8], z, sx, sy, x0, y0, sum = 0;

    for (int i = 0; i < 8; i++)
        k[i] = (double)v->warp[i];
    z = k[6] * X + k[7] * Y + 1;
    sx = (k[0] * X + k[1] * Y + k[2]) / z - 0.5, sy = (k[3] * X + k[4] * Y + k[5]) / z - 0.5;
    x0 = floor(sx), y0 = floor(sy);
    for (int i = 0; i < 4; i++) {
        double x = x0 + i % 2, y = y0 + i / 2;
        bool inside = x >= 0 && y >= 0 && x < (double)w && y < (double)h;

        at[i] = inside ? (size_t)y * w + (size_t)x : 0;
        weight[i] = inside ? (1 - fabs(sx - x)) * (1 - fabs(sy - y)) : 0;
        sum += weight[i];
    }
    return sum;
}

static void warp(const struct view *v, const float *picture, size_t h, size_t w, float *out) {
    for (size_t y = 0; y < v->h; y++)
        for (size_t x = 0; x < v->w; x++) {
            size_t at[4];
            double weight[4], m = view_corners(v, v->y + y, v->x + x, h, w, at, weight);

            for (size_t c = 0; c < 3; c++) {
                const float *p = picture + c * h * w;
                double sum = 0;

                for (int i = 0; i < 4; i++)
                    sum += weight[i] * (double)p[at[i]];
                out[(c * v->h + y) * v->w + x] = (float)(m * sum + (1 - m));    /* white outside */
            }
        }
}

static void warp_back(const struct view *v, const float *d_out, size_t h, size_t w, float *d_picture) {
    for (size_t y = 0; y < v->h; y++)
        for (size_t x = 0; x < v->w; x++) {
            size_t at[4];
            double weight[4], m = view_corners(v, v->y + y, v->x + x, h, w, at, weight);

            for (size_t c = 0; c < 3; c++) {
                float *p = d_picture + c * h * w;

                for (int i = 0; i < 4; i++)
                    p[at[i]] += (float)(weight[i] * m * (double)d_out[(c * v->h + y) * v->w + x]);
            }
        }
}

void view_run(const struct view *v, const float *picture, size_t h, size_t w, float *out, void *scratch) {
    struct parts p;
    struct axis y, x;

    cut_parts(&p, h, w, v->side, scratch);
    if (v->kind == VIEW_POOLED) {
        pooled_run(v, picture, h, w, out, p.small);
        return;
    }
    make_axes(v, &p, &y, &x);
    if (v->kind == VIEW_DRAW) {
        warp(v, picture, h, w, p.warped);
        axis_pair_run(&y, &x, p.warped, v->h * v->w, v->w, out, p.between);
    } else {
        axis_pair_run(&y, &x, picture + v->y * w + v->x, h * w, w, out, p.between);
    }
}

void view_back(const struct view *v, const float *picture, const float *d_out, float *d_picture, size_t h, size_t w, void *scratch) {
    struct parts p;
    struct axis y, x;

    cut_parts(&p, h, w, v->side, scratch);
    if (v->kind == VIEW_POOLED) {
        pooled_back(v, picture, d_out, d_picture, h, w, p.small);
        return;
    }
    make_axes(v, &p, &y, &x);
    if (v->kind == VIEW_DRAW) {
        memset(p.warped, 0, 3 * v->h * v->w * sizeof *p.warped);
        axis_pair_back(&y, &x, d_out, p.warped, v->h * v->w, v->w, p.between);
        warp_back(v, p.warped, h, w, d_picture);
    } else {
        axis_pair_back(&y, &x, d_out, d_picture + v->y * w + v->x, h * w, w, p.between);
    }
}

/* ---- what the tower gets ---- */

void view_planes(const struct view *v, const struct prep *p, const float *raw, float *out) {
    size_t n = v->side * v->side;

    for (size_t c = 0; c < 3; c++)
        for (size_t i = c * n; i < (c + 1) * n; i++) {
            float t = v->kind == VIEW_CUTOUT ? fminf(fmaxf(raw[i], 0), 1) : raw[i];

            out[i] = p->normalize ? (t - p->mean[c]) / p->std[c] : t;
        }
}

void view_planes_back(const struct view *v, const struct prep *p, const float *raw, float *d) {
    size_t n = v->side * v->side;

    for (size_t c = 0; c < 3; c++)
        for (size_t i = c * n; i < (c + 1) * n; i++) {
            d[i] = p->normalize ? d[i] / p->std[c] : d[i];
            if (v->kind == VIEW_CUTOUT)
                d[i] = view_clamp_back(d[i], raw[i]);
        }
}
