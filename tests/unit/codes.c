/* What vq does around the autoencoder: where a picture is cut, which tokens it takes, whose they are. */
#include "tools/stage/codes.h"

#include "tests/tap.h"

/* By Python: round(side / min(h, w) * h), int(round((h - rows) / 2.)). */
static const struct {
    size_t h, w, side;
    bool whole;
    size_t factor;
    struct codes_place want;
} places[] = {
    {256, 256, 256, false, 8, {256, 256, 0, 0, 256, 256}},    {480, 640, 256, false, 8, {256, 341, 0, 42, 256, 256}},
    {641, 427, 256, false, 16, {384, 256, 64, 0, 256, 256}},  {333, 1000, 256, false, 16, {256, 769, 0, 256, 256, 256}},
    {333, 1000, 256, true, 16, {256, 769, 0, 0, 256, 768}},   {100, 37, 0, true, 8, {100, 37, 2, 2, 96, 32}},
    {100, 37, 0, false, 8, {100, 37, 34, 2, 32, 32}},         {1, 1000, 256, false, 8, {256, 256000, 0, 127872, 256, 256}},
    {50, 75, 256, false, 8, {256, 384, 0, 64, 256, 256}},     {257, 514, 0, false, 16, {257, 514, 0, 129, 256, 256}},
    {1023, 511, 64, true, 4, {128, 64, 0, 0, 128, 64}},
};

static void where(void) {
    struct codes_place p;
    struct err e = {0};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        const struct codes_fit f = {places[i].side, places[i].whole, places[i].factor};
        ok(codes_where(&f, places[i].h, places[i].w, &p, &e) == 0 && !memcmp(&p, &places[i].want, sizeof p), "%zu x %zu: %zu x %zu at %zu, %zu",
           places[i].w, places[i].h, p.cols, p.rows, p.x, p.y);
    }
    ok(codes_where(&(struct codes_fit){0, false, 16}, 15, 100, &p, &e) < 0 &&
       !strcmp(e.msg, "100 x 15 pixels are too few: a token stands for 16 x 16"), "%s", e.msg);
    e.msg[0] = 0;
    ok(codes_where(&(struct codes_fit){16384, false, 16}, 1, 100000, &p, &e) < 0 &&
       !strcmp(e.msg, "100000 x 1 pixels would be enlarged to 1638400000 x 16384"), "%s", e.msg);
}

/* A picture of one colour keeps it; one that is not resized is cut, byte for byte. */
static void picture(struct arena a) {
    unsigned char rgb[3 * 20 * 12];
    const struct codes_fit as_is = {0, true, 8}, small = {8, false, 8};
    struct err e = {0};
    size_t rows, cols;
    int good = 1;
    float *x;

    for (size_t i = 0; i < sizeof rgb; i++)
        rgb[i] = (unsigned char)(i * 7);
    ok(codes_picture(&as_is, rgb, 20, 12, &x, &rows, &cols, &a, &e) == 0 && rows == 16 && cols == 8, "cut %s", e.msg);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < rows * cols; i++)
            good &= x[c * rows * cols + i] == (float)rgb[3 * ((i / cols + 2) * 12 + i % cols + 2) + c] / 127.5f - 1;
    ok(good, "the middle, as f32 [3, H, W]");
    memset(rgb, 255, sizeof rgb);
    good = codes_picture(&small, rgb, 20, 12, &x, &rows, &cols, &a, &e) == 0 && rows == 8 && cols == 8;
    for (size_t i = 0; i < 192; i++)
        good &= x[i] == 1;
    ok(good, "white stays white");
}

static void set(struct record *r, const int64_t *t, size_t n, const int64_t *grid, size_t sides, struct arena *a) {
    struct err e = {0};

    if (record_new(r, span_of("x"), false, a, &e) < 0 || (t && record_set_ints(r, "image_tokens", t, n, &e) < 0) ||
        (grid && record_set_ints(r, "grid", grid, sides, &e) < 0))
        ok(0, "%s", e.msg);
}

static void tokens(struct arena a) {
    static const int64_t t[] = {0, 7, 3, 1, 2, 7}, grids[][2] = {{2, 3}, {6, 1}, {3, 3}, {0, 6}, {-2, -3}, {INT64_MAX, 2}};
    struct record r;
    struct err e = {0};
    size_t h, w;
    int *id;

    set(&r, t, 6, grids[0], 2, &a);
    ok(codes_tokens(&r, 8, &id, &h, &w, &a, &e) == 1 && h == 2 && w == 3 && id[1] == 7 && id[5] == 7, "tokens %s", e.msg);
    ok(codes_tokens(&r, 7, &id, &h, &w, &a, &e) < 0 && !strcmp(e.msg, "image_tokens: 7, the codebook has 0 to 6"), "%s", e.msg);
    for (size_t i = 1; i < sizeof grids / sizeof *grids; i++) {
        e.msg[0] = 0;
        set(&r, t, 6, grids[i], 2, &a);
        ok(codes_tokens(&r, 8, &id, &h, &w, &a, &e) == (i == 1 ? 1 : -1) &&
           (i == 1 || !strcmp(e.msg, "grid: not the [h, w] of 6 image_tokens")), "grid %zu %s", i, e.msg);
    }
    e.msg[0] = 0;
    set(&r, t, 6, grids[0], 1, &a);
    ok(codes_tokens(&r, 8, &id, &h, &w, &a, &e) < 0, "%s", e.msg);
    e.msg[0] = 0;
    set(&r, t, 6, NULL, 0, &a);
    ok(codes_tokens(&r, 8, &id, &h, &w, &a, &e) < 0 && !strcmp(e.msg, "image_tokens without their grid"), "%s", e.msg);
    set(&r, NULL, 0, grids[0], 2, &a);
    ok(codes_tokens(&r, 8, &id, &h, &w, &a, &e) == 0, "absent");
    set(&r, t, 0, grids[3], 2, &a);
    ok(codes_tokens(&r, 8, &id, &h, &w, &a, &e) < 0, "none at all is not a picture");
}

static void params(struct record *r, const char *program, struct arena *a) {
    struct err e = {0};
    struct mp m;

    mp_open(&m, a);
    mp_map(&m, 0);
    if (record_add_params(r, program, mp_span(&m), &e) < 0)
        ok(0, "%s", e.msg);
}

static void whose(struct arena a) {
    static const int id[] = {1, 2, 3, 4};
    struct record r;
    struct err e = {0};
    struct span theirs, s;
    int64_t *grid;
    size_t n;

    set(&r, NULL, 0, NULL, 0, &a);
    ok(!codes_differ(&r, "1", &theirs), "nothing is known of a record without tokens");
    ok(codes_set(&r, id, 1, 4, "0123456789abcdef", &e) == 0 && record_ints(&r, "grid", &grid, &n, &a, &e) == 1 && n == 2 &&
       grid[0] == 1 && grid[1] == 4 && record_sub_str(&r, "model", "image_tokens", &s, &e) == 1 && span_is(s, "0123456789abcdef"), "set");
    ok(!codes_differ(&r, "fedcba9876543210", &theirs), "nor of one that some other program made");
    params(&r, "vq", &a);
    ok(codes_differ(&r, "fedcba9876543210", &theirs) && span_is(theirs, "0123456789abcdef"), "vq's tokens of another codebook");
    ok(!codes_differ(&r, "0123456789abcdef", &theirs) && !codes_differ(&r, "", &theirs), "of this one, and of one that is not known");
    params(&r, "dalle", &a);
    ok(!codes_differ(&r, "fedcba9876543210", &theirs), "drawn on by dalle");
}

int main(void) {
    TAP_ARENA(a, 4);

    where();
    picture(a);
    tokens(a);
    whose(a);
    free(a_mem.base);
    return done();
}
