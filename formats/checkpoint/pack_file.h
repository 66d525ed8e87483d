/* pack_file.h - a file of packed weights: the blocks of lib/kernel/packed.h, as they lie in memory
 *
 * What     A key says what the blocks were made of and for whom; a reader that wants them knows its
 *          key beforehand, and takes a file for its own only if the keys are equal byte for byte.
 * Layout   Numbers are 64 bits, little-endian; the blocks are as the machine has them (the key names
 *          its kernel).
 *
 *              0   16       "unclip packed 1\n"
 *             16    8       length of the file
 *             24    8       XXH64 of the head but for these 8 bytes
 *             32    8       K, bytes of the key
 *             40    8       N, number of blocks
 *             48    K       the key, then zeros up to a multiple of 8
 *              .  8 N       sizes of the blocks
 *              .    .       zeros up to a multiple of 64; the head ends here
 *              .            the blocks, each followed by zeros up to a multiple of 64
 *
 *          Where a block lies follows from the sizes before it, so none can overlap or be left out.
 * Checks   Everything in the head: its length and sum, the file's length, that the sizes add up to
 *          it.  The blocks are not looked at, as no checkpoint's numbers are checked against a sum
 *          either: who may write the file is what pack_cache.h looks at.
 * Memory   None; blocks are views.
 */
#ifndef UNCLIP_PACK_FILE_H
#define UNCLIP_PACK_FILE_H

#include "lib/base/err.h"
#include "lib/kernel/packed.h"

enum { PACK_KEY_MAX = 1024, PACK_ALIGN = 64 };

/* The head of a file of these blocks: its bytes, and of the whole file.  -1 when that is too long. */
int pack_file_size(const struct packed *p, size_t key, size_t *head, size_t *file);

/* Write the head, `head` bytes as pack_file_size gave it. */
void pack_file_head(unsigned char *out, const struct packed *p, const char *key, size_t nkey, size_t head, size_t file);

/* What follows a block of n bytes: fewer than PACK_ALIGN zeros. */
size_t pack_file_gap(size_t n);

/* Fill p (block and room are given) for finding.  data: aligned to PACK_ALIGN, stays as long as p. */
int pack_file_read(struct packed *p, const unsigned char *data, size_t n, const char *key, size_t nkey, struct err *e);

#endif
