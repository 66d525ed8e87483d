/* page_out.h - a page of pictures as one HTML file: thumbnails, captions, scores
 *
 * What     The page needs no server and no other file: its pictures are JPEG thumbnails inside it, and it has no script.  A picture
 *          that is a file is a link to the file.
 * Memory   The page, about 15 kB for each picture, in the region that tool_page is given.
 */
#ifndef UNCLIP_PAGE_OUT_H
#define UNCLIP_PAGE_OUT_H

#include "formats/image/image_write.h"
#include "tools/common/tool.h"

enum { PAGE_SIDE = 256 };    /* the longer side of a thumbnail */

struct page_out {
    const char *file;
    struct mp html, jpeg, text;
    uint64_t pictures;
};

/* Begins a page that tool_page_end writes to `file`.  The three regions may hold nothing else. */
void tool_page(struct page_out *p, const char *file, struct arena *html, struct arena *jpeg, struct arena *text);

/* Adds a picture.  `fields` are those of the caption (caption.h); NULL selects label, prob, cos and the text or the name. */
int tool_page_add(struct page_out *p, const struct record *r, struct record_image im, const char *fields, struct arena a,
                  struct err *e);

/* Writes the page.  The program ends if that fails. */
void tool_page_end(struct page_out *p);

#endif
