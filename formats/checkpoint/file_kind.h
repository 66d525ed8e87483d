/* file_kind.h - name the kind of a file that was found in the place of weights or a config
 *
 * What     file_kind recognises other kinds of files by their first bytes, and returns a phrase for a message.
 * Memory   The phrases are constants.
 */
#ifndef UNCLIP_FILE_KIND_H
#define UNCLIP_FILE_KIND_H

#include <stddef.h>

/* Returns the phrase for the file p of n bytes, for example "a GGUF file, which is not supported", or NULL if the kind
 * is not known. */
const char *file_kind(const unsigned char *p, size_t n);

#endif
