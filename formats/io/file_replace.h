/* file_replace.h - write a whole file, or leave what was there
 *
 * What     The bytes are written to a temporary file in the directory of `name`, which then takes the place of `name`.
 *          Other programs see the old file or the new file, never a part of it.  A file that is replaced keeps its
 *          permissions.  If `name` is a symbolic link, the target of the link is replaced.  If `name` is a device or a
 *          FIFO, the bytes are written to the device or FIFO.  A directory is refused, and so is a file that may not be
 *          written.
 * Errors   On an error the functions return -1 with the system's reason in err, and remove the temporary file.
 * Durable  The file is synced only if the caller asks for it.  Without a sync, a power failure may leave the old file,
 *          or no file.
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
    char temp[PATH_MAX];     /* "" if fd is the file `name` itself, not a temporary file */
};

int file_new_open(struct file_new *f, const char *name, struct err *e);

/* Creates a temporary file `temp` in the directory dir, with the permissions `mode`.  file_new_keep will rename the
 * file to `name`.  Returns 0, or -1 on an error; a file `temp` that exists already is an error. */
int file_new_at(struct file_new *f, int dir, const char *temp, const char *name, unsigned mode, struct err *e);

/* Closes the temporary file and renames it to f->name.  If `sync` is set, the bytes are on the disk before the
 * renaming. */
int file_new_keep(struct file_new *f, bool sync, struct err *e);
void file_new_drop(struct file_new *f);

#endif
