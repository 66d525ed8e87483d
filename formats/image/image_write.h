/* image_write.h - 8-bit RGB as PNG, JPEG and PPM files, and the parameters inside them
 *
 * What     A file is made in memory, whole.  PNG and JPEG carry the record that the picture came
 *          with, as one line of JSON (json_record.h): PNG in an iTXt chunk called "unclip", next to
 *          Title and Software; JPEG in comment markers.  PPM (P6) carries pixels and nothing else.
 * Source   PNG, 3rd edition; ITU-T T.81 and JFIF; ppm(5).
 * PNG      8-bit RGB, the filter of each row chosen by the least sum of absolute differences, zlib
 *          level 6.  One version of zlib gives the same file on every machine.
 * JPEG     libjpeg-turbo.  Chroma is halved up to quality 90, whole above.
 * Texts    What image_params writes: all fields but tensors, and but those of more than
 *          IMAGE_FIELD_MAX bytes.  What image_params_find reads: tEXt, zTXt and iTXt called "unclip",
 *          so that a file that went through another program still speaks; or JPEG comments.
 * Errors   Sides beyond what the format can say (PNG 2^31 - 1, JPEG 65500).  Reading never trusts a
 *          length; compressed text is inflated to IMAGE_PARAMS_MAX bytes at most.
 * Memory   zlib's comes from the arena; libjpeg's is its own.  The text found may point into p.
 * Threads  No global state.
 */
#ifndef UNCLIP_IMAGE_WRITE_H
#define UNCLIP_IMAGE_WRITE_H

#include "formats/image/record_image.h"

enum image_kind { IMAGE_PNG, IMAGE_JPEG, IMAGE_PPM };

enum {
    IMAGE_FIELD_MAX = 1 << 16,
    IMAGE_PARAMS_MAX = 4 << 20,    /* libpng refuses chunks of text of 8 MB */
    IMAGE_QUALITY = 92
};

struct image_about {
    struct span params;      /* JSON lines; .p NULL: absent */
    struct span title;       /* UTF-8; .p NULL: absent */
    int quality;             /* of JPEG, 1 to 100; 0: IMAGE_QUALITY */
};

/* The kind that a name's extension means: 1, or 0 if it has no such extension. */
int image_kind_of(const char *name, enum image_kind *k);

/* Append the file to out; scratch must be in another region. */
int image_write(struct mp *out, enum image_kind k, const struct record_image *im, const struct image_about *about,
                struct arena scratch, struct err *e);

/* Append the record without its tensors as a line of JSON; nothing if that is longer than
 * IMAGE_PARAMS_MAX.  scratch must be in another region. */
int image_params(struct mp *out, const struct record *r, struct arena scratch, struct err *e);

/* The text that image_write put into a PNG or JPEG file: 1 found, 0 there is none, -1 not such a file, or
 * a broken one.  It is what the file says, and may be anything. */
int image_params_find(const unsigned char *p, size_t n, struct span *text, struct arena *a, struct err *e);

/* Such a text as lines of JSON: each is read as a record and written again, so that what comes out is
 * well-formed whatever the file said.  out, a and scratch must be in three regions. */
int image_params_lines(struct mp *out, struct span text, struct arena a, struct arena scratch, struct err *e);

#endif
