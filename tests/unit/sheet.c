/* Contact sheets: where pictures land, what is refused, and that letters stay in their cells. */
#include "lib/image/sheet.h"

#include "lib/image/font.h"
#include "tests/tap.h"

static const unsigned char *pixel(const struct sheet *s, const unsigned char *rgb, size_t x, size_t y) {
    return rgb + (y * s->w + x) * 3;
}

static void layout(struct arena a) {
    static unsigned char red[4 * 2 * 3], grey[6 * 6 * 3];
    struct sheet_cell c[5] = {{red, 2, 4, ""}, {grey, 6, 6, ""}, {red, 2, 4, ""}, {grey, 6, 6, ""}, {red, 2, 4, ""}};
    struct sheet s = {0};
    struct err e = {0};
    unsigned char *rgb;

    for (size_t i = 0; i < sizeof red; i += 3)
        red[i] = 255;
    memset(grey, 99, sizeof grey);
    for (size_t i = 0; i < 5; i++)
        sheet_add(&s, c[i].h, c[i].w, &e);
    ok(sheet_plan(&s, c, 0, &e) == 0 && s.columns == 3 && s.rows == 2, "five square cells: three columns, two rows");
    ok(sheet_plan(&s, c, 9, &e) == 0 && s.columns == 5, "no more columns than pictures");
    ok(sheet_plan(&s, c, 2, &e) == 0 && s.w == 2 * 14 + 8 && s.h == 3 * 14 + 8, "the size of the whole");
    rgb = arena_take(&a, s.w * s.h, 3);
    sheet_draw(&s, c, rgb);
    ok(pixel(&s, rgb, 0, 0)[0] == 255 && pixel(&s, rgb, 8, 8)[1] == 255, "white around a smaller picture");
    ok(pixel(&s, rgb, 9, 10)[0] == 255 && !pixel(&s, rgb, 9, 10)[1] && !pixel(&s, rgb, 12, 11)[1], "which is in the middle of its cell");
    ok(pixel(&s, rgb, 22, 8)[0] == 99 && pixel(&s, rgb, 27, 13)[0] == 99 && pixel(&s, rgb, 28, 13)[0] == 255, "the largest fills its own");
}

/* Black pixels inside and outside of the caption's place below a white picture. */
static void caption(const char *text, size_t side, size_t lines, const char *what, struct arena a) {
    unsigned char *white = arena_take(&a, side * side, 3), *rgb;
    struct sheet_cell c = {white, side, side, text};
    struct sheet s = {0};
    size_t in = 0, out = 0;

    memset(white, 255, side * side * 3);
    sheet_add(&s, side, side, NULL);
    sheet_plan(&s, &c, 0, NULL);
    rgb = arena_take(&a, s.w * s.h, 3);
    sheet_draw(&s, &c, rgb);
    for (size_t y = 0; y < s.h; y++)
        for (size_t x = 0; x < s.w; x++)
            if (!pixel(&s, rgb, x, y)[0])
                *(x >= 8 && x < 8 + s.cell_w && y >= 8 + s.cell_h && y < s.h - 8 ? &in : &out) += 1;
    ok(s.lines == lines && !out && (in > 0) == (lines > 0), "%s: %zu lines, %zu black pixels, %zu outside", what, s.lines, in, out);
}

static void captions(struct arena a) {
    caption("", 64, 0, "no caption", a);
    caption("   ", 64, 0, "spaces", a);
    caption("word", 64, 1, "a word", a);
    caption("a word and another", 64, 2, "two lines", a);
    caption("averyveryveryverylongword", 64, 3, "a word too long for a line", a);
    caption("many many many many many many many many many many many words", 64, 3, "cut with dots", a);
    caption("x", 1, 1, "a picture of one pixel", a);
    caption("xyz xyz xyz xyz", 5, 3, "a cell of less than a letter", a);
    caption("Large letters below a large picture, three lines of them or more, until they are cut off at last, gjpqy",
            400, 3, "large", a);
}

static void limits(void) {
    struct err e = {0};
    struct sheet s = {0};
    size_t n = 0;

    while (sheet_add(&s, 1016, 1016, &e) == 0)
        n++;
    ok(n == 64 && s.n == 64, "64 pictures of 1016 pixels: %s", e.msg);
    s = (struct sheet){0};
    ok(sheet_add(&s, (size_t)-1, 1, NULL) == -1 && sheet_add(&s, 1, (size_t)-1, NULL) == -1 &&
       sheet_add(&s, (size_t)1 << 63, (size_t)1 << 63, NULL) == -1 && s.n == 0, "absurd sizes");
    s = (struct sheet){0};
    ok(sheet_add(&s, 20000, 1, NULL) == 0 && sheet_add(&s, 1, 20000, NULL) == -1 && s.n == 1 && s.cell_w == 1,
       "a cell as high as one and as wide as the other");
}

/* Each glyph except the space has ink, differs from all others, and stays inside its cell. */
static void glyphs(void) {
    static unsigned char cell[95][12 * 8 * 3];
    size_t blank = 0, twins = 0, outside = 0;

    memset(cell, 255, sizeof cell);
    for (int i = 0; i < 95; i++) {
        char c = (char)(' ' + i);

        font_draw(cell[i], 8, 1, 1, 1, &c, 1);
        blank += !memchr(cell[i], 0, sizeof cell[i]);
        for (size_t p = 0; p < 12 * 8; p++)
            outside += !cell[i][p * 3] && (p % 8 < 1 || p % 8 >= FONT_W || p / 8 < 1 || p / 8 >= FONT_H);
        for (int j = 0; j < i; j++)
            twins += !memcmp(cell[i], cell[j], sizeof cell[i]);
    }
    ok(blank == 1 && !twins && !outside, "95 glyphs: %zu blank, %zu twins, %zu pixels outside", blank, twins, outside);
    memset(cell[0], 255, sizeof cell[0]);
    font_draw(cell[0], 8, 1, 1, 1, "\xe9", 1);
    ok(!memcmp(cell[0], cell['?' - ' '], sizeof cell[0]), "what is not ASCII is a question mark");
}

int main(void) {
    TAP_ARENA(a, 16);

    layout(a);
    captions(a);
    limits();
    glyphs();
    free(a_mem.base);
    return done();
}
