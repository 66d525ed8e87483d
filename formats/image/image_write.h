/* image_write.h - write 8-bit RGB as PNG, JPEG and PPM files, and read the parameters inside such files
 *
 * What     image_write makes the whole file in memory.  PNG and JPEG carry the record that the picture came
 *          with, as one line of JSON (json_record.h): PNG in an iTXt chunk called "unclip", next to
 *          Title and Software; JPEG in comment markers.  PPM (P6) carries only pixels.
 * Source   PNG, 3rd edition; ITU-T T.81 and JFIF; ppm(5).
 * PNG      8-bit RGB, the filter of each row chosen by the least sum of absolute differences, zlib
 *          level 6.  One version of zlib gives the same file on every machine.
 * JPEG     libjpeg-turbo.  Chroma has half the resolution up to quality 90, and the full resolution above.
 * Texts    image_params writes all fields except tensors, `svg`, and fields of more than IMAGE_FIELD_MAX bytes.
 *          image_params_find reads JPEG comments, and tEXt, zTXt and iTXt chunks called "unclip", because another
 *          program that saved the file may have changed the type of the chunk.
 * Errors   image_write refuses sides that the format cannot express (PNG 2^31 - 1, JPEG 65500).  Reading
 *          never trusts a length; compressed text is inflated to IMAGE_PARAMS_MAX bytes at most.
 * Memory   zlib takes memory from the arena; libjpeg allocates its own.  The text found may point into p.
 * Threads  No global state.
 */
#ifndef UNCLIP_IMAGE_WRITE_H
#define UNCLIP_IMAGE_WRITE_H

#include "formats/image/record_image.h"

enum image_kind { IMAGE_PNG, IMAGE_JPEG, IMAGE_PPM, IMAGE_SVG };    /* image_write does not write IMAGE_SVG */

enum {
    IMAGE_FIELD_MAX = 1 << 16,
    IMAGE_PARAMS_MAX = 4 << 20,    /* libpng refuses chunks of text of 8 MB */
    IMAGE_QUALITY = 92
};

struct image_about {
    struct span params;      /* JSON lines; absent if .p is NULL */
    struct span title;       /* UTF-8; absent if .p is NULL */
    int quality;             /* of JPEG, 1 to 100; 0 stands for IMAGE_QUALITY */
};

/* Writes into *k the kind of file that the extension of `name` means.  Returns 1, or 0 if the extension is not
 * known. */
int image_kind_of(const char *name, enum image_kind *k);

/* Appends the picture im, as a file of kind k, to out.  scratch must not be in the memory region of out. */
int image_write(struct mp *out, enum image_kind k, const struct record_image *im, const struct image_about *about,
                struct arena scratch, struct err *e);

/* Appends the record, without its tensors, to out as a line of JSON.  Appends nothing if the line would be longer than
 * IMAGE_PARAMS_MAX.  scratch must not be in the memory region of out. */
int image_params(struct mp *out, const struct record *r, struct arena scratch, struct err *e);

/* Finds the text that image_write put into a PNG or JPEG file.  Returns 1 with the text, 0 if the file has no such
 * text, and -1 if the file is broken or neither PNG nor JPEG.  The text is not checked and may be anything. */
int image_params_find(const unsigned char *p, size_t n, struct span *text, struct arena *a, struct err *e);

/* Appends to out the text that image_params_find returned.  Each line is parsed as a JSON record and written again, so
 * the output is always well-formed.  Returns 0, or -1 if a line is not a record.  out, a and scratch must be in three
 * memory regions. */
int image_params_lines(struct mp *out, struct span text, struct arena a, struct arena scratch, struct err *e);

/* Reads a PNG or JPEG file and appends the records inside it to out, as image_params_lines does.  Returns -1 also if
 * the file has no records inside. */
int image_params_file(struct mp *out, const char *name, struct arena a, struct arena scratch, struct err *e);

/* Returns whether the file is a picture in a format that image_read decodes. */
bool image_is_picture(const char *name);

/* Returns whether the file is a picture in which image_write stored no records: a picture of another program, or a PPM,
 * which holds no records whichever program wrote it. */
bool image_is_foreign(const char *name, struct arena a);

#endif
