/* picture_source.h - the pictures that a program is to read: files, pictures in pipes, members of tar archives
 *
 * What     picture_source_next says which picture is next.  picture_source_load reads its bytes, unless it is a file, which
 *          the program reads by its name.  A name stands for a file, or for a pipe: "-", or an operand that is a FIFO.  A
 *          pipe may hold several pictures, one after another (picture_cut.h); they are called NAME, NAME:2, NAME:3 and so
 *          on.  With `tar` set, a name stands for an archive, whose pictures are called ARCHIVE/MEMBER, or MEMBER if it is standard input.
 * Members  What is in an archive and is neither a picture nor named like one is passed over.  But a text KEY.txt
 *          that stands next to the picture KEY.jpg (png, webp ...), or apart by other members of this KEY, as in
 *          webdataset's archives, is the picture's caption.
 * Errors   picture_source_next returns 1 for a picture and 0 at the end.  It returns -1 if something is wrong with a name or
 *          an archive: p->name is its name or its number, err says why, and the next call goes on.  It returns -2 if the list
 *          of names cannot be read.
 * Memory   The bytes of one picture, which the caller frees.  It grows as bytes arrive, to at most IMAGE_MAX_BYTES.
 */
#ifndef UNCLIP_PICTURE_SOURCE_H
#define UNCLIP_PICTURE_SOURCE_H

#include "formats/image/picture_cut.h"
#include "formats/io/file_stamp.h"
#include "formats/io/names.h"
#include "formats/io/tar.h"

enum { CAPTION_MAX = 4096 };

struct picture {
    const char *name;             /* lives until the next call of picture_source_next */
    const char *archive;          /* the archive's name, or NULL */
    struct file_stamp stamp;      /* of the archive; of a file it is not known here */
    bool file;                    /* the picture is the file `name` */
    unsigned char *bytes;         /* set by picture_source_load; the caller frees them with image_file_free */
    size_t n;
    char caption[CAPTION_MAX];    /* set by picture_source_load, or "" */
};

struct picture_source {
    struct names names;
    const char *files0;           /* the list of names, or NULL */
    bool tar;                     /* set by the caller after picture_source_open */
    int fd;                       /* of the pipe or archive that is open, or -1 */
    char source[NAMES_MAX], name[NAMES_MAX + TAR_NAME];
    unsigned char *buf;           /* [cap] what was read from the pipe and not yet handed out */
    size_t len, cap;
    uint64_t number;              /* of the next picture of the pipe, from 1 */
    bool eof;
    struct tar archive;
    struct file_stamp stamp;      /* of the archive */
    char text_name[TAR_NAME], text[CAPTION_MAX];    /* the last text of the archive that came before a picture, or "" */
    bool ahead;                   /* the archive is at a member that picture_source_next has not handed out yet */
    struct err late;              /* what was wrong with the archive when it was read ahead */
};

int picture_source_open(struct picture_source *s, char *const operand[], size_t n, const char *files0, struct arena *a, struct err *e);
int picture_source_next(struct picture_source *s, struct picture *p, struct err *e);

/* Reads the bytes of the picture that picture_source_next has just handed out.  Returns 1, or 0 if a member is not a picture and is
 * to be passed over, or -1. */
int picture_source_load(struct picture_source *s, struct picture *p, struct err *e);

/* Returns true if picture_source_next would return without waiting for another program. */
bool picture_source_ready(const struct picture_source *s);
void picture_source_close(struct picture_source *s);

#endif
