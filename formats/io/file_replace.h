/* file_replace.h - write a whole file, or leave what was there
 *
 * What     The bytes go to a temporary name in the same directory, which then takes the place of `name`: nobody
 *          sees half a file, and none is left when the disk is full.  A file that is replaced keeps its
 *          permissions; through a symbolic link its target is replaced.  Devices and FIFOs are written
 *          to.  A directory is refused, and a file that may not be written.
 * Errors   -1 with the system's reason; the temporary file is removed.
 * Durable  Not synced unless asked for: after a power failure the file may be the old one, or gone.
 */
#ifndef UNCLIP_FILE_REPLACE_H
#define UNCLIP_FILE_REPLACE_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

int file_replace(const char *name, const void *p, size_t n, struct err *e);

/* The same for bytes that come piece by piece: they are written to fd, then the file is kept or dropped. */
struct file_new {
    int fd;
    int dir;                 /* what the names are relative to: a descriptor, or AT_FDCWD */
    char name[PATH_MAX];
    char temp[PATH_MAX];     /* "" where fd is the device itself */
};

int file_new_open(struct file_new *f, const char *name, struct err *e);

/* A new file `name` of that mode in the directory dir.  temp: a name that is not taken. */
int file_new_at(struct file_new *f, int dir, const char *temp, const char *name, unsigned mode, struct err *e);

/* sync: it is on the disk before it gets its name. */
int file_new_keep(struct file_new *f, bool sync, struct err *e);
void file_new_drop(struct file_new *f);

#endif
