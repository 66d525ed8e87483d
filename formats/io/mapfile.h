/* mapfile.h - a whole file as read-only memory
 *
 * What     The file is mapped privately and stays mapped until the process ends, so that views
 *          into it (weights, names) need no owner.  Pages are read when they are first touched.
 * Errors   What cannot be opened, or is no regular file (a pipe would block for ever), is refused.
 *          The size is that of the moment of opening: a file that somebody shortens afterwards
 *          raises SIGBUS where it is read, as for every program that maps files.
 * Threads  No state.
 */
#ifndef UNCLIP_MAPFILE_H
#define UNCLIP_MAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

/* Which file it was and in which state: no write to a file leaves these as they are (its times
 * are the system's own; ctime cannot be set). */
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

/* 0 or -1 (err: the system's reason, without the path). */
int mapfile_open(struct mapfile *m, const char *path, struct err *e);

/* The same for a file that is open; fd may be closed afterwards. */
int mapfile_of(struct mapfile *m, int fd, const char *path, struct err *e);

/* Unmap it before the process ends: nobody has a view of it. */
void mapfile_close(struct mapfile *m);

/* Is what lies at its path still what was opened? */
bool mapfile_unchanged(const struct mapfile *m);

/* A few scattered places will be read: do not read ahead.  Undone by mapfile_forget. */
void mapfile_random(const struct mapfile *m);

/* All of it will be read: in large pages, where the kernel and the file system can. */
void mapfile_large(const struct mapfile *m);

/* Take the pages out of the resident set again; they come back when touched. */
void mapfile_forget(const struct mapfile *m);

#endif
