/* picture.h - the picture of a record: a field, or the file that its path or its id names
 *
 * Shapes   rgb u8 [h, w, 3]; planes f32 [3, h, w], the same picture before it became bytes.
 * Errors   A field that is not a picture, an id that is not a file's name, a name of a member of an archive, a file that is
 *          not a picture, a file without the text that clip-embed --overlay drew on the picture.
 * Memory   The pixels of a field are in the arena or in the record's own memory.  The pixels of a file are in memory
 *          from malloc, which picture_free frees.
 */
#ifndef UNCLIP_PICTURE_H
#define UNCLIP_PICTURE_H

#include "formats/image/image.h"
#include "formats/record/record.h"

struct picture {
    const unsigned char *rgb;
    const float *planes;    /* NULL if the picture is made of bytes */
    size_t h, w;
    struct image file;
};

/* Sets *p to the picture in the field `key` of r.  Returns 1, or 0 if r does not have the field, or -1 for an error. */
int picture_field(struct picture *p, const struct record *r, const char *key, struct arena *a, struct err *e);

/* Reads the file that the field `path` of r names, or that r's id names if r has no path.  If `exif` is true, turns the
 * picture as its EXIF orientation says. */
int picture_file(struct picture *p, const struct record *r, bool exif, struct arena a, struct err *e);

void picture_free(struct picture *p);

/* Resizes the picture to side x side pixels (bicubic, antialiased) and writes it into out [3, side, side], in [-1, 1].
 * A picture that is not square loses what is outside its central square, as with CLIP.  Planes of this size are copied
 * unchanged. */
int picture_square(const struct picture *p, size_t side, float *out, struct arena a, struct err *e);

#endif
