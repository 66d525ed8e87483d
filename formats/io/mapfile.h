/* mapfile.h - map a whole file into read-only memory
 *
 * What     The file is mapped privately.  After mapfile_keep, the file stays mapped until the arena's region ends or, if
 *          that region has no list of files, until the process ends.  Until then, pointers into the file (weights,
 *          names) stay valid.
 *          Pages are read when they are first touched.
 * Errors   A file that cannot be opened is refused, and so is everything except a regular file (a pipe would block for
 *          ever).  The size is the size at the moment of opening.  If the file is shortened later, reading the
 *          missing pages raises SIGBUS, as in every program that maps files.
 * Threads  No state.
 */
#ifndef UNCLIP_MAPFILE_H
#define UNCLIP_MAPFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

/* A list of the mapped files that are unmapped when a region of memory ends (struct arena_mem). */
enum { MAPFILE_LIST = 4096 };

struct mapfile_list {
    size_t n;
    struct span v[MAPFILE_LIST];
};

/* Identifies a file and its content.  Every write to a file changes one of these numbers, because a program cannot set
 * ctime. */
struct file_state {
    uint64_t inode, size;
    int64_t mtime, mtime_ns, ctime, ctime_ns;
};

struct mapfile {
    const unsigned char *p;
    size_t n;
    struct file_state state;    /* the file's state when it was opened */
    const char *path;           /* the caller's string, not a copy */
    struct mapfile_list *kept;  /* the list that holds the file, or NULL */
};

/* Maps the file at path.  Returns 0, or -1 with the system's reason in err, without the path. */
int mapfile_open(struct mapfile *m, const char *path, struct err *e);

/* Maps the file that is open as fd.  fd may be closed afterwards.  Returns what mapfile_open does. */
int mapfile_of(struct mapfile *m, int fd, const char *path, struct err *e);

/* Hands the mapped file to the region of the arena a, if that region has a list of files.  Returns 0, or -1 if the list is
 * full; then the file is unmapped. */
int mapfile_keep(struct mapfile *m, const struct arena *a, struct err *e);

/* Unmaps the files of the list, except the first `from`. */
void mapfile_close_list(struct mapfile_list *l, size_t from);

/* Unmaps the file.  No view into the file may be used afterwards. */
void mapfile_close(struct mapfile *m);

/* Returns true if m->path still leads to the file that was opened, and the file was not changed. */
bool mapfile_unchanged(const struct mapfile *m);

/* Tells the system not to read ahead, because only a few scattered places of the file will be read.  mapfile_forget
 * undoes this. */
void mapfile_random(const struct mapfile *m);

/* Asks the system for large pages, because the whole file will be read. */
void mapfile_large(const struct mapfile *m);

/* Takes the pages of the file out of the resident set.  A page comes back when it is touched. */
void mapfile_forget(const struct mapfile *m);

#endif
