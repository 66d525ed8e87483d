/* sheet.h - one picture made of many, in rows and columns, each with a caption below it
 *
 * What     A cell is as large as the largest picture; smaller pictures are centred in it.  Captions are
 *          broken between words (or after / - _) into SHEET_LINES lines at most, and cut with "..." if they are
 *          longer.  The letters grow with the cell, so that about 27 fit on a line.  The letters are those of
 *          font.h, unless the caller brings a font of its own.
 * Shapes   u8 [H, W, 3], white where nothing is drawn.
 * Errors   sheet_add and sheet_plan return -1 if the sheet would have more than SHEET_PIXELS pixels.
 * Threads  No state.
 */
#ifndef UNCLIP_SHEET_H
#define UNCLIP_SHEET_H

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum { SHEET_LINES = 3, SHEET_PAD = 8, SHEET_PIXELS = 1 << 26 };

struct sheet_cell {
    const unsigned char *rgb;    /* u8 [h, w, 3] */
    size_t h, w;
    const char *caption;         /* ASCII, or UTF-8 for a font of the caller; "": no caption */
};

/* A font of the caller, whose lines are `line` pixels high. */
struct sheet_font {
    /* Returns the width of the n bytes at s, in pixels, rounded up. */
    size_t (*width)(const void *of, size_t line, const char *s, size_t n);
    /* Draws the n bytes at s in black into a picture whose rows are w pixels wide, with the top left corner at (x, y).
     * The function may write to `room` x `line` pixels only. */
    void (*draw)(const void *of, size_t line, unsigned char *rgb, size_t w, size_t x, size_t y, size_t room, const char *s, size_t n);
    const void *of;
};

struct sheet {
    size_t n, cell_h, cell_w;    /* pictures that sheet_add counted, and their largest sides */
    size_t columns, rows, scale, lines, text_h;    /* sheet_plan sets these */
    size_t h, w;                 /* sides of the sheet in pixels; sheet_plan sets them */
    const struct sheet_font *font;    /* the font of the captions; NULL: that of font.h */
};

/* Makes room for one more picture of h x w pixels.  Returns -1 and changes nothing if the sheet would be too large. */
int sheet_add(struct sheet *s, size_t h, size_t w, struct err *e);

/* Lays out the pictures cell [s->n].  With columns = 0, the sheet becomes about as wide as high. */
int sheet_plan(struct sheet *s, const struct sheet_cell *cell, size_t columns, struct err *e);

/* Draws the sheet into rgb [s->h, s->w, 3]. */
void sheet_draw(const struct sheet *s, const struct sheet_cell *cell, unsigned char *rgb);

#endif
