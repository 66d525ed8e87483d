/* pathname.h - join and split the names of files, and test whether a name leads to a file or a directory */
#ifndef UNCLIP_PATHNAME_H
#define UNCLIP_PATHNAME_H

#include <stdbool.h>

#include "lib/base/arena.h"

/* Returns dir/name, or name if dir is "".  Returns "", which is not the name of a file, when the arena is full. */
const char *path_join(struct arena *a, const char *dir, const char *name);

const char *path_base(const char *path);                        /* returns what follows the last slash */
const char *path_folder(struct arena *a, const char *path);     /* returns path up to its last slash; "": no slash */
bool path_ends(const char *path, const char *ending);           /* whether path ends in `ending` and is longer */
bool path_is_dir(const char *path);
bool path_is_repository(const char *path);                      /* whether path has the form OWNER/NAME */
bool path_is_file(const char *path);                            /* whether path exists and is not a directory */

/* Returns the path of the first of the n names that is a file in the directory dir, or NULL. */
const char *path_first(struct arena *a, const char *dir, const char *const *names, size_t n);

#endif
