/* text_file.h - small text files that people write by hand: one item a line
 *
 * What     The whole file in memory, then its lines.  A byte order mark at the start and a
 *          carriage return at the end of a line are not part of the text; empty lines are
 *          passed over.
 * Errors   A file longer than TEXT_FILE_MAX, bytes that are not UTF-8, or NUL: named with
 *          the line.
 */
#ifndef UNCLIP_TEXT_FILE_H
#define UNCLIP_TEXT_FILE_H

#include "formats/io/lines.h"

#define TEXT_FILE_MAX ((size_t)1 << 30)

/* All of a file, a pipe or a device; memory grows as the bytes arrive. */
int text_file_read(const char *path, struct span *text, struct arena *a, struct err *e);

/* The next line of l = lines_of(text): 1, 0 the end, -1 this line is not text. */
int text_line(struct lines *l, struct span *line, struct err *e);

#endif
