/* picture_source.h - the input pictures of a program, one by one: files, pictures in pipes, members of tar archives
 *
 * What     picture_source_next finds the next picture.  picture_source_load reads the bytes of a picture in a pipe or an
 *          archive; the program itself reads a picture that is a file.
 *          A name means a pipe if it leads to a FIFO and is an operand or "-".  Any other name means a picture file.
 *          With `tar` set, a name in a list may mean a FIFO only if the FIFO was open when the program began.  The list itself
 *          is not read as a picture or an archive.
 *          A pipe may hold several pictures, one after another (picture_cut.h), with NULs and line ends between them.  The
 *          names of these pictures are NAME, NAME:2, NAME:3 and so on.  If what follows the first picture does not begin as
 *          a picture, the rest of the pipe is ignored, and `warning` says so.
 *          With `tar` set, each name means an archive.  Its pictures are called ARCHIVE/MEMBER, or MEMBER if the archive
 *          is standard input.
 * Skipping The caller may skip a picture, that is, not load it.  The next call of picture_source_next then reads and
 *          discards the picture's bytes.  Skipping does not change the other pictures' names, bytes and captions.
 * Members  A member of an archive is skipped if neither its content nor its name (image_name) is that of a picture.
 *          Content in a format that is not supported (image_unsupported) is that of a picture.
 *          A member ._NAME in AppleDouble, as macOS's tar writes, counts as not there.
 *          A text KEY.txt is the caption of the picture KEY.jpg (png, webp ...), as in webdataset's archives, if all
 *          members between the two have the same KEY and are not pictures.  Without KEY.txt, KEY.json is
 *          read: the caption is the string under "caption" in its object, or under "text" if there is no "caption".
 * Errors   picture_source_next returns 1 for a picture and 0 at the end.  It returns -1 if a name, a pipe or an archive
 *          cannot be read.  Then p->name says which name, pipe or archive it is, err has the reason, and the next call
 *          goes on.  It returns -2 if the list of names cannot be read.
 * Memory   The bytes of one picture, which the caller frees.  The buffer grows as bytes arrive.  A .json of at most
 *          JSON_MEMBER_MAX bytes and its values, until its caption was copied.
 */
#ifndef UNCLIP_PICTURE_SOURCE_H
#define UNCLIP_PICTURE_SOURCE_H

#include "formats/image/image_read.h"
#include "formats/image/picture_cut.h"
#include "formats/io/file_stamp.h"
#include "formats/io/names.h"
#include "formats/io/tar.h"

enum { CAPTION_MAX = 4096, JSON_MEMBER_MAX = 1 << 20 };    /* the limits of a caption and of a .json, in bytes */

struct picture {
    const char *name;             /* lives until the next call of picture_source_next */
    const char *archive;          /* the archive's name, or NULL */
    struct file_stamp stamp;      /* of the archive; unknown for a file or a pipe */
    bool file;                    /* the picture is the file `name` */
    unsigned char *bytes;         /* set by picture_source_load; the caller frees them with image_file_free */
    size_t n;
    char caption[CAPTION_MAX];    /* set by picture_source_load; "" if the picture has no caption */
    char note[200];               /* set by picture_source_load: ".json: " or ".txt: " and why it gave no caption; or "" */
};

enum caption_kind { CAPTION_NONE, CAPTION_JSON, CAPTION_TEXT };    /* a kind overrules those before it */

struct picture_source {
    struct names names;
    const char *files0;           /* the file with the list of names, or NULL */
    bool tar;                     /* set by the caller after picture_source_open */
    int fd;                       /* the open pipe or archive, or -1 */
    char source[NAMES_MAX], name[NAMES_MAX + TAR_NAME];
    char warning[NAMES_MAX + 128];    /* set by picture_source_next: a pipe's name and why its rest is ignored; or "" */
    unsigned char *buf;           /* [cap] len bytes that were read from the pipe and not yet handed out */
    size_t len, cap;
    uint64_t number;              /* the number of the pipe's next picture, from 1 */
    bool waiting;                 /* the pipe's last picture was neither loaded nor discarded */
    bool eof;
    struct tar archive;
    struct file_stamp stamp;      /* of the archive */
    char text_name[TAR_NAME];     /* the member from which the last caption was read, or "" */
    char text[CAPTION_MAX], note[200];    /* that caption, and the note of a member that gave no caption; or "" */
    enum caption_kind kind;
    bool ahead;                   /* the archive is at a member that picture_source_next has not handed out yet */
    unsigned char head[IMAGE_FORMAT_BYTES];    /* [heads] the first bytes of the archive's current member, if they were read */
    size_t heads;
    struct err late;              /* an error of reading ahead in the archive, which the next call reports */
};

int picture_source_open(struct picture_source *s, char *const operand[], size_t n, const char *files0, struct arena *a, struct err *e);
int picture_source_next(struct picture_source *s, struct picture *p, struct err *e);

/* Reads the bytes of the picture that picture_source_next has just handed out.  Returns 1, 0 if
 * it is a member of an archive and not a picture, or -1.  The caller then goes on to the next picture. */
int picture_source_load(struct picture_source *s, struct picture *p, struct err *e);

/* Returns true if picture_source_next would return without waiting for another program. */
bool picture_source_ready(const struct picture_source *s);
void picture_source_close(struct picture_source *s);

#endif
