/* mapfile.h - a whole file as read-only memory
 *
 * What     The file is mapped privately and stays mapped until the process ends, so that views
 *          into it (weights, names) need no owner.  Pages are read when they are first touched.
 * Errors   A file that cannot be opened is refused, and so is everything except a regular file (a pipe would block for
 *          ever).  The size is the size at the moment of opening.  Reading a file that somebody has shortened since
 *          then raises SIGBUS, as in every program that maps files.
 * Threads  No state.
 */
#ifndef UNCLIP_MAPFILE_H
#define UNCLIP_MAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

/* Which file it was, and in which state.  Every write to a file changes one of these: a program cannot set ctime. */
struct file_state {
    uint64_t inode, size;
    int64_t mtime, mtime_ns, ctime, ctime_ns;
};

struct mapfile {
    const unsigned char *p;
    size_t n;
    struct file_state state;    /* when it was opened */
    const char *path;           /* the caller's */
};

/* 0 or -1.  err has the system's reason, without the path. */
int mapfile_open(struct mapfile *m, const char *path, struct err *e);

/* mapfile_open for a file that is open.  fd may be closed afterwards. */
int mapfile_of(struct mapfile *m, int fd, const char *path, struct err *e);

/* Unmap it before the process ends.  No view into it may be used afterwards. */
void mapfile_close(struct mapfile *m);

/* Is the file at its path still the one that was opened, unchanged? */
bool mapfile_unchanged(const struct mapfile *m);

/* Only a few scattered places will be read, so the system should not read ahead.  mapfile_forget undoes this. */
void mapfile_random(const struct mapfile *m);

/* All of it will be read.  The system should use large pages where it can. */
void mapfile_large(const struct mapfile *m);

/* Take the pages out of the resident set again; they come back when touched. */
void mapfile_forget(const struct mapfile *m);

#endif
