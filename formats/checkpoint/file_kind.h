/* file_kind.h - name the kind of a file that was found in the place of weights or a config
 *
 * What     Other kinds of files are recognised by their first bytes; the answer is a phrase for a message.
 * Memory   The phrases are constants.
 */
#ifndef UNCLIP_FILE_KIND_H
#define UNCLIP_FILE_KIND_H

#include <stddef.h>

/* The phrase for the file p, for example "a GGUF file, which is not supported"; NULL for a kind that is not known. */
const char *file_kind(const unsigned char *p, size_t n);

#endif
