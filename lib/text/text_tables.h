/* text_tables.h - HTML's named characters and a map of ftfy's, for text_fix.c; text_tables.py writes these tables */
#ifndef UNCLIP_TEXT_TABLES_H
#define UNCLIP_TEXT_TABLES_H

#include <stddef.h>
#include <stdint.h>

enum { ENTITY_NAME = 32 };    /* characters of the longest name, with its ";" */

struct entity {
    const char *name;         /* without "&" */
    uint32_t to[3];           /* code points, with 0 after the last one */
};

/* The entities, sorted by name.  A name that HTML allows without its ";" occurs twice, with and without ";".
 * upper_entity holds the names in capitals that ftfy knows and HTML does not. */
extern const struct entity html5_entity[], upper_entity[];
extern const size_t html5_entity_n, upper_entity_n;

/* NFKC of the half-width and full-width characters from U+FF01 on; {0} if NFKC does not change the character. */
enum { WIDTH_FIRST = 0xff01, WIDTH_LAST = 0xffef };
extern const uint16_t width_map[WIDTH_LAST - WIDTH_FIRST + 1][2];

#endif
