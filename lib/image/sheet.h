/* sheet.h - many pictures on one, in rows and columns, each with a caption below it
 *
 * What     A cell is as large as the largest picture; smaller pictures are centred in it.  Captions are
 *          broken between words (or after / - _) into SHEET_LINES lines at most, and cut with "..." where they are
 *          longer.  Their letters grow with the cell: about 27 of them on a line.
 * Shapes   u8 [H, W, 3], white where nothing is drawn.
 * Errors   A sheet of more than SHEET_PIXELS.
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
    const char *caption;         /* ASCII; "": no caption */
};

struct sheet {
    size_t n, cell_h, cell_w;    /* what sheet_add saw: cells, and the largest sides */
    size_t columns, rows, scale, lines, text_h;    /* from sheet_plan on */
    size_t h, w;                 /* of the whole */
};

/* Make room for one more picture: -1, and nothing is changed, if the sheet would be too large. */
int sheet_add(struct sheet *s, size_t h, size_t w, struct err *e);

/* Lay out cell [s->n]; columns 0: about as wide as high. */
int sheet_plan(struct sheet *s, const struct sheet_cell *cell, size_t columns, struct err *e);

/* Draw it into rgb [s->h, s->w, 3]. */
void sheet_draw(const struct sheet *s, const struct sheet_cell *cell, unsigned char *rgb);

#endif
