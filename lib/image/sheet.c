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

/* Takes the next line, of at most `room` letters, from the caption *s.  Writes its start into *line, moves *s behind it
 * and returns its length. */
static size_t line_of(const char **s, size_t room, const char **line) {
    size_t n, cut;

    while (**s == ' ')
        ++*s;
    *line = *s;
    n = strlen(*s);
    if (n > room) {
        for (cut = room; cut > 0 && (*s)[cut] != ' ';)
            cut--;
        for (n = cut ? cut : room; !cut && n > room / 2 && !strchr("/-_", (*s)[n - 1]);)
            n--;
        n = cut || n > room / 2 ? n : room;
    }
    *s += n;
    return n;
}

static size_t letters(const struct sheet *s) {
    size_t n = s->cell_w / (FONT_W * s->scale);

    return n ? n : 1;
}

static size_t lines_of(const struct sheet *s, const char *caption) {
    const char *line;
    size_t n = 0;

    while (n < SHEET_LINES && line_of(&caption, letters(s), &line))
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
    s->text_h = s->lines ? s->lines * FONT_H * s->scale + SHEET_PAD / 2 : 0;
    if (!columns)
        columns = square_columns(s);
    s->columns = columns < s->n ? columns : s->n;
    s->rows = (s->n + s->columns - 1) / s->columns;
    s->w = s->columns * (s->cell_w + SHEET_PAD) + SHEET_PAD;
    s->h = s->rows * (s->cell_h + s->text_h + SHEET_PAD) + SHEET_PAD;
    return s->h > SHEET_PIXELS / s->w ? too_large(e) : 0;
}

static void draw_caption(const struct sheet *s, const char *caption, size_t x, size_t y, unsigned char *rgb) {
    size_t room = letters(s), wide = FONT_W * s->scale;

    for (size_t i = 0; i < SHEET_LINES; i++) {
        const char *line;
        size_t n = line_of(&caption, room, &line), left = (s->cell_w - n * wide) / 2;

        font_draw(rgb, s->w, x + left, y, s->scale, line, n);
        if (i + 1 == SHEET_LINES && *caption)    /* the caption goes on: dots replace the last letters */
            for (size_t d = 0; d < 3 && d < n; d++) {
                size_t at = x + left + (n - 1 - d) * wide;

                for (size_t r = 0; r < FONT_H * s->scale; r++)
                    memset(rgb + ((y + r) * s->w + at) * 3, 255, wide * 3);
                font_draw(rgb, s->w, at, y, s->scale, ".", 1);
            }
        y += FONT_H * s->scale;
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
