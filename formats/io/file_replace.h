/* file_replace.h - write a whole file, or leave what was there
 *
 * What     The bytes are written to a temporary file in the same directory, which then takes the place of `name`.
 *          Other programs see the old file or the new file, never a part of it.  A file that is replaced keeps its
 *          permissions.  Where `name` is a symbolic link, the target of the link is replaced.  Where `name` is a
 *          device or a FIFO, the bytes are written to the device or FIFO.  A directory is refused, and so is a file
 *          that may not be written.
 * Errors   The functions return -1 with the system's reason.  The temporary file is removed.
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

/* Replaces a file with bytes that come piece by piece.  The caller opens with file_new_open or file_new_at, writes the
 * bytes to fd, then calls file_new_keep or file_new_drop. */
struct file_new {
    int fd;
    int dir;                 /* descriptor of the directory that the names are relative to, or AT_FDCWD */
    char name[PATH_MAX];
    char temp[PATH_MAX];     /* "" where fd is the device itself */
};

int file_new_open(struct file_new *f, const char *name, struct err *e);

/* Opens a temporary file `temp` in the directory dir, with the permissions `mode`.  file_new_keep will rename the file
 * to `name`.  -1 where a file `temp` exists already. */
int file_new_at(struct file_new *f, int dir, const char *temp, const char *name, unsigned mode, struct err *e);

/* Closes the file and gives it its name.  With `sync`, the bytes are on the disk before the file gets its name. */
int file_new_keep(struct file_new *f, bool sync, struct err *e);
void file_new_drop(struct file_new *f);

#endif
