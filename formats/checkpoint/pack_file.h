/* pack_file.h - a file of packed weights: the blocks of lib/kernel/packed.h, as they are in memory
 *
 * What     A key says which weights and which kernel the blocks were made for.  A reader knows the key that it
 *          needs, and uses a file only if the keys are equal byte for byte.
 * Layout   Numbers are 64 bits, little-endian; the blocks are as the machine has them (the key names
 *          its kernel).
 *
 *              0   16       "unclip packed 1\n"
 *             16    8       length of the file
 *             24    8       XXH64 of the head without these 8 bytes
 *             32    8       K, bytes of the key
 *             40    8       N, number of blocks
 *             48    K       the key, then zeros up to a multiple of 8
 *              .  8 N       sizes of the blocks
 *              .    .       zeros up to a multiple of 64; the head ends here
 *              .            the blocks, each followed by zeros up to a multiple of 64
 *
 *          The place of a block follows from the sizes before it, so blocks cannot overlap or be left out.
 * Checks   The head's length and sum, the file's length, the key, and that the sizes of the blocks add up to the
 *          file's length.  The blocks are not checked against a sum; pack_cache.h checks which users may write the
 *          file.
 * Errors   The functions return -1, and err says what is wrong with the file.
 * Memory   No memory is taken; blocks are views of the file.
 */
#ifndef UNCLIP_PACK_FILE_H
#define UNCLIP_PACK_FILE_H

#include "lib/base/err.h"
#include "lib/kernel/packed.h"

enum { PACK_KEY_MAX = 1024, PACK_ALIGN = 64 };

/* Sets *head and *file to the sizes in bytes of the head and of the whole file, for these blocks and a key of `key`
 * bytes.  Returns 0, or -1 if the key is too long, or if there are too many blocks or bytes. */
int pack_file_size(const struct packed *p, size_t key, size_t *head, size_t *file);

/* Write the head to out; `head` and `file` are the sizes that pack_file_size gave. */
void pack_file_head(unsigned char *out, const struct packed *p, const char *key, size_t nkey, size_t head, size_t file);

/* Returns how many zeros follow a block of n bytes, fewer than PACK_ALIGN. */
size_t pack_file_gap(size_t n);

/* Checks the file and fills p with views of its blocks, for binding to find them.  The caller has set p->block and
 * p->room.  `data` is the file, aligned to PACK_ALIGN, and must stay as long as p is used. */
int pack_file_read(struct packed *p, const unsigned char *data, size_t n, const char *key, size_t nkey, struct err *e);

#endif
