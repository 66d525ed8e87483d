/* picture.h - the picture of a record: a field, or the file that its path or its id names
 *
 * Shapes   rgb u8 [h, w, 3]; planes f32 [3, h, w], the same picture before it became bytes.
 * Errors   A field that is not a picture, an id that is not a file's name, a file that is not a picture, a file that
 *          lacks the text of clip-embed --overlay.
 * Memory   A field is in the arena or in the record's own memory.  The pixels of a file come from malloc, and
 *          picture_free returns them.
 */
#ifndef UNCLIP_PICTURE_H
#define UNCLIP_PICTURE_H

#include "formats/image/image.h"
#include "formats/record/record.h"

struct picture {
    const unsigned char *rgb;
    const float *planes;    /* NULL where the picture is made of bytes */
    size_t h, w;
    struct image file;
};

/* Gets the picture in the field `key`.  Returns 1; 0 where the field is absent; -1. */
int picture_field(struct picture *p, const struct record *r, const char *key, struct arena *a, struct err *e);

/* Reads the file that the field `path` names, or the id where the record has no path.  exif: turn it as its EXIF says. */
int picture_file(struct picture *p, const struct record *r, bool exif, struct arena a, struct err *e);

void picture_free(struct picture *p);

/* Writes the picture resized to side x side pixels (bicubic, antialiased) into out [3, side, side], in [-1, 1].  A
 * picture that is not square loses what is outside its central square, as with CLIP.  A picture of this size is not
 * changed. */
int picture_square(const struct picture *p, size_t side, float *out, struct arena a, struct err *e);

#endif
