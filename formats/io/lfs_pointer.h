/* lfs_pointer.h - the small text that Git LFS leaves in the place of a file that it did not download
 */
#ifndef UNCLIP_LFS_POINTER_H
#define UNCLIP_LFS_POINTER_H

#include <stddef.h>

/* Returns a phrase for an error message if the n bytes at p begin such a pointer, else NULL. */
const char *lfs_pointer(const unsigned char *p, size_t n);

#endif
