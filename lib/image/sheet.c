#include "lib/image/sheet.h"

#include <stdint.h>
#include <string.h>

#include "lib/image/font.h"

enum { LETTERS = 27, SIDE_MAX = 1 << 24 };

static int too_large(struct err *e) {
    return err_set(e, "the sheet would have more than %d pixels", SHEET_PIXELS);
}

/* Sides are at most 2^24, so that nothing below overflows. */
int sheet_add(struct sheet *s, size_t h, size_t w, struct err *e) {
    size_t ch = h > s->cell_h ? h : s->cell_h, cw = w > s->cell_w ? w : s->cell_w;

    if (ch > SIDE_MAX || cw > SIDE_MAX || s->n + 1 > SHEET_PIXELS / (ch + SHEET_PAD) / (cw + SHEET_PAD))
        return too_large(e);
    s->cell_h = ch;
    s->cell_w = cw;
    s->n++;
    return 0;
}

static size_t line_height(const struct sheet *s) {
    return FONT_H * s->scale;
}

static size_t width_of(const struct sheet *s, const char *text, size_t n) {
    return s->font ? s->font->width(s->font->of, line_height(s), text, n) : n * FONT_W * s->scale;
}

static void draw_text(const struct sheet *s, unsigned char *rgb, size_t x, size_t y, size_t room, const char *text, size_t n) {
    if (s->font)
        s->font->draw(s->font->of, line_height(s), rgb, s->w, x, y, room, text, n);
    else
        font_draw(rgb, s->w, x, y, s->scale, text, n);
}

/* Returns the length in bytes of the character at s, which is not at the end of its string. */
static size_t character(const char *s) {
    size_t n = 1;

    while (((unsigned char)s[n] & 0xc0) == 0x80)
        n++;
    return n;
}

/* Returns the length in bytes of the longest beginning of the text that is at most `width` pixels wide, but at least
 * the length of the first character. */
static size_t longest(const struct sheet *s, const char *text, size_t width) {
    size_t n = *text ? character(text) : 0;

    while (text[n] && width_of(s, text, n + character(text + n)) <= width)
        n += character(text + n);
    return n;
}

/* Takes the next line of the caption *s.  Writes the start of the line into *line, moves *s to the end of the line and
 * returns the length of the line in bytes. */
static size_t line_of(const struct sheet *sheet, const char **s, const char **line) {
    size_t n, cut, room;

    while (**s == ' ')
        ++*s;
    *line = *s;
    room = longest(sheet, *s, sheet->cell_w);
    n = room;
    if ((*s)[n]) {
        for (cut = room; cut > 0 && (*s)[cut] != ' ';)
            cut--;
        for (n = cut ? cut : room; !cut && n > room / 2 && !strchr("/-_", (*s)[n - 1]);)
            n--;
        n = cut || n > room / 2 ? n : room;
    }
    *s += n;
    return n;
}

static size_t lines_of(const struct sheet *s, const char *caption) {
    const char *line;
    size_t n = 0;

    while (n < SHEET_LINES && line_of(s, &caption, &line))
        n++;
    return n;
}

/* Returns the number of columns that makes the sheet most nearly square. */
static size_t square_columns(const struct sheet *s) {
    size_t k = 1;

    while (k < s->n && k * (s->cell_w + SHEET_PAD) < (s->n + k - 1) / k * (s->cell_h + s->text_h + SHEET_PAD))
        k++;
    return k;
}

int sheet_plan(struct sheet *s, const struct sheet_cell *cell, size_t columns, struct err *e) {
    s->scale = s->cell_w / (FONT_W * LETTERS);
    s->scale += !s->scale;
    if (s->cell_w < FONT_W)    /* a letter must fit */
        s->cell_w = FONT_W;
    s->lines = 0;
    for (size_t i = 0; i < s->n; i++) {
        size_t n = lines_of(s, cell[i].caption);

        s->lines = n > s->lines ? n : s->lines;
    }
    s->text_h = s->lines ? s->lines * line_height(s) + SHEET_PAD / 2 : 0;
    if (!columns)
        columns = square_columns(s);
    s->columns = columns < s->n ? columns : s->n;
    s->rows = (s->n + s->columns - 1) / s->columns;
    s->w = s->columns * (s->cell_w + SHEET_PAD) + SHEET_PAD;
    s->h = s->rows * (s->cell_h + s->text_h + SHEET_PAD) + SHEET_PAD;
    return s->h > SHEET_PIXELS / s->w ? too_large(e) : 0;
}

/* Draws a line that is cut off, with dots in place of its last letters. */
static void draw_cut(const struct sheet *s, const char *line, size_t n, size_t x, size_t y, size_t room, unsigned char *rgb) {
    const size_t dots = n < 3 ? n : 3, wide = width_of(s, line, n), dots_wide = width_of(s, "...", dots);
    size_t keep = 0, at;

    while (keep < n && width_of(s, line, keep + character(line + keep)) + dots_wide <= wide)
        keep += character(line + keep);
    at = width_of(s, line, keep);
    draw_text(s, rgb, x, y, room, line, keep);
    if (at < room)
        draw_text(s, rgb, x + at, y, room - at, "...", dots);
}

static void draw_caption(const struct sheet *s, const char *caption, size_t x, size_t y, unsigned char *rgb) {
    for (size_t i = 0; i < SHEET_LINES; i++) {
        const char *line;
        size_t n = line_of(s, &caption, &line), wide = width_of(s, line, n), left = wide < s->cell_w ? (s->cell_w - wide) / 2 : 0;

        if (i + 1 == SHEET_LINES && *caption)    /* more of the caption is left */
            draw_cut(s, line, n, x + left, y, s->cell_w - left, rgb);
        else
            draw_text(s, rgb, x + left, y, s->cell_w - left, line, n);
        y += line_height(s);
    }
}

void sheet_draw(const struct sheet *s, const struct sheet_cell *cell, unsigned char *rgb) {
    memset(rgb, 255, s->h * s->w * 3);
    for (size_t i = 0; i < s->n; i++) {
        const struct sheet_cell *c = &cell[i];
        size_t x = SHEET_PAD + i % s->columns * (s->cell_w + SHEET_PAD);
        size_t y = SHEET_PAD + i / s->columns * (s->cell_h + s->text_h + SHEET_PAD);
        size_t left = x + (s->cell_w - c->w) / 2, top = y + (s->cell_h - c->h) / 2;

        for (size_t r = 0; r < c->h; r++)
            memcpy(rgb + ((top + r) * s->w + left) * 3, c->rgb + r * c->w * 3, c->w * 3);
        draw_caption(s, c->caption, x, y + s->cell_h + SHEET_PAD / 2, rgb);
    }
}
