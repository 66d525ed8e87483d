/* file_replace.h - write a whole file, or leave what was there
 *
 * What     The bytes are written to a temporary file in the same directory, which then takes the place of `name`.
 *          Other programs see the old file or the new file, never a part of it.  A file that is replaced keeps its
 *          permissions.  Where `name` is a symbolic link, its target is replaced.  A device or FIFO is written to.
 *          A directory is refused, and so is a file that may not be written.
 * Errors   -1 with the system's reason.  The temporary file is removed.
 * Durable  The file is synced only where the caller asks for it.  Without that, the file may be the old one, or
 *          missing, after a power failure.
 */
#ifndef UNCLIP_FILE_REPLACE_H
#define UNCLIP_FILE_REPLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

int file_replace(const char *name, const void *p, size_t n, struct err *e);

/* file_replace for bytes that come piece by piece.  The caller writes them to fd, then keeps or drops the file. */
struct file_new {
    int fd;
    int dir;                 /* what the names are relative to: a descriptor, or AT_FDCWD */
    char name[PATH_MAX];
    char temp[PATH_MAX];     /* "" where fd is the device itself */
};

int file_new_open(struct file_new *f, const char *name, struct err *e);

/* A new file `name` with the permissions `mode` in the directory dir.  temp is the temporary name, which must be free. */
int file_new_at(struct file_new *f, int dir, const char *temp, const char *name, unsigned mode, struct err *e);

/* sync: the bytes are on the disk before the file gets its name. */
int file_new_keep(struct file_new *f, bool sync, struct err *e);
void file_new_drop(struct file_new *f);

#endif
