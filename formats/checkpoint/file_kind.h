/* file_kind.h - what a file is that is not the file that was expected
 *
 * What     A phrase for a message: files that people meet where weights or their configs should be, told by how
 *          they begin.
 */
#ifndef UNCLIP_FILE_KIND_H
#define UNCLIP_FILE_KIND_H

#include <stddef.h>

/* "a GGUF file, which is not supported"; NULL for anything else. */
const char *file_kind(const unsigned char *p, size_t n);

/* The phrase for a Git LFS pointer, NULL for anything else: such a file may be in the place of any other. */
const char *file_kind_pointer(const unsigned char *p, size_t n);

#endif
