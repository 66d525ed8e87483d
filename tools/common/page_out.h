/* page_out.h - a page of pictures as one HTML file: thumbnails, captions, scores
 *
 * What     The page needs no server and no other file: it holds its pictures as JPEG thumbnails, and has no script.
 *          The thumbnail of a picture that is a file is a link to this file.
 * Memory   The page is kept in the region `html` of tool_page, about 15 kB for each picture.
 */
#ifndef UNCLIP_PAGE_OUT_H
#define UNCLIP_PAGE_OUT_H

#include "formats/image/image_write.h"
#include "tools/common/tool.h"

enum { PAGE_SIDE = 256 };    /* the longer side of a thumbnail, unless the caller wants another */

struct page_out {
    const char *file;
    size_t side;                 /* the longer side of a thumbnail */
    struct mp html, jpeg, text;
    uint64_t pictures;
};

/* Ends the program with an error if `file` is "-", an existing stream of records, or an existing picture. */
void tool_page_file(const char *file);

/* Begins a page that tool_page_end writes to `file`, with thumbnails whose longer side is `side`, or PAGE_SIDE if that is
 * 0.  The three regions must be for the page alone. */
void tool_page(struct page_out *p, const char *file, size_t side, struct arena *html, struct arena *jpeg, struct arena *text);

/* Adds a picture and its caption to the page.  `fields` are the fields in the caption (caption.h).  NULL selects label,
 * prob and cos, and below these the text or the name. */
int tool_page_add(struct page_out *p, const struct record *r, struct record_image im, const char *fields, struct arena a,
                  struct err *e);

/* Writes the page.  The program ends if that fails. */
void tool_page_end(struct page_out *p);

#endif
