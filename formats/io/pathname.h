/* pathname.h - joining and splitting names of files, and what a name leads to */
#ifndef UNCLIP_PATHNAME_H
#define UNCLIP_PATHNAME_H

#include <stdbool.h>

#include "lib/base/arena.h"

/* dir/name, or name where dir is "".  Returns "", which is not the name of a file, when a is full. */
const char *path_join(struct arena *a, const char *dir, const char *name);

const char *path_base(const char *path);                        /* after the last slash */
const char *path_folder(struct arena *a, const char *path);     /* before it; "" for the current one */
bool path_is_dir(const char *path);
bool path_is_file(const char *path);                            /* it exists and is not a directory */

/* The first of the n names that is a file in dir, or NULL. */
const char *path_first(struct arena *a, const char *dir, const char *const *names, size_t n);

#endif
