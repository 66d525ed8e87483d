/* Labels on pictures: where they are, what they leave alone, how long texts become smaller, what is refused; letters
 * next to a golden picture, which is our own rendering (tests/golden/overlay). */
#include "formats/image/overlay.h"

#include "tests/tap.h"

enum { H = 96, W = 128 };

/* Draws the overlay on a picture of all-equal pixels.  Returns how many differ from it afterwards, and of these how many
 * lie outside the label. */
static size_t on_picture(const struct overlay *o, size_t h, size_t w, struct overlay_label *l, size_t *outside, struct arena a) {
    unsigned char *row = arena_take(&a, w, 3);
    struct err e = {0};
    size_t changed = 0;

    *outside = 0;
    memset(row, 100, w * 3);
    if (overlay_begin(l, o, h, w, &a, &e) < 0)
        return 0;
    for (size_t y = 0; y < h; y++) {
        const unsigned char *p = overlay_row(l, y, row);

        for (size_t x = 0; x < w; x++)
            if (p[3 * x] != 100 || p[3 * x + 1] != 100 || p[3 * x + 2] != 100) {
                changed++;
                *outside += y < l->y || y >= l->y + l->h || x < l->x || x >= l->x + l->w;
            }
    }
    return changed;
}

static void places(const struct typeface *f, struct arena a) {
    static const double at[][2] = {{0.5, 0.5}, {0, 0}, {1, 1}, {0.5, 0.9}};
    struct overlay_label l;
    size_t changed, outside;

    for (size_t i = 0; i < 4; i++) {
        const struct overlay o = {"iPod", 0.2, at[i][0], at[i][1], f};

        changed = on_picture(&o, H, W, &l, &outside, a);
        ok(changed > l.h * l.w * 9 / 10 && !outside && l.line == 19 && l.y + l.h <= H && l.x + l.w <= W,
           "at %g, %g: %zu x %zu at (%zu, %zu), %zu pixels changed, %zu outside", at[i][0], at[i][1], l.w, l.h, l.x, l.y, changed, outside);
        ok((i != 1 || (!l.y && !l.x)) && (i != 2 || (l.y + l.h == H && l.x + l.w == W)), "moved inside");
    }
    const struct overlay none = {"", 0.2, 0.5, 0.5, NULL};

    ok(!on_picture(&none, H, W, &l, &outside, a) && !l.h, "no text changes no pixel");
}

static void sizes(const struct typeface *f, struct arena a) {
    static const char *const text[] = {
        "a label of two or three lines", "one\nline\n\nis empty", "averyveryveryverylongwordwithoutanyspace",
        "many many many many many many many many many many many many many many many many many many words",
        "  spaces   around  \n  ", "\xc3\xb6kologisch \xd0\xb4\xd0\xbe\xd0\xbc",
    };
    struct overlay_label l;
    size_t changed, outside, last = 0;

    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        const struct overlay o = {text[i], 0.2, 0.5, 0.5, f};

        changed = on_picture(&o, H, W, &l, &outside, a);
        ok(changed && !outside && l.h <= H && l.w <= H, "text %zu: lines of %zu pixels, %zu x %zu", i, l.line, l.w, l.h);
    }
    for (size_t side = 16; side <= 1024; side *= 4) {
        const struct overlay o = {"iPod", 0.2, 0.5, 0.5, f};

        changed = on_picture(&o, side, 2 * side, &l, &outside, a);
        ok(changed && l.line > last && l.h <= side, "a picture of %zu: lines of %zu pixels", side, l.line);
        last = l.line;
    }
}

static void refused(const struct typeface *f, struct arena a) {
    static char large[OVERLAY_BYTES + 2];
    struct overlay o = {large, 0.2, 0.5, 0.5, f};
    struct overlay_label l;
    struct err e = {0};

    memset(large, 'x', OVERLAY_BYTES + 1);
    ok(overlay_check(&o, &e) < 0, "%s", e.msg);
    err_clear(&e);
    o.text = "caf\xe9";
    ok(overlay_check(&o, &e) < 0, "%s", e.msg);
    err_clear(&e);
    o.text = "\xf0\x9f\x8d\x8e\xf4\x8f\xbf\xbf";    /* U+10FFFF, which no font has */
    ok(overlay_check(&o, &e) < 0 && strstr(e.msg, "has no character U+"), "%s", e.msg);
    err_clear(&e);
    o.text = " \n ";
    ok(overlay_check(&o, &e) < 0, "%s", e.msg);
    err_clear(&e);
    o.text = "one line\nanother";
    ok(overlay_check(&o, &e) == 0, "line ends are taken");
    ok(overlay_begin(&l, &o, 1, 1, &a, &e) < 0, "%s", e.msg);
    err_clear(&e);
    o.text = "a text of many words that have no room";
    ok(overlay_begin(&l, &o, 12, 4000, &a, &e) < 0, "%s", e.msg);
    err_clear(&e);
    a.end = a.at + 100;
    o.text = "x";
    ok(overlay_begin(&l, &o, 100, 100, &a, &e) < 0, "%s", e.msg);
    err_clear(&e);
    ok(!typeface_open("tests/unit/overlay.c", &e) && strstr(e.msg, "not a scalable font"), "%s", e.msg);
    err_clear(&e);
    ok(!typeface_open("/none", &e), "%s", e.msg);
}

/* The golden picture is a PGM file without comments. */
static void golden(const struct typeface *f, struct arena a) {
    const struct overlay o = {"\xc3\x85pfel\niPod", 0.3, 0.5, 0.5, f};
    unsigned char want[64 * 64];
    FILE *file = fopen("tests/golden/overlay/label.pgm", "rb");
    struct overlay_label l;
    struct err e = {0};
    size_t w = 0, h = 0;
    double sum = 0;

    if (overlay_begin(&l, &o, 64, 64, &a, &e) < 0) {
        ok(0, "%s", e.msg);
        return;
    }
    if (getenv("OVERLAY_GOLDEN")) {    /* writes what this build draws */
        FILE *out = fopen(getenv("OVERLAY_GOLDEN"), "wb");

        fprintf(out, "P5 %zu %zu 255\n", l.w, l.h);
        fwrite(l.level, l.w, l.h, out);
        fclose(out);
    }
    if (!file || fscanf(file, "P5 %zu %zu 255", &w, &h) != 2 || w != l.w || h != l.h || fgetc(file) != '\n' ||
        fread(want, w, h, file) != h) {
        ok(0, "the golden picture has %zu x %zu pixels, the label %zu x %zu", w, h, l.w, l.h);
    } else {
        for (size_t i = 0; i < w * h; i++)
            sum += fabs((double)want[i] - (double)l.level[i]);
        ok(sum / (double)(w * h) <= 4, "letters: mean difference %.3f of 255 (observed 0, at most 4)", sum / (double)(w * h));
    }
    if (file)
        fclose(file);
}

int main(void) {
    TAP_ARENA(a, 16);
    struct err e = {0};
    const struct typeface *f = typeface_open(NULL, &e);

    if (!f) {
        skip(e.msg);
        return done();
    }
    ok(!strcmp(typeface_name(f), "DejaVu Sans Book"), "%s", typeface_name(f));
    places(f, a);
    sizes(f, a);
    golden(f, a);
    refused(f, a);
    free(a_mem.base);
    return done();
}
