/* tar.h - read a tar archive from its beginning to its end, from a file or a pipe
 *
 * What     tar_next finds the next regular file of the archive and says its name and size.  tar_read then reads bytes of
 *          the file; what is not read is passed over.  Archives that are joined by cat are one archive.
 * Source   POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar's long names and numbers in
 *          base 256.  Of pax, the keywords path and size count.
 * Errors   tar_next returns 1 for a file and 0 at the end.  It returns -1 if the archive cannot be read on: it is damaged,
 *          ends early, or is not a tar archive.  A file that is too hard to read (GNU's sparse files, a name of TAR_NAME bytes
 *          or more) is a file whose `why` says so.  Nothing in an archive makes the reader take memory, and no name is opened.
 * Threads  No global state.
 */
#ifndef UNCLIP_TAR_H
#define UNCLIP_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

enum { TAR_NAME = 4096, TAR_BLOCK = 512 };

struct tar {
    int fd;
    uint64_t at;                  /* offset in the archive of the next byte */
    uint64_t left, pad;           /* bytes of the current file, and of its padding, that were not read yet */
    char name[TAR_NAME];          /* of the current file */
    const char *why;              /* why the file cannot be used, or NULL */
};

void tar_open(struct tar *t, int fd);
int tar_next(struct tar *t, struct err *e);

/* Reads up to n bytes of the current file.  Returns how many; 0 at the end of the file, or -1 if the archive ends early. */
ptrdiff_t tar_read(struct tar *t, void *p, size_t n, struct err *e);

#endif
