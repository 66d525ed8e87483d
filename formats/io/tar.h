/* tar.h - read a tar archive from its beginning to its end, from a file or a pipe
 *
 * What     tar_next finds the next regular file or link of the archive, and sets its name and its size (`left`).  tar_read
 *          then reads bytes of the file.  The next tar_next skips the rest.  Archives that are joined by cat are read as one.
 * Source   POSIX.1-2017 pax, "ustar Interchange Format" and "pax Interchange Format"; GNU tar's long names and numbers in
 *          base 256.  Of pax's keywords, path and size are used.
 * Errors   tar_next returns 1 for a file and 0 at the end.  It returns -1 if the archive cannot be read on: it is damaged,
 *          ends early, or is not a tar archive.  If a file is not supported (a hard or symbolic link, a sparse file of GNU tar,
 *          or a name that is empty, holds a NUL or has TAR_NAME bytes or more), tar_next returns 1 and `why` has the reason.
 *          The reader never allocates memory, and never opens a file that an archive names.
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
    uint64_t at;                  /* offset of the next byte in the archive */
    uint64_t left, pad;           /* bytes of the current file, and of the padding after it, that are not read yet */
    char name[TAR_NAME];          /* of the current file */
    const char *why;              /* why the current file cannot be read, or NULL */
};

void tar_open(struct tar *t, int fd);
int tar_next(struct tar *t, struct err *e);

/* Reads up to n bytes of the current file.  Returns the number of bytes read, 0 at the end of the file,
 * or -1 if the archive ends early. */
ptrdiff_t tar_read(struct tar *t, void *p, size_t n, struct err *e);

#endif
