/* pack_dir.h - the directory of pack_cache.h: its permissions, new files, old files
 *
 * What     Files are opened, made, renamed and removed relative to the directory's descriptor.  Before that, the
 *          directory is checked: it must belong to the user or to root, and no other user may write to it.  The owner
 *          and permissions of each file are checked in the same way.
 * New      A file is written under a random name that did not exist (O_EXCL), synced, and renamed:
 *          a reader sees the old file, the new file, or no file, and any number of processes may write a file of the
 *          same name at once.  The file that a killed process leaves is removed when it is a day old.
 * Pages    A file is written in runs that begin and end at multiples of 16 MiB, and mapped for large pages:
 *          a kernel whose file system keeps large folios then maps 2 MiB with one fault, not 64 KiB.
 * Errors   The functions return -1 with the reason in err.  An error of pack_dir_write is remembered; pack_dir_publish
 *          returns it and removes the file.
 */
#ifndef UNCLIP_PACK_DIR_H
#define UNCLIP_PACK_DIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "formats/io/file_replace.h"
#include "lib/base/err.h"

#define PACK_SUFFIX ".packed"
#define PACK_MOST ((uint64_t)16 << 30)    /* the most bytes that all files together may have */
enum { PACK_DAYS = 30, PACK_NAME_LENGTH = 96 };

/* Returns a descriptor of the directory.  If `make` is set, creates the directory and its parent if they do not
 * exist. */
int pack_dir_open(const char *path, bool make, struct err *e);

/* Checks the owner and permissions of the file `name` in dir, and returns a descriptor of the file. */
int pack_dir_file(int dir, const char *name, struct err *e);

/* Notes in the file's mtime that the file was used today. */
void pack_dir_used(int fd);

enum { PACK_HELD = 128 };

struct pack_new {
    struct file_new file;
    int error;                       /* an errno, or 0 */
    bool stopped, (*stop)(void);
    struct iovec held[PACK_HELD];    /* pieces that the next writev writes */
    int nheld;
    size_t at;                       /* bytes of the file so far, the held pieces included */
};

/* Begin a file of `bytes` bytes in the directory `path`, which will be called `name`.  Before each write, stop(), if it
 * is not NULL, is asked whether to give up.  The caller keeps the bytes that it gives to pack_dir_write until
 * pack_dir_publish returns. */
int pack_dir_create(struct pack_new *f, const char *path, const char *name, size_t bytes, bool (*stop)(void),
                    struct err *e);
void pack_dir_write(struct pack_new *f, const void *p, size_t n);
int pack_dir_publish(struct pack_new *f, struct err *e);

#endif
